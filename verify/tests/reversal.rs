//! What would undo changes: by hand, one case for each answer, and on random histories of a small simulator, which carries
//! the plan out.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    AccountStatus, CredentialStatus, Entitlement, Fact, FactKind, Grant, Irreversible, Record, Ref, ReversalStatus,
    fact::Detail,
};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::reversal::{Part, Step, Timeline, Value, bearer, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;

/// What happens in the simulator: a kind, to whom, and with what; a grant may have an end.
#[derive(Clone, Copy, Debug)]
struct Op {
    kind: FactKind,
    who: usize,
    what: usize,
    until: Option<i64>,
}

/// A system that refuses what makes no sense: nothing is given twice, and nothing is done to who is gone.
#[derive(Clone, Debug, Default, PartialEq)]
struct Simulator {
    accounts: BTreeMap<usize, AccountStatus>,
    locked: BTreeSet<usize>,
    grants: BTreeMap<(usize, usize), Option<i64>>,
    credentials: BTreeMap<usize, CredentialStatus>,
    implied: BTreeSet<(usize, usize)>,
}

impl Simulator {
    fn exists(&self, who: usize) -> bool {
        self.accounts.get(&who).is_some_and(|status| *status != AccountStatus::Deleted)
    }

    fn holds(&self, who: usize, what: usize, now: i64) -> bool {
        self.grants.get(&(who, what)).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// Carries an operation out, or leaves everything as it is and says that it was refused.
    fn apply(&mut self, op: Op, now: i64) -> bool {
        use AccountStatus as A;
        use CredentialStatus as C;
        use FactKind as K;
        let Op { kind, who, what, until } = op;
        let status = self.accounts.get(&who).copied();
        let credential = self.credentials.get(&what).copied();
        let is_fine = match kind {
            K::AccountCreated => status.is_none(),
            K::AccountEnabled => matches!(status, Some(A::Created | A::Disabled)),
            K::AccountDisabled => matches!(status, Some(A::Created | A::Enabled)),
            K::AccountDeleted => self.exists(who),
            K::AccountLocked => self.exists(who) && !self.locked.contains(&who),
            K::AccountUnlocked => self.exists(who) && self.locked.contains(&who),
            K::GrantAdded => self.exists(who) && !self.holds(who, what, now),
            K::GrantModified => self.exists(who) && self.holds(who, what, now),
            K::GrantRemoved => self.exists(who) && self.grants.contains_key(&(who, what)),
            K::CredentialCreated => self.exists(who) && credential.is_none(),
            K::CredentialDisabled | K::CredentialRotated => credential == Some(C::Active),
            K::CredentialEnabled => credential == Some(C::Disabled),
            K::CredentialRevoked => matches!(credential, Some(C::Active | C::Disabled)),
            // Implies it, or no longer.
            K::EntitlementChanged => true,
            _ => false,
        };
        if !is_fine {
            return false;
        }
        match kind {
            K::AccountCreated => _ = self.accounts.insert(who, A::Created),
            K::AccountEnabled => _ = self.accounts.insert(who, A::Enabled),
            K::AccountDisabled => _ = self.accounts.insert(who, A::Disabled),
            K::AccountDeleted => _ = self.accounts.insert(who, A::Deleted),
            K::AccountLocked => _ = self.locked.insert(who),
            K::AccountUnlocked => _ = self.locked.remove(&who),
            K::GrantAdded | K::GrantModified => _ = self.grants.insert((who, what), until),
            K::GrantRemoved => _ = self.grants.remove(&(who, what)),
            K::CredentialCreated | K::CredentialEnabled => _ = self.credentials.insert(what, C::Active),
            K::CredentialDisabled => _ = self.credentials.insert(what, C::Disabled),
            K::CredentialRevoked => _ = self.credentials.insert(what, C::Revoked),
            K::EntitlementChanged if !self.implied.remove(&(who, what)) => _ = self.implied.insert((who, what)),
            _ => {}
        }
        true
    }

    /// Whether everything that could be brought back is as in `earlier`. Who was deleted since is left out, and what was
    /// revoked; that an account was created and not yet switched on, nobody can bring back.
    fn check_like(&self, earlier: &Self, now: i64) {
        for (who, status) in &self.accounts {
            let before = earlier.accounts.get(who).copied();
            let is_gone = *status == AccountStatus::Deleted;
            match before {
                None => assert!(is_gone, "account {who} was not there: {self:?}"),
                Some(AccountStatus::Created) => {}
                Some(before) => {
                    assert!(is_gone || *status == AccountStatus::Created || *status == before, "{who}: {self:?}")
                }
            }
            if is_gone {
                continue;
            }
            assert_eq!(self.locked.contains(who), earlier.locked.contains(who), "lock of {who}");
            for what in 0..WHATS {
                let held = |world: &Self| world.holds(*who, what, now).then(|| world.grants[&(*who, what)]);
                assert_eq!(held(self), held(earlier), "{who} holds {what}");
            }
        }
        for (what, status) in &self.credentials {
            let before = earlier.credentials.get(what).copied();
            let is_same = *status == CredentialStatus::Revoked || Some(*status) == before;
            assert!(is_same, "credential {what} is {status:?}, was {before:?}");
        }
        assert_eq!(self.implied, earlier.implied);
    }
}

const WHOS: usize = 3;
const WHATS: usize = 3;

fn any_op() -> impl Strategy<Value = Op> {
    use FactKind as K;
    let kind = prop_oneof![
        4 => Just(K::AccountCreated),
        3 => Just(K::AccountEnabled),
        2 => Just(K::AccountDisabled),
        1 => Just(K::AccountDeleted),
        1 => Just(K::AccountLocked),
        1 => Just(K::AccountUnlocked),
        8 => Just(K::GrantAdded),
        3 => Just(K::GrantModified),
        5 => Just(K::GrantRemoved),
        3 => Just(K::CredentialCreated),
        2 => Just(K::CredentialDisabled),
        2 => Just(K::CredentialEnabled),
        1 => Just(K::CredentialRotated),
        1 => Just(K::CredentialRevoked),
        2 => Just(K::EntitlementChanged),
    ];
    let until = prop_oneof![3 => Just(None), 1 => (0..200_i64).prop_map(Some)];
    (kind, 0..WHOS, 0..WHATS, until).prop_map(|(kind, who, what, until)| Op { kind, who, what, until })
}

fn user(who: usize) -> Ref {
    account(&format!("u{who}"))
}

fn role(what: usize) -> Ref {
    group(&format!("g{what}"))
}

/// What the log says of an operation; `before` is the simulator as it was.
fn logged(op: Op, seconds: i64, before: &Simulator) -> Fact {
    let Op { kind, who, what, until } = op;
    let base = Fact { actor: Some(account("admin")), ..fact(kind, seconds) };
    let grant = Grant { expires_at: until.map(time), ..Grant::default() };
    match kind {
        FactKind::GrantAdded | FactKind::GrantModified => {
            // A modification that names no end leaves the one there was.
            let has_detail = until.is_some();
            let detail = has_detail.then_some(Detail::Grant(grant));
            Fact { subject: Some(user(who)), object: Some(role(what)), detail, ..base }
        }
        FactKind::GrantRemoved => Fact { subject: Some(user(who)), object: Some(role(what)), ..base },
        FactKind::EntitlementChanged => {
            let implied = vec![group(&format!("implied{what}"))];
            let detail = match before.implied.contains(&(who, what)) {
                true => Entitlement { implies_removed: implied, ..Entitlement::default() },
                false => Entitlement { implies_added: implied, ..Entitlement::default() },
            };
            Fact { object: Some(role(who)), detail: Some(Detail::Entitlement(detail)), ..base }
        }
        _ if kind.as_str_name().contains("CREDENTIAL") => {
            Fact { subject: Some(user(who)), object: Some(credential(&format!("c{what}"))), ..base }
        }
        _ => Fact { subject: Some(user(who)), ..base },
    }
}

/// A history of the simulator: what it was before each change, and what was logged.
fn lived(ops: &[Op]) -> (Vec<Simulator>, Vec<Record>) {
    let (mut world, mut worlds, mut records) = (Simulator::default(), Vec::new(), Vec::new());
    for (op, seconds) in ops.iter().zip(1..) {
        let before = world.clone();
        // A grant that is modified without a new end keeps the one it has.
        let kept =
            world.grants.get(&(op.who, op.what)).copied().flatten().filter(|_| op.kind == FactKind::GrantModified);
        let op = Op { until: op.until.or(kept), ..*op };
        if world.apply(op, seconds) {
            records.push(record_of(records.len() as u64 + 1, vec![logged(op, seconds, &before)]));
            worlds.push(before);
        }
    }
    worlds.push(world);
    (worlds, records)
}

/// The plan that undoes some of the records.
fn planned<'r>(records: &'r [Record], chosen: &BTreeSet<(u64, u32)>, now: i64) -> Vec<Step<'r>> {
    let mut timelines: BTreeMap<EntityId, Vec<FactAt<'r>>> = BTreeMap::new();
    for fact in records.iter().flat_map(facts_of) {
        timelines.entry(bearer(&fact).unwrap()).or_default().push(fact);
    }
    let timelines: Vec<Timeline<'r>> =
        timelines.into_iter().map(|(entity, facts)| Timeline { entity, facts }).collect();
    plan(&timelines, chosen, &BTreeMap::new(), at(now))
}

/// Carries a plan out; every operation of it has to be one that the simulator takes.
fn carry_out(world: &mut Simulator, steps: &[Step<'_>], now: i64) {
    let number = |id: &str| id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().unwrap_or_default();
    for step in steps {
        let Some(kind) = step.operation else { continue };
        assert_eq!(step.status, ReversalStatus::Applicable);
        let fact = step.change.fact;
        let id =
            |reference: &Option<Ref>| reference.as_ref().map_or(0, |one| number(one.id.rsplit('/').next().unwrap()));
        let until = match &step.before {
            Value::Grant(grant) => grant.expires_at.as_ref().map(|end| end.seconds),
            _ => None,
        };
        let (who, what) = match &step.part {
            Part::Implied(implied) => (id(&fact.object), number(implied.rsplit("implied").next().unwrap().trim_end())),
            _ => (id(&fact.subject), id(&fact.object)),
        };
        assert!(world.apply(Op { kind, who, what, until }, now), "refused: {step:#?}\n{world:#?}");
    }
}

const NOW: i64 = 100;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everything that happened since some moment is undone: it is as it was then.
    #[test]
    fn s0_04_reversal_restores_state(ops in vec(any_op(), 1..60), share in 0..100_usize) {
        let (worlds, records) = lived(&ops);
        let from = records.len() * share / 100;
        let chosen: BTreeSet<(u64, u32)> = records[from..].iter().map(|record| (record.index, 0)).collect();
        let steps = planned(&records, &chosen, NOW);
        let mut world = worlds.last().unwrap().clone();
        carry_out(&mut world, &steps, NOW);
        world.check_like(&worlds[from], NOW);
        // The newest change first.
        let order: Vec<_> = steps.iter().map(|step| step.change.evidence.order()).collect();
        prop_assert!(order.is_sorted_by(|one, other| one >= other));
    }

    /// Some of it is undone: of each thing, what nobody else has touched since.
    #[test]
    fn what_others_did_since_stands(ops in vec(any_op(), 1..60), picks in vec(any::<bool>(), 60)) {
        let (worlds, records) = lived(&ops);
        let is_chosen = |record: &Record| picks[record.index as usize % picks.len()];
        let chosen: BTreeSet<(u64, u32)> =
            records.iter().filter(|record| is_chosen(record)).map(|record| (record.index, 0)).collect();
        let steps = planned(&records, &chosen, NOW);
        let mut world = worlds.last().unwrap().clone();
        carry_out(&mut world, &steps, NOW);
        for who in (0..WHOS).filter(|who| world.exists(*who)) {
            for what in 0..WHATS {
                // The newest change of this grant that is to stand; what it made of it is what there is.
                let about = |record: &&Record| {
                    let fact = facts_of(record).next().unwrap().fact;
                    fact.subject == Some(user(who)) && fact.object == Some(role(what))
                };
                let last = records.iter().rev().filter(about).find(|record| !is_chosen(record));
                let after = &worlds[last.map_or(0, |record| record.index as usize)];
                let held = |world: &Simulator| world.holds(who, what, NOW).then(|| world.grants[&(who, what)]);
                prop_assert_eq!(held(&world), held(after), "{} holds {}: {:#?}", who, what, steps);
            }
        }
        // Each chosen change has an answer.
        let answered: BTreeSet<(u64, u32)> =
            steps.iter().map(|step| (step.change.evidence.index, step.change.evidence.fact)).collect();
        prop_assert_eq!(answered, chosen);
    }
}

/// A case: facts of `u1` or what it is about, in order; the number of the one that is undone; what the plan says.
fn check(
    name: &str,
    facts: Vec<Fact>,
    chosen: u64,
    status: ReversalStatus,
    operation: Option<FactKind>,
    because: Option<u64>,
) {
    let records: Vec<Record> = facts.into_iter().zip(1..).map(|(fact, index)| record_of(index, vec![fact])).collect();
    let steps = planned(&records, &BTreeSet::from([(chosen, 0)]), NOW);
    let [step] = &steps[..] else { panic!("{name}: {steps:#?}") };
    assert_eq!((step.status, step.operation), (status, operation), "{name}");
    assert_eq!(step.because.map(|by| by.index), because, "{name}");
}

#[test]
fn each_answer_by_hand() {
    use FactKind as K;
    use ReversalStatus as S;
    let about = |kind, seconds| Fact { subject: Some(account("u1")), ..fact(kind, seconds) };
    let grant = |kind, seconds| Fact { object: Some(group("g1")), ..about(kind, seconds) };
    let until = |end, fact| Fact {
        detail: Some(Detail::Grant(Grant { expires_at: Some(time(end)), ..Grant::default() })),
        ..fact
    };
    let key = |kind, seconds| Fact { object: Some(credential("c1")), ..about(kind, seconds) };
    let (add, remove) = (|at| grant(K::GrantAdded, at), |at| grant(K::GrantRemoved, at));

    check("given", vec![add(1)], 1, S::Applicable, Some(K::GrantRemoved), None);
    check("taken", vec![add(1), remove(2)], 2, S::Applicable, Some(K::GrantAdded), None);
    check("taken, and never seen given", vec![remove(1)], 1, S::Applicable, Some(K::GrantAdded), None);
    check("taken twice", vec![add(1), remove(2), remove(3)], 3, S::NoEffect, None, None);
    check("given, and taken since", vec![add(1), remove(2)], 1, S::AlreadyUndone, None, Some(2));
    check("given, taken, and given by others", vec![add(1), remove(2), add(3)], 1, S::Superseded, None, Some(3));
    check("given, and given again by others", vec![add(1), until(500, add(2))], 1, S::Superseded, None, Some(2));
    check("given up to a time that is over", vec![until(50, add(1))], 1, S::AlreadyUndone, None, None);
    check("given up to a later time", vec![until(500, add(1))], 1, S::Applicable, Some(K::GrantRemoved), None);
    check(
        "given longer",
        vec![until(200, add(1)), until(500, grant(K::GrantModified, 2))],
        2,
        S::Applicable,
        Some(K::GrantModified),
        None,
    );
    check("given to whom is deleted", vec![add(1), about(K::AccountDeleted, 2)], 1, S::TargetGone, None, Some(2));

    check("created", vec![about(K::AccountCreated, 1)], 1, S::Applicable, Some(K::AccountDeleted), None);
    check(
        "created, and given access by others",
        vec![about(K::AccountCreated, 1), add(2)],
        1,
        S::Superseded,
        None,
        Some(2),
    );
    let came_and_went = vec![about(K::AccountCreated, 1), add(2), remove(3)];
    check("created, and access came and went", came_and_went, 1, S::Applicable, Some(K::AccountDeleted), None);
    check("switched off", vec![about(K::AccountDisabled, 1)], 1, S::Applicable, Some(K::AccountEnabled), None);
    check(
        "switched on",
        vec![about(K::AccountDisabled, 1), about(K::AccountEnabled, 2)],
        2,
        S::Applicable,
        Some(K::AccountDisabled),
        None,
    );
    check("locked", vec![about(K::AccountLocked, 1)], 1, S::Applicable, Some(K::AccountUnlocked), None);
    check("deleted", vec![about(K::AccountCreated, 1), about(K::AccountDeleted, 2)], 2, S::Irreversible, None, None);
    check("changed in its attributes", vec![about(K::AccountUpdated, 1)], 1, S::Irreversible, None, None);

    check("a key", vec![key(K::CredentialCreated, 1)], 1, S::Applicable, Some(K::CredentialRevoked), None);
    check(
        "a key, revoked since",
        vec![key(K::CredentialCreated, 1), key(K::CredentialRevoked, 2)],
        1,
        S::AlreadyUndone,
        None,
        Some(2),
    );
    check(
        "a revoked key",
        vec![key(K::CredentialCreated, 1), key(K::CredentialRevoked, 2)],
        2,
        S::Irreversible,
        None,
        None,
    );
    check(
        "a rotated key",
        vec![key(K::CredentialCreated, 1), key(K::CredentialRotated, 2)],
        2,
        S::Irreversible,
        None,
        None,
    );
    check("a used key", vec![key(K::CredentialCreated, 1), key(K::CredentialUsed, 2)], 2, S::Irreversible, None, None);
}

#[test]
fn what_cannot_come_back_says_why() {
    use FactKind as K;
    let about = |kind| Fact { subject: Some(account("u1")), object: Some(credential("c1")), ..fact(kind, 1) };
    for (kind, why) in [
        (K::AccountDeleted, Irreversible::AccountDeleted),
        (K::AccountUpdated, Irreversible::ValuesUnknown),
        (K::CredentialRevoked, Irreversible::CredentialRevoked),
        (K::CredentialRotated, Irreversible::CredentialRotated),
        (K::CredentialExpired, Irreversible::CredentialExpired),
        (K::CredentialUsed, Irreversible::Used),
        (K::SessionAssumed, Irreversible::Used),
        (K::EntitlementRemoved, Irreversible::EntitlementRemoved),
    ] {
        let fact = match kind {
            K::EntitlementRemoved => Fact { object: Some(group("g1")), ..fact(kind, 1) },
            _ => about(kind),
        };
        let records = [record_of(1, vec![fact])];
        let steps = planned(&records, &BTreeSet::from([(1, 0)]), NOW);
        assert_eq!((steps[0].status, steps[0].irreversible), (ReversalStatus::Irreversible, why), "{kind:?}");
        assert_eq!(steps.len(), 1);
    }
}

#[test]
fn changes_of_one_thing_are_undone_together() {
    let given = |kind, seconds| Fact { subject: Some(account("u1")), object: Some(group("g1")), ..fact(kind, seconds) };
    let facts = [given(FactKind::GrantAdded, 1), given(FactKind::GrantRemoved, 2), given(FactKind::GrantAdded, 3)];
    let records: Vec<Record> = facts.into_iter().zip(1..).map(|(fact, index)| record_of(index, vec![fact])).collect();
    let chosen = (1..=3).map(|index| (index, 0)).collect();
    let steps = planned(&records, &chosen, NOW);
    let said: Vec<_> = steps.iter().map(|step| (step.change.evidence.index, step.status, step.operation)).collect();
    assert_eq!(
        said,
        [
            (3, ReversalStatus::NotNeeded, None),
            (2, ReversalStatus::NotNeeded, None),
            (1, ReversalStatus::Applicable, Some(FactKind::GrantRemoved)),
        ]
    );
}
