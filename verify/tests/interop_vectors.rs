//! Owns the interoperability vectors: the bytes that existing transparency-log tools exchange. They
//! were computed with signed_note and tlog_tiles; the cosignature comes from the specification alone.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::*;
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::hash::{Hash, domain_hash, empty_root, leaf_hash};
use counterfoil_verify::note::{CosignedAt, CosigningKey, Note, SignatureType, VerifierKey};
use counterfoil_verify::proof::{TlogProof, verify_consistency, verify_inclusion};
use counterfoil_verify::tree::{Frontier, RecordIndex, TreeSize, consistency_proof, inclusion_proof, root_at};
use sha2::{Digest, Sha256};

const LOG_VKEY: &str = "example.com/auditledger+ff8e8a15+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const WITNESS_VKEY: &str = "witness.example.com/w1+745fb5e8+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
const LOG_SIGNED_CHECKPOINT: &str = "\
example.com/auditledger
7
3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=

\u{2014} example.com/auditledger /46KFSuxb24FTwrNeOrZ3VWNY0oSd3d2MZVwgqqbIFl/YVAG6KkxDcUrq12FMRH2+HttQT1Z5Qn5+xYhd5rKVUiJWQE=
";
const COSIGNATURE_LINE: &str = "\
\u{2014} witness.example.com/w1 dF+16AAAAABlU/EA21l9ZG0Tjx5NcFhvQofQQHx/Gum5xtBal2EbFawz+Rb+u4ryObFTLSsLXzaz3tf6Kq3GheuwVkFxkkCwIEJWBg==
";
const TLOG_PROOF_HEAD: &str = "\
c2sp.org/tlog-proof@v1
index 5
vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=
sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=
037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=

";
const ADD_CHECKPOINT_PATH: &str = "\
ApjRIpBtz8EIkstTpzmS/FufST6kybrbJ7eRtBJ6f+c=
B1Bqhf2d0vEg62lPhgEeW7RmLlxBWmKRcDPUqWJEh+c=
+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=
g327FS6bB5AQcX6E6GXaTrwPoZioBtWdMb8VrM7yLQ4=
";
const ENTRY_BUNDLE: &str = "0000000100000110000220210002303100044041424300085051525354555657";
const TILE_SHA256: &str = "ec88933a26b0c5a411a10c4afb43f254255423d6a269e8975a7fa0841434e577";

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn cosigned_checkpoint() -> String {
    format!("{LOG_SIGNED_CHECKPOINT}{COSIGNATURE_LINE}")
}

fn verifier_key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).expect("a vector")
}

fn checkpoint_of_seven() -> Checkpoint {
    Checkpoint { origin: origin(), size: TreeSize(7), root: Hash::from_slice(&from_hex(ROOTS[7])).expect("32 bytes") }
}

#[test]
fn roots_of_the_classic_leaves() {
    let leaves = classic_leaves();
    let mut frontier = Frontier::new();
    assert_eq!(empty_root().to_string(), ROOTS[0]);
    assert_eq!(frontier.root().to_string(), ROOTS[0]);
    for (index, leaf) in leaves.iter().enumerate() {
        frontier.append(*leaf, |_| ());
        let expected = ROOTS[index + 1];
        let size = TreeSize(index as u64 + 1);
        assert_eq!(frontier.root().to_string(), expected);
        assert_eq!(tree_head(&leaves[..=index]).to_string(), expected);
        let root = root_at(&Leaves(&leaves), size).expect("in memory");
        assert_eq!(root.to_string(), expected);
    }
}

#[test]
fn verifier_keys() {
    let log = verifier_key(LOG_VKEY);
    assert_eq!(log, log_key().verifier_key());
    assert_eq!(log.to_string(), LOG_VKEY);
    assert_eq!(log.signature_type(), SignatureType::Ed25519);
    assert_eq!(log.id().to_string(), "ff8e8a15");

    let witness = verifier_key(WITNESS_VKEY);
    assert_eq!(witness, witness_key(WITNESS, 2));
    assert_eq!(witness.to_string(), WITNESS_VKEY);
    assert_eq!(witness.signature_type(), SignatureType::Cosignature);
    assert_eq!(witness.id().to_string(), "745fb5e8");
}

#[test]
fn checkpoint_signature_and_cosignature() {
    let signed = checkpoint_of_seven().sign(&log_key()).expect("signs");
    let signed = String::from_utf8(signed.format()).expect("text");
    assert_eq!(signed, LOG_SIGNED_CHECKPOINT);

    let cosigned = cosigned_checkpoint();
    let opened = Checkpoint::open(cosigned.as_bytes(), &origin(), &verifier_key(LOG_VKEY));
    assert_eq!(opened, Ok(checkpoint_of_seven()));

    let note = Note::parse(cosigned.as_bytes()).expect("a note");
    assert_eq!(note.format(), cosigned.as_bytes());
    let keys = [verifier_key(WITNESS_VKEY), verifier_key(LOG_VKEY)];
    let verified = note.verify(&keys).expect("two signatures");
    let seen: Vec<_> =
        verified.iter().map(|signature| (signature.key.name().as_str(), signature.cosigned_at)).collect();
    let expected = [(ORIGIN, None), (WITNESS, Some(CosignedAt(1_700_000_000)))];
    assert_eq!(seen, expected);
}

#[test]
fn a_cosignature_is_made_and_attached() {
    let key = CosigningKey::from_seed(key_name(WITNESS), &[2; 32]);
    assert_eq!(key.verifier_key(), verifier_key(WITNESS_VKEY));
    let signed = checkpoint_of_seven().sign(&log_key()).expect("signs");
    let cosignature = key.cosign(signed.text(), CosignedAt(1_700_000_000)).expect("cosigns");
    assert_eq!(format!("{cosignature}\n"), COSIGNATURE_LINE);
    let cosigned = signed.with_signature(cosignature).expect("fits");
    assert_eq!(cosigned.format(), cosigned_checkpoint().as_bytes());
}

#[test]
fn tlog_proof_of_record_5_in_7() {
    let text = format!("{TLOG_PROOF_HEAD}{}", cosigned_checkpoint());
    let proof = TlogProof::parse(text.as_bytes()).expect("a vector");
    assert_eq!(proof.format(), text.as_bytes());
    assert_eq!((proof.index, &proof.extra), (RecordIndex(5), &None));

    let leaves = classic_leaves();
    let built = inclusion_proof(&Leaves(&leaves), proof.index, TreeSize(7)).expect("in memory");
    assert_eq!(proof.path, built);

    let key = verifier_key(LOG_VKEY);
    let head = Checkpoint::open(&proof.checkpoint_note, &origin(), &key).expect("signed");
    let check = |index| verify_inclusion(leaves[5], RecordIndex(index), head.size, &proof.path, head.root);
    for index in 0..9 {
        assert_eq!(check(index).is_ok(), index == 5, "index {index}");
    }
}

#[test]
fn add_checkpoint_consistency_from_3_to_7() {
    let path: Vec<Hash> = ADD_CHECKPOINT_PATH.lines().map(|line| Hash::from_base64(line).expect("a vector")).collect();
    let leaves = classic_leaves();
    let source = Leaves(&leaves);
    let (old, new) = (TreeSize(3), TreeSize(7));
    let old_root = root_at(&source, old).expect("in memory");
    let new_root = checkpoint_of_seven().root;
    assert_eq!(consistency_proof(&source, old, new), Ok(path.clone()));
    assert_eq!(verify_consistency(old, old_root, new, new_root, &path), Ok(()));

    let head = Checkpoint::open(LOG_SIGNED_CHECKPOINT.as_bytes(), &origin(), &verifier_key(LOG_VKEY));
    assert_eq!(head, Ok(checkpoint_of_seven()));
}

#[test]
fn entry_bundle_and_tile_of_seven_records() {
    let bundle = from_hex(ENTRY_BUNDLE);
    let mut frontier = Frontier::new();
    let mut tile = Vec::new();
    let mut rest = &bundle[..];
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (record, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        frontier.append(leaf_hash(record), |subtree| {
            if subtree.level == 0 {
                tile.extend_from_slice(subtree.hash.as_bytes());
            }
        });
        rest = after;
    }
    assert_eq!(frontier.size(), TreeSize(7));
    assert_eq!(frontier.root(), checkpoint_of_seven().root);
    assert_eq!(tile.len(), 224);
    assert_eq!(Sha256::digest(&tile)[..], from_hex(TILE_SHA256));
}

#[test]
fn the_sample_note_of_go() {
    // From the documentation of the Go package golang.org/x/mod/sumdb/note.
    let key = verifier_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    let note = "\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
";
    let note = Note::parse(note.as_bytes()).expect("a note");
    let keys = [key];
    assert_eq!(note.verify(&keys).expect("signed").len(), 1);
}

#[test]
fn domain_hash_is_the_hash_of_domain_zero_and_parts() {
    let expected = Sha256::digest(b"counterfoil/entity/v1\0headindex");
    let found = domain_hash("counterfoil/entity/v1", &[b"head", b"index"]);
    assert_eq!(found.as_bytes()[..], expected[..]);
    assert_eq!(STANDARD.encode(expected), found.to_base64());
}
