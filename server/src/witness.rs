//! A witness as a server (C2SP tlog-witness): logs ask it for cosignatures, monitors for what it has cosigned.
//!
//! Owns the requests: their limits, and the status of each refusal. Whether a checkpoint is cosigned, `verify::witness` and
//! the cosigner decide. Nobody is asked who they are: a log shows it by its signature, and everything here is public.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use counterfoil_ledger::{Cosigner, CosignerError, Reader};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::note::CosignedAt;
use counterfoil_verify::policy::Log;
use counterfoil_verify::time::Moment;
use counterfoil_verify::witness::{ADD_CHECKPOINT, AddCheckpoint, REQUEST_BYTES_MAX, Refusal, SIZE_TYPE};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::net::TcpListener;

use crate::{DRAIN, ServerError, listen};

/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a replayer lets a log wait that it has not copied yet.
const REPLAY_PATIENCE: Duration = Duration::from_secs(3);
/// Texts are read by programs and by people.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A witness that listens, and serves once it is run.
pub struct WitnessServer {
    socket: TcpListener,
    router: Router,
}

/// A witness, of these logs.
struct Witness {
    cosigner: Arc<Cosigner>,
    logs: Vec<Log>,
    now: fn() -> Moment,
    /// Of a replayer: the copy of the log whose every seal and token was recomputed. It cosigns nothing else.
    replica: Option<Reader>,
}

impl WitnessServer {
    /// Listens on a loopback address: what other machines reach it by, a proxy, has the certificate.
    ///
    /// # Errors
    /// [`ServerError::Listen`], or [`ServerError::WitnessOpen`] of another address.
    pub async fn listen(
        address: SocketAddr,
        cosigner: Cosigner,
        logs: Vec<Log>,
        now: fn() -> Moment,
        replica: Option<Reader>,
    ) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::WitnessOpen { address });
        }
        let socket = TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })?;
        let witness = Arc::new(Witness { cosigner: Arc::new(cosigner), logs, now, replica });
        let router = Router::new()
            .route(ADD_CHECKPOINT, post(add_checkpoint))
            .route("/{log}/checkpoint", get(checkpoint))
            .with_state(witness);
        Ok(Self { socket, router })
    }

    /// The address, with the port that was taken.
    ///
    /// # Errors
    /// If the operating system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` is there.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        listen::serve(self.socket, None, self.router, stop, DRAIN).await;
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, REQUEST_BYTES_MAX).collect()).await;
    let body = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let why = format!("expected a request of at most {REQUEST_BYTES_MAX} bytes");
            return told(StatusCode::PAYLOAD_TOO_LARGE, &why);
        }
        Ok(Err(error)) => return told(StatusCode::BAD_REQUEST, &format!("the request ended early: {error}")),
        Err(_) => return told(StatusCode::REQUEST_TIMEOUT, "the request took too long to arrive"),
    };
    witness.until_replayed(&body).await;
    // Cosigning waits for the disk.
    let cosigned = tokio::task::spawn_blocking(move || witness.cosign(&body)).await;
    match cosigned {
        Ok(Ok(line)) => ([(header::CONTENT_TYPE, TEXT)], line).into_response(),
        Ok(Err(CosignerError::Refused(refusal))) => refused(&refusal),
        Ok(Err(error)) => {
            // Nothing was cosigned. Whoever runs the witness mends it.
            tracing::error!(error = &error as &dyn std::error::Error, "nothing can be cosigned");
            told(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this failed on the witness: its operator finds the reason in its log",
            )
        }
        Err(_) => told(StatusCode::SERVICE_UNAVAILABLE, "the witness is stopping"),
    }
}

impl Witness {
    /// The signature line under a checkpoint, if it may be cosigned.
    fn cosign(&self, body: &[u8]) -> Result<String, CosignerError> {
        let request = AddCheckpoint::parse(body)?;
        let (checkpoint, note) = request.open(&self.logs)?;
        if let Some(replica) = &self.replica {
            check_replayed(replica, &checkpoint)?;
        }
        // A clock from before 1970 says nothing of use.
        let at = CosignedAt(u64::try_from((self.now)().seconds).unwrap_or(0));
        let signature = self.cosigner.cosign(&request, &checkpoint, &note, at)?;
        tracing::info!(log = %checkpoint.origin, size = checkpoint.size.0, "cosigned");
        Ok(format!("{signature}\n"))
    }
}

impl Witness {
    /// Of a replayer: waits a little for the records of a checkpoint.
    async fn until_replayed(&self, body: &[u8]) {
        let Some(replica) = &self.replica else { return };
        let opened = AddCheckpoint::parse(body).and_then(|request| request.open(&self.logs));
        let Ok((Checkpoint { size, .. }, _)) = opened else { return };
        // Too late is told as what it is.
        let mut growth = replica.growth();
        let _ = tokio::time::timeout(REPLAY_PATIENCE, growth.wait_for(|grown| *grown >= size)).await;
    }
}

/// Whether a checkpoint is that of the records that were recomputed.
fn check_replayed(replica: &Reader, checkpoint: &Checkpoint) -> Result<(), CosignerError> {
    let head = replica.head().size;
    if head < checkpoint.size {
        return Err(Refusal::NotReplayed { size: head }.into());
    }
    let (expected, found) = (replica.root_at(checkpoint.size)?, checkpoint.root);
    if expected == found { Ok(()) } else { Err(Refusal::OtherRoot { expected, found }.into()) }
}

/// The newest checkpoint that was cosigned of a log.
async fn checkpoint(State(witness): State<Arc<Witness>>, Path(log): Path<String>) -> Response {
    match witness.cosigner.newest(&log) {
        Some(note) => {
            let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
            (headers, note.to_vec()).into_response()
        }
        None => told(StatusCode::NOT_FOUND, "nothing of this log was cosigned here"),
    }
}

/// The status of a refusal, as C2SP tlog-witness has it.
fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Form { .. } | Refusal::Checkpoint(_) | Refusal::Shrinking { .. } => StatusCode::BAD_REQUEST,
        Refusal::UnknownLog { .. } => StatusCode::NOT_FOUND,
        Refusal::NotSigned => StatusCode::FORBIDDEN,
        Refusal::Inconsistent(_) | Refusal::OtherRoot { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NotReplayed { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Conflict { size } => {
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(SIZE_TYPE))];
            return (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response();
        }
    };
    told(status, &refusal.to_string())
}

fn told(status: StatusCode, why: &str) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], format!("{why}\n")).into_response()
}
