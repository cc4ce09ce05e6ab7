//! A product added later joins whatever holds its table, and the others stream undisturbed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::operate::{PATIENCE, accounts, status};
use onramp_integration_tests::{Event, Gateway, Scenario, consume, latest_by_key, until};
use tokio_postgres::Client;

/// What the application may wait behind a try of ours, and then some for a busy machine. A
/// transaction that is open holds up a lock for as long as the test likes: this tells the two apart.
const SHORT: Duration = Duration::from_secs(30);

/// Time enough for some looks and tries.
const TRIES: Duration = Duration::from_secs(4);

/// A gateway that has published accounts, and then is given a second product on a table of its own
/// with three rows, whose name stands for both.
async fn with_a_new_product() -> Scenario {
    let scenario = accounts(1).await;
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    let table = TABLE.replace("acct (", "added (");
    let rows = "INSERT INTO added SELECT n, 1, 'old' FROM generate_series(1, 3) n";
    for made in [table.as_str(), rows] {
        let made = scenario.db.batch_execute(made);
        made.await.expect("the table is made");
    }
    let added = PRODUCT.replace("accounts.v1", "added.v1");
    let added = added.replace("public.acct", "public.added");
    scenario.write("products/added.yaml", &added);
    scenario
}

/// A session of the application's with a transaction open on the new table.
async fn open(scenario: &Scenario, statement: &str) -> Client {
    let db = scenario.connect().await;
    let begun = format!("SET application_name = 'a long report'; BEGIN; {statement}");
    db.batch_execute(&begun).await.expect("a transaction opens");
    db
}

/// The other product's changes are told as they come.
async fn others_flow(scenario: &Scenario, version: i64) {
    let update = format!("UPDATE acct SET ver = {version}");
    let updated = scenario.db.batch_execute(&update).await;
    updated.expect("the table takes the change");
    let topic = scenario.topic("accounts.v1");
    until("the other product's change", PATIENCE, async || {
        let state = latest_by_key(&consume(&scenario.servers, &topic).await);
        state.get("1").is_some_and(|v| v["version"] == version)
    })
    .await;
}

async fn added(scenario: &Scenario) -> Vec<Event> {
    consume(&scenario.servers, &scenario.topic("added.v1")).await
}

/// Waits until the new product's rows are published, by whichever gateway it is.
async fn joined(scenario: &Scenario, gateways: &[&Gateway]) {
    let topic = scenario.topic("added.v1");
    let running = format!("onramp_history_running{{product=\"{topic}\"}}");
    until("the product to join", PATIENCE, async || {
        let mut of = gateways.iter().map(|gateway| gateway.metric(&running));
        of.any(|running| running == Some(0.0))
    })
    .await;
}

async fn insert(db: &Client, key: i32) {
    let insert = format!("INSERT INTO added VALUES ({key}, 1, 'live')");
    let inserted = db.batch_execute(&insert).await;
    inserted.expect("the table takes the row");
}

/// Waits for every row that the table has, and sees that it is told once by the log or by the run, and
/// no more than once by each: what committed before the run's S0 and is streamed after that comes
/// from both, the run's the same again.
async fn told_once(scenario: &Scenario, keys: &[i32]) {
    let mut events = Vec::new();
    until("the new product's rows", PATIENCE, async || {
        events = added(scenario).await;
        latest_by_key(&events).len() >= keys.len()
    })
    .await;
    let mut told: BTreeMap<i32, Vec<(bool, &Event)>> = BTreeMap::new();
    for event in &events {
        let by_the_run = event.headers.contains_key("onramp_op");
        let key = event.key.parse().expect("a key is a number");
        told.entry(key).or_default().push((by_the_run, event));
    }
    let names: Vec<i32> = told.keys().copied().collect();
    assert_eq!(names, keys);
    for (key, told) in told {
        match told.as_slice() {
            [_] => {}
            [(false, live), (true, again)] => assert_eq!(live.value, again.value, "key {key}"),
            more => panic!("key {key} is told by the run or not: {more:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_stream_while_a_new_products_table_is_locked() {
    let scenario = with_a_new_product().await;
    let writer = open(&scenario, "INSERT INTO added VALUES (4, 1, 'held')").await;
    let pid: i32 = writer
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let mut gateway = Gateway::reading(&scenario).await;
    let topic = scenario.topic("added.v1");
    let pending = format!("onramp_product_pending{{product=\"{topic}\"}}");
    others_flow(&scenario, 7).await;
    // It says for whom it waits, wherever an operator looks, and never what the transaction does.
    gateway
        .wait_says(&format!("not yet {topic}: public.added locked by"))
        .await;
    assert_eq!(gateway.metric(&pending), Some(1.0));
    let told = status(&scenario).await;
    assert_eq!(told["phase"], "streaming");
    assert_eq!(told["pending"][0]["product"], topic.as_str());
    let why = told["pending"][0]["why"].as_str().unwrap();
    let process = format!("process {pid} (a long report), open since 2");
    assert!(why.contains(&process) && !why.contains("INSERT"), "{why}");
    let published = told["products"].as_array().unwrap();
    assert!(published.iter().all(|p| p["product"] != topic.as_str()));
    // Other writers of the table are not kept waiting for the transaction that we wait for.
    let began = Instant::now();
    while began.elapsed() < TRIES {
        let touch = scenario
            .db
            .batch_execute("UPDATE added SET ver = 1 WHERE acct_no = -1");
        let touched = tokio::time::timeout(SHORT, touch).await;
        touched.expect("a writer queues behind us").unwrap();
    }
    assert!(added(&scenario).await.is_empty());
    others_flow(&scenario, 8).await;
    writer.batch_execute("COMMIT").await.unwrap();
    // Rows go on coming while the product joins, and none is missed or told twice.
    let mut keys: Vec<i32> = (1..=4).collect();
    let mut next = 100;
    until("the product to join", PATIENCE, async || {
        insert(&scenario.db, next).await;
        keys.push(next);
        next += 1;
        gateway.metric(&pending) == Some(0.0)
    })
    .await;
    joined(&scenario, &[&gateway]).await;
    insert(&scenario.db, next).await;
    keys.push(next);
    told_once(&scenario, &keys).await;
    others_flow(&scenario, 9).await;
    let topic = scenario.topic("accounts.v1");
    let versions: Vec<i64> = consume(&scenario.servers, &topic)
        .await
        .iter()
        .map(|e| e.value.as_ref().unwrap()["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, [0, 7, 8, 9], "the others are told once");
    // It was no failure.
    let errors = "onramp_errors_total{kind=\"source\"}";
    assert_eq!(gateway.metric(errors), Some(0.0));
    assert!(!gateway.output().contains("trying again"));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_while_a_product_waits_goes_on_and_lets_it_join() {
    let scenario = with_a_new_product().await;
    let writer = open(&scenario, "INSERT INTO added VALUES (4, 1, 'undone')").await;
    let mut gateway = Gateway::reading(&scenario).await;
    gateway.wait_says("not yet ").await;
    others_flow(&scenario, 7).await;
    gateway.kill();
    insert(&scenario.db, 5).await;
    let mut gateway = Gateway::reading(&scenario).await;
    gateway.wait_says("not yet ").await;
    others_flow(&scenario, 8).await;
    // The transaction comes to nothing, and so do its rows.
    writer.batch_execute("ROLLBACK").await.unwrap();
    joined(&scenario, &[&gateway]).await;
    insert(&scenario.db, 6).await;
    told_once(&scenario, &[1, 2, 3, 5, 6]).await;
    // The next start knows it.
    assert!(gateway.stop().await.success());
    let gateway = Gateway::streaming(&scenario).await;
    insert(&scenario.db, 7).await;
    told_once(&scenario, &[1, 2, 3, 5, 6, 7]).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_started_before_a_product_joined_goes_on_with_it() {
    let scenario = with_a_new_product().await;
    let writer = open(&scenario, "INSERT INTO added VALUES (4, 1, 'held')").await;
    let mut first = Gateway::reading(&scenario).await;
    first.wait_says("not yet ").await;
    let mut second = Gateway::start_with(&scenario, |command| {
        command.args(["--set", "admin.listen=127.0.0.1:0"]);
    });
    second.wait_ready("standby").await;
    writer.batch_execute("COMMIT").await.unwrap();
    // Whichever of the two has the lock after that.
    joined(&scenario, &[&first, &second]).await;
    told_once(&scenario, &[1, 2, 3, 4]).await;
    first.kill();
    second.wait_ready("streaming").await;
    for key in 5..50 {
        insert(&scenario.db, key).await;
    }
    let keys: Vec<i32> = (1..50).collect();
    told_once(&scenario, &keys).await;
    assert!(second.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_nobody_may_even_read_keeps_no_start_waiting() {
    let scenario = with_a_new_product().await;
    // Out-of-line storage too, as VACUUM FULL locks it.
    let wide = "INSERT INTO added SELECT 4, 1, string_agg(md5(n::text), '') FROM generate_series(1, 500) n";
    scenario.db.batch_execute(wide).await.unwrap();
    let holder = open(
        &scenario,
        "TRUNCATE added; INSERT INTO added VALUES (9, 1, 'new')",
    )
    .await;
    let mut gateway = Gateway::reading(&scenario).await;
    gateway.wait_says("not yet ").await;
    others_flow(&scenario, 7).await;
    holder.batch_execute("COMMIT").await.unwrap();
    joined(&scenario, &[&gateway]).await;
    told_once(&scenario, &[9]).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_becomes_unfit_while_it_waits_stops_nobody() {
    let scenario = with_a_new_product().await;
    let writer = open(&scenario, "INSERT INTO added VALUES (4, 1, 'held')").await;
    let mut gateway = Gateway::reading(&scenario).await;
    gateway.wait_says("not yet ").await;
    let unfit = "ALTER TABLE added DROP CONSTRAINT added_pkey; COMMIT";
    writer.batch_execute(unfit).await.unwrap();
    gateway.wait_says("refused: ONR-414").await;
    others_flow(&scenario, 7).await;
    // Mended, it joins.
    let mend = "ALTER TABLE added ADD PRIMARY KEY (acct_no)";
    writer.batch_execute(mend).await.unwrap();
    joined(&scenario, &[&gateway]).await;
    told_once(&scenario, &[1, 2, 3, 4]).await;
    others_flow(&scenario, 8).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_says_for_whom_it_waits() {
    let scenario = accounts(1).await;
    let db = scenario.connect().await;
    let begin = "SET application_name = 'a long report'; BEGIN; LOCK TABLE acct IN SHARE MODE";
    db.batch_execute(begin).await.unwrap();
    let mut gateway = Gateway::start(&scenario);
    gateway
        .wait_says("waits for public.acct: transaction")
        .await;
    let told = status(&scenario).await;
    assert_eq!(told["phase"], "starting");
    let why = told["waits_for"].as_str().unwrap();
    assert!(why.contains("(a long report)"), "{why}");
    assert!(gateway.output().contains("a long report"));
    db.batch_execute("COMMIT; BEGIN; UPDATE acct SET ver = 2")
        .await
        .unwrap();
    gateway.wait_says("waits for transaction").await;
    db.batch_execute("COMMIT").await.unwrap();
    gateway.wait_ready("streaming").await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_products_table_is_not_touched_however_it_is_locked() {
    let scenario = with_a_new_product().await;
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    let file = scenario.folder.join("products/added.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let retired = text.replace("status: active", "status: retired");
    scenario.write("products/added.yaml", &retired);
    let holder = open(&scenario, "LOCK TABLE added").await;
    let gateway = Gateway::reading(&scenario).await;
    others_flow(&scenario, 7).await;
    assert!(gateway.stop().await.success());
    drop(holder);
    scenario.close().await;
}
