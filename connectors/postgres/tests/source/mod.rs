//! A database of a test's own on the real server, with a publication of everything and a slot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onramp_connector::{
    Acquired, Batch, BeforeImage, Cell, Connector, Instance, Item, Lease, Position, Stream,
    StreamLimits, Value,
};
use onramp_finding::Failure;
use onramp_postgres::{Names, Postgres, Target, TlsMode};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) const LIMITS: StreamLimits = StreamLimits {
    batch_bytes: 256 << 10,
    record_bytes: 1 << 20,
};
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

pub(crate) struct Source {
    pub(crate) sql: Client,
    pub(crate) names: Names,
}

/// A fact of the server that this binary tests: of 18 where its name says so, else of 15.
pub(crate) fn variable(fact: &str) -> String {
    let version = if env!("CARGO_CRATE_NAME").ends_with("_18") {
        18
    } else {
        15
    };
    let name = format!("ONRAMP_TEST_POSTGRES{version}_{fact}");
    std::env::var(&name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run integration-tests/services/services start, then \
             eval \"$(integration-tests/services/services env)\""
        )
    })
}

pub(crate) fn config() -> Config {
    variable("URL")
        .parse()
        .expect("a server's variable is a URL")
}

pub(crate) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Source {
    /// A new database of this tree, whatever an earlier run left behind.
    pub(crate) async fn new(name: &str) -> Source {
        let mut config = config();
        let database = crate::own::name("test", name);
        let server = connect(&config).await;
        let slots = format!("slot_name = '{database}'");
        server
            .batch_execute(&format!(
                "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE {slots};
                 SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE {slots}"
            ))
            .await
            .unwrap();
        let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
        server.batch_execute(&drop).await.unwrap();
        server
            .batch_execute(&format!("CREATE DATABASE {database}"))
            .await
            .unwrap();
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
        Source { sql, names }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    /// Makes the slot; the log from here on is held.
    pub(crate) async fn hold(&self) -> Position {
        let make = "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')";
        let row = self.sql.query_one(make, &[&self.names.slot]).await.unwrap();
        Position(row.get::<_, &str>(0).into())
    }

    pub(crate) async fn acquire(&self) -> Result<Acquired, Failure> {
        Postgres::new(self.names.clone())
            .acquire(&Instance("test".into()))
            .await
    }

    /// Takes the lease, waiting for the server to notice that an earlier one is gone.
    pub(crate) async fn lease(&self) -> Box<dyn Lease> {
        let start = Instant::now();
        loop {
            match self.acquire().await.unwrap() {
                Acquired::Lease(lease) => return lease,
                Acquired::Held(who) => assert!(start.elapsed() < DEADLINE, "held by {who}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn stream(&self, from: &Position) -> Box<dyn Stream> {
        self.lease().await.stream(from, LIMITS).await.unwrap()
    }

    /// Removes the slot and the database; the stream has to be dropped before.
    pub(crate) async fn end(self) {
        let server = connect(&crate::source::config()).await;
        let slot = &self.names.slot;
        server
            .batch_execute(&format!(
                "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots
                  WHERE slot_name = '{slot}' AND active;
                 SELECT pg_drop_replication_slot('{slot}')"
            ))
            .await
            .unwrap();
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.names.database);
        server.batch_execute(&drop).await.unwrap();
    }
}

pub(crate) fn target(config: &Config) -> Target {
    let host = match &config.get_hosts()[0] {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    };
    let password = String::from_utf8(config.get_password().unwrap_or_default().to_vec()).unwrap();
    Target {
        host,
        port: config.get_ports()[0],
        user: config.get_user().unwrap().to_owned(),
        database: config.get_dbname().unwrap().to_owned(),
        password: Some(Arc::new(move || Ok(password.clone()))),
        tls: TlsMode::Disable,
        ca: None,
        application_name: "onramp test".into(),
    }
}

/// The log as text, one line an item, with the positions after commits.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: Vec<String>,
    pub(crate) position: Option<Position>,
    /// What the first table's old rows are said to hold.
    pub(crate) before: Option<BeforeImage>,
    /// The same of the table of the last row.
    pub(crate) last: Option<BeforeImage>,
}

/// Reads until so many transactions have ended.
pub(crate) async fn read(stream: &mut dyn Stream, commits: usize) -> Log {
    let (mut log, mut batch, start) = (Log::default(), Batch::default(), Instant::now());
    let mut seen = 0;
    while seen < commits {
        assert!(
            start.elapsed() < DEADLINE,
            "only {seen} commits: {:?}",
            log.lines
        );
        stream
            .next(&mut batch, Duration::from_millis(200))
            .await
            .unwrap();
        for item in &batch.items {
            seen += usize::from(*item == Item::Commit);
            log.lines.push(line(&batch, item));
            if let Item::Change(change) = item {
                log.last = Some(batch.layout(change.table).before.clone());
            }
        }
        if batch.position.is_some() {
            log.position = batch.position.clone();
        }
        log.before = batch.tables.first().map(|layout| layout.before.clone());
    }
    log
}

fn line(batch: &Batch, item: &Item) -> String {
    match item {
        Item::Begin(begin) => {
            let text = |span| std::str::from_utf8(batch.slice(span)).unwrap();
            assert!(text(begin.place).contains('/') && text(begin.id).parse::<u32>().is_ok());
            let now = std::time::SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap()
                .as_micros() as i64;
            assert!(
                (now - begin.committed_at_us).abs() < 3_600_000_000,
                "a commit's time"
            );
            "begin".into()
        }
        Item::Commit => "commit".into(),
        Item::Layout(id) => format!("layout {}", batch.layout(*id).name),
        Item::Truncate(id) => format!("truncate {}", batch.layout(*id).name),
        Item::Change(change) => {
            let row = |span: Option<_>| {
                span.map(|span| {
                    let layout = batch.layout(change.table);
                    let wanted: Vec<u16> = (0..layout.columns.len() as u16).collect();
                    let mut cells = Vec::new();
                    (layout.read)(batch.slice(span), &wanted, &mut cells).unwrap();
                    let texts =
                        cells
                            .iter()
                            .zip(&layout.columns)
                            .map(|(cell, column)| match cell {
                                Cell::Unchanged => "unchanged".into(),
                                cell => match cell.decode(column.2) {
                                    Ok(value) => show(value),
                                    Err(why) => format!("{why:?}"),
                                },
                            });
                    texts.collect::<Vec<_>>().join("|")
                })
            };
            let (before, after) = (row(change.before), row(change.after));
            let text = |row: Option<String>| row.unwrap_or_else(|| "-".into());
            format!("{:?} {} => {}", change.operation, text(before), text(after))
        }
    }
}

pub(crate) fn show(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) | Value::Time(n) | Value::LocalTimestamp(n) | Value::Timestamp(n) => {
            n.to_string()
        }
        Value::Date(n) => n.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Double(f) => f.to_string(),
        Value::Text(text) => text.into(),
        Value::Array(elements) => {
            let shown = elements
                .iter()
                .map(|e| e.map_or_else(|e| format!("{e:?}"), show));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
        }
        Value::Bytes(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        Value::Uuid(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        Value::Decimal(decimal) => {
            let scale = usize::from(decimal.scale);
            let digits = format!("{:0>1$}", decimal.mantissa.unsigned_abs(), scale + 1);
            let (whole, part) = digits.split_at(digits.len() - scale);
            let sign = if decimal.mantissa < 0 { "-" } else { "" };
            let point = if scale > 0 { "." } else { "" };
            format!("{sign}{whole}{point}{part}")
        }
    }
}
