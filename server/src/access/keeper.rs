//! The file that says who may call, as the server follows it while it changes.
//!
//! Owns what counts at the moment: the entries as they were last read, or nobody where the file cannot be read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::register::Register;
use crate::tokens::{self, TokensError};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Follows the file.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Shared>);

struct Shared {
    path: PathBuf,
    origin: String,
    /// Nothing where the file cannot be read.
    register: watch::Sender<Option<Arc<Register>>>,
    /// The file as it was when the server was made.
    first: Option<Stamp>,
}

/// What changes when a file does: device, inode, size, and the times of content and inode.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

impl Keeper {
    /// Reads the file, for the ledger of an origin.
    ///
    /// # Errors
    /// [`TokensError`] if that is impossible.
    pub(crate) fn open(path: &Path, origin: &str) -> Result<Self, TokensError> {
        let first = stamp(path);
        let register = Arc::new(Register::new(tokens::read(path)?, origin));
        let register = watch::Sender::new(Some(register));
        Ok(Self(Arc::new(Shared { path: path.to_owned(), origin: origin.to_owned(), register, first })))
    }

    /// What counts now.
    pub(crate) fn register(&self) -> Option<Arc<Register>> {
        self.0.register.borrow().clone()
    }

    /// Tells whenever that changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Arc<Register>>> {
        self.0.register.subscribe()
    }

    /// Looks at the file again and again, until it is dropped.
    pub(crate) async fn follow(self) {
        let mut seen = self.0.first;
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let keeper = self.clone();
            // A file system may be slow.
            match tokio::task::spawn_blocking(move || keeper.look(seen)).await {
                Ok(now) => seen = now,
                Err(_) => return,
            }
        }
    }

    fn look(&self, seen: Option<Stamp>) -> Option<Stamp> {
        // Before it is read: what changes in between is seen the next time.
        let now = stamp(&self.0.path);
        if now == seen {
            return now;
        }
        let register = match tokens::read(&self.0.path) {
            Ok(file) => {
                tracing::info!(entries = file.entries.len(), "who may call was read again");
                Some(Arc::new(Register::new(file, &self.0.origin)))
            }
            Err(error) => {
                tracing::error!(%error, "nobody is let in until the file that says who may call can be read");
                None
            }
        };
        self.0.register.send_replace(register);
        now
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |file: std::fs::Metadata| {
        (file.dev(), file.ino(), file.size(), (file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()))
    };
    std::fs::metadata(path).ok().map(of)
}
