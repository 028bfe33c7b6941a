//! Who else somebody is: the identifiers, accounts and persons that stand for one at a moment.
//!
//! Owns the closure over bindings, identity links and matching rules, and what each step rests on. It links nothing by
//! similarity: a step is a fact that somebody recorded, or a rule that holds. Links that contradict each other are not
//! followed.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use counterfoil_proto::v1::EntityKind;

use crate::entity::EntityId;
use crate::identity::{MatchingRule, MatchingRules, contested};
use crate::people::{Asked, People, Told};
use crate::state::LinkState;
use crate::time::OccurredAt;
use crate::tree::TreeSize;

/// The most entities that one beneficiary is followed to. More would be a shared mailbox, not a person.
const ALIASES_MAX: usize = 256;

/// Every entity that stands for one, each with what says so.
#[derive(Debug, Default)]
pub struct Aliases {
    entities: BTreeSet<EntityId>,
    reached: BTreeMap<EntityId, Reached>,
    /// There are more than were followed.
    pub is_cut: bool,
    /// The tickets that may be for them, once they were asked for.
    tickets: OnceCell<Rc<[EntityId]>>,
}

/// How one came to an entity.
#[derive(Debug, Default)]
struct Reached {
    /// The last step; none for whom the question names.
    step: Option<Rc<Step>>,
    /// The records and the rules of all steps.
    records: BTreeSet<u64>,
    rules: Vec<Rc<MatchingRule>>,
}

/// A step from one entity to another that stands for the same one.
#[derive(Debug)]
pub struct Step {
    /// From whom.
    pub from: EntityId,
    /// To whom.
    pub to: EntityId,
    /// The record that it rests on.
    pub record: u64,
    /// The rule that it rests on as well, where it leads into another system.
    pub rule: Option<Rc<MatchingRule>>,
    /// The step before: an identifier is left in the sense in which it was come to.
    pub before: Option<Rc<Step>>,
}

impl Aliases {
    /// The entities.
    pub fn entities(&self) -> &BTreeSet<EntityId> {
        &self.entities
    }

    /// The records by which those of the entities stand for whom they stand for that are also in `others`.
    pub fn records<'s>(&'s self, others: &'s Self) -> impl Iterator<Item = u64> + 's {
        self.shared(others).flat_map(|reached| reached.records.iter().copied())
    }

    /// The rules by which they do.
    pub fn rules<'s>(&'s self, others: &'s Self) -> impl Iterator<Item = &'s Rc<MatchingRule>> + 's {
        self.shared(others).flat_map(|reached| &reached.rules)
    }

    fn shared<'s>(&'s self, others: &'s Self) -> impl Iterator<Item = &'s Reached> + 's {
        let is_shared = |entity: &EntityId| others.entities.contains(entity);
        self.reached.iter().filter(move |(entity, _)| is_shared(entity)).map(|(_, reached)| reached)
    }

    /// The steps from whom the question names to an entity.
    pub fn steps(&self, entity: &EntityId) -> Vec<Rc<Step>> {
        let last = self.reached.get(entity).and_then(|reached| reached.step.clone());
        let mut steps: Vec<Rc<Step>> = std::iter::successors(last, |step| step.before.clone()).collect();
        steps.reverse();
        steps
    }
}

/// In which sense an identifier is meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Sense {
    /// The question names it: it means whoever is called so, anywhere.
    Named,
    /// As that of an entity in this system and tenant: whoever else is called so is the same one by a rule alone.
    In(String, String),
    /// The system that links with it means it anywhere but among its own accounts, which have their own.
    Outside(String, String),
}

impl Sense {
    fn of(entity: &EntityId) -> Self {
        Self::In(entity.system().to_owned(), entity.instance().to_owned())
    }
}

/// An entity that is to be looked at.
struct Next {
    entity: EntityId,
    sense: Sense,
    reached: Reached,
    /// It stands for them, and nothing else does because of it.
    is_end: bool,
}

impl<T: Told> People<T> {
    /// Everything that stands for `start` at a moment.
    pub fn aliases(&mut self, start: Vec<EntityId>, at: OccurredAt, known: TreeSize) -> Result<Rc<Aliases>, T::Error> {
        let of = (start, known);
        let closures = self.closures.get(&of, || Ok(RefCell::default()))?;
        if let Some((_, (span, aliases))) = closures.borrow().range(..=at).next_back()
            && span.until.is_none_or(|until| at < until)
        {
            return Ok(aliases.clone());
        }
        let mut asked = Asked::new(at, known);
        let aliases = Rc::new(self.closure(of.0, &mut asked)?);
        closures.borrow_mut().insert(asked.span.from, (asked.span, aliases.clone()));
        Ok(aliases)
    }

    /// What an entitlement is called at a moment, itself first, then other ids, then identifiers; and whether there are more.
    /// A policy and a role of the same name are two things: only what is of its type is the same one.
    pub fn names_of(
        &mut self,
        entitlement: &EntityId,
        at: OccurredAt,
        known: TreeSize,
    ) -> Result<(Vec<EntityId>, bool), T::Error> {
        let aliases = self.aliases(vec![entitlement.clone()], at, known)?;
        let type_of = |one: &EntityId| one.native_id().split('/').next().map(str::to_owned);
        let is_it = |one: &&EntityId| {
            let is_named = one.token().is_some() || entitlement.token().is_some();
            *one != entitlement && (is_named || type_of(one) == type_of(entitlement))
        };
        let others = aliases.entities().iter().filter(is_it).cloned();
        let (ids, tokens): (Vec<_>, Vec<_>) = others.partition(|one| one.token().is_none());
        Ok(([vec![entitlement.clone()], ids, tokens].concat(), aliases.is_cut))
    }

    pub(super) fn closure(&mut self, start: Vec<EntityId>, asked: &mut Asked) -> Result<Aliases, T::Error> {
        let rules = self.rules(asked.known)?;
        let mut aliases = Aliases::default();
        let (mut meant, mut expanded) = (BTreeSet::new(), BTreeSet::new());
        let named = |entity| Next { entity, sense: Sense::Named, reached: Reached::default(), is_end: false };
        let mut next: VecDeque<Next> = start.into_iter().map(named).collect();
        // What records say outright goes before what an identifier joins, which has to fit to it.
        let mut called: VecDeque<Next> = VecDeque::new();
        while let Some(Next { entity, sense, reached, is_end }) = next.pop_front().or_else(|| called.pop_front()) {
            let is_new = !aliases.reached.contains_key(&entity);
            if !is_new && (entity.token().is_none() || !meant.insert((entity.clone(), sense.clone()))) {
                continue;
            }
            if is_new && aliases.reached.len() == ALIASES_MAX {
                aliases.is_cut = true;
                break;
            }
            // If rules join everything, whoever is meant among some accounts is meant among all.
            let is_expanded = rules.join_everything() && expanded.contains(&entity);
            let steps = match is_end {
                true => Vec::new(),
                false => self.steps_from(&entity, &sense, reached.step.as_ref(), is_expanded, &rules, asked)?,
            };
            if entity.token().is_some() && !matches!(sense, Sense::Outside(..)) {
                expanded.insert(entity.clone());
            }
            let divided = self.divided(&sense, &steps, asked)?;
            // Whom an address joins, records may tell apart: one may have had it before the other.
            let is_joined = entity.token().is_some() && sense != Sense::Named;
            for (step, sense) in steps {
                if is_joined && self.is_somebody_else(&step.to, &aliases, asked)? {
                    continue;
                }
                let mut records = reached.records.clone();
                records.insert(step.record);
                let mut via = reached.rules.clone();
                via.extend(step.rule.clone().filter(|rule| !via.contains(rule)));
                let (entity, is_end) = (step.to.clone(), divided.contains(&step.to));
                let reached = Reached { step: Some(step), records, rules: via };
                let queue = if entity.token().is_some() { &mut called } else { &mut next };
                queue.push_back(Next { entity, sense, reached, is_end });
            }
            if !is_new {
                continue;
            }
            // Where a rule has to join two systems, that both know an address joins nobody.
            let stands = entity.token().is_none() || matches!(sense, Sense::Named) || rules.join_everything();
            if entity.token().is_some() {
                meant.insert((entity.clone(), sense));
            }
            if stands {
                aliases.entities.insert(entity.clone());
            }
            aliases.reached.insert(entity, reached);
        }
        Ok(aliases)
    }

    /// Those whom an identifier that the question names means, and whom records tell apart: it means each of them, and
    /// none of what else is theirs.
    fn divided(
        &mut self,
        sense: &Sense,
        steps: &[(Rc<Step>, Sense)],
        asked: &mut Asked,
    ) -> Result<BTreeSet<EntityId>, T::Error> {
        let mut divided = BTreeSet::new();
        for (number, (one, _)) in steps.iter().enumerate().filter(|_| *sense == Sense::Named) {
            for (other, _) in &steps[..number] {
                if one.from.token().is_some() && self.are_two(&one.to, &other.to, asked)? {
                    divided.extend([one.to.clone(), other.to.clone()]);
                }
            }
        }
        Ok(divided)
    }

    /// Whether an entity is not the same as one of those that stand for the same one.
    fn is_somebody_else(&mut self, entity: &EntityId, aliases: &Aliases, asked: &mut Asked) -> Result<bool, T::Error> {
        for one in aliases.reached.keys().filter(|one| one.token().is_none() && *one != entity) {
            if self.are_two(one, entity, asked)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entities one step away, and in which sense each is meant.
    fn steps_from(
        &mut self,
        entity: &EntityId,
        sense: &Sense,
        before: Option<&Rc<Step>>,
        is_expanded: bool,
        rules: &MatchingRules,
        asked: &mut Asked,
    ) -> Result<Vec<(Rc<Step>, Sense)>, T::Error> {
        let mut steps = Vec::new();
        let mut add = |to: EntityId, record, rule: Option<&Rc<MatchingRule>>, sense| {
            let (rule, before) = (rule.cloned(), before.cloned());
            steps.push((Rc::new(Step { from: entity.clone(), to, record, rule, before }), sense));
        };
        match entity.token() {
            Some(_) if is_expanded => {}
            Some(token) => {
                for (meant, record) in self.meant_by(&token, *sense == Sense::Named, asked)? {
                    let here = (meant.system(), meant.instance());
                    let rule = match sense {
                        Sense::In(system, instance) if (system.as_str(), instance.as_str()) != here => {
                            let Some(rule) = rules.joining(system, here.0) else { continue };
                            Some(rule)
                        }
                        Sense::Outside(system, instance) if (system.as_str(), instance.as_str()) == here => continue,
                        _ => None,
                    };
                    let sense = Sense::of(&meant);
                    add(meant, record, rule, sense);
                }
            }
            None => {
                let (identifiers, known) = (self.identifiers(entity)?, asked.known);
                for (token, _) in identifiers.iter().filter(|(_, first)| first.0 < known.0) {
                    let mut meant = self.meant_by(token, false, asked)?.into_iter();
                    if let Some((_, record)) = meant.find(|(meant, _)| meant == entity) {
                        add(EntityId::identifier(token), record, None, Sense::of(entity));
                    }
                }
            }
        }
        for (to, record, sense) in self.links_from(entity, sense, asked)? {
            add(to, record, None, sense);
        }
        Ok(steps)
    }

    /// Whom an entity is linked with, by which record, and in which sense an identifier is meant.
    fn links_from(
        &mut self,
        entity: &EntityId,
        sense: &Sense,
        asked: &mut Asked,
    ) -> Result<Vec<(EntityId, u64, Sense)>, T::Error> {
        if !matches!(entity.kind(), EntityKind::Account | EntityKind::Person | EntityKind::Identifier) {
            return Ok(Vec::new());
        }
        let linked = self.traits_at(entity, asked)?.map(|state| state.linked).unwrap_or_default();
        let contradicted = contested(entity, &linked);
        let mut links = Vec::new();
        for link in linked.values().filter(|link| !contradicted.contains(link)) {
            let Ok(other) = link.counterpart.parse::<EntityId>() else { continue };
            if entity.token().is_some() && !is_meant(sense, link, &other) || self.is_contested(entity, &other, asked)? {
                continue;
            }
            let sense = match (other.token(), link.system.is_empty()) {
                (None, _) => Sense::of(&other),
                (Some(_), true) => Sense::Outside(entity.system().to_owned(), entity.instance().to_owned()),
                (Some(_), false) => Sense::In(link.system.clone(), link.instance.clone()),
            };
            links.push((other, link.evidence.index, sense));
        }
        Ok(links)
    }

    /// Whether records contradict each other about a link, seen from its other end.
    pub fn is_contested(&mut self, entity: &EntityId, other: &EntityId, asked: &mut Asked) -> Result<bool, T::Error> {
        if !matches!(entity.kind(), EntityKind::Account | EntityKind::Person) {
            return Ok(false);
        }
        let linked = self.traits_at(other, asked)?.map(|state| state.linked).unwrap_or_default();
        let id = entity.to_text();
        Ok(contested(other, &linked).iter().any(|link| link.counterpart == id))
    }

    /// The tickets that may be for somebody: those for any of the entities that stand for them, and those for an
    /// identifier that they once had.
    pub fn tickets_for(&mut self, aliases: &Aliases, known: TreeSize) -> Result<Rc<[EntityId]>, T::Error> {
        if let Some(tickets) = aliases.tickets.get() {
            return Ok(tickets.clone());
        }
        let mut asked = aliases.entities.clone();
        for entity in &aliases.entities {
            let had = self.identifiers(entity)?;
            let had = had.iter().filter(|(_, first)| first.0 < known.0);
            asked.extend(had.map(|(token, _)| EntityId::identifier(token)));
        }
        let mut tickets = BTreeSet::new();
        for entity in &asked {
            tickets.extend(self.requests(entity)?.iter().cloned());
        }
        Ok(aliases.tickets.get_or_init(|| tickets.into_iter().collect()).clone())
    }
}

/// Whether a link of an identifier is one of whom the identifier means in this sense.
fn is_meant(sense: &Sense, link: &LinkState, other: &EntityId) -> bool {
    let is = |system: &str, instance: &str| (link.system.as_str(), link.instance.as_str()) == (system, instance);
    match sense {
        Sense::Named => true,
        Sense::In(system, instance) if link.system.is_empty() => {
            (other.system(), other.instance()) != (system.as_str(), instance.as_str())
        }
        Sense::In(system, instance) => is(system, instance),
        Sense::Outside(..) => false,
    }
}
