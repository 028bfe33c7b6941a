//! Owns COSE receipts (RFC 9942) of this log's tree: that a record is in it, or that it goes on from a smaller one, signed by
//! the log's key over the root that the path leads to.
//!
//! ```text
//! 18([                                        COSE_Sign1 (RFC 9052 section 4.2)
//!   << { 1: -19,                              algorithm: Ed25519 (RFC 9864)
//!        4: h'ff8e8a15',                      the id of the log's key, as in its checkpoints
//!        15: {1: "example.com/auditledger"},  who issues it: the origin (RFC 9597)
//!        395: 1,                              RFC9162_SHA256
//!        "counterfoil/tree-size": 7 } >>,
//!   { 396: { -1: [ << [7, 5, [h'bc1a…', h'b088…', h'd37e…']] >> ] } },
//!   nil,                                      the root, which whoever verifies computes
//!   h'8593…'
//! ])
//! ```
//!
//! A root does not say how large its tree is: one path fits records at other places of trees of other sizes. So the size is
//! signed as well, and with it the place: in one tree, a path of its length and turns leads to one leaf.
//!
//! Never accepts a second encoding of what it reads, and never finds a quorum of witnesses: a receipt has no cosignatures.

use coset::cbor::Value;
use coset::{
    Algorithm, CborSerializable, CoseError, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label,
    TaggedCborSerializable, iana,
};

use crate::attest::Attested;
use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::hash::{Hash, LeafHash};
use crate::note::{KeyId, KeyName, SigningKey};
use crate::policy::{Policy, Quorum};
use crate::proof::{PATH_HASHES_MAX, ProofError, extending_root, including_root};
use crate::tree::{RecordIndex, TreeSize};

/// Bytes of a receipt, at most: 63 hashes of 2 + 32 bytes each, the origin, and 152 for the rest. Of these the signature has
/// 66, the protected header 52, the unprotected one 31, and tag, array and payload have 3.
pub const RECEIPT_BYTES_MAX: usize = PATH_HASHES_MAX * (2 + Hash::LENGTH) + Origin::BYTES_MAX + 152;

/// The first byte of every receipt: the tag 18 of a COSE_Sign1. No tlog-proof begins with it.
pub const RECEIPT_FIRST_BYTE: u8 = 0xd2;

// Labels of COSE headers: RFC 9597 for 15, RFC 9942 section 2 for the others.
const CWT_CLAIMS: i64 = 15;
const VDS: i64 = 395;
const VDP: i64 = 396;
/// A label of our own. It is the last in the order of encoded labels (RFC 8949 section 4.2.1).
const TREE_SIZE: &str = "counterfoil/tree-size";
/// The claim of a CWT that says who issues it.
const ISSUER: i64 = 1;
/// RFC 9942 section 4.1: the tree of RFC 9162, with SHA-256.
const RFC9162_SHA256: i64 = 1;
// RFC 9942 section 4.2.
const INCLUSION: i64 = -1;
const CONSISTENCY: i64 = -2;

/// A COSE receipt, well-formed but **not verified**. One receipt has one encoding: what [`CoseReceipt::parse`] accepts,
/// [`CoseReceipt::bytes`] gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoseReceipt {
    head: Head,
    proof: Proof,
    signature: [u8; 64],
    bytes: Vec<u8>,
}

/// What a receipt is to show of the tree that its head names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// That a record is in it (RFC 9942 section 5.2).
    Inclusion {
        /// Where the record is.
        index: RecordIndex,
        /// The inclusion path, leaf's sibling first. Empty in a tree of one record alone, at most [`PATH_HASHES_MAX`] hashes.
        path: Vec<Hash>,
    },
    /// That it goes on from a smaller one (RFC 9942 section 5.3).
    Consistency {
        /// Size of the smaller tree: at least 1.
        old: TreeSize,
        /// The consistency path, at most [`PATH_HASHES_MAX`] hashes.
        path: Vec<Hash>,
    },
}

/// What is signed besides the root.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    key_id: KeyId,
    origin: Origin,
    size: TreeSize,
}

/// Why a receipt is refused, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The receipt is too long.
    #[error("expected a COSE receipt of at most {RECEIPT_BYTES_MAX} bytes, got {found}: reject it")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// The bytes are no COSE_Sign1.
    #[error(
        "expected a COSE_Sign1 with the tag 18 and nothing behind it, got something else ({problem}): copy it whole"
    )]
    Cose {
        /// What does not fit, in the words of the decoder.
        problem: String,
    },
    /// A part is not what a receipt has there.
    #[error("expected {expected} in the COSE receipt: check that it is one of a Counterfoil log (RFC 9942)")]
    Part {
        /// What should have been there.
        expected: &'static str,
    },
    /// The origin is none.
    #[error("read the issuer of the COSE receipt")]
    Origin(#[source] CheckpointError),
    /// There is more than a receipt has, or it is encoded in another way.
    #[error(
        "expected the COSE receipt with no further headers and in its deterministic encoding (RFC 8949 section 4.2.1), got \
         another one: reject it"
    )]
    Encoding,
    /// The size in the proof is not the one that is signed.
    #[error("expected a proof for the tree size {signed} that is signed, got one for {found}: reject the receipt")]
    Size {
        /// Size in the protected header.
        signed: TreeSize,
        /// Size in the proof.
        found: TreeSize,
    },
    /// A receipt of one kind where the other is needed.
    #[error("expected a COSE receipt of {expected}, got the other kind: ask for that one")]
    Kind {
        /// The kind needed.
        expected: &'static str,
    },
    /// The receipt starts from another tree than the one that is known.
    #[error("expected a COSE receipt from the tree size {expected} on, got one from {found}: ask for one from there")]
    OldSize {
        /// Size of the tree that is known.
        expected: TreeSize,
        /// Size that the receipt starts from.
        found: TreeSize,
    },
    /// The path is not one of such a tree.
    #[error("check the path of the COSE receipt")]
    Path(#[source] ProofError),
    /// The policy does not name the log, or another key of it.
    #[error(
        "expected a COSE receipt by a log of the policy, got one by {origin} with the key {key_id}: use that log's policy. A \
         log that goes on after a loss has a new name and a new policy, and says in record 0 what was lost"
    )]
    NoLog {
        /// The log that it is said to be of.
        origin: Origin,
        /// The key that it is said to be signed with.
        key_id: KeyId,
    },
    /// The key has not signed the root that the path leads to.
    #[error(
        "expected the key of {origin} to have signed the root that the path leads to, got a bad signature: it is another \
         record, or the receipt was changed; reject it"
    )]
    Signature {
        /// The log.
        origin: Origin,
    },
    /// The policy asks for witnesses.
    #[error(
        "expected enough witnesses for the policy's quorum {quorum:?}, got a COSE receipt, which carries no cosignatures: ask \
         the log for a tlog-proof"
    )]
    Quorum {
        /// The name of the quorum.
        quorum: String,
    },
    /// The signing key does not carry the name of the log.
    #[error("expected a signing key named like the origin {origin}, got {name}: name the key so")]
    KeyName {
        /// Origin of the checkpoint.
        origin: Origin,
        /// Name of the key.
        name: KeyName,
    },
    /// The path does not lead to the root of the checkpoint.
    #[error("expected the path to lead to the root {expected} of the checkpoint, got {found}: nothing is signed")]
    Root {
        /// Root of the checkpoint.
        expected: Hash,
        /// Root that the path leads to.
        found: Hash,
    },
}

impl CoseReceipt {
    /// Makes the receipt that the record with this leaf hash is at `index` of a checkpoint that **the log has signed already**:
    /// what must not be signed in a checkpoint must not be signed here.
    ///
    /// # Errors
    /// [`ReceiptError::KeyName`]; [`ReceiptError::Path`] or [`ReceiptError::Root`] if the path is not the record's.
    pub fn of_inclusion(
        checkpoint: &Checkpoint,
        (leaf, index): (LeafHash, RecordIndex),
        path: Vec<Hash>,
        key: &SigningKey,
    ) -> Result<CoseReceipt, ReceiptError> {
        let root = including_root(leaf, index, checkpoint.size, &path).map_err(ReceiptError::Path)?;
        CoseReceipt::sign(checkpoint, root, Proof::Inclusion { index, path }, key)
    }

    /// Makes the receipt that a checkpoint, which **the log has signed already**, goes on from the tree of `old` records with
    /// this root. `old` is at least 1 and below the size of the checkpoint (RFC 9162 section 2.1.4.1).
    ///
    /// # Errors
    /// As of [`CoseReceipt::of_inclusion`], and [`ReceiptError::Part`] for another `old`.
    pub fn of_consistency(
        checkpoint: &Checkpoint,
        (old, old_root): (TreeSize, Hash),
        path: Vec<Hash>,
        key: &SigningKey,
    ) -> Result<CoseReceipt, ReceiptError> {
        check_old_size(old, checkpoint.size)?;
        let root = extending_root(old, old_root, checkpoint.size, &path).map_err(ReceiptError::Path)?;
        CoseReceipt::sign(checkpoint, root, Proof::Consistency { old, path }, key)
    }

    fn sign(checkpoint: &Checkpoint, root: Hash, proof: Proof, key: &SigningKey) -> Result<CoseReceipt, ReceiptError> {
        let Checkpoint { origin, size, root: expected } = checkpoint.clone();
        if key.name().as_str() != origin.as_str() {
            return Err(ReceiptError::KeyName { origin, name: key.name().clone() });
        }
        if root != expected {
            return Err(ReceiptError::Root { expected, found: root });
        }
        let head = Head { key_id: key.verifier_key().id(), origin, size };
        let signature = key.sign_bytes(&message(&head, root));
        let bytes = encode(&head, &proof, &signature)?;
        Ok(CoseReceipt { head, proof, signature, bytes })
    }

    /// Reads a receipt of at most [`RECEIPT_BYTES_MAX`] bytes: one proof, a detached payload, and the headers of the example
    /// above, in the one encoding that [`CoseReceipt::bytes`] has.
    ///
    /// # Errors
    /// [`ReceiptError::TooLong`], [`ReceiptError::Cose`], [`ReceiptError::Part`], [`ReceiptError::Origin`],
    /// [`ReceiptError::Path`], [`ReceiptError::Size`] or [`ReceiptError::Encoding`].
    pub fn parse(bytes: &[u8]) -> Result<CoseReceipt, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { found: bytes.len() });
        }
        let sign1 = CoseSign1::from_tagged_slice(bytes).map_err(no_cose)?;
        if sign1.payload.is_some() {
            return Err(ReceiptError::Part {
                expected: "nil for the payload, since whoever verifies computes the root,",
            });
        }
        let head = read_head(&sign1.protected.header)?;
        let proof = read_proof(&sign1.unprotected, head.size)?;
        let signature = <[u8; 64]>::try_from(sign1.signature)
            .map_err(|_| ReceiptError::Part { expected: "a signature of 64 bytes" })?;
        // Whatever else is in it, and however else it is written, is not in what is written anew.
        if encode(&head, &proof, &signature)? != bytes {
            return Err(ReceiptError::Encoding);
        }
        Ok(CoseReceipt { head, proof, signature, bytes: bytes.to_vec() })
    }

    /// Verifies that the record with this leaf hash is in the tree: its path, then the log's signature over the root that it
    /// leads to and over the size, by the policy (RFC 9942 section 5.2). Gives where the record is, and in which tree. A policy
    /// with a quorum of witnesses is never satisfied.
    ///
    /// # Errors
    /// [`ReceiptError::Kind`], [`ReceiptError::Path`], [`ReceiptError::NoLog`], [`ReceiptError::Signature`] or
    /// [`ReceiptError::Quorum`]; nothing is proved then.
    pub fn prove_inclusion<'p>(
        &self,
        leaf: LeafHash,
        policy: &'p Policy,
    ) -> Result<(RecordIndex, Attested<'p>), ReceiptError> {
        let Proof::Inclusion { index, path } = &self.proof else {
            return Err(ReceiptError::Kind { expected: "inclusion" });
        };
        let attested = self.judge(including_root(leaf, *index, self.head.size, path), policy)?;
        Ok((*index, attested))
    }

    /// Verifies that the tree goes on from the one of `old` records and this root, which the caller trusts already: the path,
    /// then the signature as of [`CoseReceipt::prove_inclusion`] (RFC 9942 section 5.3).
    ///
    /// # Errors
    /// As of [`CoseReceipt::prove_inclusion`], and [`ReceiptError::OldSize`].
    pub fn prove_consistency<'p>(
        &self,
        old: TreeSize,
        old_root: Hash,
        policy: &'p Policy,
    ) -> Result<Attested<'p>, ReceiptError> {
        let Proof::Consistency { old: found, path } = &self.proof else {
            return Err(ReceiptError::Kind { expected: "consistency" });
        };
        if *found != old {
            return Err(ReceiptError::OldSize { expected: old, found: *found });
        }
        self.judge(extending_root(old, old_root, self.head.size, path), policy)
    }

    fn judge<'p>(&self, root: Result<Hash, ProofError>, policy: &'p Policy) -> Result<Attested<'p>, ReceiptError> {
        let Head { key_id, origin, size } = self.head.clone();
        let is_named = |name: &KeyName, id: KeyId| name.as_str() == origin.as_str() && id == key_id;
        let Some(log) = policy.logs().iter().find(|log| is_named(log.key.name(), log.key.id())) else {
            return Err(ReceiptError::NoLog { origin, key_id });
        };
        let root = root.map_err(ReceiptError::Path)?;
        if !log.key.has_signed(&message(&self.head, root), &self.signature) {
            return Err(ReceiptError::Signature { origin });
        }
        if let Quorum::Of(quorum) = policy.witnesses().quorum() {
            return Err(ReceiptError::Quorum { quorum: quorum.clone() });
        }
        let checkpoint = Checkpoint { origin, size, root };
        Ok(Attested { checkpoint, log: &log.key, witnesses: Vec::new(), replayers: Vec::new(), is_replayed: false })
    }

    /// The receipt as it is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The log that it is said to be of. Means nothing until it is verified.
    pub fn origin(&self) -> &Origin {
        &self.head.origin
    }

    /// The size of the tree that it is said to be about. Means nothing until it is verified.
    pub fn size(&self) -> TreeSize {
        self.head.size
    }

    /// What it is to show. Means nothing until it is verified.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

/// What the key signs: the Sig_structure of RFC 9052 section 4.4, an array of "Signature1", the protected header, no external
/// data, and the root. Its first byte is 0x84, with which no UTF-8 begins: it is the text of no note.
fn message(head: &Head, root: Hash) -> Vec<u8> {
    let headers = CoseSign1Builder::new().protected(write_head(head)).build();
    headers.tbs_detached_data(root.as_bytes(), &[])
}

fn encode(head: &Head, proof: &Proof, signature: &[u8; 64]) -> Result<Vec<u8>, ReceiptError> {
    let receipt = CoseSign1Builder::new()
        .protected(write_head(head))
        .unprotected(write_proof(proof, head.size)?)
        .signature(signature.to_vec())
        .build();
    receipt.to_tagged_vec().map_err(no_cose)
}

/// The protected header. Its members are in the order of their encoded labels, as they have to be.
fn write_head(Head { key_id, origin, size }: &Head) -> Header {
    let issuer = (Value::from(ISSUER), Value::from(origin.as_str()));
    HeaderBuilder::new()
        .algorithm(iana::Algorithm::Ed25519)
        .key_id(key_id.as_bytes().to_vec())
        .value(CWT_CLAIMS, Value::Map(vec![issuer]))
        .value(VDS, Value::from(RFC9162_SHA256))
        .text_value(TREE_SIZE.to_owned(), Value::from(size.0))
        .build()
}

fn read_head(header: &Header) -> Result<Head, ReceiptError> {
    let expected = |expected| ReceiptError::Part { expected };
    if header.alg != Some(Algorithm::Assigned(iana::Algorithm::Ed25519)) {
        return Err(expected("the algorithm -19 (Ed25519)"));
    }
    let key_id = <[u8; 4]>::try_from(&header.key_id[..]).map_err(|_| expected("a key id of 4 bytes"))?;
    let [(Label::Int(CWT_CLAIMS), claims), (Label::Int(VDS), structure), (Label::Text(label), size)] = &header.rest[..]
    else {
        return Err(expected("the protected headers 1, 4, 15, 395 and \"counterfoil/tree-size\" in this order"));
    };
    if *structure != Value::from(RFC9162_SHA256) {
        return Err(expected("the verifiable data structure 1 (RFC9162_SHA256)"));
    }
    let origin = match claims.as_map().map(Vec::as_slice) {
        Some([(claim, Value::Text(origin))]) if *claim == Value::from(ISSUER) => origin,
        _ => return Err(expected("one claim, the issuer,")),
    };
    match number(size) {
        Some(size) if label == TREE_SIZE => {
            let origin = Origin::new(origin).map_err(ReceiptError::Origin)?;
            Ok(Head { key_id: KeyId::from_bytes(key_id), origin, size: TreeSize(size) })
        }
        _ => Err(expected("the protected header \"counterfoil/tree-size\" with a number")),
    }
}

/// The unprotected header.
fn write_proof(proof: &Proof, size: TreeSize) -> Result<Header, ReceiptError> {
    let (kind, numbers, path) = match proof {
        Proof::Inclusion { index, path } => (INCLUSION, [size.0, index.0], path),
        Proof::Consistency { old, path } => (CONSISTENCY, [old.0, size.0], path),
    };
    let hashes = path.iter().map(|hash| Value::from(hash.as_bytes().to_vec())).collect();
    let [first, second] = numbers.map(Value::from);
    let proof = Value::Array(vec![first, second, Value::Array(hashes)]).to_vec().map_err(no_cose)?;
    let proofs = Value::Map(vec![(Value::from(kind), Value::Array(vec![Value::from(proof)]))]);
    Ok(HeaderBuilder::new().value(VDP, proofs).build())
}

fn read_proof(header: &Header, size: TreeSize) -> Result<Proof, ReceiptError> {
    let expected = |expected| ReceiptError::Part { expected };
    let proofs = match &header.rest[..] {
        [(Label::Int(VDP), proofs)] => proofs.as_map().map(Vec::as_slice),
        _ => return Err(expected("the unprotected header 396 and no other")),
    };
    let (kind, proof) = match proofs {
        Some([(kind, Value::Array(proofs))]) => (kind, &proofs[..]),
        _ => return Err(expected("proofs of one kind")),
    };
    let [Value::Bytes(proof)] = proof else {
        return Err(expected("one proof, in a string of bytes,"));
    };
    let Value::Array(proof) = Value::from_slice(proof).map_err(no_cose)? else {
        return Err(expected("an array for the proof"));
    };
    let (first, second, hashes) = match &proof[..] {
        [first, second, Value::Array(hashes)] => (number(first), number(second), hashes),
        _ => return Err(expected("two numbers and a path in the proof")),
    };
    let (Some(first), Some(second)) = (first, second) else {
        return Err(expected("two numbers of at most 64 bits in the proof"));
    };
    let path = read_path(hashes)?;
    if *kind == Value::from(INCLUSION) {
        check_size(size, TreeSize(first))?;
        return Ok(Proof::Inclusion { index: RecordIndex(second), path });
    }
    if *kind != Value::from(CONSISTENCY) {
        return Err(expected("a proof of inclusion (-1) or of consistency (-2)"));
    }
    check_size(size, TreeSize(second))?;
    check_old_size(TreeSize(first), size)?;
    Ok(Proof::Consistency { old: TreeSize(first), path })
}

fn read_path(hashes: &[Value]) -> Result<Vec<Hash>, ReceiptError> {
    if hashes.len() > PATH_HASHES_MAX {
        return Err(ReceiptError::Path(ProofError::PathTooLong { found: hashes.len() }));
    }
    let read = |hash: &Value| hash.as_bytes().and_then(|bytes| Hash::from_slice(bytes).ok());
    let path: Option<Vec<Hash>> = hashes.iter().map(read).collect();
    path.ok_or(ReceiptError::Part { expected: "a path of hashes of 32 bytes" })
}

fn number(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| number.try_into().ok())
}

fn check_size(signed: TreeSize, found: TreeSize) -> Result<(), ReceiptError> {
    if signed == found { Ok(()) } else { Err(ReceiptError::Size { signed, found }) }
}

/// RFC 9162 section 2.1.4.1 has paths for these sizes alone, and the path is never empty.
fn check_old_size(old: TreeSize, new: TreeSize) -> Result<(), ReceiptError> {
    if (1..new.0).contains(&old.0) {
        return Ok(());
    }
    Err(ReceiptError::Part { expected: "an old size of at least 1 and below the new one" })
}

fn no_cose(error: CoseError) -> ReceiptError {
    ReceiptError::Cose { problem: error.to_string() }
}
