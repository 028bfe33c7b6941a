//! A ledger within the test's own process, for tests that ask too much for a process each. Its clock is the test's.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use counterfoil_ingest::connectors;
use counterfoil_ingest::import::{ImportOptions, Summary, import};
use counterfoil_ingest::snapshot::{SnapshotOptions, Taken, read, take};
use counterfoil_ingest::sources::file::Input;
use counterfoil_ledger::{Clock, Ledger, Location, Options, Reading, Sealing, init};
use counterfoil_proto::v1::{Authentication, Precision};
use counterfoil_query::Views;
use counterfoil_scenario::Listings;
use counterfoil_verify::time::{Moment, RecordedAt};
use tempfile::TempDir;

/// 2027-01-01T00:00:00Z: after everything that the made-up companies do.
pub const START_SECONDS: i64 = 1_798_761_600;

/// A ledger, its clock, and the views that are opened from it.
pub struct InsideLedger {
    // The ledger closes before its folder goes.
    pub ledger: Ledger,
    clock: TestClock,
    imports: AtomicI64,
    pub folder: TempDir,
}

#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn read(&self) -> Reading {
        let seconds = self.0.load(Ordering::SeqCst);
        let wall = Moment { seconds: START_SECONDS + seconds, nanos: 0 };
        Reading { wall, since_boot: seconds, boot_id: "test".to_owned() }
    }
}

impl InsideLedger {
    /// Makes a ledger. Its keys are the same every time.
    ///
    /// # Panics
    /// If that fails.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let location = Location::new(&folder.path().join("ledger"), None);
        let clock = TestClock(Arc::default());
        let mut byte = 0_u8;
        let mut entropy = |bytes: &mut [u8]| {
            for place in bytes {
                byte = byte.wrapping_mul(5).wrapping_add(7);
                *place = byte;
            }
        };
        init(&location, "tests.example/inside", &clock, &mut entropy).expect("a new ledger");
        let options = Options {
            clock: Box::new(clock.clone()),
            accept_clock: false,
            holder: "a test".to_owned(),
            sealing: Sealing::Never,
        };
        let ledger = Ledger::open(&location, options).expect("a ledger that was just made");
        Self { ledger, clock, imports: AtomicI64::new(0), folder }
    }

    /// The time of the ledger's clock.
    pub fn now(&self) -> RecordedAt {
        RecordedAt(self.clock.read().wall)
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Imports a file.
    ///
    /// # Panics
    /// If that fails.
    pub fn import(&self, connector: &str, file: &Path, backfill: bool) -> Summary {
        let connector = connectors::by_name(connector).expect("a connector");
        let number = self.imports.fetch_add(1, Ordering::SeqCst);
        let mut seed_secret = [7; 32];
        seed_secret[..8].copy_from_slice(&number.to_be_bytes());
        let options = ImportOptions {
            instance: "default".to_owned(),
            ticket_instance: "default".to_owned(),
            backfill,
            assume_utc: false,
            authentication: Authentication::OperatorFile,
            received_at: self.clock.read().wall,
            seed_secret,
            threads: 1,
        };
        let input = Input::Path(file.to_owned());
        import(&self.ledger, connector.as_ref(), &input, &options, &mut |_| ()).expect("an import")
    }

    /// Takes the listings of a made-up company, which was written to a folder.
    ///
    /// # Panics
    /// If that fails.
    pub fn snapshot(&self, listings: &Listings, folder: &Path) -> Taken {
        let connector = connectors::by_name(listings.connector).expect("a connector");
        let number = self.imports.fetch_add(1, Ordering::SeqCst);
        let mut seed_secret = [9; 32];
        seed_secret[..8].copy_from_slice(&number.to_be_bytes());
        let options = SnapshotOptions {
            instance: listings.instance.unwrap_or("default").to_owned(),
            target: listings.scope.clone(),
            as_of: listings.as_of.map(|as_of| moment(as_of).to_time(Precision::Second)),
            stated: listings.as_of.is_some(),
            authentication: Authentication::OperatorFile,
            received_at: self.clock.read().wall,
            seed_secret,
        };
        let inputs: Vec<Input> = listings.files.iter().map(|file| Input::Path(folder.join(&file.name))).collect();
        let files = read(&inputs).expect("files");
        take(&self.ledger, connector.as_ref(), &files, &options).expect("listings")
    }

    /// The views, brought up to date.
    ///
    /// # Panics
    /// If that fails.
    pub fn views(&self) -> Views {
        let views = Views::open(&self.folder.path().join("views"), self.ledger.reader()).expect("views");
        views.catch_up(&mut |_, _| ()).expect("records that can be projected");
        views
    }
}

impl Default for InsideLedger {
    fn default() -> Self {
        Self::new()
    }
}

/// The moment that a time stands for.
pub fn moment(time: jiff::Timestamp) -> Moment {
    let nanos = time.as_nanosecond();
    Moment {
        seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).expect("a time of these centuries"),
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).expect("less than a second"),
    }
}
