//! Kafka transactions without a gateway: what the client and the broker take by themselves.

use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;

type Bare = ThreadedProducer<DefaultProducerContext>;

/// How long Kafka may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

fn producer(brokers: &str, id: &str) -> Bare {
    let producer: Bare = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("transactional.id", id)
        .set("linger.ms", "0")
        .set("delivery.report.only.error", "true")
        .create()
        .expect("the settings are right");
    producer
        .init_transactions(PATIENCE)
        .expect("the broker gives transactions");
    producer
}

fn commit(producer: &Bare) {
    // The binding's own commit flushes first, in slices that would flatter whoever is compared
    // with it; the native one does all that there is to do.
    // SAFETY: the client lives as long as the producer does; the error, if any, is destroyed once.
    unsafe {
        let error = sys::rd_kafka_commit_transaction(
            producer.client().native_ptr(),
            PATIENCE.as_millis() as i32,
        );
        assert!(error.is_null(), "a transaction is committed");
    }
}

fn send(producer: &Bare, topic: &str, key: &[u8], value: &[u8], partition: Option<i32>) {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    if let Some(partition) = partition {
        record = record.partition(partition);
    }
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((_, back)) => {
                record = back;
                producer.poll(Timeout::After(Duration::from_millis(1)));
            }
        }
    }
}

/// Writes a record of progress again and again, a thousand in a transaction.
pub(crate) fn repeat(brokers: &str, topic: &str, record: &OwnedMessage, times: u64) {
    let producer = producer(brokers, &format!("{topic}.bench"));
    let key = record.key().expect("progress has keys");
    let value = record.payload().expect("a position is no tombstone");
    let mut left = times;
    while left > 0 {
        let now = left.min(1000);
        producer.begin_transaction().expect("none is open");
        for _ in 0..now {
            send(&producer, topic, key, value, Some(0));
        }
        commit(&producer);
        left -= now;
    }
}

/// Sends one numbered record and one of progress a tick, whatever is due in one transaction; gives
/// when each was due.
pub(crate) fn ticks(
    brokers: &str,
    topic: &str,
    progress: &str,
    each: Duration,
    count: u64,
) -> Vec<(u64, Instant)> {
    let producer = producer(brokers, &format!("{topic}.bench"));
    let value = [7_u8; 120];
    let began = Instant::now();
    let mut due = Vec::with_capacity(count as usize);
    let mut next = 0;
    while next < count {
        let at = began + each * next as u32;
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        producer.begin_transaction().expect("none is open");
        while next < count && began + each * next as u32 <= Instant::now() {
            send(&producer, topic, next.to_string().as_bytes(), &value, None);
            due.push((next, began + each * next as u32));
            next += 1;
        }
        send(&producer, progress, b"position", &value, Some(0));
        commit(&producer);
    }
    due
}
