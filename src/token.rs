//! `counterfoil token`.

use anyhow::Result;
use counterfoil_proto::v1::{AccessEntry, CreateTokenResponse, ListTokensResponse, RevokeTokenResponse, Role};
use counterfoil_server::tokens::{self, NewEntry, TokensError};
use counterfoil_verify::time::Moment;

use crate::cli::{Format, NewTokenArguments, TokenArguments, TokenVerb, TokensArguments};
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows};
use crate::{open, when, words};

pub fn run(arguments: &TokenArguments) -> Result<Exit> {
    match &arguments.verb {
        TokenVerb::Create(new) => create(new),
        TokenVerb::List { place, output } => list(place, output.output),
        TokenVerb::Revoke { id, place, output } => revoke(place, id, output.output),
    }
}

fn create(arguments: &NewTokenArguments) -> Result<Exit> {
    let location = open::location(&arguments.place.ledger);
    let new = NewEntry {
        name: arguments.name.clone(),
        roles: arguments.role.iter().copied().map(Role::from).collect(),
        audience: location.origin()?.as_str().to_owned(),
        expires: arguments.expires,
        certificate: arguments.certificate.clone(),
    };
    let path = open::tokens(&arguments.place);
    let is_first = !path.exists();
    let (entry, token) = tokens::create(&path, new, when::now(), open::entropy).map_err(refused)?;
    let response = CreateTokenResponse { entry: Some(shown(entry)), token: token.unwrap_or_default() };
    let entry = response.entry.iter().collect::<Vec<_>>();
    let rows = match response.token.as_str() {
        "" => listed(&entry),
        token => Rows { title: vec![token.to_owned()], ..Rows::default() },
    };
    output::print(arguments.output.output, &response, &[&response], &rows, None)?;
    if !response.token.is_empty() {
        anstream::eprintln!("Token {}: it is shown this once, and kept nowhere", entry[0].id);
    }
    if is_first {
        anstream::eprintln!(
            "{} is new: a server that was started without it asks nobody until it is started again",
            output::safe(&path.display().to_string())
        );
    }
    Ok(Exit::Done)
}

fn list(place: &TokensArguments, format: Format) -> Result<Exit> {
    let path = open::tokens(place);
    // Where there is no file, nothing is wrong: nobody was let in yet.
    let entries = if path.exists() { tokens::read(&path).map_err(refused)?.entries } else { Vec::new() };
    let response = ListTokensResponse { entries: entries.into_iter().map(shown).collect() };
    output::print(format, &response, &response.entries, &listed(&response.entries.iter().collect::<Vec<_>>()), None)?;
    Ok(Exit::Done)
}

fn revoke(place: &TokensArguments, id: &str, format: Format) -> Result<Exit> {
    let entry = tokens::revoke(&open::tokens(place), id, when::now()).map_err(refused)?;
    let response = RevokeTokenResponse { entry: Some(shown(entry)) };
    let entry = response.entry.iter().collect::<Vec<_>>();
    output::print(format, &response, &entry, &listed(&entry), None)?;
    Ok(Exit::Done)
}

/// An entry without what it is recognised by, which is of no use to people.
fn shown(entry: AccessEntry) -> AccessEntry {
    AccessEntry { secret_sha256: Vec::new(), ..entry }
}

fn listed(entries: &[&AccessEntry]) -> Rows {
    let now = when::now();
    let row = |entry: &&AccessEntry| {
        vec![
            entry.id.clone(),
            entry.name.clone(),
            entry.roles().map(words::role).collect::<Vec<_>>().join(", "),
            state(entry, now),
            entry.certificate.clone(),
        ]
    };
    let title = if entries.is_empty() { vec!["Nobody has a token.".to_owned()] } else { Vec::new() };
    Rows {
        title,
        columns: vec!["id", "name", "roles", "state", "certificate"],
        rows: entries.iter().map(row).collect(),
    }
}

/// Whether an entry counts, and until when.
fn state(entry: &AccessEntry, now: Moment) -> String {
    let expires = words::to_the_second(&when::show_timestamp(&entry.expires_at));
    let end = entry.expires_at.as_ref().map_or(i64::MIN, |time| time.seconds);
    match &entry.revoked_at {
        Some(_) => format!("revoked {}", words::to_the_second(&when::show_timestamp(&entry.revoked_at))),
        None if end <= now.seconds => format!("expired {expires}"),
        None => format!("until {expires}"),
    }
}

/// What the exit code follows from.
fn refused(error: TokensError) -> anyhow::Error {
    match error {
        TokensError::Entry(_) => Refused::Wrong(error.to_string()).into(),
        TokensError::NoSuchEntry { .. } => Refused::NotFound(error.to_string()).into(),
        error => error.into(),
    }
}
