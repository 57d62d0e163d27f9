//! TLS as a client: the platform's root certificates, ring's cryptography, always verified.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Read once, for Redis and Postgres alike.
static PLATFORM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// Trusts what the platform trusts, and `extra_pem` beside it.
///
/// Reading the platform's store takes milliseconds, so callers do it only once they must encrypt.
pub(crate) fn client_config(extra_pem: Option<&str>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = PLATFORM.clone();
    let extra = extra_pem.map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()));
    for certificate in extra.into_iter().flatten() {
        let certificate = certificate
            .map_err(|_| rustls::Error::General("a PEM certificate is malformed".into()))?;
        roots.add(certificate)?;
    }
    trusting(roots)
}

/// For a client that was told to speak plain HTTP: it would trust nobody.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
