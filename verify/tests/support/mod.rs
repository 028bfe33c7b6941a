//! Owns what the tests of records, replay and links share: short hands for facts and records, and in `strategies` arbitrary
//! valid records. It checks nothing itself.
#![allow(dead_code, reason = "each test program uses its own share of this module")]

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Account, Approval, Authentication, Correlation, Credential, Delivery, Entitlement,
    EntityKind, Event, EventConflict, EventRemapped, Fact, FactKind, Grant, KeyAnnouncement, Lifecycle, Mapping,
    MatchingRule, Origin, Outcome, Ownership, PolicyDecision, Position, Precision, Predecessor, Provenance, Record,
    RedactedParts, Redaction, Ref, Review, Seal, SealedSource, Snapshot, Source, SourceGap, SourceRejected, Ticket,
    Time, fact::Detail, record::Body,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::record::{FORMAT, encode, hash, origin_record};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt, SECONDS_MAX, SECONDS_MIN};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

mod strategies;

#[allow(unused_imports, reason = "each test program uses its own share of this module")]
pub use strategies::*;

// ---------------------------------------------------------------------------------------------------------------------
// Short hands

/// The source of all hand-written facts.
pub fn okta() -> Source {
    Source { system: "okta".into(), instance: "acme".into(), stream: "system-log".into() }
}

/// A moment of the test, in seconds.
pub fn at(seconds: i64) -> OccurredAt {
    OccurredAt(Moment { seconds, nanos: 0 })
}

pub fn recorded(seconds: i64) -> RecordedAt {
    RecordedAt(Moment { seconds, nanos: 0 })
}

pub fn time(seconds: i64) -> Time {
    Time { seconds, nanos: 0, precision: Precision::Nanosecond.into() }
}

/// A reference by native id.
pub fn reference(kind: EntityKind, id: &str) -> Ref {
    Ref { kind: kind.into(), id: id.into(), ..Ref::default() }
}

pub fn account(id: &str) -> Ref {
    reference(EntityKind::Account, id)
}

pub fn group(id: &str) -> Ref {
    reference(EntityKind::Entitlement, &format!("group_member/{id}"))
}

pub fn ticket(id: &str) -> Ref {
    reference(EntityKind::Ticket, &format!("ticket/{id}"))
}

pub fn credential(id: &str) -> Ref {
    reference(EntityKind::Credential, &format!("api_token/{id}"))
}

/// A reference by one token of sixteen equal bytes.
pub fn known_as(kind: EntityKind, token: u8) -> Ref {
    Ref { kind: kind.into(), tokens: vec![vec![token; 16]], ..Ref::default() }
}

/// A successful, explicit fact.
pub fn fact(kind: FactKind, seconds: i64) -> Fact {
    Fact {
        kind: kind.into(),
        occurred_at: Some(time(seconds)),
        outcome: Outcome::Success.into(),
        confidence: 1,
        ..Fact::default()
    }
}

pub fn provenance(source: Source) -> Provenance {
    Provenance {
        source: Some(source),
        position: Some(Position { channel: "file/1".into(), sequence: 7 }),
        event_id: "event-1".into(),
        content_digest: vec![0xcd; 16],
        connector: "okta".into(),
        connector_version: 1,
        delivery: Delivery::Live.into(),
        authentication: Authentication::OperatorFile.into(),
        assumed_zone: String::new(),
        retry_of: 0,
    }
}

/// A valid record of okta's with a body.
pub fn record(index: u64, recorded_seconds: i64, body: Body) -> Record {
    Record {
        format: FORMAT,
        index,
        prev: vec![0x11; 32],
        recorded_at: Some(time(recorded_seconds)),
        provenance: Some(provenance(okta())),
        commitment: vec![0x22; 32],
        body: Some(body),
    }
}

pub fn event(facts: Vec<Fact>) -> Body {
    let mapping = if facts.is_empty() { Mapping::NoFacts } else { Mapping::Mapped };
    Body::Event(Event { native_type: "test.event".into(), mapping: mapping.into(), part: 0, parts: 1, facts })
}

/// A record of okta's with facts, learned at `1_000_000 + index` seconds.
pub fn record_of(index: u64, facts: Vec<Fact>) -> Record {
    record(index, 1_000_000 + index as i64, event(facts))
}

/// A fact with every field of the head, and references of every kind.
pub fn full_fact() -> Fact {
    Fact {
        reason: "OK".into(),
        actor: Some(Ref { tokens: vec![vec![1; 16], vec![2; 16]], identity_type: 1, ..account("00u1") }),
        via: Some(Ref { identity_type: 3, ..credential("00T1") }),
        subject: Some(known_as(EntityKind::Account, 3)),
        object: Some(Ref { system: "github".into(), instance: "acme".into(), ..group("00g1") }),
        scope: "org/1".into(),
        correlation: Some(Correlation {
            transaction: "tx1".into(),
            request: "rq1".into(),
            tickets: vec![ticket("1042")],
        }),
        detail: Some(Detail::Grant(Grant {
            expires_at: Some(time(1_800_000_000)),
            mode: 1,
            inherited_via: Some(group("00g0")),
            conditional: true,
        })),
        ..fact(FactKind::GrantAdded, 1_700_000_000)
    }
}

pub fn ticket_fact() -> Fact {
    let wanted = AccessItem { from: Some(time(10)), until: Some(time(20)), ..item(Some(group("00g1")), "okta:group") };
    Fact {
        object: Some(ticket("1042")),
        subject: Some(account("00u1")),
        detail: Some(Detail::Ticket(Ticket {
            r#type: 5,
            status: 1,
            requester: Some(account("00u2")),
            assignee: Some(account("00u3")),
            items: vec![wanted],
            window_start: Some(time(-1)),
            window_end: Some(time(30)),
            source_decision: 2,
            texts: vec![1, 4],
        })),
        ..fact(FactKind::TicketOpened, 1_700_000_000)
    }
}

pub fn approval_fact() -> Fact {
    Fact {
        object: Some(ticket("1042")),
        actor: Some(account("00u4")),
        detail: Some(Detail::Approval(Approval {
            id: "row1".into(),
            level: 2,
            rule: 5,
            quorum: 3,
            approver: Some(account("00u4")),
            asked_by: Some(account("00u2")),
            delegate: Some(account("00u5")),
            source_decision: 2,
        })),
        ..fact(FactKind::ApprovalGranted, 1_700_000_001)
    }
}

/// One record of each body, by name.
pub fn one_of_each_body() -> Vec<(&'static str, Record)> {
    let origin = Origin {
        origin: "example.com/auditledger".into(),
        index_key_commitment: vec![0xaa; 32],
        predecessor: Some(Predecessor {
            origin: "example.com/before".into(),
            size: 300,
            root: vec![0xbb; 32],
            first_record: vec![0xcc; 3],
            known_size: 310,
            known_root: vec![0xdd; 32],
        }),
    };
    vec![
        ("origin", origin_record(origin, time(1_700_000_000))),
        ("event", record_of(1, vec![full_fact(), ticket_fact(), approval_fact()])),
        ("event_conflict", record(300, 1_000_300, Body::EventConflict(EventConflict { first_index: 1 }))),
        ("source_rejected", record(301, 1_000_301, Body::SourceRejected(SourceRejected { reason: 3, size: 1_000 }))),
        ("source_gap", record(302, 1_000_302, Body::SourceGap(SourceGap { from: 5, to: 500, reason: 1 }))),
        ("event_remapped", remapped(303, &[&record_of(1, vec![full_fact()])], vec![approval_fact()])),
        ("redaction", record(400, 1_000_400, Body::Redaction(full_redaction()))),
        ("key_announcement", record(401, 1_000_401, Body::KeyAnnouncement(full_announcement()))),
        (
            "seal",
            Record { provenance: None, commitment: Vec::new(), ..record(304, 1_000_304, Body::Seal(full_seal())) },
        ),
    ]
}

/// The record, at `index`, of a reading with other facts that replaces one.
pub fn remapped(index: u64, replaced: &[&Record], facts: Vec<Fact>) -> Record {
    let Body::Event(event) = event(facts) else { unreachable!() };
    let entities: BTreeSet<EntityId> = replaced.iter().flat_map(|record| entity_set(record)).collect();
    let remapped = EventRemapped {
        first_index: counterfoil_verify::remap::place_of(replaced[0]).0,
        replaces: replaced[0].index,
        replaces_leaf: hash(&encode(replaced[0]).unwrap()).0.as_bytes().to_vec(),
        entities: entities.iter().map(|entity| entity.as_bytes().to_vec()).collect(),
        event: Some(event),
    };
    record(index, 1_000_000 + index as i64, Body::EventRemapped(remapped))
}

/// A redaction with every field: of one record, and of several in a row.
pub fn full_redaction() -> Redaction {
    let entity = |id: &str| EntityId::new(EntityKind::Account, "okta", "acme", id).unwrap().as_bytes().to_vec();
    Redaction {
        removed: vec![
            RedactedParts { first: 1, records: 1, parts: vec![0, 2, u32::MAX] },
            RedactedParts { first: 7, records: 300, parts: vec![0] },
        ],
        entities: vec![entity("00u1"), entity("00u2")],
        reason: "erasure-request".into(),
        rule: "gdpr/17-1-a".into(),
        by: entity("00u9"),
        callers: vec!["ab12".into(), "cd34".into()],
        searched: 390,
    }
}

/// A key announcement with every field.
pub fn full_announcement() -> KeyAnnouncement {
    KeyAnnouncement {
        origin: "example.com/auditledger".into(),
        public_key: vec![0xee; 32],
        reason: "yearly".into(),
        by: EntityId::new(EntityKind::Account, "okta", "acme", "00u9").unwrap().as_bytes().to_vec(),
        former_key: vec![0xdd; 32],
    }
}

/// A seal with every field, and one source of which little is said.
pub fn full_seal() -> Seal {
    let full = SealedSource {
        source: Some(okta()),
        events: 300,
        facts: 500,
        unmapped: 7,
        duplicates: 12,
        conflicts: 2,
        rejected: 1,
    };
    let other = Source { system: "tickets".into(), ..okta() };
    let bare = SealedSource { source: Some(other), duplicates: 1, ..SealedSource::default() };
    let next = |channel: &str, sequence| Position { channel: channel.into(), sequence };
    let next = vec![next("file/1", 0), next("file/2", 330)];
    Seal { map_root: vec![0xcc; 32], sources: vec![full, bare], next, continued: true }
}

/// Every kind of fact but the unspecified one.
pub fn fact_kinds() -> Vec<FactKind> {
    (1..=1_000).map_while(|number| FactKind::try_from(number).ok()).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An item of a ticket: add `target`, or anything of the type where there is none.
pub fn item(target: Option<Ref>, target_type: &str) -> AccessItem {
    AccessItem {
        operation: AccessOperation::Add.into(),
        target,
        target_type: target_type.into(),
        ..AccessItem::default()
    }
}
