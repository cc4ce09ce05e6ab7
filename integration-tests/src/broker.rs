//! What somebody else does on the broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::{Servers, until};

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
        producer
            .flush(Duration::from_secs(20))
            .expect("the broker takes it");
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
