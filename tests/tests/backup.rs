//! Backups, restoring and new incarnations, as somebody runs them: a backup is what was signed, what is restored is that and is
//! redacted again, and nothing goes on in silence from less than was acknowledged.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stored;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use counterfoil_proto::v1::{CreateBackupResponse, FsckReport, IncarnationReport, ListBackupsResponse, RestoreReport};
use counterfoil_tests::feed::Feed;
use counterfoil_tests::files::{holds, lines};
use counterfoil_tests::http::{Answer, curl, curl_with};
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::{joined, login};
use counterfoil_tests::program::{LedgerFolder, ORIGIN, Run, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::policy::Policy;
use serde_json::{Value, json};
use stored::Stored;
use tempfile::TempDir;

/// Somebody whose address stands nowhere else.
const WHO: u32 = 424_242;

/// A folder of backups, and what is kept apart: a copy of the keys.
struct Vault {
    folder: TempDir,
}

impl Vault {
    fn of(ledger: &LedgerFolder) -> Self {
        let vault = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(vault.keys()).unwrap();
        for key in fs::read_dir(ledger.data().join("keys")).unwrap().map(|key| key.unwrap().path()) {
            fs::copy(&key, vault.keys().join(key.file_name().unwrap())).unwrap();
        }
        vault
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn backup(&self, ledger: &LedgerFolder, further: &[&str]) -> CreateBackupResponse {
        let to = self.path();
        ledger.run(&[&["backup", "--to", to.to_str().unwrap(), "--output", "json"], further].concat()).json()
    }

    /// Restores to a folder of its own, with the anchor of a ledger as it outlived that, and what lies beside it.
    fn restore(&self, ledger: &LedgerFolder, further: &[&str]) -> (LedgerFolder, Run) {
        let restored = LedgerFolder::empty();
        for file in ["ledger.anchor", "ledger.anchor.redactions"] {
            fs::copy(ledger.beside(file), restored.beside(file)).unwrap();
        }
        let (from, keys) = (self.path(), self.keys());
        let own = ["restore", "--from", from.to_str().unwrap(), "--keys", keys.to_str().unwrap(), "--output", "json"];
        let run = restored.run(&[&own, further].concat());
        (restored, run)
    }
}

fn import(ledger: &LedgerFolder, events: &[Value]) {
    let file = ledger.file("events.jsonl", lines(events));
    ledger.import("okta", &file, &[]).ended(0);
    fs::remove_file(file).unwrap();
}

fn event(number: u32) -> Value {
    joined(number, "2026-03-01T09:00:00Z", number % 50, number % 7)
}

fn sound(ledger: &LedgerFolder) -> FsckReport {
    let report: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    assert!(report.sound, "{report:?}");
    report
}

/// A server that makes backups when it is asked.
fn serve(ledger: &LedgerFolder, vault: &Vault) -> Server {
    let to = vault.path();
    Server::start_with(ledger, &["--listen", "127.0.0.1:0", "--backups", to.to_str().unwrap()])
}

fn ask(server: &Server) -> Answer {
    curl(&["--json", "{}", &format!("{}/v1/backups", server.url())])
}

/// While producers feed a server it makes backups: each is what was signed at some moment, and what was acknowledged before it
/// was asked for is in it.
#[test]
fn a_server_makes_backups_while_it_is_fed() {
    let ledger = LedgerFolder::init();
    let vault = Vault::of(&ledger);
    let server = serve(&ledger, &vault);
    let feed = Arc::new(Feed::default());
    let head = || curl(&[format!("{}/v1/checkpoint", server.url())]).json(200)["basis"]["treeSize"].clone();
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let mut sizes = Vec::new();
    let mut listed = Value::Null;
    let fed = std::thread::spawn({
        let (feed, address) = (feed.clone(), server.address.clone());
        move || feed.post(&address)
    });
    until("something is there", || number(&head()) > 3);
    for _ in 0..4 {
        let before = number(&head());
        let made = ask(&server).json(200);
        let size = number(&made["backup"]["treeSize"]);
        assert!(before <= size && size <= number(&head()), "{made}");
        sizes.push(size);
        listed = curl(&[format!("{}/v1/backups?check=true", server.url())]).json(200);
    }
    let refused = curl(&[format!("{}/v1/backups?check=maybe", server.url())]);
    assert_eq!(refused.status, 400, "{refused}");
    assert_eq!(listed["backups"].as_array().unwrap().len(), 4, "{listed}");
    assert!(listed["problems"].as_array().is_none_or(Vec::is_empty), "{listed}");
    server.stop();
    fed.join().unwrap();
    assert!(sizes[0] < sizes[3], "something came meanwhile: {sizes:?}");
    let whole: Vec<Vec<u8>> = {
        let ledger = stored::open(&ledger);
        stored::indexes(&ledger.reader()).map(|index| ledger.reader().record_bytes(index).unwrap()).collect()
    };
    for (id, size) in [(1, sizes[0]), (4, sizes[3])] {
        let (restored, done) = vault.restore(&ledger, &["--backup", &id.to_string()]);
        let report: RestoreReport = done.json();
        assert_eq!((report.backup, report.basis.unwrap().tree_size, report.anchored), (id, size, whole.len() as u64));
        assert_eq!(report.opens, size == whole.len() as u64);
        // As if that had been the newest.
        let backups = listed["backups"].as_array().unwrap();
        let id = id.to_string();
        let own = backups.iter().find(|backup| backup["id"].as_str() == Some(id.as_str())).unwrap();
        fs::write(restored.beside("ledger.anchor"), decoded(&own["checkpoint"])).unwrap();
        let report = sound(&restored);
        assert_eq!((report.records, report.beyond_anchor), (size, 0));
        let _ = fs::remove_file(restored.beside("ledger.anchor.lease"));
        let ledger = stored::open(&restored);
        for index in stored::indexes(&ledger.reader()) {
            assert_eq!(ledger.reader().record_bytes(index).unwrap(), whole[index.0 as usize]);
        }
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn nobody_names_a_folder_from_afar() {
    let ledger = LedgerFolder::init();
    let server = Server::start(&ledger);
    let refused = ask(&server).error(400);
    assert!(refused.contains("start it with --backups FOLDER"), "{refused}");
    let url = server.url();
    let refused = run(&["backup", "--server", &url, "--to", "/tmp/somewhere"]).ended(2);
    assert!(refused.stderr.contains("cannot be used with"), "{}", refused.stderr);
    assert_eq!(run(&["backup", "--server", &url]).ended(1).stderr.matches("--backups").count(), 1);
    server.stop();
    let vault = Vault::of(&ledger);
    let server = serve(&ledger, &vault);
    let made: CreateBackupResponse = run(&["backup", "--server", &server.url(), "--output", "json"]).json();
    assert_eq!(made.backup.unwrap().id, 1);
    // It is locked for whoever makes or reads one; callers are told no path.
    fs::write(vault.path().join("00000002.backup"), "damaged").unwrap();
    let told = run(&["backup", "--list", "--server", &server.url()]).ended(1);
    let folder = vault.path().display().to_string();
    assert!(told.stderr.contains("00000002.backup") && !told.stderr.contains(&folder), "{}", told.stderr);
    assert!(told.text().contains("holds what was redacted since"), "{}", told.text());
}

/// Killed at any moment of a backup: the earlier ones are good, and so is the next.
#[test]
fn a_server_that_is_killed_while_it_backs_up_leaves_the_earlier_ones() {
    let ledger = LedgerFolder::init();
    let vault = Vault::of(&ledger);
    import(&ledger, &(0..3_000).map(event).collect::<Vec<Value>>());
    let mut good = vec![vault.backup(&ledger, &[]).backup.unwrap()];
    let mut killed = 0;
    for round in 0..6u32 {
        import(&ledger, &(0..500).map(|number| event(10_000 + 500 * round + number)).collect::<Vec<Value>>());
        let server = serve(&ledger, &vault);
        let url = format!("{}/v1/backups", server.url());
        let (done, told) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let asked = Command::new("curl").args(["-sSf", "--json", "{}", &url]).output().unwrap();
                // Nobody may wait for it any more.
                let _ = done.send(asked.status.success());
            });
            let patience = Duration::from_millis(4 + 8 * u64::from(round));
            killed += u32::from(told.recv_timeout(patience).is_err());
            drop(server);
        });
        let left = listed(&ledger, &vault);
        assert_eq!(left.problems, Vec::<String>::new(), "round {round}");
        assert_eq!(left.backups[..good.len()], good, "round {round}");
        let next = vault.backup(&ledger, &[]);
        assert_eq!(next.problems, Vec::<String>::new(), "round {round}");
        good = listed(&ledger, &vault).backups;
        assert_eq!(good.last(), next.backup.as_ref());
        assert!(!ledger.data().join("frozen").exists(), "round {round}");
    }
    assert!(killed > 0, "some were killed on the way");
    let (restored, done) = vault.restore(&ledger, &[]);
    assert!(done.json::<RestoreReport>().opens);
    assert_eq!(sound(&restored).records, 6_001);
    let (_, first) = vault.restore(&ledger, &["--backup", "1"]);
    let first: RestoreReport = first.json();
    assert_eq!((first.opens, first.basis.unwrap().tree_size), (false, 3_001));
}

fn listed(ledger: &LedgerFolder, vault: &Vault) -> ListBackupsResponse {
    let to = vault.path();
    let run = ledger.run(&["backup", "--list", "--check", "--to", to.to_str().unwrap(), "--output", "json"]);
    serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr))
}

/// What was redacted after a backup was made is in no file of what is restored from it.
#[test]
fn a_restored_backup_is_redacted_again() {
    let ledger = LedgerFolder::init();
    let vault = Vault::of(&ledger);
    let others = (2..20).map(|number| joined(number, "2026-03-01T10:00:00Z", number % 5, 1));
    import(&ledger, &[vec![joined(1, "2026-03-01T09:00:00Z", WHO, 1)], others.collect()].concat());
    vault.backup(&ledger, &[]);
    let theirs = [login(WHO).into_bytes(), format!("Person {WHO}").into_bytes()];
    assert!(!Stored::of_files(&ledger).find(&theirs).is_empty() || !rows(&ledger, &theirs).is_empty(), "it is there");
    let person = login(WHO);
    let by = ["--reason", "erasure-request", "--rule", "gdpr/17-1-a", "--by", "dpo@authority.example"];
    ledger.run(&[&["redact", "--person", &person][..], &by].concat()).ended(0);
    let list = fs::read(ledger.beside("ledger.anchor.redactions")).unwrap();
    assert!(!theirs.iter().any(|their| holds(&list, their)), "nothing personal is beside the anchor");

    let (restored, done) = vault.restore(&ledger, &[]);
    let report: RestoreReport = done.json();
    assert_eq!((report.opens, report.redactions), (false, 1));
    assert!(report.removed_parts > 0, "{report:?}");
    assert_eq!(rows(&restored, &theirs), Vec::<String>::new());
    // Without the list it is refused, and with the word for it all is there again.
    fs::remove_file(ledger.beside("ledger.anchor.redactions")).unwrap();
    fs::write(ledger.beside("ledger.anchor.redactions"), "").unwrap();
    let (nothing, refused) = vault.restore(&ledger, &[]);
    assert!(refused.ended(1).stderr.contains("--redactions-lost"));
    assert!(!nothing.data().join("log").exists());
    let (restored, done) = vault.restore(&ledger, &["--redactions-lost"]);
    assert!(done.ended(0).stderr.contains("is there again: redact it before it serves"));
    assert!(!rows(&restored, &theirs).is_empty());
    // The backup itself holds it, until that is removed.
    fs::write(ledger.beside("ledger.anchor.redactions"), &list).unwrap();
    let old = listed(&ledger, &vault);
    assert!(old.backups[0].holds_redacted, "{old:?}");
    assert_eq!(vault.backup(&ledger, &["--forget-redacted"]).removed, [1]);
    let (restored, done) = vault.restore(&ledger, &[]);
    let report: RestoreReport = done.json();
    assert_eq!((report.opens, report.redactions, report.removed_parts), (true, 0, 0));
    assert_eq!(rows(&restored, &theirs), Vec::<String>::new());
    assert_eq!(sound(&restored).redacted, sound(&ledger).redacted);
}

/// Where any of these is in what a data folder holds, by whatever file.
fn rows(folder: &LedgerFolder, needles: &[Vec<u8>]) -> Vec<String> {
    Stored::of_files(folder).with_history(folder).find(needles)
}

/// What a ledger says to auditors: states, verdicts, histories.
fn answers(ledger: &LedgerFolder) -> Vec<Value> {
    let asked: [&[&str]; 4] = [
        &["state", "Person 5", "--at", "2026-04-01T00:00:00Z"],
        &["holders", "Group 1", "--at", "2026-04-01T00:00:00Z"],
        &["history", "Person 7"],
        &["explain", "--all"],
    ];
    let answer = |question: &&[&str]| {
        let mut answer: Value = ledger.run(&[question, &["--output", "json"][..]].concat()).json();
        // As of which moment of the log it was asked.
        answer.as_object_mut().unwrap().retain(|part, _| part != "basis" && part != "moment");
        answer
    };
    asked.iter().map(answer).collect()
}

/// A ledger loses its disk, and its backup is older than its anchor: it does not go on in silence. It goes on under a new name,
/// which everybody who knows the old one is told.
#[test]
fn what_was_lost_is_declared_and_everybody_sees_it() {
    let ledger = LedgerFolder::init();
    let vault = Vault::of(&ledger);
    let own = |number: u32| joined(number, "2026-03-01T09:00:00Z", 5 + number % 3, 1 + number % 2);
    let sealing = |folder: &LedgerFolder, events: &[Value]| {
        let file = folder.file("events.jsonl", lines(events));
        folder.run_sealing(&["import", "okta", file.to_str().unwrap()]).ended(0);
    };
    sealing(&ledger, &(0..20).map(own).collect::<Vec<_>>());
    vault.backup(&ledger, &[]);
    let before = answers(&ledger);
    let size = sound(&ledger).records;
    let proof = ledger.file("proof", ledger.run(&["proof", "7"]).ended(0).stdout);
    let record = ledger.file("record", ledger.run(&["record", "7", "--raw"]).ended(0).stdout);
    sealing(&ledger, &(20..24).map(own).collect::<Vec<_>>());
    let redacted = login(6);
    let by = ["--reason", "erasure-request", "--rule", "gdpr/17-1-a", "--by", "dpo@authority.example"];
    ledger.run(&[&["redact", "--person", &redacted][..], &by].concat()).ended(0);
    let anchored = sound(&ledger).records;
    // Somebody follows it meanwhile.
    let replica = LedgerFolder::empty();
    let server = Server::start(&ledger);
    let follower = Server::query(&replica, &ledger.policy(), &server.url(), &[] as &[&str]);
    until("it is copied", || curl(&[format!("{}/v1/sources?minTreeSize={anchored}", follower.url())]).status == 200);
    follower.stop();
    server.stop();

    let (restored, done) = vault.restore(&ledger, &[]);
    let report: RestoreReport = done.json();
    assert_eq!((report.opens, report.basis.unwrap().tree_size, report.anchored), (false, size, anchored));
    let refused = restored.run(&["sources"]).ended(1);
    let why = format!("it holds {size} records, and {anchored} were acknowledged");
    assert!(refused.stderr.contains(&why) && refused.stderr.contains("counterfoil incarnation"), "{}", refused.stderr);

    let declare = |new: &LedgerFolder, origin: &str| {
        let from = restored.data();
        let arguments = ["incarnation", "--from", from.to_str().unwrap(), "--origin", origin, "--reason", "disk-lost"];
        let who = ["--by", "ops@example.com", "--why", "both disks failed", "--output", "json"];
        new.run(&[&arguments[..], &who].concat())
    };
    let new = LedgerFolder::empty();
    let name = format!("{ORIGIN}/2");
    let refused = declare(&new, ORIGIN).ended(1);
    assert!(refused.stderr.contains("is the name of a history already"), "{}", refused.stderr);
    let declared: IncarnationReport = declare(&new, &name).json();
    assert_eq!((declared.predecessor.as_str(), declared.left, declared.known), (ORIGIN, size, anchored));
    assert_eq!(declared.redactions, 1);
    assert!(declare(&new, &name).ended(1).stderr.contains("exists"));

    // It is a ledger as any other, and answers as before, less what was redacted.
    let report = sound(&new);
    assert_eq!(report.records, size + 2);
    assert!(report.redacted > 0, "{report:?}");
    let after = answers(&new);
    assert_eq!(after[0], before[0]);
    assert_eq!(after[3]["explanations"].as_array().map(Vec::len), before[3]["explanations"].as_array().map(Vec::len));
    assert_eq!(rows(&new, &[login(6).into_bytes()]), Vec::<String>::new());
    let first = record_of(&new, 0);
    let predecessor = &first["record"]["origin"]["predecessor"];
    assert_eq!((&predecessor["origin"], &predecessor["size"]), (&json!(ORIGIN), &json!(size.to_string())));
    assert_eq!(predecessor["knownSize"], json!(anchored.to_string()));
    let why = record_of(&new, size);
    let said: Value = serde_json::from_slice(&decoded(&why["payload"])).unwrap();
    assert_eq!((&said["reason"], &said["why"]), (&json!("disk-lost"), &json!("both disks failed")));
    assert_eq!(said["lostRecords"], json!(anchored - size));
    assert!(why.to_string().contains("ops@example.com"), "beside the record: {why}");

    // It goes on, and the old one does not.
    sealing(&new, &(22..30).map(own).collect::<Vec<_>>());
    assert_eq!(sound(&new).records, size + 2 + 8 + 1, "two that were lost come again, and a seal");
    assert!(restored.run(&["sources"]).ended(1).stderr.contains("has taken over the anchor"));

    // Verifiers: old proofs with the old policy, new ones with the new.
    let verify = |proof: &Path, record: &Path, policy: &Path| {
        let paths = [proof, record, policy].map(|path| path.to_str().unwrap().to_owned());
        run(&["verify", &paths[0], "--record", &paths[1], "--policy", &paths[2]])
    };
    verify(&proof, &record, &ledger.policy()).ended(0);
    let new_proof = new.file("proof", new.run(&["proof", "7"]).ended(0).stdout);
    let new_record = new.file("record", new.run(&["record", "7", "--raw"]).ended(0).stdout);
    verify(&new_proof, &new_record, &new.policy()).ended(0);
    let refused = verify(&new_proof, &new_record, &ledger.policy()).ended(1);
    assert!(refused.stderr.contains(&name) && refused.stderr.contains("after a loss"), "{}", refused.stderr);
    let both = [fs::read_to_string(ledger.policy()).unwrap(), fs::read_to_string(new.policy()).unwrap()];
    let logs: String = both
        .iter()
        .flat_map(|policy| policy.lines().filter(|line| line.starts_with("log ")))
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(Policy::parse(format!("{logs}quorum none\n").as_bytes()).unwrap().logs().len(), 2, "each has its key");

    // Followers and witnesses.
    let server = Server::start(&new);
    let follower = Server::query(&replica, &ledger.policy(), &server.url(), &[] as &[&str]);
    let told = || String::from_utf8(curl(&[format!("{}/readyz", follower.url())]).body).unwrap();
    until("the follower says so", || told().contains("is a new incarnation"));
    let told = told();
    let lost = format!("records {size} to {} are lost", anchored - 1);
    assert!(told.contains(&lost) && told.contains("Get the policy of the new one"), "{told}");
    follower.stop();
    let fresh = LedgerFolder::empty();
    let follower = Server::query(&fresh, &new.policy(), &server.url(), &[] as &[&str]);
    let size = sound_size(&server);
    until("it is copied", || curl(&[format!("{}/v1/sources?minTreeSize={size}", follower.url())]).status == 200);
    follower.stop();
    let witness = LedgerFolder::empty();
    let logs = ledger.file(
        "logs.policy",
        both[0].lines().filter(|line| line.starts_with("log ")).collect::<String>() + "\nquorum none\n",
    );
    let witness = Server::witness(&witness, &logs, "127.0.0.1:0");
    let checkpoint = curl(&[format!("{}/checkpoint", server.url())]).body;
    let request = [b"old 0\n\n".as_slice(), &checkpoint].concat();
    let refused = curl_with(&["--data-binary", "@-", &format!("{}/add-checkpoint", witness.url())], &request);
    let words = String::from_utf8(refused.body.clone()).unwrap();
    assert_eq!(refused.status, 404, "{words}");
    assert!(words.contains(&name) && words.contains("after a loss"), "{words}");
    server.stop();
}

fn sound_size(server: &Server) -> String {
    let head = curl(&[format!("{}/v1/checkpoint", server.url())]).json(200);
    head["basis"]["treeSize"].as_str().unwrap().to_owned()
}

fn record_of(ledger: &LedgerFolder, index: u64) -> Value {
    ledger.run(&["record", &index.to_string(), "--output", "json"]).json()
}
