//! Since when something is so, as far as any number of records tell: once it is so it stays, and only when it began is
//! asked.
//!
//! Owns the rows of such things, whatever they are: one whenever a record says that it began earlier than every record
//! before it says that still counts. Where one that counted is read again, what now is the first of the others gets a row.
//! So for each K the first time is known, and most records write nothing. What these things are is for whoever names the
//! column.
//!
//! ```text
//! what ‖ position   →   empty
//! ```

use std::hash::Hash;

use counterfoil_verify::tree::TreeSize;
use foldhash::HashMap;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::keys::{Position, position_bytes, split_position};

/// How many things of a sort the projector remembers: beyond that it starts afresh and asks the database again.
pub(crate) const REMEMBERED_MAX: usize = 120_000;

/// When each of many things was so by one batch of records.
pub(crate) struct Firsts<W>(HashMap<W, Times>);

/// Of one thing, in the order of the records.
#[derive(Default)]
struct Times {
    positions: Vec<Position>,
    /// A record that said so counts no longer.
    is_withdrawn: bool,
}

/// The earliest time of each thing, as the projector remembers it between batches.
pub(crate) type Remembered<W> = HashMap<W, Position>;

impl<W> Default for Firsts<W> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<W: Hash + Eq> Firsts<W> {
    /// Adds a time of one thing.
    pub(crate) fn add(&mut self, what: W, position: Position) {
        self.0.entry(what).or_default().positions.push(position);
    }

    /// Notes that a record which says so counts no longer.
    pub(crate) fn withdraw(&mut self, what: W) {
        self.0.entry(what).or_default().is_withdrawn = true;
    }

    /// The things that are so.
    pub(crate) fn things(&self) -> impl Iterator<Item = &W> {
        self.0.keys()
    }

    /// Adds the rows, and says for each thing that has none so far which position came first. `first_counting` finds the
    /// first of all times in the database that count.
    pub(crate) fn project(
        self,
        (view, column): (&View<'_>, Column),
        prefix_of: impl Fn(&W) -> Vec<u8>,
        remembered: &mut Remembered<W>,
        batch: &mut Batch,
        first_counting: impl Fn(&W) -> Result<Option<Position>>,
        mut on_new: impl FnMut(&W, Position, &mut Batch),
    ) -> Result<()> {
        if remembered.len() + self.0.len() > REMEMBERED_MAX {
            remembered.clear();
        }
        for (what, Times { positions, is_withdrawn }) in self.0 {
            let prefix = prefix_of(&what);
            let counts = |position: &Position| view.counts(position, TreeSize(u64::MAX));
            let put = |position: &Position, batch: &mut Batch| {
                batch.put(column, &[&prefix, &position_bytes(position)], &[]);
            };
            let held = remembered.remove(&what).filter(|_| !is_withdrawn);
            let mut earliest = match held {
                Some(held) => Some(held),
                None => {
                    let rows = view.forward(column, &prefix, &prefix)?;
                    let held = rows.map(|row| split(view, &row?.0).map(|(_, position)| position));
                    let held = held.collect::<Result<Vec<_>>>()?;
                    if let (true, Some(first)) = (held.is_empty(), positions.first()) {
                        on_new(&what, *first, batch);
                    }
                    held.into_iter().filter(counts).min()
                }
            };
            if is_withdrawn {
                earliest = first_counting(&what)?;
                earliest.iter().for_each(|first| put(first, batch));
            }
            for position in positions {
                if earliest.is_none_or(|held| position < held) {
                    put(&position, batch);
                    earliest = Some(position).filter(counts).or(earliest);
                }
            }
            remembered.extend(earliest.map(|earliest| (what, earliest)));
        }
        Ok(())
    }
}

/// What the key of a row names, and the time.
pub(crate) fn split<'k>(view: &View<'_>, row_key: &'k [u8]) -> Result<(&'k [u8], Position)> {
    split_position(row_key).ok_or_else(|| view.damaged("a row that says since when something is so cannot be read"))
}
