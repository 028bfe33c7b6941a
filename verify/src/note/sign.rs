//! Owns the private keys of logs (C2SP signed-note, type 0x01), alone and with the one beside it while a log's key changes.

use std::fmt;

use ed25519_dalek::Signer;
use zeroize::Zeroizing;

use super::{
    KeyId, KeyName, NOTE_BYTES_MAX, Note, NoteError, Signature, SignatureType, VerifierKey, check_text, format_private,
    parse_private,
};

/// A private Ed25519 key under a name, which signs notes as type 0x01. Wiped from memory on drop;
/// `Debug` shows the public half only.
pub struct SigningKey {
    name: KeyName,
    private_key: ed25519_dalek::SigningKey,
    beside: Option<ed25519_dalek::SigningKey>,
}

impl SigningKey {
    /// The key with this name and 32-byte Ed25519 seed (RFC 8032 section 5.1.5).
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> SigningKey {
        SigningKey { name, private_key: ed25519_dalek::SigningKey::from_bytes(seed), beside: None }
    }

    /// The public half of the key with this seed, under whatever name.
    pub fn public_half(seed: &[u8; 32]) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes()
    }

    /// Has another key of the same name sign beside this one, whatever this one signs: whoever knows either finds a
    /// signature. A log does so while its key changes.
    #[must_use]
    pub fn with_beside(self, other: &[u8; 32]) -> SigningKey {
        SigningKey { beside: Some(ed25519_dalek::SigningKey::from_bytes(other)), ..self }
    }

    /// Reads the private form of Go's note package: `PRIVATE+KEY+name+id+base64(0x01 || seed)`.
    ///
    /// # Errors
    /// [`NoteError::KeyFormat`] or [`NoteError::KeyIdMismatch`]; neither shows the seed.
    pub fn parse(text: &str) -> Result<SigningKey, NoteError> {
        let (name, id, seed) = parse_private(text, SignatureType::Ed25519)?;
        let key = SigningKey::from_seed(name, &seed);
        key.id().check(id, &key.name)?;
        Ok(key)
    }

    /// The private form of the key, as [`SigningKey::parse`] reads it. **Secret**; wiped on drop.
    pub fn to_text(&self) -> Zeroizing<String> {
        format_private(&self.name, self.id(), SignatureType::Ed25519, self.private_key.as_bytes())
    }

    /// Signs a text: the note with this one signature, and that of the key beside it, if there is one. The same text gives the same bytes.
    ///
    /// # Errors
    /// [`NoteError::NotText`], [`NoteError::TooLong`], or [`NoteError::NoteFormat`] unless the text ends
    /// with a newline.
    pub fn sign(&self, text: &str) -> Result<Note, NoteError> {
        check_text(text.as_bytes())?;
        if !text.ends_with('\n') {
            return Err(NoteError::NoteFormat { expected: "a text that ends with a newline" });
        }
        let signature = |key: &ed25519_dalek::SigningKey| Signature {
            name: self.name.clone(),
            id: id_of(&self.name, key),
            bytes: key.sign(text.as_bytes()).to_bytes().to_vec(),
        };
        let signatures = std::iter::once(&self.private_key).chain(&self.beside).map(signature).collect();
        let note = Note { text: text.to_owned(), signatures };
        match note.format().len() {
            found if found > NOTE_BYTES_MAX => Err(NoteError::TooLong { found }),
            _ => Ok(note),
        }
    }

    /// The signature over these bytes. Whoever signs what is no note sees to it that it is no text either, since the text of
    /// every note is one.
    #[cfg(feature = "cose")]
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.private_key.sign(message).to_bytes()
    }

    /// The name of the key.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The public half.
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            id: self.id(),
            signature_type: SignatureType::Ed25519,
            public_key: self.private_key.verifying_key(),
        }
    }

    fn id(&self) -> KeyId {
        id_of(&self.name, &self.private_key)
    }
}

fn id_of(name: &KeyName, key: &ed25519_dalek::SigningKey) -> KeyId {
    KeyId::derive(name, SignatureType::Ed25519, key.verifying_key().as_bytes())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("name", &self.name).field("id", &self.id()).finish_non_exhaustive()
    }
}
