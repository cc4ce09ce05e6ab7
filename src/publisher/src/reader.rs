//! Reading a topic of one partition from its start to its end, once.

use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Kafka;
use crate::context::Watch;
use crate::settings::refused;
use crate::trouble;

/// What a record of ours is bounded by; more is somebody else's.
const RECORD_BYTES: usize = 1 << 20;

/// A record, as read.
pub(crate) struct Entry {
    pub(crate) offset: i64,
    pub(crate) key: Vec<u8>,
    /// None is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
}

/// Whose records are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    Committed,
    Uncommitted,
}

fn consumer(kafka: &Kafka, isolation: Isolation) -> Result<BaseConsumer<Watch>, Failure> {
    let config = kafka.settings.reader(isolation == Isolation::Committed);
    BaseConsumer::from_config_and_context(&config, kafka.watch().clone()).map_err(|e| refused(&e))
}

/// A question to a partition's leader about its ends.
pub(crate) struct Ends {
    consumer: BaseConsumer<Watch>,
    topic: String,
}

impl Ends {
    /// `Uncommitted` gives the high watermark, `Committed` the last stable offset.
    pub(crate) fn new(kafka: &Kafka, topic: &str, isolation: Isolation) -> Result<Ends, Failure> {
        Ok(Ends {
            consumer: consumer(kafka, isolation)?,
            topic: topic.to_owned(),
        })
    }

    /// The partition's end.
    pub(crate) fn high(&self, patience: Duration) -> Result<i64, Failure> {
        let started = Instant::now();
        loop {
            let asked = self
                .consumer
                .fetch_watermarks(&self.topic, 0, Duration::from_secs(5));
            match asked {
                Ok((_, high)) => return Ok(high),
                Err(error) => {
                    let place = Place::Kafka(format!("topic {}", self.topic));
                    let failure = trouble::of(&error, "reading the topic's end", place);
                    // A topic made just now may have no leader yet.
                    let fresh = failure.retry || failure.findings[0].code == &codes::TOPIC_MISSING;
                    if !fresh || started.elapsed() >= patience {
                        return Err(failure);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
}

/// Reads every record below `until` (or to the end that is found), oldest first.
pub(crate) fn read(
    kafka: &Kafka,
    topic: &str,
    isolation: Isolation,
    until: Option<i64>,
    mut each: impl FnMut(Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let place = || Place::Kafka(format!("topic {topic}"));
    let doing = "reading a topic of the gateway's own";
    if until == Some(0) {
        return Ok(());
    }
    let consumer = consumer(kafka, isolation)?;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, 0, Offset::Beginning)
        .and_then(|()| consumer.assign(&assignment))
        .map_err(|e| trouble::of(&e, doing, place()))?;
    let mut quiet_since = Instant::now();
    loop {
        match consumer.poll(Duration::from_millis(250)) {
            Some(Ok(message)) => {
                quiet_since = Instant::now();
                let size = message.key_len() + message.payload_len();
                if size > RECORD_BYTES {
                    return Err(Failure::stop(
                        Kind::Broker,
                        Finding::error(
                            &codes::PROGRESS_DAMAGED,
                            place(),
                            format!("a record at offset {} is too large", message.offset()),
                        )
                        .remedy(codes::PROGRESS_DAMAGED.remedy),
                    ));
                }
                each(Entry {
                    offset: message.offset(),
                    key: message.key().unwrap_or_default().to_vec(),
                    value: message.payload().map(<[u8]>::to_vec),
                })?;
            }
            // The end as this isolation shows it; the caller has made sure that it is far enough.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            // No group is joined, so that its rights do not matter.
            Some(Err(error))
                if error.rdkafka_error_code()
                    == Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {}
            Some(Err(error)) => {
                let failure = trouble::of(&error, doing, place());
                let fresh = failure.retry || failure.findings[0].code == &codes::TOPIC_MISSING;
                if !fresh || quiet_since.elapsed() >= kafka.settings.patience {
                    return Err(trouble::explained(failure, kafka.watch(), doing));
                }
            }
            None if quiet_since.elapsed() >= kafka.settings.patience => {
                let silent = trouble::failure(RDKafkaErrorCode::OperationTimedOut, doing, place());
                return Err(trouble::explained(silent, kafka.watch(), doing));
            }
            None => {}
        }
    }
}
