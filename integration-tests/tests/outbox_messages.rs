//! Outboxes without a table: messages that an application writes into the log alone.

use std::time::Duration;

use onramp_integration_tests::{Event, Gateway, Scenario, records, until};
use serde_json::json;

async fn sql(scenario: &Scenario, sql: &str) {
    scenario.db.batch_execute(sql).await.expect("it runs");
}

async fn events(scenario: &Scenario, count: usize) -> Vec<Event> {
    scenario.events("order-events.v1", count).await
}

const MESSAGES: &str = r#"
product: DOMAIN.order-events.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: What happens to orders.
kind: outbox
on_error: quarantine
source: { message_prefix: orders. }
columns: { id: meta.id, type: meta.type, key: order, payload: data, timestamp: meta.at, headers: { traceparent: meta.trace } }
events:
  OrderCancelled:
    payload: json
    fields:
      order_id: { type: long }
      by:       { type: record, fields: { name: { type: string } } }
      shop:     { type: string, from: content, at: shop, optional: true }
      reason:   { type: string, at: why.text, optional: true }
      lines:    { type: array, items: { type: record, fields: { sku: { type: string } } } }
"#;

fn message(transactional: bool, order: i64) -> String {
    format!(
        "SELECT pg_logical_emit_message({transactional}, 'orders.cancelled', '{{\"order\": {order}, \"shop\": \"York\", \
         \"meta\": {{\"id\": \"m{order}\", \"type\": \"OrderCancelled\", \"at\": 1767323045678, \"trace\": \"00-1\"}}, \
         \"data\": {{\"order_id\": {order}, \"by\": {{\"name\": \"Al\"}}, \"why\": {{\"text\": \"late\"}}, \"lines\": [{{\"sku\": \"A\"}}]}}}}');"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_own_messages_are_events_where_a_transaction_holds_them() {
    let scenario = Scenario::new("").await;
    scenario.write("products/events.yaml", MESSAGES);
    let mut gateway = Gateway::reading(&scenario).await;
    sql(&scenario, &message(true, 1)).await;
    sql(&scenario, &format!("BEGIN; {} ROLLBACK", message(true, 2))).await;
    sql(
        &scenario,
        "SELECT pg_logical_emit_message(true, 'users.', 'x'); \
         SELECT pg_logical_emit_message(true, 'orders.', 'no JSON'); \
         SELECT pg_logical_emit_message(false, 'users.', 'x')",
    )
    .await;
    gateway.kill();
    gateway = Gateway::reading(&scenario).await;
    sql(
        &scenario,
        &format!("BEGIN; {} {} COMMIT", message(true, 3), message(true, 4)),
    )
    .await;
    let told = events(&scenario, 3).await;
    let mut keys: Vec<&str> = told.iter().map(|e| e.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["1", "3", "4"]);
    let first = told.iter().find(|e| e.key == "1").expect("it is there");
    assert_eq!(
        first.value,
        Some(json!({
            "order_id": 1, "by": { "name": "Al" }, "shop": "York", "reason": "late",
            "lines": [{ "sku": "A" }]
        }))
    );
    assert_eq!(first.timestamp_ms, 1_767_323_045_678);
    assert_eq!(first.headers["onramp_event_id"], "m1");
    assert_eq!(first.headers["traceparent"], "00-1");
    let topic = scenario.topic("order-events.v1.quarantine");
    until("the quarantine", Duration::from_secs(60), async || {
        let kept = records(&scenario.servers, &topic).await;
        kept.len() == 1 && kept[0].1.contains("ONR-335")
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_transaction_holds_stops_the_gateway_until_it_is_accepted() {
    let scenario = Scenario::new("").await;
    scenario.write("products/events.yaml", MESSAGES);
    let mut gateway = Gateway::reading(&scenario).await;
    sql(&scenario, &message(true, 1)).await;
    events(&scenario, 1).await;
    // It stops the gateway, before it is lost or told for nothing; again, however often it starts.
    sql(&scenario, &message(false, 2)).await;
    sql(&scenario, &message(true, 3)).await;
    assert!(!gateway.ended().await.success());
    assert!(gateway.output().contains("ONR-462"), "{}", gateway.output());
    gateway = Gateway::start(&scenario);
    assert!(!gateway.ended().await.success());
    let said = gateway.output();
    assert!(
        said.contains("messages_outside_transactions"),
        "the way out is named: {said}"
    );
    assert_eq!(events(&scenario, 1).await.len(), 1);

    let file = scenario.gateway_file("");
    let accepting = file.replace(
        "  tls: {",
        "  accept: [messages_outside_transactions]\n  tls: {",
    );
    assert_ne!(accepting, file);
    scenario.write("onramp.yaml", &accepting);
    gateway = Gateway::reading(&scenario).await;
    let told = events(&scenario, 2).await;
    let mut keys: Vec<&str> = told.iter().map(|e| e.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["1", "3"], "what came after it goes on");
    let said = gateway.output();
    let warned: Vec<&str> = said.lines().filter(|l| l.contains("ONR-462")).collect();
    assert_eq!(warned.len(), 1, "{said}");
    assert!(
        warned[0].contains("WARN") && warned[0].contains("position="),
        "{said}"
    );
    assert!(!said.contains("York"), "{said}");
    assert!(gateway.stop().await.success());

    // Beyond it, the word is needed no more; the next one is refused again.
    scenario.write("onramp.yaml", &file);
    gateway = Gateway::reading(&scenario).await;
    sql(&scenario, &message(true, 4)).await;
    assert_eq!(events(&scenario, 3).await.len(), 3);
    sql(&scenario, &message(false, 5)).await;
    assert!(!gateway.ended().await.success());
    assert!(gateway.output().contains("ONR-462"), "{}", gateway.output());
    scenario.close().await;
}
