//! How a table is split into ranges and read one after the other, whatever is made of the rows: by a
//! run of history, and by a dry run that reads whole tables.

use std::time::Duration;

use onramp_connector::{Bound, ChunkLimits, ChunkRange, TableReader};
use onramp_finding::codes::source;
use onramp_finding::{Failure, Finding};

use crate::cli::one_line;

/// The pauses before a reading is tried again.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(20);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Up to where a table's ranges were handed out.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    pub(crate) after: Option<Bound>,
    pub(crate) exhausted: bool,
}

impl Cursor {
    /// The next range of about so many rows; None where all were handed out.
    pub(crate) async fn hand_out(
        &mut self,
        table: &mut dyn TableReader,
        rows: u32,
    ) -> Result<Option<ChunkRange>, Failure> {
        if self.exhausted {
            return Ok(None);
        }
        let until = table.bound(self.after.as_ref(), rows).await?;
        let after = std::mem::replace(&mut self.after, until.clone());
        self.exhausted = until.is_none();
        Ok(Some(ChunkRange { after, until }))
    }
}

/// What bounds a chunk, by `snapshot.chunk_rows` and `limits.chunk`.
pub(crate) fn limits(rows: u32, bytes: usize) -> ChunkLimits {
    ChunkLimits {
        rows,
        bytes,
        record_bytes: bytes,
    }
}

/// What a limit left of a range.
pub(crate) fn rest(range: &ChunkRange, last: Bound) -> ChunkRange {
    ChunkRange {
        after: Some(last),
        until: range.until.clone(),
    }
}

/// After a failure that may pass: waits a little, and longer the next time.
pub(crate) async fn pause(failure: Failure, pause: &mut Duration) -> Result<(), Failure> {
    // Behind another key the places of this run mean nothing, and on another server its numbers:
    // it is begun again.
    let anew = [&source::READING_KEY_CHANGED, &source::READ_ELSEWHERE];
    let other = |f: &Finding| anew.contains(&f.code);
    if !failure.retry || failure.findings.iter().any(other) {
        return Err(failure);
    }
    tracing::warn!(why = %one_line(&failure), "a chunk is read again");
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
    Ok(())
}
