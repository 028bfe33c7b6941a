//! `counterfoil deadletter`.

use std::io::Write;

use anyhow::Result;
use counterfoil_proto::v1::{DeadLetter, ListDeadLettersResponse};
use counterfoil_verify::tree::RecordIndex;

use crate::cli::{DeadletterArguments, DeadletterVerb, Exit, Format, LedgerArguments, Place};
use crate::{open, output, tables};

/// Dead letters asked for at a time.
const PAGE_LETTERS: usize = 1_000;

pub fn run(arguments: &DeadletterArguments) -> Result<Exit> {
    match &arguments.verb {
        DeadletterVerb::List { ledger, after, limit, output } => list(ledger, *after, *limit, output.output),
        DeadletterVerb::Show { place, ledger, output } => show(ledger, *place, output.output),
    }
}

fn list(ledger: &LedgerArguments, after: Option<u64>, limit: usize, format: Format) -> Result<Exit> {
    let opened = open::views(ledger)?;
    let query = opened.views.query()?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut letters: Vec<DeadLetter> = Vec::new();
    let mut last = after;
    // One more than is wanted tells whether there are more.
    while letters.len() <= limit {
        let from = last.map_or(0, |last| last.saturating_add(1));
        let page = query.dead_letters(RecordIndex(from), PAGE_LETTERS)?.dead_letters;
        let Some(end) = page.last() else { break };
        last = Some(end.record);
        letters.extend(page);
    }
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    if let (true, Some(last)) = (has_more, letters.last()) {
        anstream::eprintln!("counterfoil: there are more: ask again with --after {}", last.record);
    }
    let response = ListDeadLettersResponse { basis: Some(query.basis()), dead_letters: letters };
    let mut rows = tables::dead_letters(&response);
    if after.is_some() && response.dead_letters.is_empty() {
        rows.title = vec!["After that record, everything could be read.".to_owned()];
    }
    output::print(format, &response, &response.dead_letters, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn show(ledger: &LedgerArguments, place: Place, format: Format) -> Result<Exit> {
    let opened = open::views(ledger)?;
    let query = opened.views.query()?;
    // A record that is not there is told from one that holds something else.
    opened.reader().record(place.record)?;
    open::check(&opened.reader(), place)?;
    let letter = query.dead_letter(place.record)?;
    if format == Format::Table {
        anstream::eprintln!("{}: {}", output::safe(&letter.reason), output::safe(&letter.error));
        anstream::eprintln!("{}", output::show_basis(&query.basis()));
        let mut out = std::io::stdout().lock();
        out.write_all(output::safe_lines(&letter.content).as_bytes())?;
        return Ok(Exit::Done);
    }
    let rows = tables::dead_letters(&ListDeadLettersResponse { basis: None, dead_letters: vec![letter.clone()] });
    output::print(format, &letter, &[&letter], &rows, Some(&query.basis()))?;
    Ok(Exit::Done)
}
