//! TLS client configuration: the platform's root certificates and ring's cryptography. Certificates
//! are always verified.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The platform's root certificates, read once for all clients.
static PLATFORM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// Returns a configuration that trusts the platform's root certificates and those in `extra_pem`.
///
/// Reading the platform's certificates takes milliseconds, so callers call this only if they need
/// TLS.
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

/// Returns a configuration without root certificates, for a client that uses plain HTTP only.
pub(crate) fn without_roots() -> Result<ClientConfig, rustls::Error> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
