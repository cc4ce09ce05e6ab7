//! From frames to a batch's items, without waiting and without copying a row.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;
use onramp_connector::{Batch, Begin, Change, Item, Operation, Span, TableId, TableLayout};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};
use postgres_protocol::message::backend;

use super::feedback::Shared;
use super::logical::{self, Wanted};
use super::message::{self, Message, Old};
use super::number::Numbers;
use super::tables::{Described, Learnt, Tables};
use crate::decode::EPOCH_US;
use crate::lsn::Lsn;
use crate::target::Target;
use crate::wire::{ServerError, WireError};

/// A frame's tag and length.
const HEAD: usize = 5;
/// XLogData before its message: tag, start, end, time.
const LOG_HEAD: usize = 25;
/// What a frame too large must have shown before it is refused, so that its table can be named.
const NAMED: usize = HEAD + LOG_HEAD + 5;

/// The transaction that the log is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Transaction,
    /// One that the starting position holds already.
    Known,
}

/// Why reading ended before the buffer did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// At the description of a table, which must be learnt first.
    AtRelation(Range<usize>),
}

/// How far reading came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) consumed: usize,
    /// The bytes that the frame after it takes, as far as known.
    pub(super) needed: usize,
    pub(super) position: Option<Lsn>,
    pub(super) stopped: Option<Stopped>,
}

pub(super) struct Assembler {
    record_bytes: usize,
    shared: Arc<Shared>,
    numbers: Numbers,
    from: u64,
    within: Within,
    /// The last position given away.
    position: u64,
    /// The furthest place that the server named.
    seen: u64,
    tables: Tables,
    messages: Wanted,
    /// Texts of Begin items, put behind the frames; and where those items are.
    texts: Vec<u8>,
    begins: Vec<usize>,
}

impl Assembler {
    pub(super) fn new(
        from: Lsn,
        record_bytes: usize,
        shared: Arc<Shared>,
        numbers: Numbers,
    ) -> Assembler {
        Assembler {
            record_bytes,
            shared,
            numbers,
            from: from.0,
            within: Within::Nothing,
            position: from.0,
            seen: from.0,
            tables: Tables::default(),
            messages: Wanted::default(),
            texts: Vec::new(),
            begins: Vec::new(),
        }
    }

    /// Messages of these prefixes are wanted, too; whether those that no transaction holds may be
    /// passed over.
    pub(super) fn with_messages(mut self, prefixes: Vec<String>, accepted: bool) -> Assembler {
        self.messages = Wanted::new(prefixes, accepted);
        self
    }

    pub(super) fn tables(&self) -> &[Arc<TableLayout>] {
        self.tables.layouts()
    }

    pub(super) fn lag_bytes(&self) -> u64 {
        self.seen.saturating_sub(self.position)
    }

    /// The layout of a table that reading stopped at.
    pub(super) fn learn(&mut self, learnt: Learnt) {
        self.tables.learn(learnt);
    }

    /// Reads whole frames; an error is kept for the next call where there is something before it.
    pub(super) fn read(
        &mut self,
        buffer: &[u8],
        batch: &mut Batch,
        target: &Target,
    ) -> Result<Read, Failure> {
        let mut read = Read::default();
        self.texts.clear();
        self.begins.clear();
        while read.stopped.is_none() {
            let rest = &buffer[read.consumed..];
            let Some(head) = rest.first_chunk::<HEAD>() else {
                break;
            };
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize + 1;
            let too_large = length.saturating_sub(HEAD + LOG_HEAD) > self.record_bytes;
            if too_large && rest.len() >= NAMED {
                return self.keep(read, batch, self.too_large(rest, length));
            }
            if rest.len() < length {
                read.needed = if too_large { NAMED } else { length };
                break;
            }
            if length < HEAD {
                return self.keep(read, batch, unreadable("a frame without a length", target));
            }
            let at = read.consumed + HEAD..read.consumed + length;
            match self.frame(head[0], buffer, at, batch, &mut read, target) {
                Ok(()) if read.stopped.is_some() => {}
                Ok(()) => read.consumed += length,
                Err(failure) => return self.keep(read, batch, failure),
            }
        }
        Ok(read)
    }

    fn keep(&self, read: Read, batch: &Batch, failure: Failure) -> Result<Read, Failure> {
        if batch.items.is_empty() && read.position.is_none() {
            Err(failure)
        } else {
            Ok(read)
        }
    }

    /// Puts the texts behind the frames, once these are the batch's.
    pub(super) fn finish(&mut self, batch: &mut Batch) {
        let base = batch.bytes.len() as u32;
        batch.bytes.extend_from_slice(&self.texts);
        for &at in &self.begins {
            if let Item::Begin(begin) = &mut batch.items[at] {
                for span in [&mut begin.place, &mut begin.id] {
                    span.start += base;
                    span.end += base;
                }
            }
        }
    }

    fn frame(
        &mut self,
        tag: u8,
        buffer: &[u8],
        at: Range<usize>,
        batch: &mut Batch,
        read: &mut Read,
        target: &Target,
    ) -> Result<(), Failure> {
        let payload = &buffer[at.clone()];
        match (tag, payload.first()) {
            (b'd', Some(b'w')) if payload.len() >= LOG_HEAD => {
                self.seen = self.seen.max(number(payload, 9));
                let place = number(payload, 1);
                let message = at.start + LOG_HEAD..at.end;
                self.message(&buffer[message.clone()], message, batch, read)
                    .map_err(|wrong| match wrong {
                        Wrong::Failure(failure) => *failure,
                        Wrong::Message(what) => {
                            unreadable(&format!("{what} at {}", Lsn(place)), target)
                        }
                    })
            }
            (b'd', Some(b'k')) if payload.len() >= 18 => {
                self.keepalive(number(payload, 1), read);
                if payload[17] != 0 {
                    self.shared.answer();
                }
                Ok(())
            }
            (b'N' | b'S', _) => Ok(()),
            (b'E', _) => {
                let frame = BytesMut::from(&buffer[at.start - HEAD..at.end]);
                match backend::Message::parse(&mut { frame }) {
                    Ok(Some(backend::Message::ErrorResponse(body))) => {
                        Err(WireError::Server(ServerError::read(&body)).failure(target, false))
                    }
                    _ => Err(unreadable("an error without a text", target)),
                }
            }
            // The server ends the stream: it shuts down.
            (b'c' | b'C' | b'Z', _) => {
                let ended = std::io::Error::new(
                    std::io::ErrorKind::ConnectionReset,
                    "the server ended the stream",
                );
                Err(WireError::Io(ended).failure(target, false))
            }
            _ => Err(unreadable("a frame that the stream does not have", target)),
        }
    }

    /// Within a transaction a keepalive moves nothing: its place lies before the commit.
    fn keepalive(&mut self, end: u64, read: &mut Read) {
        self.seen = self.seen.max(end);
        if self.within == Within::Nothing && end > self.position {
            self.position = end;
            read.position = Some(Lsn(end));
        }
    }

    #[inline]
    fn message(
        &mut self,
        bytes: &[u8],
        at: Range<usize>,
        batch: &mut Batch,
        read: &mut Read,
    ) -> Result<(), Wrong> {
        let parsed = message::parse(bytes).map_err(|message::Unreadable(tag)| {
            Wrong::Message(format!(
                "a message '{}' that is unreadable",
                tag.escape_ascii()
            ))
        })?;
        let span = |range: Range<usize>| Span {
            start: (at.start + range.start) as u32,
            end: (at.start + range.end) as u32,
        };
        let (operation, relation, before, after) = match parsed {
            Message::Insert { relation, after } => (Operation::Insert, relation, None, Some(after)),
            Message::Update {
                relation,
                before,
                after,
            } => (Operation::Update, relation, before, Some(after)),
            Message::Delete { relation, before } => {
                (Operation::Delete, relation, Some(before), None)
            }
            Message::Begin {
                commit_lsn,
                committed_at,
                xid,
            } => {
                return self.begin(commit_lsn, committed_at, xid, batch);
            }
            Message::Commit { end_lsn } => return self.commit(end_lsn, batch, read),
            Message::Relation(relation) => {
                match self.tables.describe(relation.oid, bytes) {
                    Described::Known => {}
                    Described::New(id) => batch.items.push(Item::Layout(id)),
                    Described::Unknown => read.stopped = Some(Stopped::AtRelation(at)),
                }
                return Ok(());
            }
            Message::Truncate { relations } => return self.truncate(relations, batch),
            Message::Logical {
                transactional,
                lsn,
                prefix,
                content,
            } => {
                if !transactional {
                    return self.outside(lsn, prefix);
                }
                return self.logical(prefix, span(content), batch);
            }
            Message::Other => return Ok(()),
        };
        if let Some(id) = self.tables.row_of(relation) {
            batch.items.push(Item::Layout(id));
        }
        match self.within {
            Within::Transaction => {}
            Within::Known => return Ok(()),
            Within::Nothing => return Err(wrong("a change outside a transaction")),
        }
        let (table, whole) = self.table(relation)?;
        let before = match before {
            Some(Old { whole: false, .. }) if whole => {
                return Err(Wrong::Failure(Box::new(self.less_than_whole(table))));
            }
            old => old.map(|old| span(old.tuple)),
        };
        let after = after.map(span);
        batch.items.push(Item::Change(Change {
            table,
            operation,
            before,
            after,
        }));
        Ok(())
    }

    fn begin(
        &mut self,
        commit_lsn: u64,
        committed_at: i64,
        xid: u32,
        batch: &mut Batch,
    ) -> Result<(), Wrong> {
        if self.within != Within::Nothing {
            return Err(wrong("a transaction within a transaction"));
        }
        if commit_lsn < self.from {
            self.within = Within::Known;
            return Ok(());
        }
        self.within = Within::Transaction;
        let mut text = |text: std::fmt::Arguments<'_>| {
            let start = self.texts.len() as u32;
            // Writing to memory does not fail.
            let _ = self.texts.write_fmt(text);
            Span {
                start,
                end: self.texts.len() as u32,
            }
        };
        let place = text(format_args!("{}", Lsn(commit_lsn)));
        let id = text(format_args!("{xid}"));
        self.begins.push(batch.items.len());
        let committed_at_us = committed_at.saturating_add(EPOCH_US);
        batch.items.push(Item::Begin(Begin {
            place,
            id,
            number: self.numbers.widen(xid),
            committed_at_us,
        }));
        Ok(())
    }

    /// A message that no transaction holds. What the starting position holds already was passed over
    /// when it was met.
    fn outside(&self, lsn: u64, prefix: &str) -> Result<(), Wrong> {
        if lsn < self.from || !self.messages.has(prefix) {
            return Ok(());
        }
        match self.messages.outside_accepted {
            true => {
                logical::passed_over(Lsn(lsn), prefix);
                Ok(())
            }
            false => {
                let refused = logical::outside(Lsn(lsn), prefix);
                Err(Wrong::Failure(Box::new(refused)))
            }
        }
    }

    /// A message of the application's: a row for each that asked for its prefix.
    fn logical(&mut self, prefix: &str, content: Span, batch: &mut Batch) -> Result<(), Wrong> {
        match self.within {
            Within::Transaction => {}
            Within::Known => return Ok(()),
            Within::Nothing => return Err(wrong("a message outside its transaction")),
        }
        self.messages.each(prefix, &mut self.tables, |table, new| {
            if new {
                batch.items.push(Item::Layout(table));
            }
            batch.items.push(Item::Change(Change {
                table,
                operation: Operation::Insert,
                before: None,
                after: Some(content),
            }));
        });
        Ok(())
    }

    fn commit(&mut self, end_lsn: u64, batch: &mut Batch, read: &mut Read) -> Result<(), Wrong> {
        match std::mem::replace(&mut self.within, Within::Nothing) {
            Within::Nothing => return Err(wrong("a commit outside a transaction")),
            Within::Known => return Ok(()),
            Within::Transaction => {}
        }
        batch.items.push(Item::Commit);
        self.seen = self.seen.max(end_lsn);
        self.position = self.position.max(end_lsn);
        read.position = Some(Lsn(self.position));
        Ok(())
    }

    fn truncate(&mut self, relations: &[u8], batch: &mut Batch) -> Result<(), Wrong> {
        self.tables.truncated();
        match self.within {
            Within::Nothing => return Err(wrong("a change outside a transaction")),
            Within::Known => return Ok(()),
            Within::Transaction => {}
        }
        for oid in relations.chunks_exact(4) {
            let oid = u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]);
            let (table, _) = self.table(oid)?;
            batch.items.push(Item::Truncate(table));
        }
        Ok(())
    }

    #[inline]
    fn table(&mut self, oid: u32) -> Result<(TableId, bool), Wrong> {
        self.tables
            .find(oid)
            .ok_or_else(|| wrong("a change of a table that was never described"))
    }

    fn less_than_whole(&self, table: TableId) -> Failure {
        let name = &self.tables.layout(table).name;
        Failure::stop(
            Kind::Data,
            Finding::error(
                &codes::IDENTITY_CHANGED,
                Place::Source(name.to_string()),
                format!("an old row of {name} holds its key alone"),
            )
            .because("the table's replica identity is FULL, that of the partition is not")
            .remedy(codes::IDENTITY_CHANGED.remedy),
        )
    }

    fn too_large(&self, frame: &[u8], length: usize) -> Failure {
        let body = &frame[HEAD..];
        let place = Lsn(number(body, 1));
        let oid = &body[LOG_HEAD + 1..LOG_HEAD + 5];
        let oid = u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]);
        let name = self.tables.name(oid);
        let name = name.unwrap_or_else(|| "a table not yet described".to_owned());
        let (bytes, limit) = (length - HEAD, self.record_bytes);
        Failure::stop(
            Kind::Data,
            Finding::error(
                &codes::RECORD_TOO_LARGE,
                Place::Source(format!("{name} at {place}")),
                format!("a change of {name} at {place} takes {bytes} bytes; {limit} are allowed"),
            )
            .because(codes::RECORD_TOO_LARGE.reason)
            .remedy(codes::RECORD_TOO_LARGE.remedy),
        )
    }
}

enum Wrong {
    Message(String),
    Failure(Box<Failure>),
}

fn wrong(what: &str) -> Wrong {
    Wrong::Message(what.to_owned())
}

fn unreadable(what: &str, target: &Target) -> Failure {
    WireError::Protocol(what.to_owned()).failure(target, false)
}

/// Eight bytes as a number; the caller has looked that they are there.
#[inline]
fn number(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<8>())
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
