//! The two databases of a ledger, and every key and value in them (docs/formats.md has the same tables).
//!
//! Owns the layout and the options of RocksDB. It never decides what is written when.
//!
//! | database | family | key | value | if lost |
//! |---|---|---|---|---|
//! | log | records | u64 index | the record's bytes, as hashed | the ledger is lost from there on |
//! | log | beside | u64 index | `Beside` | the payload and the names of that record |
//! | log | default | `edge` | 1 ‖ u64 size ‖ 32 bytes for each bit set in size | recomputed from the records |
//! | log | default | `clock` | 1 ‖ i64 wall ‖ i64 since boot ‖ boot id | a jump across that restart goes unnoticed |
//! | log | default | `position/` channel | 1 ‖ u64 next ‖ u8 complete | read again from the start: duplicates |
//! | log | default | `confirmed` | of a replica: the signed checkpoint that its records were compared with | compared again |
//! | log | default | `purge/` u64 index | 1: what that redaction removed may be in files still | it stays in them |
//! | log | default | `count/` system 0 instance 0 stream 0 connector | 1 ‖ u64 duplicates | the count of duplicates |
//! | derived | nodes | u8 level ‖ u64 index | 32 bytes; levels 8, 16, … | rebuilt from the log |
//! | derived | events | 16 bytes | u64 index ‖ 16 bytes content digest | rebuilt from the log |
//! | derived | default | `cursor` | u64 records covered | rebuilt from the log |
//! | derived | default | `redaction/` u64 index | empty | rebuilt from the log |
//! | derived | map | u8 depth ‖ half-bytes | a page of the entity map (`coverage::pages`) | rebuilt from the log |
//! | derived | default | `covered` | 1 ‖ u64 records in the map ‖ 32 bytes of its root ‖ u64 records sealed ‖ u8 continued | rebuilt from the log |
//! | derived | default | `sealed/` system 0 instance 0 stream | 1 ‖ u8 changed since the last seal ‖ `SealedSource` | rebuilt from the log |

use std::path::Path;

use counterfoil_verify::hash::{Hash, LeafHash, node_hash};
use counterfoil_verify::record;
use counterfoil_verify::tree::{Frontier, NodeSource, TreeSize};
use rocksdb::{ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Options, WriteBatch, WriteOptions};

use crate::compression::compress_for_good;
use crate::endless::check_logs;
use crate::error::{LedgerError, Result};
use crate::memory::Memory;

pub(crate) const RECORDS: &str = "records";
pub(crate) const BESIDE: &str = "beside";
pub(crate) const NODES: &str = "nodes";
pub(crate) const EVENTS: &str = "events";
pub(crate) const MAP: &str = "map";

pub(crate) const EDGE: &[u8] = b"edge";
pub(crate) const CLOCK: &[u8] = b"clock";
/// The newest checkpoint that the records of a replica were compared with.
pub(crate) const CONFIRMED: &[u8] = b"confirmed";
pub(crate) const REPLAYED: &[u8] = b"replayed";
pub(crate) const CURSOR: &[u8] = b"cursor";
/// How far the entity map goes.
pub(crate) const COVERED: &[u8] = b"covered";
/// What the key of a source's counts starts with.
pub(crate) const SEALED: &[u8] = b"sealed/";
/// What the key of a channel's position starts with, and that of a source's count of duplicates.
pub(crate) const POSITION: &[u8] = b"position/";
pub(crate) const COUNT: &[u8] = b"count/";
/// What the key of a redaction starts with whose files are to be rewritten, and among the derived data that of each.
pub(crate) const PURGE: &[u8] = b"purge/";
pub(crate) const REDACTION: &[u8] = b"redaction/";

/// The derived data are flushed at least this often, in records.
pub(crate) const FLUSH_RECORDS_MAX: u64 = 100_000;

/// What a family keeps in memory of what was written, before it writes it into a file, and of a small one. The families of
/// a database that nobody writes to keep it, and leave the others the rest of the budget.
const LARGE_BUFFER_BYTES: usize = 32 << 20;
const SMALL_BUFFER_BYTES: usize = 4 << 20;

/// The first byte of every value that is not defined elsewhere.
pub(crate) const VALUE_FORMAT: u8 = 1;

/// What cannot be recomputed: written with a synced WAL.
pub(crate) struct LogDb(pub(crate) DB);

/// What is a function of the records: written without a WAL, and rebuilt where it is missing.
pub(crate) struct DerivedDb(pub(crate) DB);

/// Whether a database may be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Owner,
    ReadOnly,
}

impl LogDb {
    pub(crate) fn open(path: &Path, create: bool, access: Access, memory: &Memory) -> Result<Self> {
        let mut options = base_options(create, memory);
        // A torn tail is cut; that nothing acknowledged was in it is what the anchor checks.
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        options.set_max_total_wal_size(512 << 20);
        let kept_for_good = || {
            let mut options = family(memory, LARGE_BUFFER_BYTES, false);
            compress_for_good(&mut options);
            options
        };
        let families = [
            ("default", family(memory, SMALL_BUFFER_BYTES, false)),
            (RECORDS, kept_for_good()),
            (BESIDE, kept_for_good()),
        ];
        open(path, options, families, access).map(Self)
    }

    /// How many records it holds: one more than the last index.
    pub(crate) fn size(&self) -> Result<TreeSize> {
        let mut last = self.0.raw_iterator_cf(cf(&self.0, RECORDS));
        last.seek_to_last();
        match last.key() {
            Some(key) => Ok(TreeSize(number(key, "the last record's key")? + 1)),
            None => {
                last.status()?;
                Ok(TreeSize(0))
            }
        }
    }

    pub(crate) fn record(&self, index: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get_cf(cf(&self.0, RECORDS), index.to_be_bytes())?)
    }

    pub(crate) fn beside(&self, index: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get_cf(cf(&self.0, BESIDE), index.to_be_bytes())?)
    }

    pub(crate) fn edge(&self) -> Result<Frontier> {
        let damaged = || LedgerError::falsified("the stored right edge", "it is missing or has another form");
        let value = self.0.get(EDGE)?.ok_or_else(damaged)?;
        let [VALUE_FORMAT, rest @ ..] = value.as_slice() else { return Err(damaged()) };
        let (size, hashes) = rest.split_at_checked(8).ok_or_else(damaged)?;
        let hashes: Vec<Hash> =
            hashes.chunks(32).map(Hash::from_slice).collect::<std::result::Result<_, _>>().map_err(|_| damaged())?;
        Frontier::from_parts(TreeSize(number(size, "the stored right edge")?), hashes).map_err(|_| damaged())
    }

    /// Writes a batch that survives this process, and that the next sync makes durable.
    pub(crate) fn write_unsynced(&self, batch: WriteBatch) -> Result<()> {
        Ok(self.0.write(batch)?)
    }

    /// Writes into files what is in memory only: then it is in no write-ahead log any more.
    pub(crate) fn flush(&self) -> Result<()> {
        let families = ["default", RECORDS, BESIDE].map(|family| cf(&self.0, family));
        Ok(self.0.flush_cfs_opt(&families, &rocksdb::FlushOptions::default())?)
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.0.flush_wal(true)?)
    }

    /// Writes a batch and returns once it is durable.
    pub(crate) fn write_synced(&self, batch: WriteBatch) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.0.write_opt(batch, &options)?)
    }
}

impl DerivedDb {
    pub(crate) fn open(path: &Path, access: Access, memory: &Memory) -> Result<Self> {
        let mut options = base_options(true, memory);
        options.set_atomic_flush(true);
        let families = [
            ("default", family(memory, SMALL_BUFFER_BYTES, false)),
            (NODES, family(memory, SMALL_BUFFER_BYTES, false)),
            (EVENTS, family(memory, LARGE_BUFFER_BYTES, true)),
            (MAP, family(memory, LARGE_BUFFER_BYTES, false)),
        ];
        open(path, options, families, access).map(Self)
    }

    /// Whether it was made to the end. A process that dies while it makes it leaves no families, or not even a beginning;
    /// the next one makes it.
    pub(crate) fn is_made(path: &Path) -> Result<bool> {
        if !path.join("CURRENT").exists() {
            return Ok(false);
        }
        check_logs(path)?;
        let made = DB::list_cf(&Options::default(), path)?;
        Ok([NODES, EVENTS, MAP].iter().all(|family| made.iter().any(|name| name == family)))
    }

    /// How many records are covered.
    pub(crate) fn cursor(&self) -> Result<TreeSize> {
        match self.0.get(CURSOR)? {
            Some(value) => Ok(TreeSize(number(&value, "the cursor of the derived data")?)),
            None => Ok(TreeSize(0)),
        }
    }

    pub(crate) fn write(&self, batch: WriteBatch) -> Result<()> {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        Ok(self.0.write_opt(batch, &options)?)
    }

    /// Makes everything written so far survive the process, all families at once.
    pub(crate) fn flush(&self) -> Result<()> {
        let families = ["default", NODES, EVENTS, MAP].map(|family| cf(&self.0, family));
        Ok(self.0.flush_cfs_opt(&families, &rocksdb::FlushOptions::default())?)
    }
}

pub(crate) fn edge_value(frontier: &Frontier) -> Vec<u8> {
    let mut value = vec![VALUE_FORMAT];
    value.extend_from_slice(&frontier.size().0.to_be_bytes());
    frontier.hashes().iter().for_each(|hash| value.extend_from_slice(hash.as_bytes()));
    value
}

pub(crate) fn node_key(level: u8, index: u64) -> [u8; 9] {
    let mut key = [level; 9];
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

pub(crate) fn position_key(channel: &str) -> Vec<u8> {
    [POSITION, channel.as_bytes()].concat()
}

pub(crate) fn number(bytes: &[u8], place: &str) -> Result<u64> {
    let bytes = bytes.try_into().map_err(|_| LedgerError::falsified(place, "it is not 8 bytes"))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(crate) fn cf<'a>(db: &'a DB, name: &str) -> &'a rocksdb::ColumnFamily {
    db.cf_handle(name).expect("every family is opened with its database")
}

/// The tree's nodes: stored ones at levels 8, 16, …, and leaf hashes from the records, since each record's `prev` is the
/// leaf hash of the one before it.
pub(crate) struct StoredNodes<'a> {
    pub(crate) log: &'a LogDb,
    pub(crate) derived: &'a DerivedDb,
    pub(crate) size: TreeSize,
}

impl StoredNodes<'_> {
    /// The leaf hash of a record.
    pub(crate) fn leaf(&self, index: u64) -> Result<LeafHash> {
        let absent = || LedgerError::falsified(format!("record {index}"), "it is missing");
        if index + 1 < self.size.0 {
            let next = self.log.record(index + 1)?.ok_or_else(absent)?;
            return prev_of(&next).ok_or_else(absent);
        }
        Ok(record::hash(&self.log.record(index)?.ok_or_else(absent)?))
    }

    /// The root over leaves that may not be stored as a node: by halves down to stored nodes and leaves.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash> {
        if level == 0 {
            return self.leaf(index).map(|leaf| leaf.0);
        }
        if level.is_multiple_of(8)
            && let Some(stored) = self.derived.0.get_cf(cf(&self.derived.0, NODES), node_key(level, index))?
        {
            let damaged = |_| LedgerError::falsified(format!("node {level}/{index}"), "it is not 32 bytes");
            return Hash::from_slice(&stored).map_err(damaged);
        }
        Ok(node_hash(self.subtree(level - 1, 2 * index)?, self.subtree(level - 1, 2 * index + 1)?))
    }
}

impl NodeSource for StoredNodes<'_> {
    type Error = LedgerError;

    fn node(&self, level: u8, index: u64) -> Result<Hash> {
        self.subtree(level, index)
    }
}

/// The right edge at `size`, from stored nodes and records.
pub(crate) fn frontier_at(nodes: &StoredNodes<'_>, size: TreeSize) -> Result<Frontier> {
    let mut hashes = Vec::new();
    let mut start = 0;
    for level in (0..64u8).rev().filter(|level| size.0 >> level & 1 == 1) {
        hashes.push(nodes.node(level, start >> level)?);
        start += 1 << level;
    }
    Frontier::from_parts(size, hashes).map_err(|error| LedgerError::falsified("the right edge", error))
}

/// The `prev` of a record, read without decoding it: bytes 1a 20 and the hash follow format and index.
pub(crate) fn prev_of(record: &[u8]) -> Option<LeafHash> {
    let [0x08, _, rest @ ..] = record else { return None };
    let rest = match rest {
        [0x10, rest @ ..] => &rest[rest.iter().position(|byte| byte & 0x80 == 0)? + 1..],
        rest => rest,
    };
    let [0x1a, 0x20, rest @ ..] = rest else { return None };
    Hash::from_slice(rest.get(..32)?).ok().map(LeafHash)
}

fn base_options(create: bool, memory: &Memory) -> Options {
    let mut options = Options::default();
    memory.share(&mut options);
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    options.set_keep_log_file_num(2);
    options.set_max_background_jobs(2);
    options
}

fn family(memory: &Memory, write_buffer_bytes: usize, random_keys: bool) -> Options {
    let mut blocks = memory.blocks();
    blocks.set_format_version(6);
    blocks.set_block_size(16 << 10);
    if random_keys {
        blocks.set_bloom_filter(10.0, false);
        blocks.set_whole_key_filtering(true);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(write_buffer_bytes);
    options.set_max_write_buffer_number(3);
    options
}

fn open<const N: usize>(path: &Path, options: Options, families: [(&str, Options); N], access: Access) -> Result<DB> {
    check_logs(path)?;
    let families = families.map(|(name, options)| ColumnFamilyDescriptor::new(name, options));
    Ok(match access {
        Access::Owner => DB::open_cf_descriptors(&options, path, families)?,
        Access::ReadOnly => DB::open_cf_descriptors_read_only(&options, path, families, false)?,
    })
}
