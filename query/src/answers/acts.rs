//! What somebody did, and what was done with it.
//!
//! Owns how far a history is looked at for that. It judges nothing of what was done, and counts nothing.

use counterfoil_proto::v1::Record;
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::fact::Role;
use counterfoil_verify::replay::{FactAt, facts_of};
use counterfoil_verify::tree::TreeSize;

use crate::answers::{Period, Query};
use crate::error::Result;
use crate::views::histories;
use crate::views::keys::Position;

/// The most facts of a history that are looked at, the latest.
const FACTS_MAX: usize = 10_000;

/// The places of the facts that somebody did, or that were done with it.
pub(crate) struct Acts {
    pub(crate) places: Vec<Position>,
    /// There are more facts about it than were looked at.
    pub(crate) is_cut: bool,
}

impl Query<'_> {
    /// What an entity did in a period, and what was done with it: of its latest facts.
    pub(crate) fn acts(&self, entity: &EntityId, period: Period, size: TreeSize) -> Result<Acts> {
        let mut acts = Acts { places: Vec::new(), is_cut: false };
        let rows = histories::latest(&self.view, entity, (period.from, period.to), size)?;
        for (count, row) in rows.enumerate() {
            let (place, roles) = row?;
            if count == FACTS_MAX {
                acts.is_cut = true;
                break;
            }
            if histories::has_role(roles, &[Role::Actor, Role::Via]) {
                acts.places.push(place);
            }
        }
        Ok(acts)
    }

    /// Reads the facts at some places, and hands each on with what belongs to its place. A record is read once where its
    /// facts follow each other.
    pub(crate) fn each_fact<T>(
        &self,
        places: impl IntoIterator<Item = (Position, T)>,
        mut each: impl FnMut(&FactAt<'_>, T) -> Result<()>,
    ) -> Result<()> {
        let mut record: Option<Record> = None;
        for (place, of) in places {
            let held = record.take().filter(|record| record.index == place.2.0);
            let read = held.map_or_else(|| self.read_record(place.2), Ok)?;
            if let Some(fact) = facts_of(&read).find(|fact| fact.evidence.fact == place.3) {
                each(&fact, of)?;
            }
            record = Some(read);
        }
        Ok(())
    }
}
