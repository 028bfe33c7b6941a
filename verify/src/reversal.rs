//! What would undo changes of access: the operations, in their order, and whether each can still be carried out.
//!
//! Owns this plan. It is a function of the facts about whatever the changes touched; it looks nothing up and carries
//! nothing out. A change is undone where what it left still stands; where another change, which is not to be undone, came
//! after it, that one stands. What cannot come back is said, with the reason.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    AccountStatus, CredentialStatus, EntityKind, FactKind, Grant, Irreversible, Outcome, ReversalStatus, fact::Detail,
};

use crate::entity::EntityId;
use crate::fact::{Group, gives_access, kind_group, takes_access};
use crate::replay::{FactAt, apply, grant_keys, named};
use crate::state::{Evidence, State};
use crate::time::{Moment, OccurredAt};

/// Everything that is known of one entity: its facts in the order of replay.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    /// The account, the credential or the entitlement.
    pub entity: EntityId,
    /// All its facts up to the moment that counts as now.
    pub facts: Vec<FactAt<'a>>,
}

/// One part of an entity's state, which a change sets as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Whether an account is there, and switched on.
    Status,
    /// Whether an account is locked.
    Lock,
    /// A grant, by its key in [`State::grants`].
    Grant(String),
    /// What became of a credential.
    Credential,
    /// Whether an entitlement implies another, by its key in [`State::implies`].
    Implied(String),
    /// What an entitlement is.
    Definition,
    /// That something was used, or changed beyond what the records hold.
    Mark,
}

/// What a part of a state is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not there.
    Absent,
    /// An account's status.
    Status(AccountStatus),
    /// Whether it is locked.
    Locked(bool),
    /// A grant, and how it holds.
    Grant(Grant),
    /// A credential's status.
    Credential(CredentialStatus),
    /// It is implied.
    Implied,
}

/// What undoes one effect of one change.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The change.
    pub change: FactAt<'a>,
    /// Whose state it changed.
    pub entity: EntityId,
    /// Which part of it.
    pub part: Part,
    /// Whether it can be undone.
    pub status: ReversalStatus,
    /// The operation, as the kind of fact that it will be; only where it can be carried out.
    pub operation: Option<FactKind>,
    /// What was before the change.
    pub before: Value,
    /// What the change made of it.
    pub after: Value,
    /// What it is now.
    pub now: Value,
    /// No record says what was before: the change implies it.
    pub is_assumed: bool,
    /// The later fact that undid it, stands in its place, builds on it, or ended what it is about.
    pub because: Option<Evidence>,
    /// Why it cannot be undone.
    pub irreversible: Irreversible,
    /// The last use of what it gave, where that came after it.
    pub used: Option<Evidence>,
}

/// Whether a plan has something to say about a fact: one that changed access, locked an account, replaced a secret, used a
/// credential, or changed what the records do not hold.
pub fn is_undoable(fact: &FactAt<'_>) -> bool {
    let has_mark = matches!(
        fact.fact.kind(),
        FactKind::AccountLocked
            | FactKind::AccountUnlocked
            | FactKind::AccountUpdated
            | FactKind::CredentialRotated
            | FactKind::CredentialUsed
            | FactKind::SessionAssumed
    );
    let is_logged = fact.fact.confidence() != counterfoil_proto::v1::Confidence::Snapshot;
    let is_change = has_mark || gives_access(fact.fact) || takes_access(fact.fact);
    is_change && is_logged && fact.fact.outcome() == Outcome::Success
}

/// Whose state a fact changes, as a plan follows it: that of the credential or the entitlement that it is about, or else of
/// the holder or the account. None where it names nobody.
pub fn bearer(fact: &FactAt<'_>) -> Option<EntityId> {
    let (subject, object) = (fact.fact.subject.as_ref(), fact.fact.object.as_ref());
    let reference = match kind_group(fact.fact.kind()) {
        Group::Credential | Group::Entitlement => object,
        _ => subject.or(object),
    };
    reference.and_then(|reference| named(reference, fact.source).into_iter().next())
}

/// The plan that undoes the chosen facts, which are named by record and number: the newest change first. `gone` has the
/// accounts and entitlements that are no more, each with the fact that ended it; `at` is the moment that counts as now.
pub fn plan<'a>(
    timelines: &[Timeline<'a>],
    chosen: &BTreeSet<(u64, u32)>,
    gone: &BTreeMap<EntityId, Evidence>,
    at: OccurredAt,
) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = timelines.iter().flat_map(|one| plan_one(one, chosen, gone, at)).collect();
    steps.sort_by(|one, other| {
        let key = |step: &Step<'_>| (step.change.evidence.order(), step.entity.clone(), step.part.clone());
        key(other).cmp(&key(one))
    });
    steps
}

/// One fact's effect on one part of its entity's state.
struct Touch<'a> {
    fact: FactAt<'a>,
    is_chosen: bool,
    before: Value,
    after: Value,
    is_assumed: bool,
}

fn plan_one<'a>(
    timeline: &Timeline<'a>,
    chosen: &BTreeSet<(u64, u32)>,
    gone: &BTreeMap<EntityId, Evidence>,
    at: OccurredAt,
) -> Vec<Step<'a>> {
    let (touches, last) = touches(timeline, chosen);
    let mut gone = gone.clone();
    if let Some(account) = last.account.as_ref().filter(|account| account.status() == AccountStatus::Deleted) {
        gone.insert(timeline.entity.clone(), account.evidence);
    }
    let used = last.credentials.get(&timeline.entity.to_string()).and_then(|held| held.last_used);
    let mut steps = Vec::new();
    let mut kept: Option<Evidence> = None;
    for (part, touches) in touches {
        let created = created_means(&touches);
        let undoing = Undoing { entity: &timeline.entity, part: &part, gone: &gone, used, created, at };
        let undone = undoing.undo(&touches, &mut steps);
        if matches!(part, Part::Grant(_)) && undoing.settle(&undone) != Value::Absent {
            let newest = touches.iter().rev().find(|touch| !touch.is_chosen);
            kept = kept.or(newest.map(|touch| touch.fact.evidence));
        }
    }
    // An account that others gave access is not made undone by deleting it, and so nothing else of it is undone by that.
    if kept.is_some() && steps.iter().any(|step| step.operation == Some(FactKind::AccountDeleted)) {
        let is_undone = |step: &&mut Step<'_>| {
            let is_undone = matches!(step.status, ReversalStatus::Applicable | ReversalStatus::NotNeeded);
            step.part == Part::Status && is_undone
        };
        for step in steps.iter_mut().filter(is_undone) {
            (step.status, step.operation, step.because) = (ReversalStatus::Superseded, None, kept);
        }
    }
    steps
}

/// Every effect of the facts of an entity, by the part of the state that it is on; and the state that they come to.
fn touches<'a>(timeline: &Timeline<'a>, chosen: &BTreeSet<(u64, u32)>) -> (BTreeMap<Part, Vec<Touch<'a>>>, State) {
    let mut state = State::default();
    let mut found: BTreeMap<Part, Vec<Touch<'a>>> = BTreeMap::new();
    for fact in &timeline.facts {
        let was: Vec<(Part, Value)> = parts(&timeline.entity, fact, &state)
            .into_iter()
            .map(|part| (part.clone(), value(&state, &timeline.entity, &part)))
            .collect();
        apply(&mut state, &timeline.entity, fact);
        for (part, was) in was {
            let after = value(&state, &timeline.entity, &part);
            let touches = found.entry(part).or_default();
            let assumed = if touches.is_empty() { assumed(fact.fact.kind(), &was, &after) } else { None };
            touches.push(Touch {
                fact: *fact,
                is_chosen: chosen.contains(&(fact.evidence.index, fact.evidence.fact)),
                is_assumed: assumed.is_some(),
                before: assumed.unwrap_or(was),
                after,
            });
        }
    }
    (found, state)
}

/// The parts of an entity's state that a fact is about; `state` is as it was before the fact.
fn parts(entity: &EntityId, fact: &FactAt<'_>, state: &State) -> Vec<Part> {
    if !is_undoable(fact) {
        return Vec::new();
    }
    match fact.fact.kind() {
        FactKind::AccountLocked | FactKind::AccountUnlocked => vec![Part::Lock],
        FactKind::AccountUpdated | FactKind::CredentialUsed | FactKind::SessionAssumed => vec![Part::Mark],
        FactKind::EntitlementRemoved => vec![Part::Definition],
        kind => match kind_group(kind) {
            Group::Account => vec![Part::Status],
            Group::Credential => vec![Part::Credential],
            Group::Grant => {
                let keys = grant_keys(entity, fact);
                let held = keys.iter().find(|key| state.grants.contains_key(*key) || state.held.contains_key(*key));
                held.or(keys.first()).cloned().map(Part::Grant).into_iter().collect()
            }
            _ => implied(fact, state).into_iter().map(Part::Implied).collect(),
        },
    }
}

/// What an entitlement implies from a fact on, or no longer.
fn implied(fact: &FactAt<'_>, state: &State) -> BTreeSet<String> {
    let Some(Detail::Entitlement(detail)) = &fact.fact.detail else { return BTreeSet::new() };
    let changed = detail.implies_added.iter().chain(&detail.implies_removed);
    let named = changed.flat_map(|reference| named(reference, fact.source));
    let mut keys: BTreeSet<String> = named.map(|entity| format!("{entity} {}", fact.fact.scope)).collect();
    // A definition says all that is implied.
    if fact.fact.kind() == FactKind::EntitlementDefined {
        keys.extend(state.implies.keys().cloned());
    }
    keys
}

fn value(state: &State, entity: &EntityId, part: &Part) -> Value {
    match part {
        Part::Status => state.account.as_ref().map_or(Value::Absent, |account| Value::Status(account.status())),
        Part::Lock => Value::Locked(state.account.as_ref().is_some_and(|account| account.locked)),
        Part::Grant(key) => {
            // That of a group that is a member of another stands apart.
            let held = state.grants.get(key).or_else(|| state.held.get(key));
            held.map(|held| held.grant.clone().unwrap_or_default()).map_or(Value::Absent, Value::Grant)
        }
        Part::Credential => {
            let held = state.credentials.get(&entity.to_string());
            held.map_or(Value::Absent, |held| Value::Credential(held.status()))
        }
        Part::Implied(key) if state.implies.contains_key(key) => Value::Implied,
        Part::Implied(_) | Part::Definition | Part::Mark => Value::Absent,
    }
}

/// What must have been before the first fact about something that was there before the log: what is taken away was held,
/// what is switched off was on. None where the records say what was.
fn assumed(kind: FactKind, was: &Value, after: &Value) -> Option<Value> {
    let value = match (kind, after) {
        (FactKind::AccountEnabled, _) => Value::Status(AccountStatus::Disabled),
        (FactKind::AccountDisabled, _) => Value::Status(AccountStatus::Enabled),
        (FactKind::GrantRemoved | FactKind::GrantExpired | FactKind::GrantModified, _) => {
            Value::Grant(Grant::default())
        }
        (FactKind::CredentialDisabled, _) => Value::Credential(CredentialStatus::Active),
        (FactKind::CredentialEnabled, _) => Value::Credential(CredentialStatus::Disabled),
        (FactKind::EntitlementChanged, Value::Absent) => Value::Implied,
        _ => return None,
    };
    matches!(was, Value::Absent | Value::Status(AccountStatus::Seen)).then_some(value)
}

/// What it means that an account was created: where one has to be switched on before it is of use, that it is off.
fn created_means(touches: &[Touch<'_>]) -> AccountStatus {
    let is_switched_on = |touch: &Touch<'_>| {
        touch.fact.fact.kind() == FactKind::AccountEnabled && touch.before == Value::Status(AccountStatus::Created)
    };
    if touches.iter().any(is_switched_on) { AccountStatus::Disabled } else { AccountStatus::Enabled }
}

/// Why a kind of fact cannot be undone, where it cannot.
fn irreversible(kind: FactKind) -> Option<Irreversible> {
    Some(match kind {
        FactKind::AccountDeleted => Irreversible::AccountDeleted,
        FactKind::EntitlementRemoved => Irreversible::EntitlementRemoved,
        FactKind::CredentialRevoked => Irreversible::CredentialRevoked,
        FactKind::CredentialRotated => Irreversible::CredentialRotated,
        FactKind::CredentialExpired => Irreversible::CredentialExpired,
        FactKind::CredentialUsed | FactKind::SessionAssumed => Irreversible::Used,
        FactKind::AccountUpdated => Irreversible::ValuesUnknown,
        _ => return None,
    })
}

/// The operation that makes a part what it was.
fn operation(now: &Value, target: &Value) -> Option<FactKind> {
    Some(match (now, target) {
        (Value::Status(_), Value::Absent) => FactKind::AccountDeleted,
        (Value::Status(_), Value::Status(AccountStatus::Disabled)) => FactKind::AccountDisabled,
        (Value::Status(_), Value::Status(_)) => FactKind::AccountEnabled,
        (Value::Locked(_), Value::Locked(true)) => FactKind::AccountLocked,
        (Value::Locked(_), Value::Locked(false)) => FactKind::AccountUnlocked,
        (Value::Grant(_), Value::Absent) => FactKind::GrantRemoved,
        (Value::Absent, Value::Grant(_)) => FactKind::GrantAdded,
        (Value::Grant(_), Value::Grant(_)) => FactKind::GrantModified,
        (Value::Credential(_), Value::Absent) => FactKind::CredentialRevoked,
        (Value::Credential(_), Value::Credential(CredentialStatus::Active)) => FactKind::CredentialEnabled,
        (Value::Credential(_), Value::Credential(_)) => FactKind::CredentialDisabled,
        (Value::Implied, Value::Absent) | (Value::Absent, Value::Implied) => FactKind::EntitlementChanged,
        _ => return None,
    })
}

/// What undoing the changes of one part rests on.
struct Undoing<'u> {
    entity: &'u EntityId,
    part: &'u Part,
    gone: &'u BTreeMap<EntityId, Evidence>,
    used: Option<Evidence>,
    created: AccountStatus,
    at: OccurredAt,
}

impl Undoing<'_> {
    /// A value as it counts now: what ran out is gone, and so is what will never come back.
    fn settle(&self, value: &Value) -> Value {
        let has_ended = |grant: &Grant| grant.expires_at.as_ref().is_some_and(|end| Moment::of(end) <= self.at.0);
        match value {
            Value::Grant(grant) if has_ended(grant) => Value::Absent,
            Value::Status(AccountStatus::Deleted) => Value::Absent,
            Value::Status(AccountStatus::Created) => Value::Status(self.created),
            Value::Credential(CredentialStatus::Revoked | CredentialStatus::Expired) => Value::Absent,
            other => other.clone(),
        }
    }

    /// Adds a step for each chosen touch of the part, and gives what the part is once they are carried out.
    fn undo<'a>(&self, touches: &[Touch<'a>], steps: &mut Vec<Step<'a>>) -> Value {
        let Some(newest) = touches.last() else { return Value::Absent };
        let now = &newest.after;
        let is_final = |touch: &Touch<'_>| irreversible(touch.fact.fact.kind()).is_some();
        // A new secret for a credential leaves what else is true of it.
        let stands = |touch: &Touch<'_>| {
            !touch.is_chosen || is_final(touch) && touch.fact.fact.kind() != FactKind::CredentialRotated
        };
        // The changes after the last one that stands are undone together, by going back to before the first of them.
        let after_last = touches.iter().rposition(stands).map_or(0, |last| last + 1);
        let changed = |touch: &Touch<'_>| !is_final(touch) && touch.before != touch.after;
        let first = (after_last..touches.len()).find(|place| changed(&touches[*place])).unwrap_or(touches.len());
        let target = touches.get(first).map_or(now, |touch| &touch.before);
        let is_as_before = self.settle(now) == self.settle(target);
        for (place, touch) in touches.iter().enumerate().filter(|(_, touch)| touch.is_chosen) {
            let mut step = self.step(touch, now);
            let kind = touch.fact.fact.kind();
            if let Some(why) = irreversible(kind) {
                (step.status, step.irreversible) = (ReversalStatus::Irreversible, why);
            } else if touch.before == touch.after {
                step.status = ReversalStatus::NoEffect;
            } else if place > first {
                step.status = ReversalStatus::NotNeeded;
                step.because = touches.get(first).map(|first| first.fact.evidence);
            } else if place == first && is_as_before {
                step.status = ReversalStatus::AlreadyUndone;
                step.because = Some(newest.fact.evidence).filter(|newest| *newest != touch.fact.evidence);
            } else if place == first {
                step.because = self.gone();
                step.operation = operation(&self.settle(now), &self.settle(target));
                step.operation = step.operation.filter(|_| step.because.is_none());
                step.status = match step.because {
                    Some(_) => ReversalStatus::TargetGone,
                    None => ReversalStatus::Applicable,
                };
            } else {
                let is_undone = self.settle(target) == self.settle(&touch.before);
                step.status = if is_undone { ReversalStatus::AlreadyUndone } else { ReversalStatus::Superseded };
                step.because = touches[..after_last].last().map(|last| last.fact.evidence);
            }
            steps.push(step);
        }
        if self.gone().is_some() { now.clone() } else { target.clone() }
    }

    fn step<'a>(&self, touch: &Touch<'a>, now: &Value) -> Step<'a> {
        let gave = matches!(touch.fact.fact.kind(), FactKind::CredentialCreated | FactKind::CredentialEnabled);
        let used = self.used.filter(|used| gave && used.order() > touch.fact.evidence.order());
        Step {
            change: touch.fact,
            entity: self.entity.clone(),
            part: self.part.clone(),
            status: ReversalStatus::Unspecified,
            operation: None,
            before: touch.before.clone(),
            after: touch.after.clone(),
            now: now.clone(),
            is_assumed: touch.is_assumed,
            because: None,
            irreversible: Irreversible::Unspecified,
            used,
        }
    }

    /// The fact that ended whom or what this is about.
    fn gone(&self) -> Option<Evidence> {
        let other = match self.part {
            Part::Grant(key) | Part::Implied(key) => key.split_once(' ').map(|(counterpart, _)| counterpart),
            _ => None,
        };
        let is_deleted = self.gone.get(self.entity).filter(|_| self.entity.kind() != EntityKind::Credential);
        let other = other.and_then(|other| other.parse::<EntityId>().ok());
        is_deleted.or_else(|| self.gone.get(&other?)).copied()
    }
}
