//! The log of a real server: types, resuming, keeping alive, memory, TLS, refusals.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, in its helpers too"
)]

mod source;

use std::time::Duration;

use onramp_connector::{Acquired, Batch, BeforeImage, Connector, Instance, Item, StreamLimits};
use onramp_postgres::{Postgres, TlsMode};
use source::{LIMITS, Source, read};

const MICROSECONDS: &str = "(extract(epoch FROM v) * 1000000)::int8::text";

/// Column type, a list of values as SQL, and how the server itself writes one canonically.
const TYPES: &[(&str, &[&str], &str)] = &[
    ("int2", &["-32768", "0", "32767"], "v::text"),
    ("int4", &["-2147483648", "0", "2147483647"], "v::text"),
    (
        "int8",
        &["-9223372036854775808", "0", "9223372036854775807"],
        "v::text",
    ),
    ("float4", &["1.5", "-0.25", "65536.5", "0.1"], "v::text"),
    ("float8", &["1.5", "-0.1", "0.30000000000000004"], "v::text"),
    (
        "numeric",
        &[
            "0",
            "0.00",
            "1.50",
            "-12345.678900",
            "10000",
            "0.0001",
            "0.00012",
            "100000000",
            "12345678901234567890123456789012345678",
            "-0.12345678901234567890123456789012345678",
            "99999999999999999999999999999999999999",
        ],
        "v::text",
    ),
    (
        "numeric(12,2)",
        &["0", "1.005", "-9999999999.99"],
        "v::text",
    ),
    ("text", &["''", "'é|ü'", "'x'"], "v"),
    ("varchar(9)", &["''", "'abc '"], "v"),
    ("char(5)", &["''", "'ab'", "' cd'"], "v::text"),
    ("\"char\"", &["''", "'x'"], "v::text"),
    ("name", &["'n'"], "v::text"),
    ("bool", &["true", "false"], "v::text"),
    (
        "date",
        &[
            "'1970-01-01'",
            "'0044-03-15 BC'",
            "'2026-02-28'",
            "'5874897-12-31'",
        ],
        "(v - '1970-01-01'::date)::text",
    ),
    ("time", &["'00:00'", "'23:59:59.999999'"], MICROSECONDS),
    (
        "timestamp",
        &[
            "'1970-01-01'",
            "'0044-03-15 BC'",
            "'2026-02-28 01:02:03.000004'",
        ],
        MICROSECONDS,
    ),
    (
        "timestamptz",
        &[
            "'1970-01-01 00:00+02'",
            "'2026-02-28 01:02:03.000004+05:30'",
        ],
        MICROSECONDS,
    ),
    (
        "uuid",
        &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
        "replace(v::text, '-', '')",
    ),
    ("json", &["'{\"a\":  [1, null]}'"], "v::text"),
    ("jsonb", &["'{\"b\":  [1, null], \"a\": 1.10}'"], "v::text"),
    ("bytea", &["''", "'\\x00ff10'"], "encode(v, 'hex')"),
    ("mood", &["'sad'", "'very happy'"], "v::text"),
    ("positive", &["'7'"], "v::text"),
    ("label", &["'l'"], "v::text"),
];

#[tokio::test]
async fn every_type_arrives_as_the_server_writes_it() {
    let source = Source::new("types").await;
    source
        .run(
            "CREATE TYPE mood AS ENUM ('sad', 'very happy');
             CREATE DOMAIN positive AS int4 CHECK (value > 0);
             CREATE DOMAIN short AS varchar(9); CREATE DOMAIN label AS short NOT NULL",
        )
        .await;
    for (n, (name, _, _)) in TYPES.iter().enumerate() {
        source
            .run(&format!(
                "CREATE TABLE t{n} (k serial PRIMARY KEY, v {name})"
            ))
            .await;
    }
    let from = source.hold().await;
    let (mut expected, mut commits) = (Vec::new(), 0);
    for (n, (name, values, text)) in TYPES.iter().enumerate() {
        let list = values.join("), (");
        source
            .run(&format!("INSERT INTO t{n} (v) VALUES ({list})"))
            .await;
        if *name != "label" {
            source
                .run(&format!("INSERT INTO t{n} (v) VALUES (null)"))
                .await;
            commits += 1;
        }
        commits += 1;
        let sql = format!("SELECT k, {text} FROM t{n} ORDER BY k");
        for row in source.sql.query(&sql, &[]).await.unwrap() {
            let value: Option<&str> = row.get(1);
            let (key, value) = (row.get::<_, i32>(0), value.unwrap_or("null"));
            expected.push(format!("Insert - => {key}|{value}"));
        }
    }
    let log = read(&mut *source.stream(&from).await, commits).await;
    let rows: Vec<&String> = log
        .lines
        .iter()
        .filter(|l| l.starts_with("Insert"))
        .collect();
    assert!(expected.len() > 60, "{}", expected.len());
    assert_eq!(rows, expected.iter().collect::<Vec<_>>());
    source.end().await;
}

#[tokio::test]
async fn what_cannot_be_carried_is_told_and_never_guessed() {
    let source = Source::new("refused").await;
    source
        .run("CREATE TABLE t (n numeric, d date, s timestamp, h time, p point, i int4range)")
        .await;
    let from = source.hold().await;
    source
        .run(
            "INSERT INTO t VALUES ('NaN', 'infinity', '-infinity', '24:00', '(1,2)', '[1,2)'),
             ('Infinity', null, null, null, null, null), (1e38, null, null, null, null, null)",
        )
        .await;
    let log = read(&mut *source.stream(&from).await, 1).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.t",
            "Insert - => NotFinite|NotFinite|NotFinite|TooWide|Malformed|Malformed",
            "Insert - => NotFinite|null|null|null|null|null",
            "Insert - => TooWide|null|null|null|null|null",
            "commit"
        ]
    );
    source.end().await;
}

#[tokio::test]
async fn updates_deletes_truncates_and_new_columns() {
    let source = Source::new("changes").await;
    source
        .run(
            "CREATE TABLE k (id int PRIMARY KEY, v text, big text);
             ALTER TABLE k ALTER big SET STORAGE EXTERNAL;
             CREATE TABLE f (id int, v text); ALTER TABLE f REPLICA IDENTITY FULL",
        )
        .await;
    let from = source.hold().await;
    source
        .run("INSERT INTO k VALUES (1, 'a', repeat('x', 5000)); UPDATE k SET big = 'b'")
        .await;
    source
        .run("INSERT INTO k VALUES (2, 'a', repeat('x', 5000))")
        .await;
    source
        .run("UPDATE k SET v = 'c' WHERE id = 2; UPDATE k SET id = 3 WHERE id = 2")
        .await;
    source.run("DELETE FROM k WHERE id = 3").await;
    source
        .run("INSERT INTO f VALUES (1, 'a'); UPDATE f SET v = 'b'; DELETE FROM f")
        .await;
    source
        .run("ALTER TABLE f ADD w int; INSERT INTO f VALUES (2, 'b', 3); TRUNCATE k, f")
        .await;
    let log = read(&mut *source.stream(&from).await, 6).await;
    let big = "x".repeat(5000);
    let lines: Vec<String> = log.lines.iter().map(|l| l.replace(&big, "BIG")).collect();
    assert_eq!(
        lines,
        [
            "begin",
            "layout public.k",
            "Insert - => 1|a|BIG",
            "Update - => 1|a|b",
            "commit",
            "begin",
            "Insert - => 2|a|BIG",
            "commit",
            "begin",
            "Update - => 2|c|unchanged",
            "Update 2|null|null => 3|c|unchanged",
            "commit",
            "begin",
            "Delete 3|null|null => -",
            "commit",
            "begin",
            "layout public.f",
            "Insert - => 1|a",
            "Update 1|a => 1|b",
            "Delete 1|b => -",
            "commit",
            "begin",
            "layout public.f",
            "Insert - => 2|b|3",
            "truncate public.k",
            "truncate public.f",
            "commit",
        ]
    );
    source.end().await;
}

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
        .run("ALTER DATABASE onramp_test_slow SET wal_sender_timeout = '2s'")
        .await;
    let from = source.hold().await;
    // More than the sockets' buffers hold, so that the server waits for the caller.
    source
        .run("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 40000) n")
        .await;
    let lease = source.lease().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut stream = lease.stream(&from, LIMITS).await.unwrap();
    let mut batch = Batch::default();
    stream
        .next(&mut batch, Duration::from_secs(5))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    read(&mut *stream, 1).await;
    drop(stream);
    source.end().await;
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
async fn a_cut_connection_may_be_tried_again_and_a_missing_slot_may_not() {
    let source = Source::new("cut").await;
    let failure = source.acquire().await.err().expect("there is no slot");
    assert!(!failure.retry, "{failure}");
    assert_eq!(failure.findings[0].code.id, "ONR-453");
    let from = source.hold().await;
    let mut stream = source.stream(&from).await;
    let cut =
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1";
    source
        .sql
        .execute(cut, &[&source.names.slot])
        .await
        .unwrap();
    let mut batch = Batch::default();
    let failure = loop {
        if let Err(failure) = stream.next(&mut batch, Duration::from_secs(5)).await {
            break failure;
        }
    };
    assert!(failure.retry, "{failure}");
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let mut source = Source::new("password").await;
    source.hold().await;
    source.names.target.password = Some(std::sync::Arc::new(|| Ok("wr0ng-s3cret".into())));
    let failure = source.acquire().await.err().expect("the password is wrong");
    assert!(!failure.retry);
    assert_eq!(failure.findings[0].code.id, "ONR-402");
    assert!(!format!("{failure:?}").contains("wr0ng"));
    source.end().await;
}

#[tokio::test]
async fn tls_is_verified_as_the_file_says() {
    let mut source = Source::new("tls").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1)").await;
    let ca = std::env::var_os("ONRAMP_TEST_CA")
        .expect("ONRAMP_TEST_CA is not set: eval \"$(integration-tests/services/services env)\"");
    source.names.target.tls = TlsMode::VerifyFull;
    let failure = source
        .acquire()
        .await
        .err()
        .expect("the machine does not know the authority");
    assert!(!failure.findings.is_empty());
    source.names.target.ca = Some(ca.into());
    for mode in [
        TlsMode::VerifyFull,
        TlsMode::VerifyCa,
        TlsMode::Require,
        TlsMode::Prefer,
    ] {
        source.names.target.tls = mode;
        let mut stream = source.stream(&from).await;
        read(&mut *stream, 1).await;
        let secured = "SELECT ssl FROM pg_stat_ssl JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1";
        let row = source
            .sql
            .query_one(secured, &[&source.names.slot])
            .await
            .unwrap();
        assert!(row.get::<_, bool>(0), "{mode:?}");
    }
    // The same server under a name that its certificate does not have.
    let port = source.names.target.port;
    let other = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    source.names.target.host = "127.0.0.2".into();
    source.names.target.port = other.local_addr().unwrap().port();
    let forwarder = tokio::spawn(async move {
        while let Ok((mut near, _)) = other.accept().await {
            let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    source.names.target.tls = TlsMode::VerifyCa;
    read(&mut *source.stream(&from).await, 1).await;
    source.names.target.tls = TlsMode::VerifyFull;
    assert!(
        source.acquire().await.is_err(),
        "a certificate for another name"
    );
    forwarder.abort();
    source.end().await;
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let mut source = Source::new("socket").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1)").await;
    source.names.target.host = std::env::var("ONRAMP_TEST_POSTGRES15_SOCKET_DIR")
        .expect("ONRAMP_TEST_POSTGRES15_SOCKET_DIR is not set");
    read(&mut *source.stream(&from).await, 1).await;
    source.end().await;
}

#[tokio::test]
async fn rows_of_partitions_count_to_their_root_and_old_rows_as_keys_alone() {
    let mut source = Source::new("partitions").await;
    source
        .run(
            "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
             CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
             CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
             ALTER TABLE t2 REPLICA IDENTITY FULL;
             CREATE PUBLICATION r FOR TABLE t WITH (publish_via_partition_root = true)",
        )
        .await;
    source.names.publication = "r".into();
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1, 'a'), (11, 'b')").await;
    source
        .run("UPDATE t SET v = 'c'; UPDATE t SET id = 2 WHERE id = 1")
        .await;
    let mut stream = source.stream(&from).await;
    let log = read(&mut *stream, 2).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.t",
            // The server describes the leaf too; no row is counted to it.
            "layout public.t1",
            "Insert - => 1|a",
            "layout public.t2",
            "Insert - => 11|b",
            "commit",
            "begin",
            "Update - => 1|c",
            "Update 11|b => 11|c",
            "Update 1|null => 2|c",
            "commit",
        ]
    );
    assert_eq!(log.before, Some(BeforeImage::Key(vec!["id".into()])));
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
        let start = std::time::Instant::now();
        while rows < statements.len() {
            assert!(start.elapsed() < source::DEADLINE, "{rows} rows");
            // Most calls are cancelled where they first wait, whatever the machine's pace.
            let patience = Duration::from_micros(if cancelled % 7 == 6 { 2500 } else { 0 });
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
