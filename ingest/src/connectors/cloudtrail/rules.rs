//! Which facts an event of CloudTrail gives.
//!
//! Owns the table from the source and the name of an event to its rule. What these sources are only asked is known to
//! say nothing; whatever else is not in the table shows up as unmapped, the events of all other services included.

use counterfoil_proto::v1::FactKind;

use super::event::LogEvent;
use super::identity::is_service;
use super::{credentials as c, iam, sessions, sso};
use crate::connectors::rule::Rule;

/// Gives the facts of an event; none where the event lacks what they need.
pub type Apply = fn(&mut LogEvent<'_, '_, '_>, FactKind);

type Row = (&'static str, FactKind, Apply);

use FactKind as K;

const IAM: &[Row] = &[
    ("CreateUser", K::AccountCreated, iam::user),
    ("DeleteUser", K::AccountDeleted, iam::user),
    ("UpdateUser", K::AccountUpdated, iam::user_renamed),
    ("TagUser", K::AccountUpdated, iam::account_changed),
    ("UntagUser", K::AccountUpdated, iam::account_changed),
    ("CreateRole", K::AccountCreated, iam::role),
    ("CreateServiceLinkedRole", K::AccountCreated, iam::role),
    ("DeleteRole", K::AccountDeleted, iam::role),
    ("DeleteServiceLinkedRole", K::AccountDeleted, iam::role_deletion_begun),
    ("UpdateRole", K::AccountUpdated, iam::account_changed),
    ("UpdateRoleDescription", K::AccountUpdated, iam::account_changed),
    ("TagRole", K::AccountUpdated, iam::account_changed),
    ("UntagRole", K::AccountUpdated, iam::account_changed),
    ("UpdateAssumeRolePolicy", K::EntitlementChanged, iam::trust_changed),
    ("CreateGroup", K::EntitlementDefined, iam::group),
    ("DeleteGroup", K::EntitlementRemoved, iam::group),
    ("UpdateGroup", K::IdentityLinked, iam::group_renamed),
    ("AddUserToGroup", K::GrantAdded, iam::membership),
    ("RemoveUserFromGroup", K::GrantRemoved, iam::membership),
    ("AttachUserPolicy", K::GrantAdded, iam::managed_policy),
    ("AttachRolePolicy", K::GrantAdded, iam::managed_policy),
    ("AttachGroupPolicy", K::EntitlementChanged, iam::managed_policy_of_group),
    ("DetachUserPolicy", K::GrantRemoved, iam::managed_policy),
    ("DetachRolePolicy", K::GrantRemoved, iam::managed_policy),
    ("DetachGroupPolicy", K::EntitlementChanged, iam::no_managed_policy_of_group),
    ("PutUserPolicy", K::GrantAdded, iam::inline_policy),
    ("PutRolePolicy", K::GrantAdded, iam::inline_policy),
    ("PutGroupPolicy", K::EntitlementChanged, iam::inline_policy_of_group),
    ("DeleteUserPolicy", K::GrantRemoved, iam::inline_policy),
    ("DeleteRolePolicy", K::GrantRemoved, iam::inline_policy),
    ("DeleteGroupPolicy", K::EntitlementChanged, iam::no_inline_policy_of_group),
    ("CreatePolicy", K::EntitlementDefined, iam::policy),
    ("DeletePolicy", K::EntitlementRemoved, iam::policy),
    ("CreatePolicyVersion", K::EntitlementChanged, iam::policy_version),
    ("SetDefaultPolicyVersion", K::EntitlementChanged, iam::policy_version),
    ("PutUserPermissionsBoundary", K::GrantModified, iam::boundary),
    ("PutRolePermissionsBoundary", K::GrantModified, iam::boundary),
    ("DeleteUserPermissionsBoundary", K::GrantModified, iam::boundary),
    ("DeleteRolePermissionsBoundary", K::GrantModified, iam::boundary),
    ("CreateAccessKey", K::CredentialCreated, c::access_key),
    ("UpdateAccessKey", K::CredentialEnabled, c::access_key),
    ("DeleteAccessKey", K::CredentialRevoked, c::access_key),
    ("CreateLoginProfile", K::CredentialCreated, c::password),
    ("UpdateLoginProfile", K::CredentialRotated, c::password),
    ("ChangePassword", K::CredentialRotated, c::password),
    ("DeleteLoginProfile", K::CredentialRevoked, c::password),
    ("CreateVirtualMFADevice", K::CredentialCreated, c::mfa_device),
    ("EnableMFADevice", K::CredentialEnabled, c::mfa_device),
    ("DeactivateMFADevice", K::CredentialDisabled, c::mfa_device),
    ("DeleteVirtualMFADevice", K::CredentialRevoked, c::mfa_device),
    ("UploadSSHPublicKey", K::CredentialCreated, c::ssh_key),
    ("UpdateSSHPublicKey", K::CredentialEnabled, c::ssh_key),
    ("DeleteSSHPublicKey", K::CredentialRevoked, c::ssh_key),
    ("UploadSigningCertificate", K::CredentialCreated, c::certificate),
    ("UpdateSigningCertificate", K::CredentialEnabled, c::certificate),
    ("DeleteSigningCertificate", K::CredentialRevoked, c::certificate),
    ("CreateServiceSpecificCredential", K::CredentialCreated, c::of_service),
    ("UpdateServiceSpecificCredential", K::CredentialEnabled, c::of_service),
    ("ResetServiceSpecificCredential", K::CredentialRotated, c::of_service),
    ("DeleteServiceSpecificCredential", K::CredentialRevoked, c::of_service),
];

const STS: &[Row] = &[
    ("AssumeRole", K::SessionAssumed, sessions::role),
    ("AssumeRoleWithSAML", K::SessionAssumed, sessions::role),
    ("AssumeRoleWithWebIdentity", K::SessionAssumed, sessions::role),
    ("AssumeRoot", K::SessionAssumed, sessions::own),
    ("GetFederationToken", K::SessionAssumed, sessions::own),
    ("GetSessionToken", K::SessionAssumed, sessions::own),
];

const SIGN_IN: &[Row] = &[
    ("ConsoleLogin", K::AuthEvent, sessions::sign_in),
    ("ExternalIdPDirectoryLogin", K::AuthEvent, sessions::sign_in),
    ("CredentialChallenge", K::AuthEvent, sessions::sign_in),
    ("CredentialVerification", K::AuthEvent, sessions::sign_in),
    ("UserAuthentication", K::AuthEvent, sessions::sign_in),
    ("GetSigninToken", K::AuthEvent, sessions::sign_in),
    ("AssumeRole", K::SessionAssumed, sessions::own),
    ("SwitchRole", K::SessionAssumed, sessions::own),
    ("PasswordUpdated", K::CredentialRotated, c::password),
    ("PasswordRecoveryCompleted", K::CredentialRotated, c::password),
];

const SSO: &[Row] = &[
    ("CreateAccountAssignment", K::GrantAdded, sso::assignment),
    ("DeleteAccountAssignment", K::GrantRemoved, sso::assignment),
    ("DescribeAccountAssignmentCreationStatus", K::GrantAdded, sso::assignment_status),
    ("DescribeAccountAssignmentDeletionStatus", K::GrantRemoved, sso::assignment_status),
    ("CreatePermissionSet", K::EntitlementDefined, sso::permission_set),
    ("DeletePermissionSet", K::EntitlementRemoved, sso::permission_set),
    ("AttachManagedPolicyToPermissionSet", K::EntitlementChanged, sso::policy_attached),
    ("DetachManagedPolicyFromPermissionSet", K::EntitlementChanged, sso::policy_detached),
    ("UpdatePermissionSet", K::EntitlementChanged, sso::permission_set),
    ("PutInlinePolicyToPermissionSet", K::EntitlementChanged, sso::permissions_changed),
    ("DeleteInlinePolicyFromPermissionSet", K::EntitlementChanged, sso::permission_set),
    ("PutPermissionsBoundaryToPermissionSet", K::EntitlementChanged, sso::permission_set),
    ("DeletePermissionsBoundaryFromPermissionSet", K::EntitlementChanged, sso::permissions_changed),
    ("AttachCustomerManagedPolicyReferenceToPermissionSet", K::EntitlementChanged, sso::permissions_changed),
    ("DetachCustomerManagedPolicyReferenceFromPermissionSet", K::EntitlementChanged, sso::permission_set),
    ("Authenticate", K::AuthEvent, sessions::sign_in),
    ("Federate", K::AuthEvent, sessions::sign_in),
    ("CreateToken", K::AuthEvent, sessions::sign_in),
];

/// The directory of IAM Identity Center, under both of its names.
const DIRECTORY: &[Row] = &[
    ("CreateUser", K::AccountCreated, sso::user),
    ("DeleteUser", K::AccountDeleted, sso::user),
    ("EnableUser", K::AccountEnabled, sso::user),
    ("DisableUser", K::AccountDisabled, sso::user),
    ("UpdateUser", K::AccountUpdated, sso::user),
    ("UpdatePassword", K::CredentialRotated, sso::password),
    ("CreateGroup", K::EntitlementDefined, sso::group),
    ("DeleteGroup", K::EntitlementRemoved, sso::group),
    ("UpdateGroup", K::IdentifierBound, sso::group),
    ("AddMemberToGroup", K::GrantAdded, sso::membership),
    ("RemoveMemberFromGroup", K::GrantRemoved, sso::membership),
    ("CreateGroupMembership", K::GrantAdded, sso::membership),
    ("DeleteGroupMembership", K::GrantRemoved, sso::membership),
    ("CreateBearerToken", K::CredentialCreated, c::bearer_token),
    ("DeleteBearerToken", K::CredentialRevoked, c::bearer_token),
];

const TRAIL: &[Row] = &[
    ("CreateTrail", K::SourceAuditConfigChanged, sessions::audit_config),
    ("UpdateTrail", K::SourceAuditConfigChanged, sessions::audit_config),
    ("DeleteTrail", K::SourceAuditConfigChanged, sessions::audit_config),
    ("StartLogging", K::SourceAuditConfigChanged, sessions::audit_config),
    ("StopLogging", K::SourceAuditConfigChanged, sessions::audit_config),
    ("PutEventSelectors", K::SourceAuditConfigChanged, sessions::audit_config),
    ("PutInsightSelectors", K::SourceAuditConfigChanged, sessions::audit_config),
    ("DeleteEventDataStore", K::SourceAuditConfigChanged, sessions::audit_config),
    ("StopEventDataStoreIngestion", K::SourceAuditConfigChanged, sessions::audit_config),
    ("UpdateEventDataStore", K::SourceAuditConfigChanged, sessions::audit_config),
];

/// The sources that are read here, with their tables.
const SOURCES: [(&str, &[Row]); 7] = [
    ("iam.amazonaws.com", IAM),
    ("sts.amazonaws.com", STS),
    ("signin.amazonaws.com", SIGN_IN),
    ("sso.amazonaws.com", SSO),
    ("sso-directory.amazonaws.com", DIRECTORY),
    ("identitystore.amazonaws.com", DIRECTORY),
    ("cloudtrail.amazonaws.com", TRAIL),
];

/// What begins the name of an event that only asked for something.
const QUESTIONS: [&str; 10] =
    ["Get", "List", "Describe", "Simulate", "Generate", "Search", "Lookup", "Decode", "IsMember", "Check"];

/// The rule for an event.
pub fn rule(source: &str, name: &str) -> Rule<Apply> {
    let Some((_, rows)) = SOURCES.iter().find(|(known, _)| *known == source) else {
        return Rule::Unknown;
    };
    match rows.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, apply)) => Rule::Facts(*kind, *apply),
        None if QUESTIONS.iter().any(|question| name.starts_with(question)) => Rule::NoFacts,
        None => Rule::Unknown,
    }
}

/// Whether the source and the name of an event may stand in a record: a service of AWS, and a name as its API has them.
pub fn is_event_type(source: &str, name: &str) -> bool {
    is_service(source)
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
