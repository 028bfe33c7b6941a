//! What happens to a ticket before and after the change that it is for: only what was approved, and when, counts.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, TestLedger, approval, grant, of_system, ticket};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{ApprovalRule, Confidence, Explanation, Fact, FactKind, TicketStatus, Verdict};
use counterfoil_query::ChangeSelector;

const HOUR: i64 = 3_600;
const ANN: &str = "account:okta:default:00u1";
const BEA: &str = "account:okta:default:00u2";
const GROUP: &str = "entitlement:okta:default:group_member/00g1";
const ADMINS: &str = "entitlement:okta:default:group_member/00g2";
const BOSS: &str = "account:freshservice:default:9";
const CHIEF: &str = "account:freshservice:default:8";

/// One record about the ticket; times are in hours.
#[derive(Clone, Copy)]
enum Step {
    /// A version: for whom, and what it asks for.
    Version(FactKind, i64, &'static str, &'static str),
    /// The same, in a status.
    InStatus(FactKind, i64, TicketStatus),
    /// That it was opened, as a connector concluded it from a later version.
    Derived(i64, &'static str),
    /// An approver's row: id, level, rule, kind of fact, when, who.
    Row(&'static str, u32, ApprovalRule, FactKind, i64, &'static str),
    /// A version that says neither for whom nor what.
    Empty(i64),
}

use FactKind::{
    ApprovalCancelled as Withdrawn, ApprovalGranted as Granted, ApprovalRejected as Refused,
    ApprovalRequested as Requested, TicketOpened as Opened, TicketUpdated as Updated,
};
use Step::{Derived, Empty, InStatus, Row, Version};

const OPENED: Step = Version(Opened, 1, ANN, GROUP);

const fn row(kind: FactKind, hours: i64) -> Step {
    Row("r1", 1, ApprovalRule::All, kind, hours, BOSS)
}

const fn second(kind: FactKind, hours: i64) -> Step {
    Row("r2", 1, ApprovalRule::All, kind, hours, CHIEF)
}

fn native(ledger: &TestLedger, number: u32, step: Step) -> Native {
    let who = |id: &str| ledger.who(id, &[]);
    let fact = match step {
        Version(kind, hours, whom, what) => ticket(kind, hours * HOUR, number, Some(who(whom)), Some(who(what))),
        InStatus(kind, hours, status) => {
            let mut fact = ticket(kind, hours * HOUR, number, None, None);
            if let Some(Detail::Ticket(detail)) = &mut fact.detail {
                detail.set_status(status);
            }
            fact
        }
        Derived(hours, whom) => {
            let opened = ticket(Opened, hours * HOUR, number, Some(who(whom)), None);
            Fact { confidence: Confidence::Derived.into(), ..opened }
        }
        Row(id, level, rule, kind, hours, by) => {
            let mut fact = approval(kind, hours * HOUR, number, who(by));
            if let Some(Detail::Approval(detail)) = &mut fact.detail {
                (detail.id, detail.level) = (format!("{number}-{id}"), level);
                detail.set_rule(rule);
            }
            fact
        }
        Empty(hours) => ticket(Updated, hours * HOUR, number, None, None),
    };
    Native::new("freshservice", vec![of_system("freshservice", fact)])
}

/// The change happens at hour 10, on whom and on what; it names ticket 7 or none.
fn change(ledger: &TestLedger, what: &str, tickets: &[u32]) -> Native {
    let grant = grant(10 * HOUR, ledger.who(ANN, &[]), ledger.who(what, &[]), tickets);
    Native { id: Some("the-change".to_owned()), ..Native::new("okta", vec![grant]) }
}

fn explained(ledger: &TestLedger) -> Explanation {
    let views = ledger.views();
    let selector = ChangeSelector::Event("the-change".to_owned());
    views.query().unwrap().explain(&selector, None).unwrap().explanations.remove(0)
}

/// A life: the records before the change and those after it, in the order of their arrival; what the change gave; and
/// the verdict before and after what came later.
type Life = (&'static str, &'static [Step], &'static str, Verdict, &'static [Step], Verdict);

const LIVES: &[Life] = &[
    (
        "an approver is dropped later",
        &[OPENED, row(Granted, 2), second(Requested, 2)],
        GROUP,
        Verdict::Pending,
        &[second(Withdrawn, 20)],
        Verdict::ApprovedLate,
    ),
    (
        "the rule is loosened later",
        &[OPENED, row(Granted, 2), second(Requested, 2)],
        GROUP,
        Verdict::Pending,
        &[
            Row("r1", 1, ApprovalRule::First, Granted, 20, BOSS),
            Row("r2", 1, ApprovalRule::First, Requested, 20, CHIEF),
        ],
        Verdict::ApprovedLate,
    ),
    (
        "cancelled before, opened again after",
        &[OPENED, row(Granted, 2), InStatus(Updated, 3, TicketStatus::Cancelled)],
        GROUP,
        Verdict::Rejected,
        &[InStatus(Updated, 20, TicketStatus::Open)],
        Verdict::Rejected,
    ),
    (
        "another item after the approval",
        &[OPENED, row(Granted, 2), Version(Updated, 3, ANN, ADMINS)],
        ADMINS,
        Verdict::EditedAfterApproval,
        &[],
        Verdict::EditedAfterApproval,
    ),
    (
        "somebody else's before the approval was edited",
        &[Version(Opened, 1, BEA, GROUP), row(Granted, 2), Version(Updated, 3, ANN, GROUP)],
        GROUP,
        Verdict::EditedAfterApproval,
        &[],
        Verdict::EditedAfterApproval,
    ),
    (
        "what was approved, edited to something else",
        &[OPENED, row(Granted, 2), Version(Updated, 3, BEA, ADMINS)],
        GROUP,
        Verdict::Approved,
        &[],
        Verdict::Approved,
    ),
    (
        "edited to fit after the change",
        &[Version(Opened, 1, BEA, GROUP), row(Granted, 2)],
        GROUP,
        Verdict::OtherBeneficiary,
        &[Version(Updated, 20, ANN, GROUP)],
        Verdict::OtherBeneficiary,
    ),
    (
        "edited to fit after the change, with an opening that was concluded",
        &[Version(Opened, 1, BEA, GROUP), row(Granted, 2)],
        GROUP,
        Verdict::OtherBeneficiary,
        &[Derived(1, ANN), Version(Updated, 20, ANN, GROUP)],
        Verdict::OtherBeneficiary,
    ),
    (
        "filled in after the change",
        &[Empty(1), row(Granted, 2)],
        GROUP,
        Verdict::ApprovedUnspecific,
        &[Version(Updated, 20, ANN, GROUP)],
        Verdict::ApprovedUnspecific,
    ),
    (
        "only seen after the change, as many imports have it",
        &[row(Granted, 2)],
        GROUP,
        Verdict::ApprovedUnspecific,
        &[Derived(1, ANN), Version(Updated, 20, ANN, GROUP)],
        Verdict::ApprovedRecordedLate,
    ),
    (
        "a backdated decision",
        &[OPENED, row(Requested, 2), second(Granted, 4)],
        GROUP,
        Verdict::Pending,
        &[row(Granted, 3)],
        Verdict::ApprovedRecordedLate,
    ),
    (
        "a backdated edit of the beneficiary",
        &[Version(Opened, 1, BEA, GROUP), row(Granted, 4)],
        GROUP,
        Verdict::OtherBeneficiary,
        &[Version(Updated, 3, ANN, GROUP)],
        Verdict::ApprovedRecordedLate,
    ),
    (
        "the same decision again, now with who decided",
        &[OPENED, row(Granted, 2)],
        GROUP,
        Verdict::Approved,
        &[row(Granted, 20), second(Refused, 21)],
        Verdict::Approved,
    ),
    (
        "a second level is approved after the change",
        &[OPENED, row(Granted, 2), Row("r3", 2, ApprovalRule::All, Requested, 2, CHIEF)],
        GROUP,
        Verdict::Pending,
        &[Row("r3", 2, ApprovalRule::All, Granted, 20, CHIEF)],
        Verdict::ApprovedLate,
    ),
    (
        "resolved within the window",
        &[OPENED, row(Granted, 2), InStatus(Updated, 3, TicketStatus::Resolved)],
        GROUP,
        Verdict::Approved,
        &[],
        Verdict::Approved,
    ),
    (
        "resolved long ago",
        &[
            Version(Opened, -2_000, ANN, GROUP),
            row(Granted, -1_999),
            InStatus(FactKind::TicketClosed, -1_998, TicketStatus::Resolved),
        ],
        GROUP,
        Verdict::OutOfWindow,
        &[row(Granted, 20), Row("r3", 2, ApprovalRule::All, Granted, 21, CHIEF)],
        Verdict::OutOfWindow,
    ),
];

#[test]
fn what_counts_is_what_was_approved_and_when() {
    for (what, before, given, first, after, last) in LIVES {
        let ledger = TestLedger::new();
        before.iter().for_each(|step| {
            ledger.record_one(native(&ledger, 7, *step));
        });
        ledger.record_one(change(&ledger, given, &[7]));
        let now = explained(&ledger);
        assert_eq!(now.verdict(), *first, "{what}: {}", now.summary);
        after.iter().for_each(|step| {
            ledger.record_one(native(&ledger, 7, *step));
        });
        let later = explained(&ledger);
        assert_eq!(later.verdict(), *last, "{what}, later: {}", later.summary);
    }
}

#[test]
fn a_verdict_is_told_from_what_it_rests_on() {
    // Ann's own approval is taken back after the change, and the boss approves.
    let ledger = TestLedger::new();
    let own = Row("r1", 1, ApprovalRule::Any, Granted, 2, ANN);
    for step in [OPENED, own] {
        ledger.record_one(native(&ledger, 7, step));
    }
    ledger.record_one(change(&ledger, GROUP, &[7]));
    for step in
        [Row("r1", 1, ApprovalRule::Any, Withdrawn, 20, ANN), Row("r2", 1, ApprovalRule::Any, Granted, 21, BOSS)]
    {
        ledger.record_one(native(&ledger, 7, step));
    }
    let explained = explained(&ledger);
    assert_eq!((explained.verdict(), explained.tickets[0].self_approved), (Verdict::Approved, true));
    assert!(explained.summary.contains("2026-01-01T02:00:00Z"), "{}", explained.summary);
    assert!(!explained.summary.contains("T21:"), "not what came later: {}", explained.summary);

    let ledger = TestLedger::new();
    for step in [OPENED, row(Granted, 2), InStatus(Updated, 3, TicketStatus::Cancelled)] {
        ledger.record_one(native(&ledger, 7, step));
    }
    ledger.record_one(change(&ledger, GROUP, &[7]));
    let rejected = self::explained(&ledger);
    assert!(rejected.summary.starts_with("ticket/7 was cancelled at 2026-01-01T03:00:00Z"), "{}", rejected.summary);
}

/// A ticket that is approved after the change takes nothing from one that was approved before it.
#[test]
fn an_approval_in_time_leaves_no_doubt() {
    let ledger = TestLedger::new();
    for (number, step) in [(7, OPENED), (7, row(Granted, 2)), (8, OPENED), (8, row(Requested, 2))] {
        ledger.record_one(native(&ledger, number, step));
    }
    ledger.record_one(change(&ledger, GROUP, &[]));
    assert_eq!(explained(&ledger).verdict(), Verdict::Approved);
    ledger.record_one(native(&ledger, 8, row(Granted, 20)));
    let later = explained(&ledger);
    assert_eq!((later.verdict(), later.tickets.len()), (Verdict::Approved, 1), "{}", later.summary);
}
