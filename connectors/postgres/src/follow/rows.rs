//! test_decoding's lines as a batch: texts in their columns' places, decoded when they are asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use onramp_connector::{
    Batch, Begin, Cell, Change as Changed, Ident, Item, Span, TableDescription, TableId,
    TableLayout, ValueType, plain,
};
use onramp_finding::codes::source as codes;
use onramp_finding::{Failure, Finding, Kind, Place};

use super::array;
use super::decoded::{self, Change, Column, Line, Name, Text};
use crate::catalogue::describe;
use crate::catalogue::session::Session;
use crate::decode::of_text;
use crate::lsn::Lsn;
use crate::stream::Numbers;

/// A partition's rows are its root's.
const LEAVES: &str = "
SELECT n.nspname::text, c.relname::text FROM pg_partition_tree(format('%I.%I', $1::text, $2::text)::regclass) t
  JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.isleaf";

/// Columns of char(n), domains over it too, whose padding is no part of the value.
const PADDED: &str = "
WITH RECURSIVE base(name, typid) AS (
  SELECT attname::text, atttypid FROM pg_attribute
   WHERE attrelid = format('%I.%I', $1::text, $2::text)::regclass AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT b.name, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd')
SELECT name FROM base WHERE typid = 1042";

/// A table whose changes are wanted.
struct Table {
    layout: Arc<TableLayout>,
    /// Whether its layout was said.
    told: bool,
}

/// Lines, made items.
pub(super) struct Decoded {
    numbers: Numbers,
    tables: Vec<Table>,
    /// By the name that the log has, which may be a partition's.
    by_name: HashMap<Ident, usize>,
    /// What was taken and not yet handed over.
    taken: Batch,
    /// The transaction that is read, until its first change of interest.
    begun: Option<(Lsn, u32)>,
    open: bool,
}

impl Decoded {
    pub(super) async fn new(
        session: &Session,
        wanted: &[Ident],
        numbers: Numbers,
    ) -> Result<Decoded, Failure> {
        let described = describe::tables(session, wanted).await?;
        let (mut tables, mut by_name) = (Vec::new(), HashMap::new());
        for ident in wanted {
            let Some(table) = described.get(ident) else {
                continue;
            };
            let at = tables.len();
            by_name.insert(ident.clone(), at);
            let name: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                [&ident.schema, &ident.table];
            for row in session.query(LEAVES, &name).await? {
                let leaf = Ident {
                    schema: row.get(0),
                    table: row.get(1),
                };
                by_name.insert(leaf, at);
            }
            let padded = session.query(PADDED, &name).await?;
            let padded: Vec<String> = padded.iter().map(|row| row.get(0)).collect();
            tables.push(Table {
                layout: Arc::new(layout(&table.description, &padded)),
                told: false,
            });
        }
        Ok(Decoded {
            numbers,
            tables,
            by_name,
            taken: Batch::default(),
            begun: None,
            open: false,
        })
    }

    /// Takes a line in its place in the log.
    pub(super) fn push(&mut self, lsn: Lsn, text: &str) -> Result<(), Failure> {
        match decoded::line(text) {
            // Never with the line, which holds values.
            None => return Err(unreadable(lsn)),
            Some(Line::Begin(xid)) => self.begun = Some((lsn, xid)),
            Some(Line::Commit) => {
                self.begun = None;
                if std::mem::take(&mut self.open) {
                    self.taken.items.push(Item::Commit);
                }
            }
            Some(Line::Truncate(tables)) => {
                for name in tables {
                    if let Some(at) = self.find(&name) {
                        self.begin();
                        self.taken.items.push(Item::Truncate(TableId(at as u32)));
                    }
                }
            }
            Some(Line::Change(change)) => {
                if let Some(at) = self.find(&change.table) {
                    self.begin();
                    self.change(at, &change);
                }
            }
            Some(Line::Other) => {}
        }
        Ok(())
    }

    /// Hands over what was taken.
    pub(super) fn read(&mut self, batch: &mut Batch) -> bool {
        if self.taken.items.is_empty() {
            return false;
        }
        *batch = std::mem::take(&mut self.taken);
        batch.tables = self.tables.iter().map(|t| t.layout.clone()).collect();
        true
    }

    fn find(&self, (schema, table): &Name<'_>) -> Option<usize> {
        let ident = Ident {
            schema: schema.clone().into_owned(),
            table: table.clone().into_owned(),
        };
        self.by_name.get(&ident).copied()
    }

    /// States the transaction before its first change.
    fn begin(&mut self) {
        let Some((lsn, xid)) = self.begun.take() else {
            return;
        };
        self.open = true;
        let number = self.numbers.widen(xid);
        // The line of its commit, which tells when it was, is still to come.
        let now = SystemTime::UNIX_EPOCH.elapsed();
        let committed_at_us = now.map_or(0, |since| since.as_micros() as i64);
        let batch = &mut self.taken;
        let place = push(batch, lsn.to_string().as_bytes());
        let id = push(batch, xid.to_string().as_bytes());
        batch.items.push(Item::Begin(Begin {
            place,
            id,
            number,
            committed_at_us,
        }));
    }

    fn change(&mut self, at: usize, change: &Change<'_>) {
        let layout = self.tables[at].layout.clone();
        let table = TableId(at as u32);
        if !std::mem::replace(&mut self.tables[at].told, true) {
            self.taken.items.push(Item::Layout(table));
        }
        let old = change.old.as_ref();
        let before = old.map(|columns| row(&layout, columns, Cell::Null));
        let new = change.new.as_ref();
        let after = new.map(|columns| row(&layout, columns, Cell::Unchanged));
        let batch = &mut self.taken;
        let before = before.map(|row| push(batch, &row));
        let after = after.map(|row| push(batch, &row));
        batch.items.push(Item::Change(Changed {
            table,
            operation: change.operation,
            before,
            after,
        }));
    }
}

fn push(batch: &mut Batch, bytes: &[u8]) -> Span {
    let start = batch.bytes.len() as u32;
    batch.bytes.extend_from_slice(bytes);
    Span {
        start,
        end: batch.bytes.len() as u32,
    }
}

fn layout(table: &TableDescription, padded: &[String]) -> TableLayout {
    let columns = table.columns.iter().map(|column| {
        let decoder = match &column.value_type {
            ValueType::Array(_) => array::list,
            _ if padded.contains(&column.name) => of_text::padded,
            value_type => of_text::decoder(value_type),
        };
        (column.name.clone(), column.value_type.clone(), decoder)
    });
    TableLayout {
        name: table.name.clone(),
        columns: columns.collect(),
        before: table.before.clone(),
        read: plain::read,
    }
}

/// A row in the table's order; a column that the line does not have is `lacking`.
fn row(layout: &TableLayout, columns: &[Column<'_>], lacking: Cell<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value_type, _) in &layout.columns {
        let mut held = Vec::new();
        let text = columns.iter().find(|(column, _)| column == name);
        let cell = match text.map(|(_, text)| text) {
            None => lacking,
            Some(Text::Null) => Cell::Null,
            Some(Text::Unchanged) => Cell::Unchanged,
            Some(Text::Is(text)) => match value_type {
                ValueType::Array(of) => {
                    array::push(&mut out, of, text);
                    continue;
                }
                ValueType::Bytes => {
                    held.extend(of_text::bytes(text));
                    Cell::Raw(&held)
                }
                _ => Cell::Raw(text.as_bytes()),
            },
        };
        plain::push_cell(&mut out, cell);
    }
    out
}

fn unreadable(lsn: Lsn) -> Failure {
    let code = &codes::STATEMENT_FAILED;
    Failure::stop(
        Kind::Source,
        Finding::error(
            code,
            Place::Log {
                what: "test_decoding".into(),
                position: lsn.to_string(),
            },
            "a line of the log is not as test_decoding writes it",
        )
        .because("the plugin of this server may be another than the one of PostgreSQL itself")
        .remedy("follow once the gateway's publication holds the tables"),
    )
}
