//! What others do with the same events on the same machine: PostgreSQL as a user would have it.
//!
//! The client is tokio-postgres, in the runtime that our own clients have, over TCP as they are; statements are prepared,
//! and requests that need no answer of one another go together. pgbench would be lighter than either side's client, but
//! cannot compute a hash chain, nor send COPY.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};

use crate::figure::Figure;
use crate::machine;
use crate::stopwatch::tell;

mod chain;
mod history;
mod postgres;

use postgres::Postgres;

/// Where PostgreSQL can get at its folder although another user has it; both sides write there, to the same disk.
const FOLDER: &str = "/var/tmp";
/// The history table has a million versions where 200,000 events are written to the chain.
const VERSIONS_PER_EVENT: usize = 5;

/// The figures against PostgreSQL.
pub fn measure(events: usize) -> Result<Vec<Figure>> {
    let mut builder = tempfile::Builder::new();
    let folder = builder.prefix("counterfoil-").permissions(Permissions::from_mode(0o711)).tempdir_in(FOLDER)?;
    machine::describe(folder.path())?;
    let clients = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let postgres = clients.block_on(Postgres::start(&folder.path().join("postgres")))?;
    let postgres = postgres.context("there is no PostgreSQL: run scripts/install bench-peers")?;
    let version = clients.block_on(postgres.version())?;
    tell(&format!("PostgreSQL {version}"));
    ensure!(version.starts_with("15."), "expected PostgreSQL 15, got {version}");

    let mut figures = chain::measure(folder.path(), &clients, &postgres, events)?;
    figures.push(history::measure(folder.path(), &clients, &postgres, events * VERSIONS_PER_EVENT)?);
    Ok(figures)
}
