//! Dead letters that are retried: what is mended is put through once, and is then as if it had been read at first.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;

use counterfoil_proto::v1::{
    Appended, AppendedEvent, DeadLetter, FsckReport, GetRecordResponse, ImportResponse, ImportSummary,
    ListChangesResponse, ListDeadLettersResponse, ListSourcesResponse, Provenance, Record, RetriedDeadLetter,
    RetryDeadLettersResponse, record::Body,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::http::curl_with;
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::{joined, response, user_object};
use counterfoil_tests::program::{LedgerFolder, run};
use counterfoil_tests::server::Server;
use serde_json::{Value, json};

const JSON: [&str; 2] = ["--output", "json"];
const UTC: [&str; 2] = ["--assume-zone", "UTC"];
const ZONED: &str = "2026-03-01T09:30:00Z";
const ZONELESS: &str = "2026-03-01T09:30:00";

/// How letters are retried: over the folder, or over a server.
fn retry(ledger: &LedgerFolder, server: Option<&Server>, arguments: &[&str], code: i32) -> Vec<RetriedDeadLetter> {
    let arguments = [&["deadletter", "retry"], arguments, &JSON].concat();
    let ran = match server {
        None => ledger.run(&arguments),
        Some(server) => run(&[&arguments[..], &["--server", &server.url()]].concat()),
    };
    assert_eq!(ran.code, code, "{} {}", ran.text(), ran.stderr);
    let response: RetryDeadLettersResponse = serde_json::from_str(ran.text()).unwrap();
    assert!(response.basis.is_some());
    response.retried
}

fn letters(ledger: &LedgerFolder, further: &[&str]) -> Vec<DeadLetter> {
    let response: ListDeadLettersResponse = ledger.run(&[&["deadletter", "list"], further, &JSON].concat()).json();
    response.dead_letters
}

fn numbers(letters: &[DeadLetter]) -> Vec<u64> {
    letters.iter().map(|letter| letter.record).collect()
}

fn record(ledger: &LedgerFolder, index: u64) -> Record {
    let response: GetRecordResponse = ledger.run(&["record", &index.to_string(), "--output", "json"]).json();
    response.record.unwrap()
}

fn size(ledger: &LedgerFolder) -> u64 {
    let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    sources.basis.unwrap().tree_size
}

fn import(ledger: &LedgerFolder, connector: &str, file: &Path, further: &[&str]) -> ImportSummary {
    let response: ImportResponse = ledger.import(connector, file, &[further, &JSON].concat()).json();
    response.total.unwrap()
}

fn assert_sound(ledger: &LedgerFolder) {
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
}

/// What is the same of an event however it came into whichever ledger: its type, and what its facts are about and when.
fn essence(record: &Record) -> Option<(String, i32, Vec<String>)> {
    let Some(Body::Event(event)) = &record.body else { return None };
    let fact = |fact: &counterfoil_proto::v1::Fact| {
        let id = |reference: &Option<counterfoil_proto::v1::Ref>| reference.clone().unwrap_or_default().id;
        let at = fact.occurred_at.unwrap_or_default().seconds;
        format!("{} {at} {} {} {:?}", fact.kind, id(&fact.subject), id(&fact.object), fact.detail)
    };
    Some((event.native_type.clone(), event.mapping, event.facts.iter().map(fact).collect()))
}

/// Documents of every shape whose times lost their zone, and which hold secrets.
fn zoneless() -> [(&'static str, Value); 6] {
    let event = |number: u32| {
        let mut event = joined(number, ZONELESS, number, 1);
        event["debugContext"]["debugData"]["password"] = json!("hunter2222");
        event["debugContext"]["debugData"]["pin"] = json!(48_151_623);
        event
    };
    let hook = json!({
        "eventType": "com.okta.event_hook", "eventId": "hook-1", "eventTime": ZONED,
        "data": {"events": [joined(21, ZONED, 21, 1), event(22), event(23)]},
    });
    // Without its target it lacks what its facts need, and only the envelope says that it came by a hook.
    let mut half = joined(24, ZONELESS, 24, 1);
    half["target"] = Value::Null;
    let half = json!({"eventType": "com.okta.event_hook", "eventId": "hook-2", "data": {"events": [half]}});
    let ticket = json!({"ticket": {
        "id": 7, "requester_id": 1, "status": 2, "updated_at": "2026-03-01 08:00:00", "api_key": "aBcDeF0123456789",
    }});
    // Only the envelope says which ticket they belong to, and that they are approvals.
    let approval = |id: u32| {
        json!({
            "id": id, "approver_id": 5, "approval_status": 1, "created_at": "2026-03-01 08:00:00",
            "updated_at": "2026-03-01 09:00:00",
        })
    };
    let approvals = json!({"ticket_id": 1042, "approvals": [approval(31), approval(32)]});
    let agents = json!({"agents": [{"id": 3, "first_name": "Ada", "updated_at": "2026-03-01 09:00:00"}]});
    [
        ("okta", event(1)),
        ("okta", hook),
        ("okta", half),
        ("freshservice", ticket),
        ("freshservice", approvals),
        ("freshservice", agents),
    ]
}

#[test]
fn what_is_put_through_is_as_if_it_had_been_read_at_first() {
    for (connector, document) in zoneless() {
        // The model: a ledger whose import said at once what the times are in.
        let model = LedgerFolder::init();
        let file = model.file("a.json", document.to_string());
        let at_first = import(&model, connector, &file, &UTC);
        let mut expected: Vec<_> = (1..size(&model)).map(|index| essence(&record(&model, index))).collect();

        let ledger = LedgerFolder::init();
        let file = ledger.file("a.json", document.to_string());
        let rejected = import(&ledger, connector, &file, &[]).rejected;
        assert!(rejected > 0 && at_first.rejected == 0, "{document}: {at_first:?}");
        let before = size(&ledger);
        let retried = retry(&ledger, None, &[&["--all"][..], &UTC].concat(), 0);
        assert_eq!(retried.len() as u64, rejected, "{document}");
        assert_eq!(size(&ledger), before + rejected, "{document}: each was one event");
        let events = (1..size(&ledger)).map(|index| record(&ledger, index));
        let mut found: Vec<_> = events
            .filter(|record| !matches!(record.body, Some(Body::SourceRejected(_))))
            .map(|r| essence(&r))
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{document}");

        // They are known by their ids and contents, secrets included: the source may deliver them again.
        let again = import(&ledger, connector, &file, &UTC);
        assert_eq!((again.events, again.conflicts, again.rejected), (0, 0, 0), "{document}: {again:?}");
        assert_eq!(again.duplicates, at_first.events, "{document}");
        assert_sound(&ledger);
    }
}

#[test]
fn a_letter_is_put_through_once_and_is_then_not_listed() {
    let ledger = LedgerFolder::init();
    let mut events = lines(&[joined(1, ZONED, 1, 1), joined(2, ZONELESS, 2, 1)]);
    events.extend_from_slice(b"not json\n");
    let file = ledger.file("a.jsonl", events);
    assert_eq!(import(&ledger, "okta", &file, &["--backfill"]).rejected, 2);
    assert_eq!(numbers(&letters(&ledger, &[])), [2, 3]);

    // As it was, it cannot be read still: nothing is appended, and it is said why.
    let still = retry(&ledger, None, &["2"], 1).remove(0);
    assert_eq!((still.record, &still.reason[..], still.events.len()), (2, "time without zone", 0));
    assert!(still.error.contains(ZONELESS) && still.error.contains("dead letter 2"), "{}", still.error);
    assert_eq!((size(&ledger), numbers(&letters(&ledger, &[]))), (4, vec![2, 3]));

    // One goes through, the other does not.
    let retried = retry(&ledger, None, &["--all", "--assume-zone", "UTC"], 1);
    let AppendedEvent { outcome, index, .. } = retried[0].events[0].clone();
    assert_eq!((outcome, index), (Appended::Recorded as i32, 4));
    assert_eq!((retried[1].record, &retried[1].reason[..], retried[1].events.len()), (3, "not json", 0));
    let (letter, event) = (record(&ledger, 2).provenance.unwrap(), record(&ledger, 4).provenance.unwrap());
    let expected = Provenance {
        source: event.source.clone(),
        event_id: event.event_id.clone(),
        assumed_zone: "UTC".to_owned(),
        retry_of: 2,
        ..letter
    };
    assert_eq!(event, expected, "its place, its producer and its delivery are those of the letter");
    let shown = ledger.run(&["record", "4"]).ended(0);
    assert!(shown.text().contains("the dead letter 2"), "{}", shown.text());

    let check = |size_now: u64| {
        assert_eq!(size(&ledger), size_now);
        assert_eq!(numbers(&letters(&ledger, &[])), [3]);
        let all = letters(&ledger, &["--all"]);
        assert_eq!(all.iter().map(|letter| (letter.record, letter.retried_as)).collect::<Vec<_>>(), [(2, 4), (3, 0)]);
        let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
        let source = &sources.sources[0];
        assert_eq!((source.events, source.rejected, source.retried), (2, 2, 1));
        let explained: ListChangesResponse = ledger.run(&["explain", "--all", "--output", "json"]).json();
        assert_eq!((explained.explanations.len(), explained.unread.unwrap().rejected), (2, 1));
    };
    check(5);
    // Again: it is known.
    let again = retry(&ledger, None, &["2", "--assume-zone", "UTC"], 0).remove(0);
    assert_eq!((again.events[0].outcome(), again.events[0].index), (Appended::Duplicate, 4));
    check(5);
    // Which letters were put through is a function of the log.
    std::fs::remove_dir_all(ledger.data().join("views")).unwrap();
    check(5);
    assert_sound(&ledger);
    // The channel stands where it stood: the file is complete, and an import of it is a repetition.
    let again = import(&ledger, "okta", &file, &["--backfill"]);
    assert_eq!((again.events, again.duplicates, again.rejected), (0, 3, 0), "{again:?}");
}

#[test]
fn over_a_server_it_is_the_same() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let post = |path: &str, body: &str| {
        let arguments = ["--header", "Content-Type: application/json", "--data-binary", "@-"];
        curl_with(&[&arguments[..], &[&format!("{}{path}", server.url())]].concat(), body.as_bytes())
    };
    for number in 1..=3 {
        post("/v1/ingest/okta?instance=tenant", &joined(number, ZONELESS, number, 1).to_string()).json(200);
    }
    post("/v1/ingest/okta", "{\"no\"").json(200);

    // By HTTP, by the command line, and all that is left.
    let answer = post("/v1/dead-letters/1/retry", "{}").json(200);
    let retried = &answer["retried"];
    assert_eq!((&retried["record"], &retried["reason"]), (&json!("1"), &json!("time without zone")));
    assert!(retried["error"].as_str().unwrap().contains(ZONELESS), "{answer}");
    let answer = post("/v1/dead-letters/1/retry", r#"{"assumeZone":"UTC","record":"2"}"#).json(200);
    assert_eq!(
        (&answer["retried"]["record"], &answer["retried"]["events"][0]["index"]),
        (&json!("1"), &json!("5")),
        "the path counts: {answer}"
    );
    assert!(answer["checkpoint"].is_string() && answer["basis"]["treeSize"] == "6", "{answer}");
    assert!(post("/v1/dead-letters/1/retry", r#"{"assumeZone":"CET"}"#).error(400).contains("UTC"));
    assert!(post("/v1/dead-letters/1/retry", r#"{"ticketInstance":"a b"}"#).error(400).contains("ticket_instance"));
    assert!(post("/v1/dead-letters/5/retry", "{}").error(404).contains("no rejected event"));
    assert!(post("/v1/dead-letters/99/retry", "{}").error(404).contains("99 of 6"));
    assert!(post("/v1/dead-letters/x/retry", "{}").error(400).contains("record"));

    let retried = retry(&ledger, Some(&server), &["2", "--assume-zone", "UTC"], 0);
    assert_eq!(retried[0].events[0].index, 6);
    let list = || -> ListDeadLettersResponse {
        run(&["deadletter", "list", "--server", &server.url(), "--output", "json"]).json()
    };
    until("the views have them", || list().basis.unwrap().tree_size == 7);
    assert_eq!(numbers(&list().dead_letters), [3, 4]);
    let retried = retry(&ledger, Some(&server), &["--all", "--assume-zone", "UTC"], 1);
    assert_eq!(retried.iter().map(|one| (one.record, one.events.len())).collect::<Vec<_>>(), [(3, 1), (4, 0)]);
    let metrics = curl_with(&[format!("{}/metrics", server.url())], b"");
    let metrics = String::from_utf8(metrics.body).unwrap();
    let recorded = "counterfoil_events_total{connector=\"okta\",outcome=\"recorded\"} 3";
    assert!(metrics.contains(recorded), "{metrics}");
    let wrong = run(&["deadletter", "retry", "4", "--accept-clock", "--server", &server.url()]).ended(2);
    assert!(wrong.stderr.contains("start the server with it"), "{}", wrong.stderr);
    server.stop();
    let provenance = record(&ledger, 7).provenance.unwrap();
    assert_eq!((provenance.source.unwrap().instance, provenance.retry_of), ("tenant".to_owned(), 3));
    assert_sound(&ledger);
}

/// Which tickets an event mentions depends on a tenant that no record names.
#[test]
fn tickets_are_those_of_the_tenant_that_was_named_then() {
    let tenants = ["prod", "other"];
    let of = |published: &str, further: &[&str]| {
        let ledger = LedgerFolder::init();
        let mut event = joined(1, published, 1, 1);
        event["displayMessage"] = json!("Add user to group, SR-1042");
        let file = ledger.file("a.json", event.to_string());
        if import(&ledger, "okta", &file, &["--ticket-instance", "prod"]).rejected > 0 {
            retry(&ledger, None, &[&["1"][..], &UTC, further].concat(), 0);
        }
        let last = size(&ledger) - 1;
        let text = ledger.run(&["record", &last.to_string(), "--output", "json"]).ended(0).text().to_owned();
        tenants.map(|name| text.contains(&format!("\"{name}\"")))
    };
    assert_eq!(of(ZONED, &[]), [true, false], "the model: it mentions the ticket");
    assert_eq!(of(ZONELESS, &[]), [true, false]);
    assert_eq!(of(ZONELESS, &["--ticket-instance", "other"]), [false, true]);
}

#[test]
fn what_cannot_be_retried_says_why_and_stops_no_other() {
    let ledger = LedgerFolder::init();
    // The whole is too large for a document, so that its beginning is kept.
    let file = ledger.file("large.jsonl", [b"{\"a\":\"", &vec![b'x'; 64 << 20][..], b"\"}\n"].concat());
    assert_eq!(import(&ledger, "okta", &file, &[]).rejected, 1);
    // An element of a listing is no event.
    let page = response("users", None, "Mon, 02 Mar 2026 12:00:00 GMT", &json!([user_object(1, "ACTIVE"), 7]));
    ledger.run(&["snapshot", "okta", ledger.file("page", page).to_str().unwrap()]).ended(0);
    let file = ledger.file("a.json", joined(9, ZONELESS, 9, 1).to_string());
    assert_eq!(import(&ledger, "okta", &file, &[]).rejected, 1);
    let open = numbers(&letters(&ledger, &[]));
    assert_eq!(open.len(), 3, "{open:?}");
    let before = size(&ledger);

    let retried = retry(&ledger, None, &["--all", "--assume-zone", "UTC"], 1);
    let told: Vec<(&str, &str)> = retried.iter().map(|one| (&one.reason[..], &one.error[..])).collect();
    assert!(told[0].0 == "cannot be retried" && told[0].1.contains("deliver it again in parts"), "{told:?}");
    assert!(told[1].0 == "cannot be retried" && told[1].1.contains("take the listing again"), "{told:?}");
    assert_eq!((told[2], retried[2].events.len()), (("", ""), 1));
    assert_eq!((size(&ledger), numbers(&letters(&ledger, &[]))), (before + 1, open[..2].to_vec()));

    // What is no dead letter is the caller's mistake: 3, as for every number that nothing fits.
    for index in ["0", "2", "9999"] {
        let refused = ledger.run(&["deadletter", "retry", index]).ended(3);
        assert!(refused.stderr.contains("no rejected event") && refused.text().is_empty(), "{}", refused.stderr);
    }
    for wrong in [&["deadletter", "retry"][..], &["deadletter", "retry", "1", "--all"]] {
        ledger.run(wrong).ended(2);
    }
    let csv = ledger.run(&["deadletter", "retry", &open[0].to_string(), "--output", "csv"]).ended(1);
    assert!(csv.text().starts_with("record,events,reason,error\r\n"), "{}", csv.text());
    assert!(csv.stderr.contains("1 of 1 dead letter not put through"), "{}", csv.stderr);
}
