//! Certificates for the tests, made when they are needed.

use std::fs;
use std::path::PathBuf;

use counterfoil_tests::program::LedgerFolder;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use sha2::{Digest, Sha256};

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key.
pub struct Identity {
    pub certificate: String,
    pub key: String,
    /// The SHA-256 of its DER form.
    pub fingerprint: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// For this machine.
    pub fn server(&self) -> Identity {
        self.sign(CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap(), false)
    }

    /// For a client with this URI and this name of a host.
    pub fn client(&self, uri: &str, host: &str) -> Identity {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        self.sign(params, true)
    }

    /// For this machine, and expired long ago.
    pub fn expired(&self, is_client: bool) -> Identity {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        self.sign(params, is_client)
    }

    fn sign(&self, mut params: CertificateParams, is_client: bool) -> Identity {
        let usage = if is_client { ExtendedKeyUsagePurpose::ClientAuth } else { ExtendedKeyUsagePurpose::ServerAuth };
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let fingerprint = Sha256::digest(certificate.der()).iter().map(|byte| format!("{byte:02x}")).collect();
        Identity { certificate: certificate.pem(), key: key.serialize_pem(), fingerprint }
    }
}

impl Identity {
    /// The files of certificate and key.
    pub fn write(&self, ledger: &LedgerFolder, name: &str) -> (String, String) {
        let write = |extension: &str, text: &str| -> String {
            let path: PathBuf = ledger.beside(&format!("{name}.{extension}"));
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        (write("pem", &self.certificate), write("key", &self.key))
    }
}
