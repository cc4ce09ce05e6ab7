//! Types before the columns' own are known: an expression that fits no types of its columns fits
//! none that the table may turn out to have.

use std::cmp::Reverse;

use onramp_finding::codes::expression as codes;

use crate::check::{Checker, Facts};
use crate::syntax::Tree;
use crate::{Column, Fault, Name, Scope, Type};

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

/// What is wrong with an expression over `variable`'s columns, whatever types they have; `wanted`
/// are the types that its value may have.
pub(crate) fn faults(
    tree: &Tree<'_>,
    names: &[Name],
    variable: &str,
    wanted: &[Type],
) -> Vec<Fault> {
    let mut columns: Vec<&str> = Vec::new();
    for name in names {
        match &name.member {
            Some(member) if !columns.contains(&member.as_str()) => columns.push(member),
            _ => {}
        }
    }
    let combinations = TYPES.len().pow((columns.len() as u32).min(MAX_COLUMNS));
    // The fewest faults win, a wrong result alone before a wrong part; then what no type can mend,
    // then the larger part, since all within it fits. Of equals the likelier types.
    let mut best: Option<(Rank, Vec<Fault>)> = None;
    for combination in 0..combinations {
        // No column may be null: that refuses the least.
        let mut rest = combination;
        let typed = columns.iter().enumerate().map(|(slot, name)| {
            let r#type = TYPES[rest % TYPES.len()].clone();
            rest /= TYPES.len();
            Column {
                name: (*name).to_owned(),
                r#type,
                nullable: false,
                slot,
            }
        });
        let scope = Scope::new().columns(variable, typed.collect());
        let (rank, faults) = tried(tree, &scope, wanted);
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

/// A constant without a value and a bad pattern are so under every type.
fn of_a_constant(fault: &Fault) -> bool {
    [codes::LITERAL.id, codes::PATTERN.id].contains(&fault.code.id)
}

/// How bad faults are: how many, whether a type could mend them all, how long the first is.
type Rank = (usize, bool, Reverse<usize>);

/// The faults under one combination of types, and how bad they are.
fn tried(tree: &Tree<'_>, scope: &Scope, wanted: &[Type]) -> (Rank, Vec<Fault>) {
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
