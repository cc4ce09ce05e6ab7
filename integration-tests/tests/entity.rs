//! What an entity's topic holds: each committed change once, by the rules of filter and key.

use onramp_integration_tests::{Event, Gateway, Scenario, latest_by_key};

const SCHEMA: &str = "
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE ordr_hdr (
  ord_no   bigint PRIMARY KEY,
  ord_stat char(1) NOT NULL,
  cust_no  integer NOT NULL,
  tot_amt  numeric(12,2),
  ord_dt   char(14) NOT NULL,
  colour   colour,
  ctry     char(3) NOT NULL DEFAULT 'GB',
  del_flg  char(1) NOT NULL DEFAULT 'N');
ALTER TABLE ordr_hdr REPLICA IDENTITY FULL;
";

const PRODUCT: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr_hdr, where: row.del_flg != "Y" }
key: [order_id]
fields:
  order_id:    { type: long, from: ord_no }
  customer_id: { type: string, expr: "'CUST-' + string(row.cust_no)" }
  status:
    type: enum
    from: ord_stat
    values: { "N": NEW, "P": PAID }
    default: UNKNOWN
    otherwise: { value: UNKNOWN }
  total:     { type: "decimal(12,2)", from: tot_amt, optional: true }
  placed_at: { type: timestamp, from: ord_dt, parse: "%Y%m%d%H%M%S", zone: Europe/London }
  colour:    { type: string, from: colour, optional: true }
  country:   { type: string, from: ctry }
  domestic:  { type: boolean, expr: row.ctry == "GB" }
"#;

async fn events(scenario: &Scenario, count: usize) -> Vec<Event> {
    scenario.events("orders.v1", count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_one_event_in_order() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/orders.yaml", PRODUCT);
    let gateway = Gateway::streaming(&scenario).await;
    let insert = "INSERT INTO ordr_hdr VALUES (7, 'N', 1, 10.50, '20260101120000', 'red')";
    for sql in [
        insert,
        "UPDATE ordr_hdr SET ord_stat = 'P'",
        "UPDATE ordr_hdr SET ord_no = 8",
        "UPDATE ordr_hdr SET del_flg = 'Y'",
        "UPDATE ordr_hdr SET tot_amt = 1",
        "DELETE FROM ordr_hdr",
        insert,
    ] {
        scenario.db.batch_execute(sql).await.unwrap();
    }
    let found = events(&scenario, 6).await;
    let of = |key: &str| -> Vec<Option<String>> {
        let mine = found.iter().filter(|e| e.key == key);
        mine.map(|e| {
            e.value
                .as_ref()
                .map(|v| v["status"].as_str().unwrap().to_owned())
        })
        .collect()
    };
    let text = |s: &str| Some(s.to_owned());
    // Insert, update, and the tombstone of the key that moved; then the insert again.
    assert_eq!(of("7"), [text("NEW"), text("PAID"), None, text("NEW")]);
    // The moved key's state, its soft delete; the invisible update gives nothing since the before
    // image proves that the row was hidden already; the delete's tombstone comes all the same.
    assert_eq!(of("8"), [text("PAID"), None, None]);
    let first = found.iter().find(|e| e.key == "7").unwrap();
    let value = first.value.as_ref().unwrap();
    assert_eq!(value["customer_id"], "CUST-1");
    assert_eq!(value["total"], "1050");
    assert_eq!(value["colour"], "red");
    // char(3) without its padding, in a value as in a comparison.
    assert_eq!(value["country"], "GB");
    assert_eq!(value["domestic"], true);
    assert_eq!(value["placed_at"], 1_767_268_800_000_000_i64);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/orders.yaml", PRODUCT);
    let insert = |n: i32| {
        format!("INSERT INTO ordr_hdr VALUES ({n}, 'N', {n}, {n}, '20260101120000', 'red')")
    };
    let gateway = Gateway::streaming(&scenario).await;
    scenario.db.batch_execute(&insert(1)).await.unwrap();
    events(&scenario, 1).await;
    gateway.kill();
    scenario.db.batch_execute(&insert(2)).await.unwrap();
    let gateway = Gateway::streaming(&scenario).await;
    scenario.db.batch_execute(&insert(3)).await.unwrap();
    let found = events(&scenario, 3).await;
    assert_eq!(found.len(), 3, "nothing twice");
    assert_eq!(
        latest_by_key(&found).keys().collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
