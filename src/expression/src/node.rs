//! The compiled form: a tree of typed operations on slots and constants.

use onramp_connector::{Decimal, Value};
use regex::Regex;

use crate::builtin::{Call, To};
use crate::{JsonPath, Opened};

/// An operation, and where in the text it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: u32,
    pub(crate) op: Op,
}

#[derive(Debug)]
pub(crate) enum Op {
    Constant(Constant),
    Slot(usize),
    Has(usize),
    Not(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    OrElse(Box<[Node; 2]>),
    Equal(Box<[Node; 2]>),
    NotEqual(Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    /// Text among sorted texts.
    InTexts(Box<Node>, Box<[Box<str>]>),
    /// A number among sorted numbers.
    InInts(Box<Node>, Box<[i64]>),
    In(Box<Node>, Box<[Node]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Negate(Box<Node>),
    /// At most [`MAX_PARTS`].
    Concat(Box<[Node]>),
    Matches(Box<Node>, Box<Regex>),
    Convert(To, Box<Node>),
    /// What stands at a path in a JSON text; null where nothing does.
    Json(Opened, Box<JsonPath>, Box<Node>),
    Call(Call, Box<[Node]>),
}

/// How many strings are joined at once.
pub(crate) const MAX_PARTS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A value that is the same for every row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Decimal(Decimal),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    Date(i32),
    Time(i64),
    LocalTimestamp(i64),
    Timestamp(i64),
    Uuid([u8; 16]),
}

impl Constant {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Constant::Null => Value::Null,
            Constant::Bool(v) => Value::Bool(*v),
            Constant::Int(v) => Value::Int(*v),
            Constant::Double(v) => Value::Double(*v),
            Constant::Decimal(v) => Value::Decimal(*v),
            Constant::Text(v) => Value::Text(v),
            Constant::Bytes(v) => Value::Bytes(v),
            Constant::Date(v) => Value::Date(*v),
            Constant::Time(v) => Value::Time(*v),
            Constant::LocalTimestamp(v) => Value::LocalTimestamp(*v),
            Constant::Timestamp(v) => Value::Timestamp(*v),
            Constant::Uuid(v) => Value::Uuid(*v),
        }
    }

    pub(crate) fn of(value: Value<'_>) -> Constant {
        match value {
            Value::Null => Constant::Null,
            Value::Bool(v) => Constant::Bool(v),
            Value::Int(v) => Constant::Int(v),
            Value::Float(v) => Constant::Double(f64::from(v)),
            Value::Double(v) => Constant::Double(v),
            Value::Decimal(v) => Constant::Decimal(v),
            Value::Text(v) => Constant::Text(v.into()),
            Value::Bytes(v) => Constant::Bytes(v.into()),
            Value::Date(v) => Constant::Date(v),
            Value::Time(v) => Constant::Time(v),
            Value::LocalTimestamp(v) => Constant::LocalTimestamp(v),
            Value::Timestamp(v) => Constant::Timestamp(v),
            Value::Uuid(v) => Constant::Uuid(v),
            // No expression has a list.
            Value::Array(_) => Constant::Null,
        }
    }
}

impl Node {
    /// The operations that this one takes its values from.
    pub(crate) fn parts(&self) -> Vec<&Node> {
        match &self.op {
            Op::Constant(_) | Op::Slot(_) | Op::Has(_) => Vec::new(),
            Op::Not(a) | Op::Negate(a) | Op::InTexts(a, _) | Op::InInts(a, _) => vec![a],
            Op::Matches(a, _) | Op::Convert(_, a) | Op::Json(.., a) => vec![a],
            Op::And(ab) | Op::Or(ab) | Op::OrElse(ab) | Op::Equal(ab) | Op::NotEqual(ab) => {
                ab.iter().collect()
            }
            Op::Compare(_, ab) | Op::Arithmetic(_, ab) => ab.iter().collect(),
            Op::If(abc) => abc.iter().collect(),
            Op::In(a, list) => std::iter::once(&**a).chain(list).collect(),
            Op::Concat(parts) | Op::Call(_, parts) => parts.iter().collect(),
        }
    }

    pub(crate) fn constant(&self) -> Option<&Constant> {
        match &self.op {
            Op::Constant(constant) => Some(constant),
            _ => None,
        }
    }
}
