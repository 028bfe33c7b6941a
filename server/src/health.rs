//! How the server is doing, for those who watch it: `grpc.health.v1`, `/healthz` and `/readyz`.
//!
//! Owns what counts as ready: the views answer, and are not far behind the log.

use http::StatusCode;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::follow::Follower;

/// How many records the views may be behind the log while the server counts as ready.
const LAG_MAX: u64 = 100_000;
/// The services that answer from the log alone.
pub(crate) const OF_LOG: [&str; 2] = ["counterfoil.v1.LedgerService", "counterfoil.v1.IngestService"];
/// Those that answer from the views; the empty name is the server as a whole.
pub(crate) const OF_VIEWS: [&str; 4] =
    ["", "counterfoil.v1.IdentityService", "counterfoil.v1.LinkageService", "counterfoil.v1.SourceService"];

/// How the server is doing.
#[derive(Clone)]
pub(crate) struct Health {
    follower: Follower,
    reporter: HealthReporter,
}

impl Health {
    /// What tells how the server is doing, and its service.
    pub(crate) fn new(follower: Follower) -> (Self, HealthServer<impl HealthRpc>) {
        let (reporter, service) = health_reporter();
        (Self { follower, reporter }, service)
    }

    /// The process lives. Whether it is of use is told by `ready`.
    pub(crate) fn live(&self) -> (StatusCode, String) {
        (StatusCode::OK, "ok\n".to_owned())
    }

    /// Whether questions are answered, and why not.
    pub(crate) fn ready(&self) -> (StatusCode, String) {
        match self.not_ready() {
            None => (StatusCode::OK, "ok\n".to_owned()),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }

    fn not_ready(&self) -> Option<String> {
        if let Some(problem) = self.follower.problem().borrow().as_ref() {
            return Some(format!("the views cannot be brought up to date: {problem}"));
        }
        let (head, projected) = (self.follower.head().borrow().0, self.follower.projected().borrow().0);
        let lag = head.saturating_sub(projected);
        let is_behind = projected == 0 || lag > LAG_MAX;
        is_behind.then(|| format!("the views are {lag} records behind the log, which has {head}"))
    }

    /// Tells the health service whenever something changes, until the server ends.
    pub(crate) async fn watch(self) {
        for service in OF_LOG {
            self.reporter.set_service_status(service, ServingStatus::Serving).await;
        }
        let (mut projected, mut problem) = (self.follower.projected(), self.follower.problem());
        let mut was_ready = None;
        loop {
            let is_ready = self.not_ready().is_none();
            if was_ready != Some(is_ready) {
                let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
                for service in OF_VIEWS {
                    self.reporter.set_service_status(service, status).await;
                }
                was_ready = Some(is_ready);
            }
            let goes_on = tokio::select! {
                changed = projected.changed() => changed.is_ok(),
                changed = problem.changed() => changed.is_ok(),
            };
            if !goes_on {
                return;
            }
        }
    }
}
