//! What looks like a login stands in no record, whatever field it comes in; ids as machines make them stay readable.

#![allow(clippy::unwrap_used)] // A test stops where it fails.

#[path = "fixtures/support.rs"]
mod support;

use proptest::prelude::*;
use support::{read, values};

const NAMES: [&str; 12] =
    ["jane", "doe", "kim", "yuki", "moreau", "samuel", "adeyemi", "grace", "Okafor", "Diego", "lee", "ann"];

/// A login as organisations make them up: names, perhaps cut to a letter, with something between and a number behind.
fn login() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(&NAMES[..]);
    let between = proptest::sample::select(&["", ".", "-", "_"][..]);
    (name.clone(), between, name, 0..4_u8, any::<bool>()).prop_map(|(first, between, last, number, cut)| {
        let first = if cut { &first[..1] } else { first };
        let number = ["", "2", "07", "1985"][usize::from(number)];
        format!("{first}{between}{last}{number}")
    })
}

fn machine_made() -> impl Strategy<Value = String> {
    prop_oneof![
        "[1-9][0-9]{0,15}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "okta\\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "00[ugT][0-9A-Za-z]{8}[0-9][0-9A-Za-z]{7}",
        "0oa[0-9A-Za-z]{16}d7",
        "(evt|svc|req|grant|ticket)-[0-9]{1,8}",
        "svc-[a-z]{3,8}-[a-z]{3,8}",
        "[A-Z]{2,6}(_[A-Z]{2,6}){0,2}",
    ]
}

fn document(text: &str) -> String {
    format!(
        r#"{{"id":"{text}","type":"{text}","source":{{"system":"ci","instance":"prod","stream":"s"}},"facts":[
            {{"kind":"grant.added","occurred_at":"2026-03-01T09:30:00Z","actor":{{"id":"{text}"}},"scope":"{text}",
              "subject":{{"id":"{text}"}},"object":{{"id":"group_member/{text}"}},"reason":"{text}","transaction":"{text}",
              "request":"{text}","via":{{"id":"api_token/{text}"}},"tickets":[{{"id":"ticket/{text}"}}]}},
            {{"kind":"account.updated","occurred_at":"2026-03-01T09:30:00Z","subject":{{"id":"{text}"}},
              "department":"{text}","changed":{{"{text}":"x"}}}}]}}"#
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_login_is_in_no_fact_and_still_found(login in login()) {
        let reading = read("fact", &document(&login));
        let record = format!("{:?} {:?} {:?}", reading.facts, reading.event_id, reading.native_type);
        prop_assert!(!record.contains(&login), "{login} is in {record}");
        // It lies beside, with the account that it is the login of.
        let account = format!("account:ci:prod:{}", reading.facts[0].subject.as_ref().unwrap().id);
        prop_assert!(values(&reading, &account).contains(&format!("login={login}")), "{account}");
        prop_assert_eq!(reading.facts[0].subject.as_ref().unwrap().tokens.len(), 1);
    }

    #[test]
    fn what_machines_make_stays_as_it_is(id in machine_made()) {
        let reading = read("fact", &document(&id));
        let fact = &reading.facts[0];
        prop_assert_eq!(&fact.subject.as_ref().unwrap().id, &id);
        prop_assert_eq!(&fact.object.as_ref().unwrap().id, &format!("group_member/{id}"));
        let correlation = fact.correlation.as_ref().unwrap();
        prop_assert_eq!((&correlation.transaction, &correlation.request), (&id, &id));
        prop_assert!(fact.subject.as_ref().unwrap().tokens.is_empty());
    }
}
