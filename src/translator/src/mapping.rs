//! Whether a product's mapping fits its table: columns, types, nulls, keys.

use std::collections::BTreeSet;

use onramp_connector::{BeforeImage, TableDescription};
use onramp_finding::{Finding, codes::mapping};
use onramp_language::{EventType, Field, Kind, Product, Scalar, Shape};

use crate::contract;
use crate::plan::{Plan, RecordPlan, plan};
use crate::rows;

/// Everything that is wrong with a product's mapping, held against its table as the catalogue
/// describes it. Opens no connection.
pub fn check(product: &Product, table: &TableDescription) -> Vec<Finding> {
    let plan = plan(product, table, &Some, None);
    let mut findings = match &product.kind {
        Kind::Entity { fields } => entity(product, fields, table, &plan),
        Kind::Events { events } => old_rows(events, table, &plan),
        // Rows are inserted, and nothing is asked of old ones.
        Kind::Outbox { .. } => Vec::new(),
    };
    findings.extend(nameless(product, table));
    let name = product.name.to_string();
    for finding in &mut findings {
        finding.product = Some(name.clone());
    }
    let mut all = plan.findings;
    all.extend(findings);
    all
}

/// The columns that a product reads, by name, in the table's order.
pub fn columns(product: &Product, table: &TableDescription) -> Vec<String> {
    let mut slots = plan(product, table, &Some, None).slots;
    if product.tells_rows() {
        slots.extend(rows::identity(table, &table.before).unwrap_or_default());
        slots.sort_unstable();
        slots.dedup();
    }
    let slots = slots.into_iter();
    slots.map(|at| table.columns[at].name.clone()).collect()
}

/// Rows that were there before are told once each, which asks for what tells them apart.
fn nameless(product: &Product, table: &TableDescription) -> Option<Finding> {
    let named = rows::identity(table, &table.before).is_some();
    (product.tells_rows() && !named).then(|| not_named(product, table))
}

/// A table whose rows cannot be told once each.
pub(crate) fn not_named(product: &Product, table: &TableDescription) -> Finding {
    let message = format!(
        "the rows of {} that were there before cannot be told apart",
        table.name
    );
    Finding::error(&mapping::ROWS_NAMELESS, product.tables.place(), message)
        .because(mapping::ROWS_NAMELESS.reason)
        .remedy(mapping::ROWS_NAMELESS.remedy)
}

fn entity(
    product: &Product,
    fields: &[Field],
    table: &TableDescription,
    plan: &Plan,
) -> Vec<Finding> {
    let mut findings = key_fields(product, fields);
    let [record] = &plan.records[..] else {
        return findings;
    };
    if findings.is_empty() && record.key.len() == product.key.len() {
        findings.extend(key_rule(product, table, record));
        findings.extend(before_images(product, table, record));
    }
    findings
}

/// What facts need of old rows, and the table's log does not bring.
fn old_rows(events: &[EventType], table: &TableDescription, plan: &Plan) -> Vec<Finding> {
    let name_of = |at: usize| table.columns[at].name.as_str();
    let mut findings = Vec::new();
    for (event, record) in events.iter().zip(&plan.records) {
        let Some(column) = record.lacks(&table.before, &name_of) else {
            continue;
        };
        let held = match &table.before {
            BeforeImage::Key(columns) => format!("old rows hold {} alone", columns.join(", ")),
            _ => "the log brings no old rows of it".to_owned(),
        };
        let name = &event.name;
        let message = format!(
            "{} needs {column} of the old row, which changes of {} do not bring",
            name.value, table.name
        );
        let place = event.when.as_ref().unwrap_or(name).place();
        findings.push(
            Finding::error(&mapping::OLD_ROW_NEEDED, place, message)
                .because(held)
                .remedy(mapping::OLD_ROW_NEEDED.remedy),
        );
    }
    findings
}

fn key_fields(product: &Product, fields: &[Field]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if product.key.is_empty() {
        findings.push(Finding::error(
            &mapping::KEY_FIELD,
            product.name.place(),
            "the key names no field",
        ));
    }
    for key in &product.key {
        let Some(field) = fields.iter().find(|f| f.name.value == key.value) else {
            let known = fields.iter().map(|f| f.name.as_str());
            let mut finding = Finding::error(
                &mapping::KEY_FIELD,
                key.place(),
                format!("the key names {}, which is not a field", key.value),
            );
            if let Some(near) = onramp_finding::nearest(key, known) {
                finding = finding.remedy(format!("did you mean {near}?"));
            }
            findings.push(finding);
            continue;
        };
        let inexact = matches!(&field.shape, Shape::Scalar { r#type, .. }
            if matches!(r#type.value, Scalar::Float | Scalar::Double | Scalar::Json));
        let why = if contract::is_dropped(field) {
            "is dropped"
        } else if field.optional {
            "is optional"
        } else if !matches!(field.shape, Shape::Scalar { .. } | Shape::Enum { .. }) {
            "does not hold one value"
        } else if inexact {
            "is of a type whose equal values have several forms"
        } else {
            continue;
        };
        findings.push(
            Finding::error(
                &mapping::KEY_FIELD,
                key.place(),
                format!("key field {} {why}", key.value),
            )
            .remedy(mapping::KEY_FIELD.remedy),
        );
    }
    findings
}

/// The key tells rows apart: it holds every column of a unique index that covers every row and is
/// checked at once.
fn key_rule(product: &Product, table: &TableDescription, record: &RecordPlan) -> Option<Finding> {
    let held: BTreeSet<&str> = record
        .key
        .iter()
        .filter_map(|key| Some(table.columns[key.holds?].name.as_str()))
        .collect();
    let covers = |columns: &[String]| columns.iter().all(|c| held.contains(c.as_str()));
    let mut covered = table
        .unique
        .iter()
        .filter(|i| i.total && covers(&i.columns));
    let place = product.key[0].place();
    if covered.clone().any(|index| !index.deferrable) {
        return None;
    }
    if let Some(index) = covered.next() {
        return Some(
            Finding::error(
                &mapping::KEY_DEFERRABLE,
                place,
                format!("the key rests on index {}, which is deferrable", index.name),
            )
            .because(mapping::KEY_DEFERRABLE.reason)
            .remedy(mapping::KEY_DEFERRABLE.remedy),
        );
    }
    if product.key_unique.is_some() {
        return None;
    }
    let finding = Finding::error(
        &mapping::KEY_NOT_UNIQUE,
        place,
        format!("the key may not tell the rows of {} apart", table.name),
    );
    let usable = table.unique.iter().filter(|i| i.total && !i.deferrable);
    let best = usable.min_by_key(|i| (!i.primary, i.columns.len()));
    Some(match best {
        Some(index) => finding
            .because(format!(
                "it does not hold, unchanged or converted one to one, every column of index {} ({})",
                index.name,
                index.columns.join(", ")
            ))
            .remedy(mapping::KEY_NOT_UNIQUE.remedy),
        None => finding
            .because("the table has no unique index that covers every row and is checked at once")
            .remedy("say why the key is unique: key_unique: { reason: ... }"),
    })
}

/// The key can be computed from what a delete brings.
fn before_images(product: &Product, table: &TableDescription, record: &RecordPlan) -> Vec<Finding> {
    let identity = match &table.before {
        BeforeImage::Whole => return Vec::new(),
        BeforeImage::None => {
            return vec![
                Finding::error(
                    &mapping::NO_BEFORE_IMAGE,
                    product.tables.place(),
                    format!("updates and deletes of {} cannot be followed", table.name),
                )
                .because(mapping::NO_BEFORE_IMAGE.reason)
                .remedy(mapping::NO_BEFORE_IMAGE.remedy),
            ];
        }
        BeforeImage::Key(columns) => columns,
    };
    let mut findings = Vec::new();
    for (name, key) in product.key.iter().zip(&record.key) {
        let missing: Vec<&str> = key
            .reads
            .iter()
            .map(|at| table.columns[*at].name.as_str())
            .filter(|column| !identity.iter().any(|c| c == column))
            .collect();
        if !missing.is_empty() {
            findings.push(
                Finding::error(
                    &mapping::KEY_NOT_IN_BEFORE,
                    name.place(),
                    format!(
                        "key field {} needs {}, which a delete of {} does not bring",
                        name.value,
                        missing.join(", "),
                        table.name
                    ),
                )
                .because(format!("old rows hold {} alone", identity.join(", ")))
                .remedy(mapping::KEY_NOT_IN_BEFORE.remedy),
            );
        }
    }
    findings
}
