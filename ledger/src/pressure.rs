//! Whether a database takes writes as fast as they come.
//!
//! Owns what is read of it from RocksDB, which slows writers down, and in the end stops them, where flushes and
//! compactions fall behind. It reads numbers that are in memory, and never waits for writers.

use rocksdb::DB;
use rocksdb::properties::{ACTUAL_DELAYED_WRITE_RATE, IS_WRITE_STOPPED, PropName};

/// How often a column family had to hold back its writers; rocksdb's bindings do not name it.
const STALLS: &str = "rocksdb.cf-write-stall-stats";

/// How a database holds back whoever writes to it. Nothing where RocksDB does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WritePressure {
    /// At this moment writes wait until a flush or a compaction has ended.
    pub is_stopped: Option<bool>,
    /// The bytes a second that writes are slowed down to at this moment; 0 while they are not.
    pub delayed_bytes_per_second: Option<u64>,
    /// How often flushes or compactions were found so far behind that writes had to be slowed down, since it was opened.
    pub delays: Option<u64>,
    /// How often they had to be stopped.
    pub stops: Option<u64>,
}

impl WritePressure {
    /// That of a database, over all its column families, which are these.
    pub fn of<'a>(database: &DB, families: impl IntoIterator<Item = &'a str>) -> Self {
        // An error says that there is no such number.
        let number = |name: &PropName| database.property_int_value(name).ok().flatten();
        let stalls: Vec<Option<(u64, u64)>> = families.into_iter().map(|family| stalls(database, family)).collect();
        let sum = |count: fn(&(u64, u64)) -> u64| stalls.iter().map(|stalls| stalls.as_ref().map(count)).sum();
        Self {
            is_stopped: number(IS_WRITE_STOPPED).map(|stopped| stopped != 0),
            delayed_bytes_per_second: number(ACTUAL_DELAYED_WRITE_RATE),
            delays: sum(|(delays, _)| *delays),
            stops: sum(|(_, stops)| *stops),
        }
    }
}

/// How often writes into a family were slowed down and stopped. RocksDB writes "Write Stall (count): NAME: COUNT, …".
fn stalls(database: &DB, family: &str) -> Option<(u64, u64)> {
    let told = database.property_value_cf(database.cf_handle(family)?, STALLS).ok()??;
    let count = |name: &str| {
        let found = told.split([',', '\n']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(':'))?;
        found.trim().parse().ok()
    };
    Some((count("total-delays")?, count("total-stops")?))
}
