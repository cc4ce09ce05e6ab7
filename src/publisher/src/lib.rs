//! Exactly-once publishing to Kafka: transactions, progress, topics, claims.
//!
//! What comes in: encoded events in arenas, routes, positions as opaque text. What never does:
//! a database, a product's file, a schema. Every call here blocks; a caller on an async runtime
//! gives it a thread of its own (`spawn_blocking`).
//!
//! # Order of a start
//! 1. [`Kafka::connect`], then [`claims::claim`], [`topics::ensure`] and
//!    [`progress::ensure_topic`].
//! 2. [`progress::read`], which fences nobody. The caller compares it and takes the source's lock.
//! 3. [`WaitingProducer::take_over`] fences every earlier producer of this gateway.
//! 4. [`progress::read_settled`]: nothing that an earlier one committed is missed.
//! 5. [`Publisher::spawn`].
//!
//! After any failure the producer is discarded, never used again: the caller begins at 1. Whether
//! that can help is the failure's `retry`. One of kind `Fenced` says no, since mostly another copy
//! took over; where progress shows no other instance and the source's lock is still held, the
//! brokers gave this one up after a time-out, and the caller starts over all the same.

mod alone;
pub mod claims;
mod client;
mod context;
mod gap;
mod headers;
mod history;
mod meters;
mod native;
mod open;
mod producer;
pub mod progress;
mod publish;
pub mod quarantine;
mod reader;
pub mod scan;
mod settings;
pub mod topics;
mod trouble;
mod waits;
mod work;

pub use alone::write_alone;
pub use client::Kafka;
pub use gap::GapRecord;
pub use headers::{HeaderMode, rfc3339};
pub use history::{Cause, HistoryRecord, LiveRows, Stage};
pub use producer::{TransactionalProducer, WaitingProducer};
pub use publish::{Committed, Origin, Publisher, PublisherParts, Status};
pub use settings::KafkaSettings;
