//! Identifiers (e-mail addresses, logins, names of entitlements) and the tokens that stand for them in records.
//!
//! Owns the canonical form and the keyed token, so that whoever holds the index key finds the same token for the same
//! identifier, and nobody else learns anything from it. It never stores an identifier.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::hash::{Hash, domain_hash};

/// The length of a token, in bytes.
pub const TOKEN_BYTES: usize = 16;

/// The key of all tokens of one log, 32 bytes. Ingest, followers, replayers and auditors hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexKey(Zeroizing<[u8; 32]>);

impl IndexKey {
    /// Takes the key's 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key's bytes, for the policy that goes to verifiers.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What record 0 says of the key: enough to recognise it, nothing to find it by.
    pub fn commitment(&self) -> Hash {
        domain_hash("counterfoil/index-key/v1", &[self.0.as_slice()])
    }

    /// The token of an identifier: the first 16 bytes of HMAC-SHA-256(index key, kind ‖ 0 ‖ canonical form).
    ///
    /// Whatever looks like an e-mail address is one, whatever field it came in, and belongs to no system; anything
    /// else is a name within `system` and `instance`. An identifier that is empty once trimmed has no token.
    pub fn token(&self, kind: IdentifierKind, system: &str, instance: &str, identifier: &str) -> Option<Token> {
        let canonical = canonical(identifier);
        if canonical.is_empty() {
            return None;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length");
        if is_email(&canonical) {
            mac.update(b"email\0");
        } else {
            mac.update(kind.name().as_bytes());
            for part in [system, instance] {
                mac.update(b"\0");
                mac.update(part.as_bytes());
            }
            mac.update(b"\0");
        }
        mac.update(canonical.as_bytes());
        let mut token = [0; TOKEN_BYTES];
        token.copy_from_slice(&mac.finalize().into_bytes()[..TOKEN_BYTES]);
        Some(Token(token))
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("IndexKey(…)")
    }
}

/// What an identifier identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierKind {
    /// A login, a user name or an e-mail address of an account or a person.
    Login,
    /// The name of an entitlement, such as a group's, which tickets use where they know no id.
    EntitlementName,
}

impl IdentifierKind {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::EntitlementName => "entitlement",
        }
    }
}

/// The keyed token of an identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; TOKEN_BYTES]);

/// Some bytes or text are not a token.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a token of 16 bytes (32 hexadecimal digits), got {0}")]
pub struct TokenError(usize);

impl Token {
    /// Takes exactly 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, TokenError> {
        bytes.try_into().map(Self).map_err(|_| TokenError(bytes.len()))
    }

    /// Reads 32 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, TokenError> {
        let error = || TokenError(text.len());
        if text.len() != 2 * TOKEN_BYTES || !text.bytes().all(|byte| b"0123456789abcdef".contains(&byte)) {
            return Err(error());
        }
        let mut token = [0; TOKEN_BYTES];
        for (number, byte) in token.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * number..2 * number + 2], 16).map_err(|_| error())?;
        }
        Ok(Self(token))
    }

    /// The token's bytes.
    pub fn as_bytes(&self) -> &[u8; TOKEN_BYTES] {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// The canonical form of an identifier: NFKC (Unicode UAX #15), trimmed, lower-cased, and NFKC again, since
/// lower-casing can leave a form that is not composed.
pub fn canonical(identifier: &str) -> String {
    if identifier.is_ascii() {
        return identifier.trim().to_ascii_lowercase();
    }
    let composed: String = identifier.nfkc().collect();
    composed.trim().to_lowercase().nfkc().collect()
}

/// Whether a canonical identifier looks like an e-mail address: one '@' with something before it and something after
/// it, and no white space or control character in either.
pub fn is_email(canonical: &str) -> bool {
    let Some((local, domain)) = canonical.split_once('@') else {
        return false;
    };
    let plain = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@');
    !local.is_empty() && !domain.is_empty() && plain(local) && plain(domain)
}
