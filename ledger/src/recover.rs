//! What the records of a log come to, found out when it is opened.
//!
//! Owns the checks of a log against itself: the derived data are brought up to the records, the stored right edge is that
//! of the records, each seal that is read again is right, and the last record is in the tree. Whether it is the log that was
//! signed is for those to say who know what was signed.

use std::path::Path;

use counterfoil_proto::v1::Record;
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::proof::verify_inclusion;
use counterfoil_verify::record;
use counterfoil_verify::redaction::redaction_of;
use counterfoil_verify::seal::Share;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{Frontier, RecordIndex, TreeSize, inclusion_proof};
use rocksdb::WriteBatch;

use crate::coverage::{Coverage, seal_of};
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::memory::Memory;
use crate::store::{Access, DerivedDb, LogDb, StoredNodes, frontier_at};

/// Records that are derived in one go while catching up.
const CATCH_UP_RECORDS: u64 = 10_000;

/// A log that fits together.
pub(crate) struct Recovered {
    pub(crate) log: LogDb,
    pub(crate) derived: DerivedDb,
    pub(crate) frontier: Frontier,
    /// What the records come to for seals.
    pub(crate) coverage: Coverage,
    /// The leaf hash and the time of the last record; none of a log without records.
    pub(crate) last: Option<(LeafHash, RecordedAt)>,
}

impl Recovered {
    /// Checks a log, whose derived data are in the folder `derived`, or will be.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] where it does not fit together.
    pub(crate) fn of(log: LogDb, derived: &Path, memory: &Memory) -> Result<Self> {
        let size = log.size()?;
        let opened = DerivedDb::open(derived, Access::Owner, memory)?;
        let derived = match opened.cursor()?.max(Coverage::load(&opened)?.taken()) {
            cursor if cursor <= size => opened,
            // The log lost a tail that nobody was told of: start the derived data over.
            _ => start_over(opened, derived, memory)?,
        };
        let coverage = catch_up(&log, &derived, size)?;
        if size == TreeSize(0) {
            return Ok(Self { log, derived, frontier: Frontier::new(), coverage, last: None });
        }

        let nodes = StoredNodes { log: &log, derived: &derived, size };
        let frontier = right_edge(&nodes)?;
        let last = Some(last_record(&nodes, &frontier)?);
        Ok(Self { log, derived, frontier, coverage, last })
    }
}

/// The right edge of the tree over the records, if it is the one that was written with them.
pub(crate) fn right_edge(nodes: &StoredNodes<'_>) -> Result<Frontier> {
    let frontier = frontier_at(nodes, nodes.size)?;
    if frontier != nodes.log.edge()? {
        return Err(LedgerError::falsified("the stored right edge", "it is not that of the records"));
    }
    Ok(frontier)
}

/// The leaf hash and the time of the last record, if its bytes are those in the tree: no record follows it, and where the
/// last tile is full, the edge is that of the stored nodes.
pub(crate) fn last_record(nodes: &StoredNodes<'_>, frontier: &Frontier) -> Result<(LeafHash, RecordedAt)> {
    let index = RecordIndex(nodes.size.0 - 1);
    let last = read_row(nodes.log, index.0)?;
    let decoded = decode(index.0, &last)?;
    let leaf = record::hash(&last);
    let path = inclusion_proof(nodes, index, nodes.size).map_err(|error| LedgerError::falsified("the tree", error))?;
    verify_inclusion(leaf, index, nodes.size, &path, frontier.root())
        .map_err(|_| LedgerError::falsified(format!("record {index}"), "its bytes are not those in the tree"))?;
    Ok((leaf, record::recorded_at(&decoded)))
}

/// Brings the derived data up to the records, checking each record, its place in the chain, and each seal on the way. The
/// entity map goes on where it is kept, which may be further back.
pub(crate) fn catch_up(log: &LogDb, derived: &DerivedDb, size: TreeSize) -> Result<Coverage> {
    let (start, mut coverage) = (derived.cursor()?, Coverage::load(derived)?);
    let mut next = start.min(coverage.taken()).0;
    let mut frontier = frontier_at(&StoredNodes { log, derived, size }, start)?;
    let mut previous: Option<(LeafHash, RecordedAt)> = None;
    if next > 0 && next < size.0 {
        let bytes = read_row(log, next - 1)?;
        previous = Some((record::hash(&bytes), record::recorded_at(&decode(next - 1, &bytes)?)));
    }
    while next < size.0 {
        let end = (next + CATCH_UP_RECORDS).min(size.0);
        let (mut batch, mut events, mut nodes) = (WriteBatch::default(), Vec::new(), Vec::new());
        let mut redactions = Vec::new();
        for index in (next..end).map(RecordIndex) {
            let bytes = read_row(log, index.0)?;
            let record = decode(index.0, &bytes)?;
            record::check_link(&record, index, previous)
                .map_err(|error| LedgerError::falsified(format!("record {index}"), error))?;
            let leaf = record::hash(&bytes);
            previous = Some((leaf, record::recorded_at(&record)));
            if index.0 >= start.0 {
                frontier.append(leaf, |node| nodes.extend(derive::is_stored(&node).then_some(node)));
                events.extend(derive::event_entry(&record));
                redactions.extend(redaction_of(&record).map(|_| index));
            }
            if index.0 >= coverage.taken().0 {
                derive::position(&record).into_iter().for_each(|(channel, _)| coverage.moves(channel));
                coverage.take(derived, (index, leaf), &Share::of(&record), seal_of(&record))?;
            }
        }
        derive::put(derived, &mut batch, events, &redactions, &nodes, start.max(TreeSize(end)));
        coverage.put(derived, &mut batch)?;
        derived.write(batch)?;
        next = end;
    }
    if start < size {
        derived.flush()?;
    }
    Ok(coverage)
}

fn read_row(log: &LogDb, index: u64) -> Result<Vec<u8>> {
    log.record(index)?.ok_or_else(|| LedgerError::falsified(format!("record {index}"), "it is missing"))
}

pub(crate) fn decode(index: u64, bytes: &[u8]) -> Result<Record> {
    record::decode(bytes).map_err(|error| LedgerError::record(RecordIndex(index), error))
}

fn start_over(derived: DerivedDb, path: &Path, memory: &Memory) -> Result<DerivedDb> {
    drop(derived);
    std::fs::remove_dir_all(path).map_err(|error| LedgerError::file(path, error))?;
    DerivedDb::open(path, Access::Owner, memory)
}
