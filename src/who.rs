//! Whom a question is about. Several matches are listed, not guessed.

use anyhow::Result;
use counterfoil_proto::v1::ListMatchesResponse;
use counterfoil_query::Query;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{OccurredAt, RecordedAt};

use crate::cli::{Exit, Format, WhoArguments};
use crate::output::{self, safe};
use crate::tables;

/// Finds the one entity that is meant, or says which might be.
pub fn find(
    query: &Query<'_>,
    who: &WhoArguments,
    at: OccurredAt,
    known: Option<RecordedAt>,
    format: Format,
) -> Result<std::result::Result<EntityId, Exit>> {
    let mut response: ListMatchesResponse = query.resolve(&who.who, at, known)?;
    if let Some(system) = &who.system {
        let is_of = |id: &str| id.parse::<EntityId>().is_ok_and(|entity| entity.system() == system);
        response.matches.retain(|party| is_of(&party.id));
    }
    match &response.matches[..] {
        [] => {
            anstream::eprintln!(
                "counterfoil: nothing in the ledger is called {}: give a login, an e-mail address, a name, a ticket number or an entity id",
                safe(&format!("{:?}", who.who))
            );
            Ok(Err(Exit::NotFound))
        }
        [one] => Ok(Ok(one.id.parse()?)),
        several => {
            anstream::eprintln!(
                "counterfoil: {} entities fit {}: give one of these ids, or narrow it with --system",
                several.len(),
                safe(&format!("{:?}", who.who))
            );
            output::print(format, &response, &response.matches, &tables::matches(&response), response.basis.as_ref())?;
            Ok(Err(Exit::Ambiguous))
        }
    }
}
