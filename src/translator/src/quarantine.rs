//! Rows that a product cannot carry, with their context, for its quarantine topic.
//!
//! A record is one JSON object: the finding's code and reason, the field, where in the log, which
//! operation, and the columns that the product maps. A column that a classified or protected field
//! reads is named and not shown. The key is the product's, where it can be computed. What it holds of a
//! change, and what it says that it does not hold, is enough to translate the change again exactly.

use onramp_connector::{Cell, Operation, Undecodable, Value};
use onramp_event::{Origin, Span};
use onramp_expression::{Opened, Row, Scratch};
use onramp_finding::codes::mapping;

use crate::change::{self, ChangeView};
use crate::convert::Out;
use crate::output::{Output, Target};
use crate::program::{Before, Body, ProductProgram, TableProgram};
use crate::step::{RowView, Trouble, opened_at};
use crate::write;

/// Where a product's failing rows go.
#[derive(Debug)]
pub(crate) struct Quarantine {
    pub(crate) target: Target,
    /// Whether every row goes there that cannot be carried, or those of an unknown type alone.
    pub(crate) all: bool,
    /// The slots that the product reads, and whether their values may be shown.
    pub(crate) columns: Vec<(usize, bool)>,
}

impl Quarantine {
    /// Whether a row goes there that fails so.
    pub(crate) fn takes(&self, trouble: &Trouble) -> bool {
        // What is not known of a moved row is not the row's fault, and another one's tombstone.
        let of_moves = [&mapping::MOVE_UNCLEAR, &mapping::MOVES_FORGOTTEN];
        (self.all && !of_moves.contains(&trouble.code)) || trouble.code == &mapping::UNKNOWN_EVENT
    }
}

/// A change that a product cannot carry, and why.
pub(crate) struct Failing<'a, 'r> {
    pub(crate) program: &'a TableProgram,
    pub(crate) product: &'a ProductProgram,
    pub(crate) operation: Operation,
    pub(crate) new: Option<&'r RowView<'a, 'r>>,
    pub(crate) old: Option<&'r RowView<'a, 'r>>,
    pub(crate) field: &'a str,
    pub(crate) trouble: Trouble,
    pub(crate) scratch: &'a Scratch,
}

impl<'a> Failing<'a, '_> {
    /// Writes the record. What does not fit even without its columns is refused.
    pub(crate) fn write(
        &self,
        quarantine: &Quarantine,
        output: &mut Output<'_>,
    ) -> Result<(), Trouble> {
        let transaction = output.transaction();
        let start = output.arena.bytes.len();
        let mut key = Vec::new();
        if !self.key(&mut key) {
            key.clear();
        }
        let key = output.arena.push(&key);
        // Of a row that is too large the key and the position are kept alone.
        let mut with_columns = self.trouble.code != &mapping::ROW_TOO_LARGE;
        loop {
            let from = output.arena.bytes.len();
            self.value(quarantine, with_columns, output);
            let value = Span {
                start: from as u32,
                end: output.arena.bytes.len() as u32,
            };
            let done = match with_columns && value.len() > MOST_BYTES {
                true => Err(self.trouble),
                false => output.record(&quarantine.target, 0, transaction, (key, key), Some(value)),
            };
            match done {
                Err(_) if with_columns => {
                    with_columns = false;
                    output.arena.bytes.truncate(from);
                }
                Err(trouble) => {
                    output.arena.bytes.truncate(start);
                    return Err(trouble);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    fn key(&self, out: &mut Vec<u8>) -> bool {
        let rows = [self.new, self.old];
        match &self.product.body {
            Body::Entity { form, .. } => rows.into_iter().flatten().any(|row| {
                out.clear();
                form.key(row, self.scratch, out).is_ok()
            }),
            Body::Outbox(outbox) => rows.into_iter().flatten().any(|row| {
                let value = row.value(outbox.columns.key.slot);
                let value = match (value, &outbox.columns.key.path) {
                    (Ok(value), Some(path)) => {
                        opened_at(value, path, Opened::Code, self.scratch).ok()
                    }
                    (value, _) => value.ok(),
                };
                let value = value.unwrap_or(Value::Null);
                // Writing to memory does not fail.
                let _ = write::text(&Out::of_column(value), out);
                value != Value::Null
            }),
            Body::Events(events) => {
                let change = ChangeView {
                    columns: self.program.wanted.len(),
                    after: self.new,
                    before: self.old,
                    operation: self.operation,
                    transaction: None,
                };
                let mut of_operation = events
                    .iter()
                    .filter(|event| change::is_of(self.operation, event.operations));
                of_operation.any(|event| {
                    out.clear();
                    event.form.key(&change, self.scratch, out).is_ok()
                })
            }
        }
    }

    fn value(&self, quarantine: &Quarantine, with_columns: bool, output: &mut Output<'_>) {
        let stated = output.stated;
        let out = &mut output.arena.bytes;
        let trouble = &self.trouble;
        let column = trouble.slot.map(|slot| self.program.column(slot));
        let operation = match stated.origin {
            Origin::Snapshot => "snapshot",
            Origin::Log(_) => change::word(self.operation),
        };
        out.push(b'{');
        name(out, "format");
        // Writing to memory does not fail.
        let _ = write::json(&Out::Long(FORMAT), out);
        out.push(b',');
        text(out, "product", Some(&self.product.name));
        text(out, "table", Some(&self.program.layout.name.to_string()));
        text(out, "code", Some(trouble.code.id));
        text(out, "reason", Some(trouble.reason));
        text(out, "field", Some(self.field).filter(|f| !f.is_empty()));
        text(out, "column", column);
        name(out, "expression_at");
        let at = trouble.at.map_or(Out::Null, |at| Out::Long(at.into()));
        // Writing to memory does not fail.
        let _ = write::json(&at, out);
        out.push(b',');
        text(out, "operation", Some(operation));
        text(out, "position", std::str::from_utf8(&stated.place).ok());
        text(out, "transaction", std::str::from_utf8(&stated.id).ok());
        name(out, "committed_at_us");
        let _ = write::json(&Out::Long(stated.committed_at_us), out);
        out.push(b',');
        for (label, row) in [("before", self.old), ("after", self.new)] {
            name(out, label);
            match row.filter(|_| with_columns) {
                None => out.extend_from_slice(b"null"),
                Some(row) => self.columns(quarantine, row, out),
            }
            out.push(b',');
        }
        self.lacking(quarantine, with_columns, out);
        out.push(b'}');
    }

    /// What a record does not hold: the columns of old rows beside their key, and which values stand for
    /// others, since a column may hold the same words.
    fn lacking(&self, quarantine: &Quarantine, with_columns: bool, out: &mut Vec<u8>) {
        name(out, "before_holds");
        match self.old.filter(|_| self.program.before == Before::Key) {
            None => out.extend_from_slice(b"null"),
            Some(_) => {
                let held = quarantine.columns.iter().map(|(slot, _)| *slot);
                let held = held.filter(|slot| self.program.in_before[*slot]);
                list(out, held.map(|slot| self.program.column(slot)));
            }
        }
        for (label, row) in [("before_withheld", self.old), ("after_withheld", self.new)] {
            out.push(b',');
            name(out, label);
            match row.filter(|_| with_columns) {
                None => out.extend_from_slice(b"[]"),
                Some(row) => {
                    let withheld = quarantine
                        .columns
                        .iter()
                        .filter(|(slot, shown)| shown_as(row, *slot, *shown).is_err());
                    list(out, withheld.map(|(slot, _)| self.program.column(*slot)));
                }
            }
        }
    }

    fn columns(&self, quarantine: &Quarantine, row: &RowView<'a, '_>, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for (slot, shown) in &quarantine.columns {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            name(out, self.program.column(*slot));
            let _ = match shown_as(row, *slot, *shown) {
                Ok(value) => write::json(&Out::of_column(value), out),
                Err(in_its_place) => write::json(&Out::Text(in_its_place), out),
            };
        }
        out.push(b'}');
    }
}

/// A column's value, or what stands in its place.
fn shown_as<'a>(
    row: &RowView<'a, '_>,
    slot: usize,
    shown: bool,
) -> Result<Value<'a>, &'static str> {
    let value = match (row.cells[slot], row.value(slot)) {
        (Cell::Null, _) => return Ok(Value::Null),
        (_, _) if !shown => return Err(PROTECTED),
        (_, Err(Undecodable::Unchanged)) => return Err(LEFT_OUT),
        (_, value) => value.map_err(|_| UNREADABLE)?,
    };
    match value {
        Value::Array(elements) if elements.iter().any(|e| e.is_err()) => Err(UNREADABLE),
        value => Ok(value),
    }
}

fn list<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = &'n str>) {
    out.push(b'[');
    for (n, name) in names.enumerate() {
        if n > 0 {
            out.push(b',');
        }
        let _ = write::json(&Out::Text(name), out);
    }
    out.push(b']');
}

/// The form of a record that can be replayed: earlier ones have no `format`.
const FORMAT: i64 = 2;

/// A larger record is kept without its columns: whoever reads a quarantine reads all of it.
const MOST_BYTES: usize = 512 << 10;
/// In place of a value that a classified or protected field reads.
const PROTECTED: &str = "(protected)";
/// In place of a value that the log left out.
const LEFT_OUT: &str = "(not in the log)";
/// In place of a value that cannot be decoded.
const UNREADABLE: &str = "(unreadable)";

fn name(out: &mut Vec<u8>, name: &str) {
    let _ = write::json(&Out::Text(name), out);
    out.push(b':');
}

fn text(out: &mut Vec<u8>, label: &str, value: Option<&str>) {
    name(out, label);
    let _ = write::json(&value.map_or(Out::Null, Out::Text), out);
    out.push(b',');
}
