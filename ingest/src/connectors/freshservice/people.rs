//! Agents and requesters: accounts, and what an agent's account holds.
//!
//! Owns what one version of such a resource says: all that the account holds in it, seen and not logged. Its first fact
//! is the account itself, which marks where the list of what it holds begins.

use counterfoil_proto::v1::{
    Account, Completeness, Confidence, Fact, FactKind, IdentityType, Mapping, Ref, Snapshot, Time, fact::Detail,
};

use super::{Reading, Reject, Resource};
use crate::connectors::draft::{Draft, Principal, fact};
use crate::json::Json;

/// Reads a version of an agent.
pub fn agent(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let seen_at = resource.seen_at()?;
    let json = resource.json;
    let draft = &mut resource.draft;
    let emails: Vec<_> = json.text("email").map(|email| ("email", email)).into_iter().collect();
    if let Some(account) = account(json, &emails, draft) {
        draft.facts.push(item(&account, None, "", seen_at));
        for role in roles(json) {
            let (id, scope) = role;
            let object = entitlement("role", &id, draft);
            let scope = scope.map_or_else(String::new, |scope| draft.scope(scope));
            draft.facts.push(item(&account, object, &scope, seen_at));
        }
        let member_of = match json.items("member_of") {
            [] => json.items("group_ids"),
            groups => groups,
        };
        for (groups, scope) in [(member_of, ""), (json.items("observer_of"), "observer")] {
            for id in groups.iter().filter_map(Json::id) {
                let object = entitlement("group_member", &id, draft);
                draft.facts.push(item(&account, object, scope, seen_at));
            }
        }
        if let Some(licence) = licence(json) {
            let object = entitlement("license", licence, draft);
            draft.facts.push(item(&account, object, "", seen_at));
        }
        status(json, &account, seen_at, draft);
    }
    let updated = resource.updated_at()?;
    resource.finish(updated, Mapping::Incomplete)
}

/// Reads a version of a requester.
pub fn requester(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let seen_at = resource.seen_at()?;
    let json = resource.json;
    let draft = &mut resource.draft;
    let primary = json.text("primary_email").or_else(|| json.text("email"));
    let secondary = json.items("secondary_emails").iter();
    let emails: Vec<_> = primary
        .into_iter()
        .chain(secondary.filter(|email| !email.is_absent()).filter_map(Json::as_str))
        .map(|email| ("email", email))
        .collect();
    if let Some(account) = account(json, &emails, draft) {
        draft.facts.push(item(&account, None, "", seen_at));
        status(json, &account, seen_at, draft);
    }
    let updated = resource.updated_at()?;
    resource.finish(updated, Mapping::Incomplete)
}

/// One thing that an account holds, or the account itself.
pub fn item(account: &Ref, object: Option<Ref>, scope: &str, at: Time) -> Fact {
    let detail = Snapshot { completeness: Completeness::NotAListing.into(), ..Snapshot::default() };
    Fact {
        confidence: Confidence::Snapshot.into(),
        subject: Some(account.clone()),
        object,
        scope: scope.to_owned(),
        detail: Some(Detail::Snapshot(detail)),
        ..fact(FactKind::SnapshotItem, at)
    }
}

/// An entitlement of Freshservice's own.
pub fn entitlement(kind: &str, id: &str, draft: &mut Draft<'_>) -> Option<Ref> {
    let id = draft.typed(kind, id);
    draft.entitlement(Some(id), None, None)
}

/// The account that an agent or a requester is.
pub fn account(json: &Json<'_>, emails: &[(&'static str, &str)], draft: &mut Draft<'_>) -> Option<Ref> {
    let id = json.id_at("id")?;
    let full_name =
        [json.text("first_name"), json.text("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let values: Vec<_> = [
        ("display_name", Some(full_name.as_str())),
        ("first_name", json.text("first_name")),
        ("last_name", json.text("last_name")),
        ("job_title", json.text("job_title")),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    draft.principal(Principal {
        id: Some(&id),
        logins: emails,
        values: &values,
        identity_type: IdentityType::Unspecified,
        ..Principal::default()
    })
}

/// The roles, each with where it holds.
pub fn roles<'v>(json: &'v Json<'_>) -> Vec<(std::borrow::Cow<'v, str>, Option<&'v str>)> {
    let with_scope: Vec<_> = json
        .items("roles")
        .iter()
        .filter_map(|role| Some((role.id_at("role_id")?, role.text("assignment_scope"))))
        .collect();
    if !with_scope.is_empty() {
        return with_scope;
    }
    let ids = json.items("role_ids").iter().filter_map(Json::id);
    ids.map(|id| (id, None)).collect()
}

/// An occasional agent uses day passes; an active one that is not occasional takes a seat.
pub fn licence(json: &Json<'_>) -> Option<&'static str> {
    let is = |key: &str| json.get(key).and_then(Json::as_bool) == Some(true);
    if is("occasional") { Some("day_pass") } else { is("active").then_some("full") }
}

fn status(json: &Json<'_>, account: &Ref, at: Time, draft: &mut Draft<'_>) {
    let detail = Account {
        department: json
            .items("department_ids")
            .iter()
            .find_map(Json::id)
            .map_or_else(String::new, |department| draft.opaque(&department)),
        manager: json.id_at("reporting_manager_id").and_then(|manager| super::ticket::account(&manager, None, draft)),
        ..Account::default()
    };
    let kind = match json.get("active").and_then(Json::as_bool) {
        Some(true) => FactKind::AccountEnabled,
        Some(false) => FactKind::AccountDisabled,
        None if detail == Account::default() => return,
        None => FactKind::AccountUpdated,
    };
    draft.facts.push(Fact {
        confidence: Confidence::Snapshot.into(),
        subject: Some(account.clone()),
        detail: (detail != Account::default()).then_some(Detail::Account(detail)),
        ..fact(kind, at)
    });
}
