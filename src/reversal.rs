//! `counterfoil reversal`: what would undo changes.

use anyhow::Result;
use counterfoil_proto::v1::PlanReversalRequest;

use crate::cli::ReversalArguments;
use crate::client::{Client, timestamp};
use crate::exit::{Exit, Refused};
use crate::{output, tables};

pub fn run(arguments: &ReversalArguments) -> Result<Exit> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to)
        && from > to
    {
        let why = "--from is after --to: name the earlier moment with --from".to_owned();
        return Err(Refused::Wrong(why).into());
    }
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let request = PlanReversalRequest {
        change: arguments.change.clone().unwrap_or_default(),
        ticket: arguments.ticket.clone().unwrap_or_default(),
        by: arguments.by.clone().unwrap_or_default(),
        from: timestamp(arguments.from),
        to: timestamp(arguments.to),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        min_tree_size: 0,
        with_proof: false,
    };
    let response = client.linkage(|mut linkage| async move { linkage.plan_reversal(request).await })?;
    let rows = tables::reversal(&response);
    output::print(arguments.output.output, &response, &response.steps, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
