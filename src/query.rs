//! `counterfoil query`: answers from a copy of another server's log.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use counterfoil_ledger::{Cosigner, Location, Reader, Replica};
use counterfoil_query::Views;
use counterfoil_query::follow::Follower;
use counterfoil_server::{Offer, Server, WitnessServer};
use counterfoil_verify::note::KeyName;
use counterfoil_verify::policy::Policy;
use tokio::task::JoinHandle;

use crate::cli::{OwnerArguments, QueryArguments, ReplayerArguments};
use crate::config::{self, Config, Given};
use crate::exit::{Exit, Refused};
use crate::service::{self, Service};
use crate::{open, when};

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
    let mut replica = open::in_turn(&location, || Replica::open(&location, &policy, &holder))?;
    let cosigner = cosigner(&arguments.replayer)?;
    if cosigner.is_some() {
        replica = replayer(replica)?;
    }
    let log = replica.reader();
    let views = Arc::new(Views::open(&location.views(), log.clone())?);
    runtime.block_on(async {
        let transport = followed.server.connect_lazily("--follow")?;
        let follower = Follower::new(replica, &followed.server.url, transport);
        let offer = Offer { views: Some(views), following: Some(follower.state()), ..Offer::default() };
        let replayed = log.clone();
        let server = Server::new(listener, log, offer, service::environment("query", &front)?)?;
        let following = tokio::spawn(follower.run());
        let cosigning = match cosigner {
            Some(cosigner) => Some(cosign(&arguments.replayer, cosigner, &policy, replayed).await?),
            None => None,
        };
        let ended = service::run(server, &started, std::future::pending::<()>()).await;
        following.abort();
        // Whatever is cosigned is kept before it is told.
        cosigning.inspect(|cosigning| cosigning.abort());
        ended?;
        Ok(Exit::Done)
    })
}

/// The cosigner of a replayer, if this is one.
fn cosigner(arguments: &ReplayerArguments) -> Result<Option<Cosigner>> {
    let Some(folder) = &arguments.replayer else { return Ok(None) };
    let name = arguments.replayer_name.as_deref().map(KeyName::new).transpose();
    let name = name.map_err(|error| Refused::Wrong(format!("--replayer-name: {error}")))?;
    Ok(Some(Cosigner::open(folder, name, &open::holder(), &open::entropy)?))
}

/// Compares what was copied without that.
fn replayer(replica: Replica) -> Result<Replica> {
    let bar = open::bar("Comparing tokens", "records");
    let replica = replica.replaying(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(replica)
}

/// Cosigns what was recomputed, for whoever asks.
async fn cosign(
    arguments: &ReplayerArguments,
    cosigner: Cosigner,
    policy: &Policy,
    replayed: Reader,
) -> Result<JoinHandle<()>> {
    let key = cosigner.verifier_key();
    // What policies name it by.
    writeln!(std::io::stdout(), "{key}")?;
    let logs = policy.logs().to_vec();
    let server = WitnessServer::listen(arguments.replayer_listen, cosigner, logs, when::now, Some(replayed)).await?;
    tracing::info!(address = %server.address()?, scheme = "http", %key, "replaying");
    Ok(tokio::spawn(server.run(std::future::pending::<()>())))
}
