//! Asking a gateway how it fares, and telling it to publish rows again.

use std::process::Output;

use onramp_integration_tests::operate::{
    PATIENCE, accounts, accounts_on, as_the_table, errors, onramp, status,
};
use onramp_integration_tests::{Gateway, Private, Scenario, consume, until};
use serde_json::Value;

/// Waits until the run of this id is done.
async fn done(scenario: &Scenario, run: &str) -> Value {
    let mut last = Value::Null;
    until("the run to be done", PATIENCE, async || {
        last = status(scenario).await;
        let history = &last["products"][0]["history"];
        history["run"] == run && history["stage"] == "done"
    })
    .await;
    last
}

/// The id in what `onramp backfill` prints.
fn ordered(output: &Output) -> String {
    assert!(output.status.success(), "{}", errors(output));
    let text = String::from_utf8_lossy(&output.stdout);
    let run = text.split_whitespace().nth(2);
    run.unwrap_or_else(|| panic!("an id in {text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_what_the_gateway_does_and_what_progress_says_without_it() {
    let scenario = accounts(300).await;
    let nothing = onramp(&scenario, "status", &[]).await;
    assert_eq!(nothing.status.code(), Some(64));
    assert!(
        errors(&nothing).contains("has no progress in Kafka"),
        "{}",
        errors(&nothing)
    );

    let gateway = Gateway::streaming(&scenario).await;
    as_the_table(&scenario).await;
    let told = status(&scenario).await;
    assert_eq!(told["told_by"], "gateway");
    assert_eq!(told["phase"], "streaming");
    assert!(told["position"].is_string(), "{told}");
    let product = &told["products"][0];
    assert_eq!(product["product"], scenario.topic("accounts.v1"));
    assert_eq!(product["status"], "active");
    assert_eq!(product["history"]["cause"], "new");
    assert_eq!(product["history"]["stage"], "done");
    assert_eq!(product["history"]["rows"], 300);

    assert!(gateway.stop().await.success());
    let told = status(&scenario).await;
    assert_eq!(told["told_by"], "progress");
    assert_eq!(told["phase"], "unknown");
    assert!(told["not_answering"].is_string());
    assert_eq!(told["products"][0]["history"]["rows"], 300);
    let text = onramp(&scenario, "status", &[]).await;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("this is what progress in Kafka says"),
        "{text}"
    );
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_published_again_whole_in_part_and_reconciled() {
    let scenario = accounts(300).await;
    let gateway = Gateway::streaming(&scenario).await;
    let before = as_the_table(&scenario).await.len();
    let product = scenario.topic("accounts.v1");

    let part = ["--where", "row.acct_no <= 100"];
    let part = onramp(
        &scenario,
        "backfill",
        &[&[product.as_str()], &part[..]].concat(),
    )
    .await;
    let told = done(&scenario, &ordered(&part)).await;
    assert_eq!(told["products"][0]["history"]["cause"], "command");
    assert_eq!(
        told["products"][0]["history"]["filter"],
        "row.acct_no <= 100"
    );
    let events = as_the_table(&scenario).await;
    assert_eq!(
        events.len(),
        before + 100,
        "the rows that fulfil the condition, once"
    );

    let whole = onramp(&scenario, "backfill", &[&product, "--reconcile"]).await;
    let told = done(&scenario, &ordered(&whole)).await;
    assert_eq!(told["products"][0]["history"]["reconcile"], true);
    let events = as_the_table(&scenario).await;
    assert_eq!(
        events.len(),
        before + 400,
        "every row once, and no tombstone"
    );

    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_makes_no_sense_is_refused_with_its_reason() {
    let scenario = accounts(3).await;
    let product = scenario.topic("accounts.v1");
    let down = onramp(&scenario, "backfill", &[&product]).await;
    assert_eq!(down.status.code(), Some(64));
    assert!(errors(&down).contains("ONR-723"), "{}", errors(&down));

    let gateway = Gateway::streaming(&scenario).await;
    let unknown = onramp(&scenario, "backfill", &["commerce.nothing.v1"]).await;
    assert_eq!(unknown.status.code(), Some(64));
    assert!(
        errors(&unknown).contains(&product),
        "what there is is named: {}",
        errors(&unknown)
    );

    let wrong = ["--where", "row.acct_no == 1 && row.vor == 2"];
    let wrong = onramp(
        &scenario,
        "backfill",
        &[&[product.as_str()], &wrong[..]].concat(),
    )
    .await;
    assert_eq!(wrong.status.code(), Some(64));
    let said = errors(&wrong);
    assert!(
        said.contains("--where:1:21"),
        "where in the condition: {said}"
    );
    let numbers = ["--where", "row.acct_no"];
    let numbers = onramp(
        &scenario,
        "backfill",
        &[&[product.as_str()], &numbers[..]].concat(),
    )
    .await;
    assert!(errors(&numbers).contains("ONR-211"), "{}", errors(&numbers));

    let both = [
        product.as_str(),
        "--where",
        "row.acct_no == 1",
        "--reconcile",
    ];
    let both = onramp(&scenario, "backfill", &both).await;
    assert_eq!(both.status.code(), Some(64));
    assert!(
        errors(&both).contains("do not go together"),
        "{}",
        errors(&both)
    );

    scenario.write("token", "another\n");
    let stranger = onramp(&scenario, "backfill", &[&product]).await;
    assert_eq!(stranger.status.code(), Some(64));
    assert!(
        errors(&stranger).contains("ONR-722"),
        "{}",
        errors(&stranger)
    );
    let stranger = onramp(&scenario, "status", &[]).await;
    assert!(
        errors(&stranger).contains("ONR-722"),
        "{}",
        errors(&stranger)
    );
    for said in [errors(&stranger), gateway.output()] {
        assert!(
            !said.contains("token for tests") && !said.contains("another\n"),
            "{said}"
        );
    }

    let events = consume(&scenario.servers, &product).await;
    assert_eq!(events.len(), 3, "nothing was begun");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_answered_once_it_outlives_the_gateway_and_asking_again_begins_nothing() {
    // An idle source: positions alone would fill the way to a publisher that waits, and the order
    // would be refused rather than taken.
    let private = Private::start(&["postgres15", "kafka"]).await;
    let scenario = accounts_on(private.servers(), 300).await;
    let mut gateway = Gateway::streaming(&scenario).await;
    let before = as_the_table(&scenario).await.len();
    let product = scenario.topic("accounts.v1");
    // As long as it is open no row is read: the run is there and has published nothing.
    let open = scenario.connect().await;
    let begun = open.batch_execute("BEGIN; SELECT pg_current_xact_id()");
    begun.await.expect("a transaction can be begun");

    private.run("kill", "kafka").await;
    let insert = "INSERT INTO acct VALUES (301, 0, 'late')";
    let inserted = scenario.db.batch_execute(insert).await;
    inserted.expect("the table is there");
    for _ in 0..2 {
        let unknown = onramp(&scenario, "backfill", &[&product]).await;
        assert!(
            errors(&unknown).contains("ONR-727"),
            "nothing is durable without a commit: {}",
            errors(&unknown)
        );
    }
    // What waits for Kafka grows older, though nobody commits who could say so.
    until("the lag to be seen", PATIENCE, async || {
        gateway.metric("onramp_lag_seconds") > Some(10.0)
    })
    .await;
    private.run("start", "kafka").await;
    // The broker may have been away for longer than the attempt had patience.
    let mut run = String::new();
    until("the order to be taken", PATIENCE * 2, async || {
        let taken = onramp(&scenario, "backfill", &[&product]).await;
        if taken.status.success() {
            run = ordered(&taken);
        }
        taken.status.success()
    })
    .await;
    let again = onramp(&scenario, "backfill", &[&product]).await;
    assert_eq!(ordered(&again), run);
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("was ordered before"), "{said}");
    let other = onramp(&scenario, "backfill", &[&product, "--reconcile"]).await;
    assert!(errors(&other).contains("ONR-710"), "{}", errors(&other));
    assert!(gateway.runs(), "{}", gateway.output());
    gateway.kill();

    let told = status(&scenario).await;
    assert_eq!(told["told_by"], "progress");
    let history = &told["products"][0]["history"];
    assert_eq!(history["run"], run, "{told}");
    assert_eq!(history["cause"], "command");
    assert_eq!(history["stage"], "reading");
    open.batch_execute("COMMIT").await.expect("it is open");
    let gateway = Gateway::streaming(&scenario).await;
    done(&scenario, &run).await;
    let events = as_the_table(&scenario).await;
    // The late row's own event may have been remembered, and its row left out for it.
    let more = events.len() - before - 1;
    assert!(
        (300..=301).contains(&more),
        "every row once more, not {more}"
    );
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_waits_for_is_shown_everywhere_and_logged_ever_more_rarely() {
    let scenario = accounts(300).await;
    let gateway = Gateway::streaming(&scenario).await;
    let open = scenario.connect().await;
    let begun = open.batch_execute("BEGIN; SELECT pg_current_xact_id()");
    begun.await.expect("a transaction can be begun");
    let product = scenario.topic("accounts.v1");
    let run = ordered(&onramp(&scenario, "backfill", &[&product]).await);
    let pid = open.query_one("SELECT pg_backend_pid()::text", &[]).await;
    let pid: String = pid.expect("the server answers").get(0);
    let process = format!("of process {pid}");
    let mut told = Value::Null;
    until("the wait to be told", PATIENCE, async || {
        told = status(&scenario).await;
        told["history_waits"][0]["transactions"]
            .as_array()
            .is_some_and(|all| all.iter().any(|t| t.to_string().contains(&process)))
    })
    .await;
    assert_eq!(told["history_waits"][0]["products"][0], product, "{told}");
    let ready = gateway.get("/ready").expect("the health server answers");
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.contains(&process),
        "a wait is told and holds up no change: {ready}"
    );
    until("the wait to grow old", PATIENCE, async || {
        gateway.metric("onramp_history_wait_seconds") > Some(6.0)
    })
    .await;
    open.batch_execute("COMMIT").await.expect("it is open");
    done(&scenario, &run).await;
    let lines = |words: &str| gateway.output().matches(words).count();
    // At a second's age, and at twice the age each time: no more than six within a minute, were it
    // as slow as that.
    let said = lines("history waits for transactions");
    assert!(
        (2..=6).contains(&said),
        "{said} lines:\n{}",
        gateway.output()
    );
    assert!(lines("history waits no more") >= 1, "{}", gateway.output());
    assert_eq!(gateway.metric("onramp_history_wait_seconds"), Some(0.0));
    let told = status(&scenario).await;
    assert_eq!(told["history_waits"], serde_json::json!([]), "{told}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_moves_on_while_a_run_reads() {
    // Of its own: transactions that others leave open would hold the slot back.
    let private = Private::start(&["postgres15"]).await;
    let scenario = accounts_on(private.servers(), 200_000).await;
    let file = std::fs::read_to_string(scenario.config()).expect("it was written");
    let slow = "snapshot: { readers: 1, chunk_rows: 20 }\n";
    scenario.write("onramp.yaml", &format!("{file}{slow}"));
    // Else nobody has counted the rows.
    let counted = scenario.db.batch_execute("ANALYZE acct").await;
    counted.expect("the table is there");
    let gateway = Gateway::reading(&scenario).await;
    until("chunks to be published", PATIENCE, async || {
        gateway.metric("onramp_history_rows{") > Some(0.0)
    })
    .await;
    let at = scenario
        .db
        .query_one("SELECT pg_current_wal_lsn()::text", &[])
        .await;
    let at: String = at.expect("the server answers").get(0);
    // A megabyte of log a round, and the record that lets a slot move.
    let write = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000)); CHECKPOINT";
    let moved = format!("restart_lsn > '{at}' AND confirmed_flush_lsn > '{at}'");
    until("the slot to move past it", PATIENCE, async || {
        scenario
            .db
            .batch_execute(write)
            .await
            .expect("the server writes");
        scenario.of_slot(&moved).await.as_deref() == Some("true")
    })
    .await;
    let told = status(&scenario).await;
    let history = &told["products"][0]["history"];
    assert_eq!(
        history["stage"], "reading",
        "the run is still under way: {told}"
    );
    assert!(history["bytes_estimate"].as_u64() > Some(1 << 20), "{told}");
    assert!(
        history["rows_per_second"].is_f64() && history["seconds_left"].is_f64(),
        "{told}"
    );
    assert!(told["log"]["bytes"].is_u64(), "{told}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
