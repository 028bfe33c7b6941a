//! Filters of lists, as [AIP-160](https://google.aip.dev/160) has them: `via = "api_token/00T1" AND NOT verdict = approved`.
//!
//! Owns the language: `grammar` reads and writes it, `typed` holds it to the fields of a list and says whether it is true
//! of an entry. It never looks anything up: whom a name means is for the caller to say.

mod grammar;
mod typed;

pub use grammar::{Comparator, Expression, Restriction, parse};
pub use typed::{Field, Kind, Known, Test, Typed, typed};

/// The longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 2_048;
/// How deeply parentheses and negations may nest.
pub const DEPTH_MAX: usize = 16;
/// The most comparisons of one filter.
pub const RESTRICTIONS_MAX: usize = 64;

/// Why a text is no filter of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {place}: expected {expected}, got {got}")]
pub struct FilterError {
    /// The character where it goes wrong, from 1.
    pub place: usize,
    /// What could stand there.
    pub expected: String,
    /// What stands there.
    pub got: String,
}
