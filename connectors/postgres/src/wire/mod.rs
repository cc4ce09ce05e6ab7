//! The replication connection: what tokio-postgres does not have.
//!
//! What lives here: connecting, TLS, authentication, commands of the replication protocol, and the
//! way into its stream. What never does: what the log means; that is `stream`.

pub(crate) mod connection;
mod error;
pub(crate) mod tls;
mod transport;

pub(crate) use connection::Connection;
pub(crate) use error::{ServerError, WireError};
pub(crate) use transport::Transport;

#[cfg(test)]
mod tests;
