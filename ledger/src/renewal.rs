//! Renewing the lease: the owner shows every second that it is alive, whether it appends or not.
//!
//! Owns the thread that does so, and that everybody hears of it when another copy has taken over.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::anchor::Anchor;
use crate::error::{LedgerError, Result};
use crate::lease::Holder;

/// How often the lease is renewed. Who waits for it waits for several of these.
const EVERY: Duration = Duration::from_secs(1);

/// The thread, until this is dropped.
pub(crate) struct Renewal {
    /// None once it is to end.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    is_lost: watch::Receiver<bool>,
}

impl Renewal {
    /// Renews the lease of an anchor that `holder` has.
    pub(crate) fn start(anchor: &Path, holder: Holder) -> Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (lost, is_lost) = watch::channel(false);
        let path = anchor.to_owned();
        let renew = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // A renewal that fails is made up for by the next one, or the owner fails at the same anchor.
                if let Err(LedgerError::Held { .. }) = Anchor::renew(&path, &holder) {
                    lost.send_replace(true);
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ledger-lease".to_owned()).spawn(renew);
        let thread = thread.map_err(|error| LedgerError::file(anchor, error))?;
        Ok(Self { stop: Some(stop), thread: Some(thread), is_lost })
    }

    /// Waits until another copy has the lease.
    pub(crate) async fn until_lost(&self) {
        let mut is_lost = self.is_lost.clone();
        if is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
