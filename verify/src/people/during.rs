//! Who stood for somebody at any moment of a time.
//!
//! Owns the walk over the moments at which that changed, as the closure at each of them says.

use std::collections::BTreeSet;

use crate::entity::EntityId;
use crate::people::{Asked, People, Told};
use crate::time::OccurredAt;
use crate::tree::TreeSize;

/// The most moments of change that are followed.
const MOMENTS_MAX: usize = 256;

impl<T: Told> People<T> {
    /// Everything that stood for one of `starts`, each of them by itself, at some moment from `from` to `to`, and whether
    /// there is more than was followed. What is closed over together can come to less: records may tell two of them apart.
    pub fn aliases_during<'s>(
        &mut self,
        starts: impl IntoIterator<Item = &'s Vec<EntityId>>,
        (from, to): (OccurredAt, OccurredAt),
        known: TreeSize,
    ) -> Result<(BTreeSet<EntityId>, bool), T::Error> {
        let (mut found, mut is_cut) = (BTreeSet::new(), false);
        for start in starts {
            found.extend(start.iter().cloned());
            let mut next = Some(from);
            for _ in 0..MOMENTS_MAX {
                let Some(at) = next else { break };
                let mut asked = Asked::new(at, known);
                let aliases = self.closure(start.clone(), &mut asked)?;
                is_cut |= aliases.is_cut;
                found.extend(aliases.entities().iter().cloned());
                next = asked.span.until.filter(|until| *until <= to);
            }
            is_cut |= next.is_some();
        }
        Ok((found, is_cut))
    }
}
