//! What the catalogue says of tables.

use onramp_connector::{BeforeImage, Connector, ValueType};
use onramp_finding::Severity;

use crate::database::{Database, ident, remedy, request};

#[tokio::test]
async fn a_table_is_described_as_the_catalogue_has_it() {
    let db = Database::new("described").await;
    db.run(
        "CREATE TYPE mood AS ENUM ('sad', 'glad');
         CREATE DOMAIN code AS char(2); CREATE DOMAIN code2 AS code NOT NULL;
         CREATE DOMAIN feeling AS mood;
         CREATE TABLE t (id bigint PRIMARY KEY, n numeric(12,2) NOT NULL, free numeric, c char(3), d code2,
            m mood, f feeling, txt text, v varchar(5), wide varchar(60), j jsonb, tags text[], at timestamptz,
            gone int, twice bigint GENERATED ALWAYS AS (id * 2) STORED, p point,
            UNIQUE (n, id) DEFERRABLE, UNIQUE (wide));
         CREATE UNIQUE INDEX part ON t (n) WHERE n > 0;
         ALTER TABLE t DROP COLUMN gone;
         COMMENT ON TABLE t IS 'a table'; COMMENT ON COLUMN t.n IS 'an amount';
         INSERT INTO t (id, n, d) SELECT i, i, 'xx' FROM generate_series(1, 500) i; ANALYZE t;
         CREATE TABLE never (id int);",
    )
    .await;
    let names = [ident("t"), ident("absent"), ident("never")];
    let described = db.connector().describe(&names).await.unwrap();
    assert_eq!(described.len(), 2, "what does not exist is missing");
    let table = &described[0];
    let types: Vec<(&str, &ValueType)> = table
        .columns
        .iter()
        .map(|c| (c.name.as_str(), &c.value_type))
        .collect();
    let mood = ValueType::Enum(["sad".to_owned(), "glad".to_owned()].as_slice().into());
    assert_eq!(
        types,
        [
            ("id", &ValueType::Int(64)),
            ("n", &ValueType::Decimal(Some((12, 2)))),
            ("free", &ValueType::Decimal(None)),
            ("c", &ValueType::Text),
            ("d", &ValueType::Text),
            ("m", &mood),
            ("f", &mood),
            ("txt", &ValueType::Text),
            ("v", &ValueType::Text),
            ("wide", &ValueType::Text),
            ("j", &ValueType::Json),
            ("tags", &ValueType::Unsupported),
            ("at", &ValueType::Timestamp),
            ("twice", &ValueType::Unsupported),
            ("p", &ValueType::Unsupported),
        ]
    );
    let column = |name: &str| table.columns.iter().find(|c| c.name == name).unwrap();
    assert_eq!(column("n").type_name, "numeric(12,2)");
    assert_eq!(column("twice").type_name, "bigint generated");
    assert_eq!(column("n").comment.as_deref(), Some("an amount"));
    assert!(!column("n").nullable && column("txt").nullable);
    let out: Vec<&str> = table
        .columns
        .iter()
        .filter(|c| c.may_be_left_out)
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(out, ["free", "txt", "wide", "j", "tags"]);
    let unique: Vec<(&str, bool, bool, bool)> = table
        .unique
        .iter()
        .map(|i| (i.name.as_str(), i.primary, i.deferrable, i.total))
        .collect();
    assert_eq!(
        unique,
        [
            ("t_pkey", true, false, true),
            ("part", false, false, false),
            ("t_n_id_key", false, true, true),
            ("t_wide_key", false, false, false),
        ]
    );
    assert_eq!(table.unique[2].columns, ["n", "id"]);
    assert_eq!(table.before, BeforeImage::Key(vec!["id".into()]));
    assert_eq!(
        (table.comment.as_deref(), table.rows_estimate),
        (Some("a table"), Some(500))
    );
    assert_eq!(
        (&described[1].before, described[1].rows_estimate),
        (&BeforeImage::None, None)
    );
    db.end().await;
}

#[tokio::test]
async fn a_partitioned_table_is_what_its_leaves_are() {
    let db = Database::new("leaves").await;
    db.run(
        "CREATE TABLE t (id int, at int, v text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
         CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
         CREATE TABLE t21 PARTITION OF t2 FOR VALUES IN (1);
         INSERT INTO t VALUES (1, 1, 'a'), (1, 11, 'b'), (2, 2, 'c'); ANALYZE t;
         ALTER TABLE t1 REPLICA IDENTITY FULL;",
    )
    .await;
    let describe = async || {
        db.connector()
            .describe(&[ident("t")])
            .await
            .unwrap()
            .remove(0)
    };
    let table = describe().await;
    assert_eq!(
        table.before,
        BeforeImage::Key(vec!["at".into(), "id".into()])
    );
    assert_eq!(table.rows_estimate, Some(3), "rows are counted once");
    db.run("ALTER TABLE t21 REPLICA IDENTITY FULL; ALTER TABLE t REPLICA IDENTITY FULL")
        .await;
    let key = BeforeImage::Key(vec!["at".into(), "id".into()]);
    assert_eq!(
        describe().await.before,
        key,
        "a partition that comes later need not be FULL"
    );
    db.run("ALTER TABLE t21 REPLICA IDENTITY NOTHING").await;
    assert_eq!(describe().await.before, BeforeImage::None);
    db.end().await;
}

#[tokio::test]
async fn values_that_may_be_left_out_are_said_precisely() {
    let db = Database::new("toast").await;
    db.run(
        "CREATE TABLE narrow (id int PRIMARY KEY, c char(3), v varchar(30), n numeric(10,2));
         CREATE TABLE wide (id int PRIMARY KEY, v varchar(5), txt text, other text);",
    )
    .await;
    // No row of it can grow past a page's share: there is no TOAST relation.
    assert_eq!(
        db.look(&request(&[("narrow", &["id", "c", "v", "n"])]))
            .await,
        []
    );
    assert_eq!(
        db.look(&request(&[("wide", &["id", "v"])])).await,
        [],
        "its width rules it out"
    );
    let mapped = request(&[("wide", &["id", "txt"])]);
    let warned = db.look(&mapped).await;
    assert_eq!(
        (warned[0].code.id, warned[0].severity),
        ("ONR-415", Severity::Warning)
    );
    let mut accepted = mapped.clone();
    accepted.tables[0].accept_left_out = true;
    assert_eq!(db.look(&accepted).await, [], "it is accepted already");
    db.prepare(&mapped).await.unwrap();
    // Another column's values may be the ones that are stored so.
    db.run("ALTER TABLE wide ALTER other SET STORAGE EXTERNAL; INSERT INTO wide VALUES (1, '', '', repeat('x', 9000))").await;
    let refused = db.refused(&mapped).await;
    assert_eq!(refused.code.id, "ONR-415");
    assert!(
        remedy(&refused).starts_with("ALTER TABLE \"public\".\"wide\" REPLICA IDENTITY FULL (each")
    );
    assert_eq!(db.look(&accepted).await, []);
    // A column's STORAGE says nothing of the rows that are there.
    db.run("ALTER TABLE wide ALTER txt SET STORAGE PLAIN").await;
    assert_eq!(db.refused(&mapped).await.code.id, "ONR-415");
    db.run("ALTER TABLE wide REPLICA IDENTITY FULL").await;
    assert_eq!(db.look(&mapped).await, []);
    db.end().await;
}
