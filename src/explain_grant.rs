//! `counterfoil explain-grant`: what gave an access, and what took it away.

use anyhow::Result;
use counterfoil_proto::v1::ExplainGrantRequest;

use crate::cli::ExplainGrantArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables};

pub fn run(arguments: &ExplainGrantArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let request = ExplainGrantRequest {
        who: arguments.who.clone(),
        entitlement: arguments.entitlement.clone(),
        system: arguments.system.clone().unwrap_or_default(),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        min_tree_size: 0,
        with_proof: false,
    };
    let response = client.linkage(|mut linkage| async move { linkage.explain_grant(request).await })?;
    let rows = tables::grants(&response);
    output::print(arguments.output.output, &response, &response.grants, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
