//! Owns the tests of COSE receipts against bytes that the tests put together themselves, head by head from RFC 8949, and sign
//! themselves: the structures are those of RFC 9942 sections 5.2 and 5.3 and RFC 9052 section 4.4.

mod common;

use common::*;
use counterfoil_verify::attest::Attested;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, LeafHash, leaf_hash};
use counterfoil_verify::note::{KeyId, Note, NoteError, SigningKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::proof::{ProofError, including_root};
use counterfoil_verify::receipt::{CoseReceipt, Proof, RECEIPT_BYTES_MAX, RECEIPT_FIRST_BYTE, ReceiptError};
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use ed25519_dalek::Signer;
use proptest::prelude::*;

/// The head of a data item: its major type and its number, in the shortest form (RFC 8949 section 3).
fn head(major: u8, number: u64) -> Vec<u8> {
    let be = number.to_be_bytes();
    match number {
        0..=23 => vec![major << 5 | number as u8],
        24..=0xff => [&[major << 5 | 24], &be[7..]].concat(),
        0x100..=0xffff => [&[major << 5 | 25], &be[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major << 5 | 26], &be[4..]].concat(),
        _ => [&[major << 5 | 27], &be[..]].concat(),
    }
}

fn uint(number: u64) -> Vec<u8> {
    head(0, number)
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [&head(2, content.len() as u64), content].concat()
}

fn text(content: &str) -> Vec<u8> {
    [&head(3, content.len() as u64), content.as_bytes()].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

/// A map of these keys and values, in the order given.
fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let content: Vec<u8> = members.iter().flat_map(|(key, value)| [&key[..], value].concat()).collect();
    [head(5, members.len() as u64), content].concat()
}

fn path(hashes: &[Hash]) -> Vec<u8> {
    array(&hashes.iter().map(|hash| bytes(hash.as_bytes())).collect::<Vec<_>>())
}

const NIL: u8 = 0xf6;
const ALGORITHM_ED25519: u8 = 0x32;
const INCLUSION: u8 = 0x20;
const CONSISTENCY: u8 = 0x21;

/// A receipt, part by part, each of which a test can change before it is signed.
#[derive(Clone)]
struct Model {
    protected: Vec<(Vec<u8>, Vec<u8>)>,
    unprotected: Vec<(Vec<u8>, Vec<u8>)>,
    payload: Vec<u8>,
    root: Hash,
    seed: [u8; 32],
}

impl Model {
    fn new(size: u64, root: Hash, kind: u8, proof: &[u8]) -> Model {
        let vdp = map(&[(vec![kind], array(&[bytes(proof)]))]);
        Model {
            protected: vec![
                (uint(1), vec![ALGORITHM_ED25519]),
                (uint(4), bytes(&[0xff, 0x8e, 0x8a, 0x15])),
                (uint(15), map(&[(uint(1), text(ORIGIN))])),
                (uint(395), uint(1)),
                (text("counterfoil/tree-size"), uint(size)),
            ],
            unprotected: vec![(uint(396), vdp)],
            payload: vec![NIL],
            root,
            seed: [1; 32],
        }
    }

    fn inclusion(leaves: &[LeafHash], index: usize) -> Model {
        let proof = array(&[uint(leaves.len() as u64), uint(index as u64), path(&inclusion_path(index, leaves))]);
        Model::new(leaves.len() as u64, tree_head(leaves), INCLUSION, &proof)
    }

    fn consistency(leaves: &[LeafHash], old: usize) -> Model {
        let proof = array(&[uint(old as u64), uint(leaves.len() as u64), path(&consistency_path(old, leaves))]);
        Model::new(leaves.len() as u64, tree_head(leaves), CONSISTENCY, &proof)
    }

    /// With this proof instead, of the record at index 5 of 7.
    fn with_proof(proof: &[Vec<u8>]) -> Model {
        Model::new(7, tree_head(&classic_leaves()[..7]), INCLUSION, &array(proof))
    }

    /// What is signed: the Sig_structure.
    fn message(&self) -> Vec<u8> {
        array(&[text("Signature1"), bytes(&map(&self.protected)), bytes(&[]), bytes(self.root.as_bytes())])
    }

    fn sealed(&self) -> Vec<u8> {
        let signature = ed25519_dalek::SigningKey::from_bytes(&self.seed).sign(&self.message());
        self.with_signature(&signature.to_bytes())
    }

    fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let parts = [bytes(&map(&self.protected)), map(&self.unprotected), self.payload.clone(), bytes(signature)];
        [head(6, 18), array(&parts)].concat()
    }
}

fn policy(lines: &str) -> Policy {
    let text = format!("log {}\n{lines}", log_key().verifier_key());
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn accepting() -> Policy {
    policy("quorum none\n")
}

fn checkpoint(leaves: &[LeafHash]) -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(leaves.len() as u64), root: tree_head(leaves) }
}

fn made(leaves: &[LeafHash], index: usize) -> Result<CoseReceipt, ReceiptError> {
    let place = (leaves[index], RecordIndex(index as u64));
    CoseReceipt::of_inclusion(&checkpoint(leaves), place, inclusion_path(index, leaves), &log_key())
}

fn made_since(leaves: &[LeafHash], old: usize) -> Result<CoseReceipt, ReceiptError> {
    let since = (TreeSize(old as u64), tree_head(&leaves[..old]));
    CoseReceipt::of_consistency(&checkpoint(leaves), since, consistency_path(old, leaves), &log_key())
}

/// Reads and verifies a receipt of a record by the policy of its log.
fn proved(receipt: &[u8], leaf: LeafHash) -> Result<Checkpoint, ReceiptError> {
    let policy = accepting();
    let receipt = CoseReceipt::parse(receipt)?;
    receipt.prove_inclusion(leaf, &policy).map(|(_, attested)| attested.checkpoint)
}

fn proved_since(receipt: &[u8], old: &[LeafHash]) -> Result<Checkpoint, ReceiptError> {
    let policy = accepting();
    let receipt = CoseReceipt::parse(receipt)?;
    let proved = receipt.prove_consistency(TreeSize(old.len() as u64), tree_head(old), &policy);
    proved.map(|attested| attested.checkpoint)
}

/// The record at index 5 of the 7 of the interoperability vectors.
fn classic() -> (Vec<LeafHash>, Vec<u8>) {
    let leaves = classic_leaves()[..7].to_vec();
    let receipt = Model::inclusion(&leaves, 5).sealed();
    (leaves, receipt)
}

/// The receipt of record 5 of 7 byte for byte, as RFC 9942 sections 4.3 and 5.2 have it. cbor2 and the Ed25519 of OpenSSL,
/// for Python, write the same.
const GOLDEN: &[&str] = &[
    "d2",                                                         // tag 18, COSE_Sign1
    "84",                                                         // an array of four:
    "583f",                                                       // 1. protected: 63 bytes
    "a5",                                                         //    a map of five:
    "01 32",                                                      //    alg: -19
    "04 44 ff8e8a15",                                             //    kid: 4 bytes
    "0f a1 01 77 6578616d706c652e636f6d2f61756469746c6564676572", //    CWT claims: 1 (iss): 23 letters
    "19018b 01",                                                  //    395 (vds): 1
    "75 636f756e746572666f696c2f747265652d73697a65 07",           //    21 letters: 7
    "a1 19018c",                                                  // 2. unprotected: a map of one, 396 (vdp):
    "a1 20",                                                      //    a map of one, -1 (inclusion):
    "81 586a",                                                    //    an array of one string of 106 bytes:
    "83 07 05",                                                   //    an array of three: 7, 5
    "83",                                                         //    and three hashes of 32 bytes
    "5820 bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "5820 b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    "5820 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "f6",   // 3. payload: nil
    "5840", // 4. signature: 64 bytes
    "859329467b33c9458e2cec17479a8f7a9ff2431dd5bc293142f791921bdb356c",
    "d4ffbc08e4a738a534ac131c20f102fab6f50ecf1d22b021153bb2cb00305902",
];

#[test]
fn a_receipt_has_the_bytes_of_the_rfc() {
    let (leaves, model) = classic();
    let golden = from_hex(&GOLDEN.concat().replace(' ', ""));
    assert_eq!(made(&leaves, 5).expect("made").bytes(), golden, "as it is made");
    assert_eq!(model, golden, "as it is put together by hand");
    assert_eq!(golden[0], RECEIPT_FIRST_BYTE);
    assert_eq!(proved(&golden, leaves[5]), Ok(checkpoint(&leaves)));
    let receipt = CoseReceipt::parse(&golden).expect("a receipt");
    assert_eq!((receipt.origin(), receipt.size()), (&origin(), TreeSize(7)));
    let path = inclusion_path(5, &leaves);
    assert_eq!(*receipt.proof(), Proof::Inclusion { index: RecordIndex(5), path });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn receipts_of_every_tree_go_round(size in 1..400_usize, place in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let index = place.index(size);
        let receipt = made(&leaves, index).expect("made");
        prop_assert_eq!(receipt.bytes(), Model::inclusion(&leaves, index).sealed());
        prop_assert_eq!(CoseReceipt::parse(receipt.bytes()), Ok(receipt.clone()));
        prop_assert_eq!(proved(receipt.bytes(), leaves[index]), Ok(checkpoint(&leaves)));
        let other = other.index(size);
        prop_assert_eq!(proved(receipt.bytes(), leaves[other]).is_ok(), other == index);
        // The same signature, and another place.
        let mut moved = Model::inclusion(&leaves, index);
        let signature = receipt.bytes()[receipt.bytes().len() - 64..].to_vec();
        moved.unprotected = Model::inclusion(&leaves, other).unprotected;
        prop_assert_eq!(proved(&moved.with_signature(&signature), leaves[index]).is_ok(), other == index);
    }

    #[test]
    fn receipts_of_every_extension_go_round(size in 2..400_usize, cut in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let (old, other) = (1 + cut.index(size - 1), 1 + other.index(size - 1));
        let receipt = made_since(&leaves, old).expect("made");
        prop_assert_eq!(receipt.bytes(), Model::consistency(&leaves, old).sealed());
        prop_assert_eq!(CoseReceipt::parse(receipt.bytes()), Ok(receipt.clone()));
        prop_assert_eq!(proved_since(receipt.bytes(), &leaves[..old]), Ok(checkpoint(&leaves)));
        prop_assert_eq!(proved_since(receipt.bytes(), &leaves[..other]).is_ok(), other == old);
        // Another history of the same length.
        let mut rewritten = leaves[..old].to_vec();
        rewritten[0] = leaf_hash(b"another");
        prop_assert!(proved_since(receipt.bytes(), &rewritten).is_err());
    }

    #[test]
    fn whatever_comes_is_read_or_refused(junk in proptest::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let (leaves, receipt) = classic();
        let _ = CoseReceipt::parse(&junk);
        prop_assert!(proved(&junk, leaves[5]).is_err());
        let mut patched = receipt.clone();
        let at = at.index(receipt.len());
        let end = receipt.len().min(at + junk.len());
        patched[at..end].copy_from_slice(&junk[..end - at]);
        prop_assert_eq!(proved(&patched, leaves[5]).is_ok(), patched == receipt);
        prop_assert!(proved(&receipt[..cut.index(receipt.len())], leaves[5]).is_err());
    }
}

#[test]
fn no_bit_of_a_receipt_can_be_turned() {
    let (leaves, receipt) = classic();
    for (at, flipped) in bit_flips(&receipt) {
        assert!(proved(&flipped, leaves[5]).is_err(), "byte {at}");
    }
    let receipt = Model::consistency(&leaves, 3).sealed();
    assert!(proved_since(&receipt, &leaves[..3]).is_ok());
    for (at, flipped) in bit_flips(&receipt) {
        assert!(proved_since(&flipped, &leaves[..3]).is_err(), "byte {at}");
    }
}

#[test]
fn another_record_place_or_size_is_not_proved() {
    let (leaves, receipt) = classic();
    let hashes = inclusion_path(5, &leaves);
    let signed = receipt[receipt.len() - 64..].to_vec();
    let at =
        |size: u64, index: u64| Model::with_proof(&[uint(size), uint(index), path(&hashes)]).with_signature(&signed);
    assert_eq!(at(7, 5), receipt);
    assert_eq!(proved(&receipt, leaves[4]), Err(ReceiptError::Signature { origin: origin() }));
    let outside = proved(&at(7, 7), leaves[5]);
    assert!(matches!(outside, Err(ReceiptError::Path(ProofError::IndexOutsideTree { .. }))));
    for index in 0..7 {
        assert_eq!(proved(&at(7, index), leaves[5]).is_ok(), index == 5, "{index}");
    }

    // A root says nothing of sizes: the same path leads to it from the same place of a tree that is larger. RFC 9942 would
    // have nothing against that, since the size is in the header that nobody signs.
    let root = |index, size| including_root(leaves[5], RecordIndex(index), TreeSize(size), &hashes);
    assert_eq!(root(5, 8), root(5, 7));
    let (signed_size, found) = (TreeSize(7), TreeSize(8));
    assert_eq!(proved(&at(8, 5), leaves[5]), Err(ReceiptError::Size { signed: signed_size, found }));
    let mut grown = Model::with_proof(&[uint(8), uint(5), path(&hashes)]);
    grown.protected[4].1 = uint(8);
    assert_eq!(proved(&grown.with_signature(&signed), leaves[5]), Err(ReceiptError::Signature { origin: origin() }));
    // Nor of places: record 6 of 7 would be record 3 of 4.
    let last = inclusion_path(6, &leaves);
    let place = |index, size| including_root(leaves[6], RecordIndex(index), TreeSize(size), &last);
    assert_eq!(place(3, 4), place(6, 7));
    let mut moved = Model::with_proof(&[uint(4), uint(3), path(&last)]);
    moved.protected[4].1 = uint(4);
    let signed = &made(&leaves, 6).expect("made").bytes().to_vec();
    let moved = moved.with_signature(&signed[signed.len() - 64..]);
    assert_eq!(proved(&moved, leaves[6]), Err(ReceiptError::Signature { origin: origin() }));
}

#[test]
fn a_path_is_as_long_as_its_tree_wants() {
    let all = classic_leaves();
    // RFC 9162 has an empty path in the tree of one record, and RFC 9942 refers to it, although its CDDL says "+".
    let alone = Model::inclusion(&all[..1], 0).sealed();
    assert_eq!(made(&all[..1], 0).expect("made").bytes(), alone);
    assert_eq!(proved(&alone, all[0]), Ok(checkpoint(&all[..1])));
    // In a larger tree an empty path leads nowhere, even where its root is signed.
    for size in 2..8_u64 {
        let empty = array(&[uint(size), uint(0), path(&[])]);
        let empty = Model::new(size, all[0].0, INCLUSION, &empty).sealed();
        let ends = ReceiptError::Path(ProofError::PathEndsEarly { found: 0 });
        assert_eq!(proved(&empty, all[0]), Err(ends), "{size}");
    }
    let nothing = Model::new(0, all[0].0, INCLUSION, &array(&[uint(0), uint(0), path(&[])])).sealed();
    assert!(matches!(proved(&nothing, all[0]), Err(ReceiptError::Path(ProofError::IndexOutsideTree { .. }))));

    let (leaves, _) = classic();
    let hashes = inclusion_path(5, &leaves);
    let with = |hashes: &[Hash]| proved(&Model::with_proof(&[uint(7), uint(5), path(hashes)]).sealed(), leaves[5]);
    assert_eq!(with(&hashes), Ok(checkpoint(&leaves)));
    assert_eq!(with(&hashes[..2]), Err(ReceiptError::Path(ProofError::PathEndsEarly { found: 2 })));
    let longer = [&hashes[..], &hashes[..1]].concat();
    assert_eq!(with(&longer), Err(ReceiptError::Path(ProofError::PathGoesOn { found: 4 })));
    let too_long = Model::with_proof(&[uint(7), uint(5), path(&vec![hashes[0]; 64])]).sealed();
    let refused = CoseReceipt::parse(&too_long);
    assert_eq!(refused, Err(ReceiptError::Path(ProofError::PathTooLong { found: 64 })), "before it is verified");
    let far = vec![hashes[0]; 200];
    assert!(matches!(with(&far), Err(ReceiptError::TooLong { .. })));
}

#[test]
fn the_longest_receipt_has_as_many_bytes_as_are_allowed() {
    let longest = Origin::new(&"o".repeat(Origin::BYTES_MAX)).expect("an origin");
    let key = SigningKey::from_seed(longest.key_name(), &[1; 32]);
    let (leaf, index, size) = (leaf_hash(b"far"), RecordIndex(1 << 62), TreeSize(1 << 63));
    let path = vec![tree_head(&classic_leaves()); 63];
    let root = including_root(leaf, index, size, &path).expect("as long as it has to be");
    let checkpoint = Checkpoint { origin: longest, size, root };
    let receipt = CoseReceipt::of_inclusion(&checkpoint, (leaf, index), path, &key).expect("made");
    assert_eq!(receipt.bytes().len(), RECEIPT_BYTES_MAX);
    assert_eq!(CoseReceipt::parse(receipt.bytes()), Ok(receipt.clone()));
    let longer = [receipt.bytes(), &[0]].concat();
    assert_eq!(CoseReceipt::parse(&longer), Err(ReceiptError::TooLong { found: RECEIPT_BYTES_MAX + 1 }));
}

/// All of these are signed by the log's key, or change nothing that is signed: it is the form that is refused.
#[test]
fn every_other_encoding_is_refused() {
    let (leaves, good) = classic();
    let check = |what: &str, changed: &[u8]| {
        assert_ne!(changed, good, "{what}: it is another one");
        let refused =
            CoseReceipt::parse(changed).map(|receipt| receipt.prove_inclusion(leaves[5], &accepting()).is_ok());
        assert!(refused.is_err(), "{what}: {refused:?}");
        refused.expect_err("it is refused")
    };
    let model = Model::inclusion(&leaves, 5);
    let hashes = inclusion_path(5, &leaves);
    assert_eq!(model.sealed(), good);
    let signature = &good[good.len() - 64..];

    let another = |what: &str, change: &dyn Fn(&mut Model)| {
        let mut changed = model.clone();
        change(&mut changed);
        assert_eq!(check(what, &changed.sealed()), ReceiptError::Encoding, "{what}");
    };
    another("a protected header of 1 in two bytes", &|model| model.protected[0].0 = vec![0x18, 1]);
    another("a structure of 1 in two bytes", &|model| model.protected[3].1 = vec![0x18, 1]);
    another("a label of 395 in five bytes", &|model| model.protected[3].0 = vec![0x1a, 0, 0, 1, 0x8b]);
    another("a size of 7 in nine bytes", &|model| model.protected[4].1 = vec![0x1b, 0, 0, 0, 0, 0, 0, 0, 7]);
    another("a key id of unknown length", &|model| {
        model.protected[1].1 = [&[0x5f], &bytes(&[0xff, 0x8e])[..], &bytes(&[0x8a, 0x15]), &[0xff]].concat();
    });
    another("claims of unknown length", &|model| {
        model.protected[2].1 = [&[0xbf], &uint(1)[..], &text(ORIGIN), &[0xff]].concat();
    });
    another("a key id before the algorithm", &|model| model.protected.swap(0, 1));
    another("an unprotected key id", &|model| model.unprotected.insert(0, (uint(4), bytes(b"k"))));
    another("a content type", &|model| model.protected.insert(1, (uint(3), uint(60))));
    another("a critical header", &|model| model.protected.insert(1, (uint(2), array(&[uint(4)]))));
    another("an unprotected label in five bytes", &|model| model.unprotected[0].0 = vec![0x1a, 0, 0, 1, 0x8c]);
    let numbers =
        |size: &[u8], index: &[u8]| Model::with_proof(&[size.to_vec(), index.to_vec(), path(&hashes)]).sealed();
    assert_eq!(numbers(&[7], &[5]), good);
    assert_eq!(check("an index of 5 in two bytes", &numbers(&[7], &[0x18, 5])), ReceiptError::Encoding);
    assert_eq!(check("a size of 7 as a bignum", &numbers(&[0xc2, 0x41, 7], &[5])), ReceiptError::Encoding);

    // Heads outside of what is signed.
    let tail = &good[2..];
    assert_eq!(check("the tag in two more bytes", &[&[0xd9, 0, 18, 0x84], tail].concat()), ReceiptError::Encoding);
    assert_eq!(check("four parts in two bytes", &[&[0xd2, 0x98, 4], tail].concat()), ReceiptError::Encoding);
    assert_eq!(check("parts of unknown number", &[&[0xd2, 0x9f], tail, &[0xff]].concat()), ReceiptError::Encoding);
    let cut = &good[..good.len() - 66];
    assert_eq!(
        check("a signature in pieces", &[cut, &[0x5f, 0x58, 64], signature, &[0xff]].concat()),
        ReceiptError::Encoding
    );
    assert_eq!(check("a long head of it", &[cut, &[0x59, 0, 64], signature].concat()), ReceiptError::Encoding);
    let undefined = [&good[..good.len() - 67], &[0xf7], &good[good.len() - 66..]].concat();
    check("undefined for nil", &undefined);

    for (what, changed) in [
        ("one byte more", [&good[..], &[0]].concat()),
        ("a receipt behind it", good.repeat(2)),
        ("no tag", good[1..].to_vec()),
        ("another tag", [&[0xd1], &good[1..]].concat()),
        ("the tag of a CWT before it", [&[0xd8, 61], &good[..]].concat()),
        ("three parts", [&[0xd2, 0x83], tail].concat()),
        ("nothing", Vec::new()),
        ("arrays in arrays", vec![0x81; RECEIPT_BYTES_MAX]),
        ("tags on tags", vec![0xd2; RECEIPT_BYTES_MAX]),
        ("an array that says it is huge", [&[0xd2, 0x9b, 0xff], &[0xff; 7][..], tail].concat()),
        ("a text that says it is huge", [&[0xd2, 0x84, 0x7b, 0x7f], &[0xff; 7][..], tail].concat()),
    ] {
        assert!(matches!(check(what, &changed), ReceiptError::Cose { .. }), "{what}");
    }
}

#[test]
fn every_other_content_is_refused() {
    let (leaves, good) = classic();
    let model = Model::inclusion(&leaves, 5);
    let hashes = inclusion_path(5, &leaves);
    let check = |what: &str, change: &dyn Fn(&mut Model)| {
        let mut changed = model.clone();
        change(&mut changed);
        let changed = changed.sealed();
        assert_ne!(changed, good, "{what}: it is another one");
        let refused = CoseReceipt::parse(&changed);
        assert!(matches!(refused, Err(ReceiptError::Part { .. })), "{what}: {refused:?}");
    };
    check("a payload", &|model| model.payload = bytes(model.root.as_bytes()));
    check("an empty payload", &|model| model.payload = bytes(&[]));
    check("the algorithm EdDSA", &|model| model.protected[0].1 = vec![0x27]);
    check("the algorithm ES256", &|model| model.protected[0].1 = vec![0x26]);
    check("no algorithm", &|model| drop(model.protected.remove(0)));
    check("an algorithm that nobody signs", &|model| model.unprotected.insert(0, model.protected.remove(0)));
    check("no key id", &|model| drop(model.protected.remove(1)));
    check("a key id of 5 bytes", &|model| model.protected[1].1 = bytes(&[0xff, 0x8e, 0x8a, 0x15, 0]));
    check("no claims", &|model| drop(model.protected.remove(2)));
    check("no issuer", &|model| model.protected[2].1 = map(&[]));
    check("a subject for the issuer", &|model| model.protected[2].1 = map(&[(uint(2), text(ORIGIN))]));
    check("an issuer and a subject", &|model| {
        model.protected[2].1 = map(&[(uint(1), text(ORIGIN)), (uint(2), text("s"))]);
    });
    check("an issuer of bytes", &|model| model.protected[2].1 = map(&[(uint(1), bytes(ORIGIN.as_bytes()))]));
    check("no structure", &|model| drop(model.protected.remove(3)));
    check("another structure", &|model| model.protected[3].1 = uint(2));
    check("the structure of drafts", &|model| model.protected[3].0 = head(1, 110));
    check("no size", &|model| drop(model.protected.remove(4)));
    check("a size below 0", &|model| model.protected[4].1 = head(1, 6));
    check("a size of text", &|model| model.protected[4].1 = text("7"));
    check("a size of another name", &|model| model.protected[4].0 = text("counterfoil/tree-sizf"));
    check("a header more", &|model| model.protected.push((text("counterfoil/tree-size2"), uint(7))));
    check("no proof at all", &|model| model.unprotected.clear());
    check("an unprotected header more", &|model| model.unprotected.push((uint(397), uint(1))));
    check("receipts", &|model| model.unprotected[0].0 = uint(394));
    check("no proofs", &|model| model.unprotected[0].1 = map(&[]));
    let proof = bytes(&array(&[uint(7), uint(5), path(&hashes)]));
    let proofs = |kind: u8, proofs: &[Vec<u8>]| map(&[(vec![kind], array(proofs))]);
    assert_eq!(proofs(INCLUSION, std::slice::from_ref(&proof)), model.unprotected[0].1);
    check("no inclusion", &|model| model.unprotected[0].1 = proofs(INCLUSION, &[]));
    check("two of them", &|model| model.unprotected[0].1 = proofs(INCLUSION, &[proof.clone(), proof.clone()]));
    check("a kind -3", &|model| model.unprotected[0].1 = proofs(0x22, std::slice::from_ref(&proof)));
    check("both kinds", &|model| {
        let one = array(std::slice::from_ref(&proof));
        model.unprotected[0].1 = map(&[(vec![INCLUSION], one.clone()), (vec![CONSISTENCY], one)]);
    });
    check("a proof that is no string", &|model| {
        model.unprotected[0].1 = proofs(INCLUSION, &[array(&[uint(7), uint(5), path(&hashes)])]);
    });
    for (what, parts) in [
        ("no path", vec![uint(7), uint(5)]),
        ("something behind it", vec![uint(7), uint(5), path(&hashes), uint(0)]),
        ("an index below 0", vec![uint(7), head(1, 4), path(&hashes)]),
        ("an index of text", vec![uint(7), text("5"), path(&hashes)]),
        ("an index of 65 bits", vec![uint(7), [&[0xc2][..], &bytes(&[1; 9])].concat(), path(&hashes)]),
        ("a path of one string", vec![uint(7), uint(5), bytes(hashes[0].as_bytes())]),
        ("a hash of 31 bytes", vec![uint(7), uint(5), array(&[bytes(&[7; 31])])]),
        ("a hash of text", vec![uint(7), uint(5), array(&[text(&"7".repeat(32))])]),
    ] {
        check(what, &|model| model.unprotected = Model::with_proof(&parts).unprotected);
    }
    for length in [0, 63, 65] {
        let short = CoseReceipt::parse(&model.with_signature(&vec![1; length]));
        assert!(matches!(short, Err(ReceiptError::Part { .. })), "a signature of {length} bytes: {short:?}");
    }
    let mut twice = model.clone();
    twice.protected.insert(4, twice.protected[3].clone());
    assert!(matches!(CoseReceipt::parse(&twice.sealed()), Err(ReceiptError::Cose { .. })), "a label twice");
    let mut spaced = model.clone();
    spaced.protected[2].1 = map(&[(uint(1), text("example.com/audit ledger"))]);
    assert!(
        matches!(CoseReceipt::parse(&spaced.sealed()), Err(ReceiptError::Origin(_))),
        "an issuer that is no origin"
    );
}

#[test]
fn only_the_log_of_the_policy_makes_a_receipt() {
    let (leaves, good) = classic();
    let receipt = CoseReceipt::parse(&good).expect("a receipt");
    let with = |policy: &str| Policy::parse(policy.as_bytes()).expect("a policy");
    // Another log, and one of the same name with another key.
    let other = SigningKey::from_seed(key_name("example.com/other"), &[1; 32]);
    let stranger = SigningKey::from_seed(key_name(ORIGIN), &[9; 32]);
    let key_id = KeyId::from_bytes([0xff, 0x8e, 0x8a, 0x15]);
    for key in [&other, &stranger] {
        let policy = with(&format!("log {}\nquorum none\n", key.verifier_key()));
        let refused = receipt.prove_inclusion(leaves[5], &policy);
        assert_eq!(refused, Err(ReceiptError::NoLog { origin: origin(), key_id }));
    }
    // A stranger under the name and the id of the log.
    let mut forged = Model::inclusion(&leaves, 5);
    forged.seed = [9; 32];
    assert_eq!(proved(&forged.sealed(), leaves[5]), Err(ReceiptError::Signature { origin: origin() }));
    // Another log of the policy signs what is said to be of this one.
    let both = with(&format!(
        "log {}\nlog {}\nquorum none\n",
        log_key().verifier_key(),
        SigningKey::from_seed(key_name("example.com/other"), &[9; 32]).verifier_key()
    ));
    assert!(receipt.prove_inclusion(leaves[5], &both).is_ok());
    let forged = CoseReceipt::parse(&forged.sealed()).expect("a receipt");
    assert_eq!(forged.prove_inclusion(leaves[5], &both), Err(ReceiptError::Signature { origin: origin() }));
}

#[test]
fn no_quorum_of_witnesses_stands_behind_a_receipt() {
    let (leaves, good) = classic();
    let receipt = CoseReceipt::parse(&good).expect("a receipt");
    let witness = format!("witness w1 {}\n", witness_key(WITNESS, 2));
    let watched = policy(&format!("{witness}quorum w1\n"));
    let refused = receipt.prove_inclusion(leaves[5], &watched);
    assert_eq!(refused, Err(ReceiptError::Quorum { quorum: "w1".to_owned() }));
    let since = CoseReceipt::parse(&Model::consistency(&leaves, 3).sealed()).expect("a receipt");
    let refused = since.prove_consistency(TreeSize(3), tree_head(&leaves[..3]), &watched);
    assert_eq!(refused, Err(ReceiptError::Quorum { quorum: "w1".to_owned() }));
    // Without a quorum nobody asks for them; no replayer has agreed either.
    let unwatched = policy(&format!(
        "{witness}quorum none\n#counterfoil replayer r1 {}\n#counterfoil replayer-quorum r1\n",
        witness_key("r", 3)
    ));
    let (index, attested) = receipt.prove_inclusion(leaves[5], &unwatched).expect("proved");
    assert_eq!(index, RecordIndex(5));
    let Attested { checkpoint: found, log: _, witnesses, replayers, is_replayed } = attested;
    assert_eq!((found, witnesses.len(), replayers.len(), is_replayed), (checkpoint(&leaves), 0, 0, false));
}

#[test]
fn a_receipt_is_of_its_kind_and_from_its_size_on() {
    let (leaves, good) = classic();
    let since = Model::consistency(&leaves, 3).sealed();
    assert_eq!(made_since(&leaves, 3).expect("made").bytes(), since);
    assert_eq!(proved(&since, leaves[5]), Err(ReceiptError::Kind { expected: "inclusion" }));
    assert_eq!(proved_since(&good, &leaves[..3]), Err(ReceiptError::Kind { expected: "consistency" }));
    let (expected, found) = (TreeSize(2), TreeSize(3));
    assert_eq!(proved_since(&since, &leaves[..2]), Err(ReceiptError::OldSize { expected, found }));
    let mut rewritten = leaves[..3].to_vec();
    rewritten[1] = leaf_hash(b"another");
    assert!(matches!(proved_since(&since, &rewritten), Err(ReceiptError::Path(ProofError::OldRoot { .. }))));
    // Of a perfect old tree the root is the beginning of the path, and the signature shows that it is another.
    let perfect = Model::consistency(&leaves, 4).sealed();
    assert!(proved_since(&perfect, &leaves[..4]).is_ok());
    rewritten.push(leaves[3]);
    assert_eq!(proved_since(&perfect, &rewritten), Err(ReceiptError::Signature { origin: origin() }));

    // RFC 9162 has a path from 1 to below the size.
    for old in [0, 7, 8, u64::MAX] {
        let proof = array(&[uint(old), uint(7), path(&[])]);
        let refused = CoseReceipt::parse(&Model::new(7, tree_head(&leaves), CONSISTENCY, &proof).sealed());
        assert!(matches!(refused, Err(ReceiptError::Part { .. })), "{old}: {refused:?}");
        let since = (TreeSize(old), tree_head(&leaves));
        let refused = CoseReceipt::of_consistency(&checkpoint(&leaves), since, Vec::new(), &log_key());
        assert!(matches!(refused, Err(ReceiptError::Part { .. })), "{old}: {refused:?}");
    }
    let sizes = (TreeSize(7), TreeSize(8));
    let proof = array(&[uint(3), uint(8), path(&consistency_path(3, &leaves))]);
    let grown = CoseReceipt::parse(&Model::new(7, tree_head(&leaves), CONSISTENCY, &proof).sealed());
    assert_eq!(grown, Err(ReceiptError::Size { signed: sizes.0, found: sizes.1 }));
}

#[test]
fn a_receipt_is_made_of_what_the_checkpoint_says_alone() {
    let (leaves, _) = classic();
    let head = checkpoint(&leaves);
    let place = (leaves[5], RecordIndex(5));
    let path = inclusion_path(5, &leaves);
    let refused = CoseReceipt::of_inclusion(&head, (leaves[4], RecordIndex(5)), path.clone(), &log_key());
    assert!(matches!(refused, Err(ReceiptError::Root { .. })));
    let refused = CoseReceipt::of_inclusion(&head, place, path[1..].to_vec(), &log_key());
    assert!(matches!(refused, Err(ReceiptError::Path(ProofError::PathEndsEarly { .. }))));
    let other = SigningKey::from_seed(key_name("example.com/other"), &[1; 32]);
    let refused = CoseReceipt::of_inclusion(&head, place, path, &other);
    assert!(matches!(refused, Err(ReceiptError::KeyName { .. })));
    let since = (TreeSize(4), tree_head(&leaves[1..5]));
    let refused = CoseReceipt::of_consistency(&head, since, consistency_path(4, &leaves), &log_key());
    assert!(matches!(refused, Err(ReceiptError::Root { .. })));
}

/// The log's key signs notes as well. The text of a note is UTF-8, which no Sig_structure is.
#[test]
fn a_signature_of_a_receipt_is_none_of_a_note_nor_the_other_way_round() {
    let (leaves, receipt) = classic();
    let message = Model::inclusion(&leaves, 5).message();
    assert_eq!(message[0], 0x84);
    assert!(std::str::from_utf8(&message[..1]).is_err() && std::str::from_utf8(&message).is_err());

    let note = checkpoint(&leaves).sign(&log_key()).expect("signs");
    let own = signature_of(&note);
    let signed = &receipt[receipt.len() - 64..];
    let swapped = Model::inclusion(&leaves, 5).with_signature(&own);
    assert_eq!(proved(&swapped, leaves[5]), Err(ReceiptError::Signature { origin: origin() }));
    let text = String::from_utf8(note.format()).expect("text");
    let swapped = text.replace(&base64_of(&own), &base64_of(signed));
    assert_ne!(swapped, text);
    let keys = [log_key().verifier_key()];
    let refused = Note::parse(swapped.as_bytes()).and_then(|note| note.verify(&keys).map(|_| ()));
    assert!(matches!(refused, Err(NoteError::BadSignature { .. })), "{refused:?}");
}

/// The 64 bytes of the one signature of a note.
fn signature_of(note: &Note) -> Vec<u8> {
    use base64::Engine;
    let line = note.signatures()[0].to_string();
    let encoded = line.rsplit(' ').next().expect("a last word");
    base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64")[4..].to_vec()
}

/// A signature behind the id of the log's key, as a note has it.
fn base64_of(signature: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode([&[0xff, 0x8e, 0x8a, 0x15], signature].concat())
}
