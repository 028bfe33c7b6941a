//! How far a view may go on reading for one answer.
//!
//! Owns when to stop: once nobody waits for the answer any more; where it has to be a quick one, after some reads or at the
//! first that needs the disk; where it has to be a brief one, after some time. It never knows what is read.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{QueryError, Result};

/// The reads of a quick answer: some hundred microseconds' worth.
const QUICK_READS: usize = 256;

/// How long a brief answer may take. A disk answers within that time many times, if it is well.
const BRIEF: Duration = Duration::from_millis(2);

/// What one answer may read.
#[derive(Default)]
pub(crate) struct Allowance {
    given_up: Option<Arc<AtomicBool>>,
    /// When a brief answer has to be there; it has no more time once that is over.
    end: Option<Cell<Option<Instant>>>,
    /// The reads that are left to a quick answer.
    quick: Option<Cell<usize>>,
}

impl Allowance {
    /// Whatever there is in memory, but not much of it: for an answer made in a thread that others wait for.
    pub(crate) fn quick() -> Self {
        Self { quick: Some(Cell::new(QUICK_READS)), ..Self::default() }
    }

    /// Whatever there is, for a short time: for an answer made where others can go elsewhere meanwhile.
    pub(crate) fn brief() -> Self {
        Self { end: Some(Cell::new(Some(Instant::now() + BRIEF))), ..Self::default() }
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
        if let Some(end) = &self.end
            && end.get().is_none_or(|end| Instant::now() > end)
        {
            end.set(None);
            return Err(QueryError::NotQuick);
        }
        let Some(left) = &self.quick else { return Ok(()) };
        left.set(left.get().saturating_sub(reads));
        if left.get() == 0 { Err(QueryError::NotQuick) } else { Ok(()) }
    }

    /// Whether a quick or brief answer has nothing left to read.
    pub(crate) fn is_used_up(&self) -> bool {
        self.quick.as_ref().is_some_and(|left| left.get() == 0)
            || self.end.as_ref().is_some_and(|end| end.get().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_answer_ends_with_its_time_and_a_quick_one_with_its_reads() {
        let brief = |end| Allowance { end: Some(Cell::new(Some(end))), ..Allowance::default() };
        let open = brief(Instant::now() + Duration::from_secs(3_600));
        assert!(open.take(usize::MAX).is_ok() && open.take(1).is_ok() && !open.is_used_up() && !open.is_quick());
        let over = brief(Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now));
        assert!(!over.is_used_up(), "nobody has asked yet");
        assert!(matches!(over.take(1), Err(QueryError::NotQuick)) && over.is_used_up());
        let quick = Allowance::quick();
        assert!(quick.take(QUICK_READS - 1).is_ok() && !quick.is_used_up());
        assert!(matches!(quick.take(1), Err(QueryError::NotQuick)) && quick.is_used_up());
    }
}
