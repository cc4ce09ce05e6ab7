//! Progress: up to where everything is published, kept in Kafka beside the events themselves.
//!
//! One compacted topic a gateway, `onramp.<gateway>.progress`, of one partition, whose records
//! are JSON that people can read. The key `position` holds the position, written in each Kafka
//! transaction; `product/<name>` holds a product's state, written when it changes. Nothing is on
//! disk.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use serde::{Deserialize, Serialize};

use crate::client::Kafka;
use crate::gap::{GAP_KEY, GapRecord};
use crate::history::{HISTORY_KEY, HistoryRecord, LIVE_KEY, LiveRows};
use crate::reader::{self, Isolation};
use crate::topics::{Wanted, ensure_own};

/// The format that this program writes; it reads every earlier one.
pub const FORMAT: u32 = 1;

/// The key of the position's record.
pub(crate) const POSITION_KEY: &str = "position";

/// What is noted of a product's last replay: `replay/<product>`.
pub const REPLAY_KEY: &str = "replay/";

const PRODUCT_KEY: &str = "product/";

/// Where the source was read to, and which source it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionRecord {
    /// The format of this record.
    pub format: u32,
    /// The gateway that wrote it.
    pub gateway: String,
    /// The position, in the source's own notation.
    pub position: String,
    /// The source's identity; on PostgreSQL the system identifier and the database.
    pub system: String,
    /// The branch of its history; on PostgreSQL the timeline.
    pub branch: String,
    /// The process that wrote it.
    pub instance: String,
    /// When the last source transaction published had committed, RFC 3339; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_commit: Option<String>,
}

/// Whether a product's changes are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProductStatus {
    /// Published.
    Active,
    /// Published no more, on purpose.
    Retired,
}

/// A product as it was last published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductState {
    /// The format of this record.
    pub format: u32,
    /// The position from which it is published.
    pub from: String,
    /// A hash of its contract.
    pub contract_hash: String,
    /// A hash of its mapping.
    pub mapping_hash: String,
    /// Its topic's id; absent with brokers that give none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// Its topic's partition count, over which keys are spread.
    pub partitions: i32,
    /// The registry's id of the key's schema; absent where keys are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_schema_id: Option<i32>,
    /// The registry's id of the value's schema, of an entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_schema_id: Option<i32>,
    /// The same of each type of facts, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event_schema_ids: BTreeMap<String, i32>,
    /// The tables that it reads; empty in earlier versions' records, and where it reads messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Whether it is published.
    pub status: ProductStatus,
    /// What protects its values; absent where no key does, and in earlier versions' records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protected>,
}

/// The keys that a product's values were protected with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Protected {
    /// Every key that it ever had: its name, and a fingerprint of its secret.
    pub secrets: BTreeMap<String, String>,
    /// The key fields that are pseudonyms, and the key that these are made with.
    pub key_fields: BTreeMap<String, String>,
    /// The fields that something protects, by their paths, and the word for what.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// Everything a gateway's progress says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The position; None where only products' states were written, which does not happen.
    pub position: Option<PositionRecord>,
    /// The products' states, by name.
    pub products: BTreeMap<String, ProductState>,
    /// Their runs over rows that were there already, by the product's name.
    pub histories: BTreeMap<String, HistoryRecord>,
    /// The rows that the log brought while such a run is under way, by the product's name.
    pub live_rows: BTreeMap<String, LiveRows>,
    /// The gaps, by their numbers.
    pub gaps: BTreeMap<u64, GapRecord>,
    /// The offset after the last record of this reading, from which a later one goes on.
    next: i64,
}

/// The gateway's progress topic.
pub fn topic(gateway: &str) -> String {
    format!("onramp.{gateway}.progress")
}

/// Creates the progress topic where it is missing, else checks it.
///
/// Small young segments and an eager cleaner, so that a start reads little after a million
/// commits. One partition: its order is the order of commits.
pub fn ensure_topic(kafka: &Kafka, gateway: &str) -> Result<(), Failure> {
    ensure_own(kafka, small_compacted(kafka, topic(gateway)))
}

/// A compacted topic of one partition that is read whole at each start.
pub(crate) fn small_compacted(kafka: &Kafka, topic: String) -> Wanted {
    let insync = if kafka.settings.replication >= 3 {
        "2"
    } else {
        "1"
    };
    let settings = [
        ("cleanup.policy", "compact"),
        // The least that brokers allow, of late.
        ("segment.bytes", "1048576"),
        ("segment.ms", "600000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "600000"),
        // A tombstone and a transaction's marker outlive the slowest start, no more.
        ("delete.retention.ms", "600000"),
        ("min.insync.replicas", insync),
    ];
    Wanted {
        topic,
        product: String::new(),
        partitions: 1,
        settings: settings.map(|(k, v)| (k.into(), v.into())).into(),
    }
}

/// Reads progress without fencing anybody; None where there is none.
///
/// An earlier producer may still commit: what is read here is for comparing, not for streaming.
pub fn read(kafka: &Kafka, gateway: &str) -> Result<Option<Progress>, Failure> {
    let topic = topic(gateway);
    if !exists(kafka, &topic)? {
        return Ok(None);
    }
    collect(kafka, gateway, &topic, Progress::default())
}

/// Reads progress after [`crate::WaitingProducer::take_over`], so that nothing that an earlier
/// producer committed is missed; None where there is none.
///
/// A read-committed client's end is the last stable offset, which hides a newer record behind an
/// open transaction. So the end is asked for as read-uncommitted shows it, and waited for; what
/// is not settled at the deadline is refused.
///
/// `earlier` is what [`read`] gave before: what it has read is not read again.
pub fn read_settled(
    kafka: &Kafka,
    gateway: &str,
    earlier: Option<&Progress>,
    deadline: Duration,
) -> Result<Option<Progress>, Failure> {
    let topic = topic(gateway);
    if !exists(kafka, &topic)? {
        return Ok(None);
    }
    let started = Instant::now();
    let end = reader::end(kafka, &topic, Isolation::Uncommitted)?;
    let mut told = false;
    loop {
        let stable = reader::end(kafka, &topic, Isolation::Committed)?;
        if stable >= end {
            break;
        }
        if started.elapsed() >= deadline {
            return Err(unsettled(&topic, end, stable, deadline));
        }
        if !told {
            told = true;
            tracing::info!(
                topic,
                end,
                stable,
                "waiting for an open transaction to settle"
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // A topic that ends before what was read of it is another one.
    let earlier = earlier.filter(|e| e.next <= end).cloned();
    collect(kafka, gateway, &topic, earlier.unwrap_or_default())
}

fn unsettled(topic: &str, end: i64, stable: i64, deadline: Duration) -> Failure {
    let finding = Finding::error(
        &codes::PROGRESS_UNSTABLE,
        Place::Kafka(format!("topic {topic}")),
        format!(
            "progress ends at offset {end}, but only what is before {stable} is settled after {} s",
            deadline.as_secs()
        ),
    );
    Failure::stop(
        Kind::Broker,
        finding
            .because(codes::PROGRESS_UNSTABLE.reason)
            .remedy(format!(
                "kafka-transactions.sh find-hanging --topic {topic} --partition 0, then abort what it names"
            )),
    )
}

fn exists(kafka: &Kafka, topic: &str) -> Result<bool, Failure> {
    Ok(!crate::topics::existing(kafka, &[topic])?.is_empty())
}

/// Goes on from an earlier reading, or from nothing.
fn collect(
    kafka: &Kafka,
    gateway: &str,
    topic: &str,
    mut progress: Progress,
) -> Result<Option<Progress>, Failure> {
    // Of the positions the last one counts. Before the cleaner has been there they are many, and
    // only that one is understood.
    let mut last: Option<(i64, Vec<u8>)> = None;
    let mut any = progress.next > 0;
    let from = progress.next;
    let next = reader::read(kafka, topic, Isolation::Committed, from, |entry| {
        any = true;
        match (entry.key == POSITION_KEY.as_bytes(), entry.value) {
            (true, Some(value)) => {
                let (offset, kept) = last.get_or_insert_default();
                *offset = entry.offset;
                kept.clear();
                kept.extend_from_slice(value);
                Ok(())
            }
            (true, None) => {
                last = None;
                apply(&mut progress, gateway, topic, entry)
            }
            (false, _) => apply(&mut progress, gateway, topic, entry),
        }
    })?;
    if let Some((offset, value)) = &last {
        let entry = reader::Entry {
            offset: *offset,
            key: POSITION_KEY.as_bytes(),
            value: Some(value),
        };
        apply(&mut progress, gateway, topic, &entry)?;
    }
    progress.next = next;
    Ok(any.then_some(progress))
}

fn apply(
    progress: &mut Progress,
    gateway: &str,
    topic: &str,
    entry: &reader::Entry<'_>,
) -> Result<(), Failure> {
    let stop = |code, message: String| {
        Err(Failure::stop(
            Kind::Broker,
            Finding::error(code, Place::Kafka(format!("topic {topic}")), message),
        ))
    };
    let damaged = |what: &str| {
        stop(
            &codes::PROGRESS_DAMAGED,
            format!("the record at offset {} {what}", entry.offset),
        )
    };
    let Ok(key) = std::str::from_utf8(entry.key) else {
        return damaged("has a key that is no text");
    };
    let product = key.strip_prefix(PRODUCT_KEY);
    let history = key.strip_prefix(HISTORY_KEY);
    let gap = key.strip_prefix(GAP_KEY).map(str::parse::<u64>);
    let live = key
        .strip_prefix(LIVE_KEY)
        .and_then(|rest| rest.rsplit_once('/'));
    // A note that tells the one who wrote it that its transaction was committed.
    if key.starts_with(REPLAY_KEY) {
        return Ok(());
    }
    let Some(value) = entry.value else {
        if let Some(name) = history {
            progress.histories.remove(name);
            return Ok(());
        }
        if let Some((name, page)) = live {
            let rows = progress.live_rows.entry(name.to_owned()).or_default();
            if rows.read(page, None).is_none() {
                return damaged("is no page of rows");
            }
            return Ok(());
        }
        match product {
            Some(name) => drop(progress.products.remove(name)),
            None if key == POSITION_KEY => progress.position = None,
            None => {}
        }
        return Ok(());
    };
    // The format first: a newer record need not have the fields that this program knows.
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let Ok(Versioned { format }) = serde_json::from_slice(value) else {
        return damaged("is not one of ours");
    };
    if format > FORMAT {
        return stop(
            &codes::PROGRESS_NEWER,
            format!(
                "progress is of format {format}, this program knows up to {FORMAT} (offset {})",
                entry.offset
            ),
        );
    }
    if let Some(name) = history {
        return match serde_json::from_slice(value) {
            Ok(run) => {
                progress.histories.insert(name.to_owned(), run);
                Ok(())
            }
            Err(_) => damaged("is no run over a table"),
        };
    }
    if let Some((name, page)) = live {
        let rows = progress.live_rows.entry(name.to_owned()).or_default();
        return match rows.read(page, Some(value)) {
            Some(()) => Ok(()),
            None => damaged("is no page of rows"),
        };
    }
    if let Some(number) = gap {
        return match (number, serde_json::from_slice(value)) {
            (Ok(number), Ok(record)) => {
                progress.gaps.insert(number, record);
                Ok(())
            }
            _ => damaged("is no gap"),
        };
    }
    match product {
        Some(name) => match serde_json::from_slice(value) {
            Ok(state) => drop(progress.products.insert(name.to_owned(), state)),
            Err(_) => return damaged("is no product's state"),
        },
        None if key == POSITION_KEY => match serde_json::from_slice::<PositionRecord>(value) {
            Ok(position) if position.gateway == gateway => progress.position = Some(position),
            Ok(_) => return damaged("is another gateway's"),
            Err(_) => return damaged("is no position"),
        },
        None => return damaged("has a key that is not ours"),
    }
    Ok(())
}

/// A product's record, key and value.
pub(crate) fn product_record(name: &str, state: &ProductState) -> (String, String) {
    let value = serde_json::to_string(state).unwrap_or_default();
    (format!("{PRODUCT_KEY}{name}"), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(key: &'a str, value: &'a str) -> reader::Entry<'a> {
        reader::Entry {
            offset: 7,
            key: key.as_bytes(),
            value: Some(value.as_bytes()),
        }
    }

    fn code(key: &str, value: &str) -> &'static str {
        let mut progress = Progress::default();
        let failed = apply(
            &mut progress,
            "shop",
            "onramp.shop.progress",
            &entry(key, value),
        );
        failed.map_or_else(|f| f.findings[0].code.id, |()| "")
    }

    #[test]
    fn records_read_back_as_written_and_strangers_are_refused() {
        let position = r#"{"format":1,"gateway":"shop","position":"0/1","system":"7/shop","branch":"1","instance":"a"}"#;
        assert_eq!(code("position", position), "");
        assert_eq!(
            code("position", &position.replace("shop\",\"po", "bar\",\"po")),
            "ONR-512"
        );
        assert_eq!(code("position", r#"{"format":2,"anything":[]}"#), "ONR-511");
        assert_eq!(code("position", r#"{"format":1}"#), "ONR-512");
        assert_eq!(code("position", "hello"), "ONR-512");
        assert_eq!(code("else", position), "ONR-512");
        let state = ProductState {
            format: FORMAT,
            from: "0/1".into(),
            contract_hash: "c".into(),
            mapping_hash: "m".into(),
            topic_id: None,
            partitions: 6,
            key_schema_id: None,
            value_schema_id: Some(3),
            event_schema_ids: BTreeMap::new(),
            tables: Vec::new(),
            status: ProductStatus::Active,
            protection: None,
        };
        let (key, value) = product_record("commerce.orders.v1", &state);
        let mut progress = Progress::default();
        apply(&mut progress, "shop", "t", &entry(&key, &value)).unwrap();
        assert_eq!(progress.products["commerce.orders.v1"], state);
    }

    #[test]
    fn a_gap_stays_on_record() {
        let gap = GapRecord::now("0/1".into(), "slot gone".into(), Vec::new());
        let gap = gap.closed("0/9".into());
        let mut progress = Progress::default();
        for number in [1, 2] {
            let (key, value) = gap.note(number);
            apply(&mut progress, "shop", "t", &entry(&key, &value)).unwrap();
        }
        assert_eq!(progress.gaps[&1], gap);
        assert_eq!(progress.gaps.len(), 2);
        assert!(
            gap.when.starts_with("20") && gap.when.ends_with('Z'),
            "{}",
            gap.when
        );
        assert_eq!(code("gap/one", &gap.note(1).1), "ONR-512");
        assert_eq!(code("gap/1", r#"{"format":1}"#), "ONR-512");
    }
}
