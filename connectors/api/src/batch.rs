//! What the log brings: items over one shared buffer.

use std::sync::Arc;

use crate::{Position, TableLayout};

/// A range of bytes in [`Batch::bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A table of this stream or reader: an index into [`Batch::tables`], valid as long as that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A row came.
    Insert,
    /// A row changed.
    Update,
    /// A row went.
    Delete,
}

/// One changed row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: TableId,
    /// What happened.
    pub operation: Operation,
    /// The row before, where the log has it: whole or its key columns alone, as the table's
    /// [`TableLayout::before`] says (the other columns then read as null).
    pub before: Option<Span>,
    /// The row after, for inserts and updates.
    pub after: Option<Span>,
}

/// A source transaction's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// The transaction's own place in the log, in the source's notation, e.g. `0/16B3748`; unique
    /// within the source's history and, where positions are numbers, growing with commits.
    pub place: Span,
    /// The transaction's identifier, in the source's notation (PostgreSQL: xid).
    pub id: Span,
    /// What a chunk's [`Visibility`](crate::Visibility) knows the transaction by (PostgreSQL: the
    /// xid, widened to 64 bits). Not in commit order.
    pub number: u64,
    /// When it committed, in microseconds since 1970-01-01T00:00:00Z.
    pub committed_at_us: i64,
}

/// One item of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A transaction begins.
    Begin(Begin),
    /// A table's layout is new or has changed; its rows follow.
    Layout(TableId),
    /// A row changed.
    Change(Change),
    /// A table was emptied by TRUNCATE.
    Truncate(TableId),
    /// The transaction ends.
    Commit,
}

/// A piece of the log. The caller keeps one and hands it back for each call, so that its memory is
/// used again.
#[derive(Debug, Default)]
pub struct Batch {
    /// What the items' spans point into.
    pub bytes: Vec<u8>,
    /// The items, in the log's order.
    pub items: Vec<Item>,
    /// The place after the last transaction that ends in this batch, or, where the log holds
    /// nothing of interest, how far it was read. None while a transaction is open throughout.
    /// It counts for the items up to the last [`Item::Commit`] alone.
    pub position: Option<Position>,
    /// All tables of the stream so far, by [`TableId`].
    pub tables: Vec<Arc<TableLayout>>,
    /// How far the stream is behind the log's end, where the source tells.
    pub lag_bytes: Option<u64>,
    /// Whether the source had more to send when the batch was closed.
    pub more: bool,
}

impl Batch {
    /// The bytes of a span.
    #[inline]
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// The layout of a table.
    #[inline]
    pub fn layout(&self, table: TableId) -> &Arc<TableLayout> {
        &self.tables[table.0 as usize]
    }
}
