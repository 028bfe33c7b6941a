//! `LedgerService`: the log itself.
//!
//! Owns what is streamed, and how much of it at a time: a reader that stops reading stops the stream, and holds no thread
//! and little memory meanwhile.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use counterfoil_ledger::{Entry, Head, Kept, LedgerError, Reader, SourceKey};
use counterfoil_proto::v1::ledger_service_server::LedgerService;
use counterfoil_proto::v1::{
    DuplicateCount, EntityValues, GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse, GetRecordRequest,
    GetRecordResponse, ReadRecord, ReadRecordsRequest, ReadRecordsResponse, Sealed, Withheld,
};
use counterfoil_verify::hash::Hash;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use counterfoil_verify::{beside, record};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use crate::answers::{basis, timestamp};
use crate::error::QueryError;
use crate::services::problem::{self, invalid};
use crate::services::{Log, STREAMS_MAX, Sight, reached};

/// What one message of a stream holds: so many records, or so many bytes of them.
const STREAMED_RECORDS: usize = 1_000;
const STREAMED_BYTES: usize = 512 << 10;
/// How many messages wait for a reader.
const STREAMED_AHEAD: usize = 1;
/// How often a stream that follows says that there is nothing new (ledger_service.proto says so too).
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a stream waits for a reader that reads nothing.
const READER_PATIENCE: Duration = Duration::from_secs(60);

impl Log {
    /// Reads in a thread that may block, once the log holds as many records as are asked for.
    async fn read<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        min_tree_size: u64,
        read: impl FnOnce(&Reader, Head, Q, Sight) -> Result<A, QueryError> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        reached(self.head.clone(), TreeSize(min_tree_size)).await?;
        let sight = request.extensions().get::<Sight>().copied().unwrap_or_default();
        let (reader, request) = (self.reader.clone(), request.into_inner());
        let read = tokio::task::spawn_blocking(move || read(&reader, reader.head(), request, sight));
        Ok(Response::new(read.await.map_err(problem::stopped)??))
    }
}

#[tonic::async_trait]
impl LedgerService for Log {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        if self.reader.head().size == TreeSize(0) {
            let why = "this replica has copied nothing of its log yet: ask again later".to_owned();
            return Err(problem::problem(Code::Unavailable, "NOTHING_COPIED", why));
        }
        self.read(request, min_tree_size, |reader, head, _, _| {
            let began = record::recorded_at(&reader.record(RecordIndex(0))?);
            Ok(GetCheckpointResponse {
                basis: Some(basis(&head, Vec::new())),
                checkpoint: head.checkpoint.to_vec(),
                began_at: Some(timestamp(began.0)),
            })
        })
        .await
    }

    async fn get_record(&self, request: Request<GetRecordRequest>) -> Result<Response<GetRecordResponse>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        self.read(request, min_tree_size, |reader, head, asked, sight| {
            let index = RecordIndex(asked.index);
            let bytes = reader.record_bytes(index)?;
            let mut response = GetRecordResponse {
                basis: Some(basis(&head, withheld(sight))),
                leaf_hash: record::hash(&bytes).0.as_bytes().to_vec(),
                record: Some(reader.record(index)?),
                record_bytes: bytes,
                ..GetRecordResponse::default()
            };
            if let Some(beside) = reader.beside(index)?.filter(|_| sight.payloads) {
                response.values = beside::values(&beside)
                    .map(|(entity, values)| EntityValues { entity: entity.to_string(), values: values.values })
                    .collect();
                let content = |sealed: &Option<Sealed>| sealed.as_ref().map(|sealed| sealed.content.clone());
                response.payload = content(&beside.payload).unwrap_or_default();
                response.envelope = content(&beside.envelope).unwrap_or_default();
                response.beside = Some(beside);
            }
            Ok(response)
        })
        .await
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let asked = *request.get_ref();
        self.check_sizes(0, asked.tree_size, asked.min_tree_size, "tree_size")?;
        if asked.tree_size != 0 && asked.index >= asked.tree_size {
            let why = format!("record {} is not in a tree of {} records", asked.index, asked.tree_size);
            return Err(invalid("tree_size", why));
        }
        self.read(request, asked.min_tree_size, move |reader, head, asked, _| {
            let index = RecordIndex(asked.index);
            // Of its own accord it proves by what cosigners stand behind, where that covers the record.
            let served = reader.served();
            let covers = served.size.0 > index.0 && served.size.0 >= asked.min_tree_size;
            let (head, size) = match asked.tree_size {
                0 if covers => (served.clone(), served.size),
                0 => (head.clone(), head.size),
                size => (head, TreeSize(size)),
            };
            Ok(GetInclusionProofResponse {
                leaf_hash: record::hash(&reader.record_bytes(index)?).0.as_bytes().to_vec(),
                path: bytes_of(&reader.inclusion_proof(index, size)?),
                index: asked.index,
                tree_size: size.0,
                basis: Some(basis(&head, Vec::new())),
                checkpoint: head.checkpoint.to_vec(),
            })
        })
        .await
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let asked = *request.get_ref();
        self.check_sizes(asked.old_size, asked.tree_size, asked.min_tree_size, "old_size")?;
        self.read(request, asked.min_tree_size, |reader, head, asked, _| {
            let size = if asked.tree_size == 0 { head.size } else { TreeSize(asked.tree_size) };
            Ok(GetConsistencyProofResponse {
                old_size: asked.old_size,
                tree_size: size.0,
                path: bytes_of(&reader.consistency_proof(TreeSize(asked.old_size), size)?),
                basis: Some(basis(&head, Vec::new())),
                checkpoint: head.checkpoint.to_vec(),
            })
        })
        .await
    }

    type ReadRecordsStream = Pin<Box<dyn Stream<Item = Result<ReadRecordsResponse, Status>> + Send>>;

    async fn read_records(
        &self,
        request: Request<ReadRecordsRequest>,
    ) -> Result<Response<Self::ReadRecordsStream>, Status> {
        let sight = request.extensions().get::<Sight>().copied().unwrap_or_default();
        let asked = request.into_inner();
        let size = self.reader.head().size;
        if asked.from > size.0 || (!asked.follow && asked.until > size.0) {
            let why = format!("the ledger holds {size} records: expected a place up to there");
            return Err(problem::problem(Code::OutOfRange, "NO_SUCH_RECORD", why));
        }
        if asked.until != 0 && asked.from > asked.until {
            return Err(invalid("until", "it is before from: give the record to end before".to_owned()));
        }
        let place = self.streams.clone().try_acquire_owned().map_err(|_| {
            let why = format!("{STREAMS_MAX} streams are read already: end one of them, or ask again later");
            problem::problem(Code::ResourceExhausted, "TOO_MANY_STREAMS", why)
        })?;
        let (sender, receiver) = mpsc::channel(STREAMED_AHEAD);
        let (reader, head, stopping) = (self.reader.clone(), self.head.clone(), self.stopping.clone());
        let stream = RecordStream { reader, head, stopping, asked, sight, _place: place };
        tokio::spawn(stream.run(sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

impl Log {
    /// Refuses sizes that the log has not reached, or that go backwards.
    fn check_sizes(&self, old: u64, new: u64, min: u64, field: &str) -> Result<(), Status> {
        let size = self.reader.head().size.0.max(min);
        let newest = if new == 0 { size } else { new };
        if old > newest || newest > size {
            let why = format!("the ledger holds {size} records: expected an earlier size, got {}", old.max(newest));
            return Err(problem::problem(Code::NotFound, "NO_SUCH_TREE", format!("{field}: {why}")));
        }
        Ok(())
    }
}

/// One stream of records.
struct RecordStream {
    reader: Reader,
    head: watch::Receiver<TreeSize>,
    stopping: watch::Receiver<bool>,
    asked: ReadRecordsRequest,
    sight: Sight,
    _place: OwnedSemaphorePermit,
}

impl RecordStream {
    /// Sends batch after batch, until all are sent, or nobody reads them.
    async fn run(mut self, sender: mpsc::Sender<Result<ReadRecordsResponse, Status>>) {
        let mut next = self.asked.from;
        let end = if self.asked.until != 0 || self.asked.follow { self.asked.until } else { self.reader.head().size.0 };
        let mut counted = Vec::new();
        loop {
            let is_done = end != 0 && next >= end;
            if is_done || (!self.asked.follow && end == 0) {
                return;
            }
            if next >= self.reader.head().size.0 {
                let grown = tokio::time::timeout(HEARTBEAT, self.head.wait_for(|size| size.0 > next));
                tokio::select! {
                    grown = grown => if matches!(grown, Ok(Err(_))) { return },
                    () = sender.closed() => return,
                    // Where nobody is left to say so, nothing is stopping.
                    Ok(_) = self.stopping.wait_for(|stopping| *stopping) => return,
                }
            }
            let (reader, sight, asked) = (self.reader.clone(), self.sight, self.asked);
            let batch = tokio::task::spawn_blocking(move || batch(&reader, next..end, asked, sight)).await;
            let mut batch = batch.map_err(problem::stopped).and_then(|batch| batch.map_err(problem::of));
            if let Ok(batch) = &mut batch {
                next += batch.records.len() as u64;
                match batch.duplicates == counted {
                    true => batch.duplicates.clear(),
                    false => counted.clone_from(&batch.duplicates),
                }
            }
            let has_failed = batch.is_err();
            let sent = tokio::time::timeout(READER_PATIENCE, sender.send(batch)).await;
            if has_failed || !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// The next records of a stream, of a range whose end may be 0 for that of the log, and the counts of duplicates.
fn batch(
    reader: &Reader,
    range: Range<u64>,
    asked: ReadRecordsRequest,
    sight: Sight,
) -> Result<ReadRecordsResponse, QueryError> {
    let head = reader.head();
    let end = if range.end == 0 { head.size.0 } else { range.end.min(head.size.0) };
    let range = range.start..end.min(range.start.saturating_add(STREAMED_RECORDS as u64));
    let with_beside = asked.with_beside && sight.payloads;
    let records = match with_beside && asked.beside_as_bytes {
        true => up_to_size(reader.kept(range.clone()).zip(range).map(|(kept, index)| {
            let Kept { record, beside } = kept?;
            let (record_bytes, beside_bytes) = (record.into(), beside.unwrap_or_default().into());
            Ok(ReadRecord { index, record_bytes, beside: None, beside_bytes })
        }))?,
        false => up_to_size(reader.entries(range).map(|entry| {
            let Entry { record, beside } = entry?;
            let (index, record_bytes) = (record.index, record.encode_to_vec());
            let beside = beside.filter(|_| with_beside);
            Ok(ReadRecord { index, record_bytes, beside, beside_bytes: Vec::new() })
        }))?,
    };
    let duplicates =
        reader.duplicates()?.into_iter().map(|(SourceKey { system, instance, stream, connector }, count)| {
            DuplicateCount { system, instance, stream, connector, count }
        });
    Ok(ReadRecordsResponse {
        basis: Some(basis(&head, if asked.with_beside { withheld(sight) } else { Vec::new() })),
        checkpoint: head.checkpoint.to_vec(),
        records,
        duplicates: duplicates.collect(),
    })
}

/// As many as one message holds.
fn up_to_size(records: impl Iterator<Item = Result<ReadRecord, LedgerError>>) -> Result<Vec<ReadRecord>, LedgerError> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for record in records {
        let record = record?;
        bytes += record.encoded_len();
        taken.push(record);
        if bytes >= STREAMED_BYTES {
            break;
        }
    }
    Ok(taken)
}

fn withheld(sight: Sight) -> Vec<i32> {
    match sight.payloads {
        true => Vec::new(),
        false => vec![Withheld::PersonalValues.into(), Withheld::Payloads.into()],
    }
}

fn bytes_of(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}
