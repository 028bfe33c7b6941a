//! `counterfoil-verify`: the auditor's program. It reads an evidence file and a policy, and nothing else: no network, no
//! server, no ledger.
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

use crate::remember::Remembered;
use crate::report::Report;

mod change;
mod html;
mod period;
mod remember;
mod report;
mod state;
mod text;

/// Verifies an evidence file, and says sentence by sentence what it proves, and on whose word
#[derive(Parser)]
#[command(
    name = "counterfoil-verify",
    version,
    after_help = "Example:\n  counterfoil-verify ada.evidence --policy ledger.policy\n\n\
    The policy comes from whoever runs the log by another way than the file, once: it holds the keys that are believed.\n\n\
    Ends with 0 if the file is proved to the policy's quorum, 1 if it is falsified or short of that, 2 if it is no evidence \
    file or cannot be read."
)]
struct Arguments {
    /// The evidence file
    file: PathBuf,
    /// Whom to believe: keys of logs, witnesses and replayers (C2SP tlog-policy), and the key of tokens
    #[arg(long)]
    policy: PathBuf,
    /// How to print what is proved
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Write a page for people to this file
    #[arg(long, value_name = "PAGE")]
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
    let bytes = read(&arguments.file, EVIDENCE_BYTES_MAX)?;
    let mut remembered = arguments.remember.as_deref().map(Remembered::read).transpose()?;
    let verified = verify(&bytes, &policy).and_then(|verified| match &mut remembered {
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
    if let Some(remembered) = remembered {
        remembered.write()?;
    }
    print(&report, arguments.output).context("print what is proved")?;
    Ok(0)
}

/// Prints a report as it is made: one of a period may be larger than its file.
fn print(report: &Report<'_>, output: Output) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match output {
        Output::Text => text::write(report, &mut out)?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
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

/// Says why a file is no evidence.
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
