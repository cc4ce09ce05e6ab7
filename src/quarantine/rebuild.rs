//! From a record in quarantine back to the change that it tells of, exactly or not at all: a value that
//! was withheld, or a column that the record does not hold, is named.

use onramp_connector::{
    Batch, BeforeImage, Begin, Change, Item, Operation, Span, TableDescription, TableId, ValueType,
    plain,
};
use onramp_language::{Product, RowsBefore};
use serde_json::{Map, Value};

use crate::fixtures::rows;

/// What stands in a record for a value that the log left out.
const LEFT_OUT: &str = "(not in the log)";
/// What stands for one that is not shown.
const HIDDEN: [&str; 2] = ["(protected)", "(unreadable)"];

/// A change as it was, in the columns that the mapping reads now.
pub(crate) struct Rebuilt {
    pub(crate) batch: Batch,
    /// The table, with those columns alone.
    pub(crate) table: TableDescription,
    /// Of a row that was there already: the run that read it, and when.
    pub(crate) read: Option<(String, i64)>,
}

/// The change; else why there is none.
pub(crate) fn rebuild(
    record: &Value,
    product: &Product,
    table: &TableDescription,
) -> Result<Rebuilt, String> {
    let text = |name: &str| record[name].as_str().unwrap_or_default();
    let (operation, in_log) = match text("operation") {
        "insert" => (Operation::Insert, true),
        "update" => (Operation::Update, true),
        "delete" => (Operation::Delete, true),
        "snapshot" => (Operation::Insert, false),
        _ => return Err("the record is none of the gateway's".to_owned()),
    };
    if record["format"].is_null() && !record["before"].is_null() {
        let why =
            "an earlier version of the program kept it, which did not say what the old row holds";
        return Err(why.to_owned());
    }
    let table = restricted(record, product, table);
    let before = row(record, "before", &table)?;
    let after = row(record, "after", &table)?;
    let whole = match operation {
        Operation::Delete => before.is_some(),
        Operation::Insert | Operation::Update => after.is_some(),
    };
    if !whole {
        return Err("the record holds no columns: the row was too large for that".to_owned());
    }
    let (place, id) = (text("position"), text("transaction"));
    let at_us = record["committed_at_us"].as_i64().unwrap_or_default();
    let mut batch = Batch {
        tables: vec![std::sync::Arc::new(plain::layout(&table))],
        items: vec![Item::Layout(TableId(0))],
        ..Batch::default()
    };
    let mut push = |bytes: &[u8]| {
        let start = batch.bytes.len() as u32;
        batch.bytes.extend_from_slice(bytes);
        Span {
            start,
            end: batch.bytes.len() as u32,
        }
    };
    let begin = Begin {
        place: push(place.as_bytes()),
        id: push(id.as_bytes()),
        // Nobody asks of a change that is told late who saw it.
        number: 0,
        committed_at_us: at_us,
    };
    let change = Change {
        table: TableId(0),
        operation,
        before: before.as_deref().map(&mut push),
        after: after.as_deref().map(&mut push),
    };
    if in_log {
        batch.items.push(Item::Begin(begin));
    }
    batch.items.push(Item::Change(change));
    Ok(Rebuilt {
        batch,
        table,
        read: (!in_log).then(|| (place.to_owned(), at_us)),
    })
}

/// The table with the columns that the mapping reads, and old rows that hold what they held then.
fn restricted(record: &Value, product: &Product, table: &TableDescription) -> TableDescription {
    // The columns that name rows are nothing to a change that is told late.
    let product = Product {
        rows_before: RowsBefore::None,
        ..product.clone()
    };
    let read = onramp_translator::columns(&product, table);
    let mut table = table.clone();
    table.columns.retain(|column| read.contains(&column.name));
    if !record["before"].is_null() {
        table.before = match record["before_holds"].as_array() {
            None => BeforeImage::Whole,
            Some(names) => {
                let names = names.iter().filter_map(Value::as_str);
                BeforeImage::Key(names.map(str::to_owned).collect())
            }
        };
    }
    table
}

/// A row's bytes; None where the record has no such row.
fn row(record: &Value, label: &str, table: &TableDescription) -> Result<Option<Vec<u8>>, String> {
    let Value::Object(cells) = &record[label] else {
        return Ok(None);
    };
    let withheld = record[format!("{label}_withheld")].as_array();
    let mut bytes = Vec::new();
    for column in &table.columns {
        let name = &column.name;
        let value = cells.get(name).ok_or_else(|| {
            format!("the record does not hold column {name}, which the mapping reads now")
        })?;
        let in_its_place = match withheld {
            Some(names) => names.iter().any(|n| n == name.as_str()),
            // Of an earlier version's record the words alone tell.
            None => value.as_str().is_some_and(is_withheld),
        };
        match value.as_str().filter(|_| in_its_place) {
            Some(LEFT_OUT) => plain::push(&mut bytes, None),
            Some(why) => {
                let why = why.trim_matches(['(', ')']);
                return Err(format!(
                    "column {name} is {why} in the record, and the mapping reads it"
                ));
            }
            None => cell(value, &column.value_type, &mut bytes).ok_or_else(|| {
                format!(
                    "what the record holds of column {name} is no {} now",
                    column.type_name
                )
            })?,
        }
    }
    Ok(Some(bytes))
}

/// Whether a text stands for a value that a record does not hold, as far as the text tells.
pub(super) fn is_withheld(text: &str) -> bool {
    text == LEFT_OUT || HIDDEN.contains(&text)
}

fn cell(value: &Value, value_type: &ValueType, bytes: &mut Vec<u8>) -> Option<()> {
    let text = |value: &Value| match value {
        Value::String(text) if *value_type == ValueType::Bytes => Some(format!("\\x{text}")),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match (value, value_type) {
        (Value::Null, _) => plain::push(bytes, Some(onramp_connector::Value::Null)),
        (Value::Array(elements), ValueType::Array(of)) => {
            let element = |value: &Value| match (value, &**of) {
                (Value::Null, _) => Some(None),
                (Value::String(text), ValueType::Bytes) => Some(Some(format!("\\x{text}"))),
                (value, _) => text(value).map(Some),
            };
            let elements: Option<Vec<_>> = elements.iter().map(element).collect();
            rows::list(&elements?, of, bytes).then_some(())?;
        }
        _ => {
            let (text, mut held) = (text(value)?, Vec::new());
            plain::push(bytes, Some(rows::value(&text, value_type, &mut held)?));
        }
    }
    Some(())
}

/// What a mark begins with.
pub(crate) const MARK: &str = "{\"replayed\":";

/// The mark that a record was replayed: kept beside it, in the transaction of its events.
pub(crate) fn mark(product: &str, offset: i64, events: usize, at: &str) -> String {
    let mut mark = Map::new();
    mark.insert("replayed".into(), offset.into());
    mark.insert("product".into(), product.into());
    mark.insert("events".into(), events.into());
    mark.insert("at".into(), at.into());
    Value::Object(mark).to_string()
}

/// Which record a mark is of; None of what is no mark.
pub(crate) fn marked(record: &Value) -> Option<i64> {
    record.get("replayed")?.as_i64()
}
