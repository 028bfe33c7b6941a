//! The rules for keys, webhooks, secrets of workflows, and secrets of applications.
//!
//! Owns which credential such an event is about, and whose it is. Its value never comes here: GitHub logs none, and what
//! a copy may have is replaced before it is read.

use counterfoil_proto::v1::{FactKind, IdentityType, Ref};

use super::entitlements;
use super::event::LogEvent;
use super::grants::grant;
use super::who;
use crate::json::Json;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// Says something about a credential.
pub fn about(event: Event<'_, '_, '_, '_>, kind: FactKind, object: Ref, owner: Option<Ref>) {
    let mut fact = event.fact(kind);
    fact.object = Some(object);
    fact.subject = owner;
    event.push(fact);
}

/// A key for SSH: a user's, or (of a repository) one that is no user's and holds access to it.
pub fn public_key(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(fingerprint) = event.text("fingerprint") else { return };
    let title = event.text("title");
    let Some(repository) = entitlements::repository(event) else {
        let key = event.draft.credential("ssh_key", fingerprint, title, IdentityType::Secret);
        let owner = who::subject(event).or_else(|| event.actor.clone());
        return about(event, kind, key, owner);
    };
    let key = event.draft.credential("deploy_key", fingerprint, title, IdentityType::Secret);
    about(event, kind, key.clone(), None);
    match kind {
        FactKind::CredentialCreated => grant(event, FactKind::GrantAdded, &key, Some(repository)),
        FactKind::CredentialRevoked => grant(event, FactKind::GrantRemoved, &key, Some(repository)),
        _ => {}
    }
}

/// The secret by which a webhook shows who it is.
pub fn webhook(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(id) = event.id("hook_id") else { return };
    let name = event.json.text("config.url").or_else(|| event.text("name"));
    let hook = event.draft.credential("webhook_secret", &id, name, IdentityType::WebhookSecret);
    let creator = event.actor.clone().filter(|_| kind == FactKind::CredentialCreated);
    about(event, kind, hook, creator);
}

/// A webhook that sends, or no longer.
pub fn webhook_activity(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    match event.json.get("active").and_then(Json::as_truth) {
        Some(false) => webhook(event, FactKind::CredentialDisabled),
        Some(true) => webhook(event, kind),
        None => {}
    }
}

/// A secret that workflows get to read: of a repository, or else of an organization. Its name is unique within that.
pub fn workflow_secret(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let (Some(name), Some(of)) = (event.text("key"), event.id("repo_id").or_else(|| event.id("org_id"))) else {
        return;
    };
    let environment = event.text("environment_name").map(|name| format!("{name}/"));
    let id = format!("{of}/{}{name}", environment.unwrap_or_default());
    let secret = event.draft.credential("secret", &id, Some(name), IdentityType::Secret);
    about(event, kind, secret, None);
}

/// The secrets of an OAuth application, which the log does not tell apart.
pub fn oauth_app(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(id) = event.id("oauth_application_id") else { return };
    let client = event.draft.credential("oauth_client", &id, None, IdentityType::Integration);
    let app = who::oauth_app(event);
    about(event, kind, client, app);
}

/// Those of a GitHub App, likewise.
pub fn app(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(id) = event.id("application_client_id") else { return };
    let client = event.draft.credential("oauth_client", &id, None, IdentityType::Integration);
    let app = who::app(event);
    about(event, kind, client, app);
}
