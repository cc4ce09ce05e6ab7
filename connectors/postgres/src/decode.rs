//! Binary values as PostgreSQL's send functions write them, one decoder a type.
//!
//! What comes in: one value's bytes. What never does: a type that is not listed here, which is
//! refused by name and never guessed. No decoder panics, whatever the bytes.

use std::sync::Arc;

use onramp_connector::{ColumnDecoder, Undecodable, Value, ValueType};

mod list;
mod numeric;
pub(crate) mod of_text;

pub(crate) use list::list;
pub(crate) use numeric::numeric;

/// Days from 1970-01-01 to 2000-01-01, from where PostgreSQL counts.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(crate) const EPOCH_US: i64 = EPOCH_DAYS as i64 * DAY_US;
const DAY_US: i64 = 86_400_000_000;

/// What a base type's values decode to, and how; None for a type that is not carried.
///
/// `typmod` is the column's own: it holds numeric's precision and scale, of an array's elements too.
/// Domains come in as their base type; an enum's values are read by [`text`], lists of them by
/// [`list()`].
pub(crate) fn column(oid: u32, typmod: i32) -> Option<(ValueType, ColumnDecoder)> {
    match list::element(oid) {
        None => scalar(oid, typmod),
        Some(element) => {
            let (element, _) = scalar(element, typmod)?;
            Some((ValueType::Array(Arc::new(element)), list))
        }
    }
}

/// The same of a type that holds one value.
fn scalar(oid: u32, typmod: i32) -> Option<(ValueType, ColumnDecoder)> {
    let (value_type, decoder): (ValueType, ColumnDecoder) = match oid {
        16 => (ValueType::Bool, boolean),
        17 => (ValueType::Bytes, |b| Ok(Value::Bytes(b))),
        18 => (ValueType::Text, single_char),
        20 => (ValueType::Int(64), |b| {
            Ok(Value::Int(i64::from_be_bytes(fixed(b)?)))
        }),
        21 => (ValueType::Int(16), |b| {
            Ok(Value::Int(i16::from_be_bytes(fixed(b)?).into()))
        }),
        23 => (ValueType::Int(32), |b| {
            Ok(Value::Int(i32::from_be_bytes(fixed(b)?).into()))
        }),
        // name, text, varchar
        19 | 25 | 1043 => (ValueType::Text, text),
        114 => (ValueType::Json, text),
        3802 => (ValueType::Json, jsonb),
        700 => (ValueType::Float, |b| {
            Ok(Value::Float(f32::from_be_bytes(fixed(b)?)))
        }),
        701 => (ValueType::Double, |b| {
            Ok(Value::Double(f64::from_be_bytes(fixed(b)?)))
        }),
        1042 => (ValueType::Text, padded),
        1082 => (ValueType::Date, date),
        1083 => (ValueType::Time, time),
        1114 => (ValueType::LocalTimestamp, |b| {
            Ok(Value::LocalTimestamp(instant(b)?))
        }),
        1184 => (ValueType::Timestamp, |b| Ok(Value::Timestamp(instant(b)?))),
        1700 => (ValueType::Decimal(numeric::declared(typmod)), numeric),
        2950 => (ValueType::Uuid, |b| Ok(Value::Uuid(fixed(b)?))),
        _ => return None,
    };
    Some((value_type, decoder))
}

/// Text in the connection's encoding, which is UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    std::str::from_utf8(bytes)
        .map(Value::Text)
        .map_err(|_| Undecodable::Encoding)
}

/// The decoder of a type that is not carried.
pub(crate) fn unsupported(_: &[u8]) -> Result<Value<'_>, Undecodable> {
    Err(Undecodable::Malformed)
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable::Malformed)
}

fn boolean(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    match bytes {
        [0] => Ok(Value::Bool(false)),
        [1] => Ok(Value::Bool(true)),
        _ => Err(Undecodable::Malformed),
    }
}

/// `"char"`: one byte, of which the server itself shows zero as the empty text.
fn single_char(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    match bytes {
        [0] => Ok(Value::Text("")),
        [_] => text(bytes),
        _ => Err(Undecodable::Malformed),
    }
}

/// `char(n)` without its padding, which PostgreSQL ignores in comparison and cast.
fn padded(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    let end = bytes
        .iter()
        .rposition(|b| *b != b' ')
        .map_or(0, |last| last + 1);
    text(&bytes[..end])
}

/// `jsonb` is its text after a version byte.
fn jsonb(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    match bytes {
        [1, json @ ..] => text(json),
        _ => Err(Undecodable::Malformed),
    }
}

fn date(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    match i32::from_be_bytes(fixed(bytes)?) {
        i32::MAX | i32::MIN => Err(Undecodable::NotFinite),
        days => days
            .checked_add(EPOCH_DAYS)
            .map(Value::Date)
            .ok_or(Undecodable::TooWide),
    }
}

/// 24:00:00, which PostgreSQL has and other types of time have not, is refused.
fn time(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    match i64::from_be_bytes(fixed(bytes)?) {
        us @ 0..DAY_US => Ok(Value::Time(us)),
        DAY_US => Err(Undecodable::TooWide),
        _ => Err(Undecodable::Malformed),
    }
}

fn instant(bytes: &[u8]) -> Result<i64, Undecodable> {
    match i64::from_be_bytes(fixed(bytes)?) {
        i64::MAX | i64::MIN => Err(Undecodable::NotFinite),
        us => us.checked_add(EPOCH_US).ok_or(Undecodable::TooWide),
    }
}

#[cfg(test)]
mod tests;
