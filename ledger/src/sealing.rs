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
    sealing: Sealing,
    timer: Runtime,
    /// By when it seals; none if there is nothing to seal, or no time for it.
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
        let due = (sealing == Sealing::AsTimePasses && !is_sealed).then(Instant::now);
        Ok(Self { sealing, timer, due, has_committed: false })
    }

    /// Waits for what comes next; none once the ledger is closed.
    pub(crate) fn next(&self, queue: &mut mpsc::Receiver<Pending>) -> Option<Turn> {
        let Some(due) = self.due else { return queue.blocking_recv().map(Turn::Append) };
        let patience = IDLE.min(due.saturating_duration_since(Instant::now()));
        match self.timer.block_on(async { timeout(patience, queue.recv()).await }) {
            Ok(batch) => batch.map(Turn::Append),
            Err(_) => Some(Turn::Seal),
        }
    }

    /// Whether a seal is due although batches wait.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Whether a commit ends with a seal, behind which so many links would wait without it.
    pub(crate) fn seals(&self, is_due: bool, waiting: usize) -> bool {
        self.sealing != Sealing::Never && (is_due || waiting >= LINKS_MAX)
    }

    /// After a commit, or one that failed: whether there is anything to seal still.
    pub(crate) fn committed(&mut self, is_unsealed: bool) {
        self.has_committed = true;
        let is_timed = self.sealing == Sealing::AsTimePasses && is_unsealed;
        // Of one that is overdue the seal has failed: not at once again.
        let due = self.due.filter(|due| *due > Instant::now()).unwrap_or_else(|| Instant::now() + WAIT_MAX);
        self.due = is_timed.then_some(due);
    }

    /// Whether a ledger that is closed is sealed.
    pub(crate) fn seals_at_the_end(&self) -> bool {
        self.sealing == Sealing::AsTimePasses || (self.sealing == Sealing::AtTheEnd && self.has_committed)
    }
}
