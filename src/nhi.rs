//! `counterfoil nhi`.

use anyhow::Result;
use clap::builder::TypedValueParser;
use counterfoil_proto::v1::{IdentityType, ListNonHumanIdentitiesRequest, ListNonHumanIdentitiesResponse, RegisterGap};

use crate::cli::{NhiArguments, NhiListArguments, NhiVerb};
use crate::client::{Client, timestamp};
use crate::exit::Exit;
use crate::explain::{enumerated, named};
use crate::{import, output, tables, words};

/// The connector that reads registers.
const CONNECTOR: &str = "nhi";

pub fn run(arguments: &NhiArguments) -> Result<Exit> {
    match &arguments.verb {
        NhiVerb::Import(table) => import::table(CONNECTOR, table),
        NhiVerb::List(arguments) => list(arguments),
    }
}

fn list(arguments: &NhiListArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let response = read(&client, arguments)?;
    let rows = tables::non_human_identities(&response);
    output::print(arguments.output.output, &response, &response.identities, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// All pages.
fn read(client: &Client, arguments: &NhiListArguments) -> Result<ListNonHumanIdentitiesResponse> {
    let mut request = ListNonHumanIdentitiesRequest {
        system: arguments.system.clone().unwrap_or_default(),
        types: arguments.types.iter().map(|one| i32::from(*one)).collect(),
        gaps: arguments.gaps.iter().map(|gap| i32::from(*gap)).collect(),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        ..ListNonHumanIdentitiesRequest::default()
    };
    let ask = |request: ListNonHumanIdentitiesRequest| {
        client.identity(|mut identity| async move { identity.list_non_human_identities(request).await })
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

/// Types of non-human identities on the command line, such as "service-account".
pub fn types() -> impl TypedValueParser<Value = IdentityType> {
    let mut types = enumerated(IdentityType::try_from);
    types.retain(|one| *one != IdentityType::Human);
    named(types, |one| spelt(one.as_str_name(), "IDENTITY_TYPE_"))
}

/// Gaps on the command line, such as "no-owner".
pub fn gaps() -> impl TypedValueParser<Value = RegisterGap> {
    named(enumerated(RegisterGap::try_from), |gap| spelt(gap.as_str_name(), "REGISTER_GAP_"))
}

fn spelt(name: &str, prefix: &str) -> String {
    words::word(name, prefix).replace(' ', "-")
}
