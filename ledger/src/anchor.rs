//! The anchor: the newest signed checkpoint, in a small file outside the data folder.
//!
//! Owns the compare-and-swap of that file. What the anchor holds was acknowledged; what it does not hold was not. It may
//! be lost by nobody: without it a restored old copy of the ledger looks as good as the newest. It never decides whether
//! a ledger fits its anchor (that is `recover`).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{LedgerError, Result};
use crate::files;

/// What a disk writes whole or not at all, even when the power fails: what is no longer is written over in its place, with
/// one sync. PostgreSQL's `pg_control` rests on the same.
const SECTOR_BYTES: usize = 512;

/// The anchor as this owner last read or wrote it.
pub(crate) struct Anchor {
    path: PathBuf,
    note: Vec<u8>,
}

impl Anchor {
    /// Makes the anchor of a new ledger.
    pub(crate) fn create(path: &Path, note: &[u8]) -> Result<()> {
        if path.exists() {
            return Err(LedgerError::Exists { path: path.to_owned() });
        }
        replace(path, note)
    }

    /// Reads the anchor.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let note = std::fs::read(path).map_err(|error| LedgerError::Anchor {
            path: path.to_owned(),
            problem: format!("cannot be read ({error})"),
        })?;
        Ok(Self { path: path.to_owned(), note })
    }

    /// The signed note that it holds.
    pub(crate) fn note(&self) -> &[u8] {
        &self.note
    }

    /// Replaces the note by a newer one, if nobody else has replaced it since. Returns once the new one is durable.
    pub(crate) fn swap(&mut self, note: Vec<u8>) -> Result<()> {
        let lock_path = sibling(&self.path, "lock");
        let lock = open(&lock_path)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| LedgerError::file(&lock_path, error.into()))?;
        let held = std::fs::read(&self.path).map_err(|error| LedgerError::file(&self.path, error))?;
        if held != self.note {
            return Err(LedgerError::AnchorMoved { path: self.path.clone() });
        }
        if note.len() == held.len() && note.len() <= SECTOR_BYTES {
            overwrite(&self.path, &note)?;
        } else {
            replace(&self.path, &note)?;
        }
        self.note = note;
        Ok(())
    }
}

/// Writes the bytes over as many old ones, and syncs them.
fn overwrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path).map_err(|error| LedgerError::file(path, error))?;
    file.write_all_at(bytes, 0).and_then(|()| file.sync_data()).map_err(|error| LedgerError::file(path, error))
}

/// Writes the whole file beside the old one, syncs it, and puts it in the old one's place: a reader sees one or the
/// other, also after a crash.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = sibling(path, "new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&new)
        .map_err(|error| LedgerError::file(&new, error))?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(|error| LedgerError::file(&new, error))?;
    std::fs::rename(&new, path).map_err(|error| LedgerError::file(path, error))?;
    files::sync_folder(files::folder_of(path))
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| LedgerError::file(path, error))
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
