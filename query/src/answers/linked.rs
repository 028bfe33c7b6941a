//! The changes that name a ticket, and those that it may cover: the way of `judge` backwards.
//!
//! Owns where they are looked for: in the history of the ticket itself, and in those of everybody who stood for its
//! beneficiary, from its time on. Each is then explained as any change is; it never judges one itself.

use std::collections::BTreeSet;
use std::rc::Rc;

use counterfoil_proto::v1::{Explanation, LinkRule, Record, Verdict, fact::Detail};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::Role;
use counterfoil_verify::link::explicit_tickets;
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::ticket::CLOCK_TOLERANCE_SECONDS;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::changes::fact_at;
use crate::answers::judge::Judge;
use crate::error::Result;
use crate::views::changes::{self, Effect};
use crate::views::deltas;
use crate::views::histories::{self, has_role};
use crate::views::keys::{FIRST, Position, entity_prefix, last_at};

/// The most changes that are listed of one ticket.
const CHANGES_MAX: usize = 500;
/// The most facts that are looked at to find them.
const LOOKED_AT_MAX: usize = 50_000;

/// A change that one ticket has to do with.
pub(crate) struct LinkedChange {
    pub(crate) position: Position,
    pub(crate) record: Rc<Record>,
    pub(crate) explanation: Explanation,
    /// What this ticket says about it.
    pub(crate) verdict: Verdict,
    /// The ticket asks for it, and no other does.
    pub(crate) is_covered: bool,
}

impl LinkedChange {
    /// Whether the change names the ticket.
    pub(crate) fn is_named(&self) -> bool {
        self.explanation.rule() == LinkRule::Explicit
    }

    /// The fact that made it.
    pub(crate) fn fact(&self) -> Result<FactAt<'_>> {
        fact_at(&self.record, self.position)
    }
}

/// The changes of one ticket, in the order in which they happened.
#[derive(Default)]
pub(crate) struct Linked {
    pub(crate) changes: Vec<LinkedChange>,
    /// There is more than was looked at.
    pub(crate) is_cut: bool,
}

impl Query<'_> {
    /// The changes up to a moment that name a ticket, or that it may cover.
    pub(crate) fn linked_changes(
        &self,
        ticket: &EntityId,
        at: OccurredAt,
        size: TreeSize,
        judge: &mut Judge<'_, '_>,
    ) -> Result<Linked> {
        let mut linked = Linked::default();
        let mut places: BTreeSet<Position> = BTreeSet::new();
        for entry in histories::read(&self.view, ticket, FIRST, at, size)? {
            let (position, roles) = entry?;
            if has_role(roles, &[Role::Ticket]) && changes::effect_at(&self.view, &position)?.is_some() {
                places.insert(position);
            }
            linked.is_cut |= places.len() > LOOKED_AT_MAX;
            if linked.is_cut {
                break;
            }
        }
        if let Some((named, since)) = self.asked_for(ticket, at, size)? {
            // Who stood for the beneficiary at one moment may be who is meant by a name that stood for them at another.
            let (stood, is_cut) = judge.people.aliases_during(&named, (since, at), size)?;
            let stood: Vec<Vec<EntityId>> = stood.into_iter().map(|entity| vec![entity]).collect();
            let (entities, is_more_cut) = judge.people.aliases_during(&stood, (since, at), size)?;
            linked.is_cut |= is_cut || is_more_cut;
            for entity in &entities {
                self.changes_of(entity, (since, at), size, &mut places, &mut linked.is_cut)?;
            }
        }
        let mut read: Option<Rc<Record>> = None;
        for position in places {
            let held = read.take().filter(|record| record.index == position.2.0);
            let record = held.map_or_else(|| self.read_record(position.2).map(Rc::new), Ok)?;
            read = Some(record.clone());
            let explanation = self.explain_fact(&record, &fact_at(&record, position)?, size, judge)?;
            let id = ticket.to_text();
            let own = explanation.tickets.iter().find(|one| one.ticket.as_ref().is_some_and(|one| one.id == id));
            let Some(verdict) = own.map(|own| own.verdict()) else { continue };
            if linked.changes.len() == CHANGES_MAX {
                linked.is_cut = true;
                break;
            }
            let is_covered = asks_for_it(verdict) && explanation.verdict() == verdict;
            linked.changes.push(LinkedChange { position, record, explanation, verdict, is_covered });
        }
        Ok(linked)
    }

    /// Whom each version of a ticket is for, and the first moment that any of them covers; none of a ticket that names
    /// nobody.
    fn asked_for(
        &self,
        ticket: &EntityId,
        at: OccurredAt,
        size: TreeSize,
    ) -> Result<Option<(BTreeSet<Vec<EntityId>>, OccurredAt)>> {
        let (mut named_by, mut since) = (BTreeSet::new(), None::<Moment>);
        for delta in deltas::read(&self.view, &entity_prefix(ticket), FIRST, at, size)? {
            let (position, delta) = delta?;
            let fact = delta.at(position);
            let Some(Detail::Ticket(version)) = &fact.fact.detail else { continue };
            let beneficiary = fact.fact.subject.iter().map(|subject| named(subject, fact.source));
            named_by.extend(beneficiary.filter(|named| !named.is_empty()));
            let starts = version.window_start.iter().chain(version.items.iter().filter_map(|item| item.from.as_ref()));
            let earliest = starts.map(Moment::of).chain([position.0.0]).min();
            since = since.into_iter().chain(earliest).min();
        }
        let since = since.filter(|_| !named_by.is_empty());
        Ok(since.map(|since| (named_by, OccurredAt(since.plus_seconds(-CLOCK_TOLERANCE_SECONDS)))))
    }

    /// Adds the places of an entity's changes in a time that name no ticket.
    fn changes_of(
        &self,
        entity: &EntityId,
        (from, to): (OccurredAt, OccurredAt),
        size: TreeSize,
        places: &mut BTreeSet<Position>,
        is_cut: &mut bool,
    ) -> Result<()> {
        let after = last_at(OccurredAt(from.0.just_before()));
        for (count, delta) in deltas::read(&self.view, &entity_prefix(entity), after, to, size)?.enumerate() {
            if count == LOOKED_AT_MAX {
                *is_cut = true;
                break;
            }
            let (position, delta) = delta?;
            let fact = delta.at(position);
            if Effect::of(&fact).is_some() && explicit_tickets(&fact).is_empty() {
                places.insert(position);
            }
        }
        Ok(())
    }
}

/// Whether a ticket with this verdict on a change asks for it, approved or not.
fn asks_for_it(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Approved
            | Verdict::ApprovedLate
            | Verdict::ApprovedRecordedLate
            | Verdict::ApprovedUnspecific
            | Verdict::EditedAfterApproval
            | Verdict::Pending
            | Verdict::Rejected
    )
}
