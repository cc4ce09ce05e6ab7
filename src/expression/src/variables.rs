//! The variables that an expression may speak of, by where it stands.

use crate::{Column, Scope, Type};

/// Variables before the columns that they have are known.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// Those that are a row of the table, old or new: a column has one type in all of them.
    pub rows: &'static [&'static str],
    /// The others, whose types are known.
    pub others: Scope,
}

/// A slot beyond every column's: before the columns are known.
const BEYOND: usize = usize::MAX - 8;

/// What `op` and `tx` are, from a slot on. `tx_nullable` where a row that was there already, which no
/// transaction brought, may be evaluated.
pub fn change(scope: Scope, first: usize, tx_nullable: bool) -> Scope {
    let column = |name: &str, r#type, at, nullable| Column {
        name: name.to_owned(),
        r#type,
        nullable,
        slot: first + at,
    };
    let op = column("op", Type::String, 0, false);
    transaction(scope.value(op), first, tx_nullable)
}

/// What `tx` is, in the slots of a change that begin there.
pub fn transaction(scope: Scope, first: usize, nullable: bool) -> Scope {
    let column = |name: &str, r#type, at| Column {
        name: name.to_owned(),
        r#type,
        nullable,
        slot: first + at,
    };
    scope.columns(
        "tx",
        vec![
            column("id", Type::String, 1),
            column("position", Type::String, 2),
            column("committed_at", Type::Timestamp, 3),
        ],
    )
}

/// How many slots [`change`] takes.
pub const CHANGE_SLOTS: usize = 4;

impl Variables {
    /// Of an entity: the row as it is.
    pub fn entity() -> Variables {
        Variables {
            rows: &["row"],
            others: Scope::new(),
        }
    }

    /// Of facts: the row before and after a change, and the change. `tx_nullable` as of [`change`].
    pub fn events(tx_nullable: bool) -> Variables {
        Variables {
            rows: &["before", "after"],
            others: change(Scope::new(), BEYOND, tx_nullable),
        }
    }

    /// Of an outbox: the row, and the transaction that inserted it.
    pub fn outbox(tx_nullable: bool) -> Variables {
        Variables {
            rows: &["row"],
            others: transaction(Scope::new(), BEYOND, tx_nullable),
        }
    }

    /// Whether there is a variable of this name.
    pub fn has(&self, variable: &str) -> bool {
        self.rows.contains(&variable) || self.others.find(variable).is_some()
    }
}
