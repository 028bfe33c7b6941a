//! Following a ledger that another server owns: its records are copied into a replica, and nothing of them is believed.
//!
//! Owns when is copied, how far it has come, and what is said where it cannot go on. What a record has to be is the
//! replica's to say (`counterfoil_ledger`); `copying` owns the way of a message into it, `difference` finds where two
//! logs part.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use counterfoil_ledger::{LedgerError, Replica};
use counterfoil_proto::v1::ledger_service_client::LedgerServiceClient;
use counterfoil_proto::v1::{GetCheckpointRequest, GetRecordRequest};
use counterfoil_verify::incarnation;
use counterfoil_verify::tree::TreeSize;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::{Code, Status};

mod copying;
mod difference;

/// How long it waits before it asks again, after the first failure and after many.
const RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// How a replica is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// The size of the log that is copied, as its server said last.
    pub source: TreeSize,
    /// Why it does not go on, where it does not.
    pub trouble: Option<Trouble>,
}

/// Why a replica does not go on. It is tried again all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not answer, or not in the way it should.
    Unreachable(String),
    /// The server has less of this log than the replica.
    Behind(String),
    /// What the server sends is not the log that the replica has, or not as it was signed. Nothing of it was taken.
    Refused(String),
}

impl Trouble {
    /// What it is, and what to do about it.
    pub fn what(&self) -> &str {
        match self {
            Self::Unreachable(what) | Self::Behind(what) | Self::Refused(what) => what,
        }
    }
}

/// Copies a log into a replica for as long as it is run.
pub struct Follower<T> {
    source: Source<T>,
    replica: Arc<Mutex<Replica>>,
    /// Whether the replica had records that no checkpoint had confirmed, before anything came over this connection.
    has_unconfirmed: bool,
    state: watch::Sender<Following>,
}

/// The server whose log is copied.
struct Source<T> {
    /// What it is called where something is said about it: its URL.
    name: String,
    client: LedgerServiceClient<T>,
}

impl<T> Follower<T>
where
    T: GrpcService<Body> + Clone + Send + Sync + 'static,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    /// Copies the log of the server at the other end of `transport`, which is called `name`.
    pub fn new(replica: Replica, name: &str, transport: T) -> Self {
        let client = LedgerServiceClient::new(transport).max_decoding_message_size(copying::MESSAGE_BYTES_MAX);
        let state = Following { source: replica.size(), trouble: None };
        Self {
            source: Source { name: name.to_owned(), client },
            replica: Arc::new(Mutex::new(replica)),
            has_unconfirmed: false,
            state: watch::Sender::new(state),
        }
    }

    /// Follows how it is doing.
    pub fn state(&self) -> watch::Receiver<Following> {
        self.state.subscribe()
    }

    /// Copies whatever the server has, and goes on when there is more, until this is dropped.
    pub async fn run(mut self) {
        let mut pause = RETRY;
        loop {
            let before = self.taken().await;
            let trouble = match self.follow().await {
                Ok(()) => Trouble::Unreachable(format!("{} has ended the stream of records", self.source.name)),
                Err(stop) => self.trouble(stop).await,
            };
            if self.state.borrow().trouble.as_ref() != Some(&trouble) {
                match &trouble {
                    Trouble::Refused(what) => tracing::error!(%what, "the log is not followed any more"),
                    Trouble::Unreachable(what) | Trouble::Behind(what) => {
                        tracing::warn!(%what, "the log is not followed for now");
                    }
                }
                self.state.send_modify(|state| state.trouble = Some(trouble));
            }
            pause = if self.taken().await != before { RETRY } else { (2 * pause).min(RETRY_MAX) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows the log until something is in the way.
    async fn follow(&mut self) -> Result<(), Stop> {
        let checkpoint =
            self.source.client.get_checkpoint(GetCheckpointRequest::default()).await?.into_inner().checkpoint;
        let note = checkpoint.clone();
        let found = self
            .on_replica(move |replica| {
                let signed = replica.signed(&note)?;
                if signed.size <= replica.size() {
                    replica.confirm(&note)?;
                }
                Ok((signed.size, replica.reader().head().size, replica.size()))
            })
            .await;
        let (signed, confirmed, taken) = found.map_err(|error| Stop::Wrong { error, checkpoint })?;
        self.has_unconfirmed = taken > confirmed;
        if signed < confirmed {
            return Err(Stop::Behind { signed, confirmed });
        }
        self.copy().await
    }

    /// What is in the way, in words; where two logs part, the evidence is kept.
    async fn trouble(&mut self, stop: Stop) -> Trouble {
        let name = self.source.name.clone();
        match stop {
            Stop::Silent(why) => Trouble::Unreachable(format!("{name} is not heard: {why}")),
            Stop::Status(status) => Trouble::Unreachable(match status.code() {
                Code::PermissionDenied | Code::Unauthenticated => {
                    format!("{name} does not let this replica read: {}", status.message())
                }
                code => format!("{name} does not answer: {}", told(code, &status)),
            }),
            Stop::Withheld => Trouble::Unreachable(format!(
                "{name} withholds what lies beside the records: give this replica a token with the role payload"
            )),
            Stop::Behind { signed, confirmed } => Trouble::Behind(format!(
                "{name} has {signed} records of this log, and {confirmed} were signed: it was brought back from an older \
                 copy, or it is itself a replica and comes later"
            )),
            Stop::Wrong { error, checkpoint } => match error {
                LedgerError::Unlinked { .. } | LedgerError::Forked { .. } => self.parted(&error, checkpoint).await,
                LedgerError::NotSigned { .. } => match self.renamed().await {
                    Some(told) => {
                        Trouble::Refused(format!("{name} has another log by now: {told}, and a folder of its own"))
                    }
                    None => Trouble::Refused(format!("{name}: {error}")),
                },
                error => Trouble::Refused(format!("{name}: {error}")),
            },
        }
    }

    /// What became of the log, where the server has one that goes on from it under a new name. It is a hint, on the server's
    /// word.
    async fn renamed(&mut self) -> Option<String> {
        let first = self.source.client.get_record(GetRecordRequest::default()).await.ok()?.into_inner().record?;
        let former = self.on_replica(|replica| Ok(replica.reader().head().origin)).await.ok()?;
        incarnation::told(&first, former.as_str())
    }

    /// How many records were taken; none where that cannot be found out.
    async fn taken(&self) -> Option<TreeSize> {
        self.on_replica(|replica| Ok(replica.size())).await.ok()
    }

    /// Calls something with the replica, in a thread that may block.
    async fn on_replica<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Replica) -> Result<R, LedgerError> + Send + 'static,
    ) -> Result<R, LedgerError> {
        let replica = self.replica.clone();
        let called = move || call(&mut replica.lock().unwrap_or_else(PoisonError::into_inner));
        let stopped = |error: tokio::task::JoinError| LedgerError::Closed(error.to_string());
        tokio::task::spawn_blocking(called).await.map_err(stopped)?
    }
}

/// Why a stream of records ended.
enum Stop {
    /// The server says so, or the connection does.
    Status(Status),
    /// Nothing comes any more.
    Silent(String),
    /// Not everything is sent.
    Withheld,
    /// The server has less than was signed.
    Behind { signed: TreeSize, confirmed: TreeSize },
    /// What came is not what it has to be. The checkpoint came with it.
    Wrong { error: LedgerError, checkpoint: Vec<u8> },
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What a server says, or what is known where it says nothing.
fn told(code: Code, status: &Status) -> String {
    let mut source = std::error::Error::source(status);
    while let Some(inner) = source.and_then(std::error::Error::source) {
        source = Some(inner);
    }
    match (source, status.message()) {
        (Some(source), _) => source.to_string(),
        (None, "") => code.description().to_owned(),
        (None, message) => message.to_owned(),
    }
}
