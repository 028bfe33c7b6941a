//! Events that were read again, checked against what they were read as before.
//!
//! Owns the way from a remapping to the records that it replaces. What it has to repeat of them is for `verify::remap` to
//! say.

use std::borrow::Cow;

use counterfoil_proto::v1::Record;
use counterfoil_verify::record::event_of;
use counterfoil_verify::remap;
use counterfoil_verify::tree::RecordIndex;

use crate::error::{LedgerError, Result};
use crate::recover::decode;

/// Which part of how many a record of a remapping is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) of: u32,
}

impl Part {
    /// None of a record that reads nothing again.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        remap::remapped(record)?.event.as_ref().map(|event| Self { number: event.part, of: event.parts })
    }

    pub(crate) fn is_last(self) -> bool {
        self.number + 1 == self.of
    }
}

/// Checks the remapping whose first record is `first` and that has so many records; `read` gives the bytes of a record.
///
/// # Errors
/// [`LedgerError::Falsified`] if it does not fit what it says that it replaces.
pub(crate) fn check<'r>(
    first: RecordIndex,
    parts: u32,
    read: impl Fn(u64) -> Result<Option<Cow<'r, [u8]>>>,
) -> Result<()> {
    let wrong = |problem: &dyn ToString| LedgerError::falsified(format!("record {first}"), problem.to_string());
    let record = |index: u64| match read(index)? {
        Some(bytes) => decode(index, &bytes),
        None => Err(wrong(&format!("record {index}, which it needs, is missing"))),
    };
    let reading = |first: u64, parts: u32| (first..first + u64::from(parts)).map(record).collect::<Result<Vec<_>>>();
    let parts = reading(first.0, parts)?;
    let replaces = parts.first().and_then(remap::remapped).map_or(0, |remapped| remapped.replaces);
    let replaced = record(replaces)?;
    let replaced = reading(replaces, event_of(&replaced).map_or(1, |event| event.parts))?;
    remap::check(&parts, &replaced).map_err(|violation| wrong(&violation))
}
