//! Which approval covers a change.
//!
//! Owns the explicit link (the change names the ticket), the match on beneficiary, entitlement and window, and the order
//! of approval and change. All of it is computed from records alone. It never looks a ticket up: the caller brings the
//! tickets that might cover the change.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{AccessOperation, Decision, Delivery, EntityKind, FactKind, TicketStatus, Verdict};

use crate::approval::{Derived, derive};
use crate::entity::EntityId;
use crate::replay::{FactAt, named};
use crate::state::{Evidence, ItemState, TicketState};
use crate::time::{Moment, OccurredAt};

/// The version of the rules in this module: an answer names it.
pub const RULE_VERSION: u32 = 1;
/// How far the clocks of two systems may differ before the order of their events counts, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: i64 = 60;
/// How long after its decision a ticket without a window of its own covers a change, in seconds: 14 days.
pub const WINDOW_SECONDS: i64 = 14 * 24 * 3600;

/// A change and who it is about.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The fact that changed access.
    pub fact: FactAt<'a>,
    /// How its records were delivered: backfill only if all of them were.
    pub delivery: Delivery,
    /// Every entity, in text form, that stands for the one whose access changed: accounts and identifiers.
    pub beneficiary: &'a BTreeSet<String>,
}

/// A ticket as replayed at the moment of the question, and whether any record it rests on was live.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The ticket with its approvals.
    pub state: &'a TicketState,
    /// The same as it stood when the change happened, as far as any version of then is recorded: what is decided or
    /// edited afterwards does not change what was approved at the time.
    pub at_change: Option<&'a TicketState>,
    /// How its records were delivered: backfill only if all of them were.
    pub delivery: Delivery,
}

impl<'a> Candidate<'a> {
    /// What it asked for when the change happened; where no version of then says so, what it asks for at last.
    fn items(&self) -> &'a [ItemState] {
        let then = self.at_change.map(|then| then.items.as_slice()).filter(|items| !items.is_empty());
        then.unwrap_or(&self.state.items)
    }

    /// Whom it was for when the change happened; where no version of then says so, whom it is for at last.
    fn beneficiary(&self) -> &'a [String] {
        let then = self.at_change.map(|then| then.beneficiary.as_slice()).filter(|names| !names.is_empty());
        then.unwrap_or(&self.state.beneficiary)
    }
}

/// What one ticket says about a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Whether it covers the change, and if not, why.
    pub verdict: Verdict,
    /// What the approvals come to, or the source's own final value where no approval is recorded.
    pub decision: Option<Derived>,
    /// Approval and change were both recorded as backfill: their order is the sources' word alone.
    pub order_on_sources_word: bool,
}

/// The tickets that the change itself names.
pub fn explicit_tickets(fact: &FactAt<'_>) -> Vec<EntityId> {
    let tickets = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
    tickets.flat_map(|ticket| named(ticket, fact.source)).collect()
}

/// What a ticket says about a change that names it.
pub fn judge_explicit(change: &Change<'_>, candidate: &Candidate<'_>) -> Judgement {
    let mut judgement = judge_decision(change, candidate);
    if !covers_beneficiary(change, candidate) {
        judgement.verdict = Verdict::OtherBeneficiary;
        judgement.order_on_sources_word = false;
    } else if !candidate.items().is_empty() && !covers_item(change, candidate.items()) {
        judgement.verdict = Verdict::OutOfScope;
        judgement.order_on_sources_word = false;
    }
    judgement
}

/// What a ticket says about a change that names no ticket; none if it is for somebody else, for something else, or for
/// another time.
pub fn judge_window(change: &Change<'_>, candidate: &Candidate<'_>) -> Option<Judgement> {
    let fits = covers_beneficiary(change, candidate)
        && covers_item(change, candidate.items())
        && in_window(change.fact.evidence.occurred_at(), candidate.state);
    fits.then(|| judge_decision(change, candidate))
}

/// The order of approval and change, and what the approval came to.
fn judge_decision(change: &Change<'_>, candidate: &Candidate<'_>) -> Judgement {
    let decision = final_decision(candidate.state);
    let backfill = change.delivery == Delivery::Backfill && candidate.delivery == Delivery::Backfill;
    let then = candidate.at_change.and_then(approved_by);
    let verdict = match decision {
        _ if let Some(by) = then => match by.index > change.fact.evidence.index && !backfill {
            true => Verdict::ApprovedRecordedLate,
            false => Verdict::Approved,
        },
        Some(Derived { decision: Decision::Approved, completed_by: Some(by) }) => {
            let change = change.fact.evidence;
            let tolerated = change.occurred_at().0.plus_seconds(CLOCK_TOLERANCE_SECONDS);
            let cancelled = candidate.state.cancelled.as_ref();
            if cancelled.is_some_and(|cancelled| {
                cancelled.occurred_at().0.plus_seconds(CLOCK_TOLERANCE_SECONDS) < change.occurred_at().0
            }) {
                Verdict::Rejected
            } else if by.occurred_at().0 > tolerated {
                Verdict::ApprovedLate
            } else if by.index > change.index && !backfill {
                Verdict::ApprovedRecordedLate
            } else {
                Verdict::Approved
            }
        }
        Some(Derived { decision: Decision::Rejected | Decision::Cancelled | Decision::Expired, .. }) => {
            Verdict::Rejected
        }
        _ if candidate.state.version.status() == TicketStatus::Cancelled => Verdict::Rejected,
        _ => Verdict::Pending,
    };
    let decided = matches!(verdict, Verdict::Approved | Verdict::ApprovedLate | Verdict::ApprovedRecordedLate);
    Judgement { verdict, decision, order_on_sources_word: backfill && decided }
}

/// The decision that completed the approval of a ticket that is approved, and not cancelled.
fn approved_by(ticket: &TicketState) -> Option<Evidence> {
    match final_decision(ticket) {
        Some(Derived { decision: Decision::Approved, completed_by }) if ticket.cancelled.is_none() => completed_by,
        _ => None,
    }
}

/// What the approvals come to; where none is recorded, what the source itself says.
pub fn final_decision(ticket: &TicketState) -> Option<Derived> {
    derive(ticket).or_else(|| {
        let decision = ticket.version.source_decision();
        (decision != Decision::Unspecified).then_some(Derived { decision, completed_by: ticket.source_decided })
    })
}

fn covers_beneficiary(change: &Change<'_>, candidate: &Candidate<'_>) -> bool {
    candidate.beneficiary().iter().any(|beneficiary| change.beneficiary.contains(beneficiary))
}

/// Whether the ticket asks for what the change did.
fn covers_item(change: &Change<'_>, items: &[ItemState]) -> bool {
    let fact = change.fact.fact;
    let operation = match fact.kind() {
        FactKind::GrantRemoved
        | FactKind::GrantExpired
        | FactKind::AccountDisabled
        | FactKind::AccountDeleted
        | FactKind::AccountLocked
        | FactKind::CredentialRevoked
        | FactKind::CredentialExpired
        | FactKind::CredentialDisabled => AccessOperation::Remove,
        _ => AccessOperation::Add,
    };
    let (targets, target_type, system) = match &fact.object {
        Some(object) => {
            // A name counts as the id does, since a ticket may know nothing else.
            let by_name = object.tokens.iter().map(|token| counterfoil_proto::v1::Ref {
                kind: EntityKind::Identifier.into(),
                tokens: vec![token.clone()],
                ..Default::default()
            });
            let mut targets = named(object, change.fact.source);
            targets.extend(by_name.flat_map(|name| named(&name, change.fact.source)));
            let target_type = object.id.split_once('/').map_or("", |(target_type, _)| target_type).to_owned();
            let system = if object.system.is_empty() { &change.fact.source.system } else { &object.system };
            (targets, target_type, system.clone())
        }
        None => (Vec::new(), "account".to_owned(), change.fact.source.system.clone()),
    };
    items.iter().any(|asked| {
        let item = &asked.item;
        let by_target = targets.iter().any(|target| asked.targets.contains(&target.to_string()));
        let any_of_type = asked.targets.is_empty() && item.target_type == format!("{system}:{target_type}");
        item.operation() == operation && (by_target || any_of_type)
    })
}

/// Whether a change falls into the time that a ticket is for: its own window, or else from its opening until 14 days
/// after its decision.
fn in_window(occurred_at: OccurredAt, ticket: &TicketState) -> bool {
    let of = |evidence: &Evidence| evidence.occurred_at().0;
    let item_from =
        ticket.items.iter().filter_map(|asked| asked.item.from.as_ref()).min_by_key(|time| Moment::of(time));
    let item_until =
        ticket.items.iter().filter_map(|asked| asked.item.until.as_ref()).max_by_key(|time| Moment::of(time));
    let opened = ticket.opened.as_ref().map_or(of(&ticket.evidence), of);
    // Ticket and items may both give limits: the narrower one holds.
    let starts = item_from.into_iter().chain(ticket.version.window_start.as_ref());
    let start = starts.map(Moment::of).max().unwrap_or(opened);
    let decided = final_decision(ticket).and_then(|derived| derived.completed_by).map_or(opened, |by| of(&by));
    let covered = || decided.plus_seconds(WINDOW_SECONDS);
    let end = ticket.version.window_end.as_ref().map_or_else(covered, Moment::of);
    let end = item_until.map_or(end, |until| end.min(Moment::of(until)));
    let moment = occurred_at.0;
    start.plus_seconds(-CLOCK_TOLERANCE_SECONDS) <= moment && moment <= end.plus_seconds(CLOCK_TOLERANCE_SECONDS)
}
