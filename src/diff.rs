//! `counterfoil diff`.

use anyhow::Result;
use counterfoil_proto::v1::DiffStateRequest;

use crate::cli::{DiffArguments, check_period};
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, when, who};

pub fn run(arguments: &DiffArguments) -> Result<Exit> {
    let (at, known_at) = (arguments.moment.at, arguments.moment.known_at);
    check_period(Some(arguments.from), Some(at.unwrap_or_else(when::now)))?;
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(known_at)?;
    let request = DiffStateRequest {
        who: arguments.who.who.clone(),
        system: arguments.who.system.clone().unwrap_or_default(),
        from: timestamp(Some(arguments.from)),
        from_known_at: timestamp(arguments.from_known_at),
        at: timestamp(at),
        known_at: timestamp(known_at),
        min_tree_size: 0,
        with_proof: false,
        person: arguments.person.person,
    };
    let response = client.identity(|mut identity| async move { identity.diff_state(request).await });
    let format = arguments.output.output;
    who::answered(&client, &arguments.who, (at, known_at), format, response, |response| {
        output::print(format, response, &response.differences, &tables::diff(response), response.basis.as_ref())
    })
}
