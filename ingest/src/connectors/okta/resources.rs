//! Objects of Okta's management API: users, groups, applications, their assignments, administrator roles.
//!
//! Owns what one version of such an object says. It is what was seen, not what happened: every fact here has the
//! confidence of a snapshot, and none proves that anything is absent.

use counterfoil_proto::v1::{
    Account, Completeness, Confidence, Entitlement, Fact, FactKind, Mapping, Ref, Snapshot, Time, fact::Detail,
};

use super::event::identity_type;
use crate::connectors::draft::{Draft, Principal, fact, version};
use crate::connectors::{EventId, Reading, Reject};
use crate::json::Json;
use crate::times;

/// Reads one object.
pub fn read(json: &Json<'_>, mut draft: Draft<'_>) -> Result<Reading, Reject> {
    let kind = kind(json);
    let name = kind.map_or("", |kind| kind.1);
    let updated = times::optional(
        json.get("lastUpdated").or_else(|| json.get("created")),
        "lastUpdated",
        draft.context.assume_utc,
    )?;
    let seen_at = updated.unwrap_or_else(|| times::received(draft.context.received_at));
    let id = json.id_at("id");
    let event_id = match (kind, &id, updated) {
        (Some(_), Some(id), Some(at)) => EventId::Version(format!("{name}/{}/{}", draft.opaque(id), version(&at))),
        _ => EventId::Content,
    };
    if let (Some((resource, _)), Some(id)) = (kind, &id) {
        match resource {
            Resource::User => user(json, id, seen_at, &mut draft)?,
            Resource::Group => definition(json, "group_member", "profile.name", seen_at, &mut draft),
            Resource::App => definition(json, "app_assignment", "label", seen_at, &mut draft),
            Resource::AppUser => app_user(json, id, seen_at, &mut draft),
            Resource::Role => role(json, seen_at, &mut draft),
            Resource::Other => {}
        }
    }
    let empty = matches!(json, Json::Object(members) if members.is_empty());
    let otherwise = if kind.is_some() || empty { Mapping::NoFacts } else { Mapping::Unmapped };
    draft.finish("api", event_id, name, otherwise)
}

/// Whether it is an object of a kind that is known here.
pub fn is_known(json: &Json<'_>) -> bool {
    kind(json).is_some()
}

/// Whether it may be an object of a kind that is not known here: it has what the objects of the API have, or nothing.
pub fn is_like_one(json: &Json<'_>) -> bool {
    const USUAL: [&str; 8] = [
        "_links",
        "_embedded",
        "profile",
        "created",
        "lastUpdated",
        "factorResult",
        "tempPassword",
        "resetPasswordUrl",
    ];
    matches!(json, Json::Object(members) if members.is_empty()) || USUAL.iter().any(|key| json.get(key).is_some())
}

#[derive(Clone, Copy, Debug)]
enum Resource {
    User,
    Group,
    App,
    AppUser,
    Role,
    /// Known, and without access in it.
    Other,
}

/// What an object is, by the keys that only this kind has, and the name of the kind.
fn kind(json: &Json<'_>) -> Option<(Resource, &'static str)> {
    let has = |path: &str| json.path(path).is_some();
    if !has("id") {
        return None;
    }
    if has("profile.login") {
        Some((Resource::User, "user"))
    } else if has("objectClass") || has("lastMembershipUpdated") {
        Some((Resource::Group, "group"))
    } else if has("assignmentType") {
        Some((Resource::Role, "role"))
    } else if has("scope") && has("syncState") {
        Some((Resource::AppUser, "app_user"))
    } else if has("signOnMode") {
        Some((Resource::App, "app"))
    } else if has("factorType") {
        Some((Resource::Other, "factor"))
    } else if has("usage") && has("gateways") || has("asns") {
        Some((Resource::Other, "zone"))
    } else if has("origin") && has("scopes") {
        Some((Resource::Other, "trusted_origin"))
    } else {
        None
    }
}

fn seen(kind: FactKind, at: Time) -> Fact {
    Fact { confidence: Confidence::Snapshot.into(), ..fact(kind, at) }
}

fn item(subject: Option<Ref>, object: Option<Ref>, at: Time) -> Fact {
    let detail = Snapshot { completeness: Completeness::NotAListing.into(), ..Snapshot::default() };
    Fact { subject, object, detail: Some(Detail::Snapshot(detail)), ..seen(FactKind::SnapshotItem, at) }
}

/// The account that a user object is.
pub fn account(json: &Json<'_>, id: &str, draft: &mut Draft<'_>) -> Option<Ref> {
    let login = json.text("profile.login");
    let logins: Vec<_> = [("login", login), ("email", json.text("profile.email"))]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let values: Vec<_> = [
        ("display_name", "profile.displayName"),
        ("first_name", "profile.firstName"),
        ("last_name", "profile.lastName"),
        ("job_title", "profile.title"),
        ("department", "profile.department"),
    ]
    .into_iter()
    .filter_map(|(name, path)| Some((name, json.text(path)?)))
    .collect();
    draft.principal(Principal {
        id: Some(id),
        logins: &logins,
        values: &values,
        identity_type: login.map(identity_type).unwrap_or_default(),
        ..Principal::default()
    })
}

fn user(json: &Json<'_>, id: &str, at: Time, draft: &mut Draft<'_>) -> Result<(), Reject> {
    let account = account(json, id, draft);
    draft.facts.push(item(account.clone(), None, at));
    let changed = times::optional(json.get("statusChanged"), "statusChanged", draft.context.assume_utc)?;
    let (kind, reversible) = match json.text("status") {
        Some("ACTIVE" | "PASSWORD_EXPIRED" | "RECOVERY") => (FactKind::AccountEnabled, false),
        Some("LOCKED_OUT") => (FactKind::AccountLocked, false),
        Some("SUSPENDED") => (FactKind::AccountDisabled, true),
        Some("DEPROVISIONED") => (FactKind::AccountDisabled, false),
        // Staged and provisioned accounts exist and were never used.
        _ => return Ok(()),
    };
    let detail = Account {
        reversible,
        department: json.text("profile.department").map_or_else(String::new, |department| draft.digested(department)),
        ..Account::default()
    };
    draft.facts.push(Fact {
        subject: account,
        detail: (detail != Account::default()).then_some(Detail::Account(detail)),
        ..seen(kind, changed.unwrap_or(at))
    });
    Ok(())
}

fn definition(json: &Json<'_>, kind: &str, name: &str, at: Time, draft: &mut Draft<'_>) {
    let id = json.id_at("id").map(|id| draft.typed(kind, &id));
    let object = draft.entitlement(id, json.text(name), None);
    draft.facts.push(Fact { object, ..seen(FactKind::EntitlementDefined, at) });
}

/// An assignment of an application. The object's links say which one; its id is the user's.
fn app_user(json: &Json<'_>, id: &str, at: Time, draft: &mut Draft<'_>) {
    let live = matches!(json.text("status"), Some("ACTIVE" | "PROVISIONED"));
    let Some(app) = linked(json, "_links.app.href", "/apps/").filter(|_| live) else {
        return;
    };
    let user = linked(json, "_links.user.href", "/users/").unwrap_or(id);
    // The user name is the one in the application, which says nothing about the one in Okta.
    let account = draft.principal(Principal { id: Some(user), ..Principal::default() });
    let app = draft.typed("app_assignment", app);
    let app = draft.entitlement(Some(app), None, None);
    draft.facts.push(item(account, app, at));
}

/// An administrator role of a user or of a group.
fn role(json: &Json<'_>, at: Time, draft: &mut Draft<'_>) {
    let Some(kind) = json.text("type").filter(|_| json.text("status") == Some("ACTIVE")) else {
        return;
    };
    let role = draft.typed("role", kind);
    let role = draft.entitlement(Some(role), json.text("label"), None);
    const ASSIGNEE: &str = "_links.assignee.href";
    if let Some(user) = linked(json, ASSIGNEE, "/users/") {
        let account = draft.principal(Principal { id: Some(user), ..Principal::default() });
        draft.facts.push(item(account, role, at));
    } else if let Some(group) = linked(json, ASSIGNEE, "/groups/") {
        let group = draft.typed("group_member", group);
        let detail = Entitlement { implies_added: role.into_iter().collect(), ..Entitlement::default() };
        let group = draft.entitlement(Some(group), None, None);
        draft.facts.push(Fact {
            object: group,
            detail: Some(Detail::Entitlement(detail)),
            ..seen(FactKind::EntitlementChanged, at)
        });
    }
}

/// The id behind a collection's name in a link.
fn linked<'v>(json: &'v Json<'_>, path: &str, collection: &str) -> Option<&'v str> {
    let (_, rest) = json.text(path)?.split_once(collection)?;
    let id = rest.split(['/', '?', '#']).next()?;
    (!id.is_empty()).then_some(id)
}
