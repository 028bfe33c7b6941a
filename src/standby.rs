//! A standby: it copies the log of its owner, and takes over when the owner's lease is not renewed any more.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use counterfoil_ledger::{Lease, LedgerError, Location, Replica};
use counterfoil_query::follow::Follower;
use counterfoil_server::{Offer, Server};
use tokio::time::Instant;

use crate::config::{Followed, Front};
use crate::open;
use crate::service::{self, Ended, Service};

/// How often it is looked whether the lease was renewed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long what reads the replica may take to end.
const DRAIN: Duration = Duration::from_secs(10);

/// How standing by ended.
pub enum Taken {
    /// The data folder is the owner's now; that is where the standby listened.
    Over(SocketAddr),
    /// The data folder was the owner's before.
    Already,
    /// It was told to stop.
    Stopped,
}

/// Stands by until the owner's lease is free.
pub fn run(location: &Location, front: &Front, followed: Followed) -> Result<Taken> {
    let policy = open::policy(&followed.policy.clone().unwrap_or_else(|| location.policy()))?;
    loop {
        let Service { runtime, listener, holder, started } = Service::start("ingest", front, &location.tokens())?;
        let replica = match open::in_turn(location, || Replica::open(location, &policy, &holder)) {
            Ok(replica) => replica.standing_by(location, &mut fill)?,
            Err(error) if matches!(error.downcast_ref(), Some(LedgerError::NotAReplica { .. })) => {
                return Ok(Taken::Already);
            }
            Err(error) => return Err(error),
        };
        let address = started.address;
        let log = replica.reader();
        let ended = runtime.block_on(async {
            let transport = followed.server.connect_lazily("--follow")?;
            let follower = Follower::new(replica, &followed.server.url, transport);
            let offer = Offer { following: Some(follower.state()), ..Offer::default() };
            let server = Server::new(listener, log, offer, service::environment("ingest", front)?)?;
            let following = tokio::spawn(follower.run());
            let ended = service::run(server, &started, until_free(location, followed.patience)).await;
            following.abort();
            ended
        })?;
        // With it goes whatever still reads the replica.
        runtime.shutdown_timeout(DRAIN);
        let Ended::ByItself(seen) = ended else { return Ok(Taken::Stopped) };
        let replica = Replica::open(location, &policy, &holder)?;
        match replica.take_over(location, seen.as_ref()) {
            Ok(()) => {
                tracing::warn!(anchor = %location.anchor.display(), "this standby is the owner now");
                return Ok(Taken::Over(address));
            }
            Err(error @ (LedgerError::Renewed | LedgerError::Behind { .. })) => {
                tracing::warn!(%error, "the owner's lease ran out, and this standby cannot take over");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the lease was not renewed for so long; gives it as it was seen.
async fn until_free(location: &Location, patience: Duration) -> Option<Lease> {
    let (mut seen, mut since) = (None, Instant::now());
    let mut was_looked_at = false;
    loop {
        let location = location.clone();
        match tokio::task::spawn_blocking(move || location.lease()).await {
            Ok(Ok(lease)) => {
                if !was_looked_at || lease != seen {
                    (seen, since, was_looked_at) = (lease, Instant::now(), true);
                }
                if since.elapsed() >= patience {
                    return seen;
                }
            }
            // Where the anchor cannot be looked at, nobody can take it either.
            _ => was_looked_at = false,
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn fill(bytes: &mut [u8]) {
    let random = open::entropy();
    bytes.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
}
