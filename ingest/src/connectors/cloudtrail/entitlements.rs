//! What can be held in AWS: groups, policies, permission sets, each under one id in the log and in listings.
//!
//! Owns these ids. IAM names groups by their names alone, policies and permission sets by their ARNs, and Identity Center
//! its groups by the ids of its directory.

use counterfoil_proto::v1::Ref;
use counterfoil_verify::effective::WITHIN_BOUNDARY;

use super::identity::Arn;
use crate::connectors::draft::Draft;

/// A group of IAM.
pub fn group(draft: &mut Draft<'_>, name: &str) -> Option<Ref> {
    let id = draft.typed("group_member", name);
    draft.entitlement(Some(id), Some(name), None)
}

/// A group of Identity Center's directory.
pub fn directory_group(draft: &mut Draft<'_>, id: &str, name: Option<&str>) -> Option<Ref> {
    let id = draft.typed("group_member", id);
    draft.entitlement(Some(id), name, None)
}

/// A policy that stands by itself, by its ARN.
pub fn policy(draft: &mut Draft<'_>, arn: &str) -> Option<Ref> {
    let id = by_arn(draft, "policy", arn);
    draft.entitlement(Some(id), Arn::parse(arn).and_then(|arn| arn.name("policy")), None)
}

/// A policy that is a part of one user, role or group: another one of the same name has nothing to do with it.
pub fn inline_policy(draft: &mut Draft<'_>, holder: &Ref, name: &str) -> Option<Ref> {
    let id = draft.digested(&format!("inline policy\0{}\0{name}", holder.id));
    draft.entitlement(Some(format!("policy/{id}")), Some(name), None)
}

/// A permission set of Identity Center.
pub fn permission_set(draft: &mut Draft<'_>, arn: &str, name: Option<&str>) -> Option<Ref> {
    let id = by_arn(draft, "role", arn);
    draft.entitlement(Some(id), name, None)
}

/// What a user or a role has whose permissions stay within a limit.
pub fn boundary(draft: &mut Draft<'_>, limit: Option<&str>) -> Option<Ref> {
    draft.entitlement(Some(WITHIN_BOUNDARY.to_owned()), limit, None)
}

/// The id of what has an ARN; of what should have one and has not, a digest.
fn by_arn(draft: &Draft<'_>, kind: &str, arn: &str) -> String {
    match Arn::parse(arn) {
        Some(_) => draft.typed(kind, arn),
        None => format!("{kind}/{}", draft.digested(arn)),
    }
}
