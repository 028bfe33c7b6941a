//! `counterfoil snapshot`.

use anyhow::{Context, Result};
use counterfoil_ingest::connectors;
use counterfoil_ingest::snapshot::{self, File, SnapshotOptions, read, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ingest::sources::receipt;
use counterfoil_proto::v1::snapshot_request::Part;
use counterfoil_proto::v1::{
    self, Authentication, Completeness, Precision, SnapshotPage, SnapshotRequest, SnapshotResponse,
};
use counterfoil_verify::entity::check_name;

use crate::cli::SnapshotArguments;
use crate::client::{CLOCK_OF_SERVER, Client, NoAnswer, timestamp};
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows};
use crate::when::show_timestamp;
use crate::words::{counted, word};
use crate::{import, open, when};

pub fn run(arguments: &SnapshotArguments) -> Result<Exit> {
    check_name(&arguments.instance).map_err(|error| Refused::Wrong(format!("--instance: {error}")))?;
    let inputs: Vec<Input> = import::files(&arguments.files)?.iter().map(|file| Input::new(file)).collect();
    let response = match Client::of_server(&arguments.ask)? {
        Some(_) if arguments.accept_clock => {
            return Err(Refused::Wrong(CLOCK_OF_SERVER.to_owned()).into());
        }
        Some(client) => hand_over(&client, read(&inputs)?, arguments)?,
        None => take_here(&inputs, arguments)?,
    };
    tell(&response);
    let format = arguments.output.output;
    output::print(format, &response, &response.listings, &rows(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
}

/// Takes listings into a ledger that this program opens.
fn take_here(inputs: &[Input], arguments: &SnapshotArguments) -> Result<SnapshotResponse> {
    let connector = connectors::by_name(&arguments.connector).context("the connector is not known")?;
    let ledger = open::ledger(&open::location_of(&arguments.ask)?, arguments.accept_clock)?;
    let options = SnapshotOptions {
        instance: arguments.instance.clone(),
        target: arguments.scope.clone(),
        as_of: arguments.as_of.map(|as_of| as_of.to_time(Precision::Second)),
        stated: arguments.complete,
        authentication: Authentication::OperatorFile,
        received_at: when::now(),
        seed_secret: open::entropy(),
    };
    let taken = take(&ledger, connector.as_ref(), &read(inputs)?, &options);
    let taken = taken.map_err(|error| NoAnswer(Box::new(receipt::of_snapshot(&error))))?;
    Ok(snapshot::response(&taken, &ledger.reader().head()))
}

/// Hands files over to a server.
fn hand_over(client: &Client, files: Vec<File>, arguments: &SnapshotArguments) -> Result<SnapshotResponse> {
    let options = v1::SnapshotOptions {
        connector: arguments.connector.clone(),
        instance: arguments.instance.clone(),
        scope: arguments.scope.clone().unwrap_or_default(),
        as_of: timestamp(arguments.as_of),
        complete: arguments.complete,
    };
    let pages = files.into_iter().map(|file| Part::Page(SnapshotPage { name: file.name, content: file.bytes }));
    let parts = std::iter::once(Part::Options(options)).chain(pages);
    let parts: Vec<SnapshotRequest> = parts.map(|part| SnapshotRequest { part: Some(part) }).collect();
    client.ingest(|mut ingest| async move { ingest.snapshot(tokio_stream::iter(parts)).await })
}

/// Says what deserves a look.
fn tell(response: &SnapshotResponse) {
    let is_incomplete = |listing: &&v1::ListingSummary| listing.completeness() != Completeness::Complete;
    let incomplete = response.listings.iter().filter(is_incomplete).count();
    if incomplete > 0 {
        let listings = counted(incomplete as u64, "listing");
        anstream::eprintln!("counterfoil: {listings} incomplete: what is not in them may be live all the same");
    }
    let rejected = response.strange + response.listings.iter().map(|listing| listing.rejected).sum::<u64>();
    if rejected > 0 {
        anstream::eprintln!("{rejected} could not be read and are kept: see `counterfoil deadletter list`");
    }
    if response.listings.is_empty() && rejected == 0 {
        anstream::eprintln!("counterfoil: nothing was taken: there is no page in what was given");
    }
}

fn rows(response: &SnapshotResponse) -> Rows {
    let row = |listing: &v1::ListingSummary| {
        let mut completeness = word(listing.completeness().as_str_name(), "COMPLETENESS_");
        if !listing.reason.is_empty() {
            completeness.push_str(&format!(": {}", listing.reason));
        }
        let counts = [listing.pages, listing.count, listing.events, listing.duplicates, listing.rejected];
        let mut row = vec![listing.scope.clone(), completeness, show_timestamp(&listing.as_of)];
        row.extend(counts.iter().map(u64::to_string));
        row
    };
    Rows {
        title: Vec::new(),
        columns: vec!["listing", "", "as of", "pages", "items", "new", "known", "rejected"],
        rows: response.listings.iter().map(row).collect(),
    }
}
