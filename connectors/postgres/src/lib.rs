//! PostgreSQL as a source: its catalogue and its tables over ordinary connections, its log over a
//! replication client of our own.
//!
//! What comes in: a [`Target`], names, and requests in the connector contract's words. What never
//! does: a product, an event, or anything of Kafka. Nothing is created on the server but a
//! publication and a slot.

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use onramp_connector::{
    Acquired, ChunkTable, Connector, Follow, FollowRequest, Ident, Instance, KeptLog, Lacking,
    PlannedStep, Position, PrepareRequest, Prepared, SourceIdentity, Surveyor, TableDescription,
    TableReader, Visibility, WaitsFor, messages,
};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

mod catalogue;
mod chunk;
mod decode;
mod follow;
mod lsn;
mod stream;
mod survey;
mod target;
mod wire;

use catalogue::kept::Kept;
use catalogue::session::Session;
use catalogue::{describe, history, planned, preflight, prepare, publish, slot};
use lsn::Lsn;
pub use target::{PasswordSource, Target, TlsMode};

/// What the gateway is called on the server, and what its files accept.
#[derive(Clone)]
pub struct Names {
    /// The server.
    pub target: Target,
    /// The database's name, as the slot shows it.
    pub database: String,
    /// The slot.
    pub slot: String,
    /// Whether the slot is a DBA's to make.
    pub slot_by_dba: bool,
    /// The publication.
    pub publication: String,
    /// Whether the publication is a DBA's to make.
    pub publication_by_dba: bool,
    /// `source.accept: [unbounded_wal]`.
    pub accept_unbounded_wal: bool,
    /// `source.accept: [partitions_without_key]`.
    pub accept_partitions_without_key: bool,
    /// `source.accept: [messages_outside_transactions]`.
    pub accept_messages_outside_transactions: bool,
}

/// One PostgreSQL database.
pub struct Postgres {
    names: Names,
    /// The mapped tables, as they were when the source was prepared last.
    mapped: stream::Mapped,
    /// The messages that are wanted, as above.
    messages: stream::Prefixes,
    /// How far its transactions' numbers are known to have come.
    numbers: stream::Numbers,
    /// The history whose log is read.
    followed: stream::Followed,
    /// The session of the last question.
    kept: Kept,
}

impl Postgres {
    /// Nothing is connected until something is asked.
    pub fn new(names: Names) -> Postgres {
        Postgres {
            names,
            mapped: stream::Mapped::default(),
            messages: stream::Prefixes::default(),
            numbers: stream::Numbers::default(),
            followed: stream::Followed::default(),
            kept: Kept::default(),
        }
    }

    /// The session of the last question, where it is still fit, else a new one. It goes back to
    /// [`Kept`] when all was answered.
    async fn session(&self) -> Result<Session, Failure> {
        match self.kept.take() {
            Some(session) => Ok(session),
            None => Session::open(&self.names.target).await,
        }
    }
}

#[async_trait]
impl Connector for Postgres {
    async fn preflight(&self, request: &PrepareRequest) -> Result<Vec<Finding>, Failure> {
        let session = self.session().await?;
        let findings = preflight::look(&session, &self.names, &of_tables(request)).await?;
        self.kept.put(session);
        Ok(findings)
    }

    async fn surveyor(&self) -> Result<Box<dyn Surveyor>, Failure> {
        Ok(Box::new(survey::Survey::begin(self.session().await?)))
    }

    async fn describe(&self, tables: &[Ident]) -> Result<Vec<TableDescription>, Failure> {
        let session = self.session().await?;
        let real: Vec<Ident> = tables.iter().filter(|t| is_table(t)).cloned().collect();
        let mut found = describe::tables(&session, &real).await?;
        self.kept.put(session);
        Ok(tables
            .iter()
            .filter_map(|table| match table.message_prefix() {
                Some(_) => Some(messages::description(table)),
                None => found.remove(table).map(|t| t.description),
            })
            .collect())
    }

    async fn identity(&self) -> Result<SourceIdentity, Failure> {
        let session = self.session().await?;
        let identity = history::identity(&session, &self.names.database).await?;
        self.kept.put(session);
        Ok(identity)
    }

    async fn prepare(&self, request: &PrepareRequest) -> Result<Prepared, Failure> {
        let session = self.session().await?;
        let prefixes = request
            .tables
            .iter()
            .filter_map(|t| t.table.message_prefix());
        self.messages.set(prefixes.map(str::to_owned).collect());
        let request = &of_tables(request);
        let prepared = prepare::prepare(&session, &self.names, request).await?;
        // One that is left out is not mapped yet: it may be dropped and made again meanwhile.
        let lacks = |table: &Ident| prepared.lacking.iter().any(|l| l.table == *table);
        let names = request.tables.iter().map(|t| t.table.clone());
        let names: Vec<Ident> = names.filter(|table| !lacks(table)).collect();
        self.mapped.set(describe::oids(&session, &names).await?);
        self.kept.put(session);
        Ok(prepared)
    }

    async fn planned(&self, request: &PrepareRequest) -> Result<Vec<PlannedStep>, Failure> {
        let session = self.session().await?;
        let steps = planned::steps(&session, &self.names, &of_tables(request)).await?;
        self.kept.put(session);
        Ok(steps)
    }

    async fn held_up_by(&self, request: &PrepareRequest) -> Result<Vec<String>, Failure> {
        let session = self.session().await?;
        let waits = prepare::held_up_by(&session, &self.names, &of_tables(request)).await?;
        self.kept.put(session);
        Ok(waits)
    }

    async fn hold(
        &self,
        request: &PrepareRequest,
        lacking: &Lacking,
    ) -> Result<Option<Lacking>, Failure> {
        let session = self.session().await?;
        let left = publish::hold(&session, &self.names, &of_tables(request), lacking).await?;
        self.kept.put(session);
        Ok(left)
    }

    async fn discard(&self, progress: &Position) -> Result<(), Failure> {
        let session = self.session().await?;
        // One of this very process may still be on its way out.
        let own = &self.names.target.application_name;
        let holder = slot::held(&session, &self.names.slot, own).await?;
        slot::discard(&session, &self.names, holder, progress).await
    }

    async fn acquire(&self, instance: &Instance) -> Result<Acquired, Failure> {
        let session = self.session().await?;
        let own = &self.names.target.application_name;
        let holder = slot::held(&session, &self.names.slot, own).await?;
        self.kept.put(session);
        if let Some(holder) = holder {
            return Ok(Acquired::Held(holder));
        }
        let (mapped, numbers) = (self.mapped.clone(), self.numbers.clone());
        let messages = &self.messages;
        let followed = &self.followed;
        stream::acquire(&self.names, instance, mapped, messages, numbers, followed).await
    }

    fn compare(&self, a: &Position, b: &Position) -> Result<Option<Ordering>, Failure> {
        let read = |p: &Position| Lsn::parse(&p.0).ok_or_else(|| bad_position(p));
        Ok(Some(read(a)?.cmp(&read(b)?)))
    }

    async fn kept_log(&self) -> Result<Option<KeptLog>, Failure> {
        let session = self.session().await?;
        let log = slot::log(&session, &self.names.slot).await?;
        self.kept.put(session);
        Ok(log)
    }

    async fn visibility(&self) -> Result<Arc<dyn Visibility>, Failure> {
        chunk::visibility(&self.session().await?, &self.numbers, &self.followed).await
    }

    async fn waits_for(&self, number: u64) -> Result<Vec<String>, Failure> {
        chunk::waits_for(&self.session().await?, number).await
    }

    async fn table_reader(&self, table: &ChunkTable) -> Result<Box<dyn TableReader>, Failure> {
        let (target, numbers) = (&self.names.target, &self.numbers);
        let reader =
            chunk::Reader::new(target, &self.mapped, numbers, &self.followed, table).await?;
        Ok(Box::new(reader))
    }

    async fn follow(
        &self,
        request: &FollowRequest,
        waits: WaitsFor<'_>,
    ) -> Result<Follow, Failure> {
        let mut request = request.clone();
        request.tables.retain(is_table);
        follow::follow(&self.names, &self.numbers, &self.mapped, &request, waits).await
    }
}

fn is_table(table: &Ident) -> bool {
    table.message_prefix().is_none()
}

/// What a request says of tables: messages are in no catalogue and no publication.
fn of_tables(request: &PrepareRequest) -> PrepareRequest {
    let mut request = request.clone();
    request.tables.retain(|t| is_table(&t.table));
    request
}

/// The failure for a position that this source never wrote.
pub(crate) fn bad_position(position: &Position) -> Failure {
    Failure::stop(
        Kind::Data,
        Finding::error(
            &codes::BAD_POSITION,
            Place::Source("position".into()),
            format!("{position:?} is not a position in PostgreSQL's log"),
        )
        .because("it is not two hexadecimal numbers with a slash between"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gateway's names, of a server that nobody asks.
    pub(crate) fn names() -> Names {
        Names {
            target: Target {
                host: "127.0.0.1".into(),
                port: 5432,
                user: "onramp".into(),
                database: "shop".into(),
                password: None,
                tls: TlsMode::Disable,
                ca: None,
                application_name: "onramp/1/shop".into(),
            },
            database: "shop".into(),
            slot: "onramp_shop".into(),
            slot_by_dba: false,
            publication: "onramp_shop".into(),
            publication_by_dba: false,
            accept_unbounded_wal: false,
            accept_partitions_without_key: false,
            accept_messages_outside_transactions: false,
        }
    }

    #[test]
    fn positions_are_ordered_as_numbers() {
        let postgres = Postgres::new(names());
        let compare = |a: &str, b: &str| postgres.compare(&Position(a.into()), &Position(b.into()));
        assert_eq!(compare("0/FF", "1/0").unwrap(), Some(Ordering::Less));
        assert_eq!(
            compare("A/0", "9/FFFFFFFF").unwrap(),
            Some(Ordering::Greater)
        );
        assert_eq!(
            compare("0/1", "x").unwrap_err().findings[0].code.id,
            "ONR-426"
        );
    }
}
