//! The files are what the sources would send: the same for the same seed, well-formed, untidy in the promised ways.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::reader::{named, plain, read, text, time, values};
use counterfoil_scenario::{Company, Delivery, Options, generate};
use serde_json::Value;

fn small(seed: u64) -> Company {
    generate(&Options { seed, people: 24, months: 4, ..Options::default() })
}

/// A checksum of the plain text of every file and of the ground truth.
fn checksum(company: &Company) -> u32 {
    let mut crc = flate2::Crc::new();
    for file in company.files.iter().chain(company.listings.iter().flat_map(|listings| &listings.files)) {
        crc.update(file.name.as_bytes());
        crc.update(plain(file).as_bytes());
    }
    crc.update(&company.truth.to_json().unwrap());
    crc.sum()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (once, again) = (small(7), small(7));
    assert_eq!(once.files, again.files);
    assert_eq!((once.listings, once.identities), (again.listings, again.identities));
    assert_eq!(once.directory, again.directory);
    assert_eq!(once.truth.to_json().unwrap(), again.truth.to_json().unwrap());
}

/// Written down once: whoever changes the generator on purpose writes it down again.
#[test]
fn the_bytes_are_the_same_on_every_machine() {
    assert_eq!(checksum(&small(7)), 2859528371);
}

#[test]
fn another_seed_gives_other_bytes() {
    let (one, other) = (small(7), small(8));
    for (one, other) in one.files.iter().zip(&other.files) {
        // Groups and departments of the service desk have the same names and numbers in every company.
        let fixed = ["freshservice/groups.json", "freshservice/departments.json"].contains(&&*one.name);
        assert!(fixed || one.bytes != other.bytes, "{}", one.name);
    }
}

#[test]
fn every_line_parses() {
    for file in &small(7).files {
        let values = values(file);
        assert!(!values.is_empty(), "{} is empty", file.name);
        assert!(values.iter().all(Value::is_object), "{}", file.name);
    }
}

#[test]
fn messages_are_the_events_of_the_files_in_their_order() {
    let company = small(7);
    let mut expected = BTreeMap::<_, Vec<Value>>::new();
    for file in &company.files {
        let values = values(file).into_iter().flat_map(|value| match value["Records"].as_array() {
            Some(records) => records.clone(),
            None => vec![value],
        });
        expected.entry(file.connector).or_default().extend(values);
    }
    let messages = company.messages();
    assert_eq!(messages.keys().collect::<Vec<_>>(), ["cloudtrail", "freshservice", "okta"].iter().collect::<Vec<_>>());
    for (connector, messages) in messages {
        assert!(messages.iter().all(|message| !message.contains('\n')), "{connector}: a message is a line");
        let parsed: Vec<Value> = messages.iter().map(|message| serde_json::from_str(message).unwrap()).collect();
        assert_eq!(parsed, expected[connector], "{connector}");
    }
}

#[test]
fn files_come_in_the_order_of_import() {
    let company = small(7);
    let names = company.files.iter().map(|file| &*file.name);
    let (cloudtrail, names): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with("cloudtrail/"));
    assert!(cloudtrail.len() > 10, "a file a week");
    let expected = [
        "freshservice/agents.json",
        "freshservice/requesters.json",
        "freshservice/groups.json",
        "freshservice/departments.json",
        "freshservice/requesters-new.jsonl",
        "freshservice/tickets.jsonl",
        "freshservice/approvals.jsonl",
        "freshservice/changes.jsonl",
        "freshservice/onboarding_requests.json",
        "okta/system-log-2026-01.jsonl",
        "okta/system-log-2026-02.jsonl.gz",
        "okta/system-log-2026-03.jsonl.zst",
        "okta/system-log-2026-04.json",
        "okta/hooks.jsonl",
        "okta/system-log-late.jsonl",
    ];
    assert_eq!(names, expected);
    let late: Vec<_> =
        company.files.iter().filter(|file| file.delivery == Delivery::Late).map(|file| &*file.name).collect();
    assert_eq!(late, [company.truth.story.late_file.as_str()]);
}

#[test]
fn nothing_happens_outside_of_the_span() {
    for seed in 0..8 {
        let company = generate(&Options { seed, people: 24, months: 2, ..Options::default() });
        let span = "2026-01-01T00:00:00Z".parse().unwrap().."2026-03-01T00:00:00Z".parse().unwrap();
        let reading = read(&company, true);
        for (at, event) in reading.events {
            assert!(span.contains(&at), "seed {seed}: {event}");
        }
        for line in named(&company, "freshservice/tickets.jsonl") {
            assert!(span.contains(&time(&line["ticket"]["updated_at"])), "seed {seed}: {line}");
        }
        assert_eq!(company.truth.counts.tickets, reading.tickets.len(), "seed {seed}: a ticket without a version");
    }
}

#[test]
fn the_log_is_untidy_as_promised() {
    let company = generate(&Options::default());
    let (mut lines, mut out_of_order, mut orders) = (0, 0, BTreeMap::<_, BTreeSet<_>>::new());
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    let mut second_deliveries = 0;
    for file in company.files.iter().filter(|file| file.name.starts_with("okta/system-log")) {
        let events = values(file);
        out_of_order +=
            events.windows(2).filter(|pair| time(&pair[0]["published"]) > time(&pair[1]["published"])).count();
        for event in events {
            lines += 1;
            if let Some(targets) = event["target"].as_array() {
                let kinds: Vec<_> = targets.iter().map(|target| text(&target["type"])).collect();
                orders.entry(text(&event["eventType"])).or_default().insert(kinds);
            }
            if let Some(first) = seen.insert(text(&event["uuid"]), event.clone()) {
                second_deliveries += 1;
                assert_eq!(first, event, "a second delivery says something else");
            }
        }
    }
    assert!((lines / 100..lines / 33).contains(&second_deliveries), "{second_deliveries} of {lines} twice");
    assert!((lines / 100..lines / 20).contains(&out_of_order), "{out_of_order} of {lines} out of order");
    assert_eq!(orders["group.user_membership.add"].len(), 2);
    assert_eq!(orders["application.user_membership.add"].len(), 6);
    let first = company.files.iter().find(|file| file.name.starts_with("okta/")).unwrap();
    let in_other_words = plain(first).lines().filter(|line| line.starts_with("{ ")).count();
    assert!(in_other_words > 5, "second deliveries have the whitespace of the first");
}

#[test]
fn hooks_repeat_the_log_without_actor_and_target() {
    let company = small(7);
    let logged: BTreeMap<_, _> =
        read(&company, false).events.into_iter().map(|(_, event)| (text(&event["uuid"]), event)).collect();
    let hooks = named(&company, "okta/hooks.jsonl");
    assert_eq!(hooks.len(), company.truth.counts.hook_events);
    for hook in hooks {
        let event = &hook["data"]["events"][0];
        assert_eq!(hook["eventType"], "com.okta.event_hook");
        assert_eq!((&event["actor"], &event["target"]), (&Value::Null, &Value::Null));
        assert_eq!(event["outcome"]["result"], "Success");
        assert_eq!(event["published"], logged[&text(&event["uuid"])]["published"]);
    }
}

#[test]
fn tickets_and_rows_move_forward_in_time() {
    let company = small(7);
    let mut last = BTreeMap::new();
    let tickets = named(&company, "freshservice/tickets.jsonl").into_iter().map(|line| line["ticket"].clone());
    let rows = named(&company, "freshservice/approvals.jsonl").into_iter().map(|line| line["approvals"][0].clone());
    for version in tickets.chain(rows) {
        let updated_at = time(&version["updated_at"]);
        assert!(updated_at >= time(&version["created_at"]));
        if let Some(before) = last.insert(version["id"].as_u64(), updated_at) {
            assert!(updated_at > before, "{} is updated backwards", version["id"]);
        }
    }
}

#[test]
fn onboarding_names_the_joiner_s_ticket_and_day() {
    let company = small(7);
    let requests = named(&company, "freshservice/onboarding_requests.json").remove(0);
    let requests = requests["onboarding_requests"].as_array().unwrap();
    let joiners = company.truth.counts.people - 24;
    assert_eq!(requests.len(), joiners);
    for request in requests {
        let ticket = format!("SR-{}", request["ticket_id"]);
        let created = (company.truth.changes.iter())
            .find(|change| change.ticket.as_ref() == Some(&ticket) && change.event_type == "user.lifecycle.create")
            .unwrap();
        assert_eq!(request["fields"]["cf_date_of_joining"], created.occurred_at.strftime("%d-%m-%Y").to_string());
    }
}

#[test]
fn a_company_can_be_written_down() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a-company-can-be-written-down");
    let company = small(7);
    company.write_to(&dir).unwrap();
    for file in &company.files {
        assert_eq!(std::fs::read(dir.join(&file.name)).unwrap(), file.bytes);
    }
    assert_eq!(std::fs::read(dir.join("ground-truth.json")).unwrap(), company.truth.to_json().unwrap());
}
