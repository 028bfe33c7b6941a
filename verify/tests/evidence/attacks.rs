//! Attacks, each by the name it goes by. Those on the file are made by somebody who has it; those on the log by whoever keeps
//! it, and signs whatever suits.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{Correlation, EntityKind, EvidenceManifest, Fact, FactKind, Record, Verdict, record::Body};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Answer, Draft, EVIDENCE_BYTES_MAX, Flaw, Question, Step, verify};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::map::MapKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record::{encode, hash};
use proptest::prelude::*;
use prost::Message;

use crate::common;
use crate::made::*;
use crate::support::{account, fact, group, ticket, time};
use crate::vectors::keep;

/// That a file is rejected, as what, and where.
#[track_caller]
pub fn rejected(file: &[u8], policy: &Policy, flaw: Flaw, step: Step) {
    let rejected = verify(file, policy).expect_err("it has to be rejected");
    assert_eq!((rejected.flaw, rejected.step), (flaw, step), "{rejected}");
    keep(file, policy, Some((flaw, step)));
}

fn draft(log: &Log) -> Draft {
    log.draft(state_of("00u1"), 9)
}

#[test]
fn dropped_record() {
    let log = company();
    // Left out of the history, and left out of the file as well.
    let mut without = draft(&log);
    let (_, indexes) = without.histories.get_mut(&ada("00u1")).unwrap();
    let dropped = indexes.remove(2);
    rejected(&log.file(without.clone()), &log.policy(), Flaw::Falsified, Step::Histories);
    without.records.remove(&dropped);
    without.openings.remove(&dropped);
    rejected(&log.file(without), &log.policy(), Flaw::Falsified, Step::Histories);
}

/// What no proof covers does not come along with what one does.
#[test]
fn record_of_no_history() {
    let log = company();
    let mut more = draft(&log);
    let others = log.draft(state_of("00u2"), 9).records;
    let (index, record) = others.into_iter().find(|(index, _)| !more.records.contains_key(index)).unwrap();
    more.records.insert(index, record);
    rejected(&log.file(more), &log.policy(), Flaw::Malformed, Step::Histories);
}

#[test]
fn reordered_records() {
    let log = company();
    let mut swapped = draft(&log);
    swapped.histories.get_mut(&ada("00u1")).unwrap().1.swap(0, 1);
    rejected(&log.file(swapped), &log.policy(), Flaw::Falsified, Step::Histories);
}

#[test]
fn forged_absence() {
    let log = company();
    let asked = BTreeSet::from([ada("00u1")]);
    // By somebody who has the file: the proof of somebody else's absence is none of this one's.
    let mut forged = log.draft(Question::Absence(BTreeSet::from([ada("00u9")])), 9);
    let (proof, records) = forged.histories.remove(&ada("00u9")).unwrap();
    forged.question = Question::Absence(asked.clone());
    forged.histories.insert(ada("00u1"), (proof, records));
    rejected(&log.file(forged), &log.policy(), Flaw::Falsified, Step::Histories);
    // By whoever keeps the log, who leaves somebody out of the map: it holds on the operator's word alone, and the policy
    // that asks for replayers finds that none has cosigned.
    let mut lying = company();
    lying.map_of = |record| entity_set(record).into_iter().filter(|entity| *entity != ada("00u1")).collect();
    lying.seal();
    let file = lying.evidence(Question::Absence(asked));
    let replayer = cosigner("r.example/1", 12);
    let text = format!(
        "{}#counterfoil replayer r1 {}\n#counterfoil replayer-quorum r1\n",
        lying.policy().format(),
        replayer.verifier_key()
    );
    let asking = Policy::parse(text.as_bytes()).unwrap();
    assert!(!verify(&file, &asking).unwrap().attested.is_replayed);
}

#[test]
fn truncated_history() {
    let log = company();
    let mut cut = draft(&log);
    let (_, indexes) = cut.histories.get_mut(&ada("00u1")).unwrap();
    // The record itself is there all the same: it is the last one that counts.
    assert_eq!(indexes.pop(), Some(8));
    rejected(&log.file(cut), &log.policy(), Flaw::Falsified, Step::Histories);
}

#[test]
fn swapped_entity() {
    let log = company();
    let mut swapped = draft(&log);
    let other = log.draft(state_of("00u2"), 9);
    swapped.question = other.question;
    rejected(&log.file(swapped), &log.policy(), Flaw::Falsified, Step::Closure);
}

#[test]
fn entity_split_in_two() {
    // Whoever keeps the log has the map say that some of somebody's records are another's, whose id nobody asks for.
    let mut splitting = company();
    splitting.map_of = |record| {
        let is_second = record.index > 6;
        let other = |entity: EntityId| if entity == ada("00u1") && is_second { ada("00u7") } else { entity };
        entity_set(record).into_iter().map(other).collect()
    };
    let covered = splitting.seal();
    let mut half = splitting.draft(state_of("00u1"), covered);
    // The half that is shown verifies on the operator's word; the other records, put back, do not fit to it.
    let file = splitting.file(half.clone());
    assert!(!verify(&file, &splitting.policy()).unwrap().attested.is_replayed);
    half.records.insert(7, splitting.records[7].clone());
    half.histories.get_mut(&ada("00u1")).unwrap().1.push(7);
    rejected(&splitting.file(half), &splitting.policy(), Flaw::Falsified, Step::Histories);
}

#[test]
fn omitted_link_in_the_closure() {
    let log = company();
    let mut without = draft(&log);
    let token = log.token("ada@example.com");
    without.histories.remove(&token).expect("whom an address means is looked at");
    rejected(&log.file(without), &log.policy(), Flaw::Falsified, Step::Closure);
    // And none more than is needed.
    let mut more = draft(&log);
    let other = log.draft(state_of("00u2"), 9);
    more.histories.extend(other.histories);
    more.records.extend(other.records);
    more.openings.extend(other.openings);
    rejected(&log.file(more), &log.policy(), Flaw::Malformed, Step::Closure);
}

/// A log in which a change was approved, and the draft about it.
fn approved_change() -> (Log, [u64; 2], u64, Draft) {
    let mut log = company();
    let ticket = log.ticket(7, "00u1", "00g7", (600, 610));
    let change = log.grant(FactKind::GrantAdded, "00u1", "00g7", 620);
    let covered = log.seal();
    let draft = log.draft(Question::Change { record: change, fact: 0, known_at: None }, covered);
    (log, ticket, change, draft)
}

#[test]
fn omitted_ticket() {
    let (log, ticket, _, draft) = approved_change();
    let entity = EntityId::new(EntityKind::Ticket, "okta", "acme", "ticket/7").unwrap();
    // A history that the question needs; and an approval out of it.
    let mut without = draft.clone();
    without.histories.remove(&entity).unwrap();
    without.records.remove(&ticket[1]);
    without.openings.remove(&ticket[1]);
    rejected(&log.file(without), &log.policy(), Flaw::Falsified, Step::Closure);
    let mut without = draft;
    without.histories.get_mut(&entity).unwrap().1.pop();
    without.records.remove(&ticket[1]);
    without.openings.remove(&ticket[1]);
    rejected(&log.file(without), &log.policy(), Flaw::Falsified, Step::Histories);
}

/// The tickets that a transaction has are those of its whole history.
#[test]
fn omitted_transaction() {
    let mut log = company();
    let correlation = |tickets| Correlation { request: "rq1".to_owned(), tickets, ..Correlation::default() };
    let grant = |tickets| Fact {
        subject: Some(account("00u1")),
        object: Some(group("00g7")),
        correlation: Some(correlation(tickets)),
        ..fact(FactKind::GrantAdded, 620)
    };
    let change = log.add(vec![grant(Vec::new())], &[]);
    let naming = log.add(vec![grant(vec![ticket("7")])], &[]);
    log.seal();
    let mut without = log.draft(Question::Change { record: change, fact: 0, known_at: None }, naming + 1);
    let is_request = |entity: &EntityId| entity.kind() == EntityKind::Correlation;
    let request = without.histories.keys().find(|entity| is_request(entity)).unwrap().clone();
    without.histories.remove(&request);
    rejected(&log.file(without), &log.policy(), Flaw::Falsified, Step::Closure);
}

#[test]
fn back_dated_approval() {
    let (log, ticket, _, draft) = approved_change();
    let mut dated = log.record(ticket[1]);
    if let Some(Body::Event(event)) = &mut dated.body {
        event.facts[0].occurred_at = Some(time(1));
    }
    let mut forged = draft;
    forged.records.insert(ticket[1], encode(&dated).unwrap());
    rejected(&log.file(forged), &log.policy(), Flaw::Falsified, Step::Histories);
    // One that was recorded behind the change, with an earlier date, is none that was prior.
    let mut late = company();
    let change = late.grant(FactKind::GrantAdded, "00u1", "00g7", 620);
    late.ticket(7, "00u1", "00g7", (600, 610));
    late.seal();
    let file = late.evidence(Question::Change { record: change, fact: 0, known_at: None });
    let policy = late.policy();
    let Answer::Change { found, .. } = verify(&file, &policy).unwrap().answer else { panic!("expected a change") };
    assert_eq!(found.unwrap().overall.verdict, Verdict::ApprovedRecordedLate);
    keep(&file, &policy, None);
}

#[test]
fn change_that_is_none() {
    let (log, _, change, draft) = approved_change();
    let mut other = draft;
    other.question = Question::Change { record: change, fact: 1, known_at: None };
    rejected(&log.file(other), &log.policy(), Flaw::Falsified, Step::Closure);
}

#[test]
fn stale_map() {
    let log = company();
    // The map of the seal before, under the newest seal.
    let mut stale = draft(&log);
    let before = log.map(5);
    for (entity, (proof, _)) in &mut stale.histories {
        *proof = before.prove(&MapKey::of(entity));
    }
    rejected(&log.file(stale), &log.policy(), Flaw::Falsified, Step::Histories);
}

#[test]
fn replayed_seal() {
    let log = company();
    // An older seal that is said to cover more than it does.
    let mut replayed = draft(&log);
    replayed.records.insert(9, encode(&Record { index: 9, ..log.record(5) }).unwrap());
    rejected(&log.file(replayed), &log.policy(), Flaw::Falsified, Step::Inclusion);
    let mut replayed = draft(&log);
    replayed.basis.covered = 5;
    replayed.basis.known = 5;
    rejected(&log.file(replayed), &log.policy(), Flaw::Malformed, Step::Inclusion);
    // A record that is no seal.
    let mut none = log.draft(state_of("00u1"), 9);
    none.basis.covered = 8;
    none.basis.known = 8;
    none.inclusions = [0, 7, 8].map(|index| (index, common::inclusion_path(index as usize, &log.leaves()))).into();
    rejected(&log.file(none), &log.policy(), Flaw::Falsified, Step::Seal);
}

#[test]
fn rolled_back_log() {
    // A restored copy that goes on otherwise has another root for a size that was seen.
    let (mut one, mut other) = (company(), company());
    one.grant(FactKind::GrantAdded, "00u1", "00g8", 600);
    other.grant(FactKind::GrantAdded, "00u1", "00g9", 600);
    let mixed = Draft { checkpoint: draft(&other).checkpoint, ..draft(&one) };
    rejected(&one.file(mixed), &one.policy(), Flaw::Falsified, Step::Checkpoint);
}

#[test]
fn proof_for_another_origin() {
    let log = company();
    let other = Log { origin: "example.com/other".to_owned(), ..company() };
    rejected(&other.file(draft(&other)), &log.policy(), Flaw::Falsified, Step::Checkpoint);
    // A policy that names both does not make record 0 that of the other.
    let both = format!("log {}\n{}", other.key().verifier_key(), log.policy().format());
    let same_key = Log { seed: [9; 32], ..other.clone() };
    let both = both.replace(&other.key().verifier_key().to_string(), &same_key.key().verifier_key().to_string());
    let both = Policy::parse(both.as_bytes()).unwrap();
    rejected(&same_key.file(draft(&same_key)), &both, Flaw::Falsified, Step::Inclusion);
}

#[test]
fn mixed_up_index() {
    let log = company();
    let mut mixed = draft(&log);
    let path = mixed.inclusions[&0].clone();
    mixed.inclusions.insert(9, path);
    rejected(&log.file(mixed), &log.policy(), Flaw::Falsified, Step::Inclusion);
}

#[test]
fn key_confusion() {
    let log = company();
    // Another key under the log's name.
    let forged = Log { seed: [7; 32], ..company() };
    rejected(&forged.file(draft(&forged)), &log.policy(), Flaw::Falsified, Step::Checkpoint);
    // A cosigner's signature where the log's belongs.
    let witness = cosigner("w.example/1", 11);
    let mut confused = draft(&log);
    let checkpoint = log.checkpoint();
    confused.checkpoint = format!("{}\n{}", checkpoint.format(), cosign(&witness, &checkpoint, 5)).into_bytes();
    rejected(&log.file(confused), &log.policy(), Flaw::Falsified, Step::Checkpoint);
    // A key of tokens that is not the log's.
    let other = Policy::of_log(log.key().verifier_key(), IndexKey::new([6; 32]));
    rejected(&log.file(draft(&log)), &other, Flaw::Falsified, Step::Inclusion);
    // Who asked, signed by somebody else.
    let stranger = Log { seed: [7; 32], ..company() };
    rejected(&stranger.file(draft(&log)), &log.policy(), Flaw::Falsified, Step::Asked);
}

#[test]
fn short_of_quorum() {
    let log = company();
    let witness = cosigner("w.example/1", 11);
    let text =
        log.policy().format().replace("quorum none", &format!("witness w1 {}\nquorum w1", witness.verifier_key()));
    let policy = Policy::parse(text.as_bytes()).unwrap();
    rejected(&log.file(draft(&log)), &policy, Flaw::Short, Step::Quorum);
    // One that is of another checkpoint is a bad one.
    let other = Checkpoint { size: counterfoil_verify::tree::TreeSize(10), ..log.checkpoint() };
    let mut forged = draft(&log);
    forged.cosignatures = cosign(&witness, &other, 5).into_bytes();
    rejected(&log.file(forged), &policy, Flaw::Falsified, Step::Checkpoint);
}

#[test]
fn back_dated_record() {
    let log = company();
    // By somebody who has the file: its hash is another.
    let record = log.record(6);
    let dated = Record { recorded_at: Some(time(EPOCH + 1)), ..record };
    let mut forged = draft(&log);
    forged.records.insert(6, encode(&dated).unwrap());
    rejected(&log.file(forged), &log.policy(), Flaw::Falsified, Step::Histories);
    // A moment by which fewer records are counted than were there.
    let mut early = log.draft(state_at("00u1", 450, Some(EPOCH + 6)), 9);
    early.question = state_at("00u1", 450, Some(EPOCH + 8));
    rejected(&log.file(early), &log.policy(), Flaw::Falsified, Step::Seal);
    let mut late = log.draft(state_at("00u1", 450, Some(EPOCH + 6)), 9);
    late.question = state_at("00u1", 450, Some(EPOCH + 5));
    rejected(&log.file(late), &log.policy(), Flaw::Falsified, Step::Seal);
}

#[test]
fn a_record_that_was_written_by_hand() {
    let log = company();
    let mut forged = draft(&log);
    let grant = Fact { subject: Some(account("00u1")), object: Some(group("00g9")), ..fact(FactKind::GrantAdded, 1) };
    let record = Record { body: Some(crate::support::event(vec![grant])), ..log.record(6) };
    forged.records.insert(6, encode(&record).unwrap());
    rejected(&log.file(forged), &log.policy(), Flaw::Falsified, Step::Histories);
}

#[test]
fn what_lies_beside_is_not_what_was_committed_to() {
    let log = company();
    let mut forged = draft(&log);
    forged.openings.get_mut(&1).unwrap().payload.as_mut().unwrap().content = b"{}".to_vec();
    rejected(&log.file(forged), &log.policy(), Flaw::Falsified, Step::Openings);
    // Whoever keeps the log has an address beside a record whose token is another's.
    let mut lying = Log::new();
    let (reference, mut values) = lying.known("00u1", "ada@example.com");
    values.values[0].value = "bo@example.com".to_owned();
    lying.add(vec![Fact { subject: Some(reference), ..fact(FactKind::AccountCreated, 100) }], &[values]);
    lying.seal();
    rejected(&lying.evidence(state_of("00u1")), &lying.policy(), Flaw::Falsified, Step::Tokens);
}

#[test]
fn non_canonical_protobuf() {
    let log = company();
    let mut longer = draft(&log);
    // A record with a field that nobody knows, and one with a varint that is longer than it has to be.
    for tail in [&b"\x98\x3f\x01"[..], b"\x08\x81\x00"] {
        let bytes = [&log.records[6], tail].concat();
        longer.records.insert(6, bytes.clone());
        assert!(counterfoil_verify::record::decode(&bytes).is_err());
    }
    assert!(counterfoil_verify::evidence::write(longer, |_, _| Ok(Vec::new())).is_err());
    // A member that says the same in other bytes: its hash is another one, so the manifest is mended as well.
    let file = log.file(draft(&log));
    let mut members = Zip::read(&file);
    members[3].1.extend_from_slice(b"\xf8\x07\x01");
    members.mend();
    rejected(&members.write(), &log.policy(), Flaw::Malformed, Step::Histories);
}

#[test]
fn zip_with_extra_or_duplicate_entries() {
    let log = company();
    let file = log.file(draft(&log));
    assert_eq!(Zip::read(&file).write(), file);
    let mut extra = Zip::read(&file);
    extra.push(("policy".to_owned(), log.policy().format().into_bytes()));
    rejected(&extra.write(), &log.policy(), Flaw::Malformed, Step::Archive);
    let mut doubled = Zip::read(&file);
    let records = doubled[2].clone();
    doubled.insert(2, records);
    rejected(&doubled.write(), &log.policy(), Flaw::Malformed, Step::Archive);
    let mut reordered = Zip::read(&file);
    reordered.swap(2, 3);
    rejected(&reordered.write(), &log.policy(), Flaw::Malformed, Step::Archive);
    for odd in [&b"behind"[..], b"\0"] {
        rejected(&[&file, odd].concat(), &log.policy(), Flaw::Malformed, Step::Archive);
    }
    rejected(&[b"before", &file[..]].concat(), &log.policy(), Flaw::Malformed, Step::Archive);
}

#[test]
fn zip_bomb() {
    let log = company();
    // A member that says it is packed, and one that says it is larger than the file.
    let file = log.file(draft(&log));
    let mut packed = file.clone();
    packed[8] = 8;
    rejected(&packed, &log.policy(), Flaw::Malformed, Step::Archive);
    let mut huge = file.clone();
    huge[18..22].copy_from_slice(&u32::MAX.to_le_bytes());
    rejected(&huge, &log.policy(), Flaw::Malformed, Step::Archive);
    assert!(EVIDENCE_BYTES_MAX < u32::MAX as usize);
}

#[test]
fn policy_taken_from_the_file() {
    // A file of another log that brings its own policy along: there is no place for one.
    let forged = Log { seed: [7; 32], ..company() };
    let mut members = Zip::read(&forged.file(draft(&forged)));
    members[5].1 = forged.policy().format().into_bytes();
    let policy = company().policy();
    members.mend();
    assert!(verify(&members.write(), &policy).is_err());
}

#[test]
fn counts_that_are_not_those_of_the_file() {
    let log = company();
    let mut members = Zip::read(&log.file(draft(&log)));
    let mut manifest = EvidenceManifest::decode(&members[0].1[..]).unwrap();
    manifest.totals.as_mut().unwrap().records += 1;
    members[0].1 = manifest.encode_to_vec();
    members[6].1.clear();
    rejected(&members.write(), &log.policy(), Flaw::Falsified, Step::Totals);
}

#[test]
fn member_of_another_content() {
    let log = company();
    let mut members = Zip::read(&log.file(draft(&log)));
    assert_eq!(members[4].0, "openings");
    members[4].1.clear();
    rejected(&members.write(), &log.policy(), Flaw::Falsified, Step::Manifest);
}

/// Who asked has signed for one file, and for no other.
#[test]
fn asked_for_another_file() {
    let log = company();
    let other = Zip::read(&log.file(log.draft(state_of("00u2"), 9)));
    let mut members = Zip::read(&log.file(draft(&log)));
    assert_ne!(members[6].1, other[6].1);
    members[6].1.clone_from(&other[6].1);
    rejected(&members.write(), &log.policy(), Flaw::Falsified, Step::Asked);
}

#[test]
fn any_bit_that_turns_over() {
    let log = company();
    let mut draft = draft(&log);
    let witness = cosigner("w.example/1", 11);
    draft.cosignatures = cosign(&witness, &log.checkpoint(), 5).into_bytes();
    let file = log.file(draft);
    let text =
        log.policy().format().replace("quorum none", &format!("witness w1 {}\nquorum w1", witness.verifier_key()));
    let policy = Policy::parse(text.as_bytes()).unwrap();
    verify(&file, &policy).unwrap();
    for (position, flipped) in common::bit_flips(&file) {
        assert!(verify(&flipped, &policy).is_err(), "a bit of byte {position}");
    }
    for length in 0..file.len() {
        assert!(verify(&file[..length], &policy).is_err(), "the first {length} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a member, with a manifest that fits: it is rejected or it is not, and nothing panics.
    #[test]
    fn whatever_stands_in_a_member(number in 0..6usize, at in any::<prop::sample::Index>(), cut in 0..40usize, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let (log, _, _, draft) = approved_change();
        let mut members = Zip::read(&log.file(draft));
        let member = &mut members[number].1;
        let from = at.index(member.len() + 1);
        let to = (from + cut).min(member.len());
        member.splice(from..to, bytes);
        if EvidenceManifest::decode(&members[0].1[..]).is_ok() && number > 0 {
            members.mend();
        }
        let _ = verify(&members.write(), &log.policy());
    }
}

#[test]
fn a_seal_that_does_not_fit_the_records_is_the_replayers_to_find() {
    // A seal with a made-up root has no proofs at all.
    let mut log = company();
    let covered = log.size();
    let mut seal = log.record(9);
    seal.index = covered;
    seal.recorded_at = Some(time(EPOCH + covered as i64));
    if let Some(Body::Seal(seal)) = &mut seal.body {
        seal.map_root = vec![3; 32];
    }
    log.records.push(encode(&seal).unwrap());
    assert_ne!(hash(&log.records[covered as usize]), hash(&log.records[9]));
    rejected(&log.file(log.draft(state_of("00u1"), covered)), &log.policy(), Flaw::Falsified, Step::Histories);
}

/// Members by name, written as the format wants it, whatever they are.
pub struct Zip(Vec<(String, Vec<u8>)>);

impl std::ops::Deref for Zip {
    type Target = Vec<(String, Vec<u8>)>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Zip {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Zip {
    pub fn read(file: &[u8]) -> Self {
        let (mut members, mut rest) = (Vec::new(), file);
        while rest.starts_with(b"PK\x03\x04") {
            let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
            let (size, name) = (number(18), u16::from_le_bytes(rest[26..28].try_into().unwrap()) as usize);
            let data = 30 + name;
            members.push((String::from_utf8(rest[30..data].to_vec()).unwrap(), rest[data..data + size].to_vec()));
            rest = &rest[data + size..];
        }
        Self(members)
    }

    pub fn write(&self) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, data) in &self.0 {
            let size = (data.len() as u32).to_le_bytes();
            let common = [
                &10u16.to_le_bytes()[..],
                &[0; 6],
                &[0x21, 0],
                &crc32fast::hash(data).to_le_bytes(),
                &size,
                &size,
                &(name.len() as u16).to_le_bytes(),
                &[0, 0],
            ]
            .concat();
            let offset = (file.len() as u32).to_le_bytes();
            directory.extend([&b"PK\x01\x02\x0a\0"[..], &common, &[0; 10], &offset, name.as_bytes()].concat());
            file.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), data].concat());
        }
        let count = (self.0.len() as u16).to_le_bytes();
        let (size, offset) = ((directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes());
        file.extend(directory);
        file.extend([&b"PK\x05\x06"[..], &[0; 4], &count, &count, &size, &offset, &[0, 0]].concat());
        file
    }

    /// Has the manifest say what is there now; nobody has asked then.
    fn mend(&mut self) {
        let mut manifest = EvidenceManifest::decode(&self.0[0].1[..]).unwrap();
        for member in &mut manifest.members {
            let (_, data) = self.0.iter().find(|(name, _)| *name == member.name).unwrap();
            member.size = data.len() as u64;
            member.sha256 = <sha2::Sha256 as sha2::Digest>::digest(data).to_vec();
        }
        self.0[0].1 = manifest.encode_to_vec();
        self.0[6].1.clear();
    }
}
