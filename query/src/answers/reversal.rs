//! What would undo changes of access.
//!
//! Owns which facts a question means, and the reading of what `verify::reversal` makes the plan of: the timelines of what
//! they touched. It carries nothing out.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{AccountStatus, EntityKind, Party, PlanReversalResponse, Record, fact::Detail};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::{Group, Role, kind_group};
use counterfoil_verify::kept::Kept;
use counterfoil_verify::people::Traits as _;
use counterfoil_verify::replay::{FactAt, facts_of, named};
use counterfoil_verify::reversal::{Step, Timeline, bearer, is_undoable, plan};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::explain::ChangeSelector;
use crate::answers::judge::Judge;
use crate::answers::{Period, Query};
use crate::error::Result;
use crate::views::database::View;
use crate::views::deltas::{self, Delta};
use crate::views::histories::{self, has_role};
use crate::views::keys::{FIRST, Position, entity_prefix, first_at};
use crate::views::traits::Traits;

/// The most facts that one plan undoes.
const CHANGES_MAX: usize = 2_000;
/// The most facts that are looked at to find them.
const LOOKED_AT_MAX: usize = 100_000;
/// The most facts of one entity that a plan follows. What has more is left out, and the plan says so.
pub(crate) const TIMELINE_MAX: usize = 20_000;
/// The same where a list has a plan for each of its entries.
pub(crate) const RULED_TIMELINE_MAX: usize = 1_000;

/// What is to be undone.
#[derive(Clone, Debug, PartialEq)]
pub enum ReversalOf {
    /// One change.
    Change(ChangeSelector),
    /// All that a ticket covers.
    Ticket(EntityId),
    /// All that these did, or that was done with them, in a time.
    By {
        /// An id, an identifier or a name.
        who: String,
        /// When it happened.
        period: Period,
    },
}

/// A fact of an entity, as the views keep it.
type Row = (Position, Rc<Delta>);

/// The timelines of entities, read once for a whole answer.
pub(crate) struct Timelines<'q, 'a> {
    view: &'q View<'a>,
    size: TreeSize,
    /// When the last record that counts was recorded: up to then it is known what ran out.
    learned_at: OccurredAt,
    read: Kept<EntityId, Vec<Row>>,
}

impl<'q, 'a> Timelines<'q, 'a> {
    /// By the first `size` records.
    pub(crate) fn new(query: &'q Query<'a>, size: TreeSize) -> Result<Self> {
        let learned_at = OccurredAt(query.learned_at(size)?.0);
        Ok(Self { view: &query.view, size, learned_at, read: Kept::new() })
    }

    /// The moment by which what ran out is gone, where a question names none: so that its answer does not depend on when
    /// it is asked.
    pub(crate) fn learned_at(&self) -> OccurredAt {
        self.learned_at
    }

    /// The facts that change an entity's state; of an entitlement, those that say what it is. One more than are followed
    /// where there are so many.
    pub(crate) fn of(&mut self, entity: &EntityId) -> Result<Rc<Vec<Row>>> {
        let (view, size, ever) = (self.view, self.size, OccurredAt(Moment::MAX));
        self.read.get(entity, || match entity.kind() {
            EntityKind::Entitlement => Ok(Traits::read(view, entity)?.facts(ever, size).cloned().collect()),
            _ => deltas::read(view, &entity_prefix(entity), FIRST, ever, size)?.take(TIMELINE_MAX + 1).collect(),
        })
    }
}

/// A plan, and whether something of it was left out.
pub(crate) struct Planned<'r> {
    pub(crate) steps: Vec<Step<'r>>,
    pub(crate) is_cut: bool,
}

/// The rows that a plan rests on.
pub(crate) struct Gathered {
    timelines: BTreeMap<EntityId, Rc<Vec<Row>>>,
    chosen: BTreeSet<(u64, u32)>,
    gone: BTreeMap<EntityId, Evidence>,
    is_cut: bool,
}

impl Gathered {
    /// What undoing these facts rests on, as far as nothing that they touched has more facts than `timeline_max`.
    pub(crate) fn of<'f>(
        facts: impl IntoIterator<Item = FactAt<'f>>,
        timelines: &mut Timelines<'_, '_>,
        judge: &mut Judge<'_, '_>,
        timeline_max: usize,
    ) -> Result<Self> {
        let mut gathered =
            Self { timelines: BTreeMap::new(), chosen: BTreeSet::new(), gone: BTreeMap::new(), is_cut: false };
        for fact in facts {
            let Some(entity) = bearer(&fact) else { continue };
            let rows = timelines.of(&entity)?;
            if rows.len() > timeline_max {
                gathered.is_cut = true;
                continue;
            }
            gathered.chosen.insert((fact.evidence.index, fact.evidence.fact));
            gathered.timelines.entry(entity).or_insert(rows);
            for other in others(&fact) {
                let ended = ended(judge, &other, timelines.size)?;
                gathered.gone.extend(ended.map(|by| (other, by)));
            }
        }
        Ok(gathered)
    }

    /// The plan as of what happened up to `until`, where `at` is now. `marks` are facts that change no state, and that the
    /// timelines lack.
    pub(crate) fn plan<'r>(&'r self, marks: &[FactAt<'r>], until: OccurredAt, at: OccurredAt) -> Planned<'r> {
        let timeline = |(entity, rows): (&EntityId, &'r Rc<Vec<Row>>)| {
            let mut facts: Vec<FactAt<'r>> = rows.iter().map(|(position, delta)| delta.at(*position)).collect();
            facts.extend(marks.iter().filter(|mark| bearer(mark).as_ref() == Some(entity)));
            facts.retain(|fact| fact.evidence.occurred_at() <= until);
            facts.sort_by_key(|fact| fact.evidence.order());
            Timeline { entity: entity.clone(), facts }
        };
        let timelines: Vec<Timeline<'r>> = self.timelines.iter().map(timeline).collect();
        Planned { steps: plan(&timelines, &self.chosen, &self.gone, at), is_cut: self.is_cut }
    }
}

/// Whom and what a fact is about beside its bearer.
fn others(fact: &FactAt<'_>) -> Vec<EntityId> {
    let implied = match &fact.fact.detail {
        Some(Detail::Entitlement(detail)) => [&detail.implies_added[..], &detail.implies_removed].concat(),
        _ => Vec::new(),
    };
    let named_by = |reference| named(reference, fact.source);
    fact.fact.object.iter().chain(&fact.fact.subject).chain(&implied).flat_map(named_by).collect()
}

/// The fact that ended an account or an entitlement.
fn ended(judge: &mut Judge<'_, '_>, entity: &EntityId, size: TreeSize) -> Result<Option<Evidence>> {
    let state = judge.people.traits(entity)?.at(OccurredAt(Moment::MAX), size);
    let deleted = state.account.filter(|account| account.status() == AccountStatus::Deleted);
    Ok(state.removed.or(deleted.map(|account| account.evidence)))
}

/// Facts that were chosen, with the records that hold them.
struct Chosen {
    records: Vec<Record>,
    places: BTreeSet<(u64, u32)>,
    of: Vec<Shared<Party>>,
    is_cut: bool,
}

impl Query<'_> {
    /// What would undo the changes that are meant, as of a moment.
    ///
    /// # Errors
    /// Those of the question that finds them.
    pub fn reversal(&self, of: &ReversalOf, at: OccurredAt, known: Option<RecordedAt>) -> Result<PlanReversalResponse> {
        let size = self.known_size(known)?;
        let chosen = match of {
            ReversalOf::Change(change) => self.chosen_by_change(change, size)?,
            ReversalOf::Ticket(ticket) => self.chosen_by_ticket(ticket, at, size)?,
            ReversalOf::By { who, period } => self.chosen_by_actor(who, *period, size)?,
        };
        let is_chosen = |fact: &FactAt<'_>| chosen.places.contains(&(fact.evidence.index, fact.evidence.fact));
        let facts: Vec<FactAt<'_>> = chosen.records.iter().flat_map(facts_of).filter(is_chosen).collect();
        let marks: Vec<FactAt<'_>> =
            facts.iter().filter(|fact| kind_group(fact.fact.kind()) == Group::Use).copied().collect();
        let mut judge = self.judge();
        let gathered = Gathered::of(facts, &mut Timelines::new(self, size)?, &mut judge, TIMELINE_MAX)?;
        let planned = gathered.plan(&marks, at, at);
        let parties = self.parties(size);
        Ok(PlanReversalResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            of: chosen.of,
            steps: planned.steps.iter().map(|step| parties.step(step)).collect::<Result<_>>()?,
            cut: chosen.is_cut || planned.is_cut,
        })
    }

    fn chosen_by_change(&self, change: &ChangeSelector, size: TreeSize) -> Result<Chosen> {
        let (records, number) = match change {
            ChangeSelector::Record(index, number) => {
                self.check_known(*index, size)?;
                (vec![self.read_record(*index)?], *number)
            }
            ChangeSelector::Event(event_id) => (self.records_of_event(event_id, size)?, None),
        };
        let mut places = BTreeSet::new();
        for record in &records {
            let facts = facts_of(record).filter(|fact| number.is_none_or(|number| fact.evidence.fact == number));
            places.extend(facts.filter(is_undoable).map(|fact| (fact.evidence.index, fact.evidence.fact)));
        }
        Ok(Chosen { records, places, of: Vec::new(), is_cut: false })
    }

    fn chosen_by_ticket(&self, ticket: &EntityId, at: OccurredAt, size: TreeSize) -> Result<Chosen> {
        let mut judge = self.judge();
        let linked = self.linked_changes(ticket, at, size, &mut judge)?;
        let mut chosen = Chosen {
            records: Vec::new(),
            places: BTreeSet::new(),
            of: vec![self.parties(size).party(ticket)?],
            is_cut: linked.is_cut,
        };
        for change in linked.changes.into_iter().filter(|change| change.is_covered) {
            chosen.places.insert((change.position.2.0, change.position.3));
            if chosen.records.last().is_none_or(|last: &Record| last.index != change.record.index) {
                chosen.records.push(Record::clone(&change.record));
            }
        }
        chosen.records.sort_by_key(|record| record.index);
        chosen.records.dedup_by_key(|record| record.index);
        Ok(chosen)
    }

    fn chosen_by_actor(&self, who: &str, period: Period, size: TreeSize) -> Result<Chosen> {
        let of = self.everybody(who, false, period.to, size)?;
        let mut chosen = Chosen { records: Vec::new(), places: BTreeSet::new(), of: Vec::new(), is_cut: false };
        let mut looked_at = 0;
        for entity in of.iter().filter_map(|party| party.id.parse::<EntityId>().ok()) {
            for entry in histories::read(&self.view, &entity, first_at(period.from), period.to, size)? {
                let (position, roles) = entry?;
                looked_at += 1;
                if looked_at > LOOKED_AT_MAX || chosen.places.len() == CHANGES_MAX {
                    chosen.is_cut = true;
                    break;
                }
                let place = (position.2.0, position.3);
                if !has_role(roles, &[Role::Actor, Role::Via]) || chosen.places.contains(&place) {
                    continue;
                }
                let held = chosen.records.last().is_some_and(|last| last.index == place.0);
                let record = if held { None } else { Some(self.read_record(position.2)?) };
                let read = record.as_ref().or(chosen.records.last());
                let is_meant = |fact: FactAt<'_>| fact.evidence.fact == place.1 && is_undoable(&fact);
                if read.is_some_and(|record| facts_of(record).any(is_meant)) {
                    chosen.places.insert(place);
                    chosen.records.extend(record);
                }
            }
        }
        chosen.records.sort_by_key(|record| record.index);
        chosen.records.dedup_by_key(|record| record.index);
        Ok(Chosen { of, ..chosen })
    }
}
