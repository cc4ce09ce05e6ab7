//! A table that is altered, emptied, renamed or dropped between two chunks.

use onramp_connector::{Batch, Bound, Chunk, TableReader};
use onramp_finding::Failure;

use crate::database::{ALL, Database, SERVERS, after, column, rows};

const TABLE: &str = "
    CREATE TABLE t (k int PRIMARY KEY, v int, c varchar(10), f char(5), other int);
    INSERT INTO t SELECT n, n, 'x', 'y', n FROM generate_series(1, 100) n";

/// One chunk, then the change, then the next.
async fn across(db: &Database, change: &str) -> (Result<Chunk, Failure>, Batch) {
    db.run("DROP TABLE IF EXISTS t, aside").await;
    db.run(TABLE).await;
    let mut reader = db.reader("t", &["v", "c", "f"]).await.unwrap();
    let mut batch = Batch::default();
    let first = after(&mut *reader, None, rows(50), &mut batch)
        .await
        .unwrap();
    db.run(change).await;
    let next = after(&mut *reader, first.last, ALL, &mut batch).await;
    (next, batch)
}

#[tokio::test]
async fn what_falsifies_no_mapped_column_is_taken_up() {
    for server in SERVERS {
        let db = Database::new(server, "altered").await;
        for (change, c, f) in [
            (
                "ALTER TABLE t ADD more int DEFAULT 7",
                "Ok(Text(\"x\"))",
                "Ok(Text(\"y\"))",
            ),
            (
                "ALTER TABLE t DROP other",
                "Ok(Text(\"x\"))",
                "Ok(Text(\"y\"))",
            ),
            (
                "ALTER TABLE t ALTER c TYPE varchar(20)",
                "Ok(Text(\"x\"))",
                "Ok(Text(\"y\"))",
            ),
            // Another decoder, of which the layout has to tell.
            (
                "ALTER TABLE t ALTER c TYPE char(4)",
                "Ok(Text(\"x\"))",
                "Ok(Text(\"y\"))",
            ),
            (
                "ALTER TABLE t ALTER f TYPE text USING f || ' '",
                "Ok(Text(\"x\"))",
                "Ok(Text(\"y \"))",
            ),
            ("VACUUM FULL t", "Ok(Text(\"x\"))", "Ok(Text(\"y\"))"),
        ] {
            let (next, batch) = across(&db, change).await;
            assert_eq!(next.unwrap().rows, 50, "{server} {change}");
            assert_eq!(column(&batch, "v")[0], "Ok(Int(51))");
            assert_eq!(
                (&*column(&batch, "c")[0], &*column(&batch, "f")[0]),
                (c, f),
                "{change}"
            );
        }
        for change in ["TRUNCATE t", "DELETE FROM t"] {
            let (next, _) = across(&db, change).await;
            assert_eq!(next.unwrap().rows, 0, "{server} {change}");
        }
        db.end().await;
    }
}

#[tokio::test]
async fn what_falsifies_one_stops_before_its_first_row() {
    for server in SERVERS {
        let db = Database::new(server, "falsified").await;
        for (change, code, retry) in [
            ("ALTER TABLE t DROP v", "ONR-313", false),
            ("ALTER TABLE t RENAME v TO w", "ONR-313", false),
            (
                "ALTER TABLE t RENAME v TO w; ALTER TABLE t RENAME c TO v",
                "ONR-313",
                false,
            ),
            ("ALTER TABLE t ALTER v TYPE int8", "ONR-313", false),
            ("DROP TABLE t", "ONR-411", false),
            ("ALTER TABLE t RENAME TO aside", "ONR-411", false),
            (
                "ALTER TABLE t RENAME TO aside; CREATE TABLE t (LIKE aside INCLUDING ALL)",
                "ONR-432",
                false,
            ),
            ("ALTER TABLE t DROP CONSTRAINT t_pkey", "ONR-440", false),
            (
                "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v)",
                "ONR-441",
                true,
            ),
            ("ALTER TABLE t ALTER k TYPE text", "ONR-441", true),
        ] {
            let (next, _) = across(&db, change).await;
            let failure = next.expect_err(change);
            let found = (failure.findings[0].code.id, failure.retry);
            assert_eq!(found, (code, retry), "{server} {change}: {failure:?}");
        }
        db.end().await;
    }
}

#[tokio::test]
async fn a_key_that_is_ordered_otherwise_is_another() {
    for server in SERVERS {
        let db = Database::new(server, "ordered").await;
        db.run(
            "CREATE TABLE t (k text COLLATE \"en-x-icu\" PRIMARY KEY, v int);
             INSERT INTO t SELECT chr(96 + n), n FROM generate_series(1, 20) n",
        )
        .await;
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let before = reader.key().to_vec();
        assert!(
            before[0].starts_with("k text collate pg_catalog.\"en-x-icu\" i en"),
            "{before:?}"
        );
        let mut batch = Batch::default();
        let first = after(&mut *reader, None, rows(5), &mut batch).await;
        db.run("ALTER TABLE t ALTER k TYPE text COLLATE \"C\"")
            .await;
        let next = after(&mut *reader, first.unwrap().last, ALL, &mut batch).await;
        assert_eq!(next.unwrap_err().findings[0].code.id, "ONR-441");
        let reader = db.reader("t", &["v"]).await.unwrap();
        assert_eq!(reader.key(), ["k text collate pg_catalog.\"C\" c C"]);
        db.run("ALTER TABLE t ALTER k TYPE text COLLATE \"default\"")
            .await;
        let reader = db.reader("t", &["v"]).await.unwrap();
        assert!(
            reader.key()[0].starts_with("k text collate default "),
            "{:?}",
            reader.key()
        );
        db.end().await;
    }
}

#[tokio::test]
async fn a_place_of_another_key_is_refused() {
    for server in SERVERS {
        let db = Database::new(server, "places").await;
        db.run(TABLE).await;
        let mut reader = db.reader("t", &["v"]).await.unwrap();
        let two = Some(Bound(vec!["1".into(), "2".into()]));
        let mut batch = Batch::default();
        let refused = after(&mut *reader, two, ALL, &mut batch).await.unwrap_err();
        assert_eq!(refused.findings[0].code.id, "ONR-441");
        let other = Some(Bound(vec!["not a number".into()]));
        let refused = after(&mut *reader, other, ALL, &mut batch)
            .await
            .unwrap_err();
        assert!(!format!("{refused:?}").contains("not a number"));
        still_reads(&mut *reader, &mut batch).await;
        db.end().await;
    }
}

async fn still_reads(reader: &mut dyn TableReader, batch: &mut Batch) {
    assert_eq!(after(reader, None, ALL, batch).await.unwrap().rows, 100);
}
