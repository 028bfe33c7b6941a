//! Whether a ledger takes appends, and what a failed commit comes to.
//!
//! Owns the difference between what passes and what does not. A disk that is full keeps everything as it was: once there
//! is room, the owner goes on, by the checks of the start. After anything else only a restart can tell what became
//! durable: above all after a failed sync, which leaves bytes that can be read, and that no disk holds.

use std::io::ErrorKind;

use crate::error::LedgerError;

/// Whether a ledger takes appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Taking,
    /// Not until there is room on a disk; it looks for room by itself. What was full, and of what.
    NoSpace(String),
    /// Never again, in this process, and why.
    Closed(String),
}

impl Condition {
    /// What a failed commit makes of it.
    pub(crate) fn after(error: &LedgerError) -> Self {
        match error {
            LedgerError::ClockJumped { .. } => Self::Taking,
            error => full(error).map_or_else(|| Self::Closed(error.to_string()), Self::NoSpace),
        }
    }

    /// Why an append is refused for the time being, if it is.
    pub(crate) fn passing(&self) -> Option<LedgerError> {
        self.refusal().filter(|refusal| matches!(refusal, LedgerError::NoSpace(_)))
    }

    /// Why an append is refused, if it is.
    pub(crate) fn refusal(&self) -> Option<LedgerError> {
        match self {
            Self::Taking => None,
            Self::NoSpace(what) => Some(LedgerError::NoSpace(what.clone())),
            Self::Closed(why) => Some(LedgerError::Closed(why.clone())),
        }
    }
}

/// What was full, where a write found no room. A sync that found none is a failed sync. The anchor is written anew as a
/// whole, so that it does not matter what became of it before.
fn full(error: &LedgerError) -> Option<String> {
    match error {
        LedgerError::Storage(error) => {
            let text = error.as_ref();
            // RocksDB's bindings keep of a status no more than its text, which begins with what it is.
            let is_full = text.starts_with("IO error: No space left on device");
            let is_sync = ["While fdatasync", "While fsync"].iter().any(|sync| text.contains(sync));
            (is_full && !is_sync).then(|| text.to_owned())
        }
        LedgerError::File { path, source } => {
            (source.kind() == ErrorKind::StorageFull).then(|| format!("{}: {source}", path.display()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    #[test]
    fn only_a_write_without_room_passes() {
        let file = |kind| LedgerError::File { path: "ledger.anchor".into(), source: Error::from(kind) };
        assert!(matches!(Condition::after(&file(ErrorKind::StorageFull)), Condition::NoSpace(_)));
        assert!(matches!(Condition::after(&file(ErrorKind::PermissionDenied)), Condition::Closed(_)));
        assert_eq!(Condition::after(&LedgerError::ClockJumped { seconds: 61 }), Condition::Taking);
    }
}
