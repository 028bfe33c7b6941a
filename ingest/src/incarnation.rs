//! What a new incarnation says of itself: why the log has a new name, what was lost, and on whose word.
//!
//! Owns the records of that. The first is an event without facts: the old name, what is left and what was known of it, and
//! why, all beside the record, as is what whoever declared it is called. Behind it stands a redaction for each that was lost,
//! so that what it removed is known to be redacted, and not missing. How the log goes on, the ledger knows.

use counterfoil_ledger::{Keys, LedgerError, Loss, PreparedEvent};
use counterfoil_proto::v1::{
    Authentication, Delivery, Event, Mapping, Position, Provenance, Redaction, Source, record::Body,
};
use counterfoil_verify::beside;
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::entity::is_code;
use counterfoil_verify::identifier::canonical;
use prost::Message;
use serde_json::json;

use crate::json::{self, DigestKey};
use crate::redact::{RedactError, WHY_BYTES_MAX, Way, decided_by};
use crate::secrets;

/// The system that such records come from, the stream, and the connector that makes them.
const SYSTEM: &str = "counterfoil";
const STREAM: &str = "incarnations";
const CONNECTOR: &str = "incarnation";
const VERSION: u32 = 1;
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
        let field = |field, why: String| Err(RedactError::Field { field, why });
        if !is_code(&self.reason) {
            let why = format!("expected a code of 1 to 128 letters, digits and . _ - / :, got {:?}", self.reason);
            return field("reason", why);
        }
        if canonical(&self.by).is_empty() {
            return field("by", "expected who decided it: an entity id, an e-mail address or a login".to_owned());
        }
        match self.why.len() > WHY_BYTES_MAX {
            true => field("why", format!("expected at most {WHY_BYTES_MAX} bytes, got {}", self.why.len())),
            false => Ok(()),
        }
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
        let id = format!("incarnation/{}", json::hex(&content));
        let provenance = Provenance {
            source: Some(Source {
                system: SYSTEM.to_owned(),
                instance: "default".to_owned(),
                stream: STREAM.to_owned(),
            }),
            position: Some(Position { channel: id.clone(), sequence: 0 }),
            event_id: id,
            content_digest: content.to_vec(),
            connector: CONNECTOR.to_owned(),
            connector_version: VERSION,
            delivery: Delivery::Live.into(),
            authentication: Authentication::OperatorFile.into(),
            assumed_zone: String::new(),
            retry_of: 0,
        };
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
        let said = secrets::redact_bytes(said.to_string().as_bytes(), &key).into_owned();
        let sealed = beside::seal(entropy(), said, &values, None);
        let commitment = beside::commitment(&sealed).map_err(|error| LedgerError::Closed(error.to_string()))?;
        let event = Event {
            native_type: CONNECTOR.to_owned(),
            mapping: Mapping::NoFacts.into(),
            part: 0,
            parts: 1,
            facts: Vec::new(),
        };
        let first =
            PreparedEvent::new(provenance, vec![Body::Event(event)], Some(commitment), Some(sealed.encode_to_vec()))?;
        let authentication = Authentication::OperatorFile;
        let way = Way { key: &key, entropy, authentication, why: &self.why };
        let repeated = loss.redactions.iter().map(|removed| {
            let redaction = Redaction {
                removed: removed.clone(),
                reason: REPEATED.to_owned(),
                rule: RULE.to_owned(),
                by: by.as_bytes().to_vec(),
                ..Redaction::default()
            };
            way.prepare(redaction, &values)
        });
        std::iter::once(Ok(first)).chain(repeated).collect()
    }
}
