//! A connector's mistake, mended: kept events are read again, what was known stays known, and doing it twice adds nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::ops::ControlFlow;
use std::path::Path;

use counterfoil_ingest::connectors::{self, Connector, Context, PartContext, Reading, Reject, Split};
use counterfoil_ingest::import::{ImportOptions, import};
use counterfoil_ingest::json::Json;
use counterfoil_ingest::remap::{RemapOptions, Remapped, remap};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock};
use counterfoil_proto::v1::{
    Authentication, Event, Fact, FactKind, FsckReport, GetRecordResponse, ImportResponse, ListSourcesResponse, Mapping,
    RemapResponse, record::Body,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::http::curl;
use counterfoil_tests::okta::{event, group, joined, left, user, user_id};
use counterfoil_tests::program::{self, LedgerFolder};
use counterfoil_tests::server::Server;
use counterfoil_verify::time::Moment;
use serde_json::{Value, json};

const AT: &str = "2026-03-01T09:30:00Z";

/// The connector for Okta as it was or will be: what it reads is altered.
struct Altered {
    present: Box<dyn Connector>,
    version: u32,
    alter: fn(&mut Reading),
}

/// So many facts are a reading of several records.
const MANY: usize = 800;

impl Altered {
    fn of(version: u32, alter: fn(&mut Reading)) -> Self {
        Self { present: connectors::by_name("okta").unwrap(), version, alter }
    }

    /// It takes whoever lets somebody into a group for whom is let in, and knows nothing of who leaves a group.
    fn mistaken() -> Self {
        Self::of(1, |reading| {
            if reading.native_type.ends_with("remove") {
                (reading.mapping, reading.facts) = (Mapping::Unmapped, Vec::new());
            }
            let joins = reading.facts.iter_mut().filter(|fact| fact.kind() == FactKind::GrantAdded);
            joins.for_each(|fact| fact.subject = fact.actor.clone());
        })
    }

    /// It says everything many times, each in a scope of its own.
    fn verbose(version: u32) -> Self {
        Self::of(version, |reading| {
            let facts = std::mem::take(&mut reading.facts);
            let scoped =
                |number: usize| facts.iter().map(move |fact| Fact { scope: format!("s/{number}"), ..fact.clone() });
            reading.facts = (0..MANY).flat_map(scoped).collect();
        })
    }
}

impl Connector for Altered {
    fn name(&self) -> &'static str {
        self.present.name()
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn system(&self) -> &str {
        self.present.system()
    }

    fn recognises(&self, event: &Json<'_>) -> bool {
        self.present.recognises(event)
    }

    fn split<'a>(&self, document: &Json<'a>, raw: &'a str) -> Result<Split<'a>, Reject> {
        self.present.split(document, raw)
    }

    fn read(&self, event: &Json<'_>, part: &PartContext, context: &Context<'_>) -> Result<Reading, Reject> {
        let mut reading = self.present.read(event, part, context)?;
        (self.alter)(&mut reading);
        Ok(reading)
    }
}

fn opened(folder: &LedgerFolder) -> Ledger {
    let options = Options {
        clock: Box::new(SystemClock::new()),
        accept_clock: false,
        holder: "a test".to_owned(),
        sealing: Sealing::Never,
    };
    Ledger::open(&Location::new(&folder.data(), None), options).unwrap()
}

/// Imports a file with a connector that is not the program's.
fn import_with(folder: &LedgerFolder, connector: &dyn Connector, file: &Path) {
    let options = ImportOptions {
        instance: "default".to_owned(),
        ticket_instance: "default".to_owned(),
        backfill: false,
        assume_utc: false,
        authentication: Authentication::OperatorFile,
        received_at: Moment { seconds: 1_772_000_000, nanos: 0 },
        seed_secret: [3; 32],
        threads: 1,
    };
    import(&opened(folder), connector, &Input::new(file), &options, &mut |_| ()).unwrap();
}

fn remap_with(folder: &LedgerFolder, connector: &dyn Connector, seed: u8) -> Remapped {
    let options = RemapOptions {
        connector,
        source: None,
        ticket_instance: "default".to_owned(),
        dry_run: false,
        seed_secret: [seed; 32],
    };
    remap(&opened(folder), &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn size(folder: &LedgerFolder) -> u64 {
    let sources: ListSourcesResponse = folder.run(&["sources", "--output", "json"]).json();
    sources.basis.unwrap().tree_size
}

fn record(folder: &LedgerFolder, index: u64) -> GetRecordResponse {
    folder.run(&["record", &index.to_string(), "--output", "json"]).json()
}

fn remapped(folder: &LedgerFolder, further: &[&str]) -> RemapResponse {
    folder.run(&[&["remap", "okta", "--output", "json"], further].concat()).json()
}

/// Answers less what says on which tree they rest, and what was not read by now.
fn answers(folder: &LedgerFolder, known_at: Option<&str>) -> Vec<Value> {
    let known_at: Vec<&str> = known_at.iter().flat_map(|at| ["--known-at", at]).collect();
    let (wrong, right) = (user_id(0), user_id(1));
    let group = group(1)["id"].as_str().unwrap().to_owned();
    let questions = [
        vec!["state", &wrong],
        vec!["state", &right],
        vec!["history", &wrong],
        vec!["history", &right],
        vec!["holders", &group],
        vec!["access", &right],
        vec!["explain", "--all"],
    ];
    let ask = |question: &Vec<&str>| {
        let ran = folder.run(&[&question[..], &known_at, &["--output", "json"]].concat());
        let mut answer: Value = serde_json::from_str(ran.text()).unwrap();
        ["basis", "moment", "unread"].iter().for_each(|member| drop(answer.as_object_mut().unwrap().remove(*member)));
        answer
    };
    questions.iter().map(ask).collect()
}

/// What is the same of an event in whichever ledger: its type, and what its facts are about. Digests and tokens are keyed.
fn essence(event: &Event) -> (&str, Mapping, Vec<String>) {
    let fact = |fact: &Fact| {
        let ids = [&fact.actor, &fact.subject, &fact.object].map(|named| named.as_ref().map(|one| one.id.as_str()));
        format!("{:?} {:?} {:?} {ids:?}", fact.kind(), fact.outcome(), fact.occurred_at)
    };
    (&event.native_type, event.mapping(), event.facts.iter().map(fact).collect())
}

/// Somebody joins a group and another, and leaves the first; and is switched off, which was always read right.
fn events() -> Vec<u8> {
    let off = event(4, "user.lifecycle.deactivate", "2026-03-01T11:00:00Z", &[user(1)]);
    lines(&[joined(1, AT, 1, 1), joined(2, AT, 1, 2), left(3, "2026-03-01T10:00:00Z", 1, 1), off])
}

#[test]
fn what_is_read_again_counts_from_then_on_and_what_was_known_stays() {
    let (folder, model) = (LedgerFolder::init(), LedgerFolder::init());
    let file = folder.file("log.jsonl", events());
    import_with(&folder, &Altered::mistaken(), &file);
    model.import("okta", &file, &[]).ended(0);
    let (imported, before) = (size(&folder), answers(&folder, None));
    let unmapped = |folder: &LedgerFolder| {
        let sources: ListSourcesResponse = folder.run(&["sources", "--output", "json"]).json();
        let source = &sources.sources[0];
        (source.events, source.facts, source.unmapped)
    };
    assert_eq!(unmapped(&folder), (4, 3, 1));
    let last = record(&folder, imported - 1).record.unwrap().recorded_at.unwrap();
    let known_at = jiff::Timestamp::new(last.seconds, last.nanos as i32).unwrap().to_string();

    let counted = remapped(&folder, &["--dry-run"]);
    assert_eq!((counted.events, counted.remapped, counted.same, counted.dry_run), (4, 3, 1, true));
    assert_eq!(size(&folder), imported, "it was only counted");
    let other = remapped(&folder, &["--source", "okta/another"]);
    assert_eq!((other.events, size(&folder)), (0, imported));

    let done = remapped(&folder, &["--source", "okta/default"]);
    assert_eq!((done.events, done.remapped, done.same, done.unreadable), (4, 3, 1, 0));
    assert_eq!(size(&folder), imported + 3);
    assert_eq!(answers(&folder, Some(&known_at)), before, "as of before");
    let now = answers(&folder, None);
    assert_ne!(now, before);
    assert_eq!(unmapped(&folder), (4, 4, 0), "as if they had been read so at first");
    let held = |answers: &[Value]| answers[4]["holders"].as_array().map_or(0, Vec::len);
    assert_eq!((held(&before), held(&now)), (1, 0), "whoever left it holds it no longer");

    let again = remapped(&folder, &[]);
    assert_eq!((again.remapped, again.same, size(&folder)), (0, 4, imported + 3), "nothing is to be mended any more");
    let imported_again: ImportResponse = folder.import("okta", &file, &["--output", "json"]).json();
    assert_eq!(imported_again.total.unwrap().duplicates, 4, "they are known as ever");
    let report: FsckReport = folder.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");

    // What each event says is what it says where it was read right at first.
    for event in 1..=3 {
        let (mended, right) =
            (record(&folder, imported - 1 + event).record.unwrap(), record(&model, event).record.unwrap());
        let (Some(Body::EventRemapped(mended_body)), Some(Body::Event(right_body))) = (mended.body, right.body) else {
            panic!("record {event} is no event");
        };
        assert_eq!(essence(&mended_body.event.unwrap()), essence(&right_body));
        assert_eq!((mended_body.first_index, mended_body.replaces), (event, event));
        let (mended, right) = (mended.provenance.unwrap(), right.provenance.unwrap());
        assert_eq!((&mended.event_id, mended.authentication), (&right.event_id, right.authentication));
    }
    let shown = folder.run(&["record", &imported.to_string()]).ended(0);
    assert!(shown.text().contains("replaces record 1"), "{}", shown.text());
    let shown = folder.run(&["history", &user_id(0)]).ended(0);
    assert!(shown.text().contains("read again by okta 1: replaces record 1"), "{}", shown.text());
    assert!(
        record(&folder, imported).values.iter().any(|of| of.entity.contains(&user_id(1))),
        "its names lie beside it"
    );
    // The views are built again from the log alone.
    std::fs::remove_dir_all(folder.data().join("views")).unwrap();
    assert_eq!((answers(&folder, None), answers(&folder, Some(&known_at))), (now, before));
}

/// What one version mends, a later one mends again: the newest that read it counts, and an older one leaves it alone.
#[test]
fn a_reading_is_replaced_by_the_next_and_never_by_an_older_one() {
    let folder = LedgerFolder::init();
    import_with(&folder, &Altered::mistaken(), &folder.file("log.jsonl", events()));
    let current = connectors::by_name("okta").unwrap();
    assert_eq!(remap_with(&folder, current.as_ref(), 1).remapped, 3);
    // The program as it was once more: what is mended is broken again, in the open.
    assert_eq!(remap_with(&folder, &Altered::mistaken(), 2).remapped, 3);
    let newer = remap_with(&folder, &Altered::of(2, |_| ()), 3);
    assert_eq!((newer.remapped, newer.same), (3, 1));
    let report: FsckReport = folder.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
    let older = remapped(&folder, &[]);
    assert_eq!((older.newer, older.remapped), (3, 0), "an older program does not know better");
    let Some(Body::EventRemapped(last)) = record(&folder, 11).record.unwrap().body else { panic!("no remapping") };
    assert_eq!((last.first_index, last.replaces), (1, 8));
}

/// What is of no connector's own reading stays: parts of listings, and what cannot be told from its payload alone.
#[test]
fn what_cannot_be_read_again_stays_and_is_counted() {
    let folder = LedgerFolder::init();
    let mut half = event(4, "group.user_membership.add", AT, &[user(1), group(1)]);
    half["target"] = Value::Null;
    let hook = json!({"eventType": "com.okta.event_hook", "eventId": "hook-1", "eventTime": AT,
        "data": {"events": [joined(5, AT, 2, 1), half]}});
    import_with(&folder, &Altered::mistaken(), &folder.file("hook.json", hook.to_string()));
    let done = remapped(&folder, &[]);
    assert_eq!((done.events, done.remapped, done.same), (2, 1, 1), "a hook's event is read as one again");
}

/// A reading of several records is replaced by one of one record, and the other way round.
#[test]
fn a_reading_may_have_several_records() {
    let folder = LedgerFolder::init();
    let file = folder.file("log.jsonl", lines(&[joined(1, AT, 1, 1)]));
    import_with(&folder, &Altered::verbose(1), &file);
    let imported = size(&folder);
    let held = || {
        let answer: Value = folder.run(&["state", &user_id(1), "--output", "json"]).json();
        answer["state"]["grants"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((imported > 2, held()), (true, MANY));
    let done = remapped(&folder, &[]);
    assert_eq!((done.remapped, size(&folder), held()), (1, imported + 1, 1));
    assert_eq!(remap_with(&folder, &Altered::verbose(2), 4).remapped, 1);
    assert_eq!((size(&folder) > imported + 2, held()), (true, MANY));
    assert_eq!(remap_with(&folder, &Altered::verbose(2), 5).same, 1);
    let report: FsckReport = folder.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
}

/// What is ended in between adds nothing more, and to do it again goes on from there.
#[test]
fn what_was_ended_goes_on_by_being_done_again() {
    let folder = LedgerFolder::init();
    let many: Vec<Value> = (1..=2_500).map(|number| joined(number, AT, 1, number)).collect();
    import_with(&folder, &Altered::mistaken(), &folder.file("log.jsonl", lines(&many)));
    let imported = size(&folder);
    let current = connectors::by_name("okta").unwrap();
    let options = RemapOptions {
        connector: current.as_ref(),
        source: None,
        ticket_instance: "default".to_owned(),
        dry_run: false,
        seed_secret: [6; 32],
    };
    let end_at = &mut |done: &Remapped| match done.looked_at {
        1_500 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let ended = remap(&opened(&folder), &options, end_at).unwrap();
    assert_eq!((ended.looked_at, ended.records, ended.remapped), (1_500, imported, 1_000), "whole batches alone");
    assert_eq!(size(&folder), imported + 1_000);
    let rest = remapped(&folder, &[]);
    assert_eq!((rest.events, rest.remapped, rest.same), (2_500, 1_500, 1_000));
    assert_eq!((size(&folder), rest.looked_at), (imported + 2_500, imported + 1_000));
}

/// A server reads again what it has, says how far it is, and counts.
#[test]
fn a_server_reads_again_as_the_command_line_does() {
    let (folder, model) = (LedgerFolder::init(), LedgerFolder::init());
    for folder in [&folder, &model] {
        import_with(folder, &Altered::mistaken(), &folder.file("log.jsonl", events()));
    }
    let server = Server::start(&folder);
    let asked = |further: &[&str]| -> RemapResponse {
        let url = server.url();
        let arguments = [&["remap", "okta", "--server", &url, "--output", "json"], further].concat();
        program::run(&arguments).json()
    };
    let metric = || {
        let text = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
        let line = text.lines().find(|line| line.starts_with("counterfoil_remapped_total{"));
        line.map(|line| line.to_owned())
    };
    for arguments in [&["--dry-run"][..], &["--source", "okta/another"], &[], &[]] {
        let (mut of_server, mut of_files) = (asked(arguments), remapped(&model, arguments));
        // Two ledgers have two origins.
        assert_eq!(of_server.basis.take().unwrap().tree_size, of_files.basis.take().unwrap().tree_size);
        assert_eq!(of_server, of_files, "{arguments:?}");
    }
    assert_eq!(metric().as_deref(), Some("counterfoil_remapped_total{connector=\"okta\"} 3"));
    let url = format!("{}/v1/connectors/okta/remap", server.url());
    let refused = |body: Value| curl(&["--json".to_owned(), body.to_string(), url.clone()]).error(400);
    assert!(refused(json!({"instance": "acme"})).contains("system"));
    assert!(refused(json!({"system": "Okta!"})).contains("system"));
    let unknown = curl(&["--json".to_owned(), "{}".to_owned(), url.replace("okta", "nothing")]).error(400);
    assert!(unknown.contains("the connectors are"), "{unknown}");
}
