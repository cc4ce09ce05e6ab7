//! The log: the slot taken as a lease, pgoutput read in place, progress told to the server.
//!
//! What comes in: a replication connection of `wire`, a position, limits. What never does: a
//! product, or a second copy of a row. The runtime that the lease was taken on writes the
//! keepalives, so it must be driven even while nobody asks for the next batch.

use std::sync::Arc;

use async_trait::async_trait;
use onramp_connector::{Acquired, Instance, Lease, Position, Stream, StreamLimits};
use onramp_finding::Failure;
use tokio::io::ReadHalf;
use tokio::task::JoinHandle;

use crate::Names;
use crate::lsn::Lsn;
use crate::target::Target;
use crate::wire::{Connection, Transport, WireError};

mod assemble;
mod feedback;
mod followed;
mod logical;
mod mapped;
mod message;
mod number;
mod pace;
mod reader;
pub(crate) mod relation;
mod replay;
mod tables;
mod tuple;

use feedback::Shared;
pub(crate) use followed::{Followed, HISTORY};
pub(crate) use logical::Prefixes;
pub(crate) use mapped::Mapped;
pub(crate) use number::{Numbers, near};
use reader::LogStream;
pub(crate) use replay::Replay;

/// The slot is somebody else's (SQLSTATE object_in_use).
const IN_USE: &str = "55006";
/// From where 32-bit numbers in the log are widened.
const NEXT_NUMBER: &str = "pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())";
/// A batch's places are 32 bits wide; this keeps them so.
const BYTES_MAX: usize = 1 << 30;

/// Takes the slot.
pub(crate) async fn acquire(
    names: &Names,
    instance: &Instance,
    mapped: Mapped,
    messages: &Prefixes,
    numbers: Numbers,
    followed: &Followed,
) -> Result<Acquired, Failure> {
    let mut target = names.target.clone();
    if !target.application_name.contains(&*instance.0) {
        target.application_name = format!("{} {}", target.application_name, instance.0);
    }
    let mut connection = Connection::open(&target, &target.application_name).await?;
    let reached = connection
        .query(&format!("SELECT {NEXT_NUMBER}, {HISTORY}"))
        .await
        .map_err(|error| error.failure(&target, false))?;
    let row = reached.first().map(Vec::as_slice).unwrap_or_default();
    let text = |place: usize| row.get(place).and_then(Option::as_deref);
    followed.set(text(1).map(str::to_owned));
    match text(0).and_then(|text| text.parse().ok()) {
        Some(number) => numbers.reached(number),
        None => {
            let error = WireError::Protocol("the next transaction's number".into());
            return Err(error.failure(&target, false));
        }
    }
    let messages = messages.get();
    let command = start_replication(&names.slot, &names.publication, !messages.is_empty());
    let (transport, received) = match connection.into_stream(&command).await {
        Ok(stream) => stream,
        Err(WireError::Server(error)) if error.state == IN_USE => {
            return Ok(Acquired::Held(error.message));
        }
        Err(error) => return Err(error.failure(&target, false)),
    };
    let (reader, writer) = tokio::io::split(transport);
    let shared = Arc::new(Shared::default());
    let task = tokio::spawn(feedback::run(shared.clone(), writer));
    Ok(Acquired::Lease(Box::new(ReplicationLease {
        open: Open {
            target,
            reader,
            received,
            shared,
            mapped,
            messages,
            outside_accepted: names.accept_messages_outside_transactions,
            numbers,
            _feedback: Ended(task),
        },
    })))
}

/// The slot goes on from what was acknowledged; what comes twice is filtered here.
fn start_replication(slot: &str, publication: &str, messages: bool) -> String {
    let identifier = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!(
        "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names '{}', binary 'true'{})",
        identifier(slot),
        identifier(publication).replace('\'', "''"),
        // Asked for where they are wanted alone: they may be many.
        if messages { ", messages 'true'" } else { "" },
    )
}

/// A task that ends with its owner.
struct Ended(JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection in streaming.
struct Open {
    target: Target,
    reader: ReadHalf<Transport>,
    /// What is read and not yet delivered.
    received: Vec<u8>,
    shared: Arc<Shared>,
    mapped: Mapped,
    /// The beginnings of the prefixes of messages that are wanted.
    messages: Vec<String>,
    outside_accepted: bool,
    numbers: Numbers,
    _feedback: Ended,
}

struct ReplicationLease {
    open: Open,
}

#[async_trait]
impl Lease for ReplicationLease {
    async fn stream(
        self: Box<Self>,
        from: &Position,
        limits: StreamLimits,
    ) -> Result<Box<dyn Stream>, Failure> {
        let from = Lsn::parse(&from.0).ok_or_else(|| crate::bad_position(from))?;
        let limits = StreamLimits {
            batch_bytes: limits.batch_bytes.clamp(4096, BYTES_MAX),
            record_bytes: limits.record_bytes.min(BYTES_MAX),
        };
        Ok(Box::new(LogStream::new(self.open, from, limits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_the_protocol_and_within_its_text() {
        assert_eq!(
            start_replication("s", "it's \"p\"", false),
            "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (proto_version '1', \
             publication_names '\"it''s \"\"p\"\"\"', binary 'true')"
        );
    }
}
