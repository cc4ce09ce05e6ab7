//! Rows that were there before a product of facts, or an outbox, each told once: `history: insert`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onramp_integration_tests::history::{Dice, History, TABLE, Writer};
use onramp_integration_tests::operate::{errors, onramp};
use onramp_integration_tests::seam::{Seam, done, run};
use onramp_integration_tests::{Event, Folder, Gateway, Ports, Scenario, consume, records, until};
use serde_json::json;

const CONFIGURATION: i32 = 64;

/// Facts over the accounts: opened, changed, closed.
const FACTS: &str = r#"
product: DOMAIN.account-life.v1
status: active
owner: { team: accounts, contact: accounts@shop.test }
description: What happens to accounts.
kind: events
source: { table: public.acct }
key: [account_id]
history: insert
events:
  Opened:
    when: op == "insert"
    fields:
      account_id: { type: int, from: acct_no }
      opened:     { type: long, from: ver }
      tx:         { type: string, expr: tx.id, optional: true }
  Changed:
    when: op == "update"
    fields:
      account_id: { type: int, from: acct_no }
      changed:    { type: long, from: ver }
      tx:         { type: string, expr: tx.id }
  Closed:
    when: op == "delete"
    fields:
      account_id: { type: int, from: acct_no }
"#;

/// Rows whose keys the writer leaves alone.
const ROWS: i64 = 20_000;
/// Rows whose keys it takes: those from 0.
const BUSY: i64 = 50;

async fn accounts(settings: &str) -> Scenario {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/life.yaml", FACTS);
    scenario.write("onramp.yaml", &scenario.gateway_file(settings));
    let fill =
        format!("INSERT INTO acct SELECT n, -n - 1, 'old' FROM generate_series(0, {ROWS}) n");
    run(&scenario.db, &fill).await;
    scenario
}

async fn told(scenario: &Scenario) -> Vec<Event> {
    consume(&scenario.servers, &scenario.topic("account-life.v1")).await
}

fn is_history(event: &Event) -> bool {
    event.headers.contains_key("onramp_id")
}

/// A fact in short: its type, and the version that it tells of.
fn fact(event: &Event) -> (&'static str, Option<i64>) {
    let value = event.value.as_ref().expect("a fact has a value");
    for (name, field) in [("opened", "opened"), ("changed", "changed")] {
        if let Some(version) = value[field].as_i64() {
            return (name, Some(version));
        }
    }
    ("closed", None)
}

/// What the log must tell of a key: rows from 0 to [`ROWS`] were there.
fn of_log(key: i64, changes: &[Option<i64>]) -> Vec<(&'static str, Option<i64>)> {
    let mut there = (0..=ROWS).contains(&key);
    changes
        .iter()
        .map(|change| {
            let was = std::mem::replace(&mut there, change.is_some());
            match change {
                None => ("closed", None),
                Some(version) if was => ("changed", Some(*version)),
                Some(version) => ("opened", Some(*version)),
            }
        })
        .collect()
}

/// Each row that was there once, each change of the log once and in order.
fn is_right(events: &[Event], history: &History) -> Result<(), String> {
    let mut by_key = BTreeMap::<i64, Vec<&Event>>::new();
    for event in events {
        let key = event
            .key
            .parse()
            .map_err(|_| format!("key {}", event.key))?;
        by_key.entry(key).or_default().push(event);
    }
    for key in 0..=ROWS {
        by_key.entry(key).or_default();
    }
    for (key, events) in &by_key {
        let changes = i32::try_from(*key)
            .ok()
            .and_then(|key| history.by_key.get(&key));
        let changes = changes.map_or(&[][..], Vec::as_slice);
        let live: Vec<_> = events
            .iter()
            .filter(|e| !is_history(e))
            .map(|e| fact(e))
            .collect();
        let shall = of_log(*key, changes);
        if live != shall {
            return Err(format!(
                "key {key}: the log brought {shall:?}, and told is {live:?}"
            ));
        }
        let old: Vec<_> = events
            .iter()
            .filter(|e| is_history(e))
            .map(|e| fact(e))
            .collect();
        let was_there = (0..=ROWS).contains(key);
        let went = changes.iter().position(Option::is_none);
        // As it was read, before it went for the first time.
        let mut states: Vec<i64> = changes[..went.unwrap_or(changes.len())]
            .iter()
            .flatten()
            .copied()
            .collect();
        states.push(-key - 1);
        let right = match &old[..] {
            [] => !was_there || went.is_some(),
            [("opened", Some(version))] => was_there && states.contains(version),
            _ => false,
        };
        let closed = events.iter().position(|e| fact(e).0 == "closed");
        let behind = events
            .iter()
            .position(|e| is_history(e))
            .zip(closed)
            .is_some_and(|(a, b)| a > b);
        if !right || behind {
            return Err(format!(
                "key {key}: {old:?} of rows that were there, after {changes:?}"
            ));
        }
    }
    let ids: BTreeSet<_> = events
        .iter()
        .filter(|e| is_history(e))
        .map(|e| &e.headers["onramp_id"])
        .collect();
    match ids.len() == events.iter().filter(|e| is_history(e)).count() {
        true => Ok(()),
        false => Err("two facts have one id".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_that_was_there_is_told_once_among_what_the_log_brings() {
    let scenario = accounts("snapshot: { readers: 2, chunk_rows: 50 }\n").await;
    let gateway = Gateway::reading(&scenario).await;
    // Rows that no reader has come to: the log brings them first.
    let mut history = History::default();
    let insert =
        format!("INSERT INTO acct SELECT n, 1 FROM generate_series({ROWS} + 1, {ROWS} + 20) n");
    run(&scenario.db, &insert).await;
    for n in 1..=20 {
        let key = i32::try_from(ROWS + n).expect("few");
        history.by_key.insert(key, vec![Some(1)]);
    }
    let writer = Writer::start(&scenario, history, 7).await;
    done(&scenario, "account-life.v1").await;
    writer.under_way().await;
    let history = writer.stop().await;
    let count = history.len();
    until(
        "what the log brought",
        Duration::from_secs(90),
        async || {
            told(&scenario)
                .await
                .iter()
                .filter(|e| !is_history(e))
                .count()
                >= count
        },
    )
    .await;
    let events = told(&scenario).await;
    is_right(&events, &history).expect("told right");
    let untouched = events
        .iter()
        .find(|e| e.key == "700")
        .expect("it was there");
    assert_eq!(
        untouched.value,
        Some(json!({"account_id": 700, "opened": -701, "tx": null}))
    );
    assert_eq!(untouched.headers["onramp_op"], "snapshot");
    assert!(
        untouched.headers["onramp_id"].ends_with("/Opened"),
        "{untouched:?}"
    );
    assert!(
        !untouched.headers["onramp_id"].contains("700"),
        "a key is no part of an id"
    );
    // Nothing is left of what was remembered, and nothing comes again.
    assert!(gateway.stop().await.success());
    let progress = format!("onramp.{}.progress", scenario.name);
    let pages: BTreeMap<_, _> = records(&scenario.servers, &progress)
        .await
        .into_iter()
        .filter(|(k, _)| k.starts_with("live/"))
        .collect();
    assert!(pages.values().all(String::is_empty), "{pages:?}");
    let gateway = Gateway::streaming(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 1 WHERE acct_no = 700").await;
    until("one more", Duration::from_secs(60), async || {
        told(&scenario).await.len() > events.len()
    })
    .await;
    assert_eq!(told(&scenario).await.len(), events.len() + 1);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_while_it_reads_tells_no_row_twice_and_leaves_none_out() {
    for seed in 1..=3 {
        killed(seed).await;
    }
}

async fn killed(seed: u64) {
    let scenario = accounts("snapshot: { readers: 2, chunk_rows: 10 }\n").await;
    let mut dice = Dice::new(seed);
    let mut history = History::default();
    let mut gateway = Gateway::reading(&scenario).await;
    let busy = BUSY as u64;
    let mut before = 0;
    for _ in 0..6 {
        // The keys that the readers have not come to, too: beyond the rows that were there.
        for _ in 0..20 {
            history.transaction(&scenario.db, &mut dice, busy).await;
        }
        for n in 0..5 {
            let key = i32::try_from(ROWS + 1 + before + n).expect("few");
            let sql = format!("INSERT INTO acct VALUES ({key}, 1)");
            run(&scenario.db, &sql).await;
            history.by_key.entry(key).or_default().push(Some(1));
        }
        if before == 0 {
            let told_of = format!("{}", ROWS + 1);
            until(
                "a row that the log brought",
                Duration::from_secs(60),
                async || told(&scenario).await.iter().any(|e| e.key == told_of),
            )
            .await;
        }
        before += 5;
        gateway.kill();
        gateway = Gateway::start(&scenario);
        if dice.below(2) == 0 {
            gateway.wait_ready("streaming").await;
        }
    }
    gateway.kill();
    let topic = format!("onramp.{}.progress", scenario.name);
    let half = records(&scenario.servers, &topic).await;
    assert!(
        half.iter().any(|(key, _)| key.starts_with("live/")),
        "rows are remembered"
    );
    assert!(
        !half
            .iter()
            .any(|(_, value)| value.contains("\"stage\":\"done\"")),
        "it was in its midst"
    );
    scenario.write(
        "onramp.yaml",
        &scenario.gateway_file("snapshot: { readers: 2, chunk_rows: 500 }\n"),
    );
    let gateway = Gateway::streaming(&scenario).await;
    let count = history.len();
    until(
        "what the log brought",
        Duration::from_secs(90),
        async || {
            told(&scenario)
                .await
                .iter()
                .filter(|e| !is_history(e))
                .count()
                >= count
        },
    )
    .await;
    is_right(&told(&scenario).await, &history).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_decided_once() {
    let scenario = accounts("snapshot: { readers: 1, chunk_rows: 2 }\n").await;
    let none = FACTS.replace("history: insert\n", "");
    scenario.write(
        "products/life.yaml",
        &none.replace("account-life", "bare-life"),
    );
    let gateway = Gateway::reading(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 5 WHERE acct_no = 5").await;
    assert_eq!(
        scenario.events("bare-life.v1", 1).await.len(),
        1,
        "no row that was there"
    );
    assert!(gateway.stop().await.success());
    // What was published without cannot have it.
    scenario.write(
        "products/life.yaml",
        &FACTS.replace("account-life", "bare-life"),
    );
    let _ = Gateway::start(&scenario)
        .refuses(CONFIGURATION, "ONR-728")
        .await;
    scenario.write(
        "products/life.yaml",
        &none.replace("account-life", "bare-life"),
    );
    // What was begun and given up stays so.
    scenario.write("products/more.yaml", FACTS);
    let gateway = Gateway::reading(&scenario).await;
    until("some rows", Duration::from_secs(60), async || {
        !told(&scenario).await.is_empty()
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.write("products/more.yaml", &none);
    let gateway = Gateway::reading(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 6 WHERE acct_no = 5").await;
    let _ = scenario.events("bare-life.v1", 2).await;
    assert!(gateway.stop().await.success());
    let left = told(&scenario).await.len();
    assert!(left < 10_000, "it was in its midst: {left}");
    scenario.write("products/more.yaml", FACTS);
    let _ = Gateway::start(&scenario)
        .refuses(CONFIGURATION, "ONR-728")
        .await;
    assert_eq!(told(&scenario).await.len(), left);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_retired_in_its_midst_leaves_nothing_behind_and_does_not_go_on() {
    let scenario = accounts("snapshot: { readers: 1, chunk_rows: 2 }\n").await;
    let other = FACTS.replace("history: insert\n", "");
    scenario.write(
        "products/other.yaml",
        &other.replace("account-life", "bare-life"),
    );
    let gateway = Gateway::reading(&scenario).await;
    let insert = format!("INSERT INTO acct VALUES ({ROWS} + 1, 1)");
    run(&scenario.db, &insert).await;
    let live = format!("{}", ROWS + 1);
    until("a live row", Duration::from_secs(60), async || {
        told(&scenario).await.iter().any(|e| e.key == live)
    })
    .await;
    assert!(gateway.stop().await.success());
    let progress = format!("onramp.{}.progress", scenario.name);
    let pages = async || -> BTreeMap<String, String> {
        let all = records(&scenario.servers, &progress).await.into_iter();
        all.filter(|(key, _)| key.starts_with("live/")).collect()
    };
    assert!(pages().await.values().any(|page| !page.is_empty()));
    let retired = FACTS.replace("status: active", "status: retired");
    scenario.write("products/life.yaml", &retired);
    let gateway = Gateway::reading(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 5 WHERE acct_no = 5").await;
    let _ = scenario.events("bare-life.v1", 2).await;
    let left = pages().await;
    assert!(left.values().all(String::is_empty), "{left:?}");
    assert!(gateway.stop().await.success());
    scenario.write("products/life.yaml", FACTS);
    let _ = Gateway::start(&scenario)
        .refuses(CONFIGURATION, "ONR-728")
        .await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_are_remembered_end_the_gateway_and_more_room_lets_it_go_on() {
    let settings = "snapshot: { readers: 1, chunk_rows: 2 }\nlimits: { changed_keys: 4KiB }\n";
    let scenario = accounts(settings).await;
    let gateway = Gateway::reading(&scenario).await;
    let insert =
        format!("INSERT INTO acct SELECT n, 1 FROM generate_series({ROWS} + 1, {ROWS} + 200) n");
    run(&scenario.db, &insert).await;
    let mut gateway = gateway;
    let _ = gateway.refuses(CONFIGURATION, "ONR-729").await;
    scenario.write("onramp.yaml", &scenario.gateway_file(""));
    let gateway = Gateway::streaming(&scenario).await;
    let mut history = History::default();
    for key in 1..=200 {
        let key = i32::try_from(ROWS + key).expect("few");
        history.by_key.insert(key, vec![Some(1)]);
    }
    until("the rows", Duration::from_secs(60), async || {
        told(&scenario)
            .await
            .iter()
            .filter(|e| !is_history(e))
            .count()
            >= 200
    })
    .await;
    is_right(&told(&scenario).await, &history).expect("told right");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_not_filled_again() {
    let admin = Ports::claim(1);
    let settings = format!("admin: {{ listen: \"127.0.0.1:{}\" }}\n", admin.first());
    let scenario = accounts(&settings).await;
    let gateway = Gateway::streaming(&scenario).await;
    let product = scenario.topic("account-life.v1");
    let output = onramp(&scenario, "backfill", &[&product]).await;
    assert_eq!(output.status.code(), Some(CONFIGURATION), "{output:?}");
    assert!(errors(&output).contains("is no entity"), "{output:?}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// What the log has told, and no reader sees yet, because its commit waits for a standby.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_readers_see_otherwise_than_the_log_is_told_once() {
    let seam = Seam::new(200, "snapshot: { readers: 2, chunk_rows: 7 }\n").await;
    let facts = FACTS.replace("account-life", "accounts");
    seam.scenario.write("products/accounts.yaml", &facts);
    let before = seam.open().await;
    let mut gateway = Gateway::reading(&seam.scenario).await;
    let waits = "history waits for transactions that were open before it";
    seam.says(&mut gateway, &[waits, "open since"]).await;
    let stuck = seam
        .stuck(
            "UPDATE acct SET ver = 1000 WHERE acct_no = 7; UPDATE acct SET acct_no = 1008 WHERE acct_no = 8; \
             DELETE FROM acct WHERE acct_no = 9; INSERT INTO acct VALUES (1001, 1); \
             DELETE FROM acct WHERE acct_no = 10; INSERT INTO acct VALUES (10, 2)",
        )
        .await;
    let live = seam.told(6).await;
    assert!(!live.iter().any(is_history), "no row is read yet");
    run(&before, "COMMIT").await;
    seam.done("accounts.v1").await;
    let events = seam.events().await;
    let of = |key: &str| {
        let of_key = events.iter().filter(|e| e.key == key);
        of_key.map(|e| (is_history(e), fact(e))).collect::<Vec<_>>()
    };
    assert_eq!(of("6"), [(true, ("opened", Some(-6)))]);
    // As it was read, behind what the log told of it.
    let changed = (false, ("changed", Some(1000)));
    assert_eq!(of("7"), [changed, (true, ("opened", Some(-7)))]);
    assert_eq!(
        of("8"),
        [(true, ("opened", Some(-8)))],
        "under the key that it was read by"
    );
    assert_eq!(of("1008"), [(false, ("changed", Some(-8)))]);
    assert_eq!(
        of("9"),
        [(false, ("closed", None))],
        "gone before it was told"
    );
    assert_eq!(of("1001"), [(false, ("opened", Some(1)))]);
    let anew = [(false, ("closed", None)), (false, ("opened", Some(2)))];
    assert_eq!(of("10"), anew);
    assert_eq!(events.len(), 198 + 6, "every other row once");
    seam.let_go(stuck).await;
    assert!(gateway.stop().await.success());
    seam.close().await;
}

#[test]
fn fixtures_hold_rows_that_were_there_to_what_the_file_says() {
    let gateway = "gateway: shop\nsource: { type: postgres, url: \"postgres://o@127.0.0.1:1/shop\", password: { env: P } }\n\
        kafka: { brokers: [\"127.0.0.1:1\"] }\nregistry: { url: \"http://127.0.0.1:1\" }\nproducts: [\"*.yaml\"]\n";
    let fixtures = "fixtures: shop.account-life.v1\ntests:\n  - name: one that was there\n    row: { acct_no: \"7\", ver: \"3\" }\n    expect:\n\
        \x20     - type: Opened\n        key: \"7\"\n        event: { account_id: 7, opened: 3, tx: null }\n";
    let facts = FACTS.replace("DOMAIN", "shop");
    let folder = Folder::with(&[
        ("onramp.yaml", gateway),
        ("life.yaml", &facts),
        ("life.fixtures.yaml", fixtures),
    ]);
    let output = folder.run(&["test"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    folder.write("life.yaml", &facts.replace("history: insert\n", ""));
    let output = folder.run(&["test"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("tells nothing of rows that were"), "{said}");
    onramp_integration_tests::fits_80_columns(&said);
}

/// Of several tables each is read once, and rows of one key in two of them are two rows.
#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_several_tables_are_told_once_each_table_in_its_time() {
    let named = |name: &str| TABLE.replace("acct (", &format!("{name} ("));
    let old = named("acct_old");
    let scenario = Scenario::new(&format!("{TABLE}{old}")).await;
    let over = |tables: &str| {
        let source = format!("source: {{ tables: [{tables}] }}");
        let facts = FACTS.replace("source: { table: public.acct }", &source);
        format!("{facts}on_mapping_change: keep\n")
    };
    scenario.write("products/life.yaml", &over("public.acct, public.acct_old"));
    const ROWS: usize = 3_000;
    let fill = format!(
        "INSERT INTO acct SELECT n, -n, NULL FROM generate_series(1, {ROWS}) n; \
         INSERT INTO acct_old SELECT n, n, NULL FROM generate_series(1, 20) n"
    );
    run(&scenario.db, &fill).await;
    let small = "snapshot: { readers: 1, chunk_rows: 3 }\n";
    scenario.write("onramp.yaml", &scenario.gateway_file(small));
    let gateway = Gateway::reading(&scenario).await;
    // Of the table that is read, and of the one that is read next.
    let live = "INSERT INTO acct VALUES (3001, 500); INSERT INTO acct_old VALUES (21, 501)";
    run(&scenario.db, live).await;
    until("some rows", Duration::from_secs(60), async || {
        told(&scenario).await.len() >= 20
    })
    .await;
    gateway.kill();
    let half = told(&scenario).await.len();
    assert!(half < ROWS, "it is in its midst: {half}");
    // Another table comes in the midst of it.
    run(&scenario.db, &named("acct_new")).await;
    run(&scenario.db, "INSERT INTO acct_new VALUES (7, 700)").await;
    let three = "public.acct, public.acct_old, public.acct_new";
    scenario.write("products/life.yaml", &over(three));
    let gateway = Gateway::reading(&scenario).await;
    done(&scenario, "account-life.v1").await;
    let count = ROWS + 20 + 1 + 2;
    let events = scenario.events("account-life.v1", count).await;
    assert_eq!(events.len(), count, "each once");
    let of = |key: &str| {
        let of_key = events.iter().filter(|e| e.key == key);
        let mut all: Vec<_> = of_key.map(|e| (is_history(e), fact(e).1)).collect();
        all.sort_unstable();
        all
    };
    let seven = [-7, 7, 700].map(|version| (true, Some(version)));
    assert_eq!(of("7"), seven);
    assert_eq!(of("21"), [(false, Some(501)), (true, Some(-21))]);
    assert_eq!(of("3001"), [(false, Some(500))]);
    assert!(gateway.stop().await.success());
    // And one when all are read.
    run(&scenario.db, &named("acct_last")).await;
    run(&scenario.db, "INSERT INTO acct_last VALUES (30, 30)").await;
    scenario.write(
        "products/life.yaml",
        &over(&format!("{three}, public.acct_last")),
    );
    let gateway = Gateway::streaming(&scenario).await;
    run(&scenario.db, "INSERT INTO acct_last VALUES (31, 31)").await;
    let events = scenario.events("account-life.v1", count + 2).await;
    assert_eq!(events.len(), count + 2, "the others' are not told again");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// What was written in a gap and not read before it is read with the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_is_accepted_takes_nothing_from_rows_that_are_still_to_be_read() {
    let scenario = accounts("snapshot: { readers: 1, chunk_rows: 5 }\n").await;
    let gateway = Gateway::reading(&scenario).await;
    let insert = format!("INSERT INTO acct VALUES ({ROWS} + 1, 1)");
    run(&scenario.db, &insert).await;
    let live = format!("{}", ROWS + 1);
    until(
        "a row that the log brought",
        Duration::from_secs(60),
        async || told(&scenario).await.iter().any(|e| e.key == live),
    )
    .await;
    until("some rows", Duration::from_secs(60), async || {
        told(&scenario).await.len() >= 20
    })
    .await;
    gateway.kill();
    let half = told(&scenario).await.len();
    assert!(half < ROWS as usize, "it is in its midst: {half}");
    let drop = format!("SELECT pg_drop_replication_slot('{}')", scenario.slot());
    until("the slot to go", Duration::from_secs(60), async || {
        scenario.db.batch_execute(&drop).await.is_ok()
    })
    .await;
    let lost =
        format!("INSERT INTO acct VALUES ({ROWS} + 2, 1); DELETE FROM acct WHERE acct_no = {ROWS}");
    run(&scenario.db, &lost).await;
    let product = scenario.topic("account-life.v1");
    let recovered = onramp(&scenario, "recover", &["--yes", "--accept-gap", &product]).await;
    assert!(recovered.status.success(), "{recovered:?}");
    scenario.write("onramp.yaml", &scenario.gateway_file(""));
    let gateway = Gateway::streaming(&scenario).await;
    // Rows from 0 on but the last, the one that the log brought, and the one of the gap.
    let count = ROWS as usize + 2;
    let events = scenario.events("account-life.v1", count).await;
    assert_eq!(events.len(), count, "each once");
    let keys: BTreeSet<&str> = events.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys.len(), count);
    let of = |key: i64| {
        let of_key = events.iter().filter(|e| e.key == key.to_string());
        of_key.map(is_history).collect::<Vec<_>>()
    };
    assert_eq!(
        (of(ROWS), of(ROWS + 1), of(ROWS + 2)),
        (vec![], vec![false], vec![true])
    );
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

/// Rows are read by the primary key: what names them must change where it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_place_among_those_to_read_changes_unseen_is_not_told_twice() {
    let table = "CREATE TABLE acct (place integer PRIMARY KEY, acct_no integer NOT NULL UNIQUE, ver bigint NOT NULL);
        ALTER TABLE acct REPLICA IDENTITY USING INDEX acct_acct_no_key;";
    let scenario = Scenario::new(table).await;
    scenario.write("products/life.yaml", FACTS);
    let small = "snapshot: { readers: 1, chunk_rows: 3 }\n";
    scenario.write("onramp.yaml", &scenario.gateway_file(small));
    const ROWS: usize = 3_000;
    let fill = format!("INSERT INTO acct SELECT n, n, -n FROM generate_series(1, {ROWS}) n");
    run(&scenario.db, &fill).await;
    // The log says nothing of the place that a row had.
    let said = Gateway::start(&scenario)
        .refuses(CONFIGURATION, "ONR-339")
        .await;
    assert!(said.contains("REPLICA IDENTITY"), "{said}");
    run(&scenario.db, "ALTER TABLE acct REPLICA IDENTITY FULL").await;
    let gateway = Gateway::reading(&scenario).await;
    until("some rows", Duration::from_secs(60), async || {
        told(&scenario).await.len() >= 20
    })
    .await;
    // From among those that are told to among those that are not, and back; and a stranger's.
    let moves = "UPDATE acct SET place = 100000 WHERE place = 1; UPDATE acct SET place = 100001 WHERE place = 2; \
        UPDATE acct SET place = 2 WHERE place = 100001";
    run(&scenario.db, moves).await;
    let half = told(&scenario).await.len();
    assert!(half < ROWS, "it is in its midst: {half}");
    done(&scenario, "account-life.v1").await;
    let events = scenario.events("account-life.v1", ROWS + 3).await;
    assert_eq!(events.len(), ROWS + 3);
    let keys: BTreeSet<&str> = events
        .iter()
        .filter(|e| is_history(e))
        .map(|e| e.key.as_str())
        .collect();
    assert_eq!(keys.len(), ROWS, "each once");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
