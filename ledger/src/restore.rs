//! Restoring a backup: a data folder that is as the log was at the backup's checkpoint, and redacted again.
//!
//! Owns the order of it. Nothing is a ledger before all of it was checked, chain, tree, seals and what lies beside, against
//! the signed checkpoint; and before what was redacted since the backup was removed again. Whether the log may go on from
//! there is for the anchor to say, at every start: what it covers and the backup does not is lost, and to go on without it
//! takes a new incarnation. It never moves an anchor back, and never writes one.
//!
//! ```text
//! DIR/restoring/log   copy, by hash → check → redact again → write files anew → take the lease → DIR/log
//! ```
//! A folder without `DIR/log` is no ledger: a process that dies on the way leaves none, and the next one begins again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::TreeSize;

use crate::anchor::{Anchor, Stillness};
use crate::backup::folder::Folder;
use crate::backup::{Backup, Removed};
use crate::error::{LedgerError, Result};
use crate::files;
use crate::fsck;
use crate::keys::Keys;
use crate::lease::Holder;
use crate::ledger::Location;
use crate::lock::Lock;
use crate::memory::Memory;
use crate::redaction;
use crate::removals::{self, KnownRedactions, Removal};
use crate::store::{Access, LogDb};

/// What is restored, and what is known besides.
#[derive(Clone, Debug)]
pub struct RestoreOrder {
    /// The folder of backups.
    pub from: PathBuf,
    /// Which of them; the newest, if it is left out.
    pub backup: Option<u64>,
    /// The folder with the ledger's keys.
    pub keys: PathBuf,
    /// Where it is told what was redacted.
    pub redactions: KnownRedactions,
    /// How long the lease must not have been renewed before it is taken.
    pub patience: Duration,
    /// How the process describes itself to another that finds the folder in use.
    pub holder: String,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What was restored.
    pub backup: Backup,
    /// What the anchor says to it.
    pub anchored: Anchored,
    /// How many redactions were made since the backup, and carried out again.
    pub redactions: u64,
    /// How many parts beside records they removed.
    pub removed_parts: u64,
}

/// What the anchor says to what was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchored {
    /// It covers so many, and nothing that is not there: the ledger opens.
    Fits(TreeSize),
    /// It covers so many, and more than there are: the rest is lost, and the ledger does not open.
    Ahead(TreeSize),
    /// There is none: nobody can tell whether anything is lost, and the ledger does not open.
    Missing,
}

/// A folder in which something is restored.
struct Staging {
    location: Location,
    removed: Removed,
}

/// Restores a backup into a folder that is empty, or not there. `entropy` fills bytes with randomness, `progress` is told
/// records checked and in all.
///
/// # Errors
/// [`LedgerError::Backup`] if the backup is damaged; [`LedgerError::Exists`] if there is something in the folder;
/// [`LedgerError::Redactions`] if it cannot be told what was redacted; [`LedgerError::Beside`] if the anchor is of another
/// history; [`LedgerError::Falsified`] if the backup is not what its checkpoint says. No ledger is left then.
pub fn restore(
    order: &RestoreOrder,
    location: &Location,
    entropy: &mut dyn FnMut(&mut [u8]),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored> {
    let keys = Keys::read(&order.keys)?;
    let folder = Folder::to_read(&order.from)?;
    let backup = chosen(order, &folder, &keys)?;
    let still = Stillness::watch(&location.anchor)?;
    let origin = backup.checkpoint.origin.clone();
    let known = removals::known(&order.redactions, &location.anchor, &origin)?;
    let anchor = anchored(location, &backup, &keys)?;

    let (_lock, staging) = Staging::begin(location, &order.holder)?;
    fetch(&folder, &backup, &staging.location.log())?;
    keys.write(&staging.location.keys())?;
    let mut signed = vec![backup.checkpoint.clone()];
    signed.extend(anchor.clone().filter(|anchor| anchor.size <= backup.checkpoint.size));
    let report = fsck::check_copy(&staging.location, (&keys, &backup.note), &signed, &[], progress)?;
    report.sound()?;
    if report.records != backup.checkpoint.size.0 {
        let problem = format!("it has {} records, and {} were signed", report.records, backup.checkpoint.size);
        return Err(LedgerError::Falsified { place: "the backup".to_owned(), problem });
    }
    let (redactions, removed_parts) = redact(&staging.location.log(), &known, backup.checkpoint.size)?;

    Holder::create(&staging.location.data, entropy)?;
    let anchored = match anchor {
        None => Anchored::Missing,
        Some(anchor) if anchor.size > backup.checkpoint.size => Anchored::Ahead(anchor.size),
        Some(anchor) => {
            still.take(&Holder::of(&staging.location.data)?, order.patience)?;
            Anchored::Fits(anchor.size)
        }
    };
    if !location.policy().exists() {
        let policy = Policy::of_log(keys.signing_key(&origin).verifier_key(), keys.index.clone()).format();
        files::write_private(&location.policy(), policy.as_bytes())?;
        files::sync_folder(files::folder_of(&location.policy()))?;
    }
    staging.end(location)?;
    Ok(Restored { backup, anchored, redactions, removed_parts })
}

fn chosen(order: &RestoreOrder, folder: &Folder, keys: &Keys) -> Result<Backup> {
    let newest = || folder.ids().map(|ids| ids.last().copied());
    let none = || LedgerError::Backup { path: order.from.clone(), problem: "has no backups".to_owned() };
    let id = order.backup.map_or_else(newest, |id| Ok(Some(id)))?.ok_or_else(none)?;
    folder.read(id, keys)
}

/// The anchor's checkpoint, where there is an anchor.
fn anchored(location: &Location, backup: &Backup, keys: &Keys) -> Result<Option<Checkpoint>> {
    if !location.anchor.exists() {
        return Ok(None);
    }
    let anchor = Anchor::read(&location.anchor)?;
    let checkpoint = keys.open(anchor.note(), &backup.checkpoint.origin);
    checkpoint.map(Some).map_err(|error| LedgerError::Anchor {
        path: location.anchor.clone(),
        problem: format!("is not that of the log {} ({error})", backup.checkpoint.origin),
    })
}

fn fetch(folder: &Folder, backup: &Backup, log: &Path) -> Result<()> {
    files::create_folder(log)?;
    for listed in folder.list(backup)? {
        folder.fetch(&listed, &log.join(&listed.name))?;
    }
    files::sync_folder(log)
}

/// Carries out again what was redacted since: how many redactions, and how many parts. Nothing of it stays in a file.
fn redact(log: &Path, known: &[Removal], size: TreeSize) -> Result<(u64, u64)> {
    let log = LogDb::open(log, false, Access::Owner, &Memory::new())?;
    for removal in known.iter().filter(|removal| removal.by.0 < size.0) {
        if log.record(removal.by.0)?.is_none_or(|record| record::hash(&record) != removal.leaf) {
            let problem = format!("record {} is another one: the list is of another history", removal.by);
            return Err(LedgerError::falsified("the list of redactions", problem));
        }
    }
    let since: Vec<&Removal> = known.iter().filter(|removal| removal.by.0 >= size.0).collect();
    let mut parts = 0;
    for removal in &since {
        parts += redaction::remove_again(&log, removal, size)?;
    }
    redaction::purge(&log)?;
    Ok((since.len() as u64, parts))
}

impl Staging {
    /// Begins in a folder without anything, or with what an earlier restoration left.
    fn begin(location: &Location, holder: &str) -> Result<(Lock, Self)> {
        let staging = location.data.join("restoring");
        files::create_folder(&location.data)?;
        let entries = std::fs::read_dir(&location.data).map_err(|error| LedgerError::file(&location.data, error))?;
        for entry in entries {
            let name = entry.map_err(|error| LedgerError::file(&location.data, error))?.file_name();
            if name != "lock" && name != "restoring" {
                return Err(LedgerError::Exists { path: location.data.join(name) });
            }
        }
        let lock = Lock::take(&location.data, holder)?;
        let removed = Removed::at(&staging)?;
        files::create_folder(&staging)?;
        Ok((lock, Self { location: Location { data: staging, anchor: location.anchor.clone() }, removed }))
    }

    /// Makes a ledger of it: the log comes last.
    fn end(self, location: &Location) -> Result<()> {
        let own = &self.location;
        let holder = |location: &Location| location.data.join("holder");
        let moves = [(own.keys(), location.keys()), (holder(own), holder(location)), (own.log(), location.log())];
        for (from, to) in moves {
            std::fs::rename(&from, &to).map_err(|error| LedgerError::file(&from, error))?;
            files::sync_folder(&location.data)?;
        }
        drop(self.removed);
        files::sync_folder(&location.data)
    }
}
