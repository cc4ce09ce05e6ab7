//! Unions: whether one mapping may read several tables.

use onramp_connector::{BeforeImage, TableDescription, Undecodable, Value};
use onramp_expression::{Row, Scratch};
use onramp_finding::{Finding, codes::mapping};
use onramp_language::Product;

use crate::plan::{Plan, plan};
use crate::write;

/// No row: what is the same for all of them is read of it.
struct AnyRow;

impl<'a> Row<'a> for AnyRow {
    fn value(&self, _: usize) -> Result<Value<'a>, Undecodable> {
        Err(Undecodable::Malformed)
    }
}

/// What is wrong with an entity of several tables beyond what each of them tells: whether keys of
/// different tables can be equal, and what follows where they can.
pub fn check_union(product: &Product, tables: &[&TableDescription]) -> Vec<Finding> {
    if !product.is_entity() || !product.tables.union {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let plans: Vec<Plan> = tables
        .iter()
        .map(|table| plan(product, table, &Some, None))
        .collect();
    if product.tables.moves {
        for (plan, table) in plans.iter().zip(tables) {
            findings.extend(old_rows(product, plan, table));
        }
    } else {
        findings.extend(alike(product, &plans, tables));
    }
    let name = product.name.to_string();
    for finding in &mut findings {
        finding.product = Some(name.clone());
    }
    findings
}

/// Two tables whose rows may have one key.
fn alike(product: &Product, plans: &[Plan], tables: &[&TableDescription]) -> Option<Finding> {
    let constants: Vec<_> = plans.iter().map(constants).collect();
    let told_apart = |a: &[Option<Vec<u8>>], b: &[Option<Vec<u8>>]| {
        let both = a.iter().zip(b);
        both.into_iter()
            .any(|(a, b)| matches!((a, b), (Some(a), Some(b)) if a != b))
    };
    let pairs = (0..tables.len()).flat_map(|a| (a + 1..tables.len()).map(move |b| (a, b)));
    let (a, b) = pairs
        .into_iter()
        .find(|(a, b)| !told_apart(&constants[*a], &constants[*b]))?;
    let place = product
        .key
        .first()
        .map_or_else(|| product.tables.place(), onramp_language::Spanned::place);
    let message = format!(
        "rows of {} and of {} may have one key",
        tables[a].name, tables[b].name
    );
    Some(
        Finding::error(&mapping::TABLES_ALIKE, place, message)
            .because(mapping::TABLES_ALIKE.reason)
            .remedy(mapping::TABLES_ALIKE.remedy),
    )
}

/// The key's fields that are the same for every row of a table.
fn constants(plan: &Plan) -> Vec<Option<Vec<u8>>> {
    let keys = plan.records.iter().flat_map(|record| &record.key);
    keys.map(|key| {
        if !key.reads.is_empty() {
            return None;
        }
        let scratch = Scratch::new();
        let value = key.step.value(&AnyRow, &scratch).ok()?;
        let mut text = Vec::new();
        write::text(&value, &mut text).ok()?;
        Some(text)
    })
    .collect()
}

/// Where rows move and a filter says which are the product's, a row that never was one must not take
/// another table's row away: old rows must tell what the filter reads.
fn old_rows(product: &Product, plan: &Plan, table: &TableDescription) -> Option<Finding> {
    let (said, filter) = (product.filter.as_ref()?, plan.filter.as_ref()?);
    let held: &[String] = match &table.before {
        BeforeImage::Whole => return None,
        BeforeImage::Key(columns) => columns,
        BeforeImage::None => &[],
    };
    let names = filter.slots().iter().map(|at| &table.columns[*at].name);
    let mut lacking = names.filter(|name| !held.contains(name));
    let column = lacking.next()?;
    let message = format!(
        "where rows may move, the filter needs {column} of old rows, which changes of {} do not bring",
        table.name
    );
    Some(
        Finding::error(&mapping::MOVES_NEED_OLD_ROW, said.place(), message)
            .because(mapping::MOVES_NEED_OLD_ROW.reason)
            .remedy(mapping::MOVES_NEED_OLD_ROW.remedy),
    )
}
