//! TLS: who this server is to its callers, and what a caller's certificate says.
//!
//! Owns the protocol's settings. It never decides what a caller may do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use sha2::{Digest, Sha256};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates or of a key cannot be read.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// Certificate and key do not fit, or are of a kind that nobody uses any more.
    #[error("the certificate and its key cannot be used: {0}")]
    Certificate(rustls::Error),
    /// The certificates that clients are checked against are none.
    #[error("{path}: clients cannot be checked against it: {problem}")]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
}

/// The files of a server's TLS.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate and those up to its root, in PEM form.
    pub certificate: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
    /// The certificates that those of clients have to come from, where clients may show any.
    pub client_ca: Option<PathBuf>,
}

/// The certificate that a client has shown.
#[derive(Clone, Debug)]
pub(crate) struct Peer(Arc<Vec<String>>);

impl Peer {
    /// A certificate that was checked.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest: String = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut names = vec![format!("sha256:{digest}")];
        if let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) {
            names.extend(certificate.valid_uri_names().map(|name| format!("uri:{name}")));
            names.extend(certificate.valid_dns_names().map(|name| format!("dns:{}", name.to_ascii_lowercase())));
        }
        Self(Arc::new(names))
    }

    /// What it may be called in the file of who may call.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }
}

/// Reads the files.
pub(crate) fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Certificate)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let wrong = |problem: String| TlsError::ClientCa { path: path.clone(), problem };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            // Whoever shows none may have a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| wrong(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, &error))?;
    let mut config = builder.with_single_cert(certificates(&files.certificate)?, key).map_err(TlsError::Certificate)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A session that is resumed shows no certificate again: one that has expired would let in for another day.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(path, &error))?;
    if certificates.is_empty() {
        let problem = "it holds no certificate: expected -----BEGIN CERTIFICATE-----".to_owned();
        return Err(TlsError::File { path: path.to_owned(), problem });
    }
    Ok(certificates)
}

fn unreadable(path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), problem: format!("expected PEM: {error}") }
}
