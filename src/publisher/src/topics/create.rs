//! Topics as the gateway creates them.

use std::collections::BTreeMap;

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::{Keeping, TopicSpec};
use crate::client::{Kafka, block_on};
use crate::trouble;

/// How long deleted keys stay visible to consumers that read from the start.
const TOMBSTONES_MS: &str = "604800000";

/// The settings that a created topic gets; what the gateway file says wins.
fn wanted(kafka: &Kafka, keeping: Keeping) -> Vec<(String, String)> {
    let settings = &kafka.settings;
    // One replica less than there are may be down; with one or two replicas none is spared.
    let insync = if settings.replication >= 3 { 2 } else { 1 };
    let room = (settings.topic_needs_bytes() + 65_536).max(1_048_588);
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        all.insert(name.to_owned(), value);
    };
    put("min.insync.replicas", insync.to_string());
    put("max.message.bytes", room.to_string());
    // A record's time is its source transaction's commit.
    put("message.timestamp.type", "CreateTime".into());
    match keeping {
        Keeping::LastOfEachKey => {
            put("cleanup.policy", "compact".into());
            put("delete.retention.ms", TOMBSTONES_MS.into());
        }
        Keeping::Everything => {
            put("cleanup.policy", "delete".into());
            put("retention.ms", "-1".into());
            put("retention.bytes", "-1".into());
        }
    }
    for (name, value) in &settings.topic_settings {
        all.insert(name.clone(), value.clone());
    }
    all.into_iter().collect()
}

/// Creates what products need.
pub(super) fn create(kafka: &Kafka, specs: &[&TopicSpec]) -> Result<(), Failure> {
    let topics: Vec<Wanted> = specs.iter().map(|spec| of_product(kafka, spec)).collect();
    create_with(kafka, &topics)
}

/// A product's topic as it is created.
pub(super) fn of_product(kafka: &Kafka, spec: &TopicSpec) -> Wanted {
    Wanted {
        topic: spec.topic.clone(),
        product: spec.product.clone(),
        partitions: spec.partitions.unwrap_or(kafka.settings.partitions),
        settings: wanted(kafka, spec.keeping),
    }
}

/// A topic to create.
pub(crate) struct Wanted {
    pub(crate) topic: String,
    pub(crate) product: String,
    pub(crate) partitions: i32,
    pub(crate) settings: Vec<(String, String)>,
}

/// Creates topics; one that is there already is left as it is.
pub(crate) fn create_with(kafka: &Kafka, wanted: &[Wanted]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let new: Vec<NewTopic<'_>> = wanted
        .iter()
        .map(|w| {
            let replication = TopicReplication::Fixed(kafka.settings.replication);
            let topic = NewTopic::new(&w.topic, w.partitions, replication);
            w.settings.iter().fold(topic, |t, (k, v)| t.set(k, v))
        })
        .collect();
    let options = kafka.options();
    let answers = block_on(kafka.admin().create_topics(&new, &options))
        .map_err(|e| trouble::of(&e, "creating topics", Place::Nowhere))?;
    let mut findings = Vec::new();
    let mut retry = true;
    for (answer, w) in answers.into_iter().zip(wanted) {
        match answer {
            Ok(_) => {
                tracing::info!(topic = w.topic, partitions = w.partitions, "topic created");
            }
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => {
                let place = Place::Kafka(format!("topic {}", w.topic));
                let known = trouble::failure(code, "creating a topic", place.clone());
                let waits = known.retry && known.findings[0].code == &codes::UNREACHABLE;
                retry &= waits;
                if waits || known.findings[0].code == &codes::AUTHORISATION {
                    findings.extend(known.findings);
                    continue;
                }
                let settings: Vec<String> =
                    w.settings.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let mut finding = Finding::error(
                    &codes::TOPIC_NOT_CREATED,
                    place,
                    format!("topic `{}` could not be created ({code:?})", w.topic),
                )
                .remedy(format!(
                    "correct kafka.topics, or have it made with {} partitions, {} replicas and {}",
                    w.partitions,
                    kafka.settings.replication,
                    settings.join(", ")
                ));
                if !w.product.is_empty() {
                    finding = finding.of_product(&w.product);
                }
                findings.push(finding);
            }
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::all(Kind::Broker, findings);
    failure.retry = retry;
    Err(failure)
}
