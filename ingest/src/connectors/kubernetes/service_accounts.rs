//! The rules for service accounts and their tokens.
//!
//! Owns which account such an event is about. A token lives briefly, and is nobody's but its account's.

use counterfoil_proto::v1::{Account, Credential, FactKind, IdentityType, Ref, Time, fact::Detail};

use super::event::LogEvent;
use super::who;
use crate::json::Json;
use crate::times;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

fn account_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let named = event.named()?;
    // What is told of a token is not told of its account.
    let is_account = event.json.present("objectRef.subresource").is_none();
    let uid = event.json.text("responseObject.metadata.uid").filter(|_| is_account);
    who::service_account(&named, uid, &mut event.draft)
}

/// A service account that was made, changed, or is no more.
pub fn account(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(account) = account_of(event) else { return };
    let is_update = kind == FactKind::AccountUpdated;
    let detail = is_update.then(|| Account { changed: vec!["other".to_owned()], ..Account::default() });
    let mut fact = event.fact(kind);
    fact.subject = Some(account);
    fact.detail = detail.map(Detail::Account);
    event.push(fact);
}

/// A token that was issued. Of one whose id the log does not say, the request that it was issued for is what is known.
pub fn token(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(account) = account_of(event) else { return };
    let Some(token) = who::issued(event.json, &mut event.draft).or_else(|| of_request(event)) else { return };
    let expires_at = expiry(event);
    let mut fact = event.fact(kind);
    fact.subject = Some(account);
    fact.object = Some(token);
    fact.detail = expires_at
        .map(|expires_at| Detail::Credential(Credential { expires_at: Some(expires_at), ..Credential::default() }));
    event.push(fact);
}

fn of_request(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let request = event.json.text("auditID")?;
    Some(event.draft.credential("token", &format!("request-{request}"), None, IdentityType::Token))
}

/// When a token runs out: as the response says, or as the request asks, which the API server may shorten.
fn expiry(event: &LogEvent<'_, '_, '_>) -> Option<Time> {
    let said = event.json.text("responseObject.status.expirationTimestamp");
    let said = said.and_then(|text| times::rfc3339(text, "expirationTimestamp", event.draft.context.assume_utc).ok());
    said.or_else(|| {
        let seconds = event.json.path("requestObject.spec.expirationSeconds").and_then(Json::as_u64)?;
        let seconds = event.occurred_at.seconds.checked_add(i64::try_from(seconds).ok()?)?;
        let time = Time { seconds, ..event.occurred_at };
        counterfoil_verify::time::is_valid(&time).then_some(time)
    })
}
