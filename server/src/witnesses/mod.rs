//! Witnesses and replayers of a log are asked to cosign its checkpoints (C2SP tlog-witness).
//!
//! Owns which checkpoint they are asked for, and when it is served to readers of tiles and proofs. At most one a second is
//! chosen, so that all of them sign the same one while the log grows; it is served once the policy's quorum has cosigned
//! it, and after a second in any case: a witness that is gone makes cosignatures late, and receipts never. What comes later
//! is put under what is served.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use counterfoil_ledger::{Head, Reader};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::note::{Note, NoteError, Signature, VerifierKey};
use counterfoil_verify::policy::{Cosigner, Policy};
use counterfoil_verify::tree::TreeSize;
use counterfoil_verify::witness::ADD_CHECKPOINT;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::ServerError;

mod ask;
mod kept;
mod post;

use ask::Asker;
use post::Place;

/// How long a checkpoint waits for its cosignatures, and how often a new one is chosen at most.
const ROUND: Duration = Duration::from_secs(1);

/// Who is asked to cosign.
pub struct Witnesses {
    /// Whom to ask: those of its cosigners that have a URL.
    pub policy: Policy,
    /// The file that keeps what was cosigned last.
    pub kept: PathBuf,
}

/// The checkpoint that cosigners are asked for, and the signatures that it has.
#[derive(Clone)]
struct Candidate {
    head: Head,
    note: Note,
}

/// What all who ask have in common.
struct Board {
    log: Reader,
    policy: Policy,
    kept: PathBuf,
    candidate: watch::Sender<Candidate>,
    /// Something was put under a checkpoint, and is not kept yet.
    changed: Notify,
}

/// Those who ask.
pub(crate) struct Asking {
    board: Arc<Board>,
    askers: Vec<Asker>,
}

impl Asking {
    /// Of a log, which the policy has to name.
    ///
    /// # Errors
    /// [`ServerError::Witnesses`] if it does not, or names nobody who can be asked.
    pub(crate) fn new(Witnesses { policy, kept }: Witnesses, log: Reader) -> Result<Self, ServerError> {
        let head = log.head();
        let wrong = |why: String| ServerError::Witnesses(why);
        let is_own = |key: &&VerifierKey| Checkpoint::open(&head.checkpoint, &head.origin, key).is_ok();
        let log_key = policy.logs().iter().map(|log| &log.key).find(is_own).cloned();
        let log_key = log_key.ok_or_else(|| wrong(format!("it does not name the key of this log, {}", head.origin)))?;

        let cosigners: Vec<&Cosigner> =
            policy.witnesses().members().iter().chain(policy.replayers().members()).collect();
        let own = [&log_key].into_iter().chain(cosigners.iter().map(|cosigner| &cosigner.key));
        let keys: Vec<VerifierKey> = own.cloned().collect();
        let found = kept::read(&kept, &log, &log_key, &keys);
        let mut askers = Vec::new();
        for cosigner in cosigners {
            let Some(url) = &cosigner.url else { continue };
            let place = Place::new(url, ADD_CHECKPOINT).map_err(|why| wrong(format!("{}: {why}", cosigner.name)))?;
            // What it cosigned last, as far as is known here: it says so itself where it was something else.
            let seen = found.as_ref().filter(|(_, note)| has_signed(note, &cosigner.key)).map(|(head, _)| head.size);
            askers.push(Asker::new(cosigner.clone(), place, seen.unwrap_or_default()));
        }
        if askers.is_empty() {
            return Err(wrong("none of its witnesses and replayers has a URL, so that nobody can be asked".to_owned()));
        }
        if let Some((served, _)) = found {
            log.serve(served);
        }
        // With the signatures that it has, if it is the one that was kept.
        let candidate = Candidate::newest(&log).map_err(|error| wrong(error.to_string()))?;
        let candidate = watch::Sender::new(candidate);
        Ok(Self { board: Arc::new(Board { log, policy, kept, candidate, changed: Notify::new() }), askers })
    }

    /// Asks, until it is dropped or the log's owner is gone.
    pub(crate) async fn run(self) {
        let mut tasks = JoinSet::new();
        for asker in self.askers {
            tasks.spawn(asker.run(self.board.clone()));
        }
        self.board.run().await;
    }
}

impl Candidate {
    fn newest(log: &Reader) -> Result<Self, NoteError> {
        let head = log.head();
        Ok(Self { note: Note::parse(&head.checkpoint)?, head })
    }
}

impl Board {
    /// Chooses the checkpoints, and serves them.
    async fn run(&self) {
        let mut growth = self.log.growth();
        loop {
            tokio::time::sleep(ROUND).await;
            self.serve();
            self.keep().await;
            let chosen = self.candidate.borrow().head.size;
            tokio::select! {
                biased;
                grown = growth.wait_for(|size| *size > chosen) => match grown {
                    Ok(_) => {}
                    Err(_) => return,
                },
                () = self.changed.notified() => continue,
            }
            self.choose();
        }
    }

    /// Chooses the newest head, which is a note that the ledger has made.
    fn choose(&self) {
        if let Ok(candidate) = Candidate::newest(&self.log) {
            let is_enough = self.is_enough(&candidate.note);
            self.candidate.send_replace(candidate);
            if is_enough {
                self.serve();
            }
        }
    }

    /// Serves what was chosen, with the signatures that it has.
    fn serve(&self) {
        self.show(&self.candidate.borrow());
    }

    fn show(&self, Candidate { head, note }: &Candidate) {
        self.log.serve(Head { checkpoint: Arc::from(note.format()), ..head.clone() });
        if self.is_enough(note) {
            metrics::gauge!("counterfoil_witnessed_records").set(head.size.0 as f64);
        }
    }

    /// Puts a signature, which was verified, under the checkpoint of this size, if anybody is given that still.
    fn attach(&self, size: TreeSize, signature: &Signature) {
        // Whoever comes at the same time waits: what one put there is not lost by the other.
        self.candidate.send_if_modified(|candidate| {
            let served = self.log.served();
            if candidate.head.size == size {
                if let Ok(note) = candidate.note.with_signature(signature.clone()) {
                    candidate.note = note;
                }
                if served.size == size || self.is_enough(&candidate.note) {
                    self.show(candidate);
                }
            } else if served.size == size
                && let Ok(note) =
                    Note::parse(&served.checkpoint).and_then(|note| note.with_signature(signature.clone()))
            {
                self.show(&Candidate { head: served, note });
            }
            // Nobody asks again for that.
            false
        });
        self.changed.notify_one();
    }

    /// Whether the quorums of the policy have signed.
    fn is_enough(&self, note: &Note) -> bool {
        [self.policy.witnesses(), self.policy.replayers()].iter().all(|set| set.agree(|key| has_signed(note, key)))
    }

    /// Keeps what is served for the next start.
    async fn keep(&self) {
        let (path, note) = (self.kept.clone(), self.log.served().checkpoint);
        let written = tokio::task::spawn_blocking(move || kept::write(&path, &note)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, file = %self.kept.display(), "the cosigned checkpoint cannot be kept for the next start");
        }
    }
}

fn has_signed(note: &Note, key: &VerifierKey) -> bool {
    note.verify(std::slice::from_ref(key)).is_ok()
}
