//! The order that reads an entity's quarantined rows again: a back-fill of their keys alone.

use std::collections::BTreeSet;

use onramp_expression::MAX_EXPRESSION_BYTES;
use onramp_finding::Finding;
use onramp_finding::codes::running::NOT_REPLAYED;
use onramp_language::{Field, Product, Shape, Source};
use serde_json::Value;

use super::Record;
use crate::admin::Order;

/// The back-fill of these rows; of the whole table where they are too many to be named.
pub(crate) fn order(product: &Product, records: &[Record]) -> Result<Order, Box<Finding>> {
    let name = product.name.value.to_string();
    let refused = |why: &str| {
        let finding = Finding::error(&NOT_REPLAYED, product.name.place(), why);
        Box::new(
            finding
                .because(NOT_REPLAYED.reason)
                .remedy(NOT_REPLAYED.remedy)
                .of_product(name.clone()),
        )
    };
    let Some(columns) = key_columns(product) else {
        return Err(refused("its key is made by an expression"));
    };
    let mut conditions = BTreeSet::new();
    for record in records {
        let row = match &record.value["after"] {
            Value::Null => &record.value["before"],
            after => after,
        };
        let condition = match row_condition(&columns, row) {
            // Of a row that moved meanwhile only the key is known, which stands in one of the tables.
            Some(of_row) if product.tables.union && !product.tables.moves => {
                of_table(&record.value["table"]).map(|table| format!("({table} && {of_row})"))
            }
            of_row => of_row,
        };
        conditions.insert(condition.ok_or_else(|| refused("a record does not show its key"))?);
    }
    let filter = conditions.into_iter().collect::<Vec<_>>().join(" || ");
    Ok(Order {
        product: name,
        filter: (filter.len() < MAX_EXPRESSION_BYTES / 2).then_some(filter),
        reconcile: false,
    })
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

/// `(string(row.ord_no) == "7" && …)`
fn row_condition(columns: &[String], row: &Value) -> Option<String> {
    let mut parts = Vec::with_capacity(columns.len());
    for column in columns {
        let text = match &row[column] {
            // It is protected, or was not in the log.
            Value::String(text) if text.starts_with('(') => return None,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        parts.push(format!("string(row.{column}) == {}", Value::String(text)));
    }
    Some(format!("({})", parts.join(" && ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::row_condition;

    #[test]
    fn a_row_is_named_by_its_keys_texts() {
        let columns = ["no".to_owned(), "rgn".to_owned()];
        assert_eq!(
            row_condition(&columns, &json!({ "no": 7, "rgn": "a\"b", "x": null })).as_deref(),
            Some(r#"(string(row.no) == "7" && string(row.rgn) == "a\"b")"#)
        );
        let hidden = json!({ "no": "(protected)", "rgn": "x" });
        assert_eq!(row_condition(&columns, &hidden), None);
        assert_eq!(row_condition(&columns, &json!({})), None);
    }
}
