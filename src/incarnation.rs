//! `counterfoil incarnation`.

use anyhow::Result;
use counterfoil_ingest::incarnation::Declaration;
use counterfoil_ledger::{Incarnated, IncarnationOrder, Location, SystemClock, incarnate};
use counterfoil_proto::v1::{Basis, IncarnationReport};

use crate::cli::IncarnationArguments;
use crate::exit::{Exit, Refused};
use crate::open;
use crate::output::{self, Rows, safe};
use crate::restore::{PATIENCE, fill, redactions};
use crate::words::counted;

pub fn run(arguments: &IncarnationArguments) -> Result<Exit> {
    let declaration = Declaration {
        origin: arguments.origin.clone(),
        reason: arguments.reason.clone(),
        by: arguments.by.clone(),
        why: arguments.why.clone(),
    };
    declaration.check().map_err(|error| Refused::Wrong(error.to_string()))?;
    let order = IncarnationOrder {
        from: Location::new(&arguments.from, arguments.from_anchor.as_deref()),
        keys: arguments.from_keys.clone(),
        redactions: redactions(arguments.redactions.as_ref(), arguments.redactions_lost),
        origin: arguments.origin.clone(),
        patience: PATIENCE,
        holder: open::holder(),
    };
    let to = open::location(&arguments.ledger);
    let bar = open::bar("Checking", "records");
    let incarnated = incarnate(
        &order,
        &to,
        &mut |keys, loss| declaration.records(keys, loss, &open::entropy).map_err(|error| error.to_string()),
        (&SystemClock::new(), &mut fill),
        &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        },
    );
    bar.finish_and_clear();
    let report = message(&incarnated?);
    let rows = Rows { title: told(&report, &to), ..Rows::default() };
    output::print(arguments.output.output, &report, &[&report], &rows, report.basis.as_ref())?;
    Ok(Exit::Done)
}

fn message(Incarnated { checkpoint, loss }: &Incarnated) -> IncarnationReport {
    IncarnationReport {
        basis: Some(Basis {
            origin: checkpoint.origin.as_str().to_owned(),
            tree_size: checkpoint.size.0,
            root: checkpoint.root.as_bytes().to_vec(),
            ..Basis::default()
        }),
        predecessor: loss.left.origin.as_str().to_owned(),
        left: loss.left.size.0,
        known: loss.known.size.0,
        redactions: loss.redactions.len() as u64,
    }
}

fn told(report: &IncarnationReport, to: &Location) -> Vec<String> {
    let origin = report.basis.as_ref().map(|basis| basis.origin.as_str()).unwrap_or_default();
    let show = |path: &std::path::Path| safe(&path.display().to_string());
    let left = counted(report.left, "record");
    let lost = counted(report.known - report.left, "record");
    vec![
        format!("{origin} goes on from {left} of {}; {lost} of it are known to be lost.", report.predecessor),
        format!("Record {} says why, and on whose word.", report.left),
        format!("Ledger {}, anchor {}: keep it on another volume.", show(&to.data), show(&to.anchor)),
        format!("Policy {}: hand it to everybody who has that of {}.", show(&to.policy()), report.predecessor),
    ]
}
