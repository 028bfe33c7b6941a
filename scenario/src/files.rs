//! From a finished chronicle to files: in which order they come, how lines are delivered twice or out of place, how they
//! are compressed. Owns the layout of the delivery. Decides nothing about what happened.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use serde_json::Value;

use crate::action::{Action, Deed};
use crate::calendar::day_of;
use crate::case::CaseIndex;
use crate::chronicle::Chronicle;
use crate::cloud::delivery;
use crate::company::{Access, Nature};
use crate::random::Random;
use crate::story::LATE_FILE;
use crate::truth::Counts;
use crate::{Delivery, File, freshservice, okta};

/// Every file in the order of import, and how much is in them.
pub(crate) fn render(chronicle: &Chronicle, order: &[CaseIndex], random: &mut Random) -> (Vec<File>, Counts) {
    let mut counts = Counts {
        people: chronicle.company.people().count(),
        identities: chronicle.company.identities.len(),
        okta_groups: chronicle.company.groups.len(),
        tickets: order.len(),
        okta_events: okta_actions(chronicle).count(),
        okta_late_events: okta_actions(chronicle).filter(|(action, _)| action.late).count(),
        okta_failures: okta_actions(chronicle).filter(|(action, _)| !action.succeeded).count(),
        ..Counts::default()
    };
    let mut files = directory(chronicle);
    files.extend(tickets(chronicle, order, &mut counts));
    files.extend(other_requests(chronicle, order));
    files.extend(delivery::files(chronicle, random, &mut counts));
    files.extend(system_log(chronicle, random, &mut counts));
    (files, counts)
}

/// Who Freshservice knows.
fn directory(chronicle: &Chronicle) -> Vec<File> {
    let (company, start) = (&chronicle.company, chronicle.span.start);
    let answer = |name: &str, value: Value| freshservice_file(name, document(&value));
    let new = freshservice::new_requesters(company, start).into_iter().map(|(_, value)| value.to_string());
    vec![
        answer("agents.json", freshservice::agents(company, start)),
        answer("requesters.json", freshservice::requesters(company, start)),
        answer("groups.json", freshservice::groups(company, start)),
        answer("departments.json", freshservice::departments(company, start)),
        freshservice_file("requesters-new.jsonl", lines(new)),
    ]
}

/// Versions of tickets and of approval rows, by time of update; those after the end are still to come.
fn tickets(chronicle: &Chronicle, order: &[CaseIndex], counts: &mut Counts) -> Vec<File> {
    let mut versions = Vec::new();
    let mut approvals = Vec::new();
    let mut row_id = 21_000_140_000;
    for case in order.iter().map(|case| &chronicle.cases[case.0]) {
        versions.extend(freshservice::ticket_versions(chronicle, case));
        for row in &case.course.approvals {
            row_id += 1;
            approvals.extend(freshservice::approval_versions(&chronicle.company, case, row, row_id));
        }
    }
    counts.approval_rows = (row_id - 21_000_140_000) as usize;
    let by_time = |mut versions: Vec<(Timestamp, Value)>, count: &mut usize| {
        versions.retain(|(at, _)| *at < chronicle.span.end);
        versions.sort_by_key(|(at, _)| *at);
        *count = versions.len();
        lines(versions.into_iter().map(|(_, version)| version.to_string()))
    };
    vec![
        freshservice_file("tickets.jsonl", by_time(versions, &mut counts.ticket_versions)),
        freshservice_file("approvals.jsonl", by_time(approvals, &mut counts.approval_versions)),
    ]
}

fn other_requests(chronicle: &Chronicle, order: &[CaseIndex]) -> Vec<File> {
    let joined_later = |case: &&CaseIndex| {
        let case = &chronicle.cases[case.0];
        let joiner = chronicle.company.of(case.beneficiary);
        let asks_for_account = case.items.contains(&Access::Account);
        joiner.nature == Nature::Person
            && joiner.known_from > Some(chronicle.span.start)
            && asks_for_account
            && case.opened_at < joiner.from
    };
    let onboarding: Vec<_> = order.iter().filter(joined_later).copied().collect();
    let changes = freshservice::changes(chronicle).into_iter().map(|change| change.to_string());
    vec![
        freshservice_file("changes.jsonl", lines(changes)),
        freshservice_file(
            "onboarding_requests.json",
            document(&freshservice::onboarding_requests(chronicle, &onboarding)),
        ),
    ]
}

/// One file a month, the hooks, and what comes late.
fn system_log(chronicle: &Chronicle, random: &mut Random, counts: &mut Counts) -> Vec<File> {
    let mut actions: Vec<_> = okta_actions(chronicle).collect();
    actions.sort_by_key(|(action, _)| action.at);
    let mut months: BTreeMap<(i16, i8), Vec<String>> = BTreeMap::new();
    let mut late = Vec::new();
    for (action, deed) in &actions {
        let event = okta::system_log_event(chronicle, action, deed, random);
        if action.late {
            late.push(event.to_string());
            continue;
        }
        let day = day_of(action.at);
        let month = months.entry((day.year(), day.month())).or_default();
        month.push(event.to_string());
        if random.chance(2) {
            counts.okta_duplicates += 1;
            month.push(in_other_words(&event));
        }
    }
    let mut files = Vec::new();
    for (n, ((year, month), mut events)) in months.into_iter().enumerate() {
        disturb(&mut events, random);
        files.push(month_file(n, &format!("system-log-{year:04}-{month:02}"), events));
    }
    let is_hooked =
        |action: &Action, deed: &Deed| matches!(deed, Deed::JoinGroup(_)) && action.succeeded && !action.late;
    let hooked: Vec<_> = actions.iter().filter(|(action, deed)| is_hooked(action, deed)).step_by(41).take(7).collect();
    counts.hook_events = hooked.len();
    let hooks = hooked.into_iter().map(|(action, deed)| okta::event_hook(action, deed, random).to_string());
    files.push(okta_file("okta/hooks.jsonl", Delivery::OnTime, lines(hooks)));
    files.push(okta_file(LATE_FILE, Delivery::Late, lines(late.into_iter())));
    files
}

/// What Okta's log tells.
fn okta_actions(chronicle: &Chronicle) -> impl Iterator<Item = (&Action, &Deed)> {
    chronicle.actions.iter().filter_map(|action| Some((action, action.okta()?)))
}

/// The same event with other whitespace: a second delivery through another pipe.
fn in_other_words(event: &Value) -> String {
    // Line feeds inside of strings are escaped, so these are between tokens.
    format!("{event:#}").replace('\n', " ")
}

/// Moves second deliveries apart from the first, and swaps some neighbours.
fn disturb(events: &mut [String], random: &mut Random) {
    for n in 1..events.len() {
        if random.chance(3) {
            events.swap(n - 1, n);
        }
    }
}

/// The second month is gzip, the third zstd, the fourth one JSON array; the others are plain JSON lines.
fn month_file(n: usize, name: &str, events: Vec<String>) -> File {
    const MEMORY: &str = "writing to memory does not fail";
    let (extension, bytes) = match n {
        1 => {
            let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
            encoder.write_all(&lines(events.into_iter())).expect(MEMORY);
            ("jsonl.gz", encoder.finish().expect(MEMORY))
        }
        2 => ("jsonl.zst", zstd::encode_all(lines(events.into_iter()).as_slice(), 3).expect(MEMORY)),
        3 => ("json", format!("[\n{}\n]\n", events.join(",\n")).into_bytes()),
        _ => ("jsonl", lines(events.into_iter())),
    };
    okta_file(&format!("okta/{name}.{extension}"), Delivery::OnTime, bytes)
}

fn freshservice_file(name: &str, bytes: Vec<u8>) -> File {
    File { name: format!("freshservice/{name}"), connector: "freshservice", delivery: Delivery::OnTime, bytes }
}

fn okta_file(name: &str, delivery: Delivery, bytes: Vec<u8>) -> File {
    File { name: name.to_owned(), connector: "okta", delivery, bytes }
}

fn document(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn lines(lines: impl Iterator<Item = String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}
