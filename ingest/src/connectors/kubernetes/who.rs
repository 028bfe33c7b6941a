//! Who is who in a cluster: service accounts, nodes, Kubernetes' own components, and users of whom it knows only names.
//!
//! Owns how each of them becomes an account with one id in all events, whether it acts or is named by a binding, and what
//! a request was made with.

use counterfoil_proto::v1::{FactKind, IdentityType, Ref};

use super::event::{LogEvent, Named};
use super::naming;
use crate::connectors::draft::{Draft, Principal};
use crate::connectors::naming::identity_type;
use crate::json::Json;

/// Where an authenticator says which credential it saw.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// Where the API server says which token it issued.
const ISSUED_ID: &str = "authentication.kubernetes.io/issued-credential-id";

/// The user that a part of an event is.
pub fn user(json: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let name = json.text("username")?;
    let uid = json.text("uid");
    named(name, uid, draft)
}

/// The user of a name, as authenticators give it and as bindings have it.
pub fn named(username: &str, uid: Option<&str>, draft: &mut Draft<'_>) -> Option<Ref> {
    if let Some((namespace, name)) =
        username.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    {
        return service_account(&Named { namespace: Some(namespace), name: name.into() }, uid, draft);
    }
    let (within, id, identity_type) = match username.strip_prefix("system:") {
        Some(rest) => match rest.strip_prefix("node:") {
            Some(node) => ("node", node, IdentityType::System),
            // A name of Kubernetes' own, of one of its components or of nobody.
            None => ("service", username, IdentityType::System),
        },
        None => ("user", username, identity_type(username).unwrap_or_default()),
    };
    draft.principal(Principal {
        within,
        id: Some(id),
        logins: &logins(username, uid),
        identity_type,
        ..Principal::default()
    })
}

/// A service account, by its name within its namespace.
pub fn service_account(named: &Named<'_>, uid: Option<&str>, draft: &mut Draft<'_>) -> Option<Ref> {
    let username = format!("system:serviceaccount:{}:{}", named.namespace?, named.name);
    draft.principal(Principal {
        within: "service_account",
        id: Some(&naming::called(named)),
        logins: &logins(&username, uid),
        identity_type: IdentityType::ServiceAccount,
        ..Principal::default()
    })
}

fn logins<'t>(username: &'t str, uid: Option<&'t str>) -> Vec<(&'static str, &'t str)> {
    [("login", Some(username)), ("uid", uid)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What the request was made with: a token or a certificate, by the id that the authenticator gave it.
pub fn credential(json: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let ids = json.path("user.extra")?.get(CREDENTIAL_ID)?;
    let id = ids.as_array().first().unwrap_or(ids).as_str()?;
    Some(by_id(id, draft))
}

/// The token that the event says was issued.
pub fn issued(json: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let id = json.get("annotations")?.get(ISSUED_ID)?.as_str()?;
    Some(by_id(id, draft))
}

/// A credential by its id: "JTI=…" of a token, "X509SHA256=…" of a certificate.
fn by_id(id: &str, draft: &mut Draft<'_>) -> Ref {
    match id.split_once('=') {
        Some(("JTI", id)) => draft.credential("token", id, None, IdentityType::Token),
        Some(("X509SHA256", id)) => certificate(id, draft),
        _ => draft.credential("token", id, None, IdentityType::Token),
    }
}

/// A certificate by the SHA-256 of itself.
pub fn certificate(sha256: &str, draft: &mut Draft<'_>) -> Ref {
    draft.credential("certificate", sha256, None, IdentityType::Certificate)
}

/// Whoever somebody acted as.
pub fn impersonated(event: &mut LogEvent<'_, '_, '_>) -> Option<Ref> {
    let impersonated = event.json.present("impersonatedUser")?;
    user(impersonated, &mut event.draft)
}

/// Somebody acted as somebody else, and is who did it.
pub fn impersonation(event: &mut LogEvent<'_, '_, '_>) {
    let Some(user) = impersonated(event) else { return };
    let mut fact = event.fact(FactKind::SessionAssumed);
    fact.subject = Some(user);
    event.push(fact);
}
