//! `counterfoil deadletter retry`.

use anyhow::{Error, Result};
use counterfoil_proto::v1::{
    Appended, RetriedDeadLetter, RetryDeadLetterRequest, RetryDeadLetterResponse, RetryDeadLettersResponse,
};
use tonic::Code;

use super::letters;
use crate::cli::RetryArguments;
use crate::client::{Client, NoAnswer};
use crate::exit::Exit;
use crate::words::counted;
use crate::{open, output, tables};

pub fn run(arguments: &RetryArguments) -> Result<Exit> {
    let client = Client::retrying(&arguments.ask, arguments.accept_clock)?;
    let mut response = RetryDeadLettersResponse::default();
    let records: Vec<u64> = match arguments.all {
        false => arguments.places.iter().map(|place| place.record.0).collect(),
        true => {
            let open = letters(&client, None, usize::MAX, false)?;
            response.basis = open.basis;
            open.dead_letters.iter().map(|letter| letter.record).collect()
        }
    };
    let bar = open::bar("Retrying", "dead letters");
    bar.set_length(records.len() as u64);
    let mut failure = None;
    for record in &records {
        match one(&client, *record, arguments) {
            Ok(answer) => {
                response.basis = answer.basis.or(response.basis);
                response.retried.extend(answer.retried);
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let left = response.retried.iter().filter(|retried| !is_through(retried)).count() as u64;
    let print = || {
        let rows = tables::retries(&response.retried);
        output::print(arguments.output.output, &response, &response.retried, &rows, response.basis.as_ref())
    };
    if let Some(failure) = failure {
        // Nobody may read what became of those before; why it is not all is told all the same.
        let _ = if response.retried.is_empty() { Ok(()) } else { print() };
        return Err(failure);
    }
    print()?;
    if left > 0 {
        anstream::eprintln!("counterfoil: {left} of {} not put through", counted(records.len() as u64, "dead letter"));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}

/// Retries one. What the ledger has too little of is told of that one, and stops no other.
fn one(client: &Client, record: u64, arguments: &RetryArguments) -> Result<RetryDeadLetterResponse> {
    let request = RetryDeadLetterRequest {
        record,
        assume_zone: arguments.assume_zone.clone().unwrap_or_default(),
        ticket_instance: arguments.ticket_instance.clone().unwrap_or_default(),
    };
    let retried = client.ingest(|mut ingest| async move { ingest.retry_dead_letter(request).await });
    retried.or_else(|error| match cannot_be(&error) {
        Some(why) => {
            let reason = "cannot be retried".to_owned();
            let retried = RetriedDeadLetter { record, reason, error: why, ..RetriedDeadLetter::default() };
            Ok(RetryDeadLetterResponse { retried: Some(retried), ..RetryDeadLetterResponse::default() })
        }
        None => Err(error),
    })
}

/// Why this very letter cannot be retried.
fn cannot_be(error: &Error) -> Option<String> {
    let NoAnswer(status) = error.downcast_ref()?;
    (status.code() == Code::FailedPrecondition).then(|| status.message().to_owned())
}

/// Whether all of it could be read.
fn is_through(retried: &RetriedDeadLetter) -> bool {
    !retried.events.is_empty() && retried.events.iter().all(|event| event.outcome() != Appended::Rejected)
}
