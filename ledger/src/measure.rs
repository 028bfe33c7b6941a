//! What a commit takes and holds, for whoever watches.
//!
//! Owns the names of these metrics. In a process that measures nothing, reading the clock is all that they cost. The times
//! go nowhere else: what is recorded has those of the injected clock.

use std::time::Duration;

use tokio::time::Instant;

/// Times one commit, step by step.
pub(crate) struct Stopwatch {
    began: Instant,
    step: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, step: now }
    }

    /// How long it took since the last step.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.step, now)
    }

    /// The batch is numbered, and is written next.
    pub(crate) fn numbered(&mut self) {
        self.lap();
    }

    /// The log holds the batch durably.
    pub(crate) fn synced(&mut self) {
        metrics::histogram!("counterfoil_commit_sync_seconds").record(self.lap());
    }

    /// The anchor has moved.
    pub(crate) fn anchored(&mut self) {
        metrics::histogram!("counterfoil_commit_anchor_seconds").record(self.lap());
    }

    /// The commit is done: so many records, and so many bytes that were written for it.
    pub(crate) fn done(self, records: usize, bytes: usize) {
        metrics::histogram!("counterfoil_commit_seconds").record(self.began.elapsed());
        metrics::histogram!("counterfoil_commit_records").record(records as f64);
        metrics::histogram!("counterfoil_commit_bytes").record(bytes as f64);
    }
}
