//! The files that a domain team writes: read, checked, described.
//!
//! Text comes in; a [`Gateway`] with its [`Product`]s goes out, or every fault of every file at
//! once. Nothing here opens a connection, and nothing but [`Secret::read`] reads a secret.

mod check;
mod definition;
mod faults;
mod field;
mod fixtures;
mod gateway;
mod literal;
mod load;
mod outbox;
mod product;
mod read;
pub mod reference;
mod secret;
mod spanned;
mod tables;
mod time_format;
mod yaml;

pub use definition::{duration, is_a_key_name};
pub use field::{
    Ambiguous, Fallback, Field, InAvro, Lookup, Otherwise, Parse, Protect, Scalar, Shape, Source,
    Unit,
};
pub use fixtures::{Cell, Expected, Fixtures, Given, Row, Test};
pub use gateway::{
    Admin, Gateway, Headers, KafkaSettings, Limits, RegistrySettings, Security, Snapshot,
    SourceSettings, TlsMode,
};
pub use literal::{Constant, Literal};
pub use load::{Loaded, Overrides, Reading, load, read};
pub use outbox::{
    AvroFile, CONTENT, OnUpdate, Outbox, OutboxColumns, Payload, PayloadForm, UnknownType,
};
pub use product::{
    Compatibility, EventType, KeyFormat, Kind, OnError, OnMappingChange, OnTruncate, Product,
    ProductName, Record, Retention, RowsBefore, Sla, Status,
};
pub use read::TO_SAY;
pub use secret::Secret;
pub use spanned::Spanned;
pub use tables::{TableName, Tables, is_pattern};
pub use time_format::{Moment, TimeFormat, TimePart};
