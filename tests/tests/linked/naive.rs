//! The naive model: what the approvals say about a change by the first records of a log, as one would work it out by
//! hand from all tickets. It calls nothing of what links changes in the product.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{
    Confidence, Decision, Delivery, LinkRule, Outcome, Precision, Record, Verdict, fact::Detail,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, entities_of, gives_access, kind_group};
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::time::Moment;

use crate::people::{People, Place, is_somebody, place};
use crate::tickets::{Item, Ticket};

/// 14 days, and how far two clocks may differ.
const COVERED_SECONDS: i64 = 14 * 24 * 3_600;
const CLOCKS_SECONDS: i64 = 60;

/// What there is to say about a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub verdict: Verdict,
    pub rule: LinkRule,
    /// The best first.
    pub tickets: Vec<EntityId>,
}

pub struct Model<'r> {
    people: People,
    /// The facts about each ticket, in the order in which they happened.
    tickets: BTreeMap<EntityId, Vec<FactAt<'r>>>,
    /// The tickets that ever asked for something, or for any of its type: all others are about something else.
    asking: BTreeMap<String, BTreeSet<EntityId>>,
    /// The tickets that each transaction or request names, and in which record.
    together: BTreeMap<Together, Vec<(EntityId, u64)>>,
    changes: Vec<FactAt<'r>>,
    backfilled: BTreeSet<u64>,
}

/// A transaction or a request, by system, instance, which of the two it is, and its id.
type Together = (String, String, bool, String);

/// All tickets by the first records of a log.
type Histories<'m> = BTreeMap<&'m EntityId, History>;

/// Somebody's change, at a size of the log.
struct Case<'c, 'r> {
    fact: &'c FactAt<'r>,
    known: u64,
    /// Whom it names, and everything that stood for them.
    subject: Vec<EntityId>,
    beneficiary: BTreeSet<EntityId>,
    /// What it gave.
    targets: Vec<EntityId>,
    target_type: String,
}

/// A ticket by the first records of a log.
struct History {
    /// What it was after each of its facts, in the order in which they happened; never none.
    states: Vec<State>,
    is_backfill: bool,
}

/// A ticket after one of its facts.
struct State {
    place: Place,
    ticket: Ticket,
    decision: Option<(Decision, Option<Place>)>,
    /// Everything that stood for its beneficiary when it was opened.
    whose: Rc<BTreeSet<EntityId>>,
}

/// A ticket at the moments that count.
struct Read<'h> {
    basis: &'h State,
    is_known_then: bool,
    is_approved_then: bool,
    last: &'h State,
    /// What was approved, and what it said at the change.
    approved: &'h State,
    edited: &'h State,
}

impl<'r> Model<'r> {
    pub fn read(records: &'r [Record]) -> Self {
        let facts: Vec<FactAt<'r>> = records.iter().flat_map(facts_of).collect();
        let mut tickets: BTreeMap<EntityId, Vec<FactAt<'r>>> = BTreeMap::new();
        let mut asking: BTreeMap<String, BTreeSet<EntityId>> = BTreeMap::new();
        let mut together: BTreeMap<Together, Vec<(EntityId, u64)>> = BTreeMap::new();
        for fact in &facts {
            let is_about = matches!(kind_group(fact.fact.kind()), Group::Ticket | Group::Approval);
            let own = fact.fact.object.iter().filter(|_| is_about).flat_map(|object| named(object, fact.source));
            for ticket in own {
                for asked in asked(fact) {
                    asking.entry(asked).or_default().insert(ticket.clone());
                }
                tickets.entry(ticket).or_default().push(*fact);
            }
            let Some(correlation) = &fact.fact.correlation else { continue };
            for ticket in correlation.tickets.iter().flat_map(|ticket| named(ticket, fact.source)) {
                for key in keys(fact) {
                    together.entry(key).or_default().push((ticket.clone(), fact.evidence.index));
                }
            }
        }
        tickets.values_mut().for_each(|facts| facts.sort_by_key(place));
        let is_change = |fact: &&FactAt<'r>| {
            let took_place = fact.fact.outcome() == Outcome::Success && fact.fact.confidence() != Confidence::Snapshot;
            took_place && gives_access(fact.fact) && kind_group(fact.fact.kind()) != Group::Entitlement
        };
        let is_backfilled = |record: &&Record| {
            record.provenance.as_ref().is_some_and(|provenance| provenance.delivery() == Delivery::Backfill)
        };
        Self {
            people: People::read(&facts),
            tickets,
            asking,
            together,
            changes: facts.iter().filter(is_change).copied().collect(),
            backfilled: records.iter().filter(is_backfilled).map(|record| record.index).collect(),
        }
    }

    /// What there is to say about each change of the first `known` records, by record and fact.
    pub fn answers(&self, known: u64) -> BTreeMap<(u64, u32), Answer> {
        let history = |ticket| Some((ticket, self.history(ticket, known)?));
        let histories: Histories<'_> = self.tickets.keys().filter_map(history).collect();
        let changes = self.changes.iter().filter(|fact| fact.evidence.index < known);
        let answer = |fact: &FactAt<'r>| {
            ((fact.evidence.index, fact.evidence.fact), self.answer(&self.case(fact, known), &histories))
        };
        changes.map(answer).collect()
    }

    fn answer(&self, case: &Case<'_, 'r>, histories: &Histories<'_>) -> Answer {
        let fact = case.fact;
        let verdict = |ticket: &EntityId, is_named| self.verdict(ticket, histories.get(ticket)?, case, is_named);
        let correlation = fact.fact.correlation.iter().flat_map(|correlation| &correlation.tickets);
        let explicit: BTreeSet<EntityId> = correlation.flat_map(|ticket| named(ticket, fact.source)).collect();
        if !explicit.is_empty() {
            let of = |ticket: EntityId| {
                let verdict = verdict(&ticket, true).unwrap_or(Verdict::TicketUnknown);
                (ticket, verdict, 0)
            };
            return best(LinkRule::Explicit, explicit.into_iter().map(of).collect());
        }
        let beside: BTreeSet<&EntityId> = keys(fact)
            .iter()
            .filter_map(|key| self.together.get(key))
            .flatten()
            .filter(|(_, index)| *index < case.known)
            .map(|(ticket, _)| ticket)
            .collect();
        let judged = beside.into_iter().filter_map(|ticket| Some((ticket.clone(), verdict(ticket, true)?, 0)));
        let is_about = |verdict: Verdict| {
            !matches!(verdict, Verdict::OtherBeneficiary | Verdict::OutOfScope | Verdict::OutOfWindow)
        };
        let correlated: Vec<_> = judged.filter(|(_, verdict, _)| is_about(*verdict)).collect();
        if correlated.iter().any(|(_, verdict, _)| *verdict != Verdict::ApprovedUnspecific) {
            return best(LinkRule::Correlation, correlated);
        }
        let wanted = case.targets.iter().map(EntityId::to_text).chain([case.target_type.clone()]);
        let asking: BTreeSet<&EntityId> = wanted.filter_map(|wanted| self.asking.get(&wanted)).flatten().collect();
        let judged = asking.into_iter().filter_map(|ticket| {
            Some((ticket.clone(), verdict(ticket, false)?, histories.get(ticket)?.read(fact).points(case)))
        });
        let fitting: Vec<_> = judged.collect();
        match fitting.is_empty() && !correlated.is_empty() {
            true => best(LinkRule::Correlation, correlated),
            false => best(LinkRule::Window, fitting),
        }
    }

    fn case<'c>(&self, fact: &'c FactAt<'r>, known: u64) -> Case<'c, 'r> {
        let subject: Vec<EntityId> = fact.fact.subject.iter().flat_map(|subject| named(subject, fact.source)).collect();
        let (targets, target_type) = match &fact.fact.object {
            None => (Vec::new(), format!("{}:account", fact.source.system)),
            Some(object) => {
                let system = if object.system.is_empty() { &fact.source.system } else { &object.system };
                let kind = object.id.split_once('/').map_or("", |(kind, _)| kind);
                (entities_of(object, fact.source).collect(), format!("{system}:{kind}"))
            }
        };
        let beneficiary = self.people.stands_for(subject.clone(), place(fact).0, known);
        Case { fact, known, subject, beneficiary, targets, target_type }
    }

    /// A ticket by the first `known` records; none if they do not tell of it.
    fn history(&self, ticket: &EntityId, known: u64) -> Option<History> {
        let facts = self.tickets.get(ticket)?.iter().filter(|fact| fact.evidence.index < known);
        let facts: Vec<&FactAt<'r>> = facts.collect();
        let tickets = Ticket::after_each(&facts);
        let opened = tickets.last()?.opened_at();
        let mut stood: BTreeMap<Vec<EntityId>, Rc<BTreeSet<EntityId>>> = BTreeMap::new();
        let state = |(fact, ticket): (&&FactAt<'r>, Ticket)| {
            let stands_for = || Rc::new(self.people.stands_for(ticket.beneficiary.clone(), opened, known));
            let whose = stood.entry(ticket.beneficiary.clone()).or_insert_with(stands_for).clone();
            State { place: place(fact), decision: ticket.decision(), ticket, whose }
        };
        Some(History {
            states: facts.iter().zip(tickets).map(state).collect(),
            is_backfill: facts.iter().all(|fact| self.backfilled.contains(&fact.evidence.index)),
        })
    }

    /// What one ticket says about a change; none if it says nothing. What was approved in time was so for the ledger
    /// only if the ledger knew it before the change, where not all of it is old logs.
    fn verdict(&self, ticket: &EntityId, history: &History, case: &Case<'_, 'r>, is_named: bool) -> Option<Verdict> {
        let now = history.read(case.fact).verdict(case, is_named)?;
        let is_backfill = history.is_backfill && self.backfilled.contains(&case.fact.evidence.index);
        if now != Verdict::Approved || is_backfill {
            return Some(now);
        }
        let then = self.case(case.fact, case.fact.evidence.index + 1);
        let history = self.history(ticket, then.known);
        match history.and_then(|history| history.read(then.fact).verdict(&then, is_named)) {
            Some(Verdict::Approved) => Some(now),
            _ => Some(Verdict::ApprovedRecordedLate),
        }
    }
}

impl History {
    fn read<'h>(&'h self, change: &FactAt<'_>) -> Read<'h> {
        let up_to = |is_by: &dyn Fn(Place) -> bool| self.states.iter().rfind(|state| is_by(state.place));
        let by = |moment: Moment| up_to(&|place| place.0 <= moment);
        let last = &self.states[self.states.len() - 1];
        let at = place(change).0;
        let around = [by(at), by(at.plus_seconds(-CLOCKS_SECONDS)), by(latest(change))];
        let approved_then = around.into_iter().flatten().find(|then| then.is_approved());
        let basis = approved_then.unwrap_or(last);
        // A version of then; or else the first one after it.
        let is_version = |state: &&State| state.ticket.versioned.is_some();
        let first_version = self.states.iter().find(is_version);
        let said = |then: Option<&'h State>| then.filter(is_version).or(first_version);
        let edited = said(around[0]).unwrap_or(last);
        let approved = match basis.decision {
            Some((Decision::Approved, Some(by))) => said(up_to(&|place| place <= by)),
            _ => None,
        };
        Read {
            basis,
            is_known_then: around.iter().any(Option::is_some),
            is_approved_then: approved_then.is_some(),
            last,
            approved: approved.unwrap_or(edited),
            edited,
        }
    }
}

impl State {
    fn is_approved(&self) -> bool {
        matches!(self.decision, Some((Decision::Approved, _)))
    }
}

/// Everything that a version of a ticket asks for: each by its names, or any of a type.
fn asked(fact: &FactAt<'_>) -> Vec<String> {
    let Some(Detail::Ticket(version)) = &fact.fact.detail else { return Vec::new() };
    let targets = version.items.iter().flat_map(|item| &item.target);
    let targets = targets.flat_map(|target| named(target, fact.source)).map(|one| one.to_text());
    let any = version.items.iter().filter(|item| item.target.is_none());
    targets.chain(any.map(|item| item.target_type.clone())).collect()
}

/// What shares a transaction or a request with a fact: whatever names the same one at the same source.
fn keys(fact: &FactAt<'_>) -> Vec<Together> {
    let Some(correlation) = &fact.fact.correlation else { return Vec::new() };
    let key =
        |is_request, id: &String| (fact.source.system.clone(), fact.source.instance.clone(), is_request, id.clone());
    let keys = [key(false, &correlation.transaction), key(true, &correlation.request)];
    keys.into_iter().filter(|(.., id)| !id.is_empty()).collect()
}

fn latest(change: &FactAt<'_>) -> Moment {
    let inexact = match change.fact.occurred_at.map(|time| time.precision()) {
        Some(Precision::Second) => 1,
        Some(Precision::Minute) => 60,
        _ => 0,
    };
    place(change).0.plus_seconds(inexact + CLOCKS_SECONDS)
}

impl Read<'_> {
    fn decided_at(&self) -> Moment {
        self.basis.decision.and_then(|(_, by)| by).map_or(self.last.ticket.opened_at(), |by| by.0)
    }

    fn verdict(&self, case: &Case<'_, '_>, is_named: bool) -> Option<Verdict> {
        let decision = self.decision(case);
        let (approved, edited) = (self.fit(self.approved, case, is_named), self.fit(self.edited, case, is_named));
        match (approved, is_named) {
            (Ok(()), _) => Some(decision),
            (Err(Verdict::ApprovedUnspecific), true) if decision == Verdict::Approved => {
                Some(Verdict::ApprovedUnspecific)
            }
            (Err(Verdict::ApprovedUnspecific), true) => Some(decision),
            (Err(_), _) if edited.is_ok() && decision == Verdict::Approved => Some(Verdict::EditedAfterApproval),
            (Err(why), true) => Some(why),
            (Err(_), false) => None,
        }
    }

    fn decision(&self, case: &Case<'_, '_>) -> Verdict {
        match self.basis.decision {
            _ if self.is_approved_then => Verdict::Approved,
            Some((Decision::Approved, Some(by))) => {
                let is_late = self.is_known_then || by.0 > latest(case.fact);
                if is_late { Verdict::ApprovedLate } else { Verdict::Approved }
            }
            Some((Decision::Rejected | Decision::Cancelled, _)) => Verdict::Rejected,
            _ => Verdict::Pending,
        }
    }

    /// Whether it is for the one whose access changed, for what changed, and for this time.
    fn fit(&self, State { ticket, whose, .. }: &State, case: &Case<'_, '_>, is_named: bool) -> Result<(), Verdict> {
        let is_for_somebody = !case.beneficiary.is_empty() && !whose.is_empty();
        if is_for_somebody && !is_same(case, whose) {
            return Err(Verdict::OtherBeneficiary);
        }
        if ticket.items.is_empty() {
            let is_in_time = self.is_in_time(None, case, is_named);
            return Err(if is_in_time { Verdict::ApprovedUnspecific } else { Verdict::OutOfWindow });
        }
        let asks = |item: &&Item| item.adds && case.is_asked_for(item);
        let mut asking = ticket.items.iter().filter(asks).peekable();
        if asking.peek().is_none() {
            return Err(Verdict::OutOfScope);
        }
        match asking.any(|item| self.is_in_time(Some(item), case, is_named)) {
            false => Err(Verdict::OutOfWindow),
            true if !is_for_somebody => Err(Verdict::ApprovedUnspecific),
            true => Ok(()),
        }
    }

    /// A ticket that is named: from when it says to when it says, or to 14 days after it was closed. One that is not:
    /// from when it was opened to 14 days after it was decided, if it does not say less.
    fn is_in_time(&self, item: Option<&Item>, case: &Case<'_, '_>, is_named: bool) -> bool {
        let (from, until) = item.map_or((None, None), |item| (item.from, item.until));
        let decided_at = self.decided_at();
        let covered = |since: Moment| since.max(decided_at).plus_seconds(COVERED_SECONDS);
        let (start, end) = match is_named {
            true => (from, until.or(self.edited.ticket.closed.map(covered))),
            false => {
                (from.or(Some(self.last.ticket.opened_at())), until.into_iter().chain([covered(decided_at)]).min())
            }
        };
        let at = place(case.fact).0;
        start.is_none_or(|start| start.plus_seconds(-CLOCKS_SECONDS) <= at)
            && end.is_none_or(|end| at <= end.plus_seconds(CLOCKS_SECONDS))
    }

    fn points(&self, case: &Case<'_, '_>) -> u32 {
        let ticket = &self.approved.ticket;
        let beneficiary = if case.subject.iter().any(|one| ticket.beneficiary.contains(one)) { 40 } else { 30 };
        let likeness = |item: &Item| match item.targets.iter().find(|target| case.targets.contains(target)) {
            Some(target) if target.token().is_none() => 40,
            Some(_) => 30,
            None if case.is_asked_for(item) => 15,
            None => 0,
        };
        let since = place(case.fact).0.seconds - self.decided_at().seconds;
        let time = match since {
            0..=3_600 => 9,
            3_601..=86_400 => 6,
            86_401..=604_800 => 3,
            _ => 0,
        };
        beneficiary + ticket.items.iter().map(likeness).max().unwrap_or(0) + time
    }
}

impl Case<'_, '_> {
    fn is_asked_for(&self, item: &Item) -> bool {
        match item.targets.is_empty() {
            true => item.target_type == self.target_type,
            false => item.targets.iter().any(|target| self.targets.contains(target)),
        }
    }
}

/// Where the ticket's beneficiary has an account in the system of the change, that account has to be the one; what both
/// are called counts only where neither has an account that the other lacks.
fn is_same(case: &Case<'_, '_>, whose: &BTreeSet<EntityId>) -> bool {
    let home = |entity: &EntityId| (entity.kind(), entity.system().to_owned(), entity.instance().to_owned());
    let somebody = |entities: &BTreeSet<EntityId>| -> BTreeSet<_> {
        entities.iter().filter(|entity| is_somebody(entity)).map(home).collect()
    };
    let there = somebody(whose);
    if case.subject.iter().any(|one| is_somebody(one) && whose.contains(one)) {
        return true;
    }
    if case.subject.iter().any(|one| is_somebody(one) && there.contains(&home(one))) {
        return false;
    }
    let is_elsewhere = somebody(&case.beneficiary).intersection(&there).next().is_some();
    case.beneficiary.intersection(whose).any(|one| is_somebody(one) || !is_elsewhere)
}

/// The ticket that counts: among those that are named the one that says most; among those that fit, what was approved
/// in time before what was approved late before all else, and of these the one that fits better than any other by 10.
fn best(rule: LinkRule, mut tickets: Vec<(EntityId, Verdict, u32)>) -> Answer {
    let is_named = rule != LinkRule::Window;
    let rank = |verdict: Verdict| {
        use Verdict as V;
        let order = [
            V::Approved,
            V::ApprovedRecordedLate,
            V::ApprovedUnspecific,
            V::ApprovedLate,
            V::EditedAfterApproval,
            V::Pending,
            V::Rejected,
            V::OutOfWindow,
            V::OutOfScope,
            V::OtherBeneficiary,
        ];
        order.iter().position(|one| *one == verdict).unwrap_or(order.len())
    };
    for preferred in [&[0, 1][..], &[0, 1, 3][..]] {
        let is_preferred = |(_, verdict, _): &(EntityId, Verdict, u32)| preferred.contains(&rank(*verdict));
        if !is_named && tickets.iter().any(is_preferred) {
            tickets.retain(is_preferred);
        }
    }
    tickets.sort_by_key(|(ticket, verdict, points)| (std::cmp::Reverse(*points), rank(*verdict), ticket.clone()));
    let verdict = match &tickets[..] {
        [] => Verdict::NoneRecorded,
        [best, next, ..] if !is_named && best.2 - next.2 < 10 => Verdict::Ambiguous,
        [best, ..] => best.1,
    };
    let rule = if tickets.is_empty() { LinkRule::Unspecified } else { rule };
    Answer { verdict, rule, tickets: tickets.into_iter().map(|(ticket, ..)| ticket).collect() }
}
