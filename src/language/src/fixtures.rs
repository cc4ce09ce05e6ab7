//! A fixtures file, read.

use onramp_finding::Span;

use crate::{ProductName, Scalar, Spanned, TableName};

/// Tests of a product's mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixtures {
    /// `fixtures`: the product.
    pub product: Spanned<ProductName>,
    /// `columns`: types where the mapping does not tell them.
    pub columns: Vec<(Spanned<String>, Scalar)>,
    /// `tests`.
    pub tests: Vec<Test>,
    /// The file.
    pub path: std::path::PathBuf,
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// `name`.
    pub name: Spanned<String>,
    /// `table`: where the row stands.
    pub table: Option<Spanned<TableName>>,
    /// What comes in.
    pub given: Given,
    /// `expect`.
    pub expect: Vec<Expected>,
    /// Where the list under `expect` stands, and the key itself.
    pub expect_span: Span,
    /// Where `expect` itself stands.
    pub expect_key: Span,
}

/// What comes in: columns to the text of their values.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Given {
    /// `row`: one that was there already.
    Row(Row),
    Insert(Row),
    /// The row before, and the whole row after.
    Update(Row, Row),
    Delete(Row),
}

/// A row: columns to what they hold.
pub type Row = Vec<(Spanned<String>, Cell)>;

/// What stands in a row for a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL's NULL.
    Null,
    /// A value's text.
    Text(String),
    /// An array's elements, None for null.
    List(Vec<Option<String>>),
}

/// What goes out.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// `event`, with its key and its type where they are said.
    Event {
        /// `key`.
        key: Option<String>,
        /// `type`, of facts.
        r#type: Option<String>,
        /// `event`.
        value: serde_json::Value,
    },
    /// `tombstone`: its key.
    Tombstone(String),
    /// `fails`: the code.
    Fails(String),
}
