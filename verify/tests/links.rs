//! Which approval covers a change: verdicts, scope and windows.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    AccessItem, AccessOperation, Correlation, Decision, Delivery, Entitlement, EntityKind, Fact, FactKind, Precision,
    Ref, Ticket, TicketStatus, Time, Verdict, fact::Detail,
};
use counterfoil_verify::approval::final_decision;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::link::{
    Candidate, Change, Judgement, WINDOW_SECONDS, explicit_tickets, in_order, judge_explicit, judge_window,
};
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::state::{ApprovalState, Evidence, ItemState, TicketState};
use counterfoil_verify::ticket::{CLOCK_TOLERANCE_SECONDS, TicketHistory};
use support::*;

const U1: &str = "account:okta:acme:u1";
/// An identifier of u1.
const ID1: &str = "identifier:ffffffffffffffffffffffffffffffff";
const G1: &str = "entitlement:okta:acme:group_member/g1";
/// When the ticket was opened, when it was approved, and when the change happened, unless a case says otherwise.
const OPENED: i64 = 1_000;
const APPROVED: i64 = 2_000;
const CHANGED: i64 = 3_000;
/// The place of the change in the log.
const CHANGE_INDEX: u64 = 50;

fn evidence(index: u64, seconds: i64) -> Evidence {
    Evidence { index, occurred_seconds: seconds, ..Evidence::default() }
}

fn row(decision: Decision, index: u64, seconds: i64) -> ApprovalState {
    let evidence = evidence(index, seconds);
    ApprovalState { level: 1, rule: 1, decision: decision.into(), evidence, ..ApprovalState::default() }
}

/// A ticket for u1 that asks for g1, approved in time.
fn approved() -> TicketState {
    let mut ticket = TicketState {
        version: Ticket { r#type: 5, status: 1, ..Ticket::default() },
        beneficiary: vec![U1.into()],
        items: vec![ItemState { item: item(Some(group("g1")), "okta:group_member"), targets: vec![G1.into()] }],
        opened: Some(evidence(10, OPENED)),
        evidence: evidence(10, OPENED),
        ..TicketState::default()
    };
    ticket.approvals.insert("r1".into(), row(Decision::Approved, 20, APPROVED));
    ticket
}

fn grant_of(group: Ref) -> Fact {
    Fact { subject: Some(account("u1")), object: Some(group), ..fact(FactKind::GrantAdded, CHANGED) }
}

/// Who the change is about, in one case.
fn judge<T>(
    fact: Fact,
    ticket: &TicketState,
    deliveries: (Delivery, Delivery),
    judge: impl Fn(&Change<'_>, &Candidate<'_>) -> T,
) -> T {
    judge_at(fact, ticket, None, deliveries, judge)
}

/// The same, with the ticket as it stood at the change.
fn judge_at<T>(
    fact: Fact,
    ticket: &TicketState,
    at_change: Option<&TicketState>,
    deliveries: (Delivery, Delivery),
    judge: impl Fn(&Change<'_>, &Candidate<'_>) -> T,
) -> T {
    let record = record_of(CHANGE_INDEX, vec![fact]);
    let fact: FactAt<'_> = facts_of(&record).next().unwrap();
    let beneficiary = if fact.fact.subject.is_some() { entities(&[U1, ID1]) } else { BTreeSet::new() };
    let change = Change { fact, delivery: deliveries.0, beneficiary: &beneficiary };
    let history = TicketHistory {
        last: ticket.clone(),
        around: [at_change.cloned(), None, None],
        when_approved: None,
        when_changed: at_change.cloned(),
    };
    let [beneficiary, edited_beneficiary] = [history.approved(), history.at_change()]
        .map(|version| entities(&version.beneficiary.iter().map(String::as_str).collect::<Vec<_>>()));
    let candidate = Candidate {
        history: &history,
        beneficiary: &beneficiary,
        edited_beneficiary: &edited_beneficiary,
        delivery: deliveries.1,
    };
    judge(&change, &candidate)
}

fn entities(texts: &[&str]) -> BTreeSet<EntityId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const LIVE: (Delivery, Delivery) = (Delivery::Live, Delivery::Live);
const BACKFILL: (Delivery, Delivery) = (Delivery::Backfill, Delivery::Backfill);

fn explicit(ticket: &TicketState) -> Judgement {
    judge(grant_of(group("g1")), ticket, LIVE, judge_explicit)
}

/// A change to a ticket, and the verdict that it gives.
type Case = (&'static str, fn(&mut TicketState), Verdict);

#[test]
fn verdicts_on_a_change_that_names_its_ticket() {
    let cases: &[Case] = &[
        ("approved", |_| {}, Verdict::Approved),
        ("at the same moment", |t| set(t, row(Decision::Approved, 20, CHANGED)), Verdict::Approved),
        ("60 s later: clocks differ", |t| set(t, row(Decision::Approved, 20, CHANGED + 60)), Verdict::Approved),
        ("61 s later", |t| set(t, row(Decision::Approved, 20, CHANGED + 61)), Verdict::ApprovedLate),
        (
            "60 s and a nanosecond later",
            |t| {
                let mut late = row(Decision::Approved, 20, CHANGED + 60);
                late.evidence.occurred_nanos = 1;
                set(t, late);
            },
            Verdict::ApprovedLate,
        ),
        ("late and recorded late", |t| set(t, row(Decision::Approved, 60, CHANGED + 61)), Verdict::ApprovedLate),
        (
            "recorded later: its order is judged apart",
            |t| set(t, row(Decision::Approved, 51, APPROVED)),
            Verdict::Approved,
        ),
        ("in one record", |t| set(t, row(Decision::Approved, CHANGE_INDEX, APPROVED)), Verdict::Approved),
        ("rejected", |t| set(t, row(Decision::Rejected, 20, APPROVED)), Verdict::Rejected),
        ("cancelled", |t| set(t, row(Decision::Cancelled, 20, APPROVED)), Verdict::Rejected),
        ("expired", |t| set(t, row(Decision::Expired, 20, APPROVED)), Verdict::Rejected),
        ("cancelled before the change", |t| t.cancelled = Some(evidence(30, CHANGED - 61)), Verdict::Rejected),
        ("cancelled, but clocks differ", |t| t.cancelled = Some(evidence(30, CHANGED - 60)), Verdict::Approved),
        ("pending", |t| set(t, row(Decision::Requested, 20, APPROVED)), Verdict::Pending),
        (
            "pending in a cancelled ticket",
            |t| {
                set(t, row(Decision::Requested, 20, APPROVED));
                t.version.set_status(TicketStatus::Cancelled);
            },
            Verdict::Rejected,
        ),
        ("nothing asked, nothing decided", |t| t.approvals.clear(), Verdict::Pending),
        ("the source's own value", |t| source_says(t, Decision::Approved, 20, APPROVED), Verdict::Approved),
        (
            "the source's own value, late",
            |t| source_says(t, Decision::Approved, 20, CHANGED + 61),
            Verdict::ApprovedLate,
        ),
        ("the source rejects", |t| source_says(t, Decision::Rejected, 20, APPROVED), Verdict::Rejected),
        ("the source still asks", |t| source_says(t, Decision::Requested, 20, APPROVED), Verdict::Pending),
        (
            "rows count, not the source's value",
            |t| {
                source_says(t, Decision::Approved, 20, APPROVED);
                set(t, row(Decision::Rejected, 20, APPROVED));
            },
            Verdict::Rejected,
        ),
        ("for somebody else", |t| t.beneficiary = vec!["account:okta:acme:u2".into()], Verdict::OtherBeneficiary),
        ("for nobody", |t| t.beneficiary.clear(), Verdict::ApprovedUnspecific),
        ("for one of their identifiers", |t| t.beneficiary = vec![ID1.into()], Verdict::Approved),
        ("for something else", |t| t.items[0].targets = vec![G1.replace("g1", "g2")], Verdict::OutOfScope),
        ("for the opposite", |t| t.items[0].item.set_operation(AccessOperation::Remove), Verdict::OutOfScope),
        ("without items", |t| t.items.clear(), Verdict::ApprovedUnspecific),
        (
            "without items, recorded later",
            |t| {
                t.items.clear();
                set(t, row(Decision::Approved, 51, APPROVED));
            },
            Verdict::ApprovedUnspecific,
        ),
        (
            "without items, and rejected",
            |t| {
                t.items.clear();
                set(t, row(Decision::Rejected, 20, APPROVED));
            },
            Verdict::Rejected,
        ),
        ("until just before", |t| t.items[0].item.until = Some(time(CHANGED - 60)), Verdict::Approved),
        ("until before", |t| t.items[0].item.until = Some(time(CHANGED - 61)), Verdict::OutOfWindow),
        ("from after", |t| t.items[0].item.from = Some(time(CHANGED + 61)), Verdict::OutOfWindow),
        (
            "in its window, without items",
            |t| {
                t.items.clear();
                t.version.window_end = Some(time(CHANGED - 61));
            },
            Verdict::OutOfWindow,
        ),
        (
            "one of two items is for then",
            |t| {
                let mut other = t.items[0].clone();
                other.item.until = Some(time(CHANGED - 61));
                t.items.insert(0, other);
            },
            Verdict::Approved,
        ),
        ("closed just now", |t| t.closed = Some(evidence(30, CHANGED - 1)), Verdict::Approved),
        ("closed 14 days ago", |t| t.closed = Some(evidence(30, CHANGED - 60 - WINDOW_SECONDS)), Verdict::Approved),
        (
            "closed longer ago, decided after that",
            |t| t.closed = Some(evidence(30, CHANGED - 61 - WINDOW_SECONDS)),
            Verdict::Approved,
        ),
        (
            "decided and closed longer ago",
            |t| {
                t.closed = Some(evidence(30, CHANGED - 61 - WINDOW_SECONDS));
                set(t, row(Decision::Approved, 20, CHANGED - 100 - WINDOW_SECONDS));
            },
            Verdict::OutOfWindow,
        ),
        ("for any group", |t| t.items[0].targets.clear(), Verdict::Approved),
        (
            "for any role",
            |t| {
                t.items[0].targets.clear();
                t.items[0].item.target_type = "okta:role".into();
            },
            Verdict::OutOfScope,
        ),
        (
            "for any group of another system",
            |t| {
                t.items[0].targets.clear();
                t.items[0].item.target_type = "github:group_member".into();
            },
            Verdict::OutOfScope,
        ),
        (
            "somebody else's weighs more than scope",
            |t| {
                t.items[0].targets = vec!["x".into()];
                t.beneficiary = vec!["account:okta:acme:u2".into()];
            },
            Verdict::OtherBeneficiary,
        ),
    ];
    for (name, change, expected) in cases {
        let mut ticket = approved();
        change(&mut ticket);
        let judgement = explicit(&ticket);
        assert_eq!(judgement.verdict, *expected, "{name}");
        assert!(!judgement.order_on_sources_word, "{name}");
    }
}

fn set(ticket: &mut TicketState, row: ApprovalState) {
    ticket.approvals.insert("r1".into(), row);
}

fn source_says(ticket: &mut TicketState, decision: Decision, index: u64, seconds: i64) {
    ticket.approvals.clear();
    ticket.version.set_source_decision(decision);
    ticket.source_decided = Some(evidence(index, seconds));
}

/// A source that gives a day or a minute leaves open when in it the change happened: nothing shows that it came first.
#[test]
fn an_inexact_change_may_have_come_later() {
    for (precision, seconds) in [
        (Precision::Nanosecond, 0),
        (Precision::Millisecond, 0),
        (Precision::Second, 1),
        (Precision::Minute, 60),
        (Precision::Day, 86_400),
        (Precision::Received, 0),
    ] {
        let occurred_at = Some(Time { precision: precision.into(), ..time(CHANGED) });
        let fact = Fact { occurred_at, ..grant_of(group("g1")) };
        for (decided, expected) in [(0, Verdict::Approved), (1, Verdict::ApprovedLate)] {
            let mut ticket = approved();
            set(&mut ticket, row(Decision::Approved, 20, CHANGED + CLOCK_TOLERANCE_SECONDS + seconds + decided));
            assert_eq!(judge(fact.clone(), &ticket, LIVE, judge_explicit).verdict, expected, "{precision:?}");
        }
    }
}

#[test]
fn the_order_within_a_backfill_rests_on_the_sources_word() {
    let mut recorded_later = approved();
    set(&mut recorded_later, row(Decision::Approved, 51, APPROVED));
    let mut late = approved();
    set(&mut late, row(Decision::Approved, 51, CHANGED + 61));
    let mut pending = approved();
    set(&mut pending, row(Decision::Requested, 51, APPROVED));
    let mixed = (Delivery::Live, Delivery::Backfill);
    for (ticket, deliveries, verdict, word) in [
        (&recorded_later, BACKFILL, Verdict::Approved, true),
        (&recorded_later, mixed, Verdict::ApprovedRecordedLate, false),
        (&recorded_later, (Delivery::Backfill, Delivery::Live), Verdict::ApprovedRecordedLate, false),
        (&late, BACKFILL, Verdict::ApprovedLate, true),
        (&late, mixed, Verdict::ApprovedLate, false),
        (&pending, BACKFILL, Verdict::Pending, false),
    ] {
        // What was recorded before the change comes to nothing yet, or to another verdict than approved.
        let not_yet = judge(grant_of(group("g1")), &pending, deliveries, judge_explicit);
        for then in [None, Some(not_yet)] {
            let ordered = judge(grant_of(group("g1")), ticket, deliveries, |change, candidate| {
                in_order(change, candidate, judge_explicit(change, candidate), then)
            });
            assert_eq!((ordered.verdict, ordered.order_on_sources_word), (verdict, word), "{deliveries:?}");
        }
    }
    let in_time = judge(grant_of(group("g1")), &approved(), mixed, |change, candidate| {
        let judged = judge_explicit(change, candidate);
        in_order(change, candidate, judged, Some(judged))
    });
    assert_eq!((in_time.verdict, in_time.order_on_sources_word), (Verdict::Approved, false));
}

#[test]
fn what_an_item_covers() {
    let name = known_as(EntityKind::Entitlement, 5);
    let named_text = format!("identifier:{}", "05".repeat(16));
    let both = Ref { tokens: vec![vec![5; 16]], ..group("g1") };
    let elsewhere = Ref { system: "github".into(), instance: "acme".into(), ..group("g1") };
    let of = |kind, object: Option<Ref>| Fact { subject: Some(account("u1")), object, ..fact(kind, CHANGED) };
    use FactKind as K;
    let add = AccessOperation::Add;
    let remove = AccessOperation::Remove;
    // The change; what the ticket's item asks for; its target, if any; whether it covers the change.
    for (fact, operation, target_type, target, covered) in [
        (of(K::GrantAdded, Some(group("g1"))), add, "okta:group_member", Some(G1), true),
        (of(K::GrantModified, Some(group("g1"))), add, "okta:group_member", Some(G1), true),
        (of(K::GrantRemoved, Some(group("g1"))), remove, "okta:group_member", Some(G1), true),
        (of(K::GrantRemoved, Some(group("g1"))), add, "okta:group_member", Some(G1), false),
        (of(K::GrantExpired, Some(group("g1"))), remove, "okta:group_member", Some(G1), true),
        // A ticket may know a name alone, the change both.
        (of(K::GrantAdded, Some(both.clone())), add, "okta:group_member", Some(named_text.as_str()), true),
        (of(K::GrantAdded, Some(name.clone())), add, "okta:group_member", Some(named_text.as_str()), true),
        (of(K::GrantAdded, Some(name)), add, "okta:group_member", Some(G1), false),
        (of(K::GrantAdded, Some(elsewhere.clone())), add, "okta:group_member", Some(G1), false),
        (of(K::GrantAdded, Some(elsewhere.clone())), add, "github:group_member", None, true),
        (of(K::GrantAdded, Some(elsewhere)), add, "okta:group_member", None, false),
        // Accounts have no object: any account of the system is meant.
        (of(K::AccountCreated, None), add, "okta:account", None, true),
        (of(K::AccountEnabled, None), add, "okta:account", None, true),
        (of(K::AccountDisabled, None), remove, "okta:account", None, true),
        (of(K::AccountDeleted, None), add, "okta:account", None, false),
        (of(K::AccountCreated, None), add, "github:account", None, false),
        (of(K::CredentialCreated, Some(credential("c1"))), add, "okta:api_token", None, true),
        (of(K::CredentialRevoked, Some(credential("c1"))), remove, "okta:api_token", None, true),
        (of(K::CredentialExpired, Some(credential("c1"))), remove, "okta:api_token", None, true),
        (of(K::CredentialExpired, Some(credential("c1"))), add, "okta:api_token", None, false),
    ] {
        let mut ticket = approved();
        let item = AccessItem { operation: operation.into(), target_type: target_type.into(), ..AccessItem::default() };
        let other = ItemState { item: item.clone(), targets: vec!["ticket:x:y:z".into()] };
        ticket.items = vec![other, ItemState { item, targets: target.map(str::to_owned).into_iter().collect() }];
        let judgement = judge(fact.clone(), &ticket, LIVE, judge_explicit);
        let expected = if covered { Verdict::Approved } else { Verdict::OutOfScope };
        assert_eq!(judgement.verdict, expected, "{:?} {operation:?} {target_type} {target:?}", fact.kind());
        assert_eq!(judge(fact, &ticket, LIVE, judge_window).is_some(), covered);
    }
}

#[test]
fn a_match_without_a_name_needs_beneficiary_item_and_window() {
    let found = |ticket: &TicketState| judge(grant_of(group("g1")), ticket, LIVE, judge_window);
    assert_eq!(found(&approved()).unwrap().verdict, Verdict::Approved);
    let mut other = approved();
    other.beneficiary = vec!["account:okta:acme:u2".into()];
    assert_eq!(found(&other), None, "another beneficiary");
    let mut no_items = approved();
    no_items.items.clear();
    assert_eq!(found(&no_items), None, "without items nothing says that it is meant");
    let mut rejected = approved();
    set(&mut rejected, row(Decision::Rejected, 20, APPROVED));
    assert_eq!(found(&rejected).unwrap().verdict, Verdict::Rejected, "a rejection is reported, not hidden");
}

#[test]
fn the_edges_of_the_window() {
    let tolerance = CLOCK_TOLERANCE_SECONDS;
    let some = |seconds: i64| Some(time(seconds));
    type Limits = (Option<Time>, Option<Time>);
    // The ticket's own window, its item's, and the first and the last second that they cover.
    let cases: [(&str, Limits, Limits, i64, i64); 8] = [
        ("none: opening to 14 days after the decision", (None, None), (None, None), OPENED, APPROVED + WINDOW_SECONDS),
        ("the ticket's", (some(2_500), some(4_000)), (None, None), 2_500, 4_000),
        ("the item's", (None, None), (some(2_500), some(4_000)), 2_500, 4_000),
        (
            "an item that starts before it was asked for",
            (None, None),
            (some(500), None),
            500,
            APPROVED + WINDOW_SECONDS,
        ),
        ("the item ends earlier", (some(2_500), some(9_000)), (None, some(4_000)), 2_500, 4_000),
        ("the item starts earlier", (some(2_500), some(9_000)), (some(100), some(99_000)), 2_500, 9_000),
        ("the item starts later", (some(2_500), None), (some(2_600), None), 2_600, APPROVED + WINDOW_SECONDS),
        (
            "an item with no end but the default",
            (None, None),
            (None, some(i64::from(u32::MAX))),
            OPENED,
            APPROVED + WINDOW_SECONDS,
        ),
    ];
    for (name, (start, end), (from, until), first, last) in cases {
        let mut ticket = approved();
        (ticket.version.window_start, ticket.version.window_end) = (start, end);
        (ticket.items[0].item.from, ticket.items[0].item.until) = (from, until);
        for (seconds, covered) in [
            (first - tolerance - 1, false),
            (first - tolerance, true),
            (first, true),
            (last, true),
            (last + tolerance, true),
            (last + tolerance + 1, false),
        ] {
            let fact = Fact { occurred_at: some(seconds), ..grant_of(group("g1")) };
            assert_eq!(judge(fact, &ticket, LIVE, judge_window).is_some(), covered, "{name}: at {seconds}");
        }
    }
    let mut undecided = approved();
    undecided.approvals.clear();
    for (seconds, covered) in [(OPENED + WINDOW_SECONDS + 60, true), (OPENED + WINDOW_SECONDS + 61, false)] {
        let fact = Fact { occurred_at: some(seconds), ..grant_of(group("g1")) };
        let found = judge(fact, &undecided, LIVE, judge_window);
        assert_eq!(found.map(|judgement| judgement.verdict), covered.then_some(Verdict::Pending), "undecided");
    }
}

#[test]
fn the_tickets_that_a_change_names() {
    let elsewhere = Ref { system: "freshservice".into(), instance: "acme".into(), ..ticket("7") };
    let tickets = vec![ticket("1042"), elsewhere, known_as(EntityKind::Ticket, 1)];
    let fact = Fact { correlation: Some(Correlation { tickets, ..Correlation::default() }), ..grant_of(group("g1")) };
    let record = record_of(1, vec![fact, grant_of(group("g1"))]);
    let named: Vec<Vec<String>> =
        facts_of(&record).map(|fact| explicit_tickets(&fact).iter().map(ToString::to_string).collect()).collect();
    let token = format!("identifier:{}", "01".repeat(16));
    assert_eq!(named[0], ["ticket:okta:acme:ticket/1042", "ticket:freshservice:acme:ticket/7", &token]);
    assert_eq!(named[1], [""; 0]);
}

#[test]
fn rows_before_the_sources_own_value() {
    let mut ticket = approved();
    source_says(&mut ticket, Decision::Rejected, 30, 2_500);
    let decided = final_decision(&ticket).unwrap();
    assert_eq!((decided.decision, decided.completed_by), (Decision::Rejected, Some(evidence(30, 2_500))));
    set(&mut ticket, row(Decision::Approved, 20, APPROVED));
    let decided = final_decision(&ticket).unwrap();
    assert_eq!((decided.decision, decided.completed_by), (Decision::Approved, Some(evidence(20, APPROVED))));
    ticket.approvals.clear();
    ticket.version.source_decision = 0;
    assert_eq!(final_decision(&ticket), None);
}

/// What happens to a ticket, also with another item, and the verdict that it gives.
type Edit = (&'static str, fn(&mut TicketState, ItemState), Verdict);

/// What happens to a ticket after the change does not change what was approved when the change happened.
#[test]
fn a_change_is_judged_by_the_ticket_of_its_time() {
    let then = approved();
    let g2 = ItemState { item: item(Some(group("g2")), "okta:group_member"), targets: vec!["other".into()] };
    let cases: &[Edit] = &[
        ("nothing", |_, _| {}, Verdict::Approved),
        ("decided again", |t, _| set(t, row(Decision::Approved, 60, CHANGED + 1_000)), Verdict::Approved),
        ("rejected", |t, _| set(t, row(Decision::Rejected, 60, CHANGED + 1_000)), Verdict::Approved),
        ("edited", |t, g2| t.items = vec![g2], Verdict::Approved),
        ("for somebody else", |t, _| t.beneficiary = vec!["account:okta:acme:u2".into()], Verdict::Approved),
    ];
    for (what, happens, expected) in cases {
        let mut at_last = then.clone();
        happens(&mut at_last, g2.clone());
        let judged = |at_last: &TicketState, then: &TicketState| {
            judge_at(grant_of(group("g1")), at_last, Some(then), LIVE, judge_explicit)
        };
        assert_eq!(judged(&at_last, &then).verdict, *expected, "{what}");
    }
    // And the other way round: what was edited to fit does not fit.
    let mut edited = approved();
    edited.items = vec![g2];
    let judged = judge_at(grant_of(group("g1")), &approved(), Some(&edited), LIVE, judge_explicit);
    assert_eq!(judged.verdict, Verdict::OutOfScope);
    // A window that was widened after the change does not reach back.
    let mut ended = approved();
    ended.version.window_end = Some(time(CHANGED - 61));
    for judge in [judge_explicit, |change: &Change<'_>, ticket: &Candidate<'_>| judge_window(change, ticket).unwrap()] {
        assert_eq!(
            judge_at(grant_of(group("g1")), &approved(), Some(&approved()), LIVE, judge).verdict,
            Verdict::Approved
        );
    }
    let verdict = judge_at(grant_of(group("g1")), &approved(), Some(&ended), LIVE, judge_explicit).verdict;
    assert_eq!(verdict, Verdict::OutOfWindow);
    assert_eq!(judge_at(grant_of(group("g1")), &approved(), Some(&ended), LIVE, judge_window), None);
}

/// Who the ticket was for when it was opened, and whose access changed: the same only if nothing says otherwise.
#[test]
fn who_a_ticket_is_for() {
    /// What it is; whether the change names its subject by id; who stood for that; whom the ticket was for; the same?
    type Case = (&'static str, bool, &'static [&'static str], &'static [&'static str], bool);
    const PERSON: &str = "person:hr:acme:7";
    const U2: &str = "account:okta:acme:u2";
    const DESK: &str = "account:freshservice:acme:5";
    const OTHER_DESK: &str = "account:freshservice:acme:6";
    const BY_ID: &[&str] = &[U1, ID1, DESK];
    const BY_NAME: &[&str] = &[ID1, U1, DESK];
    let cases: &[Case] = &[
        ("the account itself", true, BY_ID, &[U1], true),
        ("the account, whose desk account is another now", true, BY_ID, &[U1, OTHER_DESK], true),
        ("a desk account with the same identifier", true, BY_ID, &[DESK, ID1], true),
        ("an identifier that meant nobody there yet", true, BY_ID, &[ID1], true),
        ("an identifier that meant another account then", true, BY_ID, &[ID1, U2], false),
        ("a desk account shared, another account then", true, BY_ID, &[DESK, ID1, U2], false),
        ("two accounts of one person", true, &[U1, PERSON], &[U2, PERSON, U1], true),
        ("nobody known", true, BY_ID, &["identifier:00000000000000000000000000000000"], false),
        ("named by an identifier alone", false, BY_NAME, &[ID1], true),
        ("named so, another account then", false, BY_NAME, &[ID1, U2], false),
        ("named so, the same account then", false, BY_NAME, &[ID1, U1, OTHER_DESK], true),
    ];
    for (what, has_id, change, ticket, expected) in cases {
        let subject = if *has_id { account("u1") } else { known_as(EntityKind::Account, 0xff) };
        let record = record_of(CHANGE_INDEX, vec![Fact { subject: Some(subject), ..grant_of(group("g1")) }]);
        let change = Change {
            fact: facts_of(&record).next().unwrap(),
            delivery: Delivery::Live,
            beneficiary: &entities(change),
        };
        let state = approved();
        let beneficiary = entities(ticket);
        let history = TicketHistory { last: state, ..TicketHistory::default() };
        let candidate = Candidate {
            history: &history,
            beneficiary: &beneficiary,
            edited_beneficiary: &beneficiary,
            delivery: Delivery::Live,
        };
        let verdict = judge_explicit(&change, &candidate).verdict;
        assert_eq!(verdict, if *expected { Verdict::Approved } else { Verdict::OtherBeneficiary }, "{what}");
        assert_eq!(judge_window(&change, &candidate).is_some(), *expected, "{what}");
    }
}

/// What an entitlement comes to mean is about nobody in particular: a ticket that the change names has to be about this
/// entitlement, and to ask for all that it gains and loses.
#[test]
fn a_changed_entitlement_is_covered_by_all_its_items() {
    const ROLE: &str = "entitlement:okta:acme:role/ORG_ADMIN";
    const OTHER: &str = "entitlement:okta:acme:role/OTHER";
    let (add, remove) = (AccessOperation::Add, AccessOperation::Remove);
    let role = |id: &str| reference(EntityKind::Entitlement, &format!("role/{id}"));
    let gains = Entitlement { implies_added: vec![role("ORG_ADMIN")], ..Entitlement::default() };
    let loses = Entitlement { implies_removed: vec![role("ORG_ADMIN")], ..Entitlement::default() };
    let swaps = Entitlement { implies_removed: vec![role("OTHER")], ..gains.clone() };
    type Asked<'a> = &'a [(AccessOperation, &'a str)];
    let cases: &[(&str, &Entitlement, Asked<'_>, Option<&str>, Verdict)] = &[
        ("the role and the group", &gains, &[(add, ROLE), (add, G1)], None, Verdict::Approved),
        ("the role, for the group", &gains, &[(add, ROLE)], Some(G1), Verdict::Approved),
        ("the role, for somebody", &gains, &[(add, ROLE)], Some(U1), Verdict::OutOfScope),
        ("the role, for nobody", &gains, &[(add, ROLE)], None, Verdict::OutOfScope),
        ("membership in the group", &gains, &[(add, G1)], Some(U1), Verdict::OutOfScope),
        ("another role", &gains, &[(add, OTHER)], Some(G1), Verdict::OutOfScope),
        ("the opposite", &gains, &[(remove, ROLE)], Some(G1), Verdict::OutOfScope),
        ("its removal", &loses, &[(remove, ROLE)], Some(G1), Verdict::Approved),
        ("the opposite of its removal", &loses, &[(add, ROLE)], Some(G1), Verdict::OutOfScope),
        ("half of a swap", &swaps, &[(add, ROLE)], Some(G1), Verdict::OutOfScope),
        ("a swap", &swaps, &[(add, ROLE), (remove, OTHER)], Some(G1), Verdict::Approved),
    ];
    for (what, detail, asked, beneficiary, expected) in cases {
        let detail = Some(Detail::Entitlement((*detail).clone()));
        let fact = Fact { object: Some(group("g1")), detail, ..fact(FactKind::EntitlementChanged, CHANGED) };
        let mut ticket = approved();
        ticket.beneficiary = beneficiary.iter().map(|one| (*one).to_owned()).collect();
        let item = |(operation, target): &(AccessOperation, &str)| ItemState {
            item: AccessItem { operation: (*operation).into(), ..AccessItem::default() },
            targets: vec![(*target).to_owned()],
        };
        ticket.items = asked.iter().map(item).collect();
        assert_eq!(judge(fact.clone(), &ticket, LIVE, judge_explicit).verdict, *expected, "{what}");
    }
}

/// Access that was asked for up to a moment is also approved to be taken away then, and not before.
#[test]
fn the_end_of_access_is_approved_with_it() {
    let mut ticket = approved();
    ticket.items[0].item.until = Some(time(CHANGED));
    for (seconds, expected) in
        [(CHANGED - 61, Verdict::OutOfScope), (CHANGED - 60, Verdict::Approved), (CHANGED + 99_999, Verdict::Approved)]
    {
        let removed =
            Fact { subject: Some(account("u1")), object: Some(group("g1")), ..fact(FactKind::GrantRemoved, seconds) };
        assert_eq!(judge(removed, &ticket, LIVE, judge_explicit).verdict, expected, "{seconds}");
    }
    ticket.items[0].item.until = None;
    let removed =
        Fact { subject: Some(account("u1")), object: Some(group("g1")), ..fact(FactKind::GrantRemoved, CHANGED) };
    assert_eq!(judge(removed, &ticket, LIVE, judge_explicit).verdict, Verdict::OutOfScope);
}

#[test]
fn whoever_it_is_for_has_to_be_known() {
    // A credential without an owner: nobody knows for whom the ticket was.
    let created = Fact { object: Some(credential("c1")), ..fact(FactKind::CredentialCreated, CHANGED) };
    let mut ticket = approved();
    ticket.items[0].targets = vec!["credential:okta:acme:api_token/c1".into()];
    assert_eq!(judge(created.clone(), &ticket, LIVE, judge_explicit).verdict, Verdict::ApprovedUnspecific);
    assert_eq!(judge(created, &ticket, LIVE, judge_window), None);
}
