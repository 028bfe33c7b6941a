//! The lock of a data folder: one process has a ledger at a time, and says so to whoever finds it taken.
//!
//! Owns `DIR/lock`: a lock of the operating system, which no crash leaves behind, and in the file the words of the
//! process that holds it. It never guesses whether a holder is still alive: the operating system knows.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::{LedgerError, Result};

/// The data folder, taken for this process until this is dropped.
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the folder. `holder` is how the process describes itself to others.
    ///
    /// # Errors
    /// [`LedgerError::InUse`] with the words of the process that has it.
    pub(crate) fn take(data: &Path, holder: &str) -> Result<Self> {
        let mut file = open(data)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            let holder = if known { holder.trim().to_owned() } else { "another process".to_owned() };
            return Err(LedgerError::InUse { holder });
        }
        file.set_len(0)
            .and_then(|()| file.write_all(format!("process {} ({holder})\n", std::process::id()).as_bytes()))
            .map_err(|error| LedgerError::file(data, error))?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Words that stay behind are overwritten by the next holder, and read by nobody before.
        let _ = self.0.set_len(0);
    }
}

/// Waits until nobody has the folder, at most so long; says whether it is free. Somebody else may take it at once.
pub(crate) fn wait(data: &Path, patience: Duration) -> Result<bool> {
    let file = open(data)?;
    let (free, is_free) = crossbeam_channel::bounded(1);
    // Where the wait was in vain, the thread goes on waiting, and ends with the process or with the holder.
    std::thread::spawn(move || {
        let taken = flock(&file, FlockOperation::LockExclusive);
        drop(file);
        let _ = free.send(taken.is_ok());
    });
    Ok(is_free.recv_timeout(patience).unwrap_or(false))
}

fn open(data: &Path) -> Result<File> {
    let path = data.join("lock");
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| LedgerError::file(&path, error))
}
