//! What the gateway says of Kafka, and the client configurations that follow from it.

use std::time::Duration;

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::HeaderMode;

/// What a batch grows to before it is sent; FACTS: less than a megabyte costs throughput.
const BATCH_BYTES: usize = 1_000_000;

/// Room beside a record's own bytes: the batch's head, lengths, the library's own estimate.
const FRAME_BYTES: usize = 4096;

/// Properties that exactly-once or the bounds on memory depend on.
const OURS: &[(&str, &str)] = &[
    ("acks", "exactly-once needs all"),
    (
        "allow.auto.create.topics",
        "a topic made in passing would have the brokers' defaults",
    ),
    (
        "bootstrap.servers",
        "kafka.brokers says where the brokers are",
    ),
    (
        "delivery.report.only.error",
        "the gateway counts on failures alone",
    ),
    ("enable.idempotence", "exactly-once needs it"),
    (
        "enable.auto.commit",
        "progress is kept in a topic of the gateway's own",
    ),
    ("group.id", "the gateway joins no group"),
    ("isolation.level", "the gateway decides it for each reading"),
    (
        "max.in.flight.requests.per.connection",
        "the order of events depends on it",
    ),
    ("message.max.bytes", "it follows from limits.row"),
    ("message.timeout.ms", "it follows from the transaction's"),
    (
        "metadata.broker.list",
        "kafka.brokers says where the brokers are",
    ),
    ("queue.buffering.max.kbytes", "it follows from limits.queue"),
    (
        "queue.buffering.max.messages",
        "it is set for short commits",
    ),
    ("request.required.acks", "exactly-once needs all"),
    ("transactional.id", "it is the gateway's name"),
];

/// Producers' properties that a user is likely to set.
const PRODUCERS: &[&str] = &[
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "compression.level",
    "compression.type",
    "linger.ms",
    "queue.buffering.max.ms",
    "retry.backoff.ms",
    "retries",
    "transaction.timeout.ms",
];

/// Everything the gateway says of Kafka.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// librdkafka's properties, security among them. Values may be secrets.
    pub properties: Vec<(String, String)>,
    /// Partitions of created topics.
    pub partitions: i32,
    /// Replicas of created topics.
    pub replication: i32,
    /// Further settings of created topics.
    pub topic_settings: Vec<(String, String)>,
    /// Events that wait in the client, in bytes.
    pub queue_bytes: usize,
    /// Events that wait in the client; ten to twenty thousand keeps commits short.
    pub queue_messages: usize,
    /// A Kafka transaction is committed after this long at the next boundary.
    pub commit_every: Duration,
    /// A Kafka transaction is committed past this size at the next boundary.
    pub commit_bytes: usize,
    /// What headers events carry.
    pub headers: HeaderMode,
    /// The largest event: key, value and headers.
    pub row_bytes: usize,
    /// How long a single question to the brokers may take at start.
    pub patience: Duration,
}

impl std::fmt::Debug for KafkaSettings {
    /// Properties by name only: a value may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|(k, _)| k.as_str()).collect();
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("properties", &names)
            .field("partitions", &self.partitions)
            .field("replication", &self.replication)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl KafkaSettings {
    /// Settings with the defaults of the language.
    pub fn new(brokers: Vec<String>) -> Self {
        KafkaSettings {
            brokers,
            properties: Vec::new(),
            partitions: 6,
            replication: 3,
            topic_settings: Vec::new(),
            queue_bytes: 16 << 20,
            queue_messages: 15_000,
            commit_every: Duration::from_millis(100),
            commit_bytes: 8 << 20,
            headers: HeaderMode::Transaction,
            row_bytes: 1 << 20,
            patience: Duration::from_secs(15),
        }
    }

    /// Every property and topic setting that is not the user's to set.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, _) in &self.properties {
            if let Some((_, reason)) = OURS.iter().find(|(ours, _)| ours == name) {
                findings.push(
                    Finding::error(
                        &codes::PROPERTY,
                        Place::Setting(format!("kafka.properties.{name}")),
                        format!("property `{name}` is set by the gateway itself"),
                    )
                    .because(*reason)
                    .remedy(format!("remove `{name}` from kafka.properties")),
                );
            }
        }
        if self.topic_setting("cleanup.policy").is_some() {
            findings.push(
                Finding::error(
                    &codes::PROPERTY,
                    Place::Setting("kafka.topics.settings.cleanup.policy".into()),
                    "setting `cleanup.policy` follows from a product's kind",
                )
                .because("another would lose an entity's state or all facts of a key but the last")
                .remedy("remove `cleanup.policy` from kafka.topics.settings"),
            );
        }
        findings
    }

    /// A setting of created topics as the user set it.
    pub(crate) fn topic_setting(&self, name: &str) -> Option<&str> {
        let found = self
            .topic_settings
            .iter()
            .rev()
            .find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A property as the user set it.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// How a transaction may last longer than it does: where the user has set a time-out, the
    /// brokers' bound alone would change nothing.
    pub(crate) fn longer_than(&self, timeout: Duration) -> String {
        let millis = timeout.as_millis();
        match self.property("transaction.timeout.ms") {
            Some(_) => format!(
                "raise kafka.properties transaction.timeout.ms above {millis} (the brokers' \
                 transaction.max.timeout.ms bounds it), or remove it, then start again"
            ),
            None => format!(
                "raise transaction.max.timeout.ms of the brokers above {millis} ms, then start again"
            ),
        }
    }

    /// What the client takes at most.
    pub(crate) fn message_max_bytes(&self) -> usize {
        (self.row_bytes + FRAME_BYTES).max(BATCH_BYTES)
    }

    /// What a topic must take at least: the largest event alone, and a full batch.
    pub(crate) fn topic_needs_bytes(&self) -> usize {
        let batch = self.property("batch.size").and_then(|v| v.parse().ok());
        let batch: usize = batch.unwrap_or(BATCH_BYTES);
        (self.row_bytes + FRAME_BYTES).max(batch + FRAME_BYTES)
    }

    /// The configuration that every client shares.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", "onramp")
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        // A producer that asks after a deleted topic would have it made again, with the brokers'
        // defaults.
        config.set("allow.auto.create.topics", "false");
        config
    }

    /// The configuration of a producer without transactions, for claims.
    pub(crate) fn plain_producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "15000");
        config.remove("transaction.timeout.ms");
        config
    }

    /// The configuration of the transactional producer.
    pub(crate) fn producer(&self, id: &str, timeout: Duration) -> ClientConfig {
        let mut config = self.client();
        let defaults = [
            ("linger.ms", "1".to_owned()),
            ("batch.size", BATCH_BYTES.to_string()),
            ("batch.num.messages", "100000".to_owned()),
            ("compression.type", "lz4".to_owned()),
            ("topic.metadata.refresh.interval.ms", "60000".to_owned()),
        ];
        for (name, value) in defaults {
            if self.property(name).is_none() {
                config.set(name, value);
            }
        }
        let timeout_ms = timeout.as_millis().max(1000).to_string();
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", &timeout_ms)
            .set("message.timeout.ms", &timeout_ms)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("delivery.report.only.error", "true")
            .set("message.max.bytes", self.message_max_bytes().to_string())
            .set(
                "queue.buffering.max.messages",
                self.queue_messages.max(1).to_string(),
            )
            .set(
                "queue.buffering.max.kbytes",
                (self.queue_bytes / 1024).max(1).to_string(),
            );
        config
    }

    /// The configuration of a consumer that reads one partition and joins nothing.
    pub(crate) fn reader(&self, committed: bool) -> ClientConfig {
        let mut config = self.client();
        // A producer's property would make a consumer warn of it at each start.
        for name in PRODUCERS {
            config.remove(name);
        }
        config
            // The library insists on a name though no group is joined and nothing committed.
            .set("group.id", "onramp.reader")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "2")
            .set("queued.max.messages.kbytes", "4096")
            // By default a full queue pauses the fetching for a second.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.message.max.bytes", "1048576")
            .set(
                "isolation.level",
                if committed {
                    "read_committed"
                } else {
                    "read_uncommitted"
                },
            );
        config
    }
}

/// A client that could not be made: the property is named, its value never is.
pub(crate) fn refused(error: &rdkafka::error::KafkaError) -> Failure {
    use rdkafka::error::KafkaError;
    let finding = match error {
        KafkaError::ClientConfig(_, _, key, _) => Finding::error(
            &codes::PROPERTY,
            Place::Setting(format!("kafka.properties.{key}")),
            format!("the client library refuses property `{key}` or its value"),
        ),
        // The library's text at creation speaks of names and conflicts; it may quote a value of
        // an enumeration, never a password.
        KafkaError::ClientCreation(text) => Finding::error(
            &codes::PROPERTY,
            Place::Setting("kafka.properties".into()),
            "the client library refuses the settings".to_string(),
        )
        .because(text.clone()),
        other => Finding::error(
            &codes::PROPERTY,
            Place::Setting("kafka".into()),
            format!("the Kafka client could not be made ({other})"),
        ),
    };
    Failure::stop(Kind::Configuration, finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_exactly_once_depends_on_is_refused_by_name() {
        let mut settings = KafkaSettings::new(vec!["localhost:1".into()]);
        settings.properties = vec![
            ("acks".into(), "1".into()),
            ("client.rack".into(), "a".into()),
            ("transactional.id".into(), "x".into()),
        ];
        let findings = settings.check();
        assert_eq!(findings.len(), 2);
        assert!(findings[0].message.contains("`acks`"));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_propertys_value() {
        let mut settings = KafkaSettings::new(vec!["localhost:1".into()]);
        settings.properties = vec![("sasl.mechanisms.typo".into(), "hunter2".into())];
        assert!(!format!("{settings:?}").contains("hunter2"));
        let made: Result<rdkafka::producer::BaseProducer, _> = settings.client().create();
        let failure = refused(&made.err().expect("an unknown property is refused"));
        assert!(!format!("{failure:?}").contains("hunter2"));
        assert!(failure.to_string().contains("sasl.mechanisms.typo"));
    }
}
