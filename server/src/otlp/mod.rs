//! Sends metrics and spans of requests by OTLP over gRPC, to whoever collects them.
//!
//! Owns when is sent, and what happens where nothing is taken: it is told once, and nothing waits for it. Metrics count
//! from the start of the process, so that the next ones say what was missed; spans that find no taker are lost, and
//! counted.

use std::time::Duration;

use counterfoil_verify::time::Moment;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use crate::Environment;
use crate::metrics::Metrics;

mod points;
pub(crate) mod spans;

use points::Period;
use spans::{Ended, Spans};

/// The spans of one message, and how many may wait for it.
const SPANS_MAX: usize = 512;
const WAITING_MAX: usize = 8 * SPANS_MAX;
/// How long a span waits for others.
const SPANS_EVERY: Duration = Duration::from_secs(1);
/// How long a message may take, and how long all that is left may when the server ends.
const PATIENCE: Duration = Duration::from_secs(5);
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// The way to an endpoint.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// Where metrics and spans are sent.
#[derive(Clone)]
pub struct Otlp {
    /// The way there.
    pub transport: Transport,
    /// What it is called where something is said about it: its URL.
    pub endpoint: String,
    /// The name of the service that the server is.
    pub service: String,
    /// How often metrics are sent.
    pub every: Duration,
    /// How many in a hundred of the requests are traced that are part of no trace yet.
    pub percent: u8,
}

/// Sends, for as long as it is run.
pub(crate) struct Exporter {
    endpoint: String,
    every: Duration,
    metrics: Metrics,
    now: fn() -> Moment,
    resource: Resource,
    points: MetricsServiceClient<Transport>,
    traces: TraceServiceClient<Transport>,
    ended: mpsc::Receiver<Ended>,
    waiting: Vec<Ended>,
    points_taken: Taken,
    spans_taken: Taken,
}

/// Whether one kind of what is sent is taken.
struct Taken {
    signal: &'static str,
    is_failing: bool,
}

impl Exporter {
    /// What sends, and what opens the spans that it sends. `origin` is that of the log.
    pub(crate) fn new(otlp: Otlp, origin: &str, metrics: Metrics, environment: &Environment) -> (Self, Spans) {
        let Otlp { transport, endpoint, service, every, percent } = otlp;
        let instance = (environment.entropy)()[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let attributes = vec![
            text("service.name", &service),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", &instance),
            text("counterfoil.origin", origin),
        ];
        let (sender, ended) = mpsc::channel(WAITING_MAX);
        let spans = Spans { ended: sender, now: environment.now, entropy: environment.entropy, percent };
        let exporter = Self {
            endpoint,
            every,
            metrics,
            now: environment.now,
            resource: Resource { attributes, ..Resource::default() },
            points: MetricsServiceClient::new(transport.clone()),
            traces: TraceServiceClient::new(transport),
            ended,
            waiting: Vec::new(),
            points_taken: Taken { signal: "metrics", is_failing: false },
            spans_taken: Taken { signal: "spans", is_failing: false },
        };
        (exporter, spans)
    }

    /// Sends until `stop` is there, and then what is left.
    pub(crate) async fn run(mut self, stop: oneshot::Receiver<()>) {
        tokio::select! {
            () = self.send_on() => {}
            _ = stop => {}
        }
        let last = async {
            while let Ok(span) = self.ended.try_recv() {
                self.waiting.push(span);
            }
            self.send_metrics().await;
            while !self.waiting.is_empty() && !self.spans_taken.is_failing {
                self.send_spans().await;
            }
        };
        if timeout(LAST_PATIENCE, last).await.is_err() {
            tracing::warn!(endpoint = self.endpoint, "the last metrics and spans were not taken by OTLP");
        }
    }

    async fn send_on(&mut self) {
        let (mut metrics, mut spans) = (interval(self.every), interval(SPANS_EVERY));
        metrics.set_missed_tick_behavior(MissedTickBehavior::Delay);
        spans.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_full = self.waiting.len() >= SPANS_MAX;
            tokio::select! {
                _ = metrics.tick() => self.send_metrics().await,
                _ = spans.tick() => self.send_spans().await,
                () = std::future::ready(()), if is_full => self.send_spans().await,
                Some(span) = self.ended.recv(), if !is_full => self.waiting.push(span),
            }
        }
    }

    async fn send_metrics(&mut self) {
        let metrics = self.metrics.clone();
        let period = Period { since: nanos(metrics.since()), now: nanos((self.now)()) };
        let rendered = tokio::task::spawn_blocking(move || points::of(&metrics.render(), period)).await;
        // The process ends.
        let Ok(metrics) = rendered else { return };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() }];
        let resource = Some(self.resource.clone());
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
        let sent = timeout(PATIENCE, self.points.export(ExportMetricsServiceRequest { resource_metrics })).await;
        let refused = |refused: i64, why: &str| (refused > 0).then(|| format!("{refused} points were refused: {why}"));
        let outcome = outcome(sent).and_then(|answer| match answer.partial_success {
            Some(partial) => refused(partial.rejected_data_points, &partial.error_message).map_or(Ok(()), Err),
            None => Ok(()),
        });
        self.points_taken.tell(&self.endpoint, outcome.err());
    }

    /// Sends the spans that wait, as many as a message holds. Those that are not taken are lost.
    async fn send_spans(&mut self) {
        let count = self.waiting.len().min(SPANS_MAX);
        if count == 0 {
            return;
        }
        // They wait on until the answer is there: where this is cut off, they are sent again.
        let spans: Vec<Span> = self.waiting[..count].iter().map(|span| Span::clone(span)).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        let sent = timeout(PATIENCE, self.traces.export(ExportTraceServiceRequest { resource_spans })).await;
        let outcome = outcome(sent).map(|answer| answer.partial_success.unwrap_or_default());
        let lost = match &outcome {
            Ok(partial) => usize::try_from(partial.rejected_spans).unwrap_or_default().min(count),
            Err(_) => count,
        };
        count_spans("lost", lost);
        count_spans("sent", count - lost);
        self.waiting.drain(..count);
        let trouble = match outcome {
            Ok(partial) if lost > 0 => Some(format!("{lost} spans were refused: {}", partial.error_message)),
            Ok(_) => None,
            Err(why) => Some(why),
        };
        self.spans_taken.tell(&self.endpoint, trouble);
    }
}

impl Taken {
    /// Tells what is wrong when it begins, and that it is over.
    fn tell(&mut self, endpoint: &str, trouble: Option<String>) {
        let was_failing = std::mem::replace(&mut self.is_failing, trouble.is_some());
        metrics::gauge!("counterfoil_otlp_failing", "signal" => self.signal).set(f64::from(u8::from(self.is_failing)));
        match trouble {
            Some(why) if !was_failing => tracing::warn!(endpoint, why, "{} are not taken by OTLP", self.signal),
            None if was_failing => tracing::info!(endpoint, "{} are taken by OTLP again", self.signal),
            _ => {}
        }
    }
}

/// What a message was answered with, or why there is no answer.
fn outcome<A>(sent: Result<Result<tonic::Response<A>, Status>, tokio::time::error::Elapsed>) -> Result<A, String> {
    match sent {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(format!("{}: {}", status.code(), status.message())),
        Err(_) => Err(format!("there was no answer within {} s", PATIENCE.as_secs())),
    }
}

/// Counts spans by what became of them.
fn count_spans(outcome: &'static str, spans: usize) {
    metrics::counter!("counterfoil_otlp_spans_total", "outcome" => outcome).increment(spans as u64);
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "counterfoil".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A moment in nanoseconds since 1970, as OTLP has it.
fn nanos(moment: Moment) -> u64 {
    let seconds = u64::try_from(moment.seconds).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(moment.nanos.into())
}
