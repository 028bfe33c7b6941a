//! Owns the tests of evidence files: what good ones show, against a replay of the whole log; and that each attack on one, or
//! by whoever keeps the log, is rejected for the right reason.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod made;
mod period;
mod vectors;

use std::collections::BTreeSet;

use counterfoil_proto::v1::{AccountStatus, Correlation, Fact, FactKind, Record, Verdict};
use counterfoil_verify::evidence::{Answer, Question, verify};
use counterfoil_verify::incarnation::predecessor_of;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record::encode;
use counterfoil_verify::replay::replay;
use counterfoil_verify::state::State;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;
use made::*;
use proptest::prelude::*;
use support::{account, fact, group, ticket};

/// The state of the one account that a file is about.
fn state(answer: Answer) -> State {
    match answer {
        Answer::State { states, .. } => states.into_iter().next().unwrap().1,
        other => panic!("expected a state, got {other:?}"),
    }
}

#[test]
fn a_state_follows_from_the_file_alone() {
    let log = company();
    let policy = log.policy();
    let file = log.evidence(state_of("00u1"));
    vectors::keep(&file, &policy, None);
    let verified = verify(&file, &policy).unwrap();
    assert_eq!((verified.covered, verified.known), (TreeSize(9), TreeSize(9)));
    assert_eq!(verified.attested.checkpoint.size, TreeSize(11));
    assert!(verified.attested.witnesses.is_empty() && !verified.attested.is_replayed);
    assert_eq!(verified.asked.as_ref().unwrap().about, "Ada \"\\ é\n");
    assert_eq!(verified.opened.tokens_shown, 1);
    assert_eq!(verified.opened.tokens_on_word, 0);
    assert_eq!(verified.opened.values[&ada("00u1")]["email"], "ada@example.com");
    let state = state(verified.answer);
    assert_eq!(status(&state), AccountStatus::Created);
    let held: Vec<&str> = state.grants.values().map(|grant| grant.counterpart.as_str()).collect();
    assert_eq!(held, ["entitlement:okta:acme:group_member/00g2", "entitlement:okta:acme:group_member/00g3"]);
}

#[test]
fn a_log_that_goes_on_after_a_loss_says_so() {
    let mut log = company();
    log.goes_on_from("example.com/before", (6, 9));
    let policy = log.policy();
    let file = log.evidence(state_of("00u1"));
    vectors::keep(&file, &policy, None);
    let verified = verify(&file, &policy).unwrap();
    let predecessor = predecessor_of(&verified.records[&0]).unwrap();
    assert_eq!((predecessor.origin.as_str(), predecessor.size, predecessor.known_size), ("example.com/before", 6, 9));
}

#[test]
fn both_times_count() {
    let log = company();
    let policy = log.policy();
    let held = |at, known_at| {
        let file = log.evidence(state_at("00u1", at, known_at));
        vectors::keep(&file, &policy, None);
        let state = state(verify(&file, &policy).unwrap().answer);
        state.grants.into_values().map(|grant| grant.counterpart.chars().last().unwrap()).collect::<String>()
    };
    assert_eq!(held(260, None), "13");
    // What came late was not known then.
    assert_eq!(held(260, Some(EPOCH + 6)), "1");
    assert_eq!(held(450, Some(EPOCH + 6)), "12");
    assert_eq!(held(450, None), "23");
    assert_eq!(held(450, Some(EPOCH)), "");
    assert_eq!(held(450, Some(EPOCH - 1)), "");
}

#[test]
fn nobody_is_shown_to_be_absent_who_is_not() {
    let log = company();
    let policy = log.policy();
    let absent = BTreeSet::from([log.token("nobody@example.com"), ada("00u9")]);
    let file = log.evidence(Question::Absence(absent.clone()));
    vectors::keep(&file, &policy, None);
    let verified = verify(&file, &policy).unwrap();
    assert!(matches!(verified.answer, Answer::Absence(entities) if entities.iter().eq(&absent)));
    assert!(verified.histories.values().all(|count| *count == 0));
}

#[test]
fn the_same_question_gives_the_same_file_but_for_who_asked() {
    let log = company();
    let draft = || log.draft(state_of("00u1"), 9);
    assert_eq!(log.file(draft()), log.file(draft()));
    let nobody = counterfoil_verify::evidence::write(draft(), |_, _| Ok(Vec::new())).unwrap();
    let asked = log.file(draft());
    let same = nobody.iter().zip(&asked).take_while(|(one, other)| one == other).count();
    // Up to the size of the last member.
    let last = asked.windows(4).rposition(|bytes| bytes == b"PK\x03\x04").unwrap();
    assert_eq!(same, last + 14);
    assert!(verify(&nobody, &log.policy()).unwrap().asked.is_none());
    vectors::keep(&nobody, &log.policy(), None);
}

#[test]
fn cosigners_of_the_policy_count_and_others_do_not() {
    let log = company();
    let checkpoint = log.checkpoint();
    let (witness, replayer, stranger) =
        (cosigner("w.example/1", 11), cosigner("r.example/1", 12), cosigner("s.example/1", 13));
    let lines = [
        cosign(&witness, &checkpoint, 1_772_000_100),
        cosign(&replayer, &checkpoint, 1_772_000_200),
        cosign(&stranger, &checkpoint, 5),
    ];
    let mut draft = log.draft(state_of("00u1"), 9);
    draft.cosignatures = lines.concat().into_bytes();
    let policy = |text: &str| {
        let own = log.policy().format().replace("quorum none\n", "");
        counterfoil_verify::policy::Policy::parse(format!("{own}{text}").as_bytes()).unwrap()
    };
    let named = policy(&format!(
        "witness w1 {}\nquorum w1\n#counterfoil replayer r1 {}\n#counterfoil replayer-quorum r1\n",
        witness.verifier_key(),
        replayer.verifier_key()
    ));
    let file = log.file(draft);
    vectors::keep(&file, &named, None);
    let verified = verify(&file, &named).unwrap();
    assert_eq!(verified.attested.witnesses.len(), 1);
    assert_eq!(verified.attested.witnesses[0].at.0, 1_772_000_100);
    assert!(verified.attested.is_replayed);
    // Without a quorum of replayers it rests on the operator's word.
    let alone = policy(&format!("witness w1 {}\nquorum w1\n", witness.verifier_key()));
    vectors::keep(&file, &alone, None);
    assert!(!verify(&file, &alone).unwrap().attested.is_replayed);
}

#[test]
fn which_approval_covers_a_change() {
    let mut log = company();
    log.ticket(7, "00u1", "00g7", (600, 610));
    let approved = log.grant(FactKind::GrantAdded, "00u1", "00g7", 620);
    let unapproved = log.grant(FactKind::GrantAdded, "00u1", "00g8", 630);
    // For somebody else, and asked for once it was there.
    log.ticket(8, "00u2", "00g8", (600, 610));
    let late = log.ticket(9, "00u1", "00g8", (600, 700));
    let covered = log.seal();
    let policy = log.policy();
    let ask = |record, known_at: Option<u64>| {
        let known_at = known_at.map(|index| RecordedAt(Moment { seconds: EPOCH + index as i64, nanos: 0 }));
        let file = log.evidence(Question::Change { record, fact: 0, known_at });
        vectors::keep(&file, &policy, None);
        let verified = verify(&file, &policy).unwrap();
        let Answer::Change { found, .. } = verified.answer else { panic!("expected a change") };
        let found = found.unwrap();
        (found.overall.verdict, found.judged.iter().map(|one| one.ticket.native_id().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(ask(approved, None), (Verdict::Approved, vec!["ticket/7".to_owned()]));
    assert_eq!(ask(unapproved, None), (Verdict::ApprovedLate, vec!["ticket/9".to_owned()]));
    // What was not recorded then approved nothing.
    assert_eq!(ask(unapproved, Some(late[0] - 1)), (Verdict::NoneRecorded, Vec::new()));
    assert_eq!(covered, log.size() - 1);
}

/// What was removed of somebody is not in the evidence, and all else is as it was.
#[test]
fn what_was_redacted_is_gone_and_the_rest_stands() {
    let mut log = company();
    let policy = log.policy();
    let before = verify(&log.evidence(state_of("00u1")), &policy).unwrap();
    let by = log.redact(1, &[0, 1], "00u1");
    log.seal();
    let file = log.evidence(state_of("00u1"));
    vectors::keep(&file, &policy, None);
    assert!(!file.windows(15).any(|bytes| bytes == b"ada@example.com"));
    let after = verify(&file, &policy).unwrap();
    assert!(after.records.contains_key(&by), "its history tells that something was removed");
    assert_eq!(state(after.answer), state(before.answer));
    assert_eq!((before.opened.tokens_shown, before.opened.tokens_on_word), (1, 0));
    assert_eq!((after.opened.tokens_shown, after.opened.tokens_on_word), (0, 1));
    assert!(!after.opened.values.contains_key(&ada("00u1")));
    // Whoever was left out says so.
    log.redact(2, &[1], "00u2");
    log.seal();
    let other = verify(&log.evidence(state_of("00u1")), &policy).unwrap();
    assert_eq!(other.opened, after.opened);
}

/// Values in another form than the one in which they are written are nobody's.
#[test]
fn values_that_are_not_canonical_are_nobodys() {
    let mut log = company();
    let (reference, values) = log.known("00u1", "ada@example.org");
    let index = log.add(vec![Fact { subject: Some(reference), ..fact(FactKind::AccountUpdated, 600) }], &[values]);
    // A field that nobody knows, behind the others.
    let beside = log.beside.get_mut(&index).unwrap();
    beside.values[0].content.extend([0x38, 1]);
    let commitment = counterfoil_verify::beside::commitment(beside).unwrap().as_bytes().to_vec();
    log.records[index as usize] = encode(&Record { commitment, ..log.record(index) }).unwrap();
    log.seal();
    let policy = Policy::parse(log.policy().format().replace("#counterfoil index-key", "# none:").as_bytes()).unwrap();
    let file = log.evidence(state_of("00u1"));
    vectors::keep(&file, &policy, None);
    let verified = verify(&file, &policy).unwrap();
    assert_eq!(verified.opened.values[&ada("00u1")]["email"], "ada@example.com");
}

/// A ticket that an event of the same transaction names covers a change, and that there is no other is shown.
#[test]
fn a_transaction_has_the_ticket() {
    let mut log = company();
    log.ticket(7, "00u1", "00g7", (600, 610));
    let transaction = |tickets| Correlation { transaction: "tx1".to_owned(), tickets, ..Correlation::default() };
    let grant = |to, tickets| Fact {
        subject: Some(account("00u1")),
        object: Some(group(to)),
        correlation: Some(transaction(tickets)),
        ..fact(FactKind::GrantAdded, 620)
    };
    let change = log.add(vec![grant("00g7", Vec::new())], &[]);
    let naming = log.add(vec![grant("00g6", vec![ticket("7")])], &[]);
    log.seal();
    let policy = log.policy();
    let file = log.evidence(Question::Change { record: change, fact: 0, known_at: None });
    vectors::keep(&file, &policy, None);
    let verified = verify(&file, &policy).unwrap();
    assert!(verified.records.contains_key(&naming));
    let Answer::Change { found, .. } = verified.answer else { panic!("expected a change") };
    let found = found.unwrap();
    assert_eq!(found.overall.verdict, Verdict::Approved);
    assert_eq!(found.judged[0].ticket.native_id(), "ticket/7");
}

/// What happens in a made-up log: to whom, which group, and what.
fn steps() -> impl Strategy<Value = Vec<(u8, u8, u8, i64)>> {
    proptest::collection::vec((0..3u8, 0..3u8, 0..4u8, 0..50i64), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened, and whatever is asked: the file shows what a replay of all records gives.
    #[test]
    fn a_file_shows_what_all_records_give(steps in steps(), at in 0..60i64, back in 0..12i64, is_known in any::<bool>()) {
        let mut log = Log::new();
        let ids = ["00u1", "00u2", "00u3"];
        for (who, what, kind, when) in steps {
            let id = ids[usize::from(who)];
            match kind {
                0 => log.create(id, &format!("{who}@example.com"), when),
                1 => log.grant(FactKind::GrantRemoved, id, &format!("00g{what}"), when),
                3 if what == 0 => log.seal(),
                _ => log.grant(FactKind::GrantAdded, id, &format!("00g{what}"), when),
            };
        }
        let covered = log.seal();
        let known_at = is_known.then_some(EPOCH + covered as i64 - back);
        let known = known_at.map_or(covered, |known_at| ((known_at - EPOCH + 1).max(0) as u64).min(covered));
        let all: Vec<_> = (0..covered).map(|index| log.record(index)).collect();
        for id in ids {
            let verified = log.evidence(state_at(id, at, known_at));
            let policy = log.policy();
            let verified = verify(&verified, &policy).unwrap();
            prop_assert_eq!(verified.known, TreeSize(known));
            let moment = OccurredAt(Moment { seconds: at, nanos: 0 });
            prop_assert_eq!(state(verified.answer), replay(&ada(id), &all, moment, TreeSize(known)));
        }
    }
}
