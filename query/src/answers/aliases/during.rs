//! Who stood for somebody at any moment of a time.
//!
//! Owns the walk over the moments at which that changed, as the closure at each of them says.

use std::collections::BTreeSet;

use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::answers::people::{Asked, People, Span};
use crate::error::Result;

/// The most moments of change that are followed.
const MOMENTS_MAX: usize = 256;

impl People<'_, '_> {
    /// Everything that stood for one of `start` at some moment from `from` to `to`, and whether there is more than was
    /// followed.
    pub(crate) fn aliases_during(
        &mut self,
        start: &BTreeSet<EntityId>,
        (from, to): (OccurredAt, OccurredAt),
        known: TreeSize,
    ) -> Result<(BTreeSet<EntityId>, bool)> {
        let (mut found, mut is_cut) = (start.clone(), false);
        let mut at = from;
        for _ in 0..MOMENTS_MAX {
            let mut asked = Asked { at, known, span: Span::ALWAYS };
            let aliases = self.closure(start.iter().cloned().collect(), &mut asked)?;
            is_cut |= aliases.is_cut;
            found.extend(aliases.entities().iter().cloned());
            match asked.span.until.filter(|until| *until <= to) {
                Some(next) => at = next,
                None => return Ok((found, is_cut)),
            }
        }
        Ok((found, true))
    }
}
