//! The record's bytes: the canonical form, and nothing else.
//!
//! Owns encoding, decoding and every rule that a record must keep. What this module rejects, nothing above may accept.
//! It never looks at what lies beside a record except through its commitment.
//!
//! ```text
//! 08 01                 format 1
//! 10 2a                 index 42 (left out for 0)
//! 1a 20 <32 bytes>      prev: the leaf hash of record 41
//! 22 .. <time>          recorded_at
//! 2a .. <provenance>    provenance (absent in record 0 and in seals only)
//! 32 20 <32 bytes>      commitment (absent where nothing lies beside)
//! 3a|42|4a|52|5a|62|6a|7a ..  origin | event | event_conflict | source_rejected | source_gap | seal | redaction |
//!                             event_remapped
//! ```

use counterfoil_proto::v1::{Event, EventConflict, Origin, Precision, Provenance, Record, Seal, Time, record::Body};
use prost::Message;

use crate::checkpoint;
use crate::hash::{Hash, LeafHash, domain_hash, leaf_hash};
use crate::identifier::IndexKey;
use crate::rules::{self, Violation};
use crate::seal::Share;
use crate::time::{Moment, RecordedAt};
use crate::tree::RecordIndex;
use crate::view::{EventRecord, Head};

/// The largest record, in bytes: an entry of a tlog-tiles bundle has a length of 16 bits (c2sp.org/tlog-tiles).
pub const RECORD_BYTES_MAX: usize = 65_535;
/// The layout that this version writes and reads.
pub const FORMAT: u32 = 1;

/// Why some bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More bytes than an entry of the log may have.
    #[error("a record of {0} bytes is too large: at most 65,535 are allowed")]
    TooLarge(usize),
    /// Written by a newer version.
    #[error("the record has format {0}: this version reads format 1 only, a newer one is needed")]
    Unreadable(u32),
    /// Other bytes than a protobuf message.
    #[error("the record is not a protobuf message: {0}")]
    NotProtobuf(String),
    /// The same message has another, canonical form.
    #[error("the record is not in canonical form: written again, its bytes differ from byte {0} on")]
    NotCanonical(usize),
    /// The message says something that no record may say.
    #[error("the record breaks a rule: {0}")]
    Rule(#[from] Violation),
}

/// Where a record says that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    index: RecordIndex,
    /// None where it is no hash, which no valid record says.
    prev: Option<LeafHash>,
    recorded_at: RecordedAt,
}

/// Reads a record. Accepts exactly the bytes that [`encode`] gives for a valid record.
pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    match event_in(bytes) {
        Some(_) => from_protobuf(bytes),
        None => decode_any(bytes),
    }
}

/// Reads where a record says that it stands. Accepts what [`decode`] accepts, and says the same of all else.
pub fn decode_place(bytes: &[u8]) -> Result<Place, RecordError> {
    match event_in(bytes) {
        Some(event) => Ok(Place::of_head(&event.head)),
        None => decode_any(bytes).map(|record| Place::of(&record)),
    }
}

/// Reads the record of an event, without copying what it says. None says nothing: it is left to [`decode_any`] then, which
/// makes messages of its bytes.
pub(crate) fn event_in(bytes: &[u8]) -> Option<EventRecord<'_>> {
    if bytes.len() > RECORD_BYTES_MAX {
        return None;
    }
    let record = EventRecord::read(bytes).ok()?;
    match rules::check_event_record(&record) {
        Ok(()) => Some(record),
        Err(_) => None,
    }
}

/// Reads any record, and says what is wrong with what is none.
pub(crate) fn decode_any(bytes: &[u8]) -> Result<Record, RecordError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge(bytes.len()));
    }
    let format = format_of(bytes);
    if format > FORMAT {
        return Err(RecordError::Unreadable(format));
    }
    let record = from_protobuf(bytes)?;
    let again = record.encode_to_vec();
    if again != bytes {
        let same = again.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
        return Err(RecordError::NotCanonical(same));
    }
    rules::check(&record)?;
    Ok(record)
}

fn from_protobuf(bytes: &[u8]) -> Result<Record, RecordError> {
    Record::decode(bytes).map_err(|error| RecordError::NotProtobuf(error.to_string()))
}

/// The format that a record states in its first field; 0 where it states none.
fn format_of(bytes: &[u8]) -> u32 {
    let Some((0x08, mut rest)) = bytes.split_first() else { return 0 };
    prost::encoding::decode_varint(&mut rest).ok().and_then(|format| u32::try_from(format).ok()).unwrap_or_default()
}

/// Writes a record in canonical form, if it keeps every rule.
pub fn encode(record: &Record) -> Result<Vec<u8>, RecordError> {
    rules::check(record)?;
    let bytes = record.encode_to_vec();
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

/// The part of a record that does not depend on its place in the log: provenance, commitment and body.
///
/// It is encoded where the event is read, in parallel; the owner of the log puts the head before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTail {
    bytes: Vec<u8>,
    share: Share,
}

impl RecordTail {
    /// Encodes the tail, if a record with it keeps every rule and stays within the size limit in any place.
    pub fn new(provenance: Provenance, commitment: Option<Hash>, body: Body) -> Result<Self, RecordError> {
        let record = Record {
            provenance: Some(provenance),
            commitment: commitment.map(|hash| hash.as_bytes().to_vec()).unwrap_or_default(),
            body: Some(body),
            ..Record::default()
        };
        rules::check_tail(&record)?;
        Self::encoded(&record)
    }

    /// The tail of a seal.
    pub fn of_seal(seal: Seal) -> Result<Self, RecordError> {
        rules::check_seal(&seal)?;
        Self::encoded(&Record { body: Some(Body::Seal(seal)), ..Record::default() })
    }

    fn encoded(tail: &Record) -> Result<Self, RecordError> {
        let bytes = tail.encode_to_vec();
        if bytes.len() + HEAD_BYTES_MAX > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge(bytes.len() + HEAD_BYTES_MAX));
        }
        Ok(Self { bytes, share: Share::of(tail) })
    }

    /// The record's bytes at its place: the same as [`encode`] gives for the whole record.
    pub fn at(&self, index: RecordIndex, prev: LeafHash, recorded_at: RecordedAt) -> Vec<u8> {
        let head = Record {
            format: FORMAT,
            index: index.0,
            prev: prev.0.as_bytes().to_vec(),
            recorded_at: Some(recorded_at.0.to_time(Precision::Nanosecond)),
            ..Record::default()
        };
        let mut bytes = Vec::with_capacity(HEAD_BYTES_MAX + self.bytes.len());
        head.encode(&mut bytes).expect("a Vec grows as needed");
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// The tail of the record that says: this event came again, with other content than record `first` holds.
    pub fn conflict_with(&self, first: RecordIndex) -> Self {
        let tail = self.decoded();
        let body = Body::EventConflict(EventConflict { first_index: first.0 });
        let tail = Record { body: Some(body), ..tail };
        Self { bytes: tail.encode_to_vec(), share: Share::of(&tail) }
    }

    /// Where the record is said to come from.
    pub fn provenance(&self) -> Provenance {
        self.decoded().provenance.unwrap_or_default()
    }

    /// What the record brings to the seals behind it, wherever it stands.
    pub fn share(&self) -> &Share {
        &self.share
    }

    fn decoded(&self) -> Record {
        Record::decode(self.bytes.as_slice()).expect("a tail is a valid message")
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// The most that format, index, prev and recorded_at take: 2 + 11 + 34 + 2 + (11 + 6 + 2) bytes.
pub const HEAD_BYTES_MAX: usize = 68;

/// What `prev` of record 0 is: the domain hash of the origin.
pub fn origin_hash(origin: &str) -> LeafHash {
    LeafHash(domain_hash("counterfoil/origin/v1", &[origin.as_bytes()]))
}

/// Record 0.
pub fn origin_record(origin: Origin, recorded_at: Time) -> Record {
    Record {
        format: FORMAT,
        index: 0,
        prev: origin_hash(&origin.origin).0.as_bytes().to_vec(),
        recorded_at: Some(recorded_at),
        provenance: None,
        commitment: Vec::new(),
        body: Some(Body::Origin(origin)),
    }
}

/// Checks that a record stands where it says and follows the one before it. `previous` is the leaf hash and the time of
/// the record before it; none for record 0.
pub fn check_link(
    record: &Record,
    index: RecordIndex,
    previous: Option<(LeafHash, RecordedAt)>,
) -> Result<(), Violation> {
    let first = match (&record.body, previous) {
        (Some(Body::Origin(origin)), None) => Some((origin_hash(&origin.origin), RecordedAt(Moment::MIN))),
        _ => None,
    };
    Place::of(record).check(index, previous.or(first))
}

impl Place {
    /// Of a record.
    pub fn of(record: &Record) -> Self {
        Self::of_head(&Head::of(record))
    }

    pub(crate) fn of_head(head: &Head<'_>) -> Self {
        Self {
            index: RecordIndex(head.index),
            prev: Hash::from_slice(head.prev).ok().map(LeafHash),
            recorded_at: RecordedAt(head.recorded_at.as_ref().map_or(Moment::MIN, Moment::of)),
        }
    }

    /// When the ledger learned the record.
    pub fn recorded_at(&self) -> RecordedAt {
        self.recorded_at
    }

    /// Whether it says that it follows the record with this hash.
    pub(crate) fn follows(&self, leaf: LeafHash) -> bool {
        self.prev == Some(leaf)
    }

    /// [`check_link`] of any record but the first.
    pub fn check(&self, index: RecordIndex, previous: Option<(LeafHash, RecordedAt)>) -> Result<(), Violation> {
        if self.index != index {
            return Err(Violation(format!("index {} stands at place {index}", self.index)));
        }
        let Some((leaf, earliest)) = previous else {
            return Err(Violation("record 0 states no origin".to_owned()));
        };
        if !self.follows(leaf) {
            return Err(Violation("prev is not the hash of the record before it".to_owned()));
        }
        if self.recorded_at < earliest {
            return Err(Violation("recorded_at is earlier than that of the record before it".to_owned()));
        }
        Ok(())
    }

    /// See [`first_bad`].
    pub(crate) fn first_bad(
        &self,
        index: RecordIndex,
        previous: Option<(LeafHash, RecordedAt)>,
        is_followed: bool,
    ) -> RecordIndex {
        let is_hash_wrong = previous.is_some_and(|(leaf, _)| !self.follows(leaf));
        match is_hash_wrong && self.index == index && is_followed {
            true => RecordIndex(index.0 - 1),
            false => index,
        }
    }
}

/// Which of two records was changed, where the latter does not keep [`check_link`]: the former, if nothing but the hash is
/// wrong with the latter and the record behind that follows it; else the latter.
pub fn first_bad(
    record: &Record,
    index: RecordIndex,
    previous: Option<(LeafHash, RecordedAt)>,
    is_followed: bool,
) -> RecordIndex {
    Place::of(record).first_bad(index, previous, is_followed)
}

/// Checks that this is the first record of a log: it states the origin, and is committed to the key of tokens, where that is
/// known.
pub fn check_origin(
    first: Option<&Record>,
    origin: &checkpoint::Origin,
    index_key: Option<&IndexKey>,
) -> Result<(), Violation> {
    let Some(Body::Origin(stated)) = first.and_then(|record| record.body.as_ref()) else {
        return Err(Violation("record 0 does not say which log it is of".to_owned()));
    };
    if stated.origin != origin.as_str() {
        return Err(Violation(format!("record 0 is of the log {}", stated.origin)));
    }
    match index_key.map(|key| key.commitment()) {
        Some(commitment) if *commitment.as_bytes() != stated.index_key_commitment[..] => {
            Err(Violation("record 0 has another index key than the policy".to_owned()))
        }
        _ => Ok(()),
    }
}

/// What a record says of an event: as it first came, or as it was read again.
pub fn event_of(record: &Record) -> Option<&Event> {
    match &record.body {
        Some(Body::Event(event)) => Some(event),
        Some(Body::EventRemapped(remapped)) => remapped.event.as_ref(),
        _ => None,
    }
}

/// When the ledger learned a record.
pub fn recorded_at(record: &Record) -> RecordedAt {
    Place::of(record).recorded_at
}

/// The leaf hash of a record's bytes.
pub fn hash(bytes: &[u8]) -> LeafHash {
    leaf_hash(bytes)
}
