//! A product's field, read: its type, where its values come from, and how they are protected.

use jiff::tz::TimeZone;
use onramp_expression::{JsonPath, Type};

use crate::{Constant, Moment, Spanned, TimeFormat};

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Spanned<String>,
    /// `doc`.
    pub doc: Option<String>,
    /// `optional: true`: may be null.
    pub optional: bool,
    /// How an event's `.avsc` has it, where Avro has two ways.
    pub in_avro: InAvro,
    /// `classification: personal`, or another word.
    pub classification: Option<String>,
    /// `protect`.
    pub protect: Option<Spanned<Protect>>,
    /// Its type and where its value comes from.
    pub shape: Shape,
}

impl Field {
    /// The field and all those within it, each with its path from here on: `lines`, `lines[].sku`.
    pub fn with_all_within(&self) -> Vec<(String, &Field)> {
        fn walk<'f>(field: &'f Field, path: String, all: &mut Vec<(String, &'f Field)>) {
            let (mut shape, mut inside) = (&field.shape, path.clone());
            all.push((path, field));
            // Items have no name of their own.
            while let Shape::Array { items: each, .. } | Shape::Map { values: each, .. } = shape {
                (shape, inside) = (&each.shape, inside + "[]");
            }
            if let Shape::Record { fields, .. } = shape {
                for field in fields {
                    walk(field, format!("{inside}.{}", field.name.value), all);
                }
            }
        }
        let mut all = Vec::new();
        walk(self, self.name.value.clone(), &mut all);
        all
    }

    /// What its values are: itself, or, however deep, the elements of its arrays.
    pub fn innermost(&self) -> &Field {
        match &self.shape {
            Shape::Array { items, .. } => items.innermost(),
            _ => self,
        }
    }
}

/// What an event's `.avsc` says of a field that changes its bytes and not what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InAvro {
    /// Null is the second of its union's two types.
    pub null_last: bool,
    /// A decimal is a `fixed` of so many bytes.
    pub fixed: Option<u16>,
}

/// A field's type with what that type needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Everything that holds one value.
    Scalar {
        /// The type.
        r#type: Spanned<Scalar>,
        /// Its source.
        source: Source,
        /// `lookup`.
        lookup: Option<Lookup>,
    },
    /// `type: enum`.
    Enum {
        /// `values`: source code to symbol, in the file's order.
        values: Vec<(Spanned<String>, Spanned<String>)>,
        /// `default`: the symbol that older readers see for a newer one.
        default: Option<Spanned<String>>,
        /// `otherwise`: what a code that is not listed gives.
        otherwise: Otherwise,
        /// Its source.
        source: Source,
    },
    /// `type: record`.
    Record {
        /// `fields`.
        fields: Vec<Field>,
        /// Where in JSON it stands, where it is a value of its own, within which its fields stand;
        /// None: it is made of its fields, each with its own source.
        source: Option<Source>,
    },
    /// `type: array`.
    Array {
        /// `items`: each element as a field of the array's name, [`Source::Item`] its source.
        items: Box<Field>,
        /// Its source: a column, or where it stands in JSON.
        source: Source,
    },
    /// A JSON object of any names, from a schema's `map`.
    Map {
        /// Each value as a field of the map's name, [`Source::Item`] its source.
        values: Box<Field>,
        /// Where it stands in JSON.
        source: Source,
    },
}

/// Codes and the values that they give, from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// `file`, as it is named.
    pub file: Spanned<String>,
    /// The codes, none twice, in the file's order.
    pub entries: Vec<(String, Constant)>,
    /// `otherwise`: what a code that is not listed gives.
    pub otherwise: Fallback,
}

/// What a code gives that a lookup's file does not list.
#[derive(Debug, Clone, PartialEq)]
pub enum Fallback {
    /// The row fails.
    Fail,
    /// Null, where the field is optional.
    Null,
    /// This value.
    Value(Spanned<Constant>),
}

/// Where a value comes from: exactly one of `from`, `expr` and `value`.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// `from`: a column, what of it, and for text dates and times how to read it.
    Column {
        /// The column.
        column: Spanned<String>,
        /// `at`: where in its JSON the value stands.
        at: Option<Spanned<JsonPath>>,
        /// `parse`, `zone` and `ambiguous`.
        parse: Option<Parse>,
    },
    /// `expr`.
    Expression(Spanned<String>),
    /// `value`: the same for every row.
    Constant(Spanned<Constant>),
    /// An element of an array, a value of a map, or what stands in a record that is a value of its own.
    Item {
        /// Where in its JSON; None: it itself.
        at: Option<Spanned<JsonPath>>,
        /// `parse`, `zone` and `ambiguous`.
        parse: Option<Parse>,
    },
}

/// How text is read as a date or time.
#[derive(Debug, Clone, PartialEq)]
pub struct Parse {
    /// `parse`: a strftime format.
    pub format: Spanned<String>,
    /// The format, read.
    pub parts: TimeFormat,
    /// What the field's type makes of it.
    pub moment: Moment,
    /// `zone`: an IANA time zone, for a `timestamp` whose format has no offset.
    pub zone: Option<(Spanned<String>, TimeZone)>,
    /// `ambiguous`: what a local time that occurs twice, or never, gives.
    pub ambiguous: Ambiguous,
    /// What is counted in the event.
    pub unit: Unit,
}

/// What a time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    Micros,
    /// Of an Avro schema that says so; a time with more decimals is refused.
    Millis,
}

/// What an ambiguous local time gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ambiguous {
    Fail,
    Earlier,
    Later,
}

/// What a code that is not listed gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Otherwise {
    /// The row fails.
    Fail,
    /// Null, where the field is optional.
    Null,
    /// This symbol.
    Value(Spanned<String>),
}

/// How a personal value is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protect {
    /// The field is left out of the schema.
    Drop,
    /// Stars, and the last characters of the value's text.
    Mask {
        /// How many characters stay.
        keep: usize,
    },
    /// HMAC-SHA-256 under the gateway's key of this name.
    Hmac(String),
    /// AES-SIV under the gateway's key of this name.
    Encrypt(String),
    /// Nothing, for this reason.
    None(String),
}

impl Protect {
    /// The gateway's key that it needs.
    pub fn key(&self) -> Option<&str> {
        match self {
            Protect::Hmac(key) | Protect::Encrypt(key) => Some(key),
            Protect::Drop | Protect::Mask { .. } | Protect::None(_) => None,
        }
    }

    /// Its word in the files, where it protects anything.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Protect::Drop => Some("drop"),
            Protect::Mask { .. } => Some("mask"),
            Protect::Hmac(_) => Some("hmac"),
            Protect::Encrypt(_) => Some("encrypt"),
            Protect::None(_) => None,
        }
    }

    /// Whether a text takes the value's place, whatever the field's type is.
    pub fn gives_text(&self) -> bool {
        matches!(
            self,
            Protect::Mask { .. } | Protect::Hmac(_) | Protect::Encrypt(_)
        )
    }
}

/// The types of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Scalar {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Decimal { precision: u8, scale: u8 },
    Date,
    Timestamp,
    LocalTimestamp,
    Time,
    Uuid,
    Json,
}

impl Scalar {
    /// The type as the files have it, e.g. `decimal(12,2)`.
    pub fn word(self) -> String {
        let word = match self {
            Scalar::Decimal { precision, scale } => return format!("decimal({precision},{scale})"),
            Scalar::Boolean => "boolean",
            Scalar::Int => "int",
            Scalar::Long => "long",
            Scalar::Float => "float",
            Scalar::Double => "double",
            Scalar::String => "string",
            Scalar::Bytes => "bytes",
            Scalar::Date => "date",
            Scalar::Timestamp => "timestamp",
            Scalar::LocalTimestamp => "local-timestamp",
            Scalar::Time => "time",
            Scalar::Uuid => "uuid",
            Scalar::Json => "json",
        };
        word.to_owned()
    }

    /// The types of expressions that give a field of this type without loss. Whole numbers have 64
    /// bits there, so none is an `int`; no expression is a `float` or JSON.
    pub fn from_expressions(self) -> &'static [Type] {
        match self {
            Scalar::Int | Scalar::Float | Scalar::Json => &[],
            Scalar::Boolean => &[Type::Bool],
            Scalar::Long => &[Type::Int],
            Scalar::Double => &[Type::Double],
            Scalar::String => &[Type::String],
            Scalar::Bytes => &[Type::Bytes],
            // A whole number of 64 bits has up to 19 digits before the point.
            Scalar::Decimal { precision, scale } if precision - scale >= 19 => {
                &[Type::Decimal, Type::Int]
            }
            Scalar::Decimal { .. } => &[Type::Decimal],
            Scalar::Date => &[Type::Date],
            Scalar::Timestamp => &[Type::Timestamp],
            Scalar::LocalTimestamp => &[Type::LocalTimestamp],
            Scalar::Time => &[Type::Time],
            Scalar::Uuid => &[Type::Uuid, Type::String],
        }
    }

    /// The words of the types that take no parameters.
    pub const WORDS: &[&str] = &[
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "string",
        "bytes",
        "date",
        "timestamp",
        "local-timestamp",
        "time",
        "uuid",
        "json",
    ];
}
