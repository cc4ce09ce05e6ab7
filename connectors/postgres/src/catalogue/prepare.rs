//! Makes the publication and the slot, after every check; nothing else is ever created.

use std::time::Duration;

use onramp_connector::{Ident, Position, PrepareRequest, Prepared};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place, Severity};
use tokio_postgres::error::SqlState;

use super::locks::{self, Lock};
use super::server::{self, Server};
use super::session::Session;
use super::{history, publication, publish, slot};
use crate::lsn::Lsn;
use crate::{Names, chunk};

/// How often the transactions that slot creation waits for are shown.
const WAITING_SHOWN_EVERY: Duration = Duration::from_secs(5);

/// Brings the source to where it can be streamed from. Everything is checked before anything is
/// altered: a start that is refused changes nothing.
pub(crate) async fn prepare(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
) -> Result<Prepared, Failure> {
    let server = Server::read(session).await?;
    errors(server.judge(names, None).into_iter().filter(|f| {
        // A slot and a walsender may be free again, or ours already, when they are asked for.
        f.code.id != codes::NO_FREE_SLOT.id
    }))?;
    history::same(session, names, request).await?;
    let found = slot::find(session, &names.slot).await?;
    errors(slot::judge(
        names,
        found.as_ref(),
        request.progress.as_ref(),
    ))?;
    if found.as_ref().is_some_and(slot::Slot::in_the_making) {
        return Err(slot::unfinished(names));
    }
    // Before the slot: its first changes are decoded by the catalogue of their time, in which the
    // publication has to be there.
    let lacking = publish::publish(session, names, request, found.is_some()).await?;
    match found.and_then(|slot| slot.confirmed) {
        Some(from) => Ok(Prepared {
            from: position(from),
            created: false,
            lacking,
        }),
        None => Ok(Prepared {
            from: create_slot(session, names).await?,
            created: true,
            lacking,
        }),
    }
}

/// What [`prepare`] waits for: locks on tables, or, while the slot is being made, every transaction
/// that was open before.
pub(crate) async fn held_up_by(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
) -> Result<Vec<String>, Failure> {
    let slot = slot::find(session, &names.slot).await?;
    let found = publication::find(session, &names.publication).await?;
    let held = |table: &Ident| {
        found
            .as_ref()
            .is_some_and(|f| f.all_tables || f.names(table))
    };
    let (mut waits, mut all_held) = (Vec::new(), true);
    let lock = Lock::to_add(slot.is_some());
    let tables = request.tables.iter().map(|t| &t.table);
    for table in tables.filter(|t| !held(t)) {
        all_held = false;
        let holders = locks::holders(session, table, lock).await?;
        waits.extend(holders.into_iter().map(|h| format!("{table}: {h}")));
    }
    // A slot that is being made is there, and has no position yet.
    if all_held && slot.is_none_or(|slot| slot.confirmed.is_none()) {
        waits = chunk::waits_for(session, u64::MAX).await?;
    }
    Ok(waits)
}

/// All errors of a list, as one failure.
pub(super) fn errors(findings: impl IntoIterator<Item = Finding>) -> Result<(), Failure> {
    let wrong: Vec<Finding> = findings
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::all(Kind::Source, wrong))
    }
}

/// Creates the slot. That waits until every transaction open now has ended, so those are shown.
async fn create_slot(session: &Session, names: &Names) -> Result<Position, Failure> {
    let create = async {
        // The wait has no bound of its own: only the application can end its transactions. But a
        // server that lost its client must not go on and leave a slot that nobody reads.
        session
            .run("SET statement_timeout = 0; SET client_connection_check_interval = 5000")
            .await?;
        session
            .try_query(
                "SELECT lsn::text FROM pg_create_logical_replication_slot($1::text, 'pgoutput')",
                &[&names.slot],
            )
            .await
    };
    tokio::pin!(create);
    let mut watcher = None;
    let made = loop {
        tokio::select! {
            made = &mut create => break made,
            () = tokio::time::sleep(WAITING_SHOWN_EVERY) => {
                let watcher = match &mut watcher {
                    Some(watcher) => watcher,
                    none => none.insert(Session::open(&names.target).await?),
                };
                show_open_transactions(watcher, names).await?;
            }
        }
    };
    match made {
        Ok(rows) => {
            // The session is used for other questions after this.
            let reset = "RESET statement_timeout; RESET client_connection_check_interval";
            session.run(reset).await.map_err(|e| session.refused(&e))?;
            rows.first()
                .and_then(|r| Lsn::parse(r.get(0)))
                .map(position)
                .ok_or_else(|| {
                    let message = "the server made a slot without a position";
                    Failure::internal(&onramp_finding::codes::running::INTERNAL, message)
                })
        }
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            Err(may_not_create(
                &format!("slot {}", names.slot),
                server::replication(&names.target.user),
                "the role may not replicate",
            ))
        }
        Err(error) => Err(session.refused(&error)),
    }
}

async fn show_open_transactions(session: &Session, names: &Names) -> Result<(), Failure> {
    let open = session
        .query(
            "SELECT 'pid ' || pid, coalesce(application_name, ''), xact_start::text FROM pg_stat_activity
              WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
             UNION ALL
             SELECT 'prepared ' || gid, '', prepared::text FROM pg_prepared_xacts
              ORDER BY 3 LIMIT 5",
            &[],
        )
        .await?;
    for row in &open {
        tracing::warn!(
            slot = %names.slot,
            transaction = row.get::<_, &str>(0),
            application = row.get::<_, &str>(1),
            since = row.get::<_, Option<&str>>(2),
            "creating the slot waits for an open transaction"
        );
    }
    Ok(())
}

pub(super) fn may_not_create(what: &str, statements: String, reason: &str) -> Failure {
    Failure::stop(
        Kind::Source,
        Finding::error(
            &codes::MAY_NOT_CREATE,
            Place::Source(what.to_owned()),
            format!("the {what} is to be made or altered by a DBA"),
        )
        .because(reason)
        .remedy(statements),
    )
}

fn position(lsn: Lsn) -> Position {
    Position(lsn.to_string().into())
}
