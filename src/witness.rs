//! `counterfoil witness`: cosigns the checkpoints of logs that a policy names.

use std::io::Write;

use anyhow::Result;
use counterfoil_ledger::Cosigner;
use counterfoil_server::WitnessServer;
use counterfoil_verify::note::KeyName;

use crate::cli::WitnessArguments;
use crate::exit::{Exit, Refused};
use crate::{open, service, signals, when};

pub fn run(arguments: &WitnessArguments) -> Result<Exit> {
    service::start_log(arguments.log_format);
    let policy = open::policy(&arguments.policy)?;
    if policy.logs().is_empty() {
        let why = format!("{} names no log: a witness cosigns those that it names", arguments.policy.display());
        return Err(Refused::Wrong(why).into());
    }
    let name = arguments.name.as_deref().map(KeyName::new).transpose();
    let name = name.map_err(|error| Refused::Wrong(format!("--name: {error}")))?;
    let cosigner = Cosigner::open(&arguments.data, name, &open::holder(), &open::entropy)?;
    let key = cosigner.verifier_key();
    // What policies name it by.
    writeln!(std::io::stdout(), "{key}")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = WitnessServer::listen(arguments.listen, cosigner, policy.logs().to_vec(), when::now, None).await?;
        let mut told_to_stop = signals::told_to_stop()?;
        tracing::info!(address = %server.address()?, scheme = "http", %key, logs = policy.logs().len(), "witnessing");
        let stop = async move {
            // Nobody else can tell it: whoever would is gone only once it has.
            let _ = told_to_stop.wait_for(|told| *told).await;
        };
        server.run(stop).await;
        Ok(Exit::Done)
    })
}
