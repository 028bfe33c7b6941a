//! The CloudTrail connector: each event to its facts, and the traps of such logs.
//!
//! Traps of the mapping that apply here: 1 (dates for people), 3 (absence), 4 (JSON in a URL's encoding), 7 (failures), 8
//! (not finished), 9 (duplicates), 11 (renamed), 14 (policies that mean something else), 20 (hostile text), 21 (secrets).

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::{Mapping, RejectReason};
use serde_json::{Value, json};
use support::{lines, read, read_all, read_with, reject, values};

const FILE: &str = include_str!("fixtures/cloudtrail-file.json");
const BRIDGE: &str = include_str!("fixtures/cloudtrail-bridge.json");

/// An event by the user `svc-sync`, with this request and response.
fn event(source: &str, name: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE1SYNC0001", "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:user/svc-sync", "accessKeyId": "LONGTERMKEY1", "userName": "svc-sync",
        },
        "eventTime": "2026-03-01T09:30:00Z", "eventSource": format!("{source}.amazonaws.com"), "eventName": name,
        "requestParameters": request, "responseElements": response, "readOnly": false,
        "eventID": "5f0e8c3a-1111-4222-8333-444455556677", "recipientAccountId": "111122223333",
    })
}

fn with(mut event: Value, key: &str, value: Value) -> Value {
    event[key] = value;
    event
}

/// How the actor of `event` is shown, and its moment.
const BY: &str = "actor=user/svc-sync###<service_account> via=access_key/LONGTERMKEY1<api_key>";
const AT: &str = "@2026-03-01T09:30:00Z";

/// What stands for an id in a record that could be somebody's login.
fn shortened(line: &str) -> String {
    let mut parts = line.split('~');
    let mut short = parts.next().unwrap().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits >= 32 {
            short.push_str(&format!("~{}", &part[32..]));
        } else {
            short.push_str(&format!("~{part}"));
        }
    }
    short
}

fn told(reading: &Reading) -> Vec<String> {
    lines(reading).iter().map(|line| shortened(line).replace(BY, "BY").replace(AT, "AT")).collect()
}

/// Checks the facts of an event that succeeded; of one that was denied, that it still says so and changes nothing.
fn check(source: &str, name: &str, request: Value, response: Value, expected: &[&str]) -> Reading {
    let event = event(source, name, request, response);
    let reading = read("cloudtrail", &event.to_string());
    assert_eq!(told(&reading), expected, "{name}");
    assert_eq!(reading.native_type, format!("{source}.amazonaws.com:{name}"));
    assert_eq!(reading.mapping, Mapping::Mapped);
    assert_eq!(reading.event_id, EventId::Native("5f0e8c3a-1111-4222-8333-444455556677".to_owned()));
    assert_eq!(reading.instance.as_deref(), Some("111122223333"));

    let mut denied = with(event, "errorCode", json!("AccessDenied"));
    denied["requestParameters"] = Value::Null;
    denied["responseElements"] = Value::Null;
    let denied = read("cloudtrail", &denied.to_string());
    assert_eq!(denied.mapping, Mapping::Mapped, "{name}");
    for line in told(&denied) {
        assert!(line.contains(" (denied) ") && line.contains(" reason=AccessDenied "), "{name}: {line}");
    }
    reading
}

#[test]
fn a_log_file_in_native_shape() {
    let readings: Vec<Reading> = read_all("cloudtrail", FILE).into_iter().map(Result::unwrap).collect();
    assert_eq!(
        readings.iter().map(told).collect::<Vec<_>>(),
        [
            vec![
                "grant.added subject=user/~# object=policy/arn:aws:iam::aws:policy/AdministratorAccess# \
                 actor=role/Deployer###<workload_identity> via=session/SESSIONKEY0000000001<token> \
                 ticket=freshservice:default:ticket/1042 AT"
            ],
            vec![
                "account.created subject=role/Batch###<workload_identity> actor=user/~### \
                 via=access_key/LONGTERMKEY000000001<api_key> ticket=freshservice:default:ticket/7 \
                 @2026-03-01T09:31:00Z",
                "entitlement.defined object=session_role/Batch# actor=user/~### \
                 via=access_key/LONGTERMKEY000000001<api_key> ticket=freshservice:default:ticket/7 \
                 {+role/Batch###<workload_identity> -} @2026-03-01T09:31:00Z",
            ],
            vec![
                "account.deleted (denied) actor=user/~### via=access_key/LONGTERMKEY000000001<api_key> \
                 reason=AccessDenied @2026-03-01T09:32:00Z"
            ],
        ]
    );
    let event_ids: Vec<&EventId> = readings.iter().map(|reading| &reading.event_id).collect();
    let native = |last: u8| EventId::Native(format!("5f0e8c3a-1111-4222-8333-4444555566{last:02}"));
    assert_eq!(event_ids, [&native(1), &native(2), &native(3)]);
    assert_eq!(
        values(&readings[0], "account:aws:111122223333:role/Deployer"),
        [
            "arn=arn:aws:iam::111122223333:role/ci/Deployer",
            "ip_address=198.51.100.7",
            "login=role/Deployer",
            "session_name=SR-1042",
            "unique_id=AROAEXAMPLE1DEPLOY02",
            "user_agent=aws-cli/2.15 (CHN-99)",
        ]
    );
    let correlation = readings[0].facts[0].correlation.as_ref().unwrap();
    assert_eq!(correlation.request, "0a1b2c3d-1111-4222-8333-444455556666");
    // Trap 4: what a policy says, raw in the request and encoded in the response, is nowhere but in the payload.
    let shown = format!("{:?}", readings[1]);
    assert!(!shown.contains("secret.partner") && !shown.contains("Statement"), "{shown}");
}

/// The same event through every envelope is the same event: its text is that of the event itself, byte for byte.
#[test]
fn one_event_in_every_envelope() {
    let detail: Value = serde_json::from_str::<Value>(BRIDGE).unwrap()["detail"].take();
    let text = detail.to_string();
    let alone = read("cloudtrail", &text);
    let looked_up = json!({"EventId": "x", "EventName": "CreateAccountAssignment", "CloudTrailEvent": text});
    for envelope in [
        BRIDGE.to_owned(),
        format!("[{BRIDGE}]"),
        json!({"Records": [detail]}).to_string(),
        json!({"Records": [detail], "more": 1}).to_string(),
        json!([detail]).to_string(),
        looked_up.to_string(),
        json!({"Events": [looked_up]}).to_string(),
        json!({"Events": [looked_up], "NextToken": "t"}).to_string(),
    ] {
        assert_eq!(read("cloudtrail", &envelope), alone, "{envelope}");
    }
    assert_eq!(
        told(&alone),
        ["grant.added (pending) subject=sso_user/f81d4fae-7dec-11d0-a765-00a0c91e6bf6<human> \
             object=role/arn:aws:sso:::permissionSet/ssoins-1111aaaa2222bbbb/ps-3333cccc4444dddd \
             actor=sso_user/~#<human> via=role/AWSReservedSSO_Admins_0123456789abcdef###<workload_identity> \
             scope=444455556666 @2026-03-02T10:00:00Z"]
    );
    let human = format!("account:aws:111122223333:{}", alone.facts[0].actor.as_ref().unwrap().id);
    assert!(values(&alone, &human).contains(&"login=jane.roe@example.com".to_owned()));
    for broken in [r#"{"CloudTrailEvent":"{"}"#, r#"{"Events":[{"CloudTrailEvent":"[1"}]}"#] {
        assert_eq!(reject("cloudtrail", broken).reason, RejectReason::NotJson, "{broken}");
    }
    // Something else that EventBridge delivers, and a listing: no events of the log, each refused by itself.
    let finding = r#"{"detail-type":"GuardDuty Finding","detail":{"id":"1"}}"#;
    for strange in [finding, r#"{"Users":[{"UserName":"x"}]}"#, r#"{"Records":[{"a":1}]}"#, "7"] {
        assert_eq!(reject("cloudtrail", strange).reason, RejectReason::NotAnEvent, "{strange}");
    }
    assert!(read_all("cloudtrail", r#"{"Records":[]}"#).is_empty());
}

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
    check("iam", "CreatePolicy", json!({"policyName": "Reader"}), json!({"policy": {"arn": arn}}), &[&defined]);
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
            "grant.modified subject=user/~# object=permission/within-boundary# BY Grant(Grant { expires_at: None, mode: Unspecified, inherited_via: None, conditional: true }) AT",
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

#[test]
fn trap_7_what_failed_or_only_read_changes_nothing() {
    let request = json!({"userName": "jane"});
    let attempt = |key: &str, value: Value| {
        let event = event("iam", "CreateUser", request.clone(), Value::Null);
        told(&read("cloudtrail", &with(event, key, value).to_string())).remove(0)
    };
    for (code, outcome) in [
        ("AccessDenied", "denied"),
        ("AccessDeniedException", "denied"),
        ("Client.UnauthorizedOperation", "denied"),
        ("EntityAlreadyExistsException", "failure"),
        ("NoSuchEntity", "failure"),
    ] {
        let line = format!("account.created ({outcome}) subject=user/~# BY reason={code} AT");
        assert_eq!(attempt("errorCode", json!(code)), line);
    }
    // A code that could be anybody's name, and an error without a code.
    assert_eq!(attempt("errorCode", json!("jane.roe")), "account.created (failure) subject=user/~# BY AT");
    assert_eq!(attempt("errorMessage", json!("no")), "account.created (failure) subject=user/~# BY AT");
    assert_eq!(attempt("readOnly", json!(true)), "account.created (pending) [derived] subject=user/~# BY AT");
    assert_eq!(attempt("readOnly", json!("True")), "account.created (pending) [derived] subject=user/~# BY AT");
    // The log did not always say whether an event only read.
    assert_eq!(attempt("readOnly", Value::Null), "account.created [derived] subject=user/~# BY AT");
}

#[test]
fn what_is_not_known_is_kept_as_unmapped() {
    for (source, name, mapping, native_type) in [
        ("iam", "GetUser", Mapping::NoFacts, "iam.amazonaws.com:GetUser"),
        ("iam", "InventedYesterday", Mapping::Unmapped, "iam.amazonaws.com:InventedYesterday"),
        ("s3", "GetObject", Mapping::Unmapped, "s3.amazonaws.com:GetObject"),
        ("iam", "jane.roe", Mapping::Unmapped, ""),
        ("iam", "AddUserToGroup", Mapping::Incomplete, "iam.amazonaws.com:AddUserToGroup"),
    ] {
        let reading = read("cloudtrail", &event(source, name, json!({}), Value::Null).to_string());
        assert_eq!((reading.mapping, reading.native_type.as_str()), (mapping, native_type), "{name}");
        assert!(reading.facts.is_empty());
    }
    let strange = with(event("iam", "GetUser", json!({}), Value::Null), "eventSource", json!("jane.roe"));
    assert_eq!(read("cloudtrail", &strange.to_string()).native_type, "");
}

#[test]
fn times_ids_and_accounts() {
    let plain = event("iam", "DeleteUser", json!({"userName": "jane"}), Value::Null);
    let reason = |value: Value| reject("cloudtrail", &with(plain.clone(), "eventTime", value).to_string()).reason;
    assert_eq!(reason(Value::Null), RejectReason::TimeMissing);
    assert_eq!(reason(json!("...")), RejectReason::TimeInvalid);
    assert_eq!(reason(json!("2026-03-01 09:30:00")), RejectReason::TimeWithoutZone);
    let zoneless = with(plain.clone(), "eventTime", json!("2026-03-01 09:30:00")).to_string();
    let assumed = read_with("cloudtrail", &zoneless, true).remove(0).unwrap();
    assert_eq!(told(&assumed), ["account.deleted subject=user/~# BY AT"]);
    let anonymous = read("cloudtrail", &with(plain.clone(), "eventID", Value::Null).to_string());
    assert_eq!(anonymous.event_id, EventId::Content);
    // Without a recipient, the file's tenant is the account; a strange one is none.
    for recipient in [Value::Null, json!("<the account>"), json!(7)] {
        let reading = read("cloudtrail", &with(plain.clone(), "recipientAccountId", recipient).to_string());
        assert_eq!(reading.instance, None);
        assert!(told(&reading)[0].contains("actor=aws:111122223333:user/svc-sync"), "{:?}", told(&reading));
    }
}

#[test]
fn trap_20_hostile_text_stays_beside_the_record() {
    let hostile = "x\u{1b}[31m=cmd|' /C calc'!A0\r\n,";
    for name in ["CreateUser", "AttachRolePolicy", "AddUserToGroup", "CreateAccessKey", "CreatePolicyVersion"] {
        let request = json!({"userName": hostile, "roleName": hostile, "groupName": hostile, "policyArn": hostile, "accessKeyId": hostile});
        let mut event = event("iam", name, request, Value::Null);
        event["eventID"] = json!(hostile);
        event["requestID"] = json!(hostile);
        event["userIdentity"]["userName"] = json!(hostile);
        event["userIdentity"]["accessKeyId"] = json!(hostile);
        let reading = read("cloudtrail", &event.to_string());
        assert!(!format!("{:?}", reading.facts).contains("calc"), "{:?}", reading.facts);
        assert!(!reading.facts.is_empty(), "{name}");
    }
}

/// Trap 21: what AWS hands out stands under keys that say so.
#[test]
fn trap_21_secrets_never_reach_a_reading() {
    let secrets = json!({"credentials": {"sessionToken": "planted-1", "secretAccessKey": "planted-2"}});
    let reading = read(
        "cloudtrail",
        &event("sts", "AssumeRole", json!({"serialNumber": "s", "tokenCode": "planted-3"}), secrets).to_string(),
    );
    assert!(!format!("{reading:?}").contains("planted"), "{reading:?}");
    let json = counterfoil_ingest::json::parse(br#"{"requestParameters":{"newPassword":"planted-1","oldPassword":"planted-2","tokenCode":"planted-3","authenticationCode1":"planted-4","deviceCode":"planted-11"},
        "responseElements":{"credentials":{"sessionToken":"planted-5"},"accessKey":{"secretAccessKey":"planted-6"},"bearerToken":"planted-7","serviceSpecificCredential":{"servicePassword":"planted-8"},"virtualMFADevice":{"base32StringSeed":"planted-9","qRCodePNG":"planted-10"}}}"#).unwrap();
    let redacted = counterfoil_ingest::secrets::redact_json(&json, &support::digest_key()).unwrap().to_text();
    assert!(!redacted.contains("planted"), "{redacted}");
}
