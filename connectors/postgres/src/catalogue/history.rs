//! Which history the server's log belongs to, and whether progress does too.

use onramp_connector::{Position, PrepareRequest, SourceIdentity};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

use super::session::Session;
use crate::Names;
use crate::lsn::Lsn;
use crate::wire::{Connection, WireError};

/// SQLSTATE undefined_file: a first timeline has no history file.
const NO_FILE: &str = "58P01";

/// Which history this is.
pub(crate) async fn identity(session: &Session, database: &str) -> Result<SourceIdentity, Failure> {
    // The last checkpoint may be older than a promotion; the name of the file that is written now
    // begins with the timeline of now.
    let row = session
        .one(
            "SELECT (SELECT system_identifier::text FROM pg_control_system()),
                    CASE WHEN pg_is_in_recovery()
                         THEN (SELECT timeline_id FROM pg_control_checkpoint())
                         ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int4
                    END::text",
            &[],
        )
        .await?;
    Ok(SourceIdentity {
        system: format!("{}/{database}", row.get::<_, &str>(0)),
        branch: row.get(1),
    })
}

/// Refuses progress that was made on another history, or that this one does not reach.
pub(crate) async fn same(
    session: &Session,
    names: &Names,
    request: &PrepareRequest,
) -> Result<(), Failure> {
    let now = identity(session, &names.database).await?;
    if let Some(before) = &request.identity {
        if before.system != now.system {
            return Err(other_system(before, &now));
        }
        if let Some(progress) = &request.progress
            && before.branch != now.branch
        {
            let history = timeline_history(names, &now.branch).await?;
            descends(before, &now, &history, progress)?;
        }
    }
    let Some(progress) = &request.progress else {
        return Ok(());
    };
    let row = session
        .one("SELECT pg_current_wal_insert_lsn()::text", &[])
        .await?;
    reached(progress, row.get(0))
}

fn refuse(finding: Finding) -> Failure {
    Failure::stop(Kind::Source, finding)
}

fn server() -> Place {
    Place::Source("server".into())
}

fn other_system(before: &SourceIdentity, now: &SourceIdentity) -> Failure {
    refuse(
        Finding::error(
            &codes::OTHER_SYSTEM,
            server(),
            format!("the server is {}, but progress was made on {}", now.system, before.system),
        )
        .because("positions of one database say nothing about another's log")
        .remedy("point source.url at the database that was published so far, or give this one a gateway name of its own"),
    )
}

/// The history file of a timeline; empty where it has none.
async fn timeline_history(names: &Names, timeline: &str) -> Result<String, Failure> {
    let target = &names.target;
    // Nothing but a number may stand in the command.
    let Ok(number) = timeline.parse::<u32>() else {
        return Ok(String::new());
    };
    if number <= 1 {
        return Ok(String::new());
    }
    let mut connection = Connection::open(target, &target.application_name).await?;
    match connection
        .query(&format!("TIMELINE_HISTORY {number}"))
        .await
    {
        Ok(rows) => Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().nth(1).flatten())
            .unwrap_or_default()),
        Err(WireError::Server(error)) if error.state == NO_FILE => Ok(String::new()),
        Err(error) => Err(error.failure(target, true)),
    }
}

/// Where a history left a timeline: its lines are `timeline <tab> position <tab> reason`.
fn left_at(history: &str, timeline: &str) -> Option<Lsn> {
    history.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == timeline)
            .then(|| words.next().and_then(Lsn::parse))
            .flatten()
    })
}

/// Whether a history that branched off holds everything up to progress.
fn descends(
    before: &SourceIdentity,
    now: &SourceIdentity,
    history: &str,
    progress: &Position,
) -> Result<(), Failure> {
    let at = Lsn::parse(&progress.0).ok_or_else(|| crate::bad_position(progress))?;
    let switch = left_at(history, &before.branch);
    if switch.is_some_and(|switch| at <= switch) {
        tracing::info!(from = %before.branch, to = %now.branch, %progress, "the server was promoted after progress");
        return Ok(());
    }
    let (message, reason) = match switch {
        Some(switch) => (
            format!(
                "progress stands at {progress} of timeline {}, which the server's timeline {} left at {switch}",
                before.branch, now.branch
            ),
            format!(
                "what was published between {switch} and {progress} is not in this server's log: the server that was promoted had not received it"
            ),
        ),
        None => (
            format!(
                "progress stands at {progress} of timeline {}, from which the server's timeline {} does not come",
                before.branch, now.branch
            ),
            "the histories part at an unknown place, so their positions cannot be compared"
                .to_owned(),
        ),
    };
    Err(refuse(
        Finding::error(&codes::OTHER_TIMELINE, server(), message).because(reason).remedy(
            "point source.url at the server that holds the published history; where it is gone, `onramp recover` goes on from this one, keeps the gap on record and has every entity published again",
        ),
    ))
}

/// A log that ends before progress would be filtered away until it has grown past it.
fn reached(progress: &Position, end: &str) -> Result<(), Failure> {
    let at = Lsn::parse(&progress.0).ok_or_else(|| crate::bad_position(progress))?;
    if Lsn::parse(end).is_some_and(|end| at <= end) {
        return Ok(());
    }
    Err(refuse(
        Finding::error(
            &codes::PROGRESS_AHEAD,
            server(),
            format!("progress stands at {progress}, but the server's log ends at {end}"),
        )
        .because("the server was set back to an earlier state: its next changes would be taken for ones that are published already")
        .remedy("restore the server to a state that holds the published changes; where there is none, `onramp recover` goes on from this one, keeps the gap on record and has every entity published again"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str =
        "1\t0/3000060\tno recovery target specified\n\n2\t0/5000000\tbefore 2026\n";

    fn on(branch: &str) -> SourceIdentity {
        SourceIdentity {
            system: "7/shop".into(),
            branch: branch.into(),
        }
    }

    fn judged(branch: &str, progress: &str) -> Option<Finding> {
        descends(&on(branch), &on("3"), HISTORY, &Position(progress.into()))
            .err()
            .map(|f| f.findings[0].clone())
    }

    #[test]
    fn progress_before_a_promotion_goes_on() {
        assert_eq!(judged("1", "0/3000060"), None);
        assert_eq!(judged("2", "0/4FFFFFF"), None);
    }

    #[test]
    fn progress_after_a_promotion_is_refused_and_the_positions_are_named() {
        let found = judged("1", "0/3000061").unwrap();
        assert_eq!(found.code.id, "ONR-424");
        assert!(
            found
                .reason
                .unwrap()
                .contains("between 0/3000060 and 0/3000061")
        );
    }

    #[test]
    fn a_timeline_that_the_server_does_not_come_from_is_refused() {
        assert_eq!(judged("4", "0/1").unwrap().code.id, "ONR-424");
        assert!(descends(&on("2"), &on("1"), "", &Position("0/1".into())).is_err());
    }

    #[test]
    fn a_log_that_ends_before_progress_is_refused() {
        assert!(reached(&Position("0/10".into()), "0/10").is_ok());
        let refused = reached(&Position("0/11".into()), "0/10").unwrap_err();
        assert_eq!(refused.findings[0].code.id, "ONR-430");
        assert!(
            refused.findings[0].message.contains("0/11")
                && refused.findings[0].message.contains("0/10")
        );
    }
}
