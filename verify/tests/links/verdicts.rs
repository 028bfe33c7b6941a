//! The verdicts: order of approval and change, and windows.

use crate::cases::*;
use crate::support::*;
use counterfoil_proto::v1::{AccessOperation, Decision, Delivery, Fact, Precision, TicketStatus, Time, Verdict};
use counterfoil_verify::approval::final_decision;
use counterfoil_verify::link::{Candidate, Change, WINDOW_SECONDS, in_order, judge_explicit, judge_window};
use counterfoil_verify::state::{ApprovalState, ItemState, TicketState};
use counterfoil_verify::ticket::CLOCK_TOLERANCE_SECONDS;

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
