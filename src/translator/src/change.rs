//! A change as facts see it: the row before and after it, its operation, its transaction.

use onramp_connector::{Operation, Undecodable, Value};
use onramp_expression::{CHANGE_SLOTS, Operations, Row};

use crate::step::RowView;

/// Where in a change's slots each thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// How many columns there are; none where there is just one row, whose slots are its own.
    columns: usize,
    /// The row as it is after the change.
    pub(crate) after: usize,
    /// The row as it was before.
    pub(crate) before: usize,
    /// Operation and transaction.
    pub(crate) change: usize,
    /// The row that `from` means: as it is after the change; of a delete, as it was.
    pub(crate) row: usize,
}

/// Which row a slot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    New,
    Before,
    /// The one that `from` means, where that may be an old one.
    Either,
}

impl Places {
    /// An entity's: one row.
    pub(crate) fn of_row() -> Places {
        Places {
            columns: 0,
            after: 0,
            before: 0,
            change: 0,
            row: 0,
        }
    }

    pub(crate) fn of_change(columns: usize, operations: Operations) -> Places {
        let change = 2 * columns;
        Places {
            columns,
            after: 0,
            before: columns,
            change,
            row: if operations.delete {
                change + CHANGE_SLOTS
            } else {
                0
            },
        }
    }

    /// The column that a slot is of, and of which row; None of operation and transaction.
    pub(crate) fn column(&self, slot: usize) -> Option<(usize, Of)> {
        if self.columns == 0 {
            return Some((slot, Of::New));
        }
        match slot {
            slot if slot < self.before => Some((slot, Of::New)),
            slot if slot < self.change => Some((slot - self.before, Of::Before)),
            slot if slot < self.change + CHANGE_SLOTS => None,
            slot => Some((slot - self.change - CHANGE_SLOTS, Of::Either)),
        }
    }
}

/// The transaction that a change came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transaction<'a> {
    pub(crate) id: &'a str,
    pub(crate) position: &'a str,
    pub(crate) committed_at_us: i64,
}

/// A change, by its slots.
pub(crate) struct ChangeView<'a, 'r> {
    pub(crate) columns: usize,
    pub(crate) after: Option<&'r RowView<'a, 'r>>,
    pub(crate) before: Option<&'r RowView<'a, 'r>>,
    pub(crate) operation: Operation,
    /// None of a row that was there already.
    pub(crate) transaction: Option<Transaction<'a>>,
}

/// A row that a change lacks has nothing in it.
fn of_row<'a>(row: Option<&RowView<'a, '_>>, slot: usize) -> Result<Value<'a>, Undecodable> {
    row.map_or(Ok(Value::Null), |row| row.value(slot))
}

impl<'a> Row<'a> for ChangeView<'a, '_> {
    #[inline]
    fn value(&self, slot: usize) -> Result<Value<'a>, Undecodable> {
        let columns = self.columns;
        if slot < columns {
            return of_row(self.after, slot);
        }
        if slot < 2 * columns {
            return of_row(self.before, slot - columns);
        }
        let of_transaction = |value: fn(Transaction<'a>) -> Value<'a>| {
            Ok(self.transaction.map_or(Value::Null, value))
        };
        match slot - 2 * columns {
            0 => Ok(Value::Text(word(self.operation))),
            1 => of_transaction(|t| Value::Text(t.id)),
            2 => of_transaction(|t| Value::Text(t.position)),
            3 => of_transaction(|t| Value::Timestamp(t.committed_at_us)),
            rest => of_row(self.after.or(self.before), rest - CHANGE_SLOTS),
        }
    }
}

pub(crate) fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert => "insert",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}

/// Whether an operation is one of some.
pub(crate) fn is_of(operation: Operation, operations: Operations) -> bool {
    match operation {
        Operation::Insert => operations.insert,
        Operation::Update => operations.update,
        Operation::Delete => operations.delete,
    }
}
