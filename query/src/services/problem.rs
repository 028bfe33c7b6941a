//! What goes wrong with a request, as `google.rpc.Status` with its details.
//!
//! Owns the code and the reason of every error. The message says what was wrong, where, and what to do; the reason is for
//! programs, and never changes.

use std::collections::HashMap;

use counterfoil_ledger::LedgerError;
use counterfoil_verify::tree::TreeSize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::QueryError;

/// The domain of all reasons.
const DOMAIN: &str = "counterfoil";
/// The most of a value that a message repeats, in characters.
const SHOWN_MAX: usize = 100;
/// The reason of a name that several entities fit.
pub const AMBIGUOUS: &str = "AMBIGUOUS";

/// The reason where no seal covers what is asked for.
pub(crate) const NOT_SEALED: &str = "NOT_SEALED";

/// The reason of an error, for programs.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|info| info.domain == DOMAIN).map(|info| info.reason)
}

/// An error with its reason.
pub fn problem(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
}

/// A field that no answer can be given to.
pub fn invalid(field: &str, description: String) -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", DOMAIN, HashMap::new());
    details.add_bad_request_violation(field, &description);
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {description}"), details)
}

/// The tree is smaller than the one that was asked for, and stayed so.
pub(crate) fn not_reached(wanted: TreeSize, size: TreeSize) -> Status {
    let message = format!(
        "the answer can rest on {size} records, and not on {wanted} as min_tree_size asks: ask again later, or for fewer"
    );
    problem(Code::FailedPrecondition, "TREE_TOO_SMALL", message)
}

/// The thread that made the answer is gone.
pub(crate) fn stopped(error: tokio::task::JoinError) -> Status {
    let why = if error.is_cancelled() { "the service is stopping" } else { "the answer failed, which is a defect" };
    problem(Code::Unavailable, "STOPPED", format!("{why}: ask again"))
}

/// A value of the request as a message repeats it.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}

/// What an error of the views or the log means for whoever asked.
pub(crate) fn of(error: QueryError) -> Status {
    let (code, reason) = match &error {
        QueryError::Damaged { .. } => (Code::DataLoss, "VIEWS_DAMAGED"),
        QueryError::Storage { .. } => (Code::Internal, "STORAGE"),
        QueryError::InUse { .. } => (Code::Unavailable, "VIEWS_IN_USE"),
        QueryError::Behind { .. } => (Code::Unavailable, "VIEWS_BEHIND"),
        QueryError::NotSealed => (Code::FailedPrecondition, NOT_SEALED),
        QueryError::SeveralChanges(_) => (Code::InvalidArgument, "SEVERAL_CHANGES"),
        QueryError::TooLarge(_) | QueryError::TooMuchRecorded { .. } => (Code::ResourceExhausted, "EVIDENCE_TOO_LARGE"),
        QueryError::TooManyProofs { .. } => (Code::ResourceExhausted, "TOO_MANY_PROOFS"),
        QueryError::NoListing(_) => (Code::NotFound, "NO_LISTING"),
        QueryError::Recorded(_) => (Code::FailedPrecondition, "RECORDED"),
        QueryError::Evidence(_) => (Code::Internal, "EVIDENCE"),
        QueryError::Ledger(error) => ledger(error),
        QueryError::NotKnownThen { .. } => (Code::NotFound, "NOT_KNOWN_THEN"),
        QueryError::ReadAgain { .. } => (Code::NotFound, "READ_AGAIN"),
        QueryError::NoSuchEvent(_) => (Code::NotFound, "NO_SUCH_EVENT"),
        QueryError::NoSuchFact { .. } => (Code::NotFound, "NO_SUCH_FACT"),
        QueryError::NotRejected(_) => (Code::NotFound, "NOT_REJECTED"),
        QueryError::NoSuchEntity(_) => (Code::NotFound, "NO_SUCH_ENTITY"),
        QueryError::NoEntitlement(_) => (Code::InvalidArgument, "NO_ENTITLEMENT"),
        QueryError::NoDefinition(_) => (Code::InvalidArgument, "NO_DEFINITION"),
        QueryError::NobodyCalled(_) => (Code::NotFound, "NOBODY_CALLED"),
        QueryError::TooManyCalled(_) => (Code::InvalidArgument, "TOO_MANY_CALLED"),
        QueryError::GivenUp => (Code::Cancelled, "GIVEN_UP"),
        QueryError::NotQuick => (Code::Unavailable, "NOT_QUICK"),
        QueryError::PageToken(_) => (Code::InvalidArgument, "PAGE_TOKEN"),
        QueryError::Filter(error) => return invalid("filter", error.to_string()),
        QueryError::NotOneTicket { count: 0, .. } => (Code::NotFound, "NOBODY_CALLED"),
        QueryError::NotOneTicket { .. } => (Code::FailedPrecondition, AMBIGUOUS),
    };
    problem(code, reason, error.to_string())
}

fn ledger(error: &LedgerError) -> (Code, &'static str) {
    match error {
        LedgerError::NoSuchRecord { .. } => (Code::NotFound, "NO_SUCH_RECORD"),
        LedgerError::Falsified { .. } | LedgerError::Behind { .. } | LedgerError::Beside { .. } => {
            (Code::DataLoss, "FALSIFIED")
        }
        LedgerError::Closed(_) => (Code::Unavailable, "CLOSED"),
        _ => (Code::Internal, "LEDGER"),
    }
}
