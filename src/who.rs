//! Whom a question is about. Several matches are listed, not guessed.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use counterfoil_proto::v1::{ListMatchesResponse, Party};
use counterfoil_query::{Query, Wanted};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{OccurredAt, RecordedAt};

use crate::cli::{Exit, Format, LedgerArguments, Refused, WhoArguments};
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
    check_seen(&query, &who.who)?;
    let wanted = Wanted { system: who.system.as_deref(), everybody: false };
    let response = query.resolve(&who.who, wanted, times.0, times.1)?;
    if let (Some(system), []) = (&who.system, &response.matches[..]) {
        let beyond = query.resolve(&who.who, Wanted::default(), times.0, times.1)?;
        if !beyond.matches.is_empty() {
            return Err(elsewhere(&query, who, system, &beyond.matches, beyond.more)?.into());
        }
    }
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
    check_seen(query, who)?;
    let called = query.resolve(who, Wanted { everybody: true, ..Wanted::default() }, at, known)?;
    ensure!(!called.more, "too many are called {}: give a longer part of the name", safe(&format!("{who:?}")));
    Ok(called)
}

/// Refuses an id that the ledger holds nothing of, whenever it was recorded.
fn check_seen(query: &Query<'_>, who: &str) -> Result<()> {
    if let Ok(entity) = who.trim().parse::<EntityId>()
        && !query.is_seen(&entity)?
    {
        return Err(Refused::NotFound(format!("the ledger holds nothing of {entity}")).into());
    }
    Ok(())
}

fn system_of(party: &Party) -> String {
    party.id.parse::<EntityId>().map(|entity| entity.system().to_owned()).unwrap_or_default()
}

/// Why a name that fits other systems' entities fits none of this one.
fn elsewhere(query: &Query<'_>, who: &WhoArguments, system: &str, others: &[Party], more: bool) -> Result<Refused> {
    let known: BTreeSet<String> = query.sources()?.sources.into_iter().map(|source| source.system).collect();
    if !known.iter().any(|known| known.eq_ignore_ascii_case(system)) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Ok(Refused::NotFound(format!("no source has the system {system:?}: there are {known}")));
    }
    let systems: BTreeSet<String> = others.iter().map(system_of).filter(|system| !system.is_empty()).collect();
    let of = if systems.is_empty() { "no system" } else { &systems.into_iter().collect::<Vec<_>>().join(" and ") };
    let others = match others.len() {
        1 => format!("1 entity of {of} is"),
        count if more => format!("more than {count} entities of {of} are"),
        count => format!("{count} entities of {of} are"),
    };
    Ok(Refused::NotFound(format!("nothing in {system} is called {:?}; {others}", who.who)))
}

/// Says that nobody is called so.
pub fn nobody(who: &str) -> Exit {
    anstream::eprintln!(
        "counterfoil: nothing in the ledger is called {}: give a login, an e-mail address, a name, a ticket number or an entity id",
        safe(&format!("{who:?}"))
    );
    Exit::NotFound
}
