//! The connector contract: what a source database's connector promises, and in what order it is
//! called.
//!
//! A connector reads one database: its catalogue, its log, and (with history) its tables. It knows
//! nothing of products, translators or Kafka. Everything that differs between databases ends here.
//!
//! # Order of calls
//! 1. [`Connector::preflight`] and [`Connector::describe`], any number of times, read-only.
//! 2. [`Connector::prepare`], once a start: creates what the source needs (on PostgreSQL a
//!    publication and a slot), or says what a DBA must run. Tables that it had to leave out are
//!    tried again by [`Connector::hold`], beside the stream.
//! 3. [`Connector::acquire`]: takes the source's own lock, or says that another holds it. Whoever
//!    holds it alone may publish; dropping the lease gives the lock back.
//! 4. [`Lease::stream`], once, from a position: then [`Stream::next`] over and over, and
//!    [`Acknowledge::acknowledge`] from any thread.
//!
//! # History
//! [`Connector::visibility`], [`Connector::table_reader`] and its [`TableReader::read`], any number
//! of times beside the stream, once [`Connector::prepare`] holds the log. They take nothing of the
//! stream but numbers: [`Begin::number`] is what a chunk's [`Visibility`] is asked about, and
//! [`Chunk::passed`] is what the stream's position is compared with.
//!
//! # Before anything is mapped
//! [`Connector::surveyor`] looks at tables that no product maps yet, read-only; it needs nothing of
//! what `prepare` makes.
//!
//! # Looking only
//! [`Connector::follow`] needs none of this: it shows what commits for a while to whoever publishes
//! nothing, and leaves nothing behind. So may a [`TableReader`] be asked for before
//! [`Connector::prepare`], by whoever wants rows and no seam.
//!
//! # What a position promises
//! A [`Position`] is a text that survives restarts. It names a set of source transactions: all
//! those whose commit the log has before it. Streaming from it brings every other transaction
//! whole, once a stream, in commit order; a connector filters what the server sends again.
//! Positions are only partly ordered ([`Connector::compare`] may find no order): on PostgreSQL a
//! position is a number, on MySQL and MariaDB a set of GTIDs, or file and offset.
//!
//! # What acknowledged means
//! That everything up to the position is committed in Kafka: the source may forget it. PostgreSQL
//! is told so through its slot; MySQL has no slot, nothing holds its log and `acknowledge` does
//! nothing, which is why a start must compare progress with what the log still has.
//!
//! # Transactions
//! Changes arrive between [`Item::Begin`] and [`Item::Commit`], and only those of transactions
//! that committed. MySQL logs the rows of a prepared (XA) transaction before it commits: such a
//! connector notes the place at XA PREPARE and reads the rows again at XA COMMIT, so that this
//! holds there too.
//!
//! # Bounds
//! A [`Batch`] holds at most [`StreamLimits::batch_bytes`] of log plus one record; one record is
//! at most [`StreamLimits::record_bytes`], beyond it the stream fails. A transaction's size bounds
//! nothing: it arrives over as many batches as it takes. For a row there is no async call, no
//! allocation and no look-up by name: what can be decided when a table is first seen is decided
//! in its [`TableLayout`].

mod batch;
mod chunk;
mod connector;
mod elements;
mod follow;
pub mod messages;
pub mod plain;
mod survey;
mod table;
mod value;

pub use batch::{Batch, Begin, Change, Item, Operation, Span, TableId};
pub use chunk::{
    Bound, Chunk, ChunkLimits, ChunkRange, ChunkTable, TableEstimate, TableReader, Visibility,
};
pub use connector::{
    Acknowledge, Acquired, Connector, Instance, KeptLog, Lacking, Lease, PlannedStep, Position,
    PrepareRequest, Prepared, SourceIdentity, Stream, StreamLimits, TableRequest,
};
pub use elements::{ElementReader, Elements};
pub use follow::{Follow, FollowRequest, Following, WaitsFor};
pub use survey::{
    ForeignKey, ListedValues, Sample, SampleLimits, Sampled, SampledColumn, SurveyedTable,
    Surveyor, Tables,
};
pub use table::{
    BeforeImage, Cell, Column, ColumnDecoder, Ident, Index, TableDescription, TableLayout,
    TupleReader, ValueType,
};
pub use value::{Decimal, Undecodable, Value};
