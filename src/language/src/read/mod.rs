//! From checked trees to the language's structs: defaults, and the rules across keys.

pub(crate) mod address;
mod avro;
mod events;
mod field;
mod fixtures;
mod gateway;
mod lookup;
mod outbox;
mod product;
mod protect;
mod source;
mod standing;
mod tables;

pub(crate) use fixtures::fixtures;
pub(crate) use gateway::gateway;
pub use product::TO_SAY;
pub(crate) use product::{Surroundings, product};
pub(crate) use source::Within;
