//! Operators and functions: which types they take, and what they compile to.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, operators as cel_op};
use onramp_finding::codes::expression as codes;
use regex::RegexBuilder;

use crate::builtin::{BuiltIn, Call};
use crate::check::{Checker, Facts, Typed};
use crate::node::{Arithmetic, Comparison, Constant, MAX_PARTS, Node, Op};
use crate::{Fault, JsonPath, Opened, Type};

/// What one pattern may take in memory, compiled.
const MAX_PATTERN_BYTES: usize = 256 << 10;

impl Checker<'_> {
    pub(crate) fn operator(
        &mut self,
        name: &str,
        token: Range<usize>,
        mut parts: Vec<Typed>,
        at: Range<usize>,
    ) -> Option<Typed> {
        if name == cel_op::NEGATE {
            let a = parts.pop()?;
            if !matches!(a.r#type, Type::Int | Type::Double | Type::Decimal) {
                let message = format!("`-` does not go with {}", a.r#type);
                self.faults.push(Fault::new(&codes::TYPES, token, message));
                return None;
            }
            if !self.present(&a) {
                return None;
            }
            return self.made(at, Op::Negate(Box::new(a.node)), a.r#type, false);
        }
        let b = parts.pop()?;
        let a = parts.pop()?;
        if name == cel_op::EQUALS || name == cel_op::NOT_EQUALS {
            return self.equality(name == cel_op::EQUALS, a, b, at);
        }
        let symbol = format!("`{}`", self.text(&token));
        // Both sides first, so that one run says all.
        let present = self.present(&a) & self.present(&b);
        if a.r#type == Type::Null || b.r#type == Type::Null {
            return None;
        }
        if a.r#type != b.r#type {
            self.unlike(&symbol, &a, &b, at);
            return None;
        }
        let r#type = a.r#type.clone();
        let nodes = |a: Typed, b: Typed| Box::new([a.node, b.node]);
        let compared = match name {
            cel_op::LESS => Some(Comparison::Less),
            cel_op::LESS_EQUALS => Some(Comparison::LessOrEqual),
            cel_op::GREATER => Some(Comparison::Greater),
            cel_op::GREATER_EQUALS => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        if let Some(compared) = compared
            && r#type != Type::Uuid
        {
            return present
                .then(|| self.made(at, Op::Compare(compared, nodes(a, b)), Type::Bool, false))?;
        }
        if name == cel_op::ADD && r#type == Type::String {
            return present.then(|| self.joined(a.node, b.node, at))?;
        }
        let how = match (name, &r#type) {
            (cel_op::ADD, Type::Int | Type::Double | Type::Decimal) => Arithmetic::Add,
            (cel_op::SUBSTRACT, Type::Int | Type::Double | Type::Decimal) => Arithmetic::Subtract,
            (cel_op::MULTIPLY, Type::Int | Type::Double | Type::Decimal) => Arithmetic::Multiply,
            (cel_op::DIVIDE, Type::Int | Type::Double) => Arithmetic::Divide,
            (cel_op::MODULO, Type::Int) => Arithmetic::Remainder,
            _ => {
                let message = format!("{symbol} does not go with {}", r#type);
                let fault = Fault::new(&codes::TYPES, token, message);
                self.faults.push(match (name, r#type) {
                    (cel_op::DIVIDE, Type::Decimal) => fault
                        .because("a quotient of decimals has no exact digits, and none are guessed")
                        .remedy("multiply by a decimal, or divide as double(…)"),
                    _ => fault,
                });
                return None;
            }
        };
        present.then(|| self.made(at, Op::Arithmetic(how, nodes(a, b)), r#type, false))?
    }

    /// Strings joined: a chain of `+` is one operation, so that nothing is copied twice.
    fn joined(&mut self, a: Node, b: Node, at: Range<usize>) -> Option<Typed> {
        let mut parts = match a.op {
            Op::Concat(parts) if parts.len() < MAX_PARTS => parts.into_vec(),
            _ => vec![a],
        };
        parts.push(b);
        self.made(at, Op::Concat(parts.into()), Type::String, false)
    }

    fn equality(&mut self, equal: bool, a: Typed, b: Typed, at: Range<usize>) -> Option<Typed> {
        self.one_type(&a, &b, if equal { "`==`" } else { "`!=`" }, &at)?;
        // Equal to something that is not null, or unequal to null, is itself not null.
        let mut same = Facts::new();
        let mut differ = Facts::new();
        for (one, other) in [(&a, &b), (&b, &a)] {
            if let Op::Slot(slot) = one.node.op {
                if !other.nullable {
                    same.insert(slot);
                } else if other.r#type == Type::Null {
                    differ.insert(slot);
                }
            }
        }
        let nodes = Box::new([a.node, b.node]);
        let op = if equal {
            Op::Equal(nodes)
        } else {
            Op::NotEqual(nodes)
        };
        let mut made = self.made(at, op, Type::Bool, false)?;
        (made.yes, made.no) = if equal {
            (same, differ)
        } else {
            (differ, same)
        };
        Some(made)
    }

    pub(crate) fn within(
        &mut self,
        sides: &[IdedExpr],
        at: Range<usize>,
        known: &Facts,
    ) -> Option<Typed> {
        let value = self.check(&sides[0], known);
        let Expr::List(list) = &sides[1].expr else {
            return None;
        };
        let mut entries = Vec::with_capacity(list.elements.len());
        for element in &list.elements {
            entries.extend(self.check(element, known));
        }
        let value = value?;
        let mut good = self.present(&value) && entries.len() == list.elements.len();
        for entry in &entries {
            if !self.present(entry) {
                good = false;
            } else if entry.r#type != value.r#type {
                self.unlike("`in`", entry, &value, entry.at.clone());
                good = false;
            }
        }
        if !good || entries.is_empty() {
            return None;
        }
        let slot = match value.node.op {
            Op::Slot(slot) => Some(slot),
            _ => None,
        };
        let subject = Box::new(value.node);
        let constants = || entries.iter().map(|entry| entry.node.constant());
        let texts: Option<Vec<Box<str>>> = constants()
            .map(|constant| match constant? {
                Constant::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let ints: Option<Vec<i64>> = constants()
            .map(|constant| match constant? {
                Constant::Int(int) => Some(*int),
                _ => None,
            })
            .collect();
        let op = if let Some(mut texts) = texts {
            texts.sort();
            Op::InTexts(subject, texts.into())
        } else if let Some(mut ints) = ints {
            ints.sort_unstable();
            Op::InInts(subject, ints.into())
        } else {
            Op::In(
                subject,
                entries.into_iter().map(|entry| entry.node).collect(),
            )
        };
        let mut made = self.made(at, op, Type::Bool, false)?;
        made.yes.extend(slot);
        Some(made)
    }

    pub(crate) fn function(
        &mut self,
        name: &str,
        called: Range<usize>,
        mut parts: Vec<Typed>,
        at: Range<usize>,
    ) -> Option<Typed> {
        let function = BuiltIn::find(name)?;
        if !function.takes(parts.len()) {
            return None;
        }
        if function.call == Call::OrElse {
            let (default, value) = (parts.pop()?, parts.pop()?);
            let r#type = self.one_type(&value, &default, "`orElse`", &at)?;
            let nullable = value.nullable && default.nullable;
            let op = Op::OrElse(Box::new([value.node, default.node]));
            return self.made(at, op, r#type, nullable);
        }
        if let Call::Json(opened) = function.call {
            return self.json(name, opened, &function.forms[0].1, parts, at);
        }
        let mut present = true;
        for part in &parts {
            present &= self.present(part);
        }
        if parts.iter().any(|part| part.r#type == Type::Null) {
            return None;
        }
        let form = function.forms.iter().find(|(takes, _)| {
            takes.len() == parts.len() && takes.iter().zip(&parts).all(|(t, p)| *t == p.r#type)
        });
        let Some((_, gives)) = form else {
            let given: Vec<&str> = parts.iter().map(|part| part.r#type.word()).collect();
            let message = format!("`{name}` does not take {}", given.join(", "));
            let fault = Fault::new(&codes::TYPES, called, message);
            let fault = fault.remedy(format!("call it as {}", function.shown()));
            self.faults.push(match (name, &parts[0].r#type) {
                ("decimal", Type::Double) => {
                    fault.because("a double is rarely the decimal that it was written as")
                }
                ("date" | "time", Type::Timestamp) => {
                    fault.because("the day of a moment depends on a time zone")
                }
                ("timestamp", Type::LocalTimestamp) => fault.because(
                    "a local timestamp is a moment only with a time zone; a field of type timestamp has `zone` for that",
                ),
                _ => fault,
            });
            return None;
        };
        if !present {
            return None;
        }
        let op = match function.call {
            Call::To(to) => Op::Convert(to, Box::new(parts.pop()?.node)),
            Call::Matches => {
                let pattern = parts.pop()?;
                let compiled = self.pattern(&pattern)?;
                Op::Matches(Box::new(parts.pop()?.node), Box::new(compiled))
            }
            call => Op::Call(call, parts.into_iter().map(|part| part.node).collect()),
        };
        self.made(at, op, gives.clone(), false)
    }

    /// Opens JSON: null gives null, as a path does at which nothing stands.
    fn json(
        &mut self,
        name: &str,
        opened: Opened,
        gives: &Type,
        mut parts: Vec<Typed>,
        at: Range<usize>,
    ) -> Option<Typed> {
        let (path, document) = (parts.pop()?, parts.pop()?);
        if !matches!(document.r#type, Type::String | Type::Null) {
            let message = format!("`{name}` does not take {}", document.r#type);
            let fault = Fault::new(&codes::TYPES, document.at.clone(), message);
            let remedy = format!("write {name}(row.column, \"path.to.value\")");
            self.faults.push(fault.remedy(remedy));
            return None;
        }
        let read = match path.node.constant() {
            Some(Constant::Text(text)) => JsonPath::parse(text),
            _ => Err("it is not a literal"),
        };
        let steps = match read {
            Ok(steps) => Box::new(steps),
            Err(why) => {
                let message = format!("`{name}` cannot follow this path");
                let fault = Fault::new(&codes::ARGUMENTS, path.at.clone(), message).because(why);
                let remedy =
                    "write names with dots between, e.g. \"customer.id\" or \"lines[0].sku\"";
                self.faults.push(fault.remedy(remedy));
                return None;
            }
        };
        let op = Op::Json(opened, steps, Box::new(document.node));
        self.made(at, op, gives.clone(), true)
    }

    fn pattern(&mut self, pattern: &Typed) -> Option<regex::Regex> {
        let refused = |message: &str| Fault::new(&codes::PATTERN, pattern.at.clone(), message);
        let Some(Constant::Text(text)) = pattern.node.constant() else {
            let fault = refused("the pattern is not a literal");
            self.faults.push(fault);
            return None;
        };
        let built = RegexBuilder::new(text)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .nest_limit(32)
            .build();
        match built {
            Ok(regex) => Some(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.faults.push(refused("the pattern is too large"));
                None
            }
            Err(error) => {
                let said = error.to_string();
                let why = said.lines().last().unwrap_or_default();
                let why = why.trim_start_matches("error: ").to_owned();
                self.faults
                    .push(refused("the pattern cannot be read").because(why));
                None
            }
        }
    }
}
