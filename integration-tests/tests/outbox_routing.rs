//! What an outbox's rows are routed and keyed by, and what becomes of those that are out of place: the
//! rest of docs/outbox.md's table from Debezium's event router, which outbox.rs does not hold.

use std::time::Duration;

use onramp_integration_tests::operate::{errors, onramp};
use onramp_integration_tests::{Event, Gateway, Scenario, records, until};
use serde_json::{Value, json};

const SCHEMA: &str = "
CREATE TABLE obx (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agg_type text NOT NULL,
  agg_id   text,
  kind     text NOT NULL,
  body     text,
  customer text,
  region   text);
";

/// A product of the outbox: its name, which rows it takes, and what keys them.
fn product(name: &str, wanted: &str, key: &str, more: &str) -> String {
    format!(
        r#"
product: DOMAIN.{name}.v1
status: active
owner: {{ team: orders, contact: orders@shop.test }}
description: What happens to {name}.
kind: outbox
source: {{ table: public.obx, where: '{wanted}' }}
columns: {{ id: id, type: kind, key: {key}, payload: body }}
events:
  Changed:
    payload: json
    fields:
      no:   {{ type: long }}
      note: {{ type: string, optional: true }}
{more}"#
    )
}

async fn sql(scenario: &Scenario, sql: &str) {
    scenario.db.batch_execute(sql).await.expect("it runs");
}

fn row(aggregate: &str, no: u32, customer: &str, region: &str) -> String {
    format!(
        "INSERT INTO obx (agg_type, agg_id, kind, body, customer, region) VALUES \
         ('{aggregate}', 'a{no}', 'Changed', '{{\"no\": {no}, \"note\": null}}', '{customer}', {region});"
    )
}

fn told(events: &[Event]) -> Vec<(&str, u64)> {
    let no = |e: &Event| e.value.as_ref().and_then(|v| v["no"].as_u64());
    let mut told: Vec<_> = events
        .iter()
        .map(|e| (e.key.as_str(), no(e).expect("a number")))
        .collect();
    told.sort_unstable_by_key(|(_, no)| *no);
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn products_take_rows_by_any_columns_and_key_them_by_any() {
    let scenario = Scenario::new(SCHEMA).await;
    // Debezium: route.by.field = agg_type, and the default key.
    let users = product("users", r#"row.agg_type == "user""#, "agg_id", "");
    scenario.write("products/users.yaml", &users);
    // Debezium: route.topic.regex = (order|basket)-v.*, route.topic.replacement = sales.
    let sales = r#"row.agg_type.matches("^(order|basket)-v[0-9]+$")"#;
    let sales = product("sales", sales, "customer", "");
    scenario.write("products/sales.yaml", &sales);
    // By another field, which is the key as well; a row may be of several products.
    let abroad = r#"has(row.region) && row.region != "uk""#;
    let abroad = product("abroad", abroad, "region", "");
    scenario.write("products/abroad.yaml", &abroad);
    let gateway = Gateway::reading(&scenario).await;
    let rows = [
        "BEGIN;".to_owned(),
        row("user", 1, "ann", "'uk'"),
        row("order-v1", 2, "ann", "'uk'"),
        row("basket-v12", 3, "bob", "'fr'"),
        row("order-vx", 4, "bob", "NULL"),
        row("user", 5, "eve", "'de'"),
        row("order-v2", 6, "ann", "NULL"),
        "DELETE FROM obx; COMMIT".to_owned(),
    ];
    sql(&scenario, &rows.join(" ")).await;
    let users = scenario.events("users.v1", 2).await;
    assert_eq!(told(&users), [("a1", 1), ("a5", 5)]);
    let sales = scenario.events("sales.v1", 3).await;
    assert_eq!(told(&sales), [("ann", 2), ("bob", 3), ("ann", 6)]);
    let abroad = scenario.events("abroad.v1", 2).await;
    assert_eq!(told(&abroad), [("fr", 3), ("de", 5)]);
    let all: Vec<&Event> = users.iter().chain(&sales).chain(&abroad).collect();
    let first = &all[0].headers["onramp_tx"];
    assert!(all.iter().all(|e| e.headers["onramp_tx"] == *first));
    // JSON's null is null.
    let value = users[0].value.as_ref().expect("a value");
    assert_eq!(value["note"], Value::Null);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_the_table_lacks_is_told_before_anything_runs() {
    let scenario = Scenario::new(SCHEMA).await;
    let wanted = r#"row.agg_type == "user""#;
    for (columns, lacking) in [
        (
            "key: agg_id, payload: body }",
            "key: agg_number, payload: body }",
        ),
        ("payload: body }", "payload: body, partition: part }"),
        (
            "payload: body }",
            "payload: body, headers: { trace: tracing } }",
        ),
    ] {
        let text = product("users", wanted, "agg_id", "");
        let wrong = text.replace(columns, lacking);
        assert_ne!(wrong, text);
        scenario.write("products/users.yaml", &wrong);
        let planned = onramp(&scenario, "plan", &[]).await;
        let said = String::from_utf8_lossy(&planned.stdout).into_owned() + &errors(&planned);
        assert_eq!(planned.status.code(), Some(1), "{said}");
        assert!(said.contains("ONR-301"), "{lacking}: {said}");
    }
    Gateway::start(&scenario).refuses(64, "ONR-301").await;
    assert_eq!(scenario.of_slot("slot_name").await, None, "nothing is made");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_kept_in_quarantine_where_failing_rows_are() {
    let scenario = Scenario::new(SCHEMA).await;
    // Debezium: table.op.invalid.behavior = error.
    let wanted = r#"row.agg_type == "user""#;
    let users = product("users", wanted, "agg_id", "on_error: quarantine\n");
    scenario.write("products/users.yaml", &users);
    let gateway = Gateway::reading(&scenario).await;
    sql(&scenario, &row("user", 1, "ann", "'uk'")).await;
    sql(&scenario, "UPDATE obx SET body = '{\"no\": 2}'").await;
    sql(&scenario, &row("user", 3, "ann", "'uk'")).await;
    let users = scenario.events("users.v1", 2).await;
    assert_eq!(told(&users), [("a1", 1), ("a3", 3)]);
    let topic = scenario.topic("users.v1.quarantine");
    let mut kept = Vec::new();
    until("the quarantine", Duration::from_secs(60), async || {
        kept = records(&scenario.servers, &topic).await;
        !kept.is_empty()
    })
    .await;
    let record: Value = serde_json::from_str(&kept[0].1).expect("JSON");
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (&record["code"], &record["operation"]),
        (&json!("ONR-337"), &json!("update"))
    );
    // An empty payload is none, as null is.
    sql(
        &scenario,
        "INSERT INTO obx (agg_type, agg_id, kind, body) VALUES ('user', 'a9', 'Changed', '')",
    )
    .await;
    let users = scenario.events("users.v1", 3).await;
    let empty = users.iter().find(|e| e.key == "a9").expect("its event");
    assert_eq!(empty.value, None);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// Of the application's columns too: `headers: none` means none.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_headers_writes_none_of_the_applications_either() {
    let scenario = Scenario::new(SCHEMA).await;
    let wanted = r#"row.agg_type == "user""#;
    let users = product("users", wanted, "agg_id", "").replace(
        "payload: body }",
        "payload: body, headers: { who: customer } }",
    );
    scenario.write("products/users.yaml", &users);
    for (mode, count, has) in [("transaction", 1, true), ("none", 2, false)] {
        let file = scenario.gateway_file(&format!("headers: {mode}\n"));
        scenario.write("onramp.yaml", &file);
        let gateway = Gateway::reading(&scenario).await;
        sql(&scenario, &row("user", count, "ann", "NULL")).await;
        let events = scenario.events("users.v1", count as usize).await;
        let last = events.iter().find(|e| e.key == format!("a{count}"));
        let headers = &last.expect("the event").headers;
        assert_eq!(headers.get("who").is_some_and(|who| who == "ann"), has);
        assert_eq!(headers.is_empty(), !has, "{headers:?}");
        assert!(gateway.stop().await.success());
    }
    scenario.close().await;
}
