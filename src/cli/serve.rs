//! The arguments of `serve`, `ingest`, `query` and `config`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What every service is told.
#[derive(Args, Default)]
pub struct ServiceArguments {
    /// A configuration file (TOML). Its settings, and how they are given in the environment: docs/configuration.md
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CONFIG")]
    pub config: Option<PathBuf>,
    /// The data folder [env: COUNTERFOIL_DATA]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The server's certificate and those up to its root, in PEM form: it speaks TLS then
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM form
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Clients may show certificates that come from these, in PEM form, instead of tokens
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// The file that says who may call, where it is not DIR.tokens [env: COUNTERFOIL_TOKENS]
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// How events of the service are written to stderr [default: text]
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
    /// Send metrics and spans of requests by OTLP over gRPC to this URL (http://127.0.0.1:4317)
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// A file with the token that is sent along, as a bearer's
    #[arg(long, value_name = "FILE")]
    pub otlp_token_file: Option<PathBuf>,
    /// The certificates to trust there instead of those of the system, in PEM form
    #[arg(long, value_name = "FILE")]
    pub otlp_ca: Option<PathBuf>,
    /// How often metrics are sent [default: 15]
    #[arg(long, value_name = "SECONDS")]
    pub otlp_seconds: Option<u32>,
    /// How many in a hundred of the requests are traced whose callers do not say whether; with 0 none is [default: 100]
    #[arg(long, value_name = "PERCENT")]
    pub otlp_percent: Option<u32>,
}

/// What a service is told that owns its ledger.
#[derive(Args, Default)]
pub struct OwnerArguments {
    /// The anchor file, where it is not DIR.anchor [env: COUNTERFOIL_ANCHOR]
    #[arg(long, value_name = "FILE")]
    pub anchor: Option<PathBuf>,
    /// The wall clock is right although it jumped
    #[arg(long)]
    pub accept_clock: bool,
    /// A policy (c2sp.org/tlog-policy): its witnesses and replayers that have a URL are asked to cosign
    #[arg(long, value_name = "FILE")]
    pub witnesses: Option<PathBuf>,
    /// The folder of backups: whoever has the role operate may have one made there [env: COUNTERFOIL_BACKUPS]
    #[arg(long, value_name = "FOLDER")]
    pub backups: Option<PathBuf>,
}

/// What a service is told that copies the log of another.
#[derive(Args, Default)]
pub struct FollowArguments {
    /// The server whose log is copied (http://127.0.0.1:7401)
    #[arg(long, value_name = "URL")]
    pub follow: Option<String>,
    /// What is believed: the policy that `counterfoil init` made, where it is not DIR.policy
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// A file with the token that says who copies: it needs the roles read and payload
    #[arg(long, value_name = "FILE")]
    pub follow_token_file: Option<PathBuf>,
    /// The certificates to trust instead of those of the system, in PEM form
    #[arg(long, value_name = "FILE")]
    pub follow_ca: Option<PathBuf>,
    /// The certificate that says who copies, in PEM form
    #[arg(long, value_name = "FILE")]
    pub follow_client_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM form
    #[arg(long, value_name = "FILE")]
    pub follow_client_key: Option<PathBuf>,
    /// Of a standby: take over once the owner has not renewed its lease for so long, at least 3 [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub lease_seconds: Option<u32>,
}

/// Serve a ledger: questions and events over gRPC and HTTP, on one port
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil serve --data ledger --listen 127.0.0.1:7401\n  \
    counterfoil serve --data ledger --listen 0.0.0.0:7401 \\\n    --tls-cert server.pem --tls-key server.key\n\n\
    It holds the ledger until it is stopped (Ctrl-C, or SIGTERM): ask it with --server http://127.0.0.1:7401.\n\
    Whoever calls from this machine may do everything, unless there is a DIR.tokens when it starts: then all callers show\n\
    what `counterfoil token create` has made for them. Other addresses need TLS, and that file.\n\
    RUST_LOG sets how much it tells on stderr: error, warn, info, debug.")]
pub struct ServeArguments {
    #[command(flatten)]
    pub service: ServiceArguments,
    #[command(flatten)]
    pub owner: OwnerArguments,
}

/// Serve a ledger's intake and its log, and answer no questions: those are for `counterfoil query`
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil ingest --data ledger --anchor /shared/anchor --listen 127.0.0.1:7401\n  \
    counterfoil ingest --data standby --anchor /shared/anchor --listen 127.0.0.1:7403 \\\n    \
    --policy ledger.policy --follow http://127.0.0.1:7401\n\n\
    It is `counterfoil serve` without views: what it takes in is copied by any number of `counterfoil query`, which\n\
    answer questions.\n\
    With --follow it is a standby: it copies the log of its owner, as `counterfoil query` does, and takes over when the\n\
    owner has not renewed its lease on the anchor for a while. It needs the owner's anchor, and a copy of its keys in\n\
    DIR/keys. An owner that is alive after all finds at the anchor that it is the owner no more, before it acknowledges\n\
    anything, and ends."
)]
pub struct IngestArguments {
    #[command(flatten)]
    pub service: ServiceArguments,
    #[command(flatten)]
    pub owner: OwnerArguments,
    #[command(flatten)]
    pub follow: FollowArguments,
}

/// Copy the log of another server, believing nothing but a policy, and answer questions from the copy
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil query --data replica --policy ledger.policy --listen 127.0.0.1:7402 \\\n    \
    --follow http://127.0.0.1:7401\n\n\
    Every record is checked, its place in the chain, and what lies beside it; and the root over all of them against the\n\
    checkpoints that the log's key has signed. A log that does not go on from what was copied is refused, and the first\n\
    record that is another one is named. It goes on answering from what it has, and /readyz says what is wrong."
)]
pub struct QueryArguments {
    #[command(flatten)]
    pub service: ServiceArguments,
    #[command(flatten)]
    pub follow: FollowArguments,
    #[command(flatten)]
    pub replayer: ReplayerArguments,
}

/// A copy that cosigns what it has recomputed.
#[derive(Args)]
pub struct ReplayerArguments {
    /// Cosign checkpoints as a replayer, whose key is in this folder: it means that every seal and every token up to there was
    /// recomputed
    #[arg(long, value_name = "DIR")]
    pub replayer: Option<PathBuf>,
    /// What its key is called, such as replayer.example.com/r1; needed when the folder is made
    #[arg(long, value_name = "NAME", requires = "replayer")]
    pub replayer_name: Option<String>,
    /// The address at which logs ask for cosignatures, a loopback one; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7481", requires = "replayer")]
    pub replayer_listen: SocketAddr,
}

/// Cosign the checkpoints of logs, as a witness that all see the same history (c2sp.org/tlog-witness)
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil witness --data witness --policy logs.policy --listen 127.0.0.1:7480 \\\n    \
    --name witness.example.com/w1\n\n\
    The policy names the logs (log lines of c2sp.org/tlog-policy). On stdout stands the key that other policies name it by.\n\
    DIR has the key, and what was cosigned last: never start it from an older copy, which would cosign a second history.\n\
    Monitors ask for GET /<SHA-256 of the origin in hexadecimal>/checkpoint."
)]
pub struct WitnessArguments {
    /// The folder of the witness, which is made where there is none
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The logs to watch
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// The address to listen on, a loopback one; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7480")]
    pub listen: SocketAddr,
    /// What its key is called, such as witness.example.com/w1; needed when the folder is made
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How its events are written to stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What a service would work with
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil config check --config counterfoil.toml")]
pub struct ConfigArguments {
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

#[derive(Subcommand)]
pub enum ConfigVerb {
    /// Print every setting that counts, where it stands, and everything that is wrong
    #[command(after_help = "Example:\n  counterfoil config check --config counterfoil.toml")]
    Check(CheckArguments),
}

#[derive(Args)]
pub struct CheckArguments {
    #[command(flatten)]
    pub service: ServiceArguments,
    #[command(flatten)]
    pub owner: OwnerArguments,
    #[command(flatten)]
    pub follow: FollowArguments,
}

/// How events of the service are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}
