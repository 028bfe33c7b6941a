//! The announcement of a log's next key.
//!
//! Owns the record of it. How the keys take each other's place, the ledger knows; when an announcement is believed, `verify`.

use counterfoil_ledger::{Batch, Ledger, LedgerError, Outcome};
use counterfoil_proto::v1::{Authentication, KeyAnnouncement, record::Body};
use counterfoil_verify::note::VerifierKey;
use counterfoil_verify::tree::RecordIndex;
use serde_json::json;

use crate::json::DigestKey;
use crate::redact::RedactError;
use crate::statement::{self, Speaker, Way, decided_by};

/// What says that a log has another key.
const SPEAKER: Speaker = Speaker { stream: "keys", kind: "key", connector: ("key", 1) };

/// Why a log gets another key, and who says so.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The code of the reason, such as "yearly".
    pub reason: String,
    /// Who decided it: an entity's id, an e-mail address or a login.
    pub by: String,
    /// Why, in words.
    pub why: String,
}

impl Announcement {
    /// Checks what can be checked before anything is opened.
    ///
    /// # Errors
    /// Which field is wrong, and what was expected.
    pub fn check(&self) -> Result<(), RedactError> {
        statement::check(&self.reason, &self.by, &self.why)
    }

    /// Records it, and gives the record's index, and whether it is new: a key that is announced already has that record, with
    /// the words of then.
    ///
    /// # Errors
    /// [`RedactError`] if no record can say it, or the ledger takes none.
    pub fn append(
        &self,
        ledger: &Ledger,
        (former, key): (&VerifierKey, &VerifierKey),
        entropy: &dyn Fn() -> [u8; 32],
    ) -> Result<(RecordIndex, bool), RedactError> {
        let digests = DigestKey::new(*ledger.keys().ingest());
        let (by, values) = decided_by(ledger.keys().index(), &self.by)?;
        let said = KeyAnnouncement {
            origin: key.name().as_str().to_owned(),
            public_key: key.public_key().to_vec(),
            reason: self.reason.clone(),
            by: by.as_bytes().to_vec(),
            former_key: former.public_key().to_vec(),
        };
        let content = digests.digest("counterfoil/key-announcement/v1", key.public_key());
        let way = Way { speaker: SPEAKER, key: &digests, entropy, authentication: Authentication::LocalConnection };
        let why = json!({ "why": self.why }).to_string();
        let event = way.prepare(content, Body::KeyAnnouncement(said), &why, &values)?;
        let receipt = ledger.append(Batch { events: vec![event], positions: Vec::new() })?;
        match receipt.outcomes[..] {
            [Outcome::Recorded(index)] => Ok((index, true)),
            [Outcome::Duplicate(index) | Outcome::Conflict(index)] => Ok((index, false)),
            _ => Err(LedgerError::Closed("it did not tell what became of the announcement".to_owned()).into()),
        }
    }
}
