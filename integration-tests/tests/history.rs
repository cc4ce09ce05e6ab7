//! History and live changes are one stream: every row that was there, then what changes, and no
//! step back at the seam.

use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::seam::run;
use onramp_integration_tests::{Gateway, Scenario, Servers, consume, latest_by_key, until};

async fn accounts(servers: Servers, rows: u32) -> Scenario {
    let scenario = Scenario::on(servers, TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let fill = format!("INSERT INTO acct SELECT n, -n, 'old' FROM generate_series(1, {rows}) n");
    run(&scenario.db, &fill).await;
    scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_there_come_before_what_changes() {
    for servers in [Servers::find(), Servers::newest()] {
        rows_then_changes(servers).await;
    }
}

async fn rows_then_changes(servers: Servers) {
    let scenario = accounts(servers, 25_000).await;
    let gateway = Gateway::streaming(&scenario).await;
    let topic = scenario.topic("accounts.v1");
    let mut events = Vec::new();
    until("every row", Duration::from_secs(60), async || {
        events = consume(&scenario.servers, &topic).await;
        events.len() >= 25_000
    })
    .await;
    assert_eq!(events.len(), 25_000, "each row once");
    assert_eq!(latest_by_key(&events).len(), 25_000);
    assert!(events.iter().all(|e| e.headers["onramp_op"] == "snapshot"));
    let ids: std::collections::BTreeSet<_> =
        events.iter().map(|e| &e.headers["onramp_id"]).collect();
    assert_eq!(ids.len(), 25_000, "an id of run and key tells them apart");
    let changes = "UPDATE acct SET ver = 1 WHERE acct_no = 7; DELETE FROM acct WHERE acct_no = 8";
    run(&scenario.db, changes).await;
    until("the changes", Duration::from_secs(30), async || {
        events = consume(&scenario.servers, &topic).await;
        events.len() >= 25_002
    })
    .await;
    let state = latest_by_key(&events);
    assert_eq!(state["7"]["version"], 1);
    assert!(!state.contains_key("8"));
    // A restart reads nothing again.
    assert!(gateway.stop().await.success());
    let gateway = Gateway::streaming(&scenario).await;
    run(&scenario.db, "UPDATE acct SET ver = 2 WHERE acct_no = 7").await;
    until("one more", Duration::from_secs(30), async || {
        events = consume(&scenario.servers, &topic).await;
        events.len() >= 25_003
    })
    .await;
    assert_eq!(events.len(), 25_003);
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
