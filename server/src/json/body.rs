//! The bodies of requests.
//!
//! Owns how large one may be, how long one may take to arrive, and what it has to be. `room` has all of them together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use counterfoil_query::services::{problem, reason_of};
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio_stream::StreamExt;
use tonic::{Code, Status};

use super::problem::Problem;
use crate::room::{NO_ROOM, RETRY, Room, Taken};

/// How long a body may take to arrive, and over gRPC each message.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The reasons for which bodies are refused.
const TOO_LARGE: &str = "BODY_TOO_LARGE";
const TOO_SLOW: &str = "TOO_SLOW";

/// A body that was read. It takes its room until it is gone, and what is made of it too.
pub(crate) struct Held {
    bytes: Vec<u8>,
    taken: Arc<Taken>,
}

impl Held {
    /// What it takes: to be kept as long as what is made of it.
    pub(crate) fn taken(&self) -> Arc<Taken> {
        self.taken.clone()
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read(room: &Room, body: Body, bytes_max: usize) -> Result<Held, Problem> {
    if usize::try_from(body.size_hint().lower()).map_or(true, |told| told > bytes_max) {
        return Err(refused(too_large(bytes_max)));
    }
    let taken = Arc::new(room.begin());
    let body = count(body, taken.clone(), bytes_max);
    let collected = in_time(async {
        let mut body = body;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Status::from_error(error.into()))?;
            frame.data_ref().into_iter().for_each(|data| bytes.extend_from_slice(data));
        }
        Ok(bytes)
    });
    Ok(Held { bytes: collected.await.map_err(refused)?, taken })
}

/// A body of at most so many bytes, which take room as they come. What is wrong with it is a status.
pub(crate) fn count(body: Body, taken: Arc<Taken>, bytes_max: usize) -> Body {
    let mut left = bytes_max;
    Body::from_stream(body.into_data_stream().map(move |data| {
        let data = data.map_err(|error| Status::invalid_argument(format!("the body ended early: {error}")))?;
        left = left.checked_sub(data.len()).ok_or_else(|| too_large(bytes_max))?;
        taken.take(data.len()).map(|()| data)
    }))
}

/// Waits for what a body holds, but not for ever.
pub(crate) async fn in_time<T>(arriving: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let slow = || {
        let why = format!("the body took longer than {} s to arrive", PATIENCE.as_secs());
        problem(Code::DeadlineExceeded, TOO_SLOW, why)
    };
    tokio::time::timeout(PATIENCE, arriving).await.unwrap_or_else(|_| Err(slow()))
}

/// Why a body is refused, with the HTTP status that says it best.
pub(crate) fn refused(status: Status) -> Problem {
    match reason_of(&status).as_deref() {
        Some(NO_ROOM) => Problem::with(StatusCode::SERVICE_UNAVAILABLE, status).retry_after(RETRY),
        Some(TOO_LARGE) => Problem::with(StatusCode::PAYLOAD_TOO_LARGE, status),
        Some(TOO_SLOW) => Problem::with(StatusCode::REQUEST_TIMEOUT, status),
        _ => status.into(),
    }
}

fn too_large(bytes_max: usize) -> Status {
    let why = format!("expected a body of at most {bytes_max} bytes: send it in parts");
    problem(Code::ResourceExhausted, TOO_LARGE, why)
}

/// Refuses a body where none is expected.
pub(crate) fn refuse(body: &Body) -> Result<(), Problem> {
    if body.is_end_stream() {
        return Ok(());
    }
    Err(Status::invalid_argument("expected no body: what is asked stands in the path and in the query").into())
}

/// Refuses a body of another type than these.
pub(crate) fn check_type(headers: &HeaderMap, expected: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default().trim();
    if expected.iter().any(|expected| essence.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    let got = given.map_or("none".to_owned(), counterfoil_query::services::shown);
    let why = format!("expected the content type {}, got {got}", expected.join(" or "));
    Err(Problem::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, Status::new(Code::InvalidArgument, why)))
}
