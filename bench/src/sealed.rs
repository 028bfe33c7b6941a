//! What seals cost an import: the same events into an empty ledger whose owner seals as a service does, and into one that
//! never seals, until the views have it all and each is closed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use counterfoil_ledger::Sealing;
use counterfoil_query::Views;

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{tell, timed};
use crate::subject;

const ROUNDS: usize = 5;

/// The figure of an import with seals, of a file of so many events.
pub fn measure(folder: &Path, file: &Path, events: usize) -> Result<Figure> {
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let sealed = import(folder, file, events, Sealing::AsTimePasses)?;
        let unsealed = import(folder, file, events, Sealing::Never)?;
        tell(&format!("round {round}: with seals {sealed:.2?}, without {unsealed:.2?}"));
        rounds.push(sealed, unsealed);
    }
    Ok(rounds.at_least(0.8, "durable import, views caught up, with seals, against none", events as f64, "events/s"))
}

/// Imports the file into an empty ledger, and closes it.
fn import(folder: &Path, file: &Path, events: usize, sealing: Sealing) -> Result<Duration> {
    let whole = folder.join("sealed");
    std::fs::create_dir(&whole)?;
    let location = subject::create(&whole.join("ledger"))?;
    let ledger = subject::open_sealing(&location, sealing)?;
    let reader = ledger.reader();
    let views = Views::open(&location.views(), ledger.reader())?;
    let (taken, ()) = timed(|| {
        subject::import_okta(&ledger, file, events)?;
        views.catch_up(&mut |_, _| ())?;
        drop(ledger);
        Ok(())
    })?;
    let (size, sealed) = (reader.head().size.0, reader.sealed().0);
    let expected = if sealing == Sealing::Never { 0 } else { size - 1 };
    ensure!(sealed == expected, "expected seals to cover {expected} of {size} records, got {sealed}");
    drop((views, reader));
    std::fs::remove_dir_all(&whole)?;
    Ok(taken)
}
