//! The CSV form: columns that depend on the verb alone, whatever an answer holds.
//!
//! Owns the proof that every field of a row's message has its column, against the descriptors of the messages.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{company_ledger, events, import};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{implied, login, response, user_object, uuid};
use counterfoil_tests::program::{LedgerFolder, Run};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// The columns that each field of each message comes to, with the default of each.
type Fields = BTreeMap<String, Vec<(String, Kind)>>;

enum Kind {
    /// One cell, with what it holds by default.
    Cell(String),
    /// What that message comes to.
    Message(String),
}

fn fields() -> Fields {
    // The numbers of google/protobuf/descriptor.proto.
    const REPEATED: i32 = 3;
    const BOOL: i32 = 8;
    const STRING: i32 = 9;
    const MESSAGE: i32 = 11;
    const BYTES: i32 = 12;
    const ENUM: i32 = 14;
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("proto");
    let protos = ["access", "answer", "ingest_service"].map(|name| format!("counterfoil/v1/{name}.proto"));
    let files = protox::compile(protos, [proto]).unwrap().file;
    let own = files.iter().filter(|file| file.package() == "counterfoil.v1");
    let zeros: BTreeMap<String, String> = own
        .clone()
        .flat_map(|file| &file.enum_type)
        .map(|one| {
            let zero = one.value.iter().find(|value| value.number() == 0).unwrap();
            (format!(".counterfoil.v1.{}", one.name()), zero.name().to_owned())
        })
        .collect();
    let mut fields = Fields::new();
    for message in own.flat_map(|file| &file.message_type) {
        let of = message.field.iter().map(|field| {
            let of = field.type_name();
            let kind = match (field.label.unwrap(), field.r#type.unwrap()) {
                (REPEATED, _) => Kind::Cell("[]".to_owned()),
                (_, MESSAGE) if of.starts_with(".google.") => Kind::Cell(String::new()),
                (_, MESSAGE) => Kind::Message(of.trim_start_matches(".counterfoil.v1.").to_owned()),
                (_, ENUM) => Kind::Cell(zeros[of].clone()),
                (_, BOOL) => Kind::Cell("false".to_owned()),
                (_, STRING | BYTES) => Kind::Cell(String::new()),
                _ => Kind::Cell("0".to_owned()),
            };
            (field.json_name().to_owned(), kind)
        });
        fields.insert(message.name().to_owned(), of.collect());
    }
    fields
}

/// The leaves of a message, each with its default; a message that has a column of its own is one.
fn leaves(fields: &Fields, message: &str, path: &str, header: &[String]) -> Vec<(String, String)> {
    let leaf = |(name, kind): &(String, Kind)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match kind {
            Kind::Message(_) if header.contains(&path) => vec![(path, String::new())],
            // No verb asks for proofs.
            Kind::Message(message) if message == "Proof" => Vec::new(),
            Kind::Message(message) => leaves(fields, message, &path, header),
            Kind::Cell(default) => vec![(path, default.clone())],
        }
    };
    fields[message].iter().flat_map(leaf).collect()
}

fn table(run: &Run) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&run.stdout[..]);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn columns_depend_on_the_verb_and_on_nothing_else() {
    let fields = fields();
    let small = LedgerFolder::init();
    import(&small, &small.file("a.jsonl", lines(&events(1))));
    let (big, company) = company_ledger();
    let story = &company.truth.story;
    let (hero, change) = (story.identity_login.as_str(), story.explained_change_uuid.as_str());
    let entitlement = story.past_entitlement.replacen("okta/", "entitlement:okta:default:", 1);
    let past = story.past_at.to_string();
    let dead = table(&big.run(&["deadletter", "list", "--output", "csv"]).ended(0))[1][0].clone();
    let (nobody, one, first) = ("entitlement:okta:default:group_member/00g1", login(1), uuid(1));
    let empty = small.beside("empty.jsonl");
    std::fs::write(&empty, "").unwrap();
    let (file, empty) = (small.beside("a.jsonl"), empty.to_str().unwrap());
    let members = response(
        "groups/00g00000000000000001/users",
        None,
        "Mon, 02 Mar 2026 12:00:00 GMT",
        &json!([user_object(1, "ACTIVE")]),
    );
    let page = small.file("page", members);
    let snapshot = ["snapshot", "okta", page.to_str().unwrap()];
    small.run(&snapshot).ended(0);
    let early = ["--from", "2020-01-01Z", "--at", "2020-01-02Z"];
    let some_history = [&["history", one.as_str()][..], &early].concat();
    let no_changes = [&["explain", "--all"][..], &early].concat();
    let no_difference = [&["diff", one.as_str()][..], &early].concat();
    small.import("okta", &small.file("b.jsonl", lines(&[implied(90, "2026-03-01T11:00:00Z", 1, 1)])), &[]).ended(0);
    let (implying, can) = (uuid(90), ["identities", "--can", "alter-identities"]);
    let widened = company.truth.widened.iter().find(|one| one.entitlement.starts_with("okta/")).unwrap();
    let widened = widened.event_uuid.as_str();
    let asked = json!({"ticket": {
        "id": 7, "subject": "x", "type": "Request", "status": 2, "requester_id": 1, "requested_for_id": 2,
        "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z",
    }});
    small.import("freshservice", &small.file("ticket.json", asked.to_string()), &[]).ended(0);
    let ticket = "ticket:freshservice:default:ticket/7";
    let grant = ["explain-grant", one.as_str(), "Group 1"];
    let new = ["token", "create", "--name", "siem", "--role", "read"];
    for (message, questions) in [
        (
            "State",
            [&["state", &one][..], &["state", &one, "--at", "2020-01-01Z"], &["state", hero, "--system", "okta"]],
        ),
        ("HistoryEntry", [&["history", &one], &some_history, &["history", &story.explained_ticket]]),
        (
            "Difference",
            [
                &["diff", &one, "--from", "2020-01-01Z"],
                &no_difference,
                &["diff", hero, "--system", "okta", "--from", &past],
            ],
        ),
        (
            "GrantState",
            [
                &["holders", "Group 1"],
                &["holders", "Group 1", "--at", "2020-01-01Z"],
                &["holders", &entitlement, "--at", &past],
            ],
        ),
        (
            "EffectiveHolder",
            [
                &["holders", "Group 1", "--effective"],
                &["holders", "Group 1", "--effective", "--at", "2020-01-01Z"],
                &["holders", &entitlement, "--effective", "--at", &past],
            ],
        ),
        (
            "EffectiveAccess",
            [&["access", &one][..], &["access", &one, "--at", "2020-01-01Z"], &["access", hero, "--system", "okta"]],
        ),
        ("Affected", [&["affected", &implying], &["affected", &implying], &["affected", widened]]),
        (
            "GetBlastRadiusResponse",
            [&["blast", &one][..], &["blast", &one, "--at", "2020-01-01Z"], &["blast", hero, "--system", "okta"]],
        ),
        ("CapableIdentity", [&can, &[&can[..], &["--at", "2020-01-01Z"]].concat(), &can]),
        ("Explanation", [&["explain", &first], &no_changes, &["explain", "--all"]]),
        (
            "Explanation",
            [&["explain", &first], &["explain", "--unapproved", "--at", "2020-01-01Z"], &["explain", change]],
        ),
        (
            "TraceStep",
            [&["trace", ticket], &["trace", ticket, "--at", "2020-01-01Z"], &["trace", &story.explained_ticket]],
        ),
        (
            "GrantExplanation",
            [
                &grant[..],
                &[&grant[..], &["--at", "2020-01-01Z"]].concat(),
                &["explain-grant", hero, &entitlement, "--system", "okta", "--at", &past],
            ],
        ),
        ("ReversalStep", [&["reversal", &first], &["reversal", &first, "--at", "2026-03-02Z"], &["reversal", change]]),
        (
            "IntegrationPath",
            [&["nhi", "paths"][..], &["nhi", "paths", "--at", "2020-01-01Z"], &["nhi", "paths", "--system", "okta"]],
        ),
        (
            "InventoryCount",
            [&["nhi", "report"][..], &["nhi", "report", "--at", "2020-01-01Z"], &["nhi", "report", "--at", &past]],
        ),
        ("SourceSummary", [&["sources"], &["sources"], &["sources"]]),
        ("DeadLetter", [&["deadletter", "list"], &["deadletter", "list"], &["deadletter", "show", &dead]]),
        (
            "RetriedDeadLetter",
            [&["deadletter", "retry", "--all"], &["deadletter", "retry", "--all"], &["deadletter", "retry", &dead]],
        ),
        ("GetRecordResponse", [&["record", "0"], &["record", "1"], &["record", &dead]]),
        ("GetInclusionProofResponse", [&["proof", "0"], &["proof", "1"], &["proof", "7"]]),
        (
            "GetConsistencyProofResponse",
            [&["proof", "--since", "0"], &["proof", "--since", "2"], &["proof", "--since", "7"]],
        ),
        ("FsckReport", [&["fsck"], &["fsck"], &["fsck"]]),
        (
            "ImportSummary",
            [&["import", "okta", file.to_str().unwrap()], &["import", "okta", empty], &["import", "okta", empty]],
        ),
        ("ReconciledItem", [&["reconcile", "okta"], &["reconcile", "okta"], &["reconcile", "okta"]]),
        ("ListingSummary", [&snapshot, &snapshot, &snapshot]),
        ("CreateTokenResponse", [&new, &[&new[..], &["--certificate", "dns:gate.example.com"]].concat(), &new]),
        ("AccessEntry", [&["token", "list"], &["token", "list"], &["token", "list"]]),
        ("Party", [&["state", "nobody"], &["state", nobody], &["state", "a"]]),
    ] {
        let mut header: Option<Vec<String>> = None;
        for (question, ledger) in questions.into_iter().zip([&small, &small, &big]) {
            let run = ledger.run(&[question, &["--output", "csv"]].concat());
            if message == "Party" && run.code != 4 {
                continue;
            }
            let is_left = question.contains(&"retry") && run.code == 1;
            assert!(run.code == 0 || run.code == 4 || is_left, "{question:?}: {}", run.stderr);
            let text = run.text();
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{question:?}: {text}");
            let mut rows = table(&run);
            let names = rows.remove(0);
            assert_eq!(*header.get_or_insert_with(|| names.clone()), names, "{question:?}");
            let leaves = leaves(&fields, message, "", &names);
            let mut expected: Vec<&String> = leaves.iter().map(|(name, _)| name).collect();
            let mut found: Vec<&String> = names.iter().collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{message}: every field has its column");
            // What lies in a message that is there is written out, even where it is the default.
            for (name, default) in leaves.iter().filter(|(name, default)| !name.contains('.') && !default.is_empty()) {
                let column = names.iter().position(|column| column == name).unwrap();
                assert!(rows.iter().all(|row| !row[column].is_empty()), "{question:?}: {name} is {default} at least");
            }
        }
        assert!(header.is_some(), "{message} was asked for");
    }
}

#[test]
fn a_default_is_written_out_and_what_is_not_there_is_empty() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(1))));
    let rows = table(&ledger.run(&["holders", "Group 1", "--output", "csv"]).ended(0));
    let cell = |name: &str| rows[1][rows[0].iter().position(|column| column == name).unwrap()].as_str();
    assert_eq!(cell("lapsed"), "false");
    assert_eq!(cell("evidence.fact"), "0");
    assert_eq!(cell("evidence.record"), "1");
    assert_eq!(cell("inheritedVia.identityType"), "", "there is no such party");
    let rows = table(&ledger.run(&["sources", "--output", "csv"]).ended(0));
    assert!(rows[1].iter().filter(|cell| *cell == "0").count() > 3, "{rows:?}");
}
