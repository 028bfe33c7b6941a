//! The ledger's clock, injected: wall time for `recorded_at`, time since boot to notice a wall clock that jumps.

use counterfoil_verify::time::{Moment, RecordedAt};

use crate::error::{LedgerError, Result};

/// How far the wall clock may move against the boot clock between two appends, in seconds.
pub const JUMP_SECONDS_MAX: i64 = 60;

/// Where times come from.
pub trait Clock: Send {
    /// One reading of both clocks.
    fn read(&self) -> Reading;
}

/// One reading of both clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: Moment,
    /// Seconds since boot, suspended time included.
    pub since_boot: i64,
    /// Which boot it was: readings of different boots cannot be compared.
    pub boot_id: String,
}

/// The clocks of the machine.
#[derive(Clone, Debug)]
pub struct SystemClock {
    boot_id: String,
}

impl SystemClock {
    /// Reads which boot this is, once.
    pub fn new() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { boot_id: boot_id.trim().to_owned() }
    }

    /// The wall clock alone.
    pub fn wall() -> Moment {
        let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Moment { seconds: wall.tv_sec, nanos: u32::try_from(wall.tv_nsec).unwrap_or_default() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Reading { wall: Self::wall(), since_boot: boot.tv_sec, boot_id: self.boot_id.clone() }
    }
}

/// The time for the next batch: the wall clock's, but never before the batch before it. Fails if the wall clock jumped
/// since `last`, the reading at the last append: against the boot clock where both are of one boot, and else where it went
/// back. Without a reading the last record is the measure, unless an operator has said that the clock is right.
pub(crate) fn next_time(
    now: &Reading,
    last: Option<&Reading>,
    floor: RecordedAt,
    is_accepted: bool,
) -> Result<RecordedAt> {
    let jump = match last {
        Some(last) if last.boot_id == now.boot_id && !now.boot_id.is_empty() => {
            let by_wall = now.wall.seconds.saturating_sub(last.wall.seconds);
            by_wall.saturating_sub(now.since_boot.saturating_sub(last.since_boot))
        }
        Some(last) => now.wall.seconds.saturating_sub(last.wall.seconds).min(0),
        None if is_accepted => 0,
        None => now.wall.seconds.saturating_sub(floor.0.seconds).min(0),
    };
    if jump.unsigned_abs() > JUMP_SECONDS_MAX.unsigned_abs() {
        return Err(LedgerError::ClockJumped { seconds: jump });
    }
    Ok(RecordedAt(now.wall).max(floor))
}
