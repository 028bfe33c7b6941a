//! What the records come to for seals: the entity map, in pages of the derived data, and the counts of each source.
//!
//! Owns how both are brought up to the records and kept. They are functions of the records, so that the owner, a replica,
//! the start and fsck share them; what a seal has to say is for `verify::seal` to say. Each is kept as it is behind some
//! record, all of it in one batch; what came behind that record is read from the log again.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{Position, Record, Seal, SealedSource, Source, record::Body};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::map::MapRoot;
use counterfoil_verify::seal::{Progress, SealError, Share, Tally};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use rocksdb::{IteratorMode, WriteBatch};

use crate::append::SourceKey;
use crate::coverage::pages::{MapError, StoredMap, Written};
use crate::error::{LedgerError, Result};
use crate::store::{COVERED, DerivedDb, MAP, SEALED, VALUE_FORMAT, cf, number};

pub(crate) mod pages;

/// What the sources and channels of one seal may take; what is left is for the next one. Far below the bound of a record,
/// and any one of them is far below this.
const SEAL_BYTES_MAX: usize = 32 << 10;

/// What the records come to, and what of that is in no database yet.
#[derive(Default)]
pub(crate) struct Coverage {
    progress: Progress,
    written: Written,
    /// The rows of sources that seals named since the last row was written.
    named: BTreeSet<Vec<u8>>,
    /// The channels that were read further since the last seal, as far as somebody said so.
    moved: BTreeSet<String>,
    is_stale: bool,
}

impl Coverage {
    /// As it is kept.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if it has another form.
    pub(crate) fn load(derived: &DerivedDb) -> Result<Self> {
        let Some(value) = derived.0.get(COVERED)? else { return Ok(Self::default()) };
        let Kept { taken, root, sealed, is_continued } = Kept::read(&value)?;
        let tally = Tally::of_sources(sources(derived)?);
        Ok(Self { progress: Progress::at(taken, root, sealed, is_continued, tally), ..Self::default() })
    }

    /// What is kept of it, in a batch: nothing, unless a seal or many records have come since.
    ///
    /// # Errors
    /// [`LedgerError`] of the derived data.
    pub(crate) fn put(&mut self, derived: &DerivedDb, batch: &mut WriteBatch) -> Result<()> {
        if !self.is_stale && self.written.is_empty() {
            return Ok(());
        }
        self.settle(derived)?;
        let family = cf(&derived.0, MAP);
        for (place, page) in self.written.drain() {
            batch.put_cf(family, pages::key(&place), &page);
        }
        for (counts, is_changed) in self.progress.tally().sources() {
            let key = sealed_key(counts.source.as_ref());
            if is_changed || self.named.contains(&key) {
                batch.put(key, sealed_value(counts, is_changed));
            }
        }
        self.named.clear();
        let mut value = vec![VALUE_FORMAT];
        value.extend_from_slice(&self.progress.taken().0.to_be_bytes());
        value.extend_from_slice(self.progress.root().0.as_bytes());
        value.extend_from_slice(&self.progress.sealed().0.to_be_bytes());
        value.push(u8::from(self.progress.is_continued()));
        batch.put(COVERED, value);
        self.is_stale = false;
        Ok(())
    }

    /// Takes the next record. A seal is compared with all that came before it.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if it is a wrong seal, or if none comes where one has to; nothing is taken then.
    pub(crate) fn take(
        &mut self,
        derived: &DerivedDb,
        (index, leaf): (RecordIndex, LeafHash),
        share: &Share,
        seal: Option<&Seal>,
    ) -> Result<()> {
        let mut map = StoredMap { derived, written: &mut self.written };
        self.progress.take(&mut map, index, leaf, share, seal).map_err(|error| match error {
            MapError::Seal(error) => wrong(index, &error),
            MapError::Pages(error) => error,
        })?;
        if let Some(seal) = seal {
            self.named.extend(seal.sources.iter().map(|sealed| sealed_key(sealed.source.as_ref())));
            for position in &seal.next {
                self.moved.remove(&position.channel);
            }
            self.is_stale = true;
        }
        Ok(())
    }

    /// Remembers that a channel was read further.
    pub(crate) fn moves(&mut self, channel: String) {
        self.moved.insert(channel);
    }

    /// The channels that were read further since the last seal, ascending.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &String> {
        self.moved.iter()
    }

    /// The seals that the records so far need: one, or several where it is continued. `duplicates` is how often each source
    /// delivered what was known, `next` where reading goes on, ascending by channel.
    ///
    /// # Errors
    /// [`LedgerError`] of the derived data.
    pub(crate) fn seals(
        &mut self,
        derived: &DerivedDb,
        duplicates: &[(SourceKey, u64)],
        next: Vec<Position>,
    ) -> Result<Vec<Seal>> {
        self.settle(derived)?;
        let mut tally = self.progress.tally().clone();
        let mut known: BTreeMap<_, u64> = BTreeMap::new();
        for (SourceKey { system, instance, stream, .. }, count) in duplicates {
            *known.entry((system, instance, stream)).or_default() += count;
        }
        for ((system, instance, stream), count) in known {
            let source = Source { system: system.clone(), instance: instance.clone(), stream: stream.clone() };
            tally.set_duplicates(&source, count);
        }
        let map_root = self.progress.root().0.as_bytes().to_vec();
        let mut series = Series::of(Seal { map_root, ..Seal::default() });
        for counts in tally.changed() {
            series.with_room(counts.encoded_len()).sources.push(counts.clone());
        }
        for position in next {
            series.with_room(position.encoded_len()).next.push(position);
        }
        Ok(series.full.into_iter().chain([series.last]).collect())
    }

    /// How many records were taken.
    pub(crate) fn taken(&self) -> TreeSize {
        self.progress.taken()
    }

    /// How many records the last seal covers.
    pub(crate) fn sealed(&self) -> TreeSize {
        self.progress.sealed()
    }

    /// Whether there is nothing to seal: no record but seals came behind the last seal, or behind record 0.
    pub(crate) fn is_sealed(&self) -> bool {
        self.taken().0 <= self.sealed().0 + 1 && !self.progress.is_continued()
    }

    /// How many links wait for the next seal.
    pub(crate) fn waiting(&self) -> usize {
        self.progress.waiting()
    }

    /// What all records that were taken come to.
    ///
    /// # Errors
    /// [`LedgerError`] of the derived data.
    pub(crate) fn settled(&mut self, derived: &DerivedDb) -> Result<&Progress> {
        self.settle(derived)?;
        Ok(&self.progress)
    }

    fn settle(&mut self, derived: &DerivedDb) -> Result<()> {
        let mut map = StoredMap { derived, written: &mut self.written };
        self.progress.settle(&mut map).map_err(|error| match error {
            MapError::Seal(error) => wrong(RecordIndex(self.progress.taken().0), &error),
            MapError::Pages(error) => error,
        })
    }
}

/// How far what is kept goes.
pub(crate) struct Kept {
    /// The records that are in the map.
    taken: TreeSize,
    pub(crate) root: MapRoot,
    /// Those that the last seal covers.
    pub(crate) sealed: TreeSize,
    is_continued: bool,
}

impl Kept {
    pub(crate) fn read(value: &[u8]) -> Result<Self> {
        let damaged = || LedgerError::falsified("how far the entity map goes", "it has another form");
        let [VALUE_FORMAT, rest @ ..] = value else { return Err(damaged()) };
        let (taken, rest) = rest.split_at_checked(8).ok_or_else(damaged)?;
        let (root, rest) = rest.split_at_checked(Hash::LENGTH).ok_or_else(damaged)?;
        let (sealed, rest) = rest.split_at_checked(8).ok_or_else(damaged)?;
        let [is_continued @ (0 | 1)] = rest else { return Err(damaged()) };
        let size = |bytes| number(bytes, "how far the entity map goes").map(TreeSize);
        let root = MapRoot(Hash::from_slice(root).map_err(|_| damaged())?);
        Ok(Self { taken: size(taken)?, root, sealed: size(sealed)?, is_continued: *is_continued == 1 })
    }
}

/// A seal, and those before it that it continues.
struct Series {
    full: Vec<Seal>,
    last: Seal,
    room: usize,
}

impl Series {
    fn of(first: Seal) -> Self {
        Self { full: Vec::new(), last: first, room: SEAL_BYTES_MAX }
    }

    /// The seal that has room for so many bytes more.
    fn with_room(&mut self, bytes: usize) -> &mut Seal {
        if bytes > self.room {
            let next = Seal { map_root: self.last.map_root.clone(), ..Seal::default() };
            self.full.push(Seal { continued: true, ..std::mem::replace(&mut self.last, next) });
            self.room = SEAL_BYTES_MAX;
        }
        self.room = self.room.saturating_sub(bytes);
        &mut self.last
    }
}

/// The seal that a record is.
pub(crate) fn seal_of(record: &Record) -> Option<&Seal> {
    match &record.body {
        Some(Body::Seal(seal)) => Some(seal),
        _ => None,
    }
}

/// Removes all that is kept, for whoever goes back behind it.
pub(crate) fn remove(derived: &DerivedDb, batch: &mut WriteBatch) -> Result<()> {
    batch.delete(COVERED);
    for source in sources(derived)? {
        batch.delete(sealed_key(source.0.source.as_ref()));
    }
    for row in derived.0.iterator_cf(cf(&derived.0, MAP), IteratorMode::Start) {
        batch.delete_cf(cf(&derived.0, MAP), row?.0);
    }
    Ok(())
}

/// The counts of every source as they are kept, and whether they are others than at the last seal.
pub(crate) fn sources(derived: &DerivedDb) -> Result<Vec<(SealedSource, bool)>> {
    read_sources(derived.0.iterator(sources_from()))
}

/// Where the rows of these counts begin.
pub(crate) fn sources_from() -> IteratorMode<'static> {
    IteratorMode::From(SEALED, rocksdb::Direction::Forward)
}

/// Reads these rows, up to the first other one.
pub(crate) fn read_sources(
    rows: impl Iterator<Item = std::result::Result<(Box<[u8]>, Box<[u8]>), rocksdb::Error>>,
) -> Result<Vec<(SealedSource, bool)>> {
    let damaged = || LedgerError::falsified("the counts of a source", "they have another form");
    let mut sources = Vec::new();
    for row in rows {
        let (key, value) = row?;
        if !key.starts_with(SEALED) {
            break;
        }
        let [VALUE_FORMAT, is_changed @ (0 | 1), counts @ ..] = &*value else { return Err(damaged()) };
        let counts = SealedSource::decode(counts).map_err(|_| damaged())?;
        if sealed_key(counts.source.as_ref()) != *key {
            return Err(damaged());
        }
        sources.push((counts, *is_changed == 1));
    }
    Ok(sources)
}

fn wrong(index: RecordIndex, error: &SealError) -> LedgerError {
    LedgerError::falsified(format!("record {index}"), error)
}

fn sealed_key(source: Option<&Source>) -> Vec<u8> {
    let Source { system, instance, stream } = source.cloned().unwrap_or_default();
    [SEALED, format!("{system}\0{instance}\0{stream}").as_bytes()].concat()
}

fn sealed_value(counts: &SealedSource, is_changed: bool) -> Vec<u8> {
    let mut value = vec![VALUE_FORMAT, u8::from(is_changed)];
    value.extend_from_slice(&counts.encode_to_vec());
    value
}
