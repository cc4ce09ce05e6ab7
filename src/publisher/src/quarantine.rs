//! Reading a product's quarantine topic.

use std::time::{Duration, Instant};

use onramp_finding::codes::kafka as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

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

/// Waits until every transaction that has written there is settled, so that [`read`] misses nothing that
/// was written before this call.
///
/// # Errors
/// The topic cannot be read, or one is not settled at the deadline.
pub fn settle(kafka: &Kafka, topic: &str, deadline: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    let end = reader::end(kafka, topic, Isolation::Uncommitted)?;
    while reader::end(kafka, topic, Isolation::Committed)? < end {
        if began.elapsed() >= deadline {
            let place = Place::Kafka(format!("topic {topic}"));
            let message = "a transaction on the topic is not settled";
            let finding = Finding::error(&codes::PROGRESS_UNSTABLE, place, message)
                .because(codes::PROGRESS_UNSTABLE.reason)
                .remedy(codes::PROGRESS_UNSTABLE.remedy);
            return Err(Failure::stop(Kind::Broker, finding));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
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
