//! Owns C2SP signed notes and the keys that sign and verify them:
//!
//! ```text
//! example.com/auditledger
//! 7
//! 3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=
//!
//! — example.com/auditledger /46KFSuxb24FTwrNeOrZ3VWNY0oSd3d2MZVwgqqbIFl/YVAG6KkxDcUrq12FMRH2...
//! ```
//!
//! Signs and verifies without randomness or clock. Never says what the text of a note means, and never
//! shows a private key except through [`SigningKey::to_text`] and [`CosigningKey::to_text`].

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

mod cosign;
mod sign;

pub use cosign::CosigningKey;
pub use sign::SigningKey;

/// Bytes of a note, at most: 100 signature lines of 7 KB (a post-quantum signature of 5 KB in base64)
/// leave more than 300 KB for the text.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// Signature lines of a note, at most. C2SP signed-note asks for at least 16.
pub const SIGNATURES_MAX: usize = 100;

/// A text and the signatures under it, well-formed but **not verified** (C2SP signed-note, "Format").
/// One note has one spelling: what [`Note::parse`] accepts, [`Note::format`] gives back byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line of a note, not verified. `Display` writes it, without the newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: KeyName,
    id: KeyId,
    bytes: Vec<u8>,
}

/// A signature that verified, and the key it verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedSignature<'k> {
    /// The key, from the list given to [`Note::verify`].
    pub key: &'k VerifierKey,
    /// When a cosigner says it saw the checkpoint; `None` for a plain signature.
    pub cosigned_at: Option<CosignedAt>,
}

/// The time in a cosignature, on the cosigner's word: seconds since the POSIX epoch, at most `2^63 - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CosignedAt(pub u64);

/// What a key signs, and in what shape (C2SP signed-note, "Signature types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureType {
    /// 0x01: Ed25519 over the text of the note, 64 bytes.
    Ed25519,
    /// 0x04: Ed25519 over time and checkpoint, 8 bytes of time before 64 of signature
    /// (C2SP tlog-cosignature).
    Cosignature,
}

/// The first four bytes of `SHA-256(name || 0x0A || type || public key)`. With the name it tells keys
/// apart; it is no hash to rely on. `Display` writes 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; 4]);

/// The name of a key: not empty, without Unicode spaces, `+` or control characters (C2SP signed-note).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// A public key under a name, which verifies signatures. Its text is a C2SP vkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    signature_type: SignatureType,
    public_key: ed25519_dalek::VerifyingKey,
}

/// Why a note, a key or a signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a key name.
    #[error(
        "expected a key name without spaces, '+' and control characters, got {found:?}: \
         use a name like example.com/log"
    )]
    KeyName {
        /// The beginning of the name given.
        found: String,
    },
    /// The text of a key is not of its format.
    #[error("expected {expected}: copy the key unchanged")]
    KeyFormat {
        /// What should have been there. Never the text given, which may be private.
        expected: &'static str,
    },
    /// A type of key that this verifier does not know.
    #[error(
        "expected a key of type 0x01 (Ed25519) or 0x04 (Ed25519 cosignature), \
         got type {found:#04x} for {name}: use a key of a type listed"
    )]
    SignatureType {
        /// Name of the key.
        name: KeyName,
        /// Its type byte.
        found: u8,
    },
    /// The id of a key does not follow from its name, type and public key.
    #[error("expected key id {expected} for {name}, got {found}: copy the key again")]
    KeyIdMismatch {
        /// Name of the key.
        name: KeyName,
        /// Id that follows from name, type and public key.
        expected: KeyId,
        /// Id in the text.
        found: KeyId,
    },
    /// The public key is not a point of the curve, or one of the few under which anything verifies.
    #[error("expected a public key of full order for {name}: have its owner make a new one")]
    WeakKey {
        /// Name of the key.
        name: KeyName,
    },
    /// The note is too long.
    #[error("expected a note of at most {NOTE_BYTES_MAX} bytes, got {found}: reject it")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// The note is not text.
    #[error("expected UTF-8 without control characters, got byte {at} otherwise: reject it")]
    NotText {
        /// Offset of the first byte that does not belong, from 0.
        at: usize,
    },
    /// The note is not of the form text, empty line, signature lines.
    #[error("expected {expected}: check that the note was copied whole, with its last newline")]
    NoteFormat {
        /// What should have been there.
        expected: &'static str,
    },
    /// A signature line is not of its form.
    #[error("expected signature line {line} as \"— name base64(id and signature)\": copy the note unchanged")]
    SignatureLine {
        /// Number of the line among the signature lines, from 1.
        line: usize,
    },
    /// Too many signature lines.
    #[error("expected at most {SIGNATURES_MAX} signature lines, got more: remove those not needed")]
    TooManySignatures,
    /// Two of the keys given to the verifier share name and id.
    #[error("expected one key named {name} with id {id}, got two: give each key once")]
    AmbiguousKey {
        /// Name of both keys.
        name: KeyName,
        /// Id of both keys.
        id: KeyId,
    },
    /// A known key did not make the signature under its name. The whole note is rejected.
    #[error("expected {name} with id {id} to have signed, got a bad signature: reject the note")]
    BadSignature {
        /// Name of the known key.
        name: KeyName,
        /// Id of the known key.
        id: KeyId,
    },
    /// No known key signed the note.
    #[error("expected one of {known} known keys to sign, got {found} signatures by others: reject it")]
    NoKnownSignature {
        /// Number of keys given to the verifier.
        known: usize,
        /// Number of signatures in the note.
        found: usize,
    },
}

impl Note {
    /// Reads a note: at most [`NOTE_BYTES_MAX`] bytes and [`SIGNATURES_MAX`] signature lines, split at
    /// the last empty line, base64 in its one padded spelling.
    ///
    /// # Errors
    /// [`NoteError::TooLong`], [`NoteError::NotText`], [`NoteError::NoteFormat`],
    /// [`NoteError::SignatureLine`] or [`NoteError::TooManySignatures`].
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        let note = check_text(bytes)?;
        let separator = note
            .rfind("\n\n")
            .ok_or(NoteError::NoteFormat { expected: "an empty line between text and signatures" })?;
        let text = &note[..separator + 1];
        let lines = note[separator + 2..]
            .strip_suffix('\n')
            .ok_or(NoteError::NoteFormat { expected: "at least one signature line, ended by a newline" })?;
        let mut signatures = Vec::new();
        for (position, line) in lines.split('\n').enumerate() {
            if position == SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let signature = Signature::parse(line).ok_or(NoteError::SignatureLine { line: position + 1 })?;
            signatures.push(signature);
        }
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// Verifies the note against the keys that the caller knows, and returns what verified: each key at
    /// most once, in the order of the signature lines (C2SP signed-note, "Signatures").
    ///
    /// Signatures by other keys are ignored. A signature under the name and id of a known key must
    /// verify, every time it occurs.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`], [`NoteError::NoKnownSignature`] or [`NoteError::AmbiguousKey`].
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<VerifiedSignature<'k>>, NoteError> {
        let mut verified: Vec<VerifiedSignature<'k>> = Vec::new();
        for signature in &self.signatures {
            let mut named = keys.iter().filter(|key| key.name == signature.name && key.id == signature.id);
            let Some(key) = named.next() else { continue };
            let (name, id) = (key.name.clone(), key.id);
            if named.next().is_some() {
                return Err(NoteError::AmbiguousKey { name, id });
            }
            let Some(valid) = key.verify(&self.text, &signature.bytes) else {
                return Err(NoteError::BadSignature { name, id });
            };
            if !verified.iter().any(|earlier| earlier.key == key) {
                verified.push(valid);
            }
        }
        if verified.is_empty() {
            return Err(NoteError::NoKnownSignature { known: keys.len(), found: self.signatures.len() });
        }
        Ok(verified)
    }

    /// The note as bytes: text, empty line, signature lines.
    pub fn format(&self) -> Vec<u8> {
        let mut note = format!("{}\n", self.text);
        for signature in &self.signatures {
            note.push_str(&format!("{signature}\n"));
        }
        note.into_bytes()
    }

    /// The note with one more signature line, which replaces one by the same key. It is not verified.
    ///
    /// # Errors
    /// [`NoteError::TooManySignatures`] or [`NoteError::TooLong`].
    pub fn with_signature(&self, signature: Signature) -> Result<Note, NoteError> {
        let is_same = |known: &&Signature| known.name == signature.name && known.id == signature.id;
        let mut signatures: Vec<Signature> = self.signatures.iter().filter(|known| !is_same(known)).cloned().collect();
        if signatures.len() >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        signatures.push(signature);
        let note = Note { text: self.text.clone(), signatures };
        match note.format().len() {
            found if found > NOTE_BYTES_MAX => Err(NoteError::TooLong { found }),
            _ => Ok(note),
        }
    }

    /// The signature lines, not verified.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Whether it has one signature, or two under the name of a log: that of its key, and while that changes, of the one beside
    /// it.
    pub(crate) fn has_one_signer(&self, origin: &str) -> bool {
        match &self.signatures[..] {
            [_] => true,
            [one, other] => {
                let is_of_log = |signature: &Signature| {
                    signature.name.as_str() == origin && signature.bytes.len() == ed25519_dalek::SIGNATURE_LENGTH
                };
                one.id != other.id && is_of_log(one) && is_of_log(other)
            }
            _ => false,
        }
    }

    /// The text, with its final newline. Means nothing until [`Note::verify`] has succeeded.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Signature {
    /// The name of the key, which nothing has verified.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Reads a signature line, without its newline; none if it is no such line.
    pub fn parse(line: &str) -> Option<Signature> {
        let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let blob = STANDARD.decode(encoded).ok()?;
        let (id, bytes) = blob.split_first_chunk::<4>()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Signature { name: KeyName::new(name).ok()?, id: KeyId(*id), bytes: bytes.to_vec() })
    }
}

/// The signature line, without its newline.
impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&self.id.0[..], &self.bytes].concat();
        write!(formatter, "\u{2014} {} {}", self.name, STANDARD.encode(blob))
    }
}

impl VerifierKey {
    /// The key with this name, type and 32-byte public key (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// [`NoteError::WeakKey`] when the bytes are no point of the curve, or one of small order.
    pub fn new(name: KeyName, signature_type: SignatureType, public_key: &[u8; 32]) -> Result<VerifierKey, NoteError> {
        match ed25519_dalek::VerifyingKey::from_bytes(public_key) {
            Ok(public_key) if !public_key.is_weak() => Ok(VerifierKey {
                id: KeyId::derive(&name, signature_type, public_key.as_bytes()),
                name,
                signature_type,
                public_key,
            }),
            _ => Err(NoteError::WeakKey { name }),
        }
    }

    /// Reads a C2SP vkey: `name+id+base64(type || public key)`, the id in lower-case hexadecimal.
    ///
    /// # Errors
    /// [`NoteError::KeyFormat`], [`NoteError::SignatureType`], [`NoteError::KeyIdMismatch`] or
    /// [`NoteError::WeakKey`].
    pub fn parse(text: &str) -> Result<VerifierKey, NoteError> {
        let malformed = NoteError::KeyFormat { expected: "a verifier key as name+8 hexadecimal digits+base64" };
        let (name, id, material) = split_key(text).ok_or(malformed.clone())?;
        let (type_byte, public_key) = material.split_first().ok_or(malformed.clone())?;
        let signature_type = SignatureType::from_byte(*type_byte, &name)?;
        let public_key = public_key.try_into().map_err(|_| malformed)?;
        let key = VerifierKey::new(name, signature_type, public_key)?;
        key.id.check(id, &key.name)?;
        Ok(key)
    }

    /// The name of the key.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs.
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The 32 bytes of the public key. Two verifier keys with the same bytes are one key.
    pub fn public_key(&self) -> &[u8; 32] {
        self.public_key.as_bytes()
    }

    /// Verifies the bytes of one signature over the text of a note.
    fn verify(&self, text: &str, bytes: &[u8]) -> Option<VerifiedSignature<'_>> {
        let (message, signature, cosigned_at) = match self.signature_type {
            SignatureType::Ed25519 => (text.to_owned(), bytes, None),
            SignatureType::Cosignature => {
                let (time, signature) = bytes.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                // C2SP tlog-cosignature: the timestamp must not exceed 2^63 - 1.
                i64::try_from(time).ok()?;
                (cosign::message(CosignedAt(time), text), signature, Some(CosignedAt(time)))
            }
        };
        self.has_signed(message.as_bytes(), signature).then_some(VerifiedSignature { key: self, cosigned_at })
    }

    /// Whether the key has made this signature over these bytes, whatever they are (RFC 8032 section 5.1.7, strict: one
    /// signature has one spelling).
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .and_then(|signature| self.public_key.verify_strict(message, &signature))
            .is_ok()
    }
}

/// The C2SP vkey.
impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.signature_type.byte()], &self.public_key()[..]].concat();
        let encoded = STANDARD.encode(material);
        write!(formatter, "{}+{}+{encoded}", self.name, self.id)
    }
}

impl SignatureType {
    /// The byte that stands for the type in keys and key ids.
    pub fn byte(self) -> u8 {
        match self {
            SignatureType::Ed25519 => 0x01,
            SignatureType::Cosignature => 0x04,
        }
    }

    fn from_byte(found: u8, name: &KeyName) -> Result<SignatureType, NoteError> {
        match found {
            0x01 => Ok(SignatureType::Ed25519),
            0x04 => Ok(SignatureType::Cosignature),
            _ => Err(NoteError::SignatureType { name: name.clone(), found }),
        }
    }
}

impl KeyName {
    /// The name, or [`NoteError::KeyName`].
    pub fn new(name: &str) -> Result<KeyName, NoteError> {
        let refused = |character: char| character == '+' || character < ' ' || character.is_whitespace();
        if name.is_empty() || name.contains(refused) {
            return Err(NoteError::KeyName { found: name.chars().take(40).collect() });
        }
        Ok(KeyName(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl KeyId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 4]) -> KeyId {
        KeyId(bytes)
    }

    /// The 4 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    fn derive(name: &KeyName, signature_type: SignatureType, public_key: &[u8; 32]) -> KeyId {
        let mut hasher = Sha256::new();
        hasher.update(name.0.as_bytes());
        hasher.update([b'\n', signature_type.byte()]);
        hasher.update(public_key);
        let hash: [u8; 32] = hasher.finalize().into();
        KeyId([hash[0], hash[1], hash[2], hash[3]])
    }

    fn parse(text: &str) -> Option<KeyId> {
        let id = KeyId(u32::from_str_radix(text, 16).ok()?.to_be_bytes());
        (id.to_string() == text).then_some(id)
    }

    fn check(self, found: KeyId, name: &KeyName) -> Result<(), NoteError> {
        if self == found {
            return Ok(());
        }
        Err(NoteError::KeyIdMismatch { name: name.clone(), expected: self, found })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The three parts of a private key's text: name, id, and seed.
fn parse_private(
    text: &str,
    signature_type: SignatureType,
) -> Result<(KeyName, KeyId, Zeroizing<[u8; 32]>), NoteError> {
    let malformed = || NoteError::KeyFormat {
        expected: match signature_type {
            SignatureType::Ed25519 => "a private key as PRIVATE+KEY+name+8 hexadecimal digits+base64, of type 0x01",
            SignatureType::Cosignature => "a private key as PRIVATE+KEY+name+8 hexadecimal digits+base64, of type 0x04",
        },
    };
    let rest = text.strip_prefix("PRIVATE+KEY+").ok_or_else(malformed)?;
    let (name, id, material) = split_key(rest).ok_or_else(malformed)?;
    match material.split_first() {
        Some((found, seed)) if *found == signature_type.byte() => {
            let seed = Zeroizing::new(seed.try_into().map_err(|_| malformed())?);
            Ok((name, id, seed))
        }
        _ => Err(malformed()),
    }
}

/// The text of a private key. **Secret**; wiped on drop.
fn format_private(name: &KeyName, id: KeyId, signature_type: SignatureType, seed: &[u8; 32]) -> Zeroizing<String> {
    let mut material = Zeroizing::new([signature_type.byte(); 33]);
    material[1..].copy_from_slice(seed);
    let encoded = Zeroizing::new(STANDARD.encode(&material[..]));
    let head = format!("PRIVATE+KEY+{name}+{id}+");
    // The capacity is final, so that no copy of the secret is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(head.len() + encoded.len()));
    text.push_str(&head);
    text.push_str(&encoded);
    text
}

/// The three parts of a key's text: name, id, and type byte with key. Wiped, since it may be private.
fn split_key(text: &str) -> Option<(KeyName, KeyId, Zeroizing<Vec<u8>>)> {
    let (name, rest) = text.split_once('+')?;
    let (id, encoded) = rest.split_once('+')?;
    let material = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    Some((KeyName::new(name).ok()?, KeyId::parse(id)?, material))
}

/// The bytes as text, if they are short enough, UTF-8, and free of control characters but newline.
fn check_text(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| NoteError::NotText { at: error.valid_up_to() })?;
    match bytes.iter().position(|byte| *byte < 0x20 && *byte != b'\n') {
        Some(at) => Err(NoteError::NotText { at }),
        None => Ok(text),
    }
}
