//! What breaks beneath the gateway breaks no promise: every committed change once, in order.

use std::time::Duration;

use onramp_integration_tests::history::{Dice, History, PRODUCT, TABLE, Writer};
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, until};

async fn accounts(servers: Servers) -> Scenario {
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    scenario
}

/// Loads until some of it was published.
async fn loaded(scenario: &Scenario, gateway: &Gateway) -> Writer {
    let writer = Writer::start(scenario, History::default(), 1).await;
    writer.under_way().await;
    until("some commits", Duration::from_secs(30), async || {
        gateway
            .metric("onramp_commits_total")
            .is_some_and(|n| n > 5.0)
    })
    .await;
    writer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgresql_costs_no_change() {
    let private = Private::start(&["postgres15"]).await;
    let mut scenario = accounts(private.servers()).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let (mut dice, mut history) = (Dice::new(3), History::default());
    for _ in 0..3 {
        // Killed with the gateway behind: what was committed is on the server's disk alone.
        for _ in 0..150 {
            history.transaction(&scenario.db, &mut dice, 50).await;
        }
        private.run("kill", "postgres15").await;
        gateway.wait_says("trying again").await;
        private.run("start", "postgres15").await;
        scenario.db = scenario.connect().await;
        gateway.wait_ready("streaming").await;
    }
    history.transaction(&scenario.db, &mut dice, 50).await;
    history.is_told(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_made_again() {
    let scenario = accounts(Servers::find()).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let writer = loaded(&scenario, &gateway).await;
    for _ in 0..5 {
        let walsender = scenario.of_slot("active_pid").await;
        scenario
            .of_slot("pg_terminate_backend(active_pid)")
            .await
            .expect("the slot is in use");
        until("another walsender", Duration::from_secs(30), async || {
            let now = scenario.of_slot("active_pid").await;
            now.is_some() && now != walsender
        })
        .await;
        gateway.wait_ready("streaming").await;
    }
    let history = writer.stop().await;
    history.is_told(&scenario).await;
    assert!(gateway.metric("onramp_errors_total{kind=\"source\"}") >= Some(5.0));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_costs_no_event_and_doubles_none() {
    let private = Private::start(&["kafka"]).await;
    let scenario = accounts(private.servers()).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let writer = loaded(&scenario, &gateway).await;
    for _ in 0..2 {
        private.run("kill", "kafka").await;
        // Not silent: the outage is to be seen from outside while it lasts.
        until(
            "the outage to be seen",
            Duration::from_secs(60),
            async || {
                gateway
                    .get("/ready")
                    .is_ok_and(|answer| answer.starts_with("HTTP/1.1 503"))
            },
        )
        .await;
        private.run("start", "kafka").await;
        gateway.wait_ready("streaming").await;
    }
    let history = writer.stop().await;
    history.is_told(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_gateway_that_wakes_publishes_nothing_twice() {
    let scenario = accounts(Servers::find()).await;
    let mut first = Gateway::streaming(&scenario).await;
    let mut second = Gateway::start(&scenario);
    second.wait_ready("standby").await;
    let writer = loaded(&scenario, &first).await;
    first.signal("STOP");
    // The server gives a silent walsender up after wal_sender_timeout; here it is told to.
    scenario
        .of_slot("pg_terminate_backend(active_pid)")
        .await
        .expect("the slot is in use");
    second.wait_ready("streaming").await;
    let before = second.metric("onramp_commits_total").unwrap_or_default();
    until(
        "the second's commits",
        Duration::from_secs(30),
        async || {
            second
                .metric("onramp_commits_total")
                .is_some_and(|n| n > before + 3.0)
        },
    )
    .await;
    // What the first had under way when it froze is tried now, under an epoch that is over.
    first.signal("CONT");
    let mut ready = String::new();
    until(
        "the first to give way",
        Duration::from_secs(60),
        async || {
            ready = first.get("/ready").unwrap_or_default();
            !first.runs() || ready.contains("standby")
        },
    )
    .await;
    if !first.runs() {
        first.refuses(69, "ONR-514").await;
    }
    assert!(second.runs(), "the second goes on:\n{}", second.output());
    let history = writer.stop().await;
    history.is_told(&scenario).await;
    drop(first);
    assert!(second.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_database_lets_go_of_the_log_that_others_write() {
    let scenario = accounts(Servers::find()).await;
    let gateway = Gateway::streaming(&scenario).await;
    let mut history = History::default();
    history
        .transaction(&scenario.db, &mut Dice::new(5), 5)
        .await;
    // Another database of the same server writes; no change of it is ours.
    let other = Scenario::on(scenario.servers.clone(), "CREATE TABLE t (n int)").await;
    other
        .db
        .batch_execute("INSERT INTO t SELECT generate_series(1, 20000)")
        .await
        .unwrap();
    let written: String = other
        .db
        .query_one("SELECT pg_current_wal_lsn()::text", &[])
        .await
        .unwrap()
        .get(0);
    let passed = format!("confirmed_flush_lsn >= '{written}'::pg_lsn");
    until("the slot to move on", Duration::from_secs(40), async || {
        scenario.of_slot(&passed).await.as_deref() == Some("true")
    })
    .await;
    // Progress moved with it: a restart finds no slot ahead of progress.
    gateway.kill();
    let gateway = Gateway::streaming(&scenario).await;
    history
        .transaction(&scenario.db, &mut Dice::new(6), 5)
        .await;
    history.is_told(&scenario).await;
    assert!(gateway.stop().await.success());
    other.close().await;
    scenario.close().await;
}
