//! Credentials: keys, tokens and secrets, who gave them access, and which of them a request was made with.

use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::made::{about_yuki, check, event, in_ledger, told};
use crate::support::{read, values};

#[test]
fn keys_and_webhooks() {
    let key = |further: Value| {
        let mut key = json!({"fingerprint": "SHA256:Zm9v+bmFy/0a1b", "title": "laptop", "read_only": "false"});
        further.as_object().unwrap().iter().for_each(|(name, value)| key[name] = value.clone());
        key
    };
    let line = |kind: &str| format!("{kind} subject=50000001#<human> object=ssh_key/~<secret> BY AT");
    check("public_key.create", key(about_yuki(json!({}))), &[&line("credential.created")]);
    check("public_key.delete", key(about_yuki(json!({}))), &[&line("credential.revoked")]);
    check("public_key.unverify", key(about_yuki(json!({}))), &[&line("credential.disabled")]);
    // Of a repository, the key is nobody's, and holds the access itself.
    let credential = |kind: &str| format!("{kind} object=deploy_key/~<secret> BY AT");
    let grant = |kind: &str| format!("{kind} subject=deploy_key/~<secret> object=repo_access/123456# BY AT");
    check("public_key.create", key(in_ledger(json!({}))), &[&credential("credential.created"), &grant("grant.added")]);
    check(
        "public_key.delete",
        key(in_ledger(json!({}))),
        &[&credential("credential.revoked"), &grant("grant.removed")],
    );
    let nameless = read("github", &event("public_key.create", in_ledger(json!({}))).to_string());
    assert_eq!(nameless.mapping, Mapping::Incomplete);

    let hook = "object=webhook_secret/111222333<webhook_secret> BY AT";
    let created = format!("credential.created subject=50000002#<human> {hook}");
    for place in [json!({"hook_id": 111_222_333}), json!({"data": {"hook_id": "111222333"}})] {
        check("hook.create", place.clone(), &[&created]);
        check("hook.destroy", place, &[&format!("credential.revoked {hook}")]);
    }
    let active = |active: Value| json!({"hook_id": 111_222_333, "active": active});
    check("hook.active_changed", active(json!(false)), &[&format!("credential.disabled {hook}")]);
    check("hook.active_changed", active(json!("True")), &[&format!("credential.enabled {hook}")]);
}

#[test]
fn secrets_of_workflows_and_applications() {
    let secret = |kind: &str, id: &str| format!("{kind} object=secret/{id}<secret> BY AT");
    let key = || json!({"key": "DEPLOY_TOKEN"});
    let of_repository = "123456/DEPLOY_TOKEN";
    check("repo.create_actions_secret", in_ledger(key()), &[&secret("credential.created", of_repository)]);
    check("repo.update_actions_secret", in_ledger(key()), &[&secret("credential.rotated", of_repository)]);
    check("repo.remove_actions_secret", in_ledger(key()), &[&secret("credential.revoked", of_repository)]);
    check("org.create_actions_secret", key(), &[&secret("credential.created", "9001/DEPLOY_TOKEN")]);
    let app = "subject=oauth_app/77#<integration> object=oauth_client/77<integration> BY AT";
    let of_app = || json!({"oauth_application_id": 77, "oauth_application": "Board"});
    check("oauth_application.create", of_app(), &[&format!("credential.created {app}")]);
    check("oauth_application.reset_secret", of_app(), &[&format!("credential.rotated {app}")]);
}

#[test]
fn fine_grained_tokens_and_the_requests_for_their_access() {
    let of_token = |further: Value| {
        let mut of =
            about_yuki(json!({"user_programmatic_access_id": 98_716, "user_programmatic_access_name": "notes"}));
        further.as_object().unwrap().iter().for_each(|(name, value)| of[name] = value.clone());
        of
    };
    let token = "api_token/98716<token>";
    let line = |kind: &str| format!("{kind} subject=50000001#<human> object={token} BY AT");
    check("personal_access_token.create", of_token(json!({})), &[&line("credential.created")]);
    check("personal_access_token.credential_regenerated", of_token(json!({})), &[&line("credential.rotated")]);
    check("personal_access_token.credential_revoked", of_token(json!({})), &[&line("credential.revoked")]);
    check("personal_access_token.destroy", of_token(json!({})), &[&line("credential.revoked")]);
    let request = || of_token(json!({"user_programmatic_access_request_id": 25_381}));
    let about = |kind: &str| format!("{kind} subject={token} object=access_request/25381 BY");
    let item = "add:github:permission target=permission/org/9001/resources#";
    check(
        "personal_access_token.request_created",
        request(),
        &[
            &format!(
                "{} {{access_request open requester=50000001#<human> {item} decision=requested}} AT",
                about("ticket.opened")
            ),
            &format!("{} {{ level=1 unspecified decision=requested}} AT", about("approval.requested")),
        ],
    );
    let by = "approver=50000002#<human>";
    check(
        "personal_access_token.request_denied",
        request(),
        &[
            &format!("{} {{ level=1 unspecified {by} decision=rejected}} AT", about("approval.rejected")),
            &format!("{} {{access_request closed {item} decision=rejected}} AT", about("ticket.closed")),
        ],
    );
    check(
        "personal_access_token.request_cancelled",
        request(),
        &[&format!("{} {{access_request cancelled {item} decision=cancelled}} AT", about("ticket.cancelled"))],
    );
    let granted = format!("subject={token} object=permission/org/9001/resources# BY");
    check(
        "personal_access_token.access_granted",
        request(),
        &[
            &format!("{} {{ level=1 unspecified {by} decision=approved}} AT", about("approval.granted")),
            &format!("{} {{access_request closed {item} decision=approved}} AT", about("ticket.closed")),
            &format!("grant.added {granted} ticket=access_request/25381 AT"),
        ],
    );
    // Where nobody has to be asked, there is no request.
    check("personal_access_token.access_granted", of_token(json!({})), &[&format!("grant.added {granted} AT")]);
    check("personal_access_token.access_revoked", of_token(json!({})), &[&format!("grant.removed {granted} AT")]);
    let nameless = read("github", &event("personal_access_token.access_granted", json!({})).to_string());
    assert_eq!(nameless.mapping, Mapping::Incomplete);
}

#[test]
fn other_tokens_and_single_sign_on() {
    let line = |kind: &str| format!("{kind} subject=50000001#<human> object=token/5501<token> BY AT");
    let of_token = || about_yuki(json!({"token_id": 5501}));
    check("oauth_access.create", of_token(), &[&line("credential.created")]);
    check("oauth_access.regenerate", of_token(), &[&line("credential.rotated")]);
    check("oauth_access.destroy", of_token(), &[&line("credential.revoked")]);
    let hash = "kQ3v0bM8sXyZ1+2aBcDeFgHiJkLmNoPqRsTuVwXyZ01=";
    let authorized = || json!({"managed_hashed_token": hash});
    let line = |kind: &str| format!("{kind} subject=token/~#<token> object=permission/org/9001/resources# BY AT");
    let granted = check("org_credential_authorization.grant", authorized(), &[&line("grant.added")]);
    for action in ["deauthorize", "deauthorized", "revoke"] {
        check(&format!("org_credential_authorization.{action}"), authorized(), &[&line("grant.removed")]);
    }
    // It is the credential that the same hash names where it is used.
    let used = read("github", &event("team.create", json!({"team": "t", "hashed_token": hash})).to_string());
    let via = used.facts[0].via.as_ref().unwrap();
    assert_eq!(Some(&via.id), granted.facts[0].subject.as_ref().map(|subject| &subject.id));
    let key = json!({"fingerprint": "SHA256:Zm9v+bmFy/0a1b"});
    let line = "grant.added subject=ssh_key/~#<secret> object=permission/org/9001/resources# BY AT";
    check("org_credential_authorization.grant", key, &[line]);
}

/// What a request was made with: the type of access, the id and the hash of the token.
#[test]
fn the_credential_that_made_a_change() {
    let hash = "kQ3v0bM8sXyZ1+2aBcDeFgHiJkLmNoPqRsTuVwXyZ01=";
    let via = |further: Value| {
        let mut of = json!({"team": "tallyhall-eng/release"});
        further.as_object().unwrap().iter().for_each(|(name, value)| of[name] = value.clone());
        let reading = read("github", &event("team.create", of).to_string());
        told(&reading).remove(0).replace("entitlement.defined object=group_member/~# BY ", "").replace("AT", "")
    };
    for (access_type, expected) in [
        ("GitHub App server-to-server token", "via=session/5501#<token> "),
        ("GitHub App user-to-server token", "via=token/5501#<token> "),
        ("OAuth access token", "via=token/5501#<token> "),
        ("Personal access token (classic)", "via=token/5501#<token> "),
        ("Fine-grained personal access token", "via=api_token/5501#<token> "),
        ("Deploy key", "via=deploy_key/5501#<secret> "),
        ("SSH key", "via=ssh_key/5501#<secret> "),
        ("something new", "via=token/5501#<token> "),
    ] {
        let with = json!({"programmatic_access_type": access_type, "token_id": "5501", "hashed_token": hash});
        assert_eq!(via(with), expected, "{access_type}");
    }
    // By its id alone; by its hash alone, which is then its id; and in a browser, by none.
    assert_eq!(
        via(json!({"programmatic_access_type": "OAuth access token", "token_id": 5501})),
        "via=token/5501<token> "
    );
    assert_eq!(via(json!({"hashed_token": hash})), "via=token/~#<token> ");
    assert_eq!(via(json!({"programmatic_access_type": "OAuth access token"})), "");
    assert_eq!(via(json!({"token_id": 0, "hashed_token": "", "programmatic_access_type": ""})), "");

    let with = json!({"team": "t", "token_id": 5501, "hashed_token": hash, "token_scopes": "admin:org"});
    let reading = read("github", &event("team.create", with).to_string());
    let beside = values(&reading, "credential:github:default:token/5501");
    assert_eq!(beside, [format!("hashed_token={hash}")]);
    assert!(values(&reading, "account:github:default:50000002").contains(&"scopes=admin:org".to_owned()));
}
