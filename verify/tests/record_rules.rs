//! What no record may say, and how records follow each other.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{
    Entitlement, EntityKind, Event, EventConflict, EventRemapped, FactKind, KeyAnnouncement, Mapping, Origin,
    Predecessor, Record, Redaction, Ref, Review, Seal, SourceGap, SourceRejected, Ticket, Time, fact::Detail,
    record::Body,
};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::record::{RecordError, check_link, decode, encode, hash, origin_hash};
use counterfoil_verify::time::{SECONDS_MAX, SECONDS_MIN};
use counterfoil_verify::tree::RecordIndex;
use prost::Message;
use support::*;

/// A change to a valid record that breaks one rule.
type Break = (&'static str, fn(&mut Record));

fn the_event(record: &mut Record) -> &mut Event {
    let Some(Body::Event(event)) = &mut record.body else { unreachable!() };
    event
}

/// Makes a record one that reads record 3 again, which is valid.
fn the_remapping(record: &mut Record) -> &mut EventRemapped {
    *record = remapped(5, &[&record_of(3, vec![full_fact()])], vec![approval_fact()]);
    assert!(encode(record).is_ok());
    let Some(Body::EventRemapped(remapped)) = &mut record.body else { unreachable!() };
    remapped
}

fn the_subject(record: &mut Record) -> &mut Ref {
    the_event(record).facts[0].subject.get_or_insert_with(Default::default)
}

#[test]
fn what_no_record_may_say() {
    let valid = record_of(5, vec![full_fact()]);
    assert!(encode(&valid).is_ok());
    let breaks: &[Break] = &[
        ("format 0", |record| record.format = 0),
        ("format 2", |record| record.format = 2),
        ("prev of 31 bytes", |record| record.prev.truncate(31)),
        ("prev of 33 bytes", |record| record.prev.push(0)),
        ("no prev", |record| record.prev.clear()),
        ("no recorded_at", |record| record.recorded_at = None),
        ("no precision", |record| record.recorded_at = Some(Time { precision: 0, ..time(1) })),
        ("another precision", |record| record.recorded_at = Some(Time { precision: 3, ..time(1) })),
        ("year 0", |record| record.recorded_at = Some(time(SECONDS_MIN - 1))),
        ("year 10000", |record| record.recorded_at = Some(time(SECONDS_MAX + 1))),
        ("nanos", |record| record.recorded_at = Some(Time { nanos: 1_000_000_000, ..time(1) })),
        ("no provenance", |record| record.provenance = None),
        ("record 0 with an event", |record| record.index = 0),
        ("commitment of 31 bytes", |record| record.commitment.truncate(31)),
        ("no body", |record| record.body = None),
        ("origin at 5", |record| record.body = one_of_each_body()[0].1.body.clone()),
        ("content digest of 15 bytes", |record| record.provenance.as_mut().unwrap().content_digest.truncate(15)),
        ("no content digest", |record| record.provenance.as_mut().unwrap().content_digest.clear()),
        ("no event id", |record| record.provenance.as_mut().unwrap().event_id.clear()),
        ("an event id with a space", |record| record.provenance.as_mut().unwrap().event_id = "a b".into()),
        ("an event id of 256 bytes", |record| record.provenance.as_mut().unwrap().event_id = "a".repeat(256)),
        ("no source", |record| record.provenance.as_mut().unwrap().source = None),
        ("an empty stream", |record| {
            record.provenance.as_mut().unwrap().source.as_mut().unwrap().stream.clear();
        }),
        ("a system of 129 bytes", |record| {
            record.provenance.as_mut().unwrap().source.as_mut().unwrap().system = "s".repeat(129);
        }),
        ("a conflict with itself", |record| record.body = Some(Body::EventConflict(EventConflict { first_index: 5 }))),
        ("a conflict ahead", |record| record.body = Some(Body::EventConflict(EventConflict { first_index: 6 }))),
        ("a conflict with record 0", |record| {
            record.body = Some(Body::EventConflict(EventConflict { first_index: 0 }));
        }),
        ("rejected without bytes", |record| {
            record.commitment.clear();
            record.body = Some(Body::SourceRejected(SourceRejected { reason: 1, size: 1 }));
        }),
        ("a gap of nothing", |record| record.body = Some(Body::SourceGap(SourceGap { from: 2, to: 2, reason: 1 }))),
        ("a gap backwards", |record| record.body = Some(Body::SourceGap(SourceGap { from: 3, to: 2, reason: 1 }))),
        ("damage backwards", |record| record.body = Some(Body::SourceGap(SourceGap { from: 3, to: 2, reason: 4 }))),
        ("read again before it came", |record| the_remapping(record).first_index = 4),
        ("read again of record 0", |record| the_remapping(record).first_index = 0),
        ("read again of itself", |record| the_remapping(record).replaces = 5),
        ("read again of its own first part", |record| {
            let remapped = the_remapping(record);
            remapped.replaces = 4;
            let event = remapped.event.as_mut().unwrap();
            (event.part, event.parts) = (1, 2);
        }),
        ("read again, with a leaf hash of 31 bytes", |record| the_remapping(record).replaces_leaf.truncate(31)),
        ("read again, without what it says now", |record| the_remapping(record).event = None),
        ("read again, with entities out of order", |record| the_remapping(record).entities.reverse()),
        ("read again, with an entity twice", |record| {
            let entities = &mut the_remapping(record).entities;
            entities.insert(0, entities[0].clone());
        }),
        ("read again, with something that is no entity", |record| the_remapping(record).entities[0].truncate(3)),
        ("read again, with a fact that breaks a rule", |record| {
            the_remapping(record).event.as_mut().unwrap().facts[0].kind = 0;
        }),
        ("read from itself", |record| record.provenance.as_mut().unwrap().retry_of = 5),
        ("a gap read from a dead letter", |record| {
            record.provenance.as_mut().unwrap().retry_of = 4;
            record.body = Some(Body::SourceGap(SourceGap { from: 2, to: 3, reason: 1 }));
        }),
        ("mapped without facts", |record| the_event(record).facts.clear()),
        ("facts of an unmapped event", |record| the_event(record).set_mapping(Mapping::Unmapped)),
        ("part 1 of 1", |record| the_event(record).part = 1),
        ("no parts", |record| the_event(record).parts = 0),
        ("1,001 parts", |record| the_event(record).parts = 1_001),
        ("a type with a space", |record| the_event(record).native_type = "a b".into()),
        ("1,001 facts", |record| {
            the_event(record).facts = vec![fact(FactKind::AuthEvent, 1); 1_001];
        }),
        ("no time", |record| the_event(record).facts[0].occurred_at = None),
        ("a scope with an address", |record| the_event(record).facts[0].scope = "bob@x.y".into()),
        ("a reason of two words", |record| the_event(record).facts[0].reason = "wrong password".into()),
        ("a reference to nothing", |record| *the_subject(record) = Ref { kind: 2, ..Ref::default() }),
        ("a reference of no kind", |record| the_subject(record).kind = 0),
        ("a reference to unresolved", |record| the_subject(record).set_kind(EntityKind::Unresolved)),
        ("a reference to a source", |record| the_subject(record).set_kind(EntityKind::Source)),
        ("an identifier with an id", |record| {
            *the_subject(record) = Ref { id: "x".into(), ..known_as(EntityKind::Identifier, 1) };
        }),
        ("an address as an id", |record| the_subject(record).id = "bob@x.y".into()),
        ("an accent in an id", |record| the_subject(record).id = "é".into()),
        ("a system without an instance", |record| the_subject(record).system = "github".into()),
        ("the source's own system", |record| {
            (the_subject(record).system, the_subject(record).instance) = ("okta".into(), "acme".into());
        }),
        ("a token of 15 bytes", |record| the_subject(record).tokens = vec![vec![1; 15]]),
        ("a token twice", |record| the_subject(record).tokens = vec![vec![1; 16], vec![1; 16]]),
        ("tokens in disorder", |record| the_subject(record).tokens = vec![vec![2; 16], vec![1; 16]]),
        ("a bad reference deep inside", |record| {
            let bad = Ref { id: "bob@x.y".into(), ..account("") };
            let review = Review { decision: 1, reviewer: Some(bad) };
            the_event(record).facts[0].detail = Some(Detail::Review(review));
        }),
        ("a bad item", |record| {
            let ticket = Ticket { r#type: 1, items: vec![item(None, "")], ..Ticket::default() };
            the_event(record).facts[0].detail = Some(Detail::Ticket(ticket));
        }),
        ("attributes in disorder", |record| {
            let changed = vec!["b".into(), "a".into()];
            let account = counterfoil_proto::v1::Account { changed, ..Default::default() };
            the_event(record).facts[0].detail = Some(Detail::Account(account));
        }),
        ("1,001 references", |record| {
            let implies_added = vec![group("g"); 1_000];
            let entitlement = Entitlement { implies_added, ..Entitlement::default() };
            the_event(record).facts[0].detail = Some(Detail::Entitlement(entitlement));
        }),
    ];
    for (name, break_it) in breaks {
        let mut broken = valid.clone();
        break_it(&mut broken);
        let rule = |result: Result<(), RecordError>| match result {
            Err(RecordError::Rule(_)) => {}
            Err(RecordError::Unreadable(2)) if *name == "format 2" => {}
            other => panic!("{name}: {other:?}"),
        };
        rule(encode(&broken).map(drop));
        rule(decode(&broken.encode_to_vec()).map(drop));
    }
}

#[test]
fn a_source_that_begins_anew_goes_on_at_any_position() {
    for (reason, from, to, is_valid) in [
        (1, 2, 3, true),
        (1, 3, 3, false),
        (2, 3, 0, true),
        (3, 3, 9, true),
        (4, 3, 9, true),
        (4, 3, 3, false),
        (5, 3, 9, false),
    ] {
        let mut record = record_of(5, vec![full_fact()]);
        record.body = Some(Body::SourceGap(SourceGap { from, to, reason }));
        assert_eq!(encode(&record).is_ok(), is_valid, "{reason} {from} {to}");
    }
}

#[test]
fn what_record_0_may_not_say() {
    let valid = one_of_each_body().remove(0).1;
    let breaks: &[Break] = &[
        ("index 1", |record| record.index = 1),
        ("provenance", |record| record.provenance = Some(provenance(okta()))),
        ("commitment", |record| record.commitment = vec![1; 32]),
        ("no origin", |record| the_origin(record).origin.clear()),
        ("a space", |record| the_origin(record).origin = "a b".into()),
        ("no key", |record| the_origin(record).index_key_commitment.clear()),
        ("an empty predecessor", |record| the_origin(record).predecessor = Some(Default::default())),
        ("predecessor of size 0", |record| predecessor(record).size = 0),
        ("a short root", |record| predecessor(record).root.truncate(31)),
        ("no first record", |record| predecessor(record).first_record.clear()),
        ("a large first record", |record| predecessor(record).first_record = vec![1; 8_193]),
        ("less known than left", |record| predecessor(record).known_size = 299),
        ("a short root that is known", |record| predecessor(record).known_root.truncate(31)),
    ];
    for (name, break_it) in breaks {
        let mut broken = valid.clone();
        break_it(&mut broken);
        assert!(matches!(encode(&broken), Err(RecordError::Rule(_))), "{name}");
    }
}

#[test]
fn what_no_seal_may_say() {
    let valid = one_of_each_body().pop().unwrap().1;
    assert!(encode(&valid).is_ok());
    let breaks: &[Break] = &[
        ("in record 0", |record| record.index = 0),
        ("a provenance", |record| record.provenance = Some(provenance(okta()))),
        ("a commitment", |record| record.commitment = vec![1; 32]),
        ("no root", |record| the_seal(record).map_root.clear()),
        ("a root of 31 bytes", |record| the_seal(record).map_root.truncate(31)),
        ("no source", |record| the_seal(record).sources[0].source = None),
        ("an empty stream", |record| the_seal(record).sources[0].source.as_mut().unwrap().stream.clear()),
        ("a system with an address", |record| {
            the_seal(record).sources[0].source.as_mut().unwrap().system = "bob@x.y".into();
        }),
        ("a source twice", |record| {
            let twice = the_seal(record).sources[0].clone();
            the_seal(record).sources.insert(0, twice);
        }),
        ("sources in disorder", |record| the_seal(record).sources.reverse()),
        ("more unmapped events than events", |record| the_seal(record).sources[0].unmapped = 301),
        ("a source of nothing", |record| the_seal(record).sources[1].duplicates = 0),
        ("no channel", |record| the_seal(record).next[0].channel.clear()),
        ("a channel twice", |record| the_seal(record).next[1].channel = "file/1".into()),
        ("channels in disorder", |record| the_seal(record).next.reverse()),
        ("nothing, and more to come", |record| {
            the_seal(record).sources.clear();
            the_seal(record).next.clear();
        }),
    ];
    for (what, change) in breaks {
        let mut record = valid.clone();
        change(&mut record);
        assert!(matches!(encode(&record), Err(RecordError::Rule(_))), "{what}");
        assert!(decode(&record.encode_to_vec()).is_err(), "{what}");
    }
}

#[test]
fn what_no_redaction_may_say() {
    let valid = one_of_each_body().into_iter().find(|(name, _)| *name == "redaction").unwrap().1;
    assert!(encode(&valid).is_ok());
    let breaks: &[Break] = &[
        ("nothing removed", |record| the_redaction(record).removed.clear()),
        ("beside record 0", |record| the_redaction(record).removed[0].first = 0),
        ("beside no record", |record| the_redaction(record).removed[0].records = 0),
        ("no part", |record| the_redaction(record).removed[0].parts.clear()),
        ("a part twice", |record| the_redaction(record).removed[0].parts = vec![1, 1]),
        ("parts in disorder", |record| the_redaction(record).removed[0].parts.reverse()),
        ("records in disorder", |record| the_redaction(record).removed.reverse()),
        ("a record twice", |record| the_redaction(record).removed[0].records = 7),
        ("beside itself", |record| the_redaction(record).removed[1].records = 394),
        ("past the largest record", |record| the_redaction(record).removed[1].records = u64::MAX),
        ("of what is no entity", |record| the_redaction(record).entities[0].truncate(3)),
        ("entities in disorder", |record| the_redaction(record).entities.reverse()),
        ("no reason", |record| the_redaction(record).reason.clear()),
        ("a reason in words", |record| the_redaction(record).reason = "he asked".into()),
        ("no rule", |record| the_redaction(record).rule.clear()),
        ("a rule with an address", |record| the_redaction(record).rule = "bob@x.y".into()),
        ("decided by nobody", |record| the_redaction(record).by.clear()),
        ("decided by an address", |record| the_redaction(record).by = b"bob@x.y".to_vec()),
        ("a caller with an address", |record| the_redaction(record).callers[0] = "bob@x.y".into()),
        ("callers in disorder", |record| the_redaction(record).callers.reverse()),
        ("searched ahead", |record| the_redaction(record).searched = 401),
        ("read from a dead letter", |record| record.provenance.as_mut().unwrap().retry_of = 4),
        ("no provenance", |record| record.provenance = None),
    ];
    for (what, change) in breaks {
        let mut record = valid.clone();
        change(&mut record);
        assert!(matches!(encode(&record), Err(RecordError::Rule(_))), "{what}");
        assert!(decode(&record.encode_to_vec()).is_err(), "{what}");
    }
    let mut last = valid.clone();
    the_redaction(&mut last).removed[1].records = 393;
    assert!(encode(&last).is_ok(), "up to the record before it");
}

#[test]
fn what_no_key_announcement_may_say() {
    let valid = one_of_each_body().into_iter().find(|(name, _)| *name == "key_announcement").unwrap().1;
    encode(&valid).unwrap();
    let breaks: [Break; 10] = [
        ("no former key", |record| the_announcement(record).former_key.clear()),
        ("no origin", |record| the_announcement(record).origin.clear()),
        ("an origin that is none", |record| the_announcement(record).origin = "a b".into()),
        ("no key", |record| the_announcement(record).public_key.clear()),
        ("a short key", |record| the_announcement(record).public_key.truncate(31)),
        ("no reason", |record| the_announcement(record).reason.clear()),
        ("a reason in words", |record| the_announcement(record).reason = "it was time".into()),
        ("decided by nobody", |record| the_announcement(record).by.clear()),
        ("decided by an address", |record| the_announcement(record).by = b"bob@x.y".to_vec()),
        ("out of a dead letter", |record| record.provenance.as_mut().unwrap().retry_of = 3),
    ];
    for (what, change) in breaks {
        let mut record = valid.clone();
        change(&mut record);
        assert!(encode(&record).is_err(), "{what}");
    }
}

fn the_announcement(record: &mut Record) -> &mut KeyAnnouncement {
    let Some(Body::KeyAnnouncement(announcement)) = &mut record.body else { unreachable!() };
    announcement
}

fn the_redaction(record: &mut Record) -> &mut Redaction {
    let Some(Body::Redaction(redaction)) = &mut record.body else { unreachable!() };
    redaction
}

fn the_seal(record: &mut Record) -> &mut Seal {
    let Some(Body::Seal(seal)) = &mut record.body else { unreachable!() };
    seal
}

fn predecessor(record: &mut Record) -> &mut Predecessor {
    the_origin(record).predecessor.as_mut().unwrap()
}

fn the_origin(record: &mut Record) -> &mut Origin {
    let Some(Body::Origin(origin)) = &mut record.body else { unreachable!() };
    origin
}

// ---------------------------------------------------------------------------------------------------------------------
// The chain

#[test]
fn the_chain_starts_at_the_origin_and_never_goes_back_in_time() {
    let first = one_of_each_body().remove(0).1;
    let first_hash = hash(&encode(&first).unwrap());
    // SHA-256 of the domain, a zero byte and the origin, by another program.
    let expected = "ff7ed6f7d40caec01496b1a3990a4db9027ad4cadfdf9a0ef8fc34095d454652";
    assert_eq!(origin_hash("example.com/auditledger").to_string(), expected);
    assert_eq!(first.prev, origin_hash("example.com/auditledger").0.as_bytes());
    assert_ne!(origin_hash("example.com/auditledger"), origin_hash("example.com/auditledger2"));
    assert_eq!(check_link(&first, RecordIndex(0), None), Ok(()));

    let second = Record { prev: first_hash.0.as_bytes().to_vec(), ..record_of(1, vec![full_fact()]) };
    let since = |seconds| Some((first_hash, recorded(seconds)));
    assert_eq!(check_link(&second, RecordIndex(1), since(1_000_001)), Ok(()), "the same moment");
    let cases = [
        ("earlier than the record before it", second.clone(), 1, since(1_000_002)),
        ("at another place", second.clone(), 2, since(0)),
        ("after another record", second.clone(), 1, Some((LeafHash(Hash::from_bytes([9; 32])), recorded(0)))),
        ("first without an origin", Record { index: 0, ..second.clone() }, 0, None),
        ("another log's beginning", Record { prev: vec![0; 32], ..first.clone() }, 0, None),
    ];
    for (name, record, index, previous) in cases {
        assert!(check_link(&record, RecordIndex(index), previous).is_err(), "{name}");
    }
}
