//! Succession: the next key of a log, for whoever has a policy with the one before.
//!
//! A log announces its next key in a record. Owns when that is believed: the record is shown to be in the log, under a
//! checkpoint that the key before it signed and that the policy's quorum of witnesses has cosigned, all in one C2SP
//! tlog-proof that carries the record. Whoever stole the key before it can sign such a record too, but has no witnesses for a
//! log that they have not seen grow. It names the key in whose place it comes, so that one which was retired is never believed
//! again. So a policy without a quorum gets no key in this way: it is replaced by a new policy, by
//! the way that it came itself.

use counterfoil_proto::v1::{KeyAnnouncement, Record, record::Body};

use crate::attest::{AttestError, Attested};
use crate::checkpoint::Origin;
use crate::note::{KeyId, NoteError, SignatureType, VerifierKey};
use crate::policy::{Policy, Quorum};
use crate::proof::TlogProof;
use crate::record::{self, RecordError};
use crate::time::RecordedAt;
use crate::tree::RecordIndex;

/// A policy with the next key of a log in the place of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The policy.
    pub policy: Policy,
    /// The key that it named.
    pub former: VerifierKey,
    /// The key that it names now.
    pub key: VerifierKey,
    /// The record that announces it.
    pub index: RecordIndex,
    /// When that was recorded, by the log's clock.
    pub at: RecordedAt,
    /// How many of the policy's witnesses have seen that record.
    pub witnesses: usize,
}

/// Why an announcement is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// The proof holds no record.
    #[error("the proof carries no record: make it with `counterfoil proof INDEX --with-record`")]
    NoRecord,
    /// What it holds is none.
    #[error("read the record that the proof carries")]
    Record(#[source] RecordError),
    /// The record is another one.
    #[error("expected record {proved}, which the proof is of, got record {carried}")]
    Index {
        /// The record that the path leads to.
        proved: RecordIndex,
        /// What the record says that it is.
        carried: u64,
    },
    /// The record announces nothing.
    #[error("record {0} announces no key")]
    NoAnnouncement(RecordIndex),
    /// The record was that of an earlier log, from which this one goes on.
    #[error("record {index} announces a key of {announced}, and this is the log {origin}")]
    OtherLog {
        /// The record.
        index: RecordIndex,
        /// Whose key it announces.
        announced: String,
        /// Whose log it is in.
        origin: Origin,
    },
    /// The record announces a key in the place of another one than the policy names: an earlier announcement, or a later one.
    #[error(
        "record {index} announces a key in the place of another one than that of the policy: take announcements in their \
         order, from the one on that names the policy's key, of the id {known}"
    )]
    OtherKey {
        /// The record.
        index: RecordIndex,
        /// The id of the log's key that the policy names, and that signed the checkpoint.
        known: KeyId,
    },
    /// What is announced is no key.
    #[error("record {index} announces what is no key")]
    Key {
        /// The record.
        index: RecordIndex,
        /// Why not.
        #[source]
        source: NoteError,
    },
    /// Nobody but the key before it stands for the new one.
    #[error(
        "the policy has no quorum of witnesses, and the former key alone is not believed: whoever stole it could announce \
         another one. Get a new policy by the way that this one came"
    )]
    NoWitnesses,
    /// The policy does not accept the checkpoint, or the record is not in its tree.
    #[error("check the proof of the announcement")]
    Attest(#[source] AttestError),
    /// The policy names that key already.
    #[error("the policy names the key of the id {0} already: expected one that it does not have")]
    Known(KeyId),
}

/// Takes the next key of a log into a policy, on a proof of the record that announces it.
///
/// # Errors
/// [`SuccessionError`]; the policy stays as it is then.
pub fn succeed(policy: &Policy, proof: &TlogProof) -> Result<Succession, SuccessionError> {
    if *policy.witnesses().quorum() == Quorum::None {
        return Err(SuccessionError::NoWitnesses);
    }
    let bytes = proof.extra.as_deref().ok_or(SuccessionError::NoRecord)?;
    let attested = Attested::prove(proof, record::hash(bytes), policy).map_err(SuccessionError::Attest)?;
    let record = record::decode(bytes).map_err(SuccessionError::Record)?;
    if record.index != proof.index.0 {
        return Err(SuccessionError::Index { proved: proof.index, carried: record.index });
    }
    let (index, origin) = (proof.index, &attested.checkpoint.origin);
    let said = announcement_of(&record).ok_or(SuccessionError::NoAnnouncement(index))?;
    if said.origin != origin.as_str() {
        let announced = said.origin.clone();
        return Err(SuccessionError::OtherLog { index, announced, origin: origin.clone() });
    }
    if said.former_key != attested.log.public_key() {
        return Err(SuccessionError::OtherKey { index, known: attested.log.id() });
    }
    let key = announced(said, origin).map_err(|source| SuccessionError::Key { index, source })?;
    let policy = policy.succeeded(attested.log, key.clone()).ok_or_else(|| SuccessionError::Known(key.id()))?;
    let at = record::recorded_at(&record);
    Ok(Succession { policy, former: attested.log.clone(), key, index, at, witnesses: attested.witnesses.len() })
}

/// What a record says of a log's next key.
pub fn announcement_of(record: &Record) -> Option<&KeyAnnouncement> {
    match &record.body {
        Some(Body::KeyAnnouncement(said)) => Some(said),
        _ => None,
    }
}

/// The key that is announced to a log of this origin.
///
/// # Errors
/// [`NoteError`] if it is none.
pub fn announced(said: &KeyAnnouncement, origin: &Origin) -> Result<VerifierKey, NoteError> {
    let no_key = NoteError::KeyFormat { expected: "a public key of 32 bytes" };
    let key = said.public_key.as_slice().try_into().map_err(|_| no_key)?;
    VerifierKey::new(origin.key_name(), SignatureType::Ed25519, key)
}
