//! The views: everything that is derived from the log to answer questions, in one RocksDB of its own.
//!
//! Owns the life of that database. Whoever loses it loses time and nothing else: it is built again from the log, which is
//! also what happens when its format or its log is another one, or when it is ahead of the log. It never touches anything
//! but its own folder.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use counterfoil_ledger::{Head, Reader, WritePressure};
use counterfoil_proto::v1::EntityKind;
use counterfoil_verify::tree::TreeSize;

use crate::answers::Query;
use crate::error::{QueryError, Result};
use allowance::Allowance;
use database::{Batch, Database};
use projector::{BATCH_RECORDS, Projector, Rows};
use recent::{Changed, Standing};

pub(crate) mod allowance;
pub(crate) mod changes;
pub(crate) mod correlations;
pub(crate) mod database;
pub(crate) mod deltas;
mod firsts;
pub(crate) mod histories;
pub(crate) mod keys;
pub(crate) mod listed;
pub(crate) mod meta;
pub(crate) mod names;
pub(crate) mod nhi;
mod projector;
pub(crate) mod recent;
mod redacted;
pub(crate) mod replaced;
pub(crate) mod retries;
pub(crate) mod segments;
pub(crate) mod sources;
mod taken;
pub(crate) mod timelines;
pub(crate) mod traits;
pub(crate) mod watermarks;

/// Threads that read batches while others are projected.
const READERS: usize = 2;
/// Batches that each of them may be ahead.
const READ_AHEAD_BATCHES: usize = 1;

/// The views of one log. One process holds them at a time; any number of threads may ask.
pub struct Views {
    database: Database,
    reader: Reader,
    /// Empty before the first record is projected, and after an error: it is then loaded from the database.
    projector: Mutex<Option<Projector>>,
}

impl Views {
    /// Opens the views in `folder`, or makes empty ones there: where there are none, where they are of another format or
    /// log, and where they are ahead of the log. They answer once [`Views::catch_up`] has reached the head.
    ///
    /// # Errors
    /// [`QueryError::InUse`] if another process holds them; [`QueryError::Damaged`] if they cannot be read.
    pub fn open(folder: &Path, reader: Reader) -> Result<Self> {
        if Database::is_foreign(folder)? {
            Database::destroy(folder)?;
        }
        let mut database = Database::open(folder, reader.memory())?;
        database.purge()?;
        if !meta::fits(&database.view(), &reader)? {
            drop(database);
            Database::destroy(folder)?;
            database = Database::open(folder, reader.memory())?;
        }
        let mut batch = Batch::default();
        meta::found(&reader.head(), &mut batch);
        database.write(batch, &Changed::default())?;
        Ok(Self { database, reader, projector: Mutex::default() })
    }

    /// The log that they are views of.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Projects all records up to the log's head, and says after each batch how many of how many are done. Questions that
    /// are asked meanwhile are answered as of the head before.
    pub fn catch_up(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<TreeSize> {
        let head = self.reader.head();
        let mut held = self.projector.lock().unwrap_or_else(PoisonError::into_inner);
        let mut projector = match held.take() {
            Some(projector) => projector,
            None => Projector::load(&self.database)?,
        };
        let (start, end) = (projector.size().0, head.size.0);
        match end.saturating_sub(start) {
            0 => {}
            // What follows the log step by step is not worth a thread.
            1..=BATCH_RECORDS => {
                let rows = Rows::of(self.reader.entries(start..end))?;
                projector.advance(&self.database, &self.reader, rows, &head)?;
                progress(end, end);
            }
            _ => self.project(&mut projector, &head, progress)?,
        }
        let size = projector.size();
        *held = Some(projector);
        Ok(size)
    }

    /// Projects many batches of records, up to `head`.
    fn project(&self, projector: &mut Projector, head: &Head, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let start = projector.size().0;
        std::thread::scope(|scope| -> Result<()> {
            // Each of these threads reads every other batch, checks it and makes what rows need no database; this one
            // takes turns with them and does the rest.
            let step = READERS as u64 * BATCH_RECORDS;
            let starts = (0..READERS as u64).map(|turn| start + turn * BATCH_RECORDS);
            let batches: Vec<_> = starts
                .map(|first| {
                    let (sender, batches) = sync_channel(READ_AHEAD_BATCHES);
                    let (reader, end) = (&self.reader, head.size.0);
                    scope.spawn(move || {
                        for from in (first..end).step_by(step as usize) {
                            let rows = Rows::of(reader.entries(from..end.min(from + BATCH_RECORDS)));
                            // After an error nothing more is read; the receiver may have gone after one of its own.
                            let goes_on = rows.is_ok();
                            if sender.send(rows).is_err() || !goes_on {
                                return;
                            }
                        }
                    });
                    batches
                })
                .collect();
            let mut turns = batches.iter().cycle();
            while projector.size() < head.size
                && let Some(Ok(rows)) = turns.next().map(Receiver::recv)
            {
                projector.advance(&self.database, &self.reader, rows?, head)?;
                progress(projector.size().0, head.size.0);
            }
            Ok(())
        })
    }

    /// How their database holds back whoever writes to it.
    pub fn pressure(&self) -> WritePressure {
        self.database.pressure()
    }

    /// Everything that can be asked, as of the newest head that the views have reached. All answers of one query rest on
    /// the same tree, whatever is projected meanwhile.
    ///
    /// # Errors
    /// [`QueryError::Behind`] if they have never reached one.
    pub fn query(&self) -> Result<Query<'_>> {
        self.query_with(Allowance::default())
    }

    /// The same; an answer reads no more than it may.
    pub(crate) fn query_with(&self, allowance: Allowance) -> Result<Query<'_>> {
        let view = self.database.view_with(allowance);
        let standing = view.recent().standing(view.since(), || {
            let [listed, ruled] = sources::places_of(&view, [EntityKind::SnapshotScope, EntityKind::Rule])?;
            let basis = meta::basis(&view)?;
            let size = basis.map_or(TreeSize(0), |basis| basis.size);
            let tickets_known_until = watermarks::tickets_known_until(&view, size)?;
            Ok(Standing { basis, listed, ruled, tickets_known_until })
        })?;
        match standing.basis {
            Some(basis) => Ok(Query::new(view, &self.reader, basis, standing)),
            None => {
                let size = meta::cursor(&view)?.map_or(TreeSize(0), |cursor| cursor.size);
                Err(QueryError::Behind { size })
            }
        }
    }

    /// How many rows were written since the views were opened, for the benchmark.
    pub fn keys_written(&self) -> u64 {
        self.database.keys_written()
    }

    /// Makes what is projected durable. Dropping the views does so too, but cannot say that it failed.
    pub fn flush(&self) -> Result<()> {
        self.database.flush()
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        // What is not flushed is projected again from the log.
        let _ = self.database.flush();
    }
}
