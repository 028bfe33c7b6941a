//! Events of CloudTrail as the tests make them, and what becomes of each.

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::support::{lines, read, shortened};

/// An event by the user `svc-sync`, with this request and response.
pub fn event(source: &str, name: &str, request: Value, response: Value) -> Value {
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

pub fn with(mut event: Value, key: &str, value: Value) -> Value {
    event[key] = value;
    event
}

/// How the actor of `event` is shown, and its moment.
pub const BY: &str = "actor=user/svc-sync###<service_account> via=access_key/LONGTERMKEY1<api_key>";
pub const AT: &str = "@2026-03-01T09:30:00Z";

pub fn told(reading: &Reading) -> Vec<String> {
    lines(reading).iter().map(|line| shortened(line).replace(BY, "BY").replace(AT, "AT")).collect()
}

/// Checks the facts of an event that succeeded; of one that was denied, that it still says so and changes nothing.
pub fn check(source: &str, name: &str, request: Value, response: Value, expected: &[&str]) -> Reading {
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
