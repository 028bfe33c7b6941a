//! `LinkageService`: which approval covers a change, and whether live access matches what was approved.

use std::collections::BTreeSet;
use std::pin::Pin;

use counterfoil_proto::v1::linkage_service_server::LinkageService;
use counterfoil_proto::v1::{
    ChangeEffect, ExplainChangeRequest, ExplainChangeResponse, ExplainGrantRequest, ExplainGrantResponse, FactKind,
    ListChangesRequest, ListChangesResponse, Mapping, PlanReversalRequest, PlanReversalResponse, ReconcileRequest,
    ReconcileResponse, TraceTicketRequest, TraceTicketResponse, Verdict, record::Body,
};
use counterfoil_verify::fact::{can_change_access, can_give_access, can_take_access};
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::RecordIndex;
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status};

use crate::answers::{ChangeSelector, ChangesRequest, ExplainFilter, GrantRequest, Page, Query, ReversalOf};
use crate::services::identity::{Who, period, some};
use crate::services::problem::{invalid, problem, shown};
use crate::services::{Answers, occurred, page_size, recorded};

/// The longest event id that is looked up, in bytes.
const EVENT_ID_BYTES_MAX: usize = 1_024;
/// The items of one message of a reconciliation.
const RECONCILED_ITEMS: usize = 1_000;
/// The most verdicts or kinds that a list may be limited to.
const CODES_MAX: usize = 64;

#[tonic::async_trait]
impl LinkageService for Answers {
    async fn explain_change(
        &self,
        request: Request<ExplainChangeRequest>,
    ) -> Result<Response<ExplainChangeResponse>, Status> {
        self.answer_quickly(request, |query, asked, _| {
            let known = recorded("known_at", asked.known_at)?;
            let change = selector(&asked.change)?;
            if let ChangeSelector::Record(index, _) = change {
                check_explicable(query, index)?;
            }
            Ok(query.explain(&change, known)?)
        })
        .await
    }

    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        self.answer(request, |query, asked, _| Ok(query.changes(&changes_request(asked)?)?)).await
    }

    async fn trace_ticket(
        &self,
        request: Request<TraceTicketRequest>,
    ) -> Result<Response<TraceTicketResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            let ticket = Who { name: &asked.ticket, system: None }.one_of("ticket", query, at, known)?;
            Ok(query.trace(&ticket, at, known)?)
        })
        .await
    }

    async fn explain_grant(
        &self,
        request: Request<ExplainGrantRequest>,
    ) -> Result<Response<ExplainGrantResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            let one = |field, name| Who { name, system: some(&asked.system) }.one_of(field, query, at, known);
            let request =
                GrantRequest { who: one("who", &asked.who)?, entitlement: one("entitlement", &asked.entitlement)? };
            Ok(query.explain_grant(&request, at, known)?)
        })
        .await
    }

    async fn plan_reversal(
        &self,
        request: Request<PlanReversalRequest>,
    ) -> Result<Response<PlanReversalResponse>, Status> {
        self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            let (from, to) = (occurred("from", asked.from)?, occurred("to", asked.to)?);
            let period = period(from, to)?;
            let of = match (some(&asked.change), some(&asked.ticket), some(&asked.by)) {
                (Some(_), None, None) | (None, Some(_), None) if from.or(to).is_some() => {
                    return Err(invalid("from", "a time goes with by: leave from and to out".to_owned()));
                }
                (Some(change), None, None) => {
                    let change = selector(change)?;
                    if let ChangeSelector::Record(index, _) = change {
                        check_explicable(query, index)?;
                    }
                    ReversalOf::Change(change)
                }
                (None, Some(name), None) => {
                    ReversalOf::Ticket(Who { name, system: None }.one_of("ticket", query, at, known)?)
                }
                (None, None, Some(who)) => ReversalOf::By { who: who.to_owned(), period },
                _ => return Err(invalid("change", "expected one of change, ticket and by".to_owned())),
            };
            Ok(query.reversal(&of, at, known)?)
        })
        .await
    }

    type ReconcileStream = Pin<Box<dyn Stream<Item = Result<ReconcileResponse, Status>> + Send>>;

    async fn reconcile(&self, request: Request<ReconcileRequest>) -> Result<Response<Self::ReconcileStream>, Status> {
        let answer = self.answer(request, |query, asked, now| {
            let at = occurred("at", asked.at)?.unwrap_or(OccurredAt(now));
            let known = recorded("known_at", asked.known_at)?;
            check_system(query, &asked.system)?;
            let instance = Some(asked.instance.as_str()).filter(|instance| !instance.is_empty());
            Ok(query.reconcile(&asked.system, instance, at, known)?)
        });
        let parts = parts(answer.await?.into_inner()).into_iter().map(Ok);
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }
}

/// The question that a request for changes is.
fn changes_request(asked: ListChangesRequest) -> Result<ChangesRequest, Status> {
    let (from, at) = (occurred("from", asked.from)?, occurred("at", asked.at)?);
    let codes = asked.verdicts.len().max(asked.kinds.len());
    if codes > CODES_MAX {
        return Err(invalid("verdicts", format!("expected at most {CODES_MAX} verdicts and kinds, got {codes}")));
    }
    let verdict = |code: &i32| Verdict::try_from(*code).ok().filter(|one| *one != Verdict::Unspecified);
    let verdicts: Option<Vec<Verdict>> = asked.verdicts.iter().map(verdict).collect();
    let kind = |code: &i32| FactKind::try_from(*code).ok().filter(|kind| can_change_access(*kind));
    let kinds: Option<Vec<FactKind>> = asked.kinds.iter().map(kind).collect();
    let kinds = kinds.ok_or_else(|| invalid("kinds", "expected values of FactKind that change access".to_owned()))?;
    let effect = ChangeEffect::try_from(asked.effect);
    let effect = effect.map_err(|_| invalid("effect", "expected a value of ChangeEffect".to_owned()))?;
    let has_effect = |kind: FactKind| match effect {
        ChangeEffect::Unspecified | ChangeEffect::Gives => can_give_access(kind),
        ChangeEffect::Takes => can_take_access(kind),
        ChangeEffect::Any => true,
    };
    if let Some(kind) = kinds.iter().find(|kind| !has_effect(**kind)) {
        let words = if effect == ChangeEffect::Takes { "takes access away" } else { "gives access" };
        let problem = format!("no fact of kind {} {words}: ask for another effect", kind.as_str_name());
        return Err(invalid("kinds", problem));
    }
    Ok(ChangesRequest {
        which: if asked.unapproved { ExplainFilter::Unapproved } else { ExplainFilter::All },
        effect,
        period: period(from, at)?,
        known: recorded("known_at", asked.known_at)?,
        by: asked.by,
        for_whom: asked.for_whom,
        person: asked.person,
        verdicts: verdicts.ok_or_else(|| invalid("verdicts", "expected values of Verdict".to_owned()))?,
        kinds,
        filter: asked.filter,
        page: Page { size: page_size(asked.page_size)?, token: asked.page_token },
    })
}

/// A reconciliation in messages that are not too large. Each has the basis and the moment; the last one, all the rest.
fn parts(mut whole: ReconcileResponse) -> Vec<ReconcileResponse> {
    let mut items = std::mem::take(&mut whole.items).into_iter().peekable();
    let mut parts = Vec::new();
    loop {
        let batch: Vec<_> = items.by_ref().take(RECONCILED_ITEMS).collect();
        if items.peek().is_none() {
            parts.push(ReconcileResponse { items: batch, ..whole });
            return parts;
        }
        let (basis, moment, system) = (whole.basis.clone(), whole.moment, whole.system.clone());
        parts.push(ReconcileResponse { basis, moment, system, items: batch, ..ReconcileResponse::default() });
    }
}

/// Refuses a system that no source has.
fn check_system(query: &Query<'_>, system: &str) -> Result<(), Status> {
    let known: BTreeSet<String> = query.sources()?.sources.into_iter().map(|source| source.system).collect();
    if known.iter().any(|known| known.eq_ignore_ascii_case(system)) {
        return Ok(());
    }
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!("no source has the system {}: there are {known}", shown(system));
    Err(problem(Code::NotFound, "NO_SUCH_SYSTEM", message))
}

/// A record's number, also with a fact's, or else an event id.
pub(crate) fn selector(text: &str) -> Result<ChangeSelector, Status> {
    let expected =
        "expected an event id, or the number of a record, such as 1042, or with that of a fact in it, 1042.0";
    if text.is_empty() || text.len() > EVENT_ID_BYTES_MAX {
        return Err(invalid("change", format!("{expected}; got {} bytes", text.len())));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || text.split('.').count() > 2 {
        return Ok(ChangeSelector::Event(text.to_owned()));
    }
    let (record, fact) = text.split_once('.').map_or((text, None), |(record, fact)| (record, Some(fact)));
    match (record.parse(), fact.map(str::parse).transpose()) {
        (Ok(record), Ok(fact)) => Ok(ChangeSelector::Record(RecordIndex(record), fact)),
        _ => Err(invalid("change", expected.to_owned())),
    }
}

/// Refuses a record that holds nothing to explain, and says what to ask instead.
fn check_explicable(query: &Query<'_>, index: RecordIndex) -> Result<(), Status> {
    let record = query.record(index)?;
    let see = format!("see record {index}");
    let message = match &record.body {
        Some(Body::Event(event)) if !event.facts.is_empty() => return Ok(()),
        Some(Body::Event(event)) => {
            let why = match event.mapping() {
                Mapping::Unmapped => "whose type no connector knows, so that nothing was read out of it",
                Mapping::Incomplete => "that lacks what its facts need",
                _ => "that says nothing about identities or access",
            };
            format!("record {index} holds an event of type {}, {why}: {see}", event.native_type)
        }
        Some(Body::EventRemapped(remapped)) => match &remapped.event {
            Some(event) if !event.facts.is_empty() => return Ok(()),
            _ => format!("record {index} says that the event of record {} has no facts: {see}", remapped.first_index),
        },
        Some(Body::EventConflict(conflict)) => format!(
            "record {index} says that the event of record {first} came again with other content, and changes nothing: \
             ask about record {first}",
            first = conflict.first_index
        ),
        Some(Body::SourceRejected(_)) => {
            format!("record {index} holds what could not be read as an event: see dead letter {index}")
        }
        Some(Body::SourceGap(_)) => format!("record {index} says that a part of a source will never be read: {see}"),
        Some(Body::Redaction(_)) => {
            format!("record {index} says what was removed beside earlier records, and changes nothing else: {see}")
        }
        Some(Body::KeyAnnouncement(_)) => {
            format!("record {index} says that the log has another key, and changes nothing else: {see}")
        }
        Some(Body::Seal(_)) => {
            format!("record {index} says what the records before it come to, and changes nothing: {see}")
        }
        Some(Body::Origin(_)) | None => {
            format!("record {index} says which ledger this is, and changes nothing: {see}")
        }
    };
    Err(problem(Code::NotFound, "NOTHING_TO_EXPLAIN", message))
}
