//! The slot: made, checked, held against progress, and who has it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use onramp_connector::{Acquired, Connector, Instance, Position};
use onramp_finding::Severity;

use crate::database::{DEADLINE, Database, connect, remedy, request, variable};

async fn with_table(name: &str) -> Database {
    let db = Database::new(name).await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    db
}

#[tokio::test]
async fn a_dbas_slot_is_asked_for_with_its_statement() {
    let mut db = with_table("dba_slot").await;
    db.names.slot_by_dba = true;
    let wanted = request(&[("a", &["id"])]);
    let found = db.refused(&wanted).await;
    assert_eq!(found.code.id, "ONR-418");
    db.names.slot_by_dba = false;
    db.run(remedy(&found)).await;
    db.names.slot_by_dba = true;
    assert_eq!(db.look(&wanted).await, []);
    assert!(!db.prepare(&wanted).await.unwrap().created);
    db.end().await;
}

#[tokio::test]
async fn a_slot_that_is_anothers_is_refused() {
    let db = with_table("other_slot").await;
    let wanted = request(&[("a", &["id"])]);
    let name = &db.names.slot;
    for made in [
        format!("SELECT pg_create_physical_replication_slot('{name}')"),
        format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', false, true)"),
        format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', true)"),
    ] {
        db.run(&made).await;
        assert_eq!(db.refused(&wanted).await.code.id, "ONR-419", "{made}");
        db.run(&format!("SELECT pg_drop_replication_slot('{name}')"))
            .await;
    }
    let mut elsewhere = db.config.clone();
    elsewhere.dbname("postgres");
    let other = connect(&elsewhere).await;
    let make = format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')");
    other.batch_execute(&make).await.unwrap();
    assert_eq!(db.refused(&wanted).await.code.id, "ONR-419");
    other
        .batch_execute(&format!("SELECT pg_drop_replication_slot('{name}')"))
        .await
        .unwrap();
    db.end().await;
}

#[tokio::test]
async fn a_slot_that_no_longer_holds_what_follows_progress_is_refused() {
    let db = with_table("progress").await;
    let first = db.prepare(&request(&[("a", &["id"])])).await.unwrap();
    let mut wanted = request(&[("a", &["id"])]);
    wanted.progress = Some(first.from.clone());
    wanted.identity = Some(db.connector().identity().await.unwrap());
    assert_eq!(db.prepare(&wanted).await.unwrap().from, first.from);
    db.run("INSERT INTO a VALUES (1)").await;
    let slot = &db.names.slot;
    db.run(&format!(
        "SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())"
    ))
    .await;
    let refused = async |id: &str| assert_eq!(db.refused(&wanted).await.code.id, id);
    // While another has it, it may have moved on since progress was read.
    let other = Holder::of(&db, "onramp/another").await;
    db.prepare(&wanted).await.unwrap();
    drop(other);
    free(&db).await;
    let warned = db.look(&wanted).await;
    assert_eq!(
        (warned[0].code.id, warned[0].severity),
        ("ONR-422", Severity::Warning)
    );
    let failure = db.prepare(&wanted).await.unwrap_err();
    assert_eq!(
        (failure.findings[0].code.id, failure.retry),
        ("ONR-422", false)
    );
    db.run(&format!("SELECT pg_drop_replication_slot('{slot}')"))
        .await;
    refused("ONR-421").await;
    assert_eq!(
        db.ask(
            "SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()"
        )
        .await,
        "0"
    );
    let mut broken = wanted.clone();
    broken.progress = Some(Position("nowhere".into()));
    assert_eq!(
        db.prepare(&broken).await.unwrap_err().findings[0].code.id,
        "ONR-426"
    );
    db.end().await;
}

/// Somebody who has the slot, as another process.
struct Holder(Child);

impl Holder {
    async fn of(db: &Database, application: &str) -> Holder {
        let bin = std::env::var(variable("BIN")).expect("eval the services' env, which names it");
        let target = &db.names.target;
        let child = Command::new(format!("{bin}/pg_recvlogical"))
            .args(["--start", "--no-loop", "-f", "-", "-S", &db.names.slot])
            .args([
                "-o",
                "proto_version=1",
                "-o",
                "publication_names=onramp_none",
            ])
            .args([
                "-h",
                &target.host,
                "-p",
                &target.port.to_string(),
                "-U",
                &target.user,
            ])
            .args(["-d", &db.names.database])
            .env("PGPASSWORD", target.password.as_ref().unwrap()().unwrap())
            .env("PGAPPNAME", application)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let holder = Holder(child);
        let start = Instant::now();
        while db.ask("SELECT coalesce(bool_or(active), false)::text FROM pg_replication_slots WHERE database = current_database()").await != "true" {
            assert!(start.elapsed() < DEADLINE, "the slot was not taken");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        holder
    }
}

/// Waits until nobody has the slot.
async fn free(db: &Database) {
    let start = Instant::now();
    let active = "SELECT bool_or(active)::text FROM pg_replication_slots WHERE database = current_database()";
    while db.ask(active).await == "true" {
        assert!(start.elapsed() < DEADLINE, "the slot was not given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_earlier_connection_of_this_process_is_ended_and_every_other_is_waited_for() {
    let mut db = with_table("held").await;
    db.names.target.application_name = format!("onramp/this/{}", "x".repeat(80));
    db.prepare(&request(&[("a", &["id"])])).await.unwrap();
    let instance = Instance("this".into());

    let mut other = Holder::of(&db, "onramp/another").await;
    let Acquired::Held(who) = db.connector().acquire(&instance).await.unwrap() else {
        panic!("it is held");
    };
    assert!(
        who.contains("onramp/another") && who.contains("127.0.0.1"),
        "{who}"
    );
    assert!(other.0.try_wait().unwrap().is_none(), "it is left alone");
    drop(other);
    free(&db).await;

    let mut own = Holder::of(&db, &db.names.target.application_name).await;
    let Acquired::Lease(lease) = db.connector().acquire(&instance).await.unwrap() else {
        panic!("our own is no hindrance");
    };
    let start = Instant::now();
    while own.0.try_wait().unwrap().is_none() {
        assert!(
            start.elapsed() < DEADLINE,
            "the earlier connection was not ended"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(lease);
    db.end().await;
}
