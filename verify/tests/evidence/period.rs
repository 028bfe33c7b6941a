//! What changed in a period: what a good file shows, against the whole log; and that each attack on one is rejected for the
//! right reason.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    ChangeQuestion, Correlation, Delivery, Event, EventConflict, EvidenceManifest, EvidenceTotals, Fact, FactKind,
    KeyAnnouncement, Mapping, Outcome, PeriodQuestion, Provenance, Record, RedactedParts, Redaction, SourceGap,
    SourceRejected, evidence_manifest, record::Body,
};
use counterfoil_verify::evidence::{Answer, Draft, Flaw, Question, Step, Verified, verify};
use counterfoil_verify::note::SigningKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::population::{Counts, FactCounts, Period, Population, RecordCounts};
use counterfoil_verify::record::encode;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use proptest::prelude::*;
use prost::Message;

use crate::attacks::{Zip, rejected};
use crate::common;
use crate::made::*;
use crate::support::{
    account, event, fact, full_announcement, full_redaction, group, okta, provenance, record, remapped, ticket, time,
};
use crate::vectors::keep;

/// When the period of these tests begins and ends.
const FROM: i64 = EPOCH + 1_000;
const TO: i64 = EPOCH + 2_000;

fn moment(seconds: i64) -> Moment {
    Moment { seconds, nanos: 0 }
}

fn period(from: i64, to: i64, known_at: Option<i64>) -> Question {
    let period = Period::new(OccurredAt(moment(from)), OccurredAt(moment(to))).expect("it begins before it ends");
    Question::Period { period, known_at: known_at.map(|known_at| RecordedAt(moment(known_at))) }
}

fn granted(id: &str, to: &str, at: i64) -> Fact {
    Fact { subject: Some(account(id)), object: Some(group(to)), ..fact(FactKind::GrantAdded, at) }
}

fn of(kind: FactKind, id: &str, at: i64) -> Fact {
    Fact { subject: Some(account(id)), ..fact(kind, at) }
}

/// A log of which some is before the period, some in it, and some after.
fn quarter() -> Log {
    let mut log = Log::new();
    log.put(EPOCH + 100, event(vec![of(FactKind::LifecycleJoiner, "00u1", EPOCH + 90)]));
    log.put(FROM - 61, event(vec![granted("00u1", "00g0", FROM - 70)]));
    // Its source's clock is a minute ahead.
    log.put(FROM - 60, event(vec![granted("00u1", "00g1", FROM)]));
    let (known, values) = log.known("00u2", "bo@example.com");
    let created = Fact { subject: Some(known), ..fact(FactKind::AccountCreated, FROM + 5) };
    let opened = log.add(vec![created], &[values]);
    re_dated(&mut log, opened, FROM + 10);
    let asked =
        Fact { subject: Some(account("00u2")), object: Some(ticket("7")), ..fact(FactKind::TicketOpened, FROM + 90) };
    log.put(FROM + 100, event(vec![asked, of(FactKind::AuthEvent, "00u2", FROM + 95)]));
    let named = Fact {
        actor: Some(account("00u9")),
        scope: "org/1".to_owned(),
        correlation: Some(Correlation { tickets: vec![ticket("7"), ticket("8")], ..Correlation::default() }),
        ..granted("00u2", "00g2", FROM + 199)
    };
    let granting = log.put(FROM + 200, event(vec![named, of(FactKind::AccountEnabled, "00u2", FROM + 150)]));
    let lost = log.put(FROM + 300, Body::SourceRejected(SourceRejected { reason: 3, size: 12 }));
    log.put(FROM + 310, Body::SourceRejected(SourceRejected { reason: 2, size: 7 }));
    log.put(FROM + 320, Body::SourceGap(SourceGap { from: 5, to: 9, reason: 1 }));
    log.seal_at(FROM + 400);
    let failed = Fact { outcome: Outcome::Failure.into(), ..granted("00u2", "00g3", FROM + 490) };
    log.put(FROM + 500, event(vec![failed]));
    let retried = Provenance { retry_of: lost, ..provenance(okta()) };
    let read = event(vec![of(FactKind::AccountDisabled, "00u1", FROM + 290)]);
    log.put_as(Record { provenance: Some(retried), ..record(log.size(), FROM + 600, read) });
    let backfill = Provenance { delivery: Delivery::Backfill.into(), ..provenance(okta()) };
    let left = event(vec![of(FactKind::LifecycleLeaver, "00u1", FROM + 699)]);
    log.put_as(Record { provenance: Some(backfill), ..record(log.size(), FROM + 700, left) });
    log.put(TO, event(vec![Fact { kind: FactKind::GrantRemoved.into(), ..granted("00u1", "00g1", TO) }]));
    // What came late, and what was read again: of the two facts of one event one is another, and one is none.
    log.put(TO + 500, event(vec![granted("00u2", "00g4", FROM + 500)]));
    let again = remapped(log.size(), &[&log.record(granting)], vec![granted("00u2", "00g5", FROM + 199)]);
    log.put_as(Record { recorded_at: Some(time(TO + 600)), ..again });
    let removed = vec![RedactedParts { first: opened, records: 3, parts: vec![0] }];
    log.put(TO + 650, Body::Redaction(Redaction { removed, searched: 3, ..full_redaction() }));
    log.put(TO + 700, Body::EventConflict(EventConflict { first_index: granting }));
    for mapping in [Mapping::Unmapped, Mapping::Incomplete] {
        let said = Event { mapping: mapping.into(), parts: 1, ..Event::default() };
        log.put(TO + 800, Body::Event(said));
    }
    log.seal_at(TO + 900);
    log.put(TO + 950, event(vec![granted("00u3", "00g1", FROM + 1)]));
    log
}

/// Gives a record another time, which changes nothing else.
fn re_dated(log: &mut Log, index: u64, recorded: i64) {
    let dated = Record { recorded_at: Some(time(recorded)), ..log.record(index) };
    log.records[index as usize] = encode(&dated).expect("a record");
}

fn population<'v>(verified: &'v Verified<'_>) -> &'v Population {
    match &verified.answer {
        Answer::Period { population, .. } => population,
        other => panic!("expected a period, got {other:?}"),
    }
}

/// Each change: its record, and the number of the fact in it.
fn changes(population: &Population) -> Vec<(u64, u32)> {
    population.changes.iter().map(|(record, fact)| (record.index, *fact)).collect()
}

#[test]
fn a_period_is_whole() {
    let log = quarter();
    let policy = log.policy();
    let ask = |known_at| {
        let file = log.evidence(period(FROM, TO, known_at));
        keep(&file, &policy, None);
        file
    };
    let file = ask(None);
    let verified = verify(&file, &policy).unwrap();
    assert_eq!((verified.covered, verified.known, verified.first), (TreeSize(21), TreeSize(21), RecordIndex(3)));
    assert!(verified.histories.is_empty() && verified.elided == 0);
    let all = population(&verified);
    // By when it happened: what was read again has the place of the event.
    assert_eq!(changes(all), [(3, 0), (4, 0), (16, 0), (12, 0), (15, 0), (13, 0)]);
    let records = RecordCounts {
        origin: 0,
        events: 11,
        read_again: 1,
        conflicts: 1,
        rejected: 2,
        rejected_read_since: 1,
        gaps: 1,
        redactions: 1,
        redacted: 3,
        key_announcements: 0,
        seals: 1,
    };
    assert_eq!((all.records, all.records.total()), (records, 18));
    assert_eq!(all.facts, FactCounts { replaced: 2, before: 0, within: 9, after: 1 });
    let kinds: BTreeMap<FactKind, (u64, u64)> = all
        .kinds
        .iter()
        .map(|(kind, Counts { facts, changes })| (FactKind::try_from(*kind).unwrap(), (*facts, *changes)))
        .collect();
    let expected = [
        (FactKind::TicketOpened, (1, 0)),
        (FactKind::AccountCreated, (1, 1)),
        (FactKind::AccountDisabled, (1, 1)),
        (FactKind::GrantAdded, (4, 3)),
        (FactKind::LifecycleLeaver, (1, 1)),
        (FactKind::AuthEvent, (1, 0)),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    let source = all.sources.values().next().unwrap();
    assert_eq!((source.records, source.counts), (17, Counts { facts: 9, changes: 6 }));
    assert_eq!((source.unmapped, source.incomplete, source.rejected, source.gaps), (1, 1, 2, 1));
    assert_eq!(all.gaps.iter().map(|gap| gap.index).collect::<Vec<_>>(), [9]);

    // As it was known when the period was over, and in its middle: before what came late, and what was read again.
    let then = ask(Some(TO));
    let verified = verify(&then, &policy).unwrap();
    assert_eq!((verified.known, changes(population(&verified)).len()), (TreeSize(15), 6));
    assert_eq!(population(&verified).facts, FactCounts { replaced: 0, before: 0, within: 9, after: 1 });
    let halfway = ask(Some(FROM + 250));
    assert_eq!(changes(population(&verify(&halfway, &policy).unwrap())), [(3, 0), (4, 0), (6, 1), (6, 0)]);
}

#[test]
fn a_period_may_be_empty_or_all_of_the_log() {
    let log = quarter();
    let policy = log.policy();
    let ask = |question| {
        let file = log.evidence(question);
        keep(&file, &policy, None);
        let verified = verify(&file, &policy).unwrap();
        (verified.first.0, verified.known.0, population(&verified).clone())
    };
    // All of it, from the first moment there is; what record 0 says counts as a record.
    let (first, known, all) = ask(period(i64::from(i32::MIN), EPOCH + 100_000, None));
    assert_eq!((first, known, all.records.total(), all.records.origin), (0, 21, 21, 1));
    assert_eq!(all.facts.total(), 14);
    // Later than anything, by then and by all; and before the log.
    let (first, known, none) = ask(period(TO + 10_000, TO + 10_001, None));
    assert_eq!((first, known, none), (21, 21, Population::default()));
    let (first, known, none) = ask(period(FROM, TO, Some(EPOCH + 100)));
    assert_eq!((first, known, none), (2, 2, Population::default()));
    let (first, known, none) = ask(period(FROM, TO, Some(EPOCH - 1)));
    assert_eq!((first, known, none), (0, 0, Population::default()));
    // One of a single moment's width, and one that ends where another begins.
    let (_, _, one) = ask(period(FROM + 199, FROM + 200, None));
    assert_eq!(changes(&one), [(16, 0)]);
    let (_, _, other) = ask(period(FROM + 200, TO, None));
    assert_eq!(changes(&other), [(12, 0), (15, 0), (13, 0)]);
}

#[test]
fn a_new_key_is_counted_and_either_key_will_do() {
    let mut log = quarter();
    let announcement = Record { commitment: Vec::new(), ..record(log.size(), TO + 960, announced(&log)) };
    log.put_as(announcement);
    log.seal_at(TO + 970);
    log.beside_seed = Some([2; 32]);
    let file = log.evidence(period(FROM, TO + 1_000, None));
    let policy_of = |seed: u8| {
        let key = SigningKey::from_seed(common::key_name(&log.origin), &[seed; 32]);
        Policy::of_log(key.verifier_key(), log.index_key.clone())
    };
    for seed in [1, 2] {
        let policy = policy_of(seed);
        keep(&file, &policy, None);
        let verified = verify(&file, &policy).unwrap();
        let counts = population(&verified).records;
        assert_eq!((counts.key_announcements, counts.seals), (1, 2));
        assert_eq!(counts.total(), log.size() - 1 - verified.first.0, "every record is counted");
        assert!(verified.asked.is_some(), "who asked is signed by both, too");
    }
    let policy = policy_of(3);
    keep(&file, &policy, Some((Flaw::Falsified, Step::Checkpoint)));
    assert_eq!(verify(&file, &policy).unwrap_err().step, Step::Checkpoint);
}

/// That the log has another key.
fn announced(log: &Log) -> Body {
    Body::KeyAnnouncement(KeyAnnouncement { origin: log.origin.clone(), ..full_announcement() })
}

#[test]
fn a_period_rests_on_witnesses_and_on_no_replayer() {
    let log = quarter();
    let witness = cosigner("w.example/1", 11);
    let mut draft = log.draft(period(FROM, TO, None), 21);
    draft.cosignatures = cosign(&witness, &log.checkpoint(), 1_772_100_000).into_bytes();
    let text =
        log.policy().format().replace("quorum none", &format!("witness w1 {}\nquorum w1", witness.verifier_key()));
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let file = log.file(draft);
    keep(&file, &policy, None);
    let verified = verify(&file, &policy).unwrap();
    assert!(verified.attested.witnesses.len() == 1 && !verified.attested.is_replayed);
}

fn draft(log: &Log) -> Draft {
    log.draft(period(FROM, TO, Some(TO)), 21)
}

#[test]
fn period_without_a_record() {
    let log = quarter();
    // In its middle, at its begin and at its end; and by its hash alone.
    for index in [5, 3, 14] {
        let mut without = draft(&log);
        without.records.remove(&index);
        without.openings.remove(&index);
        rejected(&log.file(without), &log.policy(), Flaw::Falsified, Step::Inclusion);
    }
    let mut elided = draft(&log);
    elided.records.remove(&5);
    elided.elided.insert(5, log.leaves()[5]);
    rejected(&log.file(elided), &log.policy(), Flaw::Falsified, Step::Inclusion);
}

#[test]
fn period_of_other_records() {
    let log = quarter();
    let altered = |index: u64, body: Body| encode(&Record { body: Some(body), ..log.record(index) }).unwrap();
    // One of another content; and two that change places.
    let mut swapped = draft(&log);
    swapped.records.insert(6, altered(6, event(vec![granted("00u2", "00g9", FROM + 199)])));
    rejected(&log.file(swapped), &log.policy(), Flaw::Falsified, Step::Inclusion);
    let mut reordered = draft(&log);
    let [seventh, eighth] = [7, 8].map(|index| log.record(index));
    for (index, record) in [(7, eighth), (8, seventh)] {
        reordered.records.insert(index, encode(&Record { index, ..record }).unwrap());
    }
    rejected(&log.file(reordered), &log.policy(), Flaw::Falsified, Step::Inclusion);
    // One that the period does not need.
    let mut more = draft(&log);
    more.records.insert(1, log.records[1].clone());
    rejected(&log.file(more), &log.policy(), Flaw::Malformed, Step::Histories);
    // A history, which no period needs.
    let mut history = draft(&log);
    history.histories = log.draft(Question::Absence([ada("00u7")].into()), 21).histories;
    rejected(&log.file(history), &log.policy(), Flaw::Malformed, Step::Closure);
}

/// The draft of a period whose records begin or end elsewhere, with all paths that such a one has.
fn moved(log: &Log, question: Question, (first, known): (u64, u64)) -> Draft {
    let mut draft = draft(log);
    (draft.question, draft.basis.first, draft.basis.known) = (question, first, known);
    let placed: Vec<u64> = [0, first.saturating_sub(1), first, known - 1, known, 21].into();
    draft.inclusions =
        placed.iter().map(|index| (*index, common::inclusion_path(*index as usize, &log.leaves()))).collect();
    let records = (first..known).chain(placed);
    draft.records = records.map(|index| (index, log.records[index as usize].clone())).collect();
    draft.openings.retain(|index, _| draft.records.contains_key(index));
    draft
}

#[test]
fn period_that_begins_or_ends_elsewhere() {
    let log = quarter();
    let asked = || period(FROM, TO, Some(TO));
    let (policy, seal) = (log.policy(), (Flaw::Falsified, Step::Seal));
    let right = moved(&log, asked(), (3, 15));
    verify(&log.file(right), &policy).unwrap();
    for (first, known) in [(4, 15), (2, 15), (15, 15), (3, 14), (3, 16), (16, 15)] {
        rejected(&log.file(moved(&log, asked(), (first, known))), &policy, seal.0, seal.1);
    }
    // Behind the end, although nothing before it belongs to the period.
    let later = || period(TO + 10_000, TO + 10_001, Some(TO));
    verify(&log.file(moved(&log, later(), (15, 15))), &policy).unwrap();
    rejected(&log.file(moved(&log, later(), (18, 15))), &policy, seal.0, seal.1);
    // All that the seal covers is asked for, and fewer are counted.
    rejected(&log.file(moved(&log, period(FROM, TO, None), (3, 20))), &policy, seal.0, seal.1);
}

#[test]
fn period_with_a_neighbour_that_is_none() {
    let log = quarter();
    // Record 3 is left out, and the one before it stands in its place: with a later time, with its own path, and as itself.
    let mut forged = moved(&log, period(FROM, TO, Some(TO)), (4, 15));
    let early = Record { recorded_at: Some(time(FROM - 100)), ..log.record(3) };
    forged.records.insert(3, encode(&early).unwrap());
    rejected(&log.file(forged), &log.policy(), Flaw::Falsified, Step::Inclusion);
    let mut other = moved(&log, period(FROM, TO, Some(TO)), (4, 15));
    other.records.remove(&3);
    other.records.insert(2, log.records[2].clone());
    let path = common::inclusion_path(2, &log.leaves());
    other.inclusions.remove(&3);
    other.inclusions.insert(2, path.clone());
    rejected(&log.file(other), &log.policy(), Flaw::Malformed, Step::Inclusion);
    let mut renamed = moved(&log, period(FROM, TO, Some(TO)), (4, 15));
    renamed.records.insert(3, encode(&Record { index: 3, ..log.record(2) }).unwrap());
    renamed.inclusions.insert(3, path);
    rejected(&log.file(renamed), &log.policy(), Flaw::Falsified, Step::Inclusion);
    // The neighbour of a period that has one is there.
    let mut alone = draft(&log);
    alone.records.remove(&2);
    rejected(&log.file(alone), &log.policy(), Flaw::Falsified, Step::Inclusion);
}

/// Whoever keeps the log dates a record before the one that it stands behind.
#[test]
fn period_in_which_time_goes_back() {
    let mut log = quarter();
    re_dated(&mut log, 8, FROM + 1);
    rejected(&log.file(log.draft(period(FROM, TO, None), 21)), &log.policy(), Flaw::Falsified, Step::Seal);
}

#[test]
fn period_with_totals_that_lie() {
    let log = quarter();
    let lies: [fn(&mut EvidenceTotals); 2] = [|totals| totals.facts += 1, |totals| totals.records -= 1];
    for lie in lies {
        let mut members = Zip::read(&log.file(draft(&log)));
        manifest(&mut members, |manifest| lie(manifest.totals.as_mut().unwrap()));
        rejected(&members.write(), &log.policy(), Flaw::Falsified, Step::Totals);
    }
}

/// Changes what a manifest says; nobody has asked then.
fn manifest(members: &mut Zip, change: impl FnOnce(&mut EvidenceManifest)) {
    let mut manifest = EvidenceManifest::decode(&members[0].1[..]).unwrap();
    change(&mut manifest);
    members[0].1 = manifest.encode_to_vec();
    members[6].1.clear();
}

#[test]
fn period_that_is_none() {
    let log = quarter();
    // Of all of the log, so that nothing else is wrong with it.
    let asked = |change: fn(&mut EvidenceManifest)| {
        let mut members = Zip::read(&log.file(log.draft(period(EPOCH, TO, None), 21)));
        manifest(&mut members, change);
        members.write()
    };
    let other = |change: fn(&mut PeriodQuestion)| {
        let mut members = Zip::read(&log.file(draft(&log)));
        manifest(&mut members, |manifest| change(manifest.period.as_mut().unwrap()));
        members.write()
    };
    let files = [
        other(|asked| asked.to = asked.from),
        other(|asked| std::mem::swap(&mut asked.from, &mut asked.to)),
        other(|asked| asked.from = None),
        other(|asked| asked.to = None),
        other(|asked| asked.to.as_mut().unwrap().nanos = 1_000_000_000),
        asked(|manifest| manifest.period = None),
        asked(|manifest| {
            let change = ChangeQuestion { record: 3, ..ChangeQuestion::default() };
            manifest.question = Some(evidence_manifest::Question::Change(change));
        }),
    ];
    for file in files {
        rejected(&file, &log.policy(), Flaw::Malformed, Step::Manifest);
    }
    // The records of a period, where none is asked about.
    let mut members = Zip::read(&log.file(log.draft(state_of("00u1"), 21)));
    manifest(&mut members, |manifest| manifest.basis.as_mut().unwrap().first = 3);
    rejected(&members.write(), &log.policy(), Flaw::Malformed, Step::Manifest);
    // One of other times than the log's key has signed.
    let mut members = Zip::read(&log.file(draft(&log)));
    let signed = members[6].1.clone();
    manifest(&mut members, |manifest| manifest.period.as_mut().unwrap().to = Some(time(TO - 1)));
    members[6].1 = signed;
    rejected(&members.write(), &log.policy(), Flaw::Falsified, Step::Asked);
}

/// What is recorded next: after how long, what, and when that happened, counted back from then.
#[derive(Clone, Debug)]
enum Next {
    Facts(Vec<(FactKind, i64, bool)>),
    Again(prop::sample::Index, i64),
    Redacted(prop::sample::Index, prop::sample::Index),
    Seal,
    Gap,
}

fn next() -> impl Strategy<Value = (i64, Next)> {
    let kinds = [FactKind::GrantAdded, FactKind::GrantRemoved, FactKind::LifecycleJoiner, FactKind::AuthEvent];
    let said = (proptest::sample::select(kinds.to_vec()), -60..400i64, any::<bool>());
    let what = prop_oneof![
        6 => proptest::collection::vec(said, 0..4).prop_map(Next::Facts),
        2 => (any::<prop::sample::Index>(), 0..400i64).prop_map(|(which, back)| Next::Again(which, back)),
        1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(from, count)| Next::Redacted(from, count)),
        1 => Just(Next::Seal),
        1 => Just(Next::Gap),
    ];
    (0..90i64, what)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was recorded, and whichever period is asked for: the file shows what the whole log says of it.
    #[test]
    fn a_period_shows_what_the_whole_log_says(
        steps in proptest::collection::vec(next(), 1..40), from in 0..1_500i64, width in 1..1_000i64,
        known_at in proptest::option::of(0..2_500i64),
    ) {
        let (mut log, mut at, mut events) = (Log::new(), EPOCH, Vec::new());
        for (later, step) in steps {
            at += later;
            match step {
                Next::Facts(facts) => {
                    let said = |(kind, back, is_done): (FactKind, i64, bool)| {
                        let outcome = if is_done { Outcome::Success } else { Outcome::Denied };
                        let object = (kind != FactKind::LifecycleJoiner).then(|| group("00g1"));
                        Fact { outcome: outcome.into(), object, ..of(kind, "00u1", at - back) }
                    };
                    let index = log.put(at, event(facts.into_iter().map(said).collect()));
                    events.push((index, index));
                }
                Next::Again(which, back) if !events.is_empty() => {
                    let which = which.index(events.len());
                    let newest = log.record(events[which].1);
                    let again = remapped(log.size(), &[&newest], vec![granted("00u1", "00g2", at - back)]);
                    events[which].1 = log.put_as(Record { recorded_at: Some(time(at)), ..again });
                }
                Next::Redacted(from, count) if log.size() > 1 => {
                    let first = 1 + from.index(log.size() as usize - 1) as u64;
                    let records = 1 + count.index((log.size() - first) as usize) as u64;
                    let removed = vec![RedactedParts { first, records, parts: vec![0] }];
                    log.put(at, Body::Redaction(Redaction { removed, searched: 0, ..full_redaction() }));
                }
                Next::Again(..) | Next::Redacted(..) => {}
                Next::Seal => {
                    log.seal_at(at);
                }
                Next::Gap => {
                    log.put(at, Body::SourceGap(SourceGap { from: 1, to: 2, reason: 1 }));
                }
            }
        }
        let covered = log.seal_at(at);
        let (from, to) = (EPOCH + from, EPOCH + from + width);
        let file = log.evidence(period(from, to, known_at.map(|at| EPOCH + at)));
        let policy = log.policy();
        let verified = verify(&file, &policy).unwrap();
        let all = population(&verified);

        // The whole log, as one reads it without any of this: what counts, when it happened, and whether it is a change.
        let is_known = |record: &Record| record.index < covered
            && known_at.is_none_or(|known_at| record.recorded_at.unwrap().seconds <= EPOCH + known_at);
        let known: Vec<Record> = (0..covered).map(|index| log.record(index)).filter(is_known).collect();
        let replaced: Vec<u64> = known.iter().filter_map(|record| match &record.body {
            Some(Body::EventRemapped(said)) => Some(said.replaces),
            _ => None,
        }).collect();
        let mut expected = Vec::new();
        let mut within = 0;
        for record in known.iter().filter(|record| !replaced.contains(&record.index)) {
            let (facts, place) = match &record.body {
                Some(Body::Event(said)) => (&said.facts[..], record.index),
                Some(Body::EventRemapped(said)) => (&said.event.as_ref().unwrap().facts[..], said.first_index),
                _ => (&[][..], 0),
            };
            for (number, fact) in facts.iter().enumerate() {
                let happened = fact.occurred_at.unwrap().seconds;
                if !(from..to).contains(&happened) {
                    continue;
                }
                within += 1;
                if fact.outcome() == Outcome::Success && fact.kind() != FactKind::AuthEvent {
                    expected.push((happened, place, record.index, number as u32));
                }
            }
        }
        expected.sort_unstable();
        let expected: Vec<_> = expected.into_iter().map(|(_, _, index, fact)| (index, fact)).collect();
        prop_assert_eq!(changes(all), expected);
        prop_assert_eq!(all.facts.within, within);
        let sums = all.kinds.values().fold((0, 0), |sums, counts| (sums.0 + counts.facts, sums.1 + counts.changes));
        prop_assert_eq!(sums, (within, all.changes.len() as u64));
        // None twice, and none that was recorded in time is left out.
        let stretch = known.iter().filter(|record| record.recorded_at.unwrap().seconds >= from - 60);
        let (count, facts) = stretch.fold((0, 0), |(count, facts), record| {
            let own = match &record.body {
                Some(Body::Event(said)) => said.facts.len(),
                Some(Body::EventRemapped(said)) => said.event.as_ref().unwrap().facts.len(),
                _ => 0,
            };
            (count + 1, facts + own as u64)
        });
        prop_assert_eq!((all.records.total(), all.facts.total()), (count, facts));
        prop_assert_eq!(verified.known.0 - verified.first.0, count);
        let of_stretch = |index: &u64| (verified.first.0..verified.known.0).contains(index);
        let redacted: BTreeSet<u64> = known.iter().filter(|record| of_stretch(&record.index)).filter_map(|record| {
            match &record.body {
                Some(Body::Redaction(said)) => Some(said.removed[0].first..said.removed[0].first + said.removed[0].records),
                _ => None,
            }
        }).flatten().filter(of_stretch).collect();
        prop_assert_eq!(all.records.redacted, redacted.len() as u64);
    }
}
