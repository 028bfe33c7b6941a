//! `counterfoil holders`.

use anyhow::Result;
use counterfoil_proto::v1::{ListHoldersRequest, ListHoldersResponse};

use crate::cli::HoldersArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, who};

/// Holders asked for at a time.
const PAGE_HOLDERS: i32 = 10_000;

pub fn run(arguments: &HoldersArguments) -> Result<Exit> {
    let (at, known_at) = (arguments.moment.at, arguments.moment.known_at);
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(known_at)?;
    let format = arguments.output.output;
    let response = read(&client, arguments);
    who::answered(&client, &arguments.who, (at, known_at), format, response, |response| {
        let basis = response.basis.as_ref();
        match arguments.effective {
            true => output::print(format, response, &response.effective, &tables::effective_holders(response), basis),
            false => output::print(format, response, &response.holders, &tables::holders(response), basis),
        }
    })
}

/// All pages; what had run out comes last.
fn read(client: &Client, arguments: &HoldersArguments) -> Result<ListHoldersResponse> {
    let mut request = ListHoldersRequest {
        who: arguments.who.who.clone(),
        system: arguments.who.system.clone().unwrap_or_default(),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        min_tree_size: 0,
        with_proof: false,
        page_size: PAGE_HOLDERS,
        page_token: String::new(),
        effective: arguments.effective,
        filter: arguments.filter.clone().unwrap_or_default(),
    };
    let ask = |request: ListHoldersRequest| {
        client.identity(|mut identity| async move { identity.list_holders(request).await })
    };
    let mut read = ask(request.clone())?;
    while !read.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut read.next_page_token);
        let page = ask(request.clone())?;
        read.holders.extend(page.holders);
        read.effective.extend(page.effective);
        read.next_page_token = page.next_page_token;
    }
    read.holders.sort_by_key(|holder| holder.lapsed);
    Ok(read)
}
