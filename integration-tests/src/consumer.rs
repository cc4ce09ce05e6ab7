//! A read-committed consumer that reads a topic to its end.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use apache_avro::Schema;
use onramp_registry::{RegistryClient, RegistryOptions};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::{LEAST_PATIENCE, Servers};

/// One event, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key's text.
    pub key: String,
    /// Its value by its registered schema; None is a tombstone.
    pub value: Option<serde_json::Value>,
    /// Its value's bytes.
    pub bytes: Option<Vec<u8>>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its time, in milliseconds.
    pub timestamp_ms: i64,
}

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a transaction may be open before it is taken for one that nobody ends.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// Reads every committed event of a topic, partition by partition.
///
/// # Panics
/// Where the broker does not answer, or an event cannot be decoded.
pub async fn consume(servers: &Servers, topic: &str) -> Vec<Event> {
    let (brokers, name) = (servers.kafka.clone(), topic.to_owned());
    let raw = tokio::task::spawn_blocking(move || read(&brokers, &name))
        .await
        .expect("no panic");
    let registry = RegistryClient::new(RegistryOptions::new(servers.registry.clone()))
        .expect("the registry's URL is right");
    let mut schemas: HashMap<u32, Schema> = HashMap::new();
    let mut events = raw;
    for event in &mut events {
        let Some(bytes) = &event.bytes else { continue };
        assert_eq!(bytes[0], 0, "the framing's first byte");
        let id = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        if let std::collections::hash_map::Entry::Vacant(entry) = schemas.entry(id) {
            let text = registry
                .schema_by_id(id)
                .await
                .expect("the registry answers");
            let text = text.expect("the schema is registered");
            entry.insert(Schema::parse_str(&text).expect("a registered schema is a schema"));
        }
        let mut rest = &bytes[5..];
        let value = apache_avro::reader::datum::GenericDatumReader::builder(&schemas[&id])
            .build()
            .and_then(|reader| reader.read_value(&mut rest))
            .expect("an event is of its schema");
        assert!(rest.is_empty(), "nothing follows an event's value");
        event.value = Some(json(value));
    }
    events
}

/// How much a topic holds, without decoding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Committed events, by partition.
    pub events: BTreeMap<i32, u64>,
    /// Offsets that no committed event has, by partition: markers of transactions, and what was
    /// aborted. One, where all of it came in one transaction and nothing was aborted.
    pub markers: BTreeMap<i32, u64>,
    /// How many keys there are.
    pub keys: usize,
}

/// Reads every committed event of a topic and keeps none.
///
/// # Panics
/// Where the broker does not answer.
pub async fn extent(servers: &Servers, topic: &str) -> Extent {
    let (brokers, name) = (servers.kafka.clone(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut keys = std::collections::HashSet::new();
        let mut events = BTreeMap::new();
        let ends = each(&brokers, &name, |message| {
            keys.insert(message.key().unwrap_or_default().to_vec());
            *events.entry(message.partition()).or_default() += 1;
        });
        let markers = ends
            .into_iter()
            .map(|(p, end)| (p, end as u64 - events.get(&p).copied().unwrap_or(0)))
            .collect();
        Extent {
            events,
            markers,
            keys: keys.len(),
        }
    })
    .await
    .expect("no panic")
}

/// Reads every committed record of a topic that holds text: its keys and values.
///
/// # Panics
/// Where the broker does not answer.
pub async fn records(servers: &Servers, topic: &str) -> Vec<(String, String)> {
    let (brokers, name) = (servers.kafka.clone(), topic.to_owned());
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default());
    tokio::task::spawn_blocking(move || read(&brokers, &name))
        .await
        .expect("no panic")
        .into_iter()
        .map(|event| (event.key, text(event.bytes).expect("the topic holds text")))
        .collect()
}

/// The state that a compacted topic comes to: the last value of each key that is not a tombstone.
pub fn latest_by_key(events: &[Event]) -> BTreeMap<String, serde_json::Value> {
    let mut state = BTreeMap::new();
    for event in events {
        match &event.value {
            Some(value) => state.insert(event.key.clone(), value.clone()),
            None => state.remove(&event.key),
        };
    }
    state
}

fn read(brokers: &str, topic: &str) -> Vec<Event> {
    let mut events = Vec::new();
    each(brokers, topic, |message| events.push(event(message)));
    events.sort_by_key(|e: &Event| (e.partition, e.offset));
    events
}

/// Shows every committed message up to the ends that are answered.
fn each(
    brokers: &str,
    topic: &str,
    mut show: impl FnMut(&BorrowedMessage<'_>),
) -> HashMap<i32, i64> {
    let consumer = client(brokers, "read_committed");
    let ends = settled(brokers, &consumer, topic);
    let mut list = TopicPartitionList::new();
    for partition in ends.keys() {
        list.add_partition_offset(topic, *partition, Offset::Beginning)
            .expect("no partition twice");
    }
    consumer.assign(&list).expect("the partitions exist");
    let began = Instant::now();
    loop {
        // A consumer's position passes commit markers too, which no message shows.
        let position = consumer.position().expect("partitions are assigned");
        let done = ends.iter().all(|(partition, end)| {
            *end == 0
                || position
                    .find_partition(topic, *partition)
                    .is_some_and(|p| matches!(p.offset(), Offset::Offset(at) if at >= *end))
        });
        if done {
            return ends;
        }
        if let Some(Some(message)) = consumer.poll(Duration::from_millis(50)).map(answered)
            // What was written after the ends were asked for is not among what they bound.
            && ends
                .get(&message.partition())
                .is_some_and(|end| message.offset() < *end)
        {
            show(&message);
        }
        assert!(
            began.elapsed() < LEAST_PATIENCE,
            "{topic} is read to its end, {ends:?}, and stands at {position:?}"
        );
    }
}

fn client(brokers: &str, isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("isolation.level", isolation)
        .set("enable.partition.eof", "false")
        .create()
        .expect("the settings are right")
}

/// Where a topic ends, by partition, as a read-committed consumer has it once the transactions that
/// are under way now have ended. A commit is answered before its markers stand in every partition,
/// so the committed end alone may lack what somebody was told is committed.
fn settled(brokers: &str, committed: &BaseConsumer, topic: &str) -> HashMap<i32, i64> {
    let written = ends(&client(brokers, "read_uncommitted"), topic);
    let began = Instant::now();
    loop {
        let now = ends(committed, topic);
        let reached = |(partition, end): (&i32, &i64)| now.get(partition) >= Some(end);
        // A killed gateway's transaction stays open until there is another gateway.
        if written.iter().all(reached) || began.elapsed() > SETTLES_WITHIN {
            return now;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ends(consumer: &BaseConsumer, topic: &str) -> HashMap<i32, i64> {
    let metadata = consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .expect("the broker answers");
    let partitions = metadata.topics()[0].partitions().iter();
    let began = Instant::now();
    // A partition that was just made may have no leader yet.
    let end = |id| loop {
        let marks = consumer.fetch_watermarks(topic, id, PATIENCE);
        if marks.is_ok() || began.elapsed() > PATIENCE {
            return marks;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    partitions
        .map(|p| (p.id(), end(p.id()).expect("the broker answers").1))
        .collect()
}

/// A message; None where one broker of several is down, which the consumer gets over by itself.
fn answered(polled: Result<BorrowedMessage<'_>, KafkaError>) -> Option<BorrowedMessage<'_>> {
    use rdkafka::error::RDKafkaErrorCode as E;
    match polled {
        Ok(message) => Some(message),
        Err(error) => {
            let passes = [E::BrokerTransportFailure, E::Resolve, E::AllBrokersDown];
            let code = error.rdkafka_error_code();
            assert!(code.is_some_and(|c| passes.contains(&c)), "{error}");
            None
        }
    }
}

fn event(message: &BorrowedMessage<'_>) -> Event {
    let mut headers = BTreeMap::new();
    if let Some(all) = message.headers() {
        for header in all.iter() {
            let value = String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned();
            headers.insert(header.key.to_owned(), value);
        }
    }
    Event {
        partition: message.partition(),
        offset: message.offset(),
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        value: None,
        bytes: message.payload().map(<[u8]>::to_vec),
        headers,
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
    }
}

/// Avro's value as plain JSON; decimals, dates and times by their debug form.
fn json(value: apache_avro::types::Value) -> serde_json::Value {
    use apache_avro::types::Value as A;
    match value {
        A::Null => serde_json::Value::Null,
        A::Boolean(b) => b.into(),
        A::Int(n) | A::Date(n) | A::TimeMillis(n) => n.into(),
        A::Long(n)
        | A::TimestampMicros(n)
        | A::TimeMicros(n)
        | A::LocalTimestampMicros(n)
        | A::TimestampMillis(n) => n.into(),
        A::Float(x) => x.into(),
        A::Double(x) => x.into(),
        A::String(s) | A::Enum(_, s) => s.into(),
        A::Union(_, inner) => json(*inner),
        A::Uuid(u) => u.to_string().into(),
        A::Decimal(d) => {
            let bytes = Vec::<u8>::try_from(d).expect("a decimal has its bytes");
            let mut n: i128 = if bytes.first().is_some_and(|b| b & 0x80 != 0) {
                -1
            } else {
                0
            };
            for byte in bytes {
                n = (n << 8) | i128::from(byte);
            }
            n.to_string().into()
        }
        A::Array(items) => items.into_iter().map(json).collect(),
        A::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        A::Record(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => format!("{other:?}").into(),
    }
}
