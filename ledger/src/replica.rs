//! A replica, a copy of a ledger that somebody else owns: each record is checked before it is kept, and shown once a signed
//! checkpoint covers it.
//!
//! Owns the data folder of a replica, which has the databases of a ledger and no keys. It believes the policy, and nothing
//! that it is sent. It never signs, numbers or changes anything, and does not know where the records come from.
//!
//! ```text
//! check a row by itself → take it: its place in the chain → confirm: a signed root over all that was taken
//! ```
//! Rows that were taken and not yet confirmed survive a restart, and nobody is shown them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use counterfoil_proto::v1::record::Body;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::incarnation;
use counterfoil_verify::note::{Note, VerifierKey};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{Frontier, RecordIndex, TreeSize, root_at};
use rocksdb::WriteBatch;
use tokio::sync::watch;

use crate::anchor::Anchor;
use crate::append::{ChannelPosition, SourceKey};
use crate::coverage::Coverage;
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::files;
use crate::keys::Keys;
use crate::lease::{Holder, Lease};
use crate::ledger::Location;
use crate::lock::Lock;
use crate::memory::Memory;
use crate::nodes::Tiles;
use crate::read::{Published, Reader, Shared, count_bytes, count_key, position_bytes};
use crate::recover::{self, Recovered, decode};
use crate::redaction;
use crate::remapped;
use crate::row::{self, Checked};
use crate::store::{
    self, Access, BESIDE, CONFIRMED, EDGE, FLUSH_RECORDS_MAX, LogDb, RECORDS, REPLAYED, StoredNodes, cf,
};

/// A replica. One process has it, and one thread adds to it.
pub struct Replica {
    reader: Reader,
    origin: Origin,
    key: VerifierKey,
    index_key: Hash,
    /// Of all rows that were taken.
    frontier: Frontier,
    last: Option<(LeafHash, RecordedAt)>,
    /// What all of them come to for seals.
    coverage: Coverage,
    unflushed: u64,
    keeps_positions: bool,
    /// The tokens of every record that it has were compared with the values beside it.
    is_replaying: bool,
    /// Where evidence of a second history is kept.
    forks: PathBuf,
    _lock: Lock,
}

/// A record with what lies beside it, which fit each other. Whether it is the right one at its place is still to be seen.
pub struct Row {
    record: Vec<u8>,
    beside: Option<Vec<u8>>,
    checked: Checked,
}

impl Row {
    /// Checks a record that is said to be at `index`, and what lies beside it.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] or [`LedgerError::Newer`], as for a record that is read.
    pub fn check(index: RecordIndex, record: Vec<u8>, beside: Option<Vec<u8>>) -> Result<Self> {
        let checked = row::check(index, &record, beside.as_deref(), None)?;
        Ok(Self { record, beside, checked })
    }

    /// The same, and that the record's tokens are those of the values beside it.
    ///
    /// # Errors
    /// Likewise.
    pub fn check_all(index: RecordIndex, record: Vec<u8>, beside: Option<Vec<u8>>, key: &IndexKey) -> Result<Self> {
        let checked = row::check(index, &record, beside.as_deref(), Some(key))?;
        Ok(Self { record, beside, checked })
    }
}

impl Replica {
    /// Opens a replica, or begins one where there is none, of the log that the policy names. `holder` is how the process
    /// describes itself to another that finds the folder in use.
    ///
    /// # Errors
    /// [`LedgerError::Policy`] if the policy does not name one log and its index key; [`LedgerError::NotAReplica`] if the folder
    /// holds a ledger; every other that says why it must not go on.
    pub fn open(location: &Location, policy: &Policy, holder: &str) -> Result<Self> {
        let (origin, key, index_key) = log_of(policy)?;
        files::create_folder(&location.data)?;
        let lock = Lock::take(&location.data, holder)?;
        let memory = Memory::new();
        let log = LogDb::open(&location.log(), true, Access::Owner, &memory)?;
        let confirmed = match log.0.get(CONFIRMED)? {
            Some(note) => note,
            None if log.size()?.0 > 0 => return Err(LedgerError::NotAReplica { path: location.data.clone() }),
            None => {
                let mut batch = WriteBatch::default();
                batch.put(CONFIRMED, b"");
                log.write_synced(batch)?;
                Vec::new()
            }
        };
        let Recovered { log, derived, frontier, coverage, last } = Recovered::of(log, &location.derived(), &memory)?;
        let reader = Reader::new(Shared {
            log,
            derived,
            memory,
            origin: origin.clone(),
            index_key: index_key.clone(),
            signer: None,
            published: RwLock::new(Published {
                size: TreeSize(0),
                root: Frontier::new().root(),
                last: record::origin_hash(origin.as_str()),
                note: Arc::from([]),
                sealed: TreeSize(0),
            }),
            grown: watch::Sender::new(TreeSize(0)),
            served: RwLock::new(None),
            tiles: Tiles::new(),
        });
        let (index_key, forks) = (index_key.commitment(), location.data.join("forks"));
        let replica = Self {
            reader,
            origin,
            key,
            index_key,
            frontier,
            last,
            coverage,
            unflushed: 0,
            keeps_positions: false,
            is_replaying: false,
            forks,
            _lock: lock,
        };
        if replica.frontier.size().0 > 0 {
            let first = replica.reader.log().record(0)?.unwrap_or_default();
            replica.check_first(&row::check(RecordIndex(0), &first, None, None)?)?;
        }
        if !confirmed.is_empty() {
            let checkpoint = replica.stored(&confirmed)?;
            replica.redact(0..checkpoint.size.0)?;
            redaction::purge(replica.reader.log())?;
            replica.publish(&checkpoint, &confirmed)?;
        }
        Ok(replica)
    }

    /// A handle for reading what was confirmed.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// How many records were taken.
    pub fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// The record at a place, of those that were taken, whether they are confirmed or not.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if it is missing, [`LedgerError::Storage`] if it cannot be read.
    pub fn taken(&self, index: RecordIndex) -> Result<Vec<u8>> {
        let record = self.reader.log().record(index.0)?;
        record.ok_or_else(|| LedgerError::falsified(format!("record {index}"), "it is missing"))
    }

    /// Makes a standby of this replica, which may take over from the owner: the copy gets a name, by fresh randomness, and
    /// keeps the positions of channels too, as far as records tell them.
    ///
    /// # Errors
    /// [`LedgerError::File`] if the name cannot be kept.
    pub fn standing_by(mut self, location: &Location, entropy: &mut dyn FnMut(&mut [u8])) -> Result<Self> {
        Holder::create(&location.data, entropy)?;
        self.keeps_positions = true;
        Ok(self)
    }

    /// Takes the next rows. They are durable soon, and not yet: what is lost is copied again.
    ///
    /// # Errors
    /// [`LedgerError::Unlinked`] if one does not go on from the one before it, and nothing was taken;
    /// [`LedgerError::OtherLog`] if record 0 is not that of the policy's log; [`LedgerError::Falsified`] if one says that an
    /// event was read again, and does not fit what it replaces, or is a seal that the records before it do not come to.
    pub fn take(&mut self, rows: Vec<Row>) -> Result<()> {
        let taken = self.take_rows(rows);
        if taken.is_err() {
            // Some of them may have been counted.
            self.coverage = recover::catch_up(self.reader.log(), self.reader.derived(), self.size())?;
        }
        taken
    }

    fn take_rows(&mut self, rows: Vec<Row>) -> Result<()> {
        self.check_remapped(&rows)?;
        let (mut log, mut derived) = (WriteBatch::default(), WriteBatch::default());
        let (mut frontier, mut last) = (self.frontier.clone(), self.last);
        let (mut events, mut nodes) = (Vec::with_capacity(rows.len()), Vec::new());
        let count = rows.len() as u64;
        let (mut positions, mut redactions) = (BTreeMap::new(), Vec::new());
        let db = &self.reader.log().0;
        for Row { record, beside, checked } in rows {
            let index = RecordIndex(frontier.size().0);
            if index.0 == 0 {
                self.check_first(&checked)?;
            }
            record::check_link(&checked.head, index, last)
                .map_err(|error| LedgerError::Unlinked { index, problem: error.to_string() })?;
            frontier.append(checked.leaf, |node| nodes.extend(derive::is_stored(&node).then_some(node)));
            last = Some((checked.leaf, record::recorded_at(&checked.head)));
            self.coverage.take(self.reader.derived(), (index, checked.leaf), &checked.share, checked.seal.as_ref())?;
            events.extend(checked.event);
            redactions.extend(checked.redaction.map(|_| index));
            if self.keeps_positions {
                positions.extend(checked.position);
            }
            log.put_cf(cf(db, RECORDS), index.0.to_be_bytes(), &record);
            if let Some(beside) = beside {
                log.put_cf(cf(db, BESIDE), index.0.to_be_bytes(), &beside);
            }
        }
        for (channel, next) in positions {
            let position = ChannelPosition { next, ..ChannelPosition::default() };
            log.put(store::position_key(&channel), position_bytes(&position));
        }
        log.put(EDGE, store::edge_value(&frontier));
        if self.is_replaying {
            log.put(REPLAYED, frontier.size().0.to_be_bytes());
        }
        derive::put(self.reader.derived(), &mut derived, events, &redactions, &nodes, frontier.size());
        self.coverage.put(self.reader.derived(), &mut derived)?;
        self.reader.log().write_unsynced(log)?;
        self.reader.derived().write(derived)?;
        (self.frontier, self.last) = (frontier, last);
        self.unflushed += count;
        if self.unflushed >= FLUSH_RECORDS_MAX {
            self.reader.derived().flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }

    /// Makes a replayer of this replica: one that compares tokens too, with the values beside the records. Those of records
    /// that were taken without are compared now; `progress` is told how many of how many.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] if one is made up.
    pub fn replaying(mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Self> {
        let log = self.reader.log();
        let known =
            log.0.get(REPLAYED)?.map_or(Ok(0), |value| store::number(&value, "how far tokens were compared"))?;
        for index in known..self.size().0 {
            let record = self.taken(RecordIndex(index))?;
            row::check(RecordIndex(index), &record, log.beside(index)?.as_deref(), Some(self.reader.index_key()))?;
            progress(index + 1 - known, self.size().0 - known);
        }
        let mut batch = WriteBatch::default();
        batch.put(REPLAYED, self.size().0.to_be_bytes());
        log.write_synced(batch)?;
        self.is_replaying = true;
        Ok(self)
    }

    /// The key of tokens, where they are compared.
    pub fn compares_with(&self) -> Option<IndexKey> {
        self.is_replaying.then(|| self.reader.index_key().clone())
    }

    /// Reads a checkpoint, if it is the log's.
    ///
    /// # Errors
    /// [`LedgerError::NotSigned`] if the key of the policy has not signed it.
    pub fn signed(&self, note: &[u8]) -> Result<Checkpoint> {
        Checkpoint::open(note, &self.origin, &self.key)
            .map_err(|error| LedgerError::NotSigned { problem: error.to_string() })
    }

    /// The checkpoint that was confirmed last. The log's key of then signed it, which need not be that of now: then it has to be
    /// that of the records that are here.
    fn stored(&self, note: &[u8]) -> Result<Checkpoint> {
        let unsigned = match self.signed(note) {
            Err(unsigned @ LedgerError::NotSigned { .. }) => unsigned,
            signed => return signed,
        };
        let read = Note::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        match read.filter(|read| read.origin == self.origin && read.size <= self.size()) {
            Some(read) if self.root_at(read.size)? == read.root => Ok(read),
            _ => Err(unsigned),
        }
    }

    /// Compares a signed checkpoint with the records that were taken, and shows them to readers up to its size. One of a
    /// size that was shown already changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::NotSigned`]; [`LedgerError::Forked`] if these are not the records that were signed;
    /// [`LedgerError::NoSuchRecord`] if it covers more than was taken.
    pub fn confirm(&mut self, note: &[u8]) -> Result<()> {
        let checkpoint = self.signed(note)?;
        if checkpoint.size > self.size() {
            let index = RecordIndex(checkpoint.size.0 - 1);
            return Err(LedgerError::NoSuchRecord { index, size: self.size() });
        }
        if self.root_at(checkpoint.size)? != checkpoint.root {
            return Err(LedgerError::Forked { size: checkpoint.size });
        }
        if checkpoint.size <= self.reader.head().size {
            return Ok(());
        }
        let shown = self.reader.head().size;
        self.redact(shown.0..checkpoint.size.0)?;
        let mut batch = WriteBatch::default();
        batch.put(CONFIRMED, note);
        self.reader.log().write_unsynced(batch)?;
        self.publish(&checkpoint, note)?;
        redaction::purge(self.reader.log())
    }

    /// Removes what the redaction records of a range say: of confirmed ones, since whoever has not the log's key shall not
    /// have anything removed.
    fn redact(&self, range: Range<u64>) -> Result<()> {
        redaction::apply(self.reader.log(), &redaction::list(self.reader.derived(), range)?)
    }

    /// Forgets the rows that were taken and that no checkpoint confirmed.
    ///
    /// # Errors
    /// [`LedgerError::Falsified`] or [`LedgerError::Storage`] if that fails.
    pub fn forget_unconfirmed(&mut self) -> Result<()> {
        let (confirmed, taken) = (self.reader.head().size, self.size());
        let (log, derived) = (self.reader.log(), self.reader.derived());
        let frontier = store::frontier_at(&StoredNodes { log, derived, size: taken }, confirmed)?;
        let last = match confirmed.0.checked_sub(1) {
            Some(index) => {
                let bytes = self.taken(RecordIndex(index))?;
                Some((record::hash(&bytes), record::recorded_at(&decode(index, &bytes)?)))
            }
            None => None,
        };
        let (mut rows, mut events) = (WriteBatch::default(), Vec::new());
        for index in confirmed.0..taken.0 {
            events.extend(derive::event_entry(&decode(index, &self.taken(RecordIndex(index))?)?));
            rows.delete_cf(cf(&log.0, RECORDS), index.to_be_bytes());
            rows.delete_cf(cf(&log.0, BESIDE), index.to_be_bytes());
        }
        rows.put(EDGE, store::edge_value(&frontier));
        if self.is_replaying {
            rows.put(REPLAYED, confirmed.0.to_be_bytes());
        } else {
            rows.delete(REPLAYED);
        }
        // First what is derived: of rows that are there and not derived, it is made again at the next start.
        derive::remove(derived, &events, confirmed, taken)?;
        log.write_synced(rows)?;
        (self.frontier, self.last) = (frontier, last);
        self.coverage = recover::catch_up(log, derived, confirmed)?;
        Ok(())
    }

    /// Makes the owner's ledger of this replica: takes the anchor's lease, which was `seen` for as long as nobody renewed
    /// it, and leaves a data folder that [`Ledger::open`](crate::Ledger::open) opens. `location` names the owner's anchor;
    /// the folder has the ledger's keys. What no checkpoint confirmed is forgotten.
    ///
    /// # Errors
    /// [`LedgerError::Renewed`] if the holder is alive; [`LedgerError::Behind`] if records were acknowledged that are not
    /// in this replica; [`LedgerError::Beside`] if they are other ones; [`LedgerError::Key`] if the keys are not the log's.
    pub fn take_over(mut self, location: &Location, seen: Option<&Lease>) -> Result<()> {
        let holder = Holder::of(&location.data)?;
        let keys = Keys::read(&location.keys())?;
        for (name, fits) in [
            ("log", keys.own_keys(&self.origin).any(|key| key == self.key)),
            ("index", keys.index.commitment() == self.index_key),
        ] {
            if !fits {
                let path = location.keys().join(format!("{name}.key"));
                return Err(LedgerError::Key { path, problem: "is not the log's".to_owned() });
            }
        }
        self.forget_unconfirmed()?;
        self.sync()?;
        Anchor::take_over(&location.anchor, &holder, seen, |note| {
            let anchored = self.signed(note)?;
            keys.check_newest(note, &self.origin).map_err(|problem| LedgerError::Key {
                path: location.keys().join("log.key"),
                problem: problem.to_owned(),
            })?;
            if anchored.size > self.size() {
                return Err(LedgerError::Behind { size: self.size(), anchored: anchored.size });
            }
            match self.root_at(anchored.size)? == anchored.root {
                true => Ok(()),
                false => Err(LedgerError::Beside { anchored: anchored.size }),
            }
        })?;
        let mut batch = WriteBatch::default();
        batch.delete(CONFIRMED);
        batch.delete(REPLAYED);
        self.reader.log().write_synced(batch)
    }

    /// Keeps a signed checkpoint that does not fit the confirmed one, with that one, in a file: together they prove that
    /// the log's key has signed two histories. None if the key has not signed it.
    ///
    /// # Errors
    /// [`LedgerError::File`] if they cannot be kept.
    pub fn keep_evidence(&self, note: &[u8]) -> Result<Option<PathBuf>> {
        let Ok(other) = self.signed(note) else { return Ok(None) };
        let confirmed = self.reader.head();
        files::create_folder(&self.forks)?;
        let name = format!("{}-{}-{}.txt", confirmed.size, other.size, &other.root.to_string()[..16]);
        let path = self.forks.join(name);
        if !path.exists() {
            let bytes = [&confirmed.checkpoint, b"\n".as_slice(), note].concat();
            files::write_private(&path, &bytes)?;
            files::sync_folder(&self.forks)?;
        }
        Ok(Some(path))
    }

    /// Keeps how often each source delivered what was known, as the owner counts it. No checkpoint covers these counts.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] if they cannot be written.
    pub fn set_duplicates(&self, counts: &[(SourceKey, u64)]) -> Result<()> {
        let mut batch = WriteBatch::default();
        counts.iter().for_each(|(source, count)| batch.put(count_key(source), count_bytes(*count)));
        self.reader.log().write_unsynced(batch)
    }

    /// Makes durable what was taken.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] if that fails.
    pub fn sync(&self) -> Result<()> {
        self.reader.log().sync()
    }

    /// Whether what was read again fits what it replaces, as soon as all of it is there, and replaces what counted.
    fn check_remapped(&self, rows: &[Row]) -> Result<()> {
        let start = self.size().0;
        let read = |index: u64| {
            let arrived = index.checked_sub(start).and_then(|number| rows.get(usize::try_from(number).ok()?));
            match arrived {
                Some(row) => Ok(Some(Cow::from(&row.record))),
                None => Ok(self.reader.log().record(index)?.map(Cow::from)),
            }
        };
        let mut replaced = BTreeSet::new();
        for (row, index) in rows.iter().zip(start..) {
            let Some(part) = row.checked.remapped else { continue };
            if let Some((key, ..)) = row.checked.event
                && (!replaced.insert(key) || self.reader.known(&key)?.is_some())
            {
                let problem = "what it replaces was replaced by another record already";
                return Err(LedgerError::falsified(format!("record {index}"), problem));
            }
            if part.is_last() {
                remapped::check(RecordIndex(index.saturating_sub(part.number.into())), part.of, read)?;
            }
        }
        Ok(())
    }

    /// Whether record 0 is that of the log which the policy names.
    fn check_first(&self, row: &Checked) -> Result<()> {
        let other = |problem: String| Err(LedgerError::OtherLog { problem });
        match &row.head.body {
            Some(Body::Origin(body)) if body.origin != self.origin.as_str() => {
                let named = || format!("it is {:?}, and the policy names {:?}", body.origin, self.origin.as_str());
                other(incarnation::told(&row.head, self.origin.as_str()).unwrap_or_else(named))
            }
            Some(Body::Origin(body)) if body.index_key_commitment != self.index_key.as_bytes() => {
                other("its index key is another one than the policy's".to_owned())
            }
            Some(Body::Origin(_)) => Ok(()),
            _ => other("its record 0 states no origin".to_owned()),
        }
    }

    fn root_at(&self, size: TreeSize) -> Result<Hash> {
        let nodes = StoredNodes { log: self.reader.log(), derived: self.reader.derived(), size: self.size() };
        root_at(&nodes, size).map_err(|error| LedgerError::falsified("the tree", error))
    }

    fn publish(&self, checkpoint: &Checkpoint, note: &[u8]) -> Result<()> {
        let nodes = StoredNodes { log: self.reader.log(), derived: self.reader.derived(), size: self.size() };
        let last = nodes.leaf(checkpoint.size.0.saturating_sub(1))?;
        let Checkpoint { size, root, .. } = *checkpoint;
        // A seal past the checkpoint is not shown yet.
        let sealed = Some(self.coverage.sealed()).filter(|sealed| *sealed < size);
        let sealed = sealed.unwrap_or_else(|| self.reader.sealed());
        self.reader.publish(Published { size, root, last, note: Arc::from(note), sealed });
        Ok(())
    }
}

/// The log that a policy names, its key, and the key of its tokens.
fn log_of(policy: &Policy) -> Result<(Origin, VerifierKey, IndexKey)> {
    let problem = |problem: &str| LedgerError::Policy { problem: problem.to_owned() };
    let [log] = policy.logs() else { return Err(problem("it has to name one log, which is copied")) };
    let origin = Origin::new(log.key.name().as_str()).map_err(|_| problem("its log's name cannot be an origin"))?;
    let index_key = policy.index_key().ok_or_else(|| problem("it lacks the key of tokens (#counterfoil index-key)"))?;
    Ok((origin, log.key.clone(), index_key.clone()))
}
