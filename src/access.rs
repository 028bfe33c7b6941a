//! `counterfoil access`.

use anyhow::Result;
use counterfoil_proto::v1::{GetEffectiveAccessRequest, GetEffectiveAccessResponse};

use crate::cli::AccessArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, who};

pub fn run(arguments: &AccessArguments) -> Result<Exit> {
    let (at, known_at) = (arguments.moment.at, arguments.moment.known_at);
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(known_at)?;
    let format = arguments.output.output;
    let response = read(&client, arguments);
    who::answered(&client, &arguments.who, (at, known_at), format, response, |response| {
        output::print(format, response, &response.accesses, &tables::access(response), response.basis.as_ref())
    })
}

/// All pages.
fn read(client: &Client, arguments: &AccessArguments) -> Result<GetEffectiveAccessResponse> {
    let mut request = GetEffectiveAccessRequest {
        who: arguments.who.who.clone(),
        system: arguments.who.system.clone().unwrap_or_default(),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        to: arguments.to.clone().unwrap_or_default(),
        all_paths: arguments.all_paths,
        ..GetEffectiveAccessRequest::default()
    };
    let ask = |request: GetEffectiveAccessRequest| {
        client.identity(|mut identity| async move { identity.get_effective_access(request).await })
    };
    let mut read = ask(request.clone())?;
    while !read.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut read.next_page_token);
        let page = ask(request.clone())?;
        read.accesses.extend(page.accesses);
        read.next_page_token = page.next_page_token;
    }
    Ok(read)
}
