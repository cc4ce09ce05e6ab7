//! Makes the publication and the slot, after every check; nothing else is ever created.

use std::collections::BTreeSet;
use std::time::Duration;

use onramp_connector::{Ident, Position, PrepareRequest, Prepared};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place, Severity};
use tokio_postgres::error::SqlState;

use super::server::{self, Server};
use super::session::Session;
use super::{describe, history, publication, slot, sql, tables};
use crate::Names;
use crate::lsn::Lsn;

/// How long a statement on the publication may wait for its locks: while it waits, others queue
/// behind it.
const LOCK_TIMEOUT_MS: u64 = 200;
/// How often it is tried.
const LOCK_TRIES: u32 = 50;
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
    // Before the slot: its first changes are decoded by the catalogue of their time, in which the
    // publication has to be there.
    publish(session, names, request, found.is_some()).await?;
    match found.and_then(|slot| slot.confirmed) {
        Some(from) => Ok(Prepared {
            from: position(from),
            created: false,
        }),
        None => Ok(Prepared {
            from: create_slot(session, names).await?,
            created: true,
        }),
    }
}

/// All errors of a list, as one failure.
fn errors(findings: impl IntoIterator<Item = Finding>) -> Result<(), Failure> {
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

async fn publish(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    decoding: bool,
) -> Result<(), Failure> {
    let idents: Vec<Ident> = request.tables.iter().map(|t| t.table.clone()).collect();
    let described = describe::tables(session, &idents).await?;
    let found = publication::find(session, &names.publication).await?;
    let mut wrong = tables::refused(names, request, &described);
    wrong.extend(publication::judge(
        names,
        request,
        &described,
        found.as_ref(),
    ));
    wrong.extend(publication::gone(
        &names.publication,
        request,
        found.as_ref(),
    ));
    errors(wrong)?;
    let wanted: BTreeSet<Ident> = idents.iter().cloned().collect();
    let statement = match &found {
        None => Some(publication::create(&names.publication, &wanted)),
        Some(found) => {
            if let Some(statement) = publication::drop_unmapped(&names.publication, found, &wanted)
            {
                tracing::info!(publication = %names.publication, %statement, "tables that no product maps stay in the publication; this takes them out");
            }
            publication::add(&names.publication, found, &wanted)
        }
    };
    let Some(statement) = statement else {
        return Ok(());
    };
    let held = |table: &Ident| found.as_ref().is_some_and(|f| f.names(table));
    // Where there is no slot yet nothing is decoded, and making one waits for writers anyway.
    let adding: Vec<Ident> = wanted
        .into_iter()
        .filter(|t| decoding && !held(t))
        .collect();
    let mut tries = 0;
    loop {
        let done = guarded(session, names, request, &adding, &statement).await;
        // Where nothing is open this says no more than a warning.
        let _ = session.run("ROLLBACK").await;
        let error = match done {
            Ok(()) => break,
            Err(Trouble::Refused(failure)) => return Err(failure),
            Err(Trouble::Server(error)) => error,
        };
        match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) if tries < LOCK_TRIES => {
                tries += 1;
                tracing::info!(publication = %names.publication, tries, "waiting for a table's lock");
                tokio::time::sleep(Duration::from_millis(LOCK_TIMEOUT_MS)).await;
            }
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                return Err(may_not_create(
                    &format!("publication {}", names.publication),
                    statement,
                    "the role may not: a publication is made and altered by a role that may CREATE in the database and owns the publication and its tables",
                ));
            }
            _ => return Err(session.refused(&error)),
        }
    }
    tracing::info!(%statement, "publication altered");
    Ok(())
}

enum Trouble {
    Server(tokio_postgres::Error),
    Refused(Failure),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Trouble::Server(error)
    }
}

/// Runs a statement on the publication in a transaction that is committed only if the tables are
/// still fit when their locks are held: a replica identity may have gone, or a partition come.
async fn guarded(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
    adding: &[Ident],
    statement: &str,
) -> Result<(), Trouble> {
    // A transaction that wrote to a table before and goes on after would be decoded in part, and
    // servers before 15.13, 16.9 and 17.5 would take the table for unpublished from then on. So
    // writers are waited for, no longer than a try lasts.
    let tables: Vec<String> = adding.iter().map(sql::table).collect();
    let lock = if tables.is_empty() {
        String::new()
    } else {
        format!(
            "LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE; ",
            tables.join(", ONLY ")
        )
    };
    session
        .run(&format!(
            "BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; {lock}{statement}"
        ))
        .await?;
    let idents: Vec<Ident> = request.tables.iter().map(|t| t.table.clone()).collect();
    let described = describe::tables(session, &idents)
        .await
        .map_err(Trouble::Refused)?;
    errors(tables::refused(names, request, &described)).map_err(Trouble::Refused)?;
    session.run("COMMIT").await?;
    Ok(())
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

fn may_not_create(what: &str, statements: String, reason: &str) -> Failure {
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
