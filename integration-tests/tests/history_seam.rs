//! The seam between history and live changes, held open: whatever a reader does not see is not
//! stepped back over, and what it has to wait for is named.

use onramp_integration_tests::seam::{Seam, run, versions};
use onramp_integration_tests::{Gateway, Private, latest_by_key, model};

const WAITS: &str = "history waits for transactions that were open before it";

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_for_a_standby_is_not_stepped_back_over() {
    for server in ["postgres15", "postgres18"] {
        commit_waits(model::server_of(server).await).await;
    }
}

async fn commit_waits(private: Private) {
    let seam = Seam::on(private, 200, "snapshot: { readers: 2, chunk_rows: 7 }\n").await;
    // The run waits for what was open before it, and says so; the other product streams meanwhile.
    let before = seam.open().await;
    let mut gateway = Gateway::reading(&seam.scenario).await;
    seam.says(&mut gateway, &[WAITS, "open since"]).await;
    let stuck = seam
        .stuck("UPDATE acct SET ver = 1000 WHERE acct_no = 7; UPDATE acct SET acct_no = 1001 WHERE acct_no = 8; DELETE FROM acct WHERE acct_no = 9")
        .await;
    let live = seam.told(4).await;
    assert!(
        live.iter().all(|e| !e.headers.contains_key("onramp_id")),
        "no row is read yet"
    );
    // Nobody who reads now sees the commit, though it began after the run did.
    run(&before, "COMMIT").await;
    seam.done("accounts.v1").await;
    let events = seam.events().await;
    assert_eq!(versions(&events, "7"), [(false, Some(1000))]);
    assert_eq!(versions(&events, "8"), [(false, None)]);
    assert_eq!(versions(&events, "9"), [(false, None)]);
    assert_eq!(versions(&events, "1001"), [(false, Some(-8))]);
    assert_eq!(events.len(), 197 + 4, "every other row once");
    assert_eq!(latest_by_key(&events).len(), 199);
    seam.let_go(stuck).await;
    assert!(gateway.stop().await.success());
    seam.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_remembers_no_keys_and_waits_for_whoever_changed_them() {
    let seam = Seam::new(200, "snapshot: { readers: 2, chunk_rows: 7 }\n").await;
    let before = seam.open().await;
    let gateway = Gateway::reading(&seam.scenario).await;
    let stuck = seam
        .stuck("UPDATE acct SET ver = 1000 WHERE acct_no = 7")
        .await;
    seam.told(1).await;
    gateway.kill();
    // The commit that is stuck has the highest number of all, so a snapshot's end does not reach it.
    run(&before, "COMMIT").await;
    let mut gateway = Gateway::reading(&seam.scenario).await;
    seam.says(&mut gateway, &[WAITS, "its commit waiting for a standby"])
        .await;
    assert_eq!(
        seam.events().await.len(),
        1,
        "no row is read before it is seen"
    );
    seam.let_go(stuck).await;
    seam.done("accounts.v1").await;
    let events = seam.events().await;
    assert_eq!(
        versions(&events, "7"),
        [(false, Some(1000)), (true, Some(1000))]
    );
    assert_eq!(events.len(), 201);
    assert!(gateway.stop().await.success());
    seam.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_is_waited_for_and_named() {
    let seam = Seam::new(50, "snapshot: { readers: 1, chunk_rows: 7 }\n").await;
    let before = seam.open().await;
    let mut gateway = Gateway::reading(&seam.scenario).await;
    seam.says(&mut gateway, &[WAITS]).await;
    let db = seam.session().await;
    let prepare = "BEGIN; UPDATE acct SET ver = 1000 WHERE acct_no = 7; PREPARE TRANSACTION 'seam'";
    run(&db, prepare).await;
    gateway.kill();
    run(&before, "COMMIT").await;
    // Begun before this start, and neither in the log nor seen by anybody until it is committed.
    let mut gateway = Gateway::reading(&seam.scenario).await;
    seam.says(&mut gateway, &[WAITS, "prepared as seam"]).await;
    assert_eq!(seam.events().await, []);
    run(&db, "COMMIT PREPARED 'seam'").await;
    seam.done("accounts.v1").await;
    let events = seam.events().await;
    assert_eq!(
        versions(&events, "7"),
        [(false, Some(1000)), (true, Some(1000))]
    );
    assert_eq!(events.len(), 51);
    assert!(gateway.stop().await.success());
    seam.close().await;
}

/// Waits until both readers have read as much as they may: the last that each asked for was the key
/// of the row where a chunk was cut.
async fn chunks_wait(seam: &Seam) {
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%reader'
                  AND state = 'idle' AND query = 'SELECT $1::text' AND state_change < clock_timestamp() - interval '300 ms'";
    onramp_integration_tests::until(
        "chunks that wait",
        std::time::Duration::from_secs(60),
        async || {
            let row = seam.scenario.db.query_one(idle, &[]).await;
            row.expect("the server answers").get::<_, i64>(0) == 2
        },
    )
    .await;
}

/// The log stands still while rows are read: what they hold is told when the log has told it.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_not_told_before_the_changes_that_led_to_it() {
    let settings = "snapshot: { readers: 2, chunk_rows: 100 }\n\
                    limits: { row: 2KiB, chunk: 4KiB }\n";
    let seam = Seam::new(1000, settings).await;
    let before = seam.open().await;
    let mut gateway = Gateway::reading(&seam.scenario).await;
    seam.says(&mut gateway, &[WAITS]).await;
    seam.walsender("STOP").await;
    for version in [1000, 1001] {
        let update = format!("UPDATE acct SET ver = {version} WHERE acct_no <= 5");
        run(&seam.scenario.db, &update).await;
    }
    run(&before, "COMMIT").await;
    chunks_wait(&seam).await;
    seam.walsender("CONT").await;
    seam.done("accounts.v1").await;
    let events = seam.events().await;
    for key in 1..=5 {
        let told = versions(&events, &key.to_string());
        assert_eq!(
            told,
            [(false, Some(1000)), (false, Some(1001))],
            "key {key}"
        );
    }
    assert_eq!(events.len(), 995 + 2 * 5, "every other row once");
    assert!(gateway.stop().await.success());
    seam.close().await;
}

/// Chunks that a limit in bytes ended are read, and wait for a log that stands still; a transaction
/// that they do not see then changes more keys than are remembered.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_cut_short_and_read_again_lose_no_row() {
    let settings = "snapshot: { readers: 2, chunk_rows: 100 }\n\
                    limits: { row: 2KiB, chunk: 4KiB, changed_keys: 1KiB }\n";
    let seam = Seam::new(1000, settings).await;
    let before = seam.open().await;
    let mut gateway = Gateway::reading(&seam.scenario).await;
    seam.says(&mut gateway, &[WAITS]).await;
    seam.walsender("STOP").await;
    let stuck = seam.stuck("UPDATE acct SET ver = 5000 + acct_no").await;
    run(&before, "COMMIT").await;
    chunks_wait(&seam).await;
    seam.walsender("CONT").await;
    seam.says(&mut gateway, &["limits.changed_keys"]).await;
    seam.says(&mut gateway, &[WAITS, "its commit waiting for a standby"])
        .await;
    seam.let_go(stuck).await;
    seam.done("accounts.v1").await;
    let events = seam.events().await;
    for key in 1..=1000 {
        let told = versions(&events, &key.to_string());
        assert_eq!(
            told,
            [(false, Some(5000 + key)), (true, Some(5000 + key))],
            "key {key}"
        );
    }
    assert!(gateway.stop().await.success());
    seam.close().await;
}
