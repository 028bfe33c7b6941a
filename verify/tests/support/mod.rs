//! Owns what the tests of records, replay and links share: short hands for facts and records, and a proptest strategy
//! for arbitrary valid records. It checks nothing itself.
#![allow(dead_code, reason = "each test program uses its own share of this module")]

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Account, Approval, Authentication, Correlation, Credential, Delivery, Entitlement,
    EntityKind, Event, EventConflict, EventRemapped, Fact, FactKind, Grant, Lifecycle, Mapping, MatchingRule, Origin,
    Outcome, Ownership, PolicyDecision, Position, Precision, Predecessor, Provenance, Record, Ref, Review, Seal,
    SealedSource, Snapshot, Source, SourceGap, SourceRejected, Ticket, Time, fact::Detail, record::Body,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::record::{FORMAT, encode, hash, origin_record};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt, SECONDS_MAX, SECONDS_MIN};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

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
        predecessor: Some(Predecessor { origin: "example.com/before".into(), size: 300, root: vec![0xbb; 32] }),
    };
    vec![
        ("origin", origin_record(origin, time(1_700_000_000))),
        ("event", record_of(1, vec![full_fact(), ticket_fact(), approval_fact()])),
        ("event_conflict", record(300, 1_000_300, Body::EventConflict(EventConflict { first_index: 1 }))),
        ("source_rejected", record(301, 1_000_301, Body::SourceRejected(SourceRejected { reason: 3, size: 1_000 }))),
        ("source_gap", record(302, 1_000_302, Body::SourceGap(SourceGap { from: 5, to: 500, reason: 1 }))),
        ("event_remapped", remapped(303, &[&record_of(1, vec![full_fact()])], vec![approval_fact()])),
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

// ---------------------------------------------------------------------------------------------------------------------
// Arbitrary valid records

/// Any valid record: every body, every kind, every detail, every optional field there or not.
pub fn any_record() -> BoxedStrategy<Record> {
    prop_oneof![1 => any_origin_record(), 1 => any_seal_record(), 8 => any_later_record()].boxed()
}

fn any_origin_record() -> BoxedStrategy<Record> {
    let predecessor = (any_origin(), 1..=u64::MAX, any_bytes(32));
    let predecessor = predecessor.prop_map(|(origin, size, root)| Predecessor { origin, size, root });
    (any_origin(), any_bytes(32), option::of(predecessor), any_time())
        .prop_map(|(origin, index_key_commitment, predecessor, recorded_at)| {
            let recorded_at = Time { precision: Precision::Nanosecond.into(), ..recorded_at };
            origin_record(Origin { origin, index_key_commitment, predecessor }, recorded_at)
        })
        .boxed()
}

fn any_seal_record() -> BoxedStrategy<Record> {
    let counts = || 0..=u64::MAX / 2;
    let sealed = (any_source(), (counts(), counts(), counts()), (1..=u64::MAX, any::<u64>(), any::<u64>()));
    let sealed = sealed.prop_map(|(source, (unmapped, more, facts), (duplicates, conflicts, rejected))| {
        let name = (source.system.clone(), source.instance.clone(), source.stream.clone());
        let source = Some(source);
        let events = unmapped + more;
        (name, SealedSource { source, events, facts, unmapped, duplicates, conflicts, rejected })
    });
    let sources = vec(sealed, 0..4).prop_map(|sources| BTreeMap::from_iter(sources).into_values().collect::<Vec<_>>());
    let next = vec((any_opaque(), any::<u64>()), 0..4).prop_map(|next| {
        let next = BTreeMap::from_iter(next).into_iter();
        next.map(|(channel, sequence)| Position { channel, sequence }).collect::<Vec<_>>()
    });
    let seal = (any_bytes(32), sources, next, any::<bool>()).prop_map(|(map_root, sources, next, continued)| {
        let continued = continued && !(sources.is_empty() && next.is_empty());
        Seal { map_root, sources, next, continued }
    });
    (1..=u64::MAX, any_bytes(32), any_time(), seal)
        .prop_map(|(index, prev, recorded_at, seal)| Record {
            format: FORMAT,
            index,
            prev,
            recorded_at: Some(Time { precision: Precision::Nanosecond.into(), ..recorded_at }),
            body: Some(Body::Seal(seal)),
            ..Record::default()
        })
        .boxed()
}

fn any_later_record() -> BoxedStrategy<Record> {
    let index = prop_oneof![1..1_000u64, 1..=u64::MAX];
    (index, any_bytes(32), any_time(), any_source())
        .prop_flat_map(|(index, prev, recorded_at, source)| {
            let body = any_body(&source, index);
            (Just((index, prev, recorded_at)), any_provenance(source, index), any::<bool>(), any_bytes(32), body)
        })
        .prop_map(|((index, prev, recorded_at), provenance, beside, commitment, body)| {
            let retry_of = if matches!(body, Body::SourceGap(_)) { 0 } else { provenance.retry_of };
            Record {
                format: FORMAT,
                index,
                prev,
                recorded_at: Some(Time { precision: Precision::Nanosecond.into(), ..recorded_at }),
                provenance: Some(Provenance { retry_of, ..provenance }),
                commitment: if beside || matches!(body, Body::SourceRejected(_)) { commitment } else { Vec::new() },
                body: Some(body),
            }
        })
        .boxed()
}

/// Any body but an origin, for a record of `source` at `index`.
pub fn any_body(source: &Source, index: u64) -> BoxedStrategy<Body> {
    let rejected = (1..=11, any::<u64>()).prop_map(|(reason, size)| SourceRejected { reason, size });
    let gap = (any::<u64>(), any::<u64>(), 1..=4).prop_filter_map("a gap has a width", |(one, other, reason)| {
        (one != other).then(|| SourceGap { from: one.min(other), to: one.max(other), reason })
    });
    let replaced = (1..=index.max(2) - 1, 1..=index.max(2) - 1, any_bytes(32), vec(any_entity(), 0..4));
    let remapped = (replaced, any_event(source)).prop_filter_map("a remap comes later", move |(replaced, event)| {
        let (one, other, replaces_leaf, entities) = replaced;
        let entities = BTreeSet::from_iter(entities).into_iter().collect();
        let (first_index, replaces) = (one.min(other), one.max(other));
        let is_later = replaces < index.saturating_sub(event.part.into());
        let remapped = EventRemapped { first_index, replaces, replaces_leaf, entities, event: Some(event) };
        is_later.then_some(Body::EventRemapped(remapped))
    });
    let remapped = if index > 2_000 { remapped.boxed() } else { any_event(source).prop_map(Body::Event).boxed() };
    let conflict = if index > 1 { (1..index).boxed() } else { Just(0).boxed() };
    let conflict = conflict.prop_filter("record 0 is no event", |first| *first > 0);
    let conflict = conflict.prop_map(|first_index| Body::EventConflict(EventConflict { first_index }));
    let conflict = if index > 1 { conflict.boxed() } else { any_event(source).prop_map(Body::Event).boxed() };
    prop_oneof![
        8 => any_event(source).prop_map(Body::Event),
        1 => conflict,
        1 => remapped,
        1 => rejected.prop_map(Body::SourceRejected),
        1 => gap.prop_map(Body::SourceGap),
    ]
    .boxed()
}

fn any_entity() -> BoxedStrategy<Vec<u8>> {
    let named = "[a-z0-9]{1,9}".prop_map(|id| EntityId::new(EntityKind::Account, "okta", "acme", &id).unwrap());
    named.prop_map(|entity| entity.as_bytes().to_vec()).boxed()
}

fn any_event(source: &Source) -> BoxedStrategy<Event> {
    let parts = (1..=1_000u32).prop_flat_map(|parts| (0..parts, Just(parts)));
    (optional(any_code()), 2..=4, parts, vec(any_fact(source), 0..4))
        .prop_map(|(native_type, mapping, (part, parts), facts)| Event {
            native_type,
            mapping: if facts.is_empty() { mapping } else { Mapping::Mapped.into() },
            part,
            parts,
            facts,
        })
        .boxed()
}

fn any_provenance(source: Source, index: u64) -> BoxedStrategy<Provenance> {
    let position = (any_opaque(), any::<u64>()).prop_map(|(channel, sequence)| Position { channel, sequence });
    (position, any_opaque(), any_bytes(16), any_name(), 1..=u32::MAX, 1..=2, 1..=5, optional(any_code()), 0..index)
        .prop_map(
            move |(
                position,
                event_id,
                content_digest,
                connector,
                connector_version,
                delivery,
                authentication,
                assumed_zone,
                retry_of,
            )| {
                Provenance {
                    source: Some(source.clone()),
                    position: Some(position),
                    event_id,
                    content_digest,
                    connector,
                    connector_version,
                    delivery,
                    authentication,
                    assumed_zone,
                    retry_of,
                }
            },
        )
        .boxed()
}

/// Any valid fact of a record of `source`, with any detail whatever its kind.
pub fn any_fact(source: &Source) -> BoxedStrategy<Fact> {
    let kinds = fact_kinds().len() as i32;
    let some_ref = || option::weighted(0.4, any_ref(source));
    let head = (1..=kinds, any_time(), 1..=4, optional(any_code()), 1..=3);
    let refs = (some_ref(), some_ref(), some_ref(), some_ref());
    (head, refs, optional(any_opaque()), any_correlation(source), option::weighted(0.8, any_detail(source)))
        .prop_map(|(head, (actor, via, subject, object), scope, correlation, detail)| {
            let (kind, occurred_at, outcome, reason, confidence) = head;
            Fact {
                kind,
                occurred_at: Some(occurred_at),
                outcome,
                reason,
                confidence,
                actor,
                via,
                subject,
                object,
                scope,
                correlation: (correlation != Correlation::default()).then_some(correlation),
                detail: detail.filter(|detail| !is_empty(detail)),
            }
        })
        .boxed()
}

/// Whether a detail is left out, since it says nothing.
fn is_empty(detail: &Detail) -> bool {
    match detail {
        Detail::Grant(grant) => *grant == Grant::default(),
        Detail::Account(account) => *account == Account::default(),
        Detail::Credential(credential) => *credential == Credential::default(),
        Detail::Entitlement(entitlement) => *entitlement == Entitlement::default(),
        Detail::Ownership(ownership) => *ownership == Ownership::default(),
        Detail::Lifecycle(lifecycle) => *lifecycle == Lifecycle::default(),
        Detail::Review(review) => *review == Review::default(),
        Detail::Ticket(_)
        | Detail::Approval(_)
        | Detail::Snapshot(_)
        | Detail::PolicyDecision(_)
        | Detail::MatchingRule(_) => false,
    }
}

fn any_correlation(source: &Source) -> BoxedStrategy<Correlation> {
    (optional(any_opaque()), optional(any_opaque()), vec(any_ref(source), 0..3))
        .prop_map(|(transaction, request, tickets)| Correlation { transaction, request, tickets })
        .boxed()
}

/// Any detail, also those that say nothing.
fn any_detail(source: &Source) -> BoxedStrategy<Detail> {
    let some_ref = || option::of(any_ref(source));
    let some_time = || option::of(any_time());
    let refs = || vec(any_ref(source), 0..3);
    let grant = (some_time(), 0..=2, some_ref(), any::<bool>());
    let grant = grant.prop_map(|(expires_at, mode, inherited_via, conditional)| {
        Detail::Grant(Grant { expires_at, mode, inherited_via, conditional })
    });
    let approval =
        (optional(any_opaque()), 1..=u32::MAX, 0..=5, any::<u32>(), some_ref(), some_ref(), some_ref(), 0..=7);
    let approval = approval.prop_map(|(id, level, rule, quorum, approver, asked_by, delegate, source_decision)| {
        Detail::Approval(Approval { id, level, rule, quorum, approver, asked_by, delegate, source_decision })
    });
    let account = (btree_set(any_code(), 0..3), any::<bool>(), optional(any_opaque()), some_ref());
    let account = account.prop_map(|(changed, reversible, department, manager)| {
        Detail::Account(Account { changed: changed.into_iter().collect(), reversible, department, manager })
    });
    let credential = (some_time(), some_time(), any::<u64>());
    let credential = credential.prop_map(|(expires_at, last_used_at, rotation_interval_seconds)| {
        Detail::Credential(Credential { expires_at, last_used_at, rotation_interval_seconds })
    });
    let entitlement = (optional(any_opaque()), refs(), refs());
    let entitlement = entitlement.prop_map(|(version, implies_added, implies_removed)| {
        Detail::Entitlement(Entitlement { version, implies_added, implies_removed })
    });
    let names = || btree_set("[a-z][a-z0-9._-]{0,5}", 0..3);
    let ownership = (
        (some_ref(), some_time(), any::<u64>(), any::<bool>()),
        (any::<bool>(), names(), btree_set(any_code(), 0..3), some_time(), some_time()),
    );
    let ownership = ownership.prop_map(|(first, (storage_declared, systems, operations, suspected_at, retired_at))| {
        let (owner, expires_at, rotation_interval_seconds, purpose_declared) = first;
        let (systems, operations) = (systems.into_iter().collect(), operations.into_iter().collect());
        Detail::Ownership(Ownership {
            owner,
            expires_at,
            rotation_interval_seconds,
            purpose_declared,
            storage_declared,
            systems,
            operations,
            suspected_at,
            retired_at,
        })
    });
    let rule = (1..=u32::MAX, names(), any::<bool>()).prop_map(|(version, systems, withdrawn)| {
        let systems = systems.into_iter().collect();
        Detail::MatchingRule(MatchingRule { version, matched_by: 1, systems, withdrawn })
    });
    let lifecycle = (some_time(), optional(any_opaque()));
    let lifecycle =
        lifecycle.prop_map(|(effective_at, department)| Detail::Lifecycle(Lifecycle { effective_at, department }));
    let snapshot = (1..=3, some_time(), any::<u64>(), prop_oneof![any_bytes(0), any_bytes(32)]);
    let snapshot = snapshot
        .prop_map(|(completeness, as_of, count, root)| Detail::Snapshot(Snapshot { completeness, as_of, count, root }));
    let review = (0..=2, some_ref()).prop_map(|(decision, reviewer)| Detail::Review(Review { decision, reviewer }));
    let decision = (1..=2, optional(any_opaque()), optional(any_opaque()));
    let decision = decision.prop_map(|(effect, policy, policy_version)| {
        Detail::PolicyDecision(PolicyDecision { effect, policy, policy_version })
    });
    prop_oneof![
        grant,
        any_ticket(source).prop_map(Detail::Ticket),
        approval,
        account,
        credential,
        entitlement,
        ownership,
        lifecycle,
        snapshot,
        review,
        decision,
        rule,
    ]
    .boxed()
}

fn any_ticket(source: &Source) -> BoxedStrategy<Ticket> {
    let some_ref = || option::of(any_ref(source));
    let some_time = || option::of(any_time());
    let item = (1..=2, some_ref(), any_code(), some_time(), some_time());
    let item = item.prop_map(|(operation, target, target_type, from, until)| AccessItem {
        operation,
        target,
        target_type,
        from,
        until,
    });
    let texts = btree_set(1..=4, 0..=4);
    ((1..=5, 0..=6), some_ref(), some_ref(), vec(item, 0..3), some_time(), some_time(), 0..=7, texts)
        .prop_map(|((r#type, status), requester, assignee, items, window_start, window_end, source_decision, texts)| {
            Ticket {
                r#type,
                status,
                requester,
                assignee,
                items,
                window_start,
                window_end,
                source_decision,
                texts: texts.into_iter().collect(),
            }
        })
        .boxed()
}

/// Any valid reference in a record of `source`.
pub fn any_ref(source: &Source) -> BoxedStrategy<Ref> {
    let home = (source.system.clone(), source.instance.clone());
    let other = option::of((any_name(), any_name()));
    (1..=8, other, optional(any_opaque()), btree_set(any_bytes(16), 0..3), 0..=12)
        .prop_map(move |(kind, other, id, tokens, identity_type)| {
            let (system, instance) = other.filter(|other| *other != home).unwrap_or_default();
            let mut tokens: Vec<Vec<u8>> = tokens.into_iter().collect();
            let id = if kind == EntityKind::Identifier as i32 { String::new() } else { id };
            if id.is_empty() && tokens.is_empty() {
                tokens.push(vec![7; 16]);
            }
            Ref { kind, system, instance, id, tokens, identity_type }
        })
        .boxed()
}

fn any_source() -> BoxedStrategy<Source> {
    (any_name(), any_name(), any_name())
        .prop_map(|(system, instance, stream)| Source { system, instance, stream })
        .boxed()
}

/// Any time a record may have, the first and the last one often.
pub fn any_time() -> BoxedStrategy<Time> {
    let seconds = prop_oneof![Just(SECONDS_MIN), Just(SECONDS_MAX), Just(0), -10..10i64, SECONDS_MIN..=SECONDS_MAX];
    let nanos = prop_oneof![Just(0), Just(999_999_999), 0..1_000_000_000u32];
    (seconds, nanos, 1..=8).prop_map(|(seconds, nanos, precision)| Time { seconds, nanos, precision }).boxed()
}

fn any_origin() -> BoxedStrategy<String> {
    "[a-z]{1,8}\\.example/[a-z0-9]{1,8}".boxed()
}

fn any_name() -> BoxedStrategy<String> {
    prop_oneof![8 => "[a-c]{1}", 4 => "[a-zA-Z0-9._-]{1,12}", 1 => "[a-z]{128}"].boxed()
}

fn any_code() -> BoxedStrategy<String> {
    prop_oneof![8 => "[a-zA-Z0-9._/:-]{1,12}", 1 => "[a-z/:]{128}"].boxed()
}

fn any_opaque() -> BoxedStrategy<String> {
    prop_oneof![8 => "[!-?A-~]{1,12}", 1 => "[!-?A-~]{255}"].boxed()
}

fn optional(text: BoxedStrategy<String>) -> BoxedStrategy<String> {
    option::of(text).prop_map(Option::unwrap_or_default).boxed()
}

fn any_bytes(length: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), length).boxed()
}

// ---------------------------------------------------------------------------------------------------------------------
// Text

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
