//! The keys of a ledger: small files that only its owner reads.
//!
//! Owns their format and their checksum, so that a damaged key is refused instead of silently making other tokens,
//! digests or signatures; and which of them sign while the log's key changes (`rotation` has the order of that). Loses:
//! without `log.key` nobody can extend the log; without `index.key` nobody can look a name up; without `ingest.key` a repeated
//! delivery is no longer recognised.
//!
//! ```text
//! log.key index.key ingest.key        always
//! next.key                            while a new key is being announced: signs beside log.key
//! former.key                          from then on, until it is retired: signs beside log.key
//! retired.keys                        the public halves of those that sign no more, one a line in base64
//!
//! counterfoil-key v1 <name> <base64 of 32 bytes> <first 16 hex digits of the domain hash of name and bytes>
//! ```

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use counterfoil_verify::checkpoint::{Checkpoint, CheckpointError, Origin};
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::note::{KeyId, Note, Signature, SignatureType, SigningKey, VerifierKey};
use zeroize::Zeroizing;

use crate::error::{LedgerError, Result};
use crate::files;

/// The key that signs checkpoints, the one after it, and the one before it.
pub(crate) const LOG: &str = "log";
pub(crate) const NEXT: &str = "next";
pub(crate) const FORMER: &str = "former";

const RETIRED: &str = "retired.keys";

/// The seed of a key.
pub(crate) type Seed = Zeroizing<[u8; 32]>;

/// All keys of one ledger.
pub struct Keys {
    pub(crate) log_seed: Seed,
    /// While the log's key changes: the next one, and the former one. One of them is another than the log's own, and signs
    /// beside that.
    pub(crate) next: Option<Seed>,
    pub(crate) former: Option<Seed>,
    /// The public halves of those that sign no more.
    pub(crate) retired: Vec<[u8; 32]>,
    pub(crate) index: IndexKey,
    pub(crate) ingest: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Makes all three from fresh randomness.
    pub(crate) fn from_entropy(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut key = || fresh(fill);
        let (log_seed, index, ingest) = (key(), IndexKey::new(*key()), key());
        Self { log_seed, next: None, former: None, retired: Vec::new(), index, ingest }
    }

    /// Writes them to `folder`, readable by the owner only.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        files::create_folder(folder)?;
        let always = [(LOG, &*self.log_seed), ("index", self.index.as_bytes()), ("ingest", &*self.ingest)];
        let changing = [(NEXT, &self.next), (FORMER, &self.former)];
        let changing = changing.into_iter().filter_map(|(name, seed)| Some((name, &**seed.as_ref()?)));
        for (name, bytes) in always.into_iter().chain(changing) {
            write_key(folder, name, bytes)?;
        }
        if !self.retired.is_empty() {
            write_retired(folder, &self.retired)?;
        }
        files::sync_folder(folder)
    }

    /// Reads them back.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let retired = read_retired(folder)?;
        // A copy of the folder may have a key that was retired since.
        let signs = |seed: &Seed| !retired.contains(&SigningKey::public_half(seed));
        Ok(Self {
            log_seed: read_key(folder, LOG)?,
            next: read_if_there(folder, NEXT)?.filter(signs),
            former: read_if_there(folder, FORMER)?.filter(signs),
            index: IndexKey::new(*read_key(folder, "index")?),
            ingest: read_key(folder, "ingest")?,
            retired,
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

    /// What signs beside the log's key, while that changes.
    fn beside(&self) -> Option<&Seed> {
        self.next.iter().chain(&self.former).find(|seed| **seed != self.log_seed)
    }

    /// What signs for the log: its key, and the one beside it.
    pub(crate) fn signing_key(&self, origin: &Origin) -> SigningKey {
        let key = SigningKey::from_seed(origin.key_name(), &self.log_seed);
        match self.beside() {
            Some(seed) => key.with_beside(seed),
            None => key,
        }
    }

    /// The keys that sign for the log.
    pub(crate) fn own_keys(&self, origin: &Origin) -> impl Iterator<Item = VerifierKey> {
        let seeds = std::iter::once(&self.log_seed).chain(self.beside());
        seeds.map(|seed| SigningKey::from_seed(origin.key_name(), seed).verifier_key())
    }

    /// The keys whose signatures are, or were, the log's.
    pub(crate) fn verifier_keys(&self, origin: &Origin) -> Vec<VerifierKey> {
        let retired = |key| VerifierKey::new(origin.key_name(), SignatureType::Ed25519, key).ok();
        self.own_keys(origin).chain(self.retired.iter().filter_map(retired)).collect()
    }

    /// Sees to it that these are the newest keys of a log, as far as its newest signed checkpoint tells: whoever has those of
    /// before a change would go on to sign with a key that nobody believes any more.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn check_newest(&self, note: &[u8], origin: &Origin) -> std::result::Result<(), &'static str> {
        let Ok(note) = Note::parse(note) else { return Ok(()) };
        let known: Vec<KeyId> = self.verifier_keys(origin).iter().map(VerifierKey::id).collect();
        let is_strange =
            |signature: &Signature| signature.name().as_str() == origin.as_str() && !known.contains(&signature.id());
        match note.signatures().iter().any(is_strange) {
            true => {
                Err("is not the newest: the log's key was changed, and the key that signs now is not in this folder")
            }
            false => Ok(()),
        }
    }

    /// Reads a checkpoint that one of these keys has signed.
    pub(crate) fn open(&self, note: &[u8], origin: &Origin) -> std::result::Result<Checkpoint, CheckpointError> {
        let own = Checkpoint::open(note, origin, &self.signing_key(origin).verifier_key());
        let mut others = self.verifier_keys(origin).into_iter().skip(1);
        own.or_else(|error| others.find_map(|key| Checkpoint::open(note, origin, &key).ok()).ok_or(error))
    }
}

/// A seed of fresh randomness.
pub(crate) fn fresh(fill: &mut dyn FnMut(&mut [u8])) -> Seed {
    let mut seed = Zeroizing::new([0; 32]);
    fill(seed.as_mut_slice());
    seed
}

/// Writes the file of a key that is not there yet. The folder is still to be synced.
fn write_key(folder: &Path, name: &str, bytes: &[u8; 32]) -> Result<()> {
    files::write_private(&path_of(folder, name), text(name, bytes).as_bytes())
}

/// Puts another key into the file of one, which holds the one or the other at any time.
pub(crate) fn replace_key(folder: &Path, name: &str, bytes: &[u8; 32]) -> Result<()> {
    files::replace_private(&path_of(folder, name), text(name, bytes).as_bytes())
}

/// Removes the file of a key, if it is there.
pub(crate) fn remove_key(folder: &Path, name: &str) -> Result<()> {
    files::remove_if_there(&path_of(folder, name))?;
    files::sync_folder(folder)
}

/// Removes what runs that were cut off have left beside the keys of the log.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    [LOG, NEXT, FORMER].iter().try_for_each(|name| files::remove_if_there(&files::unfinished(&path_of(folder, name))))
}

/// Writes which keys sign no more.
pub(crate) fn write_retired(folder: &Path, keys: &[[u8; 32]]) -> Result<()> {
    let text: String = keys.iter().map(|key| BASE64_STANDARD.encode(key) + "\n").collect();
    files::replace(&folder.join(RETIRED), text.as_bytes())
}

fn read_retired(folder: &Path) -> Result<Vec<[u8; 32]>> {
    let path = folder.join(RETIRED);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LedgerError::file(&path, error)),
    };
    let damaged = || LedgerError::Key { path: path.clone(), problem: "is damaged".to_owned() };
    let key = |line: &str| BASE64_STANDARD.decode(line).ok()?.try_into().ok();
    text.lines().map(|line| key(line).ok_or_else(damaged)).collect()
}

fn text(name: &str, bytes: &[u8; 32]) -> Zeroizing<String> {
    let (encoded, checksum) = (Zeroizing::new(BASE64_STANDARD.encode(bytes)), checksum(name, bytes));
    Zeroizing::new(format!("counterfoil-key v1 {name} {} {checksum}\n", *encoded))
}

fn read_if_there(folder: &Path, name: &str) -> Result<Option<Seed>> {
    match path_of(folder, name).exists() {
        true => read_key(folder, name).map(Some),
        false => Ok(None),
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
