//! What a producer gets for a push, by whichever way it came.
//!
//! Owns its receipt, and what goes wrong, as `google.rpc.Status`.

use std::collections::HashMap;
use std::sync::Arc;

use counterfoil_proto::v1::{AppendResponse, Basis};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::intake::{Intake, Push, PushError};

/// Takes a push, and gives its receipt once it is durable, signed and anchored.
pub async fn push(intake: Arc<Intake>, push: Push, request_id: String) -> Result<AppendResponse, Status> {
    let pushed = intake.push(push).await.map_err(|error| status(&error))?;
    let head = intake.ledger().reader().head();
    Ok(AppendResponse {
        basis: Some(Basis {
            origin: head.origin.as_str().to_owned(),
            tree_size: head.size.0,
            root: head.root.as_bytes().to_vec(),
            ..Basis::default()
        }),
        checkpoint: head.checkpoint.to_vec(),
        request_id,
        events: pushed.events,
    })
}

fn status(error: &PushError) -> Status {
    let message = error.to_string();
    match error {
        PushError::NoConnector(_) => invalid("connector", message),
        PushError::Limit(_) => invalid("documents", message),
        PushError::Stopping(_) => Status::unavailable(message),
        PushError::Ledger(_) => {
            let details = ErrorDetails::with_error_info("CLOSED", "counterfoil", HashMap::new());
            Status::with_error_details(Code::Unavailable, message, details)
        }
    }
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
