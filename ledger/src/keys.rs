//! The keys of a ledger: three small files that only its owner reads.
//!
//! Owns their format and their checksum, so that a damaged key is refused instead of silently making other tokens,
//! digests or signatures. Loses: without `log.key` nobody can extend the log; without `index.key` nobody can look a name
//! up; without `ingest.key` a repeated delivery is no longer recognised.
//!
//! ```text
//! counterfoil-key v1 <name> <base64 of 32 bytes> <first 16 hex digits of the domain hash of name and bytes>
//! ```

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::note::SigningKey;
use zeroize::Zeroizing;

use crate::error::{LedgerError, Result};
use crate::files;

/// All keys of one ledger.
pub struct Keys {
    pub(crate) log_seed: Zeroizing<[u8; 32]>,
    pub(crate) index: IndexKey,
    pub(crate) ingest: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Makes all three from fresh randomness.
    pub(crate) fn from_entropy(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut key = || {
            let mut bytes = Zeroizing::new([0; 32]);
            fill(bytes.as_mut_slice());
            bytes
        };
        Self { log_seed: key(), index: IndexKey::new(*key()), ingest: key() }
    }

    /// Writes them to `folder`, readable by the owner only.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        files::create_folder(folder)?;
        for (name, bytes) in [("log", &*self.log_seed), ("index", self.index.as_bytes()), ("ingest", &*self.ingest)] {
            let text = Zeroizing::new(format!(
                "counterfoil-key v1 {name} {} {}\n",
                BASE64_STANDARD.encode(bytes),
                checksum(name, bytes)
            ));
            files::write_private(&path_of(folder, name), text.as_bytes())?;
        }
        files::sync_folder(folder)
    }

    /// Reads them back.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            log_seed: read_key(folder, "log")?,
            index: IndexKey::new(*read_key(folder, "index")?),
            ingest: read_key(folder, "ingest")?,
        })
    }

    /// The key of tokens.
    pub fn index(&self) -> &IndexKey {
        &self.index
    }

    /// The key of digests in event ids and of fingerprints of secrets. Only ingest holds it.
    pub fn ingest(&self) -> &[u8; 32] {
        &self.ingest
    }

    pub(crate) fn signing_key(&self, origin: &counterfoil_verify::checkpoint::Origin) -> SigningKey {
        SigningKey::from_seed(origin.key_name(), &self.log_seed)
    }
}

fn read_key(folder: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>> {
    let path = path_of(folder, name);
    let text = std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| LedgerError::file(&path, error))?;
    let damaged = || LedgerError::Key { path: path.clone(), problem: "is damaged".to_owned() };
    let body = text.strip_prefix("counterfoil-key v1 ").and_then(|rest| rest.strip_suffix('\n')).ok_or_else(damaged)?;
    let fields: Vec<&str> = body.split(' ').collect();
    let [found_name, encoded, found_checksum] = fields[..] else { return Err(damaged()) };
    let decoded = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| damaged())?);
    let bytes = Zeroizing::new(<[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| damaged())?);
    if found_name != name || found_checksum != checksum(name, bytes.as_slice()) {
        return Err(damaged());
    }
    Ok(bytes)
}

fn checksum(name: &str, bytes: &[u8]) -> String {
    domain_hash("counterfoil/key-file/v1", &[name.as_bytes(), bytes]).to_string()[..16].to_owned()
}

fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.key"))
}
