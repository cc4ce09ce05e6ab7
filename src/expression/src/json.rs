//! JSON opened by field access: a path into a document, and the value that stands there as one of
//! ours, exactly.
//!
//! A document's text comes in, and parts of it go out: nothing is built, and nothing allocated but
//! the text of a string with escapes, which a [`Scratch`] holds. Each document is read to its end,
//! so that one that is no JSON fails wherever it is broken.

mod path;
mod paths;
mod scan;

use std::fmt;

use onramp_connector::{Decimal, Value};

use crate::Scratch;
use scan::Scan;

pub use path::JsonPath;
pub use paths::{JsonNotes, JsonPaths, Note, NotedElements, members, room};

/// What a value is opened as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits; 1.0 and 1e2 are whole.
    Int,
    /// A number, exactly.
    Decimal,
    /// The nearest 64-bit float.
    Double,
    /// A number that a 32-bit float has: as it, or the 64-bit one of its value, is written.
    Float,
    /// A string, without its escapes.
    Text,
    /// A code: a string, a whole number or a truth value.
    Code,
    /// Any value, as the text that stands there.
    Raw,
}

/// Why a document gives no value; never with the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// Not JSON (RFC 8259).
    NotJson,
    /// Nested deeper than is looked into.
    TooDeep,
    /// A value of another type than is opened, or on the way to it.
    OtherType,
    /// A number beyond the range of what it is opened as, or not whole.
    Range,
    /// Half of a surrogate pair.
    Surrogate,
    /// A string that is longer than all strings of a row may be.
    TooLong,
}

impl JsonFault {
    /// What it says to a person.
    pub fn reason(self) -> &'static str {
        match self {
            JsonFault::NotJson => "the column's text is not JSON",
            JsonFault::TooDeep => "the JSON is nested more than 256 deep",
            JsonFault::OtherType => {
                "the JSON value, or one on the way to it, is of another type than is asked for"
            }
            JsonFault::Range => {
                "the JSON number is not whole, or beyond what can be carried without loss"
            }
            JsonFault::Surrogate => "the JSON string holds half of a surrogate pair",
            JsonFault::TooLong => "the JSON strings of the row take more than 8 MiB",
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// The value of a part of a document that [`JsonPath::open`] or [`Elements`] gave. JSON's null is
/// null.
pub fn value<'a>(
    part: &'a str,
    opened: Opened,
    scratch: &'a Scratch,
) -> Result<Value<'a>, JsonFault> {
    let first = part.as_bytes().first().copied().unwrap_or_default();
    Ok(match (opened, first) {
        (_, b'n') => Value::Null,
        (Opened::Raw, _) => Value::Text(part),
        (Opened::Bool | Opened::Code, b't') => Value::Bool(true),
        (Opened::Bool | Opened::Code, b'f') => Value::Bool(false),
        (Opened::Text | Opened::Code, b'"') => {
            let inside = part.get(1..part.len().saturating_sub(1));
            Value::Text(scan::unescaped(inside.unwrap_or_default(), scratch)?)
        }
        (Opened::Int | Opened::Code, b'-' | b'0'..=b'9') => {
            let exact = number(part)?;
            Value::Int(whole(exact).ok_or(JsonFault::Range)?)
        }
        (Opened::Decimal, b'-' | b'0'..=b'9') => Value::Decimal(number(part)?),
        (Opened::Double, b'-' | b'0'..=b'9') => {
            let nearest = part.parse::<f64>().ok().filter(|v| v.is_finite());
            Value::Double(nearest.ok_or(JsonFault::Range)?)
        }
        (Opened::Float, b'-' | b'0'..=b'9') => Value::Float(float(part).ok_or(JsonFault::Range)?),
        _ => return Err(JsonFault::OtherType),
    })
}

/// The 32-bit float that a number is; None where it has more digits than one.
fn float(part: &str) -> Option<f32> {
    let nearest = part.parse::<f32>().ok().filter(|v| v.is_finite())?;
    let exact = part.parse::<f64>().ok()?;
    if f64::from(nearest) == exact {
        return Some(nearest);
    }
    // The shortest digits that are no other float's: at most 17 signs with sign and exponent.
    let mut room = [0u8; 32];
    let mut left = &mut room[..];
    std::io::Write::write_fmt(&mut left, format_args!("{nearest:e}")).ok()?;
    let free = left.len();
    let written = std::str::from_utf8(&room[..room.len() - free]).ok()?;
    (written.parse::<f64>().ok()? == exact).then_some(nearest)
}

fn whole(exact: Decimal) -> Option<i64> {
    if exact.scale == 0 {
        return i64::try_from(exact.mantissa).ok();
    }
    let power = 10i128.checked_pow(exact.scale.into())?;
    (exact.mantissa % power == 0)
        .then(|| i64::try_from(exact.mantissa / power).ok())
        .flatten()
}

/// A number of few digits and no exponent, as most are: its digits and how many stand behind the point.
fn short(text: &str) -> Option<Decimal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.len() > 18 {
        return None;
    }
    let (mut mantissa, mut point) = (0_i64, None);
    for (at, byte) in digits.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + i64::from(byte - b'0'),
            b'.' => point = Some(at),
            _ => return None,
        }
    }
    let scale = match point {
        Some(at) if mantissa != 0 => digits.len() - at - 1,
        _ => 0,
    };
    Some(Decimal {
        mantissa: i128::from(if negative { -mantissa } else { mantissa }),
        scale: scale as u8,
    })
}

/// A JSON number, exactly: its digits are never a float's.
fn number(text: &str) -> Result<Decimal, JsonFault> {
    if let Some(short) = short(text) {
        return Ok(short);
    }
    const MAX_DIGITS: i128 = 10i128.pow(38);
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let mut mantissa: i128 = 0;
    let mut left_out: i64 = 0;
    for digit in before.bytes().chain(behind.bytes()) {
        // Zeros at the end need not fit: they come back with the scale.
        let next = mantissa * 10 + i128::from(digit - b'0');
        if left_out > 0 || next >= MAX_DIGITS {
            if digit != b'0' {
                return Err(JsonFault::Range);
            }
            left_out += 1;
        } else {
            mantissa = next;
        }
    }
    if mantissa == 0 {
        return Ok(Decimal { mantissa, scale: 0 });
    }
    let exponent: i64 = exponent.parse().map_err(|_| JsonFault::Range)?;
    let behind = behind.len() as i64;
    // How many digits stand behind the point; less than none: zeros before it.
    let mut scale = behind
        .checked_sub(left_out)
        .and_then(|s| s.checked_sub(exponent))
        .ok_or(JsonFault::Range)?;
    while scale > 38 && mantissa % 10 == 0 {
        (mantissa, scale) = (mantissa / 10, scale - 1);
    }
    if scale < 0 {
        let power = u32::try_from(-scale)
            .ok()
            .and_then(|by| 10i128.checked_pow(by));
        let larger = power.and_then(|power| mantissa.checked_mul(power));
        mantissa = larger.filter(|m| *m < MAX_DIGITS).ok_or(JsonFault::Range)?;
        scale = 0;
    }
    let scale = u8::try_from(scale).ok().filter(|scale| *scale <= 38);
    Ok(Decimal {
        mantissa: if negative { -mantissa } else { mantissa },
        scale: scale.ok_or(JsonFault::Range)?,
    })
}

/// The elements of a JSON array: a part of a document that was read already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elements<'a> {
    array: &'a str,
}

impl<'a> Elements<'a> {
    /// Of a part that is an array.
    pub fn of(part: &'a str) -> Result<Self, JsonFault> {
        match part.starts_with('[') {
            true => Ok(Elements { array: part }),
            false => Err(JsonFault::OtherType),
        }
    }

    /// The elements' own texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut scan = Scan::new(self.array);
        let mut open = scan.take(b'[');
        std::iter::from_fn(move || {
            if !open || scan.take(b']') {
                open = false;
                return None;
            }
            // Read once already, so it is whole.
            let found = scan.value().ok();
            open = found.is_some();
            scan.take(b',');
            found
        })
    }
}

#[cfg(test)]
mod tests;
