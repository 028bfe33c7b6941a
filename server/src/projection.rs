//! Keeping the views up to date while the log grows.
//!
//! Owns the one thread that projects, and what the services know of its progress.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use counterfoil_ledger::{Reader, WritePressure};
use counterfoil_query::Views;
use counterfoil_verify::tree::TreeSize;
use tokio::sync::watch;

/// How often the thread looks whether it shall stop, while nothing is appended.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long it waits after a failure before it tries again.
const RETRY: Duration = Duration::from_secs(5);

/// The progress of log and views.
#[derive(Clone)]
pub(crate) struct Projection(Arc<Shared>);

struct Shared {
    reader: Reader,
    /// None where nothing is answered from them.
    views: Option<Arc<Views>>,
    head: watch::Sender<TreeSize>,
    projected: watch::Sender<TreeSize>,
    problem: watch::Sender<Option<String>>,
    is_stopping: AtomicBool,
}

impl Projection {
    pub(crate) fn new(reader: Reader, views: Option<Arc<Views>>) -> Self {
        let size = reader.head().size;
        Self(Arc::new(Shared {
            reader,
            views,
            head: watch::Sender::new(size),
            projected: watch::Sender::new(TreeSize(0)),
            problem: watch::Sender::new(None),
            is_stopping: AtomicBool::new(false),
        }))
    }

    /// Follows the size of the log.
    pub(crate) fn head(&self) -> watch::Receiver<TreeSize> {
        self.0.head.subscribe()
    }

    /// Whether there are views.
    pub(crate) fn has_views(&self) -> bool {
        self.0.views.is_some()
    }

    /// Follows how far the views have come.
    pub(crate) fn projected(&self) -> watch::Receiver<TreeSize> {
        self.0.projected.subscribe()
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

    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub(crate) fn start(&self) -> io::Result<JoinHandle<()>> {
        let projection = self.clone();
        std::thread::Builder::new().name("views".to_owned()).spawn(move || projection.run())
    }

    /// Tells the thread to end.
    pub(crate) fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    fn run(&self) {
        let mut size = TreeSize(0);
        while !self.0.is_stopping.load(Ordering::Relaxed) {
            let head = self.0.reader.wait_beyond(size, PATIENCE);
            if head <= size {
                continue;
            }
            self.0.head.send_replace(head);
            let Some(views) = &self.0.views else {
                size = head;
                continue;
            };
            match views.catch_up(&mut |_, _| ()) {
                Ok(projected) => {
                    size = projected;
                    self.0.projected.send_replace(projected);
                    self.0.problem.send_replace(None);
                }
                Err(error) => {
                    let is_new = self.0.problem.send_replace(Some(error.to_string())).is_none();
                    if is_new {
                        tracing::error!(%error, "the views cannot be brought up to date");
                    }
                    std::thread::park_timeout(RETRY);
                }
            }
        }
    }
}
