//! What the views are of, and how far they go.
//!
//! Owns the format number of all rows, the cursor and the basis. A change of any layout raises [`FORMAT`]; views of
//! another format are deleted and built again, never converted.
//!
//! ```text
//! "about"    →  u32 format ‖ origin
//! "cursor"   →  u64 records projected ‖ leaf hash of the last of them
//! "purge"    →  empty: rows were forgotten, and files may still hold them
//! "basis"    →  u64 size ‖ root ‖ recorded_at of the last record (12 bytes): the newest head that the views have reached
//! ```

use counterfoil_ledger::{Head, Reader};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::record;
use counterfoil_verify::time::{Moment, RecordedAt};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::keys::{key, read_u64};

/// The layout of the rows in all column families.
const FORMAT: u32 = 11;
const ABOUT: &[u8] = b"about";
const CURSOR: &[u8] = b"cursor";
const BASIS: &[u8] = b"basis";
const PURGE: &[u8] = b"purge";

/// How far the projection is.
pub(crate) struct Cursor {
    /// The records that are projected.
    pub(crate) size: TreeSize,
    /// The leaf hash of the last of them, which commits to all before it.
    pub(crate) leaf: LeafHash,
}

/// A head of the log.
#[derive(Clone, Copy)]
pub(crate) struct Basis {
    pub(crate) size: TreeSize,
    pub(crate) root: Hash,
    /// When its last record was recorded.
    pub(crate) recorded_at: RecordedAt,
}

/// Whether the views are empty, or a projection of the beginning of this very log in this format.
pub(crate) fn fits(view: &View<'_>, reader: &Reader) -> Result<bool> {
    let head = reader.head();
    let cursor = cursor(view)?;
    match (view.get(Column::Meta, ABOUT)?, &cursor) {
        (None, None) => return Ok(true),
        (Some(held), _) if held == about(&head) => {}
        _ => return Ok(false),
    }
    let Some(cursor) = cursor.filter(|cursor| cursor.size.0 > 0) else { return Ok(true) };
    if cursor.size > head.size {
        return Ok(false);
    }
    let last = RecordIndex(cursor.size.0 - 1);
    Ok(record::hash(&reader.record_bytes(last)?) == cursor.leaf)
}

/// How far the projection is; none before the first record.
pub(crate) fn cursor(view: &View<'_>) -> Result<Option<Cursor>> {
    let read = |row: &[u8]| {
        let (size, leaf, _) = size_and_hash(row)?;
        Some(Cursor { size, leaf: LeafHash(leaf) })
    };
    row(view, CURSOR, read)
}

/// The newest head that the views have reached.
pub(crate) fn basis(view: &View<'_>) -> Result<Option<Basis>> {
    let read = |row: &[u8]| {
        let (size, root, recorded_at) = size_and_hash(row)?;
        let recorded_at = RecordedAt(Moment::from_sortable_bytes(recorded_at.try_into().ok()?));
        Some(Basis { size, root, recorded_at })
    };
    row(view, BASIS, read)
}

/// Adds the cursor and, where the batch reaches one, the head.
pub(crate) fn project(cursor: &Cursor, head: Option<&Basis>, batch: &mut Batch) {
    let row = |size: TreeSize, hash: &Hash, rest: &[u8]| key(&size.0.to_be_bytes(), &[hash.as_bytes(), rest]);
    batch.put(Column::Meta, &[CURSOR], &row(cursor.size, &cursor.leaf.0, &[]));
    if let Some(Basis { size, root, recorded_at }) = head {
        batch.put(Column::Meta, &[BASIS], &row(*size, root, &recorded_at.0.to_sortable_bytes()));
    }
}

/// Notes that files may hold what is forgotten, until they are written anew.
pub(crate) fn owe_purge(batch: &mut Batch) {
    batch.put(Column::Meta, &[PURGE], &[]);
}

/// Whether they may.
pub(crate) fn owes_purge(view: &View<'_>) -> Result<bool> {
    Ok(view.get(Column::Meta, PURGE)?.is_some())
}

/// Notes that they hold nothing any more that is forgotten.
pub(crate) fn purged(batch: &mut Batch) {
    batch.delete(Column::Meta, PURGE);
}

/// The first row of new views.
pub(crate) fn found(head: &Head, batch: &mut Batch) {
    batch.put(Column::Meta, &[ABOUT], &about(head));
}

fn about(head: &Head) -> Vec<u8> {
    key(&FORMAT.to_be_bytes(), &[head.origin.as_str().as_bytes()])
}

fn row<T>(view: &View<'_>, name: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>> {
    let Some(row) = view.get(Column::Meta, name)? else { return Ok(None) };
    read(&row).map(Some).ok_or_else(|| view.damaged("how far the views go cannot be read"))
}

/// A size, a hash and what comes after them.
fn size_and_hash(row: &[u8]) -> Option<(TreeSize, Hash, &[u8])> {
    let (size, rest) = row.split_at_checked(8)?;
    let (hash, rest) = rest.split_at_checked(32)?;
    Some((TreeSize(read_u64(size)?), Hash::from_slice(hash).ok()?, rest))
}
