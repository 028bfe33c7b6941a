//! Reversal plans of a made-up company, carried out: for each step its systems send the opposite of what they sent for
//! the change, and everybody is as before, but for what others did since.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{AccountStatus, FactKind, PlanReversalResponse, ReversalStatus, ReversalStep, State};
use counterfoil_query::{ChangeSelector, Period, Query, ReversalOf};
use counterfoil_scenario::{Company, Options, generate};
use counterfoil_tests::files::lines;
use counterfoil_tests::inside::{InsideLedger, moment};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::RecordIndex;
use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

/// How many plans with something to do are carried out of each company, of each kind of question.
const PLANS: usize = 8;

/// A company's ledger, and what its systems sent, by the id of the event.
struct World {
    company: Company,
    ledger: InsideLedger,
    sent: BTreeMap<String, (&'static str, Value)>,
    random: ChaCha8Rng,
    now: Timestamp,
    undone: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let company = generate(&Options { seed, people: 24, months: 4, ..Options::default() });
        let (ledger, mut sent) = (InsideLedger::new(), BTreeMap::new());
        for (connector, messages) in company.messages() {
            let path = ledger.folder.path().join(format!("{connector}.jsonl"));
            std::fs::write(&path, messages.join("\n")).unwrap();
            ledger.import(connector, &path, true);
            for event in messages.iter().map(|message| serde_json::from_str::<Value>(message).unwrap()) {
                if let Some(id) = event.get("uuid").or(event.get("eventID")).and_then(Value::as_str) {
                    sent.insert(id.to_owned(), (connector, event));
                }
            }
        }
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self { company, ledger, sent, random, now: "2026-12-01T00:00:00Z".parse().unwrap(), undone: 0 }
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[usize::try_from(self.random.next_u64() % among.len() as u64).unwrap()].clone()
    }

    /// Some change, a token's creation first; or all that some ticket covers; or all that was done with some token in two
    /// weeks.
    fn question(&mut self, number: usize) -> ReversalOf {
        match number % 3 {
            0 if number == 0 => {
                let (token, changes) = (&self.company.truth.story.agent_token_id, &self.company.truth.changes);
                let created = changes.iter().find(|change| change.credential_id.as_ref() == Some(token)).unwrap();
                ReversalOf::Change(ChangeSelector::Event(created.event_uuid.clone()))
            }
            0 => {
                let ids: Vec<String> = self.sent.keys().cloned().collect();
                ReversalOf::Change(ChangeSelector::Event(self.pick(&ids)))
            }
            1 => {
                let changes = &self.company.truth.changes;
                let tickets: BTreeSet<String> = changes.iter().filter_map(|change| change.ticket.clone()).collect();
                let ticket = self.pick(&Vec::from_iter(tickets));
                let id = format!("ticket:freshservice:default:ticket/{}", ticket.trim_start_matches("SR-"));
                ReversalOf::Ticket(id.parse().unwrap())
            }
            _ => {
                let changes = &self.company.truth.changes;
                let by_token =
                    changes.iter().filter_map(|change| Some((change.api_token_id.clone()?, change.occurred_at)));
                let (token, at) = self.pick(&by_token.collect::<Vec<_>>());
                let bound = |at: Timestamp| OccurredAt(moment(at));
                let period = Period { from: bound(at), to: bound(at + SignedDuration::from_hours(14 * 24)) };
                ReversalOf::By { who: format!("credential:okta:default:api_token/{token}"), period }
            }
        }
    }

    /// The systems' events, once somebody has carried a plan out.
    fn carry_out(&mut self, plan: &PlanReversalResponse) -> BTreeSet<(&'static str, FactKind)> {
        let reader = self.ledger.ledger.reader();
        let mut done: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let mut kinds = BTreeSet::new();
        for (step, second) in plan.steps.iter().filter(|step| step.operation != 0).zip(1..) {
            let record = reader.record(RecordIndex(step.change.unwrap().record)).unwrap();
            let (connector, event) = &self.sent[&record.provenance.unwrap().event_id];
            self.undone += 1;
            let at = self.now + SignedDuration::from_secs(second);
            let id = format!("00000000-0000-4000-8000-{:012}", self.undone);
            let event = match *connector {
                "okta" => opposite_in_okta(event, step, &id, at),
                _ => opposite_in_aws(event, &id, at),
            };
            done.entry(connector).or_default().push(event);
            kinds.insert((*connector, step.operation()));
        }
        for (connector, events) in done {
            let path = self.ledger.folder.path().join(format!("undone-{}.jsonl", self.undone));
            std::fs::write(&path, lines(&events)).unwrap();
            let summary = self.ledger.import(connector, &path, false);
            assert_eq!((summary.rejected, summary.unmapped), (0, 0), "{summary:?}");
        }
        kinds
    }
}

fn opposite_in_okta(event: &Value, step: &ReversalStep, id: &str, at: Timestamp) -> Value {
    let kind = event["eventType"].as_str().unwrap();
    let (family, last) = kind.rsplit_once('.').unwrap();
    let opposite = match (step.operation(), last) {
        (FactKind::AccountDeleted, _) => "user.lifecycle.delete.completed".to_owned(),
        (FactKind::AccountDisabled, _) => "user.lifecycle.deactivate".to_owned(),
        (FactKind::AccountEnabled, _) => "user.lifecycle.activate".to_owned(),
        (FactKind::AccountLocked, _) => "user.account.lock".to_owned(),
        (FactKind::AccountUnlocked, _) => "user.account.unlock".to_owned(),
        (FactKind::CredentialRevoked, _) if family == "system.api_token" => format!("{family}.revoke"),
        (FactKind::CredentialRevoked, _) => format!("{family}.delete"),
        (_, "add") => format!("{family}.remove"),
        (_, "remove") => format!("{family}.add"),
        (_, "grant") => format!("{family}.revoke"),
        (_, "revoke") => format!("{family}.grant"),
        (operation, _) => panic!("{operation:?} is the opposite of no {kind}"),
    };
    let mut undone = event.clone();
    // Of several roles that came in one event, the one that the step is about, as Okta writes it with its scope.
    let roles = event["debugContext"]["debugData"]["privilegeGranted"].as_str().unwrap_or_default();
    let name = step.object.as_ref().map_or("", |object| object.name.as_str());
    let role = roles.split(", ").find(|role| role.starts_with(name));
    for (key, value) in [
        ("eventType", json!(opposite)),
        ("uuid", json!(id)),
        ("published", json!(at.to_string())),
        ("debugContext", json!({"debugData": {"privilegeGranted": role}})),
        ("transaction", json!({"id": id, "type": "WEB", "detail": {}})),
    ] {
        undone[key] = value;
    }
    undone
}

fn opposite_in_aws(event: &Value, id: &str, at: Timestamp) -> Value {
    const OPPOSITES: [(&str, &str); 10] = [
        ("AddUserToGroup", "RemoveUserFromGroup"),
        ("AttachUserPolicy", "DetachUserPolicy"),
        ("AttachRolePolicy", "DetachRolePolicy"),
        ("CreateUser", "DeleteUser"),
        ("CreateRole", "DeleteRole"),
        ("CreateLoginProfile", "DeleteLoginProfile"),
        ("CreateAccessKey", "DeleteAccessKey"),
        ("DescribeAccountAssignmentCreationStatus", "DescribeAccountAssignmentDeletionStatus"),
        ("AttachGroupPolicy", "DetachGroupPolicy"),
        ("AttachManagedPolicyToPermissionSet", "DetachManagedPolicyFromPermissionSet"),
    ];
    let name = event["eventName"].as_str().unwrap();
    let opposite = OPPOSITES.iter().find_map(|(one, other)| match name {
        name if name == *one => Some(other),
        name if name == *other => Some(one),
        _ => None,
    });
    let mut undone = event.clone();
    let response = &event["responseElements"];
    for (key, value) in [("accessKeyId", &response["accessKey"]["accessKeyId"]), ("userId", &response["userId"])] {
        if value.is_string() {
            undone["requestParameters"][key] = value.clone();
        }
    }
    let (created, deleted) = ("accountAssignmentCreationStatus", "accountAssignmentDeletionStatus");
    undone["responseElements"] = match (&response[created], &response[deleted]) {
        (Value::Null, Value::Null) => Value::Null,
        (Value::Null, status) => json!({created: status}),
        (status, _) => json!({deleted: status}),
    };
    undone["eventName"] = json!(opposite.unwrap_or_else(|| panic!("{name} has no opposite")));
    undone["eventID"] = json!(id);
    // CloudTrail tells whole seconds.
    undone["eventTime"] = json!(at.to_string());
    undone
}

/// What somebody has: whether the account is there and on, and the grants.
#[derive(Clone, Debug, PartialEq)]
struct Had {
    account: Option<bool>,
    grants: BTreeSet<(String, String)>,
}

fn had(query: &Query<'_>, who: &EntityId, at: OccurredAt) -> Had {
    let state: State = query.state(who, at, None).unwrap().state.unwrap();
    let status = state.account.map(|account| account.status());
    let grants = state.grants.iter().map(|grant| (grant.counterpart.as_ref().unwrap().id.clone(), grant.scope.clone()));
    Had {
        account: status.filter(|status| *status != AccountStatus::Deleted).map(|status| {
            // One that was made and never switched on is as good as off.
            !matches!(status, AccountStatus::Disabled | AccountStatus::Created)
        }),
        grants: grants.collect(),
    }
}

/// What each of those that a plan is about should have once it is carried out: what it restores as before the change,
/// all else as now.
fn expected(query: &Query<'_>, plan: &PlanReversalResponse, now: OccurredAt) -> BTreeMap<EntityId, Had> {
    let mut all: BTreeMap<EntityId, Had> = BTreeMap::new();
    // The oldest change last: what was before it counts.
    for step in &plan.steps {
        let is_restored = matches!(
            step.status(),
            ReversalStatus::Applicable | ReversalStatus::AlreadyUndone | ReversalStatus::NotNeeded
        );
        let Some(subject) = &step.subject else { continue };
        let who: EntityId = subject.id.parse().unwrap();
        let should = all.entry(who.clone()).or_insert_with(|| had(query, &who, now));
        let changed = step.change.unwrap().occurred_at.unwrap();
        let changed = Moment { seconds: changed.seconds, nanos: u32::try_from(changed.nanos).unwrap() };
        let before = had(query, &who, OccurredAt(changed.just_before()));
        match &step.object {
            _ if !is_restored => {}
            None if matches!(step.kind(), FactKind::AccountLocked | FactKind::AccountUnlocked) => {}
            None => {
                should.account =
                    if step.assumed { Some(step.kind() == FactKind::AccountDisabled) } else { before.account }
            }
            Some(object) => {
                let grant = (object.id.clone(), step.scope.clone());
                let is_before = before.grants.contains(&grant) || step.assumed;
                should.grants.remove(&grant);
                should.grants.extend(Some(grant).filter(|_| is_before));
            }
        }
    }
    all
}

#[test]
fn s0_04_a_plan_that_is_carried_out_restores_what_was_before() {
    let mut done = BTreeSet::new();
    for seed in [81, 82] {
        let mut world = World::new(seed);
        let mut carried_out = [0; 3];
        for number in 0.. {
            if carried_out.iter().all(|count| *count >= PLANS) {
                break;
            }
            if carried_out[number % 3] >= PLANS {
                continue;
            }
            let of = world.question(number);
            let now = OccurredAt(moment(world.now));
            let (plan, should) = {
                let views = world.ledger.views();
                let query = views.query().unwrap();
                // Most events change nothing.
                let Ok(plan) = query.reversal(&of, now, None) else { continue };
                let should = expected(&query, &plan, now);
                (plan, should)
            };
            if plan.steps.iter().all(|step| step.operation == 0) {
                continue;
            }
            assert!(!plan.cut);
            done.extend(world.carry_out(&plan));
            world.now += SignedDuration::from_hours(1);
            let views = world.ledger.views();
            let query = views.query().unwrap();
            let now = OccurredAt(moment(world.now));
            for (who, should) in &should {
                assert_eq!(had(&query, who, now), *should, "seed {seed}, {of:?}: {who}\n{plan:#?}");
            }
            // Nothing of it is left to do.
            let again = query.reversal(&of, now, None).unwrap();
            assert!(again.steps.iter().all(|step| step.operation == 0), "seed {seed}, {of:?}: {again:#?}\n{plan:#?}");
            carried_out[number % 3] += 1;
        }
    }
    use FactKind as K;
    for kind in [
        ("okta", K::GrantAdded),
        ("okta", K::GrantRemoved),
        ("okta", K::AccountDeleted),
        ("okta", K::AccountEnabled),
        ("okta", K::CredentialRevoked),
        ("cloudtrail", K::GrantRemoved),
        ("cloudtrail", K::CredentialRevoked),
    ] {
        assert!(done.contains(&kind), "{kind:?} goes unchecked: {done:?}");
    }
}
