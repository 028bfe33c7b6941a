//! A small ledger for tests: events of made-up sources, at times that the test says.
//!
//! Owns the way from facts to records. It never asserts anything.
#![allow(dead_code, reason = "each test uses another part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use counterfoil_ledger::{
    Batch, Clock, Ledger, Location, Options, Outcome, PreparedEvent, Reader, Reading, Sealing, init,
};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::record::Body;
use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Approval, ApprovalRule, Authentication, Confidence, Correlation, Delivery, EntityKind,
    Event, EventRemapped, Fact, FactKind, Mapping, Outcome as FactOutcome, Position, Precision, Provenance, Record,
    Ref, Source, Ticket, TicketType, Time, Value, Values,
};
use counterfoil_query::Views;
use counterfoil_verify::beside;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::identifier::IdentifierKind;
use counterfoil_verify::record::{self, event_of};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::RecordIndex;
use prost::Message;
use tempfile::TempDir;

/// 2026-01-01T00:00:00Z: the tests count seconds from here.
pub const START: i64 = 1_767_225_600;

/// A ledger in a folder of its own, and the clock it reads.
pub struct TestLedger {
    pub ledger: Ledger,
    pub folder: TempDir,
    seconds: Arc<AtomicI64>,
    next: AtomicU64,
    /// The newest reading of each event that was read again.
    readings: Mutex<BTreeMap<u64, u64>>,
}

struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn read(&self) -> Reading {
        let seconds = self.0.load(Ordering::SeqCst);
        Reading { wall: Moment { seconds, nanos: 0 }, since_boot: seconds - START, boot_id: "test".to_owned() }
    }
}

/// One native event before it is recorded.
#[derive(Clone, Debug)]
pub struct Native {
    pub system: &'static str,
    pub id: Option<String>,
    pub facts: Vec<Fact>,
    pub values: Vec<Values>,
    pub payload: Vec<u8>,
    pub delivery: Delivery,
    pub retry_of: u64,
}

impl Native {
    pub fn new(system: &'static str, facts: Vec<Fact>) -> Self {
        let (values, payload) = (Vec::new(), b"???".to_vec());
        Self { system, id: None, facts, values, payload, delivery: Delivery::Live, retry_of: 0 }
    }

    pub fn named(mut self, entity: &str, name: &str, value: &str) -> Self {
        let entity = entity.parse::<EntityId>().unwrap();
        let value = Value { name: name.to_owned(), value: value.to_owned() };
        self.values.push(Values { entity: entity.as_bytes().to_vec(), values: vec![value] });
        self
    }
}

impl TestLedger {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seconds = Arc::new(AtomicI64::new(START));
        let location = Location::new(&folder.path().join("ledger"), None);
        let mut byte = 0_u8;
        let mut entropy = |bytes: &mut [u8]| {
            bytes.iter_mut().for_each(|one| {
                byte = byte.wrapping_add(1);
                *one = byte;
            })
        };
        init(&location, "example.com/test", &TestClock(seconds.clone()), &mut entropy).unwrap();
        let clock = Box::new(TestClock(seconds.clone()));
        let options = Options { clock, accept_clock: true, holder: "a test".to_owned(), sealing: Sealing::Never };
        let ledger = Ledger::open(&location, options).unwrap();
        Self { ledger, folder, seconds, next: AtomicU64::new(0), readings: Mutex::default() }
    }

    pub fn reader(&self) -> Reader {
        self.ledger.reader()
    }

    /// Sets the ledger's clock.
    pub fn at(&self, seconds: i64) -> &Self {
        self.seconds.store(START + seconds, Ordering::SeqCst);
        self
    }

    /// Records events in one batch; gives the first record of each.
    pub fn record(&self, natives: Vec<Native>) -> Vec<u64> {
        let events =
            natives.into_iter().map(|native| self.prepare(native, |facts| event(facts, Mapping::Mapped))).collect();
        self.append(events)
    }

    /// Records one event; gives its record.
    pub fn record_one(&self, native: Native) -> u64 {
        self.record(vec![native])[0]
    }

    /// Records a body that has no facts.
    pub fn record_body(&self, system: &'static str, body: Body) -> u64 {
        self.append(vec![self.prepare(Native::new(system, Vec::new()), |_| body)])[0]
    }

    /// Reads the event of a record again, with other facts, in one record or in one for each fact; gives the first.
    pub fn remap(&self, first: u64, facts: Vec<Fact>, is_split: bool) -> u64 {
        let read = |index: u64| self.reader().record(RecordIndex(index)).unwrap();
        let replaces = self.readings.lock().unwrap().get(&first).copied().unwrap_or(first);
        let count = u64::from(event_of(&read(replaces)).unwrap().parts);
        let replaced: Vec<Record> = (replaces..replaces + count).map(read).collect();
        let entities: BTreeSet<EntityId> = replaced.iter().flat_map(entity_set).collect();
        let bytes = record::encode(&replaced[0]).unwrap();
        let said: Vec<Vec<Fact>> = facts.chunks(if is_split { 1 } else { facts.len() }).map(<[Fact]>::to_vec).collect();
        let parts = said.len() as u32;
        let body = |(part, facts): (u32, Vec<Fact>)| {
            let Body::Event(event) = event(facts, Mapping::Mapped) else { unreachable!() };
            // Each part repeats some of the entities.
            let own = entities.iter().enumerate().filter(|(number, _)| *number as u32 % parts == part);
            Body::EventRemapped(EventRemapped {
                first_index: first,
                replaces,
                replaces_leaf: record::hash(&bytes).0.as_bytes().to_vec(),
                entities: own.map(|(_, entity)| entity.as_bytes().to_vec()).collect(),
                event: Some(Event { part, parts, ..event }),
            })
        };
        let bodies = (0..).zip(said).map(body).collect();
        let provenance = Provenance { connector_version: 2, ..replaced[0].provenance.clone().unwrap() };
        let index = self.append(vec![PreparedEvent::new(provenance, bodies, None, None).unwrap()])[0];
        self.readings.lock().unwrap().insert(first, index);
        index
    }

    fn append(&self, events: Vec<PreparedEvent>) -> Vec<u64> {
        let receipt = self.ledger.append(Batch { events, positions: Vec::new() }).unwrap();
        let index = |outcome: &Outcome| match outcome {
            Outcome::Recorded(index) => index.0,
            other => panic!("{other:?}"),
        };
        receipt.outcomes.iter().map(index).collect()
    }

    fn prepare(&self, native: Native, body: impl FnOnce(Vec<Fact>) -> Body) -> PreparedEvent {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let beside = beside::seal([7; 32], native.payload, &native.values, None);
        let commitment = beside::commitment(&beside).unwrap();
        let provenance = Provenance {
            source: Some(source(native.system)),
            position: Some(Position { channel: "test".to_owned(), sequence: number }),
            event_id: native.id.unwrap_or_else(|| format!("event-{number}")),
            content_digest: u128::from(number).to_be_bytes().to_vec(),
            connector: native.system.to_owned(),
            connector_version: 1,
            delivery: native.delivery.into(),
            authentication: Authentication::OperatorFile.into(),
            assumed_zone: String::new(),
            retry_of: native.retry_of,
        };
        PreparedEvent::new(provenance, vec![body(native.facts)], Some(commitment), Some(beside.encode_to_vec()))
            .unwrap()
    }

    pub fn views_folder(&self) -> PathBuf {
        self.folder.path().join("views")
    }

    /// Views of their own, built from the log at once.
    pub fn views_elsewhere(&self) -> Views {
        let views = Views::open(&self.folder.path().join("elsewhere"), self.reader()).unwrap();
        views.catch_up(&mut |_, _| ()).unwrap();
        views
    }

    /// The views, opened and brought up to date.
    pub fn views(&self) -> Views {
        let views = Views::open(&self.views_folder(), self.reader()).unwrap();
        views.catch_up(&mut |_, _| ()).unwrap();
        views
    }

    /// A reference to a principal or entitlement by its id and its logins: "account:okta:default:00u1".
    pub fn who(&self, id: &str, logins: &[&str]) -> Ref {
        let entity = id.parse::<EntityId>().unwrap();
        let mut reference = entity.to_ref(&source("none"));
        let key = self.reader().index_key().clone();
        reference.tokens = logins
            .iter()
            .filter_map(|login| key.token(IdentifierKind::Login, entity.system(), entity.instance(), login))
            .map(|token| token.as_bytes().to_vec())
            .collect();
        reference.tokens.sort_unstable();
        reference
    }

    /// A reference to whoever has an e-mail address.
    pub fn email(&self, address: &str) -> Ref {
        let token = self.reader().index_key().token(IdentifierKind::Login, "", "", address).unwrap();
        Ref { kind: EntityKind::Account.into(), tokens: vec![token.as_bytes().to_vec()], ..Ref::default() }
    }
}

fn event(facts: Vec<Fact>, mapping: Mapping) -> Body {
    Body::Event(Event { native_type: "test".to_owned(), mapping: mapping.into(), part: 0, parts: 1, facts })
}

/// An event of a type that its connector does not know.
pub fn unmapped(native_type: &str) -> Body {
    Body::Event(Event {
        native_type: native_type.to_owned(),
        mapping: Mapping::Unmapped.into(),
        parts: 1,
        ..Event::default()
    })
}

pub fn source(system: &str) -> Source {
    Source { system: system.to_owned(), instance: "default".to_owned(), stream: "log".to_owned() }
}

pub fn time(seconds: i64) -> Time {
    occurred(seconds).0.to_time(Precision::Second)
}

pub fn occurred(seconds: i64) -> OccurredAt {
    OccurredAt(Moment { seconds: START + seconds, nanos: 0 })
}

pub fn recorded(seconds: i64) -> RecordedAt {
    RecordedAt(Moment { seconds: START + seconds, nanos: 0 })
}

pub fn entity(id: &str) -> EntityId {
    id.parse().unwrap()
}

/// A successful fact of a source, with references that leave the source's own system out.
pub fn fact(kind: FactKind, seconds: i64, subject: Option<Ref>, object: Option<Ref>) -> Fact {
    Fact {
        kind: kind.into(),
        occurred_at: Some(time(seconds)),
        outcome: FactOutcome::Success.into(),
        confidence: Confidence::Explicit.into(),
        subject,
        object,
        ..Fact::default()
    }
}

/// The same references as a record of `system` has them: its own system and instance left out.
pub fn of_system(system: &str, mut fact: Fact) -> Fact {
    let shorten_one = |reference: &mut Ref| {
        if reference.system == system {
            reference.system.clear();
            reference.instance.clear();
        }
    };
    let shorten = |reference: &mut Option<Ref>| reference.iter_mut().for_each(shorten_one);
    for reference in [&mut fact.actor, &mut fact.via, &mut fact.subject, &mut fact.object] {
        shorten(reference);
    }
    if let Some(Detail::Ticket(ticket)) = &mut fact.detail {
        shorten(&mut ticket.requester);
        shorten(&mut ticket.assignee);
        ticket.items.iter_mut().for_each(|item| shorten(&mut item.target));
    }
    if let Some(Detail::Approval(approval)) = &mut fact.detail {
        shorten(&mut approval.approver);
    }
    if let Some(Detail::Ownership(detail)) = &mut fact.detail {
        shorten(&mut detail.owner);
    }
    if let Some(Detail::Entitlement(detail)) = &mut fact.detail {
        detail.implies_added.iter_mut().chain(&mut detail.implies_removed).for_each(shorten_one);
    }
    fact
}

/// A version of a Freshservice ticket that asks for membership of a group.
pub fn ticket(kind: FactKind, seconds: i64, number: u32, beneficiary: Option<Ref>, asks_for: Option<Ref>) -> Fact {
    let item = |target| AccessItem {
        operation: AccessOperation::Add.into(),
        target: Some(target),
        target_type: "okta:group_member".to_owned(),
        from: None,
        until: None,
    };
    let detail = Ticket {
        r#type: TicketType::ServiceRequest.into(),
        items: asks_for.map(item).into_iter().collect(),
        ..Ticket::default()
    };
    let detail = Some(Detail::Ticket(detail));
    of_system("freshservice", Fact { detail, ..fact(kind, seconds, beneficiary, Some(ticket_ref(number))) })
}

/// One approver's decision about a Freshservice ticket.
pub fn approval(kind: FactKind, seconds: i64, number: u32, approver: Ref) -> Fact {
    let detail = Approval {
        id: format!("{number}-1"),
        level: 1,
        rule: ApprovalRule::All.into(),
        approver: Some(approver.clone()),
        ..Approval::default()
    };
    let fact = fact(kind, seconds, None, Some(ticket_ref(number)));
    of_system("freshservice", Fact { actor: Some(approver), detail: Some(Detail::Approval(detail)), ..fact })
}

/// That a group was granted in Okta, by whoever, naming these tickets.
pub fn grant(seconds: i64, subject: Ref, group: Ref, tickets: &[u32]) -> Fact {
    let correlation =
        Correlation { tickets: tickets.iter().map(|&number| ticket_ref(number)).collect(), ..Default::default() };
    let correlation = (!tickets.is_empty()).then_some(correlation);
    of_system("okta", Fact { correlation, ..fact(FactKind::GrantAdded, seconds, Some(subject), Some(group)) })
}

pub fn ticket_ref(number: u32) -> Ref {
    let entity: EntityId = format!("ticket:freshservice:default:ticket/{number}").parse().unwrap();
    entity.to_ref(&source("none"))
}
