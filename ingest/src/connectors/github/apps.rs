//! The rules for applications: which are installed, what they reach, and for whom they act.
//!
//! Owns who gains what from such an event. An application is an integration, and holds access itself.

use counterfoil_proto::v1::{Account, FactKind};

use super::accounts::account;
use super::entitlements;
use super::event::LogEvent;
use super::grants::grant;
use super::who;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// A GitHub App that is installed in an organization: what it reaches there, and for how long.
pub fn installation(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(app) = who::app(event) else { return };
    account(event, kind, app.clone(), None);
    let grant_kind = if kind == FactKind::AccountDeleted { FactKind::GrantRemoved } else { FactKind::GrantAdded };
    let resources = entitlements::resources(event);
    grant(event, grant_kind, &app, resources);
}

pub fn installation_suspended(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(app) = who::app(event) else { return };
    account(event, kind, app, Some(Account { reversible: true, ..Account::default() }));
}

pub fn installation_resumed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(app) = who::app(event) else { return };
    account(event, kind, app, None);
}

/// Other permissions of an installed application.
pub fn installation_updated(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(app) = who::app(event) else { return };
    let resources = entitlements::resources(event);
    grant(event, kind, &app, resources);
}

pub fn installation_repositories(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(app) = who::app(event) else { return };
    let key = if kind == FactKind::GrantRemoved { "repositories_removed" } else { "repositories_added" };
    for repository in entitlements::repositories(event, key) {
        grant(event, kind, &app, Some(repository));
    }
}

/// An OAuth application that a user lets act for them, or no longer.
pub fn authorization(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let user = who::subject(event).or_else(|| event.actor.clone());
    let (Some(app), Some(user)) = (who::oauth_app(event), user) else { return };
    let object = entitlements::acting_for(event, &user);
    grant(event, kind, &app, object);
}
