//! The mapped tables by the server's own numbers: a name may move from one table to another.

use std::sync::{Arc, Mutex, PoisonError};

use onramp_connector::Ident;
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

/// Shared by whoever prepares the source and whoever reads its log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mapped(Arc<Mutex<Vec<(u32, Ident)>>>);

impl Mapped {
    /// What they are now.
    pub(crate) fn set(&self, tables: Vec<(u32, Ident)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tables;
    }

    /// Refuses a mapped table under another name, and another table under a mapped name.
    pub(crate) fn check(&self, oid: u32, name: &Ident) -> Result<(), Failure> {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = tables.iter().find(|(o, n)| (*o == oid) != (n == name));
        let Some((_, mapped)) = moved else {
            return Ok(());
        };
        let message = if mapped == name {
            format!("{name} is another table than it was at the start")
        } else {
            format!("the mapped table {mapped} is {name} now")
        };
        Err(Failure::stop(
            Kind::Source,
            Finding::error(
                &codes::TABLE_MOVED,
                Place::Source(format!("table {mapped}")),
                message,
            )
            .because(codes::TABLE_MOVED.reason)
            .remedy(codes::TABLE_MOVED.remedy),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_moved_is_refused_and_a_strange_one_is_not() {
        let ident = |table: &str| Ident {
            schema: "public".into(),
            table: table.into(),
        };
        let mapped = Mapped::default();
        mapped.set(vec![(7, ident("a")), (8, ident("b"))]);
        assert!(mapped.check(7, &ident("a")).is_ok());
        assert!(mapped.check(9, &ident("c")).is_ok());
        assert!(mapped.check(7, &ident("a_old")).is_err());
        assert!(mapped.check(9, &ident("a")).is_err());
        assert!(mapped.check(7, &ident("b")).is_err());
    }
}
