//! `counterfoil nhi`.

use anyhow::Result;
use clap::builder::TypedValueParser;
use counterfoil_proto::v1::{
    GetInventoryReportRequest, IdentityType, ListIntegrationPathsRequest, ListIntegrationPathsResponse,
    ListNonHumanIdentitiesRequest, ListNonHumanIdentitiesResponse, RegisterGap,
};

use crate::cli::{NhiArguments, NhiListArguments, NhiPathsArguments, NhiReportArguments, NhiVerb};
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
        NhiVerb::Paths(arguments) => paths(arguments),
        NhiVerb::Report(arguments) => report(arguments),
    }
}

fn list(arguments: &NhiListArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let response = read_identities(&client, arguments)?;
    let rows = tables::non_human_identities(&response);
    output::print(arguments.output.output, &response, &response.identities, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn paths(arguments: &NhiPathsArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let response = read_paths(&client, arguments)?;
    let rows = tables::integration_paths(&response);
    output::print(arguments.output.output, &response, &response.paths, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn report(arguments: &NhiReportArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    client.tell_beginning(arguments.moment.known_at)?;
    let request = GetInventoryReportRequest {
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        min_tree_size: 0,
        with_proof: false,
    };
    let response = client.identity(|mut identity| async move { identity.get_inventory_report(request).await })?;
    let rows = tables::inventory_report(&response);
    output::print(arguments.output.output, &response, &response.counts, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// All pages.
fn read_identities(client: &Client, arguments: &NhiListArguments) -> Result<ListNonHumanIdentitiesResponse> {
    let mut request = ListNonHumanIdentitiesRequest {
        system: arguments.system.clone().unwrap_or_default(),
        types: arguments.types.iter().map(|one| i32::from(*one)).collect(),
        gaps: codes(&arguments.gaps),
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

/// All pages.
fn read_paths(client: &Client, arguments: &NhiPathsArguments) -> Result<ListIntegrationPathsResponse> {
    let mut request = ListIntegrationPathsRequest {
        system: arguments.system.clone().unwrap_or_default(),
        gaps: codes(&arguments.gaps),
        at: timestamp(arguments.moment.at),
        known_at: timestamp(arguments.moment.known_at),
        ..ListIntegrationPathsRequest::default()
    };
    let ask = |request: ListIntegrationPathsRequest| {
        client.identity(|mut identity| async move { identity.list_integration_paths(request).await })
    };
    let mut read = ask(request.clone())?;
    while !read.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut read.next_page_token);
        let page = ask(request.clone())?;
        read.paths.extend(page.paths);
        read.next_page_token = page.next_page_token;
    }
    Ok(read)
}

fn codes(gaps: &[RegisterGap]) -> Vec<i32> {
    gaps.iter().map(|gap| i32::from(*gap)).collect()
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
