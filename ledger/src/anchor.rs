//! The anchor: the newest signed checkpoint, in a small file outside the data folder.
//!
//! Owns the compare-and-swap of that file, and that only the holder of its lease moves it. What the anchor holds was acknowledged; what it does not hold was not. It may
//! be lost by nobody: without it a restored old copy of the ledger looks as good as the newest. It never decides whether
//! a ledger fits its anchor (that is `recover`).

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{LedgerError, Result};
use crate::files;
use crate::lease::{Holder, Lease};

/// What a disk writes whole or not at all, even when the power fails: what is no longer is written over in its place, with
/// one sync. PostgreSQL's `pg_control` rests on the same.
const SECTOR_BYTES: usize = 512;

/// The anchor as this owner last read or wrote it.
pub(crate) struct Anchor {
    path: PathBuf,
    note: Vec<u8>,
    /// Who moves it; nobody where it is only read.
    holder: Option<Holder>,
}

impl Anchor {
    /// Makes the anchor of a new ledger.
    pub(crate) fn create(path: &Path, note: &[u8]) -> Result<()> {
        if path.exists() {
            return Err(LedgerError::Exists { path: path.to_owned() });
        }
        let _lock = lock_to_write(path)?;
        Lease::forget(path)?;
        files::replace(path, note)
    }

    /// Reads the anchor, not while somebody replaces it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let _lock = lock_to_read(path)?;
        let note = std::fs::read(path).map_err(|error| LedgerError::Anchor {
            path: path.to_owned(),
            problem: format!("cannot be read ({error})"),
        })?;
        Ok(Self { path: path.to_owned(), note, holder: None })
    }

    /// A signed checkpoint in the place of an anchor, for whoever checks a log against it.
    pub(crate) fn of_note(path: &Path, note: &[u8]) -> Self {
        Self { path: path.to_owned(), note: note.to_vec(), holder: None }
    }

    /// Reads the anchor to move it, which is for one copy of a ledger at a time: whoever has its lease, or the first who
    /// asks.
    ///
    /// # Errors
    /// [`LedgerError::Held`] if another copy has the lease.
    pub(crate) fn hold(path: &Path, holder: Holder) -> Result<Self> {
        let anchor = Self::read(path)?;
        let _lock = lock_to_write(path)?;
        match Lease::read(path)? {
            Some(lease) if lease.holder == holder => {}
            Some(_) => return Err(LedgerError::Held { path: path.to_owned() }),
            None => Lease::take(path, &holder)?,
        }
        Ok(Self { holder: Some(holder), ..anchor })
    }

    /// The lease of an anchor, for whoever waits for it.
    pub(crate) fn lease(path: &Path) -> Result<Option<Lease>> {
        let _lock = lock_to_read(path)?;
        Lease::read(path)
    }

    /// Takes the lease from its holder, if it has not been renewed since it was `seen`, and if `covers` says of the note
    /// that nothing of it is missing. From then on the former holder cannot move the anchor.
    ///
    /// # Errors
    /// [`LedgerError::Renewed`], and whatever `covers` says.
    pub(crate) fn take_over(
        path: &Path,
        holder: &Holder,
        seen: Option<&Lease>,
        covers: impl FnOnce(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let _lock = lock_to_write(path)?;
        let lease = Lease::read(path)?;
        let is_own = lease.as_ref().is_some_and(|lease| lease.holder == *holder);
        if !is_own && lease.as_ref() != seen {
            return Err(LedgerError::Renewed);
        }
        covers(&std::fs::read(path).map_err(|error| LedgerError::file(path, error))?)?;
        if is_own { Ok(()) } else { Lease::take(path, holder) }
    }

    /// Shows whoever waits for the lease that its holder is alive.
    ///
    /// # Errors
    /// [`LedgerError::Held`] if another copy has it now.
    pub(crate) fn renew(path: &Path, holder: &Holder) -> Result<()> {
        let _lock = lock_to_write(path)?;
        held(path, holder)?.renew(path)
    }

    /// Does something beside the anchor that is only for whoever holds its lease. Nobody waits for the disk meanwhile.
    ///
    /// # Errors
    /// [`LedgerError::Held`] if another copy has it, and whatever `act` says.
    pub(crate) fn as_holder<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let _lock = lock_to_write(&self.path)?;
        if let Some(holder) = &self.holder {
            held(&self.path, holder)?;
        }
        act()
    }

    /// The signed note that it holds.
    pub(crate) fn note(&self) -> &[u8] {
        &self.note
    }

    /// Replaces the note by a newer one, if the lease is still held, and nobody else has replaced it since. Returns once
    /// the new one is durable.
    pub(crate) fn swap(&mut self, note: Vec<u8>) -> Result<()> {
        let lock = lock_to_write(&self.path)?;
        if let Some(holder) = &self.holder {
            held(&self.path, holder)?;
        }
        let before = std::fs::read(&self.path).map_err(|error| LedgerError::file(&self.path, error))?;
        if before != self.note {
            return Err(LedgerError::AnchorMoved { path: self.path.clone() });
        }
        if note.len() == before.len() && note.len() <= SECTOR_BYTES {
            let file = overwrite(&self.path, &note)?;
            // Nobody waits for the disk: whoever is stopped right now may hold up a standby for as long as this is locked.
            drop(lock);
            file.sync_data().map_err(|error| LedgerError::file(&self.path, error))?;
        } else {
            files::replace(&self.path, &note)?;
        }
        self.note = note;
        Ok(())
    }
}

/// A lease that is watched, for whoever would take it once its holder is gone.
pub(crate) struct Stillness {
    path: PathBuf,
    since: Instant,
    seen: Option<Lease>,
}

impl Stillness {
    /// Watches the lease of an anchor from now on.
    pub(crate) fn watch(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), since: Instant::now(), seen: Anchor::lease(path)? })
    }

    /// Takes the lease for good, if nobody has renewed it for so long; waits for what is left of that.
    ///
    /// # Errors
    /// [`LedgerError::InUse`] if its holder is alive.
    pub(crate) fn take(&self, holder: &Holder, patience: Duration) -> Result<()> {
        if self.seen.is_some() {
            let (_open, nothing) = mpsc::channel::<()>();
            let _ = nothing.recv_timeout(patience.saturating_sub(self.since.elapsed()));
        }
        Anchor::take_over(&self.path, holder, self.seen.as_ref(), |_| Ok(())).map_err(|error| match error {
            LedgerError::Renewed => {
                LedgerError::InUse { holder: "another copy, which renews the anchor's lease".to_owned() }
            }
            error => error,
        })
    }
}

/// Writes the bytes over as many old ones. They are still to be synced.
fn overwrite(path: &Path, bytes: &[u8]) -> Result<File> {
    let file = OpenOptions::new().write(true).open(path).map_err(|error| LedgerError::file(path, error))?;
    file.write_all_at(bytes, 0).map_err(|error| LedgerError::file(path, error))?;
    Ok(file)
}

/// The lease, if that copy has it.
fn held(anchor: &Path, holder: &Holder) -> Result<Lease> {
    let lease = Lease::read(anchor)?.filter(|lease| lease.holder == *holder);
    lease.ok_or_else(|| LedgerError::Held { path: anchor.to_owned() })
}

/// Who replaces the anchor is alone with it: an anchor that is written over in its place is for a moment neither the old
/// one nor the new one.
fn lock_to_write(anchor: &Path) -> Result<File> {
    let path = anchor.with_added_extension("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    opened.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| LedgerError::file(&path, error))
}

/// Nobody replaces the anchor as long as the file is held. There is none beside a copy of an anchor, which nobody replaces.
fn lock_to_read(anchor: &Path) -> Result<Option<File>> {
    let path = anchor.with_added_extension("lock");
    match File::open(&path).and_then(|lock| lock.lock_shared().map(|()| lock)) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::file(&path, error)),
    }
}
