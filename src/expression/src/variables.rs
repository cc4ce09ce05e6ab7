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
        constant: None,
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
        constant: None,
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

/// What `table` is, which a row stands in: its schema and its name; the same for every row, once it is
/// known.
pub fn table(scope: Scope, known: Option<(&str, &str)>) -> Scope {
    let column = |name: &str, at, constant: Option<&str>| Column {
        name: name.to_owned(),
        r#type: Type::String,
        nullable: false,
        slot: BEYOND + CHANGE_SLOTS + at,
        constant: constant.map(Box::from),
    };
    scope.columns(
        "table",
        vec![
            column("schema", 0, known.map(|(schema, _)| schema)),
            column("name", 1, known.map(|(_, name)| name)),
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
            others: table(Scope::new(), None),
        }
    }

    /// Of facts: the row before and after a change, and the change. `tx_nullable` as of [`change`].
    pub fn events(tx_nullable: bool) -> Variables {
        Variables {
            rows: &["before", "after"],
            others: table(change(Scope::new(), BEYOND, tx_nullable), None),
        }
    }

    /// Of an outbox: the row, and the transaction that inserted it.
    pub fn outbox(tx_nullable: bool) -> Variables {
        Variables {
            rows: &["row"],
            others: table(transaction(Scope::new(), BEYOND, tx_nullable), None),
        }
    }

    /// Whether there is a variable of this name.
    pub fn has(&self, variable: &str) -> bool {
        self.rows.contains(&variable) || self.others.find(variable).is_some()
    }
}
