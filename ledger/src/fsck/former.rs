//! The logs that a log goes on from, for fsck.
//!
//! Owns the comparison of the first records with the roots that record 0 names: under the earlier logs' own record 0 they
//! are the records that were signed there. Nothing of them is left out, added or changed.

use counterfoil_verify::incarnation::{Rechained, predecessors};
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use super::{Step, Stop};
use crate::recover::decode;
use crate::store::LogDb;

pub(super) fn check(log: &LogDb, size: TreeSize) -> Step<()> {
    let read = |index: u64| {
        let bytes = log.record(index)?.ok_or_else(|| Stop::wrong(Some(RecordIndex(index)), "it is missing"))?;
        Ok::<_, Stop>(decode(index, &bytes)?)
    };
    if size == TreeSize(0) {
        return Ok(());
    }
    for predecessor in predecessors(&read(0)?) {
        let wrong = |what: &dyn std::fmt::Display| {
            let origin = &predecessor.origin;
            Stop::wrong(Some(RecordIndex(0)), format!("what it says of the log {origin} is not so: {what}"))
        };
        if predecessor.size > size.0 {
            return Err(wrong(&format!("it had {} records, and here are {size}", predecessor.size)));
        }
        let mut rechained = Rechained::from(&predecessor.first_record).map_err(|error| wrong(&error))?;
        for index in 1..predecessor.size {
            rechained.put(read(index)?).map_err(|error| wrong(&format!("record {index}: {error}")))?;
        }
        if rechained.root().as_bytes() != predecessor.root.as_slice() {
            return Err(wrong(&format!("its first {} records were other ones", predecessor.size)));
        }
    }
    Ok(())
}
