//! What holds of every workload: a topic compacted is its table translated, and a replay gives the
//! same bytes. Workloads are random, and PostgreSQL is who knows what the table holds; a seed that
//! fails is named, and fails again.

use std::collections::BTreeMap;

use onramp_integration_tests::broker::delete;
use onramp_integration_tests::history::Dice;
use onramp_integration_tests::workload::{FIELDS, TABLE, run};
use onramp_integration_tests::{Event, Gateway, Scenario, consume, latest_by_key};
use serde_json::Value;

const TRANSACTIONS: u64 = 150;
const SEEDS: [u64; 4] = [1, 20, 300, 4000];

fn head(name: &str, kind: &str) -> String {
    format!(
        "product: DOMAIN.{name}.v1\nstatus: active\n\
         owner: {{ team: orders, contact: orders@shop.test }}\n\
         description: Orders.\nkind: {kind}\n"
    )
}

fn entity(name: &str) -> String {
    let head = head(name, "entity");
    format!("{head}source: {{ table: public.ordr, where: \"!row.gone\" }}{FIELDS}")
}

/// The table translated by somebody else: each row as the consumer reads its event. What is protected
/// is held by its bytes, below.
const ORACLE: &str = "
SELECT ord_no::text, json_build_object(
    'order_id', ord_no,
    'label', 'ORD-' || ord_no,
    'customer', cust_no,
    'status', CASE stat WHEN 'N' THEN 'NEW' WHEN 'P' THEN 'PAID' END,
    'total', (tot_amt * 100)::bigint::text,
    'placed', ord_day - date '1970-01-01',
    'at', (extract(epoch FROM upd_ts) * 1000000)::bigint,
    'note', note)::text
  FROM ordr WHERE NOT gone";

async fn by_the_database(scenario: &Scenario) -> BTreeMap<String, Value> {
    let rows = scenario.db.query(ORACLE, &[]).await.expect("it answers");
    let row = |row: &tokio_postgres::Row| {
        let value: &str = row.get(1);
        (row.get(0), serde_json::from_str(value).expect("JSON"))
    };
    rows.iter().map(row).collect()
}

/// The last value of each key, without the frame that names the schema.
fn bytes_by_key(events: &[Event]) -> BTreeMap<&str, &[u8]> {
    let mut state = BTreeMap::new();
    for event in events {
        match &event.bytes {
            Some(bytes) => state.insert(event.key.as_str(), &bytes[5..]),
            None => state.remove(event.key.as_str()),
        };
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_compacted_is_its_table_translated() {
    for seed in SEEDS {
        let scenario = Scenario::new(TABLE).await;
        scenario.write("products/orders.yaml", &entity("orders"));
        let mut dice = Dice::new(seed);
        // Rows that were there already, and what happens to them afterwards.
        run(&scenario.db, &mut dice, TRANSACTIONS / 3).await;
        let gateway = Gateway::reading(&scenario).await;
        run(&scenario.db, &mut dice, TRANSACTIONS).await;
        let last = "INSERT INTO ordr (ord_no) VALUES (1000000)";
        scenario.db.batch_execute(last).await.expect("a row");
        wait_for(&scenario, "orders.v1", "1000000").await;
        assert!(gateway.stop().await.success());

        // The same mapping over the table as it is now, read anew.
        scenario.write("products/fresh.yaml", &entity("fresh"));
        let gateway = Gateway::streaming(&scenario).await;
        let streamed = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
        let fresh = consume(&scenario.servers, &scenario.topic("fresh.v1")).await;
        assert!(gateway.stop().await.success());

        let mut table = latest_by_key(&streamed);
        for value in table.values_mut() {
            let value = value.as_object_mut().expect("a record");
            value.retain(|field, _| field != "email" && field != "card");
        }
        assert_eq!(table, by_the_database(&scenario).await, "seed {seed}");
        assert_eq!(bytes_by_key(&streamed), bytes_by_key(&fresh), "seed {seed}");
        assert_eq!(fresh.len(), table.len(), "seed {seed}: a row is one event");
        assert!(
            streamed.len() > 2 * fresh.len(),
            "seed {seed}: much happened"
        );
        let gone = streamed.iter().filter(|e| e.value.is_none()).count();
        assert!(gone > 10, "seed {seed}: {gone} tombstones");
        scenario.close().await;
    }
}

/// Until the topic of a product has the key; whatever was committed before is there then.
async fn wait_for(scenario: &Scenario, product: &str, key: &str) {
    let topic = scenario.topic(product);
    let patience = onramp_integration_tests::LEAST_PATIENCE;
    onramp_integration_tests::until("the last change", patience, async || {
        let events = consume(&scenario.servers, &topic).await;
        events.iter().any(|e| e.key == key)
    })
    .await;
}

const ENCRYPTED: &str = r#"  secret:   { type: string, from: note, optional: true, classification: personal, protect: { encrypt: pii } }
"#;

const FACTS: &str = r#"source: { table: public.ordr }
key: [order_id]
on_truncate: ignore
events:
  Placed:
    when: op == "insert"
    fields:
      order_id: { type: long, from: ord_no }
      email:    { type: string, from: email, optional: true, classification: personal, protect: { encrypt: pii } }
      at:       { type: timestamp, expr: tx.committed_at }
  Moved:
    when: op == "update" && before.ord_no != after.ord_no
    fields:
      order_id: { type: long, from: ord_no }
      was:      { type: long, expr: before.ord_no }
      tx:       { type: string, expr: tx.id }
  Gone:
    when: op == "delete"
    fields:
      order_id: { type: long, from: ord_no }
      note:     { type: string, from: note, optional: true }
"#;

const TOPICS: [&str; 2] = ["orders.v1", "lifecycle.v1"];

#[tokio::test(flavor = "multi_thread")]
async fn a_log_read_again_gives_the_same_bytes() {
    for seed in [7, 77] {
        let scenario = Scenario::new(TABLE).await;
        let orders = entity("orders") + ENCRYPTED;
        scenario.write("products/orders.yaml", &orders);
        let facts = head("lifecycle", "events") + FACTS;
        scenario.write("products/lifecycle.yaml", &facts);
        let name = scenario.slot();
        for statement in [
            format!(
                "CREATE PUBLICATION {name} FOR TABLE ordr WITH (publish_via_partition_root = true)"
            ),
            format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')"),
        ] {
            scenario
                .db
                .batch_execute(&statement)
                .await
                .expect("it is made");
        }
        run(&scenario.db, &mut Dice::new(seed), TRANSACTIONS).await;
        // What is compared is in the log alone.
        let emptied = "TRUNCATE ordr; INSERT INTO ordr (ord_no) VALUES (1000000)";
        scenario.db.batch_execute(emptied).await.expect("a row");
        let first = streamed(&scenario, "first").await;
        let own = format!("onramp.{}.progress", scenario.name);
        let mut gone = vec![own];
        gone.extend(TOPICS.map(|name| scenario.topic(name)));
        // As if nobody had ever published it.
        delete(&scenario.servers, &gone).await;
        let second = streamed(&scenario, "second").await;
        for (name, (first, second)) in TOPICS.iter().zip(first.iter().zip(&second)) {
            assert_eq!(first.len(), second.len(), "seed {seed}: {name}");
            assert!(first.len() > 50, "seed {seed}: {name} {}", first.len());
            for (first, second) in first.iter().zip(second) {
                assert_eq!(first, second, "seed {seed}: {name}");
            }
        }
        let encrypted = first[0].iter().filter_map(|e| e.value.as_ref());
        let encrypted = encrypted.filter(|v| {
            let secret = v["secret"].as_str();
            secret.is_some_and(|secret| secret.starts_with("pii:"))
        });
        assert!(encrypted.count() > 20, "seed {seed}");
        scenario.close().await;
    }
}

/// What a gateway makes of the log since the slot was made, by a copy of the slot.
async fn streamed(scenario: &Scenario, which: &str) -> Vec<Vec<Event>> {
    let (made, slot) = (scenario.slot(), format!("{}_{which}", scenario.slot()));
    let copy = format!("SELECT pg_copy_logical_replication_slot('{made}', '{slot}')");
    scenario.db.batch_execute(&copy).await.expect("a copy");
    let file = scenario.gateway_file("headers: cloudevents\n");
    let theirs = format!("  slot: {slot}\n  publication: {made}\n  tls: {{");
    scenario.write("onramp.yaml", &file.replace("  tls: {", &theirs));
    let gateway = Gateway::streaming(scenario).await;
    let mut told = Vec::new();
    for product in TOPICS {
        wait_for(scenario, product, "1000000").await;
        let mut events = consume(&scenario.servers, &scenario.topic(product)).await;
        // The last row is there already, too: who tells it first is nobody's promise.
        events.retain(|event| event.key != "1000000");
        for event in &mut events {
            // Commits stand between events, and fall where they may.
            event.offset = 0;
        }
        told.push(events);
    }
    assert!(gateway.stop().await.success());
    let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
    scenario.db.batch_execute(&drop).await.expect("it is free");
    told
}
