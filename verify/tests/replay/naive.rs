//! The naive replay: all entities at once, in plain maps. References of its histories have one name each.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{
    Account, AccountStatus, Confidence, Credential, CredentialStatus, Decision, EntityKind, Fact, FactKind, Lifecycle,
    Outcome, Ownership, Record, Ref, Snapshot, Ticket, TicketStatus, fact::Detail, record::Body,
};
use counterfoil_verify::state::{
    AccountState, ApprovalState, CredentialState, EndState, Evidence, GrantState, ImpliedState, ItemState,
    LifecycleState, LinkState, RegisterState, RuleState, State, VersionState,
};

use crate::support::hex;

/// Every entity's state, by its id in text form.
pub type World = BTreeMap<String, State>;

fn text(reference: &Option<Ref>) -> String {
    let Some(reference) = reference else { return String::new() };
    match (reference.kind(), reference.id.as_str()) {
        (_, "") => format!("identifier:{}", hex(&reference.tokens[0])),
        (EntityKind::Account, id) => format!("account:okta:acme:{id}"),
        (EntityKind::Entitlement, id) => format!("entitlement:okta:acme:{id}"),
        (EntityKind::Rule, id) => format!("rule:okta:acme:{id}"),
        (EntityKind::Credential, id) => format!("credential:okta:acme:{id}"),
        (_, id) => format!("ticket:okta:acme:{id}"),
    }
}

/// What all entities come to at `at`, by the first `known` records.
pub fn naive(records: &[Record], at: i64, known: u64) -> World {
    let mut facts = Vec::new();
    for record in records.iter().filter(|record| record.index < known) {
        let (place, event) = match &record.body {
            Some(Body::Event(event)) => (record.index, event),
            Some(Body::EventRemapped(remapped)) => (remapped.first_index, remapped.event.as_ref().unwrap()),
            _ => continue,
        };
        let is_read_again = |later: &Record| match &later.body {
            Some(Body::EventRemapped(remapped)) => remapped.first_index == place && later.index > record.index,
            _ => false,
        };
        if records.iter().any(|later| later.index < known && is_read_again(later)) {
            continue;
        }
        for (number, fact) in event.facts.iter().enumerate() {
            let happened = fact.occurred_at.unwrap().seconds;
            if happened <= at && fact.outcome() == Outcome::Success {
                let evidence = Evidence {
                    index: record.index,
                    fact: number as u32,
                    occurred_seconds: happened,
                    recorded_seconds: record.recorded_at.unwrap().seconds,
                    place,
                    authentication: record.provenance.as_ref().unwrap().authentication,
                    ..Evidence::default()
                };
                facts.push(((happened, place, number), fact, evidence));
            }
        }
    }
    facts.sort_by_key(|(order, ..)| *order);
    let mut world = World::new();
    for (_, fact, evidence) in facts {
        step(&mut world, fact, evidence);
    }
    world
}

fn step(world: &mut World, fact: &Fact, evidence: Evidence) {
    use FactKind as K;
    let (subject, object, actor) = (text(&fact.subject), text(&fact.object), text(&fact.actor));
    let name = fact.kind().as_str_name().trim_start_matches("FACT_KIND_");
    let about_subject = ["ACCOUNT_", "OWNER_", "PURPOSE_", "NHI_", "LIFECYCLE_"].iter().any(|p| name.starts_with(p));
    let about_object = ["TICKET_", "APPROVAL_", "ENTITLEMENT_", "RULE_"].iter().any(|p| name.starts_with(p));
    let about_both = ["GRANT_", "CREDENTIAL_", "SNAPSHOT_", "IDENTI"].iter().any(|p| name.starts_with(p));
    let mut ends = Vec::new();
    if (about_object || about_both) && fact.object.is_some() {
        ends.push((object.clone(), subject.clone(), &fact.object, false));
    }
    if (about_subject || about_both) && fact.subject.is_some() {
        ends.push((subject.clone(), object.clone(), &fact.subject, true));
    }
    if ends.len() == 2 && ends[0].0 == ends[1].0 && !name.starts_with("GRANT_") {
        // Of an identity at both ends, and of what was listed as its own member, the subject counts.
        ends.remove(0);
    }
    for (own, other, reference, is_subject) in ends {
        let state = world.entry(own.clone()).or_default();
        let given = reference.as_ref().unwrap().identity_type;
        if given != 0 {
            state.identity_type = given;
        }
        let edge = format!("{other} {}", fact.scope);
        // What an entitlement holds stands apart from who holds it.
        let is_group = is_subject && reference.as_ref().unwrap().kind() == EntityKind::Entitlement;
        let grant = match &fact.detail {
            Some(Detail::Grant(grant)) => Some(grant.clone()),
            _ => None,
        };
        let new_edge = GrantState {
            counterpart: other.clone(),
            scope: fact.scope.clone(),
            inherited_via: grant.as_ref().map(|grant| text(&grant.inherited_via)).unwrap_or_default(),
            grant,
            actor: actor.clone(),
            confidence: fact.confidence,
            evidence,
        };
        let grants = if is_group { &mut state.held } else { &mut state.grants };
        match fact.kind() {
            K::GrantAdded if !other.is_empty() => drop(grants.insert(edge, new_edge)),
            K::GrantRemoved | K::GrantExpired => drop(grants.remove(&edge)),
            K::GrantModified if !other.is_empty() => {
                let mut modified = new_edge;
                if let Some(held) = grants.get(&edge) {
                    match (&mut modified.grant, &held.grant) {
                        (None, _) => {
                            modified.grant = held.grant.clone();
                            modified.inherited_via = held.inherited_via.clone();
                        }
                        (Some(new), Some(old)) => {
                            if new.expires_at.is_none() {
                                new.expires_at = old.expires_at;
                            }
                            if new.mode == 0 {
                                new.mode = old.mode;
                            }
                            if new.inherited_via.is_none() {
                                new.inherited_via = old.inherited_via.clone();
                                modified.inherited_via = held.inherited_via.clone();
                            }
                        }
                        (Some(_), None) => {}
                    }
                }
                grants.insert(edge, modified);
            }
            K::SnapshotBegin | K::SnapshotEnd if !is_subject => naive_listing(state, fact, evidence),
            K::SnapshotItem if is_group => naive_item(&mut state.held, fact, new_edge, edge),
            K::SnapshotItem => {
                if is_subject {
                    naive_listed(state, fact, evidence);
                }
                naive_item(&mut state.grants, fact, new_edge, edge);
            }
            K::IdentityLinked | K::IdentityUnlinked if !other.is_empty() => {
                naive_link(state, fact, (own, other), evidence)
            }
            K::RuleDeclared => {
                if let Some(Detail::MatchingRule(rule)) = &fact.detail {
                    state.rule = Some(RuleState { rule: rule.clone(), evidence });
                }
            }
            _ if name.starts_with("ACCOUNT_") => naive_account(state, fact, evidence),
            _ if name.starts_with("CREDENTIAL_") && !object.is_empty() => {
                naive_credential(state, fact, evidence, &object, &subject);
            }
            _ if name.starts_with("TICKET_") => naive_ticket(state, fact, evidence),
            _ if name.starts_with("APPROVAL_") => naive_approval(state, fact, evidence),
            _ if name.starts_with("ENTITLEMENT_") => naive_entitlement(state, fact, evidence),
            _ if name.starts_with("LIFECYCLE_") => {
                let detail = match &fact.detail {
                    Some(Detail::Lifecycle(detail)) => detail.clone(),
                    _ => Lifecycle::default(),
                };
                state.lifecycle = Some(LifecycleState { kind: fact.kind, effective_at: detail.effective_at, evidence });
                if let (Some(account), false) = (&mut state.account, detail.department.is_empty()) {
                    account.department = detail.department;
                }
            }
            _ if about_subject => naive_governance(state, fact, evidence),
            _ => {}
        }
    }
}

/// Accounts are of okta in acme alone; what is known by an identifier is meant there.
fn naive_link(state: &mut State, fact: &Fact, (own, other): (String, String), evidence: Evidence) {
    let is_nameless = [&own, &other].iter().any(|end| end.starts_with("identifier:"));
    let (system, instance) = if is_nameless { ("okta", "acme") } else { ("", "") };
    let key = if is_nameless { format!("{other} okta:acme") } else { other.clone() };
    if fact.kind() == FactKind::IdentityUnlinked {
        state.linked.remove(&key);
        return;
    }
    let (system, instance) = (system.to_owned(), instance.to_owned());
    state.linked.insert(key, LinkState { counterpart: other, system, instance, evidence });
}

fn naive_listed(state: &mut State, fact: &Fact, evidence: Evidence) {
    if state.account.is_none() {
        state.account = Some(AccountState { status: AccountStatus::Seen.into(), evidence, ..Default::default() });
    }
    let complete = matches!(&fact.detail, Some(Detail::Snapshot(snapshot)) if snapshot.completeness == 1);
    if complete && fact.object.is_none() {
        let seen: Vec<String> =
            state.grants.iter().filter(|(_, grant)| grant.confidence == 3).map(|(key, _)| key.clone()).collect();
        seen.iter().for_each(|key| drop(state.grants.remove(key)));
    }
}

fn naive_item(grants: &mut BTreeMap<String, GrantState>, fact: &Fact, seen: GrantState, edge: String) {
    let is_logged = grants.get(&edge).is_some_and(|held| held.confidence != 3);
    let is_grant = fact.object.as_ref().is_none_or(|object| object.kind != EntityKind::Credential as i32);
    if is_grant && !seen.counterpart.is_empty() && !is_logged {
        grants.insert(edge, GrantState { confidence: 3, ..seen });
    }
}

fn naive_listing(state: &mut State, fact: &Fact, evidence: Evidence) {
    let mut listings = state.listings.take().unwrap_or_default();
    let snapshot = match &fact.detail {
        Some(Detail::Snapshot(snapshot)) => snapshot.clone(),
        _ => Snapshot::default(),
    };
    if fact.kind() == FactKind::SnapshotBegin {
        listings.begun = Some(evidence);
    } else {
        let Snapshot { completeness, as_of, count, root } = snapshot;
        let end = EndState { as_of, count, root, reason: fact.reason.clone(), evidence };
        if completeness == 1 && end.root.len() == 32 {
            listings.complete_before = listings.complete;
            listings.complete = Some(end.clone());
        }
        listings.ended = Some(end);
    }
    state.listings = Some(listings);
}

fn naive_account(state: &mut State, fact: &Fact, evidence: Evidence) {
    let mut account = state.account.take().unwrap_or_default();
    let detail = match &fact.detail {
        Some(Detail::Account(detail)) => detail.clone(),
        _ => Account::default(),
    };
    let status = match fact.kind() {
        FactKind::AccountCreated => AccountStatus::Created,
        FactKind::AccountEnabled => AccountStatus::Enabled,
        FactKind::AccountDisabled => AccountStatus::Disabled,
        FactKind::AccountDeleted => AccountStatus::Deleted,
        _ if account.status == 0 => AccountStatus::Seen,
        _ => account.status(),
    };
    account.set_status(status);
    match fact.kind() {
        FactKind::AccountLocked => account.locked = true,
        FactKind::AccountUnlocked => account.locked = false,
        FactKind::AccountDisabled => account.reversible = detail.reversible,
        FactKind::AccountUpdated => {}
        _ => account.reversible = false,
    }
    if !detail.department.is_empty() {
        account.department = detail.department;
    }
    account.evidence = evidence;
    state.account = Some(account);
}

fn naive_credential(state: &mut State, fact: &Fact, evidence: Evidence, id: &str, owner: &str) {
    let fresh = CredentialState { evidence, ..CredentialState::default() };
    let held = state.credentials.entry(id.to_owned()).or_insert(fresh);
    if !owner.is_empty() {
        held.owner = owner.to_owned();
    }
    if let Some(Detail::Credential(Credential { expires_at: Some(expires_at), .. })) = &fact.detail {
        held.expires_at = Some(*expires_at);
    }
    if fact.kind() == FactKind::CredentialUsed {
        held.last_used = Some(evidence);
        return;
    }
    held.evidence = evidence;
    let status = match fact.kind() {
        FactKind::CredentialDisabled => CredentialStatus::Disabled,
        FactKind::CredentialRevoked => CredentialStatus::Revoked,
        FactKind::CredentialExpired => CredentialStatus::Expired,
        _ => CredentialStatus::Active,
    };
    held.set_status(status);
    match fact.kind() {
        FactKind::CredentialCreated => held.created = Some(evidence),
        FactKind::CredentialRotated => held.rotated = Some(evidence),
        _ => {}
    }
}

fn naive_ticket(state: &mut State, fact: &Fact, evidence: Evidence) {
    let Some(Detail::Ticket(new)) = &fact.detail else { return };
    let is_new = state.ticket.is_none();
    let mut ticket = state.ticket.take().unwrap_or_default();
    if fact.kind() == FactKind::TicketOpened && ticket.opened.is_none() {
        ticket.opened = Some(evidence);
    }
    // What a connector concluded says when the ticket was opened, and is no version of it.
    if fact.confidence() == Confidence::Derived {
        if !ticket.versioned {
            (ticket.version.r#type, ticket.version.status) = (new.r#type, new.status);
            if new.requester.is_some() {
                ticket.requester = text(&new.requester);
            }
            if is_new {
                ticket.evidence = evidence;
            }
        }
        state.ticket = Some(ticket);
        return;
    }
    ticket.versioned = true;
    let old = ticket.version.clone();
    let closed = match fact.kind() {
        FactKind::TicketClosed => TicketStatus::Closed as i32,
        FactKind::TicketCancelled => TicketStatus::Cancelled as i32,
        _ => old.status,
    };

    let newest = |new: i32, old: i32| if new == 0 { old } else { new };
    ticket.version = Ticket {
        r#type: new.r#type,
        status: newest(new.status, closed),
        window_start: if new.window_start.is_some() { new.window_start } else { old.window_start },
        window_end: if new.window_end.is_some() { new.window_end } else { old.window_end },
        source_decision: newest(new.source_decision, old.source_decision),
        ..Ticket::default()
    };
    let ended = [TicketStatus::Closed as i32, TicketStatus::Resolved as i32];
    for (statuses, since) in
        [(&[TicketStatus::Cancelled as i32][..], &mut ticket.cancelled), (&ended[..], &mut ticket.closed)]
    {
        if !statuses.contains(&ticket.version.status) {
            *since = None;
        } else if since.is_none() {
            *since = Some(evidence);
        }
    }
    if ticket.version.source_decision != old.source_decision {
        ticket.source_decided = Some(evidence);
    }
    if new.requester.is_some() {
        ticket.requester = text(&new.requester);
    }
    if new.assignee.is_some() {
        ticket.assignee = text(&new.assignee);
    }
    if fact.subject.is_some() {
        ticket.beneficiary = vec![text(&fact.subject)];
    }
    if !new.items.is_empty() {
        let item = |item: &counterfoil_proto::v1::AccessItem| ItemState {
            item: item.clone(),
            targets: item.target.iter().map(|target| text(&Some(target.clone()))).collect(),
        };
        ticket.items = new.items.iter().map(item).collect();
    }
    ticket.evidence = evidence;
    state.ticket = Some(ticket);
}

fn naive_approval(state: &mut State, fact: &Fact, evidence: Evidence) {
    let Some(Detail::Approval(new)) = &fact.detail else { return };
    let mut ticket = state.ticket.take().unwrap_or_default();
    let approver = text(&new.approver);
    let asked = if approver.is_empty() { text(&fact.actor) } else { approver.clone() };
    let row = if new.id.is_empty() { format!("{} {asked}", new.level) } else { new.id.clone() };
    let decision = match (fact.kind(), new.source_decision()) {
        (FactKind::ApprovalGranted, _) => Decision::Approved,
        (FactKind::ApprovalRejected, _) => Decision::Rejected,
        (FactKind::ApprovalCancelled, Decision::PeerResponded) => Decision::PeerResponded,
        (FactKind::ApprovalCancelled, _) => Decision::Cancelled,
        (FactKind::ApprovalExpired, _) => Decision::Expired,
        _ => Decision::Requested,
    };
    let old = ticket.approvals.get(&row).cloned().unwrap_or_default();
    let is_open = decision == Decision::Requested;
    let decided_by = if is_open { String::new() } else { text(&fact.actor) };
    let is_repeated = ticket.approvals.contains_key(&row)
        && old.decision == decision as i32
        && (decided_by.is_empty() || old.decided_by.is_empty() || decided_by == old.decided_by);
    let approval = ApprovalState {
        level: new.level,
        rule: if new.rule == 0 { old.rule } else { new.rule },
        quorum: if new.rule == 0 && ticket.approvals.contains_key(&row) { old.quorum } else { new.quorum },
        approver: if approver.is_empty() { old.approver } else { approver },
        decided_by: if is_repeated && decided_by.is_empty() { old.decided_by } else { decided_by },
        decision: decision.into(),
        evidence: if is_repeated { old.evidence } else { evidence },
        delegate: if new.delegate.is_some() { text(&new.delegate) } else { old.delegate.clone() },
        delegated: if new.delegate.is_some() && text(&new.delegate) != old.delegate {
            Some(evidence)
        } else {
            old.delegated
        },
    };
    ticket.approvals.insert(row, approval);
    if ticket.version.r#type == 0 {
        ticket.evidence = evidence;
    }
    state.ticket = Some(ticket);
}

fn naive_entitlement(state: &mut State, fact: &Fact, evidence: Evidence) {
    let detail = match &fact.detail {
        Some(Detail::Entitlement(detail)) => Some(detail),
        _ => None,
    };
    state.removed = None;
    if fact.kind() == FactKind::EntitlementRemoved {
        state.implies.clear();
        state.version = None;
        state.removed = Some(evidence);
        return;
    }
    let Some(detail) = detail else { return };
    if fact.kind() == FactKind::EntitlementDefined {
        state.implies.clear();
        state.version = None;
    }
    if !detail.version.is_empty() {
        state.version = Some(VersionState { version: detail.version.clone(), evidence });
    }
    let scope = &fact.scope;
    for removed in &detail.implies_removed {
        state.implies.remove(&format!("{} {scope}", text(&Some(removed.clone()))));
    }
    for added in &detail.implies_added {
        let implied = text(&Some(added.clone()));
        let key = format!("{implied} {scope}");
        state.implies.insert(key, ImpliedState { implied, scope: scope.clone(), evidence });
    }
}

fn naive_governance(state: &mut State, fact: &Fact, evidence: Evidence) {
    let detail = match &fact.detail {
        Some(Detail::Ownership(detail)) => detail.clone(),
        _ => Ownership::default(),
    };
    let owner = text(&detail.owner);
    if fact.kind() == FactKind::NhiRegistered {
        // All that is said of it begins anew.
        (state.owners, state.register) = Default::default();
    }
    if fact.kind() == FactKind::OwnerRemoved {
        state.owners.remove(&owner);
        return;
    }
    if !owner.is_empty() {
        state.owners.insert(owner, evidence);
    }
    if fact.kind() == FactKind::OwnerAssigned {
        return;
    }
    let old = state.register.clone().unwrap_or_default();
    let kind = fact.kind();
    let is_over = detail.retired_at.is_some_and(|at| at.seconds <= evidence.occurred_seconds);
    let declares = detail.purpose_declared || kind == FactKind::PurposeDeclared;
    let newest = |new: &Vec<String>, old: &Vec<String>| if new.is_empty() { old.clone() } else { new.clone() };
    let retired_at = if detail.retired_at.is_some() { detail.retired_at } else { old.retired_at };
    state.register = Some(RegisterState {
        registered: old.registered || kind == FactKind::NhiRegistered,
        retired: kind == FactKind::NhiRetired || old.retired || is_over,
        retired_at: if kind == FactKind::NhiRetired { fact.occurred_at } else { retired_at },
        storage_declared: old.storage_declared || detail.storage_declared,
        systems: newest(&detail.systems, &old.systems),
        operations: newest(&detail.operations, &old.operations),
        suspected_at: if detail.suspected_at.is_some() { detail.suspected_at } else { old.suspected_at },
        entry: if kind == FactKind::NhiRegistered { Some(evidence) } else { old.entry },
        purpose: if declares { Some(evidence) } else { old.purpose },
        purpose_declared: old.purpose_declared || detail.purpose_declared || kind == FactKind::PurposeDeclared,
        expires_at: if detail.expires_at.is_some() { detail.expires_at } else { old.expires_at },
        rotation_interval_seconds: if detail.rotation_interval_seconds > 0 {
            detail.rotation_interval_seconds
        } else {
            old.rotation_interval_seconds
        },
        evidence,
    });
}
