//! What is in the tables already, read in chunks, each with what it saw.
//!
//! History and log are joined by visibility, not by positions alone: a commit can be in the log
//! long before any reader sees it (it waits for a standby), so a chunk may lack a change that the
//! stream has brought already. A chunk therefore says of every transaction whether it saw it.
//!
//! Which bounds to read between, what to do with rows that a streamed change overtook, and when a
//! chunk counts as published are the caller's; a connector reads, and says what it saw.

use std::sync::Arc;

use async_trait::async_trait;
use onramp_finding::Failure;

use crate::{Batch, Ident, Position, TableDescription};

/// What a reading of the tables sees of the transactions, told by their numbers
/// ([`Begin::number`](crate::Begin::number)).
///
/// PostgreSQL: a snapshot's xmin, xmax and list, over 64-bit transaction numbers. A source without
/// such numbers counts the transactions of its stream: what had been streamed when the reading was
/// arranged is seen, the rest is not known to be.
pub trait Visibility: Send + Sync + std::fmt::Debug {
    /// Whether the commit of this transaction is seen. False of one that may be seen.
    fn sees(&self, number: u64) -> bool;

    /// Every transaction numbered below is seen, or will never be.
    fn horizon(&self) -> u64;

    /// No transaction from here on is seen. What [`Connector::visibility`](crate::Connector) gives
    /// promises more: none from here on had written anything yet. So once a chunk's horizon reaches
    /// that, all that was written by then is in the chunk, and the log brings the rest.
    fn next(&self) -> u64;
}

/// A table to be read.
#[derive(Debug, Clone)]
pub struct ChunkTable {
    /// The table.
    pub table: Ident,
    /// The columns that products map.
    pub columns: Vec<String>,
    /// The table as the mappings were checked with it.
    pub description: TableDescription,
}

/// A place in a table: the key of a row, its columns in the texts that the source writes and
/// reads. Only the source compares them, by the key's own types and collations. May be kept and
/// used by a later reader of the table, as long as its key is the same ([`TableReader::key`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bound(pub Vec<String>);

/// The rows with keys behind `after`, up to `until` and with it; None has no end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkRange {
    /// The last key before the range.
    pub after: Option<Bound>,
    /// The last key of the range.
    pub until: Option<Bound>,
}

/// Bounds on a chunk; whichever is met first ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// The most rows.
    pub rows: u32,
    /// The most bytes of rows; a single row may have more.
    pub bytes: usize,
    /// The most bytes of one row; beyond it the reading fails.
    pub record_bytes: usize,
}

/// A chunk that was read: its rows are in the batch.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// What the rows' reading saw.
    pub visibility: Arc<dyn Visibility>,
    /// Every transaction that it saw is streamed once the stream's position holds this one.
    pub passed: Position,
    /// Where a limit ended it: the last row's key, after which the rest of the range follows. None
    /// when the range is exhausted.
    pub last: Option<Bound>,
    /// How many rows.
    pub rows: u32,
}

/// How much there is to read, roughly, without looking at the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableEstimate {
    /// Rows; None where the source has never counted.
    pub rows: Option<u64>,
    /// Bytes that the source stores for them.
    pub bytes: u64,
}

/// Reads one table over a connection of its own, so that several read side by side.
///
/// It makes its connection when first asked, and anew after a failure or a cancelled call: either
/// leaves it fit for the next. Between two calls no transaction is open and no lock is held.
#[async_trait]
pub trait TableReader: Send {
    /// The columns that rows are ordered by, each row's its own: what a [`Bound`] holds. Each begins with
    /// its name, then everything that its order rests on, in words: a place among rows means nothing where any of
    /// these is another.
    fn key(&self) -> &[String];

    /// How much there is to read.
    async fn estimate(&mut self) -> Result<TableEstimate, Failure>;

    /// The key of the `rows`th row behind `after` (from the table's start without it); None when
    /// there are fewer. Follows the index alone; the cost grows with `rows`.
    async fn bound(&mut self, after: Option<&Bound>, rows: u32) -> Result<Option<Bound>, Failure>;

    /// The key of the row before the table's last `rows` rows; None when there are no more than
    /// those. Follows the index alone; the cost grows with `rows`.
    async fn before_last(&mut self, rows: u32) -> Result<Option<Bound>, Failure>;

    /// Reads rows of a range in their keys' order, in one short transaction that changes nothing,
    /// takes the weakest lock there is, and sees one moment of the table.
    ///
    /// `batch` is filled anew: an [`Item::Layout`](crate::Item::Layout) of the one table, then an
    /// insert a row, without `Begin` or `Commit`; position and lag are None. Each value decodes to
    /// what the log's own decodes to. A table that no longer has a column as it was described is
    /// refused as the stream refuses it, one that is gone or another too. A failed call leaves
    /// nothing to use in the batch.
    async fn read(
        &mut self,
        range: &ChunkRange,
        limits: ChunkLimits,
        batch: &mut Batch,
    ) -> Result<Chunk, Failure>;
}
