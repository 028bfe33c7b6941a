//! Pages that are small and come to much: they are refused before anything is made of them.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

use counterfoil_ingest::connectors;
use counterfoil_ingest::snapshot::{File, SnapshotError, SnapshotOptions, take};
use counterfoil_ledger::{Clock, Ledger, Location, Options, Reading, Sealing, init};
use counterfoil_proto::v1::{Authentication, Precision};
use counterfoil_verify::time::Moment;

const NOW: Moment = Moment { seconds: 1_767_225_600, nanos: 0 };

struct Stopped;

impl Clock for Stopped {
    fn read(&self) -> Reading {
        Reading { wall: NOW, since_boot: 0, boot_id: "test".to_owned() }
    }
}

#[test]
fn more_elements_than_their_bytes_allow_are_refused_and_nothing_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::new(&folder.path().join("ledger"), None);
    init(&location, "example.com/test", &Stopped, &mut |bytes| bytes.fill(7)).unwrap();
    let options =
        Options { clock: Box::new(Stopped), accept_clock: true, holder: "a test".to_owned(), sealing: Sealing::Never };
    let ledger = Ledger::open(&location, options).unwrap();
    let connector = connectors::by_name("okta").unwrap();
    let options = SnapshotOptions {
        instance: "default".to_owned(),
        target: Some("users".to_owned()),
        as_of: Some(NOW.to_time(Precision::Second)),
        stated: false,
        authentication: Authentication::OperatorFile,
        received_at: NOW,
        seed_secret: [7; 32],
    };
    let array = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    let padded = |text: String, bytes: usize| format!("{text}{}", " ".repeat(bytes));
    for (pages, is_taken) in [
        (vec![array(60_000), array(60_000)], false),
        (vec![format!("{}{}", array(60_000), array(60_000))], false),
        (vec!["[]".repeat(150_000)], false),
        (vec!["1 ".repeat(150_000)], false),
        (vec![array(1_000), array(1_000)], true),
        // A run of so many bytes has room for as many as an API puts into them.
        (vec![array(60_000), padded(array(60_000), 256 * 20_000)], true),
    ] {
        let files: Vec<File> = pages
            .into_iter()
            .enumerate()
            .map(|(number, text)| File { name: format!("page {number}"), bytes: text.into_bytes() })
            .collect();
        let before = ledger.reader().head().size;
        match take(&ledger, connector.as_ref(), &files, &options) {
            Err(SnapshotError::TooMany(_)) => assert_eq!((is_taken, ledger.reader().head().size), (false, before)),
            taken => assert!(taken.is_ok() && is_taken, "{taken:?}"),
        }
    }
}
