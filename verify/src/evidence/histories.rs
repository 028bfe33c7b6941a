//! Owns the check of a file's records: that they are those of the log, how many of them count, and that the history of each
//! entity is whole, or that it has none. What a period needs of them is for `stretch` to check.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use counterfoil_proto::v1::{EvidenceBasis, EvidenceRecords, InclusionPath, Record, record::Body};

use super::file::File;
use super::question::Question;
use super::{EVIDENCE_FACTS_MAX, Rejected, Step, described, stretch};
use crate::checkpoint::Checkpoint;
use crate::entity::EntityId;
use crate::hash::{Hash, LeafHash, leaf_hash};
use crate::map::MapRoot;
use crate::map::proof::MapProof;
use crate::people::recorded;
use crate::policy::Policy;
use crate::proof::verify_inclusion;
use crate::record::{check_origin, decode, event_of, recorded_at};
use crate::time::RecordedAt;
use crate::tree::{RecordIndex, TreeSize};

/// The records of a file, by their index.
#[derive(Default)]
pub(super) struct Records {
    whole: BTreeMap<u64, Rc<Record>>,
    leaves: BTreeMap<u64, LeafHash>,
}

/// How much of the log counts.
pub(super) struct Known {
    pub(super) covered: TreeSize,
    pub(super) size: TreeSize,
    /// When the last record that counts was recorded.
    pub(super) at: Option<RecordedAt>,
    /// The root of the map that the seal states.
    pub(super) map_root: MapRoot,
}

impl Records {
    /// Reads each record by itself.
    pub(super) fn read(member: &EvidenceRecords) -> Result<Self, Rejected> {
        let mut records = Self::default();
        let (mut after, mut elided_after, mut facts) = (None, None, 0);
        for bytes in &member.records {
            let record = decode(bytes).map_err(|error| Rejected::malformed(Step::Records, described(&error)))?;
            ascends(&mut after, record.index)?;
            facts += event_of(&record).map_or(0, |event| event.facts.len() as u64);
            if facts > EVIDENCE_FACTS_MAX {
                let what = format!("expected at most {EVIDENCE_FACTS_MAX} facts, got more");
                return Err(Rejected::malformed(Step::Records, what));
            }
            records.leaves.insert(record.index, leaf_hash(bytes));
            records.whole.insert(record.index, Rc::new(record));
        }
        for elided in &member.elided {
            ascends(&mut elided_after, elided.index)?;
            let leaf = Hash::from_slice(&elided.leaf)
                .map_err(|error| Rejected::malformed(Step::Records, described(&error)))?;
            if records.leaves.insert(elided.index, LeafHash(leaf)).is_some() {
                let what = format!("record {} is there whole and by its hash", elided.index);
                return Err(Rejected::malformed(Step::Records, what));
            }
        }
        Ok(records)
    }

    /// Checks that what has to be in the tree is in it, and how many records count.
    pub(super) fn check_place(&self, file: &File, checkpoint: &Checkpoint, policy: &Policy) -> Result<Known, Rejected> {
        let (covered, known) = (file.basis.covered, file.basis.known);
        let falsified = |what: String| Err(Rejected::falsified(Step::Seal, what));
        if known > covered || covered >= checkpoint.size.0 {
            return falsified(format!("expected known {known} ≤ covered {covered} < size {}", checkpoint.size));
        }
        if file.question.record().is_some_and(|record| record >= known) {
            return falsified(format!("expected a change among the {known} records that count"));
        }
        stretch::check_size(&file.question, &file.basis)?;
        let paths = self.check_inclusions(&file.proofs.inclusions, &file.placed(), checkpoint)?;
        stretch::check_whole(self, &stretch::of(&file.question, &file.basis), &paths, checkpoint)?;
        self.check_origin(checkpoint, policy)?;
        let Some(Body::Seal(seal)) = self.whole.get(&covered).and_then(|record| record.body.as_ref()) else {
            return falsified(format!("expected a seal at record {covered}, got another record"));
        };
        let map_root =
            Hash::from_slice(&seal.map_root).map_err(|error| Rejected::malformed(Step::Seal, error.to_string()))?;
        let at = |index: u64| self.whole.get(&index).map(|record| recorded_at(record));
        let last = known.checked_sub(1).and_then(at);
        match file.question.known_at() {
            None if known != covered => {
                return falsified(format!("expected all {covered} records that the seal covers to count, got {known}"));
            }
            Some(asked) if last.is_some_and(|last| last > asked) => {
                return falsified(format!("record {} came after the moment that was asked for", known - 1));
            }
            Some(asked) if known < covered && at(known).is_none_or(|next| next <= asked) => {
                return falsified(format!("record {known} came by the moment that was asked for, and is not counted"));
            }
            _ => {}
        }
        stretch::check_times(self, &file.question, &file.basis)?;
        Ok(Known { covered: TreeSize(covered), size: TreeSize(known), at: last, map_root: MapRoot(map_root) })
    }

    fn check_inclusions(
        &self,
        paths: &[InclusionPath],
        placed: &BTreeSet<u64>,
        checkpoint: &Checkpoint,
    ) -> Result<BTreeMap<u64, Vec<Hash>>, Rejected> {
        if !paths.iter().map(|path| path.index).eq(placed.iter().copied()) {
            let what = format!("expected the paths of the records {placed:?}, in that order, got those of others");
            return Err(Rejected::malformed(Step::Inclusion, what));
        }
        let mut read = BTreeMap::new();
        for InclusionPath { index, path } in paths {
            let falsified = |what: String| Rejected::falsified(Step::Inclusion, format!("record {index}: {what}"));
            let is_whole = self.whole.contains_key(index);
            let leaf =
                self.leaves.get(index).filter(|_| is_whole).ok_or_else(|| falsified("it is missing".to_owned()))?;
            let hashes = path.chunks(Hash::LENGTH).map(Hash::from_slice).collect::<Result<Vec<Hash>, _>>();
            let hashes = hashes.map_err(|error| Rejected::malformed(Step::Inclusion, error.to_string()))?;
            verify_inclusion(*leaf, RecordIndex(*index), checkpoint.size, &hashes, checkpoint.root)
                .map_err(|error| falsified(error.to_string()))?;
            read.insert(*index, hashes);
        }
        Ok(read)
    }

    /// Record 0 names the log, and the key of its tokens.
    fn check_origin(&self, checkpoint: &Checkpoint, policy: &Policy) -> Result<(), Rejected> {
        let origin = check_origin(self.whole.get(&0).map(Rc::as_ref), &checkpoint.origin, policy.index_key());
        origin.map_err(|violation| Rejected::falsified(Step::Inclusion, violation.0))
    }

    /// How many records are there whole.
    pub(super) fn whole(&self) -> usize {
        self.whole.len()
    }

    /// How many are given by their hash alone.
    pub(super) fn elided(&self) -> usize {
        self.leaves.len() - self.whole.len()
    }

    /// The facts in those that are there whole.
    pub(super) fn facts(&self) -> u64 {
        self.whole.values().filter_map(|record| event_of(record)).map(|event| event.facts.len() as u64).sum()
    }

    pub(super) fn get(&self, index: u64) -> Option<&Rc<Record>> {
        self.whole.get(&index)
    }

    /// The leaf hash of a record.
    pub(super) fn leaf(&self, index: u64) -> Option<LeafHash> {
        self.leaves.get(&index).copied()
    }

    /// Those of some places in the log that are there whole.
    pub(super) fn within(&self, places: Range<u64>) -> impl Iterator<Item = &Rc<Record>> {
        self.whole.range(places).map(|(_, record)| record)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&u64, &Rc<Record>)> {
        self.whole.iter()
    }

    pub(super) fn into_whole(self) -> BTreeMap<u64, Rc<Record>> {
        self.whole
    }
}

/// The records that have to be shown to be in the tree: the first one, the one that the question is about, those on both
/// sides of where a period's begin and of the size that counts, and the seal.
pub(super) fn placed(question: &Question, basis: &EvidenceBasis) -> BTreeSet<u64> {
    let begin = question.period().map(|_| basis.first);
    let ends = [begin, Some(basis.known)].into_iter().flatten().flat_map(|end| [end.checked_sub(1), Some(end)]);
    ends.chain([Some(0), question.record(), Some(basis.covered)]).flatten().collect()
}

fn ascends(after: &mut Option<u64>, index: u64) -> Result<(), Rejected> {
    match after.replace(index) {
        Some(before) if before >= index => {
            Err(Rejected::malformed(Step::Records, format!("record {index} stands behind record {before}")))
        }
        _ => Ok(()),
    }
}

/// The histories of a file, each of them whole.
pub(super) struct Histories<'r> {
    records: &'r Records,
    known: TreeSize,
    stretch: Range<u64>,
    of: BTreeMap<EntityId, Vec<u64>>,
}

/// Checks each history against the map, and that there is no record that belongs to none.
pub(super) fn check<'r>(
    file: &File,
    records: &'r Records,
    root: MapRoot,
    known: TreeSize,
) -> Result<Histories<'r>, Rejected> {
    let stretch = stretch::of(&file.question, &file.basis);
    let mut histories = Histories { records, known, stretch: stretch.clone(), of: BTreeMap::new() };
    let placed = file.placed();
    let mut used = placed.clone();
    used.extend(stretch);
    let mut after: Option<EntityId> = None;
    for history in &file.proofs.histories {
        let malformed = |what: String| Rejected::malformed(Step::Histories, what);
        let entity = EntityId::from_bytes(&history.entity).map_err(|error| malformed(error.to_string()))?;
        if after.as_ref().is_some_and(|after| *after >= entity) {
            return Err(malformed(format!("the history of {entity} is not in order")));
        }
        let falsified = |what: String| Rejected::falsified(Step::Histories, format!("the history of {entity}: {what}"));
        let proof = MapProof::from_bytes(&history.proof).map_err(|error| malformed(error.to_string()))?;
        let mut links = Vec::with_capacity(history.records.len());
        for index in &history.records {
            let leaf = records.leaves.get(index).ok_or_else(|| falsified(format!("record {index} is missing")))?;
            if records.whole.contains_key(index) != (*index < known.0 || placed.contains(index)) {
                return Err(falsified(format!(
                    "record {index} is whole where its hash is enough, or the other way round"
                )));
            }
            links.push((RecordIndex(*index), *leaf));
            used.insert(*index);
        }
        proof.verify_complete(root, &entity, links).map_err(|error| falsified(described(&error)))?;
        after = Some(entity.clone());
        histories.of.insert(entity, history.records.clone());
    }
    if !records.leaves.keys().eq(&used) {
        return Err(Rejected::malformed(Step::Histories, "there are records that belong to no history"));
    }
    Ok(histories)
}

impl Histories<'_> {
    /// How many records each entity has.
    pub(super) fn counts(&self) -> BTreeMap<EntityId, u64> {
        self.of.iter().map(|(entity, records)| (entity.clone(), records.len() as u64)).collect()
    }

    /// How many entities have a history, and how many have none.
    pub(super) fn present_and_absent(&self) -> (u64, u64) {
        let absent = self.of.values().filter(|records| records.is_empty()).count();
        ((self.of.len() - absent) as u64, absent as u64)
    }

    /// The entities whose histories are there.
    pub(super) fn entities(&self) -> impl Iterator<Item = &EntityId> {
        self.of.keys()
    }
}

impl recorded::Histories for &Histories<'_> {
    type Error = Rejected;

    fn records(&self, entity: &EntityId) -> Result<Vec<Rc<Record>>, Rejected> {
        let indexes = self.of.get(entity).ok_or_else(|| {
            Rejected::falsified(
                Step::Closure,
                format!("the question needs the history of {entity}, which is not there"),
            )
        })?;
        let known = indexes.iter().filter(|index| **index < self.known.0);
        Ok(known.filter_map(|index| self.records.get(*index).cloned()).collect())
    }

    fn record(&self, index: u64) -> Result<Rc<Record>, Rejected> {
        let missing = || Rejected::falsified(Step::Closure, format!("record {index} is not there"));
        self.records.get(index).cloned().ok_or_else(missing)
    }

    /// That they begin at the moment that the question needs was checked with their place.
    fn since(&self, _: RecordedAt) -> Result<Vec<Rc<Record>>, Rejected> {
        Ok(self.records.within(self.stretch.clone()).cloned().collect())
    }
}
