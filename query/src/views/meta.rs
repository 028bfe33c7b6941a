//! What the views are of, and how far they go.
//!
//! Owns the format number of all rows, the cursor and the basis. A change of any layout raises [`FORMAT`]; views of
//! another format are deleted and built again, never converted.
//!
//! ```text
//! "about"    →  u32 format ‖ origin
//! "cursor"   →  u64 records projected ‖ leaf hash of the last of them
//! "basis"    →  u64 size ‖ root: the newest head that the views have reached
//! ```

use counterfoil_ledger::{Head, Reader};
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::record;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::Result;
use crate::views::database::{Batch, Column, View};
use crate::views::keys::{key, read_u64};

/// The layout of the rows in all column families.
const FORMAT: u32 = 5;
const ABOUT: &[u8] = b"about";
const CURSOR: &[u8] = b"cursor";
const BASIS: &[u8] = b"basis";

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
    let read = |(size, leaf)| Cursor { size, leaf: LeafHash(leaf) };
    Ok(size_and_hash(view, CURSOR)?.map(read))
}

/// The newest head that the views have reached.
pub(crate) fn basis(view: &View<'_>) -> Result<Option<Basis>> {
    Ok(size_and_hash(view, BASIS)?.map(|(size, root)| Basis { size, root }))
}

/// Adds the cursor and, where the batch reaches it, the head.
pub(crate) fn project(cursor: &Cursor, head: Option<&Head>, batch: &mut Batch) {
    let row = |size: TreeSize, hash: &Hash| key(&size.0.to_be_bytes(), &[hash.as_bytes()]);
    batch.put(Column::Meta, CURSOR.to_vec(), row(cursor.size, &cursor.leaf.0));
    if let Some(head) = head {
        batch.put(Column::Meta, BASIS.to_vec(), row(head.size, &head.root));
    }
}

/// The first row of new views.
pub(crate) fn found(head: &Head, batch: &mut Batch) {
    batch.put(Column::Meta, ABOUT.to_vec(), about(head));
}

fn about(head: &Head) -> Vec<u8> {
    key(&FORMAT.to_be_bytes(), &[head.origin.as_str().as_bytes()])
}

fn size_and_hash(view: &View<'_>, name: &[u8]) -> Result<Option<(TreeSize, Hash)>> {
    let Some(row) = view.get(Column::Meta, name)? else { return Ok(None) };
    let read = || {
        let (size, hash) = row.split_at_checked(8)?;
        Some((TreeSize(read_u64(size)?), Hash::from_slice(hash).ok()?))
    };
    read().map(Some).ok_or_else(|| view.damaged("the cursor cannot be read"))
}
