//! `counterfoil fsck`.

use anyhow::Result;
use counterfoil_ledger::{LedgerError, Report, fsck};
use counterfoil_proto::v1::FsckReport;

use crate::cli::{Exit, FsckArguments};
use crate::open;
use crate::output::{self, Rows};

pub fn run(arguments: &FsckArguments) -> Result<Exit> {
    let location = open::location(&arguments.ledger);
    let bar = open::bar("Checking", "records");
    let checked = fsck(&location, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = match checked {
        Ok(report) => message(&report),
        Err(error @ LedgerError::Falsified { .. }) => {
            FsckReport { problem: error.to_string(), ..FsckReport::default() }
        }
        Err(error) => {
            anstream::eprintln!(
                "counterfoil: unreadable: {}",
                output::safe(&format!("{:#}", anyhow::Error::from(error)))
            );
            return Ok(Exit::Unreadable);
        }
    };
    output::print(arguments.output.output, &report, &[&report], &rows(&report), None)?;
    Ok(if report.sound { Exit::Done } else { Exit::Failed })
}

fn message(report: &Report) -> FsckReport {
    let problem = report.problem.as_ref();
    FsckReport {
        records: report.records,
        bytes: report.bytes,
        root: report.root.as_bytes().to_vec(),
        sound: problem.is_none(),
        problem: problem.map(|problem| problem.what.clone()).unwrap_or_default(),
        problem_record: problem.and_then(|problem| problem.record).map(|index| index.to_string()).unwrap_or_default(),
    }
}

fn rows(report: &FsckReport) -> Rows {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let title = if report.sound {
        let root = BASE64_STANDARD.encode(&report.root);
        format!("Sound: {} records, {} bytes, root {root}", report.records, report.bytes)
    } else if report.problem_record.is_empty() {
        format!("Falsified: {}", report.problem)
    } else {
        format!("Falsified from record {} on: {}", report.problem_record, report.problem)
    };
    Rows { title: vec![title], ..Rows::default() }
}
