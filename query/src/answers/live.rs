//! What is known of the accesses that a listing has, or would have.
//!
//! Owns the way from an item to what the log says about it: by the ids and tokens of the item itself, by whoever else that
//! is, or through a group that implies it. It judges nothing: `verify::reconcile` does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use counterfoil_proto::v1::{AccountStatus, Confidence, EntityKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::{Item, ItemKey, Listing};
use counterfoil_verify::reconcile::{Access, Known, Taken, account, credential, grants};
use counterfoil_verify::replay::{FactAt, grant_keys};
use counterfoil_verify::scope::{Coverage, Covered};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::explain::Cover;
use crate::error::Result;
use crate::views::deltas::{self, Delta};
use crate::views::keys::{FIRST, Position, entity_prefix};
use crate::views::names;

/// What is known of a listing's accesses, and the records that it rests on.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) known: BTreeMap<ItemKey, (Item, Known)>,
    pub(crate) records: BTreeMap<ItemKey, BTreeSet<u64>>,
}

/// What the log says about the grants of one entity around a listing.
struct Traced {
    deltas: Vec<(Position, Delta)>,
    accesses: BTreeMap<String, Access>,
}

/// An access as the log has it: the entity whose facts tell it, and its key there.
type Found = (EntityId, String);

/// Gathers for one listing.
pub(crate) struct Gatherer<'q, 'a> {
    query: &'q Query<'a>,
    taken: Taken,
    size: TreeSize,
    traced: HashMap<EntityId, Traced>,
    /// Keys of accesses by whose they are and what: a log may name a scope where the listing names none.
    index: HashMap<(String, String), Vec<Found>>,
    /// What was found for an item, so that it is not missing.
    matched: BTreeSet<Found>,
}

impl<'q, 'a> Gatherer<'q, 'a> {
    pub(crate) fn new(query: &'q Query<'a>, taken: Taken, size: TreeSize) -> Self {
        Self { query, taken, size, traced: HashMap::new(), index: HashMap::new(), matched: BTreeSet::new() }
    }

    /// Everything that is known of the items of `listing`, and of what else `coverage` covers.
    pub(crate) fn gather(mut self, coverage: &Coverage, place: (&str, &str), listing: &Listing) -> Result<Gathered> {
        for part in coverage.parts() {
            self.trace_part(part, place)?;
        }
        let mut gathered = Gathered::default();
        for (key, item) in listing.items() {
            if let Some(found) = self.find(item)? {
                let access = self.traced[&found.0].accesses[&found.1].clone();
                self.add(&mut gathered, key, item.clone(), &found.0, access)?;
                self.matched.insert(found);
            } else if let Some((entity, access)) = self.inherited(item)? {
                self.add(&mut gathered, key, item.clone(), &entity, access)?;
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
        entities.into_iter().try_for_each(|entity| self.trace(entity))
    }

    fn trace(&mut self, entity: EntityId) -> Result<()> {
        if self.traced.contains_key(&entity) {
            return Ok(());
        }
        let late = OccurredAt(self.taken.late());
        let deltas = deltas::read(&self.query.view, &entity_prefix(&entity), FIRST, late, self.size)?;
        let deltas = deltas.collect::<Result<Vec<_>>>()?;
        let facts: Vec<FactAt<'_>> = deltas.iter().map(|(position, delta)| delta.at(*position)).collect();
        let own = entity.to_string();
        let mut accesses = match entity.kind() {
            EntityKind::Credential => BTreeMap::new(),
            _ => grants(&entity, &facts, &self.taken),
        };
        match entity.kind() {
            EntityKind::Account => accesses.extend([(String::new(), account(&facts, &self.taken))]),
            // Whose it is, its latest fact says that names somebody.
            EntityKind::Credential => {
                let owner = facts.iter().rev().find_map(|fact| grant_keys(&entity, fact).into_iter().next());
                accesses.extend(owner.map(|owner| (owner, credential(&facts, &self.taken))));
            }
            _ => {}
        }
        for key in accesses.keys() {
            let (counterpart, _) = key.split_once(' ').unwrap_or((key, ""));
            let (subject, object) = match is_held(&entity) {
                true => (counterpart.to_owned(), own.clone()),
                false => (own.clone(), counterpart.to_owned()),
            };
            self.index.entry((subject, object)).or_default().push((entity.clone(), key.clone()));
        }
        self.traced.insert(entity, Traced { deltas, accesses });
        Ok(())
    }

    /// What the log says about an item, under any of the names that it has itself, or else of whoever that is.
    fn find(&self, item: &Item) -> Result<Option<Found>> {
        let mut names = vec![item.subject.clone()];
        names.extend(item.tokens.iter().map(EntityId::identifier));
        let found = self.best(names.iter(), item);
        if found.is_some() || item.object.is_none() {
            return Ok(found);
        }
        let aliases = self.query.aliases(names, OccurredAt(self.taken.to), self.size)?;
        Ok(self.best(aliases.entities(), item))
    }

    /// Of several that fit, one that is held.
    fn best<'e>(&self, names: impl Iterator<Item = &'e EntityId>, item: &Item) -> Option<Found> {
        let object = item.object.as_ref().map(EntityId::to_string).unwrap_or_default();
        let fits = |(_, key): &&Found| {
            let (_, scope) = key.split_once(' ').unwrap_or(("", ""));
            scope.is_empty() || item.scope.is_empty() || scope == item.scope
        };
        let of =
            |name: &EntityId| self.index.get(&(name.to_string(), object.clone())).into_iter().flatten().filter(fits);
        let rank = |found: &&Found| {
            let access = &self.traced[&found.0].accesses[&found.1];
            (access.held.is_some(), access.before.is_some(), access.revoked.is_some())
        };
        let found = names.flat_map(of).max_by_key(rank)?;
        (rank(&found) != (false, false, false)).then(|| found.clone())
    }

    /// The grant of a group, say, through which the subject has what the item says: in the log, and implying it.
    fn inherited(&mut self, item: &Item) -> Result<Option<(EntityId, Access)>> {
        let Some(object) = item.object.as_ref().filter(|_| item.is_live()) else { return Ok(None) };
        let late = OccurredAt(self.taken.late());
        let state = self.query.replayed(&item.subject, late, self.size)?;
        for held in state.grants.values().filter(|held| held.confidence() != Confidence::Snapshot) {
            let Ok(group) = held.counterpart.parse::<EntityId>() else { continue };
            let implied = self.query.replayed(&group, late, self.size)?.implies;
            if implied.contains_key(&object.to_string()) {
                self.trace(group.clone())?;
                let access = self.traced[&group].accesses.values().find(|access| access.held == Some(held.evidence));
                return Ok(access.cloned().map(|access| (group, access)));
            }
        }
        Ok(None)
    }

    /// What the log says is held, that no item stands for, and that a complete listing would have.
    fn add_unlisted(&self, coverage: &Coverage, listing: &Listing, gathered: &mut Gathered) -> Result<()> {
        // Tokens say as much as ids who is listed.
        let mut listed: BTreeSet<(EntityId, Option<&EntityId>)> = BTreeSet::new();
        for (_, item) in listing.items() {
            listed.insert((item.subject.clone(), item.object.as_ref()));
            listed.extend(item.tokens.iter().map(|token| (EntityId::identifier(token), item.object.as_ref())));
        }
        for (entity, traced) in &self.traced {
            let held = traced.accesses.iter().filter(|(_, access)| access.held.is_some());
            for (key, access) in held {
                let (counterpart, scope) = key.split_once(' ').unwrap_or((key, ""));
                let counterpart = counterpart.parse::<EntityId>().ok();
                let (subject, object) = match (is_held(entity), counterpart) {
                    (true, Some(holder)) => (holder, Some(entity.clone())),
                    (_, what) => (entity.clone(), what),
                };
                let is_matched = self.matched.contains(&(entity.clone(), key.clone()));
                if is_matched || !coverage.covers(&subject, object.as_ref(), scope) {
                    continue;
                }
                let aliases = self.query.aliases(vec![subject.clone()], OccurredAt(self.taken.to), self.size)?;
                if aliases.entities().any(|alias| listed.contains(&(alias.clone(), object.as_ref()))) {
                    continue;
                }
                let scope = scope.to_owned();
                let item = Item { subject, object, scope, status: AccountStatus::Unspecified, tokens: Vec::new() };
                self.add(gathered, &item.key(), item, entity, access.clone())?;
            }
        }
        Ok(())
    }

    /// Adds what is known of an item: what the log says, and what the approvals say about that.
    fn add(&self, gathered: &mut Gathered, key: &ItemKey, item: Item, entity: &EntityId, access: Access) -> Result<()> {
        let cover = access.given_by().map(|by| self.cover(entity, &by)).transpose()?.flatten();
        let mut records: BTreeSet<u64> = access.revoked.iter().map(|by| by.index).collect();
        let mut known = Known { access, ..Known::default() };
        if let Some(cover) = cover {
            known.approval = cover.approval;
            records.extend(cover.records);
        }
        gathered.records.insert(key.clone(), records);
        gathered.known.insert(key.clone(), (item, known));
        Ok(())
    }

    fn cover(&self, entity: &EntityId, by: &Evidence) -> Result<Option<Cover>> {
        let deltas = &self.traced[entity].deltas;
        let Ok(at) = deltas.binary_search_by_key(&by.order(), |(position, _)| *position) else { return Ok(None) };
        let (position, delta) = &deltas[at];
        self.query.cover(&delta.at(*position), delta.delivery(), self.size).map(Some)
    }
}

/// Whether an entity is what somebody holds, rather than who holds it.
fn is_held(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Entitlement | EntityKind::Credential)
}
