//! Snapshots as the server tells them, and who is still open below a number.

use std::sync::Arc;

use onramp_connector::Visibility;
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

use crate::catalogue::session::Session;
use crate::stream::{Followed, HISTORY, Numbers, near};

/// A `pg_snapshot`: which transactions are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Every transaction below has ended.
    xmin: u64,
    /// No transaction from here on had begun.
    xmax: u64,
    /// Those between that were open, ascending. Prepared ones are, until COMMIT PREPARED.
    open: Vec<u64>,
}

impl Snapshot {
    /// Reads `xmin:xmax:xip,xip`.
    pub(super) fn parse(text: &str) -> Option<Snapshot> {
        let mut parts = text.split(':');
        let mut number = || parts.next()?.parse().ok();
        let (xmin, xmax): (u64, u64) = (number()?, number()?);
        let mut open = Vec::new();
        for xip in parts.next()?.split(',').filter(|xip| !xip.is_empty()) {
            open.push(xip.parse().ok()?);
        }
        open.sort_unstable();
        let within = open.iter().all(|xip| (xmin..xmax).contains(xip));
        (parts.next().is_none() && xmin <= xmax && within).then_some(Snapshot { xmin, xmax, open })
    }
}

impl Visibility for Snapshot {
    fn sees(&self, number: u64) -> bool {
        number < self.xmin || (number < self.xmax && self.open.binary_search(&number).is_err())
    }

    fn horizon(&self) -> u64 {
        self.xmin
    }

    fn next(&self) -> u64 {
        self.xmax
    }
}

/// A snapshot, and how far transactions had begun when it was taken.
///
/// A snapshot's xmax is one past the last transaction that has *ended*: on a server where nothing
/// ended since, transactions from there on are open and have written. A reading whose xmin only
/// reaches that xmax may lack them, though they wrote before; so their own locks are asked for.
/// A number that has no lock yet has written nothing. And they are asked for *before* the snapshot
/// is taken: a transaction that ends between the two is ended for the snapshot, whereas one that
/// ended between a snapshot and its locks would be in neither.
#[derive(Debug)]
struct Moment {
    snapshot: Snapshot,
    next: u64,
}

impl Visibility for Moment {
    fn sees(&self, number: u64) -> bool {
        self.snapshot.sees(number)
    }

    fn horizon(&self) -> u64 {
        self.snapshot.horizon()
    }

    fn next(&self) -> u64 {
        self.next
    }
}

const BEGUN: &str = "
SELECT transactionid::text FROM pg_locks
 WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted";
const MOMENT: &str = "SELECT pg_is_in_recovery(), pg_current_snapshot()::text";

/// What a snapshot taken now sees.
pub(crate) async fn visibility(
    session: &Session,
    numbers: &Numbers,
    followed: &Followed,
) -> Result<Arc<dyn Visibility>, Failure> {
    // Two statements, since each has a snapshot of its own, taken when it starts.
    let open = session.query(BEGUN, &[]).await?;
    let row = session.one(&format!("{MOMENT}, {HISTORY}"), &[]).await?;
    followed.check(row.get(2))?;
    let snapshot = judge(row.get(0), row.get(1))?;
    let begun = open
        .iter()
        .filter_map(|row| row.get::<_, &str>(0).parse().ok())
        .map(|xid| near(snapshot.xmax, xid) + 1);
    let next = begun.fold(snapshot.xmax, u64::max);
    numbers.reached(next);
    Ok(Arc::new(Moment { snapshot, next }))
}

/// A snapshot that can be relied on.
pub(super) fn judge(standby: bool, text: &str) -> Result<Snapshot, Failure> {
    if standby {
        return Err(Failure::stop(
            Kind::Source,
            Finding::error(
                &codes::STANDBY,
                Place::Source("server".into()),
                "the server is a standby",
            )
            .because("its snapshots do not say which transactions they see")
            .remedy(codes::STANDBY.remedy),
        ));
    }
    Snapshot::parse(text).ok_or_else(|| {
        Failure::stop(
            Kind::Source,
            Finding::error(
                &codes::STATEMENT_FAILED,
                Place::Source("server".into()),
                "the server's snapshot is not understood",
            )
            .because("it is not two numbers and a list of those between")
            .remedy("report the server's version"),
        )
    })
}

// A transaction that has a number holds a lock on it, and every role may see locks; what its
// session is called is shown to members of pg_read_all_stats alone. A transaction and its own
// subtransactions go by one virtual number.
const OPEN: &str = "
SELECT pg_snapshot_xmax(pg_current_snapshot())::text, l.transactionid::text, l.virtualtransaction,
       p.gid, l.pid, a.application_name, coalesce(a.wait_event = 'SyncRep', false),
       to_char(coalesce(p.prepared, a.xact_start), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
  FROM pg_locks l
  LEFT JOIN pg_prepared_xacts p ON p.transaction = l.transactionid
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted";

/// The transactions below a number that are not over, for people to read.
pub(crate) async fn waits_for(session: &Session, number: u64) -> Result<Vec<String>, Failure> {
    let rows = session.query(OPEN, &[]).await?;
    let mut open: Vec<(u64, &tokio_postgres::Row)> = rows
        .iter()
        .filter_map(|row| {
            let (xmax, xid): (&str, &str) = (row.get(0), row.get(1));
            let number = near(xmax.parse().ok()?, xid.parse().ok()?);
            Some((number, row))
        })
        .filter(|(own, _)| *own < number)
        .collect();
    open.sort_by_key(|(own, _)| *own);
    let mut told: Vec<&str> = Vec::new();
    open.retain(|(_, row)| {
        let transaction = row.get(2);
        let new = !told.contains(&transaction);
        told.push(transaction);
        new
    });
    Ok(open.iter().map(|(own, row)| tell(*own, row)).collect())
}

/// The transactions that a process waits for now, for people to read.
pub(crate) async fn waited_for_by(session: &Session, pid: i32) -> Result<Vec<String>, Failure> {
    const WAITED_FOR: &str = "SELECT transactionid::text FROM pg_locks
        WHERE pid = $1 AND locktype = 'transactionid' AND NOT granted";
    let waited = session.query(WAITED_FOR, &[&pid]).await?;
    let waited: Vec<&str> = waited.iter().map(|row| row.get(0)).collect();
    let rows = session.query(OPEN, &[]).await?;
    let held = rows.iter().filter(|row| waited.contains(&row.get(1)));
    let tell = |row: &tokio_postgres::Row| {
        let (xmax, xid): (&str, &str) = (row.get(0), row.get(1));
        let number = near(xmax.parse().ok()?, xid.parse().ok()?);
        Some(tell(number, row))
    };
    Ok(held.filter_map(tell).collect())
}

fn tell(number: u64, row: &tokio_postgres::Row) -> String {
    let since = row.get::<_, Option<&str>>(7);
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    if let Some(gid) = row.get::<_, Option<&str>>(3) {
        return format!("transaction {number}, prepared as {gid}{since}");
    }
    let Some(pid) = row.get::<_, Option<i32>>(4) else {
        return format!("transaction {number}");
    };
    let application = match row.get::<_, Option<&str>>(5) {
        None | Some("") => String::new(),
        Some(name) => format!(" ({name})"),
    };
    let standby = match row.get(6) {
        true => ", its commit waiting for a standby",
        false => "",
    };
    format!("transaction {number} of process {pid}{application}, open{since}{standby}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_and_what_comes_later_is_not_seen() {
        let snapshot = Snapshot::parse("4294967300:4294967310:4294967305,4294967300").unwrap();
        let seen: Vec<u64> = (4_294_967_298..4_294_967_312)
            .filter(|n| snapshot.sees(*n))
            .map(|n| n - 4_294_967_296)
            .collect();
        assert_eq!(seen, [2, 3, 5, 6, 7, 8, 10, 11, 12, 13]);
        assert_eq!(
            (snapshot.horizon(), snapshot.next()),
            (4_294_967_300, 4_294_967_310)
        );
        assert!(Snapshot::parse("10:10:").unwrap().sees(9));
        assert!(!Snapshot::parse("10:10:").unwrap().sees(10));
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        for wrong in [
            "", "1", "1:2", "2:1:", "1:2:3", "1:9:x", "1:9:3:4", "-1:2:", "a:b:",
        ] {
            assert_eq!(Snapshot::parse(wrong), None, "{wrong}");
        }
        assert!(judge(false, "1:2").is_err());
        let standby = judge(true, "10:10:").unwrap_err();
        assert_eq!(standby.findings[0].code.id, codes::STANDBY.id);
    }
}
