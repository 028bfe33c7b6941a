//! `counterfoil affected`.

use anyhow::Result;
use counterfoil_proto::v1::{ListAffectedRequest, ListAffectedResponse};

use crate::cli::AffectedArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables};

/// Holders compared at a time.
const PAGE_HOLDERS: i32 = 1_000;

pub fn run(arguments: &AffectedArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.known_at)?;
    let response = read(&client, arguments)?;
    let (format, rows) = (arguments.output.output, tables::affected(&response));
    output::print(format, &response, &response.affected, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// All pages.
fn read(client: &Client, arguments: &AffectedArguments) -> Result<ListAffectedResponse> {
    let mut request = ListAffectedRequest {
        change: arguments.change.clone(),
        known_at: timestamp(arguments.known_at),
        min_tree_size: 0,
        with_proof: false,
        page_size: PAGE_HOLDERS,
        page_token: String::new(),
    };
    let ask = |request: ListAffectedRequest| {
        client.identity(|mut identity| async move { identity.list_affected(request).await })
    };
    let mut read = ask(request.clone())?;
    while !read.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut read.next_page_token);
        let page = ask(request.clone())?;
        read.affected.extend(page.affected);
        read.cut |= page.cut;
        read.next_page_token = page.next_page_token;
    }
    Ok(read)
}
