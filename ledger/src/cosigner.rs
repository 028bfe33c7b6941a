//! A cosigner: its key, and of each log the newest checkpoint that it has cosigned. A witness is one, and so is a replayer.
//!
//! Owns that it never signs two histories: what a checkpoint has to go on from is what was cosigned last, and that is
//! durable before anybody gets the next cosignature. It never decides what a cosignature means, or which logs it is for.
//!
//! ```text
//! DIR/lock                                    which process cosigns
//! DIR/cosigner.key                            if lost: make a new one, which policies have to name
//! DIR/logs/<SHA-256 of the origin in hex>     the newest checkpoint, cosigned. If lost, or brought back in an older state,
//!                                             another history may be cosigned: then the key has to go too
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use counterfoil_verify::checkpoint::{Checkpoint, CheckpointError, Origin};
use counterfoil_verify::note::{CosignedAt, CosigningKey, KeyName, Note, NoteError, Signature, VerifierKey};
use counterfoil_verify::witness::{AddCheckpoint, Refusal, Seen, log_id};
use zeroize::Zeroizing;

use crate::error::LedgerError;
use crate::files;
use crate::lock::Lock;

/// A cosigner. One process has it.
pub struct Cosigner {
    key: CosigningKey,
    logs: PathBuf,
    /// Of each log, what was cosigned last. Whoever has this lock signs.
    newest: Mutex<HashMap<Origin, Cosigned>>,
    _lock: Lock,
}

/// A checkpoint that was cosigned.
#[derive(Clone, Debug)]
struct Cosigned {
    seen: Seen,
    note: Arc<[u8]>,
}

/// Why there is no cosigner, or no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum CosignerError {
    /// The folder has no key yet, and nobody said what the cosigner is called.
    #[error("{path} holds no cosigner: give it a name, which is its key's for ever")]
    NoKey {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is another cosigner's.
    #[error("{path} holds the cosigner {found}, and {given} was asked for: leave the name out, or name another folder")]
    OtherName {
        /// The folder.
        path: PathBuf,
        /// Its name.
        found: KeyName,
        /// The name that was given.
        given: KeyName,
    },
    /// The key cannot be read.
    #[error("read the cosigner's key {path}: bring back the file that was made, with nothing else in it")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// What was cosigned last cannot be told, and nothing may be cosigned then.
    #[error(
        "{path} is not a checkpoint that this cosigner has signed ({problem}): bring back the newest copy; without it, only \
         another key may cosign that log"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The checkpoint is not one to be cosigned.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The checkpoint cannot be cosigned, or not be kept with one more signature.
    #[error("cosign the checkpoint")]
    Note(#[source] NoteError),
    /// A file cannot be read or written, or another process has the folder.
    #[error(transparent)]
    Folder(#[from] LedgerError),
}

impl Cosigner {
    /// Opens a cosigner's folder; makes it, with a key of that name, where there is none. `holder` is how the process
    /// describes itself to another that finds the folder in use, `entropy` is randomness that was never used before.
    ///
    /// # Errors
    /// [`CosignerError`], if it cannot be told what was cosigned.
    pub fn open(
        folder: &Path,
        name: Option<KeyName>,
        holder: &str,
        entropy: &dyn Fn() -> [u8; 32],
    ) -> Result<Self, CosignerError> {
        files::create_folder(folder)?;
        let lock = Lock::take(folder, holder)?;
        let key = read_or_make_key(folder, name, entropy)?;
        let logs = folder.join("logs");
        files::create_folder(&logs)?;
        let mut newest = HashMap::new();
        for entry in std::fs::read_dir(&logs).map_err(|error| LedgerError::file(&logs, error))? {
            let path = entry.map_err(|error| LedgerError::file(&logs, error))?.path();
            // What was being written when a process ended: nobody has its cosignature.
            if path.extension().is_none() {
                let (origin, cosigned) = read_newest(&path, &key.verifier_key())?;
                newest.insert(origin, cosigned);
            }
        }
        Ok(Self { key, logs, newest: Mutex::new(newest), _lock: lock })
    }

    /// The key that its cosignatures verify with.
    pub fn verifier_key(&self) -> VerifierKey {
        self.key.verifier_key()
    }

    /// What was cosigned last of a log.
    pub fn seen(&self, origin: &Origin) -> Option<Seen> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(origin).map(|cosigned| cosigned.seen)
    }

    /// The newest checkpoint that was cosigned of the log that has this id ([`log_id`]).
    pub fn newest(&self, id: &str) -> Option<Arc<[u8]>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let found = newest.iter().find(|(origin, _)| log_id(origin) == id);
        found.map(|(_, cosigned)| cosigned.note.clone())
    }

    /// Cosigns a checkpoint, if the request shows that it goes on from what was cosigned last. The caller has opened it
    /// ([`AddCheckpoint::open`]): it is signed by its log. Returns once it is durable that this is the newest one.
    ///
    /// # Errors
    /// [`CosignerError::Refused`], and nothing is cosigned; [`CosignerError::Folder`] if it cannot be kept.
    pub fn cosign(
        &self,
        request: &AddCheckpoint,
        checkpoint: &Checkpoint,
        note: &Note,
        at: CosignedAt,
    ) -> Result<Signature, CosignerError> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = &checkpoint.origin;
        request.check(checkpoint, newest.get(origin).map(|cosigned| cosigned.seen))?;
        let signature = self.key.cosign(&checkpoint.format(), at).map_err(CosignerError::Note)?;
        let cosigned = note.with_signature(signature.clone()).map_err(CosignerError::Note)?.format();
        files::replace(&self.logs.join(log_id(origin)), &cosigned)?;
        // Kept: from here on it may be told.
        let seen = Seen { size: checkpoint.size, root: checkpoint.root };
        newest.insert(origin.clone(), Cosigned { seen, note: Arc::from(cosigned) });
        Ok(signature)
    }
}

fn read_or_make_key(
    folder: &Path,
    name: Option<KeyName>,
    entropy: &dyn Fn() -> [u8; 32],
) -> Result<CosigningKey, CosignerError> {
    let path = folder.join("cosigner.key");
    match std::fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => {
            let key = CosigningKey::parse(text.trim_end_matches('\n'));
            let key = key.map_err(|source| CosignerError::Key { path, source })?;
            let found = key.verifier_key().name().clone();
            match name.filter(|given| *given != found) {
                Some(given) => Err(CosignerError::OtherName { path: folder.to_owned(), found, given }),
                None => Ok(key),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if folder.join("logs").exists() {
                return Err(LedgerError::file(&path, error).into());
            }
            let name = name.ok_or_else(|| CosignerError::NoKey { path: folder.to_owned() })?;
            let key = CosigningKey::from_seed(name, &Zeroizing::new(entropy()));
            let text = Zeroizing::new(format!("{}\n", *key.to_text()));
            files::write_private(&path, text.as_bytes())?;
            files::sync_folder(folder)?;
            Ok(key)
        }
        Err(error) => Err(LedgerError::file(&path, error).into()),
    }
}

/// Reads what was cosigned last. Nobody else's word counts for that.
fn read_newest(path: &Path, key: &VerifierKey) -> Result<(Origin, Cosigned), CosignerError> {
    let damaged =
        |problem: &dyn ToString| CosignerError::Damaged { path: path.to_owned(), problem: problem.to_string() };
    let bytes = std::fs::read(path).map_err(|error| LedgerError::file(path, error))?;
    let note = Note::parse(&bytes).map_err(|error| damaged(&error))?;
    note.verify(std::slice::from_ref(key)).map_err(|error| damaged(&error))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error: CheckpointError| damaged(&error))?;
    let Checkpoint { origin, size, root } = checkpoint;
    if path.file_name().is_none_or(|name| name != log_id(&origin).as_str()) {
        return Err(damaged(&"it is another log's"));
    }
    Ok((origin, Cosigned { seen: Seen { size, root }, note: Arc::from(bytes) }))
}
