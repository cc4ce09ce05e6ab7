//! A product's mapping, field by field: for whoever asks more of a row than whether it fails.
//!
//! What is told here stands before protection: it is the caller's to keep classified values back.

use std::sync::Arc;

use onramp_connector::{Batch, Cell, Span, TableLayout, Value};
use onramp_expression::{Expression, Row as _, Scratch};
use onramp_finding::{Code, Finding, codes::mapping};

use crate::convert::{Convert, Out};
use crate::form::Form;
use crate::program::{Body, TableProgram};
use crate::step::{RowView, Trouble};
use crate::translate::TableMapping;
use crate::write;

/// What a row has for one field, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The column's value, or what the expression gives; None where there is none.
    pub source: Option<Value<'a>>,
    /// The field's value before protection.
    pub given: Result<Out<'a>, Unexamined>,
    /// A code that the field's `values` do not list, whatever `otherwise` makes of it.
    pub is_unlisted: bool,
    /// A local time that occurs twice, or never, whatever `ambiguous` makes of it.
    pub is_ambiguous: bool,
}

/// Why there is no value; never with the row's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unexamined {
    /// The stable code.
    pub code: &'static Code,
    /// Why.
    pub reason: &'static str,
}

impl From<Trouble> for Unexamined {
    fn from(trouble: Trouble) -> Self {
        Unexamined {
            code: trouble.code,
            reason: trouble.reason,
        }
    }
}

/// A table's mapping for one product and one layout of its rows.
pub struct Examiner {
    layout: Arc<TableLayout>,
    program: TableProgram,
    scratch: Scratch,
}

impl Examiner {
    /// Compiles the mapping's first product for the layout that rows have now.
    ///
    /// # Errors
    /// What a translator refuses, too.
    pub fn new(
        layout: &Arc<TableLayout>,
        mapping: &TableMapping,
        keys: &[(String, Vec<u8>)],
    ) -> Result<Examiner, Vec<Finding>> {
        let first = mapping.products.get(..1).unwrap_or_default();
        Ok(Examiner {
            layout: layout.clone(),
            program: TableProgram::compile(layout, &mapping.table, first, keys)?,
            scratch: Scratch::new(),
        })
    }

    /// Whether it was compiled for this very layout.
    pub fn is_for(&self, layout: &Arc<TableLayout>) -> bool {
        Arc::ptr_eq(&self.layout, layout)
    }

    /// Tells every field of a row, by its place among [`Examiner::paths`]. False, and nothing told,
    /// where the product's filter leaves the row out.
    ///
    /// # Errors
    /// The filter fails, or the row cannot be read.
    pub fn fields(
        &mut self,
        batch: &Batch,
        row: Span,
        mut look: impl FnMut(usize, Seen<'_>),
    ) -> Result<bool, Unexamined> {
        self.scratch.clear();
        let cells = self.cells(batch, row)?;
        let (view, scratch) = (self.view(&cells), &self.scratch);
        let Some((filter, form)) = self.entity() else {
            return Ok(false);
        };
        if let Some(filter) = filter {
            let holds = filter.holds(&view, scratch);
            if !holds.map_err(Trouble::of_expression)? {
                return Ok(false);
            }
        }
        for (place, step) in form.value.iter().enumerate() {
            let source = step.source(&view, scratch);
            let given = source.and_then(|value| step.plain(value));
            let source = source.ok();
            look(
                place,
                Seen {
                    source,
                    given: given.map_err(Unexamined::from),
                    is_unlisted: match (&step.convert, source) {
                        (Convert::Code(codes), Some(value)) => codes.lacks(value),
                        _ => false,
                    },
                    is_ambiguous: match (&step.convert, source) {
                        (Convert::Parsed(time), Some(Value::Text(text))) => time.is_ambiguous(text),
                        _ => false,
                    },
                },
            );
        }
        Ok(true)
    }

    /// The fields' paths, in the contract's order.
    pub fn paths(&self) -> Vec<Arc<str>> {
        let steps = self.entity().map_or(&[][..], |(_, form)| &form.value);
        steps.iter().map(|step| step.path.clone()).collect()
    }

    /// The row's key as text, before protection; None where it has none.
    pub fn key(&mut self, batch: &Batch, row: Span) -> Option<String> {
        self.scratch.clear();
        let cells = self.cells(batch, row).ok()?;
        let view = self.view(&cells);
        let mut out = Vec::new();
        let steps = &self.entity()?.1.key;
        for (n, step) in steps.iter().enumerate() {
            let value = step.plain(step.source(&view, &self.scratch).ok()?).ok()?;
            // Writing to memory does not fail.
            let _ = match &steps[..] {
                [_] => write::text(&value, &mut out),
                _ => {
                    out.push(if n == 0 { b'[' } else { b',' });
                    write::json(&value, &mut out)
                }
            };
        }
        if steps.len() > 1 {
            out.push(b']');
        }
        String::from_utf8(out).ok()
    }

    /// The columns that the mapping reads, as texts; None is SQL's NULL.
    pub fn columns(&self, batch: &Batch, row: Span) -> Vec<(String, Option<String>)> {
        let cells = self.cells(batch, row).unwrap_or_default();
        let view = self.view(&cells);
        (0..cells.len())
            .map(|slot| {
                let text = match view.value(slot) {
                    Ok(Value::Null) => None,
                    Ok(value) => Some(Out::of_column(value).text()),
                    Err(why) => Some(format!("({})", why.reason())),
                };
                (self.program.column(slot).to_owned(), text)
            })
            .collect()
    }

    /// Filter and fields of an entity; of facts no row tells anything.
    fn entity(&self) -> Option<(Option<&Expression>, &Form)> {
        match &self.program.products.first()?.body {
            Body::Entity { filter, form } => Some((filter.as_ref(), form)),
            Body::Events(_) | Body::Outbox(_) => None,
        }
    }

    fn cells<'b>(&self, batch: &'b Batch, row: Span) -> Result<Vec<Cell<'b>>, Unexamined> {
        let mut cells = Vec::with_capacity(self.program.wanted.len());
        let read = (self.layout.read)(batch.slice(row), &self.program.wanted, &mut cells);
        match read {
            Ok(()) if cells.len() == self.program.wanted.len() => Ok(cells),
            _ => Err(Unexamined {
                code: &mapping::ROW_UNREADABLE,
                reason: "the row's bytes do not hold the columns that its table has",
            }),
        }
    }

    fn view<'a, 'r>(&'r self, cells: &'r [Cell<'a>]) -> RowView<'a, 'r> {
        RowView {
            cells,
            old: None,
            decoders: &self.program.decoders,
        }
    }
}
