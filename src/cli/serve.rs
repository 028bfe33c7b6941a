//! The arguments of `serve` and of `config`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Serve a ledger: questions and events over gRPC and HTTP, on one port
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil serve --data ledger --listen 127.0.0.1:7401\n  \
    counterfoil serve --data ledger --listen 0.0.0.0:7401 \\\n    --tls-cert server.pem --tls-key server.key\n\n\
    It holds the ledger until it is stopped (Ctrl-C, or SIGTERM): ask it with --server http://127.0.0.1:7401.\n\
    Whoever calls from this machine may do everything, unless there is a DIR.tokens when it starts: then all callers show\n\
    what `counterfoil token create` has made for them. Other addresses need TLS, and that file.\n\
    RUST_LOG sets how much it tells on stderr: error, warn, info, debug.")]
pub struct ServeArguments {
    /// A configuration file (TOML). Its settings, and how they are given in the environment: docs/configuration.md
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CONFIG")]
    pub config: Option<PathBuf>,
    /// The data folder [env: COUNTERFOIL_DATA]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The anchor file, where it is not DIR.anchor [env: COUNTERFOIL_ANCHOR]
    #[arg(long, value_name = "FILE")]
    pub anchor: Option<PathBuf>,
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
    /// The wall clock is right although it jumped
    #[arg(long)]
    pub accept_clock: bool,
    /// How events of the service are written to stderr [default: text]
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
}

/// What `serve` would work with
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
    Check(ServeArguments),
}

/// How events of the service are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}
