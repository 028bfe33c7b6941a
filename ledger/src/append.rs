//! What ingest hands to the ledger, and what it gets back.
//!
//! Owns the shapes at the door of the owner thread. It never touches storage.

use counterfoil_proto::v1::{Provenance, Redaction, Source, record::Body};
use counterfoil_verify::hash::{Hash, LeafHash, domain_hash};
use counterfoil_verify::record::{RecordError, RecordTail};
use counterfoil_verify::rules::CONTENT_DIGEST_BYTES;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

/// What makes an event known again: its source's system and instance, and its event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(pub(crate) [u8; 16]);

/// A keyed digest of an event's parsed content.
pub type ContentDigest = [u8; CONTENT_DIGEST_BYTES];

impl EventKey {
    /// The key of an event.
    pub fn new(source: &Source, event_id: &str) -> Self {
        let length = |text: &str| (text.len() as u64).to_be_bytes();
        Self::truncated(domain_hash(
            "counterfoil/event/v1",
            &[
                &length(&source.system),
                source.system.as_bytes(),
                &length(&source.instance),
                source.instance.as_bytes(),
                event_id.as_bytes(),
            ],
        ))
    }

    /// The key of further content under an event id that is known with other content.
    pub(crate) fn conflict(&self, content: &ContentDigest) -> Self {
        Self::truncated(domain_hash("counterfoil/event-conflict/v1", &[&self.0, content]))
    }

    /// The key of the reading that replaces one of the event, whose first record is `reading`: each is replaced once.
    pub fn remapped(&self, reading: RecordIndex) -> Self {
        Self::truncated(domain_hash("counterfoil/event-remapped/v1", &[&self.0, &reading.0.to_be_bytes()]))
    }

    fn truncated(hash: Hash) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        Self(key)
    }
}

/// Which counter the duplicates of a source go to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// Such as "okta".
    pub system: String,
    /// The tenant.
    pub instance: String,
    /// Which of its logs or listings.
    pub stream: String,
    /// The connector that read it.
    pub connector: String,
}

/// One event, encoded as far as that is possible before its place in the log is known.
#[derive(Clone, Debug)]
pub struct PreparedEvent {
    /// Its records: one, or as many as its facts need.
    pub tails: Vec<RecordTail>,
    /// What lies beside the first of them, encoded.
    pub beside: Option<Vec<u8>>,
    /// What makes the event itself.
    pub key: EventKey,
    /// What makes its content itself.
    pub content: ContentDigest,
    /// What it removes.
    pub(crate) redaction: Option<Redaction>,
}

impl PreparedEvent {
    /// Encodes an event of one body for each record. `commitment` and `beside` belong to the first.
    ///
    /// # Errors
    /// [`RecordError`] if a record would break a rule or the size limit.
    pub fn new(
        provenance: Provenance,
        bodies: Vec<Body>,
        commitment: Option<Hash>,
        beside: Option<Vec<u8>>,
    ) -> Result<Self, RecordError> {
        let source = provenance.source.clone().unwrap_or_default();
        let event = EventKey::new(&source, &provenance.event_id);
        let key = match bodies.first() {
            Some(Body::EventRemapped(remapped)) => event.remapped(RecordIndex(remapped.replaces)),
            _ => event,
        };
        let redaction = match bodies.first() {
            Some(Body::Redaction(redaction)) => Some(redaction.clone()),
            _ => None,
        };
        let content = ContentDigest::try_from(provenance.content_digest.as_slice()).unwrap_or_default();
        let tails = bodies
            .into_iter()
            .enumerate()
            .map(|(part, body)| RecordTail::new(provenance.clone(), commitment.filter(|_| part == 0), body))
            .collect::<Result<_, _>>()?;
        Ok(Self { tails, beside, key, content, redaction })
    }

    /// Which counter it goes to where it is known.
    pub(crate) fn source(&self) -> Option<SourceKey> {
        let Provenance { source, connector, .. } = self.tails.first()?.provenance();
        let Source { system, instance, stream } = source.unwrap_or_default();
        Some(SourceKey { system, instance, stream, connector })
    }

    pub(crate) fn size(&self) -> usize {
        self.tails.iter().map(RecordTail::size).sum::<usize>() + self.beside.as_ref().map_or(0, Vec::len)
    }
}

/// Events that are committed together, with the positions that they bring their source to.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In the source's order.
    pub events: Vec<PreparedEvent>,
    /// What it takes in of channels.
    pub positions: Vec<Advance>,
}

/// What a batch takes in of a channel: everything between two positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The channel.
    pub channel: String,
    /// The next event's sequence number before the batch: the ledger has to stand there, so that nothing is left out
    /// where an earlier batch was not taken, and nobody else reads the same channel.
    pub from: u64,
    /// Where the channel goes on after the batch.
    pub to: ChannelPosition,
}

/// How far a channel of a source has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelPosition {
    /// The sequence number of the next event.
    pub next: u64,
    /// The channel has ended, as a file does.
    pub complete: bool,
    /// The last event that was read, where whoever reads the channel wants to recognise it.
    pub last: Option<LastRead>,
}

/// An event of a channel that can be recognised when it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRead {
    /// Its sequence number.
    pub sequence: u64,
    /// A keyed digest of its bytes.
    pub digest: ContentDigest,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is recorded, from this record on.
    Recorded(RecordIndex),
    /// It was known, with the same content; this record holds it.
    Duplicate(RecordIndex),
    /// It was known with other content; this record says so.
    Conflict(RecordIndex),
}

/// The answer to a batch, given once it is durable, signed and anchored.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// One for each event, in order.
    pub outcomes: Vec<Outcome>,
    /// The leaf hash of the first record of each, in the same order; none of what was known, which the reader has.
    pub leaves: Vec<Option<LeafHash>>,
    /// The size of the tree that holds them all.
    pub size: TreeSize,
}
