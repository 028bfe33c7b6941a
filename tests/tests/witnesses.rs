//! Witnesses: ours refuses whatever could be a second history, and a ledger gets cosignatures of ours and of others' without
//! waiting for them.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{log_key, read_checkpoint};
use counterfoil_tests::files::lines;
use counterfoil_tests::http::{Answer, curl, curl_with};
use counterfoil_tests::kafka::until;
use counterfoil_tests::okta::joined;
use counterfoil_tests::program::{LedgerFolder, ORIGIN, run};
use counterfoil_tests::server::{Server, tool};
use counterfoil_verify::attest::Attested;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, empty_root, leaf_hash, node_hash};
use counterfoil_verify::note::{CosigningKey, KeyName, SigningKey, VerifierKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::TlogProof;
use counterfoil_verify::tree::{Frontier, TreeSize};
use counterfoil_verify::witness::{AddCheckpoint, log_id};
use serde_json::{Value, json};

/// The log of the interoperability vectors.
const LOG: &str = "example.com/auditledger";
/// Its request for a cosignature, from 3 records to 7.
const VECTOR: &str = "\
old 3
ApjRIpBtz8EIkstTpzmS/FufST6kybrbJ7eRtBJ6f+c=
B1Bqhf2d0vEg62lPhgEeW7RmLlxBWmKRcDPUqWJEh+c=
+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=
g327FS6bB5AQcX6E6GXaTrwPoZioBtWdMb8VrM7yLQ4=

example.com/auditledger
7
3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=

\u{2014} example.com/auditledger /46KFSuxb24FTwrNeOrZ3VWNY0oSd3d2MZVwgqqbIFl/YVAG6KkxDcUrq12FMRH2+HttQT1Z5Qn5+xYhd5rKVUiJWQE=
";

fn log_of(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::new(name).unwrap(), &[seed; 32])
}

/// The root over the first of the eight leaves of the Certificate Transparency vectors.
fn root(count: usize) -> Hash {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let mut frontier = Frontier::new();
    leaves[..count].iter().for_each(|leaf| {
        frontier.append(leaf_hash(leaf), |_| ());
    });
    frontier.root()
}

fn request(old: u64, path: Vec<Hash>, size: u64, root: Hash, key: &SigningKey) -> String {
    let origin = Origin::new(key.name().as_str()).unwrap();
    let note = key.sign(&format!("{origin}\n{size}\n{}\n", root.to_base64())).unwrap();
    let request = AddCheckpoint { old: TreeSize(old), path, checkpoint_note: note.format() };
    String::from_utf8(request.format()).unwrap()
}

fn post(witness: &Server, body: &str) -> Answer {
    curl_with(&["--data-binary", "@-", &format!("{}/add-checkpoint", witness.url())], body.as_bytes())
}

/// The key of a witness of ours.
fn key_of(folder: &LedgerFolder) -> VerifierKey {
    let text = fs::read_to_string(folder.data().join("cosigner.key")).unwrap();
    CosigningKey::parse(text.trim_end()).unwrap().verifier_key()
}

#[test]
fn the_witness_cosigns_one_history_and_says_of_everything_else_why_not() {
    let folder = LedgerFolder::empty();
    let log = log_of(LOG, 1);
    let policy = folder.file("logs.policy", format!("log {}\nquorum none\n", log.verifier_key()));
    let witness = Server::witness(&folder, &policy, "127.0.0.1:0");
    let key = key_of(&folder);
    let monitored = |witness: &Server, name: &str| {
        let id = log_id(&Origin::new(name).unwrap());
        curl(&[format!("{}/{id}/checkpoint", witness.url())])
    };
    let check = |witness: &Server, what: &str, body: &str, status: u16| {
        let answer = post(witness, body);
        assert_eq!(answer.status, status, "{what}: {answer}");
        answer
    };
    assert_eq!(monitored(&witness, LOG).status, 404);

    // Whose it is comes before all else, and nothing of this is kept.
    let stranger = log_of("example.com/stranger", 4);
    check(&witness, "an unknown log", &request(0, Vec::new(), 3, root(3), &stranger), 404);
    check(&witness, "another key", &request(0, Vec::new(), 3, root(3), &log_of(LOG, 5)), 403);
    let signed = request(0, Vec::new(), 3, root(3), &log);
    check(&witness, "another text", &signed.replacen("\n3\n", "\n4\n", 1), 403);
    for (what, body) in [
        ("nothing", String::new()),
        ("no old size", signed.replacen("old 0\n", "", 1)),
        ("a size that is none", signed.replacen("old 0\n", "old 00\n", 1)),
        ("a hash that is none", signed.replacen("old 0\n", "old 0\nAAAA\n", 1)),
        (
            "64 lines of a proof",
            signed.replacen("old 0\n", &format!("old 0\n{}", format!("{}\n", root(1).to_base64()).repeat(64)), 1),
        ),
        ("no signature", signed.split_inclusive('\n').take(5).collect()),
        ("an old size that is larger", request(4, Vec::new(), 3, root(3), &log)),
    ] {
        check(&witness, what, &body, 400);
    }
    let long = format!("{signed}{}", "\u{2014} example.com/other AAAAAAAAAAAA\n".repeat(400));
    assert!(long.len() > 10 << 10);
    check(&witness, "more than 10 KiB", &long, 413);
    check(&witness, "an empty tree with a root", &request(0, Vec::new(), 0, root(3), &log), 422);
    check(&witness, "a proof from nothing", &request(0, vec![root(1)], 3, root(3), &log), 422);
    let told = |answer: &Answer| {
        (answer.has("content-type: text/x.tlog.size"), String::from_utf8(answer.body.clone()).unwrap())
    };
    let conflict = check(&witness, "a proof from what it has not seen", VECTOR, 409);
    assert_eq!(told(&conflict), (true, "0\n".to_owned()));
    assert_eq!(monitored(&witness, LOG).status, 404);

    // It cosigns what goes on, and says so to whoever asks.
    let cosigned = |answer: &Answer, body: &str| {
        let note = [&body.as_bytes()[body.find("\n\n").unwrap() + 2..], &answer.body].concat();
        let attested = format!("log {}\nwitness w {key}\nquorum w\n", log.verifier_key());
        let policy = Policy::parse(attested.as_bytes()).unwrap();
        let attested = Attested::open(&note, &policy).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert!(attested.witnesses[0].at.0 > 1_700_000_000);
        (note, attested.checkpoint.size.0)
    };
    assert!(request(0, Vec::new(), 0, empty_root(), &log).contains("\n0\n"));
    check(&witness, "an empty tree", &request(0, Vec::new(), 0, empty_root(), &log), 200);
    let first = check(&witness, "the first records", &signed, 200);
    assert_eq!(cosigned(&first, &signed).1, 3);
    let second = check(&witness, "the vector", VECTOR, 200);
    let (note, size) = cosigned(&second, VECTOR);
    assert_eq!(size, 7);
    let read = monitored(&witness, LOG);
    assert!(read.status == 200 && read.has("content-type: text/plain"), "{read}");
    assert_eq!(read.body, note, "what it has cosigned, with both signatures");

    let refused = |witness: &Server| {
        let conflict = check(witness, "the vector again", VECTOR, 409);
        assert_eq!(told(&conflict), (true, "7\n".to_owned()));
        check(witness, "from the beginning", &request(0, Vec::new(), 8, root(8), &log), 409);
        check(witness, "from too far", &request(8, Vec::new(), 8, root(8), &log), 409);
        check(witness, "the same size, another root", &request(7, Vec::new(), 7, root(6), &log), 422);
        check(witness, "the same size, a proof", &request(7, vec![root(1)], 7, root(7), &log), 422);
        check(witness, "no proof", &request(7, Vec::new(), 8, root(8), &log), 422);
        check(witness, "another proof", &request(7, vec![root(1); 4], 8, root(8), &log), 422);
        check(witness, "smaller", &request(7, Vec::new(), 6, root(6), &log), 400);
        check(witness, "the same", &request(7, Vec::new(), 7, root(7), &log), 200);
    };
    refused(&witness);
    // Whatever happened in between.
    witness.kill();
    let witness = Server::witness(&folder, &policy, "127.0.0.1:0");
    assert_eq!(key_of(&folder), key);
    refused(&witness);
    // From 7 to 8: the sibling is the last leaf, then what stands to its left.
    let leaf = leaf_hash(b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f").0;
    let seventh = leaf_hash(b"\x50\x51\x52\x53\x54\x55\x56\x57").0;
    let fifth = node_hash(leaf_hash(b"\x30\x31").0, leaf_hash(b"\x40\x41\x42\x43").0);
    let path = vec![seventh, leaf, fifth, root(4)];
    check(&witness, "what goes on", &request(7, path, 8, root(8), &log), 200);
    assert_eq!(curl(&[format!("{}/add-checkpoint", witness.url())]).status, 405);
    assert_eq!(curl(&[format!("{}/nothing/checkpoint", witness.url())]).status, 404);
    witness.stop();
}

#[test]
fn a_witness_does_not_start_on_what_it_cannot_keep_apart() {
    let folder = LedgerFolder::empty();
    let log = log_of(LOG, 1).verifier_key();
    let policy = folder.file("logs.policy", format!("log {log}\nquorum none\n"));
    let data = folder.data();
    let start = |further: &[&str]| {
        let own = ["witness", "--data", data.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
        run(&[&own[..], further].concat())
    };
    let nameless = start(&["--listen", "127.0.0.1:0"]).ended(1);
    assert!(nameless.stderr.contains("give it a name"), "{}", nameless.stderr);
    start(&["--name", "with space"]).ended(2);
    let open = start(&["--name", "witness.example/w", "--listen", "0.0.0.0:0"]).ended(1);
    assert!(open.stderr.contains("proxy"), "{}", open.stderr);
    let renamed = start(&["--name", "witness.example/other", "--listen", "127.0.0.1:0"]).ended(1);
    assert!(renamed.stderr.contains("witness.example/w"), "{}", renamed.stderr);
    let running = Server::witness(&folder, &policy, "127.0.0.1:0");
    let second = start(&["--listen", "127.0.0.1:0"]).ended(1);
    assert!(second.stderr.contains("in use by process"), "{}", second.stderr);
    running.stop();
    fs::write(&policy, "quorum none\n").unwrap();
    let idle = start(&["--listen", "127.0.0.1:0"]).ended(2);
    assert!(idle.stderr.contains("names no log"), "{}", idle.stderr);
}

fn events(range: std::ops::RangeInclusive<u32>) -> Vec<u8> {
    lines(&range.map(|number| joined(number, "2026-03-01T09:00:00Z", number, 1)).collect::<Vec<_>>())
}

fn push(server: &Server, events: &[u8]) {
    let url = format!("{}/v1/ingest/okta", server.url());
    let posted = ["--header", "content-type: application/x-ndjson", "--data-binary", "@-", &url];
    curl_with(&posted, events).json(200);
}

fn served(server: &Server) -> Vec<u8> {
    let answer = curl(&[format!("{}/checkpoint", server.url())]);
    assert_eq!(answer.status, 200, "{answer}");
    answer.body
}

/// The size of the checkpoint that is served, if this policy accepts it.
fn accepted(server: &Server, policy: &Policy) -> Option<u64> {
    Attested::open(&served(server), policy).ok().map(|attested| attested.checkpoint.size.0)
}

/// What serves a ledger with a policy of witnesses.
fn serve(ledger: &LedgerFolder, policy: &str) -> (Server, Policy) {
    let file = ledger.file("witnesses.policy", policy);
    let arguments = ["--listen", "127.0.0.1:0", "--witnesses", file.to_str().unwrap()];
    (Server::start_with(ledger, &arguments), Policy::parse(policy.as_bytes()).unwrap())
}

/// A line of a policy.
fn line(kind: &str, name: &str, key: &VerifierKey, url: &str) -> String {
    format!("{kind} {name} {key} {url}\n")
}

#[test]
fn a_ledger_gets_cosignatures_and_waits_for_none() {
    let ledger = LedgerFolder::init();
    let log = log_key(&ledger);
    let logs = ledger.file("logs.policy", format!("log {log}\nquorum none\n"));
    let folders = [LedgerFolder::empty(), LedgerFolder::empty()];
    let witnesses: Vec<Server> = folders.iter().map(|folder| Server::witness(folder, &logs, "127.0.0.1:0")).collect();
    // One is there and never answers, and one is not there.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let absent = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody =
        |seed: u8| CosigningKey::from_seed(KeyName::new("nobody.example/n").unwrap(), &[seed; 32]).verifier_key();
    let text = format!(
        "log {log}\n{}{}{}{}group two 2 w silent absent\nquorum w\n{}#counterfoil replayer-quorum r\n",
        line("witness", "w", &key_of(&folders[0]), &witnesses[0].url()),
        line("witness", "silent", &nobody(3), &format!("http://{}", silent.local_addr().unwrap())),
        line("witness", "absent", &nobody(4), &format!("http://{absent}/prefix/")),
        line("witness", "unasked", &nobody(5), ""),
        line("#counterfoil replayer", "r", &key_of(&folders[1]), &witnesses[1].url()),
    );
    let (server, policy) = serve(&ledger, &text);
    until("the first checkpoint is cosigned", || accepted(&server, &policy) == Some(1));
    push(&server, &events(1..=20));
    until("what came is cosigned", || accepted(&server, &policy) == Some(21));
    let attested = served(&server);
    let attested = Attested::open(&attested, &policy).unwrap();
    assert!(attested.is_replayed && attested.witnesses.len() == 1 && attested.replayers.len() == 1);
    // Proofs hold the cosignatures, and verify offline.
    let file = ledger.beside("witnesses.policy");
    let proof = run(&["proof", "17", "--server", &server.url()]).ended(0).stdout;
    let cosigned = TlogProof::parse(&proof).unwrap().checkpoint_note;
    assert_eq!(Attested::open(&cosigned, &policy).unwrap().checkpoint.size.0, 21);
    let record = ledger.file("17.record", run(&["record", "17", "--raw", "--server", &server.url()]).ended(0).stdout);
    let proof = ledger.file("17.tlog-proof", proof);
    let verified = run(&[
        "verify",
        proof.to_str().unwrap(),
        "--record",
        record.to_str().unwrap(),
        "--policy",
        file.to_str().unwrap(),
    ]);
    let told = verified.ended(0);
    assert!(told.text().contains("\n  witness w (witness.example/w), at 20"), "{}", told.text());
    assert!(
        told.text().contains("Enough replayers have recomputed its seals for the quorum r\n  replayer r "),
        "{}",
        told.text()
    );

    // Without its witness the log goes on, and after a second its newest checkpoint is served as it is.
    let mut witnesses = witnesses.into_iter();
    let (first, second) = (witnesses.next().unwrap(), witnesses.next().unwrap());
    let address = first.address.clone();
    first.kill();
    push(&server, &events(21..=30));
    until("it is served without", || {
        let note = served(&server);
        Checkpoint::open(&note, &Origin::new(ORIGIN).unwrap(), &log).unwrap().size == TreeSize(31)
    });
    assert_eq!(accepted(&server, &policy), None);
    // What comes late is put under it.
    let first = Server::witness(&folders[0], &logs, &address);
    until("the late cosignature is there", || accepted(&server, &policy) == Some(31));
    let metrics = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
    for line in [
        "counterfoil_witnessed_records 31",
        "counterfoil_witness_records{witness=\"w\"} 31",
        "counterfoil_witness_records{witness=\"r\"} 31",
        "counterfoil_witness_failing{witness=\"w\"} 0",
        "counterfoil_witness_failing{witness=\"absent\"} 1",
    ] {
        assert!(metrics.lines().any(|given| given == line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("unasked"), "{metrics}");
    until("what is served is kept", || {
        fs::read(ledger.data().join("cosigned")).is_ok_and(|kept| kept == served(&server))
    });
    server.stop();

    // With nobody there, what was cosigned before is there at once.
    first.kill();
    second.kill();
    let (server, policy) = serve(&ledger, &text);
    assert_eq!(accepted(&server, &policy), Some(31));
    server.stop();
    // What stands in that file is believed by nobody.
    let kept = fs::read_to_string(ledger.data().join("cosigned")).unwrap();
    for other in [kept.replacen("\n31\n", "\n30\n", 1), kept.replace('=', "A"), String::new()] {
        fs::write(ledger.data().join("cosigned"), other).unwrap();
        let (server, _) = serve(&ledger, &text);
        Checkpoint::open(&served(&server), &Origin::new(ORIGIN).unwrap(), &log).unwrap();
        server.stop();
    }
    // Witnesses know best what they have seen.
    fs::remove_file(ledger.data().join("cosigned")).unwrap();
    let first = Server::witness(&folders[0], &logs, &address);
    let alone: String = text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let (server, policy) = serve(&ledger, &alone);
    until("it is asked from where it stands", || accepted(&server, &policy) == Some(31));
    let metrics = String::from_utf8(curl(&[format!("{}/metrics", server.url())]).body).unwrap();
    let conflict = "counterfoil_witness_requests_total{witness=\"w\",outcome=\"conflict\"} 1";
    assert!(metrics.lines().any(|given| given == conflict), "{metrics}");
    server.stop();
    first.stop();
    assert_eq!(read_checkpoint(&ledger).size, TreeSize(31));
}

#[test]
fn a_policy_of_witnesses_has_to_name_this_log_and_somebody_to_ask() {
    let ledger = LedgerFolder::init();
    let other = log_of("example.com/other", 6).verifier_key();
    let key = CosigningKey::from_seed(KeyName::new("witness.example/w").unwrap(), &[3; 32]).verifier_key();
    let witness = line("witness", "w", &key, "http://127.0.0.1:1");
    for (policy, why) in [
        (format!("log {other}\n{witness}quorum w\n"), "does not name the key of this log"),
        (format!("log {}\nwitness w {key}\nquorum w\n", log_key(&ledger)), "nobody can be asked"),
        (format!("log {}\nquorum none\n", log_key(&ledger)), "nobody can be asked"),
        (format!("log {}\n{}quorum w\n", log_key(&ledger), line("witness", "w", &key, "ftp://x")), "expected a URL"),
        ("quorum w\n".to_owned(), "is no policy"),
    ] {
        let file = ledger.file("witnesses.policy", &policy);
        let refused = ledger.run(&["serve", "--listen", "127.0.0.1:0", "--witnesses", file.to_str().unwrap()]).ended(1);
        assert!(refused.stderr.contains(why), "{policy}: {}", refused.stderr);
    }
}

/// A process that goes when the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs what has to succeed: what it says.
fn ran(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_witness_that_is_not_ours_cosigns() {
    let tools = ["litewitness", "sqlite3", "ssh-keygen", "ssh-agent", "ssh-add"].map(tool);
    let [Some(litewitness), Some(sqlite), Some(keygen), Some(agent), Some(add)] = tools else { return };
    let ledger = LedgerFolder::init();
    ledger.import("okta", &ledger.file("a.jsonl", events(1..=300)), &[]).ended(0);
    let folder = LedgerFolder::empty();
    let file = |name: &str| -> PathBuf { folder.beside(name) };
    let (key, socket, database) = (file("wit.key"), file("agent.sock"), file("lw.db"));
    ran(Command::new(keygen.clone()).args(["-q", "-t", "ed25519", "-N", "", "-C", "witness", "-f"]).arg(&key));
    let fingerprint = ran(Command::new(keygen).arg("-lf").arg(key.with_extension("key.pub")));
    let fingerprint = fingerprint.split(' ').nth(1).unwrap().to_owned();
    let _agent = Running(Command::new(agent).arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap());
    until("the agent listens", || socket.exists());
    ran(Command::new(add).arg(&key).env("SSH_AUTH_SOCK", &socket));
    // The operating system says which port is free.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let told = file("litewitness.log");
    let mut command = Command::new(litewitness);
    command.arg("-db").arg(&database).args([
        "-name",
        "witness.example/lite",
        "-key",
        &fingerprint,
        "-listen",
        &address,
    ]);
    command.arg("-ssh-agent").arg(&socket).stdin(Stdio::null());
    let log = fs::File::create(&told).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let _witness = Running(command.spawn().unwrap());
    // It prints its verifier key.
    let mut vkey = None;
    until("litewitness listens", || {
        let text = fs::read_to_string(&told).unwrap();
        let words = text.split(|character: char| character.is_whitespace() || character == '"');
        vkey = words
            .filter_map(|word| VerifierKey::parse(word.rsplit_once("vkey=").map_or(word, |(_, key)| key)).ok())
            .next();
        vkey.is_some()
    });
    let log = log_key(&ledger);
    let rows = format!(
        "INSERT INTO log(origin,tree_size,tree_hash) VALUES('{ORIGIN}',0,'{}'); INSERT INTO key(origin,key) VALUES('{ORIGIN}','{log}');",
        empty_root().to_base64()
    );
    ran(Command::new(sqlite).arg(&database).arg(rows));

    let witness = line("witness", "lite", &vkey.unwrap(), &format!("http://{address}"));
    let (server, policy) = serve(&ledger, &format!("log {log}\n{witness}quorum lite\n"));
    until("it has cosigned", || accepted(&server, &policy) == Some(301));
    for (first, last) in [(301, 310), (311, 600), (601, 601)] {
        push(&server, &events(first..=last));
        until("it has cosigned what came", || accepted(&server, &policy) == Some(u64::from(last) + 1));
    }
    server.stop();
}

/// What Tessera and torchwood make of a policy and what comes with it.
fn read_by_others(readers: &Path, files: &[&Path]) -> Value {
    serde_json::from_str(&ran(Command::new(readers).args(files))).unwrap()
}

#[test]
fn others_read_our_policies_and_take_what_we_take() {
    let Some(readers) = tool("policy-readers") else { return };
    let ledger = LedgerFolder::init();
    let log = log_key(&ledger);
    let logs = ledger.file("logs.policy", format!("log {log}\nquorum none\n"));
    let folders = [(); 3].map(|()| LedgerFolder::empty());
    let cosigners = folders.each_ref().map(|folder| Server::witness(folder, &logs, "127.0.0.1:0"));
    let [first, second, replayer] = [0, 1, 2].map(|at: usize| (key_of(&folders[at]), cosigners[at].url()));
    let quorums = format!(
        "{}{}group both 2 w1 w2\nquorum both\n{}#counterfoil replayer-quorum r\n",
        line("witness", "w1", &first.0, &first.1),
        line("witness", "w2", &second.0, &second.1),
        line("#counterfoil replayer", "r", &replayer.0, &replayer.1),
    );
    let (server, policy) =
        serve(&ledger, &fs::read_to_string(ledger.policy()).unwrap().replace("quorum none\n", &quorums));
    push(&server, &events(1..=20));
    until("it is cosigned", || accepted(&server, &policy) == Some(21));

    let watched = ledger.beside("witnesses.policy");
    let checkpoint = ledger.file("checkpoint", served(&server));
    let proof = ledger.file("17.tlog-proof", run(&["proof", "17", "--server", &server.url()]).ended(0).stdout);
    let record = |index: &str| run(&["record", index, "--raw", "--server", &server.url()]).ended(0).stdout;
    let (own, other) = (ledger.file("17.record", record("17")), ledger.file("16.record", record("16")));
    let told = read_by_others(&readers, &[&watched, &checkpoint, &proof, &own]);
    let names: Vec<_> = told["witnesses"].as_object().unwrap().values().collect();
    assert_eq!(names, ["witness.example/w", "witness.example/w"], "{told}");
    assert_eq!(told["satisfied"], true, "{told}");
    assert_eq!(
        (&told["checkpoint"], &told["origin"], &told["size"]),
        (&json!(""), &json!(ORIGIN), &json!(21)),
        "{told}"
    );
    assert_eq!(told["proof"], "", "{told}");
    assert_ne!(read_by_others(&readers, &[&watched, &checkpoint, &proof, &other])["proof"], "");

    // Without one of the witnesses nobody takes it, and without the replayer everybody does.
    let text = fs::read_to_string(&checkpoint).unwrap();
    let cosignatures = text.lines().filter(|line| line.contains(" witness.example/w "));
    let taken = cosignatures.map(|cosignature| {
        let short = ledger.file("short", text.replace(&format!("{cosignature}\n"), ""));
        let told = read_by_others(&readers, &[&watched, &short]);
        let is_taken = Attested::open(&fs::read(&short).unwrap(), &policy).is_ok();
        assert_eq!((&told["satisfied"], told["checkpoint"] == ""), (&json!(is_taken), is_taken), "{told}");
        is_taken
    });
    assert_eq!(taken.filter(|is_taken| *is_taken).count(), 1);
    assert_eq!(text.matches(" witness.example/w ").count(), 3);
    server.stop();
}
