//! `counterfoil identities`.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use counterfoil_proto::v1::{Capability, ListCapableIdentitiesRequest, ListCapableIdentitiesResponse};

use crate::cli::IdentitiesArguments;
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::{output, tables, words};

/// Identities asked for at a time.
const PAGE_IDENTITIES: i32 = 1_000;
/// Every capability by which identities are altered.
const ALTER: &str = "alter-identities";

pub fn run(arguments: &IdentitiesArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let response = read(&client, arguments)?;
    let (format, rows) = (arguments.output.output, tables::capable(&response));
    output::print(format, &response, &response.identities, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// All pages.
fn read(client: &Client, arguments: &IdentitiesArguments) -> Result<ListCapableIdentitiesResponse> {
    let mut capabilities: Vec<Capability> = arguments.can.iter().flatten().copied().collect();
    if arguments.can.contains(&None) && !capabilities.is_empty() {
        capabilities.extend(counterfoil_verify::capability::ALTERING);
    }
    let mut request = ListCapableIdentitiesRequest {
        capabilities: capabilities.into_iter().map(i32::from).collect(),
        system: arguments.system.clone().unwrap_or_default(),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        min_tree_size: 0,
        with_proof: false,
        non_human: arguments.non_human,
        may_act: arguments.may_act,
        page_size: PAGE_IDENTITIES,
        page_token: String::new(),
    };
    let ask = |request: ListCapableIdentitiesRequest| {
        client.identity(|mut identity| async move { identity.list_capable_identities(request).await })
    };
    let mut read = ask(request.clone())?;
    while !read.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut read.next_page_token);
        let page = ask(request.clone())?;
        read.identities.extend(page.identities);
        read.next_page_token = page.next_page_token;
    }
    Ok(read)
}

/// Capabilities on the command line, such as "reset-passwords"; none is all that alter identities.
pub fn capabilities() -> impl TypedValueParser<Value = Option<Capability>> {
    let all = (1..=i32::from(u8::MAX)).filter_map(|number| Capability::try_from(number).ok());
    let named: Vec<(String, Option<Capability>)> = [(ALTER.to_owned(), None)]
        .into_iter()
        .chain(all.map(|one| (words::capability(one).replace(' ', "-"), Some(one))))
        .collect();
    let possible = PossibleValuesParser::new(named.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    possible.map(move |given| {
        let found = named.iter().find(|(name, _)| *name == given);
        found.expect("the parser takes no other").1
    })
}
