//! The log as existing tools read one: its checkpoint and its tiles, at the places of C2SP tlog-tiles.
//!
//! Owns the requests: what they are called, how long an answer may be kept, and how much of them is on its way to callers at
//! a time. The bytes are the ledger's. What is not there is answered 404, whatever the reason: clients then ask for the full
//! tile, and give up at any other status.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use counterfoil_ledger::Reader;
use counterfoil_query::QueryError;
use counterfoil_query::services::problem;
use counterfoil_verify::tile::Tile;
use http::{HeaderValue, StatusCode, Uri, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

use crate::json::problem::Problem;
use crate::room::RETRY;

/// The path of the newest checkpoint.
pub(crate) const CHECKPOINT_PATH: &str = "/checkpoint";
/// The path of tiles and entry bundles.
pub(crate) const TILE_PATH: &str = "/tile/{*tile}";
/// What stands before the name of a tile in its path.
const TILE_PREFIX: &str = "/tile/";
/// What tiles on their way to callers may take together, in KiB: a bundle has up to 16 MiB.
const KIB_MAX: usize = 256 << 10;

/// A checkpoint is soon not the newest any more.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-cache");
/// What a tile holds never changes. It is for whoever was let in, and for no cache that others share.
const KEPT: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
/// What is not there may be there in a moment.
const NOT_STORED: HeaderValue = HeaderValue::from_static("no-store");

/// The way to tiles.
struct Tiles {
    log: Reader,
    room: Arc<Semaphore>,
}

/// A tile, with its place among those that are sent.
struct Sent {
    bytes: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Adds their paths.
pub(crate) fn add_to(router: Router, log: Reader) -> Router {
    let head = log.clone();
    let tiles = Arc::new(Tiles { log, room: Arc::new(Semaphore::new(KIB_MAX)) });
    let tile = move |uri: Uri| async move { tiles.answer(uri.path()).await.into_response() };
    router.route(CHECKPOINT_PATH, get(move || async move { checkpoint(&head) })).route(TILE_PATH, get(tile))
}

fn checkpoint(log: &Reader) -> Response {
    let note = log.served().checkpoint;
    if note.is_empty() {
        return absent("this replica has copied nothing of its log yet");
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, NOT_KEPT),
    ];
    (headers, note.to_vec()).into_response()
}

impl Tiles {
    async fn answer(&self, path: &str) -> Result<Response, Problem> {
        // As it stands there: what is written in another way is not there.
        let name = path.strip_prefix(TILE_PREFIX).unwrap_or_default();
        let Some(tile) = Tile::parse(name) else {
            return Ok(absent("a tile's name is LEVEL/N or entries/N, with .p/WIDTH behind that of a partial one"));
        };
        let log = self.log.clone();
        let read = tokio::task::spawn_blocking(move || log.tile(tile)).await;
        let stopping = |error| Status::unavailable(format!("the service is stopping: {error}"));
        let read = read.map_err(stopping)?.map_err(|error| Status::from(QueryError::from(error)))?;
        let Some(bytes) = read else {
            return Ok(absent("the log is not so large yet: its checkpoint says how large it is"));
        };
        let place = self.place(bytes.len())?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
            (header::CACHE_CONTROL, KEPT),
        ];
        let body = Body::from(Bytes::from_owner(Sent { bytes, _place: place }));
        Ok((headers, body).into_response())
    }

    /// Takes room for so many bytes.
    fn place(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        self.room.clone().try_acquire_many_owned(kib).map_err(|_| {
            let why = "as many tiles are being sent as there is room for: ask again in a second";
            let status = problem(Code::ResourceExhausted, "NO_ROOM", why);
            Problem::with(StatusCode::SERVICE_UNAVAILABLE, status).retry_after(RETRY)
        })
    }
}

fn absent(why: &str) -> Response {
    let problem = Problem::with(StatusCode::NOT_FOUND, Status::not_found(why));
    ([(header::CACHE_CONTROL, NOT_STORED)], problem).into_response()
}
