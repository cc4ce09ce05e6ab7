//! A product file, read: every value with its place, so that any later fault can point at it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use onramp_expression::{JsonPath, Type};

use crate::{Constant, Moment, Outbox, Payload, Spanned, Tables, TimeFormat, UnknownType};

/// A product's full name: `commerce.orders.v2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductName {
    /// `commerce`.
    pub domain: String,
    /// `orders`.
    pub name: String,
    /// `2`.
    pub version: u32,
}

impl std::fmt::Display for ProductName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.v{}", self.domain, self.name, self.version)
    }
}

/// Where a product is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Published only where the gateway says `drafts: true`.
    Draft,
    /// Published.
    Active,
    /// Published; has a successor and a sunset.
    Deprecated,
    /// No longer published; its topic stays.
    Retired,
}

impl Status {
    /// The file's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Active => "active",
            Status::Deprecated => "deprecated",
            Status::Retired => "retired",
        }
    }

    /// Whether consumers may rely on such a product's contract.
    pub fn is_published(self) -> bool {
        matches!(self, Status::Active | Status::Deprecated)
    }
}

/// A level of schema compatibility, by the registry's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compatibility {
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

/// How a key's bytes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// One field: its text; several: a JSON array.
    String,
    /// Avro in the registry's framing.
    Avro,
}

/// What a row does that cannot be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The gateway stops before it.
    Stop,
    /// It goes to the product's quarantine topic.
    Quarantine,
}

/// What a TRUNCATE of the table does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTruncate {
    /// The gateway stops.
    Stop,
    /// It is passed over.
    Ignore,
}

/// What becomes of events that an older mapping gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMappingChange {
    /// Every row is published again.
    Backfill,
    /// They stay as they are.
    Keep,
}

/// What a product's readers may count on, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sla {
    /// `tier`: 1 is the most important.
    pub tier: Option<u8>,
    /// `freshness`: how old an event may be when it is published.
    pub freshness: Option<Duration>,
    /// `retention`: how long events stay.
    pub retention: Option<Retention>,
}

/// How long events stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// As long as the topic.
    Forever,
    /// So long.
    For(Duration),
}

/// What a product's events are.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `entity`: the latest state of a thing under its key.
    Entity {
        /// `fields`, in the file's order.
        fields: Vec<Field>,
    },
    /// `events`: facts that follow from how rows change.
    Events {
        /// `events`, in the file's order, which is that of the events that one change gives.
        events: Vec<EventType>,
    },
    /// `outbox`: events that the application writes.
    Outbox {
        /// Its columns, and what it does with other rows.
        outbox: Box<Outbox>,
        /// `events`, in the file's order.
        events: Vec<EventType>,
    },
}

/// One type of facts.
#[derive(Debug, Clone, PartialEq)]
pub struct EventType {
    /// Its name, which is its record's.
    pub name: Spanned<String>,
    /// `doc`.
    pub doc: Option<String>,
    /// `when`: which changes give it.
    pub when: Option<Spanned<String>>,
    /// `fields`, in the file's order; none where an outbox's payload is passed through.
    pub fields: Vec<Field>,
    /// An outbox's: what its payload is.
    pub payload: Option<Payload>,
}

impl EventType {
    /// What an application writes for it: `type`, or its name.
    pub fn written(&self) -> &str {
        let said = self.payload.as_ref().and_then(|p| p.r#type.as_deref());
        said.unwrap_or(&self.name)
    }
}

/// A record that a product's events are made of.
#[derive(Debug, Clone, Copy)]
pub struct Record<'p> {
    /// The type of facts; None of an entity, which has one record.
    pub event: Option<&'p EventType>,
    /// Its fields.
    pub fields: &'p [Field],
}

/// A product; a retired one may have no fields, no key, and a table whose names are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// `product`.
    pub name: Spanned<ProductName>,
    /// `kind`, with what belongs to it.
    pub kind: Kind,
    /// `status`.
    pub status: Status,
    /// `owner.team`.
    pub team: String,
    /// `owner.contact`.
    pub contact: String,
    /// `description`.
    pub description: String,
    /// `sla`.
    pub sla: Sla,
    /// `compatibility`.
    pub compatibility: Compatibility,
    /// `source.table` or `source.tables`.
    pub tables: Tables,
    /// `source.where`.
    pub filter: Option<Spanned<String>>,
    /// `key`: names of fields.
    pub key: Vec<Spanned<String>>,
    /// `key_format`.
    pub key_format: KeyFormat,
    /// `key_unique.reason`.
    pub key_unique: Option<Spanned<String>>,
    /// `on_error`.
    pub on_error: OnError,
    /// `on_truncate`.
    pub on_truncate: OnTruncate,
    /// `on_mapping_change`, where it is said.
    pub on_mapping_change: Option<OnMappingChange>,
    /// `unchanged_toast: stop` was said.
    pub accept_unchanged_toast: bool,
}

impl Product {
    /// Its records, in the file's order.
    pub fn records(&self) -> Vec<Record<'_>> {
        match &self.kind {
            Kind::Entity { fields } => vec![Record {
                event: None,
                fields,
            }],
            Kind::Events { events } | Kind::Outbox { events, .. } => {
                let record = |event| Record::of(event);
                events.iter().map(record).collect()
            }
        }
    }

    /// The topic of its rows that cannot be translated; None where they stop the gateway.
    pub fn quarantine_topic(&self) -> Option<String> {
        let unknown = self.outbox().map(|outbox| outbox.unknown_type);
        let has_one =
            self.on_error == OnError::Quarantine || unknown == Some(UnknownType::Quarantine);
        has_one.then(|| format!("{}.quarantine", self.name.value))
    }

    /// What an outbox says beside its events.
    pub fn outbox(&self) -> Option<&Outbox> {
        match &self.kind {
            Kind::Outbox { outbox, .. } => Some(outbox),
            _ => None,
        }
    }

    /// Whether its topic keeps the latest state of each key, and is filled with what was there.
    pub fn is_entity(&self) -> bool {
        matches!(self.kind, Kind::Entity { .. })
    }
}

impl<'p> Record<'p> {
    fn of(event: &'p EventType) -> Record<'p> {
        Record {
            event: Some(event),
            fields: &event.fields,
        }
    }

    /// The key's fields, in the key's order.
    pub fn key(self, key: &'p [Spanned<String>]) -> impl Iterator<Item = &'p Field> {
        key.iter()
            .filter_map(move |key| self.fields.iter().find(|f| f.name.value == key.value))
    }
}

impl Product {
    /// What its fields ask for, nested ones too, in the file's order.
    pub fn protections(&self) -> Vec<&Spanned<Protect>> {
        let fields = self.records().into_iter().flat_map(|r| r.fields);
        let all = fields.flat_map(Field::with_all_within);
        all.flat_map(|(_, field)| &field.protect).collect()
    }

    /// The key's fields, in the key's order; every type of facts has them alike.
    pub fn key_fields(&self) -> impl Iterator<Item = &Field> {
        let first = self.records().into_iter().next();
        first.into_iter().flat_map(|record| record.key(&self.key))
    }

    /// The key fields that are pseudonyms, with the name of the HMAC key of each.
    pub fn key_pseudonyms(&self) -> BTreeMap<String, String> {
        let of = |field: &Field| match field.protect.as_deref() {
            Some(Protect::Hmac(key)) => Some((field.name.value.clone(), key.clone())),
            _ => None,
        };
        self.key_fields().filter_map(of).collect()
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Spanned<String>,
    /// `doc`.
    pub doc: Option<String>,
    /// `optional: true`: may be null.
    pub optional: bool,
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
