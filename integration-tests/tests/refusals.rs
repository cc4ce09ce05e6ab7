//! What must not go on does not: each refusal with its exit code and its finding, and nothing lost
//! by it.

use std::time::Duration;

use onramp_integration_tests::broker::{produce, recreate};
use onramp_integration_tests::history::{Dice, History, PRODUCT, TABLE};
use onramp_integration_tests::{Gateway, Private, Scenario, consume, records, until};

const CONFIGURATION: i32 = 64;
const DATA: i32 = 65;
const SOURCE: i32 = 66;
const BROKER: i32 = 67;
const REGISTRY: i32 = 68;

async fn accounts() -> Scenario {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    scenario
}

/// Writes a little, sees it published, and stops.
async fn published(scenario: &Scenario) -> History {
    let gateway = Gateway::streaming(scenario).await;
    let (mut dice, mut history) = (Dice::new(11), History::default());
    while history.is_empty() {
        history.transaction(&scenario.db, &mut dice, 20).await;
    }
    history.is_told(scenario).await;
    assert!(gateway.stop().await.success());
    history
}

/// Nothing came to the topic since.
async fn nothing_more(scenario: &Scenario, history: &History) {
    let events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
    assert_eq!(history.differs(&events), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_was_dropped_is_not_made_again() {
    let scenario = accounts().await;
    let history = published(&scenario).await;
    scenario
        .of_slot("pg_drop_replication_slot(slot_name)")
        .await;
    Gateway::start(&scenario).refuses(SOURCE, "ONR-421").await;
    assert_eq!(scenario.of_slot("slot_name").await, None);
    nothing_more(&scenario, &history).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_somebody_advanced_is_refused() {
    let scenario = accounts().await;
    let history = published(&scenario).await;
    let lost = "INSERT INTO acct VALUES (99, 1, 'skipped')";
    scenario.db.batch_execute(lost).await.unwrap();
    scenario
        .db
        .execute(
            "SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())",
            &[&scenario.slot()],
        )
        .await
        .unwrap();
    Gateway::start(&scenario).refuses(SOURCE, "ONR-422").await;
    nothing_more(&scenario, &history).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_of_another_system_is_refused() {
    let scenario = accounts().await;
    let history = published(&scenario).await;
    let topic = format!("onramp.{}.progress", scenario.name);
    let all = records(&scenario.servers, &topic).await;
    let (key, value) = all.iter().rfind(|(key, _)| key == "position").unwrap();
    let mut record: serde_json::Value = serde_json::from_str(value).unwrap();
    record["system"] = "7000000000000000001/shop".into();
    produce(&scenario.servers, &topic, key, &record.to_string()).await;
    Gateway::start(&scenario).refuses(SOURCE, "ONR-423").await;
    nothing_more(&scenario, &history).await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_of_a_newer_format_is_refused() {
    let scenario = accounts().await;
    published(&scenario).await;
    let topic = format!("onramp.{}.progress", scenario.name);
    produce(&scenario.servers, &topic, "position", r#"{"format":999}"#).await;
    let mut gateway = Gateway::start(&scenario);
    gateway.refuses(BROKER, "ONR-511").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_product_whose_file_is_gone_keeps_the_gateway_from_starting() {
    let scenario = accounts().await;
    published(&scenario).await;
    let other = PRODUCT.replace("accounts.v1", "others.v1");
    scenario.write("products/accounts.yaml", &other);
    let mut gateway = Gateway::start(&scenario);
    let output = gateway.refuses(CONFIGURATION, "ONR-701").await;
    assert!(output.contains(&scenario.topic("accounts.v1")), "{output}");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_product_returns_with_what_was_left_out() {
    let scenario = accounts().await;
    published(&scenario).await;
    let others = PRODUCT.replace("accounts.v1", "others.v1");
    scenario.write("products/others.yaml", &others);
    let retired = PRODUCT.replace("status: active", "status: retired");
    scenario.write("products/accounts.yaml", &retired);
    let gateway = Gateway::streaming(&scenario).await;
    let change = "INSERT INTO acct VALUES (99, 1, 'while it was retired')";
    scenario.db.batch_execute(change).await.unwrap();
    let topic = scenario.topic("others.v1");
    until("the other's event", Duration::from_secs(30), async || {
        let events = consume(&scenario.servers, &topic).await;
        events.iter().any(|e| e.key == "99")
    })
    .await;
    assert!(gateway.stop().await.success());
    scenario.write("products/accounts.yaml", PRODUCT);
    // What was left out meanwhile comes with the rows that there are now.
    let gateway = Gateway::streaming(&scenario).await;
    let topic = scenario.topic("accounts.v1");
    until(
        "the row of meanwhile",
        Duration::from_secs(180),
        async || {
            let events = consume(&scenario.servers, &topic).await;
            events.iter().any(|e| e.key == "99")
        },
    )
    .await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_replica_identity_is_not_published_and_its_updates_go_on() {
    let schema =
        "CREATE TABLE acct (acct_no integer NOT NULL UNIQUE, ver bigint NOT NULL, note text);
                  INSERT INTO acct VALUES (1, 1, 'a')";
    let scenario = Scenario::new(schema).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let mut gateway = Gateway::start(&scenario);
    let output = gateway.refuses(CONFIGURATION, "ONR-414").await;
    assert!(output.contains("ALTER TABLE"), "the SQL is said: {output}");
    let application = "UPDATE acct SET ver = 2; DELETE FROM acct";
    scenario.db.batch_execute(application).await.unwrap();
    let made = "SELECT count(*) FROM pg_publication";
    let made: i64 = scenario.db.query_one(made, &[]).await.unwrap().get(0);
    assert_eq!((made, scenario.of_slot("slot_name").await), (0, None));
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_stored_out_of_line_is_refused_unless_accepted() {
    let scenario = Scenario::new(TABLE).await;
    let fill = "ALTER TABLE acct ALTER note SET STORAGE EXTERNAL;
                INSERT INTO acct VALUES (1, 1, repeat('long', 2000))";
    scenario.db.batch_execute(fill).await.unwrap();
    let careful = PRODUCT.replace("unchanged_toast: stop\n", "");
    scenario.write("products/accounts.yaml", &careful);
    let mut gateway = Gateway::start(&scenario);
    let output = gateway.refuses(SOURCE, "ONR-415").await;
    assert!(output.contains("REPLICA IDENTITY FULL"), "{output}");
    // Accepted, it streams, up to the first value that the log leaves out.
    scenario.write("products/accounts.yaml", PRODUCT);
    let mut gateway = Gateway::streaming(&scenario).await;
    let changes = "UPDATE acct SET note = repeat('more', 2000), ver = 2; UPDATE acct SET ver = 3";
    scenario.db.batch_execute(changes).await.unwrap();
    gateway.refuses(DATA, "ONR-323").await;
    let events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
    let versions: Vec<_> = events
        .iter()
        .map(|e| &e.value.as_ref().unwrap()["version"])
        .collect();
    // The row that was there is told. Both updates were one implicit transaction: none of it is
    // told, or it is told whole.
    assert_eq!(versions, [&serde_json::Value::from(1)]);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_under_the_gateway_stops_it() {
    let scenario = accounts().await;
    let mut gateway = Gateway::streaming(&scenario).await;
    recreate(&scenario.servers, &scenario.topic("accounts.v1"), 3).await;
    let output = gateway.output();
    assert!(!output.contains("ERROR"), "not before it was: {output}");
    gateway.refuses(BROKER, "ONR-508").await;
    // And a restart does not make its peace with the new one.
    Gateway::start(&scenario).refuses(BROKER, "ONR-508").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_has_one_gateway() {
    let first = accounts().await;
    let history = published(&first).await;
    let second = Scenario::new(TABLE).await;
    let theirs = PRODUCT.replace("DOMAIN", &first.name);
    second.write("products/accounts.yaml", &theirs);
    let mut gateway = Gateway::start(&second);
    let output = gateway.refuses(CONFIGURATION, "ONR-510").await;
    assert!(output.contains(&first.name), "the owner is named: {output}");
    nothing_more(&first, &history).await;
    // The loser has withdrawn: the first starts as ever.
    let gateway = Gateway::streaming(&first).await;
    assert!(gateway.stop().await.success());
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once() {
    let scenario = accounts().await;
    let mut gateway = Gateway::start_with(&scenario, |command| {
        command.env("TEST_DB_PASSWORD", "not-the-password");
    });
    let output = gateway.refuses(SOURCE, "ONR-402").await;
    assert!(!output.contains("trying again"), "{output}");
    assert!(!output.contains("not-the-password"), "{output}");
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_registry_is_waited_for() {
    let private = Private::start(&["registry"]).await;
    private.run("kill", "registry").await;
    let scenario = Scenario::on(private.servers(), TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let mut gateway = Gateway::start(&scenario);
    gateway.wait_says("trying again: ONR-601").await;
    assert!(gateway.get("/ready").unwrap().starts_with("HTTP/1.1 503"));
    assert!(gateway.get("/live").unwrap().starts_with("HTTP/1.1 200"));
    private.run("start", "registry").await;
    gateway.wait_ready("streaming").await;
    let mut history = History::default();
    history
        .transaction(&scenario.db, &mut Dice::new(4), 9)
        .await;
    history.is_told(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_contract_is_refused_with_every_violation() {
    let scenario = accounts().await;
    let history = published(&scenario).await;
    let broken = PRODUCT
        .replace("account_id: { type: int,", "account_id: { type: string,")
        .replace("from: acct_no }", "expr: string(row.acct_no) }")
        .replace(
            "version:    { type: long, from: ver }",
            "revision:   { type: long, from: ver }",
        );
    scenario.write("products/accounts.yaml", &broken);
    let mut gateway = Gateway::start(&scenario);
    let output = gateway.refuses(REGISTRY, "ONR-611").await;
    for field in ["account_id", "version", "revision"] {
        assert!(output.contains(field), "{field} is named: {output}");
    }
    assert!(output.matches("error[ONR-611]").count() >= 3, "{output}");
    nothing_more(&scenario, &history).await;
    scenario.close().await;
}
