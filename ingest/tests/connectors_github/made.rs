//! Events of GitHub's audit log as the tests make them, and what becomes of each.

use counterfoil_ingest::connectors::{EventId, Reading};
use counterfoil_proto::v1::Mapping;
use serde_json::{Value, json};

use crate::support::{lines, read, shortened};

/// An action of the user `omar-h` in a browser, in the organization 9001, with these further keys.
pub fn event(action: &str, further: Value) -> Value {
    let mut event = json!({
        "@timestamp": 1_772_357_400_000_u64, "_document_id": "q1w2E3r4T5", "action": action, "actor": "omar-h",
        "actor_id": 50_000_002, "actor_is_bot": false, "created_at": 1_772_357_400_000_u64, "org": "tallyhall-eng",
        "org_id": 9001,
    });
    for (key, value) in further.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

/// The keys of the user that most actions are about.
pub fn about_yuki(mut further: Value) -> Value {
    further["user"] = json!("yuki-m");
    further["user_id"] = json!(50_000_001);
    further
}

/// The keys of a repository.
pub fn in_ledger(mut further: Value) -> Value {
    further["repo"] = json!("tallyhall-eng/ledger");
    further["repo_id"] = json!(123_456);
    further
}

/// How the actor of `event` is shown, and its moment.
pub const BY: &str = "actor=50000002#<human>";
pub const AT: &str = "@2026-03-01T09:30:00Z+0ms";

pub fn told(reading: &Reading) -> Vec<String> {
    lines(reading).iter().map(|line| shortened(line).replace(BY, "BY").replace(AT, "AT")).collect()
}

/// Checks the facts of an action.
pub fn check(action: &str, further: Value, expected: &[&str]) -> Reading {
    let reading = read("github", &event(action, further).to_string());
    assert_eq!(told(&reading), expected, "{action}");
    assert_eq!((reading.native_type.as_str(), reading.mapping), (action, Mapping::Mapped));
    assert_eq!(reading.event_id, EventId::Native("q1w2E3r4T5".to_owned()));
    reading
}
