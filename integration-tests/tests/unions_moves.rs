//! Rows that move between three tables, with and without a filter, while the tables are read.

use std::collections::BTreeMap;
use std::time::Duration;

use onramp_integration_tests::history::Dice;
use onramp_integration_tests::{Gateway, Scenario, consume, latest_by_key, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

const MOVES: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders, live and archived.
kind: entity
source: { tables: ["public.ordr*"] }
moves: true
key: [order_id]
fields:
  order_id: { type: long, from: ord_no }
  note:     { type: string, from: nte }
  archived: { type: boolean, expr: table.name == "ordr_arch" }
"#;

/// A transaction that leaves each key in one of three tables: rows go over, come back, change their
/// keys on the way, change places, and savepoints are rolled back.
fn between_three(dice: &mut Dice, serial: &mut u64, keys: u64) -> String {
    const TABLES: [&str; 3] = ["ordr", "ordr_arch", "ordr_old"];
    let mut sql = String::from("BEGIN;");
    for _ in 0..=dice.below(4) {
        *serial += 1;
        let (key, other, note) = (dice.below(keys), dice.below(keys), *serial);
        let from = TABLES[dice.below(3) as usize];
        let to = TABLES[dice.below(3) as usize];
        let by = TABLES[dice.below(3) as usize];
        let gone =
            format!("ord_no = {other} AND NOT EXISTS (SELECT FROM every WHERE ord_no = {key})");
        let go = |from: &str, to: &str| match from == to {
            true => String::new(),
            false => format!(
                "INSERT INTO {to} SELECT ord_no, nte || ' {note}', del FROM {from} WHERE ord_no = {key}; DELETE FROM {from} WHERE ord_no = {key};"
            ),
        };
        let step = match dice.below(9) {
            0 => go(from, to),
            1 => go(from, by) + &go(by, to),
            2 => go(from, to) + &go(to, from),
            3 => format!("UPDATE {from} SET ord_no = {key} WHERE {gone};"),
            4 => format!("UPDATE {from} SET nte = 's{note}', del = CASE del WHEN 'Y' THEN 'N' ELSE 'Y' END WHERE ord_no = {key};"),
            5 => format!("SAVEPOINT s; {} DELETE FROM {to} WHERE ord_no = {key}; ROLLBACK TO s;", go(from, to)),
            6 => format!("SAVEPOINT s; {} RELEASE s;", go(from, to)),
            7 if from != to => format!(
                "CREATE TEMP TABLE held ON COMMIT DROP AS SELECT ord_no, nte, del FROM {from} WHERE ord_no = {key};
                 DELETE FROM {from} WHERE ord_no = {key}; INSERT INTO {to} SELECT * FROM held; DROP TABLE held;"
            ),
            _ => format!("INSERT INTO {to} SELECT {key}, 'n{note}', 'N' WHERE NOT EXISTS (SELECT FROM every WHERE ord_no = {key});"),
        };
        sql.push_str(&step);
    }
    sql + "COMMIT;"
}

/// Three tables of some rows each, whose old rows are logged whole.
const THREE_TABLES: &str = "
CREATE TABLE ordr (ord_no bigint PRIMARY KEY, nte text NOT NULL, del text NOT NULL);
CREATE TABLE ordr_arch (LIKE ordr INCLUDING ALL);
CREATE TABLE ordr_old (LIKE ordr INCLUDING ALL);
CREATE VIEW every AS SELECT *, false arch FROM ordr UNION ALL SELECT *, true FROM ordr_arch
    UNION ALL SELECT *, false FROM ordr_old;
ALTER TABLE ordr REPLICA IDENTITY FULL;
ALTER TABLE ordr_arch REPLICA IDENTITY FULL;
ALTER TABLE ordr_old REPLICA IDENTITY FULL;
INSERT INTO ordr SELECT n, 'o', 'N' FROM generate_series(0, 3999, 3) n;
INSERT INTO ordr_arch SELECT n, 'o', 'N' FROM generate_series(1, 3999, 3) n;
INSERT INTO ordr_old SELECT n, 'o', 'N' FROM generate_series(2, 3999, 3) n;
";

/// What a product of the three tables is to hold.
async fn in_three(scenario: &Scenario, condition: &str) -> BTreeMap<String, Value> {
    let sql = format!("SELECT ord_no, nte, arch FROM every WHERE {condition}");
    let rows = scenario
        .db
        .query(&sql, &[])
        .await
        .expect("the view is there");
    let of_key = rows.iter().map(|row| {
        let (number, note, archived): (i64, String, bool) = (row.get(0), row.get(1), row.get(2));
        let value = serde_json::json!({ "order_id": number, "note": note, "archived": archived });
        (number.to_string(), value)
    });
    let of_key: BTreeMap<String, Value> = of_key.collect();
    assert_eq!(of_key.len(), rows.len(), "each key stands in one table");
    of_key
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_move_between_three_tables_while_they_are_read_are_all_there() {
    for seed in [20_261_129, 5] {
        let scenario = Scenario::new(THREE_TABLES).await;
        let slow = "snapshot: { readers: 2, chunk_rows: 10 }";
        scenario.write("onramp.yaml", &scenario.gateway_file(slow));
        let three = "tables: [\"public.ordr*\"]";
        let filter = format!("{three}, where: row.del != \"Y\"");
        let filtered = MOVES
            .replace("orders.v1", "kept.v1")
            .replace(three, &filter);
        scenario.write("products/orders.yaml", MOVES);
        scenario.write("products/kept.yaml", &filtered);
        let (mut dice, mut serial) = (Dice::new(seed), 0);
        let mut gateway = Gateway::start(&scenario);
        for round in 0..900 {
            // Of many keys, so that they are not read yet, and of few, which meet again and again.
            let keys = if round % 2 == 0 { 4100 } else { 12 };
            let sql = between_three(&mut dice, &mut serial, keys);
            let done = scenario.db.batch_execute(&sql).await;
            done.unwrap_or_else(|e| panic!("seed {seed}: {sql}: {e:?}"));
            if round % 300 == 299 {
                gateway.kill();
                gateway = Gateway::start(&scenario);
            }
        }
        gateway.wait_history().await;
        for (product, condition) in [("orders.v1", "true"), ("kept.v1", "del <> 'Y'")] {
            let expected = in_three(&scenario, condition).await;
            let topic = scenario.topic(product);
            until(&format!("{product}, seed {seed}"), PATIENCE, async || {
                latest_by_key(&consume(&scenario.servers, &topic).await) == expected
            })
            .await;
        }
        assert!(gateway.stop().await.success(), "seed {seed}");
        scenario.close().await;
    }
}
