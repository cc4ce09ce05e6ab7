//! From a commit in the database until a read-committed consumer has the event, beside what a bare
//! Kafka transaction takes from being due until the same consumer has its record.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message;
use tokio::task::JoinHandle;

use super::stage::Stage;
use super::watched::Watched;
use super::{Goal, Measure, Options, bare, kafka, quantile};

/// Two hundred transactions a second.
pub(crate) const EACH: Duration = Duration::from_millis(5);
/// What is left out at the beginning: caches, connections and code that runs for the first time.
const WARM_UP: u64 = 400;

/// p50 and p99 of both.
pub(crate) async fn measure(options: &Options) -> Vec<Measure> {
    let mut stage = Stage::new().await;
    let count = WARM_UP + options.seconds * 1000 / EACH.as_millis() as u64;
    println!(
        "latency: {} s at 200 transactions a second",
        options.seconds
    );
    let events = gateway(&mut stage, count).await;
    println!("latency: the same on bare Kafka transactions");
    let bare = bare(&stage, count).await;
    stage.close().await;
    let of = |share: f64, name: &str| {
        Measure::new(
            format!("commit to read-committed consumer, {name}"),
            quantile(&events, share),
            "ms",
        )
        .beside("bare transaction", quantile(&bare, share))
    };
    vec![
        of(0.5, "p50").goal(Goal::Most(6.0)),
        of(0.95, "p95"),
        of(0.99, "p99").goal(Goal::MostAboveFloor(10.0)),
        of(1.0, "worst"),
    ]
}

async fn gateway(stage: &mut Stage, count: u64) -> Vec<f64> {
    let run = stage.prepare("transaction").await;
    let (gateway, _) = Watched::start(stage).await;
    let db = stage.scenario.connect().await;
    let insert = db.prepare(&Stage::insert_one()).await;
    let insert = insert.expect("the statement is right");
    let seen = listen(&stage.scenario.servers.kafka, &run.topic, count).await;
    let began = Instant::now();
    let mut committed = Vec::with_capacity(count as usize);
    for n in 0..count {
        tokio::time::sleep_until((began + EACH * n as u32).into()).await;
        let written = db.execute(&insert, &[&(n as i64)]).await;
        written.expect("the table takes the row");
        committed.push((n, Instant::now()));
    }
    let found = between(&committed, &seen.await.expect("no panic"));
    gateway.stop().await;
    stage.discard(&run).await;
    found
}

async fn bare(stage: &Stage, count: u64) -> Vec<f64> {
    let brokers = stage.scenario.servers.kafka.clone();
    let topic = format!("{}.bare", stage.scenario.name);
    let progress = format!("{}.bare-progress", stage.scenario.name);
    kafka::create(&brokers, &topic, 6).await;
    kafka::create(&brokers, &progress, 1).await;
    let seen = listen(&brokers, &topic, count).await;
    let due = {
        let (brokers, topic, progress) = (brokers.clone(), topic.clone(), progress.clone());
        tokio::task::spawn_blocking(move || bare::ticks(&brokers, &topic, &progress, EACH, count))
    };
    let due = due.await.expect("no panic");
    let found = between(&due, &seen.await.expect("no panic"));
    kafka::delete(&brokers, &[topic, progress]).await;
    found
}

/// Takes down when each key arrives, from here on.
async fn listen(brokers: &str, topic: &str, count: u64) -> JoinHandle<HashMap<u64, Instant>> {
    let listener = Listener::start(brokers, topic, 0).await;
    listener.expected.store(count, Ordering::Release);
    listener.seen
}

/// A consumer that takes down when each key arrives for the first time, smaller ones left out.
pub(crate) struct Listener {
    expected: Arc<AtomicU64>,
    seen: JoinHandle<HashMap<u64, Instant>>,
}

impl Listener {
    /// Listens from here on.
    pub(crate) async fn start(brokers: &str, topic: &str, least: u64) -> Listener {
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        let consumer =
            tokio::task::spawn_blocking(move || kafka::consumer(&brokers, &topic, Offset::End));
        let consumer = consumer.await.expect("no panic");
        let expected = Arc::new(AtomicU64::new(u64::MAX));
        let seen = tokio::task::spawn_blocking({
            let expected = expected.clone();
            move || arrivals(&consumer, least, &expected)
        });
        Listener { expected, seen }
    }

    /// When each of these arrived, once all have.
    pub(crate) async fn all_of(self, sent: &[(u64, Instant)]) -> HashMap<u64, Instant> {
        self.expected.store(sent.len() as u64, Ordering::Release);
        self.seen.await.expect("no panic")
    }
}

fn arrivals(consumer: &BaseConsumer, least: u64, expected: &AtomicU64) -> HashMap<u64, Instant> {
    let mut seen = HashMap::new();
    let mut last = Instant::now();
    while (seen.len() as u64) < expected.load(Ordering::Acquire) {
        match consumer.poll(Duration::from_millis(100)) {
            Some(message) => {
                last = Instant::now();
                let message = message.expect("the broker answers");
                let key = message.key().unwrap_or_default();
                let number = std::str::from_utf8(key).ok().and_then(|k| k.parse().ok());
                let number: u64 = number.expect("keys are numbers");
                if number >= least {
                    seen.entry(number).or_insert(last);
                }
            }
            None => assert!(last.elapsed() < Duration::from_secs(30), "events arrive"),
        }
    }
    seen
}

/// Milliseconds from one to the other, without the first ones.
fn between(sent: &[(u64, Instant)], seen: &HashMap<u64, Instant>) -> Vec<f64> {
    let late = sent.iter().filter(|(n, _)| *n >= WARM_UP);
    late.map(|(n, at)| seen[n].saturating_duration_since(*at).as_secs_f64() * 1e3)
        .collect()
}
