//! `counterfoil sources`.

use anyhow::Result;

use crate::cli::{Exit, SourcesArguments};
use crate::{open, output, tables};

pub fn run(arguments: &SourcesArguments) -> Result<Exit> {
    let opened = open::views(&arguments.ledger)?;
    let response = opened.views.query()?.sources()?;
    let rows = tables::sources(&response);
    output::print(arguments.output.output, &response, &response.sources, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
