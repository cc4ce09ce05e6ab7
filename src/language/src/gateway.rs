//! The gateway file, read.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Product, Secret, Spanned};

/// What headers events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// The CloudEvents 1.0 binding, the source transaction's id and the event's ordinal.
    CloudEvents,
    /// The source transaction's id and the event's ordinal.
    Transaction,
    /// None.
    None,
}

/// How the connection to the source is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// `source`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSettings {
    /// `type`: only `postgres` is built.
    pub kind: String,
    /// `url`'s host, or the folder of a Unix socket.
    pub host: String,
    /// `url`'s port.
    pub port: u16,
    /// `url`'s user.
    pub user: String,
    /// `url`'s database.
    pub database: String,
    /// `password`.
    pub password: Option<Secret>,
    /// `tls.mode`.
    pub tls: TlsMode,
    /// `tls.ca`.
    pub ca: Option<PathBuf>,
    /// `slot`, where a DBA made it; else `onramp_<gateway>`.
    pub slot: Option<Spanned<String>>,
    /// `publication`, likewise.
    pub publication: Option<Spanned<String>>,
    /// `accept: [unbounded_wal]`.
    pub accept: Vec<String>,
}

/// `kafka`.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaSettings {
    /// `brokers`.
    pub brokers: Vec<String>,
    /// `security.protocol`, `.mechanism`, `.username`.
    pub security: Option<Security>,
    /// `topics.partitions`.
    pub partitions: i32,
    /// `topics.replication`.
    pub replication: i32,
    /// `topics.settings`.
    pub topic_settings: Vec<(String, String)>,
    /// `properties`: anything that librdkafka knows.
    pub properties: Vec<(String, String)>,
}

/// `kafka.security`.
#[derive(Debug, Clone, PartialEq)]
pub struct Security {
    /// e.g. `SASL_SSL`.
    pub protocol: String,
    /// e.g. `SCRAM-SHA-512`.
    pub mechanism: Option<String>,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The file of the certificate authority.
    pub ca: Option<PathBuf>,
}

/// `registry`.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistrySettings {
    /// `url`.
    pub url: String,
    /// `username`.
    pub username: Option<String>,
    /// `password`.
    pub password: Option<Secret>,
    /// `ca`.
    pub ca: Option<PathBuf>,
}

/// `limits`, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// An encoded event with its headers.
    pub row: usize,
    /// A record of the log, a chunk of a table.
    pub chunk: usize,
    /// Events on their way to Kafka.
    pub queue: usize,
    /// Keys that live changes remember while history is read.
    pub changed_keys: usize,
    /// `limits.moved_keys`.
    pub moved_keys: usize,
}

/// `snapshot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// `readers`: connections that read at the same time.
    pub readers: usize,
    /// `chunk_rows`: rows that one transaction reads.
    pub chunk_rows: u32,
}

/// `admin`.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// `listen`: loopback, unless there is a token.
    pub listen: std::net::SocketAddr,
    /// `token`.
    pub token: Option<Secret>,
}

/// The whole gateway file with its products.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// `gateway`.
    pub name: Spanned<String>,
    /// `source`.
    pub source: SourceSettings,
    /// `kafka`.
    pub kafka: KafkaSettings,
    /// `registry`.
    pub registry: RegistrySettings,
    /// `keys`.
    pub keys: Vec<(String, Secret)>,
    /// `limits`.
    pub limits: Limits,
    /// `snapshot`.
    pub snapshot: Snapshot,
    /// `headers`.
    pub headers: Headers,
    /// `commit.every`.
    pub commit_every: Duration,
    /// `commit.bytes`.
    pub commit_bytes: usize,
    /// `drain`.
    pub drain: Duration,
    /// `drafts`.
    pub drafts: bool,
    /// `health.listen`.
    pub health: Option<std::net::SocketAddr>,
    /// `admin`.
    pub admin: Option<Admin>,
    /// The products, by name.
    pub products: Vec<Product>,
}
