//! Time as benchmarks need it: the one place that reads the machine's clock.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How long something took, and what it gave. Whatever earlier work left to be written to the disk is written before.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    rustix::fs::sync();
    timed_at_once(work)
}

/// The same, whatever earlier work left to be written to the disk.
#[allow(clippy::disallowed_methods, reason = "measuring time is what this file is for")]
pub fn timed_at_once<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed(), done))
}

/// How long something kept this thread's core busy, and what it gave: what other programs do meanwhile does not count.
pub fn computed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = thread_time();
    let done = work()?;
    Ok((thread_time().saturating_sub(start), done))
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How long something short took.
pub fn timed_briefly<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let (taken, done) = timed_at_once(work)?;
    std::hint::black_box(done);
    Ok(taken)
}

/// The middle one; of an even number, the upper of the two.
pub fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

/// Shows how far a benchmark is, to whoever waits.
pub fn tell(what: &str) {
    eprintln!("{what}");
}
