//! The benchmarks' events: the size and rate they promise, and no removal without a grant.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_scenario::{okta_events, okta_events_among, okta_history};
use jiff::Timestamp;
use serde_json::Value;

/// Plays the events; how often each group or app was given, and how many are held at the end.
fn check(events: &[Value]) -> BTreeMap<String, usize> {
    let mut held = BTreeSet::new();
    let mut given = BTreeMap::new();
    let mut uuids = BTreeSet::new();
    let mut last = Timestamp::MIN;
    for event in events {
        assert!(uuids.insert(event["uuid"].as_str().unwrap()), "the uuid {} is not unique", event["uuid"]);
        let at: Timestamp = event["published"].as_str().unwrap().parse().unwrap();
        assert!(last <= at, "time runs backwards");
        last = at;
        let kind = event["eventType"].as_str().unwrap();
        if let Some(kind) = kind.strip_suffix(".add").or(kind.strip_suffix(".remove")) {
            let object = if kind == "group.user_membership" { "UserGroup" } else { "AppInstance" };
            let id = |kind: &str| {
                let targets = event["target"].as_array().unwrap();
                targets.iter().find(|target| target["type"] == kind).unwrap()["id"].as_str().unwrap()
            };
            let edge = (id("User"), id(object));
            if event["eventType"].as_str().unwrap().ends_with(".add") {
                assert!(held.insert(edge), "given twice");
                *given.entry(edge.1.to_owned()).or_default() += 1;
            } else {
                assert!(held.remove(&edge), "taken without having been given");
            }
        }
    }
    given
}

fn parsed<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Value> {
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn events_have_the_promised_size_and_rate() {
    let lines: Vec<_> = okta_events(1).take(60_000).collect();
    let mean = lines.iter().map(Vec::len).sum::<usize>() as f64 / lines.len() as f64;
    assert!((503.5..556.5).contains(&mean), "mean of {mean} bytes");
    let events = parsed(lines.iter().map(Vec::as_slice));
    let objects = check(&events);
    assert_eq!(objects.len(), 220);
    let users: BTreeSet<_> = (events.iter())
        .filter(|event| event["eventType"] == "user.session.start")
        .map(|event| event["actor"]["id"].as_str().unwrap())
        .collect();
    assert!((1950..=2000).contains(&users.len()), "{} users", users.len());
    let time = |event: &Value| event["published"].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    let hours = (time(&events[59_999]) - time(&events[0])) as f64 / 3600.0;
    assert!((29.0..31.0).contains(&hours), "60,000 events in {hours} hours");
}

#[test]
fn a_seed_is_one_stream() {
    let take = |seed| okta_events(seed).take(500).collect::<Vec<_>>();
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
}

#[test]
fn a_stream_is_among_as_many_users_as_it_is_told() {
    let lines: Vec<_> = okta_events_among(1, 50).take(10_000).collect();
    let events = parsed(lines.iter().map(Vec::as_slice));
    check(&events);
    let signed_in = events.iter().filter(|event| event["eventType"] == "user.session.start");
    let users: BTreeSet<_> = signed_in.map(|event| event["actor"]["id"].as_str().unwrap()).collect();
    assert_eq!(users.len(), 50);
}

#[test]
fn a_history_is_of_one_identity() {
    let bytes = okta_history(5, "zoe.li@tallyhall.example", 10_000);
    assert_eq!(bytes, okta_history(5, "zoe.li@tallyhall.example", 10_000));
    let events = parsed(bytes.split_inclusive(|byte| *byte == b'\n'));
    assert_eq!(events.len(), 10_000);
    assert_eq!(check(&events).len(), 40);
    assert_eq!(events[0]["eventType"], "user.lifecycle.create");
    assert_eq!(events[1]["eventType"], "user.lifecycle.activate");
    for event in &events {
        let targets = event["target"].as_array().unwrap();
        let user = targets.iter().find(|target| target["type"] == "User").unwrap();
        assert_eq!(user["alternateId"], "zoe.li@tallyhall.example");
    }
}
