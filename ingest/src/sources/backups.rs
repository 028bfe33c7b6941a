//! Backups on request: one at a time, and into the one folder that the operator of the server has named. No caller names a
//! path, and none is told one.
//!
//! Owns the turn, and the answer to whoever asked. How a backup is made, the ledger knows.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil_ledger::{Backup, BackupMade, BackupOrder, LedgerError};
use counterfoil_proto::v1::{self, CreateBackupRequest, CreateBackupResponse, ListBackupsRequest, ListBackupsResponse};
use pbjson_types::Timestamp;
use tokio::sync::Semaphore;
use tonic::{Code, Status};

use super::receipt::{self, problem};
use crate::intake::{Intake, work};

/// The way to backups.
#[derive(Clone)]
pub struct Backups {
    intake: Arc<Intake>,
    folder: Option<PathBuf>,
    turn: Arc<Semaphore>,
}

impl Backups {
    /// Backs up an intake's ledger into a folder, if there is one for it.
    pub fn new(intake: Arc<Intake>, folder: Option<PathBuf>) -> Self {
        Self { intake, folder, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Makes a backup. What was begun is ended, whether somebody waits for the answer or not.
    ///
    /// # Errors
    /// If there is no folder for it, one is being made already, or it cannot be made.
    pub(crate) async fn create(&self, request: CreateBackupRequest) -> Result<CreateBackupResponse, Status> {
        let CreateBackupRequest { keep, forget_redacted } = request;
        let to = self.folder()?;
        let order =
            BackupOrder { to: to.clone(), at: self.intake.now().seconds, keep: NonZeroU32::new(keep), forget_redacted };
        let BackupMade { backup, copied_files, copied_bytes, mended_files, removed, problems } =
            self.alone(move |intake| intake.ledger().backup(&order)).await?;
        Ok(CreateBackupResponse {
            basis: Some(receipt::basis(&self.intake.ledger().reader().head())),
            backup: Some(message(&backup, false)),
            copied_files,
            copied_bytes,
            mended_files,
            removed,
            problems: told(&to, problems),
        })
    }

    /// The backups that are there.
    ///
    /// # Errors
    /// If there is no folder for them, one is being made, or they are another log's.
    pub(crate) async fn list(&self, request: ListBackupsRequest) -> Result<ListBackupsResponse, Status> {
        let from = self.folder()?;
        let folder = from.clone();
        let list = self.alone(move |intake| intake.ledger().backups(&folder, request.check)).await?;
        Ok(ListBackupsResponse {
            basis: Some(receipt::basis(&self.intake.ledger().reader().head())),
            backups: list.backups.iter().map(|(backup, holds_redacted)| message(backup, *holds_redacted)).collect(),
            problems: told(&from, list.problems),
        })
    }

    fn folder(&self) -> Result<PathBuf, Status> {
        self.folder.clone().ok_or_else(|| {
            let why = "this server was given no folder for backups: start it with --backups FOLDER";
            problem(Code::FailedPrecondition, "NO_BACKUPS", why.to_owned())
        })
    }

    async fn alone<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Intake) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Status> {
        let busy = |_| {
            let why = "a backup is being made or read already: ask again once that is done";
            problem(Code::FailedPrecondition, "BACKING_UP", why.to_owned())
        };
        let turn = self.turn.clone().try_acquire_owned().map_err(busy)?;
        let intake = self.intake.clone();
        let done = work(false, move || {
            let done = act(&intake);
            drop(turn);
            done
        });
        let done = done.await.map_err(|error| problem(Code::Unavailable, "STOPPED", error.to_string()))?;
        done.map_err(|error| receipt::of_ledger(&error))
    }
}

/// What is wrong, without where the folder is.
fn told(folder: &Path, problems: Vec<String>) -> Vec<String> {
    let place = format!("{}/", folder.display());
    problems.into_iter().map(|problem| problem.replace(&place, "")).collect()
}

fn message(backup: &Backup, holds_redacted: bool) -> v1::Backup {
    v1::Backup {
        id: backup.id,
        created_at: Some(Timestamp { seconds: backup.at, nanos: 0 }),
        tree_size: backup.checkpoint.size.0,
        root: backup.checkpoint.root.as_bytes().to_vec(),
        checkpoint: backup.note.clone(),
        files: backup.files,
        bytes: backup.bytes,
        holds_redacted,
    }
}
