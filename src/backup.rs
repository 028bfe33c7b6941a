//! `counterfoil backup`.

use anyhow::Result;
use counterfoil_proto::v1::{
    Backup, CreateBackupRequest, CreateBackupResponse, ListBackupsRequest, ListBackupsResponse,
};

use crate::cli::BackupArguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::{self, Rows, safe};
use crate::when;
use crate::words::counted;

pub fn run(arguments: &BackupArguments) -> Result<Exit> {
    let client = Client::backing_up(&arguments.ask, arguments.to.clone())?;
    let format = arguments.output.output;
    let problems = if arguments.list {
        let request = ListBackupsRequest { check: arguments.check };
        let response = client.ingest(|mut ingest| async move { ingest.list_backups(request).await })?;
        output::print(format, &response, &response.backups, &list(&response), response.basis.as_ref())?;
        response.problems
    } else {
        let keep = arguments.keep.map_or(0, Into::into);
        let request = CreateBackupRequest { keep, forget_redacted: arguments.forget_redacted };
        let response = client.ingest(|mut ingest| async move { ingest.create_backup(request).await })?;
        output::print(format, &response, &[&response], &made(&response), response.basis.as_ref())?;
        response.problems
    };
    for problem in &problems {
        anstream::eprintln!("counterfoil: {}", safe(problem));
    }
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed })
}

fn made(response: &CreateBackupResponse) -> Rows {
    let copied = format!("{}, {} bytes, were copied", counted(response.copied_files, "file"), response.copied_bytes);
    let mut title = vec![copied];
    if response.mended_files > 0 {
        title.push(format!("{} of them had been damaged.", counted(response.mended_files, "file")));
    }
    if !response.removed.is_empty() {
        let removed: Vec<String> = response.removed.iter().map(u64::to_string).collect();
        title.push(format!("Backups removed: {}", removed.join(" ")));
    }
    Rows { title, ..table(response.backup.iter()) }
}

fn list(response: &ListBackupsResponse) -> Rows {
    table(response.backups.iter())
}

fn table<'b>(backups: impl Iterator<Item = &'b Backup>) -> Rows {
    let row = |backup: &Backup| {
        let at = backup.created_at.as_ref().map(|at| when::show(at.seconds, at.nanos));
        vec![
            backup.id.to_string(),
            at.unwrap_or_default(),
            backup.tree_size.to_string(),
            backup.files.to_string(),
            backup.bytes.to_string(),
            if backup.holds_redacted { "yes" } else { "" }.to_owned(),
        ]
    };
    let columns = vec!["backup", "made", "records", "files", "bytes", "holds what was redacted since"];
    Rows { title: Vec::new(), columns, rows: backups.map(row).collect() }
}
