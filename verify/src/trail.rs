//! Who did what in a ticket: asked, was asked, decided, closed.
//!
//! Owns the reading of these from the facts about the ticket. What the approvals come to is `approval`'s, and which changes
//! a ticket covers is `link`'s to say.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{Decision, FactKind, Outcome, Ref, fact::Detail};

use crate::entity::EntityId;
use crate::replay::{FactAt, apply, approval_row, named};
use crate::state::{ApprovalState, Evidence, State};

/// One approver's part, from being asked to the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalTrail {
    /// The source's id of the row, or its level and approver.
    pub id: String,
    /// The row as its last fact leaves it.
    pub row: ApprovalState,
    /// The first fact that asked; none where only the decision is recorded.
    pub asked: Option<Evidence>,
    /// Who asked, in text form; empty where no fact says so.
    pub asked_by: String,
    /// Who was to decide in the approver's place, in text form; empty where nobody was.
    pub delegate: String,
}

impl ApprovalTrail {
    /// The fact that decided; none while nobody has.
    pub fn decided(&self) -> Option<Evidence> {
        (self.row.decision() != Decision::Requested).then_some(self.row.evidence)
    }
}

/// The approvals of a ticket, by level, then in the order in which they were asked or decided. Facts come in the order of
/// replay.
pub fn approvals(ticket: &EntityId, facts: &[FactAt<'_>]) -> Vec<ApprovalTrail> {
    let mut state = State::default();
    let mut begun: BTreeMap<String, (Option<Evidence>, String, String)> = BTreeMap::new();
    for fact in facts {
        apply(&mut state, ticket, fact);
        let Some(Detail::Approval(detail)) = &fact.fact.detail else { continue };
        let (asked, asked_by, delegate) = begun.entry(approval_row(fact, detail)).or_default();
        if fact.fact.kind() == FactKind::ApprovalRequested {
            *asked = asked.or(Some(fact.evidence));
        }
        for (held, given) in [(asked_by, &detail.asked_by), (delegate, &detail.delegate)] {
            if let Some(given) = first(given, fact) {
                *held = given;
            }
        }
    }
    let rows = state.ticket.map(|ticket| ticket.approvals).unwrap_or_default();
    let mut trails: Vec<ApprovalTrail> = rows
        .into_iter()
        .map(|(id, row)| {
            let (asked, asked_by, delegate) = begun.remove(&id).unwrap_or_default();
            ApprovalTrail { id, row, asked, asked_by, delegate }
        })
        .collect();
    trails.sort_by_key(|trail| (trail.row.level, trail.asked.unwrap_or(trail.row.evidence).order()));
    trails
}

/// The fact that closed a ticket, or set it to resolved, and who did, in text form: the last that names somebody, or else
/// the last. None of a ticket that is not closed.
pub fn closed(ticket: &EntityId, facts: &[FactAt<'_>]) -> Option<(Evidence, Option<String>)> {
    let mut state = State::default();
    facts.iter().for_each(|fact| apply(&mut state, ticket, fact));
    state.ticket?.closed?;
    let is_end =
        |fact: &&FactAt<'_>| fact.fact.kind() == FactKind::TicketClosed && fact.fact.outcome() == Outcome::Success;
    let ends: Vec<&FactAt<'_>> = facts.iter().filter(is_end).collect();
    let end = ends.iter().rev().find(|fact| fact.fact.actor.is_some()).or(ends.last())?;
    Some((end.evidence, first(&end.fact.actor, end)))
}

fn first(reference: &Option<Ref>, fact: &FactAt<'_>) -> Option<String> {
    let entities = reference.as_ref().map(|reference| named(reference, fact.source))?;
    entities.first().map(EntityId::to_text)
}
