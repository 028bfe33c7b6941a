//! Everything that somebody could do, and everybody who could do something, each with the path.
//!
//! Owns the way from a walk to the message for people: order, pages, names. The walk is `verify::effective`'s.

use std::collections::BTreeMap;
use std::ops::Bound as End;

use counterfoil_proto::v1::{
    AccessBound, AccessPath, AccessPrincipal, AccessStep, EffectiveAccess, EffectiveHolder, EntityKind,
    GetEffectiveAccessResponse, GrantMode, ListHoldersResponse, StepKind,
};
use counterfoil_verify::effective::{Access, Bound, By, Cost, Holder, Principal, Step};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::convert::{evidence, timestamp};
use crate::answers::graph::{ALL, BEST, Graph};
use crate::answers::pages::{Page, Question, occurred_part, recorded_part};
use crate::answers::parties::Parties;
use crate::error::{QueryError, Result};
use crate::views::{histories, names};

/// The most accesses of a page.
const PAGE_ACCESSES_MAX: usize = 1_000;
/// The holders of a page where nothing else is asked for, and the most of one page.
const PAGE_HOLDERS: usize = 1_000;
const PAGE_HOLDERS_MAX: usize = 10_000;

/// What to tell of somebody's access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequest {
    /// Whose.
    pub entity: EntityId,
    /// As of when.
    pub at: OccurredAt,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// Only this entitlement, or this account that can be acted as.
    pub to: Option<EntityId>,
    /// Not the best path alone.
    pub all_paths: bool,
    /// Which of it: 1 to 1,000 accesses, or 0 for 1,000.
    pub page: Page,
}

impl Query<'_> {
    /// A page of everything that somebody could do at a moment, with the best path of each, or with all.
    ///
    /// # Errors
    /// [`QueryError::PageToken`] if the token belongs to another question.
    pub fn access(&self, request: &AccessRequest) -> Result<GetEffectiveAccessResponse> {
        let AccessRequest { entity, to, all_paths, .. } = request;
        let to_bytes = to.as_ref().map(EntityId::as_bytes).unwrap_or_default();
        let known = recorded_part(request.known);
        let question = Question::new("access", &[entity.as_bytes(), to_bytes, &[u8::from(*all_paths)], &known]);
        let (size, at, after) = self.place(&question, &request.page, request.at, request.known)?;
        let graph = Graph::new(self, at, size);
        let made = graph.effective(&graph.stands_for(entity)?, if *all_paths { ALL } else { BEST })?;
        let is_wanted = |access: &Access<'_>| to.as_ref().is_none_or(|to| access.entity() == to);
        let found = made.accesses().filter(is_wanted).map(|one| (key(one.entity(), one.scope()), one)).collect();
        let count = request.page.count(PAGE_ACCESSES_MAX, PAGE_ACCESSES_MAX);
        let (page, last) = slice(&found, after, count);
        let parties = self.parties(size);
        let next_page_token = last.map(|last| token(&question, size, at, last)).unwrap_or_default();
        Ok(GetEffectiveAccessResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), request.known, size)?),
            entity: Some(parties.party(entity)?),
            known: histories::is_known(&self.view, entity, at, size)?,
            principals: made.principals.iter().map(|one| parties.principal(one, at)).collect::<Result<_>>()?,
            accesses: page.iter().map(|one| parties.access(one, *all_paths)).collect::<Result<_>>()?,
            cut: made.is_cut,
            next_page_token,
        })
    }

    /// A page of those who held an entitlement at a moment through any path, or who could act as an account.
    ///
    /// # Errors
    /// [`QueryError::NoEntitlement`]; [`QueryError::PageToken`] if the token belongs to another question.
    pub fn effective_holders(
        &self,
        what: &EntityId,
        at: OccurredAt,
        known: Option<RecordedAt>,
        page: &Page,
    ) -> Result<ListHoldersResponse> {
        if !matches!(what.kind(), EntityKind::Entitlement | EntityKind::Identifier | EntityKind::Account) {
            return Err(QueryError::NoEntitlement(what.clone()));
        }
        let question = Question::new("effective holders", &[what.as_bytes(), &recorded_part(known)]);
        let (size, at, after) = self.place(&question, page, at, known)?;
        let graph = Graph::new(self, at, size);
        let made = graph.holders(what, false)?;
        let found = made.holders().map(|one| (key(&one.principal.entity, one.scope()), one)).collect();
        let (page, last) = slice(&found, after, page.count(PAGE_HOLDERS, PAGE_HOLDERS_MAX));
        let parties = self.parties(size);
        let next_page_token = last.map(|last| token(&question, size, at, last)).unwrap_or_default();
        let own = graph.state(what)?;
        Ok(ListHoldersResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), known, size)?),
            entitlement: Some(parties.party(what)?),
            holders: Vec::new(),
            removed: own.removed().map(evidence),
            known: histories::is_known(&self.view, what, at, size)?,
            next_page_token,
            effective: page.iter().map(|one| parties.effective_holder(one, what, at)).collect::<Result<_>>()?,
            cut: made.is_cut,
        })
    }

    /// The records that count, the moment, and what stood last on the page before.
    pub(crate) fn place(
        &self,
        question: &Question,
        page: &Page,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<(TreeSize, OccurredAt, Option<String>)> {
        let Some((size, place)) = page.read(question, self.basis.size)? else {
            return Ok((self.known_size(known)?, at, None));
        };
        let read = || {
            let (at, last) = place.split_first_chunk::<12>()?;
            Some((OccurredAt(Moment::from_sortable_bytes(at)), String::from_utf8(last.to_vec()).ok()?))
        };
        let (at, last) = read().ok_or(QueryError::PageToken("names no place"))?;
        Ok((size, at, Some(last)))
    }

    /// Whether an entity is named in records that count.
    pub(crate) fn is_named(&self, entity: &EntityId, size: TreeSize) -> Result<bool> {
        names::is_seen(&self.view, entity, size)
    }
}

/// The token for what follows `last`.
pub(crate) fn token(question: &Question, size: TreeSize, at: OccurredAt, last: &str) -> String {
    question.token(size, &[&occurred_part(at), last.as_bytes()].concat())
}

/// What an access is known by in a list: the entity, and where it holds.
pub(crate) fn key(entity: &EntityId, scope: &str) -> String {
    [&entity.to_text(), scope].join(" ")
}

/// So many after one place, and the last of them where more follow.
pub(crate) fn slice<T>(found: &BTreeMap<String, T>, after: Option<String>, count: usize) -> (Vec<&T>, Option<&str>) {
    let from = after.map_or(End::Unbounded, End::Excluded);
    let mut rest = found.range::<String, _>((from, End::Unbounded));
    let page: Vec<_> = rest.by_ref().take(count).collect();
    let last = page.last().map(|(key, _)| key.as_str()).filter(|_| rest.next().is_some());
    (page.into_iter().map(|(_, one)| one).collect(), last)
}

impl Parties<'_, '_> {
    /// Whoever has an access, and whether nothing says that they cannot use it.
    pub(crate) fn principal(&self, principal: &Principal, at: OccurredAt) -> Result<AccessPrincipal> {
        Ok(AccessPrincipal {
            party: Some(self.party(&principal.entity)?),
            status: principal.account.as_ref().map_or(0, |account| account.status),
            locked: principal.account.as_ref().is_some_and(|account| account.locked),
            credential_status: principal.credential.as_ref().map_or(0, |credential| credential.status),
            may_act: principal.may_act(at),
        })
    }

    /// An access with its best path, or with all.
    pub(crate) fn access(&self, access: &Access<'_>, all_paths: bool) -> Result<EffectiveAccess> {
        let (paths, more_paths) = match all_paths {
            true => {
                let found = access.paths();
                (found.paths, found.is_cut)
            }
            false => (vec![access.path()], false),
        };
        Ok(EffectiveAccess {
            inherited: access.is_inherited(),
            paths: paths.iter().map(|path| self.path(path)).collect::<Result<_>>()?,
            more_paths,
            bounds: self.bounds(&access.bounds())?,
            ..self.reached(access.entity(), access.scope(), access.cost())?
        })
    }

    /// An access without its paths.
    pub(crate) fn reached(&self, entity: &EntityId, scope: &str, cost: &Cost) -> Result<EffectiveAccess> {
        Ok(EffectiveAccess {
            what: Some(self.party(entity)?),
            scope: scope.to_owned(),
            mode: mode(cost.is_eligible).into(),
            conditional: cost.is_conditional,
            expires_at: cost.expires_at().map(timestamp),
            ..EffectiveAccess::default()
        })
    }

    /// Somebody who holds something, with the best path.
    pub(crate) fn effective_holder(
        &self,
        holder: &Holder<'_>,
        what: &EntityId,
        at: OccurredAt,
    ) -> Result<EffectiveHolder> {
        Ok(EffectiveHolder {
            holder: Some(self.principal(holder.principal, at)?),
            access: Some(self.held(holder, what)?),
        })
    }

    /// What somebody holds, with the best path.
    pub(crate) fn held(&self, holder: &Holder<'_>, what: &EntityId) -> Result<EffectiveAccess> {
        Ok(EffectiveAccess {
            inherited: holder.is_inherited(),
            paths: vec![self.path(&holder.path())?],
            bounds: self.bounds(&holder.bounds())?,
            ..self.reached(what, holder.scope(), holder.cost())?
        })
    }

    fn path(&self, path: &[Step<'_>]) -> Result<AccessPath> {
        Ok(AccessPath { steps: path.iter().map(|step| self.access_step(step)).collect::<Result<_>>()? })
    }

    fn access_step(&self, step: &Step<'_>) -> Result<AccessStep> {
        let kind = match step.hop.by {
            By::Grant => StepKind::Grant,
            By::Implication => StepKind::Implication,
            By::Link => StepKind::Link,
            By::Session => StepKind::Session,
        };
        Ok(AccessStep {
            kind: kind.into(),
            from: Some(self.party(step.from)?),
            to: Some(self.party(step.to)?),
            scope: step.hop.scope.clone(),
            expires_at: step.hop.expires_at.map(timestamp),
            mode: mode(step.hop.is_eligible).into(),
            conditional: step.hop.is_conditional,
            inherited_via: self.of(&step.hop.inherited_via)?,
            confidence: step.hop.confidence.into(),
            evidence: Some(evidence(&step.hop.evidence)),
        })
    }

    fn bounds(&self, bounds: &[(&EntityId, &Bound)]) -> Result<Vec<AccessBound>> {
        let bound = |(holder, bound): &(&EntityId, &Bound)| {
            Ok(AccessBound {
                holder: Some(self.party(holder)?),
                by: self.of(&bound.by)?,
                evidence: Some(evidence(&bound.evidence)),
            })
        };
        bounds.iter().map(bound).collect()
    }
}

fn mode(is_eligible: bool) -> GrantMode {
    if is_eligible { GrantMode::Eligible } else { GrantMode::Active }
}
