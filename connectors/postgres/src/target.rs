//! Which server, as whom, and how the connection is secured.

use std::path::PathBuf;
use std::sync::Arc;

/// How a connection is secured, by libpq's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// Where the server offers it; unverified.
    Prefer,
    /// Always; unverified.
    Require,
    /// Always; the certificate is the authority's.
    VerifyCa,
    /// Always; the certificate is the authority's and names the host.
    VerifyFull,
}

/// Reads the password, at each connection, so that it can be rotated; the error says where it was
/// looked for.
pub type PasswordSource = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// A server and how to reach it.
#[derive(Clone)]
pub struct Target {
    /// A host name or address, or the folder of a Unix socket (it begins with `/`).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, where one is needed.
    pub password: Option<PasswordSource>,
    /// How the connection is secured; a Unix socket never is.
    pub tls: TlsMode,
    /// The certificate authority's file; without it the system's authorities.
    pub ca: Option<PathBuf>,
    /// What the server's `pg_stat_activity` shows: names the gateway and this process's instance.
    pub application_name: String,
}
