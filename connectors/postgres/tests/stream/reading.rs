//! Reading goes on: resumed, idle, slow, cancelled, and within its memory.

use std::time::Duration;

use onramp_connector::{Acquired, Batch, Connector, Instance, Item, StreamLimits};
use onramp_postgres::Postgres;

use crate::forwarder::Forwarder;
use crate::source::{self, LIMITS, Source, read};

#[tokio::test]
async fn a_stream_goes_on_where_it_is_told_and_acknowledging_moves_the_slot() {
    let source = Source::new("resume").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1)").await;
    let mut stream = source.stream(&from).await;
    let first = read(&mut *stream, 1).await;
    let mut other = source.names.clone();
    other.target.application_name = "another process".into();
    let refused = Postgres::new(other)
        .acquire(&Instance("other".into()))
        .await;
    assert!(matches!(refused, Ok(Acquired::Held(_))), "one at a time");
    drop(stream);
    source.run("INSERT INTO t VALUES (2)").await;
    // Nothing was acknowledged: the server sends the first again, and it does not come through.
    let position = first.position.unwrap();
    let mut stream = source.stream(&position).await;
    let second = read(&mut *stream, 1).await;
    // The table's description stands where the server sent it: in the filtered transaction.
    assert_eq!(
        second.lines,
        ["layout public.t", "begin", "Insert - => 2", "commit"]
    );
    let position = second.position.unwrap();
    stream.acknowledger().acknowledge(&position);
    let told = "SELECT confirmed_flush_lsn >= $1::text::pg_lsn FROM pg_replication_slots WHERE slot_name = $2";
    let start = std::time::Instant::now();
    loop {
        let row = source
            .sql
            .query_one(told, &[&&*position.0, &source.names.slot])
            .await
            .unwrap();
        if row.get(0) {
            break;
        }
        assert!(start.elapsed() < source::DEADLINE, "the slot never moved");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn an_idle_stream_moves_on_with_the_server() {
    let source = Source::new("idle").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    let mut stream = source.stream(&from).await;
    let elsewhere = source::connect(&source::config()).await;
    let (mut batch, start) = (Batch::default(), std::time::Instant::now());
    let row = elsewhere.query_one(
        "SELECT pg_logical_emit_message(false, 'x', repeat('y', 100000))::text",
        &[],
    );
    let end: String = row.await.unwrap().get(0);
    let number = |text: &str| {
        let (high, low) = text.split_once('/').unwrap();
        u64::from_str_radix(high, 16).unwrap() << 32 | u64::from_str_radix(low, 16).unwrap()
    };
    loop {
        stream
            .next(&mut batch, Duration::from_millis(500))
            .await
            .unwrap();
        assert!(batch.items.is_empty());
        if batch
            .position
            .as_ref()
            .is_some_and(|p| number(&p.0) >= number(&end))
        {
            break;
        }
        assert!(
            start.elapsed() < source::DEADLINE,
            "the position stood still"
        );
    }
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn a_slow_caller_keeps_its_connection() {
    let source = Source::new("slow").await;
    source
        .run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        .await;
    source
        .run(&format!(
            "ALTER DATABASE {} SET wal_sender_timeout = '6s'",
            source.names.database
        ))
        .await;
    let from = source.hold().await;
    // More than the sockets' buffers hold, so that the server waits for the caller.
    source
        .run("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 40000) n")
        .await;
    let lease = source.lease().await;
    heard_of_for(&source, "8s").await;
    let mut stream = lease.stream(&from, LIMITS).await.unwrap();
    let mut batch = Batch::default();
    stream
        .next(&mut batch, Duration::from_secs(5))
        .await
        .unwrap();
    heard_of_for(&source, "8s").await;
    read(&mut *stream, 1).await;
    drop(stream);
    source.end().await;
}

/// Waits until the server has heard of the slot's reader for so long from now on, by its own clock.
async fn heard_of_for(source: &Source, interval: &str) {
    let then = format!("SELECT (clock_timestamp() + interval '{interval}')::text");
    let then: String = source.sql.query_one(&then, &[]).await.unwrap().get(0);
    let heard = "SELECT reply_time >= $1::text::timestamptz FROM pg_stat_replication
                   JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $2";
    let start = std::time::Instant::now();
    loop {
        let heard = source.sql.query(heard, &[&then, &source.names.slot]).await;
        let heard = heard.unwrap();
        let row = heard.first().expect("the server keeps the connection");
        // Null until the first answer.
        if row.get::<_, Option<bool>>(0) == Some(true) {
            return;
        }
        assert!(start.elapsed() < source::DEADLINE, "nothing is heard");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_large_transaction_takes_no_more_memory_than_a_batch() {
    let source = Source::new("large").await;
    source
        .run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        .await;
    let from = source.hold().await;
    source
        .run("INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 300000) n")
        .await;
    let mut stream = source.stream(&from).await;
    let (mut batch, mut rows, mut largest) = (Batch::default(), 0, 0);
    while !batch.items.contains(&Item::Commit) {
        stream
            .next(&mut batch, Duration::from_secs(10))
            .await
            .unwrap();
        rows += batch
            .items
            .iter()
            .filter(|i| matches!(i, Item::Change(_)))
            .count();
        largest = largest.max(batch.bytes.capacity());
    }
    assert_eq!(rows, 300_000);
    assert!(largest <= 2 * LIMITS.batch_bytes, "{largest}");
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn a_record_beyond_its_limit_stops_with_its_table_and_gives_memory_back_below_it() {
    let source = Source::new("record").await;
    source
        .run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        .await;
    let from = source.hold().await;
    source
        .run("INSERT INTO t VALUES (1, repeat('x', 900000))")
        .await;
    source.run("INSERT INTO t VALUES (2, 'small')").await;
    source
        .run("INSERT INTO t VALUES (3, repeat('secret', 500000))")
        .await;
    let limits = StreamLimits {
        batch_bytes: 64 << 10,
        record_bytes: 1 << 20,
    };
    let mut stream = source.lease().await.stream(&from, limits).await.unwrap();
    let (mut batch, mut commits) = (Batch::default(), 0);
    let failure = loop {
        match stream.next(&mut batch, Duration::from_secs(5)).await {
            Ok(()) => commits += batch.items.iter().filter(|i| **i == Item::Commit).count(),
            Err(failure) => break failure,
        }
    };
    assert_eq!(commits, 2);
    assert!(!failure.retry);
    assert_eq!(failure.findings[0].code.id, "ONR-455");
    let text = format!("{:?}", failure.findings);
    assert!(
        text.contains("public.t at ") && !text.contains("secretsecret"),
        "{text}"
    );
    assert!(
        batch.bytes.capacity() <= 3 * limits.batch_bytes,
        "{}",
        batch.bytes.capacity()
    );
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn a_cancelled_call_loses_nothing() {
    let source = Source::new("cancel").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    let statements: Vec<String> = (0..200)
        .map(|n| format!("INSERT INTO t VALUES ({n})"))
        .collect();
    let mut stream = source.stream(&from).await;
    let writer = async {
        for statement in &statements {
            source.run(statement).await;
        }
    };
    let reader = async {
        let (mut rows, mut batch, mut cancelled) = (0, Batch::default(), 0);
        let mut calls = 0;
        let start = std::time::Instant::now();
        while rows < statements.len() {
            assert!(start.elapsed() < source::DEADLINE, "{rows} rows");
            // Six calls in seven are cancelled where they first wait, whatever the machine's
            // pace: told by calls, since patience that a cancelled call ends would last for ever
            // where each change comes within it.
            calls += 1;
            let patience = Duration::from_micros(if calls % 7 == 0 { 2500 } else { 0 });
            let next = stream.next(&mut batch, Duration::from_secs(1));
            match tokio::time::timeout(patience, next).await {
                Err(_) => {
                    cancelled += 1;
                    tokio::task::yield_now().await;
                }
                Ok(done) => {
                    done.unwrap();
                    for item in &batch.items {
                        if let Item::Change(change) = item {
                            let row = batch.slice(change.after.unwrap());
                            let id = i32::from_be_bytes(row[7..11].try_into().unwrap());
                            assert_eq!(id, rows as i32);
                            rows += 1;
                        }
                    }
                }
            }
        }
        assert!(cancelled > 10, "{cancelled}");
    };
    tokio::join!(writer, reader);
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn a_keepalive_within_a_transaction_moves_nothing_on_the_real_server() {
    let mut source = Source::new("keepalive").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1)").await;
    source.run("INSERT INTO t VALUES (2)").await;
    // It names a place far behind everything.
    let forwarder = Forwarder::to(&source.names.target, Some(1 << 60)).await;
    source.names.target.port = forwarder.port;
    let mut stream = source.stream(&from).await;
    let log = read(&mut *stream, 2).await;
    assert_eq!(forwarder.put_in(), 2);
    let position = log.position.unwrap();
    let behind = "SELECT $1::text::pg_lsn <= pg_current_wal_lsn()";
    let row = source.sql.query_one(behind, &[&&*position.0]).await;
    assert!(row.unwrap().get::<_, bool>(0), "{position}");
    drop(stream);
    // What is committed after it is not taken for known.
    source.run("INSERT INTO t VALUES (3)").await;
    let log = read(&mut *source.stream(&position).await, 1).await;
    assert!(
        log.lines.contains(&"Insert - => 3".into()),
        "{:?}",
        log.lines
    );
    source.end().await;
}
