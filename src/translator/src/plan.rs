//! A product's mapping, resolved against its table: steps to run, and everything that is wrong.
//!
//! The one walk over a product's fields: checking throws the steps away, compiling keeps them.

mod conversion;
mod many;
mod outbox;
mod protection;
mod source;

use std::collections::BTreeSet;
use std::sync::Arc;

use onramp_connector::{BeforeImage, TableDescription};
use onramp_expression::{self as expression, Expression, Fault, Operations, Scope, Type};
use onramp_finding::codes::{expression::UNKNOWN_NAME, mapping};
use onramp_finding::{Finding, Place};
use onramp_language::{Field, Product, Record, Shape, Source, Spanned};

use crate::change::{Of, Places};
use crate::contract;
use crate::convert::Convert;
use crate::outbox::Columns;
use crate::step::{Branches, Origin, Step};
use conversion::{null_has_value, source_of};
use many::Many;
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
    /// One a record, in the file's order.
    pub(crate) records: Vec<RecordPlan>,
    /// An outbox's columns.
    pub(crate) outbox: Option<Columns>,
    /// The slots that any of it reads.
    pub(crate) slots: Vec<usize>,
    /// Those that a classified or protected field reads.
    pub(crate) hidden: BTreeSet<usize>,
    pub(crate) findings: Vec<Finding>,
}

/// A record's fields, resolved.
#[derive(Debug)]
pub(crate) struct RecordPlan {
    /// The operations that may give it; all of them in an entity.
    pub(crate) operations: Operations,
    pub(crate) when: Option<Expression>,
    pub(crate) value: Vec<Step>,
    pub(crate) key: Vec<KeyStep>,
    /// The slots that are read of `before`.
    pub(crate) before: BTreeSet<usize>,
    /// The slots that `from` may read of an old row.
    pub(crate) old: BTreeSet<usize>,
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
    if product.outbox().is_some() {
        planner.of_inserts();
    }
    planner.filter();
    for record in product.records() {
        planner.whole(record);
    }
    if let Some(outbox) = product.outbox() {
        planner.plan.outbox = planner.outbox(outbox);
    }
    let mut plan = planner.plan;
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
    /// Where in a change's slots a column of the row is, for `from`.
    places: Places,
    /// What is read of `before`, and of rows that may be old, so far.
    before: BTreeSet<usize>,
    old: BTreeSet<usize>,
    plan: Plan,
}

impl RecordPlan {
    /// A column that old rows do not hold and that these facts need of them: of a deleted row what is
    /// read of it, of an updated one every column that is read of `before`, whether it is in the key or
    /// not, since old rows come whole or, where the key did not change, not at all.
    pub(crate) fn lacks<'n>(
        &self,
        before: &BeforeImage,
        name_of: &dyn Fn(usize) -> &'n str,
    ) -> Option<&'n str> {
        let held: &[String] = match before {
            BeforeImage::Whole => return None,
            BeforeImage::Key(columns) => columns,
            BeforeImage::None => &[],
        };
        let deletes_alone = !self.operations.insert && !self.operations.update;
        let in_key = |name: &str| held.iter().any(|c| c == name);
        let mut of_before = self.before.iter().map(|slot| name_of(*slot));
        let lacking = of_before.find(|name| !deletes_alone || !in_key(name));
        lacking.or_else(|| {
            let mut of_old = self.old.iter().map(|slot| name_of(*slot));
            of_old.find(|name| !in_key(name))
        })
    }
}

impl<'p> Planner<'p> {
    fn new(
        product: &'p Product,
        table: &'p TableDescription,
        slot_of: &'p dyn Fn(usize) -> Option<usize>,
        keys: Keys<'p>,
    ) -> Self {
        let mut planner = Planner {
            product,
            table,
            slot_of,
            keys,
            scope: Scope::new(),
            places: Places::of_row(),
            before: BTreeSet::new(),
            old: BTreeSet::new(),
            plan: Plan::default(),
        };
        planner.scope = planner.of_table(Scope::new().columns("row", planner.columns(0, false)));
        planner
    }

    /// The table's columns from a slot on; `absent` where the whole row may be.
    fn columns(&self, first: usize, absent: bool) -> Vec<expression::Column> {
        let columns = self.table.columns.iter().enumerate();
        columns
            .filter_map(|(place, c)| {
                Some(expression::Column {
                    name: c.name.clone(),
                    r#type: Type::of_column(&c.value_type)?,
                    nullable: c.nullable || absent,
                    slot: first + (self.slot_of)(place)?,
                    constant: None,
                })
            })
            .collect()
    }

    /// A record with its key.
    fn whole(&mut self, record: Record<'_>) {
        let mut operations = Operations::ALL;
        let mut when = None;
        if self.product.outbox().is_some() {
            self.of_inserts();
            self.is_avro(record);
        } else if let Some(event) = record.event {
            if let Some(condition) = &event.when {
                operations = expression::operations(condition);
            }
            self.of_change(operations);
            if let Some(condition) = &event.when {
                let compiled = expression::compile_filter(condition, &self.scope);
                when = self.compiled(condition, compiled);
            }
        }
        let mut value = Vec::new();
        self.record(record.fields, "", &mut value);
        // What is wrong with a key's field was said above.
        let said = std::mem::take(&mut self.plan.findings);
        let mut key = Vec::new();
        for field in record.key(&self.product.key) {
            key.extend(self.key(field));
        }
        self.plan.findings = said;
        self.plan.records.push(RecordPlan {
            operations,
            when,
            value,
            key,
            before: std::mem::take(&mut self.before),
            old: std::mem::take(&mut self.old),
        });
    }

    /// What follows speaks of a change that is one of these operations.
    fn of_change(&mut self, operations: Operations) {
        let places = Places::of_change(self.columns_count(), operations);
        let after = self.columns(places.after, operations.delete);
        let before = self.columns(places.before, operations.insert);
        let scope = Scope::new()
            .columns("after", after)
            .columns("before", before);
        let without = self.product.tells_rows() && operations.insert;
        self.scope = self.of_table(expression::change(scope, places.change, without));
        self.places = places;
    }

    /// What is known of every row: the table that it stands in.
    fn of_table(&self, scope: Scope) -> Scope {
        let name = &self.table.name;
        expression::table(scope, Some((&name.schema, &name.table)))
    }

    /// How many slots a row has.
    fn columns_count(&self) -> usize {
        let slots = (0..self.table.columns.len()).filter_map(|place| (self.slot_of)(place));
        slots.max().map_or(0, |last| last + 1)
    }

    /// A slot is read; what it is of the table's.
    fn reads(&mut self, slot: usize) {
        let Some((column, of)) = self.places.column(slot) else {
            return;
        };
        self.plan.slots.push(column);
        match of {
            Of::New => {}
            Of::Before => drop(self.before.insert(column)),
            Of::Either => drop(self.old.insert(column)),
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
                for slot in compiled.slots() {
                    self.reads(*slot);
                }
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
            if let Shape::Record {
                fields,
                source: None,
            } = &field.shape
            {
                self.record(fields, &path, out);
            } else if let Some((step, _)) = self.step(field, &path) {
                out.push(step);
            }
        }
        self.hide(fields);
    }

    /// Notes which slots of classified or protected fields are not to be seen, dropped ones too.
    fn hide(&mut self, fields: &[Field]) {
        let said = std::mem::take(&mut self.plan.findings);
        for field in fields {
            // What is made of its fields has come here with them.
            let all = match &field.shape {
                Shape::Record { source: None, .. } => vec![(String::new(), field)],
                _ => field.with_all_within(),
            };
            if all
                .iter()
                .any(|(_, f)| f.classification.is_some() || f.protect.is_some())
            {
                self.hide_one(field);
            }
        }
        self.plan.findings = said;
    }

    fn hide_one(&mut self, field: &Field) {
        if let Shape::Record {
            fields,
            source: None,
        } = &field.shape
        {
            for field in fields {
                self.hide_one(field);
            }
            return;
        }
        let before = self.plan.slots.len();
        let of_old_rows = (self.before.clone(), self.old.clone());
        let _ = self.step(field, "");
        let read = self.plan.slots[before..].to_vec();
        self.plan.hidden.extend(read);
        // A dropped field is not read for its own sake.
        self.plan.slots.truncate(before);
        (self.before, self.old) = of_old_rows;
    }

    fn key(&mut self, field: &Field) -> Option<KeyStep> {
        let (step, one_to_one) = self.step(field, &field.name.value)?;
        let (holds, reads) = match &step.origin {
            Origin::Slot(slot) => (Some(*slot), vec![*slot]),
            Origin::Json(slot, ..) => (None, vec![*slot]),
            Origin::Part(_) | Origin::Constant(_) => (None, Vec::new()),
            Origin::Expression(e) => (e.one_to_one(), e.slots().to_vec()),
        };
        Some(KeyStep {
            step,
            holds: holds.filter(|_| one_to_one),
            reads,
        })
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
            (Shape::Array { .. } | Shape::Record { .. } | Shape::Map { .. }, _) => {
                let many = Many {
                    of: field,
                    path,
                    place: place_of(source),
                };
                (self.many(field, &many, path, given.as_ref(), &from)?, false)
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
        let protect = match &field.shape {
            // Each of its elements is protected.
            Shape::Array { .. } => None,
            _ => self.protect(field, path)?,
        };
        let step = Step {
            path: Arc::from(path),
            origin,
            convert,
            protect,
            optional: Branches::of(field),
        };
        Some((step, one_to_one))
    }
}

fn place_of(source: &Source) -> Place {
    match source {
        Source::Column { at: Some(path), .. } => path.place(),
        Source::Column { column, .. } => column.place(),
        Source::Expression(text) => text.place(),
        Source::Constant(constant) => constant.place(),
        Source::Item { at: Some(path), .. } => path.place(),
        // Its array's is told in its place.
        Source::Item { at: None, .. } => Place::Source(String::new()),
    }
}

/// A fault of an expression, at its place inside the expression.
fn of_fault(text: &Spanned<String>, fault: Fault) -> Finding {
    let mut finding = Finding::error(fault.code, text.place_within(fault.at), fault.message);
    finding.reason = fault.reason;
    finding.remedy = fault.remedy.or(Some(fault.code.remedy.to_owned()));
    finding
}
