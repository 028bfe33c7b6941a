//! What lies beside a record, and the commitment that binds it to the record.
//!
//! Owns the salted commitments, their seed and their openings. Every part can be opened, or removed, on its own: after a
//! removal the record's commitment still checks, and nothing about the removed part can be guessed from it.
//!
//! ```text
//! salt_i       = HMAC-SHA-256(seed, "counterfoil/salt/v1" 00 ‖ u32 i)             i = 0: payload; 1, 2, …: values
//! commitment_i = SHA-256("counterfoil/commitment/v1" 00 ‖ salt_i ‖ u32 i ‖ content_i)
//! commitment   = SHA-256("counterfoil/commitments/v1" 00 ‖ u32 n ‖ commitment_0 ‖ … ‖ commitment_n-1)
//! ```
//! An envelope is the last part, and has the number 2^32 - 1: it is never taken for somebody's values.

use counterfoil_proto::v1::{Beside, Sealed, Values};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;

use crate::entity::EntityId;
use crate::hash::{Hash, domain_hash};

/// The length of a seed and of a salt, in bytes.
pub const SALT_BYTES: usize = 32;
/// The number of an envelope.
const ENVELOPE: u32 = u32::MAX;

/// Why what lies beside a record does not belong to it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BesideError {
    /// Other bytes than this version writes.
    #[error("what lies beside the record is not a protobuf message in canonical form")]
    NotCanonical,
    /// A part that nobody can check.
    #[error("part {0} has neither content with a salt nor a commitment")]
    Unopenable(u32),
    /// Content, salt or commitment was changed.
    #[error("what lies beside the record does not match its commitment")]
    Mismatch,
}

/// Seals a payload, the values of entities, and what the event came in, under a fresh seed.
pub fn seal(seed: [u8; SALT_BYTES], payload: Vec<u8>, values: &[Values], envelope: Option<Vec<u8>>) -> Beside {
    let sealed = |content| Sealed { content, ..Sealed::default() };
    Beside {
        seed: seed.to_vec(),
        payload: Some(sealed(payload)),
        values: values.iter().map(|values| sealed(values.encode_to_vec())).collect(),
        envelope: envelope.map(sealed),
    }
}

/// The commitment to all of it, from the contents that are there and the commitments of those that are gone.
pub fn commitment(beside: &Beside) -> Result<Hash, BesideError> {
    let salts = Salts::of(beside);
    let mut parts = Vec::with_capacity(32 * (2 + beside.values.len()));
    let numbered = (0..).zip(beside.payload.iter().chain(&beside.values));
    for (number, sealed) in numbered.chain(beside.envelope.iter().map(|envelope| (ENVELOPE, envelope))) {
        parts.extend_from_slice(part_commitment(&salts, number, sealed)?.as_bytes());
    }
    let count = u32::try_from(parts.len() / 32).map_err(|_| BesideError::NotCanonical)?;
    Ok(domain_hash("counterfoil/commitments/v1", &[&count.to_be_bytes(), &parts]))
}

/// Reads what lies beside a record and checks it against the record's commitment.
pub fn open(bytes: &[u8], expected: &Hash) -> Result<Beside, BesideError> {
    let beside = Beside::decode(bytes).map_err(|_| BesideError::NotCanonical)?;
    if beside.encode_to_vec() != bytes || beside.payload.is_none() {
        return Err(BesideError::NotCanonical);
    }
    if commitment(&beside)? != *expected {
        return Err(BesideError::Mismatch);
    }
    Ok(beside)
}

/// The values of the entities, where they are still there, each with its entity.
pub fn values(beside: &Beside) -> impl Iterator<Item = (EntityId, Values)> {
    beside.values.iter().filter_map(|sealed| {
        let values = Values::decode(sealed.content.as_slice()).ok()?;
        let entity = EntityId::from_bytes(&values.entity).ok()?;
        Some((entity, values))
    })
}

/// Where the salts of the parts come from.
enum Salts {
    /// All derive from the seed.
    Seed(Box<Hmac<Sha256>>),
    /// Each part that survives has its own.
    Own,
    /// The seed has another length.
    Broken,
}

impl Salts {
    fn of(beside: &Beside) -> Self {
        match beside.seed.len() {
            0 => Self::Own,
            SALT_BYTES => {
                let mut mac = Hmac::<Sha256>::new_from_slice(&beside.seed).expect("HMAC takes a key of any length");
                mac.update(b"counterfoil/salt/v1\0");
                Self::Seed(Box::new(mac))
            }
            _ => Self::Broken,
        }
    }
}

fn part_commitment(salts: &Salts, number: u32, sealed: &Sealed) -> Result<Hash, BesideError> {
    let count = number.to_be_bytes();
    let commit = |salt: &[u8]| domain_hash("counterfoil/commitment/v1", &[salt, &count, &sealed.content]);
    match (salts, sealed.salt.len(), sealed.commitment.len()) {
        (Salts::Seed(mac), 0, 0) => {
            let mut mac = mac.as_ref().clone();
            mac.update(&count);
            Ok(commit(&mac.finalize().into_bytes()))
        }
        (Salts::Own, SALT_BYTES, 0) => Ok(commit(&sealed.salt)),
        (Salts::Own, 0, 32) if sealed.content.is_empty() => {
            Hash::from_slice(&sealed.commitment).map_err(|_| BesideError::Unopenable(number))
        }
        _ => Err(BesideError::Unopenable(number)),
    }
}
