//! What an append costs over gRPC, against calls that do nothing and against syncing the same bytes.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use counterfoil_proto::v1::AppendRequest;
use counterfoil_proto::v1::ingest_service_client::IngestServiceClient;
use counterfoil_scenario::okta_events;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::figure::{Figure, Rounds};
use crate::raw;
use crate::served::Served;
use crate::stopwatch::{median, tell, timed, timed_briefly};

/// Rounds of each figure: one client's latency jumps with the placement of threads.
const ROUNDS: usize = 5;
/// Appends of one client in a round.
const APPENDS: usize = 200;
/// Clients that append at the same time, and the appends of each.
const APPENDING: usize = 64;
const APPENDED: usize = 200;
/// An event's bytes in a synced write.
const EVENT_BYTES: usize = 600;
/// The seed of the events that are appended: not those that were imported.
const SEED: u64 = 77;

/// One client, and many. What is compared with writes files in `folder`.
pub fn measure(served: &Served, folder: &Path) -> Result<Vec<Figure>> {
    let mut events = okta_events(SEED);
    Ok(vec![of_one_client(served, folder, &mut events)?, of_many_clients(served, folder, &mut events)?])
}

fn of_one_client(served: &Served, folder: &Path, events: &mut impl Iterator<Item = Vec<u8>>) -> Result<Figure> {
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let channel = served.clients.block_on(served.connect())?;
        let mut ingest = IngestServiceClient::new(channel.clone());
        let mut health = HealthClient::new(channel);
        let mut file = std::fs::File::create(folder.join("one"))?;
        let (mut appended, mut syncs, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        for event in events.by_ref().take(APPENDS) {
            let request = append(event);
            appended.push(timed_briefly(|| Ok(served.clients.block_on(ingest.append(request))?))?);
            syncs.push(timed_briefly(|| {
                file.write_all(&[7; EVENT_BYTES])?;
                Ok(file.sync_data()?)
            })?);
            let request = HealthCheckRequest::default();
            empty.push(timed_briefly(|| Ok(served.clients.block_on(health.check(request))?))?);
        }
        let floor = 2 * median(syncs) + median(empty);
        let appended = median(appended);
        tell(&format!("round {round}: Append {appended:.1?}, two syncs and an empty call {floor:.1?}"));
        rounds.push(appended, floor);
    }
    Ok(rounds.at_most(1.5, "Append over gRPC, one client, p50"))
}

fn of_many_clients(served: &Served, folder: &Path, events: &mut impl Iterator<Item = Vec<u8>>) -> Result<Figure> {
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS {
        let appended = at_once(served, events, APPENDING, APPENDED)?;
        let database = raw::create(&folder.join(format!("raw{round}")))?;
        let (put, ()) = timed(|| raw::synced_puts(&database, APPENDING, APPENDED, EVENT_BYTES))?;
        tell(&format!("round {round}: {APPENDING} clients {appended:.2?}, {APPENDING} threads' puts {put:.2?}"));
        rounds.push(appended, put);
    }
    let name = format!("Append over gRPC, {APPENDING} clients against synced puts");
    Ok(rounds.at_least(0.6, &name, (APPENDING * APPENDED) as f64, "events/s"))
}

/// How long so many clients take to append so many events each, one at a time.
pub fn at_once(
    served: &Served,
    events: &mut impl Iterator<Item = Vec<u8>>,
    clients: usize,
    each: usize,
) -> Result<Duration> {
    let mut of_clients: Vec<Vec<AppendRequest>> =
        (0..clients).map(|_| events.by_ref().take(each).map(append).collect()).collect();
    served.at_once(clients, move |client, channel| {
        let (requests, mut ingest) = (std::mem::take(&mut of_clients[client]), IngestServiceClient::new(channel));
        async move {
            for request in requests {
                ingest.append(request).await?;
            }
            Ok(())
        }
    })
}

fn append(event: Vec<u8>) -> AppendRequest {
    AppendRequest { connector: "okta".to_owned(), documents: vec![event], ..AppendRequest::default() }
}
