//! What is in quarantine: rows that products could not carry, read from their topics; and the way
//! back, which is to read them again from their tables.

mod replay;

use std::collections::BTreeMap;

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
}

impl Record {
    pub(crate) fn said(&self, name: &str) -> &str {
        self.value[name].as_str().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "offset": self.offset, "key": self.key, "record": self.value })
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
        let mut all = Vec::new();
        quarantine::read(&kafka, &topic, |kept| {
            let record = Record {
                offset: kept.offset,
                key: String::from_utf8_lossy(kept.key).into_owned(),
                // What somebody else wrote there is shown as what it is.
                value: serde_json::from_slice(kept.value).unwrap_or_default(),
            };
            if keep(&record) {
                all.push(record);
            }
        })?;
        Ok(all)
    })
    .await
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
        let _ = tell.send((what, record.offset, position));
        false
    })
    .await?;
    for ([code, field, reason], offset, position) in told {
        let key = (code.clone(), field.clone(), reason.clone());
        let at = (offset, position);
        let group = groups.entry(key).or_insert_with(|| Group {
            product: name.clone(),
            code,
            field,
            reason,
            rows: 0,
            first: at.clone(),
            last: at.clone(),
        });
        group.rows += 1;
        group.last = at;
    }
    Ok(groups.into_values().collect())
}
