//! TLS for the registry, on the program's one provider.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Trusts the file's certificates alone, or the system's; the error is a message.
pub(crate) fn configuration(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let unread = || format!("registry.ca, {}, holds no PEM certificates", path.display());
        let listed = CertificateDer::pem_file_iter(path).map_err(|_| unread())?;
        for certificate in listed {
            roots
                .add(certificate.map_err(|_| unread())?)
                .map_err(|_| unread())?;
        }
        if roots.is_empty() {
            return Err(unread());
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(
                "the system has no trusted certificates, and registry.ca is not set".to_owned(),
            );
        }
    }
    with(roots)
}

/// For plain HTTP: trusts nobody.
pub(crate) fn without_roots() -> Result<ClientConfig, String> {
    with(RootCertStore::empty())
}

fn with(roots: RootCertStore) -> Result<ClientConfig, String> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| format!("TLS cannot be set up: {why}"))?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}
