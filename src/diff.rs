//! `counterfoil diff`.

use anyhow::Result;

use crate::cli::{DiffArguments, Exit};
use crate::{open, output, tables, when, who};

pub fn run(arguments: &DiffArguments) -> Result<Exit> {
    let before = (when::at(Some(&arguments.from))?, when::known_at(arguments.from_known_at.as_deref())?);
    let after = (when::at(arguments.moment.at.as_deref())?, when::known_at(arguments.moment.known_at.as_deref())?);
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
