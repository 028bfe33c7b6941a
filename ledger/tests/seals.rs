//! Seals of a ledger: when they come, and that each says what a map says that is made anew from all records before it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use common::*;
use counterfoil_ledger::{
    Advance, Batch, ChannelPosition, Ledger, LedgerError, PreparedEvent, Reader, Replica, Row, Sealing, fsck,
};
use counterfoil_proto::v1::{Mapping, Record, Seal, Source, record::Body};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use proptest::prelude::*;

// ---------------------------------------------------------------------------------------------------------------------
// The model: everything anew from the first record, at each seal

type Hash = [u8; 32];

fn hash(what: &str, parts: &[&[u8]]) -> Hash {
    *domain_hash(what, parts).as_bytes()
}

/// The root over the entities of some records, by the definition.
fn naive_root(records: &[Record]) -> Hash {
    let mut chains: BTreeMap<Hash, (u64, Hash)> = BTreeMap::new();
    for record in records {
        let leaf = record::hash(&record::encode(record).unwrap());
        for entity in entity_set(record) {
            let (count, head) = chains.entry(hash("counterfoil/map-key/v1", &[entity.as_bytes()])).or_default();
            *count += 1;
            *head = hash("counterfoil/entity/v1", &[head, &record.index.to_be_bytes(), leaf.0.as_bytes()]);
        }
    }
    let entries: Vec<_> = chains.into_iter().collect();
    if entries.is_empty() { hash("counterfoil/map-empty/v1", &[]) } else { below(&entries, 0) }
}

fn below(entries: &[(Hash, (u64, Hash))], bit: usize) -> Hash {
    if let [(key, (count, head))] = entries {
        return hash("counterfoil/map-leaf/v1", &[key, &count.to_be_bytes(), head]);
    }
    let (zeros, ones): (Vec<_>, Vec<_>) =
        entries.iter().copied().partition(|(key, _)| key[bit / 8] & 0x80 >> (bit % 8) == 0);
    match (zeros.is_empty(), ones.is_empty()) {
        (true, _) => below(&ones, bit + 1),
        (_, true) => below(&zeros, bit + 1),
        _ => {
            let (zeros, ones) = (below(&zeros, bit + 1), below(&ones, bit + 1));
            hash("counterfoil/map-branch/v1", &[&[bit as u8], &zeros, &ones])
        }
    }
}

/// Events, facts, unmapped, conflicts and rejected of each source.
fn naive_counts(records: &[Record]) -> BTreeMap<String, [u64; 5]> {
    let mut counts: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for record in records {
        let Some(provenance) = &record.provenance else { continue };
        let added = match record.body.as_ref().unwrap() {
            Body::Event(event) => {
                let first = u64::from(event.part == 0);
                let unmapped = if event.mapping() == Mapping::Unmapped { first } else { 0 };
                [first, event.facts.len() as u64, unmapped, 0, 0]
            }
            Body::EventConflict(_) => [0, 0, 0, 1, 0],
            Body::SourceRejected(_) => [0, 0, 0, 0, 1],
            _ => continue,
        };
        let of_source = counts.entry(name_of(provenance.source.as_ref())).or_default();
        of_source.iter_mut().zip(added).for_each(|(count, added)| *count += added);
    }
    counts
}

fn name_of(source: Option<&Source>) -> String {
    let source = source.unwrap();
    format!("{}/{}/{}", source.system, source.instance, source.stream)
}

fn seal_of(record: &Record) -> Option<&Seal> {
    match record.body.as_ref().unwrap() {
        Body::Seal(seal) => Some(seal),
        _ => None,
    }
}

/// Checks every seal of a log. Gives the place of each, the duplicates of each source and the positions of each channel
/// that the last one told of.
#[track_caller]
fn check_seals(reader: &Reader) -> (Vec<u64>, BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let records: Vec<Record> = reader.records(0..u64::MAX).collect::<Result<_, _>>().unwrap();
    let (mut places, mut duplicates, mut next) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    let (mut sealed, mut named) = (BTreeMap::new(), BTreeSet::new());
    let mut is_continued = false;
    for (index, record) in records.iter().enumerate() {
        let Some(seal) = seal_of(record) else {
            assert!(!is_continued, "record {index}");
            continue;
        };
        let before = &records[..index];
        assert_eq!(seal.map_root, naive_root(before), "the root in record {index}");
        let counts = naive_counts(before);
        for stated in &seal.sources {
            let name = name_of(stated.source.as_ref());
            let of_source = [stated.events, stated.facts, stated.unmapped, stated.conflicts, stated.rejected];
            assert_eq!(Some(&of_source), counts.get(&name), "{name} in record {index}");
            assert!(duplicates.insert(name.clone(), stated.duplicates).is_none_or(|known| known <= stated.duplicates));
            assert!(named.insert(name), "record {index}");
        }
        next.extend(seal.next.iter().map(|position| (position.channel.clone(), position.sequence)));
        is_continued = seal.continued;
        if !is_continued {
            let changed = counts.iter().filter(|(name, counts)| sealed.get(*name) != Some(*counts));
            assert!(changed.map(|(name, _)| name).all(|name| named.contains(name)), "record {index}");
            assert!(!named.is_empty() || seal_of(&records[index - 1]).is_none(), "record {index} seals nothing");
            (sealed, named) = (counts, BTreeSet::new());
        }
        places.push(index as u64);
    }
    let last = places.last().copied().unwrap_or_default();
    assert_eq!(reader.sealed(), TreeSize(last));
    (places, duplicates, next)
}

#[track_caller]
fn check_sound(home: &Home) {
    assert_eq!(fsck(&home.location, "a test", &mut |_, _| ()).unwrap().problem, None);
}

fn wait_for_seal(reader: &Reader, size: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(reader.until_sealed(TreeSize(size)));
}

/// `count` events of a stream, each about three of a few hundred accounts.
fn events(stream: &str, numbers: std::ops::Range<u64>) -> Vec<PreparedEvent> {
    let accounts = |number: u64| [number % 7, number * number % 300, 1_000 + number % 50];
    numbers.map(|number| about(stream, number, &accounts(number))).collect()
}

// ---------------------------------------------------------------------------------------------------------------------
// When, and what

#[test]
fn what_ends_is_sealed_at_its_end() {
    let home = Home::new(1);
    for round in 0..4 {
        let ledger = home.open_sealing(Sealing::AtTheEnd);
        append(&ledger, events("one", round * 100..round * 100 + 100));
        append(&ledger, [events("two", round..round + 1), events("one", 0..5), numbered(round..round + 2)].concat());
        drop(ledger);
    }
    let ledger = home.open_sealing(Sealing::AtTheEnd);
    let (places, duplicates, _) = check_seals(&ledger.reader());
    assert_eq!(places.len(), 4);
    let stated: Vec<(&str, u64)> = duplicates.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(stated, [("test/default/log", 3), ("test/default/one", 20), ("test/default/two", 0)]);

    // What is known gives no record, and so nothing to seal.
    let size = ledger.reader().head().size;
    append(&ledger, events("one", 0..100));
    drop(ledger);
    let ledger = home.open_sealing(Sealing::AtTheEnd);
    assert_eq!(ledger.reader().head().size, size);
    drop(ledger);
    check_sound(&home);
}

#[test]
fn when_nothing_comes_the_owner_seals() {
    let home = Home::new(1);
    let ledger = home.open_sealing(Sealing::AsTimePasses);
    let reader = ledger.reader();
    for round in 0..3 {
        let receipt = append(&ledger, events("one", round * 10..round * 10 + 10));
        wait_for_seal(&reader, receipt.size.0);
        check_seals(&reader);
    }
    assert_eq!(check_seals(&reader).0, [11, 22, 33]);
    common::check_sound(&home, &reader);
}

#[test]
fn while_others_come_a_record_waits_for_a_second() {
    let home = Home::new(1);
    let ledger = home.open_sealing(Sealing::AsTimePasses);
    let reader = ledger.reader();
    let mut number = 0;
    // It never has a moment without anything to do.
    while reader.sealed() == TreeSize(0) {
        append(&ledger, events("one", number..number + 1));
        number += 1;
    }
    drop((ledger, reader));
    let ledger = home.open();
    let (places, ..) = check_seals(&ledger.reader());
    assert!(places[0] > 20, "many share one seal: {places:?}");
}

/// More links than may wait: a seal comes though none is due.
#[test]
fn what_waits_is_bounded() {
    let home = Home::new(1);
    let ledger = home.open_sealing(Sealing::AtTheEnd);
    let accounts: Vec<u64> = (0..900).collect();
    for number in 0..3 {
        append(&ledger, (0..20).map(|event| about("one", number * 20 + event, &accounts)).collect());
        assert_eq!(ledger.reader().sealed().0 > 0, number == 2);
    }
    check_seals(&ledger.reader());
}

#[test]
fn a_seal_that_has_no_room_is_continued() {
    let home = Home::new(1);
    let ledger = home.open_sealing(Sealing::AtTheEnd);
    let stream = |number: u64| format!("{number}-{}", "x".repeat(100));
    let event = |number: u64| about(&stream(number), number, &[number % 40]);
    let channel = |number: u64| format!("file/{number}/{}", "y".repeat(200));
    let position = |number| {
        let to = ChannelPosition { next: number, ..ChannelPosition::default() };
        Advance { channel: channel(number), from: 0, to }
    };
    let batch = Batch { events: (1..700).map(event).collect(), positions: (1..400).map(position).collect() };
    ledger.append(batch).unwrap();
    drop(ledger);
    let ledger = home.open();
    let (places, duplicates, next) = check_seals(&ledger.reader());
    assert_eq!(duplicates.len(), 699);
    assert_eq!(next, (1..400).map(|number| (channel(number), number)).collect());
    assert!(places.len() > 4 && places.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{places:?}");
    drop(ledger);
    check_sound(&home);
}

/// What was read through a channel after the last seal is told by the next one, whatever process that one comes from.
#[test]
fn a_seal_tells_where_reading_goes_on() {
    let home = Home::new(1);
    let ledger = home.open_sealing(Sealing::Never);
    ledger.append(batch_over(0..7, numbered(0..7))).unwrap();
    drop(ledger);
    let ledger = home.open_sealing(Sealing::AtTheEnd);
    append(&ledger, events("one", 0..3));
    drop(ledger);
    let (.., next) = check_seals(&home.open().reader());
    assert_eq!(next, BTreeMap::from([(CHANNEL.to_owned(), 7)]));
}

// ---------------------------------------------------------------------------------------------------------------------
// Whatever happens to what is derived

fn delete_derived(home: &Home) {
    fs::remove_dir_all(home.part("derived")).unwrap();
}

/// A step of a ledger's life.
#[derive(Clone, Debug)]
enum Step {
    /// So many events, of one of three streams.
    Append(u8, u64),
    /// The process ends, and another goes on.
    Close(Sealing),
    /// It is killed: what is derived is as it was when it was last written out.
    Kill,
    /// Somebody deletes what is derived.
    Delete,
}

fn any_step() -> impl Strategy<Value = Step> {
    let sealing = prop_oneof![Just(Sealing::AtTheEnd), Just(Sealing::Never)];
    prop_oneof![
        6 => (0..3u8, 0..40u64).prop_map(|(stream, count)| Step::Append(stream, count)),
        3 => sealing.prop_map(Step::Close),
        1 => Just(Step::Kill),
        1 => Just(Step::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_seal_is_right(steps in proptest::collection::vec(any_step(), 1..25)) {
        let mut home = Home::new(1);
        let mut ledger = home.open_sealing(Sealing::AtTheEnd);
        let mut number = 0;
        for step in steps {
            match step {
                Step::Append(stream, count) => {
                    append(&ledger, events(&format!("stream-{stream}"), number..number + count));
                    number += count / 2;
                }
                Step::Close(sealing) => {
                    drop(ledger);
                    ledger = home.open_sealing(sealing);
                }
                Step::Kill => {
                    let killed = home.copy();
                    drop(ledger);
                    home = killed;
                    ledger = home.open_sealing(Sealing::AtTheEnd);
                }
                Step::Delete => {
                    drop(ledger);
                    delete_derived(&home);
                    ledger = home.open_sealing(Sealing::AtTheEnd);
                }
            }
        }
        check_seals(&ledger.reader());
        drop(ledger);
        check_sound(&home);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// A wrong seal

/// A ledger with three seals, closed; and where they are.
fn sealed() -> (Home, Vec<u64>) {
    let home = Home::new(1);
    for round in 0..3 {
        let ledger: Ledger = home.open_sealing(Sealing::AtTheEnd);
        append(&ledger, events("one", round * 50..round * 50 + 50));
    }
    let places = check_seals(&home.open().reader()).0;
    assert_eq!(places, [51, 102, 153]);
    (home, places)
}

/// The records of a log of which one was changed, and all behind it chained again.
fn changed(home: &Home, place: u64, change: impl FnOnce(&mut Seal)) -> Vec<Vec<u8>> {
    let mut records: Vec<Record> = home.open().reader().records(0..u64::MAX).collect::<Result<_, _>>().unwrap();
    let Some(Body::Seal(seal)) = &mut records[place as usize].body else { panic!("record {place} is no seal") };
    change(seal);
    let mut prev = None;
    records
        .into_iter()
        .map(|record| {
            let bytes = record::encode(&Record { prev: prev.take().unwrap_or(record.prev), ..record }).unwrap();
            prev = Some(record::hash(&bytes).0.as_bytes().to_vec());
            bytes
        })
        .collect()
}

type Change = fn(&mut Seal);

const WRONG: [(&str, Change); 5] = [
    ("the map root", |seal| seal.map_root[7] ^= 1),
    ("events", |seal| seal.sources[0].events += 1),
    ("facts", |seal| seal.sources[0].facts -= 1),
    ("new counts", |seal| seal.sources.clear()),
    ("", |seal| seal.continued = true),
];

/// A replica takes what the log's key may well have signed, and refuses the first record that is a wrong seal; whatever is
/// right it takes, then and later.
#[test]
fn a_replica_refuses_a_wrong_seal() {
    let (home, places) = sealed();
    let policy = Policy::parse(&fs::read(home.location.policy()).unwrap()).unwrap();
    for place in places {
        for (what, change) in WRONG {
            let wrong = changed(&home, place, change);
            let right = changed(&home, place, |_| ());
            let folder = tempfile::tempdir().unwrap();
            let location = counterfoil_ledger::Location::new(&folder.path().join("replica"), None);
            let mut replica = Replica::open(&location, &policy, "a test").unwrap();
            let row = |records: &[Vec<u8>], index: u64| {
                Row::check(RecordIndex(index), records[index as usize].clone(), None).unwrap()
            };
            replica.take((0..place - 5).map(|index| row(&right, index)).collect()).unwrap();
            let refused = replica.take((place - 5..wrong.len() as u64).map(|index| row(&wrong, index)).collect());
            let named = match what {
                // The record behind it is wrong, or nothing is: it may be continued yet.
                "" if place == 153 => {
                    refused.unwrap();
                    continue;
                }
                "" => place + 1,
                _ => place,
            };
            match refused {
                Err(LedgerError::Falsified { place, problem }) => {
                    assert_eq!(place, format!("record {named}"), "{problem}");
                    assert!(problem.contains(what), "{problem}");
                }
                other => panic!("{what} in {place}: {other:?}"),
            }
            assert_eq!(replica.size(), TreeSize(place - 5), "nothing of them was taken");
            replica.take((place - 5..right.len() as u64).map(|index| row(&right, index)).collect()).unwrap();
        }
    }
}

/// A replica takes another history behind what was confirmed, seals and all, forgets it, and takes the right one.
#[test]
fn what_a_replica_forgets_is_no_more_in_its_map() {
    let sealed = |home: &Home, numbers| append(&home.open_sealing(Sealing::AtTheEnd), events("one", numbers));
    let older = Home::new(1);
    sealed(&older, 0..50);
    let (ours, other) = (older.copy(), older.copy());
    sealed(&ours, 50..100);
    sealed(&other, 200..260);
    let rows = |home: &Home, from: u64| -> Vec<Row> {
        let row =
            |record: Record| Row::check(RecordIndex(record.index), record::encode(&record).unwrap(), None).unwrap();
        home.open().reader().records(from..u64::MAX).map(|record| row(record.unwrap())).collect()
    };
    let policy = Policy::parse(&fs::read(older.location.policy()).unwrap()).unwrap();
    for confirmed in [0, 52] {
        let folder = tempfile::tempdir().unwrap();
        let location = counterfoil_ledger::Location::new(&folder.path().join("replica"), None);
        let mut replica = Replica::open(&location, &policy, "a test").unwrap();
        if confirmed > 0 {
            replica.take(rows(&older, 0)).unwrap();
            replica.confirm(&older.anchor()).unwrap();
        }
        replica.take(rows(&other, confirmed)).unwrap();
        replica.forget_unconfirmed().unwrap();
        assert_eq!(replica.size(), TreeSize(confirmed));
        replica.take(rows(&ours, confirmed)).unwrap();
        replica.confirm(&ours.anchor()).unwrap();
        assert_eq!(replica.reader().sealed(), TreeSize(102), "behind {confirmed}");
    }
}
