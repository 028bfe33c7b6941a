//! `counterfoil trace`: the trail of a ticket.

use anyhow::Result;
use counterfoil_proto::v1::TraceTicketRequest;

use crate::cli::{Format, TraceArguments, WhoArguments};
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::output::{self, table};
use crate::{tables, who};

pub fn run(arguments: &TraceArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    let (at, known_at) = (arguments.moment.at, arguments.moment.known_at);
    client.tell_beginning(known_at)?;
    let request = TraceTicketRequest {
        ticket: arguments.ticket.clone(),
        at: timestamp(at),
        known_at: timestamp(known_at),
        min_tree_size: 0,
        with_proof: false,
    };
    let response = client.linkage(|mut linkage| async move { linkage.trace_ticket(request).await });
    let who = WhoArguments { who: arguments.ticket.clone(), system: None };
    let format = arguments.output.output;
    who::answered(&client, &who, (at, known_at), format, response, |response| {
        if format == Format::Table {
            anstream::println!("{}", table(&tables::trail(response)));
        }
        let rows = tables::trace_steps(response);
        output::print(format, response, &response.steps, &rows, response.basis.as_ref())
    })
}
