//! Events that were read again, checked against what they were read as before.
//!
//! Owns the way from a remapping to the records that it replaces. What it has to repeat of them is for `verify::remap` to
//! say.

use std::borrow::Cow;

use counterfoil_verify::remap;
use counterfoil_verify::tree::RecordIndex;

use crate::error::{LedgerError, Result};
use crate::recover::decode;

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
    remap::check_at(first, parts, |index| record(index.0))?.map_err(|violation| wrong(&violation))
}
