//! How a chunk's transaction begins: what it sees, and where the log stood then.

use std::sync::Arc;

use onramp_connector::Visibility;
use onramp_finding::Failure;

use super::client::Texts;
use super::snapshot;
use crate::lsn::Lsn;
use crate::stream::{Followed, HISTORY};

/// What is selected first of all. The snapshot is the transaction's own; the position is read after
/// it was taken, so every commit that it sees lies before.
const OPENING: &str = "pg_is_in_recovery()::text, pg_current_snapshot()::text,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END::text,
    current_setting('wal_block_size'), pg_size_bytes(current_setting('wal_segment_size'))::text";
/// The columns behind them: which history that is, and the table's mark.
const HERE: usize = 5;
const MARK: usize = 6;

/// The select list, with the expression of a table's mark.
pub(super) fn opening(mark_sql: &str) -> String {
    format!("{OPENING}, {HISTORY}, {mark_sql}")
}

/// What that says.
pub(super) struct Opening {
    pub(super) visibility: Arc<dyn Visibility>,
    pub(super) passed: Lsn,
    pub(super) mark: Option<String>,
}

impl Opening {
    pub(super) fn read(
        rows: &[Texts],
        followed: &Followed,
        strange: impl FnOnce() -> Failure,
    ) -> Result<Opening, Failure> {
        let row = rows.first().map(Vec::as_slice).unwrap_or_default();
        let text = |place: usize| row.get(place).and_then(Option::as_deref);
        followed.check(text(HERE))?;
        let standby = text(0) != Some("false");
        let snapshot = snapshot::judge(standby, text(1).unwrap_or_default())?;
        let number = |place: usize| text(place).and_then(|text| text.parse::<u64>().ok());
        let position = text(2).and_then(Lsn::parse);
        let (Some(position), Some(block), Some(segment)) = (position, number(3), number(4)) else {
            return Err(strange());
        };
        Ok(Opening {
            visibility: Arc::new(snapshot),
            passed: record_end(position, block, segment),
            mark: text(MARK).map(str::to_owned),
        })
    }
}

/// The place where the last record before an insert position ends, as the log itself counts it. At
/// a page's start the position lies behind the header that the next record will find there (24
/// bytes, 40 on a segment's first page), and no stream comes that far until there is a record.
fn record_end(position: Lsn, block_bytes: u64, segment_bytes: u64) -> Lsn {
    let within = |bytes: u64| position.0.checked_rem(bytes).unwrap_or(u64::MAX);
    if within(segment_bytes) == LONG_HEADER {
        Lsn(position.0 - LONG_HEADER)
    } else if within(block_bytes) == SHORT_HEADER && within(segment_bytes) != SHORT_HEADER {
        Lsn(position.0 - SHORT_HEADER)
    } else {
        position
    }
}

const SHORT_HEADER: u64 = 24;
const LONG_HEADER: u64 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_behind_a_pages_header_is_the_pages_start() {
        let end = |lsn| record_end(Lsn(lsn), 8192, 16 << 20).0;
        assert_eq!(end(0x100_2018), 0x100_2000);
        assert_eq!(end(0x100_2028), 0x100_2028);
        assert_eq!(end(0x200_0028), 0x200_0000);
        assert_eq!(end(0x200_0018), 0x200_0018);
        assert_eq!(end(0x200_1234), 0x200_1234);
        assert_eq!(record_end(Lsn(0x98), 0, 0), Lsn(0x98));
    }
}
