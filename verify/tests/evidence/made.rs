//! A log that is made up, and evidence from it: what a server does, with every part open to be done otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use counterfoil_proto::v1::{
    AccountStatus, Approval, Beside, EntityKind, EvidenceBasis, Fact, FactKind, Origin, Predecessor, Record,
    RedactedParts, Redaction, Ref, Seal, SealedSource, Ticket, TicketStatus, TicketType, Value, Values, fact::Detail,
    record::Body,
};
use counterfoil_verify::beside::{commitment, remove, seal};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::evidence::{Asked, Draft, Question, answer, needed, write};
use counterfoil_verify::fact::entity_set;
use counterfoil_verify::hash::LeafHash;
use counterfoil_verify::identifier::{IdentifierKind, IndexKey};
use counterfoil_verify::map::memory::MemoryMap;
use counterfoil_verify::map::{Link, MapKey};
use counterfoil_verify::note::{CosignedAt, CosigningKey, SigningKey};
use counterfoil_verify::people::recorded::{Histories, Recorded};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record::{decode, encode, hash, origin_record, recorded_at};
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{Frontier, RecordIndex, TreeSize};

use crate::common;
use crate::support::{self, account, event, fact, group, item, okta, record, ticket, time};

/// When record `index` was recorded.
pub const EPOCH: i64 = 1_772_000_000;

/// A log, whoever keeps it.
#[derive(Clone)]
pub struct Log {
    pub origin: String,
    pub seed: [u8; 32],
    /// The key that signs beside that one.
    pub beside_seed: Option<[u8; 32]>,
    pub index_key: IndexKey,
    pub records: Vec<Vec<u8>>,
    pub beside: BTreeMap<u64, Beside>,
    /// What goes into the map beside what belongs there, and what is left out of it, by the index of the record.
    pub map_of: fn(&Record) -> BTreeSet<EntityId>,
}

impl Log {
    pub fn new() -> Self {
        let index_key = IndexKey::new([5; 32]);
        let origin = Origin {
            origin: common::ORIGIN.to_owned(),
            index_key_commitment: index_key.commitment().as_bytes().to_vec(),
            predecessor: None,
        };
        let first = encode(&origin_record(origin, time(EPOCH))).expect("record 0 is one");
        Self {
            origin: common::ORIGIN.to_owned(),
            seed: [1; 32],
            beside_seed: None,
            index_key,
            records: vec![first],
            beside: BTreeMap::new(),
            map_of: entity_set,
        }
    }

    /// Says in record 0 that the log goes on from another one: how many of its records are left, and how many are known.
    pub fn goes_on_from(&mut self, origin: &str, (size, known_size): (u64, u64)) {
        let mut first = decode(&self.records[0]).expect("record 0 is one");
        let former = self.records[0].clone();
        let Some(Body::Origin(body)) = &mut first.body else { panic!("record 0 states the origin") };
        body.predecessor = Some(Predecessor {
            origin: origin.to_owned(),
            size,
            root: vec![6; 32],
            first_record: former,
            known_size,
            known_root: vec![9; 32],
        });
        self.records[0] = encode(&first).expect("record 0 is one");
    }

    pub fn size(&self) -> u64 {
        self.records.len() as u64
    }

    /// A reference to an account of Okta's by its id and its address, with the value that is its token's.
    pub fn known(&self, id: &str, address: &str) -> (Ref, Values) {
        let token = self.token(address);
        let reference = Ref { tokens: vec![token.token().expect("it is one").as_bytes().to_vec()], ..account(id) };
        let entity = EntityId::of(&reference, &okta()).unwrap_or(token);
        let value = Value { name: "email".to_owned(), value: address.to_owned() };
        (reference, Values { entity: entity.as_bytes().to_vec(), values: vec![value] })
    }

    /// The identifier that an address is.
    pub fn token(&self, address: &str) -> EntityId {
        EntityId::identifier(&self.index_key.token(IdentifierKind::Login, "", "", address).expect("it has a token"))
    }

    /// Appends an event with what lies beside it.
    pub fn add(&mut self, facts: Vec<Fact>, values: &[Values]) -> u64 {
        let index = self.size();
        let beside = seal([index as u8; 32], format!("{{\"event\":{index}}}").into_bytes(), values, None);
        let commitment = commitment(&beside).expect("it is whole").as_bytes().to_vec();
        let record = Record { commitment, ..record(index, EPOCH + index as i64, event(facts)) };
        self.records.push(encode(&record).expect("a record"));
        self.beside.insert(index, beside);
        index
    }

    /// Somebody gets an account with an address.
    pub fn create(&mut self, id: &str, address: &str, at: i64) -> u64 {
        let (reference, values) = self.known(id, address);
        self.add(vec![Fact { subject: Some(reference), ..fact(FactKind::AccountCreated, at) }], &[values])
    }

    /// Somebody gets into a group, or out of it.
    pub fn grant(&mut self, kind: FactKind, id: &str, to: &str, at: i64) -> u64 {
        self.add(vec![Fact { subject: Some(account(id)), object: Some(group(to)), ..fact(kind, at) }], &[])
    }

    /// A ticket asks for a group for somebody, and somebody else approves it.
    pub fn ticket(&mut self, number: u32, id: &str, to: &str, (opened, approved): (i64, i64)) -> [u64; 2] {
        let ticket = || Some(ticket(&number.to_string()));
        let asked = Ticket {
            r#type: TicketType::ServiceRequest.into(),
            status: TicketStatus::Open.into(),
            items: vec![item(Some(group(to)), "okta:group_member")],
            ..Ticket::default()
        };
        let opened = Fact {
            subject: Some(account(id)),
            object: ticket(),
            detail: Some(Detail::Ticket(asked)),
            ..fact(FactKind::TicketOpened, opened)
        };
        let row =
            Approval { id: format!("a{number}"), level: 1, approver: Some(account("00u2")), ..Approval::default() };
        let granted = Fact {
            object: ticket(),
            actor: Some(account("00u2")),
            detail: Some(Detail::Approval(row)),
            ..fact(FactKind::ApprovalGranted, approved)
        };
        [self.add(vec![opened], &[]), self.add(vec![granted], &[])]
    }

    /// Somebody decides that parts beside a record go, of whom these values were. They are gone.
    pub fn redact(&mut self, record: u64, parts: &[u32], of: &str) -> u64 {
        let index = self.size();
        let said = Redaction {
            removed: vec![RedactedParts { first: record, records: 1, parts: parts.to_vec() }],
            entities: vec![ada(of).as_bytes().to_vec()],
            reason: "erasure-request".to_owned(),
            rule: "gdpr/17-1-a".to_owned(),
            by: ada("00u2").as_bytes().to_vec(),
            callers: Vec::new(),
            searched: index,
        };
        let said = support::record(index, EPOCH + index as i64, Body::Redaction(said));
        self.records.push(encode(&Record { commitment: Vec::new(), ..said }).expect("a record"));
        let left = remove(&self.beside[&record], parts).expect("there are such parts");
        self.beside.insert(record, left);
        index
    }

    /// The map over the first `covered` records.
    pub fn map(&self, covered: u64) -> MemoryMap {
        let mut map = MemoryMap::default();
        for (index, bytes) in (0..covered).zip(&self.records) {
            let (record, leaf) = (decode(bytes).expect("a record"), hash(bytes));
            let link = |entity: EntityId| Link { key: MapKey::of(&entity), index: RecordIndex(index), leaf };
            map.append((self.map_of)(&record).into_iter().map(link).collect());
        }
        map
    }

    /// Appends a record that was recorded at a moment. Gives its index.
    pub fn put(&mut self, recorded: i64, body: Body) -> u64 {
        self.put_as(record(self.size(), recorded, body))
    }

    /// Appends a record as it is.
    pub fn put_as(&mut self, record: Record) -> u64 {
        self.records.push(encode(&record).expect("a record"));
        record.index
    }

    /// Seals what there is. Gives the seal's index.
    pub fn seal(&mut self) -> u64 {
        self.seal_at(EPOCH + self.size() as i64)
    }

    /// The same at a moment.
    pub fn seal_at(&mut self, recorded: i64) -> u64 {
        let covered = self.size();
        let map_root = self.map(covered).root().0.as_bytes().to_vec();
        let seal = Record {
            provenance: None,
            commitment: Vec::new(),
            ..record(covered, recorded, Body::Seal(Seal { map_root, ..Seal::default() }))
        };
        self.records.push(encode(&seal).expect("a record"));
        covered
    }

    pub fn leaves(&self) -> Vec<LeafHash> {
        self.records.iter().map(|bytes| hash(bytes)).collect()
    }

    pub fn key(&self) -> SigningKey {
        let key = SigningKey::from_seed(common::key_name(&self.origin), &self.seed);
        match &self.beside_seed {
            Some(seed) => key.with_beside(seed),
            None => key,
        }
    }

    pub fn checkpoint(&self) -> Checkpoint {
        let mut frontier = Frontier::new();
        self.leaves().into_iter().for_each(|leaf| {
            let _ = frontier.append(leaf, |_| ());
        });
        let origin = counterfoil_verify::checkpoint::Origin::new(&self.origin).expect("an origin");
        Checkpoint { origin, size: TreeSize(self.size()), root: frontier.root() }
    }

    /// What a server gathers for a question, by the seal at `covered`.
    pub fn draft(&self, question: Question, covered: u64) -> Draft {
        let known = match question.known_at() {
            Some(at) => {
                let by_then = |bytes: &Vec<u8>| {
                    RecordedAt(Moment::of(decode(bytes).expect("a record").recorded_at.as_ref().expect("a time"))) <= at
                };
                (self.records.partition_point(by_then) as u64).min(covered)
            }
            None => covered,
        };
        let recorded = Recorded::new(Gathering { log: self, covered, known });
        answer(&question, &recorded, TreeSize(known)).expect("a log has every history");
        let (map, leaves) = (self.map(covered), self.leaves());
        let (mut records, mut elided, mut histories) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for entity in recorded.asked() {
            let indexes = self.indexes(&entity, covered);
            for index in &indexes {
                match *index < known {
                    true => drop(records.insert(*index, self.records[*index as usize].clone())),
                    false => drop(elided.insert(*index, leaves[*index as usize])),
                }
            }
            histories.insert(entity.clone(), (map.prove(&MapKey::of(&entity)), indexes));
        }
        let first = question.period().map_or(0, |period| self.first_since(period.recorded_from()).min(known));
        if question.period().is_some() {
            records.extend((first..known).map(|index| (index, self.records[index as usize].clone())));
        }
        let checkpoint = self.checkpoint();
        let basis = EvidenceBasis {
            origin: self.origin.clone(),
            size: self.size(),
            root: checkpoint.root.as_bytes().to_vec(),
            covered,
            known,
            first,
        };
        let mut inclusions = BTreeMap::new();
        for index in needed(&question, &basis) {
            inclusions.insert(index, common::inclusion_path(index as usize, &leaves));
            elided.remove(&index);
            records.insert(index, self.records[index as usize].clone());
        }
        Draft {
            question,
            basis,
            sources: vec![SealedSource { source: Some(okta()), events: covered - 1, ..SealedSource::default() }],
            checkpoint: checkpoint.sign(&self.key()).expect("it may sign").format(),
            cosignatures: Vec::new(),
            openings: records.keys().filter_map(|index| Some((*index, self.beside.get(index)?.clone()))).collect(),
            records,
            elided,
            inclusions,
            histories,
        }
    }

    /// The first record that was recorded at a moment or later.
    fn first_since(&self, from: RecordedAt) -> u64 {
        let is_before = |bytes: &Vec<u8>| recorded_at(&decode(bytes).expect("a record")) < from;
        self.records.partition_point(is_before) as u64
    }

    /// The file of a draft, with who asked.
    pub fn file(&self, draft: Draft) -> Vec<u8> {
        let origin = self.checkpoint().origin;
        let asked = Asked { at: EPOCH + 500, by: "a test".to_owned(), about: "Ada \"\\ é\n".to_owned() };
        write(draft, |manifest, cosignatures| asked.sign(&self.key(), &origin, (manifest, cosignatures)))
            .expect("a file")
    }

    /// The evidence of a state by the newest seal.
    pub fn evidence(&self, question: Question) -> Vec<u8> {
        let covered = (0..self.size()).rev().find(|index| self.is_seal(*index)).expect("it is sealed");
        self.file(self.draft(question, covered))
    }

    pub fn is_seal(&self, index: u64) -> bool {
        matches!(decode(&self.records[index as usize]).expect("a record").body, Some(Body::Seal(_)))
    }

    fn indexes(&self, entity: &EntityId, covered: u64) -> Vec<u64> {
        let belongs = |index: &u64| (self.map_of)(&self.record(*index)).contains(entity);
        (0..covered).filter(belongs).collect()
    }

    pub fn record(&self, index: u64) -> Record {
        decode(&self.records[index as usize]).expect("a record")
    }

    /// The policy that names this log's key, and nobody else.
    pub fn policy(&self) -> Policy {
        Policy::of_log(self.key().verifier_key(), self.index_key.clone())
    }
}

struct Gathering<'l> {
    log: &'l Log,
    covered: u64,
    known: u64,
}

impl Histories for Gathering<'_> {
    type Error = std::convert::Infallible;

    fn records(&self, entity: &EntityId) -> Result<Vec<Rc<Record>>, Self::Error> {
        let indexes = self.log.indexes(entity, self.covered).into_iter().filter(|index| *index < self.known);
        Ok(indexes.map(|index| Rc::new(self.log.record(index))).collect())
    }

    fn record(&self, index: u64) -> Result<Rc<Record>, Self::Error> {
        Ok(Rc::new(self.log.record(index)))
    }

    fn since(&self, from: RecordedAt) -> Result<Vec<Rc<Record>>, Self::Error> {
        let first = self.log.first_since(from);
        Ok((first..self.known).map(|index| Rc::new(self.log.record(index))).collect())
    }
}

/// What an account could do, by all that is recorded.
pub fn state_of(id: &str) -> Question {
    Question::State { entity: ada(id), at: None, known_at: None }
}

pub fn ada(id: &str) -> EntityId {
    EntityId::new(EntityKind::Account, "okta", "acme", id).expect("an id")
}

pub fn state_at(id: &str, at: i64, known_at: Option<i64>) -> Question {
    let moment = |seconds| Moment { seconds, nanos: 0 };
    Question::State {
        entity: ada(id),
        at: Some(OccurredAt(moment(at))),
        known_at: known_at.map(|known_at| RecordedAt(moment(known_at))),
    }
}

/// A company of two people with a few groups, whose records are sealed twice.
pub fn company() -> Log {
    let mut log = Log::new();
    log.create("00u1", "ada@example.com", 100);
    log.create("00u2", "bo@example.com", 110);
    log.grant(FactKind::GrantAdded, "00u1", "00g1", 200);
    log.grant(FactKind::GrantAdded, "00u2", "00g1", 210);
    log.seal();
    log.grant(FactKind::GrantAdded, "00u1", "00g2", 300);
    log.grant(FactKind::GrantRemoved, "00u1", "00g1", 400);
    // Recorded late: it had happened before.
    log.grant(FactKind::GrantAdded, "00u1", "00g3", 250);
    log.seal();
    log.grant(FactKind::GrantAdded, "00u2", "00g3", 500);
    log
}

/// A cosigner and its signature line under a checkpoint.
pub fn cosigner(name: &str, seed: u8) -> CosigningKey {
    CosigningKey::from_seed(common::key_name(name), &[seed; 32])
}

pub fn cosign(key: &CosigningKey, checkpoint: &Checkpoint, at: u64) -> String {
    format!("{}\n", key.cosign(&checkpoint.format(), CosignedAt(at)).expect("it may sign"))
}

/// Whether an account is enabled, created or otherwise.
pub fn status(state: &counterfoil_verify::state::State) -> AccountStatus {
    state.account.as_ref().map_or(AccountStatus::Unspecified, |account| account.status())
}
