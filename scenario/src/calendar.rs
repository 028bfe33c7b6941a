//! The company's time: the span of the story, working hours, and the two ways its systems write a time.
//! Everything is UTC. Never reads a clock: every moment follows from the options and the draws.

use jiff::civil::{Date, Time, Weekday, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::random::Random;

/// The story runs from `start` up to `end`, which it does not include.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl Span {
    /// Between 1970 and 9000, and between one month and a hundred years long: anything else is brought into range.
    pub(crate) fn new(start: Date, months: u32) -> Span {
        let start = start.clamp(date(1970, 1, 1), date(9000, 1, 1));
        let end = start.saturating_add(i64::from(months.clamp(1, 1200)).months());
        Span { start: midnight(start), end: midnight(end) }
    }

    /// The moment after so many thousandths of the span.
    pub(crate) fn permille(&self, thousandths: i64) -> Timestamp {
        self.start + seconds(self.seconds() * thousandths / 1000)
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.end.as_second() - self.start.as_second()
    }

    pub(crate) fn days(&self) -> i64 {
        self.seconds() / 86_400
    }
}

/// `at` itself, or a while into the next working day where `at` is at night or on a weekend.
pub(crate) fn working(random: &mut Random, at: Timestamp) -> Timestamp {
    let local = Offset::UTC.to_datetime(at);
    let weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
    if !weekend && (7..19).contains(&local.hour()) {
        return at;
    }
    let mut day = local.date();
    if local.hour() >= 7 || weekend {
        day = day.saturating_add(1.day());
    }
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day = day.saturating_add(1.day());
    }
    midnight(day) + seconds(random.between(7 * 3600, 11 * 3600))
}

/// A moment of `from..to`, in working hours where there are any; `from`, where the range is empty.
pub(crate) fn some_time(random: &mut Random, from: Timestamp, to: Timestamp) -> Timestamp {
    let mut draw = || whole_second(from + seconds(random.between(0, to.as_second() - from.as_second())));
    let draws = [(); 8].map(|()| draw());
    let at_work = draws.into_iter().map(|at| working(random, at)).find(|at| *at < to);
    at_work.unwrap_or(draws[0])
}

/// How Okta writes a time: always three digits of a second.
pub(crate) fn okta_time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// How Freshservice writes a time: whole seconds.
pub(crate) fn freshservice_time(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// The day of a moment.
pub(crate) fn day_of(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

pub(crate) fn midnight(day: Date) -> Timestamp {
    day.to_datetime(Time::midnight())
        .to_zoned(TimeZone::UTC)
        .expect("every day up to the year 9100 is a moment in UTC")
        .timestamp()
}

pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("the second of a moment is a moment")
}

pub(crate) fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

pub(crate) fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n * 60)
}

pub(crate) fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n * 3600)
}

pub(crate) fn days(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n * 86_400)
}
