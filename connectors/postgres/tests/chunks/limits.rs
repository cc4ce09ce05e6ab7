//! What a chunk may hold, and what ends it early.

use onramp_connector::{Batch, ChunkLimits};

use crate::database::{ALL, DEADLINE, Database, SERVERS, after, column, ints, rows};

const WIDE: &str = "
    CREATE TABLE t (k int PRIMARY KEY, v int, w text);
    ALTER TABLE t ALTER w SET STORAGE EXTERNAL;
    INSERT INTO t SELECT n, n, repeat('x', 100000) FROM generate_series(1, 200) n";

#[tokio::test]
async fn a_chunk_ends_at_its_bytes_and_the_next_goes_on() {
    for server in SERVERS {
        let db = Database::new(server, "bytes").await;
        db.run(WIDE).await;
        let limits = ChunkLimits {
            bytes: 1_000_000,
            ..ALL
        };
        let mut reader = db.reader("t", &["v", "w"]).await.unwrap();
        let (mut batch, mut found, mut from, mut chunks) = (Batch::default(), Vec::new(), None, 0);
        loop {
            let chunk = after(&mut *reader, from, limits, &mut batch).await.unwrap();
            found.extend(column(&batch, "v"));
            chunks += 1;
            assert!(chunk.rows <= 9, "{}", chunk.rows);
            // Neither the rows read past the limit nor a copy of them stays.
            assert!(
                batch.bytes.capacity() < 2_000_000,
                "{}",
                batch.bytes.capacity()
            );
            match chunk.last {
                Some(last) => from = Some(last),
                None => break,
            }
        }
        let all: Vec<String> = (1..=200).map(|n: i32| n.to_string()).collect();
        assert_eq!((found, chunks), (ints(&all), 200_usize.div_ceil(9)));
        db.end().await;
    }
}

#[tokio::test]
async fn a_row_larger_than_a_chunk_comes_alone_and_one_larger_than_allowed_is_refused() {
    for server in SERVERS {
        let db = Database::new(server, "large").await;
        db.run(WIDE).await;
        let mut reader = db.reader("t", &["v", "w"]).await.unwrap();
        let (mut batch, alone) = (Batch::default(), ChunkLimits { bytes: 5000, ..ALL });
        for k in 1..4 {
            let from = (k > 1).then(|| onramp_connector::Bound(vec![(k - 1).to_string()]));
            let chunk = after(&mut *reader, from, alone, &mut batch).await.unwrap();
            assert_eq!(
                (chunk.rows, chunk.last.unwrap().0),
                (1, vec![k.to_string()])
            );
        }
        let small = ChunkLimits {
            record_bytes: 99_000,
            ..ALL
        };
        let refused = after(&mut *reader, None, small, &mut batch)
            .await
            .unwrap_err();
        let finding = &refused.findings[0];
        assert_eq!((finding.code.id, refused.retry), ("ONR-455", false));
        assert!(finding.message.contains("public.t"), "{}", finding.message);
        assert!(!format!("{refused:?}").contains("xxx"));
        // A column that is not asked for is not sent.
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let chunk = after(&mut *reader, None, small, &mut batch).await.unwrap();
        assert_eq!((chunk.rows, chunk.last), (200, None));
        assert!(batch.bytes.len() < 20_000);
        db.end().await;
    }
}

#[tokio::test]
async fn a_reader_whose_connection_is_killed_may_be_asked_again() {
    for server in SERVERS {
        let db = Database::new(server, "killed").await;
        db.run(WIDE).await;
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let mut batch = Batch::default();
        let first = after(&mut *reader, None, rows(50), &mut batch)
            .await
            .unwrap();
        let killed = db
            .texts(
                "SELECT pg_terminate_backend(pid, 10000)::text FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'onramp test reader'",
            )
            .await;
        assert_eq!(killed, ["true"]);
        let failed = after(&mut *reader, first.last.clone(), rows(50), &mut batch).await;
        assert!(failed.unwrap_err().retry);
        let again = after(&mut *reader, first.last, rows(50), &mut batch)
            .await
            .unwrap();
        assert_eq!(
            (again.rows, column(&batch, "v")[0].as_str()),
            (50, "Ok(Int(51))")
        );
        db.end().await;
    }
}

#[tokio::test]
async fn a_cancelled_reading_leaves_no_transaction_and_the_reader_fit() {
    for server in SERVERS {
        let db = Database::new(server, "cancelled").await;
        db.run(WIDE).await;
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let mut batch = Batch::default();
        let blocker = db.session().await;
        let block = "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE";
        blocker.batch_execute(block).await.unwrap();
        let waiting = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database()
                        AND application_name = 'onramp test reader' AND wait_event_type = 'Lock'";
        tokio::select! {
            _ = after(&mut *reader, None, ALL, &mut batch) => panic!("the table is locked"),
            () = until(async || !db.texts(waiting).await.is_empty()) => {}
        }
        blocker.batch_execute("ROLLBACK").await.unwrap();
        let chunk = after(&mut *reader, None, ALL, &mut batch).await.unwrap();
        assert_eq!(chunk.rows, 200);
        let within = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'onramp test reader' AND xact_start IS NOT NULL";
        until(async || db.texts(within).await.is_empty()).await;
        db.end().await;
    }
}

async fn until(holds: impl AsyncFn() -> bool) {
    let start = std::time::Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE, "it does not come true");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn rows_that_a_policy_hides_are_an_error_and_not_skipped() {
    for server in SERVERS {
        let db = Database::new(server, "policy").await;
        let role = db.names.database.clone();
        db.run(&format!(
            "CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2);
             ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY first_alone ON t USING (k = 1);
             DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
               DROP OWNED BY {role}; DROP ROLE {role}; END IF; END $$;
             CREATE ROLE {role} LOGIN PASSWORD 'onramp'; GRANT SELECT ON t TO {role}"
        ))
        .await;
        let mut names = db.names.clone();
        names.target.user = role.clone();
        let postgres = onramp_postgres::Postgres::new(names);
        let mut reader = db.reader_as(&postgres, "t", &["v"]).await.unwrap();
        let mut batch = Batch::default();
        let refused = after(&mut *reader, None, ALL, &mut batch)
            .await
            .unwrap_err();
        let reason = refused.findings[0].reason.as_deref().unwrap_or_default();
        assert!(!refused.retry && reason.contains("42501"), "{refused:?}");
        // What reads has no right to write, either.
        drop(reader);
        db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
        db.end().await;
    }
}
