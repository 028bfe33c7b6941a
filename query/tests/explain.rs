//! Which approval covers a change: one small case for each verdict, and what the answer says about it.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, START, TestLedger, approval, fact, grant, occurred, of_system, recorded, ticket};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{
    Confidence, Delivery, Entitlement, Explanation, Fact, FactKind, LinkRule, Outcome, Verdict,
};
use counterfoil_query::{ChangeSelector, ExplainFilter, Period, QueryError};
use counterfoil_verify::tree::RecordIndex;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const ANN: &str = "account:okta:default:00u1";
const GROUP: &str = "entitlement:okta:default:group_member/00g1";
const APPROVER: &str = "account:freshservice:default:9";

/// A case: what Freshservice and Okta said, at which hours, and in which order it was recorded.
struct Case {
    ledger: TestLedger,
}

impl Case {
    fn new() -> Self {
        let ledger = TestLedger::new();
        // Who is who: Freshservice knows Ann by another id and the same address.
        let known = fact(
            FactKind::AccountUpdated,
            0,
            Some(ledger.who("account:freshservice:default:5", &["Ann@Example.com"])),
            None,
        );
        let bound = fact(FactKind::AccountUpdated, 0, Some(ledger.who(ANN, &["ann@example.com"])), None);
        ledger.record(vec![
            Native::new("freshservice", vec![of_system("freshservice", known)]).named(
                APPROVER,
                "display_name",
                "Bo Ode",
            ),
            Native::new("okta", vec![of_system("okta", bound)]),
        ]);
        Self { ledger }
    }

    fn opened(&self, hours: i64, number: u32, beneficiary: &str, asks_for: &str) -> Native {
        let beneficiary = self.ledger.who(beneficiary, &[]);
        let asks_for = self.ledger.who(asks_for, &[]);
        let fact = ticket(FactKind::TicketOpened, hours * HOUR, number, Some(beneficiary), Some(asks_for));
        Native::new("freshservice", vec![fact])
    }

    fn decided(&self, hours: i64, number: u32, kind: FactKind) -> Native {
        let fact = approval(kind, hours * HOUR, number, self.ledger.who(APPROVER, &[]));
        Native::new("freshservice", vec![fact])
    }

    fn granted(&self, hours: i64, tickets: &[u32]) -> Native {
        let group = self.ledger.who(GROUP, &[]);
        let fact = grant(hours * HOUR, self.ledger.who(ANN, &["ann@example.com"]), group, tickets);
        let executor = Some(self.ledger.who("account:okta:default:00svc", &[]));
        let via = Some(self.ledger.who("credential:okta:default:api_token/00T1", &[]));
        let fact = of_system("okta", Fact { actor: executor, via, ..fact });
        Native { id: Some("the-change".to_owned()), ..Native::new("okta", vec![fact]) }
    }

    /// Records one event after the other, a day apart, and explains the change.
    fn explain(&self, events: Vec<Native>) -> Explanation {
        for (day, event) in (1..).zip(events) {
            self.ledger.at(day * DAY).record_one(event);
        }
        let views = self.ledger.views();
        let answer = views.query().unwrap().explain(&ChangeSelector::Event("the-change".to_owned()), None).unwrap();
        assert_eq!(answer.explanations.len(), 1);
        answer.explanations.into_iter().next().unwrap()
    }
}

/// What a change that names no ticket, and one that names ticket 7, come to after the same events.
fn check(name: &str, events: impl Fn(&Case, Native) -> Vec<Native>, unnamed: Verdict, named: Verdict) {
    for (tickets, expected, rule) in [(&[][..], unnamed, LinkRule::Window), (&[7][..], named, LinkRule::Explicit)] {
        let case = Case::new();
        let change = case.granted(10, tickets);
        let explained = case.explain(events(&case, change));
        assert_eq!(explained.verdict(), expected, "{name}, tickets {tickets:?}: {}", explained.summary);
        let rule = if explained.tickets.is_empty() { LinkRule::Unspecified } else { rule };
        assert_eq!(explained.rule(), rule, "{name}");
        assert!(explained.summary.ends_with("with api_token/00T1."), "{}", explained.summary);
    }
}

#[test]
fn every_verdict() {
    use FactKind::{ApprovalCancelled, ApprovalGranted, ApprovalRejected, ApprovalRequested};
    use Verdict as V;
    let (fs_ann, somebody, other_group) = (
        "account:freshservice:default:5",
        "account:freshservice:default:6",
        "entitlement:okta:default:group_member/00g2",
    );
    check(
        "approved, by her id at Freshservice",
        |case, change| vec![case.opened(1, 7, fs_ann, GROUP), case.decided(2, 7, ApprovalGranted), change],
        V::Approved,
        V::Approved,
    );
    check(
        "approved, by her id at Okta",
        |case, change| vec![case.opened(1, 7, ANN, GROUP), case.decided(2, 7, ApprovalGranted), change],
        V::Approved,
        V::Approved,
    );
    check(
        "approved before, recorded after",
        |case, change| vec![case.opened(1, 7, fs_ann, GROUP), change, case.decided(2, 7, ApprovalGranted)],
        V::ApprovedRecordedLate,
        V::ApprovedRecordedLate,
    );
    check(
        "approved after",
        |case, change| vec![case.opened(1, 7, fs_ann, GROUP), change, case.decided(14, 7, ApprovalGranted)],
        V::ApprovedLate,
        V::ApprovedLate,
    );
    check(
        "rejected",
        |case, change| vec![case.opened(1, 7, fs_ann, GROUP), case.decided(2, 7, ApprovalRejected), change],
        V::Rejected,
        V::Rejected,
    );
    check(
        "withdrawn",
        |case, change| vec![case.opened(1, 7, fs_ann, GROUP), case.decided(2, 7, ApprovalCancelled), change],
        V::Rejected,
        V::Rejected,
    );
    check(
        "asked for",
        |case, change| vec![case.opened(1, 7, fs_ann, GROUP), case.decided(2, 7, ApprovalRequested), change],
        V::Pending,
        V::Pending,
    );
    check(
        "for somebody else",
        |case, change| vec![case.opened(1, 7, somebody, GROUP), case.decided(2, 7, ApprovalGranted), change],
        V::NoneRecorded,
        V::OtherBeneficiary,
    );
    check(
        "for something else",
        |case, change| vec![case.opened(1, 7, fs_ann, other_group), case.decided(2, 7, ApprovalGranted), change],
        V::NoneRecorded,
        V::OutOfScope,
    );
    check(
        "two that fit",
        |case, change| {
            let both =
                [7, 8].map(|number| [case.opened(1, number, fs_ann, GROUP), case.decided(2, number, ApprovalGranted)]);
            both.into_iter().flatten().chain([change]).collect()
        },
        V::Ambiguous,
        V::Approved,
    );
    check(
        "one approved, one rejected",
        |case, change| {
            let kinds = [(7, ApprovalGranted), (8, ApprovalRejected)];
            let both =
                kinds.map(|(number, kind)| [case.opened(1, number, fs_ann, GROUP), case.decided(2, number, kind)]);
            both.into_iter().flatten().chain([change]).collect()
        },
        V::Approved,
        V::Approved,
    );
    check("nothing", |_, change| vec![change], V::NoneRecorded, V::TicketUnknown);
}

#[test]
fn the_answer_names_whom_and_what_it_rests_on() {
    let case = Case::new();
    let change = case.granted(10, &[7]);
    let explained = case.explain(vec![
        case.opened(1, 7, "account:freshservice:default:5", GROUP),
        case.decided(2, 7, FactKind::ApprovalGranted),
        change,
    ]);
    assert_eq!(
        explained.summary,
        "Approved by Bo Ode (level 1, 2026-01-01T02:00:00Z) on ticket/7 before the change; \
         executed by 00svc with api_token/00T1."
    );
    // Ann at Freshservice, and whose address it was at Okta when she asked; the ticket, its approval, and the change, which
    // says what her address is.
    assert_eq!(explained.tickets[0].records, [1, 2, 3, 4, 5]);
    assert!(!explained.order_on_sources_word);
}

#[test]
fn an_approval_by_whoever_gets_the_access_says_so() {
    let (fs_ann, fs_other) = ("account:freshservice:default:5", "account:freshservice:default:6");
    for (approver, own) in [(fs_ann, true), (ANN, true), (fs_other, false)] {
        let case = Case::new();
        let decided = approval(FactKind::ApprovalGranted, 2 * HOUR, 7, case.ledger.who(approver, &[]));
        let change = case.granted(10, &[]);
        let decided = Native::new("freshservice", vec![decided]);
        let explained = case.explain(vec![case.opened(1, 7, fs_ann, GROUP), decided, change]);
        assert_eq!((explained.verdict(), explained.tickets[0].self_approved), (Verdict::Approved, own), "{approver}");
        assert_eq!(explained.summary.contains("whoever gets the access approved it"), own, "{}", explained.summary);
    }
}

#[test]
fn an_approval_that_came_later_says_how_much_later() {
    let case = Case::new();
    let (opened, change, decided) =
        (case.opened(1, 7, ANN, GROUP), case.granted(10, &[7]), case.decided(2, 7, FactKind::ApprovalGranted));
    let explained = case.explain(vec![opened, change, decided]);
    let expected =
        "Approved by Bo Ode (level 1, 2026-01-01T02:00:00Z) on ticket/7, recorded 24 h later than the change";
    assert!(explained.summary.starts_with(expected), "{}", explained.summary);
}

#[test]
fn old_logs_imported_in_any_order_are_held_against_nobody() {
    for (ticket_delivery, expected) in
        [(Delivery::Backfill, Verdict::Approved), (Delivery::Live, Verdict::ApprovedRecordedLate)]
    {
        let case = Case::new();
        let change = Native { delivery: Delivery::Backfill, ..case.granted(10, &[7]) };
        let opened = Native { delivery: Delivery::Backfill, ..case.opened(1, 7, ANN, GROUP) };
        let decided = Native { delivery: ticket_delivery, ..case.decided(2, 7, FactKind::ApprovalGranted) };
        let explained = case.explain(vec![change, opened, decided]);
        assert_eq!(explained.verdict(), expected);
        assert_eq!(explained.order_on_sources_word, expected == Verdict::Approved);
    }
}

#[test]
fn what_was_not_known_then_does_not_count() {
    let case = Case::new();
    let change = case.granted(10, &[]);
    let decided = case.decided(2, 7, FactKind::ApprovalGranted);
    let latest = case.explain(vec![change, case.opened(1, 7, ANN, GROUP), decided]);
    assert_eq!(latest.verdict(), Verdict::ApprovedRecordedLate);
    let views = case.ledger.views();
    let query = views.query().unwrap();
    let by_day = |day: i64| {
        let selector = ChangeSelector::Record(RecordIndex(3), Some(0));
        let answer = query.explain(&selector, Some(recorded(day * DAY)))?;
        Ok::<_, QueryError>(answer.explanations[0].verdict())
    };
    assert!(matches!(by_day(0), Err(QueryError::NotKnownThen { .. })));
    assert_eq!(by_day(1).unwrap(), Verdict::NoneRecorded);
    assert_eq!(by_day(2).unwrap(), Verdict::Pending);
    assert_eq!(by_day(3).unwrap(), Verdict::ApprovedRecordedLate);
}

/// An address is given away: whom a ticket means depends on who had it when the ticket was opened.
#[test]
fn a_ticket_is_for_whoever_had_the_address_when_it_was_opened() {
    let newcomer = "account:okta:default:00u2";
    // When Ann's account was deleted, when the newcomer's was created, whose access changed; explained?
    let cases = [
        ("she still had it, the newcomer has it now", 4, 5, newcomer, Verdict::NoneRecorded, Verdict::OtherBeneficiary),
        ("she still had it, and the change was hers", 20, 25, ANN, Verdict::Approved, Verdict::Approved),
        ("it was free, and the newcomer got it", 0, 5, newcomer, Verdict::Approved, Verdict::Approved),
        ("it was free, and the change was hers", 0, 5, ANN, Verdict::NoneRecorded, Verdict::OtherBeneficiary),
        ("the newcomer had it", 0, 0, newcomer, Verdict::Approved, Verdict::Approved),
        ("the newcomer had it, and the change was hers", 0, 0, ANN, Verdict::NoneRecorded, Verdict::OtherBeneficiary),
    ];
    for (what, deleted, created, subject, unnamed, named) in cases {
        for (tickets, expected) in [(&[][..], unnamed), (&[7][..], named)] {
            let case = Case::new();
            let who = |id: &str| case.ledger.who(id, &["ann@example.com"]);
            let of_account = |kind, hours: i64, id: &str| {
                Native::new("okta", vec![of_system("okta", fact(kind, hours * HOUR + 60, Some(who(id)), None))])
            };
            let asked = ticket(
                FactKind::TicketOpened,
                HOUR,
                7,
                Some(case.ledger.email("ann@example.com")),
                Some(case.ledger.who(GROUP, &[])),
            );
            let change = grant(10 * HOUR, who(subject), case.ledger.who(GROUP, &[]), tickets);
            let explained = case.explain(vec![
                of_account(FactKind::AccountDeleted, deleted, ANN),
                of_account(FactKind::AccountCreated, created, newcomer),
                Native::new("freshservice", vec![asked]),
                case.decided(2, 7, FactKind::ApprovalGranted),
                Native { id: Some("the-change".to_owned()), ..Native::new("okta", vec![change]) },
            ]);
            assert_eq!(explained.verdict(), expected, "{what}, tickets {tickets:?}: {}", explained.summary);
        }
    }
}

/// A case about who has the address: what Okta said of accounts (kind, hour, account, logins), and whether a change of
/// each account is approved by a ticket for the address, opened at hour 5.
type Holders = (&'static str, &'static [(FactKind, i64, &'static str, &'static [&'static str])], bool, bool);

#[test]
fn who_has_an_address_at_a_moment() {
    use FactKind::{AccountCreated as Created, AccountDeleted as Deleted, AccountDisabled as Disabled};
    use FactKind::{AccountUpdated as Updated, AuthEvent};
    const ADDRESS: &str = "shared@example.com";
    const BEA: &str = "account:okta:default:00u2";
    let cases: &[Holders] = &[
        (
            "a later mention by another name takes nothing away",
            &[(Created, 0, ANN, &["ann.ode", ADDRESS]), (AuthEvent, 1, ANN, &["ann.ode"])],
            true,
            false,
        ),
        (
            "a line about the leaver does not give the address back",
            &[
                (Created, 0, ANN, &[ADDRESS]),
                (Disabled, 1, ANN, &[ADDRESS]),
                (Created, 2, BEA, &[ADDRESS]),
                (Deleted, 3, ANN, &[ADDRESS]),
            ],
            false,
            true,
        ),
        (
            "two accounts of one person have it",
            &[(Created, 0, ANN, &["ann.ode", ADDRESS]), (Created, 1, BEA, &["adm.ann", ADDRESS])],
            true,
            true,
        ),
        (
            "nobody had it yet: whoever got it next",
            &[(Created, 7, ANN, &[ADDRESS]), (Updated, 8, BEA, &[ADDRESS])],
            true,
            false,
        ),
        (
            "all who had it are gone: the last of them",
            &[
                (Created, 0, ANN, &[ADDRESS]),
                (Created, 1, BEA, &[ADDRESS]),
                (Deleted, 2, ANN, &[ADDRESS]),
                (Deleted, 3, BEA, &[ADDRESS]),
            ],
            false,
            true,
        ),
    ];
    for (what, events, of_ann, of_bea) in cases {
        for (account, approved) in [(ANN, of_ann), (BEA, of_bea)] {
            let ledger = TestLedger::new();
            let who = |id: &str, logins: &[&str]| Some(ledger.who(id, logins));
            let group = || Some(ledger.who(GROUP, &[]));
            for (kind, hours, id, logins) in *events {
                let said = of_system("okta", fact(*kind, hours * HOUR, who(id, logins), None));
                ledger.record_one(Native::new("okta", vec![said]));
            }
            let asked = ticket(FactKind::TicketOpened, 5 * HOUR, 7, Some(ledger.email(ADDRESS)), group());
            let decided = approval(FactKind::ApprovalGranted, 6 * HOUR, 7, ledger.who(APPROVER, &[]));
            for fact in [asked, decided] {
                ledger.record_one(Native::new("freshservice", vec![fact]));
            }
            let change = grant(10 * HOUR, ledger.who(account, &[]), ledger.who(GROUP, &[]), &[]);
            let change = ledger.record_one(Native::new("okta", vec![change]));
            let views = ledger.views();
            let selector = ChangeSelector::Record(RecordIndex(change), None);
            let explained = views.query().unwrap().explain(&selector, None).unwrap().explanations.remove(0);
            let expected = if *approved { Verdict::Approved } else { Verdict::NoneRecorded };
            assert_eq!(explained.verdict(), expected, "{what}, {account}: {}", explained.summary);
        }
    }
}

/// Who gets a free address next is meant by a ticket for the address; one for an account that is called so is for the
/// last who had it.
#[test]
fn a_ticket_for_an_account_is_not_for_whoever_gets_its_address_next() {
    for (is_for, expected) in [("an account", Verdict::NoneRecorded), ("its address", Verdict::Approved)] {
        let case = Case::new();
        let address = "ann@example.com";
        let who = |id: &str| case.ledger.who(id, &[address]);
        let beneficiary = match is_for {
            "an account" => case.ledger.who("account:freshservice:default:5", &[]),
            _ => case.ledger.email(address),
        };
        let group = || case.ledger.who(GROUP, &[]);
        let deleted = of_system("okta", fact(FactKind::AccountDeleted, HOUR, Some(who(ANN)), None));
        let asked = ticket(FactKind::TicketOpened, 2 * HOUR, 7, Some(beneficiary), Some(group()));
        let change = grant(10 * HOUR, who("account:okta:default:00u2"), group(), &[]);
        let explained = case.explain(vec![
            Native::new("okta", vec![deleted]),
            Native::new("freshservice", vec![asked]),
            case.decided(3, 7, FactKind::ApprovalGranted),
            Native { id: Some("the-change".to_owned()), ..Native::new("okta", vec![change]) },
        ]);
        assert_eq!(explained.verdict(), expected, "a ticket for {is_for}: {}", explained.summary);
    }
}

#[test]
fn a_ticket_for_a_former_address_is_found() {
    let case = Case::new();
    let address = |address: &str| Some(case.ledger.who(ANN, &[address]));
    let married = of_system("okta", fact(FactKind::AccountUpdated, 5 * HOUR, address("ann.new@example.com"), None));
    let asked = ticket(
        FactKind::TicketOpened,
        HOUR,
        7,
        Some(case.ledger.email("ann@example.com")),
        Some(case.ledger.who(GROUP, &[])),
    );
    let change = grant(10 * HOUR, address("ann.new@example.com").unwrap(), case.ledger.who(GROUP, &[]), &[]);
    let explained = case.explain(vec![
        Native::new("freshservice", vec![asked]),
        case.decided(2, 7, FactKind::ApprovalGranted),
        Native::new("okta", vec![married]),
        Native { id: Some("the-change".to_owned()), ..Native::new("okta", vec![change]) },
    ]);
    assert_eq!(explained.verdict(), Verdict::Approved, "{}", explained.summary);
}

#[test]
fn what_a_group_comes_to_mean_is_a_change() {
    let case = Case::new();
    let role = "entitlement:okta:default:role/ORG_ADMIN";
    let meaning = |added: &[&str], removed: &[&str], tickets: &[u32]| {
        let refs = |ids: &[&str]| ids.iter().map(|id| case.ledger.who(id, &[])).collect();
        let detail =
            Entitlement { implies_added: refs(added), implies_removed: refs(removed), ..Entitlement::default() };
        let named = grant(10 * HOUR, case.ledger.who(ANN, &[]), case.ledger.who(GROUP, &[]), tickets);
        let detail = (detail != Entitlement::default()).then_some(Detail::Entitlement(detail));
        let fact = Fact { kind: FactKind::EntitlementChanged.into(), subject: None, detail, ..named };
        Native::new("okta", vec![of_system("okta", fact)])
    };
    let indexes = case.ledger.record(vec![
        case.opened(1, 7, GROUP, role),
        case.decided(2, 7, FactKind::ApprovalGranted),
        meaning(&[role], &[], &[7]),
        meaning(&[role], &[], &[]),
        meaning(&[], &[role], &[]),
        meaning(&[], &[], &[]),
    ]);
    let views = case.ledger.views();
    let query = views.query().unwrap();
    let always = Period::ALWAYS;
    let listed = query.explain_all(always, None, ExplainFilter::All).unwrap();
    let listed: Vec<_> = listed.map(|one| one.unwrap()).map(|one| (one.change.unwrap().record, one.verdict)).collect();
    let (approved, none) = (Verdict::Approved as i32, Verdict::NoneRecorded as i32);
    assert_eq!(listed, [(indexes[2], approved), (indexes[3], none)]);
    for (number, expected) in [(4, Verdict::NoneRecorded), (5, Verdict::NotAChange)] {
        let selector = ChangeSelector::Record(RecordIndex(indexes[number]), None);
        assert_eq!(query.explain(&selector, None).unwrap().explanations[0].verdict(), expected);
    }
}

#[test]
fn a_recycled_address_does_not_lend_its_approvals() {
    let case = Case::new();
    // Ann has left, and a new account has her address. The ticket was for Ann.
    let newcomer = case.ledger.who("account:okta:default:00u2", &["ann@example.com"]);
    let hired = of_system("okta", fact(FactKind::AccountCreated, 5 * HOUR, Some(newcomer.clone()), None));
    let group = case.ledger.who(GROUP, &[]);
    let change = Native {
        id: Some("the-change".to_owned()),
        ..Native::new("okta", vec![grant(10 * HOUR, newcomer, group, &[])])
    };
    let opened = case.opened(1, 7, ANN, GROUP);
    let decided = case.decided(2, 7, FactKind::ApprovalGranted);
    let explained = case.explain(vec![opened, decided, Native::new("okta", vec![hired]), change]);
    assert_eq!(explained.verdict(), Verdict::NoneRecorded);
}

#[test]
fn only_what_gave_access_is_listed_as_a_change() {
    let case = Case::new();
    let group = || Some(case.ledger.who(GROUP, &[]));
    let who = || Some(case.ledger.who(ANN, &[]));
    let failed = Fact { outcome: Outcome::Denied.into(), ..fact(FactKind::GrantAdded, 60, who(), group()) };
    let seen = Fact { confidence: Confidence::Snapshot.into(), ..fact(FactKind::GrantAdded, 70, who(), group()) };
    let removed = fact(FactKind::GrantRemoved, 80, who(), group());
    let facts = vec![failed, seen, removed].into_iter().map(|fact| of_system("okta", fact)).collect();
    let index = case.ledger.record_one(Native::new("okta", facts));
    case.ledger.record(vec![
        case.opened(1, 7, ANN, GROUP),
        case.decided(2, 7, FactKind::ApprovalGranted),
        case.granted(10, &[7]),
        Native { id: None, ..case.granted(11, &[9]) },
    ]);
    let views = case.ledger.views();
    let query = views.query().unwrap();
    let always = Period::ALWAYS;
    let verdicts = |filter, period| {
        let explained = query.explain_all(period, None, filter).unwrap();
        explained.map(|one| one.unwrap().verdict()).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(ExplainFilter::All, always), [Verdict::Approved, Verdict::TicketUnknown]);
    assert_eq!(verdicts(ExplainFilter::Unapproved, always), [Verdict::TicketUnknown]);
    let until_then = Period { to: occurred(11 * HOUR - 1), ..always };
    assert_eq!(verdicts(ExplainFilter::All, until_then), [Verdict::Approved]);
    let one = |fact| query.explain(&ChangeSelector::Record(RecordIndex(index), Some(fact)), None).unwrap();
    assert_eq!(one(0).explanations[0].summary, "This changed no access (outcome: denied).");
    assert_eq!(one(1).explanations[0].summary, "This changed no access: it was seen in a listing.");
    assert_eq!(one(2).explanations[0].verdict(), Verdict::NoneRecorded);
    let missing = query.explain(&ChangeSelector::Record(RecordIndex(index), Some(3)), None);
    assert!(matches!(missing, Err(QueryError::NoSuchFact { count: 3, .. })));
    assert!(matches!(query.explain(&ChangeSelector::Event("?".to_owned()), None), Err(QueryError::NoSuchEvent(_))));
    assert_eq!(START % 86_400, 0);
}
