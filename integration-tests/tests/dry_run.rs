//! `onramp dry-run` tells what a run would make of the real data, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::operate::{command, onramp};
use onramp_integration_tests::seam::run;
use onramp_integration_tests::traces::traces;
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, consume, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A shop with every sort of row that fails, told by arithmetic.
const SHOP: &str = "
CREATE TABLE ordr (ord_no bigint PRIMARY KEY, stat char(1), amt numeric NOT NULL, ord_dt text,
                   email text, gone boolean NOT NULL DEFAULT false);
INSERT INTO ordr
SELECT n, CASE WHEN n % 100 = 1 THEN 'Q' ELSE 'P' END,
       CASE WHEN n % 250 = 2 THEN 12345678901.5 ELSE n + 0.25 END,
       CASE WHEN n % 500 = 3 THEN '20261025013000' ELSE '20260101120000' END,
       'customer-' || n || '@shop.test', n % 10 = 5
  FROM generate_series(1, 5000) n;
ANALYZE ordr;
";

const ORDERS: &str = r#"
product: DOMAIN.orders.v1
status: draft
owner: { team: orders, contact: orders@shop.test }
description: Orders.
kind: entity
source: { table: public.ordr, where: "!row.gone" }
key: [order_id]
unchanged_toast: stop
fields:
  order_id: { type: long, from: ord_no }
  status: { type: enum, from: stat, values: { P: PAID }, otherwise: fail, optional: true }
  total: { type: "decimal(12,2)", from: amt }
  placed_at: { type: timestamp, from: ord_dt, parse: "%Y%m%d%H%M%S", zone: Europe/London, optional: true }
  email: { type: string, from: email, optional: true, classification: personal, protect: { hmac: pii } }
"#;

async fn shop() -> Scenario {
    let scenario = Scenario::new(SHOP).await;
    scenario.write("products/orders.yaml", ORDERS);
    scenario
}

fn text(output: &Output) -> String {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    out + &String::from_utf8_lossy(&output.stderr)
}

/// What a dry run says as machines have it, and its exit code.
async fn dry_run(scenario: &Scenario, more: &[&str]) -> (Value, i32) {
    let more = [more, &["--format", "json"]].concat();
    told(onramp(scenario, "dry-run", &more).await)
}

fn told(output: Output) -> (Value, i32) {
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    (said, output.status.code().unwrap())
}

fn start(scenario: &Scenario, more: &[&str]) -> Child {
    let more = [more, &["--format", "json"]].concat();
    let mut command = command(scenario, "dry-run", &more);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary onramp is built")
}

async fn ended(child: Child) -> (Value, i32) {
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    told(ended.await.unwrap().unwrap())
}

/// Waits until a temporary slot stands in the scenario's database, ready or not.
async fn slot(scenario: &Scenario, ready: bool) {
    let sql = format!(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND temporary
            AND slot_name LIKE 'onramp_look%' AND (confirmed_flush_lsn IS NOT NULL OR NOT {ready})"
    );
    until("the temporary slot", PATIENCE, async || {
        let found = scenario.db.query_one(&sql, &[]).await.unwrap();
        found.get::<_, i64>(0) == 1
    })
    .await;
}

fn codes(said: &Value) -> Vec<&str> {
    let findings = said["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_would_fail_are_counted_exactly_and_grouped_by_reason() {
    let scenario = shop().await;
    let before = traces(&scenario, &["orders.v1"]).await;
    let (said, code) = dry_run(&scenario, &["--all"]).await;
    assert_eq!(code, 1);
    let product = &said["products"][0];
    let rows = &product["rows"];
    // 10 n + 5 is left out, and fails in no other way.
    let read = |key: &str| rows[key].as_u64().unwrap();
    assert_eq!(rows["all"], true);
    assert_eq!((read("read"), read("left_out")), (5000, 500));
    assert_eq!(read("failing"), 50 + 20 + 10);
    assert_eq!(read("events"), 5000 - 500 - 80);
    let groups: BTreeMap<&str, (u64, usize)> = product["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| {
            let keys = g["keys"].as_array().unwrap();
            (
                g["field"].as_str().unwrap(),
                (g["count"].as_u64().unwrap(), keys.len()),
            )
        })
        .collect();
    assert_eq!(
        groups,
        BTreeMap::from([
            ("status", (50, 5)),
            ("total", (20, 5)),
            ("placed_at", (10, 5))
        ])
    );
    let findings = said["findings"].as_array().unwrap();
    let fails: Vec<&Value> = findings.iter().filter(|f| f["code"] == "ONR-746").collect();
    assert_eq!(fails.len(), 3);
    assert_eq!(fails[0]["file"], "products/orders.yaml");
    let status = &product["fields"][1];
    assert_eq!(status["codes"], json!([{ "code": "Q", "count": 50 }]));
    let total = &product["fields"][2];
    // The least and the most of what can be carried: 2 is too large, 5000 % 10 is 0.
    assert_eq!(
        (&total["min"], &total["max"]),
        (&json!("1.25"), &json!("5000.25"))
    );
    assert_eq!(total["failing"][0]["count"], 20);
    assert_eq!(product["fields"][3]["ambiguous"], 10);
    // A sample says so, and looks at both ends.
    let (said, _) = dry_run(&scenario, &["--sample", "10"]).await;
    let product = &said["products"][0];
    assert_eq!(product["rows"]["read"], 10);
    assert_eq!(product["fields"][0]["max"], "5000");
    assert_eq!(product["rows"]["read_back"], product["rows"]["events"]);
    let unproven = said["unproven"].to_string();
    assert!(unproven.contains("10 were looked at"), "{unproven}");
    assert_eq!(traces(&scenario, &["orders.v1"]).await, before);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_fewer_rows_than_asked_for_is_read_whole_and_none_is_fine() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let (said, code) = dry_run(&scenario, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["products"][0]["rows"]["all"], true);
    run(
        &scenario.db,
        "INSERT INTO acct SELECT n, n, 'x' FROM generate_series(1, 7) n",
    )
    .await;
    for (sample, read, all) in [("8", 7, true), ("7", 7, false), ("1", 1, false)] {
        let (said, _) = dry_run(&scenario, &["--sample", sample]).await;
        let rows = &said["products"][0]["rows"];
        assert_eq!(
            (&rows["read"], &rows["all"]),
            (&json!(read), &json!(all)),
            "{sample}"
        );
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn classified_values_stay_back_unless_they_are_asked_for() {
    let scenario = shop().await;
    // The key itself is personal.
    run(
        &scenario.db,
        "ALTER TABLE ordr DROP CONSTRAINT ordr_pkey, ADD PRIMARY KEY (email)",
    )
    .await;
    let personal = ORDERS
        .replace("key: [order_id]", "key: [email]")
        .replace("from: email, optional: true,", "from: email,")
        .replace(
            "status: { type: enum,",
            "status: { classification: personal, protect: { none: shown to auditors }, type: enum,",
        );
    scenario.write("products/orders.yaml", &personal);
    run(&scenario.db, "UPDATE ordr SET stat = '!' WHERE ord_no = 1").await;
    for format in ["text", "json"] {
        let hidden = onramp(&scenario, "dry-run", &["--all", "--format", format]).await;
        let said = text(&hidden);
        assert!(!said.contains("@shop.test"), "{said}");
        assert!(!said.contains("\"!\"") && !said.contains("PAID"), "{said}");
        assert!(
            said.contains("pii:") && said.contains("kept back"),
            "{said}"
        );
        let shown = onramp(
            &scenario,
            "dry-run",
            &["--all", "--format", format, "--show-rows"],
        )
        .await;
        let said = text(&shown);
        assert!(said.contains("customer-1001@shop.test"), "{said}");
        assert!(said.contains("\"!\"") && said.contains("PAID"), "{said}");
    }
    let (said, _) = dry_run(&scenario, &["--all"]).await;
    let product = &said["products"][0];
    assert_eq!(product["failures"][0]["keys"], Value::Null);
    let status = &product["fields"][1];
    assert_eq!(
        (&status["codes"], &status["unlisted"]),
        (&Value::Null, &json!(50))
    );
    assert_eq!(product["samples"][0]["row"], Value::Null);
    scenario.close().await;
}

/// Columns of every type that is carried.
const TYPES: &str = "
CREATE DOMAIN code AS char(4);
CREATE TYPE mood AS ENUM ('so', 'la la');
CREATE TABLE \"Sorts\" (id integer PRIMARY KEY, b boolean, s smallint, l bigint, r real, d double precision,
    n numeric(20,4), t text, v varchar(9), c char(5), k code, y bytea, j jsonb, da date, ti time, ts timestamp,
    tz timestamptz, u uuid, m mood);
";
const SORTS: &str = r#"
product: DOMAIN.sorts.v1
status: active
owner: { team: sorts, contact: sorts@shop.test }
description: Every sort.
kind: entity
source: { table: public.Sorts }
key: [id]
unchanged_toast: stop
fields:
  id: { type: int, from: id }
  b: { type: boolean, from: b, optional: true }
  s: { type: int, from: s, optional: true }
  l: { type: long, from: l, optional: true }
  r: { type: float, from: r, optional: true }
  d: { type: double, from: d, optional: true }
  n: { type: "decimal(20,4)", from: n, optional: true }
  t: { type: string, from: t, optional: true }
  v: { type: string, from: v, optional: true }
  c: { type: string, from: c, optional: true }
  k: { type: string, from: k, optional: true }
  y: { type: bytes, from: y, optional: true }
  j: { type: json, from: j, optional: true }
  da: { type: date, from: da, optional: true }
  ti: { type: time, from: ti, optional: true }
  ts: { type: local-timestamp, from: ts, optional: true }
  tz: { type: timestamp, from: tz, optional: true }
  u: { type: uuid, from: u, optional: true }
  m: { type: string, from: m, optional: true }
"#;
const ROW: &str = r#"
true, -7, 9007199254740993, 0.1, 1e-300, -123456789.5, E'it''s "so"\n new-tuple: x[y]:z', 'a''b', 'ab', 'q',
'\x00ff27', '{"a": [1, null, "x''y"]}', '0044-03-15 BC', '23:59:59.999999', '1999-12-31 23:59:59.5',
'2026-10-25 01:30:00+01', '00000000-0000-0000-0000-0000000000ff', 'la la'"#;

/// What one row gives is the same event from the table as from the log's text.
async fn followed_by_text(servers: Servers) {
    let scenario = Scenario::on(servers, TYPES).await;
    scenario.write("products/sorts.yaml", SORTS);
    let before = traces(&scenario, &["sorts.v1"]).await;
    let looking = start(&scenario, &["--follow", "4s"]);
    slot(&scenario, true).await;
    let changes = format!(
        "INSERT INTO \"Sorts\" VALUES (1, {ROW});
         INSERT INTO \"Sorts\" (id) VALUES (2);
         BEGIN; INSERT INTO \"Sorts\" (id) VALUES (3); ROLLBACK;
         UPDATE \"Sorts\" SET id = 4 WHERE id = 2;
         DELETE FROM \"Sorts\" WHERE id = 4"
    );
    for change in changes.split(';') {
        run(&scenario.db, change).await;
    }
    let (said, code) = ended(looking).await;
    assert_eq!(code, 0, "{said}");
    let by = said["followed"]["by"].as_str().unwrap();
    assert!(by.starts_with("test_decoding"), "{by}");
    let product = &said["products"][0];
    let changes = &product["changes"];
    assert_eq!(changes["read"], 4, "{changes}");
    assert_eq!(
        (&changes["events"], &changes["tombstones"]),
        (&json!(3), &json!(2))
    );
    let (rows, _) = dry_run(&scenario, &[]).await;
    let row = &rows["products"][0]["samples"][0];
    let insert = &product["samples"][0];
    assert_eq!(
        (&row["of"], &insert["of"]),
        (&json!("row"), &json!("insert"))
    );
    assert_eq!(row["event"], insert["event"]);
    assert_eq!(row["event"]["ti"], "23:59:59.999999");
    assert_eq!(row["event"]["c"], "ab", "padding is no part of it");
    let nulls = product["samples"][1]["event"].as_object().unwrap();
    assert!(
        nulls
            .iter()
            .all(|(name, value)| name == "id" || value.is_null())
    );
    assert_eq!(traces(&scenario, &["sorts.v1"]).await, before);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_publication_changes_are_followed_by_their_texts() {
    followed_by_text(Servers::find()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_newest_server_changes_are_followed_by_their_texts() {
    followed_by_text(Servers::newest()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_runs_is_not_disturbed_and_its_publication_is_followed() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    run(
        &scenario.db,
        "INSERT INTO acct SELECT n, 0, 'old' FROM generate_series(1, 1000) n",
    )
    .await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let before = traces(&scenario, &["accounts.v1"]).await;
    let looking = start(&scenario, &["--all", "--follow", "4s"]);
    slot(&scenario, true).await;
    run(&scenario.db, "UPDATE acct SET ver = 1 WHERE acct_no <= 100").await;
    run(&scenario.db, "DELETE FROM acct WHERE acct_no = 1000").await;
    let (said, code) = ended(looking).await;
    assert_eq!(code, 0, "{said}");
    let by = said["followed"]["by"].as_str().unwrap();
    assert!(
        by.starts_with(&format!("publication {}", scenario.slot())),
        "{by}"
    );
    let product = &said["products"][0];
    assert_eq!(product["rows"]["read"], 1000);
    let changes = &product["changes"];
    assert_eq!(
        (&changes["read"], &changes["events"]),
        (&json!(101), &json!(100))
    );
    assert_eq!(changes["tombstones"], 1);
    assert_eq!(product["schemas"][0]["verdict"], "unchanged");
    // Everything that it had to publish is there, by the same process.
    let topic = scenario.topic("accounts.v1");
    until("the changes to be published", PATIENCE, async || {
        consume(&scenario.servers, &topic).await.len() == 1101
    })
    .await;
    assert!(gateway.runs());
    let errors = gateway.metric("onramp_errors_total");
    assert!(
        errors.is_none_or(|errors| errors == 0.0),
        "it was fenced: {errors:?}"
    );
    assert_eq!(traces(&scenario, &["accounts.v1"]).await, before);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_changes_cannot_be_followed_it_says_why_and_rows_are_looked_at() {
    let scenario = shop().await;
    let role = format!("{}_reader", scenario.name);
    let grants =
        format!("CREATE ROLE {role} LOGIN PASSWORD 'onramp'; GRANT SELECT ON ordr TO {role}");
    run(&scenario.db, &grants).await;
    let file = scenario.gateway_file("");
    scenario.write(
        "onramp.yaml",
        &file.replace("postgres://postgres@", &format!("postgres://{role}@")),
    );
    let (said, code) = dry_run(&scenario, &["--follow", "5s"]).await;
    // The rows that would fail; and a run could not begin so.
    assert_eq!(code, 1, "{said}");
    let codes = codes(&said);
    assert!(
        codes.contains(&"ONR-748") && codes.contains(&"ONR-409"),
        "{codes:?}"
    );
    let findings = said["findings"].as_array().unwrap();
    let why = findings.iter().find(|f| f["code"] == "ONR-748").unwrap();
    assert_eq!(why["severity"], "warning");
    assert!(
        why["reason"].as_str().unwrap().contains("replication role"),
        "{why}"
    );
    assert_eq!(said["followed"]["by"], Value::Null);
    assert_eq!(said["products"][0]["rows"]["read"], 1000);
    run(
        &scenario.db,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_its_slot_waits_it_leaves_nothing_and_says_for_whom_it_waits() {
    // Of its own: an open transaction would keep everybody's slots waiting.
    let private = Private::start(&["postgres15"]).await;
    let servers = Servers {
        postgres: private.servers().postgres,
        ..Servers::find()
    };
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let before = traces(&scenario, &["accounts.v1"]).await;
    let open = scenario.connect().await;
    run(&open, "BEGIN; SELECT pg_current_xact_id()").await;
    let mut looking = start(&scenario, &["--follow", "60s"]);
    slot(&scenario, false).await;
    looking.kill().unwrap();
    looking.wait().unwrap();
    // The transaction is still open.
    until("the slot to go", PATIENCE, async || {
        traces(&scenario, &["accounts.v1"]).await == before
    })
    .await;
    let (said, code) = dry_run(&scenario, &["--follow", "5s"]).await;
    assert_eq!(code, 0, "{said}");
    let findings = said["findings"].as_array().unwrap();
    let why = findings.iter().find(|f| f["code"] == "ONR-748").unwrap();
    let why = why["reason"].as_str().unwrap();
    assert!(why.contains("it waits for transaction "), "{why}");
    let waited = said["followed"]["waited_for"].as_array().unwrap();
    assert_eq!(waited.len(), 1, "{waited:?}");
    // Once it ends the slot is ready, and killed while it follows nothing is left either.
    let mut looking = start(&scenario, &["--follow", "60s"]);
    slot(&scenario, false).await;
    run(&open, "COMMIT").await;
    slot(&scenario, true).await;
    looking.kill().unwrap();
    looking.wait().unwrap();
    until("the slot to go", PATIENCE, async || {
        traces(&scenario, &["accounts.v1"]).await == before
    })
    .await;
    drop(open);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_reads_it_leaves_nothing() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let small = scenario.gateway_file("snapshot: { readers: 2, chunk_rows: 2 }\n");
    scenario.write("onramp.yaml", &small);
    run(
        &scenario.db,
        "INSERT INTO acct SELECT n, 0, 'old' FROM generate_series(1, 100000) n",
    )
    .await;
    let before = traces(&scenario, &["accounts.v1"]).await;
    let mut looking = start(&scenario, &["--all"]);
    let readers = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name LIKE 'onramp/%reader'";
    let count = async || {
        let count = scenario.db.query_one(readers, &[]).await.unwrap();
        count.get::<_, i64>(0)
    };
    until("both readers", PATIENCE, async || count().await == 2).await;
    looking.kill().unwrap();
    looking.wait().unwrap();
    until("the readers to go", PATIENCE, async || count().await == 0).await;
    assert_eq!(traces(&scenario, &["accounts.v1"]).await, before);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_shown_beside_the_registrys_with_a_verdict() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let verdict = async || {
        let (said, code) = dry_run(&scenario, &[]).await;
        let schema = said["products"][0]["schemas"][0].clone();
        (
            schema["verdict"].as_str().unwrap().to_owned(),
            schema,
            said,
            code,
        )
    };
    let (word, schema, ..) = verdict().await;
    assert_eq!(
        (word.as_str(), &schema["sets_level"]),
        ("new subject", &json!(true))
    );
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    assert_eq!(verdict().await.0, "unchanged");
    let wider = format!("{PRODUCT}  also: {{ type: string, from: note, optional: true }}\n");
    scenario.write("products/accounts.yaml", &wider);
    let (word, schema, _, code) = verdict().await;
    assert_eq!((word.as_str(), code), ("new version", 0));
    let added = json!([{ "field": "also", "before": null, "after": "string, optional" }]);
    assert_eq!(
        (&schema["latest"], &schema["differences"]),
        (&json!(1), &added)
    );
    let broken = PRODUCT.replace("version:    { type: long", "version:    { type: string");
    scenario.write(
        "products/accounts.yaml",
        &broken.replace("from: ver", "expr: string(row.ver)"),
    );
    let (word, schema, said, code) = verdict().await;
    assert_eq!((word.as_str(), code), ("refused", 1), "{said}");
    assert!(codes(&said).contains(&"ONR-611"));
    assert_eq!(schema["differences"][0]["field"], "version");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_takes_its_own_part_with_it_alone() {
    let scenario = shop().await;
    let nowhere = |setting: &str| format!("{setting}127.0.0.1:1");
    let (registry, broker) = (nowhere("registry.url=http://"), nowhere("kafka.brokers="));
    let source = "source.url=postgres://postgres@127.0.0.1:1/x".to_owned();
    let (said, code) = dry_run(&scenario, &["--set", &registry]).await;
    assert_eq!(code, 68);
    assert_eq!(
        said["reached"],
        json!({ "source": true, "broker": true, "registry": false })
    );
    assert_eq!(said["products"][0]["rows"]["read"], 1000);
    assert_eq!(said["products"][0]["schemas"], json!([]));
    let (said, code) = dry_run(&scenario, &["--set", &broker, "--set", &registry]).await;
    assert_eq!(code, 67);
    assert_eq!(said["products"][0]["rows"]["read"], 1000);
    assert!(said["unproven"].to_string().contains("published before"));
    let (said, code) = dry_run(&scenario, &["--set", &source]).await;
    assert_eq!(code, 66);
    assert_eq!(said["products"][0]["rows"], Value::Null);
    assert_eq!(said["products"][0]["schemas"][0]["verdict"], "new subject");
    let (said, code) = dry_run(&scenario, &["--set", &broker, "--set", &source]).await;
    assert_eq!(code, 66, "the source is told of first");
    assert!(codes(&said).contains(&"ONR-501") && codes(&said).contains(&"ONR-401"));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_lines_of_80_columns_and_a_product_misspelt_is_understood() {
    let scenario = shop().await;
    let mut narrow = command(&scenario, "dry-run", &["--show-rows"]);
    let narrow = narrow.env("COLUMNS", "80").output().unwrap();
    let said = text(&narrow);
    // A name of the test's own may be longer than there is room.
    let fits = |line: &&str| line.chars().count() <= 80 || line.contains(&scenario.name);
    let wide: Vec<&str> = said.lines().filter(|line| !fits(line)).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(!said.contains('\x1b'), "no colour but on a terminal");
    assert!(said.ends_with("rows and changes would fail\n"), "{said}");
    let wrong = scenario.topic("order.v1");
    let (said, code) = dry_run(&scenario, &[&wrong]).await;
    assert_eq!((code, codes(&said)), (1, vec!["ONR-749"]));
    let remedy = format!("did you mean `{}`?", scenario.topic("orders.v1"));
    assert_eq!(said["findings"][0]["remedy"], remedy);
    for wrong in [
        &["--follow", "30"][..],
        &["--sample", "0"],
        &["--all", "--sample", "3"],
    ] {
        let output = onramp(&scenario, "dry-run", wrong).await;
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_get_the_keys_that_the_page_tells_of() {
    let scenario = shop().await;
    let (said, _) = dry_run(&scenario, &["--follow", "100ms", "--show-rows"]).await;
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let product = &said["products"][0];
    for (value, wanted) in [
        (
            &said,
            "findings gateway reached unproven followed products plan refused",
        ),
        (&said["followed"], "by seconds waited_for waited_seconds"),
        (
            product,
            "product status table rows changes failures samples fields schemas",
        ),
        (
            &product["rows"],
            "all about read events left_out failing read_back seconds",
        ),
        (
            &product["changes"],
            "read events tombstones failing read_back",
        ),
        (
            &product["failures"][0],
            "of code field column reason count keys",
        ),
        (&product["samples"][0], "of row key event"),
        (
            &product["fields"][0],
            "field type classification values nulls failing unlisted codes ambiguous min max longest",
        ),
        (
            &product["schemas"][0],
            "subject verdict level sets_level latest id differences",
        ),
    ] {
        assert_eq!(keys(value), wanted);
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn products_of_one_table_are_judged_apart() {
    let scenario = shop().await;
    let strict = ORDERS
        .replace("orders.v1", "strict.v1")
        .replace(", values: { P: PAID }", ", values: { Z: ZERO }")
        .replace(", where: \"!row.gone\"", "");
    scenario.write("products/strict.yaml", &strict);
    let (said, code) = dry_run(&scenario, &["--all"]).await;
    assert_eq!(code, 1);
    let rows = |place: usize| {
        let rows = &said["products"][place]["rows"];
        let of = |key: &str| rows[key].as_u64().unwrap();
        (of("read"), of("events"), of("left_out"), of("failing"))
    };
    assert_eq!(rows(0), (5000, 4420, 500, 80));
    assert_eq!(
        rows(1),
        (5000, 0, 0, 5000),
        "and its rows take none of the other's with them"
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_followed_as_their_root_and_what_would_stop_a_run_fails() {
    let scenario = Scenario::new(
        "CREATE TABLE parted (id bigint, d date, note text, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
         CREATE TABLE \"Parted 2\" (junk int, note text, d date NOT NULL, id bigint NOT NULL, PRIMARY KEY (id, d));
         ALTER TABLE \"Parted 2\" DROP COLUMN junk;
         ALTER TABLE parted ATTACH PARTITION \"Parted 2\" FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
         CREATE TABLE large (id int PRIMARY KEY, small int, note text);
         ALTER TABLE large ALTER note SET STORAGE EXTERNAL;
         INSERT INTO large VALUES (1, 1, repeat('x', 10000));
         CREATE TABLE strange (id int PRIMARY KEY)",
    )
    .await;
    let product = |name: &str, table: &str, key: &str, more: &str| {
        let text = PRODUCT
            .replace("accounts.v1", name)
            .replace("public.acct", table)
            .replace("[account_id]", key);
        let (head, _) = text.split_once("  account_id").unwrap();
        let note = "  note: { type: string, from: note, optional: true }\n";
        scenario.write(
            &format!("products/{name}.yaml"),
            &format!("{head}{more}{note}"),
        );
    };
    let id = "  id: { type: long, from: id }\n";
    product("large.v1", "public.large", "[id]", id);
    let day = format!("{id}  day: {{ type: date, from: d }}\n");
    product("parted.v1", "public.parted", "[id, day]", &day);
    let looking = start(&scenario, &["--follow", "4s"]);
    slot(&scenario, true).await;
    for change in [
        "INSERT INTO parted VALUES (1, '2026-03-01', 'a'), (2, '2026-08-01', 'b')",
        "UPDATE parted SET d = '2026-08-02' WHERE id = 1",
        "INSERT INTO strange VALUES (1)",
        "UPDATE large SET small = 2",
        "TRUNCATE large, strange",
    ] {
        run(&scenario.db, change).await;
    }
    let (said, code) = ended(looking).await;
    assert_eq!(code, 1, "{said}");
    let (large, parted) = (&said["products"][0], &said["products"][1]);
    // A row that moves between partitions is deleted and inserted.
    let counts = json!({ "read": 4, "events": 3, "tombstones": 1, "failing": 0, "read_back": 3 });
    assert_eq!(parted["changes"], counts);
    assert_eq!(
        parted["samples"][1]["event"]["note"], "b",
        "columns go by their names"
    );
    assert_eq!(
        (&large["changes"]["read"], &large["changes"]["failing"]),
        (&json!(2), &json!(2))
    );
    let codes = large["failures"].as_array().unwrap().iter();
    let mut codes: Vec<&str> = codes.map(|f| f["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["ONR-323", "ONR-325"]);
    assert_eq!(large["failures"][0]["of"], "change");
    scenario.close().await;
}
