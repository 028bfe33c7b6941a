//! What a ledger takes on disk once its databases are compacted, against the events as they came.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use counterfoil_ledger::Location;
use rocksdb::{BottommostLevelCompaction, Cache, CompactOptions, DB, Env, Options};

use crate::figure::Figure;
use crate::stopwatch::{tell, timed};

const CACHE_BYTES: usize = 64 << 20;
/// What a block of `stat` is.
const BLOCK_BYTES: u64 = 512;

/// The figures of a ledger that nobody has open, of events of so many bytes.
pub fn measure(location: &Location, raw_bytes: u64) -> Result<Vec<Figure>> {
    let databases = ["log", "derived", "views"].map(|name| location.data.join(name));
    let (taken, ()) = timed(|| databases.iter().try_for_each(|database| compact(database)))?;
    let [log, derived, views] = databases.each_ref().map(|database| used(database));
    let (log, everything) = (log?, used(&location.data)?);
    tell(&format!(
        "compacted in {taken:.2?}: log {log:.0} MB, derived {:.0} MB, views {:.0} MB, {everything:.0} MB in all",
        derived?, views?
    ));
    let raw = raw_bytes as f64 / 1e6;
    Ok(vec![
        Figure::at_most(0.8, "log and payloads on disk, compacted, against raw JSON", (log, raw), "MB"),
        Figure::at_most(1.2, "everything on disk, compacted, against raw JSON", (everything, raw), "MB"),
    ])
}

/// Compacts a database with the options that it was written with.
fn compact(path: &Path) -> Result<()> {
    let (options, families) =
        Options::load_latest(path, Env::new()?, false, Cache::new_lru_cache(CACHE_BYTES)).context("its options")?;
    let names = DB::list_cf(&options, path)?;
    let database = DB::open_cf_descriptors(&options, path, families)?;
    let mut whole = CompactOptions::default();
    whole.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    for name in names {
        let family = database.cf_handle(&name).with_context(|| format!("the family {name} is missing"))?;
        database.flush_cf(family)?;
        database.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &whole);
    }
    Ok(())
}

/// The disk space of a folder, in MB.
pub fn used(folder: &Path) -> Result<f64> {
    let mut bytes = 0.0;
    for entry in folder.read_dir().with_context(|| format!("read {}", folder.display()))? {
        let (path, about) = {
            let entry = entry?;
            (entry.path(), entry.metadata()?)
        };
        bytes += match about.is_dir() {
            true => used(&path)? * 1e6,
            false => (about.blocks() * BLOCK_BYTES) as f64,
        };
    }
    Ok(bytes / 1e6)
}
