//! The inventory of non-human identities, their integration paths and how complete both are, as rows for people.

use counterfoil_proto::v1::{
    GetInventoryReportResponse, IntegrationPath, InventoryCount, ListIntegrationPathsResponse,
    ListNonHumanIdentitiesResponse, NonHumanIdentity, NonHumanOwner, RegisterGap,
};

use super::state::how_registered;
use super::{rested, vouched_for};
use crate::output::Rows;
use crate::when::show_timestamp;
use crate::words::{called, counted, times, to_the_second, word};

/// Every non-human identity, with what the register says of it and what is missing.
pub fn non_human_identities(response: &ListNonHumanIdentitiesResponse) -> Rows {
    let row = |one: &NonHumanIdentity| {
        let entity = one.entity.clone().unwrap_or_default();
        let register = one.register.as_ref();
        let seen = one.last_seen.as_ref().map(|seen| to_the_second(&show_timestamp(&seen.occurred_at)));
        vec![
            called(&one.entity),
            entity.id.clone(),
            word(entity.identity_type().as_str_name(), "IDENTITY_TYPE_"),
            owners(&one.owners),
            register.map(|register| register.purpose.clone()).unwrap_or_default(),
            register.map(how_registered).unwrap_or_default(),
            seen.unwrap_or_default(),
            one.source.clone(),
            gaps(one.gaps()),
        ]
    };
    let identities = &response.identities;
    let with_gaps = identities.iter().filter(|one| !one.gaps.is_empty()).count();
    let mut title: Vec<String> = response.moment.iter().map(times).collect();
    title.push(match identities.len() {
        0 => "No non-human identity fits.".to_owned(),
        1 => format!("1 non-human identity, {with_gaps} with gaps"),
        count => format!("{count} non-human identities, {with_gaps} with gaps"),
    });
    let unregistered = identities.iter().filter(|one| one.gaps().any(|gap| gap == RegisterGap::NotRegistered)).count();
    if unregistered > 0 {
        title.push(format!("{unregistered} of them in no register"));
    }
    title.extend(vouched_for(identities.iter().filter_map(|one| one.register.as_ref()).map(|one| &one.evidence)));
    Rows {
        title,
        columns: vec!["called", "id", "type", "owner", "purpose", "register", "last seen", "source", "gaps"],
        rows: identities.iter().map(row).collect(),
    }
}

/// Every integration path, with what is missing.
pub fn integration_paths(response: &ListIntegrationPathsResponse) -> Rows {
    let row = |path: &IntegrationPath| {
        let [first, last] = [&path.first_seen, &path.last_seen].map(|seen| rested(seen).0);
        vec![
            called(&path.source),
            called(&path.credential),
            format!("{}/{}", path.system, path.instance),
            owners(&path.owners),
            first,
            last,
            path.facts.to_string(),
            gaps(path.gaps()),
        ]
    };
    let paths = &response.paths;
    let mut title: Vec<String> = response.moment.iter().map(times).collect();
    title.push(match paths.len() as u64 {
        0 => "No integration path fits.".to_owned(),
        count => {
            let with_gaps = paths.iter().filter(|path| !path.gaps.is_empty()).count();
            format!("{}, {with_gaps} with gaps", counted(count, "integration path"))
        }
    });
    title.extend(paths.iter().any(|path| path.cut).then(|| CUT.to_owned()));
    title.extend(vouched_for(paths.iter().map(|path| &path.last_seen)));
    Rows {
        title,
        columns: vec!["source", "through", "target", "owner", "first seen", "last seen", "facts", "gaps"],
        rows: paths.iter().map(row).collect(),
    }
}

const CUT: &str =
    "of some sources only the newest facts were looked at: there may be more paths, and earlier facts of these";

/// How complete the inventory is: a row for each part of it, in all systems and in each.
pub fn inventory_report(response: &GetInventoryReportResponse) -> Rows {
    let row = |counted: &InventoryCount| {
        let gaps = counted.gaps.iter().map(|one| format!("{} {}", one.count, gap(one.gap())));
        vec![
            word(counted.part().as_str_name(), "INVENTORY_PART_"),
            if counted.system.is_empty() { "all".to_owned() } else { counted.system.clone() },
            counted.count.to_string(),
            counted.without_gap.to_string(),
            gaps.collect::<Vec<_>>().join(", "),
        ]
    };
    let mut title: Vec<String> = response.moment.iter().map(times).collect();
    title.extend(response.cut.then(|| CUT.to_owned()));
    Rows {
        title,
        columns: vec!["of", "system", "count", "without gap", "gaps"],
        rows: response.counts.iter().map(row).collect(),
    }
}

fn owners(owners: &[NonHumanOwner]) -> String {
    owners.iter().map(owner).collect::<Vec<_>>().join(", ")
}

fn gaps(gaps: impl Iterator<Item = RegisterGap>) -> String {
    gaps.map(gap).collect::<Vec<_>>().join(", ")
}

fn owner(owner: &NonHumanOwner) -> String {
    let whom = owner.persons.first().map_or_else(|| called(&owner.owner), |person| called(&Some(person.clone())));
    if owner.left { format!("{whom} (left)") } else { whom }
}

fn gap(gap: RegisterGap) -> String {
    word(gap.as_str_name(), "REGISTER_GAP_")
}
