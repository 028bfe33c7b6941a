//! The RocksDB of the views: its column families, one consistent view to read from, one batch to write.
//!
//! Owns the options: no WAL, since everything here can be derived again, and atomic flushes, so that after a crash all
//! column families are as of one and the same cursor. It never knows what a row means.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use counterfoil_ledger::{Memory, WritePressure, check_logs, compress, compress_for_good};
use counterfoil_verify::tree::TreeSize;
use rocksdb::{
    AsColumnFamilyRef, BottommostLevelCompaction, ColumnFamilyDescriptor, CompactOptions, DB, DBRawIterator,
    FlushOptions, LogLevel, Options, ReadOptions, ReadTier, WriteBatch, WriteOptions,
};

use crate::error::{QueryError, Result};
use crate::views::allowance::Allowance;
use crate::views::keys::Position;
use crate::views::meta;
use crate::views::recent::{Changed, Recent, Writes};
use crate::views::replaced::Replaced;
use crate::views::taken::{OneTaken, Taken};

/// The column families. The file named behind each owns the layout of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    /// What these views are of, and how far they go (`views`).
    Meta,
    /// Every fact of every entity (`histories`).
    History,
    /// The facts that change an entity's state (`timelines`).
    Deltas,
    /// Where a replay may start, and for which known-at sizes (`timelines`).
    Snapshots,
    /// The states at those places (`timelines`).
    States,
    /// One summary per entity with deltas (`timelines`).
    Timelines,
    /// Which entities an identifier was ever bound to (`names`).
    Identifiers,
    /// The identifiers that were ever bound to an entity (`names`).
    Bound,
    /// Every entity ever named (`names`).
    Seen,
    /// Entities by what people call them (`names`).
    Names,
    /// What people call an entity (`names`).
    Values,
    /// What people called it before (`names`).
    Former,
    /// The facts that gave access or took it away, by time (`changes`).
    Changes,
    /// The records of an event that changed access (`changes`).
    EventIds,
    /// The tickets for a beneficiary (`changes`).
    Requests,
    /// The events that could not be read (`changes`).
    DeadLetters,
    /// Of these, the ones that were put through (`retries`).
    Retried,
    /// What each source delivered (`sources`).
    Sources,
    /// How many objects of each kind a system has (`sources`).
    Objects,
    /// The facts that say what an entity is (`traits`).
    Traits,
    /// The entitlements that ever implied another (`traits`).
    Implying,
    /// What listings ever saw of an entity (`listed`).
    Listed,
    /// The tickets that belong to a transaction or a request of a source (`correlations`).
    Correlations,
    /// Up to when each source was known, by the size of the log (`watermarks`).
    Watermarks,
    /// The entities that are no human's (`nhi`).
    Nhi,
    /// The records that were read again (`replaced`).
    Replaced,
}

impl Column {
    const ALL: [Self; 26] = [
        Self::Meta,
        Self::History,
        Self::Deltas,
        Self::Snapshots,
        Self::States,
        Self::Timelines,
        Self::Identifiers,
        Self::Bound,
        Self::Seen,
        Self::Names,
        Self::Values,
        Self::Former,
        Self::Changes,
        Self::EventIds,
        Self::Requests,
        Self::DeadLetters,
        Self::Retried,
        Self::Sources,
        Self::Objects,
        Self::Traits,
        Self::Implying,
        Self::Listed,
        Self::Correlations,
        Self::Watermarks,
        Self::Nhi,
        Self::Replaced,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Meta => "default",
            Self::History => "history",
            Self::Deltas => "deltas",
            Self::Snapshots => "snapshots",
            Self::States => "states",
            Self::Timelines => "timelines",
            Self::Identifiers => "identifiers",
            Self::Bound => "bound",
            Self::Seen => "seen",
            Self::Names => "names",
            Self::Values => "values",
            Self::Former => "former",
            Self::Changes => "changes",
            Self::EventIds => "event_ids",
            Self::Requests => "requests",
            Self::DeadLetters => "dead_letters",
            Self::Retried => "retried",
            Self::Sources => "sources",
            Self::Objects => "objects",
            Self::Traits => "traits",
            Self::Implying => "implying",
            Self::Listed => "listed",
            Self::Correlations => "correlations",
            Self::Watermarks => "watermarks",
            Self::Nhi => "nhi",
            Self::Replaced => "replaced",
        }
    }

    /// Whether most reads are of single keys, so that a Bloom filter saves most of the reads in vain.
    fn is_looked_up(self) -> bool {
        matches!(self, Self::Timelines | Self::Identifiers | Self::Seen | Self::Names | Self::Values | Self::States)
    }

    /// Whether its rows are read to replay a state, or to say what its parties are called.
    fn is_read_for_states(self) -> bool {
        matches!(self, Self::Deltas | Self::Snapshots | Self::States | Self::Timelines | Self::Values)
    }
}

const MEMTABLE_BYTES: usize = 32 << 20;
/// A list of files (MANIFEST) keeps nothing of files that are gone.
const SHORT_MANIFEST: &str = "max_manifest_file_size=1;max_manifest_space_amp_pct=0";
/// How long forgotten rows wait for views that were taken before: longer than an answer takes.
const PURGE_PATIENCE: Duration = Duration::from_secs(60);
/// What RocksDB writes of a row besides its key and value: what it is, its column family, and two lengths.
const ROW_HEAD_BYTES: usize = 8;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// A block of rows that are read one after the other. Where single keys are looked up it is RocksDB's own, a quarter of it.
const LISTED_BLOCK_BYTES: usize = 16 << 10;

/// The open database. One process has it; one projector writes to it.
pub(crate) struct Database {
    db: DB,
    path: PathBuf,
    keys_written: AtomicU64,
    recent: Recent,
    /// What was read again, by the newest rows or by those that are written next.
    replaced: RwLock<Arc<Replaced>>,
    taken: Taken,
}

impl Database {
    /// Opens the database at `path`, and makes an empty one where there is none. It takes its memory from the budget of the
    /// log that it is of.
    pub(crate) fn open(path: &Path, memory: &Memory) -> Result<Self> {
        check(path)?;
        let failed = |error| QueryError::storage(path, error);
        let columns = Column::ALL.map(|column| {
            let mut options = column_options(memory, column);
            options.set_write_buffer_size(MEMTABLE_BYTES);
            ColumnFamilyDescriptor::new(column.name(), options)
        });
        // Names are keys, and the list of files has keys: it is written anew with every change, and no log has any.
        let mut options = Options::default().get_options_from_string(SHORT_MANIFEST).map_err(failed)?;
        options.set_log_level(LogLevel::Warn);
        memory.share(&mut options);
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_atomic_flush(true);
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(2);
        let db = DB::open_cf_descriptors(&options, path, columns).map_err(failed)?;
        let database = Self {
            db,
            path: path.to_owned(),
            keys_written: AtomicU64::new(0),
            recent: Recent::new(),
            replaced: RwLock::default(),
            taken: Taken::default(),
        };
        let replaced = Replaced::load(&database.view())?;
        database.set_replaced(Arc::new(replaced));
        Ok(database)
    }

    /// Whether a database of another layout lies at `path`: one with other column families.
    pub(crate) fn is_foreign(path: &Path) -> Result<bool> {
        if !path.join("CURRENT").exists() {
            return Ok(false);
        }
        check(path)?;
        let found = DB::list_cf(&Options::default(), path).map_err(|error| QueryError::storage(path, error))?;
        Ok(found.iter().any(|name| Column::ALL.iter().all(|column| column.name() != name)))
    }

    /// Deletes the database at `path`.
    pub(crate) fn destroy(path: &Path) -> Result<()> {
        DB::destroy(&Options::default(), path).map_err(|error| QueryError::storage(path, error))
    }

    /// How many rows were written since it was opened.
    pub(crate) fn keys_written(&self) -> u64 {
        self.keys_written.load(Ordering::Relaxed)
    }

    /// How it holds back whoever writes to it.
    pub(crate) fn pressure(&self) -> WritePressure {
        WritePressure::of(&self.db, Column::ALL.map(Column::name))
    }

    /// Writes a batch, all or nothing, in the order of its keys; `changed` are the entities that it says something of.
    pub(crate) fn write(&self, mut batch: Batch, changed: &Changed) -> Result<()> {
        batch.sort();
        let Batch { bytes, rows } = &batch;
        let mut writes = WriteBatch::with_capacity_bytes(bytes.len() + ROW_HEAD_BYTES * rows.len());
        for rows in rows.chunk_by(|one, other| one.column == other.column) {
            let handle = self.handle(rows[0].column)?;
            for row in rows {
                match row.is_deleted {
                    false => writes.put_cf(&handle, &bytes[row.key..row.value], &bytes[row.value..row.end]),
                    true => writes.delete_cf(&handle, &bytes[row.key..row.value]),
                }
            }
        }
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        let write = || self.db.write_opt(writes, &options).map_err(|error| QueryError::storage(&self.path, error));
        self.recent.write(changed, write)?;
        self.keys_written.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Makes all that was written durable, as of one moment.
    pub(crate) fn flush(&self) -> Result<()> {
        self.flush_with(&FlushOptions::default())
    }

    /// The same, while more is written.
    pub(crate) fn begin_flush(&self) -> Result<()> {
        let mut options = FlushOptions::default();
        options.set_wait(false);
        self.flush_with(&options)
    }

    fn flush_with(&self, options: &FlushOptions) -> Result<()> {
        let handles = Column::ALL.iter().map(|&column| self.handle(column)).collect::<Result<Vec<_>>>()?;
        self.db
            .flush_cfs_opt(&handles.iter().collect::<Vec<_>>(), options)
            .map_err(|error| QueryError::storage(&self.path, error))
    }

    /// Rewrites the files that may hold rows that were forgotten, if any may. A row stays in them for as long as a view is
    /// there that was taken before; where one lasts, that is left for the next time.
    pub(crate) fn purge(&self) -> Result<()> {
        if !meta::owes_purge(&self.view())? {
            return Ok(());
        }
        if !self.taken.wait(PURGE_PATIENCE) {
            return Ok(());
        }
        self.flush()?;
        let columns = [Column::Values, Column::Former, Column::Names];
        let before = self.files(columns)?;
        let mut options = CompactOptions::default();
        options.set_exclusive_manual_compaction(false);
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for column in columns {
            self.db.compact_range_cf_opt(&self.handle(column)?, None::<&[u8]>, None::<&[u8]>, &options);
        }
        // RocksDB does not say whether it went well.
        if self.files(columns)?.intersection(&before).next().is_some() {
            return Ok(());
        }
        let mut batch = Batch::default();
        meta::purged(&mut batch);
        self.write(batch, &Changed::default())?;
        // The list of files has the first and the last key of each: this begins a new one.
        self.flush()
    }

    /// The files of some families.
    fn files<const N: usize>(&self, columns: [Column; N]) -> Result<BTreeSet<String>> {
        let files = self.db.live_files().map_err(|error| QueryError::storage(&self.path, error))?;
        let is_of = |name: &str| columns.iter().any(|column| column.name() == name);
        Ok(files.into_iter().filter(|file| is_of(&file.column_family_name)).map(|file| file.name).collect())
    }

    /// The database as it is now, whatever is written later.
    pub(crate) fn view(&self) -> View<'_> {
        self.view_with(Allowance::default())
    }

    /// The same, for one answer.
    pub(crate) fn view_with(&self, allowance: Allowance) -> View<'_> {
        let taken = self.taken.one();
        let since = self.recent.writes();
        let snapshot = self.db.snapshot();
        // After the snapshot: a newer table serves older rows.
        let replaced = self.replaced();
        View { database: self, allowance, idle: RefCell::default(), since, replaced, snapshot, _taken: taken }
    }

    /// What was read again.
    pub(crate) fn replaced(&self) -> Arc<Replaced> {
        self.replaced.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes known what is read again, before the rows that say so are written.
    pub(crate) fn set_replaced(&self, replaced: Arc<Replaced>) {
        *self.replaced.write().unwrap_or_else(PoisonError::into_inner) = replaced;
    }

    fn handle(&self, column: Column) -> Result<impl AsColumnFamilyRef + '_> {
        self.db.cf_handle(column.name()).ok_or_else(|| QueryError::Damaged {
            path: self.path.clone(),
            problem: format!("the column family {} is missing", column.name()),
        })
    }
}

/// Refuses files that RocksDB would read for ever.
fn check(path: &Path) -> Result<()> {
    check_logs(path).map_err(|error| QueryError::Damaged { path: path.to_owned(), problem: error.to_string() })
}

fn column_options(memory: &Memory, column: Column) -> Options {
    let mut blocks = memory.blocks();
    if column.is_looked_up() {
        blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    } else {
        blocks.set_block_size(LISTED_BLOCK_BYTES);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    match column.is_read_for_states() {
        true => compress(&mut options),
        false => compress_for_good(&mut options),
    }
    options
}

/// Rows to be written together. Of two with one key the later counts.
#[derive(Default)]
pub(crate) struct Batch {
    /// The keys and values of all rows, one behind the other.
    bytes: Vec<u8>,
    rows: Vec<BatchRow>,
}

/// Where a row is among the bytes.
struct BatchRow {
    column: Column,
    key: usize,
    value: usize,
    end: usize,
    is_deleted: bool,
}

impl Batch {
    /// Adds a row; its key is these parts.
    pub(crate) fn put(&mut self, column: Column, key: &[&[u8]], value: &[u8]) {
        let start = self.bytes.len();
        key.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let at = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.rows.push(BatchRow { column, key: start, value: at, end: self.bytes.len(), is_deleted: false });
    }

    /// Deletes the row of a key.
    pub(crate) fn delete(&mut self, column: Column, key: &[u8]) {
        self.put(column, &[key], &[]);
        if let Some(row) = self.rows.last_mut() {
            row.is_deleted = true;
        }
    }

    /// Puts the rows into the order of their keys. Rows that are in order already cost little.
    pub(crate) fn sort(&mut self) {
        let Self { bytes, rows } = self;
        let place = |row: &BatchRow| (row.column, &bytes[row.key..row.value]);
        rows.sort_by(|one, other| place(one).cmp(&place(other)));
    }
}

/// A row: key and value.
pub(crate) type Row = (Box<[u8]>, Box<[u8]>);

/// The database at one moment.
pub(crate) struct View<'a> {
    database: &'a Database,
    allowance: Allowance,
    /// Iterators that nobody reads from any more. To make one costs several times what a seek does, and most questions
    /// read a few rows in many places.
    idle: RefCell<Vec<(Column, DBRawIterator<'a>)>>,
    /// What was written before it was taken.
    since: Writes,
    replaced: Arc<Replaced>,
    snapshot: rocksdb::Snapshot<'a>,
    // Last, so that the snapshot is gone before it.
    _taken: OneTaken<'a>,
}

impl<'a> View<'a> {
    /// The value of a key.
    pub(crate) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.take(1)?;
        let handle = self.database.handle(column)?;
        self.snapshot.get_cf_opt(&handle, key, self.options()).map_err(|error| self.failed(error))
    }

    /// The values of many keys, in their order.
    pub(crate) fn get_many(&self, column: Column, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.take(keys.len())?;
        let handle = self.database.handle(column)?;
        self.database
            .db
            .batched_multi_get_cf_opt(&handle, keys, false, &self.options())
            .into_iter()
            .map(|value| value.map(|found| found.map(|bytes| bytes.to_vec())).map_err(|error| self.failed(error)))
            .collect()
    }

    /// The rows from `from` on whose keys start with `prefix`, upwards.
    pub(crate) fn forward(&self, column: Column, from: &[u8], prefix: &[u8]) -> Result<Rows<'_, 'a>> {
        let mut iterator = self.iterator(column)?;
        iterator.seek(from);
        Ok(Rows::of(self, column, iterator, DBRawIterator::next, prefix))
    }

    /// The rows from `from` on whose keys start with `prefix`, downwards.
    pub(crate) fn backward(&self, column: Column, from: &[u8], prefix: &[u8]) -> Result<Rows<'_, 'a>> {
        let mut iterator = self.iterator(column)?;
        iterator.seek_for_prev(from);
        Ok(Rows::of(self, column, iterator, DBRawIterator::prev, prefix))
    }

    /// Counts reads for the answer, and ends it where it may read no more.
    pub(crate) fn take(&self, reads: usize) -> Result<()> {
        self.allowance.take(reads)
    }

    /// What follows may read from the disk, or take its time.
    pub(crate) fn slow(&self) -> Result<()> {
        self.allowance.take(usize::MAX)
    }

    /// Whether a quick answer would have needed more than it may read.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.allowance.is_used_up()
    }

    /// What was read lately.
    pub(crate) fn recent(&self) -> &'a Recent {
        &self.database.recent
    }

    /// Which records were read again.
    pub(crate) fn replaced(&self) -> &Arc<Replaced> {
        &self.replaced
    }

    /// Whether the fact at a place counts by the first `known` records.
    pub(crate) fn counts(&self, position: &Position, known: TreeSize) -> bool {
        self.replaced.counts(position.2, known)
    }

    /// From how many records on it stays as it is now whether the fact at a place counts.
    pub(crate) fn settled_from(&self, position: &Position) -> u64 {
        self.replaced.settled_from(position.2)
    }

    /// What was written before this view was taken, for whatever is to be kept in [`View::recent`].
    pub(crate) fn since(&self) -> Writes {
        self.since
    }

    /// What a row that cannot be read comes to.
    pub(crate) fn damaged(&self, problem: impl Into<String>) -> QueryError {
        QueryError::Damaged { path: self.database.path.clone(), problem: problem.into() }
    }

    fn iterator(&self, column: Column) -> Result<DBRawIterator<'a>> {
        self.take(1)?;
        let mut idle = self.idle.borrow_mut();
        if let Some(place) = idle.iter().position(|(of, _)| *of == column) {
            return Ok(idle.swap_remove(place).1);
        }
        let handle = self.database.handle(column)?;
        Ok(self.database.db.raw_iterator_cf_opt(&handle, self.options()))
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        if self.allowance.is_quick() {
            options.set_read_tier(ReadTier::BlockCache);
        }
        options
    }

    fn failed(&self, error: rocksdb::Error) -> QueryError {
        // So ends a read that would have needed the disk and may not.
        if error.kind() == rocksdb::ErrorKind::Incomplete
            && let Err(not_quick) = self.slow()
        {
            return not_quick;
        }
        QueryError::storage(&self.database.path, error)
    }
}

/// Rows under one prefix.
pub(crate) struct Rows<'v, 'a> {
    view: &'v View<'a>,
    column: Column,
    /// Nothing once it was given back.
    iterator: Option<DBRawIterator<'a>>,
    /// Goes on to the next row.
    go_on: fn(&mut DBRawIterator<'a>),
    /// The iterator is at a row that was given already.
    is_given: bool,
    prefix: Vec<u8>,
}

impl<'v, 'a> Rows<'v, 'a> {
    fn of(
        view: &'v View<'a>,
        column: Column,
        iterator: DBRawIterator<'a>,
        go_on: fn(&mut DBRawIterator<'a>),
        prefix: &[u8],
    ) -> Self {
        Self { view, column, iterator: Some(iterator), go_on, is_given: false, prefix: prefix.to_vec() }
    }
}

impl Iterator for Rows<'_, '_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        let iterator = self.iterator.as_mut()?;
        if std::mem::replace(&mut self.is_given, true) && iterator.valid() {
            (self.go_on)(iterator);
        }
        match iterator.item().filter(|(key, _)| key.starts_with(&self.prefix)) {
            Some((key, value)) => Some(self.view.take(1).map(|()| (Box::from(key), Box::from(value)))),
            None => iterator.status().err().map(|error| Err(self.view.failed(error))),
        }
    }
}

impl Drop for Rows<'_, '_> {
    fn drop(&mut self) {
        let iterator = self.iterator.take();
        self.view.idle.borrow_mut().extend(iterator.map(|iterator| (self.column, iterator)));
    }
}
