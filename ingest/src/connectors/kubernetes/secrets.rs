//! The rules for the secrets that a cluster keeps.
//!
//! Owns which of them such an event is about. What is in one never comes here: it is replaced before anything is read.

use counterfoil_proto::v1::{FactKind, IdentityType};

use super::event::LogEvent;
use super::naming;

/// A secret that was made, changed, or is no more.
pub fn secret(event: &mut LogEvent<'_, '_, '_>, kind: FactKind) {
    let Some(named) = event.named() else { return };
    let name = naming::called(&named);
    let object = event.draft.credential("secret", &name, Some(&name), IdentityType::Secret);
    let mut fact = event.fact(kind);
    fact.object = Some(object);
    event.push(fact);
}
