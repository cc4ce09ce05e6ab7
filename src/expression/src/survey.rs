//! What can be said of an expression without knowing the columns' types: the names it uses, its
//! functions, and what of CEL is not carried.

use std::ops::Range;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use onramp_finding::codes::expression as codes;

use crate::builtin::{self, BuiltIn, Style};
use crate::syntax::Tree;
use crate::{Fault, Name};

/// Nodes on the longest way from the root to a leaf.
const MAX_DEPTH: usize = 128;
/// Macros of CEL that loop over data.
const LOOPS: [&str; 6] = ["all", "exists", "exists_one", "existsOne", "map", "filter"];

pub(crate) struct Survey<'t> {
    tree: &'t Tree<'t>,
    pub(crate) names: Vec<Name>,
    pub(crate) faults: Vec<Fault>,
}

impl<'t> Survey<'t> {
    pub(crate) fn of(tree: &'t Tree<'t>) -> Self {
        let mut survey = Survey {
            tree,
            names: Vec::new(),
            faults: Vec::new(),
        };
        survey.walk(&tree.root, 0);
        survey.names.sort_by_key(|name| name.at.start);
        survey
    }

    fn refuse(&mut self, at: Range<usize>, message: impl Into<String>, remedy: &str) {
        let fault = Fault::new(&codes::NOT_CARRIED, at, message);
        self.faults.push(fault.remedy(remedy));
    }

    fn walk(&mut self, expr: &IdedExpr, depth: usize) {
        if depth > MAX_DEPTH {
            if !self.faults.iter().any(|f| f.code == &codes::TOO_LARGE) {
                self.faults.push(Fault::new(
                    &codes::TOO_LARGE,
                    self.tree.token(expr),
                    format!("the expression is nested more than {MAX_DEPTH} deep"),
                ));
            }
            return;
        }
        let at = || self.tree.span(expr);
        match &expr.expr {
            Expr::Ident(variable) => self.names.push(Name {
                variable: variable.clone(),
                member: None,
                at: at(),
            }),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(variable) => {
                    let at = self.tree.field(select);
                    self.names.push(Name {
                        variable: variable.clone(),
                        member: Some(select.field.clone()),
                        at,
                    });
                }
                _ => self.refuse(at(), "a value has no parts to select", "write row.column"),
            },
            Expr::Literal(LiteralValue::UInt(_)) => self.refuse(
                at(),
                "unsigned numbers are not carried",
                "leave the u out: 1",
            ),
            Expr::Literal(_) => {}
            Expr::Map(_) => self.refuse(at(), "maps are not carried", "use conditions: c ? a : b"),
            Expr::Struct(_) => self.refuse(at(), "messages are not carried", "use a field each"),
            Expr::List(_) => self.refuse(
                at(),
                "a list stands on the right of `in` alone",
                "write value in [\"a\", \"b\"]",
            ),
            Expr::Comprehension(_) => {
                let called = self.tree.called(expr);
                let name = &self.tree.text[called.clone()];
                let message = format!("`{name}` is not available: no loops over data");
                self.refuse(called, message, "use conditions, in, or matches");
            }
            Expr::Unspecified => self.faults.push(Fault::new(
                &codes::SYNTAX,
                at(),
                "the expression cannot be read",
            )),
            Expr::Call(call) => self.call(expr, call, depth),
        }
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr, depth: usize) {
        let name = call.func_name.as_str();
        if name == operators::IN {
            self.walk(&call.args[0], depth + 1);
            return self.list(&call.args[1], depth);
        }
        if name == operators::INDEX || name.contains('?') && name != operators::CONDITIONAL {
            return self.refuse(
                self.tree.span(expr),
                "values have no index",
                "write row.column; a name that is no plain word stands in backticks: row.`order no`",
            );
        }
        for part in call.target.iter().map(|t| &**t).chain(&call.args) {
            self.walk(part, depth + 1);
        }
        if is_operator(name) {
            return;
        }
        self.function(expr, call);
    }

    fn list(&mut self, expr: &IdedExpr, depth: usize) {
        match &expr.expr {
            Expr::List(list) if list.elements.is_empty() => self.refuse(
                self.tree.span(expr),
                "nothing is in an empty list",
                "name the values: [\"a\", \"b\"]",
            ),
            Expr::List(list) => {
                for element in &list.elements {
                    self.walk(element, depth + 1);
                }
            }
            _ => {
                self.walk(expr, depth + 1);
                self.refuse(
                    self.tree.span(expr),
                    "what stands on the right of `in` is not a list",
                    "write value in [\"a\", \"b\"]; for a part of a string, text.contains(part)",
                );
            }
        }
    }

    fn function(&mut self, expr: &IdedExpr, call: &CallExpr) {
        let name = call.func_name.as_str();
        let at = self.tree.called(expr);
        let Some(function) = BuiltIn::find(name) else {
            if name == "has" {
                let fault = Fault::new(&codes::ARGUMENTS, at, "`has` takes one column");
                return self.faults.push(fault.remedy("write has(row.column)"));
            }
            if LOOPS.contains(&name) {
                let message = format!("`{name}` is not available: no loops over data");
                return self.refuse(at, message, "use conditions, in, or matches");
            }
            let fault = Fault::new(
                &codes::UNKNOWN_FUNCTION,
                at,
                format!("unknown function `{name}`"),
            );
            let known = || builtin::ALL.iter().map(|f| f.name);
            let meant = sql(name).or_else(|| onramp_finding::nearest(name, known()));
            self.faults.push(match meant {
                Some(meant) => fault.remedy(format!("did you mean `{meant}`?")),
                None => fault.remedy(format!(
                    "the functions are {}",
                    known().collect::<Vec<_>>().join(", ")
                )),
            });
            return;
        };
        let method = call.target.is_some();
        let fits = match function.style {
            Style::Both => true,
            Style::Method => method,
            Style::Global => !method,
        };
        let count = call.args.len() + usize::from(method);
        if !fits || !function.takes(count) {
            let message = if fits {
                format!("`{name}` does not take {count} arguments")
            } else if method {
                format!("`{name}` is not called on a value")
            } else {
                format!("`{name}` is called on a value")
            };
            let fault = Fault::new(&codes::ARGUMENTS, at, message);
            self.faults
                .push(fault.remedy(format!("call it as {}", function.shown())));
        }
    }
}

/// What SQL and other languages call our functions.
fn sql(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "lower" | "tolower" | "tolowercase" => "lowerAscii",
        "upper" | "toupper" | "touppercase" => "upperAscii",
        "length" | "len" | "char_length" => "size",
        "coalesce" | "ifnull" | "nvl" => "orElse",
        "substr" | "left" | "mid" => "substring",
        "btrim" | "rtrim" | "ltrim" | "strip" => "trim",
        "text" | "str" | "tostring" | "to_char" => "string",
        "long" | "integer" | "bigint" => "int",
        "float" => "double",
        "numeric" => "decimal",
        "regexp" | "like" | "match" => "matches",
        _ => return None,
    })
}

fn is_operator(name: &str) -> bool {
    use operators::*;
    [
        CONDITIONAL,
        LOGICAL_AND,
        LOGICAL_OR,
        LOGICAL_NOT,
        SUBSTRACT,
        ADD,
        MULTIPLY,
        DIVIDE,
        MODULO,
        EQUALS,
        NOT_EQUALS,
        GREATER_EQUALS,
        LESS_EQUALS,
        GREATER,
        LESS,
        NEGATE,
    ]
    .contains(&name)
}
