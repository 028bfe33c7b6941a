//! Evidence: files that show that an answer is whole.
//!
//! Owns the gathering: which records an entity has, by the views, each history compared with what the seal's map says of it
//! before it goes into a file. Whose histories a question needs is noted while `verify` answers it, so that the file holds
//! these and no others. What is in a file, and in which form, is for `verify::evidence` to say.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_ledger::{Head, SealedMap};
use counterfoil_proto::v1::{Basis, EntityKind, EvidenceBasis, Record, Withheld};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{
    Asked, Draft, EVIDENCE_BYTES_MAX, EVIDENCE_FACTS_MAX, Question, answer, needed, write,
};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::identifier::{IdentifierKind, canonical, is_email};
use counterfoil_verify::map::EntityChain;
use counterfoil_verify::map::proof::MapProof;
use counterfoil_verify::note::Note;
use counterfoil_verify::people::recorded::{Histories, Recorded};
use counterfoil_verify::record::{decode, event_of};
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;

use crate::answers::proofs::chain_of;
use crate::answers::{self, Query, moment_text};
use crate::error::{QueryError, Result};
use crate::views::{correlations, histories, names, sources};

/// The most records that one file is gathered of.
const RECORDS_MAX: usize = 200_000;

impl Query<'_> {
    /// The file that is evidence for the answer to a question, for `asked`. Whoever may not see names gets nothing of what
    /// lies beside records.
    ///
    /// # Errors
    /// [`QueryError::NotSealed`] likewise; [`QueryError::TooLarge`] where the histories have too many records, and
    /// [`QueryError::TooMuchRecorded`] where a period has; [`QueryError::Recorded`] of an absence that is none.
    pub fn evidence(&self, question: Question, min_covered: TreeSize, asked: &Asked) -> Result<(Basis, Vec<u8>)> {
        let (map, head) = self.sealed(min_covered)?;
        let covered = map.covered();
        let known = match question.known_at() {
            Some(known_at) => self.reader.size_at(known_at)?.min(covered),
            None => covered,
        };
        if let Some(record) = question.record() {
            self.check_known(RecordIndex(record), known)?;
        }
        let recorded = Recorded::new(Gathering { query: self, map: &map, known, gathered: RefCell::default() });
        answer(&question, &recorded, known)?
            .ok_or_else(|| QueryError::Evidence("there is no such change".to_owned()))?;
        let gathered = recorded.into_histories().gathered.into_inner();
        if let (Question::Absence(_), Some((entity, _))) =
            (&question, gathered.histories.iter().find(|(_, (_, records))| !records.is_empty()))
        {
            return Err(QueryError::Recorded(entity.clone()));
        }
        let Gathered { mut records, mut elided, histories } = gathered;
        let first = match question.period() {
            Some(period) => self.first_since(period.recorded_from(), known)?,
            None => RecordIndex(0),
        };
        let basis = EvidenceBasis {
            origin: head.origin.as_str().to_owned(),
            size: head.size.0,
            root: head.root.as_bytes().to_vec(),
            covered: covered.0,
            known: known.0,
            first: first.0,
        };
        let mut inclusions = BTreeMap::new();
        for index in needed(&question, &basis) {
            inclusions.insert(index, self.reader.inclusion_proof(RecordIndex(index), head.size)?);
            elided.remove(&index);
            records.insert(index, self.reader.record_bytes(RecordIndex(index))?);
        }
        let mut openings = BTreeMap::new();
        let mut size: usize = records.values().map(Vec::len).sum();
        for index in records.keys().filter(|_| self.shows_names) {
            let Some(beside) = self.reader.beside(RecordIndex(*index))? else { continue };
            size += beside.encoded_len();
            if let Some(period) = question.period().filter(|_| size > EVIDENCE_BYTES_MAX) {
                let limit = format!("{EVIDENCE_BYTES_MAX} bytes");
                return Err(too_much(known.0 - first.0, period.recorded_from(), limit));
            }
            openings.insert(*index, beside);
        }
        let (checkpoint, cosignatures) = parted(&head)?;
        let draft = Draft {
            question,
            basis,
            sources: map.sources()?,
            checkpoint,
            cosignatures,
            records,
            elided,
            inclusions,
            histories,
            openings,
        };
        let sign = |manifest: &[u8], cosignatures: &[u8]| self.reader.sign_asked(asked, manifest, cosignatures);
        let file = write(draft, sign).map_err(|error| QueryError::Evidence(error.to_string()))?;
        let withheld = match self.shows_names {
            true => Vec::new(),
            false => vec![Withheld::PersonalValues.into(), Withheld::Payloads.into()],
        };
        Ok((answers::basis(&head, withheld), file))
    }

    /// The first record that was recorded at a moment or later, or the end of those that count.
    fn first_since(&self, from: RecordedAt, known: TreeSize) -> Result<RecordIndex> {
        let before = self.reader.size_at(RecordedAt(from.0.just_before()))?;
        Ok(RecordIndex(before.min(known).0))
    }

    /// The identifiers that `who` may have: of an address one, whatever the system; of anything else one for each kind of
    /// identifier in each known system. Of an id the entity itself.
    pub fn identifiers_of(&self, who: &str) -> Result<BTreeSet<EntityId>> {
        if let Ok(entity) = who.trim().parse::<EntityId>() {
            return Ok(BTreeSet::from([entity]));
        }
        let key = self.reader.index_key();
        let token = |kind, system: &str, instance: &str| key.token(kind, system, instance, who);
        if is_email(&canonical(who)) {
            return Ok(token(IdentifierKind::Login, "", "").iter().map(EntityId::identifier).collect());
        }
        let mut identifiers = BTreeSet::new();
        for (system, instance, _) in sources::objects(&self.view)?.into_keys() {
            let tokens =
                [IdentifierKind::Login, IdentifierKind::EntitlementName].map(|kind| token(kind, &system, &instance));
            identifiers.extend(tokens.iter().flatten().map(EntityId::identifier));
        }
        Ok(identifiers)
    }

    /// The map of the newest seal, and the head that it is shown to be under.
    pub(super) fn sealed(&self, min_covered: TreeSize) -> Result<(SealedMap<'_>, Head)> {
        self.view.slow()?;
        let map = self.reader.sealed_map()?.filter(|map| map.covered() <= self.basis.size);
        let map = map.filter(|map| map.covered() >= min_covered);
        let map = map.ok_or(QueryError::NotSealed)?;
        // Where somebody cosigns, one that has cosignatures is worth more than the newest.
        let served = self.reader.served();
        let head = if served.size > map.covered() { served } else { self.reader.head() };
        Ok((map, head))
    }

    /// The records that an entity belongs to, of the first so many.
    fn records_of(&self, entity: &EntityId, size: TreeSize) -> Result<BTreeSet<RecordIndex>> {
        let mut records = histories::records_of(&self.view, entity, |_| true)?;
        if let Some(token) = entity.token() {
            let bound: BTreeSet<EntityId> =
                names::bindings_of(&self.view, &token)?.into_iter().map(|(entity, _)| entity).collect();
            for of in bound {
                records.extend(histories::records_of(&self.view, &of, |tokens| tokens.contains(&token))?);
            }
        }
        if entity.kind() == EntityKind::Correlation {
            records.extend(correlations::records_of(&self.view, entity)?);
        }
        if *entity == EntityId::matching_rules() {
            for rule in self.rules(size)? {
                records.extend(histories::records_of(&self.view, &rule, |_| true)?);
            }
        }
        records.retain(|index| index.0 < size.0);
        Ok(records)
    }
}

/// What is gathered for a file.
#[derive(Default)]
struct Gathered {
    /// Whole, by index.
    records: BTreeMap<u64, Vec<u8>>,
    elided: BTreeMap<u64, LeafHash>,
    histories: BTreeMap<EntityId, (MapProof, Vec<u64>)>,
}

/// Histories out of the views and the log, each as it is asked for.
struct Gathering<'q, 'a> {
    query: &'q Query<'a>,
    map: &'q SealedMap<'q>,
    known: TreeSize,
    gathered: RefCell<Gathered>,
}

impl Histories for Gathering<'_, '_> {
    type Error = QueryError;

    fn records(&self, entity: &EntityId) -> Result<Vec<Rc<Record>>> {
        let query = self.query;
        let mut gathered = self.gathered.borrow_mut();
        let proof = self.map.prove(entity)?;
        let (mut chain, mut indexes, mut read) = (EntityChain::EMPTY, Vec::new(), Vec::new());
        for index in query.records_of(entity, self.map.covered())? {
            if gathered.records.len() + gathered.elided.len() + indexes.len() > RECORDS_MAX {
                return Err(QueryError::TooLarge(RECORDS_MAX));
            }
            query.view.slow()?;
            let (leaf, bytes) = query.reader.leaf(index)?;
            let record = decode(&bytes).map_err(|error| QueryError::Evidence(error.to_string()))?;
            if !entity_set(&record).contains(entity) {
                continue;
            }
            chain = chain.append(index, leaf);
            indexes.push(index.0);
            match index.0 < self.known.0 {
                true => {
                    gathered.records.insert(index.0, bytes);
                    read.push(Rc::new(record));
                }
                false => drop(gathered.elided.insert(index.0, leaf)),
            }
        }
        if chain != chain_of(&proof) {
            let (found, count) = (chain.count, chain_of(&proof).count);
            return Err(query.view.damaged(format!("they have {found} records of {entity}, and the seal {count}")));
        }
        gathered.histories.insert(entity.clone(), (proof, indexes));
        Ok(read)
    }

    fn record(&self, index: u64) -> Result<Rc<Record>> {
        Ok(Rc::new(self.query.read_record(RecordIndex(index))?))
    }

    fn since(&self, from: RecordedAt) -> Result<Vec<Rc<Record>>> {
        let query = self.query;
        let first = query.first_since(from, self.known)?;
        let count = self.known.0 - first.0;
        let mut gathered = self.gathered.borrow_mut();
        if count > RECORDS_MAX as u64 {
            return Err(too_much(count, from, format!("{RECORDS_MAX} records")));
        }
        let (mut read, mut facts) = (Vec::new(), 0);
        for index in first.0..self.known.0 {
            query.view.slow()?;
            let bytes = query.reader.record_bytes(RecordIndex(index))?;
            let record = decode(&bytes).map_err(|error| QueryError::Evidence(error.to_string()))?;
            facts += event_of(&record).map_or(0, |event| event.facts.len() as u64);
            if facts > EVIDENCE_FACTS_MAX {
                return Err(too_much(count, from, format!("{EVIDENCE_FACTS_MAX} facts")));
            }
            gathered.records.insert(index, bytes);
            read.push(Rc::new(record));
        }
        Ok(read)
    }
}

/// That a period has too much for one file.
fn too_much(count: u64, from: RecordedAt, limit: String) -> QueryError {
    QueryError::TooMuchRecorded { count, from: moment_text(from.0), limit }
}

/// The checkpoint with the log's signature alone, and the lines of the others.
fn parted(head: &Head) -> Result<(Vec<u8>, Vec<u8>)> {
    let damaged = |why: String| QueryError::Evidence(why);
    let note = Note::parse(&head.checkpoint).map_err(|error| damaged(error.to_string()))?;
    let (own, others): (Vec<_>, Vec<_>) = note
        .signatures()
        .iter()
        .map(ToString::to_string)
        .partition(|line| line.split(' ').nth(1) == Some(head.origin.as_str()));
    let checkpoint = format!("{}\n{}\n", note.text(), own.join("\n"));
    let cosignatures = others.iter().map(|line| format!("{line}\n")).collect::<String>();
    Ok((checkpoint.into_bytes(), cosignatures.into_bytes()))
}
