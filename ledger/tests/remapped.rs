//! Events that were read again: each reading is replaced once, and what does not fit what it replaces is refused.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;

use common::*;
use counterfoil_ledger::{EventKey, Ledger, LedgerError, Location, PreparedEvent, Replica, Row, fsck};
use counterfoil_proto::v1::{Event, EventRemapped, Mapping, Provenance, record::Body};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;

/// The reading, in so many records, that replaces another of the event whose first record is `first`.
fn remapped(ledger: &Ledger, first: u64, replaces: u64, parts: u32) -> (Provenance, EventRemapped, u32) {
    let reader = ledger.reader();
    let leaf = record::hash(&reader.record_bytes(RecordIndex(replaces)).unwrap());
    let provenance = reader.record(RecordIndex(first)).unwrap().provenance.unwrap();
    let said = EventRemapped {
        first_index: first,
        replaces,
        replaces_leaf: leaf.0.as_bytes().to_vec(),
        entities: Vec::new(),
        event: Some(Event { native_type: "test".to_owned(), mapping: Mapping::NoFacts.into(), ..Event::default() }),
    };
    (Provenance { connector_version: 2, ..provenance }, said, parts)
}

fn prepared((provenance, said, parts): (Provenance, EventRemapped, u32)) -> PreparedEvent {
    let body = |part| {
        let event = Event { part, parts, ..said.event.clone().unwrap() };
        Body::EventRemapped(EventRemapped { event: Some(event), ..said.clone() })
    };
    PreparedEvent::new(provenance, (0..parts).map(body).collect(), None, None).unwrap()
}

/// What fsck finds, and whether a replica takes the records, in steps of so many.
fn checked(home: &Home, step: usize) -> (Option<u64>, Result<(), LedgerError>) {
    let ledger = home.open();
    let reader = ledger.reader();
    let rows: Vec<_> = reader
        .entries(0..u64::MAX)
        .map(|entry| entry.unwrap())
        .map(|entry| (record::encode(&entry.record).unwrap(), entry.beside.map(|beside| beside.encode_to_vec())))
        .collect();
    drop((reader, ledger));
    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::parse(&fs::read(home.location.policy()).unwrap()).unwrap();
    let mut replica = Replica::open(&Location::new(&folder.path().join("replica"), None), &policy, "a test").unwrap();
    let mut rows =
        (0..).zip(rows).map(|(index, (record, beside))| Row::check(RecordIndex(index), record, beside).unwrap());
    let taken = loop {
        let next: Vec<Row> = rows.by_ref().take(step).collect();
        if next.is_empty() {
            break Ok(());
        }
        if let Err(error) = replica.take(next) {
            break Err(error);
        }
    };
    (report.problem.map(|problem| problem.record.unwrap().0), taken)
}

#[test]
fn each_reading_is_replaced_once_and_its_event_is_known_as_ever() {
    let home = Home::new(1);
    let ledger = home.open();
    append(&ledger, vec![event_of_parts("a", 1, 2), event("b", 2)]);
    let position = ledger.reader().position(CHANNEL).unwrap();
    let first = remapped(&ledger, 1, 1, 3);
    assert_eq!(append(&ledger, vec![prepared(first.clone())]).outcomes, [recorded(4)]);
    assert_eq!(append(&ledger, vec![prepared(first)]).outcomes, [duplicate(4)], "it was replaced already");
    let second = remapped(&ledger, 1, 4, 1);
    assert_eq!(append(&ledger, vec![prepared(second)]).outcomes, [recorded(7)]);
    assert_eq!(append(&ledger, vec![event_of_parts("a", 1, 2)]).outcomes, [duplicate(1)]);
    assert_eq!(append(&ledger, vec![event("a", 3)]).outcomes, [conflict(8)]);
    let reader = ledger.reader();
    let source = reader.record(RecordIndex(1)).unwrap().provenance.unwrap().source.unwrap();
    let replaced_by = |id: &str, reading| {
        reader.replaced_by(&EventKey::new(&source, id), RecordIndex(reading)).unwrap().map(|index| index.0)
    };
    assert_eq!([1, 4, 7].map(|reading| replaced_by("a", reading)), [Some(4), Some(7), None]);
    assert_eq!(replaced_by("b", 3), None);
    assert_eq!(reader.position(CHANNEL).unwrap(), position);
    drop((reader, ledger));
    for step in [1, 3, 100] {
        let (problem, taken) = checked(&home, step);
        assert!(problem.is_none() && taken.is_ok(), "{problem:?} {taken:?}");
    }
}

#[test]
fn what_does_not_fit_what_it_replaces_is_refused() {
    type Change = fn(&mut Provenance, &mut EventRemapped);
    let changes: [(&str, Change); 6] = [
        ("another leaf", |_, said| said.replaces_leaf[0] ^= 1),
        ("a part that is not the first", |_, said| said.replaces = 2),
        ("another event's record", |_, said| (said.first_index, said.replaces) = (3, 3)),
        ("an entity that is not there", |_, said| {
            let stranger = "account:test:default:u1".parse::<EntityId>().unwrap();
            said.entities.push(stranger.as_bytes().to_vec());
        }),
        ("another event", |provenance, _| provenance.event_id = "b".to_owned()),
        ("other content", |provenance, _| provenance.content_digest[0] ^= 1),
    ];
    for (what, change) in changes {
        let home = Home::new(1);
        let ledger = home.open();
        append(&ledger, vec![event_of_parts("a", 1, 2), event("b", 2)]);
        let (mut provenance, mut said, parts) = remapped(&ledger, 1, 1, 2);
        change(&mut provenance, &mut said);
        append(&ledger, vec![prepared((provenance, said, parts)), event("c", 3)]);
        drop(ledger);
        for step in [1, 100] {
            let (problem, taken) = checked(&home, step);
            assert_eq!(problem, Some(4), "{what}");
            assert!(matches!(taken, Err(LedgerError::Falsified { .. })), "{what}: {taken:?}");
        }
    }
}
