//! Rows that a product cannot carry: kept with their context in the same Kafka transaction, while the
//! others go on.

use std::process::{Command, Output};
use std::time::Duration;

use onramp_integration_tests::{Gateway, Scenario, binary, consume, latest_by_key, records, until};
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
"#;

fn command(scenario: &Scenario, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("quarantine")
        .args(arguments)
        .arg("--config")
        .arg(scenario.config())
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone")
        .env("COLUMNS", "80");
    command
}

fn quarantine(scenario: &Scenario, arguments: &[&str]) -> Output {
    let mut command = command(scenario, arguments);
    command.output().expect("the binary runs")
}

fn told(scenario: &Scenario, arguments: &[&str]) -> Value {
    let output = quarantine(scenario, &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

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
         INSERT INTO ordr_hdr VALUES (9, NULL); UPDATE ordr_hdr SET ord_stat = 'P' WHERE ord_no = 7; COMMIT")
    .await;
    let rows = kept(&scenario, 3).await;
    let keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["2", "8", "9"]);
    let of = |at: usize, name: &str| rows[at].1[name].clone();
    assert_eq!(of(0, "operation"), "snapshot");
    assert_eq!(
        (of(1, "code"), of(1, "field")),
        ("ONR-324".into(), "status".into())
    );
    assert_eq!(of(1, "operation"), "insert");
    assert_eq!(of(1, "column"), "ord_stat");
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
    assert_eq!(kept(&scenario, 3).await.len(), 3);
    assert_eq!(gateway.metric(&metric(&scenario)), Some(3.0));
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

const FACTS_TABLE: &str = "
CREATE TABLE kinds (
  no     bigint PRIMARY KEY,
  stat   text NOT NULL,
  note   text,
  yes    boolean,
  small  smallint,
  single real,
  twice  double precision,
  amount numeric(20,4),
  bytes  bytea,
  day    date,
  hour   time,
  here   timestamp,
  moment timestamptz,
  id     uuid,
  doc    jsonb,
  tags   text[],
  counts bigint[],
  email  text);
ALTER TABLE kinds REPLICA IDENTITY FULL;
";

const FACTS: &str = r#"
product: DOMAIN.kinds.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: Every kind of value, as facts.
kind: events
source: { table: public.kinds }
key: [no]
on_error: quarantine
events:
  Came:
    when: op == "insert"
    fields:
      no:     { type: long, from: no }
      stat:   { type: enum, from: stat, values: { "N": NEW }, default: UNKNOWN, otherwise: fail }
      note:   { type: string, from: note, optional: true }
      yes:    { type: boolean, from: yes }
      small:  { type: int, from: small }
      single: { type: float, from: single }
      twice:  { type: double, from: twice }
      amount: { type: "decimal(20,4)", from: amount }
      bytes:  { type: bytes, from: bytes }
      day:    { type: date, from: day }
      hour:   { type: time, from: hour }
      here:   { type: local-timestamp, from: here }
      moment: { type: timestamp, from: moment }
      id:     { type: uuid, from: id }
      doc:    { type: json, from: doc }
      tags:   { type: array, items: { type: string, optional: true }, from: tags }
      counts: { type: array, items: { type: long }, from: counts }
      tx:     { type: string, expr: tx.id }
      at:     { type: timestamp, expr: tx.committed_at }
  Went:
    when: op == "delete"
    fields:
      no:   { type: long, from: no }
      stat: { type: enum, from: stat, values: { "N": NEW }, default: UNKNOWN, otherwise: fail }
  Turned:
    when: op == "update" && before.stat != after.stat
    fields:
      no:   { type: long, from: no }
      stat: { type: enum, from: stat, values: { "N": NEW }, default: UNKNOWN, otherwise: fail }
      was:  { type: string, expr: before.stat }
      note: { type: string, expr: before.note, optional: true }
"#;

/// A row with a value of each kind, and texts that stand for withheld values elsewhere.
fn row(no: i64, stat: &str) -> String {
    format!(
        "INSERT INTO kinds VALUES ({no}, '{stat}', '(protected)', true, -7, 0.1, 1e300, -12.3400, '\\x00ff', \
         '2026-02-28', '23:59:59.000001', '1969-12-31T23:59:59.5', '2026-01-02T03:04:05.678901Z', \
         '00000000-0000-0000-0000-0000000000aa', '{{\"a\": [1, \"(not in the log)\"]}}', \
         '{{\"a\",NULL,\"b\\\"c\"}}', '{{1,9223372036854775807}}', NULL);"
    )
}

async fn facts(more: &str) -> Scenario {
    let scenario = Scenario::new(FACTS_TABLE).await;
    let admin = onramp_integration_tests::Ports::claim(1).keep();
    let settings =
        format!("headers: cloudevents\nadmin: {{ listen: \"127.0.0.1:{admin}\" }}\n{more}");
    scenario.write("onramp.yaml", &scenario.gateway_file(&settings));
    scenario.write("products/kinds.yaml", FACTS);
    scenario
}

async fn in_quarantine(scenario: &Scenario, count: usize) {
    let topic = scenario.topic("kinds.v1.quarantine");
    until(
        "the rows in quarantine",
        Duration::from_secs(60),
        async || records(&scenario.servers, &topic).await.len() >= count,
    )
    .await;
}

/// The mapping knows the code now.
fn mended() -> String {
    format!(
        "{}on_mapping_change: keep\n",
        FACTS.replace("\"N\": NEW", "\"N\": NEW, \"X\": LOST")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_in_quarantine_are_told_late_and_once_as_they_would_have_been() {
    let scenario = facts("").await;
    let sql = async |sql: &str| scenario.db.batch_execute(sql).await.expect("it runs");
    let gateway = Gateway::reading(&scenario).await;
    sql(&format!("BEGIN; {} {} COMMIT", row(1, "N"), row(2, "X"))).await;
    sql("UPDATE kinds SET stat = 'X' WHERE no = 1; DELETE FROM kinds WHERE no = 1").await;
    in_quarantine(&scenario, 3).await;
    let product = scenario.topic("kinds.v1");
    // What fails still is told of, and stays.
    let again = quarantine(&scenario, &["replay", &product]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let text = String::from_utf8(again.stdout).expect("text");
    onramp_integration_tests::fits_80_columns(&text);
    assert!(
        text.contains("ONR-324") && text.contains("3 cannot be replayed"),
        "{text}"
    );
    assert!(gateway.stop().await.success());
    scenario.write("products/kinds.yaml", &mended());
    let gateway = Gateway::reading(&scenario).await;
    let replayed = told(&scenario, &["replay", &product, "--key", "2"]);
    assert_eq!(
        (&replayed["rows"], &replayed["events"]),
        (&1.into(), &1.into())
    );
    let replayed = told(&scenario, &["replay", &product]);
    assert_eq!(
        (&replayed["rows"], &replayed["before"]),
        (&2.into(), &1.into())
    );
    // The same row by the log, to compare.
    sql(&row(3, "X")).await;
    let events = scenario.events("kinds.v1", 5).await;
    let of = |key: &str| events.iter().filter(|e| e.key == key).collect::<Vec<_>>();
    let (late, live) = (of("2")[0], of("3")[0]);
    let alike = |event: &onramp_integration_tests::Event| {
        let mut value = event.value.clone().expect("a value");
        for own in ["no", "tx", "at"] {
            value[own] = Value::Null;
        }
        value
    };
    assert_eq!(alike(late), alike(live), "the same value is the same event");
    let first = of("1")[0];
    assert_eq!(
        late.headers["onramp_tx"], first.headers["onramp_tx"],
        "of one transaction"
    );
    assert_eq!(
        late.value.as_ref().expect("a value")["tx"],
        late.headers["onramp_tx"].as_str()
    );
    assert_eq!(late.timestamp_ms, first.timestamp_ms, "when it happened");
    assert_eq!(late.headers["ce_time"], first.headers["ce_time"]);
    assert_eq!(late.headers["onramp_replayed"], "0");
    let place = &late.headers["onramp_position"];
    assert_eq!(late.headers["ce_id"], format!("{place}-replayed-0-0"));
    assert!(
        !late.headers.contains_key("onramp_ordinal"),
        "its number went to another"
    );
    // Those of the first row: what it was stands in the record.
    let told_of: Vec<Value> = of("1")[1..]
        .iter()
        .filter_map(|e| e.value.clone())
        .collect();
    assert_eq!(
        told_of[0],
        serde_json::json!({"no": 1, "stat": "LOST", "was": "N", "note": "(protected)"})
    );
    assert_eq!(told_of[1], serde_json::json!({"no": 1, "stat": "LOST"}));
    // Each once, unless somebody insists; and who looks sees it.
    let replayed = told(&scenario, &["replay", &product]);
    assert_eq!(
        (&replayed["rows"], &replayed["before"]),
        (&0.into(), &3.into())
    );
    let listed = told(&scenario, &["list"]);
    assert_eq!(listed["quarantined"][0]["rows"], 3);
    assert_eq!(listed["quarantined"][0]["replayed"], 3);
    let shown = told(&scenario, &["show", &product, "--key", "2"]);
    assert!(shown["records"][0]["replayed"].is_string(), "{shown}");
    let text = String::from_utf8(quarantine(&scenario, &["show", &product]).stdout).expect("text");
    onramp_integration_tests::fits_80_columns(&text);
    let replayed = told(&scenario, &["replay", &product, "--key", "2", "--again"]);
    assert_eq!(replayed["rows"], 1);
    assert_eq!(scenario.events("kinds.v1", 6).await.len(), 6);
    // Marks are no rows that failed, and what is told late is no sign of how far the log is told.
    let metric = format!("onramp_quarantined_total{{product=\"{product}\"}}");
    assert_eq!(gateway.metric(&metric).unwrap_or_default(), 0.0);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_hold_what_the_mapping_reads_is_refused_by_name() {
    let scenario = facts("").await;
    let personal = FACTS.replace(
        "      tx:     {",
        "      email:  { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }\n      tx:     {",
    );
    scenario.write("products/kinds.yaml", &personal);
    let gateway = Gateway::reading(&scenario).await;
    let rows = format!(
        "{} {}",
        row(1, "X"),
        row(2, "X").replace("NULL);", "'a@shop.test');")
    );
    scenario.db.batch_execute(&rows).await.expect("it runs");
    in_quarantine(&scenario, 2).await;
    assert!(gateway.stop().await.success());
    let mended = personal.replace("\"N\": NEW", "\"N\": NEW, \"X\": LOST");
    scenario.write(
        "products/kinds.yaml",
        &format!("{mended}on_mapping_change: keep\n"),
    );
    let gateway = Gateway::reading(&scenario).await;
    let product = scenario.topic("kinds.v1");
    let output = quarantine(&scenario, &["replay", &product, "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["rows"], &told["refused"]), (&1.into(), &1.into()));
    let message = told["findings"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("offset 1") && message.contains("column email is protected"),
        "{message}"
    );
    assert!(!format!("{told}").contains("shop.test"), "{told}");
    assert_eq!(scenario.events("kinds.v1", 1).await[0].key, "1");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_killed_is_given_again_and_tells_nothing_twice() {
    let scenario = facts("").await;
    let gateway = Gateway::reading(&scenario).await;
    const ROWS: i64 = 60;
    let rows: String = (1..=ROWS).map(|no| row(no, "X")).collect();
    scenario.db.batch_execute(&rows).await.expect("it runs");
    in_quarantine(&scenario, 60).await;
    assert!(gateway.stop().await.success());
    scenario.write("products/kinds.yaml", &mended());
    let product = scenario.topic("kinds.v1");
    for round in 0..6 {
        let gateway = Gateway::reading(&scenario).await;
        // A share each time, so that there is always something left to tell.
        let keys: Vec<String> = (round * 10 + 1..=round * 10 + 10)
            .map(|no| no.to_string())
            .collect();
        let keys = keys.iter().flat_map(|key| ["--key", key]);
        let mut command = command(&scenario, &["replay", &product]);
        command
            .args(keys)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut asked = command.spawn().expect("the binary runs");
        if round % 3 > 0 {
            let log = "told late";
            until("the replay", Duration::from_secs(60), async || {
                gateway.output().contains(log)
            })
            .await;
        }
        if round % 3 == 2 {
            let ended = tokio::task::spawn_blocking(move || asked.wait()).await;
            assert!(ended.expect("no panic").expect("it ends").success());
            gateway.kill();
        } else {
            gateway.kill();
            let _ = asked.wait();
        }
    }
    let gateway = Gateway::reading(&scenario).await;
    let rest = told(&scenario, &["replay", &product]);
    let (rows, before) = (rest["rows"].as_i64(), rest["before"].as_i64());
    assert_eq!(rows.zip(before).map(|(a, b)| a + b), Some(ROWS), "{rest}");
    let events = scenario.events("kinds.v1", 60).await;
    let mut keys: Vec<i64> = events
        .iter()
        .map(|e| e.key.parse().expect("a number"))
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, (1..=ROWS).collect::<Vec<_>>(), "each once");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
