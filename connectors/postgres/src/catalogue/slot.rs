//! The replication slot: what it holds, who has it, and whether it is fit to stream from.

use std::time::Duration;

use onramp_connector::{KeptLog, Position};
use onramp_finding::codes::running::STILL_RUNS;
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use tokio::time::Instant;

use super::session::Session;
use super::sql;
use crate::Names;
use crate::lsn::Lsn;

/// The server keeps this much of an application's name (NAMEDATALEN less the final zero).
const APPLICATION_NAME_BYTES: usize = 63;
/// How long a terminated walsender may take to give its slot back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// A slot as the server has it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// `pgoutput`, or another plugin that is not ours to read.
    pub(crate) plugin: String,
    /// The database it belongs to; empty for a physical one.
    pub(crate) database: String,
    /// Whether it ends with its session.
    pub(crate) temporary: bool,
    /// Whether it sends prepared transactions before they commit.
    pub(crate) two_phase: bool,
    /// The walsender that has it now.
    pub(crate) active_pid: Option<i32>,
    /// What that walsender's client calls itself.
    pub(crate) holder: Option<String>,
    /// Up to where everything was acknowledged.
    pub(crate) confirmed: Option<Lsn>,
    /// reserved, extended, unreserved, lost.
    pub(crate) wal_status: String,
    /// Why the server gave it up, where it says so (from 17 on).
    pub(crate) given_up: Option<String>,
}

impl Slot {
    fn of_another(&self, names: &Names) -> bool {
        let own = kept(&names.target.application_name);
        self.active_pid.is_some() && self.holder.as_deref() != Some(own)
    }

    /// Whether somebody makes it just now: another instance, or for a few seconds more the server
    /// itself, after a start that was killed. It comes to be, or goes with its session.
    pub(crate) fn in_the_making(&self) -> bool {
        let unfinished = self.confirmed.is_none() && self.active_pid.is_some();
        let given_up = self.wal_status == "lost" || self.given_up.is_some();
        let ours = self.plugin.is_empty() || self.plugin == "pgoutput";
        unfinished && ours && !given_up && !self.temporary
    }
}

/// The slot of this name, if there is one.
pub(crate) async fn find(session: &Session, name: &str) -> Result<Option<Slot>, Failure> {
    let rows = session
        .query(
            "SELECT coalesce(plugin::text, ''), coalesce(database::text, ''), temporary, two_phase, active_pid,
                    confirmed_flush_lsn::text, coalesce(wal_status, ''),
                    (SELECT a.application_name FROM pg_stat_activity a WHERE a.pid = active_pid),
                    to_jsonb(s) ->> 'invalidation_reason'
               FROM pg_replication_slots s WHERE slot_name = $1::text",
            &[&name],
        )
        .await?;
    Ok(rows.first().map(|r| Slot {
        plugin: r.get(0),
        database: r.get(1),
        temporary: r.get(2),
        two_phase: r.get(3),
        active_pid: r.get(4),
        confirmed: r.get::<_, Option<&str>>(5).and_then(Lsn::parse),
        wal_status: r.get(6),
        holder: r.get(7),
        given_up: r.get(8),
    }))
}

/// The log that the slot of this name makes the server keep.
pub(crate) async fn log(session: &Session, name: &str) -> Result<Option<KeptLog>, Failure> {
    let rows = session
        .query(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8, safe_wal_size,
                    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8
               FROM pg_replication_slots
              WHERE slot_name = $1::text AND restart_lsn IS NOT NULL AND NOT pg_is_in_recovery()",
            &[&name],
        )
        .await?;
    let bytes = |row: &tokio_postgres::Row, at| {
        let bytes: Option<i64> = row.get(at);
        // Below nothing once the slot is beyond its bound: the next checkpoint gives it up.
        bytes.map(|b| u64::try_from(b).unwrap_or(0))
    };
    Ok(rows.first().map(|row| KeptLog {
        bytes: bytes(row, 0).unwrap_or(0),
        room_bytes: bytes(row, 1),
        written_bytes: bytes(row, 2).unwrap_or(0),
    }))
}

fn place(names: &Names) -> Place {
    Place::Source(format!("slot {}", names.slot))
}

/// The statement that makes it.
pub(crate) fn statement(names: &Names) -> String {
    format!(
        "SELECT pg_create_logical_replication_slot({}, 'pgoutput')",
        sql::literal(&names.slot)
    )
}

/// For a start while somebody makes the slot: it is tried again.
pub(crate) fn unfinished(names: &Names) -> Failure {
    let finding = Finding::error(
        &codes::WRONG_SLOT,
        place(names),
        "the slot is being made by another process",
    );
    let finding = finding.because("by another instance, or by a start that was killed a moment ago; it waits for transactions that were open before");
    Failure::retry(Kind::Source, finding.remedy("nothing: it is tried again"))
}

/// What is wrong with it: by itself, and for progress.
pub(crate) fn judge(
    names: &Names,
    found: Option<&Slot>,
    progress: Option<&Position>,
) -> Vec<Finding> {
    let held = progress.map_or(Ok(()), |at| hold(names, found, at));
    match (fit(names, found), held) {
        // A slot that is gone has to be found, not made.
        (_, Err(gone)) if found.is_none() => gone.findings,
        (wrong, Err(ahead)) if wrong.is_empty() => ahead.findings,
        (wrong, _) => wrong,
    }
}

fn fit(names: &Names, found: Option<&Slot>) -> Vec<Finding> {
    let Some(slot) = found else {
        if !names.slot_by_dba {
            return Vec::new();
        }
        return vec![
            Finding::error(
                &codes::NO_SLOT,
                place(names),
                "the slot that the gateway file names does not exist",
            )
            .because(
                "source.slot says that a DBA makes it; the publication has to be there before it",
            )
            .remedy(statement(names)),
        ];
    };
    if slot.in_the_making() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    if slot.plugin != "pgoutput" {
        wrong.push(match slot.plugin.as_str() {
            "" => "it is a physical one".to_owned(),
            plugin => format!("its plugin is {plugin}, not pgoutput"),
        });
    } else if slot.database != names.database {
        wrong.push(format!("it belongs to the database {}", slot.database));
    }
    if slot.temporary {
        wrong.push("it ends with its session".to_owned());
    }
    if slot.two_phase {
        wrong.push("it sends prepared transactions before they commit (two_phase)".to_owned());
    }
    let mut out = Vec::new();
    if !wrong.is_empty() {
        out.push(
            Finding::error(
                &codes::WRONG_SLOT,
                place(names),
                "the slot of this name is not fit to stream from",
            )
            .because(wrong.join("; "))
            .remedy("name another slot in source.slot, or rename the gateway"),
        );
    } else if slot.wal_status == "lost" || slot.confirmed.is_none() {
        out.push(lost(names, slot.given_up.as_deref()));
    }
    out
}

/// The slot's log is gone.
fn lost(names: &Names, given_up: Option<&str>) -> Finding {
    let reason = match given_up {
        None | Some("wal_removed") => {
            "it kept more than max_slot_wal_keep_size, so the server removed it".to_owned()
        }
        Some("idle_timeout") => {
            "nobody read it for longer than idle_replication_slot_timeout, so the server gave it up"
                .to_owned()
        }
        Some(other) => format!("the server gave it up: {other}"),
    };
    Finding::error(&codes::LOG_LOST, place(names), "the log that the slot held is gone")
        .because(format!("{reason}; changes in it can no longer be read"))
        .remedy("`onramp recover` makes a new slot, keeps the gap on record and has every entity published again; raise the bound before")
}

/// A slot must hold everything after progress. Where another instance streams from it, progress
/// may have moved on since it was read: that is judged when the slot is ours.
fn hold(names: &Names, found: Option<&Slot>, progress: &Position) -> Result<(), Failure> {
    let refuse = |finding| Err(Failure::stop(Kind::Source, finding));
    let at = Lsn::parse(&progress.0).ok_or_else(|| crate::bad_position(progress))?;
    let Some(found) = found else {
        return refuse(
            Finding::error(
                &codes::SLOT_GONE,
                place(names),
                format!("the slot is gone, but progress stands at {progress}"),
            )
            .because("a new slot would begin now: every change between would be lost without a word")
            .remedy("find out who dropped it; `onramp recover` makes a new slot, keeps the gap on record and has every entity published again"),
        );
    };
    match found.confirmed {
        Some(confirmed) if confirmed <= at => Ok(()),
        Some(_) if found.of_another(names) => Ok(()),
        None if found.in_the_making() => Ok(()),
        None => refuse(lost(names, found.given_up.as_deref())),
        Some(confirmed) => refuse(
            Finding::error(
                &codes::SLOT_AHEAD,
                place(names),
                format!("the slot begins at {confirmed}, after progress at {progress}"),
            )
            .because("it was made anew or advanced by somebody else: the changes between are gone from it")
            .remedy("find out who did; `onramp recover` makes a new slot, keeps the gap on record and has every entity published again"),
        ),
    }
}

/// Drops the slot, or moves a DBA's to the log's end. One that somebody has is refused, and so is
/// one that is not ours to read.
pub(crate) async fn discard(
    session: &Session,
    names: &Names,
    holder: Option<String>,
    progress: &Position,
) -> Result<(), Failure> {
    if let Some(holder) = holder {
        let finding = Finding::error(
            &STILL_RUNS,
            place(names),
            format!("the slot is held by {holder}"),
        );
        let finding = finding.because(STILL_RUNS.reason).remedy(STILL_RUNS.remedy);
        return Err(Failure::stop(Kind::Source, finding));
    }
    let Some(found) = find(session, &names.slot).await? else {
        return Ok(());
    };
    let wrong = fit(names, Some(&found));
    if names.slot_by_dba {
        if wrong.is_empty() {
            return pass(session, names, &found, progress).await;
        }
        let statements = format!(
            "SELECT pg_drop_replication_slot({});\n{};",
            sql::literal(&names.slot),
            statement(names)
        );
        return Err(Failure::stop(
            Kind::Source,
            Finding::error(
                &codes::MAY_NOT_CREATE,
                place(names),
                format!(
                    "the slot {} is to be dropped and made again by a DBA",
                    names.slot
                ),
            )
            .because("source.slot says that a DBA makes it")
            .remedy(statements),
        ));
    }
    let anothers: Vec<Finding> = wrong
        .into_iter()
        .filter(|f| f.code == &codes::WRONG_SLOT)
        .collect();
    if !anothers.is_empty() {
        return Err(Failure::all(Kind::Source, anothers));
    }
    let dropped = session
        .try_query("SELECT pg_drop_replication_slot($1::text)", &[&names.slot])
        .await;
    dropped.map_err(|error| session.refused(&error))?;
    tracing::info!(slot = %names.slot, "slot dropped");
    Ok(())
}

/// Moves a slot that was made before progress to the log's end: what it holds up to progress was
/// published, or is of a history that is not gone on with.
async fn pass(
    session: &Session,
    names: &Names,
    found: &Slot,
    progress: &Position,
) -> Result<(), Failure> {
    let at = Lsn::parse(&progress.0).ok_or_else(|| crate::bad_position(progress))?;
    if found.confirmed.is_some_and(|confirmed| confirmed > at) {
        return Ok(());
    }
    let advanced = session
        .try_query(
            "SELECT end_lsn::text FROM pg_replication_slot_advance($1::text, pg_current_wal_flush_lsn())",
            &[&names.slot],
        )
        .await;
    let rows = advanced.map_err(|error| session.refused(&error))?;
    let to = rows.first().map(|row| row.get::<_, String>(0));
    tracing::info!(slot = %names.slot, to, "slot advanced");
    Ok(())
}

/// Who has the slot, in words; None where nobody has. A walsender of this very process, left over
/// from an earlier connection, is ended; every other is left alone.
pub(crate) async fn held(
    session: &Session,
    name: &str,
    own: &str,
) -> Result<Option<String>, Failure> {
    let own = kept(own);
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        let rows = session
            .query(
                "SELECT s.active_pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''),
                        coalesce(a.client_addr::text, CASE a.client_port WHEN -1 THEN 'a local socket' ELSE 'an address that the role may not see' END)
                   FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
                  WHERE s.slot_name = $1::text AND s.active_pid IS NOT NULL",
                &[&name],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let pid: i32 = row.get(0);
        let application: &str = row.get(1);
        let who = match application {
            "" => format!("the server process {pid}"),
            _ => format!(
                "{application} of {} from {} (pid {pid})",
                row.get::<_, &str>(2),
                row.get::<_, &str>(3)
            ),
        };
        if application != own || Instant::now() >= deadline {
            return Ok(Some(who));
        }
        // Judged and ended in one statement: the number may be another process's by now.
        let ended = session
            .try_query(
                "SELECT pg_terminate_backend(s.active_pid)
                   FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
                  WHERE s.slot_name = $1::text AND a.application_name = $2::text",
                &[&name, &own],
            )
            .await;
        match ended {
            Ok(_) => tracing::info!(
                slot = name,
                pid,
                "an earlier connection of this process is ended"
            ),
            Err(error) => {
                let failure = session.refused(&error);
                tracing::warn!(slot = name, pid, %failure, "an earlier connection of this process cannot be ended");
                return Ok(Some(who));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// An application's name as the server keeps it.
fn kept(name: &str) -> &str {
    let mut end = name.len().min(APPLICATION_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One as the gateway makes it.
    pub(crate) fn slot() -> Slot {
        Slot {
            plugin: "pgoutput".into(),
            database: "shop".into(),
            temporary: false,
            two_phase: false,
            active_pid: None,
            holder: None,
            confirmed: Some(Lsn(16)),
            wal_status: "reserved".into(),
            given_up: None,
        }
    }

    #[test]
    fn each_fault_of_a_slot_is_found() {
        let names = crate::tests::names();
        assert!(judge(&names, Some(&slot()), None).is_empty());
        type Spoil = fn(&mut Slot);
        let cases: [(&str, Spoil); 7] = [
            ("ONR-419", |s| s.plugin = "test_decoding".into()),
            ("ONR-419", |s| s.plugin = String::new()),
            ("ONR-419", |s| s.database = "other".into()),
            ("ONR-419", |s| s.temporary = true),
            ("ONR-419", |s| s.two_phase = true),
            ("ONR-420", |s| s.wal_status = "lost".into()),
            ("ONR-420", |s| s.confirmed = None),
        ];
        for (id, spoil) in cases {
            let mut spoilt = slot();
            spoil(&mut spoilt);
            let found: Vec<_> = judge(&names, Some(&spoilt), None)
                .iter()
                .map(|f| f.code.id)
                .collect();
            assert_eq!(found, [id]);
        }
    }

    #[test]
    fn a_slot_in_the_making_is_not_lost() {
        let names = crate::tests::names();
        let making = Slot {
            confirmed: None,
            active_pid: Some(7),
            ..slot()
        };
        let at = Position("0/10".into());
        for progress in [None, Some(&at)] {
            assert!(judge(&names, Some(&making), progress).is_empty());
        }
        let lost = Slot {
            wal_status: "lost".into(),
            ..making
        };
        assert_eq!(judge(&names, Some(&lost), None)[0].code.id, "ONR-420");
    }

    #[test]
    fn a_slot_holds_what_comes_after_progress_or_is_refused() {
        let mut names = crate::tests::names();
        names.slot_by_dba = true;
        let ids = |slot: Option<&Slot>, at: &str| {
            let found = judge(&names, slot, Some(&Position(at.into())));
            found.iter().map(|f| f.code.id).collect::<Vec<_>>()
        };
        let mut slot = slot();
        assert!(ids(Some(&slot), "0/10").is_empty());
        assert!(ids(Some(&slot), "0/11").is_empty());
        assert_eq!(ids(Some(&slot), "0/F"), ["ONR-422"]);
        assert_eq!(ids(None, "0/10"), ["ONR-421"]);
        assert_eq!(ids(Some(&slot), "nowhere"), ["ONR-426"]);
        slot.active_pid = Some(7);
        slot.holder = Some("onramp/2/shop".into());
        assert!(ids(Some(&slot), "0/F").is_empty(), "another moves it on");
        slot.holder = Some(names.target.application_name.clone());
        assert_eq!(ids(Some(&slot), "0/F"), ["ONR-422"]);
        slot.wal_status = "lost".into();
        assert_eq!(ids(Some(&slot), "0/F"), ["ONR-420"]);
    }

    #[test]
    fn an_application_name_is_compared_as_the_server_keeps_it() {
        assert_eq!(kept("short"), "short");
        assert_eq!(kept(&"x".repeat(70)).len(), 63);
    }
}
