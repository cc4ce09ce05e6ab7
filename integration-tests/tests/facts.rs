//! Facts: what follows from how rows change, told once, in the order in which it happened.

use onramp_integration_tests::{Event, Gateway, Scenario, consume};
use serde_json::json;

const CONFIGURATION: i32 = 64;

const SCHEMA: &str = "
CREATE TABLE ordr_hdr (
  ord_no   bigint PRIMARY KEY,
  ord_stat char(1) NOT NULL,
  cust_no  integer,
  tot_amt  numeric(12,2) NOT NULL DEFAULT 0,
  nte      text);
ALTER TABLE ordr_hdr REPLICA IDENTITY FULL;
";

const PRODUCT: &str = r#"
product: DOMAIN.order-lifecycle.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: What happens to orders.
kind: events
source: { table: public.ordr_hdr }
key: [order_id]
events:
  OrderPlaced:
    doc: A customer has placed an order.
    when: op == "insert"
    fields:
      order_id: { type: long, from: ord_no }
      customer: { type: int, from: cust_no, optional: true }
      total:    { type: "decimal(12,2)", from: tot_amt }
      tx:       { type: string, expr: tx.id }
  OrderShipped:
    when: op == "update" && before.ord_stat != "S" && after.ord_stat == "S"
    fields:
      order_id: { type: long, from: ord_no }
      was:      { type: string, expr: before.ord_stat }
      total:    { type: "decimal(12,2)", expr: after.tot_amt }
      at:       { type: timestamp, expr: tx.committed_at }
  OrderChanged:
    when: op == "update"
    fields:
      order_id: { type: long, from: ord_no }
      dearer:   { type: boolean, expr: after.tot_amt > before.tot_amt }
  OrderRemoved:
    when: op == "delete"
    fields:
      order_id: { type: long, from: ord_no }
      note:     { type: string, from: nte, optional: true }
"#;

/// The last state of each order, beside the facts.
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

async fn facts(scenario: &Scenario, count: usize) -> Vec<Event> {
    scenario.events("order-lifecycle.v1", count).await
}

/// The type's name, by its fields and by its header where there is one.
fn type_of(event: &Event) -> &'static str {
    let value = event.value.as_ref().expect("a fact has a value");
    let has = |field: &str| value.get(field).is_some();
    match (has("tx"), has("was"), has("dearer")) {
        (true, ..) => "OrderPlaced",
        (_, true, _) => "OrderShipped",
        (.., true) => "OrderChanged",
        _ => "OrderRemoved",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_gives_its_facts_in_order_and_rows_that_were_there_give_none() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/life.yaml", PRODUCT);
    let file = scenario.gateway_file("headers: cloudevents\n");
    scenario.write("onramp.yaml", &file);
    let sql = async |sql: &str| scenario.db.batch_execute(sql).await.expect("it runs");
    sql("INSERT INTO ordr_hdr VALUES (1, 'N', 1), (2, 'S', 1)").await;
    let gateway = Gateway::reading(&scenario).await;
    sql(
        "BEGIN; INSERT INTO ordr_hdr VALUES (7, 'N', NULL, 10.50, 'gift'); \
         UPDATE ordr_hdr SET ord_stat = 'S', tot_amt = 12 WHERE ord_no = 7; COMMIT",
    )
    .await;
    sql("UPDATE ordr_hdr SET tot_amt = 1 WHERE ord_no = 7").await;
    sql("BEGIN; UPDATE ordr_hdr SET ord_stat = 'P' WHERE ord_no = 1; ROLLBACK").await;
    sql("DELETE FROM ordr_hdr WHERE ord_no = 7").await;
    let events = facts(&scenario, 5).await;
    assert_eq!(
        events.len(),
        5,
        "no fact of what was there before: {events:?}"
    );
    let told: Vec<&str> = events.iter().map(type_of).collect();
    assert_eq!(
        told,
        [
            "OrderPlaced",
            "OrderShipped",
            "OrderChanged",
            "OrderChanged",
            "OrderRemoved"
        ]
    );
    assert!(events.iter().all(|e| e.key == "7"));
    // Of decimals the reader gives the digits alone.
    let value = |at: usize| events[at].value.clone().expect("a value");
    let tx = events[0].headers["onramp_tx"].clone();
    assert_eq!(
        value(0),
        json!({"order_id": 7, "customer": null, "total": "1050", "tx": tx})
    );
    assert_eq!(value(1)["was"], "N");
    assert_eq!(value(1)["total"], "1200");
    assert_eq!(value(2), json!({"order_id": 7, "dearer": true}));
    assert_eq!(value(3), json!({"order_id": 7, "dearer": false}));
    assert_eq!(value(4), json!({"order_id": 7, "note": "gift"}));
    // Type and place in the transaction stand in the headers.
    let product = scenario.topic("order-lifecycle.v1");
    for (event, (ordinal, name)) in events.iter().zip([
        ("0", "OrderPlaced"),
        ("1", "OrderShipped"),
        ("2", "OrderChanged"),
    ]) {
        assert_eq!(event.headers["ce_type"], format!("{product}.{name}"));
        assert_eq!(event.headers["onramp_ordinal"], ordinal);
        assert_eq!(event.headers["onramp_tx"], tx);
    }
    assert!(gateway.stop().await.success());
    // A type that comes later is no change of what was promised.
    let more = PRODUCT.replace(
        "  OrderRemoved:",
        "  OrderNoted:\n    when: op == \"update\" && after.nte != before.nte\n    fields:\n      order_id: { type: long, from: ord_no }\n  OrderRemoved:",
    );
    scenario.write("products/life.yaml", &more);
    let _ = Gateway::start(&scenario)
        .refuses(CONFIGURATION, "ONR-706")
        .await;
    scenario.write(
        "products/life.yaml",
        &format!("{more}on_mapping_change: keep\n"),
    );
    let gateway = Gateway::reading(&scenario).await;
    sql("UPDATE ordr_hdr SET nte = 'x' WHERE ord_no = 1").await;
    assert_eq!(facts(&scenario, 7).await.len(), 7);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_need_old_rows_are_refused_where_the_log_has_none() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/life.yaml", PRODUCT);
    let alter = "ALTER TABLE ordr_hdr REPLICA IDENTITY DEFAULT";
    scenario
        .db
        .batch_execute(alter)
        .await
        .expect("it is altered");
    let output = Gateway::start(&scenario)
        .refuses(CONFIGURATION, "ONR-328")
        .await;
    for needed in ["OrderShipped", "OrderChanged", "OrderRemoved needs nte"] {
        assert!(output.contains(needed), "{needed}: {output}");
    }
    assert!(!output.contains("OrderPlaced needs"), "{output}");
    // Without what compares rows the key alone does.
    let (inserts, _) = PRODUCT.split_once("  OrderShipped:").expect("it is there");
    let removed = "  OrderRemoved:\n    when: op == \"delete\"\n    fields:\n      order_id: { type: long, from: ord_no }\n";
    scenario.write("products/life.yaml", &format!("{inserts}{removed}"));
    let gateway = Gateway::reading(&scenario).await;
    let sql =
        "INSERT INTO ordr_hdr VALUES (3, 'N'); UPDATE ordr_hdr SET nte = 'x'; DELETE FROM ordr_hdr";
    scenario.db.batch_execute(sql).await.expect("it runs");
    let told: Vec<&str> = facts(&scenario, 2).await.iter().map(type_of).collect();
    assert_eq!(told, ["OrderPlaced", "OrderRemoved"]);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_tells_each_fact_once_beside_the_entity() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/life.yaml", PRODUCT);
    scenario.write("products/orders.yaml", ENTITY);
    let mut gateway = Gateway::streaming(&scenario).await;
    const ROUNDS: i64 = 6;
    const EACH: i64 = 40;
    for round in 0..ROUNDS {
        for n in 0..EACH {
            let no = round * EACH + n;
            let sql = format!(
                "BEGIN; INSERT INTO ordr_hdr VALUES ({no}, 'N', 1, {n}); \
                 UPDATE ordr_hdr SET ord_stat = 'S' WHERE ord_no = {no}; COMMIT"
            );
            scenario.db.batch_execute(&sql).await.expect("it runs");
        }
        gateway.kill();
        gateway = Gateway::start(&scenario);
    }
    gateway.wait_ready("streaming").await;
    let count = usize::try_from(ROUNDS * EACH).expect("few");
    let events = facts(&scenario, 3 * count).await;
    assert_eq!(events.len(), 3 * count);
    for no in 0..ROUNDS * EACH {
        let key = no.to_string();
        let told: Vec<&str> = events
            .iter()
            .filter(|e| e.key == key)
            .map(type_of)
            .collect();
        assert_eq!(
            told,
            ["OrderPlaced", "OrderShipped", "OrderChanged"],
            "{no}"
        );
    }
    let states = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
    let of_log = states
        .iter()
        .filter(|e| !e.headers.contains_key("onramp_op"));
    assert_eq!(of_log.count(), 2 * count);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
