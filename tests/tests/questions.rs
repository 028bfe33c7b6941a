//! Tickets, grants and reversals, asked of the whole program: a ticket that was lived by hand, made-up companies against
//! what is true of them, and the drill of a compromised credential.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;
#[path = "questions/credentials.rs"]
mod credentials;
#[path = "questions/drill.rs"]
mod drill;

use std::collections::{BTreeMap, BTreeSet};

use common::check_answer;
use counterfoil_proto::Shared;
use counterfoil_proto::v1::{
    AccessStanding, ChangeEffect, Decision, ExplainGrantResponse, Explanation, FactKind, MissingPart, Party,
    ReversalStatus, Ruling, TraceGapKind, TraceMoment, TraceTicketResponse, Verdict,
};
use counterfoil_query::{ChangesRequest, ExplainFilter, GrantRequest, Period, Query, ReversalOf, Wanted};
use counterfoil_scenario::{Change, Company, Delivery, Options, Truth, Verdict as TrueVerdict, generate};
use counterfoil_tests::files::lines;
use counterfoil_tests::golden::check_golden;
use counterfoil_tests::inside::{InsideLedger, moment};
use counterfoil_tests::named;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::OccurredAt;
use serde_json::{Value, json};

const GROUP: &str = "entitlement:idp:prod:group_member/g-71";
const ANN: &str = "account:idp:prod:u-1001";
const KEY: &str = "credential:idp:prod:api_token/k-17";

/// A document of a system that speaks the ledger's own vocabulary.
fn document(system: &str, number: usize, facts: Vec<Value>) -> Value {
    json!({
        "id": format!("evt-{number}"), "type": "test",
        "source": {"system": system, "instance": "prod", "stream": "audit"}, "facts": facts,
    })
}

fn person(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name})
}

/// The life of ticket 77: Bo asks that Ann gets into a group up to 20 March; Cy approves, and Ed in place of Di; the
/// provisioner puts her in and takes her out in time; Fay closes it. Ann is one person in both systems.
fn lived() -> Vec<Value> {
    let ticket = || json!({"id": "ticket/77"});
    let foreign = json!([{"system": "itsm", "instance": "prod", "id": "ticket/77"}]);
    let level = |number: u32, at: &str, kind: &str, who: Option<Value>, approver: Value| {
        let mut fact = json!({
            "kind": kind, "occurred_at": at, "object": ticket(), "approval_id": format!("a-{number}"), "level": number,
            "rule": "all", "approver": approver, "asked_by": person("u-2", "Bo Li"),
        });
        if let Some(who) = who {
            fact["actor"] = who;
        }
        fact
    };
    let (cy, di, ed) = (|| person("u-3", "Cy Roe"), || person("u-4", "Di Poe"), || person("u-5", "Ed Doe"));
    let change = |kind: &str, at: &str| {
        json!({
            "kind": kind, "occurred_at": at, "actor": {"id": "u-9001", "name": "Provisioner", "type": "service_account"},
            "via": {"id": "api_token/k-17", "type": "token"}, "subject": {"id": "u-1001", "name": "Ann Ode"},
            "object": {"id": "group_member/g-71", "name": "Ledger Readers"}, "tickets": foreign.clone(),
        })
    };
    let linked = |subject: Value| {
        json!({
            "kind": "identity.linked", "occurred_at": "2026-02-01T08:00:00Z", "subject": subject,
            "object": {"kind": "person", "system": "hr", "instance": "prod", "id": "p-1", "name": "Ann Ode"},
        })
    };
    vec![
        document("idp", 1, vec![linked(json!({"id": "u-1001", "name": "Ann Ode"}))]),
        document("itsm", 2, vec![linked(json!({"id": "u-1", "name": "Ann Ode"}))]),
        document(
            "itsm",
            3,
            vec![json!({
                "kind": "ticket.opened", "occurred_at": "2026-03-01T09:00:00Z", "actor": person("u-2", "Bo Li"),
                "subject": person("u-1", "Ann Ode"), "object": ticket(), "requester": person("u-2", "Bo Li"),
                "items": [{
                    "operation": "add", "target_type": "idp:group_member", "until": "2026-03-20T00:00:00Z",
                    "target": {"system": "idp", "instance": "prod", "id": "group_member/g-71"},
                }],
            })],
        ),
        document(
            "itsm",
            4,
            vec![
                level(1, "2026-03-01T09:05:00Z", "approval.requested", None, cy()),
                level(2, "2026-03-01T09:05:00Z", "approval.requested", None, di()),
            ],
        ),
        document("itsm", 5, vec![level(1, "2026-03-01T10:00:00Z", "approval.granted", Some(cy()), cy())]),
        document("itsm", 6, vec![level(2, "2026-03-01T11:00:00Z", "approval.granted", Some(ed()), di())]),
        document("idp", 7, vec![change("grant.added", "2026-03-01T12:00:00Z")]),
        document(
            "itsm",
            8,
            vec![json!({
                "kind": "ticket.closed", "occurred_at": "2026-03-01T13:00:00Z", "actor": person("u-6", "Fay Coe"),
                "object": ticket(),
            })],
        ),
        document("idp", 9, vec![change("grant.removed", "2026-03-20T00:00:30Z")]),
    ]
}

fn lived_ledger(documents: &[Value]) -> LedgerFolder {
    let ledger = LedgerFolder::init();
    ledger.import("fact", &ledger.file("lived.jsonl", lines(documents)), &["--backfill"]).ended(0);
    ledger
}

/// JSON without what depends on when a test runs.
fn timeless(json: Value) -> Value {
    match json {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(name, _)| !["recordedAt", "knownAt", "basis"].contains(&name.as_str()))
                .map(|(name, value)| (name, timeless(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(timeless).collect()),
        other => other,
    }
}

#[test]
fn s2_11_the_trail_of_a_ticket_is_one_timeline() {
    let ledger = lived_ledger(&lived());
    let question = ["trace", "ticket:itsm:prod:ticket/77", "--at", "2026-04-01Z"];
    let table = ledger.run(&question).ended(0);
    let is_timeless = |line: &&str| !line.starts_with("as of ") && !line.starts_with("Basis: ");
    let text: String = table.text().lines().filter(is_timeless).map(|line| format!("{}\n", line.trim_end())).collect();
    let answer: Value = ledger.run(&[&question[..], &["--output", "json"]].concat()).json();
    let json = serde_json::to_string_pretty(&timeless(answer)).unwrap();
    check_golden("trail-of-a-ticket.txt", &text);
    check_golden("trail-of-a-ticket.json", &(json + "\n"));
    check_answer::<TraceTicketResponse>(&ledger, &question);
}

#[test]
fn s2_05_the_ticket_shows_the_access_at_each_step() {
    let ledger = lived_ledger(&lived());
    let trace = |known: &[Value], at: &str| -> TraceTicketResponse {
        let ledger = lived_ledger(known);
        ledger.run(&["trace", "ticket:itsm:prod:ticket/77", "--at", at, "--output", "json"]).json()
    };
    let steps = |answer: &TraceTicketResponse| -> Vec<(TraceMoment, Option<AccessStanding>)> {
        answer.steps.iter().map(|step| (step.step(), step.access.first().map(|one| one.standing()))).collect()
    };
    use AccessStanding as S;
    use TraceMoment as M;
    let whole: TraceTicketResponse =
        ledger.run(&["trace", "ticket:itsm:prod:ticket/77", "--at", "2026-04-01Z", "--output", "json"]).json();
    assert_eq!(
        steps(&whole),
        [
            (M::BeforeRequest, Some(S::NeverGiven)),
            (M::AtApproval, Some(S::NeverGiven)),
            (M::AfterChange, Some(S::Held)),
            (M::AfterExpiry, Some(S::Removed)),
            (M::Now, Some(S::Removed)),
        ]
    );
    // Each rests on the record that says so.
    let records: Vec<Option<u64>> = whole.steps.iter().map(|step| Some(step.access[0].evidence?.record)).collect();
    let (given, removed) =
        (whole.changes[0].explanation.clone().unwrap(), whole.changes[1].explanation.clone().unwrap());
    let of = |explanation: &Explanation| explanation.change.map(|change| change.record);
    assert_eq!(records, [None, None, of(&given), of(&removed), of(&removed)]);
    // Earlier on, what is to come is said to be missing.
    let earlier = trace(&lived(), "2026-03-10Z");
    assert_eq!(earlier.steps[3].missing, "its time is not over yet");
    assert_eq!(steps(&earlier)[4], (M::Now, Some(S::Held)));
    // Without the removal the access outlives its ticket, and the chain says so.
    let kept = trace(&lived()[..8], "2026-04-01Z");
    assert_eq!(steps(&kept)[3..], [(M::AfterExpiry, Some(S::Held)), (M::Now, Some(S::Held))]);
    let gaps = |answer: &TraceTicketResponse| answer.gaps.iter().map(|gap| gap.kind()).collect::<Vec<_>>();
    assert_eq!(gaps(&kept), [TraceGapKind::NoExpiry, TraceGapKind::HeldAfterExpiry]);
    // Approved, and never carried out.
    assert_eq!(gaps(&trace(&lived()[..6], "2026-04-01Z")), [TraceGapKind::NotExecuted]);
    let asked = trace(&lived()[..4], "2026-04-01Z");
    assert_eq!(gaps(&asked), [TraceGapKind::ApprovalIncomplete]);
    assert_eq!(asked.steps[1].missing, "it was not approved");
    let unclosed: Vec<Value> = lived().into_iter().filter(|one| one["id"] != "evt-8").collect();
    assert!(gaps(&trace(&unclosed, "2026-04-01Z")).contains(&TraceGapKind::NoVerifier));
}

#[test]
fn a_trail_names_who_stands_behind_each_part() {
    let ledger = lived_ledger(&lived());
    let answer: TraceTicketResponse =
        ledger.run(&["trace", "ticket:itsm:prod:ticket/77", "--at", "2026-04-01Z", "--output", "json"]).json();
    let name = |party: &Option<counterfoil_proto::v1::ResolvedParty>| {
        party.as_ref().and_then(|one| one.party.as_ref()).map(|party| party.name.clone()).unwrap_or_default()
    };
    assert_eq!((name(&answer.requester), name(&answer.closed_by)), ("Bo Li".to_owned(), "Fay Coe".to_owned()));
    let person = answer.beneficiary.as_ref().unwrap().person.as_ref().unwrap();
    assert_eq!(person.id, "person:hr:prod:p-1");
    assert!(answer.requester.as_ref().unwrap().person.is_none(), "nothing links Bo with a person");
    let approvals: Vec<_> = answer
        .approvals
        .iter()
        .map(|one| {
            (one.level, name(&one.approver), name(&one.asked_by), name(&one.decided_by), name(&one.on_behalf_of))
        })
        .collect();
    let text = |parts: [&str; 4]| parts.map(str::to_owned);
    let expected = [(1, text(["Cy Roe", "Bo Li", "Cy Roe", ""])), (2, text(["Di Poe", "Bo Li", "Ed Doe", "Di Poe"]))];
    for (found, (level, [approver, asked_by, decided_by, on_behalf_of])) in approvals.iter().zip(expected) {
        assert_eq!(*found, (level, approver, asked_by, decided_by, on_behalf_of));
    }
    assert!(answer.approvals.iter().all(|one| one.asked.is_some() && one.decision() == Decision::Approved));
    let [executor] = &answer.executors[..] else { panic!("{:?}", answer.executors) };
    assert_eq!((executor.changes, executor.credential.as_ref().unwrap().id.as_str()), (2, KEY));
    let verdicts = answer.verdicts.unwrap();
    assert_eq!(
        (verdicts.explained(), verdicts.approved(), verdicts.reversible()),
        (Ruling::Yes, Ruling::Yes, Ruling::Yes)
    );
    assert!(answer.gaps.iter().all(|gap| gap.kind() == TraceGapKind::NoExpiry), "{:?}", answer.gaps);
}

fn explain_grant(ledger: &LedgerFolder, at: &str) -> ExplainGrantResponse {
    check_answer(ledger, &["explain-grant", "Ann Ode", "Ledger Readers", "--system", "idp", "--at", at])
}

#[test]
fn s2_01_three_part_answer() {
    let ledger = lived_ledger(&lived());
    // Who asked for access, who approved it, and when it was removed: also while it is held.
    for at in ["2026-03-10Z", "2026-04-01Z"] {
        let answer = explain_grant(&ledger, at);
        let [grant] = &answer.grants[..] else { panic!("{answer:?}") };
        assert_eq!(
            grant.summary,
            "Ann Ode: Given at 2026-03-01T12:00:00Z by Provisioner with api_token/k-17; approved by Cy Roe (level 1) and \
             Ed Doe (level 2) on ticket/77; removed at 2026-03-20T00:00:30Z by Provisioner with api_token/k-17."
        );
        let given = grant.given.as_ref().unwrap();
        assert_eq!(given.tickets[0].state.as_ref().unwrap().requester.as_ref().unwrap().name, "Bo Li");
        assert_eq!(grant.missing, [0; 0]);
        let expected = if at.starts_with("2026-03") { AccessStanding::Held } else { AccessStanding::Removed };
        assert_eq!(grant.standing(), expected);
    }
    assert_eq!(explain_grant(&ledger, "2026-02-15Z").grants, []);
}

#[test]
fn s0_05_what_is_missing_of_a_grant_is_said() {
    let missing = |documents: &[Value], at: &str| -> Vec<MissingPart> {
        let ledger = lived_ledger(documents);
        let answer = explain_grant(&ledger, at);
        let [grant] = &answer.grants[..] else { panic!("{answer:?}") };
        grant.missing().collect()
    };
    let without = |ids: &[&str]| -> Vec<Value> {
        lived().into_iter().filter(|one| !ids.contains(&one["id"].as_str().unwrap())).collect()
    };
    use MissingPart as M;
    assert_eq!(missing(&without(&["evt-9"]), "2026-03-10Z"), [M::NotRemoved]);
    assert_eq!(missing(&without(&["evt-9"]), "2026-04-01Z"), [M::ExpiredNotRemoved]);
    assert_eq!(missing(&without(&["evt-6"]), "2026-03-10Z"), [M::NotApprovedInTime]);
    let unasked = without(&["evt-3", "evt-4", "evt-5", "evt-6", "evt-8"]);
    assert_eq!(missing(&unasked, "2026-03-10Z"), [M::NoApprovalRecorded]);
    let mut bare = lived();
    for (number, gone) in [(6, ["actor", "via"]), (8, ["actor", "via"])] {
        gone.iter().for_each(|field| _ = bare[number]["facts"][0].as_object_mut().unwrap().remove(*field));
    }
    assert_eq!(missing(&bare, "2026-03-10Z"), [M::NoExecutor, M::NoCredential, M::NoRemover]);
    let mut seen = lived();
    seen[6]["facts"][0]["kind"] = json!("snapshot.item");
    seen[6]["facts"][0]["confidence"] = json!("snapshot");
    for field in ["tickets", "via", "actor"] {
        seen[6]["facts"][0].as_object_mut().unwrap().remove(field);
    }
    seen.truncate(7);
    assert_eq!(missing(&seen, "2026-03-10Z"), [M::SeenInListingOnly, M::NoApprovalRecorded, M::NotRemoved]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Made-up companies

/// A company's ledger, with all of its files in it.
fn told(company: &Company) -> InsideLedger {
    let ledger = InsideLedger::new();
    let folder = ledger.folder.path().join("company");
    company.write_to(&folder).unwrap();
    for delivery in [Delivery::OnTime, Delivery::Late] {
        for file in company.files.iter().filter(|file| file.delivery == delivery) {
            ledger.import(file.connector, &folder.join(&file.name), true);
        }
    }
    ledger
}

fn company(seed: u64) -> Company {
    generate(&Options { seed, people: 30, months: 4, ..Options::default() })
}

fn ticket_id(number: &str) -> EntityId {
    format!("ticket:freshservice:default:ticket/{}", number.trim_start_matches("SR-")).parse().unwrap()
}

/// What makes a change itself: its event, and what it gave to whom.
fn key_of(explanation: &Explanation) -> (String, String) {
    let about = explanation.subject.as_ref().or(explanation.object.as_ref()).unwrap();
    (explanation.event_id.clone(), named::object(about, explanation.object.as_ref()))
}

fn true_key(change: &Change) -> (String, String) {
    let gave = match &change.credential_id {
        Some(id) => format!("{}/{id}", change.entitlement),
        None => change.entitlement.clone(),
    };
    (change.event_uuid.clone(), gave)
}

/// The changes that name a ticket or that it covers, by the truth.
fn by_ticket(truth: &Truth) -> BTreeMap<String, Vec<&Change>> {
    let mut tickets: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
    for change in &truth.changes {
        for ticket in change.ticket.iter().chain(&change.candidates) {
            tickets.entry(ticket.clone()).or_default().push(change);
        }
    }
    tickets
}

#[test]
fn s2_11_trails_of_companies() {
    let mut seen: BTreeMap<TraceGapKind, usize> = BTreeMap::new();
    for seed in 41..=44 {
        let company = company(seed);
        let truth = &company.truth;
        let ledger = told(&company);
        let views = ledger.views();
        let query = views.query().unwrap();
        // The end of the story: what runs out later has not.
        let now = OccurredAt(moment("2026-05-01T00:00:00Z".parse().unwrap()));
        let lapsed: BTreeSet<&str> = truth.lapsed.iter().map(|one| one.ticket.as_str()).collect();
        for (ticket, changes) in by_ticket(truth) {
            let answer = query.trace(&ticket_id(&ticket), now, None).unwrap();
            let context = format!("seed {seed}, {ticket}: {answer:#?}");
            assert!(!answer.cut);
            // What gave access; what takes it away again belongs to the ticket too, and the truth does not list it.
            let explained = answer.changes.iter().filter_map(|one| Some((one, one.explanation.as_ref()?)));
            let gave = |explanation: &Explanation| counterfoil_verify::fact::can_give_access(explanation.kind());
            let found: BTreeMap<_, _> = explained
                .filter(|(_, explanation)| gave(explanation))
                .map(|(one, explanation)| (key_of(explanation), one))
                .collect();
            let expected: BTreeSet<_> = changes.iter().map(|change| true_key(change)).collect();
            assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), expected, "{context}");
            for change in &changes {
                let traced = found[&true_key(change)];
                let is_covered = !matches!(change.verdict, TrueVerdict::OtherBeneficiary | TrueVerdict::Ambiguous);
                assert_eq!(traced.covered, is_covered, "{context}");
                check_chain(change, &answer, &context);
            }
            check_steps(&changes, &answer, &context);
            let held_on = answer.gaps.iter().any(|gap| gap.kind() == TraceGapKind::HeldAfterExpiry);
            assert_eq!(held_on, lapsed.contains(ticket.as_str()), "{context}");
            for gap in &answer.gaps {
                *seen.entry(gap.kind()).or_default() += 1;
            }
        }
    }
    for gap in [TraceGapKind::HeldAfterExpiry, TraceGapKind::NotCovered, TraceGapKind::ApprovalIncomplete] {
        assert!(seen.contains_key(&gap), "{gap:?} goes unchecked: {seen:?}");
    }
}

fn check_chain(change: &Change, answer: &TraceTicketResponse, context: &str) {
    let email = |party: &Option<counterfoil_proto::v1::ResolvedParty>| {
        party.as_ref().and_then(|one| one.party.as_ref()).map(|party| party.email.clone())
    };
    if change.requester_email.is_some() {
        assert_eq!(email(&answer.requester), change.requester_email, "{context}");
    }
    if change.approved_at.is_some() {
        let mut rows: Vec<_> = answer.approvals.iter().filter(|row| row.decision() == Decision::Approved).collect();
        rows.sort_by_key(|row| row.decided.and_then(|by| by.occurred_at).map(|at| (at.seconds, at.nanos)));
        let mut emails: Vec<String> = Vec::new();
        rows.iter().filter_map(|row| email(&row.approver)).for_each(|email| {
            if !emails.contains(&email) {
                emails.push(email);
            }
        });
        assert_eq!(emails, change.approver_emails, "{context}");
    }
}

/// Whoever got it did not have it before, and had it right after.
fn check_steps(changes: &[&Change], answer: &TraceTicketResponse, context: &str) {
    let covered = |change: &&&Change| {
        matches!(change.verdict, TrueVerdict::Approved | TrueVerdict::ApprovedLate)
            && change.entitlement.contains("group_member")
    };
    let Some(change) = changes.iter().find(covered) else { return };
    let step = |wanted: TraceMoment| answer.steps.iter().find(|step| step.step() == wanted).unwrap();
    let standing = |wanted: TraceMoment| -> Vec<AccessStanding> {
        let is_it = |party: &Option<Shared<Party>>| {
            let object = party.as_ref().map(|object| named::object(object, Some(object)));
            object.as_deref() == Some(change.entitlement.as_str())
        };
        step(wanted).access.iter().filter(|access| is_it(&access.target)).map(|access| access.standing()).collect()
    };
    assert_eq!(standing(TraceMoment::BeforeRequest), [AccessStanding::NeverGiven], "{context}");
    assert_eq!(standing(TraceMoment::AfterChange), [AccessStanding::Held], "{context}");
}

#[test]
fn s0_05_who_approved_and_when_removed() {
    let mut removed = 0;
    for seed in 51..=53 {
        let company = company(seed);
        let truth = &company.truth;
        let ledger = told(&company);
        let views = ledger.views();
        let query = views.query().unwrap();
        let is_group = |change: &&Change| change.entitlement.starts_with("okta/group_member/");
        for change in truth.changes.iter().filter(is_group) {
            let context = format!("seed {seed}: {change:#?}");
            let request = GrantRequest {
                who: format!("account:okta:default:{}", change.subject_id).parse().unwrap(),
                entitlement: change.entitlement.replacen("okta/", "entitlement:okta:default:", 1).parse().unwrap(),
            };
            let answer = query.explain_grant(&request, OccurredAt(moment(change.occurred_at)), None).unwrap();
            let [grant] = &answer.grants[..] else { panic!("{context}\n{answer:#?}") };
            let given = grant.given.as_ref().unwrap();
            assert_eq!(given.event_id, change.event_uuid, "{context}");
            let approved = change.verdict == TrueVerdict::Approved;
            let lacks = |part: MissingPart| grant.missing().any(|missing| missing == part);
            assert_eq!(
                approved,
                !lacks(MissingPart::NoApprovalRecorded) && !lacks(MissingPart::NotApprovedInTime),
                "{context}"
            );
            assert_eq!(lacks(MissingPart::NoApprovalRecorded), change.verdict == TrueVerdict::None, "{context}");
            assert_eq!(lacks(MissingPart::NoCredential), change.api_token_id.is_none(), "{context}");
            // Whoever says who holds it now agrees about the removal.
            let state = query.state(&request.who, OccurredAt(ledger.now().0), None).unwrap().state.unwrap();
            let is_held = state
                .grants
                .iter()
                .any(|held| held.counterpart.as_ref().is_some_and(|one| one.id == request.entitlement.to_string()));
            assert!(is_held || grant.removed.is_some(), "{context}");
            if let Some(by) = &grant.removed {
                removed += 1;
                assert_eq!(by.kind(), FactKind::GrantRemoved, "{context}");
                assert!(by.executor.is_some(), "{context}");
            }
        }
        let story = &truth.story;
        let who = account(&query, &story.identity_login, &ledger);
        let entitlement = story.past_entitlement.replacen("okta/", "entitlement:okta:default:", 1).parse().unwrap();
        let request = GrantRequest { who, entitlement };
        let answer = query.explain_grant(&request, OccurredAt(moment(story.past_at)), None).unwrap();
        let by = answer.grants[0].removed.as_ref().unwrap().change.unwrap().occurred_at.unwrap();
        assert_eq!(by.seconds, moment(story.past_removed_at).seconds);
    }
    assert!(removed > 10, "{removed}");
}

fn account(query: &Query<'_>, login: &str, ledger: &InsideLedger) -> EntityId {
    let found = query.resolve(login, Wanted::default(), OccurredAt(ledger.now().0), None).unwrap().identities;
    found.iter().find(|party| party.id.starts_with("account:okta:")).unwrap().id.parse().unwrap()
}

#[test]
fn s0_16_changes_by_the_credential_that_made_them() {
    let company = company(61);
    let ledger = told(&company);
    let views = ledger.views();
    let query = views.query().unwrap();
    let mut by_token: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for change in &company.truth.changes {
        if let Some(token) = &change.api_token_id {
            by_token.entry(token).or_default().insert(true_key(change));
        }
    }
    assert!(by_token.len() > 2, "{by_token:?}");
    for (token, expected) in by_token {
        let filter = format!("via = \"credential:okta:default:api_token/{token}\"");
        let request = ChangesRequest { filter: filter.clone(), ..ChangesRequest::default() };
        let answer = query.changes(&request).unwrap();
        assert_eq!(answer.explanations.iter().map(key_of).collect::<BTreeSet<_>>(), expected, "{token}");
        assert_eq!(answer.next_page_token, "");
        // A part of the time.
        let middle = answer.explanations[answer.explanations.len() / 2].change.unwrap().occurred_at.unwrap();
        let from = jiff::Timestamp::new(middle.seconds, middle.nanos).unwrap();
        let later = format!("{filter} AND occurred_at >= \"{from}\"");
        let later = query.changes(&ChangesRequest { filter: later, ..ChangesRequest::default() }).unwrap();
        assert!(!later.explanations.is_empty() && later.explanations.len() <= answer.explanations.len());
    }
    // In AWS: what each change was done with is that by which it is found.
    let aws = ChangesRequest { filter: "system = aws AND via:*".to_owned(), ..ChangesRequest::default() };
    let aws = query.changes(&aws).unwrap().explanations;
    let credentials: BTreeSet<&str> = aws.iter().map(|one| one.credential.as_ref().unwrap().id.as_str()).collect();
    assert!(!credentials.is_empty());
    for credential in credentials {
        let filter = format!("system = aws AND via = \"{credential}\"");
        let found = query.changes(&ChangesRequest { filter, ..ChangesRequest::default() }).unwrap().explanations;
        let expected: Vec<&Explanation> =
            aws.iter().filter(|one| one.credential.as_ref().is_some_and(|one| one.id == credential)).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{credential}");
    }
    credentials::check();
}

#[test]
fn s0_20_three_verdicts() {
    let company = company(71);
    let ledger = told(&company);
    let views = ledger.views();
    let query = views.query().unwrap();
    let truth: BTreeMap<(String, String), &Change> =
        company.truth.changes.iter().map(|change| (true_key(change), change)).collect();
    let all: Vec<Explanation> =
        query.explain_all(Period::ALWAYS, None, ExplainFilter::All).unwrap().collect::<Result<_, _>>().unwrap();
    let mut rulings: BTreeSet<(Ruling, Ruling, Ruling)> = BTreeSet::new();
    for explanation in &all {
        let verdicts = explanation.verdicts.as_ref().unwrap();
        let three = (verdicts.explained(), verdicts.approved(), verdicts.reversible());
        for (ruling, because) in [
            (three.0, &verdicts.explained_because),
            (three.1, &verdicts.approved_because),
            (three.2, &verdicts.reversible_because),
        ] {
            assert!(ruling != Ruling::Unspecified && because.ends_with('.'), "{explanation:#?}");
        }
        rulings.insert(three);
        let Some(change) = truth.get(&key_of(explanation)) else { continue };
        let (explained, approved) = match change.verdict {
            TrueVerdict::Approved => (Ruling::Yes, Ruling::Yes),
            TrueVerdict::ApprovedLate | TrueVerdict::Rejected | TrueVerdict::Pending => (Ruling::Yes, Ruling::No),
            TrueVerdict::OtherBeneficiary | TrueVerdict::None => (Ruling::No, Ruling::No),
            TrueVerdict::Ambiguous => (Ruling::Partly, Ruling::Partly),
        };
        assert_eq!((three.0, three.1), (explained, approved), "{explanation:#?}");
        // A change is reversible as its plan says.
        let change = explanation.change.unwrap();
        let of = ReversalOf::Change(counterfoil_query::ChangeSelector::Record(
            counterfoil_verify::tree::RecordIndex(change.record),
            Some(change.fact),
        ));
        let plan = query.reversal(&of, OccurredAt(ledger.now().0), None).unwrap();
        let can = |status: ReversalStatus| plan.steps.iter().any(|step| step.status() == status);
        let expected = match () {
            () if can(ReversalStatus::Irreversible) || can(ReversalStatus::TargetGone) => Ruling::No,
            () if can(ReversalStatus::Superseded) || plan.steps.iter().any(|step| step.used.is_some()) => {
                Ruling::Partly
            }
            () => Ruling::Yes,
        };
        assert_eq!(three.2, expected, "{explanation:#?}\n{plan:#?}");
    }
    assert!(rulings.len() > 4, "{rulings:?}");
    // What only takes access away needs no approval, and has its three verdicts too.
    let takes = ChangesRequest { effect: ChangeEffect::Takes, ..ChangesRequest::default() };
    let takes = query.changes(&takes).unwrap().explanations;
    assert!(takes.len() > 10);
    let needs_none = |one: &&Explanation| {
        let verdicts = one.verdicts.as_ref().unwrap();
        one.verdict() == Verdict::NoneRecorded && verdicts.approved() == Ruling::NotApplicable
    };
    assert!(takes.iter().any(|one| needs_none(&one)));
    assert!(takes.iter().all(|one| one.verdicts.as_ref().unwrap().reversible() != Ruling::Unspecified));
}
