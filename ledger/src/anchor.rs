//! The anchor: the newest signed checkpoint, in a small file outside the data folder.
//!
//! Owns the compare-and-swap of that file. What the anchor holds was acknowledged; what it does not hold was not. It may
//! be lost by nobody: without it a restored old copy of the ledger looks as good as the newest. It never decides whether
//! a ledger fits its anchor (that is `recover`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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
        let _lock = lock_to_write(path)?;
        replace(path, note)
    }

    /// Reads the anchor, not while somebody replaces it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let _lock = lock_to_read(path)?;
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
        let _lock = lock_to_write(&self.path)?;
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

/// Who replaces the anchor is alone with it: an anchor that is written over in its place is for a moment neither the old
/// one nor the new one.
fn lock_to_write(anchor: &Path) -> Result<File> {
    let path = sibling(anchor, "lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    opened.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| LedgerError::file(&path, error))
}

/// Nobody replaces the anchor as long as the file is held. There is none beside a copy of an anchor, which nobody replaces.
fn lock_to_read(anchor: &Path) -> Result<Option<File>> {
    let path = sibling(anchor, "lock");
    match File::open(&path).and_then(|lock| lock.lock_shared().map(|()| lock)) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::file(&path, error)),
    }
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
