//! A database of a test's own on one of the servers, and what is read of its tables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onramp_connector::{
    Acquired, Batch, Bound, Chunk, ChunkLimits, ChunkRange, ChunkTable, Connector, Ident, Instance,
    Item, Position, Stream, StreamLimits, TableReader,
};
use onramp_finding::Failure;
use onramp_postgres::{Names, Postgres, Target, TlsMode};
use tokio_postgres::{Client, Config, NoTls};

pub(crate) const DEADLINE: Duration = Duration::from_secs(180);
pub(crate) const SERVERS: [&str; 2] = ["POSTGRES15", "POSTGRES18"];
/// More than any test's table has.
pub(crate) const ALL: ChunkLimits = ChunkLimits {
    rows: 1 << 20,
    bytes: 32 << 20,
    record_bytes: 32 << 20,
};

pub(crate) struct Database {
    pub(crate) sql: Client,
    pub(crate) postgres: Postgres,
    pub(crate) names: Names,
    server: Config,
}

pub(crate) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Database {
    /// A new database of this tree on a shared server.
    pub(crate) async fn new(server: &str, name: &str) -> Database {
        let variable = format!("ONRAMP_TEST_{server}_URL");
        let url = std::env::var(&variable).unwrap_or_else(|_| {
            panic!("{variable} is not set: see integration-tests/services/services env")
        });
        Database::at(url.parse().unwrap(), name).await
    }

    /// The same on any server.
    pub(crate) async fn at(server: Config, name: &str) -> Database {
        let database = crate::own::name("chunk", name);
        let root = connect(&server).await;
        drop_all(&root, &database).await;
        let create = format!("CREATE DATABASE {database}");
        root.batch_execute(&create).await.unwrap();
        let mut config = server.clone();
        config.dbname(&database);
        let sql = connect(&config).await;
        sql.batch_execute("SET extra_float_digits = 3; CREATE PUBLICATION p FOR ALL TABLES")
            .await
            .unwrap();
        let names = Names {
            target: target(&config),
            database: database.clone(),
            slot: database,
            slot_by_dba: false,
            publication: "p".into(),
            publication_by_dba: false,
            accept_unbounded_wal: false,
            accept_partitions_without_key: false,
            accept_messages_outside_transactions: false,
        };
        Database {
            sql,
            postgres: Postgres::new(names.clone()),
            names,
            server,
        }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    /// Another session of the same database.
    pub(crate) async fn session(&self) -> Client {
        let mut config = self.server.clone();
        connect(config.dbname(&self.names.database)).await
    }

    /// The first column of a query, as texts.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.sql.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn reader(
        &self,
        table: &str,
        columns: &[&str],
    ) -> Result<Box<dyn TableReader>, Failure> {
        self.reader_as(&self.postgres, table, columns).await
    }

    pub(crate) async fn reader_as(
        &self,
        postgres: &Postgres,
        table: &str,
        columns: &[&str],
    ) -> Result<Box<dyn TableReader>, Failure> {
        let table = Ident {
            schema: "public".into(),
            table: table.into(),
        };
        let described = self.postgres.describe(std::slice::from_ref(&table)).await;
        let request = ChunkTable {
            table,
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            description: described?.remove(0),
        };
        postgres.table_reader(&request).await
    }

    /// Makes the slot; the log from here on is held.
    pub(crate) async fn hold(&self) -> Position {
        let make = "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')";
        let row = self.sql.query_one(make, &[&self.names.slot]).await.unwrap();
        Position(row.get::<_, &str>(0).into())
    }

    pub(crate) async fn stream(&self, from: &Position) -> Box<dyn Stream> {
        let limits = StreamLimits {
            batch_bytes: 256 << 10,
            record_bytes: 1 << 20,
        };
        let instance = Instance("test".into());
        match self.postgres.acquire(&instance).await.unwrap() {
            Acquired::Lease(lease) => lease.stream(from, limits).await.unwrap(),
            Acquired::Held(who) => panic!("held by {who}"),
        }
    }

    /// Removes the slot, if there is one, and the database.
    pub(crate) async fn end(self) {
        drop_all(&connect(&self.server).await, &self.names.database).await;
    }
}

async fn drop_all(root: &Client, database: &str) {
    let slots = format!("slot_name = '{database}'");
    let sql = format!(
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE {slots};
         SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE {slots}"
    );
    root.batch_execute(&sql).await.unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
    root.batch_execute(&drop).await.unwrap();
}

fn target(config: &Config) -> Target {
    let tokio_postgres::config::Host::Tcp(host) = &config.get_hosts()[0] else {
        panic!("the tests' servers are reached by TCP")
    };
    let password = String::from_utf8(config.get_password().unwrap_or_default().to_vec()).unwrap();
    Target {
        host: host.clone(),
        port: config.get_ports()[0],
        user: config.get_user().unwrap().to_owned(),
        database: config.get_dbname().unwrap().to_owned(),
        password: Some(Arc::new(move || Ok(password.clone()))),
        tls: TlsMode::Disable,
        ca: None,
        application_name: "onramp test".into(),
    }
}

/// A chunk's rows: what one column decodes to, in Rust's own notation.
pub(crate) fn column(batch: &Batch, name: &str) -> Vec<String> {
    let [Item::Layout(table), rows @ ..] = &batch.items[..] else {
        panic!("a chunk begins with its layout")
    };
    let layout = batch.layout(*table);
    let place = layout.columns.iter().position(|(c, ..)| c == name).unwrap();
    let one = |item: &Item| {
        let Item::Change(change) = item else {
            panic!("{item:?}")
        };
        let mut cells = Vec::new();
        let row = batch.slice(change.after.unwrap());
        (layout.read)(row, &[place as u16], &mut cells).unwrap();
        format!("{:?}", cells[0].decode(layout.columns[place].2))
    };
    rows.iter().map(one).collect()
}

/// `Ok(Int(7))` for 7.
pub(crate) fn ints(numbers: &[String]) -> Vec<String> {
    numbers.iter().map(|n| format!("Ok(Int({n}))")).collect()
}

pub(crate) fn rows(rows: u32) -> ChunkLimits {
    ChunkLimits { rows, ..ALL }
}

/// The next chunk after a place.
pub(crate) async fn after(
    reader: &mut dyn TableReader,
    after: Option<Bound>,
    limits: ChunkLimits,
    batch: &mut Batch,
) -> Result<Chunk, Failure> {
    let range = ChunkRange { after, until: None };
    reader.read(&range, limits, batch).await
}

/// Reads on until the stream's position holds this one; counts the transactions on the way, by
/// their numbers.
pub(crate) async fn until(
    stream: &mut dyn Stream,
    postgres: &Postgres,
    passed: &Position,
) -> Vec<u64> {
    let (mut batch, mut numbers, start) = (Batch::default(), Vec::new(), Instant::now());
    loop {
        stream.nudge();
        let wait = Duration::from_millis(50);
        stream.next(&mut batch, wait).await.unwrap();
        numbers.extend(batch.items.iter().filter_map(|item| match item {
            Item::Begin(begin) => Some(begin.number),
            _ => None,
        }));
        if let Some(position) = &batch.position
            && postgres.compare(position, passed).unwrap() != Some(std::cmp::Ordering::Less)
        {
            return numbers;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "{passed} is not passed: {:?}",
            batch.position
        );
    }
}

/// Numbers that look random and come again with the seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % sides
    }
}
