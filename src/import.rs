//! `counterfoil import`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use counterfoil_ingest::connectors;
use counterfoil_ingest::digests::DigestError;
use counterfoil_ingest::import::{ImportError, ImportOptions, Progress, Summary, expand, import};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::Ledger;
use counterfoil_proto::v1::{Authentication, Basis, ImportResponse, ImportSummary};
use counterfoil_verify::entity::check_name;

use crate::cli::{ImportArguments, LedgerArguments, OutputArguments, TableArguments};
use crate::exit::{Exit, Refused};
use crate::output::{self, Rows, safe};
use crate::words::counted;
use crate::{open, when};

mod vouch;

/// Threads that prepare events: as many as there are cores, but no more than the owner can keep up with.
const THREADS_MAX: usize = 8;

/// Imports files of rows that people keep.
pub fn table(connector: &str, table: &TableArguments) -> Result<Exit> {
    let TableArguments { ledger, files, instance, assume_zone, accept_clock, output } = table;
    let (data, anchor) = (ledger.data.clone(), ledger.anchor.clone());
    run(&ImportArguments {
        ledger: LedgerArguments { data, anchor },
        connector: connector.to_owned(),
        files: files.clone(),
        instance: instance.clone(),
        ticket_instance: "default".to_owned(),
        backfill: false,
        assume_zone: assume_zone.clone(),
        digests: Vec::new(),
        digest_keys: None,
        accept_clock: *accept_clock,
        output: OutputArguments { output: output.output },
    })
}

pub fn run(arguments: &ImportArguments) -> Result<Exit> {
    let connector = connectors::by_name(&arguments.connector).context("the connector is not known")?;
    for (option, name) in [("--instance", &arguments.instance), ("--ticket-instance", &arguments.ticket_instance)] {
        check_name(name).map_err(|error| Refused::Wrong(format!("{option}: {error}")))?;
    }
    let files = files(&arguments.files)?;
    let mut digests = vouch::digests(arguments)?;
    let ledger = open::ledger(&open::location(&arguments.ledger), arguments.accept_clock)?;
    let mut response = ImportResponse::default();
    let mut total = Summary::default();
    let mut failures = Vec::new();
    for file in &files {
        let input = Input::new(file);
        let before = ledger.reader().head().size.0;
        let imported = vouch::grade(digests.as_mut(), &input)
            .and_then(|grade| import_one(&ledger, connector.as_ref(), &input, grade, arguments));
        match imported {
            Ok(summary) => {
                total.add(&summary);
                response.inputs.push(message(&input.name(), &summary));
            }
            Err(error) => {
                let kept = ledger.reader().head().size.0.saturating_sub(before);
                let kept = (kept > 0).then(|| format!("; {} of what came before are kept", counted(kept, "record")));
                failures.push(format!("{error:#}{}", kept.unwrap_or_default()));
                // The next file can be read where this one cannot; a ledger that takes nothing takes nothing more.
                let is_of_file = matches!(error.downcast_ref(), Some(ImportError::Input { .. }));
                if !is_of_file && error.downcast_ref::<DigestError>().is_none() {
                    break;
                }
            }
        }
    }
    let head = ledger.reader().head();
    response.basis = Some(Basis {
        origin: head.origin.as_str().to_owned(),
        tree_size: head.size.0,
        root: head.root.as_bytes().to_vec(),
        ..Basis::default()
    });
    response.total = Some(message("total", &total));
    let format = arguments.output.output;
    let printed = output::print(format, &response, &response.inputs, &rows(&response), response.basis.as_ref());
    tell(&total, failures.is_empty());
    if let Some(digests) = &digests {
        vouch::tell(digests, files.len());
        failures.extend(digests.failures().iter().cloned());
    }
    failures.iter().for_each(|failure| anstream::eprintln!("counterfoil: {}", safe(failure)));
    // Nobody may have read the table; that a file failed is told all the same.
    if !failures.is_empty() {
        return Ok(Exit::Failed);
    }
    printed?;
    Ok(Exit::Done)
}

/// The files that the arguments stand for. All of them are there before the first is read.
pub fn files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for argument in arguments {
        let about = || format!("read {}", argument.display());
        if Input::new(argument) != Input::Stdin {
            argument.metadata().with_context(about)?;
        }
        let found = expand(argument.clone()).with_context(about)?;
        if argument.is_dir() {
            let count = if found.is_empty() { "no files".to_owned() } else { counted(found.len() as u64, "file") };
            anstream::eprintln!("counterfoil: {} holds {count}", safe(&argument.display().to_string()));
        }
        files.extend(found);
    }
    Ok(files)
}

/// Says what of an import deserves a look.
fn tell(total: &Summary, is_whole: bool) {
    if is_whole && *total == Summary::default() {
        anstream::eprintln!("counterfoil: nothing was imported: there is no event in what was given");
    }
    let (unmapped, conflicts) = (total.unmapped, total.conflicts);
    let mut odd = Vec::new();
    odd.extend((unmapped > 0).then(|| format!("{} of unknown type", counted(unmapped, "event"))));
    odd.extend((conflicts > 0).then(|| format!("{conflicts} that came again with other content")));
    if !odd.is_empty() {
        anstream::eprintln!("{}: see `counterfoil sources`", odd.join(", "));
    }
    if total.rejected > 0 {
        anstream::eprintln!("{} could not be read and are kept: see `counterfoil deadletter list`", total.rejected);
    }
}

fn import_one(
    ledger: &Ledger,
    connector: &dyn connectors::Connector,
    input: &Input,
    authentication: Authentication,
    arguments: &ImportArguments,
) -> Result<Summary> {
    let options =
        options(&arguments.instance, &arguments.ticket_instance, arguments.backfill, arguments.assume_zone.is_some())?;
    let options = ImportOptions { authentication, ..options };
    let bar = open::bar("Importing", "bytes");
    let summary = import(ledger, connector, input, &options, &mut |progress: Progress| {
        bar.set_length(progress.total_bytes.unwrap_or(progress.read_bytes));
        bar.set_position(progress.read_bytes);
        bar.set_message(format!("{}: {} events", safe(&input.name()), progress.acknowledged));
    });
    bar.finish_and_clear();
    Ok(summary?)
}

/// The options of one import, with fresh randomness.
pub fn options(instance: &str, ticket_instance: &str, backfill: bool, assume_utc: bool) -> Result<ImportOptions> {
    let mut seed_secret = [0; 32];
    getrandom::fill(&mut seed_secret)
        .map_err(|error| anyhow::anyhow!("the operating system gave no randomness: {error}"))?;
    Ok(ImportOptions {
        instance: instance.to_owned(),
        ticket_instance: ticket_instance.to_owned(),
        backfill,
        assume_utc,
        authentication: Authentication::OperatorFile,
        received_at: when::now(),
        seed_secret,
        threads: threads(),
    })
}

/// How many threads prepare events.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

fn message(input: &str, summary: &Summary) -> ImportSummary {
    ImportSummary {
        input: input.to_owned(),
        events: summary.events,
        facts: summary.facts,
        unmapped: summary.unmapped,
        incomplete: summary.incomplete,
        duplicates: summary.duplicates,
        conflicts: summary.conflicts,
        rejected: summary.rejected,
        resumed_documents: summary.resumed_documents,
    }
}

fn rows(response: &ImportResponse) -> Rows {
    let row = |summary: &ImportSummary| {
        let counts = [
            summary.events,
            summary.facts,
            summary.unmapped,
            summary.incomplete,
            summary.duplicates,
            summary.conflicts,
            summary.rejected,
            summary.resumed_documents,
        ];
        let mut row = vec![summary.input.clone()];
        row.extend(counts.iter().map(u64::to_string));
        row
    };
    let several = response.inputs.len() > 1;
    Rows {
        title: Vec::new(),
        columns: vec![
            "input",
            "events",
            "facts",
            "unmapped",
            "incomplete",
            "duplicates",
            "conflicts",
            "rejected",
            "resumed",
        ],
        rows: response.inputs.iter().chain(response.total.iter().filter(|_| several)).map(row).collect(),
    }
}
