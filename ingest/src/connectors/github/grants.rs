//! The rules for members, teams and repositories, and for what their access means.
//!
//! Owns who gains what from such an event. A team's access is what the team means (`entitlement.changed`), never a grant
//! of its members: those follow from their membership.

use counterfoil_proto::v1::{
    Confidence, Entitlement, FactKind, Outcome, PolicyDecision, PolicyEffect, Ref, fact::Detail,
};

use super::entitlements::{self, Owner};
use super::event::LogEvent;
use super::who;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// That somebody holds something from then on, or no longer.
pub fn grant(event: Event<'_, '_, '_, '_>, kind: FactKind, subject: &Ref, object: Option<Ref>) {
    let Some(object) = object else { return };
    let mut fact = event.fact(kind);
    fact.subject = Some(subject.clone());
    fact.object = Some(object);
    event.push(fact);
}

/// What whoever loses something else loses with it, if they have it, without an event of its own.
fn loss(event: Event<'_, '_, '_, '_>, subject: &Ref, object: Option<Ref>) {
    let before = event.draft.facts.len();
    grant(event, FactKind::GrantRemoved, subject, object);
    for fact in &mut event.draft.facts[before..] {
        fact.confidence = Confidence::Derived.into();
    }
}

fn held(event: Event<'_, '_, '_, '_>, kind: FactKind, object: Option<Ref>) {
    if let Some(user) = who::subject(event) {
        grant(event, kind, &user, object);
    }
}

/// Somebody joined or left an organization. Owners are members too: who joins as one is both, and who leaves is neither.
pub fn member(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(user) = who::subject(event) else { return };
    let member = entitlements::role(event, Owner::Organization, "member");
    grant(event, kind, &user, member);
    let owner = entitlements::role(event, Owner::Organization, "owner");
    match (kind, event.text("permission")) {
        (FactKind::GrantRemoved, _) => loss(event, &user, owner),
        (_, Some("admin")) => grant(event, kind, &user, owner),
        _ => {}
    }
}

/// Another role of a member: an owner's, or no longer one.
pub fn member_role(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let owner = entitlements::role(event, Owner::Organization, "owner");
    match event.text("permission") {
        Some("admin") => held(event, FactKind::GrantAdded, owner),
        Some(_) => held(event, FactKind::GrantRemoved, owner),
        None => {
            let member = entitlements::role(event, Owner::Organization, "member");
            held(event, kind, member);
        }
    }
}

/// Somebody was asked to join: nothing is held until they do.
pub fn invitation(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let role = match event.text("permission") {
        Some("admin") => "owner",
        _ => "member",
    };
    let role = entitlements::role(event, Owner::Organization, role);
    let user = who::subject(event).or_else(|| who::user(event, "invitee", "invitee_id"));
    let user = user.or_else(|| who::user(event, "invitee_email", "invitee_id"));
    if let Some(user) = user {
        grant(event, kind, &user, role);
        pending(event);
    }
}

pub fn administrator_invitation(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    administrator(event, kind);
    pending(event);
}

fn pending(event: Event<'_, '_, '_, '_>) {
    if let Some(fact) = event.draft.facts.last_mut() {
        fact.outcome = Outcome::Pending.into();
    }
}

pub fn administrator(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let role = entitlements::role(event, Owner::Enterprise, "owner");
    held(event, kind, role);
}

pub fn moderator(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let role = entitlements::role(event, Owner::Organization, "moderator");
    held(event, kind, role);
}

pub fn billing_manager(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let role = entitlements::role(event, Owner::Organization, "billing_manager");
    held(event, kind, role);
}

/// Somebody outside of an organization who has access to some of its repositories: the role ends with the last of them.
pub fn outside_collaborator(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let user = who::subject(event).or_else(|| who::user(event, "invitee", "invitee_id"));
    let Some(user) = user else { return };
    let role = entitlements::role(event, Owner::Organization, "outside_collaborator");
    grant(event, kind, &user, role);
    let repository = entitlements::repository(event);
    grant(event, kind, &user, repository);
}

/// A member of a team. Who leaves maintains it no longer.
pub fn team_member(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let team = entitlements::team(event, "group_member");
    held(event, kind, team);
    if kind == FactKind::GrantRemoved {
        let Some(user) = who::subject(event) else { return };
        let maintained = entitlements::team(event, "group_owner");
        loss(event, &user, maintained);
    }
}

pub fn maintainer(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let team = entitlements::team(event, "group_owner");
    held(event, kind, team);
}

pub fn collaborator(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let repository = entitlements::repository(event);
    held(event, kind, repository);
}

/// What an entitlement means, from now on.
fn means(event: Event<'_, '_, '_, '_>, kind: FactKind, object: Option<Ref>, added: Vec<Ref>, removed: Vec<Ref>) {
    let Some(object) = object else { return };
    let detail = Entitlement { implies_added: added, implies_removed: removed, ..Entitlement::default() };
    let mut fact = event.fact(kind);
    fact.object = Some(object);
    fact.detail = (detail != Entitlement::default()).then_some(Detail::Entitlement(detail));
    event.push(fact);
}

pub fn team(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let team = entitlements::team(event, "group_member");
    means(event, kind, team, Vec::new(), Vec::new());
}

/// A team with another name: from then on another entitlement here, and the same team.
pub fn team_renamed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let renamed = entitlements::team(event, "group_member");
    let former = event.text("old_name").and_then(|name| entitlements::team_named(event, "group_member", name));
    match former {
        Some(former) => {
            let mut fact = event.fact(kind);
            fact.subject = Some(former);
            fact.object = renamed;
            event.push(fact);
        }
        None => means(event, FactKind::EntitlementChanged, renamed, Vec::new(), Vec::new()),
    }
}

/// A repository that a team's members get, or (with another permission) have otherwise.
pub fn team_repository(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let repository = entitlements::repository(event);
    let team = entitlements::team(event, "group_member");
    if repository.is_some() {
        means(event, kind, team, repository.into_iter().collect(), Vec::new());
    }
}

pub fn no_team_repository(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let repository = entitlements::repository(event);
    let team = entitlements::team(event, "group_member");
    if repository.is_some() {
        means(event, kind, team, Vec::new(), repository.into_iter().collect());
    }
}

/// A repository itself, or what access to it lets somebody do: its visibility, its owner, its protections.
pub fn repository(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let repository = entitlements::repository(event);
    means(event, kind, repository, Vec::new(), Vec::new());
}

/// A repository that has another name from then on. Without a number it is another one here.
pub fn repository_renamed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let repository = entitlements::repository(event).filter(|repository| !repository.id.is_empty());
    means(event, kind, repository, Vec::new(), Vec::new());
}

/// What members need to get in, or may do: two factors, single sign-on, which applications, from which addresses.
pub fn terms_of_membership(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let owner = if event.text("org").is_some() { Owner::Organization } else { Owner::Enterprise };
    let member = entitlements::role(event, owner, "member");
    means(event, kind, member, Vec::new(), Vec::new());
}

/// A set of rules for a repository, or for all of an organization.
pub fn ruleset(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    match entitlements::repository(event) {
        Some(repository) => means(event, kind, Some(repository), Vec::new(), Vec::new()),
        None => terms_of_membership(event, kind),
    }
}

/// Somebody did what a protected branch forbids, since they may override it.
pub fn override_of_protection(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    policy_decision(event, kind, PolicyEffect::Allow);
}

pub fn refusal_by_protection(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    policy_decision(event, kind, PolicyEffect::Deny);
}

fn policy_decision(event: Event<'_, '_, '_, '_>, kind: FactKind, effect: PolicyEffect) {
    let object = entitlements::repository(event);
    let mut fact = event.fact(kind);
    fact.subject.clone_from(&event.actor);
    fact.object = object;
    if effect == PolicyEffect::Deny {
        fact.outcome = Outcome::Denied.into();
    }
    let decision =
        PolicyDecision { effect: effect.into(), policy: "protected_branch".to_owned(), ..PolicyDecision::default() };
    fact.detail = Some(Detail::PolicyDecision(decision));
    event.push(fact);
}
