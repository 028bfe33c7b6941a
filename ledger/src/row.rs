//! A row of the log, a record with what lies beside it, checked by itself.
//!
//! Owns what a row can be told wrong for without knowing any other: its bytes, and what lies beside it. Its place among
//! the others is for whoever has them.

use counterfoil_proto::v1::{Record, Redaction, Seal};
use counterfoil_verify::beside;
use counterfoil_verify::hash::{Hash, LeafHash};
use counterfoil_verify::identifier::IndexKey;
use counterfoil_verify::record;
use counterfoil_verify::redaction::redaction_of;
use counterfoil_verify::remap::Part;
use counterfoil_verify::seal::Share;
use counterfoil_verify::tokens;
use counterfoil_verify::tree::RecordIndex;

use crate::append::{ContentDigest, EventKey};
use crate::coverage::seal_of;
use crate::derive;
use crate::error::{LedgerError, Result};
use crate::redaction;

/// A row that was checked by itself.
pub(crate) struct Checked {
    /// The record without what it says, which needs no more checks. Record 0 keeps it: it says which log this is.
    pub(crate) head: Record,
    pub(crate) leaf: LeafHash,
    /// The entry that it makes among the known events.
    pub(crate) event: Option<(EventKey, RecordIndex, ContentDigest)>,
    /// The channel that it came through, and where reading that goes on behind it.
    pub(crate) position: Option<(String, u64)>,
    /// What it brings to a seal, and what it says where it is one.
    pub(crate) share: Share,
    pub(crate) seal: Option<Seal>,
    /// What it removed beside other records, where it is a redaction.
    pub(crate) redaction: Option<Redaction>,
    /// The parts beside it that were removed.
    pub(crate) gone: Vec<u32>,
    /// Of what was read again, which part it is.
    pub(crate) remapped: Option<Part>,
    /// Of the record and of what lies beside it.
    pub(crate) bytes: u64,
}

/// Checks a row that is said to be at `index`; with the key of tokens also that these are those of the values beside it.
///
/// # Errors
/// [`LedgerError::Falsified`] if it is no record in canonical form, or if what lies beside it is not what it commits to;
/// [`LedgerError::Newer`] if this version cannot read it.
pub(crate) fn check(
    index: RecordIndex,
    record: &[u8],
    beside: Option<&[u8]>,
    key: Option<&IndexKey>,
) -> Result<Checked> {
    let wrong = |what: &dyn ToString| LedgerError::falsified(format!("record {index}"), what.to_string());
    let leaf = record::hash(record);
    let bytes = (record.len() + beside.map_or(0, <[u8]>::len)) as u64;
    let record = record::decode(record).map_err(|error| LedgerError::record(index, error))?;
    let opened = match (beside, record.commitment.is_empty()) {
        (None, true) => None,
        (Some(beside), false) => {
            let commitment = Hash::from_slice(&record.commitment).map_err(|error| wrong(&error))?;
            Some(beside::open(beside, &commitment).map_err(|error| wrong(&error))?)
        }
        (Some(_), true) => return Err(wrong(&"something lies beside it that it does not commit to")),
        (None, false) => return Err(wrong(&"what it commits to does not lie beside it")),
    };
    let gone = opened.as_ref().map(|beside| redaction::gone(beside).collect()).unwrap_or_default();
    if let Some(key) = key {
        tokens::check(&record, opened.as_ref(), key).map_err(|error| wrong(&error))?;
    }
    let event = derive::event_entry(&record);
    let position = derive::position(&record);
    let remapped = Part::of(&record);
    let (share, seal) = (Share::of(&record), seal_of(&record).cloned());
    let redaction = redaction_of(&record).cloned();
    let head = Record { provenance: None, body: record.body.filter(|_| index.0 == 0), ..record };
    Ok(Checked { head, leaf, event, position, share, seal, redaction, gone, remapped, bytes })
}
