//! `onramp dry-run --follow` shows what commits; killed at any moment it leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::looking::{PATIENCE, codes, dry_run, ended, shop, slot, start};
use onramp_integration_tests::seam::run;
use onramp_integration_tests::traces::traces;
use onramp_integration_tests::{Gateway, Private, Scenario, Servers, consume, until};
use serde_json::{Value, json};

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
    let scenario = Scenario::on(private.servers(), TABLE).await;
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
    // Rows behind a lock are waited for a while, and the command ends all the same.
    run(&open, "BEGIN; LOCK TABLE acct").await;
    let (said, code) = dry_run(&scenario, &["--all"]).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(said["products"][0]["rows"], Value::Null);
    assert_eq!(said["reached"]["source"], true);
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
