//! The history whose log is followed: what tables show counts only where it is of the same.

use std::sync::{Arc, Mutex, PoisonError};

use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

/// A text that is another on every other server, and on this one after a promotion; null on a
/// standby, whose own it is not. The name of the file that is written now begins with the timeline
/// of now.
pub(crate) const HISTORY: &str = "(CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN
    pg_catalog.concat('system ', (SELECT system_identifier FROM pg_catalog.pg_control_system()), ', timeline ',
      ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::pg_catalog.bit(32)::pg_catalog.int4)
    END)";

/// Shared by whoever reads the log and whoever reads tables: a name in the network may lead to
/// another server from one connection to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followed(Arc<Mutex<Option<String>>>);

impl Followed {
    /// The log is read from here.
    pub(crate) fn set(&self, history: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = history;
    }

    /// Refuses what another server tells, or a standby; before there is a log, nobody is.
    pub(crate) fn check(&self, here: Option<&str>) -> Result<(), Failure> {
        let followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = followed.as_deref() else {
            return Ok(());
        };
        if here == Some(log) {
            return Ok(());
        }
        let code = &codes::READ_ELSEWHERE;
        let message = match here {
            Some(here) => format!("the log is read from {log}, and tables from {here}"),
            None => format!("the log is read from {log}, and tables from a standby"),
        };
        Err(Failure::retry(
            Kind::Source,
            Finding::error(code, Place::Source("server".into()), message)
                .because(code.reason)
                .remedy(code.remedy),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_history_shows_does_not_count() {
        let followed = Followed::default();
        assert!(followed.check(Some("a")).is_ok() && followed.check(None).is_ok());
        followed.set(Some("a".into()));
        assert!(followed.check(Some("a")).is_ok());
        for other in [Some("b"), None] {
            let refused = followed.check(other).unwrap_err();
            assert_eq!(
                (refused.findings[0].code.id, refused.retry),
                ("ONR-461", true)
            );
        }
    }
}
