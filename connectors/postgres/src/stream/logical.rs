//! Messages that applications write into the log: which of them are wanted, and how they are read.

use std::sync::{Arc, Mutex, PoisonError};

use onramp_connector::messages::CONTENT;
use onramp_connector::{BeforeImage, Cell, Ident, TableId, TableLayout, Undecodable, ValueType};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

use super::tables::Tables;
use crate::decode;
use crate::lsn::Lsn;

/// The beginnings of the prefixes that are wanted: shared by whoever prepares the source and whoever
/// reads its log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prefixes(Arc<Mutex<Vec<String>>>);

impl Prefixes {
    /// What they are now.
    pub(crate) fn set(&self, prefixes: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = prefixes;
    }

    pub(crate) fn get(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The wanted ones, with the layout that was told of each.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    prefixes: Vec<(String, Option<TableId>)>,
    /// `source.accept: [messages_outside_transactions]`.
    pub(super) outside_accepted: bool,
}

impl Wanted {
    pub(super) fn new(prefixes: Vec<String>, outside_accepted: bool) -> Wanted {
        Wanted {
            prefixes: prefixes.into_iter().map(|p| (p, None)).collect(),
            outside_accepted,
        }
    }

    /// Calls with each layout that a message of this prefix is a row of, and whether it is new.
    pub(super) fn each(
        &mut self,
        prefix: &str,
        tables: &mut Tables,
        mut row: impl FnMut(TableId, bool),
    ) {
        let wanted = self.prefixes.iter_mut();
        for (of, told) in wanted.filter(|(of, _)| prefix.starts_with(&**of)) {
            let new = told.is_none();
            let table = *told.get_or_insert_with(|| tables.push(layout(of)));
            row(table, new);
        }
    }

    pub(super) fn has(&self, prefix: &str) -> bool {
        self.prefixes
            .iter()
            .any(|(of, _)| prefix.starts_with(&**of))
    }
}

fn layout(prefix: &str) -> TableLayout {
    TableLayout {
        name: Ident::messages(prefix),
        columns: vec![(CONTENT.to_owned(), ValueType::Text, decode::text)],
        before: BeforeImage::None,
        read,
    }
}

/// A message is its content.
fn read<'a>(row: &'a [u8], wanted: &[u16], out: &mut Vec<Cell<'a>>) -> Result<(), Undecodable> {
    out.extend(wanted.iter().map(|_| Cell::Raw(row)));
    Ok(())
}

/// A message that no transaction holds: it is told even where its writer rolls back.
pub(super) fn outside(at: Lsn, prefix: &str) -> Failure {
    Failure::stop(
        Kind::Data,
        Finding::error(
            &codes::MESSAGE_OUTSIDE,
            Place::Source(format!("messages {prefix:?}")),
            format!("a message at {at} is not part of a transaction"),
        )
        .because(codes::MESSAGE_OUTSIDE.reason)
        .remedy(codes::MESSAGE_OUTSIDE.remedy),
    )
}

/// The same, where it is accepted: whoever looks for what was left out finds it by its place.
pub(super) fn passed_over(at: Lsn, prefix: &str) {
    let code = &codes::MESSAGE_OUTSIDE;
    tracing::warn!(
        code = code.id,
        prefix,
        position = %at,
        "a message that is not part of a transaction is passed over"
    );
}
