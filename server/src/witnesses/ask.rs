//! One cosigner is asked: one request at a time, and at most one a second.
//!
//! Owns what is known of that cosigner: which tree it has seen, and what is wrong with it. What it sends counts only where it
//! verifies with the key that the policy names.

use std::sync::Arc;
use std::time::Duration;

use counterfoil_verify::note::{Note, Signature};
use counterfoil_verify::policy::Cosigner;
use counterfoil_verify::tree::TreeSize;
use counterfoil_verify::witness::AddCheckpoint;
use http::StatusCode;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Board, Candidate, Place, ROUND};

/// The longest that is waited after a request that failed; the first time it is [`ROUND`], and then twice as long each time.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// One cosigner.
pub(super) struct Asker {
    cosigner: Cosigner,
    place: Place,
    /// The size of the tree that it is believed to have cosigned last.
    seen: TreeSize,
    /// Of the checkpoint that it cosigned last for this process.
    done: Option<TreeSize>,
    trouble: Option<String>,
}

/// What became of a request.
enum Answer {
    /// It has cosigned.
    Cosigned(Signature),
    /// It has seen a tree of another size.
    Conflict(TreeSize),
    /// It does not cosign this, and says why.
    Refused(String),
    /// It gave no answer that can be used.
    Failed(String),
}

impl Asker {
    pub(super) fn new(cosigner: Cosigner, place: Place, seen: TreeSize) -> Self {
        Self { cosigner, place, seen, done: None, trouble: None }
    }

    /// Asks for every checkpoint that is chosen, as fast as answers come.
    pub(super) async fn run(mut self, board: Arc<Board>) {
        let mut chosen = board.candidate.subscribe();
        let mut turns = tokio::time::interval(ROUND);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pause = ROUND;
        self.tell();
        loop {
            turns.tick().await;
            let done = self.done;
            if chosen.wait_for(|candidate| done.is_none_or(|done| candidate.head.size > done)).await.is_err() {
                return;
            }
            // A wait for a new one is a wait too.
            turns.reset();
            let candidate = board.candidate.borrow().clone();
            let began = Instant::now();
            let answer = self.ask(&board, &candidate).await;
            let took = began.elapsed();
            let is_well = self.take(&board, candidate.head.size, answer, took);
            self.tell();
            if is_well {
                pause = ROUND;
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }

    async fn ask(&self, board: &Arc<Board>, candidate: &Candidate) -> Answer {
        let (log, old, new) = (board.log.clone(), self.seen, candidate.head.size);
        let path = match tokio::task::spawn_blocking(move || log.consistency_proof(old, new)).await {
            Ok(Ok(path)) => path,
            Ok(Err(error)) => return Answer::Failed(format!("no proof can be made for it: {error}")),
            Err(error) => return Answer::Failed(format!("no proof can be made for it: {error}")),
        };
        let request = AddCheckpoint { old, path, checkpoint_note: candidate.head.checkpoint.to_vec() };
        let (status, body) = match self.place.post(request.format()).await {
            Ok(answered) => answered,
            Err(why) => return Answer::Failed(why),
        };
        let text = String::from_utf8_lossy(&body);
        match status {
            StatusCode::OK => match self.own(&candidate.note, &text) {
                Some(signature) => Answer::Cosigned(signature),
                None => Answer::Failed("its answer holds no cosignature that verifies with its key".to_owned()),
            },
            StatusCode::CONFLICT => match text.strip_suffix('\n').and_then(|size| size.parse().ok()) {
                Some(size) => Answer::Conflict(size),
                None => Answer::Failed("it does not say which tree it has seen".to_owned()),
            },
            status => {
                let why: String = text.chars().filter(|character| !character.is_control()).take(200).collect();
                let why = format!("{status}: {why}");
                if status.is_client_error() { Answer::Refused(why) } else { Answer::Failed(why) }
            }
        }
    }

    /// The line of an answer that is this cosigner's signature under the checkpoint.
    fn own(&self, note: &Note, answer: &str) -> Option<Signature> {
        let key = std::slice::from_ref(&self.cosigner.key);
        let verifies = |signature: &Signature| {
            let signed = note.with_signature(signature.clone());
            signed.is_ok_and(|signed| signed.verify(key).is_ok())
        };
        answer.lines().filter_map(Signature::parse).find(verifies)
    }

    /// Takes an answer in, and says whether it is worth while to go on at once.
    fn take(&mut self, board: &Board, size: TreeSize, answer: Answer, took: Duration) -> bool {
        let witness = self.cosigner.name.clone();
        metrics::histogram!("counterfoil_witness_request_seconds", "witness" => witness.clone()).record(took);
        let (outcome, trouble) = match answer {
            Answer::Cosigned(signature) => {
                (self.seen, self.done) = (size, Some(size));
                board.attach(size, &signature);
                ("cosigned", None)
            }
            Answer::Conflict(seen) if seen > size => {
                let why =
                    format!("it has cosigned {seen} records, and this log has {size}: one of the two was rolled back");
                ("conflict", Some(why))
            }
            Answer::Conflict(seen) => {
                // Asked again from there; if that is no answer either, it is in trouble.
                let is_again = std::mem::replace(&mut self.seen, seen) == seen;
                let why = format!(
                    "it has seen a tree of {seen} records, and says so again when it is sent a proof from there"
                );
                ("conflict", is_again.then_some(why))
            }
            Answer::Refused(why) => ("refused", Some(why)),
            Answer::Failed(why) => ("failed", Some(why)),
        };
        metrics::counter!("counterfoil_witness_requests_total", "witness" => witness, "outcome" => outcome)
            .increment(1);
        let is_well = trouble.is_none();
        if trouble != self.trouble {
            match &trouble {
                Some(why) => tracing::warn!(witness = %self.cosigner.name, why, "a cosigner does not cosign"),
                None => tracing::info!(witness = %self.cosigner.name, "a cosigner answers again"),
            }
            self.trouble = trouble;
        }
        is_well
    }

    /// Says how it is doing.
    fn tell(&self) {
        let name = self.cosigner.name.clone();
        let failing = f64::from(u8::from(self.trouble.is_some()));
        metrics::gauge!("counterfoil_witness_failing", "witness" => name.clone()).set(failing);
        metrics::gauge!("counterfoil_witness_records", "witness" => name).set(self.seen.0 as f64);
    }
}
