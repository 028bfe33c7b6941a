//! How the server is doing, for those who watch it: `grpc.health.v1`, `/healthz` and `/readyz`.
//!
//! Owns what counts as ready: the ledger takes appends, the views answer and are not far behind the log, and the log of a
//! replica is the right one. Where one of these is not so, the others go on, and say so by their own services.

use std::collections::HashMap;
use std::time::Duration;

use counterfoil_ledger::Condition;
use counterfoil_query::follow::{Following, Trouble};
use http::StatusCode;
use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::offer::{OF_INTAKE, OF_VIEWS, is_standby};
use crate::projection::Projection;

/// How many records the views may be behind the log while the server counts as ready.
const LAG_MAX: u64 = 100_000;
/// The least time between two looks: news come by thousands a second.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The name under which the health service knows the server as a whole.
const WHOLE: &str = "";

/// How the server is doing.
#[derive(Clone)]
pub(crate) struct Health {
    projection: Projection,
    /// Whether events are taken, where they are at all.
    condition: Option<watch::Receiver<Condition>>,
    /// How it goes with the log that is copied, where one is.
    following: Option<watch::Receiver<Following>>,
    services: Vec<&'static str>,
    reporter: HealthReporter,
}

impl Health {
    /// What tells how the server is doing, and its service.
    pub(crate) fn new(
        services: Vec<&'static str>,
        projection: Projection,
        condition: Option<watch::Receiver<Condition>>,
        following: Option<watch::Receiver<Following>>,
    ) -> (Self, HealthServer<impl HealthRpc>) {
        let (reporter, service) = health_reporter();
        (Self { projection, condition, following, services, reporter }, service)
    }

    /// The process lives. Whether it is of use is told by `ready`.
    pub(crate) fn live(&self) -> (StatusCode, String) {
        (StatusCode::OK, "ok\n".to_owned())
    }

    /// Whether the server does what it is there for, and why not.
    pub(crate) fn ready(&self) -> (StatusCode, String) {
        match self.not_ready() {
            None => (StatusCode::OK, "ok\n".to_owned()),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }

    fn not_ready(&self) -> Option<String> {
        let standby = || "this is a standby: it takes events once its owner's lease has run out".to_owned();
        let own = self.no_log().or_else(|| self.no_appends()).or_else(|| self.no_answers());
        own.or_else(|| is_standby(&self.services).then(standby))
    }

    /// Why the log that is copied is not there, or not the right one.
    fn no_log(&self) -> Option<String> {
        let following = self.following.as_ref()?.borrow();
        if let Some(Trouble::Refused(what)) = &following.trouble {
            return Some(format!("the log is not followed any more: {what}"));
        }
        let why = following.trouble.as_ref().map_or_else(String::new, |trouble| format!(": {}", trouble.what()));
        let is_empty = self.projection.head().borrow().0 == 0;
        is_empty.then(|| format!("nothing of the log was copied yet{why}"))
    }

    /// Why the ledger takes no appends. Which disk it is stands in the server's log.
    fn no_appends(&self) -> Option<String> {
        match &*self.condition.as_ref()?.borrow() {
            Condition::Taking => None,
            Condition::NoSpace(_) => Some("nothing is appended until there is room on a disk of the ledger".to_owned()),
            Condition::Closed(_) => Some("nothing is appended any more, and the server ends".to_owned()),
        }
    }

    /// Why the views do not answer, where there are any.
    fn no_answers(&self) -> Option<String> {
        if !self.projection.has_views() {
            return None;
        }
        if let Some(problem) = self.projection.problem().borrow().as_ref() {
            return Some(format!("the views cannot be brought up to date: {problem}"));
        }
        let (head, projected) = (self.projection.head().borrow().0, self.projection.projected().borrow().0);
        let lag = head.saturating_sub(projected);
        let is_behind = projected == 0 || lag > LAG_MAX;
        is_behind.then(|| format!("the views are {lag} records behind the log, which has {head}"))
    }

    /// Which services serve.
    fn serving(&self) -> Vec<(&'static str, bool)> {
        let answers = self.no_log().is_none() && self.no_answers().is_none();
        let serves = |service: &'static str| match service {
            OF_INTAKE => self.no_appends().is_none(),
            service if OF_VIEWS.contains(&service) => answers,
            _ => true,
        };
        let own = self.services.iter().map(|service| (*service, serves(service)));
        own.chain([(WHOLE, self.not_ready().is_none())]).collect()
    }

    /// Tells the health service whenever something changes, until the server ends.
    pub(crate) async fn watch(mut self) {
        let (mut head, mut projected) = (self.projection.head(), self.projection.projected());
        let mut problem = self.projection.problem();
        let mut told = HashMap::new();
        loop {
            for (service, serves) in self.serving() {
                if told.insert(service, serves) != Some(serves) {
                    let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
                    self.reporter.set_service_status(service, status).await;
                }
            }
            let goes_on = tokio::select! {
                changed = head.changed() => changed.is_ok(),
                changed = projected.changed() => changed.is_ok(),
                changed = problem.changed() => changed.is_ok(),
                changed = changed(&mut self.following) => changed,
                changed = changed(&mut self.condition) => changed && self.condition.as_mut().is_none_or(log),
            };
            if !goes_on {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until nothing is appended any more, and says why; for ever where nothing is appended at all.
    pub(crate) async fn closed(&self) -> String {
        let Some(mut condition) = self.condition.clone() else { return std::future::pending().await };
        match condition.wait_for(|condition| matches!(condition, Condition::Closed(_))).await.as_deref() {
            Ok(Condition::Closed(why)) => why.clone(),
            _ => "its owner has ended".to_owned(),
        }
    }
}

/// Tells the operator, who alone can make room. Whether the server goes on.
fn log(condition: &mut watch::Receiver<Condition>) -> bool {
    match &*condition.borrow_and_update() {
        Condition::Taking => tracing::info!("there is room again: events are appended"),
        Condition::NoSpace(what) => tracing::error!(what, "a disk is full: nothing is appended until there is room"),
        Condition::Closed(_) => return false,
    }
    true
}

/// Waits for news, for ever where there are none to be had. False where there will be none any more.
async fn changed<T>(news: &mut Option<watch::Receiver<T>>) -> bool {
    match news {
        Some(news) => news.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
