//! A cluster of PostgreSQL of its own, which goes away again.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio_postgres::{Client, Config, NoTls};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres");
const USER: &str = "counterfoil";
/// How often it is looked whether it serves, and how many times.
const STEP: Duration = Duration::from_millis(50);
const STEPS_MAX: usize = 1_200;

/// A running server. It is stopped when it goes out of scope, and ends with this process.
pub struct Postgres {
    server: Child,
    folder: PathBuf,
    port: u16,
    password: String,
}

impl Postgres {
    /// Makes a cluster in a folder that is not there yet, and serves it. None where PostgreSQL is not installed.
    pub async fn start(folder: &Path) -> Result<Option<Self>> {
        if !Command::new(SCRIPT).arg("installed").status()?.success() {
            return Ok(None);
        }
        let password = u128::from_ne_bytes(crate::subject::seed_secret().first_chunk().copied().unwrap_or_default());
        let password = format!("{password:032x}");
        let mut made = Command::new(SCRIPT);
        made.arg("make").arg(folder).arg(&password).stdin(Stdio::null()).stderr(Stdio::null());
        ensure!(made.status()?.success(), "expected {SCRIPT} to make a cluster");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut run = Command::new(SCRIPT);
        let server = run.arg("run").arg(folder).arg(port.to_string()).stdin(Stdio::null()).spawn()?;
        let mut started = Self { server, folder: folder.to_owned(), port, password };
        started.wait_until_ready().await?;
        Ok(Some(started))
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        for _ in 0..STEPS_MAX {
            if self.connect().await.is_ok() {
                return Ok(());
            }
            if let Some(ended) = self.server.try_wait()? {
                bail!("PostgreSQL ended, {ended}: see {}/log", self.folder.display());
            }
            tokio::time::sleep(STEP).await;
        }
        bail!("PostgreSQL does not serve: see {}/log", self.folder.display())
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Result<Client> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(USER).password(&self.password).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.context("connect to PostgreSQL")?;
        tokio::spawn(async move {
            // What goes wrong with a connection its client is told as well.
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Which version it is.
    pub async fn version(&self) -> Result<String> {
        Ok(self.connect().await?.query_one("SHOW server_version", &[]).await?.get(0))
    }

    /// So many connections.
    pub async fn connect_often(&self, count: usize) -> Result<Vec<Client>> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(self.connect().await?);
        }
        Ok(clients)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A fast shutdown. It may have ended already.
        let _ = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}
