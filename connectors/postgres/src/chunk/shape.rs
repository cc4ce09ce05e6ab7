//! What a table is as it is read: its key, its columns and how they decode, and a mark by which a
//! later transaction sees whether it still is that.

use std::sync::Arc;

use onramp_connector::{ChunkTable, Ident, TableLayout, ValueType};
use onramp_finding::codes::{mapping, source as codes};
use onramp_finding::{Failure, Finding, Kind, Place};

use super::copy;
use super::key::{self, Key, ROW};
use crate::catalogue::session::Session;
use crate::catalogue::sql;
use crate::decode;
use crate::stream::relation;

/// A table as it is read now.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) oid: u32,
    pub(super) key: Key,
    /// Where the key's columns stand in a row, in the key's order.
    pub(super) key_places: Vec<u16>,
    /// `ONLY` and the name where the rows are the table's own, the name alone for a root.
    pub(super) from: String,
    /// The columns of a row, as a select list.
    pub(super) columns: String,
    pub(super) layout: Arc<TableLayout>,
    /// An expression whose text changes with anything that this shape was taken from.
    pub(super) mark_sql: String,
    /// That text as it was.
    pub(super) mark: String,
}

const TABLE: &str = "
SELECT c.oid, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p')";

const COLUMNS: &str = "
SELECT attname::text, atttypid, atttypmod FROM pg_attribute
 WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attname::text = ANY ($2)
 ORDER BY attnum";

impl Shape {
    /// Reads the catalogue. A mapped column that is not as it was described is refused, as the
    /// translator refuses it of the log.
    pub(super) async fn read(session: &Session, table: &ChunkTable) -> Result<Shape, Failure> {
        let name = &table.table;
        let rows = session.query(TABLE, &[&name.schema, &name.table]).await?;
        let Some(row) = rows.first() else {
            return Err(gone(name));
        };
        let (oid, root): (u32, bool) = (row.get(0), row.get::<_, &str>(1) == "p");
        let Some(key) = key::find(session, oid).await? else {
            return Err(no_key(name));
        };
        if !key.outdated.is_empty() {
            return Err(outdated(name, &key));
        }
        let mut wanted = key.names();
        wanted.extend(table.columns.iter().cloned());
        let rows = session.query(COLUMNS, &[&oid, &wanted]).await?;
        let types: Vec<(u32, i32)> = rows.iter().map(|r| (r.get(1), r.get(2))).collect();
        let decodings = relation::decodings(session, &types).await?;
        let columns: Vec<_> = rows
            .iter()
            .zip(decodings)
            .map(|(row, decoding)| {
                let (value_type, decoder) =
                    decoding.unwrap_or((ValueType::Unsupported, decode::unsupported));
                (row.get::<_, String>(0), value_type, decoder)
            })
            .collect();
        let findings = changed(table, &columns);
        if !findings.is_empty() {
            return Err(Failure::all(Kind::Data, findings));
        }
        let place = |name: &String| columns.iter().position(|(column, ..)| column == name);
        let key_places: Option<Vec<u16>> = key
            .names()
            .iter()
            .map(|name| place(name).and_then(|place| u16::try_from(place).ok()))
            .collect();
        let names: Vec<String> = columns
            .iter()
            .map(|(name, ..)| format!("{ROW}.{}", sql::identifier(name)))
            .collect();
        let only = if root { "" } else { "ONLY " };
        let mark_sql = mark(name, key.index, &wanted);
        let marked = session.one(&format!("SELECT {mark_sql}"), &[]).await?;
        Ok(Shape {
            oid,
            // Between two statements the key may have gone.
            key_places: key_places.ok_or_else(|| key_changed(name))?,
            key,
            from: format!("{only}{}", sql::table(name)),
            columns: names.join(", "),
            layout: Arc::new(TableLayout {
                name: name.clone(),
                columns,
                before: table.description.before.clone(),
                read: copy::read,
            }),
            mark: marked.get::<_, Option<String>>(0).unwrap_or_default(),
            mark_sql,
        })
    }
}

/// Table, key and columns in one text. None when the table is gone.
fn mark(table: &Ident, index: u32, columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| sql::literal(name)).collect();
    format!(
        "(SELECT concat_ws(' ', c.oid, c.relkind,
           (SELECT concat_ws(' ', x.indexrelid, x.indcollation) FROM pg_index x
             WHERE x.indexrelid = {index} AND x.indrelid = c.oid AND x.indisvalid AND x.indisunique),
           (SELECT string_agg(concat_ws(' ', a.attnum, a.atttypid, a.atttypmod, a.attnotnull,
                     a.attcollation, a.attname), ',' ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND a.attname::text = ANY (ARRAY[{}])))
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {} AND c.relname = {})",
        names.join(", "),
        sql::literal(&table.schema),
        sql::literal(&table.table),
    )
}

type Described = (String, ValueType, onramp_connector::ColumnDecoder);

/// The mapped columns that are not as they were described.
fn changed(table: &ChunkTable, now: &[Described]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &table.columns {
        let described = table.description.columns.iter().find(|c| c.name == *name);
        let column = now.iter().find(|(column, ..)| column == name);
        let what = match (described, column) {
            (_, None) => "was renamed or dropped".to_owned(),
            (Some(was), Some((_, is, _))) if !was.value_type.is_still(is) => {
                format!("changed its type, which was {}", was.type_name)
            }
            _ => continue,
        };
        findings.push(
            Finding::error(
                &mapping::TABLE_CHANGED,
                Place::Source(format!("table {}, column {name}", table.table)),
                format!("column {name} of {} {what}", table.table),
            )
            .because(mapping::TABLE_CHANGED.reason)
            .remedy(mapping::TABLE_CHANGED.remedy),
        );
    }
    findings
}

fn at(table: &Ident) -> Place {
    Place::Source(format!("table {table}"))
}

/// The failure for a table that is not there.
pub(super) fn gone(table: &Ident) -> Failure {
    Failure::stop(
        Kind::Source,
        Finding::error(&codes::NO_TABLE, at(table), "the table does not exist")
            .because("it was dropped or renamed since the products were checked with it")
            .remedy(codes::NO_TABLE.remedy),
    )
}

/// The failure for a key that is no longer the one that was read by.
pub(super) fn key_changed(table: &Ident) -> Failure {
    let code = &codes::READING_KEY_CHANGED;
    Failure::retry(
        Kind::Source,
        Finding::error(
            code,
            at(table),
            format!("the key that {table} is read by has changed"),
        )
        .because(code.reason)
        .remedy(code.remedy),
    )
}

/// The failure for a key whose index may be out of order.
fn outdated(table: &Ident, key: &Key) -> Failure {
    let code = &codes::COLLATION_OUTDATED;
    let message = format!(
        "index {}, by which {table} is read, may be out of order",
        key.index_name
    );
    let reason = format!(
        "it orders texts by a collation that is another than when it was built: {}",
        key.outdated.join("; ")
    );
    Failure::stop(
        Kind::Source,
        Finding::error(code, at(table), message)
            .because(reason)
            .remedy(code.remedy),
    )
}

fn no_key(table: &Ident) -> Failure {
    let code = &codes::NO_READING_KEY;
    let message = "the rows that are there cannot be read in chunks";
    Failure::stop(
        Kind::Source,
        Finding::error(code, at(table), message)
            .because("it has neither a primary key nor a unique index over columns that are NOT NULL, checked at once, without a condition, in an order that is its types' own")
            .remedy(code.remedy),
    )
}
