//! Links that no ticket number gives: by a shared transaction, by how well a ticket fits; and up to when tickets are known.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, START, TestLedger, approval, fact, grant, of_system, recorded, ticket};
use counterfoil_proto::v1::{Correlation, Explanation, Fact, FactKind, LinkRule, Verdict};
use counterfoil_query::{ChangeSelector, Views};
use proptest::collection::vec;
use proptest::prelude::*;

const HOUR: i64 = 3_600;
const ANN: &str = "account:okta:default:00u1";
const BO: &str = "account:okta:default:00u2";
const GROUP: &str = "entitlement:okta:default:group_member/00g1";
const OTHER: &str = "entitlement:okta:default:group_member/00g2";
const APPROVER: &str = "account:freshservice:default:9";

fn with(transaction: &str, request: &str, fact: Fact) -> Fact {
    let tickets = fact.correlation.map(|correlation| correlation.tickets).unwrap_or_default();
    let correlation = Correlation { transaction: transaction.to_owned(), request: request.to_owned(), tickets };
    Fact { correlation: Some(correlation).filter(|correlation| *correlation != Correlation::default()), ..fact }
}

/// Ticket 7 for Ann and a group, approved in the third hour.
fn asked(ledger: &TestLedger, number: u32, whom: &str, what: &str) -> Vec<Native> {
    let opened = ticket(FactKind::TicketOpened, HOUR, number, Some(ledger.who(whom, &[])), Some(ledger.who(what, &[])));
    let decided = approval(FactKind::ApprovalGranted, 3 * HOUR, number, ledger.who(APPROVER, &[]));
    [opened, decided].map(|fact| Native::new("freshservice", vec![fact])).to_vec()
}

fn granted(ledger: &TestLedger, transaction: &str, request: &str) -> Native {
    let fact = grant(10 * HOUR, ledger.who(ANN, &[]), ledger.who(GROUP, &[]), &[]);
    Native { id: Some("the-change".to_owned()), ..Native::new("okta", vec![with(transaction, request, fact)]) }
}

/// What else Okta says in a transaction, naming a ticket.
fn beside(ledger: &TestLedger, transaction: &str, request: &str, number: u32) -> Native {
    let note = fact(FactKind::AccountUpdated, 10 * HOUR, Some(ledger.who(BO, &[])), None);
    let correlation = Correlation { tickets: vec![common::ticket_ref(number)], ..Correlation::default() };
    let note = Fact { correlation: Some(correlation), ..note };
    Native::new("okta", vec![with(transaction, request, of_system("okta", note))])
}

fn explain(views: &Views, known: Option<i64>) -> Explanation {
    let query = views.query().unwrap();
    let answer = query.explain(&ChangeSelector::Event("the-change".to_owned()), known.map(recorded)).unwrap();
    answer.explanations.into_iter().next().unwrap()
}

#[test]
fn a_ticket_that_the_same_transaction_names() {
    let case = |asked_for: &[(u32, &str, &str)], named: &[(&str, &str, u32)]| {
        let ledger = TestLedger::new();
        for (number, whom, what) in asked_for {
            ledger.record(asked(&ledger, *number, whom, what));
        }
        ledger.record_one(granted(&ledger, "t1", "r1"));
        for (transaction, request, number) in named {
            ledger.record_one(beside(&ledger, transaction, request, *number));
        }
        let explained = explain(&ledger.views(), None);
        let tickets: Vec<String> =
            explained.tickets.iter().map(|linked| linked.ticket.clone().unwrap().id.clone()).collect();
        let numbers: Vec<u32> = tickets.iter().map(|id| id.rsplit('/').next().unwrap().parse().unwrap()).collect();
        (explained.rule(), explained.verdict(), numbers)
    };
    let both = [(7, ANN, GROUP), (8, ANN, GROUP)];
    let (window, correlation) = (LinkRule::Window, LinkRule::Correlation);
    assert_eq!(case(&both, &[]), (window, Verdict::Ambiguous, vec![7, 8]));
    assert_eq!(case(&both, &[("t1", "", 8)]), (correlation, Verdict::Approved, vec![8]));
    assert_eq!(case(&both, &[("", "r1", 8)]), (correlation, Verdict::Approved, vec![8]));
    assert_eq!(case(&both, &[("t2", "r2", 8)]), (window, Verdict::Ambiguous, vec![7, 8]));
    // A request is no transaction, though both have one number.
    assert_eq!(case(&both, &[("r1", "t1", 8)]), (window, Verdict::Ambiguous, vec![7, 8]));
    // What is for somebody or something else is no link.
    let elses = [(7, ANN, GROUP), (8, BO, GROUP), (9, ANN, OTHER)];
    assert_eq!(case(&elses, &[("t1", "", 8), ("t1", "", 9)]), (window, Verdict::Approved, vec![7]));
    assert_eq!(case(&elses, &[("t1", "", 10)]), (window, Verdict::Approved, vec![7]));
}

#[test]
fn of_two_that_fit_the_one_for_this_very_thing_is_meant() {
    let ledger = TestLedger::new();
    ledger.record(asked(&ledger, 7, ANN, GROUP));
    let any = ticket(FactKind::TicketOpened, HOUR, 8, Some(ledger.who(ANN, &[])), None);
    let any = {
        use counterfoil_proto::v1::fact::Detail;
        use counterfoil_proto::v1::{AccessItem, AccessOperation, Ticket};
        let item = AccessItem {
            operation: AccessOperation::Add.into(),
            target_type: "okta:group_member".to_owned(),
            ..AccessItem::default()
        };
        let Some(Detail::Ticket(detail)) = any.detail else { panic!("it is a ticket") };
        Fact { detail: Some(Detail::Ticket(Ticket { items: vec![item], ..detail })), ..any }
    };
    let decided = approval(FactKind::ApprovalGranted, 9 * HOUR, 8, ledger.who(APPROVER, &[]));
    ledger.record([any, decided].map(|fact| Native::new("freshservice", vec![fact])).to_vec());
    ledger.record_one(granted(&ledger, "", ""));
    let explained = explain(&ledger.views(), None);
    assert_eq!((explained.rule(), explained.verdict()), (LinkRule::Window, Verdict::Approved));
    let points: Vec<_> = explained.tickets.iter().map(|linked| linked.score.unwrap()).collect();
    assert_eq!(points.iter().map(|score| (score.entitlement, score.time)).collect::<Vec<_>>(), [(40, 6), (15, 9)]);
    assert_eq!(explained.margin, 22);
    assert!(explained.tickets[0].ticket.as_ref().unwrap().id.ends_with("/7"), "{}", explained.summary);
}

/// What a source tells, in minutes: when it happened, when it is recorded, and whether it is of a ticket.
#[derive(Clone, Debug)]
struct Told {
    source: usize,
    happened: i64,
    later: i64,
    is_ticket: bool,
    is_projected: bool,
}

const SOURCES: [&str; 3] = ["freshservice", "okta", "servicenow"];

fn told() -> impl Strategy<Value = Told> {
    (0..3_usize, 0..2_000_i64, 0..3_i64, any::<bool>(), any::<bool>()).prop_map(
        |(source, happened, later, is_ticket, is_projected)| Told { source, happened, later, is_ticket, is_projected },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However the records are batched, and at every size of the log.
    #[test]
    fn tickets_are_known_up_to_what_the_last_of_their_sources_told(told in vec(told(), 1..40)) {
        let ledger = TestLedger::new();
        ledger.at(0).record_one(granted(&ledger, "", ""));
        let views = ledger.views();
        let (mut now, mut known) = (0, Vec::new());
        for Told { source, happened, later, is_ticket, is_projected } in &told {
            now += 60 * later + 7;
            let account = Some(ledger.who(ANN, &[]));
            let fact = match is_ticket {
                true => ticket(FactKind::TicketUpdated, 60 * happened + 5, 3, account, None),
                false => fact(FactKind::AccountUpdated, 60 * happened + 5, account, None),
            };
            let fact = of_system(SOURCES[*source], fact);
            ledger.at(now).record_one(Native::new(SOURCES[*source], vec![fact]));
            known.push((now, *source, (60 * happened + 5).min(now), *is_ticket));
            if *is_projected {
                views.catch_up(&mut |_, _| ()).unwrap();
            }
        }
        views.catch_up(&mut |_, _| ()).unwrap();
        for (at, ..) in &known {
            let by_then: Vec<_> = known.iter().filter(|(recorded, ..)| recorded <= at).collect();
            let until = |source: usize| {
                let own = by_then.iter().filter(|(_, of, ..)| *of == source);
                let has_tickets = own.clone().any(|(.., is_ticket)| *is_ticket);
                // The change itself is Okta's, and was recorded at once.
                let first = (source == 1).then_some(0);
                let newest = own.map(|(_, _, moment, _)| *moment).chain(first).max();
                newest.filter(|_| has_tickets).map(|moment| (START + moment).div_euclid(60) * 60)
            };
            let expected = (0..SOURCES.len()).filter_map(until).min();
            let explained = explain(&views, Some(*at));
            prop_assert_eq!(explained.tickets_known_until.map(|until| until.seconds), expected, "at {}", at);
            let enough = START + 10 * HOUR + 1 + 60 + HOUR;
            prop_assert_eq!(explained.provisional, expected.is_none_or(|until| until < enough));
        }
    }
}
