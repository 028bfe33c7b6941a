//! The architecture's invariants that no single crate can hold: who may know whom, who may write, and that nothing is
//! dropped in silence. ARCHITECTURE.md names these tests.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use counterfoil_proto::v1::{ImportResponse, ListSourcesResponse};
use counterfoil_tests::files::{all_files, holds, lines};
use counterfoil_tests::okta::{event, group, joined, left, user};
use counterfoil_tests::program::{LedgerFolder, program};
use serde_json::{Value, json};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What a package depends on: the names in the sections of its manifest that start so.
fn dependencies(package: &str, section: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(workspace().join(package).join("Cargo.toml")).unwrap();
    let mut is_inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            is_inside = name.starts_with(section);
        } else if is_inside
            && let Some((name, _)) = line.split_once(['.', ' ', '=']).filter(|(name, _)| !name.is_empty())
        {
            found.insert(name.to_owned());
        }
    }
    found
}

fn own(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().filter_map(|name| name.strip_prefix("counterfoil-")).collect()
}

/// Only tests can let a commit fail where they like.
#[test]
fn the_program_has_no_failpoints() {
    let words = "a test let it fail at";
    let source = fs::read_to_string(workspace().join("ledger/src/failpoint.rs")).unwrap();
    assert!(source.contains(words), "who has failpoints says so");
    assert!(!holds(&fs::read(program()).unwrap(), words.as_bytes()), "the program was built with failpoints");
}

#[test]
fn dependencies_point_one_way() {
    let check = |package: &str, allowed: &[&str]| {
        let found = dependencies(package, "dependencies]");
        assert!(found.len() > 1, "the manifest of {package} is read: {found:?}");
        let forbidden: Vec<_> = own(&found).into_iter().filter(|name| !allowed.contains(name)).collect();
        assert!(forbidden.is_empty(), "{package} must not know {forbidden:?}");
        // Nor by the other ways into a manifest.
        for section in ["build-dependencies", "target"] {
            assert_eq!(own(&dependencies(package, section)), BTreeSet::new(), "{section} of {package}");
        }
    };
    check("proto", &[]);
    check("verify", &["proto"]);
    check("verify-cli", &["proto", "verify"]);
    check("ledger", &["proto", "verify"]);
    check("ingest", &["proto", "verify", "ledger"]);
    check("query", &["proto", "verify", "ledger"]);
    check("server", &["proto", "verify", "ledger", "ingest", "query"]);
    check("scenario", &[]);
    check(".", &["proto", "verify", "ledger", "ingest", "query", "server", "scenario"]);
    // Not even their tests know what stands above them, or each other.
    for package in ["verify", "ledger", "ingest", "query"] {
        let tests = dependencies(package, "dev-dependencies");
        assert_eq!(own(&tests).difference(&BTreeSet::from(["scenario"])).count(), 0, "{package}: {tests:?}");
    }
}

/// The sources of a package, without their comments.
fn code(package: &str) -> Vec<(PathBuf, String)> {
    let folder = workspace().join(package).join("src");
    let files = all_files(&folder);
    assert!(files.len() > 2, "{}", folder.display());
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            let text = lines.collect::<Vec<_>>().join("\n");
            (file, text)
        })
        .collect()
}

/// The names of the files of a package whose code holds a word.
fn files_with(package: &str, word: &str) -> Vec<String> {
    let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
    code(package).iter().filter(|(_, text)| text.contains(word)).map(|(file, _)| name(file)).collect()
}

#[test]
fn verify_opens_no_file_reads_no_clock_spawns_nothing() {
    for word in [
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::os",
        "std::process",
        "std::thread",
        "std::time",
        "SystemTime",
        "Instant",
        "async ",
        ".await",
        "unsafe",
        "extern ",
        "static mut",
        "thread_local",
        "rand::",
        "getrandom",
        "println!",
        "dbg!",
        "include_str!",
        "include_bytes!",
        "env!(",
    ] {
        assert_eq!(files_with("verify", word), Vec::<String>::new(), "{word} in verify");
    }
    let expected = [
        "base64",
        "coset",
        "counterfoil-proto",
        "crc32fast",
        "ed25519-dalek",
        "hmac",
        "prost",
        "sha2",
        "thiserror",
        "unicode-normalization",
        "zeroize",
    ];
    let found = dependencies("verify", "dependencies]");
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "whoever trusts verify trusts these");
    // COSE receipts are there for those who ask for them, and so is their encoding.
    let verify = fs::read_to_string(workspace().join("verify/Cargo.toml")).unwrap();
    assert!(verify.contains("coset = { workspace = true, optional = true }") && !verify.contains("default ="));
    // What else the types bring with them: the network stack of the services is there for those who ask for it.
    let proto = fs::read_to_string(workspace().join("proto/Cargo.toml")).unwrap();
    for word in ["tokio", "hyper", "tonic", "tonic-prost", "rocksdb", "rand"] {
        let comes = dependencies("proto", "dependencies]").contains(word);
        assert!(!comes || proto.contains(&format!("{word} = {{ workspace = true, optional = true }}")), "{word}");
    }
    let asked = |package: &str| fs::read_to_string(workspace().join(package).join("Cargo.toml")).unwrap();
    assert!(asked("query").contains("features = [\"services\"]"), "the feature is called so");
    for package in ["verify", "ledger"] {
        assert!(!asked(package).contains("services"), "{package} does without the services");
    }
}

#[test]
fn one_thread_owns_the_head() {
    // The log database is written by the owner, who waits for room and removes what is redacted as well, and once before
    // there is one, be it the first or a later incarnation; that of a replica by whoever copies.
    let writers = ["incarnation.rs", "ledger.rs", "owner.rs", "redaction.rs", "replica.rs", "room.rs"];
    assert_eq!(files_with("ledger", ".write_synced("), writers);
    assert_eq!(files_with("ledger", ".write_unsynced("), ["incarnation.rs", "replica.rs"]);
    assert_eq!(files_with("ledger", "write_opt("), ["store.rs"]);
    for word in [".0.put", ".0.write", ".0.delete", ".0.merge", ".0.ingest", "delete_range"] {
        let found = files_with("ledger", word);
        assert!(found.iter().all(|file| file == "store.rs"), "{word} in {found:?}");
    }
    // There is one owner, and it has a thread of its own. fsck reads in others; they have no way to write.
    // Another shows that it is alive, and writes nothing but that.
    assert_eq!(files_with("ledger", "thread::Builder"), ["ledger.rs", "renewal.rs"]);
    assert_eq!(files_with("ledger", "owner.run("), ["ledger.rs"]);
    assert_eq!(files_with("ledger", "thread::scope"), ["rows.rs"]);
    // store.rs says what that is; recover.rs opens what is derived for both others.
    // What is restored is redacted again before it is anybody's.
    let openers = ["incarnation.rs", "ledger.rs", "recover.rs", "replica.rs", "restore.rs", "store.rs"];
    assert_eq!(files_with("ledger", "Access::Owner"), openers);
    // Nobody else opens a database of the ledger.
    for package in ["ingest", "scenario", "."] {
        assert_eq!(files_with(package, "rocksdb"), Vec::<String>::new(), "{package}");
    }
    assert_eq!(files_with("query", "DB::open"), ["database.rs"], "the views have their own");
}

/// Everything that is delivered is a record or a count, whatever it is.
#[test]
fn every_event_leaves_a_trace() {
    let ledger = LedgerFolder::init();
    let at = "2026-03-01T09:30:00Z";
    let unknown = event(4, "zone.of.silence", at, &[user(1)]);
    let other_content = left(1, "2026-03-02T09:30:00Z", 1, 1);
    let hook = json!({
        "eventType": "com.okta.event_hook", "eventId": "hook-1", "eventTime": at,
        "data": {"events": [joined(7, at, 7, 7), {"uuid": "broken"}, unknown.clone()]},
    });
    let mut delivered = lines(&[
        joined(1, at, 1, 1),
        joined(2, at, 2, 1),
        joined(1, at, 1, 1),
        other_content.clone(),
        other_content,
        unknown,
        event(5, "user.session.start", at, &[]),
        event(6, "group.user_membership.add", at, &[group(1)]),
        hook,
        json!({}),
        json!([]),
        Value::Null,
        json!("text"),
        json!(17),
    ]);
    delivered.extend_from_slice(b"not json\n{\"uuid\":\n\xff\xfe\n{\"uuid\":1,\"uuid\":2}\n");
    let file = ledger.file("events.jsonl", &delivered);
    // One for each line, and two more for the hook that brings three; an empty array is no event.
    let check = |ledger: &LedgerFolder| -> ImportResponse {
        let response: ImportResponse = ledger.import("okta", &file, &["--output", "json"]).json();
        let total = response.total.clone().unwrap();
        let traces = total.events + total.duplicates + total.conflicts + total.rejected;
        assert_eq!(traces, 18 + 2 - 1, "{total:?}");
        response
    };
    let first = check(&ledger).total.unwrap();
    assert!(first.events > 4 && first.duplicates > 1 && first.conflicts == 1 && first.rejected > 6, "{first:?}");
    let again = check(&ledger);
    let total = again.total.unwrap();
    assert_eq!((total.events, total.conflicts, total.rejected), (0, 0, 0), "a second time they are counts");

    let sources: ListSourcesResponse = ledger.run(&["sources", "--output", "json"]).json();
    let sum = |count: fn(&counterfoil_proto::v1::SourceSummary) -> u64| sources.sources.iter().map(count).sum::<u64>();
    let records = sum(|source| source.events) + sum(|source| source.conflicts) + sum(|source| source.rejected);
    assert_eq!(records, again.basis.unwrap().tree_size - 1, "every record is one of these");
    assert_eq!(records, first.events + first.conflicts + first.rejected);
    assert_eq!(sum(|source| source.duplicates), first.duplicates + total.duplicates);
    assert_eq!(sum(|source| source.unmapped), first.unmapped);
}
