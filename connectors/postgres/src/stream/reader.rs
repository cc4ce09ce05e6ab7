//! Reads the socket into the buffer that becomes the batch.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BufMut;
use onramp_connector::{Acknowledge, Batch, Position, Stream, StreamLimits};
use onramp_finding::Failure;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::assemble::{Assembler, Stopped};
use super::feedback::Acknowledger;
use super::pace::{Pace, REST};
use super::tables::Learnt;
use super::{Open, relation};
use crate::lsn::Lsn;
use crate::stream::message::{self, Message};
use crate::target::Target;
use crate::wire::WireError;

/// So long without a word, and the server is asked for one.
const SILENCE: Duration = Duration::from_secs(15);
/// So long, and the connection counts as cut.
const DEAF: Duration = Duration::from_secs(120);

/// So long may the catalogue take for a table's description.
const LEARNING: Duration = Duration::from_secs(75);

/// The log of one slot, as it comes.
pub(super) struct LogStream {
    open: Open,
    limits: StreamLimits,
    assembler: Assembler,
    pace: Pace,
    /// Since when reads bring nothing, and whether the server was asked why.
    silent: Option<(Instant, bool)>,
    /// How many bytes the frame at the front of the buffer has.
    needed: usize,
    /// Whether the last read filled the room there was.
    full: bool,
    /// The question to the catalogue that is under way.
    learning: Option<JoinHandle<Result<Learnt, Failure>>>,
}

impl LogStream {
    pub(super) fn new(open: Open, from: Lsn, limits: StreamLimits) -> LogStream {
        let (shared, numbers) = (open.shared.clone(), open.numbers.clone());
        let messages = open.messages.clone();
        let outside = open.outside_accepted;
        LogStream {
            open,
            limits,
            assembler: Assembler::new(from, limits.record_bytes, shared, numbers)
                .with_messages(messages, outside),
            pace: Pace::default(),
            silent: None,
            needed: 0,
            full: false,
            learning: None,
        }
    }

    /// Moves whole frames from the buffer to the batch. True when there is something to deliver.
    async fn deliver(&mut self, batch: &mut Batch) -> Result<bool, Failure> {
        loop {
            let buffer = &self.open.received;
            let read = self.assembler.read(buffer, batch, &self.open.target)?;
            self.needed = read.needed;
            if !batch.items.is_empty() || read.position.is_some() {
                batch.position = read.position.map(|lsn| Position(lsn.to_string().into()));
                batch.more = self.full || read.consumed < buffer.len();
                self.hand_over(batch, read.consumed);
                return Ok(true);
            }
            let described = read
                .stopped
                .map(|Stopped::AtRelation(range)| buffer[range].to_vec());
            self.open.received.drain(..read.consumed);
            let Some(described) = described else {
                return Ok(false);
            };
            self.learn(described).await?;
        }
    }

    /// Asks the catalogue about a table, in a task of its own: a call that is cancelled meanwhile
    /// leaves it running, and the next one finds it further.
    async fn learn(&mut self, described: Vec<u8>) -> Result<(), Failure> {
        let learning = self
            .learning
            .get_or_insert_with(|| tokio::spawn(learnt(self.open.target.clone(), described)));
        let learnt = tokio::time::timeout(LEARNING, &mut *learning).await;
        let Ok(learnt) = learnt else {
            learning.abort();
            self.learning = None;
            return Err(self.cut("the server did not describe a table in time"));
        };
        self.learning = None;
        let learnt = learnt.unwrap_or_else(|ended| {
            let error = WireError::Io(std::io::Error::other(ended.to_string()));
            Err(error.failure(&self.open.target, false))
        })?;
        self.open.mapped.check(learnt.oid, &learnt.layout.name)?;
        self.assembler.learn(learnt);
        Ok(())
    }

    /// The buffer becomes the batch's, the batch's last one ours; only a frame cut short moves.
    fn hand_over(&mut self, batch: &mut Batch, consumed: usize) {
        let mut next = std::mem::take(&mut batch.bytes);
        next.clear();
        // After a large record the memory is given back.
        if next.capacity() > self.limits.batch_bytes * 2 {
            next = Vec::new();
        }
        next.extend_from_slice(&self.open.received[consumed..]);
        batch.bytes = std::mem::replace(&mut self.open.received, next);
        self.assembler.finish(batch);
    }

    async fn read(&mut self, deadline: Instant) -> Result<(), Failure> {
        if self.pace.rests() {
            std::thread::sleep(REST);
        }
        let held = self.open.received.len();
        let room = self
            .limits
            .batch_bytes
            .max(self.needed)
            .saturating_sub(held)
            .max(1);
        self.open.received.reserve_exact(room);
        let mut space = (&mut self.open.received).limit(room);
        match timeout_at(deadline, self.open.reader.read_buf(&mut space)).await {
            Ok(Ok(0)) => Err(self.cut("the server closed the connection")),
            Ok(Ok(bytes)) => {
                self.full = bytes == room;
                self.silent = None;
                self.pace.read(bytes, std::time::Instant::now());
                Ok(())
            }
            Ok(Err(error)) => Err(WireError::Io(error).failure(&self.open.target, false)),
            Err(_) => self.listen(),
        }
    }

    /// Nothing came: asks whether the server is there, and gives up in the end.
    fn listen(&mut self) -> Result<(), Failure> {
        let (since, asked) = self.silent.get_or_insert((Instant::now(), false));
        let silence = since.elapsed();
        if silence >= DEAF {
            return Err(self.cut("the server did not answer for two minutes"));
        }
        if silence >= SILENCE && !*asked {
            *asked = true;
            self.open.shared.ask();
        }
        Ok(())
    }

    fn cut(&self, why: &'static str) -> Failure {
        let error = std::io::Error::new(std::io::ErrorKind::ConnectionReset, why);
        WireError::Io(error).failure(&self.open.target, false)
    }
}

/// What the catalogue says of a description in the log.
pub(super) async fn learnt(target: Target, described: Vec<u8>) -> Result<Learnt, Failure> {
    let Ok(Message::Relation(table)) = message::parse(&described) else {
        let error = WireError::Protocol("a table's description".into());
        return Err(error.failure(&target, false));
    };
    let (oid, (layout, partitioned)) = (table.oid, relation::layout(&target, &table).await?);
    Ok(Learnt {
        oid,
        described,
        layout,
        partitioned,
    })
}

#[async_trait]
impl Stream for LogStream {
    async fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), Failure> {
        batch.items.clear();
        batch.bytes.clear();
        batch.position = None;
        batch.more = false;
        let deadline = Instant::now() + wait;
        // A cancelled call has moved nothing: bytes wait in our own buffer until they are handed
        // over, and that happens without a pause.
        while !self.deliver(batch).await? {
            if Instant::now() >= deadline {
                break;
            }
            self.read(deadline).await?;
        }
        let known = self.assembler.tables();
        batch.tables.truncate(known.len());
        batch.tables.extend_from_slice(&known[batch.tables.len()..]);
        batch.lag_bytes = Some(self.assembler.lag_bytes());
        Ok(())
    }

    fn nudge(&self) {
        self.open.shared.ask();
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledge> {
        Arc::new(Acknowledger(self.open.shared.clone()))
    }
}
