//! What listings of live access ever saw of an account or an entitlement.
//!
//! Owns these pairs, so that asking for them costs what was ever listed, however much else happened. It never says what
//! the last listing saw: the list beside its end does.
//!
//! ```text
//! listed   entity ‖ binary id of what it was seen with ‖ position   →   empty        (rows as `firsts` has them)
//! ```

use counterfoil_proto::v1::{EntityKind, FactKind};
use counterfoil_verify::entity::EntityId;
use counterfoil_verify::replay::FactAt;
use counterfoil_verify::time::OccurredAt;
use counterfoil_verify::tree::TreeSize;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::firsts::{Firsts, Remembered, split};
use crate::views::keys::{entity_prefix, key};

/// Whoever was listed, and what with.
pub(crate) type Pair = (EntityId, EntityId);

/// Whether a listing says anything of an entity.
pub(crate) fn may_be_listed(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Account | EntityKind::Entitlement)
}

/// Adds what a fact says that a listing saw; `bearers` are the entities whose state it changes.
pub(crate) fn add(fact: &FactAt<'_>, bearers: &[EntityId], pairs: &mut Firsts<Pair>) {
    if fact.fact.kind() != FactKind::SnapshotItem {
        return;
    }
    for one in bearers.iter().filter(|one| may_be_listed(one)) {
        for other in bearers.iter().filter(|other| *other != one) {
            pairs.add((one.clone(), other.clone()), fact.evidence.order());
        }
    }
}

/// Adds the rows of a batch of records.
pub(crate) fn project(
    view: &View<'_>,
    pairs: Firsts<Pair>,
    remembered: &mut Remembered<Pair>,
    batch: &mut Batch,
) -> Result<()> {
    let prefix = |(one, other): &Pair| key(&entity_prefix(one), &[other.as_bytes()]);
    pairs.project((view, Column::Listed), prefix, remembered, batch, |_, _, _| ())
}

/// What an entity was ever listed with by `at`, as far as the first `known` records tell.
pub(crate) fn with(view: &View<'_>, entity: &EntityId, at: OccurredAt, known: TreeSize) -> Result<Vec<EntityId>> {
    let prefix = entity_prefix(entity);
    let mut found: Vec<EntityId> = Vec::new();
    for row in view.forward(Column::Listed, &prefix, &prefix)? {
        let (row_key, _) = row?;
        let (pair, position) = split(view, &row_key)?;
        if position.0 <= at && position.1.0 < known.0 {
            let other = EntityId::from_bytes(&pair[prefix.len()..]).map_err(|error| view.damaged(error.to_string()))?;
            found.extend(Some(other).filter(|other| found.last() != Some(other)));
        }
    }
    Ok(found)
}
