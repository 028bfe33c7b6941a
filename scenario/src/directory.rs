//! The company's own directory: groups within groups, a cycle among them, what groups give their members, and what that
//! becomes, as an exporter writes it in the ledger's own vocabulary. Owns its log and what is true of it, by a walk of its
//! own. It has no tickets, and nothing else that happens depends on it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::{days, hours, seconds, whole_second};
use crate::chronicle::Chronicle;
use crate::company::IdentityIndex;
use crate::truth::{Reach, Redefinition};
use crate::{Delivery, File};

/// What an application and a role are called here.
const WIKI: &str = "app_assignment/701";
const PAYROLL: &str = "app_assignment/702";
const TRAVEL: &str = "app_assignment/703";
const DEPLOYER: &str = "role/801";
/// Everybody, and the same in another tool: each is a member of the other.
const EVERYBODY: &str = "group_member/300";
const ALL_HANDS: &str = "group_member/301";
/// Whose whole reach is told, and how often.
const TOLD: usize = 6;
const MOMENTS: i64 = 7;

/// One thing that happened.
enum Deed {
    Joined(IdentityIndex, String),
    Left(IdentityIndex, String),
    /// A group became a member of another.
    Nested(String, String),
    NoLongerNested(String, String),
    Implies(String, &'static str),
    Removed(String),
}

struct Event {
    at: Timestamp,
    deed: Deed,
}

pub(crate) struct Directory {
    pub(crate) file: File,
    pub(crate) reach: Vec<Reach>,
    pub(crate) redefinitions: Vec<Redefinition>,
}

/// The directory of a company whose story is played.
pub(crate) fn of(chronicle: &Chronicle) -> Directory {
    let (events, redefining) = events(chronicle);
    let people: Vec<IdentityIndex> = chronicle.company.people().collect();
    let id = |who: IdentityIndex| account(chronicle, who);
    let reach_of = |who, events: &[&Event]| -> BTreeSet<String> {
        reach(events, who).into_iter().map(|what| format!("directory/{what}")).collect()
    };
    let mut told = Vec::new();
    for who in people.iter().step_by((people.len() / TOLD).max(1)) {
        for moment in 1..=MOMENTS {
            let at = whole_second(chronicle.span.permille(1_000 * moment / (MOMENTS + 1)));
            let until: Vec<&Event> = events.iter().filter(|event| event.at <= at).collect();
            let entitlements = reach_of(*who, &until).into_iter().collect();
            told.push(Reach { subject_id: id(*who), at, entitlements });
        }
    }
    let redefinitions = redefining.into_iter().map(|number| {
        let (before, after): (Vec<_>, Vec<_>) = (events[..number].iter().collect(), events[..=number].iter().collect());
        let mut redefinition = Redefinition { event_id: event_id(number), ..Redefinition::default() };
        for who in &people {
            let (was, is) = (reach_of(*who, &before), reach_of(*who, &after));
            let changed = |more: &BTreeSet<String>, fewer: &BTreeSet<String>| {
                more.difference(fewer).map(|what| (id(*who), what.clone())).collect::<Vec<_>>()
            };
            redefinition.gained.extend(changed(&is, &was));
            redefinition.lost.extend(changed(&was, &is));
        }
        redefinition
    });
    Directory { reach: told, redefinitions: redefinitions.collect(), file: render(chronicle, &events) }
}

fn department(number: usize) -> String {
    format!("group_member/{}", 100 + number)
}

/// The departments are two divisions.
fn division(number: usize) -> String {
    format!("group_member/{}", 200 + number % 2)
}

/// Everything in the order in which it happened, and which of it changed what somebody has without any grant of theirs.
fn events(chronicle: &Chronicle) -> (Vec<Event>, Vec<usize>) {
    let span = &chronicle.span;
    let start = span.start + hours(2);
    let departments = chronicle.company.departments.len();
    let mut events: Vec<Event> = Vec::new();
    let mut add = |at, deed| events.push(Event { at: whole_second(at), deed });
    for number in 0..departments {
        add(start, Deed::Nested(department(number), division(number)));
    }
    for number in 0..2 {
        add(start, Deed::Nested(division(number), EVERYBODY.to_owned()));
    }
    add(start, Deed::Nested(EVERYBODY.to_owned(), ALL_HANDS.to_owned()));
    add(start, Deed::Nested(ALL_HANDS.to_owned(), EVERYBODY.to_owned()));
    add(start, Deed::Implies(EVERYBODY.to_owned(), WIKI));
    add(start, Deed::Implies(division(0), PAYROLL));
    add(start, Deed::Implies(division(1), DEPLOYER));
    for who in chronicle.company.people() {
        let identity = chronicle.company.of(who);
        let own = department(identity.department);
        let joined = identity.from.max(start + hours(1));
        add(joined, Deed::Joined(who, own.clone()));
        if let Some(until) = identity.until {
            add(until.max(joined + seconds(1)), Deed::Left(who, own));
        }
    }
    // One fact gives everybody something, one takes much away from one department, and one takes a division from all.
    add(span.permille(450), Deed::Implies(EVERYBODY.to_owned(), TRAVEL));
    add(span.permille(650).max(span.start + days(2)), Deed::NoLongerNested(department(0), division(0)));
    add(span.permille(850), Deed::Removed(division(1)));
    events.sort_by_key(|event| event.at);
    let is_redefining = |event: &Event| !matches!(event.deed, Deed::Joined(..) | Deed::Left(..));
    let redefining = events.iter().enumerate().filter(|(_, event)| is_redefining(event)).map(|(number, _)| number);
    let redefining = redefining.collect();
    (events, redefining)
}

/// What somebody holds after some events: by asking again and again what else follows, until nothing does.
fn reach(events: &[&Event], who: IdentityIndex) -> BTreeSet<String> {
    let mut edges: BTreeSet<(String, String)> = BTreeSet::new();
    let mut held: BTreeSet<String> = BTreeSet::new();
    let mut removed: BTreeSet<String> = BTreeSet::new();
    for event in events {
        match &event.deed {
            Deed::Joined(joined, group) if *joined == who => drop(held.insert(group.clone())),
            Deed::Left(left, group) if *left == who => drop(held.remove(group)),
            Deed::Joined(..) | Deed::Left(..) => {}
            Deed::Nested(group, within) => drop(edges.insert((group.clone(), within.clone()))),
            Deed::NoLongerNested(group, within) => drop(edges.remove(&(group.clone(), within.clone()))),
            Deed::Implies(group, what) => drop(edges.insert((group.clone(), (*what).to_owned()))),
            Deed::Removed(group) => drop(removed.insert(group.clone())),
        }
    }
    held.retain(|one| !removed.contains(one));
    loop {
        let follows = |(from, to): &&(String, String)| held.contains(from) && !removed.contains(to);
        let more: BTreeSet<String> = edges.iter().filter(follows).map(|(_, to)| to.clone()).collect();
        let before = held.len();
        held.extend(more);
        if held.len() == before {
            return held;
        }
    }
}

fn account(chronicle: &Chronicle, who: IdentityIndex) -> String {
    // Whom Freshservice knows by a number, this directory knows by the same one.
    chronicle.company.of(who).freshservice_id.to_string()
}

fn event_id(number: usize) -> String {
    format!("evt-{}", 10_000 + number)
}

fn render(chronicle: &Chronicle, events: &[Event]) -> File {
    let logins: BTreeMap<IdentityIndex, String> =
        chronicle.company.people().map(|who| (who, chronicle.company.of(who).login.clone())).collect();
    let lines = events.iter().enumerate().map(|(number, event)| {
        let source = json!({ "system": "directory", "instance": "default", "stream": "export" });
        let fact = fact(chronicle, &logins, event);
        json!({ "id": event_id(number), "source": source, "type": "directory.change", "facts": [fact] }).to_string()
            + "\n"
    });
    File {
        name: "directory/changes.jsonl".to_owned(),
        connector: "fact",
        delivery: Delivery::OnTime,
        bytes: lines.collect::<String>().into_bytes(),
    }
}

fn fact(chronicle: &Chronicle, logins: &BTreeMap<IdentityIndex, String>, event: &Event) -> Value {
    let at = event.at.to_string();
    let group = |id: &str| json!({ "kind": "entitlement", "id": id });
    let person = |who: &IdentityIndex| json!({ "id": account(chronicle, *who), "login": logins[who], "email": logins[who], "type": "human" });
    let granted = |kind: &str, subject: Value, object: &str| json!({ "kind": kind, "occurred_at": at, "subject": subject, "object": group(object) });
    match &event.deed {
        Deed::Joined(who, own) => granted("grant.added", person(who), own),
        Deed::Left(who, own) => granted("grant.removed", person(who), own),
        Deed::Nested(own, within) => granted("grant.added", group(own), within),
        Deed::NoLongerNested(own, within) => granted("grant.removed", group(own), within),
        Deed::Implies(own, what) => json!({
            "kind": "entitlement.changed", "occurred_at": at, "object": group(own), "implies_added": [group(what)]
        }),
        Deed::Removed(own) => json!({ "kind": "entitlement.removed", "occurred_at": at, "object": group(own) }),
    }
}
