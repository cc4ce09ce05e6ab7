//! Rows by name: what tells a table's rows apart while those that were there before are told once each.
//!
//! The name is the table's, not the product's: several rows may have one key, and a row of which the
//! log brought nothing worth telling is known all the same. It is a digest, so that neither progress nor
//! a header shows a key that the product protects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use onramp_connector::{BeforeImage, Ident, Index, Operation, TableDescription, ValueType};
use onramp_event::{Arena, Mark, Origin, RouteId, RowName, Span};
use onramp_expression::Row;
use onramp_finding::codes::mapping;
use sha2::Sha256;

use crate::convert::Out;
use crate::output::Stated;
use crate::program::{Before, TableProgram};
use crate::row::no_image;
use crate::step::{RowView, Trouble};
use crate::write;

/// By what a product's rows are named.
#[derive(Debug, Clone)]
pub struct RowNames {
    /// Known to this product's progress alone.
    pub secret: Arc<[u8]>,
    /// Whether marks are still asked for.
    pub asked: Arc<AtomicBool>,
}

/// The columns that tell a table's rows apart, by their places: those by which it is read, which are its
/// primary key, else its narrowest other key. A row for which they change may have been read and be read
/// once more, so that they name it and old rows must hold them. None where there is no such key.
pub(crate) fn identity(table: &TableDescription, before: &BeforeImage) -> Option<Vec<usize>> {
    let place = |name: &String| {
        let at = table.columns.iter().position(|c| c.name == *name)?;
        (table.columns[at].value_type != ValueType::Unsupported).then_some(at)
    };
    let held = |index: &&Index| match before {
        BeforeImage::Whole => true,
        BeforeImage::Key(columns) => index.columns.iter().all(|c| columns.contains(c)),
        BeforeImage::None => false,
    };
    let fit = table.unique.iter().filter(|i| i.total && !i.deferrable);
    let read_by = fit.min_by_key(|index| (!index.primary, index.columns.len()));
    read_by.filter(held)?.columns.iter().map(place).collect()
}

/// Whether rows that are read by these columns, each in words that begin with its name, are named by them.
pub fn named_by(table: &TableDescription, read_by: &[String]) -> bool {
    let is = |words: &String, name: &str| {
        let rest = words.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    identity(table, &table.before).is_some_and(|places| {
        let mut names = places.iter().map(|at| table.columns[*at].name.as_str());
        places.len() == read_by.len() && names.all(|name| read_by.iter().any(|w| is(w, name)))
    })
}

/// Names a product's rows.
#[derive(Debug)]
pub(crate) struct RowNamer {
    mac: Hmac<Sha256>,
    slots: Vec<usize>,
    asked: Arc<AtomicBool>,
    /// Whether it matters that a row went: an outbox's event is told all the same.
    goes: bool,
}

impl RowNamer {
    /// None without columns.
    pub(crate) fn new(
        names: &RowNames,
        table: &Ident,
        slots: Vec<usize>,
        goes: bool,
    ) -> Option<RowNamer> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&names.secret).ok()?;
        // Of several tables each may have a row of the same key.
        mac.update(table.to_string().as_bytes());
        mac.update(&[0]);
        Some(RowNamer {
            goes,
            mac,
            asked: names.asked.clone(),
            slots: Some(slots).filter(|slots| !slots.is_empty())?,
        })
    }

    fn name(&self, row: &RowView<'_, '_>) -> Result<RowName, Trouble> {
        let mut text = Vec::with_capacity(64);
        for slot in &self.slots {
            let value = row.value(*slot);
            let value = value.map_err(|why| Trouble::of_column(*slot, why))?;
            // Writing to memory does not fail.
            let _ = write::json(&Out::of_column(value), &mut text);
            text.push(b',');
        }
        let mut mac = self.mac.clone();
        mac.update(&text);
        let digest = mac.finalize().into_bytes();
        let mut name = RowName::default();
        // The digest is twice as long.
        for (at, byte) in name.iter_mut().zip(digest) {
            *at = byte;
        }
        Ok(name)
    }

    /// Of a row that was there before its name, in the arena; of one that the log brought, took away or
    /// gave another key a mark.
    pub(crate) fn look(
        &self,
        seen: &Seen<'_, '_>,
        route: RouteId,
        stated: &Stated,
        arena: &mut Arena,
    ) -> Result<Span, Trouble> {
        let number = match (stated.origin, seen.new) {
            (Origin::Snapshot, Some(row)) => {
                let name = self.name(row)?;
                return Ok(arena.push(&name));
            }
            (Origin::Snapshot, None) => {
                return Err(no_image(&mapping::ROW_UNREADABLE, "the row is not there").1);
            }
            (Origin::Log(number), _) => number,
        };
        if !self.asked.load(Ordering::Relaxed) {
            return Ok(Span::default());
        }
        let old = seen.old.filter(|_| seen.program.before != Before::None);
        let old = old.filter(|_| self.slots.iter().all(|slot| seen.program.in_before[*slot]));
        let mut mark = |row, gone| {
            arena.marks.push(Mark {
                route,
                row,
                number,
                gone,
            });
        };
        match (seen.operation, old, seen.new) {
            (Operation::Insert, _, Some(new)) => mark(self.name(new)?, false),
            (Operation::Update, Some(old), Some(new)) => {
                let now = self.name(new)?;
                if self.name(old)? != now {
                    mark(now, false);
                }
            }
            (Operation::Delete, Some(old), _) if self.goes => mark(self.name(old)?, true),
            _ => {}
        }
        Ok(Span::default())
    }
}

/// A change, as rows are named by it.
pub(crate) struct Seen<'a, 'r> {
    pub(crate) program: &'r TableProgram,
    pub(crate) operation: Operation,
    pub(crate) new: Option<&'r RowView<'a, 'r>>,
    pub(crate) old: Option<&'r RowView<'a, 'r>>,
}
