//! Who holds locks on a table that a lock of our own would have to wait for.

use onramp_connector::Ident;
use onramp_finding::Failure;
use tokio_postgres::Row;

use super::session::Session;

/// What a change to the publication takes on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// ALTER PUBLICATION's own: writers pass.
    ShareUpdateExclusive,
    /// Taken before it where changes are being decoded. A transaction that wrote to a table before
    /// and goes on after would be decoded in part, and servers before 15.13, 16.9 and 17.5 would
    /// take the table for unpublished from then on. So writers are waited for, no longer than a
    /// try lasts. Where there is no slot yet, making one waits for writers anyway.
    ShareRowExclusive,
}

impl Lock {
    /// What adding a table takes, where a slot is there to decode it or not.
    pub(crate) fn to_add(decoding: bool) -> Lock {
        match decoding {
            true => Lock::ShareRowExclusive,
            false => Lock::ShareUpdateExclusive,
        }
    }

    /// The tables that it is taken on by a statement of its own.
    pub(crate) fn on(self, tables: &[Ident]) -> &[Ident] {
        match self {
            Lock::ShareUpdateExclusive => &[],
            Lock::ShareRowExclusive => tables,
        }
    }

    /// What it waits for ("Conflicting Lock Modes" in the documentation).
    fn conflicts(self) -> &'static [&'static str] {
        const ALL: [&str; 6] = [
            "ShareUpdateExclusiveLock",
            "ShareLock",
            "ShareRowExclusiveLock",
            "ExclusiveLock",
            "AccessExclusiveLock",
            "RowExclusiveLock",
        ];
        match self {
            Lock::ShareUpdateExclusive => &ALL[..5],
            Lock::ShareRowExclusive => &ALL,
        }
    }
}

// Every role may see locks; since when a transaction is open is shown to its owner and to members
// of pg_read_all_stats alone. The transaction's virtual number tells one of a session from the next;
// a prepared one may still go by that of its session, or by none, so its lock on its own number says
// which it is.
const HOLDERS: &str = "
SELECT DISTINCT p.gid, l.virtualtransaction, l.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, ''),
       to_char(coalesce(p.prepared, a.xact_start), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (pg_locks o JOIN pg_prepared_xacts p ON p.transaction = o.transactionid)
       ON l.pid IS NULL AND o.pid IS NULL AND o.locktype = 'transactionid'
      AND o.virtualtransaction = l.virtualtransaction
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND l.mode = ANY ($3::text[])
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND n.nspname = $1::text AND c.relname = $2::text AND l.pid IS DISTINCT FROM pg_backend_pid()
 ORDER BY 5, 2";

/// The transactions that hold what `lock` would wait for, the oldest first, for people to read.
pub(crate) async fn holders(
    session: &Session,
    table: &Ident,
    lock: Lock,
) -> Result<Vec<String>, Failure> {
    let rows = session
        .query(
            HOLDERS,
            &[&table.schema, &table.table, &lock.conflicts().to_vec()],
        )
        .await?;
    Ok(rows.iter().map(tell).collect())
}

fn tell(row: &Row) -> String {
    let since = row.get::<_, Option<&str>>(4);
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    if let Some(gid) = row.get::<_, Option<&str>>(0) {
        return format!("the transaction prepared as {gid}{since}");
    }
    let number: &str = row.get(1);
    let Some(pid) = row.get::<_, Option<i32>>(2) else {
        return format!("transaction {number}");
    };
    let application = match row.get::<_, &str>(3) {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    format!("transaction {number} of process {pid}{application}, open{since}")
}

/// Whether any of those that were in the way still is: then a lock would be waited for in vain, and
/// everybody who comes after it would wait as well.
pub(crate) fn still(before: &[String], now: &[String]) -> bool {
    now.iter().any(|holder| before.contains(holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_worth_trying_once_those_in_the_way_have_gone() {
        let of = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let old = of(&["transaction 3/17 of process 7, open"]);
        assert!(still(&old, &old));
        assert!(still(&old, &of(&["another", &old[0]])));
        // Another transaction of the same process is another matter: it may be a short one.
        assert!(!still(&old, &of(&["transaction 3/18 of process 7, open"])));
        assert!(!still(&old, &[]));
        assert!(!still(&[], &old));
    }

    #[test]
    fn writers_stand_in_the_way_only_of_the_stronger_lock() {
        let writers = "RowExclusiveLock";
        assert!(Lock::to_add(true).conflicts().contains(&writers));
        assert!(!Lock::to_add(false).conflicts().contains(&writers));
    }
}
