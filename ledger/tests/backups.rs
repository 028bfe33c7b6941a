//! Backups: each is exactly the log of one signed checkpoint, and what is restored is that, redacted again, or nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::*;
use counterfoil_ledger::{
    Anchored, BackupMade, BackupOrder, KnownRedactions, Ledger, LedgerError, Location, RestoreOrder, Restored, fsck,
    restore,
};
use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::hash::domain_hash;
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use tempfile::TempDir;

/// A folder of backups, and what is restored of it.
struct Vault {
    folder: TempDir,
}

impl Vault {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn order(&self) -> BackupOrder {
        BackupOrder { to: self.path(), at: START, keep: None, forget_redacted: false }
    }

    fn backup(&self, ledger: &Ledger) -> BackupMade {
        ledger.backup(&self.order()).unwrap()
    }

    /// What lies in the folder of files, with its length.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(self.path().join("files")).unwrap().map(Result::unwrap);
        let mut files: Vec<_> = entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
        files.sort();
        files
    }

    fn restore_order(&self, home: &Home) -> RestoreOrder {
        RestoreOrder {
            from: self.path(),
            backup: None,
            keys: home.part("keys"),
            redactions: KnownRedactions::BesideTheAnchor,
            patience: Duration::ZERO,
            holder: "a test".to_owned(),
        }
    }

    /// Restores to a folder of its own, which gets a copy of this ledger's anchor and of what lies beside that.
    fn restored(&self, home: &Home, order: &RestoreOrder) -> (Home, Result<Restored, LedgerError>) {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::new(&folder.path().join("ledger"), None);
        for file in ["ledger.anchor", "ledger.anchor.redactions", "ledger.anchor.lease"] {
            let from = home.folder.path().join(file);
            if from.exists() {
                let bytes = if file == "ledger.anchor" { home.anchor() } else { fs::read(&from).unwrap() };
                fs::write(folder.path().join(file), bytes).unwrap();
            }
        }
        let restored = again(order, &location);
        (Home { folder, location, clock: home.clock.clone() }, restored)
    }
}

fn again(order: &RestoreOrder, location: &Location) -> Result<Restored, LedgerError> {
    let mut byte = 0u8;
    let entropy = &mut |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            byte = byte.wrapping_mul(3).wrapping_add(41);
            byte
        })
    };
    restore(order, location, entropy, &mut |_, _| ())
}

/// The rows of a ledger that does not have to open, by a handle that believes nothing.
fn stored_payloads(home: &Home, needle: &str) -> usize {
    let path = home.part("log");
    let options = rocksdb::Options::default();
    let families = rocksdb::DB::list_cf(&options, &path).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, &path, families, false).unwrap();
    let rows = db.iterator_cf(db.cf_handle("beside").unwrap(), rocksdb::IteratorMode::Start);
    let holds = |value: &[u8]| value.windows(needle.len()).any(|window| window == needle.as_bytes());
    rows.filter(|row| holds(&row.as_ref().unwrap().1)).count()
}

fn problem(home: &Home) -> String {
    let report = fsck(&home.location, "a test", &mut |_, _| ()).unwrap();
    report.problem.map(|problem| problem.what).unwrap_or_default()
}

#[test]
fn what_is_restored_is_the_log_as_it_was_signed_and_goes_on() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    ledger.append(batch_over(0..5, numbered(0..5))).unwrap();
    append(&ledger, numbered(0..2));
    let made = vault.backup(&ledger);
    let records = bytes(&ledger.reader());
    assert_eq!((made.backup.id, made.backup.checkpoint.size, made.backup.at), (1, TreeSize(6), START));
    assert_eq!(checkpoint(&made.backup.note, &home.verifier_key()), made.backup.checkpoint);
    assert_eq!((made.copied_files, made.mended_files, made.removed.len()), (made.backup.files, 0, 0));
    assert!(!home.part("frozen").exists(), "no hard link keeps anything alive");
    drop(ledger);

    let (restored, done) = vault.restored(&home, &vault.restore_order(&home));
    let done = done.unwrap();
    assert_eq!((done.backup, done.anchored), (made.backup, Anchored::Fits(TreeSize(6))));
    assert_eq!((done.redactions, done.removed_parts), (0, 0));
    assert_eq!(problem(&restored), "");
    let ledger = restored.open();
    assert_eq!(bytes(&ledger.reader()), records);
    assert_eq!(ledger.reader().position(CHANNEL).unwrap().unwrap().next, 5);
    assert_eq!(ledger.reader().duplicates().unwrap().iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert_eq!(append(&ledger, numbered(4..6)).outcomes, [duplicate(5), recorded(6)]);
    check_sound(&restored, &ledger.reader());
    let names = |home: &Home| fs::read_to_string(home.part("holder")).unwrap();
    assert_ne!(names(&restored), names(&home), "it is another copy");
    assert_eq!(fs::read(restored.location.policy()).unwrap(), fs::read(home.location.policy()).unwrap());
    let left: BTreeSet<_> = fs::read_dir(&restored.location.data).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["derived", "holder", "keys", "lock", "log"].map(Into::into).into());
}

/// While somebody appends without a pause, each backup is the log of the head at some moment: the records and the position
/// of their channel are of one commit, and nothing unsigned is in it.
#[test]
fn a_backup_under_load_is_a_prefix_that_was_signed() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    let done = AtomicBool::new(false);
    let mut made = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 0;
            while !done.load(Ordering::SeqCst) {
                let count = 1 + next % 7;
                ledger.append(batch_over(next..next + count, numbered(next..next + count))).unwrap();
                next += count;
            }
        });
        for _ in 0..5 {
            let before = ledger.reader().head().size;
            let backup = vault.backup(&ledger).backup;
            assert!(before <= backup.checkpoint.size && backup.checkpoint.size <= ledger.reader().head().size);
            made.push(backup);
        }
        done.store(true, Ordering::SeqCst);
    });
    let records = bytes(&ledger.reader());
    for backup in &made {
        let order = RestoreOrder { backup: Some(backup.id), ..vault.restore_order(&home) };
        let (restored, done) = vault.restored(&home, &order);
        let size = backup.checkpoint.size;
        assert_eq!(&done.unwrap().backup, backup);
        // As if that had been the newest.
        fs::write(&restored.location.anchor, &backup.note).unwrap();
        let _ = fs::remove_file(restored.location.anchor.with_added_extension("lease"));
        let ledger = restored.open();
        assert_eq!(ledger.caught_up(), 0, "nothing unsigned");
        assert_eq!(bytes(&ledger.reader()), records[..size.0 as usize]);
        let position = ledger.reader().position(CHANNEL).unwrap().map_or(0, |position| position.next);
        assert_eq!(position, size.0 - 1);
        check_sound(&restored, &ledger.reader());
    }
    assert!(made.last().unwrap().checkpoint.size > made[0].checkpoint.size, "something came meanwhile");
}

#[test]
fn what_is_there_is_not_copied_again_and_what_is_damaged_is() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..4_000));
    let first = vault.backup(&ledger);
    assert!(first.copied_bytes > 100_000, "{first:?}");
    append(&ledger, numbered(4_000..4_010));
    let second = vault.backup(&ledger);
    assert!(second.copied_bytes < first.copied_bytes / 10, "{} after {}", second.copied_bytes, first.copied_bytes);
    assert!(second.backup.bytes > first.backup.bytes, "it has all of them all the same");

    let (largest, _) = vault.files().into_iter().max_by_key(|(_, length)| *length).unwrap();
    let mut damaged = fs::read(&largest).unwrap();
    damaged[1_000] ^= 1;
    fs::write(&largest, &damaged).unwrap();
    let name = largest.file_name().unwrap().to_str().unwrap();
    let found = ledger.backups(&vault.path(), true).unwrap();
    assert!(found.problems[0].contains(name) && found.problems[0].contains("is damaged"), "{:?}", found.problems);
    assert_eq!(ledger.backups(&vault.path(), false).unwrap().problems.len(), 0);
    let (nothing, refused) = vault.restored(&home, &vault.restore_order(&home));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains(name) && refused.contains("is damaged: it is log/"), "{refused}");
    assert!(matches!(nothing.refusal(), LedgerError::NotALedger { .. }));

    let third = vault.backup(&ledger);
    assert_eq!(third.mended_files, 1);
    assert_eq!(ledger.backups(&vault.path(), true).unwrap().problems, Vec::<String>::new());
    drop(ledger);
    vault.restored(&home, &vault.restore_order(&home)).1.unwrap();
}

#[test]
fn every_file_of_a_backup_counts() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..20));
    vault.backup(&ledger);
    drop(ledger);
    let description = vault.path().join("00000001.backup");
    let files: Vec<PathBuf> = vault.files().into_iter().map(|(path, _)| path).chain([description.clone()]).collect();
    assert!(files.len() > 5);
    let check = |path: &Path, why: &str| {
        let (nothing, refused) = vault.restored(&home, &vault.restore_order(&home));
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, LedgerError::Backup { path: at, .. } if at == path), "{why}: {refused}");
        assert!(!nothing.part("log").exists(), "no ledger is left");
    };
    for path in &files {
        let whole = fs::read(path).unwrap();
        let mut damaged = whole.clone();
        match damaged.get_mut(whole.len() / 2) {
            Some(byte) => *byte ^= 4,
            // A write-ahead log without anything in it.
            None => damaged.push(0),
        }
        fs::write(path, &damaged).unwrap();
        check(path, "a bit turned over");
        if let Some((_, rest)) = whole.split_last() {
            fs::write(path, rest).unwrap();
            check(path, "an end is missing");
        }
        if *path != description {
            fs::remove_file(path).unwrap();
            check(path, "it is gone");
        }
        fs::write(path, &whole).unwrap();
    }
    // A description of another backup in this one's place, and none.
    fs::rename(&description, vault.path().join("00000002.backup")).unwrap();
    check(&vault.path().join("00000002.backup"), "renamed");
    fs::remove_file(vault.path().join("00000002.backup")).unwrap();
    check(&vault.path(), "none");
}

#[test]
fn what_a_dead_process_left_does_no_harm() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..20));
    let first = vault.backup(&ledger);
    let whole = vault.files();
    // It died while it copied, and while the log was frozen.
    fs::write(vault.path().join("files/half.new"), "half").unwrap();
    fs::write(vault.path().join("files").join("0".repeat(64)), "of no backup").unwrap();
    fs::write(vault.path().join("00000002.backup.new"), "half").unwrap();
    copy_folder(&home.part("log"), &home.part("frozen"));
    assert_eq!(ledger.backups(&vault.path(), true).unwrap().backups, [(first.backup.clone(), false)]);
    let second = vault.backup(&ledger);
    assert_eq!(second.backup.id, 2);
    let files = vault.files();
    assert!(whole.iter().all(|file| files.contains(file)) && files.len() <= whole.len() + 5, "{files:?}");
    assert!(!home.part("frozen").exists());
    copy_folder(&home.part("log"), &home.part("frozen"));
    drop(ledger);
    drop(home.open());
    assert!(!home.part("frozen").exists(), "a start removes what was frozen");
    for id in [1, 2] {
        let order = RestoreOrder { backup: Some(id), ..vault.restore_order(&home) };
        vault.restored(&home, &order).1.unwrap();
    }
}

#[test]
fn as_many_are_kept_as_were_asked_for_and_files_of_none_go() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    for number in 0..5 {
        append(&ledger, numbered(number * 10..number * 10 + 10));
        let order = BackupOrder { keep: NonZeroU32::new(3), ..vault.order() };
        let removed = ledger.backup(&order).unwrap().removed;
        assert_eq!(removed, (number >= 3).then(|| number - 2).into_iter().collect::<Vec<_>>());
    }
    let ids = |vault: &Vault| -> Vec<u64> {
        ledger.backups(&vault.path(), true).unwrap().backups.iter().map(|(backup, _)| backup.id).collect()
    };
    assert_eq!(ids(&vault), [3, 4, 5]);
    let three = vault.files().len();
    let one = ledger.backup(&BackupOrder { keep: NonZeroU32::new(1), ..vault.order() }).unwrap();
    assert_eq!((one.removed, ids(&vault)), (vec![3, 4, 5], vec![6]));
    assert!(vault.files().len() < three, "files that no backup has are gone");
    assert_eq!(vault.files().len() as u64, one.backup.files + 1, "its files, and the list of them");
    // As long as one cannot be read, nothing of any goes.
    let damaged = vault.path().join("00000006.backup");
    fs::write(&damaged, "damaged").unwrap();
    let files = vault.files();
    append(&ledger, numbered(50..51));
    let next = ledger.backup(&BackupOrder { keep: NonZeroU32::new(1), ..vault.order() }).unwrap();
    assert_eq!((next.backup.id, next.removed.len()), (7, 0));
    assert!(next.problems[0].contains("00000006.backup"), "{:?}", next.problems);
    assert!(damaged.exists() && files.iter().all(|file| vault.files().contains(file)));
}

#[test]
fn each_log_has_a_folder_of_its_own() {
    let (home, vault) = (Home::new(1), Vault::new());
    append(&home.open(), numbered(0..3));
    vault.backup(&home.open());
    let folder = tempfile::tempdir().unwrap();
    let location = Location::new(&folder.path().join("ledger"), None);
    let mut byte = 9u8;
    let entropy = &mut |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            byte = byte.wrapping_add(3);
            byte
        })
    };
    counterfoil_ledger::init(&location, "tests.example/other", &home.clock, entropy).unwrap();
    let other = Home { folder, location, clock: home.clock.clone() };
    let refused = other.open().backup(&vault.order()).unwrap_err().to_string();
    assert!(refused.contains("is of the log tests.example/ledger"), "{refused}");
    // Another ledger of the same name has other keys: it neither believes these nor removes anything.
    let namesake = Home::new(2);
    let made = vault.backup(&namesake.open());
    assert!(made.problems[0].contains("00000001.backup is not signed by the key of tests.example/ledger"), "{made:?}");
    let order = RestoreOrder { backup: Some(1), keys: namesake.part("keys"), ..vault.restore_order(&home) };
    assert!(matches!(vault.restored(&home, &order).1, Err(LedgerError::Backup { .. })));
    let order = RestoreOrder { backup: Some(1), ..order };
    vault.restored(&home, &RestoreOrder { keys: home.part("keys"), ..order }).1.unwrap();
}

#[test]
fn nothing_is_restored_over_anything() {
    let (home, vault) = (Home::new(1), Vault::new());
    append(&home.open(), numbered(0..3));
    vault.backup(&home.open());
    let (restored, done) = vault.restored(&home, &vault.restore_order(&home));
    done.unwrap();
    let before = bytes(&restored.open().reader());
    let refused = again(&vault.restore_order(&home), &restored.location).unwrap_err();
    assert!(matches!(refused, LedgerError::Exists { .. }), "{refused}");
    assert_eq!(bytes(&restored.open().reader()), before);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("something"), "of somebody's").unwrap();
    let order = RestoreOrder { redactions: KnownRedactions::Lost, ..vault.restore_order(&home) };
    let refused = again(&order, &Location::new(folder.path(), None)).unwrap_err();
    assert!(matches!(&refused, LedgerError::Exists { path } if path.ends_with("something")), "{refused}");
    // What an interrupted one left is no ledger, and is in nobody's way.
    let left = tempfile::tempdir().unwrap();
    let location = Location::new(&left.path().join("ledger"), None);
    fs::create_dir_all(location.data.join("restoring/log")).unwrap();
    fs::write(location.data.join("restoring/log/CURRENT"), "half").unwrap();
    assert!(matches!(location.origin(), Err(LedgerError::NotALedger { .. })));
    assert_eq!(again(&order, &location).unwrap().anchored, Anchored::Missing);
    assert!(!location.data.join("restoring").exists());
    let home = Home { folder: left, location, clock: home.clock.clone() };
    assert!(matches!(home.refusal(), LedgerError::Anchor { .. }), "without an anchor nobody can tell what is lost");
}

#[test]
fn a_backup_that_is_older_than_the_anchor_does_not_go_on() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..5));
    vault.backup(&ledger);
    append(&ledger, numbered(5..9));
    drop(ledger);
    let (restored, done) = vault.restored(&home, &vault.restore_order(&home));
    assert_eq!(done.unwrap().anchored, Anchored::Ahead(TreeSize(10)));
    // By whatever copy has the lease: the anchor says it.
    fs::remove_file(restored.location.anchor.with_added_extension("lease")).unwrap();
    let anchor = restored.anchor();
    let refusal = restored.refusal();
    assert!(matches!(refusal, LedgerError::Behind { size: TreeSize(6), anchored: TreeSize(10) }), "{refusal}");
    assert!(refusal.to_string().contains("`counterfoil incarnation` goes on from here"), "{refusal}");
    assert_eq!(restored.anchor(), anchor, "nobody moves it back");

    // An anchor of another history, which went on from the same backup.
    let other = Home::new(1);
    append(&other.open(), numbered(100..104));
    let (nothing, done) = vault.restored(&other, &vault.restore_order(&home));
    let refused = done.unwrap_err();
    assert!(matches!(refused, LedgerError::Beside { anchored: TreeSize(5) }), "{refused}");
    assert!(!nothing.part("log").exists());
    // And one of another log.
    let other = Home::new(2);
    append(&other.open(), numbered(0..4));
    assert!(matches!(vault.restored(&other, &vault.restore_order(&home)).1, Err(LedgerError::Anchor { .. })));
}

#[test]
fn whoever_holds_the_lease_is_gone_or_nothing_is_restored() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..5));
    vault.backup(&ledger);
    let folder = tempfile::tempdir().unwrap();
    let location = Location::new(&folder.path().join("ledger"), Some(&home.location.anchor));
    // It is renewed every second.
    let order = RestoreOrder { patience: Duration::from_millis(1_300), ..vault.restore_order(&home) };
    let refused = again(&order, &location).unwrap_err();
    assert!(matches!(refused, LedgerError::InUse { .. }), "{refused}");
    assert!(!location.data.join("log").exists());
    append(&ledger, numbered(5..6));
    drop(ledger);
    let order = RestoreOrder { patience: Duration::ZERO, ..order };
    assert_eq!(again(&order, &location).unwrap().anchored, Anchored::Ahead(TreeSize(7)));
    let ledger = home.open();
    vault.backup(&ledger);
    drop(ledger);
    fs::remove_dir_all(&location.data).unwrap();
    assert_eq!(again(&order, &location).unwrap().anchored, Anchored::Fits(TreeSize(7)));
    assert!(matches!(home.refusal(), LedgerError::Held { .. }), "the other copy has it now");
}

/// What the file beside the anchor has to say, by the records alone.
fn listed(ledger: &Ledger) -> String {
    let line = |text: String| {
        let checksum = domain_hash("counterfoil/redactions-line/v1", &[text.as_bytes()]).to_string();
        format!("{text} {}\n", &checksum[..16])
    };
    let mut lines = line(format!("counterfoil-redactions v1 {ORIGIN}"));
    for bytes in bytes(&ledger.reader()) {
        let record = record::decode(&bytes).unwrap();
        if let Some(counterfoil_proto::v1::record::Body::Redaction(redaction)) = &record.body {
            let mut text = format!("{} {}", record.index, record::hash(&bytes));
            for range in &redaction.removed {
                let parts: Vec<String> = range.parts.iter().map(ToString::to_string).collect();
                text += &format!(" {}+{}:{}", range.first, range.records, parts.join(","));
            }
            lines += &line(text);
        }
    }
    lines
}

#[test]
fn the_anchor_has_a_list_of_what_was_redacted() {
    let home = Home::new(1);
    let path = home.location.anchor.with_added_extension("redactions");
    let ledger = home.open();
    append(&ledger, numbered(0..6));
    let now = |ledger: &Ledger| assert_eq!(fs::read_to_string(&path).unwrap(), listed(ledger));
    now(&ledger);
    append(&ledger, vec![redaction(7, &[(2, 2, &[0])]), redaction(8, &[(5, 1, &[0])])]);
    now(&ledger);
    append(&ledger, vec![redaction(9, &[(1, 1, &[0]), (4, 1, &[0])])]);
    now(&ledger);
    drop(ledger);
    let whole = fs::read(&path).unwrap();
    // Whatever became of it: a log that fits its anchor knows all of it.
    for damaged in [None, Some(&whole[..whole.len() - 9]), Some(b"something"), Some(&whole[..60])] {
        match damaged {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        now(&home.open());
    }
}

#[test]
fn what_was_redacted_since_is_redacted_again() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..6));
    append(&ledger, vec![redaction(20, &[(6, 1, &[0])])]);
    vault.backup(&ledger);
    append(&ledger, numbered(6..8));
    append(&ledger, vec![redaction(21, &[(2, 2, &[0]), (8, 2, &[0])])]);
    append(&ledger, vec![redaction(22, &[(3, 2, &[0])])]);
    drop(ledger);
    let (restored, done) = vault.restored(&home, &vault.restore_order(&home));
    let done = done.unwrap();
    // Beside records 2, 3 and 4: 3 is in both, 8 and 9 are lost.
    assert_eq!((done.redactions, done.removed_parts, done.anchored), (2, 3, Anchored::Ahead(TreeSize(12))));
    for (number, is_there) in [(0, true), (1, false), (2, false), (3, false), (4, true), (5, false)] {
        let payload = format!("payload of event-{number}: {number}");
        assert_eq!(stored_payloads(&restored, &payload), usize::from(is_there), "{payload}");
        for file in fs::read_dir(restored.part("log")).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()) {
            assert!(is_there || !file.windows(payload.len()).any(|window| window == payload.as_bytes()), "{payload}");
        }
    }

    let list = home.location.anchor.with_added_extension("redactions");
    let whole = fs::read_to_string(&list).unwrap();
    let refused = |text: Option<&str>, why: &str| {
        match text {
            Some(text) => fs::write(&list, text).unwrap(),
            None => fs::remove_file(&list).unwrap(),
        }
        let (nothing, refused) = vault.restored(&home, &vault.restore_order(&home));
        let refused = refused.unwrap_err();
        assert!(matches!(refused, LedgerError::Redactions { .. } | LedgerError::Falsified { .. }), "{refused}");
        assert!(refused.to_string().contains(why), "{refused}");
        assert!(!nothing.part("log").exists(), "{why}");
    };
    refused(None, "is not there");
    refused(Some(""), "is damaged in line 1");
    refused(Some(&whole.replace("2+2", "2+1")), "is damaged in line 3");
    refused(Some(&whole.replace(ORIGIN, "tests.example/legder")), "is damaged in line 1");
    let line = |text: &str| {
        let checksum = domain_hash("counterfoil/redactions-line/v1", &[text.as_bytes()]).to_string();
        format!("{text} {}\n", &checksum[..16])
    };
    let own = whole.lines().nth(1).unwrap();
    let leaf = own.split(' ').nth(1).unwrap();
    let forged = line(own.rsplit_once(' ').unwrap().0.replace(leaf, &"0".repeat(64)).as_str());
    refused(Some(&whole.replace(&format!("{own}\n"), &forged)), "the list is of another history");
    // A line that was cut off is of a redaction that nobody was told of.
    fs::write(&list, &whole[..whole.len() - 5]).unwrap();
    let (_, done) = vault.restored(&home, &vault.restore_order(&home));
    assert_eq!(done.unwrap().redactions, 1);
    // A copy elsewhere does as well; and somebody may have to do without.
    fs::write(&list, "damaged").unwrap();
    let copy = vault.folder.path().join("copy");
    fs::write(&copy, &whole).unwrap();
    let order = RestoreOrder { redactions: KnownRedactions::In(copy), ..vault.restore_order(&home) };
    assert_eq!(vault.restored(&home, &order).1.unwrap().removed_parts, 3);
    let order = RestoreOrder { redactions: KnownRedactions::Lost, ..order };
    assert_eq!(vault.restored(&home, &order).1.unwrap().removed_parts, 0);
}

#[test]
fn backups_that_hold_what_was_redacted_since_are_told_and_go() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..6));
    vault.backup(&ledger);
    vault.backup(&ledger);
    append(&ledger, vec![redaction(20, &[(3, 1, &[0])])]);
    // It is not in a file any more, although nobody purged.
    vault.backup(&ledger);
    append(&ledger, numbered(6..8));
    let told = |ledger: &Ledger| -> Vec<(u64, bool)> {
        let list = ledger.backups(&vault.path(), true).unwrap();
        list.backups.iter().map(|(backup, holds)| (backup.id, *holds)).collect()
    };
    assert_eq!(told(&ledger), [(1, true), (2, true), (3, false)]);
    let holds = || {
        let payload = b"payload of event-2: 2";
        let files = vault.files().into_iter().map(|(path, _)| fs::read(path).unwrap());
        files.filter(|file| file.windows(payload.len()).any(|window| window == payload)).count()
    };
    assert!(holds() > 0, "it is found where it is");
    let made = ledger.backup(&BackupOrder { forget_redacted: true, ..vault.order() }).unwrap();
    assert_eq!(made.removed, [1, 2]);
    assert_eq!(told(&ledger), [(3, false), (4, false)]);
    assert_eq!(holds(), 0);
}

/// The description is signed text that anybody can read.
#[test]
fn a_backup_says_what_it_is_of() {
    let (home, vault) = (Home::new(1), Vault::new());
    let ledger = home.open();
    append(&ledger, numbered(0..3));
    let made = vault.backup(&ledger).backup;
    let text = fs::read_to_string(vault.path().join("00000001.backup")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..4], ["counterfoil-backup/v1", ORIGIN, "id 1", &format!("at {START}")]);
    assert_eq!(lines[6], format!("files {} {}", made.files, made.bytes));
    assert!(lines[8].starts_with("— tests.example/ledger "), "{text}");
    let origin = made.checkpoint.origin.clone();
    assert!(Checkpoint::open(text.as_bytes(), &origin, &home.verifier_key()).is_err(), "it is no checkpoint");
    // Its list is what sha256sum prints of the files in a data folder.
    let list = lines[5].strip_prefix("list ").unwrap();
    let list = fs::read_to_string(vault.path().join("files").join(list)).unwrap();
    let (restored, done) = vault.restored(&home, &vault.restore_order(&home));
    assert_eq!(done.unwrap().backup, made);
    for line in list.lines() {
        let (hash, name) = line.split_once("  ").unwrap();
        let copied = fs::read(vault.path().join("files").join(hash)).unwrap();
        assert!(name.starts_with("log/"), "{line}");
        if name.ends_with(".sst") {
            assert_eq!(fs::read(restored.location.data.join(name)).unwrap(), copied, "{line}");
        }
    }
    assert_eq!(restored.anchored().size, TreeSize(4));
    assert_eq!(restored.open().reader().record_bytes(RecordIndex(3)).unwrap(), bytes(&ledger.reader())[3]);
}
