//! Products that read one table together, from the same place.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use onramp_connector::{Bound, ChunkTable};
use onramp_event::RouteId;
use onramp_publisher::HistoryRecord;
use onramp_translator::TableMapping;

use super::pieces::ReadChunk;
use super::stage;

/// Up to where ranges were handed out.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    pub(super) after: Option<Bound>,
    pub(super) exhausted: bool,
}

/// Products of one table whose runs stand at the same key.
pub(super) struct Group {
    /// Its index among the runs.
    pub(super) index: usize,
    /// What is read.
    pub(super) table: ChunkTable,
    /// What it becomes.
    pub(super) mapping: TableMapping,
    /// The run's id, for headers.
    pub(super) run: String,
    /// A reading counts only if it sees everything numbered below.
    pub(super) floor: u64,
    /// Rows that the source counted, roughly.
    pub(super) estimate: Option<u64>,
    /// Where its first chunk begins.
    pub(super) begins: Option<Bound>,
    pub(super) cursor: tokio::sync::Mutex<Cursor>,
    began: Instant,
    /// By product; the same place in each.
    records: Mutex<Vec<(String, HistoryRecord)>>,
}

impl Group {
    pub(super) fn new(
        index: usize,
        table: ChunkTable,
        mapping: TableMapping,
        records: Vec<(String, HistoryRecord)>,
        floor: u64,
        estimate: Option<u64>,
    ) -> Group {
        let first = records.first().map(|(_, record)| record);
        let after = first.and_then(|record| record.after.clone()).map(Bound);
        Group {
            index,
            table,
            mapping,
            run: first.map_or_else(String::new, |record| record.run.clone()),
            floor,
            estimate,
            begins: after.clone(),
            cursor: tokio::sync::Mutex::new(Cursor {
                after,
                ..Cursor::default()
            }),
            began: Instant::now(),
            records: Mutex::new(records),
        }
    }

    /// The routes of its products.
    pub(super) fn routes(&self) -> impl Iterator<Item = RouteId> {
        self.mapping.products.iter().map(|mapped| mapped.route)
    }

    /// Takes note of a chunk that is published now, and gives the records that say so.
    pub(super) fn released(&self, chunk: &ReadChunk, done: bool) -> Vec<(String, String)> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes = Vec::with_capacity(records.len());
        for (product, record) in records.iter_mut() {
            record.rows += u64::from(chunk.read.rows);
            record.stage = stage(done);
            record.after = if done {
                None
            } else {
                chunk.reached().map(|bound| bound.0.clone())
            };
            notes.push(record.note(product));
            metrics::gauge!("onramp_history_rows", "product" => product.clone())
                .set(record.rows as f64);
            metrics::gauge!("onramp_history_running", "product" => product.clone()).set(if done {
                0.0
            } else {
                1.0
            });
            if done {
                tracing::info!(
                    %product,
                    rows = record.rows,
                    seconds = self.began.elapsed().as_secs_f64(),
                    "history is published"
                );
            }
        }
        notes
    }
}
