//! Listings of Freshservice's API: agents, requesters, groups of both, and roles.
//!
//! Owns what an element of such a list shows, and how its pages follow each other: the `link` header of a page names the
//! next one. The agents' list has roles and licences; who is in which group is the groups' to say.

use counterfoil_proto::v1::{AccountStatus, Fact, FactKind, Ref, RejectReason, Time};

use super::people::{account, entitlement, licence, roles};
use crate::connectors::draft::{Draft, fact};
use crate::connectors::lister::Target;
use crate::connectors::{Lister, Next, Own, Page, Reject, Response, Seen, Shows};
use crate::json::{Json, quoted};

pub struct Listings;

const ROOT: &str = "api/v2/";
const ALL: [&str; 1] = ["all"];

/// The key of each list, what it is of, and the scope that it lists.
const LISTS: [(&str, &str, &str); 5] = [
    ("agents", "agent", "accounts/agent+holders/license+holders/role"),
    ("requesters", "requester", "accounts/requester"),
    ("groups", "group", "definitions/group_member+holders/group_member+holders/group_owner"),
    ("requester_groups", "requester_group", "definitions/requester_group"),
    ("roles", "role", "definitions/role"),
];

impl Lister for Listings {
    fn pages(&self, response: &Response<'_, '_>) -> Result<Vec<Page>, Reject> {
        let list = LISTS.iter().find(|(key, ..)| matches!(response.body.get(key), Some(Json::Array(_))));
        let Some((key, kind, scope)) = list else {
            let known = LISTS.map(|(key, ..)| key).join(", ");
            let message = format!(
                "expected a page of a list of Freshservice's, {known}, got {}",
                quoted(&response.body.to_text())
            );
            return Err(Reject::new(RejectReason::NotAnEvent, message));
        };
        let path: &'static [&'static str] = match *key {
            "agents" => &["agents"],
            "requesters" => &["requesters"],
            "groups" => &["groups"],
            "requester_groups" => &["requester_groups"],
            _ => &["roles"],
        };
        let number = |target: Target<'_>| target.get("page").map(str::to_owned);
        let target = response.target.map(|target| Target::of(target, ROOT));
        let is_filtered =
            target.as_ref().is_some_and(|target| target.has_other_than(&["page", "per_page", "order_by"]));
        let own = match target.map(number) {
            Some(Some(page)) if page != "1" => Own::At(page),
            Some(_) if response.has_head => Own::First,
            _ => Own::Behind,
        };
        let next = match response.next.map(|next| number(Target::of(next, ROOT))) {
            Some(Some(page)) => Next::At(page),
            Some(None) => Next::Unknown,
            None if response.has_head => Next::Nothing,
            None => Next::Unknown,
        };
        let total = ["total", "total_count"].iter().find_map(|key| response.body.get(key)?.as_u64());
        let total = total.or_else(|| response.body.path("meta.total_items")?.as_u64());
        Ok(vec![Page {
            scope: (*scope).to_owned(),
            instance: None,
            taken: None,
            shows: Shows::All,
            strand: ALL[0],
            strands: &ALL,
            kind: (*kind).to_owned(),
            path,
            own,
            next,
            flaw: is_filtered.then_some("filtered"),
            total,
        }])
    }

    fn element(&self, kind: &str, json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
        let Some(id) = json.id_at("id") else {
            let message = format!("expected a resource of Freshservice's with its id, got {}", quoted(&json.to_text()));
            return Err(Reject::new(RejectReason::FieldInvalid, message));
        };
        Ok(match kind {
            "agent" => agent(json, at, draft),
            "requester" => {
                let primary = json.text("primary_email").or_else(|| json.text("email"));
                let emails: Vec<_> = primary.map(|email| ("email", email)).into_iter().collect();
                let requester = account(json, &emails, draft);
                vec![Seen { status: status(json), ..listed(at, requester, None, "").into() }]
            }
            "group" => group(json, &id, at, draft),
            // As everywhere: a group of requesters is one that they are members of.
            "requester_group" => vec![defined("group_member", &id, json, at, draft)],
            _ => vec![defined("role", &id, json, at, draft)],
        })
    }
}

/// An agent, its roles with where they hold, and the licence that it takes.
fn agent(json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Vec<Seen> {
    let emails: Vec<_> = json.text("email").map(|email| ("email", email)).into_iter().collect();
    let agent = account(json, &emails, draft);
    let mut seen = vec![Seen { status: status(json), ..listed(at, agent.clone(), None, "").into() }];
    for (id, scope) in roles(json) {
        let scope = scope.map_or_else(String::new, |scope| draft.scope(scope));
        let role = entitlement("role", &id, draft);
        seen.push(listed(at, agent.clone(), role, &scope).into());
    }
    if let Some(licence) = licence(json) {
        let licence = entitlement("license", licence, draft);
        seen.push(listed(at, agent, licence, "").into());
    }
    seen
}

/// A group, its members, observers and leaders. Whoever is only waiting to become one is none.
fn group(json: &Json<'_>, id: &str, at: Time, draft: &mut Draft<'_>) -> Vec<Seen> {
    let mut seen = vec![defined("group_member", id, json, at, draft)];
    let members = match json.items("members") {
        [] => json.items("agent_ids"),
        members => members,
    };
    for (people, kind, scope) in [
        (members, "group_member", ""),
        (json.items("observers"), "group_member", "observer"),
        (json.items("leaders"), "group_owner", ""),
    ] {
        for person in people.iter().filter_map(Json::id) {
            let object = entitlement(kind, id, draft);
            let person = super::ticket::account(&person, None, draft);
            seen.push(listed(at, person, object, scope).into());
        }
    }
    seen
}

fn status(json: &Json<'_>) -> AccountStatus {
    match json.get("active").and_then(Json::as_bool) {
        Some(true) => AccountStatus::Enabled,
        Some(false) => AccountStatus::Disabled,
        None => AccountStatus::Seen,
    }
}

fn listed(at: Time, subject: Option<Ref>, object: Option<Ref>, scope: &str) -> Fact {
    Fact { subject, object, scope: scope.to_owned(), ..fact(FactKind::SnapshotItem, at) }
}

fn defined(kind: &str, id: &str, json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Seen {
    let id = draft.typed(kind, id);
    let object = draft.entitlement(Some(id), json.text("name"), None);
    Fact { object, ..fact(FactKind::EntitlementDefined, at) }.into()
}
