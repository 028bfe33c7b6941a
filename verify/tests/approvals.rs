//! What the approvals of a ticket come to: rows in, one decision out.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use counterfoil_proto::v1::{Approval, ApprovalRule, Decision, Fact, FactKind};
use counterfoil_verify::approval::{DecidedBy, decided_by, derive};
use counterfoil_verify::replay::replay;
use counterfoil_verify::state::{ApprovalState, Evidence, TicketState};
use counterfoil_verify::tree::TreeSize;
use proptest::prelude::*;
use support::*;

/// A ticket with rows, each written as `level rule decision@seconds`; a quorum as `quorum2`.
fn ticket_of(rows: &str) -> TicketState {
    let mut ticket = TicketState::default();
    for (number, row) in rows.split(',').map(str::trim).filter(|row| !row.is_empty()).enumerate() {
        let [level, rule, decision] = row.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{row}") };
        let (decision, seconds) = decision.split_once('@').unwrap();
        let (rule, quorum) = match rule.strip_prefix("quorum") {
            Some(quorum) => ("QUORUM".to_owned(), quorum.parse().unwrap()),
            None => (rule.to_uppercase(), 0),
        };
        let row = ApprovalState {
            level: level.parse().unwrap(),
            rule: ApprovalRule::from_str_name(&format!("APPROVAL_RULE_{rule}")).unwrap().into(),
            quorum,
            decision: Decision::from_str_name(&format!("DECISION_{}", decision.to_uppercase())).unwrap().into(),
            evidence: Evidence {
                index: number as u64,
                occurred_seconds: seconds.parse().unwrap(),
                ..Evidence::default()
            },
            ..ApprovalState::default()
        };
        ticket.approvals.insert(format!("row{number}"), row);
    }
    ticket
}

fn outcome(rows: &str) -> String {
    match derive(&ticket_of(rows)) {
        None => "none".to_owned(),
        Some(derived) => {
            let name = derived.decision.as_str_name().trim_start_matches("DECISION_").to_lowercase();
            match derived.completed_by {
                Some(by) => format!("{name}@{}", by.occurred_seconds),
                None => name,
            }
        }
    }
}

#[test]
fn rows_and_what_they_come_to() {
    for (rows, expected) in [
        ("", "none"),
        // Any: the first approval is enough, and only the last rejection is.
        ("1 any approved@5", "approved@5"),
        ("1 any requested@5", "requested"),
        ("1 any rejected@5", "rejected@5"),
        ("1 any approved@7, 1 any approved@5", "approved@5"),
        ("1 any rejected@3, 1 any approved@5", "approved@5"),
        ("1 any rejected@3, 1 any requested@1", "requested"),
        ("1 any rejected@3, 1 any rejected@9", "rejected@9"),
        ("1 any approved@5, 1 any peer_responded@6", "approved@5"),
        ("1 any rejected@5, 1 any peer_responded@6", "rejected@5"),
        // All: the last approval completes it, the first rejection ends it.
        ("1 all approved@5, 1 all approved@7", "approved@7"),
        ("1 all approved@5, 1 all requested@1", "requested"),
        ("1 all approved@5, 1 all rejected@7", "rejected@7"),
        ("1 all rejected@5, 1 all rejected@7, 1 all requested@1", "rejected@5"),
        ("1 all approved@5, 1 all cancelled@6", "approved@5"),
        // No rule given counts as all.
        ("1 unspecified approved@5, 1 unspecified requested@1", "requested"),
        ("1 unspecified approved@5, 1 unspecified approved@6", "approved@6"),
        // Majority: more than half.
        ("1 majority approved@5, 1 majority requested@1, 1 majority requested@1", "requested"),
        ("1 majority approved@5, 1 majority approved@8, 1 majority requested@1", "approved@8"),
        ("1 majority approved@5, 1 majority rejected@6", "rejected@6"),
        ("1 majority rejected@5, 1 majority rejected@6, 1 majority requested@1", "rejected@6"),
        ("1 majority approved@1, 1 majority approved@2, 1 majority rejected@3, 1 majority rejected@4", "rejected@4"),
        ("1 majority approved@1, 1 majority approved@2, 1 majority requested@3, 1 majority requested@3", "requested"),
        // First: whoever answered first, either way.
        ("1 first requested@1, 1 first requested@1", "requested"),
        ("1 first rejected@5, 1 first approved@6", "rejected@5"),
        ("1 first approved@5, 1 first rejected@6, 1 first requested@1", "approved@5"),
        ("1 first approved@5, 1 first peer_responded@5", "approved@5"),
        // Quorum: as many as asked for, and never fewer, however few rows there are.
        ("1 quorum2 approved@5, 1 quorum2 requested@1, 1 quorum2 requested@1", "requested"),
        ("1 quorum2 approved@5, 1 quorum2 approved@7, 1 quorum2 approved@9", "approved@7"),
        ("1 quorum2 approved@5", "requested"),
        ("1 quorum3 approved@5, 1 quorum3 approved@6", "requested"),
        ("1 quorum2 approved@5, 1 quorum2 rejected@6", "rejected@6"),
        ("1 quorum2 rejected@6", "rejected@6"),
        ("1 quorum0 approved@5, 1 quorum0 requested@1", "approved@5"),
        // The strictest rule that a row of the level gives holds for the level.
        ("1 unspecified approved@5, 1 any requested@1", "approved@5"),
        // Moot, cancelled and expired rows.
        ("1 any cancelled@5", "cancelled@5"),
        ("1 any cancelled@5, 1 any cancelled@7", "cancelled@7"),
        ("1 any expired@5", "expired@5"),
        ("1 any expired@5, 1 any cancelled@7", "expired@5"),
        ("1 all approved@5, 1 all expired@7", "expired@7"),
        ("1 majority approved@5, 1 majority expired@7, 1 majority rejected@8", "rejected@8"),
        ("1 any peer_responded@5", "cancelled@5"),
        ("1 any expired@5, 1 any requested@1", "requested"),
        // Levels: all must approve; the last decision that was needed completes it.
        ("1 any approved@5, 2 any approved@7", "approved@7"),
        ("1 any approved@9, 2 any approved@7", "approved@9"),
        ("1 any approved@5, 2 any requested@5", "requested"),
        ("1 any requested@5, 2 any approved@7", "requested"),
        ("1 any rejected@5, 2 any requested@5", "rejected@5"),
        ("1 any rejected@5, 2 any cancelled@6", "rejected@5"),
        ("1 any approved@5, 2 all approved@6, 2 all rejected@8", "rejected@8"),
        ("1 any requested@5, 2 any rejected@7", "rejected@7"),
        ("1 any rejected@9, 2 any rejected@7", "rejected@7"),
        ("1 any expired@5, 2 any requested@5", "expired@5"),
        ("3 any approved@5, 7 any approved@6", "approved@6"),
        // At the same moment the place in the log decides.
        ("1 first approved@5, 1 first rejected@5", "approved@5"),
        ("1 first rejected@5, 1 first approved@5", "rejected@5"),
    ] {
        assert_eq!(outcome(rows), expected, "{rows}");
    }
}

/// Approvals must reach the rule's number, counted here in the plainest way.
fn naive(rule: &str, quorum: usize, rows: &[(i64, &str)]) -> String {
    let count = |wanted: &str| rows.iter().filter(|(_, decision)| *decision == wanted).count();
    let voters = count("approved") + count("rejected") + count("expired") + count("requested");
    if voters == 0 {
        return "cancelled".into();
    }
    let needed = match rule {
        "any" => 1,
        "all" => voters,
        "majority" => voters / 2 + 1,
        _ => quorum,
    };
    // Try every prefix of the answers in time: the first that settles it.
    let mut answers: Vec<_> =
        rows.iter().filter(|(_, decision)| matches!(*decision, "approved" | "rejected" | "expired")).collect();
    answers.sort();
    let (mut yes, mut no, mut rejected) = (0, 0, false);
    for (seconds, decision) in answers {
        if *decision == "approved" {
            yes += 1;
        } else {
            no += 1;
            rejected |= *decision == "rejected";
        }
        if yes >= needed {
            return format!("approved@{seconds}");
        }
        if no > 0 && voters - no < needed {
            return format!("{}@{seconds}", if rejected { "rejected" } else { "expired" });
        }
    }
    "requested".into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_level_equals_the_naive_count(
        rule in prop::sample::select(vec!["any", "all", "majority", "quorum"]),
        quorum in 1..5usize,
        decisions in proptest::collection::vec(
            prop::sample::select(vec!["approved", "approved", "rejected", "requested", "cancelled", "expired", "peer_responded"]),
            1..7,
        ),
        seed in any::<prop::sample::Index>(),
    ) {
        // All at different times, in a shuffled order.
        let count = decisions.len() as i64;
        let rows: Vec<(i64, &str)> = (0..)
            .zip(&decisions)
            .map(|(number, decision)| ((number + seed.index(7) as i64) % count, *decision))
            .collect();
        let name = if rule == "quorum" { format!("quorum{quorum}") } else { rule.to_owned() };
        let text: Vec<String> = rows.iter().map(|(seconds, decision)| format!("1 {name} {decision}@{seconds}")).collect();
        let found = outcome(&text.join(", "));
        let expected = naive(rule, quorum, &rows);
        // When a level is moot, the latest row says so.
        let found = if expected.contains('@') { found } else { found.split('@').next().unwrap_or_default().to_owned() };
        prop_assert_eq!(found, expected, "{:?}", text);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// From facts to rows

fn approval(kind: FactKind, seconds: i64, detail: Approval) -> Fact {
    let detail = Some(counterfoil_proto::v1::fact::Detail::Approval(detail));
    Fact { object: Some(ticket("t1")), actor: Some(account("boss")), detail, ..fact(kind, seconds) }
}

fn replayed(facts: Vec<Fact>) -> TicketState {
    let entity = "ticket:okta:acme:ticket/t1".parse().unwrap();
    replay(&entity, &[record_of(1, facts)], at(1_000), TreeSize(9)).ticket.unwrap()
}

#[test]
fn an_answer_that_gives_no_rule_keeps_the_rule_of_the_question() {
    let row = |id: &str, rule: ApprovalRule, quorum| Approval {
        id: id.into(),
        level: 1,
        rule: rule.into(),
        quorum,
        approver: (rule != ApprovalRule::Unspecified).then(|| account("boss")),
        ..Approval::default()
    };
    let ticket = replayed(vec![
        approval(FactKind::ApprovalRequested, 1, row("r1", ApprovalRule::Quorum, 2)),
        approval(FactKind::ApprovalRequested, 1, row("r2", ApprovalRule::Quorum, 2)),
        approval(FactKind::ApprovalGranted, 2, row("r1", ApprovalRule::Unspecified, 0)),
    ]);
    let granted = &ticket.approvals["r1"];
    assert_eq!((granted.rule(), granted.quorum), (ApprovalRule::Quorum, 2));
    assert_eq!(granted.approver, "account:okta:acme:boss");
    assert_eq!(granted.decided_by, "account:okta:acme:boss");
    assert_eq!(ticket.approvals["r2"].decided_by, "", "nobody has decided");
    assert_eq!(derive(&ticket).unwrap().decision, Decision::Requested);
}

#[test]
fn what_each_kind_makes_of_a_row() {
    let row = |source_decision: Decision| Approval {
        id: "r1".into(),
        level: 1,
        source_decision: source_decision.into(),
        ..Approval::default()
    };
    for (kind, source, expected) in [
        (FactKind::ApprovalRequested, Decision::Requested, Decision::Requested),
        (FactKind::ApprovalGranted, Decision::Approved, Decision::Approved),
        (FactKind::ApprovalRejected, Decision::Rejected, Decision::Rejected),
        (FactKind::ApprovalCancelled, Decision::Cancelled, Decision::Cancelled),
        (FactKind::ApprovalCancelled, Decision::PeerResponded, Decision::PeerResponded),
        (FactKind::ApprovalExpired, Decision::Expired, Decision::Expired),
        (FactKind::ApprovalDelegated, Decision::Requested, Decision::Requested),
        // The kind decides: the source's own value is kept only to be compared.
        (FactKind::ApprovalRejected, Decision::Approved, Decision::Rejected),
        (FactKind::ApprovalRequested, Decision::Approved, Decision::Requested),
    ] {
        let ticket = replayed(vec![approval(kind, 1, row(source))]);
        assert_eq!(ticket.approvals["r1"].decision(), expected, "{kind:?} {source:?}");
        assert_eq!(ticket.evidence.fact, 0);
    }
}

#[test]
fn who_decided_against_who_was_asked() {
    let row = |delegate: Option<&str>| Approval {
        id: "r1".into(),
        level: 1,
        approver: Some(account("boss")),
        delegate: delegate.map(account),
        ..Approval::default()
    };
    let decided = |facts: Vec<Fact>, who: Option<&str>| {
        let last = approval(FactKind::ApprovalGranted, 9, row(None));
        let facts = facts.into_iter().chain([Fact { actor: who.map(account), ..last }]).collect();
        decided_by(&replayed(facts).approvals["r1"])
    };
    let to = |who, seconds| approval(FactKind::ApprovalDelegated, seconds, row(Some(who)));
    assert_eq!(decided(vec![], Some("boss")), Some(DecidedBy::Approver));
    assert_eq!(decided(vec![], Some("deputy")), Some(DecidedBy::SomebodyElse));
    assert_eq!(decided(vec![], None), Some(DecidedBy::Unnamed));
    assert_eq!(decided(vec![to("deputy", 1)], Some("deputy")), Some(DecidedBy::Delegate));
    assert_eq!(decided(vec![to("deputy", 1)], Some("boss")), Some(DecidedBy::Approver));
    // The last one that was named counts.
    assert_eq!(decided(vec![to("deputy", 1), to("other", 2)], Some("deputy")), Some(DecidedBy::SomebodyElse));
    // Since when: not since it was said again.
    let ticket = replayed(vec![to("deputy", 1), to("deputy", 3)]);
    let row = &ticket.approvals["r1"];
    assert_eq!((row.delegated.unwrap().occurred_seconds, decided_by(row)), (1, None));
}

#[test]
fn a_failed_approval_is_none() {
    let entity = "ticket:okta:acme:ticket/t1".parse().unwrap();
    for outcome in 2..=4 {
        let detail = Approval { id: "r1".into(), level: 1, ..Approval::default() };
        let failed = Fact { outcome, ..approval(FactKind::ApprovalGranted, 1, detail) };
        assert_eq!(replay(&entity, &[record_of(1, vec![failed])], at(9), TreeSize(9)).ticket, None);
    }
}
