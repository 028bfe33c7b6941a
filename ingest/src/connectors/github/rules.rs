//! Which facts an action of the audit log gives.
//!
//! Owns the table from action to rule. Actions that are known to say nothing about who has which access are listed here
//! too, so that one that is not in either list shows up as unmapped.

use counterfoil_proto::v1::FactKind;

use super::event::LogEvent;
use super::{accounts, apps, credentials as c, grants as g, tokens as t};

/// Gives the facts of an event; none where the event lacks what they need.
pub type Apply = fn(&mut LogEvent<'_, '_, '_>, FactKind);

/// What to do with an event.
#[derive(Clone, Copy)]
pub enum Rule {
    /// The kind of its facts, or of the most important one.
    Facts(FactKind, Apply),
    /// Known, and without any fact.
    NoFacts,
    /// Not known to this version.
    Unknown,
}

type Row = (&'static str, FactKind, Apply);

use FactKind as K;

/// Actions by their names; those that end in a dot are whole families.
const ROWS: &[Row] = &[
    ("org.add_member", K::GrantAdded, g::member),
    ("org.remove_member", K::GrantRemoved, g::member),
    ("org.update_member", K::GrantModified, g::member_role),
    ("org.invite_member", K::GrantAdded, g::invitation),
    ("org.add_outside_collaborator", K::GrantAdded, g::outside_collaborator),
    ("org.remove_outside_collaborator", K::GrantRemoved, g::outside_collaborator),
    ("org.add_billing_manager", K::GrantAdded, g::billing_manager),
    ("org.remove_billing_manager", K::GrantRemoved, g::billing_manager),
    ("organization_moderators.add_user", K::GrantAdded, g::moderator),
    ("organization_moderators.remove_user", K::GrantRemoved, g::moderator),
    ("business.add_admin", K::GrantAdded, g::administrator),
    ("business.remove_admin", K::GrantRemoved, g::administrator),
    ("business.invite_admin", K::GrantAdded, g::administrator_invitation),
    ("team.add_member", K::GrantAdded, g::team_member),
    ("team.remove_member", K::GrantRemoved, g::team_member),
    ("team.promote_maintainer", K::GrantAdded, g::maintainer),
    ("team.demote_maintainer", K::GrantRemoved, g::maintainer),
    ("team.create", K::EntitlementDefined, g::team),
    ("team.destroy", K::EntitlementRemoved, g::team),
    ("team.rename", K::IdentityLinked, g::team_renamed),
    ("team.change_parent_team", K::EntitlementChanged, g::team),
    ("team.add_repository", K::EntitlementChanged, g::team_repository),
    ("team.update_repository_permission", K::EntitlementChanged, g::team_repository),
    ("team.remove_repository", K::EntitlementChanged, g::no_team_repository),
    ("repo.add_member", K::GrantAdded, g::collaborator),
    ("repo.remove_member", K::GrantRemoved, g::collaborator),
    ("repo.update_member", K::GrantModified, g::collaborator),
    ("repo.create", K::EntitlementDefined, g::repository),
    ("repo.restore", K::EntitlementDefined, g::repository),
    ("repo.destroy", K::EntitlementRemoved, g::repository),
    ("repo.access", K::EntitlementChanged, g::repository),
    ("repo.transfer", K::EntitlementChanged, g::repository),
    ("repo.rename", K::IdentifierBound, g::repository_renamed),
    ("protected_branch.policy_override", K::PolicyDecision, g::override_of_protection),
    ("protected_branch.rejected_ref_update", K::PolicyDecision, g::refusal_by_protection),
    ("protected_branch.", K::EntitlementChanged, g::repository),
    ("repository_ruleset.", K::EntitlementChanged, g::ruleset),
    ("org.disable_two_factor_requirement", K::EntitlementChanged, g::terms_of_membership),
    ("org.enable_two_factor_requirement", K::EntitlementChanged, g::terms_of_membership),
    ("org.saml_disabled", K::EntitlementChanged, g::terms_of_membership),
    ("org.saml_enabled", K::EntitlementChanged, g::terms_of_membership),
    ("org.disable_saml", K::EntitlementChanged, g::terms_of_membership),
    ("org.enable_saml", K::EntitlementChanged, g::terms_of_membership),
    ("org.update_saml_provider_settings", K::EntitlementChanged, g::terms_of_membership),
    ("org.disable_oauth_app_restrictions", K::EntitlementChanged, g::terms_of_membership),
    ("org.enable_oauth_app_restrictions", K::EntitlementChanged, g::terms_of_membership),
    ("org.update_default_repository_permission", K::EntitlementChanged, g::terms_of_membership),
    ("org.update_member_repository_creation_permission", K::EntitlementChanged, g::terms_of_membership),
    ("org.update_member_repository_invitation_permission", K::EntitlementChanged, g::terms_of_membership),
    ("business.disable_two_factor_requirement", K::EntitlementChanged, g::terms_of_membership),
    ("business.enable_two_factor_requirement", K::EntitlementChanged, g::terms_of_membership),
    ("business.disable_saml", K::EntitlementChanged, g::terms_of_membership),
    ("business.enable_saml", K::EntitlementChanged, g::terms_of_membership),
    ("ip_allow_list.", K::EntitlementChanged, g::terms_of_membership),
    ("ip_allow_list_entry.", K::EntitlementChanged, g::terms_of_membership),
    ("public_key.create", K::CredentialCreated, c::public_key),
    ("public_key.delete", K::CredentialRevoked, c::public_key),
    ("public_key.verify", K::CredentialEnabled, c::public_key),
    ("public_key.unverify", K::CredentialDisabled, c::public_key),
    ("hook.create", K::CredentialCreated, c::webhook),
    ("hook.destroy", K::CredentialRevoked, c::webhook),
    ("hook.active_changed", K::CredentialEnabled, c::webhook_activity),
    ("repo.create_actions_secret", K::CredentialCreated, c::workflow_secret),
    ("repo.update_actions_secret", K::CredentialRotated, c::workflow_secret),
    ("repo.remove_actions_secret", K::CredentialRevoked, c::workflow_secret),
    ("org.create_actions_secret", K::CredentialCreated, c::workflow_secret),
    ("org.update_actions_secret", K::CredentialRotated, c::workflow_secret),
    ("org.remove_actions_secret", K::CredentialRevoked, c::workflow_secret),
    ("environment.create_actions_secret", K::CredentialCreated, c::workflow_secret),
    ("environment.update_actions_secret", K::CredentialRotated, c::workflow_secret),
    ("environment.remove_actions_secret", K::CredentialRevoked, c::workflow_secret),
    ("oauth_application.create", K::CredentialCreated, c::oauth_app),
    ("oauth_application.generate_client_secret", K::CredentialRotated, c::oauth_app),
    ("oauth_application.reset_secret", K::CredentialRotated, c::oauth_app),
    ("oauth_application.destroy", K::CredentialRevoked, c::oauth_app),
    ("integration.create", K::CredentialCreated, c::app),
    ("integration.destroy", K::CredentialRevoked, c::app),
    ("personal_access_token.request_created", K::ApprovalRequested, t::requested),
    ("personal_access_token.request_denied", K::ApprovalRejected, t::denied),
    ("personal_access_token.request_cancelled", K::TicketCancelled, t::cancelled),
    ("personal_access_token.access_granted", K::GrantAdded, t::granted),
    ("personal_access_token.access_revoked", K::GrantRemoved, t::access),
    ("personal_access_token.create", K::CredentialCreated, t::fine_grained_token),
    ("personal_access_token.credential_regenerated", K::CredentialRotated, t::fine_grained_token),
    ("personal_access_token.credential_revoked", K::CredentialRevoked, t::fine_grained_token),
    ("personal_access_token.destroy", K::CredentialRevoked, t::fine_grained_token),
    ("oauth_access.create", K::CredentialCreated, t::token),
    ("oauth_access.regenerate", K::CredentialRotated, t::token),
    ("oauth_access.revoke", K::CredentialRevoked, t::token),
    ("oauth_access.destroy", K::CredentialRevoked, t::token),
    ("org_credential_authorization.grant", K::GrantAdded, t::sign_on_authorization),
    ("org_credential_authorization.deauthorize", K::GrantRemoved, t::sign_on_authorization),
    ("org_credential_authorization.deauthorized", K::GrantRemoved, t::sign_on_authorization),
    ("org_credential_authorization.revoke", K::GrantRemoved, t::sign_on_authorization),
    ("oauth_authorization.create", K::GrantAdded, apps::authorization),
    ("oauth_authorization.update", K::GrantModified, apps::authorization),
    ("oauth_authorization.destroy", K::GrantRemoved, apps::authorization),
    ("integration_installation.create", K::AccountCreated, apps::installation),
    ("integration_installation.destroy", K::AccountDeleted, apps::installation),
    ("integration_installation.suspend", K::AccountDisabled, apps::installation_suspended),
    ("integration_installation.unsuspend", K::AccountEnabled, apps::installation_resumed),
    ("integration_installation.version_updated", K::GrantModified, apps::installation_updated),
    ("integration_installation.repositories_added", K::GrantAdded, apps::installation_repositories),
    ("integration_installation.repositories_removed", K::GrantRemoved, apps::installation_repositories),
    ("user.create", K::AccountCreated, accounts::user),
    ("user.delete", K::AccountDeleted, accounts::user),
    ("user.suspend", K::AccountDisabled, accounts::user_suspended),
    ("user.unsuspend", K::AccountEnabled, accounts::user),
    ("user.rename", K::AccountUpdated, accounts::user),
    ("user.login", K::AuthEvent, accounts::sign_in),
    ("user.failed_login", K::AuthEvent, accounts::failed_sign_in),
    ("org.sso_response", K::AuthEvent, accounts::sign_in),
    ("business.sso_response", K::AuthEvent, accounts::sign_in),
    ("audit_log_streaming.create", K::SourceAuditConfigChanged, accounts::audit_config),
    ("audit_log_streaming.update", K::SourceAuditConfigChanged, accounts::audit_config),
    ("audit_log_streaming.destroy", K::SourceAuditConfigChanged, accounts::audit_config),
];

/// Families of actions, and single ones, that say nothing about who has which access.
const NO_FACTS: [&str; 58] = [
    "account.",
    "actions_cache.",
    "advisory_credit.",
    "artifact.",
    "billing.",
    "checks.",
    "code.",
    "codespaces.",
    "commit_comment.",
    "dependabot_alerts.",
    "dependabot_alerts_new_repos.",
    "dependabot_security_updates.",
    "dependabot_security_updates_new_repos.",
    "dependency_graph.",
    "discussion.",
    "discussion_comment.",
    "gist.",
    "git.",
    "hook.events_changed",
    "issue.",
    "issue_comment.",
    "issue_dependencies.",
    "issues.",
    "marketplace_agreement_signature.",
    "marketplace_listing.",
    "mcp_registry.",
    "merge_queue.",
    "migration.",
    "milestone.",
    "org.cancel_invitation",
    "packages.",
    "pages_protected_domain.",
    "payment_method.",
    "profile_picture.",
    "project.",
    "project_field.",
    "project_view.",
    "public_key.unverification_failure",
    "public_key.verification_failure",
    "pull_request.",
    "pull_request_review.",
    "pull_request_review_comment.",
    "release.",
    "repo.add_topic",
    "repo.archived",
    "repo.change_merge_setting",
    "repo.remove_topic",
    "repo.unarchived",
    "repo.update",
    "repository_advisory.",
    "repository_image.",
    "repository_secret_scanning_push_protection.",
    "repository_vulnerability_alert.",
    "secret_scanning.",
    "secret_scanning_alert.",
    "secret_scanning_new_repos.",
    "sponsors.",
    "workflows.",
];

/// The rule for an action. What is listed by its whole name comes before its family.
pub fn rule(action: &str) -> Rule {
    let is_of = |known: &str| known.ends_with('.') && action.starts_with(known);
    let row = ROWS.iter().find(|(known, ..)| *known == action);
    if let Some((_, kind, apply)) = row.or_else(|| ROWS.iter().find(|(known, ..)| is_of(known))) {
        return Rule::Facts(*kind, *apply);
    }
    match NO_FACTS.iter().any(|known| *known == action || is_of(known)) {
        true => Rule::NoFacts,
        false => Rule::Unknown,
    }
}

/// Whether an action may stand in a record: it is known, or of a family as GitHub has them.
pub fn is_event_type(action: &str) -> bool {
    const FAMILIES: [&str; 18] = [
        "auto_approve_personal_access_token_requests.",
        "business.",
        "business_advanced_security.",
        "codespaces_trusted_repositories.",
        "copilot.",
        "enterprise.",
        "environment.",
        "external_group.",
        "external_identity.",
        "hook.",
        "integration.",
        "org.",
        "organization_role.",
        "passkey.",
        "repo.",
        "role.",
        "team.",
        "user.",
    ];
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_');
    !matches!(rule(action), Rule::Unknown) && action.bytes().all(usual)
        || FAMILIES.iter().any(|family| action.starts_with(family)) && action.bytes().all(usual)
}
