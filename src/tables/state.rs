//! A state as rows for people.
//!
//! Owns the wording of a state, and of what is a person's. One line for each thing that the state lists.

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccountStatus, CredentialStatus, Decision, Evidence, GetStateResponse, IdentityStep, IdentityType, ListingSight,
    MemberState, Party, RegisterState, State, TicketState,
};

use super::{how_granted, is_entitlement, is_holder, rested, title, vouched_for};
use crate::output::Rows;
use crate::when::show_timestamp;
use crate::words::{called, called_in_full, decided_instead, decision, kind, span, to_the_second, word};

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
    push_state(state, &mut push);
    for member in &state.members {
        push_member(member, &mut push);
    }
    if state.members_cut {
        rows.title.push("More is theirs than is followed.".to_owned());
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

/// What is a person's: how one comes to it, and its own state below.
fn push_member(member: &MemberState, push: &mut Push<'_>) {
    let Some(state) = &member.state else { return };
    let id = state.entity.as_ref().map(|entity| entity.id.as_str()).unwrap_or_default();
    let mut how: Vec<String> = member.steps.iter().map(step).collect();
    for by in &member.contested_by {
        let record = by.evidence.as_ref().map_or(0, |evidence| evidence.record);
        how.push(format!("contested: record {record} says that it is {}'s", called(&by.party)));
    }
    push("theirs", format!("{} {id}", called_in_full(&state.entity)), how.join(", "), &None);
    push_state(state, &mut |what, which, how, evidence| push(&format!("  {what}"), which, how, evidence));
}

/// What a step rests on.
fn step(step: &IdentityStep) -> String {
    match &step.rule {
        Some(rule) => format!("by rule {} (version {}) and record {}", rule.rule, rule.version, step.record),
        None => format!("by record {}", step.record),
    }
}

fn push_state(state: &State, push: &mut Push<'_>) {
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
        let mut how =
            if linked.system.is_empty() { String::new() } else { format!("in {}/{}", linked.system, linked.instance) };
        if linked.contested {
            how.push_str(" contested: other records say otherwise");
        }
        push("linked with", called(&linked.party), how.trim_start().to_owned(), &linked.evidence);
    }
    if let Some(rule) = &state.rule {
        let systems = if rule.systems.is_empty() { "all systems".to_owned() } else { rule.systems.join(" ") };
        let how = if rule.withdrawn { "withdrawn".to_owned() } else { format!("joins {systems}") };
        push(
            "rule",
            format!("version {}, by {}", rule.version, word(rule.matched_by().as_str_name(), "MATCHED_BY_")),
            how,
            &rule.evidence,
        );
    }
    if let Some(lifecycle) = &state.lifecycle {
        let from = show_timestamp(&lifecycle.effective_at);
        push("lifecycle", kind(lifecycle.kind()), format!("from {from} on"), &lifecycle.evidence);
    }
    if let Some(register) = &state.register {
        push("register", register.purpose.clone(), how_registered(register), &register.evidence);
    }
    if let Some(ticket) = &state.ticket {
        push_ticket(ticket, push);
    }
    for sight in state.sights.iter().filter(|sight| sight.differs) {
        let which = if sight.party.is_some() { called(&sight.party) } else { "the account".to_owned() };
        push("live", which, how_seen(sight), &sight.end);
    }
}

/// What a register says of a non-human identity, beside its purpose.
pub(super) fn how_registered(register: &RegisterState) -> String {
    let mut how = vec![match (register.retired, register.registered) {
        (true, _) => format!("retired {}", show_timestamp(&register.retired_at)).trim_end().to_owned(),
        (false, true) => "registered".to_owned(),
        (false, false) => "not registered".to_owned(),
    }];
    if register.expires_at.is_some() {
        how.push(format!("until {}", show_timestamp(&register.expires_at)));
    }
    if register.rotation_interval_seconds > 0 {
        how.push(format!("to be rotated every {}", span(register.rotation_interval_seconds)));
    }
    if !register.stored_in.is_empty() {
        how.push(format!("kept in {}", register.stored_in));
    }
    for (word, names) in [("for", &register.systems), ("may", &register.operations)] {
        if !names.is_empty() {
            how.push(format!("{word} {}", names.join(" ")));
        }
    }
    if register.suspected_at.is_some() {
        how.push(format!("suspected of misuse since {}", show_timestamp(&register.suspected_at)));
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
