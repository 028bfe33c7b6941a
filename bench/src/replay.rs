//! What it costs an auditor to replay a whole log, on one core, against reading and hashing the same bytes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use counterfoil_ledger::{Sealing, export};
use counterfoil_verify::evidence::Rejected;
use counterfoil_verify::export::{Bundle, Files, Replay};
use counterfoil_verify::hash::leaf_hash;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tile::{Tile, records_in};
use counterfoil_verify::tiling::Tiling;
use counterfoil_verify::tree::RecordIndex;

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{computed, tell};
use crate::subject;

const ROUNDS: usize = 5;

/// An export in a folder of our own.
struct Folder(PathBuf);

/// Why a replay ends.
struct Failure(anyhow::Error);

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        Self(rejected.into())
    }
}

impl Files for Folder {
    type Error = Failure;

    fn read(&self, tile: Tile) -> Result<Option<Vec<u8>>, Failure> {
        match std::fs::read(self.0.join("tile").join(tile.to_string())) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure(error.into())),
        }
    }
}

/// The figures of an import of so many events.
pub fn measure(folder: &Path, file: &Path, events: usize) -> Result<Vec<Figure>> {
    let location = subject::create(&folder.join("replayed"))?;
    let ledger = subject::open_sealing(&location, Sealing::AsTimePasses)?;
    subject::import_okta(&ledger, file, events)?;
    drop(ledger);
    let ledger = subject::open(&location)?;
    let out = folder.join("export");
    export(&mut ledger.reader(), &out, None, &mut |_, _| ())?;
    drop(ledger);
    let policy = Policy::parse(&std::fs::read(location.policy())?)?;
    let note = std::fs::read(out.join("checkpoint"))?;
    let export = Folder(out);
    let bundles: Vec<Tile> = Replay::of(&note, &policy)?.bundles().collect();
    let (mut chained, mut replayed, mut bytes) = (Rounds::default(), Rounds::default(), 0);
    for round in 1..=ROUNDS {
        let hashing = hash(&export, &bundles)?;
        let chaining = chain(&export, &bundles)?;
        let (replaying, shown) = computed(|| replay(&export, &note, &policy))?;
        tell(&format!("round {round}: hashed {hashing:.2?}, chain and tree {chaining:.2?}, replayed {replaying:.2?}"));
        chained.push(chaining, hashing);
        replayed.push(replaying, hashing);
        bytes = shown;
    }
    let work = bytes as f64 / 1e6;
    Ok(vec![
        chained.at_least(0.4, "records, chain and tree of an export, on one core", work, "MB/s"),
        replayed.at_least(0.1, "… every seal, every tile", work, "MB/s"),
    ])
}

/// Reads the bundles, and hashes each record.
fn hash(export: &Folder, bundles: &[Tile]) -> Result<Duration> {
    let (taken, ()) = computed(|| {
        for tile in bundles {
            for record in records_in(&read(export, *tile)?, tile.width())? {
                std::hint::black_box(leaf_hash(record));
            }
        }
        Ok(())
    })?;
    Ok(taken)
}

/// Checks each record by itself, its place in the chain, and makes the tree.
fn chain(export: &Folder, bundles: &[Tile]) -> Result<Duration> {
    let (taken, ()) = computed(|| {
        let (mut tree, mut previous) = (Tiling::new(), None);
        for tile in bundles {
            for bytes in records_in(&read(export, *tile)?, tile.width())? {
                let (place, leaf) = (record::decode_place(bytes)?, record::hash(bytes));
                let index = RecordIndex(tree.size().0);
                match previous {
                    None => record::check_link(&record::decode(bytes)?, index, None)?,
                    previous => place.check(index, previous)?,
                }
                tree.append(leaf, |_| ());
                previous = Some((leaf, place.recorded_at()));
            }
        }
        std::hint::black_box(tree.root());
        Ok(())
    })?;
    Ok(taken)
}

/// Replays it: how many bytes of records that were.
fn replay(export: &Folder, note: &[u8], policy: &Policy) -> Result<u64> {
    let mut replay = Replay::of(note, policy)?;
    for tile in replay.bundles() {
        let bundle = Bundle::read(export, tile).map_err(|failure| failure.0)?;
        replay.take(export, &bundle).map_err(|failure| failure.0)?;
    }
    let replayed = replay.end(export).map_err(|failure| failure.0)?;
    ensure!(replayed.shown.seals > 0, "expected seals in what is replayed");
    Ok(replayed.shown.bytes)
}

fn read(export: &Folder, tile: Tile) -> Result<Vec<u8>> {
    match export.read(tile) {
        Ok(bytes) => bytes.with_context(|| format!("tile/{tile} is missing")),
        Err(Failure(error)) => bail!(error),
    }
}
