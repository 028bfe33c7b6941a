//! The checkpoint that readers of tiles and of proofs are given, where somebody cosigns: it stays behind the newest head for
//! as long as cosignatures take.
//!
//! Owns which one that is. It is never past the newest head, and never goes back. It never asks anybody to cosign, and never
//! judges a cosignature: whoever hands one over has verified it.

use std::sync::PoisonError;

use crate::read::{Head, Reader};

impl Reader {
    /// The checkpoint for readers of tiles and of proofs: the newest one that was served, or the newest head where nobody
    /// serves another.
    pub fn served(&self) -> Head {
        self.served_slot().read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(|| self.head())
    }

    /// Serves this checkpoint from now on, with the signatures that it has. One that is larger than the newest head, or
    /// smaller than what is served, changes nothing.
    pub fn serve(&self, head: Head) {
        self.cosigned(&head);
        let mut served = self.served_slot().write().unwrap_or_else(PoisonError::into_inner);
        let is_newer = served.as_ref().is_none_or(|served| served.size <= head.size);
        if is_newer && head.size <= self.head().size {
            *served = Some(head);
        }
    }
}
