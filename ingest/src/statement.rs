//! What whoever runs the ledger says through it: that something was removed, that the log has another key, or goes on under
//! another name.
//!
//! Owns the form of such a record: its provenance, who decided it, and that the words about why lie beside it, without what
//! looks like a secret.

use counterfoil_ledger::{ContentDigest, LedgerError, PreparedEvent};
use counterfoil_proto::v1::{Authentication, Delivery, Position, Provenance, Source, Value, Values, record::Body};
use counterfoil_verify::beside;
use counterfoil_verify::entity::{EntityId, is_code};
use counterfoil_verify::identifier::{IdentifierKind, IndexKey, canonical, is_email};
use prost::Message;

use crate::json::{self, DigestKey};
use crate::redact::RedactError;
use crate::secrets;

/// The system that such records come from.
const SYSTEM: &str = "counterfoil";

/// The most bytes of words about why.
pub const WHY_BYTES_MAX: usize = 64 << 10;

/// What one kind of statement is said by.
#[derive(Clone, Copy)]
pub(crate) struct Speaker {
    /// The stream of the system.
    pub(crate) stream: &'static str,
    /// What ids begin with.
    pub(crate) kind: &'static str,
    /// What makes the records, and its version.
    pub(crate) connector: (&'static str, u32),
}

/// How a statement gets into a record, and on whose word.
pub(crate) struct Way<'r> {
    pub(crate) speaker: Speaker,
    pub(crate) key: &'r DigestKey,
    /// Randomness that was never used before.
    pub(crate) entropy: &'r dyn Fn() -> [u8; 32],
    pub(crate) authentication: Authentication,
}

impl Way<'_> {
    /// The record that says it. `content` makes it what it is: said again with the same it is a duplicate. `why` is JSON, and
    /// `values` is what whoever decided it is called.
    pub(crate) fn prepare(
        &self,
        content: ContentDigest,
        body: Body,
        why: &str,
        values: &[Values],
    ) -> Result<PreparedEvent, RedactError> {
        let Speaker { stream, kind, connector: (connector, version) } = self.speaker;
        let id = format!("{kind}/{}", json::hex(&content));
        let provenance = Provenance {
            source: Some(Source {
                system: SYSTEM.to_owned(),
                instance: "default".to_owned(),
                stream: stream.to_owned(),
            }),
            position: Some(Position { channel: id.clone(), sequence: 0 }),
            event_id: id,
            content_digest: content.to_vec(),
            connector: connector.to_owned(),
            connector_version: version,
            delivery: Delivery::Live.into(),
            authentication: self.authentication.into(),
            assumed_zone: String::new(),
            retry_of: 0,
        };
        let why = secrets::redact_bytes(why.as_bytes(), self.key).into_owned();
        let sealed = beside::seal((self.entropy)(), why, values, None);
        let commitment = beside::commitment(&sealed).map_err(|error| LedgerError::Closed(error.to_string()))?;
        Ok(PreparedEvent::new(provenance, vec![body], Some(commitment), Some(sealed.encode_to_vec()))?)
    }
}

/// Checks what every statement says of itself, before anything is opened.
pub(crate) fn check(reason: &str, by: &str, why: &str) -> Result<(), RedactError> {
    check_code("reason", reason)?;
    let field = |field, why: String| Err(RedactError::Field { field, why });
    if canonical(by).is_empty() {
        return field("by", "expected who decided it: an entity id, an e-mail address or a login".to_owned());
    }
    match why.len() > WHY_BYTES_MAX {
        true => field("why", format!("expected at most {WHY_BYTES_MAX} bytes, got {}", why.len())),
        false => Ok(()),
    }
}

/// Checks that a field is a code.
pub(crate) fn check_code(field: &'static str, code: &str) -> Result<(), RedactError> {
    match is_code(code) {
        true => Ok(()),
        false => {
            let why = format!("expected a code of 1 to 128 letters, digits and . _ - / :, got {code:?}");
            Err(RedactError::Field { field, why })
        }
    }
}

/// Whoever decided it, as a record may name them, and what they are called.
pub(crate) fn decided_by(key: &IndexKey, by: &str) -> Result<(EntityId, Vec<Values>), RedactError> {
    if let Ok(entity) = by.parse::<EntityId>() {
        return Ok((entity, Vec::new()));
    }
    let token = key.token(IdentifierKind::Login, SYSTEM, "default", by);
    let nobody = || RedactError::Field { field: "by", why: "expected who decided it".to_owned() };
    let entity = EntityId::identifier(&token.ok_or_else(nobody)?);
    let name = if is_email(&canonical(by)) { "email" } else { "login" };
    let value = Value { name: name.to_owned(), value: by.to_owned() };
    let values = Values { entity: entity.as_bytes().to_vec(), values: vec![value] };
    Ok((entity, vec![values]))
}
