//! Evidence as an auditor gets it: what the program writes is verified by the auditor's own program, which comes to what the
//! server answers.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::company_ledger;
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{Explanation, GetStateResponse, ListIdentitiesResponse, Party, State};
use counterfoil_tests::http::curl;
use counterfoil_tests::kafka::until;
use counterfoil_tests::program::{LedgerFolder, Run, command, program, run};
use counterfoil_tests::server::Server;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Answer, verify};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::replay::{changes_access, fact_of};
use counterfoil_verify::state::State as Replayed;
use serde_json::Value;

/// The auditor's program.
fn auditor(arguments: &[&str]) -> Run {
    let built = program().with_file_name("counterfoil-verify");
    let output = Command::new(built).args(arguments).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A file of evidence that a server writes.
fn evidence(server: &Server, folder: &Path, question: &[&str]) -> PathBuf {
    let file = folder.join("evidence");
    let _ = fs::remove_file(&file);
    let (url, out) = (server.url(), file.to_str().unwrap());
    run(&[&["evidence"], question, &["--server", &url, "--out", out]].concat()).ended(0);
    file
}

/// Who is recorded.
fn identities(server: &Server, query: &str) -> Vec<Shared<Party>> {
    let url = format!("{}/v1/identities?{query}", server.url());
    let mut answer = curl(&[&url]);
    // The views may still be built.
    until("there is an answer", || {
        answer = curl(&[&url]);
        answer.status == 200
    });
    serde_json::from_slice::<ListIdentitiesResponse>(&answer.body).unwrap().identities
}

fn policy(ledger: &LedgerFolder) -> Policy {
    Policy::parse(&fs::read(ledger.policy()).unwrap()).unwrap()
}

/// Whom a state gives access to what, where and how, in the words of the server and in those of the verifier.
fn held(state: &State) -> BTreeSet<(String, String, u64)> {
    let grants = state.grants.iter().chain(&state.held);
    grants
        .map(|grant| {
            (grant.counterpart.as_ref().unwrap().id.clone(), grant.scope.clone(), grant.evidence.unwrap().record)
        })
        .collect()
}

fn held_by(state: &Replayed) -> BTreeSet<(String, String, u64)> {
    let grants = state.grants.values().chain(state.held.values());
    grants.map(|grant| (grant.counterpart.clone(), grant.scope.clone(), grant.evidence.index)).collect()
}

#[test]
fn evidence_shows_what_the_server_answers() {
    let (ledger, _) = company_ledger();
    // Whose an account is rests on mapping files and on rules, of which one does not count.
    let server = Server::sealing(&ledger);
    let ids = identities(&server, "system=okta");
    let others = identities(&server, "system=freshservice");
    server.stop();
    let account = |party: &Party| party.id.splitn(4, ':').nth(3).unwrap().to_owned();
    let people: Vec<_> = others.iter().filter(|party| party.id.starts_with("account:")).collect();
    let rows: String = (0..3)
        .map(|number| {
            let (one, other) = (account(&ids[number]), account(people[number]));
            format!("E-{number},okta,{one}\nE-{number},freshservice,{other}\n")
        })
        .collect();
    let mappings = ledger.file("mappings.csv", format!("person,system,account\n{rows}"));
    let rules = "rule,version,matched_by,systems,withdrawn\nold,1,email,okta,true\nnew,1,email,,\n";
    let rules = ledger.file("rules.csv", rules);
    for table in [mappings, rules] {
        ledger.run(&["people", "import", table.to_str().unwrap()]).ended(0);
    }
    let server = Server::sealing(&ledger);
    let policy = policy(&ledger);
    let folder = ledger.beside("files");
    fs::create_dir_all(&folder).unwrap();
    let asked = identities(&server, "pageSize=1000");
    let url = server.url();
    let (mut members, mut grants) = (0, 0);
    assert!(asked.len() > 30 && asked.iter().any(|party| party.id.starts_with("person:")));
    for (number, party) in asked.iter().enumerate() {
        let at = ["2026-01-10Z", "2026-01-20T12:00:00Z", "2026-07-01Z"][number % 3];
        let file = evidence(&server, &folder, &["state", &party.id, "--at", at]);
        let bytes = fs::read(file).unwrap();
        let verified = verify(&bytes, &policy).unwrap_or_else(|error| panic!("{}: {error}", party.id));
        assert_eq!(verified.opened.tokens_on_word, 0, "{}", party.id);
        let Answer::State { covered, states, .. } = &verified.answer else { panic!("{}", party.id) };
        let answer: GetStateResponse =
            run(&["state", &party.id, "--person", "--at", at, "--server", &url, "--output", "json"]).json();
        let state = answer.state.unwrap();
        let id = |party: &Option<Shared<Party>>| party.as_ref().unwrap().id.clone();
        assert_eq!(covered.whose.to_text(), id(&state.entity));
        assert_eq!(held_by(&states[0].1), held(&state), "{}", party.id);
        let of_members = |covered: &EntityId| &states.iter().find(|(entity, _)| entity == covered).unwrap().1;
        assert_eq!(covered.members.len(), state.members.len(), "{}", party.id);
        for (shown, answered) in covered.members.iter().zip(&state.members) {
            let answered_state = answered.state.as_ref().unwrap();
            assert_eq!(shown.entity.to_text(), id(&answered_state.entity));
            assert_eq!(held_by(of_members(&shown.entity)), held(answered_state));
            let steps = |records: &mut dyn Iterator<Item = u64>| records.collect::<Vec<_>>();
            assert_eq!(
                steps(&mut shown.steps.iter().map(|step| step.record)),
                steps(&mut answered.steps.iter().map(|step| step.record)),
            );
        }
        members += covered.members.len();
        grants += states.iter().map(|(_, state)| state.grants.len()).sum::<usize>();
    }
    assert!(members > 10 && grants > 50, "{members} members, {grants} grants: there is something to compare");
    server.stop();
}

#[test]
fn evidence_shows_which_approval_the_server_says_covers_a_change() {
    let (ledger, _) = company_ledger();
    let server = Server::sealing(&ledger);
    let policy = policy(&ledger);
    let folder = ledger.beside("files");
    fs::create_dir_all(&folder).unwrap();
    let url = server.url();
    let ask = || run(&["explain", "--all", "--effect", "any", "--server", &url, "--output", "jsonl"]);
    until("the views are up to date", || ask().code == 0);
    let all = ask().ended(0);
    let explained: Vec<Explanation> = all.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(explained.len() > 100, "{} changes", explained.len());
    let mut verdicts = BTreeSet::new();
    for explanation in explained.iter().step_by(3) {
        let change = explanation.change.unwrap();
        let place = format!("{}.{}", change.record, change.fact);
        let bytes = fs::read(evidence(&server, &folder, &["change", &place])).unwrap();
        let verified = verify(&bytes, &policy).unwrap_or_else(|error| panic!("{place}: {error}"));
        let Answer::Change { found, .. } = verified.answer else { panic!("{place}") };
        let found = found.unwrap();
        assert_eq!(found.overall.verdict, explanation.verdict(), "{place}");
        let judged = found.judged.iter().map(|one| (one.ticket.to_text(), one.verdict, one.records.clone()));
        let answered = explanation
            .tickets
            .iter()
            .map(|one| (one.ticket.as_ref().unwrap().id.clone(), one.verdict(), one.records.iter().copied().collect()));
        assert_eq!(judged.collect::<Vec<_>>(), answered.collect::<Vec<_>>(), "{place}");
        verdicts.insert(explanation.verdict().as_str_name());
    }
    assert!(verdicts.len() > 1, "{verdicts:?}");
    server.stop();
}

#[test]
fn evidence_of_a_period_has_every_change_that_the_server_lists() {
    let (ledger, _) = company_ledger();
    let server = Server::sealing(&ledger);
    let policy = policy(&ledger);
    let folder = ledger.beside("files");
    fs::create_dir_all(&folder).unwrap();
    let url = server.url();
    let (from, to) = ("2026-01-10T00:00:00Z", "2026-02-10T00:00:00Z");
    // Up to the last moment of the period, inclusive.
    let last = "2026-02-09T23:59:59.999999999Z";
    let ask = || {
        let all = ["explain", "--all", "--effect", "any", "--from", from, "--at", last];
        run(&[&all[..], &["--server", &url, "--output", "jsonl"]].concat())
    };
    until("the views are up to date", || ask().code == 0);
    let listed: BTreeSet<(u64, u32)> = ask()
        .ended(0)
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Explanation>(line).unwrap().change.unwrap())
        .map(|change| (change.record, change.fact))
        .collect();
    let file = evidence(&server, &folder, &["period", from, to]);
    let bytes = fs::read(&file).unwrap();
    let verified = verify(&bytes, &policy).unwrap();
    let Answer::Period { population, .. } = &verified.answer else { panic!("expected a period") };
    let changed = population.changes.iter().filter_map(|(record, fact)| fact_of(record, *fact)).filter(changes_access);
    let shown: BTreeSet<(u64, u32)> = changed.map(|fact| (fact.evidence.index, fact.evidence.fact)).collect();
    assert!(shown.len() > 10, "{} changes", shown.len());
    assert_eq!(shown, listed);
    assert!(verified.histories.is_empty() && verified.records.len() as u64 > population.records.total());

    // As it was known before anything was: nothing. And what an auditor reads of it.
    let early = evidence(&server, &folder, &["period", from, to, "--known-at", "2020-01-01Z"]);
    let none = verify(&fs::read(early).unwrap(), &policy).map(|verified| verified.known.0);
    assert_eq!(none, Ok(0));
    let refused = ["evidence", "period", to, from, "--server", &url, "--out", "nowhere"];
    let refused = run(&refused).ended(2);
    assert!(refused.stderr.contains("to: expected a moment behind from"), "{}", refused.stderr);
    server.stop();
    let kept = ledger.file("quarter", &bytes);
    let (kept, page, trusted) = (kept.to_str().unwrap(), folder.join("page.html"), ledger.policy());
    let arguments = [kept, "--policy", trusted.to_str().unwrap()];
    let text = auditor(&[&arguments[..], &["--html", page.to_str().unwrap()]].concat()).ended(0);
    assert!(text.text().contains(&format!("From {from} until {to}: {} changes", population.changes.len())));
    assert!(text.text().contains("none is left out that was recorded at 2026-01-09T23:59:00Z or later"));
    assert!(!text.text().contains("no quorum of replayers"), "it rests on none: {}", text.text());
    let json: Value = auditor(&[&arguments[..], &["--output", "json"]].concat()).json();
    let rows = json["period"]["changes"].as_array().unwrap();
    assert_eq!(rows.len(), population.changes.len());
    let row = rows.iter().find(|row| row["kind"] == "grant added").unwrap();
    assert!(row["subject"]["name"].is_string() && row["object"]["entity"].is_string(), "{row}");
    assert_eq!(fs::read_to_string(page).unwrap().matches("grant added</td>").count(), {
        rows.iter().filter(|row| row["kind"] == "grant added").count()
    });
}

#[test]
fn an_auditor_needs_a_file_and_a_policy_and_nothing_else() {
    let (ledger, _) = company_ledger();
    let server = Server::sealing(&ledger);
    let folder = ledger.beside("files");
    fs::create_dir_all(&folder).unwrap();
    let asked = identities(&server, "system=okta");
    let id = asked[0].id.as_str();
    let file = evidence(&server, &folder, &["state", id, "--at", "2026-02-01Z"]);
    let absent = folder.join("absent");
    let (url, out) = (server.url(), absent.to_str().unwrap());
    let ask = |who: &str| run(&["evidence", "absence", who, "--server", &url, "--out", out]);
    ask("nobody@elsewhere.example").ended(0);
    assert!(ask("nobody@elsewhere.example").ended(1).stderr.contains("exists"), "no file is replaced");
    fs::remove_file(&absent).unwrap();
    ask("nobody@elsewhere.example").ended(0);
    let refused =
        run(&["evidence", "absence", id, "--server", &url, "--out", folder.join("x").to_str().unwrap()]).ended(1);
    assert!(refused.stderr.contains("is recorded"), "{}", refused.stderr);
    server.stop();

    let (file, policy) = (file.to_str().unwrap(), ledger.policy());
    let policy = policy.to_str().unwrap();
    let proved = auditor(&[file, "--policy", policy]).ended(0);
    assert!(proved.text().starts_with("PROVED\n") && proved.text().contains(id), "{}", proved.text());
    assert!(proved.text().contains("no quorum of replayers has confirmed it"));
    let json: Value = auditor(&[file, "--policy", policy, "--output", "json"]).json();
    assert_eq!((json["verdict"].as_str(), json["states"][0]["entity"].as_str()), (Some("proved"), Some(id)));
    let page = folder.join("page.html");
    auditor(&[file, "--policy", policy, "--html", page.to_str().unwrap()]).ended(0);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(id) && !page.contains("<script"), "{page}");
    let none = auditor(&[out, "--policy", policy]).ended(0);
    assert!(
        none.text().contains("None of the first") && none.text().contains("nobody@elsewhere.example"),
        "{}",
        none.text()
    );

    // A byte that was altered, a file that is none, and one that is not there.
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let altered = ledger.file("altered", &bytes);
    let rejected = auditor(&[altered.to_str().unwrap(), "--policy", policy, "--output", "json"]).ended(2);
    assert_eq!(serde_json::from_slice::<Value>(&rejected.stdout).unwrap()["step"], "archive");
    auditor(&[policy, "--policy", policy]).ended(2);
    auditor(&["nowhere", "--policy", policy]).ended(2);
    // Another log's policy.
    let other = LedgerFolder::init();
    let foreign = auditor(&[file, "--policy", other.policy().to_str().unwrap()]).ended(1);
    assert!(foreign.stderr.contains("falsified (checkpoint)"), "{}", foreign.stderr);
}

#[test]
fn a_split_view_is_remembered() {
    // Two histories under one key: the ledger, and a copy that went on otherwise.
    let (ledger, _) = company_ledger();
    let copy = ledger.beside("copy");
    let copied = Command::new("cp").arg("-a").arg(ledger.data()).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::copy(ledger.data().with_extension("anchor"), copy.with_extension("anchor")).unwrap();
    let seen = ledger.beside("seen");
    let mut files = Vec::new();
    for (number, (data, last)) in [(ledger.data(), "0"), (copy.clone(), "1")].into_iter().enumerate() {
        let line =
            format!("{{\"uuid\": \"fork-{last}\", \"published\": \"2026-03-01T09:00:00Z\", \"eventType\": \"a.b\"}}\n");
        let event = ledger.file(&format!("fork-{number}.jsonl"), line);
        let run = |arguments: &[&str]| {
            let mut sealing = command();
            sealing.env_remove("COUNTERFOIL_SEAL");
            sealing.args(arguments).arg("--data").arg(&data).output().unwrap()
        };
        assert!(run(&["import", "okta", event.to_str().unwrap()]).status.success());
        let out = ledger.beside(&format!("fork-{number}.evidence"));
        let written = run(&["evidence", "absence", "nobody@elsewhere.example", "--out", out.to_str().unwrap()]);
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        files.push(out);
    }
    let policy = ledger.policy();
    let verify = |file: &Path| {
        auditor(&[file.to_str().unwrap(), "--policy", policy.to_str().unwrap(), "--remember", seen.to_str().unwrap()])
    };
    verify(&files[0]).ended(0);
    verify(&files[0]).ended(0);
    let forked = verify(&files[1]).ended(1);
    assert!(forked.stderr.contains("two histories"), "{}", forked.stderr);
    verify(&files[0]).ended(0);
}
