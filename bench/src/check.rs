//! What fsck costs against reading and hashing the same bytes.

use anyhow::{Result, ensure};
use counterfoil_ledger::{Location, fsck};

use crate::figure::{Figure, Rounds};
use crate::stopwatch::{tell, timed};
use crate::{raw, subject};

const ROUNDS: usize = 5;

/// The figure of fsck on a ledger that nobody has open.
pub fn measure(location: &Location) -> Result<Figure> {
    // As after a restart: what the last run left in the write-ahead log is in tables.
    drop(subject::open(location)?);
    let log = location.data.join("log");
    let (mut rounds, mut bytes) = (Rounds::default(), 0);
    for round in 1..=ROUNDS {
        let (hashed, raw_bytes) = timed(|| raw::read_and_hash(&log))?;
        let (checked, report) = timed(|| Ok(fsck(location, "bench", &mut |_, _| ())?))?;
        ensure!(report.problem.is_none(), "expected a sound ledger, got {:?}", report.problem);
        ensure!(report.bytes == raw_bytes, "fsck read {} bytes, and there are {raw_bytes}", report.bytes);
        tell(&format!("round {round}: fsck {checked:.2?}, read and hashed {hashed:.2?}"));
        rounds.push(checked, hashed);
        bytes = raw_bytes;
    }
    Ok(rounds.at_least(0.4, "fsck", bytes as f64 / 1e6, "MB/s"))
}
