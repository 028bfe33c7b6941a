//! Answers over a server: they are those over the folder, and no client of ours is needed for them.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use common::{company_ledger, questions};
use counterfoil_tests::files::lines;
use counterfoil_tests::okta::{implied, joined, login, response, user_object};
use counterfoil_tests::program::{LedgerFolder, Run, run};
use counterfoil_tests::server::{Server, tool};
use counterfoil_verify::evidence::verify;
use counterfoil_verify::policy::Policy;
use serde_json::{Value, json};

/// Asks the same of a server and of the folder.
fn ask(server: Option<&Server>, ledger: &LedgerFolder, question: &[String]) -> Run {
    match server {
        Some(server) => run(&[question, &["--server".to_owned(), server.url()]].concat()),
        None => ledger.run(question),
    }
}

/// What would be removed beside the dead letter.
fn redaction() -> Value {
    json!({"records": [2], "reason": "disclosed", "rule": "policy/7", "by": "ops@example.com", "dryRun": true})
}

#[test]
fn answers_over_a_server_are_those_over_the_folder() {
    let (ledger, company) = company_ledger();
    let asked = questions(&company);
    let told = |server: Option<&Server>| -> Vec<(i32, Vec<u8>, String)> {
        asked
            .iter()
            .map(|question| ask(server, &ledger, question))
            .map(|run| (run.code, run.stdout, run.stderr))
            .collect()
    };
    let embedded = told(None);
    assert!(embedded.iter().filter(|(code, ..)| *code == 0).count() > 60, "most of these have an answer");
    let server = Server::start(&ledger);
    for ((question, embedded), served) in asked.iter().zip(embedded).zip(told(Some(&server))) {
        assert_eq!(served, embedded, "{question:?}");
    }
    let refused = ledger.run(&["sources"]).ended(1);
    assert!(refused.stderr.contains(&server.url()), "it says who answers: {}", refused.stderr);
    server.stop();
    ledger.run(&["sources"]).ended(0);
}

/// Calls a method with grpcurl: its answers, or the error.
fn grpcurl(server: &Server, arguments: &[&str], method: &str) -> Option<Result<Vec<Value>, String>> {
    let grpcurl = tool("grpcurl")?;
    let output = Command::new(grpcurl)
        .args(["-plaintext", "-format-error"])
        .args(arguments)
        .arg(&server.address)
        .args([method].iter().filter(|method| !method.is_empty()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if !output.status.success() {
        return Some(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    Some(Ok(answers.collect::<Result<_, _>>().unwrap()))
}

/// A method, a request, and what is right about the answers.
type Call = (&'static str, Value, fn(&[Value]) -> bool);

#[test]
fn a_client_that_is_not_ours_calls_every_method() {
    let ledger = LedgerFolder::init();
    ledger.import("okta", &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])), &[]).ended(0);
    ledger.import("okta", &ledger.file("bad.jsonl", "{\"uuid\": 1\n"), &[]).ended(0);
    let backups = ledger.beside("backups");
    let server = Server::start_with(&ledger, &["--listen", "127.0.0.1:0", "--backups", backups.to_str().unwrap()]);
    let who = login(1);
    let event = BASE64_STANDARD.encode(joined(2, "2026-03-01T10:00:00Z", 2, 1).to_string());
    let append = json!({"connector": "okta", "documents": [event], "requestId": "r1"});
    let implied = BASE64_STANDARD.encode(implied(3, "2026-03-01T11:00:00Z", 1, 1).to_string());
    let widened = json!({"connector": "okta", "documents": [implied], "requestId": "r2"});
    let ticket = json!({"ticket": {
        "id": 7, "subject": "x", "type": "Request", "status": 2, "requester_id": 1, "requested_for_id": 2,
        "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z",
    }});
    let ticket = BASE64_STANDARD.encode(ticket.to_string());
    let ticket = json!({"connector": "freshservice", "documents": [ticket], "requestId": "r3"});
    let calls: [Call; 36] = [
        ("IdentityService/ListIdentities", json!({}), |all| all[0]["identities"].as_array().unwrap().len() == 2),
        ("IdentityService/ListIdentities", json!({"query": who}), |all| all[0]["identities"][0]["name"] == "Person 1"),
        ("IdentityService/GetState", json!({"who": who}), |all| {
            all[0]["state"]["grants"][0]["evidence"]["record"] == "1"
        }),
        ("IdentityService/GetHistory", json!({"who": who}), |all| all[0]["entries"].as_array().unwrap().len() == 1),
        ("IdentityService/DiffState", json!({"who": who, "from": "2026-01-01T00:00:00Z"}), |all| {
            all[0]["differences"][0]["kind"] == "DIFFERENCE_KIND_ADDED"
        }),
        ("IdentityService/ListHolders", json!({"who": "Group 1"}), |all| {
            all[0]["holders"].as_array().unwrap().len() == 1
        }),
        ("IdentityService/ListHolders", json!({"who": "Group 1", "effective": true}), |all| {
            all[0]["effective"][0]["access"]["paths"][0]["steps"][0]["kind"] == "STEP_KIND_GRANT"
        }),
        ("IdentityService/GetEffectiveAccess", json!({"who": who}), |all| {
            all[0]["accesses"].as_array().unwrap().len() == 1 && all[0]["principals"][0]["mayAct"] == true
        }),
        ("IdentityService/GetBlastRadius", json!({"who": who}), |all| all[0]["reachedCount"] == "1"),
        ("IdentityService/ListCapableIdentities", json!({}), |all| all[0]["tableVersion"] == 1),
        ("IdentityService/ListNonHumanIdentities", json!({}), |all| all[0]["moment"]["knownSize"] == "3"),
        ("IdentityService/ListIntegrationPaths", json!({}), |all| all[0]["moment"]["knownSize"] == "3"),
        ("IdentityService/GetInventoryReport", json!({}), |all| all[0]["counts"].as_array().unwrap().len() == 3),
        ("LinkageService/ExplainChange", json!({"change": "1"}), |all| {
            all[0]["explanations"][0]["verdict"] == "VERDICT_NONE_RECORDED"
        }),
        ("LinkageService/ListChanges", json!({"unapproved": true}), |all| {
            all[0]["explanations"].as_array().unwrap().len() == 1
        }),
        ("LinkageService/ExplainGrant", json!({"who": who, "entitlement": "Group 1"}), |all| {
            all[0]["grants"][0]["standing"] == "ACCESS_STANDING_HELD"
        }),
        ("LinkageService/PlanReversal", json!({"change": "1"}), |all| {
            all[0]["steps"][0]["operation"] == "FACT_KIND_GRANT_REMOVED"
        }),
        ("LinkageService/Reconcile", json!({"system": "okta"}), |all| all[0]["basis"]["treeSize"] == "3"),
        ("LedgerService/GetCheckpoint", json!({}), |all| all[0]["basis"]["treeSize"] == "3"),
        ("LedgerService/GetRecord", json!({"index": 1}), |all| all[0]["payload"].is_string()),
        ("LedgerService/GetInclusionProof", json!({"index": 1}), |all| !all[0]["path"].as_array().unwrap().is_empty()),
        ("LedgerService/GetConsistencyProof", json!({"oldSize": 1}), |all| all[0]["treeSize"] == "3"),
        ("LedgerService/ReadRecords", json!({"withBeside": true}), |all| {
            all[0]["records"].as_array().unwrap().len() == 3 && all[0]["records"][1]["beside"].is_object()
        }),
        ("SourceService/ListSources", json!({}), |all| all[0]["sources"][0]["rejected"] == "1"),
        ("SourceService/ListDeadLetters", json!({}), |all| all[0]["deadLetters"][0]["record"] == "2"),
        ("SourceService/GetDeadLetter", json!({"record": 2}), |all| all[0]["deadLetter"]["content"].is_string()),
        ("IngestService/RetryDeadLetter", json!({"record": 2}), |all| all[0]["retried"]["reason"] == "not json"),
        ("IngestService/Append", append.clone(), |all| {
            all[0]["events"][0]["outcome"] == "APPENDED_RECORDED" && all[0]["events"][0]["index"] == "3"
        }),
        ("IngestService/Append", widened, |all| all[0]["events"][0]["index"] == "4"),
        ("IdentityService/ListAffected", json!({"change": "4", "minTreeSize": "5"}), |all| {
            let affected = all[0]["affected"].as_array().unwrap();
            affected.len() == 2 && affected.iter().all(|one| one["kind"] == "AFFECTED_KIND_GAINED")
        }),
        ("IngestService/Remap", json!({"connector": "okta"}), |all| {
            let last = all.last().unwrap();
            last["events"] == "3" && last["same"] == "3" && last["basis"]["treeSize"] == "5"
        }),
        ("IngestService/Redact", redaction(), |all| all[0]["records"] == "1" && all[0]["basis"]["treeSize"] == "5"),
        ("IngestService/Append", ticket, |all| all[0]["events"][0]["index"] == "5"),
        ("LinkageService/TraceTicket", json!({"ticket": "SR-7", "minTreeSize": 6}), |all| {
            all[0]["steps"].as_array().unwrap().len() == 5 && all[0]["gaps"].is_array()
        }),
        ("IngestService/CreateBackup", json!({}), |all| {
            all[0]["backup"]["id"] == "1" && all[0]["backup"]["treeSize"] == "6"
        }),
        ("IngestService/ListBackups", json!({"check": true}), |all| {
            all[0]["backups"].as_array().unwrap().len() == 1 && all[0]["problems"].as_array().is_none_or(Vec::is_empty)
        }),
    ];
    // Those of ProofService need seals, which this ledger has none of.
    let others = [
        "IngestService.AppendStream",
        "IngestService.Snapshot",
        "ProofService.GetEntityProof",
        "ProofService.GetEvidence",
        "ProofService.GetListingProof",
        "ProofService.GetPeriodEvidence",
        "ProofService.GetProofs",
    ];
    let mut called = BTreeSet::from(others.map(|method| format!("counterfoil.v1.{method}")));
    for (method, request, is_right) in calls {
        called.insert(format!("counterfoil.v1.{}", method.replace('/', ".")));
        let method = format!("counterfoil.v1.{method}");
        let Some(answer) = grpcurl(&server, &["-d", &request.to_string()], &method) else { return };
        let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
        assert!(is_right(&answer), "{method}: {answer:?}");
    }
    // Once more adds nothing; and what was appended can be read at once.
    let again = json!({"append": append});
    let answer = grpcurl(&server, &["-d", &again.to_string()], "counterfoil.v1.IngestService/AppendStream").unwrap();
    let receipt = &answer.unwrap()[0]["receipt"];
    assert_eq!(
        (&receipt["events"][0]["outcome"], &receipt["events"][0]["index"]),
        (&json!("APPENDED_DUPLICATE"), &json!("3"))
    );
    let page = response("groups/00g1/users", None, "Mon, 02 Mar 2026 09:00:00 GMT", &json!([user_object(1, "ACTIVE")]));
    let page = json!({"page": {"name": "members", "content": BASE64_STANDARD.encode(page)}});
    let parts = format!("{} {page}", json!({"options": {"connector": "okta"}}));
    let answer = grpcurl(&server, &["-d", &parts], "counterfoil.v1.IngestService/Snapshot").unwrap().unwrap();
    let listing = &answer[0]["listings"][0];
    assert_eq!(
        (&listing["completeness"], &listing["begin"], &listing["end"], &answer[0]["basis"]["treeSize"]),
        (&json!("COMPLETENESS_COMPLETE"), &json!("6"), &json!("8"), &json!("9"))
    );
    let own = json!({"who": login(2), "minTreeSize": 4});
    let answer =
        grpcurl(&server, &["-d", &own.to_string()], "counterfoil.v1.IdentityService/GetState").unwrap().unwrap();
    assert_eq!(answer[0]["basis"]["treeSize"], "9");
    let record = json!({"index": 3});
    let record =
        grpcurl(&server, &["-d", &record.to_string()], "counterfoil.v1.LedgerService/GetRecord").unwrap().unwrap();
    assert_eq!(record[0]["record"]["provenance"]["authentication"], "AUTHENTICATION_LOCAL_CONNECTION");
    // Every method of every service is among these, as the server itself lists them.
    for service in
        ["IdentityService", "LinkageService", "LedgerService", "ProofService", "SourceService", "IngestService"]
    {
        let service = format!("counterfoil.v1.{service}");
        let mut list = Command::new(tool("grpcurl").unwrap());
        let listed = list.args(["-plaintext", &server.address, "list", &service]).output().unwrap();
        let methods = String::from_utf8(listed.stdout).unwrap();
        assert!(methods.lines().count() > 1, "{service}: {methods}");
        for method in methods.lines() {
            assert!(called.contains(method), "{method} is not called here");
        }
    }
    server.stop();
}

#[test]
fn a_client_that_is_not_ours_gets_proofs() {
    let ledger = LedgerFolder::init();
    ledger.import("okta", &ledger.file("a.jsonl", lines(&[joined(1, "2026-03-01T09:00:00Z", 1, 1)])), &[]).ended(0);
    let server = Server::sealing(&ledger);
    let ask = |method: &str, request: Value| {
        grpcurl(&server, &["-d", &request.to_string()], &format!("counterfoil.v1.ProofService/{method}"))
    };
    let Some(proof) = ask("GetEntityProof", json!({"who": login(1)})) else { return };
    let proof = &proof.unwrap()[0];
    assert_eq!((&proof["count"], &proof["covered"]), (&json!("1"), &json!("2")));
    let absent = &ask("GetEntityProof", json!({"who": "account:okta:default:00u9"})).unwrap().unwrap()[0];
    assert!(absent["count"].is_null() && absent["proof"].is_string(), "{absent}");
    let question = json!({"question": "EVIDENCE_QUESTION_STATE", "who": login(1)});
    let pieces = ask("GetEvidence", question).unwrap().unwrap();
    let bytes = BASE64_STANDARD.decode(pieces[0]["data"].as_str().unwrap()).unwrap();
    let policy = Policy::parse(&std::fs::read(ledger.policy()).unwrap()).unwrap();
    assert_eq!(verify(&bytes, &policy).unwrap().known.0, 2);
    let refused =
        ask("GetEvidence", json!({"question": "EVIDENCE_QUESTION_ABSENCE", "who": login(1)})).unwrap().unwrap_err();
    assert!(refused.contains("is recorded: ask for evidence of its state"), "{refused}");
    server.stop();
}
