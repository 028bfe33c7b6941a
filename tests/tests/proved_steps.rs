//! What a ticket's trail says of each step, worked out again from nothing but the records that the step names, each of
//! which is proved to be in the log of one signed checkpoint.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{check_answer, log_key, read_checkpoint, total};
use counterfoil_proto::v1::{
    AccessAtStep, AccessStanding, AccountStatus, Confidence, CredentialStatus, Decision, EntityKind, GetRecordResponse,
    Record, TraceMoment, TraceTicketResponse,
};
use counterfoil_scenario::{Delivery, Options, generate};
use counterfoil_tests::files::lines;
use counterfoil_tests::program::{LedgerFolder, ORIGIN};
use counterfoil_verify::approval::final_decision;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::proof::{TlogProof, verify_inclusion};
use counterfoil_verify::record;
use counterfoil_verify::replay::{facts_of, replay};
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use serde_json::{Value, json};

const ALL: TreeSize = TreeSize(u64::MAX);

/// Records of one log, each proved against its checkpoint when it was fetched.
struct Proved<'l> {
    ledger: &'l LedgerFolder,
    checkpoint: Checkpoint,
    records: BTreeMap<u64, Record>,
}

impl<'l> Proved<'l> {
    fn of(ledger: &'l LedgerFolder) -> Self {
        Self { ledger, checkpoint: read_checkpoint(ledger), records: BTreeMap::new() }
    }

    fn fetch(&mut self, index: u64) -> Record {
        if let Some(known) = self.records.get(&index) {
            return known.clone();
        }
        let text = index.to_string();
        let answer: GetRecordResponse = self.ledger.run(&["record", &text, "--output", "json"]).json();
        let proof = TlogProof::parse(&self.ledger.run(&["proof", &text]).ended(0).stdout).unwrap();
        let origin = Origin::new(ORIGIN).unwrap();
        let signed = Checkpoint::open(&proof.checkpoint_note, &origin, &log_key(self.ledger)).unwrap();
        assert_eq!(signed, self.checkpoint);
        assert_eq!(proof.index, RecordIndex(index));
        let leaf = record::hash(&answer.record_bytes);
        verify_inclusion(leaf, proof.index, signed.size, &proof.path, signed.root).unwrap();
        let record = record::decode(&answer.record_bytes).unwrap();
        self.records.insert(index, record.clone());
        record
    }
}

/// What one step says, found again in its own records.
struct Step {
    records: Vec<Record>,
    at: OccurredAt,
}

impl Step {
    fn state(&self, entity: &EntityId, at: OccurredAt) -> State {
        replay(entity, &self.records, at, ALL)
    }

    /// The moment of a step, from the ticket or the change.
    fn moment(&self, step: TraceMoment, ticket: &EntityId, now: OccurredAt) -> OccurredAt {
        let ticket = self.state(ticket, now).ticket;
        match step {
            TraceMoment::BeforeRequest => OccurredAt(ticket.unwrap().opened.unwrap().occurred_at().0.just_before()),
            TraceMoment::AtApproval => {
                let derived = final_decision(&ticket.unwrap()).unwrap();
                assert_eq!(derived.decision, Decision::Approved);
                derived.completed_by.unwrap().occurred_at()
            }
            TraceMoment::AfterChange => {
                let facts =
                    self.records.iter().flat_map(facts_of).filter(|fact| fact.evidence.occurred_at() <= self.at);
                facts.map(|fact| fact.evidence.occurred_at()).max().unwrap()
            }
            TraceMoment::AfterExpiry => {
                let ends = ticket.unwrap().items.into_iter().filter_map(|asked| asked.item.until);
                OccurredAt(ends.map(|until| Moment::of(&until)).max().unwrap().plus_seconds(60))
            }
            TraceMoment::Now | TraceMoment::Unspecified => now,
        }
    }

    /// Whether an access was had at the step, and until when: by replay up to it, and up to each moment before.
    fn standing(&self, access: &AccessAtStep) -> (AccessStanding, Option<Moment>) {
        let Some(holder) = &access.holder else { return (AccessStanding::NeverGiven, None) };
        let holder: EntityId = holder.id.parse().unwrap();
        let had = |at| self.had(&holder, access, at);
        if let Some((is_seen_only, end)) = had(self.at) {
            let standing = match end {
                Some(end) if end <= self.at.0 => AccessStanding::Lapsed,
                _ if is_seen_only => AccessStanding::SeenOnly,
                _ => AccessStanding::Held,
            };
            return (standing, end);
        }
        let moments = self.records.iter().flat_map(facts_of).map(|fact| fact.evidence.occurred_at());
        let before: BTreeSet<OccurredAt> = moments.filter(|moment| *moment <= self.at).collect();
        match before.into_iter().rev().find_map(had) {
            Some((_, end)) => (AccessStanding::Removed, end),
            None => (AccessStanding::NeverGiven, None),
        }
    }

    /// Whether it was had at a moment: only by a listing's word or not, and until when.
    fn had(&self, holder: &EntityId, access: &AccessAtStep, at: OccurredAt) -> Option<(bool, Option<Moment>)> {
        let Some(target) = &access.target else {
            let status = self.state(holder, at).account?.status();
            let is_there = !matches!(status, AccountStatus::Disabled | AccountStatus::Deleted);
            return is_there.then_some((status == AccountStatus::Seen, None));
        };
        let entity: EntityId = target.id.parse().unwrap();
        if entity.kind() == EntityKind::Credential {
            let held = self.state(&entity, at).credentials.remove(&target.id)?;
            let is_there = held.status() == CredentialStatus::Active;
            return is_there.then(|| (false, held.expires_at.as_ref().map(Moment::of)));
        }
        let state = self.state(holder, at);
        let is_it = |grant: &&counterfoil_verify::state::GrantState| {
            grant.counterpart == target.id && grant.scope == access.scope
        };
        let grant = state.grants.values().find(is_it)?;
        let end = grant.grant.as_ref().and_then(|grant| grant.expires_at.as_ref()).map(Moment::of);
        Some((grant.confidence() == Confidence::Snapshot, end))
    }
}

fn moment(time: &pbjson_types::Timestamp) -> Moment {
    Moment { seconds: time.seconds, nanos: u32::try_from(time.nanos).unwrap() }
}

/// Everything that the trail of a ticket says of its steps is what their records come to. Gives the standings.
fn check_steps(proved: &mut Proved<'_>, ticket: &str, at: &str) -> Vec<AccessStanding> {
    let answer: TraceTicketResponse = proved.ledger.run(&["trace", ticket, "--at", at, "--output", "json"]).json();
    let id: EntityId = answer.ticket.as_ref().unwrap().id.parse().unwrap();
    let now = OccurredAt(moment(answer.moment.as_ref().unwrap().at.as_ref().unwrap()));
    let mut standings = Vec::new();
    for traced in answer.steps.iter().filter(|traced| traced.at.is_some()) {
        let records = traced.records.iter().map(|index| proved.fetch(*index)).collect();
        let step = Step { records, at: OccurredAt(moment(traced.at.as_ref().unwrap())) };
        let context = format!("{ticket}: {traced:#?}");
        assert_eq!(step.moment(traced.step(), &id, now), step.at, "{context}");
        for access in &traced.access {
            let (standing, end) = step.standing(access);
            let found = (access.standing(), access.expires_at.as_ref().map(moment));
            assert_eq!((standing, end), found, "{access:#?} of {context}");
            standings.push(standing);
            let evidence = access.evidence.iter().map(|evidence| evidence.record);
            assert!(evidence.into_iter().all(|record| traced.records.contains(&record)), "{context}");
        }
    }
    standings
}

/// A company's tickets: one for each kind of thing that is asked for, those whose time is over, and the story's.
#[test]
fn s2_05_each_step_follows_from_records_that_are_proved() {
    let company = generate(&Options { seed: 5, people: 12, months: 1, ..Options::default() });
    let ledger = LedgerFolder::init();
    let folder = ledger.beside("company");
    company.write_to(&folder).unwrap();
    for file in &company.files {
        let backfill: &[&str] = if file.delivery == Delivery::OnTime { &["--backfill"] } else { &[] };
        ledger.import(file.connector, &folder.join(&file.name), backfill).ended(0);
    }
    let truth = &company.truth;
    let kind = |entitlement: &str| entitlement.split('/').take(2).collect::<Vec<_>>().join("/");
    let mut kinds: BTreeMap<String, &str> = BTreeMap::new();
    for change in &truth.changes {
        if let Some(ticket) = &change.ticket {
            kinds.entry(kind(&change.entitlement)).or_insert(ticket);
        }
    }
    let lapsed = truth.lapsed.iter().take(2).map(|lapsed| lapsed.ticket.as_str());
    let tickets: BTreeSet<&str> = kinds.into_values().chain(lapsed).chain([&*truth.story.explained_ticket]).collect();
    let mut proved = Proved::of(&ledger);
    let found: Vec<AccessStanding> =
        tickets.iter().flat_map(|ticket| check_steps(&mut proved, ticket, "2026-06-01Z")).collect();
    for standing in [AccessStanding::NeverGiven, AccessStanding::Held, AccessStanding::Removed] {
        assert!(found.contains(&standing), "{standing:?} goes unchecked: {found:?}");
    }
    check_answer::<TraceTicketResponse>(&ledger, &["trace", tickets.first().unwrap(), "--at", "2026-06-01Z"]);
}

/// What is given for a time and then modified, and a key that is replaced, run out when an earlier record says.
#[test]
fn s2_05_what_an_earlier_record_says_is_among_them() {
    let document = |number: u32, at: &str, mut fact: Value| {
        fact["occurred_at"] = at.into();
        let source = json!({"system": "idp", "instance": "prod", "stream": "audit"});
        json!({"id": format!("evt-{number}"), "type": "test", "source": source, "facts": [fact]})
    };
    let ticket = || json!({"id": "ticket/7"});
    let about = |kind: &str, object: &str| {
        let tickets = json!([{"id": "ticket/7"}]);
        json!({"kind": kind, "subject": {"id": "u-1"}, "object": {"id": object}, "tickets": tickets})
    };
    let until = |mut fact: Value| {
        fact["expires_at"] = "2026-03-10T00:00:00Z".into();
        fact
    };
    let (group, key) = ("group_member/g-1", "api_token/k-1");
    let item = |kind: &str, target: &str| {
        let (target_type, target) = (target.split('/').next().unwrap(), json!({"kind": kind, "id": target}));
        let until = "2026-03-20T00:00:00Z";
        json!({"operation": "add", "target_type": format!("idp:{target_type}"), "target": target, "until": until})
    };
    let asked = json!({"kind": "ticket.opened", "subject": {"id": "u-1"}, "object": ticket(),
                       "items": [item("entitlement", group), item("credential", key)]});
    let approved =
        json!({"kind": "approval.granted", "object": ticket(), "approval_id": "a-1", "actor": {"id": "u-2"}});
    let documents = [
        document(1, "2026-03-01T09:00:00Z", asked),
        document(2, "2026-03-01T10:00:00Z", approved),
        document(3, "2026-03-01T11:00:00Z", until(about("grant.added", group))),
        document(4, "2026-03-01T12:00:00Z", until(about("credential.created", key))),
        document(5, "2026-03-02T09:00:00Z", about("grant.modified", group)),
        document(6, "2026-03-03T09:00:00Z", about("credential.rotated", key)),
    ];
    let ledger = LedgerFolder::init();
    let import = ledger.import("fact", &ledger.file("facts.jsonl", lines(&documents)), &["--output", "json"]);
    let told = total(import);
    assert_eq!((told.events, told.rejected), (6, 0), "{told:?}");
    let found = check_steps(&mut Proved::of(&ledger), "ticket:idp:prod:ticket/7", "2026-04-01Z");
    for standing in [AccessStanding::NeverGiven, AccessStanding::Held, AccessStanding::Lapsed] {
        assert!(found.contains(&standing), "{standing:?} goes unchecked: {found:?}");
    }
}
