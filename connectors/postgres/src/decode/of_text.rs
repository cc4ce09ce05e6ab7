//! Values from the texts that PostgreSQL's output functions write, under the settings of our sessions:
//! ISO dates, UTC, shortest exact floats, hexadecimal bytes. What they decode to is what the binary
//! form decodes to.

use onramp_connector::{ColumnDecoder, Decimal, Undecodable, Value, ValueType};

use super::{DAY_US, text, unsupported};

/// The most digits that are carried.
const DIGITS: usize = 38;

/// How texts of this type are read. Bytes come in as [`bytes`] gives them.
pub(crate) fn decoder(value_type: &ValueType) -> ColumnDecoder {
    match value_type {
        ValueType::Bool => |b| match b {
            b"true" | b"t" => Ok(Value::Bool(true)),
            b"false" | b"f" => Ok(Value::Bool(false)),
            _ => Err(Undecodable::Malformed),
        },
        ValueType::Int(_) => |b| Ok(Value::Int(parsed(b)?)),
        ValueType::Float => |b| Ok(Value::Float(parsed(b)?)),
        ValueType::Double => |b| Ok(Value::Double(parsed(b)?)),
        ValueType::Decimal(_) => decimal,
        ValueType::Text | ValueType::Enum(_) | ValueType::Json => text,
        ValueType::Bytes => |b| Ok(Value::Bytes(b)),
        ValueType::Date => |b| {
            let (days, rest) = days(b)?;
            let days = i32::try_from(days).map_err(|_| Undecodable::TooWide)?;
            whole(rest).map(|()| Value::Date(days))
        },
        ValueType::Time => |b| match clock(b)? {
            (DAY_US.., _) => Err(Undecodable::TooWide),
            (us, rest) => whole(rest).map(|()| Value::Time(us)),
        },
        ValueType::LocalTimestamp => |b| {
            let (us, rest) = instant(b)?;
            whole(rest).map(|()| Value::LocalTimestamp(us))
        },
        ValueType::Timestamp => |b| match instant(b)? {
            (us, b"+00") => Ok(Value::Timestamp(us)),
            _ => Err(Undecodable::Malformed),
        },
        ValueType::Uuid => uuid,
        // An array's text is read as a whole: see `follow::array`.
        ValueType::Array(_) | ValueType::Unsupported => unsupported,
    }
}

/// `char(n)` without its padding.
pub(crate) fn padded(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    super::padded(bytes)
}

/// The bytes that `\x00ff` stands for; none where it is not of that form.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("\\x").unwrap_or_default().as_bytes();
    let digit = |b: &u8| (*b as char).to_digit(16).map_or(0, |d| d as u8);
    let pair = |pair: &[u8]| pair.iter().fold(0, |byte, d| byte << 4 | digit(d));
    digits.chunks(2).map(pair).collect()
}

fn parsed<T: std::str::FromStr>(bytes: &[u8]) -> Result<T, Undecodable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Undecodable::Encoding)?;
    text.parse().map_err(|_| Undecodable::Malformed)
}

fn whole(rest: &[u8]) -> Result<(), Undecodable> {
    match rest {
        [] => Ok(()),
        _ => Err(Undecodable::Malformed),
    }
}

fn decimal(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    if matches!(bytes, b"NaN" | b"Infinity" | b"-Infinity") {
        return Err(Undecodable::NotFinite);
    }
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, bytes),
    };
    let point = digits.iter().position(|b| *b == b'.');
    let scale = point.map_or(0, |at| digits.len() - at - 1);
    let mut mantissa: i128 = 0;
    let mut any = false;
    for byte in digits.iter().filter(|b| **b != b'.') {
        if !byte.is_ascii_digit() {
            return Err(Undecodable::Malformed);
        }
        any = true;
        mantissa = mantissa
            .checked_mul(10)
            .and_then(|m| m.checked_add(i128::from(byte - b'0')))
            .filter(|m| *m < 10_i128.pow(DIGITS as u32))
            .ok_or(Undecodable::TooWide)?;
    }
    if !any || digits.iter().filter(|b| **b == b'.').count() > 1 {
        return Err(Undecodable::Malformed);
    }
    if scale > DIGITS {
        return Err(Undecodable::TooWide);
    }
    Ok(Value::Decimal(Decimal {
        mantissa: if negative { -mantissa } else { mantissa },
        scale: scale as u8, // at most DIGITS
    }))
}

/// A number of at least so many digits, and what follows.
fn number(bytes: &[u8], least: usize) -> Result<(i64, &[u8]), Undecodable> {
    let count = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if count < least || count > 9 {
        return Err(Undecodable::Malformed);
    }
    let (digits, rest) = bytes.split_at(count);
    let number = digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
    Ok((number, rest))
}

fn behind(bytes: &[u8], separator: u8) -> Result<&[u8], Undecodable> {
    match bytes.split_first() {
        Some((first, rest)) if *first == separator => Ok(rest),
        _ => Err(Undecodable::Malformed),
    }
}

/// Days since 1970-01-01. A year before the first is written behind everything, as ` BC`.
fn days(bytes: &[u8]) -> Result<(i64, &[u8]), Undecodable> {
    if matches!(bytes, b"infinity" | b"-infinity") {
        return Err(Undecodable::NotFinite);
    }
    let (bytes, before) = match bytes.strip_suffix(b" BC") {
        Some(bytes) => (bytes, true),
        None => (bytes, false),
    };
    let (year, rest) = number(bytes, 4)?;
    let (month, rest) = number(behind(rest, b'-')?, 2)?;
    let (day, rest) = number(behind(rest, b'-')?, 2)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(Undecodable::Malformed);
    }
    let year = if before { 1 - year } else { year };
    Ok((days_from_civil(year, month, day), rest))
}

/// Microseconds since midnight.
fn clock(bytes: &[u8]) -> Result<(i64, &[u8]), Undecodable> {
    let (hour, rest) = number(bytes, 2)?;
    let (minute, rest) = number(behind(rest, b':')?, 2)?;
    let (second, rest) = number(behind(rest, b':')?, 2)?;
    if hour > 24 || minute > 59 || second > 59 {
        return Err(Undecodable::Malformed);
    }
    let us = (hour * 3600 + minute * 60 + second) * 1_000_000;
    let Some((b'.', fraction)) = rest.split_first() else {
        return Ok((us, rest));
    };
    let count = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=6).contains(&count) {
        return Err(Undecodable::Malformed);
    }
    let (digits, rest) = number(fraction, 1)?;
    Ok((us + digits * 10_i64.pow(6 - count as u32), rest))
}

fn instant(bytes: &[u8]) -> Result<(i64, &[u8]), Undecodable> {
    let (days, rest) = days(bytes)?;
    let (us, rest) = clock(behind(rest, b' ')?)?;
    let day_us = days.checked_mul(DAY_US).ok_or(Undecodable::TooWide)?;
    Ok((day_us + us, rest))
}

fn uuid(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    let mut out = [0_u8; 16];
    let mut digits = 0;
    for byte in bytes.iter().filter(|b| **b != b'-') {
        let digit = (*byte as char).to_digit(16).ok_or(Undecodable::Malformed)?;
        let place = out.get_mut(digits / 2).ok_or(Undecodable::Malformed)?;
        *place = *place << 4 | digit as u8;
        digits += 1;
    }
    match digits {
        32 => Ok(Value::Uuid(out)),
        _ => Err(Undecodable::Malformed),
    }
}

/// Days since 1970-01-01 of a day in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value_type: ValueType, text: &str) -> Result<Value<'_>, Undecodable> {
        decoder(&value_type)(text.as_bytes())
    }

    #[test]
    fn texts_decode_to_what_they_stand_for() {
        use ValueType as T;
        let decimal = |mantissa, scale| Ok(Value::Decimal(Decimal { mantissa, scale }));
        for (value_type, text, wanted) in [
            (T::Bool, "true", Ok(Value::Bool(true))),
            (T::Int(64), "-9", Ok(Value::Int(-9))),
            (T::Double, "1e-07", Ok(Value::Double(1e-7))),
            (T::Decimal(None), "-12.50", decimal(-1250, 2)),
            (T::Decimal(None), "NaN", Err(Undecodable::NotFinite)),
            (T::Decimal(None), "1.2.3", Err(Undecodable::Malformed)),
            (T::Decimal(None), &"9".repeat(39), Err(Undecodable::TooWide)),
            (T::Date, "1970-01-02", Ok(Value::Date(1))),
            (T::Date, "0001-12-31 BC", Ok(Value::Date(-719_163))),
            (T::Date, "infinity", Err(Undecodable::NotFinite)),
            (T::Time, "00:00:01.5", Ok(Value::Time(1_500_000))),
            (T::Time, "24:00:00", Err(Undecodable::TooWide)),
            (
                T::LocalTimestamp,
                "1970-01-01 00:00:00.000001",
                Ok(Value::LocalTimestamp(1)),
            ),
            (
                T::Timestamp,
                "1969-12-31 23:59:59+00",
                Ok(Value::Timestamp(-1_000_000)),
            ),
            (
                T::Timestamp,
                "1969-12-31 23:59:59+01",
                Err(Undecodable::Malformed),
            ),
            (
                T::Uuid,
                "00000000-0000-0000-0000-0000000000ff",
                Ok(Value::Uuid([
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255,
                ])),
            ),
            (T::Unsupported, "x", Err(Undecodable::Malformed)),
        ] {
            assert_eq!(read(value_type, text), wanted, "{text}");
        }
        assert_eq!(padded(b"ab  "), Ok(Value::Text("ab")));
        assert_eq!(bytes("\\x00ff"), [0, 255]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,24}", digits in "[-+0-9: .BC]{0,24}") {
            for value_type in [
                ValueType::Bool, ValueType::Int(16), ValueType::Float, ValueType::Double,
                ValueType::Decimal(None), ValueType::Date, ValueType::Time,
                ValueType::LocalTimestamp, ValueType::Timestamp, ValueType::Uuid,
            ] {
                let _ = read(value_type.clone(), &text);
                let _ = read(value_type, &digits);
            }
            bytes(&text);
        }
    }
}
