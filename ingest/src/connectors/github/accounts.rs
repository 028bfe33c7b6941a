//! The rules for accounts, sign-ins, and where the log itself goes.
//!
//! Owns whose account such an event is about. GitHub has accounts of its own only where an enterprise manages its users;
//! all others come from outside and only join.

use counterfoil_proto::v1::{Account, FactKind, Outcome, Ref, fact::Detail};

use super::event::LogEvent;
use super::who;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// An account of GitHub's own: of a server, or of an enterprise that manages its users.
pub fn user(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(user) = who::subject(event) else { return };
    account(event, kind, user, None);
}

pub fn user_suspended(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(user) = who::subject(event) else { return };
    account(event, kind, user, Some(Account { reversible: true, ..Account::default() }));
}

/// Says something about an account, or about an integration as one.
pub fn account(event: Event<'_, '_, '_, '_>, kind: FactKind, account: Ref, detail: Option<Account>) {
    let mut fact = event.fact(kind);
    fact.subject = Some(account);
    fact.detail = detail.map(Detail::Account);
    event.push(fact);
}

pub fn sign_in(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    sign_in_ended(event, kind, Outcome::Success);
}

pub fn failed_sign_in(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    sign_in_ended(event, kind, Outcome::Failure);
}

fn sign_in_ended(event: Event<'_, '_, '_, '_>, kind: FactKind, outcome: Outcome) {
    let user = who::subject(event).or_else(|| event.actor.clone());
    let Some(user) = user else { return };
    let mut fact = event.fact(kind);
    fact.subject = Some(user);
    fact.outcome = outcome.into();
    event.push(fact);
}

/// Where the log itself is sent to.
pub fn audit_config(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let fact = event.fact(kind);
    event.push(fact);
}
