//! The rules for groups, applications, roles and consents.
//!
//! Owns who gains what from such an event. A group's access is what the group means (`entitlement.changed`), never a
//! grant of its members: those follow from their membership.

use counterfoil_proto::v1::{Confidence, Entitlement, EntityKind, FactKind, Ref, fact::Detail};
use counterfoil_verify::identifier::{canonical, is_email};

use super::event::{LogEvent, known, principal};
use super::roles;
use super::rules::Change;
use crate::connectors::draft::Principal;

/// The most scopes read from one consent.
const SCOPES_MAX: usize = 100;

/// A fact about an entitlement itself.
pub fn entitlement(event: &mut LogEvent<'_, '_, '_>, fact_kind: FactKind, kind: &str, types: &[&str]) {
    let Some(object) = event.entitlement(kind, types) else {
        return;
    };
    let mut fact = event.fact(fact_kind);
    fact.object = Some(object);
    event.push(fact);
}

/// A user's membership in a group, or assignment to an application.
pub fn grant(event: &mut LogEvent<'_, '_, '_>, fact_kind: FactKind, kind: &str, target: &str) {
    let (Some(user), Some(object)) = (event.user(), event.entitlement(kind, &[target])) else {
        return;
    };
    let mut fact = event.fact(fact_kind);
    fact.subject = Some(user.clone());
    fact.object = Some(object);
    event.push(fact);
    if fact_kind != FactKind::GrantRemoved {
        name_in_application(event, user);
    }
}

/// The address under which an application knows a user, where it is not the one in Okta: its name ID. That of one user is
/// the same one's wherever it is seen but in Okta itself. When the user loses the application, it remains what they were
/// called there.
fn name_in_application(event: &mut LogEvent<'_, '_, '_>, user: Ref) {
    let name_of = |kind: &str| event.target(&[kind]).and_then(|target| known(target, "alternateId")).map(canonical);
    let (Some(own), Some(name)) = (name_of("User"), name_of("AppUser")) else { return };
    if name == own || !is_email(&name) {
        return;
    }
    let called = event.draft.principal(Principal {
        kind: EntityKind::Identifier,
        logins: &[("email", &name)],
        ..Principal::default()
    });
    let mut fact = event.fact(FactKind::IdentityLinked);
    fact.confidence = Confidence::Derived.into();
    fact.subject = Some(user);
    fact.object = called;
    event.push(fact);
}

/// An application that a group's members get.
pub fn group_app(event: &mut LogEvent<'_, '_, '_>, change: Change) {
    let group = event.entitlement("group_member", &["UserGroup"]);
    let app = event.entitlement("app_assignment", &["AppInstance"]);
    if let (Some(group), Some(app)) = (group, app) {
        implied(event, group, app, String::new(), change);
    }
}

/// Administrator roles of a user. They are in the debug data, never among the targets.
pub fn privilege(event: &mut LogEvent<'_, '_, '_>, kind: FactKind) {
    if let Some(user) = event.user() {
        granted_roles(event, &user, kind);
    }
}

/// Administrator roles of an OAuth client.
pub fn client_privilege(event: &mut LogEvent<'_, '_, '_>, kind: FactKind) {
    let client = event.target(&["PublicClientApp"]).and_then(|client| principal(client, &mut event.draft));
    if let Some(client) = client {
        granted_roles(event, &client, kind);
    }
}

fn granted_roles(event: &mut LogEvent<'_, '_, '_>, subject: &Ref, kind: FactKind) {
    for (role, scope) in named_roles(event) {
        let mut fact = event.fact(kind);
        fact.subject = Some(subject.clone());
        fact.object = Some(role);
        fact.scope = scope;
        event.push(fact);
    }
}

/// Administrator roles of a group.
pub fn group_privilege(event: &mut LogEvent<'_, '_, '_>, change: Change) {
    let Some(group) = event.entitlement("group_member", &["UserGroup"]) else {
        return;
    };
    for (role, scope) in named_roles(event) {
        implied(event, group.clone(), role, scope, change);
    }
}

fn named_roles(event: &mut LogEvent<'_, '_, '_>) -> Vec<(Ref, String)> {
    let labels = event.debug("privilegeGranted").or_else(|| event.debug("privilegeRevoked")).unwrap_or_default();
    let mut named = Vec::new();
    for role in roles::roles(labels) {
        let id = match roles::code(role.label) {
            Some(code) => code.to_owned(),
            None => event.draft.digested(&role.label.to_lowercase()),
        };
        let object = event.draft.entitlement(Some(format!("role/{id}")), Some(role.label), None);
        let Some(object) = object else { continue };
        let scope = match role.scope {
            "" => String::new(),
            scope if scope.eq_ignore_ascii_case("all") => "all".to_owned(),
            scope => {
                event.draft.text(&object, "scope", scope);
                event.draft.digested(scope)
            }
        };
        named.push((object, scope));
    }
    named
}

fn implied(event: &mut LogEvent<'_, '_, '_>, holder: Ref, gained: Ref, scope: String, change: Change) {
    let mut detail = Entitlement::default();
    match change {
        Change::Added => detail.implies_added.push(gained),
        Change::Removed => detail.implies_removed.push(gained),
    }
    let mut fact = event.fact(FactKind::EntitlementChanged);
    fact.object = Some(holder);
    fact.scope = scope;
    fact.detail = Some(Detail::Entitlement(detail));
    event.push(fact);
}

/// A consent: scopes of an OAuth client, given by a user or an administrator.
pub fn consent(event: &mut LogEvent<'_, '_, '_>, kind: FactKind) {
    let Some(subject) = event.user().or_else(|| event.actor.clone()) else {
        return;
    };
    let client = event
        .target(&["PublicClientApp", "AppInstance"])
        .and_then(|client| client.id_at("id"))
        .map_or_else(String::new, |id| event.draft.opaque(&id));
    let mut scopes: Vec<&str> = ["OAuth2Scope", "scope"]
        .iter()
        .flat_map(|kind| event.targets(kind))
        .filter_map(|scope| known(scope, "id").or_else(|| known(scope, "displayName")))
        .collect();
    for key in ["grantedScopes", "requestedScopes", "scopes", "scope"] {
        if let Some(text) = event.debug(key).filter(|_| scopes.is_empty()) {
            scopes.extend(text.split([',', ' ']).filter(|scope| !scope.is_empty()));
        }
    }
    scopes.truncate(SCOPES_MAX);
    for scope in scopes {
        let id = event.draft.typed("oauth_scope", scope);
        let object = event.draft.entitlement(Some(id), None, None);
        let mut fact = event.fact(kind);
        fact.subject = Some(subject.clone());
        fact.object = object;
        fact.scope.clone_from(&client);
        event.push(fact);
    }
}
