//! What is live when the demo's story ends, against its logs and approvals: one table for all systems.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use counterfoil_ingest::connectors;
use counterfoil_ingest::snapshot::{SnapshotOptions, read, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::Ledger;
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{Authentication, Party, Precision, ReconcileKind, ReconcileResponse};
use counterfoil_query::Query;
use counterfoil_scenario::{Company, Listings};
use counterfoil_verify::time::OccurredAt;

use crate::output::{self, Rows};
use crate::{open, when, words};

/// Each kind, and what it means.
const KINDS: [(ReconcileKind, &str); 6] = [
    (ReconcileKind::Approved, "live, logged, approved"),
    (ReconcileKind::Unapproved, "live and logged, not approved in time"),
    (ReconcileKind::Unrecorded, "live, and no log tells of it"),
    (ReconcileKind::Revoked, "live, though the log says it was taken away"),
    (ReconcileKind::Expired, "live, though the approved time is over"),
    (ReconcileKind::Missing, "not live, though the log says it is held"),
];

/// Takes every listing of the company. Gives the moment of the latest.
pub fn take_listings(ledger: &Ledger, folder: &Path, company: &Company) -> Result<OccurredAt> {
    for listings in &company.listings {
        take_one(ledger, folder, listings)?;
    }
    let latest = company.listings.iter().filter_map(|listings| listings.as_of).max();
    Ok(OccurredAt(when::parse(&latest.context("the company lists what is live")?.to_string())?))
}

fn take_one(ledger: &Ledger, folder: &Path, listings: &Listings) -> Result<()> {
    let connector =
        connectors::by_name(listings.connector).context("the scenario names a connector that does not exist")?;
    let inputs: Vec<Input> = listings.files.iter().map(|file| Input::Path(folder.join(&file.name))).collect();
    let as_of = listings.as_of.map(|as_of| when::parse(&as_of.to_string())).transpose()?;
    let options = SnapshotOptions {
        instance: listings.instance.unwrap_or("default").to_owned(),
        target: listings.scope.clone(),
        as_of: as_of.map(|as_of| as_of.to_time(Precision::Second)),
        stated: as_of.is_some(),
        authentication: Authentication::OperatorFile,
        received_at: when::now(),
        seed_secret: open::entropy(),
    };
    take(ledger, connector.as_ref(), &read(&inputs)?, &options)?;
    Ok(())
}

/// The table, and one access of each kind that somebody should look at.
pub fn tell(query: &Query<'_>, at: OccurredAt) -> Result<()> {
    let okta = query.reconcile("okta", None, at, None)?;
    let aws = query.reconcile("aws", None, at, None)?;
    let row = |(kind, meaning): &(ReconcileKind, &str)| {
        let counts = [&okta, &aws].map(|response| count(response, *kind).to_string());
        let [of_okta, of_aws] = counts;
        let example = if *kind == ReconcileKind::Approved { String::new() } else { example(&[&aws, &okta], *kind) };
        vec![(*meaning).to_owned(), of_okta, of_aws, example]
    };
    let rows = Rows {
        title: Vec::new(),
        columns: vec!["Access", "Okta", "AWS", "For example"],
        rows: KINDS.iter().map(row).collect(),
    };
    anstream::print!("{}", output::table(&rows));
    Ok(())
}

/// How many accesses there are of a kind. What several listings have, such as a user of AWS, is one.
fn count(response: &ReconcileResponse, kind: ReconcileKind) -> usize {
    let id = |party: &Option<Shared<Party>>| party.as_ref().map_or(String::new(), |party| party.id.clone());
    let of_kind = response.items.iter().filter(|item| item.kind() == kind);
    let accesses: BTreeSet<_> =
        of_kind.map(|item| (id(&item.subject), id(&item.object), item.scope.as_str())).collect();
    accesses.len()
}

/// Whose access it is, and which: the first that is more than an account.
fn example(responses: &[&ReconcileResponse], kind: ReconcileKind) -> String {
    let items = || responses.iter().flat_map(|response| &response.items).filter(|item| item.kind() == kind);
    let Some(item) = items().find(|item| item.object.is_some()).or_else(|| items().next()) else {
        return String::new();
    };
    let what = match &item.object {
        Some(object) if !object.name.is_empty() => object.name.clone(),
        Some(_) => words::called(&item.object),
        None => "the account".to_owned(),
    };
    format!("{}: {what}", words::called(&item.subject))
}
