//! A registry behind TLS: trusted by its CA file, and by nothing else.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onramp_finding::Kind;
use onramp_registry::{RegistryClient, RegistryOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A server whose certificate names `localhost`: its port, and the file of its authority.
async fn server(name: &str) -> (u16, PathBuf) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-authority.pem"));
    std::fs::write(&path, authority.pem()).unwrap();

    let ring = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust it ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 4096];
            if stream.read(&mut request).await.unwrap_or(0) > 0 {
                let answer =
                    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n[1]";
                stream.write_all(answer).await.ok();
                stream.shutdown().await.ok();
            }
        }
    });
    (port, path)
}

fn client(url: String, ca: Option<PathBuf>) -> RegistryClient {
    let mut options = RegistryOptions::new(url);
    options.ca = ca;
    RegistryClient::new(options).unwrap()
}

#[tokio::test]
async fn its_authority_is_trusted_and_no_other() {
    let (port, authority) = server("its").await;
    let (_, other) = server("other").await;
    let url = format!("https://localhost:{port}");
    let versions = client(url.clone(), Some(authority.clone()))
        .versions("a")
        .await;
    assert_eq!(versions, Ok(vec![1]));

    let by_address = format!("https://127.0.0.1:{port}");
    for untrusting in [
        client(url, Some(other)),
        client(by_address, Some(authority)),
    ] {
        let failure = untrusting.versions("a").await.unwrap_err();
        assert_eq!(failure.kind, Kind::Registry);
        assert!(!failure.retry, "{failure}");
        assert_eq!(failure.findings[0].code.id, "ONR-605", "{failure}");
    }
}
