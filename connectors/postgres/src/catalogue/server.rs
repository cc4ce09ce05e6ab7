//! The server's settings and the role's rights.

use onramp_finding::codes::source as codes;
use onramp_finding::{Code, Failure, Finding, Place};

use super::session::Session;
use super::slot::Slot;
use super::sql;
use crate::Names;

/// The oldest server that is served: row filters and column lists of publications came with 15,
/// and nothing older is tested against.
const OLDEST: i32 = 150_000;

/// What the server says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// `server_version_num`.
    pub(crate) version: i32,
    /// Whether it replays another's log.
    pub(crate) standby: bool,
    /// `wal_level`.
    pub(crate) wal_level: String,
    /// `max_slot_wal_keep_size`.
    pub(crate) keep: String,
    /// The database's encoding.
    pub(crate) encoding: String,
    /// The role that the gateway is.
    pub(crate) role: String,
    /// Whether the role has the attribute REPLICATION.
    pub(crate) may_replicate: bool,
    /// Slots that could still be made.
    pub(crate) free_slots: i64,
    /// Walsenders that could still be started.
    pub(crate) free_senders: i64,
}

impl Server {
    /// Asks.
    pub(crate) async fn read(session: &Session) -> Result<Server, Failure> {
        let row = session
            .one(
                "SELECT current_setting('server_version_num')::int4, pg_is_in_recovery(),
                        current_setting('wal_level'), current_setting('max_slot_wal_keep_size'),
                        (SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()),
                        current_user::text,
                        coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false),
                        current_setting('max_replication_slots')::int8 - (SELECT count(*) FROM pg_replication_slots),
                        current_setting('max_wal_senders')::int8 - (SELECT count(*) FROM pg_stat_replication)",
                &[],
            )
            .await?;
        Ok(Server {
            version: row.get(0),
            standby: row.get(1),
            wal_level: row.get(2),
            keep: row.get(3),
            encoding: row.get(4),
            role: row.get(5),
            may_replicate: row.get(6),
            free_slots: row.get(7),
            free_senders: row.get(8),
        })
    }

    /// Whether it is too old for the other questions to be put to it.
    pub(crate) fn too_old(&self) -> bool {
        self.version < OLDEST
    }

    /// What is wrong with it. `slot` is the gateway's own, where it is there already.
    pub(crate) fn judge(&self, names: &Names, slot: Option<&Slot>) -> Vec<Finding> {
        let mut out = Vec::new();
        let mut error = |code: &'static Code, message: String, reason: &str, remedy: &str| {
            out.push(
                Finding::error(code, Place::Source("server".into()), message)
                    .because(reason)
                    .remedy(remedy),
            );
        };
        if self.too_old() {
            error(
                &codes::SERVER_TOO_OLD,
                format!("the server is PostgreSQL {}", self.version / 10_000),
                codes::SERVER_TOO_OLD.reason,
                "upgrade the server to 15 or later",
            );
        }
        if self.standby {
            error(
                &codes::STANDBY,
                "the server is a standby".into(),
                "a standby's slots and snapshots do not hold what the gateway relies on",
                "point source.url at the primary",
            );
        }
        if self.wal_level != "logical" {
            error(
                &codes::WAL_LEVEL,
                format!("wal_level is {}", self.wal_level),
                "rows can be read from the log only at the level logical",
                "ALTER SYSTEM SET wal_level = 'logical'; then restart the server",
            );
        }
        if self.keep == "-1" && !names.accept_unbounded_wal {
            error(
                &codes::UNBOUNDED_WAL,
                "max_slot_wal_keep_size is -1: a slot may keep log without bound".into(),
                "a gateway that is down for long would fill the server's disk and stop the application",
                "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf(); or write source.accept: [unbounded_wal]",
            );
        }
        if self.encoding == "SQL_ASCII" {
            error(
                &codes::ENCODING,
                "the database's encoding is SQL_ASCII".into(),
                "its bytes have no stated meaning as text",
                "move the data to a database with a stated encoding",
            );
        }
        if self.free_slots <= 0 && slot.is_none() {
            error(
                &codes::NO_FREE_SLOT,
                "no replication slot is free".into(),
                "the gateway needs one of its own",
                "raise max_replication_slots and restart the server, or drop a slot that nobody needs",
            );
        }
        // Where another instance has the slot, its walsender becomes ours.
        if self.free_senders <= 0 && slot.is_none_or(|s| s.active_pid.is_none()) {
            error(
                &codes::NO_FREE_SLOT,
                "no walsender is free".into(),
                "the gateway needs one of its own",
                "raise max_wal_senders and restart the server",
            );
        }
        if !self.may_replicate {
            // A managed service may let a role replicate by membership alone: said, not refused.
            out.push(
                Finding::warning(
                    &codes::MAY_NOT_REPLICATE,
                    Place::Source(format!("role {}", self.role)),
                    "the role has not the attribute REPLICATION",
                )
                .because(
                    "where the service does not allow it by membership, the connection is refused",
                )
                .remedy(replication(&self.role)),
            );
        }
        out
    }
}

/// The statement that lets a role replicate.
pub(crate) fn replication(role: &str) -> String {
    format!("ALTER ROLE {} REPLICATION", sql::identifier(role))
}

#[cfg(test)]
mod tests {
    use super::super::slot;
    use super::*;

    fn fit() -> Server {
        Server {
            version: 150_004,
            standby: false,
            wal_level: "logical".into(),
            keep: "50GB".into(),
            encoding: "UTF8".into(),
            role: "on\"ramp".into(),
            may_replicate: true,
            free_slots: 1,
            free_senders: 1,
        }
    }

    fn ids(server: &Server, names: &Names, slot: Option<&Slot>) -> Vec<&'static str> {
        server
            .judge(names, slot)
            .iter()
            .map(|f| f.code.id)
            .collect()
    }

    #[test]
    fn each_fault_of_a_server_is_found_by_itself() {
        let mut names = crate::tests::names();
        assert!(ids(&fit(), &names, None).is_empty());
        type Spoil = fn(&mut Server);
        let cases: [(&str, Spoil); 8] = [
            ("ONR-404", |s| s.version = 140_011),
            ("ONR-405", |s| s.standby = true),
            ("ONR-406", |s| s.wal_level = "replica".into()),
            ("ONR-407", |s| s.keep = "-1".into()),
            ("ONR-408", |s| s.encoding = "SQL_ASCII".into()),
            ("ONR-409", |s| s.may_replicate = false),
            ("ONR-410", |s| s.free_slots = 0),
            ("ONR-410", |s| s.free_senders = 0),
        ];
        for (id, spoil) in cases {
            let mut server = fit();
            spoil(&mut server);
            assert_eq!(ids(&server, &names, None), [id]);
        }
        names.accept_unbounded_wal = true;
        let unbounded = Server {
            keep: "-1".into(),
            ..fit()
        };
        assert!(ids(&unbounded, &names, None).is_empty());
    }

    #[test]
    fn the_gateways_own_slot_and_walsender_are_not_missed() {
        let names = crate::tests::names();
        let full = Server {
            free_slots: 0,
            free_senders: 0,
            ..fit()
        };
        let mut own = slot::tests::slot();
        assert_eq!(ids(&full, &names, Some(&own)), ["ONR-410"]);
        own.active_pid = Some(7);
        assert!(ids(&full, &names, Some(&own)).is_empty());
    }

    #[test]
    fn the_statement_names_the_role() {
        assert_eq!(
            replication("on\"ramp"),
            "ALTER ROLE \"on\"\"ramp\" REPLICATION"
        );
    }
}
