//! The log's key is changed: nobody notices while both keys sign, witnesses carry a policy to the next one, and from the
//! retirement on the former key is nobody's; wherever a run is cut off, the next one goes on.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{events, log_key};
use counterfoil_ingest::key::Announcement;
use counterfoil_ledger::{Ledger, LedgerError, Location, Options, Sealing, SystemClock, finish_rotation};
use counterfoil_proto::v1::KeyRotation;
use counterfoil_tests::files::lines;
use counterfoil_tests::kafka::until;
use counterfoil_tests::program::{LedgerFolder, Run, program, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::attest::{AttestError, Attested};
use counterfoil_verify::note::{CosigningKey, Note, VerifierKey};
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
    // Asked again, it tells what it told, in case that was lost.
    let refused = ledger.run_sealing(&ROTATE).ended(1);
    let told = format!("Record {} announces {new_key} in the place of {old_key}", rotated.record);
    assert!(refused.stderr.contains("the former key still signs"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&told), "{}", refused.stderr);
    let kept = ledger.beside(&format!("ledger.policy.{}", old_key.id()));
    assert_eq!(fs::read_to_string(kept).unwrap(), old, "the policy of before is kept");
    assert_eq!(ledger.run(&["proof", "3", "--with-record", "--output", "json"]).code, 2);

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
    assert!(busy.stderr.contains("process "), "it says which one has the ledger: {}", busy.stderr);
    server.stop();
    let taken = verify(&["--succession", text(&file), "--policy", text(&asked)]).ended(0);
    let expected = fs::read_to_string(&asked).unwrap().replace(&old_key.to_string(), &new_key.to_string());
    assert_eq!(Policy::parse(taken.stdout.as_slice()), Policy::parse(expected.as_bytes()));
    assert!(taken.stderr.contains("one witness of the policy"), "{}", taken.stderr);
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
    // The first announcement is in every later tree, and brings the retired key back to nobody.
    let refused = verify(&["--succession", text(&file), "--policy", text(&ledger.file("taken.policy", &taken.stdout))]);
    assert!(refused.ended(1).stdout.is_empty());
    // And once more.
    let again: KeyRotation = ledger.run_sealing(&[&ROTATE[..], &["--output", "json"]].concat()).json();
    assert_eq!(again.former, new_key.to_string());
    assert_eq!(announcements(&ledger), [rotated.record, again.record]);
    ledger.run(&["fsck"]).ended(0);
}

fn open(location: &Location) -> Ledger {
    in_turn(|| {
        let options = Options {
            clock: Box::new(SystemClock::new()),
            accept_clock: false,
            holder: "a test".to_owned(),
            sealing: Sealing::AtTheEnd,
        };
        Ledger::open(location, options)
    })
}

/// Takes what needs the ledger for itself. A process that another test starts has all files of this one for a moment, and locks.
fn in_turn<T>(mut take: impl FnMut() -> Result<T, LedgerError>) -> T {
    let mut taken = None;
    until("nobody has the ledger", || match take() {
        Err(LedgerError::InUse { .. }) => false,
        other => {
            taken = Some(other.unwrap());
            true
        }
    });
    taken.unwrap()
}

/// Wherever a run is cut off, both keys go on to sign as they should, and the next run ends it with one announcement. The cuts:
/// the next key is made; it is announced; the former key is put aside; the next one is in its place; the policy is, too.
#[test]
fn a_rotation_that_is_cut_off_is_done_again() {
    for cut in 0..5 {
        let ledger = LedgerFolder::init();
        import(&ledger, "a.jsonl", 5);
        let old = fs::read(ledger.policy()).unwrap();
        let location = Location::new(&ledger.data(), None);
        let keys = |name: &str| ledger.data().join("keys").join(name);
        // As a cut leaves it: half a key beside the place of the next one.
        fs::write(keys("next.key.new"), "counterfoil-key v1 ne").unwrap();
        open(&location).begin_rotation(&location, &mut |bytes| bytes.fill(7)).unwrap();
        let (log, next) = (fs::read(keys("log.key")).unwrap(), fs::read(keys("next.key")).unwrap());
        // Begun twice is begun once.
        open(&location).begin_rotation(&location, &mut |_| panic!("there is one")).unwrap();
        if cut > 0 {
            let opened = open(&location);
            let change = opened.rotation().unwrap();
            let (reason, by) = ("yearly".to_owned(), "ops@example.com".to_owned());
            let said = Announcement { reason, by, why: String::new() };
            assert!(said.append(&opened, (&change.former, &change.next), &|| [7; 32]).unwrap().1);
            drop(opened);
            if cut > 1 {
                in_turn(|| finish_rotation(&location, &change, "a test"));
                fs::write(keys("next.key"), &next).unwrap();
            }
        }
        if cut == 2 {
            fs::write(keys("log.key"), &log).unwrap();
        }
        if cut < 4 {
            fs::write(ledger.policy(), &old).unwrap();
        }
        // Whoever has the old policy accepts what is signed now, whatever became of the run.
        import(&ledger, "b.jsonl", 9);
        let note = ledger.run(&["checkpoint"]).ended(0).stdout;
        Attested::open(&note, &Policy::parse(&old).unwrap()).unwrap();
        ledger.run(&["fsck"]).ended(0);
        if cut > 0 {
            assert!(ledger.run(&["key", "retire"]).ended(1).stderr.contains("is not finished"), "cut {cut}");
        }
        let rotated = ledger.run_sealing(&ROTATE).ended(0);
        assert_eq!(rotated.stderr.contains("announced this key before"), cut > 0, "{}", rotated.stderr);
        assert_eq!(announcements(&ledger).len(), 1, "cut {cut}");
        assert_ne!(fs::read(ledger.policy()).unwrap(), old, "cut {cut}");
        let note = ledger.run(&["checkpoint"]).ended(0).stdout;
        for policy in [&old, &fs::read(ledger.policy()).unwrap()] {
            Attested::open(&note, &Policy::parse(policy).unwrap()).unwrap();
        }
        let mode = fs::metadata(keys("former.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
        ledger.run(&["key", "retire"]).ended(0);
        let names: Vec<_> =
            fs::read_dir(ledger.data().join("keys")).unwrap().map(|file| file.unwrap().file_name()).collect();
        let left: Vec<_> = names.iter().filter(|name| !KEPT.contains(&name.to_str().unwrap())).collect();
        assert!(left.is_empty(), "cut {cut}: {left:?}");
        import(&ledger, "c.jsonl", 12);
        ledger.run(&["fsck"]).ended(0);
    }
}

const KEPT: [&str; 4] = ["log.key", "index.key", "ingest.key", "retired.keys"];

/// Whoever brings back the keys of before a change does not go on with them.
#[test]
fn keys_of_before_a_change_open_nothing() {
    let ledger = LedgerFolder::init();
    import(&ledger, "a.jsonl", 5);
    let folder = ledger.data().join("keys");
    let keep = |name: &str| (folder.join(name), fs::read(folder.join(name)).unwrap());
    let before = keep("log.key");
    ledger.run_sealing(&ROTATE).ended(0);
    let during = [keep("log.key"), keep("former.key")];
    fs::remove_file(folder.join("former.key")).unwrap();
    fs::write(&before.0, &before.1).unwrap();
    let refused = ledger.run(&["checkpoint"]);
    assert!(refused.code != 0 && refused.stderr.contains("is not the newest"), "{}", refused.stderr);
    during.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    ledger.run(&["key", "retire"]).ended(0);
    import(&ledger, "b.jsonl", 9);
    // A copy that has the former key still, and knows that it was retired.
    fs::write(&during[1].0, &during[1].1).unwrap();
    import(&ledger, "c.jsonl", 12);
    let note = ledger.run(&["checkpoint"]).ended(0).stdout;
    assert_eq!(Note::parse(&note).unwrap().signatures().len(), 1, "it signs no more");
    fs::remove_file(&during[1].0).unwrap();
    fs::write(&before.0, &before.1).unwrap();
    assert_ne!(ledger.run(&["checkpoint"]).code, 0);
}

/// A copy of the log goes on with the policy that names the new key, also where the former one signed all that it has.
#[test]
fn a_replica_goes_on_with_either_policy() {
    let ledger = LedgerFolder::init();
    import(&ledger, "a.jsonl", 20);
    let old = ledger.file("old.policy", fs::read(ledger.policy()).unwrap());
    let replica = LedgerFolder::empty();
    let size = |server: &Server| -> u64 {
        let told = run(&["checkpoint", "--server", &server.url()]);
        told.text().lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or_default()
    };
    let follow = |policy: &Path| {
        let server = Server::start(&ledger);
        let whole = size(&server);
        let copy = Server::query(&replica, policy, &server.url(), &[] as &[&str]);
        until("it has all of it", || size(&copy) == whole);
        copy.stop();
        server.stop();
    };
    follow(&old);
    ledger.run_sealing(&ROTATE).ended(0);
    // Nothing that the new key signed is there yet.
    follow(&ledger.policy());
    import(&ledger, "b.jsonl", 30);
    follow(&old);
    ledger.run(&["key", "retire"]).ended(0);
    import(&ledger, "c.jsonl", 40);
    follow(&ledger.policy());
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
