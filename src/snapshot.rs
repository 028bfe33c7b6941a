//! `counterfoil snapshot`.

use anyhow::{Context, Result};
use counterfoil_ingest::connectors;
use counterfoil_ingest::snapshot::{ListingSummary, SnapshotError, SnapshotOptions, Taken, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_proto::v1::{self, Basis, Completeness, Precision, SnapshotResponse};
use counterfoil_verify::entity::check_name;

use crate::cli::SnapshotArguments;
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows};
use crate::when::show_timestamp;
use crate::words::{counted, word};
use crate::{import, open, when};

pub fn run(arguments: &SnapshotArguments) -> Result<Exit> {
    let connector = connectors::by_name(&arguments.connector).context("the connector is not known")?;
    check_name(&arguments.instance).map_err(|error| Refused::Wrong(format!("--instance: {error}")))?;
    let inputs: Vec<Input> = import::files(&arguments.files)?.iter().map(|file| Input::new(file)).collect();
    let ledger = open::ledger(&open::location(&arguments.ledger), arguments.accept_clock)?;
    let taken = take(&ledger, connector.as_ref(), &inputs, &options(arguments)?);
    let taken = match taken {
        Err(SnapshotError::NoTime(place)) => {
            return Err(Refused::Wrong(SnapshotError::NoTime(place).to_string()).into());
        }
        taken => taken?,
    };
    let head = ledger.reader().head();
    let response = SnapshotResponse {
        basis: Some(Basis {
            origin: head.origin.as_str().to_owned(),
            tree_size: head.size.0,
            root: head.root.as_bytes().to_vec(),
            ..Basis::default()
        }),
        listings: taken.listings.iter().map(message).collect(),
        strange: taken.strange,
    };
    tell(&taken);
    let format = arguments.output.output;
    output::print(format, &response, &response.listings, &rows(&response), response.basis.as_ref())?;
    Ok(Exit::Done)
}

fn options(arguments: &SnapshotArguments) -> Result<SnapshotOptions> {
    let mut seed_secret = [0; 32];
    getrandom::fill(&mut seed_secret)
        .map_err(|error| anyhow::anyhow!("the operating system gave no randomness: {error}"))?;
    Ok(SnapshotOptions {
        instance: arguments.instance.clone(),
        target: arguments.scope.clone(),
        as_of: arguments.as_of.map(|as_of| as_of.to_time(Precision::Second)),
        stated: arguments.complete,
        received_at: when::now(),
        seed_secret,
    })
}

/// Says what deserves a look.
fn tell(taken: &Taken) {
    let incomplete = taken.listings.iter().filter(|listing| !listing.is_complete).count();
    if incomplete > 0 {
        let listings = counted(incomplete as u64, "listing");
        anstream::eprintln!("counterfoil: {listings} incomplete: what is not in them may be live all the same");
    }
    let rejected = taken.strange + taken.listings.iter().map(|listing| listing.rejected).sum::<u64>();
    if rejected > 0 {
        anstream::eprintln!("{rejected} could not be read and are kept: see `counterfoil deadletter list`");
    }
    if taken.listings.is_empty() && rejected == 0 {
        anstream::eprintln!("counterfoil: nothing was taken: there is no page in what was given");
    }
}

fn message(listing: &ListingSummary) -> v1::ListingSummary {
    let completeness = if listing.is_complete { Completeness::Complete } else { Completeness::Incomplete };
    v1::ListingSummary {
        scope: listing.scope.to_string(),
        completeness: completeness.into(),
        reason: listing.reason.to_owned(),
        as_of: Some(pbjson_types::Timestamp {
            seconds: listing.as_of.seconds,
            nanos: i32::try_from(listing.as_of.nanos).unwrap_or_default(),
        }),
        pages: listing.pages,
        count: listing.count,
        events: listing.events,
        duplicates: listing.duplicates,
        rejected: listing.rejected,
        facts: listing.facts,
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
