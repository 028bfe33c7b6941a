//! Listings of Okta's management API: users, groups, applications, and who has which of them.
//!
//! Owns which listing an address is one of, and what its elements list. Pages name each other in their `link` headers.
//! A listing with a filter leaves something out; without one, `/users` leaves out whoever is deprovisioned, so that all
//! users are two listings in one.

use std::borrow::Cow;

use counterfoil_proto::v1::{AccountStatus, Entitlement, Fact, FactKind, Ref, RejectReason, Time, fact::Detail};
use counterfoil_verify::listing::Inheritance;

use super::resources::account;
use super::roles;
use crate::connectors::draft::{Draft, Principal, fact};
use crate::connectors::lister::Target;
use crate::connectors::shape::is_impersonal;
use crate::connectors::{Lister, Next, Own, Page, Reject, Response, Seen, Shows};
use crate::json::{Json, quoted};

pub struct Listings;

const ROOT: &str = "api/v1/";
/// Everybody but the deprovisioned, and the deprovisioned.
const USERS: [&str; 2] = ["users", "deprovisioned"];
const ALL: [&str; 1] = ["all"];

impl Lister for Listings {
    fn pages(&self, response: &Response<'_, '_>) -> Result<Vec<Page>, Reject> {
        const EXPECTED: &str = "expected a page of a listing of Okta's API";
        let Some(text) = response.target else {
            let message = format!(
                "{EXPECTED} with the head of its response, whose link says what it is of; or name that in scope, such as \
                 users or groups/00g1/users"
            );
            return Err(Reject::new(RejectReason::NotAnEvent, message));
        };
        let target = Target::of(text, ROOT);
        let Some((scope, kind)) = scope(&target.segments) else {
            let message = format!(
                "{EXPECTED}, got one of {}: known are users, groups, apps, groups/ID/users, groups/ID/roles, apps/ID/users, \
                 apps/ID/groups, users/ID/groups and users/ID/roles, each with an id as Okta makes them",
                quoted(text)
            );
            return Err(Reject::new(RejectReason::NotAnEvent, message));
        };
        if !matches!(response.body, Json::Array(_)) {
            let message = format!("{EXPECTED}, an array, got {}", quoted(&response.body.to_text()));
            return Err(Reject::new(RejectReason::NotAnEvent, message));
        }
        let is_users = scope == "accounts";
        let is_gone = is_users && target.get("filter").is_some_and(is_deprovisioned);
        let known: &[&str] = if is_gone { &["limit", "after", "filter"] } else { &["limit", "after", "expand"] };
        let own = match target.get("after") {
            Some(after) => Own::At(after.to_owned()),
            None if response.has_head => Own::First,
            None => Own::Behind,
        };
        let next = response.next.map(|next| Target::of(next, ROOT));
        let next = match next.as_ref().map(|next| next.get("after")) {
            Some(Some(after)) => Next::At(after.to_owned()),
            Some(None) => Next::Unknown,
            None if response.has_head => Next::Nothing,
            None => Next::Unknown,
        };
        Ok(vec![Page {
            scope,
            instance: None,
            taken: None,
            shows: Shows::All,
            strand: if is_gone {
                USERS[1]
            } else if is_users {
                USERS[0]
            } else {
                ALL[0]
            },
            strands: if is_users { &USERS } else { &ALL },
            kind,
            path: &[],
            own,
            next,
            flaw: target.has_other_than(known).then_some("filtered"),
            total: None,
        }])
    }

    fn element(&self, kind: &str, json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
        let Some(id) = json.id_at("id") else {
            let message = format!("expected an object of Okta's API with its id, got {}", quoted(&json.to_text()));
            return Err(Reject::new(RejectReason::FieldInvalid, message));
        };
        let (kind, of) = kind.split_once(' ').unwrap_or((kind, ""));
        Ok(match kind {
            "user" => vec![Seen { status: status(json), ..listed(at, account(json, &id, draft), None).into() }],
            "group" => vec![defined(at, entitlement("group_member", &id, json.text("profile.name"), draft))],
            "app" => vec![defined(at, entitlement("app_assignment", &id, json.text("label"), draft))],
            "member" => {
                let group = entitlement("group_member", of, None, draft);
                vec![listed(at, account(json, &id, draft), group).into()]
            }
            "group_of" => {
                let group = entitlement("group_member", &id, json.text("profile.name"), draft);
                vec![listed(at, principal(of, draft), group).into()]
            }
            "app_user" => {
                // The user name is the one in the application, which says nothing about the one in Okta.
                let live = matches!(json.text("status"), Some("ACTIVE" | "PROVISIONED"));
                let app = entitlement("app_assignment", of, None, draft).filter(|_| live);
                app.map(|app| assigned(json, "scope", listed(at, principal(&id, draft), Some(app))))
                    .into_iter()
                    .collect()
            }
            "app_group" => {
                let app = entitlement("app_assignment", of, None, draft);
                implied(at, entitlement("group_member", &id, None, draft), app)
            }
            "role_of_user" => {
                let role = role(json, draft);
                role.map(|role| assigned(json, "assignmentType", listed(at, principal(of, draft), Some(role))))
                    .into_iter()
                    .collect()
            }
            _ => {
                let role = role(json, draft);
                let group = entitlement("group_member", of, None, draft);
                role.map(|role| implied(at, group, Some(role))).unwrap_or_default()
            }
        })
    }
}

/// The scope of the listing at a path, and the kind of its elements.
fn scope(segments: &[&str]) -> Option<(String, String)> {
    // A "+" would begin another part of the scope.
    let id = |id: &&str| is_impersonal(id) && !id.contains('+');
    let (scope, kind) = match segments {
        ["users"] => ("accounts".to_owned(), "user".to_owned()),
        ["groups"] => ("definitions/group_member".to_owned(), "group".to_owned()),
        ["apps"] => ("definitions/app_assignment".to_owned(), "app".to_owned()),
        ["groups", group, "users"] if id(group) => (format!("holders/group_member/{group}"), format!("member {group}")),
        ["groups", group, "roles"] if id(group) => {
            (format!("implied/role/group_member/{group}"), format!("role_of_group {group}"))
        }
        ["apps", app, "users"] if id(app) => (format!("holders/app_assignment/{app}"), format!("app_user {app}")),
        ["apps", app, "groups"] if id(app) => (format!("implying/app_assignment/{app}"), format!("app_group {app}")),
        ["users", user, "groups"] if id(user) => (format!("held/group_member/{user}"), format!("group_of {user}")),
        ["users", user, "roles"] if id(user) => (format!("held/role/{user}"), format!("role_of_user {user}")),
        _ => return None,
    };
    Some((scope, kind))
}

/// Whether a filter is the one that lists those whom `/users` leaves out.
fn is_deprovisioned(filter: &str) -> bool {
    let words: Vec<Cow<'_, str>> = filter.split_whitespace().map(|word| word.to_ascii_lowercase().into()).collect();
    words == ["status", "eq", "\"deprovisioned\""]
}

fn status(json: &Json<'_>) -> AccountStatus {
    match json.text("status") {
        Some("ACTIVE" | "PASSWORD_EXPIRED" | "RECOVERY" | "LOCKED_OUT") => AccountStatus::Enabled,
        Some("SUSPENDED" | "DEPROVISIONED") => AccountStatus::Disabled,
        // Staged and provisioned accounts exist and were never used.
        Some("STAGED" | "PROVISIONED") => AccountStatus::Created,
        _ => AccountStatus::Seen,
    }
}

fn principal(id: &str, draft: &mut Draft<'_>) -> Option<Ref> {
    draft.principal(Principal { id: Some(id), ..Principal::default() })
}

fn entitlement(kind: &str, id: &str, name: Option<&str>, draft: &mut Draft<'_>) -> Option<Ref> {
    let id = draft.typed(kind, id);
    draft.entitlement(Some(id), name, None)
}

/// An administrator role, unless it is switched off. Roles of the organisation's own are told apart by their labels, as
/// in the log.
fn role(json: &Json<'_>, draft: &mut Draft<'_>) -> Option<Ref> {
    let kind = json.text("type").filter(|_| json.text("status") == Some("ACTIVE"))?;
    let label = json.text("label");
    let id = match (kind, label) {
        ("CUSTOM", Some(label)) => match roles::code(label) {
            Some(code) => code.to_owned(),
            None => draft.digested(&label.to_lowercase()),
        },
        _ => kind.to_owned(),
    };
    let id = if id.starts_with('~') { format!("role/{id}") } else { draft.typed("role", &id) };
    draft.entitlement(Some(id), label, None)
}

fn listed(at: Time, subject: Option<Ref>, object: Option<Ref>) -> counterfoil_proto::v1::Fact {
    counterfoil_proto::v1::Fact { subject, object, ..fact(FactKind::SnapshotItem, at) }
}

/// What somebody was assigned, or has through a group.
fn assigned(json: &Json<'_>, said: &str, fact: Fact) -> Seen {
    let inheritance = match json.text(said) {
        Some("USER") => Inheritance::Direct,
        Some("GROUP") => Inheritance::Inherited,
        _ => Inheritance::Unsaid,
    };
    Seen { inheritance, ..fact.into() }
}

fn defined(at: Time, object: Option<Ref>) -> Seen {
    counterfoil_proto::v1::Fact { object, ..fact(FactKind::EntitlementDefined, at) }.into()
}

fn implied(at: Time, object: Option<Ref>, gained: Option<Ref>) -> Vec<Seen> {
    let detail = Entitlement { implies_added: gained.into_iter().collect(), ..Entitlement::default() };
    let detail = Some(Detail::Entitlement(detail));
    vec![counterfoil_proto::v1::Fact { object, detail, ..fact(FactKind::EntitlementChanged, at) }.into()]
}
