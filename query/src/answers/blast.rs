//! How far somebody, or something, reaches: what it can do to others, and what it has done.
//!
//! Owns what is counted and by what, and the risk tier: from capabilities, never from a label. Whoever could be reached by
//! using a capability is not guessed at. It judges nothing of what was done.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AssumedRole, Capability, EntityKind, FactKind, GetBlastRadiusResponse, HeldCapability, ObjectCount, Outcome, Party,
    PastAction, ReachedSystem, Record, Ref,
};
use counterfoil_verify::capability::{Meaning, TABLE_VERSION, meaning, tier};
use counterfoil_verify::effective::{Access, Effective, Session};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::Role;
use counterfoil_verify::replay::{facts_of, named};
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::access::key;
use crate::answers::convert::{evidence, timestamp};
use crate::answers::graph::{BEST, Graph};
use crate::answers::parties::Parties;
use crate::answers::{Period, Query};
use crate::error::Result;
use crate::views::histories;
use crate::views::keys::Position;

/// The most entitlements and accounts that are listed; all are counted.
const REACHED_MAX: usize = 1_000;
/// The most accesses that are named for one capability; all are counted.
const GIVING_MAX: usize = 10;
/// The most facts of a history that are looked at for what was done, the latest.
const PAST_MAX: usize = 10_000;
/// What was done in so many seconds counts where no window is given.
const PAST_SECONDS: i64 = 90 * 86_400;

/// What was done in a window.
#[derive(Default)]
struct Past {
    actions: BTreeMap<i32, PastAction>,
    /// By the role, where sessions of it were seen: how many, and the last of them.
    assumed: BTreeMap<EntityId, (u64, Evidence)>,
    sessions: Vec<Session>,
    is_cut: bool,
}

/// What is reached in one system.
#[derive(Default)]
struct Reached {
    by_type: BTreeMap<String, u64>,
    accounts: u64,
    unknown: u64,
}

/// What is reached at all.
#[derive(Default)]
struct Gathered<'w> {
    systems: BTreeMap<(String, String), Reached>,
    capabilities: BTreeMap<Capability, Vec<Access<'w>>>,
    by_key: BTreeMap<String, Access<'w>>,
    has_unknown: bool,
}

impl Query<'_> {
    /// How far an identity reaches at a moment: what it holds and could act as, what that lets it do to others, and what it
    /// did from `past_from` on.
    pub fn blast_radius(
        &self,
        entity: &EntityId,
        at: OccurredAt,
        known: Option<RecordedAt>,
        past_from: Option<OccurredAt>,
    ) -> Result<GetBlastRadiusResponse> {
        let size = self.known_size(known)?;
        let graph = Graph::new(self, at, size);
        let starts = graph.stands_for(entity)?;
        let from = past_from.unwrap_or(OccurredAt(at.0.plus_seconds(-PAST_SECONDS)));
        // What a credential did is told of it alone, and not of all else that its owner has.
        let own = if entity.kind() == EntityKind::Credential { &starts[..1] } else { &starts };
        let past = self.past(own, Period { from, to: at }, size)?;
        let made = graph.effective_with(&starts, &past.sessions, BEST)?;
        let gathered = Gathered::of(&made);
        let parties = self.parties(size);
        let capabilities = gathered.capabilities.iter().map(|(capability, by)| {
            let named = by.iter().take(GIVING_MAX).map(|access| parties.access(access, false));
            let (capability, count) = ((*capability).into(), by.len() as u64);
            Ok(HeldCapability { capability, by: named.collect::<Result<_>>()?, count })
        });
        let reached = gathered.by_key.values().take(REACHED_MAX);
        let reached = reached.map(|access| parties.reached(access.entity(), access.scope(), access.cost()));
        Ok(GetBlastRadiusResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            entity: Some(parties.party(entity)?),
            known: histories::is_known(&self.view, entity, at, size)?,
            principals: made.principals.iter().map(|one| parties.principal(one, at)).collect::<Result<_>>()?,
            tier: tier(gathered.capabilities.keys().copied(), gathered.has_unknown).into(),
            table_version: TABLE_VERSION,
            capabilities: capabilities.collect::<Result<_>>()?,
            reached: reached.collect::<Result<_>>()?,
            reached_count: gathered.by_key.len() as u64,
            systems: gathered.systems.into_iter().map(|(place, reached)| reached.message(place)).collect(),
            assumed: past.assumed.iter().map(|(role, seen)| parties.assumed(role, seen)).collect::<Result<_>>()?,
            past: past.actions.into_values().collect(),
            past_from: Some(timestamp(from.0)),
            cut: made.is_cut,
            past_cut: past.is_cut,
        })
    }

    /// What these did themselves, and what was done with them; and the roles that they were seen in sessions of.
    fn past(&self, own: &[EntityId], period: Period, size: TreeSize) -> Result<Past> {
        let mut past = Past::default();
        let mut places: BTreeMap<Position, Vec<&EntityId>> = BTreeMap::new();
        let did = 1 << Role::Actor as u8 | 1 << Role::Via as u8;
        for entity in own {
            let rows = histories::latest(&self.view, entity, (period.from, period.to), size)?;
            for (count, row) in rows.enumerate() {
                let (position, roles) = row?;
                if count == PAST_MAX {
                    past.is_cut = true;
                    break;
                }
                if roles & did != 0 {
                    places.entry(position).or_default().push(entity);
                }
            }
        }
        let mut record: Option<Record> = None;
        for (position, entities) in places {
            let held = record.take().filter(|record| record.index == position.2.0);
            let read = held.map_or_else(|| self.read_record(position.2), Ok)?;
            past.add(&read, position, &entities);
            record = Some(read);
        }
        Ok(past)
    }
}

impl Past {
    fn add(&mut self, record: &Record, position: Position, entities: &[&EntityId]) {
        let Some(at) = facts_of(record).find(|fact| fact.evidence.fact == position.3) else { return };
        let fact = at.fact;
        let is = |reference: &Option<Ref>| {
            let named = reference.iter().flat_map(|reference| named(reference, at.source));
            named.into_iter().any(|named| entities.contains(&&named))
        };
        let is_success = fact.outcome() == Outcome::Success;
        if is(&fact.actor) || is(&fact.via) {
            let action = self.actions.entry(fact.kind).or_default();
            let happened = Some(timestamp(position.0.0));
            action.kind = fact.kind;
            action.first_at = action.first_at.or(happened);
            action.last_at = happened;
            *(if is_success { &mut action.succeeded } else { &mut action.failed }) += 1;
        }
        if fact.kind() != FactKind::SessionAssumed || !is_success {
            return;
        }
        for role in fact.object.iter().flat_map(|role| named(role, at.source)) {
            let (count, last) = self.assumed.entry(role.clone()).or_insert((0, at.evidence));
            (*count, *last) = (*count + 1, at.evidence);
            if *count == 1 {
                let by = (*entities[0]).clone();
                self.sessions.push(Session { by, role, evidence: at.evidence });
            }
        }
    }
}

impl<'w> Gathered<'w> {
    fn of(made: &'w Effective) -> Self {
        let mut gathered = Self::default();
        let mut seen: BTreeSet<&EntityId> = BTreeSet::new();
        for access in made.accesses() {
            let entity = access.entity();
            gathered.by_key.insert(key(entity, access.scope()), access);
            if let Meaning::Known(capabilities) = meaning(entity) {
                capabilities.iter().for_each(|one| gathered.capabilities.entry(*one).or_default().push(access));
            }
            if seen.insert(entity) {
                gathered.count(entity);
            }
        }
        for by in gathered.capabilities.values_mut() {
            by.sort_by_cached_key(|access| (*access.cost(), key(access.entity(), access.scope())));
        }
        gathered
    }

    fn count(&mut self, entity: &EntityId) {
        let reached = self.systems.entry((entity.system().to_owned(), entity.instance().to_owned())).or_default();
        if entity.kind() == EntityKind::Account {
            reached.accounts += 1;
            return;
        }
        let kind = entity.native_id().split_once('/').map_or("", |(kind, _)| kind);
        *reached.by_type.entry(kind.to_owned()).or_default() += 1;
        let is_unknown = meaning(entity) == Meaning::Unknown;
        reached.unknown += u64::from(is_unknown);
        self.has_unknown |= is_unknown;
    }
}

impl Reached {
    fn message(self, (system, instance): (String, String)) -> ReachedSystem {
        let entitlements = self.by_type.into_iter().map(|(kind, count)| ObjectCount { kind, count }).collect();
        ReachedSystem { system, instance, entitlements, accounts: self.accounts, unknown: self.unknown }
    }
}

impl Parties<'_, '_> {
    fn assumed(&self, role: &EntityId, (count, last): &(u64, Evidence)) -> Result<AssumedRole> {
        let role: Option<Shared<Party>> = Some(self.party(role)?);
        let last_at = Some(timestamp(last.occurred_at().0));
        Ok(AssumedRole { role, count: *count, last_at, evidence: Some(evidence(last)) })
    }
}
