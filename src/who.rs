//! Whom a question is about. Several matches are listed, not guessed.

use anyhow::Result;
use counterfoil_proto::v1::ListMatchesResponse;
use counterfoil_query::Query;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{OccurredAt, RecordedAt};

use crate::cli::{Exit, Format, LedgerArguments, WhoArguments};
use crate::output::{self, safe};
use crate::{open, tables};

/// The two times by which a name is looked up.
pub type Times = (OccurredAt, Option<RecordedAt>);

/// Opens a ledger, finds the one entity that is meant, and gives it to the question; or says which might be meant.
pub fn ask(
    ledger: &LedgerArguments,
    who: &WhoArguments,
    times: Times,
    format: Format,
    question: impl FnOnce(&Query<'_>, EntityId) -> Result<()>,
) -> Result<Exit> {
    let opened = open::views(ledger)?;
    opened.tell_beginning(times.1)?;
    let query = opened.views.query()?;
    let mut response = called(&query, &who.who, times)?;
    if let Some(system) = &who.system {
        let is_of = |id: &str| id.parse::<EntityId>().is_ok_and(|entity| entity.system() == system);
        response.matches.retain(|party| is_of(&party.id));
    }
    match &response.matches[..] {
        [] => Ok(nobody(&who.who)),
        [one] => {
            question(&query, one.id.parse()?)?;
            Ok(Exit::Done)
        }
        several => {
            anstream::eprintln!(
                "counterfoil: {} entities fit {}: give one of these ids, or narrow it with --system",
                several.len(),
                safe(&format!("{:?}", who.who))
            );
            output::print(format, &response, &response.matches, &tables::matches(&response), response.basis.as_ref())?;
            Ok(Exit::Ambiguous)
        }
    }
}

/// Everybody who is called so.
pub fn called(query: &Query<'_>, who: &str, (at, known): Times) -> Result<ListMatchesResponse> {
    Ok(query.resolve(who, at, known)?)
}

/// Says that nobody is called so.
pub fn nobody(who: &str) -> Exit {
    anstream::eprintln!(
        "counterfoil: nothing in the ledger is called {}: give a login, an e-mail address, a name, a ticket number or an entity id",
        safe(&format!("{who:?}"))
    );
    Exit::NotFound
}
