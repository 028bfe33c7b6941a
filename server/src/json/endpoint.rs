//! The methods at their places in HTTP.
//!
//! Owns what a request has to be before a service sees it, and how an answer is written: one JSON value, or of a stream
//! a value a line, no faster than the caller reads.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Query, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use counterfoil_query::services::problem;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{StatusCode, header};
use prost_reflect::MessageDescriptor;
use tokio_stream::StreamExt;
use tonic::service::Routes;
use tonic::{Code, Status, Streaming};

use super::body;
use super::call::Caller;
use super::codec::{self, Codec};
use super::fields;
use super::problem::Problem;
use crate::ServerError;
use crate::room::{Room, Taken};
use crate::rpc::{Binding, Rpc};

/// The largest body: documents for as much as one push may have, in base64, and what stands around them.
const BODY_BYTES_MAX: usize = counterfoil_ingest::intake::BYTES_MAX / 3 * 4 + (1 << 20);
/// The type of one answer.
const JSON: &str = "application/json";
/// The type of a stream of answers.
const JSON_LINES: &str = "application/x-ndjson";

/// One method at its place.
struct Endpoint {
    caller: Caller,
    room: Room,
    /// Its path in gRPC.
    path: PathAndQuery,
    request: MessageDescriptor,
    read: Codec,
    write: Codec,
    has_body: bool,
    is_stream: bool,
}

/// Adds every method that has a place in HTTP; `routes` answers.
///
/// # Errors
/// [`ServerError::Methods`] if a method cannot be served.
pub(crate) fn add_to(mut router: Router, rpcs: &[Rpc], routes: &Routes, room: &Room) -> Result<Router, ServerError> {
    for rpc in rpcs {
        let Some(binding) = &rpc.binding else { continue };
        let endpoint = Arc::new(Endpoint::new(rpc, binding, Caller::new(routes.clone()), room.clone())?);
        let filter = if binding.has_body { MethodFilter::POST } else { MethodFilter::GET };
        let answer = move |request: Request| async move { endpoint.answer(request).await.into_response() };
        router = router.route(&binding.path, on(filter, answer));
    }
    Ok(router)
}

impl Endpoint {
    fn new(rpc: &Rpc, binding: &Binding, caller: Caller, room: Room) -> Result<Self, ServerError> {
        let broken = |why: &str| ServerError::Methods(format!("{}: {why}", rpc.path()));
        let (request, response) = (rpc.descriptor.input(), rpc.descriptor.output());
        let codec = |name: &str| codec::of(name).ok_or_else(|| broken("its messages have no JSON mapping"));
        if rpc.descriptor.is_client_streaming() {
            return Err(broken("a stream of requests has no place in HTTP"));
        }
        if binding.path_fields().any(|field| request.get_field_by_name(field).is_none()) {
            return Err(broken("its path has a field that its request has not"));
        }
        Ok(Self {
            caller,
            room,
            path: rpc.path().parse().map_err(|_| broken("its name is no path"))?,
            read: codec(request.full_name())?,
            write: codec(response.full_name())?,
            request,
            has_body: binding.has_body,
            is_stream: rpc.descriptor.is_server_streaming(),
        })
    }

    async fn answer(&self, request: Request) -> Result<Response, Problem> {
        let (mut parts, content) = request.into_parts();
        let (message, _taken) = if self.has_body {
            let (message, taken) = self.read_body(&mut parts, content).await?;
            (message, Some(taken))
        } else {
            body::refuse(&content)?;
            (self.read_fields(&mut parts).await?, None)
        };
        let (path, who) = (self.path.clone(), parts.extensions);
        if self.is_stream {
            return Ok(self.lines(self.caller.stream(path, message, who).await?));
        }
        let answer = self.caller.unary(path, message, who).await?;
        let write = self.write.write;
        let json = in_thread(move || write(&answer)).await??;
        Ok(([(header::CONTENT_TYPE, JSON)], json).into_response())
    }

    /// The request that a body holds, but for the fields that stand in the path.
    async fn read_body(&self, parts: &mut Parts, content: Body) -> Result<(Bytes, Arc<Taken>), Problem> {
        body::check_type(&parts.headers, &[JSON])?;
        let in_path = self.read_path(parts).await?;
        if parts.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(Status::invalid_argument("expected nothing in the query: the request is the body").into());
        }
        let content = body::read(&self.room, content, BODY_BYTES_MAX).await?;
        let (read, taken) = (self.read.read, content.taken());
        let message = in_thread(move || read(content.as_ref())).await?;
        let mut message = message.map_err(|error| unreadable(&error))?;
        // Of a field that a message has twice the last one counts.
        message.extend_from_slice(&in_path);
        Ok((message.into(), taken))
    }

    /// The request that the fields in the path make.
    async fn read_path(&self, parts: &mut Parts) -> Result<Vec<u8>, Problem> {
        let in_path = RawPathParams::from_request_parts(parts, &()).await;
        let in_path = in_path.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let request = fields::gather(&self.request, in_path.iter(), std::iter::empty())?;
        Ok((self.read.read)(request.to_string().as_bytes()).map_err(|error| unreadable(&error))?)
    }

    async fn read_fields(&self, parts: &mut Parts) -> Result<Bytes, Problem> {
        let in_path = RawPathParams::from_request_parts(parts, &()).await;
        let in_path = in_path.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let in_query: Result<Query<Vec<(String, String)>>, _> = Query::try_from_uri(&parts.uri);
        let Query(in_query) = in_query.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let in_query = in_query.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let request = fields::gather(&self.request, in_path.iter(), in_query)?;
        let message = (self.read.read)(request.to_string().as_bytes()).map_err(|error| unreadable(&error))?;
        Ok(message.into())
    }

    /// A stream as lines. What ends it early is its last line.
    fn lines(&self, answers: Streaming<Bytes>) -> Response {
        let write = self.write.write;
        let lines = answers.map(move |answer| {
            let line = answer.and_then(|answer| write(&answer));
            let mut line = line.unwrap_or_else(|status| Problem::from(status).json().to_string().into_bytes());
            line.push(b'\n');
            Ok::<_, std::convert::Infallible>(line)
        });
        (StatusCode::OK, [(header::CONTENT_TYPE, JSON_LINES)], Body::from_stream(lines)).into_response()
    }
}

fn unreadable(error: &serde_json::Error) -> Status {
    problem(Code::InvalidArgument, "INVALID_JSON", format!("the request cannot be read: {error}"))
}

/// Large messages take their time, and must not hold up other callers.
async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    let stopping = |error| Status::unavailable(format!("the service is stopping: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(stopping)
}
