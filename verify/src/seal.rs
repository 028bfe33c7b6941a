//! What a seal says, and what it has to say.
//!
//! Owns what records come to for a seal, recomputed from them: the root of the entity map, and the counts of each
//! source. Duplicates and positions leave no record and are the operator's word: of the former it only sees that they
//! never shrink. Whoever keeps the map says where ([`EntityMap`]); [`Coverage`] has it in memory.
//!
//! ```text
//! a record, by itself → its share → taken in order → at a seal: links into the map, root and counts compared
//! ```

use std::mem::take;
use std::sync::Arc;

use counterfoil_proto::v1::{Mapping, Record, Seal, SealedSource, Source, record::Body};

use crate::fact::{each_entity, entity_set};
use crate::hash::{Hash, LeafHash};
use crate::map::memory::MemoryMap;
use crate::map::{Link, MapKey, MapRoot};
use crate::tree::{RecordIndex, TreeSize};
use crate::view::{EventRecord, SourceView};

/// How many links wait before the map takes them, seal or none: a bound on memory.
const LINKS_MAX: usize = 100_000;

/// What one record brings to the seals behind it: a function of its bytes, whatever its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Of its entities, ascending.
    keys: Vec<MapKey>,
    /// To the counts of its source, which many records share.
    added: Option<(Arc<Source>, SealedSource)>,
}

/// A map that is appended to.
pub trait EntityMap {
    /// Why that fails, or a seal is rejected.
    type Error: From<SealError>;

    /// Appends to the map of a root, and gives the new one.
    ///
    /// # Errors
    /// Of whoever keeps it.
    fn append(&mut self, root: MapRoot, links: Vec<Link>) -> Result<MapRoot, Self::Error>;
}

/// How far the records of a log were taken, and what waits for the next seal. The map is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    next: u64,
    sealed: u64,
    is_continued: bool,
    root: MapRoot,
    waiting: Vec<Link>,
    tally: Tally,
}

/// What the records of a log come to, from record 0 on, with the map in memory.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    progress: Progress,
    map: MemoryMap,
}

/// The counts of every source, and which of them are others than at the last seal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ascending by system, instance and stream.
    sources: Vec<Tallied>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tallied {
    counts: SealedSource,
    is_changed: bool,
}

/// Why a seal is rejected, or a record cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Records must come from 0 on, each once.
    #[error("expected record {expected}, got {found}: begin with record 0 and leave none out")]
    Order {
        /// The next one.
        expected: RecordIndex,
        /// The one that came.
        found: RecordIndex,
    },
    /// The map that the records make has another root.
    #[error("expected the map root {expected} in the seal, got {found}: the log's owner left out or made up a history")]
    Root {
        /// What the records make.
        expected: Hash,
        /// What the seal says, in hexadecimal digits.
        found: String,
    },
    /// The counts of a source are not those of the records, or are the same as at the seal before.
    #[error("expected {expected} in the seal, got {found}: the log's owner left out or made up events")]
    Counts {
        /// What the records say.
        expected: String,
        /// What the seal says.
        found: String,
    },
    /// A source that has new counts is not in the seal.
    #[error("expected new counts of the source {0} in the seal, got none: the log's owner left out events")]
    Missing(String),
    /// A seal is continued, and the record behind it is none.
    #[error("expected a seal, which continues the one before it, got another record: the log's owner left out counts")]
    Unfinished,
    /// Fewer duplicates than an earlier seal said.
    #[error(
        "expected at least {expected} duplicates of the source {name}, got {found}: the operator took back a count"
    )]
    Shrinks {
        /// The source.
        name: String,
        /// What an earlier seal said.
        expected: u64,
        /// What this one says.
        found: u64,
    },
}

impl Share {
    /// Of a record, of which a place in the log is not looked at.
    pub fn of(record: &Record) -> Self {
        let keys = entity_set(record).iter().map(MapKey::of).collect();
        let added = match &record.body {
            Some(Body::Event(event)) => counts_of(event.part, event.mapping(), event.facts.len()),
            Some(Body::EventConflict(_)) => SealedSource { conflicts: 1, ..SealedSource::default() },
            Some(Body::SourceRejected(_)) => SealedSource { rejected: 1, ..SealedSource::default() },
            // What is read again was counted as it first came, and so was what is removed.
            Some(
                Body::Origin(_)
                | Body::SourceGap(_)
                | Body::Seal(_)
                | Body::EventRemapped(_)
                | Body::Redaction(_)
                | Body::KeyAnnouncement(_),
            )
            | None => SealedSource::default(),
        };
        let source = record.provenance.as_ref().and_then(|provenance| provenance.source.clone());
        Self::adding(keys, added, || source.map(Arc::new).unwrap_or_default())
    }

    /// The same of the record of an event. `last` is the source of the share that was made last, which most share.
    pub(crate) fn of_event(record: &EventRecord<'_>, last: &mut Option<Arc<Source>>) -> Self {
        let source = record.provenance.source.unwrap_or_default();
        let facts = &record.event.facts;
        let mut keys = Vec::with_capacity(2 * facts.len());
        each_entity(source, facts, &mut |name| keys.push(MapKey::of_name(name)));
        let mapping = Mapping::try_from(record.event.mapping).unwrap_or_default();
        let shared = || {
            let same = last.take().filter(|last| SourceView::of(last) == source);
            Arc::clone(last.insert(same.unwrap_or_else(|| Arc::new(source.to_source()))))
        };
        Self::adding(keys, counts_of(record.event.part, mapping, facts.len()), shared)
    }

    fn adding(mut keys: Vec<MapKey>, added: SealedSource, source: impl FnOnce() -> Arc<Source>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let is_something = [added.events, added.facts, added.conflicts, added.rejected].iter().any(|count| *count > 0);
        Self { keys, added: is_something.then(|| (source(), added)) }
    }
}

/// What an event, or a part of one, adds to the counts of its source.
fn counts_of(part: u32, mapping: Mapping, facts: usize) -> SealedSource {
    let events = u64::from(part == 0);
    let unmapped = if mapping == Mapping::Unmapped { events } else { 0 };
    SealedSource { events, facts: facts as u64, unmapped, ..SealedSource::default() }
}

impl EntityMap for MemoryMap {
    /// Appending does not fail.
    type Error = SealError;

    fn append(&mut self, _: MapRoot, links: Vec<Link>) -> Result<MapRoot, SealError> {
        Self::append(self, links);
        Ok(self.root())
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::at(TreeSize(0), MapRoot::empty(), TreeSize(0), false, Tally::default())
    }
}

impl Progress {
    /// Behind so many records, all of which are in the map of this root, and so many of which the last seal covers; that one
    /// is continued, or is not.
    pub fn at(taken: TreeSize, root: MapRoot, sealed: TreeSize, is_continued: bool, tally: Tally) -> Self {
        Self { next: taken.0, sealed: sealed.0, is_continued, root, waiting: Vec::new(), tally }
    }

    /// Takes the next record, once its link to the one before it is checked: its share, the hash of its bytes, and what it
    /// says where it is a seal, which is compared with all that came before it.
    ///
    /// # Errors
    /// [`SealError`], or that of the map; the record is not taken then.
    pub fn take<M: EntityMap>(
        &mut self,
        map: &mut M,
        index: RecordIndex,
        leaf: LeafHash,
        share: &Share,
        seal: Option<&Seal>,
    ) -> Result<(), M::Error> {
        if index.0 != self.next {
            return Err(SealError::Order { expected: RecordIndex(self.next), found: index }.into());
        }
        if let Some(seal) = seal {
            self.settle(map)?;
            let expected = self.root.0;
            if seal.map_root != expected.as_bytes() {
                let found = seal.map_root.iter().map(|byte| format!("{byte:02x}")).collect();
                return Err(SealError::Root { expected, found }.into());
            }
            self.tally.seal(seal)?;
            (self.sealed, self.is_continued) = (index.0, seal.continued);
        } else if self.is_continued {
            return Err(SealError::Unfinished.into());
        }
        if let Some((source, added)) = &share.added {
            self.tally.add(source, added);
        }
        self.waiting.extend(share.keys.iter().map(|&key| Link { key, index, leaf }));
        self.next += 1;
        if self.waiting.len() >= LINKS_MAX { self.settle(map) } else { Ok(()) }
    }

    /// Has the map take what waits.
    ///
    /// # Errors
    /// Of the map.
    pub fn settle<M: EntityMap>(&mut self, map: &mut M) -> Result<(), M::Error> {
        if !self.waiting.is_empty() {
            self.root = map.append(self.root, take(&mut self.waiting))?;
        }
        Ok(())
    }

    /// How many records were taken.
    pub fn taken(&self) -> TreeSize {
        TreeSize(self.next)
    }

    /// How many records the last seal covers.
    pub fn sealed(&self) -> TreeSize {
        TreeSize(self.sealed)
    }

    /// Whether the last seal is continued, and nothing continues it yet.
    pub fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// The root of the map, once it is settled.
    pub fn root(&self) -> MapRoot {
        self.root
    }

    /// How many links wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The counts so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Coverage {
    /// Of a log without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record, once its link to the one before it is checked; `leaf` is the hash of its bytes. A seal is
    /// compared with all that came before it.
    ///
    /// # Errors
    /// [`SealError`]; the record is not taken then.
    pub fn add(&mut self, record: &Record, leaf: LeafHash) -> Result<(), SealError> {
        let seal = match &record.body {
            Some(Body::Seal(seal)) => Some(seal),
            _ => None,
        };
        self.take(RecordIndex(record.index), leaf, &Share::of(record), seal)
    }

    /// The same for a record whose share is known.
    ///
    /// # Errors
    /// [`SealError`]; the record is not taken then.
    pub fn take(
        &mut self,
        index: RecordIndex,
        leaf: LeafHash,
        share: &Share,
        seal: Option<&Seal>,
    ) -> Result<(), SealError> {
        self.progress.take(&mut self.map, index, leaf, share, seal)
    }

    /// What they come to, with nothing waiting.
    pub fn settled(&mut self) -> &Progress {
        // Appending in memory does not fail.
        let _ = self.progress.settle(&mut self.map);
        &self.progress
    }

    /// The root of the entity map over all records so far.
    pub fn root(&mut self) -> MapRoot {
        self.settled().root()
    }

    /// The entity map over all records so far.
    pub fn map(&mut self) -> &MemoryMap {
        self.settled();
        &self.map
    }

    /// The counts so far.
    pub fn tally(&self) -> &Tally {
        &self.progress.tally
    }
}

impl Tally {
    /// Of sources with their counts, and whether each has others than at the last seal.
    pub fn of_sources(sources: impl IntoIterator<Item = (SealedSource, bool)>) -> Self {
        let mut tally = Self::default();
        for (counts, is_changed) in sources {
            let tallied = tally.of_mut(counts.source.clone().as_ref());
            tallied.is_changed |= is_changed;
            tallied.counts = counts;
        }
        tally
    }

    /// Every source with its counts, and whether they are others than at the last seal.
    pub fn sources(&self) -> impl Iterator<Item = (&SealedSource, bool)> {
        self.sources.iter().map(|tallied| (&tallied.counts, tallied.is_changed))
    }

    /// Adds what a record brings.
    fn add(&mut self, source: &Source, added: &SealedSource) {
        let Tallied { counts, is_changed } = self.of_mut(Some(source));
        counts.events += added.events;
        counts.facts += added.facts;
        counts.unmapped += added.unmapped;
        counts.conflicts += added.conflicts;
        counts.rejected += added.rejected;
        *is_changed = true;
    }

    /// The counts of a source.
    pub fn of(&self, source: &Source) -> SealedSource {
        let none = || SealedSource { source: Some(source.clone()), ..SealedSource::default() };
        self.place(Some(source)).map_or_else(|_| none(), |place| self.sources[place].counts.clone())
    }

    /// Says how often a source delivered what was known, where that is more than the last seal says.
    pub fn set_duplicates(&mut self, source: &Source, duplicates: u64) {
        if duplicates > self.of(source).duplicates {
            let tallied = self.of_mut(Some(source));
            (tallied.counts.duplicates, tallied.is_changed) = (duplicates, true);
        }
    }

    /// Which sources the next seal has to name, or those that continue it, with their counts; the duplicates are those of the
    /// last one.
    pub fn changed(&self) -> impl Iterator<Item = &SealedSource> {
        self.sources.iter().filter(|tallied| tallied.is_changed).map(|tallied| &tallied.counts)
    }

    /// Checks the counts of a seal, and takes its word for the duplicates.
    ///
    /// # Errors
    /// [`SealError::Counts`], [`SealError::Missing`] or [`SealError::Shrinks`]; nothing is taken then.
    pub fn seal(&mut self, seal: &Seal) -> Result<(), SealError> {
        let mut missing: Vec<bool> = self.sources.iter().map(|tallied| tallied.is_changed).collect();
        let mut sealed = Vec::with_capacity(seal.sources.len());
        for stated in &seal.sources {
            let source = stated.source.clone().unwrap_or_default();
            let ours = self.of(&source);
            let (expected, found) = (ours.duplicates, stated.duplicates);
            if found < expected {
                return Err(SealError::Shrinks { name: text_of(Some(&source)), expected, found });
            }
            let expected = SealedSource { duplicates: found, ..ours.clone() };
            let was_missing = self.place(Some(&source)).is_ok_and(|place| take(&mut missing[place]));
            let is_new = was_missing || expected != ours;
            if !is_new || *stated != expected {
                let expected = match is_new {
                    true => format!("{expected:?}"),
                    false => format!("nothing of {}, which has no new counts", text_of(Some(&source))),
                };
                return Err(SealError::Counts { expected, found: format!("{stated:?}") });
            }
            sealed.push(expected);
        }
        let first = self.sources.iter().zip(&missing).find(|(_, is_missing)| **is_missing);
        if let Some((Tallied { counts, .. }, _)) = first.filter(|_| !seal.continued) {
            return Err(SealError::Missing(text_of(counts.source.as_ref())));
        }
        for (tallied, is_missing) in self.sources.iter_mut().zip(missing) {
            tallied.is_changed = is_missing;
        }
        for expected in sealed {
            let source = expected.source.clone();
            self.of_mut(source.as_ref()).counts = expected;
        }
        Ok(())
    }

    /// Where a source is, or would be.
    fn place(&self, source: Option<&Source>) -> Result<usize, usize> {
        let name = name_of(source);
        self.sources.binary_search_by(|tallied| name_of(tallied.counts.source.as_ref()).cmp(&name))
    }

    /// The counts of a source, without any where it has none yet.
    fn of_mut(&mut self, source: Option<&Source>) -> &mut Tallied {
        let place = self.place(source).unwrap_or_else(|place| {
            let counts = SealedSource { source: source.cloned(), ..SealedSource::default() };
            self.sources.insert(place, Tallied { counts, is_changed: false });
            place
        });
        &mut self.sources[place]
    }
}

fn name_of(source: Option<&Source>) -> SourceView<'_> {
    source.map_or_else(SourceView::default, SourceView::of)
}

fn text_of(source: Option<&Source>) -> String {
    let Source { system, instance, stream } = name_of(source).to_source();
    format!("{system}/{instance}/{stream}")
}
