//! Owns the text of a trust policy: whom an auditor believes, as C2SP tlog-policy, and the index key.
//!
//! ```text
//! #counterfoil index-key AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
//! log example.com/auditledger+ff8e8a15+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
//! witness w1 witness.example.com/w1+745fb5e8+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU
//! group witnesses 1 w1
//! quorum witnesses
//! #counterfoil replayer r1 replayer.example.com/r1+c24c2c1f+BGvfO8HMsPyo0onzZ2RTDm8Hc2TX4BZTfkBZJlLzGCXF
//! #counterfoil replayer-quorum r1
//! ```
//!
//! A witness says that all whom it serves are shown one history. A replayer says besides that it recomputed all that
//! seals say up to there: that is no word of C2SP tlog-policy, so that its lines are comments to everybody else.
//!
//! Never takes a policy from the file being verified: it comes to the auditor by another way.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroize;

use crate::identifier::IndexKey;
use crate::note::{NoteError, SignatureType, VerifierKey};

mod cosigners;

pub use cosigners::{Cosigner, Cosigners, Group, Quorum, Threshold};

use cosigners::check_room;

/// Bytes of a policy, at most: room for [`ENTRIES_MAX`] lines of each kind at 5 KB a line.
pub const POLICY_BYTES_MAX: usize = 1 << 20;

/// Logs, witnesses, replayers and groups of either, at most of each. C2SP tlog-policy asks for at least 32.
pub const ENTRIES_MAX: usize = 64;

/// Whom to believe: logs, witnesses, replayers, and how many of them (C2SP tlog-policy). Always consistent:
/// names are defined once and before use, members and public keys occur once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    index_key: Option<IndexKey>,
    logs: Vec<Log>,
    witnesses: Cosigners,
    replayers: Cosigners,
}

/// A log whose checkpoints are believed, if the quorum agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The log's key, of type [`SignatureType::Ed25519`]; its name is the log's origin.
    pub key: VerifierKey,
    /// Where the log is served, without spaces. Its meaning is the reader's.
    pub url: Option<String>,
}

/// Why a policy is refused. Lines are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The policy is too long.
    #[error("expected a policy of at most {POLICY_BYTES_MAX} bytes, got {found}: shorten it")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// The policy is not text.
    #[error(
        "expected UTF-8 without control characters other than tab and newline, got something else \
         on line {line}: save the policy as UTF-8 with Unix line ends"
    )]
    NotText {
        /// Line.
        line: usize,
    },
    /// The last line is not ended.
    #[error("expected a newline at the end of the policy: check that it was copied whole")]
    NoFinalNewline,
    /// A line is none of those that C2SP tlog-policy defines.
    #[error("expected {expected} on line {line} of the policy: see C2SP tlog-policy")]
    Line {
        /// Line.
        line: usize,
        /// The form, or forms, that fit.
        expected: &'static str,
    },
    /// A key cannot be read.
    #[error("read the key on line {line} of the policy")]
    Key {
        /// Line.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// A log has a cosigner's key, or a cosigner a log's.
    #[error(
        "expected a key of type {:#04x} on line {line} of the policy, got type {:#04x}: \
         log keys are of type 0x01, those of witnesses and replayers of type 0x04",
        expected.byte(),
        found.byte()
    )]
    KeyType {
        /// Line.
        line: usize,
        /// Type that belongs there.
        expected: SignatureType,
        /// Type of the key given.
        found: SignatureType,
    },
    /// A public key occurs twice, under whatever names.
    #[error("expected every public key once, got one again on line {line} of the policy: remove it")]
    DuplicateKey {
        /// Line of the second occurrence.
        line: usize,
    },
    /// A name is defined twice, or is `none`.
    #[error("expected a name that is still free on line {line} of the policy, got {name:?}: choose another")]
    NameTaken {
        /// Line of the second definition.
        line: usize,
        /// The name.
        name: String,
    },
    /// A name is used before its definition, or has none.
    #[error("expected a name defined above line {line} of the policy, got {name:?}: define it first")]
    NameUndefined {
        /// Line that uses the name.
        line: usize,
        /// The name.
        name: String,
    },
    /// A name is a member for the second time.
    #[error(
        "expected every name in one group at most, got {name:?} again on line {line} of the policy: remove it there"
    )]
    MemberRepeated {
        /// Line of the second group.
        line: usize,
        /// The name.
        name: String,
    },
    /// A threshold that the group can never reach, or always has.
    #[error(
        "expected all, any or a number from 1 to {members} on line {line} of the policy, got {found:?}: count the members"
    )]
    Threshold {
        /// Line.
        line: usize,
        /// Number of members.
        members: usize,
        /// The threshold given.
        found: String,
    },
    /// Too many lines of one kind.
    #[error(
        "expected at most {ENTRIES_MAX} logs, witnesses, replayers and groups each, got more on line {line} of the policy: remove some"
    )]
    TooMany {
        /// Line that is one too many.
        line: usize,
    },
    /// There is no quorum, or a second one.
    #[error(
        "expected exactly one quorum line of a kind in the policy, got {found}: write \"quorum none\" if no witness is needed"
    )]
    Quorum {
        /// Number of quorum lines seen.
        found: usize,
    },
}

impl Policy {
    /// Reads a policy (C2SP tlog-policy, "Policy file syntax and structure").
    ///
    /// Narrower than the specification in two ways: the bytes are UTF-8, and no public key serves both
    /// a log and a witness. Comments are dropped, except lines that begin with `#counterfoil`: the index key, and
    /// replayers with their groups and their quorum. Any other such line is an error, so that a newer policy is
    /// never half understood.
    ///
    /// # Errors
    /// Any [`PolicyError`]; it names the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        let text = check_text(bytes)?;
        let mut draft = Draft::default();
        for (position, line) in text.lines().enumerate() {
            draft.read_line(position + 1, line)?;
        }
        let (witnesses, has_quorum) = draft.witnesses.finish();
        if !has_quorum {
            return Err(PolicyError::Quorum { found: 0 });
        }
        let (replayers, _) = draft.replayers.finish();
        Ok(Policy { index_key: draft.index_key, logs: draft.logs, witnesses, replayers })
    }

    /// The policy of a log that no witness has been asked to watch yet.
    pub fn of_log(key: VerifierKey, index_key: IndexKey) -> Policy {
        Policy {
            index_key: Some(index_key),
            logs: vec![Log { key, url: None }],
            witnesses: Cosigners::nobody(),
            replayers: Cosigners::nobody(),
        }
    }

    /// The policy with another key of a log in the place of one that it names; none if it names that other one already, as a
    /// log's or as anybody's.
    pub fn succeeded(&self, former: &VerifierKey, key: VerifierKey) -> Option<Policy> {
        let cosigners = self.witnesses.members().iter().chain(self.replayers.members()).map(|cosigner| &cosigner.key);
        let mut keys = self.logs.iter().map(|log| &log.key).chain(cosigners);
        if keys.any(|known| known.public_key() == key.public_key()) {
            return None;
        }
        let mut policy = self.clone();
        policy.logs.iter_mut().find(|log| log.key == *former)?.key = key;
        Some(policy)
    }

    /// The policy as text: index key, logs, witnesses, groups, quorum, replayers, one line each. Reading it again
    /// gives an equal policy. **Confidential** if there is an index key.
    pub fn format(&self) -> String {
        let mut text = String::new();
        if let Some(key) = &self.index_key {
            text.push_str(&format!("#counterfoil index-key {}\n", STANDARD.encode(key.as_bytes())));
        }
        for log in &self.logs {
            text.push_str(&format!("log {}{}\n", log.key, spaced(&log.url)));
        }
        text.push_str(&self.witnesses.format(["witness", "group", "quorum"]));
        if self.replayers != Cosigners::nobody() {
            let words = ["#counterfoil replayer", "#counterfoil replayer-group", "#counterfoil replayer-quorum"];
            text.push_str(&self.replayers.format(words));
        }
        text
    }

    /// The key of the identifier tokens, if the policy carries it.
    pub fn index_key(&self) -> Option<&IndexKey> {
        self.index_key.as_ref()
    }

    /// The logs, in the order of their lines.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses, with what a checkpoint needs of them besides the log's own signature.
    pub fn witnesses(&self) -> &Cosigners {
        &self.witnesses
    }

    /// The replayers, with what a seal needs of them for what it says to be more than the operator's word.
    pub fn replayers(&self) -> &Cosigners {
        &self.replayers
    }
}

/// What has been read so far: all of it consistent.
#[derive(Default)]
struct Draft {
    index_key: Option<IndexKey>,
    logs: Vec<Log>,
    witnesses: cosigners::Draft,
    replayers: cosigners::Draft,
    public_keys: BTreeSet<[u8; 32]>,
}

impl Draft {
    fn read_line(&mut self, line: usize, text: &str) -> Result<(), PolicyError> {
        let fields: Vec<&str> = text.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        let shape = |expected| Err(PolicyError::Line { line, expected });
        match fields[..] {
            [] => Ok(()),
            ["#counterfoil", ref own @ ..] => self.read_own(line, own),
            [comment, ..] if comment.starts_with('#') => Ok(()),
            ["log", key] => self.add_log(line, key, None),
            ["log", key, url] => self.add_log(line, key, Some(url)),
            ["log", ..] => shape("\"log <vkey> [<url>]\""),
            ["witness", name, key, ref url @ ..] if url.len() < 2 => {
                let key = self.read_key(line, key, SignatureType::Cosignature)?;
                self.witnesses.add_member(line, name, key, url.first().copied())
            }
            ["witness", ..] => shape("\"witness <name> <vkey> [<url>]\""),
            ["group", name, threshold, ref members @ ..] if !members.is_empty() => {
                self.witnesses.add_group(line, name, threshold, members)
            }
            ["group", ..] => shape("\"group <name> all|any|<number> <name>...\""),
            ["quorum", name] => self.witnesses.set_quorum(line, name),
            ["quorum", ..] => shape("\"quorum <name>\" or \"quorum none\""),
            _ => shape("a line that starts with log, witness, group, quorum or #"),
        }
    }

    /// Reads what stands behind `#counterfoil`.
    fn read_own(&mut self, line: usize, fields: &[&str]) -> Result<(), PolicyError> {
        let shape = |expected| Err(PolicyError::Line { line, expected });
        match *fields {
            ["index-key", key] => self.set_index_key(line, key),
            ["replayer", name, key, ref url @ ..] if url.len() < 2 => {
                let key = self.read_key(line, key, SignatureType::Cosignature)?;
                self.replayers.add_member(line, name, key, url.first().copied())
            }
            ["replayer-group", name, threshold, ref members @ ..] if !members.is_empty() => {
                self.replayers.add_group(line, name, threshold, members)
            }
            ["replayer-quorum", name] => self.replayers.set_quorum(line, name),
            ["replayer", ..] => shape("\"#counterfoil replayer <name> <vkey> [<url>]\""),
            ["replayer-group", ..] => shape("\"#counterfoil replayer-group <name> all|any|<number> <name>...\""),
            ["replayer-quorum", ..] => shape("\"#counterfoil replayer-quorum <name>\""),
            _ => shape("index-key, replayer, replayer-group or replayer-quorum after \"#counterfoil\""),
        }
    }

    fn set_index_key(&mut self, line: usize, encoded: &str) -> Result<(), PolicyError> {
        let expected = "one index key, as the base64 of 32 bytes,";
        let malformed = PolicyError::Line { line, expected };
        let mut bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        let key = <[u8; 32]>::try_from(&bytes[..]).map(IndexKey::new);
        bytes.zeroize();
        match (key, &self.index_key) {
            (Ok(key), None) => self.index_key = Some(key),
            _ => return Err(malformed),
        }
        Ok(())
    }

    fn add_log(&mut self, line: usize, key: &str, url: Option<&str>) -> Result<(), PolicyError> {
        check_room(line, self.logs.len())?;
        let key = self.read_key(line, key, SignatureType::Ed25519)?;
        let url = url.map(str::to_owned);
        self.logs.push(Log { key, url });
        Ok(())
    }

    fn read_key(&mut self, line: usize, key: &str, expected: SignatureType) -> Result<VerifierKey, PolicyError> {
        let key = VerifierKey::parse(key).map_err(|source| PolicyError::Key { line, source })?;
        let found = key.signature_type();
        if found != expected {
            return Err(PolicyError::KeyType { line, expected, found });
        }
        if !self.public_keys.insert(*key.public_key()) {
            return Err(PolicyError::DuplicateKey { line });
        }
        Ok(key)
    }
}

/// The bytes as text, if they are short enough, in the character set of C2SP tlog-policy, and whole.
fn check_text(bytes: &[u8]) -> Result<&str, PolicyError> {
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(PolicyError::TooLong { found: bytes.len() });
    }
    let accepted = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x20..=0x7e | 0x80..);
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, error.valid_up_to()))?;
    if let Some(at) = bytes.iter().position(|byte| !accepted(byte)) {
        return Err(not_text(bytes, at));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(PolicyError::NoFinalNewline);
    }
    Ok(text)
}

fn not_text(bytes: &[u8], at: usize) -> PolicyError {
    let newlines = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    PolicyError::NotText { line: newlines + 1 }
}

fn spaced(url: &Option<String>) -> String {
    match url {
        Some(url) => format!(" {url}"),
        None => String::new(),
    }
}
