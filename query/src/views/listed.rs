//! What listings of live access ever saw of an account or an entitlement.
//!
//! Owns these pairs, so that asking for them costs what was ever listed, however much else happened. It never says what
//! the last listing saw: the list beside its end does.
//!
//! ```text
//! listed   entity ‖ entity that it was seen with ‖ u16 length ‖ scope ‖ position   →   empty   (rows as `firsts` has them)
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

/// Whoever was listed, what with, and in which scope that holds.
pub(crate) type Seen = (EntityId, EntityId, String);

/// Whether a listing says anything of an entity.
pub(crate) fn may_be_listed(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Account | EntityKind::Entitlement)
}

/// Adds what a fact says that a listing saw; `bearers` are the entities whose state it changes.
pub(crate) fn add(fact: &FactAt<'_>, bearers: &[EntityId], seen: &mut Firsts<Seen>) {
    if fact.fact.kind() != FactKind::SnapshotItem {
        return;
    }
    for one in bearers.iter().filter(|one| may_be_listed(one)) {
        for other in bearers.iter().filter(|other| *other != one) {
            seen.add((one.clone(), other.clone(), fact.fact.scope.clone()), fact.evidence.order());
        }
    }
}

/// Adds the rows of a batch of records.
pub(crate) fn project(
    view: &View<'_>,
    seen: Firsts<Seen>,
    remembered: &mut Remembered<Seen>,
    batch: &mut Batch,
) -> Result<()> {
    let prefix = |(one, other, scope): &Seen| {
        let length = u16::try_from(scope.len()).unwrap_or(u16::MAX);
        key(&entity_prefix(one), &[&entity_prefix(other), &length.to_be_bytes(), scope.as_bytes()])
    };
    seen.project((view, Column::Listed), prefix, remembered, batch, |_, _, _| ())
}

/// What an entity was ever listed with by `at`, and where, as far as the first `known` records tell.
pub(crate) fn with(
    view: &View<'_>,
    entity: &EntityId,
    at: OccurredAt,
    known: TreeSize,
) -> Result<Vec<(EntityId, String)>> {
    let prefix = entity_prefix(entity);
    let mut found: Vec<(EntityId, String)> = Vec::new();
    for row in view.forward(Column::Listed, &prefix, &prefix)? {
        let (row_key, _) = row?;
        let (seen, position) = split(view, &row_key)?;
        if position.0 <= at && position.1.0 < known.0 {
            let other = read(&seen[prefix.len()..]).ok_or_else(|| view.damaged("what was listed cannot be read"))?;
            found.extend(Some(other).filter(|other| found.last() != Some(other)));
        }
    }
    Ok(found)
}

/// Reads what an entity was seen with, and the scope.
fn read(bytes: &[u8]) -> Option<(EntityId, String)> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((EntityId::from_bytes(id).ok()?, String::from_utf8(rest.get(2..)?.to_vec()).ok()?))
}
