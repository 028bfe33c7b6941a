//! Owns what several tests share: a naive tree written straight from RFC 6962 section 2.1, keys, and
//! bit flips. Never calls the code under test except to hash one leaf or one node of bytes given.
#![allow(dead_code, reason = "each test program uses its own share of this module")]

use std::convert::Infallible;

use counterfoil_verify::checkpoint::Origin;
use counterfoil_verify::hash::{Hash, LeafHash, empty_root, leaf_hash, node_hash};
use counterfoil_verify::note::{KeyName, SignatureType, SigningKey, VerifierKey};
use counterfoil_verify::tree::NodeSource;

pub const ORIGIN: &str = "example.com/auditledger";
pub const WITNESS: &str = "witness.example.com/w1";

/// RFC 6962 section 2.1: MTH(D[n]), over leaf hashes.
pub fn tree_head(leaves: &[LeafHash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => leaf.0,
        _ => {
            let (left, right) = leaves.split_at(largest_power_of_two_below(leaves.len()));
            node_hash(tree_head(left), tree_head(right))
        }
    }
}

/// RFC 6962 section 2.1.1: PATH(m, D[n]).
pub fn inclusion_path(index: usize, leaves: &[LeafHash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = largest_power_of_two_below(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if index < k {
        (inclusion_path(index, left), tree_head(right))
    } else {
        (inclusion_path(index - k, right), tree_head(left))
    };
    path.push(sibling);
    path
}

/// RFC 6962 section 2.1.2: PROOF(m, D[n]) = SUBPROOF(m, D[n], true), for 0 < m < n.
pub fn consistency_path(old: usize, leaves: &[LeafHash]) -> Vec<Hash> {
    subproof(old, leaves, true)
}

fn subproof(old: usize, leaves: &[LeafHash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![tree_head(leaves)] };
    }
    let k = largest_power_of_two_below(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = if old <= k {
        (subproof(old, left, whole), tree_head(right))
    } else {
        (subproof(old - k, right, false), tree_head(left))
    };
    path.push(sibling);
    path
}

fn largest_power_of_two_below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// Answers every perfect subtree from a list of leaves; panics if asked beyond it, which the code
/// under test must never do.
pub struct Leaves<'a>(pub &'a [LeafHash]);

impl NodeSource for Leaves<'_> {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let width = 1 << level;
        let start = usize::try_from(index).expect("a small tree") * width;
        Ok(tree_head(&self.0[start..start + width]))
    }
}

/// The records and the leaves of a tree of `size` records, all different.
pub fn leaves(size: usize) -> Vec<LeafHash> {
    (0..size).map(|index| leaf_hash(&record(index))).collect()
}

pub fn record(index: usize) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

/// The eight records of the Certificate Transparency test vectors.
pub fn classic_records() -> Vec<Vec<u8>> {
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .map(from_hex)
        .to_vec()
}

pub fn classic_leaves() -> Vec<LeafHash> {
    let records = classic_records();
    records.iter().map(|record| leaf_hash(record)).collect()
}

pub fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

pub fn origin() -> Origin {
    Origin::new(ORIGIN).expect("a valid origin")
}

pub fn key_name(name: &str) -> KeyName {
    KeyName::new(name).expect("a valid key name")
}

/// The log key of the interoperability vectors.
pub fn log_key() -> SigningKey {
    SigningKey::from_seed(key_name(ORIGIN), &[1; 32])
}

/// A cosigner's key from a seed of one repeated byte; 2 is the witness of the vectors.
pub fn witness_key(name: &str, seed: u8) -> VerifierKey {
    let public = SigningKey::from_seed(key_name(name), &[seed; 32]).verifier_key();
    VerifierKey::new(public.name().clone(), SignatureType::Cosignature, public.public_key()).expect("a good key")
}

/// Every copy of `bytes` with one bit flipped, each with the position of its byte.
pub fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, flipped)
    })
}

/// Every copy of `hash` with one bit flipped.
pub fn hash_flips(hash: Hash) -> impl Iterator<Item = Hash> {
    let flips: Vec<_> = bit_flips(hash.as_bytes()).collect();
    flips.into_iter().map(|(_, bytes)| Hash::from_slice(&bytes).expect("32 bytes"))
}
