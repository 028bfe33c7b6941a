//! What Prometheus reads at `/metrics`: docs/metrics.md has the names.
//!
//! Owns what is measured when somebody looks: sizes, lags, how databases hold back their writers, and the process. No
//! label holds anything that a caller made up.

use std::sync::OnceLock;
use std::time::Duration;

use counterfoil_query::follow::{Following, Trouble};
use counterfoil_verify::time::Moment;
use metrics_exporter_prometheus::PrometheusHandle;
use metrics_process::Collector;
use tokio::sync::watch;
use tonic::Status;

use crate::ServerError;
use crate::json::problem::Problem;
use crate::projection::Projection;

mod described;

/// How often what was measured is put into its buckets where nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// The size of the log that a replica copies, whether it does, and whether that is another log.
const OF_REPLICA: [&str; 3] = ["counterfoil_source_records", "counterfoil_following", "counterfoil_source_refused"];

/// What this process has measured, and since when: a standby that takes over goes on counting.
static RECORDED: OnceLock<(PrometheusHandle, Moment)> = OnceLock::new();

/// What was measured.
#[derive(Clone)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    since: Moment,
    projection: Projection,
    following: Option<watch::Receiver<Following>>,
    process: Collector,
}

impl Metrics {
    /// Begins to measure.
    ///
    /// # Errors
    /// [`ServerError::Metrics`] if somebody else in this process does so already.
    pub(crate) fn install(
        projection: Projection,
        following: Option<watch::Receiver<Following>>,
        now: Moment,
    ) -> Result<Self, ServerError> {
        let (handle, since) = match RECORDED.get() {
            Some(recorded) => {
                if following.is_none() {
                    // A standby that has taken over copies nothing any more.
                    OF_REPLICA.iter().for_each(|name| metrics::gauge!(*name).set(f64::NAN));
                }
                recorded.clone()
            }
            None => {
                let recorder =
                    described::builder().map_err(|error| ServerError::Metrics(error.to_string()))?.build_recorder();
                let handle = recorder.handle();
                metrics::set_global_recorder(recorder).map_err(|error| ServerError::Metrics(error.to_string()))?;
                RECORDED.get_or_init(|| (handle, now)).clone()
            }
        };
        let process = Collector::default();
        described::describe();
        process.describe();
        metrics::gauge!("counterfoil_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { handle, since, projection, following, process })
    }

    /// Since when is counted.
    pub(crate) fn since(&self) -> Moment {
        self.since
    }

    /// Everything, in Prometheus' text format.
    pub(crate) async fn text(self) -> Result<String, Problem> {
        let rendered = tokio::task::spawn_blocking(move || self.render()).await;
        rendered.map_err(|error| Status::unavailable(format!("the server is stopping: {error}")).into())
    }

    /// The same, in a thread that may wait for the disk.
    pub(crate) fn render(&self) -> String {
        metrics::gauge!("counterfoil_log_records").set(self.projection.head().borrow().0 as f64);
        if self.projection.has_views() {
            metrics::gauge!("counterfoil_views_records").set(self.projection.projected().borrow().0 as f64);
            metrics::gauge!("counterfoil_views_failing").set(one_if(self.projection.problem().borrow().is_some()));
        }
        for (connector, letters) in self.projection.letters_waiting() {
            metrics::gauge!("counterfoil_dead_letters", "connector" => connector).set(letters as f64);
        }
        if let Some(following) = &self.following {
            let Following { source, trouble } = following.borrow().clone();
            let is_refused = matches!(trouble, Some(Trouble::Refused(_)));
            let values = [source.0 as f64, one_if(trouble.is_none()), one_if(is_refused)];
            OF_REPLICA.iter().zip(values).for_each(|(name, value)| metrics::gauge!(*name).set(value));
        }
        self.render_pressure();
        self.process.collect();
        self.handle.render()
    }

    fn render_pressure(&self) {
        for (database, pressure) in self.projection.pressure() {
            let is_stopped = pressure.is_stopped.map_or(f64::NAN, one_if);
            metrics::gauge!("counterfoil_database_writes_stopped", "database" => database).set(is_stopped);
            let rate = pressure.delayed_bytes_per_second.map_or(f64::NAN, |rate| rate as f64);
            metrics::gauge!("counterfoil_database_delayed_write_bytes_per_second", "database" => database).set(rate);
            for (kind, stalls) in [("delayed", pressure.delays), ("stopped", pressure.stops)] {
                let Some(stalls) = stalls else { continue };
                let labels = [("database", database), ("kind", kind)];
                metrics::counter!("counterfoil_database_write_stalls_total", &labels).absolute(stalls);
            }
        }
    }

    /// Keeps what was measured small, until the server ends.
    pub(crate) async fn keep(self) {
        let mut turns = tokio::time::interval(UPKEEP);
        loop {
            turns.tick().await;
            self.handle.run_upkeep();
        }
    }
}

fn one_if(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}
