//! Reading a product's quarantine topic.

use onramp_finding::Failure;

use crate::client::Kafka;
use crate::reader::{self, Isolation};
use crate::topics;

/// A row that a product could not carry, as it was kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// Its offset, which names it.
    pub offset: i64,
    /// The key that its product would have given it; empty where none could be computed.
    pub key: &'a [u8],
    /// The record: JSON.
    pub value: &'a [u8],
}

/// Reads every committed record of a quarantine topic, in the order in which the rows failed. A topic
/// that is not there holds none.
pub fn read(kafka: &Kafka, topic: &str, mut each: impl FnMut(Kept<'_>)) -> Result<(), Failure> {
    if topics::existing(kafka, &[topic])?.is_empty() {
        return Ok(());
    }
    reader::read(kafka, topic, Isolation::Committed, 0, |entry| {
        if let Some(value) = entry.value {
            each(Kept {
                offset: entry.offset,
                key: entry.key,
                value,
            });
        }
        Ok(())
    })?;
    Ok(())
}
