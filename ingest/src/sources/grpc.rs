//! Source `grpc`: producers that call `IngestService`.
//!
//! Owns the requests: one push each, acknowledged by a receipt. How the producer was authenticated is told by whoever let
//! the request in.

use std::pin::Pin;
use std::sync::Arc;

use counterfoil_proto::v1::ingest_service_server::{IngestService, IngestServiceServer};
use counterfoil_proto::v1::{AppendRequest, AppendResponse, AppendStreamRequest, AppendStreamResponse, Authentication};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::receipt::{self, assume_utc, instance_or_default, invalid};
use crate::intake::{BYTES_MAX, DOCUMENTS_MAX, Intake, Push};

/// The longest id of a request.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// What a message takes besides the documents' bytes: their lengths, and the other fields.
const MESSAGE_BYTES_MAX: usize = BYTES_MAX + 8 * DOCUMENTS_MAX + (64 << 10);
/// Receipts that wait for a producer that does not read them.
const RECEIPTS_AHEAD: usize = 4;

/// How the producer of a request was authenticated. Whoever lets a request in says so with this extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer(pub Authentication);

/// The service.
#[derive(Clone)]
pub struct Ingest(Arc<Intake>);

impl Ingest {
    /// The service for an intake.
    pub fn server(intake: Arc<Intake>) -> IngestServiceServer<Self> {
        IngestServiceServer::new(Self(intake)).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    async fn push(&self, request: AppendRequest, producer: Producer) -> Result<AppendResponse, Status> {
        let request_id = request.request_id.clone();
        receipt::push(self.0.clone(), read(request, producer)?, request_id).await
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
}

/// Nobody is let in by default.
fn producer(extensions: &tonic::Extensions) -> Result<Producer, Status> {
    let unknown = || Status::permission_denied("nobody has said how the producer was authenticated");
    extensions.get::<Producer>().copied().ok_or_else(unknown)
}

fn read(request: AppendRequest, Producer(authentication): Producer) -> Result<Push, Status> {
    if request.request_id.len() > REQUEST_ID_BYTES_MAX {
        let why = format!("expected at most {REQUEST_ID_BYTES_MAX} bytes, got {}", request.request_id.len());
        return Err(invalid("request_id", why));
    }
    Ok(Push {
        connector: request.connector,
        instance: instance_or_default(request.instance),
        channel: "grpc",
        documents: request.documents,
        backfill: request.backfill,
        assume_utc: assume_utc(&request.assume_zone)?,
        authentication,
    })
}
