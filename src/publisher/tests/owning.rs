//! Topics and claims: whose they are, and whether they are as they must be.
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod broker;

use std::sync::{Arc, Barrier};
use std::time::Duration;

use broker::{Gateway, arena, code, connect, settings, spec, unique};
use onramp_finding::Kind;
use onramp_publisher::topics::{self, Keeping, Pinned};
use onramp_publisher::{Kafka, KafkaSettings, WaitingProducer, claims};
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", broker::address())
        .create()
        .unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn make(topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let new = settings.iter().fold(new, |t, (k, v)| t.set(k, v));
    wait(admin().create_topics([&new], &AdminOptions::new())).unwrap()[0]
        .as_ref()
        .unwrap();
}

#[test]
fn a_missing_topic_is_created_with_stated_settings_once() {
    let kafka = connect(settings());
    let topic = unique("test.created.v1");
    let first = topics::ensure(&kafka, &[spec(&topic)]).unwrap();
    assert_eq!(first.created, std::slice::from_ref(&topic));
    assert_eq!(first.topics[0].partitions, 3);
    assert!(first.topics[0].id.is_some(), "this broker gives ids");
    let second = topics::ensure(&kafka, &[spec(&topic)]).unwrap();
    assert!(second.created.is_empty());
    assert_eq!(second.topics, first.topics);

    let resource = [ResourceSpecifier::Topic(&topic)];
    let described = wait(admin().describe_configs(&resource, &AdminOptions::new())).unwrap();
    let described = described.into_iter().next().unwrap().unwrap();
    for (name, value) in [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "604800000"),
        ("min.insync.replicas", "1"),
    ] {
        let is = described.get(name).unwrap().value.as_deref();
        assert_eq!(is, Some(value), "{name}");
    }
    let bytes = described.get("max.message.bytes").unwrap().value.clone();
    assert!(bytes.unwrap().parse::<usize>().unwrap() > kafka.settings().row_bytes);
}

#[test]
fn every_setting_that_would_lose_data_is_found_at_once() {
    let kafka = connect(settings());
    let entity = unique("test.deleted.v1");
    make(
        &entity,
        2,
        &[("cleanup.policy", "delete"), ("max.message.bytes", "50000")],
    );
    let facts = unique("test.facts.v1");
    make(&facts, 2, &[("retention.ms", "1000")]);
    let mut kept = spec(&facts);
    kept.keeping = Keeping::Everything;
    let mut pinned = spec(&entity);
    pinned.partitions = Some(6);
    let failure = topics::ensure(&kafka, &[pinned, kept]).unwrap_err();
    assert!(!failure.retry);
    let all = failure
        .findings
        .iter()
        .map(|f| f.message.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    for part in [
        "has 2 partitions, its keys are spread over 6",
        "cleanup.policy=delete",
        "max.message.bytes=50000",
        "retention.ms=1000",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert!(failure.findings.iter().all(|f| f.remedy.is_some()));
}

#[test]
fn a_topic_that_progress_knows_is_never_made_again() {
    let kafka = connect(settings());
    let mut gone = spec(&unique("test.gone.v1"));
    gone.topic_id = Some("aaaaaaaaaaaaaaaaaaaaaB".into());
    let failure = topics::ensure(&kafka, &[gone.clone()]).unwrap_err();
    assert_eq!(code(&failure), "ONR-505");
    make(
        &gone.topic,
        3,
        &[
            ("cleanup.policy", "compact"),
            ("max.message.bytes", "2000000"),
        ],
    );
    let failure = topics::ensure(&kafka, &[gone]).unwrap_err();
    assert_eq!(code(&failure), "ONR-508");
}

#[test]
fn partitions_added_under_us_are_noticed() {
    let gateway = Gateway::new(settings());
    topics::check_pinned(&gateway.kafka, &gateway.pinned).unwrap();
    let more = NewPartitions::new(&gateway.topic, 5);
    wait(admin().create_partitions([&more], &AdminOptions::new())).unwrap();
    broker::within(|| {
        topics::check_pinned(&gateway.kafka, &gateway.pinned)
            .is_err_and(|failure| code(&failure) == "ONR-507")
    });
    let stranger = Pinned {
        id: Some("aaaaaaaaaaaaaaaaaaaaaB".into()),
        partitions: 5,
        ..gateway.pinned[0].clone()
    };
    let failure = topics::check_pinned(&gateway.kafka, &[stranger]).unwrap_err();
    assert_eq!(code(&failure), "ONR-508");
}

#[test]
fn a_topic_that_cannot_be_created_says_with_what() {
    let mut settings = settings();
    settings.replication = 5;
    let kafka = connect(settings);
    let failure = topics::ensure(&kafka, &[spec(&unique("test.replicas.v1"))]).unwrap_err();
    assert_eq!((code(&failure), failure.retry), ("ONR-509", false));
    assert!(
        failure.findings[0]
            .remedy
            .as_deref()
            .unwrap()
            .contains("cleanup.policy=compact")
    );
}

#[test]
fn an_event_that_the_broker_finds_too_large_names_its_product() {
    let gateway = Gateway::new(settings());
    let running = gateway.run("a");
    let lower = AlterConfig::new(ResourceSpecifier::Topic(&gateway.topic))
        .set("max.message.bytes", "2000")
        .set("cleanup.policy", "compact");
    wait(admin().alter_configs([&lower], &AdminOptions::new())).unwrap();
    // Text that lz4 cannot make small.
    let mut state = 1u64;
    let value: String = (0..20_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'!' + (state >> 58) as u8)
        })
        .collect();
    running.send(arena(Some("0/1"), "0/1", 3, &[("a", Some(&value))]));
    let failure = running.publisher.join().unwrap_err();
    assert_eq!((failure.kind, code(&failure)), (Kind::Data, "ONR-517"));
    assert_eq!(
        failure.findings[0].product.as_deref(),
        Some("test.orders.v1")
    );
    assert!(!format!("{failure:?}").contains(&value[..20]));
}

#[test]
fn the_first_claim_holds_until_it_is_released() {
    let kafka = connect(settings());
    let (mine, theirs) = (unique("gw"), unique("gw"));
    let topic = unique("test.claimed.v1");
    let wanted = [(topic.clone(), "test.claimed.v1".to_owned())];
    claims::claim(&kafka, &mine, "a", &wanted).unwrap();
    claims::claim(&kafka, &mine, "b", &wanted).unwrap();
    let failure = claims::claim(&kafka, &theirs, "c", &wanted).unwrap_err();
    assert_eq!((code(&failure), failure.retry), ("ONR-510", false));
    assert!(failure.findings[0].message.contains(&mine));
    assert_eq!(claims::owners(&kafka).unwrap()[&topic], mine);
    claims::release(&kafka, &mine, std::slice::from_ref(&topic)).unwrap();
    claims::claim(&kafka, &theirs, "c", &wanted).unwrap();
    assert_eq!(claims::owners(&kafka).unwrap()[&topic], theirs);
}

#[test]
fn of_gateways_that_claim_at_once_exactly_one_wins() {
    let topic = unique("test.raced.v1");
    let wanted = [(topic.clone(), "test.raced.v1".to_owned())];
    let start = Arc::new(Barrier::new(4));
    let racers: Vec<_> = (0..4)
        .map(|_| {
            let (start, wanted, name) = (start.clone(), wanted.clone(), unique("gw"));
            std::thread::spawn(move || {
                let kafka = connect(settings());
                start.wait();
                (claims::claim(&kafka, &name, "a", &wanted), name)
            })
        })
        .collect();
    let ended: Vec<_> = racers.into_iter().map(|r| r.join().unwrap()).collect();
    let won: Vec<_> = ended
        .iter()
        .filter(|(claimed, _)| claimed.is_ok())
        .collect();
    assert_eq!(won.len(), 1, "{ended:?}");
    let owners = claims::owners(&connect(settings())).unwrap();
    assert_eq!(owners[&topic], won[0].1);
}

#[test]
fn a_time_out_beyond_the_brokers_is_refused() {
    let gateway = Gateway::new(settings());
    assert_eq!(
        gateway.timeout,
        Duration::from_secs(900),
        "as the broker allows"
    );
    let day = Duration::from_secs(86_400);
    let failure = WaitingProducer::connect(&gateway.kafka, &gateway.name, day)
        .and_then(WaitingProducer::take_over)
        .unwrap_err();
    assert_eq!(
        (failure.kind, code(&failure)),
        (Kind::Configuration, "ONR-518")
    );
}

#[test]
fn a_broker_that_is_not_there_is_trouble_that_may_pass() {
    let mut settings = KafkaSettings::new(vec!["127.0.0.1:1".into()]);
    settings.patience = Duration::from_millis(500);
    let failure = Kafka::connect(settings).err().unwrap();
    assert_eq!((code(&failure), failure.retry), ("ONR-501", true));
    assert!(failure.findings[0].message.contains("127.0.0.1:1"));
}
