//! Listings of IAM Identity Center: its directory, its permission sets, and who has which of them in which account.
//!
//! Owns what these responses list. They say neither which account of AWS they belong to (that is instance: the account
//! whose log tells of the assignments) nor, most of them, which call they answer: the same element stands in the listing
//! of a group and in that of a member, so that the operator names the call.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{AccountStatus, RejectReason, Time};

use super::entitlements;
use super::identity::{self, is_account};
use super::listings::{ALL, account, defined, held, implied, next, text, unexpected};
use crate::connectors::draft::Draft;
use crate::connectors::lister::Target;
use crate::connectors::shape::is_impersonal;
use crate::connectors::{Own, Page, Reject, Response, Seen, Shows};
use crate::json::{Json, quoted};

/// A call of the API of Identity Center or its directory.
struct Call {
    name: &'static str,
    /// Where its response has the list.
    path: &'static [&'static str],
    kind: &'static str,
    /// A key that only elements of this call's list have, so that nobody has to name the call.
    known_by: &'static str,
    /// What says whose list it is: a parameter of the call, and the key under which each element repeats it, if it does.
    of: &'static [(&'static str, &'static str)],
}

const CALLS: [Call; 8] = [
    Call { name: "list-users", path: &["Users"], kind: "sso_user", known_by: "IdentityStoreId", of: &[] },
    Call { name: "list-groups", path: &["Groups"], kind: "sso_group", known_by: "IdentityStoreId", of: &[] },
    Call {
        name: "list-group-memberships",
        path: &["GroupMemberships"],
        kind: "membership",
        known_by: "",
        of: &[("group-id", "GroupId")],
    },
    Call {
        name: "list-group-memberships-for-member",
        path: &["GroupMemberships"],
        kind: "membership_of",
        known_by: "",
        of: &[("user-id", "MemberId.UserId")],
    },
    Call { name: "list-permission-sets", path: &["PermissionSets"], kind: "permission_set", known_by: "", of: &[] },
    Call {
        name: "list-managed-policies-in-permission-set",
        path: &["AttachedManagedPolicies"],
        kind: "policy_of_set",
        known_by: "",
        of: &[("permission-set-arn", "")],
    },
    Call {
        name: "list-account-assignments",
        path: &["AccountAssignments"],
        kind: "assignment",
        known_by: "",
        of: &[("account-id", "AccountId"), ("permission-set-arn", "PermissionSetArn")],
    },
    Call {
        name: "list-account-assignments-for-principal",
        path: &["AccountAssignments"],
        kind: "assignment_of",
        known_by: "",
        of: &[("principal-id", "")],
    },
];

/// Parameters that leave nothing out.
const HARMLESS: [&str; 4] = ["identity-store-id", "instance-arn", "principal-type", "max-results"];

/// The page that a response is.
pub fn page(response: &Response<'_, '_>, target: Option<&Target<'_>>) -> Result<Page, Reject> {
    let call = call(response, target)?;
    let elements = response.body.get(call.path[0]).map_or(&[][..], Json::as_array);
    let mut of = Vec::with_capacity(call.of.len());
    for (parameter, key) in call.of {
        of.push(whose(parameter, key, elements, target)?);
    }
    let of: Vec<&str> = of.iter().map(String::as_str).collect();
    let scope = match (call.kind, &of[..]) {
        ("sso_user", _) => "accounts/sso_user/".to_owned(),
        ("sso_group", _) => "definitions/sso_group".to_owned(),
        ("permission_set", _) => "definitions/permission_set".to_owned(),
        ("membership", [group]) => format!("holders/group_member/{group}"),
        ("membership_of", [user]) => format!("held/group_member/sso_user/{user}"),
        ("policy_of_set", [set]) => format!("implied/policy/role/{set}"),
        ("assignment", [account, set]) if is_account(account) => format!("within/{account}/holders/role/{set}"),
        ("assignment_of", [id]) if target.and_then(|target| target.get("principal-type")) == Some("GROUP") => {
            format!("implied/role/group_member/{id}")
        }
        ("assignment_of", [id]) => format!("held/role/sso_user/{id}"),
        _ => return Err(unexpected("the number of an account as account-id", response.body)),
    };
    let known: Vec<&str> = call.of.iter().map(|(parameter, _)| *parameter).chain(HARMLESS).collect();
    Ok(Page {
        scope,
        instance: Some(account(std::iter::empty(), response)?),
        taken: None,
        // Without an element and without a name, no call is known that it answers.
        shows: Shows::Items,
        strand: ALL[0],
        strands: &ALL,
        kind: [&[call.kind][..], &of].concat().join(" "),
        path: call.path,
        own: Own::Behind,
        next: next(response.body, "NextToken"),
        flaw: target.filter(|target| target.has_other_than(&known)).map(|_| "filtered"),
        total: None,
    })
}

/// The call that a response answers.
fn call(response: &Response<'_, '_>, target: Option<&Target<'_>>) -> Result<&'static Call, Reject> {
    let list = |call: &Call| match response.body.get(call.path[0]) {
        Some(Json::Array(elements)) => Some(elements),
        _ => None,
    };
    let is_it = |call: &&Call| match (target, list(call)) {
        (_, None) => false,
        (Some(target), Some(_)) => target.segments.last() == Some(&call.name),
        (None, Some(elements)) if call.known_by.is_empty() => call.of.is_empty() && !elements.is_empty(),
        (None, Some(elements)) => elements.first().is_some_and(|element| element.get(call.known_by).is_some()),
    };
    CALLS.iter().find(is_it).ok_or_else(|| {
        let names = CALLS.iter().map(|call| call.name).collect::<Vec<_>>().join(", ");
        let message = format!(
            "expected a response of get-account-authorization-details, a credential report, or a response of Identity Center \
             whose call scope names, such as list-account-assignments; known are {names}; got {}",
            quoted(&response.body.to_text())
        );
        Reject::new(RejectReason::NotAnEvent, message)
    })
}

/// Whose list it is: what the call asked for, or else what every element says.
fn whose(parameter: &str, key: &str, elements: &[Json<'_>], target: Option<&Target<'_>>) -> Result<String, Reject> {
    let asked = target.and_then(|target| target.get(parameter)).filter(|asked| !asked.is_empty());
    let said: BTreeSet<&str> = elements.iter().filter_map(|element| element.text(key)).collect();
    let one = match (asked, &said.into_iter().collect::<Vec<_>>()[..]) {
        (Some(asked), _) => asked,
        (None, [one]) => one,
        (None, others) => {
            let message = format!(
                "expected a response whose elements all have the same {parameter}, got {} of them: name the one that it is \
                 of in scope, such as list-…?{parameter}=…",
                others.len()
            );
            return Err(Reject::new(RejectReason::NotAnEvent, message));
        }
    };
    // What stands in the name of a scope must not end it, and begin another part.
    let is_set = |arn: &str| {
        let (partition, set) = arn.split_once(":sso:::permissionSet/").unwrap_or_default();
        partition.starts_with("arn:aws") && is_plain(partition, ":-") && is_plain(set, "/-") && !set.ends_with('/')
    };
    let is_valid =
        if parameter == "permission-set-arn" { is_set(one) } else { is_impersonal(one) && is_plain(one, "-") };
    match is_valid {
        true => Ok(one.to_owned()),
        false => {
            let message = format!("expected {parameter} as AWS makes it, got {}", quoted(one));
            Err(Reject::new(RejectReason::FieldInvalid, message))
        }
    }
}

/// Whether a text has letters and digits and these alone.
fn is_plain(text: &str, others: &str) -> bool {
    text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}

/// What an element of such a list shows. It must be of whatever the list is of.
pub fn element(kind: &str, of: &str, json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Vec<Seen>, Reject> {
    let same = |path: &str, of: &str| match text(json, path)? == of {
        true => Ok(()),
        false => Err(unexpected(&format!("an element whose {path} is {of}"), json)),
    };
    Ok(match kind {
        "sso_user" => vec![user(json, at, draft)?],
        "sso_group" => {
            let group = entitlements::directory_group(draft, text(json, "GroupId")?, json.text("DisplayName"));
            vec![defined(at, group).into()]
        }
        "membership" | "membership_of" => {
            same(if kind == "membership" { "GroupId" } else { "MemberId.UserId" }, of)?;
            let member = identity::person(draft, text(json, "MemberId.UserId")?, &[], &[]);
            let group = entitlements::directory_group(draft, text(json, "GroupId")?, None);
            vec![Seen::direct(held(at, member, group, ""))]
        }
        "permission_set" => {
            let arn = json.as_str().ok_or_else(|| unexpected("the ARN of a permission set", json))?;
            vec![defined(at, entitlements::permission_set(draft, arn, None)).into()]
        }
        "policy_of_set" => {
            let set = entitlements::permission_set(draft, of, None);
            let policy = entitlements::policy(draft, text(json, "Arn")?);
            vec![implied(at, set, policy, "").into()]
        }
        "assignment" => {
            let (account, set) = of.split_once(' ').unwrap_or((of, ""));
            same("AccountId", account)?;
            same("PermissionSetArn", set)?;
            vec![assignment(json, at, draft)?]
        }
        _ => {
            // What somebody has through a group stands in the list as that group's.
            if text(json, "PrincipalType")? == "USER" {
                same("PrincipalId", of)?;
            }
            vec![assignment(json, at, draft)?]
        }
    })
}

fn user(json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Seen, Reject> {
    let email = json.items("Emails").iter().find_map(|email| email.text("Value"));
    // Who issued the other id is AWS itself, which does not say of which directory it is: it is a name, and no link.
    let others = json.items("ExternalIds").iter().filter_map(|other| other.text("Id"));
    let logins: Vec<_> = json
        .text("UserName")
        .map(|name| ("login", name))
        .into_iter()
        .chain(email.map(|email| ("email", email)))
        .chain(others.map(|other| ("external_id", other)))
        .collect();
    let values: Vec<_> = json.text("DisplayName").map(|name| ("display_name", name)).into_iter().collect();
    let user = identity::person(draft, text(json, "UserId")?, &logins, &values);
    let status = match json.text("UserStatus") {
        Some("ENABLED") => AccountStatus::Enabled,
        Some("DISABLED") => AccountStatus::Disabled,
        _ => AccountStatus::Seen,
    };
    Ok(Seen { status, ..held(at, user, None, "").into() })
}

/// A permission set that somebody has in an account, or that the members of a group have there.
fn assignment(json: &Json<'_>, at: Time, draft: &mut Draft<'_>) -> Result<Seen, Reject> {
    let (set, principal) = (text(json, "PermissionSetArn")?, text(json, "PrincipalId")?);
    let scope = draft.scope(text(json, "AccountId")?);
    let set = entitlements::permission_set(draft, set, None);
    Ok(match text(json, "PrincipalType")? {
        "USER" => Seen::direct(held(at, identity::person(draft, principal, &[], &[]), set, &scope)),
        "GROUP" => implied(at, entitlements::directory_group(draft, principal, None), set, &scope).into(),
        _ => return Err(unexpected("USER or GROUP as PrincipalType", json)),
    })
}
