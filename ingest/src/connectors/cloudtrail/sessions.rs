//! The rules for sessions, sign-ins, and the configuration of the log itself.
//!
//! Owns who used which access. None of these facts changes a state.

use counterfoil_proto::v1::{Credential, FactKind, fact::Detail};

use super::event::LogEvent;
use super::identity::{self, Arn};
use crate::times;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// A session of a role.
pub fn role(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let arn = event.request("roleArn").and_then(Arn::parse);
    let role = arn.and_then(|arn| {
        let home = Some(arn.account).filter(|account| identity::is_account(account));
        identity::session_role(&mut event.draft, arn.name("role")?, home)
    });
    let mut fact = event.fact_of_use(kind);
    fact.subject.clone_from(&event.actor);
    fact.object = role;
    fact.detail = ends(event);
    event.push(fact);
}

/// A session of whoever asks for it.
pub fn own(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let mut fact = event.fact_of_use(kind);
    fact.subject.clone_from(&event.actor);
    fact.detail = ends(event);
    event.push(fact);
}

/// When a session's credentials run out.
fn ends(event: &LogEvent<'_, '_, '_>) -> Option<Detail> {
    let expires_at = times::english(event.response("credentials.expiration")?)?;
    Some(Detail::Credential(Credential { expires_at: Some(expires_at), ..Credential::default() }))
}

pub fn sign_in(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let mut fact = event.fact_of_use(kind);
    fact.subject.clone_from(&event.actor);
    event.push(fact);
}

/// Somebody changed what the log records, or stopped it.
pub fn audit_config(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let fact = event.fact(kind);
    event.push(fact);
}
