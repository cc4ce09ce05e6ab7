//! What happens among the brokers, and between them and the producer, costs no event and doubles
//! none.

use std::time::Duration;

use onramp_integration_tests::broker::{fence, leader, unsettled};
use onramp_integration_tests::history::{Dice, History, PRODUCT, TABLE, Writer};
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, extent, until};

const BROKER: i32 = 67;

async fn accounts(servers: Servers, more: &str) -> Scenario {
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let file = scenario.gateway_file("");
    let kafka = "kafka:\n";
    scenario.write(
        "onramp.yaml",
        &file.replace(kafka, &format!("{kafka}{more}")),
    );
    scenario
}

/// One transaction, so large that it takes the gateway a while.
async fn large(scenario: &Scenario, rows: u32) {
    let insert = format!("INSERT INTO acct SELECT n, 1, 'a' FROM generate_series(1, {rows}) n");
    let inserted = scenario.db.batch_execute(&insert).await;
    inserted.expect("the database takes it");
}

/// How many events the topic holds, and of how many keys.
async fn published(scenario: &Scenario) -> (u64, usize) {
    let extent = extent(&scenario.servers, &scenario.topic("accounts.v1")).await;
    (extent.events.values().sum(), extent.keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_moves_costs_no_event_and_doubles_none() {
    let private = Private::cluster().await;
    let scenario = accounts(private.servers(), "").await;
    let gateway = Gateway::streaming(&scenario).await;
    let topic = scenario.topic("accounts.v1");
    let progress = format!("onramp.{}.progress", scenario.name);
    let mut history = History::default();
    // Once the leader of events, once that of progress.
    for (seed, led) in [(1, &topic), (2, &progress)] {
        let writer = Writer::start(&scenario, history, seed).await;
        writer.under_way().await;
        let before = leader(&scenario.servers, led).await.expect("it has one");
        let broker = format!("kafka-{before}");
        private.run("kill", &broker).await;
        until("another leader", Duration::from_secs(60), async || {
            leader(&scenario.servers, led)
                .await
                .is_some_and(|now| now != before)
        })
        .await;
        // Without the killed one: two brokers are enough for what must be in sync.
        let commits = gateway.metric("onramp_commits_total").unwrap_or_default();
        until(
            "commits to the new leader",
            Duration::from_secs(60),
            async || gateway.metric("onramp_commits_total") > Some(commits + 5.0),
        )
        .await;
        history = writer.stop().await;
        history.is_told(&scenario).await;
        private.run("start", &broker).await;
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_coordinator_gave_up_is_done_again() {
    // The coordinator looks for transactions that ran out of time every ten seconds by default.
    let often = "transaction.abort.timed.out.transaction.cleanup.interval.ms=500";
    let private = Private::broker(|_| often.to_owned()).await;
    // Long enough for all of it on a machine with much other work, once the gateway is let go on.
    let short = "  properties: { transaction.timeout.ms: \"45000\" }\n";
    let scenario = accounts(private.servers(), short).await;
    let topic = scenario.topic("accounts.v1");
    let mut gateway = Gateway::streaming(&scenario).await;
    let rows = 200_000;
    large(&scenario, rows).await;
    until("an open transaction", Duration::from_secs(60), async || {
        unsettled(&scenario.servers, &topic).await > 0
    })
    .await;
    gateway.signal("STOP");
    assert!(
        unsettled(&scenario.servers, &topic).await > 0,
        "it froze with its transaction open"
    );
    until(
        "the coordinator to end it",
        Duration::from_secs(60),
        async || unsettled(&scenario.servers, &topic).await == 0,
    )
    .await;
    assert_eq!(published(&scenario).await, (0, 0), "aborted");
    gateway.signal("CONT");
    until("every row", Duration::from_secs(120), async || {
        assert!(gateway.runs(), "it starts over:\n{}", gateway.output());
        published(&scenario).await.0 >= u64::from(rows)
    })
    .await;
    assert_eq!(published(&scenario).await, (u64::from(rows), rows as usize));
    assert!(gateway.output().contains("trying again"));
    gateway.wait_ready("streaming").await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_fenced_by_nobody_starts_over() {
    let scenario = accounts(Servers::find(), "").await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let mut history = History::default();
    let mut dice = Dice::new(8);
    history.transaction(&scenario.db, &mut dice, 9).await;
    history.is_told(&scenario).await;
    // Once with this process's own record in progress, once with that of the process before.
    for _ in 0..2 {
        fence(&scenario.servers, &scenario.name).await;
        let told = history.len();
        while history.len() == told {
            history.transaction(&scenario.db, &mut dice, 9).await;
        }
        until("it to start over", Duration::from_secs(60), async || {
            assert!(gateway.runs(), "it starts over:\n{}", gateway.output());
            gateway.metric("onramp_errors_total{kind=\"fenced\"}") >= Some(1.0)
        })
        .await;
        gateway.wait_ready("streaming").await;
        history.is_told(&scenario).await;
        assert!(gateway.stop().await.success());
        gateway = Gateway::streaming(&scenario).await;
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_transaction_that_takes_too_long_stops_it_once() {
    let short = "  properties: { transaction.timeout.ms: \"2000\" }\n";
    let scenario = accounts(Servers::find(), short).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    large(&scenario, 400_000).await;
    let output = gateway.refuses(BROKER, "ONR-516").await;
    for named in [
        "after position",
        "events",
        "bytes",
        "events/s",
        "transaction.timeout.ms",
    ] {
        assert!(output.contains(named), "{named}: {output}");
    }
    assert!(
        !output.contains("trying again why=ONR-516"),
        "no loop: {output}"
    );
    assert_eq!(published(&scenario).await, (0, 0));
    // With the time that it takes nothing of it is lost.
    scenario.write("onramp.yaml", &scenario.gateway_file(""));
    let gateway = Gateway::streaming(&scenario).await;
    until("every row", Duration::from_secs(120), async || {
        published(&scenario).await == (400_000, 400_000)
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
