//! What each source has delivered, and how many objects of each kind it has named.
//!
//! Owns the counters. All of them are functions of the records; only duplicates are not, and the log counts those.
//!
//! ```text
//! sources   system ‖ 0 ‖ instance ‖ 0 ‖ connector   →  SourceCounts, as protobuf
//! objects   system ‖ 0 ‖ instance ‖ 0 ‖ kind        →  u64 distinct entities
//! ```
//! A kind is that of the entity, such as "account", or the type in an entitlement's, credential's or ticket's id, such as
//! "group_member". An entity counts for the system that its id names, whichever source named it.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{EntityKind, Event, Mapping, Precision, Record, record::Body};
use counterfoil_verify::entity::{EntityId, kind_name};
use counterfoil_verify::record::event_of;
use counterfoil_verify::redaction::redaction_of;
use counterfoil_verify::replay::facts_of;
use counterfoil_verify::time::{Moment, OccurredAt};
use prost::Message;

use crate::error::Result;
use crate::views::database::{Batch, Column, Row, View};
use crate::views::keys::read_u64;

/// The most native types that are counted one by one per source; those beyond count together, under no name.
const TYPES_MAX: usize = 1_000;

/// System, instance, and the connector or the kind of object.
pub(crate) type Name = (String, String, String);

/// The counters of one source.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SourceCounts {
    /// Native events, conflicts and rejected ones left out.
    #[prost(uint64, tag = "1")]
    pub(crate) events: u64,
    /// Their facts.
    #[prost(uint64, tag = "2")]
    pub(crate) facts: u64,
    /// Events of a type that the connector does not know.
    #[prost(uint64, tag = "3")]
    pub(crate) unmapped: u64,
    /// Events that lack what their facts need.
    #[prost(uint64, tag = "4")]
    pub(crate) incomplete: u64,
    /// Known event ids that came again with other content.
    #[prost(uint64, tag = "5")]
    pub(crate) conflicts: u64,
    /// Events that could not be read.
    #[prost(uint64, tag = "6")]
    pub(crate) rejected: u64,
    /// When the first fact happened.
    #[prost(message, optional, tag = "7")]
    first: Option<Instant>,
    /// When the last one did.
    #[prost(message, optional, tag = "8")]
    last: Option<Instant>,
    /// The types that the connector does not know, by native name.
    #[prost(btree_map = "string, message", tag = "9")]
    pub(crate) unmapped_types: BTreeMap<String, TypeCount>,
    /// Of the rejected events, those that were put through since.
    #[prost(uint64, tag = "10")]
    pub(crate) retried: u64,
}

/// A moment.
#[derive(Clone, Copy, PartialEq, Message)]
struct Instant {
    #[prost(sint64, tag = "1")]
    seconds: i64,
    #[prost(uint32, tag = "2")]
    nanos: u32,
}

impl Instant {
    fn order(&self) -> (i64, u32) {
        (self.seconds, self.nanos)
    }
}

/// How often a native type came, and one record with it.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct TypeCount {
    /// How often.
    #[prost(uint64, tag = "1")]
    pub(crate) count: u64,
    /// The first record with it.
    #[prost(uint64, tag = "2")]
    pub(crate) example: u64,
}

impl SourceCounts {
    /// When its first fact happened, and its last.
    pub(crate) fn period(&self) -> (Option<OccurredAt>, Option<OccurredAt>) {
        let moment = |instant: Instant| OccurredAt(Moment { seconds: instant.seconds, nanos: instant.nanos });
        (self.first.map(moment), self.last.map(moment))
    }

    fn add(&mut self, record: &Record) {
        match &record.body {
            Some(Body::Event(event)) => {
                let is_first_part = u64::from(event.part == 0);
                self.events += is_first_part;
                self.facts += event.facts.len() as u64;
                match event.mapping() {
                    Mapping::Unmapped => self.unmapped += is_first_part,
                    Mapping::Incomplete => self.incomplete += is_first_part,
                    _ => {}
                }
            }
            // The event was counted when it came: only what it says is another. What it said is taken back.
            Some(Body::EventRemapped(remapped)) => {
                let event = remapped.event.as_ref();
                self.facts += event.map_or(0, |event| event.facts.len() as u64);
                let is_first_part = u64::from(event.is_some_and(|event| event.part == 0));
                match event.map(Event::mapping) {
                    Some(Mapping::Unmapped) => self.unmapped += is_first_part,
                    Some(Mapping::Incomplete) => self.incomplete += is_first_part,
                    _ => {}
                }
            }
            Some(Body::EventConflict(_)) => self.conflicts += 1,
            Some(Body::SourceRejected(_)) => self.rejected += 1,
            Some(
                Body::Origin(_) | Body::SourceGap(_) | Body::Seal(_) | Body::Redaction(_) | Body::KeyAnnouncement(_),
            )
            | None => {}
        }
        for fact in facts_of(record) {
            let happened = fact.fact.occurred_at.unwrap_or_default();
            // What has always been so says nothing of when the source began.
            if happened.precision() == Precision::Always {
                continue;
            }
            let Moment { seconds, nanos } = Moment::of(&happened);
            let now = Instant { seconds, nanos };
            self.first = self.first.into_iter().chain([now]).min_by_key(Instant::order);
            self.last = self.last.into_iter().chain([now]).max_by_key(Instant::order);
        }
    }

    /// Adds the counts of later records, their unmapped types aside.
    fn add_all(&mut self, later: &Self) {
        self.events += later.events;
        self.facts += later.facts;
        self.unmapped += later.unmapped;
        self.incomplete += later.incomplete;
        self.conflicts += later.conflicts;
        self.rejected += later.rejected;
        self.first = self.first.into_iter().chain(later.first).min_by_key(Instant::order);
        self.last = self.last.into_iter().chain(later.last).max_by_key(Instant::order);
    }

    /// Of a type that was not counted by its name, one of those beyond the limit is taken back.
    fn take_back_unmapped(&mut self, native_type: &str) {
        let name = if self.unmapped_types.contains_key(native_type) { native_type } else { "" };
        if let Some(counted) = self.unmapped_types.get_mut(name) {
            counted.count = counted.count.saturating_sub(1);
            if counted.count == 0 {
                self.unmapped_types.remove(name);
            }
        }
    }

    fn add_unmapped(&mut self, native_type: &str, index: u64) {
        let is_room = self.unmapped_types.len() < TYPES_MAX || self.unmapped_types.contains_key(native_type);
        let name = if is_room { native_type } else { "" };
        let counted = self.unmapped_types.entry(name.to_owned()).or_insert(TypeCount { count: 0, example: index });
        counted.count += 1;
    }
}

/// What one batch of records comes to.
#[derive(Default)]
pub(crate) struct Counted {
    sources: BTreeMap<Name, SourceCounts>,
    /// The events of unknown types, in their order: which types are counted one by one depends on it.
    unmapped: Vec<(Name, String, u64)>,
}

impl Counted {
    /// Counts a record.
    pub(crate) fn add(&mut self, record: &Record) {
        // A redaction is no source's.
        let Some(name) = source_of(record).filter(|_| redaction_of(record).is_none()) else { return };
        if let Some(event) = event_of(record)
            && event.mapping() == Mapping::Unmapped
        {
            self.unmapped.push((name.clone(), event.native_type.clone(), record.index));
        }
        self.sources.entry(name).or_default().add(record);
    }
}

/// All counters, kept in memory by the projector, and which of them the next batch writes.
#[derive(Default)]
pub(crate) struct Counters {
    sources: BTreeMap<Name, SourceCounts>,
    objects: BTreeMap<Name, u64>,
    changed_sources: BTreeSet<Name>,
    changed_objects: BTreeSet<Name>,
}

impl Counters {
    /// Reads what the database holds.
    pub(crate) fn load(view: &View<'_>) -> Result<Self> {
        Ok(Self { sources: sources(view)?, objects: objects(view)?, ..Self::default() })
    }

    /// Adds what a batch of records came to.
    pub(crate) fn add(&mut self, counted: Counted) {
        for (name, counts) in counted.sources {
            self.sources.entry(name.clone()).or_default().add_all(&counts);
            self.changed_sources.insert(name);
        }
        for (name, native_type, index) in counted.unmapped {
            self.sources.entry(name).or_default().add_unmapped(&native_type, index);
        }
    }

    /// Takes back what a record said that was read again; the event stays counted.
    pub(crate) fn take_back(&mut self, record: &Record) {
        let (Some(name), Some(event)) = (source_of(record), event_of(record)) else { return };
        let counts = self.sources.entry(name.clone()).or_default();
        counts.facts = counts.facts.saturating_sub(event.facts.len() as u64);
        if event.part == 0 {
            match event.mapping() {
                Mapping::Unmapped => {
                    counts.unmapped = counts.unmapped.saturating_sub(1);
                    counts.take_back_unmapped(&event.native_type);
                }
                Mapping::Incomplete => counts.incomplete = counts.incomplete.saturating_sub(1),
                _ => {}
            }
        }
        self.changed_sources.insert(name);
    }

    /// Counts a rejected event that was put through.
    pub(crate) fn add_retried(&mut self, letter: &Record) {
        let Some(name) = source_of(letter) else { return };
        self.sources.entry(name.clone()).or_default().retried += 1;
        self.changed_sources.insert(name);
    }

    /// Counts an entity that was never named before, if it is an object of a system.
    pub(crate) fn add_object(&mut self, entity: &EntityId) {
        if matches!(
            entity.kind(),
            EntityKind::Identifier | EntityKind::Unresolved | EntityKind::Source | EntityKind::Correlation
        ) {
            return;
        }
        let own_kind = kind_name(entity.kind());
        // The id of a scope says what it covers, and that of a rule is what people call it: neither is of a type.
        let is_typed = !matches!(entity.kind(), EntityKind::SnapshotScope | EntityKind::Rule);
        let typed = Some(entity.native_id()).filter(|_| is_typed);
        let kind = typed.and_then(|id| id.split_once('/')).map_or(own_kind, |(kind, _)| kind);
        let name = (entity.system().to_owned(), entity.instance().to_owned(), kind.to_owned());
        *self.objects.entry(name.clone()).or_default() += 1;
        self.changed_objects.insert(name);
    }

    /// Adds the counters that changed.
    pub(crate) fn project(&mut self, batch: &mut Batch) {
        for name in std::mem::take(&mut self.changed_sources) {
            let counts = self.sources.get(&name).map(Message::encode_to_vec).unwrap_or_default();
            batch.put(Column::Sources, &[&key(&name)], &counts);
        }
        for name in std::mem::take(&mut self.changed_objects) {
            let count = self.objects.get(&name).copied().unwrap_or_default();
            batch.put(Column::Objects, &[&key(&name)], &count.to_be_bytes());
        }
    }
}

/// The counters of every source.
pub(crate) fn sources(view: &View<'_>) -> Result<BTreeMap<Name, SourceCounts>> {
    let malformed = || view.damaged("the counters of a source cannot be read");
    let read = |row: Result<Row>| {
        let (key, value) = row?;
        let counts = SourceCounts::decode(&*value).map_err(|_| malformed())?;
        Ok((name(&key).ok_or_else(malformed)?, counts))
    };
    view.forward(Column::Sources, &[], &[])?.map(read).collect()
}

/// The number of objects of each kind in every system.
pub(crate) fn objects(view: &View<'_>) -> Result<BTreeMap<Name, u64>> {
    let malformed = || view.damaged("a count of objects cannot be read");
    let read = |row: Result<Row>| {
        let (key, value) = row?;
        Ok((name(&key).ok_or_else(malformed)?, read_u64(&value).ok_or_else(malformed)?))
    };
    view.forward(Column::Objects, &[], &[])?.map(read).collect()
}

/// The systems and instances that have entities of these kinds, whose ids are of no type.
pub(crate) fn places_of<const N: usize>(
    view: &View<'_>,
    kinds: [EntityKind; N],
) -> Result<[BTreeSet<(String, String)>; N]> {
    let objects = objects(view)?;
    let of = |kind: EntityKind| {
        let found = objects.keys().filter(|(.., name)| name == kind_name(kind));
        found.map(|(system, instance, _)| (system.clone(), instance.clone())).collect()
    };
    Ok(kinds.map(of))
}

/// The source of a record.
pub(crate) fn source_of(record: &Record) -> Option<Name> {
    let provenance = record.provenance.as_ref()?;
    let source = provenance.source.clone().unwrap_or_default();
    Some((source.system, source.instance, provenance.connector.clone()))
}

fn key((system, instance, last): &Name) -> Vec<u8> {
    format!("{system}\0{instance}\0{last}").into_bytes()
}

fn name(key: &[u8]) -> Option<Name> {
    let mut parts = std::str::from_utf8(key).ok()?.splitn(3, '\0').map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()?))
}
