//! Types before the columns' own are known: an expression that fits no types of its columns fits
//! none that the table may turn out to have.

use std::cmp::Reverse;

use onramp_finding::codes::expression as codes;

use crate::check::{Checker, Facts};
use crate::syntax::Tree;
use crate::{Column, Fault, Name, Scope, Type, Variables};

/// Every type that a column may have, the likelier ones first.
const TYPES: [Type; 11] = [
    Type::String,
    Type::Int,
    Type::Bool,
    Type::Decimal,
    Type::Date,
    Type::Timestamp,
    Type::LocalTimestamp,
    Type::Time,
    Type::Double,
    Type::Bytes,
    Type::Uuid,
];
/// So many columns are tried with every type each; of an expression over more of them only what
/// no column's type can mend is told.
const MAX_COLUMNS: u32 = 2;
/// So many where the first types that fit are looked for.
const MAX_FITTED: u32 = 3;

/// What is wrong with an expression over rows' columns, whatever types they have; `wanted`
/// are the types that its value may have.
pub(crate) fn faults(
    tree: &Tree<'_>,
    names: &[Name],
    variables: &Variables,
    wanted: &[Type],
) -> Vec<Fault> {
    let columns = columns(names, variables);
    let combinations = TYPES.len().pow((columns.len() as u32).min(MAX_COLUMNS));
    // The fewest faults win, a wrong result alone before a wrong part; then what no type can mend,
    // then the larger part, since all within it fits. Of equals the likelier types.
    let mut best: Option<(Rank, Vec<Fault>)> = None;
    for combination in 0..combinations {
        let types = (0..columns.len()).map(|at| of_combination(combination, at));
        let scope = scope(variables, columns.iter().copied().zip(types));
        let (rank, faults) = tried_under(tree, &scope, wanted);
        if faults.is_empty() {
            return faults;
        }
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, faults));
        }
    }
    let mut faults = best.map_or_else(Vec::new, |(_, faults)| faults);
    if columns.len() as u32 > MAX_COLUMNS {
        faults.retain(of_a_constant);
    }
    faults
}

/// Whether an expression may give null although no column of its rows does, under the first types that
/// fit; false where none do.
pub(crate) fn may_be_null(
    tree: &Tree<'_>,
    names: &[Name],
    variables: &Variables,
    wanted: &[Type],
) -> bool {
    let Some(types) = fitting(tree, names, variables, &|_| None, wanted) else {
        return false;
    };
    let types = types
        .iter()
        .map(|(name, r#type)| (name.as_str(), r#type.clone()));
    let scope = scope(variables, types);
    let typed = Checker::new(tree, &scope).check(&tree.root, &Facts::new());
    typed.is_some_and(|typed| typed.nullable)
}

/// The first types under which an expression gives one of the `wanted`, for those of its columns that
/// `known` tells nothing of; None where none fit.
pub(crate) fn fitting(
    tree: &Tree<'_>,
    names: &[Name],
    variables: &Variables,
    known: &(dyn Fn(&str) -> Option<Type> + Sync),
    wanted: &[Type],
) -> Option<Vec<(String, Type)>> {
    let columns = columns(names, variables);
    let unknown: Vec<&str> = columns
        .iter()
        .copied()
        .filter(|c| known(c).is_none())
        .collect();
    let tried = (unknown.len() as u32).min(MAX_FITTED);
    for combination in 0..TYPES.len().pow(tried) {
        // Beyond the last that is tried it is the likeliest.
        let types: Vec<Type> = (0..unknown.len())
            .map(|at| of_combination(combination, at))
            .collect();
        let type_of = |column: &str| {
            let at = unknown.iter().position(|u| *u == column);
            known(column)
                .or_else(|| types.get(at?).cloned())
                .unwrap_or(Type::String)
        };
        let scope = scope(variables, columns.iter().map(|c| (*c, type_of(c))));
        if tried_under(tree, &scope, wanted).1.is_empty() {
            let unknown = unknown.iter().map(|c| (*c).to_owned());
            return Some(unknown.zip(types).collect());
        }
    }
    None
}

/// The columns of rows that names speak of, each once.
fn columns<'n>(names: &'n [Name], variables: &Variables) -> Vec<&'n str> {
    let mut columns: Vec<&str> = Vec::new();
    let of_rows = |name: &&Name| variables.rows.contains(&name.variable.as_str());
    for name in names.iter().filter(of_rows) {
        match &name.member {
            Some(member) if !columns.contains(&member.as_str()) => columns.push(member),
            _ => {}
        }
    }
    columns
}

/// The type that a combination has for the column at a place.
fn of_combination(combination: usize, at: usize) -> Type {
    // Far places have the first of types, as a number has zeros before it.
    let step = TYPES.len().checked_pow(at as u32).unwrap_or(usize::MAX);
    TYPES[combination / step % TYPES.len()].clone()
}

/// These columns, none of which may be null: that refuses the least.
fn scope<'c>(
    variables: &Variables,
    columns: impl Iterator<Item = (&'c str, Type)> + Clone,
) -> Scope {
    let mut scope = variables.others.clone();
    let count = columns.clone().count();
    for (n, row) in variables.rows.iter().enumerate() {
        let of_row = columns.clone().enumerate();
        let of_row = of_row.map(|(slot, (name, r#type))| Column {
            name: name.to_owned(),
            r#type,
            nullable: false,
            slot: n * count + slot,
            constant: None,
        });
        scope = scope.columns(*row, of_row.collect());
    }
    scope
}

/// A constant without a value and a bad pattern are so under every type.
fn of_a_constant(fault: &Fault) -> bool {
    [codes::LITERAL.id, codes::PATTERN.id].contains(&fault.code.id)
}

/// How bad faults are: how many, whether a type could mend them all, how long the first is.
type Rank = (usize, bool, Reverse<usize>);

/// The faults under one combination of types, and how bad they are.
fn tried_under(tree: &Tree<'_>, scope: &Scope, wanted: &[Type]) -> (Rank, Vec<Fault>) {
    const NONE: Rank = (0, false, Reverse(0));
    let mut checker = Checker::new(tree, scope);
    let typed = checker.check(&tree.root, &Facts::new());
    let mut faults = checker.faults;
    faults.sort_by_key(|fault| (fault.at.start, fault.at.end));
    match typed {
        Some(typed) if faults.is_empty() => {
            if typed.r#type == Type::Null || wanted.contains(&typed.r#type) {
                return (NONE, faults);
            }
            let words: Vec<&str> = wanted.iter().map(Type::word).collect();
            let message = format!("the expression gives {}", typed.r#type);
            let fault = Fault::new(&codes::RESULT, 0..tree.text.len(), message);
            let reason = match &words[..] {
                [] => "no expression gives what stands here".to_owned(),
                words => format!("what stands here takes {}", words.join(" or ")),
            };
            ((1, false, Reverse(0)), vec![fault.because(reason)])
        }
        // Nothing said and nothing made: the survey has told it.
        _ if faults.is_empty() => (NONE, faults),
        _ => {
            let mendable = !faults.iter().any(of_a_constant);
            let rank = (1 + faults.len(), mendable, Reverse(faults[0].at.len()));
            (rank, faults)
        }
    }
}
