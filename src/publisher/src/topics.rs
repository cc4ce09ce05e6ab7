//! Topics: created as they must be, checked where they exist, and watched for being replaced.

use std::collections::BTreeMap;
use std::time::Instant;

use onramp_finding::{Failure, Finding, Kind, Place, Severity};
use rdkafka::admin::ResourceSpecifier;
use rdkafka::error::RDKafkaErrorCode;

use crate::client::Kafka;
use crate::native::{self, Described};
use crate::trouble;

mod check;
mod create;

use check::{Faults, missing};
use create::create;
pub(crate) use create::{Wanted, create_with};

/// What a topic is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// The last event of each key, for ever: entities.
    LastOfEachKey,
    /// Every event: facts. `retention.ms` is -1 unless the settings say otherwise.
    Everything,
}

/// A topic that a product needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The topic.
    pub topic: String,
    /// The product, for findings; empty for the gateway's own.
    pub product: String,
    /// How it is kept.
    pub keeping: Keeping,
    /// The pinned partition count; None where none is pinned yet: `kafka.topics.partitions` for a
    /// new topic, whatever an existing one has.
    pub partitions: Option<i32>,
    /// The topic's id as progress has it; another is an error.
    pub topic_id: Option<String>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The topic.
    pub topic: String,
    /// The product.
    pub product: String,
    /// Its id; None with brokers that give none (before 2.8).
    pub id: Option<String>,
    /// Its partition count.
    pub partitions: i32,
}

/// What [`ensure`] made of the topics asked for.
#[derive(Debug, Clone, Default)]
pub struct Ensured {
    /// One for each that was asked for, in that order.
    pub topics: Vec<Pinned>,
    /// Those that were created just now.
    pub created: Vec<String>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// What topics are like, without creating or changing any.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// Those that exist, in the order asked for.
    pub present: Vec<Pinned>,
    /// Those that [`ensure`] would create.
    pub absent: Vec<TopicSpec>,
    /// Everything that is wrong with them, warnings too.
    pub findings: Vec<Finding>,
}

/// Creates the topics that are missing, and checks all. Every finding in one failure.
///
/// A topic that progress knows (`topic_id` is set) is never created again: it is gone, and with
/// it what was published.
pub fn ensure(kafka: &Kafka, specs: &[TopicSpec]) -> Result<Ensured, Failure> {
    let looked = inspect(kafka, specs)?;
    if onramp_finding::any_error(&looked.findings) {
        return Err(Failure::all(Kind::Broker, looked.findings));
    }
    let absent: Vec<&TopicSpec> = looked.absent.iter().collect();
    create(kafka, &absent)?;
    let mut findings = looked.findings;
    let mut present = looked.present;
    let created: Vec<String> = absent.iter().map(|s| s.topic.clone()).collect();
    if !absent.is_empty() {
        // Looked at again: another program may have made one in between, with settings of its own.
        let again = wait_until_described(kafka, &looked.absent)?;
        if onramp_finding::any_error(&again.findings) {
            return Err(Failure::all(Kind::Broker, again.findings));
        }
        findings.extend(again.findings);
        present.extend(again.present);
    }
    let mut by_name: BTreeMap<String, Pinned> =
        present.into_iter().map(|p| (p.topic.clone(), p)).collect();
    let topics = specs.iter().filter_map(|s| by_name.remove(&s.topic));
    Ok(Ensured {
        topics: topics.collect(),
        created,
        findings,
    })
}

/// The brokers learn of a new topic one after the other.
fn wait_until_described(kafka: &Kafka, specs: &[TopicSpec]) -> Result<Looked, Failure> {
    let started = Instant::now();
    loop {
        let looked = inspect(kafka, specs)?;
        if looked.absent.is_empty() {
            return Ok(looked);
        }
        if started.elapsed() >= kafka.settings.patience {
            return Err(missing(&looked.absent[0].topic, &looked.absent[0].product));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Looks at topics; read-only.
pub fn inspect(kafka: &Kafka, specs: &[TopicSpec]) -> Result<Looked, Failure> {
    let mut looked = Looked::default();
    let names: Vec<&str> = specs.iter().map(|s| s.topic.as_str()).collect();
    let described = describe(kafka, &names)?;
    let there: Vec<&str> = described.keys().map(String::as_str).collect();
    let settings = settings_of(kafka, &there)?;
    for spec in specs {
        let Some(found) = described.get(&spec.topic) else {
            if spec.topic_id.is_some() {
                Faults::new(&spec.topic, &spec.product, &mut looked.findings).missing();
            } else {
                looked.absent.push(spec.clone());
            }
            continue;
        };
        let empty = BTreeMap::new();
        let have = settings.get(&spec.topic).unwrap_or(&empty);
        let mut faults = Faults::new(&spec.topic, &spec.product, &mut looked.findings);
        faults.identity(spec.topic_id.as_deref(), spec.partitions, found);
        faults.settings(kafka, spec, found, have);
        looked.present.push(Pinned {
            topic: spec.topic.clone(),
            product: spec.product.clone(),
            id: found.id.clone(),
            partitions: found.partitions,
        });
    }
    Ok(looked)
}

/// A topic as [`ensure`] would create it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its partitions.
    pub partitions: i32,
    /// Its replicas.
    pub replication: i32,
    /// The settings that it gets; the brokers' own where they are silent.
    pub settings: Vec<(String, String)>,
}

/// What an absent topic would be created as.
pub fn as_created(kafka: &Kafka, spec: &TopicSpec) -> NewTopic {
    let wanted = create::of_product(kafka, spec);
    NewTopic {
        partitions: wanted.partitions,
        replication: kafka.settings.replication,
        settings: wanted.settings,
    }
}

/// The topics of gateways' own that a start of this one would create; read-only.
pub fn absent_own(kafka: &Kafka, gateway: &str) -> Result<Vec<String>, Failure> {
    let own = [
        crate::claims::TOPIC.to_owned(),
        crate::progress::topic(gateway),
    ];
    let names: Vec<&str> = own.iter().map(String::as_str).collect();
    let there = existing(kafka, &names)?;
    Ok(own.into_iter().filter(|t| !there.contains(t)).collect())
}

/// Whether pinned topics are still the ones they were: to be asked every few seconds while events
/// are published to them.
pub fn check_pinned(kafka: &Kafka, pinned: &[Pinned]) -> Result<(), Failure> {
    let names: Vec<&str> = pinned.iter().map(|p| p.topic.as_str()).collect();
    let described = describe(kafka, &names)?;
    let mut findings = Vec::new();
    for pin in pinned {
        let mut faults = Faults::new(&pin.topic, &pin.product, &mut findings);
        match described.get(&pin.topic) {
            None => faults.missing(),
            Some(found) => faults.identity(pin.id.as_deref(), Some(pin.partitions), found),
        }
    }
    // A warning was told at the start.
    findings.retain(|f| f.severity == Severity::Error);
    if findings.is_empty() {
        return Ok(());
    }
    Err(Failure::all(Kind::Broker, findings))
}

/// Topics that exist, by name.
fn describe(kafka: &Kafka, names: &[&str]) -> Result<BTreeMap<String, Described>, Failure> {
    let doing = "describing topics";
    let described = native::describe_topics(kafka.admin().inner(), names, kafka.settings.patience)
        .map_err(|code| trouble::failure(code, doing, Place::Nowhere))?;
    let mut all = BTreeMap::new();
    for one in described {
        match one.error {
            None => {
                all.insert(one.name.clone(), one);
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {}
            Some(code) => {
                let place = Place::Kafka(format!("topic {}", one.name));
                return Err(trouble::failure(code, doing, place));
            }
        }
    }
    Ok(all)
}

/// Each topic's settings, defaults included.
fn settings_of(
    kafka: &Kafka,
    names: &[&str],
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Failure> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let resources: Vec<ResourceSpecifier<'_>> =
        names.iter().map(|n| ResourceSpecifier::Topic(n)).collect();
    let mut all = BTreeMap::new();
    for resource in kafka.configs(&resources)? {
        if let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = resource.specifier {
            let entries = resource.entries.into_iter();
            let entries = entries.filter_map(|e| Some((e.name, e.value?)));
            all.insert(name, entries.collect());
        }
    }
    Ok(all)
}

/// Creates a topic of the gateway's own where it is missing, and checks it: on a topic that
/// forgets, or of several partitions, exactly-once would not hold.
pub(crate) fn ensure_own(kafka: &Kafka, wanted: Wanted) -> Result<(), Failure> {
    let spec = TopicSpec {
        topic: wanted.topic.clone(),
        product: String::new(),
        keeping: Keeping::LastOfEachKey,
        partitions: Some(wanted.partitions),
        topic_id: None,
    };
    let specs = [spec];
    let mut looked = inspect(kafka, &specs)?;
    if !looked.absent.is_empty() {
        create_with(kafka, &[wanted])?;
        looked = wait_until_described(kafka, &specs)?;
    }
    if onramp_finding::any_error(&looked.findings) {
        return Err(Failure::all(Kind::Broker, looked.findings));
    }
    Ok(())
}

/// Which of these topics exist.
pub(crate) fn existing(kafka: &Kafka, names: &[&str]) -> Result<Vec<String>, Failure> {
    Ok(describe(kafka, names)?.into_keys().collect())
}
