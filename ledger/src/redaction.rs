//! That what redaction records removed is gone, and stays so.
//!
//! Owns the removal of parts beside records, and of what databases leave of them in their files. It runs once a redaction
//! record is durable and before anybody is shown it, and at every start, before anything is served: what somebody brought
//! back, or what a process that died had not got to, is removed then. It never changes a record.
//!
//! ```text
//! record durable → remove: parts rewritten, purge/ marked, synced → sign, anchor, publish → purge: files rewritten
//! ```

use std::collections::BTreeSet;
use std::ops::Range;

use counterfoil_proto::v1::{Beside, RedactedParts, Redaction};
use counterfoil_verify::beside;
use counterfoil_verify::hash::Hash;
use counterfoil_verify::redaction::{redaction_of, removed};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use rocksdb::{BottommostLevelCompaction, CompactOptions, Direction, IteratorMode, WriteBatch};

use crate::error::{LedgerError, Result};
use crate::recover::decode;
use crate::removals::Removal;
use crate::store::{BESIDE, DerivedDb, LogDb, PURGE, REDACTION, VALUE_FORMAT, cf, number};

/// What is rewritten in one go.
const BATCH_BYTES: usize = 16 << 20;

/// The redaction records of a range, ascending.
pub(crate) fn list(derived: &DerivedDb, range: Range<u64>) -> Result<Vec<RecordIndex>> {
    let from = key(REDACTION, range.start);
    let mut found = Vec::new();
    for row in derived.0.iterator(IteratorMode::From(&from, Direction::Forward)) {
        let (row_key, _) = row?;
        let Some(index) = row_key.strip_prefix(REDACTION) else { break };
        let index = number(index, "the key of a redaction")?;
        if index >= range.end {
            break;
        }
        found.push(RecordIndex(index));
    }
    Ok(found)
}

/// The key of a redaction record among the derived data.
pub(crate) fn row_key(index: RecordIndex) -> Vec<u8> {
    key(REDACTION, index.0)
}

/// Checks that all that a redaction is to remove lies beside its records, or did so once.
///
/// # Errors
/// [`LedgerError::Redaction`] if there is no such part; [`LedgerError::Falsified`] if what lies there is not what was written.
pub(crate) fn check(log: &LogDb, redaction: &Redaction) -> Result<()> {
    for (index, parts) in removed(redaction) {
        let absent = |problem: String| LedgerError::Redaction { index, problem };
        if log.beside(index.0)?.is_none() {
            return Err(absent("nothing lies beside it".to_owned()));
        }
        let found = open(log, index)?;
        beside::remove(&found, parts).map_err(|error| absent(error.to_string()))?;
    }
    Ok(())
}

/// Removes what these records say was removed, as far as it is still there, durably.
///
/// # Errors
/// [`LedgerError::Falsified`] if something that they name is not there, or not what was written.
pub(crate) fn apply(log: &LogDb, redactions: &[RecordIndex]) -> Result<()> {
    for by in redactions {
        let falsified = |problem: &dyn ToString| LedgerError::falsified(format!("record {by}"), problem.to_string());
        let record = log.record(by.0)?.ok_or_else(|| falsified(&"it is missing"))?;
        let record = decode(by.0, &record)?;
        let redaction = redaction_of(&record).ok_or_else(|| falsified(&"it is no redaction"))?;
        carry_out(log, *by, removed(redaction))?;
    }
    Ok(())
}

/// Removes what a redaction removed that this log lacks, since it is older: beside the records that it has. Says how many
/// parts that were.
///
/// # Errors
/// [`LedgerError::Falsified`] if that names something that is not there.
pub(crate) fn remove_again(log: &LogDb, removal: &Removal, size: TreeSize) -> Result<u64> {
    let within = removal.removed.iter().flat_map(|RedactedParts { first, records, parts }| {
        let indexes = *first..first.saturating_add(*records).min(size.0);
        indexes.map(move |index| (RecordIndex(index), parts.as_slice()))
    });
    carry_out(log, removal.by, within)
}

/// Removes what one redaction names, durably, as far as it is there; says how many parts that were. Each by itself: of what one
/// leaves beside a record, the next one may remove more.
fn carry_out<'r>(log: &LogDb, by: RecordIndex, removed: impl Iterator<Item = (RecordIndex, &'r [u32])>) -> Result<u64> {
    let (mut batch, mut count) = (WriteBatch::default(), 0);
    for (index, parts) in removed {
        if is_gone(log, index, parts)? {
            continue;
        }
        let left = beside::remove(&open(log, index)?, parts)
            .map_err(|error| LedgerError::falsified(format!("record {by}"), error))?;
        batch.put_cf(cf(&log.0, BESIDE), index.0.to_be_bytes(), left.encode_to_vec());
        batch.put(key(PURGE, by.0), [VALUE_FORMAT]);
        count += parts.len() as u64;
        if batch.size_in_bytes() > BATCH_BYTES {
            log.write_synced(std::mem::take(&mut batch))?;
        }
    }
    if !batch.is_empty() {
        log.write_synced(batch)?;
    }
    Ok(count)
}

/// Whether parts were removed already.
fn is_gone(log: &LogDb, index: RecordIndex, parts: &[u32]) -> Result<bool> {
    let bytes = log.beside(index.0)?.unwrap_or_default();
    let gone: BTreeSet<u32> = match Beside::decode(bytes.as_slice()) {
        Ok(beside) => gone(&beside).collect(),
        Err(_) => return Ok(false),
    };
    Ok(parts.iter().all(|part| gone.contains(part)))
}

/// The numbers of the parts that were removed.
pub(crate) fn gone(beside: &Beside) -> impl Iterator<Item = u32> {
    beside::parts(beside).filter(|(_, sealed)| beside::is_removed(sealed)).map(|(number, _)| number)
}

/// What lies beside a record, checked.
fn open(log: &LogDb, index: RecordIndex) -> Result<Beside> {
    let place = || format!("what lies beside record {index}");
    let missing = || LedgerError::falsified(place(), "it is missing");
    let record = decode(index.0, &log.record(index.0)?.ok_or_else(missing)?)?;
    let commitment = Hash::from_slice(&record.commitment).map_err(|error| LedgerError::falsified(place(), error))?;
    let bytes = log.beside(index.0)?.ok_or_else(missing)?;
    beside::open(&bytes, &commitment).map_err(|error| LedgerError::falsified(place(), error))
}

/// Rewrites the files of the log that hold what was removed: their old blocks, and the write-ahead log. Does nothing where
/// that was done since the last removal. Readers are not held up.
///
/// # Errors
/// [`LedgerError::Storage`] if that fails, [`LedgerError::NoSpace`] if a file is still there: the next start does it again.
pub(crate) fn purge(log: &LogDb) -> Result<()> {
    let mut due = Vec::new();
    for row in log.0.iterator(IteratorMode::From(PURGE, Direction::Forward)) {
        let (row_key, _) = row?;
        if !row_key.starts_with(PURGE) {
            break;
        }
        due.push(row_key);
    }
    if due.is_empty() {
        return Ok(());
    }
    // What is in memory only is in a write-ahead log, which goes once no family needs it.
    log.flush()?;
    let before = files(log)?;
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(false);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    log.0.compact_range_cf_opt(cf(&log.0, BESIDE), None::<&[u8]>, None::<&[u8]>, &options);
    // RocksDB does not say whether it went well.
    if files(log)?.intersection(&before).next().is_some() {
        let why = "what was removed is still in a file of the log, which could not be written anew";
        return Err(LedgerError::NoSpace(why.to_owned()));
    }
    let mut batch = WriteBatch::default();
    due.iter().for_each(|row_key| batch.delete(row_key));
    log.write_synced(batch)
}

/// The files that hold what lies beside records.
fn files(log: &LogDb) -> Result<BTreeSet<String>> {
    let files = log.0.live_files()?.into_iter().filter(|file| file.column_family_name == BESIDE);
    Ok(files.map(|file| file.name).collect())
}

fn key(prefix: &[u8], index: u64) -> Vec<u8> {
    [prefix, &index.to_be_bytes()].concat()
}
