//! A ledger as it is after a while, of a million events of twenty thousand accounts: what a question costs, what a
//! change's approval costs, what all takes on disk, and how soon it serves after a kill.

use std::path::Path;

use anyhow::Result;
use counterfoil_ledger::Location;
use counterfoil_scenario::okta_events_among;
use counterfoil_tests::program::LedgerFolder;

use crate::figure::Figure;
use crate::served::Served;
use crate::stopwatch::tell;
use crate::{disk, explained, import, questions, restart, subject};

const EVENTS_PER_ACCOUNT: usize = 50;
const SEED: u64 = 5;

/// The figures of a ledger of so many events.
pub fn measure(folder: &Path, events: usize) -> Result<Vec<Figure>> {
    let accounts = events / EVENTS_PER_ACCOUNT;
    tell(&format!("a ledger of {events} events of {accounts} accounts"));
    let ledger = LedgerFolder { folder: tempfile::tempdir_in(folder)? };
    let location = subject::create(&ledger.data())?;
    let raw_bytes = fill(&location, &folder.join("many.jsonl"), events, accounts)?;

    let mut figures = disk::measure(&location, raw_bytes)?;
    let stream = okta_events_among(SEED, accounts).take(events);
    let changes = explained::with_tickets(&location, &folder.join("tickets.jsonl"), stream)?;
    let served = Served::start(&location)?;
    let requests = served.clients.block_on(async { questions::questions(served.connect().await?, events).await })?;
    let name = format!("GetState over gRPC, {events} events of {} accounts, p50", requests.len());
    figures.push(questions::of_one_client(&served, &requests, 1.7, &name)?);
    let name = format!("ExplainChange over gRPC, {events} events, p50");
    figures.push(explained::measure(&served, &changes, &name)?);
    served.stop()?;
    figures.push(restart::measure(&ledger, events)?);
    Ok(figures)
}

/// Imports events until the views have them; gives how many bytes they are.
fn fill(location: &Location, file: &Path, events: usize, accounts: usize) -> Result<u64> {
    let raw_bytes = import::write_events(file, okta_events_among(SEED, accounts).take(events))?;
    let (acknowledged, caught_up, _) = import::import(location, file, events)?;
    tell(&format!("acknowledged {acknowledged:.2?}, views {caught_up:.2?}"));
    std::fs::remove_file(file)?;
    Ok(raw_bytes)
}
