//! A run over the rows that a product's table had already, as progress knows it.
//!
//! One record a product under `history/<product>`, written in the Kafka transaction of the events
//! that it covers: a run goes on behind the last key that was published.

use serde::{Deserialize, Serialize};

use crate::progress::FORMAT;

pub(crate) const HISTORY_KEY: &str = "history/";

/// Why a run was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The product is new.
    New,
    /// Its mapping changed, and its file says `on_mapping_change: backfill`.
    Mapping,
    /// `onramp backfill`.
    Command,
    /// `onramp recover`: a part of the log was lost.
    Recovery,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Rows are being read and published.
    Reading,
    /// All rows are published; keys that the table no longer has are being looked for.
    Reconciling,
    /// Everything is published.
    Done,
}

/// A product's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// The format of this record.
    pub format: u32,
    /// The run's id: new for every run.
    pub run: String,
    /// Why it was begun.
    pub cause: Cause,
    /// How far it is.
    pub stage: Stage,
    /// The columns that rows are read by, each with what its order rests on; empty before the first
    /// chunk.
    pub key: Vec<String>,
    /// The last key published, in the source's own text; absent before the first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<String>>,
    /// Of a product of several tables: those whose rows are all published, in this run or before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The tables that are still to be read, in order; `key` and `after` speak of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Rows read so far.
    pub rows: u64,
    /// A further condition on rows, where only a part is published again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Whether keys that the table no longer has get tombstones in the end.
    #[serde(default)]
    pub reconcile: bool,
    /// Where the topic's partitions ended when the run was begun: a key that has no event behind it
    /// when all rows are published is one that the table no longer has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topic_ends: Vec<i64>,
}

impl HistoryRecord {
    /// A run that has read nothing yet.
    pub fn begin(run: String, cause: Cause) -> HistoryRecord {
        HistoryRecord {
            format: FORMAT,
            run,
            cause,
            stage: Stage::Reading,
            key: Vec::new(),
            after: None,
            tables: Vec::new(),
            left: Vec::new(),
            rows: 0,
            filter: None,
            reconcile: false,
            topic_ends: Vec::new(),
        }
    }

    /// The record of progress, key and value.
    pub fn note(&self, product: &str) -> (String, String) {
        let value = serde_json::to_string(self).unwrap_or_default();
        (format!("{HISTORY_KEY}{product}"), value)
    }
}
