//! What is in quarantine: rows that products could not carry, read from their topics; and the way
//! back, which is to read an entity's again from its table, and to make a fact's change again from its
//! record ([`rebuild`]).

pub(crate) mod rebuild;
mod replay;

use std::collections::{BTreeMap, HashMap};

use onramp_finding::Failure;
use onramp_language::{Gateway, Product};
use onramp_publisher::{Kafka, quarantine};
use serde_json::{Value, json};

use crate::run::{blocking, settings};

pub(crate) use replay::order;

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
    /// Offsets and positions of the first and the last of them.
    pub(crate) first: (i64, String),
    pub(crate) last: (i64, String),
}

impl Group {
    pub(crate) fn json(&self) -> Value {
        let end =
            |(offset, position): &(i64, String)| json!({ "offset": offset, "position": position });
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

/// Reads a product's quarantine; what `keep` does not keep takes no memory.
pub(crate) async fn records(
    gateway: &Gateway,
    product: &Product,
    mut keep: impl FnMut(&Record) -> bool + Send + 'static,
) -> Result<Vec<Record>, Failure> {
    let Some(topic) = product.quarantine_topic() else {
        return Ok(Vec::new());
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
        let mut all = Vec::new();
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
            if keep(&record) {
                all.push(record);
            }
        })?;
        Ok(all)
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
    let (tell, told) = std::sync::mpsc::channel();
    let mut groups: BTreeMap<(String, String, String), Group> = BTreeMap::new();
    records(gateway, product, move |record| {
        let what = ["code", "field", "reason"].map(|part| record.said(part).to_owned());
        let position = record.said("position").to_owned();
        // The other end lives as long as this reading.
        let _ = tell.send((what, record.offset, position, record.replayed.is_some()));
        false
    })
    .await?;
    for ([code, field, reason], offset, position, replayed) in told {
        let key = (code.clone(), field.clone(), reason.clone());
        let at = (offset, position);
        let group = groups.entry(key).or_insert_with(|| Group {
            product: name.clone(),
            code,
            field,
            reason,
            rows: 0,
            replayed: 0,
            first: at.clone(),
            last: at.clone(),
        });
        group.rows += 1;
        group.replayed += u64::from(replayed);
        group.last = at;
    }
    Ok(groups.into_values().collect())
}
