//! The gRPC services that answer from the views and the log: one file each.
//!
//! Owns the way from a request to an answer: which tree it may rest on, in which thread it is made, and what goes wrong.
//! A transport is none of its business: a server puts it on a port, and the command line calls it in its own process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use counterfoil_ledger::Reader;
use counterfoil_proto::v1::identity_service_server::IdentityServiceServer;
use counterfoil_proto::v1::ledger_service_server::LedgerServiceServer;
use counterfoil_proto::v1::linkage_service_server::LinkageServiceServer;
use counterfoil_proto::v1::proof_service_server::ProofServiceServer;
use counterfoil_proto::v1::source_service_server::SourceServiceServer;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::TreeSize;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, watch};
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};

use crate::answers::Query;
use crate::error::QueryError;
use crate::views::Views;
use crate::views::allowance::Allowance;

mod access;
mod identity;
mod ledger;
mod linkage;
mod problem;
mod proof;
mod proved;
mod source;

pub use problem::{AMBIGUOUS, invalid, problem, reason_of, shown};

/// The largest request, in bytes.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Streams of records that are read at a time: each holds some messages in memory.
const STREAMS_MAX: usize = 100;
/// The longest that a request waits for the tree that it asks for, where it sets no deadline of its own.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// What the caller may see beyond ids. Whoever lets a request in says so with this extension of it; without one, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Personal values, and what lies beside records.
    pub payloads: bool,
}

/// What the caller is called, as whoever lets a request in says with this extension of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerName(pub String);

/// Questions to the log alone.
#[derive(Clone)]
pub struct Log {
    reader: Reader,
    head: watch::Receiver<TreeSize>,
    stopping: watch::Receiver<bool>,
    /// Room for streams.
    streams: Arc<Semaphore>,
}

impl Log {
    /// Answers from `reader`; `head` follows the size of the log. Streams that follow it end once `stopping` says so: who
    /// reads them asks again, and nothing else is in flight for ever.
    pub fn new(reader: Reader, head: watch::Receiver<TreeSize>, stopping: watch::Receiver<bool>) -> Self {
        Self { reader, head, stopping, streams: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// That of a log that stays as it is.
    pub fn at(reader: Reader) -> Self {
        let size = reader.head().size;
        Self::new(reader, watch::channel(size).1, watch::channel(false).1)
    }

    /// Its service.
    pub fn add_to(&self, routes: &mut RoutesBuilder) {
        routes.add_service(LedgerServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
    }
}

/// How far the views have come, and how far somebody waits for them to come.
#[derive(Clone)]
pub struct Progress {
    reached: watch::Receiver<TreeSize>,
    wanted: watch::Sender<TreeSize>,
}

impl Progress {
    /// `reached` follows how far they have come; `wanted` is told the largest size that is waited for.
    pub fn new(reached: watch::Receiver<TreeSize>, wanted: watch::Sender<TreeSize>) -> Self {
        Self { reached, wanted }
    }

    /// That of views that stay as they are.
    pub fn at(size: TreeSize) -> Self {
        Self::new(watch::channel(size).1, watch::Sender::new(size))
    }

    /// Waits until they have come so far.
    async fn reach(&self, size: TreeSize) -> Result<(), Status> {
        if *self.reached.borrow() < size {
            self.wanted.send_if_modified(|wanted| {
                let is_larger = size > *wanted;
                *wanted = size.max(*wanted);
                is_larger
            });
        }
        reached(self.reached.clone(), size).await
    }
}

/// Questions to the views.
#[derive(Clone)]
pub struct Answers(Arc<Shared>);

struct Shared {
    views: Arc<Views>,
    progress: Progress,
    now: fn() -> Moment,
}

impl Answers {
    /// Answers from `views`; `progress` says how far they have come, `now` is the time of questions that name none.
    pub fn new(views: Arc<Views>, progress: Progress, now: fn() -> Moment) -> Self {
        Self(Arc::new(Shared { views, progress, now }))
    }

    /// Their services.
    pub fn add_to(&self, routes: &mut RoutesBuilder) {
        routes.add_service(IdentityServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
        routes.add_service(LinkageServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
        routes.add_service(ProofServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
        routes.add_service(SourceServiceServer::new(self.clone()).max_decoding_message_size(REQUEST_BYTES_MAX));
    }

    /// Makes an answer in a thread that may block, once the views hold the records that it has to rest on.
    async fn ask<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        min_tree_size: u64,
        answer: impl FnOnce(&Query<'_>, Q, Moment) -> Result<A, Status> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        self.0.progress.reach(TreeSize(min_tree_size)).await?;
        let sight = sight_of(&request);
        let (shared, request) = (self.0.clone(), request.into_inner());
        let waiting = Waiting::default();
        let allowance = Allowance::until(waiting.0.clone());
        let answered = tokio::task::spawn_blocking(move || {
            let query = shared.query(sight, allowance)?;
            answer(&query, request, (shared.now)())
        });
        Ok(Response::new(answered.await.map_err(problem::stopped)??))
    }

    /// The same for answers that are mostly at hand: those are made right here, which saves the way to another thread and
    /// back. What needs the disk, or long, goes there all the same.
    async fn ask_quickly<Q: Clone + Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        min_tree_size: u64,
        answer: impl Fn(&Query<'_>, Q, Moment) -> Result<A, Status> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        self.0.progress.reach(TreeSize(min_tree_size)).await?;
        let answered = self.0.at_hand(&request, Allowance::quick(), &answer);
        match answered.or_else(|| self.0.at_hand_soon(&request, &answer)) {
            Some(answered) => answered.map(Response::new),
            None => self.ask(request, min_tree_size, answer).await,
        }
    }
}

impl Shared {
    fn query(&self, sight: Sight, allowance: Allowance) -> Result<Query<'_>, Status> {
        let query = self.views.query_with(allowance).map_err(problem::of)?;
        Ok(if sight.payloads { query } else { query.without_names() })
    }

    /// An answer that takes a few reads of the disk; none if it takes more. Whoever waits for this thread goes to another
    /// one, which costs less than to go there oneself and come back.
    fn at_hand_soon<Q: Clone, A>(
        &self,
        request: &Request<Q>,
        answer: impl Fn(&Query<'_>, Q, Moment) -> Result<A, Status>,
    ) -> Option<Result<A, Status>> {
        let has_others = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        has_others.then(|| tokio::task::block_in_place(|| self.at_hand(request, Allowance::brief(), answer))).flatten()
    }

    /// An answer that takes no more to make than is allowed; none if it takes more.
    fn at_hand<Q: Clone, A>(
        &self,
        request: &Request<Q>,
        allowance: Allowance,
        answer: impl Fn(&Query<'_>, Q, Moment) -> Result<A, Status>,
    ) -> Option<Result<A, Status>> {
        let query = match self.query(sight_of(request), allowance) {
            Ok(query) => query,
            Err(_) => return None,
        };
        let answered = answer(&query, request.get_ref().clone(), (self.now)());
        (answered.is_ok() || !query.is_too_slow()).then_some(answered)
    }
}

fn sight_of<Q>(request: &Request<Q>) -> Sight {
    request.extensions().get::<Sight>().copied().unwrap_or_default()
}

/// Somebody waits for an answer. Once this is dropped, because the call is over, whoever makes the answer stops.
#[derive(Default)]
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until a tree has grown to a size.
async fn reached(mut size: watch::Receiver<TreeSize>, wanted: TreeSize) -> Result<(), Status> {
    let grown = tokio::time::timeout(WAIT_MAX, size.wait_for(|size| *size >= wanted)).await;
    // Otherwise it took too long, or whoever told the size is gone.
    let has_grown = matches!(grown, Ok(Ok(_)));
    drop(grown);
    if has_grown { Ok(()) } else { Err(problem::not_reached(wanted, *size.borrow())) }
}

/// A time of a request.
fn moment(field: &'static str, time: Option<pbjson_types::Timestamp>) -> Result<Option<Moment>, Status> {
    let Some(time) = time else { return Ok(None) };
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let moment = nanos.map(|nanos| Moment { seconds: time.seconds, nanos });
    match moment.filter(|moment| *moment >= Moment::MIN && *moment <= Moment::MAX) {
        Some(moment) => Ok(Some(moment)),
        None => Err(problem::invalid(field, "expected a time between the years 1 and 9999".to_owned())),
    }
}

fn occurred(field: &'static str, time: Option<pbjson_types::Timestamp>) -> Result<Option<OccurredAt>, Status> {
    Ok(moment(field, time)?.map(OccurredAt))
}

fn recorded(field: &'static str, time: Option<pbjson_types::Timestamp>) -> Result<Option<RecordedAt>, Status> {
    Ok(moment(field, time)?.map(RecordedAt))
}

/// The size of a page.
fn page_size(size: i32) -> Result<usize, Status> {
    usize::try_from(size)
        .map_err(|_| problem::invalid("page_size", "expected a number of entries, got a negative one".to_owned()))
}

impl From<QueryError> for Status {
    fn from(error: QueryError) -> Self {
        problem::of(error)
    }
}

#[cfg(test)]
mod tests {

    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::channel;

    use counterfoil_ledger::{Clock, Ledger, Location, Options, Reading, Sealing, init};

    use tonic::Code;

    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn read(&self) -> Reading {
            Reading { wall: now(), since_boot: 0, boot_id: "test".to_owned() }
        }
    }

    fn now() -> Moment {
        Moment { seconds: 1_767_225_600, nanos: 0 }
    }

    /// Answers over a ledger without events.
    fn answers(folder: &std::path::Path) -> (Ledger, Answers) {
        let location = Location::new(&folder.join("ledger"), None);
        init(&location, "example.com/test", &Stopped, &mut |bytes| bytes.fill(7)).unwrap();
        let options = Options {
            clock: Box::new(Stopped),
            accept_clock: true,
            holder: "a test".to_owned(),
            sealing: Sealing::Never,
        };
        let ledger = Ledger::open(&location, options).unwrap();
        let views = Views::open(&location.views(), ledger.reader()).unwrap();
        let size = views.catch_up(&mut |_, _| ()).unwrap();
        (ledger, Answers::new(Arc::new(views), Progress::at(size), now))
    }

    fn read(query: &Query<'_>) -> Result<(), Status> {
        match query.check_seen("account:okta:default:00u1") {
            Err(QueryError::NoSuchEntity(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    #[tokio::test]
    async fn whoever_makes_an_answer_stops_once_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (_ledger, answers) = answers(folder.path());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go_on, goes_on) = channel();
        let (ended, end) = channel();
        let call = tokio::spawn(async move {
            let made = answers.ask(Request::new(()), 0, move |query, (), _| {
                read(query).unwrap();
                begun.send(()).unwrap();
                goes_on.recv().unwrap();
                ended.send(read(query).map_err(|status| status.code())).unwrap();
                Ok(())
            });
            made.await
        });
        has_begun.await.unwrap();
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        go_on.send(()).unwrap();
        assert_eq!(end.recv().unwrap(), Err(Code::Cancelled));
    }

    #[tokio::test]
    async fn an_answer_that_takes_long_is_made_in_another_thread() {
        let folder = tempfile::tempdir().unwrap();
        let (_ledger, answers) = answers(folder.path());
        let here = std::thread::current().id();
        for (reads, is_made_here) in [(1, true), (1_000, false)] {
            let made = answers.ask_quickly(Request::new(()), 0, move |query, (), _| {
                (0..reads).try_for_each(|_| read(query))?;
                Ok(std::thread::current().id())
            });
            assert_eq!(made.await.unwrap().into_inner() == here, is_made_here, "{reads} reads");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_takes_a_moment_keeps_its_thread_and_one_that_takes_longer_is_made_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (_ledger, answers) = answers(folder.path());
        for tries_in_vain in [1, 2] {
            let answers = answers.clone();
            let asking = tokio::spawn(async move {
                let (here, tries) = (std::thread::current().id(), AtomicUsize::new(0));
                let made = answers.ask_quickly(Request::new(()), 0, move |query, (), _| {
                    // Each way to answer that is tried first ends it at last.
                    let tried = tries.fetch_add(1, Ordering::Relaxed);
                    match tried < tries_in_vain {
                        true => loop {
                            read(query)?;
                        },
                        false => Ok((tried, std::thread::current().id())),
                    }
                });
                let (tried, there) = made.await.unwrap().into_inner();
                (tried, there == here)
            });
            let (tried, is_made_here) = asking.await.unwrap();
            assert_eq!(tried, tries_in_vain);
            // A thread that others took over from may be the one that goes on with what takes longer.
            assert!(is_made_here || tries_in_vain > 1);
        }
    }
}
