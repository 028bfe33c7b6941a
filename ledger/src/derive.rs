//! What is derived from the records for the ledger's own use: the tree's nodes, which events are known, and which records
//! are redactions.
//!
//! Owns these as functions of the records, so that the append, the catching up after a start and fsck cannot differ.

use counterfoil_proto::v1::{Record, record::Body};
use counterfoil_verify::tree::{RecordIndex, SubtreeRoot, TreeSize};
use rocksdb::WriteBatch;

use crate::append::{ContentDigest, EventKey};
use crate::coverage::{self, Coverage};
use crate::error::{LedgerError, Result};
use crate::redaction;
use crate::store::{CURSOR, DerivedDb, EVENTS, NODES, cf, node_key};

/// The entry that a record makes among the known events, if it makes one: the first part of an event, or of what it was
/// read as again, a conflict, a rejected event, or what the operator said of the ledger does.
pub(crate) fn event_entry(record: &Record) -> Option<(EventKey, RecordIndex, ContentDigest)> {
    let provenance = record.provenance.as_ref()?;
    let content = ContentDigest::try_from(provenance.content_digest.as_slice()).ok()?;
    let key = EventKey::new(provenance.source.as_ref()?, &provenance.event_id);
    let key = match &record.body {
        Some(Body::Event(event)) if event.part == 0 => key,
        Some(Body::SourceRejected(_) | Body::SourceGap(_) | Body::Redaction(_) | Body::KeyAnnouncement(_)) => key,
        Some(Body::EventConflict(_)) => key.conflict(&content),
        Some(Body::EventRemapped(remapped)) if remapped.event.as_ref().is_some_and(|event| event.part == 0) => {
            key.remapped(RecordIndex(remapped.replaces))
        }
        _ => return None,
    };
    Some((key, RecordIndex(record.index), content))
}

/// The channel that a record came through, and the number of the next event in it. What was read again came through none:
/// its place is that of the event; nor did what the ledger's own operator said.
pub(crate) fn position(record: &Record) -> Option<(String, u64)> {
    let position = record.provenance.as_ref()?.position.as_ref()?;
    if let Some(Body::EventRemapped(_) | Body::Redaction(_) | Body::KeyAnnouncement(_)) = &record.body {
        return None;
    }
    let next = match &record.body {
        Some(Body::SourceGap(gap)) => gap.to,
        _ => position.sequence.checked_add(1)?,
    };
    Some((position.channel.clone(), next))
}

/// Whether a node is kept: the roots of full tiles are.
pub(crate) fn is_stored(node: &SubtreeRoot) -> bool {
    node.level > 0 && node.level.is_multiple_of(8)
}

/// Puts the entries of new records into a batch, sorted, with the cursor.
pub(crate) fn put(
    derived: &DerivedDb,
    batch: &mut WriteBatch,
    mut events: Vec<(EventKey, RecordIndex, ContentDigest)>,
    redactions: &[RecordIndex],
    nodes: &[SubtreeRoot],
    covered: TreeSize,
) {
    events.sort_unstable();
    let family = cf(&derived.0, EVENTS);
    for (key, index, content) in events {
        let mut value = [0; 24];
        value[..8].copy_from_slice(&index.0.to_be_bytes());
        value[8..].copy_from_slice(&content);
        batch.put_cf(family, key.0, value);
    }
    redactions.iter().for_each(|index| batch.put(redaction::row_key(*index), b""));
    for node in nodes {
        batch.put_cf(cf(&derived.0, NODES), node_key(node.level, node.index), node.hash.as_bytes());
    }
    batch.put(CURSOR, covered.0.to_be_bytes());
}

/// Removes what the records from `kept` to `covered` gave, whose entries are `events`, for good. Of the entity map, from which
/// nothing can be taken, that is all of it, if it goes further: it is made again from the records.
pub(crate) fn remove(
    derived: &DerivedDb,
    events: &[(EventKey, RecordIndex, ContentDigest)],
    kept: TreeSize,
    covered: TreeSize,
) -> Result<()> {
    let mut batch = WriteBatch::default();
    events.iter().for_each(|(key, ..)| batch.delete_cf(cf(&derived.0, EVENTS), key.0));
    for level in (8..64).step_by(8).take_while(|level| covered.0 >> level > 0) {
        let stored = kept.0 >> level..covered.0 >> level;
        stored.for_each(|index| batch.delete_cf(cf(&derived.0, NODES), node_key(level, index)));
    }
    let redactions = redaction::list(derived, kept.0..covered.0)?;
    redactions.iter().for_each(|index| batch.delete(redaction::row_key(*index)));
    if Coverage::load(derived)?.taken() > kept {
        coverage::remove(derived, &mut batch)?;
    }
    batch.put(CURSOR, kept.0.to_be_bytes());
    derived.write(batch)?;
    derived.flush()
}

/// Reads the value of a known event.
pub(crate) fn event_value(value: &[u8]) -> Result<(RecordIndex, ContentDigest)> {
    let damaged = || LedgerError::falsified("the known events", "an entry is not 24 bytes");
    let (index, content) = value.split_first_chunk::<8>().ok_or_else(damaged)?;
    Ok((RecordIndex(u64::from_be_bytes(*index)), content.try_into().map_err(|_| damaged())?))
}
