//! A cosigner signs one history of each log, whatever it is asked for, and after every start.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::naive_root;
use counterfoil_ledger::{Cosigner, CosignerError};
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::hash::{Hash, LeafHash, leaf_hash};
use counterfoil_verify::note::{CosignedAt, KeyName, Note, SigningKey};
use counterfoil_verify::tree::{NodeSource, TreeSize, consistency_proof};
use counterfoil_verify::witness::{AddCheckpoint, Refusal, log_id};
use proptest::prelude::*;
use tempfile::TempDir;

const NAME: &str = "witness.example/w";

/// A log of leaves that a test knows.
struct Log {
    origin: Origin,
    leaves: Vec<LeafHash>,
}

struct Nodes<'a>(&'a [LeafHash]);

impl NodeSource for Nodes<'_> {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let start = usize::try_from(index << level).unwrap();
        Ok(naive_root(&self.0[start..start + (1 << level)]))
    }
}

impl Log {
    fn new(name: &str, word: &str) -> Self {
        let leaves = (0..40).map(|index| leaf_hash(format!("{word} {index}").as_bytes())).collect();
        Self { origin: Origin::new(name).unwrap(), leaves }
    }

    /// The same up to a place, and then another history.
    fn fork(&self, from: usize) -> Self {
        let other = Self::new(self.origin.as_str(), "another");
        let leaves = self.leaves[..from].iter().chain(&other.leaves[from..]).copied().collect();
        Self { origin: self.origin.clone(), leaves }
    }

    fn ask(&self, old: usize, new: usize) -> (AddCheckpoint, Checkpoint, Note) {
        let root = naive_root(&self.leaves[..new]);
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: TreeSize(new as u64), root };
        let note = checkpoint.sign(&SigningKey::from_seed(self.origin.key_name(), &[3; 32])).unwrap();
        let sizes = (TreeSize(old.min(new) as u64), TreeSize(new as u64));
        let path = consistency_proof(&Nodes(&self.leaves), sizes.0, sizes.1).unwrap();
        let request = AddCheckpoint { old: TreeSize(old as u64), path, checkpoint_note: note.format() };
        (request, checkpoint, note)
    }
}

fn open(folder: &Path) -> Result<Cosigner, CosignerError> {
    Cosigner::open(folder, Some(KeyName::new(NAME).unwrap()), "a test", &|| [9; 32])
}

fn cosign(cosigner: &Cosigner, log: &Log, old: usize, new: usize, at: u64) -> Result<String, CosignerError> {
    let (request, checkpoint, note) = log.ask(old, new);
    cosigner.cosign(&request, &checkpoint, &note, CosignedAt(at)).map(|signature| signature.to_string())
}

#[track_caller]
fn conflict(cosigned: Result<String, CosignerError>, size: u64) {
    let refused = cosigned.unwrap_err();
    let is_so = matches!(&refused, CosignerError::Refused(Refusal::Conflict { size: seen }) if seen.0 == size);
    assert!(is_so, "{refused}");
}

#[track_caller]
fn inconsistent(cosigned: Result<String, CosignerError>) {
    let refused = cosigned.unwrap_err();
    assert!(matches!(refused, CosignerError::Refused(Refusal::Inconsistent(_))), "{refused}");
}

#[test]
fn what_was_cosigned_counts_after_every_start() {
    let folder = TempDir::new().unwrap();
    let (log, other) = (Log::new("log.example/a", "one"), Log::new("log.example/b", "two"));
    let cosigner = open(folder.path()).unwrap();
    cosign(&cosigner, &log, 0, 3, 100).unwrap();
    cosign(&cosigner, &log, 3, 7, 101).unwrap();
    cosign(&cosigner, &other, 0, 5, 102).unwrap();
    let key = cosigner.verifier_key();
    for _ in 0..2 {
        assert!(matches!(open(folder.path()), Err(CosignerError::Folder(_))), "two processes would sign two histories");
    }
    drop(cosigner);

    let cosigner = open(folder.path()).unwrap();
    assert_eq!(cosigner.verifier_key(), key);
    assert_eq!(
        cosigner.seen(&log.origin).map(|seen| (seen.size, seen.root)),
        Some((TreeSize(7), naive_root(&log.leaves[..7])))
    );
    conflict(cosign(&cosigner, &log, 0, 3, 103), 7);
    conflict(cosign(&cosigner, &log, 3, 9, 103), 7);
    inconsistent(cosign(&cosigner, &log.fork(5), 7, 7, 103));
    inconsistent(cosign(&cosigner, &log.fork(5), 7, 20, 103));
    // A fork behind what was seen goes on from it, and is the log's from then on.
    cosign(&cosigner, &log.fork(7), 7, 9, 104).unwrap();
    inconsistent(cosign(&cosigner, &log, 9, 12, 105));
    // The same again is signed again, with the time of then.
    let again = cosign(&cosigner, &log.fork(7), 9, 9, 106).unwrap();
    let kept = cosigner.newest(&log_id(&log.origin)).unwrap();
    assert!(String::from_utf8(kept.to_vec()).unwrap().ends_with(&format!("{again}\n")));
    let note = Note::parse(&kept).unwrap();
    assert_eq!(note.verify(&[key]).unwrap()[0].cosigned_at, Some(CosignedAt(106)));
    assert!(cosigner.newest(&log_id(&Origin::new("log.example/c").unwrap())).is_none());
    assert!(cosigner.newest("../cosigner.key").is_none());
}

#[test]
fn what_cannot_be_told_stops_everything() {
    let folder = TempDir::new().unwrap();
    let log = Log::new("log.example/a", "one");
    drop(cosign(&open(folder.path()).unwrap(), &log, 0, 7, 100).unwrap());
    let path = folder.path().join("logs").join(log_id(&log.origin));
    let kept = fs::read(&path).unwrap();
    // The log's own signature is not what counts here, and its line stands before that of the cosigner.
    let text = String::from_utf8(kept.clone()).unwrap();
    let line = text.find("\u{2014} log.example/a").unwrap()..text.find("\u{2014} witness.example/w").unwrap();
    for position in 0..kept.len() {
        let mut flipped = kept.clone();
        flipped[position] ^= 1;
        fs::write(&path, &flipped).unwrap();
        match open(folder.path()) {
            Err(CosignerError::Damaged { .. }) => {}
            Err(error) => panic!("byte {position}: {error}"),
            Ok(cosigner) => {
                assert!(line.contains(&position), "byte {position}");
                assert_eq!(cosigner.seen(&log.origin).map(|seen| seen.size), Some(TreeSize(7)));
            }
        }
    }
    fs::write(&path, &kept[..kept.len() / 2]).unwrap();
    assert!(matches!(open(folder.path()), Err(CosignerError::Damaged { .. })));
    fs::write(&path, b"").unwrap();
    assert!(matches!(open(folder.path()), Err(CosignerError::Damaged { .. })));
    fs::write(&path, &kept).unwrap();
    fs::copy(&path, path.with_file_name(log_id(&Origin::new("log.example/b").unwrap()))).unwrap();
    assert!(matches!(open(folder.path()), Err(CosignerError::Damaged { .. })), "another log's");
    fs::remove_file(path.with_file_name(log_id(&Origin::new("log.example/b").unwrap()))).unwrap();
    // What was being written when a process ended was told to nobody.
    fs::write(path.with_extension("new"), b"half").unwrap();
    conflict(cosign(&open(folder.path()).unwrap(), &log, 0, 3, 101), 7);

    // The key belongs to what was cosigned with it.
    let key = folder.path().join("cosigner.key");
    let text = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(matches!(open(folder.path()), Err(CosignerError::Folder(_))), "no second key for the same folder");
    fs::write(&key, &text[..text.len() - 4]).unwrap();
    assert!(matches!(open(folder.path()), Err(CosignerError::Key { .. })));
    fs::write(&key, &text).unwrap();
    let other = Cosigner::open(folder.path(), Some(KeyName::new("other.example/w").unwrap()), "a test", &|| [9; 32]);
    assert!(matches!(other, Err(CosignerError::OtherName { .. })));
    let nameless = TempDir::new().unwrap();
    let nobody = Cosigner::open(nameless.path(), None, "a test", &|| [9; 32]);
    assert!(matches!(nobody, Err(CosignerError::NoKey { .. })));
}

#[test]
fn what_cannot_be_kept_is_not_cosigned() {
    let folder = TempDir::new().unwrap();
    let log = Log::new("log.example/a", "one");
    let cosigner = open(folder.path()).unwrap();
    cosign(&cosigner, &log, 0, 3, 100).unwrap();
    let logs = folder.path().join("logs");
    fs::rename(&logs, folder.path().join("away")).unwrap();
    let refused = cosign(&cosigner, &log, 3, 7, 101).unwrap_err();
    assert!(matches!(refused, CosignerError::Folder(_)), "{refused}");
    fs::rename(folder.path().join("away"), &logs).unwrap();
    conflict(cosign(&cosigner, &log, 7, 9, 102), 3);
    cosign(&cosigner, &log, 3, 7, 103).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two histories are offered in any order, with starts in between: all that was cosigned is of one history.
    #[test]
    fn no_two_histories_are_cosigned(steps in proptest::collection::vec((any::<bool>(), 0..30_usize, 1..30_usize, 0..6_u8), 1..25)) {
        let folder = TempDir::new().unwrap();
        let log = Log::new("log.example/a", "one");
        let fork = log.fork(4);
        let mut cosigner = Some(open(folder.path()).unwrap());
        let mut signed: Vec<(usize, Hash, bool)> = Vec::new();
        for (is_fork, old, new, start) in steps {
            if start == 0 {
                cosigner = None;
            }
            let cosigner = cosigner.get_or_insert_with(|| open(folder.path()).unwrap());
            let asked = if is_fork { &fork } else { &log };
            // Half of the requests know what was seen.
            let old = if start % 2 == 0 { cosigner.seen(&log.origin).map_or(0, |seen| usize::try_from(seen.size.0).unwrap()) } else { old };
            if cosign(cosigner, asked, old, new, 100).is_ok() {
                signed.push((new, naive_root(&asked.leaves[..new]), is_fork));
            }
        }
        prop_assert!(signed.is_sorted_by(|one, next| one.0 <= next.0));
        let beyond: Vec<bool> = signed.iter().filter(|(size, ..)| *size > 4).map(|(.., is_fork)| *is_fork).collect();
        prop_assert!(beyond.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", signed);
    }
}
