//! The arguments of `counterfoil token`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use counterfoil_proto::v1::Role;
use counterfoil_verify::time::Moment;

use super::{LedgerArguments, OutputArguments};
use crate::when;

/// Say who may call a server, in the file DIR.tokens. A server notices within a second or two
#[derive(Args)]
#[command(
    after_help = "Examples:\n  counterfoil token create --data ledger --name siem --role read --role payload\n  \
    counterfoil token list --data ledger\n  counterfoil token revoke 5f2a9c01d4e87b36 --data ledger"
)]
pub struct TokenArguments {
    #[command(subcommand)]
    pub verb: TokenVerb,
}

#[derive(Subcommand)]
pub enum TokenVerb {
    /// Make a token, which is shown once, or let in whoever shows a certificate
    #[command(after_help = "Examples:\n  \
        counterfoil token create --data ledger --name siem --role read --role payload --expires 90d \\\n    > siem.token\n  \
        counterfoil token create --data ledger --name gate --role read \\\n    --certificate uri:spiffe://example.com/gate\n\n\
        The token is all that goes to stdout: keep it where only its user can read it, and name that with --token-file.")]
    Create(NewTokenArguments),
    /// List who may call, and who no longer may
    #[command(after_help = "Example:\n  counterfoil token list --data ledger --output csv")]
    List {
        #[command(flatten)]
        place: TokensArguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Let nobody in with a token any more; calls that last are cut off
    #[command(after_help = "Example:\n  counterfoil token revoke 5f2a9c01d4e87b36 --data ledger")]
    Revoke {
        /// Its id, as it is listed
        id: String,
        #[command(flatten)]
        place: TokensArguments,
        #[command(flatten)]
        output: OutputArguments,
    },
}

/// Where it stands who may call.
#[derive(Args)]
pub struct TokensArguments {
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// The file that says who may call, where it is not DIR.tokens
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_TOKENS")]
    pub tokens: Option<PathBuf>,
}

#[derive(Args)]
pub struct NewTokenArguments {
    #[command(flatten)]
    pub place: TokensArguments,
    /// What people call whoever calls
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What it may do; may be given several times
    #[arg(long, value_name = "ROLE", required = true, value_enum)]
    pub role: Vec<RoleName>,
    /// From when on it may do nothing more: so many days (90d), hours (12h) or minutes (30m) from now, or a time
    #[arg(long, value_name = "WHEN", default_value = "90d", value_parser = when::parse_end)]
    pub expires: Moment,
    /// Make no token: let in whoever shows a client certificate with this name (uri:…, dns:…) or this SHA-256 of its DER
    /// form (sha256: and 64 hexadecimal digits)
    #[arg(long, value_name = "CERTIFICATE")]
    pub certificate: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Ask questions; names and payloads are withheld
    Read,
    /// See names and payloads in the answers
    Payload,
    /// Append events
    Write,
    /// Read the metrics of the service
    Operate,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Read => Self::Read,
            RoleName::Payload => Self::Payload,
            RoleName::Write => Self::Write,
            RoleName::Operate => Self::Operate,
        }
    }
}
