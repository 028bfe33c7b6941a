//! What listings of live access are compared with, against models that anyone can read: each access as if it were the
//! only one that is asked about, and what listings saw from all records of the log.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Native, TestLedger, approval, entity, fact, grant, occurred, of_system, recorded, source, ticket, time};
use counterfoil_proto::v1::fact::Detail;
use counterfoil_proto::v1::{
    AccountStatus, Completeness, Confidence, Entitlement, EntityKind, Fact, FactKind, LinkRule, ReconcileKind,
    ReconciledItem, Record, Ref, Snapshot,
};
use counterfoil_query::{ChangeSelector, Query};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::identifier::Token;
use counterfoil_verify::listing::{Inheritance, Item, ItemKey, Listing};
use counterfoil_verify::record::recorded_at;
use counterfoil_verify::replay::{bearers, facts_of, replay};
use counterfoil_verify::scope::Coverage;
use counterfoil_verify::state::EndState;
use counterfoil_verify::ticket::CLOCK_TOLERANCE_SECONDS;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use proptest::collection::vec;
use proptest::prelude::*;

const PEOPLE: usize = 4;
const APP: usize = 2;
const ENTITLEMENTS: [&str; 3] = ["group_member/g0", "group_member/g1", "app_assignment/a0"];
/// A listing is taken from a moment until so long after it.
const TAKES: i64 = 100;

/// Something that happens, to a person and an entitlement, told by either of two systems.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    person: usize,
    entitlement: usize,
    number: u32,
    /// How the person is named: by the id, by the id and the address, or by the address alone.
    by: usize,
}

fn any_step() -> impl Strategy<Value = Step> {
    step(0_u8..12, 0..3_usize)
}

/// Mostly who is in which group, and what the groups imply: both come and go.
fn step_of_groups() -> impl Strategy<Value = Step> {
    let what = prop_oneof![6 => Just(0_u8), 2 => Just(4), 5 => Just(10), 1 => 0_u8..12];
    step(what, prop_oneof![8 => 0..APP, 1 => Just(APP)])
}

fn step(what: impl Strategy<Value = u8>, entitlement: impl Strategy<Value = usize>) -> impl Strategy<Value = Step> {
    (what, 0..PEOPLE, entitlement, 0_u32..4, 0..3_usize).prop_map(|(what, person, entitlement, number, by)| Step {
        what,
        person,
        entitlement,
        number,
        by,
    })
}

/// Who is in a listing of each scope: of persons 0 to 3, as bits.
type Listed = [u8; 4];

struct Case {
    ledger: TestLedger,
}

impl Case {
    /// Records the steps a minute apart, so many to a commit, with a listing of everything after some of them.
    fn new(steps: &[Step], per_commit: usize, listings: &[(usize, Listed)]) -> Self {
        let case = Self { ledger: TestLedger::new() };
        for (number, commit) in steps.chunks(per_commit).enumerate() {
            let first = number * per_commit;
            let natives = commit.iter().zip(first..).map(|(step, place)| case.native(step, 60 * place as i64));
            case.ledger.at(60 * (first + per_commit) as i64).record(natives.collect());
            for (_, listed) in listings.iter().filter(|(after, _)| *after == number) {
                let at = 60 * (first + per_commit) as i64;
                (0..4).for_each(|scope| case.list(scope, listed[scope], at));
            }
        }
        case
    }

    fn who(&self, system: &str, step: &Step) -> Ref {
        let Step { person, by, .. } = *step;
        let address = format!("p{person}@example.com");
        let id = format!("account:{system}:default:u{person}");
        match by {
            0 => self.ledger.who(&id, &[]),
            1 => self.ledger.who(&id, &[&address]),
            _ => self.ledger.email(&address),
        }
    }

    fn native(&self, step: &Step, at: i64) -> Native {
        let okta = |fact| Native::new("okta", vec![of_system("okta", fact)]);
        let desk = |fact| Native::new("freshservice", vec![fact]);
        let what = self.ledger.who(&entitlement(step.entitlement), &[]);
        let (subject, number) = (self.who("okta", step), 10 + step.number);
        let asked = |kind, subject| desk(ticket(kind, at, number, Some(subject), Some(what.clone())));
        let approver = self.ledger.who("account:freshservice:default:9", &[]);
        match step.what {
            0..3 => Native::new("okta", vec![grant(at, subject, what, &[])]),
            3 => Native::new("okta", vec![grant(at, subject, what, &[number])]),
            4 => okta(fact(FactKind::GrantRemoved, at, Some(subject), Some(what))),
            5 => asked(FactKind::TicketOpened, self.who("freshservice", step)),
            6 => asked(FactKind::TicketOpened, subject),
            7 => desk(approval(FactKind::ApprovalGranted, at, number, approver)),
            8 => desk(approval(FactKind::ApprovalRejected, at, number, approver)),
            9 if step.by == 0 => okta(fact(FactKind::AccountDisabled, at, Some(subject), None)),
            9 => okta(fact(FactKind::AccountCreated, at, Some(subject), None)),
            10 => {
                let detail = Entitlement {
                    implies_added: vec![self.ledger.who(&entitlement(APP), &[])],
                    ..Entitlement::default()
                };
                let group = self.ledger.who(&entitlement(step.entitlement % 2), &[]);
                let kind = if step.by == 0 { FactKind::EntitlementRemoved } else { FactKind::EntitlementChanged };
                let detail = (step.by > 0).then_some(Detail::Entitlement(detail));
                okta(Fact { detail, ..fact(kind, at, None, Some(group)) })
            }
            _ => {
                let other = self.ledger.who(&format!("account:freshservice:default:u{}", step.person), &[]);
                okta(fact(FactKind::IdentityLinked, at, Some(self.ledger.who(&account(step.person), &[])), Some(other)))
            }
        }
    }

    /// What a listing says of somebody besides the id: half of them have an address.
    fn tokens(&self, person: usize) -> Vec<Token> {
        let address = self.ledger.email(&format!("p{person}@example.com"));
        let tokens = address.tokens.iter().filter(|_| person.is_multiple_of(2));
        tokens.map(|token| Token::from_slice(token).unwrap()).collect()
    }

    /// Records a complete listing.
    fn list(&self, scope: usize, listed: u8, at: i64) {
        let object = ENTITLEMENTS.get(scope).map(|_| entity(&entitlement(scope)));
        let item = |person: usize| Item {
            subject: entity(&account(person)),
            object: object.clone(),
            scope: String::new(),
            status: if object.is_some() { AccountStatus::Unspecified } else { AccountStatus::Enabled },
            inheritance: inheritance(person),
            tokens: self.tokens(person),
        };
        let people = (0..PEOPLE).filter(|person| listed & (1 << person) != 0);
        let (listing, _) = Listing::new(people.map(item)).unwrap();
        let scope = scope_id(scope).to_ref(&source("okta"));
        let seen = |fact: Fact| Fact { confidence: Confidence::Snapshot.into(), ..fact };
        let mut natives: Vec<Native> = Vec::new();
        let mut add = |fact, payload| {
            let native = Native::new("okta", vec![of_system("okta", seen(fact))]);
            natives.push(Native { payload, ..native });
        };
        add(fact(FactKind::SnapshotBegin, at, None, Some(scope.clone())), Vec::new());
        for (_, item) in listing.items() {
            let [subject, object] =
                [Some(&item.subject), item.object.as_ref()].map(|one| one.map(|one| one.to_ref(&source("okta"))));
            add(fact(FactKind::SnapshotItem, at, subject, object), Vec::new());
        }
        let detail = Snapshot {
            completeness: Completeness::Complete.into(),
            as_of: Some(time(at)),
            count: listing.count(),
            root: listing.root().as_bytes().to_vec(),
        };
        let end = fact(FactKind::SnapshotEnd, at + TAKES, None, Some(scope));
        add(Fact { detail: Some(Detail::Snapshot(detail)), ..end }, listing.to_bytes());
        self.ledger.record(natives);
    }

    fn records(&self) -> Vec<Record> {
        let reader = self.ledger.reader();
        reader.records(0..reader.head().size.0).collect::<Result<_, _>>().unwrap()
    }
}

/// What a listing says of how somebody holds what it lists.
fn inheritance(person: usize) -> Inheritance {
    [Inheritance::Unsaid, Inheritance::Direct, Inheritance::Inherited][person % 3]
}

fn account(person: usize) -> String {
    format!("account:okta:default:u{person}")
}

fn entitlement(number: usize) -> String {
    format!("entitlement:okta:default:{}", ENTITLEMENTS[number])
}

/// Who holds each entitlement, and all accounts.
fn scope_id(number: usize) -> EntityId {
    let id = ENTITLEMENTS.get(number).map_or("accounts".to_owned(), |what| format!("holders/{what}"));
    entity(&format!("snapshot_scope:okta:default:{id}"))
}

/// What `explain` says of one change, by itself: the verdict, and the records that it rests on.
fn explained(query: &Query<'_>, item: &ReconciledItem) -> (i32, BTreeSet<u64>) {
    let change = item.change.as_ref().unwrap();
    let selector = ChangeSelector::Record(RecordIndex(change.record), Some(change.fact));
    let explanation = query.explain(&selector, None).unwrap().explanations.remove(0);
    // Of several that merely fit, the best one counts.
    let most = if explanation.rule() == LinkRule::Window { 1 } else { usize::MAX };
    let covering = explanation.tickets.iter().filter(|linked| linked.verdict == explanation.verdict).take(most);
    let records = covering.flat_map(|linked| linked.records.iter().copied()).chain([change.record]).collect();
    (explanation.verdict, records)
}

/// The grants of somebody or something that a log says are held, by counterpart, each with its record and fact.
fn held(records: &[Record], of: &EntityId, at: OccurredAt) -> BTreeMap<String, (u64, u32)> {
    let grants = replay(of, records, at, TreeSize(u64::MAX)).grants.into_values();
    let logged = grants.filter(|grant| grant.confidence() != Confidence::Snapshot);
    logged.map(|grant| (grant.counterpart, (grant.evidence.index, grant.evidence.fact))).collect()
}

fn check_reconciled(case: &Case) {
    let views = case.ledger.views();
    let query = views.query().unwrap();
    let records = case.records();
    let answer = query.reconcile("okta", None, OccurredAt(Moment::MAX), None).unwrap();
    let ends: BTreeMap<&str, _> = answer.listings.iter().map(|one| (one.scope.as_str(), one)).collect();
    for item in &answer.items {
        let listing = ends[item.listing.as_str()];
        let ended = listing.ended_at.unwrap().seconds;
        let late = OccurredAt(Moment { seconds: ended + CLOCK_TOLERANCE_SECONDS, nanos: 0 });
        let subject: EntityId = item.subject.as_ref().unwrap().id.parse().unwrap();
        let change = item.change.as_ref().map(|change| (change.record, change.fact));
        if item.change.is_some() && item.kind() != ReconcileKind::Revoked {
            let (verdict, mut rests_on) = explained(&query, item);
            rests_on.insert(listing.end.as_ref().unwrap().record);
            let found: BTreeSet<u64> = item.records.iter().copied().collect();
            assert_eq!(item.verdict, verdict, "{item:?}");
            assert!(found.is_superset(&rests_on), "{item:?} rests on {rests_on:?}");
        }
        let Some(object) = &item.object else { continue };
        let own = held(&records, &subject, late);
        let person = (0..PEOPLE).find(|person| account(*person) == subject.to_string());
        let tokens = person.map(|person| case.tokens(person)).unwrap_or_default();
        let by_token = tokens.iter().map(|token| held(&records, &EntityId::identifier(token), late));
        // An item that is missing has no tokens.
        let by_token: Vec<_> = by_token.filter(|_| item.kind() != ReconcileKind::Missing).collect();
        if let Some(direct) = by_token.iter().chain([&own]).find_map(|held| held.get(&object.id)) {
            assert_eq!(change, Some(*direct), "{item:?} is held under a name of its own");
            continue;
        }
        let implies = |group: &String| {
            let state = replay(&entity(group), &records, late, TreeSize(u64::MAX));
            state.implies_anywhere(&object.id)
        };
        // What is held by itself, no group explains.
        let may_be = person.is_none_or(|person| inheritance(person) != Inheritance::Direct);
        let inherited = own.iter().find(|(group, _)| may_be && implies(group)).map(|(_, by)| *by);
        let is_of_group = |(record, fact): (u64, u32)| {
            let facts: Vec<_> = facts_of(&records[usize::try_from(record).unwrap()]).collect();
            facts[fact as usize].fact.object.as_ref().is_some_and(|of| !object.id.ends_with(&of.id))
        };
        match change {
            Some(by) if is_of_group(by) => assert_eq!(Some(by), inherited, "{item:?} is inherited"),
            Some(_) if item.kind() != ReconcileKind::Revoked => {}
            _ => assert_eq!(inherited, None, "{item:?} is unrecorded"),
        }
    }
}

/// What the last complete listing of whatever covers a pair saw: by reading every record.
type Sight = (Option<String>, bool, u64, Option<u64>);

fn naive_sights(records: &[Record], of: &EntityId, at: OccurredAt, known: TreeSize, lists: &Lists) -> Vec<Sight> {
    let pair = |other: EntityId| match of.kind() {
        EntityKind::Account => (of.clone(), Some(other)),
        _ => (other, Some(of.clone())),
    };
    let mut pairs: BTreeSet<(EntityId, Option<EntityId>)> = BTreeSet::new();
    let grants = replay(of, records, at, known).grants;
    pairs.extend(grants.values().map(|grant| pair(entity(&grant.counterpart))));
    for fact in records.iter().flat_map(facts_of) {
        let counts = fact.evidence.index < known.0 && fact.evidence.occurred_at() <= at;
        let bearers = bearers(fact.fact, fact.source);
        if counts && fact.fact.kind() == FactKind::SnapshotItem && bearers.contains(of) {
            pairs.extend(bearers.into_iter().filter(|bearer| bearer != of).map(pair));
        }
    }
    if of.kind() == EntityKind::Account {
        pairs.insert((of.clone(), None));
    }
    let mut sights = Vec::new();
    for (subject, object) in pairs {
        let mut newest: Option<(EndState, Option<EndState>)> = None;
        for scope in (0..4).map(scope_id) {
            if !Coverage::of(&scope).unwrap().covers(&subject, object.as_ref(), "") {
                continue;
            }
            let Some(listings) = replay(&scope, records, at, known).listings else { continue };
            let Some(end) = listings.complete else { continue };
            if newest.as_ref().is_none_or(|(held, _)| held.evidence.order() < end.evidence.order()) {
                newest = Some((end, listings.complete_before));
            }
        }
        let Some((end, before)) = newest else { continue };
        let key = ItemKey::new(&subject, object.as_ref(), "");
        let party = if subject == *of { object.as_ref() } else { Some(&subject) };
        let present = lists[&end.evidence.index].get(&key).is_some();
        sights.push((
            party.map(EntityId::to_string),
            present,
            end.evidence.index,
            before.map(|before| before.evidence.index),
        ));
    }
    sights
}

type Lists = BTreeMap<u64, Listing>;

fn check_sights(case: &Case, questions: &[(i64, i64)]) {
    let views = case.ledger.views();
    let query = views.query().unwrap();
    let records = case.records();
    let is_end = |record: &&Record| facts_of(record).any(|fact| fact.fact.kind() == FactKind::SnapshotEnd);
    let list = |record: &Record| {
        let beside = case.ledger.reader().beside(RecordIndex(record.index)).unwrap().unwrap();
        (record.index, Listing::from_bytes(&beside.payload.unwrap().content).unwrap())
    };
    let lists: Lists = records.iter().filter(is_end).map(list).collect();
    let entities = (0..PEOPLE).map(account).chain((0..ENTITLEMENTS.len()).map(entitlement)).map(|id| entity(&id));
    for (of, (at, known)) in entities.flat_map(|of| questions.iter().map(move |question| (of.clone(), *question))) {
        let known_at = recorded(known);
        let is_known = |record: &Record| recorded_at(record) <= known_at;
        let known = TreeSize(records.partition_point(is_known) as u64);
        let state = query.state(&of, occurred(at), Some(known_at)).unwrap().state.unwrap();
        let found: Vec<Sight> = state
            .sights
            .into_iter()
            .map(|sight| {
                let party = sight.party.map(|party| party.id.clone());
                (party, sight.present, sight.end.unwrap().record, sight.before.map(|before| before.record))
            })
            .collect();
        assert_eq!(found, naive_sights(&records, &of, occurred(at), known, &lists), "{of} at {at} s, {known:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reconciliation_judges_each_access_as_if_it_were_the_only_one(
        steps in vec(any_step(), 1..60),
        per_commit in 1_usize..20,
        listings in vec((0_usize..6, [0_u8..16, 0_u8..16, 0_u8..16, 0_u8..16]), 1..4),
    ) {
        check_reconciled(&Case::new(&steps, per_commit, &listings));
    }

    #[test]
    fn sights_are_what_all_records_say(
        steps in vec(any_step(), 1..40),
        per_commit in 1_usize..20,
        listings in vec((0_usize..6, [0_u8..16, 0_u8..16, 0_u8..16, 0_u8..16]), 1..4),
        questions in vec((-60_i64..3_600, -60_i64..3_600), 6),
    ) {
        check_sights(&Case::new(&steps, per_commit, &listings), &questions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_explains_what_its_members_have_through_it_and_nothing_else(
        steps in vec(step_of_groups(), 20..80),
        per_commit in 4_usize..16,
        after in 1_usize..6,
        listed in [0_u8..16, 0_u8..16, 8_u8..16, 0_u8..16],
    ) {
        check_reconciled(&Case::new(&steps, per_commit, &[(after, listed)]));
    }
}
