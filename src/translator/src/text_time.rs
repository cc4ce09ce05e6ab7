//! Dates and times that stand in text, read by a format: strict.
//!
//! Every character must be as the format says, and nothing may follow: what is not understood is
//! refused, never guessed.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use onramp_finding::codes::mapping;
use onramp_language::{Ambiguous, Moment, Parse, TimeFormat, TimePart, Unit};

use crate::convert::{Out, Refusal};

/// A compiled format.
#[derive(Debug)]
pub(crate) struct TextTime {
    format: TimeFormat,
    moment: Moment,
    zone: Option<TimeZone>,
    ambiguous: Ambiguous,
    unit: Unit,
}

/// Reads texts as a field's `parse` would, for whoever looks for the format of a column.
#[derive(Debug)]
pub struct TimeReader(TextTime);

impl TimeReader {
    /// None where the format cannot give such a moment, or needs a zone to.
    pub fn new(format: &str, moment: Moment) -> Option<Self> {
        let format = TimeFormat::read(format, moment).ok()?;
        let needs_zone = moment == Moment::Timestamp && !format.has_offset();
        (!needs_zone).then_some(TimeReader(TextTime {
            format,
            moment,
            zone: None,
            ambiguous: Ambiguous::Fail,
            unit: Unit::Micros,
        }))
    }

    /// Microseconds since 1970-01-01T00:00:00, or since midnight; None where the text is not of the
    /// format.
    pub fn read(&self, text: &str) -> Option<i64> {
        match self.0.read(text).ok()? {
            Out::Date(days) => Some(i64::from(days) * 86_400_000_000),
            Out::Time(us) | Out::LocalTimestamp(us) | Out::Timestamp(us) => Some(us),
            _ => None,
        }
    }
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

fn refused(reason: &'static str) -> Refusal {
    Refusal {
        code: &mapping::ROW_TIME,
        reason,
    }
}

impl TextTime {
    /// Compiles what a field's `parse`, `zone` and `ambiguous` say.
    pub(crate) fn new(parse: &Parse) -> Self {
        TextTime {
            format: parse.parts.clone(),
            moment: parse.moment,
            zone: parse.zone.as_ref().map(|(_, zone)| zone.clone()),
            ambiguous: parse.ambiguous,
            unit: parse.unit,
        }
    }

    /// Reads a text.
    pub(crate) fn read<'a>(&self, text: &str) -> Result<Out<'a>, Refusal> {
        let read = self.read_as(text, self.ambiguous)?;
        match (self.unit, read) {
            (Unit::Millis, Out::Time(us) | Out::LocalTimestamp(us) | Out::Timestamp(us)) => {
                match us % 1000 {
                    0 => Ok(Out::Long(us / 1000)),
                    _ => Err(refused(
                        "the time has more than milliseconds, which its type has",
                    )),
                }
            }
            (_, read) => Ok(read),
        }
    }

    /// Whether it is a local time that occurs twice in its zone, or never, whatever is made of it.
    pub(crate) fn is_ambiguous(&self, text: &str) -> bool {
        self.zone.is_some()
            && self.read_as(text, Ambiguous::Fail).is_err()
            && self.read_as(text, Ambiguous::Earlier).is_ok()
    }

    fn read_as<'a>(&self, text: &str, ambiguous: Ambiguous) -> Result<Out<'a>, Refusal> {
        let mut rest = text.as_bytes();
        let mut read = Read::default();
        for part in self.format.parts() {
            match part {
                TimePart::Literal(byte) => {
                    if rest.first() != Some(byte) {
                        return Err(refused("the text is not of the format"));
                    }
                    rest = &rest[1..];
                }
                TimePart::Year => read.year = digits(&mut rest, 4)?,
                TimePart::Month => read.month = digits(&mut rest, 2)?,
                TimePart::Day => read.day = digits(&mut rest, 2)?,
                TimePart::DayOfYear => read.day_of_year = Some(digits(&mut rest, 3)?),
                TimePart::Hour | TimePart::Hour12 => read.hour = digits(&mut rest, 2)?,
                TimePart::Minute => read.minute = digits(&mut rest, 2)?,
                TimePart::Second => read.second = digits(&mut rest, 2)?,
                TimePart::Fraction => read.micros = fraction(&mut rest)?,
                TimePart::Decimals => {
                    if let [b'.', after @ ..] = rest {
                        rest = after;
                        read.micros = fraction(&mut rest)?;
                    }
                }
                TimePart::MonthName => read.month = month_name(&mut rest)?,
                TimePart::HalfDay => read.afternoon = Some(half_day(&mut rest)?),
                TimePart::Offset => read.offset_s = offset(&mut rest)?,
            }
        }
        if !rest.is_empty() {
            return Err(refused("text follows what the format describes"));
        }
        self.assemble(read, ambiguous)
    }

    fn assemble<'a>(&self, mut read: Read, ambiguous: Ambiguous) -> Result<Out<'a>, Refusal> {
        if let Some(afternoon) = read.afternoon {
            if !(1..=12).contains(&read.hour) {
                return Err(refused("the hour is not one of a half day"));
            }
            read.hour = read.hour % 12 + if afternoon { 12 } else { 0 };
        }
        if read.hour > 23 || read.minute > 59 || read.second > 59 {
            return Err(refused("there is no such time of day"));
        }
        let seconds = i64::from(read.hour * 3600 + read.minute * 60 + read.second);
        let time = seconds * 1_000_000 + i64::from(read.micros);
        if self.moment == Moment::Time {
            return Ok(Out::Time(time));
        }
        let no_day = || refused("there is no such day");
        let leap = read.year % 4 == 0 && (read.year % 100 != 0 || read.year % 400 == 0);
        let days = match read.day_of_year {
            Some(day) if (1..=365 + i32::from(leap)).contains(&day) => {
                days_from_civil(read.year.into(), 1, 1) + i64::from(day) - 1
            }
            Some(_) => return Err(no_day()),
            None => {
                if !(1..=12).contains(&read.month)
                    || !(1..=days_in(read.month, leap)).contains(&read.day)
                {
                    return Err(no_day());
                }
                days_from_civil(read.year.into(), read.month.into(), read.day.into())
            }
        };
        let micros = days * 86_400_000_000 + time;
        match (self.moment, &self.zone) {
            (Moment::Date, _) => Ok(Out::Date(days as i32)),
            (Moment::LocalTimestamp, _) | (Moment::Time, _) => Ok(Out::LocalTimestamp(micros)),
            (Moment::Timestamp, None) => Ok(Out::Timestamp(
                micros - i64::from(read.offset_s) * 1_000_000,
            )),
            (Moment::Timestamp, Some(zone)) => {
                in_zone(zone, ambiguous, days, &read).map(Out::Timestamp)
            }
        }
    }
}

fn in_zone(zone: &TimeZone, ambiguous: Ambiguous, days: i64, read: &Read) -> Result<i64, Refusal> {
    let no_time = |_| refused("the time is beyond the range of its zone");
    let (year, month, day) = civil_from_days(days);
    let local = DateTime::new(
        year as i16,
        month as i8,
        day as i8,
        read.hour as i8,
        read.minute as i8,
        read.second as i8,
        read.micros * 1000,
    )
    .map_err(no_time)?;
    let instants = zone.to_ambiguous_timestamp(local);
    let instant = match ambiguous {
        Ambiguous::Fail => instants.unambiguous().map_err(|_| {
            refused("the local time occurs twice in its zone, or never, and ambiguous is fail")
        })?,
        Ambiguous::Earlier => instants.earlier().map_err(no_time)?,
        Ambiguous::Later => instants.later().map_err(no_time)?,
    };
    Ok(instant.as_microsecond())
}

#[derive(Default)]
struct Read {
    year: i32,
    month: i32,
    day: i32,
    day_of_year: Option<i32>,
    hour: i32,
    minute: i32,
    second: i32,
    micros: i32,
    afternoon: Option<bool>,
    offset_s: i32,
}

#[inline]
fn digits(rest: &mut &[u8], count: usize) -> Result<i32, Refusal> {
    let Some((head, tail)) = rest.split_at_checked(count) else {
        return Err(refused("the text is shorter than the format"));
    };
    let mut number = 0;
    for byte in head {
        if !byte.is_ascii_digit() {
            return Err(refused(
                "the text has something else where the format has a digit",
            ));
        }
        number = number * 10 + i32::from(byte - b'0');
    }
    *rest = tail;
    Ok(number)
}

/// One digit to nine; beyond microseconds only zeros, since more would be lost.
fn fraction(rest: &mut &[u8]) -> Result<i32, Refusal> {
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return Err(refused("a fraction of a second has one digit to nine"));
    }
    let number = digits(rest, count)?;
    if count <= 6 {
        return Ok(number * 10i32.pow(6 - count as u32));
    }
    let beyond = 10i32.pow(count as u32 - 6);
    if number % beyond != 0 {
        return Err(refused("the time is finer than microseconds"));
    }
    Ok(number / beyond)
}

fn month_name(rest: &mut &[u8]) -> Result<i32, Refusal> {
    let no_month = || refused("the text has no month of three letters where the format has one");
    let (head, tail) = rest.split_at_checked(3).ok_or_else(no_month)?;
    let month = MONTHS
        .iter()
        .position(|name| head.eq_ignore_ascii_case(name.as_bytes()))
        .ok_or_else(no_month)?;
    *rest = tail;
    Ok(month as i32 + 1)
}

fn half_day(rest: &mut &[u8]) -> Result<bool, Refusal> {
    let no_half = || refused("the text has neither AM nor PM where the format has one");
    let (head, tail) = rest.split_at_checked(2).ok_or_else(no_half)?;
    let afternoon = if head.eq_ignore_ascii_case(b"pm") {
        true
    } else if head.eq_ignore_ascii_case(b"am") {
        false
    } else {
        return Err(no_half());
    };
    *rest = tail;
    Ok(afternoon)
}

/// `Z`, `+HHMM` or `+HH:MM`.
fn offset(rest: &mut &[u8]) -> Result<i32, Refusal> {
    let sign = match rest.split_first() {
        Some((b'Z', tail)) => {
            *rest = tail;
            return Ok(0);
        }
        Some((b'+', tail)) => {
            *rest = tail;
            1
        }
        Some((b'-', tail)) => {
            *rest = tail;
            -1
        }
        _ => return Err(refused("the text has no offset where the format has one")),
    };
    let hours = digits(rest, 2)?;
    if let Some((b':', tail)) = rest.split_first() {
        *rest = tail;
    }
    let minutes = digits(rest, 2)?;
    if hours > 23 || minutes > 59 {
        return Err(refused("there is no such offset"));
    }
    Ok(sign * (hours * 3600 + minutes * 60))
}

fn days_in(month: i32, leap: bool) -> i32 {
    match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day in the proleptic Gregorian calendar.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}
