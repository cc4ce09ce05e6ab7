//! Claims: one topic has one owning gateway.
//!
//! All gateways of a cluster share the compacted topic `onramp.claims`. A claim's key is
//! `<topic>/<gateway>`; it is written once, so that its offset stays. Of the claims on a topic
//! the one with the earliest offset holds; a gateway that finds an earlier one than its own
//! withdraws with a tombstone. Two that write at once both read both and agree on who was first.

use std::collections::BTreeMap;
use std::time::Duration;

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _};
use serde::{Deserialize, Serialize};

use crate::client::Kafka;
use crate::reader::{self, Isolation};
use crate::{progress, topics, trouble};

/// The topic that all gateways share.
pub const TOPIC: &str = "onramp.claims";

const FORMAT: u32 = 1;

/// A claim, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The format of this record.
    pub format: u32,
    /// The topic that is claimed.
    pub topic: String,
    /// The gateway that claims it.
    pub gateway: String,
    /// The product that it is published for.
    pub product: String,
    /// The process that wrote it.
    pub instance: String,
}

/// Claims that stand, by topic, each topic's in the order in which they were written.
type Standing = BTreeMap<String, Vec<(i64, String)>>;

/// Claims `(topic, product)` pairs for a gateway: all, or none newly and a finding for each that
/// another gateway owns. Claims that stand already are left as they are.
pub fn claim(
    kafka: &Kafka,
    gateway: &str,
    instance: &str,
    wanted: &[(String, String)],
) -> Result<(), Failure> {
    topics::ensure_own(kafka, progress::small_compacted(kafka, TOPIC.to_owned()))?;
    let before = standing(kafka)?;
    let lost = lost(&before, gateway, wanted);
    if !lost.is_empty() {
        // A claim of ours that came second and was never withdrawn (its process was killed) would
        // take the topic over silently once the first is released.
        let late: Vec<_> = wanted
            .iter()
            .filter(|(topic, _)| {
                holds(&before, topic, gateway) && owner(&before, topic) != Some(gateway)
            })
            .map(|(topic, _)| (key(topic, gateway), None))
            .collect();
        write(kafka, &late)?;
        return Err(Failure::all(Kind::Configuration, lost));
    }
    let new: Vec<&(String, String)> = wanted
        .iter()
        .filter(|(topic, _)| !holds(&before, topic, gateway))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let mut records = Vec::with_capacity(new.len());
    for (topic, product) in &new {
        let claim = Claim {
            format: FORMAT,
            topic: topic.clone(),
            gateway: gateway.to_owned(),
            product: product.clone(),
            instance: instance.to_owned(),
        };
        let value = serde_json::to_string(&claim).unwrap_or_default();
        records.push((key(topic, gateway), Some(value)));
    }
    write(kafka, &records)?;
    let lost = self::lost(&standing(kafka)?, gateway, wanted);
    if lost.is_empty() {
        return Ok(());
    }
    // A race lost: everything written just now is withdrawn, so that nothing is half owned.
    let withdrawn: Vec<_> = records.into_iter().map(|(key, _)| (key, None)).collect();
    write(kafka, &withdrawn)?;
    Err(Failure::all(Kind::Configuration, lost))
}

/// What [`claim`] would do, without a write.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// The topics that it would claim.
    pub unclaimed: Vec<String>,
    /// Those that another gateway owns.
    pub findings: Vec<Finding>,
}

/// Looks at claims; read-only.
pub fn inspect(
    kafka: &Kafka,
    gateway: &str,
    wanted: &[(String, String)],
) -> Result<Looked, Failure> {
    let standing = standing(kafka)?;
    let topics = wanted.iter().map(|(topic, _)| topic);
    Ok(Looked {
        unclaimed: topics
            .filter(|topic| !holds(&standing, topic, gateway))
            .cloned()
            .collect(),
        findings: lost(&standing, gateway, wanted),
    })
}

/// Gives topics back, so that another gateway may claim them. Does nothing for those not held.
pub fn release(kafka: &Kafka, gateway: &str, topics: &[String]) -> Result<(), Failure> {
    let records: Vec<_> = topics.iter().map(|t| (key(t, gateway), None)).collect();
    write(kafka, &records)
}

/// Who owns each claimed topic.
pub fn owners(kafka: &Kafka) -> Result<BTreeMap<String, String>, Failure> {
    let first =
        |(topic, claims): (String, Vec<(i64, String)>)| Some((topic, claims.into_iter().next()?.1));
    Ok(standing(kafka)?.into_iter().filter_map(first).collect())
}

fn key(topic: &str, gateway: &str) -> String {
    format!("{topic}/{gateway}")
}

fn holds(standing: &Standing, topic: &str, gateway: &str) -> bool {
    let claims = standing.get(topic);
    claims.is_some_and(|claims| claims.iter().any(|(_, owner)| owner == gateway))
}

fn owner<'a>(standing: &'a Standing, topic: &str) -> Option<&'a str> {
    let first = standing.get(topic)?.first()?;
    Some(first.1.as_str())
}

/// A finding for each topic whose first claim is another's.
fn lost(standing: &Standing, gateway: &str, wanted: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (topic, product) in wanted {
        if let Some(owner) = owner(standing, topic)
            && owner != gateway
        {
            findings.push(
                Finding::error(
                    &codes::TOPIC_CLAIMED,
                    Place::Kafka(format!("topic {topic}")),
                    format!("topic `{topic}` belongs to gateway `{owner}`"),
                )
                .because(codes::TOPIC_CLAIMED.reason)
                .remedy(codes::TOPIC_CLAIMED.remedy)
                .of_product(product),
            );
        }
    }
    findings
}

/// Reads every claim that stands. Read-uncommitted, so that the end is the high watermark: nobody's
/// open transaction hides a claim.
fn standing(kafka: &Kafka) -> Result<Standing, Failure> {
    let mut latest: BTreeMap<Vec<u8>, (i64, String, String)> = BTreeMap::new();
    if topics::existing(kafka, &[TOPIC])?.is_empty() {
        return Ok(Standing::new());
    }
    reader::read(kafka, TOPIC, Isolation::Uncommitted, 0, |entry| {
        let Some(value) = entry.value else {
            latest.remove(entry.key);
            return Ok(());
        };
        match serde_json::from_slice::<Claim>(value) {
            Ok(claim) if claim.format <= FORMAT => {
                latest.insert(
                    entry.key.to_vec(),
                    (entry.offset, claim.topic, claim.gateway),
                );
                Ok(())
            }
            _ => Err(Failure::stop(
                Kind::Broker,
                Finding::error(
                    &codes::PROGRESS_DAMAGED,
                    Place::Kafka(format!("topic {TOPIC}")),
                    format!(
                        "the record at offset {} is no claim that this program knows",
                        entry.offset
                    ),
                )
                .remedy("start a newer version, or find out who wrote it"),
            )),
        }
    })?;
    let mut standing = Standing::new();
    for (offset, topic, gateway) in latest.into_values() {
        standing.entry(topic).or_default().push((offset, gateway));
    }
    for claims in standing.values_mut() {
        claims.sort_unstable();
    }
    Ok(standing)
}

fn write(kafka: &Kafka, records: &[(String, Option<String>)]) -> Result<(), Failure> {
    let doing = "writing a claim";
    let place = || Place::Kafka(format!("topic {TOPIC}"));
    let producer = kafka.control();
    kafka.watch().forget_undelivered();
    for (key, value) in records {
        let mut record: BaseRecord<'_, str, str> =
            BaseRecord::to(TOPIC).key(key.as_str()).partition(0);
        if let Some(value) = value {
            record = record.payload(value.as_str());
        }
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    producer.poll(Duration::from_millis(10));
                    record = again;
                }
                Err((error, _)) => return Err(trouble::of(&error, doing, place())),
            }
        }
    }
    producer
        .flush(kafka.settings.patience)
        .map_err(|e| trouble::explained(trouble::of(&e, doing, place()), kafka.watch(), doing))?;
    producer.poll(Duration::ZERO);
    match kafka.watch().seen().undelivered {
        Some((_, code)) => Err(trouble::failure(code, doing, place())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_claim_holds() {
        let standing: Standing = [(
            "t".to_owned(),
            vec![(3, "first".to_owned()), (9, "second".to_owned())],
        )]
        .into();
        let wanted = [
            ("t".to_owned(), "p".to_owned()),
            ("u".to_owned(), "q".to_owned()),
        ];
        assert!(lost(&standing, "first", &wanted).is_empty());
        assert_eq!(lost(&standing, "second", &wanted).len(), 1);
        assert_eq!(lost(&standing, "third", &wanted).len(), 1);
    }
}
