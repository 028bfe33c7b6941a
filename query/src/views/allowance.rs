//! How far a view may go on reading for one answer.
//!
//! Owns when to stop: once nobody waits for the answer any more, and where it has to be a quick one, after some reads or
//! at the first that needs the disk. It never knows what is read.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{QueryError, Result};

/// The reads of a quick answer: some hundred microseconds' worth.
const QUICK_READS: usize = 256;

/// What one answer may read.
#[derive(Default)]
pub(crate) struct Allowance {
    given_up: Option<Arc<AtomicBool>>,
    /// The reads that are left to a quick answer.
    quick: Option<Cell<usize>>,
}

impl Allowance {
    /// Whatever there is in memory, but not much of it: for an answer made in a thread that others wait for.
    pub(crate) fn quick() -> Self {
        Self { quick: Some(Cell::new(QUICK_READS)), ..Self::default() }
    }

    /// Everything, until whoever waits for the answer sets `given_up`.
    pub(crate) fn until(given_up: Arc<AtomicBool>) -> Self {
        Self { given_up: Some(given_up), ..Self::default() }
    }

    /// Whether only what lies in memory may be read.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick.is_some()
    }

    /// Counts reads.
    ///
    /// # Errors
    /// [`QueryError::GivenUp`], [`QueryError::NotQuick`].
    pub(crate) fn take(&self, reads: usize) -> Result<()> {
        if self.given_up.as_ref().is_some_and(|given_up| given_up.load(Ordering::Relaxed)) {
            return Err(QueryError::GivenUp);
        }
        let Some(left) = &self.quick else { return Ok(()) };
        left.set(left.get().saturating_sub(reads));
        if left.get() == 0 { Err(QueryError::NotQuick) } else { Ok(()) }
    }

    /// Whether a quick answer has nothing left to read.
    pub(crate) fn is_used_up(&self) -> bool {
        self.quick.as_ref().is_some_and(|left| left.get() == 0)
    }
}
