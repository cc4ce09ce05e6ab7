//! One run of mishaps under load: what is killed, when, is drawn from a seed.

use std::time::Duration;

use crate::history::{Dice, History, PRODUCT, TABLE};
use crate::{Gateway, Scenario, consume, until};

/// Lets random transactions flow while the gateway is killed, and its connection cut, `times`
/// times; then holds the topic against what was committed. A failing seed fails again.
///
/// # Panics
/// Where the topic is not the source's history.
pub async fn run(seed: u64, times: u64) {
    let scenario = Scenario::new(TABLE).await;
    scenario.write("products/accounts.yaml", PRODUCT);
    let topic = scenario.topic("accounts.v1");
    let mut dice = Dice::new(seed);
    let mut history = History::default();
    // The slot first: what is written before it is history that is not yet published.
    let mut gateway = Some(Gateway::streaming(&scenario).await);
    for mishap in 0..times {
        // Half of them hit a gateway that streams, half one that is anywhere in its start.
        let running = match gateway.take() {
            Some(gateway) => gateway,
            None if mishap % 2 == 0 => Gateway::streaming(&scenario).await,
            None => Gateway::start(&scenario),
        };
        for _ in 0..20 + dice.below(60) {
            history.transaction(&scenario.db, &mut dice, 50).await;
        }
        if dice.below(4) == 0 {
            let cut = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL";
            let slot = format!("onramp_{}", scenario.name);
            scenario
                .db
                .execute(cut, &[&slot])
                .await
                .expect("the superuser may end a walsender");
            gateway = Some(running);
        } else {
            running.kill();
        }
    }
    drop(gateway);
    let gateway = Gateway::streaming(&scenario).await;
    history.transaction(&scenario.db, &mut dice, 50).await;
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
    assert_eq!(history.differs(&events), None, "seed {seed}");
    assert!(gateway.stop().await.success(), "seed {seed}");
    scenario.close().await;
}
