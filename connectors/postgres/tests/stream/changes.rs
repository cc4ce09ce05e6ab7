//! What happens to rows, and to their tables meanwhile.

use std::time::Duration;

use onramp_connector::{Batch, BeforeImage, Item};

use crate::source::{LIMITS, Source, read};

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
async fn a_replica_identity_that_changes_is_told_before_its_first_row() {
    let source = Source::new("identity").await;
    source
        .run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        .await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1, 'a')").await;
    source.run("ALTER TABLE t REPLICA IDENTITY FULL").await;
    source.run("UPDATE t SET v = 'b'").await;
    source.run("ALTER TABLE t REPLICA IDENTITY DEFAULT").await;
    source.run("UPDATE t SET v = 'c'").await;
    let mut stream = source.stream(&from).await;
    let log = read(&mut *stream, 3).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.t",
            "Insert - => 1|a",
            "commit",
            "begin",
            "layout public.t",
            "Update 1|a => 1|b",
            "commit",
            "begin",
            "layout public.t",
            "Update - => 1|c",
            "commit"
        ]
    );
    assert_eq!(log.last, Some(BeforeImage::Key(vec!["id".into()])));
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn prepared_transactions_come_when_they_commit_and_what_is_undone_never() {
    let source = Source::new("prepared").await;
    source.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let from = source.hold().await;
    // Their names are the server's, whatever the database.
    let name = &source.names.database;
    for sql in [
        &*format!("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION '{name}_kept'"),
        &*format!("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION '{name}_undone'"),
        "BEGIN; INSERT INTO t VALUES (3); SAVEPOINT s; INSERT INTO t VALUES (4);
         ROLLBACK TO SAVEPOINT s; INSERT INTO t VALUES (5); COMMIT",
        "BEGIN; INSERT INTO t VALUES (6); ROLLBACK",
        &*format!("ROLLBACK PREPARED '{name}_undone'"),
        &*format!("COMMIT PREPARED '{name}_kept'"),
        "INSERT INTO t VALUES (7)",
    ] {
        source.run(sql).await;
    }
    let mut stream = source.stream(&from).await;
    let log = read(&mut *stream, 3).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.t",
            "Insert - => 3",
            "Insert - => 5",
            "commit",
            "begin",
            "Insert - => 1",
            "commit",
            "begin",
            "Insert - => 7",
            "commit"
        ]
    );
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn changes_that_share_a_place_in_the_log_all_come_again_after_a_restart() {
    const ROWS: usize = 3000;
    let source = Source::new("shared").await;
    source
        .run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        .await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (0, 'first')").await;
    // A server-side COPY writes many rows as one record of the log.
    let file = format!("/tmp/{}_rows", source.names.database);
    source
        .run(&format!(
            "COPY (SELECT n, repeat('x', 200) FROM generate_series(1, {ROWS}) n) TO '{file}';
             COPY t FROM '{file}'"
        ))
        .await;
    let mut stream = source.stream(&from).await;
    // The first whole transaction, and some of the second.
    let (mut batch, mut position, mut rows) = (Batch::default(), None, 0);
    while rows < 100 {
        stream
            .next(&mut batch, Duration::from_secs(10))
            .await
            .unwrap();
        rows += changes(&batch);
        position = batch.position.clone().or(position);
        assert!(rows < ROWS, "the batch held all of it");
    }
    drop(stream);
    let mut stream = source.stream(&position.unwrap()).await;
    let (mut batch, mut rows) = (Batch::default(), 0);
    while !batch.items.contains(&Item::Commit) {
        stream
            .next(&mut batch, Duration::from_secs(10))
            .await
            .unwrap();
        rows += changes(&batch);
    }
    assert_eq!(rows, ROWS);
    assert!(rows * 200 > LIMITS.batch_bytes);
    drop(stream);
    source.end().await;
}

fn changes(batch: &Batch) -> usize {
    let change = |item: &&Item| matches!(item, Item::Change(_));
    batch.items.iter().filter(change).count()
}
