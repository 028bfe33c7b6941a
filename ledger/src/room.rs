//! A disk without room: what the owner does until there is some.
//!
//! Owns how it goes on, without a restart. What was written for a batch that found no room is cut off: RocksDB gives up the
//! write-ahead log whose end it cannot know, once it has written out what it holds in memory and its
//! `SstFileManager` finds as much room as a write buffer needs (64 MiB). It never takes back what is durable.

use std::sync::PoisonError;
use std::time::Duration;

use rocksdb::WriteBatch;
use tokio::sync::mpsc;

use crate::condition::Condition;
use crate::error::{LedgerError, Result};
use crate::owner::{Owner, Pending};
use crate::recover;
use crate::redaction;
use crate::store::{self, EDGE, StoredNodes};

/// How often the owner looks for room.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Owner {
    /// Refuses what comes as long as a disk is full, and looks again and again whether there is room.
    pub(crate) fn wait_for_room(&mut self, queue: &mut mpsc::Receiver<Pending>) {
        loop {
            let Some(refusal) = self.condition.borrow().passing() else { return };
            let is_over = tokio::runtime::Builder::new_current_thread().enable_time().build().map(|runtime| {
                let refused = refuse(queue, &refusal);
                runtime.block_on(async { tokio::time::timeout(LOOK_EVERY, refused).await.is_ok() })
            });
            let resumed = match is_over {
                Ok(true) => return,
                Ok(false) => self.resume(),
                Err(error) => Err(LedgerError::Closed(error.to_string())),
            };
            self.stands(resumed.map_or_else(|error| Condition::after(&error), |()| Condition::Taking));
        }
    }

    /// Goes on after a failure that kept everything as it was, once both databases take writes again: from what the log
    /// holds, by the checks of the start. What was durable, and acknowledged to nobody, is signed now.
    fn resume(&mut self) -> Result<()> {
        let (reader, commits) = (self.reader.clone(), self.commits.clone());
        let _on_its_way = commits.lock().unwrap_or_else(PoisonError::into_inner);
        let (log, derived) = (reader.log(), reader.derived());
        let mut again = WriteBatch::default();
        again.put(EDGE, store::edge_value(&log.edge()?));
        log.write_synced(again)?;
        let size = log.size()?;
        self.coverage = recover::catch_up(log, derived, size)?;
        let nodes = StoredNodes { log, derived, size };
        self.frontier = recover::right_edge(&nodes)?;
        (self.last_leaf, self.last_time) = recover::last_record(&nodes, &self.frontier)?;
        let redactions = redaction::list(derived, 0..size.0)?;
        redaction::apply(log, &redactions)?;
        self.removals.bring_up(log, &redactions)?;
        self.schedule.committed(!self.coverage.is_sealed());
        if size > reader.head().size { self.sign_and_publish() } else { Ok(()) }
    }
}

/// Refuses whatever comes, until the ledger is closed.
async fn refuse(queue: &mut mpsc::Receiver<Pending>, refusal: &LedgerError) {
    while let Some((_, reply)) = queue.recv().await {
        // The asker may have gone; there is nobody else to tell.
        let _ = reply.send(Err(refusal.shared()));
    }
}
