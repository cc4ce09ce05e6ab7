//! Values that stand in the files: each a text of its field's type, read once and exactly.

use crate::Scalar;

/// A value that stands in a file, with its text there.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// As it is written.
    pub text: String,
    /// What it is.
    pub value: Literal,
}

/// A value of a field's type.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Literal {
    Boolean(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    /// Text, JSON's too.
    Text(String),
    Bytes(Vec<u8>),
    /// All digits with the sign, at the type's scale.
    Decimal(i128),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00:00 of no zone.
    LocalTimestamp(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    Uuid([u8; 16]),
}

impl Constant {
    /// The value of a type that a text stands for; none where it stands for none.
    pub(crate) fn of(text: &str, scalar: Scalar) -> Option<Constant> {
        Some(Constant {
            text: text.to_owned(),
            value: literal(text, scalar)?,
        })
    }
}

/// How a value of a type is written, for a remedy.
pub(crate) fn written(scalar: Scalar) -> String {
    match scalar {
        Scalar::Boolean => "`true` or `false`".into(),
        Scalar::Int | Scalar::Long => "a whole number, e.g. `42`".into(),
        Scalar::Float | Scalar::Double => "a number, e.g. `0.5`".into(),
        Scalar::String => "text".into(),
        Scalar::Bytes => "hexadecimal digits, e.g. `\"\\\\x00ff\"`".into(),
        Scalar::Decimal { precision, scale } => format!(
            "a number of at most {} digits before the point and {scale} behind it, e.g. `\"12.50\"`",
            precision - scale
        ),
        Scalar::Date => "a day, e.g. `\"2026-01-31\"`".into(),
        Scalar::Timestamp => "a moment, e.g. `\"2026-01-31T12:30:00Z\"`".into(),
        Scalar::LocalTimestamp => {
            "a day and time of no zone, e.g. `\"2026-01-31T12:30:00\"`".into()
        }
        Scalar::Time => "a time of day, e.g. `\"12:30:00\"`".into(),
        Scalar::Uuid => "a UUID of 36 characters".into(),
        Scalar::Json => "JSON, e.g. `'{\"a\": 1}'`".into(),
    }
}

fn literal(text: &str, scalar: Scalar) -> Option<Literal> {
    Some(match scalar {
        Scalar::Boolean => match text {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            _ => return None,
        },
        Scalar::Int => Literal::Int(text.parse().ok()?),
        Scalar::Long => Literal::Long(text.parse().ok()?),
        Scalar::Float => Literal::Float(text.parse().ok().filter(|v: &f32| v.is_finite())?),
        Scalar::Double => Literal::Double(text.parse().ok().filter(|v: &f64| v.is_finite())?),
        Scalar::String => Literal::Text(text.to_owned()),
        Scalar::Json => {
            serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
            Literal::Text(text.to_owned())
        }
        Scalar::Bytes => Literal::Bytes(hex(text.strip_prefix("\\x")?)?),
        Scalar::Decimal { precision, scale } => Literal::Decimal(decimal(text, precision, scale)?),
        Scalar::Date => {
            let date: jiff::civil::Date = text.parse().ok()?;
            Literal::Date((date - jiff::civil::date(1970, 1, 1)).get_days())
        }
        Scalar::Time => {
            let time: jiff::civil::Time = text.parse().ok()?;
            let since = time - jiff::civil::Time::midnight();
            Literal::Time(since.total(jiff::Unit::Microsecond).ok()? as i64)
        }
        Scalar::LocalTimestamp => {
            let local: jiff::civil::DateTime = text.parse().ok()?;
            let moment = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Literal::LocalTimestamp(moment.timestamp().as_microsecond())
        }
        Scalar::Timestamp => {
            Literal::Timestamp(text.parse::<jiff::Timestamp>().ok()?.as_microsecond())
        }
        Scalar::Uuid => {
            let hyphens = text.len() == 36
                && [8, 13, 18, 23]
                    .iter()
                    .all(|at| text.as_bytes()[*at] == b'-');
            let digits = hyphens.then(|| text.replace('-', ""))?;
            Literal::Uuid(hex(&digits)?.try_into().ok()?)
        }
    })
}

/// The digits of a number at a scale, where that loses none.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let fraction = fraction.trim_end_matches('0');
    let plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > scale.into() {
        return None;
    }
    let width = usize::from(scale);
    let mantissa: i128 = format!("{whole}{fraction:0<width$}").parse().ok()?;
    let fits = mantissa < 10i128.checked_pow(precision.into())?;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    fits.then_some(sign * mantissa)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_value_of_its_type_or_none() {
        let decimal = Scalar::Decimal {
            precision: 5,
            scale: 2,
        };
        for (text, scalar, wanted) in [
            ("true", Scalar::Boolean, Literal::Boolean(true)),
            ("-7", Scalar::Long, Literal::Long(-7)),
            ("01", Scalar::String, Literal::Text("01".into())),
            ("-12.5", decimal, Literal::Decimal(-1250)),
            ("999.990", decimal, Literal::Decimal(99_999)),
            ("\\x00ff", Scalar::Bytes, Literal::Bytes(vec![0, 255])),
            ("1969-12-31", Scalar::Date, Literal::Date(-1)),
            ("00:00:01.5", Scalar::Time, Literal::Time(1_500_000)),
            (
                "1970-01-01T01:00:00+01:00",
                Scalar::Timestamp,
                Literal::Timestamp(0),
            ),
            (
                "1970-01-01T00:00:01",
                Scalar::LocalTimestamp,
                Literal::LocalTimestamp(1_000_000),
            ),
            (
                "{\"a\": 1}",
                Scalar::Json,
                Literal::Text("{\"a\": 1}".into()),
            ),
            (
                "abababab-abab-abab-abab-abababababab",
                Scalar::Uuid,
                Literal::Uuid([0xab; 16]),
            ),
        ] {
            assert_eq!(literal(text, scalar), Some(wanted), "{text}");
        }
        for (text, scalar) in [
            ("yes", Scalar::Boolean),
            ("2147483648", Scalar::Int),
            ("1e400", Scalar::Double),
            ("1000", decimal),
            ("1.001", decimal),
            ("1.", Scalar::Long),
            (".5", decimal),
            ("--5", decimal),
            ("2026-02-30", Scalar::Date),
            ("1970-01-01T00:00:00", Scalar::Timestamp),
            ("00ff", Scalar::Bytes),
            ("{a: 1}", Scalar::Json),
            ("abababababababababababababababababab", Scalar::Uuid),
        ] {
            assert_eq!(literal(text, scalar), None, "{text}");
        }
    }
}
