//! A new incarnation: a log of a new name that goes on from what is left of an earlier one, and says what was lost.
//!
//! Owns how it is made. Every record that is left becomes one of the new log, under the same index and with the same times,
//! with what lies beside it; record 0 names the old log, the root over what is left of it and the newest checkpoint that is
//! known of it. So all questions are answered as before, and whoever has the new log can show that it is the old one's
//! beginning (`verify::incarnation`). It has a key of its own, since a key signs one history; the keys of tokens and digests
//! stay. The old folder stays as it is, and cannot go on: its anchor's lease is taken.
//!
//! It never decides what is said about why: whoever declares it hands over the records for that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use counterfoil_proto::v1::{Beside, Origin as OriginBody, Predecessor, RedactedParts, Time, record::Body};
use counterfoil_verify::beside;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::incarnation::{IncarnationError, Rechained, predecessors};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::time::RecordedAt;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use prost::Message;
use rocksdb::{Direction, IteratorMode, WriteBatch};

use crate::anchor::{Anchor, Stillness};
use crate::append::PreparedEvent;
use crate::clock::Clock;
use crate::error::{LedgerError, Result};
use crate::files;
use crate::fsck;
use crate::keys::{Keys, fresh};
use crate::lease::Holder;
use crate::ledger::{Location, parse_origin};
use crate::lock::Lock;
use crate::memory::Memory;
use crate::recover::decode;
use crate::redaction;
use crate::removals::{self, KnownRedactions, Removal};
use crate::store::{self, Access, BESIDE, CONFIRMED, COUNT, EDGE, LogDb, POSITION, RECORDS, cf};

/// What is written in one go.
const BATCH_BYTES: usize = 16 << 20;

/// Makes the records that say why, or says why it cannot.
pub type Declare<'d> = dyn FnMut(&Keys, &Loss) -> std::result::Result<Vec<PreparedEvent>, String> + 'd;
/// Fills bytes with random ones.
type Entropy<'e> = dyn FnMut(&mut [u8]) + 'e;

/// What a new incarnation is to be.
#[derive(Clone, Debug)]
pub struct IncarnationOrder {
    /// What is left of the old log, and its anchor: the newest signed checkpoint that is known of it.
    pub from: Location,
    /// Where the keys of the old log are, if not in its data folder.
    pub keys: Option<PathBuf>,
    /// Where it is told what was redacted.
    pub redactions: KnownRedactions,
    /// The new log's name.
    pub origin: String,
    /// How long the old anchor's lease must not have been renewed before it is taken.
    pub patience: Duration,
    /// How the process describes itself to another that finds the folder in use.
    pub holder: String,
}

/// What was lost of a log.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What is left of it.
    pub left: Checkpoint,
    /// The newest that is known of it.
    pub known: Checkpoint,
    /// What redactions removed that are lost themselves, beside records that are left.
    pub redactions: Vec<Vec<RedactedParts>>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Incarnated {
    /// The new log, as it was signed first.
    pub checkpoint: Checkpoint,
    /// What was lost of the old one.
    pub loss: Loss,
}

/// Makes the data folder, the anchor and the policy of a new log that goes on from an old one. `declare` gives the records that
/// say why, and that repeat the redactions which were lost.
///
/// # Errors
/// [`LedgerError::Exists`] rather than overwrite anything; [`LedgerError::Incarnation`] if it cannot be declared so;
/// [`LedgerError::Beside`], [`LedgerError::Falsified`] if what is left is not what was signed; [`LedgerError::InUse`] if somebody
/// still owns the old log.
pub fn incarnate(
    order: &IncarnationOrder,
    to: &Location,
    declare: &mut Declare<'_>,
    (clock, entropy): (&dyn Clock, &mut Entropy<'_>),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Incarnated> {
    for path in [&to.data, &to.anchor, &to.policy()] {
        if path.exists() {
            return Err(LedgerError::Exists { path: path.clone() });
        }
    }
    let origin = parse_origin(&order.origin)?;
    let old = Old::open(order, progress)?;
    old.check_name(&origin)?;

    files::create_folder(&to.data)?;
    let keys = new_keys(&old.keys, entropy);
    keys.write(&to.keys())?;
    Holder::create(&to.data, entropy)?;
    let declared = declare(&keys, &old.loss).map_err(|problem| LedgerError::Incarnation { problem })?;
    let log = LogDb::open(&to.log(), true, Access::Owner, &Memory::new())?;
    let new = old.rewrite(&log, &origin, &declared, clock)?;

    // Whoever owns the old log would find so at the next append.
    old.still.take(&Holder::of(&to.data)?, order.patience)?;
    let key = keys.signing_key(&origin);
    let policy = Policy::of_log(key.verifier_key(), keys.index.clone()).format();
    files::write_private(&to.policy(), policy.as_bytes())?;
    files::sync_folder(&to.data)?;
    files::sync_folder(files::folder_of(&to.data))?;
    let checkpoint = Checkpoint { origin, size: new.size(), root: new.root() };
    let note = checkpoint.sign(&key).map_err(|error| falsified("the checkpoint", &error))?;
    // Last: it says that there is a ledger.
    Anchor::create(&to.anchor, &note.format())?;
    Ok(Incarnated { checkpoint, loss: old.loss })
}

/// What is left of the old log.
struct Old {
    log: LogDb,
    keys: Keys,
    first: Vec<u8>,
    loss: Loss,
    lost: Vec<Removal>,
    still: Stillness,
    _lock: Lock,
}

impl Old {
    /// Opens and checks it, against the newest checkpoint that is known.
    fn open(order: &IncarnationOrder, progress: &mut dyn FnMut(u64, u64)) -> Result<Self> {
        let IncarnationOrder { from, keys, redactions, holder, .. } = order;
        if !from.log().exists() {
            return Err(LedgerError::NotALedger { path: from.data.clone() });
        }
        let lock = Lock::take(&from.data, holder)?;
        let still = Stillness::watch(&from.anchor)?;
        let keys = Keys::read(keys.as_deref().unwrap_or(&from.keys()))?;
        let anchor = Anchor::read(&from.anchor)?;
        let log = LogDb::open(&from.log(), false, Access::ReadOnly, &Memory::new())?;
        if log.0.get(CONFIRMED)?.is_some() {
            return Err(LedgerError::Replica { path: from.data.clone() });
        }
        let size = log.size()?;
        let (origin, known) = crate::ledger::check_identity(&log, &keys, &anchor, from)?;
        let removals = removals::known(redactions, &from.anchor, &origin)?;
        // The first is the log's own, whatever that is; the anchor may be of more, or of another history.
        let own = Checkpoint { origin: origin.clone(), size: TreeSize(0), root: known.root };
        let signed: Vec<Checkpoint> = std::iter::once(own).chain((known.size <= size).then(|| known.clone())).collect();
        let report = fsck::check_copy(from, (&keys, anchor.note()), &signed, &removals, progress)?;
        report.sound()?;
        let left = Checkpoint { origin, size, root: report.root };
        let known = if known.size < size { left.clone() } else { known };
        let lost: Vec<Removal> = removals.into_iter().filter(|removal| removal.by.0 >= size.0).collect();
        let redactions = lost.iter().map(|removal| clipped(&removal.removed, size)).filter(|parts| !parts.is_empty());
        let loss = Loss { left, known, redactions: redactions.collect() };
        let first = log.record(0)?.unwrap_or_default();
        Ok(Self { log, keys, first, loss, lost, still, _lock: lock })
    }

    /// A name is one history's for ever.
    fn check_name(&self, origin: &Origin) -> Result<()> {
        let first = decode(0, &self.first)?;
        let mut names = vec![self.loss.left.origin.as_str().to_owned()];
        names.extend(predecessors(&first).into_iter().map(|predecessor| predecessor.origin));
        match names.iter().any(|name| name == origin.as_str()) {
            true => Err(LedgerError::Incarnation {
                problem: format!(
                    "{origin} is the name of a history already: give the new one another, such as {origin}/2"
                ),
            }),
            false => Ok(()),
        }
    }

    /// Writes the records of the new log, durably: those that are left, and those that were declared.
    fn rewrite(
        &self,
        log: &LogDb,
        origin: &Origin,
        declared: &[PreparedEvent],
        clock: &dyn Clock,
    ) -> Result<Rechained> {
        let first = self.new_first(origin)?;
        let mut rechained = Rechained::from(&first).map_err(|error| chained(0, error))?;
        let mut batch = WriteBatch::default();
        batch.put_cf(cf(&log.0, RECORDS), 0u64.to_be_bytes(), &first);
        let gone = self.gone();
        let mut last = record::recorded_at(&decode(0, &first)?);
        for index in 1..self.loss.left.size.0 {
            let missing = || LedgerError::falsified(format!("record {index}"), "it is missing");
            let old = decode(index, &self.log.record(index)?.ok_or_else(missing)?)?;
            last = record::recorded_at(&old);
            let bytes = rechained.put(old).map_err(|error| chained(index, error))?;
            batch.put_cf(cf(&log.0, RECORDS), index.to_be_bytes(), bytes);
            if let Some(beside) = self.log.beside(index)? {
                let beside = match gone.get(&index) {
                    Some(parts) => without(index, &beside, parts)?,
                    None => beside,
                };
                batch.put_cf(cf(&log.0, BESIDE), index.to_be_bytes(), beside);
            }
            if batch.size_in_bytes() > BATCH_BYTES {
                log.write_unsynced(std::mem::take(&mut batch))?;
            }
        }
        let now = RecordedAt(clock.read().wall).max(last);
        for event in declared {
            for (part, tail) in event.tails.iter().enumerate() {
                let index = RecordIndex(rechained.size().0);
                let prev = rechained.last().ok_or_else(|| LedgerError::falsified("record 0", "it is missing"))?;
                let record = decode(index.0, &tail.at(index, prev, now))?;
                let bytes = rechained.put(record).map_err(|error| chained(index.0, error))?;
                batch.put_cf(cf(&log.0, RECORDS), index.0.to_be_bytes(), bytes);
                if let Some(beside) = event.beside.as_deref().filter(|_| part == 0) {
                    batch.put_cf(cf(&log.0, BESIDE), index.0.to_be_bytes(), beside);
                }
            }
        }
        for prefix in [POSITION, COUNT] {
            for row in self.log.0.iterator(IteratorMode::From(prefix, Direction::Forward)) {
                let (key, value) = row?;
                if !key.starts_with(prefix) {
                    break;
                }
                batch.put(key, value);
            }
        }
        batch.put(EDGE, store::edge_value(rechained.frontier()));
        log.write_synced(batch)?;
        Ok(rechained)
    }

    fn new_first(&self, origin: &Origin) -> Result<Vec<u8>> {
        let old = decode(0, &self.first)?;
        let Some(Body::Origin(body)) = &old.body else {
            return Err(LedgerError::falsified("record 0", "it states no origin"));
        };
        let Loss { left, known, .. } = &self.loss;
        let predecessor = Predecessor {
            origin: left.origin.as_str().to_owned(),
            size: left.size.0,
            root: left.root.as_bytes().to_vec(),
            first_record: self.first.clone(),
            known_size: known.size.0,
            known_root: known.root.as_bytes().to_vec(),
        };
        let body = OriginBody {
            origin: origin.as_str().to_owned(),
            index_key_commitment: body.index_key_commitment.clone(),
            predecessor: Some(predecessor),
        };
        // The time of the old one: those behind it are as early as they are.
        let recorded_at: Time = old.recorded_at.unwrap_or_default();
        record::encode(&record::origin_record(body, recorded_at))
            .map_err(|error| LedgerError::Incarnation { problem: format!("record 0 cannot say it: {error}") })
    }

    /// What has to be gone beside each record, by redactions that are lost.
    fn gone(&self) -> BTreeMap<u64, BTreeSet<u32>> {
        let mut gone: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for RedactedParts { first, records, parts } in
            self.lost.iter().flat_map(|removal| clipped(&removal.removed, self.loss.left.size))
        {
            for index in first..first + records {
                gone.entry(index).or_default().extend(&parts);
            }
        }
        gone
    }
}

/// Ranges, as far as they are of these records.
fn clipped(removed: &[RedactedParts], size: TreeSize) -> Vec<RedactedParts> {
    let within = removed.iter().filter(|range| range.first < size.0);
    let cut =
        |range: &RedactedParts| RedactedParts { records: range.records.min(size.0 - range.first), ..range.clone() };
    within.map(cut).collect()
}

/// What lies beside a record, without these parts.
fn without(index: u64, bytes: &[u8], parts: &BTreeSet<u32>) -> Result<Vec<u8>> {
    let place = || format!("what lies beside record {index}");
    let found = Beside::decode(bytes).map_err(|error| falsified(&place(), &error))?;
    let gone: BTreeSet<u32> = redaction::gone(&found).collect();
    let left: Vec<u32> = parts.difference(&gone).copied().collect();
    match left.is_empty() {
        true => Ok(bytes.to_vec()),
        false => {
            let removed = beside::remove(&found, &left).map_err(|error| falsified(&place(), &error))?;
            Ok(removed.encode_to_vec())
        }
    }
}

/// A key signs one history; tokens and digests stay what they are.
fn new_keys(old: &Keys, entropy: &mut dyn FnMut(&mut [u8])) -> Keys {
    let (index, ingest) = (IndexKey::new(*old.index.as_bytes()), old.ingest.clone());
    Keys { log_seed: fresh(entropy), next: None, former: None, retired: Vec::new(), index, ingest }
}

fn chained(index: u64, error: IncarnationError) -> LedgerError {
    falsified(&format!("record {index}"), &error)
}

fn falsified(place: &str, error: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::falsified(place, error)
}
