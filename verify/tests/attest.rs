//! Owns the tests of what a policy accepts: checkpoints with their cosignatures, and tlog-proofs.

mod common;

use common::*;
use counterfoil_verify::attest::{AttestError, Attested};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::note::{CosignedAt, CosigningKey, Note, NoteError, SIGNATURES_MAX, Signature, SigningKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::{ProofError, TlogProof};
use counterfoil_verify::tree::{RecordIndex, TreeSize, inclusion_proof};
use proptest::prelude::*;

const SIZE: usize = 7;

fn cosigner(seed: u8) -> CosigningKey {
    CosigningKey::from_seed(key_name(&format!("cosigner.example/{seed}")), &[seed; 32])
}

/// The checkpoint of the vectors, cosigned by these.
fn cosigned(seeds: impl IntoIterator<Item = u8>) -> Note {
    let head = Checkpoint { origin: origin(), size: TreeSize(7), root: tree_head(&classic_leaves()[..SIZE]) };
    let signed = head.sign(&log_key()).expect("signs");
    seeds.into_iter().fold(signed, |note, seed| {
        let signature = cosigner(seed).cosign(note.text(), CosignedAt(1_000 + u64::from(seed))).expect("cosigns");
        note.with_signature(signature).expect("fits")
    })
}

fn policy(lines: &str) -> Policy {
    let text = format!("log {}\n{lines}", log_key().verifier_key());
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn line(kind: &str, seed: u8) -> String {
    format!("{kind} c{seed} {}\n", cosigner(seed).verifier_key())
}

fn lines(kind: &str, seeds: std::ops::RangeInclusive<u8>) -> String {
    seeds.map(|seed| line(kind, seed)).collect()
}

#[test]
fn a_quorum_is_what_the_policy_says() {
    // Two of three in one group, any of two in the other.
    let text = format!(
        "{}group most 2 c11 c12 c13\ngroup one any c14 c15\ngroup both all most one\nquorum both\n",
        lines("witness", 11..=15)
    );
    let policy = policy(&text);
    // Written down by hand for all 32 sets of cosigners.
    for set in 0..32_u8 {
        let seeds: Vec<u8> = (0..5).filter(|bit| set >> bit & 1 == 1).map(|bit| 11 + bit).collect();
        let most = seeds.iter().filter(|seed| **seed <= 13).count() >= 2;
        let one = seeds.iter().any(|seed| *seed >= 14);
        let note = cosigned(seeds.iter().copied()).format();
        match Attested::open(&note, &policy) {
            Ok(attested) => {
                assert!(most && one, "{seeds:?}");
                let found: Vec<(String, u64)> =
                    attested.witnesses.iter().map(|witness| (witness.by.name.clone(), witness.at.0)).collect();
                let expected: Vec<(String, u64)> =
                    seeds.iter().map(|seed| (format!("c{seed}"), 1_000 + u64::from(*seed))).collect();
                assert_eq!(found, expected);
                assert!(attested.replayers.is_empty() && !attested.is_replayed);
            }
            Err(error) => {
                assert!(!(most && one), "{seeds:?}");
                assert_eq!(error, AttestError::Quorum { quorum: "both".to_owned(), found: seeds.len() });
            }
        }
    }
}

#[test]
fn replayers_have_a_quorum_of_their_own_that_no_witness_reaches() {
    let own = |quorum: &str| {
        let replayers = lines("#counterfoil replayer", 21..=23);
        let group = "#counterfoil replayer-group two 2 c21 c22 c23\n";
        format!("{}quorum c11\n{replayers}{group}{quorum}", lines("witness", 11..=12))
    };
    let named = policy(&own("#counterfoil replayer-quorum two\n"));
    let unnamed = policy(&own(""));
    let check = |policy: &Policy, seeds: &[u8], replayed: Option<(usize, bool)>| {
        let note = cosigned(seeds.iter().copied()).format();
        let attested = Attested::open(&note, policy).map(|attested| (attested.replayers.len(), attested.is_replayed));
        assert_eq!(attested.ok(), replayed, "{seeds:?}");
    };
    check(&named, &[11, 21, 22], Some((2, true)));
    check(&named, &[11, 21], Some((1, false)));
    check(&named, &[11, 12], Some((0, false)));
    // However many replayers agree, the witness is missing.
    check(&named, &[21, 22, 23], None);
    check(&named, &[12, 21, 22, 23], None);
    // Without a quorum nobody said how many are enough.
    check(&unnamed, &[11, 21, 22, 23], Some((3, false)));
}

#[test]
fn only_the_log_of_the_policy_makes_a_checkpoint() {
    let accepted = policy("quorum none\n");
    let good = cosigned([]).format();
    assert!(Attested::open(&good, &accepted).is_ok());
    // Its name, and another key.
    let stranger = SigningKey::from_seed(key_name(ORIGIN), &[9; 32]);
    let forged = Checkpoint { origin: origin(), size: TreeSize(7), root: tree_head(&classic_leaves()[..SIZE]) };
    let forged = forged.sign(&stranger).expect("signs");
    assert!(matches!(Attested::open(&forged.format(), &accepted), Err(AttestError::NoLog { .. })));
    // Another log of the policy signs what is said to be of this one.
    let other = SigningKey::from_seed(key_name("example.com/other"), &[8; 32]);
    let both = policy(&format!("log {}\nquorum none\n", other.verifier_key()));
    let signed = other.sign(cosigned([]).text()).expect("signs");
    assert_eq!(Attested::open(&signed.format(), &both), Err(AttestError::NoLog { origin: origin() }));
    // A cosigner alone makes none either.
    let text = cosigned([]).text().to_owned();
    let cosignature = cosigner(11).cosign(&text, CosignedAt(5)).expect("cosigns");
    let alone = format!("{text}\n{cosignature}\n");
    let watched = policy(&format!("{}quorum c11\n", line("witness", 11)));
    assert_eq!(Attested::open(alone.as_bytes(), &watched), Err(AttestError::NoLog { origin: origin() }));
    // A known key and a bad signature: the whole note is refused, although nobody asks for that witness.
    let lying = cosigned([11]);
    let moved = String::from_utf8(lying.format()).expect("text").replace("\n7\n", "\n8\n");
    let lenient = policy(&format!("{}quorum none\n", line("witness", 11)));
    assert!(matches!(
        Attested::open(moved.as_bytes(), &lenient),
        Err(AttestError::Note(NoteError::BadSignature { .. }))
    ));
}

#[test]
fn a_tlog_proof_is_verified_to_its_end() {
    let leaves = classic_leaves();
    let watched = policy(&format!("{}quorum c11\n", line("witness", 11)));
    let path = inclusion_proof(&Leaves(&leaves), RecordIndex(5), TreeSize(7)).expect("in memory");
    let proof = TlogProof { extra: None, index: RecordIndex(5), path, checkpoint_note: cosigned([11]).format() };
    let attested = Attested::prove(&proof, leaves[5], &watched).expect("a good proof");
    assert_eq!((attested.checkpoint.size, attested.witnesses.len()), (TreeSize(7), 1));

    let refused = |change: &dyn Fn(&mut TlogProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        Attested::prove(&changed, leaves[5], &watched).expect_err("a changed proof")
    };
    let is_path = |error: AttestError| matches!(error, AttestError::Inclusion(_));
    assert!(is_path(refused(&|proof| proof.index = RecordIndex(4))));
    let outside = refused(&|proof| proof.index = RecordIndex(7));
    assert!(matches!(outside, AttestError::Inclusion(ProofError::IndexOutsideTree { .. })));
    assert!(is_path(refused(&|proof| proof.path.truncate(2))));
    assert!(is_path(refused(&|proof| proof.path.swap(0, 1))));
    let unwitnessed = refused(&|proof| proof.checkpoint_note = cosigned([12]).format());
    assert_eq!(unwitnessed, AttestError::Quorum { quorum: "c11".to_owned(), found: 0 });
    assert!(matches!(refused(&|proof| proof.checkpoint_note.truncate(80)), AttestError::Note(_)));
    assert!(is_path(Attested::prove(&proof, leaves[4], &watched).expect_err("another record")));
    // Nothing vouches for the extra data.
    let mut noted = proof.clone();
    noted.extra = Some(b"anything".to_vec());
    assert!(Attested::prove(&noted, leaves[5], &watched).is_ok());
}

#[test]
fn a_cosigner_is_no_log_and_its_key_travels() {
    let key = cosigner(11);
    let text = key.to_text();
    let again = CosigningKey::parse(&text).expect("its own text");
    assert_eq!((again.verifier_key(), again.to_text()), (key.verifier_key(), text.clone()));
    assert!(!format!("{key:?}").contains(&text[text.len() - 20..]), "it is not shown");
    assert!(matches!(SigningKey::parse(&text), Err(NoteError::KeyFormat { .. })));
    assert!(matches!(CosigningKey::parse(&log_key().to_text()), Err(NoteError::KeyFormat { .. })));
    let misnamed = text.replace("cosigner.example/11", "cosigner.example/12");
    assert!(matches!(CosigningKey::parse(&misnamed), Err(NoteError::KeyIdMismatch { .. })));

    let (text, at) = ("a\n", CosignedAt(1));
    assert!(key.cosign(text, CosignedAt(i64::MAX as u64)).is_ok());
    assert!(matches!(key.cosign(text, CosignedAt(1 << 63)), Err(NoteError::NoteFormat { .. })));
    assert!(matches!(key.cosign("a", at), Err(NoteError::NoteFormat { .. })));
    assert!(matches!(key.cosign("a\0\n", at), Err(NoteError::NotText { .. })));
}

#[test]
fn a_newer_cosignature_replaces_that_of_the_same_key() {
    let note = cosigned([11, 12]);
    let newer = cosigner(11).cosign(note.text(), CosignedAt(9_999)).expect("cosigns");
    let note = note.with_signature(newer).expect("fits");
    let policy = policy(&format!("{}quorum c11\n", lines("witness", 11..=12)));
    let attested = Attested::open(&note.format(), &policy)
        .map(|attested| attested.witnesses.iter().map(|witness| witness.at.0).collect::<Vec<_>>());
    assert_eq!(attested, Ok(vec![9_999, 1_012]));
    let full = (0..98_u8).fold(cosigned([]), |note, seed| {
        let signature = cosigner(seed + 100).cosign(note.text(), CosignedAt(1)).expect("cosigns");
        note.with_signature(signature).expect("fits")
    });
    let line = |seed: u8| cosigner(seed).cosign(full.text(), CosignedAt(1)).expect("cosigns");
    let full = full.with_signature(line(1)).expect("one hundred");
    assert_eq!(full.format().iter().filter(|byte| **byte == 0xe2).count(), SIGNATURES_MAX);
    assert_eq!(full.with_signature(line(3)), Err(NoteError::TooManySignatures));
    assert!(full.with_signature(line(1)).is_ok(), "it takes a place that it has");
}

proptest! {
    #[test]
    fn a_cosignature_verifies_for_its_text_and_time_alone(seed: [u8; 32], time in 0..i64::MAX as u64, text in "[ -~\n]{0,60}") {
        let key = CosigningKey::from_seed(key_name("cosigner.example/k"), &seed);
        let text = format!("{text}\n");
        let line = key.cosign(&text, CosignedAt(time)).expect("cosigns").to_string();
        let parsed = Signature::parse(&line);
        prop_assert_eq!(parsed.as_ref().map(ToString::to_string), Some(line.clone()));
        let keys = [key.verifier_key()];
        let verify = |text: &str| Note::parse(format!("{text}\n{line}\n").as_bytes()).and_then(|note| {
            note.verify(&keys).map(|verified| verified[0].cosigned_at)
        });
        prop_assert_eq!(verify(&text), Ok(Some(CosignedAt(time))));
        let other = format!("{}x{text}", "");
        prop_assert!(verify(&other).is_err());
        let oracle = format!("cosignature/v1\ntime {time}\n{text}");
        let plain = SigningKey::from_seed(key_name("cosigner.example/k"), &seed).sign(&oracle).expect("signs");
        // The last 64 bytes are those of a plain signature over the message of C2SP tlog-cosignature.
        let tail = |line: &str| {
            use base64::Engine;
            let encoded = line.trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
            let blob = base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64");
            blob[blob.len() - 64..].to_vec()
        };
        let plain = String::from_utf8(plain.format()).expect("text");
        prop_assert_eq!(tail(&line), tail(&plain));
    }
}
