//! Which facts an event type of the System Log gives.
//!
//! Owns the table from event type to rule, and the rules for accounts, credentials and sign-ons. Types that are known to
//! say nothing about access are listed here too, so that a type that is not shows up as unmapped.

use counterfoil_proto::v1::{Account, FactKind, IdentityType, Outcome, Ref, fact::Detail};

use super::event::{LogEvent, known};
use super::{grants, requests};
use crate::connectors::draft::Principal;
use crate::connectors::shape::{attribute, is_machine_made};
use crate::json::Json;

/// What to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Account(FactKind),
    /// An account that is meant to come back.
    Suspend,
    /// A deletion that has only begun.
    DeleteInitiated,
    Profile,
    Group(FactKind),
    GroupRenamed,
    App(FactKind),
    GroupMember(FactKind),
    AppUser(FactKind),
    GroupApp(Change),
    Privilege(FactKind),
    GroupPrivilege(Change),
    ClientPrivilege(FactKind),
    Consent(FactKind),
    ApiToken(FactKind),
    Client(FactKind),
    SignOn,
    Impersonation,
    AuditConfig,
    Request(requests::Step),
    /// Known, and without any fact.
    NoFacts,
    /// Not known to this version.
    Unknown,
}

/// Whether something is implied from then on, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Removed,
}

/// The rule for an event type.
pub fn rule(event_type: &str) -> Rule {
    use FactKind as K;
    use requests::Step;
    match event_type {
        "user.lifecycle.create" => Rule::Account(K::AccountCreated),
        "user.lifecycle.activate" | "user.lifecycle.reactivate" | "user.lifecycle.unsuspend" => {
            Rule::Account(K::AccountEnabled)
        }
        "user.lifecycle.deactivate" => Rule::Account(K::AccountDisabled),
        "user.lifecycle.suspend" => Rule::Suspend,
        "user.lifecycle.delete.initiated" => Rule::DeleteInitiated,
        "user.lifecycle.delete.completed" => Rule::Account(K::AccountDeleted),
        "user.account.lock" => Rule::Account(K::AccountLocked),
        "user.account.unlock" | "user.account.unlock_by_admin" => Rule::Account(K::AccountUnlocked),
        "user.account.update_profile" => Rule::Profile,
        "group.user_membership.add" => Rule::GroupMember(K::GrantAdded),
        "group.user_membership.remove" => Rule::GroupMember(K::GrantRemoved),
        "group.lifecycle.create" => Rule::Group(K::EntitlementDefined),
        "group.lifecycle.delete" => Rule::Group(K::EntitlementRemoved),
        "group.profile.update" => Rule::GroupRenamed,
        "group.application_assignment.add" => Rule::GroupApp(Change::Added),
        "group.application_assignment.remove" => Rule::GroupApp(Change::Removed),
        "group.privilege.grant" => Rule::GroupPrivilege(Change::Added),
        "group.privilege.revoke" => Rule::GroupPrivilege(Change::Removed),
        "application.user_membership.add" => Rule::AppUser(K::GrantAdded),
        "application.user_membership.remove" => Rule::AppUser(K::GrantRemoved),
        "application.user_membership.update" => Rule::AppUser(K::GrantModified),
        "application.lifecycle.create" => Rule::App(K::EntitlementDefined),
        "application.lifecycle.delete" => Rule::App(K::EntitlementRemoved),
        "user.account.privilege.grant" => Rule::Privilege(K::GrantAdded),
        "user.account.privilege.revoke" => Rule::Privilege(K::GrantRemoved),
        "app.oauth2.client.privilege.grant" => Rule::ClientPrivilege(K::GrantAdded),
        "app.oauth2.client.privilege.revoke" => Rule::ClientPrivilege(K::GrantRemoved),
        "app.oauth2.as.consent.grant" => Rule::Consent(K::GrantAdded),
        "system.api_token.create" => Rule::ApiToken(K::CredentialCreated),
        "system.api_token.revoke" => Rule::ApiToken(K::CredentialRevoked),
        "system.api_token.enable" => Rule::ApiToken(K::CredentialEnabled),
        "app.oauth2.client.lifecycle.create" => Rule::Client(K::CredentialCreated),
        "app.oauth2.client.lifecycle.activate" => Rule::Client(K::CredentialEnabled),
        "app.oauth2.client.lifecycle.deactivate" => Rule::Client(K::CredentialDisabled),
        "app.oauth2.client.lifecycle.delete" => Rule::Client(K::CredentialRevoked),
        "user.session.start" => Rule::SignOn,
        "user.session.impersonation.initiate" => Rule::Impersonation,
        "app.access_request.request" => Rule::Request(Step::Asked),
        "app.access_request.approver.approve" => Rule::Request(Step::Approved),
        "app.access_request.approver.deny" => Rule::Request(Step::Rejected),
        "app.access_request.grant" => Rule::Request(Step::Granted),
        "app.access_request.deny" => Rule::Request(Step::Denied),
        "app.access_request.expire" => Rule::Request(Step::Expired),
        "app.access_request.delete" => Rule::Request(Step::Cancelled),
        "access.request.create" => Rule::Request(Step::Asked),
        "access.request.resolve" => Rule::Request(Step::Resolved),
        "access.request.reject" => Rule::Request(Step::RejectedAndClosed),
        "access.request.cancel" => Rule::Request(Step::Cancelled),
        "access.request.expire" => Rule::Request(Step::ExpiredAndClosed),
        _ => by_prefix(event_type),
    }
}

/// Whether an event type may stand in a record: it is known, or of one of the families that Okta's types are of, or of
/// three words and more, as nearly all are.
pub fn is_event_type(event_type: &str) -> bool {
    const FAMILIES: [&str; 24] = [
        "access",
        "analytics",
        "app",
        "application",
        "certification",
        "core",
        "device",
        "event_hook",
        "governance",
        "group",
        "iam",
        "inline_hook",
        "mim",
        "network_zone",
        "oauth2",
        "pam",
        "plugin",
        "policy",
        "security",
        "support",
        "system",
        "user",
        "workflows",
        "zone",
    ];
    let family = event_type.split('.').next().unwrap_or_default();
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_');
    rule(event_type) != Rule::Unknown
        || (FAMILIES.contains(&family) || event_type.split('.').count() >= 3) && event_type.bytes().all(usual)
}

/// Rules for whole families of types.
fn by_prefix(event_type: &str) -> Rule {
    const FAMILIES: [(&str, Rule); 6] = [
        ("app.oauth2.as.consent.revoke", Rule::Consent(FactKind::GrantRemoved)),
        ("user.authentication.", Rule::SignOn),
        ("system.log_stream.lifecycle.", Rule::AuditConfig),
        ("event_hook.", Rule::AuditConfig),
        // Which requests exist and who decides them, not a request.
        ("access.request.sequence.", Rule::NoFacts),
        ("access.request.condition.", Rule::NoFacts),
    ];
    if let Some((_, rule)) = FAMILIES.iter().find(|(prefix, _)| event_type.starts_with(prefix)) {
        return *rule;
    }
    let mut silent = NO_FACTS.iter().chain(&NO_FACTS_OF_USERS);
    if silent.any(|known| match known.strip_suffix('.') {
        Some(_) => event_type.starts_with(known),
        None => event_type == *known,
    }) {
        return Rule::NoFacts;
    }
    Rule::Unknown
}

/// Types, and families ending in a dot, that say nothing about who has which access.
const NO_FACTS: [&str; 52] = [
    "app.ad.",
    "app.generic.unauth_app_access_attempt",
    "app.inbound_del_auth.",
    "app.kerberos_rich_client.",
    "app.ldap.",
    "app.oauth2.as.authorize",
    "app.oauth2.as.authorize.",
    "app.oauth2.as.token.",
    "app.oauth2.authorize",
    "app.oauth2.authorize.",
    "app.oauth2.client.lifecycle.update",
    "app.oauth2.token.",
    "app.realtimesync.",
    "app.rich_client.",
    "app.token.reuse",
    "app.user_management.",
    "application.cache.",
    "application.integration.",
    "application.lifecycle.activate",
    "application.lifecycle.deactivate",
    "application.lifecycle.update",
    "application.policy.",
    "application.provision.",
    "application.user_membership.",
    "core.concurrency.",
    "device.",
    "group.application_assignment.skip_assignment_reconcile",
    "group.application_assignment.update",
    // What a rule does for somebody is a membership of its own.
    "group.user_membership.rule.",
    "inline_hook.",
    "network_zone.",
    "plugin.",
    "policy.",
    "scheduled_action.",
    "security.",
    "self_service.",
    "system.agent.",
    "system.brand.",
    "system.custom_error.",
    "system.custom_signin.",
    "system.email.",
    "system.feature.",
    "system.idp.",
    "system.import.",
    "system.mfa.",
    "system.operation.",
    "system.org.",
    "system.push.",
    "system.sms.",
    "system.voice.",
    "user.mfa.",
    "zone.",
];

/// Types of users' accounts that say nothing about access, and of sessions; kept apart since a family would hide those
/// that do.
const NO_FACTS_OF_USERS: [&str; 17] = [
    "user.account.access_super_user_app",
    "user.account.expire_password",
    "user.account.report_suspicious_activity_by_enduser",
    "user.account.reset_password",
    "user.account.unlock_token",
    "user.account.update_password",
    "user.account.update_primary_email",
    "user.account.update_secondary_email",
    "user.account.update_user_type",
    "user.account.use_token",
    "user.credential.enroll",
    "user.import.password",
    "user.lifecycle.password_mass_expiry",
    "user.session.access_admin_app",
    "user.session.clear",
    "user.session.end",
    "user.session.impersonation.",
];

/// Gives the facts of an event; none where the event lacks what the rule needs.
pub fn apply(rule: Rule, event: &mut LogEvent<'_, '_, '_>) {
    match rule {
        Rule::Account(kind) => account(event, kind, None, None),
        Rule::Suspend => {
            let detail = Account { reversible: true, ..Account::default() };
            account(event, FactKind::AccountDisabled, Some(detail), None);
        }
        Rule::DeleteInitiated => {
            account(event, FactKind::AccountDeleted, None, Some(Outcome::Pending));
        }
        Rule::Profile => profile(event),
        Rule::Group(kind) => grants::entitlement(event, kind, "group_member", &["UserGroup"]),
        Rule::GroupRenamed => {
            grants::entitlement(event, FactKind::IdentifierBound, "group_member", &["UserGroup"]);
        }
        Rule::App(kind) => grants::entitlement(event, kind, "app_assignment", &["AppInstance"]),
        Rule::GroupMember(kind) => grants::grant(event, kind, "group_member", "UserGroup"),
        Rule::AppUser(kind) => grants::grant(event, kind, "app_assignment", "AppInstance"),
        Rule::GroupApp(change) => grants::group_app(event, change),
        Rule::Privilege(kind) => grants::privilege(event, kind),
        Rule::GroupPrivilege(change) => grants::group_privilege(event, change),
        Rule::ClientPrivilege(kind) => grants::client_privilege(event, kind),
        Rule::Consent(kind) => grants::consent(event, kind),
        Rule::ApiToken(kind) => api_token(event, kind),
        Rule::Client(kind) => client(event, kind),
        Rule::SignOn => sign_on(event),
        Rule::Impersonation => impersonation(event),
        Rule::AuditConfig => {
            let fact = event.fact(FactKind::SourceAuditConfigChanged);
            event.push(fact);
        }
        Rule::Request(step) => requests::apply(event, step),
        Rule::NoFacts | Rule::Unknown => {}
    }
}

fn account(event: &mut LogEvent<'_, '_, '_>, kind: FactKind, detail: Option<Account>, weaker: Option<Outcome>) {
    let Some(user) = event.user() else { return };
    let mut fact = event.fact(kind);
    fact.subject = Some(user);
    fact.detail = detail.map(Detail::Account);
    if let Some(weaker) = weaker.filter(|_| fact.outcome() == Outcome::Success) {
        fact.outcome = weaker.into();
    }
    event.push(fact);
}

/// A changed profile: the usual names of the attributes go into the record, all values beside it.
fn profile(event: &mut LogEvent<'_, '_, '_>) {
    let Some(target) = event.target(&["User"]) else {
        return;
    };
    let Some(user) = event.user() else { return };
    let mut detail = Account::default();
    if let Some(Json::Object(members)) = target.path("changeDetails.to") {
        for (name, value) in members {
            if !counterfoil_verify::entity::is_code(name) || detail.changed.len() == CHANGED_MAX {
                continue;
            }
            detail.changed.push(attribute(name).to_owned());
            if let Some(text) = value.id() {
                event.draft.text(&user, &format!("changed.{name}"), &text);
            }
        }
        if let Some(department) = target.text("changeDetails.to.department") {
            detail.department = event.draft.digested(department);
        }
        if let Some(manager) = known(target, "changeDetails.to.managerId") {
            detail.manager = manager_ref(event, manager);
        }
    }
    if let Some(changed) = event.debug("changedAttributes") {
        let names = changed.split(',').map(str::trim);
        let codes = names.filter(|name| counterfoil_verify::entity::is_code(name));
        detail.changed.extend(codes.take(CHANGED_MAX).map(|name| attribute(name).to_owned()));
    }
    detail.changed.sort_unstable();
    detail.changed.dedup();
    let detail = (detail != Account::default()).then_some(detail);
    account(event, FactKind::AccountUpdated, detail, None);
}

/// The most changed attributes read from one event.
const CHANGED_MAX: usize = 100;

/// The manager is written as a login or as an id, as the organisation likes.
fn manager_ref(event: &mut LogEvent<'_, '_, '_>, manager: &str) -> Option<Ref> {
    let is_id = manager.starts_with("00u") && is_machine_made(manager);
    let logins = [("login", manager)];
    event.draft.principal(Principal {
        id: is_id.then_some(manager),
        logins: if is_id { &[] } else { &logins },
        ..Principal::default()
    })
}

/// An API token.
fn api_token(event: &mut LogEvent<'_, '_, '_>, kind: FactKind) {
    credential(event, kind, "api_token", &["Token"], IdentityType::Token);
}

/// An OAuth client, with the secret or key that comes with it.
fn client(event: &mut LogEvent<'_, '_, '_>, kind: FactKind) {
    credential(event, kind, "oauth_client", &["PublicClientApp", "AppInstance"], IdentityType::Integration);
}

/// A credential. It belongs to the user it is for, or else to whoever creates it; whoever revokes it may be anybody.
fn credential(
    event: &mut LogEvent<'_, '_, '_>,
    fact_kind: FactKind,
    kind: &str,
    types: &[&str],
    identity_type: IdentityType,
) {
    let Some(target) = event.target(types) else { return };
    let Some(id) = target.id_at("id") else { return };
    let object = event.draft.credential(kind, &id, known(target, "displayName"), identity_type);
    let creator = event.actor.clone().filter(|_| fact_kind == FactKind::CredentialCreated);
    let mut fact = event.fact(fact_kind);
    fact.object = Some(object);
    fact.subject = event.user().or(creator);
    event.push(fact);
}

/// A sign-on: to Okta, or to an application through it.
fn sign_on(event: &mut LogEvent<'_, '_, '_>) {
    let Some(actor) = event.actor.clone() else {
        return;
    };
    let app = event.entitlement("app_assignment", &["AppInstance"]);
    let mut fact = event.fact(FactKind::AuthEvent);
    fact.subject = Some(actor);
    fact.object = app;
    event.push(fact);
}

/// Somebody of Okta's support acts as a user.
fn impersonation(event: &mut LogEvent<'_, '_, '_>) {
    let Some(user) = event.user() else { return };
    let mut fact = event.fact(FactKind::SessionAssumed);
    fact.subject = Some(user);
    event.push(fact);
}
