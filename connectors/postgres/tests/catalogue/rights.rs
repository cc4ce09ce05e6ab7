//! Who the gateway is, what it may, and what it never says.

use std::sync::Arc;

use onramp_connector::Connector;
use onramp_finding::{Kind, Severity};
use onramp_postgres::TlsMode;

use crate::database::{Database, remedy, request};

/// A role of the database's own, in place of the superuser.
async fn as_role(db: &mut Database, attributes: &str) -> String {
    let role = format!("{}_role", db.names.database);
    db.run(&format!(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN DROP ROLE {role}; END IF; END $$;
         CREATE ROLE {role} LOGIN {attributes} PASSWORD 'secret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ))
    .await;
    db.names.target.user = role.clone();
    db.names.target.password = Some(Arc::new(|| Ok("secret".into())));
    role
}

async fn end(db: Database, role: &str) {
    db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    db.end().await;
}

#[tokio::test]
async fn a_role_that_may_only_read_and_replicate_gets_the_sql_for_a_dba() {
    let mut db = Database::new("reader").await;
    db.run(
        "CREATE TABLE a (id int PRIMARY KEY, \"Größe\" text); CREATE TABLE b (id int PRIMARY KEY)",
    )
    .await;
    let role = as_role(&mut db, "REPLICATION").await;
    let wanted = request(&[("a", &["id"])]);
    let warned = db.look(&wanted).await;
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(
        (warned[0].code.id, warned[0].severity),
        ("ONR-425", Severity::Warning)
    );
    assert_eq!(
        warned[0].reason.as_deref(),
        Some("it may not create anything in the database; it does not own public.a")
    );
    let failure = db.prepare(&wanted).await.unwrap_err();
    assert_eq!(remedy(&warned[0]), remedy(&failure.findings[0]));
    assert_eq!(
        (failure.findings[0].code.id, failure.retry, failure.kind),
        ("ONR-425", false, Kind::Source)
    );
    assert_eq!(
        remedy(&failure.findings[0]),
        "CREATE PUBLICATION \"onramp \"\"p\"\"\" FOR TABLE ONLY \"public\".\"a\" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
    );
    db.run(remedy(&failure.findings[0])).await;
    assert_eq!(db.look(&wanted).await, [], "it is made");
    assert!(
        db.prepare(&wanted).await.unwrap().created,
        "the slot it may make itself"
    );
    // A table more is a statement more.
    let more = request(&[("a", &["id"]), ("b", &["id"])]);
    let warned = db.look(&more).await;
    assert_eq!(
        warned[0].reason.as_deref(),
        Some("it does not own the publication; it does not own public.b")
    );
    db.run("REVOKE USAGE ON SCHEMA public FROM PUBLIC").await;
    let hidden = db.look(&more).await;
    db.run("GRANT USAGE ON SCHEMA public TO PUBLIC").await;
    let told = hidden[0].reason.as_deref().unwrap();
    let schema = "it may not use the schema of public.b";
    assert!(told.ends_with(schema), "{told}");
    let failure = db.prepare(&more).await.unwrap_err();
    assert_eq!(remedy(&warned[0]), remedy(&failure.findings[0]));
    assert_eq!(
        remedy(&failure.findings[0]),
        "ALTER PUBLICATION \"onramp \"\"p\"\"\" ADD TABLE ONLY \"public\".\"b\""
    );
    db.run(remedy(&failure.findings[0])).await;
    db.prepare(&more).await.unwrap();
    end(db, &role).await;
}

#[tokio::test]
async fn a_role_that_may_not_replicate_gets_the_statement() {
    let mut db = Database::new("no_replication").await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    let wanted = request(&[("a", &["id"])]);
    let role = as_role(&mut db, "NOREPLICATION").await;
    let statement = format!("ALTER ROLE \"{role}\" REPLICATION");
    let warned = db.look(&wanted).await;
    assert_eq!(
        (warned[0].code.id, warned[0].severity),
        ("ONR-409", Severity::Warning)
    );
    assert_eq!(remedy(&warned[0]), statement);
    db.run("CREATE PUBLICATION \"onramp \"\"p\"\"\" FOR TABLE a WITH (publish_via_partition_root = true)").await;
    let failure = db.prepare(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, remedy(&failure.findings[0])),
        ("ONR-425", statement.as_str())
    );
    db.run(&statement).await;
    db.prepare(&wanted).await.unwrap();
    end(db, &role).await;
}

#[tokio::test]
async fn troubles_with_the_connection_are_told_apart() {
    let mut db = Database::new("connection").await;
    let wanted = request(&[]);
    let good = db.names.target.clone();
    db.names.target.password = Some(Arc::new(|| Err("the file /run/x is not there".into())));
    let failure = db.connector().preflight(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.kind),
        ("ONR-400", Kind::Configuration)
    );
    db.names.target.password = Some(Arc::new(|| Ok("wrong-and-secret".into())));
    let failure = db.connector().preflight(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-402", false)
    );
    assert!(!format!("{failure:?}").contains("wrong-and-secret"));
    db.names.target = good.clone();
    db.names.target.database = "onramp_no_such".into();
    let failure = db.connector().preflight(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-402", false)
    );
    db.names.target = good;
    db.names.target.port = 1;
    let failure = db.connector().preflight(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-401", true)
    );
    db.end().await;
}

#[tokio::test]
async fn what_no_second_try_can_mend_stops() {
    let mut db = Database::new("hopeless").await;
    let wanted = request(&[]);
    let good = db.names.target.clone();
    let ca =
        std::env::var("ONRAMP_TEST_CA").expect("ONRAMP_TEST_CA is not set: eval the services' env");
    db.names.target.tls = TlsMode::VerifyFull;
    db.names.target.ca = Some(ca.into());
    db.connector().preflight(&wanted).await.expect("over TLS");
    // The machine's own authorities did not sign the server's certificate, or there are none.
    db.names.target.ca = None;
    let failure = db.connector().preflight(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-450", false),
        "{failure:?}"
    );
    db.names.target = good;
    db.names.target.password = None;
    let failure = db.connector().preflight(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-451", false),
        "{failure:?}"
    );
    db.end().await;
}

#[tokio::test]
async fn what_an_event_trigger_says_is_not_passed_on() {
    let db = Database::new("trigger").await;
    db.run(
        "CREATE TABLE a (id int PRIMARY KEY);
         CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'planted-message' USING DETAIL = 'planted-detail', HINT = 'planted-hint'; END $$;
         CREATE EVENT TRIGGER t ON ddl_command_end WHEN TAG IN ('CREATE PUBLICATION') EXECUTE FUNCTION f();",
    )
    .await;
    let failure = db.prepare(&request(&[("a", &["id"])])).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-403", false)
    );
    let said = format!("{failure:?}");
    assert!(
        said.contains("P0001") && !said.contains("planted"),
        "{said}"
    );
    assert!(db.published().await.is_empty());
    db.end().await;
}
