//! The machine that measures: what figures are read with.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::stopwatch::{median, tell, timed_briefly};

/// How often the disk is asked to sync.
const SYNCS: usize = 500;
/// An event's bytes.
const BYTES: usize = 600;

/// Tells how many cores and how much memory there are, and how long the disk of a folder takes to sync a few bytes more.
pub fn describe(folder: &Path) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").context("read how much memory there is")?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    let gibibytes = total.and_then(|total| total.parse::<f64>().ok()).unwrap_or(f64::NAN) / f64::from(1 << 20);
    let mut file = File::create(folder.join("syncs"))?;
    let sync = |_| {
        timed_briefly(|| {
            file.write_all(&[7; BYTES])?;
            Ok(file.sync_data()?)
        })
    };
    let syncs = (0..SYNCS).map(sync).collect::<Result<Vec<_>>>()?;
    tell(&format!("{cores} cores, {gibibytes:.1} GiB, a sync of {BYTES} bytes more p50 {:.0?}", median(syncs)));
    Ok(())
}
