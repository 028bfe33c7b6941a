//! The naive model of a ticket: what it asks for at a moment, for whom, and what its approvals come to.
//!
//! It knows what Freshservice sends of the made-up companies.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    AccessOperation, ApprovalRule, Confidence, Decision, Fact, FactKind, Outcome, TicketStatus, fact::Detail,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::time::Moment;

use crate::people::{Place, place};

/// A ticket by some of its facts.
#[derive(Clone, Debug, Default)]
pub struct Ticket {
    pub beneficiary: Vec<EntityId>,
    pub items: Vec<Item>,
    /// When it was closed or resolved, if it is.
    pub closed: Option<Moment>,
    opened: Option<Moment>,
    /// None while no version of it is known.
    pub versioned: Option<Moment>,
    begun: Option<Moment>,
    source: Option<(Decision, Place)>,
    rows: BTreeMap<String, Row>,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub adds: bool,
    /// The ids of what it asks for; none where any of its type will do.
    pub targets: Vec<EntityId>,
    pub target_type: String,
    pub from: Option<Moment>,
    pub until: Option<Moment>,
}

#[derive(Clone, Debug)]
struct Row {
    level: u32,
    rule: ApprovalRule,
    decision: Decision,
    decided: Place,
}

impl Ticket {
    /// What it is after each of its facts, which come in order.
    pub fn after_each(facts: &[&FactAt<'_>]) -> Vec<Self> {
        let mut ticket = Self::default();
        let after = |fact: &&FactAt<'_>| {
            ticket.apply(fact);
            ticket.clone()
        };
        facts.iter().map(after).collect()
    }

    fn apply(&mut self, fact: &FactAt<'_>) {
        assert_eq!(fact.fact.outcome(), Outcome::Success);
        let (at, Fact { detail, .. }) = (place(fact), fact.fact);
        match detail {
            Some(Detail::Ticket(version)) if fact.fact.confidence() == Confidence::Derived => {
                self.opened = self.opened.or(Some(at.0));
                self.begun = self.begun.or(Some(at.0));
                assert_eq!(version.status(), TicketStatus::Open);
            }
            Some(Detail::Ticket(version)) => {
                self.versioned = Some(at.0);
                assert_ne!(version.status(), TicketStatus::Cancelled);
                let is_closed = matches!(version.status(), TicketStatus::Closed | TicketStatus::Resolved);
                self.closed = self.closed.or(Some(at.0)).filter(|_| is_closed);
                if fact.fact.kind() == FactKind::TicketOpened {
                    self.opened = self.opened.or(Some(at.0));
                }
                if let Some(subject) = &fact.fact.subject {
                    self.beneficiary = named(subject, fact.source);
                }
                let decision = version.source_decision();
                if self.source.is_none_or(|(known, _)| known != decision) && decision != Decision::Unspecified {
                    self.source = Some((decision, at));
                }
                let item = |item: &counterfoil_proto::v1::AccessItem| Item {
                    adds: item.operation() == AccessOperation::Add,
                    targets: item.target.iter().flat_map(|target| named(target, fact.source)).collect(),
                    target_type: item.target_type.clone(),
                    from: item.from.as_ref().map(Moment::of),
                    until: item.until.as_ref().map(Moment::of),
                };
                if !version.items.is_empty() {
                    self.items = version.items.iter().map(item).collect();
                }
            }
            Some(Detail::Approval(row)) => {
                let decision = match fact.fact.kind() {
                    FactKind::ApprovalGranted => Decision::Approved,
                    FactKind::ApprovalRejected => Decision::Rejected,
                    FactKind::ApprovalCancelled => Decision::Cancelled,
                    _ => Decision::Requested,
                };
                let known = self.rows.get(&row.id).filter(|known| known.decision == decision);
                let decided = known.map_or(at, |known| known.decided);
                self.begun = Some(at.0);
                self.rows.insert(row.id.clone(), Row { level: row.level, rule: row.rule(), decision, decided });
            }
            _ => {}
        }
    }

    /// When it was opened, or else when it was last changed.
    pub fn opened_at(&self) -> Moment {
        self.opened.or(self.versioned).or(self.begun).unwrap()
    }

    /// What the approvals come to, level by level, and when that was complete; without any, what the ticket itself
    /// says.
    pub fn decision(&self) -> Option<(Decision, Option<Place>)> {
        let levels: BTreeSet<u32> = self.rows.values().map(|row| row.level).collect();
        let levels: Vec<_> = levels.into_iter().map(|level| self.decision_of(level)).collect();
        let lost = levels.iter().filter(|(decision, _)| *decision == Decision::Rejected).min_by_key(|(_, by)| *by);
        let open = levels.iter().find(|(decision, _)| *decision != Decision::Approved);
        let won = levels.iter().max_by_key(|(_, by)| *by);
        lost.or(open).or(won).copied().or(self.source.map(|(decision, by)| (decision, Some(by))))
    }

    fn decision_of(&self, level: u32) -> (Decision, Option<Place>) {
        let rows: Vec<&Row> = self.rows.values().filter(|row| row.level == level).collect();
        let decided = |decision| {
            let mut found: Vec<Place> =
                rows.iter().filter(|row| row.decision == decision).map(|row| row.decided).collect();
            found.sort();
            found
        };
        let (yes, no) = (decided(Decision::Approved), decided(Decision::Rejected));
        let voters = yes.len() + no.len() + decided(Decision::Requested).len();
        let needed = match rows[0].rule {
            ApprovalRule::All => voters,
            ApprovalRule::Any => 1,
            ApprovalRule::Majority => voters / 2 + 1,
            other => panic!("the made-up companies have no {other:?}"),
        };
        match (yes.get(needed.max(1) - 1), no.get(voters - needed.min(voters))) {
            _ if voters == 0 => (Decision::Cancelled, decided(Decision::Cancelled).last().copied()),
            (Some(by), _) => (Decision::Approved, Some(*by)),
            (None, Some(by)) => (Decision::Rejected, Some(*by)),
            (None, None) => (Decision::Requested, None),
        }
    }
}
