//! Whether the tokens in a record are those of the identifiers beside it.
//!
//! Owns the comparison, by the kind and the place of the reference that has a token. What is not open cannot be compared: it
//! rests on the word of whoever runs the log.

use std::collections::BTreeMap;

use counterfoil_proto::v1::{Beside, EntityKind, Record, Ref, Source};

use crate::beside;
use crate::entity::{EntityId, place_of};
use crate::fact::references;
use crate::identifier::{IdentifierKind, IndexKey, Token};
use crate::record::event_of;

/// What became of the tokens of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Those that are of a value beside it.
    pub shown: usize,
    /// Those whose value may have been removed, or is not there.
    pub on_word: usize,
}

/// A token is of no value beside its record, and nothing was removed there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has the token {token}, which is that of no value beside it: whoever runs the log made it up")]
pub struct WrongToken {
    /// The token.
    pub token: Token,
}

/// Compares the tokens of a record with the values beside it; none where that is not there.
///
/// # Errors
/// [`WrongToken`].
pub fn check(record: &Record, beside: Option<&Beside>, key: &IndexKey) -> Result<Tokens, WrongToken> {
    let mut found = Tokens::default();
    let Some(source) = record.provenance.as_ref().and_then(|provenance| provenance.source.as_ref()) else {
        return Ok(found);
    };
    let values: BTreeMap<EntityId, Vec<String>> = beside
        .into_iter()
        .flat_map(beside::values)
        .map(|(entity, values)| (entity, values.values.into_iter().map(|value| value.value).collect()))
        .collect();
    // Where a part was removed, nobody can tell which values were in it.
    let is_whole = beside.is_some_and(|beside| !beside.seed.is_empty());
    for (_, reference) in event_of(record).iter().flat_map(|event| &event.facts).flat_map(references) {
        for token in reference.tokens.iter().filter_map(|token| Token::from_slice(token).ok()) {
            match is_shown(reference, source, &token, &values, key) {
                true => found.shown += 1,
                false if is_whole => return Err(WrongToken { token }),
                false => found.on_word += 1,
            }
        }
    }
    Ok(found)
}

/// Whether one of the values of whom a reference names has a token.
fn is_shown(
    reference: &Ref,
    source: &Source,
    token: &Token,
    values: &BTreeMap<EntityId, Vec<String>>,
    key: &IndexKey,
) -> bool {
    let own = EntityId::of(reference, source).unwrap_or_else(|| EntityId::identifier(token));
    let kind = match reference.kind() {
        EntityKind::Entitlement => IdentifierKind::EntitlementName,
        _ => IdentifierKind::Login,
    };
    let (system, instance) = place_of(reference, source);
    let is_of = |value: &String| key.token(kind, system, instance, value).as_ref() == Some(token);
    values.get(&own).is_some_and(|values| values.iter().any(is_of))
}
