//! An ordinary connection whose answers are read off the wire here: rows of a COPY go straight into
//! the batch that they are handed over in.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use fallible_iterator::FallibleIterator;
use onramp_connector::Batch;
use onramp_finding::Failure;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::copy::{Rows, State};
use crate::catalogue::session::{refused_by_server, unreachable};
use crate::target::Target;
use crate::wire::{Connection, ServerError, Transport, WireError};

/// What every reading connection sets. Rows that a policy hides are an error, not skipped; and the
/// planner is to follow the key's index, whatever it thinks of sorting: a chunk's cost must not grow
/// with the table.
const SETTINGS: &str = "-c DateStyle=ISO,YMD -c TimeZone=UTC -c extra_float_digits=3 \
    -c client_encoding=UTF8 -c bytea_output=hex -c IntervalStyle=postgres -c search_path=pg_catalog \
    -c row_security=off -c default_transaction_read_only=on -c lock_timeout=10s \
    -c statement_timeout=5min -c idle_in_transaction_session_timeout=1min \
    -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off \
    -c enable_incremental_sort=off -c max_parallel_workers_per_gather=0 -c jit=off";
/// So long without a byte, and the connection counts as cut: longer than a statement may take.
const SILENCE: Duration = Duration::from_secs(310);
/// Read at least so much at a time.
const ROOM: usize = 64 << 10;
/// The longest message outside a COPY: errors, and a key's texts.
const MESSAGE_MAX: usize = 16 << 20;

/// A row of texts.
pub(super) type Texts = Vec<Option<String>>;

/// How an answer ended.
#[derive(Debug)]
pub(super) enum End {
    /// All statements are done.
    Done,
    /// A COPY begins.
    Copying,
    /// The server refuses; the connection is of no further use.
    Refused(ServerError),
}

/// How a COPY ended.
#[derive(Debug)]
pub(super) enum Copied {
    /// Every row was taken.
    Exhausted,
    /// A limit was met; the rest has not been read.
    Full,
    /// A row has so many bytes, more than one may have.
    TooLarge(usize),
    /// The server broke it off.
    Refused(ServerError),
}

/// A connection; closed when dropped, which also ends what the server does for it.
pub(super) struct Client {
    transport: Transport,
    received: BytesMut,
    sending: BytesMut,
}

impl Client {
    pub(super) async fn open(target: &Target) -> Result<Client, Failure> {
        let name = format!("{} reader", target.application_name);
        let (transport, received) = Connection::open_session(target, &name, SETTINGS).await?;
        Ok(Client {
            transport,
            received,
            sending: BytesMut::new(),
        })
    }

    /// Runs statements, one after the other, until they are done or a COPY begins.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(Vec<Texts>, End), WireError> {
        frontend::query(sql, &mut self.sending)?;
        self.answer().await
    }

    /// The texts that the server gives to values of these types in binary form.
    pub(super) async fn texts(
        &mut self,
        sql: &str,
        values: &[(u32, &[u8])],
    ) -> Result<(Vec<Texts>, End), WireError> {
        let types = values.iter().map(|(oid, _)| *oid);
        frontend::parse("", sql, types, &mut self.sending)?;
        let write = |(_, value): &(u32, &[u8]), out: &mut BytesMut| {
            out.put_slice(value);
            Ok(IsNull::No)
        };
        let out = &mut self.sending;
        frontend::bind("", "", Some(1), values.iter(), write, Some(0), out).map_err(|error| {
            let text = match error {
                frontend::BindError::Conversion(error) => error.to_string(),
                frontend::BindError::Serialization(error) => error.to_string(),
            };
            WireError::Protocol(text)
        })?;
        frontend::execute("", 0, &mut self.sending)?;
        frontend::sync(&mut self.sending);
        self.answer().await
    }

    /// Takes a COPY's rows into a batch.
    pub(super) async fn copy(
        &mut self,
        rows: &mut Rows,
        most_bytes: usize,
        batch: &mut Batch,
    ) -> Result<Copied, WireError> {
        batch.bytes.extend_from_slice(&self.received);
        self.received.clear();
        loop {
            let needs = match rows.take(&batch.bytes, &mut batch.items) {
                State::Needs(length) => rows.at + length - batch.bytes.len(),
                // Either way the rest of the answer says how it ended.
                State::Ended | State::Interrupted => {
                    self.keep_rest(rows, batch);
                    return self.finish().await;
                }
                State::Full => {
                    self.keep_rest(rows, batch);
                    return Ok(Copied::Full);
                }
                State::TooLarge(bytes) => return Ok(Copied::TooLarge(bytes)),
                State::Unreadable(why) => return Err(WireError::Protocol(why.into())),
            };
            reserve(&mut batch.bytes, needs.max(ROOM), most_bytes);
            let room = needs.max(ROOM);
            let mut space = (&mut batch.bytes).limit(room);
            fill(&mut self.transport, &mut space).await?;
        }
    }

    /// Reads the rest of a COPY and throws it away. False where that would take more than so many
    /// bytes: then closing the connection costs less.
    pub(super) async fn drain(&mut self, most_bytes: usize) -> Result<bool, WireError> {
        let mut drained = 0;
        loop {
            let length = self.header().await?.1;
            if self.received[0] != b'd' {
                return Ok(matches!(self.finish().await?, Copied::Exhausted));
            }
            drained += length;
            if drained > most_bytes {
                return Ok(false);
            }
            self.whole(length).await?;
            drop(self.received.split_to(length));
        }
    }

    /// What stands behind the rows belongs to the rest of the answer.
    fn keep_rest(&mut self, rows: &Rows, batch: &mut Batch) {
        self.received.extend_from_slice(&batch.bytes[rows.at..]);
        batch.bytes.truncate(rows.at);
    }

    /// The end of an answer in which a COPY was.
    async fn finish(&mut self) -> Result<Copied, WireError> {
        match self.answer().await?.1 {
            End::Done => Ok(Copied::Exhausted),
            End::Refused(error) => Ok(Copied::Refused(error)),
            End::Copying => Err(WireError::Protocol("a second COPY".into())),
        }
    }

    async fn answer(&mut self) -> Result<(Vec<Texts>, End), WireError> {
        if !self.sending.is_empty() {
            self.transport.write_all(&self.sending).await?;
            self.transport.flush().await?;
            self.sending.clear();
        }
        let mut rows = Vec::new();
        loop {
            match self.message().await? {
                Message::DataRow(body) => rows.push(texts(&body)?),
                Message::ErrorResponse(body) => {
                    return Ok((rows, End::Refused(ServerError::read(&body))));
                }
                Message::CopyOutResponse(_) => return Ok((rows, End::Copying)),
                // Idle again: no transaction is left open.
                Message::ReadyForQuery(body) if body.status() == b'I' => {
                    return Ok((rows, End::Done));
                }
                Message::RowDescription(_)
                | Message::CommandComplete(_)
                | Message::CopyDone
                | Message::ParseComplete
                | Message::BindComplete
                | Message::ParameterStatus(_)
                | Message::NoticeResponse(_) => {}
                _ => return Err(WireError::Protocol("an answer of another kind".into())),
            }
        }
    }

    async fn message(&mut self) -> Result<Message, WireError> {
        let length = self.header().await?.1;
        if length > MESSAGE_MAX {
            return Err(WireError::Protocol("a message implausibly long".into()));
        }
        self.whole(length).await?;
        Message::parse(&mut self.received)?
            .ok_or_else(|| WireError::Protocol("a message cut short".into()))
    }

    /// The tag and the whole length of the frame at the front.
    async fn header(&mut self) -> Result<(u8, usize), WireError> {
        loop {
            if let Some(header) = Header::parse(&self.received)? {
                // The length counts itself, the tag before it is not counted.
                let length = header.len().unsigned_abs() as usize + 1;
                return Ok((header.tag(), length));
            }
            self.received.reserve(ROOM);
            fill(&mut self.transport, &mut self.received).await?;
        }
    }

    async fn whole(&mut self, length: usize) -> Result<(), WireError> {
        while self.received.len() < length {
            self.received.reserve(ROOM);
            fill(&mut self.transport, &mut self.received).await?;
        }
        Ok(())
    }
}

/// What trouble with a reading connection means.
pub(super) fn failure(target: &Target, error: WireError) -> Failure {
    match error {
        WireError::Io(error) => unreachable(target, error.to_string()),
        WireError::Server(error) => refused_by_server(target, &error.state, &error.message),
        other => other.failure(target, false),
    }
}

async fn fill(transport: &mut Transport, into: &mut impl BufMut) -> Result<(), WireError> {
    match tokio::time::timeout(SILENCE, transport.read_buf(into)).await {
        Ok(Ok(0)) => Err(WireError::Io(std::io::ErrorKind::UnexpectedEof.into())),
        Ok(read) => Ok(read.map(drop)?),
        Err(_) => Err(WireError::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the server did not answer in time",
        ))),
    }
}

/// Room for so much more: grown by half at a time, and not past what a chunk can need.
fn reserve(bytes: &mut Vec<u8>, more: usize, most: usize) {
    let (length, capacity) = (bytes.len(), bytes.capacity());
    if capacity - length < more {
        let goal = (capacity + capacity / 2).min(most).max(length + more);
        bytes.reserve_exact(goal - length);
    }
}

fn texts(body: &DataRowBody) -> Result<Texts, WireError> {
    let text = |range: Option<std::ops::Range<usize>>| {
        let bytes = range.and_then(|range| body.buffer().get(range));
        let text = bytes.map(|bytes| std::str::from_utf8(bytes).map(str::to_owned));
        text.transpose().map_err(std::io::Error::other)
    };
    Ok(body.ranges().map(text).collect()?)
}
