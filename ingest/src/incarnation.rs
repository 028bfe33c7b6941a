//! What a new incarnation says of itself: why the log has a new name, what was lost, and on whose word.
//!
//! Owns the records of that. The first is an event without facts: the old name, what is left and what was known of it, and
//! why, all beside the record, as is what whoever declared it is called. Behind it stands a redaction for each that was lost,
//! so that what it removed is known to be redacted, and not missing. How the log goes on, the ledger knows.

use counterfoil_ledger::{Keys, Loss, PreparedEvent};
use counterfoil_proto::v1::{Authentication, Event, Mapping, Redaction, record::Body};
use counterfoil_verify::checkpoint::Checkpoint;
use serde_json::json;

use crate::json::DigestKey;
use crate::redact::{self, RedactError};
use crate::statement::{self, Speaker, Way, decided_by};

/// What says that a log goes on under another name.
const SPEAKER: Speaker = Speaker { stream: "incarnations", kind: KIND, connector: (KIND, 1) };
const KIND: &str = "incarnation";
/// The reason and the rule of redactions that were lost and are said again.
const REPEATED: &str = "redacted-before-a-loss";
const RULE: &str = "counterfoil/incarnation";

/// Why a log goes on under a new name, and who says so.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The new name.
    pub origin: String,
    /// The code of the reason, such as "disk-lost".
    pub reason: String,
    /// Who decided it: an entity's id, an e-mail address or a login.
    pub by: String,
    /// Why, in words.
    pub why: String,
}

impl Declaration {
    /// Checks what can be checked before anything is opened.
    ///
    /// # Errors
    /// Which field is wrong, and what was expected.
    pub fn check(&self) -> Result<(), RedactError> {
        statement::check(&self.reason, &self.by, &self.why)
    }

    /// The records, in their order. `entropy` gives randomness that was never used before.
    ///
    /// # Errors
    /// [`RedactError`] if a record cannot say it.
    pub fn records(
        &self,
        keys: &Keys,
        loss: &Loss,
        entropy: &dyn Fn() -> [u8; 32],
    ) -> Result<Vec<PreparedEvent>, RedactError> {
        let key = DigestKey::new(*keys.ingest());
        let (by, values) = decided_by(keys.index(), &self.by)?;
        let content = key.digest("counterfoil/incarnation/v1", &entropy());
        let head = |checkpoint: &Checkpoint| json!({ "size": checkpoint.size.0, "root": checkpoint.root.to_base64() });
        let said = json!({
            "origin": self.origin,
            "predecessor": loss.left.origin.as_str(),
            "left": head(&loss.left),
            "known": head(&loss.known),
            "lostRecords": loss.known.size.0 - loss.left.size.0,
            "lostRedactions": loss.redactions.len(),
            "reason": self.reason,
            "by": by.to_string(),
            "why": self.why,
        });
        let event = Event {
            native_type: KIND.to_owned(),
            mapping: Mapping::NoFacts.into(),
            part: 0,
            parts: 1,
            facts: Vec::new(),
        };
        let way = Way { speaker: SPEAKER, key: &key, entropy, authentication: Authentication::OperatorFile };
        let first = way.prepare(content, Body::Event(event), &said.to_string(), &values)?;
        let way = Way { speaker: redact::SPEAKER, ..way };
        let repeated = loss.redactions.iter().map(|removed| {
            let redaction = Redaction {
                removed: removed.clone(),
                reason: REPEATED.to_owned(),
                rule: RULE.to_owned(),
                by: by.as_bytes().to_vec(),
                ..Redaction::default()
            };
            redact::prepare(&way, redaction, &self.why, &values)
        });
        std::iter::once(Ok(first)).chain(repeated).collect()
    }
}
