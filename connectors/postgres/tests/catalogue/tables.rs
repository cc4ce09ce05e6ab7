//! Tables that are refused, and by which words.

use onramp_finding::Severity;

use crate::database::{Database, remedy, request, server};

#[tokio::test]
async fn what_is_no_table_with_a_log_is_refused() {
    let db = Database::new("no_log").await;
    db.run(
        "CREATE TABLE r (id int PRIMARY KEY); CREATE VIEW v AS SELECT * FROM r;
         CREATE MATERIALIZED VIEW m AS SELECT * FROM r; CREATE UNLOGGED TABLE u (id int PRIMARY KEY);
         CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE UNLOGGED TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
    )
    .await;
    assert_eq!(
        db.refused(&request(&[("absent", &["id"])])).await.code.id,
        "ONR-411"
    );
    db.run("CREATE TABLE ordr_hdr (id int PRIMARY KEY); CREATE SCHEMA shop; CREATE TABLE shop.acct (id int)")
        .await;
    for (wrong, meant) in [
        ("Ordr_Hdr", "public.ordr_hdr"),
        ("ordr_hrd", "public.ordr_hdr"),
        ("acct", "shop.acct"),
    ] {
        let found = db.look(&request(&[(wrong, &["id"])])).await;
        assert_eq!(remedy(&found[0]), format!("did you mean `{meant}`?"));
    }
    for (table, what) in [
        ("v", "it is a view"),
        ("m", "it is a materialised view"),
        ("u", "it is an unlogged table"),
        ("p", "the partition is an unlogged table"),
    ] {
        let found = db
            .refused(&request(&[("r", &["id"]), (table, &["id"])]))
            .await;
        assert_eq!((found.code.id, found.message.as_str()), ("ONR-412", what));
        assert_eq!(found.product, Some(format!("shop.{table}.v1")));
    }
    db.end().await;
}

#[tokio::test]
async fn a_table_without_a_usable_identity_is_never_added_and_the_printed_sql_mends_it() {
    let db = Database::new("identity").await;
    db.run(
        "CREATE TABLE bare (id int);
         CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
         CREATE TABLE indexed (id int NOT NULL, a int); CREATE UNIQUE INDEX \"Ix\" ON indexed (id);
         CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
         CREATE TABLE dropped (id int NOT NULL); CREATE UNIQUE INDEX gone ON dropped (id);
         ALTER TABLE dropped REPLICA IDENTITY USING INDEX gone; DROP INDEX gone;",
    )
    .await;
    for (table, statement) in [
        (
            "nothing",
            "ALTER TABLE \"public\".\"nothing\" REPLICA IDENTITY DEFAULT",
        ),
        (
            "indexed",
            "ALTER TABLE \"public\".\"indexed\" REPLICA IDENTITY USING INDEX \"Ix\"",
        ),
        (
            "bare",
            "ALTER TABLE \"public\".\"bare\" REPLICA IDENTITY FULL",
        ),
        (
            "late",
            "ALTER TABLE \"public\".\"late\" REPLICA IDENTITY FULL",
        ),
        (
            "dropped",
            "ALTER TABLE \"public\".\"dropped\" REPLICA IDENTITY FULL",
        ),
    ] {
        let wanted = request(&[(table, &["id"])]);
        let found = db.refused(&wanted).await;
        assert_eq!(found.code.id, "ONR-414", "{table}");
        assert!(remedy(&found).contains(statement), "{}", remedy(&found));
        db.run(statement).await;
        db.prepare(&wanted).await.unwrap();
        db.run(&format!(
            "INSERT INTO {table} VALUES (1); UPDATE {table} SET id = 2; DELETE FROM {table}"
        ))
        .await;
    }
    db.end().await;
}

#[tokio::test]
async fn a_partitioned_table_needs_a_key_on_its_root_and_identities_on_every_leaf() {
    let db = Database::new("partitions").await;
    db.run(
        "CREATE TABLE p (id int NOT NULL, a int) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
         ALTER TABLE p1 REPLICA IDENTITY FULL;
         CREATE TABLE k (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE k1 PARTITION OF k FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (id);
         CREATE TABLE k11 PARTITION OF k1 FOR VALUES FROM (0) TO (9);
         ALTER TABLE k11 REPLICA IDENTITY NOTHING;
         CREATE TABLE d (id int PRIMARY KEY DEFERRABLE) PARTITION BY RANGE (id);",
    )
    .await;
    let mut db = db;
    let wanted = request(&[("p", &["id"])]);
    assert_eq!(db.refused(&wanted).await.code.id, "ONR-413");
    assert_eq!(
        db.refused(&request(&[("d", &["id"])])).await.code.id,
        "ONR-413"
    );
    let leaf = db.refused(&request(&[("k", &["id"])])).await;
    assert_eq!(leaf.code.id, "ONR-414");
    assert_eq!(
        remedy(&leaf),
        "ALTER TABLE \"public\".\"k11\" REPLICA IDENTITY DEFAULT"
    );
    // Accepted by name, every leaf that is there must still be fit.
    db.names.accept_partitions_without_key = true;
    db.run("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (19)")
        .await;
    assert_eq!(db.refused(&wanted).await.code.id, "ONR-414");
    db.run("ALTER TABLE p2 REPLICA IDENTITY FULL").await;
    assert_eq!(db.look(&wanted).await, []);
    db.end().await;
}

#[tokio::test]
async fn a_table_whose_rows_would_come_under_another_name_is_refused() {
    let db = Database::new("names").await;
    db.run(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
         CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (b int) INHERITS (parent);",
    )
    .await;
    let inherited = db.refused(&request(&[("parent", &["id"])])).await;
    assert_eq!(inherited.code.id, "ONR-427");
    assert!(inherited.reason.unwrap().contains("public.child"));
    let both = db
        .refused(&request(&[("p", &["id"]), ("p1", &["id"])]))
        .await;
    assert_eq!(both.code.id, "ONR-428");
    // The root is left in the publication when nobody maps it any more.
    db.prepare(&request(&[("p", &["id"])])).await.unwrap();
    assert_eq!(
        db.refused(&request(&[("p1", &["id"])])).await.code.id,
        "ONR-428"
    );
    db.end().await;
}

#[tokio::test]
async fn a_generated_column_in_the_identity_is_refused_where_the_server_would_refuse_updates() {
    const MAKE: &str =
        "CREATE TABLE g (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
        ALTER TABLE g REPLICA IDENTITY FULL; INSERT INTO g VALUES (1)";
    let wanted = request(&[("g", &["id"])]);
    let older = Database::on(server("ONRAMP_TEST_POSTGRES15_URL"), "generated").await;
    older.run(MAKE).await;
    assert_eq!(older.look(&wanted).await, []);
    older.prepare(&wanted).await.unwrap();
    older.run("UPDATE g SET id = 2").await;
    older.end().await;

    let newer = Database::on(server("ONRAMP_TEST_POSTGRES18_URL"), "generated").await;
    newer.run(MAKE).await;
    let found = newer.refused(&wanted).await;
    assert_eq!(found.code.id, "ONR-414");
    newer.run("CREATE PUBLICATION harm FOR TABLE g").await;
    assert!(
        newer
            .sql
            .batch_execute("UPDATE g SET id = 2")
            .await
            .is_err(),
        "so it would be"
    );
    newer.run("DROP PUBLICATION harm").await;
    newer.run(remedy(&found)).await;
    newer.prepare(&wanted).await.unwrap();
    newer.run("UPDATE g SET id = 2").await;
    newer.end().await;
}

#[tokio::test]
async fn every_finding_comes_in_one_call() {
    let db = Database::new("every").await;
    db.run("CREATE TABLE a (id int); CREATE VIEW b AS SELECT 1 AS id")
        .await;
    let all = request(&[("a", &["id"]), ("b", &["id"]), ("c", &["id"])]);
    let mut ids: Vec<&str> = db
        .look(&all)
        .await
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.code.id)
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["ONR-411", "ONR-412", "ONR-414"]);
    db.end().await;
}
