//! `counterfoil state`.

use anyhow::Result;

use crate::cli::{Exit, StateArguments};
use crate::{output, tables, who};

pub fn run(arguments: &StateArguments) -> Result<Exit> {
    let (at, known) = (arguments.moment.at(), arguments.moment.known_at());
    let format = arguments.output.output;
    who::ask(&arguments.ledger, &arguments.who, (at, known), format, |query, entity| {
        let response = query.state(&entity, at, known)?;
        let items: Vec<_> = response.state.iter().collect();
        output::print(format, &response, &items, &tables::state(&response), response.basis.as_ref())
    })
}
