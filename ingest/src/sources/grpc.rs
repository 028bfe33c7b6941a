//! Source `grpc`: producers that call `IngestService`.
//!
//! Owns the requests: one push each, acknowledged by a receipt, dead letters, what is read again, what is removed, backups, and
//! runs of listings, page by page. How the producer was authenticated is told by whoever let the request in.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use counterfoil_proto::v1::ingest_service_server::{IngestService, IngestServiceServer};
use counterfoil_proto::v1::snapshot_request::Part;
use counterfoil_proto::v1::{
    AppendRequest, AppendResponse, AppendStreamRequest, AppendStreamResponse, Authentication, CreateBackupRequest,
    CreateBackupResponse, ListBackupsRequest, ListBackupsResponse, RedactRequest, RedactResponse, RemapRequest,
    RemapResponse, RetryDeadLetterRequest, RetryDeadLetterResponse, SnapshotRequest, SnapshotResponse,
};
use counterfoil_verify::tree::RecordIndex;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};

use super::backups::Backups;
use super::pages::{Listings, Run};
use super::receipt::{self, assume_utc, instance_or_default, invalid, problem};
use super::redactions::{Operator, Redactions};
use super::remaps::Remaps;
use crate::intake::{BYTES_MAX, DOCUMENTS_MAX, Intake, Push};
use crate::retry::{Retries, Retry};

/// The longest id of a request.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// The largest message: documents or a page, and what a message takes besides: their lengths, and the other fields.
pub const MESSAGE_BYTES_MAX: usize = BYTES_MAX + 8 * DOCUMENTS_MAX + (64 << 10);
/// Receipts that wait for a producer that does not read them.
const RECEIPTS_AHEAD: usize = 4;
/// How long all pages of a run may take to arrive: as long as it takes to get them from an API that limits its callers.
const PAGES_PATIENCE: Duration = Duration::from_secs(600);

/// How the producer of a request was authenticated. Whoever lets a request in says so with this extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer(pub Authentication);

/// Whoever lets a request in says with this extension of it that the answer may repeat what lies beside records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seer;

/// The service.
#[derive(Clone)]
pub struct Ingest {
    intake: Arc<Intake>,
    listings: Listings,
    retries: Retries,
    remaps: Remaps,
    redactions: Redactions,
    backups: Backups,
}

impl Ingest {
    /// The service for an intake, for listings, and for dead letters; with the folder of backups, if there may be any.
    pub fn server(
        intake: Arc<Intake>,
        listings: Listings,
        retries: Retries,
        backups: Option<PathBuf>,
    ) -> IngestServiceServer<Self> {
        let (remaps, redactions) = (Remaps::new(intake.clone()), Redactions::new(intake.clone()));
        let backups = Backups::new(intake.clone(), backups);
        let service = Self { intake, listings, retries, remaps, redactions, backups };
        IngestServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    async fn push(&self, request: AppendRequest, producer: Producer) -> Result<AppendResponse, Status> {
        let request_id = request.request_id.clone();
        receipt::push(self.intake.clone(), read(request, producer)?, request_id).await
    }
}

#[tonic::async_trait]
impl IngestService for Ingest {
    async fn append(&self, request: Request<AppendRequest>) -> Result<Response<AppendResponse>, Status> {
        let producer = producer(request.extensions())?;
        Ok(Response::new(self.push(request.into_inner(), producer).await?))
    }

    type AppendStreamStream = Pin<Box<dyn Stream<Item = Result<AppendStreamResponse, Status>> + Send>>;

    async fn append_stream(
        &self,
        request: Request<Streaming<AppendStreamRequest>>,
    ) -> Result<Response<Self::AppendStreamStream>, Status> {
        let producer = producer(request.extensions())?;
        let (sender, receipts) = mpsc::channel(RECEIPTS_AHEAD);
        let (ingest, mut requests) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let append = request.and_then(|request| {
                    request.append.ok_or_else(|| invalid("append", "expected documents to append, got none".to_owned()))
                });
                let receipt = match append {
                    Ok(append) => ingest.push(append, producer).await,
                    Err(error) => Err(error),
                };
                let is_over = receipt.is_err();
                let receipt = receipt.map(|receipt| AppendStreamResponse { receipt: Some(receipt) });
                // A producer that has gone reads no receipt. What was refused ends the stream: the rest is not in order.
                if sender.send(receipt).await.is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receipts))))
    }

    async fn retry_dead_letter(
        &self,
        request: Request<RetryDeadLetterRequest>,
    ) -> Result<Response<RetryDeadLetterResponse>, Status> {
        producer(request.extensions())?;
        let may_see = request.extensions().get::<Seer>().is_some();
        let RetryDeadLetterRequest { record, assume_zone, ticket_instance } = request.into_inner();
        let ticket_instance = (!ticket_instance.is_empty()).then_some(ticket_instance);
        let retry = Retry { record: RecordIndex(record), assume_utc: assume_utc(&assume_zone)?, ticket_instance };
        let retried = self.retries.retry(retry).await.map_err(|error| receipt::of_retry(&error))?;
        Ok(Response::new(receipt::retried(&self.intake, record, retried, may_see)))
    }

    type RemapStream = ReceiverStream<Result<RemapResponse, Status>>;

    async fn remap(&self, request: Request<RemapRequest>) -> Result<Response<Self::RemapStream>, Status> {
        let may_see = request.extensions().get::<Seer>().is_some();
        let answers = self.remaps.begin(request.into_inner(), may_see)?;
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn redact(&self, request: Request<RedactRequest>) -> Result<Response<RedactResponse>, Status> {
        let operator = operator(request.extensions())?;
        Ok(Response::new(self.redactions.redact(request.into_inner(), operator).await?))
    }

    async fn create_backup(
        &self,
        request: Request<CreateBackupRequest>,
    ) -> Result<Response<CreateBackupResponse>, Status> {
        operator(request.extensions())?;
        Ok(Response::new(self.backups.create(request.into_inner()).await?))
    }

    async fn list_backups(
        &self,
        request: Request<ListBackupsRequest>,
    ) -> Result<Response<ListBackupsResponse>, Status> {
        operator(request.extensions())?;
        Ok(Response::new(self.backups.list(request.into_inner()).await?))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<SnapshotRequest>>,
    ) -> Result<Response<SnapshotResponse>, Status> {
        let Producer(authentication) = producer(request.extensions())?;
        // Whoever counts what the pages take does so with these extensions.
        let (_, room, mut parts) = request.into_parts();
        let Some(Part::Options(options)) = parts.message().await?.and_then(|first| first.part) else {
            let why = "expected them first: which connector reads the pages, and what they do not say of themselves";
            return Err(invalid("options", why.to_owned()));
        };
        let mut run = self.listings.begin(options, authentication)?;
        let collected = tokio::time::timeout(PAGES_PATIENCE, collect(&mut parts, &mut run)).await;
        collected.unwrap_or_else(|_| {
            let why = format!("the pages took longer than {} s to arrive", PAGES_PATIENCE.as_secs());
            Err(problem(Code::DeadlineExceeded, "TOO_SLOW", why))
        })?;
        drop(parts);
        Ok(Response::new(run.take(room).await?))
    }
}

/// Adds the pages that come to a run.
async fn collect(parts: &mut Streaming<SnapshotRequest>, run: &mut Run) -> Result<(), Status> {
    while let Some(next) = parts.message().await? {
        match next.part {
            Some(Part::Page(page)) => run.add(page.name, page.content)?,
            Some(Part::Options(_)) => {
                return Err(invalid("options", "expected them once, before the pages, got them again".to_owned()));
            }
            None => return Err(invalid("page", "expected a page, got a part without anything".to_owned())),
        }
    }
    Ok(())
}

/// How the producer of a request was authenticated. Nobody is let in by default.
///
/// # Errors
/// If nobody has said so.
pub fn producer(extensions: &tonic::Extensions) -> Result<Producer, Status> {
    let unknown = || Status::permission_denied("nobody has said how the producer was authenticated");
    extensions.get::<Producer>().copied().ok_or_else(unknown)
}

/// Who operates the ledger, as whoever let a request in has said. Nobody does by default.
fn operator(extensions: &tonic::Extensions) -> Result<Operator, Status> {
    let unknown = || Status::permission_denied("nobody has said who the caller is");
    extensions.get::<Operator>().cloned().ok_or_else(unknown)
}

fn read(request: AppendRequest, Producer(authentication): Producer) -> Result<Push, Status> {
    if request.request_id.len() > REQUEST_ID_BYTES_MAX {
        let why = format!("expected at most {REQUEST_ID_BYTES_MAX} bytes, got {}", request.request_id.len());
        return Err(invalid("request_id", why));
    }
    Ok(Push {
        connector: request.connector,
        instance: instance_or_default(request.instance),
        ticket_instance: instance_or_default(request.ticket_instance),
        channel: "grpc",
        documents: request.documents,
        backfill: request.backfill,
        assume_utc: assume_utc(&request.assume_zone)?,
        authentication,
    })
}
