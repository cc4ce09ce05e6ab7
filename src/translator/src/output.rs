//! Where events go: an arena, with what is said of their transaction and how many it has given.

use onramp_event::{Arena, Origin, Record, RouteId, Span, Transaction, partition};
use onramp_finding::codes::mapping;

use crate::change;
use crate::moves::Moves;
use crate::step::Trouble;

/// What is said of it.
#[derive(Debug)]
pub(crate) struct Stated {
    pub(crate) origin: Origin,
    pub(crate) place: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) committed_at_us: i64,
}

/// What it has given so far.
#[derive(Debug)]
pub(crate) struct Given {
    /// Its index in the arena that is being filled.
    pub(crate) in_arena: Option<u32>,
    /// By route: how many events it has given.
    pub(crate) ordinals: Vec<u64>,
}

impl Stated {
    /// As facts see it; None of rows that were there already.
    pub(crate) fn transaction(&self) -> Option<change::Transaction<'_>> {
        match self.origin {
            Origin::Snapshot => None,
            Origin::Log(_) => Some(change::Transaction {
                // Both are digits and signs of the connector's own.
                id: std::str::from_utf8(&self.id).unwrap_or_default(),
                position: std::str::from_utf8(&self.place).unwrap_or_default(),
                committed_at_us: self.committed_at_us,
            }),
        }
    }
}

/// The topic that an event goes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) route: RouteId,
    pub(crate) partitions: i32,
    /// What headers take besides the transaction's place and id and the subject, in bytes.
    pub(crate) header_bytes: usize,
}

/// What an application says of its event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Own {
    pub(crate) id: Option<Span>,
    pub(crate) at_us: Option<i64>,
    pub(crate) partition: Option<i32>,
    pub(crate) headers: Span,
}

/// Where events go.
pub(crate) struct Output<'o> {
    pub(crate) arena: &'o mut Arena,
    pub(crate) stated: &'o Stated,
    pub(crate) given: &'o mut Given,
    pub(crate) moves: &'o mut Moves,
    pub(crate) row_bytes: usize,
    /// The name of the row that is told of; empty where nobody asks.
    pub(crate) row: Span,
}

impl Output<'_> {
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.arena.bytes.len(), self.arena.records.len())
    }

    /// Takes back a row's events and their ordinals.
    pub(crate) fn back_to(&mut self, (bytes, records): (usize, usize)) {
        for record in self.arena.records.drain(records..).rev() {
            self.given.ordinals[record.route.0 as usize] = record.ordinal;
        }
        // The transaction's own bytes may lie beyond the mark.
        let stated = self.given.in_arena.map_or(0, |at| {
            let transaction = &self.arena.transactions[at as usize];
            transaction.place.end.max(transaction.id.end) as usize
        });
        self.arena.bytes.truncate(bytes.max(stated));
    }

    /// The current transaction's index, stated in this arena if it was not yet.
    pub(crate) fn transaction(&mut self) -> u32 {
        if let Some(index) = self.given.in_arena {
            return index;
        }
        let stated = Transaction {
            replayed: None,
            origin: self.stated.origin,
            place: self.arena.push(&self.stated.place),
            id: self.arena.push(&self.stated.id),
            committed_at_us: self.stated.committed_at_us,
        };
        let index = self.arena.transactions.len() as u32;
        self.arena.transactions.push(stated);
        self.given.in_arena = Some(index);
        index
    }

    pub(crate) fn record(
        &mut self,
        target: &Target,
        r#type: u16,
        transaction: u32,
        key_and_subject: (Span, Span),
        value: Option<Span>,
    ) -> Result<(), Trouble> {
        let own = Own::default();
        self.record_with(target, r#type, transaction, key_and_subject, value, own)
    }

    /// The same of an event of which the application says more.
    pub(crate) fn record_with(
        &mut self,
        target: &Target,
        r#type: u16,
        transaction: u32,
        (key, subject): (Span, Span),
        value: Option<Span>,
        own: Own,
    ) -> Result<(), Trouble> {
        let bytes = key.len()
            + value.map_or(0, Span::len)
            + subject.len()
            + self.stated.place.len()
            + self.stated.id.len()
            + own.headers.len()
            // In `ce_id` and in a header of its own.
            + 2 * own.id.map_or(0, Span::len)
            + target.header_bytes;
        if bytes > self.row_bytes {
            return Err(Trouble::of_code(&mapping::ROW_TOO_LARGE));
        }
        let ordinal = &mut self.given.ordinals[target.route.0 as usize];
        self.arena.records.push(Record {
            route: target.route,
            r#type,
            partition: own
                .partition
                .unwrap_or_else(|| partition(self.arena.slice(key), target.partitions)),
            transaction,
            ordinal: *ordinal,
            key,
            subject,
            value,
            id: own.id,
            at_us: own.at_us,
            headers: own.headers,
            row: self.row,
        });
        *ordinal += 1;
        Ok(())
    }
}
