//! What a start reads of earlier ones.
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod broker;

use std::time::Duration;

use broker::{DEADLINE, Gateway, arena, code, connect, settings, unique};
use onramp_publisher::progress::{self, ProductState, ProductStatus, Progress};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// Somebody else's producer, with a transaction of its own.
fn stranger(id: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker::address())
        .set("transactional.id", id)
        .set("transaction.timeout.ms", "600000")
        .create()
        .unwrap();
    producer.init_transactions(DEADLINE).unwrap();
    producer
}

fn write(producer: &BaseProducer, topic: &str, key: &str, value: &str) {
    producer
        .send(BaseRecord::to(topic).key(key).payload(value))
        .map_err(|(e, _)| e)
        .unwrap();
    producer.flush(DEADLINE).unwrap();
}

#[test]
fn there_is_none_before_the_first_commit() {
    let kafka = connect(settings());
    assert_eq!(progress::read(&kafka, &unique("gw")).unwrap(), None);
    let gateway = Gateway::new(settings());
    assert_eq!(progress::read(&gateway.kafka, &gateway.name).unwrap(), None);
    assert_eq!(gateway.progress(), None);
}

#[test]
fn a_hanging_transaction_is_waited_for_and_refused_when_it_does_not_end() {
    let gateway = Gateway::new(settings());
    let running = gateway.run("a");
    running.send(arena(Some("0/1"), "0/1", 3, &[("a", Some("1"))]));
    running.committed("0/1");
    running.end().unwrap();
    // A commit is answered before the topic shows it.
    assert_eq!(gateway.position().as_deref(), Some("0/1"));

    let hanging = stranger(&unique("stranger"));
    hanging.begin_transaction().unwrap();
    let topic = progress::topic(&gateway.name);
    write(&hanging, &topic, "position", "not ours");
    let wait = Duration::from_millis(600);
    let failure = progress::read_settled(&gateway.kafka, &gateway.name, None, wait).unwrap_err();
    assert_eq!((code(&failure), failure.retry), ("ONR-513", false));
    // Without fencing the settled part is read.
    let before = progress::read(&gateway.kafka, &gateway.name)
        .unwrap()
        .unwrap();
    assert_eq!(before.position.unwrap().position, "0/1");

    // It ends while we wait.
    let reading = std::thread::spawn({
        let (kafka, name) = (gateway.kafka.clone(), gateway.name.clone());
        move || progress::read_settled(&kafka, &name, None, DEADLINE)
    });
    hanging.abort_transaction(DEADLINE).unwrap();
    let read = reading.join().unwrap().unwrap().unwrap();
    assert_eq!(read.position.unwrap().position, "0/1");
}

#[test]
fn a_newer_format_and_a_strangers_record_are_refused() {
    for (value, expected) in [
        (r#"{"format":99,"gateway":"x"}"#, "ONR-511"),
        ("hello", "ONR-512"),
    ] {
        let gateway = Gateway::new(settings());
        let other = stranger(&unique("stranger"));
        other.begin_transaction().unwrap();
        write(&other, &progress::topic(&gateway.name), "position", value);
        other.commit_transaction(DEADLINE).unwrap();
        // A commit is answered before the topic shows it.
        broker::within(|| progress::read(&gateway.kafka, &gateway.name) != Ok(None));
        let failure = progress::read(&gateway.kafka, &gateway.name).unwrap_err();
        assert_eq!(code(&failure), expected);
        assert!(!failure.retry);
    }
}

#[test]
fn the_newest_of_many_commits_is_found() {
    let gateway = Gateway::new(settings());
    let running = gateway.run("a");
    for n in 0..100 {
        let position = format!("0/{n:03}");
        running.send(arena(Some(&position), &position, 3, &[("a", Some("1"))]));
        running.committed(&position);
    }
    running.end().unwrap();
    assert_eq!(gateway.position().as_deref(), Some("0/099"));
}

#[test]
fn a_settled_reading_goes_on_from_the_one_before() {
    let gateway = Gateway::new(settings());
    let state = ProductState {
        format: progress::FORMAT,
        from: "0/0".into(),
        contract_hash: "c".into(),
        mapping_hash: "m".into(),
        topic_id: None,
        partitions: 3,
        key_schema_id: None,
        value_schema_id: Some(1),
        event_schema_ids: Default::default(),
        tables: Vec::new(),
        status: ProductStatus::Active,
        protection: None,
    };
    let producer = gateway.producer().unwrap();
    let first = gateway.run_with(producer, "a", vec![("kept".into(), state.clone())]);
    first.send(arena(Some("0/1"), "0/1", 3, &[("a", Some("1"))]));
    first.committed("0/1");
    first.end().unwrap();
    // A commit is answered before the topic shows it.
    let shown = gateway.progress();
    let before = progress::read(&gateway.kafka, &gateway.name).unwrap();
    assert_eq!(before, shown);
    let settled = |before: Option<&Progress>| {
        progress::read_settled(&gateway.kafka, &gateway.name, before, DEADLINE).unwrap()
    };
    assert_eq!(settled(before.as_ref()), before, "nothing came since");

    let producer = gateway.producer().unwrap();
    let second = gateway.run_with(producer, "b", vec![("new".into(), state.clone())]);
    second.send(arena(Some("0/2"), "0/2", 3, &[("a", Some("2"))]));
    second.committed("0/2");
    second.end().unwrap();
    let after = settled(before.as_ref());
    assert_eq!(after, settled(None), "the same as a reading from the start");
    let after = after.unwrap();
    assert_eq!(after.position.unwrap().position, "0/2");
    let names: Vec<_> = after.products.into_keys().collect();
    assert_eq!(names, ["kept", "new"]);
}

#[test]
fn a_progress_topic_that_forgets_or_is_spread_is_refused() {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", broker::address())
        .create()
        .unwrap();
    let name = unique("gw");
    let topic = progress::topic(&name);
    let new = NewTopic::new(&topic, 2, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new()));
    made.unwrap()[0].as_ref().unwrap();
    let failure = progress::ensure_topic(&connect(settings()), &name).unwrap_err();
    let codes: Vec<_> = failure.findings.iter().map(|f| f.code.id).collect();
    assert_eq!(codes, ["ONR-507", "ONR-506"]);
}
