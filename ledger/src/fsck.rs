//! fsck: reads every byte and believes none of it.
//!
//! Owns the complete check of a ledger: canonical form and rules of each record, the chain, the tree against anchor and
//! stored edge, every seal, every commitment, that what is gone was redacted and what was redacted is gone, the form of what
//! the ledger keeps for its own use, and the derived data against what the records give. It changes nothing, and looks at no
//! views: they are built by whoever stands above the ledger.

use std::borrow::Cow;
use std::collections::HashMap;

use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::map::pages;
use counterfoil_verify::record;
use counterfoil_verify::remap::Part;
use counterfoil_verify::seal::{self, Share};
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{Frontier, RecordIndex, TreeSize};

use crate::anchor::Anchor;
use crate::append::{ContentDigest, EventKey};
use crate::coverage::pages::{StoredMap, told};
use crate::coverage::{Coverage, seal_of};
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::keys::Keys;
use crate::ledger::{Location, check_identity};
use crate::lock::Lock;
use crate::memory::Memory;
use crate::recover;
use crate::remapped;
use crate::removals::Removal;
use crate::row::Checked;
use crate::store::{self, Access, CONFIRMED, DerivedDb, EVENTS, LogDb, MAP, NODES, cf};

mod former;
mod own;
mod redacted;
mod rows;

use redacted::Redacted;

/// What fsck found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Bytes read: records and what lies beside them.
    pub bytes: u64,
    /// Which log it is; none where that could not be told.
    pub origin: Option<Origin>,
    /// The root over them.
    pub root: Hash,
    /// Records that are durable and past the anchor's size: acknowledged to nobody, and signed at the next start. A crash
    /// leaves no more of them than one commit has.
    pub beyond_anchor: u64,
    /// The parts beside records that are gone because a redaction removed them.
    pub redacted: u64,
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

impl Report {
    /// The first problem as an error, if there is one.
    pub(crate) fn sound(&self) -> Result<()> {
        let Some(Problem { record, what }) = &self.problem else { return Ok(()) };
        let place = record.map_or_else(|| "the log".to_owned(), |record| format!("record {record}"));
        Err(LedgerError::falsified(place, what))
    }
}

/// Checks a ledger that nobody owns. `holder` is how the process describes itself to another that wants the ledger
/// meanwhile; `progress` is called with records done and in all.
///
/// # Errors
/// Only if it cannot be read. What can be read and is wrong is in the [`Report`].
pub fn fsck(location: &Location, holder: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<Report> {
    if !location.log().exists() {
        return Err(LedgerError::NotALedger { path: location.data.clone() });
    }
    let _lock = Lock::take(&location.data, holder)?;
    let memory = Memory::new();
    if LogDb::open(&location.log(), false, Access::ReadOnly, &memory)?.0.get(CONFIRMED)?.is_some() {
        return Err(LedgerError::Replica { path: location.data.clone() });
    }
    let mut check = Check::default();
    let problem = match check.run(location, &memory, progress) {
        Ok(()) => None,
        Err(Stop::Wrong(problem)) => Some(problem),
        Err(Stop::Unreadable(error)) => return Err(error),
    };
    Ok(check.report(problem))
}

/// Checks a log that was copied, in a data folder that nobody else has: all of it, against checkpoints that were signed. The
/// note is of its key. What `known` redactions removed, which it may lack, may be gone.
///
/// # Errors
/// [`LedgerError::Beside`] if a later one of the checkpoints is of another history; otherwise only if it cannot be read.
pub(crate) fn check_copy(
    location: &Location,
    (keys, note): (&Keys, &[u8]),
    signed: &[Checkpoint],
    known: &[Removal],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report> {
    let mut check = Check::default();
    known.iter().for_each(|removal| check.redacted.know(removal));
    let anchor = Anchor::of_note(&location.log(), note);
    let log = LogDb::open(&location.log(), false, Access::ReadOnly, &Memory::new())?;
    let checked = check_identity(&log, keys, &anchor, location).map_err(Stop::from).and_then(|(origin, _)| {
        check.origin = Some(origin);
        let size = log.size()?;
        check.check_log(&log, (size, signed), progress)
    });
    match checked {
        Ok(_) => Ok(check.report(None)),
        Err(Stop::Wrong(problem)) => {
            // Of the later ones it is another history.
            let mut others = signed.iter().skip(1).map(|other| LedgerError::Beside { anchored: other.size });
            match others.find(|beside| beside.to_string() == problem.what) {
                Some(beside) => Err(beside),
                None => Ok(check.report(Some(problem))),
            }
        }
        Err(Stop::Unreadable(error)) => Err(error),
    }
}

/// Why a check ends before its end.
enum Stop {
    Wrong(Problem),
    Unreadable(LedgerError),
}

type Step<T> = std::result::Result<T, Stop>;

impl Stop {
    fn wrong(record: Option<RecordIndex>, what: impl ToString) -> Self {
        Self::Wrong(Problem { record, what: what.to_string() })
    }

    /// What is wrong with a record, where it is told so.
    fn at(record: RecordIndex, error: LedgerError) -> Self {
        match error {
            LedgerError::Falsified { problem, .. } => Self::wrong(Some(record), problem),
            error => Self::Unreadable(error),
        }
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Falsified { place, problem } => Self::wrong(None, format!("{place}: {problem}")),
            error => Self::Unreadable(error),
        }
    }
}

impl From<rocksdb::Error> for Stop {
    fn from(error: rocksdb::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

/// What the records read so far come to.
#[derive(Default)]
struct Check {
    frontier: Frontier,
    previous: Option<(LeafHash, RecordedAt)>,
    bytes: u64,
    origin: Option<Origin>,
    beyond_anchor: u64,
    events: Vec<(EventKey, RecordIndex, ContentDigest)>,
    nodes: HashMap<(u8, u64), Hash>,
    coverage: seal::Coverage,
    redacted: Redacted,
}

impl Check {
    fn report(self, problem: Option<Problem>) -> Report {
        Report {
            records: self.frontier.size().0,
            bytes: self.bytes,
            root: self.frontier.root(),
            origin: self.origin,
            beyond_anchor: self.beyond_anchor,
            redacted: self.redacted.gone(),
            problem,
        }
    }

    fn run(&mut self, location: &Location, memory: &Memory, progress: &mut dyn FnMut(u64, u64)) -> Step<()> {
        let keys = Keys::read(&location.keys())?;
        let anchor = Anchor::read(&location.anchor)?;
        let log = LogDb::open(&location.log(), false, Access::ReadOnly, memory)?;
        let (origin, anchored) = check_identity(&log, &keys, &anchor, location)?;
        self.origin = Some(origin);
        let size = self.check_log(&log, (anchored.size, std::slice::from_ref(&anchored)), progress)?;
        match DerivedDb::is_made(&location.derived())? {
            true => {
                let derived = DerivedDb::open(&location.derived(), Access::ReadOnly, memory)?;
                self.check_derived(&derived, size)?;
                self.check_map(&log, &derived, size)
            }
            false => Ok(()),
        }
    }

    /// Checks what cannot be made again, against signed checkpoints; `acknowledged` is what was.
    fn check_log(
        &mut self,
        log: &LogDb,
        (acknowledged, signed): (TreeSize, &[Checkpoint]),
        progress: &mut dyn FnMut(u64, u64),
    ) -> Step<TreeSize> {
        let size = log.size()?;
        self.beyond_anchor = size.0.saturating_sub(acknowledged.0);
        rows::check(log, |rows| self.chain(log, rows, signed, size, progress))?;
        if size < acknowledged {
            return Err(Stop::wrong(None, LedgerError::Behind { size, anchored: acknowledged }));
        }
        if log.edge()? != self.frontier {
            return Err(Stop::wrong(None, "the stored right edge is not that of the records"));
        }
        self.check_repeated()?;
        self.redacted.check(acknowledged)?;
        own::check_log(log)?;
        former::check(log, size)?;
        Ok(size)
    }

    /// Puts every record in its place: after the one before it, and into the tree.
    fn chain(
        &mut self,
        log: &LogDb,
        rows: impl Iterator<Item = Step<Checked>>,
        signed: &[Checkpoint],
        size: TreeSize,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Step<()> {
        let mut rows = rows;
        while let Some(row) = rows.next() {
            let row = row?;
            self.bytes += row.bytes;
            let index = RecordIndex(self.frontier.size().0);
            if let Err(violation) = record::check_link(&row.head, index, self.previous) {
                return Err(match self.first_bad(&row, index, rows.next()) {
                    bad if bad == index => Stop::wrong(Some(bad), violation),
                    bad => {
                        Stop::wrong(Some(bad), format!("it was changed: record {index} follows one with another hash"))
                    }
                });
            }
            self.coverage
                .take(index, row.leaf, &row.share, row.seal.as_ref())
                .map_err(|error| Stop::wrong(Some(index), error))?;
            self.redacted.add(index, row.gone, row.redaction);
            self.previous = Some((row.leaf, record::recorded_at(&row.head)));
            let nodes = &mut self.nodes;
            self.frontier.append(row.leaf, |node| {
                if derive::is_stored(&node) {
                    nodes.insert((node.level, node.index), node.hash);
                }
            });
            self.events.extend(row.event);
            if let Some(Part { number: 0, of }) = row.remapped {
                remapped::check(index, of, |index| Ok(log.record(index)?.map(Cow::from)))
                    .map_err(|error| Stop::at(index, error))?;
            }
            for Checkpoint { size: signed, root, .. } in signed {
                if self.frontier.size() == *signed && self.frontier.root() != *root {
                    return Err(Stop::wrong(None, LedgerError::Beside { anchored: *signed }));
                }
            }
            if index.0.is_multiple_of(512) || index.0 + 1 == size.0 {
                progress(index.0 + 1, size.0);
            }
        }
        Ok(())
    }

    /// Which record is bad where two do not fit together.
    fn first_bad(&self, row: &Checked, index: RecordIndex, next: Option<Step<Checked>>) -> RecordIndex {
        let follows = |next: &Checked| next.head.prev == row.leaf.0.as_bytes();
        let is_followed = next.is_none_or(|next| next.is_ok_and(|next| follows(&next)));
        record::first_bad(&row.head, index, self.previous, is_followed)
    }

    /// No event is recorded twice.
    fn check_repeated(&mut self) -> Step<()> {
        self.events.sort_unstable();
        let repeated = self.events.windows(2).filter(|pair| pair[0].0 == pair[1].0).min_by_key(|pair| pair[1].1);
        match repeated {
            Some(pair) => Err(Stop::wrong(Some(pair[1].1), format!("its event is in record {} already", pair[0].1))),
            None => Ok(()),
        }
    }

    /// Compares what is stored as derived with what the records gave.
    fn check_derived(&self, derived: &DerivedDb, size: TreeSize) -> Step<()> {
        own::check_derived(derived)?;
        self.redacted.check_derived(derived)?;
        let covered = derived.cursor()?;
        if covered > size {
            return Err(Stop::wrong(None, "the derived data cover more records than there are"));
        }
        let db = &derived.0;
        let mut expected = self.events.iter().filter(|(_, index, _)| index.0 < covered.0).peekable();
        for row in db.iterator_cf(cf(db, EVENTS), rocksdb::IteratorMode::Start) {
            let (key, value) = row?;
            let (index, content) = derive::event_value(&value)?;
            match expected.next_if(|(wanted, ..)| wanted.0[..] <= *key) {
                None => return Err(Stop::wrong(Some(index), "the known events hold an entry that no record gives")),
                Some((wanted, of, _)) if wanted.0[..] < *key => {
                    return Err(Stop::wrong(Some(*of), "the known events lack its entry"));
                }
                Some((_, of, wanted)) if (*of, *wanted) != (index, content) => {
                    return Err(Stop::wrong(Some(*of), "the known events have another entry for it"));
                }
                Some(_) => {}
            }
        }
        if let Some((_, index, _)) = expected.next() {
            return Err(Stop::wrong(Some(*index), "the known events lack its entry"));
        }
        self.check_nodes(derived, covered)
    }

    /// Compares the entity map and the counts that are kept with what the records gave: brought up to the records, they come
    /// to the same.
    fn check_map(&mut self, log: &LogDb, derived: &DerivedDb, size: TreeSize) -> Step<()> {
        let others = || Stop::wrong(None, "the entity map, or a source's counts, are not those of the records");
        let mut kept = Coverage::load(derived)?;
        if kept.taken() > size {
            return Err(Stop::wrong(None, "the entity map covers more records than there are"));
        }
        let root = kept.settled(derived)?.root();
        let map = StoredMap { derived, written: &mut HashMap::new() };
        let pages = pages::count(&map, root).map_err(told)?;
        let rows = derived.0.iterator_cf(cf(&derived.0, MAP), rocksdb::IteratorMode::Start);
        if rows.count() as u64 != pages {
            return Err(Stop::wrong(None, "the entity map has a page that is not in it"));
        }
        for index in (kept.taken().0..size.0).map(RecordIndex) {
            let record = log.record(index.0)?.ok_or_else(|| Stop::wrong(Some(index), "it is missing"))?;
            let leaf = record::hash(&record);
            let record = recover::decode(index.0, &record)?;
            // Each seal was compared with the records: one that does not fit what is kept says that this is wrong.
            kept.take(derived, (index, leaf), &Share::of(&record), seal_of(&record)).map_err(|_| others())?;
        }
        match kept.settled(derived)? == self.coverage.settled() {
            true => Ok(()),
            false => Err(others()),
        }
    }

    fn check_nodes(&self, derived: &DerivedDb, covered: TreeSize) -> Step<()> {
        let db = &derived.0;
        let mut missing = self.nodes.keys().filter(|(level, index)| (index + 1) << level <= covered.0).count();
        for row in db.iterator_cf(cf(db, NODES), rocksdb::IteratorMode::Start) {
            let (key, value) = row?;
            let expected = key.split_first().and_then(|(&level, index)| {
                let index = store::number(index, "a node's key").ok()?;
                self.nodes.get(&(level, index))
            });
            if expected.is_none_or(|expected| expected.as_bytes() != &*value) {
                return Err(Stop::wrong(None, "a stored node of the tree is not that of the records"));
            }
            missing = missing.saturating_sub(1);
        }
        match missing {
            0 => Ok(()),
            _ => Err(Stop::wrong(None, "a stored node of the tree is missing")),
        }
    }
}
