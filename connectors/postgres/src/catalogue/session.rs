//! An ordinary connection, with the settings that make values come alike everywhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use onramp_finding::codes::source as codes;
use onramp_finding::{Code, Failure, Finding, Kind, Place};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, SimpleQueryMessage, Statement};

use crate::target::{Target, TlsMode};

/// What every connection sets, the replication connection too.
pub(crate) const SETTINGS: &str = "-c DateStyle=ISO,YMD -c TimeZone=UTC -c extra_float_digits=3 \
    -c client_encoding=UTF8 -c bytea_output=hex -c IntervalStyle=postgres -c search_path=pg_catalog \
    -c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000";

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many statements stay prepared: more than the connector has.
const PREPARED: usize = 32;

/// One connection; closed when dropped.
pub(crate) struct Session {
    client: Client,
    /// By their text: to prepare one is a round trip and a plan, and many are asked again.
    prepared: Mutex<HashMap<String, Statement>>,
    target: Target,
    _driver: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self._driver.abort();
    }
}

impl Session {
    /// Connects.
    pub(crate) async fn open(target: &Target) -> Result<Session, Failure> {
        match tokio::time::timeout(CONNECT_TIMEOUT, Session::connect(target)).await {
            Ok(opened) => opened,
            Err(_) => Err(unreachable(
                target,
                "the server did not answer in time".into(),
            )),
        }
    }

    async fn connect(target: &Target) -> Result<Session, Failure> {
        let mut config = Config::new();
        config
            .user(&target.user)
            .dbname(&target.database)
            .port(target.port)
            .application_name(&target.application_name)
            .connect_timeout(CONNECT_TIMEOUT)
            .options(SETTINGS);
        if let Some(password) = &target.password {
            config.password(password().map_err(|reason| {
                Failure::stop(
                    Kind::Configuration,
                    Finding::error(
                        &codes::NO_PASSWORD,
                        place(target),
                        "the password cannot be read",
                    )
                    .because(reason),
                )
            })?);
        }
        config.ssl_mode(match target.tls {
            _ if target.host.starts_with('/') => tokio_postgres::config::SslMode::Disable,
            TlsMode::Disable => tokio_postgres::config::SslMode::Disable,
            TlsMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            _ => tokio_postgres::config::SslMode::Require,
        });
        if target.host.starts_with('/') {
            config.host_path(&target.host);
        } else {
            config.host(&target.host);
        }
        let tls = crate::wire::tls::client_config(target)?;
        let (client, driver) = match tls {
            None => {
                let (client, connection) = config
                    .connect(NoTls)
                    .await
                    .map_err(|e| refused(target, &e))?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            Some(tls) => {
                let (client, connection) = config
                    .connect(crate::wire::tls::MakeConnect::new(tls))
                    .await
                    .map_err(|e| refused(target, &e))?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        Ok(Session {
            client,
            prepared: Mutex::default(),
            target: target.clone(),
            _driver: driver,
        })
    }

    /// Runs a query.
    pub(crate) async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        self.try_query(sql, parameters)
            .await
            .map_err(|e| refused(&self.target, &e))
    }

    /// Whether the server is still at the other end, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    async fn statement(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let prepared = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = prepared().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        let mut prepared = prepared();
        if prepared.len() < PREPARED {
            prepared.insert(sql.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    /// Runs a query that always has a row.
    pub(crate) async fn one(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Failure> {
        self.query(sql, parameters)
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| {
                let message = "a query of one row gave none";
                Failure::internal(&onramp_finding::codes::running::INTERNAL, message)
            })
    }

    /// Runs statements without parameters, keeping the server's own error for the caller to judge.
    pub(crate) async fn run(
        &self,
        sql: &str,
    ) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        self.client.simple_query(sql).await
    }

    /// Runs one query, keeping the server's own error for the caller to judge.
    pub(crate) async fn try_query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client
            .query(&self.statement(sql).await?, parameters)
            .await
    }

    /// Runs a query that is asked once, keeping the server's own error for the caller to judge.
    pub(crate) async fn once(&self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client.query(sql, &[]).await
    }

    /// The failure for an error that the caller has no better word for.
    pub(crate) fn refused(&self, error: &tokio_postgres::Error) -> Failure {
        refused(&self.target, error)
    }
}

/// Where it is: who connects to what.
pub(crate) fn place(target: &Target) -> Place {
    Place::Source(format!(
        "{}@{}:{}/{}",
        target.user, target.host, target.port, target.database
    ))
}

/// The failure for a connection that cannot be made or broke.
pub(crate) fn unreachable(target: &Target, reason: String) -> Failure {
    Failure::retry(
        Kind::Source,
        Finding::error(
            &codes::UNREACHABLE,
            place(target),
            "the source cannot be reached",
        )
        .because(reason)
        .remedy("check the url's host and port, and that the server lets this host in"),
    )
}

/// Whether the server's own messages of this SQLSTATE hold names and settings alone. Others may
/// quote values: 22 and 23 do, and what an event trigger raises (P0, or a class of its own) may
/// hold anything.
pub(crate) fn speaks_of_names(state: &str) -> bool {
    const CLASSES: [&str; 14] = [
        "08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX",
    ];
    CLASSES.iter().any(|class| state.starts_with(class))
}

/// Which of the connection's own errors no second try can mend, and what they mean. The library
/// does not show the sort of its errors but by their first words.
fn hopeless(error: &tokio_postgres::Error, reason: &str) -> Option<(&'static Code, &'static str)> {
    let certificate = std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<std::io::Error>())
        .and_then(std::io::Error::get_ref)
        .is_some_and(|inner| inner.is::<rustls::Error>());
    let text = error.to_string();
    if certificate || reason.contains("server does not support TLS") {
        Some((
            &codes::TLS_UNUSABLE,
            "the source cannot be reached over TLS",
        ))
    } else if text.starts_with("authentication error") || text.starts_with("invalid configuration")
    {
        Some((
            &codes::AUTHENTICATION,
            "the gateway cannot prove to the source who it is",
        ))
    } else {
        None
    }
}

/// A failure from a server's or a connection's error. Detail and hint are never passed on.
fn refused(target: &Target, error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            reason = format!("{reason}: {inner}");
            cause = inner.source();
        }
        return match hopeless(error, &reason) {
            None => unreachable(target, reason),
            Some((code, message)) => Failure::stop(
                Kind::Source,
                Finding::error(code, place(target), message)
                    .because(reason)
                    .remedy(code.remedy),
            ),
        };
    };
    refused_by_server(target, db.code().code(), db.message())
}

/// A failure from the server's own error: its SQLSTATE and primary message.
pub(crate) fn refused_by_server(target: &Target, state: &str, message: &str) -> Failure {
    let reason = if speaks_of_names(state) {
        format!("{message} (SQLSTATE {state})")
    } else {
        format!("SQLSTATE {state}; the server's log has the message, which may hold values")
    };
    if state.starts_with("28") || state == "3D000" {
        return Failure::stop(
            Kind::Source,
            Finding::error(
                &codes::NOT_LET_IN,
                place(target),
                "the source refuses the connection",
            )
            .because(reason)
            .remedy("check the role, its password, the database's name and pg_hba.conf"),
        );
    }
    let finding = Finding::error(
        &codes::STATEMENT_FAILED,
        place(target),
        "the source refuses a statement",
    )
    .because(reason)
    .remedy(codes::STATEMENT_FAILED.remedy);
    // 08 connection, 53 resources, 57 operator's intervention, 55P03 lock, 40 conflict: may pass.
    let passes = ["08", "53", "57", "40"]
        .iter()
        .any(|class| state.starts_with(class))
        || state == "55P03";
    if passes {
        Failure::retry(Kind::Source, finding)
    } else {
        Failure::stop(Kind::Source, finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_may_quote_values_are_kept_back() {
        assert!(speaks_of_names("42501") && speaks_of_names("57014"));
        assert!(
            !speaks_of_names("22P02") && !speaks_of_names("23505") && !speaks_of_names("P0001")
        );
    }
}
