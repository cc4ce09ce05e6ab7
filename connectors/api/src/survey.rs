//! What a database tells of tables that nobody has mapped yet: catalogue and bounded samples.
//!
//! A [`Surveyor`] looks and changes nothing: every statement runs in a read-only transaction, under
//! a timeout of its own, and no table is read as a whole unless it is small. It judges nothing
//! either: what a column means is found out by whoever asked.
//!
//! Sampled values are for memory alone: they have no `Debug`, and whoever holds them prints at most
//! what docs/discover.md allows.

use std::time::Duration;

use async_trait::async_trait;
use onramp_finding::Failure;

use crate::{Ident, TableDescription};

/// Looks at a database's tables, read-only.
#[async_trait]
pub trait Surveyor: Send {
    /// The application's own tables, by name: what holds rows whose changes are in the log. A
    /// partitioned table stands for its partitions. What is none, with the reason, is told beside.
    async fn tables(&mut self) -> Result<Tables, Failure>;

    /// What the catalogue has of a table; None where it is gone meanwhile.
    async fn table(&mut self, table: &Ident) -> Result<Option<SurveyedTable>, Failure>;

    /// Samples a table's rows: never more than the limits say, never by a full scan of a large
    /// table. A table that cannot be sampled within the timeouts is no failure.
    async fn sample(
        &mut self,
        table: &SurveyedTable,
        limits: &SampleLimits,
    ) -> Result<Sampled, Failure>;
}

/// The tables that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Those that can be mapped, in order.
    pub found: Vec<Ident>,
    /// What looks like a table and cannot: its name, and what it is (`a view`).
    pub others: Vec<(Ident, &'static str)>,
}

/// A table as the catalogue has it, with what ties it to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedTable {
    /// Columns, keys, comment, estimate.
    pub description: TableDescription,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Columns whose values a constraint lists.
    pub checks: Vec<ListedValues>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that it points to.
    pub table: Ident,
    /// The columns that it points to, in the same order.
    pub references: Vec<String>,
}

/// What a check constraint says of one column: one of these texts. Constraints of another form are
/// left out: the database keeps them, and no draft needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedValues {
    /// The column.
    pub column: String,
    /// The values, as text.
    pub values: Vec<String>,
}

/// Bounds on a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleLimits {
    /// The most rows; fewer of a table with many columns, so that [`SampleLimits::CELLS`] holds.
    pub rows: u32,
    /// The most time that a statement may take.
    pub statement: Duration,
    /// The most time that it may wait for a lock.
    pub lock: Duration,
}

impl SampleLimits {
    /// The most values of a sample; twice as many may be read to choose them from.
    pub const CELLS: u32 = 100_000;
    /// The most characters of a value that are read; the rest stays where it is.
    pub const CHARACTERS: u32 = 120;

    /// The most rows of a table of so many columns.
    pub fn rows_of(&self, columns: usize) -> u32 {
        let columns = u32::try_from(columns.max(1)).unwrap_or(u32::MAX);
        self.rows.min(SampleLimits::CELLS / columns).max(1)
    }
}

/// What became of a sample.
pub enum Sampled {
    /// Rows were read.
    Rows(Sample),
    /// None could be, for this reason; it quotes no value.
    Not(String),
}

/// Rows of a table.
pub struct Sample {
    /// How many.
    pub rows: usize,
    /// Whether these are all that the table has.
    pub whole: bool,
    /// For each of the description's columns, its values, row by row.
    pub columns: Vec<SampledColumn>,
}

/// The values of a column.
#[derive(Default)]
pub struct SampledColumn {
    /// How many of the rows are null.
    pub nulls: usize,
    /// The others as text, as an expression's `string(…)` has them, cut behind
    /// [`SampleLimits::CHARACTERS`]; empty for types whose text says nothing (bytes, JSON, dates).
    pub texts: Vec<String>,
}
