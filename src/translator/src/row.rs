//! One change to the events that each product gives of it.

use onramp_connector::{Batch, Cell, Change, Operation};
use onramp_event::{Origin, Span};
use onramp_expression::{Expression, Row, Scratch};
use onramp_finding::codes::mapping;

use crate::change::{self, ChangeView};
use crate::form::{FieldTrouble, Form};
use crate::moves::Verdict;
use crate::output::{Output, Stated};
use crate::program::{Before, Body, EventProgram, ProductProgram, TableProgram};
use crate::quarantine::Failing;
use crate::rows::Seen;
use crate::step::{RowView, Trouble};

/// A change with what it takes to translate it.
pub(crate) struct RowPair<'a, 'b> {
    pub(crate) batch: &'b Batch,
    pub(crate) change: &'a Change,
    pub(crate) program: &'a TableProgram,
    pub(crate) stated: &'a Stated,
    pub(crate) scratch: &'a Scratch,
}

/// An entity's program, as a row meets it.
struct Entity<'a> {
    product: &'a ProductProgram,
    filter: Option<&'a Expression>,
    form: &'a Form,
}

/// What became of a product's row.
enum Outcome {
    /// Its new state, and whether its table had no row of the key before, as far as is known.
    State { came: bool },
    /// Gone.
    Tombstone,
}

pub(crate) type RowTrouble<'a> = (&'a str, &'a str, Trouble);

impl<'a, 'b: 'a> RowPair<'a, 'b> {
    pub(crate) fn events(
        &self,
        after: &mut Vec<Cell<'b>>,
        before: &mut Vec<Cell<'b>>,
        old_key: &mut Vec<u8>,
        output: &mut Output<'_>,
    ) -> Result<(), RowTrouble<'a>> {
        let program = self.program;
        let first = program.products.first().map_or("", |p| p.name.as_str());
        let has_after = self.read(self.change.after, after, first)?;
        let has_before =
            self.read(self.change.before, before, first)? && program.before != Before::None;
        let view = |cells, old| RowView {
            cells,
            old,
            decoders: &program.decoders,
        };
        let old = has_before.then(|| view(&before[..], None));
        let new = has_after.then(|| {
            let stand_in = has_before.then_some((&before[..], &program.in_before[..]));
            view(&after[..], stand_in)
        });
        for product in &program.products {
            if let Some(namer) = &product.rows {
                let seen = Seen {
                    program,
                    operation: self.change.operation,
                    new: new.as_ref(),
                    old: old.as_ref(),
                };
                let route = product.target.route;
                let named = namer.look(&seen, route, self.stated, output.arena);
                output.row = named.map_err(|trouble| (product.name.as_str(), "", trouble))?;
            } else {
                output.row = Span::default();
            }
            let mark = output.mark();
            if product.moves.is_some() {
                output.moves.row(product.target.route);
            }
            let done = match &product.body {
                Body::Entity { filter, form } => {
                    let entity = Entity {
                        product,
                        filter: filter.as_ref(),
                        form,
                    };
                    self.entity(&entity, new.as_ref(), old.as_ref(), old_key, output)
                }
                Body::Outbox(outbox) => self.outbox(product, outbox, new.as_ref(), output),
                Body::Events(events) => {
                    self.facts(product, events, new.as_ref(), old.as_ref(), output)
                }
            };
            let Err((field, trouble)) = done else {
                continue;
            };
            let failed = |trouble| (product.name.as_str(), field, trouble);
            let quarantine = product.quarantine.as_ref();
            let Some(quarantine) = quarantine.filter(|q| q.takes(&trouble)) else {
                return Err(failed(trouble));
            };
            output.back_to(mark);
            if product.moves.is_some() {
                output.moves.back(product.target.route);
            }
            let failing = Failing {
                program,
                product,
                operation: self.change.operation,
                new: new.as_ref(),
                old: old.as_ref(),
                field,
                trouble,
                scratch: self.scratch,
            };
            failing.write(quarantine, output).map_err(failed)?;
        }
        Ok(())
    }

    fn entity(
        &self,
        entity: &Entity<'a>,
        new: Option<&RowView<'a, '_>>,
        old: Option<&RowView<'a, '_>>,
        old_key: &mut Vec<u8>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        match (self.change.operation, new, old) {
            (Operation::Insert, Some(new), _) => self.insert(entity, new, output),
            (Operation::Update, Some(_), None) if self.program.before == Before::None => {
                Err(no_image(
                    &mapping::NO_BEFORE_IMAGE,
                    "the update does not say whether the row's key changed",
                ))
            }
            (Operation::Update, Some(new), old) => self.update(entity, new, old, old_key, output),
            (Operation::Delete, _, Some(old)) => {
                if entity.product.moves.is_none() || self.matches(entity, old)? {
                    self.state(entity, old, &Outcome::Tombstone, output)?;
                }
                Ok(())
            }
            (Operation::Delete, _, None) => Err(no_image(
                &mapping::NO_BEFORE_IMAGE,
                "the delete does not say which row it removed",
            )),
            (_, None, _) => Err(no_image(
                &mapping::ROW_UNREADABLE,
                "the change has no new row",
            )),
        }
    }

    /// The facts that follow from the change.
    fn facts(
        &self,
        product: &'a ProductProgram,
        events: &'a [EventProgram],
        new: Option<&RowView<'a, '_>>,
        old: Option<&RowView<'a, '_>>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let operation = self.change.operation;
        match (operation, new, old) {
            (Operation::Delete, _, None) => {
                return Err(no_image(
                    &mapping::NO_BEFORE_IMAGE,
                    "the delete does not say which row it removed",
                ));
            }
            (Operation::Insert | Operation::Update, None, _) => {
                return Err(no_image(
                    &mapping::ROW_UNREADABLE,
                    "the change has no new row",
                ));
            }
            _ => {}
        }
        let change = ChangeView {
            columns: self.program.wanted.len(),
            after: new,
            before: old,
            operation,
            transaction: self.stated.transaction(),
        };
        for event in events {
            if !change::is_of(operation, event.operations) {
                continue;
            }
            let holds = match &event.when {
                None => true,
                Some(when) => when
                    .holds(&change, self.scratch)
                    .map_err(|e| ("when", Trouble::of_expression(e)))?,
            };
            if holds {
                let outcome = Outcome::State { came: true };
                self.emit(product, &event.form, &change, &outcome, output)?;
            }
        }
        Ok(())
    }

    fn read(
        &self,
        tuple: Option<onramp_connector::Span>,
        cells: &mut Vec<Cell<'b>>,
        product: &'a str,
    ) -> Result<bool, RowTrouble<'a>> {
        cells.clear();
        let Some(span) = tuple else {
            return Ok(false);
        };
        let program = self.program;
        let read = (program.layout.read)(self.batch.slice(span), &program.wanted, cells);
        if read.is_err() || cells.len() != program.wanted.len() {
            let (field, trouble) = no_image(
                &mapping::ROW_UNREADABLE,
                "the row's bytes do not hold the columns that its table has",
            );
            return Err((product, field, trouble));
        }
        Ok(true)
    }

    fn matches(
        &self,
        entity: &Entity<'a>,
        row: &RowView<'a, '_>,
    ) -> Result<bool, FieldTrouble<'a>> {
        match entity.filter {
            None => Ok(true),
            Some(filter) => filter
                .holds(row, self.scratch)
                .map_err(|e| ("where", Trouble::of_expression(e))),
        }
    }

    fn insert(
        &self,
        entity: &Entity<'a>,
        new: &RowView<'a, '_>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        if self.matches(entity, new)? {
            self.state(entity, new, &Outcome::State { came: true }, output)?;
        }
        Ok(())
    }

    /// A row that may have been published and no longer is what it was gets a tombstone under the
    /// key that it had.
    fn update(
        &self,
        entity: &Entity<'a>,
        new: &RowView<'a, '_>,
        old: Option<&RowView<'a, '_>>,
        old_key: &mut Vec<u8>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let matches = self.matches(entity, new)?;
        let may_be_published = match old {
            // Whether it matched must be known where its key may stand in another table, and is: old
            // rows have what the filter reads, and where there is none it reads what did not change.
            Some(old) if entity.product.moves.is_some() => self.matches(entity, old)?,
            None if entity.product.moves.is_some() => matches,
            // Only a whole old row proves that it never matched; one whose filter fails does not.
            Some(old) if self.program.before == Before::Whole => {
                self.matches(entity, old).unwrap_or(true)
            }
            _ => true,
        };
        let mut came = !may_be_published;
        if may_be_published && let Some(old) = old {
            old_key.clear();
            entity.form.key(old, self.scratch, old_key)?;
            let start = output.arena.bytes.len();
            entity
                .form
                .key(new, self.scratch, &mut output.arena.bytes)?;
            let moved = output.arena.bytes[start..] != old_key[..];
            output.arena.bytes.truncate(start);
            if moved {
                self.state(entity, old, &Outcome::Tombstone, output)?;
                if !matches {
                    return Ok(());
                }
                came = true;
            }
        }
        if matches {
            self.state(entity, new, &Outcome::State { came }, output)
        } else if may_be_published {
            self.state(entity, new, &Outcome::Tombstone, output)
        } else {
            Ok(())
        }
    }

    fn state(
        &self,
        entity: &Entity<'a>,
        row: &RowView<'a, '_>,
        outcome: &Outcome,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let moves = entity.product.moves;
        if let Some(table) = moves.filter(|_| output.stated.origin != Origin::Snapshot)
            && self.moved(entity, row, outcome, table, output)? == Verdict::Withheld
        {
            return Ok(());
        }
        self.emit(entity.product, entity.form, row, outcome, output)
    }

    /// Whether a row of one of several tables gives its event, by where else its key stands.
    fn moved(
        &self,
        entity: &Entity<'a>,
        row: &RowView<'a, '_>,
        outcome: &Outcome,
        table: u32,
        output: &mut Output<'_>,
    ) -> Result<Verdict, FieldTrouble<'a>> {
        let bytes = &mut output.arena.bytes;
        let start = bytes.len();
        let made = entity.form.key(row, self.scratch, bytes);
        let route = entity.product.target.route;
        let verdict = made.and_then(|()| {
            let key = &bytes[start..];
            match outcome {
                Outcome::State { came } => Ok(output.moves.written(route, key, table, *came)),
                Outcome::Tombstone => output
                    .moves
                    .removed(route, key, table)
                    .map_err(|code| no_image(code, code.reason)),
            }
        });
        output.arena.bytes.truncate(start);
        verdict
    }

    fn emit<R: Row<'a>>(
        &self,
        product: &'a ProductProgram,
        form: &'a Form,
        row: &R,
        outcome: &Outcome,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let transaction = output.transaction();
        let most = output.row_bytes;
        let bytes = &mut output.arena.bytes;
        let start = bytes.len();
        form.key(row, self.scratch, bytes)?;
        let key = span(start, bytes.len());
        let subject = if form.key_is_text() {
            key
        } else {
            form.subject(row, self.scratch, bytes)?;
            span(key.end as usize, bytes.len())
        };
        let value = match outcome {
            Outcome::Tombstone => None,
            Outcome::State { .. } => {
                let start = bytes.len();
                form.value(row, self.scratch, most, bytes)?;
                Some(span(start, bytes.len()))
            }
        };
        output
            .record(
                &product.target,
                form.r#type,
                transaction,
                (key, subject),
                value,
            )
            .map_err(|trouble| ("", trouble))
    }
}

pub(crate) fn no_image<'a>(
    code: &'static onramp_finding::Code,
    reason: &'static str,
) -> FieldTrouble<'a> {
    let trouble = Trouble::new(code, reason);
    ("", trouble)
}

pub(crate) fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}
