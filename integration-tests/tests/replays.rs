//! Facts and an application's events in quarantine, told late once the mapping is mended: as they would
//! have been, and each once.

use std::time::Duration;

use onramp_integration_tests::quarantine::{command, quarantine, told};
use onramp_integration_tests::{Gateway, Scenario, records, until};
use serde_json::Value;

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

#[tokio::test(flavor = "multi_thread")]
async fn records_that_fail_still_keep_none_behind_them_from_being_told() {
    let scenario = facts("limits: { row: 3KiB, chunk: 4KiB }\n").await;
    let gateway = Gateway::reading(&scenario).await;
    let rows = |nos: std::ops::Range<i64>, stat| nos.map(|no| row(no, stat)).collect::<String>();
    let rows = rows(1..21, "Z") + &rows(21..31, "X");
    scenario.db.batch_execute(&rows).await.expect("it runs");
    in_quarantine(&scenario, 30).await;
    assert!(gateway.stop().await.success());
    scenario.write("products/kinds.yaml", &mended());
    let gateway = Gateway::reading(&scenario).await;
    let product = scenario.topic("kinds.v1");
    let (mut rounds, mut left) = (0, 1);
    while left > 0 {
        let output = quarantine(&scenario, &["replay", &product, "--format", "json"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let of = |name: &str| told[name].as_i64().expect("a number");
        assert!(of("rows") > 0, "each takes some: {told}");
        left = of("left");
        assert_eq!(
            of("rows") + of("before") + of("refused") + left,
            30,
            "{told}"
        );
        rounds += 1;
    }
    assert!(rounds > 1, "more than one takes");
    let events = scenario.events("kinds.v1", 10).await;
    let keys: Vec<&str> = events.iter().map(|e| e.key.as_str()).collect();
    let all: std::collections::BTreeSet<&str> = keys.iter().copied().collect();
    assert_eq!((keys.len(), all.len()), (10, 10), "{keys:?}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

const OUTBOX: &str = r#"
product: DOMAIN.kinds.v1
status: active
owner: { team: orders, contact: orders@shop.test }
description: What happens to orders.
kind: outbox
source: { table: public.outbox }
columns: { id: id, type: type, key: about, payload: payload, headers: { traceparent: trace } }
unknown_type: quarantine
events:
  OrderPlaced: { payload: json, fields: { no: { type: long } } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_type_that_came_too_late_is_told_with_all_that_the_application_said() {
    let scenario = facts("").await;
    let table = "CREATE TABLE outbox (id text PRIMARY KEY, type text, about text, payload jsonb, trace text)";
    scenario.db.batch_execute(table).await.expect("it runs");
    scenario.write("products/kinds.yaml", OUTBOX);
    let gateway = Gateway::reading(&scenario).await;
    let rows = "INSERT INTO outbox VALUES ('a', 'OrderLost', 'o-7', '{\"no\": 7}', '00-1'); \
                INSERT INTO outbox VALUES ('b', 'OrderPlaced', 'o-7', '{\"no\": 7}', NULL); \
                INSERT INTO outbox VALUES ('c', 'OrderLost', 'o-7', NULL, NULL)";
    scenario.db.batch_execute(rows).await.expect("it runs");
    in_quarantine(&scenario, 2).await;
    assert!(gateway.stop().await.success());
    let more = format!(
        "{OUTBOX}  OrderLost: {{ payload: json, fields: {{ no: {{ type: long }} }} }}\non_mapping_change: keep\n"
    );
    scenario.write("products/kinds.yaml", &more);
    let gateway = Gateway::reading(&scenario).await;
    let product = scenario.topic("kinds.v1");
    let replayed = told(&scenario, &["replay", &product]);
    assert_eq!(
        (&replayed["rows"], &replayed["events"]),
        (&2.into(), &2.into())
    );
    let events = scenario.events("kinds.v1", 3).await;
    let ids: Vec<&str> = events.iter().map(|e| e.headers["ce_id"].as_str()).collect();
    assert_eq!(
        ids,
        ["b", "a", "c"],
        "late, in their order, under their own ids"
    );
    let late = &events[1];
    assert_eq!(late.headers["ce_type"], format!("{product}.OrderLost"));
    assert_eq!(late.headers["traceparent"], "00-1");
    assert_eq!(late.headers["onramp_replayed"], "0");
    assert_eq!(late.value, Some(serde_json::json!({"no": 7})));
    assert_eq!(
        events[2].value, None,
        "a payload that is null is a tombstone"
    );
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
