//! Every row once, in its key's order, whatever the key.

use onramp_connector::{Batch, Bound, ChunkRange, TableReader};

use crate::database::{ALL, Database, Dice, SERVERS, after, column, ints, rows};

/// A table's columns and constraints, and a query that gives its rows from `n`; `v` numbers them.
const KEYS: &[(&str, &str, &str, &str)] = &[
    (
        "gaps",
        "k int8 PRIMARY KEY, v int",
        "k",
        "(n - 60) * 100000000::int8",
    ),
    (
        "small",
        "k int2 PRIMARY KEY, v int",
        "k",
        "(n * 37 % 251) - 125",
    ),
    (
        "uuids",
        "k uuid PRIMARY KEY, v int",
        "k",
        "md5(n::text)::uuid",
    ),
    ("texts", "k text PRIMARY KEY, v int", "k", WORDS),
    ("c", "k text COLLATE \"C\" PRIMARY KEY, v int", "k", WORDS),
    (
        "german",
        "k varchar(80) COLLATE \"de-DE-x-icu\" PRIMARY KEY, v int",
        "k",
        WORDS,
    ),
    (
        "numerics",
        "k numeric(20,4) PRIMARY KEY, v int",
        "k",
        "(60 - n) / 7.0",
    ),
    (
        "loose",
        "k numeric PRIMARY KEY, v int",
        "k",
        "CASE n WHEN 3 THEN 'NaN' ELSE (1.5 ^ n) END",
    ),
    (
        "padded",
        "k char(9) PRIMARY KEY, v int",
        "k",
        "md5(n::text)::char(5)",
    ),
    ("floats", "k float8 PRIMARY KEY, v int", "k", "ln(n + 0.5)"),
    (
        "instants",
        "k timestamptz PRIMARY KEY, v int",
        "k",
        "CASE n WHEN 5 THEN '-infinity' ELSE '0044-03-15 BC'::timestamptz + n * interval '13 years 1.000001 s' END",
    ),
    (
        "spans",
        "k interval PRIMARY KEY, v int",
        "k",
        "(n - 9) * interval '1 month 3 days 01:02:03.4'",
    ),
    (
        "bytes",
        "k bytea PRIMARY KEY, v int",
        "k",
        "decode(md5(n::text), 'hex')",
    ),
    (
        "nets",
        "k inet PRIMARY KEY, v int",
        "k",
        "'10.0.0.0'::inet + n * 77",
    ),
    ("domains", "k code PRIMARY KEY, v int", "k", "'\\''''' || n"),
    (
        "enums",
        "k mood, n int, v int, PRIMARY KEY (k, n)",
        "k, n",
        "(ARRAY['sad','ok','it''s'])[n % 3 + 1]::mood, n / 3",
    ),
    (
        "one_first",
        "a int, b text, v int, PRIMARY KEY (a, b)",
        "a, b",
        "7, md5(n::text)",
    ),
    (
        "three",
        "\"order\" int, \"A\"\"b\" text, c bool, v int, PRIMARY KEY (\"order\", \"A\"\"b\", c)",
        "\"order\", \"A\"\"b\", c",
        "n / 9, md5((n / 2)::text), n % 2 = 0",
    ),
    (
        "no_primary",
        "a int NOT NULL, b int NOT NULL, k int NOT NULL UNIQUE DEFERRABLE, v int, UNIQUE (b, a)",
        "b, a",
        "n, n % 7, n",
    ),
    (
        "other_order",
        "k text COLLATE \"de-DE-x-icu\" NOT NULL, v int",
        "k COLLATE \"C\"",
        WORDS,
    ),
    ("downwards", "k int NOT NULL, v int", "k", "n"),
    (
        "hashed",
        "k int PRIMARY KEY, v int) PARTITION BY HASH (k",
        "k",
        "n * 3",
    ),
    (
        "ranged",
        "a int, k int, v int, PRIMARY KEY (k, a)) PARTITION BY RANGE (a",
        "k, a",
        "n, n % 5",
    ),
];

const WORDS: &str = "(ARRAY['Ä','a','z','_','É','ß','ss',E'\\\\','''','B '])[n % 10 + 1] || n / 10";

const MORE: &str = "
    CREATE UNIQUE INDEX ON other_order (k COLLATE \"C\");
    CREATE UNIQUE INDEX ON downwards (k DESC);
    CREATE TABLE h0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE h1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE r0 PARTITION OF ranged FOR VALUES FROM (MINVALUE) TO (50);
    CREATE TABLE r1 PARTITION OF ranged FOR VALUES FROM (50) TO (MAXVALUE) PARTITION BY RANGE (a);
    CREATE TABLE r2 PARTITION OF r1 DEFAULT;";

#[tokio::test]
async fn every_key_brings_each_row_once_and_in_order() {
    for server in SERVERS {
        let db = Database::new(server, "keys").await;
        db.run("CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s'); CREATE DOMAIN code AS varchar(9)")
            .await;
        for (table, definition, ..) in KEYS {
            db.run(&format!("CREATE TABLE {table} ({definition})"))
                .await;
        }
        db.run(MORE).await;
        for (table, _, key, values) in KEYS {
            let names = key.replace(" COLLATE \"C\"", "");
            let third = if *table == "no_primary" { ", k" } else { "" };
            db.run(&format!(
                "INSERT INTO {table} ({names}{third}, v) SELECT {values}, n FROM generate_series(1, 120) n"
            ))
            .await;
            let order = format!("SELECT v::text FROM {table} ORDER BY {key}");
            let expected = ints(&db.texts(&order).await);
            assert_eq!(expected.len(), 120);
            for seed in 0..3 {
                let mut reader = db.reader(table, &["v"]).await.unwrap();
                let what = format!("{server} {table} seed {seed}");
                assert_eq!(chunks(&mut *reader, seed).await, expected, "{what}");
                assert_eq!(pieces(&mut *reader, seed).await, expected, "{what}");
            }
        }
        db.end().await;
    }
}

/// The whole table in chunks of any size.
async fn chunks(reader: &mut dyn TableReader, seed: u64) -> Vec<String> {
    let (mut dice, mut batch) = (Dice(seed), Batch::default());
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let limits = rows(1 + dice.roll(17));
        let chunk = after(reader, from, limits, &mut batch).await.unwrap();
        let part = column(&batch, "v");
        assert_eq!(part.len(), chunk.rows as usize);
        assert!(part.len() <= limits.rows as usize);
        found.extend(part);
        match chunk.last {
            // A limit that was met says so, and only it: an empty chunk never follows one.
            Some(last) => {
                assert_eq!(chunk.rows, limits.rows);
                from = Some(last);
            }
            None => return found,
        }
    }
}

/// The whole table in ranges, their bounds found first.
async fn pieces(reader: &mut dyn TableReader, seed: u64) -> Vec<String> {
    let mut dice = Dice(seed + 1);
    let mut bounds: Vec<Bound> = Vec::new();
    while let Some(next) = reader
        .bound(bounds.last(), 1 + dice.roll(40))
        .await
        .unwrap()
    {
        bounds.push(next);
    }
    assert!(bounds.len() > 2);
    let starts = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let ends = bounds
        .iter()
        .cloned()
        .map(Some)
        .chain(std::iter::once(None));
    let (mut found, mut batch) = (Vec::new(), Batch::default());
    for (after, until) in starts.zip(ends) {
        let range = ChunkRange { after, until };
        let chunk = reader.read(&range, ALL, &mut batch).await.unwrap();
        assert_eq!(chunk.last, None);
        found.extend(column(&batch, "v"));
    }
    found
}

#[tokio::test]
async fn the_key_of_an_extensions_type_compares_as_that_type_does() {
    for server in SERVERS {
        let db = Database::new(server, "citext").await;
        // Each server's own package has it, also where it was unpacked for the tests.
        db.run(
            "CREATE EXTENSION citext; CREATE TABLE t (k citext PRIMARY KEY, v int);
             INSERT INTO t SELECT (ARRAY['a','B','c','D'])[n % 4 + 1] || n, n
               FROM generate_series(1, 120) n",
        )
        .await;
        let expected = ints(&db.texts("SELECT v::text FROM t ORDER BY k").await);
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        assert_eq!(chunks(&mut *reader, 1).await, expected);
        assert_eq!(pieces(&mut *reader, 1).await, expected);
        db.end().await;
    }
}

#[tokio::test]
async fn bounds_and_chunks_follow_the_index_and_scan_nothing_else() {
    for server in SERVERS {
        let db = Database::new(server, "bounds").await;
        db.run(
            "CREATE TABLE t (a int, b int, v text, PRIMARY KEY (a, b))
               WITH (autovacuum_enabled = off);
             INSERT INTO t SELECT 1, n, repeat('x', 200) FROM generate_series(1, 50000) n",
        )
        .await;
        db.run("VACUUM ANALYZE t").await;
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let bound = reader.bound(None, 40_000).await.unwrap().unwrap();
        assert_eq!(bound, Bound(vec!["1".into(), "40000".into()]));
        assert_eq!(reader.bound(Some(&bound), 10_001).await.unwrap(), None);
        let read = "SELECT pg_stat_force_next_flush()";
        let blocks = "SELECT (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::text
                        FROM pg_statio_user_tables WHERE relname = 't'";
        db.sql.query(read, &[]).await.unwrap();
        // A connection's own counts are told when it has ended.
        drop(reader);
        let settled = |count: String| count.parse::<u64>().unwrap();
        wait_for_no_reader(&db).await;
        let before = settled(db.texts(blocks).await.remove(0));
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let range = ChunkRange {
            after: Some(bound),
            until: Some(Bound(vec!["1".into(), "40100".into()])),
        };
        let chunk = reader
            .read(&range, ALL, &mut Batch::default())
            .await
            .unwrap();
        assert_eq!(chunk.rows, 100);
        drop(reader);
        wait_for_no_reader(&db).await;
        let after = settled(db.texts(blocks).await.remove(0));
        assert!(after > before, "{server}: the counts are told");
        assert!(after - before < 150, "{server}: {} blocks", after - before);
        db.end().await;
    }
}

async fn wait_for_no_reader(db: &Database) {
    let start = std::time::Instant::now();
    let open = "SELECT pid::text FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE '% reader'";
    while !db.texts(open).await.is_empty() {
        assert!(start.elapsed() < crate::database::DEADLINE);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_empty_table_and_its_heirs_bring_nothing() {
    for server in SERVERS {
        let db = Database::new(server, "empty").await;
        db.run(
            "CREATE TABLE t (k int PRIMARY KEY, v int); CREATE TABLE heir () INHERITS (t);
             INSERT INTO heir VALUES (1, 1);
             CREATE TABLE root (k int PRIMARY KEY, v int) PARTITION BY RANGE (k)",
        )
        .await;
        for table in ["t", "root"] {
            let mut reader = db.reader(table, &["v"]).await.unwrap();
            assert_eq!(reader.key(), ["k integer"]);
            assert_eq!(reader.bound(None, 1).await.unwrap(), None);
            let mut batch = Batch::default();
            let chunk = after(&mut *reader, None, rows(1), &mut batch)
                .await
                .unwrap();
            assert_eq!((chunk.rows, chunk.last), (0, None));
            assert_eq!(column(&batch, "v").len(), 0);
        }
        db.end().await;
    }
}

#[tokio::test]
async fn a_table_without_a_key_is_refused_and_an_estimate_counts_partitions() {
    for server in SERVERS {
        let db = Database::new(server, "keyless").await;
        db.run(
            "CREATE TABLE bare (v int, late int NOT NULL UNIQUE DEFERRABLE, maybe int UNIQUE);
             CREATE UNIQUE INDEX ON bare (v) WHERE v > 0; CREATE UNIQUE INDEX ON bare (abs(late));
             CREATE TABLE root (k int PRIMARY KEY) PARTITION BY RANGE (k);
             CREATE TABLE a PARTITION OF root FOR VALUES FROM (0) TO (100);
             CREATE TABLE b PARTITION OF root FOR VALUES FROM (100) TO (1000);
             INSERT INTO root SELECT generate_series(0, 499)",
        )
        .await;
        let Err(refused) = db.reader("bare", &["v"]).await else {
            panic!("it has no key")
        };
        assert_eq!(
            (refused.findings[0].code.id, refused.retry),
            ("ONR-440", false)
        );
        let mut reader = db.reader("root", &["k"]).await.unwrap();
        let unknown = reader.estimate().await.unwrap();
        assert_eq!(unknown.rows, None);
        db.run("ANALYZE root").await;
        let known = reader.estimate().await.unwrap();
        assert_eq!(known.rows, Some(500));
        assert!(known.bytes >= 2 * 8192, "{known:?}");
        db.end().await;
    }
}
