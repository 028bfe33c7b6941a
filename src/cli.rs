//! The command line: its verbs and their arguments.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use counterfoil_ingest::connectors;
use counterfoil_proto::v1::{FactKind, Verdict};
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::RecordIndex;

use crate::exit::Refused;
use crate::{explain, when};

mod access;
mod backup;
mod deadletter;
mod evidence;
mod incarnation;
mod key;
mod questions;
mod redact;
mod remap;
mod serve;
mod states;
mod tables;
mod token;

pub use access::{AccessArguments, AffectedArguments, BlastArguments, IdentitiesArguments};
pub use backup::{BackupArguments, RestoreArguments};
pub use deadletter::{DeadletterArguments, DeadletterVerb, RetryArguments};
pub use evidence::{EvidenceArguments, EvidenceVerb};
pub use incarnation::IncarnationArguments;
pub use key::{KeyArguments, KeyVerb, RotateArguments};
pub use questions::{Effect, ExplainGrantArguments, ReversalArguments, TraceArguments};
pub use redact::RedactArguments;
pub use remap::RemapArguments;
pub use serve::{
    ConfigArguments, ConfigVerb, FollowArguments, IngestArguments, LogFormat, OwnerArguments, QueryArguments,
    ReplayerArguments, ServeArguments, ServiceArguments, WitnessArguments,
};
pub use states::{DiffArguments, HistoryArguments, HoldersArguments, StateArguments};
pub use tables::{
    NhiArguments, NhiListArguments, NhiPathsArguments, NhiReportArguments, NhiVerb, PeopleArguments, PeopleVerb,
    PersonArguments, TableArguments,
};
pub use token::{NewTokenArguments, TokenArguments, TokenVerb, TokensArguments};

/// The number of a record, as it is given or with that of a fact in it: 1042, or 1042.0 as lists print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub record: RecordIndex,
    pub fact: Option<u32>,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (record, fact) = text.split_once('.').map_or((text, None), |(record, fact)| (record, Some(fact)));
        if !is_number(record) || !fact.is_none_or(is_number) {
            return Err(
                "expected the number of a record, such as 1042, or with that of a fact in it, 1042.0".to_owned()
            );
        }
        match (record.parse(), fact.map(str::parse).transpose()) {
            (Ok(record), Ok(fact)) => Ok(Self { record: RecordIndex(record), fact }),
            _ => Err(format!("{text} is too large for the number of a record")),
        }
    }
}

/// Refuses a period that ends before it begins.
pub fn check_period(from: Option<Moment>, at: Option<Moment>) -> Result<(), Refused> {
    match (from, at) {
        (Some(from), Some(at)) if from > at => {
            Err(Refused::Wrong("--from is after --at: name the earlier moment with --from".to_owned()))
        }
        _ => Ok(()),
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed, and why is on stderr; fsck: the ledger is falsified
  2  the command line is wrong; fsck: the ledger cannot be read
  3  nothing fits the name, id or number
  4  several entities fit the name, and they are listed

Times are RFC 3339 (2026-03-01T09:30:00Z), or a date with a zone, which means its first moment
(2026-03-01Z, 2026-03-01+01:00, 2026-03-01[Europe/Berlin]), or now.";

/// The other half of every access ticket: what was asked, who approved it, what then changed.
#[derive(Parser)]
#[command(name = "counterfoil", version, about, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    Init(InitArguments),
    Import(ImportArguments),
    Remap(RemapArguments),
    Redact(RedactArguments),
    Snapshot(SnapshotArguments),
    State(StateArguments),
    History(HistoryArguments),
    Diff(DiffArguments),
    Holders(HoldersArguments),
    Access(AccessArguments),
    Affected(AffectedArguments),
    Blast(BlastArguments),
    Identities(IdentitiesArguments),
    Explain(ExplainArguments),
    Reconcile(ReconcileArguments),
    Record(RecordArguments),
    Proof(ProofArguments),
    Evidence(EvidenceArguments),
    Export(ExportArguments),
    Verify(VerifyArguments),
    Checkpoint(CheckpointArguments),
    Fsck(FsckArguments),
    Backup(BackupArguments),
    Restore(RestoreArguments),
    Incarnation(IncarnationArguments),
    Key(KeyArguments),
    Sources(SourcesArguments),
    Deadletter(DeadletterArguments),
    Serve(ServeArguments),
    Ingest(IngestArguments),
    Query(QueryArguments),
    Witness(WitnessArguments),
    Health(HealthArguments),
    Config(ConfigArguments),
    Token(TokenArguments),
    Demo(DemoArguments),
    Completions(CompletionsArguments),
    Trace(TraceArguments),
    ExplainGrant(ExplainGrantArguments),
    Reversal(ReversalArguments),
    People(PeopleArguments),
    Nhi(NhiArguments),
}

/// Where the ledger is.
#[derive(Args)]
pub struct LedgerArguments {
    /// The data folder
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_DATA")]
    pub data: PathBuf,
    /// The anchor file, where it is not DIR.anchor
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_ANCHOR")]
    pub anchor: Option<PathBuf>,
}

/// Who answers: this program, from a data folder, or a server.
#[derive(Args)]
pub struct AskArguments {
    /// The data folder
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_DATA", required_unless_present = "server")]
    pub data: Option<PathBuf>,
    /// The anchor file, where it is not DIR.anchor
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_ANCHOR")]
    pub anchor: Option<PathBuf>,
    /// Ask this server (http://127.0.0.1:7401) instead of opening a data folder
    #[arg(long, value_name = "URL", env = "COUNTERFOIL_SERVER")]
    pub server: Option<String>,
    /// With --server: a file with the token that says who asks
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// With --server: the certificates to trust instead of those of the system, in PEM form
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CA")]
    pub ca: Option<PathBuf>,
    /// With --server: the certificate that says who asks, in PEM form
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CLIENT_CERT", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM form
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CLIENT_KEY", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
}

/// In which form an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// The whole answer as one JSON object, with the names of its protobuf message
    Json,
    /// A JSON object a line for each row
    Jsonl,
    /// A header and a row for each, as RFC 4180 has them: lines end in CRLF. Every answer of a verb has the same columns,
    /// but that of holders with --effective; a list is JSON in its cell. A cell that a spreadsheet would take for a formula has a ' before it
    Csv,
}

#[derive(Args)]
pub struct OutputArguments {
    /// The form of the answer
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// Whom a question is about.
#[derive(Args)]
pub struct WhoArguments {
    /// An entity id (account:okta:default:00u1), a login, an e-mail address, a name, or a ticket number
    pub who: String,
    /// Only entities of this system
    #[arg(long, value_name = "SYSTEM")]
    pub system: Option<String>,
}

/// The two times of a question.
#[derive(Args)]
pub struct MomentArguments {
    /// As of when, by the sources' clocks; now, if it is left out
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub at: Option<Moment>,
    /// Counting only what the ledger held by then; all that it holds, if it is left out
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub known_at: Option<Moment>,
}

/// Export the whole log to a folder, for whoever verifies it on a machine of their own
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil export --data ledger --to export\n  \
    counterfoil export --server https://ledger.example.com:7401 --to export --policy ledger.policy\n\n\
    `counterfoil-verify --replay export --policy ledger.policy` checks every record of it, and every seal.\n\
    The folder is a tiled log (c2sp.org/tlog-tiles): the signed checkpoint, all records as they were hashed, and the tiles of \
    the tree. Payloads and personal values lie beside the records and are not part of it.\n\
    The same again goes on where it stopped, and adds what came since. A folder that holds another log, or another history \
    of this one, is refused.")]
pub struct ExportArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// The folder
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
    /// Export only what this policy accepts: keys of logs and witnesses (C2SP tlog-policy)
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<PathBuf>,
}

/// Make a ledger: its keys, its first record, its anchor DIR.anchor, and DIR.policy for verifiers
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil init --data ledger --origin example.com/audit")]
pub struct InitArguments {
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// The log's name for ever: a URL without its scheme, such as example.com/audit
    #[arg(long, value_name = "NAME")]
    pub origin: String,
}

/// Import files: JSON, JSON lines or JSON arrays, also .gz and .zst, or standard input
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil import okta --data ledger --backfill system-log.jsonl.gz\n\n\
    counterfoil import cloudtrail --data ledger logs/ --digests digests/ --digest-keys keys.json\n\n\
    An interrupted import goes on where it stopped; a repeated one adds nothing.\n\
    What cannot be read is recorded as rejected, with its bytes: see `counterfoil deadletter list`.")]
pub struct ImportArguments {
    #[command(flatten)]
    pub ledger: LedgerArguments,
    /// Which connector reads them
    #[arg(value_parser = PossibleValuesParser::new(connectors::names()))]
    pub connector: String,
    /// Files and folders; - is standard input
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The tenant that the files come from
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub instance: String,
    /// The tenant whose tickets are meant where a log mentions one, such as SR-1042
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub ticket_instance: String,
    /// A first import of old logs: their lateness is held against nobody
    #[arg(long)]
    pub backfill: bool,
    /// The zone of times that lost theirs; without it, such an event is rejected
    #[arg(long, value_name = "ZONE", value_parser = ["UTC"])]
    pub assume_zone: Option<String>,
    /// CloudTrail's digest files, or folders of them: log files that one of them vouches for count as signed by the
    /// source. The signature of a digest (x-amz-meta-signature of its S3 object) is read from the next digest, or from a
    /// file of its name and ".sig"
    #[arg(long, value_name = "DIGESTS", num_args = 1.., requires = "digest_keys")]
    pub digests: Vec<PathBuf>,
    /// The public keys for them: what `aws cloudtrail list-public-keys` prints for their region and time
    #[arg(long, value_name = "FILE", requires = "digests")]
    pub digest_keys: Option<PathBuf>,
    /// The wall clock is right although it jumped
    #[arg(long)]
    pub accept_clock: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Take listings of live access: who is in a group, has an application, a role, an account
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil snapshot okta --data ledger pages/*\n  \
    counterfoil snapshot okta --data ledger --scope groups/00g1/users \\\n    \
    --as-of 2026-03-01T09:30:00Z --complete members.json\n  \
    counterfoil snapshot okta --server https://ledger.example.com:7401 \\\n    --token-file writer.token pages/*\n\n\
    Files hold the responses of an API, one behind the other. With its head (curl -i) a response says itself what it is a \
    page of, when it was taken, and whether more come behind it. A listing that lacks a page, or anything else, is \
    recorded as incomplete, and proves nobody's absence.")]
pub struct SnapshotArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// Which connector reads them
    #[arg(value_parser = PossibleValuesParser::new(connectors::listers()))]
    pub connector: String,
    /// Files and folders; - is standard input
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// What the pages are of that do not say so: the path and query of the request, such as groups/00g1/users, or the
    /// call and its parameters, such as list-account-assignments?account-id=111122223333
    #[arg(long, value_name = "PATH")]
    pub scope: Option<String>,
    /// When the pages were taken that do not say so
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub as_of: Option<Moment>,
    /// These are all pages, although they do not say so: on the operator's word
    #[arg(long)]
    pub complete: bool,
    /// The tenant that they are of; where they say so themselves, that one counts
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub instance: String,
    /// The wall clock is right although it jumped; with --server, that is for the server to be told
    #[arg(long)]
    pub accept_clock: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Which approval covers a change
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil explain 2a992f80-d1ad-4f62-900e-8c68bb72a21b --data ledger\n  \
    counterfoil explain --unapproved --data ledger --output csv\n  \
    counterfoil explain --all --data ledger --for yuki.moreau@tallyhall.example")]
pub struct ExplainArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    /// An event id, or the number of a record, also with that of a fact in it (1042.0)
    #[arg(required_unless_present_any = ["all", "unapproved"], conflicts_with_all = ["all", "unapproved"])]
    pub change: Option<String>,
    /// Every change that gave access, or what --effect says
    #[arg(long)]
    pub all: bool,
    /// Every change that gave access and that no approval is shown to cover: every verdict but approved and
    /// approved-recorded-late
    #[arg(long, conflicts_with = "all")]
    pub unapproved: bool,
    /// With --all or --unapproved: from this moment on
    #[arg(long, value_name = "TIME", value_parser = when::parse, conflicts_with = "change")]
    pub from: Option<Moment>,
    /// With --all or --unapproved: up to this moment, inclusive; 2026-03-31Z is the first moment of that day
    #[arg(long, value_name = "TIME", value_parser = when::parse, conflicts_with = "change")]
    pub at: Option<Moment>,
    /// With --all or --unapproved: only what these have executed: an id, a login, an e-mail address or a name
    #[arg(long, value_name = "WHO", conflicts_with = "change")]
    pub by: Option<String>,
    /// With --all or --unapproved: only what is about the access of these
    #[arg(long = "for", value_name = "WHO", conflicts_with = "change")]
    pub for_whom: Option<String>,
    /// With --by or --for: of an account, all that is the same person's is meant. A person is always meant so
    #[arg(long, conflicts_with = "change")]
    pub person: bool,
    /// With --all or --unapproved: only changes with this verdict; may be given several times
    #[arg(long, value_name = "VERDICT", value_parser = explain::verdicts(), conflicts_with = "change")]
    pub verdict: Vec<Verdict>,
    /// With --all or --unapproved: only changes of this kind; may be given several times
    #[arg(long, value_name = "KIND", value_parser = explain::kinds(), conflicts_with = "change")]
    pub kind: Vec<FactKind>,
    /// With --all or --unapproved: what the changes did; without it, gives
    #[arg(long, value_enum, conflicts_with = "change")]
    pub effect: Option<Effect>,
    /// With --all or --unapproved: only changes that this is true of (google.aip.dev/160), such as
    /// 'via = "api_token/00T1" AND NOT verdict = approved'. Fields: kind, effect, verdict, system, instance, scope,
    /// event_id, record, occurred_at, recorded_at, actor, via, subject, object, ticket
    #[arg(long, value_name = "FILTER", conflicts_with = "change")]
    pub filter: Option<String>,
    /// Counting only what the ledger held by then
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub known_at: Option<Moment>,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Live access, as the last complete listings saw it, against the log and the approvals
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil reconcile okta --data ledger --at 2026-03-01Z\n\n\
    approved: live, in the log, and approved in time. unapproved: live and in the log. unrecorded: live, never seen in a \
    log. missing: in the log, not live. expired: live although its time ran out. revoked: live although the log says that \
    it was taken away. Each listing is compared with the time when it was taken. The table leaves out what is approved.")]
pub struct ReconcileArguments {
    /// The system, such as okta
    #[arg(value_name = "SYSTEM")]
    pub system: String,
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub moment: MomentArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// A record, and what lies beside it
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil record 1042 --data ledger --output json")]
pub struct RecordArguments {
    /// The record's index, also with the number of a fact in it (1042.0)
    #[arg(value_name = "INDEX")]
    pub place: Place,
    /// Only the record's bytes, as hashed: SHA-256 of a zero byte and these is its leaf hash
    #[arg(long)]
    pub raw: bool,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[cfg(not(feature = "cose"))]
const PROOF_EXAMPLES: &str = "Examples:\n  counterfoil proof 1042 --data ledger > 1042.tlog-proof\n  \
    counterfoil proof --since 1000 --data ledger";
#[cfg(feature = "cose")]
const PROOF_EXAMPLES: &str = "Examples:\n  counterfoil proof 1042 --data ledger > 1042.tlog-proof\n  \
    counterfoil proof 1042 --data ledger --cose > 1042.receipt\n  counterfoil proof --since 1000 --data ledger";

/// That a record is in the log (c2sp.org/tlog-proof), or that the log goes on from an earlier size
#[derive(Args)]
#[command(after_help = PROOF_EXAMPLES)]
pub struct ProofArguments {
    /// The record's index, also with the number of a fact in it (1042.0): the proof is of the whole record
    #[arg(value_name = "INDEX", required_unless_present = "since", conflicts_with = "since")]
    pub place: Option<Place>,
    /// The earlier size
    #[arg(long, value_name = "SIZE")]
    pub since: Option<u64>,
    /// Have the proof carry the record itself, as its extra data
    #[arg(long, conflicts_with = "since")]
    pub with_record: bool,
    /// As a COSE receipt (RFC 9942), signed anew: for that the ledger's own key is needed, which is in the data folder. No
    /// witness stands behind it
    #[cfg(feature = "cose")]
    #[arg(long, conflicts_with_all = ["since", "with_record", "output"])]
    pub cose: bool,
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Check a proof that a record is in a log (c2sp.org/tlog-proof) against a policy, without the log
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil verify 1042.tlog-proof --record 1042.record --policy ledger.policy\n\n\
    The record is what `counterfoil record 1042 --raw` prints. The policy comes to you by another way than the proof: it\n\
    says which log, which witnesses and which replayers you believe.\n\
    Exit code 0: it is shown; 1: it is not, and why."
)]
pub struct VerifyArguments {
    #[cfg_attr(not(feature = "cose"), doc = "The proof; - is standard input")]
    #[cfg_attr(feature = "cose", doc = "The proof, or a COSE receipt of inclusion (RFC 9942); - is standard input")]
    #[arg(value_name = "FILE")]
    pub proof: PathBuf,
    /// The bytes of the record; - is standard input
    #[arg(long, value_name = "FILE")]
    pub record: PathBuf,
    /// Whom to believe
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
}

/// The newest signed checkpoint, as it is (c2sp.org/tlog-checkpoint)
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil checkpoint --data ledger")]
pub struct CheckpointArguments {
    #[command(flatten)]
    pub ask: AskArguments,
}

/// Read every byte again, and believe none of it
#[derive(Args)]
#[command(
    after_help = "Example:\n  counterfoil fsck --data ledger\n\nExit code 0: sound; 1: falsified; 2: unreadable."
)]
pub struct FsckArguments {
    #[command(flatten)]
    pub ledger: LedgerArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What each source has delivered: events, facts, unknown types, duplicates, and how many objects of each kind
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil sources --data ledger --output json")]
pub struct SourcesArguments {
    #[command(flatten)]
    pub ask: AskArguments,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Whether a server does what it is there for: exit code 0 if so, 1 and the reason if not
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil health --server http://127.0.0.1:7401\n\n\
    Everybody may ask: it needs no token.")]
pub struct HealthArguments {
    /// The server
    #[arg(long, value_name = "URL", env = "COUNTERFOIL_SERVER", default_value = "http://127.0.0.1:7401")]
    pub server: String,
    /// The certificates to trust instead of those of the system, in PEM form
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CA")]
    pub ca: Option<PathBuf>,
}

/// Make a company, import its tickets and logs, and tell its story on one screen
#[derive(Args)]
#[command(after_help = "Examples:\n  counterfoil demo --data demo/ledger\n  counterfoil demo --messages topics/")]
pub struct DemoArguments {
    /// The data folder to make
    #[arg(long, value_name = "DIR", required_unless_present = "messages")]
    pub data: Option<PathBuf>,
    /// Make no ledger, and write to this folder what the company's systems would send to topics of Kafka: a file for
    /// each, a message a line
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub messages: Option<PathBuf>,
    /// The seed of the company
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many people it starts with
    #[arg(long, default_value_t = 60)]
    pub people: u32,
    /// How many months its logs span
    #[arg(long, default_value_t = 6)]
    pub months: u32,
}

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "Example:\n  counterfoil completions bash > /etc/bash_completion.d/counterfoil")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
