//! What the services take at ten million events: an ingest service that is fed as fast as it takes events, and a query
//! service that follows it and is asked.
//!
//! Events are made up as they are sent. Of a run of so many nothing is in this process's memory, and on disk there are two
//! logs and one set of views, about 2 KB an event in all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Result, ensure};
use counterfoil_proto::v1::GetStateRequest;
use counterfoil_proto::v1::identity_service_client::IdentityServiceClient;
use counterfoil_scenario::okta_events_among;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_tests::server::Server;
use tonic::transport::{Channel, Endpoint};

use crate::feeder::Feeder;
use crate::figure::Figure;
use crate::process::{self, resident};
use crate::stopwatch::{tell, timed_at_once};
use crate::{disk, machine, questions, subject};

/// The bar of each service's memory, in MiB.
const RESIDENT_MAX: f64 = 512.0;
const ACCOUNTS: usize = 20_000;
const SEED: u64 = 10;
/// How often it is looked how far they are, after how many looks that is told, and after how many without progress it is
/// given up.
const STEP: Duration = Duration::from_millis(500);
const STEPS_TOLD: usize = 20;
const STEPS_IDLE_MAX: usize = 600;
/// Clients that ask at the end, and how much each asks: twice after everybody.
const ASKING: usize = 16;
const ASKED: usize = 2 * ACCOUNTS / ASKING;

/// The two services, and their ledgers.
struct Services {
    owner: LedgerFolder,
    ingest: Server,
    replica: LedgerFolder,
    query: Server,
}

/// The figures at so many events.
pub fn measure(folder: &Path, events: usize) -> Result<Vec<Figure>> {
    machine::describe(folder)?;
    let services = Services::start(folder)?;
    tell(&format!(
        "{events} events of {ACCOUNTS} accounts go to {}, {} follows",
        services.ingest.url(),
        services.query.url()
    ));
    let feeder = Feeder::start(&services.ingest.url(), okta_events_among(SEED, ACCOUNTS).take(events))?;
    let (acknowledging, ()) = timed_at_once(|| services.watch(events, |log, _| log > events as u64))?;
    feeder.end()?;
    let (catching_up, ()) = timed_at_once(|| services.watch(events, |_, views| views > events as u64))?;
    let answered = services.ask(events)?;
    tell(&format!("{answered} questions were answered"));
    services.figures(events, acknowledging, acknowledging + catching_up)
}

impl Services {
    fn start(folder: &Path) -> Result<Self> {
        let [owner, replica] =
            [tempfile::tempdir_in(folder)?, tempfile::tempdir_in(folder)?].map(|folder| LedgerFolder { folder });
        subject::create(&owner.data())?;
        let (_, ingest) = process::start(|| Server::ingest(&owner))?;
        let query = Self::query(&owner, &ingest, &replica);
        Ok(Self { owner, ingest, replica, query })
    }

    fn query(owner: &LedgerFolder, ingest: &Server, replica: &LedgerFolder) -> Server {
        Server::query(replica, &owner.policy(), &ingest.url(), &[""; 0])
    }

    /// Tells how it goes until `is_done`, of the records of the log and those of the views.
    fn watch(&self, events: usize, is_done: impl Fn(u64, u64) -> bool) -> Result<()> {
        let (_never, nothing) = mpsc::channel::<()>();
        let (mut last, mut idle) = ((0, 0), 0);
        for step in 0_usize.. {
            let log = process::metric(&self.ingest.address, "counterfoil_log_records")? as u64;
            let views = process::metric(&self.query.address, "counterfoil_views_records")? as u64;
            let is_done = is_done(log, views);
            if is_done || step.is_multiple_of(STEPS_TOLD) {
                let (ingest, query) = (resident(self.ingest.process())?, resident(self.query.process())?);
                tell(&format!(
                    "log {log} of {events}, views {views}; ingest has {:.0} MiB, at most {:.0}; query {:.0}, at most {:.0}",
                    ingest.now, ingest.peak, query.now, query.peak
                ));
            }
            if is_done {
                break;
            }
            idle = if (log, views) == last { idle + 1 } else { 0 };
            ensure!(idle < STEPS_IDLE_MAX, "expected events to come in, and none did for {:?}", STEP * idle as u32);
            last = (log, views);
            let _ = nothing.recv_timeout(STEP);
        }
        Ok(())
    }

    /// Asks for everybody's state at past moments, so that the memory for answers is used; how often.
    fn ask(&self, events: usize) -> Result<usize> {
        let clients = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let channel = clients.block_on(Endpoint::from_shared(self.query.url())?.tcp_nodelay(true).connect())?;
        clients.block_on(async {
            let requests: Arc<[GetStateRequest]> = questions::questions(channel.clone(), events).await?.into();
            let asking: Vec<_> = (0..ASKING)
                .map(|client| tokio::spawn(ask(channel.clone(), requests.clone(), client * ASKED)))
                .collect();
            for client in asking {
                client.await??;
            }
            Ok(ASKING * ASKED)
        })
    }

    fn figures(self, events: usize, acknowledging: Duration, catching_up: Duration) -> Result<Vec<Figure>> {
        let (of_ingest, of_query) = (resident(self.ingest.process())?, resident(self.query.process())?);
        let Self { owner, ingest, replica, query } = self;
        query.kill();
        ingest.kill();
        let (ingest_starts, ingest) = process::start(|| Server::ingest(&owner))?;
        let (query_starts, query) = process::start(|| Self::query(&owner, &ingest, &replica))?;
        query.stop();
        ingest.stop();
        let per_event = |folder: PathBuf| Ok::<_, anyhow::Error>(disk::used(&folder)? * 1e6 / events as f64);
        let (owner, replica) = (per_event(owner.data())?, per_event(replica.data())?);
        let rate = |taken: Duration| events as f64 / taken.as_secs_f64();
        Ok(vec![
            Figure::within(
                RESIDENT_MAX,
                &format!("resident memory of ingest, {events} events, peak"),
                of_ingest.peak,
                "MiB",
            ),
            Figure::within(
                RESIDENT_MAX,
                &format!("resident memory of query, {events} events, peak"),
                of_query.peak,
                "MiB",
            ),
            Figure::plain("the same of ingest, at the end", of_ingest.now, "MiB"),
            Figure::plain("the same of query, at the end", of_query.now, "MiB"),
            Figure::plain("appended over gRPC, while they are followed", rate(acknowledging), "events/s"),
            Figure::plain("until the views of query have them", rate(catching_up), "events/s"),
            Figure::plain("ingest serves again after kill -9", ingest_starts.as_secs_f64(), "s"),
            Figure::plain("query serves again after kill -9", query_starts.as_secs_f64(), "s"),
            Figure::plain("disk of ingest, as it is", owner, "bytes/event"),
            Figure::plain("disk of query with its views, as it is", replica, "bytes/event"),
        ])
    }
}

async fn ask(channel: Channel, requests: Arc<[GetStateRequest]>, first: usize) -> Result<()> {
    let mut identity = IdentityServiceClient::new(channel);
    for call in first..first + ASKED {
        identity.get_state(requests[call * 7_919 % requests.len()].clone()).await?;
    }
    Ok(())
}
