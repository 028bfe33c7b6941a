//! What is known of the accesses that a listing has, or would have.
//!
//! Owns the way from an item to what the log says about it: by the ids and tokens of the item itself, by whoever else that
//! is, or through a group that implies it. It judges nothing: `verify::reconcile` does.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{AccountStatus, EntityKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::{Inheritance, Item, ItemKey, Listing};
use counterfoil_verify::people::Traits as _;
use counterfoil_verify::reconcile::{Access, Known, Taken, account, credential, grants};
use counterfoil_verify::replay::{FactAt, grant_keys};
use counterfoil_verify::scope::{Coverage, Covered};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use crate::answers::Query;
use crate::answers::judge::Judge;
use crate::error::Result;
use crate::views::deltas::{self, Delta};
use crate::views::keys::{Position, entity_prefix};
use crate::views::{names, traits};

/// What is known of a listing's accesses, and the records that it rests on.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) known: BTreeMap<ItemKey, (Item, Known)>,
    pub(crate) records: BTreeMap<ItemKey, BTreeSet<u64>>,
}

/// What the log says about one access around a listing.
struct Traced {
    subject: EntityId,
    object: Option<EntityId>,
    scope: String,
    access: Access,
    /// The fact that gave it.
    given_by: Option<(Position, Rc<Delta>)>,
    /// An item stands for it, so that it is not missing.
    is_matched: bool,
}

/// Facts in their order.
type Facts = Vec<(Position, Rc<Delta>)>;

/// The place of one in the list of all that were traced.
type Found = usize;

/// Gathers for one listing.
pub(crate) struct Gatherer<'g, 'q, 'a> {
    query: &'q Query<'a>,
    judge: &'g mut Judge<'q, 'a>,
    taken: Taken,
    size: TreeSize,
    traced: Vec<Traced>,
    /// Whose grants were traced, and which accounts.
    entities: HashSet<EntityId>,
    accounts: HashSet<EntityId>,
    /// By whose they are and what: a log may name a scope where the listing names none.
    index: HashMap<ItemKey, Vec<Found>>,
    /// The entitlements through which somebody has another, in the order of the text of their ids.
    implying: HashMap<EntityId, Rc<[EntityId]>>,
}

impl<'g, 'q, 'a> Gatherer<'g, 'q, 'a> {
    pub(crate) fn new(query: &'q Query<'a>, judge: &'g mut Judge<'q, 'a>, taken: Taken, size: TreeSize) -> Self {
        let (entities, accounts) = (HashSet::new(), HashSet::new());
        let (traced, index, implying) = (Vec::new(), HashMap::new(), HashMap::new());
        Self { query, judge, taken, size, traced, entities, accounts, index, implying }
    }

    /// Everything that is known of the items of `listing`, and of what else `coverage` covers.
    pub(crate) fn gather(mut self, coverage: &Coverage, place: (&str, &str), listing: &Listing) -> Result<Gathered> {
        for part in coverage.parts() {
            self.trace_part(part, place)?;
        }
        let mut gathered = Gathered::default();
        for (key, item) in listing.items() {
            let own = self.find(item)?;
            if let Some(found) = own {
                self.traced[found].is_matched = true;
            }
            // What was taken away may still be held through a group.
            let is_held = own.is_some_and(|found| self.traced[found].access.held.is_some());
            let inherited = if is_held { None } else { self.inherited(item)? };
            if let Some(found) = inherited.or(own) {
                self.add(&mut gathered, key, item.clone(), found)?;
            }
        }
        self.add_unlisted(coverage, listing, &mut gathered)?;
        Ok(gathered)
    }

    /// Reads what the log says about everything that a part of a coverage covers.
    fn trace_part(&mut self, part: &Covered, (system, instance): (&str, &str)) -> Result<()> {
        let of_kind = |kind, start: &str| names::of_kind(&self.query.view, kind, (system, instance), start, self.size);
        let one = |kind, id: &str| EntityId::new(kind, system, instance, id).into_iter().collect();
        let entities: Vec<EntityId> = match part {
            Covered::Holders(what) if what.ends_with('/') => of_kind(EntityKind::Entitlement, what)?,
            Covered::Holders(what) => one(EntityKind::Entitlement, what),
            Covered::Held(_, of) | Covered::AccountsOf(of) if of.ends_with('/') => of_kind(EntityKind::Account, of)?,
            Covered::Held(_, account) => one(EntityKind::Account, account),
            Covered::Accounts | Covered::AccountsOf(_) | Covered::Population(_) => of_kind(EntityKind::Account, "")?,
            Covered::Credentials(kind) => of_kind(EntityKind::Credential, kind)?,
            Covered::Within(_, part) => return self.trace_part(part, (system, instance)),
            Covered::Definitions(_) | Covered::Implying(_) | Covered::Implied(..) => return Ok(()),
        };
        match part {
            Covered::Accounts | Covered::AccountsOf(_) | Covered::Population(_) => {
                entities.iter().try_for_each(|account| self.trace_account(account))
            }
            _ => entities.iter().try_for_each(|entity| self.trace(entity)),
        }
    }

    /// Reads what the log says about whether an account can be used.
    fn trace_account(&mut self, entity: &EntityId) -> Result<()> {
        if !self.accounts.insert(entity.clone()) {
            return Ok(());
        }
        let late = OccurredAt(self.taken.late());
        let facts: Facts = self.judge.people.traits(entity)?.facts(late, self.size).cloned().collect();
        let access = account(&placed(&facts), &self.taken);
        self.keep((entity.clone(), None, String::new()), access, &facts);
        Ok(())
    }

    /// Reads what the log says about who holds an entitlement, what an account holds, or whether a credential can be used.
    fn trace(&mut self, entity: &EntityId) -> Result<()> {
        if !self.entities.insert(entity.clone()) {
            return Ok(());
        }
        let late = OccurredAt(self.taken.late());
        let facts: Facts = deltas::read_logged(&self.query.view, &entity_prefix(entity), late, self.size)?;
        let placed = placed(&facts);
        let accesses = match entity.kind() {
            // Whose it is, its latest fact says that names somebody.
            EntityKind::Credential => {
                let owner = placed.iter().rev().find_map(|fact| grant_keys(entity, fact).into_iter().next());
                owner.map(|owner| (owner, credential(&placed, &self.taken))).into_iter().collect()
            }
            _ => grants(entity, &placed, &self.taken),
        };
        self.traced.reserve(accesses.len());
        self.index.reserve(accesses.len());
        for (key, access) in accesses {
            let (counterpart, scope) = key.split_once(' ').unwrap_or((&key, ""));
            let (subject, object) = match (entity.kind(), counterpart.parse::<EntityId>()) {
                (EntityKind::Entitlement | EntityKind::Credential, Ok(holder)) => (holder, Some(entity.clone())),
                (_, counterpart) => (entity.clone(), counterpart.ok()),
            };
            self.keep((subject, object, scope.to_owned()), access, &facts);
        }
        Ok(())
    }

    /// Keeps what was traced, with the fact that gave it, to be found by whose it is and what.
    fn keep(&mut self, (subject, object, scope): (EntityId, Option<EntityId>, String), access: Access, facts: &Facts) {
        let given_by = access.given_by().and_then(|by| {
            let at = facts.binary_search_by_key(&by.order(), |(position, _)| *position).ok()?;
            Some(facts[at].clone())
        });
        let key = ItemKey::new(&subject, object.as_ref(), "");
        self.index.entry(key).or_default().push(self.traced.len());
        self.traced.push(Traced { subject, object, scope, access, given_by, is_matched: false });
    }

    /// What the log says about an item, under any of the names that it has itself, or else of whoever that is.
    fn find(&mut self, item: &Item) -> Result<Option<Found>> {
        let mut names = vec![item.subject.clone()];
        names.extend(item.tokens.iter().map(EntityId::identifier));
        let found = self.best(names.iter(), item);
        if found.is_some() || item.object.is_none() {
            return Ok(found);
        }
        let aliases = self.judge.people.aliases(names, OccurredAt(self.taken.to), self.size)?;
        Ok(self.best(aliases.entities().iter(), item))
    }

    /// Of several that fit, one that is held.
    fn best<'e>(&self, names: impl Iterator<Item = &'e EntityId>, item: &Item) -> Option<Found> {
        let fits = |found: &&Found| {
            let scope = &self.traced[**found].scope;
            scope.is_empty() || item.scope.is_empty() || *scope == item.scope
        };
        let rank = |found: &&Found| {
            let access = &self.traced[**found].access;
            (access.held.is_some(), access.before.is_some(), access.revoked.is_some())
        };
        let found = names.flat_map(|name| self.of(name, item.object.as_ref())).filter(fits).max_by_key(rank)?;
        (rank(&found) != (false, false, false)).then_some(*found)
    }

    fn of(&self, subject: &EntityId, object: Option<&EntityId>) -> &[Found] {
        self.index.get(&ItemKey::new(subject, object, "")).map_or(&[], Vec::as_slice)
    }

    /// The grant of a group, say, through which the subject has what the item says: in the log, and implying it. It
    /// explains nothing that is held by itself as well.
    fn inherited(&mut self, item: &Item) -> Result<Option<Found>> {
        let may_be = item.is_live() && item.inheritance != Inheritance::Direct;
        let Some(object) = item.object.as_ref().filter(|_| may_be) else { return Ok(None) };
        for group in &*self.implying(object)? {
            let held = self.of(&item.subject, Some(group));
            let held = held.iter().find(|found| self.traced[**found].access.held.is_some());
            if let Some(found) = held {
                return Ok(Some(*found));
            }
        }
        Ok(None)
    }

    /// The entitlements that imply one around the listing. Who holds them is traced.
    fn implying(&mut self, implied: &EntityId) -> Result<Rc<[EntityId]>> {
        if let Some(implying) = self.implying.get(implied) {
            return Ok(implying.clone());
        }
        let (late, text) = (OccurredAt(self.taken.late()), implied.to_string());
        let mut implying = Vec::new();
        for entitlement in traits::implying(&self.query.view, implied)? {
            if self.judge.people.traits(&entitlement)?.at(late, self.size).implies_anywhere(&text) {
                self.trace(&entitlement)?;
                implying.push(entitlement);
            }
        }
        implying.sort_by_cached_key(EntityId::to_string);
        let implying: Rc<[EntityId]> = implying.into();
        self.implying.insert(implied.clone(), implying.clone());
        Ok(implying)
    }

    /// What the log says is held, that no item stands for, and that a complete listing would have.
    fn add_unlisted(&mut self, coverage: &Coverage, listing: &Listing, gathered: &mut Gathered) -> Result<()> {
        let is_unlisted = |one: &Traced| {
            let is_covered = || coverage.covers(&one.subject, one.object.as_ref(), &one.scope);
            one.access.held.is_some() && !one.is_matched && is_covered()
        };
        let unlisted: Vec<Found> = (0..self.traced.len()).filter(|found| is_unlisted(&self.traced[*found])).collect();
        if unlisted.is_empty() {
            return Ok(());
        }
        // Tokens say as much as ids who is listed.
        let mut listed: HashSet<ItemKey> = HashSet::new();
        for (_, item) in listing.items() {
            let tokens = item.tokens.iter().map(EntityId::identifier);
            let names = [item.subject.clone()].into_iter().chain(tokens);
            listed.extend(names.map(|name| ItemKey::new(&name, item.object.as_ref(), "")));
        }
        for found in unlisted {
            let Traced { subject, object, scope, .. } = &self.traced[found];
            let (subject, object, scope) = (subject.clone(), object.clone(), scope.clone());
            let aliases = self.judge.people.aliases(vec![subject.clone()], OccurredAt(self.taken.to), self.size)?;
            if aliases.entities().iter().any(|alias| listed.contains(&ItemKey::new(alias, object.as_ref(), ""))) {
                continue;
            }
            let (status, inheritance) = (AccountStatus::Unspecified, Inheritance::Unsaid);
            let item = Item { subject, object, scope, status, inheritance, tokens: Vec::new() };
            self.add(gathered, &item.key(), item, found)?;
        }
        Ok(())
    }

    /// Adds what is known of an item: what the log says, and what the approvals say about that.
    fn add(&mut self, gathered: &mut Gathered, key: &ItemKey, item: Item, found: Found) -> Result<()> {
        let Traced { access, given_by, .. } = &self.traced[found];
        let mut records: BTreeSet<u64> = access.revoked.iter().map(|by| by.index).collect();
        let mut known = Known { access: access.clone(), ..Known::default() };
        if let Some((position, delta)) = given_by {
            let cover = self.judge.cover(&delta.at(*position), delta.delivery(), self.size)?;
            known.approval = cover.approval;
            records.extend(cover.records);
        }
        gathered.records.insert(key.clone(), records);
        gathered.known.insert(key.clone(), (item, known));
        Ok(())
    }
}

fn placed(facts: &Facts) -> Vec<FactAt<'_>> {
    facts.iter().map(|(position, delta)| delta.at(*position)).collect()
}
