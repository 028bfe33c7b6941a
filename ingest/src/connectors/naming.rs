//! What the name of an account says of the identity behind it.
//!
//! Owns the way in which service accounts, bots and agents are commonly named. It knows no system, and never looks at
//! anything but the name.

use counterfoil_proto::v1::IdentityType;

/// The non-human identity that an account's name says it is; none where the name may be a person's.
pub fn identity_type(name: &str) -> Option<IdentityType> {
    let name = name.to_ascii_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if starts(&["svc-", "svc_", "service"]) {
        Some(IdentityType::ServiceAccount)
    } else if starts(&["agent-"]) {
        Some(IdentityType::AiAgent)
    } else if starts(&["bot-"]) {
        Some(IdentityType::Bot)
    } else {
        None
    }
}
