//! What people are told besides the rows: what a list was limited to, what nothing is known of, where a name fits instead.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{company_ledger, import};
use counterfoil_proto::v1::{GetHistoryResponse, ListHoldersResponse};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{group, joined, left, login, user_id};
use counterfoil_tests::program::{LedgerFolder, Run};
use serde_json::json;

const FROM: &str = "2026-04-01T00:00:00Z";
const AT: &str = "2026-05-01T00:00:00Z";

#[track_caller]
fn assert_says(run: &Run, words: &[&str]) {
    for words in words {
        assert!(run.text().contains(words) || run.stderr.contains(words), "{words:?}: {}{}", run.text(), run.stderr);
    }
}

/// One person who joins a group and leaves it again, twice.
fn coming_and_going() -> LedgerFolder {
    let ledger = LedgerFolder::init();
    let events = [
        joined(1, "2026-03-01T09:00:00Z", 1, 1),
        left(2, "2026-03-02T09:00:00Z", 1, 1),
        joined(3, "2026-04-03T09:00:00Z", 1, 1),
        left(4, "2026-04-04T09:00:00Z", 1, 1),
    ];
    import(&ledger, &ledger.file("a.jsonl", lines(&events)));
    ledger
}

#[test]
fn a_list_says_what_it_was_limited_to() {
    let ledger = coming_and_going();
    let who = login(1);
    for question in [&["explain", "--all"][..], &["explain", "--unapproved"], &["history", &who]] {
        for (limits, words) in [
            (&["--from", FROM, "--at", AT][..], format!("from {FROM} up to {AT}, known by ")),
            (&["--from", FROM], format!("from {FROM} on, known by ")),
            (&["--at", AT], format!("up to {AT}, known by ")),
        ] {
            let run = ledger.run(&[question, limits].concat()).ended(0);
            assert!(run.text().lines().any(|line| line.starts_with(&words)), "{question:?} {words}: {}", run.text());
        }
    }
    let counted = ledger.run(&["explain", "--unapproved", "--from", FROM]).ended(0);
    assert_says(&counted, &["1 change that gave access is not covered: 1 none recorded"]);
    let counted = ledger.run(&["explain", "--all", "--from", FROM]).ended(0);
    assert_says(&counted, &["1 change gave access: 1 none recorded"]);
    let counted = ledger.run(&["explain", "--unapproved"]).ended(0);
    assert_says(&counted, &["2 changes that gave access are not covered"]);
    let nothing = ledger.run(&["history", &who, "--from", "2026-06-01Z"]).ended(0);
    assert_says(&nothing, &["No fact in this period."]);
}

#[test]
fn a_history_that_is_cut_says_so() {
    let (ledger, company) = company_ledger();
    let who = company.truth.story.identity_login.as_str();
    let all: GetHistoryResponse = ledger.run(&["history", who, "--system", "okta", "--output", "json"]).json();
    let limited = |limit: &str, form: &str| {
        ledger.run(&["history", who, "--system", "okta", "--limit", limit, "--output", form]).ended(0)
    };
    let count = all.entries.len().to_string();
    for form in ["table", "csv", "jsonl"] {
        assert_says(&limited("2", form), &["the first 2; there are more"]);
        let whole = limited(&count, form);
        assert!(!whole.text().contains("there are more") && !whole.stderr.contains("there are more"), "{form}");
    }
    assert!(!limited("2", "json").json::<GetHistoryResponse>().next_page_token.is_empty());
}

#[test]
fn whom_a_list_took_is_told_in_every_form() {
    let ledger = coming_and_going();
    let id = format!("account:okta:default:{}", user_id(1));
    for form in ["table", "json", "jsonl", "csv"] {
        let run = ledger.run(&["explain", "--all", "--for", "Person 1", "--output", form]).ended(0);
        let told = if form == "table" { run.text() } else { &run.stderr };
        assert!(told.contains(&format!("only for Person 1 ({id})")), "{form}: {told}");
    }
}

#[test]
fn what_nothing_is_known_of_is_told_from_what_nobody_held() {
    let ledger = coming_and_going();
    let group = format!("entitlement:okta:default:group_member/{}", group(1)["id"].as_str().unwrap());
    let holders = |at: &str| ledger.run(&["holders", &group, "--at", at]).ended(0);
    assert_says(&holders("2026-02-01Z"), &["Nothing was known of it by then."]);
    assert_says(&holders("2026-03-01T10:00:00Z"), &["1 grant\n", "Person 1"]);
    assert_says(&holders("2026-03-03Z"), &["Nobody held it."]);
    assert!(!holders("2026-02-01Z").text().contains("Nobody"));
    let stranger = "account:okta:default:nobody";
    let member = format!("account:okta:default:{}", user_id(1));
    for question in
        [&["state"][..], &["history"], &["diff", "--from", FROM], &["holders"], &["explain", "--all", "--for"]]
    {
        let run = ledger.run(&[question, &[stranger]].concat()).ended(3);
        assert_says(&run, &[&format!("the ledger holds nothing of {stranger}")]);
        assert!(run.stdout.is_empty(), "{}", run.text());
    }
    // What happened or was recorded later only is known, and not by then.
    for question in [&["state", &member][..], &["history", &member], &["holders", &group]] {
        let run = ledger.run(&[question, &["--known-at", "2020-01-01Z"]].concat()).ended(0);
        assert_says(&run, &["Nothing was known of it by then."]);
    }
    assert_says(
        &ledger.run(&["state", &member, "--at", "2026-02-01Z"]).ended(0),
        &["Nothing was known of it by then."],
    );
}

#[test]
fn a_name_that_fits_another_system_is_said_to() {
    let (ledger, company) = company_ledger();
    let who = company.truth.story.identity_login.as_str();
    let by_name = |system: &str| ledger.run(&["state", who, "--system", system]);
    assert_eq!(by_name("OKTA").ended(0).text().lines().next(), by_name("okta").ended(0).text().lines().next());
    let unknown = by_name("entra").ended(3);
    assert_says(&unknown, &["no source has the system \"entra\": there are freshservice, okta"]);
    let story = &company.truth.story;
    let elsewhere = ledger.run(&["history", &story.explained_ticket, "--system", "okta"]).ended(3);
    assert_says(&elsewhere, &["nothing in \"okta\" is called", "; 1 entity of freshservice is"]);
    let nobody = ledger.run(&["state", "Nobody Known", "--system", "okta"]).ended(3);
    assert_says(&nobody, &["nothing in the ledger is called \"Nobody Known\""]);
}

#[test]
fn a_verdict_that_a_list_never_has_is_refused() {
    let ledger = coming_and_going();
    for verdict in ["approved", "approved-recorded-late"] {
        let refused = ledger.run(&["explain", "--unapproved", "--verdict", verdict]).ended(2);
        assert_says(&refused, &[&format!("--unapproved never lists what is {verdict}"), "--all"]);
        ledger.run(&["explain", "--all", "--verdict", verdict]).ended(0);
    }
    ledger.run(&["explain", "--unapproved", "--verdict", "approved-late"]).ended(0);
}

#[test]
fn what_had_lapsed_comes_last_and_is_counted_apart() {
    let ledger = LedgerFolder::init();
    let granted = |number: u32, expires: &str| {
        json!({
            "id": format!("grant-{number}"), "source": {"system": "ci", "instance": "prod", "stream": "deploy"},
            "type": "deploy.grant",
            "facts": [{
                "kind": "grant.added", "occurred_at": "2026-03-01T09:30:00Z",
                "actor": {"id": "u1", "login": "jane@example.com"},
                "subject": {"id": format!("svc-{number}"), "login": format!("deployer-{number}"), "type": "service_account"},
                "object": {"id": "role/deployer", "name": "Deployer"}, "expires_at": expires,
            }],
        })
    };
    let file =
        ledger.file("facts.jsonl", lines(&[granted(1, "2026-04-01T00:00:00Z"), granted(2, "2026-06-01T00:00:00Z")]));
    ledger.import("fact", &file, &[]).ended(0);
    let table = |at: &str| ledger.run(&["holders", "Deployer", "--at", at]).ended(0);
    assert_says(&table("2026-03-02Z"), &["2 grants\n"]);
    assert_says(&table("2026-05-01Z"), &["1 grant, and 1 that had lapsed"]);
    assert_says(&table("2026-07-01Z"), &["Nobody held it; 2 grants had lapsed"]);
    let answer: ListHoldersResponse =
        ledger.run(&["holders", "Deployer", "--at", "2026-05-01Z", "--output", "json"]).json();
    assert_eq!(answer.holders.iter().map(|holder| holder.lapsed).collect::<Vec<_>>(), [false, true]);
    let state = |at: &str| ledger.run(&["state", "deployer-1", "--at", at]).ended(0).text().to_owned();
    let what = |text: String| text.lines().find(|line| line.contains("Deployer")).unwrap().trim().to_owned();
    assert!(what(state("2026-03-02Z")).starts_with("holds "));
    assert!(what(state("2026-05-01Z")).starts_with("lapsed "));
}
