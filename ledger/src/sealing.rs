//! When the owner seals.
//!
//! Owns the schedule: when nothing came for a moment, at the latest a second after the first record that no seal covers, or
//! as soon as so many links wait that they take memory; the fewer seals there are, the more of what they cost is shared. It
//! never looks at a record.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::error::{LedgerError, Result};
use crate::owner::Pending;

/// How long nothing comes before the owner seals.
const IDLE: Duration = Duration::from_millis(100);
/// How long a record waits for a seal that covers it, while others come.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How many links wait for a seal: far fewer than one commit has room for, and than are let into the map without a seal.
const LINKS_MAX: usize = 50_000;

/// When a ledger is sealed, besides whenever very much waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// When nothing comes for a moment, at the latest a second after a record, and at the end. For services.
    AsTimePasses,
    /// At the end, if anything was appended. For what runs for itself, and ends.
    AtTheEnd,
    /// Not at all. For tests that know the number of each record.
    Never,
}

/// What the owner does next.
pub(crate) enum Turn {
    /// It appends what was handed over, and whatever follows it.
    Append(Pending),
    /// It seals.
    Seal,
}

/// Where the owner stands in time.
pub(crate) struct Schedule {
    plan: Plan,
    timer: Runtime,
}

/// When it seals next.
struct Plan {
    sealing: Sealing,
    /// By when; none if there is nothing to seal, or no time for it.
    due: Option<Instant>,
    has_committed: bool,
}

impl Schedule {
    /// Of an owner that starts, with records that no seal covers or without.
    ///
    /// # Errors
    /// [`LedgerError::Closed`] if the operating system gives no timer.
    pub(crate) fn new(sealing: Sealing, is_sealed: bool) -> Result<Self> {
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let timer = timer.map_err(|error| LedgerError::Closed(error.to_string()))?;
        Ok(Self { plan: Plan::new(sealing, is_sealed, Instant::now()), timer })
    }

    /// Waits for what comes next; none once the ledger is closed.
    pub(crate) fn next(&self, queue: &mut mpsc::Receiver<Pending>) -> Option<Turn> {
        let Some(patience) = self.plan.patience(Instant::now()) else { return queue.blocking_recv().map(Turn::Append) };
        match self.timer.block_on(async { timeout(patience, queue.recv()).await }) {
            Ok(batch) => batch.map(Turn::Append),
            Err(_) => Some(Turn::Seal),
        }
    }

    /// Whether a seal is due although batches wait.
    pub(crate) fn is_due(&self) -> bool {
        self.plan.is_due(Instant::now())
    }

    /// Whether a commit ends with a seal, behind which so many links would wait without it.
    pub(crate) fn seals(&self, is_due: bool, waiting: usize) -> bool {
        self.plan.seals(is_due, waiting)
    }

    /// After a commit, or one that failed: whether there is anything to seal still.
    pub(crate) fn committed(&mut self, is_unsealed: bool) {
        self.plan.committed(is_unsealed, Instant::now());
    }

    /// Whether a ledger that is closed is sealed.
    pub(crate) fn seals_at_the_end(&self) -> bool {
        self.plan.seals_at_the_end()
    }
}

impl Plan {
    fn new(sealing: Sealing, is_sealed: bool, now: Instant) -> Self {
        let is_timed = sealing == Sealing::AsTimePasses && !is_sealed;
        Self { sealing, due: is_timed.then_some(now), has_committed: false }
    }

    /// How long to wait for a batch before it seals; none for ever.
    fn patience(&self, now: Instant) -> Option<Duration> {
        self.due.map(|due| IDLE.min(due.saturating_duration_since(now)))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    fn seals(&self, is_due: bool, waiting: usize) -> bool {
        self.sealing != Sealing::Never && (is_due || waiting >= LINKS_MAX)
    }

    fn committed(&mut self, is_unsealed: bool, now: Instant) {
        self.has_committed = true;
        let is_timed = self.sealing == Sealing::AsTimePasses && is_unsealed;
        // Of one that is overdue the seal has failed: not at once again.
        let due = self.due.filter(|due| *due > now).unwrap_or(now + WAIT_MAX);
        self.due = is_timed.then_some(due);
    }

    fn seals_at_the_end(&self) -> bool {
        self.sealing == Sealing::AsTimePasses || (self.sealing == Sealing::AtTheEnd && self.has_committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(90);

    #[test]
    fn it_seals_once_nothing_comes_for_a_moment() {
        let mut now = Instant::now();
        let mut plan = Plan::new(Sealing::AsTimePasses, true, now);
        assert_eq!(plan.patience(now), None, "there is nothing to seal");
        plan.committed(true, now);
        assert_eq!((plan.patience(now), plan.is_due(now)), (Some(IDLE), false));
        now += WAIT_MAX - STEP;
        assert_eq!(plan.patience(now), Some(STEP), "at the latest a second after the record");
        plan.committed(false, now);
        now += WAIT_MAX;
        assert_eq!((plan.patience(now), plan.is_due(now)), (None, false), "nothing is left to seal");
    }

    #[test]
    fn under_load_no_record_waits_longer_than_a_second() {
        let mut now = Instant::now();
        let mut plan = Plan::new(Sealing::AsTimePasses, true, now);
        for _ in 0..3 {
            let first = now;
            plan.committed(true, now);
            while !plan.is_due(now) {
                assert!(plan.patience(now) > Some(Duration::ZERO) && now - first < WAIT_MAX);
                now += STEP;
                if !plan.is_due(now) {
                    plan.committed(true, now);
                }
            }
            assert!(now - first >= WAIT_MAX && plan.seals(plan.is_due(now), 1));
            plan.committed(false, now);
        }
    }

    #[test]
    fn what_was_there_unsealed_is_sealed_at_once_and_a_seal_that_failed_later() {
        let now = Instant::now();
        let mut plan = Plan::new(Sealing::AsTimePasses, false, now);
        assert_eq!((plan.patience(now), plan.is_due(now)), (Some(Duration::ZERO), true));
        plan.committed(true, now);
        assert_eq!((plan.patience(now), plan.is_due(now)), (Some(IDLE), false), "not at once again");
    }

    #[test]
    fn others_seal_at_the_end_or_never() {
        for (sealing, seals) in [(Sealing::AtTheEnd, true), (Sealing::Never, false)] {
            let now = Instant::now();
            let mut plan = Plan::new(sealing, false, now);
            assert!(!plan.seals_at_the_end(), "nothing was appended");
            plan.committed(true, now);
            assert_eq!((plan.patience(now + WAIT_MAX), plan.is_due(now + WAIT_MAX)), (None, false));
            assert_eq!(plan.seals_at_the_end(), seals);
            // Very much would take memory.
            assert_eq!((plan.seals(false, LINKS_MAX), plan.seals(false, LINKS_MAX - 1)), (seals, false));
        }
    }
}
