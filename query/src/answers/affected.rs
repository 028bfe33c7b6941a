//! Who gained or lost access because an entitlement came to mean something else.
//!
//! Owns the comparison of effective access just before and just after the facts of one event: everything else is as of the
//! moment when they happened, so that nothing but them makes the difference. It compares no grants of people: a change of
//! one person's grant says itself whom it is about.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    Affected, AffectedKind, ChangedDefinition, Fact, ListAffectedResponse, Outcome, Record, fact::Detail,
};
use counterfoil_verify::effective::{Access, Effective};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, entities_of, kind_group};
use counterfoil_verify::replay::{FactAt, bearers, facts_of, is_held};
use counterfoil_verify::state::{Evidence, ReplayOrder};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::access::{key, slice, token};
use crate::answers::convert::evidence;
use crate::answers::graph::{Graph, Meanings};
use crate::answers::pages::{Page, Question, recorded_part};
use crate::answers::parties::Parties;
use crate::answers::{ChangeSelector, Query};
use crate::error::{QueryError, Result};
use crate::views::changes;

/// The holders that are compared for a page where nothing else is asked for, and the most of one page.
const PAGE_HOLDERS: usize = 100;
const PAGE_HOLDERS_MAX: usize = 1_000;

/// What an event changed of the meaning of entitlements.
#[derive(Default)]
struct Redefinition {
    /// The first and the last of its facts about each entitlement, in the order of replay.
    places: BTreeMap<EntityId, (ReplayOrder, ReplayOrder)>,
    /// Its facts.
    rests_on: BTreeSet<(u64, u32)>,
    /// When the last of them happened.
    at: Option<OccurredAt>,
}

impl Redefinition {
    fn add(&mut self, fact: &FactAt<'_>, entities: Vec<EntityId>) {
        let place = fact.evidence.order();
        for entity in entities {
            let (first, last) = self.places.entry(entity).or_insert((place, place));
            (*first, *last) = (place.min(*first), place.max(*last));
        }
        self.rests_on.insert((fact.evidence.index, fact.evidence.fact));
        self.at = self.at.max(Some(fact.evidence.occurred_at()));
    }
}

/// Somebody's access on both sides of a change.
struct Sides<'s> {
    before: &'s Effective,
    after: &'s Effective,
    rests_on: &'s BTreeSet<(u64, u32)>,
}

impl Query<'_> {
    /// A page of whose access is another because of a change of what entitlements mean. A page is of so many holders, each
    /// with all that is another.
    ///
    /// # Errors
    /// [`QueryError::NoDefinition`] if the event changed no meaning; those of [`Query::explain`] where there is no such
    /// change; [`QueryError::PageToken`] if the token belongs to another question.
    pub fn affected(
        &self,
        change: &ChangeSelector,
        known: Option<RecordedAt>,
        page: &Page,
    ) -> Result<ListAffectedResponse> {
        let selected = match change {
            ChangeSelector::Record(index, fact) => {
                [&[0][..], &index.0.to_be_bytes(), &fact.map_or([0xff; 4], u32::to_be_bytes)].concat()
            }
            ChangeSelector::Event(id) => [&[1], id.as_bytes()].concat(),
        };
        let question = Question::new("affected", &[&selected, &recorded_part(known)]);
        let (size, _, after) = self.place(&question, page, OccurredAt(Moment::MIN), known)?;
        let parties = self.parties(size);
        let mut redefined = Redefinition::default();
        let mut changed = Vec::new();
        for (record, number) in self.selected(change, size)? {
            let meant = facts_of(&record).filter(|fact| number.is_none_or(|number| fact.evidence.fact == number));
            for fact in meant {
                let entities = redefining(&fact);
                for entity in &entities {
                    changed.push(parties.changed(entity, &fact)?);
                }
                if !entities.is_empty() {
                    redefined.add(&fact, entities);
                }
            }
        }
        let Some(at) = redefined.at else { return Err(QueryError::NoDefinition(named(change))) };
        let graph = Graph::new(self, at, size);
        let (mut before, mut later) = (Meanings::new(), Meanings::new());
        let mut holders: BTreeMap<String, EntityId> = BTreeMap::new();
        let mut is_cut = false;
        for (entity, (first, last)) in &redefined.places {
            before.insert(entity.clone(), graph.meaning(entity, *first, false)?);
            later.insert(entity.clone(), graph.meaning(entity, *last, true)?);
            let made = graph.holders(entity, true)?;
            is_cut |= made.is_cut;
            let whom = made.holders().map(|holder| holder.principal.entity.clone());
            holders.extend(whom.map(|entity| (entity.to_text(), entity)));
        }
        let (listed, last) = slice(&holders, after, page.count(PAGE_HOLDERS, PAGE_HOLDERS_MAX));
        let next_page_token = last.map(|last| token(&question, size, at, last)).unwrap_or_default();
        let mut affected = Vec::new();
        for holder in listed {
            let start = std::slice::from_ref(holder);
            let (before, after) = (graph.effective_where(&before, start)?, graph.effective_where(&later, start)?);
            is_cut |= before.is_cut || after.is_cut;
            affected.extend(
                parties.affected(&Sides { before: &before, after: &after, rests_on: &redefined.rests_on }, at)?,
            );
        }
        Ok(ListAffectedResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            changed,
            affected,
            cut: is_cut,
            next_page_token,
        })
    }

    /// The records of a change, each with the fact that is meant, where one is.
    fn selected(&self, change: &ChangeSelector, size: TreeSize) -> Result<Vec<(Record, Option<u32>)>> {
        match change {
            ChangeSelector::Record(index, fact) => {
                self.check_known(*index, size)?;
                let record = self.read_record(*index)?;
                let count = facts_of(&record).count();
                match fact {
                    Some(fact) if *fact as usize >= count => {
                        Err(QueryError::NoSuchFact { index: *index, fact: *fact, count })
                    }
                    _ => Ok(vec![(record, *fact)]),
                }
            }
            ChangeSelector::Event(id) => {
                let mut found = Vec::new();
                for index in changes::records_of(&self.view, id, size)? {
                    let record = self.read_record(index)?;
                    let is_meant = record.provenance.as_ref().is_some_and(|provenance| provenance.event_id == *id);
                    if is_meant {
                        found.push((record, None));
                    }
                }
                if found.is_empty() { Err(QueryError::NoSuchEvent(id.clone())) } else { Ok(found) }
            }
        }
    }
}

/// How a change was asked for.
fn named(change: &ChangeSelector) -> String {
    match change {
        ChangeSelector::Record(index, None) => format!("record {index}"),
        ChangeSelector::Record(index, Some(fact)) => format!("fact {index}.{fact}"),
        ChangeSelector::Event(id) => format!("the event {id:?}"),
    }
}

/// The entitlements whose meaning a fact changed: what they imply, or what they hold themselves.
fn redefining(fact: &FactAt<'_>) -> Vec<EntityId> {
    let Fact { subject, object, .. } = fact.fact;
    let own = match kind_group(fact.fact.kind()) {
        _ if fact.fact.outcome() != Outcome::Success => return Vec::new(),
        Group::Entitlement => object,
        _ if is_held(fact.fact) => subject,
        _ => return Vec::new(),
    };
    let own: BTreeSet<EntityId> = own.iter().flat_map(|own| entities_of(own, fact.source)).collect();
    bearers(fact.fact, fact.source).into_iter().filter(|bearer| own.contains(bearer)).collect()
}

impl Parties<'_, '_> {
    fn changed(&self, entity: &EntityId, fact: &FactAt<'_>) -> Result<ChangedDefinition> {
        let version = match &fact.fact.detail {
            Some(Detail::Entitlement(detail)) => detail.version.clone(),
            _ => String::new(),
        };
        Ok(ChangedDefinition {
            entitlement: Some(self.party(entity)?),
            kind: fact.fact.kind,
            version,
            evidence: Some(evidence(&fact.evidence)),
        })
    }

    /// What is another for one holder.
    fn affected(&self, sides: &Sides<'_>, at: OccurredAt) -> Result<Vec<Affected>> {
        let mut was: BTreeMap<String, Access<'_>> =
            sides.before.accesses().map(|access| (key(access.entity(), access.scope()), access)).collect();
        let mut found: BTreeMap<String, (AffectedKind, Access<'_>)> = BTreeMap::new();
        for access in sides.after.accesses() {
            let key = key(access.entity(), access.scope());
            let kind = match was.remove(&key) {
                None => AffectedKind::Gained,
                Some(before) if sides.is_another(&before, &access) => AffectedKind::Changed,
                Some(_) => continue,
            };
            found.insert(key, (kind, access));
        }
        found.extend(was.into_iter().map(|(key, access)| (key, (AffectedKind::Lost, access))));
        let principal = sides.after.principals.first().map(|one| self.principal(one, at)).transpose()?;
        let affected = |(kind, access): (AffectedKind, Access<'_>)| {
            Ok(Affected { kind: kind.into(), holder: principal.clone(), access: Some(self.access(&access, false)?) })
        };
        found.into_values().map(affected).collect()
    }
}

impl Sides<'_> {
    /// Whether what is held before and after is not the same: it holds in another way, or by what the change says anew.
    fn is_another(&self, before: &Access<'_>, after: &Access<'_>) -> bool {
        let how = |access: &Access<'_>| (access.cost().is_eligible, access.cost().is_conditional);
        let is_new = |by: &Evidence| self.rests_on.contains(&(by.index, by.fact));
        how(before) != how(after) || after.path().iter().any(|step| is_new(&step.hop.evidence))
    }
}
