//! The public keys of CloudTrail, as `aws cloudtrail list-public-keys` prints them.
//!
//! Owns their file's form. A key is found by the fingerprint that a digest names; whether it is AWS's is not decided
//! here. When a key was in use is not looked at: a signature says by itself which key made it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{DigestError, malformed};
use crate::json::{self, Json};

/// The largest file of keys, in bytes: ten thousand keys of 4,096 bits.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Public keys by their fingerprints.
#[derive(Debug, Default)]
pub struct PublicKeys(BTreeMap<String, Vec<u8>>);

impl PublicKeys {
    /// Reads a file of keys.
    ///
    /// # Errors
    /// [`DigestError`] if it cannot be read, or holds no keys.
    pub fn read(path: &Path) -> Result<Self, DigestError> {
        let failed = |source| DigestError::Input { name: path.display().to_string(), source };
        let mut bytes = Vec::new();
        std::fs::File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(malformed(path, format!("expected at most {FILE_BYTES_MAX} bytes of keys")));
        }
        Self::parse(&bytes).map_err(|why| malformed(path, why))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        const EXPECTED: &str = "expected what `aws cloudtrail list-public-keys --output json` prints";
        let json = json::parse(bytes).map_err(|reject| format!("{EXPECTED}: {reject}"))?;
        let key = |key: &Json<'_>| {
            let (fingerprint, value) = (key.text("Fingerprint")?, key.text("Value")?);
            Some((fingerprint.to_ascii_lowercase(), STANDARD.decode(value).ok()?))
        };
        let keys = json.items("PublicKeyList").iter().map(key).collect::<Option<BTreeMap<_, _>>>();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(Self(keys)),
            Some(_) => Err(format!("{EXPECTED}, got no key in PublicKeyList; ask for the time of the digests")),
            None => Err(format!("{EXPECTED}, got a key without Fingerprint, or without a Value in base 64")),
        }
    }

    /// Whether the key of a fingerprint made a signature; none where there is no such key.
    pub fn made(&self, fingerprint: &str, text: &[u8], signature: &[u8]) -> Option<bool> {
        let key = self.0.get(&fingerprint.to_ascii_lowercase())?;
        Some(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(text, signature).is_ok())
    }
}
