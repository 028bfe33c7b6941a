//! Owns the note that says who asked and when: a signed note (C2SP signed-note) by the log's key.
//!
//! ```text
//! counterfoil-asked/v1
//! example.com/auditledger
//! at 1772357400
//! by "auditor"
//! for "ada@example.com"
//! manifest 3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=
//! cosignatures 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
//! ```
//! The first line is no origin of a log that has this key, so that no such note is taken for a checkpoint.

use sha2::{Digest, Sha256};

use super::{Rejected, Step, described};
use crate::checkpoint::Origin;
use crate::hash::Hash;
use crate::note::{Note, SigningKey, VerifierKey};
use crate::policy::Policy;

const HEADING: &str = "counterfoil-asked/v1";

/// Who asked, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When, by the server's clock: seconds since 1970.
    pub at: i64,
    /// Who, as the server knows callers.
    pub by: String,
    /// About whom, as it was typed.
    pub about: String,
}

impl Asked {
    /// The note that says so, signed.
    ///
    /// # Errors
    /// [`Rejected`] if one of the texts cannot stand on a line.
    pub fn sign(
        &self,
        key: &SigningKey,
        origin: &Origin,
        (manifest, cosignatures): (&[u8], &[u8]),
    ) -> Result<Vec<u8>, Rejected> {
        let note = key.sign(&self.text(origin, manifest, cosignatures));
        note.map(|note| note.format()).map_err(|error| Rejected::malformed(Step::Asked, error.to_string()))
    }

    fn text(&self, origin: &Origin, manifest: &[u8], cosignatures: &[u8]) -> String {
        let hash = |bytes: &[u8]| {
            Hash::from_slice(&Sha256::digest(bytes)).map_or_else(|_| String::new(), |hash| hash.to_base64())
        };
        format!(
            "{HEADING}\n{origin}\nat {}\nby {}\nfor {}\nmanifest {}\ncosignatures {}\n",
            self.at,
            quoted(&self.by),
            quoted(&self.about),
            hash(manifest),
            hash(cosignatures),
        )
    }
}

/// Reads the member, which is empty where nobody signed who asked.
pub(super) fn read(
    member: &[u8],
    manifest: &[u8],
    cosignatures: &[u8],
    origin: &Origin,
    policy: &Policy,
) -> Result<Option<Asked>, Rejected> {
    if member.is_empty() {
        return Ok(None);
    }
    let malformed = |what: String| Rejected::malformed(Step::Asked, what);
    let note = Note::parse(member).map_err(|error| malformed(described(&error)))?;
    let keys: Vec<VerifierKey> = policy.logs().iter().map(|log| log.key.clone()).collect();
    let is_of_log = note.verify(&keys).map_err(|error| Rejected::falsified(Step::Asked, described(&error)))?;
    if !is_of_log.iter().any(|signature| signature.key.name().as_str() == origin.as_str())
        || !note.has_one_signer(origin.as_str())
    {
        return Err(Rejected::falsified(Step::Asked, "the log's key has not signed who asked"));
    }
    let asked = parse(note.text())
        .ok_or_else(|| malformed("expected the lines at, by, for, manifest, cosignatures".to_owned()))?;
    match asked.text(origin, manifest, cosignatures) == note.text() {
        true => Ok(Some(asked)),
        false => Err(Rejected::falsified(Step::Asked, "who asked is signed for another file")),
    }
}

fn parse(text: &str) -> Option<Asked> {
    let mut lines = text.lines().skip(2);
    let mut next = |name: &str| lines.next()?.strip_prefix(name).map(str::to_owned);
    Some(Asked { at: next("at ")?.parse().ok()?, by: unquoted(&next("by ")?)?, about: unquoted(&next("for ")?)? })
}

/// A text on one line: what is no visible ASCII, a backslash or a quotation mark is written as a hexadecimal escape.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            ' '..='~' => quoted.push(char),
            other => quoted.push_str(&format!("\\u{{{:x}}}", other as u32)),
        }
    }
    quoted.push('"');
    quoted
}

fn unquoted(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut plain = String::new();
    while let Some(char) = rest.next() {
        match char {
            '"' => return None,
            '\\' => match rest.next()? {
                'u' => {
                    let code: String =
                        rest.by_ref().skip_while(|char| *char == '{').take_while(|char| *char != '}').collect();
                    plain.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                }
                escaped => plain.push(escaped),
            },
            other => plain.push(other),
        }
    }
    Some(plain)
}
