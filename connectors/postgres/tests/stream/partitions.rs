//! Rows of partitions, whose own replica identity decides what their old rows hold.

use onramp_connector::BeforeImage;

use crate::source::{Source, read};

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

/// Two partitions, of which the second's old rows hold the column `v` alone.
const NARROW: &str = "
    CREATE TABLE t2 (id int NOT NULL, v int NOT NULL, w text);
    CREATE UNIQUE INDEX t2_v ON t2 (v);
    ALTER TABLE t2 REPLICA IDENTITY USING INDEX t2_v;
    ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (10) TO (20)";

async fn partitioned(name: &str) -> Source {
    let mut source = Source::new(name).await;
    source
        .run(
            "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, w text) PARTITION BY RANGE (id);
             CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
             CREATE PUBLICATION r FOR TABLE t WITH (publish_via_partition_root = true)",
        )
        .await;
    source.names.publication = "r".into();
    source
}

#[tokio::test]
async fn a_partition_that_is_attached_meanwhile_is_judged_by_its_own_identity() {
    let source = partitioned("attached").await;
    let from = source.hold().await;
    let mut stream = source.stream(&from).await;
    source.run("INSERT INTO t VALUES (1, 1, 'a')").await;
    let log = read(&mut *stream, 1).await;
    assert_eq!(log.before, Some(BeforeImage::Key(vec!["id".into()])));
    source.run(NARROW).await;
    source.run("INSERT INTO t VALUES (11, 11, 'b')").await;
    // The key's move is not in the log: the identity does not hold it.
    source.run("UPDATE t SET id = 12 WHERE id = 11").await;
    let log = read(&mut *stream, 2).await;
    assert_eq!(
        log.lines,
        [
            "begin",
            "layout public.t2",
            "layout public.t",
            "Insert - => 11|11|b",
            "commit",
            "begin",
            "Update - => 12|11|b",
            "commit"
        ]
    );
    assert_eq!(
        log.last,
        Some(BeforeImage::None),
        "old rows are not to be told"
    );
    drop(stream);
    source.end().await;
}

#[tokio::test]
async fn an_identity_is_judged_at_its_place_in_the_log_not_by_the_catalogue_of_now() {
    let source = partitioned("judged").await;
    source.run(NARROW).await;
    let from = source.hold().await;
    source.run("INSERT INTO t VALUES (1, 1, 'a')").await;
    source.run("INSERT INTO t VALUES (11, 11, 'b')").await;
    source.run("ALTER TABLE t2 REPLICA IDENTITY DEFAULT").await;
    source.run("INSERT INTO t VALUES (12, 12, 'c')").await;
    let mut stream = source.stream(&from).await;
    let key = Some(BeforeImage::Key(vec!["id".into()]));
    assert_eq!(read(&mut *stream, 1).await.last, key);
    assert_eq!(read(&mut *stream, 1).await.last, Some(BeforeImage::None));
    assert_eq!(read(&mut *stream, 1).await.last, key);
    drop(stream);
    source.end().await;
}
