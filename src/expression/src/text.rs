//! Values to text and back, and places in text; nothing here allocates.

use std::fmt::Write;

use onramp_connector::Value;

use crate::{calendar, decimal};

/// Characters from `start` to before `end`, both from 0; None where the text has no such place.
pub(crate) fn substring(text: &str, start: i64, end: Option<i64>) -> Option<&str> {
    let place = |index: i64| {
        let index = usize::try_from(index).ok()?;
        let mut places = text.char_indices().map(|(at, _)| at);
        places
            .nth(index)
            .or_else(|| (text.chars().count() == index).then_some(text.len()))
    };
    let start = place(start)?;
    let end = end.map_or(Some(text.len()), place)?;
    text.get(start..end)
}

/// 32 hexadecimal digits in five groups.
pub(crate) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut out = [0u8; 16];
    let mut nibbles = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let nibble = char::from(*byte).to_digit(16)? as u8;
        out[nibbles / 2] |= if nibbles % 2 == 0 {
            nibble << 4
        } else {
            nibble
        };
        nibbles += 1;
    }
    Some(out)
}

/// Writes what `string()` gives for a value that is not text or bytes.
pub(crate) fn write(value: Value<'_>, out: &mut Line) -> std::fmt::Result {
    match value {
        Value::Bool(v) => write!(out, "{v}"),
        Value::Int(v) => write!(out, "{v}"),
        Value::Double(v) if v.is_nan() => out.write_str("NaN"),
        Value::Double(v) if v.is_infinite() => {
            out.write_str(if v > 0.0 { "Infinity" } else { "-Infinity" })
        }
        Value::Double(v) if v == 0.0 || (1e-5..1e17).contains(&v.abs()) => write!(out, "{v}"),
        Value::Double(v) => write!(out, "{v:e}"),
        Value::Decimal(v) => decimal::write(v, out),
        Value::Date(v) => calendar::write_date(i64::from(v), out),
        Value::Time(v) => calendar::write_time(v, out),
        Value::LocalTimestamp(v) => calendar::write_local(v, out),
        Value::Timestamp(v) => {
            calendar::write_local(v, out)?;
            out.write_char('Z')
        }
        Value::Uuid(v) => {
            for (at, byte) in v.iter().enumerate() {
                let dash = if matches!(at, 4 | 6 | 8 | 10) {
                    "-"
                } else {
                    ""
                };
                write!(out, "{dash}{byte:02x}")?;
            }
            Ok(())
        }
        Value::Null | Value::Float(_) | Value::Text(_) | Value::Bytes(_) | Value::Array(_) => {
            Err(std::fmt::Error)
        }
    }
}

/// The text of one number or time, on the stack; the longest is a decimal of scale 255.
pub(crate) struct Line {
    bytes: [u8; 304],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            bytes: [0; 304],
            len: 0,
        }
    }
}

impl Line {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.len + s.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}
