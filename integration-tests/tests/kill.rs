//! What is killed publishes nothing twice and loses nothing.

use std::time::Duration;

use onramp_integration_tests::history::{Dice, History, PRODUCT, TABLE};
use onramp_integration_tests::{Gateway, Scenario, consume, kinds, mishaps, until};

/// A quarter of them cut the connection, the others kill the process.
const MISHAPS: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_publishes_nothing_twice_and_loses_nothing() {
    mishaps::run(20_260_101, MISHAPS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_facts_and_an_outbox_tell_the_same_transactions_once_whatever_is_killed() {
    kinds::run(20_260_102, MISHAPS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_waits_and_takes_over() {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let topic = scenario.topic("accounts.v1");
    let mut dice = Dice::new(7);
    let mut history = History::default();
    let first = Gateway::streaming(&scenario).await;
    let mut second = Gateway::start(&scenario);
    second.wait_ready("standby").await;
    for _ in 0..50 {
        history.transaction(&scenario.db, &mut dice, 20).await;
    }
    first.kill();
    for _ in 0..50 {
        history.transaction(&scenario.db, &mut dice, 20).await;
    }
    second.wait_ready("streaming").await;
    let mut events = Vec::new();
    until(
        "every committed change",
        Duration::from_secs(60),
        async || {
            events = consume(&scenario.servers, &topic).await;
            events.len() >= history.len()
        },
    )
    .await;
    assert_eq!(history.differs(&events), None);
    assert!(second.stop().await.success());
    scenario.close().await;
}
