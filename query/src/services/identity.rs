//! `IdentityService`: what identities could do.
//!
//! Owns whom a request means: exactly one entity, or an error that says which there are.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::identity_service_server::IdentityService;
use counterfoil_proto::v1::{
    DiffStateRequest, DiffStateResponse, EntityKind, GetBlastRadiusRequest, GetBlastRadiusResponse,
    GetEffectiveAccessRequest, GetEffectiveAccessResponse, GetHistoryRequest, GetHistoryResponse,
    GetInventoryReportRequest, GetInventoryReportResponse, GetStateRequest, GetStateResponse, IdentityType,
    ListAffectedRequest, ListAffectedResponse, ListCapableIdentitiesRequest, ListCapableIdentitiesResponse,
    ListHoldersRequest, ListHoldersResponse, ListIdentitiesRequest, ListIdentitiesResponse,
    ListIntegrationPathsRequest, ListIntegrationPathsResponse, ListNonHumanIdentitiesRequest,
    ListNonHumanIdentitiesResponse, Party, RegisterGap,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{OccurredAt, RecordedAt};
use tonic::{Code, Request, Response, Status};

use crate::answers::{HistoryRequest, NhiRequest, Page, PathsRequest, Period, Query, Wanted, is_non_human};
use crate::services::problem::{AMBIGUOUS, invalid, problem, shown};
use crate::services::{Answers, access, occurred, page_size, recorded};

/// The longest name that is looked up, in bytes: an entity id has at most 769.
const NAME_BYTES_MAX: usize = 1_024;
/// How many of those that fit a message names.
const NAMED_MAX: usize = 5;

#[tonic::async_trait]
impl IdentityService for Answers {
    async fn list_identities(
        &self,
        request: Request<ListIdentitiesRequest>,
    ) -> Result<Response<ListIdentitiesResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let (at, known) = (occurred("at", asked.at)?, recorded("known_at", asked.known_at)?);
            if asked.query.is_empty() {
                let page = Page { size: page_size(asked.page_size)?, token: asked.page_token };
                return Ok(query.identities(some(&asked.system), known, &page)?);
            }
            let who = Who { name: &asked.query, system: some(&asked.system) };
            who.check("query", query)?;
            let found = who.find(query, at.unwrap_or(OccurredAt(now)), known)?;
            Ok(found)
        })
        .await
    }

    async fn get_state(&self, request: Request<GetStateRequest>) -> Result<Response<GetStateResponse>, Status> {
        self.answer_quickly(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            let who = Who { name: &asked.who, system: some(&asked.system) };
            if let Some(entity) = who.id() {
                let answer = state_of(query, &entity, asked.person, at, known)?;
                // Whatever is known of was seen.
                if !answer.state.as_ref().is_some_and(|state| state.known) {
                    query.check_seen(&asked.who)?;
                }
                return Ok(answer);
            }
            state_of(query, &who.one(query, at, known)?, asked.person, at, known)
        })
        .await
    }

    async fn get_history(&self, request: Request<GetHistoryRequest>) -> Result<Response<GetHistoryResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let (from, at) = (occurred("from", asked.from)?, occurred("at", asked.at)?);
            let known = recorded("known_at", asked.known_at)?;
            let who = Who { name: &asked.who, system: some(&asked.system) };
            let moment = at.unwrap_or(OccurredAt(now));
            let entity = who.one(query, moment, known)?;
            let request = HistoryRequest {
                person: is_person(&entity, asked.person).then_some(moment),
                entity,
                period: period(from, at)?,
                known,
                page: Page { size: page_size(asked.page_size)?, token: asked.page_token },
            };
            Ok(query.history(&request)?)
        })
        .await
    }

    async fn diff_state(&self, request: Request<DiffStateRequest>) -> Result<Response<DiffStateResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            let from_known = recorded("from_known_at", asked.from_known_at)?;
            let from = occurred("from", asked.from)?
                .ok_or_else(|| invalid("from", "expected the earlier moment, got none".to_owned()))?;
            period(Some(from), Some(at))?;
            let entity = Who { name: &asked.who, system: some(&asked.system) }.one(query, at, known)?;
            let (before, after) = ((from, from_known), (at, known));
            Ok(match is_person(&entity, asked.person) {
                true => query.diff_of_person(&entity, before, after)?,
                false => query.diff(&entity, before, after)?,
            })
        })
        .await
    }

    async fn list_holders(
        &self,
        request: Request<ListHoldersRequest>,
    ) -> Result<Response<ListHoldersResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            let entity = Who { name: &asked.who, system: some(&asked.system) }.one(query, at, known)?;
            let page = Page { size: page_size(asked.page_size)?, token: asked.page_token };
            if asked.effective && !asked.filter.is_empty() {
                let problem = "expected no filter beside effective: filter what comes back".to_owned();
                return Err(invalid("filter", problem));
            }
            Ok(match asked.effective {
                true => query.effective_holders(&entity, at, known, &page)?,
                false => query.holders_where(&entity, at, known, &asked.filter, &page)?,
            })
        })
        .await
    }

    async fn get_effective_access(
        &self,
        request: Request<GetEffectiveAccessRequest>,
    ) -> Result<Response<GetEffectiveAccessResponse>, Status> {
        self.answer(request, access::effective).await
    }

    async fn list_affected(
        &self,
        request: Request<ListAffectedRequest>,
    ) -> Result<Response<ListAffectedResponse>, Status> {
        self.answer(request, access::affected).await
    }

    async fn get_blast_radius(
        &self,
        request: Request<GetBlastRadiusRequest>,
    ) -> Result<Response<GetBlastRadiusResponse>, Status> {
        self.answer(request, access::blast_radius).await
    }

    async fn list_capable_identities(
        &self,
        request: Request<ListCapableIdentitiesRequest>,
    ) -> Result<Response<ListCapableIdentitiesResponse>, Status> {
        self.answer(request, access::capable).await
    }

    async fn list_non_human_identities(
        &self,
        request: Request<ListNonHumanIdentitiesRequest>,
    ) -> Result<Response<ListNonHumanIdentitiesResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let types =
                asked.types.iter().map(|code| IdentityType::try_from(*code).ok().filter(|one| is_non_human(*one)));
            let types = types.collect::<Option<Vec<_>>>();
            let request = NhiRequest {
                system: asked.system,
                types: types.ok_or_else(|| {
                    invalid("types", "expected values of IdentityType that are no human's".to_owned())
                })?,
                gaps: gaps(&asked.gaps)?,
                at: occurred("at", asked.at)?.unwrap_or(OccurredAt(now)),
                known: recorded("known_at", asked.known_at)?,
                page: Page { size: page_size(asked.page_size)?, token: asked.page_token },
            };
            Ok(query.non_human_identities(&request)?)
        })
        .await
    }

    async fn list_integration_paths(
        &self,
        request: Request<ListIntegrationPathsRequest>,
    ) -> Result<Response<ListIntegrationPathsResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let request = PathsRequest {
                system: asked.system,
                gaps: gaps(&asked.gaps)?,
                at: occurred("at", asked.at)?.unwrap_or(OccurredAt(now)),
                known: recorded("known_at", asked.known_at)?,
                page: Page { size: page_size(asked.page_size)?, token: asked.page_token },
            };
            Ok(query.integration_paths(&request)?)
        })
        .await
    }

    async fn get_inventory_report(
        &self,
        request: Request<GetInventoryReportRequest>,
    ) -> Result<Response<GetInventoryReportResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            Ok(query.inventory_report(at, recorded("known_at", asked.known_at)?)?)
        })
        .await
    }
}

fn gaps(codes: &[i32]) -> Result<Vec<RegisterGap>, Status> {
    let gaps = codes.iter().map(|code| RegisterGap::try_from(*code).ok()).collect::<Option<Vec<_>>>();
    gaps.ok_or_else(|| invalid("gaps", "expected values of RegisterGap".to_owned()))
}

/// Whether a question about an entity is one about a person.
fn is_person(entity: &EntityId, is_asked: bool) -> bool {
    is_asked || entity.kind() == EntityKind::Person
}

fn state_of(
    query: &Query<'_>,
    entity: &EntityId,
    person: bool,
    at: OccurredAt,
    known: Option<RecordedAt>,
) -> Result<GetStateResponse, Status> {
    Ok(match is_person(entity, person) {
        true => query.state_of_person(entity, at, known)?,
        false => query.state(entity, at, known)?,
    })
}

/// From one moment on, up to and with another.
pub(crate) fn period(from: Option<OccurredAt>, at: Option<OccurredAt>) -> Result<Period, Status> {
    let period = Period { from: from.unwrap_or(Period::ALWAYS.from), to: at.unwrap_or(Period::ALWAYS.to) };
    match period.from > period.to {
        true => Err(invalid("from", "it is after at: give the earlier moment as from".to_owned())),
        false => Ok(period),
    }
}

pub(crate) fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Whom a request means.
pub(crate) struct Who<'a> {
    pub(crate) name: &'a str,
    pub(crate) system: Option<&'a str>,
}

impl Who<'_> {
    /// The one entity that is meant.
    pub(super) fn one(&self, query: &Query<'_>, at: OccurredAt, known: Option<RecordedAt>) -> Result<EntityId, Status> {
        self.one_of("who", query, at, known)
    }

    /// The same; `field` is where the request has the name.
    pub(crate) fn one_of(
        &self,
        field: &str,
        query: &Query<'_>,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<EntityId, Status> {
        self.check(field, query)?;
        if let Some(entity) = self.id() {
            return Ok(entity);
        }
        let found = self.find(query, at, known)?;
        match &found.identities[..] {
            [] => Err(self.nobody()),
            [one] => one.id.parse().map_err(|_| self.nobody()),
            several => Err(self.ambiguous(several, found.more)),
        }
    }

    /// The entity whose id it is: an id means itself, and nothing has to be looked up.
    fn id(&self) -> Option<EntityId> {
        let is_wanted =
            |entity: &EntityId| self.system.is_none_or(|system| entity.system().eq_ignore_ascii_case(system));
        self.name.trim().parse().ok().filter(is_wanted)
    }

    /// Refuses what names nothing, and the id of what the ledger holds nothing of, whenever it was recorded. `field` is
    /// where the request has it.
    fn check(&self, field: &str, query: &Query<'_>) -> Result<(), Status> {
        if self.name.trim().is_empty() {
            return Err(invalid(
                field,
                "expected an entity id, a login, a name or a ticket number, got nothing".to_owned(),
            ));
        }
        if self.name.len() > NAME_BYTES_MAX {
            let problem = format!("expected at most {NAME_BYTES_MAX} bytes, got {}", self.name.len());
            return Err(invalid(field, problem));
        }
        Ok(query.check_seen(self.name)?)
    }

    /// Those who may be meant. Where only another system has some, that is an error.
    fn find(
        &self,
        query: &Query<'_>,
        at: OccurredAt,
        known: Option<RecordedAt>,
    ) -> Result<ListIdentitiesResponse, Status> {
        let found = query.resolve(self.name, Wanted { system: self.system, everybody: false }, at, known)?;
        if let (Some(system), []) = (self.system, &found.identities[..]) {
            let beyond = query.resolve(self.name, Wanted::default(), at, known)?;
            if !beyond.identities.is_empty() {
                return Err(self.elsewhere(query, system, &beyond)?);
            }
        }
        Ok(found)
    }

    fn nobody(&self) -> Status {
        let message = format!(
            "nothing in the ledger is called {}: give a login, an e-mail address, a name, a ticket number or an entity id",
            shown(self.name)
        );
        problem(Code::NotFound, "NOBODY_CALLED", message)
    }

    fn ambiguous(&self, several: &[Shared<Party>], more: bool) -> Status {
        let ids: Vec<&str> = several.iter().take(NAMED_MAX).map(|party| party.id.as_str()).collect();
        let message = format!(
            "{}{} entities fit {}: give one of their ids, or narrow it with the system ({}{})",
            if more { "more than " } else { "" },
            several.len(),
            shown(self.name),
            ids.join(", "),
            if several.len() > NAMED_MAX { ", …" } else { "" },
        );
        problem(Code::FailedPrecondition, AMBIGUOUS, message)
    }

    /// Why a name that fits other systems' entities fits none of this one.
    fn elsewhere(&self, query: &Query<'_>, system: &str, beyond: &ListIdentitiesResponse) -> Result<Status, Status> {
        let not_found = |message| problem(Code::NotFound, "NOBODY_CALLED", message);
        let known: BTreeSet<String> = query.sources()?.sources.into_iter().map(|source| source.system).collect();
        if !known.iter().any(|known| known.eq_ignore_ascii_case(system)) {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Ok(not_found(format!("no source has the system {}: there are {known}", shown(system))));
        }
        let system_of = |party: &Shared<Party>| {
            party.id.parse::<EntityId>().map(|entity| entity.system().to_owned()).unwrap_or_default()
        };
        let systems: BTreeSet<String> =
            beyond.identities.iter().map(system_of).filter(|system| !system.is_empty()).collect();
        let of = match systems.is_empty() {
            true => "no system".to_owned(),
            false => systems.into_iter().collect::<Vec<_>>().join(" and "),
        };
        let others = match beyond.identities.len() {
            1 => format!("1 entity of {of} is"),
            count if beyond.more => format!("more than {count} entities of {of} are"),
            count => format!("{count} entities of {of} are"),
        };
        Ok(not_found(format!("nothing in {} is called {}; {others}", shown(system), shown(self.name))))
    }
}
