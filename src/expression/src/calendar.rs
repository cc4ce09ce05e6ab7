//! Days and times, to and from ISO 8601 text, in the proleptic Gregorian calendar.

use std::fmt::Write;

const DAY_US: i64 = 86_400_000_000;

/// Days since 1970-01-01, by shifting the year to begin in March (leap days come last then).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (years + era * 400 + i64::from(month <= 2), month, day)
}

fn digits(text: &str, len: usize) -> Option<(i64, &str)> {
    let (head, rest) = text.split_at_checked(len)?;
    if !head.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((head.parse().ok()?, rest))
}

fn date_of(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let days = days(year, month, day);
    // A day that the month does not have comes back as another one.
    ((1..=12).contains(&month) && civil(days) == (year, month, day)).then_some((days, rest))
}

fn time_of(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, mut rest) = digits(rest.strip_prefix(':')?, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 || len > 6 {
            return None;
        }
        let (value, after) = digits(fraction, len)?;
        micros = value * 10i64.pow(6 - len as u32);
        rest = after;
    }
    Some((
        ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros,
        rest,
    ))
}

fn moment(text: &str) -> Option<(i64, &str)> {
    let (days, rest) = date_of(text)?;
    let (time, rest) = time_of(rest.strip_prefix(['T', ' '])?)?;
    Some((days * DAY_US + time, rest))
}

/// `2026-01-31`.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    date_of(text)
        .filter(|(_, rest)| rest.is_empty())
        .and_then(|(days, _)| i32::try_from(days).ok())
}

/// `12:30:00.5`.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    time_of(text)
        .filter(|(_, rest)| rest.is_empty())
        .map(|t| t.0)
}

/// `2026-01-31T12:30:00`.
pub(crate) fn parse_local(text: &str) -> Option<i64> {
    moment(text)
        .filter(|(_, rest)| rest.is_empty())
        .map(|t| t.0)
}

/// `2026-01-31T12:30:00Z`, `2026-01-31T12:30:00+01:00`.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let (local, zone) = moment(text)?;
    if zone == "Z" {
        return Some(local);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(&zone[1..], 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60)
        .then(|| local - sign * (hours * 60 + minutes) * 60_000_000)
}

/// The day of a moment of no zone.
pub(crate) fn day_of(local: i64) -> Option<i32> {
    i32::try_from(local.div_euclid(DAY_US)).ok()
}

/// The time of day of a moment of no zone.
pub(crate) fn time_of_day(local: i64) -> i64 {
    local.rem_euclid(DAY_US)
}

pub(crate) fn write_date(date: i64, out: &mut impl Write) -> std::fmt::Result {
    let (year, month, day) = civil(date);
    let sign = if year < 0 { "-" } else { "" };
    write!(out, "{sign}{:04}-{month:02}-{day:02}", year.abs())
}

pub(crate) fn write_time(time: i64, out: &mut impl Write) -> std::fmt::Result {
    let seconds = time.div_euclid(1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(out, "{hour:02}:{minute:02}:{second:02}")?;
    let (mut micros, mut width) = (time.rem_euclid(1_000_000), 6usize);
    if micros > 0 {
        while micros % 10 == 0 {
            micros /= 10;
            width -= 1;
        }
        write!(out, ".{micros:0width$}")?;
    }
    Ok(())
}

pub(crate) fn write_local(moment: i64, out: &mut impl Write) -> std::fmt::Result {
    write_date(moment.div_euclid(DAY_US), out)?;
    out.write_char('T')?;
    write_time(moment.rem_euclid(DAY_US), out)
}
