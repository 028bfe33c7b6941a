//! `counterfoil reconcile`.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::cli::{Exit, ReconcileArguments, Refused};
use crate::{open, output, tables};

pub fn run(arguments: &ReconcileArguments) -> Result<Exit> {
    let (at, known) = (arguments.moment.at(), arguments.moment.known_at());
    let opened = open::views(&arguments.ledger)?;
    opened.tell_beginning(known)?;
    let query = opened.views.query()?;
    let system = &arguments.system;
    let systems: BTreeSet<String> = query.sources()?.sources.into_iter().map(|source| source.system).collect();
    if !systems.iter().any(|known| known.eq_ignore_ascii_case(system)) {
        let systems = systems.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Refused::NotFound(format!("no source has the system {system:?}: there are {systems}")).into());
    }
    let response = query.reconcile(system, arguments.instance.as_deref(), at, known)?;
    let rows = tables::reconciled(&response);
    output::print(arguments.output.output, &response, &response.items, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
