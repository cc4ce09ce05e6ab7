//! The order that reads an entity's quarantined rows again: a back-fill of their keys alone.

use std::collections::BTreeSet;

use onramp_expression::MAX_EXPRESSION_BYTES;
use onramp_finding::Finding;
use onramp_finding::codes::running::NOT_REPLAYED;
use onramp_language::{Field, Product, Shape, Source};
use serde_json::Value;

use super::{Record, rebuild};
use crate::admin::Order;

/// An entity's rows that are to be read again: no more of them than an expression names.
pub(crate) struct Rows {
    /// How many records there are of them.
    pub(crate) records: u64,
    /// The columns that the key is; None where it is computed.
    columns: Option<Vec<String>>,
    /// Whether a key may stand in several tables.
    by_table: bool,
    conditions: BTreeSet<String>,
    bytes: usize,
    /// Whether a record does not show its key.
    hidden: bool,
}

impl Rows {
    pub(crate) fn new(product: &Product) -> Rows {
        Rows {
            records: 0,
            columns: key_columns(product),
            // Of a row that moved meanwhile only the key is known, which stands in one of the tables.
            by_table: product.tables.union && !product.tables.moves,
            conditions: BTreeSet::new(),
            bytes: 0,
            hidden: false,
        }
    }

    pub(crate) fn add(&mut self, record: &Record) {
        self.records += 1;
        let Some(columns) = self.columns.as_ref().filter(|_| !self.too_many()) else {
            return;
        };
        let label = match &record.value["after"] {
            Value::Null => "before",
            _ => "after",
        };
        let condition = row_condition(columns, &record.value, label);
        let condition = match self.by_table {
            true => condition.and_then(|of_row| {
                of_table(&record.value["table"]).map(|table| format!("({table} && {of_row})"))
            }),
            false => condition,
        };
        match condition {
            None => self.hidden = true,
            Some(condition) => {
                let bytes = condition.len() + " || ".len();
                if self.conditions.insert(condition) {
                    self.bytes += bytes;
                }
            }
        }
    }

    fn too_many(&self) -> bool {
        self.bytes >= MAX_EXPRESSION_BYTES / 2
    }

    /// The back-fill of these rows; of the whole table where they are too many to be named.
    pub(crate) fn order(self, product: &Product) -> Result<Order, Box<Finding>> {
        let refused = |why: &str| {
            let finding = Finding::error(&NOT_REPLAYED, product.name.place(), why);
            Box::new(
                finding
                    .because(NOT_REPLAYED.reason)
                    .remedy(NOT_REPLAYED.remedy)
                    .of_product(product.name.value.to_string()),
            )
        };
        if self.columns.is_none() {
            return Err(refused("its key is made by an expression"));
        }
        if self.hidden {
            return Err(refused("a record does not show its key"));
        }
        let filter = (!self.too_many())
            .then(|| self.conditions.into_iter().collect::<Vec<_>>().join(" || "));
        Ok(Order {
            product: product.name.value.to_string(),
            filter,
            reconcile: false,
        })
    }
}

/// The columns that the key is; None where one of its fields is computed of the row.
fn key_columns(product: &Product) -> Option<Vec<String>> {
    let of_table = |field: &&Field| match &field.shape {
        Shape::Scalar {
            source: Source::Expression(text),
            ..
        }
        | Shape::Enum {
            source: Source::Expression(text),
            ..
        } => {
            let names = onramp_expression::parse(text).unwrap_or_default();
            !names.is_empty() && names.iter().all(|name| name.variable == "table")
        }
        _ => false,
    };
    product
        .key_fields()
        .filter(|field| !of_table(field))
        .map(|field| match &field.shape {
            Shape::Scalar {
                source: Source::Column {
                    column, at: None, ..
                },
                ..
            }
            | Shape::Enum {
                source: Source::Column {
                    column, at: None, ..
                },
                ..
            } => Some(column.value.clone()),
            _ => None,
        })
        .collect()
}

/// `table.schema + "." + table.name == "shop_1.ordr_hdr"`: where the name of either has a point, the
/// record does not say which is which.
fn of_table(name: &Value) -> Option<String> {
    let name = Value::String(name.as_str()?.to_owned());
    Some(format!("table.schema + \".\" + table.name == {name}"))
}

/// `(string(row.ord_no) == "7" && …)`, by the record's row of this label.
fn row_condition(columns: &[String], record: &Value, label: &str) -> Option<String> {
    let withheld = record[format!("{label}_withheld")].as_array();
    let mut parts = Vec::with_capacity(columns.len());
    for column in columns {
        let shown = match (withheld, &record[label][column]) {
            (Some(names), _) => names.iter().all(|name| name.as_str() != Some(column)),
            // Of an earlier version's record the words alone tell.
            (None, value) => !value.as_str().is_some_and(rebuild::is_withheld),
        };
        let text = match &record[label][column] {
            _ if !shown => return None,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        let name = named(column)?;
        let is = |text: String| format!("string(row.{name}) == {}", Value::String(text));
        match without_zeros(&text) {
            None => parts.push(is(text)),
            Some(short) => parts.push(format!("({} || {})", is(text), is(short))),
        }
    }
    Some(format!("({})", parts.join(" && ")))
}

/// A time of day as an expression's text has it, where that may be a record's: without zeros that end its
/// fraction. To name a row too many does no harm, to leave one out does.
fn without_zeros(text: &str) -> Option<String> {
    let (bare, utc) = match text.strip_suffix('Z') {
        Some(bare) => (bare, "Z"),
        None => (text, ""),
    };
    let (before, fraction) = bare.rsplit_once('.')?;
    let digits = fraction.len() == 6 && fraction.bytes().all(|b| b.is_ascii_digit());
    let short = fraction.trim_end_matches('0');
    (before.contains(':') && digits && short.len() < 6).then(|| match short {
        "" => format!("{before}{utc}"),
        short => format!("{before}.{short}{utc}"),
    })
}

/// A column as an expression names it: in quotes where it is no plain word, or one of the language's own.
fn named(column: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_word =
        column.chars().all(plain) && onramp_expression::parse(&format!("row.{column}")).is_ok();
    match is_word {
        true => Some(column.to_owned()),
        false => (!column.contains('`')).then(|| format!("`{column}`")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::row_condition;

    #[test]
    fn a_row_is_named_by_its_keys_texts() {
        let columns = ["no".to_owned(), "Rgn 1".to_owned()];
        let record = |no: &str| json!({ "after": { "no": no, "Rgn 1": "a\"b", "x": null } });
        assert_eq!(
            row_condition(&columns, &record("7"), "after").as_deref(),
            Some(r#"(string(row.no) == "7" && string(row.`Rgn 1`) == "a\"b")"#)
        );
        assert_eq!(
            row_condition(&columns, &record("(protected)"), "after"),
            None
        );
        let mut said = record("(protected)");
        said["after_withheld"] = json!(["x"]);
        assert!(row_condition(&columns, &said, "after").is_some());
        said["after_withheld"] = json!(["no"]);
        assert_eq!(row_condition(&columns, &said, "after"), None);
        assert_eq!(row_condition(&columns, &json!({}), "after"), None);
        let at = json!({ "after": { "at": "2026-01-31T12:00:00.500000Z" } });
        assert_eq!(
            row_condition(&["at".to_owned()], &at, "after").as_deref(),
            Some(
                r#"((string(row.at) == "2026-01-31T12:00:00.500000Z" || string(row.at) == "2026-01-31T12:00:00.5Z"))"#
            )
        );
    }
}
