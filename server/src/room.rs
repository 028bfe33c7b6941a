//! The room that the bodies of requests take, over gRPC and over HTTP together.
//!
//! Owns how much there is, and what a caller is told for whom none is left. Nobody waits for room: who did would hold what
//! it has already, and so would everybody else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// What all bodies may take together, in bytes.
const BYTES_MAX: usize = 256 << 20;
/// How long a caller should wait where there is no room.
pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// The reason that it is told.
pub(crate) const NO_ROOM: &str = "NO_ROOM";

/// The room: how many bytes of it are left.
#[derive(Clone)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// What one request takes of it, until it is dropped.
pub(crate) struct Taken {
    left: Arc<AtomicUsize>,
    bytes: AtomicUsize,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(BYTES_MAX)))
    }

    /// For a request that takes nothing yet.
    pub(crate) fn begin(&self) -> Taken {
        Taken { left: self.0.clone(), bytes: AtomicUsize::new(0) }
    }
}

impl Taken {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// If there are none left.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Status> {
        // No other memory hangs on these counts, so their order does not matter.
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map_err(|_| no_room())?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back all but so many bytes, which it has.
    pub(crate) fn keep(&self, bytes: usize) {
        let had = self.bytes.swap(bytes, Ordering::Relaxed);
        self.left.fetch_add(had - bytes, Ordering::Relaxed);
    }

    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.keep(0);
    }
}

fn no_room() -> Status {
    let mut details = ErrorDetails::with_error_info(NO_ROOM, "counterfoil", HashMap::new());
    details.set_retry_info(Some(RETRY));
    let why = "the server receives as much as it has room for: nothing of this was taken, send it again in a second";
    Status::with_error_details(Code::ResourceExhausted, why, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_requests_share_the_room_and_give_it_back() {
        let room = Room::new();
        let (one, other) = (room.begin(), room.begin());
        one.take(BYTES_MAX - 10).unwrap();
        other.take(10).unwrap();
        let refused = other.take(1).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(RETRY));
        one.keep(3);
        assert_eq!((one.bytes(), other.bytes()), (3, 10));
        other.take(BYTES_MAX - 13).unwrap();
        other.take(1).unwrap_err();
        drop(other);
        one.take(BYTES_MAX - 3).unwrap();
        drop(one);
        room.begin().take(BYTES_MAX).unwrap();
    }
}
