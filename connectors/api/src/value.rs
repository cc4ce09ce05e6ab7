//! One column's value, decoded and borrowed: the small type that all databases share.

use crate::Elements;

/// An exact decimal: `mantissa / 10^scale`.
///
/// 38 digits fit; a connector answers [`Undecodable::TooWide`] for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// All digits, with the sign.
    pub mantissa: i128,
    /// How many of them stand behind the point.
    pub scale: u8,
}

/// A column's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// SQL's NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed whole number of any width.
    Int(i64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// An exact decimal.
    Decimal(Decimal),
    /// Text, valid UTF-8; JSON and enums' labels too.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00:00 of no zone.
    LocalTimestamp(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A UUID's 16 bytes.
    Uuid([u8; 16]),
    /// A list of values, of one dimension.
    Array(Elements<'a>),
}

/// Why a value cannot be carried; never with the value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// The log has no value here: an out-of-line value that the change left alone (TOAST).
    Unchanged,
    /// Not of the length or form that the type has on the wire.
    Malformed,
    /// Not a number, or an infinity, where the type's range has a number.
    NotFinite,
    /// More digits than 38, or beyond the range of dates.
    TooWide,
    /// Not valid UTF-8.
    Encoding,
    /// An array that is no plain list: of several dimensions, or not counted from 1.
    NotAList,
}

impl Undecodable {
    /// What it says to a person.
    pub fn reason(self) -> &'static str {
        match self {
            Undecodable::Unchanged => {
                "the log does not carry this column's value: it is stored out of line and the change left it as it was"
            }
            Undecodable::Malformed => "the value is not of the form that its type has on the wire",
            Undecodable::NotFinite => {
                "the value is NaN or infinite, which the target type cannot carry"
            }
            Undecodable::TooWide => {
                "the value is beyond the range that can be carried without loss"
            }
            Undecodable::Encoding => "the text is not valid UTF-8",
            Undecodable::NotAList => {
                "the array has more than one dimension, or is not counted from 1"
            }
        }
    }
}
