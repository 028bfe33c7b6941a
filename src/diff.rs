//! `counterfoil diff`.

use anyhow::{Result, bail};
use counterfoil_verify::time::{OccurredAt, RecordedAt};

use crate::cli::{DiffArguments, Exit};
use crate::{open, output, tables, who};

pub fn run(arguments: &DiffArguments) -> Result<Exit> {
    let before = (OccurredAt(arguments.from), arguments.from_known_at.map(RecordedAt));
    let after = (arguments.moment.at(), arguments.moment.known_at());
    if before.0 > after.0 {
        bail!("--from is after --at: name the earlier moment with --from");
    }
    let format = arguments.output.output;
    let opened = open::views(&arguments.ledger)?;
    let query = opened.views.query()?;
    let entity = match who::find(&query, &arguments.who, after.0, after.1, format)? {
        Ok(entity) => entity,
        Err(exit) => return Ok(exit),
    };
    let response = query.diff(&entity, before, after)?;
    output::print(format, &response, &response.differences, &tables::diff(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
}
