//! Tables that others have locked: left out where something else can flow, and tried again.

use std::time::{Duration, Instant};

use onramp_connector::{Connector, Lacking, PrepareRequest};
use tokio_postgres::Client;

use crate::database::{Database, connect, ident, request};
use crate::histories::Private;

/// Publishes `a`, and asks then for `a`, `b` and `c`.
async fn widened(db: &Database) -> PrepareRequest {
    db.run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY)")
        .await;
    let first = db.prepare(&request(&[("a", &["id"])])).await.unwrap();
    let mut wanted = request(&[("a", &["id"]), ("b", &["id"]), ("c", &["id"])]);
    wanted.tables[0].published_before = true;
    wanted.progress = Some(first.from);
    wanted
}

/// A session that writes to `b` and does not come to an end.
async fn writer(db: &Database, key: i32) -> (Client, String) {
    let client = connect(&db.config).await;
    let open = format!("SET application_name = 'billing'; BEGIN; INSERT INTO b VALUES ({key})");
    client.batch_execute(&open).await.unwrap();
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).await;
    let pid: i32 = pid.unwrap().get(0);
    (client, format!("of process {pid} (billing), open since 2"))
}

/// The only table that is left out, and the only transaction in its way.
fn only(lacking: &[Lacking]) -> (&Lacking, &str) {
    let [lacking] = lacking else {
        panic!("one table is left out: {lacking:?}");
    };
    assert_eq!(lacking.table, ident("b"));
    let [holder] = lacking.waits_for.as_slice() else {
        panic!("one is in the way: {lacking:?}");
    };
    (lacking, holder)
}

#[tokio::test]
async fn a_locked_table_is_left_out_and_keeps_no_other_out() {
    let db = Database::new("left_out").await;
    let wanted = widened(&db).await;
    let (first, who) = writer(&db, 1).await;
    let connector = db.connector();
    let prepared = connector.prepare(&wanted).await.unwrap();
    let (lacking, holder) = only(&prepared.lacking);
    assert!(holder.contains(&who), "{holder}");
    assert_eq!(lacking.tries, 1);
    let some = ["onramp \"p\" a", "onramp \"p\" c"];
    assert_eq!(db.published().await, some);
    // The same one is in the way: its lock is not asked for, and nobody queues behind us.
    let left = connector.hold(&wanted, lacking).await.unwrap().unwrap();
    assert_eq!(&left, lacking);
    // Another one may be short: it is tried.
    let (second, who) = writer(&db, 2).await;
    first.batch_execute("COMMIT").await.unwrap();
    let left = connector.hold(&wanted, &left).await.unwrap().unwrap();
    assert_eq!(left.tries, 2);
    assert!(only(std::slice::from_ref(&left)).1.contains(&who));
    second.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(connector.hold(&wanted, &left).await.unwrap(), None);
    let all = ["onramp \"p\" a", "onramp \"p\" b", "onramp \"p\" c"];
    assert_eq!(db.published().await, all);
    assert_eq!(connector.hold(&wanted, &left).await.unwrap(), None);
    assert_eq!(connector.prepare(&wanted).await.unwrap().lacking, []);
    db.end().await;
}

#[tokio::test]
async fn a_prepared_transaction_and_a_table_that_cannot_be_read_are_named_too() {
    // It outlives its session: on a server that others use it would hold up their slots if this failed.
    let private = Private::start();
    let db = private.database().await;
    let wanted = widened(&db).await;
    let (client, _) = writer(&db, 1).await;
    let name = format!("{}_x", db.names.database);
    let prepare = format!("PREPARE TRANSACTION '{name}'");
    client.batch_execute(&prepare).await.unwrap();
    let connector = db.connector();
    let prepared = connector.prepare(&wanted).await.unwrap();
    let (_, holder) = only(&prepared.lacking);
    let said = format!("the transaction prepared as {name} since 2");
    assert!(holder.contains(&said), "{holder}");
    let undo = format!("ROLLBACK PREPARED '{name}'");
    client.batch_execute(&undo).await.unwrap();
    client.batch_execute("BEGIN; TRUNCATE b").await.unwrap();
    let began = Instant::now();
    let prepared = connector.prepare(&wanted).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "it does not wait"
    );
    let (lacking, _) = only(&prepared.lacking);
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(connector.hold(&wanted, lacking).await.unwrap(), None);
    db.end().await;
}

#[tokio::test]
async fn without_progress_a_locked_table_is_waited_for_and_it_is_said_for_whom() {
    let db = Database::new("waited_for").await;
    let mut wanted = widened(&db).await;
    wanted.progress = None;
    let (client, who) = writer(&db, 1).await;
    let (connector, asking) = (db.connector(), db.connector());
    let mut preparing = connector.prepare(&wanted);
    let start = Instant::now();
    loop {
        tokio::select! {
            _ = preparing.as_mut() => panic!("it cannot end before the transaction"),
            waits = asking.held_up_by(&wanted) => {
                let waits = waits.unwrap();
                if let [one] = waits.as_slice() {
                    assert!(one.starts_with("public.b: ") && one.contains(&who), "{one}");
                    break;
                }
            }
        }
        assert!(start.elapsed() < Duration::from_secs(30), "nobody is named");
    }
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(preparing.await.unwrap().lacking, []);
    assert_eq!(asking.held_up_by(&wanted).await.unwrap(), [""; 0]);
    db.end().await;
}

#[tokio::test]
async fn a_publication_that_is_gone_is_not_made_of_the_table_that_was_left_out() {
    let db = Database::new("left_alone").await;
    let wanted = widened(&db).await;
    let (client, _) = writer(&db, 1).await;
    let connector = db.connector();
    let prepared = connector.prepare(&wanted).await.unwrap();
    let (lacking, _) = only(&prepared.lacking);
    db.run("DROP PUBLICATION \"onramp \"\"p\"\"\"").await;
    client.batch_execute("COMMIT").await.unwrap();
    let failure = connector.hold(&wanted, lacking).await.unwrap_err();
    assert_eq!(failure.findings[0].code.id, "ONR-416");
    assert!(db.published().await.is_empty());
    db.end().await;
}
