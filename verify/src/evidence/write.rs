//! Owns the writing of an evidence file from what was gathered for it. Whoever gathers it says what each history is, and is
//! believed here: the file is checked as any other by whoever gets it.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil_proto::v1::{
    Beside, ElidedRecord, EntityHistory, EvidenceBasis, EvidenceManifest, EvidenceOpenings, EvidenceProofs,
    EvidenceRecords, EvidenceTotals, InclusionPath, Opening, SealedSource,
};
use prost::Message;

use super::archive::{Contents, pack};
use super::file::members;
use super::histories::{Records, placed};
use super::question::Question;
use super::{EVIDENCE_FORMAT, Rejected};
use crate::entity::EntityId;
use crate::hash::{Hash, LeafHash};
use crate::map::proof::MapProof;

/// What was gathered for a file.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is evidence of.
    pub question: Question,
    /// The log, its head, and how much of it counts.
    pub basis: EvidenceBasis,
    /// What came from each source before the seal, ascending.
    pub sources: Vec<SealedSource>,
    /// The checkpoint with the log's signature alone.
    pub checkpoint: Vec<u8>,
    /// The lines of its cosignatures.
    pub cosignatures: Vec<u8>,
    /// The records that are there whole, as hashed, by their index.
    pub records: BTreeMap<u64, Vec<u8>>,
    /// Those that are not.
    pub elided: BTreeMap<u64, LeafHash>,
    /// The paths of those that [`needed`] names.
    pub inclusions: BTreeMap<u64, Vec<Hash>>,
    /// What the map says of each entity, and its records.
    pub histories: BTreeMap<EntityId, (MapProof, Vec<u64>)>,
    /// What may be seen of what lies beside the records.
    pub openings: BTreeMap<u64, Beside>,
}

/// The records that have to be shown to be in the tree.
pub fn needed(question: &Question, basis: &EvidenceBasis) -> BTreeSet<u64> {
    placed(question, basis)
}

/// Writes the file. `sign` is given the manifest and the cosignatures, and gives the note of who asked, if there is one.
///
/// # Errors
/// [`Rejected`] if it would be too large, if a record is none, or of `sign`.
pub fn write(draft: Draft, sign: impl FnOnce(&[u8], &[u8]) -> Result<Vec<u8>, Rejected>) -> Result<Vec<u8>, Rejected> {
    let elided = draft.elided.into_iter();
    let records = EvidenceRecords {
        records: draft.records.into_values().collect(),
        elided: elided.map(|(index, leaf)| ElidedRecord { index, leaf: leaf.0.as_bytes().to_vec() }).collect(),
    };
    let read = Records::read(&records)?;
    let absent = draft.histories.values().filter(|(_, records)| records.is_empty()).count();
    let totals = EvidenceTotals {
        histories: (draft.histories.len() - absent) as u64,
        absent: absent as u64,
        records: read.whole() as u64,
        elided: read.elided() as u64,
        facts: read.facts(),
        openings: draft.openings.len() as u64,
    };
    let path = |(index, path): (u64, Vec<Hash>)| InclusionPath {
        index,
        path: path.iter().flat_map(|hash| *hash.as_bytes()).collect(),
    };
    let history = |(entity, (proof, records)): (EntityId, (MapProof, Vec<u64>))| EntityHistory {
        entity: entity.as_bytes().to_vec(),
        proof: proof.to_bytes(),
        records,
    };
    let proofs = EvidenceProofs {
        inclusions: draft.inclusions.into_iter().map(path).collect(),
        histories: draft.histories.into_iter().map(history).collect(),
    };
    let opening = |(index, beside)| Opening { index, beside: Some(beside) };
    let openings = EvidenceOpenings { openings: draft.openings.into_iter().map(opening).collect() };
    let (records, proofs, openings) = (records.encode_to_vec(), proofs.encode_to_vec(), openings.encode_to_vec());
    let mut contents: Contents<'_> = [&[], &draft.checkpoint, &records, &proofs, &openings, &draft.cosignatures, &[]];
    let (question, period) = draft.question.posed().parts();
    let manifest = EvidenceManifest {
        format: EVIDENCE_FORMAT,
        question,
        period,
        basis: Some(draft.basis),
        totals: Some(totals),
        sources: draft.sources,
        members: members(&contents),
    };
    let manifest = manifest.encode_to_vec();
    let asked = sign(&manifest, &draft.cosignatures)?;
    (contents[0], contents[6]) = (&manifest, &asked);
    pack(&contents)
}
