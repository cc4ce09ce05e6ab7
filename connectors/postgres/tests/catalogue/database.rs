//! A database of a test's own, on a real server.

use std::sync::Arc;

use onramp_connector::{Connector, Ident, PrepareRequest, Prepared, TableRequest};
use onramp_finding::{Failure, Finding, Severity};
use onramp_postgres::{Names, Postgres, Target, TlsMode};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// So long is waited at most for what a busy machine may be slow to do.
pub(crate) const DEADLINE: std::time::Duration = std::time::Duration::from_secs(180);

pub(crate) struct Database {
    pub(crate) sql: Client,
    pub(crate) names: Names,
    pub(crate) config: Config,
    server: Config,
}

/// The server that this binary tests: 18 where its name says so, else 15.
pub(crate) fn service() -> &'static str {
    if env!("CARGO_CRATE_NAME").ends_with("_18") {
        "postgres18"
    } else {
        "postgres15"
    }
}

/// What the environment calls a fact of that server.
pub(crate) fn variable(fact: &str) -> String {
    format!("ONRAMP_TEST_{}_{fact}", service().to_uppercase())
}

/// The server that a variable names.
pub(crate) fn server(variable: &str) -> Config {
    let url = std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run integration-tests/services/services start, then \
             eval \"$(integration-tests/services/services env)\""
        )
    });
    url.parse().expect("a server's variable is a URL")
}

pub(crate) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Database {
    pub(crate) async fn new(name: &str) -> Database {
        Database::on(server(&variable("URL")), name).await
    }

    /// A new database, whatever an earlier run left behind.
    pub(crate) async fn on(server: Config, name: &str) -> Database {
        let database = crate::own::name("catalogue", name);
        remove(&server, &database).await;
        let client = connect(&server).await;
        client
            .batch_execute(&format!("CREATE DATABASE {database}"))
            .await
            .unwrap();
        let mut config = server.clone();
        config.dbname(&database);
        let names = Names {
            target: target(&config),
            database: database.clone(),
            slot: database.clone(),
            slot_by_dba: false,
            publication: "onramp \"p\"".into(),
            publication_by_dba: false,
            accept_unbounded_wal: false,
            accept_partitions_without_key: false,
            accept_messages_outside_transactions: false,
        };
        Database {
            sql: connect(&config).await,
            names,
            config,
            server,
        }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    /// The first column of the first row.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) fn connector(&self) -> Postgres {
        Postgres::new(self.names.clone())
    }

    pub(crate) async fn look(&self, request: &PrepareRequest) -> Vec<Finding> {
        self.connector().preflight(request).await.unwrap()
    }

    pub(crate) async fn prepare(&self, request: &PrepareRequest) -> Result<Prepared, Failure> {
        self.connector().prepare(request).await
    }

    /// What preflight and prepare both refuse, the one by its only error, the other changing
    /// nothing.
    pub(crate) async fn refused(&self, request: &PrepareRequest) -> Finding {
        let before = self.published().await;
        let mut errors = self.look(request).await;
        errors.retain(|f| f.severity == Severity::Error);
        assert_eq!(errors.len(), 1, "{errors:?}");
        let failure = self.prepare(request).await.unwrap_err();
        assert!(!failure.retry && failure.findings == errors, "{failure:?}");
        assert_eq!(
            self.published().await,
            before,
            "a refused start changes nothing"
        );
        errors.remove(0)
    }

    /// The errors that preflight finds.
    pub(crate) async fn refused_by_look(&self, request: &PrepareRequest) -> Vec<&'static str> {
        let found = self.look(request).await;
        found
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .map(|f| f.code.id)
            .collect()
    }

    /// The publications' tables.
    pub(crate) async fn published(&self) -> Vec<String> {
        let tables = "SELECT p.pubname || ' ' || coalesce(r.prrelid::regclass::text, '')
            FROM pg_publication p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid ORDER BY 1";
        self.sql
            .query(tables, &[])
            .await
            .unwrap()
            .iter()
            .map(|r| r.get(0))
            .collect()
    }

    pub(crate) async fn end(self) {
        remove(&self.server, &self.names.database).await;
    }
}

async fn remove(server: &Config, database: &str) {
    let client = connect(server).await;
    let slots = format!(
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots
          WHERE (database = '{database}' OR slot_name LIKE '{database}%') AND active;
         SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
          WHERE database = '{database}' OR slot_name LIKE '{database}%'"
    );
    client.batch_execute(&slots).await.unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
    client.batch_execute(&drop).await.unwrap();
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
        application_name: format!("onramp/{}", config.get_dbname().unwrap()),
    }
}

pub(crate) fn ident(table: &str) -> Ident {
    Ident {
        schema: "public".into(),
        table: table.into(),
    }
}

/// A first start that maps these tables and columns.
pub(crate) fn request(tables: &[(&str, &[&str])]) -> PrepareRequest {
    let tables = tables.iter().map(|(table, columns)| TableRequest {
        published_before: false,
        table: ident(table),
        columns: columns.iter().map(|&c| c.to_owned()).collect(),
        products: vec![format!("shop.{table}.v1")],
        accept_left_out: false,
    });
    PrepareRequest {
        tables: tables.collect(),
        progress: None,
        identity: None,
    }
}

pub(crate) fn remedy(finding: &Finding) -> &str {
    finding
        .remedy
        .as_deref()
        .expect("a finding says what to do")
}
