//! Answers as rows for people. One function for each answer; no logic beyond wording.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccountStatus, Authentication, Confidence, DiffStateResponse, DifferenceKind, Evidence, GetHistoryResponse,
    GrantMode, GrantState, ListHoldersResponse, ListIdentitiesResponse, Moment, Party, Remapping,
};
use counterfoil_verify::time;

use crate::output::Rows;
use crate::when::{show, show_timestamp};
use crate::words::{authentication, called, called_in_full, counted, kind, outcome, times, to_the_second};

mod access;
mod links;
mod nhi;
mod sources;
mod state;
mod trail;

pub use access::{access, affected, blast, capable, effective_holders};
pub use links::{explanation, explanations, reconciled, unread, verdicts};
pub use nhi::{integration_paths, inventory_report, non_human_identities};
pub use sources::{dead_letters, retries, sources};
pub use state::state;
pub use trail::{grants, reversal, trace_steps, trail};

fn title(party: &Option<Shared<Party>>, moment: &Option<Moment>) -> Vec<String> {
    let id = party.as_ref().map(|party| party.id.as_str()).unwrap_or_default();
    let name = called_in_full(party);
    let mut lines = vec![if name == id { name } else { format!("{name}   {id}") }];
    lines.extend(moment.as_ref().map(times));
    lines
}

/// What a list was limited to: the time when its facts happened, and when they were recorded.
pub fn limits(from: Option<time::Moment>, at: Option<time::Moment>, moment: &Option<Moment>) -> String {
    let show = |at: time::Moment| show(at.seconds, at.nanos as i32);
    let period = match (from.map(show), at.map(show)) {
        (Some(from), Some(at)) => format!("from {from} up to {at}, "),
        (Some(from), None) => format!("from {from} on, "),
        (None, Some(at)) => format!("up to {at}, "),
        (None, None) => String::new(),
    };
    let known = moment.as_ref().map(|moment| times(&Moment { at: None, ..*moment }));
    period + &known.unwrap_or_default()
}

fn rested(evidence: &Option<Evidence>) -> (String, String) {
    match evidence {
        Some(evidence) => {
            let is_always = evidence.occurred_at.as_ref().is_some_and(|at| at.seconds == time::SECONDS_MIN);
            let since =
                if is_always { "always".to_owned() } else { to_the_second(&show_timestamp(&evidence.occurred_at)) };
            (since, format!("{}.{}", evidence.record, evidence.fact))
        }
        None => Default::default(),
    }
}

/// On whose word an answer rests: how the producers of its records were authenticated. The ledger cannot prove what a
/// source never said.
fn vouched_for<'e>(rested_on: impl IntoIterator<Item = &'e Option<Evidence>>) -> Option<String> {
    let grades: BTreeSet<Authentication> = rested_on.into_iter().flatten().map(Evidence::authentication).collect();
    let words = grades.into_iter().map(authentication).collect::<Vec<_>>();
    (!words.is_empty()).then(|| format!("vouched for by {}", words.join(" and ")))
}

pub fn identities(response: &ListIdentitiesResponse) -> Rows {
    Rows {
        columns: vec!["id", "called"],
        rows: response
            .identities
            .iter()
            .map(|party| vec![party.id.clone(), called_in_full(&Some(party.clone()))])
            .collect(),
        ..Rows::default()
    }
}

fn is_entitlement(party: &Option<Shared<Party>>) -> bool {
    party.as_ref().is_some_and(|party| party.id.starts_with("entitlement:"))
}

/// Whether the other side of a grant is who holds it, rather than what is held.
fn is_holder(entity: &Option<Shared<Party>>, counterpart: &Option<Shared<Party>>) -> bool {
    let principals = ["account:", "credential:", "person:", "integration:"];
    let is_principal = |party: &Shared<Party>| principals.iter().any(|kind| party.id.starts_with(kind));
    is_entitlement(entity) || counterpart.as_ref().is_some_and(is_principal)
}

fn how_granted(grant: &GrantState) -> String {
    let mut how = Vec::new();
    if !grant.scope.is_empty() {
        how.push(format!("in scope {}", grant.scope));
    }
    if grant.lapsed {
        how.push(format!("lapsed on {}", show_timestamp(&grant.expires_at)));
    } else if grant.expires_at.is_some() {
        how.push(format!("until {}", show_timestamp(&grant.expires_at)));
    }
    if grant.mode() == GrantMode::Eligible {
        how.push("eligible".to_owned());
    }
    if grant.inherited_via.is_some() {
        how.push(format!("through {}", called(&grant.inherited_via)));
    }
    if grant.conditional {
        how.push("under conditions".to_owned());
    }
    match grant.holder_status() {
        AccountStatus::Deleted => how.push("its account was deleted".to_owned()),
        AccountStatus::Disabled => how.push("its account is disabled".to_owned()),
        _ => {}
    }
    if grant.confidence() == Confidence::Snapshot {
        how.push("seen in a listing".to_owned());
    } else if grant.actor.is_some() {
        how.push(format!("by {}", called(&grant.actor)));
    }
    how.join(", ")
}

/// A history, of which `from` and `at` were asked for.
pub fn history(response: &GetHistoryResponse, from: Option<time::Moment>, at: Option<time::Moment>) -> Rows {
    let row = |entry: &counterfoil_proto::v1::HistoryEntry| {
        let (occurred_at, record) = rested(&entry.evidence);
        let recorded_at = entry.evidence.as_ref().map(|evidence| show_timestamp(&evidence.recorded_at));
        vec![
            occurred_at,
            to_the_second(&recorded_at.unwrap_or_default()),
            kind(entry.kind()),
            outcome(entry.outcome()),
            called(&entry.actor),
            called(&entry.via),
            called(&entry.subject),
            called(&entry.object),
            format!("{record}{}", entry.remapping.as_ref().map(read_again).unwrap_or_default()),
        ]
    };
    let mut title = title(&response.entity, &None);
    title.push(limits(from, at, &response.moment));
    title.extend(first_only(response));
    if response.entries.is_empty() {
        let is_limited = from.is_some() || at.is_some();
        title.push(if is_limited { "No fact in this period." } else { "Nothing was known of it by then." }.to_owned());
    }
    title.extend(vouched_for(response.entries.iter().map(|entry| &entry.evidence)));
    Rows {
        title,
        columns: vec!["occurred", "recorded", "fact", "outcome", "by", "with", "for", "what", "record"],
        rows: response.entries.iter().map(row).collect(),
    }
}

/// What stands behind the record of an event that was read again.
fn read_again(remapping: &Remapping) -> String {
    let Remapping { connector, connector_version, replaces } = remapping;
    format!(", read again by {connector} {connector_version}: replaces record {replaces}")
}

/// Says so where a history goes on after what is listed.
pub fn first_only(response: &GetHistoryResponse) -> Option<String> {
    let has_more = !response.next_page_token.is_empty();
    has_more.then(|| format!("the first {}; there are more", response.entries.len()))
}

pub fn diff(response: &DiffStateResponse) -> Rows {
    let row = |difference: &counterfoil_proto::v1::Difference| {
        let (_, record) = rested(&difference.evidence);
        let sign = match difference.kind() {
            DifferenceKind::Added => "added",
            DifferenceKind::Removed => "removed",
            _ => "changed",
        };
        vec![
            sign.to_owned(),
            match &difference.member {
                Some(member) => format!("{} of {}", difference.what, member.id),
                None if difference.what == "grant" && is_holder(&response.entity, &difference.party) => {
                    "holder".to_owned()
                }
                None => difference.what.clone(),
            },
            called(&difference.party),
            difference.before.clone(),
            difference.after.clone(),
            record,
        ]
    };
    let mut title = title(&response.entity, &None);
    title.extend(response.before.iter().map(|moment| format!("before: {}", times(moment))));
    title.extend(response.after.iter().map(|moment| format!("after:  {}", times(moment))));
    title.extend(vouched_for(response.differences.iter().map(|difference| &difference.evidence)));
    if response.differences.is_empty() {
        title.push("Nothing differs.".to_owned());
        if is_entitlement(&response.entity) {
            title.push(
                "It has the same holders at both times: ask `counterfoil holders` who, or `history` what was between."
                    .to_owned(),
            );
        }
    }
    Rows {
        title,
        columns: vec!["", "what", "which", "before", "after", "record"],
        rows: response.differences.iter().map(row).collect(),
    }
}

/// Who held an entitlement.
pub fn holders(response: &ListHoldersResponse) -> Rows {
    let row = |grant: &GrantState| {
        let (since, record) = rested(&grant.evidence);
        vec![called(&grant.counterpart), how_granted(grant), since, record]
    };
    let mut title = title(&response.entitlement, &response.moment);
    title.extend(vouched_for(response.holders.iter().map(|holder| &holder.evidence)));
    if response.removed.is_some() {
        let (when, record) = rested(&response.removed);
        title.push(format!("It was removed at {when} ({record}); whom the log did not take it from is listed."));
    }
    let lapsed = response.holders.iter().filter(|holder| holder.lapsed).count() as u64;
    let held = response.holders.len() as u64 - lapsed;
    title.push(match (held, lapsed) {
        _ if !response.known => "Nothing was known of it by then.".to_owned(),
        (0, 0) => "Nobody held it.".to_owned(),
        (0, _) => format!("Nobody held it; {} had lapsed", counted(lapsed, "grant")),
        (_, 0) => counted(held, "grant"),
        _ => format!("{}, and {lapsed} that had lapsed", counted(held, "grant")),
    });
    Rows { title, columns: vec!["holder", "how", "since", "record"], rows: response.holders.iter().map(row).collect() }
}
