//! How fast events become durable, signed and anchored, and until they can be asked for.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use counterfoil_ledger::Location;
use counterfoil_query::Views;
use counterfoil_scenario::okta_events;

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{tell, timed};
use crate::{raw, subject};

const ROUNDS: usize = 5;
const SEED: u64 = 1;

/// The figures of an import, and the last ledger that it filled.
pub fn measure(folder: &Path, events: usize) -> Result<(Vec<Figure>, Location)> {
    let file = events_file(folder);
    let size = write_events(&file, self::events(events))?;
    tell(&format!("{events} Okta events of {} bytes each, {ROUNDS} rounds", size / events as u64));

    let (mut recording, mut asking) = (Rounds::default(), Rounds::default());
    for round in 1.. {
        // With all that lies beside a ledger: the anchor and its lease, the policy.
        let whole = folder.join(format!("import{round}"));
        std::fs::create_dir(&whole)?;
        let location = subject::create(&whole.join("ledger"))?;
        let (acknowledged, caught_up, keys_of_views) = import(&location, &file, events)?;
        let rows = raw::read_rows(&location.data.join("log"))?;
        ensure!(rows.len() > events, "expected a record for each of {events} events, got {}", rows.len());
        let baseline = folder.join("raw");
        let database = raw::create(&baseline)?;
        let (written, ()) = timed(|| raw::write_rows(&database, &rows))?;
        drop(database);
        std::fs::remove_dir_all(&baseline)?;
        recording.push(acknowledged, written);
        asking.push(caught_up, written);
        tell(&format!("round {round}: acknowledged {acknowledged:.2?}, views {caught_up:.2?}, raw {written:.2?}"));
        let keys = [
            raw::keys_written(&location.data.join("log"))?,
            raw::keys_written(&location.data.join("derived"))?,
            keys_of_views,
        ];
        if round == ROUNDS {
            let figures = figures(events, recording, asking, keys);
            return Ok((figures, location));
        }
        std::fs::remove_dir_all(&whole)?;
    }
    unreachable!("the last round returns")
}

/// The file of the events that are imported.
pub fn events_file(folder: &Path) -> PathBuf {
    folder.join("system-log.jsonl")
}

/// Imports the file into an empty ledger: until everything is acknowledged, until the views have it all, and how many
/// rows these wrote.
pub fn import(location: &Location, file: &Path, events: usize) -> Result<(Duration, Duration, u64)> {
    let ledger = subject::open(location)?;
    let views = Views::open(&location.views(), ledger.reader())?;
    let (acknowledged, _) = timed(|| subject::import_okta(&ledger, file, events))?;
    let (projected, _) = timed(|| Ok(views.catch_up(&mut |_, _| ())?))?;
    Ok((acknowledged, acknowledged + projected, views.keys_written()))
}

fn figures(events: usize, recording: Rounds, asking: Rounds, [log, derived, views]: [u64; 3]) -> Vec<Figure> {
    let per_event = |keys: u64| keys as f64 / events as f64;
    let (work, unit, keys) = (events as f64, "events/s", "keys/event");
    vec![
        recording.at_least(0.28, "durable import, acknowledged", work, unit),
        asking.at_least(0.18, "durable import, views caught up", work, unit),
        Figure::plain("keys written to the log, synced", per_event(log), keys),
        Figure::plain("keys written to derived data", per_event(derived), keys),
        Figure::plain("keys written to the views", per_event(views), keys),
    ]
}

/// The events that are imported.
pub fn events(count: usize) -> impl Iterator<Item = Vec<u8>> {
    okta_events(SEED).take(count)
}

/// Writes events to a file, a line each; gives its size.
pub fn write_events(path: &Path, events: impl Iterator<Item = Vec<u8>>) -> Result<u64> {
    write(&mut File::create(path)?, events)?;
    Ok(path.metadata()?.len())
}

/// Writes events, a line each.
pub fn write(to: &mut impl Write, events: impl Iterator<Item = Vec<u8>>) -> Result<()> {
    let mut buffer = BufWriter::new(to);
    for event in events {
        buffer.write_all(&event)?;
        buffer.write_all(b"\n")?;
    }
    Ok(buffer.flush()?)
}
