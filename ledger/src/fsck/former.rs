//! The logs that a log goes on from, for fsck.
//!
//! Owns the reading of the records that are compared with the roots that record 0 names.

use counterfoil_verify::incarnation::{Former, predecessors};
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
        let origin = predecessor.origin.clone();
        let wrong = |what: &dyn std::fmt::Display| {
            Stop::wrong(Some(RecordIndex(0)), format!("what it says of the log {origin} is not so: {what}"))
        };
        let mut former = Former::begin(predecessor).map_err(|error| wrong(&error))?;
        for index in 1..size.0.min(former.predecessor().size) {
            former.take(read(index)?).map_err(|error| wrong(&format!("record {index}: {error}")))?;
        }
        former.end().map_err(|error| wrong(&error))?;
    }
    Ok(())
}
