//! The trail of a ticket: who asked, decided, carried out and closed; what changed; and what the chain lacks.
//!
//! Owns the message and its gaps. Which changes there are is `linked`'s to find, what the beneficiary had step by step is
//! `moments`', and what the approvals come to is `verify`'s.

use std::collections::BTreeSet;
use std::rc::Rc;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccessStanding, Decision, EntityKind, Executor, Party, ResolvedParty, Ruling, ThreeVerdicts, TraceGap,
    TraceGapKind, TraceMoment, TraceTicketResponse, TracedApproval, TracedChange,
};
use counterfoil_verify::approval::{derive, final_decision};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::FactAt;
use counterfoil_verify::state::TicketState;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::trail::{ApprovalTrail, approvals, closed};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, moment_text, words};
use crate::answers::judge::Judge;
use crate::answers::linked::Linked;
use crate::answers::moments::asked_until;
use crate::answers::parties::Parties;
use crate::answers::reversal::{Gathered, TIMELINE_MAX, Timelines};
use crate::answers::verdicts::{over_all, reversible};
use crate::error::{QueryError, Result};
use crate::views::changes::Effect;
use crate::views::deltas::{self, Delta};
use crate::views::keys::{FIRST, Position, entity_prefix};
use crate::views::timelines;

/// Who stands behind what a source names: asked again and again in one trail.
struct Resolver<'r, 'q, 'a> {
    parties: &'r Parties<'q, 'a>,
    judge: &'r mut Judge<'q, 'a>,
    at: OccurredAt,
    size: TreeSize,
}

impl Resolver<'_, '_, '_> {
    /// Somebody by their id in text form, and the one person that stands for them; none for an empty text.
    fn resolved(&mut self, id: &str) -> Result<Option<ResolvedParty>> {
        let (Some(party), Ok(entity)) = (self.parties.of(id)?, id.parse::<EntityId>()) else { return Ok(None) };
        let aliases = self.judge.people.aliases(vec![entity], self.at, self.size)?;
        let mut persons = aliases.entities().iter().filter(|one| one.kind() == EntityKind::Person);
        let person = match (persons.next(), persons.next()) {
            (Some(person), None) => Some(self.parties.party(person)?),
            _ => None,
        };
        Ok(Some(ResolvedParty { party: Some(party), person }))
    }

    /// Whether two ids stand for one.
    fn is_same(&mut self, one: &str, other: &str) -> Result<bool> {
        let (Ok(entity), Ok(other_entity)) = (one.parse::<EntityId>(), other.parse::<EntityId>()) else {
            return Ok(one == other);
        };
        let aliases = self.judge.people.aliases(vec![entity], self.at, self.size)?;
        Ok(one == other || aliases.entities().contains(&other_entity))
    }
}

impl<'a> Query<'a> {
    /// Everything about a ticket by a moment: its chain, its changes, and the beneficiary's access step by step.
    ///
    /// # Errors
    /// [`QueryError::NotOneTicket`] if the entity is no ticket.
    pub fn trace(&self, ticket: &EntityId, at: OccurredAt, known: Option<RecordedAt>) -> Result<TraceTicketResponse> {
        if ticket.kind() != EntityKind::Ticket {
            return Err(QueryError::NotOneTicket { name: ticket.to_text(), count: 0 });
        }
        let size = self.known_size(known)?;
        let mut judge = self.judge();
        let mut linked = self.linked_changes(ticket, at, size, &mut judge)?;
        let verdicts = self.rule_over(&mut linked, at, size, &mut judge)?;
        let state = timelines::state_at(&self.view, ticket, at, size)?.ticket;
        let rows: Vec<(Position, Rc<Delta>)> =
            deltas::read(&self.view, &entity_prefix(ticket), FIRST, at, size)?.collect::<Result<_>>()?;
        let facts: Vec<FactAt<'_>> = rows.iter().map(|(position, delta)| delta.at(*position)).collect();
        let records: BTreeSet<u64> = rows.iter().map(|(position, _)| position.2.0).collect();
        let steps = self.moments((state.as_ref(), &records), &linked, at, size, &mut judge)?;

        let parties = self.parties(size);
        let mut resolver = Resolver { parties: &parties, judge: &mut judge, at, size };
        let approvals = approvals(ticket, &facts);
        let traced = approvals.iter().map(|trail| traced(trail, &mut resolver)).collect::<Result<Vec<_>>>()?;
        let end = closed(ticket, &facts);
        let closer = end.as_ref().and_then(|(_, closer)| closer.clone()).unwrap_or_default();
        let requester = state.as_ref().map_or("", |state| &state.requester);
        let beneficiary = state.as_ref().and_then(|state| state.beneficiary.first()).map_or("", String::as_str);
        let mut response = TraceTicketResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            ticket: Some(parties.party(ticket)?),
            state: state.as_ref().map(|state| parties.ticket_message(state)).transpose()?,
            requester: resolver.resolved(requester)?,
            beneficiary: resolver.resolved(beneficiary)?,
            approvals: traced,
            decision_differs: state.as_ref().is_some_and(decision_differs),
            executors: executors(&linked, &mut resolver)?,
            closed_by: resolver.resolved(&closer)?,
            closed: end.as_ref().map(|(by, _)| evidence(by)),
            changes: linked.changes.iter().map(message).collect(),
            steps,
            gaps: Vec::new(),
            verdicts: Some(verdicts),
            cut: linked.is_cut,
            opened: state.as_ref().and_then(|state| state.opened.as_ref()).map(evidence),
        };
        response.gaps = Gaps { state: state.as_ref(), linked: &linked, response: &response, at }.find();
        Ok(response)
    }

    /// The three verdicts on each of a ticket's changes, and over all of them.
    fn rule_over(
        &self,
        linked: &mut Linked,
        at: OccurredAt,
        size: TreeSize,
        judge: &mut Judge<'_, '_>,
    ) -> Result<ThreeVerdicts> {
        let mut timelines = Timelines::new(self, size)?;
        for change in &mut linked.changes {
            let record = change.record.clone();
            let fact = crate::answers::changes::fact_at(&record, change.position)?;
            self.rule(&mut change.explanation, &fact, &mut timelines, judge)?;
        }
        let count = linked.changes.len();
        let ruled = |which: fn(&ThreeVerdicts) -> Ruling| {
            over_all(linked.changes.iter().filter_map(|change| change.explanation.verdicts.as_ref()).map(which))
        };
        let because = |ruling: Ruling, what: &str| match ruling {
            _ if count == 0 => "No change names it, and it covers none.".to_owned(),
            Ruling::Yes => format!("All of its changes are {what}."),
            Ruling::No => format!("None of its changes is {what}."),
            Ruling::NotApplicable => "Its changes only took access away, which needs no approval.".to_owned(),
            Ruling::Partly | Ruling::Unspecified => {
                "Not all of its changes, or not for sure: each change says why.".to_owned()
            }
        };
        let (explained, approved) = (ruled(ThreeVerdicts::explained), ruled(ThreeVerdicts::approved));
        let facts = linked.changes.iter().map(|change| change.fact()).collect::<Result<Vec<_>>>()?;
        let (reversible, reversible_because) = match count {
            0 => (Ruling::NotApplicable, because(Ruling::NotApplicable, "")),
            _ => reversible(&Gathered::of(facts, &mut timelines, judge, TIMELINE_MAX)?.plan(&[], at, at)),
        };
        Ok(ThreeVerdicts {
            explained: explained.into(),
            approved: approved.into(),
            reversible: reversible.into(),
            explained_because: because(explained, "explained"),
            approved_because: because(approved, "approved"),
            reversible_because,
        })
    }
}

fn message(change: &crate::answers::linked::LinkedChange) -> TracedChange {
    TracedChange {
        rule: change.explanation.rule,
        verdict: change.verdict.into(),
        covered: change.is_covered,
        explanation: Some(change.explanation.clone()),
    }
}

fn traced(trail: &ApprovalTrail, resolver: &mut Resolver<'_, '_, '_>) -> Result<TracedApproval> {
    let row = &trail.row;
    let decided = trail.decided();
    let is_other = decided.is_some()
        && !row.decided_by.is_empty()
        && !row.approver.is_empty()
        && !resolver.is_same(&row.decided_by, &row.approver)?;
    Ok(TracedApproval {
        id: trail.id.clone(),
        level: row.level,
        rule: row.rule,
        approver: resolver.resolved(&row.approver)?,
        asked_by: resolver.resolved(&trail.asked_by)?,
        asked: trail.asked.as_ref().map(evidence),
        decision: row.decision,
        decided_by: match decided {
            Some(_) => resolver.resolved(&row.decided_by)?,
            None => None,
        },
        on_behalf_of: if is_other { resolver.resolved(&row.approver)? } else { None },
        decided: decided.as_ref().map(evidence),
    })
}

/// Whoever carried out a covered change, each once for each credential.
fn executors(linked: &Linked, resolver: &mut Resolver<'_, '_, '_>) -> Result<Vec<Executor>> {
    let id = |party: &Option<Shared<Party>>| party.as_ref().map(|party| party.id.clone()).unwrap_or_default();
    let mut executors: Vec<((String, String), Executor)> = Vec::new();
    for change in linked.changes.iter().filter(|change| change.is_covered) {
        let explanation = &change.explanation;
        let key = (id(&explanation.executor), id(&explanation.credential));
        match executors.iter_mut().find(|(known, _)| *known == key) {
            Some((_, executor)) => executor.changes += 1,
            None => {
                let executor = resolver.resolved(&key.0)?;
                let credential = explanation.credential.clone();
                executors.push((key, Executor { executor, credential, changes: 1 }));
            }
        }
    }
    Ok(executors.into_iter().map(|(_, executor)| executor).collect())
}

fn decision_differs(state: &TicketState) -> bool {
    let source = state.version.source_decision();
    let derived = derive(state).map(|derived| derived.decision);
    source != Decision::Unspecified && derived.is_some_and(|derived| derived != source)
}

/// What a chain lacks, as the parts of its trail show it.
struct Gaps<'g> {
    state: Option<&'g TicketState>,
    linked: &'g Linked,
    response: &'g TraceTicketResponse,
    at: OccurredAt,
}

impl Gaps<'_> {
    fn find(&self) -> Vec<TraceGap> {
        let mut gaps = Vec::new();
        let mut add = |kind: TraceGapKind, summary: String, records: Vec<u64>| {
            gaps.push(TraceGap { kind: kind.into(), summary, records });
        };
        match self.state.filter(|state| state.versioned) {
            None => add(TraceGapKind::NoVersion, "No version of the ticket is recorded by then.".to_owned(), vec![]),
            Some(state) => self.asked(state, &mut add),
        }
        self.decided(&mut add);
        self.carried_out(&mut add);
        self.ended(&mut add);
        gaps
    }

    fn asked(&self, state: &TicketState, add: &mut impl FnMut(TraceGapKind, String, Vec<u64>)) {
        let records = || vec![state.evidence.index];
        if state.requester.is_empty() {
            add(TraceGapKind::NoRequester, "It does not say who asked.".to_owned(), records());
        }
        if state.beneficiary.is_empty() {
            add(TraceGapKind::NoBeneficiary, "It does not say for whom it is.".to_owned(), records());
        }
        if state.items.is_empty() {
            add(TraceGapKind::NoItems, "It does not say what access it asks for.".to_owned(), records());
        }
    }

    fn decided(&self, add: &mut impl FnMut(TraceGapKind, String, Vec<u64>)) {
        let derived = self.state.and_then(derive);
        if derived.is_none() {
            let by_source = self.state.is_some_and(|state| state.version.source_decision() != Decision::Unspecified);
            let summary = match by_source {
                true => "No approval is recorded, only what the source says of the whole.",
                false => "No approval is recorded.",
            };
            add(TraceGapKind::NoApproval, summary.to_owned(), vec![]);
        }
        if derived.is_some_and(|derived| derived.decision == Decision::Requested) {
            let asked = self.response.approvals.iter().filter(|one| one.decision() == Decision::Requested);
            let records = asked.filter_map(|one| Some(one.asked.as_ref()?.record)).collect();
            add(TraceGapKind::ApprovalIncomplete, "Its approval is not complete.".to_owned(), records);
        }
        for approval in &self.response.approvals {
            if let (Some(decided), None) = (&approval.decided, &approval.decided_by) {
                let summary = format!("Nobody is named who decided on level {}.", approval.level);
                add(TraceGapKind::NoDecider, summary, vec![decided.record]);
            }
        }
        if let (true, Some(state), Some(derived)) = (self.response.decision_differs, self.state, derived) {
            let word = |decision: Decision| words(decision.as_str_name(), "DECISION_");
            let source = state.version.source_decision();
            let summary =
                format!("Its source says {}; its approvals come to {}.", word(source), word(derived.decision));
            add(TraceGapKind::DecisionDiffers, summary, vec![state.evidence.index]);
        }
    }

    fn carried_out(&self, add: &mut impl FnMut(TraceGapKind, String, Vec<u64>)) {
        let covered = || self.linked.changes.iter().filter(|change| change.is_covered);
        let decision = self.state.and_then(final_decision);
        if covered().next().is_none() && decision.is_some_and(|derived| derived.decision == Decision::Approved) {
            let records = decision.and_then(|derived| derived.completed_by).map(|by| by.index).into_iter().collect();
            let summary = "It was approved, and no recorded change carries it out.";
            add(TraceGapKind::NotExecuted, summary.to_owned(), records);
        }
        for change in covered().filter(|change| change.explanation.executor.is_none()) {
            let summary = "A change does not say who made it.";
            add(TraceGapKind::NoExecutor, summary.to_owned(), vec![change.position.2.0]);
        }
        let strange = self.linked.changes.iter().filter(|change| change.is_named() && !change.is_covered);
        let strange: Vec<u64> = strange.map(|change| change.position.2.0).collect();
        if !strange.is_empty() {
            let summary = "Changes name it that it does not ask for: each says why.";
            add(TraceGapKind::NotCovered, summary.to_owned(), strange);
        }
        if covered().next().is_some() && self.response.closed_by.is_none() {
            let (summary, records) = match &self.response.closed {
                Some(closed) => ("It was closed, and nobody is named who did.", vec![closed.record]),
                None => ("It was carried out, and is not closed.", vec![]),
            };
            add(TraceGapKind::NoVerifier, summary.to_owned(), records);
        }
    }

    fn ended(&self, add: &mut impl FnMut(TraceGapKind, String, Vec<u64>)) {
        let Some(until) = self.state.and_then(asked_until) else { return };
        let gave = self.linked.changes.iter().filter(|change| change.is_covered);
        let gave = gave.filter(|change| change.fact().is_ok_and(|fact| Effect::of(&fact) == Some(Effect::Gave)));
        let gave: Vec<u64> = gave.map(|change| change.position.2.0).collect();
        let after_change = self.response.steps.iter().find(|step| step.step() == TraceMoment::AfterChange);
        let has_no_end = |end: Option<Moment>| end.is_none_or(|end| end > until);
        let endless = after_change.into_iter().flat_map(|step| &step.access).any(|access| {
            let end = access.expires_at.map(|end| Moment { seconds: end.seconds, nanos: end.nanos.unsigned_abs() });
            access.standing() == AccessStanding::Held && has_no_end(end)
        });
        if endless {
            let until = moment_text(until);
            let summary = format!("It asks for access until {until}, and what was given does not run out by then.");
            add(TraceGapKind::NoExpiry, summary, gave);
        }
        let now = self.response.steps.iter().find(|step| step.step() == TraceMoment::Now);
        let held = now.into_iter().flat_map(|step| &step.access);
        let held: Vec<u64> = held
            .filter(|access| access.standing() == AccessStanding::Held)
            .filter_map(|access| Some(access.evidence.as_ref()?.record))
            .collect();
        if until <= self.at.0 && !held.is_empty() {
            let summary = format!("Its time was over at {}, and the access is still held.", moment_text(until));
            add(TraceGapKind::HeldAfterExpiry, summary, held);
        }
    }
}
