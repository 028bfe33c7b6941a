//! What is read again: a reading of an event that replaces the one before it.
//!
//! Owns which reading of an event counts by how many records, and what a remapping has to repeat. A **reading** is all
//! records of one event, as it first came or as it was remapped: they are consecutive, and named by the first of them. It
//! never reads a payload: connectors do.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{EventRemapped, Provenance, Record, record::Body};

use crate::entity::EntityId;
use crate::fact::entity_set;
use crate::record::{self, event_of};
use crate::rules::Violation;
use crate::tree::{RecordIndex, TreeSize};

/// The remapping that a record is a part of.
pub fn remapped(record: &Record) -> Option<&EventRemapped> {
    match &record.body {
        Some(Body::EventRemapped(remapped)) => Some(remapped),
        _ => None,
    }
}

/// The first record of the reading that a record is a part of; itself where it is no event.
pub fn reading_of(record: &Record) -> RecordIndex {
    RecordIndex(record.index.saturating_sub(event_of(record).map_or(0, |event| u64::from(event.part))))
}

/// The record in which what a record says first came to the ledger: itself, unless it was read again.
pub fn place_of(record: &Record) -> RecordIndex {
    RecordIndex(remapped(record).map_or(record.index, |remapped| remapped.first_index))
}

/// The first record of the event as it first came.
fn event_index(record: &Record) -> RecordIndex {
    remapped(record).map_or_else(|| reading_of(record), |remapped| RecordIndex(remapped.first_index))
}

/// Which part of how many a record of a remapping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Part {
    /// None of a record that reads nothing again.
    pub fn of(record: &Record) -> Option<Self> {
        remapped(record)?.event.as_ref().map(|event| Self { number: event.part, of: event.parts })
    }

    /// Whether the remapping ends with it.
    pub fn is_last(self) -> bool {
        self.number + 1 == self.of
    }
}

/// The readings of events that were read again.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// The remappings of each such event, by the event's first record.
    remapped: BTreeMap<RecordIndex, BTreeSet<RecordIndex>>,
}

impl Readings {
    /// Looks at a record. They may come in any order; those that are no remappings do no harm.
    pub fn add(&mut self, record: &Record) {
        if remapped(record).is_some() {
            self.remapped.entry(event_index(record)).or_default().insert(reading_of(record));
        }
    }

    /// Whether what a record says counts by the first `known` records: it is known, and no newer reading of its event is. A
    /// remapping is known with its first record.
    pub fn count(&self, record: &Record, known: TreeSize) -> bool {
        let remapped = self.remapped.get(&event_index(record));
        let newest = remapped.and_then(|readings| readings.range(..RecordIndex(known.0)).next_back());
        record.index < known.0 && newest.is_none_or(|newest| *newest == reading_of(record))
    }
}

/// Which readings count by the first so many of some records.
#[derive(Clone, Debug, Default)]
pub struct Counting {
    known: TreeSize,
    readings: Readings,
}

impl Counting {
    /// Looks through records, in any order, for what the first `known` of the log say.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>, known: TreeSize) -> Self {
        let mut readings = Readings::default();
        records.into_iter().for_each(|record| readings.add(record));
        Self { known, readings }
    }

    /// Whether what a record says counts.
    pub fn counts(&self, record: &Record) -> bool {
        self.readings.count(record, self.known)
    }
}

/// The entities that a remapping repeats.
pub fn repeated(remapped: &EventRemapped) -> impl Iterator<Item = EntityId> {
    remapped.entities.iter().filter_map(|entity| EntityId::from_bytes(entity).ok())
}

/// Reads the remapping whose first record is `first` and that has so many records, and what it says that it replaces, and
/// [`check`]s one against the other.
///
/// # Errors
/// Of whoever reads; what is wrong with the remapping is in what is given back.
pub fn check_at<E>(
    first: RecordIndex,
    parts: u32,
    mut read: impl FnMut(RecordIndex) -> Result<Record, E>,
) -> Result<Result<(), Violation>, E> {
    let mut reading = |first: u64, parts: u32| {
        let records = (first..first.saturating_add(parts.into())).map(|index| read(RecordIndex(index)));
        records.collect::<Result<Vec<_>, E>>()
    };
    let parts = reading(first.0, parts)?;
    let replaces = parts.first().and_then(remapped).map_or(0, |remapped| remapped.replaces);
    let replaced = reading(replaces, 1)?;
    let of = replaced.first().and_then(event_of).map_or(1, |event| event.parts);
    let replaced = if of == 1 { replaced } else { reading(replaces, of)? };
    Ok(check(&parts, &replaced))
}

/// Checks the records of one remapping against those of the reading that it replaces: that they are this event's, and
/// that they repeat the entities of these, no fewer and no others.
///
/// # Errors
/// [`Violation`] if it is no remapping of them.
pub fn check(parts: &[Record], replaced: &[Record]) -> Result<(), Violation> {
    let fail = |problem: &str| Err(Violation(problem.to_owned()));
    let (Some(said), Some(first)) = (parts.first().and_then(remapped), replaced.first()) else {
        return fail("a part of the remapping, or of what it replaces, is missing");
    };
    if !is_whole(parts) || !is_whole(replaced) || first.index != said.replaces {
        return fail("the parts of the remapping, or of what it replaces, are not one whole reading");
    }
    let leaf = record::encode(first).map(|bytes| record::hash(&bytes));
    if leaf.map_or(true, |leaf| leaf.0.as_bytes()[..] != said.replaces_leaf) {
        return fail("event_remapped.replaces_leaf is not the leaf hash of the record that it replaces");
    }
    if event_index(first).0 != said.first_index {
        return fail("event_remapped.first_index is not the first record of the event that it replaces");
    }
    let is_same = |part: &Record| {
        let said_too = remapped(part).map(|part| (part.first_index, part.replaces, &part.replaces_leaf));
        said_too == Some((said.first_index, said.replaces, &said.replaces_leaf)) && identity(part) == identity(first)
    };
    if !parts.iter().all(is_same) {
        return fail("the remapping is of another event than what it replaces");
    }
    let repeats: BTreeSet<EntityId> = parts.iter().filter_map(remapped).flat_map(repeated).collect();
    match repeats == replaced.iter().flat_map(entity_set).collect() {
        true => Ok(()),
        false => fail("event_remapped.entities are not those of the records that it replaces"),
    }
}

/// Whether records are all parts of one reading, in order.
fn is_whole(records: &[Record]) -> bool {
    let first = records.first().map_or(0, |first| first.index);
    let is_next = |(number, record): (u64, &Record)| {
        event_of(record).is_some_and(|event| {
            (u64::from(event.part), event.parts as usize) == (number, records.len()) && record.index == first + number
        })
    };
    (0..).zip(records).all(is_next)
}

/// What makes an event itself.
fn identity(record: &Record) -> Option<Provenance> {
    let provenance = record.provenance.clone()?;
    Some(Provenance { connector_version: 0, ..provenance })
}
