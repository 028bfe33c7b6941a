//! The answers: what is asked of the views, in the messages of `answer.proto`.
//!
//! Owns what every question has in common: its basis, and what its two times come to. It never writes, and never reads a
//! clock: whoever asks says what "now" is.

use std::sync::Arc;

use counterfoil_ledger::{LedgerError, Reader};
use counterfoil_proto::v1::{Basis, Beside, Moment as AnswerMoment, Record, Withheld};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::record;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::{QueryError, Result};
use crate::views::database::View;
use crate::views::recent::Standing;
use crate::views::{meta, names};

mod access;
mod acts;
mod affected;
mod blast;
mod capable;
mod changes;
mod completeness;
mod convert;
mod diff;
mod evidence;
mod explain;
mod grant;
mod graph;
mod history;
mod identities;
mod judge;
mod linked;
mod live;
mod moments;
mod nhi;
mod pages;
mod parties;
mod paths;
mod people;
mod persons;
mod proofs;
mod reconcile;
mod resolve;
mod reversal;
mod sights;
mod sources;
mod state;
mod steps;
mod summary;
mod trace;
mod verdicts;
mod wanted;

pub use access::AccessRequest;
pub use capable::CapableRequest;
pub use changes::{ChangesRequest, ExplainFilter};
pub(crate) use convert::{basis, moment_text, timestamp};
pub use explain::ChangeSelector;
pub use grant::GrantRequest;
pub use history::HistoryRequest;
pub use nhi::NhiRequest;
pub(crate) use nhi::is_non_human;
pub use pages::Page;
pub use paths::PathsRequest;
pub use proofs::Proved;
pub use resolve::Wanted;
pub use reversal::ReversalOf;

/// Questions to the views as of one head of the log.
///
/// `at` is the time by the sources' clocks up to which facts count. `known` is the time by the ledger's clock up to which
/// records count; none means all of the basis.
pub struct Query<'a> {
    view: View<'a>,
    reader: &'a Reader,
    basis: meta::Basis,
    standing: Arc<Standing>,
    /// Whether names and other personal values are shown.
    shows_names: bool,
}

/// A time by the sources' clocks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first moment that counts.
    pub from: OccurredAt,
    /// The last moment that counts.
    pub to: OccurredAt,
}

impl Period {
    /// All time.
    pub const ALWAYS: Self = Self { from: OccurredAt(Moment::MIN), to: OccurredAt(Moment::MAX) };
}

impl<'a> Query<'a> {
    pub(crate) fn new(view: View<'a>, reader: &'a Reader, basis: meta::Basis, standing: Arc<Standing>) -> Self {
        Self { view, reader, basis, standing, shows_names: true }
    }

    /// The same questions, answered without names and other personal values; the basis says so.
    pub fn without_names(self) -> Self {
        Self { shows_names: false, ..self }
    }

    /// The tree that all answers of this query rest on.
    pub fn basis(&self) -> Basis {
        Basis {
            origin: self.reader.head().origin.as_str().to_owned(),
            tree_size: self.basis.size.0,
            root: self.basis.root.as_bytes().to_vec(),
            withheld: if self.shows_names { Vec::new() } else { vec![Withheld::PersonalValues.into()] },
            proof: None,
        }
    }

    /// A record of the tree that all answers rest on.
    pub fn record(&self, index: RecordIndex) -> Result<Record> {
        let size = self.basis.size;
        if index.0 >= size.0 {
            return Err(LedgerError::NoSuchRecord { index, size }.into());
        }
        self.read_record(index)
    }

    fn read_record(&self, index: RecordIndex) -> Result<Record> {
        self.view.slow()?;
        Ok(self.reader.record(index)?)
    }

    fn read_beside(&self, index: RecordIndex) -> Result<Option<Beside>> {
        self.view.slow()?;
        Ok(self.reader.beside(index)?)
    }

    /// Whether the answer was refused because a quick one may not read what it needs.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.view.is_too_slow()
    }

    /// Refuses the id of an entity that the ledger holds nothing of, whenever it happened and was recorded.
    ///
    /// # Errors
    /// [`QueryError::NoSuchEntity`].
    pub fn check_seen(&self, who: &str) -> Result<()> {
        let Ok(entity) = who.trim().parse::<EntityId>() else { return Ok(()) };
        let size = self.basis.size;
        let is_bound = |token| names::bound_to(&self.view, &token, size).map(|bound| !bound.is_empty());
        let is_seen = names::is_seen(&self.view, &entity, size)? || entity.token().map_or(Ok(false), is_bound)?;
        if is_seen { Ok(()) } else { Err(QueryError::NoSuchEntity(entity)) }
    }

    /// How many records count.
    fn known_size(&self, known: Option<RecordedAt>) -> Result<TreeSize> {
        match known {
            Some(known) => {
                self.view.slow()?;
                Ok(self.reader.size_at(known)?.min(self.basis.size))
            }
            None => Ok(self.basis.size),
        }
    }

    /// The two times of a question, as its answer states them.
    fn moment(&self, at: Option<OccurredAt>, known: Option<RecordedAt>, size: TreeSize) -> Result<AnswerMoment> {
        let known_at = match (known, size.0.checked_sub(1)) {
            (Some(known), _) => Some(known),
            (None, Some(_)) if size == self.basis.size => Some(self.basis.recorded_at),
            (None, Some(last)) => Some(record::recorded_at(&self.read_record(RecordIndex(last))?)),
            (None, None) => None,
        };
        Ok(AnswerMoment {
            at: at.map(|at| convert::timestamp(at.0)),
            known_at: known_at.map(|known_at| convert::timestamp(known_at.0)),
            known_size: size.0,
        })
    }

    /// When the last of the first `size` records was recorded.
    fn learned_at(&self, size: TreeSize) -> Result<RecordedAt> {
        match size.0.checked_sub(1) {
            Some(_) if size == self.basis.size => Ok(self.basis.recorded_at),
            Some(last) => Ok(record::recorded_at(&self.read_record(RecordIndex(last))?)),
            None => Ok(RecordedAt(Moment::MIN)),
        }
    }

    /// Refuses a record that was not known then, and one that was read again by then.
    fn check_known(&self, index: RecordIndex, size: TreeSize) -> Result<()> {
        if index.0 >= size.0 {
            return Err(QueryError::NotKnownThen { index, size });
        }
        match self.view.replaced().by(index).filter(|by| *by < size.0) {
            Some(by) => Err(QueryError::ReadAgain { index, by: RecordIndex(by) }),
            None => Ok(()),
        }
    }
}
