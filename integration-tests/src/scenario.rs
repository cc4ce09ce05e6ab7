//! A database, a gateway's name, topics and files of a test's own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

use crate::{Event, LEAST_PATIENCE, Servers, consume, until};

/// One test's own corner of the servers; its database, slot and files go when it is closed.
pub struct Scenario {
    /// The servers.
    pub servers: Servers,
    /// A name that no other scenario has: database, gateway and domain.
    pub name: String,
    /// The folder of its files.
    pub folder: PathBuf,
    /// A connection to its database, as superuser.
    pub db: Client,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Scenario {
    /// Makes the database and runs `schema` in it.
    ///
    /// # Panics
    /// Where a server does not answer.
    pub async fn new(schema: &str) -> Scenario {
        Scenario::on(Servers::find(), schema).await
    }

    /// The same on other servers, e.g. [`crate::Private`] ones.
    ///
    /// # Panics
    /// Where a server does not answer.
    pub async fn on(servers: Servers, schema: &str) -> Scenario {
        let millis = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the clock is past 1970")
            .as_millis();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{millis:x}p{}n{number}", std::process::id());
        let admin = connect(&servers.postgres).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("the superuser may create a database");
        let db = connect(&servers.database(&name)).await;
        db.batch_execute(schema)
            .await
            .expect("the scenario's schema is right");
        let folder = std::env::temp_dir().join(format!("onramp-{name}"));
        std::fs::create_dir_all(folder.join("products")).expect("the temporary folder is writable");
        let scenario = Scenario {
            servers,
            name,
            folder,
            db,
        };
        scenario.write("onramp.yaml", &scenario.gateway_file(""));
        scenario
    }

    /// A gateway file; `more` is appended.
    pub fn gateway_file(&self, more: &str) -> String {
        let url = self.servers.database(&self.name);
        let rest = url.split_once('@').expect("the URL has a user").1;
        let brokers = self.servers.kafka.split(',').map(|b| format!("\"{b}\""));
        let brokers: Vec<String> = brokers.collect();
        format!(
            "gateway: {name}\nsource:\n  type: postgres\n  url: postgres://postgres@{rest}\n  \
             password: {{ env: TEST_DB_PASSWORD }}\n  tls: {{ mode: disable }}\n\
             kafka:\n  brokers: [{brokers}]\n  topics: {{ partitions: 3, replication: {replication} }}\n\
             registry: {{ url: \"{registry}\" }}\nkeys: {{ pii: {{ env: TEST_PII_KEY }} }}\n\
             products: [products/*.yaml]\n{more}",
            name = self.name,
            brokers = brokers.join(", "),
            replication = brokers.len(),
            registry = self.servers.registry,
        )
    }

    /// Writes a file of the gateway's folder. `DOMAIN` in a text stands for the scenario's domain.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        std::fs::write(path, text.replace("DOMAIN", &self.name)).expect("the folder is writable");
    }

    /// The topic of a product, e.g. `orders.v1`.
    pub fn topic(&self, product: &str) -> String {
        format!("{}.{product}", self.name)
    }

    /// The gateway file's path.
    pub fn config(&self) -> PathBuf {
        Path::new(&self.folder).join("onramp.yaml")
    }

    /// Another connection to its database.
    pub async fn connect(&self) -> Client {
        connect(&self.servers.database(&self.name)).await
    }

    /// Waits until the topic of a product of its domain (`orders.v1`) has so many events.
    ///
    /// # Panics
    /// Where it does not come to that.
    pub async fn events(&self, product: &str, count: usize) -> Vec<Event> {
        let topic = self.topic(product);
        let mut events = Vec::new();
        until("the events", LEAST_PATIENCE, async || {
            events = consume(&self.servers, &topic).await;
            events.len() >= count
        })
        .await;
        events
    }

    /// The slot's name.
    pub fn slot(&self) -> String {
        format!("onramp_{}", self.name)
    }

    /// A fact of the slot, as text, by a connection of its own; None where there is no slot.
    ///
    /// # Panics
    /// Where the database does not answer.
    pub async fn of_slot(&self, expression: &str) -> Option<String> {
        let db = connect(&self.servers.postgres).await;
        let sql =
            format!("SELECT ({expression})::text FROM pg_replication_slots WHERE slot_name = $1");
        let rows = db.query(&sql, &[&self.slot()]).await;
        rows.expect("the catalogue answers").first()?.get(0)
    }

    /// Drops slot and database, removes the files.
    pub async fn close(self) {
        let Scenario {
            servers,
            name,
            folder,
            db,
        } = self;
        drop(db);
        let admin = connect(&servers.postgres).await;
        let slot = format!("onramp_{name}");
        until("the slot to be free", std::time::Duration::from_secs(20), async || {
            admin
                .execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", &[&slot])
                .await
                .is_ok()
        })
        .await;
        admin
            .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
            .expect("the superuser may drop a database");
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// A connection of one's own.
///
/// # Panics
/// Where the server does not answer.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("PostgreSQL answers");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}
