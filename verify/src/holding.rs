//! Holdings: from which fact on, and up to which, somebody had an access.
//!
//! Owns the way from the facts about one holder to the times in which each access was held, and what that comes to at a
//! moment. It is a function of facts; it never decides what a fact does (`replay` does) and looks nothing up.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{AccessStanding, AccountStatus, Confidence, CredentialStatus, FactKind};

use crate::entity::EntityId;
use crate::fact::{Group, kind_group};
use crate::replay::{FactAt, apply, grant_keys};
use crate::state::{Evidence, GrantState, State};
use crate::time::{Moment, OccurredAt};

/// A time in which one access was held without a break.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The fact that made it what it last was: gave it, gave it again, modified it, or saw it.
    pub given: Evidence,
    /// A listing saw it, and no log gives it.
    pub is_seen_only: bool,
    /// When it runs out by itself.
    pub expires_at: Option<Moment>,
    /// Where it holds, in the source's own id.
    pub scope: String,
    /// What it is of, in text form.
    pub counterpart: String,
    /// The fact that took it away.
    pub ended: Option<Evidence>,
    /// The records of the facts that made it this, in their order: whoever replays them finds it again.
    pub records: Vec<u64>,
}

/// What one access came to at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Whether it was held.
    pub standing: AccessStanding,
    /// When it runs out by itself.
    pub expires_at: Option<Moment>,
    /// The fact that it rests on; none where nothing gives it.
    pub evidence: Option<Evidence>,
    /// The records of the facts that made it this, in their order.
    pub records: Vec<u64>,
}

impl Standing {
    /// That of what no record gives.
    pub const NEVER: Self =
        Self { standing: AccessStanding::NeverGiven, expires_at: None, evidence: None, records: Vec::new() };
}

impl Holding {
    fn begun(grant: &GrantState, records: Vec<u64>) -> Self {
        Self {
            given: grant.evidence,
            is_seen_only: grant.confidence() == Confidence::Snapshot,
            expires_at: grant.grant.as_ref().and_then(|grant| grant.expires_at.as_ref()).map(Moment::of),
            scope: grant.scope.clone(),
            counterpart: grant.counterpart.clone(),
            ended: None,
            records,
        }
    }

    /// What it comes to at a moment up to which its facts were read.
    pub fn standing(&self, at: OccurredAt) -> Standing {
        let has_lapsed = self.expires_at.is_some_and(|end| end <= at.0);
        let standing = match self.ended {
            Some(_) => AccessStanding::Removed,
            None if has_lapsed => AccessStanding::Lapsed,
            None if self.is_seen_only => AccessStanding::SeenOnly,
            None => AccessStanding::Held,
        };
        let evidence = Some(self.ended.unwrap_or(self.given));
        Standing { standing, expires_at: self.expires_at, evidence, records: self.records.clone() }
    }
}

/// What an entity held, or who held it, of what is wanted: by the keys of [`State::grants`], each time after the other.
/// Facts come in the order of replay; `is_wanted` is asked about the other side in text form.
pub fn holdings(
    entity: &EntityId,
    facts: &[FactAt<'_>],
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, Vec<Holding>> {
    let mut state = State::default();
    let mut held: BTreeMap<String, Vec<Holding>> = BTreeMap::new();
    for fact in facts {
        let is_listing = kind_group(fact.fact.kind()) == Group::Snapshot;
        if kind_group(fact.fact.kind()) != Group::Grant && !is_listing {
            continue;
        }
        let mut touched: Vec<String> =
            grant_keys(entity, fact).into_iter().filter(|key| is_wanted(other(key))).collect();
        // The own item of a whole version takes away what was only seen before it.
        if is_listing && fact.fact.object.is_none() {
            touched.extend(state.grants.keys().cloned());
        } else if touched.is_empty() {
            continue;
        }
        apply(&mut state, entity, fact);
        state.grants.retain(|key, _| is_wanted(other(key)));
        for key in touched {
            let times = held.entry(key.clone()).or_default();
            let open = times.last_mut().filter(|last| last.ended.is_none());
            let index = fact.evidence.index;
            match (state.grants.get(&key), open) {
                (Some(grant), Some(open)) if open.given != grant.evidence => {
                    // What a modification leaves out, earlier facts say.
                    let is_modified = fact.fact.kind() == FactKind::GrantModified;
                    let earlier = if is_modified { std::mem::take(&mut open.records) } else { Vec::new() };
                    *open = Holding::begun(grant, [earlier, vec![index]].concat());
                }
                (Some(grant), None) => times.push(Holding::begun(grant, vec![index])),
                (None, Some(open)) => {
                    open.ended = Some(fact.evidence);
                    open.records.push(index);
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
    }
    held.retain(|_, times| !times.is_empty());
    held
}

/// The other side of a grant: what stands before the scope in its key.
fn other(key: &str) -> &str {
    key.split_once(' ').map_or(key, |(counterpart, _)| counterpart)
}

/// What an account came to by a moment: the fact that last switched it on or off.
pub fn account(entity: &EntityId, facts: &[FactAt<'_>], at: OccurredAt) -> Standing {
    let kinds = [
        FactKind::AccountCreated,
        FactKind::AccountEnabled,
        FactKind::AccountDisabled,
        FactKind::AccountDeleted,
        FactKind::SnapshotItem,
    ];
    let mut state = State::default();
    let mut by = None;
    for fact in facts.iter().filter(|fact| fact.evidence.occurred_at() <= at && kinds.contains(&fact.fact.kind())) {
        let before = state.account.as_ref().map(|account| account.status);
        apply(&mut state, entity, fact);
        if state.account.as_ref().map(|account| account.status) != before {
            by = Some(fact.evidence);
        }
    }
    let standing = match state.account.map(|account| account.status()) {
        None | Some(AccountStatus::Unspecified) => AccessStanding::NeverGiven,
        Some(AccountStatus::Seen) => AccessStanding::SeenOnly,
        Some(AccountStatus::Created | AccountStatus::Enabled) => AccessStanding::Held,
        Some(AccountStatus::Disabled | AccountStatus::Deleted) => AccessStanding::Removed,
    };
    Standing { standing, expires_at: None, evidence: by, records: by.iter().map(|by| by.index).collect() }
}

/// What a credential came to by a moment.
pub fn credential(credential: &EntityId, facts: &[FactAt<'_>], at: OccurredAt) -> Standing {
    let (mut state, id) = (State::default(), credential.to_string());
    let mut records = Vec::new();
    for fact in facts.iter().filter(|fact| fact.evidence.occurred_at() <= at) {
        let said = |state: &State| state.credentials.get(&id).map(|held| (held.evidence, held.expires_at));
        let before = said(&state);
        apply(&mut state, credential, fact);
        if said(&state) != before {
            records.push(fact.evidence.index);
        }
    }
    let Some(held) = state.credentials.get(&id) else { return Standing::NEVER };
    let expires_at = held.expires_at.as_ref().map(Moment::of);
    let standing = match held.status() {
        CredentialStatus::Active if expires_at.is_some_and(|end| end <= at.0) => AccessStanding::Lapsed,
        CredentialStatus::Active => AccessStanding::Held,
        CredentialStatus::Unspecified => AccessStanding::NeverGiven,
        CredentialStatus::Disabled | CredentialStatus::Revoked | CredentialStatus::Expired => AccessStanding::Removed,
    };
    Standing { standing, expires_at, evidence: Some(held.evidence), records }
}
