//! The schema registry, and what a product promises there.
//!
//! Four rooms: a client of the registry's documented API; the rules by which a contract may
//! evolve; the publishing of a contract by both; and what that would do, foreseen. What may come in: schemas as JSON, words
//! from the product's file, answers from the registry, which are bounded and checked. What never
//! does: an event, a row, or a quirk of one make of registry.

mod answer;
mod client;
mod contract;
pub mod evolution;
mod foresee;
mod level;
mod rule;
mod tls;
mod tree;

pub use client::{ReadPassword, Registered, RegistryClient, RegistryOptions, SchemaId, Verdict};
pub use contract::{key_subject, publish_contract, record_subject, value_subject};
pub use foresee::{Foreseen, Foresight, foresee};
pub use level::{Level, UnknownLevel};
pub use rule::Rule;
pub use tree::Unreadable;
