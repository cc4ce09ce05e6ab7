//! Items of the log to events in an arena.

use std::collections::HashMap;
use std::ops::Range;

use onramp_connector::{Batch, Begin, Cell, Change, Ident, Item, Operation, TableDescription};
use onramp_event::{Arena, Origin, Record, Span, Transaction, partition};
use onramp_expression::Scratch;
use onramp_finding::codes::mapping;

use crate::fault::{RowFault, Stopped};
use crate::program::{Before, FieldTrouble, Mapped, ProductProgram, TableProgram};
use crate::step::{RowView, Trouble};

/// A table and what is made of it.
#[derive(Debug, Clone)]
pub struct TableMapping {
    /// The table, as the mappings were checked with it.
    pub table: TableDescription,
    /// Its products, in the order in which a row gives events.
    pub products: Vec<Mapped>,
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The first item that is still to be done.
    pub next: usize,
    /// Whether a source transaction is open after it: the arena may not be a boundary.
    pub in_transaction: bool,
}

/// The source transaction that is being read, or the run over a table.
#[derive(Debug)]
struct Current {
    open: bool,
    origin: Origin,
    place: Vec<u8>,
    id: Vec<u8>,
    committed_at_us: i64,
    /// Its index in the arena that is being filled.
    in_arena: Option<u32>,
    /// By route: how many events it has given.
    ordinals: Vec<u64>,
}

/// Turns changes into events: one for each stream, since table ids are the stream's.
pub struct Translator {
    mappings: HashMap<Ident, TableMapping>,
    keys: Vec<(String, Vec<u8>)>,
    row_bytes: usize,
    /// By table id.
    programs: Vec<Option<TableProgram>>,
    current: Current,
    scratch: Scratch,
    old_key: Vec<u8>,
}

impl Translator {
    /// A translator of these tables; `keys` are the gateway's for protection, `row_bytes` is
    /// `limits.row`.
    pub fn new(
        mappings: Vec<TableMapping>,
        keys: Vec<(String, Vec<u8>)>,
        row_bytes: usize,
    ) -> Self {
        let routes = mappings
            .iter()
            .flat_map(|m| m.products.iter().map(|p| p.route.0 as usize + 1))
            .max()
            .unwrap_or(0);
        Translator {
            mappings: mappings
                .into_iter()
                .map(|mapping| (mapping.table.name.clone(), mapping))
                .collect(),
            keys,
            row_bytes,
            programs: Vec::new(),
            current: Current {
                open: false,
                origin: Origin::Snapshot,
                place: Vec::new(),
                id: Vec::new(),
                committed_at_us: 0,
                in_arena: None,
                ordinals: vec![0; routes],
            },
            scratch: Scratch::new(),
            old_key: Vec::new(),
        }
    }

    /// Translates items of a batch until they end or the arena holds `full_bytes`, even inside a
    /// source transaction: go on with [`Progress::next`] and the next arena, where the transaction
    /// is stated again. The boundary is the caller's to set. Where it stops, the arena holds the
    /// events of the items before alone.
    pub fn apply(
        &mut self,
        batch: &Batch,
        items: Range<usize>,
        arena: &mut Arena,
        full_bytes: usize,
    ) -> Result<Progress, Stopped> {
        // An arena that has no transaction yet is another than last time.
        if arena.transactions.is_empty() {
            self.current.in_arena = None;
        }
        let mut after = Vec::new();
        let mut before = Vec::new();
        let mut next = items.start;
        for item in items {
            match &batch.items[item] {
                Item::Begin(begin) => self.begin(batch, begin),
                Item::Commit => self.current.open = false,
                Item::Layout(table) => {
                    let at = table.0 as usize;
                    if self.programs.len() <= at {
                        self.programs.resize_with(at + 1, || None);
                    }
                    let layout = batch.layout(*table);
                    self.programs[at] = match self.mappings.get(&layout.name) {
                        None => None,
                        Some(m) => Some(
                            TableProgram::compile(layout, &m.table, &m.products, &self.keys)
                                .map_err(|findings| Stopped::Table { item, findings })?,
                        ),
                    };
                }
                Item::Change(change) => {
                    arena.rows += 1;
                    if let Some(Some(program)) = self.programs.get(change.table.0 as usize) {
                        self.scratch.clear();
                        let mut output = Output {
                            arena,
                            current: &mut self.current,
                            row_bytes: self.row_bytes,
                        };
                        let mark = output.mark();
                        let row = RowPair {
                            batch,
                            change,
                            program,
                            scratch: &self.scratch,
                        };
                        let done =
                            row.events(&mut after, &mut before, &mut self.old_key, &mut output);
                        if let Err((product, field, trouble)) = done {
                            output.back_to(mark);
                            output.arena.rows -= 1;
                            let fault = fault(program, product, field, trouble, item);
                            return Err(Stopped::Row(Box::new(fault)));
                        }
                    }
                }
                Item::Truncate(table) => {
                    if let Some(Some(program)) = self.programs.get(table.0 as usize)
                        && let Some(p) = program.products.iter().find(|p| p.stop_on_truncate)
                    {
                        let trouble = Trouble {
                            code: &mapping::TRUNCATED,
                            reason: mapping::TRUNCATED.reason,
                            slot: None,
                        };
                        let fault = fault(program, &p.name, "", trouble, item);
                        return Err(Stopped::Row(Box::new(fault)));
                    }
                }
            }
            next = item + 1;
            if arena.bytes.len() >= full_bytes {
                break;
            }
        }
        Ok(Progress {
            next,
            in_transaction: self.current.open,
        })
    }

    /// The place in the log of the source transaction that was last begun: where [`Stopped`] is.
    pub fn place(&self) -> &str {
        std::str::from_utf8(&self.current.place).unwrap_or_default()
    }

    /// What follows are rows that were there already, read in a run of this id, now.
    pub fn begin_snapshot(&mut self, run: &str, read_at_us: i64) {
        self.open(Origin::Snapshot, run.as_bytes(), run.as_bytes(), read_at_us);
    }

    fn begin(&mut self, batch: &Batch, begin: &Begin) {
        let (place, id) = (batch.slice(begin.place), batch.slice(begin.id));
        self.open(Origin::Log(begin.number), place, id, begin.committed_at_us);
    }

    fn open(&mut self, origin: Origin, place: &[u8], id: &[u8], at_us: i64) {
        let current = &mut self.current;
        current.open = true;
        current.origin = origin;
        current.place.clear();
        current.place.extend_from_slice(place);
        current.id.clear();
        current.id.extend_from_slice(id);
        current.committed_at_us = at_us;
        current.in_arena = None;
        current.ordinals.fill(0);
    }
}

fn fault(
    program: &TableProgram,
    product: &str,
    field: &str,
    trouble: Trouble,
    item: usize,
) -> RowFault {
    RowFault {
        code: trouble.code,
        product: product.to_owned(),
        table: program.layout.name.to_string(),
        column: trouble.slot.map(|slot| program.column(slot).to_owned()),
        field: field.to_owned(),
        reason: trouble.reason.to_owned(),
        item,
    }
}

/// Where events go.
struct Output<'o> {
    arena: &'o mut Arena,
    current: &'o mut Current,
    row_bytes: usize,
}

impl Output<'_> {
    fn mark(&self) -> (usize, usize) {
        (self.arena.bytes.len(), self.arena.records.len())
    }

    /// Takes back a row's events and their ordinals.
    fn back_to(&mut self, (bytes, records): (usize, usize)) {
        for record in self.arena.records.drain(records..).rev() {
            self.current.ordinals[record.route.0 as usize] = record.ordinal;
        }
        // The transaction's own bytes may lie beyond the mark.
        let stated = self.current.in_arena.map_or(0, |at| {
            let transaction = &self.arena.transactions[at as usize];
            transaction.place.end.max(transaction.id.end) as usize
        });
        self.arena.bytes.truncate(bytes.max(stated));
    }

    /// The current transaction's index, stated in this arena if it was not yet.
    fn transaction(&mut self) -> u32 {
        if let Some(index) = self.current.in_arena {
            return index;
        }
        let stated = Transaction {
            origin: self.current.origin,
            place: self.arena.push(&self.current.place),
            id: self.arena.push(&self.current.id),
            committed_at_us: self.current.committed_at_us,
        };
        let index = self.arena.transactions.len() as u32;
        self.arena.transactions.push(stated);
        self.current.in_arena = Some(index);
        index
    }

    fn record(
        &mut self,
        product: &ProductProgram,
        transaction: u32,
        key: Span,
        subject: Span,
        value: Option<Span>,
    ) -> Result<(), Trouble> {
        let bytes = key.len()
            + value.map_or(0, Span::len)
            + subject.len()
            + self.current.place.len()
            + self.current.id.len()
            + product.header_bytes;
        if bytes > self.row_bytes {
            return Err(Trouble {
                code: &mapping::ROW_TOO_LARGE,
                reason: mapping::ROW_TOO_LARGE.reason,
                slot: None,
            });
        }
        let ordinal = &mut self.current.ordinals[product.route.0 as usize];
        self.arena.records.push(Record {
            route: product.route,
            partition: partition(self.arena.slice(key), product.partitions),
            transaction,
            ordinal: *ordinal,
            key,
            subject,
            value,
        });
        *ordinal += 1;
        Ok(())
    }
}

/// A change with what it takes to translate it.
struct RowPair<'a, 'b> {
    batch: &'b Batch,
    change: &'a Change,
    program: &'a TableProgram,
    scratch: &'a Scratch,
}

/// What became of a product's row.
enum Outcome {
    /// Its new state.
    State,
    /// Gone.
    Tombstone,
}

type RowTrouble<'a> = (&'a str, &'a str, Trouble);

impl<'a, 'b: 'a> RowPair<'a, 'b> {
    fn events(
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
            let done = match (self.change.operation, &new, &old) {
                (Operation::Insert, Some(new), _) => self.insert(product, new, output),
                (Operation::Update, Some(_), None) if program.before == Before::None => {
                    Err(no_image(
                        &mapping::NO_BEFORE_IMAGE,
                        "the update does not say whether the row's key changed",
                    ))
                }
                (Operation::Update, Some(new), old) => {
                    self.update(product, new, old.as_ref(), old_key, output)
                }
                (Operation::Delete, _, Some(old)) => {
                    self.emit(product, old, &Outcome::Tombstone, output)
                }
                (Operation::Delete, _, None) => Err(no_image(
                    &mapping::NO_BEFORE_IMAGE,
                    "the delete does not say which row it removed",
                )),
                (_, None, _) => Err(no_image(
                    &mapping::ROW_UNREADABLE,
                    "the change has no new row",
                )),
            };
            done.map_err(|(field, trouble)| (product.name.as_str(), field, trouble))?;
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
        product: &'a ProductProgram,
        row: &RowView<'a, '_>,
    ) -> Result<bool, FieldTrouble<'a>> {
        match &product.filter {
            None => Ok(true),
            Some(filter) => filter
                .holds(row, self.scratch)
                .map_err(|e| ("where", Trouble::of_expression(e))),
        }
    }

    fn insert(
        &self,
        product: &'a ProductProgram,
        new: &RowView<'a, '_>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        if self.matches(product, new)? {
            self.emit(product, new, &Outcome::State, output)?;
        }
        Ok(())
    }

    /// A row that may have been published and no longer is what it was gets a tombstone under the
    /// key that it had.
    fn update(
        &self,
        product: &'a ProductProgram,
        new: &RowView<'a, '_>,
        old: Option<&RowView<'a, '_>>,
        old_key: &mut Vec<u8>,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let matches = self.matches(product, new)?;
        // Only a whole old row proves that it never matched; one whose filter fails does not.
        let may_be_published = match old {
            Some(old) if self.program.before == Before::Whole => {
                self.matches(product, old).unwrap_or(true)
            }
            _ => true,
        };
        if may_be_published && let Some(old) = old {
            old_key.clear();
            product.key(old, self.scratch, old_key)?;
            let start = output.arena.bytes.len();
            product.key(new, self.scratch, &mut output.arena.bytes)?;
            let moved = output.arena.bytes[start..] != old_key[..];
            output.arena.bytes.truncate(start);
            if moved {
                self.emit(product, old, &Outcome::Tombstone, output)?;
                if !matches {
                    return Ok(());
                }
            }
        }
        if matches {
            self.emit(product, new, &Outcome::State, output)
        } else if may_be_published {
            self.emit(product, new, &Outcome::Tombstone, output)
        } else {
            Ok(())
        }
    }

    fn emit(
        &self,
        product: &'a ProductProgram,
        row: &RowView<'a, '_>,
        outcome: &Outcome,
        output: &mut Output<'_>,
    ) -> Result<(), FieldTrouble<'a>> {
        let transaction = output.transaction();
        let most = output.row_bytes;
        let bytes = &mut output.arena.bytes;
        let start = bytes.len();
        product.key(row, self.scratch, bytes)?;
        let key = span(start, bytes.len());
        let subject = if product.key_is_text() {
            key
        } else {
            product.subject(row, self.scratch, bytes)?;
            span(key.end as usize, bytes.len())
        };
        let value = match outcome {
            Outcome::Tombstone => None,
            Outcome::State => {
                let start = bytes.len();
                product.value(row, self.scratch, most, bytes)?;
                Some(span(start, bytes.len()))
            }
        };
        output
            .record(product, transaction, key, subject, value)
            .map_err(|trouble| ("", trouble))
    }
}

fn no_image<'a>(code: &'static onramp_finding::Code, reason: &'static str) -> FieldTrouble<'a> {
    let trouble = Trouble {
        code,
        reason,
        slot: None,
    };
    ("", trouble)
}

fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}
