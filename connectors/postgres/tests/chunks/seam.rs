//! Where history and log meet: what a chunk saw, and how far the stream must have come.

use std::time::{Duration, Instant};

use onramp_connector::{Batch, Connector, Item, Stream};

use crate::database::{ALL, DEADLINE, Database, SERVERS, after, column, until};
use crate::private::Private;

const TABLE: &str = "CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)";

/// Reads until a transaction begins; its number.
async fn next_number(stream: &mut dyn Stream) -> u64 {
    let (mut batch, start) = (Batch::default(), Instant::now());
    loop {
        stream
            .next(&mut batch, Duration::from_millis(100))
            .await
            .unwrap();
        for item in &batch.items {
            if let Item::Begin(begin) = item {
                return begin.number;
            }
        }
        assert!(start.elapsed() < DEADLINE, "no transaction comes");
    }
}

#[tokio::test]
async fn a_commit_that_waits_for_a_standby_is_streamed_and_not_seen() {
    for server in SERVERS {
        let settings = [
            "synchronous_standby_names = 'nobody'",
            "synchronous_commit = local",
        ];
        let private = Private::start(server, &settings).await;
        let db = Database::at(private.config(), "stuck").await;
        db.run(TABLE).await;
        let from = db.hold().await;
        let mut stream = db.stream(&from).await;
        let stuck = db.session().await;
        stuck
            .batch_execute("SET synchronous_commit = on")
            .await
            .unwrap();
        let commit =
            tokio::spawn(async move { stuck.batch_execute("INSERT INTO t VALUES (2, 2)").await });
        let number = next_number(&mut *stream).await;
        assert!(
            number > 5 << 32,
            "the server's numbers have come round: {number}"
        );

        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let mut batch = Batch::default();
        let chunk = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
        assert_eq!(column(&batch, "v"), ["Ok(Int(1))"]);
        assert!(!chunk.visibility.sees(number) && chunk.visibility.sees(number - 1));
        // Nothing has ended since it began, so a snapshot's own end is no further than it is; what
        // is to be seen before a first chunk lies further all the same.
        let moment = db.postgres.visibility().await.unwrap();
        assert!(!moment.sees(number) && moment.next() > number);
        assert!(chunk.visibility.horizon() <= number);
        // The stream is past all that the chunk saw, whatever the commit waits for.
        until(&mut *stream, &db.postgres, &chunk.passed).await;
        let waits = db.postgres.waits_for(number + 1).await.unwrap();
        assert!(
            waits.len() == 1 && waits[0].contains("waiting for a standby"),
            "{waits:?}"
        );
        assert!(!waits[0].contains("INSERT"), "{waits:?}");
        assert!(db.postgres.waits_for(number).await.unwrap().is_empty());

        db.texts("SELECT pg_cancel_backend(pid)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            .await;
        commit.await.unwrap().unwrap();
        let chunk = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
        assert_eq!(column(&batch, "v"), ["Ok(Int(1))", "Ok(Int(2))"]);
        assert!(chunk.visibility.sees(number) && chunk.visibility.horizon() >= moment.next());
        drop(stream);
        db.end().await;
    }
}

#[tokio::test]
async fn a_prepared_transaction_is_not_seen_until_its_commit() {
    for server in SERVERS {
        // Not on a shared server: what stays prepared there after a failure holds up every slot.
        let private = Private::start(server, &[]).await;
        let db = Database::at(private.config(), "prepared").await;
        let gid = &db.names.database;
        db.run(TABLE).await;
        let from = db.hold().await;
        let mut stream = db.stream(&from).await;
        db.run("BEGIN; INSERT INTO t VALUES (2, 2)").await;
        let number = db
            .texts("SELECT pg_current_xact_id()::text")
            .await
            .remove(0);
        let number: u64 = number.parse().unwrap();
        db.run(&format!("PREPARE TRANSACTION '{gid}'")).await;

        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let mut batch = Batch::default();
        let before = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
        assert_eq!(before.rows, 1);
        assert!(!before.visibility.sees(number) && before.visibility.horizon() <= number);
        let waits = db.postgres.waits_for(number + 1).await.unwrap();
        let prepared = format!("prepared as {gid}");
        assert!(
            waits.iter().any(|line| line.contains(&prepared)),
            "{waits:?}"
        );
        let passed = until(&mut *stream, &db.postgres, &before.passed).await;
        assert!(!passed.contains(&number));

        db.run(&format!("COMMIT PREPARED '{gid}'")).await;
        assert_eq!(next_number(&mut *stream).await, number);
        let then = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
        assert_eq!(then.rows, 2);
        assert!(then.visibility.sees(number) && !before.visibility.sees(number));
        drop(stream);
        db.end().await;
    }
}

#[tokio::test]
async fn what_is_open_when_it_begins_holds_the_horizon_back_and_is_named() {
    for server in SERVERS {
        let db = Database::new(server, "open").await;
        db.run(TABLE).await;
        let other = db.session().await;
        other
            .batch_execute("SET application_name = 'the shop'; BEGIN; INSERT INTO t VALUES (2, 2)")
            .await
            .unwrap();
        let row = other
            .query_one("SELECT pg_current_xact_id()::text", &[])
            .await
            .unwrap();
        let number: u64 = row.get::<_, &str>(0).parse().unwrap();
        let first = db.postgres.visibility().await.unwrap();
        assert!(first.horizon() <= number && first.next() > number && !first.sees(number));
        let waits = db.postgres.waits_for(first.next()).await.unwrap();
        let ours = waits
            .iter()
            .find(|line| line.contains("(the shop), open since 20"));
        assert!(
            ours.is_some_and(|line| !line.contains("INSERT")),
            "{waits:?}"
        );
        other.batch_execute("COMMIT").await.unwrap();
        let then = db.postgres.visibility().await.unwrap();
        assert!(then.sees(number) && !first.sees(number));
        db.end().await;
    }
}

#[tokio::test]
async fn an_idle_log_that_ends_with_a_page_is_waited_for_no_further() {
    for server in SERVERS {
        let private = Private::start(server, &[]).await;
        let db = Database::at(private.config(), "page").await;
        db.run(TABLE).await;
        let from = db.hold().await;
        let mut stream = db.stream(&from).await;
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let mut batch = Batch::default();
        let chunk = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
        until(&mut *stream, &db.postgres, &chunk.passed).await;
        // The checkpointer and others may write between: then it is tried again.
        let log_end = "SELECT pg_current_wal_insert_lsn()::text";
        for attempt in 0.. {
            assert!(attempt < 200, "no idle log that ends with a page is passed");
            fill_page(&db, attempt).await;
            let chunk = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
            let low = chunk.passed.0.rsplit('/').next().unwrap();
            if u64::from_str_radix(low, 16).unwrap() % 8192 == 0 {
                let before = db.texts(log_end).await;
                until(&mut *stream, &db.postgres, &chunk.passed).await;
                // Without anything that the server writes by itself, which it does every 15 s.
                if db.texts(log_end).await == before {
                    break;
                }
            }
        }
        drop(stream);
        db.end().await;
    }
}

/// Writes a transaction that ends where a page does, if nobody else writes: its length beside the
/// message is found by trying.
async fn fill_page(db: &Database, attempt: u32) {
    let sql = "SELECT (8192 - (pg_current_wal_insert_lsn() - '0/0') % 8192)::int8::text";
    let left: i64 = db.texts(sql).await.remove(0).parse().unwrap();
    let overhead = 40 + 8 * i64::from(attempt % 40);
    if left > overhead {
        let length = left - overhead;
        db.run(&format!(
            "SELECT pg_logical_emit_message(true, 'p', repeat('x', {length}))"
        ))
        .await;
    } else {
        db.run("SELECT pg_logical_emit_message(true, 'p', '')")
            .await;
    }
}
