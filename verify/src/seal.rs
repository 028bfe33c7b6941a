//! What a seal says, and what it has to say.
//!
//! Owns what records come to for a seal, recomputed from them: the root of the entity map, and the counts of each
//! source. Duplicates and positions leave no record and are the operator's word: of the former it only sees that they
//! never shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

use counterfoil_proto::v1::{Mapping, Record, Seal, SealedSource, Source, record::Body};

use crate::fact::entity_set;
use crate::hash::{Hash, LeafHash};
use crate::map::memory::MemoryMap;
use crate::map::{Link, MapKey, MapRoot};
use crate::tree::RecordIndex;

/// How many links wait before the map takes them, seal or none: a bound on memory.
const LINKS_MAX: usize = 100_000;

/// What the records of a log come to, from record 0 on.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    next: u64,
    is_continued: bool,
    map: MemoryMap,
    waiting: Vec<Link>,
    tally: Tally,
}

/// The counts of every source, and which of them are others than at the last seal.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    sources: BTreeMap<Name, SealedSource>,
    changed: BTreeSet<Name>,
}

/// System, instance and stream.
type Name = (String, String, String);

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
        let index = RecordIndex(record.index);
        if index.0 != self.next {
            return Err(SealError::Order { expected: RecordIndex(self.next), found: index });
        }
        if let Some(Body::Seal(seal)) = &record.body {
            let expected = self.root().0;
            if seal.map_root != expected.as_bytes() {
                let found = seal.map_root.iter().map(|byte| format!("{byte:02x}")).collect();
                return Err(SealError::Root { expected, found });
            }
            self.tally.seal(seal)?;
            self.is_continued = seal.continued;
        } else if self.is_continued {
            return Err(SealError::Unfinished);
        }
        self.tally.add(record);
        let link = |entity| Link { key: MapKey::of(&entity), index, leaf };
        self.waiting.extend(entity_set(record).into_iter().map(link));
        if self.waiting.len() >= LINKS_MAX {
            self.settle();
        }
        self.next += 1;
        Ok(())
    }

    /// The root of the entity map over all records so far.
    pub fn root(&mut self) -> MapRoot {
        self.settle();
        self.map.root()
    }

    /// The entity map over all records so far.
    pub fn map(&mut self) -> &MemoryMap {
        self.settle();
        &self.map
    }

    /// The counts so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn settle(&mut self) {
        if !self.waiting.is_empty() {
            self.map.append(take(&mut self.waiting));
        }
    }
}

impl Tally {
    /// Counts a record: each event once, whatever the number of its parts.
    pub fn add(&mut self, record: &Record) {
        let Some(source) = record.provenance.as_ref().and_then(|provenance| provenance.source.as_ref()) else { return };
        let mut counts = self.of(source);
        let before = counts.clone();
        match &record.body {
            Some(Body::Event(event)) => {
                let is_first_part = u64::from(event.part == 0);
                counts.events += is_first_part;
                counts.facts += event.facts.len() as u64;
                counts.unmapped += if event.mapping() == Mapping::Unmapped { is_first_part } else { 0 };
            }
            Some(Body::EventConflict(_)) => counts.conflicts += 1,
            Some(Body::SourceRejected(_)) => counts.rejected += 1,
            // What is read again was counted as it first came.
            Some(Body::Origin(_) | Body::SourceGap(_) | Body::Seal(_) | Body::EventRemapped(_)) | None => {}
        }
        if counts != before {
            self.changed.insert(name_of(source));
            self.sources.insert(name_of(source), counts);
        }
    }

    /// The counts of a source.
    pub fn of(&self, source: &Source) -> SealedSource {
        let none = || SealedSource { source: Some(source.clone()), ..SealedSource::default() };
        self.sources.get(&name_of(source)).cloned().unwrap_or_else(none)
    }

    /// Which sources the next seal has to name, or those that continue it, with their counts; the duplicates are those of the
    /// last one.
    pub fn changed(&self) -> impl Iterator<Item = &SealedSource> {
        self.changed.iter().filter_map(|name| self.sources.get(name))
    }

    /// Checks the counts of a seal, and takes its word for the duplicates.
    ///
    /// # Errors
    /// [`SealError::Counts`], [`SealError::Missing`] or [`SealError::Shrinks`]; nothing is taken then.
    pub fn seal(&mut self, seal: &Seal) -> Result<(), SealError> {
        let mut missing = self.changed.clone();
        let mut sealed = Vec::with_capacity(seal.sources.len());
        for stated in &seal.sources {
            let source = stated.source.clone().unwrap_or_default();
            let (name, ours) = (name_of(&source), self.of(&source));
            let (expected, found) = (ours.duplicates, stated.duplicates);
            if found < expected {
                return Err(SealError::Shrinks { name: text_of(&name), expected, found });
            }
            let expected = SealedSource { duplicates: found, ..ours.clone() };
            let is_new = missing.remove(&name) || expected != ours;
            if !is_new || *stated != expected {
                return Err(SealError::Counts { expected: format!("{expected:?}"), found: format!("{stated:?}") });
            }
            sealed.push((name, expected));
        }
        if let Some(name) = missing.first().filter(|_| !seal.continued) {
            return Err(SealError::Missing(text_of(name)));
        }
        self.sources.extend(sealed);
        self.changed = missing;
        Ok(())
    }
}

fn name_of(source: &Source) -> Name {
    (source.system.clone(), source.instance.clone(), source.stream.clone())
}

fn text_of((system, instance, stream): &Name) -> String {
    format!("{system}/{instance}/{stream}")
}
