//! The publication: made, added to, and checked where a DBA made it.

use crate::database::{Database, remedy, request};

#[tokio::test]
async fn tables_are_only_ever_added() {
    let db = Database::new("added").await;
    db.run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE bad (id int)").await;
    let first = db.prepare(&request(&[("a", &["id"])])).await.unwrap();
    assert!(first.created);
    assert_eq!(db.published().await, ["onramp \"p\" a"]);
    let again = db.prepare(&request(&[("a", &["id"])])).await.unwrap();
    assert_eq!(
        (again.created, &again.from),
        (false, &first.from),
        "safe to repeat"
    );
    let only_b = request(&[("b", &["id"])]);
    db.prepare(&only_b).await.unwrap();
    assert_eq!(db.published().await, ["onramp \"p\" a", "onramp \"p\" b"]);
    let said = db.look(&only_b).await;
    assert_eq!(said[0].code.id, "ONR-429");
    assert_eq!(
        remedy(&said[0]),
        "ALTER PUBLICATION \"onramp \"\"p\"\"\" DROP TABLE ONLY \"public\".\"a\""
    );
    assert!(
        db.prepare(&request(&[("b", &["id"]), ("bad", &["id"])]))
            .await
            .is_err()
    );
    assert_eq!(db.published().await, ["onramp \"p\" a", "onramp \"p\" b"]);
    db.run(remedy(&said[0])).await;
    assert_eq!(db.look(&only_b).await, []);
    db.end().await;
}

#[tokio::test]
async fn a_dbas_publication_is_checked_and_the_printed_sql_mends_it() {
    let mut db = Database::new("dba").await;
    db.names.publication_by_dba = true;
    db.names.publication = "theirs".into();
    db.run("CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY)")
        .await;
    let wanted = request(&[("a", &["id", "n"]), ("b", &["id"])]);
    let absent = db.refused(&wanted).await;
    assert_eq!(absent.code.id, "ONR-416");
    let whole = "publish_via_partition_root = true";
    for (made, reason) in [
        (format!("FOR TABLE a WITH ({whole})"), "it lacks public.b"),
        (
            format!("FOR TABLE a, b WITH (publish = 'insert, update, delete', {whole})"),
            "does not publish all",
        ),
        (
            "FOR TABLE a, b".to_owned(),
            "publish_via_partition_root is off",
        ),
        (
            format!("FOR TABLE a WHERE (id > 1), b WITH ({whole})"),
            "it narrows public.a",
        ),
        (
            format!("FOR TABLE a (id), b WITH ({whole})"),
            "it narrows public.a",
        ),
        (
            format!("FOR ALL TABLES WITH ({whole})"),
            "it names all tables",
        ),
        (
            format!("FOR TABLES IN SCHEMA public WITH ({whole})"),
            "it names all tables or whole schemas",
        ),
        (
            "FOR TABLE a (id) WITH (publish = 'insert')".to_owned(),
            "it lacks public.b",
        ),
    ] {
        db.run(&format!(
            "DROP PUBLICATION IF EXISTS theirs; CREATE PUBLICATION theirs {made}"
        ))
        .await;
        let found = db.refused(&wanted).await;
        assert_eq!(found.code.id, "ONR-417");
        assert!(found.reason.as_ref().unwrap().contains(reason), "{found:?}");
        db.run(remedy(&found)).await;
        assert_eq!(db.look(&wanted).await, [], "{made}");
    }
    db.run("DROP PUBLICATION theirs").await;
    db.run(remedy(&absent)).await;
    assert_eq!(db.look(&wanted).await, []);
    db.prepare(&wanted).await.unwrap();
    db.end().await;
}

#[tokio::test]
async fn our_own_publication_altered_by_somebody_is_refused() {
    let db = Database::new("altered").await;
    db.run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE unfit (id int)")
        .await;
    let wanted = request(&[("a", &["id"])]);
    // To publish updates of a table that nobody has looked at would break the application's own.
    db.run("CREATE PUBLICATION \"onramp \"\"p\"\"\" FOR TABLE a, unfit WITH (publish = 'insert', publish_via_partition_root = true)").await;
    assert_eq!(db.refused(&wanted).await.code.id, "ONR-417");
    db.run("INSERT INTO unfit VALUES (1); UPDATE unfit SET id = 2")
        .await;
    db.end().await;
}

#[tokio::test]
async fn a_table_that_others_inherit_from_brings_none_of_them_in() {
    let mut db = Database::new("only").await;
    db.run("CREATE TABLE parent (id int PRIMARY KEY)").await;
    let wanted = request(&[("parent", &["id"])]);
    db.names.publication_by_dba = true;
    let statement = db.refused(&wanted).await;
    db.run("CREATE TABLE child (b int) INHERITS (parent)").await;
    db.run(remedy(&statement)).await;
    assert_eq!(db.published().await, ["onramp \"p\" parent"]);
    db.end().await;
}
