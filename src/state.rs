//! `counterfoil state`.

use anyhow::Result;
use counterfoil_proto::v1::GetStateRequest;

use crate::cli::StateArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, who};

pub fn run(arguments: &StateArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    let (at, known_at) = (arguments.moment.at, arguments.moment.known_at);
    client.tell_beginning(known_at)?;
    let request = GetStateRequest {
        who: arguments.who.who.clone(),
        system: arguments.who.system.clone().unwrap_or_default(),
        at: timestamp(at),
        known_at: timestamp(known_at),
        min_tree_size: 0,
        with_proof: false,
        person: arguments.person.person,
    };
    let response = client.identity(|mut identity| async move { identity.get_state(request).await });
    who::answered(&client, &arguments.who, (at, known_at), arguments.output.output, response, |response| {
        let items: Vec<_> = response.state.iter().collect();
        let basis = response.basis.as_ref();
        output::print(arguments.output.output, response, &items, &tables::state(response), basis)
    })
}
