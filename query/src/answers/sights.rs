//! What the last complete listings saw of an entity, beside what the log says.
//!
//! Owns which listings could have seen it, and where they differ from the replayed state. It changes nothing of that
//! state: a listing never rewrites history.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{AccountStatus, Confidence, CredentialStatus, EntityKind, ListingSight};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::listing::{Item, ItemKey};
use counterfoil_verify::scope::Coverage;
use counterfoil_verify::state::{AccountState, EndState, GrantState, State};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, is_lapsed, optional_timestamp};
use crate::error::Result;
use crate::views::timelines::Replayed;
use crate::views::{listed, names};

/// Somebody who may have been listed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    subject: EntityId,
    /// What with; none for the account itself.
    object: Option<EntityId>,
    /// Where it holds.
    scope: String,
}

impl Query<'_> {
    /// What the last complete listings by `at` saw of an account or an entitlement.
    pub(crate) fn sights(
        &self,
        entity: &EntityId,
        replayed: &Replayed,
        at: OccurredAt,
        known: TreeSize,
    ) -> Result<Vec<ListingSight>> {
        // Where nothing was ever listed, a state costs what it costs without listings.
        if !listed::may_be_listed(entity) || !self.has_listings(entity) {
            return Ok(Vec::new());
        }
        let state = &replayed.to_state();
        let candidates = self.candidates_of(entity, state, at, known)?;
        let place = (entity.system(), entity.instance());
        let mut newest: BTreeMap<&Candidate, (EndState, Option<EndState>, Option<Item>)> = BTreeMap::new();
        for scope in names::of_kind(&self.view, EntityKind::SnapshotScope, place, "", known)? {
            let Some(coverage) = Coverage::of(&scope) else { continue };
            let covered: Vec<&Candidate> = candidates
                .iter()
                .filter(|Candidate { subject, object, scope }| coverage.covers(subject, object.as_ref(), scope))
                .collect();
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
                    let Candidate { subject, object, scope } = candidate;
                    let item = listing.get(&ItemKey::new(subject, object.as_ref(), scope)).cloned();
                    newest.insert(candidate, (end.clone(), listings.complete_before.clone(), item));
                }
            }
        }
        let parties = self.parties(known);
        let sight = |(candidate, (end, before, item)): (&Candidate, (EndState, Option<EndState>, Option<Item>))| {
            let Candidate { subject, object, scope } = candidate;
            let counterpart = if subject == entity { object.as_ref() } else { Some(subject) };
            let is_live = item.as_ref().is_some_and(Item::is_live);
            let is_held = match counterpart {
                Some(counterpart) if counterpart.kind() == EntityKind::Credential => is_active(state, counterpart, at),
                Some(counterpart) => is_held(state, counterpart, scope, at),
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
                scope: scope.clone(),
            })
        };
        newest.into_iter().map(sight).collect()
    }

    /// Whether anything was ever listed where an entity is.
    fn has_listings(&self, entity: &EntityId) -> bool {
        let listed = &self.standing.listed;
        listed
            .iter()
            .any(|(system, instance)| (system.as_str(), instance.as_str()) == (entity.system(), entity.instance()))
    }

    /// Whatever the state says is held, and whatever a listing ever saw.
    fn candidates_of(
        &self,
        entity: &EntityId,
        state: &State,
        at: OccurredAt,
        known: TreeSize,
    ) -> Result<BTreeSet<Candidate>> {
        let pair = |counterpart: EntityId, scope: &str| {
            let (subject, object) = match entity.kind() {
                EntityKind::Account => (entity.clone(), counterpart),
                _ => (counterpart, entity.clone()),
            };
            Candidate { subject, object: Some(object), scope: scope.to_owned() }
        };
        let of_grant = |grant: &GrantState| Some(pair(grant.counterpart.parse().ok()?, &grant.scope));
        let mut candidates: BTreeSet<Candidate> = state.grants.values().filter_map(of_grant).collect();
        let seen = listed::with(&self.view, entity, at, known)?;
        candidates.extend(seen.into_iter().map(|(other, scope)| pair(other, &scope)));
        // A log may name no scope where the listing names one.
        let scoped: BTreeSet<(EntityId, Option<EntityId>)> = candidates
            .iter()
            .filter(|one| !one.scope.is_empty())
            .map(|one| (one.subject.clone(), one.object.clone()))
            .collect();
        candidates.retain(|one| !one.scope.is_empty() || !scoped.contains(&(one.subject.clone(), one.object.clone())));
        if entity.kind() == EntityKind::Account {
            candidates.insert(Candidate { subject: entity.clone(), object: None, scope: String::new() });
        }
        Ok(candidates)
    }
}

/// Whether the log says that it holds something, and that has not run out.
fn is_held(state: &State, counterpart: &EntityId, scope: &str, at: OccurredAt) -> bool {
    let counterpart = counterpart.to_string();
    let fits = |grant: &&GrantState| {
        grant.counterpart == counterpart && (grant.scope.is_empty() || scope.is_empty() || grant.scope == scope)
    };
    state.grants.values().filter(fits).any(|grant| {
        let expires_at = grant.grant.as_ref().and_then(|grant| grant.expires_at);
        grant.confidence() != Confidence::Snapshot && !is_lapsed(&expires_at, at)
    })
}

/// Whether the log says that a credential can be used.
fn is_active(state: &State, credential: &EntityId, at: OccurredAt) -> bool {
    let held = state.credentials.get(&credential.to_string());
    held.is_some_and(|held| held.status() == CredentialStatus::Active && !is_lapsed(&held.expires_at, at))
}

/// Whether an account was created or switched on, and not switched off since, as far as anything but a listing says.
fn is_usable(account: Option<&AccountState>) -> bool {
    let on = [AccountStatus::Created, AccountStatus::Enabled];
    account.is_some_and(|account| on.contains(&account.status()))
}
