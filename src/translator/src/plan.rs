//! A product's mapping, resolved against its table: steps to run, and everything that is wrong.
//!
//! The one walk over a product's fields: checking throws the steps away, compiling keeps them.

use std::sync::Arc;

use onramp_connector::{Column, TableDescription, ValueType};
use onramp_expression::{self as expression, Expression, Fault, Scope, Type};
use onramp_finding::{Finding, Place, codes::mapping};
use onramp_language::{Field, Product, Protect, Scalar, Shape, Source, Spanned};

use crate::contract;
use crate::conversion::{self, Refused};
use crate::convert::Convert;
use crate::enumeration::Codes;
use crate::step::{Origin, Pseudonymiser, Step};
use onramp_finding::nearest;

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
                    let finding = of_fault(text, fault);
                    self.say(finding);
                }
                None
            }
        }
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
        let source = match &field.shape {
            Shape::Scalar { source, .. } | Shape::Enum { source, .. } => source,
            Shape::Record { .. } => return None,
        };
        let (origin, given, nullable, from) = self.origin(source)?;
        let (convert, one_to_one) = self.convert(field, path, source, given.as_ref(), &from)?;
        let null_has_symbol = matches!(
            &field.shape,
            Shape::Enum {
                otherwise: onramp_language::Otherwise::Value(_),
                ..
            }
        );
        if nullable && !field.optional && !null_has_symbol {
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

    /// Where a value comes from, its type (None: null alone), whether it may be null, and its name
    /// in messages.
    fn origin(&mut self, source: &Source) -> Option<(Origin, Option<ValueType>, bool, String)> {
        match source {
            Source::Column { column, .. } => {
                let (slot, found) = self.column(column)?;
                self.plan.slots.push(slot);
                let name = format!("column {} ({})", found.name, found.type_name);
                let given = Some(found.value_type.clone());
                Some((Origin::Slot(slot), given, found.nullable, name))
            }
            Source::Expression(text) => {
                let compiled = self.expression(text)?;
                let (r#type, nullable) = compiled.result();
                let name = format!("the expression ({type})");
                let given = r#type.of_values();
                Some((
                    Origin::Expression(Box::new(compiled)),
                    given,
                    nullable,
                    name,
                ))
            }
        }
    }

    fn column(&mut self, name: &Spanned<String>) -> Option<(usize, &'p Column)> {
        let table = self.table;
        let place = table.columns.iter().position(|c| c.name == name.value);
        let Some((column, slot)) = place.and_then(|at| {
            let slot = (self.slot_of)(at)?;
            Some((&table.columns[at], slot))
        }) else {
            let mut finding = Finding::error(
                &mapping::COLUMN_UNKNOWN,
                name.place(),
                format!("table {} has no column {:?}", table.name, name.value),
            );
            let known = table.columns.iter().map(|c| c.name.as_str());
            if let Some(near) = nearest(name, known) {
                finding = finding.remedy(format!("did you mean {near}?"));
            }
            self.say(finding);
            return None;
        };
        if column.value_type == ValueType::Unsupported {
            let message = format!(
                "column {} is of type {}, which is not carried",
                column.name, column.type_name
            );
            self.say(
                Finding::error(&mapping::COLUMN_UNSUPPORTED, name.place(), message)
                    .remedy(mapping::COLUMN_UNSUPPORTED.remedy),
            );
            return None;
        }
        Some((slot, column))
    }

    fn convert(
        &mut self,
        field: &Field,
        path: &str,
        source: &Source,
        given: Option<&ValueType>,
        from: &str,
    ) -> Option<(Convert, bool)> {
        let parse = match source {
            Source::Column { parse, .. } => parse.as_ref(),
            Source::Expression(_) => None,
        };
        let chosen = match &field.shape {
            Shape::Enum {
                values,
                default,
                otherwise,
                ..
            } => conversion::to_enum(given, values, otherwise).map(|()| {
                let codes = Codes::new(values, default.as_ref(), otherwise, field.optional);
                (Convert::Code(codes), Codes::one_to_one(values, otherwise))
            }),
            Shape::Scalar { r#type, .. } => conversion::choose(given, r#type.value, parse),
            _ => return None,
        };
        match chosen {
            Ok((convert, one_to_one)) => {
                let open = matches!(convert, Convert::Decimal { .. })
                    && matches!(source, Source::Column { .. })
                    && given == Some(&ValueType::Decimal(None));
                if open {
                    self.say(
                        Finding::warning(
                            &mapping::DECIMAL_OPEN,
                            place_of(source),
                            format!("{from} declares no precision, and field {path} has one"),
                        )
                        .because(mapping::DECIMAL_OPEN.reason),
                    );
                }
                Some((convert, one_to_one))
            }
            Err(Refused { code, reason, fix }) => {
                let place = match &field.shape {
                    Shape::Scalar { r#type, .. } => r#type.place(),
                    _ => place_of(source),
                };
                let wanted = match &field.shape {
                    Shape::Scalar { r#type, .. } => word(r#type.value),
                    _ => "enum".into(),
                };
                let message = if code == &mapping::CODES {
                    format!("the codes of field {path} do not fit {from}")
                } else {
                    format!("{from} cannot become {wanted} (field {path})")
                };
                self.say(
                    Finding::error(code, place, message)
                        .because(reason)
                        .remedy(fix),
                );
                None
            }
        }
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
        Source::Column { column, .. } => column.place(),
        Source::Expression(text) => text.place(),
    }
}

/// A fault of an expression, at its place inside the expression.
fn of_fault(text: &Spanned<String>, fault: Fault) -> Finding {
    let mut finding = Finding::error(fault.code, text.place_within(fault.at), fault.message);
    finding.reason = fault.reason;
    finding.remedy = fault.remedy.or(Some(fault.code.remedy.to_owned()));
    finding
}
