//! Which approval covers a change.
//!
//! Owns the explicit link (the change names the ticket), the match on beneficiary, entitlement and window, and the order
//! of approval and change. All of it is computed from records alone. It never looks a ticket up: the caller brings the
//! tickets that might cover the change.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Decision, Delivery, EntityKind, Precision, Ref, TicketStatus, Verdict, fact::Detail,
};

use crate::approval::{Derived, derive};
use crate::entity::EntityId;
use crate::fact::takes_access;
use crate::identifier::Token;
use crate::replay::{FactAt, named};
use crate::state::{Evidence, ItemState, TicketState};
use crate::time::Moment;

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
    /// Every entity that stood for the one whose access changed, when it changed: accounts, persons and identifiers.
    pub beneficiary: &'a BTreeSet<EntityId>,
}

/// A ticket as replayed at the moment of the question, and whether any record it rests on was live.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The ticket with its approvals.
    pub state: &'a TicketState,
    /// The same as it stood when the change happened, as far as any version of then is recorded: what is decided or
    /// edited afterwards does not change what was approved at the time.
    pub at_change: Option<&'a TicketState>,
    /// Every entity that stood for its beneficiary when the ticket was opened: an identifier may have been given to
    /// somebody else since.
    pub beneficiary: &'a BTreeSet<EntityId>,
    /// How its records were delivered: backfill only if all of them were.
    pub delivery: Delivery,
}

impl<'a> Candidate<'a> {
    /// The version that counts for what it asks for: that of then, where one is recorded.
    fn then(&self) -> &'a TicketState {
        self.at_change.unwrap_or(self.state)
    }

    /// What it asked for when the change happened; where no version of then says so, what it asks for at last.
    fn items(&self) -> &'a [ItemState] {
        let then = Some(self.then().items.as_slice()).filter(|items| !items.is_empty());
        then.unwrap_or(&self.state.items)
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

/// Whom a ticket was for when the change happened, in text form; where no version of then says so, whom it is for at
/// last.
pub fn named_beneficiary<'a>(state: &'a TicketState, at_change: Option<&'a TicketState>) -> &'a [String] {
    let then = at_change.map(|then| then.beneficiary.as_slice()).filter(|names| !names.is_empty());
    then.unwrap_or(&state.beneficiary)
}

/// The tickets that the change itself names.
pub fn explicit_tickets(fact: &FactAt<'_>) -> Vec<EntityId> {
    let tickets = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
    tickets.flat_map(|ticket| named(ticket, fact.source)).collect()
}

/// What a ticket says about a change that names it. The name alone approves nothing: the ticket has to be for the same
/// beneficiary, access and time. One that does not say for whom or what it is cannot show that this was approved.
pub fn judge_explicit(change: &Change<'_>, candidate: &Candidate<'_>) -> Judgement {
    let mut judgement = judge_decision(change, candidate);
    let needs_beneficiary = !change.beneficiary.is_empty();
    let mismatch = if needs_beneficiary && !candidate.beneficiary.is_empty() && !is_same(change, candidate) {
        Some(Verdict::OtherBeneficiary)
    } else {
        match standing(change, candidate, Limits::explicit) {
            Standing::Covered => None,
            Standing::OtherTime => Some(Verdict::OutOfWindow),
            Standing::OtherAccess => Some(Verdict::OutOfScope),
        }
    };
    if let Some(mismatch) = mismatch {
        judgement.verdict = mismatch;
        judgement.order_on_sources_word = false;
        return judgement;
    }
    let is_unspecific = candidate.items().is_empty() || needs_beneficiary && candidate.beneficiary.is_empty();
    if is_unspecific && matches!(judgement.verdict, Verdict::Approved | Verdict::ApprovedRecordedLate) {
        judgement.verdict = Verdict::ApprovedUnspecific;
    }
    judgement
}

/// What a ticket says about a change that names no ticket; none if it is for somebody else, for something else, or for
/// another time.
pub fn judge_window(change: &Change<'_>, candidate: &Candidate<'_>) -> Option<Judgement> {
    let fits = is_same(change, candidate)
        && !candidate.items().is_empty()
        && standing(change, candidate, Limits::window) == Standing::Covered;
    fits.then(|| judge_decision(change, candidate))
}

/// The last moment at which a change may have happened: its source may not say it to the second, and the clocks of two
/// systems differ.
pub fn latest_moment(change: &FactAt<'_>) -> Moment {
    let inexact = match change.fact.occurred_at.map(|time| time.precision()) {
        Some(Precision::Day) => 24 * 3600,
        Some(Precision::Minute) => 60,
        Some(Precision::Second) => 1,
        _ => 0,
    };
    change.evidence.occurred_at().0.plus_seconds(inexact + CLOCK_TOLERANCE_SECONDS)
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
            let tolerated = latest_moment(&change.fact);
            let change = change.fact.evidence;
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

/// Whether a ticket is for the one whose access changed. Within one system the accounts decide: an identifier that both
/// share says nothing where it meant another account when the ticket was opened.
fn is_same(change: &Change<'_>, candidate: &Candidate<'_>) -> bool {
    let subject: Vec<EntityId> =
        change.fact.fact.subject.iter().flat_map(|subject| named(subject, change.fact.source)).collect();
    if subject.iter().any(|one| has_place(one) && candidate.beneficiary.contains(one)) {
        return true;
    }
    let places: BTreeSet<_> = candidate.beneficiary.iter().filter(|one| has_place(one)).map(place).collect();
    let known_there = |one: &EntityId| has_place(one) && places.contains(&place(one));
    if subject.iter().any(known_there) {
        return false;
    }
    let by_account = change.beneficiary.iter().any(known_there);
    let mut shared = change.beneficiary.intersection(candidate.beneficiary);
    shared.any(|one| has_place(one) || !by_account)
}

/// Where somebody has one entity: as a person, or as an account in one system.
fn place(entity: &EntityId) -> (EntityKind, &str, &str) {
    (entity.kind(), entity.system(), entity.instance())
}

fn has_place(entity: &EntityId) -> bool {
    entity.kind() != EntityKind::Identifier
}

/// What a ticket that is for the right beneficiary says about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Covered,
    OtherTime,
    OtherAccess,
}

/// Whether the ticket asks for what the change did, for the time at which it did so. A ticket that asks for nothing in
/// particular has its own time only.
fn standing(
    change: &Change<'_>,
    candidate: &Candidate<'_>,
    limits: fn(&Candidate<'_>, Option<&AccessItem>) -> Limits,
) -> Standing {
    let moment = change.fact.evidence.occurred_at().0;
    let in_time = |item| if limits(candidate, item).hold(moment) { Standing::Covered } else { Standing::OtherTime };
    let items = candidate.items();
    if items.is_empty() {
        return in_time(None);
    }
    let asked_for = asked_for(change, items);
    let standings: Vec<Standing> = asked_for.map(|asked| in_time(Some(&asked.item))).collect();
    match standings.as_slice() {
        [] => Standing::OtherAccess,
        some if some.contains(&Standing::Covered) => Standing::Covered,
        _ => Standing::OtherTime,
    }
}

/// The items that ask for what the change did.
fn asked_for<'i>(change: &Change<'_>, items: &'i [ItemState]) -> impl Iterator<Item = &'i ItemState> {
    let FactAt { fact, source, .. } = change.fact;
    let operation = if takes_access(fact) { AccessOperation::Remove } else { AccessOperation::Add };
    let mut changed: Vec<&Ref> = fact.object.iter().collect();
    if let Some(Detail::Entitlement(detail)) = &fact.detail {
        changed.extend(detail.implies_added.iter().chain(&detail.implies_removed));
    }
    let mut targets: BTreeSet<String> = BTreeSet::new();
    let mut types: BTreeSet<String> = BTreeSet::new();
    for object in changed {
        // A name counts as the id does, since a ticket may know nothing else.
        let names = object.tokens.iter().filter_map(|token| Token::from_slice(token).ok());
        let names = names.map(|token| EntityId::identifier(&token));
        targets.extend(named(object, source).into_iter().chain(names).map(|entity| entity.to_string()));
        let system = if object.system.is_empty() { &source.system } else { &object.system };
        types.extend(object.id.split_once('/').map(|(target_type, _)| format!("{system}:{target_type}")));
    }
    if fact.object.is_none() {
        types.insert(format!("{}:account", source.system));
    }
    items.iter().filter(move |asked| {
        let by_target = asked.targets.iter().any(|target| targets.contains(target));
        let any_of_type = asked.targets.is_empty() && types.contains(&asked.item.target_type);
        asked.item.operation() == operation && (by_target || any_of_type)
    })
}

/// The time that a ticket is for.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    start: Option<Moment>,
    end: Option<Moment>,
}

impl Limits {
    /// What ticket and item say themselves: the narrower one holds.
    fn own(candidate: &Candidate<'_>, item: Option<&AccessItem>) -> Self {
        let version = &candidate.then().version;
        let starts = version.window_start.iter().chain(item.and_then(|item| item.from.as_ref()));
        let ends = version.window_end.iter().chain(item.and_then(|item| item.until.as_ref()));
        Self { start: starts.map(Moment::of).max(), end: ends.map(Moment::of).min() }
    }

    /// Of a ticket that the change names: its own; one without an end of its own ends 14 days after it was closed.
    fn explicit(candidate: &Candidate<'_>, item: Option<&AccessItem>) -> Self {
        let own = Self::own(candidate, item);
        let closed = candidate.then().closed.as_ref().map(|closed| closed.occurred_at().0);
        let stale = || closed.map(|closed| closed.max(decided_at(candidate)).plus_seconds(WINDOW_SECONDS));
        Self { end: own.end.or_else(stale), ..own }
    }

    /// Of a ticket that the change does not name: its own; or else from its opening until 14 days after its decision.
    fn window(candidate: &Candidate<'_>, item: Option<&AccessItem>) -> Self {
        let own = Self::own(candidate, item);
        let covered = decided_at(candidate).plus_seconds(WINDOW_SECONDS);
        let end = match candidate.then().version.window_end {
            Some(_) => own.end,
            None => Some(own.end.map_or(covered, |end| end.min(covered))),
        };
        Self { start: own.start.or(Some(opened_at(candidate.state))), end }
    }

    fn hold(&self, moment: Moment) -> bool {
        self.start.is_none_or(|start| start.plus_seconds(-CLOCK_TOLERANCE_SECONDS) <= moment)
            && self.end.is_none_or(|end| moment <= end.plus_seconds(CLOCK_TOLERANCE_SECONDS))
    }
}

/// When a ticket was opened; where nothing says so, when it was last changed.
fn opened_at(ticket: &TicketState) -> Moment {
    ticket.opened.as_ref().unwrap_or(&ticket.evidence).occurred_at().0
}

/// When a ticket was decided; where nothing says so, when it was opened.
fn decided_at(candidate: &Candidate<'_>) -> Moment {
    let by = final_decision(candidate.state).and_then(|derived| derived.completed_by);
    by.map_or_else(|| opened_at(candidate.state), |by| by.occurred_at().0)
}
