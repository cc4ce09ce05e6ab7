//! Faults in `where` and `expr`.

use crate::Code;

/// The text is not an expression.
pub static SYNTAX: Code = Code {
    id: "ONR-201",
    title: "expression cannot be read",
    reason: "The text is not an expression in CEL's syntax, so nothing can be said of what it means.",
    example: "where: row.del_flg <> \"Y\"",
    remedy: "Mend the text where the finding points. Strings stand in quotes, equality is ==, and, or and not are &&, || and !.",
};

/// Too long or too deep.
pub static TOO_LARGE: Code = Code {
    id: "ONR-202",
    title: "expression too large",
    reason: "Length, nesting and number of parts of an expression are bounded, so that reading a file takes bounded time and memory.",
    example: "where: row.a == 1 || row.a == 2 || row.a == 3 # and so on for 4 KiB; better: row.a in [1, 2, 3]",
    remedy: "Split it into several fields, or move the rule into the source as a generated column.",
};

/// A variable or column that is not there.
pub static UNKNOWN_NAME: Code = Code {
    id: "ONR-203",
    title: "unknown name",
    reason: "An expression speaks of the columns of its table, through the variables that its kind of product has: row in an entity.",
    example: "expr: row.ord_nr",
    remedy: "Write a column that the table has, as row.column. A name that is not a plain word stands in backticks: row.`order no`.",
};

/// A function that is not there.
pub static UNKNOWN_FUNCTION: Code = Code {
    id: "ONR-204",
    title: "unknown function",
    reason: "The functions of expressions are a fixed list.",
    example: "expr: row.name.toLower()",
    remedy: "Use a function of docs/expressions.md.",
};

/// Something of CEL's that is not carried.
pub static NOT_CARRIED: Code = Code {
    id: "ONR-205",
    title: "part of CEL that is not carried",
    reason: "Expressions have no loops over data, no maps, no messages and no unsigned numbers: their cost and result stay bounded.",
    example: "where: row.tags.exists(t, t == \"x\")",
    remedy: "Write it with the operators and functions of docs/expressions.md.",
};

/// Types that do not go together.
pub static TYPES: Code = Code {
    id: "ONR-206",
    title: "types do not go together",
    reason: "Nothing is converted between int, decimal and double, or to string, without being asked: a silent conversion can lose digits.",
    example: "where: row.tot_amt > 10",
    remedy: "Convert one side with string(), int(), double(), decimal(), bool(), bytes(), date(), timestamp() or uuid().",
};

/// A null that nothing deals with.
pub static NULLABLE: Code = Code {
    id: "ONR-207",
    title: "value may be null",
    reason: "Only == and != take null as a value; everything else has no answer for it, and none is guessed.",
    example: "where: row.qty > 0",
    remedy: "Deal with null first: has(row.qty) && row.qty > 0, or orElse(row.qty, 0) > 0.",
};

/// Arguments that a function does not take.
pub static ARGUMENTS: Code = Code {
    id: "ONR-208",
    title: "arguments do not fit the function",
    reason: "Each function takes a fixed number of arguments.",
    example: "expr: row.name.substring()",
    remedy: "Call it as docs/expressions.md shows it.",
};

/// A literal that cannot be what it is asked to be.
pub static LITERAL: Code = Code {
    id: "ONR-209",
    title: "constant part has no value",
    reason: "This part of the expression has the same value for every row, and that value cannot be computed.",
    example: "where: row.ord_dt > date(\"2026-02-30\")",
    remedy: "Mend the constant.",
};

/// A pattern that cannot be compiled.
pub static PATTERN: Code = Code {
    id: "ONR-210",
    title: "pattern cannot be used",
    reason: "A pattern is compiled once, when the file is read, and matched in time linear to the text: it is a literal, without look-around and back references, and bounded in size.",
    example: "where: row.code.matches(\"(?=A)\")",
    remedy: "Write a pattern in the syntax of the crate regex.",
};

/// A result that does not fit its place.
pub static RESULT: Code = Code {
    id: "ONR-211",
    title: "result does not fit",
    reason: "A filter is true or false, never null; a field's expression has the field's type.",
    example: "where: row.del_flg",
    remedy: "Write an expression of the type that is asked for.",
};

/// A row that an expression has no value for.
pub static EVALUATION: Code = Code {
    id: "ONR-212",
    title: "expression has no value for a row",
    reason: "The expression met a row that it cannot be computed for: a number overflows, a conversion does not read the text, or the log lacks a column's value. Nothing is guessed in its place.",
    example: "share: { type: long, expr: row.part / row.whole } # a row holds 0 in whole",
    remedy: "Make the expression deal with such rows, e.g. by a condition (cond ? a : b), or mend the row in the source.",
};

/// All of them, in order.
pub const ALL: &[&Code] = &[
    &SYNTAX,
    &TOO_LARGE,
    &UNKNOWN_NAME,
    &UNKNOWN_FUNCTION,
    &NOT_CARRIED,
    &TYPES,
    &NULLABLE,
    &ARGUMENTS,
    &LITERAL,
    &PATTERN,
    &RESULT,
    &EVALUATION,
];
