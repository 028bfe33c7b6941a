//! The gRPC services that answer from the views and the log: one file each.
//!
//! Owns the way from a request to an answer: which tree it may rest on, in which thread it is made, and what goes wrong.
//! A transport is none of its business: a server puts it on a port, and the command line calls it in its own process.

use std::sync::Arc;
use std::time::Duration;

use counterfoil_ledger::Reader;
use counterfoil_proto::v1::identity_service_server::IdentityServiceServer;
use counterfoil_proto::v1::ledger_service_server::LedgerServiceServer;
use counterfoil_proto::v1::linkage_service_server::LinkageServiceServer;
use counterfoil_proto::v1::source_service_server::SourceServiceServer;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;
use tokio::sync::{Semaphore, watch};
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};

use crate::answers::Query;
use crate::error::QueryError;
use crate::views::Views;

mod identity;
mod ledger;
mod linkage;
mod problem;
mod source;

pub use problem::{AMBIGUOUS, invalid, problem, reason_of, shown};

/// The largest request, in bytes.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Streams of records that are read at a time: each holds some messages in memory.
const STREAMS_MAX: usize = 100;
/// The longest that a request waits for the tree that it asks for, where it sets no deadline of its own.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What the caller may see beyond ids. Whoever lets a request in says so with this extension of it; without one, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Personal values, and what lies beside records.
    pub payloads: bool,
}

/// Questions to the log alone.
#[derive(Clone)]
pub struct Log {
    reader: Reader,
    head: watch::Receiver<TreeSize>,
    /// Room for streams.
    streams: Arc<Semaphore>,
}

impl Log {
    /// Answers from `reader`; `head` follows the size of the log.
    pub fn new(reader: Reader, head: watch::Receiver<TreeSize>) -> Self {
        Self { reader, head, streams: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// Its service.
    pub fn add_to(&self, routes: &mut RoutesBuilder) {
        routes.add_service(LedgerServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
    }
}

/// Questions to the views.
#[derive(Clone)]
pub struct Answers(Arc<Shared>);

struct Shared {
    views: Arc<Views>,
    /// How far the views have come.
    projected: watch::Receiver<TreeSize>,
    now: fn() -> Moment,
}

impl Answers {
    /// Answers from `views`; `projected` follows how far they have come, `now` is the time of questions that name none.
    pub fn new(views: Arc<Views>, projected: watch::Receiver<TreeSize>, now: fn() -> Moment) -> Self {
        Self(Arc::new(Shared { views, projected, now }))
    }

    /// Their services.
    pub fn add_to(&self, routes: &mut RoutesBuilder) {
        routes.add_service(IdentityServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
        routes.add_service(LinkageServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
        routes.add_service(SourceServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
    }

    /// Makes an answer in a thread that may block, once the views hold the records that it has to rest on.
    async fn ask<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        min_tree_size: u64,
        answer: impl FnOnce(&Query<'_>, Q, Moment) -> Result<A, Status> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        reached(self.0.projected.clone(), TreeSize(min_tree_size)).await?;
        let sight = request.extensions().get::<Sight>().copied().unwrap_or_default();
        let (shared, request) = (self.0.clone(), request.into_inner());
        let answered = tokio::task::spawn_blocking(move || {
            let query = shared.views.query().map_err(problem::of)?;
            let query = if sight.payloads { query } else { query.without_names() };
            answer(&query, request, (shared.now)())
        });
        Ok(Response::new(answered.await.map_err(problem::stopped)??))
    }
}

/// Waits until a tree has grown to a size.
async fn reached(mut size: watch::Receiver<TreeSize>, wanted: TreeSize) -> Result<(), Status> {
    let grown = tokio::time::timeout(WAIT_MAX, size.wait_for(|size| *size >= wanted)).await;
    // Otherwise it took too long, or whoever told the size is gone.
    let has_grown = matches!(grown, Ok(Ok(_)));
    drop(grown);
    if has_grown { Ok(()) } else { Err(problem::not_reached(wanted, *size.borrow())) }
}

/// A time of a request.
fn moment(field: &'static str, time: Option<pbjson_types::Timestamp>) -> Result<Option<Moment>, Status> {
    let Some(time) = time else { return Ok(None) };
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let moment = nanos.map(|nanos| Moment { seconds: time.seconds, nanos });
    match moment.filter(|moment| *moment >= Moment::MIN && *moment <= Moment::MAX) {
        Some(moment) => Ok(Some(moment)),
        None => Err(problem::invalid(field, "expected a time between the years 1 and 9999".to_owned())),
    }
}

fn occurred(field: &'static str, time: Option<pbjson_types::Timestamp>) -> Result<Option<OccurredAt>, Status> {
    Ok(moment(field, time)?.map(OccurredAt))
}

fn recorded(field: &'static str, time: Option<pbjson_types::Timestamp>) -> Result<Option<RecordedAt>, Status> {
    Ok(moment(field, time)?.map(RecordedAt))
}

/// The size of a page.
fn page_size(size: i32) -> Result<usize, Status> {
    usize::try_from(size)
        .map_err(|_| problem::invalid("page_size", "expected a number of entries, got a negative one".to_owned()))
}

impl From<QueryError> for Status {
    fn from(error: QueryError) -> Self {
        problem::of(error)
    }
}
