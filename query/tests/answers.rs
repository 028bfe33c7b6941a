//! Names, histories, differences, sources and dead letters; and that all of it comes back from the log alone.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use common::{Native, TestLedger, approval, entity, fact, grant, occurred, of_system, recorded, ticket, unmapped};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::record::Body;
use counterfoil_proto::v1::{
    AccountStatus, DifferenceKind, EventConflict, Fact, FactKind, Ownership, RejectReason, SourceRejected, Time,
};
use counterfoil_query::{
    ChangeSelector, ExplainFilter, HistoryRequest, Page, Period, Query, QueryError, Views, Wanted,
};
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::RecordIndex;
use proptest::collection::vec;
use proptest::prelude::*;

const ALWAYS: Period = Period::ALWAYS;
const ANN: &str = "account:okta:default:00u1";
const BEA: &str = "account:okta:default:00u2";
const GROUP: &str = "entitlement:okta:default:group_member/00g1";

/// Ann and Bea of Okta, Ann's request at Freshservice, and what else a log has.
fn company() -> TestLedger {
    company_in_steps(|_| ())
}

/// The same, with something done whenever something was recorded.
fn company_in_steps(mut step: impl FnMut(&TestLedger)) -> TestLedger {
    let ledger = TestLedger::new();
    step(&ledger);
    let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    let (ann, bea) = (ledger.who(ANN, &["ann@example.com"]), ledger.who(BEA, &["bea"]));
    let group = ledger.who(GROUP, &[]);
    let created = fact(FactKind::AccountCreated, 10, Some(ann.clone()), None);
    ledger.at(100).record(vec![
        okta(created).named(ANN, "display_name", "Ann Ode").named(ANN, "login", "ann@example.com"),
        okta(fact(FactKind::AccountCreated, 20, Some(bea.clone()), None)).named(
            BEA,
            "display_name",
            "Bea \u{1b}[31mLi",
        ),
    ]);
    step(&ledger);
    let opened = ticket(FactKind::TicketOpened, 30, 1042, Some(ann.clone()), Some(group.clone()));
    let approved = approval(FactKind::ApprovalGranted, 40, 1042, ledger.who("account:freshservice:default:9", &[]));
    let subject = "ticket:freshservice:default:ticket/1042";
    ledger.at(200).record(vec![
        Native::new("freshservice", vec![opened]).named(subject, "subject", "Please let me in"),
        Native::new("freshservice", vec![approved]),
    ]);
    step(&ledger);
    ledger.at(300).record(vec![
        Native::new("okta", vec![grant(50, ann.clone(), group.clone(), &[1042])]).named(
            GROUP,
            "display_name",
            "Admins",
        ),
        okta(fact(FactKind::GrantRemoved, 70, Some(ann), Some(group.clone()))),
        Native::new("okta", vec![grant(60, bea, group, &[])]),
    ]);
    step(&ledger);
    ledger.record_body("okta", unmapped("zebra.sighted"));
    ledger.record_body("okta", Body::EventConflict(EventConflict { first_index: 1 }));
    ledger.record_body("okta", Body::SourceRejected(SourceRejected { reason: RejectReason::NotJson.into(), size: 3 }));
    ledger
}

fn found(query: &Query<'_>, who: &str, at: i64) -> Vec<String> {
    let answer = query.resolve(who, Wanted::default(), occurred(at), None).unwrap();
    answer.identities.into_iter().map(|party| party.id.clone()).collect()
}

#[test]
fn a_name_is_found_however_it_is_known() {
    let ledger = company();
    let views = ledger.views();
    let query = views.query().unwrap();
    for who in ["00u1", "Ann@Example.com", "  ann ODE ", "ann o", "n Od", ANN] {
        assert_eq!(found(&query, who, 99), [ANN], "{who:?}");
    }
    assert_eq!(found(&query, "bea", 99), [BEA], "a login belongs to its system");
    assert_eq!(found(&query, "admins", 99), [GROUP]);
    for who in ["SR-1042", "#SR-01042", "INC-1042", "1042", "#1042", "#01042", "ticket/1042", "please let"] {
        assert_eq!(found(&query, who, 99), ["ticket:freshservice:default:ticket/1042"], "{who:?}");
    }
    assert_eq!(found(&query, "group_member/00g1", 99), [GROUP]);
    for who in ["CHN-1042", "FOO-1042", "SR-", "#", "change/1042", "group_member/", "/1042", "nobody"] {
        assert_eq!(found(&query, who, 99), [""; 0], "{who:?}");
    }
    assert_eq!(found(&query, "", 99), [""; 0]);
    let absent = "account:okta:default:never";
    assert_eq!(found(&query, absent, 99), [absent]);
    assert!(!query.state(&entity(absent), occurred(99), None).unwrap().state.unwrap().known);
    assert_eq!(
        query.resolve("ann ode", Wanted::default(), occurred(99), Some(recorded(50))).unwrap().identities.len(),
        0
    );
    let bea = &query.resolve("bea", Wanted::default(), occurred(99), None).unwrap().identities[0];
    assert_eq!(bea.name, "Bea \u{1b}[31mLi", "a hostile name comes as it is");
}

#[test]
fn a_name_is_found_without_its_accents_and_however_long_it_is() {
    let ledger = TestLedger::new();
    let long = "Ann ".repeat(200);
    for (id, name) in [(ANN, "Zoë Müller-Åberg"), (BEA, long.as_str())] {
        let seen = of_system("okta", fact(FactKind::AccountUpdated, 10, Some(ledger.who(id, &[])), None));
        ledger.record_one(Native::new("okta", vec![seen]).named(id, "display_name", name));
    }
    let views = ledger.views();
    let query = views.query().unwrap();
    for who in ["zoe muller-aberg", "ZOË MÜLLER-ÅBERG", "Zoe\u{308} Mu\u{308}ller-A\u{30a}berg", "zoe", "Müller"] {
        assert_eq!(found(&query, who, 99), [ANN], "{who:?}");
    }
    assert_eq!(found(&query, &long, 99), [BEA]);
}

#[test]
fn a_recycled_address_lists_whom_it_means_first() {
    let ledger = TestLedger::new();
    for (seconds, id, login) in
        [(10, ANN, "a@example.com"), (20, ANN, "ann.new@example.com"), (30, BEA, "a@example.com")]
    {
        let updated = fact(FactKind::AccountUpdated, seconds, Some(ledger.who(id, &[login])), None);
        ledger.record_one(Native::new("okta", vec![of_system("okta", updated)]));
    }
    let views = ledger.views();
    let query = views.query().unwrap();
    assert_eq!(found(&query, "a@example.com", 99), [BEA, ANN]);
    assert_eq!(found(&query, "ann.new@example.com", 99), [ANN]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_was_known_at_a_time_is_called_as_it_was_then(
        renames in vec((0..60_i64, 0..2_usize, 0..3_usize), 1..12),
        is_grown in any::<bool>(),
    ) {
        let ledger = TestLedger::new();
        let mut then = Vec::new();
        for (turn, &(seconds, who, name)) in renames.iter().enumerate() {
            let (id, name) = ([ANN, BEA][who], ["Ann Ode", "Bea Li", "Cy Po"][name]);
            let seen = fact(FactKind::AccountUpdated, seconds, Some(ledger.who(id, &[])), None);
            let native = Native::new("okta", vec![of_system("okta", seen)]).named(id, "display_name", name);
            ledger.at(100 + turn as i64).record_one(native);
            if is_grown || turn + 1 == renames.len() {
                let views = ledger.views();
                let query = views.query().unwrap();
                // The answer of the moment is the model for what is said of it later.
                then.push((turn, names(&query, turn)));
                for (turn, answer) in &then {
                    prop_assert_eq!(&names(&query, *turn), answer);
                }
            }
        }
        let views = ledger.views();
        for (turn, _) in renames.iter().enumerate() {
            // The newest of what was known, by the sources' clocks; a value said again counts from when it was said first.
            let mut newest = [None::<(i64, usize)>; 2];
            for &(seconds, who, name) in &renames[..=turn] {
                if newest[who].is_none_or(|(held, old)| seconds >= held && name != old) {
                    newest[who] = Some((seconds, name));
                }
            }
            for (who, newest) in newest.into_iter().enumerate() {
                let state = views.query().unwrap();
                let state = state.state(&entity([ANN, BEA][who]), occurred(99), Some(recorded(100 + turn as i64)));
                let name = newest.map_or("", |(_, name)| ["Ann Ode", "Bea Li", "Cy Po"][name]);
                prop_assert_eq!(&state.unwrap().state.unwrap().entity.unwrap().name, &name);
            }
        }
    }
}

/// Who is found by which name, and how everybody is called, by what was known at a turn.
fn names(query: &Query<'_>, turn: usize) -> String {
    let known = Some(recorded(100 + turn as i64));
    let found = ["ann ode", "bea li", "cy", "00u"].map(|who| {
        let found = query.resolve(who, Wanted::default(), occurred(99), known).unwrap();
        found.identities
    });
    let states = [ANN, BEA].map(|id| query.state(&entity(id), occurred(99), known).unwrap().state);
    format!("{found:#?} {states:#?}")
}

#[test]
fn a_history_comes_in_pages_that_later_records_do_not_change() {
    let ledger = company();
    let views = ledger.views();
    let ask = |query: &Query<'_>, page_token: &str, period| {
        let request = HistoryRequest {
            entity: entity(GROUP),
            person: None,
            period,
            known: None,
            page: Page { size: 2, token: page_token.to_owned() },
        };
        query.history(&request)
    };
    let first = ask(&views.query().unwrap(), "", ALWAYS).unwrap();
    let roles: Vec<_> = first.entries.iter().map(|entry| (entry.kind(), entry.roles.join(","))).collect();
    assert_eq!(roles, [(FactKind::TicketOpened, "item".to_owned()), (FactKind::GrantAdded, "object".to_owned())]);
    assert_eq!(first.entries[1].tickets[0].name, "Please let me in");

    let group = ledger.who(GROUP, &[]);
    ledger.record_one(Native::new("okta", vec![grant(65, ledger.who(BEA, &[]), group, &[])]));
    views.catch_up(&mut |_, _| ()).unwrap();
    let query = views.query().unwrap();
    let second = ask(&query, &first.next_page_token, ALWAYS).unwrap();
    let times: Vec<_> = second.entries.iter().map(|entry| entry.evidence.unwrap().record).collect();
    assert_eq!((times.as_slice(), second.next_page_token.as_str()), (&[7, 6][..], ""));
    assert_eq!(second.moment.unwrap().known_size, first.moment.unwrap().known_size);

    let other = Period { from: occurred(1), ..ALWAYS };
    assert!(matches!(ask(&query, &first.next_page_token, other), Err(QueryError::PageToken(_))));
    assert!(matches!(ask(&query, "zz", ALWAYS), Err(QueryError::PageToken(_))));
    assert_eq!(ask(&query, "", Period { from: occurred(60), to: occurred(64) }).unwrap().entries.len(), 1);
}

#[test]
fn both_ends_of_a_period_count() {
    let ledger = TestLedger::new();
    let at = |seconds, nanos| {
        let occurred_at = Some(Time { seconds, nanos, ..common::time(0) });
        let created = fact(FactKind::AccountCreated, 0, Some(ledger.who(ANN, &[])), None);
        Native::new("okta", vec![of_system("okta", Fact { occurred_at, ..created })])
    };
    let (first, last) = (Moment::MIN, Moment::MAX);
    ledger.record(vec![at(first.seconds, first.nanos), at(50, 1), at(50, 2), at(last.seconds, last.nanos)]);
    let views = ledger.views();
    let query = views.query().unwrap();
    let moment = |nanos| OccurredAt(Moment { seconds: 50, nanos });
    for (period, count) in [
        (ALWAYS, 4),
        (Period { to: moment(1), ..ALWAYS }, 2),
        (Period { from: moment(2), ..ALWAYS }, 2),
        (Period { from: moment(1), to: moment(2) }, 2),
        (Period { from: moment(3), to: moment(2) }, 0),
    ] {
        let request = HistoryRequest { entity: entity(ANN), person: None, period, known: None, page: Page::default() };
        assert_eq!(query.history(&request).unwrap().entries.len(), count, "{period:?}");
        assert_eq!(query.explain_all(period, None, ExplainFilter::All).unwrap().count(), count, "{period:?}");
    }
}

#[test]
fn a_list_that_is_cut_says_so() {
    for (count, listed, more) in [(50, 50, false), (51, 50, true), (60, 50, true)] {
        let ledger = TestLedger::new();
        let namesakes = (0..count).map(|number| {
            let id = format!("account:okta:default:00u{number:03}");
            let seen = of_system("okta", fact(FactKind::AccountUpdated, 10, Some(ledger.who(&id, &[])), None));
            Native::new("okta", vec![seen]).named(&id, "display_name", "Ann Ode")
        });
        ledger.record(namesakes.collect());
        let views = ledger.views();
        for name in ["Ann Ode", "ann"] {
            let found = views.query().unwrap().resolve(name, Wanted::default(), occurred(99), None).unwrap();
            assert_eq!((found.identities.len(), found.more), (listed, more), "{name}: {count}");
        }
    }
}

/// What is not wanted takes nobody's place in a list.
#[test]
fn only_those_that_are_wanted_are_counted() {
    let ledger = TestLedger::new();
    let desk = (0..60).map(|number| {
        let opened = ticket(FactKind::TicketOpened, 10, number, None, None);
        Native::new("freshservice", vec![opened]).named(
            &format!("ticket:freshservice:default:ticket/{number}"),
            "subject",
            "Access for Zoe",
        )
    });
    ledger.record(desk.collect());
    let seen = of_system("okta", fact(FactKind::AccountUpdated, 10, Some(ledger.who(ANN, &[])), None));
    ledger.record_one(Native::new("okta", vec![seen]).named(ANN, "display_name", "Access Zoe"));
    let views = ledger.views();
    let query = views.query().unwrap();
    let found = |wanted| {
        let answer = query.resolve("access", wanted, occurred(99), None).unwrap();
        (answer.identities.len(), answer.more, answer.identities.iter().any(|party| party.id == ANN))
    };
    let (any, okta) = (Wanted::default(), Wanted { system: Some("Okta"), everybody: false });
    assert_eq!((found(any).0, found(any).1), (50, true));
    assert_eq!(found(okta), (1, false, true));
    assert_eq!(found(Wanted { everybody: true, ..any }), (1, false, true), "a ticket is nobody");
    assert_eq!(found(Wanted { system: Some("entra"), everybody: false }), (0, false, false));
}

#[test]
fn a_beneficiary_of_too_many_entities_is_said_to_be_one() {
    for (count, cut) in [(255, false), (256, true)] {
        let ledger = TestLedger::new();
        let linked = (0..count).map(|number| {
            let other = Some(ledger.who(&format!("account:okta:default:00x{number:03}"), &[]));
            let linked = fact(FactKind::IdentityLinked, 10, Some(ledger.who(ANN, &[])), other);
            Native::new("okta", vec![of_system("okta", linked)])
        });
        ledger.record(linked.collect());
        let change =
            ledger.record_one(Native::new("okta", vec![grant(50, ledger.who(ANN, &[]), ledger.who(GROUP, &[]), &[])]));
        let views = ledger.views();
        let selector = ChangeSelector::Record(RecordIndex(change), None);
        let explained = views.query().unwrap().explain(&selector, None).unwrap().explanations.remove(0);
        assert_eq!(explained.beneficiary_cut, cut, "{count}");
        assert_eq!(explained.summary.contains("tickets may be missing"), cut, "{}", explained.summary);
    }
}

/// What is gone was taken away by a fact, and that is the evidence: the last such fact, as far as was known.
#[test]
fn a_list_of_holders_says_whose_account_is_gone() {
    let ledger = TestLedger::new();
    let group = ledger.who(GROUP, &[]);
    for (seconds, id) in [(10, ANN), (11, BEA)] {
        ledger.record_one(Native::new("okta", vec![grant(seconds, ledger.who(id, &[]), group.clone(), &[])]));
    }
    let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    ledger.record_one(okta(fact(FactKind::AccountDisabled, 20, Some(ledger.who(ANN, &[])), None)));
    ledger.record_one(okta(fact(FactKind::AccountDeleted, 30, Some(ledger.who(ANN, &[])), None)));
    ledger.record_one(okta(fact(FactKind::EntitlementRemoved, 40, None, Some(group))));
    let views = ledger.views();
    let query = views.query().unwrap();
    let listed = |at| {
        let answer = query.holders(&entity(GROUP), occurred(at), None, &Page::default()).unwrap();
        let holders = answer.holders.iter().map(|holder| holder.holder_status()).collect::<Vec<_>>();
        (holders, answer.removed.map(|by| by.record))
    };
    use AccountStatus::{Deleted, Disabled, Unspecified};
    assert_eq!(listed(15), (vec![Unspecified, Unspecified], None));
    assert_eq!(listed(25), (vec![Disabled, Unspecified], None));
    assert_eq!(listed(35), (vec![Deleted, Unspecified], None));
    assert_eq!(listed(45), (vec![Deleted, Unspecified], Some(5)));
}

#[test]
fn what_was_removed_rests_on_its_removal() {
    let ledger = TestLedger::new();
    let who = |id: &str| Some(ledger.who(id, &[]));
    let native = |fact| Native::new("okta", vec![of_system("okta", fact)]);
    let membership = |kind, seconds| native(fact(kind, seconds, who(ANN), who(GROUP)));
    let owned = |kind, seconds| {
        let detail = Some(Detail::Ownership(Ownership { owner: who(BEA), ..Ownership::default() }));
        native(Fact { detail, ..fact(kind, seconds, who(ANN), None) })
    };
    let records = ledger.record(vec![
        membership(FactKind::GrantAdded, 10),
        membership(FactKind::GrantRemoved, 20),
        membership(FactKind::GrantAdded, 30),
        owned(FactKind::OwnerAssigned, 31),
        membership(FactKind::GrantModified, 35),
        owned(FactKind::OwnerRemoved, 38),
    ]);
    let late = ledger.at(100).record_one(membership(FactKind::GrantRemoved, 36));
    let views = ledger.views();
    let query = views.query().unwrap();
    let removed = |who: &str, from, to, known| {
        let answer = query.diff(&entity(who), (occurred(from), None), (occurred(to), known)).unwrap();
        let removed = answer.differences.into_iter().filter(|one| one.kind() == DifferenceKind::Removed);
        removed.map(|one| (one.what, one.evidence.unwrap().record)).collect::<Vec<_>>()
    };
    let (grant, owner) = (|record| ("grant".to_owned(), record), |record| ("owner".to_owned(), record));
    for end in [ANN, GROUP] {
        assert_eq!(removed(end, 15, 25, None), [grant(records[1])]);
        assert_eq!(removed(end, 15, 37, None), [grant(late)]);
        assert_eq!(removed(end, 15, 37, Some(recorded(50))), []);
    }
    assert_eq!(removed(GROUP, 35, 22, None), [grant(records[1])], "backwards, too");
    assert_eq!(removed(ANN, 32, 50, None), [grant(late), owner(records[5])]);
    assert_eq!(removed(ANN, 32, 5, None), [grant(records[2]), owner(records[3])], "not there yet: no fact removed it");
}

#[test]
fn a_difference_is_between_two_moments_on_either_axis() {
    let ledger = company();
    let views = ledger.views();
    let query = views.query().unwrap();
    let diff = |before, after| {
        let answer = query.diff(&entity(GROUP), before, after).unwrap();
        let line = |one: counterfoil_proto::v1::Difference| (one.kind(), one.what, one.party.unwrap().id.clone());
        answer.differences.into_iter().map(line).collect::<Vec<_>>()
    };
    let line = |kind, id: &str| (kind, "grant".to_owned(), id.to_owned());
    let (at_55, at_99) = ((occurred(55), None), (occurred(99), None));
    assert_eq!(diff(at_55, at_99), [line(DifferenceKind::Removed, ANN), line(DifferenceKind::Added, BEA)]);
    assert_eq!(diff(at_99, at_99), []);
    let before_it_was_known = (occurred(99), Some(recorded(250)));
    assert_eq!(diff(before_it_was_known, at_99), [line(DifferenceKind::Added, BEA)]);
}

#[test]
fn sources_are_counted_and_dead_letters_listed() {
    let ledger = company();
    let views = ledger.views();
    let query = views.query().unwrap();
    let answer = query.sources().unwrap();
    let okta = answer.sources.iter().find(|source| source.system == "okta").unwrap();
    assert_eq!((okta.events, okta.facts, okta.unmapped, okta.conflicts, okta.rejected), (6, 5, 1, 1, 1));
    assert_eq!(
        (okta.first_occurred_at.unwrap().seconds, okta.last_occurred_at.unwrap().seconds),
        (common::START + 10, common::START + 70)
    );
    let objects: Vec<_> = okta.objects.iter().map(|object| (object.kind.as_str(), object.count)).collect();
    assert_eq!(objects, [("account", 2), ("group_member", 1)]);
    assert_eq!(
        (okta.unmapped_types[0].native_type.as_str(), okta.unmapped_types[0].example_record),
        ("zebra.sighted", 8)
    );
    let letters = query.dead_letters(RecordIndex(0), false, &Page::default()).unwrap().dead_letters;
    assert_eq!((letters.len(), letters[0].record, letters[0].reason.as_str()), (1, 10, "not json"));
    assert_eq!(query.dead_letter(RecordIndex(10)).unwrap().size, 3);
    assert!(matches!(query.dead_letter(RecordIndex(1)), Err(QueryError::NotRejected(_))));
}

#[test]
fn letters_that_were_put_through_are_told_apart_as_of_each_page() {
    let ledger = TestLedger::new();
    let rejected = || Body::SourceRejected(SourceRejected { reason: RejectReason::NotJson.into(), size: 3 });
    let letters: Vec<u64> = (0..3).map(|_| ledger.record_body("okta", rejected())).collect();
    let created = || fact(FactKind::AccountCreated, 10, Some(ledger.who(ANN, &[])), None);
    let read_from = |letter| Native { retry_of: letter, ..Native::new("okta", vec![of_system("okta", created())]) };
    let put_through = ledger.record(vec![read_from(letters[0]), read_from(letters[0])]);
    let views = ledger.views();
    let list = |with_retried, size, token: String| {
        let query = views.query().unwrap();
        query.dead_letters(RecordIndex(0), with_retried, &Page { size, token }).unwrap()
    };
    let told = |with_retried| -> Vec<(u64, u64)> {
        let letters = list(with_retried, 0, String::new()).dead_letters;
        letters.iter().map(|letter| (letter.record, letter.retried_as)).collect()
    };
    assert_eq!(told(true), [(letters[0], put_through[0]), (letters[1], 0), (letters[2], 0)]);
    assert_eq!(told(false), [(letters[1], 0), (letters[2], 0)]);
    let first = list(false, 1, String::new());

    // What is no letter does not become one, and a letter that is put through twice counts once, in whichever batch.
    let again = [ledger.record_one(read_from(letters[0])), ledger.record_one(read_from(put_through[0]))];
    let late = ledger.record_one(read_from(letters[2]));
    views.catch_up(&mut |_, _| ()).unwrap();
    assert_eq!(told(true), [(letters[0], put_through[0]), (letters[1], 0), (letters[2], late)], "{again:?}");
    assert_eq!(told(false), [(letters[1], 0)]);
    let sources = views.query().unwrap().sources().unwrap();
    assert_eq!((sources.sources[0].rejected, sources.sources[0].retried), (3, 2));
    assert_eq!(views.query().unwrap().unread().unwrap().rejected, 1);
    // A list that was begun goes on as of its first page.
    let rest = list(false, 1, first.next_page_token).dead_letters;
    assert_eq!(rest.iter().map(|letter| letter.record).collect::<Vec<_>>(), [letters[2]]);
}

/// Everything that this file asks, as text.
fn everything(views: &Views) -> String {
    let query = views.query().unwrap();
    let mut text = String::new();
    for id in [ANN, BEA, GROUP, "ticket:freshservice:default:ticket/1042", "source:okta:default:log"] {
        for (at, known) in [(45, None), (99, None), (99, Some(recorded(250)))] {
            text += &format!("{:?}\n", query.state(&entity(id), occurred(at), known).unwrap());
        }
        let request = HistoryRequest {
            entity: entity(id),
            person: None,
            period: ALWAYS,
            known: None,
            page: Page { size: 1, token: String::new() },
        };
        text += &format!("{:?}\n", query.history(&request).unwrap());
    }
    for who in ["ann@example.com", "bea", "SR-1042", "i"] {
        text += &format!("{:?}\n", query.resolve(who, Wanted::default(), occurred(99), None).unwrap());
    }
    text += &format!("{:?}\n", query.holders(&entity(GROUP), occurred(99), None, &Page::default()).unwrap());
    for explained in query.explain_all(ALWAYS, None, ExplainFilter::All).unwrap() {
        text += &format!("{:?}\n", explained.unwrap());
    }
    text += &format!("{:?}\n", query.explain(&ChangeSelector::Record(RecordIndex(5), None), None).unwrap());
    text += &format!("{:?}\n", query.sources().unwrap());
    text += &format!("{:?}\n", query.dead_letters(RecordIndex(0), true, &Page::default()).unwrap());
    text
}

#[test]
fn views_that_are_deleted_come_back_from_the_log_alone() {
    let ledger = company();
    let views = ledger.views();
    let before = everything(&views);
    assert!(views.keys_written() > 0);
    drop(views);
    assert_eq!(everything(&ledger.views()), before, "opened again");
    std::fs::remove_dir_all(ledger.views_folder()).unwrap();
    assert_eq!(everything(&ledger.views()), before, "built again");
}

#[test]
fn views_that_grew_record_by_record_answer_as_those_built_at_once() {
    let ledger = company_in_steps(|ledger| drop(ledger.views()));
    let in_steps = everything(&ledger.views());
    std::fs::remove_dir_all(ledger.views_folder()).unwrap();
    let views = Views::open(&ledger.views_folder(), ledger.reader()).unwrap();
    let mut progress = Vec::new();
    views.catch_up(&mut |done, total| progress.push((done, total))).unwrap();
    assert_eq!(progress, [(11, 11)]);
    assert_eq!(everything(&views), in_steps);
}

#[test]
fn views_of_another_log_are_built_anew() {
    // One that is shorter than the views, and one that is longer and has other records.
    for more_records in [0, 20] {
        let (one, other) = (company(), TestLedger::new());
        drop(one.views());
        for _ in 0..more_records {
            other.record_body("okta", unmapped("zebra.sighted"));
        }
        let views = Views::open(&one.views_folder(), other.reader()).unwrap();
        assert!(matches!(views.query(), Err(QueryError::Behind { .. })));
        views.catch_up(&mut |_, _| ()).unwrap();
        let query = views.query().unwrap();
        assert_eq!(query.basis().tree_size, 1 + more_records);
        assert_eq!(found(&query, "ann ode", 99), [""; 0]);
    }
}

#[test]
fn two_processes_cannot_hold_the_views_and_damage_is_named() {
    let ledger = company();
    let views = ledger.views();
    let second = Views::open(&ledger.views_folder(), ledger.reader());
    assert!(matches!(second, Err(QueryError::InUse { .. })));
    drop(views);
    for file in std::fs::read_dir(ledger.views_folder()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("MANIFEST") {
            std::fs::write(&path, b"not a manifest at all").unwrap();
        }
    }
    let error = match Views::open(&ledger.views_folder(), ledger.reader()) {
        Ok(_) => panic!("damaged views were opened"),
        Err(error) => error,
    };
    assert!(matches!(error, QueryError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("delete that folder and ask again"), "{error}");
}
