//! `ProofService`: what shows that an answer is whole.
//!
//! Owns how long somebody waits for a seal, and the pieces in which a file is sent.

use std::pin::Pin;
use std::time::Duration;

use counterfoil_proto::v1::proof_service_server::ProofService;
use counterfoil_proto::v1::{
    Basis, EvidenceQuestion, GetEntityProofRequest, GetEntityProofResponse, GetEvidenceRequest, GetEvidenceResponse,
    GetListingProofRequest, GetListingProofResponse, GetPeriodEvidenceRequest, GetPeriodEvidenceResponse,
    GetProofsRequest, GetProofsResponse,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Asked, Question};
use counterfoil_verify::listing::ItemKey;
use counterfoil_verify::population::Period;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::answers::{Proved, Query, moment_text};
use crate::services::identity::{Who, some};
use crate::services::linkage::selector;
use crate::services::problem::{NOT_SEALED, invalid, reason_of, shown};
use crate::services::{Answers, CallerName, occurred, recorded};

/// The longest scope of an item of a listing.
const SCOPE_BYTES_MAX: usize = 255;
/// How many bytes of a file one message holds.
const PIECE_BYTES: usize = 256 << 10;
/// How long somebody waits for a seal: longer than it takes to come.
const SEAL_MAX: Duration = Duration::from_secs(10);
/// How long the views get where a newer seal is met than they have come to.
const PAUSE: Duration = Duration::from_millis(50);

/// A file in pieces, as it is sent.
type Pieces<P> = Pin<Box<dyn Stream<Item = Result<P, Status>> + Send>>;

#[tonic::async_trait]
impl ProofService for Answers {
    async fn get_entity_proof(
        &self,
        request: Request<GetEntityProofRequest>,
    ) -> Result<Response<GetEntityProofResponse>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        self.ask_sealed(request, min_tree_size, |query, asked, now, min_covered| {
            let who = Who { name: &asked.who, system: some(&asked.system) };
            let entity = match asked.who.trim().parse::<EntityId>() {
                Ok(entity) => entity,
                Err(_) => who.one(query, OccurredAt(now), None)?,
            };
            Ok(query.entity_proof(&entity, min_covered)?)
        })
        .await
    }

    async fn get_proofs(&self, request: Request<GetProofsRequest>) -> Result<Response<GetProofsResponse>, Status> {
        let GetProofsRequest { min_tree_size, records, entities } = request.get_ref();
        if records.is_empty() && entities.is_empty() {
            return Err(invalid("records", "expected records or entities to prove, got neither".to_owned()));
        }
        let min_tree_size = *min_tree_size;
        self.ask_sealed(request, min_tree_size, |query, asked, _, min_covered| {
            let entities = asked.entities.iter().map(|id| entity("entities", id)).collect::<Result<_, _>>()?;
            let asked = Proved { records: asked.records.into_iter().map(RecordIndex).collect(), entities };
            let (basis, proof) = query.proofs(&asked, min_covered)?;
            Ok(GetProofsResponse { basis: Some(Basis { proof: Some(proof), ..basis }) })
        })
        .await
    }

    async fn get_listing_proof(
        &self,
        request: Request<GetListingProofRequest>,
    ) -> Result<Response<GetListingProofResponse>, Status> {
        let min_tree_size = request.get_ref().record.saturating_add(1);
        self.ask_sealed(request, min_tree_size, |query, asked, _, _| {
            let object = some(&asked.object).map(|object| entity("object", object)).transpose()?;
            if asked.scope.len() > SCOPE_BYTES_MAX {
                let problem = format!("expected at most {SCOPE_BYTES_MAX} bytes, got {}", asked.scope.len());
                return Err(invalid("scope", problem));
            }
            let key = ItemKey::new(&entity("subject", &asked.subject)?, object.as_ref(), &asked.scope);
            Ok(query.listing_proof(RecordIndex(asked.record), &key)?)
        })
        .await
    }

    type GetEvidenceStream = Pieces<GetEvidenceResponse>;

    async fn get_evidence(
        &self,
        request: Request<GetEvidenceRequest>,
    ) -> Result<Response<Self::GetEvidenceStream>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        let by = caller(&request);
        let (basis, file) = self
            .ask_sealed(request, min_tree_size, move |query, asked, now, min_covered| {
                let note = Asked { at: now.seconds, by: by.clone(), about: asked.who.clone() };
                let question = question(query, &asked, OccurredAt(now))?;
                Ok(query.evidence(question, min_covered, &note)?)
            })
            .await?
            .into_inner();
        Ok(in_pieces(basis, &file, |basis, data| GetEvidenceResponse { basis, data }))
    }

    type GetPeriodEvidenceStream = Pieces<GetPeriodEvidenceResponse>;

    async fn get_period_evidence(
        &self,
        request: Request<GetPeriodEvidenceRequest>,
    ) -> Result<Response<Self::GetPeriodEvidenceStream>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        let by = caller(&request);
        let (basis, file) = self
            .ask_sealed(request, min_tree_size, move |query, asked, now, min_covered| {
                let period = period(&asked)?;
                let about = format!("{} to {}", moment_text(period.from().0), moment_text(period.to().0));
                let note = Asked { at: now.seconds, by: by.clone(), about };
                let question = Question::Period { period, known_at: recorded("known_at", asked.known_at)? };
                Ok(query.evidence(question, min_covered, &note)?)
            })
            .await?
            .into_inner();
        Ok(in_pieces(basis, &file, |basis, data| GetPeriodEvidenceResponse { basis, data }))
    }
}

/// What whoever asks is called.
fn caller<Q>(request: &Request<Q>) -> String {
    request.extensions().get::<CallerName>().map_or_else(|| "local".to_owned(), |name| name.0.clone())
}

/// A file as messages, the first of which has the basis.
fn in_pieces<P: Send + 'static>(
    basis: Basis,
    file: &[u8],
    piece: impl Fn(Option<Basis>, Vec<u8>) -> P,
) -> Response<Pieces<P>> {
    let mut basis = Some(basis);
    let pieces: Vec<_> = file.chunks(PIECE_BYTES).map(|data| Ok(piece(basis.take(), data.to_vec()))).collect();
    Response::new(Box::pin(tokio_stream::iter(pieces)))
}

impl Answers {
    /// Answers by the newest seal, once the views hold what it covers. A seal that comes in between is waited for as well.
    pub(crate) async fn ask_sealed<Q: Clone + Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        min_tree_size: u64,
        answer: impl Fn(&Query<'_>, Q, Moment, TreeSize) -> Result<A, Status> + Clone + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let (metadata, extensions, asked) = request.into_parts();
        let end = Instant::now() + SEAL_MAX;
        loop {
            let min_covered = self.until_sealed(min_tree_size, end).await;
            let request = Request::from_parts(metadata.clone(), extensions.clone(), asked.clone());
            let answer = answer.clone();
            let answered =
                self.ask(request, min_covered.0, move |query, asked, now| answer(query, asked, now, min_covered)).await;
            match answered {
                Err(status) if Instant::now() < end && reason_of(&status).as_deref() == Some(NOT_SEALED) => {
                    tokio::time::sleep(PAUSE).await;
                }
                answered => return answered,
            }
        }
    }

    /// Waits until a seal covers so many records, or until it is too late; without a number, all that there are.
    async fn until_sealed(&self, min_tree_size: u64, end: Instant) -> TreeSize {
        let reader = self.0.views.reader();
        // A seal that has nothing but itself to cover does not come: the last record may be one.
        let wanted = match min_tree_size {
            0 => TreeSize(reader.head().size.0.saturating_sub(1)),
            wanted => TreeSize(wanted),
        };
        let _ = tokio::time::timeout_at(end, reader.until_sealed(wanted)).await;
        let sealed = reader.sealed();
        if min_tree_size == 0 { wanted.min(sealed) } else { wanted }
    }
}

/// An entity by its id.
fn entity(field: &str, id: &str) -> Result<EntityId, Status> {
    id.trim().parse().map_err(|error| invalid(field, format!("{error}: {}", shown(id))))
}

/// The period that is asked about.
fn period(asked: &GetPeriodEvidenceRequest) -> Result<Period, Status> {
    let missing = |field: &'static str| move || invalid(field, "expected a moment, got none".to_owned());
    let from = occurred("from", asked.from)?.ok_or_else(missing("from"))?;
    let to = occurred("to", asked.to)?.ok_or_else(missing("to"))?;
    Period::new(from, to).ok_or_else(|| invalid("to", "expected a moment behind from, got another".to_owned()))
}

/// What is asked, about exactly one entity.
fn question(query: &Query<'_>, asked: &GetEvidenceRequest, now: OccurredAt) -> Result<Question, Status> {
    let at = occurred("at", asked.at)?;
    let known_at = recorded("known_at", asked.known_at)?;
    match asked.question() {
        EvidenceQuestion::State => {
            let who = Who { name: &asked.who, system: some(&asked.system) };
            let entity = who.one(query, at.unwrap_or(now), known_at)?;
            Ok(Question::State { entity, at: Some(at.unwrap_or(now)), known_at })
        }
        EvidenceQuestion::Absence => {
            if at.is_some() || known_at.is_some() {
                return Err(invalid("at", "nothing is recorded of somebody, whenever: leave times out".to_owned()));
            }
            let identifiers = query.identifiers_of(&asked.who)?;
            match identifiers.is_empty() {
                true => Err(invalid("who", "expected an entity's id, a login or a name, got nothing".to_owned())),
                false => Ok(Question::Absence(identifiers)),
            }
        }
        EvidenceQuestion::Change => {
            let (record, fact) = query.one_change(&selector(&asked.who)?, known_at)?;
            Ok(Question::Change { record: record.0, fact, known_at })
        }
        EvidenceQuestion::Unspecified => Err(invalid("question", "expected state, absence or change".to_owned())),
    }
}
