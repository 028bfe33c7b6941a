//! The log itself: its forms and stages, and what every event has in common.

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::{Mapping, RejectReason};
use serde_json::{Value, json};

use crate::made::{ID, event, rbac, told, with};
use crate::support::{read, read_all, reject, values};

const EVENTS: &str = include_str!("../fixtures/kubernetes-events.json");

#[test]
fn events_in_native_shape() {
    let readings: Vec<Reading> = read_all("kubernetes", EVENTS).into_iter().map(Result::unwrap).collect();
    let by =
        "actor=user/~# via=certificate/00aa11bb22cc33dd44ee55ff66778899aabbccddeeff00112233445566778899<certificate>";
    let ticket = "ticket=freshservice:default:ticket/1042";
    assert_eq!(
        readings.iter().map(told).collect::<Vec<_>>(),
        [
            vec![],
            vec![
                format!(
                    "entitlement.defined object=rbac_binding/~# {by} scope=production {ticket} {{+role/edit# -}} AT"
                ),
                format!("grant.added subject=user/~# object=rbac_binding/~# {by} {ticket} AT"),
                format!("entitlement.changed object=group_member/~# {by} {ticket} {{+rbac_binding/~# -}} AT"),
                format!(
                    "grant.added subject=service_account/~##<service_account> object=rbac_binding/~# {by} {ticket} AT"
                ),
            ],
            vec![
                "credential.created subject=service_account/~##<service_account> \
                 object=token/3d6c348d-a771-49dd-9eb7-655167f26501<token> \
                 actor=service_account/~###<service_account> via=token/2d6c348d-a771-49dd-9eb7-655167f26501<token> \
                 @2026-03-01T09:31:00Z+10200000ns~microsecond"
                    .to_owned()
            ],
        ]
    );
    let actor = format!("account:kubernetes:default:{}", readings[1].facts[0].actor.as_ref().unwrap().id);
    assert_eq!(
        values(&readings[1], &actor),
        ["ip_address=198.51.100.7", "login=omar.haddad@tallyhall.example", "user_agent=kubectl/v1.34.1"]
    );
    assert_eq!(readings[1].facts[0].correlation.as_ref().unwrap().request, ID);
    let events = serde_json::from_str::<Value>(EVENTS).unwrap()["items"].take();
    for form in [events.to_string(), json!({"kind": "EventList", "items": events}).to_string()] {
        let again: Vec<Reading> = read_all("kubernetes", &form).into_iter().map(Result::unwrap).collect();
        assert_eq!(again, readings);
    }
}

/// Trap 9: a request has one id in the events of all its stages, and only the last one counts.
#[test]
fn trap_9_a_request_at_every_stage() {
    let ended = event("delete", "/serviceaccounts ci deployer", Value::Null, Value::Null);
    let at = |stage: Value| read("kubernetes", &with(ended.clone(), "stage", stage).to_string());
    let reading = at(json!("ResponseComplete"));
    assert_eq!((reading.facts.len(), reading.event_id), (1, EventId::Native(ID.to_owned())));
    for (stage, code) in [("RequestReceived", "RECEIVED"), ("ResponseStarted", "STARTED"), ("Panic", "PANIC")] {
        let reading = at(json!(stage));
        assert_eq!((reading.mapping, reading.facts.len()), (Mapping::NoFacts, 0), "{stage}");
        assert_eq!(reading.event_id, EventId::Native(format!("{code}:{ID}")));
    }
    for (stage, mapping) in [(Value::Null, Mapping::Incomplete), (json!("Jane Roe"), Mapping::NoFacts)] {
        let reading = at(stage);
        assert_eq!((reading.mapping, reading.facts.len()), (mapping, 0));
        assert_eq!(reading.event_id, EventId::Native(format!("UNKNOWN:{ID}")));
    }
    let anonymous = read("kubernetes", &with(ended, "auditID", Value::Null).to_string());
    assert_eq!(anonymous.event_id, EventId::Content);
}

#[test]
fn trap_7_what_failed_or_was_only_tried_changes_nothing() {
    let plain = || event("delete", "/serviceaccounts ci deployer", Value::Null, Value::Null);
    let subject = "subject=service_account/~##<service_account> BY";
    let ended =
        |status: Value| told(&read("kubernetes", &with(plain(), "responseStatus", status).to_string())).remove(0);
    assert_eq!(ended(json!({"code": 200})), format!("account.deleted {subject} AT"));
    for (code, outcome) in
        [(401, "denied"), (403, "denied"), (404, "failure"), (409, "failure"), (500, "failure"), (101, "failure")]
    {
        assert_eq!(ended(json!({"code": code})), format!("account.deleted ({outcome}) {subject} AT"));
    }
    let named = json!({"code": 409, "reason": "AlreadyExists"});
    assert_eq!(ended(named), format!("account.deleted (failure) {subject} reason=AlreadyExists AT"));
    let strange = json!({"code": 409, "reason": "jane roe"});
    assert_eq!(ended(strange), format!("account.deleted (failure) {subject} AT"));
    // Nobody says how it ended.
    for status in [Value::Null, json!({}), json!({"code": "soon"})] {
        assert_eq!(ended(status), format!("account.deleted (pending) [derived] {subject} AT"));
    }
    // The API server was told to keep nothing of it.
    let tried = format!("account.deleted (pending) [derived] {subject} AT");
    let uri = "/api/v1/namespaces/ci/serviceaccounts/deployer?fieldManager=x&dryRun=All";
    assert_eq!(
        told(&read("kubernetes", &with(plain(), "requestURI", json!(uri)).to_string())),
        std::slice::from_ref(&tried)
    );
    let options = json!({"kind": "DeleteOptions", "dryRun": ["All"]});
    assert_eq!(told(&read("kubernetes", &with(plain(), "requestObject", options).to_string())), [tried]);
}

/// Whoever acts as somebody else is who did it.
#[test]
fn impersonation() {
    let impersonated = json!({"username": "system:serviceaccount:ci:deployer", "groups": ["system:masters"]});
    let by =
        |event: Value| told(&read("kubernetes", &with(event, "impersonatedUser", impersonated.clone()).to_string()));
    let as_deployer = "session.assumed subject=service_account/~##<service_account> BY AT";
    let deleted = rbac("delete", "clusterroles - edit", Value::Null, Value::Null);
    assert_eq!(by(deleted), ["entitlement.removed object=role/edit# BY AT", as_deployer]);
    // Also where nothing was changed.
    assert_eq!(by(event("list", "/secrets ci -", Value::Null, Value::Null)), [as_deployer]);
    assert_eq!(by(event("create", "iam.example.com/things ci x", Value::Null, Value::Null)), [as_deployer]);
    let forbidden =
        with(event("list", "/secrets ci -", Value::Null, Value::Null), "responseStatus", json!({"code": 403}));
    assert_eq!(by(forbidden), [as_deployer.replace("assumed", "assumed (denied)")]);
}

#[test]
fn what_is_not_known_is_kept_as_unmapped() {
    for (verb, about, mapping, native_type) in [
        (
            "get",
            "rbac.authorization.k8s.io/clusterroles - edit",
            Mapping::NoFacts,
            "rbac.authorization.k8s.io/clusterroles:get",
        ),
        ("create", "/pods ci x", Mapping::NoFacts, "pods:create"),
        ("create", "/pods/exec ci x", Mapping::NoFacts, "pods/exec:create"),
        ("create", "apps/deployments ci x", Mapping::NoFacts, "apps/deployments:create"),
        (
            "create",
            "authorization.k8s.io/subjectaccessreviews - -",
            Mapping::NoFacts,
            "authorization.k8s.io/subjectaccessreviews:create",
        ),
        ("update", "coordination.k8s.io/leases kube-system x", Mapping::NoFacts, "coordination.k8s.io/leases:update"),
        ("delete", "/namespaces - ci", Mapping::Unmapped, "namespaces:delete"),
        (
            "deletecollection",
            "rbac.authorization.k8s.io/rolebindings ci -",
            Mapping::Unmapped,
            "rbac.authorization.k8s.io/rolebindings:deletecollection",
        ),
        (
            "create",
            "admissionregistration.k8s.io/validatingwebhookconfigurations - x",
            Mapping::Unmapped,
            "admissionregistration.k8s.io/validatingwebhookconfigurations:create",
        ),
        ("create", "example.com/janeroes ci x", Mapping::Unmapped, ""),
        ("get", "/- - -", Mapping::NoFacts, ""),
        (
            "create",
            "rbac.authorization.k8s.io/roles ci -",
            Mapping::Incomplete,
            "rbac.authorization.k8s.io/roles:create",
        ),
    ] {
        let reading = read("kubernetes", &event(verb, about, Value::Null, Value::Null).to_string());
        assert_eq!((reading.mapping, reading.native_type.as_str()), (mapping, native_type), "{verb} {about}");
        assert!(reading.facts.is_empty() && reading.values.is_empty());
    }
}

#[test]
fn times_and_strangers() {
    let plain = event("delete", "/serviceaccounts ci deployer", Value::Null, Value::Null);
    let reason = |value: Value| reject("kubernetes", &with(plain.clone(), "stageTimestamp", value).to_string()).reason;
    assert_eq!(reason(Value::Null), RejectReason::TimeMissing);
    assert_eq!(reason(json!("...")), RejectReason::TimeInvalid);
    assert_eq!(reason(json!(1_772_357_400)), RejectReason::TimeInvalid);
    assert_eq!(reason(json!("2026-03-01 09:30:00.1")), RejectReason::TimeWithoutZone);
    for strange in
        [r#"{"kind":"Pod","apiVersion":"v1"}"#, r#"{"kind":"Event","apiVersion":"v1","involvedObject":{}}"#, "7", "{}"]
    {
        assert_eq!(reject("kubernetes", strange).reason, RejectReason::NotAnEvent, "{strange}");
    }
    assert!(read_all("kubernetes", r#"{"kind":"EventList","items":[]}"#).is_empty());
}

#[test]
fn trap_20_hostile_text_stays_beside_the_record() {
    let hostile = "x\u{1b}[31m=cmd|' /C calc'!A0\r\n,";
    let binding = json!({
        "metadata": {"name": hostile, "annotations": {"a": hostile}},
        "roleRef": {"kind": "Role", "name": hostile},
        "subjects": [{"kind": "User", "name": hostile}, {"kind": "Group", "name": hostile}, {"kind": "ServiceAccount", "name": hostile, "namespace": hostile}],
    });
    for about in ["rolebindings", "roles"] {
        let mut event = rbac("create", &format!("{about} a b"), binding.clone(), Value::Null);
        event["auditID"] = json!(hostile);
        event["user"] = json!({"username": hostile, "uid": hostile, "extra": {"authentication.kubernetes.io/credential-id": [hostile]}});
        for key in ["name", "namespace"] {
            event["objectRef"][key] = json!(hostile);
        }
        let reading = read("kubernetes", &event.to_string());
        assert!(!reading.facts.is_empty());
        assert!(!format!("{:?}", reading.facts).contains("calc"), "{:?}", reading.facts);
        assert!(!format!("{:?}", reading.event_id).contains("calc"));
    }
}

/// Names of people, of service accounts, of bindings and of namespaces are beside the record alone; roles are names of
/// access.
#[test]
fn no_name_is_in_a_fact() {
    let binding = json!({
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "name": "yuki"}, {"kind": "Group", "name": "friends-of-yuki"}, {"kind": "ServiceAccount", "name": "yuki-bot", "namespace": "yuki-dev"}],
    });
    let event = with(
        rbac("create", "rolebindings yuki-dev yuki-edits", binding, Value::Null),
        "user",
        json!({"username": "yuki@tallyhall.example"}),
    );
    let reading = read("kubernetes", &event.to_string());
    assert!(!format!("{:?}", reading.facts).contains("yuki"), "{:?}", reading.facts);
    assert_eq!(reading.facts.len(), 4);
}
