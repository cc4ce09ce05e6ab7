//! A temporary slot, and whom it waits for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onramp_connector::WaitsFor;
use onramp_finding::codes::dry_run::NOT_FOLLOWED;
use onramp_finding::{Failure, Finding, Kind, Place};
use tokio_postgres::error::SqlState;

use crate::catalogue::session::Session;
use crate::chunk;
use crate::target::Target;

/// How often it is asked who is waited for.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// No statement that reads the log takes longer.
const STATEMENT_SECONDS: u64 = 120;

/// What came of it.
pub(super) enum Made {
    /// Its name.
    Slot(String),
    /// None can be made, and why.
    Not(Box<Finding>),
}

/// Makes one. The server waits for every transaction that is open; who that is, is told.
pub(super) async fn make(
    session: &Session,
    target: &Target,
    plugin: &str,
    patience: Duration,
    waits: WaitsFor<'_>,
) -> Result<Made, Failure> {
    let settings = format!(
        "SET client_connection_check_interval = '500ms'; SET lock_timeout = 0;
         SET statement_timeout = {}",
        patience.as_millis().max(1)
    );
    session
        .run(&settings)
        .await
        .map_err(|error| session.refused(&error))?;
    let pid: i32 = session.one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let name = name();
    // Both are words of ours.
    let create =
        format!("SELECT pg_create_logical_replication_slot('{name}', '{plugin}', true)::text");
    let mut making = std::pin::pin!(session.try_query(&create, &[]));
    let mut watch: Option<Session> = None;
    let mut last = Vec::new();
    let made = loop {
        tokio::select! {
            made = &mut making => break made,
            () = tokio::time::sleep(ASKED_EVERY) => {}
        }
        // A session of its own, where it takes longer: the other one waits.
        if watch.is_none() {
            watch = Some(Session::open(target).await?);
        }
        if let Some(watch) = &watch {
            let open = chunk::waited_for_by(watch, pid).await?;
            if !open.is_empty() {
                waits(&open);
                last = open;
            }
        }
    };
    match made {
        Ok(_) => {
            let settings = format!("SET statement_timeout = '{STATEMENT_SECONDS}s'");
            let set = session.run(&settings).await;
            set.map_err(|error| session.refused(&error))?;
            Ok(Made::Slot(name.clone()))
        }
        Err(error) => match error.as_db_error() {
            None => Err(session.refused(&error)),
            Some(db) => Ok(Made::Not(Box::new(not(db.code().code(), &last, || {
                let failure = session.refused(&error);
                let reasons = failure.findings.into_iter().filter_map(|f| f.reason);
                reasons.collect::<Vec<_>>().join("; ")
            })))),
        },
    }
}

/// Drops it. Where that cannot be, it goes with the session.
pub(super) async fn end(session: &Session, name: &str) -> Result<(), Failure> {
    let drop = "SELECT pg_drop_replication_slot(slot_name)::text FROM pg_replication_slots
                 WHERE slot_name = $1::text";
    session.query(drop, &[&name]).await.map(|_| ())
}

/// The failure for a look at the log that the server broke off.
pub(super) fn interrupted(session: &Session, error: &tokio_postgres::Error) -> Failure {
    let db = error.as_db_error();
    if db.is_none_or(|db| db.code() != &SqlState::QUERY_CANCELED) {
        return session.refused(error);
    }
    let place = Place::Source("temporary slot".into());
    let finding = Finding::warning(&NOT_FOLLOWED, place, "changes are no longer followed")
        .because(format!(
            "to read the log took longer than {STATEMENT_SECONDS} s: a very large transaction \
             ended, or the server is busy"
        ))
        .remedy("follow again later");
    Failure::stop(Kind::Source, finding)
}

/// Why there is no slot.
fn not(state: &str, waited_for: &[String], said: impl FnOnce() -> String) -> Finding {
    let (reason, remedy) = match state {
        // query_canceled: by its own timeout.
        "57014" => {
            let whom = match waited_for {
                [] => "transactions that were open".to_owned(),
                open => open.join("; "),
            };
            (
                format!("the slot was not ready in time: it waits for {whom}"),
                "wait until they end, or follow for longer",
            )
        }
        "42501" => (
            said(),
            "give the role REPLICATION, which a run needs as well",
        ),
        // undefined_file: the plugin is a package of its own.
        "58P01" => (
            said(),
            "install the server's contrib modules, or follow once the gateway's publication holds the tables",
        ),
        "53400" => (said(), "raise max_replication_slots, or drop a slot"),
        _ => (said(), NOT_FOLLOWED.remedy),
    };
    let place = Place::Source("temporary slot".into());
    Finding::warning(&NOT_FOLLOWED, place, "changes are not followed")
        .because(reason)
        .remedy(remedy)
}

/// A name that no other process has: several may look at one server at the same time.
fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    format!(
        "onramp_look_{}_{:x}_{}",
        std::process::id(),
        nanos & 0xffff_ffff_ffff,
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
