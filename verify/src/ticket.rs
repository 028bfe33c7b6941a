//! A ticket at the moments that count for one change.
//!
//! Owns which version of a ticket counts: what was approved is what the ticket said when its approval was complete, and
//! whether it was approved in time is what its approvals came to when the change happened. What happens to it later can
//! give a late approval at best. It never judges a change (`link` does).

use std::sync::Arc;

use counterfoil_proto::v1::{Decision, Precision};

use crate::approval::{Derived, final_decision};
use crate::entity::EntityId;
use crate::replay::{FactAt, apply};
use crate::state::{Evidence, State, TicketState};
use crate::time::Moment;

/// How far the clocks of two systems may differ before the order of their events counts, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: i64 = 60;

/// A ticket as replayed to several moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TicketHistory {
    /// As all its known facts leave it.
    pub last: Arc<TicketState>,
    /// At the change; and as much earlier, and as much later, as the clocks of two systems may differ. None where it
    /// had no fact by then.
    pub around: [Option<Arc<TicketState>>; 3],
    /// What it said when the approval was complete that its basis has; where no version of then is recorded, the first
    /// version after it.
    pub when_approved: Option<Arc<TicketState>>,
    /// What it said when the change happened; where no version of then is recorded, the first version after it.
    pub when_changed: Option<Arc<TicketState>>,
}

/// How many of a ticket's facts, in the order of replay, had happened by the moments that count for a change. All changes
/// with the same counts find the ticket the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reached {
    /// At the change; and as much earlier, and as much later, as the clocks of two systems may differ.
    around: [usize; 3],
}

impl Reached {
    /// `count` says how many of the ticket's facts had happened by a moment.
    pub fn by(change: &FactAt<'_>, count: impl Fn(Moment) -> usize) -> Self {
        let at = change.evidence.occurred_at().0;
        Self { around: [at, at.plus_seconds(-CLOCK_TOLERANCE_SECONDS), latest_moment(change)].map(count) }
    }
}

impl TicketHistory {
    /// Replays the facts of a ticket, which come in the order of [`Evidence::order`]; none where none is about it.
    pub fn replay(ticket: &EntityId, facts: &[FactAt<'_>], reached: Reached) -> Option<Self> {
        let (mut last, mut around, mut first_version) = (None, [None, None, None], None);
        let mut state = State::default();
        for count in 0..=facts.len() {
            if let Some(fact) = count.checked_sub(1).and_then(|last| facts.get(last)) {
                apply(&mut state, ticket, fact);
            }
            let is_version = state.ticket.as_ref().is_some_and(|ticket| ticket.versioned);
            let is_first_version = is_version && first_version.is_none();
            if !is_first_version && count < facts.len() && !reached.around.contains(&count) {
                continue;
            }
            // One copy, however many of the moments it is the ticket of.
            last = state.ticket.clone().map(Arc::new);
            for (around, _) in around.iter_mut().zip(reached.around).filter(|(_, reached)| *reached == count) {
                around.clone_from(&last);
            }
            if is_first_version {
                first_version.clone_from(&last);
            }
        }
        let mut history = Self { last: last?, around, when_approved: None, when_changed: None };
        let said =
            |then: Option<Arc<TicketState>>| then.filter(|then| then.versioned).or_else(|| first_version.clone());
        history.when_changed = said(history.around[0].clone());
        if let Some(Derived { decision: Decision::Approved, completed_by: Some(completed_by) }) =
            final_decision(history.basis())
        {
            let count = facts.partition_point(|fact| fact.evidence.order() <= completed_by.order());
            let known = reached.around.iter().position(|reached| *reached == count);
            let then = known
                .map_or_else(|| replay(ticket, &facts[..count]).map(Arc::new), |then| history.around[then].clone());
            history.when_approved = said(then);
        }
        Some(history)
    }

    /// Whether anything is recorded of it around the change.
    pub fn is_known_then(&self) -> bool {
        self.around.iter().any(Option::is_some)
    }

    /// The ticket as it was approved around the change, if it was.
    pub fn approved_then(&self) -> Option<&TicketState> {
        self.around.iter().flatten().map(Arc::as_ref).find(|then| {
            let decision = final_decision(then).map(|derived| derived.decision);
            decision == Some(Decision::Approved) && then.cancelled.is_none()
        })
    }

    /// The state that a verdict on its approval rests on: the one approved around the change, or else the last.
    pub fn basis(&self) -> &TicketState {
        self.approved_then().unwrap_or(&self.last)
    }

    /// What was approved; of a ticket that is not, what it asked for at the change.
    pub fn approved(&self) -> &TicketState {
        self.when_approved.as_deref().unwrap_or_else(|| self.at_change())
    }

    /// What it asked for when the change happened.
    pub fn at_change(&self) -> &TicketState {
        self.when_changed.as_deref().unwrap_or(&self.last)
    }

    /// Since when it was cancelled, around the change or at last.
    pub fn cancelled(&self) -> Option<Evidence> {
        self.around.iter().flatten().chain([&self.last]).find_map(|then| then.cancelled)
    }

    /// When it was opened; where nothing says so, when it was last changed.
    pub fn opened_at(&self) -> Moment {
        self.last.opened.as_ref().unwrap_or(&self.last.evidence).occurred_at().0
    }

    /// When the decision fell that counts; where nothing says so, when it was opened.
    pub fn decided_at(&self) -> Moment {
        let by = final_decision(self.basis()).and_then(|derived| derived.completed_by);
        by.map_or_else(|| self.opened_at(), |by| by.occurred_at().0)
    }
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

fn replay(ticket: &EntityId, facts: &[FactAt<'_>]) -> Option<TicketState> {
    let mut state = State::default();
    facts.iter().for_each(|fact| apply(&mut state, ticket, fact));
    state.ticket
}
