//! Encoded events on their way from the translator to the publisher.
//!
//! The one thing that both know. An [`Arena`] is filled by the translator, sent over a bounded
//! channel, published, and sent back to be filled again: its memory is the gateway's working
//! memory. Neither databases nor Kafka's client come in here.

use std::sync::Arc;

/// A range of bytes in [`Arena::bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// How many bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A topic of this run: an index into the list of [`Route`]s that the gateway made at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(pub u16);

/// What all events of one route have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The product, e.g. `commerce.orders.v1`.
    pub product: String,
    /// The topic.
    pub topic: String,
    /// The partition count that keys are spread over, pinned.
    pub partitions: i32,
    /// `ce_source`: names gateway and product.
    pub source: String,
    /// Its types of events; an entity's one.
    pub types: Vec<EventType>,
    /// Whether it is the topic of the product's rows that cannot be carried: JSON, without a schema.
    pub quarantine: bool,
}

/// What all events of one type have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// `ce_type`: e.g. `commerce.orders.v1`, `commerce.order-lifecycle.v1.OrderPlaced`.
    pub name: String,
    /// `ce_dataschema`: the schema's address in the registry.
    pub data_schema: String,
}

/// What events came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A transaction that the source's log brought, by its number.
    Log(u64),
    /// Rows that were there already, read from the table.
    Snapshot,
}

/// What events have in common that came together, as headers tell of it: a source transaction, or
/// a run over the rows that were there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// What it is.
    pub origin: Origin,
    /// Its place in the source's log, in [`Arena::bytes`]; of a snapshot the run's id.
    pub place: Span,
    /// Its identifier, in [`Arena::bytes`]; of a snapshot the run's id.
    pub id: Span,
    /// When it committed or was read, in microseconds since 1970-01-01T00:00:00Z.
    pub committed_at_us: i64,
    /// The offset in quarantine from which its change is told late; None of what comes in its time.
    pub replayed: Option<i64>,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its topic.
    pub route: RouteId,
    /// Its type, an index into [`Route::types`]; a tombstone's is the first.
    pub r#type: u16,
    /// The partition, computed from the key.
    pub partition: i32,
    /// An index into [`Arena::transactions`].
    pub transaction: u32,
    /// Its number within transaction and route, from 0.
    pub ordinal: u64,
    /// The key's bytes.
    pub key: Span,
    /// The key as text, for `ce_subject`.
    pub subject: Span,
    /// The value's bytes; None is a tombstone.
    pub value: Option<Span>,
    /// The id that an application gave it; None where its place in the log is its id.
    pub id: Option<Span>,
    /// When an application says that it happened, in microseconds since 1970-01-01T00:00:00Z; None
    /// where that is when its transaction committed.
    pub at_us: Option<i64>,
    /// Further headers, as [`Arena::push_header`] appends them.
    pub headers: Span,
    /// The name of the row that was there before and that this tells of, a [`RowName`]; empty of
    /// everything else.
    pub row: Span,
}

/// What tells a table's row from every other, as long as its key stays: a digest of that key, under a
/// secret of the product's own.
pub type RowName = [u8; 16];

/// What the log did with a row of a product whose rows that were there before are being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The product's topic.
    pub route: RouteId,
    /// The row.
    pub row: RowName,
    /// The transaction's number.
    pub number: u64,
    /// Whether the row is gone; else the log brought it.
    pub gone: bool,
}

/// Encoded events, in order.
#[derive(Debug, Default)]
pub struct Arena {
    /// What the spans point into.
    pub bytes: Vec<u8>,
    /// The events.
    pub records: Vec<Record>,
    /// The source transactions that they belong to; one that began in an earlier arena is
    /// repeated.
    pub transactions: Vec<Transaction>,
    /// Where the log was read to, if the arena ends between two source transactions: a Kafka
    /// transaction may end here, and with this progress. None inside a source transaction.
    pub boundary: Option<Arc<str>>,
    /// Rows that the log brought for this arena, whether they gave events or not.
    pub rows: u64,
    /// Updates of an outbox's rows that were passed over.
    pub passed_over: u64,
    /// Records of progress, key and value, that belong to the Kafka transaction of these events. An
    /// empty value takes the record away.
    pub notes: Vec<(String, String)>,
    /// Rows that the log brought or took away, where somebody asks.
    pub marks: Vec<Mark>,
}

impl Arena {
    /// The bytes of a span.
    #[inline]
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// Appends bytes and says where they are.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: self.bytes.len() as u32,
        }
    }

    /// Appends a header: its name, and the value that is written.
    pub fn push_header(&mut self, name: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
        self.bytes
            .extend_from_slice(&(name.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(name);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        value(&mut self.bytes);
        let length = (self.bytes.len() - at - 4) as u32;
        self.bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// The headers of a span, name and value.
    pub fn headers(&self, span: Span) -> impl Iterator<Item = (&[u8], &[u8])> {
        fn part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
            let (length, rest) = bytes.split_first_chunk::<4>()?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            *bytes = rest;
            Some(part)
        }
        let mut bytes = self.slice(span);
        std::iter::from_fn(move || Some((part(&mut bytes)?, part(&mut bytes)?)))
    }

    /// Empties it, and gives memory back that one large record made it take.
    pub fn recycle(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep_bytes);
        self.records.clear();
        self.transactions.clear();
        self.boundary = None;
        self.rows = 0;
        self.passed_over = 0;
        self.notes.clear();
        self.marks.clear();
    }
}

/// The partition of a key, as the Java client's default partitioner has it (murmur2, positive,
/// modulo): consumers that join two topics by key find both in the same partition.
#[inline]
pub fn partition(key: &[u8], partitions: i32) -> i32 {
    ((murmur2(key) & 0x7fff_ffff) % partitions as u32) as i32
}

/// MurmurHash2 as in `org.apache.kafka.common.utils.Utils.murmur2`.
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h: u32 = 0x9747_b28c ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (n, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * n);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the Java client's own test (`UtilsTest.testMurmur2`).
    #[test]
    fn murmur2_is_the_java_clients() {
        for (text, hash) in [
            ("21", -973932308i32),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58897971,
            ),
            ("abc", 479470107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }
}
