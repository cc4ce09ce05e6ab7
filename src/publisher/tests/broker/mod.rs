//! A real broker, and what the tests make there: names of their own, a consumer, arenas.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onramp_event::{Arena, Record, Route, RouteId, Transaction};
use onramp_finding::Failure;
use onramp_publisher::progress::{self, Progress};
use onramp_publisher::topics::{self, Keeping, Pinned, TopicSpec};
use onramp_publisher::{
    Committed, HeaderMode, Kafka, KafkaSettings, Origin, Publisher, PublisherParts,
    TransactionalProducer, WaitingProducer,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

pub(crate) fn address() -> String {
    std::env::var("ONRAMP_TEST_KAFKA").expect(
        "ONRAMP_TEST_KAFKA is not set: these tests need a real broker, host:port \
         (integration-tests/services/services start kafka)",
    )
}

/// A name that no other test and no other run has.
pub(crate) fn unique(word: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{word}_{:x}_{count}", now.as_micros())
}

pub(crate) fn settings() -> KafkaSettings {
    let mut settings = KafkaSettings::new(vec![address()]);
    settings.replication = 1;
    settings.partitions = 3;
    // The tests look for every event, and their commit times are old: ten years.
    settings.topic_settings = vec![("min.compaction.lag.ms".into(), "315360000000".into())];
    settings
}

pub(crate) fn connect(settings: KafkaSettings) -> Kafka {
    Kafka::connect(settings).unwrap()
}

pub(crate) fn spec(topic: &str) -> TopicSpec {
    TopicSpec {
        topic: topic.into(),
        product: topic.into(),
        keeping: Keeping::LastOfEachKey,
        partitions: None,
        topic_id: None,
    }
}

/// A gateway with one product's topic, ready to publish.
pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) kafka: Kafka,
    pub(crate) pinned: Vec<Pinned>,
    pub(crate) timeout: Duration,
}

pub(crate) struct Running {
    pub(crate) publisher: Publisher,
    pub(crate) arenas: mpsc::Sender<Arena>,
    pub(crate) back: mpsc::Receiver<Arena>,
    pub(crate) commits: Arc<Mutex<Vec<Committed>>>,
}

impl Gateway {
    pub(crate) fn new(settings: KafkaSettings) -> Gateway {
        Gateway::named(unique("gw"), unique("test.orders.v1"), settings)
    }

    pub(crate) fn named(name: String, topic: String, settings: KafkaSettings) -> Gateway {
        let kafka = connect(settings);
        progress::ensure_topic(&kafka, &name).unwrap();
        let pinned = topics::ensure(&kafka, &[spec(&topic)]).unwrap().topics;
        let timeout = kafka.transaction_timeout().unwrap();
        Gateway {
            name,
            topic,
            kafka,
            pinned,
            timeout,
        }
    }

    pub(crate) fn producer(&self) -> Result<TransactionalProducer, Failure> {
        WaitingProducer::connect(&self.kafka, &self.name, self.timeout)?.take_over()
    }

    pub(crate) fn route(&self) -> Route {
        Route {
            product: "test.orders.v1".into(),
            topic: self.topic.clone(),
            partitions: self.pinned[0].partitions,
            source: format!("/onramp/{}/test.orders.v1", self.name),
            types: vec![onramp_event::EventType {
                name: "test.orders.v1".into(),
                data_schema: "http://registry/schemas/ids/7".into(),
            }],
            quarantine: false,
        }
    }

    pub(crate) fn run(&self, instance: &str) -> Running {
        let producer = self.producer().unwrap();
        self.run_with(producer, instance, Vec::new())
    }

    pub(crate) fn run_with(
        &self,
        producer: TransactionalProducer,
        instance: &str,
        states: Vec<(String, progress::ProductState)>,
    ) -> Running {
        let (arenas, receiver) = mpsc::channel(4);
        let (back_to, back) = mpsc::channel(8);
        let commits = Arc::new(Mutex::new(Vec::new()));
        let told = commits.clone();
        let publisher = Publisher::spawn(PublisherParts {
            kafka: self.kafka.clone(),
            producer,
            routes: Arc::new([self.route()]),
            origin: Origin {
                gateway: self.name.clone(),
                system: "7/shop".into(),
                branch: "1".into(),
                instance: instance.into(),
            },
            from: "0/0".into(),
            states,
            notes: Vec::new(),
            pinned: self.pinned.clone(),
            arenas: receiver,
            back: back_to,
            on_commit: Box::new(move |c| told.lock().unwrap().push(c.clone())),
        })
        .unwrap();
        Running {
            publisher,
            arenas,
            back,
            commits,
        }
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        progress::read_settled(&self.kafka, &self.name, None, DEADLINE).unwrap()
    }

    pub(crate) fn position(&self) -> Option<String> {
        Some(self.progress()?.position?.position)
    }

    /// Everything that a read-committed consumer finds in the product's topic once no transaction
    /// is open there: a commit is answered before its markers stand in every partition.
    pub(crate) fn consume(&self) -> Vec<Seen> {
        let ends = |isolation| {
            let consumer = consumer(isolation);
            let end = |n| consumer.fetch_watermarks(&self.topic, n, DEADLINE);
            let partitions = 0..self.pinned[0].partitions;
            partitions.map(|n| end(n).unwrap().1).collect::<Vec<_>>()
        };
        within(|| ends("read_committed") == ends("read_uncommitted"));
        consume(&self.topic, true)
    }
}

impl Running {
    pub(crate) fn send(&self, arena: Arena) {
        self.arenas.blocking_send(arena).unwrap();
    }

    /// Waits for a commit up to this position.
    pub(crate) fn committed(&self, position: &str) {
        within(|| {
            let commits = self.commits.lock().unwrap();
            commits.iter().any(|c| &*c.position == position)
        });
    }

    pub(crate) fn end(self) -> Result<(), Failure> {
        drop(self.arenas);
        self.publisher.join()
    }
}

/// A deadline ends what hangs, and measures nothing: a machine with other work is slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// Waits for a condition, with a deadline.
pub(crate) fn within(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An arena of one source transaction (or a part of one), an event a key; None is a tombstone.
pub(crate) fn arena(
    position: Option<&str>,
    place: &str,
    partitions: i32,
    events: &[(&str, Option<&str>)],
) -> Arena {
    let mut arena = Arena::default();
    let place_span = arena.push(place.as_bytes());
    let id = arena.push(b"4711");
    arena.transactions.push(Transaction {
        replayed: None,
        origin: onramp_event::Origin::Log(4711),
        place: place_span,
        id,
        committed_at_us: 1_767_225_600_123_456,
    });
    for (ordinal, (key, value)) in events.iter().enumerate() {
        let key_span = arena.push(key.as_bytes());
        let value = value.map(|v| arena.push(v.as_bytes()));
        arena.records.push(Record {
            row: onramp_event::Span::default(),
            r#type: 0,
            route: RouteId(0),
            partition: onramp_event::partition(key.as_bytes(), partitions),
            transaction: 0,
            ordinal: ordinal as u64,
            key: key_span,
            subject: key_span,
            value,
            id: None,
            at_us: None,
            headers: onramp_event::Span::default(),
        });
    }
    arena.rows = events.len() as u64;
    arena.boundary = position.map(Arc::from);
    arena
}

/// A record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: BTreeMap<String, String>,
}

fn consumer(isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", address())
        .set("group.id", "onramp.tests")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .create()
        .unwrap()
}

/// Reads every partition of a topic to its end.
pub(crate) fn consume(topic: &str, committed: bool) -> Vec<Seen> {
    let isolation = if committed {
        "read_committed"
    } else {
        "read_uncommitted"
    };
    let consumer = consumer(isolation);
    let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).unwrap();
    let count = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in 0..count as i32 {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    // A partition's end is told again when more was written meanwhile.
    let (mut ended, mut seen) = (BTreeSet::new(), Vec::new());
    let started = Instant::now();
    while ended.len() < count {
        assert!(started.elapsed() < DEADLINE, "no end of {topic}");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let mut headers = BTreeMap::new();
                if let Some(found) = message.headers() {
                    for header in found.iter() {
                        let value = header.value.map(text).unwrap_or_default();
                        headers.insert(header.key.to_owned(), value);
                    }
                }
                seen.push(Seen {
                    partition: message.partition(),
                    key: text(message.key().unwrap()),
                    value: message.payload().map(text),
                    timestamp_ms: message.timestamp().to_millis(),
                    headers,
                });
            }
        }
    }
    seen
}

pub(crate) fn headers(mode: HeaderMode) -> KafkaSettings {
    let mut settings = settings();
    settings.headers = mode;
    settings
}

/// The code of a failure's first finding.
pub(crate) fn code(failure: &Failure) -> &'static str {
    failure.findings[0].code.id
}
