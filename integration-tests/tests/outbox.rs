//! Outboxes: events that an application writes into a table, each published once, checked, in order.

use std::process::Command;
use std::time::Duration;

use onramp_integration_tests::{
    Event, Gateway, Scenario, binary, consume, latest_by_key, records, until,
};
use serde_json::{Value, json};

const SCHEMA: &str = "
CREATE TABLE outbox (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregatetype text NOT NULL DEFAULT 'order',
  aggregateid   bigint,
  type          text,
  payload       jsonb,
  created_at    timestamptz,
  part          integer,
  tracing       text,
  ver           integer NOT NULL DEFAULT 1);
CREATE TABLE ordr_hdr (ord_no bigint PRIMARY KEY, ord_stat text);
";

const PRODUCT: &str = r#"
product: DOMAIN.order-events.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: What happens to orders.
kind: outbox
source: { table: public.outbox, where: row.aggregatetype == "order" }
columns:
  id: id
  type: type
  key: aggregateid
  payload: payload
  timestamp: created_at
  partition: part
  headers: { traceparent: tracing, schema_version: ver }
events:
  OrderPlaced: { payload: json, schema: order-placed.avsc }
  OrderCancelled:
    type: order.cancelled
    payload: json
    fields:
      order_id: { type: long }
      reason:   { type: string, optional: true }
      by:
        type: record
        fields:
          name: { type: string }
      version:  { type: int, from: ver }
      tx:       { type: string, expr: tx.id }
MORE
"#;

const PLACED: &str = r#"{
  "type": "record", "namespace": "shop.orders", "name": "OrderPlaced", "doc": "A customer has placed an order.",
  "fields": [
    { "name": "orderId", "type": "long", "doc": "The order's number." },
    { "name": "state", "type": { "type": "enum", "name": "State", "symbols": ["NEW", "PAID"] } },
    { "name": "total", "type": { "type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2 } },
    { "name": "placedAt", "type": { "type": "long", "logicalType": "timestamp-micros" } },
    { "name": "note", "type": ["null", "string"], "default": null },
    { "name": "lines", "type": { "type": "array", "items": "string" } },
    { "name": "buyer", "type": { "type": "record", "name": "Buyer", "fields": [
      { "name": "name", "type": "string" } ] } }
  ] }"#;

const ENTITY: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr_hdr }
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
  status:   { type: string, from: ord_stat }
"#;

const PAYLOAD: &str = r#"{"orderId": 7, "state": "PAID", "total": 12.5, "placedAt": "2026-01-02T03:04:05.5+01:00", "lines": ["a", "b"], "buyer": {"name": "Zoe"}, "more": 1}"#;

async fn shop(more: &str) -> Scenario {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/events.yaml", &PRODUCT.replace("MORE", more));
    scenario.write("order-placed.avsc", PLACED);
    let file = scenario.gateway_file("headers: cloudevents\n");
    scenario.write("onramp.yaml", &file);
    scenario
}

async fn sql(scenario: &Scenario, sql: &str) {
    scenario.db.batch_execute(sql).await.expect("it runs");
}

async fn events(scenario: &Scenario, count: usize) -> Vec<Event> {
    scenario.events("order-events.v1", count).await
}

fn cancelled(id: i64) -> String {
    format!(
        "INSERT INTO outbox (aggregateid, type, payload) VALUES ({id}, 'order.cancelled', \
         '{{\"order_id\": {id}, \"by\": {{\"name\": \"Al\"}}}}');"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_that_is_inserted_gives_its_event_with_all_that_the_application_says() {
    let scenario = shop("").await;
    sql(&scenario, &cancelled(1)).await;
    let gateway = Gateway::reading(&scenario).await;
    let insert = format!(
        "INSERT INTO outbox VALUES ('00000000-0000-0000-0000-0000000000aa', 'order', 7, 'OrderPlaced', \
         '{PAYLOAD}', '2026-01-02T03:04:05.678901Z', NULL, '00-4bf9-01', 3)"
    );
    sql(&scenario, &insert).await;
    // Of another product, whatever it holds.
    sql(
        &scenario,
        "INSERT INTO outbox (aggregatetype, aggregateid, type) VALUES ('user', 1, 'UserLeft')",
    )
    .await;
    // Written and deleted in one transaction, as many applications do.
    sql(
        &scenario,
        &format!(
            "BEGIN; {} DELETE FROM outbox WHERE aggregateid = 8; COMMIT",
            cancelled(8)
        ),
    )
    .await;
    // Without a payload, to a partition that it names.
    sql(
        &scenario,
        "INSERT INTO outbox (aggregateid, type, part) VALUES (9, 'order.cancelled', 0)",
    )
    .await;
    sql(&scenario, "DELETE FROM outbox").await;
    sql(&scenario, &cancelled(10)).await;
    let events = events(&scenario, 4).await;
    assert_eq!(events.len(), 4, "none of what was there before: {events:?}");
    let of = |key: &str| {
        let event = events.iter().find(|e| e.key == key);
        event.unwrap_or_else(|| panic!("{key} is missing in {events:?}"))
    };
    let placed = of("7");
    // Of decimals and times the reader gives the digits alone.
    assert_eq!(
        placed.value,
        Some(json!({
            "orderId": 7, "state": "PAID", "total": "1250", "placedAt": 1_767_319_445_500_000_i64,
            "note": null, "lines": ["a", "b"], "buyer": { "name": "Zoe" }
        }))
    );
    assert_eq!(placed.timestamp_ms, 1_767_323_045_678);
    let product = scenario.topic("order-events.v1");
    for (header, wanted) in [
        ("ce_id", "00000000-0000-0000-0000-0000000000aa"),
        ("onramp_event_id", "00000000-0000-0000-0000-0000000000aa"),
        ("ce_time", "2026-01-02T03:04:05.678901Z"),
        ("ce_type", &format!("{product}.OrderPlaced")),
        ("ce_subject", "7"),
        ("traceparent", "00-4bf9-01"),
        ("schema_version", "3"),
    ] {
        assert_eq!(placed.headers[header], wanted, "{header}");
    }
    let cancelled = of("8");
    let value = cancelled.value.as_ref().expect("a value");
    assert_eq!(
        *value,
        json!({
            "order_id": 8, "reason": null, "by": { "name": "Al" }, "version": 1,
            "tx": cancelled.headers["onramp_tx"]
        })
    );
    assert!(
        !cancelled.headers.contains_key("traceparent"),
        "null gives none"
    );
    let empty = of("9");
    assert_eq!((&empty.value, empty.partition), (&None, 0));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_of_the_product_does_what_its_file_says() {
    let scenario = shop("unknown_type: quarantine\non_update: skip\non_error: quarantine").await;
    let gateway = Gateway::reading(&scenario).await;
    sql(
        &scenario,
        "INSERT INTO outbox (aggregateid, type, payload) VALUES (1, 'OrderLost', '{}');
         INSERT INTO outbox (aggregateid, type, payload) VALUES (2, 'order.cancelled', '{\"order_id\": \"secret\"}');
         INSERT INTO outbox (aggregateid, type, payload, part) VALUES (3, 'order.cancelled', NULL, 99);
         INSERT INTO outbox (aggregateid, type, created_at) VALUES (6, 'order.cancelled', '1969-12-31T23:59:59Z');
         INSERT INTO outbox (aggregateid, type, created_at) VALUES (7, 'order.cancelled', now() + interval '61 minutes');",
    )
    .await;
    sql(&scenario, &cancelled(4)).await;
    sql(&scenario, "UPDATE outbox SET tracing = 'seen'").await;
    sql(&scenario, &cancelled(5)).await;
    let told = events(&scenario, 2).await;
    let keys = latest_by_key(&told);
    assert_eq!(keys.len(), 2, "{told:?}");
    let topic = scenario.topic("order-events.v1.quarantine");
    let mut kept: Vec<(String, Value)> = Vec::new();
    until("the quarantine", Duration::from_secs(60), async || {
        let found = records(&scenario.servers, &topic).await;
        let read =
            |(key, text): (String, String)| (key, serde_json::from_str(&text).expect("JSON"));
        kept = found.into_iter().map(read).collect();
        kept.len() >= 5
    })
    .await;
    let shown: Vec<(&str, &Value, &Value)> = kept
        .iter()
        .map(|(key, record)| (key.as_str(), &record["code"], &record["field"]))
        .collect();
    assert_eq!(
        shown,
        [
            ("1", &json!("ONR-336"), &json!("type")),
            ("2", &json!("ONR-335"), &json!("order_id")),
            ("3", &json!("ONR-320"), &json!("partition")),
            ("6", &json!("ONR-320"), &json!("timestamp")),
            ("7", &json!("ONR-320"), &json!("timestamp")),
        ]
    );
    assert!(!kept[1].1["reason"].to_string().contains("secret"));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_stops_or_is_told_of_and_an_unknown_type_stops_or_is_passed_over() {
    let warned = shop("unknown_type: ignore\non_update: warn").await;
    let gateway = Gateway::reading(&warned).await;
    sql(
        &warned,
        "INSERT INTO outbox (aggregateid, type, payload) VALUES (1, 'OrderLost', '{}')",
    )
    .await;
    sql(&warned, "UPDATE outbox SET tracing = 'seen'").await;
    sql(&warned, &cancelled(2)).await;
    assert_eq!(events(&warned, 1).await.len(), 1);
    let log = gateway.output();
    assert!(log.contains("rows of an outbox were updated"), "{log}");
    assert!(gateway.stop().await.success());
    warned.close().await;
    for (change, code) in [
        ("UPDATE outbox SET tracing = 'seen'", "ONR-337"),
        (
            "INSERT INTO outbox (aggregateid, type) VALUES (1, 'OrderLost')",
            "ONR-336",
        ),
    ] {
        let scenario = shop("").await;
        let mut gateway = Gateway::reading(&scenario).await;
        sql(&scenario, &cancelled(2)).await;
        events(&scenario, 1).await;
        sql(&scenario, change).await;
        let status = gateway.ended().await;
        assert!(!status.success(), "{change}");
        assert!(gateway.output().contains(code), "{}", gateway.output());
        scenario.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn avro_is_checked_and_passed_through() {
    let scenario = Scenario::new(
        "CREATE TABLE obx (no bigint PRIMARY KEY, kind text, about text, body bytea)",
    )
    .await;
    scenario.write(
        "products/events.yaml",
        r#"
product: DOMAIN.order-events.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: What happens to orders.
kind: outbox
on_error: quarantine
source: { table: public.obx }
columns: { id: no, type: kind, key: about, payload: body }
events:
  Tagged: { payload: avro, schema: tagged.avsc }
"#,
    );
    let schema = r#"{"type": "record", "name": "Tagged", "namespace": "shop", "fields": [
        {"name": "tags", "type": {"type": "map", "values": ["int", "string"]}}]}"#;
    scenario.write("tagged.avsc", schema);
    let gateway = Gateway::reading(&scenario).await;
    // {"k": 7}, and the same with a byte too many.
    sql(
        &scenario,
        r"INSERT INTO obx VALUES (1, 'Tagged', 'a', '\x02026b000e00'), (2, 'Tagged', 'b', '\x02026b000e0000')",
    )
    .await;
    let told = events(&scenario, 1).await;
    assert_eq!(told.len(), 1);
    let bytes = told[0].bytes.as_ref().expect("a value");
    assert_eq!(bytes[5..], [2, 2, b'k', 0, 14, 0]);
    let topic = scenario.topic("order-events.v1.quarantine");
    until("the quarantine", Duration::from_secs(60), async || {
        let kept = records(&scenario.servers, &topic).await;
        kept.len() == 1 && kept[0].1.contains("ONR-338")
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

const SHIPPED: &str = r#"{"type": "record", "namespace": "shop", "name": "Shipped", "fields": [
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "to", "type": ["null", {"type": "record", "name": "Place", "fields": [{"name": "city", "type": "string"}]}]},
  {"name": "parcels", "type": {"type": "array", "items": {"type": "record", "name": "Parcel", "fields": [
    {"name": "weight", "type": "float"},
    {"name": "labels", "type": {"type": "map", "values": "string"}},
    {"name": "via", "type": {"type": "array", "items": ["null", "Place"]}}]}}}]}"#;

/// Events in JSON and in Avro in one column; of the first all that a schema can have.
#[tokio::test(flavor = "multi_thread")]
async fn json_and_avro_share_a_column_of_bytes_and_no_other() {
    let scenario = Scenario::new(
        "CREATE TABLE obx (no bigint PRIMARY KEY, kind text, about text, body bytea);
         CREATE TABLE obj (no bigint PRIMARY KEY, kind text, about text, body jsonb)",
    )
    .await;
    let product = r#"
product: DOMAIN.order-events.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: What happens to orders.
kind: outbox
on_error: quarantine
source: { table: public.TABLE }
columns: { id: no, type: kind, key: about, payload: body }
events:
  Tagged:  { payload: avro, schema: tagged.avsc }
  Shipped: { payload: json, schema: shipped.avsc }
"#;
    let of_table = |table: &str| product.replace("TABLE", table);
    let tagged = r#"{"type": "record", "name": "Tagged", "namespace": "shop", "fields": [
        {"name": "tags", "type": {"type": "map", "values": "int"}}]}"#;
    scenario.write("tagged.avsc", tagged);
    scenario.write("shipped.avsc", SHIPPED);
    // The database's own type of JSON holds no Avro: said before anything runs.
    scenario.write("products/events.yaml", &of_table("obj"));
    let mut refused = Gateway::start(&scenario);
    let said = refused.refuses(64, "ONR-303").await;
    assert!(said.contains("Tagged is Avro, which is bytes"), "{said}");
    scenario.write("products/events.yaml", &of_table("obx"));
    let gateway = Gateway::reading(&scenario).await;
    let shipped = r#"{"at": "2026-01-02T03:04:05.678+01:00", "to": {"city": "York"}, "parcels": [
        {"weight": 1.5, "labels": {"b": "2", "a": "1"}, "via": [null, {"city": "Hull"}]},
        {"weight": 2, "labels": {}, "via": []}]}"#;
    let micros = shipped
        .replace(".678", ".678901")
        .replace("York", "hunter2");
    sql(
        &scenario,
        &format!(
            r"INSERT INTO obx VALUES (1, 'Tagged', 'a', '\x02026b0e00'),
              (2, 'Shipped', 'b', convert_to('{shipped}', 'UTF8')),
              (3, 'Shipped', 'c', convert_to('{micros}', 'UTF8')),
              (4, 'Shipped', 'd', '\xff')"
        ),
    )
    .await;
    let told = events(&scenario, 2).await;
    let of = |key: &str| told.iter().find(|e| e.key == key).expect("it is there");
    // The frame, one member, its name and its number, no more.
    let passed = of("a").bytes.as_ref().expect("a value");
    assert_eq!(passed[5..], [2, 2, b'k', 14, 0]);
    assert_eq!(
        of("b").value,
        Some(json!({
            "at": 1_767_319_445_678_i64, "to": { "city": "York" }, "parcels": [
                { "weight": 1.5, "labels": { "a": "1", "b": "2" }, "via": [null, { "city": "Hull" }] },
                { "weight": 2.0, "labels": {}, "via": [] }]
        }))
    );
    let topic = scenario.topic("order-events.v1.quarantine");
    let mut kept = Vec::new();
    until("the quarantine", Duration::from_secs(60), async || {
        kept = records(&scenario.servers, &topic).await;
        kept.len() == 2
    })
    .await;
    kept.sort();
    assert!(kept[0].1.contains("ONR-326"), "{kept:?}");
    assert!(kept[1].1.contains("ONR-335"), "{kept:?}");
    assert!(gateway.stop().await.success());
    // The team's own tests say the same.
    let fixtures = r#"
fixtures: DOMAIN.order-events.v1
tests:
  - name: in Avro
    change: insert
    after: { no: "1", kind: Tagged, about: a, body: '\x02026b0e00' }
    expect: [ { type: Tagged, key: a, event: { tags: { k: "7" } } } ]
  - name: in JSON
    change: insert
    after: { no: "2", kind: Shipped, about: b, body: '{"at": "2026-01-02T03:04:05.678Z", "parcels": [{"weight": 0.1, "labels": {"x y": "1"}, "via": [null]}]}' }
    expect:
      - type: Shipped
        event:
          at: 2026-01-02T03:04:05.678Z
          to:
          parcels: [ { weight: "0.1", labels: { x y: "1" }, via: [null] } ]
  - name: what JSON says otherwise
    change: insert
    after: { no: "3", kind: Shipped, about: b, body: '{"at": "2026-01-02T03:04:05.678Z", "parcels": [7]}' }
    expect: [ { fails: ONR-335 } ]
"#;
    scenario.write("products/events.fixtures.yaml", fixtures);
    let output = Command::new(binary())
        .args(["test", "--config"])
        .arg(scenario.config())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_publishes_each_event_once_beside_an_entity() {
    let scenario = shop("").await;
    scenario.write("products/orders.yaml", ENTITY);
    let mut gateway = Gateway::streaming(&scenario).await;
    const ROUNDS: i64 = 6;
    const EACH: i64 = 40;
    for round in 0..ROUNDS {
        for n in 0..EACH {
            let no = round * EACH + n;
            let both = format!(
                "BEGIN; INSERT INTO ordr_hdr VALUES ({no}, 'X'); {} DELETE FROM outbox; COMMIT",
                cancelled(no)
            );
            sql(&scenario, &both).await;
        }
        gateway.kill();
        gateway = Gateway::start(&scenario);
    }
    gateway.wait_ready("streaming").await;
    let count = usize::try_from(ROUNDS * EACH).expect("few");
    let told = events(&scenario, count).await;
    assert_eq!((told.len(), latest_by_key(&told).len()), (count, count));
    let states = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
    for event in &told {
        let state = states.iter().find(|state| state.key == event.key);
        let state = state.expect("both are of one transaction");
        assert_eq!(state.headers["onramp_tx"], event.headers["onramp_tx"]);
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fixtures_hold_an_outbox_to_what_it_promises() {
    let scenario = shop("").await;
    let fixtures = r#"
fixtures: DOMAIN.order-events.v1
tests:
  - name: a cancelled order
    change: insert
    after: { aggregatetype: order, id: a, aggregateid: "7", type: order.cancelled, payload: '{"order_id": 7, "by": {"name": "Al"}}', created_at: , part: , tracing: , ver: "2" }
    expect:
      - type: OrderCancelled
        key: "7"
        event: { order_id: "7", reason: , by: { name: Al }, version: "2", tx: "1" }
  - name: without a payload
    change: insert
    after: { aggregatetype: order, id: a, aggregateid: "7", type: OrderPlaced, payload: , created_at: , part: , tracing: , ver: "2" }
    expect:
      - { tombstone: "7" }
  - name: a deleted row
    change: delete
    before: { aggregatetype: order, id: a, aggregateid: "7", type: OrderPlaced, payload: , created_at: , part: , tracing: , ver: "2" }
    expect: []
  - name: another type
    change: insert
    after: { aggregatetype: order, id: a, aggregateid: "7", type: OrderLost, payload: , created_at: , part: , tracing: , ver: "2" }
    expect:
      - { fails: ONR-336 }
"#;
    scenario.write("products/events.fixtures.yaml", fixtures);
    let output = Command::new(binary())
        .args(["test", "--config"])
        .arg(scenario.config())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_there_are_told_where_the_file_asks_and_each_once() {
    // `tx` is null for them.
    let optional = |text: &str| {
        text.replace("expr: tx.id }", "expr: tx.id, optional: true }")
            .replace("MORE", "history: insert")
    };
    let scenario = shop("").await;
    scenario.write("products/events.yaml", &optional(PRODUCT));
    let small = "headers: cloudevents\nsnapshot: { readers: 1, chunk_rows: 5 }\n";
    scenario.write("onramp.yaml", &scenario.gateway_file(small));
    const OLD: i64 = 300;
    let old: String = (1..=OLD).map(cancelled).collect();
    sql(&scenario, &old).await;
    let other = "INSERT INTO outbox (aggregatetype, type) VALUES ('customer', 'Moved');";
    sql(&scenario, other).await;
    // One with a payload that is empty is a tombstone, as it would be live.
    let empty = "INSERT INTO outbox (aggregateid, type) VALUES (1000, 'order.cancelled');";
    sql(&scenario, empty).await;
    let mut gateway = Gateway::reading(&scenario).await;
    const NEW: i64 = 60;
    for n in OLD + 1..=OLD + NEW {
        sql(&scenario, &cancelled(n)).await;
        if n % 20 == 0 {
            gateway.kill();
            gateway = Gateway::start(&scenario);
        }
    }
    sql(&scenario, "DELETE FROM outbox WHERE aggregateid = 310").await;
    gateway.wait_history().await;
    let count = usize::try_from(OLD + NEW + 1).expect("few");
    let events = events(&scenario, count).await;
    assert_eq!(events.len(), count, "each once");
    let mut ids: Vec<&String> = events.iter().map(|e| &e.headers["ce_id"]).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "the application's ids");
    for event in &events {
        let key: i64 = event.key.parse().expect("a number");
        let was_there = event.headers.contains_key("onramp_op");
        assert_eq!(was_there, key <= OLD || key == 1000, "{event:?}");
        assert_eq!(event.headers["ce_id"], event.headers["onramp_event_id"]);
        match &event.value {
            None => assert_eq!(key, 1000),
            Some(value) => assert_eq!(value["tx"].is_null(), was_there, "{value}"),
        }
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
