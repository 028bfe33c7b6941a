//! The drill: a key is stolen, and what was done with it is found and undone.

use std::collections::BTreeSet;

use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    FactKind, GetStateResponse, ListChangesResponse, Party, PlanReversalResponse, ReversalStatus,
};
use counterfoil_tests::files::lines;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use serde_json::{Value, json};

use crate::common::check_answer;
use crate::{ANN, GROUP, KEY, document, lived, lived_ledger};

/// What an identity has, without what says by which record: account status, and grants with their ends.
fn access(ledger: &LedgerFolder, who: &str, at: &str) -> (i32, BTreeSet<(String, i64)>) {
    let answer: GetStateResponse = ledger.run(&["state", who, "--at", at, "--output", "json"]).json();
    let state = answer.state.unwrap();
    let status = state.account.map_or(0, |account| account.status);
    let held = state.grants.iter().map(|grant| {
        let end = grant.expires_at.map_or(0, |end| end.seconds);
        (grant.counterpart.as_ref().unwrap().id.clone(), end)
    });
    (status, held.collect())
}

/// A key is stolen on the morning of 2 March. Everything that was done with it is found, and undone; what others did
/// meanwhile stays.
#[test]
fn s0_32_compromise_drill() {
    let mut documents = Vec::new();
    let mut numbers = 0..;
    let mut happen = |at: &str, kind: &str, key: &str, who: u32, what: Option<u32>, until: Option<&str>| {
        let mut fact = json!({
            "kind": kind, "occurred_at": at, "actor": {"id": "u-9001", "type": "service_account"},
            "via": {"id": format!("api_token/{key}"), "type": "token"}, "subject": {"id": format!("u-{who}")},
        });
        if let Some(what) = what {
            fact["object"] = json!({"id": format!("group_member/g-{what}")});
        }
        if let Some(until) = until {
            fact["expires_at"] = json!(until);
        }
        let number = numbers.next().unwrap();
        documents.push(document("idp", number, vec![fact]));
        format!("evt-{number}")
    };
    for who in 1001..=1005 {
        happen("2026-02-01T08:00:00Z", "account.created", "k-1", who, None, None);
        happen("2026-02-01T09:00:00Z", "grant.added", "k-1", who, Some(who % 2), Some("2026-12-01T00:00:00Z"));
    }
    // The attacker gives itself what it likes, locks others out, and makes itself an account.
    let mut planted = BTreeSet::new();
    for (minute, (kind, who, what)) in [
        ("grant.added", 1001, Some(9)),
        ("grant.removed", 1002, Some(0)),
        ("account.disabled", 1003, None),
        ("account.created", 6666, None),
        ("grant.added", 6666, Some(9)),
        ("grant.added", 1004, Some(8)),
        ("account.deleted", 1005, None),
    ]
    .into_iter()
    .enumerate()
    {
        planted.insert(happen(&format!("2026-03-02T08:{minute:02}:00Z"), kind, "k-17", who, what, None));
    }
    // With the same key, but before; by others, meanwhile; and one of them sees to it that 1004 keeps what it got.
    happen("2026-03-01T08:00:00Z", "grant.added", "k-17", 1003, Some(5), None);
    happen("2026-03-02T08:03:30Z", "grant.added", "k-1", 1002, Some(5), None);
    happen("2026-03-02T09:30:00Z", "grant.modified", "k-1", 1004, Some(8), Some("2026-06-01T00:00:00Z"));
    documents.sort_by_key(|one| one["facts"][0]["occurred_at"].as_str().unwrap().to_owned());
    let ledger = lived_ledger(&documents);
    let (from, to) = ("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z");

    let filter = format!("via = \"{KEY}\" AND occurred_at >= \"{from}\" AND occurred_at <= \"{to}\"");
    let question = ["explain", "--all", "--effect", "any", "--filter", &filter];
    let listed: ListChangesResponse = check_answer(&ledger, &question);
    let found: BTreeSet<String> = listed.explanations.iter().map(|one| one.event_id.clone()).collect();
    assert_eq!(found, planted);

    let question = ["reversal", "--by", KEY, "--from", from, "--to", to, "--at", "2026-03-02T12:00:00Z"];
    let plan: PlanReversalResponse = check_answer(&ledger, &question);
    let said: Vec<(ReversalStatus, FactKind)> = plan.steps.iter().map(|one| (one.status(), one.operation())).collect();
    use ReversalStatus as S;
    assert_eq!(
        said,
        [
            (S::Irreversible, FactKind::Unspecified),
            (S::Superseded, FactKind::Unspecified),
            (S::Applicable, FactKind::GrantRemoved),
            (S::Applicable, FactKind::AccountDeleted),
            (S::Applicable, FactKind::AccountEnabled),
            (S::Applicable, FactKind::GrantAdded),
            (S::Applicable, FactKind::GrantRemoved),
        ]
    );
    assert!(plan.steps[0].summary.contains("was deleted"), "{}", plan.steps[0].summary);

    // Somebody carries the plan out, and the log says so.
    let native = |party: &Option<Shared<Party>>| {
        party.as_ref().map(|party| party.id.parse::<EntityId>().unwrap().native_id().to_owned())
    };
    let operations = plan.steps.iter().filter(|step| step.operation != 0).zip(0..);
    let undone: Vec<Value> = operations
        .map(|(step, minute)| {
            let kind =
                step.operation().as_str_name().trim_start_matches("FACT_KIND_").to_lowercase().replacen('_', ".", 1);
            let mut fact = json!({
                "kind": kind, "occurred_at": format!("2026-03-02T12:{minute:02}:01Z"), "actor": {"id": "u-9002"},
                "subject": {"id": native(&step.subject).unwrap()},
            });
            if let Some(object) = native(&step.object) {
                fact["object"] = json!({"id": object});
            }
            if let Some(end) = step.expires_at {
                fact["expires_at"] = json!(jiff::Timestamp::new(end.seconds, end.nanos).unwrap().to_string());
            }
            document("idp", 1_000 + minute, vec![fact])
        })
        .collect();
    ledger.import("fact", &ledger.file("undone.jsonl", lines(&undone)), &[]).ended(0);
    let (before, after) = ("2026-03-02T07:59:59Z", "2026-03-02T13:00:00Z");
    for who in 1001..=1003 {
        let who = format!("account:idp:prod:u-{who}");
        let (status, mut held) = access(&ledger, &who, before);
        if who.ends_with("1002") {
            // What somebody else gave meanwhile.
            held.insert(("entitlement:idp:prod:group_member/g-5".to_owned(), 0));
        }
        let (status_after, held_after) = access(&ledger, &who, after);
        assert_eq!(held_after, held, "{who}");
        let is_on = |status: i32| [2, 3].contains(&status);
        assert_eq!(is_on(status_after), is_on(status), "{who}");
    }
    let (status, held) = access(&ledger, "account:idp:prod:u-6666", after);
    assert_eq!((status, held.len()), (5, 0), "the attacker's own account is gone");
    // Asked again, nothing of it is left to do.
    let question = ["reversal", "--by", KEY, "--from", from, "--to", to, "--at", after, "--output", "json"];
    let again: PlanReversalResponse = ledger.run(&question).json();
    assert!(again.steps.iter().all(|step| step.operation == 0), "{again:#?}");
}

#[test]
fn a_plan_is_of_one_thing_and_says_what_is_wrong_with_the_question() {
    let ledger = lived_ledger(&lived());
    for (arguments, code, words) in [
        (&["reversal"][..], 2, "required"),
        (&["reversal", "1", "--ticket", "SR-1"], 2, "cannot be used with"),
        (&["reversal", "--by", KEY, "--from", "2026-03-02Z", "--to", "2026-03-01Z"], 2, "--from is after --to"),
        (&["reversal", "--by", "nobody at all"], 3, "nobody at all"),
        (&["reversal", "no-such-event"], 3, "no-such-event"),
        (&["trace", "no such ticket"], 3, "no such ticket"),
        (&["trace", ANN], 3, "tickets are called"),
        (&["explain-grant", ANN, ANN], 2, "is no entitlement"),
        (&["explain", "--all", "--filter", "vi = x"], 2, "filter: at character 1: expected one of the fields kind"),
        (&["holders", GROUP, "--filter", "mode = x"], 2, "filter: at character 8: expected one of active, eligible"),
    ] {
        let run = ledger.run(arguments).ended(code);
        assert!(run.stderr.contains(words), "{words:?} is missing in {}", run.stderr);
    }
    // All that a ticket covers, in one plan.
    let plan: PlanReversalResponse =
        check_answer(&ledger, &["reversal", "--ticket", "ticket:itsm:prod:ticket/77", "--at", "2026-04-01Z"]);
    let said: Vec<ReversalStatus> = plan.steps.iter().map(|step| step.status()).collect();
    assert_eq!(said, [ReversalStatus::NotNeeded, ReversalStatus::AlreadyUndone], "it was given and taken");
}
