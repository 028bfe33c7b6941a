//! Write pressure: what RocksDB does to its writers is what is said of it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use counterfoil_ledger::WritePressure;
use rocksdb::{DB, DBCompactionStyle, Options, UniversalCompactOptions};

/// The files that lie in level 0.
const FILES: i32 = 4;
/// What writers are slowed down to, in bytes a second: what background work may write.
const RATE: u64 = 3 << 20;

/// A database's pressure where it slows writers down at so many files, and stops them at so many. So many files as a
/// compaction takes there never are, so they stay where they are.
fn pressure(folder: &std::path::Path, slow_at: i32, stop_at: i32) -> WritePressure {
    let mut options = Options::default();
    options.create_if_missing(true);
    let mut compaction = UniversalCompactOptions::default();
    compaction.set_min_merge_width(1_000);
    compaction.set_max_size_amplification_percent(i32::MAX);
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_universal_compaction_options(&compaction);
    options.set_level_zero_file_num_compaction_trigger(1);
    options.set_level_zero_slowdown_writes_trigger(slow_at);
    options.set_level_zero_stop_writes_trigger(stop_at);
    options.set_ratelimiter(RATE.cast_signed(), 100_000, 10);
    let database = DB::open_cf_with_opts(&options, folder, [("default", options.clone())]).unwrap();
    if slow_at > FILES {
        database.put(b"key", b"value").unwrap();
        database.flush().unwrap();
    }
    WritePressure::of(&database, ["default"])
}

#[test]
fn a_database_says_when_it_slows_writers_down_and_when_it_stops_them() {
    let folder = tempfile::tempdir().unwrap();
    let free =
        WritePressure { is_stopped: Some(false), delayed_bytes_per_second: Some(0), delays: Some(0), stops: Some(0) };
    for _ in 0..FILES {
        assert_eq!(pressure(folder.path(), 100, 200), free);
    }
    let slow = pressure(folder.path(), FILES, FILES + 1);
    assert_eq!((slow.is_stopped, slow.delayed_bytes_per_second), (Some(false), Some(RATE)));
    assert_eq!((slow.delays > Some(0), slow.stops), (true, Some(0)), "{slow:?}");
    let stopped = pressure(folder.path(), 1, FILES);
    assert_eq!(stopped.is_stopped, Some(true));
    assert_eq!((stopped.delays, stopped.stops > Some(0)), (Some(0), true), "{stopped:?}");
}
