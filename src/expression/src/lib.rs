//! `where` and `expr`: CEL's syntax, typed when read, evaluated on column slots.
//!
//! Text and a [`Scope`] come in; an [`Expression`] goes out, or every [`Fault`] with its place.
//! [`parse`] checks what can be checked without the columns' types, [`check`] whether there are types
//! that it fits, [`compile`] the rest.
//! Evaluating looks nothing up by name, and allocates nothing but what a [`Scratch`] keeps. No
//! clock, no randomness and no loop over data ever come in: a replay gives the same event.

mod builtin;
mod calendar;
mod check;
mod decimal;
mod evaluate;
mod fault;
mod json;
mod node;
mod operations;
mod operator;
mod scope;
mod scratch;
mod survey;
mod syntax;
mod text;
mod untyped;
mod variables;

use std::collections::BTreeSet;

use onramp_connector::{Undecodable, Value};
use onramp_finding::codes::expression::{RESULT, SYNTAX, TOO_LARGE};

use builtin::To;
use check::{Checker, Facts};
use evaluate::Run;
use node::{Node, Op};
use survey::Survey;

pub use fault::{Cause, EvalError, Fault};
pub use json::{
    Elements as JsonElements, JsonFault, JsonNotes, JsonPath, JsonPaths, Note as JsonNote,
    NotedElements, Opened, members as json_members, room as json_room, value as json_value,
};
pub use operations::{Operations, operations};
pub use scope::{Column, Holds, Scope, Type};
pub use scratch::Scratch;
pub use syntax::MAX_EXPRESSION_BYTES;
pub use variables::{CHANGE_SLOTS, Variables, change, table, transaction};

/// The longest string that an expression may make.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// Where an expression's values come from.
pub trait Row<'a> {
    /// The value of a slot.
    fn value(&self, slot: usize) -> Result<Value<'a>, Undecodable>;
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: Node,
    r#type: Type,
    nullable: bool,
    slots: Vec<usize>,
    one_to_one: Option<usize>,
}

/// A name that an expression uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The variable, e.g. `row`.
    pub variable: String,
    /// What is asked of it, e.g. `ord_no` in `row.ord_no`.
    pub member: Option<String>,
    /// Where: bytes of the expression's text.
    pub at: std::ops::Range<usize>,
}

/// The names of all functions.
pub fn functions() -> impl Iterator<Item = &'static str> {
    // `has` is syntax, and to whoever writes it a function.
    ["has"]
        .into_iter()
        .chain(builtin::ALL.iter().map(|function| function.name))
}

/// The names that an expression uses, in the order of its text, checked as far as that goes
/// without the columns' types: syntax, functions, what is not carried.
pub fn parse(text: &str) -> Result<Vec<Name>, Vec<Fault>> {
    syntax::guarded(text, || {
        let tree = syntax::read(text)?;
        let survey = Survey::of(&tree);
        if survey.faults.is_empty() {
            Ok(survey.names)
        } else {
            Err(survey.faults)
        }
    })
}

/// The names that an expression uses, as [`parse`] has them, checked as far as that goes while it is
/// not known which columns there are: whether the rows' columns can have types under which it
/// gives one of the `wanted`. What is refused here is refused for every table.
pub fn check(text: &str, variables: &Variables, wanted: &[Type]) -> Result<Vec<Name>, Vec<Fault>> {
    syntax::guarded(text, || {
        let tree = syntax::read(text)?;
        let survey = Survey::of(&tree);
        if !survey.faults.is_empty() {
            return Err(survey.faults);
        }
        // A name that is not known is told by whoever knows the names.
        if survey
            .names
            .iter()
            .any(|name| !variables.has(&name.variable))
        {
            return Ok(survey.names);
        }
        match untyped::faults(&tree, &survey.names, variables, wanted) {
            faults if faults.is_empty() => Ok(survey.names),
            faults => Err(faults),
        }
    })
}

/// The first types, of the likelier ones first, under which an expression gives one of the `wanted`:
/// for those of the rows' columns that `known` tells nothing of. None where none fit.
pub fn fitting_types(
    text: &str,
    variables: &Variables,
    known: &(dyn Fn(&str) -> Option<Type> + Sync),
    wanted: &[Type],
) -> Option<Vec<(String, Type)>> {
    let fitting = syntax::guarded(text, || {
        let tree = syntax::read(text)?;
        let survey = Survey::of(&tree);
        if !survey.faults.is_empty() {
            return Err(survey.faults);
        }
        Ok(untyped::fitting(
            &tree,
            &survey.names,
            variables,
            known,
            wanted,
        ))
    });
    fitting.ok().flatten()
}

/// Whether an expression may give null although no column of its rows does; false where [`check`] has
/// something to say.
pub fn may_be_null(text: &str, variables: &Variables, wanted: &[Type]) -> bool {
    let read = syntax::guarded(text, || {
        let tree = syntax::read(text)?;
        let survey = Survey::of(&tree);
        Ok(survey.faults.is_empty()
            && untyped::may_be_null(&tree, &survey.names, variables, wanted))
    });
    read.unwrap_or(false)
}

/// Compiles an expression for the columns of a scope, or says every fault in the order of the text.
pub fn compile(text: &str, scope: &Scope) -> Result<Expression, Vec<Fault>> {
    syntax::guarded(text, || {
        let tree = syntax::read(text)?;
        let mut faults = Survey::of(&tree).faults;
        if faults.iter().any(|f| f.code.id == TOO_LARGE.id) {
            return Err(faults);
        }
        let mut checker = Checker::new(&tree, scope);
        let typed = checker.check(&tree.root, &Facts::new());
        faults.append(&mut checker.faults);
        faults.sort_by_key(|fault| (fault.at.start, fault.at.end));
        match typed {
            Some(typed) if faults.is_empty() => {
                let mut slots = BTreeSet::new();
                collect_slots(&typed.node, &mut slots);
                Ok(Expression {
                    one_to_one: one_to_one(&typed.node, scope),
                    root: typed.node,
                    r#type: typed.r#type,
                    nullable: typed.nullable,
                    slots: slots.into_iter().collect(),
                })
            }
            _ => {
                if faults.is_empty() {
                    let message = "the expression cannot be compiled";
                    faults.push(Fault::new(&SYNTAX, 0..text.len(), message));
                }
                Err(faults)
            }
        }
    })
}

/// Compiles a filter: an expression that is true or false for every row, never null.
pub fn compile_filter(text: &str, scope: &Scope) -> Result<Expression, Vec<Fault>> {
    let filter = compile(text, scope)?;
    if filter.r#type != Type::Bool {
        let message = format!("a filter is bool, and this is {}", filter.r#type);
        let fault = Fault::new(&RESULT, 0..text.len(), message);
        return Err(vec![
            fault.remedy("compare it with something, e.g. == \"Y\""),
        ]);
    }
    if filter.nullable {
        let fault = Fault::new(&RESULT, 0..text.len(), "the filter may be null");
        return Err(vec![
            fault.remedy("say what null means: orElse(…, false), or … == true"),
        ]);
    }
    Ok(filter)
}

/// The slot that an operation maps one to one.
fn one_to_one(node: &Node, scope: &Scope) -> Option<usize> {
    match &node.op {
        Op::Slot(slot) => Some(*slot),
        Op::Convert(to, from) => {
            let slot = one_to_one(from, scope)?;
            let direct = matches!(from.op, Op::Slot(_));
            // Equal decimals have several texts (1.5, 1.50), unequal doubles are not told apart by
            // every database's index; every other type has one text a value.
            let told_apart = match scope.type_of(slot)? {
                Type::Decimal | Type::Double | Type::Bytes | Type::Null => false,
                Type::String => direct && matches!(to, To::String | To::Bytes),
                _ => direct && matches!(to, To::String),
            };
            told_apart.then_some(slot)
        }
        // One varying part between constants; of two it would not be clear where one ends.
        Op::Concat(parts) => {
            let mut varying = parts.iter().filter(|part| part.constant().is_none());
            let only = varying.next().filter(|_| varying.next().is_none())?;
            one_to_one(only, scope)
        }
        _ => None,
    }
}

fn collect_slots(node: &Node, slots: &mut BTreeSet<usize>) {
    if let Op::Slot(slot) | Op::Has(slot) = node.op {
        slots.insert(slot);
    }
    for part in node.parts() {
        collect_slots(part, slots);
    }
}

impl Expression {
    /// The type of its value, and whether it may be null.
    pub fn result(&self) -> (&Type, bool) {
        (&self.r#type, self.nullable)
    }

    /// The slots that it reads, ascending, each once.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// The slot whose values it maps one to one, if it is known to: `row.id`,
    /// `"C-" + string(row.id)`.
    pub fn one_to_one(&self) -> Option<usize> {
        self.one_to_one
    }

    /// Its value for a row.
    pub fn evaluate<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
    ) -> Result<Value<'a>, EvalError> {
        self.root.value(&Run { row, scratch })
    }

    /// Whether it is true for a row; its type is bool, not nullable.
    pub fn holds<'a, R: Row<'a>>(
        &'a self,
        row: &R,
        scratch: &'a Scratch,
    ) -> Result<bool, EvalError> {
        self.root.truth(&Run { row, scratch })
    }
}
