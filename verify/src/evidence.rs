//! Evidence: one file that answers one question, for somebody who has never heard of the server that wrote it.
//!
//! Owns what such a file must hold and the order in which it is checked. The answer is not in it: whoever verifies it
//! recomputes the answer from the records, with the functions that the server uses. So nothing in the file is believed but
//! what the policy's keys have signed, and what follows from that.
//!
//! ```text
//! archive → manifest → checkpoint and cosignatures → who asked → records → inclusion → seal, what was known, what a period
//!         needs
//!         → histories, each whole → what lies beside records → the question → totals
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use counterfoil_proto::v1::{Record, SealedSource};

use crate::attest::{AttestError, Attested};
use crate::entity::EntityId;
use crate::judge::Found;
use crate::note::NoteError;
use crate::people::Covered;
use crate::policy::Policy;
use crate::population::{Period, Population};
use crate::state::State;
use crate::time::{OccurredAt, RecordedAt};
use crate::tree::{RecordIndex, TreeSize};

mod archive;
mod asked;
mod file;
mod histories;
mod openings;
mod question;
mod stretch;
mod write;

pub use asked::Asked;
pub use openings::Opened;
pub use question::{Question, answer};
pub use write::{Draft, needed, write};

/// Bytes of an evidence file, at most.
pub const EVIDENCE_BYTES_MAX: usize = 512 << 20;

/// Facts in the records of a file, at most. Each takes some 1.3 KB once it is read, and one of the smallest 21 bytes before: a
/// file takes 80 times its size at most, and most take three times.
pub const EVIDENCE_FACTS_MAX: u64 = 1_000_000;

/// The layout of evidence files that this version writes, and the only one that it reads.
pub const EVIDENCE_FORMAT: u32 = 1;

/// What an evidence file shows.
#[derive(Debug)]
pub struct Verified<'p> {
    /// The checkpoint, and who stands behind it.
    pub attested: Attested<'p>,
    /// The records that the histories are complete up to.
    pub covered: TreeSize,
    /// The records that count for the question.
    pub known: TreeSize,
    /// When the last of these was recorded, where there is any.
    pub known_at: Option<RecordedAt>,
    /// Of a period: the first record that may tell of it. It and all behind it that count are there.
    pub first: RecordIndex,
    /// The question, and what the records answer.
    pub answer: Answer,
    /// The entities with their histories, each with how many records it has in all.
    pub histories: BTreeMap<EntityId, u64>,
    /// The records that are there whole, by their index.
    pub records: BTreeMap<u64, Rc<Record>>,
    /// How many records are given by their hash alone, since they came later.
    pub elided: usize,
    /// What lies beside the records, as far as it may be seen.
    pub opened: Opened,
    /// What came from each source before the seal, on the word of whoever runs the log.
    pub sources: Vec<SealedSource>,
    /// Who asked and when, where the log's key has signed that.
    pub asked: Option<Asked>,
}

/// What the records answer.
#[derive(Debug)]
pub enum Answer {
    /// What an identity could do.
    State {
        /// Who was asked about.
        entity: EntityId,
        /// The moment; none for all that is recorded.
        at: Option<OccurredAt>,
        /// What all is theirs, and how it came to be.
        covered: Covered,
        /// The state of each of these.
        states: Vec<(EntityId, State)>,
    },
    /// Nothing is recorded of these.
    Absence(Vec<EntityId>),
    /// Which approval covers a change.
    Change {
        /// The record of the change.
        record: Rc<Record>,
        /// The number of the fact in it.
        fact: u32,
        /// The tickets, and what they come to; none of a fact that changed no access.
        found: Option<Found>,
    },
    /// What changed in a period.
    Period {
        /// The period.
        period: Period,
        /// All that changed in it, and what else was read.
        population: Population,
    },
}

/// A part of the check of a file, or of an export ([`crate::export`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// How the file is written.
    Archive,
    /// What it says is in it.
    Manifest,
    /// The signed head of the log.
    Checkpoint,
    /// Whether enough witnesses cosigned it.
    Quorum,
    /// Who asked.
    Asked,
    /// The records by themselves.
    Records,
    /// That they are in the tree.
    Inclusion,
    /// What the seal says, and how much counts.
    Seal,
    /// That histories are whole.
    Histories,
    /// What lies beside the records.
    Openings,
    /// That tokens are those of what was opened.
    Tokens,
    /// That the question needs these histories and no others.
    Closure,
    /// How much is in the file.
    Totals,
    /// The bundles of an export: that they are there, and how they are written.
    Bundles,
    /// That each record follows the one before it.
    Chain,
    /// That the records come to the root that was signed.
    Tree,
    /// That tiles of hashes are those of the records.
    Tiles,
}

impl Step {
    /// Its name, in what the verifiers print and in the vectors that both must agree on.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Manifest => "manifest",
            Self::Checkpoint => "checkpoint",
            Self::Quorum => "quorum",
            Self::Asked => "asked",
            Self::Records => "records",
            Self::Inclusion => "inclusion",
            Self::Seal => "seal",
            Self::Histories => "histories",
            Self::Openings => "openings",
            Self::Tokens => "tokens",
            Self::Closure => "closure",
            Self::Totals => "totals",
            Self::Bundles => "bundles",
            Self::Chain => "chain",
            Self::Tree => "tree",
            Self::Tiles => "tiles",
        }
    }
}

/// What is wrong with a file that is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not written as evidence is.
    Malformed,
    /// It says what is not so.
    Falsified,
    /// Not enough witnesses stand behind it.
    Short,
}

/// Why a file is no evidence, or an export proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejected {
    /// Which kind of flaw it has.
    pub flaw: Flaw,
    /// Which part of the check found it.
    pub step: Step,
    /// What was expected and what was found.
    pub what: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({}): {}", self.flaw.name(), self.step.name(), self.what)
    }
}

impl Flaw {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Falsified => "falsified",
            Self::Short => "short of quorum",
        }
    }
}

impl Rejected {
    pub(crate) fn malformed(step: Step, what: impl Into<String>) -> Self {
        Self { flaw: Flaw::Malformed, step, what: what.into() }
    }

    pub(crate) fn falsified(step: Step, what: impl Into<String>) -> Self {
        Self { flaw: Flaw::Falsified, step, what: what.into() }
    }
}

/// What it means that a policy does not accept a checkpoint.
impl From<AttestError> for Rejected {
    fn from(error: AttestError) -> Self {
        match error {
            AttestError::Quorum { .. } => Self { flaw: Flaw::Short, step: Step::Quorum, what: error.to_string() },
            AttestError::Note(NoteError::BadSignature { .. } | NoteError::NoKnownSignature { .. })
            | AttestError::NoLog { .. } => Self::falsified(Step::Checkpoint, described(&error)),
            _ => Self::malformed(Step::Checkpoint, described(&error)),
        }
    }
}

/// An error with its causes.
pub(crate) fn described(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|error| (error as &dyn fmt::Display).to_string()).collect::<Vec<_>>().join(": ")
}

/// Checks an evidence file by a policy, and recomputes the answer to its question.
///
/// Takes memory for what is read of the file: see [`EVIDENCE_FACTS_MAX`].
///
/// # Errors
/// [`Rejected`]; nothing is shown then.
pub fn verify<'p>(bytes: &[u8], policy: &'p Policy) -> Result<Verified<'p>, Rejected> {
    let contents = archive::unpack(bytes)?;
    let file = file::File::read(&contents)?;
    let attested = file.attested(policy)?;
    let asked = asked::read(contents[6], contents[0], contents[5], &attested.checkpoint.origin, policy)?;
    let records = histories::Records::read(&file.records)?;
    let known = records.check_place(&file, &attested.checkpoint, policy)?;
    let histories = histories::check(&file, &records, known.map_root, known.size)?;
    let mut opened = openings::check(&file.openings, &records, policy.index_key())?;
    let answer = question::check(&file.question, &histories, known.size)?;
    file.check_totals(&records, &histories)?;
    let counts = histories.counts();
    if let (Some(asked), Some(key)) = (&asked, policy.index_key())
        && let Some(entity) = openings::about(&asked.about, counts.keys().cloned(), key)
    {
        opened.values.entry(entity).or_default().entry("email".to_owned()).or_insert_with(|| asked.about.clone());
    }
    Ok(Verified {
        covered: known.covered,
        known: known.size,
        known_at: known.at,
        first: RecordIndex(file.basis.first),
        histories: counts,
        elided: records.elided(),
        records: records.into_whole(),
        attested,
        answer,
        opened,
        sources: file.sources,
        asked,
    })
}
