//! Which approval covers a change.
//!
//! Owns the explicit link (the change names the ticket), the match on beneficiary, entitlement and window, and the order
//! of approval and change. All of it is computed from records alone. It never looks a ticket up: the caller brings the
//! tickets that might cover the change. Which of several counts is for `verdict`, how well each fits for `score`.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Decision, Delivery, EntityKind, Ref, Source, TicketStatus, Verdict, fact::Detail,
};

use crate::approval::{Derived, final_decision};
use crate::entity::EntityId;
use crate::fact::{Group, entities_of, kind_group, takes_access};
use crate::replay::{FactAt, named};
use crate::score;
use crate::state::{ItemState, TicketState};
use crate::ticket::{CLOCK_TOLERANCE_SECONDS, TicketHistory, latest_moment};
use crate::time::Moment;

/// The version of the rules in this module: an answer names it.
pub const RULE_VERSION: u32 = 2;
/// How long after its decision a ticket without a window of its own covers a change, in seconds: 14 days.
pub const WINDOW_SECONDS: i64 = 14 * 24 * 3600;
/// For how long after a change its ticket may still come, in seconds: sources deliver with a delay, and not in order.
pub const GRACE_SECONDS: i64 = 3_600;

/// How the text form of an identifier begins.
const IDENTIFIERS: &str = "identifier:";

/// A change and who it is about.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The fact that changed access.
    pub fact: FactAt<'a>,
    /// How its records were delivered: backfill only if all of them were.
    pub delivery: Delivery,
    /// Every entity that stood for the one whose access changed, when it changed: accounts, persons and identifiers.
    pub beneficiary: &'a BTreeSet<EntityId>,
    /// Whom the fact itself names.
    subject: Vec<EntityId>,
    targets: Targets<'a>,
}

impl<'a> Change<'a> {
    /// The change that a fact made, and everybody who stood for the one it is about.
    pub fn new(fact: FactAt<'a>, delivery: Delivery, beneficiary: &'a BTreeSet<EntityId>) -> Self {
        let subject = fact.fact.subject.iter().flat_map(|subject| named(subject, fact.source)).collect();
        let targets = Targets::of(fact.fact.object.as_ref(), fact.source);
        Self { fact, delivery, beneficiary, subject, targets }
    }

    /// Whether the fact itself names any of these entities, which are in text form, as whom it is about.
    pub(crate) fn names_any_of(&self, entities: &[String]) -> bool {
        self.subject.iter().any(|one| entities.contains(&one.to_string()))
    }

    /// What it is worth that an item of a ticket asks for what was changed; none if it does not.
    pub(crate) fn likeness(&self, asked: &ItemState) -> Option<u32> {
        let is_id = |name: &&&String| !name.starts_with(IDENTIFIERS);
        let named: Vec<&String> = self.targets.names.iter().filter(|name| asked.targets.contains(name)).collect();
        match named.iter().find(is_id).or(named.first()) {
            Some(name) if is_id(&name) => Some(score::SAME_ENTITLEMENT),
            Some(_) => Some(score::NAMED_ENTITLEMENT),
            None => self.targets.are_asked_for(asked).then_some(score::TYPE_OF_ENTITLEMENT),
        }
    }
}

/// A ticket, and who it is for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The ticket at the moments that count for the change.
    pub history: &'a TicketHistory,
    /// Every entity that stood for the beneficiary of [`TicketHistory::approved`] when the ticket was opened: an
    /// identifier may have been given to somebody else since.
    pub beneficiary: &'a BTreeSet<EntityId>,
    /// The same of [`TicketHistory::at_change`].
    pub edited_beneficiary: &'a BTreeSet<EntityId>,
    /// How its records were delivered: backfill only if all of them were.
    pub delivery: Delivery,
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

impl<'a> Candidate<'a> {
    fn approved(&self) -> (&'a TicketState, &'a BTreeSet<EntityId>) {
        (self.history.approved(), self.beneficiary)
    }
}

impl Judgement {
    /// The same, where an edit that nobody approved made the ticket cover the change.
    fn edited(self) -> Self {
        Self { verdict: Verdict::EditedAfterApproval, order_on_sources_word: false, ..self }
    }
}

/// The tickets that the change itself names.
pub fn explicit_tickets(fact: &FactAt<'_>) -> Vec<EntityId> {
    let tickets = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
    tickets.flat_map(|ticket| named(ticket, fact.source)).collect()
}

/// What a ticket says about a change that names it. The name alone approves nothing: the ticket has to be for the same
/// beneficiary, access and time. One that does not say for whom or what it is cannot show that this was approved.
pub fn judge_explicit(change: &Change<'_>, candidate: &Candidate<'_>) -> Judgement {
    let judgement = judge_decision(change, candidate);
    match fit(change, candidate, candidate.approved(), Limits::explicit) {
        Ok(()) => judgement,
        Err(Verdict::ApprovedUnspecific) if is_in_time(judgement.verdict) => {
            Judgement { verdict: Verdict::ApprovedUnspecific, ..judgement }
        }
        Err(Verdict::ApprovedUnspecific) => judgement,
        Err(_) if is_edited(change, candidate, &judgement) => judgement.edited(),
        Err(verdict) => Judgement { verdict, order_on_sources_word: false, ..judgement },
    }
}

/// What a ticket says about a change that names no ticket; none if it is for somebody else, for something else, or for
/// another time.
pub fn judge_window(change: &Change<'_>, candidate: &Candidate<'_>) -> Option<Judgement> {
    let edited = (candidate.history.at_change(), candidate.edited_beneficiary);
    let fits = |version| fit(change, candidate, version, Limits::window).is_ok();
    // Whom and what a ticket is for costs least to ask, and most tickets are for something else.
    let is_approved = fits(candidate.approved());
    if !is_approved && !fits(edited) {
        return None;
    }
    let judgement = judge_decision(change, candidate);
    match is_approved {
        true => Some(judgement),
        false => is_in_time(judgement.verdict).then(|| judgement.edited()),
    }
}

/// The verdict on an approval that counts only if it was recorded in time: `then` is what the records before the change
/// come to. Where both were backfill, the order of records says nothing.
pub fn in_order(change: &Change<'_>, candidate: &Candidate<'_>, now: Judgement, then: Option<Judgement>) -> Judgement {
    match now.verdict {
        _ if is_backfill(change, candidate) => now,
        Verdict::Approved if then.is_none_or(|then| then.verdict != Verdict::Approved) => {
            Judgement { verdict: Verdict::ApprovedRecordedLate, ..now }
        }
        _ => now,
    }
}

/// Whether a later answer to the same question may be another: the tickets are known up to `known_until` only, or nothing of
/// them is.
pub fn is_provisional(change: &FactAt<'_>, known_until: Option<Moment>) -> bool {
    known_until.is_none_or(|until| until < latest_moment(change).plus_seconds(GRACE_SECONDS))
}

/// Whether a ticket that was not approved around the change is cancelled; where nothing is known of then, whether it
/// was cancelled before the change.
fn is_cancelled(change: &Change<'_>, history: &TicketHistory) -> bool {
    let before = change.fact.evidence.occurred_at().0.plus_seconds(-CLOCK_TOLERANCE_SECONDS);
    history.last.cancelled.is_some_and(|cancelled| history.is_known_then() || cancelled.occurred_at().0 < before)
}

fn is_backfill(change: &Change<'_>, candidate: &Candidate<'_>) -> bool {
    change.delivery == Delivery::Backfill && candidate.delivery == Delivery::Backfill
}

/// Whether a verdict shows an approval that preceded the change, by what the sources say.
pub fn is_in_time(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Approved | Verdict::ApprovedRecordedLate)
}

/// Whether a ticket that the change names came to cover it only by an edit that nobody approved.
fn is_edited(change: &Change<'_>, candidate: &Candidate<'_>, judgement: &Judgement) -> bool {
    let edited = (candidate.history.at_change(), candidate.edited_beneficiary);
    is_in_time(judgement.verdict) && fit(change, candidate, edited, Limits::explicit).is_ok()
}

/// The order of approval and change, and what the approval came to.
fn judge_decision(change: &Change<'_>, candidate: &Candidate<'_>) -> Judgement {
    let history = candidate.history;
    let decision = final_decision(history.basis());
    let backfill = is_backfill(change, candidate);
    let was_cancelled = history.around.iter().flatten().all(|then| then.cancelled.is_some());
    let verdict = match decision {
        _ if history.approved_then().is_some() => Verdict::Approved,
        _ if history.is_known_then() && was_cancelled => Verdict::Rejected,
        Some(Derived { decision: Decision::Approved, completed_by: Some(by) }) if !is_cancelled(change, history) => {
            let is_late = history.is_known_then() || by.occurred_at().0 > latest_moment(&change.fact);
            if is_late { Verdict::ApprovedLate } else { Verdict::Approved }
        }
        Some(Derived {
            decision: Decision::Approved | Decision::Rejected | Decision::Cancelled | Decision::Expired,
            ..
        }) => Verdict::Rejected,
        _ if history.last.version.status() == TicketStatus::Cancelled => Verdict::Rejected,
        _ => Verdict::Pending,
    };
    let decided = matches!(verdict, Verdict::Approved | Verdict::ApprovedLate);
    Judgement { verdict, decision, order_on_sources_word: backfill && decided }
}

/// What a version of a ticket is for, against a change: nothing where it covers it.
fn fit(
    change: &Change<'_>,
    candidate: &Candidate<'_>,
    (ticket, beneficiary): (&TicketState, &BTreeSet<EntityId>),
    limits: LimitsOf,
) -> Result<(), Verdict> {
    let is_about_somebody = kind_group(change.fact.fact.kind()) != Group::Entitlement;
    let is_for_somebody = !change.beneficiary.is_empty() && !beneficiary.is_empty();
    if is_about_somebody && is_for_somebody && !is_same(change, beneficiary) {
        return Err(Verdict::OtherBeneficiary);
    }
    let limits = |item: Option<&AccessItem>| limits(candidate.history, ticket, item);
    match standing(change, ticket, beneficiary, limits) {
        Standing::OtherTime => Err(Verdict::OutOfWindow),
        Standing::OtherAccess => Err(Verdict::OutOfScope),
        Standing::Covered if ticket.items.is_empty() || is_about_somebody && !is_for_somebody => {
            Err(Verdict::ApprovedUnspecific)
        }
        Standing::Covered => Ok(()),
    }
}

/// Whether a ticket is for the one whose access changed. Within one system the accounts decide: an identifier that both
/// share says nothing where it meant another account when the ticket was opened.
fn is_same(change: &Change<'_>, beneficiary: &BTreeSet<EntityId>) -> bool {
    let subject = &change.subject;
    if subject.iter().any(|one| has_place(one) && beneficiary.contains(one)) {
        return true;
    }
    let places: BTreeSet<_> = beneficiary.iter().filter(|one| has_place(one)).map(place).collect();
    let known_there = |one: &EntityId| has_place(one) && places.contains(&place(one));
    if subject.iter().any(known_there) {
        return false;
    }
    let by_account = change.beneficiary.iter().any(known_there);
    let mut shared = change.beneficiary.intersection(beneficiary);
    shared.any(|one| has_place(one) || !by_account)
}

/// Where somebody has one entity: as a person, or as an account in one system.
fn place(entity: &EntityId) -> (EntityKind, &str, &str) {
    (entity.kind(), entity.system(), entity.instance())
}

fn has_place(entity: &EntityId) -> bool {
    entity.kind() != EntityKind::Identifier
}

/// Until when a ticket asks for the access that a change gave: the latest end of the items that ask for it, or its own;
/// none where one of them has no end.
pub fn asked_until(change: &FactAt<'_>, ticket: &TicketState) -> Option<Moment> {
    let targets = Targets::of(change.fact.object.as_ref(), change.source);
    let asks = |asked: &&ItemState| asked.item.operation() == AccessOperation::Add && targets.are_asked_for(asked);
    let ends: Vec<_> =
        ticket.items.iter().filter(asks).map(|asked| Limits::own(ticket, Some(&asked.item)).end).collect();
    match ends.iter().max() {
        _ if ends.contains(&None) => None,
        Some(latest) => *latest,
        None => Limits::own(ticket, None).end,
    }
}

/// What a ticket that is for the right beneficiary says about a change, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Covered,
    OtherTime,
    OtherAccess,
}

/// Whether the ticket asks for what the change did, for the time at which it did so. A ticket that asks for nothing in
/// particular has its own time only.
fn standing(
    change: &Change<'_>,
    ticket: &TicketState,
    beneficiary: &BTreeSet<EntityId>,
    limits: impl Fn(Option<&AccessItem>) -> Limits,
) -> Standing {
    let moment = change.fact.evidence.occurred_at().0;
    let in_time =
        |item: Option<&AccessItem>| if limits(item).hold(moment) { Standing::Covered } else { Standing::OtherTime };
    if ticket.items.is_empty() {
        return in_time(None);
    }
    let fact = change.fact.fact;
    let over = |asked: &ItemState, wanted: AccessOperation, targets: &Targets<'_>| {
        // Access that was asked for up to a moment is also approved to be taken away then.
        let is_end = asked.item.operation() == AccessOperation::Add && wanted == AccessOperation::Remove;
        let ended = |until| Moment::of(until).plus_seconds(-CLOCK_TOLERANCE_SECONDS) <= moment;
        match asked.item.operation() == wanted {
            _ if !targets.are_asked_for(asked) => Standing::OtherAccess,
            true => in_time(Some(&asked.item)),
            false if is_end && asked.item.until.as_ref().is_some_and(ended) => Standing::Covered,
            false => Standing::OtherAccess,
        }
    };
    let best = |wanted, targets: &Targets<'_>| {
        ticket.items.iter().map(|asked| over(asked, wanted, targets)).min().unwrap_or(Standing::OtherAccess)
    };
    let source = change.fact.source;
    let Some(Detail::Entitlement(detail)) = &fact.detail else {
        let operation = if takes_access(fact) { AccessOperation::Remove } else { AccessOperation::Add };
        return best(operation, &change.targets);
    };
    // What an entitlement comes to mean: the ticket is about this entitlement, and asks for all that it gains and loses.
    let own = &change.targets;
    let is_about_it = ticket.items.iter().any(|asked| own.are_named_by(asked))
        || beneficiary.iter().any(|entity| own.names.contains(&entity.to_string()));
    let gained = detail.implies_added.iter().map(|gained| (AccessOperation::Add, gained));
    let lost = detail.implies_removed.iter().map(|lost| (AccessOperation::Remove, lost));
    let changed = gained.chain(lost).map(|(operation, target)| best(operation, &Targets::of(Some(target), source)));
    match changed.max() {
        Some(worst) if is_about_it => worst,
        _ => Standing::OtherAccess,
    }
}

/// What an item of a ticket may call the object of a change.
#[derive(Clone, Debug)]
struct Targets<'a> {
    /// Its id, and its names: a ticket may know nothing else.
    names: Vec<String>,
    /// The system and the type of thing that it is.
    target_type: Option<(&'a str, &'a str)>,
}

impl<'a> Targets<'a> {
    /// Without an object, the change is about an account of the source.
    fn of(object: Option<&'a Ref>, source: &'a Source) -> Self {
        let Some(object) = object else {
            return Self { names: Vec::new(), target_type: Some((&source.system, "account")) };
        };
        let system = if object.system.is_empty() { &source.system } else { &object.system };
        Self {
            names: entities_of(object, source).map(|entity| entity.to_string()).collect(),
            target_type: object.id.split_once('/').map(|(target_type, _)| (system.as_str(), target_type)),
        }
    }

    fn are_named_by(&self, asked: &ItemState) -> bool {
        asked.targets.iter().any(|target| self.names.contains(target))
    }

    /// Whether an item asks for this very thing, or for any of its type.
    fn are_asked_for(&self, asked: &ItemState) -> bool {
        let is_type = |own| asked.item.target_type.split_once(':') == Some(own);
        self.are_named_by(asked) || asked.targets.is_empty() && self.target_type.is_some_and(is_type)
    }
}

/// The limits of a ticket, for one of its items.
type LimitsOf = fn(&TicketHistory, &TicketState, Option<&AccessItem>) -> Limits;

/// The time that a ticket is for.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    start: Option<Moment>,
    end: Option<Moment>,
}

impl Limits {
    /// What ticket and item say themselves: the narrower one holds.
    fn own(ticket: &TicketState, item: Option<&AccessItem>) -> Self {
        let version = &ticket.version;
        let starts = version.window_start.iter().chain(item.and_then(|item| item.from.as_ref()));
        let ends = version.window_end.iter().chain(item.and_then(|item| item.until.as_ref()));
        Self { start: starts.map(Moment::of).max(), end: ends.map(Moment::of).min() }
    }

    /// Of a ticket that the change names: its own; one without an end of its own ends 14 days after it was closed.
    fn explicit(history: &TicketHistory, ticket: &TicketState, item: Option<&AccessItem>) -> Self {
        let own = Self::own(ticket, item);
        let closed = history.at_change().closed.as_ref().map(|closed| closed.occurred_at().0);
        let stale = || closed.map(|closed| closed.max(history.decided_at()).plus_seconds(WINDOW_SECONDS));
        Self { end: own.end.or_else(stale), ..own }
    }

    /// Of a ticket that the change does not name: its own; or else from its opening until 14 days after its decision.
    fn window(history: &TicketHistory, ticket: &TicketState, item: Option<&AccessItem>) -> Self {
        let own = Self::own(ticket, item);
        let covered = history.decided_at().plus_seconds(WINDOW_SECONDS);
        let end = match ticket.version.window_end {
            Some(_) => own.end,
            None => Some(own.end.map_or(covered, |end| end.min(covered))),
        };
        Self { start: own.start.or(Some(history.opened_at())), end }
    }

    fn hold(&self, moment: Moment) -> bool {
        self.start.is_none_or(|start| start.plus_seconds(-CLOCK_TOLERANCE_SECONDS) <= moment)
            && self.end.is_none_or(|end| moment <= end.plus_seconds(CLOCK_TOLERANCE_SECONDS))
    }
}
