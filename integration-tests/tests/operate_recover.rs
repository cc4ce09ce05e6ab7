//! The way out after log was lost, and what a changed mapping does to what was published.

use onramp_integration_tests::history::PRODUCT;
use onramp_integration_tests::operate::{
    MEANWHILE, PATIENCE, accounts, advance_slot, as_the_table, onramp, recovers, status,
};
use onramp_integration_tests::seam::run;
use onramp_integration_tests::{Gateway, Scenario, consume, latest_by_key, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_gone_is_recovered_and_leaves_no_ghosts() {
    let scenario = accounts(300).await;
    let gateway = Gateway::streaming(&scenario).await;
    as_the_table(&scenario).await;
    assert!(gateway.stop().await.success());
    run(&scenario.db, MEANWHILE).await;
    let drop = format!("SELECT pg_drop_replication_slot('{}')", scenario.slot());
    run(&scenario.db, &drop).await;
    recovers(&scenario, "ONR-421").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_somebody_advanced_is_recovered_and_leaves_no_ghosts() {
    let scenario = accounts(300).await;
    let gateway = Gateway::streaming(&scenario).await;
    as_the_table(&scenario).await;
    assert!(gateway.stop().await.success());
    run(&scenario.db, MEANWHILE).await;
    advance_slot(&scenario).await;
    recovers(&scenario, "ONR-422").await;
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_left_the_publication_is_recovered() {
    let scenario = accounts(300).await;
    let gateway = Gateway::streaming(&scenario).await;
    as_the_table(&scenario).await;
    assert!(gateway.stop().await.success());
    run(
        &scenario.db,
        &format!("ALTER PUBLICATION {} DROP TABLE acct", scenario.slot()),
    )
    .await;
    run(&scenario.db, MEANWHILE).await;
    recovers(&scenario, "ONR-431").await;
    scenario.close().await;
}

/// The product by a mapping that gives the same schema and other values.
fn remapped(decision: &str) -> String {
    let mapped = PRODUCT.replace(
        "version:    { type: long, from: ver }",
        "version:    { type: long, expr: row.ver + 100 }",
    );
    assert_ne!(mapped, PRODUCT);
    format!("{mapped}{decision}\n")
}

/// Published by the first mapping, and refused by the second without a decision.
async fn published_and_remapped() -> Scenario {
    let scenario = accounts(50).await;
    let gateway = Gateway::streaming(&scenario).await;
    as_the_table(&scenario).await;
    assert!(gateway.stop().await.success());
    scenario.write("products/accounts.yaml", &remapped(""));
    Gateway::start(&scenario).refuses(64, "ONR-706").await;
    scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mapping_is_back_filled_where_its_file_says_so() {
    let scenario = published_and_remapped().await;
    scenario.write(
        "products/accounts.yaml",
        &remapped("on_mapping_change: backfill"),
    );
    let gateway = Gateway::streaming(&scenario).await;
    let mut events = Vec::new();
    until("every row by the new mapping", PATIENCE, async || {
        events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
        latest_by_key(&events).values().all(|v| v["version"] == 100)
    })
    .await;
    assert_eq!(events.len(), 100, "each row once more");
    let told = status(&scenario).await;
    assert_eq!(told["products"][0]["history"]["cause"], "mapping");
    assert!(gateway.stop().await.success());
    // Done is done: the next start reads nothing again.
    let gateway = Gateway::streaming(&scenario).await;
    assert_eq!(
        status(&scenario).await["products"][0]["history"]["rows"],
        50
    );
    assert!(gateway.stop().await.success());
    let events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
    assert_eq!(events.len(), 100);
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_older_mapping_stay_where_the_file_says_keep() {
    let scenario = published_and_remapped().await;
    scenario.write(
        "products/accounts.yaml",
        &remapped("on_mapping_change: keep"),
    );
    let checked = onramp(&scenario, "check", &[]).await;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success() && said.contains("ONR-130"),
        "{said}"
    );

    let gateway = Gateway::streaming(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 1 WHERE acct_no = 7").await;
    let mut events = Vec::new();
    until("the change by the new mapping", PATIENCE, async || {
        events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
        latest_by_key(&events)["7"]["version"] == 101
    })
    .await;
    assert_eq!(events.len(), 51, "nothing but the change");
    let state = latest_by_key(&events);
    assert!(state.iter().all(|(key, v)| key == "7" || v["version"] == 0));
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
