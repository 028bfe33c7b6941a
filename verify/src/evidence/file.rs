//! Owns the reading of a file's members, each in its canonical form alone, and what the manifest says of the others.

use std::collections::BTreeSet;

use counterfoil_proto::v1::{
    EvidenceBasis, EvidenceManifest, EvidenceMember, EvidenceOpenings, EvidenceProofs, EvidenceRecords, EvidenceTotals,
    SealedSource,
};
use prost::Message;
use sha2::{Digest, Sha256};

use super::archive::{Contents, MEMBERS};
use super::histories::{Histories, Records, placed};
use super::question::{Posed, Question};
use super::{EVIDENCE_FORMAT, Rejected, Step, described};
use crate::attest::Attested;
use crate::note::Note;
use crate::policy::Policy;

/// The members that the manifest hashes.
const HASHED: std::ops::Range<usize> = 1..5;

/// The members, read.
pub(super) struct File {
    pub(super) question: Question,
    pub(super) basis: EvidenceBasis,
    pub(super) records: EvidenceRecords,
    pub(super) proofs: EvidenceProofs,
    pub(super) openings: EvidenceOpenings,
    pub(super) sources: Vec<SealedSource>,
    totals: EvidenceTotals,
    /// The checkpoint with its cosignatures.
    note: Vec<u8>,
}

impl File {
    /// Reads the members and compares them with the manifest.
    pub(super) fn read(contents: &Contents<'_>) -> Result<Self, Rejected> {
        let manifest: EvidenceManifest = message(contents[0], Step::Manifest)?;
        if manifest.format != EVIDENCE_FORMAT {
            let what =
                format!("expected format {EVIDENCE_FORMAT}, got {}: a newer verifier may read it", manifest.format);
            return Err(Rejected::malformed(Step::Manifest, what));
        }
        if manifest.members != members(contents) {
            return Err(Rejected::falsified(
                Step::Manifest,
                "a member has another size or hash than the manifest says",
            ));
        }
        let missing = |what: &str| Rejected::malformed(Step::Manifest, format!("the manifest has no {what}"));
        let question = Posed::of(manifest.question, manifest.period).ok_or_else(|| missing("question, or two"))?;
        let mut note = contents[1].to_vec();
        check_checkpoint(&note)?;
        note.extend_from_slice(contents[5]);
        let question = Question::read(question)?;
        let basis = manifest.basis.ok_or_else(|| missing("basis"))?;
        if basis.first != 0 && question.period().is_none() {
            return Err(Rejected::malformed(
                Step::Manifest,
                "the basis has a first record, and the question no period",
            ));
        }
        Ok(Self {
            question,
            basis,
            totals: manifest.totals.ok_or_else(|| missing("totals"))?,
            sources: manifest.sources,
            records: message(contents[2], Step::Records)?,
            proofs: message(contents[3], Step::Histories)?,
            openings: message(contents[4], Step::Openings)?,
            note,
        })
    }

    /// The records that have to be shown to be in the tree.
    pub(super) fn placed(&self) -> BTreeSet<u64> {
        placed(&self.question, &self.basis)
    }

    /// The checkpoint, judged by the policy, and the same that the manifest names.
    pub(super) fn attested<'p>(&self, policy: &'p Policy) -> Result<Attested<'p>, Rejected> {
        let attested = Attested::open(&self.note, policy)?;
        let (checkpoint, basis) = (&attested.checkpoint, &self.basis);
        let is_same = checkpoint.origin.as_str() == basis.origin
            && checkpoint.size.0 == basis.size
            && *checkpoint.root.as_bytes() == basis.root[..];
        match is_same {
            true => Ok(attested),
            false => {
                Err(Rejected::falsified(Step::Checkpoint, "the manifest names another checkpoint than the signed one"))
            }
        }
    }

    /// Compares how much there is with what the manifest says.
    pub(super) fn check_totals(&self, records: &Records, histories: &Histories<'_>) -> Result<(), Rejected> {
        let (present, absent) = histories.present_and_absent();
        let found = EvidenceTotals {
            histories: present,
            absent,
            records: records.whole() as u64,
            elided: records.elided() as u64,
            facts: records.facts(),
            openings: self.openings.openings.len() as u64,
        };
        match found == self.totals {
            true => Ok(()),
            false => Err(Rejected::falsified(Step::Totals, format!("expected {:?}, got {found:?}", self.totals))),
        }
    }
}

/// What a manifest says of the members that it hashes.
pub(super) fn members(contents: &Contents<'_>) -> Vec<EvidenceMember> {
    let member = |number: usize| EvidenceMember {
        name: MEMBERS[number].to_owned(),
        size: contents[number].len() as u64,
        sha256: Sha256::digest(contents[number]).to_vec(),
    };
    HASHED.map(member).collect()
}

/// Reads a message in its canonical form: that which prost writes.
fn message<M: Message + Default>(bytes: &[u8], step: Step) -> Result<M, Rejected> {
    let read = M::decode(bytes).map_err(|_| Rejected::malformed(step, "the member is no protobuf message"))?;
    match read.encode_to_vec() == bytes {
        true => Ok(read),
        false => Err(Rejected::malformed(step, "the member is not in canonical form")),
    }
}

/// The member has the log's signatures alone: others are in the one for cosignatures.
fn check_checkpoint(note: &[u8]) -> Result<(), Rejected> {
    let read = Note::parse(note).map_err(|error| Rejected::malformed(Step::Checkpoint, described(&error)))?;
    let origin = read.text().lines().next().unwrap_or_default();
    match read.has_one_signer(origin) {
        true => Ok(()),
        false => {
            let what =
                format!("expected one signature in the member, or two of {origin:?}, got {}", read.signatures().len());
            Err(Rejected::malformed(Step::Checkpoint, what))
        }
    }
}
