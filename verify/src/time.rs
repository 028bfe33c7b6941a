//! The two times of the ledger, kept apart by type: when something happened, and when the ledger learned it.
//!
//! Owns the range that a time may have and its order. It never reads a clock.

use counterfoil_proto::v1::{Precision, Time};

/// 0001-01-01T00:00:00Z, in seconds since 1970.
pub const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, in seconds since 1970.
pub const SECONDS_MAX: i64 = 253_402_300_799;

/// A moment: seconds since 1970-01-01T00:00:00Z, and nanoseconds within that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

/// When something happened, by the clock of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OccurredAt(pub Moment);

/// When the ledger learned it, by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordedAt(pub Moment);

impl Moment {
    /// The last moment there is.
    pub const MAX: Self = Self { seconds: SECONDS_MAX, nanos: 999_999_999 };
    /// The first moment there is.
    pub const MIN: Self = Self { seconds: SECONDS_MIN, nanos: 0 };

    /// The moment of a record's or a fact's time. The caller has validated it.
    pub fn of(time: &Time) -> Self {
        Self { seconds: time.seconds, nanos: time.nanos }
    }

    /// The wire form, with how exactly the source gave it.
    pub fn to_time(self, precision: Precision) -> Time {
        Time { seconds: self.seconds, nanos: self.nanos, precision: precision.into() }
    }

    /// The moment `seconds` later, or the last one there is.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let sum = self.seconds.saturating_add(seconds);
        if sum > SECONDS_MAX {
            Self::MAX
        } else if sum < SECONDS_MIN {
            Self::MIN
        } else {
            Self { seconds: sum, nanos: self.nanos }
        }
    }

    /// The last moment before it, or the first one there is.
    pub fn just_before(self) -> Self {
        match (self.nanos.checked_sub(1), self.seconds > SECONDS_MIN) {
            (Some(nanos), _) => Self { nanos, ..self },
            (None, true) => Self { seconds: self.seconds - 1, nanos: 999_999_999 },
            (None, false) => Self::MIN,
        }
    }

    /// Twelve bytes that sort as the moments do, also before 1970.
    pub fn to_sortable_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&((self.seconds as u64) ^ (1 << 63)).to_be_bytes());
        bytes[8..].copy_from_slice(&self.nanos.to_be_bytes());
        bytes
    }

    /// Reads what [`Moment::to_sortable_bytes`] wrote.
    pub fn from_sortable_bytes(bytes: &[u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        Self {
            seconds: (u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ (1 << 63)) as i64,
            nanos: u32::from_be_bytes([i, j, k, l]),
        }
    }
}

/// Whether a time lies in year 1 to year 9999 and says its precision.
pub fn is_valid(time: &Time) -> bool {
    (SECONDS_MIN..=SECONDS_MAX).contains(&time.seconds)
        && time.nanos < 1_000_000_000
        && Precision::try_from(time.precision).is_ok_and(|precision| precision != Precision::Unspecified)
}
