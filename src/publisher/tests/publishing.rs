//! What a read-committed consumer finds, whatever happens to the publisher.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod broker;

use std::time::Duration;

use broker::{Gateway, arena, code, headers, settings, within};
use onramp_finding::Kind;
use onramp_publisher::HeaderMode;
use onramp_publisher::progress::{ProductState, ProductStatus};

#[test]
fn every_event_arrives_once_and_in_order_per_key() {
    let gateway = Gateway::new(settings());
    let running = gateway.run("a");
    for n in 0..200 {
        let position = format!("0/{n:04}");
        let key = format!("k{}", n % 7);
        let value = format!("v{n}");
        running.send(arena(
            Some(&position),
            &position,
            3,
            &[(&key, Some(&value))],
        ));
    }
    running.committed("0/0199");
    running.end().unwrap();

    let seen = gateway.consume();
    assert_eq!(seen.len(), 200);
    for k in 0..7 {
        let of_key = seen.iter().filter(|s| s.key == format!("k{k}"));
        let values: Vec<&str> = of_key.map(|s| s.value.as_deref().unwrap()).collect();
        let expected: Vec<String> = (0..200)
            .filter(|n| n % 7 == k)
            .map(|n| format!("v{n}"))
            .collect();
        assert_eq!(values, expected);
    }
    assert!(
        seen.iter()
            .all(|s| s.partition == onramp_event::partition(s.key.as_bytes(), 3))
    );
    assert_eq!(gateway.position().as_deref(), Some("0/0199"));
}

#[test]
fn an_event_carries_its_commit_time_and_a_delete_no_value() {
    let gateway = Gateway::new(headers(HeaderMode::None));
    let running = gateway.run("a");
    running.send(arena(
        Some("0/1"),
        "0/1",
        3,
        &[("a", Some("")), ("b", None)],
    ));
    running.committed("0/1");
    running.end().unwrap();
    let mut seen = gateway.consume();
    seen.sort_by(|x, y| x.key.cmp(&y.key));
    assert_eq!(seen[0].value.as_deref(), Some(""), "empty is not deleted");
    assert_eq!(seen[1].value, None);
    assert_eq!(seen[0].timestamp_ms, Some(1_767_225_600_123));
    assert!(seen.iter().all(|s| s.headers.is_empty()));
}

#[test]
fn headers_are_those_of_the_mode() {
    let gateway = Gateway::new(headers(HeaderMode::Transaction));
    let running = gateway.run("a");
    running.send(arena(
        Some("0/9"),
        "0/9",
        3,
        &[("k", Some("v")), ("k", None)],
    ));
    running.committed("0/9");
    running.end().unwrap();
    let seen = gateway.consume();
    let pairs: Vec<(&str, &str)> = seen[1]
        .headers
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(pairs, [("onramp_ordinal", "1"), ("onramp_tx", "4711")]);

    let gateway = Gateway::new(headers(HeaderMode::CloudEvents));
    let running = gateway.run("a");
    running.send(arena(
        Some("0/9"),
        "0/9",
        3,
        &[("k", Some("v")), ("k", None)],
    ));
    running.committed("0/9");
    running.end().unwrap();
    let seen = gateway.consume();
    let source = gateway.route().source;
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", "0/9-1"),
        ("ce_source", source.as_str()),
        ("ce_type", "test.orders.v1"),
        ("ce_time", "2026-01-01T00:00:00.123456Z"),
        ("ce_subject", "k"),
        ("ce_dataschema", "http://registry/schemas/ids/7"),
        ("content-type", "application/avro"),
        ("onramp_tx", "4711"),
        ("onramp_ordinal", "1"),
    ] {
        assert_eq!(
            seen[1].headers.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(seen[1].headers.len(), 10);
}

#[test]
fn a_source_transaction_is_never_split() {
    let mut settings = settings();
    settings.commit_every = Duration::from_millis(1);
    settings.commit_bytes = 1;
    let gateway = Gateway::new(settings);
    let mut running = gateway.run("a");
    running.send(arena(None, "0/1", 3, &[("a", Some("1"))]));
    running.send(arena(None, "0/1", 3, &[("b", Some("2"))]));
    // Both are taken, and both bounds are passed by far.
    for _ in 0..2 {
        running.back.blocking_recv().unwrap();
    }
    within(|| broker::consume(&gateway.topic, false).len() == 2);
    assert!(broker::consume(&gateway.topic, true).is_empty());
    assert!(running.commits.lock().unwrap().is_empty());
    running.send(arena(Some("0/1"), "0/1", 3, &[("c", Some("3"))]));
    running.committed("0/1");
    assert_eq!(gateway.consume().len(), 3);
    assert_eq!(running.commits.lock().unwrap().len(), 1);
    running.end().unwrap();
}

#[test]
fn what_is_abandoned_before_its_commit_is_never_seen() {
    let gateway = Gateway::new(settings());
    let mut running = gateway.run("a");
    running.send(arena(Some("0/1"), "0/1", 3, &[("a", Some("1"))]));
    running.committed("0/1");
    running.send(arena(None, "0/2", 3, &[("a", Some("2"))]));
    for _ in 0..2 {
        running.back.blocking_recv().unwrap();
    }
    // The gateway ends inside a source transaction.
    running.end().unwrap();
    assert_eq!(gateway.position().as_deref(), Some("0/1"));

    // The next one starts over from there.
    let running = gateway.run("b");
    running.send(arena(
        Some("0/2"),
        "0/2",
        3,
        &[("a", Some("2")), ("b", Some("3"))],
    ));
    running.committed("0/2");
    running.end().unwrap();
    let values: Vec<_> = gateway
        .consume()
        .into_iter()
        .filter_map(|s| s.value)
        .collect();
    assert_eq!(values.len(), 3);
    assert_eq!(values.iter().filter(|v| *v == "2").count(), 1);
    let position = gateway.progress().unwrap().position.unwrap();
    assert_eq!(
        (position.position.as_str(), position.instance.as_str()),
        ("0/2", "b")
    );
    assert_eq!(
        position.source_commit.as_deref(),
        Some("2026-01-01T00:00:00.123456Z")
    );
}

#[test]
fn an_abandoned_publisher_ends_at_once_and_aborts() {
    let gateway = Gateway::new(settings());
    let mut running = gateway.run("a");
    running.send(arena(None, "0/1", 3, &[("a", Some("1"))]));
    running.back.blocking_recv().unwrap();
    running.publisher.abandon();
    // The channel is open still: a source that hangs keeps nobody from ending.
    running.publisher.join().unwrap();
    assert_eq!(gateway.position(), None);
    assert!(gateway.consume().is_empty());
    assert!(running.arenas.is_closed());
}

#[test]
fn a_second_producer_fences_the_first_and_nothing_is_doubled() {
    let gateway = Gateway::new(settings());
    let mut first = gateway.run("a");
    first.send(arena(None, "0/1", 3, &[("a", Some("first"))]));
    first.back.blocking_recv().unwrap();
    // In the broker, uncommitted, when the second begins.
    within(|| broker::consume(&gateway.topic, false).len() == 1);

    let second = gateway.run("b");
    first.send(arena(Some("0/1"), "0/1", 3, &[("b", Some("first"))]));
    let failure = first.publisher.join().unwrap_err();
    assert_eq!((failure.kind, code(&failure)), (Kind::Fenced, "ONR-514"));
    assert_eq!(gateway.position(), None);

    second.send(arena(
        Some("0/1"),
        "0/1",
        3,
        &[("a", Some("second")), ("b", Some("second"))],
    ));
    second.committed("0/1");
    second.end().unwrap();
    let seen = gateway.consume();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|s| s.value.as_deref() == Some("second")));
}

#[test]
fn products_states_and_idle_progress_are_written_without_events() {
    let gateway = Gateway::new(settings());
    let state = ProductState {
        format: 1,
        from: "0/0".into(),
        contract_hash: "c".into(),
        mapping_hash: "m".into(),
        topic_id: gateway.pinned[0].id.clone(),
        partitions: 3,
        key_schema_id: None,
        value_schema_id: Some(7),
        event_schema_ids: Default::default(),
        tables: Vec::new(),
        status: ProductStatus::Active,
        protection: None,
    };
    let states = vec![("test.orders.v1".to_owned(), state.clone())];
    let running = gateway.run_with(gateway.producer().unwrap(), "a", states);
    running.send(arena(Some("0/5"), "0/5", 3, &[]));
    running.committed("0/5");
    // One that changes later is written soon.
    let retired = ProductState {
        status: ProductStatus::Retired,
        ..state.clone()
    };
    running.publisher.note("test.returns.v1", &retired);
    within(|| running.commits.lock().unwrap().len() == 2);
    // The next position is written after ten seconds, or at the end.
    running.send(arena(Some("0/6"), "0/6", 3, &[]));
    running.end().unwrap();
    let progress = gateway.progress().unwrap();
    assert_eq!(progress.position.unwrap().position, "0/6");
    assert_eq!(progress.products["test.orders.v1"], state);
    assert_eq!(progress.products["test.returns.v1"], retired);
    assert!(gateway.consume().is_empty());
}

#[test]
fn an_event_beyond_the_limit_stops_naming_the_product_and_no_value() {
    let mut settings = settings();
    settings.row_bytes = 1000;
    let gateway = Gateway::new(settings);
    let running = gateway.run("a");
    let large = "hunter2".repeat(200);
    running.send(arena(Some("0/1"), "0/1", 3, &[("a", Some(&large))]));
    let failure = running.publisher.join().unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry, code(&failure)),
        (Kind::Data, false, "ONR-517")
    );
    assert_eq!(
        failure.findings[0].product.as_deref(),
        Some("test.orders.v1")
    );
    assert!(!format!("{failure:?}").contains("hunter2"));
    assert!(gateway.consume().is_empty());
    assert_eq!(gateway.position(), None);
}

#[test]
fn what_does_not_fit_the_time_out_stops_once_and_says_what_to_set() {
    let mut settings = settings();
    settings.properties = vec![("transaction.timeout.ms".into(), "2000".into())];
    let gateway = Gateway::new(settings);
    assert_eq!(gateway.timeout, Duration::from_secs(2));
    let running = gateway.run("a");
    running.send(arena(Some("0/1"), "0/1", 3, &[("a", Some("1"))]));
    running.committed("0/1");
    running.send(arena(None, "0/2", 3, &[("a", Some("2"))]));
    let failure = running.publisher.join().unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry, code(&failure)),
        (Kind::Broker, false, "ONR-516")
    );
    let finding = &failure.findings[0];
    assert!(
        finding.message.contains("after position 0/1"),
        "{}",
        finding.message
    );
    assert!(
        finding
            .remedy
            .as_deref()
            .unwrap()
            .contains("transaction.max.timeout.ms")
    );
    assert_eq!(gateway.consume().len(), 1);
}

#[test]
fn a_topic_deleted_under_us_stops_the_gateway() {
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::client::DefaultClientContext;
    let gateway = Gateway::new(settings());
    let running = gateway.run("a");
    running.send(arena(Some("0/1"), "0/1", 3, &[("a", Some("1"))]));
    running.committed("0/1");
    let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker::address())
        .create()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(admin.delete_topics(&[gateway.topic.as_str()], &AdminOptions::new()))
        .unwrap();
    let failure = running.publisher.join().unwrap_err();
    assert!(!failure.retry, "{failure}");
    assert_eq!(code(&failure), "ONR-505", "nobody made it again: {failure}");
}

#[test]
fn three_hundred_thousand_events_in_one_transaction_take_no_memory() {
    let gateway = Gateway::new(settings());
    let mut running = gateway.run("a");
    let value = "x".repeat(100);
    let keys: Vec<String> = (0..1000).map(|n| format!("key-{n}")).collect();
    let events: Vec<(&str, Option<&str>)> = keys
        .iter()
        .map(|k| (k.as_str(), Some(value.as_str())))
        .collect();
    let mut after_warm_up = 0;
    for n in 0..300 {
        let last = n == 299;
        running.send(arena(last.then_some("0/1"), "0/1", 3, &events));
        while running.back.try_recv().is_ok() {}
        if n == 100 {
            after_warm_up = resident_bytes();
        }
    }
    running.committed("0/1");
    let grown = resident_bytes().saturating_sub(after_warm_up);
    assert!(
        grown < 12 << 20,
        "grew by {grown} bytes over 200,000 events"
    );
    let commits = running.commits.lock().unwrap().clone();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].events, 300_000);
    running.end().unwrap();
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}
