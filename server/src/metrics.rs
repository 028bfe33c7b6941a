//! What Prometheus reads at `/metrics`: docs/metrics.md has the names.
//!
//! Owns how requests are counted and timed, whichever way they came. No label holds anything that a caller made up.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use counterfoil_query::follow::{Following, Trouble};
use http::{HeaderMap, Method};
use http_body::{Body as HttpBody, Frame, SizeHint};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::ServerError;
use crate::json::problem::{is_grpc, name};
use crate::projection::Projection;
use crate::rpc::Rpc;

/// Seconds; what lies above is in +Inf.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];
/// How often what was measured is put into its buckets where nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);
/// The method of requests that fit none.
const OTHER: &str = "other";

/// What this process has measured: a standby that takes over goes on counting.
static RECORDED: OnceLock<PrometheusHandle> = OnceLock::new();

/// What was measured.
#[derive(Clone)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    projection: Projection,
    following: Option<watch::Receiver<Following>>,
}

impl Metrics {
    /// Begins to measure.
    ///
    /// # Errors
    /// [`ServerError::Metrics`] if somebody else in this process does so already.
    pub(crate) fn install(
        projection: Projection,
        following: Option<watch::Receiver<Following>>,
    ) -> Result<Self, ServerError> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full("counterfoil_request_seconds".to_owned()), &BUCKETS)
            .map_err(|error| ServerError::Metrics(error.to_string()))?;
        let handle = match RECORDED.get() {
            Some(handle) => handle.clone(),
            None => {
                let recorder = builder.build_recorder();
                let handle = recorder.handle();
                metrics::set_global_recorder(recorder).map_err(|error| ServerError::Metrics(error.to_string()))?;
                RECORDED.get_or_init(|| handle).clone()
            }
        };
        metrics::describe_counter!("counterfoil_requests_total", "Requests that ended, by method, transport and code.");
        metrics::describe_histogram!(
            "counterfoil_request_seconds",
            "From the head of a request to the end of its answer."
        );
        metrics::describe_counter!(
            "counterfoil_events_total",
            "Events that producers pushed, or that were read from Kafka or from retried dead letters, by what became of them."
        );
        metrics::describe_gauge!(
            "counterfoil_kafka_lag_messages",
            "Offsets up to the end of a partition that were not read yet."
        );
        metrics::describe_gauge!(
            "counterfoil_kafka_held_messages",
            "Of the lag, what stands behind the beginning of a transaction that has not ended."
        );
        metrics::describe_gauge!(
            "counterfoil_kafka_failing",
            "1 while anything is wrong with a cluster, a topic or a partition."
        );
        metrics::describe_gauge!("counterfoil_log_records", "The size of the log.");
        metrics::describe_gauge!("counterfoil_views_records", "How many of its records the views hold.");
        metrics::describe_gauge!("counterfoil_views_failing", "1 while the views cannot be brought up to date.");
        metrics::describe_gauge!("counterfoil_source_records", "The size of the log that a replica copies.");
        metrics::describe_gauge!("counterfoil_following", "1 while a replica copies its log, 0 while it cannot.");
        metrics::describe_gauge!(
            "counterfoil_source_refused",
            "1 while the log that a replica should copy is another one than it has."
        );
        metrics::describe_gauge!(
            "counterfoil_database_writes_stopped",
            "1 while RocksDB lets no write into this database; NaN where it does not say."
        );
        metrics::describe_gauge!(
            "counterfoil_database_delayed_write_bytes_per_second",
            "The bytes a second that RocksDB slows writes into this database down to; 0 while it does not."
        );
        Ok(Self { handle, projection, following })
    }

    /// Everything, in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let one_if = |is_so: bool| f64::from(u8::from(is_so));
        metrics::gauge!("counterfoil_log_records").set(self.projection.head().borrow().0 as f64);
        if self.projection.has_views() {
            metrics::gauge!("counterfoil_views_records").set(self.projection.projected().borrow().0 as f64);
            metrics::gauge!("counterfoil_views_failing").set(one_if(self.projection.problem().borrow().is_some()));
        }
        if let Some(following) = &self.following {
            let Following { source, trouble } = following.borrow().clone();
            metrics::gauge!("counterfoil_source_records").set(source.0 as f64);
            metrics::gauge!("counterfoil_following").set(one_if(trouble.is_none()));
            metrics::gauge!("counterfoil_source_refused").set(one_if(matches!(trouble, Some(Trouble::Refused(_)))));
        }
        for (database, pressure) in self.projection.pressure() {
            let is_stopped = pressure.is_stopped.map_or(f64::NAN, one_if);
            metrics::gauge!("counterfoil_database_writes_stopped", "database" => database).set(is_stopped);
            let rate = pressure.delayed_bytes_per_second.map_or(f64::NAN, |rate| rate as f64);
            metrics::gauge!("counterfoil_database_delayed_write_bytes_per_second", "database" => database).set(rate);
        }
        self.handle.render()
    }

    /// Keeps what was measured small, until the server ends.
    pub(crate) async fn keep(self) {
        let mut turns = tokio::time::interval(UPKEEP);
        loop {
            turns.tick().await;
            self.handle.run_upkeep();
        }
    }
}

/// What requests are called.
pub(crate) struct Names {
    /// By their paths in gRPC.
    grpc: HashMap<String, Arc<str>>,
    /// By their places in HTTP.
    http: HashMap<(Method, String), Arc<str>>,
}

impl Names {
    pub(crate) fn of(rpcs: &[Rpc]) -> Self {
        let name = |rpc: &Rpc| Arc::<str>::from(rpc.path().trim_start_matches('/'));
        let place = |rpc: &Rpc| {
            let binding = rpc.binding.as_ref()?;
            Some(((binding.method.clone(), binding.path.clone()), name(rpc)))
        };
        Self {
            grpc: rpcs.iter().map(|rpc| (rpc.path(), name(rpc))).collect(),
            http: rpcs.iter().filter_map(place).collect(),
        }
    }

    fn name(&self, request: &Request) -> Arc<str> {
        if is_grpc(request) {
            return self.grpc.get(request.uri().path()).cloned().unwrap_or_else(|| OTHER.into());
        }
        let Some(path) = request.extensions().get::<MatchedPath>() else { return OTHER.into() };
        let place = (request.method().clone(), path.as_str().to_owned());
        self.http.get(&place).cloned().unwrap_or_else(|| path.as_str().into())
    }
}

/// Counts and times a request.
pub(crate) async fn measure(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let transport = if is_grpc(&request) { "grpc" } else { "http" };
    let mut measured = Measured { method: names.name(&request), transport, began: Instant::now(), code: None };
    let (head, body) = next.run(request).await.into_parts();
    measured.code = match transport {
        "grpc" => code_of(&head.headers),
        _ => Some(head.extensions.get().copied().unwrap_or(if head.status.is_success() {
            Code::Ok
        } else {
            Code::Unknown
        })),
    };
    Response::from_parts(head, Body::new(MeasuredBody { inner: body, measured }))
}

/// The code that headers or trailers hold.
fn code_of(headers: &HeaderMap) -> Option<Code> {
    Status::from_header_map(headers).map(|status| status.code())
}

/// A request that is being answered. It is counted once it is gone.
struct Measured {
    method: Arc<str>,
    transport: &'static str,
    began: Instant,
    code: Option<Code>,
}

impl Drop for Measured {
    fn drop(&mut self) {
        // A gRPC answer whose end was never sent has lost its caller.
        let code = name(self.code.unwrap_or(Code::Cancelled));
        let (method, transport) = (self.method.clone(), self.transport);
        metrics::histogram!("counterfoil_request_seconds", "method" => method.clone(), "transport" => transport)
            .record(self.began.elapsed().as_secs_f64());
        metrics::counter!("counterfoil_requests_total", "method" => method, "transport" => transport, "code" => code)
            .increment(1);
    }
}

/// The body of an answer, whose trailers say how it ended.
struct MeasuredBody {
    inner: Body,
    measured: Measured,
}

impl HttpBody for MeasuredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.measured.code = code_of(trailers).or(self.measured.code);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
