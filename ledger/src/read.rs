//! Reading: a cheap handle that never waits for the owner.
//!
//! Owns what readers see: everything up to the published head, and nothing past it. No record is given out whose bytes
//! are not those that the record after it was chained to; the last one is compared with the published head. That finds
//! whatever is changed in its place. Who changes a record and the `prev` of the next one besides is found by whoever
//! reads that next one, and by fsck; who chains everything again up to the end, by the checks at the start. It never
//! writes.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use counterfoil_proto::v1::{Beside, Record};
use counterfoil_verify::beside;
use counterfoil_verify::checkpoint::Origin;
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::note::SigningKey;
use counterfoil_verify::record;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize, consistency_proof, inclusion_proof, root_at};
use tokio::sync::watch;

use crate::append::{ChannelPosition, EventKey, LastRead, SourceKey};
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::memory::Memory;
use crate::nodes::{PublishedNodes, Tiles};
use crate::pressure::WritePressure;
use crate::store::{self, BESIDE, COUNT, DerivedDb, EVENTS, LogDb, MAP, NODES, RECORDS, VALUE_FORMAT, cf};

/// How far a pass over many rows reads ahead: most passes end after about as much.
const READ_AHEAD_BYTES: usize = 256 << 10;

/// A handle for reading. Cloning it is cheap.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) log: LogDb,
    pub(crate) derived: DerivedDb,
    pub(crate) memory: Memory,
    pub(crate) origin: Origin,
    pub(crate) index_key: IndexKey,
    /// The log's key; none where this is a copy of somebody else's log.
    pub(crate) signer: Option<SigningKey>,
    pub(crate) published: RwLock<Published>,
    /// The size of the newest head, for those who wait for a larger one.
    pub(crate) grown: watch::Sender<TreeSize>,
    /// What readers of tiles are given, where that is not the newest head (`served`).
    pub(crate) served: RwLock<Option<Head>>,
    /// What was read of the tree.
    pub(crate) tiles: Tiles,
}

/// The newest head that is signed and anchored.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) size: TreeSize,
    pub(crate) root: Hash,
    /// The leaf hash of the last record.
    pub(crate) last: LeafHash,
    pub(crate) note: Arc<[u8]>,
    /// How many records the newest seal covers.
    pub(crate) sealed: TreeSize,
}

/// A record with what lies beside it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// What lies beside it; none where nothing does.
    pub beside: Option<Beside>,
}

/// A record and what lies beside it, as they are kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The bytes of the record, as hashed.
    pub record: Box<[u8]>,
    /// Those of what lies beside it; none where nothing does.
    pub beside: Option<Box<[u8]>>,
}

/// The tree that answers rest on.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which log it is.
    pub origin: Origin,
    /// How many records it has.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// The signed checkpoint, as it is.
    pub checkpoint: Arc<[u8]>,
}

impl Reader {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The budget of its databases' memory, for whoever opens another one beside them.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// The newest head.
    pub fn head(&self) -> Head {
        let published = self.published();
        Head { origin: self.0.origin.clone(), size: published.size, root: published.root, checkpoint: published.note }
    }

    /// How many records the newest seal covers: the entity map is proved as of these.
    pub fn sealed(&self) -> TreeSize {
        self.published().sealed
    }

    /// Waits until a seal covers the first `size` records: where it does already, not at all.
    pub async fn until_sealed(&self, size: TreeSize) {
        // Whoever publishes lives as long as this handle.
        let _ = self.growth().wait_for(|_| self.sealed() >= size).await;
    }

    /// Follows the size of the newest head.
    pub fn growth(&self) -> watch::Receiver<TreeSize> {
        self.0.grown.subscribe()
    }

    pub(crate) fn published(&self) -> Published {
        self.0.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes of a record, as hashed.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRecord`] past the head; [`LedgerError::Falsified`] if they are not those that were chained.
    pub fn record_bytes(&self, index: RecordIndex) -> Result<Vec<u8>> {
        let published = self.published();
        if index.0 >= published.size.0 {
            return Err(LedgerError::NoSuchRecord { index, size: published.size });
        }
        let bytes = self.0.log.record(index.0)?.ok_or_else(|| missing(index))?;
        let next = RecordIndex(index.0 + 1);
        let chained = match next.0 < published.size.0 {
            true => prev(next, &self.0.log.record(next.0)?.ok_or_else(|| missing(next))?)?,
            false => published.last,
        };
        check_chained(index, &bytes, chained)?;
        Ok(bytes)
    }

    /// A record.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRecord`] past the head; [`LedgerError::Falsified`] if it is not what was written.
    pub fn record(&self, index: RecordIndex) -> Result<Record> {
        decode(index, &self.record_bytes(index)?)
    }

    /// The records of a range, up to the head, in order, checked as by [`Reader::record`].
    pub fn records(&self, range: Range<u64>) -> impl Iterator<Item = Result<Record>> + '_ {
        self.chained(range).map(|row| row.and_then(|(index, bytes)| decode(index, &bytes)))
    }

    pub(crate) fn chained(&self, range: Range<u64>) -> impl Iterator<Item = Result<(RecordIndex, Box<[u8]>)>> + '_ {
        let published = self.published();
        let end = range.end.min(published.size.0);
        // One more row than is given out: it says what the last of them has to be.
        let rows = self.rows_of(RECORDS, range.start..end.saturating_add(1)).peekable();
        Chained { rows, next: range.start, end, published }
    }

    /// The records of a range with what lies beside each, up to the head, in order; everything is checked as by
    /// [`Reader::record`] and [`Reader::beside`], in one pass over both.
    pub fn entries(&self, range: Range<u64>) -> impl Iterator<Item = Result<Entry>> + '_ {
        let first = range.start;
        self.kept(range).zip(first..).map(|(kept, index)| {
            let Kept { record, beside } = kept?;
            let record = decode(RecordIndex(index), &record)?;
            let beside = open_beside(&record, beside.as_deref())?;
            Ok(Entry { record, beside })
        })
    }

    /// The records of a range and what lies beside each, up to the head, in order, as bytes for somebody who checks them:
    /// those of a record are what was chained; of those beside it nothing is known yet.
    pub fn kept(&self, range: Range<u64>) -> impl Iterator<Item = Result<Kept>> + '_ {
        let mut beside = self.rows_of(BESIDE, range.clone()).peekable();
        self.chained(range).map(move |row| {
            let (index, record) = row?;
            let is_own =
                |row: &Result<(RecordIndex, Box<[u8]>)>| row.as_ref().map_or(true, |(found, _)| *found == index);
            let beside = beside.next_if(is_own).transpose()?.map(|(_, bytes)| bytes);
            Ok(Kept { record, beside })
        })
    }

    pub(crate) fn rows_of(
        &self,
        family: &str,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<(RecordIndex, Box<[u8]>)>> + '_ {
        let end = range.end.min(self.head().size.0);
        let mut options = rocksdb::ReadOptions::default();
        options.set_iterate_upper_bound(end.to_be_bytes());
        options.set_readahead_size(READ_AHEAD_BYTES);
        // What is read once and in order would push out what is looked up again and again.
        options.fill_cache(false);
        let start = range.start.min(end).to_be_bytes();
        let mode = rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward);
        let log = &self.0.log.0;
        log.iterator_cf_opt(cf(log, family), options, mode).map(|row| {
            let (key, value) = row?;
            Ok((RecordIndex(store::number(&key, "a record's key")?), value))
        })
    }

    /// What lies beside a record, checked against its commitment; none where nothing does.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if it does not match.
    pub fn beside(&self, index: RecordIndex) -> Result<Option<Beside>> {
        let record = self.record(index)?;
        open_beside(&record, self.0.log.beside(index.0)?.as_deref())
    }

    /// How many records were recorded at `known_at` or before.
    pub fn size_at(&self, known_at: RecordedAt) -> Result<TreeSize> {
        let (mut low, mut high) = (0, self.head().size.0);
        while low < high {
            let middle = low + (high - low) / 2;
            if record::recorded_at(&self.record(RecordIndex(middle))?) <= known_at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(TreeSize(low))
    }

    /// The proof that record `index` is in the tree of `size` records (RFC 9162 section 2.1.3).
    pub fn inclusion_proof(&self, index: RecordIndex, size: TreeSize) -> Result<Vec<Hash>> {
        self.check_size(size)?;
        inclusion_proof(&self.nodes(), index, size).map_err(tree_error)
    }

    /// The proof that the tree of `new` records goes on from that of `old` (RFC 9162 section 2.1.4).
    pub fn consistency_proof(&self, old: TreeSize, new: TreeSize) -> Result<Vec<Hash>> {
        self.check_size(new)?;
        self.check_size(old)?;
        consistency_proof(&self.nodes(), old, new).map_err(tree_error)
    }

    /// The root of the tree of the first `size` records.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRecord`] past the head.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash> {
        self.check_size(size)?;
        root_at(&self.nodes(), size).map_err(tree_error)
    }

    /// How far a channel of a source has been read.
    pub fn position(&self, channel: &str) -> Result<Option<ChannelPosition>> {
        let Some(value) = self.0.log.0.get(store::position_key(channel))? else { return Ok(None) };
        let damaged = || LedgerError::falsified(format!("the position of {channel}"), "it has another form");
        position_value(&value).map(Some).ok_or_else(damaged)
    }

    /// The first record of the reading that replaced one of an event, which is named by its first record too; none if
    /// that one counts still.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if the known events cannot be read.
    pub fn replaced_by(&self, event: &EventKey, reading: RecordIndex) -> Result<Option<RecordIndex>> {
        self.known(&event.remapped(reading))
    }

    /// The first record of an event that is known by a key.
    pub(crate) fn known(&self, key: &EventKey) -> Result<Option<RecordIndex>> {
        let derived = &self.0.derived.0;
        let value = derived.get_cf(cf(derived, EVENTS), key.0)?;
        value.map(|value| derive::event_value(&value).map(|(index, _)| index)).transpose()
    }

    /// How often each source delivered what was known: counts that are no records.
    pub fn duplicates(&self) -> Result<Vec<(SourceKey, u64)>> {
        let mode = rocksdb::IteratorMode::From(COUNT, rocksdb::Direction::Forward);
        let mut found = Vec::new();
        for row in self.0.log.0.iterator(mode) {
            let (key, _) = row?;
            let Some(name) = key.strip_prefix(COUNT) else { break };
            if let Some(source) = source_of(name) {
                found.push((source, self.duplicates_of(&key)?));
            }
        }
        Ok(found)
    }

    pub(crate) fn duplicates_of(&self, key: &[u8]) -> Result<u64> {
        let damaged = || LedgerError::falsified("a count of duplicates", "it has another form");
        self.0.log.0.get(key)?.map_or(Ok(0), |value| count_value(&value).ok_or_else(damaged))
    }

    /// How each database holds back the thread that appends, by the database's name.
    pub fn pressure(&self) -> [(&'static str, WritePressure); 2] {
        let Shared { log, derived, .. } = &*self.0;
        [
            ("log", WritePressure::of(&log.0, ["default", RECORDS, BESIDE])),
            ("derived", WritePressure::of(&derived.0, ["default", NODES, EVENTS, MAP])),
        ]
    }

    /// The key of tokens, by which names are looked up.
    pub fn index_key(&self) -> &IndexKey {
        &self.0.index_key
    }

    pub(crate) fn publish(&self, published: Published) {
        let size = published.size;
        *self.0.published.write().unwrap_or_else(PoisonError::into_inner) = published;
        self.0.grown.send_replace(size);
    }

    pub(crate) fn signer(&self) -> Option<&SigningKey> {
        self.0.signer.as_ref()
    }

    /// Puts the signatures of a checkpoint under the newest head, if that is the same.
    pub(crate) fn cosigned(&self, head: &Head) {
        let mut published = self.0.published.write().unwrap_or_else(PoisonError::into_inner);
        if (published.size, published.root) == (head.size, head.root) {
            published.note = head.checkpoint.clone();
        }
    }

    pub(crate) fn served_slot(&self) -> &RwLock<Option<Head>> {
        &self.0.served
    }

    pub(crate) fn log(&self) -> &LogDb {
        &self.0.log
    }

    pub(crate) fn derived(&self) -> &DerivedDb {
        &self.0.derived
    }

    pub(crate) fn tiles(&self) -> &Tiles {
        &self.0.tiles
    }

    fn nodes(&self) -> PublishedNodes<'_> {
        PublishedNodes { reader: self, published: self.published() }
    }

    fn check_size(&self, asked: TreeSize) -> Result<()> {
        let size = self.head().size;
        if asked > size {
            return Err(LedgerError::NoSuchRecord { index: RecordIndex(asked.0.saturating_sub(1)), size });
        }
        Ok(())
    }
}

/// Rows of records in order, each once the row after it has confirmed it. Ends with the first error.
struct Chained<I: Iterator<Item = Result<(RecordIndex, Box<[u8]>)>>> {
    rows: Peekable<I>,
    next: u64,
    end: u64,
    published: Published,
}

impl<I: Iterator<Item = Result<(RecordIndex, Box<[u8]>)>>> Chained<I> {
    fn row(&mut self, index: RecordIndex) -> Result<(RecordIndex, Box<[u8]>)> {
        let (found, bytes) = self.rows.next().unwrap_or_else(|| Err(missing(index)))?;
        if found != index {
            return Err(missing(index));
        }
        let next = RecordIndex(index.0 + 1);
        let chained = match self.rows.peek() {
            _ if next.0 == self.published.size.0 => self.published.last,
            Some(Ok((found, bytes))) if *found == next => prev(next, bytes)?,
            Some(Err(_)) => return Err(self.rows.next().and_then(Result::err).unwrap_or_else(|| missing(next))),
            _ => return Err(missing(next)),
        };
        check_chained(index, &bytes, chained)?;
        Ok((index, bytes))
    }
}

impl<I: Iterator<Item = Result<(RecordIndex, Box<[u8]>)>>> Iterator for Chained<I> {
    type Item = Result<(RecordIndex, Box<[u8]>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = RecordIndex(self.next);
        (self.next < self.end).then(|| {
            let row = self.row(index);
            self.next = if row.is_ok() { self.next + 1 } else { self.end };
            row
        })
    }
}

/// What lies beside a record, if its bytes match the record's commitment.
fn open_beside(record: &Record, bytes: Option<&[u8]>) -> Result<Option<Beside>> {
    let falsified = |problem: &dyn ToString| {
        LedgerError::falsified(format!("what lies beside record {}", record.index), problem.to_string())
    };
    if record.commitment.is_empty() {
        return Ok(None);
    }
    let bytes = bytes.ok_or_else(|| falsified(&"it is missing"))?;
    let commitment = Hash::from_slice(&record.commitment).map_err(|error| falsified(&error))?;
    beside::open(bytes, &commitment).map(Some).map_err(|error| falsified(&error))
}

/// The value of a channel's position.
pub(crate) fn position_bytes(position: &ChannelPosition) -> Vec<u8> {
    let mut value = vec![VALUE_FORMAT];
    value.extend_from_slice(&position.next.to_be_bytes());
    value.push(u8::from(position.complete));
    if let Some(LastRead { sequence, digest }) = &position.last {
        value.extend_from_slice(&sequence.to_be_bytes());
        value.extend_from_slice(digest);
    }
    value
}

/// Reads the value of a channel's position.
pub(crate) fn position_value(value: &[u8]) -> Option<ChannelPosition> {
    let [VALUE_FORMAT, rest @ ..] = value else { return None };
    let (next, rest) = rest.split_first_chunk::<8>()?;
    let (complete @ (0 | 1), rest) = rest.split_first()? else { return None };
    let last = match rest {
        [] => None,
        _ => {
            let (sequence, digest) = rest.split_first_chunk::<8>()?;
            Some(LastRead { sequence: u64::from_be_bytes(*sequence), digest: digest.try_into().ok()? })
        }
    };
    Some(ChannelPosition { next: u64::from_be_bytes(*next), complete: *complete == 1, last })
}

/// Reads a count of duplicates.
pub(crate) fn count_value(value: &[u8]) -> Option<u64> {
    let [VALUE_FORMAT, count @ ..] = value else { return None };
    Some(u64::from_be_bytes(count.try_into().ok()?))
}

pub(crate) fn count_bytes(count: u64) -> Vec<u8> {
    let mut value = vec![VALUE_FORMAT];
    value.extend_from_slice(&count.to_be_bytes());
    value
}

pub(crate) fn count_key(source: &SourceKey) -> Vec<u8> {
    let SourceKey { system, instance, stream, connector } = source;
    let name = format!("{system}\0{instance}\0{stream}\0{connector}");
    [COUNT, name.as_bytes()].concat()
}

/// Reads what the key of a count names.
pub(crate) fn source_of(name: &[u8]) -> Option<SourceKey> {
    let parts: Vec<&str> = std::str::from_utf8(name).ok()?.split('\0').collect();
    let [system, instance, stream, connector] = parts[..] else { return None };
    let [system, instance, stream, connector] = [system, instance, stream, connector].map(str::to_owned);
    Some(SourceKey { system, instance, stream, connector })
}

fn decode(index: RecordIndex, bytes: &[u8]) -> Result<Record> {
    record::decode(bytes).map_err(|error| LedgerError::record(index, error))
}

/// The leaf hash that a record was chained to.
pub(crate) fn prev(index: RecordIndex, bytes: &[u8]) -> Result<LeafHash> {
    let falsified = || LedgerError::falsified(format!("record {index}"), "it does not say which record it follows");
    store::prev_of(bytes).ok_or_else(falsified)
}

fn check_chained(index: RecordIndex, bytes: &[u8], chained: LeafHash) -> Result<()> {
    match record::hash(bytes) == chained {
        true => Ok(()),
        false => Err(LedgerError::falsified(format!("record {index}"), "its bytes are not those that were chained")),
    }
}

pub(crate) fn missing(index: RecordIndex) -> LedgerError {
    LedgerError::falsified(format!("record {index}"), "it is missing")
}

fn tree_error(error: counterfoil_verify::tree::TreeError<LedgerError>) -> LedgerError {
    LedgerError::falsified("the tree", error)
}
