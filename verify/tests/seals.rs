//! Owns the tests of seals: what they have to say of the records before them, against counts that are taken here one by
//! one, and that every other seal is rejected.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    EntityKind, Event, EventConflict, Fact, FactKind, Mapping, Position, Record, RedactedParts, Redaction, Seal,
    SealedSource, Source, SourceGap, SourceRejected, record::Body,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::map::memory::MemoryMap;
use counterfoil_verify::map::{Link, MapKey};
use counterfoil_verify::record::{decode, encode, hash};
use counterfoil_verify::seal::{Coverage, SealError};
use counterfoil_verify::tree::RecordIndex;
use proptest::prelude::*;
use support::*;

fn stream(number: u8) -> Source {
    Source { stream: format!("stream-{number}"), ..okta() }
}

fn sealed(source: Source) -> SealedSource {
    SealedSource { source: Some(source), ..SealedSource::default() }
}

/// The record of a source with a body, at a place.
fn of(source: u8, index: u64, body: Body) -> Record {
    let record = record(index, 1_000, body);
    Record { provenance: Some(provenance(stream(source))), ..record }
}

fn seal_record(index: u64, seal: Seal) -> Record {
    Record { provenance: None, commitment: Vec::new(), ..record(index, 1_000, Body::Seal(seal)) }
}

fn part(mapping: Mapping, (part, parts): (u32, u32), facts: usize) -> Body {
    let fact = Fact { subject: Some(account(&format!("00u{part}"))), ..fact(FactKind::AuthEvent, 5) };
    Body::Event(Event { native_type: "x".into(), mapping: mapping.into(), part, parts, facts: vec![fact; facts] })
}

fn leaf_of(record: &Record) -> LeafHash {
    hash(&encode(record).unwrap())
}

/// Bodies of every kind, and what each adds to events, facts, unmapped, conflicts and rejected.
fn bodies() -> Vec<(Body, [u64; 5])> {
    // What it replaces matters to nobody here.
    let replaced = of(0, 1, part(Mapping::Unmapped, (0, 1), 0));
    let redacted = vec![RedactedParts { first: 1, records: 1, parts: vec![0] }];
    let read_again = remapped(3, &[&replaced], vec![fact(FactKind::AuthEvent, 5)]).body.unwrap();
    vec![
        (part(Mapping::Mapped, (0, 1), 3), [1, 3, 0, 0, 0]),
        (part(Mapping::Mapped, (0, 2), 2), [1, 2, 0, 0, 0]),
        (part(Mapping::Mapped, (1, 2), 1), [0, 1, 0, 0, 0]),
        (part(Mapping::Unmapped, (0, 1), 0), [1, 0, 1, 0, 0]),
        (part(Mapping::NoFacts, (0, 1), 0), [1, 0, 0, 0, 0]),
        (part(Mapping::Incomplete, (0, 1), 0), [1, 0, 0, 0, 0]),
        (Body::EventConflict(EventConflict { first_index: 1 }), [0, 0, 0, 1, 0]),
        (Body::SourceRejected(SourceRejected { reason: 3, size: 10 }), [0, 0, 0, 0, 1]),
        (Body::SourceGap(SourceGap { from: 1, to: 2, reason: 1 }), [0, 0, 0, 0, 0]),
        (read_again, [0, 0, 0, 0, 0]),
        (Body::Redaction(Redaction { searched: 0, removed: redacted, ..full_redaction() }), [0, 0, 0, 0, 0]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Records of three sources with a seal here and there: the seal that says what was counted by hand is accepted.
    #[test]
    fn a_seal_says_what_the_records_come_to(steps in proptest::collection::vec((0..3u8, 0..14usize), 1..60)) {
        let origin = one_of_each_body().remove(0).1;
        let mut coverage = Coverage::new();
        coverage.add(&origin, leaf_of(&origin)).unwrap();
        // So that there is a record before each conflict.
        let seal = seal_record(1, Seal { map_root: coverage.root().0.as_bytes().to_vec(), ..Seal::default() });
        coverage.add(&seal, leaf_of(&seal)).unwrap();
        let (mut map, mut index) = (MemoryMap::default(), 2);
        let mut counts: BTreeMap<u8, [u64; 6]> = BTreeMap::new();
        let mut last = counts.clone();
        for (source, kind) in steps {
            let record = if let Some((body, added)) = bodies().get(kind) {
                let counts = counts.entry(source).or_default();
                (0..5).for_each(|number| counts[number] += added[number]);
                of(source, index, body.clone())
            } else {
                counts.entry(source).or_default()[5] += 1;
                let new = counts.iter().filter(|(source, counts)| {
                    counts.iter().any(|count| *count > 0) && last.get(*source) != Some(*counts)
                });
                let sources = new.map(|(source, counts)| {
                    let [events, facts, unmapped, conflicts, rejected, duplicates] = *counts;
                    SealedSource { events, facts, unmapped, duplicates, conflicts, rejected, ..sealed(stream(*source)) }
                });
                let map_root = map.root().0.as_bytes().to_vec();
                let seal = seal_record(index, Seal { map_root, sources: sources.collect(), ..Seal::default() });
                last = counts.clone();
                seal
            };
            prop_assert_eq!(decode(&encode(&record).unwrap()).unwrap(), record.clone());
            let leaf = leaf_of(&record);
            coverage.add(&record, leaf).unwrap();
            let link = |entity: EntityId| Link { key: MapKey::of(&entity), index: RecordIndex(index), leaf };
            map.append(entity_set(&record).into_iter().map(link).collect());
            prop_assert_eq!(coverage.root(), map.root());
            index += 1;
        }
    }
}

/// A log of a few records of two sources, and the seal that is right behind it.
fn log() -> (Coverage, Seal) {
    let origin = one_of_each_body().remove(0).1;
    let records: Vec<Record> = std::iter::once(origin)
        .chain((1..).zip(bodies()).map(|(index, (body, _))| of((index % 2) as u8, index, body)))
        .collect();
    let mut coverage = Coverage::new();
    for record in &records {
        coverage.add(record, leaf_of(record)).unwrap();
    }
    let sources = coverage.tally().changed().map(|source| SealedSource { duplicates: 5, ..source.clone() }).collect();
    let next = vec![Position { channel: "file/1".into(), sequence: 10 }];
    let map_root = coverage.root().0.as_bytes().to_vec();
    (coverage, Seal { map_root, sources, next, continued: false })
}

#[test]
fn every_other_seal_is_rejected() {
    let (coverage, right) = log();
    let check = |seal: &Seal| {
        let record = seal_record(12, seal.clone());
        coverage.clone().add(&record, leaf_of(&record))
    };
    assert_eq!(check(&right), Ok(()));
    assert_eq!(right.sources.len(), 2);
    type Change = (&'static str, fn(&mut SealedSource));
    let changes: [Change; 10] = [
        ("an event more", |counts| counts.events += 1),
        ("an event less", |counts| counts.events -= 1),
        ("a fact more", |counts| counts.facts += 1),
        ("a fact less", |counts| counts.facts -= 1),
        ("one unmapped more", |counts| counts.unmapped += 1),
        ("a conflict more", |counts| counts.conflicts += 1),
        ("a rejected one more", |counts| counts.rejected += 1),
        ("another stream", |counts| counts.source = Some(stream(7))),
        ("another system", |counts| counts.source = Some(Source { system: "github".into(), ..stream(1) })),
        ("another instance", |counts| counts.source = Some(Source { instance: "other".into(), ..stream(1) })),
    ];
    for (what, change) in changes {
        let mut seal = right.clone();
        change(&mut seal.sources[0]);
        seal.sources
            .sort_by_key(|counts| counts.source.clone().map(|source| (source.system, source.instance, source.stream)));
        assert!(matches!(check(&seal), Err(SealError::Counts { .. })), "{what}: {:?}", check(&seal));
    }
    for place in 0..2 {
        let mut seal = right.clone();
        seal.sources.remove(place);
        assert!(matches!(check(&seal), Err(SealError::Missing(_))));
    }
    for bit in 0..256 {
        let mut seal = right.clone();
        seal.map_root[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(check(&seal), Err(SealError::Root { .. })));
    }
}

#[test]
fn a_seal_says_only_what_is_new_and_takes_nothing_back() {
    let (mut coverage, right) = log();
    let first = seal_record(12, right.clone());
    coverage.add(&first, leaf_of(&first)).unwrap();
    let check = |sources: Vec<SealedSource>| {
        let record = seal_record(13, Seal { sources, next: Vec::new(), ..right.clone() });
        coverage.clone().add(&record, leaf_of(&record))
    };
    assert_eq!(check(Vec::new()), Ok(()), "nothing came since, and a seal belongs to no entity");
    assert!(matches!(check(right.sources[..1].to_vec()), Err(SealError::Counts { .. })), "nothing new of it");
    let with = |duplicates| vec![SealedSource { duplicates, ..right.sources[0].clone() }];
    assert_eq!(check(with(6)), Ok(()), "the operator's word");
    let shrinks = SealError::Shrinks { name: "okta/acme/stream-0".into(), expected: 5, found: 4 };
    assert_eq!(check(with(4)), Err(shrinks));
    let unknown = SealedSource { duplicates: 1, ..sealed(stream(9)) };
    assert_eq!(check(vec![unknown.clone()]), Ok(()), "nothing but duplicates came from it");
    assert!(matches!(check(vec![SealedSource { events: 1, ..unknown }]), Err(SealError::Counts { .. })));
}

/// A seal that has no room for every source is continued in the record behind it, and so on.
#[test]
fn a_seal_that_is_continued_is_finished() {
    let (coverage, right) = log();
    let part = |place: usize, continued| {
        Body::Seal(Seal { sources: vec![right.sources[place].clone()], next: Vec::new(), continued, ..right.clone() })
    };
    let check = |bodies: Vec<Body>| {
        let mut coverage = coverage.clone();
        let records = (12..).zip(bodies).map(|(index, body)| match body {
            Body::Seal(seal) => seal_record(index, seal),
            body => of(0, index, body),
        });
        records.map(|record| coverage.add(&record, leaf_of(&record))).collect::<Result<Vec<()>, SealError>>().map(drop)
    };
    let event = || bodies().remove(4).0;
    assert_eq!(check(vec![part(0, true), part(1, false), event()]), Ok(()));
    assert_eq!(check(vec![part(1, true), part(0, false), event()]), Ok(()), "in whatever parts");
    assert_eq!(check(vec![part(0, true), event()]), Err(SealError::Unfinished));
    assert_eq!(check(vec![part(0, true), part(1, true), event()]), Err(SealError::Unfinished));
    let missing = |number| Err(SealError::Missing(format!("okta/acme/stream-{number}")));
    assert_eq!(check(vec![part(0, false), event()]), missing(1));
    assert_eq!(check(vec![part(1, false), event()]), missing(0));
    let bare = Body::Seal(Seal { sources: Vec::new(), next: Vec::new(), ..right.clone() });
    assert_eq!(check(vec![part(0, true), bare]), missing(1));
    let again = check(vec![part(0, true), part(0, false), event()]);
    assert!(matches!(again, Err(SealError::Counts { .. })), "it has nothing new any more: {again:?}");
}

#[test]
fn records_come_in_order() {
    let (mut coverage, right) = log();
    let root = coverage.root();
    for index in [1, 11, 13, u64::MAX] {
        let record = seal_record(index, right.clone());
        let order = SealError::Order { expected: RecordIndex(12), found: RecordIndex(index) };
        assert_eq!(coverage.add(&record, leaf_of(&record)), Err(order));
    }
    assert_eq!(coverage.root(), root);
}

/// What the map is for: with a seal, the history of an entity is shown to be complete.
#[test]
fn with_a_seal_a_history_is_shown_to_be_complete() {
    let (mut coverage, right) = log();
    let account = EntityId::new(EntityKind::Account, "okta", "acme", "00u0").unwrap();
    let records = (1..).zip(bodies()).map(|(index, (body, _))| of((index % 2) as u8, index, body));
    let all: Vec<_> = records
        .filter(|record| entity_set(record).contains(&account))
        .map(|record| (RecordIndex(record.index), leaf_of(&record)))
        .collect();
    assert_eq!(all.len(), 2);
    let proof = coverage.map().prove(&MapKey::of(&account));
    assert_eq!(right.map_root, coverage.root().0.as_bytes());
    assert_eq!(proof.verify_complete(coverage.root(), &account, all.clone()), Ok(()));
    assert!(proof.verify_complete(coverage.root(), &account, all[1..].to_vec()).is_err());
}
