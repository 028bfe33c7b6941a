//! What a service is told: by defaults, a file, the environment and the command line, the later ones first.
//!
//! Owns which settings there are. A secret is never one of them: settings name the files that hold secrets.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

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

use crate::cli::{FollowArguments, LogFormat, OwnerArguments, ServiceArguments};
use crate::exit::Refused;
use crate::transport::Remote;

/// A lease is renewed every second: whoever misses fewer renewals than this is not taken for dead.
const LEASE_SECONDS_MIN: u32 = 3;

/// What the command line gives.
pub struct Given<'a> {
    pub service: &'a ServiceArguments,
    pub owner: &'a OwnerArguments,
    pub follow: &'a FollowArguments,
}

/// What a service works with.
pub struct Config {
    pub data: PathBuf,
    pub front: Front,
    pub own: Own,
    /// The server whose log is copied, if one is.
    pub followed: Option<Followed>,
}

/// What callers meet, whatever the service does.
pub struct Front {
    pub listen: SocketAddr,
    /// The files of TLS, if it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// The file that says who may call, where it is not the one beside the data folder.
    pub tokens: Option<PathBuf>,
    pub log_format: LogFormat,
    pub otlp: Option<Collector>,
}

/// Where metrics and spans are sent.
pub struct Collector {
    pub server: Remote,
    /// How often metrics are.
    pub every: Duration,
    /// How many in a hundred of the requests are traced whose callers do not say whether.
    pub percent: u8,
}

/// A ledger of the service's own.
pub struct Own {
    /// Where the anchor is not the one beside the data folder.
    pub anchor: Option<PathBuf>,
    pub accept_clock: bool,
    /// A policy with the witnesses and replayers that are asked to cosign.
    pub witnesses: Option<PathBuf>,
    /// Where backups are made that callers ask for.
    pub backups: Option<PathBuf>,
    pub hooks: Vec<Hook>,
    pub clusters: Vec<Cluster>,
}

/// The log of another server.
pub struct Followed {
    pub server: Remote,
    /// Where the policy is not the one beside the data folder.
    pub policy: Option<PathBuf>,
    /// Of a standby: how long the owner's lease must not have been renewed before it takes over.
    pub patience: Duration,
}

/// The settings as they were found, whether they are right or not.
pub struct Checked {
    /// Each setting that counts, and where it stands.
    pub shown: Vec<Shown>,
    /// The configuration, or every reason why there is none.
    pub config: Result<Config, Vec<String>>,
}

/// Reads all settings.
pub fn check(given: &Given<'_>) -> Checked {
    match Settings::gather(given) {
        Ok(settings) => read(&settings),
        Err(problem) => Checked { shown: Vec::new(), config: Err(vec![problem]) },
    }
}

/// Reads all settings, which have to be right.
pub fn load(given: &Given<'_>) -> Result<Config> {
    check(given).config.map_err(|problems| Refused::Wrong(problems.join("\n")).into())
}

fn read(settings: &Settings) -> Checked {
    let mut reader = Reader::new(settings);
    let data = reader.path("data");
    if data.is_none() && !settings.has("data") {
        reader.problem("data", "is missing: give --data DIR, COUNTERFOIL_DATA, or data in the configuration file");
    }
    let listen = reader.parsed("listen", Some("127.0.0.1:7401"), |text| {
        text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:7401".to_owned())
    });
    let tls = tls(&mut reader, settings);
    let tokens = reader.path("tokens");
    let log_format = reader.parsed("log_format", Some("text"), |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    });
    let otlp = otlp(&mut reader, settings);
    let own = own(&mut reader, settings);
    let followed = if settings.has("follow") { followed(&mut reader, settings) } else { None };
    let (shown, problems) = reader.finish();
    let config = match data {
        Some(data) if problems.is_empty() => Ok(Config {
            data,
            front: Front {
                listen: listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
                tls,
                tokens,
                log_format: log_format.unwrap_or(LogFormat::Text),
                otlp,
            },
            own,
            followed,
        }),
        _ => Err(problems),
    };
    Checked { shown, config }
}

fn own(reader: &mut Reader<'_>, settings: &Settings) -> Own {
    Own {
        anchor: reader.path("anchor"),
        accept_clock: reader.flag("accept_clock", false),
        witnesses: reader.path("witnesses"),
        backups: reader.path("backups"),
        hooks: settings.sections("ingest").iter().filter_map(|name| hooks::read(reader, name)).collect(),
        clusters: settings.sections("kafka").iter().filter_map(|name| kafka::read(reader, name)).collect(),
    }
}

fn followed(reader: &mut Reader<'_>, settings: &Settings) -> Option<Followed> {
    for (given, needed) in [("follow_client_cert", "follow_client_key"), ("follow_client_key", "follow_client_cert")] {
        if settings.has(given) && !settings.has(needed) {
            reader.problem(given, &format!("stands alone: give {needed} too"));
        }
    }
    let url = reader.parsed("follow", None, |text| Ok(text.to_owned()));
    let policy = reader.path("policy");
    let (token_file, ca) = (reader.path("follow_token_file"), reader.path("follow_ca"));
    let client = reader.path("follow_client_cert").zip(reader.path("follow_client_key"));
    let patience = Duration::from_secs(reader.count("lease_seconds", 10, 1..=86_400).max(LEASE_SECONDS_MIN).into());
    Some(Followed { server: Remote { url: url?, token_file, ca, client }, policy, patience })
}

fn otlp(reader: &mut Reader<'_>, settings: &Settings) -> Option<Collector> {
    let url = reader.parsed("otlp_endpoint", None, |text| match text.split_once("://") {
        Some(("http" | "https", _)) => Ok(text.to_owned()),
        _ => Err("expected a URL such as http://127.0.0.1:4317".to_owned()),
    });
    let further = ["otlp_token_file", "otlp_ca", "otlp_seconds", "otlp_percent"];
    if !settings.has("otlp_endpoint") && !further.iter().any(|given| settings.has(given)) {
        return None;
    }
    let (token_file, ca) = (reader.path("otlp_token_file"), reader.path("otlp_ca"));
    let every = Duration::from_secs(reader.count("otlp_seconds", 15, 1..=3_600).into());
    let percent = reader.count("otlp_percent", 100, 0..=100).try_into().ok()?;
    for given in further {
        if settings.has(given) && !settings.has("otlp_endpoint") {
            reader.problem(given, "stands alone: give otlp_endpoint too");
        }
    }
    Some(Collector { server: Remote { url: url?, token_file, ca, client: None }, every, percent })
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
