//! `counterfoil diff`.

use anyhow::Result;
use counterfoil_verify::time::{OccurredAt, RecordedAt};

use crate::cli::{DiffArguments, Exit, check_period};
use crate::{output, tables, who};

pub fn run(arguments: &DiffArguments) -> Result<Exit> {
    let before = (OccurredAt(arguments.from), arguments.from_known_at.map(RecordedAt));
    let after = (arguments.moment.at(), arguments.moment.known_at());
    check_period(Some(before.0.0), Some(after.0.0))?;
    let format = arguments.output.output;
    who::ask(&arguments.ledger, &arguments.who, after, format, |query, entity| {
        let response = query.diff(&entity, before, after)?;
        output::print(format, &response, &response.differences, &tables::diff(&response), response.basis.as_ref())
    })
}
