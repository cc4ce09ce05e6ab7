//! Products that read one table together, from the same place.

use std::time::{Duration, Instant};

use onramp_connector::{ChunkTable, TableEstimate};
use onramp_publisher::{HistoryRecord, Stage};
use onramp_translator::TableMapping;

use super::pieces::ReadChunk;
use super::ranges::Cursor;
use crate::health::{Board, HistoryShown};

/// How often the log says how far a run is.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// How long chunks are published before their rate is taken for the run's.
const SAMPLED_FOR: Duration = Duration::from_secs(2);

/// Products of one table whose runs stand at the same key: what their readers need.
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
    pub(super) cursor: tokio::sync::Mutex<Cursor>,
}

/// A group whose table was opened.
pub(super) struct Opened {
    pub(super) group: Group,
    pub(super) records: Vec<(String, HistoryRecord)>,
    pub(super) estimate: TableEstimate,
}

impl Group {
    /// The products that read it.
    pub(super) fn products(&self) -> Vec<String> {
        let products = self.mapping.products.iter();
        products.map(|m| m.product.name.value.to_string()).collect()
    }

    pub(super) fn new(table: ChunkTable, mapping: TableMapping, floor: u64) -> Group {
        Group {
            index: 0,
            table,
            mapping,
            run: String::new(),
            floor,
            cursor: tokio::sync::Mutex::default(),
        }
    }
}

/// What a group's runs are at: its products' records, told to whoever looks.
pub(super) struct Records {
    /// By product; the same place in each.
    records: Vec<(String, HistoryRecord)>,
    estimate: TableEstimate,
    board: Board,
    began: Instant,
    rows_before: u64,
    told: Instant,
    /// Whether it was said what the run is expected to take.
    expected: bool,
}

impl Records {
    pub(super) fn new(
        records: Vec<(String, HistoryRecord)>,
        estimate: TableEstimate,
        board: Board,
    ) -> Records {
        let now = Instant::now();
        let this = Records {
            rows_before: records.first().map_or(0, |(_, record)| record.rows),
            records,
            estimate,
            board,
            began: now,
            told: now,
            expected: false,
        };
        this.show();
        this
    }

    /// Products and their runs.
    pub(super) fn all(&self) -> &[(String, HistoryRecord)] {
        &self.records
    }

    /// Takes note of a chunk that is published now, and gives the records that say so.
    pub(super) fn released(&mut self, chunk: &ReadChunk, done: bool) -> Vec<(String, String)> {
        let reached = chunk.reached();
        for (product, record) in &mut self.records {
            record.rows += u64::from(chunk.read.rows);
            record.after = reached.as_ref().map(|bound| bound.0.clone());
            if done && let Some(table) = (!record.left.is_empty()).then(|| record.left.remove(0)) {
                tracing::info!(%product, table, rows = record.rows, "every row of the table is published");
                // A part of its rows was read again: all of them were published before.
                if !record.tables.contains(&table) {
                    record.tables.push(table);
                }
                record.key.clear();
            }
            if done && record.left.is_empty() {
                record.stage = if record.reconcile {
                    Stage::Reconciling
                } else {
                    Stage::Done
                };
                tracing::info!(
                    %product,
                    rows = record.rows,
                    seconds = self.began.elapsed().as_secs_f64(),
                    "every row is published"
                );
            }
        }
        self.told()
    }

    /// Everything is published, ghosts too: the record that says so.
    pub(super) fn reconciled(&mut self, product: &str) -> Vec<(String, String)> {
        for (name, record) in &mut self.records {
            if name == product {
                record.stage = Stage::Done;
            }
        }
        self.told()
    }

    fn told(&mut self) -> Vec<(String, String)> {
        let notes: Vec<_> = self.records.iter().map(|(p, r)| r.note(p)).collect();
        for ((product, record), (_, note)) in self.records.iter().zip(&notes) {
            let shown = self.shown(record);
            self.board.history_released(product, note.clone(), shown);
        }
        if !self.expected && self.began.elapsed() >= SAMPLED_FOR {
            self.expected = true;
            self.tell_expected();
        }
        if self.told.elapsed() >= TOLD_EVERY {
            self.told = Instant::now();
            for (product, record) in &self.records {
                let shown = self.shown(record);
                tracing::info!(
                    %product,
                    rows = record.rows,
                    of_about = self.estimate.rows,
                    rows_per_second = shown.rows_per_second() as u64,
                    seconds_left = shown.seconds_left().map(|s| s as u64),
                    "history goes on"
                );
            }
        }
        notes
    }

    /// What the run will take, at the rate of its own first chunks: published ones, so that Kafka's
    /// share and that of live changes are in it, and the source reads nothing for it.
    fn tell_expected(&self) {
        let log = self.board.told().log;
        for (product, record) in self
            .records
            .iter()
            .filter(|(_, r)| r.stage == Stage::Reading)
        {
            let shown = self.shown(record);
            tracing::info!(
                %product,
                rows = self.estimate.rows,
                bytes = self.estimate.bytes,
                rows_per_second = shown.rows_per_second() as u64,
                seconds = shown.seconds_left().map(|s| s as u64),
                log_written_bytes = shown.log_bytes(log.as_ref()).map(|b| b as u64),
                log_kept_bytes = log.map(|l| l.kept.bytes),
                log_room_bytes = log.and_then(|l| l.kept.room_bytes),
                "history is expected to take so long; the slot moves on meanwhile"
            );
        }
    }

    fn shown(&self, record: &HistoryRecord) -> HistoryShown {
        HistoryShown {
            record: record.clone(),
            rows_estimate: self.estimate.rows,
            bytes_estimate: Some(self.estimate.bytes),
            rows_in_this_run: record.rows.saturating_sub(self.rows_before),
            since: self.began,
        }
    }

    fn show(&self) {
        for (product, record) in &self.records {
            self.board.history(product, self.shown(record));
        }
    }
}
