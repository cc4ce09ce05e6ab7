//! A slot that the server gave up because nobody read it (PostgreSQL 18).

use std::time::{Duration, Instant};

use crate::database::{DEADLINE, request};
use crate::histories::Private;

#[tokio::test]
async fn a_slot_that_was_idle_for_too_long_is_refused_and_the_setting_named() {
    let private = Private::start();
    let db = private.database().await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    let wanted = request(&[("a", &["id"])]);
    db.prepare(&wanted).await.unwrap();
    db.run("ALTER SYSTEM SET idle_replication_slot_timeout = '1s'")
        .await;
    db.run("SELECT pg_reload_conf()").await;
    let start = Instant::now();
    let lost =
        "SELECT coalesce(bool_or(wal_status = 'lost'), false)::text FROM pg_replication_slots";
    while db.ask(lost).await != "true" {
        assert!(start.elapsed() < DEADLINE, "it is kept");
        tokio::time::sleep(Duration::from_millis(200)).await;
        db.run("CHECKPOINT").await;
    }
    let found = db.refused(&wanted).await;
    assert_eq!(found.code.id, "ONR-420");
    let reason = found.reason.unwrap();
    assert!(reason.contains("idle_replication_slot_timeout"), "{reason}");
}
