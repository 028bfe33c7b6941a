//! The vectors that every verifier must agree on: each file that these tests make, good or attacked, with its policy and what
//! is to be said of it.
//!
//! Owns the folder `vectors/`: `NAME/evidence`, `NAME/policy`, and the first words of `NAME/verdict`. What a good file shows
//! stands in `NAME/report.json`, which the auditor's program keeps. With `UPDATE_VECTORS=1` files are written anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use counterfoil_proto::v1::{EntityKind, Fact, FactKind, MatchedBy, MatchingRule, Outcome, Ref, Values, fact::Detail};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Flaw, Question, Step, verify};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::made::{EPOCH, Log};
use crate::support::{any_fact, known_as, okta, reference, time};

/// How many of each test there are already.
static COUNTED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Keeps a file as a vector, named after the test that made it.
pub fn keep(file: &[u8], policy: &Policy, verdict: Option<(Flaw, Step)>) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned();
    let number = {
        let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
        let number = counted.entry(test.clone()).or_default();
        *number += 1;
        *number
    };
    let folder = folder().join(format!("{test}-{number}"));
    let verdict = match verdict {
        None => "proved\n".to_owned(),
        Some((flaw, step)) => format!("{}: {}\n", flaw.name(), step.name()),
    };
    let parts = [("evidence", file), ("policy", policy.format().as_bytes()), ("verdict", verdict.as_bytes())]
        .map(|(name, bytes)| (folder.join(name), bytes.to_vec()));
    for (path, bytes) in parts {
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(path, bytes).unwrap();
        } else {
            let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(kept == bytes, "{} is another file now: write it anew, if that is meant", path.display());
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors")
}

/// Some of few entities of each kind, under one of two systems, by an id, by identifiers or by both.
fn anybody() -> impl Strategy<Value = (Ref, Vec<Values>)> {
    (0..10u8, 0..3u8, 0..3u8, 0..3u8, 0..4u8).prop_map(|(kind, number, form, token, system)| {
        let id = |prefix: &str| format!("{prefix}{number}");
        let mut reference = match kind {
            0..=3 => reference(EntityKind::Account, &id("00u")),
            4 => reference(EntityKind::Person, &id("E-")),
            5 | 6 => reference(EntityKind::Entitlement, &id("group_member/00g")),
            7 => reference(EntityKind::Credential, &id("api_token/00T")),
            8 => reference(EntityKind::Ticket, &id("ticket/")),
            _ => reference(EntityKind::Rule, &id("rule-")),
        };
        if system == 0 {
            (reference.system, reference.instance) = ("aws".to_owned(), "1".to_owned());
        }
        if kind <= 4 && form > 0 {
            reference.tokens = known_as(EntityKind::Account, token + 1).tokens;
            if form == 2 {
                reference.id.clear();
            }
        }
        (reference, Vec::new())
    })
}

fn anything() -> impl Strategy<Value = Fact> {
    let kinds = crate::support::fact_kinds();
    (any_fact(&okta()), (anybody(), anybody(), anybody()), (0..60i64, 0..kinds.len(), 0..8u8, 0..4u8)).prop_map(
        move |(fact, ((subject, _), (object, _), (actor, _)), (at, kind, outcome, scope))| {
            let kind = match kind % 3 {
                // Who is who, and who has what, more often than all else.
                0 => [
                    FactKind::IdentityLinked,
                    FactKind::IdentityUnlinked,
                    FactKind::AccountDisabled,
                    FactKind::AccountCreated,
                    FactKind::IdentifierBound,
                    FactKind::AccountDeleted,
                    FactKind::RuleDeclared,
                ][kind % 7],
                1 => [FactKind::GrantAdded, FactKind::GrantRemoved, FactKind::GrantModified, FactKind::SnapshotItem]
                    [kind % 4],
                _ => kinds[kind],
            };
            let detail = match (kind, fact.detail) {
                (FactKind::RuleDeclared, _) => Some(Detail::MatchingRule(MatchingRule {
                    version: 1 + u32::from(outcome),
                    matched_by: MatchedBy::Email.into(),
                    systems: if scope == 0 { vec!["okta".to_owned()] } else { Vec::new() },
                    withdrawn: scope == 1,
                })),
                (_, detail) => detail,
            };
            let subject = if kind == FactKind::RuleDeclared { reference(EntityKind::Rule, "rule-1") } else { subject };
            let object = (kind != FactKind::RuleDeclared).then_some(object);
            let (subject, object) = match kind {
                FactKind::RuleDeclared => (None, Some(subject)),
                _ => (Some(subject), object),
            };
            Fact {
                kind: kind.into(),
                occurred_at: Some(time(at)),
                outcome: if outcome == 0 { Outcome::Failure } else { Outcome::Success }.into(),
                subject,
                object,
                actor: Some(actor),
                via: None,
                scope: if scope == 2 { "part".to_owned() } else { String::new() },
                detail,
                ..fact
            }
        },
    )
}

/// Logs in which anything happens to few, and questions about each of them.
#[test]
fn arbitrary() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[17; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut draw = |range: std::ops::Range<i64>| range.new_tree(&mut runner).unwrap().current();
    let mut facts = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[18; 32]));
    for _ in 0..40 {
        let mut log = Log::new();
        for _ in 0..draw(10..60) {
            let fact = anything().new_tree(&mut facts).unwrap().current();
            log.add(vec![fact], &[]);
        }
        let covered = log.seal() as i64;
        let id = format!("00u{}", draw(0..3));
        let entity = match draw(0..4) {
            0 => EntityId::new(EntityKind::Person, "okta", "acme", &format!("E-{}", draw(0..3))).unwrap(),
            1 => EntityId::new(EntityKind::Account, "aws", "1", &id).unwrap(),
            _ => EntityId::new(EntityKind::Account, "okta", "acme", &id).unwrap(),
        };
        let moment = |seconds| Moment { seconds, nanos: 0 };
        let at = (draw(0..4) > 0).then(|| OccurredAt(moment(draw(20..60))));
        let known_at = (draw(0..2) == 0).then(|| RecordedAt(moment(EPOCH + draw(covered / 2..covered + 1))));
        let policy = log.policy().format().replace("#counterfoil index-key", "# no key of tokens:");
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let file = log.evidence(Question::State { entity, at, known_at });
        verify(&file, &policy).unwrap_or_else(|rejected| panic!("{rejected}"));
        keep(&file, &policy, None);
    }
}
