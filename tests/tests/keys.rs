//! The log's key is changed: nobody notices while both keys sign, witnesses carry a policy to the next one, and from the
//! retirement on the former key is nobody's; wherever a run is cut off, the next one goes on.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{events, log_key};
use counterfoil_ingest::key::Announcement;
use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock, begin_rotation, finish_rotation};
use counterfoil_proto::v1::KeyRotation;
use counterfoil_tests::files::lines;
use counterfoil_tests::kafka::until;
use counterfoil_tests::program::{LedgerFolder, Run, program, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::attest::{AttestError, Attested};
use counterfoil_verify::note::{CosigningKey, VerifierKey};
use counterfoil_verify::policy::Policy;

const ROTATE: [&str; 6] = ["key", "rotate", "--by", "ops@example.com", "--reason", "yearly"];

fn import(ledger: &LedgerFolder, name: &str, count: u32) {
    let file = ledger.file(name, lines(&events(count)));
    ledger.run_sealing(&["import", "okta", file.to_str().unwrap()]).ended(0);
}

fn verify(arguments: &[&str]) -> Run {
    let program = program().with_file_name("counterfoil-verify");
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The records that announce a key.
fn announcements(ledger: &LedgerFolder) -> Vec<u64> {
    let size: u64 = ledger.run(&["checkpoint"]).ended(0).text().lines().nth(1).unwrap().parse().unwrap();
    let announces = |index: &u64| {
        let record = ledger.run(&["record", &index.to_string(), "--output", "json"]).json::<serde_json::Value>();
        record["record"]["keyAnnouncement"].is_object()
    };
    (1..size).filter(announces).collect()
}

fn evidence(ledger: &LedgerFolder, name: &str) -> PathBuf {
    let out = ledger.beside(name);
    ledger.run_sealing(&["evidence", "absence", "nobody@example.com", "--out", text(&out)]).ended(0);
    out
}

/// A file with a policy: that of the ledger's own with this witness, who has to have cosigned.
fn watched(ledger: &LedgerFolder, own: &str, witness: (&VerifierKey, &str)) -> PathBuf {
    let line = format!("witness w {} {}\nquorum w\n", witness.0, witness.1);
    ledger.file("watched.policy", own.replace("quorum none\n", "") + &line)
}

#[test]
fn the_key_is_changed_and_policies_follow() {
    let ledger = LedgerFolder::init();
    import(&ledger, "a.jsonl", 20);
    let backups = ledger.beside("backups");
    ledger.run(&["backup", "--to", text(&backups)]).ended(0);
    let (old_key, old) = (log_key(&ledger), fs::read_to_string(ledger.policy()).unwrap());
    let old_policy = ledger.file("old.policy", &old);
    let before = evidence(&ledger, "before.evidence");
    assert!(ledger.run(&["key", "retire"]).ended(1).stderr.contains("no former key signs"));

    let rotated: KeyRotation = ledger.run_sealing(&[&ROTATE[..], &["--output", "json"]].concat()).json();
    let new_key = log_key(&ledger);
    assert_eq!((rotated.former, rotated.key), (old_key.to_string(), new_key.to_string()));
    assert_ne!(new_key, old_key, "the policy beside the ledger names the new key");
    assert_eq!(announcements(&ledger), [rotated.record]);
    let told = ledger.run(&["record", &rotated.record.to_string()]).ended(0);
    assert!(told.text().contains(&new_key.to_string()) && told.text().contains("yearly"), "{}", told.text());
    ledger.run(&["fsck"]).ended(0);
    // Both sign, also who asked for evidence, so that either policy will do.
    let during = evidence(&ledger, "during.evidence");
    let new_policy = ledger.policy();
    for (file, policy) in [(&before, &old_policy), (&during, &old_policy), (&during, &new_policy)] {
        let told = verify(&[text(file), "--policy", text(policy)]).ended(0);
        assert!(told.text().contains("PROVED\n"), "{}", told.text());
    }
    verify(&[text(&before), "--policy", text(&new_policy)]).ended(1);
    let refused = ledger.run_sealing(&ROTATE).ended(1);
    assert!(refused.stderr.contains("the former key still signs"), "{}", refused.stderr);

    // A witness who knows the former key has seen the announcement: who has a policy with that witness takes the new key.
    let witness_folder = LedgerFolder::empty();
    let logs = ledger.file("logs.policy", format!("log {old_key}\nquorum none\n"));
    let witness = Server::witness(&witness_folder, &logs, "127.0.0.1:0");
    let key = fs::read_to_string(witness_folder.data().join("cosigner.key")).unwrap();
    let key = CosigningKey::parse(key.trim_end()).unwrap().verifier_key();
    let asked = watched(&ledger, &old, (&key, &witness.url()));
    let server = Server::start_with(&ledger, &["--listen", "127.0.0.1:0", "--witnesses", text(&asked)]);
    let policy = Policy::parse(&fs::read(&asked).unwrap()).unwrap();
    let proof = || run(&["proof", &rotated.record.to_string(), "--with-record", "--server", &server.url()]).ended(0);
    let is_cosigned = || {
        let proof = counterfoil_verify::proof::TlogProof::parse(&proof().stdout).unwrap();
        Attested::open(&proof.checkpoint_note, &policy).is_ok()
    };
    until("it is cosigned", is_cosigned);
    let file = ledger.file("key.tlog-proof", proof().stdout);
    let busy = ledger.run(&ROTATE).ended(1);
    assert!(busy.stderr.contains("in use") || busy.stderr.contains("process"), "{}", busy.stderr);
    server.stop();
    let taken = verify(&["--succession", text(&file), "--policy", text(&asked)]).ended(0);
    let expected = fs::read_to_string(&asked).unwrap().replace(&old_key.to_string(), &new_key.to_string());
    assert_eq!(Policy::parse(taken.stdout.as_slice()), Policy::parse(expected.as_bytes()));
    assert!(taken.stderr.contains("1 witnesses of the policy"), "{}", taken.stderr);
    let refused = verify(&["--succession", text(&file), "--policy", text(&old_policy)]).ended(1);
    assert!(refused.stderr.contains("no quorum of witnesses") && refused.stdout.is_empty(), "{}", refused.stderr);
    let other = run(&["proof", "3", "--with-record", "--data", text(&ledger.data())]).ended(0);
    let other = ledger.file("other.tlog-proof", other.stdout);
    verify(&["--succession", text(&other), "--policy", text(&asked)]).ended(1);

    // Retired: it signs nothing more, and whoever knows no other key is told what to do.
    let retired = ledger.run(&["key", "retire"]).ended(0);
    assert!(retired.text().contains(&old_key.to_string()), "{}", retired.text());
    import(&ledger, "b.jsonl", 40);
    let after = evidence(&ledger, "after.evidence");
    verify(&[text(&after), "--policy", text(&new_policy)]).ended(0);
    let refused = verify(&[text(&after), "--policy", text(&old_policy)]).ended(1);
    assert!(refused.stderr.contains("--succession"), "{}", refused.stderr);
    ledger.run(&["fsck"]).ended(0);
    let note = ledger.run(&["checkpoint"]).ended(0).stdout;
    let opened = Policy::parse(old.as_bytes()).unwrap();
    assert!(matches!(Attested::open(&note, &opened), Err(AttestError::Note(_) | AttestError::NoLog { .. })));
    // What the former key signed before is known to be the log's: a backup is read with the keys of today.
    let restored = LedgerFolder::empty();
    let keys = ledger.data().join("keys");
    let arguments = ["restore", "--from", text(&backups), "--keys", text(&keys), "--redactions-lost"];
    restored.run(&arguments).ended(0);
    // And once more.
    let again: KeyRotation = ledger.run_sealing(&[&ROTATE[..], &["--output", "json"]].concat()).json();
    assert_eq!(again.former, new_key.to_string());
    assert_eq!(announcements(&ledger), [rotated.record, again.record]);
    ledger.run(&["fsck"]).ended(0);
}

/// Wherever a run is cut off, both keys go on to sign as they should, and the next run ends it with one announcement.
#[test]
fn a_rotation_that_is_cut_off_is_done_again() {
    let bytes = |bytes: &mut [u8]| bytes.iter_mut().zip(1..).for_each(|(byte, number)| *byte = number);
    for cut in 0..4 {
        let ledger = LedgerFolder::init();
        import(&ledger, "a.jsonl", 5);
        let old = fs::read(ledger.policy()).unwrap();
        let location = Location::new(&ledger.data(), None);
        let keys = |name: &str| ledger.data().join("keys").join(name);
        begin_rotation(&location, "a test", &mut |filled: &mut [u8]| bytes(filled)).unwrap();
        // Begun twice is begun once.
        let next = fs::read(keys("next.key")).unwrap();
        begin_rotation(&location, "a test", &mut |_| panic!("there is one")).unwrap();
        if cut > 0 {
            let options = Options {
                clock: Box::new(SystemClock::new()),
                accept_clock: false,
                holder: "a test".to_owned(),
                sealing: Sealing::AtTheEnd,
            };
            let opened = Ledger::open(&location, options).unwrap();
            let key = opened.next_key().1.unwrap();
            let said =
                Announcement { reason: "yearly".to_owned(), by: "ops@example.com".to_owned(), why: String::new() };
            said.append(&opened, &key, &|| [7; 32]).unwrap();
        }
        let log = fs::read(keys("log.key")).unwrap();
        if cut > 1 {
            finish_rotation(&location, "a test").unwrap();
            fs::write(keys("next.key"), &next).unwrap();
        }
        if cut == 2 {
            fs::write(keys("log.key"), &log).unwrap();
            // The policy is put in its place last.
            fs::write(ledger.policy(), &old).unwrap();
        }
        // Whoever has the old policy accepts what is signed now, whatever became of the run.
        import(&ledger, "b.jsonl", 9);
        let note = ledger.run(&["checkpoint"]).ended(0).stdout;
        Attested::open(&note, &Policy::parse(&old).unwrap()).unwrap();
        ledger.run(&["fsck"]).ended(0);
        let rotated = ledger.run_sealing(&ROTATE);
        match cut {
            3 => assert!(rotated.ended(1).stderr.contains("the former key still signs")),
            _ => drop(rotated.ended(0)),
        }
        assert_eq!(announcements(&ledger).len(), 1, "cut {cut}");
        assert_ne!(fs::read(ledger.policy()).unwrap(), old, "cut {cut}");
        let note = ledger.run(&["checkpoint"]).ended(0).stdout;
        Attested::open(&note, &Policy::parse(&fs::read(ledger.policy()).unwrap()).unwrap()).unwrap();
        ledger.run(&["key", "retire"]).ended(0);
        let left: Vec<_> =
            ["next.key", "former.key", "next.key.new"].into_iter().filter(|name| keys(name).exists()).collect();
        assert!(left.is_empty(), "cut {cut}: {left:?}");
        import(&ledger, "c.jsonl", 12);
        ledger.run(&["fsck"]).ended(0);
    }
}

#[test]
fn a_policy_that_people_edited_is_left_to_them() {
    let ledger = LedgerFolder::init();
    let edited = fs::read_to_string(ledger.policy()).unwrap() + "# kept by the auditors\n";
    fs::write(ledger.policy(), &edited).unwrap();
    let told = ledger.run_sealing(&ROTATE).ended(0);
    assert!(told.text().contains("was edited, and is left as it is"), "{}", told.text());
    assert_eq!(fs::read_to_string(ledger.policy()).unwrap(), edited);
    for (by, reason, words) in [("a", "it was time", "reason: expected a code"), (" ", "yearly", "by: expected who")] {
        let run = ledger.run(&["key", "rotate", "--by", by, "--reason", reason]).ended(2);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}
