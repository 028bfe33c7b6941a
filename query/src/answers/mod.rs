//! The answers: what is asked of the views, in the messages of `answer.proto`.
//!
//! Owns what every question has in common: its basis, and what its two times come to. It never writes, and never reads a
//! clock: whoever asks says what "now" is.

use counterfoil_ledger::Reader;
use counterfoil_proto::v1::{Basis, Moment as AnswerMoment};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::record;
use counterfoil_verify::time::{Moment, OccurredAt, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::{QueryError, Result};
use crate::views::database::View;
use crate::views::{histories, meta, names};

mod aliases;
mod convert;
mod diff;
mod explain;
mod history;
mod live;
mod parties;
mod reconcile;
mod resolve;
mod sights;
mod sources;
mod state;
mod summary;

pub use explain::{ChangeSelector, ExplainFilter};
pub use history::HistoryRequest;
pub use resolve::Wanted;

/// Questions to the views as of one head of the log.
///
/// `at` is the time by the sources' clocks up to which facts count. `known` is the time by the ledger's clock up to which
/// records count; none means all of the basis.
pub struct Query<'a> {
    view: View<'a>,
    reader: &'a Reader,
    basis: meta::Basis,
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
    pub(crate) fn new(view: View<'a>, reader: &'a Reader, basis: meta::Basis) -> Self {
        Self { view, reader, basis }
    }

    /// The tree that all answers of this query rest on.
    pub fn basis(&self) -> Basis {
        Basis {
            origin: self.reader.head().origin.as_str().to_owned(),
            tree_size: self.basis.size.0,
            root: self.basis.root.as_bytes().to_vec(),
        }
    }

    /// The two times of a question, as its answer states them.
    pub fn moment_of(&self, at: Option<OccurredAt>, known: Option<RecordedAt>) -> Result<AnswerMoment> {
        self.moment(at, known, self.known_size(known)?)
    }

    /// Whether the ledger holds anything that happened to an entity by `at`.
    pub fn is_known(&self, entity: &EntityId, at: OccurredAt, known: Option<RecordedAt>) -> Result<bool> {
        histories::is_known(&self.view, entity, at, self.known_size(known)?)
    }

    /// Whether the ledger holds anything of an entity, whenever it happened and was recorded.
    pub fn is_seen(&self, entity: &EntityId) -> Result<bool> {
        let size = self.basis.size;
        let is_bound = |token| names::bound_to(&self.view, &token, size).map(|bound| !bound.is_empty());
        Ok(names::is_seen(&self.view, entity, size)? || entity.token().map_or(Ok(false), is_bound)?)
    }

    /// How many records count.
    fn known_size(&self, known: Option<RecordedAt>) -> Result<TreeSize> {
        match known {
            Some(known) => Ok(self.reader.size_at(known)?.min(self.basis.size)),
            None => Ok(self.basis.size),
        }
    }

    /// The two times of a question, as its answer states them.
    fn moment(&self, at: Option<OccurredAt>, known: Option<RecordedAt>, size: TreeSize) -> Result<AnswerMoment> {
        let known_at = match (known, size.0.checked_sub(1)) {
            (Some(known), _) => Some(known),
            (None, Some(last)) => Some(record::recorded_at(&self.reader.record(RecordIndex(last))?)),
            (None, None) => None,
        };
        Ok(AnswerMoment {
            at: at.map(|at| convert::timestamp(at.0)),
            known_at: known_at.map(|known_at| convert::timestamp(known_at.0)),
            known_size: size.0,
        })
    }

    /// Refuses a record that was not known then.
    fn check_known(&self, index: RecordIndex, size: TreeSize) -> Result<()> {
        if index.0 < size.0 { Ok(()) } else { Err(QueryError::NotKnownThen { index, size }) }
    }
}
