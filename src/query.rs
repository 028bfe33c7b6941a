//! `counterfoil query`: answers from a copy of another server's log.

use std::sync::Arc;

use anyhow::Result;
use counterfoil_ledger::{Location, Replica};
use counterfoil_query::Views;
use counterfoil_query::follow::Follower;
use counterfoil_server::{Offer, Server};

use crate::cli::{OwnerArguments, QueryArguments};
use crate::config::{self, Config, Given};
use crate::exit::{Exit, Refused};
use crate::open;
use crate::service::{self, Service};

pub fn run(arguments: &QueryArguments) -> Result<Exit> {
    let owner = OwnerArguments::default();
    let given = Given { service: &arguments.service, owner: &owner, follow: &arguments.follow };
    let Config { data, front, own, followed } = config::load(&given)?;
    if !own.hooks.is_empty() || !own.clusters.is_empty() {
        let why = "webhooks and topics of Kafka are read by whoever owns the log: leave ingest and kafka out";
        return Err(Refused::Wrong(why.to_owned()).into());
    }
    let Some(followed) = followed else {
        let why = "follow is missing: give --follow URL, COUNTERFOIL_FOLLOW, or follow in the configuration file";
        return Err(Refused::Wrong(why.to_owned()).into());
    };
    let location = Location::new(&data, None);
    let path = followed.policy.unwrap_or_else(|| location.policy());
    let policy = open::policy(&path)?;

    service::start_log(front.log_format);
    let Service { runtime, listener, holder, started } = Service::start("query", &front, &location.tokens())?;
    let replica = open::in_turn(&location, || Replica::open(&location, &policy, &holder))?;
    let log = replica.reader();
    let views = Arc::new(Views::open(&location.views(), log.clone())?);
    runtime.block_on(async {
        let transport = followed.server.connect_lazily("--follow")?;
        let follower = Follower::new(replica, &followed.server.url, transport);
        let offer = Offer { views: Some(views), following: Some(follower.state()), ..Offer::default() };
        let server = Server::new(listener, log, offer, service::environment("query", &front)?)?;
        let following = tokio::spawn(follower.run());
        let ended = service::run(server, &started, std::future::pending::<()>()).await;
        following.abort();
        ended?;
        Ok(Exit::Done)
    })
}
