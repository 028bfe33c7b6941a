//! `counterfoil fsck`.

use anyhow::Result;
use counterfoil_ledger::{Location, Report, fsck};
use counterfoil_proto::v1::{Basis, FsckReport};

use crate::cli::FsckArguments;
use crate::exit::Exit;
use crate::open;
use crate::output::{self, Rows};
use crate::words::counted;

pub fn run(arguments: &FsckArguments) -> Result<Exit> {
    let location = open::location(&arguments.ledger);
    let bar = open::bar("Checking", "records");
    let holder = open::holder();
    let checked = open::in_turn(&location, || {
        fsck(&location, &holder, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
    });
    bar.finish_and_clear();
    let report = match checked {
        Ok(report) => message(&report),
        Err(error) => {
            anstream::eprintln!("counterfoil: unreadable: {}", output::safe(&format!("{error:#}")));
            return Ok(Exit::Unreadable);
        }
    };
    output::print(arguments.output.output, &report, &[&report], &rows(&report, &location), report.basis.as_ref())?;
    Ok(if report.sound { Exit::Done } else { Exit::Failed })
}

fn message(report: &Report) -> FsckReport {
    let problem = report.problem.as_ref();
    let root = report.root.as_bytes().to_vec();
    let basis = report.origin.as_ref().filter(|_| problem.is_none()).map(|origin| Basis {
        origin: origin.as_str().to_owned(),
        tree_size: report.records,
        root: root.clone(),
        ..Basis::default()
    });
    FsckReport {
        records: report.records,
        bytes: report.bytes,
        root,
        sound: problem.is_none(),
        problem: problem.map(|problem| problem.what.clone()).unwrap_or_default(),
        problem_record: problem.and_then(|problem| problem.record).map(|index| index.to_string()).unwrap_or_default(),
        basis,
        beyond_anchor: report.beyond_anchor,
        redacted: report.redacted,
    }
}

fn rows(report: &FsckReport, location: &Location) -> Rows {
    let mut title = vec![if report.sound {
        format!("Sound: {}, {} bytes", counted(report.records, "record"), report.bytes)
    } else if report.problem_record.is_empty() {
        format!("Falsified: {}", report.problem)
    } else {
        format!("Falsified from record {} on: {}", report.problem_record, report.problem)
    }];
    if report.beyond_anchor > 0 {
        title.push(format!(
            "{} beyond the anchor's size: a run was cut off, and the next one signs what it left. No more than one commit \
             can be left so: if there are many, ask who brought back an older anchor.",
            counted(report.beyond_anchor, "record")
        ));
    }
    if report.redacted > 0 {
        title.push(format!("{} beside records removed by redactions.", counted(report.redacted, "part")));
    }
    if report.sound {
        let views = location.views();
        title.push(format!(
            "Views are not checked: where {} is deleted, they are built again from these records.",
            views.display()
        ));
    }
    Rows { title, ..Rows::default() }
}
