//! A run over the rows that a product's table had already, as progress knows it.
//!
//! One record a product under `history/<product>`, written in the Kafka transaction of the events
//! that it covers: a run goes on behind the last key that was published.

use std::collections::BTreeMap;

use onramp_event::RowName;
use serde::{Deserialize, Serialize};

use crate::progress::FORMAT;

pub(crate) const HISTORY_KEY: &str = "history/";

/// What pages of [`LiveRows`] stand under: `live/<product>/<page>`.
pub(crate) const LIVE_KEY: &str = "live/";

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
    /// Under which rows are named that are to be told once, of facts and outboxes; empty else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub secret: String,
    /// Whether it was ended before every row was told, since the product's file no longer asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// How many rows' names a page holds: what is written anew for each commit that adds one.
const PAGE_ROWS: usize = 256;

/// Names of rows that the log brought while those that were there before are read, as progress keeps
/// them: in pages of [`PAGE_ROWS`], of which the last one is written again as it fills.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveRows {
    pages: BTreeMap<usize, Vec<RowName>>,
}

/// A page, as it is written.
#[derive(Serialize, Deserialize)]
struct Page {
    format: u32,
    rows: String,
}

impl LiveRows {
    /// Every name.
    pub fn rows(&self) -> impl Iterator<Item = &RowName> {
        self.pages.values().flatten()
    }

    /// One more, which is not there yet; the number of the page that it stands on.
    pub fn add(&mut self, row: RowName) -> usize {
        let last = self.pages.last_key_value();
        let at = match last {
            Some((at, rows)) if rows.len() < PAGE_ROWS => *at,
            Some((at, _)) => at + 1,
            None => 0,
        };
        self.pages.entry(at).or_default().push(row);
        at
    }

    /// Forgets what stands on pages that are full: they are not written again.
    pub fn keep_last(&mut self) {
        let last = self.pages.keys().next_back().copied();
        for (at, rows) in &mut self.pages {
            if Some(*at) != last {
                *rows = Vec::new();
            }
        }
    }

    /// A page's record of progress, key and value.
    pub fn note(&self, product: &str, page: usize) -> (String, String) {
        let rows = self.pages.get(&page).into_iter().flatten().flatten();
        let page_rows = Page {
            format: FORMAT,
            rows: rows.map(|byte| format!("{byte:02x}")).collect(),
        };
        let value = serde_json::to_string(&page_rows).unwrap_or_default();
        (format!("{LIVE_KEY}{product}/{page}"), value)
    }

    /// The records that take every page away.
    pub fn gone(&self, product: &str) -> Vec<(String, String)> {
        let keys = self.pages.keys();
        keys.map(|page| (format!("{LIVE_KEY}{product}/{page}"), String::new()))
            .collect()
    }

    /// Takes a page as progress has it, or its end; None where it is no page.
    pub(crate) fn read(&mut self, page: &str, value: Option<&[u8]>) -> Option<()> {
        let page = page.parse().ok()?;
        let Some(value) = value else {
            self.pages.remove(&page);
            return Some(());
        };
        let written: Page = serde_json::from_slice(value).ok()?;
        let digits = written.rows.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let bytes = bytes?;
        let (rows, rest) = bytes.as_chunks();
        rest.is_empty().then_some(())?;
        self.pages.insert(page, rows.to_vec());
        Some(())
    }
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
            secret: String::new(),
            given_up: false,
        }
    }

    /// The record of progress, key and value.
    pub fn note(&self, product: &str) -> (String, String) {
        let value = serde_json::to_string(self).unwrap_or_default();
        (format!("{HISTORY_KEY}{product}"), value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_from_their_pages_and_go_with_them() {
        let mut rows = LiveRows::default();
        let name = |n: usize| {
            let mut name = RowName::default();
            name[..8].copy_from_slice(&n.to_le_bytes());
            name
        };
        let pages: Vec<usize> = (0..=PAGE_ROWS).map(|n| rows.add(name(n))).collect();
        assert_eq!(
            (pages[0], pages[PAGE_ROWS - 1], pages[PAGE_ROWS]),
            (0, 0, 1)
        );
        let mut back = LiveRows::default();
        for page in [0, 1] {
            let (key, value) = rows.note("commerce.orders.v1", page);
            assert_eq!(key, format!("live/commerce.orders.v1/{page}"));
            back.read(&page.to_string(), Some(value.as_bytes()))
                .unwrap();
        }
        assert_eq!(back, rows);
        rows.keep_last();
        assert_eq!(rows.rows().count(), 1);
        assert_eq!(
            rows.note("commerce.orders.v1", 1),
            back.note("commerce.orders.v1", 1)
        );
        assert_eq!(back.add(name(PAGE_ROWS + 1)), 1, "the last page goes on");
        for (key, value) in rows.gone("commerce.orders.v1") {
            assert_eq!(value, "");
            let page = key.rsplit_once('/').unwrap().1;
            back.read(page, None).unwrap();
        }
        assert_eq!(back, LiveRows::default());
        for wrong in [
            r#"{"format":1,"rows":"0"}"#,
            r#"{"format":1,"rows":"zz"}"#,
            r#"{"format":1,"rows":"00"}"#,
        ] {
            assert_eq!(back.read("0", Some(wrong.as_bytes())), None, "{wrong}");
        }
    }
}
