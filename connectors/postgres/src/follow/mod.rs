//! What commits for a while, for whoever only looks: over a temporary slot of an ordinary session.
//!
//! The slot goes with its session. Not over a walsender, because making a slot waits for every
//! transaction that is open, and a walsender that waits does not notice that its client is gone; an
//! ordinary session can be told to look (`client_connection_check_interval`), and to give up
//! (`statement_timeout`). So nothing is left behind, whenever the process is killed.
//!
//! Where the gateway's publication holds every table asked for, pgoutput reads by it, as a run does;
//! else test_decoding, which needs none ([`decoded`]).

mod array;
mod decoded;
mod rows;
mod slot;

use std::time::Duration;

use async_trait::async_trait;
use onramp_connector::{Batch, Follow, FollowRequest, Following, StreamLimits, WaitsFor};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use tokio::time::Instant;
use tokio_postgres::Row;

use crate::Names;
use crate::catalogue::session::Session;
use crate::catalogue::{publication, sql};
use crate::lsn::Lsn;
use crate::stream::{Mapped, Numbers, Replay};
use rows::Decoded;
use slot::Made;

/// How often the log is looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// How many rows are asked for at once, by what a row took so far: a statement each, prepared once.
const STEPS: [usize; 4] = [1024, 256, 64, 16];
/// So many changes end a look, at the next commit.
const LOOK_CHANGES: u32 = 20_000;

/// Follows the tables, or says why not.
pub(crate) async fn follow(
    names: &Names,
    numbers: &Numbers,
    mapped: &Mapped,
    request: &FollowRequest,
    waits: WaitsFor<'_>,
) -> Result<Follow, Failure> {
    let mut target = names.target.clone();
    target.application_name = format!("{} follows", target.application_name);
    let session = Session::open(&target).await?;
    let published = publication::find(&session, &names.publication).await?;
    let holds_all = published.is_some_and(|found| {
        let holds = |table| found.all_tables || found.names(table);
        found.all_operations && found.via_root && request.tables.iter().all(holds)
    });
    let plugin = if holds_all {
        "pgoutput"
    } else {
        "test_decoding"
    };
    let slot = match slot::make(&session, &target, plugin, request.patience, waits).await? {
        Made::Slot(slot) => slot,
        Made::Not(finding) => return Ok(Follow::Not(finding)),
    };
    let (by, sql, read) = if holds_all {
        let publication = &names.publication;
        (
            format!("publication {publication}, over a temporary slot"),
            of_publication(&slot, publication, request.limits),
            Read::Messages(Box::new(Replay::new(
                &target,
                numbers.clone(),
                mapped.clone(),
                request.limits,
            ))),
        )
    } else {
        (
            "test_decoding, over a temporary slot: no publication holds all the tables".to_owned(),
            of_test_decoding(&slot, request.limits),
            Read::Texts(Box::new(
                Decoded::new(&session, &request.tables, numbers.clone()).await?,
            )),
        )
    };
    Ok(Follow::Changes(Box::new(Changes {
        session,
        slot,
        by,
        sql,
        read,
        limits: request.limits,
        looking: false,
        row_bytes: 0,
    })))
}

/// What gives the next messages, a row beyond the limit without its data.
fn of_publication(slot: &str, publication: &str, limits: StreamLimits) -> String {
    format!(
        "SELECT lsn::text, CASE WHEN octet_length(data) <= {} THEN data END
           FROM pg_logical_slot_get_binary_changes({}, NULL, {LOOK_CHANGES},
                'proto_version', '1', 'binary', 'true', 'publication_names', {})",
        limits.record_bytes,
        sql::literal(slot),
        sql::literal(&sql::identifier(publication)),
    )
}

fn of_test_decoding(slot: &str, limits: StreamLimits) -> String {
    // Names and types stand in the text too, and bytes take twice their room.
    format!(
        "SELECT lsn::text, CASE WHEN octet_length(data) <= {} THEN data END
           FROM pg_logical_slot_get_changes({}, NULL, {LOOK_CHANGES},
                'include-xids', '1', 'include-timestamp', '1', 'skip-empty-xacts', '1')",
        limits.record_bytes.saturating_mul(4),
        sql::literal(slot),
    )
}

enum Read {
    Messages(Box<Replay>),
    Texts(Box<Decoded>),
}

struct Changes {
    /// The slot is this session's.
    session: Session,
    slot: String,
    by: String,
    /// What gives the next changes.
    sql: String,
    read: Read,
    limits: StreamLimits,
    /// Whether a look's rows are still to be fetched.
    looking: bool,
    /// What a row took of late.
    row_bytes: usize,
}

impl Changes {
    /// Some more rows of a look, the first of a new one where the last was at its end; none where the
    /// log holds nothing new. By a cursor: what a look brings is the server's to keep.
    async fn fetch(&mut self) -> Result<Vec<Row>, Failure> {
        let run = async |session: &Session, sql: &str| {
            let done = session.run(sql).await;
            done.map(drop).map_err(|error| session.refused(&error))
        };
        if !self.looking {
            let begin = format!("BEGIN; DECLARE onramp NO SCROLL CURSOR FOR {}", self.sql);
            run(&self.session, &begin).await?;
            self.looking = true;
        }
        let most = self.limits.batch_bytes;
        let fits = |rows: &&usize| self.row_bytes.saturating_mul(**rows) <= most;
        let rows = match self.row_bytes {
            0 => 16,
            _ => *STEPS.iter().find(fits).unwrap_or(&1),
        };
        let sql = format!("FETCH {rows} FROM onramp");
        let fetched = self.session.try_query(&sql, &[]).await;
        let fetched = fetched.map_err(|error| slot::interrupted(&self.session, &error))?;
        if fetched.is_empty() {
            run(&self.session, "COMMIT").await?;
            self.looking = false;
        }
        Ok(fetched)
    }

    /// Takes rows in; they are delivered later.
    fn take(&mut self, rows: &[Row]) -> Result<(), Failure> {
        let mut bytes = 0;
        for row in rows {
            let lsn = row.get::<_, Option<&str>>(0).and_then(Lsn::parse);
            let lsn = lsn.unwrap_or(Lsn(0));
            match &mut self.read {
                Read::Messages(replay) => {
                    let data: &[u8] = row.get::<_, Option<_>>(1).ok_or_else(too_large)?;
                    bytes += data.len();
                    replay.push(lsn, data);
                }
                Read::Texts(decoded) => {
                    let data: &str = row.get::<_, Option<_>>(1).ok_or_else(too_large)?;
                    bytes += data.len();
                    decoded.push(lsn, data)?;
                }
            }
        }
        self.row_bytes = bytes.checked_div(rows.len()).unwrap_or(0).max(1);
        Ok(())
    }

    async fn deliver(&mut self, batch: &mut Batch) -> Result<bool, Failure> {
        match &mut self.read {
            Read::Messages(replay) if replay.waiting_bytes() > 0 => replay.read(batch).await,
            Read::Messages(_) => Ok(false),
            Read::Texts(decoded) => Ok(decoded.read(batch)),
        }
    }
}

#[async_trait]
impl Following for Changes {
    fn by(&self) -> &str {
        &self.by
    }

    async fn end(mut self: Box<Self>) -> Result<(), Failure> {
        if std::mem::take(&mut self.looking) {
            let ended = self.session.run("ROLLBACK").await;
            ended.map_err(|error| self.session.refused(&error))?;
        }
        slot::end(&self.session, &self.slot).await
    }

    async fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), Failure> {
        batch.items.clear();
        batch.bytes.clear();
        batch.position = None;
        batch.lag_bytes = None;
        batch.more = false;
        let deadline = Instant::now() + wait;
        while !self.deliver(batch).await? {
            let rows = self.fetch().await?;
            if !rows.is_empty() {
                self.take(&rows)?;
                continue;
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(());
            }
            tokio::time::sleep(LOOKS_EVERY.min(deadline - now)).await;
        }
        Ok(())
    }
}

fn too_large() -> Failure {
    let code = &codes::RECORD_TOO_LARGE;
    Failure::stop(
        Kind::Data,
        Finding::error(
            code,
            Place::Source("log".into()),
            "a change takes more bytes than are allowed",
        )
        .because(code.reason)
        .remedy(code.remedy),
    )
}
