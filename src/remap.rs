//! `counterfoil remap`.

use anyhow::{Context, Result};
use counterfoil_ingest::connectors::{self, Connector};
use counterfoil_ingest::remap::{RemapOptions, Remapped, remap};
use counterfoil_proto::v1::{Basis, RemapResponse};
use counterfoil_verify::entity::check_name;

use crate::cli::RemapArguments;
use crate::exit::{Exit, Refused};
use crate::open;
use crate::output::{self, Rows, safe};
use crate::words::counted;

pub fn run(arguments: &RemapArguments) -> Result<Exit> {
    let connector = connectors::by_name(&arguments.connector).context("the connector is not known")?;
    check_name(&arguments.ticket_instance).map_err(|error| Refused::Wrong(format!("--ticket-instance: {error}")))?;
    let ledger = open::ledger(&open::location(&arguments.ledger), arguments.accept_clock)?;
    let options = RemapOptions {
        connector: connector.as_ref(),
        source: arguments.source.clone(),
        ticket_instance: arguments.ticket_instance.clone(),
        dry_run: arguments.dry_run,
        seed_secret: open::entropy(),
    };
    let bar = open::bar("Reading again", "records");
    let done = remap(&ledger, &options, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let done = done?;
    let head = ledger.reader().head();
    let basis = Basis {
        origin: head.origin.as_str().to_owned(),
        tree_size: head.size.0,
        root: head.root.as_bytes().to_vec(),
        ..Basis::default()
    };
    let response = message(connector.as_ref(), &done, arguments.dry_run, basis);
    output::print(arguments.output.output, &response, &[&response], &rows(&response), response.basis.as_ref())?;
    if let Some((record, why)) = &done.example {
        let events = counted(done.unreadable, "event");
        anstream::eprintln!(
            "counterfoil: {events} cannot be read any more; the first is record {record}: {}",
            safe(why)
        );
    }
    Ok(Exit::Done)
}

fn message(connector: &dyn Connector, done: &Remapped, dry_run: bool, basis: Basis) -> RemapResponse {
    RemapResponse {
        basis: Some(basis),
        connector: connector.name().to_owned(),
        connector_version: connector.version(),
        events: done.events,
        same: done.same,
        remapped: done.remapped,
        listings: done.listings,
        removed: done.removed,
        newer: done.newer,
        unreadable: done.unreadable,
        dry_run,
    }
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
