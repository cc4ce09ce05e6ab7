//! A source transaction of any size is one Kafka transaction, with flat memory.

use std::time::Duration;

use onramp_integration_tests::{Gateway, Scenario, extent, until};

const ROWS: u64 = 1_000_000;
/// Of a debug build; what counts is that it does not grow with the transaction, whose events are
/// many times as much.
const RSS_BYTES: u64 = 120 << 20;

const PRODUCT: &str = r#"
product: DOMAIN.rows.v1
status: active
owner: { team: rows, contact: rows@shop.test }
description: Rows.
kind: entity
source: { table: public.rows }
key: [row_id]
unchanged_toast: stop
fields:
  row_id: { type: long, from: id }
  note:   { type: string, from: note }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_a_million_rows_is_one_kafka_transaction_in_flat_memory() {
    let table = "CREATE TABLE rows (id bigint PRIMARY KEY, note varchar(200) NOT NULL)";
    let scenario = Scenario::new(table).await;
    scenario.write("products/rows.yaml", PRODUCT);
    let mut gateway = Gateway::streaming(&scenario).await;
    // What is undone in it is no part of it.
    let fill = format!(
        "BEGIN;
         INSERT INTO rows SELECT n, repeat('x', 100) FROM generate_series(1, {ROWS}) n;
         SAVEPOINT undone; INSERT INTO rows VALUES (-1, 'undone'); ROLLBACK TO SAVEPOINT undone;
         COMMIT"
    );
    scenario.db.batch_execute(&fill).await.unwrap();
    let events = |gateway: &Gateway| gateway.metric("onramp_events_total").unwrap_or_default();
    until("a million events", Duration::from_secs(600), async || {
        if !gateway.runs() {
            panic!("the gateway ended:\n{}", gateway.output());
        }
        events(&gateway) as u64 >= ROWS
    })
    .await;
    let peak = gateway.peak_rss_bytes();
    assert!(peak <= RSS_BYTES, "{} MiB resident", peak >> 20);
    let found = extent(&scenario.servers, &scenario.topic("rows.v1")).await;
    assert_eq!(found.events.values().sum::<u64>(), ROWS, "{found:?}");
    assert_eq!(found.keys as u64, ROWS, "each row once");
    // One marker in each partition: one Kafka transaction, and nothing aborted before it.
    assert!(found.markers.values().all(|n| *n == 1), "{found:?}");
    assert_eq!(found.markers.len(), 3);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
