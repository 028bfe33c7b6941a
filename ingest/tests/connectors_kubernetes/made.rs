//! Events of a cluster's audit log as the tests make them, and what becomes of each.

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::support::{lines, read, shortened};

pub const ID: &str = "5f0e8c3a-1111-4222-8333-444455556601";
const RBAC: &str = "rbac.authorization.k8s.io";

/// A request by `svc-ops` that succeeded: its verb, and "GROUP/RESOURCE/SUBRESOURCE NAMESPACE NAME".
pub fn event(verb: &str, about: &str, request: Value, response: Value) -> Value {
    let mut parts = about.split(' ');
    let (path, namespace, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let mut path = path.split('/');
    let text = |text: &str| if matches!(text, "" | "-") { Value::Null } else { json!(text) };
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": ID,
        "stage": "ResponseComplete", "requestURI": "/apis", "verb": verb, "user": {"username": "svc-ops"},
        "objectRef": {
            "apiGroup": text(path.next().unwrap()), "resource": text(path.next().unwrap()),
            "subresource": path.next().map_or(Value::Null, text), "namespace": text(namespace), "name": text(name),
        },
        "responseStatus": {"code": if verb == "create" { 201 } else { 200 }},
        "requestObject": request, "responseObject": response,
        "stageTimestamp": "2026-03-01T09:30:00.131904Z",
    })
}

/// One about RBAC.
pub fn rbac(verb: &str, about: &str, request: Value, response: Value) -> Value {
    event(verb, &format!("{RBAC}/{about}"), request, response)
}

pub fn with(mut event: Value, key: &str, value: Value) -> Value {
    event[key] = value;
    event
}

/// How the actor of `event` is shown, and its moment.
pub const BY: &str = "actor=user/svc-ops#<service_account>";
pub const AT: &str = "@2026-03-01T09:30:00Z+131904000ns~microsecond";

pub fn told(reading: &Reading) -> Vec<String> {
    lines(reading).iter().map(|line| shortened(line).replace(BY, "BY").replace(AT, "AT")).collect()
}

/// Checks the facts of a request that succeeded; of one that was forbidden, that it still says so and changes nothing.
pub fn check(event: Value, native_type: &str, expected: &[&str]) -> Reading {
    let reading = read("kubernetes", &event.to_string());
    assert_eq!(told(&reading), expected, "{native_type}");
    assert_eq!((reading.native_type.as_str(), reading.mapping), (native_type, Mapping::Mapped));
    assert_eq!(reading.event_id, EventId::Native(ID.to_owned()));

    let forbidden = json!({"code": 403, "status": "Failure", "reason": "Forbidden", "message": "svc-ops may not"});
    let mut denied = with(event, "responseStatus", forbidden);
    denied["responseObject"] = Value::Null;
    for line in told(&read("kubernetes", &denied.to_string())) {
        assert!(line.contains(" (denied) ") && line.contains(" reason=Forbidden "), "{native_type}: {line}");
    }
    reading
}
