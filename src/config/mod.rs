//! What `counterfoil serve` is told: by defaults, a file, the environment and the command line, the later ones first.
//!
//! Owns which settings there are. A secret is never one of them: settings name the files that hold secrets.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use counterfoil_ingest::sources::http::Hook;
use counterfoil_ingest::sources::kafka::Cluster;
use counterfoil_server::TlsFiles;

mod hooks;
mod kafka;
mod origin;
mod reader;
mod settings;

use reader::Reader;
pub use reader::Shown;
use settings::Settings;

use crate::cli::{LedgerArguments, LogFormat, ServeArguments};
use crate::exit::Refused;

/// What `counterfoil serve` works with.
pub struct Config {
    pub ledger: LedgerArguments,
    pub listen: SocketAddr,
    /// The files of TLS, if it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// The file that says who may call, where it is not the one beside the ledger.
    pub tokens: Option<PathBuf>,
    pub accept_clock: bool,
    pub log_format: LogFormat,
    pub hooks: Vec<Hook>,
    pub clusters: Vec<Cluster>,
}

/// The settings as they were found, whether they are right or not.
pub struct Checked {
    /// Each setting that counts, and where it stands.
    pub shown: Vec<Shown>,
    /// The configuration, or every reason why there is none.
    pub config: Result<Config, Vec<String>>,
}

/// Reads all settings.
pub fn check(arguments: &ServeArguments) -> Checked {
    match Settings::gather(arguments) {
        Ok(settings) => read(&settings),
        Err(problem) => Checked { shown: Vec::new(), config: Err(vec![problem]) },
    }
}

/// Reads all settings, which have to be right.
pub fn load(arguments: &ServeArguments) -> Result<Config> {
    check(arguments).config.map_err(|problems| Refused::Wrong(problems.join("\n")).into())
}

fn read(settings: &Settings) -> Checked {
    let mut reader = Reader::new(settings);
    let data = reader.path("data");
    if data.is_none() && !settings.has("data") {
        reader.problem("data", "is missing: give --data DIR, COUNTERFOIL_DATA, or data in the configuration file");
    }
    let anchor = reader.path("anchor");
    let listen = reader.parsed("listen", Some("127.0.0.1:7401"), |text| {
        text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:7401".to_owned())
    });
    let tls = tls(&mut reader, settings);
    let tokens = reader.path("tokens");
    let accept_clock = reader.flag("accept_clock", false);
    let log_format = reader.parsed("log_format", Some("text"), |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    });
    let hooks = settings.sections("ingest").iter().filter_map(|name| hooks::read(&mut reader, name)).collect();
    let clusters = settings.sections("kafka").iter().filter_map(|name| kafka::read(&mut reader, name)).collect();
    let (shown, problems) = reader.finish();
    let config = match data {
        Some(data) if problems.is_empty() => Ok(Config {
            ledger: LedgerArguments { data, anchor },
            listen: listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
            tls,
            tokens,
            accept_clock,
            log_format: log_format.unwrap_or(LogFormat::Text),
            hooks,
            clusters,
        }),
        _ => Err(problems),
    };
    Checked { shown, config }
}

/// The files of TLS: a certificate and its key, or neither.
fn tls(reader: &mut Reader<'_>, settings: &Settings) -> Option<TlsFiles> {
    for (given, needed) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("client_ca", "tls_cert")] {
        if settings.has(given) && !settings.has(needed) {
            reader.problem(given, &format!("stands alone: give {needed} too"));
        }
    }
    let (certificate, key, client_ca) = (reader.path("tls_cert"), reader.path("tls_key"), reader.path("client_ca"));
    Some(TlsFiles { certificate: certificate?, key: key?, client_ca })
}
