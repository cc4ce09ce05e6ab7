//! A plan: what a run would do, told without doing it, and insisted on.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::traces::traces;
use onramp_integration_tests::{Gateway, Private, Scenario, binary, fits_80_columns, until};
use serde_json::Value;

const CONFIGURATION: i32 = 64;
const BROKER: i32 = 67;

/// Runs `onramp plan` on the scenario's files.
fn plan(scenario: &Scenario, more: &[&str]) -> Output {
    Command::new(binary())
        .args(["plan", "--config"])
        .arg(scenario.config())
        .args(more)
        .env("TEST_DB_PASSWORD", "onramp")
        .env("TEST_PII_KEY", "a key for tests alone")
        .env("COLUMNS", "80")
        .output()
        .expect("the binary runs")
}

/// The plan as JSON, and the exit code.
fn planned(scenario: &Scenario) -> (Value, i32) {
    let output = plan(scenario, &["--format", "json"]);
    let json = serde_json::from_slice(&output.stdout);
    let json = json.unwrap_or_else(|e| panic!("{e}: {output:?}"));
    (json, output.status.code().expect("it exits"))
}

/// The errors.
fn codes(plan: &Value) -> Vec<&str> {
    let findings = plan["findings"].as_array().expect("a list").iter();
    let errors = findings.filter(|f| f["severity"] == "error");
    errors.filter_map(|f| f["code"].as_str()).collect()
}

/// `create topic x`, in order.
fn steps(plan: &Value) -> Vec<String> {
    let text = |step: &Value, key: &str| step[key].as_str().expect("text").to_owned();
    let steps = plan["steps"].as_array().expect("a list").iter();
    steps
        .map(|s| format!("{} {}", text(s, "does"), text(s, "object")))
        .collect()
}

fn fate(plan: &Value) -> &str {
    plan["products"][0]["fate"].as_str().expect("one product")
}

fn hash(plan: &Value) -> String {
    plan["plan"].as_str().expect("it has a hash").to_owned()
}

async fn accounts() -> Scenario {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    scenario
}

/// Everything of the scenario's that the servers know.
async fn at_servers(scenario: &Scenario) -> BTreeMap<&'static str, Vec<String>> {
    traces(scenario, &["accounts.v1"]).await
}

fn with_plan(scenario: &Scenario, hash: &str) -> Gateway {
    Gateway::start_with(scenario, |command| {
        command.args(["--plan", hash]);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_all_that_a_run_does_and_does_none_of_it() {
    let scenario = accounts().await;
    scenario
        .db
        .batch_execute(
            "INSERT INTO acct SELECT g, 1, 'x' FROM generate_series(1, 300) g; ANALYZE acct",
        )
        .await
        .expect("rows");
    let before = at_servers(&scenario).await;
    let (first, code) = planned(&scenario);
    assert_eq!((codes(&first), code), (vec![], 0));
    let topic = scenario.topic("accounts.v1");
    let said = steps(&first);
    for step in [
        format!("create publication onramp_{}", scenario.name),
        format!("create slot onramp_{}", scenario.name),
        format!("create subject {topic}-value"),
        format!("create topic onramp.{}.progress", scenario.name),
        format!("create topic {topic}"),
        format!("claim topic {topic}"),
    ] {
        assert!(said.contains(&step), "{step}: {said:?}");
    }
    assert_eq!(fate(&first), "begins");
    assert_eq!(first["products"][0]["reads"]["rows"], 300);
    assert_eq!(at_servers(&scenario).await, before, "nothing was created");
    let (again, _) = planned(&scenario);
    assert_eq!(steps(&again), said, "nothing was done");
    assert_eq!(hash(&again), hash(&first));

    let text = String::from_utf8(plan(&scenario, &[]).stdout).expect("text");
    fits_80_columns(&text);

    let mut gateway = with_plan(&scenario, &hash(&first));
    gateway.wait_ready("streaming").await;
    gateway.wait_history().await;
    assert!(gateway.stop().await.success());
    let (done, code) = planned(&scenario);
    assert_eq!((steps(&done), code), (vec![], 0), "it was all done");
    assert_eq!(fate(&done), "goes on");
    assert_eq!(done["products"][0]["reads"], Value::Null);
    assert_eq!(hash(&done), hash(&first), "a restart is the same plan");
    let mut gateway = with_plan(&scenario, &hash(&first));
    gateway.wait_ready("streaming").await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_what_was_planned_or_nothing() {
    let scenario = accounts().await;
    let (first, _) = planned(&scenario);
    let before = at_servers(&scenario).await;
    let other = PRODUCT.replace("from: ver", "expr: row.ver + 1");
    assert_ne!(other, PRODUCT);
    scenario.write("products/accounts.yaml", &other);
    let output = with_plan(&scenario, &hash(&first))
        .refuses(CONFIGURATION, "ONR-711")
        .await;
    let (now, _) = planned(&scenario);
    assert_ne!(hash(&now), hash(&first));
    assert!(output.contains(&hash(&now)), "{output}");
    assert_eq!(at_servers(&scenario).await, before, "nothing was created");

    // The same for what others do: a column of another type is another plan.
    scenario
        .db
        .batch_execute("ALTER TABLE acct ALTER COLUMN ver TYPE int USING ver::int")
        .await
        .expect("the column is altered");
    assert_ne!(hash(&planned(&scenario).0), hash(&now));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mapping_is_planned_as_its_file_says() {
    let scenario = accounts().await;
    let mut gateway = Gateway::streaming(&scenario).await;
    gateway.wait_history().await;
    assert!(gateway.stop().await.success());
    let other = PRODUCT.replace("from: ver", "expr: row.ver + 1");
    scenario.write("products/accounts.yaml", &other);
    let (refused, code) = planned(&scenario);
    assert_eq!((codes(&refused), code), (vec!["ONR-706"], 1));
    assert_eq!(
        (fate(&refused), &refused["plan"]),
        ("refused", &Value::Null)
    );
    for (how, told) in [("backfill", "back-filled"), ("keep", "kept")] {
        let file = format!("{other}on_mapping_change: {how}\n");
        scenario.write("products/accounts.yaml", &file);
        let (plan, code) = planned(&scenario);
        assert_eq!((fate(&plan), code), (told, 0), "{plan:#}");
        let reads = &plan["products"][0]["reads"];
        assert_eq!(reads["reconcile"] == true, how == "backfill");
    }
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_would_be_refused_is_told_at_once() {
    let scenario = accounts().await;
    let gateway = Gateway::streaming(&scenario).await;
    assert!(gateway.stop().await.success());
    // A contract that breaks, a table that is not there, another gateway's topic.
    let broken = PRODUCT.replace(
        "version:    { type: long, from: ver }",
        "version:    { type: string, expr: string(row.ver) }",
    );
    scenario.write(
        "products/accounts.yaml",
        &format!("{broken}on_mapping_change: keep\n"),
    );
    let gone = PRODUCT.replace("accounts.v1", "gone.v1");
    let gone = gone.replace("public.acct", "public.nowhere");
    scenario.write("products/gone.yaml", &gone);
    let (plan, code) = planned(&scenario);
    let found = codes(&plan);
    for expected in ["ONR-611", "ONR-411"] {
        assert!(found.contains(&expected), "{expected}: {found:?}");
    }
    assert_eq!((code, &plan["plan"]), (1, &Value::Null));
    scenario.close().await;

    let other = accounts().await;
    let file = other.gateway_file("");
    other.write("onramp.yaml", &file.replacen("gateway: ", "gateway: x", 1));
    let mut owner = Gateway::streaming(&other).await;
    owner.wait_history().await;
    assert!(owner.stop().await.success());
    other.write("onramp.yaml", &file);
    let (plan, code) = planned(&other);
    assert!(codes(&plan).contains(&"ONR-510"), "{plan:#}");
    assert_eq!(code, 1);
    let slot = format!("onramp_x{}", other.name);
    until("the slot to be free", Duration::from_secs(30), async || {
        let drop = "SELECT pg_drop_replication_slot($1)";
        other.db.execute(drop, &[&slot]).await.is_ok()
    })
    .await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_asked_keeps_nobody_from_asking_the_others() {
    let scenario = accounts().await;
    let file = scenario.gateway_file("");
    let nowhere = file.replace(&scenario.servers.kafka, "127.0.0.1:1");
    scenario.write("onramp.yaml", &nowhere);
    let gone = PRODUCT.replace("public.acct", "public.nowhere");
    scenario.write("products/accounts.yaml", &gone);
    let (plan, code) = planned(&scenario);
    let found = codes(&plan);
    assert!(
        found.contains(&"ONR-501") && found.contains(&"ONR-411"),
        "{found:?}"
    );
    assert_eq!((code, &plan["plan"]), (BROKER, &Value::Null));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_who_is_in_the_way() {
    let scenario = accounts().await;
    let mut other = scenario.connect().await;
    let open = other.transaction().await.expect("a transaction");
    open.batch_execute("SELECT pg_current_xact_id(); LOCK TABLE acct IN EXCLUSIVE MODE")
        .await
        .expect("the lock is had");
    let (plan, code) = planned(&scenario);
    assert_eq!(code, 0);
    for step in plan["steps"].as_array().expect("a list").iter().take(2) {
        let waits = step["waits_for"].as_array().expect("a list");
        assert!(!waits.is_empty(), "{step:#}");
    }
    open.rollback().await.expect("it ends");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_half_way_goes_on_by_the_same_plan() {
    let scenario = accounts().await;
    let (first, _) = planned(&scenario);
    // In a run's order, each seen from outside as soon as it is there.
    for done in ["publications", "slots", "subjects", "topics"] {
        let gateway = with_plan(&scenario, &hash(&first));
        until(done, Duration::from_secs(60), async || {
            let found = at_servers(&scenario).await;
            // The progress topic is made before anything else.
            let own = usize::from(done == "topics");
            found[done].len() > own
        })
        .await;
        gateway.kill();
        let (now, code) = planned(&scenario);
        assert_eq!((codes(&now), code), (vec![], 0), "{done}: {now:#}");
        assert_eq!(hash(&now), hash(&first), "{done}");
        assert!(steps(&now).len() < steps(&first).len(), "{done}");
    }
    let mut gateway = with_plan(&scenario, &hash(&first));
    gateway.wait_ready("streaming").await;
    gateway.wait_history().await;
    assert!(gateway.stop().await.success());
    assert_eq!(steps(&planned(&scenario).0), Vec::<String>::new());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dba_may_run_what_it_prints_and_the_plan_stays_the_same() {
    let scenario = accounts().await;
    let (first, _) = planned(&scenario);
    let printed = String::from_utf8(plan(&scenario, &[]).stdout).expect("text");
    let (_, sql) = printed.split_once("in this order\n").expect("statements");
    let (sql, _) = sql.split_once("\n\n").expect("an end");
    for statement in sql.split_inclusive(";\n") {
        let run = scenario.db.batch_execute(statement).await;
        run.unwrap_or_else(|e| panic!("{e}: {statement}"));
    }
    let (then, code) = planned(&scenario);
    assert_eq!((codes(&then), code), (vec![], 0), "{then:#}");
    assert_eq!(hash(&then), hash(&first));
    let left = steps(&then);
    let source =
        ["publication", "slot"].map(|what| format!("create {what} onramp_{}", scenario.name));
    assert!(
        source
            .iter()
            .all(|s| steps(&first).contains(s) && !left.contains(s)),
        "{left:?}"
    );
    let mut gateway = with_plan(&scenario, &hash(&first));
    gateway.wait_ready("streaming").await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_while_its_slot_waits_is_no_lost_log() {
    // Of its own: an open transaction would keep everybody's slots waiting.
    let private = Private::start(&["postgres15"]).await;
    let scenario = Scenario::on(private.servers(), TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let (first, _) = planned(&scenario);
    let mut other = scenario.connect().await;
    let open = other.transaction().await.expect("a transaction");
    open.batch_execute("SELECT pg_current_xact_id()")
        .await
        .expect("it is open");
    let making = async || {
        let found = scenario.of_slot("confirmed_flush_lsn IS NULL").await;
        found.as_deref() == Some("true")
    };
    let gateway = with_plan(&scenario, &hash(&first));
    until(
        "the slot to be waited for",
        Duration::from_secs(60),
        &making,
    )
    .await;
    // Frozen, it keeps the server at making the slot.
    gateway.signal("STOP");
    let (now, code) = planned(&scenario);
    assert_eq!((codes(&now), code), (vec![], 0), "{now:#}");
    assert_eq!(hash(&now), hash(&first));
    let mut second = with_plan(&scenario, &hash(&first));
    gateway.kill();
    open.rollback().await.expect("it ends");
    second.wait_ready("streaming").await;
    assert!(second.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_read_as_a_run_reads_it() {
    let scenario = Scenario::new(TABLE).await;
    let product = format!("{PRODUCT}on_error: quarantine\n");
    scenario.write("products/accounts.yaml", &product);
    let small = scenario.gateway_file("limits: { row: 64KiB }\n");
    scenario.write("onramp.yaml", &small);
    // Too large for an event, and the mapping says what becomes of it.
    let sql = "INSERT INTO acct VALUES (1, 1, repeat('x', 200000)), (2, 1, 'y')";
    scenario.db.batch_execute(sql).await.expect("rows");
    let (said, code) = planned(&scenario);
    assert_eq!((codes(&said), code), (vec![], 0));
    assert_eq!(said["products"][0]["reads"]["rows"], 2);
    let mut gateway = with_plan(&scenario, &hash(&said));
    gateway.wait_ready("streaming").await;
    gateway.wait_history().await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
