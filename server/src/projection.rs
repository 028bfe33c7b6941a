//! Keeping the views up to date while the log grows.
//!
//! Owns when the views are brought up to date, and what the services know of their progress. Many small steps cost several
//! times what a large one does: while the log grows without a pause, they rest between two steps, unless somebody waits.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use counterfoil_ledger::{Reader, WritePressure};
use counterfoil_query::Views;
use counterfoil_query::services::Progress;
use counterfoil_verify::tree::TreeSize;
use tokio::sync::watch;
use tokio::time::Instant;

/// The least time from one step to the next, and the records that are not left to wait for so long.
const REST: Duration = Duration::from_millis(10);
const RECORDS_MAX: u64 = 1_000;
/// How long it waits after a failure before it tries again.
const RETRY: Duration = Duration::from_secs(5);

/// The progress of log and views.
#[derive(Clone)]
pub(crate) struct Projection(Arc<Shared>);

struct Shared {
    reader: Reader,
    /// None where nothing is answered from them.
    views: Option<Arc<Views>>,
    projected: watch::Sender<TreeSize>,
    /// The largest tree that somebody waits for.
    wanted: watch::Sender<TreeSize>,
    problem: watch::Sender<Option<String>>,
}

impl Projection {
    pub(crate) fn new(reader: Reader, views: Option<Arc<Views>>) -> Self {
        Self(Arc::new(Shared {
            reader,
            views,
            projected: watch::Sender::new(TreeSize(0)),
            wanted: watch::Sender::new(TreeSize(0)),
            problem: watch::Sender::new(None),
        }))
    }

    /// Follows the size of the log.
    pub(crate) fn head(&self) -> watch::Receiver<TreeSize> {
        self.0.reader.growth()
    }

    /// Whether there are views.
    pub(crate) fn has_views(&self) -> bool {
        self.0.views.is_some()
    }

    /// Follows how far the views have come.
    pub(crate) fn projected(&self) -> watch::Receiver<TreeSize> {
        self.0.projected.subscribe()
    }

    /// The same, for whoever waits for a size.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.projected(), self.0.wanted.clone())
    }

    /// Follows why the views cannot go on, where they cannot.
    pub(crate) fn problem(&self) -> watch::Receiver<Option<String>> {
        self.0.problem.subscribe()
    }

    /// How many dead letters wait to be put through, by connector; nothing where the views do not say.
    pub(crate) fn letters_waiting(&self) -> BTreeMap<String, u64> {
        let views = self.0.views.as_ref();
        views.and_then(|views| views.query().ok()?.letters_waiting().ok()).unwrap_or_default()
    }

    /// How each database holds back whoever writes to it, by the database's name.
    pub(crate) fn pressure(&self) -> impl IntoIterator<Item = (&'static str, WritePressure)> + use<> {
        let views = self.0.views.as_ref().map(|views| ("views", views.pressure()));
        self.0.reader.pressure().into_iter().chain(views)
    }

    /// Brings the views up to date again and again, until `stop` is there. A step that was begun is ended.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        let Some(views) = self.0.views.clone() else { return };
        let mut stop = pin!(stop);
        let (mut head, mut wanted) = (self.head(), self.0.wanted.subscribe());
        let mut size = TreeSize(0);
        loop {
            tokio::select! {
                _ = head.wait_for(|head| *head > size) => {}
                () = &mut stop => return,
            }
            let begun = Instant::now();
            let step = views.clone();
            let projected = tokio::task::spawn_blocking(move || step.catch_up(&mut |_, _| ())).await;
            let has_failed = match projected.map_err(|error| error.to_string()) {
                Ok(Ok(projected)) => {
                    size = projected;
                    self.reached(size, *head.borrow());
                    false
                }
                Ok(Err(error)) => self.failed(error.to_string()),
                Err(error) => self.failed(error),
            };
            let rest = async {
                tokio::select! {
                    () = tokio::time::sleep_until(begun + if has_failed { RETRY } else { REST }) => {}
                    _ = wanted.wait_for(|wanted| *wanted > size), if !has_failed => {}
                    _ = head.wait_for(|head| head.0 >= size.0 + RECORDS_MAX), if !has_failed => {}
                }
            };
            tokio::select! {
                () = rest => {}
                () = &mut stop => return,
            }
        }
    }

    /// Tells how far the views have come. What nobody can have been promised yet is not hurried for.
    fn reached(&self, size: TreeSize, head: TreeSize) {
        self.0.wanted.send_if_modified(|wanted| {
            if *wanted > head {
                *wanted = TreeSize(0);
            }
            false
        });
        self.0.projected.send_replace(size);
        self.0.problem.send_if_modified(|problem| problem.take().is_some());
    }

    /// Tells that the views cannot go on, and why.
    fn failed(&self, error: String) -> bool {
        if self.0.problem.borrow().is_none() {
            tracing::error!(error, "the views cannot be brought up to date");
        }
        self.0.problem.send_replace(Some(error));
        true
    }
}
