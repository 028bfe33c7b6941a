//! What Counterfoil costs, against raw RocksDB doing the least that could be called the same work, in the same run.
//!
//! `counterfoil-bench [EVENTS]` prints a table on stdout and writes the same to `target/bench.json`. It exits with 1 if a
//! bar is missed. Ours and the baseline take turns, and medians are compared, since machines are noisy.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

mod check;
mod figure;
mod follow;
mod import;
mod kafka;
mod live;
mod raw;
mod served;
mod state;
mod stopwatch;
mod subject;
mod tenant;

use figure::Figure;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Native Okta events that are imported; about 530 bytes each.
const EVENTS: usize = 200_000;
/// Live grants are fewer: 100,000, where as many events are imported as usual.
const EVENTS_PER_GRANT: usize = 2;

fn main() -> Result<ExitCode> {
    let events = match std::env::args().nth(1) {
        Some(count) => count.parse().with_context(|| format!("expected how many events to import, got {count:?}"))?,
        None => EVENTS,
    };
    // Beside the figures, and not where temporary files are: that may be memory, where a synced write costs nothing.
    std::fs::create_dir_all("target")?;
    let folder = tempfile::tempdir_in("target")?;

    let (mut figures, imported) = import::measure(folder.path(), events)?;
    figures.push(check::measure(&imported)?);
    figures.extend(kafka::measure(folder.path(), &import::events_file(folder.path()), events)?);
    figures.extend(state::measure(folder.path())?);
    figures.extend(served::measure(&imported)?);
    figures.extend(follow::measure(folder.path(), &imported, events)?);
    figures.extend(live::measure(folder.path(), events / EVENTS_PER_GRANT)?);
    figure::print(&figures);
    let path = Path::new("target/bench.json");
    let json = serde_json::to_string_pretty(&figures)? + "\n";
    std::fs::write(path, json).with_context(|| format!("write {}", path.display()))?;
    Ok(if figures.iter().all(Figure::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
