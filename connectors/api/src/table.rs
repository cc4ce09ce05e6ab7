//! Tables: what the catalogue says of them, and how their rows are read.

use std::sync::Arc;

use crate::value::{Undecodable, Value};

/// A table's name: schema and table, as the database spells them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    /// Schema (PostgreSQL) or database (MySQL).
    pub schema: String,
    /// Table.
    pub table: String,
}

impl std::fmt::Display for Ident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.message_prefix() {
            Some(prefix) => write!(f, "messages {prefix:?}"),
            None => write!(f, "{}.{}", self.schema, self.table),
        }
    }
}

/// What a column's values decode to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    /// [`Value::Bool`].
    Bool,
    /// [`Value::Int`] of this many bits (16, 32, 64).
    Int(u8),
    /// [`Value::Float`].
    Float,
    /// [`Value::Double`].
    Double,
    /// [`Value::Decimal`]; precision and scale where the column declares them.
    Decimal(Option<(u16, i16)>),
    /// [`Value::Text`].
    Text,
    /// [`Value::Text`] of one of these labels.
    Enum(Arc<[String]>),
    /// [`Value::Text`] that is JSON.
    Json,
    /// [`Value::Bytes`].
    Bytes,
    /// [`Value::Date`].
    Date,
    /// [`Value::Time`].
    Time,
    /// [`Value::LocalTimestamp`].
    LocalTimestamp,
    /// [`Value::Timestamp`].
    Timestamp,
    /// [`Value::Uuid`].
    Uuid,
    /// [`Value::Array`] of such elements, each of which may be null.
    Array(Arc<ValueType>),
    /// Not carried; the column may stand in the table, but no product may map it.
    Unsupported,
}

impl ValueType {
    /// Whether values of `now` are what a mapping was checked with. A label more changes no label
    /// that was; each value is looked up for itself.
    pub fn is_still(&self, now: &ValueType) -> bool {
        match (self, now) {
            (ValueType::Enum(_), ValueType::Enum(_)) => true,
            (ValueType::Array(was), ValueType::Array(now)) => was.is_still(now),
            (was, now) => was == now,
        }
    }
}

/// A column as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in the database's own words, e.g. `numeric(12,2)`.
    pub type_name: String,
    /// What its values decode to.
    pub value_type: ValueType,
    /// Whether it may be null.
    pub nullable: bool,
    /// The database's own comment.
    pub comment: Option<String>,
    /// Whether a change may leave its value out of the log (PostgreSQL: it can be toasted).
    pub may_be_left_out: bool,
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns' names.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub primary: bool,
    /// Whether it is checked only at commit (DEFERRABLE).
    pub deferrable: bool,
    /// Whether it covers every row: no predicate, no expression, no nullable column.
    pub total: bool,
}

/// What an update's or delete's before image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeforeImage {
    /// Every column.
    Whole,
    /// The columns of this key alone.
    Key(Vec<String>),
    /// Nothing: updates and deletes cannot be followed.
    None,
}

/// A table as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    /// Its name.
    pub name: Ident,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Its unique indexes.
    pub unique: Vec<Index>,
    /// What before images hold; for a partitioned table the least of its leaves.
    pub before: BeforeImage,
    /// The database's own comment.
    pub comment: Option<String>,
    /// Estimated rows, where the database has one.
    pub rows_estimate: Option<u64>,
}

/// One column of one row, not yet decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL's NULL.
    Null,
    /// The log left the value out.
    Unchanged,
    /// The value in the connector's own encoding.
    Raw(&'a [u8]),
}

/// Decodes one column; chosen once, when the table is first seen.
pub type ColumnDecoder = for<'a> fn(&'a [u8]) -> Result<Value<'a>, Undecodable>;

impl<'a> Cell<'a> {
    /// The value, by the column's decoder.
    #[inline]
    pub fn decode(self, decoder: ColumnDecoder) -> Result<Value<'a>, Undecodable> {
        match self {
            Cell::Null => Ok(Value::Null),
            Cell::Unchanged => Err(Undecodable::Unchanged),
            Cell::Raw(bytes) => decoder(bytes),
        }
    }
}

/// Finds columns in a row's bytes.
pub type TupleReader =
    for<'a> fn(tuple: &'a [u8], wanted: &[u16], out: &mut Vec<Cell<'a>>) -> Result<(), Undecodable>;

/// How the rows of one table are read from a batch: made when the log first tells of the table,
/// and anew whenever that changes. Translators resolve names against it once.
#[derive(Debug, Clone)]
pub struct TableLayout {
    /// The table that the rows are counted to (a partition's root where the source says so).
    pub name: Ident,
    /// The columns as the rows have them: name, value type, decoder.
    pub columns: Vec<(String, ValueType, ColumnDecoder)>,
    /// What an old image holds, judged by where the row is stored.
    pub before: BeforeImage,
    /// Finds the columns at these ascending places and pushes a cell for each.
    pub read: TupleReader,
}
