//! Times as people write them. A time without a zone is refused: half of all wrong answers to auditors start there.

use anyhow::{Result, bail};
use counterfoil_ledger::SystemClock;
use counterfoil_verify::time::Moment;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, civil};

/// The first moment that counts: there is no year 0000.
const FIRST: civil::Date = civil::date(1, 1, 1);

/// Reads a time: RFC 3339, or a date with a zone, which stands for its first moment.
pub fn parse(text: &str) -> Result<Moment> {
    let text = text.trim();
    if text == "now" {
        return Ok(now());
    }
    if has_second_60(text) {
        bail!(
            "{text:?} has a second 60, which is not counted here: write second 59, or the first second of the next minute"
        );
    }
    let moment = match text.split_once('[') {
        Some((local, place)) => at_place(text, local, place)?,
        None => without_place(text)?,
    };
    if moment < since_epoch(FIRST.at(0, 0, 0, 0)) {
        bail!("{text:?} lies before the year 0001, where the calendar begins: write 0001-01-01Z for its first moment");
    }
    Ok(moment)
}

/// Reads when something ends: so many days, hours or minutes from now (90d, 12h, 30m), or a time.
pub fn parse_end(text: &str) -> Result<Moment> {
    let trimmed = text.trim();
    let seconds = match trimmed.as_bytes().last() {
        Some(b'd') => 86_400,
        Some(b'h') => 3_600,
        Some(b'm') => 60,
        _ => return parse(text),
    };
    match trimmed[..trimmed.len() - 1].parse::<u32>() {
        Ok(count) => Ok(now().plus_seconds(i64::from(count) * seconds)),
        Err(_) => bail!("{text:?} is neither a time nor so many days (90d), hours (12h) or minutes (30m)"),
    }
}

fn without_place(text: &str) -> Result<Moment> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(moment(timestamp));
    }
    if let Some(utc) = text.strip_suffix(['Z', 'z']).and_then(local_time) {
        return Ok(since_epoch(utc));
    }
    // Ten characters are the date; the rest is its zone.
    if let Some((date, zone)) = text.split_at_checked(DATE_LENGTH)
        && let Some(date) = local_time(date)
        && let Some(zone) = parse_zone(zone.trim())
    {
        return Ok(moment(date.date().to_zoned(zone)?.timestamp()));
    }
    if local_time(text).is_some() {
        let written = text.replace(' ', "T");
        let written = if written.len() == DATE_LENGTH { written } else { written.trim_end_matches('T').to_owned() };
        bail!(
            "{text:?} has no zone, and nobody can tell which moment it is: write {written}Z for UTC, \
             {written}+01:00 for an offset, or {written}[Europe/Berlin] for a place"
        );
    }
    Err(no_time(text))
}

/// Reads what stands before a place in brackets: a date, a local time there, or a time with an offset that fits.
fn at_place(text: &str, local: &str, place: &str) -> Result<Moment> {
    let Some(place) = place.strip_suffix(']').filter(|place| !place.contains(['[', ']', '='])) else {
        return Err(no_time(text));
    };
    let place = place.trim_start_matches('!');
    let zone = if place.starts_with(['+', '-']) { parse_zone(place) } else { TimeZone::get(place).ok() };
    let Some(zone) = zone else {
        bail!("there is no place {place:?}: expected a name of the IANA time zone database, such as Europe/Berlin");
    };
    if let Ok(timestamp) = local.parse::<Timestamp>() {
        let utc = local.ends_with(['Z', 'z']);
        let (there, given) = (zone.to_offset(timestamp), offset_of(local, timestamp));
        if !utc && given != Some(there) {
            let (time, _) = local.rsplit_once(['+', '-']).unwrap_or((local, ""));
            bail!(
                "{text:?} contradicts itself: at that moment the clocks of {place} were at {}: write {local} for the \
                 offset, or {time}[{place}] for the place",
                show_offset(there)
            );
        }
        return Ok(moment(timestamp));
    }
    let Some(time) = local_time(local) else { return Err(no_time(text)) };
    if local.len() == DATE_LENGTH {
        return Ok(moment(time.date().to_zoned(zone)?.timestamp()));
    }
    let ambiguous = zone.into_ambiguous_zoned(time);
    let (what, before, after) = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => return Ok(moment(ambiguous.unambiguous()?.timestamp())),
        AmbiguousOffset::Gap { before, after } => {
            ("was skipped there, when the clocks were put forward", before, after)
        }
        AmbiguousOffset::Fold { before, after } => ("was there twice, when the clocks were put back", before, after),
    };
    bail!("{text:?} {what}: write {local}{} or {local}{}", show_offset(before), show_offset(after))
}

fn no_time(text: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{text:?} is no time: expected RFC 3339, such as 2026-03-01T09:30:00Z, or a date with a zone, such as 2026-03-01Z"
    )
}

/// As many characters as a date has.
const DATE_LENGTH: usize = 10;

/// A date, or a date and a time, and nothing behind it.
fn local_time(text: &str) -> Option<civil::DateTime> {
    let (_, time) = text.split_at_checked(DATE_LENGTH)?;
    let is_time = time.bytes().all(|byte| byte.is_ascii_digit() || b"Tt :.,".contains(&byte));
    is_time.then(|| text.parse().ok()).flatten()
}

/// Whether the seconds of a time are 60: they would be read as 59.
fn has_second_60(text: &str) -> bool {
    let Some((_, time)) = text.split_once(['T', 't', ' ']) else { return false };
    let clock = time.split(['Z', 'z', '+', '-', '[', '.', ',', ' ']).next().unwrap_or_default();
    let digits: String = clock.chars().filter(|c| *c != ':').collect();
    digits.len() == 6 && digits.ends_with("60")
}

/// The offset that a time was written with: how far its clock was from UTC.
fn offset_of(written: &str, timestamp: Timestamp) -> Option<Offset> {
    let (time, _) = written.rsplit_once(['+', '-'])?;
    let local = since_epoch(local_time(time)?);
    Offset::from_seconds(i32::try_from(local.seconds - moment(timestamp).seconds).ok()?).ok()
}

/// An offset as RFC 3339 writes it.
fn show_offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    format!("{}{hours:02}:{minutes:02}", if seconds < 0 { '-' } else { '+' })
}

/// The epoch on the calendar. jiff's time stamps end some hours before the year 9999 does, and its calendar does not.
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A date and a time in UTC.
fn since_epoch(utc: civil::DateTime) -> Moment {
    let since = utc.duration_since(EPOCH);
    let nanos = i64::from(since.subsec_nanos());
    Moment {
        seconds: since.as_secs() + nanos.div_euclid(1_000_000_000),
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

fn parse_zone(text: &str) -> Option<TimeZone> {
    match text {
        "" => None,
        "Z" | "z" | "UTC" => Some(TimeZone::UTC),
        offset if offset.starts_with(['+', '-']) => {
            let probe = format!("2000-01-01T00:00:00{offset}");
            let shifted = probe.parse::<Timestamp>().ok()?;
            let base: Timestamp = "2000-01-01T00:00:00Z".parse().ok()?;
            let seconds = i32::try_from(base.as_second() - shifted.as_second()).ok()?;
            Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
        }
        place => TimeZone::get(place).ok(),
    }
}

/// The time of the question, if none is given.
pub fn now() -> Moment {
    SystemClock::wall()
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
