//! Rows that a product cannot carry: kept with their context in the same Kafka transaction, while the
//! others go on.

use std::time::Duration;

use onramp_integration_tests::quarantine::{quarantine, told};
use onramp_integration_tests::{Gateway, Scenario, consume, latest_by_key, records, until};
use serde_json::Value;

const SCHEMA: &str = "
CREATE TABLE ordr_hdr (
  ord_no   bigint PRIMARY KEY,
  ord_stat char(1),
  email    text,
  nte      text);
";

const PRODUCT: &str = r#"
product: DOMAIN.orders.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr_hdr }
key: [order_id]
on_error: quarantine
unchanged_toast: stop
fields:
  order_id: { type: long, from: ord_no }
  status:   { type: enum, from: ord_stat, values: { "N": NEW, "P": PAID }, default: UNKNOWN, otherwise: fail }
  email:    { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
  note:     { type: string, from: nte, optional: true }
  share:    { type: long, expr: 1 + 100 / (row.ord_no - 13) }
"#;

/// The quarantine's records: key and value.
async fn kept(scenario: &Scenario, count: usize) -> Vec<(String, Value)> {
    let topic = scenario.topic("orders.v1.quarantine");
    let mut found = Vec::new();
    until(
        "the rows in quarantine",
        Duration::from_secs(60),
        async || {
            found = records(&scenario.servers, &topic).await;
            found.len() >= count
        },
    )
    .await;
    let parsed = found.into_iter();
    parsed
        .map(|(key, value)| (key, serde_json::from_str(&value).expect("JSON")))
        .collect()
}

async fn orders() -> Scenario {
    let scenario = Scenario::new(SCHEMA).await;
    scenario.write("products/orders.yaml", PRODUCT);
    scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_row_is_kept_with_its_context_and_the_others_go_on() {
    let scenario = orders().await;
    let sql = async |sql: &str| scenario.db.batch_execute(sql).await.expect("it runs");
    // One that was there already, too.
    sql("INSERT INTO ordr_hdr VALUES (1, 'N', NULL, NULL), (2, '?', 'old@shop.test', 'was there')")
        .await;
    let gateway = Gateway::streaming(&scenario).await;
    sql("BEGIN; INSERT INTO ordr_hdr VALUES (7, 'N', 'a@shop.test', 'first'); \
         INSERT INTO ordr_hdr VALUES (8, 'X', 'secret@shop.test', 'no such code'); \
         INSERT INTO ordr_hdr VALUES (9, NULL); \
         INSERT INTO ordr_hdr VALUES (13, 'N'); UPDATE ordr_hdr SET ord_stat = 'P' WHERE ord_no = 7; COMMIT")
    .await;
    let rows = kept(&scenario, 4).await;
    let keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["2", "8", "9", "13"]);
    let of = |at: usize, name: &str| rows[at].1[name].clone();
    assert_eq!(of(0, "operation"), "snapshot");
    assert_eq!(
        (of(1, "code"), of(1, "field")),
        ("ONR-324".into(), "status".into())
    );
    assert_eq!(of(1, "operation"), "insert");
    assert_eq!(of(1, "column"), "ord_stat");
    assert_eq!(
        (of(3, "code"), of(3, "field")),
        ("ONR-212".into(), "share".into())
    );
    assert_eq!(
        (of(3, "expression_at"), of(1, "expression_at")),
        (4.into(), Value::Null)
    );
    assert_eq!(of(1, "product"), scenario.topic("orders.v1"));
    assert_eq!(of(1, "position"), of(2, "position"), "one transaction");
    let row = of(1, "after");
    assert_eq!(row["ord_stat"], "X");
    assert_eq!(row["nte"], "no such code");
    assert_eq!(row["email"], "(protected)");
    assert_eq!(of(2, "code"), "ONR-321");
    let all = format!("{rows:?}");
    assert!(!all.contains("@shop.test"), "{all}");
    let events = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
    let told_of: Vec<&str> = events.iter().map(|e| e.key.as_str()).collect();
    assert!(
        !told_of.contains(&"8") && !told_of.contains(&"9"),
        "{told_of:?}"
    );
    assert_eq!(latest_by_key(&events)["7"]["status"], "PAID");

    // A delete is never kept from consumers.
    sql("DELETE FROM ordr_hdr WHERE ord_no = 8").await;
    until("the tombstone", Duration::from_secs(60), async || {
        let events = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
        events.iter().any(|e| e.key == "8" && e.value.is_none())
    })
    .await;
    assert_eq!(kept(&scenario, 4).await.len(), 4);
    assert_eq!(gateway.metric(&metric(&scenario)), Some(4.0));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

fn metric(scenario: &Scenario) -> String {
    let product = scenario.topic("orders.v1");
    format!("onramp_quarantined_total{{product=\"{product}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_quarantine_is_listed_shown_and_replayed() {
    let scenario = orders().await;
    let admin = onramp_integration_tests::Ports::claim(1);
    let more = format!("admin: {{ listen: \"127.0.0.1:{}\" }}\n", admin.first());
    scenario.write("onramp.yaml", &scenario.gateway_file(&more));
    let product = scenario.topic("orders.v1");
    assert_eq!(
        told(&scenario, &["list"])["quarantined"],
        serde_json::json!([])
    );
    let gateway = Gateway::streaming(&scenario).await;
    let sql = "INSERT INTO ordr_hdr VALUES (7, 'X'), (8, 'X'), (9, 'Y'), (10, 'N')";
    scenario.db.batch_execute(sql).await.expect("it runs");
    kept(&scenario, 3).await;
    let listed = told(&scenario, &["list"]);
    let group = &listed["quarantined"][0];
    assert_eq!(group["rows"], 3);
    assert_eq!(
        (&group["code"], &group["field"]),
        (&"ONR-324".into(), &"status".into())
    );
    let since = group["first"]["at"].as_str().expect("a time");
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
    let text = String::from_utf8(quarantine(&scenario, &["list"]).stdout).expect("text");
    onramp_integration_tests::fits_80_columns(&text);
    assert!(text.contains(since), "{text}");
    let other = quarantine(&scenario, &["show", &product, "--key", "nobody's"]);
    assert_eq!(other.stdout, b"nothing of that key is in quarantine\n");
    let shown = told(&scenario, &["show", &product, "--key", "8"]);
    assert_eq!(shown["records"].as_array().expect("a list").len(), 1);
    assert_eq!(shown["records"][0]["record"]["after"]["ord_stat"], "X");
    let text = String::from_utf8(quarantine(&scenario, &["show", &product]).stdout).expect("text");
    onramp_integration_tests::fits_80_columns(&text);
    assert!(
        text.contains("key 9, insert at") && text.contains("ord_stat=\"Y\""),
        "{text}"
    );
    let typo = quarantine(&scenario, &["show", "DOMAIN.orders.v2"]);
    assert_eq!(typo.status.code(), Some(64));

    // The mapping is mended, and what failed is read again.
    assert!(gateway.stop().await.success());
    let mended = PRODUCT.replace("\"P\": PAID", "\"P\": PAID, \"X\": LOST, \"Y\": FOUND");
    scenario.write(
        "products/orders.yaml",
        &format!("{mended}on_mapping_change: keep\n"),
    );
    let gateway = Gateway::streaming(&scenario).await;
    let replayed = told(&scenario, &["replay", &product, "--key", "7", "--key", "8"]);
    assert_eq!(replayed["rows"], 2);
    until("the rows", Duration::from_secs(60), async || {
        let events = consume(&scenario.servers, &product).await;
        let latest = latest_by_key(&events);
        latest.contains_key("7") && latest.contains_key("8")
    })
    .await;
    let events = consume(&scenario.servers, &product).await;
    let latest = latest_by_key(&events);
    assert_eq!(latest["8"]["status"], "LOST");
    assert!(!latest.contains_key("9"), "nobody asked for it");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// Whatever a key's column is called and holds, its row is found again.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_odd_keys_are_read_again() {
    let table = "CREATE TABLE odd (\"Key No.\" text, at timestamptz, amount numeric(10,3), day date, yes boolean, ref uuid,
        stat text, PRIMARY KEY (\"Key No.\", at, amount, day, yes, ref))";
    let scenario = Scenario::new(table).await;
    let admin = onramp_integration_tests::Ports::claim(1);
    let more = format!("admin: {{ listen: \"127.0.0.1:{}\" }}\n", admin.first());
    scenario.write("onramp.yaml", &scenario.gateway_file(&more));
    let product = "product: DOMAIN.orders.v1\nstatus: active\nowner: { team: orders, contact: orders@shop.test }\n\
        description: Odd ones.\nkind: entity\nsource: { table: public.odd }\nkey: [no, at, amount, day, yes, ref]\n\
        on_error: quarantine\nunchanged_toast: stop\nfields:\n  no: { type: string, from: \"Key No.\" }\n  \
        at: { type: timestamp, from: at }\n  amount: { type: \"decimal(10,3)\", from: amount }\n  \
        day: { type: date, from: day }\n  yes: { type: boolean, from: yes }\n  ref: { type: uuid, from: ref }\n  \
        stat: { type: enum, from: stat, values: { \"N\": NEW }, default: UNKNOWN, otherwise: fail }\n";
    scenario.write("products/orders.yaml", product);
    let gateway = Gateway::streaming(&scenario).await;
    let row = |key: &str| {
        format!(
            "INSERT INTO odd VALUES ('{key}', '1969-12-31T23:59:59.5Z', -0.5, '0044-03-15', true, \
             '00000000-0000-0000-0000-0000000000AA', 'X');"
        )
    };
    let keys = ["7", "(8)", "(protected)", "a\"b\\c`", "\u{1}\n\u{1f600}"];
    let rows: String = keys.iter().map(|key| row(key)).collect();
    scenario.db.batch_execute(&rows).await.expect("it runs");
    kept(&scenario, keys.len()).await;
    let name = scenario.topic("orders.v1");
    let text = String::from_utf8(quarantine(&scenario, &["show", &name]).stdout).expect("text");
    onramp_integration_tests::fits_80_columns(&text);
    assert!(!text.contains('\u{1}'), "{text:?}");
    assert!(gateway.stop().await.success());
    let mended = product.replace("\"N\": NEW", "\"N\": NEW, \"X\": LOST");
    scenario.write(
        "products/orders.yaml",
        &format!("{mended}on_mapping_change: keep\n"),
    );
    let gateway = Gateway::streaming(&scenario).await;
    assert_eq!(told(&scenario, &["replay", &name])["rows"], keys.len());
    until("the rows", Duration::from_secs(60), async || {
        consume(&scenario.servers, &name).await.len() >= keys.len()
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_keeps_each_failing_row_once() {
    let scenario = orders().await;
    let mut gateway = Gateway::streaming(&scenario).await;
    const ROUNDS: i64 = 5;
    const EACH: i64 = 40;
    for round in 0..ROUNDS {
        for n in 0..EACH {
            let (good, bad) = (2 * (round * EACH + n), 2 * (round * EACH + n) + 1);
            let sql = format!("INSERT INTO ordr_hdr VALUES ({good}, 'N'), ({bad}, '?')");
            scenario.db.batch_execute(&sql).await.expect("it runs");
        }
        gateway.kill();
        gateway = Gateway::start(&scenario);
    }
    gateway.wait_ready("streaming").await;
    let count = usize::try_from(ROUNDS * EACH).expect("few");
    let live = kept(&scenario, count).await;
    let live = live.iter().filter(|(_, v)| v["operation"] == "insert");
    let mut keys: Vec<i64> = live
        .map(|(key, _)| key.parse().expect("a number"))
        .collect();
    assert_eq!(keys.len(), count);
    assert!(keys.is_sorted(), "in the order in which they failed");
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_row_that_is_too_large_key_and_place_are_kept() {
    let scenario = orders().await;
    let small = "limits: { row: 64KiB }\n";
    scenario.write("onramp.yaml", &scenario.gateway_file(small));
    let gateway = Gateway::streaming(&scenario).await;
    let sql =
        "INSERT INTO ordr_hdr VALUES (7, 'N', NULL, repeat('x', 200000)), (8, 'N', NULL, NULL)";
    scenario.db.batch_execute(sql).await.expect("it runs");
    let rows = kept(&scenario, 1).await;
    assert_eq!(rows[0].0, "7");
    assert_eq!(rows[0].1["code"], "ONR-322");
    assert_eq!(rows[0].1["after"], Value::Null);
    assert!(
        !rows[0].1["position"]
            .as_str()
            .expect("a position")
            .is_empty()
    );
    until("the other", Duration::from_secs(60), async || {
        let events = consume(&scenario.servers, &scenario.topic("orders.v1")).await;
        events.iter().any(|e| e.key == "8")
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
