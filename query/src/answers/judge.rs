//! What the approvals say about a change, by the views.
//!
//! Owns how a ticket is read from them. What follows from it, `verify::judge` says.

use std::rc::Rc;

use counterfoil_proto::v1::Delivery;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::judge;
use counterfoil_verify::people::{ToldFact, ToldTicket};
use counterfoil_verify::replay::FactAt;

use crate::answers::Query;
use crate::answers::people::Viewed;
use crate::error::{QueryError, Result};
use crate::views::database::{Column, View};
use crate::views::deltas::{self, Delta};
use crate::views::keys::{Position, entity_prefix};

/// Judges changes by what the views hold at one moment.
pub(crate) type Judge<'q, 'a> = judge::Judge<Viewed<'q, 'a>>;

impl<'a> Query<'a> {
    /// Judges changes.
    pub(crate) fn judge(&self) -> Judge<'_, 'a> {
        Judge::new(self.viewed())
    }
}

/// The facts about a ticket, as the views have them.
pub(crate) struct TicketRows<'q, 'a> {
    view: &'q View<'a>,
    places: Vec<Position>,
    rows: Vec<Box<[u8]>>,
}

impl<'q, 'a> TicketRows<'q, 'a> {
    /// Reads those of a ticket.
    pub(crate) fn read(view: &'q View<'a>, ticket: &EntityId) -> Result<Self> {
        let prefix = entity_prefix(ticket);
        let rows = deltas::placed(view, view.forward(Column::Deltas, &prefix, &prefix)?);
        let (places, rows) = rows.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Self { view, places, rows })
    }
}

impl ToldTicket for TicketRows<'_, '_> {
    type Error = QueryError;
    type Fact = PlacedDelta;

    fn places(&self) -> &[Position] {
        &self.places
    }

    fn fact(&self, number: usize) -> Result<PlacedDelta> {
        Ok(PlacedDelta(self.places[number], Delta::read(self.view, &self.rows[number])?))
    }
}

/// A fact at its place.
pub(crate) struct PlacedDelta(Position, Rc<Delta>);

impl ToldFact for PlacedDelta {
    fn at(&self) -> FactAt<'_> {
        self.1.at(self.0)
    }

    fn delivery(&self) -> Delivery {
        self.1.delivery()
    }
}
