//! The way of the records from a stream into the replica: checked by several threads, taken by one, in order.
//!
//! Owns how much is under way at a time, and which signed checkpoint the replica is compared with next: the newest one is
//! of a size that may be far ahead, so that the same one is kept until the records have come that it covers.

use std::time::Duration;

use counterfoil_ledger::{LedgerError, Replica, Row, SourceKey};
use counterfoil_proto::v1::{DuplicateCount, ReadRecordsRequest, ReadRecordsResponse};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};

use super::{Follower, Stop};

/// The largest message that is taken: many records, or a large payload.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Messages that are checked, or wait to be taken.
const AHEAD: usize = 4;
/// How long nothing may come. A server says something every 5 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How often what was taken is made durable.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// A message whose rows were checked, each by itself.
struct Checked {
    rows: Vec<Row>,
    size: TreeSize,
    checkpoint: Vec<u8>,
    duplicates: Vec<(SourceKey, u64)>,
}

impl<T> Follower<T>
where
    T: GrpcService<Body> + Clone + Send + Sync + 'static,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    /// Copies records as they come.
    pub(super) async fn copy(&mut self) -> Result<(), Stop> {
        let (from, key) =
            self.on_replica(|replica| Ok((replica.size(), replica.compares_with()))).await.map_err(Stop::own)?;
        let request =
            ReadRecordsRequest { from: from.0, until: 0, follow: true, with_beside: true, beside_as_bytes: true };
        let mut stream = self.source.client.read_records(request).await?.into_inner();
        let (sender, mut checked) = mpsc::channel::<JoinHandle<Result<Checked, Stop>>>(AHEAD);
        let reading = async move {
            let mut next = from;
            loop {
                let message = tokio::time::timeout(SILENCE_MAX, stream.message()).await;
                let message = message.map_err(|_| Stop::Silent(format!("nothing came for {SILENCE_MAX:?}")))??;
                let Some(message) = message else { return Ok(()) };
                let first = next;
                next.0 += message.records.len() as u64;
                let key = key.clone();
                let checking = tokio::task::spawn_blocking(move || check(message, first, key.as_ref()));
                if sender.send(checking).await.is_err() {
                    return Ok(());
                }
            }
        };
        let taking = async {
            let mut target = None;
            let mut synced = Instant::now();
            while let Some(message) = checked.recv().await {
                let message = message.await.map_err(|error| Stop::Silent(error.to_string()))??;
                let size = message.size;
                let checkpoint = message.checkpoint.clone();
                let is_due = synced.elapsed() >= SYNC_EVERY;
                let mut aim = target.take();
                let taken = self.on_replica(move |replica| {
                    take(replica, &mut aim, message)?;
                    if is_due {
                        replica.sync()?;
                    }
                    Ok(aim)
                });
                target = taken.await.map_err(|error| Stop::Wrong { error, checkpoint })?;
                synced = if is_due { Instant::now() } else { synced };
                self.state.send_if_modified(|state| {
                    let is_new = state.source != size || state.trouble.is_some();
                    if state.trouble.take().is_some() {
                        tracing::info!(source = self.source.name, "the log is followed");
                    }
                    state.source = size;
                    is_new
                });
            }
            Ok(())
        };
        tokio::try_join!(reading, taking).map(|_| ())
    }
}

impl Stop {
    /// Of the replica itself, whatever was sent.
    fn own(error: LedgerError) -> Self {
        Self::Wrong { error, checkpoint: Vec::new() }
    }
}

/// Checks what came in a message whose first record has to be `first`; of a replayer, with the key of tokens.
fn check(message: ReadRecordsResponse, first: TreeSize, key: Option<&IndexKey>) -> Result<Checked, Stop> {
    let basis = message.basis.unwrap_or_default();
    if !basis.withheld.is_empty() {
        return Err(Stop::Withheld);
    }
    let indexes = (first.0..).map(RecordIndex);
    let row = |(index, record): (RecordIndex, counterfoil_proto::v1::ReadRecord)| {
        // Nothing is ever beside a record in no bytes.
        let beside = Some(record.beside_bytes).filter(|beside| !beside.is_empty());
        match key {
            Some(key) => Row::check_all(index, record.record_bytes, beside, key),
            None => Row::check(index, record.record_bytes, beside),
        }
    };
    let rows = indexes.zip(message.records).map(row).collect::<Result<_, _>>();
    let source = |DuplicateCount { system, instance, stream, connector, count }| {
        (SourceKey { system, instance, stream, connector }, count)
    };
    match rows {
        Ok(rows) => Ok(Checked {
            rows,
            size: TreeSize(basis.tree_size),
            checkpoint: message.checkpoint,
            duplicates: message.duplicates.into_iter().map(source).collect(),
        }),
        Err(error) => Err(Stop::Wrong { error, checkpoint: message.checkpoint }),
    }
}

/// Takes what came in a message, and compares the replica with the checkpoint that was aimed at, once it is there.
fn take(replica: &mut Replica, aim: &mut Option<(TreeSize, Vec<u8>)>, message: Checked) -> Result<(), LedgerError> {
    let mut rows = message.rows;
    loop {
        if aim.is_none() {
            let newest = replica.signed(&message.checkpoint)?;
            *aim = (newest.size > replica.reader().head().size).then(|| (newest.size, message.checkpoint.clone()));
        }
        let reached = (replica.size().0).saturating_add(rows.len() as u64);
        let Some((size, note)) = aim.take_if(|(size, _)| size.0 <= reached) else {
            break;
        };
        let rest = rows.split_off(size.0.saturating_sub(replica.size().0) as usize);
        replica.take(rows)?;
        replica.confirm(&note)?;
        rows = rest;
    }
    if !rows.is_empty() {
        replica.take(rows)?;
    }
    match message.duplicates.is_empty() {
        true => Ok(()),
        false => replica.set_duplicates(&message.duplicates),
    }
}
