//! A whole log, exported and replayed by the auditor's program: from a folder and from a server, bit by bit, after a kill; and
//! nothing that is left out, changed or made up is proved, whoever signs it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{read_checkpoint, tessera_fsck};
use counterfoil_proto::v1::{Record, record::Body};
use counterfoil_tests::files::{all_files, lines};
use counterfoil_tests::http::curl;
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, Run, command, program, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::record::{decode, encode, hash};
use counterfoil_verify::tile::records_in;
use counterfoil_verify::tree::{Frontier, TreeSize};
use serde_json::Value;

fn import(ledger: &LedgerFolder, events: std::ops::Range<u32>) {
    let events: Vec<Value> = events.map(|number| joined(number, "2026-03-01T09:00:00Z", number % 50, 1)).collect();
    let file = ledger.file("events.jsonl", lines(&events));
    ledger.run_sealing(&["import", "okta", file.to_str().unwrap()]).ended(0);
}

/// A sealed ledger of so many events.
fn ledger_of(events: u32) -> LedgerFolder {
    let ledger = LedgerFolder::init();
    import(&ledger, 0..events);
    ledger
}

fn export(ledger: &LedgerFolder, to: &Path) -> Run {
    ledger.run_sealing(&["export", "--to", to.to_str().unwrap()])
}

/// The auditor's program, on a machine that has the folder and the policy.
fn replay(folder: &Path, policy: &Path, further: &[&str]) -> Run {
    let output = Command::new(program().with_file_name("counterfoil-verify"))
        .arg("--replay")
        .arg(folder)
        .arg("--policy")
        .arg(policy)
        .args(further)
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
fn refused(folder: &Path, policy: &Path, code: i32, words: &str) {
    let run = replay(folder, policy, &[]).ended(code);
    assert!(run.stderr.contains(words) && run.stdout.is_empty(), "expected {words:?} in {}", run.stderr);
}

/// The files of a folder, by their names in it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = all_files(folder).into_iter();
    files.map(|file| (file.strip_prefix(folder).unwrap().to_owned(), fs::read(&file).unwrap())).collect()
}

/// Another folder with the same files.
fn copy(ledger: &LedgerFolder, of: &Path, name: &str) -> PathBuf {
    let folder = ledger.beside(name);
    for (file, bytes) in contents(of) {
        let to = folder.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    folder
}

/// The only file of a folder of partial tiles.
fn partial(folder: &Path) -> PathBuf {
    let files = all_files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn an_export_grows_with_the_log_and_is_proved_anywhere() {
    let ledger = ledger_of(300);
    let (out, seen) = (ledger.beside("out"), ledger.beside("seen"));
    let remember = ["--remember", seen.to_str().unwrap()];
    let told = export(&ledger, &out).ended(0);
    assert!(told.text().starts_with(&format!("302 records of {ORIGIN} in ")), "{}", told.text());
    assert!(told.text().contains("302 of them new"), "{}", told.text());
    let shown = replay(&out, &ledger.policy(), &remember).ended(0);
    for words in
        ["PROVED\n", "302 records", "recomputed here", "No replayer's word is needed", "Tokens, payloads and names"]
    {
        assert!(shown.text().contains(words), "{words:?} in {}", shown.text());
    }
    // The same again changes nothing, and more of the log is added to it. The partial tiles before are gone then.
    let before = contents(&out);
    assert!(export(&ledger, &out).ended(0).text().contains(" 0 of them new"));
    assert_eq!(contents(&out), before);
    import(&ledger, 300..520);
    assert!(export(&ledger, &out).ended(0).text().contains("523 records"));
    let files: Vec<String> = contents(&out).into_keys().map(|name| name.to_str().unwrap().to_owned()).collect();
    assert_eq!(
        files,
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/11",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/11",
        ]
    );
    assert_eq!(fs::read(out.join("checkpoint")).unwrap(), ledger.run(&["checkpoint"]).ended(0).stdout);
    let shown: Value = replay(&out, &ledger.policy(), &[&remember[..], &["--output", "json"]].concat()).json();
    assert_eq!((&shown["verdict"], &shown["basis"]["treeSize"]), (&"proved".into(), &523.into()));
    assert_eq!((&shown["basis"]["seen"], &shown["basis"]["sealed"]), (&1.into(), &522.into()), "{shown}");
    assert_eq!(shown["sources"][0]["events"], 520, "{shown}");
    // What was seen goes into the next: a log that shows another history is found.
    let text = fs::read_to_string(&seen).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    let other: Vec<&str> = text.lines().flat_map(|line| line.rsplit(' ').next()).collect();
    fs::write(&seen, text.replacen(other[0], other[1], 1)).unwrap();
    let run = replay(&out, &ledger.policy(), &remember).ended(1);
    assert!(run.stderr.contains("two histories"), "{}", run.stderr);
}

#[test]
fn a_server_is_exported_as_its_folder_is_and_other_tools_read_it() {
    let ledger = ledger_of(300);
    let (out, served) = (ledger.beside("out"), ledger.beside("served"));
    export(&ledger, &out).ended(0);
    let server = Server::start(&ledger);
    let (url, policy) = (server.url(), ledger.policy());
    let of_server = |to: &Path, policy: &Path| {
        run(&["export", "--server", &url, "--to", to.to_str().unwrap(), "--policy", policy.to_str().unwrap()])
    };
    of_server(&served, &policy).ended(0);
    assert_eq!(contents(&served), contents(&out));
    // What anybody copied from the server, with tools that are not ours, is an export too.
    let mirror = ledger.beside("mirror");
    for name in contents(&out).keys().map(|name| name.to_str().unwrap()) {
        let file = mirror.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, curl(&[format!("{url}/{name}")]).body).unwrap();
    }
    replay(&mirror, &policy, &[]).ended(0);
    // A policy that names another log exports nothing.
    let stranger = LedgerFolder::init();
    let nothing = ledger.beside("nothing");
    let run = of_server(&nothing, &stranger.policy()).ended(1);
    assert!(run.stderr.contains("is not accepted, and nothing was exported"), "{}", run.stderr);
    server.stop();

    let Some(told) = tessera_fsck(&format!("file://{}/", out.display()), &ledger) else { return };
    assert!(told.contains("Successfully fsck'd log with size 302 "), "{told}");
}

#[test]
fn an_interrupted_export_goes_on_and_never_is_taken_for_a_whole_one() {
    let ledger = ledger_of(1_500);
    let whole = ledger.beside("whole");
    export(&ledger, &whole).ended(0);
    // As a kill leaves it: some files, one of them half written beside its place, and no checkpoint.
    let cut = copy(&ledger, &whole, "cut");
    fs::remove_file(cut.join("checkpoint")).unwrap();
    for name in ["tile/entries/003", "tile/entries/004", "tile/0/003", "tile/1/000.p/5"] {
        fs::remove_file(cut.join(name)).unwrap();
    }
    let half = fs::read(whole.join("tile/entries/003")).unwrap();
    fs::write(cut.join("tile/entries/003.new"), &half[..half.len() / 2]).unwrap();
    refused(&cut, &ledger.policy(), 2, "holds no checkpoint");
    export(&ledger, &cut).ended(0);
    assert_eq!(contents(&cut), contents(&whole));
    // Killed wherever it is.
    for number in 0..4 {
        let out = ledger.beside(&format!("killed-{number}"));
        let mut exporting = command();
        exporting.args(["export", "--to", out.to_str().unwrap(), "--data", ledger.data().to_str().unwrap()]);
        let mut exporting = exporting.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("something is there", || out.exists() && all_files(&out).len() > number * 3);
        exporting.kill().unwrap();
        exporting.wait().unwrap();
        let is_whole = out.join("checkpoint").exists();
        replay(&out, &ledger.policy(), &[]).ended(if is_whole { 0 } else { 2 });
        export(&ledger, &out).ended(0);
        assert_eq!(contents(&out), contents(&whole));
    }
    // Cut off before the next checkpoint: what the one before covers is there still, and is proved.
    import(&ledger, 1_500..1_600);
    export(&ledger, &whole).ended(0);
    for name in ["tile/entries/006", "tile/0/006"] {
        fs::copy(whole.join(name), cut.join(name)).unwrap_or_default();
    }
    replay(&cut, &ledger.policy(), &[]).ended(0);
    export(&ledger, &cut).ended(0);
    assert_eq!(contents(&cut), contents(&whole));
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let (ledger, other) = (ledger_of(300), ledger_of(20));
    let out = ledger.beside("out");
    let fails = |ledger: &LedgerFolder, to: &Path, words: &str| {
        let before = to.is_dir().then(|| contents(to));
        let run = export(ledger, to).ended(1);
        assert!(run.stderr.contains(words), "expected {words:?} in {}", run.stderr);
        assert_eq!(to.is_dir().then(|| contents(to)), before);
    };
    fails(&ledger, &ledger.file("a-file", "x"), "is no folder");
    fs::create_dir(ledger.beside("theirs")).unwrap();
    ledger.file("theirs/a-file", "x");
    fails(&ledger, &ledger.beside("theirs"), "holds other files, and no export");
    export(&ledger, &out).ended(0);
    // The same origin, and another history from its first record on.
    fails(&other, &out, "they part at record 0");
    let short = ledger.beside("short");
    export(&other, &short).ended(0);
    fails(&ledger, &short, "they part at record 0");
    // Another history from a later record on: a copy of the ledger that went on by itself.
    let aside = ledger.standby();
    for (file, bytes) in contents(&ledger.data()) {
        let to = aside.data().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    fs::copy(ledger.beside("ledger.anchor"), aside.beside("ledger.anchor")).unwrap();
    fails_behind(&ledger, &aside, &out);
    import(&aside, 1_000..1_010);
    fails(&aside, &out, "they part at record 302");
    // Another log.
    let stranger = LedgerFolder::empty();
    stranger.run(&["init", "--origin", "other.example/log"]).ended(0);
    fails(&stranger, &out, "holds an export of tests.example/audit, and this is the log other.example/log");
    // What was damaged is not gone on from.
    let damaged = copy(&ledger, &out, "damaged");
    let tile = partial(&damaged.join("tile/0/001.p"));
    fs::write(&tile, vec![7; fs::read(&tile).unwrap().len()]).unwrap();
    import(&ledger, 400..405);
    fails(&ledger, &damaged, "does not come to the root of the checkpoint beside it");
}

/// A copy that is behind what was exported is refused, and changes nothing.
fn fails_behind(ledger: &LedgerFolder, behind: &LedgerFolder, out: &Path) {
    import(ledger, 300..310);
    export(ledger, out).ended(0);
    let before = contents(out);
    let run = export(behind, out).ended(1);
    assert!(run.stderr.contains("holds 313 records of the log, which shows only 302"), "{}", run.stderr);
    assert_eq!(contents(out), before);
}

/// Writes records over those of a folder, under a checkpoint that the log's own key signs; tiles of hashes are left out.
fn sign_over(ledger: &LedgerFolder, folder: &Path, records: &[Vec<u8>]) {
    fs::remove_dir_all(folder.join("tile")).unwrap();
    fs::create_dir_all(folder.join("tile/entries")).unwrap();
    let mut tree = Frontier::new();
    for (number, bundle) in records.chunks(256).enumerate() {
        let mut bytes = Vec::new();
        for record in bundle {
            tree.append(hash(record), |_| ());
            bytes.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(record);
        }
        let folder = folder.join("tile/entries");
        match bundle.len() {
            256 => fs::write(folder.join(format!("{number:03}")), bytes).unwrap(),
            width => {
                fs::create_dir(folder.join(format!("{number:03}.p"))).unwrap();
                fs::write(folder.join(format!("{number:03}.p/{width}")), bytes).unwrap();
            }
        }
    }
    let checkpoint = Checkpoint { size: TreeSize(records.len() as u64), root: tree.root(), ..read_checkpoint(ledger) };
    fs::write(folder.join("checkpoint"), checkpoint.sign(&ledger.signing_key()).unwrap().format()).unwrap();
}

#[test]
fn nothing_that_is_falsified_is_proved_whoever_signs_it() {
    let ledger = ledger_of(300);
    let (out, policy) = (ledger.beside("out"), ledger.policy());
    export(&ledger, &out).ended(0);
    let mut records = Vec::new();
    for (bundle, count) in [(out.join("tile/entries/000"), 256), (partial(&out.join("tile/entries/001.p")), 46)] {
        let bytes = fs::read(bundle).unwrap();
        records.extend(records_in(&bytes, count).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    let signed = |name: &str, records: &[Vec<u8>]| {
        let folder = copy(&ledger, &out, name);
        sign_over(&ledger, &folder, records);
        folder
    };
    replay(&signed("same", &records), &policy, &[]).ended(0);
    let seal = decode(&records[301]).unwrap();
    let of_seal = |change: &dyn Fn(&mut counterfoil_proto::v1::Seal)| {
        let mut changed = seal.clone();
        let Some(Body::Seal(seal)) = &mut changed.body else { panic!("it ends with a seal") };
        change(seal);
        [&records[..301], &[encode(&changed).unwrap()]].concat()
    };
    let dropped = [&records[..100], &records[101..]].concat();
    let mut swapped = records.clone();
    swapped.swap(100, 101);
    let stale = Record { index: 302, prev: hash(&records[301]).0.as_bytes().to_vec(), ..seal.clone() };
    let stale = [&records[..], &[encode(&stale).unwrap()]].concat();
    let root = of_seal(&|seal| seal.map_root[0] ^= 1);
    let counts = of_seal(&|seal| seal.sources[0].events -= 1);
    for (name, records, words) in [
        ("dropped", dropped, "falsified (chain): record 100: index 101 stands at place 100"),
        ("swapped", swapped, "falsified (chain): record 100: index 101 stands at place 100"),
        ("stale", stale, "falsified (seal): record 302: expected nothing of okta/default/system-log"),
        ("root", root, "falsified (seal): record 301: expected the map root"),
        ("counts", counts, "falsified (seal): record 301: expected"),
    ] {
        refused(&signed(name, &records), &policy, 1, words);
    }
    // A history that ends earlier, under the checkpoint of the longer one.
    let short = signed("short", &records[..290]);
    fs::copy(out.join("checkpoint"), short.join("checkpoint")).unwrap();
    refused(&short, &policy, 2, "tile/entries/001.p/46 is missing");
    // Other keys, other logs.
    refused(&out, &LedgerFolder::init().policy(), 1, "falsified (checkpoint)");
    let stranger = LedgerFolder::empty();
    stranger.run(&["init", "--origin", "other.example/log"]).ended(0);
    refused(&out, &stranger.policy(), 1, "falsified (checkpoint)");
}

#[test]
fn a_hostile_folder_is_refused_and_nothing_waits_for_it() {
    let ledger = ledger_of(300);
    let (out, policy) = (ledger.beside("out"), ledger.policy());
    export(&ledger, &out).ended(0);
    refused(&ledger.beside("nowhere"), &policy, 2, "nowhere");
    refused(&ledger.file("a-file", "x"), &policy, 2, "is no folder");
    let hostile = |name: &str, file: &str, change: &dyn Fn(&Path), words: &str| {
        let folder = copy(&ledger, &out, name);
        let file = folder.join(file);
        if file.is_dir() {
            fs::remove_dir_all(&file).unwrap()
        } else {
            fs::remove_file(&file).unwrap()
        }
        change(&file);
        refused(&folder, &policy, 2, words);
    };
    let pipe = |file: &Path| assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
    hostile("pipe", "tile/entries/000", &pipe, "tile/entries/000 is no file");
    hostile("head", "checkpoint", &pipe, "checkpoint is no file");
    let device = |file: &Path| std::os::unix::fs::symlink("/dev/zero", file).unwrap();
    hostile("device", "tile/0/000", &device, "tile/0/000 is no file");
    let elsewhere = out.join("tile/entries");
    let link = |file: &Path| std::os::unix::fs::symlink(&elsewhere, file).unwrap();
    hostile("link", "tile/entries", &link, "tile/entries is no folder");
    let huge = |file: &Path| fs::File::create(file).unwrap().set_len(1 << 40).unwrap();
    hostile("huge", "tile/entries/000", &huge, "expected at most 16777472");
    hostile("huge-tile", "tile/0/000", &huge, "expected at most 8192");
    hostile("huge-head", "checkpoint", &huge, "expected at most 1048576");
    hostile("folder", "tile/entries/000", &|file| fs::create_dir(file).unwrap(), "tile/entries/000 is no file");
    // What is no part of it is not looked at.
    fs::write(out.join("tile/entries/002"), "x").unwrap();
    pipe(&out.join("tile/0/001"));
    replay(&out, &policy, &[]).ended(0);
}
