//! The ledger that is measured: made, filled and reopened as the program does it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use counterfoil_ingest::connectors;
use counterfoil_ingest::import::{self, ImportOptions, Summary};
use counterfoil_ingest::snapshot::{SnapshotOptions, read, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock, init};
use counterfoil_proto::v1::Authentication;

/// As in the program: no more threads than the owner can keep up with.
const THREADS_MAX: usize = 8;

/// Makes an empty ledger in a folder that must not exist.
pub fn create(data: &Path) -> Result<Location> {
    let location = Location::new(data, None);
    let mut entropy = |bytes: &mut [u8]| getrandom::fill(bytes).expect("the operating system has randomness");
    init(&location, "example.com/bench", &SystemClock::new(), &mut entropy)?;
    Ok(location)
}

/// Opens a ledger as its owner, which never seals: what is compared has the same records.
pub fn open(location: &Location) -> Result<Ledger> {
    open_sealing(location, Sealing::Never)
}

/// The same for an owner that seals at other times.
pub fn open_sealing(location: &Location, sealing: Sealing) -> Result<Ledger> {
    let clock = Box::new(SystemClock::new());
    let options = Options { clock, accept_clock: false, holder: "bench".to_owned(), sealing };
    Ok(Ledger::open(location, options)?)
}

/// Imports a file of Okta events that are all new, and returns once each is acknowledged.
pub fn import_okta(ledger: &Ledger, file: &Path, events: usize) -> Result<Summary> {
    import(ledger, "okta", file, events)
}

/// Imports a file of a system's events that are all new, and returns once each is acknowledged.
pub fn import(ledger: &Ledger, system: &str, file: &Path, events: usize) -> Result<Summary> {
    let connector = connectors::by_name(system).with_context(|| format!("there is no connector for {system}"))?;
    let options = ImportOptions {
        instance: "default".to_owned(),
        ticket_instance: "default".to_owned(),
        backfill: true,
        assume_utc: false,
        authentication: Authentication::OperatorFile,
        received_at: SystemClock::wall(),
        seed_secret: seed_secret(),
        threads: threads(),
    };
    let summary = import::import(ledger, connector.as_ref(), &Input::new(file), &options, &mut |_| ())?;
    let expected = Summary { events: events as u64, facts: summary.facts, ..Summary::default() };
    ensure!(summary == expected, "expected every event to be new and mapped, got {summary:?}");
    Ok(summary)
}

/// Takes listings of Okta's that are all complete.
pub fn take_okta(ledger: &Ledger, inputs: &[Input]) -> Result<()> {
    let okta = connectors::by_name("okta").context("there is no connector for Okta")?;
    let options = SnapshotOptions {
        instance: "default".to_owned(),
        target: None,
        as_of: None,
        stated: false,
        authentication: Authentication::OperatorFile,
        received_at: SystemClock::wall(),
        seed_secret: seed_secret(),
    };
    let taken = take(ledger, okta.as_ref(), &read(inputs)?, &options)?;
    ensure!(taken.listings.iter().all(|listing| listing.is_complete), "expected complete listings");
    Ok(())
}

/// How many threads prepare events.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// Randomness that was never used before.
pub fn seed_secret() -> [u8; 32] {
    let mut seed_secret = [0; 32];
    getrandom::fill(&mut seed_secret).expect("the operating system has randomness");
    seed_secret
}
