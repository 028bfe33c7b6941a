//! `counterfoil serve` and `counterfoil ingest`: the services of a ledger of one's own, with and without answers.

use std::sync::Arc;

use anyhow::Result;
use counterfoil_ingest::sources::kafka;
use counterfoil_ledger::{LedgerError, Location, Sealing};
use counterfoil_query::Views;
use counterfoil_server::{Events, Offer, Server, Witnesses};

use crate::cli::{FollowArguments, IngestArguments, ServeArguments};
use crate::config::{self, Config, Front, Given, Own};
use crate::exit::{Exit, Refused};
use crate::service::{self, Ended, Service};
use crate::standby::{self, Taken};
use crate::{import, open, when};

pub fn serve(arguments: &ServeArguments) -> Result<Exit> {
    let follow = FollowArguments::default();
    let given = Given { service: &arguments.service, owner: &arguments.owner, follow: &follow };
    let Config { data, front, own, followed } = config::load(&given)?;
    if followed.is_some() {
        let why = "follow names a server whose log is copied: that is for `counterfoil query`, and for a standby, which is \
                   `counterfoil ingest`";
        return Err(Refused::Wrong(why.to_owned()).into());
    }
    service::start_log(front.log_format);
    run("serve", &Location::new(&data, own.anchor.as_deref()), front, own, true)
}

pub fn ingest(arguments: &IngestArguments) -> Result<Exit> {
    let given = Given { service: &arguments.service, owner: &arguments.owner, follow: &arguments.follow };
    let Config { data, mut front, own, followed } = config::load(&given)?;
    service::start_log(front.log_format);
    let location = Location::new(&data, own.anchor.as_deref());
    if let Some(followed) = followed {
        match standby::run(&location, &front, followed)? {
            Taken::Over(address) => front.listen = address,
            Taken::Already => {}
            Taken::Stopped => return Ok(Exit::Done),
        }
    }
    run("ingest", &location, front, own, false)
}

fn run(verb: &str, location: &Location, front: Front, own: Own, has_views: bool) -> Result<Exit> {
    let Service { runtime, listener, holder, started } = Service::start(verb, &front, &location.tokens())?;
    let ledger = Arc::new(open::ledger_as(location, own.accept_clock, &holder, Sealing::AsTimePasses)?);
    let views = has_views.then(|| Views::open(&location.views(), ledger.reader())).transpose()?.map(Arc::new);
    let witnesses = own.witnesses.as_deref().map(open::policy).transpose()?;
    let witnesses = witnesses.map(|policy| Witnesses { policy, kept: location.data.join("cosigned") });
    let reading = kafka::Environment { now: when::now, entropy: open::entropy, threads: import::threads() };
    let clusters: Vec<_> = own.clusters.into_iter().map(Arc::new).collect();
    runtime.block_on(async {
        let (hooks, backups) = (own.hooks, own.backups);
        let events = Events { ledger: ledger.clone(), hooks, clusters: clusters.clone(), backups };
        let offer = Offer { events: Some(events), views, following: None, witnesses };
        let server = Server::new(listener, ledger.reader(), offer, service::environment(verb, &front)?)?;
        let reading = kafka::start(&ledger, &clusters, reading)?;
        let ended = service::run(server, &started, ledger.until_taken_over()).await;
        tokio::task::spawn_blocking(move || reading.stop()).await?;
        match ended? {
            Ended::Told => Ok(Exit::Done),
            Ended::ByItself(()) => Err(LedgerError::Held { path: location.anchor.clone() }.into()),
        }
    })
}
