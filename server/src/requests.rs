//! Requests, counted, timed and traced, whichever way they came.
//!
//! Owns what a request is called for whoever watches, when it counts as ended, and how many streams are open.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Method};
use http_body::{Body as HttpBody, Frame, SizeHint};
use metrics::Gauge;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::json::problem::{is_grpc, name};
use crate::otlp::spans::{OpenSpan, Spans};
use crate::rpc::Rpc;

/// The method of requests that fit none.
const OTHER: &str = "other";

/// What watches requests.
pub(crate) struct Watch {
    /// What is called, by paths in gRPC.
    grpc: HashMap<String, Called>,
    /// What is called, by places in HTTP.
    http: HashMap<(Method, String), Called>,
    /// Where spans go, if they go anywhere.
    spans: Option<Spans>,
}

/// What a request calls.
#[derive(Clone)]
struct Called {
    name: Arc<str>,
    is_stream: bool,
}

impl Called {
    fn other(name: &str) -> Self {
        Self { name: name.into(), is_stream: false }
    }
}

impl Watch {
    pub(crate) fn new(rpcs: &[Rpc], spans: Option<Spans>) -> Self {
        let called = |rpc: &Rpc| Called {
            name: rpc.path().trim_start_matches('/').into(),
            is_stream: rpc.descriptor.is_client_streaming() || rpc.descriptor.is_server_streaming(),
        };
        let place = |rpc: &Rpc| {
            let binding = rpc.binding.as_ref()?;
            Some(((binding.method.clone(), binding.path.clone()), called(rpc)))
        };
        Self {
            grpc: rpcs.iter().map(|rpc| (rpc.path(), called(rpc))).collect(),
            http: rpcs.iter().filter_map(place).collect(),
            spans,
        }
    }

    fn called(&self, request: &Request, is_grpc: bool) -> Called {
        if is_grpc {
            return self.grpc.get(request.uri().path()).cloned().unwrap_or_else(|| Called::other(OTHER));
        }
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Called::other(OTHER) };
        let place = (request.method().clone(), path.as_str().to_owned());
        self.http.get(&place).cloned().unwrap_or_else(|| Called::other(path.as_str()))
    }
}

/// Counts, times and traces a request.
pub(crate) async fn watch(State(watch): State<Arc<Watch>>, request: Request, next: Next) -> Response {
    let is_grpc = is_grpc(&request);
    let mut watched = Watched::begin(&watch, &request, is_grpc);
    let (head, body) = next.run(request).await.into_parts();
    watched.code = match is_grpc {
        true => code_of(&head.headers),
        false => Some(head.extensions.get().copied().unwrap_or(if head.status.is_success() {
            Code::Ok
        } else {
            Code::Unknown
        })),
    };
    if let Some(span) = &mut watched.span {
        span.answered(head.status);
    }
    Response::from_parts(head, Body::new(WatchedBody { inner: body, watched }))
}

/// The code that headers or trailers hold.
fn code_of(headers: &HeaderMap) -> Option<Code> {
    Status::from_header_map(headers).map(|status| status.code())
}

/// A request that is being answered. It is counted once it is gone.
struct Watched {
    method: Arc<str>,
    transport: &'static str,
    began: Instant,
    code: Option<Code>,
    /// Counts open streams, if it is one.
    streams: Option<Gauge>,
    span: Option<OpenSpan>,
}

impl Watched {
    fn begin(watch: &Watch, request: &Request, is_grpc: bool) -> Self {
        let transport = if is_grpc { "grpc" } else { "http" };
        let Called { name: method, is_stream } = watch.called(request, is_grpc);
        let streams = is_stream
            .then(|| metrics::gauge!("counterfoil_streams", "method" => method.clone(), "transport" => transport));
        if let Some(streams) = &streams {
            streams.increment(1.0);
        }
        let span = watch.spans.as_ref().and_then(|spans| spans.open(request, &method, is_grpc));
        Self { method, transport, began: Instant::now(), code: None, streams, span }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A gRPC answer whose end was never sent has lost its caller.
        let code = self.code.unwrap_or(Code::Cancelled);
        let (method, transport, took) = (self.method.clone(), self.transport, self.began.elapsed());
        metrics::histogram!("counterfoil_request_seconds", "method" => method.clone(), "transport" => transport)
            .record(took);
        metrics::counter!(
            "counterfoil_requests_total", "method" => method, "transport" => transport, "code" => name(code)
        )
        .increment(1);
        if let Some(streams) = &self.streams {
            streams.decrement(1.0);
        }
        if let Some(span) = self.span.take() {
            span.end(code, took);
        }
    }
}

/// The body of an answer, whose trailers say how it ended.
struct WatchedBody {
    inner: Body,
    watched: Watched,
}

impl HttpBody for WatchedBody {
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
            self.watched.code = code_of(trailers).or(self.watched.code);
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
