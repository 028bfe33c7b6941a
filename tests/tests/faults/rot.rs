//! Files rot: bits turn over, and ends are missing, in every kind of file. What can still be read is what was there before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use counterfoil_ledger::{Location, fsck};
use counterfoil_proto::v1::record::Body;
use counterfoil_tests::campaign::Campaign;
use counterfoil_tests::files::all_files;
use counterfoil_tests::oracle::in_turn;
use counterfoil_tests::program::LedgerFolder;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::ask::{ask, copied, location, small_company};

/// What a ledger said before, and how it is said again.
struct Before {
    ledger: LedgerFolder,
    asked: crate::ask::Asked,
    callers: Vec<u8>,
    index_key_commitment: Vec<u8>,
}

/// What came of the damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// Everything is said as before.
    WithoutEffect,
    /// Something is refused, or found by a check.
    Noticed,
}

#[test]
fn files_that_rot_never_give_a_wrong_answer() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(panic);
    }));
    let campaign = Campaign::new("a bit turns over, or an end is missing", 100, 1_000);
    let before = Before::new();
    let next = AtomicU64::new(0);
    let tally: Mutex<BTreeMap<(String, Came), usize>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = Some(next.fetch_add(1, Ordering::SeqCst)).filter(|case| *case < campaign.count())
                {
                    let came = damage_and_ask(&before, &mut campaign.random(case), case);
                    *tally.lock().unwrap().entry(came).or_default() += 1;
                    campaign.passed();
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    for ((kind, came), count) in &tally {
        eprintln!("{count:4}: {kind}: {came:?}");
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    let of = |wanted| tally.iter().filter(|((_, came), _)| *came == wanted).map(|(_, count)| count).sum::<usize>();
    let (noticed, without) = (of(Came::Noticed), of(Came::WithoutEffect));
    campaign.end(&format!("{noticed} refused or found, {without} without effect: 0 wrong answers"));
}

impl Before {
    fn new() -> Self {
        let ledger = small_company();
        ledger.run(&["token", "create", "--name", "siem", "--role", "read", "--expires", "90d"]).ended(0);
        ledger
            .run(&["token", "create", "--name", "gate", "--role", "read", "--certificate", "dns:gate.example"])
            .ended(0);
        // The last import is in the write-ahead log alone; what was before, in tables. Asking would change that.
        let copy = copied(&ledger);
        let asked = ask(&location(&copy));
        let first = copy.run(&["record", "0", "--raw"]).ended(0).stdout;
        let Some(Body::Origin(origin)) = record::decode(&first).unwrap().body else { panic!("record 0 is the origin") };
        let callers = callers(&ledger).unwrap();
        Self { asked, callers, index_key_commitment: origin.index_key_commitment, ledger }
    }
}

/// Damages one file of a copy: which kind of file it was, and what came of it.
fn damage_and_ask(before: &Before, random: &mut ChaCha8Rng, case: u64) -> (String, Came) {
    let copy = copied(&before.ledger);
    let location = location(&copy);
    let (kind, place) = damage(&copy, random);
    let place = format!("case {case}: {place}");
    let checked = in_turn(&location, || fsck(&location, "a test", &mut |_, _| ()));
    let is_sound = checked.is_ok_and(|report| report.problem.is_none());
    let asked = ask(&location);
    assert!(asked.records.is_err() || asked.records == before.asked.records, "{place}: other records than before");
    assert!(asked.answers.is_err() || asked.answers == before.asked.answers, "{place}: another answer than before");
    let callers = callers(&copy);
    assert!(callers.as_ref().is_none_or(|callers| *callers == before.callers), "{place}: other callers than before");
    let is_whole = is_sound && asked.records.is_ok() && asked.answers.is_ok() && callers.is_some();
    let is_trusted = trusts(&location, &before.index_key_commitment);
    (kind, if is_whole && is_trusted { Came::WithoutEffect } else { Came::Noticed })
}

/// Who may call, as an operator is told. None where that is refused.
fn callers(ledger: &LedgerFolder) -> Option<Vec<u8>> {
    let run = ledger.run(&["token", "list", "--output", "json"]);
    (run.code == 0).then_some(run.stdout)
}

/// Whether the policy still is about this ledger: a verifier with another key for the signatures, or for the tokens, finds
/// that they do not fit, and believes nothing.
fn trusts(location: &Location, index_key_commitment: &[u8]) -> bool {
    let Ok(policy) = Policy::parse(&fs::read(location.policy()).unwrap()) else { return false };
    let is_key = policy.index_key().is_some_and(|key| key.commitment().as_bytes() == index_key_commitment);
    let opens = |log: &counterfoil_verify::policy::Log| {
        let origin = Origin::new(log.key.name().as_str()).ok()?;
        Checkpoint::open(&fs::read(&location.anchor).ok()?, &origin, &log.key).ok()
    };
    is_key && policy.logs().first().is_some_and(|log| opens(log).is_some())
}

/// Turns a bit over, or cuts an end off. Half of the time in a file of any kind, so that the small ones are hit as well;
/// else anywhere.
fn damage(ledger: &LedgerFolder, random: &mut ChaCha8Rng) -> (String, String) {
    let folder = ledger.folder.path();
    let mut files = all_files(folder);
    let size = |file: &PathBuf| file.metadata().unwrap().len();
    files.retain(|file| size(file) > 0);
    let kind = |file: &PathBuf| kind_of(file.strip_prefix(folder).unwrap());
    let mut pick = |count: u64| random.next_u64() % count;
    let file = if pick(2) == 0 {
        let mut kinds: Vec<String> = files.iter().map(kind).collect();
        kinds.sort();
        kinds.dedup();
        let wanted = &kinds[pick(kinds.len() as u64) as usize];
        files.retain(|file| kind(file) == *wanted);
        files[pick(files.len() as u64) as usize].clone()
    } else {
        let mut byte = pick(files.iter().map(size).sum());
        let holds = |file: &&PathBuf| {
            let is_here = byte < size(file);
            byte -= if is_here { 0 } else { size(file) };
            is_here
        };
        files.iter().find(holds).unwrap().clone()
    };
    let mut bytes = fs::read(&file).unwrap();
    let what = if pick(4) == 0 {
        bytes.truncate(pick(bytes.len() as u64) as usize);
        format!("{} cut off after {} bytes", file.display(), bytes.len())
    } else {
        let bit = pick(8 * bytes.len() as u64);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        format!("bit {bit} of {}", file.display())
    };
    fs::write(&file, bytes).unwrap();
    (kind(&file), what)
}

/// The kind of a file: its name without numbers, and the database that it belongs to.
fn kind_of(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain: String = path.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    plain.trim_end_matches('-').to_owned()
}
