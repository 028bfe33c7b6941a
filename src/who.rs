//! Whom a question is about. Several matches are listed, not guessed.

use anyhow::Result;
use counterfoil_proto::v1::ListIdentitiesRequest;
use counterfoil_query::services::{AMBIGUOUS, reason_of};
use counterfoil_verify::time::Moment;

use crate::cli::{Format, WhoArguments};
use crate::client::{Client, NoAnswer, timestamp};
use crate::exit::Exit;
use crate::output::{self, safe};
use crate::tables;

/// Prints an answer about one entity, or lists those that might be meant.
pub fn answered<A>(
    client: &Client,
    who: &WhoArguments,
    (at, known_at): (Option<Moment>, Option<Moment>),
    format: Format,
    answer: Result<A>,
    print: impl FnOnce(&A) -> Result<()>,
) -> Result<Exit> {
    let error = match answer {
        Ok(answer) => {
            print(&answer)?;
            return Ok(Exit::Done);
        }
        Err(error) => error,
    };
    let is_ambiguous = |NoAnswer(status): &NoAnswer| reason_of(status).is_some_and(|reason| reason == AMBIGUOUS);
    if !error.downcast_ref::<NoAnswer>().is_some_and(is_ambiguous) {
        return Err(error);
    }
    let request = ListIdentitiesRequest {
        query: who.who.clone(),
        system: who.system.clone().unwrap_or_default(),
        at: timestamp(at),
        known_at: timestamp(known_at),
        ..ListIdentitiesRequest::default()
    };
    let response = client.identity(|mut identity| async move { identity.list_identities(request).await })?;
    anstream::eprintln!(
        "counterfoil: {}{} entities fit {}: give one of these ids, or narrow it with --system",
        if response.more { "more than " } else { "" },
        response.identities.len(),
        safe(&format!("{:?}", who.who))
    );
    let rows = tables::identities(&response);
    output::print(format, &response, &response.identities, &rows, response.basis.as_ref())?;
    Ok(Exit::Ambiguous)
}
