//! What is in quarantine: rows that products could not carry, read from their topics; and the way
//! back, which is to read an entity's again from its table, and to make a fact's change again from its
//! record ([`rebuild`]).

pub(crate) mod rebuild;
mod replay;

use std::collections::{BTreeMap, HashMap, VecDeque};

use onramp_finding::Failure;
use onramp_language::{Gateway, Product};
use onramp_publisher::{Kafka, quarantine, rfc3339};
use serde_json::{Value, json};

use crate::run::{blocking, settings};

pub(crate) use replay::Rows;

/// Rows that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) product: String,
    pub(crate) code: String,
    pub(crate) field: String,
    pub(crate) reason: String,
    pub(crate) rows: u64,
    /// How many of them were replayed as facts.
    pub(crate) replayed: u64,
    /// The first and the last of them.
    pub(crate) first: End,
    pub(crate) last: End,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) offset: i64,
    /// In the source's log.
    pub(crate) position: String,
    /// When the source's transaction had committed, or the row was read.
    pub(crate) at: String,
}

impl Group {
    pub(crate) fn json(&self) -> Value {
        let end =
            |end: &End| json!({ "offset": end.offset, "position": end.position, "at": end.at });
        json!({
            "product": self.product,
            "code": self.code,
            "field": self.field,
            "reason": self.reason,
            "rows": self.rows,
            "replayed": self.replayed,
            "first": end(&self.first),
            "last": end(&self.last),
        })
    }
}

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) offset: i64,
    pub(crate) key: String,
    pub(crate) value: Value,
    /// When it was replayed last, as a fact.
    pub(crate) replayed: Option<String>,
}

impl Record {
    pub(crate) fn said(&self, name: &str) -> &str {
        self.value[name].as_str().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "offset": self.offset,
            "key": self.key,
            "replayed": self.replayed,
            "record": self.value,
        })
    }
}

/// Reads a product's quarantine, record by record: it may be larger than memory.
pub(crate) async fn each<S: Send + 'static>(
    gateway: &Gateway,
    product: &Product,
    mut state: S,
    mut take: impl FnMut(&mut S, Record) + Send + 'static,
) -> Result<S, Failure> {
    let Some(topic) = product.quarantine_topic() else {
        return Ok(state);
    };
    let kafka_settings = settings::kafka(gateway)?;
    blocking(move || {
        let kafka = Kafka::connect(kafka_settings)?;
        let mut replayed = HashMap::new();
        quarantine::read(&kafka, &topic, |kept| {
            if let Some((offset, at)) = mark(kept.value) {
                replayed.insert(offset, at);
            }
        })?;
        quarantine::read(&kafka, &topic, |kept| {
            if mark(kept.value).is_some() {
                return;
            }
            let record = Record {
                offset: kept.offset,
                key: String::from_utf8_lossy(kept.key).into_owned(),
                // What somebody else wrote there is shown as what it is.
                value: serde_json::from_slice(kept.value).unwrap_or_default(),
                replayed: replayed.get(&kept.offset).cloned(),
            };
            take(&mut state, record);
        })?;
        Ok(state)
    })
    .await
}

/// The latest records of a product, or of a key of it, and no more than so many.
pub(crate) async fn latest(
    gateway: &Gateway,
    product: &Product,
    key: Option<String>,
    limit: usize,
) -> Result<VecDeque<Record>, Failure> {
    each(gateway, product, VecDeque::new(), move |latest, record| {
        if key.as_ref().is_some_and(|key| record.key != *key) {
            return;
        }
        latest.push_back(record);
        if latest.len() > limit {
            latest.pop_front();
        }
    })
    .await
}

/// Which record a mark says was replayed, and when; None of what is no mark.
fn mark(value: &[u8]) -> Option<(i64, String)> {
    // It begins so, as the gateway writes it: other records need not be parsed for it.
    value.starts_with(rebuild::MARK.as_bytes()).then_some(())?;
    let mark: Value = serde_json::from_slice(value).ok()?;
    let at = mark["at"].as_str().unwrap_or_default();
    Some((rebuild::marked(&mark)?, at.to_owned()))
}

/// A product's quarantine, by what failed.
pub(crate) async fn groups(gateway: &Gateway, product: &Product) -> Result<Vec<Group>, Failure> {
    let name = product.name.value.to_string();
    let mut groups: BTreeMap<[String; 3], Group> = BTreeMap::new();
    groups = each(gateway, product, groups, move |groups, record| {
        let what = ["code", "field", "reason"].map(|part| record.said(part).to_owned());
        let at_us = record.value["committed_at_us"].as_i64();
        let at = End {
            offset: record.offset,
            position: record.said("position").to_owned(),
            at: at_us.map_or_else(String::new, rfc3339),
        };
        let group = groups.entry(what).or_insert_with_key(|what| {
            let [code, field, reason] = what.clone();
            Group {
                product: name.clone(),
                code,
                field,
                reason,
                rows: 0,
                replayed: 0,
                first: at.clone(),
                last: at.clone(),
            }
        });
        group.rows += 1;
        group.replayed += u64::from(record.replayed.is_some());
        group.last = at;
    })
    .await?;
    Ok(groups.into_values().collect())
}
