//! A log under another record 0: the same records, and back again.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use counterfoil_proto::v1::{Origin, Predecessor, Record, Seal, record::Body};
use counterfoil_verify::incarnation::{IncarnationError, Rechained, predecessors, told};
use counterfoil_verify::record::{self, decode, encode, origin_record};
use counterfoil_verify::seal::Coverage;
use counterfoil_verify::tree::{Frontier, RecordIndex};
use support::*;

/// A log of events, of one that is read again, and of seals: each record's bytes, and the root over them.
fn log() -> (Vec<Vec<u8>>, Frontier) {
    let (mut coverage, mut frontier, mut log) = (Coverage::new(), Frontier::new(), Vec::<Vec<u8>>::new());
    let mut add = |mut record: Record| {
        if let Some(last) = log.last() {
            record.prev = record::hash(last).0.as_bytes().to_vec();
        }
        match &mut record.body {
            Some(Body::Seal(seal)) => {
                seal.map_root = coverage.root().0.as_bytes().to_vec();
                seal.sources = coverage.tally().changed().cloned().collect();
            }
            Some(Body::EventRemapped(remapped)) => {
                let replaced = record::hash(&log[remapped.replaces as usize]);
                remapped.replaces_leaf = replaced.0.as_bytes().to_vec();
            }
            _ => {}
        }
        let bytes = encode(&record).unwrap();
        coverage.add(&record, record::hash(&bytes)).unwrap();
        frontier.append(record::hash(&bytes), |_| ());
        log.push(bytes);
    };
    let first = Origin { origin: "example.com/audit".into(), index_key_commitment: vec![7; 32], predecessor: None };
    add(origin_record(first, time(1_000_000)));
    let event = |index: u64| record_of(index, vec![full_fact(), ticket_fact()]);
    let seal = |index: u64| Record {
        provenance: None,
        commitment: Vec::new(),
        ..support::record(index, 1_000_000 + index as i64, Body::Seal(Seal::default()))
    };
    for index in 1..6 {
        add(event(index));
    }
    add(seal(6));
    add(remapped(7, &[&event(2)], vec![approval_fact()]));
    add(event(8));
    add(seal(9));
    (log, frontier)
}

fn successor(first: &[u8], frontier: &Frontier, origin: &str) -> Vec<u8> {
    let former = former_of(first);
    let predecessor = Predecessor {
        origin: former.origin.clone(),
        size: frontier.size().0,
        root: frontier.root().as_bytes().to_vec(),
        first_record: first.to_vec(),
        known_size: frontier.size().0 + 3,
        known_root: vec![9; 32],
    };
    let body = Origin { origin: origin.to_owned(), predecessor: Some(predecessor), ..former };
    encode(&origin_record(body, decode(first).unwrap().recorded_at.unwrap())).unwrap()
}

fn former_of(first: &[u8]) -> Origin {
    let Some(Body::Origin(origin)) = decode(first).unwrap().body else { panic!("record 0") };
    origin
}

fn rechained(first: &[u8], log: &[Vec<u8>]) -> (Vec<Vec<u8>>, Frontier) {
    let mut rechained = Rechained::from(first).unwrap();
    let mut bytes = vec![first.to_vec()];
    bytes.extend(log[1..].iter().map(|record| rechained.put(decode(record).unwrap()).unwrap()));
    (bytes, rechained.frontier().clone())
}

#[test]
fn a_log_goes_on_under_another_name_and_gives_the_old_one_back() {
    let (old, frontier) = log();
    let first = successor(&old[0], &frontier, "example.com/audit/2");
    let (new, renamed) = rechained(&first, &old);
    assert_ne!(renamed.root(), frontier.root());
    // It is a log: each record after the one before it, each seal over all before it.
    let (mut previous, mut coverage) = (None, Coverage::new());
    for (index, (ours, theirs)) in (0..).zip(new.iter().zip(&old)) {
        let record = decode(ours).unwrap();
        record::check_link(&record, RecordIndex(index), previous).unwrap();
        let leaf = record::hash(ours);
        coverage.add(&record, leaf).unwrap();
        previous = Some((leaf, record::recorded_at(&record)));
        // And says the same, at the same times.
        let former = decode(theirs).unwrap();
        assert_eq!((record.recorded_at, &record.provenance), (former.recorded_at, &former.provenance));
        assert_eq!(record.commitment, former.commitment);
        match (record.body.unwrap(), former.body.unwrap()) {
            (Body::EventRemapped(ours), Body::EventRemapped(theirs)) => {
                assert_eq!(ours.replaces_leaf, record::hash(&new[theirs.replaces as usize]).0.as_bytes());
                assert_eq!((ours.event, ours.entities), (theirs.event, theirs.entities));
            }
            (Body::Seal(ours), Body::Seal(theirs)) => assert_eq!(ours.sources, theirs.sources),
            (Body::Origin(ours), Body::Origin(theirs)) => {
                assert_eq!(ours.index_key_commitment, theirs.index_key_commitment);
            }
            (ours, theirs) => assert_eq!(ours, theirs),
        }
    }
    // And back, as record 0 says.
    let [predecessor] = &predecessors(&decode(&new[0]).unwrap())[..] else { panic!("one") };
    let (back, root) = rechained(&predecessor.first_record, &new);
    assert_eq!((back, root.root().as_bytes().to_vec()), (old.clone(), predecessor.root.clone()));

    // A second time, from the new one.
    let first = successor(&new[0], &renamed, "example.com/audit/3");
    let (third, _) = rechained(&first, &new);
    let found = predecessors(&decode(&third[0]).unwrap());
    let names: Vec<&str> = found.iter().map(|predecessor| predecessor.origin.as_str()).collect();
    assert_eq!(names, ["example.com/audit/2", "example.com/audit"]);
    assert_eq!(rechained(&found[0].first_record, &third).0, new);
    assert_eq!(rechained(&found[1].first_record, &third).0, old);
}

/// Whatever is changed in the new log, it does not give back what was signed before.
#[test]
fn what_was_changed_on_the_way_is_found() {
    let (old, frontier) = log();
    let first = successor(&old[0], &frontier, "example.com/audit/2");
    for index in 1..old.len() {
        let mut changed = old.clone();
        let mut record = decode(&changed[index]).unwrap();
        record.recorded_at.as_mut().unwrap().nanos += 1;
        changed[index] = encode(&record).unwrap();
        let (new, _) = rechained(&first, &changed);
        let (_, root) = rechained(&old[0], &new);
        assert_ne!(root.root(), frontier.root(), "record {index}");
    }
    let mut left_out = old.clone();
    left_out.pop();
    assert_ne!(rechained(&old[0], &rechained(&first, &left_out).0).1.root(), frontier.root());
}

#[test]
fn what_is_no_log_is_none_under_another_name() {
    let (old, _) = log();
    assert!(matches!(Rechained::from(&old[1]), Err(IncarnationError::NoOrigin)));
    assert!(matches!(Rechained::from(b"bytes"), Err(IncarnationError::Record(_))));
    let mut rechained = Rechained::from(&old[0]).unwrap();
    let early = remapped(7, &[&record_of(2, vec![full_fact()])], vec![approval_fact()]);
    assert_eq!(rechained.put(early), Err(IncarnationError::Replaces(2)));
}

#[test]
fn whoever_knows_the_old_name_is_told_of_the_new_one() {
    let (old, frontier) = log();
    let first = decode(&successor(&old[0], &frontier, "example.com/audit/2")).unwrap();
    let words = told(&first, "example.com/audit").unwrap();
    assert!(
        words.contains("\"example.com/audit/2\" is a new incarnation: it goes on from the first 10 records"),
        "{words}"
    );
    assert!(words.contains("records 10 to 12 are lost"), "{words}");
    assert_eq!(told(&first, "example.com/other"), None);
    assert_eq!(told(&decode(&old[0]).unwrap(), "example.com/audit"), None);
}
