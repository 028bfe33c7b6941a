//! The steps from one entity to what is gained through it, as its state has them.
//!
//! Owns which parts of a state lead on, and which of them count at a moment. It never looks at a second entity.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{AccountStatus, Confidence, EntityKind, Grant, GrantMode};

use super::{Bound, Session};
use crate::entity::EntityId;
use crate::state::{AccountState, Evidence, GrantState, State};
use crate::time::{Moment, OccurredAt};

/// The entitlement by which a source says that what its holder has stays within a limit. It gives nothing by itself. What
/// it is inherited through is the policy that is the limit; a fact that makes it active and unconditional says that there
/// is no limit any more.
pub const WITHIN_BOUNDARY: &str = "permission/within-boundary";

/// Why a step leads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It is held.
    Grant,
    /// It is what the entitlement means.
    Implication,
    /// It is the same under another name.
    Link,
    /// A session of it was seen.
    Session,
}

/// How a step leads on.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// Why.
    pub by: By,
    /// Where it holds, in the source's own id.
    pub scope: String,
    /// When it runs out.
    pub expires_at: Option<Moment>,
    /// It can be made active, and is not.
    pub is_eligible: bool,
    /// The source attaches conditions.
    pub is_conditional: bool,
    /// Through what the source itself says that it is held, in text form.
    pub inherited_via: String,
    /// Whether a log or a listing says so; of an implication, the fact's word is in its evidence alone.
    pub confidence: Confidence,
    /// The fact that it rests on.
    pub evidence: Evidence,
}

/// A step, and what it leads to.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) to: EntityId,
    pub(super) hop: Hop,
    /// Whoever it leads from holds it as somebody who acts, and not as an entitlement.
    pub(super) is_own: bool,
}

impl Edge {
    fn plain(to: EntityId, by: By, scope: &str, evidence: Evidence) -> Self {
        let hop = Hop {
            by,
            scope: scope.to_owned(),
            expires_at: None,
            is_eligible: false,
            is_conditional: false,
            inherited_via: String::new(),
            confidence: Confidence::Unspecified,
            evidence,
        };
        Self { to, hop, is_own: false }
    }

    pub(super) fn of_session(session: &Session) -> Self {
        Self::plain(session.role.clone(), By::Session, "", session.evidence)
    }

    fn grant(grant: &GrantState, is_own: bool) -> Option<Self> {
        let detail = grant.grant.as_ref();
        let hop = Hop {
            by: By::Grant,
            scope: grant.scope.clone(),
            expires_at: detail.and_then(|detail| detail.expires_at.as_ref()).map(Moment::of),
            is_eligible: detail.is_some_and(|detail| detail.mode() == GrantMode::Eligible),
            is_conditional: detail.is_some_and(|detail| detail.conditional),
            inherited_via: grant.inherited_via.clone(),
            confidence: grant.confidence(),
            evidence: grant.evidence,
        };
        Some(Self { to: grant.counterpart.parse().ok()?, hop, is_own })
    }
}

/// Whether nobody can act as an account: it was disabled or deleted.
pub fn is_switched_off(account: Option<&AccountState>) -> bool {
    account.is_some_and(|account| matches!(account.status(), AccountStatus::Disabled | AccountStatus::Deleted))
}

/// The steps that lead on from an entity. Whoever is asked about holds things whatever its status; anybody else who is
/// reached only while the account is not switched off. An identifier stands for somebody who acts where it is asked about,
/// and for an entitlement where it is reached.
pub(super) fn edges(entity: &EntityId, state: &State, is_start: bool, at: OccurredAt) -> Vec<Edge> {
    let mut edges = Vec::new();
    if state.removed.is_some() {
        return edges;
    }
    let holds = |grants: &BTreeMap<String, GrantState>, is_own: bool, edges: &mut Vec<Edge>| {
        let held = grants.values().filter_map(|grant| Edge::grant(grant, is_own));
        edges.extend(held.filter(|edge| !is_limit(&edge.to) && edge.hop.expires_at.is_none_or(|end| end > at.0)));
    };
    let is_principal = match entity.kind() {
        EntityKind::Entitlement => false,
        EntityKind::Identifier => is_start,
        _ => is_start || !is_switched_off(state.account.as_ref()),
    };
    if is_principal {
        holds(&state.grants, true, &mut edges);
    }
    if matches!(entity.kind(), EntityKind::Entitlement | EntityKind::Identifier) {
        holds(&state.held, false, &mut edges);
        for implied in state.implies.values() {
            let to = implied.implied.parse().ok();
            edges.extend(to.map(|to| Edge::plain(to, By::Implication, &implied.scope, implied.evidence)));
        }
        let named = state.linked.values().filter_map(|link| Some((link.counterpart.parse::<EntityId>().ok()?, link)));
        let same = named.filter(|(to, _)| to.kind() == EntityKind::Entitlement);
        edges.extend(same.map(|(to, link)| Edge::plain(to, By::Link, "", link.evidence)));
    }
    edges
}

fn is_limit(entity: &EntityId) -> bool {
    entity.kind() == EntityKind::Entitlement && entity.native_id() == WITHIN_BOUNDARY
}

/// The limit that an account's permissions stay within, where there is one.
pub(super) fn limit_of(state: &State) -> Option<Bound> {
    let is_limited = |grant: &&GrantState| {
        let ended = |detail: &Grant| detail.mode() == GrantMode::Active && !detail.conditional;
        // Few ids end so: only those are read.
        grant.counterpart.ends_with(WITHIN_BOUNDARY)
            && !grant.grant.as_ref().is_some_and(ended)
            && grant.counterpart.parse().is_ok_and(|entity| is_limit(&entity))
    };
    let limit = state.grants.values().find(is_limited)?;
    Some(Bound { by: limit.inherited_via.clone(), evidence: limit.evidence })
}
