//! The log itself: its files and envelopes, and what every event has in common.

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::{Mapping, RejectReason};
use serde_json::{Value, json};

use crate::made::{event, told, with};
use crate::support::{read, read_all, read_with, reject, values};

const FILE: &str = include_str!("../fixtures/cloudtrail-file.json");
const BRIDGE: &str = include_str!("../fixtures/cloudtrail-bridge.json");

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
    let redacted = counterfoil_ingest::secrets::redact_json(&json, &crate::support::digest_key()).unwrap().to_text();
    assert!(!redacted.contains("planted"), "{redacted}");
}
