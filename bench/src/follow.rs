//! How fast a replica catches up, checking everything that it copies, against taking the same in from a file.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use counterfoil_ledger::{Location, Reader, Replica};
use counterfoil_query::Views;
use counterfoil_query::follow::Follower;
use counterfoil_verify::policy::Policy;

use crate::figure::{Figure, Rounds};
use crate::import::{self, events_file};
use crate::served::Served;
use crate::stopwatch::{tell, timed};
use crate::subject;

const ROUNDS: usize = 3;
/// How often it is looked whether everything is there.
const STEP: Duration = Duration::from_millis(5);

/// A replica that begins with nothing, of the ledger that was filled.
pub fn measure(folder: &Path, imported: &Location, events: usize) -> Result<Vec<Figure>> {
    let policy = Policy::parse(&std::fs::read(imported.policy())?).context("the ledger's policy")?;
    let served = Served::start(imported)?;
    let size = events as u64 + 1;
    let (mut copying, mut asking) = (Rounds::default(), Rounds::default());
    for round in 1..=ROUNDS {
        let location = Location::new(&folder.join(format!("replica{round}")), None);
        let replica = Replica::open(&location, &policy, "bench")?;
        let reader = replica.reader();
        let views = Views::open(&location.views(), reader.clone())?;
        let channel = served.clients.block_on(served.connect())?;
        let ((copied, ()), following) = {
            let follower = Follower::new(replica, "bench", channel);
            let start = || served.clients.spawn(follower.run());
            let mut following = None;
            let copied = timed(|| {
                following = Some(start());
                wait_for(&reader, size)
            })?;
            (copied, following)
        };
        let (projected, _) = timed(|| Ok(views.catch_up(&mut |_, _| ())?))?;
        following.context("it was started")?.abort();
        ensure!(reader.head().size.0 == size, "expected each record once");

        let location = subject::create(&folder.join(format!("copied{round}")))?;
        let (acknowledged, caught_up, _) = import::import(&location, &events_file(folder), events)?;
        tell(&format!(
            "round {round}: copied {copied:.2?}, with views {:.2?}; imported {acknowledged:.2?}, with views {caught_up:.2?}",
            copied + projected
        ));
        copying.push(copied, acknowledged);
        asking.push(copied + projected, caught_up);
    }
    served.stop()?;
    let (work, unit) = (events as f64, "events/s");
    Ok(vec![
        copying.at_least(1.5, "a replica catching up against an import", work, unit),
        asking.at_least(1.0, "the same, views caught up", work, unit),
    ])
}

fn wait_for(reader: &Reader, size: u64) -> Result<()> {
    let (_never, nothing) = mpsc::channel::<()>();
    while reader.head().size.0 < size {
        let _ = nothing.recv_timeout(STEP);
    }
    Ok(())
}
