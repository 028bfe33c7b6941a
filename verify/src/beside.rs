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
pub const ENVELOPE: u32 = u32::MAX;

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
    /// No such part ever lay beside the record.
    #[error("part {0} never lay beside the record")]
    NoSuchPart(u32),
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
    let mut commitments = Vec::with_capacity(32 * (2 + beside.values.len()));
    for (number, sealed) in parts(beside) {
        commitments.extend_from_slice(part_commitment(&salts, number, sealed)?.as_bytes());
    }
    let count = u32::try_from(commitments.len() / 32).map_err(|_| BesideError::NotCanonical)?;
    Ok(domain_hash("counterfoil/commitments/v1", &[&count.to_be_bytes(), &commitments]))
}

/// Every part with its number, whether it is still there or not.
pub fn parts(beside: &Beside) -> impl Iterator<Item = (u32, &Sealed)> {
    let numbered = (0..).zip(beside.payload.iter().chain(&beside.values));
    numbered.chain(beside.envelope.iter().map(|envelope| (ENVELOPE, envelope)))
}

/// Whether a part was removed: its commitment is all that is left.
pub fn is_removed(sealed: &Sealed) -> bool {
    !sealed.commitment.is_empty()
}

/// What is left once these parts, which may be gone already, are removed: nothing of their contents and salts, nor of the
/// seed. The commitment to all of it stays what it was.
///
/// # Errors
/// [`BesideError`] if there never was such a part, or if nobody can check one.
pub fn remove(beside: &Beside, numbers: &[u32]) -> Result<Beside, BesideError> {
    let salts = Salts::of(beside);
    let known: Vec<u32> = parts(beside).map(|(number, _)| number).collect();
    if let Some(number) = numbers.iter().find(|number| !known.contains(number)) {
        return Err(BesideError::NoSuchPart(*number));
    }
    let rest = |number: u32, sealed: &Sealed| -> Result<Sealed, BesideError> {
        if numbers.contains(&number) {
            let commitment = part_commitment(&salts, number, sealed)?.as_bytes().to_vec();
            return Ok(Sealed { commitment, ..Sealed::default() });
        }
        match &salts {
            Salts::Seed(mac) => Ok(Sealed { salt: salt(mac, number), ..sealed.clone() }),
            Salts::Own | Salts::Broken => Ok(sealed.clone()),
        }
    };
    let numbered = (1..).zip(&beside.values);
    Ok(Beside {
        seed: Vec::new(),
        payload: beside.payload.as_ref().map(|payload| rest(0, payload)).transpose()?,
        values: numbered.map(|(number, values)| rest(number, values)).collect::<Result<_, _>>()?,
        envelope: beside.envelope.as_ref().map(|envelope| rest(ENVELOPE, envelope)).transpose()?,
    })
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

/// The values of the entities, where they are still there, each with its entity. What is not in canonical form is nobody's.
pub fn values(beside: &Beside) -> impl Iterator<Item = (EntityId, Values)> {
    beside.values.iter().filter_map(|sealed| {
        let values = Values::decode(sealed.content.as_slice()).ok()?;
        if values.encode_to_vec() != sealed.content {
            return None;
        }
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

/// The salt of a part.
fn salt(mac: &Hmac<Sha256>, number: u32) -> Vec<u8> {
    let mut mac = mac.clone();
    mac.update(&number.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn part_commitment(salts: &Salts, number: u32, sealed: &Sealed) -> Result<Hash, BesideError> {
    let count = number.to_be_bytes();
    let commit = |salt: &[u8]| domain_hash("counterfoil/commitment/v1", &[salt, &count, &sealed.content]);
    match (salts, sealed.salt.len(), sealed.commitment.len()) {
        (Salts::Seed(mac), 0, 0) => Ok(commit(&salt(mac, number))),
        (Salts::Own, SALT_BYTES, 0) => Ok(commit(&sealed.salt)),
        (Salts::Own, 0, 32) if sealed.content.is_empty() => {
            Hash::from_slice(&sealed.commitment).map_err(|_| BesideError::Unopenable(number))
        }
        _ => Err(BesideError::Unopenable(number)),
    }
}
