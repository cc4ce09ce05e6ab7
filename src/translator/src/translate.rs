//! Items of the log to events in an arena.

use std::collections::HashMap;
use std::ops::Range;

use onramp_connector::{Batch, Begin, Ident, Item, TableDescription, TableId};
use onramp_event::{Arena, Origin, Span};
use onramp_expression::Scratch;
use onramp_finding::codes::mapping;

use crate::fault::{RowFault, Stopped};
use crate::moves::Moves;
use crate::output::{Given, Output, Stated};
use crate::program::{Mapped, TableProgram};
use crate::row::RowPair;
use crate::step::Trouble;

/// A table and what is made of it.
#[derive(Debug, Clone)]
pub struct TableMapping {
    /// The table, as the mappings were checked with it.
    pub table: TableDescription,
    /// Its products, in the order in which a row gives events.
    pub products: Vec<Mapped>,
}

/// Bounds of a translator.
#[derive(Debug, Clone, Copy)]
pub struct RowLimits {
    /// `limits.row`: the largest event.
    pub row_bytes: usize,
    /// `limits.moved_keys`: what is remembered of a transaction's keys where rows move.
    pub moved_keys_bytes: usize,
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
    stated: Stated,
    given: Given,
}

/// Turns changes into events: one for each stream, since table ids are the stream's.
pub struct Translator {
    mappings: HashMap<Ident, TableMapping>,
    keys: Vec<(String, Vec<u8>)>,
    row_bytes: usize,
    /// By table id.
    programs: Vec<Option<TableProgram>>,
    current: Current,
    moves: Moves,
    scratch: Scratch,
    old_key: Vec<u8>,
}

impl Translator {
    /// A translator of these tables; `keys` are the gateway's for protection.
    pub fn new(
        mappings: Vec<TableMapping>,
        keys: Vec<(String, Vec<u8>)>,
        limits: RowLimits,
    ) -> Self {
        let routes = mappings
            .iter()
            .flat_map(|m| &m.products)
            .flat_map(|p| [Some(p.route), p.quarantine.map(|q| q.route)])
            .flatten()
            .map(|route| usize::from(route.0) + 1)
            .max()
            .unwrap_or(0);
        Translator {
            mappings: mappings
                .into_iter()
                .map(|mapping| (mapping.table.name.clone(), mapping))
                .collect(),
            keys,
            row_bytes: limits.row_bytes,
            moves: Moves::new(limits.moved_keys_bytes, routes),
            programs: Vec::new(),
            current: Current {
                open: false,
                stated: Stated {
                    origin: Origin::Snapshot,
                    place: Vec::new(),
                    id: Vec::new(),
                    committed_at_us: 0,
                },
                given: Given {
                    in_arena: None,
                    ordinals: vec![0; routes],
                },
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
            self.current.given.in_arena = None;
        }
        let mut after = Vec::new();
        let mut before = Vec::new();
        let mut next = items.start;
        for item in items {
            match &batch.items[item] {
                Item::Begin(begin) => self.begin(batch, begin),
                Item::Commit => {
                    self.current.open = false;
                    if let Some(fault) = self.doubled(item) {
                        return Err(Stopped::Row(Box::new(fault)));
                    }
                }
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
                            stated: &self.current.stated,
                            given: &mut self.current.given,
                            moves: &mut self.moves,
                            row_bytes: self.row_bytes,
                            row: Span::default(),
                        };
                        let mark = output.mark();
                        let row = RowPair {
                            batch,
                            change,
                            program,
                            stated: &self.current.stated,
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
                    if let Some(fault) = self.truncated(*table, item) {
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
        std::str::from_utf8(&self.current.stated.place).unwrap_or_default()
    }

    /// What follows are rows that were there already, read in a run of this id, now.
    pub fn begin_snapshot(&mut self, run: &str, read_at_us: i64) {
        self.open(Origin::Snapshot, run.as_bytes(), run.as_bytes(), read_at_us);
    }

    fn begin(&mut self, batch: &Batch, begin: &Begin) {
        let (place, id) = (batch.slice(begin.place), batch.slice(begin.id));
        self.open(Origin::Log(begin.number), place, id, begin.committed_at_us);
        self.moves.begin();
    }

    /// The first product that a table's TRUNCATE stops.
    fn truncated(&mut self, table: TableId, item: usize) -> Option<RowFault> {
        let program = self.programs.get(table.0 as usize)?.as_ref()?;
        for product in &program.products {
            let code = match (product.stop_on_truncate, product.moves) {
                (true, _) => Some(&mapping::TRUNCATED),
                (false, None) => None,
                (false, Some(number)) => {
                    let route = product.target.route;
                    self.moves.truncated(route, number).err()
                }
            };
            if let Some(code) = code {
                let trouble = Trouble::of_code(code);
                return Some(fault(program, &product.name, "", trouble, item));
            }
        }
        None
    }

    /// A product whose transaction ends with a key in two tables.
    fn doubled(&self, item: usize) -> Option<RowFault> {
        let route = self.moves.doubled()?;
        let programs = self.programs.iter().flatten();
        let mut all =
            programs.flat_map(|program| program.products.iter().map(move |p| (program, p)));
        let (program, product) = all.find(|(_, product)| product.target.route == route)?;
        let trouble = Trouble::of_code(&mapping::KEY_IN_TWO_TABLES);
        Some(fault(program, &product.name, "", trouble, item))
    }

    fn open(&mut self, origin: Origin, place: &[u8], id: &[u8], at_us: i64) {
        self.current.open = true;
        let stated = &mut self.current.stated;
        stated.origin = origin;
        stated.place.clear();
        stated.place.extend_from_slice(place);
        stated.id.clear();
        stated.id.extend_from_slice(id);
        stated.committed_at_us = at_us;
        self.current.given.in_arena = None;
        self.current.given.ordinals.fill(0);
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
        at: trouble.at,
        reason: trouble.reason.to_owned(),
        item,
    }
}
