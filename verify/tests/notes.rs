//! Owns the tests of signed notes, keys, checkpoints and the tlog-proof text, against the crates
//! signed_note and tlog_tiles where these have an opinion.

mod common;

use common::*;
use counterfoil_verify::checkpoint::{Checkpoint, CheckpointError, Origin};
use counterfoil_verify::hash::{empty_root, leaf_hash};
use counterfoil_verify::note::{
    CosignedAt, KeyName, NOTE_BYTES_MAX, Note, NoteError, SIGNATURES_MAX, SignatureType, SigningKey, VerifierKey,
};
use counterfoil_verify::proof::{EXTRA_BYTES_MAX, PATH_HASHES_MAX, ProofError, TlogProof, verify_inclusion};
use counterfoil_verify::tree::{RecordIndex, TreeSize, inclusion_proof};
use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

const COSIGNATURE: &str = "\
\u{2014} witness.example.com/w1 dF+16AAAAABlU/EA21l9ZG0Tjx5NcFhvQofQQHx/Gum5xtBal2EbFawz+Rb+u4ryObFTLSsLXzaz3tf6Kq3GheuwVkFxkkCwIEJWBg==
";

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(7), root: tree_head(&classic_leaves()[..7]) }
}

fn signed() -> Vec<u8> {
    checkpoint().sign(&log_key()).expect("signs").format()
}

/// The checkpoint of the vectors with the log's signature and the witness's.
fn cosigned() -> Vec<u8> {
    [&signed()[..], COSIGNATURE.as_bytes()].concat()
}

fn open(note: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(note, &origin(), &log_key().verifier_key())
}

fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// Where the last line of a text begins.
fn last_line_start(text: &[u8]) -> usize {
    let body = text.strip_suffix(b"\n").expect("a final newline");
    let newline = body.iter().rposition(|byte| *byte == b'\n');
    newline.expect("several lines") + 1
}

fn parse(text: &str) -> Result<Note, NoteError> {
    Note::parse(text.as_bytes())
}

proptest! {
    #[test]
    fn notes_agree_with_signed_note(seed in any::<[u8; 32]>(), text in "[ -~\n\u{a0}-\u{2ff}]{0,200}") {
        let text = format!("{text}\n");
        let key = SigningKey::from_seed(key_name("example.com/k"), &seed);
        let note = key.sign(&text).expect("signs");
        prop_assert_eq!(note.text(), &text);
        prop_assert_eq!(Note::parse(&note.format()), Ok(note.clone()));
        prop_assert_eq!(key.sign(&text), Ok(note.clone()));

        let verifier_text = key.verifier_key().to_string();
        let verifier = StandardVerifier::new(&verifier_text).expect("the oracle reads our key");
        let known = VerifierList::new(vec![Box::new(verifier)]);
        let read = signed_note::Note::from_bytes(&note.format()).expect("the oracle reads our note");
        prop_assert!(read.verify(&known).is_ok());

        let signer = StandardSigner::new(&key.to_text()).expect("the oracle reads our private key");
        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).expect("a note");
        theirs.add_sigs(&[&signer]).expect("the oracle signs");
        prop_assert_eq!(theirs.to_bytes(), note.format());

        prop_assert_eq!(VerifierKey::parse(&verifier_text), Ok(key.verifier_key()));
        let private = SigningKey::parse(&key.to_text()).expect("our own private key");
        prop_assert_eq!(private.to_text(), key.to_text());
    }

    #[test]
    fn what_parses_is_written_back_unchanged(bytes in "[\u{2014} a+=/\n\0\r]{0,80}") {
        if let Ok(note) = Note::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.format(), bytes.as_bytes());
        }
        if let Ok(checkpoint) = Checkpoint::parse(&bytes) {
            prop_assert_eq!(checkpoint.format(), bytes);
        }
    }

    #[test]
    fn checkpoints_agree_with_tlog_tiles(size in 1..u64::MAX, leaf in any::<[u8; 8]>()) {
        let checkpoint = Checkpoint { origin: origin(), size: TreeSize(size), root: leaf_hash(&leaf).0 };
        let text = checkpoint.format();
        prop_assert_eq!(Checkpoint::parse(&text), Ok(checkpoint.clone()));
        let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).expect("the oracle reads it");
        prop_assert_eq!(theirs.origin(), ORIGIN);
        prop_assert_eq!(theirs.size(), size);
        prop_assert_eq!(&theirs.hash().0, checkpoint.root.as_bytes());
        prop_assert_eq!(theirs.to_bytes(), text.as_bytes());
    }
}

// For a checkpoint opened with the log's key, each byte of the note belongs to one of two parts. In the
// text, the empty line and the log's signature line, no bit can be flipped. In the witness's line, which
// this verifier cannot judge, a flip may pass, but the checkpoint is the same.
#[test]
fn a_flipped_bit_is_rejected_except_in_the_line_of_an_unknown_key() {
    let note = cosigned();
    let unknown_line = last_line_start(&note);
    let mut passed = 0;
    for (position, flipped) in bit_flips(&note) {
        let Ok(opened) = open(&flipped) else { continue };
        assert!(position >= unknown_line, "a flip of byte {position} passed");
        assert_eq!(opened, checkpoint());
        passed += 1;
    }
    assert!(passed > 300, "only {passed} flips in the unknown line passed");
}

#[test]
fn a_flipped_bit_never_passes_where_only_the_log_signed() {
    for (position, flipped) in bit_flips(&signed()) {
        assert!(open(&flipped).is_err(), "a flip of byte {position} passed");
    }
}

// With both keys known, a flip can make at most one signer unknown (in the name or the key id of its
// line). It never leaves two valid signatures, and never another text.
#[test]
fn a_flipped_bit_loses_the_quorum_of_two() {
    let keys = [log_key().verifier_key(), witness_key(WITNESS, 2)];
    let count = |note: &Note| note.verify(&keys).map(|verified| verified.len());
    let intact = Note::parse(&cosigned()).expect("a note");
    assert_eq!(count(&intact), Ok(2));
    let mut unknown = 0;
    for (position, flipped) in bit_flips(&cosigned()) {
        let Ok(note) = Note::parse(&flipped) else {
            continue;
        };
        match count(&note) {
            Ok(verified) => {
                assert_eq!((verified, note.text()), (1, intact.text()), "byte {position}");
                unknown += 1;
            }
            Err(NoteError::BadSignature { .. }) => (),
            Err(error) => panic!("byte {position}: {error}"),
        }
    }
    assert!(unknown > 100, "only {unknown} flips hid a signer");
}

#[test]
fn a_flipped_bit_of_a_tlog_proof_is_rejected_except_in_what_nobody_signs() {
    let leaves = classic_leaves();
    let proof = TlogProof {
        extra: Some(b"not authenticated".to_vec()),
        index: RecordIndex(5),
        path: inclusion_proof(&Leaves(&leaves), RecordIndex(5), TreeSize(7)).expect("in memory"),
        checkpoint_note: cosigned(),
    };
    let verify = |bytes: &[u8]| {
        let proof = TlogProof::parse(bytes).ok()?;
        let head = open(&proof.checkpoint_note).ok()?;
        verify_inclusion(leaves[5], proof.index, head.size, &proof.path, head.root).ok()?;
        Some(head)
    };
    let bytes = proof.format();
    assert_eq!(verify(&bytes), Some(checkpoint()));
    let extra = bytes.windows(6).position(|window| window == b"extra ").expect("a line") + 6;
    let extra_end = bytes.windows(6).position(|window| window == b"index ").expect("a line") - 1;
    let unknown_line = last_line_start(&bytes);
    let mut passed = 0;
    for (position, flipped) in bit_flips(&bytes) {
        let Some(head) = verify(&flipped) else {
            continue;
        };
        let unsigned = (extra..extra_end).contains(&position) || position >= unknown_line;
        assert!(unsigned, "a flip of byte {position} passed");
        assert_eq!(head, checkpoint());
        passed += 1;
    }
    assert!(passed > 300, "only {passed} flips of unsigned bytes passed");
}

#[test]
fn signatures_by_others_are_ignored_and_bad_ones_by_known_keys_are_not() {
    let log = log_key().verifier_key();
    let other = SigningKey::from_seed(key_name(ORIGIN), &[9; 32]);
    let keys = std::slice::from_ref(&log);
    let text = checkpoint().format();
    let [good, same_name] = [&log_key(), &other].map(|key| key.sign(&text).expect("signs").format());
    let line = |note: &[u8]| text_of(note)[last_line_start(note)..].to_owned();
    let bad = line(&good).replace("JWQE=", "JWQI=");
    assert_ne!(bad, line(&good));
    let check = |lines: &[&str]| {
        let note = parse(&format!("{text}\n{}", lines.concat())).expect("well-formed");
        note.verify(keys).map(|verified| verified.len())
    };
    let rejected = Err(NoteError::BadSignature { name: log.name().clone(), id: log.id() });
    assert_eq!(check(&[&line(&good)]), Ok(1));
    assert_eq!(check(&[&line(&same_name), &line(&good), COSIGNATURE]), Ok(1));
    assert_eq!(check(&[&line(&good), &line(&good)]), Ok(1), "one key counts once");
    assert_eq!(check(&[&bad]), rejected);
    assert_eq!(check(&[&line(&good), &bad]), rejected);
    let unsigned = NoteError::NoKnownSignature { known: 1, found: 2 };
    assert_eq!(check(&[&line(&same_name), COSIGNATURE]), Err(unsigned));

    let note = Note::parse(&good).expect("a note");
    assert!(matches!(note.verify(&[]), Err(NoteError::NoKnownSignature { known: 0, found: 1 })));
    let twice = [log.clone(), log];
    assert!(matches!(note.verify(&twice), Err(NoteError::AmbiguousKey { .. })));
}

#[test]
fn a_cosignature_is_no_log_signature_and_the_other_way_round() {
    // The same Ed25519 key under both types: the ids differ, so one never stands in for the other.
    let as_witness = witness_key(ORIGIN, 1);
    let as_log = log_key().verifier_key();
    assert_eq!(as_witness.public_key(), as_log.public_key());
    assert_ne!(as_witness.id(), as_log.id());
    let note = Note::parse(&signed()).expect("a note");
    assert!(matches!(note.verify(std::slice::from_ref(&as_witness)), Err(NoteError::NoKnownSignature { .. })));
    let opened = Checkpoint::open(&signed(), &origin(), &as_witness);
    assert!(matches!(opened, Err(CheckpointError::CosignerKey { .. })));
}

#[test]
fn a_cosignature_proves_its_own_time_only() {
    let keys = [witness_key(WITNESS, 2)];
    let note = Note::parse(&cosigned()).expect("a note");
    let verified = note.verify(&keys).expect("cosigned");
    assert_eq!(verified[0].cosigned_at, Some(CosignedAt(1_700_000_000)));
    // base64 of the key id and the time 1700000001 in place of 1700000000
    let later = COSIGNATURE.replace("dF+16AAAAABlU/EA", "dF+16AAAAABlU/EB");
    assert_ne!(later, COSIGNATURE);
    let forged = [&signed()[..], later.as_bytes()].concat();
    let note = Note::parse(&forged).expect("a note");
    assert!(matches!(note.verify(&keys), Err(NoteError::BadSignature { .. })));
}

#[test]
fn notes_that_are_not_well_formed() {
    let line = "\u{2014} a AAAAAQI=\n";
    let accepted = |text: &str| assert!(parse(text).is_ok(), "{text:?}");
    let refused = |text: &str| assert!(parse(text).is_err(), "{text:?}");
    accepted(&format!("text\n\n{line}"));
    accepted(&format!("\n\n{line}"));
    accepted(&format!("one\n\ntwo\n\n\n{line}{line}"));
    accepted(&format!("\u{2014} a AAAAAQI=\n\n{line}"));
    for text in ["", "\n", "\n\n", "text\n", "text\n\n", "text\n\n\n"] {
        refused(text);
    }
    refused(line);
    refused(&format!("text\n{line}"));
    refused(&format!("text\n\n{}", line.trim_end()));
    refused(&format!("text\n\n{line}\n"));
    refused(&format!("text\n\n{line}other\n"));
    refused(&format!("text\r\n\n{line}"));
    refused(&format!("te\0xt\n\n{line}"));
    refused(&format!("te\txt\n\n{line}"));
    for line in [
        "- a AAAAAQI=",
        "\u{2014}a AAAAAQI=",
        "\u{2014}  AAAAAQI=",
        "\u{2014} a  AAAAAQI=",
        "\u{2014} a AAAAAQI= ",
        "\u{2014} a+b AAAAAQI=",
        "\u{2014} a\u{a0}b AAAAAQI=",
        "\u{2014} a AAAAAQI",
        "\u{2014} a AAAAAQJ=",
        "\u{2014} a AAAAAQ==",
        "\u{2014} a AAAA",
        "\u{2014} a",
    ] {
        refused(&format!("text\n\n{line}\n"));
    }
    assert_eq!(Note::parse(b"te\xffxt\n\n"), Err(NoteError::NotText { at: 2 }));
}

#[test]
fn the_limits_of_a_note() {
    let line = "\u{2014} a AAAAAQI=\n";
    let lines = |count| format!("text\n\n{}", line.repeat(count));
    assert!(parse(&lines(SIGNATURES_MAX)).is_ok());
    assert_eq!(parse(&lines(SIGNATURES_MAX + 1)), Err(NoteError::TooManySignatures));

    let tail = format!("\n\n{line}");
    let padded = |length: usize| format!("{}{tail}", "x".repeat(length - tail.len()));
    assert!(parse(&padded(NOTE_BYTES_MAX)).is_ok());
    let found = NOTE_BYTES_MAX + 1;
    assert_eq!(parse(&padded(found)), Err(NoteError::TooLong { found }));
    let text = "x".repeat(NOTE_BYTES_MAX - 1) + "\n";
    assert!(matches!(log_key().sign(&text), Err(NoteError::TooLong { .. })));
    assert!(matches!(log_key().sign("no newline"), Err(NoteError::NoteFormat { .. })));
    assert!(matches!(log_key().sign("\r\n"), Err(NoteError::NotText { at: 0 })));
}

#[test]
fn verifier_keys_that_are_refused() {
    let good = log_key().verifier_key().to_string();
    let check = |text: &str| VerifierKey::parse(text).map(|key| key.to_string());
    assert_eq!(check(&good), Ok(good.clone()));
    for (position, flipped) in bit_flips(good.as_bytes()) {
        if let Ok(text) = std::str::from_utf8(&flipped) {
            assert!(check(text).is_err(), "a flip of byte {position} passed: {text}");
        }
    }
    for refused in ["", "a", "a+b", "a+00000000+", &good[1..], &format!("{good}\n"), &good.replace("ff8e", "FF8E")] {
        assert!(check(refused).is_err(), "{refused:?}");
    }

    // RFC 8032: the encoding of the neutral point, under which any message verifies.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let weak = VerifierKey::new(key_name("a"), SignatureType::Ed25519, &neutral);
    assert!(matches!(weak, Err(NoteError::WeakKey { .. })));

    // Types that exist and are not ours: ECDSA, RFC 6962, ML-DSA-44, private.
    for (type_byte, encoded) in [(2, "Ag=="), (5, "BQ=="), (6, "Bg=="), (255, "/w==")] {
        let name = key_name("a");
        let expected = NoteError::SignatureType { name, found: type_byte };
        assert_eq!(check(&format!("a+00000000+{encoded}")), Err(expected));
    }
}

#[test]
fn private_keys_are_not_shown() {
    let key = log_key();
    let shown = format!("{key:?}");
    assert!(shown.contains(ORIGIN) && shown.contains("ff8e8a15"), "{shown}");
    let text = key.to_text();
    let (_, secret) = text.rsplit_once('+').expect("four parts");
    assert!(!shown.contains(secret) && !shown.contains("1, 1, 1"), "{shown}");

    let refused = |text: &str| {
        let error = SigningKey::parse(text).expect_err("a wrong key");
        let told = format!("{error} {error:?}");
        assert!(!told.contains(secret), "{told}");
    };
    refused(secret);
    refused(&text[1..]);
    refused(&text.replace("ff8e8a15", "ff8e8a16"));
    refused(&format!("PRIVATE+KEY+{secret} +ff8e8a15+{secret}"));
    refused(&format!("{}\n", *text));
    refused(&log_key().verifier_key().to_string());
}

#[test]
fn checkpoints_that_are_refused() {
    let root = checkpoint().root.to_base64();
    let check = |text: &str| Checkpoint::parse(text).expect_err("a wrong checkpoint");
    assert_eq!(Checkpoint::parse(&format!("{ORIGIN}\n7\n{root}\n")), Ok(checkpoint()));
    for (extension, found) in [("more\n", 1), ("more\nand more\n", 2), ("\n", 1), ("more", 1)] {
        let text = format!("{ORIGIN}\n7\n{root}\n{extension}");
        assert_eq!(check(&text), CheckpointError::ExtensionLines { found });
    }
    for (text, found) in [("", 0), ("a\n", 1), ("a\n7\n", 2)] {
        assert_eq!(check(text), CheckpointError::Lines { found });
    }
    let unended = check(&format!("{ORIGIN}\n7\n{root}"));
    assert_eq!(unended, CheckpointError::Lines { found: 3 });
    for size in ["", "07", "+7", " 7", "-1", "7.0", "99999999999999999999"] {
        let error = check(&format!("{ORIGIN}\n{size}\n{root}\n"));
        assert!(matches!(error, CheckpointError::Size(_)), "{size:?}: {error}");
    }
    for root in [&root[..43], &format!(" {root}"), "AAAA", ""] {
        let error = check(&format!("{ORIGIN}\n7\n{root}\n"));
        assert!(matches!(error, CheckpointError::Root(_)), "{root:?}: {error}");
    }
    let error = check(&format!("{ORIGIN}\n0\n{root}\n"));
    assert!(matches!(error, CheckpointError::EmptyTreeRoot { .. }));
    let empty = empty_root().to_base64();
    assert!(Checkpoint::parse(&format!("{ORIGIN}\n0\n{empty}\n")).is_ok());
}

#[test]
fn a_checkpoint_is_opened_for_one_log_only() {
    let key = log_key().verifier_key();
    assert_eq!(open(&signed()), Ok(checkpoint()));
    let other = Origin::new("example.com/other").expect("an origin");
    let opened = Checkpoint::open(&signed(), &other, &key);
    assert!(matches!(opened, Err(CheckpointError::OtherLog { .. })));

    let other_key = SigningKey::from_seed(other.key_name(), &[1; 32]);
    let signed = checkpoint().sign(&other_key);
    assert!(matches!(signed, Err(CheckpointError::KeyName { .. })));
    // Signed by the log, but no checkpoint.
    let note = log_key().sign("hello\n").expect("signs").format();
    assert_eq!(open(&note), Err(CheckpointError::Lines { found: 1 }));
}

#[test]
fn origins_and_key_names() {
    let longest = "o".repeat(255);
    for accepted in ["a", ORIGIN, "example.com/log?x=~1", &longest] {
        let origin = Origin::new(accepted).expect("accepted");
        assert_eq!(origin.key_name().as_str(), accepted);
    }
    for refused in ["", "a b", "a+b", "a\n", "a\t", "\u{e9}", "a\u{7f}", &format!("{longest}o")] {
        assert!(Origin::new(refused).is_err(), "{refused:?}");
    }
    for accepted in ["a", "caf\u{e9}", "\u{2014}"] {
        assert!(KeyName::new(accepted).is_ok(), "{accepted:?}");
    }
    for refused in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{2003}b", "a\u{3000}b", "a\0"] {
        assert!(KeyName::new(refused).is_err(), "{refused:?}");
    }
}

#[test]
fn tlog_proofs_that_are_refused() {
    let hash = empty_root().to_base64();
    let good = format!("c2sp.org/tlog-proof@v1\nextra AAEC\nindex 5\n{hash}\n\nnote");
    let check = |text: &str| TlogProof::parse(text.as_bytes());
    let proof = check(&good).expect("accepted");
    assert_eq!(proof.extra, Some(vec![0, 1, 2]));
    assert_eq!((proof.index, proof.path.len()), (RecordIndex(5), 1));
    assert_eq!((proof.format(), &proof.checkpoint_note[..]), (good.clone().into_bytes(), &b"note"[..]));
    let replaced = |from: &str, to: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        check(&text)
    };
    assert!(replaced("extra AAEC\n", "").is_ok());
    assert!(replaced(&format!("{hash}\n"), "").is_ok());
    assert!(replaced("extra AAEC\n", "extra \n").is_ok_and(|proof| proof.extra == Some(Vec::new())));
    for (from, to) in [
        ("@v1", "@v2"),
        ("@v1\n", "@v1\r\n"),
        ("@v1\n", "@v1\n\n"),
        ("extra AAEC", "extra AAE"),
        ("extra AAEC", "extra\tAAEC"),
        ("extra AAEC", "extra AAEC\nextra AAEC"),
        ("extra AAEC\nindex 5", "index 5\nextra AAEC"),
        ("index 5\n", ""),
        ("index 5", "index 05"),
        ("index 5", "index  5"),
        ("index 5", "index -5"),
        ("index 5", "Index 5"),
        (&hash[..], &hash[1..]),
        ("\n\nnote", "\nnote"),
        ("\n\nnote", "\n \nnote"),
        ("\n\nnote", "\n"),
        ("\n\nnote", ""),
    ] {
        assert!(replaced(from, to).is_err(), "{from:?} as {to:?}");
    }
    let path = |count| check(&good.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(count)));
    assert!(path(PATH_HASHES_MAX).is_ok());
    assert_eq!(path(PATH_HASHES_MAX + 1), Err(ProofError::PathTooLong { found: 64 }));
}

#[test]
fn a_tlog_proof_of_the_largest_parts_fits_its_limit() {
    let proof = |extra_bytes, note_bytes| TlogProof {
        extra: Some(vec![7; extra_bytes]),
        index: RecordIndex(u64::MAX),
        path: vec![empty_root(); PATH_HASHES_MAX],
        checkpoint_note: vec![b'x'; note_bytes],
    };
    let largest = proof(EXTRA_BYTES_MAX, NOTE_BYTES_MAX);
    assert_eq!(TlogProof::parse(&largest.format()), Ok(largest));
    for too_large in [proof(EXTRA_BYTES_MAX + 1, 1), proof(EXTRA_BYTES_MAX, NOTE_BYTES_MAX + 1024)] {
        let parsed = TlogProof::parse(&too_large.format());
        assert!(matches!(parsed, Err(ProofError::TooLarge { .. })));
    }
}
