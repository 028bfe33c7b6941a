//! What the ledger keeps for its own use, for fsck: single rows, whose form and names are known.
//!
//! Owns what such a row may be. Whether the right edge and the cursor fit the records is not decided here.

use counterfoil_verify::entity::check_name;
use rocksdb::IteratorMode;

use super::{Step, Stop};
use crate::owner::read_clock_value;
use crate::read::{count_value, position_value, source_of};
use crate::store::{
    CLOCK, COUNT, COVERED, CURSOR, DerivedDb, EDGE, LogDb, POSITION, PURGE, REDACTION, SEALED, VALUE_FORMAT,
};

/// Every row of the log database that is neither a record nor lies beside one.
pub(super) fn check_log(log: &LogDb) -> Step<()> {
    for row in log.0.iterator(IteratorMode::Start) {
        let (key, value) = row?;
        let is_known = match &*key {
            EDGE => continue,
            CLOCK => read_clock_value(&value).is_some(),
            key if key.starts_with(POSITION) => is_channel(&key[POSITION.len()..]) && position_value(&value).is_some(),
            key if key.starts_with(PURGE) => key.len() == PURGE.len() + 8 && *value == [VALUE_FORMAT],
            key if key.starts_with(COUNT) => is_source(&key[COUNT.len()..]) && count_value(&value).is_some(),
            key => return Err(unknown("log", key)),
        };
        if !is_known {
            return Err(Stop::wrong(None, format!("the row {} of the log database has another form", shown(&key))));
        }
    }
    Ok(())
}

/// Every row of the derived database that is neither a node, nor a known event, nor a page of the map. What the rows about
/// seals and redactions say is compared by whoever has the records.
pub(super) fn check_derived(derived: &DerivedDb) -> Step<()> {
    for row in derived.0.iterator(IteratorMode::Start) {
        let (key, _) = row?;
        let is_listed = [SEALED, REDACTION].iter().any(|prefix| key.starts_with(prefix));
        if ![CURSOR, COVERED].contains(&&*key) && !is_listed {
            return Err(unknown("derived", &key));
        }
    }
    Ok(())
}

/// Whether some bytes name a channel: visible characters, as a record's provenance has them.
fn is_channel(name: &[u8]) -> bool {
    (1..=255).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic)
}

fn is_source(name: &[u8]) -> bool {
    source_of(name).is_some_and(|source| {
        [source.system, source.instance, source.stream, source.connector].iter().all(|name| check_name(name).is_ok())
    })
}

fn unknown(database: &str, key: &[u8]) -> Stop {
    Stop::wrong(None, format!("the {database} database holds a row that this program does not write: {}", shown(key)))
}

fn shown(key: &[u8]) -> String {
    format!("\"{}\"", key.escape_ascii())
}
