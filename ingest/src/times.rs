//! Moments as sources write them.
//!
//! Owns which texts and numbers are a moment, how exactly each gives it, and which dates mean "never". It never reads a
//! clock and never guesses a zone: a time without one is refused unless the operator said what it was.

use counterfoil_proto::v1::{Precision, RejectReason, Time};
use counterfoil_verify::time::{self, Moment};
use jiff::civil::{Date, DateTime};

use crate::json::{Json, Reject, quoted};

/// Reads the moment that an event must have. `name` is the field's, for the message.
pub fn required(value: Option<&Json<'_>>, name: &str, assume_utc: bool) -> Result<Time, Reject> {
    optional(value, name, assume_utc)?.ok_or_else(|| {
        Reject::new(RejectReason::TimeMissing, format!("expected a time in {name}, got none; send the event whole"))
    })
}

/// Reads a moment that an event may have.
pub fn optional(value: Option<&Json<'_>>, name: &str, assume_utc: bool) -> Result<Option<Time>, Reject> {
    match value {
        None => Ok(None),
        Some(value) if value.is_absent() => Ok(None),
        Some(Json::Str(text)) => rfc3339(text, name, assume_utc).map(Some),
        Some(other) => Err(invalid(&other.to_text(), name)),
    }
}

/// Reads when something ends. The dates that sources write for "never" (in year 1, or from year 9999 on) are none.
pub fn expiry(value: Option<&Json<'_>>, name: &str, assume_utc: bool) -> Result<Option<Time>, Reject> {
    Ok(optional(value, name, assume_utc)?.filter(|time| !is_never(time)))
}

/// Whether a time is one of those that sources write for "never".
pub fn is_never(time: &Time) -> bool {
    const YEAR_2: i64 = time::SECONDS_MIN + 365 * 86_400;
    const YEAR_9999: i64 = time::SECONDS_MAX + 1 - 365 * 86_400;
    time.seconds < YEAR_2 || time.seconds >= YEAR_9999
}

/// Reads a date and time of RFC 3339; also with a space for the "T", an offset without a colon, and without seconds.
pub fn rfc3339(text: &str, name: &str, assume_utc: bool) -> Result<Time, Reject> {
    let text = text.trim();
    let invalid = || invalid(text, name);
    let clock = read_clock(text).ok_or_else(invalid)?;
    let offset_seconds = match read_offset(clock.rest) {
        Some(seconds) => seconds,
        None if !clock.rest.is_empty() => return Err(invalid()),
        None if assume_utc => 0,
        None => {
            return Err(Reject::new(
                RejectReason::TimeWithoutZone,
                format!(
                    "expected a time with its zone in {name}, got {}; if these times are in UTC, say so with --assume-zone UTC",
                    quoted(text)
                ),
            ));
        }
    };
    at(clock.moment, offset_seconds, clock.precision).ok_or_else(invalid)
}

/// Reads a day, "YYYY-MM-DD": its first moment in UTC.
pub fn day(text: &str) -> Option<Time> {
    let (date, rest) = read_date(text.trim())?;
    rest.is_empty().then(|| at(date.at(0, 0, 0, 0), 0, Precision::Day))?
}

/// Reads a day, "DD-MM-YYYY": its first moment in UTC.
pub fn day_month_year(text: &str) -> Option<Time> {
    let (day, rest) = digits(text.trim(), 2)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (year, rest) = digits(rest.strip_prefix('-')?, 4)?;
    let date = date(year, month, day)?;
    rest.is_empty().then(|| at(date.at(0, 0, 0, 0), 0, Precision::Day))?
}

/// Reads a moment as AWS prints it for people, "Jul 30, 2024 9:53:13 PM", also with a comma behind the year: in UTC.
pub fn english(text: &str) -> Option<Time> {
    let text = text.trim();
    let read =
        ["%b %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p"].iter().find_map(|form| DateTime::strptime(form, text).ok());
    at(read?, 0, Precision::Second)
}

/// The end of a day, where a time gives no more than a day: access "until" a day lasts through it.
pub fn through(time: Time) -> Time {
    if time.precision() == Precision::Day {
        Time { seconds: time.seconds.saturating_add(86_399), ..time }
    } else {
        time
    }
}

/// The unit in which a source counts from 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

/// The moment a number of units after 1970-01-01T00:00:00Z; none outside of year 1 to 9999.
pub fn epoch(count: i64, unit: EpochUnit) -> Option<Time> {
    let (per_second, precision) = match unit {
        EpochUnit::Second => (1, Precision::Second),
        EpochUnit::Millisecond => (1_000, Precision::Millisecond),
        EpochUnit::Microsecond => (1_000_000, Precision::Microsecond),
        EpochUnit::Nanosecond => (1_000_000_000, Precision::Nanosecond),
    };
    let nanos = count.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let time =
        Time { seconds: count.div_euclid(per_second), nanos: u32::try_from(nanos).ok()?, precision: precision.into() };
    time::is_valid(&time).then_some(time)
}

/// Reads the moment that an event must have, of a source that counts units since 1970; copies of its log may have a
/// date and time instead. `name` is the field's, for the message.
pub fn required_epoch(value: Option<&Json<'_>>, name: &str, unit: EpochUnit, assume_utc: bool) -> Result<Time, Reject> {
    let count = value.and_then(Json::id).and_then(|count| count.parse::<i64>().ok());
    match count {
        Some(count) => epoch(count, unit).ok_or_else(|| invalid(&count.to_string(), name)),
        None => required(value, name, assume_utc),
    }
}

/// The moment of receipt, for an event that gives none.
pub fn received(at: Moment) -> Time {
    at.to_time(Precision::Received)
}

fn invalid(text: &str, name: &str) -> Reject {
    Reject::new(
        RejectReason::TimeInvalid,
        format!("expected a time of year 1 to 9999 such as 2026-03-01T09:30:00Z in {name}, got {}", quoted(text)),
    )
}

struct Clock<'t> {
    moment: DateTime,
    precision: Precision,
    /// What follows the time of day: the offset.
    rest: &'t str,
}

fn read_clock(text: &str) -> Option<Clock<'_>> {
    let (date, rest) = read_date(text)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (mut second, mut nanos, mut precision) = (0, 0, Precision::Minute);
    if let Some(seconds) = rest.strip_prefix(':') {
        (second, rest) = digits(seconds, 2)?;
        precision = Precision::Second;
        if let Some(fraction) = rest.strip_prefix('.') {
            (nanos, precision, rest) = read_fraction(fraction)?;
        }
    }
    // A leap second has no place of its own in the count of seconds: it shares that of the second before it.
    let second = if second == 60 { 59 } else { second };
    let moment = DateTime::new(
        date.year(),
        date.month(),
        date.day(),
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        nanos,
    );
    Some(Clock { moment: moment.ok()?, precision, rest })
}

fn read_date(text: &str) -> Option<(Date, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    Some((date(year, month, day)?, rest))
}

fn date(year: u32, month: u32, day: u32) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Reads 1 to 9 digits behind the point, as nanoseconds.
fn read_fraction(text: &str) -> Option<(i32, Precision, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let precision = match count {
        1..=3 => Precision::Millisecond,
        4..=6 => Precision::Microsecond,
        7..=9 => Precision::Nanosecond,
        _ => return None,
    };
    let value: i32 = text[..count].parse().ok()?;
    let scale = 10_i32.pow(u32::try_from(9 - count).ok()?);
    Some((value * scale, precision, &text[count..]))
}

/// Reads "Z", "+05:30", "+0530" or "+05", as seconds east of UTC.
fn read_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = match rest {
        "" => (0, ""),
        _ => digits(rest.strip_prefix(':').unwrap_or(rest), 2)?,
    };
    let valid = rest.is_empty() && hours <= 23 && minutes <= 59;
    valid.then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    if !head.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((head.parse().ok()?, rest))
}

fn at(moment: DateTime, offset_seconds: i64, precision: Precision) -> Option<Time> {
    const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let since = moment.duration_since(EPOCH);
    // Before 1970 jiff counts the fraction downwards; the record counts it upwards from the second.
    let nanos = i64::from(since.subsec_nanos());
    let time = Time {
        seconds: since.as_secs() - offset_seconds + nanos.div_euclid(1_000_000_000),
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?,
        precision: precision.into(),
    };
    time::is_valid(&time).then_some(time)
}
