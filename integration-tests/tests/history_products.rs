//! Products that read one table: each gets its own right history, however far the others are, and
//! whatever becomes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::operate::product_as_the_table;
use onramp_integration_tests::seam::{done, run, versions};
use onramp_integration_tests::{Event, Gateway, Scenario, consume, latest_by_key, records, until};

/// So many that to read them in small chunks takes minutes: the gateway is stopped in between, and
/// reads the rest in large ones.
const ROWS: i64 = 30_000;
const SMALL: u32 = 2;
const LARGE: u32 = 1_000;

fn chunks(scenario: &Scenario, rows: u32) {
    let settings = format!("snapshot: {{ readers: 2, chunk_rows: {rows} }}\n");
    scenario.write("onramp.yaml", &scenario.gateway_file(&settings));
}

fn product(name: &str) -> String {
    PRODUCT.replace("accounts.v1", name)
}

async fn told(scenario: &Scenario, product: &str) -> Vec<Event> {
    consume(&scenario.servers, &scenario.topic(product)).await
}

/// A gateway that was stopped when some rows of each of these products were published.
async fn half_filled(products: &[&str]) -> Scenario {
    let scenario = Scenario::new(TABLE).await;
    chunks(&scenario, SMALL);
    for name in products {
        scenario.write(&format!("products/{name}.yaml"), &product(name));
    }
    let fill = format!("INSERT INTO acct SELECT n, -n, 'old' FROM generate_series(1, {ROWS}) n");
    run(&scenario.db, &fill).await;
    let gateway = Gateway::reading(&scenario).await;
    for name in products {
        until("some rows", Duration::from_secs(60), async || {
            told(&scenario, name).await.len() >= 20
        })
        .await;
    }
    assert!(gateway.stop().await.success());
    for name in products {
        let told = told(&scenario, name).await.len() as i64;
        assert!((20..ROWS).contains(&told), "{name} is half filled: {told}");
    }
    chunks(&scenario, LARGE);
    scenario
}

fn by_key(events: Vec<Event>) -> BTreeMap<String, Vec<Event>> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for event in events {
        by_key.entry(event.key.clone()).or_default().push(event);
    }
    by_key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_half_filled_and_a_new_one_each_get_their_own_history() {
    let scenario = half_filled(&["accounts.v1"]).await;
    scenario.write("products/others.v1.yaml", &product("others.v1"));
    // Behind the place where the first stands, at the table's end, and beyond it.
    let last = ROWS;
    let meanwhile = format!(
        "UPDATE acct SET ver = 1 WHERE acct_no IN (1, {last});
         DELETE FROM acct WHERE acct_no IN (2, {last} - 1);
         UPDATE acct SET acct_no = {last} + acct_no WHERE acct_no IN (3, {last} - 2)"
    );
    run(&scenario.db, &meanwhile).await;
    let gateway = Gateway::reading(&scenario).await;
    // While both are read, in any order.
    for version in 2..40 {
        let change = format!(
            "UPDATE acct SET ver = {version} WHERE acct_no IN (5, {last} / 2, {last} - 5);
             UPDATE acct SET ver = {version} WHERE acct_no = {version} * 700"
        );
        run(&scenario.db, &change).await;
    }
    for name in ["accounts.v1", "others.v1"] {
        done(&scenario, name).await;
        let events = by_key(product_as_the_table(&scenario, name).await);
        for (key, events) in &events {
            let told = versions(events, key);
            let snapshots = told.iter().filter(|(snapshot, _)| *snapshot).count();
            assert!(snapshots <= 1, "{name}, key {key}: {told:?}");
            // Versions grow; a row that is read may repeat the change told before it.
            let steps = told.windows(2).all(|two| match (two[0].1, two[1].1) {
                (Some(before), Some(after)) => after > before || (after == before && two[1].0),
                _ => !two[1].0,
            });
            assert!(steps, "{name}, key {key} steps back: {told:?}");
        }
        let untouched = versions(&events["10"], "10");
        assert_eq!(untouched, [(true, Some(-10))], "{name}: each row once");
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_retired_in_its_run_is_left_as_it_is_and_comes_back_without_ghosts() {
    let scenario = half_filled(&["accounts.v1", "others.v1"]).await;
    let left = told(&scenario, "accounts.v1").await;
    let retired = product("accounts.v1").replace("status: active", "status: retired");
    scenario.write("products/accounts.v1.yaml", &retired);
    let gateway = Gateway::reading(&scenario).await;
    done(&scenario, "others.v1").await;
    let events = told(&scenario, "others.v1").await;
    assert_eq!(events.len() as i64, ROWS, "each row once");
    assert_eq!(latest_by_key(&events).len() as i64, ROWS);
    assert_eq!(told(&scenario, "accounts.v1").await, left);
    let topic = scenario.topic("accounts.v1");
    let running = format!("onramp_history_running{{product=\"{topic}\"");
    assert_ne!(
        gateway.metric(&running),
        Some(1.0),
        "its run is not under way"
    );
    run(&scenario.db, "UPDATE acct SET ver = 1 WHERE acct_no = 1").await;
    until("the others' change", Duration::from_secs(60), async || {
        told(&scenario, "others.v1").await.len() as i64 > ROWS
    })
    .await;
    assert_eq!(told(&scenario, "accounts.v1").await, left);
    // A row that goes while nobody publishes it is a ghost in the topic, which began to be filled.
    let ghost: i64 = left[0].key.parse().unwrap();
    let gone = format!("DELETE FROM acct WHERE acct_no = {ghost}");
    run(&scenario.db, &gone).await;
    let ghost = ghost.to_string();
    until(
        "the others' tombstone",
        Duration::from_secs(180),
        async || {
            let events = told(&scenario, "others.v1").await;
            events.iter().any(|e| e.key == ghost && e.value.is_none())
        },
    )
    .await;
    assert!(gateway.stop().await.success());

    let progress = format!("onramp.{}.progress", scenario.name);
    let notes = records(&scenario.servers, &progress).await;
    let state = notes
        .iter()
        .rfind(|(key, _)| *key == format!("product/{topic}"));
    assert!(
        state.is_some_and(|(_, note)| note.contains("\"retired\"")),
        "{state:?}"
    );

    // It comes back as the table is now, without what went meanwhile.
    scenario.write("products/accounts.v1.yaml", &product("accounts.v1"));
    let gateway = Gateway::reading(&scenario).await;
    done(&scenario, "accounts.v1").await;
    let events = product_as_the_table(&scenario, "accounts.v1").await;
    let last = events.iter().rfind(|e| e.key == ghost);
    assert!(last.is_some_and(|e| e.value.is_none()), "{last:?}");
    assert!(gateway.stop().await.success());
    scenario.close().await;
}
