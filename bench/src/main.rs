//! What Counterfoil costs, against raw RocksDB and others doing the least that could be called the same work, in the same
//! run.
//!
//! `counterfoil-bench [EVENTS] [PART…]` prints a table on stdout and writes the same to `target/bench.json`. It exits with 1
//! if a bar is missed. Ours and the baseline take turns, and medians are compared, since machines are noisy. Parts are for
//! whoever works on one of them ([`PARTS`]).
//! `counterfoil-bench large [EVENTS]` measures the services with many events, `counterfoil-bench peers [EVENTS]` against
//! PostgreSQL, `counterfoil-bench map [ENTITIES]` the entity map; they write `target/bench-large.json`,
//! `target/bench-peers.json` and `target/bench-map.json`. `counterfoil-bench events [EVENTS]` writes what is imported to
//! stdout, for whoever measures otherwise. `COUNTERFOIL_BIN` is the program that is run where a process of its own is
//! measured.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use counterfoil_ledger::Location;

mod access;
mod appends;
mod check;
mod cosigned;
mod disk;
mod evidence;
mod explained;
mod feeder;
mod figure;
mod follow;
mod import;
mod kafka;
mod large;
mod live;
mod machine;
mod map;
mod million;
mod peers;
mod process;
mod questions;
mod raw;
mod replay;
mod restart;
mod sealed;
mod served;
mod state;
mod stopwatch;
mod subject;
mod tenant;

use figure::Figure;
use served::Served;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Native Okta events that are imported; about 530 bytes each.
const EVENTS: usize = 200_000;
/// Live grants are fewer: 100,000, where as many events are imported as usual.
const EVENTS_PER_GRANT: usize = 2;
/// Events of the long history: 100,000.
const EVENTS_PER_STEP: usize = 2;
/// The ledger that is asked, weighed and killed has more: a million.
const TIMES_MORE: usize = 5;
/// What can be measured by itself, beside the import, on which most of it rests.
const PARTS: [&str; 12] = [
    "seals", "evidence", "fsck", "replay", "cosigned", "kafka", "state", "follow", "served", "live", "access",
    "million",
];
/// What the services' memory is measured at.
const LARGE_EVENTS: usize = 10_000_000;
/// What the entity map is measured at.
const ENTITIES: usize = 1_000_000;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1).peekable();
    let what = arguments.next_if(|argument| argument.parse::<usize>().is_err());
    let count = arguments.next().map(|count| count.parse().with_context(|| format!("expected a count, got {count:?}")));
    let count = count.transpose()?;
    let parts: Vec<String> = arguments.collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        bail!("expected one of the parts {}, got {unknown:?}", PARTS.join(", "));
    }
    if what.as_deref() == Some("events") {
        import::write(&mut std::io::stdout().lock(), import::events(count.unwrap_or(EVENTS)))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Beside the figures, and not where temporary files are: that may be memory, where a synced write costs nothing.
    std::fs::create_dir_all("target")?;
    let folder = tempfile::tempdir_in("target")?;
    let (figures, file) = match what.as_deref() {
        None => (all(folder.path(), count.unwrap_or(EVENTS), &parts)?, "target/bench.json"),
        Some("large") => (large::measure(folder.path(), count.unwrap_or(LARGE_EVENTS))?, "target/bench-large.json"),
        Some("peers") => (peers::measure(count.unwrap_or(EVENTS))?, "target/bench-peers.json"),
        Some("map") => (map::measure(count.unwrap_or(ENTITIES))?, "target/bench-map.json"),
        Some(other) => bail!("expected large, peers, map, events or how many events to import, got {other:?}"),
    };
    figure::report(&figures, Path::new(file))
}

/// The figures of some parts, or of all where none is named.
fn all(folder: &Path, events: usize, parts: &[String]) -> Result<Vec<Figure>> {
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    machine::describe(folder)?;
    let (mut figures, imported) = import::measure(folder, events)?;
    if wants("seals") {
        figures.push(sealed::measure(folder, &import::events_file(folder), events)?);
    }
    if wants("evidence") {
        figures.extend(evidence::measure(folder, &import::events_file(folder), events)?);
    }
    if wants("fsck") {
        figures.push(check::measure(&imported)?);
    }
    if wants("replay") {
        figures.extend(replay::measure(folder, &import::events_file(folder), events)?);
    }
    if wants("cosigned") {
        figures.extend(cosigned::measure()?);
    }
    if wants("kafka") {
        figures.extend(kafka::measure(folder, &import::events_file(folder), events)?);
    }
    if wants("state") {
        figures.extend(state::measure(folder, events / EVENTS_PER_STEP)?);
    }
    // Before anything is appended to what was imported: both are of the same events.
    if wants("follow") {
        figures.extend(follow::measure(folder, &imported, events)?);
    }
    if wants("served") {
        figures.extend(served(folder, &imported, events)?);
    }
    if wants("live") {
        figures.extend(live::measure(folder, events / EVENTS_PER_GRANT)?);
    }
    if wants("access") {
        figures.extend(access::measure(folder)?);
    }
    if wants("million") {
        figures.extend(million::measure(folder, events * TIMES_MORE)?);
    }
    Ok(figures)
}

/// What clients of the services see.
fn served(folder: &Path, imported: &Location, events: usize) -> Result<Vec<Figure>> {
    let served = Served::start(imported)?;
    let requests = served.clients.block_on(async { questions::questions(served.connect().await?, events).await })?;
    let mut figures = vec![
        questions::of_one_client(&served, &requests, 1.6, "GetState over gRPC, one client, p50")?,
        questions::of_many_clients(&served, requests)?,
    ];
    figures.extend(appends::measure(&served, folder)?);
    served.stop()?;
    Ok(figures)
}
