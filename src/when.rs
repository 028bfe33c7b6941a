//! Times as people write them. A time without a zone is refused: half of all wrong answers to auditors start there.

use anyhow::{Result, bail};
use counterfoil_ledger::{Clock, SystemClock};
use counterfoil_verify::time::Moment;
use jiff::{SignedDuration, Timestamp, Zoned, civil, tz::TimeZone};

/// Reads a time: RFC 3339, or a date with a zone, which stands for its first moment.
pub fn parse(text: &str) -> Result<Moment> {
    let text = text.trim();
    if text == "now" {
        return Ok(now());
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(moment(timestamp));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(moment(zoned.timestamp()));
    }
    if let Some(moment) = parse_utc(text) {
        return Ok(moment);
    }
    // Ten characters are the date; the rest is its zone.
    if let Some((date, zone)) = text.split_at_checked(10)
        && let Ok(date) = date.parse::<civil::Date>()
        && let Some(zone) = parse_zone(zone.trim())
    {
        return Ok(moment(date.to_zoned(zone)?.timestamp()));
    }
    if text.parse::<civil::DateTime>().is_ok() {
        let written = text.replace(' ', "T");
        let written = if written.len() == 10 { written } else { written.trim_end_matches('T').to_owned() };
        bail!(
            "{text:?} has no zone, and nobody can tell which moment it is: write {written}Z for UTC, \
             {written}+01:00 for an offset, or {written}[Europe/Berlin] for a place"
        );
    }
    bail!(
        "{text:?} is no time: expected RFC 3339, such as 2026-03-01T09:30:00Z, or a date with a zone, such as 2026-03-01Z"
    )
}

/// The epoch on the calendar. jiff's time stamps end some hours before the year 9999 does, and its calendar does not.
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Reads a time, or a date, in UTC.
fn parse_utc(text: &str) -> Option<Moment> {
    let since = text.strip_suffix(['Z', 'z'])?.parse::<civil::DateTime>().ok()?.duration_since(EPOCH);
    let nanos = i64::from(since.subsec_nanos());
    Some(Moment {
        seconds: since.as_secs() + nanos.div_euclid(1_000_000_000),
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?,
    })
}

fn parse_zone(text: &str) -> Option<TimeZone> {
    match text {
        "" => None,
        "Z" | "z" | "UTC" => Some(TimeZone::UTC),
        place if place.starts_with('[') => TimeZone::get(place.strip_prefix('[')?.strip_suffix(']')?).ok(),
        offset if offset.starts_with(['+', '-']) => {
            let probe = format!("2000-01-01T00:00:00{offset}");
            let shifted = probe.parse::<Timestamp>().ok()?;
            let base: Timestamp = "2000-01-01T00:00:00Z".parse().ok()?;
            let seconds = i32::try_from(base.as_second() - shifted.as_second()).ok()?;
            Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?))
        }
        place => TimeZone::get(place).ok(),
    }
}

/// The time of the question, if none is given.
pub fn now() -> Moment {
    SystemClock::new().read().wall
}

fn moment(timestamp: Timestamp) -> Moment {
    // A timestamp before 1970 has a negative fraction; a moment counts nanoseconds forwards.
    let nanos = timestamp.as_nanosecond();
    let seconds = nanos.div_euclid(1_000_000_000);
    Moment {
        seconds: i64::try_from(seconds).unwrap_or_default(),
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

/// RFC 3339, in UTC.
pub fn show(seconds: i64, nanos: i32) -> String {
    let time = EPOCH.checked_add(SignedDuration::new(seconds, nanos));
    time.map_or_else(|_| format!("{seconds} s after 1970"), |time| format!("{time}Z"))
}

/// RFC 3339 of an answer's time; nothing where there is none.
pub fn show_timestamp(timestamp: &Option<pbjson_types::Timestamp>) -> String {
    timestamp.as_ref().map(|timestamp| show(timestamp.seconds, timestamp.nanos)).unwrap_or_default()
}
