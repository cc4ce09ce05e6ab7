//! What a field can hold beyond a column: the same from a table as from the log, and as docs/fields.md
//! has it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use onramp_integration_tests::{Event, Folder, Gateway, Scenario, Servers, records, until};
use serde_json::json;

const SCHEMA: &str = r#"
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE ordr (
  ord_no  bigint PRIMARY KEY,
  ctry_cd char(2) NOT NULL,
  tags    text[] NOT NULL,
  amts    numeric(12,2)[],
  cols    colour[] NOT NULL,
  doc     jsonb NOT NULL,
  raw     json,
  lgcy    text);
ALTER TABLE ordr REPLICA IDENTITY FULL;
"#;

const ROWS: &str = r#"
INSERT INTO ordr VALUES
  (1, 'GB', '{a,NULL,"b c"}', '{1.50,-0.05}', '{green,red}',
   '{"qty": 9007199254740993, "price": 12345678901234567890.10, "who": {"name": "Ad\u00e9 \"x\""}, "days": ["2026-01-31"]}',
   '{"b":  1.10}', '{"id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}'),
  (2, 'XX', '{}', NULL, '{}', '{"qty": 1e2, "price": 0, "days": []}', NULL, NULL);
"#;

const PRODUCT: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr }
key: [order_id]
on_mapping_change: backfill
fields:
  order_id: { type: long, from: ord_no }
  currency: { type: string, value: GBP }
  country:  { type: string, from: ctry_cd, lookup: { file: countries.csv, otherwise: { value: Elsewhere } } }
  tags:     { type: array, from: tags, items: { type: string, optional: true } }
  amounts:  { type: array, from: amts, optional: true, items: { type: "decimal(12,2)" } }
  colours:  { type: array, from: cols, items: { type: enum, values: { "red": RED, "green": GREEN } } }
  quantity: { type: long, from: doc, at: qty }
  price:    { type: "decimal(38,2)", from: doc, at: price }
  buyer:
    type: record
    fields:
      name: { type: string, from: doc, at: who.name, optional: true }
      ref:  { type: uuid, from: lgcy, at: id, optional: true }
  days:     { type: array, from: doc, at: days, items: { type: date, parse: "%Y-%m-%d" } }
  raw:      { type: json, from: raw, at: b, optional: true }
  doubled:  { type: long, expr: "jsonInt(row.doc, 'qty').orElse(0) - 1" }
"#;

async fn events(scenario: &Scenario, count: usize) -> Vec<Event> {
    let events = scenario.events("orders.v1", count).await;
    assert_eq!(events.len(), count);
    events
}

/// Bytes by key, of the events that came from the table, or from the log.
fn bytes(events: &[Event], snapshot: bool) -> BTreeMap<String, Vec<u8>> {
    let from_table = |e: &Event| {
        e.headers
            .get("onramp_op")
            .is_some_and(|op| op == "snapshot")
    };
    let of = events.iter().filter(|e| from_table(e) == snapshot);
    of.map(|e| (e.key.clone(), e.bytes.clone().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_byte_for_byte_the_same_from_the_table_and_from_the_log() {
    for servers in [Servers::find(), Servers::newest()] {
        let scenario = Scenario::on(servers, SCHEMA).await;
        scenario.write("products/orders.yaml", PRODUCT);
        scenario.write("countries.csv", "code,value\nGB,United Kingdom\n");
        scenario.db.batch_execute(ROWS).await.unwrap();
        let gateway = Gateway::streaming(&scenario).await;
        let touched = "UPDATE ordr SET ord_no = ord_no";
        scenario.db.batch_execute(touched).await.unwrap();
        let found = events(&scenario, 4).await;
        let snapshot = bytes(&found, true);
        assert_eq!(snapshot.len(), 2);
        assert_eq!(snapshot, bytes(&found, false));
        let of = |key: &str| {
            let event = found.iter().find(|e| e.key == key).unwrap();
            event.value.clone().unwrap()
        };
        let first = of("1");
        assert_eq!(first["currency"], "GBP");
        assert_eq!(first["country"], "United Kingdom");
        assert_eq!(first["tags"], json!(["a", null, "b c"]));
        assert_eq!(first["amounts"], json!(["150", "-5"]));
        assert_eq!(first["colours"], json!(["GREEN", "RED"]));
        assert_eq!(first["quantity"], 9_007_199_254_740_993_i64);
        assert_eq!(first["price"], "1234567890123456789010");
        assert_eq!(first["buyer"]["name"], "Adé \"x\"");
        assert_eq!(first["days"], json!([20_484]));
        assert_eq!(first["raw"], "1.10");
        assert_eq!(first["doubled"], 9_007_199_254_740_992_i64);
        let second = of("2");
        assert_eq!(second["country"], "Elsewhere");
        assert_eq!(second["amounts"], json!(null));
        assert_eq!(second["quantity"], 100);
        assert_eq!(second["buyer"], json!({"name": null, "ref": null}));
        assert!(gateway.stop().await.success());
        scenario.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_lookup_publishes_every_row_again() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/orders.yaml", PRODUCT);
    scenario.write("countries.csv", "code,value\nGB,United Kingdom\n");
    scenario.db.batch_execute(ROWS).await.unwrap();
    let gateway = Gateway::streaming(&scenario).await;
    events(&scenario, 2).await;
    assert!(gateway.stop().await.success());
    // What people read in the file is no part of the mapping.
    let noted = "note,value,code\nsince 1922,United Kingdom,GB\n";
    scenario.write("countries.csv", noted);
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    events(&scenario, 2).await;
    scenario.write("countries.csv", "code,value\nGB,Great Britain\n");
    let gateway = Gateway::streaming(&scenario).await;
    let found = events(&scenario, 4).await;
    let last = found.iter().rfind(|e| e.key == "1").unwrap();
    assert_eq!(last.value.as_ref().unwrap()["country"], "Great Britain");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_is_no_list_stops_the_gateway_without_showing_it() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/orders.yaml", PRODUCT);
    scenario.write("countries.csv", "code,value\nGB,United Kingdom\n");
    let mut gateway = Gateway::streaming(&scenario).await;
    let square = ROWS.replace("'{a,NULL,\"b c\"}'", "'{{hunter2}}'");
    scenario.db.batch_execute(&square).await.unwrap();
    let said = gateway.refuses(65, "ONR-320").await;
    assert!(said.contains("column tags"), "{said}");
    assert!(said.contains("more than one dimension"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    scenario.close().await;
}

const BASKETS: &str = r#"
product: DOMAIN.baskets.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Baskets.
kind: entity
on_error: quarantine
source: { table: public.basket }
key: [basket_id]
fields:
  basket_id: { type: long, from: no }
  buyer:     { type: record, from: doc, at: who, optional: true, fields: { name: { type: string } } }
  lines:
    type: array
    from: doc
    at: lines
    items:
      type: record
      fields:
        sku:      { type: string, at: art }
        price:    { type: "decimal(12,2)" }
        weight:   { type: float, optional: true }
        sizes:    { type: array, optional: true, items: { type: array, items: { type: int } } }
        engraved: { type: string, optional: true, classification: personal, protect: { hmac: HMAC } }
        card:     { type: string, optional: true, classification: personal, protect: { drop: true } }
"#;

/// A table of `jsonb` and one of `json`: of the latter the text comes as it was written.
#[tokio::test(flavor = "multi_thread")]
async fn records_in_arrays_are_the_same_from_the_table_and_from_the_log() {
    for (servers, kind) in [(Servers::find(), "json"), (Servers::newest(), "jsonb")] {
        let schema = format!(
            "CREATE TABLE basket (no bigint PRIMARY KEY, doc {kind} NOT NULL);
             ALTER TABLE basket REPLICA IDENTITY FULL;"
        );
        let scenario = Scenario::on(servers, &schema).await;
        scenario.write("products/baskets.yaml", &BASKETS.replace("HMAC", "pii"));
        let many: Vec<String> = (0..100)
            .map(|n| format!(r#"{{"art": "A{n}", "price": {n}.5}}"#))
            .collect();
        let rows = format!(
            r#"INSERT INTO basket VALUES
            (1, '{{"who": {{"name": "Ad\u00e9"}}, "lines": [
                {{"price": 12345.60, "art": "A", "weight": 0.1, "engraved": "hunter2", "card": "hunter2", "sizes": [[1], []]}},
                {{"art": "B", "price": 1, "engraved": "hunter2"}}]}}'),
            (2, '{{"who": null, "lines": [{}]}}')"#,
            many.join(", ")
        );
        scenario.db.batch_execute(&rows).await.unwrap();
        let gateway = Gateway::streaming(&scenario).await;
        let touched = "UPDATE basket SET no = no";
        scenario.db.batch_execute(touched).await.unwrap();
        let found = scenario.events("baskets.v1", 4).await;
        let snapshot = bytes(&found, true);
        assert_eq!(snapshot.len(), 2);
        assert_eq!(snapshot, bytes(&found, false));
        let of = |key: &str| {
            found
                .iter()
                .find(|e| e.key == key)
                .unwrap()
                .value
                .clone()
                .unwrap()
        };
        let (first, second) = (of("1"), of("2"));
        assert_eq!(first["buyer"], json!({"name": "Adé"}));
        let line = &first["lines"][0];
        assert_eq!(
            (&line["sku"], &line["price"]),
            (&json!("A"), &json!("1234560"))
        );
        assert_eq!(line["sizes"], json!([[1], []]));
        assert_eq!(line["engraved"], first["lines"][1]["engraved"]);
        assert!(line["engraved"].as_str().unwrap().starts_with("pii:"));
        assert_eq!(first["lines"][1]["weight"], json!(null));
        assert!(line.get("card").is_none(), "{line}");
        assert_eq!(second["buyer"], json!(null));
        assert_eq!(second["lines"].as_array().unwrap().len(), 100);
        // What cannot be carried is told with its path, and shows nothing of the column.
        let broken =
            r#"INSERT INTO basket VALUES (3, '{"lines": [{"art": "hunter2", "price": "1"}]}')"#;
        scenario.db.batch_execute(broken).await.unwrap();
        let kept = kept(&scenario, "baskets.v1.quarantine").await;
        assert_eq!(kept["code"], "ONR-335", "{kept}");
        assert_eq!(kept["field"], "lines[].price", "{kept}");
        assert_eq!(kept["after"]["doc"], "(protected)", "{kept}");
        assert!(!kept.to_string().contains("hunter2"), "{kept}");
        assert!(gateway.stop().await.success());
        scenario.close().await;
    }
}

/// The one row in a quarantine.
async fn kept(scenario: &Scenario, topic: &str) -> serde_json::Value {
    let topic = scenario.topic(topic);
    let mut kept = Vec::new();
    until("the quarantine", Duration::from_secs(60), async || {
        kept = records(&scenario.servers, &topic).await;
        !kept.is_empty()
    })
    .await;
    serde_json::from_str(&kept[0].1).unwrap()
}

const GATEWAY: &str = "gateway: shop
source: { type: postgres, url: \"postgres://onramp@db/shop\" }
kafka: { brokers: [\"127.0.0.1:1\"] }
registry: { url: \"http://127.0.0.1:1\" }
products: [products/*.yaml]
";

/// The fenced blocks of a page, in order: what they are written in, and their text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

#[test]
fn every_example_of_the_page_does_what_its_test_says() {
    let blocks = blocks(include_str!("../../docs/fields.md"));
    let mut files = vec![("onramp.yaml".to_owned(), GATEWAY.to_owned())];
    let mut products = 0;
    for (language, text) in blocks {
        if language == "csv" {
            files.push(("lookups/countries.csv".to_owned(), text.to_owned()));
        } else if text.starts_with("fields:") {
            products += 1;
            let head = format!(
                "product: shop.example{products}.v1\nstatus: active\n\
                 owner: {{ team: t, contact: t@shop.test }}\ndescription: An example.\n\
                 kind: entity\nsource: {{ table: public.ordr }}\nkey: [order_id]\n"
            );
            files.push((format!("products/{products}.yaml"), head + text));
        } else {
            let head = format!("fixtures: shop.example{products}.v1\n");
            files.push((format!("products/{products}.test.yaml"), head + text));
        }
    }
    assert_eq!(products, 6);
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    let folder = Folder::with(&files);
    let (said, code) = folder.json(&["test"]);
    assert_eq!(code, 0, "{said:#}");
    assert_eq!(said["passed"], 11, "{said:#}");
    // Each contract is one that Avro and the standard's words can say.
    let (checked, code) = folder.json(&["check"]);
    assert_eq!(code, 0, "{checked:#}");
}
