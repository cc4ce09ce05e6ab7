//! Gaps: stretches of the source's log that were lost before they were published.
//!
//! One record each under `gap/<n>` in progress. It is opened before anything is given up, closed in
//! the Kafka transaction that lets the gateway go on behind it, and never taken back: what consumers
//! were told stays on record.

use serde::{Deserialize, Serialize};

use crate::headers::rfc3339;
use crate::progress::FORMAT;

pub(crate) const GAP_KEY: &str = "gap/";

/// A gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRecord {
    /// The format of this record.
    pub format: u32,
    /// Up to here everything was published, in the source's own notation.
    pub from: String,
    /// From here on it is again; the same as `from` while the gap is open.
    pub to: String,
    /// Whether recovery has begun and not ended: what held the log may have been given up, and where
    /// the log goes on is not known yet. Nobody may stream meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Why the log between was lost, as it was found.
    pub reason: String,
    /// When it was recorded, RFC 3339.
    pub when: String,
    /// The products whose rows are published again because of it.
    pub products: Vec<String>,
    /// The products of facts that go on without what was lost, accepted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
}

impl GapRecord {
    /// A gap that is found now, and open.
    pub fn now(from: String, reason: String, products: Vec<String>) -> GapRecord {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_us = now.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
        GapRecord {
            format: FORMAT,
            to: from.clone(),
            from,
            open: true,
            reason,
            when: rfc3339(now_us),
            products,
            accepted: Vec::new(),
        }
    }

    /// The gap, now that the log goes on from a position.
    #[must_use]
    pub fn closed(self, to: String) -> GapRecord {
        GapRecord {
            to,
            open: false,
            ..self
        }
    }

    /// The record of progress, key and value.
    pub fn note(&self, number: u64) -> (String, String) {
        let value = serde_json::to_string(self).unwrap_or_default();
        (format!("{GAP_KEY}{number}"), value)
    }
}
