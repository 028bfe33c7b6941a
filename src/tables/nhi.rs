//! The inventory of non-human identities as rows for people.

use counterfoil_proto::v1::{ListNonHumanIdentitiesResponse, NonHumanIdentity, NonHumanOwner, RegisterGap};

use super::state::how_registered;
use super::vouched_for;
use crate::output::Rows;
use crate::when::show_timestamp;
use crate::words::{called, times, to_the_second, word};

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
            one.owners.iter().map(owner).collect::<Vec<_>>().join(", "),
            register.map(|register| register.purpose.clone()).unwrap_or_default(),
            register.map(how_registered).unwrap_or_default(),
            seen.unwrap_or_default(),
            one.source.clone(),
            one.gaps().map(gap).collect::<Vec<_>>().join(", "),
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

fn owner(owner: &NonHumanOwner) -> String {
    let whom = owner.persons.first().map_or_else(|| called(&owner.owner), |person| called(&Some(person.clone())));
    if owner.left { format!("{whom} (left)") } else { whom }
}

fn gap(gap: RegisterGap) -> String {
    word(gap.as_str_name(), "REGISTER_GAP_")
}
