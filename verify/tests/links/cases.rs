//! One change, one ticket, and how they are judged.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::*;
use counterfoil_proto::v1::{Decision, Delivery, Fact, FactKind, Ref, Ticket};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::link::{Candidate, Change, Judgement, judge_explicit};
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::state::{ApprovalState, Evidence, ItemState, TicketState};
use counterfoil_verify::ticket::TicketHistory;

pub const U1: &str = "account:okta:acme:u1";
/// An identifier of u1.
pub const ID1: &str = "identifier:ffffffffffffffffffffffffffffffff";
pub const G1: &str = "entitlement:okta:acme:group_member/g1";
/// When the ticket was opened, when it was approved, and when the change happened, unless a case says otherwise.
pub const OPENED: i64 = 1_000;
pub const APPROVED: i64 = 2_000;
pub const CHANGED: i64 = 3_000;
/// The place of the change in the log.
pub const CHANGE_INDEX: u64 = 50;

pub fn evidence(index: u64, seconds: i64) -> Evidence {
    Evidence { index, occurred_seconds: seconds, ..Evidence::default() }
}

pub fn row(decision: Decision, index: u64, seconds: i64) -> ApprovalState {
    let evidence = evidence(index, seconds);
    ApprovalState { level: 1, rule: 1, decision: decision.into(), evidence, ..ApprovalState::default() }
}

/// A ticket for u1 that asks for g1, approved in time.
pub fn approved() -> TicketState {
    let mut ticket = TicketState {
        version: Ticket { r#type: 5, status: 1, ..Ticket::default() },
        beneficiary: vec![U1.into()],
        items: vec![ItemState { item: item(Some(group("g1")), "okta:group_member"), targets: vec![G1.into()] }],
        opened: Some(evidence(10, OPENED)),
        evidence: evidence(10, OPENED),
        ..TicketState::default()
    };
    ticket.approvals.insert("r1".into(), row(Decision::Approved, 20, APPROVED));
    ticket
}

pub fn grant_of(group: Ref) -> Fact {
    Fact { subject: Some(account("u1")), object: Some(group), ..fact(FactKind::GrantAdded, CHANGED) }
}

/// Who the change is about, in one case.
pub fn judge<T>(
    fact: Fact,
    ticket: &TicketState,
    deliveries: (Delivery, Delivery),
    judge: impl Fn(&Change<'_>, &Candidate<'_>) -> T,
) -> T {
    judge_at(fact, ticket, None, deliveries, judge)
}

/// The same, with the ticket as it stood at the change.
pub fn judge_at<T>(
    fact: Fact,
    ticket: &TicketState,
    at_change: Option<&TicketState>,
    deliveries: (Delivery, Delivery),
    judge: impl Fn(&Change<'_>, &Candidate<'_>) -> T,
) -> T {
    let record = record_of(CHANGE_INDEX, vec![fact]);
    let fact: FactAt<'_> = facts_of(&record).next().unwrap();
    let beneficiary = if fact.fact.subject.is_some() { entities(&[U1, ID1]) } else { BTreeSet::new() };
    let change = Change::new(fact, deliveries.0, &beneficiary);
    let history = TicketHistory {
        last: Arc::new(ticket.clone()),
        around: [at_change.cloned().map(Arc::new), None, None],
        when_approved: None,
        when_changed: at_change.cloned().map(Arc::new),
    };
    let [beneficiary, edited_beneficiary] = [history.approved(), history.at_change()]
        .map(|version| entities(&version.beneficiary.iter().map(String::as_str).collect::<Vec<_>>()));
    let candidate = Candidate {
        history: &history,
        beneficiary: &beneficiary,
        edited_beneficiary: &edited_beneficiary,
        delivery: deliveries.1,
    };
    judge(&change, &candidate)
}

pub fn entities(texts: &[&str]) -> BTreeSet<EntityId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub const LIVE: (Delivery, Delivery) = (Delivery::Live, Delivery::Live);
pub const BACKFILL: (Delivery, Delivery) = (Delivery::Backfill, Delivery::Backfill);

pub fn explicit(ticket: &TicketState) -> Judgement {
    judge(grant_of(group("g1")), ticket, LIVE, judge_explicit)
}
