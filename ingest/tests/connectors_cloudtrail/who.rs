//! Who acts and signs in: Identity Center, sessions, and the forms of identities.

use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::made::{check, event, told, with};
use crate::support::read;

#[test]
fn trap_8_an_assignment_is_one_once_aws_says_so() {
    let set = "arn:aws:sso:::permissionSet/ssoins-1111/ps-2222";
    let assigned = |kind: &str| json!({"targetId": "444455556666", "permissionSetArn": set, "principalType": kind, "principalId": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"});
    let response = |name: &str, status: &str, kind: &str| {
        let mut of = assigned(kind);
        of["status"] = json!(status);
        json!({name: of})
    };
    let user = |kind: &str| {
        format!(
            "{kind} subject=sso_user/f81d4fae-7dec-11d0-a765-00a0c91e6bf6<human> object=role/{set} BY scope=444455556666 AT"
        )
    };
    let made = "accountAssignmentCreationStatus";
    let request = assigned("USER");
    check(
        "sso",
        "CreateAccountAssignment",
        request.clone(),
        response(made, "IN_PROGRESS", "USER"),
        &[&user("grant.added (pending)")],
    );
    check("sso", "CreateAccountAssignment", request.clone(), Value::Null, &[&user("grant.added (pending)")]);
    check(
        "sso",
        "CreateAccountAssignment",
        request.clone(),
        response(made, "SUCCEEDED", "USER"),
        &[&user("grant.added")],
    );
    check(
        "sso",
        "CreateAccountAssignment",
        request.clone(),
        response(made, "FAILED", "USER"),
        &[&user("grant.added (failure)")],
    );
    let gone = "accountAssignmentDeletionStatus";
    check(
        "sso",
        "DeleteAccountAssignment",
        request,
        response(gone, "IN_PROGRESS", "USER"),
        &[&user("grant.removed (pending)")],
    );
    let group = |outcome: &str, implied: &str| {
        format!(
            "entitlement.changed{outcome} object=group_member/f81d4fae-7dec-11d0-a765-00a0c91e6bf6 BY scope=444455556666 {{{implied}}} AT"
        )
    };
    let line = group(" (pending)", &format!("+role/{set} -"));
    check("sso", "CreateAccountAssignment", assigned("GROUP"), response(made, "IN_PROGRESS", "GROUP"), &[&line]);
    let line = group("", &format!("+ -role/{set}"));
    check("sso", "DeleteAccountAssignment", assigned("GROUP"), response(gone, "SUCCEEDED", "GROUP"), &[&line]);
    // Somebody asked how far it is, and the log has the answer.
    let asked = |status: &str| {
        let request = json!({"accountAssignmentCreationRequestId": "r"});
        let event = event("sso", "DescribeAccountAssignmentCreationStatus", request, response(made, status, "USER"));
        read("cloudtrail", &with(event, "readOnly", json!(true)).to_string())
    };
    assert_eq!(told(&asked("SUCCEEDED")), [user("grant.added")]);
    assert_eq!(told(&asked("FAILED")), [user("grant.added (failure)")]);
    assert!(told(&asked("IN_PROGRESS")).is_empty());
}

#[test]
fn identity_center() {
    let id = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    let group = "a81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    for source in ["identitystore", "sso-directory"] {
        // What a user is called is left out, or hidden.
        let hidden = json!({"identityStoreId": "d-1", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS", "attributes": {}});
        let created = json!({"user": {"userId": id, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}});
        let user = |kind: &str| format!("{kind} subject=sso_user/{id}<human> BY AT");
        check(source, "CreateUser", hidden, created, &[&user("account.created")]);
        check(source, "DeleteUser", json!({"userId": id}), Value::Null, &[&user("account.deleted")]);
        check(source, "DisableUser", json!({"userId": id}), Value::Null, &[&user("account.disabled")]);
        let line = format!("entitlement.defined object=group_member/{group}# BY AT");
        let defined = json!({"group": {"groupId": group, "displayName": "Admins"}});
        check(source, "CreateGroup", json!({}), defined, &[&line]);
        let member = |kind: &str| format!("{kind} subject=sso_user/{id}<human> object=group_member/{group} BY AT");
        let request = json!({"groupId": group, "member": {"memberId": id}});
        check(source, "AddMemberToGroup", request.clone(), Value::Null, &[&member("grant.added")]);
        check(source, "RemoveMemberFromGroup", request, Value::Null, &[&member("grant.removed")]);
        let request = json!({"groupId": group, "memberId": {"userId": id}});
        check(source, "CreateGroupMembership", request, Value::Null, &[&member("grant.added")]);
        let by_its_id = event(source, "DeleteGroupMembership", json!({"membershipId": "m"}), Value::Null);
        assert_eq!(read("cloudtrail", &by_its_id.to_string()).mapping, Mapping::Incomplete);
    }
    let set = "arn:aws:sso:::permissionSet/ssoins-1111/ps-2222";
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let request = json!({"permissionSetArn": set, "managedPolicyArn": policy, "inlinePolicy": "{}"});
    for (name, line) in [
        (
            "AttachManagedPolicyToPermissionSet",
            format!("entitlement.changed object=role/{set} BY {{+policy/{policy}# -}} AT"),
        ),
        (
            "DetachManagedPolicyFromPermissionSet",
            format!("entitlement.changed object=role/{set} BY {{+ -policy/{policy}#}} AT"),
        ),
        (
            "PutInlinePolicyToPermissionSet",
            format!("entitlement.changed object=role/{set} BY {{+permission/{set} -}} AT"),
        ),
        ("DeletePermissionSet", format!("entitlement.removed object=role/{set} BY AT")),
    ] {
        check("sso", name, request.clone(), Value::Null, &[&line]);
    }
}

#[test]
fn sessions_and_sign_ins() {
    let session = json!({"credentials": {"expiration": "Mar 1, 2026 10:30:00 AM", "sessionToken": "x"}});
    let ends = "Credential(Credential { expires_at: Some(Time { seconds: 1772361000, nanos: 0, precision: Second }), last_used_at: None, rotation_interval_seconds: 0 })";
    let by = "session.assumed subject=user/svc-sync###<service_account>";
    let request = json!({"roleArn": "arn:aws:iam::111122223333:role/ci/Deployer", "roleSessionName": "x for SR-9"});
    let line = format!("{by} object=session_role/Deployer# BY ticket=freshservice:default:ticket/9 {ends} AT");
    check("sts", "AssumeRole", request, session, &[&line]);
    // The role of another account.
    let request = json!({"roleArn": "arn:aws:iam::999988887777:role/Deployer", "roleSessionName": "x"});
    let line = format!("{by} object=aws:999988887777:session_role/Deployer# BY AT");
    let reading = check("sts", "AssumeRole", request, Value::Null, &[&line]);
    // AWS says of sessions that they only read.
    let event = event("sts", "GetSessionToken", json!({}), Value::Null);
    let read_only = read("cloudtrail", &with(event, "readOnly", json!(true)).to_string());
    assert_eq!(told(&read_only), [format!("{by} BY AT")]);
    assert_eq!(reading.facts.len(), 1);

    let signed_in = |result: &str, error: Value| {
        let event = self::event("signin", "ConsoleLogin", Value::Null, json!({"ConsoleLogin": result}));
        told(&read("cloudtrail", &with(event, "errorMessage", error).to_string()))
    };
    let subject = "subject=user/svc-sync###<service_account> BY AT";
    assert_eq!(signed_in("Success", Value::Null), [format!("auth.event {subject}")]);
    assert_eq!(signed_in("Failure", json!("Failed authentication")), [format!("auth.event (failure) {subject}")]);
    assert_eq!(signed_in("Failure", Value::Null), [format!("auth.event (failure) {subject}")]);

    for name in ["StopLogging", "DeleteTrail", "PutEventSelectors", "UpdateTrail"] {
        check("cloudtrail", name, json!({"name": "t"}), Value::Null, &["source.audit_config_changed BY AT"]);
    }
}

/// Who acts, for each type of identity: the actor and the credential.
#[test]
fn identities() {
    let acting = |identity: Value| {
        let event = event("cloudtrail", "StopLogging", json!({}), Value::Null);
        let reading = read("cloudtrail", &with(event, "userIdentity", identity).to_string());
        told(&reading).remove(0).replace("source.audit_config_changed ", "").replace("AT", "").trim().to_owned()
    };
    let arn = |rest: &str| format!("arn:aws:{rest}");
    let session = |issuer: Value| json!({"sessionIssuer": issuer, "attributes": {}});
    let account = "111122223333";
    for (identity, expected) in [
        (
            json!({"type": "IAMUser", "principalId": "AIDA1", "arn": arn("iam::111122223333:user/a/jane"), "accountId": account,
                "accessKeyId": "KEY1"}),
            "actor=user/~### via=access_key/KEY1<api_key>",
        ),
        (json!({"type": "IAMUser", "principalId": "AIDA1", "accountId": account, "accessKeyId": ""}), "actor=#"),
        (
            json!({"type": "IAMUser", "accountId": account, "accessKeyId": "", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
            "actor=account/111122223333",
        ),
        (
            json!({"type": "IAMUser", "userName": "svc-x", "accountId": account, "accessKeyId": "KEY2", "sessionContext": {"attributes": {}}}),
            "actor=user/svc-x#<service_account> via=session/KEY2<token>",
        ),
        (
            json!({"type": "AssumedRole", "principalId": "AROA1:i-0ab", "arn": arn("sts::111122223333:assumed-role/Web/i-0ab"),
                "accountId": account, "accessKeyId": "KEY3"}),
            "actor=role/Web##<workload_identity> via=session/KEY3<token>",
        ),
        (
            json!({"type": "AssumedRole", "principalId": "AROA1:x", "accountId": account,
                "sessionContext": session(json!({"arn": arn("iam::111122223333:role/p/Web"), "userName": "other"}))}),
            "actor=role/Web###<workload_identity>",
        ),
        (
            json!({"type": "AssumedRole", "principalId": "AROA1:jane", "arn": arn("sts::111122223333:assumed-role/AWSReservedSSO_X_1/jane"),
                "accountId": account, "accessKeyId": "KEY3", "onBehalfOf": {"userId": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}}),
            "actor=sso_user/f81d4fae-7dec-11d0-a765-00a0c91e6bf6#<human> via=role/AWSReservedSSO_X_1##<workload_identity>",
        ),
        (
            json!({"type": "AssumedRole", "principalId": "AROA1:x", "arn": arn("sts::999988887777:assumed-role/Web/x"),
                "accountId": "999988887777", "accessKeyId": "KEY3"}),
            "actor=aws:999988887777:role/Web##<workload_identity> via=aws:999988887777:session/KEY3<token>",
        ),
        (
            json!({"type": "Root", "principalId": account, "arn": arn("iam::111122223333:root"), "accountId": account, "accessKeyId": ""}),
            "actor=root/111122223333#",
        ),
        (
            json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}),
            "actor=service/cloudtrail.amazonaws.com<system>",
        ),
        (json!({"type": "AWSService", "invokedBy": "jane.doe"}), "actor=other/~#<system>"),
        (
            json!({"type": "AWSAccount", "principalId": "AROA2:ci", "accountId": "999988887777"}),
            "actor=aws:999988887777:#",
        ),
        (json!({"type": "AWSAccount", "accountId": "999988887777"}), "actor=aws:999988887777:account/999988887777"),
        (
            json!({"type": "FederatedUser", "principalId": "111122223333:jane", "arn": arn("sts::111122223333:federated-user/jane"),
                "accountId": account, "accessKeyId": "KEY4",
                "sessionContext": session(json!({"type": "IAMUser", "arn": arn("iam::111122223333:user/svc-broker"), "principalId": "AIDA3"}))}),
            "actor=federated_user/~## via=user/svc-broker###<service_account>",
        ),
        (
            json!({"type": "WebIdentityUser", "principalId": "token.example.com:aud:repo:org/app", "userName": "repo:org/app",
                "identityProvider": "token.example.com"}),
            "actor=web_identity/~##",
        ),
        (
            json!({"type": "SAMLUser", "principalId": "hash=:jane@example.com", "userName": "jane@example.com"}),
            "actor=saml_user/~##",
        ),
        (
            json!({"type": "IdentityCenterUser", "accountId": account, "credentialId": "cred-1",
                "onBehalfOf": {"userId": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "identityStoreArn": "arn:aws:identitystore::1:identitystore/d-1"}}),
            "actor=sso_user/f81d4fae-7dec-11d0-a765-00a0c91e6bf6<human> via=session/~<token>",
        ),
        (
            json!({"type": "Unknown", "principalId": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "accountId": account, "userName": "Jane Roe"}),
            "actor=sso_user/f81d4fae-7dec-11d0-a765-00a0c91e6bf6<human>",
        ),
        (json!({"type": "Unknown"}), ""),
        (Value::Null, ""),
    ] {
        assert_eq!(acting(identity.clone()), expected, "{identity}");
    }
}
