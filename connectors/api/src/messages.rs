//! The log's own messages, as a table that is no table.
//!
//! Some databases let an application write messages into their log, in a transaction, each under a
//! prefix of its own (PostgreSQL: `pg_logical_emit_message`). Those whose prefix begins with some text
//! are asked for as [`Ident::messages`] wherever a table is, and come as inserts into it: rows of one
//! column, [`CONTENT`]. A connector whose database has none does not describe it; one that has must not
//! bring a message that is not part of a transaction, and stops instead.

use crate::{BeforeImage, Column, Ident, TableDescription, ValueType};

/// The one column of a message.
pub const CONTENT: &str = "content";

impl Ident {
    /// The messages whose prefix begins so.
    pub fn messages(prefix: &str) -> Ident {
        Ident {
            schema: String::new(),
            table: prefix.to_owned(),
        }
    }

    /// The beginning of prefixes; None of a table.
    pub fn message_prefix(&self) -> Option<&str> {
        (self.schema.is_empty() && !self.table.is_empty()).then_some(&*self.table)
    }
}

/// How messages are described: nothing of them is old, and nothing is left out.
pub fn description(messages: &Ident) -> TableDescription {
    TableDescription {
        name: messages.clone(),
        columns: vec![Column {
            name: CONTENT.to_owned(),
            type_name: "message".to_owned(),
            value_type: ValueType::Text,
            nullable: false,
            comment: None,
            may_be_left_out: false,
        }],
        unique: Vec::new(),
        before: BeforeImage::None,
        comment: None,
        rows_estimate: None,
    }
}
