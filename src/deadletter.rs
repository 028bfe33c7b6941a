//! `counterfoil deadletter`.

use std::io::Write;

use anyhow::Result;
use counterfoil_verify::tree::RecordIndex;

use crate::cli::{DeadletterArguments, DeadletterVerb, Exit, Format, LedgerArguments};
use crate::{open, output, tables};

/// Dead letters listed in one answer.
const LISTED_MAX: usize = 10_000;

pub fn run(arguments: &DeadletterArguments) -> Result<Exit> {
    match &arguments.verb {
        DeadletterVerb::List { ledger, output } => list(ledger, output.output),
        DeadletterVerb::Show { index, ledger, output } => show(ledger, RecordIndex(*index), output.output),
    }
}

fn list(ledger: &LedgerArguments, format: Format) -> Result<Exit> {
    let opened = open::views(ledger)?;
    let response = opened.views.query()?.dead_letters(RecordIndex(0), LISTED_MAX)?;
    let rows = tables::dead_letters(&response);
    output::print(format, &response, &response.dead_letters, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn show(ledger: &LedgerArguments, index: RecordIndex, format: Format) -> Result<Exit> {
    let opened = open::views(ledger)?;
    let letter = opened.views.query()?.dead_letter(index)?;
    if format == Format::Table {
        anstream::eprintln!("{}: {}", output::safe(&letter.reason), output::safe(&letter.error));
        let mut out = std::io::stdout().lock();
        out.write_all(output::safe_lines(&letter.content).as_bytes())?;
        return Ok(Exit::Done);
    }
    let rows = tables::dead_letters(&counterfoil_proto::v1::ListDeadLettersResponse {
        basis: None,
        dead_letters: vec![letter.clone()],
    });
    output::print(format, &letter, &[&letter], &rows, None)?;
    Ok(Exit::Done)
}
