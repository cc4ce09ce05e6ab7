//! One value, from what the database has to what the field holds: exact, or refused.

use onramp_connector::{Decimal, Elements, Value};
use onramp_expression::JsonFault;
use onramp_finding::{Code, codes::mapping};

use crate::enumeration::Codes;
use crate::lookup::Table;
use crate::many::{Items, Many, Parts};
use crate::text_time::TextTime;

/// How a step turns a value into a field's; chosen when the mapping is compiled.
#[derive(Debug)]
pub(crate) enum Convert {
    Bool,
    Int,
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Decimal {
        precision: u8,
        scale: u8,
    },
    /// A decimal of so many bytes.
    Fixed {
        precision: u8,
        scale: u8,
        size: u16,
    },
    Date,
    Time,
    LocalTimestamp,
    Timestamp,
    Uuid,
    Code(Codes),
    Parsed(TextTime),
    Lookup(Table),
    List(Box<Items>),
    Record(Box<Parts>),
    Map(Box<Items>),
}

/// A field's value, ready to be written; times count as [`Value`]'s do.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Out<'a> {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Decimal(Decimal),
    /// A decimal that is written in so many bytes, which hold it.
    Fixed(Decimal, u16),
    Date(i32),
    Time(i64),
    LocalTimestamp(i64),
    Timestamp(i64),
    Uuid([u8; 16]),
    /// An enum's symbol, with its place among them.
    Symbol(u32, &'a str),
    /// A key's name, and the digest under it.
    Pseudonym(&'a str, [u8; 32]),
    /// Written by itself, since its parts may be refused.
    Many(Many<'a>),
    /// A column's array as it stands, which is no field's value.
    Elements(Elements<'a>),
}

impl<'a> Out<'a> {
    /// A column's value as it stands.
    pub fn of_column(value: Value<'a>) -> Self {
        match value {
            Value::Null => Out::Null,
            Value::Bool(v) => Out::Bool(v),
            Value::Int(v) => Out::Long(v),
            Value::Float(v) => Out::Float(v),
            Value::Double(v) => Out::Double(v),
            Value::Decimal(v) => Out::Decimal(v),
            Value::Text(v) => Out::Text(v),
            Value::Bytes(v) => Out::Bytes(v),
            Value::Date(v) => Out::Date(v),
            Value::Time(v) => Out::Time(v),
            Value::LocalTimestamp(v) => Out::LocalTimestamp(v),
            Value::Timestamp(v) => Out::Timestamp(v),
            Value::Uuid(v) => Out::Uuid(v),
            Value::Array(v) => Out::Elements(v),
        }
    }

    /// Its text, the one that keys and pseudonyms are made of.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        // Writing to memory does not fail.
        let _ = crate::write::text(self, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Why a row's value is refused; never with the value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) code: &'static Code,
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) fn value(reason: &'static str) -> Self {
        Refusal {
            code: &mapping::ROW_VALUE,
            reason,
        }
    }

    pub(crate) fn of_json(why: JsonFault) -> Self {
        Refusal {
            code: &mapping::ROW_JSON,
            reason: why.reason(),
        }
    }

    pub(crate) const OTHER_TYPE: Refusal = Refusal {
        code: &mapping::ROW_UNREADABLE,
        reason: "the value is not of the type that its column had when the mapping was checked",
    };
}

impl Convert {
    /// The field's value; Null stays Null, but for codes, which may give it a symbol.
    #[inline]
    pub(crate) fn apply<'a>(&'a self, value: Value<'a>) -> Result<Out<'a>, Refusal> {
        Ok(match (self, value) {
            (Convert::Code(codes), value) => return codes.symbol(value),
            (Convert::Lookup(table), value) => return table.value(value),
            (_, Value::Null) => Out::Null,
            (Convert::Text, Value::Text(v)) => Out::Text(v),
            (Convert::Long, Value::Int(v)) => Out::Long(v),
            (Convert::Int, Value::Int(v)) => Out::Int(i32::try_from(v).map_err(|_| too_large())?),
            (Convert::Int, Value::Decimal(v)) => {
                Out::Int(i32::try_from(rescale(v, 0)?).map_err(|_| too_large())?)
            }
            (Convert::Long, Value::Decimal(v)) => {
                Out::Long(i64::try_from(rescale(v, 0)?).map_err(|_| too_large())?)
            }
            (Convert::Bool, Value::Bool(v)) => Out::Bool(v),
            (Convert::Decimal { precision, scale }, Value::Decimal(v)) => {
                Out::Decimal(decimal(v, *precision, *scale)?)
            }
            (
                Convert::Fixed {
                    precision,
                    scale,
                    size,
                },
                Value::Decimal(v),
            ) => Out::Fixed(decimal(v, *precision, *scale)?, *size),
            (Convert::Decimal { precision, scale }, Value::Int(v)) => {
                let whole = Decimal {
                    mantissa: v.into(),
                    scale: 0,
                };
                Out::Decimal(decimal(whole, *precision, *scale)?)
            }
            (Convert::Parsed(parser), Value::Text(v)) => parser.read(v)?,
            (Convert::Date, Value::Date(v)) => Out::Date(v),
            (Convert::Time, Value::Time(v)) => Out::Time(v),
            (Convert::LocalTimestamp, Value::LocalTimestamp(v)) => Out::LocalTimestamp(v),
            (Convert::Timestamp, Value::Timestamp(v)) => Out::Timestamp(v),
            (Convert::Float, Value::Float(v)) => Out::Float(v),
            // 16 bits fit a float's 24, 32 a double's 53; wider columns are refused beforehand.
            (Convert::Float, Value::Int(v)) => match i16::try_from(v) {
                Ok(v) => Out::Float(v.into()),
                Err(_) => return Err(too_large()),
            },
            (Convert::Double, Value::Double(v)) => Out::Double(v),
            (Convert::Double, Value::Float(v)) => Out::Double(v.into()),
            (Convert::Double, Value::Int(v)) => match i32::try_from(v) {
                Ok(v) => Out::Double(v.into()),
                Err(_) => return Err(too_large()),
            },
            (Convert::Bytes, Value::Bytes(v)) => Out::Bytes(v),
            (Convert::List(items), value) => return items.list(value),
            (Convert::Record(parts), value) => return parts.record(value),
            (Convert::Map(values), value) => return values.map(value),
            (Convert::Uuid, Value::Uuid(v)) => Out::Uuid(v),
            (Convert::Uuid, Value::Text(v)) => Out::Uuid(uuid(v)?),
            _ => return Err(Refusal::OTHER_TYPE),
        })
    }
}

fn too_large() -> Refusal {
    Refusal::value("the number is beyond the range of the field's type")
}

/// Ten to this power; 38 digits fit.
fn power(digits: u8) -> Option<i128> {
    10i128.checked_pow(digits.into())
}

/// The mantissa at another scale, exactly.
#[inline]
fn rescale(v: Decimal, scale: u8) -> Result<i128, Refusal> {
    if v.scale == scale || v.mantissa == 0 {
        return Ok(v.mantissa);
    }
    if v.scale < scale {
        return power(scale - v.scale)
            .and_then(|p| v.mantissa.checked_mul(p))
            .ok_or_else(too_large);
    }
    let lost = || Refusal::value("the number has more digits behind the point than the field");
    let p = power(v.scale - scale).ok_or_else(lost)?;
    if v.mantissa % p != 0 {
        return Err(lost());
    }
    Ok(v.mantissa / p)
}

#[inline]
fn decimal(v: Decimal, precision: u8, scale: u8) -> Result<Decimal, Refusal> {
    let mantissa = rescale(v, scale)?;
    if power(precision).is_some_and(|p| mantissa.unsigned_abs() >= p.unsigned_abs()) {
        return Err(Refusal::value("the number has more digits than the field"));
    }
    Ok(Decimal { mantissa, scale })
}

/// A UUID's text, with its hyphens, in either case.
fn uuid(text: &str) -> Result<[u8; 16], Refusal> {
    let refused = || Refusal::value("the text is not a UUID of 36 characters");
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return Err(refused());
    }
    let mut out = [0u8; 16];
    let mut digits = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return Err(refused());
            }
            continue;
        }
        let digit = (*byte as char).to_digit(16).ok_or_else(refused)? as u8;
        out[digits / 2] = out[digits / 2] << 4 | digit;
        digits += 1;
    }
    Ok(out)
}
