//! Which identities can do something to others at a moment.
//!
//! Owns the way back from the entitlements that give a capability to whoever holds them through any path. Only what the
//! table of `verify::capability` knows is found: who else could do it, nobody can tell by ids.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    Capability, CapableIdentity, CredentialStatus, EffectiveAccess, EntityKind, IdentityType,
    ListCapableIdentitiesResponse,
};
use counterfoil_verify::capability::{ALTERING, TABLE_VERSION, giving};
use counterfoil_verify::effective::Principal;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::state::CredentialState;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::answers::access::{slice, token};
use crate::answers::convert::is_lapsed;
use crate::answers::graph::Graph;
use crate::answers::pages::{Page, Question, recorded_part};
use crate::error::Result;
use crate::views::{sources, timelines};

/// The identities of a page where nothing else is asked for, and the most of one page.
const PAGE_IDENTITIES: usize = 100;
const PAGE_IDENTITIES_MAX: usize = 1_000;
/// The most accesses that are named for one identity.
const GIVING_MAX: usize = 10;

/// Which identities are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapableRequest {
    /// What they can do; none means whatever alters identities.
    pub capabilities: Vec<Capability>,
    /// Only by entitlements of this system.
    pub system: Option<String>,
    /// As of when.
    pub at: OccurredAt,
    /// Which records count.
    pub known: Option<RecordedAt>,
    /// Without those that are known to be human.
    pub non_human: bool,
    /// Without those that cannot act.
    pub may_act: bool,
    /// Which of them: 1 to 1,000 identities, or 0 for 100.
    pub page: Page,
}

/// An identity and what gives it capabilities.
struct Capable {
    principal: Principal,
    capabilities: BTreeSet<Capability>,
    by: Vec<EffectiveAccess>,
}

impl Query<'_> {
    /// A page of the identities that can do something to others, with what lets them.
    ///
    /// # Errors
    /// [`crate::QueryError::PageToken`] if the token belongs to another question.
    pub fn capable(&self, request: &CapableRequest) -> Result<ListCapableIdentitiesResponse> {
        let CapableRequest { capabilities, system, non_human, may_act, .. } = request;
        let asked: BTreeSet<Capability> = match &capabilities[..] {
            [] => ALTERING.into_iter().collect(),
            some => some.iter().copied().collect(),
        };
        let codes: Vec<u8> = asked.iter().flat_map(|one| i32::from(*one).to_be_bytes()).collect();
        let flags = [u8::from(*non_human), u8::from(*may_act)];
        let of = system.as_deref().unwrap_or_default().as_bytes();
        let question = Question::new("capable", &[&codes, of, &flags, &recorded_part(request.known)]);
        let (size, at, after) = self.place(&question, &request.page, request.at, request.known)?;
        let graph = Graph::new(self, at, size);
        let parties = self.parties(size);
        let mut found: BTreeMap<String, Capable> = BTreeMap::new();
        let mut is_cut = false;
        for (entitlement, given) in self.giving(&asked, system.as_deref(), size)? {
            let made = graph.holders(&entitlement, false)?;
            is_cut |= made.is_cut;
            for holder in made.holders() {
                if *may_act && !holder.principal.may_act(at) {
                    continue;
                }
                let capable = found.entry(holder.principal.entity.to_text()).or_insert_with(|| Capable {
                    principal: holder.principal.clone(),
                    capabilities: BTreeSet::new(),
                    by: Vec::new(),
                });
                capable.capabilities.extend(&given);
                if capable.by.len() < GIVING_MAX {
                    capable.by.push(parties.held(&holder, &entitlement)?);
                }
            }
        }
        if *non_human {
            let mut humans = Vec::new();
            for (id, capable) in &found {
                let is_human = parties.party(&capable.principal.entity)?.identity_type() == IdentityType::Human;
                humans.extend(is_human.then(|| id.clone()));
            }
            humans.iter().for_each(|id| drop(found.remove(id)));
        }
        let (page, last) = slice(&found, after, request.page.count(PAGE_IDENTITIES, PAGE_IDENTITIES_MAX));
        let next_page_token = last.map(|last| token(&question, size, at, last)).unwrap_or_default();
        let mut identities = Vec::with_capacity(page.len());
        for capable in page {
            identities.push(CapableIdentity {
                identity: Some(parties.principal(&capable.principal, at)?),
                capabilities: capable.capabilities.iter().map(|one| (*one).into()).collect(),
                by: capable.by.clone(),
                credentials: parties.credentials(&self.usable(&capable.principal.entity, at, size)?, at)?,
            });
        }
        Ok(ListCapableIdentitiesResponse {
            basis: Some(self.basis()),
            moment: Some(self.moment(Some(at), request.known, size)?),
            table_version: TABLE_VERSION,
            identities,
            cut: is_cut,
            next_page_token,
        })
    }

    /// The entitlements that give any of these by themselves, wherever one is named.
    fn giving(
        &self,
        asked: &BTreeSet<Capability>,
        system: Option<&str>,
        size: TreeSize,
    ) -> Result<BTreeMap<EntityId, BTreeSet<Capability>>> {
        let places: BTreeSet<(String, String)> = sources::objects(&self.view)?
            .into_keys()
            .filter(|(of, ..)| system.is_none_or(|system| of.eq_ignore_ascii_case(system)))
            .map(|(system, instance, _)| (system, instance))
            .collect();
        let mut found: BTreeMap<EntityId, BTreeSet<Capability>> = BTreeMap::new();
        for capability in asked {
            for (of, native) in giving(*capability) {
                for (_, instance) in places.iter().filter(|(system, _)| system == of) {
                    let Ok(entity) = EntityId::new(EntityKind::Entitlement, of, instance, &native) else { continue };
                    if found.contains_key(&entity) || self.is_named(&entity, size)? {
                        found.entry(entity).or_default().insert(*capability);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The credentials of somebody that can be used.
    fn usable(&self, owner: &EntityId, at: OccurredAt, size: TreeSize) -> Result<BTreeMap<String, CredentialState>> {
        let mut held = timelines::state_kept(&self.view, owner, at, size)?.rest().credentials.clone();
        let id = owner.to_text();
        held.retain(|_, credential| {
            credential.owner == id
                && matches!(credential.status(), CredentialStatus::Unspecified | CredentialStatus::Active)
                && !is_lapsed(&credential.expires_at, at)
        });
        Ok(held)
    }
}
