//! What happens to readers, tables and the gateway while rows are read: nothing is lost, nothing
//! comes twice, and what falsifies a row stops before it.

use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::seam::{done, run, versions};
use onramp_integration_tests::{Gateway, Scenario, consume, latest_by_key, records, until};

const DATA: i32 = 65;
const SOURCE: i32 = 66;
/// So many that to read them in small chunks takes minutes, and what happens meanwhile happens
/// meanwhile; [`finish`] reads the rest in large ones.
const ROWS: usize = 30_000;
const SMALL: u32 = 2;
const LARGE: u32 = 10_000;

fn chunks(scenario: &Scenario, rows: u32) {
    let settings = format!("snapshot: {{ readers: 2, chunk_rows: {rows} }}\n");
    scenario.write("onramp.yaml", &scenario.gateway_file(&settings));
}

/// Rows that take long to read, and a gateway that has begun to.
async fn reading(product: &str) -> (Scenario, Gateway) {
    let scenario = Scenario::new(TABLE).await;
    chunks(&scenario, SMALL);
    scenario.write("products/accounts.yaml", product);
    let fill = format!("INSERT INTO acct SELECT n, -n, 'old' FROM generate_series(1, {ROWS}) n");
    run(&scenario.db, &fill).await;
    let gateway = Gateway::reading(&scenario).await;
    until("the first rows", Duration::from_secs(30), async || {
        told(&scenario).await.len() >= 20
    })
    .await;
    (scenario, gateway)
}

async fn told(scenario: &Scenario) -> Vec<onramp_integration_tests::Event> {
    consume(&scenario.servers, &scenario.topic("accounts.v1")).await
}

/// Waits until the run goes on after what was done to it.
async fn goes_on(scenario: &Scenario, gateway: &mut Gateway, before: usize) {
    until("more rows", Duration::from_secs(60), async || {
        assert!(gateway.runs(), "it ended:\n{}", gateway.output());
        told(scenario).await.len() > before
    })
    .await;
}

/// Has another gateway read the rest, in large chunks.
async fn finish(scenario: &Scenario, gateway: Gateway) -> Gateway {
    assert!(told(scenario).await.len() < ROWS, "it all came too late");
    assert!(gateway.stop().await.success());
    chunks(scenario, LARGE);
    let gateway = Gateway::reading(scenario).await;
    done(scenario, "accounts.v1").await;
    gateway
}

async fn each_row_once(scenario: &Scenario) {
    let events = told(scenario).await;
    assert_eq!(events.len(), ROWS, "each row once");
    assert_eq!(latest_by_key(&events).len(), ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_whose_connections_are_ended_go_on() {
    let (scenario, mut gateway) = reading(PRODUCT).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE '%reader'";
    let mut ended = 0;
    until("readers to end", Duration::from_secs(60), async || {
        let row = scenario.db.query_one(end, &[]).await.unwrap();
        ended += row.get::<_, i64>(0);
        ended >= 6
    })
    .await;
    until("it to be noticed", Duration::from_secs(60), async || {
        gateway.output().contains("a chunk is read again")
    })
    .await;
    let before = told(&scenario).await.len();
    goes_on(&scenario, &mut gateway, before).await;
    let gateway = finish(&scenario, gateway).await;
    each_row_once(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_behind_the_last_row_it_published() {
    let (scenario, mut gateway) = reading(PRODUCT).await;
    for _ in 0..3 {
        let before = told(&scenario).await.len();
        gateway.kill();
        gateway = Gateway::reading(&scenario).await;
        until("the run to go on", Duration::from_secs(30), async || {
            gateway.output().contains("goes_on=true")
        })
        .await;
        goes_on(&scenario, &mut gateway, before).await;
    }
    let gateway = finish(&scenario, gateway).await;
    each_row_once(&scenario).await;
    // Rows are counted as they are published: none was published again.
    let progress = format!("onramp.{}.progress", scenario.name);
    let notes = records(&scenario.servers, &progress).await;
    let history = notes.iter().rfind(|(key, _)| key.starts_with("history/"));
    assert!(
        history.unwrap().1.contains(&format!("\"rows\":{ROWS}")),
        "{history:?}"
    );
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_rewritten_meanwhile_is_read_on() {
    let (scenario, mut gateway) = reading(PRODUCT).await;
    let rewrite = "ALTER TABLE acct ADD COLUMN more text DEFAULT gen_random_uuid()::text";
    run(&scenario.db, rewrite).await;
    let now = told(&scenario).await.len();
    goes_on(&scenario, &mut gateway, now).await;
    let gateway = finish(&scenario, gateway).await;
    each_row_once(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_retyped_meanwhile_stops_before_a_row_is_false() {
    let (scenario, mut gateway) = reading(PRODUCT).await;
    run(
        &scenario.db,
        "ALTER TABLE acct ALTER COLUMN ver TYPE numeric",
    )
    .await;
    gateway.refuses(DATA, "ONR-313").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_dropped_meanwhile_stops() {
    let (scenario, mut gateway) = reading(PRODUCT).await;
    run(&scenario.db, "DROP TABLE acct").await;
    gateway.refuses(SOURCE, "ONR-411").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_truncated_meanwhile_stops_or_is_read_on() {
    let (scenario, mut gateway) = reading(PRODUCT).await;
    run(&scenario.db, "TRUNCATE acct").await;
    gateway.refuses(DATA, "ONR-325").await;
    scenario.close().await;

    let ignore = PRODUCT.replace("key: [", "on_truncate: ignore\nkey: [");
    let (scenario, mut gateway) = reading(&ignore).await;
    let anew = format!(
        "BEGIN; TRUNCATE acct; INSERT INTO acct SELECT n, n, 'new' FROM generate_series(1, {ROWS}, 10) n; COMMIT"
    );
    run(&scenario.db, &anew).await;
    let now = told(&scenario).await.len();
    goes_on(&scenario, &mut gateway, now).await;
    let gateway = finish(&scenario, gateway).await;
    let events = told(&scenario).await;
    let mut by_key = std::collections::HashMap::<_, Vec<_>>::new();
    for event in events {
        by_key.entry(event.key.clone()).or_default().push(event);
    }
    for key in (1..=ROWS as i64).step_by(10) {
        let told = versions(&by_key[&key.to_string()], &key.to_string());
        assert_eq!(told.last().unwrap().1, Some(key), "key {key}: {told:?}");
        let old = told.iter().rposition(|(_, v)| *v == Some(-key));
        let new = told.iter().position(|(_, v)| *v == Some(key));
        assert!(old < new, "key {key} steps back: {told:?}");
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
