//! Owns the C2SP cosignature/v1 with Ed25519, which a witness or a replayer adds to a checkpoint:
//!
//! ```text
//! cosignature/v1
//! time 1700000000
//! example.com/auditledger
//! 7
//! 3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=
//! ```
//!
//! Signs without randomness or clock. Never decides whether a checkpoint may be cosigned: whoever has the key
//! does, once it is known to extend all that was cosigned before, and that is kept.

use std::fmt;

use ed25519_dalek::Signer;
use zeroize::Zeroizing;

use super::{
    CosignedAt, KeyId, KeyName, NoteError, Signature, SignatureType, VerifierKey, check_text, format_private,
    parse_private,
};

/// A private Ed25519 key under a name, which cosigns checkpoints as type 0x04. Wiped from memory on drop;
/// `Debug` shows the public half only.
pub struct CosigningKey {
    name: KeyName,
    private_key: ed25519_dalek::SigningKey,
}

impl CosigningKey {
    /// The key with this name and 32-byte Ed25519 seed (RFC 8032 section 5.1.5).
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> CosigningKey {
        CosigningKey { name, private_key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    /// Reads `PRIVATE+KEY+name+id+base64(0x04 || seed)`, which is Go's private form with a cosigner's type.
    ///
    /// # Errors
    /// [`NoteError::KeyFormat`] or [`NoteError::KeyIdMismatch`]; neither shows the seed.
    pub fn parse(text: &str) -> Result<CosigningKey, NoteError> {
        let (name, id, seed) = parse_private(text, SignatureType::Cosignature)?;
        let key = CosigningKey::from_seed(name, &seed);
        key.id().check(id, &key.name)?;
        Ok(key)
    }

    /// The private form of the key, as [`CosigningKey::parse`] reads it. **Secret**; wiped on drop.
    pub fn to_text(&self) -> Zeroizing<String> {
        format_private(&self.name, self.id(), SignatureType::Cosignature, self.private_key.as_bytes())
    }

    /// The signature line under the text of a checkpoint (C2SP tlog-cosignature, "Ed25519 signatures").
    ///
    /// # Errors
    /// [`NoteError::NotText`], [`NoteError::TooLong`], or [`NoteError::NoteFormat`] unless the text ends with
    /// a newline and the time is at most `2^63 - 1`.
    pub fn cosign(&self, text: &str, at: CosignedAt) -> Result<Signature, NoteError> {
        check_text(text.as_bytes())?;
        if !text.ends_with('\n') {
            return Err(NoteError::NoteFormat { expected: "a text that ends with a newline" });
        }
        i64::try_from(at.0).map_err(|_| NoteError::NoteFormat { expected: "a time of at most 2^63 - 1 seconds" })?;
        let signature = self.private_key.sign(message(at, text).as_bytes());
        let bytes = [&at.0.to_be_bytes()[..], &signature.to_bytes()].concat();
        Ok(Signature { name: self.name.clone(), id: self.id(), bytes })
    }

    /// The public half.
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            id: self.id(),
            signature_type: SignatureType::Cosignature,
            public_key: self.private_key.verifying_key(),
        }
    }

    fn id(&self) -> KeyId {
        let public_key = self.private_key.verifying_key();
        KeyId::derive(&self.name, SignatureType::Cosignature, public_key.as_bytes())
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id) = (&self.name, self.id());
        formatter.debug_struct("CosigningKey").field("name", name).field("id", &id).finish_non_exhaustive()
    }
}

/// What a cosignature is over.
pub(super) fn message(CosignedAt(time): CosignedAt, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}
