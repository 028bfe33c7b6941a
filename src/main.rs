//! The `counterfoil` program: one file per verb, and nothing but wiring.

use std::process::ExitCode;

use clap::Parser;

mod access;
mod affected;
mod allocator;
mod backup;
mod blast;
mod checkpoint;
mod cli;
mod client;
mod columns;
mod completions;
mod config;
mod config_check;
mod deadletter;
mod demo;
mod diff;
mod evidence;
mod exit;
mod explain;
mod explain_grant;
mod export;
mod fsck;
mod health;
mod history;
mod holders;
mod identities;
mod import;
mod incarnation;
mod init;
mod key;
mod nhi;
mod open;
mod output;
mod people;
mod proof;
mod query;
mod reconcile;
mod record;
mod redact;
mod remap;
mod restore;
mod reversal;
mod serve;
mod service;
mod signals;
mod snapshot;
mod sources;
mod standby;
mod state;
mod tables;
mod token;
mod trace;
mod transport;
mod verify;
mod when;
mod who;
mod witness;
mod words;

use cli::{Cli, Verb};

fn main() -> ExitCode {
    allocator::settle();
    // Before anything can ask for it. It is refused only where there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let done = match &cli.verb {
        Verb::Init(arguments) => init::run(arguments),
        Verb::Import(arguments) => import::run(arguments),
        Verb::Remap(arguments) => remap::run(arguments),
        Verb::Redact(arguments) => redact::run(arguments),
        Verb::Snapshot(arguments) => snapshot::run(arguments),
        Verb::State(arguments) => state::run(arguments),
        Verb::History(arguments) => history::run(arguments),
        Verb::Diff(arguments) => diff::run(arguments),
        Verb::Holders(arguments) => holders::run(arguments),
        Verb::Access(arguments) => access::run(arguments),
        Verb::Affected(arguments) => affected::run(arguments),
        Verb::Blast(arguments) => blast::run(arguments),
        Verb::Identities(arguments) => identities::run(arguments),
        Verb::Explain(arguments) => explain::run(arguments),
        Verb::Reconcile(arguments) => reconcile::run(arguments),
        Verb::Record(arguments) => record::run(arguments),
        Verb::Proof(arguments) => proof::run(arguments),
        Verb::Evidence(arguments) => evidence::run(arguments),
        Verb::Export(arguments) => export::run(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Checkpoint(arguments) => checkpoint::run(arguments),
        Verb::Fsck(arguments) => fsck::run(arguments),
        Verb::Backup(arguments) => backup::run(arguments),
        Verb::Restore(arguments) => restore::run(arguments),
        Verb::Incarnation(arguments) => incarnation::run(arguments),
        Verb::Key(arguments) => key::run(arguments),
        Verb::Sources(arguments) => sources::run(arguments),
        Verb::Deadletter(arguments) => deadletter::run(arguments),
        Verb::Serve(arguments) => serve::serve(arguments),
        Verb::Ingest(arguments) => serve::ingest(arguments),
        Verb::Query(arguments) => query::run(arguments),
        Verb::Witness(arguments) => witness::run(arguments),
        Verb::Health(arguments) => health::run(arguments),
        Verb::Config(arguments) => config_check::run(arguments),
        Verb::Token(arguments) => token::run(arguments),
        Verb::Demo(arguments) => demo::run(arguments),
        Verb::Completions(arguments) => completions::run(arguments),
        Verb::Trace(arguments) => trace::run(arguments),
        Verb::ExplainGrant(arguments) => explain_grant::run(arguments),
        Verb::Reversal(arguments) => reversal::run(arguments),
        Verb::People(arguments) => people::run(arguments),
        Verb::Nhi(arguments) => nhi::run(arguments),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("counterfoil: {}", output::safe(&format!("{error:#}")));
            exit::Exit::of(&error).into()
        }
    }
}
