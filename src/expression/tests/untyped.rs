//! What is told before the columns' types are known: only what no types could mend.

mod shop;

use onramp_expression::{Type, Variables, check, compile};
use proptest::prelude::*;

/// The codes and the texts that the faults point at.
fn told(text: &str, wanted: Type) -> Vec<(&'static str, &str)> {
    match check(text, &Variables::entity(), &[wanted]) {
        Ok(_) => Vec::new(),
        Err(faults) => faults
            .into_iter()
            .map(|f| (f.code.id, &text[f.at]))
            .collect(),
    }
}

#[test]
fn what_fits_no_types_is_told_at_its_place() {
    for (text, wanted, code, at) in [
        ("1 + 'a'", Type::String, "ONR-206", "1 + 'a'"),
        (
            "row.a.size() + 'x'",
            Type::String,
            "ONR-206",
            "row.a.size() + 'x'",
        ),
        ("row.a.matches('(')", Type::Bool, "ONR-210", "'('"),
        (
            "date('2026-02-30')",
            Type::Date,
            "ONR-209",
            "date('2026-02-30')",
        ),
        ("row.a.trim()", Type::Int, "ONR-211", "row.a.trim()"),
        ("row.a + 1", Type::Bool, "ONR-211", "row.a + 1"),
        (
            "row.a && row.a == 'Y'",
            Type::Bool,
            "ONR-206",
            "row.a == 'Y'",
        ),
        (
            "row.a == 1 && row.b == 'x' && row.b > 2",
            Type::Bool,
            "ONR-206",
            "row.b == 'x'",
        ),
        ("row", Type::String, "ONR-203", "row"),
        // More columns than are tried: a constant is what it is.
        (
            "row.a + row.b + row.c + string(1 / 0)",
            Type::String,
            "ONR-209",
            "1 / 0",
        ),
    ] {
        assert_eq!(told(text, wanted), [(code, at)], "{text}");
    }
}

#[test]
fn what_some_types_fit_is_not() {
    for (text, wanted) in [
        ("row.a", Type::Uuid),
        ("row.a", Type::Bool),
        ("null", Type::Date),
        ("row.a + row.b", Type::Decimal),
        ("row.a == null ? row.b : row.a", Type::Time),
        ("has(row.a) && row.b / 2 > 1", Type::Bool),
        ("orElse(row.a, 0.5)", Type::Double),
        ("row.a + row.b + row.c == 3 && row.d", Type::Bool),
    ] {
        assert_eq!(told(text, wanted), [], "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// What is refused without the table is refused with it.
    #[test]
    fn nothing_that_compiles_is_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "row.ord_no", "row.tot_amt", "row.cust_nm", "row.paid", "row.qty", "row.ord_day", "1", "'a'", "null",
        "decimal('1')", " + ", " == ", " && ", " < ", " ? ", " : ", "!", "(", ")", "has(", "size(", "string(",
        ".trim()", " in [1]", "orElse(", ", ",
    ]), 1..9)) {
        let text = pieces.concat();
        if let Ok(compiled) = compile(&text, &shop::scope()) {
            prop_assert!(check(&text, &Variables::entity(), &[compiled.result().0.clone()]).is_ok(), "{text}");
        }
    }
}
