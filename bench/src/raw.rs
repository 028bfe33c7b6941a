//! The baseline: RocksDB with the ledger's options, and nothing else.

use std::path::Path;

use anyhow::{Context, Result};
use counterfoil_ledger::compress_for_good;
use counterfoil_verify::hash::leaf_hash;
use rocksdb::{
    BlockBasedOptions, ColumnFamily, ColumnFamilyDescriptor, DB, IteratorMode, Options, ReadOptions, WriteBatch,
    WriteOptions,
};

/// Events in a synced batch.
const BATCH_EVENTS: usize = 1_000;

/// A record's bytes, and what lies beside it.
pub type Row = (Box<[u8]>, Option<Box<[u8]>>);

/// All rows of a ledger's log, as they are stored.
pub fn read_rows(log: &Path) -> Result<Vec<Row>> {
    let db = open(log, true)?;
    let (records, beside) = families(&db)?;
    let mut rows = Vec::new();
    for entry in db.iterator_cf(records, IteratorMode::Start) {
        let (key, record) = entry?;
        rows.push((record, db.get_cf(beside, key)?.map(Vec::into_boxed_slice)));
    }
    Ok(rows)
}

/// Makes an empty database.
pub fn create(path: &Path) -> Result<DB> {
    open(path, false)
}

/// Writes rows to an empty database in synced batches: what durability alone costs.
pub fn write_rows(db: &DB, rows: &[Row]) -> Result<()> {
    let (records, beside) = families(db)?;
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let mut index = 0_u64;
    for chunk in rows.chunks(BATCH_EVENTS) {
        let mut batch = WriteBatch::default();
        for (record, what_lies_beside) in chunk {
            batch.put_cf(records, index.to_be_bytes(), record);
            if let Some(bytes) = what_lies_beside {
                batch.put_cf(beside, index.to_be_bytes(), bytes);
            }
            index += 1;
        }
        db.write_opt(batch, &synced)?;
    }
    Ok(())
}

/// Puts values of so many bytes from several threads, each put synced by itself: what one event at a time costs.
pub fn synced_puts(db: &DB, threads: usize, puts: usize, bytes: usize) -> Result<()> {
    let (records, _) = families(db)?;
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let (synced, value) = (&synced, &vec![7; bytes]);
    std::thread::scope(|scope| {
        let put = |thread: usize| {
            move || -> Result<()> {
                for number in 0..puts {
                    let key = ((thread * puts + number) as u64).to_be_bytes();
                    db.put_cf_opt(records, key, value, synced)?;
                }
                Ok(())
            }
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(put(thread))).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Reads every record and what lies beside it, and hashes each; gives the bytes read.
pub fn read_and_hash(log: &Path) -> Result<u64> {
    let db = open(log, true)?;
    let (records, beside) = families(&db)?;
    let mut bytes = 0;
    for family in [records, beside] {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(4 << 20);
        for entry in db.iterator_cf_opt(family, options, IteratorMode::Start) {
            let (_, value) = entry?;
            std::hint::black_box(leaf_hash(&value));
            bytes += value.len() as u64;
        }
    }
    Ok(bytes)
}

/// How many keys were ever written to a database.
pub fn keys_written(path: &Path) -> Result<u64> {
    let options = Options::default();
    let families = DB::list_cf(&options, path)?;
    Ok(DB::open_cf_for_read_only(&options, path, families, false)?.latest_sequence_number())
}

/// Opens a database of two families with the options of the ledger's log.
fn open(path: &Path, read_only: bool) -> Result<DB> {
    let mut options = Options::default();
    options.create_if_missing(!read_only);
    options.create_missing_column_families(!read_only);
    options.set_keep_log_file_num(2);
    options.set_max_background_jobs(2);
    options.set_max_total_wal_size(512 << 20);
    let families = ["default", "records", "beside"].map(|name| ColumnFamilyDescriptor::new(name, family()));
    let db = match read_only {
        true => DB::open_cf_descriptors_read_only(&options, path, families, false),
        false => DB::open_cf_descriptors(&options, path, families),
    };
    db.with_context(|| format!("open {}", path.display()))
}

fn family() -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_format_version(6);
    blocks.set_block_size(16 << 10);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    compress_for_good(&mut options);
    options.set_write_buffer_size(64 << 20);
    options.set_max_write_buffer_number(3);
    options
}

fn families(db: &DB) -> Result<(&ColumnFamily, &ColumnFamily)> {
    let family = |name: &str| db.cf_handle(name).with_context(|| format!("the family {name} is missing"));
    Ok((family("records")?, family("beside")?))
}
