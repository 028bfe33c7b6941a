//! What the last complete listings saw of an entity, beside what the log says.
//!
//! Owns which listings could have seen it, and where they differ from the replayed state. It changes nothing of that
//! state: a listing never rewrites history.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{AccountStatus, Confidence, EntityKind, ListingSight};
use counterfoil_verify::entity::{EntityId, kind_name};
use counterfoil_verify::listing::{Item, ItemKey};
use counterfoil_verify::scope::Coverage;
use counterfoil_verify::state::{AccountState, EndState, State};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, is_lapsed, optional_timestamp};
use crate::error::Result;
use crate::views::{listed, names, sources};

/// Somebody who may have been listed, and what with; none for the account itself.
type Candidate = (EntityId, Option<EntityId>);

impl Query<'_> {
    /// What the last complete listings by `at` saw of an account or an entitlement.
    pub(crate) fn sights(
        &self,
        entity: &EntityId,
        state: &State,
        at: OccurredAt,
        known: TreeSize,
    ) -> Result<Vec<ListingSight>> {
        // Where nothing was ever listed, a state costs what it costs without listings.
        if !listed::may_be_listed(entity) || !self.has_listings(entity)? {
            return Ok(Vec::new());
        }
        let candidates = self.candidates_of(entity, state, at, known)?;
        let place = (entity.system(), entity.instance());
        let mut newest: BTreeMap<&Candidate, (EndState, Option<EndState>, Option<Item>)> = BTreeMap::new();
        for scope in names::of_kind(&self.view, EntityKind::SnapshotScope, place, "", known)? {
            let Some(coverage) = Coverage::of(&scope) else { continue };
            let covered: Vec<&Candidate> =
                candidates.iter().filter(|(subject, object)| coverage.covers(subject, object.as_ref())).collect();
            if covered.is_empty() {
                continue;
            }
            let Some(listings) = self.replayed(&scope, at, known)?.listings else { continue };
            let Some(end) = listings.complete else { continue };
            let Some(listing) = self.listing(&end)? else { continue };
            for candidate in covered {
                let is_newer =
                    newest.get(candidate).is_none_or(|(held, ..)| held.evidence.order() < end.evidence.order());
                if is_newer {
                    let (subject, object) = candidate;
                    let item = listing.get(&ItemKey::new(subject, object.as_ref(), "")).cloned();
                    newest.insert(candidate, (end.clone(), listings.complete_before.clone(), item));
                }
            }
        }
        let parties = self.parties(known);
        let sight = |(candidate, (end, before, item)): (&Candidate, (EndState, Option<EndState>, Option<Item>))| {
            let (subject, object) = candidate;
            let counterpart = if subject == entity { object.as_ref() } else { Some(subject) };
            let is_live = item.as_ref().is_some_and(Item::is_live);
            let is_held = match counterpart {
                Some(counterpart) => is_held(state, counterpart, at),
                None => is_usable(state.account.as_ref()),
            };
            Ok(ListingSight {
                party: counterpart.map(|counterpart| parties.party(counterpart)).transpose()?,
                present: item.is_some(),
                status: item.map_or(AccountStatus::Unspecified, |item| item.status).into(),
                as_of: optional_timestamp(&end.as_of),
                end: Some(evidence(&end.evidence)),
                before: before.map(|before| evidence(&before.evidence)),
                differs: is_live != is_held,
            })
        };
        newest.into_iter().map(sight).collect()
    }

    /// Whether anything was ever listed where an entity is.
    fn has_listings(&self, entity: &EntityId) -> Result<bool> {
        let scopes = kind_name(EntityKind::SnapshotScope);
        let mut objects = sources::objects(&self.view)?.into_keys();
        Ok(objects.any(|(system, instance, kind)| {
            (system.as_str(), instance.as_str(), kind.as_str()) == (entity.system(), entity.instance(), scopes)
        }))
    }

    /// Whatever the state says is held, and whatever a listing ever saw.
    fn candidates_of(
        &self,
        entity: &EntityId,
        state: &State,
        at: OccurredAt,
        known: TreeSize,
    ) -> Result<BTreeSet<Candidate>> {
        let pair = |counterpart: EntityId| match entity.kind() {
            EntityKind::Account => (entity.clone(), Some(counterpart)),
            _ => (counterpart, Some(entity.clone())),
        };
        let held = state.grants.values().filter_map(|grant| grant.counterpart.parse().ok());
        let seen = listed::with(&self.view, entity, at, known)?;
        let mut candidates: BTreeSet<Candidate> = held.chain(seen).map(pair).collect();
        if entity.kind() == EntityKind::Account {
            candidates.insert((entity.clone(), None));
        }
        Ok(candidates)
    }
}

/// Whether the log says that it holds something, and that has not run out.
fn is_held(state: &State, counterpart: &EntityId, at: OccurredAt) -> bool {
    let counterpart = counterpart.to_string();
    state.grants.values().filter(|grant| grant.counterpart == counterpart).any(|grant| {
        let expires_at = grant.grant.as_ref().and_then(|grant| grant.expires_at);
        grant.confidence() != Confidence::Snapshot && !is_lapsed(&expires_at, at)
    })
}

/// Whether an account was created or switched on, and not switched off since, as far as anything but a listing says.
fn is_usable(account: Option<&AccountState>) -> bool {
    let on = [AccountStatus::Created, AccountStatus::Enabled];
    account.is_some_and(|account| on.contains(&account.status()))
}
