//! Owns the tests of the check of a whole log: what is exported is proved, and says what was counted by hand; and whatever is
//! changed, left out or made up is found, be it by somebody on the way or by whoever has the log's key.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(dead_code, reason = "it makes logs as the tests of evidence do, and uses a part of that")]

mod common;
#[path = "evidence/made.rs"]
mod made;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use counterfoil_proto::v1::{FactKind, Origin, Predecessor, Record, Seal, SealedSource, record::Body};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::evidence::{Flaw, Rejected};
use counterfoil_verify::export::{Bundle, Files, Replay, Replayed};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::note::{Note, SigningKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record::{decode, encode, hash, origin_record};
use counterfoil_verify::tile::Tile;
use counterfoil_verify::tree::TreeSize;
use made::Log;
use proptest::prelude::*;
use support::*;

/// An export, as names and bytes.
#[derive(Clone, Debug, Default)]
struct Export(BTreeMap<String, Vec<u8>>);

/// Nothing in memory fails but the check.
#[derive(Debug)]
struct Wrong(Rejected);

impl From<Rejected> for Wrong {
    fn from(rejected: Rejected) -> Self {
        Self(rejected)
    }
}

impl Files for Export {
    type Error = Wrong;

    fn read(&self, tile: Tile) -> Result<Option<Vec<u8>>, Wrong> {
        Ok(self.0.get(&format!("tile/{tile}")).cloned())
    }
}

/// Replays an export, with what was seen of the log before.
fn replay_after<'p>(export: &Export, policy: &'p Policy, seen: BTreeMap<u64, Hash>) -> Result<Replayed<'p>, Rejected> {
    let mut replay = Replay::of(&export.0["checkpoint"], policy)?;
    replay.compare_with(seen);
    let bundles: Vec<Tile> = replay.bundles().collect();
    for tile in bundles {
        let bundle = Bundle::read(export, tile).map_err(|wrong| wrong.0)?;
        replay.take(export, &bundle).map_err(|wrong| wrong.0)?;
    }
    replay.end(export).map_err(|wrong| wrong.0)
}

fn replay<'p>(export: &Export, policy: &'p Policy) -> Result<Replayed<'p>, Rejected> {
    replay_after(export, policy, BTreeMap::new())
}

/// Writes an export by the book: every tile of a tree of this size, each hash computed from the leaves below it.
fn export(log: &Log) -> Export {
    let leaves = log.leaves();
    let mut files = BTreeMap::from([("checkpoint".to_owned(), log.checkpoint().sign(&log.key()).unwrap().format())]);
    for (level, below) in [(0, 1), (1, 256), (2, 65_536)] {
        let hashes: Vec<Hash> = leaves.chunks_exact(below).map(common::tree_head).collect();
        for (index, tile) in hashes.chunks(256).enumerate() {
            let bytes = tile.iter().flat_map(|hash| *hash.as_bytes()).collect();
            files.insert(name(&level.to_string(), index, tile.len()), bytes);
        }
    }
    for (index, bundle) in log.records.chunks(256).enumerate() {
        files.insert(name("entries", index, bundle.len()), bundle_of(bundle));
    }
    Export(files)
}

fn name(content: &str, index: usize, width: usize) -> String {
    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
    format!("tile/{content}/{index:03}{partial}")
}

fn bundle_of(records: &[Vec<u8>]) -> Vec<u8> {
    let behind_length = |record: &Vec<u8>| [&(record.len() as u16).to_be_bytes()[..], record].concat();
    records.iter().flat_map(behind_length).collect()
}

/// The counts of the one source, taken one by one, from `before` records on.
fn counts(log: &Log) -> SealedSource {
    let (mut events, mut facts) = (0, 0);
    for record in (0..log.size()).map(|index| log.record(index)) {
        if let Some(Body::Event(event)) = record.body {
            events += u64::from(event.part == 0);
            facts += event.facts.len() as u64;
        }
    }
    SealedSource { source: Some(okta()), events, facts, ..SealedSource::default() }
}

/// Appends a seal: the right one, but for what is changed in it.
fn seal(log: &mut Log, change: impl FnOnce(&mut Seal)) {
    let index = log.size();
    let mut seal =
        Seal { map_root: log.map(index).root().0.as_bytes().to_vec(), sources: vec![counts(log)], ..Seal::default() };
    change(&mut seal);
    append(log, Body::Seal(seal));
}

/// Appends a record of no source.
fn append(log: &mut Log, body: Body) {
    let index = log.size();
    let at = made::EPOCH + index as i64;
    let record = Record { provenance: None, commitment: Vec::new(), ..record(index, at, body) };
    push(log, record);
}

/// Appends a record, chained to what is there.
fn push(log: &mut Log, record: Record) {
    let prev = hash(log.records.last().unwrap()).0.as_bytes().to_vec();
    log.records.push(encode(&Record { prev, ..record }).unwrap());
}

fn grant(log: &mut Log, number: u64) {
    let added = if number % 5 == 4 { FactKind::GrantRemoved } else { FactKind::GrantAdded };
    log.grant(added, &format!("00u{}", number % 7), &format!("00g{}", number % 3), 100 + number as i64);
    // Chained here: the logs of evidence need not be.
    let record = decode(&log.records.pop().unwrap()).unwrap();
    push(log, record);
}

/// A log of so many records, sealed after every 40 and before the last.
fn log_of(size: u64) -> Log {
    let mut log = Log::new();
    while log.size() < size {
        match log.size() % 40 == 39 || log.size() + 2 == size {
            true if log.size() > 2 => seal(&mut log, |_| ()),
            _ => {
                let number = log.size();
                grant(&mut log, number);
            }
        }
    }
    log
}

/// What is said of a log that proves nothing.
#[track_caller]
fn refused(export: &Export, policy: &Policy, step: &str, flaw: Flaw, words: &str) {
    let rejected = replay(export, policy).map(|replayed| replayed.shown).unwrap_err();
    assert_eq!((rejected.step.name(), rejected.flaw), (step, flaw), "{rejected}");
    assert!(rejected.what.contains(words), "{words:?} in {rejected}");
}

#[test]
fn what_is_exported_is_proved_and_counted() {
    for size in [1, 2, 5, 255, 256, 257, 300, 513] {
        let log = log_of(size);
        let (files, policy) = (export(&log), log.policy());
        let replayed = replay(&files, &policy).unwrap_or_else(|rejected| panic!("{size}: {rejected}"));
        let seals: Vec<u64> = (0..size).filter(|index| log.is_seal(*index)).collect();
        let entities: BTreeSet<_> = (0..size).flat_map(|index| entity_set(&log.record(index))).collect();
        let is_counted = counts(&log).events > 0;
        assert_eq!(replayed.shown.seals, seals.len() as u64, "{size}");
        assert_eq!(replayed.sealed, TreeSize(seals.last().copied().unwrap_or(0)), "{size}");
        assert_eq!(replayed.entities, entities.len() as u64, "{size}");
        assert_eq!(replayed.sources, if is_counted { vec![counts(&log)] } else { Vec::new() }, "{size}");
        assert_eq!(replayed.shown.bytes, log.records.iter().map(|record| record.len() as u64).sum::<u64>(), "{size}");
        let tiles = files.0.keys().filter(|name| !name.contains("entries") && *name != "checkpoint").count() as u64;
        assert_eq!((replayed.shown.tiles, replayed.shown.tiles_absent), (tiles, 0), "{size}");
        assert_eq!(replayed.attested.checkpoint, log.checkpoint());
    }
}

#[test]
fn hash_tiles_may_be_left_out_and_full_tiles_serve_for_partial_ones() {
    let log = log_of(513);
    let policy = log.policy();
    let mut files = export(&log);
    let names: Vec<String> = files.0.keys().filter(|name| name.starts_with("tile/0/")).cloned().collect();
    names.iter().for_each(|name| drop(files.0.remove(name)));
    let shown = replay(&files, &policy).unwrap().shown;
    assert_eq!((shown.tiles, shown.tiles_absent), (1, 3));
    // A mirror that is past the checkpoint, and keeps full tiles alone.
    let mut mirror = export(&log);
    let short = Log { records: log.records[..300].to_vec(), ..log.clone() };
    mirror.0.retain(|name, _| !name.contains(".p/") || name.starts_with("tile/1/"));
    mirror.0.insert("checkpoint".to_owned(), export(&short).0.remove("checkpoint").unwrap());
    mirror.0.insert("tile/1/000.p/1".to_owned(), export(&short).0.remove("tile/1/000.p/1").unwrap());
    let replayed = replay(&mirror, &policy).unwrap();
    assert_eq!((replayed.attested.checkpoint.size.0, replayed.shown.tiles), (300, 3));
    assert_eq!(replayed.shown.bytes, short.records.iter().map(|record| record.len() as u64).sum::<u64>());
}

#[test]
fn any_byte_turned_over_is_found() {
    let log = log_of(12);
    let (files, policy) = (export(&log), log.policy());
    for (name, bytes) in &files.0 {
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            let mut changed = files.clone();
            changed.0.insert(name.clone(), flipped);
            assert!(replay(&changed, &policy).is_err(), "byte {place} of {name}");
        }
        for cut in [&bytes[..bytes.len() - 1], &[], &[bytes, &b"\0"[..]].concat()] {
            let mut changed = files.clone();
            changed.0.insert(name.clone(), cut.to_vec());
            assert!(replay(&changed, &policy).is_err(), "{name} with {} bytes", cut.len());
        }
    }
}

static LARGER: LazyLock<(Export, Policy)> = LazyLock::new(|| {
    let log = log_of(300);
    (export(&log), log.policy())
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same where there are full tiles, and partial ones of two levels.
    #[test]
    fn any_byte_of_a_larger_export_turned_over_is_found(file in 0..7usize, place: prop::sample::Index, bit in 0..8u8) {
        let (mut files, policy) = LARGER.clone();
        prop_assert_eq!(files.0.len(), 6);
        let name = files.0.keys().nth(file % 6).unwrap().clone();
        let bytes = files.0.get_mut(&name).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(replay(&files, &policy).is_err(), "byte {} of {}", place, name);
    }
}

/// Whoever has the log's key signs what is made of its records.
fn signed(mut log: Log, change: impl FnOnce(&mut Log)) -> Export {
    change(&mut log);
    export(&log)
}

#[test]
fn what_an_operator_leaves_out_or_makes_up_is_found() {
    let log = log_of(30);
    let policy = log.policy();
    let falsified = |change: &dyn Fn(&mut Log), step: &str, words: &str| {
        refused(&signed(log.clone(), change), &policy, step, Flaw::Falsified, words);
    };
    // Records that were signed as they are: the key of the log does not help.
    falsified(&|log| drop(log.records.remove(7)), "chain", "record 7: index 8 stands at place 7");
    falsified(&|log| log.records.swap(7, 8), "chain", "record 7: index 8 stands at place 7");
    falsified(&|log| log.records[9][20] ^= 1, "chain", "record 9: prev is not the hash");
    falsified(&|log| log.records.push(log.records[29].clone()), "chain", "record 30: index 29");
    falsified(&|log| log.records[29].push(0), "records", "record 29: ");
    // A seal over records that it does not cover: the one before, again; and what lies in none.
    let again = |log: &mut Log| {
        let earlier = log.record(28).body.unwrap();
        append(log, earlier);
    };
    falsified(&again, "seal", "record 30: expected the map root");
    falsified(&|log| seal(log, |seal| seal.map_root[3] ^= 1), "seal", "record 30: expected the map root");
    falsified(&|log| seal(log, |seal| seal.sources[0].events += 1), "seal", "record 30: expected");
    falsified(&|log| seal(log, |seal| seal.sources.clear()), "seal", "left out events");
    let left_out = |log: &mut Log| {
        log.map_of =
            |record| entity_set(record).into_iter().filter(|entity| !entity.to_text().contains("00u3")).collect();
        seal(log, |_| ());
    };
    falsified(&left_out, "seal", "left out or made up a history");
    let unfinished = |log: &mut Log| {
        grant(log, 30);
        seal(log, |seal| seal.continued = true);
        grant(log, 32);
    };
    falsified(&unfinished, "seal", "record 32: expected a seal");
    let earlier = |log: &mut Log| {
        let record = Record { recorded_at: Some(time(made::EPOCH + 1)), ..log.record(29) };
        push(log, Record { index: 30, ..record });
    };
    falsified(&earlier, "chain", "record 30: recorded_at is earlier");
    // Another log's first record, or one that is committed to another key of tokens.
    let stranger = Log { origin: "other.example/log".to_owned(), ..log.clone() };
    let own = stranger.key().verifier_key();
    refused(&export(&stranger), &policy, "checkpoint", Flaw::Falsified, "");
    let believing = Policy::of_log(own, log.index_key.clone());
    refused(&export(&stranger), &believing, "chain", Flaw::Falsified, "record 0 is of the log");
    let other_tokens = Policy::of_log(log.key().verifier_key(), IndexKey::new([9; 32]));
    refused(&export(&log), &other_tokens, "chain", Flaw::Falsified, "another index key");
}

#[test]
fn what_was_read_again_has_to_fit_what_it_replaces() {
    let mut log = log_of(300);
    let remapping = |log: &Log, of: &Record| Record {
        recorded_at: log.record(299).recorded_at,
        ..remapped(300, &[of], Vec::new())
    };
    let (early, late, other) = (log.record(5), log.record(290), log.record(6));
    let policy = log.policy();
    for replaced in [&early, &late] {
        let mut log = log.clone();
        let record = remapping(&log, replaced);
        push(&mut log, record);
        replay(&export(&log), &policy).unwrap();
    }
    let made_up = Record { body: other.body.clone(), ..early };
    let record = remapping(&log, &made_up);
    push(&mut log, record);
    refused(&export(&log), &policy, "records", Flaw::Falsified, "record 300: event_remapped.replaces_leaf");
}

/// A log that goes on from the first `left` records of another, under another name: each record follows the one before it.
fn successor(old: &Log, left: u64, change: impl FnOnce(&mut Predecessor)) -> Log {
    let leaves: Vec<LeafHash> = old.records[..left as usize].iter().map(|record| hash(record)).collect();
    let mut new = Log { origin: format!("{}/next", old.origin), seed: [2; 32], ..old.clone() };
    let Record { body: Some(Body::Origin(body)), recorded_at: Some(at), .. } = old.record(0) else {
        panic!("record 0 states the origin")
    };
    let mut predecessor = Predecessor {
        origin: body.origin.clone(),
        size: left,
        root: common::tree_head(&leaves).as_bytes().to_vec(),
        first_record: old.records[0].clone(),
        known_size: left + 3,
        known_root: vec![9; 32],
    };
    change(&mut predecessor);
    let body = Origin { origin: new.origin.clone(), predecessor: Some(predecessor), ..body };
    new.records = vec![encode(&origin_record(body, at)).unwrap()];
    for index in 1..left {
        match old.record(index).body {
            Some(Body::Seal(_)) => {
                let recorded_at = old.record(index).recorded_at;
                seal(&mut new, |_| ());
                let sealed = new.record(index);
                new.records.pop();
                push(&mut new, Record { recorded_at, ..sealed });
            }
            _ => push(&mut new, old.record(index)),
        }
    }
    new
}

#[test]
fn a_log_that_goes_on_from_another_has_all_of_it() {
    let old = log_of(300);
    let mut new = successor(&old, 270, |_| ());
    (270..290).for_each(|number| grant(&mut new, number));
    let policy = new.policy();
    let replayed = replay(&export(&new), &policy).unwrap();
    let [predecessor] = &replayed.predecessors[..] else { panic!("one") };
    assert_eq!((predecessor.origin.as_str(), predecessor.size, predecessor.known_size), (&*old.origin, 270, 273));
    assert_eq!(replay(&export(&old), &old.policy()).unwrap().predecessors, []);
    // A third that goes on from the second has both.
    let third = successor(&new, 280, |_| ());
    let policy = third.policy();
    let both = replay(&export(&third), &policy).unwrap().predecessors;
    assert_eq!(both.iter().map(|former| &*former.origin).collect::<Vec<_>>(), [&*new.origin, &*old.origin]);

    let refused = |log: &Log, words: &str| refused(&export(log), &log.policy(), "chain", Flaw::Falsified, words);
    refused(&successor(&old, 270, |former| former.root[0] ^= 1), "its first 270 records were other ones");
    refused(&successor(&old, 270, |former| (former.size, former.known_size) = (271, 273)), "it had 271 records");
    refused(&successor(&old, 270, |former| former.first_record = old.records[1].clone()), "it states no origin");
    // A record that was changed on the way.
    let mut changed = old.clone();
    changed.records.truncate(100);
    grant(&mut changed, 99);
    (101..120).for_each(|number| grant(&mut changed, number));
    let whole = successor(&old, 120, |_| ());
    let Some(Body::Origin(said)) = whole.record(0).body else { panic!("record 0 states the origin") };
    let root = said.predecessor.unwrap().root;
    refused(&successor(&changed, 120, |former| former.root = root), "its first 120 records were other ones");
}

/// What is done to the files of an export.
type Change<'c> = dyn Fn(&mut BTreeMap<String, Vec<u8>>) + 'c;

#[test]
fn what_is_missing_or_written_otherwise_is_told() {
    let log = log_of(300);
    let (files, policy) = (export(&log), log.policy());
    let malformed = |change: &Change<'_>, step: &str, words: &str| {
        let mut changed = files.clone();
        change(&mut changed.0);
        refused(&changed, &policy, step, Flaw::Malformed, words);
    };
    let (full, partial) = ("tile/entries/000", "tile/entries/001.p/44");
    malformed(&|files| drop(files.remove(full)), "bundles", "tile/entries/000 is missing");
    malformed(&|files| drop(files.remove(partial)), "bundles", "tile/entries/001.p/44 is missing");
    let fewer = bundle_of(&log.records[..255]);
    malformed(&|files| drop(files.insert(full.to_owned(), fewer.clone())), "bundles", "expected 256 records");
    let more = bundle_of(&log.records[..257]);
    malformed(&|files| drop(files.insert(full.to_owned(), more.clone())), "bundles", "expected 256 records");
    malformed(&|files| files.get_mut(full).unwrap().truncate(9_000), "bundles", "expected 256 records");
    malformed(
        &|files| files.get_mut("tile/0/000").unwrap().truncate(8_000),
        "tiles",
        "expected 8192 bytes in tile/0/000",
    );
    // The history ends earlier, and the checkpoint is that of the longer one.
    let short = export(&Log { records: log.records[..280].to_vec(), ..log.clone() });
    let mut cut = short.clone();
    cut.0.insert("checkpoint".to_owned(), files.0["checkpoint"].clone());
    refused(&cut, &policy, "bundles", Flaw::Malformed, "tile/entries/001.p/44 is missing");
    // Other records under a checkpoint that covers none of them.
    let none = Checkpoint { size: TreeSize(0), root: common::tree_head(&[]), ..log.checkpoint() };
    let none = none.sign(&log.key()).unwrap().format();
    malformed(&|files| drop(files.insert("checkpoint".to_owned(), none.clone())), "checkpoint", "of none");
    // Or that its key has not signed.
    let stranger = SigningKey::from_seed(common::key_name(&log.origin), &[8; 32]);
    let other: Note = log.checkpoint().sign(&stranger).unwrap();
    let mut changed = files.clone();
    changed.0.insert("checkpoint".to_owned(), other.format());
    refused(&changed, &policy, "checkpoint", Flaw::Falsified, "");
    // A root that the records do not come to.
    let wrong = Checkpoint { root: common::tree_head(&[]), ..log.checkpoint() }.sign(&log.key()).unwrap();
    changed.0.insert("checkpoint".to_owned(), wrong.format());
    refused(&changed, &policy, "tree", Flaw::Falsified, "expected the root");
    // Too few witnesses.
    let asks = format!(
        "{}witness w {}\nquorum w\n",
        policy.format().replace("quorum none\n", ""),
        common::witness_key("w.example/w", 2)
    );
    let watched = Policy::parse(asks.as_bytes()).unwrap();
    refused(&files, &watched, "quorum", Flaw::Short, "");
}

#[test]
fn what_was_seen_before_is_compared() {
    let log = log_of(300);
    let (files, policy) = (export(&log), log.policy());
    let root_at = |size: usize| common::tree_head(&log.leaves()[..size]);
    let seen = BTreeMap::from([(1, root_at(1)), (256, root_at(256)), (299, root_at(299)), (400, root_at(3))]);
    assert_eq!(replay_after(&files, &policy, seen.clone()).unwrap().shown.seen, 3);
    let forked = [seen, BTreeMap::from([(200, root_at(199))])].into_iter().flatten().collect();
    let rejected = replay_after(&files, &policy, forked).unwrap_err();
    assert_eq!(rejected.step.name(), "checkpoint");
    assert!(rejected.what.contains("two histories"), "{rejected}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// The histories that a replay makes are those of the records' entity sets, whatever the records say.
    #[test]
    fn a_seal_over_any_facts_is_recomputed(
        events in proptest::collection::vec(proptest::collection::vec(any_fact(&okta()), 0..4), 1..6),
    ) {
        let mut log = Log::new();
        for facts in events {
            let index = log.size();
            push(&mut log, record(index, made::EPOCH + index as i64, event(facts)));
            if index.is_multiple_of(2) {
                seal(&mut log, |_| ());
            }
        }
        let policy = log.policy();
        let replayed = replay(&export(&log), &policy).map_err(|rejected| TestCaseError::fail(rejected.to_string()))?;
        let entities: BTreeSet<_> = (0..log.size()).flat_map(|index| entity_set(&log.record(index))).collect();
        prop_assert_eq!(replayed.entities, entities.len() as u64);
    }
}
