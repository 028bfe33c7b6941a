//! `counterfoil restore`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use counterfoil_ledger::{Anchored, KnownRedactions, RestoreOrder, Restored, restore};
use counterfoil_proto::v1::{Basis, RestoreReport};

use crate::cli::RestoreArguments;
use crate::exit::Exit;
use crate::open;
use crate::output::{self, Rows, safe};
use crate::words::counted;

/// A lease is renewed every second: whoever misses as many renewals is gone.
pub const PATIENCE: Duration = Duration::from_secs(3);

pub fn run(arguments: &RestoreArguments) -> Result<Exit> {
    let location = open::location(&arguments.ledger);
    let order = RestoreOrder {
        from: arguments.from.clone(),
        backup: arguments.backup,
        keys: arguments.keys.clone(),
        redactions: redactions(arguments.redactions.as_ref(), arguments.redactions_lost),
        patience: PATIENCE,
        holder: open::holder(),
    };
    let bar = open::bar("Checking", "records");
    let restored = restore(&order, &location, &mut fill, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let restored = restored?;
    let report = message(&restored);
    let rows = Rows { title: told(&restored, &location.data.display().to_string()), ..Rows::default() };
    output::print(arguments.output.output, &report, &[&report], &rows, report.basis.as_ref())?;
    if arguments.redactions_lost {
        anstream::eprintln!(
            "counterfoil: what was redacted since this backup is there again: redact it before it serves"
        );
    }
    Ok(Exit::Done)
}

/// Where it is told what was redacted, as the command line says it.
pub fn redactions(file: Option<&PathBuf>, are_lost: bool) -> KnownRedactions {
    match file {
        Some(file) => KnownRedactions::In(file.clone()),
        None if are_lost => KnownRedactions::Lost,
        None => KnownRedactions::BesideTheAnchor,
    }
}

/// Fills bytes with randomness that was never used before.
pub fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(32) {
        chunk.iter_mut().zip(open::entropy()).for_each(|(byte, drawn)| *byte = drawn);
    }
}

fn message(restored: &Restored) -> RestoreReport {
    let checkpoint = &restored.backup.checkpoint;
    RestoreReport {
        basis: Some(Basis {
            origin: checkpoint.origin.as_str().to_owned(),
            tree_size: checkpoint.size.0,
            root: checkpoint.root.as_bytes().to_vec(),
            ..Basis::default()
        }),
        backup: restored.backup.id,
        opens: matches!(restored.anchored, Anchored::Fits(_)),
        anchored: match restored.anchored {
            Anchored::Fits(size) | Anchored::Ahead(size) => size.0,
            Anchored::Missing => 0,
        },
        redactions: restored.redactions,
        removed_parts: restored.removed_parts,
    }
}

fn told(restored: &Restored, data: &str) -> Vec<String> {
    let size = restored.backup.checkpoint.size;
    let records = counted(size.0, "record");
    let mut title = vec![format!("Backup {} is restored to {}: {records}.", restored.backup.id, safe(data))];
    if restored.redactions > 0 {
        title.push(format!(
            "Redacted again, by {} made since: {}.",
            counted(restored.redactions, "redaction"),
            counted(restored.removed_parts, "part")
        ));
    }
    title.push(match restored.anchored {
        Anchored::Fits(anchored) if anchored < size => format!(
            "The anchor covers {anchored} of them, so that it is older than the backup: where it is not the newest one, \
             bring that back before the ledger is opened."
        ),
        Anchored::Fits(_) => "The anchor covers as many: nothing is lost, and the ledger opens.".to_owned(),
        Anchored::Ahead(anchored) => format!(
            "The anchor covers {anchored}: {} lost, and the ledger does not open. Restore a newer backup, or bring back a \
             newer copy of the data folder. If there is none, `counterfoil incarnation` goes on from here under a new \
             name, and says what was lost.",
            match anchored.0 - size.0 {
                1 => "1 record is".to_owned(),
                lost => format!("{lost} records are"),
            }
        ),
        Anchored::Missing => "There is no anchor, so that nobody can tell whether anything is lost, and the ledger does \
             not open. Bring back the newest anchor. If there is none, `counterfoil incarnation` goes on from here under a \
             new name."
            .to_owned(),
    });
    title
}
