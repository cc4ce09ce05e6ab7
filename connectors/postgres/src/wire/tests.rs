//! Against a scripted server: what a real one does only when it is set up badly.

use std::sync::Arc;

use onramp_finding::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Connection;
use crate::target::{Target, TlsMode};

/// A server that waits for something before each of its answers; gives back all that it heard.
async fn against(tls: TlsMode, answers: &[&[u8]]) -> (Result<(), Failure>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        user: "u".into(),
        database: "d".into(),
        password: Some(Arc::new(|| Ok("s3cret".into()))),
        tls,
        ca: None,
        application_name: "a".into(),
    };
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut heard = Vec::with_capacity(64 << 10);
        for answer in answers {
            socket.read_buf(&mut heard).await.unwrap();
            socket.write_all(answer).await.unwrap();
        }
        heard
    };
    let (opened, heard) = tokio::join!(Connection::open(&target, "a"), server);
    (opened.map(drop), heard)
}

fn code(failure: &Failure) -> (&'static str, bool) {
    assert!(!format!("{failure:?}").contains("s3cret"));
    (failure.findings[0].code.id, failure.retry)
}

fn error(state: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0C{state}\0Mno\0Dprivate detail\0\0");
    [
        b"E",
        &(fields.len() as u32 + 4).to_be_bytes()[..],
        fields.as_bytes(),
    ]
    .concat()
}

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05abcd";

#[tokio::test]
async fn errors_of_the_server_are_told_and_retried_as_they_deserve() {
    for (state, expected) in [
        ("28P01", ("ONR-402", false)),
        ("28000", ("ONR-402", false)),
        ("3D000", ("ONR-402", false)),
        ("57P03", ("ONR-453", true)),
        ("53300", ("ONR-453", true)),
        ("42501", ("ONR-453", false)),
        ("55000", ("ONR-453", false)),
    ] {
        let (opened, _) = against(TlsMode::Disable, &[&error(state)]).await;
        let failure = opened.unwrap_err();
        assert_eq!(code(&failure), expected, "{state}");
        assert!(
            !format!("{failure:?}").contains("private"),
            "a detail may hold values"
        );
    }
}

#[tokio::test]
async fn the_password_itself_is_never_sent_in_the_clear() {
    let (opened, heard) = against(TlsMode::Disable, &[CLEARTEXT]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-451", false));
    assert!(!heard.windows(6).any(|w| w == b"s3cret"));
    let (opened, heard) = against(TlsMode::Disable, &[MD5, OK]).await;
    opened.unwrap();
    assert!(
        heard.windows(4).any(|w| w == b"\0md5" || w == b"(md5"),
        "the hash was sent"
    );
    assert!(!heard.windows(6).any(|w| w == b"s3cret"));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_unless_it_is_only_preferred() {
    let (opened, _) = against(TlsMode::Require, &[b"N"]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-450", false));
    let (opened, _) = against(TlsMode::Prefer, &[b"N", OK]).await;
    opened.unwrap();
    let (opened, _) = against(TlsMode::Require, &[b"E"]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-450", false));
}

#[tokio::test]
async fn a_server_that_does_not_prove_itself_is_refused() {
    let offer = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    let (opened, _) = against(TlsMode::Disable, &[offer, OK]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-454", false));
    let (opened, _) = against(TlsMode::Disable, &[offer, b"R\0\0\0\x09\0\0\0\x0bx"]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-451", false));
    let plus = b"R\0\0\0\x1c\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0";
    let (opened, _) = against(TlsMode::Disable, &[plus]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-451", false));
}

#[tokio::test]
async fn a_cut_connection_is_tried_again_and_nonsense_is_not() {
    let (opened, _) = against(TlsMode::Disable, &[b""]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-401", true));
    let (opened, _) = against(TlsMode::Disable, &[b"R\x7f\xff\xff\xff"]).await;
    assert_eq!(code(&opened.unwrap_err()), ("ONR-454", false));
}
