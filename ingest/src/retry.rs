//! Retry: a dead letter, read again from what the ledger kept of it.
//!
//! Owns the way from a rejected record back to a document, and from there into the ledger. What it gives has the place and
//! the producer of the letter, and names it; no position is moved. A letter that cannot be read still adds nothing: the
//! ledger has it already.

use std::sync::Arc;

use counterfoil_ledger::{ContentDigest, LedgerError, Reader};
use counterfoil_proto::v1::{Beside, Provenance, RejectReason, record::Body};
use counterfoil_verify::entity::{EntityError, check_name};
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;
use tokio::sync::Semaphore;

use crate::connectors::{self, Context};
use crate::intake::{Intake, PushError, Pushed, Ready, work};
use crate::json::Reject;
use crate::letter::{self, Reading};
use crate::prepare::{Delivered, Document, Made, Prepared};
use crate::sources::documents::DOCUMENT_BYTES_MAX;
use crate::sources::kafka::{self, Cluster};

/// Retries at a time: a letter may be as large as a document.
const RETRIES_MAX: usize = 2;
/// What the channels of listings begin with.
const LISTING: &str = "listing/";

/// What is retried, and what has changed since.
pub struct Retry {
    /// The record of the dead letter.
    pub record: RecordIndex,
    /// Times that lost their zone are in UTC; otherwise it is as it was.
    pub assume_utc: bool,
    /// The tenant whose tickets it mentions, where that is another one than it was.
    pub ticket_instance: Option<String>,
}

/// What became of a dead letter.
pub enum Retried {
    /// It could be read.
    PutThrough(Pushed),
    /// It cannot be read still, and nothing was appended.
    Still {
        /// Why.
        reason: RejectReason,
        /// In words, which may repeat what it says.
        error: String,
    },
}

/// Why a dead letter was not read again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The record holds something else than an event that could not be read, if there is such a record.
    #[error("{0} is no rejected event: list them to see which are")]
    NotRejected(String),
    /// Only the beginning was kept.
    #[error("of the {size} bytes of record {record} only the beginning was kept: deliver it again in parts")]
    Cut {
        /// The letter.
        record: RecordIndex,
        /// How large it was.
        size: u64,
    },
    /// Its bytes, or how they were read, are not there any more.
    #[error("what lay beside record {0} was removed: there is nothing to read again")]
    Gone(RecordIndex),
    /// It is a page or an element of a listing.
    #[error("record {0} is a part of a listing of live access: take the listing again, as it is now")]
    OfListing(RecordIndex),
    /// No tenant is called so.
    #[error("ticket_instance: {0}")]
    Tenant(EntityError),
    /// The ledger did not take it, or not answer.
    #[error(transparent)]
    Push(#[from] PushError),
}

impl From<LedgerError> for RetryError {
    fn from(error: LedgerError) -> Self {
        Self::Push(error.into())
    }
}

/// The way in for dead letters.
#[derive(Clone)]
pub struct Retries {
    intake: Arc<Intake>,
    clusters: Arc<[Arc<Cluster>]>,
    turns: Arc<Semaphore>,
}

/// What reading again came to.
enum Read {
    Ready(Ready),
    Still { reason: RejectReason, error: String },
}

/// A dead letter as the ledger has it.
struct Letter {
    provenance: Provenance,
    payload: Vec<u8>,
    reading: Reading,
    document: Document,
}

impl Retries {
    /// Retries into the ledger of an intake. Values that no document could be made of are read in the formats of the
    /// topics of these clusters.
    pub fn new(intake: Arc<Intake>, clusters: Vec<Arc<Cluster>>) -> Self {
        Self { intake, clusters: clusters.into(), turns: Arc::new(Semaphore::new(RETRIES_MAX)) }
    }

    /// Reads a dead letter again, and answers once what it gave is durable, signed and anchored.
    ///
    /// # Errors
    /// [`RetryError`] if it was not read. One that cannot be read still is no error.
    pub async fn retry(&self, retry: Retry) -> Result<Retried, RetryError> {
        if let Some(instance) = &retry.ticket_instance {
            check_name(instance).map_err(RetryError::Tenant)?;
        }
        let _turn = self.turns.acquire().await.map_err(|error| PushError::Stopping(error.to_string()))?;
        let again = self.clone();
        match work(false, move || again.read(&retry)).await?? {
            Read::Still { reason, error } => Ok(Retried::Still { reason, error }),
            Read::Ready(ready) => Ok(Retried::PutThrough(self.intake.take(ready, false).await?)),
        }
    }

    fn read(&self, retry: &Retry) -> Result<Read, RetryError> {
        let ledger = self.intake.ledger();
        let Letter { provenance, payload, reading, mut document } = Letter::open(&ledger.reader(), retry.record)?;
        let connector = connectors::by_name(&provenance.connector)
            .ok_or_else(|| PushError::NoConnector(provenance.connector.clone()))?;
        let (delivery, authentication) = (provenance.delivery(), provenance.authentication());
        let (source, position) = (provenance.source.unwrap_or_default(), provenance.position.unwrap_or_default());
        let digest_key = self.intake.digest_key();
        let delivered = Delivered {
            connector: connector.as_ref(),
            context: Context {
                instance: &source.instance,
                ticket_system: "freshservice",
                ticket_instance: retry.ticket_instance.as_deref().unwrap_or(&reading.ticket_instance),
                index_key: ledger.keys().index(),
                digest_key,
                assume_utc: retry.assume_utc || !provenance.assumed_zone.is_empty(),
                received_at: self.intake.now(),
            },
            channel: position.channel,
            delivery,
            authentication,
            seed_secret: self.intake.entropy(),
            retry_of: Some(retry.record),
        };
        if reading.undecoded {
            kafka::decode_again(&self.clusters, &delivered, &mut document);
        }
        // Where its bytes made it itself, its content was not known.
        let content = ContentDigest::try_from(provenance.content_digest.as_slice()).ok();
        let content = content.filter(|content| *content != letter::digest_of_bytes(&payload, digest_key));
        let prepared = delivered.prepare_again(&document, reading.event.as_ref().map(|event| (event, content)));
        if let Some(Reject { reason, message }) = still_rejected(&prepared) {
            return Ok(Read::Still { reason, error: message });
        }
        Ok(Read::Ready(Ready::new(&delivered, prepared.into_iter().map(|event| (0, event)).collect())))
    }
}

impl Letter {
    fn open(reader: &Reader, index: RecordIndex) -> Result<Self, RetryError> {
        let record = match reader.record(index) {
            Err(LedgerError::NoSuchRecord { size, .. }) => {
                return Err(RetryError::NotRejected(format!("record {index} of {size}")));
            }
            record => record?,
        };
        let Some(Body::SourceRejected(rejected)) = &record.body else {
            return Err(RetryError::NotRejected(format!("record {index}")));
        };
        let provenance = record.provenance.unwrap_or_default();
        let position = provenance.position.clone().unwrap_or_default();
        if position.channel.starts_with(LISTING) {
            return Err(RetryError::OfListing(index));
        }
        if rejected.size > DOCUMENT_BYTES_MAX as u64 {
            return Err(RetryError::Cut { record: index, size: rejected.size });
        }
        let Beside { payload, envelope, .. } = reader.beside(index)?.unwrap_or_default();
        // What was removed leaves its commitment.
        let payload = payload.filter(|payload| payload.commitment.is_empty()).ok_or(RetryError::Gone(index))?.content;
        let envelope = envelope.unwrap_or_default().content;
        let (reading, came_in) = Reading::take_from(&envelope).ok_or(RetryError::Gone(index))?;
        let (seconds, nanos) = reading.received_at;
        let document = Document {
            sequence: position.sequence,
            bytes: payload.clone(),
            place: format!("dead letter {index}"),
            envelope: (!came_in.is_empty()).then(|| serde_json::Value::Object(came_in).to_string()),
            received_at: Some(Moment { seconds, nanos }),
            undecoded: reading.undecoded,
            ..Document::default()
        };
        Ok(Self { provenance, payload, reading, document })
    }
}

/// Why nothing of it can be read; none where something can.
fn still_rejected(prepared: &[Prepared]) -> Option<Reject> {
    let why = |prepared: &Prepared| match prepared.made {
        Made::Rejected(reason) => {
            let beside = prepared.event.beside.as_deref().and_then(|beside| Beside::decode(beside).ok());
            Some(Reject::new(reason, beside.as_ref().and_then(letter::words).unwrap_or_default()))
        }
        Made::Event(_) | Made::Gap => None,
    };
    let first = prepared.first().map_or_else(|| Some(Reject::new(RejectReason::NotAnEvent, "it holds no event")), why);
    first.filter(|_| prepared.iter().all(|prepared| matches!(prepared.made, Made::Rejected(_))))
}
