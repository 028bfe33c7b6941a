//! How soon a server serves again that was killed while events came in.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, ensure};
use counterfoil_scenario::okta_events;
use counterfoil_tests::program::LedgerFolder;

use crate::feeder::Feeder;
use crate::figure::Figure;
use crate::process;
use crate::stopwatch::tell;

const ROUNDS: usize = 5;
/// How many events are acknowledged before a kill; each round some more, so that views and derived data are flushed at
/// another distance.
const FED: u64 = 20_000;
const FED_MORE: u64 = 7_000;
/// How often it is looked how many were.
const STEP: Duration = Duration::from_millis(1);
/// The seeds of the events that come in: not those that the ledger has.
const SEED: u64 = 300;

/// The slowest of several starts, each after a `kill -9`.
pub fn measure(ledger: &LedgerFolder, events: usize) -> Result<Figure> {
    let (_, mut server) = process::serve(ledger)?;
    let mut slowest = Duration::ZERO;
    for round in 1..=ROUNDS {
        let fed = FED + round as u64 * FED_MORE;
        let feeder = Feeder::start(&server.url(), okta_events(SEED + round as u64))?;
        let (_never, nothing) = mpsc::channel::<()>();
        while feeder.acknowledged() < fed {
            ensure!(!feeder.has_ended(), "expected the server to take events until it is killed: {:?}", feeder.end());
            let _ = nothing.recv_timeout(STEP);
        }
        server.kill();
        ensure!(feeder.end().is_err(), "expected the kill to break off what was on its way");
        let (taken, next) = process::serve(ledger)?;
        tell(&format!("round {round}: killed after {fed} events more, serves again after {taken:.2?}"));
        slowest = slowest.max(taken);
        server = next;
    }
    server.stop();
    let name = format!("start to serving after kill -9, {events} events, slowest of {ROUNDS}");
    Ok(Figure::within(2.0, &name, slowest.as_secs_f64(), "s"))
}
