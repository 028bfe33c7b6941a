//! `counterfoil remap`.

use anyhow::{Context, Result};
use counterfoil_proto::v1::{RemapRequest, RemapResponse};
use counterfoil_verify::entity::check_name;
use tonic::Response;

use crate::cli::RemapArguments;
use crate::client::Client;
use crate::exit::{Exit, Refused};
use crate::open;
use crate::output::{self, Rows, safe};
use crate::words::counted;

pub fn run(arguments: &RemapArguments) -> Result<Exit> {
    check_name(&arguments.ticket_instance).map_err(|error| Refused::Wrong(format!("--ticket-instance: {error}")))?;
    let client = Client::appending(&arguments.ask, arguments.accept_clock)?;
    let (system, instance) = arguments.source.clone().unwrap_or_default();
    let request = RemapRequest {
        connector: arguments.connector.clone(),
        system,
        instance,
        ticket_instance: arguments.ticket_instance.clone(),
        dry_run: arguments.dry_run,
    };
    let bar = open::bar("Reading again", "records");
    let shown = &bar;
    let last = client.ingest(|mut ingest| async move {
        let mut answers = ingest.remap(request).await?.into_inner();
        let mut last = None;
        while let Some(answer) = answers.message().await? {
            shown.set_length(answer.records);
            shown.set_position(answer.looked_at);
            last = Some(answer);
        }
        Ok(Response::new(last))
    });
    bar.finish_and_clear();
    let response = last?.filter(|last| last.basis.is_some()).context("it broke off: to do it again goes on")?;
    output::print(arguments.output.output, &response, &[&response], &rows(&response), response.basis.as_ref())?;
    if let Some(first) = &response.first_unreadable {
        let events = counted(response.unreadable, "event");
        let why = if first.error.is_empty() { "why is shown to the role payload" } else { &first.error };
        let record = first.record;
        anstream::eprintln!(
            "counterfoil: {events} cannot be read any more; the first is record {record}: {}",
            safe(why)
        );
    }
    Ok(Exit::Done)
}

fn rows(response: &RemapResponse) -> Rows {
    let read_by = format!("{} {}", response.connector, response.connector_version);
    let counts = [
        response.events,
        response.same,
        response.remapped,
        response.listings,
        response.removed,
        response.newer,
        response.unreadable,
    ];
    let row = std::iter::once(read_by).chain(counts.iter().map(u64::to_string)).collect();
    Rows {
        title: response.dry_run.then(|| "Nothing was appended: this only counts.".to_owned()).into_iter().collect(),
        columns: vec!["read by", "events", "same", "remapped", "listings", "removed", "newer", "unreadable"],
        rows: vec![row],
    }
}
