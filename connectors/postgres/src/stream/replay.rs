//! The log's messages where a statement fetched them, and no stream: read as a stream's are.

use std::sync::Arc;

use onramp_connector::{Batch, StreamLimits};
use onramp_finding::Failure;

use super::assemble::{Assembler, Stopped};
use super::feedback::Shared;
use super::mapped::Mapped;
use super::number::Numbers;
use super::reader::learnt;
use crate::lsn::Lsn;
use crate::target::Target;

/// Messages of pgoutput, one after the other.
pub(crate) struct Replay {
    target: Target,
    assembler: Assembler,
    mapped: Mapped,
    /// Messages in the stream's frames.
    received: Vec<u8>,
}

impl Replay {
    pub(crate) fn new(
        target: &Target,
        numbers: Numbers,
        mapped: Mapped,
        limits: StreamLimits,
    ) -> Replay {
        let shared = Arc::new(Shared::default());
        Replay {
            target: target.clone(),
            assembler: Assembler::new(Lsn(0), limits.record_bytes, shared, numbers),
            mapped,
            received: Vec::new(),
        }
    }

    /// How many bytes wait to be read.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.received.len()
    }

    /// Takes a message in its place in the log.
    pub(crate) fn push(&mut self, lsn: Lsn, message: &[u8]) {
        let length = 4 + 25 + message.len() as u32;
        let out = &mut self.received;
        out.push(b'd');
        out.extend_from_slice(&length.to_be_bytes());
        out.push(b'w');
        // Start, end, and the server's clock, which nobody reads.
        for number in [lsn.0, lsn.0, 0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(message);
    }

    /// Moves what was taken into a batch, up to the next table that must be asked about. False where
    /// there is nothing to deliver.
    pub(crate) async fn read(&mut self, batch: &mut Batch) -> Result<bool, Failure> {
        loop {
            let read = self.assembler.read(&self.received, batch, &self.target)?;
            if !batch.items.is_empty() {
                let rest = self.received.split_off(read.consumed);
                batch.bytes = std::mem::replace(&mut self.received, rest);
                self.assembler.finish(batch);
                batch.tables = self.assembler.tables().to_vec();
                return Ok(true);
            }
            let described = read
                .stopped
                .map(|Stopped::AtRelation(range)| self.received[range].to_vec());
            self.received.drain(..read.consumed);
            let Some(described) = described else {
                return Ok(false);
            };
            let learnt = learnt(self.target.clone(), described).await?;
            self.mapped.check(learnt.oid, &learnt.layout.name)?;
            self.assembler.learn(learnt);
        }
    }
}
