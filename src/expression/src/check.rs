//! The type checker: a parsed tree and a scope to the compiled form, with every fault on the way.
//!
//! What [`crate::survey`] refuses already is passed over here in silence.

use std::collections::BTreeSet;
use std::ops::Range;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as cel_op};
use onramp_connector::{Undecodable, Value};
use onramp_finding::codes::expression as codes;

use crate::evaluate::Run;
use crate::node::{Constant, Node, Op};
use crate::scope::Holds;
use crate::syntax::Tree;
use crate::{Column, Fault, Row, Scope, Scratch, Type};

/// Slots known not to be null.
pub(crate) type Facts = BTreeSet<usize>;

/// A checked expression.
pub(crate) struct Typed {
    pub(crate) node: Node,
    pub(crate) r#type: Type,
    pub(crate) nullable: bool,
    pub(crate) at: Range<usize>,
    /// What is known where it is true.
    pub(crate) yes: Facts,
    /// What is known where it is false.
    pub(crate) no: Facts,
}

pub(crate) struct Checker<'t> {
    pub(crate) tree: &'t Tree<'t>,
    pub(crate) scope: &'t Scope,
    pub(crate) faults: Vec<Fault>,
}

/// No row: for what is the same for every row.
struct NoRow;

impl<'a> Row<'a> for NoRow {
    fn value(&self, _slot: usize) -> Result<Value<'a>, Undecodable> {
        Err(Undecodable::Malformed)
    }
}

impl<'t> Checker<'t> {
    pub(crate) fn new(tree: &'t Tree<'t>, scope: &'t Scope) -> Self {
        Checker {
            tree,
            scope,
            faults: Vec::new(),
        }
    }

    pub(crate) fn text(&self, at: &Range<usize>) -> &'t str {
        &self.tree.text[at.clone()]
    }

    /// An operation, evaluated at once where no row can change it.
    pub(crate) fn made(
        &mut self,
        at: Range<usize>,
        op: Op,
        r#type: Type,
        nullable: bool,
    ) -> Option<Typed> {
        let mut node = Node {
            at: at.start as u32,
            op,
        };
        let parts = node.parts();
        if !parts.is_empty() && parts.iter().all(|part| part.constant().is_some()) {
            let run = Run {
                row: &NoRow,
                scratch: &Scratch::new(),
            };
            let constant = node.value(&run).map(Constant::of);
            match constant {
                Ok(constant) => node.op = Op::Constant(constant),
                Err(error) => {
                    let message = format!("`{}` has no value", self.text(&at));
                    let fault = Fault::new(&codes::LITERAL, at, message);
                    self.faults.push(fault.because(error.reason()));
                    return None;
                }
            }
        }
        Some(Typed {
            node,
            r#type,
            nullable,
            at,
            yes: Facts::new(),
            no: Facts::new(),
        })
    }

    pub(crate) fn check(&mut self, expr: &IdedExpr, known: &Facts) -> Option<Typed> {
        let at = self.tree.span(expr);
        match &expr.expr {
            Expr::Literal(literal) => {
                let (constant, r#type) = match literal {
                    LiteralValue::Boolean(v) => (Constant::Bool(*v.inner()), Type::Bool),
                    LiteralValue::Int(v) => (Constant::Int(*v.inner()), Type::Int),
                    LiteralValue::Double(v) => (Constant::Double(*v.inner()), Type::Double),
                    LiteralValue::String(v) => (Constant::Text(v.inner().into()), Type::String),
                    LiteralValue::Bytes(v) => (Constant::Bytes(v.inner().into()), Type::Bytes),
                    LiteralValue::Null => (Constant::Null, Type::Null),
                    LiteralValue::UInt(_) => return None,
                };
                let nullable = r#type == Type::Null;
                self.made(at, Op::Constant(constant), r#type, nullable)
            }
            Expr::Ident(variable) => {
                let column = self.variable(variable, &at)?;
                self.read(at, column, known)
            }
            Expr::Select(select) => {
                let Expr::Ident(variable) = &select.operand.expr else {
                    return None;
                };
                let variable_at = self.tree.span(&select.operand);
                let column = self.column(variable, variable_at, &select.field, &at)?;
                if !select.test {
                    return self.read(at, column, known);
                }
                if column.constant.is_some() {
                    return self.made(at, Op::Constant(Constant::Bool(true)), Type::Bool, false);
                }
                let slot = column.slot;
                let mut has = self.made(at, Op::Has(slot), Type::Bool, false)?;
                has.yes.insert(slot);
                Some(has)
            }
            Expr::Call(call) => self.call(expr, call, at, known),
            _ => None,
        }
    }

    fn read(&mut self, at: Range<usize>, column: &Column, known: &Facts) -> Option<Typed> {
        if let Some(text) = &column.constant {
            let constant = Op::Constant(Constant::Text(text.clone()));
            return self.made(at, constant, Type::String, false);
        }
        let nullable = column.nullable && !known.contains(&column.slot);
        let boolean = column.r#type == Type::Bool;
        let mut read = self.made(at, Op::Slot(column.slot), column.r#type.clone(), nullable)?;
        if boolean {
            read.yes.insert(column.slot);
            read.no.insert(column.slot);
        }
        Some(read)
    }

    fn unknown(&mut self, at: &Range<usize>, message: String, fix: Option<String>, known: String) {
        let fault = Fault::new(&codes::UNKNOWN_NAME, at.clone(), message);
        self.faults.push(match fix {
            Some(meant) => fault.remedy(format!("did you mean `{meant}`?")),
            None => fault.remedy(known),
        });
    }

    fn variable(&mut self, variable: &str, at: &Range<usize>) -> Option<&'t Column> {
        let scope = self.scope;
        match scope.find(variable) {
            Some(Holds::Value(column)) => return Some(column),
            Some(Holds::Columns(_)) => {
                let message = format!("`{variable}` is not a value");
                let fault = Fault::new(&codes::UNKNOWN_NAME, at.clone(), message);
                self.faults
                    .push(fault.remedy(format!("write {variable}.column")));
            }
            None => {
                let mut meant = None;
                for (name, holds) in &scope.variables {
                    if let Holds::Columns(columns) = holds
                        && columns.iter().any(|column| column.name == variable)
                    {
                        meant = Some(format!("{name}.{variable}"));
                    }
                }
                let names = scope.variables.iter().map(|(name, _)| name.as_str());
                let near = onramp_finding::nearest(variable, names.clone()).map(str::to_owned);
                let known = format!(
                    "the names here are {}",
                    names.collect::<Vec<_>>().join(", ")
                );
                let message = format!("unknown name `{variable}`");
                self.unknown(at, message, meant.or(near), known);
            }
        }
        None
    }

    fn column(
        &mut self,
        variable: &str,
        variable_at: Range<usize>,
        field: &str,
        at: &Range<usize>,
    ) -> Option<&'t Column> {
        let Some(Holds::Columns(columns)) = self.scope.find(variable) else {
            if self.scope.find(variable).is_some() {
                let message = format!("`{variable}` has no columns");
                self.unknown(at, message, Some(variable.to_owned()), String::new());
            } else {
                self.variable(variable, &variable_at);
            }
            return None;
        };
        let found = columns.iter().find(|column| column.name == field);
        if found.is_none() {
            let names = columns.iter().map(|column| column.name.as_str());
            let near = onramp_finding::nearest(field, names.clone()).map(|near| {
                let plain = near.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if plain {
                    format!("{variable}.{near}")
                } else {
                    format!("{variable}.`{near}`")
                }
            });
            let some: Vec<&str> = names.take(20).collect();
            let known = format!("the columns are {}", some.join(", "));
            let message = format!("unknown column `{field}`");
            self.unknown(at, message, near, known);
        }
        found
    }

    /// Refuses a value that may be null.
    pub(crate) fn present(&mut self, typed: &Typed) -> bool {
        if !typed.nullable {
            return true;
        }
        let text = self.text(&typed.at);
        let fault = Fault::new(
            &codes::NULLABLE,
            typed.at.clone(),
            format!("`{text}` may be null here"),
        );
        let default = match typed.r#type {
            Type::Bool => "false",
            Type::Int => "0",
            Type::Double => "0.0",
            Type::Decimal => "decimal(\"0\")",
            Type::String => "\"\"",
            _ => "default",
        };
        self.faults.push(if matches!(typed.node.op, Op::Slot(_)) {
            fault.remedy(format!(
                "write has({text}) && …, or orElse({text}, {default})"
            ))
        } else if typed.r#type == Type::Null {
            fault.remedy("null is compared with == and != alone")
        } else {
            fault.remedy(format!("write orElse({text}, {default})"))
        });
        false
    }

    /// A bool that is not null.
    pub(crate) fn condition(&mut self, expr: &IdedExpr, known: &Facts) -> Option<Typed> {
        let typed = self.check(expr, known)?;
        if typed.r#type != Type::Bool {
            let text = self.text(&typed.at);
            let message = format!("`{text}` is {}, where bool is needed", typed.r#type);
            let fault = Fault::new(&codes::TYPES, typed.at.clone(), message);
            self.faults
                .push(fault.remedy("compare it with something, e.g. == \"Y\""));
            return None;
        }
        self.present(&typed).then_some(typed)
    }

    fn call(
        &mut self,
        expr: &IdedExpr,
        call: &CallExpr,
        at: Range<usize>,
        known: &Facts,
    ) -> Option<Typed> {
        match call.func_name.as_str() {
            cel_op::LOGICAL_NOT => {
                let a = self.condition(&call.args[0], known)?;
                let mut not = self.made(at, Op::Not(Box::new(a.node)), Type::Bool, false)?;
                (not.yes, not.no) = (a.no, a.yes);
                Some(not)
            }
            cel_op::LOGICAL_AND => self.both(&call.args, at, known, true),
            cel_op::LOGICAL_OR => self.both(&call.args, at, known, false),
            cel_op::CONDITIONAL => self.choice(&call.args, at, known),
            cel_op::IN => self.within(&call.args, at, known),
            cel_op::INDEX => None,
            name => {
                let mut parts = Vec::new();
                let all = call.target.iter().map(|t| &**t).chain(&call.args);
                let count = all.clone().count();
                for part in all {
                    parts.extend(self.check(part, known));
                }
                // A part with a fault has said so.
                if parts.len() != count {
                    return None;
                }
                if name.starts_with(['_', '-']) {
                    let token = self.tree.token(expr);
                    self.operator(name, token, parts, at)
                } else {
                    self.function(name, self.tree.called(expr), parts, at)
                }
            }
        }
    }

    /// `&&` and `||`: the right side is met only where the left one did not decide.
    fn both(
        &mut self,
        sides: &[IdedExpr],
        at: Range<usize>,
        known: &Facts,
        and: bool,
    ) -> Option<Typed> {
        let a = self.condition(&sides[0], known);
        let mut there = known.clone();
        if let Some(a) = &a {
            there.extend(if and { &a.yes } else { &a.no });
        }
        let b = self.condition(&sides[1], &there);
        let (a, b) = (a?, b?);
        let nodes = Box::new([a.node, b.node]);
        let op = if and { Op::And(nodes) } else { Op::Or(nodes) };
        let mut made = self.made(at, op, Type::Bool, false)?;
        if and {
            made.yes = &a.yes | &b.yes;
            made.no = &a.no & &(&a.yes | &b.no);
        } else {
            made.no = &a.no | &b.no;
            made.yes = &a.yes & &(&a.no | &b.yes);
        }
        Some(made)
    }

    fn choice(&mut self, parts: &[IdedExpr], at: Range<usize>, known: &Facts) -> Option<Typed> {
        let condition = self.condition(&parts[0], known);
        let (mut where_yes, mut where_no) = (known.clone(), known.clone());
        if let Some(condition) = &condition {
            where_yes.extend(&condition.yes);
            where_no.extend(&condition.no);
        }
        let yes = self.check(&parts[1], &where_yes);
        let no = self.check(&parts[2], &where_no);
        let (condition, yes, no) = (condition?, yes?, no?);
        let r#type = self.one_type(&yes, &no, "both branches of ?:", &at)?;
        let nullable = yes.nullable || no.nullable;
        let op = Op::If(Box::new([condition.node, yes.node, no.node]));
        self.made(at, op, r#type, nullable)
    }

    /// The type of two values that must be alike; a bare null is like everything.
    pub(crate) fn one_type(
        &mut self,
        a: &Typed,
        b: &Typed,
        what: &str,
        at: &Range<usize>,
    ) -> Option<Type> {
        if a.r#type == b.r#type || b.r#type == Type::Null {
            return Some(a.r#type.clone());
        }
        if a.r#type == Type::Null {
            return Some(b.r#type.clone());
        }
        self.unlike(what, a, b, at.clone());
        None
    }

    /// Two types that do not go together, and the conversion that would help.
    pub(crate) fn unlike(&mut self, what: &str, a: &Typed, b: &Typed, at: Range<usize>) {
        let message = format!("{what}: {} and {} do not go together", a.r#type, b.r#type);
        let fault = Fault::new(&codes::TYPES, at, message);
        // A constant is converted once, so it is the one to change.
        let (first, second) = match (a.node.constant(), b.node.constant()) {
            (None, Some(_)) => (b, a),
            _ => (a, b),
        };
        let fix = self
            .converted(first, second)
            .or_else(|| self.converted(second, first));
        self.faults.push(match fix {
            Some(fix) => fault.remedy(format!("write {fix}")),
            None => fault.remedy("convert one side by name"),
        });
    }

    /// `from`, converted to the other's type, as it would be written.
    fn converted(&self, from: &Typed, other: &Typed) -> Option<String> {
        let text = self.text(&from.at);
        match (&from.r#type, &other.r#type) {
            (Type::Int, Type::Decimal) => Some(format!("decimal({text})")),
            (Type::Double, Type::Decimal) if from.node.constant().is_some() => {
                Some(format!("decimal(\"{text}\")"))
            }
            (Type::Decimal, Type::Double) => Some(format!("double({text})")),
            (Type::Int, Type::Double) => Some(format!("double({text})")),
            (Type::String, Type::Date) => Some(format!("date({text})")),
            (Type::String, Type::Time) => Some(format!("time({text})")),
            (Type::String, Type::Timestamp) => Some(format!("timestamp({text})")),
            (Type::String, Type::LocalTimestamp) => Some(format!("localTimestamp({text})")),
            (Type::String, Type::Uuid) => Some(format!("uuid({text})")),
            (Type::String, Type::Bytes) => Some(format!("bytes({text})")),
            (Type::Int, Type::String) if from.node.constant().is_some() => {
                Some(format!("\"{text}\""))
            }
            (_, Type::String) => Some(format!("string({text})")),
            _ => None,
        }
    }
}
