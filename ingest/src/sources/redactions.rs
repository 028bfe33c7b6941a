//! Redaction on request: one at a time.
//!
//! Owns the turn, and the answer to whoever asked. What is removed, and what records say of it, `redact` knows.

use std::sync::Arc;

use counterfoil_proto::v1::{Authentication, RedactRequest, RedactResponse};
use counterfoil_verify::tree::RecordIndex;
use tokio::sync::Semaphore;
use tonic::{Code, Status};

use super::receipt::{self, invalid, problem};
use crate::intake::{Intake, work};
use crate::redact::{Redact, RedactError, What, redact};

/// Whoever lets a request in says with this extension of it that its caller operates the ledger, how the caller was
/// authenticated, and by which entries it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// How it was authenticated.
    pub authentication: Authentication,
    /// The ids of the entries, where it is known by any.
    pub entries: Vec<String>,
}

/// The way to what is removed.
#[derive(Clone)]
pub struct Redactions {
    intake: Arc<Intake>,
    turn: Arc<Semaphore>,
}

impl Redactions {
    /// Removes what lies beside the records of an intake's ledger.
    pub fn new(intake: Arc<Intake>) -> Self {
        Self { intake, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Removes what a request names. What was begun is ended, whether somebody waits for the answer or not.
    ///
    /// # Errors
    /// If the request names nothing that could be removed, or something else is being removed.
    pub(crate) async fn redact(&self, request: RedactRequest, operator: Operator) -> Result<RedactResponse, Status> {
        let asked = asked(request, operator)?;
        let busy = |_| {
            let why = "something is being removed already: ask again once that is done";
            problem(Code::FailedPrecondition, "REDACTING", why.to_owned())
        };
        let turn = self.turn.clone().try_acquire_owned().map_err(busy)?;
        let (intake, dry_run) = (self.intake.clone(), asked.dry_run);
        let done = work(false, move || {
            let done = redact(&intake, &asked);
            drop(turn);
            done
        });
        let done = done.await.map_err(|error| problem(Code::Unavailable, "STOPPED", error.to_string()))?;
        let done = done.map_err(|error| status(&error))?;
        let head = self.intake.ledger().reader().head();
        Ok(RedactResponse {
            basis: Some(receipt::basis(&head)),
            checkpoint: head.checkpoint.to_vec(),
            redactions: done.redactions.iter().map(|index| index.0).collect(),
            entities: done.entities.iter().map(ToString::to_string).collect(),
            records: done.records,
            parts: done.parts,
            dry_run,
        })
    }
}

fn asked(request: RedactRequest, operator: Operator) -> Result<Redact, Status> {
    let RedactRequest { records, people, reason, rule, by, why, dry_run } = request;
    if !records.is_empty() && !people.is_empty() {
        return Err(invalid("people", "expected nobody where records are named: ask once for each".to_owned()));
    }
    let what = match people.is_empty() {
        true => What::Records(records.into_iter().map(RecordIndex).collect()),
        false => What::People(people),
    };
    let Operator { authentication, entries: callers } = operator;
    Ok(Redact { what, reason, rule, by, why, callers, authentication, dry_run })
}

fn status(error: &RedactError) -> Status {
    match error {
        RedactError::Field { field, why } => invalid(field, why.clone()),
        RedactError::Named { .. } => invalid("people", error.to_string()),
        RedactError::Record(_) => problem(Code::FailedPrecondition, "TOO_MUCH", error.to_string()),
        RedactError::Ledger(error) => receipt::of_ledger(error),
    }
}
