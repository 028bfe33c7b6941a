//! fsck: reads every byte and believes none of it.
//!
//! Owns the complete check of a ledger: canonical form and rules of each record, the chain, the tree against anchor and
//! stored edge, every commitment, and the derived data against what the records give. It changes nothing.

use std::collections::{BTreeMap, HashMap};

use counterfoil_proto::v1::Record;
use counterfoil_verify::beside;
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::record;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{Frontier, RecordIndex, TreeSize};
use crossbeam_channel::{Receiver, bounded};

use crate::anchor::Anchor;
use crate::append::{ContentDigest, EventKey};
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::keys::Keys;
use crate::ledger::{Location, check_identity, lock};
use crate::store::{self, Access, BESIDE, DerivedDb, EVENTS, LogDb, NODES, RECORDS, cf};

/// Records that go through the check together.
const CHUNK_RECORDS: usize = 512;

/// What fsck found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Bytes read: records and what lies beside them.
    pub bytes: u64,
    /// The root over them.
    pub root: Hash,
    /// What is wrong, the first in the log first; none if the ledger is sound.
    pub problem: Option<Problem>,
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The record it is in, where it is in one.
    pub record: Option<RecordIndex>,
    /// What is wrong.
    pub what: String,
}

/// Checks a ledger that nobody owns. `progress` is called with records done and in all.
///
/// # Errors
/// Only if it cannot be read. What can be read and is wrong is in the [`Report`].
pub fn fsck(location: &Location, progress: &mut dyn FnMut(u64, u64)) -> Result<Report> {
    if !location.log().exists() {
        return Err(LedgerError::NotALedger { path: location.data.clone() });
    }
    let _lock = lock(&location.data)?;
    let keys = Keys::read(&location.keys())?;
    let anchor = Anchor::read(&location.anchor)?;
    let log = LogDb::open(&location.log(), false, Access::ReadOnly)?;
    let derived = match location.derived().exists() {
        true => Some(DerivedDb::open(&location.derived(), Access::ReadOnly)?),
        false => None,
    };
    let size = log.size()?;
    let mut check = Check::new(size);
    match check_identity(&log, &keys, &anchor, location) {
        Ok((_, anchored)) => check.run(&log, derived.as_ref(), (anchored.size, anchored.root), progress)?,
        Err(LedgerError::Falsified { place, problem }) => check.fail(None, format!("{place}: {problem}")),
        Err(error) => return Err(error),
    }
    Ok(Report {
        records: check.frontier.size().0,
        bytes: check.bytes,
        root: check.frontier.root(),
        problem: check.problem,
    })
}

struct Check {
    size: TreeSize,
    frontier: Frontier,
    previous: Option<(LeafHash, RecordedAt)>,
    bytes: u64,
    events: HashMap<EventKey, (RecordIndex, ContentDigest)>,
    nodes: HashMap<(u8, u64), Hash>,
    problem: Option<Problem>,
}

/// One record as read, with what lies beside it.
struct Row {
    index: u64,
    record: Box<[u8]>,
    beside: Option<Box<[u8]>>,
}

/// A row that was checked by itself: what remains is its place among the others.
struct Checked {
    record: std::result::Result<Record, Problem>,
    leaf: LeafHash,
    bytes: u64,
}

impl Check {
    fn new(size: TreeSize) -> Self {
        Self {
            size,
            frontier: Frontier::new(),
            previous: None,
            bytes: 0,
            events: HashMap::new(),
            nodes: HashMap::new(),
            problem: None,
        }
    }

    fn fail(&mut self, record: Option<RecordIndex>, what: impl ToString) {
        if self.problem.is_none() {
            self.problem = Some(Problem { record, what: what.to_string() });
        }
    }

    fn run(
        &mut self,
        log: &LogDb,
        derived: Option<&DerivedDb>,
        anchored: (TreeSize, Hash),
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        let covered = derived.map(DerivedDb::cursor).transpose()?.unwrap_or_default();
        if self.size < anchored.0 {
            self.fail(None, LedgerError::Behind { size: self.size, anchored: anchored.0 });
        }
        // One thread reads, one for each core checks rows by themselves, and this one chains them.
        std::thread::scope(|scope| -> Result<()> {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let (read, to_check) = bounded(2 * threads);
            let (checked, to_chain) = bounded(2 * threads);
            scope.spawn(move || {
                for chunk in (0..).zip(Rows::new(log)) {
                    if read.send(chunk).is_err() {
                        break;
                    }
                }
            });
            for _ in 0..threads {
                let (to_check, checked) = (to_check.clone(), checked.clone());
                scope.spawn(move || {
                    for (number, chunk) in to_check {
                        let chunk: Result<Vec<Row>> = chunk;
                        if checked.send((number, chunk.map(|rows| rows.iter().map(check_row).collect()))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop((to_check, checked));
            self.chain(InOrder::new(to_chain), anchored, covered, progress)
        })?;
        if self.problem.is_some() {
            return Ok(());
        }
        if log.edge().is_ok_and(|edge| edge == self.frontier) {
            self.check_derived(derived, covered)
        } else {
            self.fail(None, "the stored right edge is not that of the records");
            Ok(())
        }
    }

    fn chain(
        &mut self,
        checked: InOrder<Result<Vec<Checked>>>,
        anchored: (TreeSize, Hash),
        covered: TreeSize,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        for chunk in checked {
            for row in chunk? {
                self.bytes += row.bytes;
                let index = RecordIndex(self.frontier.size().0);
                let record = match row.record {
                    Ok(record) => record,
                    Err(problem) => {
                        self.problem = Some(problem);
                        return Ok(());
                    }
                };
                if let Err(violation) = record::check_link(&record, index, self.previous) {
                    self.fail(Some(index), violation);
                    return Ok(());
                }
                self.previous = Some((row.leaf, record::recorded_at(&record)));
                let nodes = &mut self.nodes;
                self.frontier.append(row.leaf, |node| {
                    if derive::is_stored(&node) {
                        nodes.insert((node.level, node.index), node.hash);
                    }
                });
                if index.0 < covered.0
                    && let Some((key, index, content)) = derive::event_entry(&record)
                {
                    self.events.insert(key, (index, content));
                }
                if self.frontier.size() == anchored.0 && self.frontier.root() != anchored.1 {
                    self.fail(None, LedgerError::Beside { anchored: anchored.0 });
                    return Ok(());
                }
            }
            progress(self.frontier.size().0, self.size.0);
        }
        Ok(())
    }

    /// Compares what is stored as derived with what the records gave.
    fn check_derived(&mut self, derived: Option<&DerivedDb>, covered: TreeSize) -> Result<()> {
        let Some(DerivedDb(db)) = derived else { return Ok(()) };
        if covered > self.size {
            self.fail(None, "the derived data cover more records than there are");
            return Ok(());
        }
        for row in db.iterator_cf(cf(db, EVENTS), rocksdb::IteratorMode::Start) {
            let (key, value) = row?;
            let stored = derive::event_value(&value)?;
            let known = <[u8; 16]>::try_from(&*key).ok().and_then(|key| self.events.remove(&EventKey(key)));
            if known != Some(stored) {
                self.fail(Some(stored.0), "the known events hold an entry that the records do not give");
                return Ok(());
            }
        }
        if let Some((index, _)) = self.events.values().min() {
            self.fail(Some(*index), "the known events lack an entry that the records give");
        }
        for row in db.iterator_cf(cf(db, NODES), rocksdb::IteratorMode::Start) {
            let (key, value) = row?;
            let expected = key.split_first().and_then(|(&level, index)| {
                let index = store::number(index, "a node's key").ok()?;
                self.nodes.get(&(level, index))
            });
            if expected.is_none_or(|expected| expected.as_bytes() != &*value) {
                self.fail(None, "a stored node of the tree is not that of the records");
            }
        }
        Ok(())
    }
}

/// Checks what a row says by itself: its bytes, and what lies beside it against its commitment.
fn check_row(row: &Row) -> Checked {
    let bytes = (row.record.len() + row.beside.as_ref().map_or(0, |beside| beside.len())) as u64;
    Checked { record: check_record(row), leaf: record::hash(&row.record), bytes }
}

fn check_record(row: &Row) -> std::result::Result<Record, Problem> {
    let problem = |what: String| Problem { record: Some(RecordIndex(row.index)), what };
    let record = record::decode(&row.record).map_err(|error| problem(error.to_string()))?;
    match (&row.beside, record.commitment.is_empty()) {
        (None, true) => {}
        (Some(beside), false) => {
            let commitment = Hash::from_slice(&record.commitment).map_err(|error| problem(error.to_string()))?;
            beside::open(beside, &commitment).map_err(|error| problem(error.to_string()))?;
        }
        (Some(_), true) => return Err(problem("something lies beside it that it does not commit to".to_owned())),
        (None, false) => return Err(problem("what it commits to does not lie beside it".to_owned())),
    }
    Ok(record)
}

/// Numbered parts in the order of their numbers, whatever order they come in.
struct InOrder<T> {
    parts: Receiver<(u64, T)>,
    early: BTreeMap<u64, T>,
    next: u64,
}

impl<T> InOrder<T> {
    fn new(parts: Receiver<(u64, T)>) -> Self {
        Self { parts, early: BTreeMap::new(), next: 0 }
    }
}

impl<T> Iterator for InOrder<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(part) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(part);
            }
            let (number, part) = self.parts.recv().ok()?;
            self.early.insert(number, part);
        }
    }
}

type KeyValue = (Box<[u8]>, Box<[u8]>);

/// All rows of a log in order, records and what lies beside them side by side, in chunks.
struct Rows<'a> {
    records: rocksdb::DBIterator<'a>,
    beside: std::iter::Peekable<rocksdb::DBIterator<'a>>,
    next: u64,
}

impl<'a> Rows<'a> {
    fn new(log: &'a LogDb) -> Self {
        let iterator = |family| {
            let mut options = rocksdb::ReadOptions::default();
            options.fill_cache(false);
            options.set_readahead_size(4 << 20);
            log.0.iterator_cf_opt(cf(&log.0, family), options, rocksdb::IteratorMode::Start)
        };
        Self { records: iterator(RECORDS), beside: iterator(BESIDE).peekable(), next: 0 }
    }

    fn row(&mut self) -> Result<Option<Row>> {
        let Some(row) = self.records.next() else {
            return match self.beside.next() {
                None => Ok(None),
                Some(_) => Err(LedgerError::falsified("what lies beside", "it has no record")),
            };
        };
        let (key, record) = row?;
        let index = store::number(&key, "a record's key")?;
        if index != self.next {
            return Err(LedgerError::falsified(format!("record {}", self.next), "it is missing"));
        }
        self.next += 1;
        let is_own = |row: &std::result::Result<KeyValue, rocksdb::Error>| {
            row.as_ref().map_or(true, |(beside, _)| *beside == key)
        };
        let beside = self.beside.next_if(is_own).transpose()?.map(|(_, value)| value);
        Ok(Some(Row { index, record, beside }))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Vec<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows: Result<Vec<Row>> = std::iter::from_fn(|| self.row().transpose()).take(CHUNK_RECORDS).collect();
        match rows {
            Ok(rows) if rows.is_empty() => None,
            other => Some(other),
        }
    }
}
