//! What an expression may speak of: variables, their columns, and the types of values.

use onramp_connector::ValueType;

/// The type of a value. Whether it may be null is said beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A 64-bit float; 32-bit columns are widened, which loses nothing.
    Double,
    /// An exact decimal of at most 38 digits.
    Decimal,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A day and time of no zone.
    LocalTimestamp,
    /// A moment.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Nothing but null: the literal's own type.
    Null,
}

impl Type {
    /// Its name, as expressions and messages have it.
    pub fn word(&self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Double => "double",
            Type::Decimal => "decimal",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Date => "date",
            Type::Time => "time",
            Type::LocalTimestamp => "local timestamp",
            Type::Timestamp => "timestamp",
            Type::Uuid => "uuid",
            Type::Null => "null",
        }
    }

    /// The type of a column's values; None where the column is not carried.
    pub fn of_column(value_type: &ValueType) -> Option<Type> {
        Some(match value_type {
            ValueType::Bool => Type::Bool,
            ValueType::Int(_) => Type::Int,
            ValueType::Float | ValueType::Double => Type::Double,
            ValueType::Decimal(_) => Type::Decimal,
            ValueType::Text | ValueType::Enum(_) | ValueType::Json => Type::String,
            ValueType::Bytes => Type::Bytes,
            ValueType::Date => Type::Date,
            ValueType::Time => Type::Time,
            ValueType::LocalTimestamp => Type::LocalTimestamp,
            ValueType::Timestamp => Type::Timestamp,
            ValueType::Uuid => Type::Uuid,
            // No expression goes through a list: there are no loops over data.
            ValueType::Array(_) | ValueType::Unsupported => return None,
        })
    }

    /// What a column of values of this type decodes to; None for null's own type.
    pub fn of_values(&self) -> Option<ValueType> {
        Some(match self {
            Type::Null => return None,
            Type::Bool => ValueType::Bool,
            Type::Int => ValueType::Int(64),
            Type::Double => ValueType::Double,
            Type::Decimal => ValueType::Decimal(None),
            Type::String => ValueType::Text,
            Type::Bytes => ValueType::Bytes,
            Type::Date => ValueType::Date,
            Type::Time => ValueType::Time,
            Type::LocalTimestamp => ValueType::LocalTimestamp,
            Type::Timestamp => ValueType::Timestamp,
            Type::Uuid => ValueType::Uuid,
        })
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A value that expressions can name, and the slot that [`crate::Row`] gives it from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub r#type: Type,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its slot; each slot belongs to one column.
    pub slot: usize,
    /// Its value, where it is the same for every row: its slot is never read.
    pub constant: Option<Box<str>>,
}

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Columns, named as in `row.ord_no`.
    Columns(Vec<Column>),
    /// One value, as in `op`.
    Value(Column),
}

/// The variables of an expression: `row` in an entity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    pub(crate) variables: Vec<(String, Holds)>,
}

impl Scope {
    /// No variables.
    pub fn new() -> Self {
        Scope::default()
    }

    /// Adds a variable with columns, e.g. `row`.
    #[must_use]
    pub fn columns(mut self, variable: impl Into<String>, columns: Vec<Column>) -> Self {
        self.variables
            .push((variable.into(), Holds::Columns(columns)));
        self
    }

    /// Adds a variable that is one value, e.g. `op`; the variable has the column's name.
    #[must_use]
    pub fn value(mut self, column: Column) -> Self {
        self.variables
            .push((column.name.clone(), Holds::Value(column)));
        self
    }

    pub(crate) fn find(&self, variable: &str) -> Option<&Holds> {
        self.variables
            .iter()
            .find(|(name, _)| name == variable)
            .map(|(_, holds)| holds)
    }

    pub(crate) fn type_of(&self, slot: usize) -> Option<&Type> {
        self.variables
            .iter()
            .flat_map(|(_, holds)| match holds {
                Holds::Columns(columns) => columns.as_slice(),
                Holds::Value(column) => std::slice::from_ref(column),
            })
            .find(|column| column.slot == slot)
            .map(|column| &column.r#type)
    }
}
