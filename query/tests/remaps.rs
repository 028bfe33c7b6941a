//! Events that are read again: every answer as of before stays what it was, and every answer from then on is that of a
//! ledger in which the event said so from the start.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use std::collections::BTreeSet;

use common::{Native, TestLedger, approval, entity, fact, grant, occurred, of_system, recorded, ticket};
use counterfoil_proto::v1::{FactKind, Record, Verdict};
use counterfoil_query::{
    AccessRequest, ChangeSelector, ChangesRequest, HistoryRequest, Page, Period, Query, QueryError, Wanted,
};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::RecordIndex;
use proptest::prelude::*;
use serde_json::Value;

/// The moment of every question on the axis of what was true.
const LATE: i64 = 5_000;
/// Each commit is so many seconds after the one before.
const STEP: i64 = 10;

/// A fact of a company of a few accounts, groups and tickets.
fn drawn_fact(ledger: &TestLedger, (kind, who, what, seconds): (usize, usize, usize, i64)) -> Native {
    let login = format!("login{}", (who + what) % 3);
    let account = ledger.who(&format!("account:okta:default:u{who}"), &[&login]);
    let group = ledger.who(&format!("entitlement:okta:default:group_member/g{what}"), &[]);
    let number = 100 + what as u32;
    let okta =
        |kind, object| Native::new("okta", vec![of_system("okta", fact(kind, seconds, Some(account.clone()), object))]);
    match kind {
        0 => okta(FactKind::GrantAdded, Some(group)),
        1 => okta(FactKind::GrantRemoved, Some(group)),
        2 => okta(FactKind::AccountDisabled, None),
        3 => okta(FactKind::SnapshotItem, Some(group)),
        4 => okta(FactKind::AccountCreated, None),
        5 => okta(FactKind::IdentityLinked, Some(ledger.who(&format!("person:hr:default:p{what}"), &[]))),
        6 => Native::new("okta", vec![grant(seconds, account, group, &[number])]),
        7 => Native::new(
            "freshservice",
            vec![ticket(FactKind::TicketOpened, seconds, number, Some(account), Some(group))],
        ),
        _ => Native::new("freshservice", vec![approval(FactKind::ApprovalGranted, seconds, number, account)]),
    }
}

/// Everything that is asked of a ledger in these tests, as of a moment on the axis of what was known.
fn answers(query: &Query<'_>, records: &[Record], known: Option<RecordedAt>) -> Vec<(String, Value)> {
    let at = occurred(LATE);
    let mut answers = Vec::new();
    let mut add = |what: String, answer: Value| answers.push((what, answer));
    let page = || Page { size: 1_000, ..Page::default() };
    let entities: BTreeSet<_> = records.iter().flat_map(entity_set).collect();
    for one in entities.iter().filter(|one| one.token().is_none()) {
        add(format!("state {one}"), json(query.state(one, at, known)));
        let history = HistoryRequest { entity: one.clone(), person: None, period: Period::ALWAYS, known, page: page() };
        add(format!("history {one}"), json(query.history(&history)));
        let access = AccessRequest { entity: one.clone(), at, known, to: None, all_paths: true, page: page() };
        add(format!("access {one}"), json(query.access(&access)));
    }
    for login in ["login0", "login1", "login2"] {
        add(format!("who is {login}"), json(query.resolve(login, Wanted::default(), at, known)));
    }
    add(
        "changes".to_owned(),
        json(query.changes(&ChangesRequest { known, page: page(), ..ChangesRequest::default() })),
    );
    answers
}

fn json<T: serde::Serialize>(answer: Result<T, QueryError>) -> Value {
    match answer {
        Ok(answer) => serde_json::to_value(answer).unwrap(),
        Err(error) => Value::String(error.to_string()),
    }
}

/// An answer less some of its members, wherever they stand.
fn without(answer: &Value, members: &[&str]) -> Value {
    match answer {
        Value::Object(held) => {
            let kept = held.iter().filter(|(name, _)| !members.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), without(value, members))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| without(item, members)).collect()),
        other => other.clone(),
    }
}

/// What says on which tree an answer rests, which goes on growing, and as of when it was asked.
const BASIS: [&str; 2] = ["basis", "moment"];
/// What says in which record something stands, and when that came.
const PLACES: [&str; 11] = [
    "basis",
    "moment",
    "evidence",
    "record",
    "records",
    "recordedAt",
    "change",
    "remapping",
    "authentication",
    "summary",
    "completedBy",
];

fn all_records(ledger: &TestLedger) -> Vec<Record> {
    let reader = ledger.reader();
    reader.records(0..reader.head().size.0).collect::<Result<_, _>>().unwrap()
}

type Drawn = (usize, usize, usize, i64);

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..9_usize, 0..3_usize, 0..3_usize, 0..40_i64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_known_stays_and_what_counts_is_as_if_it_had_been_read_so_at_first(
        events in prop::collection::vec((drawn(), prop::option::weighted(0.5, drawn())), 1..14),
        again in prop::collection::vec(any::<prop::sample::Index>(), 14),
    ) {
        let ledger = TestLedger::new();
        let views = ledger.views();
        let (mut firsts, mut last, mut seconds) = (Vec::new(), Vec::new(), 0);
        let mut asked: Vec<(RecordedAt, Vec<(String, Value)>)> = Vec::new();
        for ((first, otherwise), again) in events.into_iter().zip(again) {
            seconds += STEP;
            ledger.at(seconds);
            let native = drawn_fact(&ledger, first);
            firsts.push((ledger.record_one(native.clone()), native.system));
            last.push(native);
            // Each time another event may be read again, one that was already among them.
            if let Some(otherwise) = otherwise {
                let which = again.index(firsts.len());
                seconds += STEP;
                ledger.at(seconds);
                let said = drawn_fact(&ledger, otherwise);
                // An event is of one source, whatever it says.
                if said.system == firsts[which].1 {
                    ledger.remap(firsts[which].0, said.facts.clone(), false);
                    last[which] = Native { facts: said.facts, ..last[which].clone() };
                }
            }
            views.catch_up(&mut |_, _| ()).unwrap();
            let query = views.query().unwrap();
            asked.push((recorded(seconds), answers(&query, &all_records(&ledger), None)));
        }
        let (query, records) = (views.query().unwrap(), all_records(&ledger));
        for (known, before) in &asked {
            let now = answers(&query, &records, Some(*known));
            for (what, answer) in before {
                let same = &now.iter().find(|(name, _)| name == what).unwrap().1;
                prop_assert_eq!(without(same, &BASIS), without(answer, &BASIS), "{} as of {:?}", what, known);
            }
        }
        // Built at once, and from the log alone.
        let rebuilt = ledger.views_elsewhere();
        let again = answers(&rebuilt.query().unwrap(), &records, None);
        prop_assert_eq!(&again, &answers(&query, &records, None));
        // The model: the events in their order, each as it was read at last.
        let model = TestLedger::new();
        for native in last {
            model.record_one(native);
        }
        let model_views = model.views();
        let expected = answers(&model_views.query().unwrap(), &all_records(&model), None);
        for (what, answer) in expected {
            let found = &again.iter().find(|(name, _)| *name == what).unwrap().1;
            prop_assert_eq!(without(&comparable(found), &PLACES), without(&comparable(&answer), &PLACES), "{}", what);
        }
    }
}

/// An answer less what the model cannot have: that an event was read again, identifiers that only an earlier reading named,
/// and what depends on when something was learned.
fn comparable(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(Value::Array(entries)) = answer.get_mut("entries") {
        entries.retain(|entry| entry.get("kind").is_some());
    }
    if let Some(Value::Array(found)) = answer.get_mut("identities") {
        found.retain(|party| party["id"].as_str().is_some_and(|id| !id.starts_with("identifier:")));
    }
    if let Some(members) = answer.as_object_mut() {
        members.retain(|_, member| !member.as_array().is_some_and(Vec::is_empty));
    }
    if let Some(Value::Array(changes)) = answer.get_mut("explanations") {
        let change = |change: &Value| ["kind", "subject", "object", "eventId"].map(|name| change[name].clone());
        *changes = changes.iter().map(|one| change(one).to_vec().into()).collect();
    }
    answer
}

/// Whom a connector credited by mistake sees that it was one; and a change is asked about by the record that counts.
#[test]
fn a_mistake_is_mended_in_the_open() {
    let ledger = TestLedger::new();
    let group = ledger.who("entitlement:okta:default:group_member/g1", &[]);
    let (wrong, right) = (ledger.who("account:okta:default:wrong", &[]), ledger.who("account:okta:default:right", &[]));
    let added = |who| of_system("okta", fact(FactKind::GrantAdded, 50, Some(who), Some(group.clone())));
    let first = ledger.at(100).record_one(Native::new("okta", vec![added(wrong)]));
    let again = ledger.at(200).remap(first, vec![added(right)], false);
    let views = ledger.views();
    let query = views.query().unwrap();
    let history = |id: &str, known| {
        let request = HistoryRequest {
            entity: entity(id),
            person: None,
            period: Period::ALWAYS,
            known,
            page: Page { size: 10, ..Page::default() },
        };
        let entries = query.history(&request).unwrap().entries;
        let shown = entries.iter().map(|entry| {
            let replaces = entry.remapping.as_ref().map(|by| (by.connector.clone(), by.connector_version, by.replaces));
            (entry.kind(), entry.evidence.as_ref().unwrap().record, replaces)
        });
        shown.collect::<Vec<_>>()
    };
    let by = Some(("okta".to_owned(), 2, first));
    assert_eq!(history("account:okta:default:right", None), [(FactKind::GrantAdded, again, by.clone())]);
    assert_eq!(history("account:okta:default:wrong", None), [(FactKind::Unspecified, again, by)]);
    let before = Some(recorded(150));
    assert_eq!(history("account:okta:default:right", before), []);
    assert_eq!(history("account:okta:default:wrong", before), [(FactKind::GrantAdded, first, None)]);
    let explained = |index, known| query.explain(&ChangeSelector::Record(RecordIndex(index), None), known);
    assert!(matches!(explained(first, None), Err(QueryError::ReadAgain { by, .. }) if by.0 == again));
    assert!(explained(first, before).is_ok() && explained(again, None).is_ok());
    assert!(matches!(explained(again, before), Err(QueryError::NotKnownThen { .. })));
}

/// To read a change again makes no approval timely that came after it, and none late that came before.
#[test]
fn reading_again_moves_neither_a_change_nor_its_approval() {
    let verdict = |change_again: bool, approved_in_time: bool| {
        let ledger = TestLedger::new();
        let (ann, group) =
            (ledger.who("account:okta:default:u1", &[]), ledger.who("entitlement:okta:default:group_member/g1", &[]));
        let bea = ledger.who("account:freshservice:default:9", &[]);
        let opened = ticket(FactKind::TicketOpened, 10, 7, Some(ann.clone()), Some(group.clone()));
        ledger.at(100).record_one(Native::new("freshservice", vec![opened]));
        let approved = || Native::new("freshservice", vec![approval(FactKind::ApprovalGranted, 20, 7, bea.clone())]);
        let change = || Native::new("okta", vec![grant(50, ann.clone(), group.clone(), &[7])]);
        let native = |is_change| if is_change { change() } else { approved() };
        // Of the change and the approval, the one that comes second may be before the other by the sources' clocks.
        let (one, other) = (native(!approved_in_time), native(approved_in_time));
        let firsts = [ledger.at(200).record_one(one), ledger.at(300).record_one(other)];
        let which = firsts[usize::from(change_again == approved_in_time)];
        ledger.at(400).remap(which, native(change_again).facts, false);
        let views = ledger.views();
        let listed = views.query().unwrap().changes(&ChangesRequest::default()).unwrap();
        let verdicts: Vec<Verdict> = listed.explanations.iter().map(|one| one.verdict()).collect();
        assert_eq!(verdicts.len(), 1);
        verdicts[0]
    };
    for change_again in [false, true] {
        assert_eq!(verdict(change_again, true), Verdict::Approved, "{change_again}");
        assert_eq!(verdict(change_again, false), Verdict::ApprovedRecordedLate, "{change_again}");
    }
}
