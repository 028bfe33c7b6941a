//! Groups of agents and of requesters, and roles: what can be held, and who holds it.
//!
//! Owns what one version of such a resource says. A group lists its members; whoever is only waiting to become one is
//! none.

use counterfoil_proto::v1::{Confidence, Fact, FactKind, Mapping, Time};

use super::people::{entitlement, item};
use super::ticket::account;
use super::{Reading, Reject, Resource};
use crate::connectors::draft::fact;
use crate::json::Json;

/// Reads a version of a group.
pub fn group(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let seen_at = resource.seen_at()?;
    let json = resource.json;
    if let Some(id) = resource.id() {
        define("group_member", &id, seen_at, &mut resource);
        let draft = &mut resource.draft;
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
                let object = entitlement(kind, &id, draft);
                if let Some(account) = account(&person, None, draft) {
                    draft.facts.push(item(&account, object, scope, seen_at));
                }
            }
        }
    }
    let updated = resource.updated_at()?;
    resource.finish(updated, Mapping::Incomplete)
}

/// Reads a version of a role.
pub fn role(mut resource: Resource<'_, '_, '_>) -> Result<Reading, Reject> {
    let seen_at = resource.seen_at()?;
    if let Some(id) = resource.id() {
        define("role", &id, seen_at, &mut resource);
    }
    let updated = resource.updated_at()?;
    resource.finish(updated, Mapping::Incomplete)
}

fn define(kind: &str, id: &str, at: Time, resource: &mut Resource<'_, '_, '_>) {
    let id = resource.draft.typed(kind, id);
    let object = resource.draft.entitlement(Some(id), resource.json.text("name"), None);
    resource.draft.facts.push(Fact {
        confidence: Confidence::Snapshot.into(),
        object,
        ..fact(FactKind::EntitlementDefined, at)
    });
}
