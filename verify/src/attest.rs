//! Owns the judgement on a signed checkpoint by a policy: whose it is, who has cosigned it, and whether these are
//! enough; and on a C2SP tlog-proof, which holds one.
//!
//! Never judges how old a cosignature may be: it gives the times, and has no clock.

use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::hash::LeafHash;
use crate::note::{CosignedAt, Note, NoteError, VerifiedSignature, VerifierKey};
use crate::policy::{Cosigner, Cosigners, Policy, Quorum};
use crate::proof::{ProofError, TlogProof, verify_inclusion};

/// A checkpoint that the policy accepts, and who stands behind it besides its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested<'p> {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The log's key that signed it, as the policy names it.
    pub log: &'p VerifierKey,
    /// The witnesses of the policy that have cosigned it. They reach its quorum.
    pub witnesses: Vec<Attestation<'p>>,
    /// The replayers of the policy that have cosigned it.
    pub replayers: Vec<Attestation<'p>>,
    /// Whether the policy names a quorum of replayers, and these reach it. Otherwise what seals say is on the
    /// word of whoever runs the log.
    pub is_replayed: bool,
}

/// A cosignature that verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation<'p> {
    /// Whose it is.
    pub by: &'p Cosigner,
    /// When it was made, on the word of whoever made it.
    pub at: CosignedAt,
}

/// Why a checkpoint or a tlog-proof is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    /// A signature is bad, or the note is none.
    #[error("read the signed checkpoint")]
    Note(#[source] NoteError),
    /// The text is no checkpoint.
    #[error("read the checkpoint that was signed")]
    Checkpoint(#[source] CheckpointError),
    /// The policy does not name the log, or its key has not signed.
    #[error(
        "expected a checkpoint signed by a log of the policy, got one of {origin} without: use that log's policy. A log that \
         goes on after a loss has a new name and a new policy, and says in record 0 what was lost; one whose key \
         was changed announces that in a record, which `counterfoil-verify --succession` takes into the policy; what the key of \
         before has signed is verified with the policy of before"
    )]
    NoLog {
        /// The log that it is said to be of.
        origin: Origin,
    },
    /// The policy asks for more witnesses.
    #[error(
        "expected enough witnesses for the policy's quorum {quorum:?}, got {found}: ask the log for a checkpoint that \
         they have cosigned"
    )]
    Quorum {
        /// The name of the quorum.
        quorum: String,
        /// How many witnesses of the policy have cosigned.
        found: usize,
    },
    /// The record is not shown to be in the tree.
    #[error("check the path of the tlog-proof")]
    Inclusion(#[source] ProofError),
}

impl<'p> Attested<'p> {
    /// Reads a signed checkpoint, and judges it by a policy: a log of the policy has signed it, whose name is its
    /// origin, and the quorum of witnesses is reached. Signatures by keys that the policy does not name are ignored;
    /// a bad one by a key that it names makes the whole checkpoint a bad one (C2SP tlog-policy, "Policy evaluation").
    ///
    /// # Errors
    /// Any [`AttestError`] but [`AttestError::Inclusion`].
    pub fn open(note_bytes: &[u8], policy: &'p Policy) -> Result<Attested<'p>, AttestError> {
        let keys = keys_of(policy);
        let note = Note::parse(note_bytes).map_err(AttestError::Note)?;
        let verified = note.verify(&keys).map_err(|error| match (&error, Checkpoint::parse(note.text())) {
            // The log has another key, or is another one.
            (NoteError::NoKnownSignature { .. }, Ok(read)) => AttestError::NoLog { origin: read.origin },
            _ => AttestError::Note(error),
        })?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(AttestError::Checkpoint)?;
        let origin = checkpoint.origin.as_str();
        let mut own = policy.logs().iter().map(|log| &log.key).filter(|key| key.name().as_str() == origin);
        let Some(log) = own.find(|key| verified.iter().any(|signature| signature.key == *key)) else {
            return Err(AttestError::NoLog { origin: checkpoint.origin });
        };
        let witnesses = attestations(policy.witnesses(), &verified);
        if !is_reached(policy.witnesses(), &witnesses) {
            let quorum = match policy.witnesses().quorum() {
                Quorum::Of(name) => name.clone(),
                Quorum::None => "none".to_owned(),
            };
            return Err(AttestError::Quorum { quorum, found: witnesses.len() });
        }
        let replayers = attestations(policy.replayers(), &verified);
        let is_replayed = *policy.replayers().quorum() != Quorum::None && is_reached(policy.replayers(), &replayers);
        Ok(Attested { checkpoint, log, witnesses, replayers, is_replayed })
    }

    /// Verifies a tlog-proof of the record with this leaf hash: its checkpoint by the policy, then its path (C2SP
    /// tlog-proof, "Verification"). The extra data are not judged.
    ///
    /// # Errors
    /// Any [`AttestError`].
    pub fn prove(proof: &TlogProof, leaf: LeafHash, policy: &'p Policy) -> Result<Attested<'p>, AttestError> {
        let attested = Attested::open(&proof.checkpoint_note, policy)?;
        let Checkpoint { size, root, .. } = attested.checkpoint;
        verify_inclusion(leaf, proof.index, size, &proof.path, root).map_err(AttestError::Inclusion)?;
        Ok(attested)
    }
}

/// Every key that a policy names.
fn keys_of(policy: &Policy) -> Vec<VerifierKey> {
    let cosigners = policy.witnesses().members().iter().chain(policy.replayers().members());
    let keys = policy.logs().iter().map(|log| &log.key).chain(cosigners.map(|cosigner| &cosigner.key));
    keys.cloned().collect()
}

fn attestations<'p>(cosigners: &'p Cosigners, verified: &[VerifiedSignature<'_>]) -> Vec<Attestation<'p>> {
    let of = |by: &'p Cosigner| {
        let own = verified.iter().find(|signature| *signature.key == by.key);
        own.and_then(|signature| signature.cosigned_at).map(|at| Attestation { by, at })
    };
    cosigners.members().iter().filter_map(of).collect()
}

fn is_reached(cosigners: &Cosigners, attestations: &[Attestation<'_>]) -> bool {
    cosigners.agree(|key| attestations.iter().any(|attestation| attestation.by.key == *key))
}
