//! Which history progress belongs to, on servers whose history was changed.

use std::path::PathBuf;
use std::process::Command;

use onramp_connector::{Connector, Position};
use onramp_postgres::TlsMode;

use crate::database::{DEADLINE, Database, request, service};
use crate::own::Port;

#[tokio::test]
async fn progress_of_another_database_or_beyond_the_log_is_refused() {
    let db = Database::new("history").await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    let mut wanted = request(&[("a", &["id"])]);
    let from = db.prepare(&wanted).await.unwrap().from;
    let ours = db.connector().identity().await.unwrap();
    let database = format!("/{}", db.names.database);
    assert!(ours.system.ends_with(&database) && ours.branch == "1");
    wanted.progress = Some(from);
    wanted.identity = Some(ours.clone());
    db.prepare(&wanted).await.unwrap();
    let id = async |wanted| db.prepare(&wanted).await.unwrap_err().findings[0].code.id;
    let mut other = wanted.clone();
    other.identity.as_mut().unwrap().system = "7/shop".into();
    assert_eq!(id(other).await, "ONR-423");
    let mut other = wanted.clone();
    other.identity.as_mut().unwrap().branch = "2".into();
    assert_eq!(id(other).await, "ONR-424");
    wanted.progress = Some(Position("FFFF/0".into()));
    assert_eq!(id(wanted).await, "ONR-430");
    db.end().await;
}

/// A server of the test's own, whose data it may spoil.
pub(crate) struct Private {
    folder: PathBuf,
    port: Port,
}

impl Private {
    pub(crate) fn start() -> Private {
        let port = Port::claim();
        let folder = std::env::temp_dir().join(format!("onramp-catalogue-{}", port.number));
        std::fs::create_dir_all(&folder).unwrap();
        let private = Private { folder, port };
        private.services("start");
        private
    }

    fn services(&self, command: &str) {
        let script = std::env::var("ONRAMP_TEST_SERVICES").expect(
            "ONRAMP_TEST_SERVICES is not set: eval \"$(integration-tests/services/services env)\"",
        );
        let done = Command::new(script)
            .args([command, service()])
            .env("ONRAMP_SERVICES_DATA", &self.folder)
            .env(
                format!("ONRAMP_PORT_{}", service().to_uppercase()),
                self.port.number.to_string(),
            )
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn append(&self, file: &str, text: &str) {
        use std::io::Write;
        let path = self.folder.join(service()).join(file);
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) async fn database(&self) -> Database {
        let url = format!(
            "postgres://postgres:onramp@127.0.0.1:{}/postgres",
            self.port.number
        );
        Database::on(url.parse().unwrap(), "private").await
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.services("wipe");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_promoted_server_goes_on_from_before_the_switch_and_no_further() {
    let private = Private::start();
    let mut db = private.database().await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    let mut wanted = request(&[("a", &["id"])]);
    let from = db.prepare(&wanted).await.unwrap().from;
    wanted.identity = Some(db.connector().identity().await.unwrap());
    wanted.progress = Some(from.clone());
    assert!(errors(&db).await.is_empty());
    db.run("ALTER SYSTEM SET max_slot_wal_keep_size = -1").await;
    db.run("SELECT pg_reload_conf()").await;
    let start = std::time::Instant::now();
    while errors(&db).await != ["ONR-407"] {
        assert!(start.elapsed() < DEADLINE, "the setting is not seen");
    }
    db.names.accept_unbounded_wal = true;
    assert!(errors(&db).await.is_empty());

    // A standby, then a server that ended its recovery: timeline 2.
    private.services("stop");
    private.append("standby.signal", "");
    private.append("postgresql.conf", "restore_command = 'false'\n");
    private.services("start");
    assert_eq!(errors(&db).await, ["ONR-405"]);
    assert_eq!(
        db.prepare(&wanted).await.unwrap_err().findings[0].code.id,
        "ONR-405"
    );
    db.sql = crate::database::connect(&db.config).await;
    db.run("SELECT pg_promote()").await;
    let now = db.connector().identity().await.unwrap();
    assert_eq!(now.branch, "2");
    assert_eq!(
        db.prepare(&wanted).await.unwrap().from,
        from,
        "it is on this history too"
    );
    let file = db
        .ask("SELECT pg_read_file('pg_wal/00000002.history')")
        .await;
    let switch = file.split_whitespace().nth(1).unwrap();
    wanted.progress = Some(Position(switch.into()));
    db.prepare(&wanted).await.expect("at the switch");
    let beyond = db
        .ask(&format!("SELECT ('{switch}'::pg_lsn + 1)::text"))
        .await;
    wanted.progress = Some(Position(beyond.as_str().into()));
    let failure = db.prepare(&wanted).await.unwrap_err();
    let finding = &failure.findings[0];
    assert_eq!((finding.code.id, failure.retry), ("ONR-424", false));
    assert!(
        finding
            .reason
            .as_ref()
            .unwrap()
            .contains(&format!("between {switch} and {beyond}"))
    );

    // A server that does not speak TLS, to one that must and one that would rather.
    private.append("postgresql.conf", "ssl = off\n");
    private.services("stop");
    private.services("start");
    db.names.target.tls = TlsMode::Require;
    let failure = db.connector().identity().await.unwrap_err();
    let found = (failure.findings[0].code.id, failure.retry);
    assert_eq!(found, ("ONR-450", false), "{failure:?}");
    db.names.target.tls = TlsMode::Prefer;
    db.connector().identity().await.expect("in the clear");
    db.sql = crate::database::connect(&db.config).await;

    // Without the level logical nothing can be decoded, so the slot must go first.
    db.run(&format!(
        "SELECT pg_drop_replication_slot('{}')",
        db.names.slot
    ))
    .await;
    private.services("stop");
    private.append("postgresql.conf", "wal_level = replica\n");
    private.services("start");
    assert_eq!(errors(&db).await, ["ONR-406"]);
}

async fn errors(db: &Database) -> Vec<&'static str> {
    db.refused_by_look(&request(&[("a", &["id"])])).await
}

#[tokio::test]
async fn a_lost_log_and_a_server_without_room_are_refused() {
    let private = Private::start();
    private.services("stop");
    private.append(
        "postgresql.conf",
        "max_slot_wal_keep_size = 1MB\nmin_wal_size = 32MB\nmax_wal_size = 32MB\nmax_replication_slots = 1\n",
    );
    private.services("start");
    let mut db = private.database().await;
    db.run("CREATE TABLE a (id int PRIMARY KEY)").await;
    let wanted = request(&[("a", &["id"])]);
    let from = db.prepare(&wanted).await.unwrap().from;
    assert!(
        errors(&db).await.is_empty(),
        "its own slot takes the only place"
    );
    let slot = db.names.slot.clone();
    db.names.slot = "another".into();
    assert_eq!(db.refused_by_look(&wanted).await, ["ONR-410"]);
    db.names.slot = slot;
    assert!(db.connector().kept_log().await.unwrap().is_some());
    for _ in 0..4 {
        db.run("SELECT pg_switch_wal(); CREATE TABLE w (); DROP TABLE w")
            .await;
    }
    db.run("CHECKPOINT").await;
    assert_eq!(db.refused(&wanted).await.code.id, "ONR-420");
    let mut later = wanted.clone();
    later.progress = Some(from);
    assert_eq!(db.refused(&later).await.code.id, "ONR-420");
}

#[tokio::test]
async fn a_database_whose_bytes_have_no_meaning_is_refused() {
    let mut db = Database::new("ascii").await;
    let plain = format!("{}_plain", db.names.database);
    db.run(&format!("DROP DATABASE IF EXISTS {plain} WITH (FORCE)"))
        .await;
    db.run(&format!("CREATE DATABASE {plain} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")).await;
    let target = db.names.target.clone();
    db.names.target.database = plain.clone();
    assert_eq!(db.refused_by_look(&request(&[])).await, ["ONR-408"]);
    db.names.target = target;
    db.run(&format!("DROP DATABASE {plain} WITH (FORCE)")).await;
    db.end().await;
}
