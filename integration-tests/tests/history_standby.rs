//! Every commit is in the log before anybody sees it, all the time: rows are read to the end all
//! the same, and no key steps back. And rows are never read from a server that was promoted
//! meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use onramp_integration_tests::history::{PRODUCT, TABLE};
use onramp_integration_tests::seam::{done, run, versions};
use onramp_integration_tests::standby::{NAME, Standby};
use onramp_integration_tests::switch::{Switch, address};
use onramp_integration_tests::{
    Gateway, Private, Scenario, connect, consume, latest_by_key, model, until,
};

const ROWS: i64 = 300;
const WRITERS: i64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn history_ends_under_steady_commits_that_a_slow_standby_confirms() {
    let private = model::server().await;
    let scenario = Scenario::on(private.servers(), TABLE).await;
    let fill = format!("INSERT INTO acct SELECT n, 0, 'old' FROM generate_series(1, {ROWS}) n");
    run(&scenario.db, &fill).await;
    let settings = "snapshot: { readers: 2, chunk_rows: 3 }\n";
    scenario.write("onramp.yaml", &scenario.gateway_file(settings));
    scenario.write("products/accounts.yaml", PRODUCT);
    let name = format!("ALTER SYSTEM SET synchronous_standby_names = '{NAME}'");
    run(&scenario.db, &name).await;
    run(&scenario.db, "SELECT pg_reload_conf()").await;
    let _standby = Standby::start(&private);
    let sync = "SELECT count(*) FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'sync'";
    until("the standby", Duration::from_secs(30), async || {
        let row = scenario.db.query_one(sync, &[&NAME]).await.unwrap();
        row.get::<_, i64>(0) == 1
    })
    .await;

    let enough = Arc::new(AtomicBool::new(false));
    let commits = Arc::new(AtomicI64::new(0));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let db = scenario.connect().await;
        run(&db, "SET synchronous_commit = on").await;
        let (enough, commits) = (enough.clone(), commits.clone());
        writers.push(tokio::spawn(async move {
            // Each has keys of its own, and goes through them again and again.
            let mut key = writer;
            while !enough.load(Ordering::Relaxed) {
                let update = format!(
                    "UPDATE acct SET ver = ver + 1 WHERE acct_no = {}",
                    key % ROWS + 1
                );
                run(&db, &update).await;
                commits.fetch_add(1, Ordering::Relaxed);
                key += WRITERS;
            }
        }));
    }
    // A start and a run take longer than so many commits, however fast they are.
    let before = commits.load(Ordering::Relaxed);
    let gateway = Gateway::reading(&scenario).await;
    done(&scenario, "accounts.v1").await;
    assert!(
        commits.load(Ordering::Relaxed) > before + 10,
        "commits went on meanwhile"
    );
    enough.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    let total = commits.load(Ordering::Relaxed);
    let mut events = Vec::new();
    until("every commit", Duration::from_secs(60), async || {
        events = consume(&scenario.servers, &scenario.topic("accounts.v1")).await;
        let state = latest_by_key(&events);
        let told: i64 = state.values().filter_map(|v| v["version"].as_i64()).sum();
        told == total && state.len() as i64 == ROWS
    })
    .await;
    for key in 1..=ROWS {
        let told = versions(&events, &key.to_string());
        assert!(
            told.iter().filter(|(snapshot, _)| *snapshot).count() <= 1,
            "{told:?}"
        );
        let steps = told.windows(2).all(|two| {
            let (before, after) = (two[0].1.unwrap(), two[1].1.unwrap());
            // A row read after its change was told repeats it.
            after == before + 1 || (after == before && two[1].0)
        });
        assert!(steps, "key {key}: {told:?}");
    }
    assert!(gateway.stop().await.success());
    scenario.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_read_from_a_server_that_was_promoted_meanwhile() {
    let primary = Private::start(&["postgres15"]).await;
    let mut scenario = Scenario::on(primary.servers(), TABLE).await;
    let fill = "INSERT INTO acct SELECT n, -n, 'old' FROM generate_series(1, 1500) n";
    run(&scenario.db, fill).await;
    let standby = primary.standby().await;
    scenario.db = scenario.connect().await;
    let there = connect(&standby.servers().database(&scenario.name)).await;
    let deadline = Duration::from_secs(60);
    until("the standby to have the rows", deadline, async || {
        let row = there.query_one("SELECT count(*) FROM acct", &[]).await;
        row.is_ok_and(|row| row.get::<_, i64>(0) == 1500)
    })
    .await;
    run(&there, "SELECT pg_promote()").await;
    run(&there, "UPDATE acct SET ver = 999").await;

    let (here, there) = (
        address(&scenario.servers.postgres),
        address(&standby.servers().postgres),
    );
    let switch = Switch::to(&here).await;
    let file = scenario.gateway_file("snapshot: { readers: 2, chunk_rows: 2 }\n");
    scenario.write("onramp.yaml", &file.replace(&here, &switch.address));
    scenario.write("products/accounts.yaml", PRODUCT);
    let mut gateway = Gateway::reading(&scenario).await;
    let topic = scenario.topic("accounts.v1");
    until("the first rows", deadline, async || {
        consume(&scenario.servers, &topic).await.len() >= 20
    })
    .await;
    // The log goes on as it did; whoever connects anew gets to the other one.
    switch.lead_to(&there);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE '%reader'";
    let ended = scenario.db.query_one(end, &[]).await.unwrap();
    assert!(ended.get::<_, i64>(0) > 0, "readers were at work");
    let output = gateway.refuses(66, "ONR-424").await;
    assert!(output.contains("ONR-461"), "{output}");
    let events = consume(&scenario.servers, &topic).await;
    assert!(events.len() < 1500, "the rows were read too soon");
    for event in &events {
        let version = event.value.as_ref().and_then(|v| v["version"].as_i64());
        assert!(
            version < Some(0),
            "key {} is of the other server",
            event.key
        );
    }
    scenario.close().await;
}
