//! From the verifier's types to the wire's, where nothing has to be looked up.
//!
//! Owns times, bases and evidence, and the words of enums for people. It never reads a view.

use counterfoil_ledger::Head;
use counterfoil_proto::v1::{self, Basis, Time};
use counterfoil_verify::identity::MatchingRule;
use counterfoil_verify::state::Evidence;
use counterfoil_verify::time::{Moment, OccurredAt};
use pbjson_types::Timestamp;

/// A moment.
pub(crate) fn timestamp(moment: Moment) -> Timestamp {
    Timestamp { seconds: moment.seconds, nanos: i32::try_from(moment.nanos).unwrap_or_default() }
}

/// A time, where there is one.
pub(crate) fn optional_timestamp(time: &Option<Time>) -> Option<Timestamp> {
    time.as_ref().map(|time| timestamp(Moment::of(time)))
}

/// The tree that an answer rests on, and what is left out of the answer.
pub(crate) fn basis(head: &Head, withheld: Vec<i32>) -> Basis {
    Basis {
        origin: head.origin.as_str().to_owned(),
        tree_size: head.size.0,
        root: head.root.as_bytes().to_vec(),
        withheld,
        proof: None,
    }
}

/// The fact that something rests on.
pub(crate) fn evidence(evidence: &Evidence) -> v1::Evidence {
    v1::Evidence {
        record: evidence.index,
        fact: evidence.fact,
        occurred_at: Some(timestamp(evidence.occurred_at().0)),
        recorded_at: Some(timestamp(evidence.recorded_at().0)),
        authentication: evidence.authentication,
    }
}

/// The use of a matching rule.
pub(crate) fn rule_use(rule: &MatchingRule) -> v1::RuleUse {
    v1::RuleUse {
        rule: rule.id.clone(),
        version: rule.version,
        record: rule.evidence.map_or(0, |evidence| evidence.index),
    }
}

/// Whether something that runs out at `expires_at` has run out by `at`.
pub(crate) fn is_lapsed(expires_at: &Option<Time>, at: OccurredAt) -> bool {
    expires_at.as_ref().is_some_and(|expires_at| Moment::of(expires_at) <= at.0)
}

/// A moment for people, such as "2026-02-03T10:00:00Z".
pub(crate) fn moment_text(moment: Moment) -> String {
    let nanos = i32::try_from(moment.nanos).unwrap_or_default();
    match jiff::Timestamp::new(moment.seconds, nanos) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{} s since 1970", moment.seconds),
    }
}

/// A span of time for people, in its largest unit.
pub(crate) fn span_text(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The name of an enum value without its prefix, in lower case and with spaces: "approved".
pub(crate) fn words(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', " ")
}
