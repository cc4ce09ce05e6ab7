//! The application's own work goes on, whatever the gateway prepares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::database::{DEADLINE, Database, connect, request};

/// An application that inserts, updates and deletes without a pause, through the root.
async fn application(db: &Database, table: &str) -> (Arc<AtomicU64>, impl AsyncFnOnce() -> u64) {
    let client = connect(&db.config).await;
    let (done, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let work = format!(
        "INSERT INTO {table} SELECT i, 0 FROM generate_series(0, 19) i; UPDATE {table} SET n = n + 1; DELETE FROM {table}"
    );
    let (counted, stopped) = (done.clone(), stop.clone());
    let task = tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            client
                .batch_execute(&work)
                .await
                .expect("the application's own work");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let rounds = done.clone();
    let end = async move || {
        stop.store(true, Ordering::Relaxed);
        task.await.expect("the application never failed");
        rounds.load(Ordering::Relaxed)
    };
    (done, end)
}

async fn rounds(done: &AtomicU64, more: u64) {
    let (from, start) = (done.load(Ordering::Relaxed), Instant::now());
    while done.load(Ordering::Relaxed) < from + more {
        assert!(start.elapsed() < DEADLINE, "the application stands still");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_go_on_while_the_publication_is_made_and_a_partition_is_attached() {
    let db = Database::new("harmless").await;
    db.run(
        "CREATE TABLE p (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p0 PARTITION OF p DEFAULT;
         CREATE TABLE second (id int PRIMARY KEY, n int);",
    )
    .await;
    let (done, end) = application(&db, "p").await;
    let (other, end_other) = application(&db, "second").await;
    rounds(&done, 20).await;
    db.prepare(&request(&[("p", &["id", "n"])])).await.unwrap();
    rounds(&done, 20).await;
    // A partition of its own making, without any identity but what the root brings it.
    db.run(
        "CREATE TABLE p2 (id int NOT NULL, n int);
         SET lock_timeout = '20s'; ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (20) TO (30);
         INSERT INTO p VALUES (21, 0); UPDATE p SET n = 1 WHERE id = 21; DELETE FROM p WHERE id = 21",
    )
    .await;
    db.prepare(&request(&[("p", &["id", "n"]), ("second", &["id", "n"])]))
        .await
        .unwrap();
    rounds(&done, 20).await;
    rounds(&other, 20).await;
    assert!(end().await >= 60 && end_other().await >= 20);
    db.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_is_waited_for_without_holding_up_others() {
    let db = Database::new("locked").await;
    db.run("CREATE TABLE a (id int PRIMARY KEY, n int)").await;
    let (done, end) = application(&db, "a").await;
    let holder = connect(&db.config).await;
    holder
        .batch_execute("BEGIN; LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE")
        .await
        .unwrap();
    let connector = db.connector();
    let preparing = tokio::spawn(async move {
        use onramp_connector::Connector;
        connector.prepare(&request(&[("a", &["id"])])).await
    });
    // While it tries, the application goes on.
    let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%PUBLICATION%' AND pid <> pg_backend_pid()";
    let start = Instant::now();
    while db.ask(waiting).await == "0" {
        assert!(start.elapsed() < DEADLINE, "it does not wait");
    }
    rounds(&done, 20).await;
    assert!(!preparing.is_finished());
    holder.batch_execute("COMMIT").await.unwrap();
    preparing.await.unwrap().unwrap();
    end().await;
    db.end().await;
}

#[tokio::test]
async fn a_table_that_becomes_unfit_before_it_is_locked_is_not_added() {
    let db = Database::new("meanwhile").await;
    // The statement itself brings the change in between, by an event trigger.
    db.run(
        "CREATE TABLE a (id int PRIMARY KEY);
         CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS
           $$ BEGIN ALTER TABLE public.a REPLICA IDENTITY NOTHING; END $$;
         CREATE EVENT TRIGGER t ON ddl_command_start WHEN TAG IN ('CREATE PUBLICATION') EXECUTE FUNCTION f();",
    )
    .await;
    let failure = db.prepare(&request(&[("a", &["id"])])).await.unwrap_err();
    assert_eq!(failure.findings[0].code.id, "ONR-414");
    assert!(db.published().await.is_empty());
    db.run("INSERT INTO a VALUES (1); UPDATE a SET id = 2")
        .await;
    db.end().await;
}

#[tokio::test]
async fn making_the_slot_shows_the_transaction_that_it_waits_for() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // While there is but one, what other tests' threads log first is taken to interest nobody.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let db = Database::new("waiting").await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    let mut config = db.config.clone();
    let client = connect(config.application_name("a long report")).await;
    client
        .batch_execute("BEGIN; INSERT INTO a VALUES (4711)")
        .await
        .unwrap();
    let wanted = request(&[("a", &["id"])]);
    let mut prepare = Box::pin(db.prepare(&wanted));
    let start = Instant::now();
    while !log.text().contains("a long report") {
        tokio::select! {
            _ = prepare.as_mut() => panic!("it cannot end before the transaction"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        assert!(start.elapsed() < DEADLINE, "{}", log.text());
    }
    assert!(!log.text().contains("4711"));
    client.batch_execute("COMMIT").await.unwrap();
    assert!(prepare.await.unwrap().created);
    db.end().await;
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
