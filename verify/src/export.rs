//! An export: all records of a log as C2SP tlog-tiles keeps them, checked by somebody who has them, a policy, and nothing
//! else.
//!
//! Owns the order of the check. Nothing is believed but what the policy's keys have signed: the chain, the tree and every
//! seal are computed again from the records. Where the files are is for whoever has them ([`Files`]).
//!
//! ```text
//! checkpoint and cosignatures → bundle after bundle: each record by itself → its place in the chain → seal → tree, tiles
//!                             → the root over all
//! ```
//! It takes memory for the entity map (see [`MemoryMap`](crate::map::memory::MemoryMap)), 32 bytes for each bundle, and for a
//! bundle or two.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use counterfoil_proto::v1::{Authentication, Predecessor, Record, Seal, SealedSource, Source, record::Body};

use crate::attest::Attested;
use crate::evidence::{Rejected, Step, described};
use crate::hash::{Hash, LeafHash};
use crate::identifier::IndexKey;
use crate::incarnation::{Former, IncarnationError, predecessors};
use crate::policy::Policy;
use crate::record::{self, Place, RecordError, event_of};
use crate::remap::{self, Part};
use crate::rules::Violation;
use crate::seal::{Coverage, Share};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileContent, records_in};
use crate::tiling::Tiling;
use crate::time::RecordedAt;
use crate::tree::{Frontier, RecordIndex, TreeSize};

/// The files of an export.
pub trait Files {
    /// Why one cannot be read, or the export proves nothing.
    type Error: From<Rejected>;

    /// What a tile or a bundle holds; none if it is not there.
    ///
    /// # Errors
    /// Of whoever has them.
    fn read(&self, tile: Tile) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// A bundle whose records were checked by themselves, wherever they stand in the log.
pub struct Bundle {
    tile: Tile,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// What is needed of a record once it was checked by itself.
struct Entry {
    place: Place,
    leaf: LeafHash,
    share: Share,
    seal: Option<Seal>,
    part: Option<Part>,
    authentication: Option<Authentication>,
    /// Record 0 itself: it says which log this is.
    first: Option<Box<Record>>,
}

/// The check of an export, and how far it has come.
pub struct Replay<'p> {
    attested: Attested<'p>,
    index_key: Option<&'p IndexKey>,
    seen: BTreeMap<u64, Hash>,
    tree: Tiling,
    previous: Option<(LeafHash, RecordedAt)>,
    coverage: Coverage,
    /// Of each bundle that was taken whole: the root over it.
    bundles: Vec<Hash>,
    /// The remapping that is not whole yet: its first record, and the part that came last.
    unfinished: Option<(RecordIndex, Part)>,
    /// The logs that this one says it goes on from, the last one first.
    formers: Vec<Former>,
    /// An earlier bundle that was read again, by its number.
    earlier: RefCell<Option<(u64, Vec<u8>)>>,
    shown: Shown,
}

/// What an export shows.
#[derive(Debug)]
pub struct Replayed<'p> {
    /// The checkpoint, and who stands behind it.
    pub attested: Attested<'p>,
    /// The counts of every source, over all records.
    pub sources: Vec<SealedSource>,
    /// The entities with records.
    pub entities: u64,
    /// The records that the last seal covers.
    pub sealed: TreeSize,
    /// When the last record was recorded, by the log's clock.
    pub last_at: Option<RecordedAt>,
    /// The logs that this one goes on from, the last one first: its first records are theirs.
    pub predecessors: Vec<Predecessor>,
    /// How much was checked.
    pub shown: Shown,
}

/// How much of an export was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Seals, each of them recomputed.
    pub seals: u64,
    /// Bytes of the records.
    pub bytes: u64,
    /// Tiles of hashes that are those of the records.
    pub tiles: u64,
    /// Tiles of hashes that are not there.
    pub tiles_absent: u64,
    /// Checkpoints that were seen before, and that these records lead to.
    pub seen: u64,
    /// On whose word records of events are, and how many of each.
    pub authentications: BTreeMap<Authentication, u64>,
}

impl Bundle {
    /// Reads a bundle, or as much of the full one in its place as it should hold, and checks each record by itself.
    ///
    /// # Errors
    /// [`Rejected`] where a record is none, or not all are there; of whoever has the files.
    pub fn read<F: Files>(files: &F, tile: Tile) -> Result<Self, F::Error> {
        let start = tile.index() * TILE_WIDTH;
        let (mut bytes, found) = read_or_full(files, tile)?.ok_or_else(|| missing(tile))?;
        if found != tile {
            let records = records_of(&bytes, found)?;
            let own = records.iter().take(tile.width() as usize).map(|record| 2 + record.len()).sum();
            bytes.truncate(own);
        }
        let mut source = None;
        let entry = |(index, record): (u64, &&[u8])| Entry::read(RecordIndex(index), record, &mut source);
        let entries = (start..).zip(&records_of(&bytes, tile)?).map(entry).collect::<Result<_, _>>()?;
        Ok(Self { tile, bytes, entries })
    }
}

impl Entry {
    /// `source` is that of the record before it, if any.
    fn read(index: RecordIndex, bytes: &[u8], source: &mut Option<Arc<Source>>) -> Result<Self, Rejected> {
        let leaf = record::hash(bytes);
        if let Some(event) = record::event_in(bytes) {
            return Ok(Self {
                place: Place::of_head(&event.head),
                leaf,
                share: Share::of_event(&event, source),
                seal: None,
                part: None,
                authentication: Authentication::try_from(event.provenance.authentication).ok(),
                first: None,
            });
        }
        let record = record::decode_any(bytes).map_err(|error| {
            let what = format!("record {index}: {}", described(&error));
            match error {
                RecordError::Unreadable(_) => Rejected::malformed(Step::Records, what),
                _ => Rejected::falsified(Step::Records, what),
            }
        })?;
        let provenance = record.provenance.as_ref().filter(|_| event_of(&record).is_some());
        let authentication = provenance.map(|provenance| provenance.authentication());
        let (place, share, part) = (Place::of(&record), Share::of(&record), Part::of(&record));
        let (seal, first) = match record.body {
            Some(Body::Seal(seal)) => (Some(seal), None),
            _ if index.0 == 0 => (None, Some(Box::new(record))),
            _ => (None, None),
        };
        Ok(Self { place, leaf, share, seal, part, authentication, first })
    }
}

impl<'p> Replay<'p> {
    /// Begins with the signed checkpoint, judged by a policy. `seen` are the roots of the same log, by its size, that
    /// somebody has seen before: those up to the size of the checkpoint are compared.
    ///
    /// # Errors
    /// [`Rejected`] if the policy does not accept the checkpoint, or if it is of no records.
    pub fn of(note: &[u8], policy: &'p Policy) -> Result<Self, Rejected> {
        let attested = Attested::open(note, policy)?;
        if attested.checkpoint.size.0 == 0 {
            return Err(Rejected::malformed(
                Step::Checkpoint,
                "expected a checkpoint of some records, got one of none",
            ));
        }
        Ok(Self {
            attested,
            index_key: policy.index_key(),
            seen: BTreeMap::new(),
            tree: Tiling::new(),
            previous: None,
            coverage: Coverage::new(),
            bundles: Vec::new(),
            unfinished: None,
            formers: Vec::new(),
            earlier: RefCell::new(None),
            shown: Shown::default(),
        })
    }

    /// The checkpoint, and who stands behind it.
    pub fn attested(&self) -> &Attested<'p> {
        &self.attested
    }

    /// Has the records compared with roots of this log that somebody has seen before, by the size of the tree; larger ones than
    /// the checkpoint's say nothing.
    pub fn compare_with(&mut self, seen: BTreeMap<u64, Hash>) {
        self.seen = seen;
    }

    /// The bundles that have to be taken, in their order.
    pub fn bundles(&self) -> impl Iterator<Item = Tile> + use<> {
        let size = self.attested.checkpoint.size;
        (0..).map_while(move |index| Tile::at(TileContent::Entries, index, size))
    }

    /// How many records were taken.
    pub fn taken(&self) -> TreeSize {
        self.tree.size()
    }

    /// Takes the next bundle.
    ///
    /// # Errors
    /// [`Rejected`] at the first thing that is wrong, and nothing more can be taken then; of whoever has the files.
    pub fn take<F: Files>(&mut self, files: &F, bundle: &Bundle) -> Result<(), F::Error> {
        let (number, size) = (self.tree.size().0 / TILE_WIDTH, self.attested.checkpoint.size);
        if Tile::at(TileContent::Entries, number, size) != Some(bundle.tile) {
            let what = format!("expected bundle {number} next, got {}", bundle.tile);
            return Err(Rejected::malformed(Step::Bundles, what).into());
        }
        self.shown.bytes += bundle.bytes.len() as u64 - 2 * bundle.tile.width();
        let records = records_of(&bundle.bytes, bundle.tile)?;
        let followers = bundle.entries.iter().skip(1).map(Some).chain([None]);
        for ((entry, next), record) in bundle.entries.iter().zip(followers).zip(records) {
            let index = RecordIndex(self.tree.size().0);
            self.check(index, entry, next)?;
            if let Some((first, parts)) = self.remapping(index, entry)? {
                self.check_remapping(files, bundle, first, parts)?;
            }
            self.take_former(index, entry, record)?;
            self.previous = Some((entry.leaf, entry.place.recorded_at()));
            self.shown.seals += u64::from(entry.seal.is_some());
            if let Some(authentication) = entry.authentication {
                *self.shown.authentications.entry(authentication).or_default() += 1;
            }
            self.append(files, entry.leaf)?;
        }
        Ok(())
    }

    /// Ends the check, once all bundles were taken.
    ///
    /// # Errors
    /// [`Rejected`] if records are missing, or do not come to the root that was signed; of whoever has the files.
    pub fn end<F: Files>(mut self, files: &F) -> Result<Replayed<'p>, F::Error> {
        let (taken, checkpoint) = (self.tree.size(), &self.attested.checkpoint);
        if taken != checkpoint.size {
            let what = format!("expected {} records, got {taken}", checkpoint.size);
            return Err(Rejected::malformed(Step::Bundles, what).into());
        }
        let root = self.tree.root();
        if root != checkpoint.root {
            let what = format!(
                "expected the root {} over {taken} records, got {root}: the last record was changed, or the log signed others",
                checkpoint.root
            );
            return Err(Rejected::falsified(Step::Tree, what).into());
        }
        self.check_finished(taken.0)?;
        let partial: Vec<_> = self.tree.partial().map(|(tile, hashes)| (tile, hashes.to_vec())).collect();
        for (tile, hashes) in partial {
            self.compare_tile(files, tile, &hashes)?;
        }
        let formers = std::mem::take(&mut self.formers).into_iter();
        let predecessors = formers.map(|former| {
            let origin = former.predecessor().origin.clone();
            former.end().map_err(|error| not_former(&origin, &error))
        });
        let predecessors = predecessors.collect::<Result<_, _>>()?;
        let entities = self.coverage.map().count();
        let progress = self.coverage.settled();
        Ok(Replayed {
            sealed: progress.sealed(),
            sources: progress.tally().sources().map(|(counts, _)| counts.clone()).collect(),
            entities,
            last_at: self.previous.map(|(_, at)| at),
            attested: self.attested,
            predecessors,
            shown: self.shown,
        })
    }

    /// Checks a record's place in the log: in the chain, and of a seal what it says of all before it.
    fn check(&mut self, index: RecordIndex, entry: &Entry, next: Option<&Entry>) -> Result<(), Rejected> {
        let linked = match (&entry.first, index.0) {
            (first, 0) => {
                let origin = &self.attested.checkpoint.origin;
                record::check_origin(first.as_deref(), origin, self.index_key)
                    .map_err(|violation| Rejected::falsified(Step::Chain, violation.0))?;
                first.as_deref().map_or(Ok(()), |first| record::check_link(first, index, self.previous))
            }
            _ => entry.place.check(index, self.previous),
        };
        if let Err(violation) = linked {
            let is_followed = next.is_none_or(|next| next.place.follows(entry.leaf));
            let what = match entry.place.first_bad(index, self.previous, is_followed) {
                bad if bad == index => format!("record {index}: {violation}"),
                bad => format!("record {bad} was changed: record {index} follows one with another hash"),
            };
            return Err(Rejected::falsified(Step::Chain, what));
        }
        self.coverage
            .take(index, entry.leaf, &entry.share, entry.seal.as_ref())
            .map_err(|error| Rejected::falsified(Step::Seal, format!("record {index}: {error}")))
    }

    /// Takes a record for the comparison with the logs that this one says it goes on from.
    fn take_former(&mut self, index: RecordIndex, entry: &Entry, record: &[u8]) -> Result<(), Rejected> {
        if index.0 == 0 {
            let predecessors = entry.first.as_deref().map(predecessors).unwrap_or_default();
            let begun = predecessors.into_iter().map(|predecessor| {
                let origin = predecessor.origin.clone();
                Former::begin(predecessor).map_err(|error| not_former(&origin, &error))
            });
            self.formers = begun.collect::<Result<_, _>>()?;
            return Ok(());
        }
        for former in self.formers.iter_mut().filter(|former| former.wants_more()) {
            let falsified = |what: String| Rejected::falsified(Step::Records, format!("record {index}: {what}"));
            let record = record::decode(record).map_err(|error| falsified(described(&error)))?;
            former.take(record).map_err(|error| falsified(error.to_string()))?;
        }
        Ok(())
    }

    /// The remapping that a record ends, if it does: its first record, and how many there are.
    fn remapping(&mut self, index: RecordIndex, entry: &Entry) -> Result<Option<(RecordIndex, u32)>, Rejected> {
        let Some(part) = entry.part.filter(|part| part.number > 0) else {
            self.check_finished(index.0)?;
            self.unfinished = entry.part.filter(|part| !part.is_last()).map(|part| (index, part));
            return Ok(entry.part.filter(|part| part.is_last()).map(|part| (index, part.of)));
        };
        match self.unfinished.take() {
            Some((first, before)) if (before.number + 1, before.of) == (part.number, part.of) => {
                self.unfinished = Some((first, part)).filter(|_| !part.is_last());
                Ok(Some((first, part.of)).filter(|_| part.is_last()))
            }
            _ => {
                let what = format!("record {index}: the parts of a remapping before it are missing");
                Err(Rejected::falsified(Step::Chain, what))
            }
        }
    }

    fn check_finished(&self, index: u64) -> Result<(), Rejected> {
        match self.unfinished {
            None => Ok(()),
            Some((first, part)) => {
                let what = format!("record {index}: expected part {} of the remapping {first}", part.number + 1);
                Err(Rejected::falsified(Step::Chain, what))
            }
        }
    }

    /// Checks what was read again against what that replaces, which may stand in any bundle before.
    fn check_remapping<F: Files>(
        &self,
        files: &F,
        bundle: &Bundle,
        first: RecordIndex,
        parts: u32,
    ) -> Result<(), F::Error> {
        let falsified = |what: String| Rejected::falsified(Step::Records, format!("record {first}: {what}"));
        let checked = remap::check_at::<F::Error>(first, parts, |index| {
            let number = index.0 / TILE_WIDTH;
            let place = (index.0 % TILE_WIDTH) as usize;
            let mut earlier = self.earlier.borrow_mut();
            let bytes = match (number == bundle.tile.index(), &mut *earlier) {
                (true, _) => &bundle.bytes,
                (false, Some((read, bytes))) if *read == number => &*bytes,
                (false, earlier) => &earlier.insert((number, self.read_again(files, number, index)?)).1,
            };
            let tile = Tile::at(TileContent::Entries, number, self.attested.checkpoint.size);
            let records =
                records_of(bytes, tile.ok_or_else(|| falsified(format!("record {index} is past the last")))?)?;
            let record = records.get(place).ok_or_else(|| falsified(format!("record {index} is past the last")))?;
            record::decode(record).map_err(|error| falsified(described(&error)).into())
        })?;
        checked.map_err(|Violation(what)| falsified(what).into())
    }

    /// Reads an earlier bundle again: it has to be the one that was taken.
    fn read_again<F: Files>(&self, files: &F, number: u64, wanted: RecordIndex) -> Result<Vec<u8>, F::Error> {
        let taken = usize::try_from(number).ok().and_then(|number| self.bundles.get(number));
        let tile = Tile::at(TileContent::Entries, number, self.attested.checkpoint.size);
        let (Some(taken), Some(tile)) = (taken, tile) else {
            let what = format!("record {wanted} is replaced before it is there");
            return Err(Rejected::falsified(Step::Records, what).into());
        };
        let bytes = files.read(tile)?.ok_or_else(|| missing(tile))?;
        let mut tree = Frontier::new();
        for record in records_of(&bytes, tile)? {
            tree.append(record::hash(record), |_| ());
        }
        match tree.root() == *taken {
            true => Ok(bytes),
            false => {
                let what = format!("tile/{tile} was changed while it was read: give a folder that nobody writes to");
                Err(Rejected::malformed(Step::Bundles, what).into())
            }
        }
    }

    /// Appends a leaf to the tree, and compares what that completes.
    fn append<F: Files>(&mut self, files: &F, leaf: LeafHash) -> Result<(), F::Error> {
        let bundles = &mut self.bundles;
        let full = self.tree.append(leaf, |node| bundles.extend((node.level == TILE_HEIGHT).then_some(node.hash)));
        for (tile, hashes) in full {
            self.compare_tile(files, tile, &hashes)?;
        }
        let size = self.tree.size();
        let Some(seen) = self.seen.get(&size.0) else { return Ok(()) };
        if *seen != self.tree.root() {
            let what = format!(
                "expected the root {seen} that was seen before for {size} records of {}, got {}: the log shows two histories",
                self.attested.checkpoint.origin,
                self.tree.root()
            );
            return Err(Rejected::falsified(Step::Checkpoint, what).into());
        }
        self.shown.seen += 1;
        Ok(())
    }

    /// Compares a tile of hashes with the one that is there, if one is.
    fn compare_tile<F: Files>(&mut self, files: &F, tile: Tile, hashes: &[Hash]) -> Result<(), F::Error> {
        let Some((bytes, found)) = read_or_full(files, tile)? else {
            self.shown.tiles_absent += 1;
            return Ok(());
        };
        let expected = found.width() as usize * Hash::LENGTH;
        if bytes.len() != expected {
            let what = format!("expected {expected} bytes in tile/{found}, got {}", bytes.len());
            return Err(Rejected::malformed(Step::Tiles, what).into());
        }
        let is_same = |(hash, found): (&Hash, &[u8])| hash.as_bytes() == found;
        if let Some(place) = hashes.iter().zip(bytes.chunks(Hash::LENGTH)).position(|pair| !is_same(pair)) {
            let what = format!("hash {place} of tile/{found} is not that of the records: one of both was changed");
            return Err(Rejected::falsified(Step::Tiles, what).into());
        }
        self.shown.tiles += 1;
        Ok(())
    }
}

/// A tile, or where it is not there, the full one in its place, and which of them it is (C2SP tlog-tiles, "Partial tiles").
fn read_or_full<F: Files>(files: &F, tile: Tile) -> Result<Option<(Vec<u8>, Tile)>, F::Error> {
    match files.read(tile)? {
        Some(bytes) => Ok(Some((bytes, tile))),
        None if tile.width() < TILE_WIDTH => Ok(files.read(tile.full())?.map(|bytes| (bytes, tile.full()))),
        None => Ok(None),
    }
}

fn records_of(bundle: &[u8], tile: Tile) -> Result<Vec<&[u8]>, Rejected> {
    records_in(bundle, tile.width())
        .map_err(|error| Rejected::malformed(Step::Bundles, format!("tile/{tile}: {error}")))
}

fn not_former(origin: &str, error: &IncarnationError) -> Rejected {
    Rejected::falsified(Step::Chain, format!("what record 0 says of the log {origin} is not so: {error}"))
}

fn missing(tile: Tile) -> Rejected {
    let what = format!("tile/{tile} is missing: the export is not whole, so fetch it again");
    Rejected::malformed(Step::Bundles, what)
}
