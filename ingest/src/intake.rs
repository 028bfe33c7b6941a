//! Intake: documents that a producer pushes, through a connector, into the ledger, all in one commit.
//!
//! Owns the way from a push to a receipt. A push that comes again adds nothing: its events are known by their ids and
//! contents. It listens to nobody: the sources `grpc` and `http` do.

use std::sync::Arc;

use counterfoil_ledger::{Batch, Ledger, LedgerError, Outcome};
use counterfoil_proto::v1::{Appended, AppendedEvent, Authentication, Delivery};
use counterfoil_verify::entity::{EntityError, check_name};
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::record;
use counterfoil_verify::time::Moment;

use crate::connectors::{self, Context};
use crate::json::{self, DigestKey};
use crate::prepare::{Delivered, Document, Made, Prepared};

/// The most documents of a push.
pub const DOCUMENTS_MAX: usize = 10_000;
/// The most bytes of a push.
pub const BYTES_MAX: usize = 16 << 20;
/// The bytes that are read where they arrive: fewer take less time than to wake a thread for them.
const HERE_BYTES_MAX: usize = 16 << 10;

/// What a producer pushes.
pub struct Push {
    /// The connector that reads it.
    pub connector: String,
    /// The tenant that it comes from.
    pub instance: String,
    /// The tenant whose tickets it mentions.
    pub ticket_instance: String,
    /// The channel of its positions, such as "grpc".
    pub channel: &'static str,
    /// The documents as the source gives them.
    pub documents: Vec<Vec<u8>>,
    /// A first import of old logs.
    pub backfill: bool,
    /// Times that lost their zone are in UTC.
    pub assume_utc: bool,
    /// How the producer was authenticated.
    pub authentication: Authentication,
}

/// What became of a push.
#[derive(Debug)]
pub struct Pushed {
    /// One for each event, in the order of the documents.
    pub events: Vec<AppendedEvent>,
}

/// Why nothing of a push was taken.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// There is no such connector.
    #[error("there is no connector {0:?}: the connectors are {known}", known = connectors::names().join(", "))]
    NoConnector(String),
    /// The push breaks a limit.
    #[error("{0}")]
    Limit(String),
    /// No tenant is called so.
    #[error("{field}: {error}")]
    Tenant {
        /// Where it stands.
        field: &'static str,
        /// Why not.
        error: EntityError,
    },
    /// The process ends.
    #[error("the service is stopping: {0}")]
    Stopping(String),
    /// The ledger does not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Documents that were read.
pub(crate) struct Ready {
    connector: &'static str,
    /// One for each event of the batch.
    events: Vec<Pushing>,
    batch: Batch,
}

impl Ready {
    /// Events, each with the number of its document.
    pub(crate) fn new(delivered: &Delivered<'_>, prepared: Vec<(u32, Prepared)>) -> Self {
        let is_rejected = |event: &Prepared| matches!(event.made, Made::Rejected(_));
        let pushing =
            |(document, event): &(u32, Prepared)| Pushing { document: *document, is_rejected: is_rejected(event) };
        let events = prepared.iter().map(pushing).collect();
        let prepared = prepared.into_iter().map(|(_, prepared)| prepared.event).collect();
        let batch = Batch { events: prepared, positions: Vec::new() };
        Self { connector: delivered.connector.name(), events, batch }
    }
}

/// An event on its way in.
struct Pushing {
    /// The number of its document in the push.
    document: u32,
    is_rejected: bool,
}

/// The way in for pushes.
pub struct Intake {
    ledger: Arc<Ledger>,
    digest_key: DigestKey,
    now: fn() -> Moment,
    /// Gives randomness that was never used before.
    entropy: fn() -> [u8; 32],
}

impl Intake {
    /// Takes pushes for a ledger.
    pub fn new(ledger: Arc<Ledger>, now: fn() -> Moment, entropy: fn() -> [u8; 32]) -> Self {
        let digest_key = DigestKey::new(*ledger.keys().ingest());
        Self { ledger, digest_key, now, entropy }
    }

    /// The ledger that pushes go to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The key of digests.
    pub(crate) fn digest_key(&self) -> &DigestKey {
        &self.digest_key
    }

    /// The time of pushes.
    pub fn now(&self) -> Moment {
        (self.now)()
    }

    /// Randomness that was never used before.
    pub fn entropy(&self) -> [u8; 32] {
        (self.entropy)()
    }

    /// Takes a push, and answers once it is durable, signed and anchored.
    ///
    /// # Errors
    /// [`PushError`] if nothing was taken. An event that cannot be read is no error: it is recorded as rejected.
    pub async fn push(self: &Arc<Self>, push: Push) -> Result<Pushed, PushError> {
        check(&push)?;
        let is_small = push.documents.iter().map(Vec::len).sum::<usize>() <= HERE_BYTES_MAX;
        let intake = self.clone();
        let ready = work(is_small, move || intake.prepare(push)).await??;
        self.take(ready, is_small).await
    }

    /// Takes what was read, and answers once it is durable, signed and anchored.
    pub(crate) async fn take(self: &Arc<Self>, ready: Ready, is_small: bool) -> Result<Pushed, PushError> {
        let Ready { connector, events, batch } = ready;
        let receipt = self.ledger.append_async(batch).await?;
        let intake = self.clone();
        let appended = move || {
            let settled = receipt.outcomes.iter().zip(&receipt.leaves);
            let appended = events.iter().zip(settled).map(|(event, settled)| intake.appended(event, settled));
            appended.collect::<Result<Vec<_>, _>>()
        };
        let events = work(is_small, appended).await??;
        count_all(connector, &events);
        Ok(Pushed { events })
    }

    /// Reads the documents of a push.
    fn prepare(&self, push: Push) -> Result<Ready, PushError> {
        let connector =
            connectors::by_name(&push.connector).ok_or_else(|| PushError::NoConnector(push.connector.clone()))?;
        let seed_secret = self.entropy();
        let channel = format!("{}/{}", push.channel, json::hex(&seed_secret[..8]));
        let delivered = Delivered {
            connector: connector.as_ref(),
            context: Context {
                instance: &push.instance,
                ticket_system: "freshservice",
                ticket_instance: &push.ticket_instance,
                index_key: self.ledger.keys().index(),
                digest_key: &self.digest_key,
                assume_utc: push.assume_utc,
                received_at: self.now(),
            },
            channel,
            delivery: if push.backfill { Delivery::Backfill } else { Delivery::Live },
            authentication: push.authentication,
            seed_secret,
            retry_of: None,
        };
        let mut prepared = Vec::new();
        for (number, bytes) in (0..).zip(push.documents) {
            let place = format!("document {number}");
            let document = Document { sequence: u64::from(number), bytes, place, ..Document::default() };
            prepared.extend(delivered.prepare(&document).into_iter().map(|event| (number, event)));
        }
        Ok(Ready::new(&delivered, prepared))
    }

    fn appended(
        &self,
        event: &Pushing,
        (outcome, leaf): (&Outcome, &Option<LeafHash>),
    ) -> Result<AppendedEvent, LedgerError> {
        let (outcome, index) = match *outcome {
            Outcome::Recorded(index) if event.is_rejected => (Appended::Rejected, index),
            Outcome::Recorded(index) => (Appended::Recorded, index),
            Outcome::Duplicate(index) => (Appended::Duplicate, index),
            Outcome::Conflict(index) => (Appended::Conflict, index),
        };
        let leaf = match leaf {
            Some(leaf) => *leaf,
            None => record::hash(&self.ledger.reader().record_bytes(index)?),
        };
        let leaf_hash = leaf.0.as_bytes().to_vec();
        Ok(AppendedEvent { document: event.document, outcome: outcome.into(), index: index.0, leaf_hash })
    }
}

/// Does work where it is if it is small, and else in a thread of its own: what takes long must not hold up other callers.
pub(crate) async fn work<T: Send + 'static>(
    is_small: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PushError> {
    match is_small {
        true => Ok(work()),
        false => tokio::task::spawn_blocking(work).await.map_err(|error| PushError::Stopping(error.to_string())),
    }
}

/// Counts what became of events, for whoever watches.
fn count_all(connector: &'static str, events: &[AppendedEvent]) {
    for event in events {
        let outcome = match event.outcome() {
            Appended::Recorded => "recorded",
            Appended::Duplicate => "duplicate",
            Appended::Conflict => "conflict",
            Appended::Rejected | Appended::Unspecified => "rejected",
        };
        count(connector, outcome, 1);
    }
}

/// Counts events by what became of them.
pub fn count(connector: &'static str, outcome: &'static str, events: u64) {
    metrics::counter!("counterfoil_events_total", "connector" => connector, "outcome" => outcome).increment(events);
}

fn check(push: &Push) -> Result<(), PushError> {
    let count = push.documents.len();
    if count == 0 || count > DOCUMENTS_MAX {
        return Err(PushError::Limit(format!("expected 1 to {DOCUMENTS_MAX} documents, got {count}")));
    }
    let bytes: usize = push.documents.iter().map(Vec::len).sum();
    if bytes > BYTES_MAX {
        let why = format!("expected at most {BYTES_MAX} bytes of documents, got {bytes}: push them in parts");
        return Err(PushError::Limit(why));
    }
    for (field, name) in [("instance", &push.instance), ("ticket_instance", &push.ticket_instance)] {
        check_name(name).map_err(|error| PushError::Tenant { field, error })?;
    }
    Ok(())
}
