//! What a producer gets for what it hands over, by whichever way that came.
//!
//! Owns its receipt, and what goes wrong, as `google.rpc.Status`.

use std::collections::HashMap;
use std::sync::Arc;

use counterfoil_ledger::{Head, LedgerError};
use counterfoil_proto::v1::{AppendResponse, Basis, RetriedDeadLetter, RetryDeadLetterResponse, Withheld};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::intake::{Intake, Push, PushError};
use crate::retry::{Retried, RetryError};
use crate::snapshot::SnapshotError;

/// What producers are told while a disk is full.
const NO_SPACE: &str = "there is no room left on a disk of the ledger: nothing was acknowledged; send it again later";

/// Takes a push, and gives its receipt once it is durable, signed and anchored.
pub async fn push(intake: Arc<Intake>, push: Push, request_id: String) -> Result<AppendResponse, Status> {
    let pushed = intake.push(push).await.map_err(|error| status(&error))?;
    let head = intake.ledger().reader().head();
    Ok(AppendResponse {
        basis: Some(basis(&head)),
        checkpoint: head.checkpoint.to_vec(),
        request_id,
        events: pushed.events,
    })
}

/// What became of a dead letter. Words that may repeat what it says are for those who may see that.
pub fn retried(intake: &Intake, record: u64, retried: Retried, may_see: bool) -> RetryDeadLetterResponse {
    let head = intake.ledger().reader().head();
    let withheld = if may_see { Vec::new() } else { vec![Withheld::PersonalValues.into()] };
    let retried = match retried {
        Retried::PutThrough(pushed) => {
            RetriedDeadLetter { record, events: pushed.events, ..RetriedDeadLetter::default() }
        }
        Retried::Still { reason, error } => {
            let reason = reason.as_str_name().trim_start_matches("REJECT_REASON_").to_lowercase().replace('_', " ");
            let error = if may_see { error } else { String::new() };
            RetriedDeadLetter { record, reason, error, ..RetriedDeadLetter::default() }
        }
    };
    RetryDeadLetterResponse {
        basis: Some(Basis { withheld, ..basis(&head) }),
        checkpoint: head.checkpoint.to_vec(),
        retried: Some(retried),
    }
}

/// The tree that a receipt rests on.
pub fn basis(head: &Head) -> Basis {
    Basis {
        origin: head.origin.as_str().to_owned(),
        tree_size: head.size.0,
        root: head.root.as_bytes().to_vec(),
        ..Basis::default()
    }
}

fn status(error: &PushError) -> Status {
    let message = error.to_string();
    match error {
        PushError::NoConnector(_) => invalid("connector", message),
        PushError::Limit(_) => invalid("documents", message),
        PushError::Tenant { field, error } => invalid(field, error.to_string()),
        PushError::Stopping(_) => problem(Code::Unavailable, "STOPPED", message),
        PushError::Ledger(error) => of_ledger(error),
    }
}

/// Why listings were not taken.
pub fn of_snapshot(error: &SnapshotError) -> Status {
    let message = error.to_string();
    match error {
        SnapshotError::NoTime(_) => invalid("as_of", message),
        SnapshotError::NoLister(_) => invalid("connector", message),
        SnapshotError::File { .. } | SnapshotError::TooMany(_) | SnapshotError::TooLarge(_) => invalid("page", message),
        SnapshotError::Ledger(error) => of_ledger(error),
    }
}

/// Why a dead letter was not read again.
pub fn of_retry(error: &RetryError) -> Status {
    let message = error.to_string();
    match error {
        RetryError::NotRejected(_) => problem(Code::NotFound, "NOT_REJECTED", message),
        RetryError::Cut { .. } => problem(Code::FailedPrecondition, "CUT", message),
        RetryError::Gone(_) => problem(Code::FailedPrecondition, "GONE", message),
        RetryError::OfListing(_) => problem(Code::FailedPrecondition, "OF_LISTING", message),
        RetryError::Tenant(error) => invalid("ticket_instance", error.to_string()),
        RetryError::Push(PushError::NoConnector(_)) => problem(Code::FailedPrecondition, "NO_CONNECTOR", message),
        RetryError::Push(error) => status(error),
    }
}

/// What it means for a producer that the ledger does not take it.
pub(crate) fn of_ledger(error: &LedgerError) -> Status {
    let (code, reason) = match error {
        LedgerError::Closed(_) => (Code::Unavailable, "CLOSED"),
        LedgerError::ClockJumped { .. } => (Code::Unavailable, "CLOCK_JUMPED"),
        LedgerError::NoSpace(_) => (Code::Unavailable, "NO_SPACE"),
        LedgerError::AnchorMoved { .. } => (Code::Unavailable, "ANCHOR_MOVED"),
        LedgerError::Falsified { .. } | LedgerError::Behind { .. } | LedgerError::Beside { .. } => {
            (Code::DataLoss, "FALSIFIED")
        }
        LedgerError::NoSuchRecord { .. } => (Code::NotFound, "NO_SUCH_RECORD"),
        LedgerError::Redaction { .. } => (Code::FailedPrecondition, "NOT_THERE"),
        LedgerError::Backup { .. } => (Code::FailedPrecondition, "BACKUP"),
        LedgerError::Storage(_) | LedgerError::File { .. } => (Code::Internal, "STORAGE"),
        _ => (Code::Internal, "LEDGER"),
    };
    let message = match error {
        // Which disk, its operator knows.
        LedgerError::NoSpace(_) => NO_SPACE.to_owned(),
        error => error.to_string(),
    };
    problem(code, reason, message)
}

/// An error with its reason.
pub fn problem(code: Code, reason: &str, message: String) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, "counterfoil", HashMap::new()))
}

/// Whether times that lost their zone are in UTC, as a request says it.
pub fn assume_utc(zone: &str) -> Result<bool, Status> {
    match zone {
        "" => Ok(false),
        "UTC" => Ok(true),
        other => Err(invalid("assume_zone", format!("expected UTC or nothing, got {other:?}"))),
    }
}

/// The tenant, as a request says it.
pub fn instance_or_default(instance: String) -> String {
    if instance.is_empty() { "default".to_owned() } else { instance }
}

/// A field that cannot be taken.
pub fn invalid(field: &str, description: String) -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "counterfoil", HashMap::new());
    details.add_bad_request_violation(field, &description);
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {description}"), details)
}
