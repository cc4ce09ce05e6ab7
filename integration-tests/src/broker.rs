//! What somebody else does on the broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::{Servers, until};

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Puts a record into a topic.
///
/// # Panics
/// Where the broker does not take it.
pub async fn produce(servers: &Servers, topic: &str, key: &str, value: &str) {
    let (brokers, topic) = (servers.kafka.clone(), topic.to_owned());
    let (key, value) = (key.to_owned(), value.to_owned());
    let work = move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create()
            .expect("the settings are right");
        producer
            .send(BaseRecord::to(&topic).key(&key).payload(&value))
            .expect("the queue is empty");
        producer.flush(PATIENCE).expect("the broker takes it");
    };
    tokio::task::spawn_blocking(work).await.expect("no panic");
}

/// Deletes a topic and makes another of its name.
///
/// # Panics
/// Where the broker does not do it.
pub async fn recreate(servers: &Servers, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &servers.kafka)
        .create()
        .expect("the settings are right");
    let options = AdminOptions::new();
    let deleted = admin.delete_topics(&[topic], &options).await;
    assert_eq!(deleted.expect("the broker answers"), [Ok(topic.to_owned())]);
    // The old name is free once the deletion has gone round.
    until(
        "the topic's name to be free",
        Duration::from_secs(30),
        async || {
            let anew = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
            let made = admin.create_topics(&[anew], &options).await;
            made.expect("the broker answers")[0].is_ok()
        },
    )
    .await;
}

/// Deletes topics for good.
///
/// # Panics
/// Where the broker does not do it.
pub async fn delete(servers: &Servers, topics: &[String]) {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", &servers.kafka);
    let admin: AdminClient<DefaultClientContext> =
        settings.create().expect("the settings are right");
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let deleted = admin.delete_topics(&names, &AdminOptions::new()).await;
    let deleted = deleted.expect("the broker answers");
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    for topic in topics {
        until("the topic to be gone", PATIENCE, async || {
            ask(servers, topic, "read_uncommitted", |consumer, topic| {
                let all = consumer.fetch_metadata(None, PATIENCE);
                let all = all.expect("the broker answers");
                !all.topics().iter().any(|t| t.name() == topic)
            })
            .await
        })
        .await;
    }
}

/// Fences a gateway's producer as a time-out would: its transactional id is taken, and nothing is
/// written.
///
/// # Panics
/// Where the broker does not do it.
pub async fn fence(servers: &Servers, gateway: &str) {
    let (brokers, id) = (servers.kafka.clone(), format!("onramp_{gateway}"));
    let work = move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("transactional.id", id)
            .create()
            .expect("the settings are right");
        let taken = producer.init_transactions(PATIENCE);
        taken.expect("the broker answers");
    };
    tokio::task::spawn_blocking(work).await.expect("no panic");
}

/// The broker that leads a topic's first partition; None where there is none at the moment.
///
/// # Panics
/// Where no broker answers.
pub async fn leader(servers: &Servers, topic: &str) -> Option<i32> {
    ask(servers, topic, "read_uncommitted", |consumer, topic| {
        let metadata = consumer
            .fetch_metadata(Some(topic), PATIENCE)
            .expect("a broker answers");
        let partition = metadata.topics().first()?.partitions().first()?;
        (partition.leader() >= 0).then_some(partition.leader())
    })
    .await
}

/// How many offsets of a topic stand behind the end that read-committed consumers see: more than
/// none as long as a transaction with events in it is open.
///
/// # Panics
/// Where the broker does not answer.
pub async fn unsettled(servers: &Servers, topic: &str) -> i64 {
    let ends = |consumer: &BaseConsumer, topic: &str| {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE);
        let metadata = metadata.expect("the broker answers");
        let partitions = metadata.topics()[0].partitions().iter();
        let end = |id| consumer.fetch_watermarks(topic, id, PATIENCE);
        partitions
            .map(|p| end(p.id()).expect("the broker answers").1)
            .sum::<i64>()
    };
    // The committed end first: what comes in between counts as unsettled, never the reverse.
    let committed = ask(servers, topic, "read_committed", ends).await;
    ask(servers, topic, "read_uncommitted", ends).await - committed
}

/// Asks a consumer of an isolation, beside the runtime.
async fn ask<T: Send + 'static>(
    servers: &Servers,
    topic: &str,
    isolation: &'static str,
    question: impl FnOnce(&BaseConsumer, &str) -> T + Send + 'static,
) -> T {
    let (brokers, topic) = (servers.kafka.clone(), topic.to_owned());
    let work = move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "none")
            .set("isolation.level", isolation)
            .create()
            .expect("the settings are right");
        question(&consumer, &topic)
    };
    tokio::task::spawn_blocking(work).await.expect("no panic")
}
