//! The answers on the command line: what they hold, in which form, and what there is no answer to.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::{basis_of, check_answer, company_ledger, events, import, log_key, read_checkpoint};
use counterfoil_proto::v1::{
    DiffStateResponse, DifferenceKind, ExplainChangeResponse, FsckReport, GetConsistencyProofResponse,
    GetHistoryResponse, GetInclusionProofResponse, GetRecordResponse, GetStateResponse, ImportResponse,
    ListChangesResponse, ListDeadLettersResponse, ListHoldersResponse, ListIdentitiesResponse, ListSourcesResponse,
    Verdict,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{joined, left, login, user_id};
use counterfoil_tests::program::{LedgerFolder, ORIGIN};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::proof::{TlogProof, verify_consistency, verify_inclusion};
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use serde_json::{Value, json};
use signed_note::{Note, StandardVerifier, VerifierList};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn every_answer_in_every_form() {
    let (ledger, company) = company_ledger();
    let story = &company.truth.story;
    let hero = story.identity_login.as_str();
    let past = story.past_at.to_string();

    let then: GetStateResponse = check_answer(&ledger, &["state", hero, "--system", "okta", "--at", &past]);
    let id = then.state.as_ref().unwrap().entity.as_ref().unwrap().id.clone();
    let names = |answer: &GetStateResponse| -> BTreeSet<String> {
        let grants = &answer.state.as_ref().unwrap().grants;
        grants.iter().map(|grant| grant.counterpart.as_ref().unwrap().name.clone()).collect()
    };
    let now: GetStateResponse = check_answer(&ledger, &["state", &id]);
    assert!(names(&then).contains(&story.past_entitlement_name));
    assert!(!names(&now).contains(&story.past_entitlement_name));

    let diff: DiffStateResponse = check_answer(&ledger, &["diff", &id, "--from", &past]);
    let removed: BTreeSet<String> = diff
        .differences
        .iter()
        .filter(|difference| difference.kind() == DifferenceKind::Removed && difference.what == "grant")
        .map(|difference| difference.party.as_ref().unwrap().name.clone())
        .collect();
    assert_eq!(removed, &names(&then) - &names(&now));

    let entitlement = story.past_entitlement.replacen("okta/", "entitlement:okta:default:", 1);
    let holders: ListHoldersResponse = check_answer(&ledger, &["holders", &entitlement, "--at", &past]);
    assert!(holders.holders.iter().any(|holder| holder.counterpart.as_ref().unwrap().id == id));

    let history: GetHistoryResponse = check_answer(&ledger, &["history", &id]);
    assert!(history.entries.len() > 5);
    let few: GetHistoryResponse = check_answer(&ledger, &["history", &id, "--limit", "3"]);
    assert_eq!(few.entries, history.entries[..3]);
    let some: GetHistoryResponse = check_answer(&ledger, &["history", &id, "--from", &past, "--at", &past]);
    assert!(some.entries.len() < history.entries.len());
    let ticket: GetHistoryResponse = check_answer(&ledger, &["history", &story.explained_ticket]);
    assert!(!ticket.entries.is_empty());

    let explained: ExplainChangeResponse = check_answer(&ledger, &["explain", &story.explained_change_uuid]);
    assert_eq!(explained.explanations[0].verdict(), Verdict::Approved);
    let unapproved: ExplainChangeResponse = check_answer(&ledger, &["explain", &story.unapproved_change_uuid]);
    assert_eq!(unapproved.explanations[0].verdict(), Verdict::NoneRecorded);
    let change = explained.explanations[0].change.as_ref().unwrap();
    let place = format!("{}.{}", change.record, change.fact);
    let by_place: ExplainChangeResponse = check_answer(&ledger, &["explain", &place]);
    assert_eq!(by_place.explanations, explained.explanations);
    let table = ledger.run(&["explain", &story.explained_change_uuid]).ended(0);
    for words in ["APPROVED", "requested by", "approver", "executed by", "linked", "record"] {
        assert!(table.text().contains(words), "{words:?} is missing in {}", table.text());
    }

    let record: GetRecordResponse = check_answer(&ledger, &["record", &change.record.to_string()]);
    let held = record.record.unwrap();
    assert_eq!(held.provenance.as_ref().unwrap().event_id, story.explained_change_uuid);
    assert_eq!(record::hash(&record::encode(&held).unwrap()).0.as_bytes(), &record.leaf_hash[..]);

    let all: ListChangesResponse = check_answer(&ledger, &["explain", "--all"]);
    let lines = ledger.run(&["explain", "--all", "--output", "jsonl"]).ended(0);
    assert_eq!(lines.text().lines().count(), all.explanations.len());
    let rows = ledger.run(&["explain", "--all", "--output", "csv"]).ended(0);
    assert_eq!(csv::Reader::from_reader(&rows.stdout[..]).records().count(), all.explanations.len());
    check_answer::<ListChangesResponse>(&ledger, &["explain", "--unapproved"]);
    check_answer::<ListSourcesResponse>(&ledger, &["sources"]);
    let dead: ListDeadLettersResponse = check_answer(&ledger, &["deadletter", "list"]);
    assert_eq!(dead.dead_letters.len(), 1);
    check_answer::<GetInclusionProofResponse>(&ledger, &["proof", "7"]);
    check_answer::<GetConsistencyProofResponse>(&ledger, &["proof", "--since", "7"]);
    let again = ledger.beside("bad.jsonl");
    check_answer::<ImportResponse>(&ledger, &["import", "okta", again.to_str().unwrap()]);

    let fsck: FsckReport = ledger.run(&["fsck", "--output", "json"]).json();
    let basis = basis_of(&ledger);
    assert_eq!((fsck.records, fsck.root, fsck.sound), (basis.tree_size, basis.root, true));
    // The views are derived: without them the same answers come back.
    fs::remove_dir_all(ledger.data().join("views")).unwrap();
    fs::remove_dir_all(ledger.data().join("derived")).unwrap();
    let rebuilt: ListChangesResponse = check_answer(&ledger, &["explain", "--all"]);
    assert_eq!(rebuilt, all);
    assert_eq!(check_answer::<GetHistoryResponse>(&ledger, &["history", &id]), history);
}

#[test]
fn what_does_not_exist_is_not_found() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(1))));
    for (arguments, code, words) in [
        (&["record", "99"][..], 3, "record 99 is not in the ledger, which holds 2 records"),
        (&["record", "99", "--raw"], 3, "record 99 is not in the ledger, which holds 2 records"),
        (&["proof", "99"], 3, "record 99 is not in the ledger, which holds 2 records"),
        (&["explain", "99"], 3, "record 99 is not in the ledger, which holds 2 records"),
        (&["explain", "1.7"], 3, "there is no fact 7"),
        (&["explain", "no-such-event"], 3, "\"no-such-event\""),
        (&["deadletter", "show", "1"], 3, "record 1 is no rejected event"),
        (&["deadletter", "show", "99"], 3, "record 99 is not in the ledger, which holds 2 records"),
        (&["deadletter", "show", "99.0"], 3, "record 99 is not in the ledger, which holds 2 records"),
        (&["record", "1.7"], 3, "there is no fact 7"),
        (&["proof", "1.7"], 3, "there is no fact 7"),
        (&["proof", "--since", "99"], 3, "holds 2 records"),
    ] {
        let run = ledger.run(arguments).ended(code);
        assert!(run.stderr.contains(words), "{words:?} is missing in {}", run.stderr);
        assert!(run.stdout.is_empty(), "{arguments:?}: {}", run.text());
    }
}

#[test]
fn proofs_verify_with_the_policy_alone() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(11))));
    let (origin, key) = (Origin::new(ORIGIN).unwrap(), log_key(&ledger));
    let oracle = VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())]);
    let earlier = read_checkpoint(&ledger);
    import(&ledger, &ledger.file("b.jsonl", lines(&events(300))));
    let checkpoint = read_checkpoint(&ledger);
    assert_eq!((earlier.size, checkpoint.size), (TreeSize(12), TreeSize(301)));
    let theirs = |hash: &Hash| tlog_tiles::Hash(*hash.as_bytes());
    for index in [0, 1, 11, 12, 255, 256, 299, 300] {
        let text = index.to_string();
        let answer: GetRecordResponse = ledger.run(&["record", &text, "--output", "json"]).json();
        let bytes = record::encode(&answer.record.unwrap()).unwrap();
        let leaf = record::hash(&bytes);
        let proof = TlogProof::parse(&ledger.run(&["proof", &text]).ended(0).stdout).unwrap();
        assert_eq!(proof.index, RecordIndex(index));
        let proved = Checkpoint::open(&proof.checkpoint_note, &origin, &key).unwrap();
        assert_eq!((proved.size, proved.root), (checkpoint.size, checkpoint.root));
        verify_inclusion(leaf, proof.index, proved.size, &proof.path, proved.root).unwrap();
        let mut other = leaf.0.as_bytes().to_vec();
        other[31] ^= 1;
        let other = LeafHash(Hash::from_slice(&other).unwrap());
        assert!(verify_inclusion(other, proof.index, proved.size, &proof.path, proved.root).is_err());

        // The same with other people's code.
        let note = Note::from_bytes(&proof.checkpoint_note).unwrap();
        let (verified, unverified) = note.verify(&oracle).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!(head.origin(), ORIGIN);
        let path = proof.path.iter().map(theirs).collect();
        let leaf = tlog_tiles::record_hash(&bytes);
        tlog_tiles::check_record(&path, head.size(), *head.hash(), index, leaf).unwrap();
    }

    let answer: GetConsistencyProofResponse = ledger.run(&["proof", "--since", "12", "--output", "json"]).json();
    let path: Vec<Hash> = answer.path.iter().map(|hash| Hash::from_slice(hash).unwrap()).collect();
    verify_consistency(earlier.size, earlier.root, checkpoint.size, checkpoint.root, &path).unwrap();
    let path = path.iter().map(theirs).collect();
    let (old, new) = (theirs(&earlier.root), theirs(&checkpoint.root));
    tlog_tiles::check_tree(&path, checkpoint.size.0, new, earlier.size.0, old).unwrap();
    let wrong = verify_consistency(earlier.size, checkpoint.root, checkpoint.size, checkpoint.root, &[]);
    assert!(wrong.is_err());
}

#[test]
fn access_whose_time_ran_out_lapses_by_the_clock_of_the_question() {
    let ledger = LedgerFolder::init();
    let granted = json!({
        "id": "grant-1", "source": {"system": "ci", "instance": "prod", "stream": "deploy"}, "type": "deploy.grant",
        "facts": [{
            "kind": "grant.added", "occurred_at": "2026-03-01T09:30:00Z", "actor": {"id": "u1", "login": "jane@example.com"},
            "subject": {"id": "svc-7", "login": "deployer-seven", "type": "service_account"},
            "object": {"id": "role/deployer", "name": "Deployer"}, "expires_at": "2026-04-01T00:00:00Z",
        }],
    });
    let file = ledger.file("facts.json", serde_json::to_vec_pretty(&granted).unwrap());
    ledger.import("fact", &file, &[]).ended(0);
    for (at, lapsed) in [
        ("2026-03-01T09:30:00Z", false),
        ("2026-03-31T23:59:59.999Z", false),
        ("2026-04-01Z", true),
        ("2026-05-01Z", true),
    ] {
        let answer: GetStateResponse = ledger.run(&["state", "deployer-seven", "--at", at, "--output", "json"]).json();
        let state = answer.state.unwrap();
        assert_eq!(state.grants.len(), 1, "{at}: it is not hidden: {state:?}");
        assert_eq!(state.grants[0].lapsed, lapsed, "{at}");
        let table = ledger.run(&["state", "deployer-seven", "--at", at]).ended(0);
        assert_eq!(table.text().contains("lapsed on 2026-04-01"), lapsed, "{}", table.text());
        let holders: ListHoldersResponse = ledger.run(&["holders", "Deployer", "--at", at, "--output", "json"]).json();
        assert_eq!(holders.holders[0].lapsed, lapsed, "{at}");
    }
    let before: GetStateResponse =
        ledger.run(&["state", "deployer-seven", "--at", "2026-03-01T09:29:59Z", "--output", "json"]).json();
    assert!(before.state.unwrap().grants.is_empty());
}

#[test]
fn what_was_known_by_a_time_counts_only_what_was_recorded_by_then() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])));
    let recorded = |index: &str| -> String {
        let answer: Value = ledger.run(&["record", index, "--output", "json"]).json();
        let at = &answer["record"]["recordedAt"];
        let seconds: i64 = at["seconds"].as_str().unwrap().parse().unwrap();
        let nanos = i32::try_from(at["nanos"].as_i64().unwrap_or_default()).unwrap();
        jiff::Timestamp::new(seconds, nanos).unwrap().to_string()
    };
    import(&ledger, &ledger.file("late.jsonl", lines(&[left(2, "2026-03-02T09:00:00Z", 1, 1)])));
    let state = |known: Option<&str>| -> GetStateResponse {
        let who = login(1);
        let mut arguments = vec!["state", &who, "--at", "2026-03-03Z", "--output", "json"];
        arguments.extend(known.iter().flat_map(|known| ["--known-at", known]));
        ledger.run(&arguments).json()
    };
    let (first, second) = (recorded("1"), recorded("2"));
    assert_ne!(first, second);
    let then = state(Some(&first));
    assert_eq!(then.moment.as_ref().unwrap().known_size, 2);
    assert_eq!(then.state.unwrap().grants.len(), 1);
    assert!(state(Some(&second)).state.unwrap().grants.is_empty());
    assert!(state(None).state.unwrap().grants.is_empty());
    // Before anything was known, nobody had that name.
    ledger.run(&["state", &login(1), "--known-at", "2000-01-01Z"]).ended(3);
    let diff: DiffStateResponse = {
        let who = login(1);
        let at = "2026-03-03Z";
        ledger.run(&["diff", &who, "--from", at, "--from-known-at", &first, "--at", at, "--output", "json"]).json()
    };
    assert!(diff.differences.iter().any(|difference| difference.kind() == DifferenceKind::Removed), "{diff:?}");
    let not_yet = ledger.run(&["explain", "2", "--known-at", &first]).ended(3);
    assert!(not_yet.stderr.contains("was not known then"), "{}", not_yet.stderr);
}

#[test]
fn several_matches_are_listed_and_not_guessed() {
    let ledger = LedgerFolder::init();
    import(&ledger, &ledger.file("a.jsonl", lines(&events(3))));
    let run = ledger.run(&["state", "Person"]).ended(4);
    assert!(run.stderr.contains("4 entities fit \"Person\"") && run.stderr.contains("--system"), "{}", run.stderr);
    for number in 0..=3 {
        assert!(run.text().contains(&format!("account:okta:default:{}", user_id(number))), "{}", run.text());
    }
    assert!(run.text().contains(&format!("Basis: {ORIGIN} at 4 records")), "{}", run.text());
    let run = ledger.run(&["history", "Person", "--output", "json"]).ended(4);
    let listed: ListIdentitiesResponse = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(listed.identities.len(), 4);
    assert!(listed.basis.is_some());
    for id in listed.identities.iter().map(|party| &party.id) {
        ledger.run(&["state", id]).ended(0);
    }
    // A whole name means one, though it is a part of others.
    ledger.run(&["state", "Person 1"]).ended(0);
    ledger.run(&["state", "PERSON1@Example.com"]).ended(0);
    ledger.run(&["state", "Person", "--system", "freshservice"]).ended(3);
    for verb in ["state", "history", "holders"] {
        let run = ledger.run(&[verb, "Nobody Known"]).ended(3);
        assert!(run.stdout.is_empty());
        assert!(run.stderr.contains("\"Nobody Known\"") && run.stderr.contains("entity id"), "{}", run.stderr);
    }
    ledger.run(&["diff", "Nobody Known", "--from", "2026-01-01Z"]).ended(3);
    // A ticket's number is a name too.
    ledger.run(&["history", "SR-4711"]).ended(3);
    // What is no entity's id is a name like any other.
    ledger.run(&["state", "account:okta:default"]).ended(3);
}
