//! One product of several tables: told apart by their key, or with rows that move between them.

use std::collections::BTreeMap;
use std::process::Command;

use onramp_integration_tests::history::Dice;
use onramp_integration_tests::operate::onramp;
use onramp_integration_tests::quarantine::quarantine;
use onramp_integration_tests::unions::{MOVES, PATIENCE, SHOPS, TWO_TABLES, latest, shop};
use onramp_integration_tests::{Gateway, Ports, Scenario, binary, consume, latest_by_key, until};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_one_product_with_their_history() {
    let schema = [shop(1), shop(2), shop(3)].concat();
    let scenario = Scenario::new(&schema).await;
    scenario.write("products/orders.yaml", SHOPS);
    for number in 1..=3 {
        let insert = format!(
            "INSERT INTO shop_{number}.ordr SELECT n, n * {number} FROM generate_series(1, 500) n"
        );
        scenario.db.batch_execute(&insert).await.unwrap();
    }
    let gateway = Gateway::streaming(&scenario).await;
    let events = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
    assert_eq!(events.len(), 1500, "each row once");
    let found = latest_by_key(&events);
    assert_eq!(found.len(), 1500);
    assert_eq!(found[r#"["S3",7]"#]["amount"], "2100");
    scenario
        .db
        .batch_execute(
            "BEGIN; UPDATE shop_1.ordr SET amt = 9 WHERE ord_no = 7;
             DELETE FROM shop_2.ordr WHERE ord_no = 7; COMMIT",
        )
        .await
        .unwrap();
    let found = latest(&scenario, |found| found.len() == 1499).await;
    assert_eq!(found[r#"["S1",7]"#]["amount"], "900");
    assert!(found.contains_key(r#"["S3",7]"#), "another shop's");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_opens_while_it_runs_comes_with_its_rows() {
    let scenario = Scenario::new(&[shop(1), shop(2)].concat()).await;
    scenario.write("products/orders.yaml", SHOPS);
    let port = Ports::claim(1).keep();
    let admin = format!("admin: {{ listen: \"127.0.0.1:{port}\", token: {{ file: token }} }}\n");
    scenario.write("onramp.yaml", &scenario.gateway_file(&admin));
    scenario.write("token", "a token for tests alone\n");
    scenario
        .db
        .batch_execute(
            "INSERT INTO shop_1.ordr VALUES (1, 1); INSERT INTO shop_2.ordr VALUES (1, 2)",
        )
        .await
        .unwrap();
    let mut gateway = Gateway::streaming(&scenario).await;
    scenario
        .db
        .batch_execute(&(shop(3) + "INSERT INTO shop_3.ordr VALUES (1, 3), (2, 3)"))
        .await
        .unwrap();
    latest(&scenario, |found| found.len() == 4).await;
    gateway.wait_ready("streaming").await;
    scenario
        .db
        .batch_execute(
            "INSERT INTO shop_3.ordr VALUES (3, 3); INSERT INTO shop_1.ordr VALUES (3, 3)",
        )
        .await
        .unwrap();
    latest(&scenario, |found| found.len() == 6).await;
    let events = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
    assert_eq!(events.len(), 6, "the others' rows are not read again");
    assert!(gateway.stop().await.success());

    // A shop that is closed takes its rows away without a word.
    scenario
        .db
        .batch_execute("DROP SCHEMA shop_2 CASCADE")
        .await
        .unwrap();
    let mut refused = Gateway::start(&scenario);
    refused.refuses(64, "ONR-718").await;
    let ignoring = SHOPS.replace("key: [shop", "on_truncate: ignore\nkey: [shop");
    scenario.write("products/orders.yaml", &ignoring);
    let gateway = Gateway::streaming(&scenario).await;
    let arguments = [&scenario.topic("orders.v1"), "--reconcile"];
    let output = onramp(&scenario, "backfill", &arguments).await;
    assert!(output.status.success(), "{output:?}");
    let found = latest(&scenario, |found| found.len() == 5).await;
    assert!(!found.contains_key(r#"["S2",1]"#));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_history_goes_on_with_the_table_that_it_was_at() {
    let schema = [shop(1), shop(2), shop(3)].concat();
    let scenario = Scenario::new(&schema).await;
    scenario.write("products/orders.yaml", SHOPS);
    scenario.write(
        "onramp.yaml",
        &scenario.gateway_file("snapshot: { readers: 1, chunk_rows: 10 }"),
    );
    for number in 1..=3 {
        let insert =
            format!("INSERT INTO shop_{number}.ordr SELECT n, n FROM generate_series(1, 8000) n");
        scenario.db.batch_execute(&insert).await.unwrap();
    }
    let topic = scenario.topic("orders.v1");
    for part in 1..=4 {
        let gateway = Gateway::start(&scenario);
        until("some more rows", PATIENCE, async || {
            consume(&scenario.servers, &topic).await.len() > part * 4800
        })
        .await;
        gateway.kill();
        let so_far = consume(&scenario.servers, &topic).await.len();
        assert!(part > 1 || so_far < 24_000, "it was killed on its way");
    }
    let mut gateway = Gateway::start(&scenario);
    gateway.wait_history().await;
    let events = consume(&scenario.servers, &topic).await;
    assert_eq!(events.len(), 24_000, "each row once");
    assert_eq!(latest_by_key(&events).len(), 24_000);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// What the topic, compacted, is to hold.
async fn expected(scenario: &Scenario) -> BTreeMap<String, Value> {
    let sql =
        "SELECT ord_no, nte, false FROM ordr UNION ALL SELECT ord_no, nte, true FROM ordr_arch";
    let rows = scenario
        .db
        .query(sql, &[])
        .await
        .expect("the tables are there");
    rows.iter()
        .map(|row| {
            let (number, note, archived): (i64, String, bool) =
                (row.get(0), row.get(1), row.get(2));
            let value =
                serde_json::json!({ "order_id": number, "note": note, "archived": archived });
            (number.to_string(), value)
        })
        .collect()
}

/// A transaction of random steps, each of which keeps a key in one table when all is done.
fn transaction(dice: &mut Dice, serial: &mut u64) -> String {
    let mut sql = String::from("BEGIN;");
    for _ in 0..=dice.below(3) {
        *serial += 1;
        let (key, note) = (dice.below(30), *serial);
        let (from, to) = match dice.below(2) {
            0 => ("ordr", "ordr_arch"),
            _ => ("ordr_arch", "ordr"),
        };
        let copy = format!(
            "INSERT INTO {to} SELECT ord_no, nte || ' m{note}' FROM {from} WHERE ord_no = {key};"
        );
        let stamp = format!("UPDATE {from} SET nte = 's{note}' WHERE ord_no = {key};");
        let delete = format!("DELETE FROM {from} WHERE ord_no = {key};");
        // One that stands there already is taken away first, as its owner would.
        sql.push_str(&match dice.below(7) {
            0 => format!(
                "INSERT INTO {to} SELECT {key}, 'n{note}' WHERE NOT EXISTS (SELECT FROM {from} WHERE ord_no = {key}) ON CONFLICT (ord_no) DO UPDATE SET nte = 'u{note}';"
            ),
            1 => stamp,
            2 => delete,
            3 => format!("{copy}{delete}"),
            4 => format!("{copy}{stamp}{delete}"),
            5 => format!("CREATE TEMP TABLE held ON COMMIT DROP AS SELECT * FROM {from} WHERE ord_no = {key}; {delete} INSERT INTO {to} SELECT * FROM held; DROP TABLE held;"),
            _ => format!("UPDATE {from} SET ord_no = ord_no + 100 WHERE ord_no = {key} AND NOT EXISTS (SELECT FROM {to} WHERE ord_no = {key} + 100) AND NOT EXISTS (SELECT FROM {from} WHERE ord_no = {key} + 100);"),
        });
    }
    sql + "COMMIT;"
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_moves_the_topic_compacted_is_what_the_tables_hold() {
    for seed in [20_261_129, 7, 99] {
        let scenario = Scenario::new(TWO_TABLES).await;
        scenario.write("products/orders.yaml", MOVES);
        let mut dice = Dice::new(seed);
        let mut serial = 0;
        scenario
            .db
            .batch_execute("INSERT INTO ordr SELECT n, 'old' FROM generate_series(0, 14) n; INSERT INTO ordr_arch SELECT n, 'old' FROM generate_series(15, 20) n")
            .await
            .unwrap();
        let mut gateway = Gateway::start(&scenario);
        for round in 0..400 {
            let sql = transaction(&mut dice, &mut serial);
            scenario
                .db
                .batch_execute(&sql)
                .await
                .unwrap_or_else(|e| panic!("seed {seed}: {sql}: {e:?}"));
            if round % 150 == 149 {
                gateway.kill();
                gateway = Gateway::start(&scenario);
            }
        }
        gateway.wait_history().await;
        let expected = expected(&scenario).await;
        let topic = scenario.topic("orders.v1");
        let mut found = BTreeMap::new();
        let fits = until("the topic to fit the tables", PATIENCE, async || {
            found = latest_by_key(&consume(&scenario.servers, &topic).await);
            found == expected
        });
        fits.await;
        assert!(gateway.stop().await.success(), "seed {seed}");
        scenario.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_two_tables_stops_the_gateway_and_a_dry_run_foretells_it() {
    let scenario = Scenario::new(TWO_TABLES).await;
    scenario.write("products/orders.yaml", MOVES);
    let insert = "INSERT INTO ordr SELECT n, 'a' FROM generate_series(1, 9) n";
    scenario.db.batch_execute(insert).await.unwrap();
    let dry_run = || {
        let output = Command::new(binary())
            .args(["dry-run", "--all", "--format", "json", "--config"])
            .arg(scenario.config())
            .env("TEST_DB_PASSWORD", "onramp")
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = said["findings"].as_array().unwrap().clone();
        findings
            .into_iter()
            .filter(|f| f["code"] == "ONR-332")
            .map(|f| f["message"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(dry_run(), [""; 0]);
    let mut gateway = Gateway::streaming(&scenario).await;
    scenario
        .db
        .batch_execute("BEGIN; INSERT INTO ordr_arch SELECT ord_no, 'copy' FROM ordr WHERE ord_no < 4; UPDATE ordr SET nte = 'kept' WHERE ord_no = 2; COMMIT")
        .await
        .unwrap();
    gateway.ended().await;
    assert!(gateway.output().contains("ONR-332"), "{}", gateway.output());
    let found = latest_by_key(&consume(&scenario.servers, &scenario.topic("orders.v1")).await);
    assert!(
        found.values().all(|event| event["archived"] == false),
        "none of it was published"
    );
    let told = dry_run();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("3 key(s)"), "{told:?}");
    assert!(
        told[0].ends_with("in public.ordr and public.ordr_arch"),
        "{told:?}"
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_the_key_does_not_tell_apart_are_refused() {
    let scenario = Scenario::new(&[shop(1), shop(2)].concat()).await;
    let alike = SHOPS.replace("[shop, order_id]", "[order_id]");
    scenario.write("products/orders.yaml", &alike);
    let mut gateway = Gateway::start(&scenario);
    let output = gateway.refuses(64, "ONR-330").await;
    assert!(output.contains("shop_1.ordr"), "{output}");
    // What is wrong with some of the tables is said of those.
    scenario
        .db
        .batch_execute("ALTER TABLE shop_2.ordr ALTER amt TYPE text")
        .await
        .unwrap();
    scenario.write("products/orders.yaml", SHOPS);
    let mut gateway = Gateway::start(&scenario);
    let output = gateway.refuses(64, "ONR-303").await;
    assert!(output.contains("in shop_2.ordr"), "{output}");
    let nowhere = SHOPS.replace("shop_*.ordr", "store_*.ordr");
    scenario.write("products/orders.yaml", &nowhere);
    let mut gateway = Gateway::start(&scenario);
    gateway.refuses(66, "ONR-411").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_and_outboxes_of_several_tables_are_one_stream_each() {
    let shops = ["shop_1", "shop_2"].map(|shop| {
        format!(
            "CREATE SCHEMA {shop};
             CREATE TABLE {shop}.ordr (ord_no bigint PRIMARY KEY, stat text NOT NULL);
             CREATE TABLE {shop}.outbox (id text PRIMARY KEY, type text, agg text, payload jsonb);
             ALTER TABLE {shop}.ordr REPLICA IDENTITY FULL;"
        )
    });
    let scenario = Scenario::new(&shops.concat()).await;
    let head = |name: &str| {
        format!(
            "product: DOMAIN.{name}.v1\nstatus: active\nowner: {{ team: t, contact: t@shop.test }}\ndescription: All shops.\n"
        )
    };
    let facts = r#"
kind: events
source: { tables: ["shop_*.ordr"] }
key: [shop, order_id]
events:
  OrderShipped:
    when: op == "update" && table.name == "ordr" && before.stat != "S" && after.stat == "S"
    fields:
      shop:     { type: string, expr: table.schema }
      order_id: { type: long, from: ord_no }
"#;
    let outbox = r#"
kind: outbox
source: { tables: ["shop_*.outbox"], where: table.schema != "shop_0" }
columns: { id: id, type: type, key: agg, payload: payload }
events:
  Hello: { payload: json, fields: { text: { type: string }, shop: { type: string, expr: table.schema } } }
"#;
    scenario.write("products/facts.yaml", &(head("facts") + facts));
    scenario.write("products/hellos.yaml", &(head("hellos") + outbox));
    let gateway = Gateway::reading(&scenario).await;
    scenario
        .db
        .batch_execute(
            r#"INSERT INTO shop_1.ordr VALUES (7, 'N'); INSERT INTO shop_2.ordr VALUES (7, 'N');
               BEGIN; UPDATE shop_2.ordr SET stat = 'S'; UPDATE shop_1.ordr SET stat = 'S';
               INSERT INTO shop_1.outbox VALUES ('a', 'Hello', 'x', '{"text": "one"}');
               INSERT INTO shop_2.outbox VALUES ('b', 'Hello', 'x', '{"text": "two"}'); COMMIT"#,
        )
        .await
        .unwrap();
    let facts = scenario.events("facts.v1", 2).await;
    let keys: std::collections::BTreeSet<_> = facts.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(facts.len(), 2);
    assert!(
        keys.contains(r#"["shop_1",7]"#) && keys.contains(r#"["shop_2",7]"#),
        "{keys:?}"
    );
    let hellos = scenario.events("hellos.v1", 2).await;
    let told: Vec<_> = hellos
        .iter()
        .map(|e| {
            let value = e.value.as_ref().unwrap();
            (
                value["text"].as_str().unwrap(),
                value["shop"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("one", "shop_1"), ("two", "shop_2")]);
    assert!(gateway.stop().await.success());

    let output = Command::new(binary())
        .args(["discover", "--format", "json", "--config"])
        .arg(scenario.config())
        .env("TEST_DB_PASSWORD", "onramp")
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kept = said["findings"].as_array().unwrap().iter();
    let kept = kept.filter(|f| f["message"].as_str().unwrap().ends_with("maps it already"));
    assert_eq!(kept.count(), 4, "a pattern maps what it means: {said}");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_row_of_one_table_is_replayed_from_that_table() {
    // Names with a point in them are names.
    let with_a_point = shop(2).replace("shop_2", "\"shop_2.b\"");
    let scenario = Scenario::new(&(shop(1) + &with_a_point)).await;
    let narrow = SHOPS
        .replace("key: [shop", "on_error: quarantine\nkey: [shop")
        .replace(
            "decimal(12,2)\", from: amt",
            "decimal(4,2)\", expr: row.amt",
        );
    assert!(narrow.contains("(4,2)"));
    scenario.write("products/orders.yaml", &narrow);
    let port = Ports::claim(1).keep();
    let admin = format!("admin: {{ listen: \"127.0.0.1:{port}\", token: {{ file: token }} }}\n");
    scenario.write("onramp.yaml", &scenario.gateway_file(&admin));
    scenario.write("token", "a token for tests alone\n");
    let gateway = Gateway::streaming(&scenario).await;
    scenario
        .db
        .batch_execute(
            "INSERT INTO shop_1.ordr VALUES (7, 1); INSERT INTO \"shop_2.b\".ordr VALUES (7, 12345)",
        )
        .await
        .unwrap();
    latest(&scenario, |found| found.len() == 1).await;
    scenario
        .db
        .batch_execute("UPDATE \"shop_2.b\".ordr SET amt = 2")
        .await
        .unwrap();
    latest(&scenario, |found| found.len() == 2).await;
    let before = consume(&scenario.servers, &scenario.topic("orders.v1"))
        .await
        .len();
    let output = quarantine(&scenario, &["replay", &scenario.topic("orders.v1")]);
    assert!(output.status.success(), "{output:?}");
    let replayed = scenario.events("orders.v1", before + 1).await;
    let of = |key: &str| replayed.iter().filter(|e| e.key == key).count();
    assert_eq!((of(r#"["S1",7]"#), of(r#"["S2.b",7]"#)), (1, 2));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
