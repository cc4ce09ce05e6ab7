//! From changes to events: the compiled form of a product's mapping.
//!
//! Products, tables' descriptions and batches of the log come in; contracts, findings and encoded
//! events in an [`onramp_event::Arena`] go out. No I/O, no clock and no randomness ever come in: a
//! replay gives the same bytes. For a row nothing is allocated and nothing is looked up by name.
//!
//! # Keys and protected values
//! They are made of a value's text, which is one for equal values: whole numbers and decimals in
//! digits with the field's scale, dates and times as in ISO 8601 (a fraction only where there is
//! one, six digits), bytes in hexadecimal, UUIDs in lower case. A pseudonym is the key's name, a
//! colon, and the HMAC-SHA-256 of that text in base64url without padding. What is encrypted is that
//! text too: [`FieldCipher`].

mod avro;
mod base64url;
mod change;
mod cipher;
mod contract;
mod conversion;
mod convert;
mod enumeration;
mod examine;
mod fault;
mod form;
mod lookup;
mod many;
mod mapping;
mod moves;
mod names;
mod outbox;
mod output;
mod plan;
mod program;
mod protection;
mod quarantine;
mod row;
mod rows;
mod step;
mod text_time;
mod translate;
mod union;
mod write;

pub use cipher::{FieldCipher, LEAST_SECRET_BYTES, fingerprint};
pub use contract::{Contract, ValueSchema, contract};
pub use convert::Out as FieldValue;
pub use enumeration::symbols;
pub use examine::{Examiner, Seen, Unexamined};
pub use fault::{RowFault, Stopped};
pub use mapping::{check, columns};
pub use program::{Encoding, Mapped, QuarantineRoute, TableProgram};
pub use rows::{RowNames, named_by};
pub use text_time::TimeReader;
pub use translate::{Progress, RowLimits, TableMapping, Translator};
pub use union::check_union;
