//! What can be held at GitHub: roles, teams, repositories, and what an application or a token may reach.
//!
//! Owns their ids. Organizations, enterprises and repositories have numbers, and are known by their names alone where an
//! event gives none; teams have only names in the log. How far access to a repository goes (read, write, admin) is no part
//! of its id, since what takes the access away does not say it.

use counterfoil_proto::v1::Ref;

use super::event::LogEvent;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// Who has members and roles.
#[derive(Clone, Copy)]
pub enum Owner {
    Organization,
    Enterprise,
}

impl Owner {
    /// The word in ids, and the keys of its name and of its number.
    fn keys(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Organization => ("org", "org", "org_id"),
            Self::Enterprise => ("business", "business", "business_id"),
        }
    }
}

/// A role in an organization or an enterprise, such as "owner".
pub fn role(event: Event<'_, '_, '_, '_>, owner: Owner, role: &str) -> Option<Ref> {
    of_owner(event, owner, "role", role)
}

/// What applications and tokens reach of an organization.
pub fn resources(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    of_owner(event, Owner::Organization, "permission", "resources")
}

fn of_owner(event: Event<'_, '_, '_, '_>, owner: Owner, kind: &str, what: &str) -> Option<Ref> {
    let (word, name, number) = owner.keys();
    let id = event.id(number).map(|number| {
        let number = event.draft.opaque(&number);
        format!("{kind}/{word}/{number}/{what}")
    });
    let name = event.text(name).map(|name| format!("{name}/{what}"));
    event.draft.entitlement(id, name.as_deref(), None)
}

/// That an application acts for a user.
pub fn acting_for(event: Event<'_, '_, '_, '_>, user: &Ref) -> Option<Ref> {
    let id = (!user.id.is_empty()).then(|| format!("permission/user/{}", user.id));
    let name = event.text("user").map(|login| format!("{login}/authorized"));
    event.draft.entitlement(id, name.as_deref(), None)
}

/// A team, or (as "group_owner") who maintains it. Its name begins with that of its organization.
pub fn team(event: Event<'_, '_, '_, '_>, kind: &str) -> Option<Ref> {
    let name = event.text("team")?;
    team_named(event, kind, name)
}

pub fn team_named(event: Event<'_, '_, '_, '_>, kind: &str, name: &str) -> Option<Ref> {
    let name = match event.text("org").filter(|_| !name.contains('/')) {
        Some(org) => format!("{org}/{name}"),
        None => name.to_owned(),
    };
    let id = event.draft.typed(kind, &name);
    event.draft.entitlement(Some(id), Some(&name), None)
}

/// Access to the repository that the event is about.
pub fn repository(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let id = event.id("repo_id").or_else(|| event.id("repository_id"));
    let id = id.map(|id| event.draft.typed("repo_access", &id));
    let name = event.text("repo").or_else(|| event.text("repository"));
    let repository = event.draft.entitlement(id, name, None)?;
    for key in ["visibility", "previous_visibility", "permission", "old_permission", "new_repo_permission"] {
        if let Some(value) = event.text(key) {
            event.draft.text(&repository, key, value);
        }
    }
    Some(repository)
}

/// Access to each repository of a list of numbers.
pub fn repositories(event: Event<'_, '_, '_, '_>, key: &str) -> Vec<Ref> {
    let numbers = event.json.items(key).iter().filter_map(|item| item.id().or_else(|| item.id_at("id")));
    let ids: Vec<String> = numbers.map(|number| event.draft.typed("repo_access", &number)).collect();
    ids.into_iter().filter_map(|id| event.draft.entitlement(Some(id), None, None)).collect()
}
