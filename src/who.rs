//! Whom a question is about. Several matches are listed, not guessed.

use anyhow::{Result, ensure};
use counterfoil_proto::v1::ListMatchesResponse;
use counterfoil_query::{Query, Wanted};
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
    let wanted = Wanted { system: who.system.as_deref(), everybody: false };
    let response = query.resolve(&who.who, wanted, times.0, times.1)?;
    match &response.matches[..] {
        [] => Ok(nobody(&who.who)),
        [one] => {
            question(&query, one.id.parse()?)?;
            Ok(Exit::Done)
        }
        several => {
            anstream::eprintln!(
                "counterfoil: {}{} entities fit {}: give one of these ids, or narrow it with --system",
                if response.more { "more than " } else { "" },
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
    let called = query.resolve(who, Wanted { everybody: true, ..Wanted::default() }, at, known)?;
    ensure!(!called.more, "too many are called {}: give a longer part of the name", safe(&format!("{who:?}")));
    Ok(called)
}

/// Says that nobody is called so.
pub fn nobody(who: &str) -> Exit {
    anstream::eprintln!(
        "counterfoil: nothing in the ledger is called {}: give a login, an e-mail address, a name, a ticket number or an entity id",
        safe(&format!("{who:?}"))
    );
    Exit::NotFound
}
