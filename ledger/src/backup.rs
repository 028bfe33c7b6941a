//! Backups: copies of the log, each of exactly one signed checkpoint, made while the owner goes on appending.
//!
//! Owns how one is made, and which are removed. The log is frozen between two commits, as RocksDB's checkpoint: hard links,
//! so that nobody waits for the copying. A backup has what cannot be made again but the keys, which are kept
//! apart: whoever finds a backup cannot go on with the log. What is in the folder is `folder`'s business, what a backup
//! says of itself `description`'s.
//!
//! ```text
//! flush → freeze: no commit is on its way, hard links, signed head → copy what is not there → read it back → describe, sign
//! ```
//! If the process dies on the way, the earlier backups are as they were, and the next one uses what was copied.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::tree::TreeSize;

use crate::error::{LedgerError, Result};
use crate::ledger::Ledger;
use crate::read::Head;
use crate::redaction;
use crate::store::{Access, LogDb};

pub(crate) mod description;
pub(crate) mod folder;

pub use description::Backup;
use folder::Folder;

/// What is to be made, and what of earlier ones is to go.
#[derive(Clone, Debug)]
pub struct BackupOrder {
    /// The folder of backups; it is made where there is none.
    pub to: PathBuf,
    /// When, in seconds since 1970.
    pub at: i64,
    /// How many are kept, the new one among them: the newest. All, if it is left out.
    pub keep: Option<NonZeroU32>,
    /// Earlier ones that hold what was redacted since are removed.
    pub forget_redacted: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct BackupMade {
    /// The new one.
    pub backup: Backup,
    /// How many files were copied, and how many bytes of them: the others were there.
    pub copied_files: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Files that were there and damaged, and were written anew.
    pub mended_files: u64,
    /// The earlier ones that were removed.
    pub removed: Vec<u64>,
    /// What is wrong with others. No file is removed as long as anything is: it may be theirs.
    pub problems: Vec<String>,
}

/// The backups in a folder.
#[derive(Clone, Debug)]
pub struct BackupList {
    /// Those that can be read, the oldest first, and whether each may hold what was redacted since.
    pub backups: Vec<(Backup, bool)>,
    /// What is wrong with the others.
    pub problems: Vec<String>,
}

impl Ledger {
    /// Makes a backup of all that is acknowledged. For threads that may block: every file of the log is read, and every file of
    /// the backup is read back. One at a time; redactions wait for it.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] if the folder is in use or another log's, or what was written cannot be read back; otherwise as
    /// of files and storage. The earlier backups are as they were then.
    pub fn backup(&self, order: &BackupOrder) -> Result<BackupMade> {
        let folder = Folder::to_write(&order.to)?;
        let (mut kept, mut problems) = self.read_all(&folder)?;
        let _alone = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        // Before: what was redacted is in no new backup.
        redaction::purge(self.reader().log())?;
        let frozen = self.freeze()?;
        let copied = folder.copy(&frozen.files)?;
        let note = frozen.note(self);
        drop(frozen.removed);
        let key = self.keys().signing_key(&frozen.head.origin);
        let backup = folder.add(&copied, (order.at, &note), (&frozen.head.origin, &key))?;
        kept.push(backup.clone());

        let redacted = self.redacted_up_to(frozen.head.size)?;
        let is_to_go = |old: &Backup| order.forget_redacted && old.checkpoint.size < redacted;
        let surplus = kept.len().saturating_sub(order.keep.map_or(usize::MAX, |keep| keep.get() as usize));
        let goes = |(place, old): (usize, &Backup)| (place < surplus || is_to_go(old)).then_some(old.id);
        let removed: Vec<u64> = kept.iter().enumerate().filter_map(goes).filter(|id| *id != backup.id).collect();
        folder.remove(&removed)?;
        match problems.is_empty() {
            true => folder.collect(&self.read_all(&folder)?.0)?,
            false => problems.push(format!("{}: no file was removed: it may be theirs", order.to.display())),
        }
        Ok(BackupMade {
            backup,
            copied_files: copied.files,
            copied_bytes: copied.bytes,
            mended_files: copied.mended,
            removed,
            problems,
        })
    }

    /// The backups in a folder; with `check` every file of them is read.
    ///
    /// # Errors
    /// [`LedgerError::Backup`] if it is another log's.
    pub fn backups(&self, from: &Path, check: bool) -> Result<BackupList> {
        let folder = Folder::to_read(from)?;
        let (backups, mut problems) = self.read_all(&folder)?;
        if check {
            problems.extend(folder.check(&backups)?);
        }
        let redacted = self.redacted_up_to(self.reader().head().size)?;
        let backups = backups.into_iter().map(|backup| {
            let holds_redacted = backup.checkpoint.size < redacted;
            (backup, holds_redacted)
        });
        Ok(BackupList { backups: backups.collect(), problems })
    }

    /// Every backup of this log, and what is wrong with others.
    fn read_all(&self, folder: &Folder) -> Result<(Vec<Backup>, Vec<String>)> {
        let origin = self.reader().head().origin;
        let (mut backups, mut problems) = (Vec::new(), Vec::new());
        for id in folder.ids()? {
            if let Some(other) = folder.origin(id)?.filter(|other| *other != origin) {
                let problem = format!("is of the log {other}: give each log a folder of its own");
                return Err(LedgerError::Backup { path: folder.path_of(id), problem });
            }
            match folder.read(id, self.keys()) {
                Ok(backup) => backups.push(backup),
                Err(error @ LedgerError::Backup { .. }) => problems.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok((backups, problems))
    }

    /// How many records a backup has to have, so that it holds nothing that was redacted since.
    fn redacted_up_to(&self, size: TreeSize) -> Result<TreeSize> {
        let redactions = redaction::list(self.reader().derived(), 0..size.0)?;
        Ok(redactions.last().map_or(TreeSize(0), |last| TreeSize(last.0 + 1)))
    }

    /// The log as it is between two commits: all that is signed, and nothing else.
    fn freeze(&self) -> Result<Frozen> {
        let reader = self.reader();
        let removed = Removed::at(&self.frozen)?;
        // Beforehand, so that the owner waits for little.
        reader.log().flush()?;
        let head = {
            let _still = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(refusal) = self.condition().borrow().refusal() {
                return Err(refusal);
            }
            rocksdb::checkpoint::Checkpoint::new(&reader.log().0)?.create_checkpoint(&self.frozen)?;
            reader.head()
        };
        let files = folder::files_of(&self.frozen)?;
        let copy = LogDb::open(&self.frozen, false, Access::ReadOnly, reader.memory())?;
        let edge = copy.edge()?;
        if (copy.size()?, edge.size(), edge.root()) != (head.size, head.size, head.root) {
            return Err(LedgerError::falsified(self.frozen.display(), "the frozen log is not the one that was signed"));
        }
        Ok(Frozen { head, files, removed })
    }
}

/// A frozen log, until it was copied.
struct Frozen {
    head: Head,
    files: Vec<PathBuf>,
    removed: Removed,
}

impl Frozen {
    /// The signed checkpoint of it, with the cosignatures that it has by now.
    fn note(&self, ledger: &Ledger) -> (Checkpoint, Vec<u8>) {
        let served = ledger.reader().served();
        let of = if served.size == self.head.size { served } else { self.head.clone() };
        let Head { origin, size, root, checkpoint } = of;
        (Checkpoint { origin, size, root }, checkpoint.to_vec())
    }
}

/// A folder that is removed: its hard links would keep alive what is redacted.
pub(crate) struct Removed(PathBuf);

impl Removed {
    /// Removes what a process left that died while it made a backup.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        for left in [path, &path.with_added_extension("tmp")] {
            match std::fs::remove_dir_all(left) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LedgerError::file(left, error));
                }
                _ => {}
            }
        }
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        // What stays is removed at the next start, or by the next backup.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
