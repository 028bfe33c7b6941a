//! Source `pages`: pages of listings that a caller hands over, by gRPC or HTTP.
//!
//! Owns how many there may be, how large, and how many runs at a time; and what is said about them. It opens no port, and
//! knows nothing of what a page means: that is `snapshot`'s to say.

use std::sync::Arc;

use counterfoil_proto::v1::{Authentication, Precision, SnapshotOptions, SnapshotResponse, Time};
use counterfoil_verify::entity::check_name;
use counterfoil_verify::time::Moment;
use tokio::sync::Semaphore;
use tonic::{Code, Status};

use super::file;
use super::receipt::{instance_or_default, invalid, of_snapshot, problem};
use crate::connectors::{self, Connector};
use crate::intake::{self, Intake, PushError};
use crate::snapshot::{self, File, take};

/// The largest page, in bytes: as much as a push may have.
pub const PAGE_BYTES_MAX: usize = intake::BYTES_MAX;
/// All pages of one run, in bytes, as they come and as they are unpacked.
pub const RUN_BYTES_MAX: usize = 64 << 20;
/// The most pages of one run.
pub const PAGES_MAX: usize = 10_000;
/// The longest name of a page, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
/// The longest scope, in bytes: a path with its query.
const SCOPE_BYTES_MAX: usize = 2_048;
/// Runs at a time: each is in memory several times over while it is read.
const RUNS_MAX: usize = 2;

/// The way in for listings.
#[derive(Clone)]
pub struct Listings {
    intake: Arc<Intake>,
    turns: Arc<Semaphore>,
}

/// Pages as they come in, of one run.
pub struct Run {
    intake: Arc<Intake>,
    connector: Box<dyn Connector>,
    options: snapshot::SnapshotOptions,
    files: Vec<File>,
    /// What further pages may have together, in bytes.
    left: usize,
    turns: Arc<Semaphore>,
}

impl Listings {
    /// Takes listings for the ledger of an intake.
    pub fn new(intake: Arc<Intake>) -> Self {
        Self { intake, turns: Arc::new(Semaphore::new(RUNS_MAX)) }
    }

    /// Begins a run.
    ///
    /// # Errors
    /// A status if what is said about its pages cannot be.
    pub fn begin(&self, told: SnapshotOptions, authentication: Authentication) -> Result<Run, Status> {
        let connector = connectors::by_name(&told.connector)
            .ok_or_else(|| invalid("connector", PushError::NoConnector(told.connector.clone()).to_string()))?;
        if connector.lister().is_none() {
            return Err(of_snapshot(&snapshot::SnapshotError::NoLister(connector.name())));
        }
        let instance = instance_or_default(told.instance);
        check_name(&instance).map_err(|error| invalid("instance", error.to_string()))?;
        let scope = (!told.scope.is_empty()).then_some(told.scope);
        if let Some(length) = scope.as_ref().map(String::len).filter(|length| *length > SCOPE_BYTES_MAX) {
            return Err(invalid("scope", format!("expected at most {SCOPE_BYTES_MAX} bytes, got {length}")));
        }
        let as_of = told.as_of.map(as_of).transpose()?;
        let options = snapshot::SnapshotOptions {
            instance,
            target: scope,
            as_of,
            stated: told.complete,
            authentication,
            received_at: self.intake.now(),
            seed_secret: self.intake.entropy(),
        };
        let (intake, turns) = (self.intake.clone(), self.turns.clone());
        Ok(Run { intake, connector, options, files: Vec::new(), left: RUN_BYTES_MAX, turns })
    }
}

impl Run {
    /// Refuses a page of this name once so much of it is there that it cannot be taken.
    ///
    /// # Errors
    /// Which limit it breaks, and what to do.
    pub fn check(&self, name: &str, bytes: usize) -> Result<(), Status> {
        if name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
            let expected = format!("expected at most {NAME_BYTES_MAX} bytes without control characters");
            return Err(invalid("name", format!("{expected}, got {} bytes", name.len())));
        }
        let limit = |expected: String| Err(invalid("page", format!("{name:?}: expected {expected}")));
        if self.files.len() >= PAGES_MAX {
            return limit(format!("at most {PAGES_MAX} pages: list in several scopes"));
        }
        if bytes > PAGE_BYTES_MAX {
            return limit(format!("at most {PAGE_BYTES_MAX} bytes: ask the API for smaller pages"));
        }
        if bytes > self.left {
            return limit(format!("at most {RUN_BYTES_MAX} bytes in all pages: list in several scopes"));
        }
        Ok(())
    }

    /// Adds a page. One without a name is called by its number.
    ///
    /// # Errors
    /// As [`Run::check`].
    pub fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<(), Status> {
        self.check(&name, bytes.len())?;
        self.left -= bytes.len();
        let name = if name.is_empty() { format!("page {}", self.files.len() + 1) } else { name };
        self.files.push(File { name, bytes });
        Ok(())
    }

    /// Takes the listings once it is their turn, and answers once they are durable, signed and anchored. Nobody has a turn
    /// whose pages are still on their way: those who send slowly keep nobody waiting. What has begun is not broken off, not
    /// even for a caller who is gone: a listing that never ended proves nothing. `room` is what the pages take, and is
    /// given back when they are gone.
    ///
    /// # Errors
    /// A status if nothing more was taken.
    pub async fn take(self, room: impl Send + 'static) -> Result<SnapshotResponse, Status> {
        if self.files.is_empty() {
            return Err(invalid("page", "expected at least one page, got none".to_owned()));
        }
        let turn = self.turns.clone().acquire_owned().await.map_err(|error| stopping(&error))?;
        let work = tokio::task::spawn_blocking(move || {
            let answer = self.work();
            drop((room, turn));
            answer
        });
        work.await.map_err(|error| stopping(&error))?
    }

    fn work(self) -> Result<SnapshotResponse, Status> {
        let Self { intake, connector, options, mut files, .. } = self;
        let mut left = RUN_BYTES_MAX as u64;
        for file in &mut files {
            let packed = std::mem::take(&mut file.bytes);
            file.bytes = file::unpack(packed, left)
                .map_err(|error| invalid("page", format!("{:?} cannot be unpacked: {error}", file.name)))?;
            left -= file.bytes.len() as u64;
        }
        let taken = take(intake.ledger(), connector.as_ref(), &files, &options);
        let response = taken.map(|taken| snapshot::response(&taken, &intake.ledger().reader().head()));
        let response = response.map_err(|error| of_snapshot(&error))?;
        count(connector.name(), &response);
        Ok(response)
    }
}

/// Counts what became of elements and pages, for whoever watches.
fn count(connector: &'static str, response: &SnapshotResponse) {
    intake::count(connector, "rejected", response.strange);
    for listing in &response.listings {
        intake::count(connector, "recorded", listing.events);
        intake::count(connector, "duplicate", listing.duplicates);
        intake::count(connector, "rejected", listing.rejected);
    }
}

fn as_of(told: pbjson_types::Timestamp) -> Result<Time, Status> {
    let nanos = u32::try_from(told.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let moment = nanos.map(|nanos| Moment { seconds: told.seconds, nanos });
    let moment = moment.filter(|moment| (Moment::MIN..=Moment::MAX).contains(moment));
    let expected = || invalid("as_of", "expected a time between the years 1 and 9999".to_owned());
    moment.map(|moment| moment.to_time(Precision::Second)).ok_or_else(expected)
}

fn stopping(error: &dyn std::error::Error) -> Status {
    problem(Code::Unavailable, "STOPPED", format!("the service is stopping: {error}"))
}
