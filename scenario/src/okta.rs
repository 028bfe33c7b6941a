//! The shapes of Okta: how an action looks in the System Log, and in an event hook. Owns every key and every constant of
//! those payloads. Keys stand in alphabetical order, so that the bytes do not depend on how serde_json keeps its maps.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use crate::action::{Action, Deed, Executor};
use crate::calendar::okta_time;
use crate::chronicle::Chronicle;
use crate::company::{Identity, IdentityIndex};
use crate::names::ROLES;
use crate::random::{Random, hex_text, uuid_text};

const PLACES: [(&str, &str, &str, f64, f64, &str); 4] = [
    ("Zürich", "Switzerland", "8001", 47.3667, 8.55, "Zurich"),
    ("Gdańsk", "Poland", "80-001", 54.3521, 18.6464, "Pomerania"),
    ("Lisbon", "Portugal", "1100-001", 38.7167, -9.1333, "Lisbon"),
    ("Osaka", "Japan", "530-0001", 34.6937, 135.5022, "Osaka"),
];

const BROWSERS: [(&str, &str, &str); 3] = [
    (
        "CHROME",
        "Mac OS X",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
    ),
    ("FIREFOX", "Windows 11", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (
        "SAFARI",
        "iOS",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    ),
];

/// An action as one event of the System Log. Targets come in any order.
pub(crate) fn system_log_event(chronicle: &Chronicle, action: &Action, deed: &Deed, random: &mut Random) -> Value {
    let own_id = random.hex();
    let request_id = action.transaction.map_or(own_id, hex_text);
    let mut target = targets(chronicle, action, deed);
    random.shuffle(&mut target);
    let token = match action.executor {
        Executor::Token(token) => json!({ "requestApiTokenId": chronicle.tokens[token].id }),
        _ => json!({}),
    };
    let client = client(action, random);
    let ip_chain = json!([{
        "geographicalContext": client["geographicalContext"], "ip": client["ipAddress"], "source": null, "version": "V4"
    }]);
    let session = match action.executor {
        Executor::Console(_) => Value::from(format!("trs{}", &request_id[..22])),
        _ => Value::from("unknown"),
    };
    json!({
        "actor": actor(chronicle, action, deed),
        "authenticationContext": {
            "authenticationProvider": null, "authenticationStep": 0, "credentialProvider": null, "credentialType": null,
            "externalSessionId": session, "interface": null, "issuer": null
        },
        "client": client,
        "debugContext": { "debugData": debug_data(chronicle, action, deed, &request_id) },
        "displayMessage": wording(deed).1,
        "eventType": event_type(deed),
        "legacyEventType": wording(deed).2,
        "outcome": outcome(action, deed),
        "published": okta_time(action.at),
        "request": { "ipChain": ip_chain },
        "securityContext": {
            "asNumber": 64512, "asOrg": "tally hall network", "domain": "tallyhall.example", "isProxy": false, "isp": "tally hall network"
        },
        "severity": if action.succeeded && *deed != Deed::RateLimit { "INFO" } else { "WARN" },
        "target": if target.is_empty() { Value::Null } else { Value::from(target) },
        "transaction": { "detail": token, "id": request_id, "type": "WEB" },
        "uuid": uuid_text(action.uuid),
        "version": "0"
    })
}

/// The same action as an event hook delivers it: without actor and targets, and with an outcome in mixed case.
pub(crate) fn event_hook(action: &Action, deed: &Deed, random: &mut Random) -> Value {
    let (_, message, legacy) = wording(deed);
    json!({
        "cloudEventsVersion": "0.1",
        "contentType": "application/json",
        "data": { "events": [{
            "actor": null,
            "displayMessage": message,
            "eventType": event_type(deed),
            "legacyEventType": legacy,
            "outcome": { "reason": null, "result": "Success" },
            "published": okta_time(action.at),
            "severity": "INFO",
            "target": null,
            "transaction": { "detail": null, "id": random.hex(), "type": null },
            "uuid": uuid_text(action.uuid),
            "version": "0"
        }] },
        "eventId": uuid_text(random.uuid()),
        "eventTime": okta_time(action.at + SignedDuration::from_millis(random.between(20, 900))),
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "source": "https://tallyhall.okta.example/api/v1/eventHooks/who4f1Qd8yZ0aLr7B5d7"
    })
}

pub(crate) fn event_type(deed: &Deed) -> &'static str {
    wording(deed).0
}

/// Event type, display message, legacy event type.
fn wording(deed: &Deed) -> (&'static str, &'static str, &'static str) {
    match deed {
        Deed::CreateAccount => ("user.lifecycle.create", "Create Okta user", "core.user.config.user_creation.success"),
        Deed::Activate => ("user.lifecycle.activate", "Activate Okta user", "core.user.config.user_activated"),
        Deed::Deactivate => ("user.lifecycle.deactivate", "Deactivate Okta user", "core.user.config.user_deactivated"),
        Deed::Suspend => ("user.lifecycle.suspend", "Suspend Okta user", "core.user.config.user_status.suspended"),
        Deed::Unsuspend => {
            ("user.lifecycle.unsuspend", "Unsuspend Okta user", "core.user.config.user_status.unsuspended")
        }
        Deed::Lock => ("user.account.lock", "Max sign in attempts exceeded", "core.user_auth.account_locked"),
        Deed::Unlock => ("user.account.unlock", "Unlock user account", "core.user.config.account_unlocked"),
        Deed::UpdateProfile(_) => {
            ("user.account.update_profile", "Update user profile for Okta", "core.user.config.profile_update")
        }
        Deed::JoinGroup(_) => {
            ("group.user_membership.add", "Add user to group membership", "core.user_group_member.user_add")
        }
        Deed::LeaveGroup(_) => {
            ("group.user_membership.remove", "Remove user from group membership", "core.user_group_member.user_remove")
        }
        Deed::AssignApp(_) => (
            "application.user_membership.add",
            "Add user to application membership",
            "app.generic.provision.assign_user_to_app",
        ),
        Deed::UnassignApp(_) => (
            "application.user_membership.remove",
            "Remove user's application membership",
            "app.generic.provision.deassign_user_from_app",
        ),
        Deed::GrantRoles(_) => {
            ("user.account.privilege.grant", "Grant user privilege", "core.user.admin_privilege.granted")
        }
        Deed::RevokeRoles(_) => {
            ("user.account.privilege.revoke", "Revoke user privilege", "core.user.admin_privilege.revoked")
        }
        Deed::CreateToken(_) => ("system.api_token.create", "Create API token", "api.token.create"),
        Deed::RevokeToken(_) => ("system.api_token.revoke", "Revoke API token", "api.token.revoke"),
        Deed::CreateClient(_) => {
            ("app.oauth2.client.lifecycle.create", "Create OAuth client", "app.oauth2.client.lifecycle.create")
        }
        Deed::CreateGroup(_) => ("group.lifecycle.create", "Create Okta group", "core.user_group.create"),
        Deed::AssignGroupApp { .. } => (
            "group.application_assignment.add",
            "Add assigned application to group",
            "app.generic.config.group_assigned",
        ),
        Deed::SignIn => ("user.session.start", "User login to Okta", "core.user_auth.login_success"),
        Deed::SignOnPolicy => {
            ("policy.evaluate_sign_on", "Evaluation of sign-on policy", "core.policy.evaluate_sign_on")
        }
        Deed::SingleSignOn(_) => ("user.authentication.sso", "User single sign on to app", "app.auth.sso"),
        Deed::RateLimit => ("system.org.rate_limit.warning", "Rate limit warning", "core.framework.ratelimit.warning"),
        Deed::ClientToken(_) => (
            "app.oauth2.token.grant.access_token",
            "OAuth2 access token is granted",
            "app.oauth2.token.grant.access_token_success",
        ),
    }
}

fn outcome(action: &Action, deed: &Deed) -> Value {
    match (action.succeeded, deed) {
        (false, _) => json!({ "reason": "insufficient permissions or temporary error", "result": "FAILURE" }),
        (true, Deed::SignOnPolicy) => {
            json!({ "reason": "Sign-on policy evaluation resulted in ALLOW", "result": "ALLOW" })
        }
        (true, _) => json!({ "reason": null, "result": "SUCCESS" }),
    }
}

fn actor(chronicle: &Chronicle, action: &Action, deed: &Deed) -> Value {
    if let Deed::ClientToken(client) = deed {
        let client = &chronicle.clients[*client];
        return entity("PublicClientApp", &client.id, &client.id, &client.name);
    }
    match chronicle.executor_identity(action.executor) {
        Some(who) => user(chronicle.company.of(who)),
        None => {
            entity("SystemPrincipal", "okta.2b1959c8-bcc0-56eb-a589-cfcfb7422f26", "system@okta.com", "Okta System")
        }
    }
}

fn targets(chronicle: &Chronicle, action: &Action, deed: &Deed) -> Vec<Value> {
    let company = &chronicle.company;
    let subject = company.of(action.subject);
    let group = |group: usize| entity("UserGroup", &company.groups[group].id, "unknown", &company.groups[group].name);
    let app =
        |app: usize| entity("AppInstance", &company.apps[app].id, &company.apps[app].name, &company.apps[app].name);
    let app_user = || {
        let id = format!("0ua{}", &subject.okta_id[3..]);
        entity("AppUser", &id, &subject.login, &subject.display_name())
    };
    match deed {
        Deed::JoinGroup(n) | Deed::LeaveGroup(n) => vec![group(*n), user(subject)],
        Deed::AssignApp(n) | Deed::UnassignApp(n) => vec![app(*n), app_user(), user(subject)],
        Deed::SingleSignOn(n) => vec![app(*n), app_user()],
        Deed::CreateToken(n) | Deed::RevokeToken(n) => {
            let token = &chronicle.tokens[*n];
            vec![entity("Token", &token.id, "unknown", &token.name)]
        }
        Deed::CreateClient(n) => {
            let client = &chronicle.clients[*n];
            vec![entity("PublicClientApp", &client.id, &client.id, &client.name), user(subject)]
        }
        Deed::ClientToken(_) => vec![entity("access_token", "unknown", "unknown", "Access Token")],
        Deed::CreateGroup(n) => vec![group(*n)],
        Deed::AssignGroupApp { group: g, app: a } => vec![group(*g), app(*a)],
        Deed::SignIn => Vec::new(),
        Deed::SignOnPolicy => vec![entity("PolicyEntity", "00p1k2gH9xW3sVb5T5d7", "unknown", "Default Policy")],
        Deed::RateLimit => vec![entity("URL Pattern", "/api/v1/groups", "unknown", "/api/v1/groups")],
        Deed::CreateAccount
        | Deed::Activate
        | Deed::Deactivate
        | Deed::Suspend
        | Deed::Unsuspend
        | Deed::Lock
        | Deed::Unlock
        | Deed::UpdateProfile(_)
        | Deed::GrantRoles(_)
        | Deed::RevokeRoles(_) => vec![user(subject)],
    }
}

/// The call behind the event; the ticket, where the caller named one, is in its query.
fn debug_data(chronicle: &Chronicle, action: &Action, deed: &Deed, request_id: &str) -> Value {
    let path = path(chronicle, action, deed);
    let query = action.reference.map(|case| format!("ticket={}", chronicle.ticket(case))).unwrap_or_default();
    let mut data = BTreeMap::from([
        ("requestId", Value::from(request_id)),
        ("url", Value::from(format!("{path}?{query}"))),
        ("requestUri", Value::from(path)),
    ]);
    match deed {
        Deed::GrantRoles(roles) | Deed::RevokeRoles(roles) => {
            let labels: Vec<_> = roles.iter().map(|role| ROLES[*role].1).collect();
            data.insert("privilegeGranted", labels.join(", ").into());
        }
        Deed::UpdateProfile(attribute) => {
            data.insert("changedAttributes", (*attribute).into());
        }
        Deed::RateLimit => {
            data.insert("threshold", "600".into());
            data.insert("warningPercent", "60".into());
        }
        _ => {}
    }
    data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn path(chronicle: &Chronicle, action: &Action, deed: &Deed) -> String {
    let company = &chronicle.company;
    let user = &company.of(action.subject).okta_id;
    let lifecycle = |verb: &str| format!("/api/v1/users/{user}/lifecycle/{verb}");
    match deed {
        Deed::CreateAccount => "/api/v1/users".into(),
        Deed::Activate => lifecycle("activate"),
        Deed::Deactivate => lifecycle("deactivate"),
        Deed::Suspend => lifecycle("suspend"),
        Deed::Unsuspend => lifecycle("unsuspend"),
        Deed::Unlock => lifecycle("unlock"),
        Deed::UpdateProfile(_) => format!("/api/v1/users/{user}"),
        Deed::JoinGroup(group) | Deed::LeaveGroup(group) => {
            format!("/api/v1/groups/{}/users/{user}", company.groups[*group].id)
        }
        Deed::AssignApp(app) | Deed::UnassignApp(app) => format!("/api/v1/apps/{}/users/{user}", company.apps[*app].id),
        Deed::GrantRoles(_) | Deed::RevokeRoles(_) => format!("/api/internal/administrators/{user}"),
        Deed::CreateToken(_) => "/api/internal/tokens".into(),
        Deed::RevokeToken(token) => format!("/api/internal/tokens/{}/revoke", chronicle.tokens[*token].id),
        Deed::CreateClient(_) => "/oauth2/v1/clients".into(),
        Deed::CreateGroup(_) | Deed::RateLimit => "/api/v1/groups".into(),
        Deed::AssignGroupApp { group, app } => {
            format!("/api/v1/apps/{}/groups/{}", company.apps[*app].id, company.groups[*group].id)
        }
        Deed::ClientToken(_) => "/oauth2/v1/token".into(),
        Deed::SingleSignOn(app) => format!("/app/{}/sso/saml", company.apps[*app].id),
        Deed::SignIn | Deed::SignOnPolicy | Deed::Lock => "/api/v1/authn".into(),
    }
}

/// People sit in one of a few cities with one of a few browsers; machines call from the data centre.
fn client(action: &Action, random: &mut Random) -> Value {
    let machine = |agent: &str| {
        json!({
            "device": "Unknown", "geographicalContext": {}, "id": null, "ipAddress": "192.0.2.17",
            "userAgent": { "browser": "UNKNOWN", "os": "Unknown", "rawUserAgent": agent }, "zone": "null"
        })
    };
    match action.executor {
        Executor::System => machine("Okta"),
        Executor::Token(_) => machine("okta-sdk-golang/2.20.0 golang/1.22.4"),
        Executor::Console(IdentityIndex(n)) => {
            let (city, country, postal_code, lat, lon, state) = PLACES[n % PLACES.len()];
            let (browser, os, raw) = BROWSERS[n % BROWSERS.len()];
            json!({
                "device": if os == "iOS" { "Mobile" } else { "Computer" },
                "geographicalContext": {
                    "city": city, "country": country, "geolocation": { "lat": lat, "lon": lon }, "postalCode": postal_code, "state": state
                },
                "id": null,
                "ipAddress": format!("198.51.100.{}", random.between(2, 250)),
                "userAgent": { "browser": browser, "os": os, "rawUserAgent": raw },
                "zone": "null"
            })
        }
    }
}

fn user(identity: &Identity) -> Value {
    entity("User", &identity.okta_id, &identity.login, &identity.display_name())
}

fn entity(kind: &str, id: &str, alternate_id: &str, display_name: &str) -> Value {
    json!({ "alternateId": alternate_id, "detailEntry": null, "displayName": display_name, "id": id, "type": kind })
}
