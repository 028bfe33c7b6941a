//! `counterfoil blast`.

use anyhow::Result;
use counterfoil_proto::v1::GetBlastRadiusRequest;

use crate::cli::{BlastArguments, check_period};
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, who};

pub fn run(arguments: &BlastArguments) -> Result<Exit> {
    let (at, known_at) = (arguments.moment.at, arguments.moment.known_at);
    check_period(arguments.from, at)?;
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(known_at)?;
    let request = GetBlastRadiusRequest {
        who: arguments.who.who.clone(),
        system: arguments.who.system.clone().unwrap_or_default(),
        at: timestamp(at),
        known_at: timestamp(known_at),
        min_tree_size: 0,
        with_proof: false,
        past_from: timestamp(arguments.from),
    };
    let format = arguments.output.output;
    let response = client.identity(|mut identity| async move { identity.get_blast_radius(request).await });
    who::answered(&client, &arguments.who, (at, known_at), format, response, |response| {
        output::print(format, response, &[response], &tables::blast(response), response.basis.as_ref())
    })
}
