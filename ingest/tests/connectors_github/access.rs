//! Who holds what: members, teams, repositories, applications, and what their access means.

use serde_json::json;

use crate::made::{about_yuki, check, event, in_ledger, told};
use crate::support::{read, values};

const YUKI: &str = "50000001#<human>";
const REPOSITORY: &str = "repo_access/123456#";

#[test]
fn members_of_organizations_and_enterprises() {
    let role = |kind: &str, role: &str| format!("{kind} subject={YUKI} object=role/org/9001/{role}# BY AT");
    check("org.add_member", about_yuki(json!({"permission": "read"})), &[&role("grant.added", "member")]);
    check("org.add_member", about_yuki(json!({})), &[&role("grant.added", "member")]);
    check(
        "org.add_member",
        about_yuki(json!({"permission": "admin"})),
        &[&role("grant.added", "member"), &role("grant.added", "owner")],
    );
    // Trap 6: whoever leaves is an owner no longer either, which the event does not say.
    check(
        "org.remove_member",
        about_yuki(json!({})),
        &[&role("grant.removed", "member"), &role("grant.removed [derived]", "owner")],
    );
    let to = |permission: &str| about_yuki(json!({"permission": permission, "old_permission": "x"}));
    check("org.update_member", to("admin"), &[&role("grant.added", "owner")]);
    check("org.update_member", to("read"), &[&role("grant.removed", "owner")]);
    check("org.update_member", about_yuki(json!({})), &[&role("grant.modified", "member")]);
    check("organization_moderators.add_user", about_yuki(json!({})), &[&role("grant.added", "moderator")]);
    check("org.remove_billing_manager", about_yuki(json!({})), &[&role("grant.removed", "billing_manager")]);
    // Nothing is held before somebody has come.
    check("org.invite_member", about_yuki(json!({})), &[&role("grant.added (pending)", "member")]);
    let by_mail = json!({"invitee_email": "yuki.moreau@tallyhall.example", "permission": "admin"});
    let line = "grant.added (pending) subject=#<human> object=role/org/9001/owner# BY AT";
    check("org.invite_member", by_mail, &[line]);
    let of_enterprise = || about_yuki(json!({"business": "tallyhall", "business_id": "700"}));
    let owner = |kind: &str| format!("{kind} subject={YUKI} object=role/business/700/owner# BY AT");
    check("business.add_admin", of_enterprise(), &[&owner("grant.added")]);
    check("business.remove_admin", of_enterprise(), &[&owner("grant.removed")]);
    check("business.invite_admin", of_enterprise(), &[&owner("grant.added (pending)")]);
}

#[test]
fn teams() {
    let of_team = |further| about_yuki(json!({"team": "tallyhall-eng/release", "more": further}));
    let team = "group_member/~#";
    let member = |kind: &str| format!("{kind} subject={YUKI} object={team} BY AT");
    let maintainer = |kind: &str| format!("{kind} subject={YUKI} object=group_owner/~# BY AT");
    check("team.add_member", of_team(1), &[&member("grant.added")]);
    check("team.remove_member", of_team(1), &[&member("grant.removed"), &maintainer("grant.removed [derived]")]);
    check("team.promote_maintainer", of_team(1), &[&maintainer("grant.added")]);
    check("team.demote_maintainer", of_team(1), &[&maintainer("grant.removed")]);
    let means = |kind: &str, detail: &str| format!("{kind} object={team} BY {detail}AT");
    check("team.create", of_team(1), &[&means("entitlement.defined", "")]);
    check("team.destroy", of_team(1), &[&means("entitlement.removed", "")]);
    check("team.change_parent_team", of_team(1), &[&means("entitlement.changed", "")]);
    let renamed = json!({"team": "tallyhall-eng/shipping", "old_name": "release"});
    check("team.rename", renamed, &["identity.linked subject=group_member/~# object=group_member/~# BY AT"]);
    // The API of organizations has the team a level deeper.
    let deeper = read("github", &event("team.create", json!({"data": {"team": "tallyhall-eng/release"}})).to_string());
    let plain = read("github", &event("team.create", of_team(1)).to_string());
    assert_eq!(deeper.facts, plain.facts);
}

/// Trap 14: a repository that a team gets is no grant of anybody's, and changes what every member can do.
#[test]
fn trap_14_a_repository_of_a_team_is_what_the_team_means() {
    let of_team = || in_ledger(json!({"team": "tallyhall-eng/release"}));
    let line = |detail: &str| format!("entitlement.changed object=group_member/~# BY {{{detail}}} AT");
    let gained = line(&format!("+{REPOSITORY} -"));
    check("team.add_repository", of_team(), &[&gained]);
    check("team.update_repository_permission", of_team(), &[&gained]);
    check("team.remove_repository", of_team(), &[&line(&format!("+ -{REPOSITORY}"))]);
}

#[test]
fn repositories() {
    let member = |kind: &str| format!("{kind} subject={YUKI} object={REPOSITORY} BY AT");
    check("repo.add_member", about_yuki(in_ledger(json!({}))), &[&member("grant.added")]);
    check("repo.remove_member", about_yuki(in_ledger(json!({}))), &[&member("grant.removed")]);
    let raised = about_yuki(in_ledger(json!({"old_permission": "read", "new_repo_permission": "admin"})));
    let reading = check("repo.update_member", raised, &[&member("grant.modified")]);
    let beside = values(&reading, "entitlement:github:default:repo_access/123456");
    assert!(beside.contains(&"new_repo_permission=admin".to_owned()), "{beside:?}");
    let outside = format!("grant.added subject={YUKI} object=role/org/9001/outside_collaborator# BY AT");
    check("org.add_outside_collaborator", about_yuki(in_ledger(json!({}))), &[&outside, &member("grant.added")]);
    let of = |kind: &str| format!("{kind} object={REPOSITORY} BY AT");
    check("repo.create", in_ledger(json!({})), &[&of("entitlement.defined")]);
    check("repo.destroy", in_ledger(json!({})), &[&of("entitlement.removed")]);
    check("repo.access", in_ledger(json!({"visibility": "public"})), &[&of("entitlement.changed")]);
    check("repo.transfer", in_ledger(json!({})), &[&of("entitlement.changed")]);
    check("repo.rename", in_ledger(json!({"old_name": "tallyhall-eng/book"})), &[&of("identifier.bound")]);
    check("protected_branch.destroy", in_ledger(json!({})), &[&of("entitlement.changed")]);
    check("repository_ruleset.update", in_ledger(json!({})), &[&of("entitlement.changed")]);
    // Without a number the name is all that is known, and without both nothing is said.
    let line = "entitlement.changed object=# BY AT";
    check("repo.access", json!({"repo": "tallyhall-eng/ledger", "repo_id": 0}), &[line]);
    let nameless = read("github", &event("repo.access", json!({})).to_string());
    assert!(nameless.facts.is_empty());
}

#[test]
fn what_membership_asks_for_and_allows() {
    let line = "entitlement.changed object=role/org/9001/member# BY AT";
    for action in [
        "org.disable_two_factor_requirement",
        "org.saml_disabled",
        "org.disable_oauth_app_restrictions",
        "ip_allow_list.disable",
        "ip_allow_list_entry.create",
        "repository_ruleset.destroy",
    ] {
        check(action, json!({}), &[line]);
    }
    let decided = |outcome: &str, effect: &str| {
        format!(
            "policy.decision{outcome} subject=50000002#<human> object={REPOSITORY} BY PolicyDecision(PolicyDecision {{ effect: {effect}, policy: \"protected_branch\", policy_version: \"\" }}) AT"
        )
    };
    check("protected_branch.policy_override", in_ledger(json!({})), &[&decided("", "Allow")]);
    check("protected_branch.rejected_ref_update", in_ledger(json!({})), &[&decided(" (denied)", "Deny")]);
    for action in ["audit_log_streaming.destroy", "audit_log_streaming.update"] {
        check(action, json!({}), &["source.audit_config_changed BY AT"]);
    }
}

#[test]
fn applications() {
    let installed = |further: serde_json::Value| {
        let mut of = json!({"integration": "Deploy Helper", "application_client_id": "Iv1.0a1b2c3d4e5f6a7b"});
        further.as_object().unwrap().iter().for_each(|(key, value)| of[key] = value.clone());
        of
    };
    let app = "app/Iv1.0a1b2c3d4e5f6a7b#<integration>";
    let resources = "object=permission/org/9001/resources#";
    let account = |kind: &str, detail: &str| format!("{kind} subject={app} BY {detail}AT");
    let grant = |kind: &str| format!("{kind} subject={app} {resources} BY AT");
    check(
        "integration_installation.create",
        installed(json!({})),
        &[&account("account.created", ""), &grant("grant.added")],
    );
    check(
        "integration_installation.destroy",
        installed(json!({})),
        &[&account("account.deleted", ""), &grant("grant.removed")],
    );
    check(
        "integration_installation.suspend",
        installed(json!({})),
        &[&account("account.disabled", "{changed= reversible} ")],
    );
    check("integration_installation.unsuspend", installed(json!({})), &[&account("account.enabled", "")]);
    check("integration_installation.version_updated", installed(json!({})), &[&grant("grant.modified")]);
    let lines = [1, 2].map(|id| format!("grant.added subject={app} object=repo_access/{id} BY AT"));
    check(
        "integration_installation.repositories_added",
        installed(json!({"repositories_added": [1, 2]})),
        &lines.each_ref().map(String::as_str),
    );
    // Of an application without an id the name is all that is known.
    let reading =
        read("github", &event("integration_installation.create", json!({"name": "Deploy Helper"})).to_string());
    assert_eq!(told(&reading)[0], "account.created subject=#<integration> BY AT");

    let authorized = about_yuki(json!({"oauth_application_id": 77, "oauth_application_name": "Board"}));
    let line = |kind: &str| format!("{kind} subject=oauth_app/77#<integration> object=permission/user/50000001# BY AT");
    check("oauth_authorization.create", authorized.clone(), &[&line("grant.added")]);
    check("oauth_authorization.destroy", authorized, &[&line("grant.removed")]);
}

#[test]
fn accounts_and_sign_ins() {
    let line = |kind: &str, detail: &str| format!("{kind} subject={YUKI} BY {detail}AT");
    check("user.create", about_yuki(json!({})), &[&line("account.created", "")]);
    check("user.suspend", about_yuki(json!({})), &[&line("account.disabled", "{changed= reversible} ")]);
    check("user.unsuspend", about_yuki(json!({})), &[&line("account.enabled", "")]);
    check("user.delete", about_yuki(json!({})), &[&line("account.deleted", "")]);
    // Trap 11: the number stays, and the new login is bound to it.
    check("user.rename", about_yuki(json!({"old_login": "yuki"})), &[&line("account.updated", "")]);
    check("user.login", about_yuki(json!({})), &[&line("auth.event", "")]);
    check("org.sso_response", about_yuki(json!({})), &[&line("auth.event", "")]);
    // Trap 7.
    check("user.failed_login", about_yuki(json!({})), &[&line("auth.event (failure)", "")]);
}
