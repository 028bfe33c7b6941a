//! The rules for users, roles, groups and policies of IAM.
//!
//! Owns who gains what from such an event. What a policy says is never read: what it means for its holders is that they
//! have the permissions of that policy, whichever they are by now. A group's policies are what the group means, and a
//! role's trust is what whoever may assume it holds.

use counterfoil_proto::v1::{Account, Entitlement, FactKind, Grant, Outcome, Ref, fact::Detail};

use super::entitlements;
use super::event::LogEvent;
use super::identity::{self, known};
use crate::connectors::draft::permissions;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// The user that the event is about: the one it names, or else whoever acts.
pub fn user_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let name = event.request("userName").or_else(|| event.response("user.userName"));
    let ids = [("unique_id", event.response("user.userId")), ("arn", event.response("user.arn"))];
    let ids: Vec<_> = ids.into_iter().filter_map(|(name, id)| Some((name, id?))).collect();
    match name {
        Some(name) => identity::user(&mut event.draft, name, &ids, None),
        None => None,
    }
}

/// The user or the role that the event is about.
fn holder(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    match event.request("roleName").or_else(|| event.response("role.roleName")) {
        Some(name) => {
            let ids = [("unique_id", event.response("role.roleId")), ("arn", event.response("role.arn"))];
            let ids: Vec<_> = ids.into_iter().filter_map(|(name, id)| Some((name, id?))).collect();
            identity::role(&mut event.draft, name, &ids, None)
        }
        None => user_of(event),
    }
}

fn group_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let name = event.request("groupName").or_else(|| event.response("group.groupName"))?;
    entitlements::group(&mut event.draft, name)
}

fn policy_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let arn = event.request("policyArn").or_else(|| event.response("policy.arn"))?;
    entitlements::policy(&mut event.draft, arn)
}

fn inline_policy_of(event: Event<'_, '_, '_, '_>, holder: &Ref) -> Option<Ref> {
    let name = event.request("policyName")?;
    entitlements::inline_policy(&mut event.draft, holder, name)
}

pub fn user(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(user) = user_of(event) else { return };
    about_account(event, kind, user, None);
}

fn about_account(event: Event<'_, '_, '_, '_>, kind: FactKind, account: Ref, detail: Option<Account>) {
    let mut fact = event.fact(kind);
    fact.subject = Some(account);
    fact.detail = detail.map(Detail::Account);
    event.push(fact);
}

fn changed(attribute: &str) -> Option<Account> {
    Some(Account { changed: vec![attribute.to_owned()], ..Account::default() })
}

/// A user or a role of which something changed that is no access: tags, a description.
pub fn account_changed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(account) = holder(event) else { return };
    about_account(event, kind, account, changed("other"));
}

/// A user with another name: from then on another account here, and the same user.
pub fn user_renamed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(user) = user_of(event) else { return };
    let Some(name) = event.request("newUserName") else {
        return about_account(event, kind, user, changed("other"));
    };
    let renamed = identity::user(&mut event.draft, name, &[], None);
    about_account(event, kind, user.clone(), changed("userName"));
    link(event, FactKind::IdentityLinked, user, renamed);
}

fn link(event: Event<'_, '_, '_, '_>, kind: FactKind, one: Ref, other: Option<Ref>) {
    let mut fact = event.fact(kind);
    fact.subject = Some(one);
    fact.object = other;
    event.push(fact);
}

/// A role: whoever acts in its sessions, and what those hold who may assume it.
pub fn role(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(account) = holder(event) else { return };
    about_account(event, kind, account.clone(), None);
    let (kind, gained) = match kind {
        FactKind::AccountDeleted => (FactKind::EntitlementRemoved, None),
        _ => (FactKind::EntitlementDefined, Some(account)),
    };
    assumable(event, kind, gained);
}

/// A deletion that AWS carries out later.
pub fn role_deletion_begun(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(account) = holder(event) else { return };
    about_account(event, kind, account, None);
    pending(event);
}

/// Makes the last fact one that has only begun.
pub fn pending(event: Event<'_, '_, '_, '_>) {
    if let Some(fact) = event.draft.facts.last_mut().filter(|fact| fact.outcome() == Outcome::Success) {
        fact.outcome = Outcome::Pending.into();
    }
}

/// Who may assume a role, from now on: whoever it is gains what the role can do.
pub fn trust_changed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let role = holder(event);
    assumable(event, kind, role);
}

fn assumable(event: Event<'_, '_, '_, '_>, kind: FactKind, gained: Option<Ref>) {
    let name = event.request("roleName").or_else(|| event.response("role.roleName"));
    let object = name.and_then(|name| identity::session_role(&mut event.draft, name, None));
    if let Some(object) = object {
        means(event, kind, object, gained.into_iter().collect(), Vec::new(), "");
    }
}

/// What an entitlement means, from now on.
pub fn means(
    event: Event<'_, '_, '_, '_>,
    kind: FactKind,
    object: Ref,
    added: Vec<Ref>,
    removed: Vec<Ref>,
    version: &str,
) {
    let version = if version.is_empty() { String::new() } else { event.draft.opaque(version) };
    let detail = Entitlement { version, implies_added: added, implies_removed: removed };
    let mut fact = event.fact(kind);
    fact.object = Some(object);
    fact.detail = (detail != Entitlement::default()).then_some(Detail::Entitlement(detail));
    event.push(fact);
}

pub fn group(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(group) = group_of(event) else { return };
    means(event, kind, group, Vec::new(), Vec::new(), "");
}

/// A group with another name: from then on another entitlement here, and the same group.
pub fn group_renamed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(group) = group_of(event) else { return };
    match event.request("newGroupName") {
        Some(name) => {
            let renamed = entitlements::group(&mut event.draft, name);
            link(event, kind, group, renamed);
        }
        None => means(event, FactKind::EntitlementChanged, group, Vec::new(), Vec::new(), ""),
    }
}

pub fn membership(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let (Some(user), Some(group)) = (user_of(event), group_of(event)) {
        grant(event, kind, user, group, None);
    }
}

fn grant(event: Event<'_, '_, '_, '_>, kind: FactKind, subject: Ref, object: Ref, detail: Option<Grant>) {
    let mut fact = event.fact(kind);
    fact.subject = Some(subject);
    fact.object = Some(object);
    fact.detail = detail.map(Detail::Grant);
    event.push(fact);
}

pub fn managed_policy(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let (Some(holder), Some(policy)) = (holder(event), policy_of(event)) {
        grant(event, kind, holder, policy, None);
    }
}

pub fn inline_policy(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(holder) = holder(event) else { return };
    if let Some(policy) = inline_policy_of(event, &holder) {
        grant(event, kind, holder, policy, None);
    }
}

pub fn managed_policy_of_group(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let (Some(group), Some(policy)) = (group_of(event), policy_of(event)) {
        means(event, kind, group, vec![policy], Vec::new(), "");
    }
}

pub fn no_managed_policy_of_group(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let (Some(group), Some(policy)) = (group_of(event), policy_of(event)) {
        means(event, kind, group, Vec::new(), vec![policy], "");
    }
}

pub fn inline_policy_of_group(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(group) = group_of(event) else { return };
    if let Some(policy) = inline_policy_of(event, &group) {
        means(event, kind, group, vec![policy], Vec::new(), "");
    }
}

pub fn no_inline_policy_of_group(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(group) = group_of(event) else { return };
    if let Some(policy) = inline_policy_of(event, &group) {
        means(event, kind, group, Vec::new(), vec![policy], "");
    }
}

/// A managed policy: its holders have its permissions.
pub fn policy(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(policy) = policy_of(event) else { return };
    let gained = if kind == FactKind::EntitlementDefined { permissions(&policy) } else { Vec::new() };
    let version = event.response("policy.defaultVersionId").unwrap_or_default();
    means(event, kind, policy, gained, Vec::new(), version);
}

/// Another version of a policy: it changes what every holder can do, once it is the default one.
pub fn policy_version(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(policy) = policy_of(event) else { return };
    let is_default = match event.json.path("requestParameters.setAsDefault") {
        Some(value) => value.as_truth() == Some(true),
        None => event.request("versionId").is_some(),
    };
    let version = event.request("versionId").or_else(|| event.response("policyVersion.versionId"));
    let gained = permissions(&policy);
    means(event, kind, policy, gained, Vec::new(), version.unwrap_or_default());
    if !is_default {
        pending(event);
    }
}

/// What a user's or a role's permissions stay within. It gives nothing by itself; without it, all that was given counts.
/// Which policy the limit is stands where a grant says through what it is held.
pub fn boundary(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(holder) = holder(event) else { return };
    let limit = known(event.json, "requestParameters.permissionsBoundary");
    let object = entitlements::boundary(&mut event.draft, limit);
    let detail = match limit {
        Some(limit) => {
            let inherited_via = entitlements::policy(&mut event.draft, limit);
            Grant { conditional: true, inherited_via, ..Grant::default() }
        }
        None => Grant { mode: counterfoil_proto::v1::GrantMode::Active.into(), ..Grant::default() },
    };
    if let Some(object) = object {
        grant(event, kind, holder, object, Some(detail));
    }
}
