//! What the beneficiary of a ticket had of what it asks for: before the request, at approval, after the change, after
//! expiry, and now.
//!
//! Owns these moments, and which accesses are looked at. Whether one was held is `verify::holding`'s to say.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{AccessAtStep, AccessStanding, Decision, EntityKind, TraceMoment, TraceStep};
use counterfoil_verify::approval::final_decision;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, kind_group};
use counterfoil_verify::holding::{Holding, Standing, account, credential, holdings};
use counterfoil_verify::replay::{FactAt, named};
use counterfoil_verify::reversal::bearer;
use counterfoil_verify::state::TicketState;
use counterfoil_verify::ticket::CLOCK_TOLERANCE_SECONDS;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, timestamp};
use crate::answers::judge::Judge;
use crate::answers::linked::Linked;
use crate::answers::parties::Parties;
use crate::answers::reversal::Timelines;
use crate::error::Result;
use crate::views::changes::Effect;
use crate::views::keys::Position;

/// The most accesses that are followed from step to step.
const TARGETS_MAX: usize = 64;

/// Until when a ticket asks for access: the latest end of what it asks for, or its own; none where some of it has no end.
pub(crate) fn asked_until(ticket: &TicketState) -> Option<Moment> {
    let own = ticket.version.window_end.as_ref().map(Moment::of);
    let ends: Vec<Option<Moment>> = ticket
        .items
        .iter()
        .map(|asked| asked.item.until.as_ref().map(Moment::of).into_iter().chain(own).min())
        .collect();
    match ends.contains(&None) {
        true => None,
        false => ends.into_iter().flatten().max().or(own),
    }
}

/// Something that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Account(EntityId),
    Credential(EntityId),
    /// What it is called in grants; the first stands for it.
    Entitlement(Vec<EntityId>),
}

/// A moment, or why there is none.
type Reached = std::result::Result<OccurredAt, &'static str>;

impl Query<'_> {
    /// The beneficiary's access at each step; the ticket comes with its records.
    pub(crate) fn moments(
        &self,
        (ticket, records): (Option<&TicketState>, &BTreeSet<u64>),
        linked: &Linked,
        now: OccurredAt,
        size: TreeSize,
        judge: &mut Judge<'_, '_>,
    ) -> Result<Vec<TraceStep>> {
        let beneficiary = beneficiary(ticket, linked, size, judge)?;
        let targets = targets(ticket, linked, &beneficiary, now, size, judge)?;
        let mut timelines = Timelines::new(self, size)?;
        let parties = self.parties(size);
        let mut table =
            Table { parties, beneficiary: &beneficiary, timelines: &mut timelines, records: BTreeSet::new() };
        let mut steps = Vec::new();
        for (step, reached, by) in reached((ticket, records), linked, now)? {
            table.records = by;
            let mut traced = TraceStep { step: step.into(), ..TraceStep::default() };
            match reached {
                Err(why) => traced.missing = why.to_owned(),
                Ok(at) => {
                    traced.at = Some(timestamp(at.0));
                    for target in &targets {
                        traced.access.extend(table.rows(target, at)?);
                    }
                }
            }
            traced.records = std::mem::take(&mut table.records).into_iter().collect();
            steps.push(traced);
        }
        Ok(steps)
    }
}

/// The moments, each with the records that say when it is.
fn reached(
    (ticket, records): (Option<&TicketState>, &BTreeSet<u64>),
    linked: &Linked,
    now: OccurredAt,
) -> Result<[(TraceMoment, Reached, BTreeSet<u64>); 5]> {
    let opened = ticket.map(|ticket| ticket.opened.unwrap_or(ticket.evidence).occurred_at().0);
    let approved = ticket.and_then(final_decision).filter(|derived| derived.decision == Decision::Approved);
    let mut last: Option<(bool, Position)> = None;
    for change in linked.changes.iter().filter(|change| change.is_covered) {
        let gave = Effect::of(&change.fact()?) == Some(Effect::Gave);
        last = last.max(Some((gave, change.position)));
    }
    let until = ticket.and_then(asked_until).map(|until| until.plus_seconds(CLOCK_TOLERANCE_SECONDS));
    let after_expiry = match until {
        None => Err("it asks for access without an end"),
        Some(until) if until > now.0 => Err("its time is not over yet"),
        Some(until) => Ok(OccurredAt(until)),
    };
    Ok([
        (
            TraceMoment::BeforeRequest,
            opened.map(|opened| OccurredAt(opened.just_before())).ok_or("nothing says when it was opened"),
            records.clone(),
        ),
        (
            TraceMoment::AtApproval,
            match approved {
                None => Err("it was not approved"),
                Some(derived) => {
                    derived.completed_by.map(|by| by.occurred_at()).ok_or("nothing says when it was approved")
                }
            },
            records.clone(),
        ),
        (
            TraceMoment::AfterChange,
            last.map(|(_, position)| position.0).ok_or("no recorded change carries it out"),
            last.iter().map(|(_, position)| position.2.0).collect(),
        ),
        (TraceMoment::AfterExpiry, after_expiry, records.clone()),
        (TraceMoment::Now, Ok(now), BTreeSet::new()),
    ])
}

/// Everybody who stood for the beneficiary when the ticket was opened, and whose access its changes were about.
fn beneficiary(
    ticket: Option<&TicketState>,
    linked: &Linked,
    size: TreeSize,
    judge: &mut Judge<'_, '_>,
) -> Result<BTreeSet<EntityId>> {
    let mut found = BTreeSet::new();
    if let Some(ticket) = ticket {
        let named = ticket.beneficiary.iter().filter_map(|id| id.parse().ok()).collect();
        let opened = ticket.opened.unwrap_or(ticket.evidence).occurred_at();
        found.extend(judge.people.aliases(named, opened, size)?.entities().iter().cloned());
    }
    for change in linked.changes.iter().filter(|change| change.is_covered) {
        let fact = change.fact()?;
        found.extend(fact.fact.subject.iter().flat_map(|subject| named(subject, fact.source)));
    }
    Ok(found)
}

/// What the ticket asks for, and what its changes gave or took.
fn targets(
    ticket: Option<&TicketState>,
    linked: &Linked,
    beneficiary: &BTreeSet<EntityId>,
    at: OccurredAt,
    size: TreeSize,
    judge: &mut Judge<'_, '_>,
) -> Result<Vec<Target>> {
    let mut found: Vec<Target> = Vec::new();
    let mut entities: Vec<EntityId> = Vec::new();
    for asked in ticket.iter().flat_map(|ticket| &ticket.items) {
        entities.extend(asked.targets.iter().filter_map(|target| target.parse().ok()));
        if asked.targets.is_empty() && asked.item.target_type.split_once(':').is_some_and(|(_, what)| what == "account")
        {
            let system = asked.item.target_type.split_once(':').map_or("", |(system, _)| system);
            let own = beneficiary.iter().filter(|one| one.kind() == EntityKind::Account && one.system() == system);
            found.extend(own.cloned().map(Target::Account));
        }
    }
    for change in linked.changes.iter().filter(|change| change.is_covered) {
        let fact = change.fact()?;
        match kind_group(fact.fact.kind()) {
            Group::Account => found.extend(bearer(&fact).map(Target::Account)),
            _ => entities.extend(object_of(&fact)),
        }
    }
    for entity in entities {
        let is_known = |one: &Target| match one {
            Target::Entitlement(names) => names.contains(&entity),
            Target::Credential(one) | Target::Account(one) => *one == entity,
        };
        if found.iter().any(is_known) {
            continue;
        }
        match entity.kind() {
            EntityKind::Credential => found.push(Target::Credential(entity)),
            EntityKind::Account => found.push(Target::Account(entity)),
            _ => {
                let (names, _) = judge.people.names_of(&entity, at, size)?;
                found.push(Target::Entitlement(names));
            }
        }
    }
    let mut unique: Vec<Target> = Vec::new();
    for target in found {
        if !unique.contains(&target) && unique.len() < TARGETS_MAX {
            unique.push(target);
        }
    }
    Ok(unique)
}

fn object_of(fact: &FactAt<'_>) -> Option<EntityId> {
    fact.fact.object.as_ref().and_then(|object| named(object, fact.source).into_iter().next())
}

/// The rows of all steps.
struct Table<'t, 'q, 'a> {
    parties: Parties<'q, 'a>,
    beneficiary: &'t BTreeSet<EntityId>,
    timelines: &'t mut Timelines<'q, 'a>,
    /// Those that the step at hand rests on.
    records: BTreeSet<u64>,
}

impl Table<'_, '_, '_> {
    /// What was had of one target at a moment: a row for each of the beneficiary's entities that ever had it.
    fn rows(&mut self, target: &Target, at: OccurredAt) -> Result<Vec<AccessAtStep>> {
        match target {
            Target::Account(entity) => {
                let rows = self.timelines.of(entity)?;
                let facts: Vec<FactAt<'_>> = rows.iter().map(|(position, delta)| delta.at(*position)).collect();
                let standing = account(entity, &facts, at);
                Ok(vec![self.row(None, Some(entity), "", &standing)?])
            }
            Target::Credential(entity) => {
                let rows = self.timelines.of(entity)?;
                let facts: Vec<FactAt<'_>> = rows.iter().map(|(position, delta)| delta.at(*position)).collect();
                let owner =
                    facts.iter().find_map(|fact| named(fact.fact.subject.as_ref()?, fact.source).into_iter().next());
                let standing = credential(entity, &facts, at);
                Ok(vec![self.row(Some(entity), owner.as_ref(), "", &standing)?])
            }
            Target::Entitlement(names) => {
                let mut found = Vec::new();
                for holder in self.beneficiary {
                    let ever = self.held(holder, names, OccurredAt(Moment::MAX))?;
                    let by_then = self.held(holder, names, at)?;
                    for (key, times) in ever {
                        let scope = times.last().map(|last| last.scope.clone()).unwrap_or_default();
                        let last = by_then.get(&key).and_then(|times| times.last());
                        let standing = last.map_or(Standing::NEVER, |last| last.standing(at));
                        found.push(self.row(names.first(), Some(holder), &scope, &standing)?);
                    }
                }
                if found.is_empty() {
                    found.push(self.row(names.first(), None, "", &Standing::NEVER)?);
                }
                Ok(found)
            }
        }
    }

    fn held(
        &mut self,
        holder: &EntityId,
        names: &[EntityId],
        at: OccurredAt,
    ) -> Result<BTreeMap<String, Vec<Holding>>> {
        let rows: Rc<_> = self.timelines.of(holder)?;
        let happened = rows.partition_point(|(position, _)| position.0 <= at);
        let facts: Vec<FactAt<'_>> = rows[..happened].iter().map(|(position, delta)| delta.at(*position)).collect();
        let wanted: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        Ok(holdings(holder, &facts, |other| wanted.contains(other)))
    }

    fn row(
        &mut self,
        target: Option<&EntityId>,
        holder: Option<&EntityId>,
        scope: &str,
        standing: &Standing,
    ) -> Result<AccessAtStep> {
        self.records.extend(&standing.records);
        Ok(AccessAtStep {
            target: target.map(|target| self.parties.party(target)).transpose()?,
            holder: holder.map(|holder| self.parties.party(holder)).transpose()?,
            scope: scope.to_owned(),
            standing: match standing.standing {
                AccessStanding::Unspecified => AccessStanding::NeverGiven.into(),
                known => known.into(),
            },
            expires_at: standing.expires_at.map(timestamp),
            evidence: standing.evidence.as_ref().map(evidence),
        })
    }
}
