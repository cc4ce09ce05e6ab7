//! A product's mapping, resolved against its table: steps to run, and everything that is wrong.
//!
//! The one walk over a product's fields: checking throws the steps away, compiling keeps them.

mod conversion;
mod source;

use std::sync::Arc;

use onramp_connector::TableDescription;
use onramp_expression::{self as expression, Expression, Fault, Scope, Type};
use onramp_finding::codes::{expression::UNKNOWN_NAME, mapping};
use onramp_finding::{Finding, Place};
use onramp_language::{Field, Product, Protect, Scalar, Shape, Source, Spanned};

use crate::contract;
use crate::convert::Convert;
use crate::step::{Origin, Pseudonymiser, Step};
use conversion::{null_has_value, source_of};
use source::Resolved;

/// A key field's step, with what the checks of keys ask of it.
#[derive(Debug)]
pub(crate) struct KeyStep {
    pub(crate) step: Step,
    /// The slot that it holds unchanged or converted one to one.
    pub(crate) holds: Option<usize>,
    /// The slots that it is computed from.
    pub(crate) reads: Vec<usize>,
}

/// A resolved mapping.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) filter: Option<Expression>,
    pub(crate) value: Vec<Step>,
    pub(crate) key: Vec<KeyStep>,
    /// The slots that any of it reads.
    pub(crate) slots: Vec<usize>,
    pub(crate) findings: Vec<Finding>,
}

/// The keys of protection: by name, or none known, where only the mapping is checked.
pub(crate) type Keys<'k> = Option<&'k [(String, Vec<u8>)]>;

/// Resolves a product. `slot_of` gives a column's slot by its place in the description, None where
/// it has none.
pub(crate) fn plan(
    product: &Product,
    table: &TableDescription,
    slot_of: &dyn Fn(usize) -> Option<usize>,
    keys: Keys<'_>,
) -> Plan {
    let mut planner = Planner::new(product, table, slot_of, keys);
    planner.filter();
    let mut value = Vec::new();
    planner.record(&product.fields, "", &mut value);
    // What is wrong with a key's field was said above.
    let said = std::mem::take(&mut planner.plan.findings);
    for field in contract::key_fields(product) {
        planner.key(field);
    }
    let mut plan = planner.plan;
    plan.findings = said;
    plan.value = value;
    plan.slots.sort_unstable();
    plan.slots.dedup();
    plan
}

struct Planner<'p> {
    product: &'p Product,
    table: &'p TableDescription,
    slot_of: &'p dyn Fn(usize) -> Option<usize>,
    keys: Keys<'p>,
    scope: Scope,
    plan: Plan,
}

impl<'p> Planner<'p> {
    fn new(
        product: &'p Product,
        table: &'p TableDescription,
        slot_of: &'p dyn Fn(usize) -> Option<usize>,
        keys: Keys<'p>,
    ) -> Self {
        let columns = table.columns.iter().enumerate().filter_map(|(place, c)| {
            Some(expression::Column {
                name: c.name.clone(),
                r#type: Type::of_column(&c.value_type)?,
                nullable: c.nullable,
                slot: slot_of(place)?,
            })
        });
        let scope = Scope::new().columns("row", columns.collect());
        Planner {
            product,
            table,
            slot_of,
            keys,
            scope,
            plan: Plan::default(),
        }
    }

    fn say(&mut self, finding: Finding) {
        let finding = finding.of_product(self.product.name.to_string());
        self.plan.findings.push(finding);
    }

    fn filter(&mut self) {
        let Some(text) = &self.product.filter else {
            return;
        };
        let compiled = expression::compile_filter(text, &self.scope);
        self.plan.filter = self.compiled(text, compiled);
    }

    fn expression(&mut self, text: &Spanned<String>) -> Option<Expression> {
        let compiled = expression::compile(text, &self.scope);
        self.compiled(text, compiled)
    }

    fn compiled(
        &mut self,
        text: &Spanned<String>,
        compiled: Result<Expression, Vec<Fault>>,
    ) -> Option<Expression> {
        match compiled {
            Ok(compiled) => {
                self.plan.slots.extend(compiled.slots());
                Some(compiled)
            }
            Err(faults) => {
                for fault in faults {
                    let finding = match self.not_named(text, &fault) {
                        None => of_fault(text, fault),
                        Some(finding) => finding,
                    };
                    self.say(finding);
                }
                None
            }
        }
    }

    /// Of a column that the table has, and no expression can name: an array, or not carried.
    fn not_named(&self, text: &Spanned<String>, fault: &Fault) -> Option<Finding> {
        let named = text.value.get(fault.at.clone())?;
        let (_, name) = named.rsplit_once('.')?;
        let columns = &self.table.columns;
        let column = columns.iter().find(|c| c.name == name.trim_matches('`'))?;
        if fault.code.id != UNKNOWN_NAME.id || Type::of_column(&column.value_type).is_some() {
            return None;
        }
        let place = text.place_within(fault.at.clone());
        let message = format!(
            "column {} is of type {}, of which no expression has values",
            column.name, column.type_name
        );
        Some(
            Finding::error(fault.code, place, message)
                .remedy("take an array `from` its column; a type that is not carried, not at all"),
        )
    }

    fn record(&mut self, fields: &[Field], parent: &str, out: &mut Vec<Step>) {
        for field in fields.iter().filter(|f| !contract::is_dropped(f)) {
            let path = if parent.is_empty() {
                field.name.value.clone()
            } else {
                format!("{parent}.{}", field.name.value)
            };
            if let Shape::Record { fields } = &field.shape {
                self.record(fields, &path, out);
            } else if let Some((step, _)) = self.step(field, &path) {
                out.push(step);
            }
        }
    }

    fn key(&mut self, field: &Field) {
        let Some((step, one_to_one)) = self.step(field, &field.name.value) else {
            return;
        };
        let (holds, reads) = match &step.origin {
            Origin::Slot(slot) => (Some(*slot), vec![*slot]),
            Origin::Json(slot, ..) => (None, vec![*slot]),
            Origin::Constant(_) => (None, Vec::new()),
            Origin::Expression(e) => (e.one_to_one(), e.slots().to_vec()),
        };
        self.plan.key.push(KeyStep {
            step,
            holds: holds.filter(|_| one_to_one),
            reads,
        });
    }

    /// The step of a field of one value, and whether it converts one to one.
    fn step(&mut self, field: &Field, path: &str) -> Option<(Step, bool)> {
        let source = source_of(&field.shape)?;
        let Resolved {
            origin,
            given,
            nullable,
            name: from,
            json,
        } = self.resolve(field, path, source)?;
        let (convert, one_to_one) = match (&field.shape, &origin) {
            (_, Origin::Constant(_)) => (Convert::Text, false),
            (Shape::Array { items, .. }, _) => {
                let list = self.items(items, path, source, given.as_ref(), &from)?;
                (Convert::List(Box::new(list)), false)
            }
            _ => {
                let (convert, same) =
                    self.convert(field, path, place_of(source), given.as_ref(), &from, json)?;
                (convert, same && !json)
            }
        };
        if nullable && !field.optional && !null_has_value(&field.shape) {
            self.say(
                Finding::warning(
                    &mapping::NULLABLE,
                    place_of(source),
                    format!("{from} may be null, and field {path} is required"),
                )
                .because("a row with a null there fails")
                .remedy("say optional: true, or give nulls a value with expr and orElse"),
            );
        }
        let protect = self.protect(field, path)?;
        let step = Step {
            path: Arc::from(path),
            origin,
            convert,
            protect,
            optional: field.optional,
        };
        Some((step, one_to_one))
    }

    #[allow(clippy::option_option)] // None: refused; Some(None): nothing to do.
    fn protect(&mut self, field: &Field, path: &str) -> Option<Option<Pseudonymiser>> {
        let Some(protect) = &field.protect else {
            return Some(None);
        };
        let Protect::Hmac(name) = &protect.value else {
            return Some(None);
        };
        let key = match self.keys {
            None => Some(&b"not known while checking"[..]),
            Some(keys) => keys.iter().find(|(n, _)| n == name).map(|(_, k)| &k[..]),
        };
        let made = key
            .filter(|key| !key.is_empty())
            .and_then(|key| Pseudonymiser::new(name, key));
        if made.is_none() {
            self.say(
                Finding::error(
                    &mapping::KEY_MISSING,
                    protect.place(),
                    format!("field {path} is protected by key {name}, which there is not"),
                )
                .remedy(mapping::KEY_MISSING.remedy),
            );
        }
        made.map(Some)
    }
}

/// A scalar type as the files have it.
pub(crate) fn word(scalar: Scalar) -> String {
    match scalar {
        Scalar::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        Scalar::LocalTimestamp => "local-timestamp".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn place_of(source: &Source) -> Place {
    match source {
        Source::Column { at: Some(path), .. } => path.place(),
        Source::Column { column, .. } => column.place(),
        Source::Expression(text) => text.place(),
        Source::Constant(constant) => constant.place(),
        // Its array's is told in its place.
        Source::Item { .. } => Place::Source(String::new()),
    }
}

/// A fault of an expression, at its place inside the expression.
fn of_fault(text: &Spanned<String>, fault: Fault) -> Finding {
    let mut finding = Finding::error(fault.code, text.place_within(fault.at), fault.message);
    finding.reason = fault.reason;
    finding.remedy = fault.remedy.or(Some(fault.code.remedy.to_owned()));
    finding
}
