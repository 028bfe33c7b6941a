//! The named points of a commit, at which tests let the owner fail or the process die.
//!
//! Owns their names. Only tests that are built with the feature `failpoints` have what is behind them; elsewhere reaching
//! a point is nothing.

use crate::error::Result;

/// A point of the commit protocol, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The records have their places; nothing is written.
    BeforeBatch,
    /// The batch is durable.
    AfterBatch,
    /// A redaction is durable; what it removes is there. No other commit comes by.
    BeforeRemoval,
    /// Every record was hashed again.
    BeforeSign,
    /// The checkpoint is signed.
    BeforeAnchor,
    /// The anchor holds it.
    AfterAnchor,
    /// Readers see it, and nobody was told of it.
    BeforeAcknowledge,
}

/// Comes by a point.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn reach(_: Point) -> Result<()> {
    Ok(())
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::reach;
#[cfg(feature = "failpoints")]
pub use armed::{Kind, arm};

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::{Mutex, PoisonError};

    use super::{Point, Result};
    use crate::error::LedgerError;

    /// What happens at a point.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        /// The process dies, as by kill -9.
        Crash,
        /// The owner fails.
        Error,
        /// The owner finds no room on a disk, and some when it looks again.
        Full,
    }

    /// What is to happen, and how often its point is passed before.
    static ARMED: Mutex<Option<(Point, Kind, u32)>> = Mutex::new(None);

    /// Lets this happen once, where this process comes by the point after it has passed it so often.
    pub fn arm(point: Point, kind: Kind, passes: u32) {
        *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = Some((point, kind, passes));
    }

    /// Comes by a point.
    pub(crate) fn reach(point: Point) -> Result<()> {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *armed {
            Some((at, kind, 0)) if *at == point => {
                let kind = *kind;
                *armed = None;
                match kind {
                    Kind::Crash => {
                        let own = rustix::process::getpid();
                        // It cannot be refused, and nothing runs after it.
                        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
                        std::process::abort()
                    }
                    Kind::Full => {
                        let source = std::io::ErrorKind::StorageFull.into();
                        Err(LedgerError::File { path: format!("a disk at {point:?}").into(), source })
                    }
                    Kind::Error => Err(LedgerError::Closed(format!("a test let it fail at {point:?}"))),
                }
            }
            Some((at, _, passes)) if *at == point => {
                *passes -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
