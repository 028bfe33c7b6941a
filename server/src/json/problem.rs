//! What goes wrong, for callers over HTTP: `google.rpc.Status` in JSON, as Google's services write it.
//!
//! Owns the HTTP status of every code (google/rpc/code.proto), and that whoever does not speak gRPC never gets an answer
//! that only gRPC clients can read, whichever layer refused.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::discreet;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Problem {
    http: StatusCode,
    status: Box<Status>,
    headers: HeaderMap,
}

impl Problem {
    /// One with an HTTP status that says more than its code does.
    pub(crate) fn with(http: StatusCode, status: Status) -> Self {
        Self { http, status: Box::new(status), headers: HeaderMap::new() }
    }

    /// Says when it is worth while to try again: in whole seconds, and never too early.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))
    }

    /// Says how to show who calls (RFC 6750, section 3).
    pub(crate) fn challenge(self, challenge: HeaderValue) -> Self {
        self.header(header::WWW_AUTHENTICATE, challenge)
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// As JSON, on one line.
    pub(crate) fn json(&self) -> Value {
        let (code, message) = (name(self.status.code()), self.status.message());
        let mut error = json!({"code": self.http.as_u16(), "status": code, "message": message});
        let details = details(&self.status);
        if !details.is_empty() {
            error["details"] = details.into();
        }
        json!({ "error": error })
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let status = discreet::status(status);
        Self::with(http_status(status.code()), status)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = format!("{}\n", self.json());
        let mut response = (self.http, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        response.headers_mut().extend(self.headers);
        response.extensions_mut().insert(self.status.code());
        response
    }
}

/// Turns what was refused in gRPC's words, by whichever layer, into JSON for callers who do not speak gRPC. Nobody is told
/// more than is good.
pub(crate) async fn translate(request: Request, next: Next) -> Response {
    let is_grpc = is_grpc(&request);
    let response = next.run(request).await;
    if is_grpc {
        return discreet::answer(response);
    }
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Problem::from(status).into_response(),
        _ => response,
    }
}

/// Whether the caller speaks gRPC.
pub(crate) fn is_grpc<B>(request: &http::Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Nothing stands at this path.
pub(crate) fn no_such_path() -> Problem {
    Problem::with(StatusCode::NOT_FOUND, Status::not_found("nothing is served at this path: see /openapi.json"))
}

/// Something stands at this path, but only for these methods of HTTP.
pub(crate) fn no_such_method(served: &[Method]) -> Problem {
    let served = served.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let why = format!("only {served} is served at this path: see /openapi.json");
    let problem = Problem::with(StatusCode::METHOD_NOT_ALLOWED, Status::unimplemented(why));
    match HeaderValue::from_str(&served) {
        Ok(served) => problem.header(header::ALLOW, served),
        Err(_) => problem,
    }
}

/// The details of a status as JSON, each with its type.
fn details(status: &Status) -> Vec<Value> {
    let Ok(decoded) = pb::Status::decode(status.details()) else { return Vec::new() };
    decoded.details.iter().filter_map(|detail| describe(&detail.type_url, &detail.value)).collect()
}

fn describe(type_url: &str, value: &[u8]) -> Option<Value> {
    static POOL: LazyLock<Option<DescriptorPool>> =
        LazyLock::new(|| DescriptorPool::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).ok());
    let descriptor = POOL.as_ref()?.get_message_by_name(type_url.rsplit('/').next()?)?;
    let message = DynamicMessage::decode(descriptor, value).ok()?;
    let mut described = Map::from_iter([("@type".to_owned(), type_url.into())]);
    if let Ok(Value::Object(fields)) = serde_json::to_value(&message) {
        described.extend(fields);
    }
    Some(Value::Object(described))
}

/// The HTTP status of a code, as google/rpc/code.proto has it.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // "Client Closed Request", which has no name in HTTP.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The name of a code.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
