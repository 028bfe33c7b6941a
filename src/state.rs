//! `counterfoil state`.

use anyhow::Result;

use crate::cli::{Exit, StateArguments};
use crate::{open, output, tables, who};

pub fn run(arguments: &StateArguments) -> Result<Exit> {
    let (at, known) = (arguments.moment.at(), arguments.moment.known_at());
    let format = arguments.output.output;
    let opened = open::views(&arguments.ledger)?;
    let query = opened.views.query()?;
    let entity = match who::find(&query, &arguments.who, at, known, format)? {
        Ok(entity) => entity,
        Err(exit) => return Ok(exit),
    };
    let response = query.state(&entity, at, known)?;
    let items: Vec<_> = response.state.iter().collect();
    output::print(format, &response, &items, &tables::state(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
}
