//! `counterfoil deadletter`.

use std::io::Write;

use anyhow::{Context, Result};
use counterfoil_proto::v1::{GetDeadLetterRequest, ListDeadLettersRequest, ListDeadLettersResponse};

use crate::cli::{AskArguments, DeadletterArguments, DeadletterVerb, Format, Place};
use crate::client::Client;
use crate::exit::Exit;
use crate::{output, record, tables};

mod retry;

/// Dead letters asked for at a time.
const PAGE_LETTERS: usize = 1_000;

pub fn run(arguments: &DeadletterArguments) -> Result<Exit> {
    match &arguments.verb {
        DeadletterVerb::List { ask, after, limit, all, output } => list(ask, *after, *limit, *all, output.output),
        DeadletterVerb::Retry(arguments) => retry::run(arguments),
        DeadletterVerb::Show { place, ask, output } => show(ask, *place, output.output),
    }
}

fn list(ask: &AskArguments, after: Option<u64>, limit: usize, all: bool, format: Format) -> Result<Exit> {
    let client = Client::new(ask)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let response = letters(&client, after, limit, all)?;
    if let (false, Some(last)) = (response.next_page_token.is_empty(), response.dead_letters.last()) {
        anstream::eprintln!("counterfoil: there are more: ask again with --after {}", last.record);
    }
    let mut rows = tables::dead_letters(&response.dead_letters);
    if after.is_some() && response.dead_letters.is_empty() {
        rows.title = vec!["After that record, everything could be read.".to_owned()];
    }
    output::print(format, &response, &response.dead_letters, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// So many dead letters after a record, page by page; all of them, or those that were not put through since.
fn letters(client: &Client, after: Option<u64>, limit: usize, all: bool) -> Result<ListDeadLettersResponse> {
    let mut response = ListDeadLettersResponse::default();
    loop {
        let request = ListDeadLettersRequest {
            min_tree_size: 0,
            from: after.map_or(0, |after| after.saturating_add(1)),
            page_size: (limit - response.dead_letters.len()).min(PAGE_LETTERS) as i32,
            page_token: std::mem::take(&mut response.next_page_token),
            with_retried: all,
        };
        let page = client.sources(|mut sources| async move { sources.list_dead_letters(request).await })?;
        response.dead_letters.extend(page.dead_letters);
        (response.basis, response.next_page_token) = (page.basis, page.next_page_token);
        if response.next_page_token.is_empty() || response.dead_letters.len() >= limit {
            return Ok(response);
        }
    }
}

fn show(ask: &AskArguments, place: Place, format: Format) -> Result<Exit> {
    let client = Client::new(ask)?;
    record::read(&client, place)?;
    let request = GetDeadLetterRequest { record: place.record.0, min_tree_size: 0 };
    let response = client.sources(|mut sources| async move { sources.get_dead_letter(request).await })?;
    let letter = response.dead_letter.context("the server gave no dead letter")?;
    if format == Format::Table {
        anstream::eprintln!("{}: {}", output::safe(&letter.reason), output::safe(&letter.error));
        response.basis.iter().for_each(|basis| anstream::eprintln!("{}", output::show_basis(basis)));
        let mut out = std::io::stdout().lock();
        out.write_all(output::safe_lines(&letter.content).as_bytes())?;
        return Ok(Exit::Done);
    }
    let rows = tables::dead_letters(std::slice::from_ref(&letter));
    output::print(format, &letter, &[&letter], &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
