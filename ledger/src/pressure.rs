//! Whether a database takes writes as fast as they come.
//!
//! Owns what is read of it from RocksDB, which slows writers down, and in the end stops them, where flushes and
//! compactions fall behind. It reads numbers that are in memory, and never waits.

use rocksdb::DB;
use rocksdb::properties::{ACTUAL_DELAYED_WRITE_RATE, IS_WRITE_STOPPED, PropName};

/// How a database holds back whoever writes to it, at this moment. Nothing where RocksDB does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WritePressure {
    /// Writes wait until a flush or a compaction has ended.
    pub is_stopped: Option<bool>,
    /// The bytes a second that writes are slowed down to; 0 while they are not.
    pub delayed_bytes_per_second: Option<u64>,
}

impl WritePressure {
    /// That of a database, over all its column families.
    pub fn of(database: &DB) -> Self {
        // An error says that there is no such number.
        let number = |name: &PropName| database.property_int_value(name).ok().flatten();
        Self {
            is_stopped: number(IS_WRITE_STOPPED).map(|stopped| stopped != 0),
            delayed_bytes_per_second: number(ACTUAL_DELAYED_WRITE_RATE),
        }
    }
}
