//! A replica of a server that lies: nothing of it is believed, and what is believed once it tells the truth is all of it.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Native, TestLedger, grant};
use counterfoil_ledger::{Location, Reader, Replica};
use counterfoil_proto::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use counterfoil_proto::v1::{
    Beside, GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest, GetConsistencyProofResponse,
    GetInclusionProofRequest, GetInclusionProofResponse, GetRecordRequest, GetRecordResponse, ReadRecordsRequest,
    ReadRecordsResponse, Sealed, Withheld,
};
use counterfoil_query::follow::{Follower, Following, Trouble};
use counterfoil_query::services::{Log, Sight};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::tree::TreeSize;
use prost::Message;
use tokio::sync::watch;
use tokio_stream::{Stream, StreamExt};
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};

type Lie = fn(&mut ReadRecordsResponse);

/// A server's log, and the lie that is told of it now.
#[derive(Clone)]
struct Liar {
    log: Log,
    lie: Arc<Mutex<Lie>>,
}

#[tonic::async_trait]
impl LedgerService for Liar {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        self.log.get_checkpoint(request).await
    }

    async fn get_record(&self, request: Request<GetRecordRequest>) -> Result<Response<GetRecordResponse>, Status> {
        self.log.get_record(request).await
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        unreachable!("nobody asks for it")
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        self.log.get_consistency_proof(request).await
    }

    type ReadRecordsStream = Pin<Box<dyn Stream<Item = Result<ReadRecordsResponse, Status>> + Send>>;

    async fn read_records(
        &self,
        mut request: Request<ReadRecordsRequest>,
    ) -> Result<Response<Self::ReadRecordsStream>, Status> {
        request.extensions_mut().insert(Sight { payloads: true });
        let lie = self.lie.clone();
        let told = self.log.read_records(request).await?.into_inner().map(move |message| {
            let mut message = message?;
            // Not of a heartbeat.
            if !message.records.is_empty() {
                (lie.lock().unwrap())(&mut message);
            }
            Ok(message)
        });
        Ok(Response::new(Box::pin(told)))
    }
}

fn nothing(_: &mut ReadRecordsResponse) {}

/// The ways to lie, and what is said of each.
const LIES: [(&str, Lie, &str); 14] = [
    ("a byte of a record", |message| flip(message, 3), "record 4 does not go on"),
    ("a byte of the last record", |message| flip(message, 9), "10 records has another root"),
    ("a record is left out", |message| drop(message.records.remove(4)), "record 4"),
    ("the first one is left out", |message| drop(message.records.remove(0)), "record 0"),
    ("two change places", |message| message.records.swap(4, 5), "record 4"),
    ("one comes twice", |message| message.records.insert(4, message.records[3].clone()), "record 4"),
    ("another payload", |message| pay(message, 6, b"!!!"), "record 6"),
    ("no payload", |message| message.records[6].beside_bytes.clear(), "record 6"),
    ("bytes that are none", |message| message.records[6].beside_bytes.push(7), "record 6"),
    ("a payload too many", |message| lend(message, 6, 0), "record 0"),
    ("another one's payload", |message| lend(message, 6, 5), "record 5"),
    ("no checkpoint", |message| message.checkpoint.clear(), "not signed"),
    ("a checkpoint that nobody signed", |message| message.checkpoint[20] ^= 1, "not signed"),
    (
        "payloads are withheld",
        |message| message.basis.as_mut().unwrap().withheld = vec![Withheld::Payloads.into()],
        "role payload",
    ),
];

fn flip(message: &mut ReadRecordsResponse, index: usize) {
    let bytes = &mut message.records[index].record_bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

fn pay(message: &mut ReadRecordsResponse, index: usize, payload: &[u8]) {
    let bytes = &mut message.records[index].beside_bytes;
    let mut beside = Beside::decode(&bytes[..]).unwrap();
    beside.payload.get_or_insert_with(Sealed::default).content = payload.to_vec();
    *bytes = beside.encode_to_vec();
}

fn lend(message: &mut ReadRecordsResponse, from: usize, to: usize) {
    message.records[to].beside_bytes = message.records[from].beside_bytes.clone();
}

/// Everything that a reader shows.
fn shown(reader: &Reader) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = |beside: Option<Beside>| beside.map(|it| it.encode_to_vec()).unwrap_or_default();
    let entries = reader.entries(0..u64::MAX).map(Result::unwrap);
    entries.map(|entry| (entry.record.encode_to_vec(), bytes(entry.beside))).collect()
}

async fn until(state: &mut watch::Receiver<Following>, what: impl FnMut(&Following) -> bool) -> Following {
    let found = tokio::time::timeout(Duration::from_secs(60), state.wait_for(what)).await;
    found.expect("it comes to that").unwrap().clone()
}

#[test]
fn a_liar_is_not_believed_and_a_convert_is() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (name, lie, told) in LIES {
        let ledger = TestLedger::new();
        let who = |entity: &str| ledger.who(entity, &[]);
        for second in 0..9 {
            let given = grant(second, who("account:okta:default:u1"), who("entitlement:okta:default:g1"), &[]);
            let payload = second.to_string().into_bytes();
            ledger.record_one(Native { payload, ..Native::new("okta", vec![given]) });
        }
        let policy = std::fs::read(ledger.folder.path().join("ledger.policy")).unwrap();
        let location = Location::new(&ledger.folder.path().join("replica"), None);
        let replica = Replica::open(&location, &Policy::parse(&policy).unwrap(), "a test").unwrap();
        let copied = replica.reader();
        let log = Log::new(ledger.reader(), ledger.reader().growth(), watch::channel(false).1);
        let liar = Liar { log, lie: Arc::new(Mutex::new(lie)) };
        let mut routes = RoutesBuilder::default();
        routes.add_service(LedgerServiceServer::new(liar.clone()));
        let follower = Follower::new(replica, "the server", routes.routes().prepare());
        let mut state = follower.state();
        let running = runtime.spawn(follower.run());

        let following = runtime.block_on(until(&mut state, |state| state.trouble.is_some()));
        let trouble = following.trouble.unwrap();
        assert!(trouble.what().contains(told) && trouble.what().contains("the server"), "{name}: {trouble:?}");
        let is_refused = matches!(trouble, Trouble::Refused(_));
        assert_eq!(
            is_refused,
            !told.contains("role") && !trouble.what().contains("copied again"),
            "{name}: {trouble:?}"
        );
        assert_eq!(copied.head().size, TreeSize(0), "{name}: nothing is shown that was not signed");

        *liar.lie.lock().unwrap() = nothing;
        let following = runtime.block_on(until(&mut state, |state| state.trouble.is_none()));
        assert_eq!(following.source, TreeSize(10), "{name}");
        while copied.head().size < TreeSize(10) {
            std::thread::yield_now();
        }
        assert_eq!(shown(&copied), shown(&ledger.reader()), "{name}");
        running.abort();
    }
}
