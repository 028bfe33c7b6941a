//! `counterfoil sources`.

use anyhow::Result;
use counterfoil_proto::v1::ListSourcesRequest;

use crate::cli::SourcesArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::{output, tables};

pub fn run(arguments: &SourcesArguments) -> Result<Exit> {
    let client = Client::new(&arguments.ask)?;
    let request = ListSourcesRequest::default();
    let response = client.sources(|mut sources| async move { sources.list_sources(request).await })?;
    let rows = tables::sources(&response);
    output::print(arguments.output.output, &response, &response.sources, &rows, response.basis.as_ref())?;
    Ok(Exit::Done)
}
