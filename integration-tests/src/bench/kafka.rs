//! What the benchmark itself does on Kafka: counts, makes and deletes topics.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(20);

/// A consumer of committed events, assigned to all of a topic from here on.
pub(crate) fn consumer(brokers: &str, topic: &str, from: Offset) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .expect("the settings are right");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE);
    let metadata = metadata.expect("the broker answers");
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        let offset = match from {
            // Fixed now: "the end" would be looked up when the first fetch is on its way.
            Offset::End => Offset::Offset(end(&consumer, topic, partition.id())),
            other => other,
        };
        list.add_partition_offset(topic, partition.id(), offset)
            .expect("no partition twice");
    }
    consumer.assign(&list).expect("the partitions exist");
    consumer
}

/// Where a partition ends; one that was just made may have no leader yet.
fn end(consumer: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    let began = Instant::now();
    loop {
        match consumer.fetch_watermarks(topic, partition, PATIENCE) {
            Ok((_, end)) => return end,
            Err(error) => assert!(began.elapsed() < PATIENCE, "the broker answers: {error}"),
        }
    }
}

/// Counts the committed events of a topic, until there are as many or nothing comes.
pub(crate) fn count(brokers: &str, topic: &str, expected: u64) -> u64 {
    let consumer = consumer(brokers, topic, Offset::Beginning);
    let (mut count, mut last) = (0, Instant::now());
    // Past the expected number it listens for a moment more: one too many is as wrong.
    while last.elapsed() < Duration::from_secs(if count < expected { 15 } else { 1 }) {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            message.expect("the broker answers");
            count += 1;
            last = Instant::now();
        }
    }
    count
}

/// The last record of a topic with one partition.
pub(crate) fn last_record(brokers: &str, topic: &str) -> OwnedMessage {
    let consumer = consumer(brokers, topic, Offset::Beginning);
    let (mut found, mut last) = (None, Instant::now());
    while last.elapsed() < Duration::from_secs(2) {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.expect("the broker answers");
            if message.key() == Some(b"position") {
                found = Some(message.detach());
            }
            last = Instant::now();
        }
    }
    found.expect("a gateway that streamed has written its position")
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .expect("the settings are right")
}

/// Creates a topic.
pub(crate) async fn create(brokers: &str, topic: &str, partitions: i32) {
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = admin(brokers)
        .create_topics([&topic], &AdminOptions::new())
        .await;
    made.expect("the broker answers")
        .remove(0)
        .expect("the topic is new");
}

/// Deletes topics; those that are not there do no harm.
pub(crate) async fn delete(brokers: &str, topics: &[String]) {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let gone = admin(brokers)
        .delete_topics(&names, &AdminOptions::new())
        .await;
    gone.expect("the broker answers");
}
