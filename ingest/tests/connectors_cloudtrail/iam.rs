//! IAM: users, roles, groups, policies and credentials.

use counterfoil_ingest::connectors::Reading;
use serde_json::{Value, json};

use crate::made::check;
use crate::support::values;

#[test]
fn users() {
    let user = json!({"user": {"userName": "jane", "userId": "AIDAEXAMPLE1JANE0001", "arn": "arn:aws:iam::111122223333:user/jane"}});
    let created =
        check("iam", "CreateUser", json!({"userName": "jane"}), user, &["account.created subject=user/~### BY AT"]);
    let id = &created.facts[0].subject.as_ref().unwrap().id;
    assert_eq!(
        values(&created, &format!("account:aws:111122223333:{id}")),
        ["arn=arn:aws:iam::111122223333:user/jane", "login=jane", "unique_id=AIDAEXAMPLE1JANE0001"]
    );
    let jane = json!({"userName": "jane"});
    let deleted = check("iam", "DeleteUser", jane.clone(), Value::Null, &["account.deleted subject=user/~# BY AT"]);
    assert_eq!(&deleted.facts[0].subject.as_ref().unwrap().id, id, "one id in all events");
    check("iam", "TagUser", jane, Value::Null, &["account.updated subject=user/~# BY {changed=other} AT"]);
    // Trap 11.
    check(
        "iam",
        "UpdateUser",
        json!({"userName": "svc-old", "newUserName": "svc-new"}),
        Value::Null,
        &[
            "account.updated subject=user/svc-old#<service_account> BY {changed=userName} AT",
            "identity.linked subject=user/svc-old#<service_account> object=user/svc-new#<service_account> BY AT",
        ],
    );
}

#[test]
fn roles() {
    let batch = json!({"roleName": "Batch", "assumeRolePolicyDocument": "{}"});
    check(
        "iam",
        "DeleteRole",
        batch.clone(),
        Value::Null,
        &[
            "account.deleted subject=role/Batch#<workload_identity> BY AT",
            "entitlement.removed object=session_role/Batch# BY AT",
        ],
    );
    check(
        "iam",
        "UpdateAssumeRolePolicy",
        batch.clone(),
        Value::Null,
        &["entitlement.changed object=session_role/Batch# BY {+role/Batch#<workload_identity> -} AT"],
    );
    check(
        "iam",
        "TagRole",
        batch,
        Value::Null,
        &["account.updated subject=role/Batch#<workload_identity> BY {changed=other} AT"],
    );
    check(
        "iam",
        "CreateServiceLinkedRole",
        json!({"aWSServiceName": "sso.amazonaws.com"}),
        json!({"role": {"roleName": "AWSServiceRoleForSSO", "roleId": "AROA1", "arn": "arn:aws:iam::111122223333:role/aws-service-role/sso.amazonaws.com/AWSServiceRoleForSSO"}}),
        &[
            "account.created subject=role/AWSServiceRoleForSSO###<system> BY AT",
            "entitlement.defined object=session_role/AWSServiceRoleForSSO# BY {+role/AWSServiceRoleForSSO###<system> -} AT",
        ],
    );
    // Trap 8: AWS deletes it later.
    check(
        "iam",
        "DeleteServiceLinkedRole",
        json!({"roleName": "AWSServiceRoleForSSO"}),
        json!({"deletionTaskId": "task/1"}),
        &["account.deleted (pending) subject=role/AWSServiceRoleForSSO#<system> BY AT"],
    );
}

#[test]
fn groups_and_policies() {
    let joined = json!({"userName": "jane", "groupName": "Admins"});
    for (name, kind) in [("AddUserToGroup", "grant.added"), ("RemoveUserFromGroup", "grant.removed")] {
        let line = format!("{kind} subject=user/~# object=group_member/~# BY AT");
        check("iam", name, joined.clone(), Value::Null, &[&line]);
    }
    let admins = json!({"groupName": "Admins"});
    check("iam", "CreateGroup", admins.clone(), Value::Null, &["entitlement.defined object=group_member/~# BY AT"]);
    check("iam", "DeleteGroup", admins, Value::Null, &["entitlement.removed object=group_member/~# BY AT"]);
    check(
        "iam",
        "UpdateGroup",
        json!({"groupName": "group-1", "newGroupName": "group-2"}),
        Value::Null,
        &["identity.linked subject=group_member/group-1# object=group_member/group-2# BY AT"],
    );
    let arn = "arn:aws:iam::111122223333:policy/team/Reader";
    for (name, key, holder, kind) in [
        ("AttachUserPolicy", "userName", "user/svc-x#<service_account>", "grant.added"),
        ("DetachUserPolicy", "userName", "user/svc-x#<service_account>", "grant.removed"),
        ("AttachRolePolicy", "roleName", "role/svc-x#<workload_identity>", "grant.added"),
        ("DetachRolePolicy", "roleName", "role/svc-x#<workload_identity>", "grant.removed"),
    ] {
        let line = format!("{kind} subject={holder} object=policy/{arn}# BY AT");
        check("iam", name, json!({key: "svc-x", "policyArn": arn}), Value::Null, &[&line]);
    }
    let of_group = json!({"groupName": "Admins", "policyArn": arn, "policyName": "Own"});
    for (name, implied) in [
        ("AttachGroupPolicy", format!("{{+policy/{arn}# -}}")),
        ("DetachGroupPolicy", format!("{{+ -policy/{arn}#}}")),
        ("PutGroupPolicy", "{+policy/~# -}".to_owned()),
        ("DeleteGroupPolicy", "{+ -policy/~#}".to_owned()),
    ] {
        let line = format!("entitlement.changed object=group_member/~# BY {implied} AT");
        check("iam", name, of_group.clone(), Value::Null, &[&line]);
    }
}

#[test]
fn an_inline_policy_belongs_to_its_holder_alone() {
    let request = |user: &str| json!({"userName": user, "policyName": "Own", "policyDocument": "{\"Statement\":[]}"});
    let lines = &["grant.added subject=user/~# object=policy/~# BY AT"];
    let put = check("iam", "PutUserPolicy", request("jane"), Value::Null, lines);
    let policy = |reading: &Reading| reading.facts[0].object.as_ref().unwrap().id.clone();
    let of_another = check("iam", "PutUserPolicy", request("joan"), Value::Null, lines);
    assert_ne!(policy(&put), policy(&of_another));
    let lines = &["grant.removed subject=user/~# object=policy/~# BY AT"];
    let deleted = check("iam", "DeleteUserPolicy", request("jane"), Value::Null, lines);
    assert_eq!(policy(&put), policy(&deleted));
}

#[test]
fn trap_14_another_version_of_a_policy_changes_what_its_holders_can_do() {
    let arn = "arn:aws:iam::111122223333:policy/Reader";
    let changed =
        |outcome: &str| format!("entitlement.changed{outcome} object=policy/{arn}# BY {{+permission/{arn} -}} AT");
    let version = json!({"policyVersion": {"versionId": "v3", "isDefaultVersion": true}});
    let request = json!({"policyArn": arn, "setAsDefault": true, "policyDocument": "{}"});
    let reading = check("iam", "CreatePolicyVersion", request, version.clone(), &[&changed("")]);
    let Some(counterfoil_proto::v1::fact::Detail::Entitlement(detail)) = &reading.facts[0].detail else { panic!() };
    assert_eq!(detail.version, "v3");
    let request = json!({"policyArn": arn, "setAsDefault": false, "policyDocument": "{}"});
    check("iam", "CreatePolicyVersion", request, version.clone(), &[&changed(" (pending)")]);
    let request = json!({"policyArn": arn, "policyDocument": "{}"});
    check("iam", "CreatePolicyVersion", request, version, &[&changed(" (pending)")]);
    let request = json!({"policyArn": arn, "versionId": "v2"});
    check("iam", "SetDefaultPolicyVersion", request, Value::Null, &[&changed("")]);
    let defined = format!("entitlement.defined object=policy/{arn}# BY {{+permission/{arn} -}} AT");
    let response = json!({"policy": {"arn": arn, "defaultVersionId": "v1"}});
    let created = check("iam", "CreatePolicy", json!({"policyName": "Reader"}), response, &[&defined]);
    let Some(counterfoil_proto::v1::fact::Detail::Entitlement(detail)) = &created.facts[0].detail else {
        panic!("{created:?}")
    };
    assert_eq!(detail.version, "v1");
    let removed = format!("entitlement.removed object=policy/{arn}# BY AT");
    check("iam", "DeletePolicy", json!({"policyArn": arn}), Value::Null, &[&removed]);
}

#[test]
fn a_boundary_gives_nothing_by_itself() {
    let limit = json!({"userName": "jane", "permissionsBoundary": "arn:aws:iam::111122223333:policy/Limit"});
    let put = check(
        "iam",
        "PutUserPermissionsBoundary",
        limit,
        Value::Null,
        &[
            "grant.modified subject=user/~# object=permission/within-boundary# BY Grant(Grant { expires_at: None, mode: Unspecified, inherited_via: Some(Ref { kind: Entitlement, system: \"\", instance: \"\", id: \"policy/arn:aws:iam::111122223333:policy/Limit\", tokens: [[245, 186, 156, 168, 5, 9, 39, 56, 171, 140, 79, 250, 137, 82, 87, 146]], identity_type: Unspecified }), conditional: true }) AT",
        ],
    );
    assert_eq!(put.facts.len(), 1);
    check(
        "iam",
        "DeleteRolePermissionsBoundary",
        json!({"roleName": "Batch"}),
        Value::Null,
        &[
            "grant.modified subject=role/Batch#<workload_identity> object=permission/within-boundary BY Grant(Grant { expires_at: None, mode: Active, inherited_via: None, conditional: false }) AT",
        ],
    );
}

#[test]
fn credentials() {
    let key = json!({"accessKey": {"accessKeyId": "LONGTERMKEY7", "status": "Active", "userName": "jane", "createDate": "Jul 30, 2024 9:53:13 PM"}});
    let created = "credential.created subject=user/~# object=access_key/LONGTERMKEY7<api_key> BY AT";
    check("iam", "CreateAccessKey", json!({"userName": "jane"}), key.clone(), &[created]);
    check("iam", "CreateAccessKey", Value::Null, key, &[created]);
    for (name, status, kind) in [
        ("UpdateAccessKey", "Active", "credential.enabled"),
        ("UpdateAccessKey", "Inactive", "credential.disabled"),
        ("DeleteAccessKey", "", "credential.revoked"),
    ] {
        let request = json!({"userName": "jane", "accessKeyId": "LONGTERMKEY7", "status": status});
        let line = format!("{kind} subject=user/~# object=access_key/LONGTERMKEY7<api_key> BY AT");
        check("iam", name, request, Value::Null, &[&line]);
    }
    let own =
        "credential.revoked subject=user/svc-sync###<service_account> object=access_key/LONGTERMKEY7<api_key> BY AT";
    check("iam", "DeleteAccessKey", json!({"accessKeyId": "LONGTERMKEY7"}), Value::Null, &[own]);
    for (name, kind) in [
        ("CreateLoginProfile", "credential.created"),
        ("UpdateLoginProfile", "credential.rotated"),
        ("DeleteLoginProfile", "credential.revoked"),
    ] {
        let line = format!("{kind} subject=user/~# object=password/user/~<secret> BY AT");
        check("iam", name, json!({"userName": "jane", "passwordResetRequired": true}), Value::Null, &[&line]);
    }
    let own =
        "credential.rotated subject=user/svc-sync###<service_account> object=password/user/svc-sync<secret> BY AT";
    check("iam", "ChangePassword", Value::Null, Value::Null, &[own]);
    let serial = "arn:aws:iam::111122223333:mfa/jane";
    check(
        "iam",
        "EnableMFADevice",
        json!({"userName": "jane", "serialNumber": serial}),
        Value::Null,
        &["credential.enabled subject=user/~# object=token/~<token> BY AT"],
    );
    check(
        "iam",
        "CreateVirtualMFADevice",
        json!({"virtualMFADeviceName": "jane"}),
        json!({"virtualMFADevice": {"serialNumber": serial}}),
        &["credential.created object=token/~<token> BY AT"],
    );
    let ssh = json!({"sSHPublicKey": {"sSHPublicKeyId": "APKAEXAMPLE1", "userName": "jane"}});
    let line = "credential.created subject=user/~# object=ssh_key/APKAEXAMPLE1<secret> BY AT";
    check("iam", "UploadSSHPublicKey", json!({"userName": "jane"}), ssh, &[line]);
}
