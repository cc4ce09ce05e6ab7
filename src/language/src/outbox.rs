//! What an outbox product says beside its events.

use crate::Spanned;

/// The columns of an outbox table, and what it does with rows that are no event of the product.
#[derive(Debug, Clone, PartialEq)]
pub struct Outbox {
    /// `columns`.
    pub columns: OutboxColumns,
    /// `unknown_type`.
    pub unknown_type: UnknownType,
    /// `on_update`.
    pub on_update: OnUpdate,
}

/// `columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxColumns {
    /// `id`: the event's id.
    pub id: Spanned<String>,
    /// `type`.
    pub r#type: Spanned<String>,
    /// `key`: its text is the key.
    pub key: Spanned<String>,
    /// `payload`.
    pub payload: Spanned<String>,
    /// `timestamp`: when it happened.
    pub timestamp: Option<Spanned<String>>,
    /// `partition`: in place of the key's.
    pub partition: Option<Spanned<String>>,
    /// `headers`: header and column, in the file's order.
    pub headers: Vec<(Spanned<String>, Spanned<String>)>,
}

/// What an event of a type that is not listed does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownType {
    /// The row fails.
    Fail,
    /// It goes to the product's quarantine topic, whatever `on_error` says.
    Quarantine,
    /// It is passed over.
    Ignore,
}

/// What an update of an outbox's row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUpdate {
    /// The row fails.
    Fail,
    /// It gives no event, and is told of in the log.
    Warn,
    /// It gives no event.
    Skip,
}

/// An event's payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// What it is.
    pub form: PayloadForm,
    /// `type`: what the application calls it, where that is not the event's name.
    pub r#type: Option<Spanned<String>>,
    /// `schema`: what the file says.
    pub schema: Option<AvroFile>,
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadForm {
    /// JSON, opened by the event's fields.
    Json,
    /// Avro's binary form.
    Avro,
}

/// An Avro schema from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvroFile {
    /// The record's full name.
    pub record: String,
    /// The schema as JSON, without the file's white space.
    pub text: String,
}
