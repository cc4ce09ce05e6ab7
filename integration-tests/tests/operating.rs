//! What an operator does and sees: stopping it in whatever it is at, metrics, giving topics back.

use std::process::Command;
use std::time::{Duration, Instant};

use onramp_integration_tests::history::{Dice, History, PRODUCT, TABLE, Writer};
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, until};

/// What the files of these tests allow for draining.
const DRAIN: Duration = Duration::from_secs(3);
/// What it may take beyond that, on a machine with much other work. What it waits for in these tests
/// never comes, so that one which does not mind its time does not end at all.
const GRACE: Duration = Duration::from_secs(60);

async fn accounts(servers: Servers) -> Scenario {
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    scenario.write("onramp.yaml", &scenario.gateway_file("drain: 3s\n"));
    scenario
}

/// It ends well, and in time.
async fn ends(gateway: Gateway) {
    let told = Instant::now();
    let output = gateway.output();
    assert!(gateway.stop().await.success(), "{output}");
    let took = told.elapsed();
    assert!(took < DRAIN + GRACE, "took {took:?} after\n{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_it_starts() {
    // Connections are taken, and nothing is ever answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut servers = Servers::find();
    servers.kafka = silent.local_addr().unwrap().to_string();
    let scenario = accounts(servers).await;
    let mut gateway = Gateway::start(&scenario);
    gateway.wait_says("starting: connecting to Kafka").await;
    ends(gateway).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_it_tries_again() {
    let mut servers = Servers::find();
    // A port that no test is given and nothing listens on.
    servers.registry = "http://127.0.0.1:1".into();
    let scenario = accounts(servers).await;
    let mut gateway = Gateway::start(&scenario);
    gateway.wait_says("trying again").await;
    ends(gateway).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_as_a_standby_and_while_it_streams() {
    let scenario = accounts(Servers::find()).await;
    let first = Gateway::streaming(&scenario).await;
    let mut second = Gateway::start(&scenario);
    second.wait_ready("standby").await;
    ends(second).await;
    // Under load: what was read is published, and the rest is there at the next start.
    let writer = Writer::start(&scenario, History::default(), 3).await;
    writer.under_way().await;
    ends(first).await;
    let history = writer.stop().await;
    let gateway = Gateway::streaming(&scenario).await;
    history.is_told(&scenario).await;
    ends(gateway).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_it_waits_for_kafka() {
    let private = Private::start(&["kafka"]).await;
    let scenario = accounts(private.servers()).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let (mut dice, mut history) = (Dice::new(2), History::default());
    history.transaction(&scenario.db, &mut dice, 9).await;
    history.is_told(&scenario).await;
    private.run("kill", "kafka").await;
    let told = history.len();
    while history.len() == told {
        history.transaction(&scenario.db, &mut dice, 9).await;
    }
    gateway.wait_says("waiting for Kafka").await;
    ends(gateway).await;
    private.run("start", "kafka").await;
    let gateway = Gateway::streaming(&scenario).await;
    history.is_told(&scenario).await;
    ends(gateway).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_an_operator_watches() {
    let scenario = accounts(Servers::find()).await;
    let others = PRODUCT.replace("accounts.v1", "others.v1");
    scenario.write("products/others.yaml", &others);
    let gateway = Gateway::streaming(&scenario).await;
    let insert = "INSERT INTO acct VALUES (1, 1, 'a'), (2, 1, 'b'); DELETE FROM acct";
    scenario.db.batch_execute(insert).await.unwrap();
    let of = |name: &str, product: &str| {
        let label = format!("{name}{{product=\"{}\"}}", scenario.topic(product));
        gateway.metric(&label)
    };
    for product in ["accounts.v1", "others.v1"] {
        until(
            "its events to be counted",
            Duration::from_secs(30),
            async || of("onramp_events_total", product) == Some(4.0),
        )
        .await;
        assert!(of("onramp_event_bytes_total", product) > Some(0.0));
    }
    assert_eq!(gateway.metric("onramp_rows_total"), Some(4.0));
    assert!(gateway.metric("onramp_commits_total") >= Some(1.0));
    assert!(gateway.metric("onramp_commit_seconds_count") >= Some(1.0));
    assert_eq!(gateway.metric("onramp_aborts_total"), Some(0.0));
    for gauge in [
        "onramp_lag_bytes",
        "onramp_lag_seconds",
        "onramp_transaction_open",
    ] {
        assert!(gateway.metric(gauge) >= Some(0.0), "{gauge}");
    }
    until("the retained log", Duration::from_secs(30), async || {
        gateway.metric("onramp_source_retained_bytes") >= Some(0.0)
    })
    .await;
    // Each kind from the start, so that its first error is a change.
    for kind in [
        "configuration",
        "data",
        "source",
        "broker",
        "registry",
        "fenced",
        "internal",
    ] {
        let name = format!("onramp_errors_total{{kind=\"{kind}\"}}");
        assert_eq!(gateway.metric(&name), Some(0.0), "{kind}");
    }
    ends(gateway).await;
    scenario.close().await;
}

fn release(scenario: &Scenario, topic: &str) -> (Option<i32>, String) {
    let done = Command::new(onramp_integration_tests::binary())
        .args(["release-topic", "--config"])
        .arg(scenario.config())
        .arg(topic)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone")
        .output()
        .expect("the binary onramp is built");
    let text = [done.stdout, done.stderr].concat();
    (
        done.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_given_back_by_the_gateway_that_holds_it_once_it_is_retired() {
    let first = accounts(Servers::find()).await;
    let others = PRODUCT.replace("accounts.v1", "others.v1");
    first.write("products/others.yaml", &others);
    let topic = first.topic("accounts.v1");
    let gateway = Gateway::streaming(&first).await;
    let insert = "INSERT INTO acct VALUES (1, 1, 'a')";
    first.db.batch_execute(insert).await.unwrap();
    until("its event", Duration::from_secs(30), async || {
        gateway.metric("onramp_rows_total") == Some(1.0)
    })
    .await;
    let second = accounts(Servers::find()).await;
    second.write(
        "products/accounts.yaml",
        &PRODUCT.replace("DOMAIN", &first.name),
    );
    let refused = |scenario: &Scenario, code: &str| {
        let (exit, output) = release(scenario, &topic);
        assert_eq!(exit, Some(64), "{output}");
        assert!(output.contains(code), "{code}: {output}");
    };
    refused(&second, "ONR-524");
    refused(&first, "ONR-523");
    // Its file says so, and a gateway that was started before goes on.
    let retired = PRODUCT.replace("status: active", "status: retired");
    first.write("products/accounts.yaml", &retired);
    refused(&first, "ONR-523");
    ends(gateway).await;
    let gateway = Gateway::streaming(&first).await;
    first
        .db
        .batch_execute("UPDATE acct SET ver = 2")
        .await
        .unwrap();
    until("its next event", Duration::from_secs(30), async || {
        gateway.metric("onramp_rows_total") == Some(1.0)
    })
    .await;
    let mut waits = Gateway::start(&second);
    waits.refuses(64, "ONR-510").await;
    let (exit, output) = release(&first, &topic);
    assert_eq!((exit, output), (Some(0), format!("{topic}: released\n")));
    refused(&first, "ONR-524");
    let next = Gateway::streaming(&second).await;
    ends(next).await;
    ends(gateway).await;
    first.close().await;
    second.close().await;
}
