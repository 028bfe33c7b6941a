//! The questions of `IdentityService` about effective access: from a request to a question.
//!
//! Owns what these requests may say. The answers are `answers`' to make.

use counterfoil_proto::v1::{
    Capability, GetBlastRadiusRequest, GetBlastRadiusResponse, GetEffectiveAccessRequest, GetEffectiveAccessResponse,
    ListAffectedRequest, ListAffectedResponse, ListCapableIdentitiesRequest, ListCapableIdentitiesResponse,
};
use counterfoil_verify::time::{Moment, OccurredAt};
use tonic::Status;

use crate::answers::{AccessRequest, CapableRequest, Page, Query};
use crate::services::identity::{Who, period, some};
use crate::services::linkage::selector;
use crate::services::problem::invalid;
use crate::services::{occurred, page_size, recorded};

/// The most capabilities that a list may be limited to.
const CAPABILITIES_MAX: usize = 64;

/// What somebody could do.
pub(super) fn effective(
    query: &Query<'_>,
    asked: GetEffectiveAccessRequest,
    now: Moment,
) -> Result<GetEffectiveAccessResponse, Status> {
    let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
    let known = recorded("known_at", asked.known_at)?;
    let to = some(&asked.to).map(|name| Who { name, system: None }.one(query, at, known)).transpose()?;
    let request = AccessRequest {
        entity: Who { name: &asked.who, system: some(&asked.system) }.one(query, at, known)?,
        at,
        known,
        to,
        all_paths: asked.all_paths,
        page: Page { size: page_size(asked.page_size)?, token: asked.page_token },
    };
    Ok(query.access(&request)?)
}

/// Whose access is another because of a change.
pub(super) fn affected(
    query: &Query<'_>,
    asked: ListAffectedRequest,
    _: Moment,
) -> Result<ListAffectedResponse, Status> {
    let known = recorded("known_at", asked.known_at)?;
    let page = Page { size: page_size(asked.page_size)?, token: asked.page_token };
    Ok(query.affected(&selector(&asked.change)?, known, &page)?)
}

/// How far somebody reaches.
pub(super) fn blast_radius(
    query: &Query<'_>,
    asked: GetBlastRadiusRequest,
    now: Moment,
) -> Result<GetBlastRadiusResponse, Status> {
    let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
    let known = recorded("known_at", asked.known_at)?;
    let past_from = occurred("past_from", asked.past_from)?;
    period(past_from, Some(at))?;
    let entity = Who { name: &asked.who, system: some(&asked.system) }.one(query, at, known)?;
    Ok(query.blast_radius(&entity, at, known, past_from)?)
}

/// Who can do something to others.
pub(super) fn capable(
    query: &Query<'_>,
    asked: ListCapableIdentitiesRequest,
    now: Moment,
) -> Result<ListCapableIdentitiesResponse, Status> {
    if asked.capabilities.len() > CAPABILITIES_MAX {
        let count = asked.capabilities.len();
        return Err(invalid("capabilities", format!("expected at most {CAPABILITIES_MAX}, got {count}")));
    }
    let capability = |code: &i32| Capability::try_from(*code).ok().filter(|one| *one != Capability::Unspecified);
    let capabilities: Option<Vec<Capability>> = asked.capabilities.iter().map(capability).collect();
    let request = CapableRequest {
        capabilities: capabilities
            .ok_or_else(|| invalid("capabilities", "expected values of Capability".to_owned()))?,
        system: some(&asked.system).map(str::to_owned),
        at: occurred("at", asked.at)?.unwrap_or(OccurredAt(now)),
        known: recorded("known_at", asked.known_at)?,
        non_human: asked.non_human,
        may_act: asked.may_act,
        page: Page { size: page_size(asked.page_size)?, token: asked.page_token },
    };
    Ok(query.capable(&request)?)
}
