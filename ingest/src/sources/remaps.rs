//! Remapping on request: one at a time, and told as it goes.
//!
//! Owns the turn, and the answers to whoever asked. What is read again, and what comes of it, `remap` knows.

use std::ops::ControlFlow;
use std::sync::Arc;

use counterfoil_proto::v1::{RemapRequest, RemapResponse, UnreadableEvent, Withheld};
use counterfoil_verify::entity::check_name;
use tokio::sync::{Semaphore, mpsc};
use tonic::{Code, Status};

use super::receipt::{self, instance_or_default, invalid, problem};
use crate::connectors::{self, Connector};
use crate::intake::Intake;
use crate::remap::{RemapOptions, Remapped, remap};

/// So many records are looked at from one answer to the next.
const STEP_RECORDS: u64 = 1_000;
/// Answers that wait for whoever asked: beyond that, some are left out.
const ANSWERS_AHEAD: usize = 4;

/// The answers to whoever asked.
pub(crate) type Answers = mpsc::Receiver<Result<RemapResponse, Status>>;

/// The way to what is read again.
#[derive(Clone)]
pub struct Remaps {
    intake: Arc<Intake>,
    turn: Arc<Semaphore>,
}

/// What is read again, once it was checked.
struct Asked {
    connector: Box<dyn Connector>,
    source: Option<(String, String)>,
    ticket_instance: String,
    dry_run: bool,
    /// Whether the answer may repeat what events say.
    may_see: bool,
}

impl Remaps {
    /// Reads again what an intake's ledger keeps.
    pub fn new(intake: Arc<Intake>) -> Self {
        Self { intake, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Begins to read again.
    ///
    /// # Errors
    /// If the request names nothing that could be, or something is read again already.
    pub(crate) fn begin(&self, request: RemapRequest, may_see: bool) -> Result<Answers, Status> {
        let asked = check(request, may_see)?;
        let busy = |_| {
            let why = "events are read again already: that goes on as long as whoever asked for it waits";
            problem(Code::FailedPrecondition, "REMAPPING", why.to_owned())
        };
        let turn = self.turn.clone().try_acquire_owned().map_err(busy)?;
        let (sender, answers) = mpsc::channel(ANSWERS_AHEAD);
        let intake = self.intake.clone();
        tokio::task::spawn_blocking(move || {
            let last = asked.read_again(&intake, &sender);
            drop(turn);
            // Whoever has gone needs no answer.
            let _ = sender.blocking_send(last);
        });
        Ok(answers)
    }
}

impl Asked {
    fn read_again(
        &self,
        intake: &Intake,
        sender: &mpsc::Sender<Result<RemapResponse, Status>>,
    ) -> Result<RemapResponse, Status> {
        let options = RemapOptions {
            connector: self.connector.as_ref(),
            source: self.source.clone(),
            ticket_instance: self.ticket_instance.clone(),
            dry_run: self.dry_run,
            seed_secret: intake.entropy(),
        };
        let tell = &mut |done: &Remapped| {
            if !done.looked_at.is_multiple_of(STEP_RECORDS) {
                return ControlFlow::Continue(());
            }
            // The next one says as much, and more.
            let _ = sender.try_send(Ok(self.message(done)));
            if sender.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let done = remap(intake.ledger(), &options, tell).map_err(|error| receipt::of_ledger(&error))?;
        let mut basis = receipt::basis(&intake.ledger().reader().head());
        if !self.may_see {
            basis.withheld.push(Withheld::PersonalValues.into());
        }
        Ok(RemapResponse { basis: Some(basis), ..self.message(&done) })
    }

    fn message(&self, done: &Remapped) -> RemapResponse {
        let unreadable = done.example.as_ref().map(|(record, why)| UnreadableEvent {
            record: record.0,
            error: if self.may_see { why.clone() } else { String::new() },
        });
        RemapResponse {
            basis: None,
            connector: self.connector.name().to_owned(),
            connector_version: self.connector.version(),
            events: done.events,
            same: done.same,
            remapped: done.remapped,
            listings: done.listings,
            removed: done.removed,
            newer: done.newer,
            unreadable: done.unreadable,
            dry_run: self.dry_run,
            looked_at: done.looked_at,
            records: done.records,
            first_unreadable: unreadable,
        }
    }
}

fn check(request: RemapRequest, may_see: bool) -> Result<Asked, Status> {
    let RemapRequest { connector: name, system, instance, ticket_instance, dry_run } = request;
    let no_connector = || {
        let why = format!("there is no connector {name:?}: the connectors are {}", connectors::names().join(", "));
        invalid("connector", why)
    };
    let connector = connectors::by_name(&name).ok_or_else(no_connector)?;
    if system.is_empty() && !instance.is_empty() {
        return Err(invalid("system", format!("expected the system that {instance:?} is a tenant of, got nothing")));
    }
    let source = (!system.is_empty()).then(|| (system, instance_or_default(instance)));
    let ticket_instance = instance_or_default(ticket_instance);
    let named = source.iter().flat_map(|(system, instance)| [("system", system), ("instance", instance)]);
    for (field, name) in named.chain([("ticket_instance", &ticket_instance)]) {
        check_name(name).map_err(|error| invalid(field, error.to_string()))?;
    }
    Ok(Asked { connector, source, ticket_instance, dry_run, may_see })
}

#[cfg(test)]
mod tests {
    use counterfoil_ledger::{Ledger, Location, Options, Sealing, SystemClock, init};
    use counterfoil_verify::time::Moment;
    use tonic_types::StatusExt;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::new(&folder.path().join("ledger"), None);
        let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
        init(&location, "tests.example/remaps", &SystemClock::new(), &mut entropy).unwrap();
        let options = Options {
            clock: Box::new(SystemClock::new()),
            accept_clock: false,
            holder: "a test".to_owned(),
            sealing: Sealing::Never,
        };
        let ledger = Arc::new(Ledger::open(&location, options).unwrap());
        let now = || Moment { seconds: 1_800_000_000, nanos: 0 };
        let remaps = Remaps::new(Arc::new(Intake::new(ledger, now, || [7; 32])));
        let ask = || remaps.begin(RemapRequest { connector: "okta".to_owned(), ..RemapRequest::default() }, true);
        let turn = remaps.turn.try_acquire().unwrap();
        let busy = ask().unwrap_err();
        assert_eq!(busy.get_details_error_info().map(|info| info.reason), Some("REMAPPING".to_owned()));
        drop(turn);
        let done = ask().unwrap().recv().await.unwrap().unwrap();
        assert_eq!((done.looked_at, done.records, done.basis.map(|basis| basis.tree_size)), (1, 1, Some(1)));
        assert!(ask().is_ok(), "the turn ends before the last answer is there");
    }
}
