//! Real files of CloudTrail, Freshservice, GitHub, Kubernetes and Okta, as other projects published them: every one imports,
//! and no event is lost.
//!
//! The counter of native events here knows only how an envelope looks, and nothing of connectors. The golden files are
//! rewritten with `UPDATE_GOLDEN=1`.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use counterfoil_proto::v1::{
    Completeness, FsckReport, ImportResponse, ImportSummary, ListDeadLettersResponse, ListSourcesResponse,
    SnapshotResponse, SourceSummary,
};
use counterfoil_tests::files::all_files;
use counterfoil_tests::golden::check_golden;
use counterfoil_tests::program::LedgerFolder;
use serde_json::{Value, json};

/// The listings of IAM and of Identity Center among them are no events: each is kept as rejected.
#[test]
fn cloudtrail_samples() {
    check("cloudtrail");
}

#[test]
fn freshservice_samples() {
    check("freshservice");
}

/// Of their log alone: what else is there are answers of an API.
#[test]
fn github_samples() {
    check_of("github", "github", is_log);
}

/// Most were published without their times, and none is taken from elsewhere.
#[test]
fn kubernetes_samples() {
    check_of("kubernetes", "k8s", is_log);
}

#[test]
fn okta_samples() {
    check("okta");
}

/// The samples that are listings, taken as such: every element is an item's, and nothing is lost.
#[test]
fn listings_among_the_samples() {
    const LISTINGS: [(&str, &str, &str); 8] = [
        ("okta", "rapid7-responses/get_users_in_group.json", "groups/00g1/users"),
        ("okta", "rapid7-responses/get_users_in_group2.json", "groups/00g2/users"),
        ("okta", "rapid7-responses/list_groups.json", "groups"),
        ("okta", "rapid7-responses/list_groups_empty.json", "groups"),
        ("okta", "rapid7-responses/get_user_groups_by_id_success.json", "users/00u1/groups"),
        ("freshservice", "rapid7-responses/list_all_agents.json", ""),
        ("freshservice", "rapid7-responses/list_all_agents_empty.json", ""),
        ("freshservice", "rapid7-responses/list_all_groups.json", ""),
    ];
    let ledger = LedgerFolder::init();
    let mut summary = String::new();
    for (system, name, scope) in LISTINGS {
        let Some(folder) = samples(system) else { return };
        let file = folder.join(name);
        let take = || -> SnapshotResponse {
            let as_of = ["--as-of", "2026-03-02Z", "--complete", "--output", "json"];
            let scope: &[&str] = if scope.is_empty() { &[] } else { &["--scope", scope] };
            ledger.run(&[&["snapshot", system, file.to_str().unwrap()], scope, &as_of].concat()).json()
        };
        let first = take();
        let [listing] = &first.listings[..] else { panic!("{name}: {first:?}") };
        assert_eq!(listing.events + listing.duplicates, native_events(&file), "{name}: {listing:?}");
        assert_eq!((first.strange, listing.rejected), (0, 0), "{name}: {listing:?}");
        assert_eq!(take().basis, first.basis, "{name}: again it is known");
        let scope = listing.scope.splitn(4, ':').last().unwrap();
        let complete = listing.completeness() == Completeness::Complete;
        writeln!(summary, "{name}: {scope}: {} items, {} facts, complete: {complete}", listing.count, listing.facts)
            .unwrap();
    }
    ledger.run(&["fsck"]).ended(0);
    check_golden("samples-listings.txt", &summary);
}

/// The listings of AWS among the samples. As they were published they stand behind keys of another program's: such a file
/// is kept as it is. The lists in them, put into the responses that they come from, are read whole.
#[test]
fn listings_of_aws_among_the_samples() {
    let Some(folder) = samples("cloudtrail") else { return };
    let ledger = LedgerFolder::init();
    let take = |file: &Path, further: &[&str]| -> SnapshotResponse {
        let arguments = ["snapshot", "cloudtrail", file.to_str().unwrap(), "--as-of", "2026-03-02Z", "--complete"];
        ledger.run(&[&arguments[..], &["--output", "json"], further].concat()).json()
    };
    let files = all_files(&folder.join("cartography-snapshots"));
    for (number, file) in files.iter().enumerate() {
        let taken = take(file, &[]);
        assert_eq!((taken.listings.len(), taken.strange), (0, 1), "{}", file.display());
        let kept: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
        assert_eq!(kept.dead_letters.len(), number + 1, "{}", file.display());
    }

    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.join("cartography-snapshots").join(name)).unwrap()).unwrap()
    };
    let (people, users, roles) =
        (read("aws_identitycenter.json"), read("aws_iam_user_policies.json"), read("aws_iam_roles.json"));
    let more = read("aws_iam_role_policies.json");
    let account = |users: &Value, roles: &Value| json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles, "Policies": [], "IsTruncated": false});
    let sets: Value =
        people["LIST_PERMISSION_SETS"].as_array().unwrap().iter().map(|set| set["PermissionSetArn"].clone()).collect();
    let cases = [
        ("users and roles", account(&users["GET_USER_LIST_DATA"]["Users"], &roles["ROLES"]["Roles"])),
        ("more roles", account(&json!([]), &more["ANOTHER_GET_ROLE_LIST_DATASET"]["Roles"])),
        (
            "roles of instance profiles",
            account(&json!([]), &read("aws_iam_instance_profiles.json")["INSTANCE_PROFILES"][0]["Roles"]),
        ),
        ("people of Identity Center", json!({"Users": people["LIST_USERS"]})),
        ("groups of Identity Center", json!({"Groups": people["LIST_GROUPS"]})),
        ("permission sets", json!({"PermissionSets": sets})),
    ];
    let mut summary = String::new();
    let mut show = |name: &str, taken: &SnapshotResponse| {
        assert_eq!(taken.strange, 0, "{name}: {taken:?}");
        for listing in &taken.listings {
            assert_eq!(listing.rejected, 0, "{name}: {listing:?}");
            let scope = listing.scope.splitn(3, ':').last().unwrap();
            let reason = &listing.reason;
            writeln!(summary, "{name}: {scope}: {} items, {} facts, {reason}", listing.count, listing.facts).unwrap();
        }
    };
    for (name, response) in cases {
        let elements: usize = response.as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum();
        let own = ["users and roles", "more roles", "roles of instance profiles"].contains(&name);
        let instance: &[&str] = if own { &[] } else { &["--instance", "1234567890"] };
        let taken = take(&ledger.file("response.json", response.to_string()), instance);
        let read: u64 = taken.listings.iter().map(|listing| listing.events + listing.duplicates).sum();
        assert_eq!(read, elements as u64, "{name}: {taken:?}");
        show(name, &taken);
    }
    show("credential report", &take(&folder.join("credential_report_shape.csv"), &[]));
    ledger.run(&["fsck"]).ended(0);
    check_golden("samples-listings-aws.txt", &summary);
}

/// The samples of a system; none, said aloud, where they are not there.
fn samples(system: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples").join(system);
    if folder.is_dir() {
        return Some(folder.canonicalize().unwrap());
    }
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "{} is not there, and CI leaves nothing out",
        folder.display()
    );
    eprintln!("SKIPPED: the samples of {system}: {} is not there", folder.display());
    None
}

fn check(system: &str) {
    check_of(system, system, is_native);
}

/// Checks those samples of a system, in the folder of this name, that are what it imports.
fn check_of(system: &str, name: &str, is_wanted: fn(&Path) -> bool) {
    let Some(folder) = samples(name) else { return };
    let files: Vec<PathBuf> = all_files(&folder).into_iter().filter(|path| is_wanted(path)).collect();
    assert!(!files.is_empty(), "no files of {system}");
    let ledger = LedgerFolder::init();
    let first = import(&ledger, system, &files);
    for (file, summary) in files.iter().zip(&first.inputs) {
        assert_eq!(acknowledged(summary), native_events(file), "{}: {summary:?}", file.display());
    }

    let again = import(&ledger, system, &files);
    for summary in &again.inputs {
        let known =
            ImportSummary { input: summary.input.clone(), duplicates: acknowledged(summary), ..Default::default() };
        assert_eq!(summary, &known, "a second import adds nothing");
    }
    assert_eq!(again.basis, first.basis);
    let fsck: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(fsck.sound, "{fsck:?}");

    let mut summary = String::new();
    let mut by_folder: BTreeMap<&Path, Vec<(&PathBuf, &ImportSummary)>> = BTreeMap::new();
    for (file, counts) in files.iter().zip(&first.inputs) {
        let relative = file.strip_prefix(&folder).unwrap();
        by_folder.entry(relative.parent().unwrap()).or_default().push((file, counts));
    }
    for (name, files) in by_folder {
        writeln!(summary, "{}", Path::new(system).join(name).display()).unwrap();
        for (file, counts) in files {
            writeln!(summary, "  {}: {}", file.file_name().unwrap().display(), show(counts)).unwrap();
        }
    }
    writeln!(summary, "total: {}", show(first.total.as_ref().unwrap())).unwrap();
    let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    sources.sources.iter().for_each(|source| summary.push_str(&show_source(source)));
    let dead: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
    assert_eq!(dead.dead_letters.len() as u64, first.total.as_ref().unwrap().rejected);
    for letter in dead.dead_letters {
        writeln!(summary, "rejected: {}: {}", letter.reason, letter.error).unwrap();
    }
    check_golden(&format!("samples-{system}.txt"), &summary);
}

/// The same files without `--assume-zone`: an event without a zone is rejected and kept, and nothing is lost either.
#[test]
fn without_a_zone_events_are_rejected_and_not_lost() {
    let Some(folder) = samples("okta") else { return };
    let file = folder.join("panther-analysis.jsonl");
    let ledger = LedgerFolder::init();
    let response: ImportResponse = ledger.import("okta", &file, &["--output", "json"]).json();
    let summary = &response.inputs[0];
    assert_eq!(acknowledged(summary), native_events(&file));
    // Counted without any knowledge of what the connector thinks of them.
    let text = fs::read_to_string(&file).unwrap();
    let times: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["published"].take()).collect();
    let is_time = |time: &&str| time.starts_with("20");
    let zone_less = times.iter().filter_map(Value::as_str).filter(is_time).filter(|time| !time.ends_with('Z')).count();
    let is_empty = |line: &str| line.trim() == "{}";
    let no_time = times.iter().filter(|time| !time.as_str().is_some_and(|time| is_time(&time))).count()
        - text.lines().filter(|line| is_empty(line)).count();
    assert!(zone_less > 0 && no_time > 0);
    assert_eq!(summary.rejected, (zone_less + no_time) as u64);
    let dead: ListDeadLettersResponse = ledger.run(&["deadletter", "list", "--output", "json"]).json();
    let told: Vec<_> = dead.dead_letters.iter().filter(|letter| letter.reason == "time without zone").collect();
    assert_eq!(told.len(), zone_less, "{:?}", dead.dead_letters);
    for letter in told {
        assert!(letter.error.contains("--assume-zone UTC"), "{letter:?}");
    }

    let fixed: ImportResponse = ledger.import("okta", &file, &["--assume-zone", "UTC", "--output", "json"]).json();
    let fixed = &fixed.inputs[0];
    let gone_in = fixed.events + fixed.conflicts + fixed.duplicates;
    assert_eq!(fixed.rejected, 0, "what has no time at all is known as rejected: {fixed:?}");
    assert_eq!(gone_in, native_events(&file), "{fixed:?}");
    assert!(fixed.events + fixed.conflicts > 0, "{fixed:?}");
}

/// Whatever else lies in the folders is no event, and does no harm.
#[test]
fn what_is_no_event_at_all_is_kept_as_rejected() {
    for system in ["cloudtrail", "freshservice", "okta"] {
        let Some(folder) = samples(system) else { return };
        let files: Vec<PathBuf> = all_files(&folder).into_iter().filter(|path| !is_native(path)).collect();
        let ledger = LedgerFolder::init();
        let response = import(&ledger, system, &files);
        for summary in &response.inputs {
            assert_eq!(summary.events, 0, "{summary:?}");
            assert!(summary.rejected > 0, "{summary:?}");
        }
        ledger.run(&["fsck"]).ended(0);
    }
}

/// Whether a file holds JSON: beside it lie descriptions, and a report in CSV.
fn is_native(path: &Path) -> bool {
    !path.extension().is_some_and(|extension| ["csv", "md", "tsv"].iter().any(|other| extension == *other))
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}

fn import(ledger: &LedgerFolder, system: &str, files: &[PathBuf]) -> ImportResponse {
    let mut arguments: Vec<String> =
        ["import", system, "--assume-zone", "UTC", "--backfill", "--output", "json"].map(str::to_owned).to_vec();
    arguments.extend(files.iter().map(|file| file.to_str().unwrap().to_owned()));
    let run = ledger.run(&arguments).ended(0);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    let response: ImportResponse = run.json();
    assert_eq!(response.inputs.len(), files.len());
    response
}

fn acknowledged(summary: &ImportSummary) -> u64 {
    summary.events + summary.duplicates + summary.conflicts + summary.rejected
}

/// How many native events a file holds: its lines, the elements of its array, or those in an envelope.
fn native_events(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    if file.extension().is_some_and(|extension| extension == "jsonl") {
        return text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    }
    match serde_json::from_str::<Value>(&text).unwrap() {
        Value::Array(items) => items.len() as u64,
        Value::Object(members) => match members.values().collect::<Vec<_>>()[..] {
            // {"tickets": […]}: a page of a listing.
            [Value::Array(items)] => items.len() as u64,
            _ => 1,
        },
        other => panic!("{}: {other}", file.display()),
    }
}

fn show(summary: &ImportSummary) -> String {
    let counts = [
        ("events", summary.events),
        ("facts", summary.facts),
        ("unmapped", summary.unmapped),
        ("incomplete", summary.incomplete),
        ("duplicates", summary.duplicates),
        ("conflicts", summary.conflicts),
        ("rejected", summary.rejected),
    ];
    let shown: Vec<String> = counts
        .iter()
        .enumerate()
        .filter(|(place, (_, count))| *place < 2 || *count > 0)
        .map(|(_, (name, count))| format!("{count} {name}"))
        .collect();
    shown.join(", ")
}

fn show_source(source: &SourceSummary) -> String {
    let mut text = format!("source {}/{} by {}\n", source.system, source.instance, source.connector);
    for object in &source.objects {
        writeln!(text, "  {} {}", object.count, object.kind).unwrap();
    }
    for unmapped in &source.unmapped_types {
        writeln!(text, "  unmapped: {:?}, {} times", unmapped.native_type, unmapped.count).unwrap();
    }
    text
}
