//! The rules for IAM Identity Center: its directory, permission sets, and who has which of them in which account.
//!
//! Owns who gains what from such an event. AWS carries assignments out later: a request that was accepted gives nothing
//! yet.

use counterfoil_proto::v1::{Account, Entitlement, FactKind, Outcome, Ref, fact::Detail};

use super::credentials;
use super::entitlements;
use super::event::LogEvent;
use super::iam::means;
use super::identity;
use crate::connectors::draft::permissions;

type Event<'a, 'e, 'j, 'c> = &'a mut LogEvent<'e, 'j, 'c>;

/// Gives or takes a permission set in an account. The response says how far that has come.
pub fn assignment(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    assign(event, kind, None);
}

/// What AWS answered when it was asked how far an assignment has come, where the log has the answer.
pub fn assignment_status(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let finished = status(event).filter(|status| *status != Outcome::Pending);
    if finished.is_some() {
        assign(event, kind, finished);
    }
}

fn status(event: &LogEvent<'_, '_, '_>) -> Option<Outcome> {
    let status = of_assignment(event, "status")?;
    Some(match status {
        "SUCCEEDED" => Outcome::Success,
        "FAILED" => Outcome::Failure,
        _ => Outcome::Pending,
    })
}

/// What an event says of an assignment: in its request, or in the response under either of two keys.
fn of_assignment<'e>(event: &LogEvent<'e, '_, '_>, key: &str) -> Option<&'e str> {
    let of_response = |name: &str| event.response(&format!("{name}.{key}"));
    event
        .request(key)
        .or_else(|| of_response("accountAssignmentCreationStatus"))
        .or_else(|| of_response("accountAssignmentDeletionStatus"))
}

fn assign(event: Event<'_, '_, '_, '_>, kind: FactKind, seen: Option<Outcome>) {
    let status = status(event).unwrap_or(Outcome::Pending);
    let (Some(set), Some(principal)) = (of_assignment(event, "permissionSetArn"), of_assignment(event, "principalId"))
    else {
        return;
    };
    let role = permission_set_named(event, set);
    let scope = of_assignment(event, "targetId").map_or_else(String::new, |target| event.draft.scope(target));
    let mut fact = match seen {
        Some(_) => event.fact_of_use(kind),
        None => event.fact(kind),
    };
    if fact.outcome() == Outcome::Success {
        fact.outcome = status.into();
    }
    fact.scope = scope;
    match of_assignment(event, "principalType") {
        Some("GROUP") => {
            let gained: Vec<Ref> = role.into_iter().collect();
            let detail = match kind {
                FactKind::GrantAdded => Entitlement { implies_added: gained, ..Entitlement::default() },
                _ => Entitlement { implies_removed: gained, ..Entitlement::default() },
            };
            fact.kind = FactKind::EntitlementChanged.into();
            fact.object = entitlements::directory_group(&mut event.draft, principal, None);
            fact.detail = Some(Detail::Entitlement(detail));
        }
        _ => {
            fact.subject = identity::person(&mut event.draft, principal, &[], &[]);
            fact.object = role;
        }
    }
    event.push(fact);
}

fn permission_set_named(event: Event<'_, '_, '_, '_>, arn: &str) -> Option<Ref> {
    let name = event.request("name").or_else(|| event.response("permissionSet.name"));
    entitlements::permission_set(&mut event.draft, arn, name)
}

fn permission_set_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let arn = event.request("permissionSetArn").or_else(|| event.response("permissionSet.permissionSetArn"))?;
    permission_set_named(event, arn)
}

pub fn permission_set(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(set) = permission_set_of(event) else { return };
    means(event, kind, set, Vec::new(), Vec::new(), "");
}

/// What a permission set lets its holders do became something else, and maybe more.
pub fn permissions_changed(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(set) = permission_set_of(event) else { return };
    let gained = permissions(&set);
    means(event, kind, set, gained, Vec::new(), "");
}

pub fn policy_attached(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let (Some(set), Some(policy)) = (permission_set_of(event), managed_policy(event)) {
        means(event, kind, set, vec![policy], Vec::new(), "");
    }
}

pub fn policy_detached(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let (Some(set), Some(policy)) = (permission_set_of(event), managed_policy(event)) {
        means(event, kind, set, Vec::new(), vec![policy], "");
    }
}

fn managed_policy(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let arn = event.request("managedPolicyArn")?;
    entitlements::policy(&mut event.draft, arn)
}

/// A user of the directory. AWS leaves out what the user is called; where it does not, that is the login.
fn user_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let id = event.request("userId").or_else(|| event.response("userId")).or_else(|| event.response("user.userId"))?;
    let name = ["requestParameters.userName", "responseElements.user.userName"]
        .into_iter()
        .find_map(|path| identity::known(event.json, path));
    let logins = name.map(|name| ("login", name));
    identity::person(&mut event.draft, id, logins.as_slice(), &[])
}

pub fn user(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(user) = user_of(event) else { return };
    let is_update = kind == FactKind::AccountUpdated;
    let detail = is_update.then(|| Account { changed: vec!["other".to_owned()], ..Account::default() });
    let mut fact = event.fact(kind);
    fact.subject = Some(user);
    fact.detail = detail.map(Detail::Account);
    event.push(fact);
}

pub fn password(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    if let Some(user) = user_of(event) {
        credentials::password_of(event, kind, user);
    }
}

fn group_of(event: Event<'_, '_, '_, '_>) -> Option<Ref> {
    let id =
        event.request("groupId").or_else(|| event.response("groupId")).or_else(|| event.response("group.groupId"))?;
    let name =
        ["requestParameters.displayName", "responseElements.group.displayName", "responseElements.group.groupName"]
            .into_iter()
            .find_map(|path| identity::known(event.json, path));
    entitlements::directory_group(&mut event.draft, id, name)
}

pub fn group(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let Some(group) = group_of(event) else { return };
    means(event, kind, group, Vec::new(), Vec::new(), "");
}

pub fn membership(event: Event<'_, '_, '_, '_>, kind: FactKind) {
    let member = ["member.memberId", "memberId.userId", "userId"].into_iter().find_map(|path| event.request(path));
    let (Some(member), Some(group)) = (member, group_of(event)) else { return };
    let member = identity::person(&mut event.draft, member, &[], &[]);
    let mut fact = event.fact(kind);
    fact.subject = member;
    fact.object = Some(group);
    event.push(fact);
}
