//! The traits that a connector implements.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use onramp_finding::{Failure, Finding};

use crate::{
    Batch, ChunkTable, Follow, FollowRequest, Ident, Surveyor, TableDescription, TableReader,
    Visibility, WaitsFor,
};

/// A place in the log, in the source's own notation; see the crate's head for what it promises.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position(pub Arc<str>);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which history a position belongs to: another database, or another branch of the same one, has
/// other transactions at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIdentity {
    /// PostgreSQL: the system identifier and the database's name.
    pub system: String,
    /// PostgreSQL: the timeline. Empty where a source has no such thing.
    pub branch: String,
}

/// This process, as it shows itself to the source and in progress: new at every start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance(pub Arc<str>);

/// What a product needs of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRequest {
    /// The table.
    pub table: Ident,
    /// The columns that are mapped, of any product.
    pub columns: Vec<String>,
    /// The products, for findings.
    pub products: Vec<String>,
    /// Whether a product of it was published before: then its changes must have been held all the
    /// time, and what no longer holds them is refused, not mended.
    pub published_before: bool,
    /// Whether a value that the log leaves out may stop the stream, accepted by name.
    pub accept_left_out: bool,
}

/// What is to be prepared.
#[derive(Debug, Clone)]
pub struct PrepareRequest {
    /// Every mapped table.
    pub tables: Vec<TableRequest>,
    /// Where progress stands; None at the first start.
    pub progress: Option<Position>,
    /// The identity that progress was written under.
    pub identity: Option<SourceIdentity>,
}

/// What was prepared.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// From where the log is held: the first position that can be streamed from.
    pub from: Position,
    /// Whether what holds the log was made just now.
    pub created: bool,
    /// Tables whose changes are not held yet, because others hold locks on them: to be left out,
    /// and tried again by [`Connector::hold`]. Never one that was published before.
    pub lacking: Vec<Lacking>,
}

/// A table whose changes are not held yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The table.
    pub table: Ident,
    /// The transactions in the way when it was looked last, for people to read: process,
    /// application, since when; never a query's text. None where they ended meanwhile.
    pub waits_for: Vec<String>,
    /// How often its lock was asked for in vain.
    pub tries: u32,
}

/// One thing that [`Connector::prepare`] would create or alter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// What, as the source calls it: `publication onramp_shop`.
    pub object: String,
    /// Whether it is not there yet; else it is altered.
    pub creates: bool,
    /// The tables that it is about.
    pub tables: Vec<Ident>,
    /// The statement, as a DBA may run it instead.
    pub statement: String,
    /// The transactions that would be waited for if it were done now, as [`Lacking::waits_for`].
    pub waits_for: Vec<String>,
}

/// Bounds on a stream's memory.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// The log that one batch holds.
    pub batch_bytes: usize,
    /// The largest record.
    pub record_bytes: usize,
}

/// The log that a source keeps for the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptLog {
    /// How much.
    pub bytes: u64,
    /// How much more may be written, with nothing let go, before the source gives it up; None where
    /// nothing bounds it. PostgreSQL: `safe_wal_size`.
    pub room_bytes: Option<u64>,
    /// How much was ever written, so that the difference between two answers is the growth.
    pub written_bytes: u64,
}

/// Whether the source's own lock was got.
pub enum Acquired {
    /// It is ours.
    Lease(Box<dyn Lease>),
    /// Another holds it: who, as far as the source tells.
    Held(String),
}

/// One source database.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Looks, read-only, whether everything is as the products need it: settings, rights, tables,
    /// slot. Every finding in one call.
    async fn preflight(&self, request: &PrepareRequest) -> Result<Vec<Finding>, Failure>;

    /// Someone who looks at tables that nobody has mapped yet.
    async fn surveyor(&self) -> Result<Box<dyn Surveyor>, Failure>;

    /// Describes tables; those that do not exist are missing from the answer.
    async fn describe(&self, tables: &[Ident]) -> Result<Vec<TableDescription>, Failure>;

    /// Which history this database has now.
    async fn identity(&self) -> Result<SourceIdentity, Failure>;

    /// Creates or alters what streaming needs, after checking that it harms nobody. Safe to
    /// repeat. Where it may not, the failure's remedy is the exact SQL.
    ///
    /// Where there is progress, and changes of some tables are held already, it does not wait for
    /// locks on the others: those are [`Prepared::lacking`]. Else it waits, for as long as it takes.
    async fn prepare(&self, request: &PrepareRequest) -> Result<Prepared, Failure>;

    /// What [`Connector::prepare`] would do, in its order, without doing any of it; empty where all is
    /// there. What it would refuse is [`Connector::preflight`]'s to say.
    async fn planned(&self, request: &PrepareRequest) -> Result<Vec<PlannedStep>, Failure>;

    /// What a call of [`Connector::prepare`] that has not returned waits for, for people to read
    /// as [`Lacking::waits_for`]; empty where it is at work.
    async fn held_up_by(&self, request: &PrepareRequest) -> Result<Vec<String>, Failure>;

    /// Tries once more to have a lacking table's changes held; None once they are, from a moment
    /// before it returned. Nobody waits behind it for longer than a fraction of a second, and it
    /// does not even try while a transaction that was in the way before still is. Cancelling it
    /// leaves the changes held or not held.
    async fn hold(
        &self,
        request: &PrepareRequest,
        lacking: &Lacking,
    ) -> Result<Option<Lacking>, Failure>;

    /// Gives up what holds the log for this gateway, so that `prepare` without progress holds it
    /// anew from where it is then: what was held and not read is lost. Nothing happens where there
    /// is nothing. What a DBA made is kept where it is fit, else the failure's remedy is the exact
    /// SQL: where it begins after `progress` as it is, else moved to where the log ends now, since
    /// what was published must not come again. Refused while somebody streams from it.
    async fn discard(&self, progress: &Position) -> Result<(), Failure>;

    /// Takes the source's own lock for this instance.
    async fn acquire(&self, instance: &Instance) -> Result<Acquired, Failure>;

    /// How two positions of one history stand to each other; None where neither holds the other.
    fn compare(&self, a: &Position, b: &Position) -> Result<Option<Ordering>, Failure>;

    /// The log that the source keeps for this gateway; None where nothing keeps any.
    async fn kept_log(&self) -> Result<Option<KeptLog>, Failure>;

    /// What a reading that begins now would see. Refused where the source cannot tell (on
    /// PostgreSQL a standby: its snapshots' lists are empty).
    async fn visibility(&self) -> Result<Arc<dyn Visibility>, Failure>;

    /// Which transactions numbered below `number` are still open or prepared, for people to read:
    /// process, application, since when; never a query's text. They are what a reading whose
    /// horizon must reach `number` waits for.
    async fn waits_for(&self, number: u64) -> Result<Vec<String>, Failure>;

    /// A reader of one table, in chunks. Refused where the table has no key to read it by.
    async fn table_reader(&self, table: &ChunkTable) -> Result<Box<dyn TableReader>, Failure>;

    /// Follows what commits from now on, beside whoever streams, and without anything that would
    /// outlive the connection. Where the source cannot be followed so, or is not ready in time, it
    /// says why ([`Follow::Not`]); a failure is a source out of reach.
    async fn follow(&self, request: &FollowRequest, waits: WaitsFor<'_>)
    -> Result<Follow, Failure>;
}

/// The source's own lock, held: as long as it lives nobody else streams for this gateway.
///
/// The connection is kept alive while the caller makes its other arrangements.
#[async_trait]
pub trait Lease: Send {
    /// Streams every transaction that `from` does not hold.
    async fn stream(
        self: Box<Self>,
        from: &Position,
        limits: StreamLimits,
    ) -> Result<Box<dyn Stream>, Failure>;
}

/// The log, as it comes.
#[async_trait]
pub trait Stream: Send {
    /// Fills `batch` anew (what it held is gone; `tables` stays). Returns when there is something,
    /// or after `wait` with an empty batch. Cancelling it loses nothing. While nobody calls it the
    /// connection is kept alive all the same.
    async fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), Failure>;

    /// Asks the source to tell soon how far its log goes, so that the position of an idle one comes
    /// without waiting for its own rhythm. Cheap, does not block; a later `next` brings the answer.
    fn nudge(&self);

    /// The end that acknowledges, for another thread.
    fn acknowledger(&self) -> Arc<dyn Acknowledge>;
}

/// Tells the source what is committed.
pub trait Acknowledge: Send + Sync {
    /// Everything up to here is committed in Kafka. Never goes backwards; cheap, does not block;
    /// the source hears of it soon.
    fn acknowledge(&self, position: &Position);
}
