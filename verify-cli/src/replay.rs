//! A whole log, replayed: what an export proves, sentence by sentence, and on whose word.
//!
//! Owns the way through the folder, on every core, and the sentences. They say no more than what was checked.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::anyhow;
use counterfoil_verify::export::{Bundle, Replay, Replayed};
use counterfoil_verify::policy::Policy;
use serde::Serialize;

use crate::folder::{Failure, Folder};
use crate::remember::Remembered;
use crate::report::{Claim, Source, existed, said, shown_at, source, unchanged};

/// What an export proves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Always "proved": whatever is not is rejected before.
    pub verdict: &'static str,
    pub basis: Basis,
    pub claims: Vec<Claim>,
    pub sources: Vec<Source>,
}

/// The log, and how much of it was checked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    pub origin: String,
    pub tree_size: u64,
    pub root: String,
    pub sealed: u64,
    pub seals: u64,
    pub entities: u64,
    pub bytes: u64,
    pub tiles: u64,
    pub tiles_absent: u64,
    pub seen: u64,
    pub last_recorded_at: String,
}

/// Replays the log of a folder. What was seen of the log before is compared, and the checkpoint remembered.
pub fn run(path: &Path, policy: &Policy, remembered: Option<&mut Remembered>) -> Result<Report, Failure> {
    let folder = Folder::open(path).map_err(Failure::Unreadable)?;
    let note = folder.checkpoint().map_err(Failure::Unreadable)?;
    let mut replay = Replay::of(&note, policy)?;
    if let Some(remembered) = remembered {
        let checkpoint = &replay.attested().checkpoint;
        let seen = remembered.roots_of(&checkpoint.origin).map_err(Failure::Unreadable)?;
        remembered.compare(checkpoint)?;
        replay.compare_with(seen);
    }
    take_all(&mut replay, &folder)?;
    replay.end(&folder).map(|replayed| Report::of(&replayed))
}

/// Takes every bundle. Each thread reads every so many-th and checks its records by themselves; they are taken in turn.
fn take_all(replay: &mut Replay<'_>, folder: &Folder) -> Result<(), Failure> {
    let mut progress = Progress::of(replay.attested().checkpoint.size.0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = replay.bundles().take(cores).count();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|first| {
                let (send, read) = sync_channel(1);
                let own = replay.bundles().skip(first).step_by(threads);
                scope.spawn(move || {
                    for tile in own {
                        // Nobody listens any more once something is wrong.
                        if send.send(Bundle::read(folder, tile)).is_err() {
                            break;
                        }
                    }
                });
                read
            })
            .collect();
        for (_, reader) in replay.bundles().zip(readers.iter().cycle()) {
            let ended = || Failure::Unreadable(anyhow!("a thread that reads the export ended before its time"));
            replay.take(folder, &reader.recv().map_err(|_| ended())??)?;
            progress.tell(replay.taken().0);
        }
        Ok(())
    })
}

impl Report {
    fn of(replayed: &Replayed<'_>) -> Self {
        let (checkpoint, shown) = (&replayed.attested.checkpoint, &replayed.shown);
        Self {
            verdict: "proved",
            basis: Basis {
                origin: checkpoint.origin.to_string(),
                tree_size: checkpoint.size.0,
                root: checkpoint.root.to_base64(),
                sealed: replayed.sealed.0,
                seals: shown.seals,
                entities: replayed.entities,
                bytes: shown.bytes,
                tiles: shown.tiles,
                tiles_absent: shown.tiles_absent,
                seen: shown.seen,
                last_recorded_at: replayed.last_at.map_or_else(String::new, |at| shown_at(at.0)),
            },
            claims: claims(replayed),
            sources: replayed.sources.iter().map(source).collect(),
        }
    }

    /// What was asked.
    pub fn question(&self) -> String {
        let Basis { origin, bytes, .. } = &self.basis;
        format!("Is this the whole log {origin}, and is every seal in it right? ({bytes} bytes of records)")
    }
}

fn claims(replayed: &Replayed<'_>) -> Vec<Claim> {
    let (attested, shown) = (&replayed.attested, &replayed.shown);
    let checkpoint = &attested.checkpoint;
    let size = checkpoint.size.0;
    let here = || "recomputed here".to_owned();
    let operator = format!("the key of {}", checkpoint.origin);
    let mut claims = vec![
        unchanged(
            attested,
            format!("These are all {size} records of the log, in this order, unchanged since its checkpoint."),
        ),
        existed(attested),
        Claim::new(
            "Each record is written as records are, names the one before it, and was not recorded earlier.",
            here(),
        ),
    ];
    claims.extend(replayed.predecessors.iter().map(|predecessor| {
        let (former, left) = (&predecessor.origin, predecessor.size);
        let lost = predecessor.known_size - left;
        let claim = format!(
            "The first {left} records are those of the log {former}, which this one goes on from; {lost} more of it are known \
             to be lost."
        );
        Claim::on_word(claim, format!("{operator}, for the root that {former} had; that root was recomputed here"))
    }));
    claims.push(match shown.seals {
        0 => Claim::on_word("There is no seal: nobody has yet stated what the records come to.", operator.clone()),
        seals => Claim::new(
            format!(
                "{}: the history of each of {} entities is whole and the counts of every source are those of its records, up \
                 to record {}. No replayer's word is needed.",
                if seals == 1 { "The seal is right".to_owned() } else { format!("All {seals} seals are right") },
                replayed.entities,
                replayed.sealed
            ),
            here(),
        ),
    });
    // The last record is a seal, which covers all before it; others are not covered yet.
    if let later @ 1.. = size - replayed.sealed.0 - u64::from(shown.seals > 0) {
        let what =
            format!("{later} records came after the last seal. They are in the tree, and no seal covers them yet.");
        claims.push(Claim::new(what, here()));
    }
    if shown.tiles > 0 {
        claims.push(Claim::new(format!("{} tiles of hashes are those of the records.", shown.tiles), here()));
    }
    if shown.tiles_absent > 0 {
        let what = format!("{} tiles of hashes are not there. Nothing rests on them.", shown.tiles_absent);
        claims.push(Claim::new(what, here()));
    }
    if shown.seen > 0 {
        let what = format!("The log goes on from {} checkpoints of it that were seen before.", shown.seen);
        claims.push(Claim::new(what, here()));
    }
    claims.extend(said(shown.authentications.clone()));
    let words = [
        "How often each source delivered what was known already is what seals say; it never shrinks.",
        "No event is recorded twice.",
        "Tokens, payloads and names are those of what lies beside the records, which is not in an export: evidence files \
         open them, and replayers compare them.",
    ];
    claims.extend(words.map(|what| Claim::on_word(what, operator.clone())));
    let others = "Superseded tiles, and other files in the folder, were not read. Nothing rests on them.";
    claims.push(Claim::new(others, here()));
    claims
}

/// How far a replay is, on a terminal.
struct Progress {
    of: u64,
    percent: Option<u64>,
}

impl Progress {
    fn of(of: u64) -> Self {
        Self { of, percent: std::io::stderr().is_terminal().then_some(0) }
    }

    fn tell(&mut self, done: u64) {
        let percent = done * 100 / self.of.max(1);
        if self.percent.is_some_and(|told| told < percent) {
            self.percent = Some(percent);
            // Whoever closed it wants to be told nothing.
            let _ = write!(std::io::stderr(), "\rReplaying {done} of {} records, {percent} %", self.of);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.percent.is_some_and(|percent| percent > 0) {
            let _ = writeln!(std::io::stderr());
        }
    }
}
