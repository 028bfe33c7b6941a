//! Owns the tests of a log's next key: it is believed where the former key and the quorum of witnesses have signed for the record
//! that announces it, and nowhere else, whoever asks.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;
mod support;

use counterfoil_proto::v1::{KeyAnnouncement, Origin as OriginBody, Record, record::Body};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::note::{CosignedAt, CosigningKey, KeyName, Note, SigningKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::TlogProof;
use counterfoil_verify::record::{encode, hash, origin_record};
use counterfoil_verify::succession::{SuccessionError, succeed};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use support::{account, okta, record, record_of, time};

const AT: i64 = 1_772_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(common::key_name(common::ORIGIN), &[seed; 32])
}

fn witness(seed: u8) -> CosigningKey {
    CosigningKey::from_seed(KeyName::new(&format!("w{seed}.example/w")).unwrap(), &[seed; 32])
}

/// The policy of a log with this key, and two witnesses of whom both are needed.
fn policy(of: &SigningKey) -> Policy {
    let own = Policy::of_log(of.verifier_key(), IndexKey::new([5; 32])).format().replace("quorum none\n", "");
    let witnesses: String = [50, 51].map(|seed| format!("witness w{seed} {}\n", witness(seed).verifier_key())).concat();
    Policy::parse(format!("{own}{witnesses}group both all w50 w51\nquorum both\n").as_bytes()).unwrap()
}

/// That this key comes in the place of the key 1.
fn announcement(next: &SigningKey) -> KeyAnnouncement {
    announcement_after(&key(1), next)
}

fn announcement_after(former: &SigningKey, next: &SigningKey) -> KeyAnnouncement {
    KeyAnnouncement {
        origin: common::ORIGIN.to_owned(),
        public_key: next.verifier_key().public_key().to_vec(),
        reason: "yearly".to_owned(),
        by: EntityId::of(&account("ops"), &okta()).unwrap().as_bytes().to_vec(),
        former_key: former.verifier_key().public_key().to_vec(),
    }
}

/// A log of five records, of which the fourth says this.
fn log(body: Body) -> Vec<Vec<u8>> {
    let origin = OriginBody {
        origin: common::ORIGIN.to_owned(),
        index_key_commitment: IndexKey::new([5; 32]).commitment().as_bytes().to_vec(),
        predecessor: None,
    };
    let said = Record { commitment: Vec::new(), ..record(3, AT + 3, body) };
    let records = [
        origin_record(origin, time(AT)),
        record_of(1, Vec::new()),
        record_of(2, Vec::new()),
        said,
        record_of(4, Vec::new()),
    ];
    records.iter().map(|record| encode(record).unwrap()).collect()
}

/// A proof of one of the records that carries one of them, signed with a key and cosigned by these witnesses.
fn proof(log: &[Vec<u8>], (index, carried): (usize, usize), key: &SigningKey, witnesses: &[u8]) -> TlogProof {
    let leaves: Vec<LeafHash> = log.iter().map(|record| hash(record)).collect();
    let origin = Origin::new(common::ORIGIN).unwrap();
    let checkpoint = Checkpoint { origin, size: TreeSize(log.len() as u64), root: common::tree_head(&leaves) };
    let mut note: Note = checkpoint.sign(key).unwrap();
    for seed in witnesses {
        let signed = witness(*seed).cosign(note.text(), CosignedAt(1_772_000_100)).unwrap();
        note = note.with_signature(signed).unwrap();
    }
    TlogProof {
        extra: Some(log[carried].clone()),
        index: RecordIndex(index as u64),
        path: common::inclusion_path(index, &leaves),
        checkpoint_note: note.format(),
    }
}

#[test]
fn the_next_key_is_taken_on_the_word_of_the_former_one_and_the_witnesses() {
    let (former, next) = (key(1), key(2));
    let log = log(Body::KeyAnnouncement(announcement(&next)));
    let policy_of_former = policy(&former);
    let succession = succeed(&policy_of_former, &proof(&log, (3, 3), &former, &[50, 51])).unwrap();
    assert_eq!((succession.index, succession.witnesses), (RecordIndex(3), 2));
    assert_eq!((&succession.former, &succession.key), (&former.verifier_key(), &next.verifier_key()));
    assert_eq!(succession.policy, policy(&next), "nothing else of the policy changes");
    // And from there to the one after it, with a checkpoint that the new key signs; the former one no longer counts.
    let third = key(3);
    let log = self::log(Body::KeyAnnouncement(announcement_after(&next, &third)));
    let later = |key: &SigningKey| succeed(&succession.policy, &proof(&log, (3, 3), key, &[50, 51]));
    assert_eq!(later(&next).unwrap().policy, policy(&third));
    assert!(matches!(later(&former), Err(SuccessionError::Attest(_))));
    assert!(later(&key(1).with_beside(&[2; 32])).is_ok(), "both sign while the key changes");
}

#[test]
fn stolen_key_gets_no_other_one_believed() {
    let (former, next) = (key(1), key(2));
    let log = log(Body::KeyAnnouncement(announcement(&next)));
    let asked = policy(&former);
    let refused = |proof: &TlogProof| succeed(&asked, proof).unwrap_err();
    // Without the witnesses, or with too few of them, or with others.
    for witnesses in [&[][..], &[50], &[50, 52]] {
        let refused = refused(&proof(&log, (3, 3), &former, witnesses));
        assert!(matches!(refused, SuccessionError::Attest(_)), "{witnesses:?}: {refused}");
    }
    // Where the policy asks for none, nobody is believed: the proof could be the thief's.
    let unwatched = Policy::of_log(former.verifier_key(), IndexKey::new([5; 32]));
    let told = succeed(&unwatched, &proof(&log, (3, 3), &former, &[50, 51]));
    assert_eq!(told, Err(SuccessionError::NoWitnesses));
    // The new key does not announce itself.
    assert!(matches!(refused(&proof(&log, (3, 3), &next, &[50, 51])), SuccessionError::Attest(_)));
}

/// The announcement of a key that was retired since, and may have been stolen, is in every later tree.
#[test]
fn retired_key_does_not_come_back() {
    let (first, stolen, newest) = (key(1), key(2), key(3));
    let log = log(Body::KeyAnnouncement(announcement_after(&first, &stolen)));
    let asked = policy(&newest);
    let told = succeed(&asked, &proof(&log, (3, 3), &newest, &[50, 51]));
    assert_eq!(told, Err(SuccessionError::OtherKey { index: RecordIndex(3), known: newest.verifier_key().id() }));
}

#[test]
fn what_announces_nothing_is_told() {
    let (former, next) = (key(1), key(2));
    let asked = policy(&former);
    let of = |log: &[Vec<u8>], places: (usize, usize)| proof(log, places, &former, &[50, 51]);
    let announced = log(Body::KeyAnnouncement(announcement(&next)));
    assert_eq!(succeed(&asked, &of(&announced, (4, 4))), Err(SuccessionError::NoAnnouncement(RecordIndex(4))));
    // A record that is not the one of the proof, or none, or one that was changed.
    assert!(matches!(succeed(&asked, &of(&announced, (4, 3))), Err(SuccessionError::Attest(_))));
    let none = TlogProof { extra: None, ..of(&announced, (3, 3)) };
    assert_eq!(succeed(&asked, &none), Err(SuccessionError::NoRecord));
    let mut changed = of(&announced, (3, 3));
    changed.extra.as_mut().unwrap()[60] ^= 1;
    assert!(matches!(succeed(&asked, &changed), Err(SuccessionError::Attest(_))));
    // A record that stands where it does not belong: whoever keeps the log signed that.
    let mut misplaced = announced.clone();
    let said = Body::KeyAnnouncement(announcement(&next));
    misplaced[3] = encode(&Record { commitment: Vec::new(), ..record(9, AT + 3, said) }).unwrap();
    let told = succeed(&asked, &of(&misplaced, (3, 3)));
    assert_eq!(told, Err(SuccessionError::Index { proved: RecordIndex(3), carried: 9 }));
    // What an earlier log announced, whose records this one has.
    let other = KeyAnnouncement { origin: "tests.example/before".to_owned(), ..announcement(&next) };
    let told = succeed(&asked, &of(&log(Body::KeyAnnouncement(other)), (3, 3)));
    assert!(matches!(told, Err(SuccessionError::OtherLog { .. })), "{told:?}");
    // No key, and one that is in the policy already, as the log's or as anybody's.
    let weak = KeyAnnouncement { public_key: vec![0; 32], ..announcement(&next) };
    let told = succeed(&asked, &of(&log(Body::KeyAnnouncement(weak)), (3, 3)));
    assert!(matches!(told, Err(SuccessionError::Key { .. })), "{told:?}");
    let as_witness = SigningKey::from_seed(common::key_name(common::ORIGIN), &[50; 32]);
    for known in [&former, &as_witness] {
        let told = succeed(&asked, &of(&log(Body::KeyAnnouncement(announcement(known))), (3, 3)));
        assert!(matches!(told, Err(SuccessionError::Known(_))), "{told:?}");
    }
}

#[test]
fn two_keys_sign_and_whoever_knows_either_finds_its_signature() {
    let both = key(1).with_beside(&[2; 32]);
    let note = both.sign("a text\n").unwrap();
    assert_eq!(note.signatures().len(), 2);
    for known in [key(1), key(2)] {
        assert_eq!(note.verify(&[known.verifier_key()]).unwrap().len(), 1);
    }
    assert!(note.verify(&[key(3).verifier_key()]).is_err());
    assert_eq!(both.verifier_key(), key(1).verifier_key(), "the first is the key");
}
