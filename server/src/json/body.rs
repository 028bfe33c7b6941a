//! The bodies of requests.
//!
//! Owns how large one may be and all of them together, how long one may take to arrive, and what it has to be.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

use super::problem::Problem;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the bodies of all requests may take together, in bytes.
const ALL_BYTES_MAX: usize = 256 << 20;
/// How long a caller should wait where there is no room.
const RETRY: Duration = Duration::from_secs(1);

/// The room that bodies take.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// A body that was read. It takes its room until it is gone.
pub(crate) struct Held {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BYTES_MAX)))
    }

    /// Reads a body of at most so many bytes.
    pub(crate) async fn read(&self, body: Body, bytes_max: usize) -> Result<Held, Problem> {
        if usize::try_from(body.size_hint().lower()).map_or(true, |told| told > bytes_max) {
            return Err(too_large(bytes_max));
        }
        match tokio::time::timeout(PATIENCE, self.collect(body, bytes_max)).await {
            Ok(read) => read,
            Err(_) => {
                let why = format!("the body took longer than {} s to arrive", PATIENCE.as_secs());
                Err(Problem::with(StatusCode::REQUEST_TIMEOUT, Status::deadline_exceeded(why)))
            }
        }
    }

    async fn collect(&self, mut body: Body, bytes_max: usize) -> Result<Held, Problem> {
        let mut held = Held { bytes: Vec::new(), _room: None };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Status::invalid_argument(format!("the body ended early: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > bytes_max - held.bytes.len() {
                return Err(too_large(bytes_max));
            }
            let taken =
                u32::try_from(data.len()).ok().and_then(|count| self.0.clone().try_acquire_many_owned(count).ok());
            let Some(taken) = taken else {
                let why = Status::unavailable("too much is being received already: send it again later");
                return Err(Problem::from(why).retry_after(RETRY));
            };
            match &mut held._room {
                Some(room) => room.merge(taken),
                room => *room = Some(taken),
            }
            held.bytes.extend_from_slice(&data);
        }
        Ok(held)
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let status = Status::resource_exhausted(format!("expected a body of at most {bytes_max} bytes: send it in parts"));
    Problem::with(StatusCode::PAYLOAD_TOO_LARGE, status)
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
