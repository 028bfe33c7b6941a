//! Incarnations: a log that goes on from an earlier one which lost its newest records.
//!
//! Owns how the records of the one follow from those of the other. They have the same indexes and say the same; only record
//! 0 differs, and so does whatever follows from it by hashes: `prev`, the leaf hash in what was read again, and the map's root
//! in seals. It goes both ways, since record 0 of the new log holds that of the old one: whoever has the new log can show
//! that it leaves out, adds and changes nothing of the old one, up to where that was lost. It never judges whether anything
//! was lost.

use counterfoil_proto::v1::{Origin, Predecessor, Record, record::Body};

use crate::hash::{Hash, LeafHash};
use crate::record::{self, RecordError};
use crate::seal::{Coverage, SealError};
use crate::tree::{Frontier, TreeSize};

/// Why records do not make another log.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IncarnationError {
    /// One of them would be no record.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// A seal does not cover what came before it.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// What was read again names no earlier record.
    #[error("it replaces record {0}, which does not come before it")]
    Replaces(u64),
    /// The first one states no origin.
    #[error("it states no origin")]
    NoOrigin,
    /// There are fewer than the earlier log had.
    #[error("it had {expected} records, and here are {found}")]
    Short {
        /// How many it had.
        expected: u64,
        /// How many are here.
        found: u64,
    },
    /// They do not come to the root that the earlier log had.
    #[error("its first {0} records were other ones")]
    Others(u64),
}

/// The records of one log as they are in another, under another record 0.
pub struct Rechained {
    frontier: Frontier,
    leaves: Vec<LeafHash>,
    coverage: Coverage,
}

impl Rechained {
    /// Begins with record 0 of that other log, as hashed.
    ///
    /// # Errors
    /// [`IncarnationError`] if it is no record 0.
    pub fn from(first: &[u8]) -> Result<Self, IncarnationError> {
        let record = record::decode(first)?;
        if !matches!(record.body, Some(Body::Origin(_))) {
            return Err(IncarnationError::NoOrigin);
        }
        let mut rechained = Self { frontier: Frontier::new(), leaves: Vec::new(), coverage: Coverage::new() };
        rechained.add(&record, first)?;
        Ok(rechained)
    }

    /// Puts the next record in its place, and gives its bytes there.
    ///
    /// # Errors
    /// [`IncarnationError`] if there is none like it.
    pub fn put(&mut self, mut record: Record) -> Result<Vec<u8>, IncarnationError> {
        record.prev = self.leaves.last().map(|leaf| leaf.0.as_bytes().to_vec()).unwrap_or_default();
        match &mut record.body {
            Some(Body::EventRemapped(remapped)) => {
                let replaces = usize::try_from(remapped.replaces).ok().and_then(|index| self.leaves.get(index));
                let leaf = replaces.ok_or(IncarnationError::Replaces(remapped.replaces))?;
                remapped.replaces_leaf = leaf.0.as_bytes().to_vec();
            }
            Some(Body::Seal(seal)) => seal.map_root = self.coverage.root().0.as_bytes().to_vec(),
            _ => {}
        }
        let bytes = record::encode(&record)?;
        self.add(&record, &bytes)?;
        Ok(bytes)
    }

    fn add(&mut self, record: &Record, bytes: &[u8]) -> Result<(), IncarnationError> {
        let leaf = record::hash(bytes);
        self.coverage.add(record, leaf)?;
        self.frontier.append(leaf, |_| ());
        self.leaves.push(leaf);
        Ok(())
    }

    /// How many records there are.
    pub fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// The right edge over them.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The leaf hash of the last one.
    pub fn last(&self) -> Option<LeafHash> {
        self.leaves.last().copied()
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }
}

/// The comparison of a log's records with an earlier one that it says it goes on from: under that one's own record 0 they
/// come to the root that it had. Nothing of it is left out, added or changed then.
pub struct Former {
    predecessor: Predecessor,
    rechained: Rechained,
}

impl Former {
    /// Begins, with what record 0 says of the earlier log.
    ///
    /// # Errors
    /// [`IncarnationError`] if that log's own record 0 is none.
    pub fn begin(predecessor: Predecessor) -> Result<Self, IncarnationError> {
        let rechained = Rechained::from(&predecessor.first_record)?;
        Ok(Self { predecessor, rechained })
    }

    /// What record 0 says of it.
    pub fn predecessor(&self) -> &Predecessor {
        &self.predecessor
    }

    /// Whether it had more records than were taken.
    pub fn wants_more(&self) -> bool {
        self.rechained.size().0 < self.predecessor.size
    }

    /// Takes the next record behind record 0, while it wants more.
    ///
    /// # Errors
    /// [`IncarnationError`] if the earlier log had no such record.
    pub fn take(&mut self, record: Record) -> Result<(), IncarnationError> {
        self.rechained.put(record).map(drop)
    }

    /// Ends the comparison.
    ///
    /// # Errors
    /// [`IncarnationError`] if the earlier log had more records, or others.
    pub fn end(self) -> Result<Predecessor, IncarnationError> {
        let Self { predecessor, rechained } = self;
        if rechained.size().0 < predecessor.size {
            return Err(IncarnationError::Short { expected: predecessor.size, found: rechained.size().0 });
        }
        if rechained.root().as_bytes() != predecessor.root.as_slice() {
            return Err(IncarnationError::Others(predecessor.size));
        }
        Ok(predecessor)
    }
}

/// What record 0 says of the log that its own goes on from.
pub fn predecessor_of(record: &Record) -> Option<&Predecessor> {
    match &record.body {
        Some(Body::Origin(Origin { predecessor, .. })) => predecessor.as_ref(),
        _ => None,
    }
}

/// The logs that a log goes on from, by its record 0: the last one first, then that one's own, as far as they can be read.
pub fn predecessors(first: &Record) -> Vec<Predecessor> {
    let mut found = Vec::new();
    let mut next = predecessor_of(first).cloned();
    while let Some(predecessor) = next {
        next = record::decode(&predecessor.first_record).ok().and_then(|record| predecessor_of(&record).cloned());
        found.push(predecessor);
    }
    found
}

/// What became of a log of this name, told by record 0 of one that goes on from it: in words, for whoever still names the old
/// one in a policy.
pub fn told(first: &Record, former: &str) -> Option<String> {
    let Some(Body::Origin(Origin { origin, .. })) = &first.body else { return None };
    let of = predecessors(first).into_iter().find(|predecessor| predecessor.origin == former)?;
    let lost = match of.known_size - of.size {
        0 => "nothing is known to be lost".to_owned(),
        1 => format!("record {} is lost", of.size),
        _ => format!("records {} to {} are lost", of.size, of.known_size - 1),
    };
    Some(format!(
        "{origin:?} is a new incarnation: it goes on from the first {} records of {former:?}, of which {lost}. Get the \
         policy of the new one, by the way that the old one came",
        of.size
    ))
}
