//! The entity map: what its roots cost whoever computes them at every seal, in memory and in pages, and what proofs out
//! of it weigh.
//!
//! Everything is in memory, so that what a store of pages adds is not in the figures: how often it is asked is.

use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;

use anyhow::{Context, Result, ensure};
use counterfoil_proto::v1::{
    Delivery, EntityKind, Event, Fact, FactKind, Mapping, Outcome, Position, Precision, Provenance, Record, Ref, Seal,
    SealedSource, Source, Time, record::Body,
};
use counterfoil_verify::hash::{LeafHash, leaf_hash};
use counterfoil_verify::map::memory::MemoryMap;
use counterfoil_verify::map::pages::{self, Page, PagePlace, Pages, Slot, WritePages};
use counterfoil_verify::map::proof::MapProof;
use counterfoil_verify::map::{Link, MapKey};
use counterfoil_verify::record::{FORMAT, decode, encode, hash};
use counterfoil_verify::seal::Coverage;
use counterfoil_verify::tree::RecordIndex;

use crate::figure::{Figure, Rounds};
use crate::stopwatch::timed_at_once;

/// Seals that are written once every entity is in the map.
const SEALS: usize = 300;
/// Pairs of a record and an entity between two seals: some 250 records of four entities, as in a log of 10,000 seals
/// where a million entities have two or three records each.
const LINKS_PER_SEAL: usize = 1_000;
/// The same where a bulk ingest seals once a second.
const LINKS_PER_BULK_SEAL: usize = 100_000;
const BULK_SEALS: usize = 5;
/// Half of them of presence, half of absence.
const PROOFS: usize = 10_000;
/// What beside the map's part is in an entity proof: the path of the seal in a log of ten million records, and a
/// checkpoint with a signature and three cosignatures.
const INCLUSION_BYTES: usize = 24 * 32;
const CHECKPOINT_BYTES: usize = 700;
const ROUNDS: usize = 5;
/// Records that are replayed in a round, and a seal behind each thousand.
const RECORDS: u64 = 50_000;
const RECORDS_PER_SEAL: u64 = 1_000;

/// The figures of a map of so many entities.
pub fn measure(entities: usize) -> Result<Vec<Figure>> {
    let keys: Vec<MapKey> = (0..entities as u64).map(key).collect();
    let (mut map, mut store) = (MemoryMap::default(), Store::default());
    for (chunk, keys) in keys.chunks(LINKS_PER_BULK_SEAL).enumerate() {
        let at = chunk * LINKS_PER_BULK_SEAL;
        let links: Vec<Link> = (at as u64..).zip(keys).map(|(index, key)| link(*key, index)).collect();
        pages::append(&mut store, map.root(), links.clone())?;
        map.append(links);
    }
    let mut figures = Vec::new();
    for (seals, links, name) in [(SEALS, LINKS_PER_SEAL, "1,000"), (BULK_SEALS, LINKS_PER_BULK_SEAL, "100,000")] {
        figures.extend(seal(&mut map, &mut store, &keys, (seals, links, name))?);
    }
    figures.extend(proofs(&map, &store, &keys)?);
    figures.push(replay()?);
    Ok(figures)
}

/// What one link costs where a seal comes behind so many of them.
fn seal(
    map: &mut MemoryMap,
    store: &mut Store,
    keys: &[MapKey],
    (seals, links, name): (usize, usize, &str),
) -> Result<Vec<Figure>> {
    let mut random = 88_172_645_463_325_252;
    let (mut in_memory, mut in_pages) = (0.0, 0.0);
    store.forget();
    for seal in 0..seals {
        let first = keys.len() + seal * links;
        let chosen =
            (first as u64..).take(links).map(|index| link(keys[next(&mut random) as usize % keys.len()], index));
        let batch: Vec<Link> = chosen.collect();
        let before = map.root();
        let (taken, ()) = timed_at_once(|| {
            map.append(batch.clone());
            Ok(())
        })?;
        in_memory += taken.as_secs_f64();
        let (taken, root) = timed_at_once(|| Ok(pages::append(store, before, batch.clone())?))?;
        in_pages += taken.as_secs_f64();
        ensure!(root == map.root(), "expected one root, whatever keeps the map");
    }
    let count = (seals * links) as f64;
    let each =
        |what: &str, number: f64, unit| Figure::plain(&format!("{what}, a seal behind {name} links"), number, unit);
    Ok(vec![
        each("link in memory", in_memory * 1e6 / count, "µs"),
        each("link in pages", in_pages * 1e6 / count, "µs"),
        each("pages written for a link", store.pages_written as f64 / count, "pages"),
        each("bytes written for a link", store.bytes_written as f64 / count, "bytes"),
        each("pages read for a link", store.pages_read.get() as f64 / count, "pages"),
    ])
}

/// What proofs weigh, and what they cost whoever checks them.
fn proofs(map: &MemoryMap, store: &Store, keys: &[MapKey]) -> Result<Vec<Figure>> {
    let mut random = 88_172_645_463_325_252;
    let (mut sizes, mut checked, mut made) = (Vec::new(), 0.0, 0.0);
    for number in 0..PROOFS {
        let is_present = number % 2 == 0;
        let known = keys[next(&mut random) as usize % keys.len()];
        let key = if is_present { known } else { key((keys.len() + number) as u64) };
        let (taken, proof) = timed_at_once(|| Ok(pages::prove(store, map.root(), &key)?))?;
        made += taken.as_secs_f64();
        ensure!(proof == map.prove(&key), "expected one proof, whatever keeps the map");
        let bytes = proof.to_bytes();
        let (taken, chain) = timed_at_once(|| Ok(MapProof::from_bytes(&bytes)?.verify_key(map.root(), &key)?))?;
        checked += taken.as_secs_f64();
        ensure!(chain.is_some() == is_present, "expected the proof to say whether the entity is there");
        sizes.push(bytes.len());
    }
    sizes.sort_unstable();
    let largest = sizes.last().copied().context("there are proofs")?;
    let whole = largest + seal_bytes()? + INCLUSION_BYTES + CHECKPOINT_BYTES;
    Ok(vec![
        Figure::within(1_024.0, "map proof, largest of 10,000", largest as f64, "bytes"),
        Figure::plain("map proof, median", sizes[sizes.len() / 2] as f64, "bytes"),
        Figure::within(3_072.0, "… with seal, inclusion and checkpoint", whole as f64, "bytes"),
        Figure::within(30.0, "read and verify a map proof", checked * 1e6 / PROOFS as f64, "µs"),
        Figure::plain("make a map proof out of pages", made * 1e6 / PROOFS as f64, "µs"),
    ])
}

/// The bytes of a seal after which four sources have new counts.
fn seal_bytes() -> Result<usize> {
    let sealed = |number: u64| SealedSource {
        source: Some(Source { stream: format!("system-log-{number}"), ..source() }),
        events: 1_000_000 + number,
        facts: 2_000_000,
        unmapped: 1_000,
        duplicates: 1_000,
        conflicts: 10,
        rejected: 10,
    };
    let position =
        |number: u64| Position { channel: format!("kafka/4ud3-Xy2/identity-events/{number}"), sequence: 1 << 30 };
    let (sources, next) = ((0..4).map(sealed).collect(), (0..4).map(position).collect());
    let body = Body::Seal(Seal { map_root: vec![1; 32], sources, next, continued: false });
    Ok(encode(&Record { provenance: None, ..record(10_000_000, body) })?.len())
}

/// What it costs to recompute every seal out of the bytes of records, against hashing the same bytes.
fn replay() -> Result<Figure> {
    let log = log()?;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let (ours, _) = timed_at_once(|| {
            let mut coverage = Coverage::new();
            log.iter().try_for_each(|bytes| anyhow::Ok(coverage.add(&decode(bytes)?, hash(bytes))?))?;
            Ok(coverage.root())
        })?;
        let (baseline, _) = timed_at_once(|| Ok(log.iter().map(|bytes| hash(bytes)).max()))?;
        rounds.push(ours, baseline);
    }
    Ok(rounds.at_least(0.0, "replay with every seal, against hashing alone", log.len() as f64, "records/s"))
}

/// A log whose records have four entities each, with a seal behind each thousand.
fn log() -> Result<Vec<Vec<u8>>> {
    let (mut log, mut coverage) = (Vec::new(), Coverage::new());
    for index in 0..RECORDS {
        let record = if index == 0 {
            let origin = counterfoil_proto::v1::Origin {
                origin: "example.com/bench".to_owned(),
                index_key_commitment: vec![1; 32],
                predecessor: None,
            };
            counterfoil_verify::record::origin_record(origin, time())
        } else if index % RECORDS_PER_SEAL == 0 {
            let sources = coverage.tally().changed().cloned().collect();
            let seal = Seal { map_root: coverage.root().0.as_bytes().to_vec(), sources, ..Seal::default() };
            Record { provenance: None, ..record(index, Body::Seal(seal)) }
        } else {
            event(index)
        };
        let bytes = encode(&record)?;
        coverage.add(&record, hash(&bytes))?;
        log.push(bytes);
    }
    Ok(log)
}

/// An event of which an account is the subject, by id and token, and a group the object.
fn event(index: u64) -> Record {
    let mut random = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let account = next(&mut random) % 20_000;
    let reference = |kind: EntityKind, id| Ref { kind: kind.into(), id, ..Ref::default() };
    let token = leaf_hash(&account.to_be_bytes()).0.as_bytes()[..16].to_vec();
    let subject = Ref { tokens: vec![token], ..reference(EntityKind::Account, format!("00u{account}")) };
    let fact = Fact {
        kind: FactKind::GrantAdded.into(),
        occurred_at: Some(time()),
        outcome: Outcome::Success.into(),
        confidence: 1,
        actor: Some(reference(EntityKind::Account, format!("00u{}", next(&mut random) % 100))),
        subject: Some(subject),
        object: Some(reference(EntityKind::Entitlement, format!("group_member/00g{}", next(&mut random) % 1_000))),
        ..Fact::default()
    };
    let (native_type, mapping) = ("group.user_membership.add".to_owned(), Mapping::Mapped.into());
    record(index, Body::Event(Event { native_type, mapping, part: 0, parts: 1, facts: vec![fact] }))
}

fn record(index: u64, body: Body) -> Record {
    let provenance = Provenance {
        source: Some(source()),
        position: Some(Position { channel: "kafka/4ud3-Xy2/identity-events/3".to_owned(), sequence: index }),
        event_id: format!("8f1f6a9a-4c0e-4c0b-9f3a-{index:012}"),
        content_digest: vec![1; 16],
        connector: "okta".to_owned(),
        connector_version: 1,
        delivery: Delivery::Live.into(),
        authentication: 3,
        ..Provenance::default()
    };
    Record {
        format: FORMAT,
        index,
        prev: vec![1; 32],
        recorded_at: Some(time()),
        provenance: Some(provenance),
        body: Some(body),
        ..Record::default()
    }
}

fn source() -> Source {
    Source { system: "okta".to_owned(), instance: "acme".to_owned(), stream: "system-log".to_owned() }
}

fn time() -> Time {
    Time { seconds: 1_700_000_000, nanos: 123_456_789, precision: Precision::Nanosecond.into() }
}

fn key(number: u64) -> MapKey {
    MapKey(leaf_hash(&number.to_be_bytes()).0)
}

fn link(key: MapKey, index: u64) -> Link {
    Link { key, index: RecordIndex(index), leaf: LeafHash(key.0) }
}

/// The next number of xorshift, of which the last one is the state.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Pages in memory, and how often they are asked for.
#[derive(Default)]
struct Store {
    pages: HashMap<PagePlace, Page>,
    pages_read: Cell<u64>,
    pages_written: u64,
    bytes_written: u64,
}

impl Store {
    fn forget(&mut self) {
        self.pages_read.set(0);
        (self.pages_written, self.bytes_written) = (0, 0);
    }
}

impl Pages for Store {
    type Error = Infallible;

    fn read(&self, place: &PagePlace) -> Result<Option<Page>, Infallible> {
        self.pages_read.set(self.pages_read.get() + 1);
        Ok(self.pages.get(place).cloned())
    }
}

impl WritePages for Store {
    fn write(&mut self, place: PagePlace, page: Page) -> Result<(), Infallible> {
        // What a store would write: depth and prefix, a byte for each slot, key, count and head or the root below.
        let slot = |slot: &Slot| 1 + if matches!(slot, Slot::Entity(..)) { 72 } else { 32 };
        let key = 1 + u64::from(place.depth.div_ceil(2));
        self.bytes_written += key + page.slots.values().map(slot).sum::<u64>();
        self.pages_written += 1;
        self.pages.insert(place, page);
        Ok(())
    }
}
