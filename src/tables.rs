//! Answers as rows for people. One function for each answer; no logic beyond wording.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccountStatus, Authentication, Confidence, CredentialStatus, Decision, DiffStateResponse, DifferenceKind, Evidence,
    GetHistoryResponse, GetStateResponse, GrantMode, GrantState, IdentityType, ListHoldersResponse,
    ListIdentitiesResponse, ListingSight, Moment, Party, TicketState,
};
use counterfoil_verify::time;

use crate::output::Rows;
use crate::when::{show, show_timestamp};
use crate::words::{
    authentication, called, called_in_full, counted, decided_instead, decision, kind, outcome, times, to_the_second, word,
};

mod access;
mod links;
mod sources;
mod trail;

pub use access::{access, affected, blast, capable, effective_holders};
pub use links::{explanation, explanations, reconciled, unread, verdicts};
pub use sources::{dead_letters, retries, sources};
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
            (to_the_second(&show_timestamp(&evidence.occurred_at)), format!("{}.{}", evidence.record, evidence.fact))
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

pub fn state(response: &GetStateResponse) -> Rows {
    let Some(state) = &response.state else { return Rows::default() };
    let mut rows = Rows {
        title: title(&state.entity, &response.moment),
        columns: vec!["what", "which", "how", "since", "record"],
        rows: Vec::new(),
    };
    if !state.known {
        rows.title.push("Nothing was known of it by then.".to_owned());
        return rows;
    }
    let mut rested_on = Vec::new();
    let mut push = |what: &str, which: String, how: String, evidence: &Option<Evidence>| {
        let (since, record) = rested(evidence);
        rested_on.push(*evidence);
        rows.rows.push(vec![what.to_owned(), which, how, since, record]);
    };
    let identity_type = state.entity.as_ref().map(|entity| entity.identity_type()).unwrap_or_default();
    if identity_type != IdentityType::Unspecified {
        push("is a", word(identity_type.as_str_name(), "IDENTITY_TYPE_"), String::new(), &None);
    }
    if let Some(account) = &state.account {
        let mut how = word(account.status().as_str_name(), "ACCOUNT_STATUS_");
        if account.status() == AccountStatus::Seen {
            how = "seen, never created in a log".to_owned();
        }
        if account.locked {
            how.push_str(", locked");
        }
        if account.reversible {
            how.push_str(", suspended");
        }
        let department = &account.department;
        let which = if department.is_empty() { String::new() } else { format!("department {department}") };
        push("account", which, how, &account.evidence);
    }
    if state.removed.is_some() {
        push("removed", String::new(), String::new(), &state.removed);
    }
    for grant in &state.grants {
        let word = match is_holder(&state.entity, &grant.counterpart) {
            _ if grant.lapsed => "lapsed",
            true => "held by",
            false => "holds",
        };
        push(word, called(&grant.counterpart), how_granted(grant), &grant.evidence);
    }
    for credential in &state.credentials {
        let mut how = word(credential.status().as_str_name(), "CREDENTIAL_STATUS_");
        if credential.lapsed && credential.status() == CredentialStatus::Active {
            how = format!("lapsed on {}", show_timestamp(&credential.expires_at));
        }
        if credential.owner.as_ref().map(|owner| &owner.id) != state.entity.as_ref().map(|entity| &entity.id) {
            how.push_str(&format!(", owned by {}", called(&credential.owner)));
        }
        push("credential", called(&credential.credential), how, &credential.evidence);
    }
    for held in &state.held {
        push("holds itself", called(&held.counterpart), how_granted(held), &held.evidence);
    }
    for implied in &state.implied {
        let scope = if implied.scope.is_empty() { String::new() } else { format!("in scope {}", implied.scope) };
        push("implies", called(&implied.party), scope, &implied.evidence);
    }
    if !state.version.is_empty() {
        push("version", state.version.clone(), String::new(), &state.version_evidence);
    }
    for owner in &state.owners {
        push("owner", called(&owner.owner), String::new(), &owner.evidence);
    }
    for linked in &state.linked {
        push("linked with", called(&linked.party), String::new(), &linked.evidence);
    }
    if let Some(lifecycle) = &state.lifecycle {
        let from = show_timestamp(&lifecycle.effective_at);
        push("lifecycle", kind(lifecycle.kind()), format!("from {from} on"), &lifecycle.evidence);
    }
    if let Some(register) = &state.register {
        let how = if register.retired {
            "retired"
        } else if register.registered {
            "registered"
        } else {
            "not registered"
        };
        push("register", String::new(), how.to_owned(), &register.evidence);
    }
    if let Some(ticket) = &state.ticket {
        push_ticket(ticket, &mut push);
    }
    for sight in state.sights.iter().filter(|sight| sight.differs) {
        let which = if sight.party.is_some() { called(&sight.party) } else { "the account".to_owned() };
        push("live", which, how_seen(sight), &sight.end);
    }
    if !state.sights.is_empty() {
        let differ = state.sights.iter().filter(|sight| sight.differs).count();
        let compared = state.sights.len();
        rows.title.push(format!("compared with complete listings: {differ} of {compared} not as the log has it"));
    }
    rows.title.extend(vouched_for(&rested_on));
    if is_entitlement(&state.entity) && state.grants.iter().all(|grant| grant.lapsed) {
        rows.title
            .push("Nobody held it. Who did at another time: ask `counterfoil holders --at`, or `history`.".to_owned());
    } else if rows.rows.is_empty() {
        rows.title.push("It is named, and nothing says what state it was in: ask `counterfoil history`.".to_owned());
    }
    rows
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

/// How a listing saw what the log has otherwise.
fn how_seen(sight: &ListingSight) -> String {
    let mut as_of = to_the_second(&show_timestamp(&sight.as_of));
    if !sight.scope.is_empty() {
        as_of.push_str(&format!(" in scope {}", sight.scope));
    }
    match (sight.present, sight.party.is_some()) {
        (true, true) => format!("listed as of {as_of}, and not in the log"),
        (true, false) => {
            format!("listed as {} as of {as_of}", word(sight.status().as_str_name(), "ACCOUNT_STATUS_"))
        }
        (false, _) => format!("not listed as of {as_of}"),
    }
}

/// Takes a line of a state: what, which, how, and the fact that it rests on.
type Push<'a> = dyn FnMut(&str, String, String, &Option<Evidence>) + 'a;

fn push_ticket(ticket: &TicketState, push: &mut Push<'_>) {
    let status = word(ticket.status().as_str_name(), "TICKET_STATUS_");
    let kind = word(ticket.r#type().as_str_name(), "TICKET_TYPE_");
    push("ticket", kind, status, &ticket.evidence);
    let mut push_party = |what: &str, party: &Option<Shared<Party>>| {
        if party.is_some() {
            push(what, called(party), String::new(), &None);
        }
    };
    push_party("requested by", &ticket.requester);
    push_party("for", &ticket.beneficiary);
    push_party("assigned to", &ticket.assignee);
    for item in &ticket.items {
        let target = if item.target.is_some() { called(&item.target) } else { format!("any {}", item.target_type) };
        let until = show_timestamp(&item.until);
        let how = if until.is_empty() { String::new() } else { format!("until {until}") };
        push("asks for", target, how, &None);
    }
    for approval in &ticket.approvals {
        let decided = decision(approval.decision()) + &decided_instead(approval);
        let how = format!("{decided}, level {}", approval.level);
        push("approver", called(&approval.approver), how, &approval.evidence);
    }
    let decided = show_timestamp(&ticket.decided_at);
    if ticket.decision() != Decision::Unspecified {
        push("decision", decision(ticket.decision()), format!("from the approvals {decided}"), &None);
    }
    if ticket.source_decision() != Decision::Unspecified {
        push("decision", decision(ticket.source_decision()), "the source's own final value".to_owned(), &None);
    }
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
            record,
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
            if difference.what == "grant" && is_holder(&response.entity, &difference.party) {
                "holder".to_owned()
            } else {
                difference.what.clone()
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
