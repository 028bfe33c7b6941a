//! Remapping: kept events, read again with the connector as it is now.
//!
//! Owns the way from an event's kept payload to a record that says what it means by now, where that is something else than
//! what counts. What such a record says rests on the same bytes as before: source, place, delivery and how the producer was
//! authenticated are those of the event; the version of the connector tells the readings apart. It moves no position, and
//! an event that comes again is known as ever. To do it twice adds nothing, and what was interrupted goes on by being done
//! again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use counterfoil_ledger::{Batch, ContentDigest, EventKey, Ledger, LedgerError, Outcome, PreparedEvent, Reader};
use counterfoil_proto::v1::{
    EntityKind, Event, EventRemapped, Fact, Mapping, Precision, Provenance, Record, RejectReason, record::Body,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Role, entity_set, references};
use counterfoil_verify::record::{self, event_of};
use counterfoil_verify::remap::reading_of;
use counterfoil_verify::rules::{FACTS_MAX, PARTS_MAX};
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;

use crate::connectors::{Connector, Context, PartContext, Reading, Reject};
use crate::json::{self, DigestKey};
use crate::prepare::{Delivered, Document, FACT_BYTES_MAX};

/// The most events and about the most bytes of payloads that are appended together.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 8 << 20;
/// The ids of what was made of listings begin so: a page of a listing says what it is a page of, and no item does.
const LISTING: &str = "listing/";
/// The stream of what came by an event hook.
const HOOK_STREAM: &str = "event-hook";

/// Which events are read again, and how.
pub struct RemapOptions<'a> {
    /// The connector as it is now.
    pub connector: &'a dyn Connector,
    /// Only what came from this system and tenant, where one is named.
    pub source: Option<(String, String)>,
    /// The tenant whose tickets are meant where an event mentions one, and did not so far.
    pub ticket_instance: String,
    /// Only count.
    pub dry_run: bool,
    /// Randomness from which the seed of every record derives. Must never repeat.
    pub seed_secret: [u8; 32],
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remapped {
    /// Events of the connector.
    pub events: u64,
    /// Those that say what they said.
    pub same: u64,
    /// Those that say something else by now: a record says what.
    pub remapped: u64,
    /// Parts of listings: a listing is taken again, as it is now.
    pub listings: u64,
    /// Those whose payload was removed.
    pub removed: u64,
    /// Those that a newer version of the connector read: what it says stays.
    pub newer: u64,
    /// Those that cannot be read any more: what they said stays.
    pub unreadable: u64,
    /// The first of these, and why.
    pub example: Option<(RecordIndex, String)>,
    /// The records of the log that were looked at.
    pub looked_at: u64,
    /// All of them.
    pub records: u64,
}

/// Reads the kept events of a connector again, and appends what they say by now where that is something else. `progress`
/// is told after each record what came of those so far, and may end it there.
///
/// # Errors
/// [`LedgerError`] if the ledger cannot be read or takes nothing. What was appended before stays.
pub fn remap(
    ledger: &Ledger,
    options: &RemapOptions<'_>,
    progress: &mut dyn FnMut(&Remapped) -> ControlFlow<()>,
) -> Result<Remapped, LedgerError> {
    let (reader, digest_key) = (ledger.reader(), DigestKey::new(*ledger.keys().ingest()));
    let remapper = Remapper { options, reader: &reader, digest_key: &digest_key, ledger };
    let size = reader.head().size.0;
    // There to be seen, also where nothing is replaced.
    replaced(options.connector, 0);
    let mut done = Remapped { records: size, ..Remapped::default() };
    let (mut events, mut bytes) = (Vec::new(), 0);
    // What was replaced meanwhile, by the commit before this run, is known already.
    let append = |events: &mut Vec<PreparedEvent>| -> Result<(u64, u64), LedgerError> {
        let events = std::mem::take(events);
        let count = events.len() as u64;
        if options.dry_run || count == 0 {
            return Ok((count, 0));
        }
        let outcomes = ledger.append(Batch { events, positions: Vec::new() })?.outcomes;
        let is_new = |outcome: &&Outcome| matches!(outcome, Outcome::Recorded(_));
        let new = outcomes.iter().filter(is_new).count() as u64;
        replaced(options.connector, new);
        Ok((new, count - new))
    };
    for record in reader.records(0..size) {
        let record = record?;
        if let Some(provenance) = remapper.provenance(&record) {
            done.events += 1;
            match remapper.read(&record, provenance)? {
                Again::Same => done.same += 1,
                Again::Otherwise(event, payload_bytes) => {
                    bytes += payload_bytes;
                    events.push(*event);
                }
                Again::OfListing => done.listings += 1,
                Again::Removed => done.removed += 1,
                Again::Newer => done.newer += 1,
                Again::Unreadable(why) => {
                    done.unreadable += 1;
                    done.example.get_or_insert((RecordIndex(record.index), why));
                }
            }
        }
        if events.len() == BATCH_EVENTS || bytes > BATCH_BYTES {
            done.count(append(&mut events)?);
            bytes = 0;
        }
        done.looked_at = record.index + 1;
        if progress(&done).is_break() {
            return Ok(done);
        }
    }
    done.count(append(&mut events)?);
    Ok(done)
}

/// Counts events that say something else, for whoever watches.
fn replaced(connector: &dyn Connector, events: u64) {
    metrics::counter!("counterfoil_remapped_total", "connector" => connector.name()).increment(events);
}

impl Remapped {
    fn count(&mut self, (remapped, same): (u64, u64)) {
        self.remapped += remapped;
        self.same += same;
    }
}

/// What reading an event again comes to.
enum Again {
    Same,
    /// Something else, read from so many bytes.
    Otherwise(Box<PreparedEvent>, usize),
    OfListing,
    Removed,
    Newer,
    Unreadable(String),
}

struct Remapper<'a> {
    options: &'a RemapOptions<'a>,
    ledger: &'a Ledger,
    reader: &'a Reader,
    digest_key: &'a DigestKey,
}

impl Remapper<'_> {
    /// Where an event came from that is to be read again; none of other records.
    fn provenance<'r>(&self, record: &'r Record) -> Option<&'r Provenance> {
        let is_first = matches!(&record.body, Some(Body::Event(event)) if event.part == 0);
        let provenance = record.provenance.as_ref().filter(|_| is_first)?;
        let source = provenance.source.as_ref()?;
        let wanted = self.options.source.as_ref();
        let is_wanted =
            wanted.is_none_or(|(system, instance)| (system, instance) == (&source.system, &source.instance));
        (is_wanted && provenance.connector == self.options.connector.name()).then_some(provenance)
    }

    fn read(&self, record: &Record, provenance: &Provenance) -> Result<Again, LedgerError> {
        if provenance.event_id.starts_with(LISTING) {
            return Ok(Again::OfListing);
        }
        let index = RecordIndex(record.index);
        let counting = self.counting(record, provenance)?;
        let version = counting.iter().filter_map(|part| part.provenance.as_ref()).map(|of| of.connector_version).max();
        if version > Some(self.options.connector.version()) {
            return Ok(Again::Newer);
        }
        let payload = self.reader.beside(index)?.and_then(|beside| beside.payload);
        // What was removed leaves its commitment.
        let Some(payload) = payload.filter(|payload| payload.commitment.is_empty()) else { return Ok(Again::Removed) };
        let said = Said::of(&counting);
        let source = provenance.source.clone().unwrap_or_default();
        let delivered = Delivered {
            connector: self.options.connector,
            context: Context {
                instance: &source.instance,
                ticket_system: "freshservice",
                ticket_instance: said.ticket_instance().unwrap_or(&self.options.ticket_instance),
                index_key: self.ledger.keys().index(),
                digest_key: self.digest_key,
                assume_utc: !provenance.assumed_zone.is_empty(),
                received_at: said.received_at().unwrap_or(record::recorded_at(record).0),
            },
            channel: String::new(),
            delivery: provenance.delivery(),
            authentication: provenance.authentication(),
            seed_secret: self.options.seed_secret,
            retry_of: None,
        };
        let reading = match self.reading(&delivered, provenance, &payload.content, &said) {
            Ok(reading) => reading,
            Err(reject) => return Ok(Again::Unreadable(reject.message)),
        };
        if said == Said::now(&reading) {
            return Ok(Again::Same);
        }
        let bytes = payload.content.len();
        Ok(match self.prepare(&delivered, record, &counting, reading) {
            Ok(event) => Again::Otherwise(Box::new(event), bytes),
            Err(reject) => Again::Unreadable(reject.message),
        })
    }

    /// The records of the reading of an event that counts.
    fn counting(&self, record: &Record, provenance: &Provenance) -> Result<Vec<Record>, LedgerError> {
        let key = EventKey::new(&provenance.source.clone().unwrap_or_default(), &provenance.event_id);
        let mut first = reading_of(record);
        while let Some(newer) = self.reader.replaced_by(&key, first)? {
            first = newer;
        }
        let head = if first.0 == record.index { record.clone() } else { self.reader.record(first)? };
        let parts = event_of(&head).map_or(1, |event| u64::from(event.parts));
        let rest = (first.0 + 1..first.0 + parts).map(|index| self.reader.record(RecordIndex(index)));
        std::iter::once(Ok(head)).chain(rest).collect()
    }

    /// What the connector makes of a payload now. What its envelope said of it is known from what was read of it.
    fn reading(
        &self,
        delivered: &Delivered<'_>,
        provenance: &Provenance,
        payload: &[u8],
        said: &Said<'_>,
    ) -> Result<Reading, Reject> {
        let content = ContentDigest::try_from(provenance.content_digest.as_slice()).unwrap_or_default();
        let source = provenance.source.as_ref();
        let is_it = |reading: &Reading| {
            let (now, event_id) = delivered.identity(reading, &content);
            let is_there = source.is_some_and(|was| (&was.system, &was.instance) == (&now.system, &now.instance));
            is_there && event_id == provenance.event_id
        };
        let event = json::parse(payload)?;
        let hook = source.is_some_and(|source| source.stream == HOOK_STREAM);
        let whole = PartContext { parent: said.parent(), hook, ..PartContext::default() };
        // Of what its envelope alone said what it is, the id begins with that.
        let kind = provenance.event_id.split_once('/').map(|(kind, _)| kind.to_owned().into());
        let part = PartContext { kind, ..whole.clone() };
        let mut why = Reject::new(
            RejectReason::NotAnEvent,
            "the connector makes another event of it than it was: deliver it again, in what it came in",
        );
        for context in [whole, part] {
            match self.options.connector.read(&event, &context, &delivered.context) {
                Ok(reading) if is_it(&reading) => return Ok(reading),
                Ok(_) => {}
                Err(reject) => why = reject,
            }
        }
        Err(why)
    }

    fn prepare(
        &self,
        delivered: &Delivered<'_>,
        record: &Record,
        counting: &[Record],
        reading: Reading,
    ) -> Result<PreparedEvent, Reject> {
        let replaced = counting.first().unwrap_or(record);
        let leaf = record::encode(replaced).map(|bytes| record::hash(&bytes));
        let leaf = leaf.map_err(|error| Reject::new(RejectReason::FieldInvalid, error.to_string()))?;
        let remapped = EventRemapped {
            first_index: record.index,
            replaces: replaced.index,
            replaces_leaf: leaf.0.as_bytes().to_vec(),
            ..EventRemapped::default()
        };
        let values = reading.values.clone();
        let bodies = bodies(&remapped, counting.iter().flat_map(entity_set).collect(), reading)?;
        let version = self.options.connector.version();
        let provenance = record.provenance.clone().unwrap_or_default();
        let provenance = Provenance { connector_version: version, ..provenance };
        // The payload stays where it is: beside the event.
        let place = Document { sequence: record.index, ..Document::default() };
        delivered.seal(&place, 0, provenance, bodies, (Vec::new(), &values, None))
    }
}

/// The bodies of a remapping's records: one, or as many as its facts and the entities that it repeats need.
fn bodies(remapped: &EventRemapped, entities: BTreeSet<EntityId>, reading: Reading) -> Result<Vec<Body>, Reject> {
    let empty = || EventRemapped { event: Some(Event::default()), ..remapped.clone() };
    let mut parts = vec![empty()];
    let mut bytes = 0;
    let mut room = |parts: &mut Vec<EventRemapped>, size: usize, is_full: &dyn Fn(&EventRemapped) -> bool| {
        bytes += size;
        if bytes > FACT_BYTES_MAX || parts.last().is_some_and(is_full) {
            parts.push(empty());
            bytes = size;
        }
    };
    for fact in reading.facts {
        let is_full = |part: &EventRemapped| part.event.as_ref().is_some_and(|event| event.facts.len() == FACTS_MAX);
        room(&mut parts, fact.encoded_len() + 8, &is_full);
        if let Some(event) = parts.last_mut().and_then(|part| part.event.as_mut()) {
            event.facts.push(fact);
        }
    }
    for entity in entities {
        room(&mut parts, entity.as_bytes().len() + 4, &|_| false);
        if let Some(part) = parts.last_mut() {
            part.entities.push(entity.as_bytes().to_vec());
        }
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    if count > PARTS_MAX {
        let why = format!("what it says by now needs {count} records, and at most {PARTS_MAX} hold one event");
        return Err(Reject::new(RejectReason::TooManyFacts, why));
    }
    let numbered = (0..).zip(parts).map(|(part, mut body)| {
        if let Some(event) = &mut body.event {
            event.native_type.clone_from(&reading.native_type);
            event.set_mapping(reading.mapping);
            (event.part, event.parts) = (part, count);
        }
        Body::EventRemapped(body)
    });
    Ok(numbered.collect())
}

/// What an event says.
#[derive(PartialEq)]
struct Said<'a> {
    native_type: &'a str,
    mapping: Mapping,
    facts: Vec<&'a Fact>,
}

impl<'a> Said<'a> {
    /// By the records of a reading.
    fn of(counting: &'a [Record]) -> Self {
        let events: Vec<&Event> = counting.iter().filter_map(event_of).collect();
        Self {
            native_type: events.first().map_or("", |event| event.native_type.as_str()),
            mapping: events.first().map_or(Mapping::Unspecified, |event| event.mapping()),
            facts: events.iter().flat_map(|event| &event.facts).collect(),
        }
    }

    fn now(reading: &'a Reading) -> Self {
        Self { native_type: &reading.native_type, mapping: reading.mapping, facts: reading.facts.iter().collect() }
    }

    /// The tenant whose tickets it refers to.
    fn ticket_instance(&self) -> Option<&'a str> {
        let tickets = self.facts.iter().flat_map(|fact| references(fact)).filter(|(role, _)| *role == Role::Ticket);
        tickets.map(|(_, ticket)| ticket.instance.as_str()).find(|instance| !instance.is_empty())
    }

    /// When it was received, where it has no time of its own.
    fn received_at(&self) -> Option<Moment> {
        let times = self.facts.iter().filter_map(|fact| fact.occurred_at.as_ref());
        times.filter(|time| time.precision() == Precision::Received).map(Moment::of).next()
    }

    /// The ticket that it belongs to.
    fn parent(&self) -> Option<String> {
        let objects = self.facts.iter().filter_map(|fact| fact.object.as_ref());
        let own = objects.filter(|object| object.kind() == EntityKind::Ticket && object.system.is_empty());
        own.map(|ticket| ticket.id.clone()).find(|id| !id.is_empty())
    }
}
