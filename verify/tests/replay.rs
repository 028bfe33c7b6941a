//! The replay, against a naive one and by hand.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    Account, AccountStatus, Approval, Authentication, Confidence, Credential, CredentialStatus, Decision, Entitlement,
    EntityKind, Fact, FactKind, Grant, Lifecycle, Outcome, Ownership, Precision, Provenance, Record, Ref, Snapshot,
    Ticket, TicketStatus, Time, fact::Detail, record::Body,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::replay::{apply, bearers, facts_of, replay};
use counterfoil_verify::rules;
use counterfoil_verify::state::{
    AccountState, ApprovalState, CredentialState, Evidence, GrantState, ItemState, LifecycleState, RegisterState, State,
};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::*;

// ---------------------------------------------------------------------------------------------------------------------
// Random histories

/// Records with facts about a few entities, whose facts happened in any order.
fn any_history() -> BoxedStrategy<Vec<Record>> {
    vec(vec(any_event_fact(), 1..4), 1..25)
        .prop_map(|events| (1..).zip(events).map(|(index, facts)| record_of(index, facts)).collect())
        .boxed()
}

fn any_event_fact() -> BoxedStrategy<Fact> {
    let kind = prop::sample::select(fact_kinds());
    let outcome = prop_oneof![8 => Just(1), 1 => 2..=4];
    let confidence = prop_oneof![4 => Just(1), 1 => 2..=3];
    (kind, 0..12i64, outcome, confidence, "[st]?")
        .prop_flat_map(|(kind, seconds, outcome, confidence, scope)| {
            let name = kind.as_str_name();
            let object = if name.contains("GRANT") || name.contains("ENTITLEMENT") || name.contains("SNAPSHOT_ITEM") {
                prop::sample::select(vec![group("g1"), group("g2"), known_as(EntityKind::Entitlement, 8)]).boxed()
            } else if name.contains("CREDENTIAL") {
                prop::sample::select(vec![credential("c1"), credential("c2")]).boxed()
            } else if name.contains("TICKET") || name.contains("APPROVAL") {
                prop::sample::select(vec![ticket("t1"), ticket("t2")]).boxed()
            } else {
                any_person()
            };
            let head = Fact { outcome, confidence, scope, ..fact(kind, seconds) };
            let ends = (option::of(any_person()), option::weighted(0.9, any_person()), option::weighted(0.9, object));
            (Just(head), ends, option::weighted(0.8, any_detail(kind)))
        })
        .prop_map(|(head, (actor, subject, object), detail)| Fact { actor, subject, object, detail, ..head })
        .boxed()
}

fn any_person() -> BoxedStrategy<Ref> {
    let person = prop::sample::select(vec![account("u1"), account("u2"), known_as(EntityKind::Account, 9)]);
    (person, prop_oneof![3 => Just(0), 1 => 1..=3])
        .prop_map(|(person, identity_type)| Ref { identity_type, ..person })
        .boxed()
}

fn some_time() -> BoxedStrategy<Option<Time>> {
    option::of((0..100i64).prop_map(time)).boxed()
}

/// A detail that goes with the kind.
fn any_detail(kind: FactKind) -> BoxedStrategy<Detail> {
    let name = kind.as_str_name().trim_start_matches("FACT_KIND_");
    let (group_name, _) = name.split_once('_').unwrap();
    let person = || option::of(any_person());
    match group_name {
        "GRANT" => (some_time(), 0..=2, option::of(Just(group("g9"))))
            .prop_map(|(expires_at, mode, inherited_via)| {
                Detail::Grant(Grant { expires_at, mode, inherited_via, conditional: true })
            })
            .boxed(),
        "ACCOUNT" => (any::<bool>(), "(d/[12])?")
            .prop_map(|(reversible, department)| {
                Detail::Account(Account { changed: vec!["x".into()], reversible, department, manager: None })
            })
            .boxed(),
        "CREDENTIAL" => some_time()
            .prop_map(|expires_at| {
                Detail::Credential(Credential { expires_at, last_used_at: None, rotation_interval_seconds: 1 })
            })
            .boxed(),
        "ENTITLEMENT" => (vec(0..3usize, 0..3), vec(0..3usize, 0..3))
            .prop_map(|(added, removed)| {
                let refs = |numbers: Vec<usize>| numbers.iter().map(|number| group(&format!("i{number}"))).collect();
                let (implies_added, implies_removed) = (refs(added), refs(removed));
                Detail::Entitlement(Entitlement { version: "v".into(), implies_added, implies_removed })
            })
            .boxed(),
        "OWNER" | "PURPOSE" | "NHI" => (person(), some_time(), 0..3u64, any::<bool>())
            .prop_map(|(owner, expires_at, interval, purpose_declared)| {
                let rotation_interval_seconds = if purpose_declared { interval } else { interval + 1 };
                Detail::Ownership(Ownership { owner, expires_at, rotation_interval_seconds, purpose_declared })
            })
            .boxed(),
        "LIFECYCLE" => some_time()
            .prop_map(|effective_at| Detail::Lifecycle(Lifecycle { effective_at, department: "d/9".into() }))
            .boxed(),
        "SNAPSHOT" => {
            (1..=3).prop_map(|completeness| Detail::Snapshot(Snapshot { completeness, ..Snapshot::default() })).boxed()
        }
        "TICKET" => {
            let items = vec(option::of(Just(group("g1"))).prop_map(|target| item(target, "okta:group_member")), 0..2);
            (1..=5, 0..=6, person(), person(), items, some_time(), some_time(), 0..=3)
                .prop_map(|(r#type, status, requester, assignee, items, window_start, window_end, source_decision)| {
                    let texts = Vec::new();
                    Detail::Ticket(Ticket {
                        r#type,
                        status,
                        requester,
                        assignee,
                        items,
                        window_start,
                        window_end,
                        source_decision,
                        texts,
                    })
                })
                .boxed()
        }
        "APPROVAL" => ("(r[12])?", 1..=2u32, 0..=5, 0..3u32, person(), prop_oneof![Just(0), Just(6)])
            .prop_map(|(id, level, rule, quorum, approver, source_decision)| {
                let (asked_by, delegate) = (None, None);
                Detail::Approval(Approval { id, level, rule, quorum, approver, asked_by, delegate, source_decision })
            })
            .boxed(),
        _ => Just(Detail::Review(counterfoil_proto::v1::Review { decision: 1, reviewer: None })).boxed(),
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The naive replay: all entities at once, in plain maps. References of these histories have one name each.

type World = BTreeMap<String, State>;

fn text(reference: &Option<Ref>) -> String {
    let Some(reference) = reference else { return String::new() };
    match (reference.kind(), reference.id.as_str()) {
        (_, "") => format!("identifier:{}", hex(&reference.tokens[0])),
        (EntityKind::Account, id) => format!("account:okta:acme:{id}"),
        (EntityKind::Entitlement, id) => format!("entitlement:okta:acme:{id}"),
        (EntityKind::Credential, id) => format!("credential:okta:acme:{id}"),
        (_, id) => format!("ticket:okta:acme:{id}"),
    }
}

fn naive(records: &[Record], at: i64, known: u64) -> World {
    let mut facts = Vec::new();
    for record in records.iter().filter(|record| record.index < known) {
        let Some(Body::Event(event)) = &record.body else { continue };
        for (number, fact) in event.facts.iter().enumerate() {
            let happened = fact.occurred_at.unwrap().seconds;
            if happened <= at && fact.outcome() == Outcome::Success {
                let evidence = Evidence {
                    index: record.index,
                    fact: number as u32,
                    occurred_seconds: happened,
                    recorded_seconds: record.recorded_at.unwrap().seconds,
                    authentication: record.provenance.as_ref().unwrap().authentication,
                    ..Evidence::default()
                };
                facts.push(((happened, record.index, number), fact, evidence));
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
    let about_object = ["TICKET_", "APPROVAL_", "ENTITLEMENT_"].iter().any(|p| name.starts_with(p));
    let about_both = ["GRANT_", "CREDENTIAL_", "SNAPSHOT_", "IDENTI"].iter().any(|p| name.starts_with(p));
    let mut ends = Vec::new();
    if (about_object || about_both) && fact.object.is_some() {
        ends.push((object.clone(), subject.clone(), &fact.object, false));
    }
    if (about_subject || about_both) && fact.subject.is_some() {
        ends.push((subject.clone(), object.clone(), &fact.subject, true));
    }
    if ends.len() == 2 && ends[0].0 == ends[1].0 {
        // Only identities are at both ends: it counts as the subject.
        ends.remove(0);
    }
    for (own, other, reference, is_subject) in ends {
        let state = world.entry(own.clone()).or_default();
        let given = reference.as_ref().unwrap().identity_type;
        if given != 0 {
            state.identity_type = given;
        }
        let edge = format!("{other} {}", fact.scope);
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
        match fact.kind() {
            K::GrantAdded if !other.is_empty() => drop(state.grants.insert(edge, new_edge)),
            K::GrantRemoved | K::GrantExpired => drop(state.grants.remove(&edge)),
            K::GrantModified if !other.is_empty() => {
                let mut modified = new_edge;
                if let Some(held) = state.grants.get(&edge) {
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
                state.grants.insert(edge, modified);
            }
            K::SnapshotItem => naive_item(state, fact, evidence, new_edge, edge, is_subject),
            K::IdentityLinked if !other.is_empty() => drop(state.linked.insert(other, evidence)),
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

fn naive_item(state: &mut State, fact: &Fact, evidence: Evidence, seen: GrantState, edge: String, is_subject: bool) {
    if is_subject {
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
    let is_logged = state.grants.get(&edge).is_some_and(|held| held.confidence != 3);
    if !seen.counterpart.is_empty() && !is_logged {
        state.grants.insert(edge, GrantState { confidence: 3, ..seen });
    }
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
    if fact.kind() == FactKind::EntitlementRemoved {
        state.implies.clear();
        return;
    }
    let Some(detail) = detail else { return };
    if fact.kind() == FactKind::EntitlementDefined {
        state.implies.clear();
    }
    for removed in &detail.implies_removed {
        state.implies.remove(&text(&Some(removed.clone())));
    }
    for added in &detail.implies_added {
        state.implies.insert(text(&Some(added.clone())), evidence);
    }
}

fn naive_governance(state: &mut State, fact: &Fact, evidence: Evidence) {
    let detail = match &fact.detail {
        Some(Detail::Ownership(detail)) => detail.clone(),
        _ => Ownership::default(),
    };
    let owner = text(&detail.owner);
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
    state.register = Some(RegisterState {
        registered: old.registered || kind == FactKind::NhiRegistered,
        retired: kind == FactKind::NhiRetired || (old.retired && kind != FactKind::NhiRegistered),
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

// ---------------------------------------------------------------------------------------------------------------------
// Properties

fn entities(records: &[Record]) -> BTreeSet<EntityId> {
    records.iter().flat_map(entity_set).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_replay_equals_the_naive_one(records in any_history(), at_seconds in -1..13i64, known in 0..27u64) {
        prop_assert!(records.iter().all(|record| rules::check(record).is_ok()));
        let mut world = naive(&records, at_seconds, known);
        for entity in entities(&records) {
            let state = replay(&entity, &records, at(at_seconds), TreeSize(known));
            let expected = world.remove(&entity.to_string()).unwrap_or_default();
            prop_assert_eq!(state, expected, "{}", entity);
        }
        prop_assert!(world.is_empty(), "not in any entity set: {:?}", world.keys());
    }

    #[test]
    fn neither_order_nor_strangers_matter(records in any_history().prop_shuffle(), at_seconds in 0..13i64, known in 0..27u64) {
        let mut sorted = records.clone();
        sorted.sort_by_key(|record| record.index);
        for entity in entities(&records) {
            let own = sorted.iter().filter(|record| entity_set(record).contains(&entity));
            let expected = replay(&entity, own, at(at_seconds), TreeSize(known));
            prop_assert_eq!(&replay(&entity, &records, at(at_seconds), TreeSize(known)), &expected, "shuffled");
            prop_assert_eq!(&replay(&entity, records.iter().rev(), at(at_seconds), TreeSize(known)), &expected);
        }
    }

    /// A view keeps deltas of bearers alone: whoever is none must not change.
    #[test]
    fn only_bearers_change(records in any_history(), before in any_history()) {
        for record in &records {
            for fact in facts_of(record) {
                let bearers = bearers(fact.fact, fact.source);
                prop_assert!(bearers.iter().all(|bearer| entity_set(record).contains(bearer)));
                for entity in entities(&records) {
                    let mut state = replay(&entity, &before, OccurredAt(Moment::MAX), TreeSize(u64::MAX));
                    let unchanged = state.clone();
                    apply(&mut state, &entity, &fact);
                    prop_assert!(bearers.contains(&entity) || state == unchanged, "{} by {:?}", entity, fact.fact);
                }
            }
        }
    }

    /// Whatever is not a success is evidence alone, and so are the kinds that change nothing.
    #[test]
    fn failures_change_nothing(records in any_history(), outcome in 2..=4) {
        let failed: Vec<Record> = records.into_iter().map(|mut record| {
            if let Some(Body::Event(event)) = &mut record.body {
                event.facts.iter_mut().for_each(|fact| fact.outcome = outcome);
            }
            record
        }).collect();
        for entity in entities(&failed) {
            prop_assert_eq!(replay(&entity, &failed, OccurredAt(Moment::MAX), TreeSize(u64::MAX)), State::default());
        }
    }

    #[test]
    fn no_ticket_and_no_approval_creates_access(records in any_history()) {
        let asked: Vec<Record> = records.into_iter().map(|mut record| {
            if let Some(Body::Event(event)) = &mut record.body {
                event.facts.retain(|fact| {
                    let name = fact.kind().as_str_name();
                    name.contains("TICKET") || name.contains("APPROVAL") || name.contains("REVIEW")
                });
            }
            record
        }).collect();
        for entity in entities(&asked) {
            let state = replay(&entity, &asked, OccurredAt(Moment::MAX), TreeSize(u64::MAX));
            prop_assert!(state.grants.is_empty() && state.credentials.is_empty() && state.account.is_none());
        }
    }

    #[test]
    fn evidence_survives_the_round_trip(index in any::<u64>(), number in any::<u32>(), seconds in any::<i64>(), nanos in 0..1_000_000_000u32) {
        let (occurred, recorded) = (Moment { seconds, nanos }, Moment { seconds: 7, nanos: 8 });
        let recorded_at = Some(recorded.to_time(Precision::Nanosecond));
        let signed = Provenance { authentication: 5, ..Provenance::default() };
        let record = Record { index, recorded_at, provenance: Some(signed), ..Record::default() };
        let evidence = Evidence::of(&record, number, OccurredAt(occurred));
        prop_assert_eq!(evidence.authentication(), Authentication::SourceSignature);
        prop_assert_eq!((evidence.occurred_at(), evidence.recorded_at()), (OccurredAt(occurred), RecordedAt(recorded)));
        prop_assert_eq!(evidence.order(), (OccurredAt(occurred), RecordIndex(index), number));
        prop_assert_eq!(Moment::from_sortable_bytes(&occurred.to_sortable_bytes()), occurred);
    }

    #[test]
    fn sortable_bytes_sort_as_moments_do(one in any_time(), other in any_time()) {
        let (one, other) = (Moment::of(&one), Moment::of(&other));
        prop_assert_eq!(one.cmp(&other), one.to_sortable_bytes().cmp(&other.to_sortable_bytes()));
    }
}
