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
use counterfoil_verify::replay::{FactAt, bearers};
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::deltas;
use crate::views::firsts::{Firsts, Remembered, split};
use crate::views::keys::{FIRST, Position, entity_prefix, key};

/// Whoever was listed, what with, and in which scope that holds.
pub(crate) type Seen = (EntityId, EntityId, String);

/// Whether a listing says anything of an entity.
pub(crate) fn may_be_listed(entity: &EntityId) -> bool {
    matches!(entity.kind(), EntityKind::Account | EntityKind::Entitlement)
}

/// Adds what a fact says that a listing saw; `bearers` are the entities whose state it changes.
pub(crate) fn add(fact: &FactAt<'_>, bearers: &[EntityId], seen: &mut Firsts<Seen>) {
    of(fact, bearers).for_each(|pair| seen.add(pair, fact.evidence.order()));
}

/// Takes back what a fact said that counts no longer.
pub(crate) fn withdraw(fact: &FactAt<'_>, seen: &mut Firsts<Seen>) {
    of(fact, &bearers(fact.fact, fact.source)).for_each(|pair| seen.withdraw(pair));
}

fn of<'f>(fact: &FactAt<'f>, bearers: &[EntityId]) -> impl Iterator<Item = Seen> + use<'f> {
    let mut found = Vec::new();
    let listed = bearers.iter().filter(|one| fact.fact.kind() == FactKind::SnapshotItem && may_be_listed(one));
    for one in listed {
        let others = bearers.iter().filter(|other| *other != one);
        found.extend(others.map(|other| (one.clone(), other.clone(), fact.fact.scope.clone())));
    }
    found.into_iter()
}

/// When an entity was first listed with another, of all records that are in the rows of `deltas` and count.
fn first_seen(view: &View<'_>, (one, other, scope): &Seen) -> Result<Option<Position>> {
    for delta in deltas::read(view, &entity_prefix(one), FIRST, OccurredAt(Moment::MAX), TreeSize(u64::MAX))? {
        let (position, delta) = delta?;
        let fact = delta.at(position);
        let is_it = fact.fact.kind() == FactKind::SnapshotItem && fact.fact.scope == *scope;
        if is_it && bearers(fact.fact, fact.source).contains(other) {
            return Ok(Some(position));
        }
    }
    Ok(None)
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
    seen.project((view, Column::Listed), prefix, remembered, batch, |what| first_seen(view, what), |_, _, _| ())
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
        if position.0 <= at && view.counts(&position, known) {
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
