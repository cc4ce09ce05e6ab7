//! The formats of dates and times that stand in text: strftime's directives, those of them that
//! say one thing only, held against what a field's type needs.

/// A date or time that a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Moment {
    Date,
    Time,
    LocalTimestamp,
    Timestamp,
}

impl Moment {
    /// The moment of a field's type.
    pub fn of_type(word: &str) -> Option<Moment> {
        Some(match word {
            "date" => Moment::Date,
            "time" => Moment::Time,
            "local-timestamp" => Moment::LocalTimestamp,
            "timestamp" => Moment::Timestamp,
            _ => return None,
        })
    }
}

/// One part of a format, in the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePart {
    /// `%Y`: four digits.
    Year,
    /// `%m`: two digits.
    Month,
    /// `%b`: three letters, in English, in any case.
    MonthName,
    /// `%d`: two digits.
    Day,
    /// `%j`: three digits.
    DayOfYear,
    /// `%H`: two digits, 00 to 23.
    Hour,
    /// `%I`: two digits, 01 to 12.
    Hour12,
    /// `%p`: AM or PM, in any case.
    HalfDay,
    /// `%M`: two digits.
    Minute,
    /// `%S`: two digits.
    Second,
    /// `%f`: one digit to nine.
    Fraction,
    /// A point and one digit to nine, or nothing: no format's, ISO 8601's.
    Decimals,
    /// `%z`: `Z`, `+HHMM` or `+HH:MM`.
    Offset,
    /// A byte that stands there as it is.
    Literal(u8),
}

/// A format that gives all that its field's type needs, and nothing that the type would lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    parts: Vec<TimePart>,
}

impl TimeFormat {
    /// Reads a format, or says why it cannot give what is wanted.
    pub fn read(format: &str, wanted: Moment) -> Result<TimeFormat, String> {
        let mut parts = Vec::new();
        directives(format, &mut parts)?;
        let format = TimeFormat { parts };
        format.fits(wanted).map(|()| format)
    }

    /// As ISO 8601 has it, with any fraction; a timestamp with its offset.
    pub fn iso(moment: Moment) -> TimeFormat {
        let text = match moment {
            Moment::Date => "%F",
            Moment::Time => "%T",
            Moment::LocalTimestamp | Moment::Timestamp => "%FT%T",
        };
        let mut parts = Vec::new();
        // The four above are formats.
        let _ = directives(text, &mut parts);
        if moment != Moment::Date {
            parts.push(TimePart::Decimals);
        }
        if moment == Moment::Timestamp {
            parts.push(TimePart::Offset);
        }
        TimeFormat { parts }
    }

    /// Its parts.
    pub fn parts(&self) -> &[TimePart] {
        &self.parts
    }

    /// Whether it says the offset from UTC, so that no zone is needed.
    pub fn has_offset(&self) -> bool {
        self.has(TimePart::Offset)
    }

    fn has(&self, part: TimePart) -> bool {
        self.parts.contains(&part)
    }

    fn fits(&self, wanted: Moment) -> Result<(), String> {
        use TimePart::*;
        for part in self.parts.iter().filter(|p| !matches!(p, Literal(_))) {
            if self.parts.iter().filter(|p| *p == part).count() > 1 {
                return Err("it says one part twice".into());
            }
        }
        let date = match wanted {
            Moment::Time => None,
            _ if !self.has(Year) => Some("it gives no year"),
            _ if self.has(DayOfYear) => None,
            _ if !self.has(Month) && !self.has(MonthName) => Some("it gives no month"),
            _ if !self.has(Day) => Some("it gives no day"),
            _ => None,
        };
        // What is finer than the text says is zero; what is coarser must be there.
        let time = match wanted {
            Moment::Date => None,
            _ if !self.has(Hour) && !self.has(Hour12) => Some("it gives no hour"),
            _ if self.has(Hour12) && !self.has(HalfDay) => {
                Some("it gives no half of the day (`%p`) beside a twelve-hour clock")
            }
            _ if self.has(Second) && !self.has(Minute) => Some("it gives seconds and no minute"),
            _ if self.has(Fraction) && !self.has(Second) => {
                Some("it gives a fraction and no second")
            }
            _ => None,
        };
        let date_too = [Year, Month, MonthName, Day, DayOfYear]
            .iter()
            .any(|p| self.has(*p));
        let time_too = [Hour, Hour12, HalfDay, Minute, Second, Fraction]
            .iter()
            .any(|p| self.has(*p));
        let lost = match wanted {
            Moment::Time if date_too => Some("it gives a date, which a time would lose"),
            Moment::Date if time_too => Some("it gives a time of day, which a date would lose"),
            Moment::Timestamp => None,
            _ if self.has_offset() => {
                Some("it gives an offset (`%z`), which only a timestamp takes into account")
            }
            _ => None,
        };
        match date.or(time).or(lost) {
            Some(trouble) => Err(trouble.to_owned()),
            None => Ok(()),
        }
    }
}

fn directives(format: &str, parts: &mut Vec<TimePart>) -> Result<(), String> {
    use TimePart::*;
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            let mut utf8 = [0; 4];
            parts.extend(c.encode_utf8(&mut utf8).bytes().map(Literal));
            continue;
        }
        let part = match chars.next() {
            Some('Y') => Year,
            Some('m') => Month,
            Some('b' | 'h') => MonthName,
            Some('d') => Day,
            Some('j') => DayOfYear,
            Some('H') => Hour,
            Some('I') => Hour12,
            Some('p') => HalfDay,
            Some('M') => Minute,
            Some('S') => Second,
            Some('f') => Fraction,
            Some('z') => Offset,
            Some('%') => Literal(b'%'),
            Some('F') => {
                directives("%Y-%m-%d", parts)?;
                continue;
            }
            Some('R') => {
                directives("%H:%M", parts)?;
                continue;
            }
            Some('T') => {
                directives("%H:%M:%S", parts)?;
                continue;
            }
            Some('.') if chars.next() == Some('f') => {
                parts.push(Literal(b'.'));
                Fraction
            }
            Some(':') if chars.next() == Some('z') => Offset,
            Some('.' | ':') => return Err("of `%.` and `%:` only `%.f` and `%:z` are known".into()),
            Some('y') => return Err("`%y` leaves the century to be guessed".into()),
            Some(other) => return Err(format!("`%{other}` is not known")),
            None => return Err("it ends in a lone `%`".into()),
        };
        parts.push(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_gives_what_is_needed_and_nothing_that_is_lost() {
        for (format, wanted) in [
            ("%Y%m%d", Moment::Date),
            ("%d-%b-%Y", Moment::Date),
            ("%Y%j", Moment::Date),
            ("%H", Moment::Time),
            ("%I:%M %p", Moment::Time),
            ("%F %T%.f", Moment::LocalTimestamp),
            ("%FT%R%:z", Moment::Timestamp),
            ("100%% %Y%m%d%H%M%S", Moment::Timestamp),
        ] {
            assert_eq!(
                TimeFormat::read(format, wanted).map(|_| ()),
                Ok(()),
                "{format}"
            );
        }
        for (format, wanted, why) in [
            ("%m/%d", Moment::Date, "no year"),
            ("%Y/%d", Moment::Date, "no month"),
            ("%Y/%m", Moment::Date, "no day"),
            ("%Y%m%d%H", Moment::Date, "would lose"),
            ("%F", Moment::LocalTimestamp, "no hour"),
            ("%F %I", Moment::LocalTimestamp, "half of the day"),
            ("%H:%S", Moment::Time, "no minute"),
            ("%H:%M%.f", Moment::Time, "no second"),
            ("%F %H", Moment::Time, "would lose"),
            ("%F%z", Moment::Date, "only a timestamp"),
            ("%T%z", Moment::Time, "only a timestamp"),
            ("%F %T %m", Moment::LocalTimestamp, "twice"),
            ("%y%m%d", Moment::Date, "century"),
            ("%e.%m.%Y", Moment::Date, "`%e` is not known"),
            ("%Y%m%d%.x", Moment::Date, "only `%.f`"),
            ("%Y%m%d%", Moment::Date, "lone"),
        ] {
            let said = TimeFormat::read(format, wanted).unwrap_err();
            assert!(said.contains(why), "{format}: {said}");
        }
    }
}
