//! A ledger: made, opened, appended to, closed.
//!
//! Owns the data folder and the order of the checks at the start. It refuses to start rather than guess.
//!
//! ```text
//! DIR/lock      who owns it              DIR/log/      records and what lies beside: synced
//! DIR/keys/     three keys               DIR/derived/  nodes and known events: rebuilt where missing
//! DIR/holder    the name of this copy      DIR/frozen/   the log as hard links, while it is backed up
//! DIR.anchor    the newest checkpoint    DIR.policy    what verifiers are given
//! DIR.anchor.redactions   what was redacted
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use counterfoil_proto::v1::{Origin as OriginBody, Precision, record::Body};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::note::VerifierKey;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tree::{Frontier, root_at};
use rocksdb::WriteBatch;
use tokio::sync::{mpsc, oneshot, watch};

use crate::anchor::Anchor;
use crate::append::{Batch, Receipt};
use crate::backup::Removed;
use crate::clock::Clock;
use crate::condition::Condition;
use crate::error::{LedgerError, Result};
use crate::files;
use crate::keys::Keys;
use crate::lease::{Holder, Lease};
use crate::lock::{self, Lock};
use crate::memory::Memory;
use crate::nodes::Tiles;
use crate::owner::{Owner, Pending, read_clock_value};
use crate::read::{Published, Reader, Shared};
use crate::recover::{Recovered, decode};
use crate::redaction;
use crate::removals::Removals;
use crate::renewal::Renewal;
use crate::sealing::{Schedule, Sealing};
use crate::store::{self, Access, CLOCK, CONFIRMED, EDGE, LogDb, RECORDS, StoredNodes, cf};

/// How many batches wait for the owner before producers are held back: as many producers may share one commit.
const QUEUE_BATCHES: usize = 1_024;

/// Where a ledger is.
#[derive(Clone, Debug)]
pub struct Location {
    /// The data folder.
    pub data: PathBuf,
    /// The anchor, which belongs on another volume.
    pub anchor: PathBuf,
}

impl Location {
    /// The data folder, and the anchor where it is by default: `DIR.anchor` beside it.
    pub fn new(data: &Path, anchor: Option<&Path>) -> Self {
        Self { data: data.to_owned(), anchor: anchor.map_or_else(|| beside(data, "anchor"), Path::to_owned) }
    }

    /// What verifiers are given: `DIR.policy` beside the data folder.
    pub fn policy(&self) -> PathBuf {
        beside(&self.data, "policy")
    }

    /// Who may call a server of it: `DIR.tokens` beside the data folder.
    pub fn tokens(&self) -> PathBuf {
        beside(&self.data, "tokens")
    }

    /// The origin that the anchor names, for whoever does not open the ledger. No signature is checked.
    ///
    /// # Errors
    /// [`LedgerError::NotALedger`] if there is none, [`LedgerError::Anchor`] if the anchor names no origin.
    pub fn origin(&self) -> Result<Origin> {
        if !self.log().exists() {
            return Err(LedgerError::NotALedger { path: self.data.clone() });
        }
        let anchor = Anchor::read(&self.anchor)?;
        let line = anchor.note().split(|byte| *byte == b'\n').next().unwrap_or_default();
        let origin = std::str::from_utf8(line).ok().and_then(|line| Origin::new(line).ok());
        origin.ok_or_else(|| LedgerError::Anchor { path: self.anchor.clone(), problem: "names no origin".to_owned() })
    }

    /// Where views of the log belong.
    pub fn views(&self) -> PathBuf {
        self.data.join("views")
    }

    /// The lease of the anchor, for whoever waits for it: one that was renewed is another one. None where nobody has it.
    ///
    /// # Errors
    /// [`LedgerError::File`] if it cannot be read.
    pub fn lease(&self) -> Result<Option<Lease>> {
        Anchor::lease(&self.anchor)
    }

    /// Waits until no process has the ledger, at most so long, and says whether that came to pass. Another one may take
    /// it before the caller does.
    ///
    /// # Errors
    /// [`LedgerError::File`] if the lock cannot be looked at.
    pub fn wait_until_free(&self, patience: Duration) -> Result<bool> {
        lock::wait(&self.data, patience)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.data.join("log")
    }

    pub(crate) fn derived(&self) -> PathBuf {
        self.data.join("derived")
    }

    pub(crate) fn frozen(&self) -> PathBuf {
        self.data.join("frozen")
    }
}

fn beside(data: &Path, extension: &str) -> PathBuf {
    let text = data.as_os_str().to_string_lossy();
    PathBuf::from(format!("{}.{extension}", text.trim_end_matches('/')))
}

/// An open ledger. One process has it; in it, one thread appends.
pub struct Ledger {
    reader: Reader,
    keys: Keys,
    /// None once it is being closed.
    queue: Option<mpsc::Sender<Pending>>,
    owner: Option<JoinHandle<()>>,
    condition: watch::Receiver<Condition>,
    renewal: Renewal,
    caught_up: u64,
    /// Where the log is frozen while a backup is made of it.
    pub(crate) frozen: PathBuf,
    /// Held while no commit may be on its way.
    pub(crate) commits: Arc<Mutex<()>>,
    /// Held while files are copied, or what was redacted is removed from them.
    pub(crate) copying: Mutex<()>,
    _lock: Lock,
}

/// How a ledger is opened.
pub struct Options {
    /// Where times come from.
    pub clock: Box<dyn Clock>,
    /// The operator confirms that the wall clock is right although it jumped.
    pub accept_clock: bool,
    /// How the process describes itself to another that finds the ledger in use: what it does, and since when.
    pub holder: String,
    /// When it seals.
    pub sealing: Sealing,
}

/// Makes a new ledger: keys, record 0, anchor and policy. `entropy` fills bytes with randomness.
///
/// # Errors
/// [`LedgerError::Exists`] rather than overwrite anything; [`LedgerError::Origin`] if no log can have this origin.
pub fn init(location: &Location, origin: &str, clock: &dyn Clock, entropy: &mut dyn FnMut(&mut [u8])) -> Result<()> {
    for path in [&location.data, &location.anchor, &location.policy()] {
        if path.exists() {
            return Err(LedgerError::Exists { path: path.clone() });
        }
    }
    let origin = parse_origin(origin)?;
    files::create_folder(&location.data)?;
    let keys = Keys::from_entropy(entropy);
    keys.write(&location.keys())?;
    Holder::create(&location.data, entropy)?;

    let body = OriginBody {
        origin: origin.as_str().to_owned(),
        index_key_commitment: keys.index.commitment().as_bytes().to_vec(),
        predecessor: None,
    };
    let record = record::origin_record(body, clock.read().wall.to_time(Precision::Nanosecond));
    let bytes = record::encode(&record).map_err(|error| LedgerError::falsified("record 0", error))?;
    let mut frontier = Frontier::new();
    frontier.append(record::hash(&bytes), |_| ());
    let log = LogDb::open(&location.log(), true, Access::Owner, &Memory::new())?;
    let mut batch = WriteBatch::default();
    batch.put_cf(cf(&log.0, RECORDS), 0u64.to_be_bytes(), &bytes);
    batch.put(EDGE, store::edge_value(&frontier));
    log.write_synced(batch)?;

    let key = keys.signing_key(&origin);
    files::write_private(&location.policy(), policy(&key.verifier_key(), &keys).as_bytes())?;
    // What names all that: only then the anchor, which says that there is a ledger.
    files::sync_folder(&location.data)?;
    files::sync_folder(files::folder_of(&location.data))?;
    let checkpoint = Checkpoint { origin, size: frontier.size(), root: frontier.root() };
    let note = checkpoint.sign(&key).map_err(|error| LedgerError::falsified("the checkpoint", error))?;
    Anchor::create(&location.anchor, &note.format())
}

fn policy(key: &VerifierKey, keys: &Keys) -> String {
    Policy::of_log(key.clone(), keys.index.clone()).format()
}

pub(crate) fn parse_origin(origin: &str) -> Result<Origin> {
    Origin::new(origin).map_err(|error| LedgerError::Origin { origin: origin.to_owned(), problem: error.to_string() })
}

impl Ledger {
    /// Opens a ledger and becomes its owner: checks it against its anchor, catches derived data up, and starts the owner
    /// thread.
    ///
    /// # Errors
    /// Every [`LedgerError`] that says why it must not go on.
    pub fn open(location: &Location, options: Options) -> Result<Self> {
        if !location.log().exists() {
            return Err(LedgerError::NotALedger { path: location.data.clone() });
        }
        let lock = Lock::take(&location.data, &options.holder)?;
        drop(Removed::at(&location.frozen())?);
        let memory = Memory::new();
        let log = LogDb::open(&location.log(), false, Access::Owner, &memory)?;
        if log.0.get(CONFIRMED)?.is_some() {
            return Err(LedgerError::Replica { path: location.data.clone() });
        }
        let keys = Keys::read(&location.keys())?;
        let holder = Holder::of(&location.data)?;
        let anchor = Anchor::hold(&location.anchor, holder.clone())?;
        let (origin, anchored) = check_identity(&log, &keys, &anchor, location)?;
        let size = log.size()?;
        if size < anchored.size {
            return Err(LedgerError::Behind { size, anchored: anchored.size });
        }
        let Recovered { log, derived, frontier, coverage, last } = Recovered::of(log, &location.derived(), &memory)?;
        let (last_leaf, last_time) = last.ok_or_else(|| LedgerError::falsified("record 0", "it is missing"))?;
        let redactions = redaction::list(&derived, 0..size.0)?;
        redaction::apply(&log, &redactions)?;
        redaction::purge(&log)?;
        let nodes = StoredNodes { log: &log, derived: &derived, size };
        let root = root_at(&nodes, anchored.size).map_err(|error| LedgerError::falsified("the tree", error))?;
        if root != anchored.root {
            return Err(LedgerError::Beside { anchored: anchored.size });
        }
        let removals = Removals::beside(&location.anchor, &origin);
        removals.bring_up(&log, &redactions)?;
        let anchored_leaf = nodes.leaf(anchored.size.0.saturating_sub(1))?;
        let last_reading = log.0.get(CLOCK)?.as_deref().and_then(read_clock_value).filter(|_| !options.accept_clock);
        let reader = Reader::new(Shared {
            log,
            derived,
            memory,
            origin: origin.clone(),
            index_key: keys.index.clone(),
            signer: Some(keys.signing_key(&origin)),
            published: RwLock::new(Published {
                size: anchored.size,
                root: anchored.root,
                last: anchored_leaf,
                note: Arc::from(anchor.note()),
                sealed: coverage.sealed().min(anchored.size),
            }),
            grown: watch::Sender::new(anchored.size),
            served: RwLock::new(None),
            tiles: Tiles::new(),
        });
        let commits = Arc::new(Mutex::new(()));
        let mut owner = Owner {
            reader: reader.clone(),
            commits: commits.clone(),
            anchor,
            removals,
            key: keys.signing_key(&origin),
            origin,
            clock: options.clock,
            frontier,
            last_leaf,
            last_time,
            last_reading,
            is_clock_accepted: options.accept_clock,
            unflushed: 0,
            schedule: Schedule::new(options.sealing, coverage.is_sealed())?,
            coverage,
            condition: watch::Sender::new(Condition::Taking),
        };
        let condition = owner.condition.subscribe();
        if size > anchored.size {
            // Durable before the last end, and acknowledged to nobody: it is signed now.
            owner.sign_and_publish()?;
        }
        let (queue, mut pending) = mpsc::channel(QUEUE_BATCHES);
        let owner = std::thread::Builder::new()
            .name("ledger-owner".to_owned())
            .spawn(move || owner.run(&mut pending))
            .map_err(|error| LedgerError::file(&location.data, error))?;
        let renewal = Renewal::start(&location.anchor, holder)?;
        let caught_up = size.0 - anchored.size.0;
        Ok(Self {
            reader,
            keys,
            queue: Some(queue),
            owner: Some(owner),
            condition,
            renewal,
            caught_up,
            frozen: location.frozen(),
            commits,
            copying: Mutex::new(()),
            _lock: lock,
        })
    }

    /// A handle for reading.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The keys, for whoever prepares events.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many records were durable and past the anchor's size when this ledger was opened, and were signed then. The
    /// last process ended between commit and anchor; it leaves no more than one commit has.
    pub fn caught_up(&self) -> u64 {
        self.caught_up
    }

    /// Follows whether it takes appends.
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.clone()
    }

    /// Waits until another copy of the ledger has taken over: from then on nothing can be appended here any more.
    pub async fn until_taken_over(&self) {
        self.renewal.until_lost().await;
    }

    /// Appends a batch and waits until it is durable, signed and anchored. For threads that may block.
    pub fn append(&self, batch: Batch) -> Result<Receipt> {
        self.submit(batch)?.wait()
    }

    /// Hands a batch over without waiting for it; waits only while the queue is full. For threads that may block.
    pub fn submit(&self, batch: Batch) -> Result<PendingReceipt> {
        let (reply, receipt) = oneshot::channel();
        self.queue()?.blocking_send((batch, reply)).map_err(|_| ended())?;
        Ok(PendingReceipt(receipt))
    }

    /// Appends a batch and is done once it is durable, signed and anchored, without a thread of its own. A batch whose
    /// receipt nobody awaits any more is appended all the same.
    pub async fn append_async(&self, batch: Batch) -> Result<Receipt> {
        let (reply, receipt) = oneshot::channel();
        self.queue()?.send((batch, reply)).await.map_err(|_| ended())?;
        receipt.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Rewrites the files that may still hold what redactions removed. Whoever appends one calls it; what it did not get to,
    /// the next start does. For threads that may block: it takes as long as to copy what lies beside the records, and waits for
    /// a backup that is being made.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] or [`LedgerError::NoSpace`] if that fails.
    pub fn purge(&self) -> Result<()> {
        let _alone = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        redaction::purge(self.reader.log())
    }

    fn queue(&self) -> Result<&mpsc::Sender<Pending>> {
        self.queue.as_ref().ok_or_else(ended)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Whoever is at the other end appends what is in the queue, and ends.
        self.queue = None;
        if let Some(owner) = self.owner.take() {
            let _ = owner.join();
        }
    }
}

/// A receipt that is still to come.
pub struct PendingReceipt(oneshot::Receiver<Result<Receipt>>);

impl PendingReceipt {
    /// Waits for it.
    pub fn wait(self) -> Result<Receipt> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> LedgerError {
    LedgerError::Closed("its owner thread has ended".to_owned())
}

/// Checks that log, keys, anchor and policy belong together, before anything is trusted further.
pub(crate) fn check_identity(
    log: &LogDb,
    keys: &Keys,
    anchor: &Anchor,
    location: &Location,
) -> Result<(Origin, Checkpoint)> {
    let first = log.record(0)?.ok_or_else(|| LedgerError::falsified("record 0", "it is missing"))?;
    let first = decode(0, &first)?;
    let Some(Body::Origin(body)) = &first.body else {
        return Err(LedgerError::falsified("record 0", "it states no origin"));
    };
    if body.index_key_commitment != keys.index.commitment().as_bytes() {
        return Err(LedgerError::Key {
            path: location.keys().join("index.key"),
            problem: "is not the one that record 0 commits to".to_owned(),
        });
    }
    let origin = parse_origin(&body.origin)?;
    let anchored = keys.open(anchor.note(), &origin).map_err(|error| LedgerError::Anchor {
        path: location.anchor.clone(),
        problem: format!("is not this ledger's ({error})"),
    })?;
    keys.check_newest(anchor.note(), &origin)
        .map_err(|problem| LedgerError::Key { path: location.keys().join("log.key"), problem: problem.to_owned() })?;
    Ok((origin, anchored))
}
