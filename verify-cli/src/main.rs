//! `counterfoil-verify`: the auditor's program. It reads an evidence file, or a whole log, and a policy, and nothing else: no
//! network, no server, no ledger.
//!
//! Owns the command line, and how a run ends: 0 proved, 1 falsified or short of the policy's quorum, 2 malformed, or what
//! was given cannot be read. What is proved is for `counterfoil_verify` to say.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use counterfoil_verify::evidence::{EVIDENCE_BYTES_MAX, Flaw, Rejected, verify};
use counterfoil_verify::policy::{POLICY_BYTES_MAX, Policy};
use counterfoil_verify::proof::TLOG_PROOF_BYTES_MAX;
use serde::Serialize;

use crate::folder::Failure;
use crate::remember::Remembered;
use crate::report::Report;

mod change;
mod folder;
mod html;
mod period;
mod remember;
mod replay;
mod report;
mod state;
mod succession;
mod text;

/// Verifies an evidence file, or a whole log, and says sentence by sentence what that proves, and on whose word
#[derive(Parser)]
#[command(
    name = "counterfoil-verify",
    version,
    after_help = "Examples:\n  counterfoil-verify ada.evidence --policy ledger.policy\n  \
    counterfoil-verify --replay export --policy ledger.policy\n  \
    counterfoil-verify --succession key.tlog-proof --policy old.policy > new.policy\n\n\
    The policy comes from whoever runs the log by another way than the file, once: it holds the keys that are believed. \
    Where it has a quorum of witnesses, a log's next key is taken from a proof of the record that announces it; else a new \
    policy has to come, by the way that the old one came.\n\n\
    A replay reads every record of a log that `counterfoil export` wrote, or that anybody copied from a server's tiles \
    (c2sp.org/tlog-tiles). It takes 170 to 340 bytes of memory for each entity; where the log goes on from another one, the same again and 32 bytes for each record.\n\n\
    Ends with 0 if the file is proved to the policy's quorum, 1 if it is falsified or short of that, 2 if it is no evidence \
    file or no export, or cannot be read."
)]
struct Arguments {
    /// The evidence file
    #[arg(required_unless_present_any = ["replay", "succession"], conflicts_with_all = ["replay", "succession"])]
    file: Option<PathBuf>,
    /// Replay the whole log in this folder: its records, its tree, and every seal
    #[arg(long, value_name = "FOLDER")]
    replay: Option<PathBuf>,
    /// Take the next key of a log into the policy, on a proof of the record that announces it, and print the policy
    #[arg(long, value_name = "PROOF", conflicts_with_all = ["replay", "html", "remember", "output"])]
    succession: Option<PathBuf>,
    /// Whom to believe: keys of logs, witnesses and replayers (C2SP tlog-policy), and the key of tokens
    #[arg(long)]
    policy: PathBuf,
    /// How to print what is proved
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Write a page for people to this file
    #[arg(long, value_name = "PAGE", conflicts_with = "replay")]
    html: Option<PathBuf>,
    /// Keep the checkpoints that were seen in this file, and compare each new one with them
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
}

/// How a report is printed.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences and tables, for people
    #[default]
    Text,
    /// For programs
    Json,
}

/// What writes a report of one kind as text.
type Text<R, W> = fn(&R, &mut W) -> io::Result<()>;
type Stdout = BufWriter<io::StdoutLock<'static>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("counterfoil-verify: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8> {
    let policy = read(&arguments.policy, POLICY_BYTES_MAX)?;
    let policy = Policy::parse(&policy).with_context(|| format!("{} is no policy", arguments.policy.display()))?;
    let remembered = arguments.remember.as_deref().map(Remembered::read).transpose()?;
    match (&arguments.replay, &arguments.succession, &arguments.file) {
        (Some(folder), ..) => replay(arguments, folder, &policy, remembered),
        (_, Some(proof), _) => succession::run(&read(proof, TLOG_PROOF_BYTES_MAX)?, &policy),
        (.., Some(file)) => check(arguments, file, &policy, remembered),
        (None, None, None) => bail!("neither a file nor a folder is given"),
    }
}

/// Checks an evidence file.
fn check(arguments: &Arguments, file: &Path, policy: &Policy, mut remembered: Option<Remembered>) -> Result<u8> {
    let bytes = read(file, EVIDENCE_BYTES_MAX)?;
    let verified = verify(&bytes, policy).and_then(|verified| match &mut remembered {
        Some(remembered) => remembered.compare(&verified.attested.checkpoint).map(|()| verified),
        None => Ok(verified),
    });
    let verified = match verified {
        Ok(verified) => verified,
        Err(rejected) => return Ok(reject(&rejected, arguments.output)),
    };
    let report = Report::of(&verified);
    if let Some(page) = &arguments.html {
        write_page(page, &report).with_context(|| format!("write {}", page.display()))?;
    }
    tell(arguments.output, &report, text::write, remembered)
}

/// Replays a whole log.
fn replay(arguments: &Arguments, folder: &Path, policy: &Policy, mut remembered: Option<Remembered>) -> Result<u8> {
    match replay::run(folder, policy, remembered.as_mut()) {
        Ok(report) => tell(arguments.output, &report, text::write_log, remembered),
        Err(Failure::Rejected(rejected)) => Ok(reject(&rejected, arguments.output)),
        Err(Failure::Unreadable(error)) => Err(error),
    }
}

/// Says what is proved, and keeps the checkpoint.
fn tell<R: Serialize>(output: Output, report: &R, text: Text<R, Stdout>, remembered: Option<Remembered>) -> Result<u8> {
    if let Some(remembered) = remembered {
        remembered.write()?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(report, output, text, &mut out).context("print what is proved")?;
    Ok(0)
}

/// Prints a report as it is made: one of a period may be larger than its file.
fn print<R: Serialize, W: Write>(report: &R, output: Output, text: Text<R, W>, out: &mut W) -> io::Result<()> {
    match output {
        Output::Text => text(report, out)?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, report)?;
            writeln!(out)?;
        }
    }
    out.flush()
}

fn write_page(page: &Path, report: &Report<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(page)?);
    html::write(report, &mut out)?;
    out.flush()
}

/// Says why a file is no evidence, or a log is not proved.
fn reject(rejected: &Rejected, output: Output) -> u8 {
    match output {
        Output::Text => eprintln!("counterfoil-verify: {}", text::safe(&rejected.to_string())),
        Output::Json => {
            let (verdict, step) = (rejected.flaw.name(), rejected.step.name());
            println!("{}", serde_json::json!({ "verdict": verdict, "step": step, "reason": rejected.what }));
        }
    }
    match rejected.flaw {
        Flaw::Falsified | Flaw::Short => 1,
        Flaw::Malformed => 2,
    }
}

/// A file, if it is no larger than such files may be.
fn read(path: &Path, max: usize) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?.len();
    if length > max as u64 {
        bail!("{} has {length} bytes: expected at most {max}", path.display());
    }
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}
