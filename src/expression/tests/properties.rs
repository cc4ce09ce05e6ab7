//! No text panics; numbers are what a naive reference says; compiled is what CEL's words mean.

mod shop;

use onramp_connector::{Decimal, Undecodable, Value};
use onramp_expression::{Cause, Column, MAX_TEXT_BYTES, Row, Scope, Scratch, Type, compile, parse};
use proptest::prelude::*;

struct Pair(Value<'static>, Value<'static>);

impl<'a> Row<'a> for Pair {
    fn value(&self, slot: usize) -> Result<Value<'a>, Undecodable> {
        Ok(if slot == 0 { self.0 } else { self.1 })
    }
}

fn pair(r#type: Type, nullable: bool) -> Scope {
    let column = |name: &str, slot| Column {
        name: name.into(),
        r#type: r#type.clone(),
        nullable,
        slot,
        constant: None,
    };
    Scope::new().columns("row", vec![column("a", 0), column("b", 1)])
}

/// Pieces that expressions are made of, put together without sense.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "row",
        ".",
        "row.ord_no",
        "row.note",
        "row.`order no`",
        "has(",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "1",
        "-1",
        "1.5",
        "1u",
        "0x",
        "'a'",
        "\"",
        "'",
        "b'",
        "r'",
        "'''",
        "\\",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "?",
        ":",
        "+",
        "-",
        "*",
        "/",
        "%",
        " in ",
        "null",
        "true",
        "size(",
        ".matches(",
        ".substring(",
        "date(",
        "é",
        "💖",
        "\u{0}",
        "\n",
        "//",
        "`",
        ".map(x,",
        "@",
        "#",
        ".exists(",
        "decimal('1')",
        "orElse(",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_text_panics(text in prop_oneof![pieces(), any::<String>()]) {
        let scope = shop::scope();
        for faults in [parse(&text).err(), compile(&text, &scope).err()].into_iter().flatten() {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(text.get(fault.at.clone()).is_some(), "{:?}", fault.at);
            }
        }
        if let Ok(compiled) = compile(&text, &scope) {
            let _ = compiled.evaluate(&shop::Order::example(), &Scratch::new());
        }
    }

    #[test]
    fn ints_are_exact_or_overflow(
        a in prop_oneof![any::<i64>(), -9i64..9],
        b in prop_oneof![any::<i64>(), -9i64..9],
    ) {
        let (scope, scratch, row) = (pair(Type::Int, false), Scratch::new(), Pair(Value::Int(a), Value::Int(b)));
        for (op, expected) in [
            ("+", Some(i128::from(a) + i128::from(b))),
            ("-", Some(i128::from(a) - i128::from(b))),
            ("*", Some(i128::from(a) * i128::from(b))),
            ("/", i128::from(a).checked_div(i128::from(b))),
            ("%", i128::from(a).checked_rem(i128::from(b))),
        ] {
            let compiled = compile(&format!("row.a {op} row.b"), &scope).unwrap();
            let found = compiled.evaluate(&row, &scratch);
            match expected.and_then(|v| i64::try_from(v).ok()) {
                // i64::MIN % -1 has no quotient to take a remainder of.
                Some(_) if op == "%" && b == -1 && a == i64::MIN => prop_assert!(found.is_err()),
                Some(v) => prop_assert_eq!(found, Ok(Value::Int(v))),
                None => {
                    let cause = if expected.is_none() { Cause::DivisionByZero } else { Cause::Overflow };
                    prop_assert_eq!(found.unwrap_err().cause, cause);
                }
            }
        }
        for (op, expected) in [("<", a < b), ("<=", a <= b), (">", a > b), (">=", a >= b), ("==", a == b), ("!=", a != b)] {
            let compiled = compile(&format!("row.a {op} row.b"), &scope).unwrap();
            prop_assert_eq!(compiled.holds(&row, &scratch), Ok(expected));
        }
    }

    #[test]
    fn decimals_are_exact(
        a in -(10i128.pow(15))..10i128.pow(15), s in 0u8..8,
        b in -(10i128.pow(15))..10i128.pow(15), t in 0u8..8,
    ) {
        let decimal = |mantissa, scale| Value::Decimal(Decimal { mantissa, scale });
        let (scope, scratch, row) = (pair(Type::Decimal, false), Scratch::new(), Pair(decimal(a, s), decimal(b, t)));
        // Everything as a whole number of 10^-14ths, or of 10^-28ths for products.
        let (x, y) = (a * 10i128.pow(14 - u32::from(s)), b * 10i128.pow(14 - u32::from(t)));
        let units = |value: Result<Value<'_>, _>, scale: u32| match value {
            Ok(Value::Decimal(d)) => d.mantissa * 10i128.pow(scale - u32::from(d.scale)),
            other => panic!("{other:?}"),
        };
        let value = |text: &str| compile(text, &scope).unwrap();
        let (sum, less, product) = (value("row.a + row.b"), value("row.a - row.b"), value("row.a * row.b"));
        prop_assert_eq!(units(sum.evaluate(&row, &scratch), 14), x + y);
        prop_assert_eq!(units(less.evaluate(&row, &scratch), 14), x - y);
        prop_assert_eq!(units(product.evaluate(&row, &scratch), u32::from(s + t)), a * b);
        for (op, expected) in [("<", x < y), ("<=", x <= y), (">", x > y), ("==", x == y), ("!=", x != y)] {
            prop_assert_eq!(value(&format!("row.a {op} row.b")).holds(&row, &scratch), Ok(expected));
        }
        // Text and back again is the same value, digit for digit.
        let text = value("decimal(string(row.a))");
        prop_assert_eq!(text.evaluate(&row, &scratch), Ok(decimal(a, s)));
    }

    #[test]
    fn wide_decimals_never_panic(a in any::<i128>(), s in any::<u8>(), b in any::<i128>(), t in any::<u8>()) {
        let decimal = |mantissa, scale| Value::Decimal(Decimal { mantissa, scale });
        let (scope, scratch, row) = (pair(Type::Decimal, false), Scratch::new(), Pair(decimal(a, s), decimal(b, t)));
        for text in ["row.a + row.b", "row.a - row.b", "row.a * row.b", "-row.a", "row.a < row.b", "row.a == row.b", "string(row.a)", "int(row.a)", "double(row.a)"] {
            let _ = compile(text, &scope).unwrap().evaluate(&row, &scratch);
        }
        let both = compile("row.a < row.b || row.a == row.b || row.a > row.b", &scope).unwrap();
        prop_assert_eq!(both.holds(&row, &scratch), Ok(true));
    }

    #[test]
    fn times_come_back(us in -60_000_000_000_000_000i64..250_000_000_000_000_000, day in -700_000i32..2_900_000) {
        let (scratch, row) = (Scratch::new(), Pair(Value::Timestamp(us), Value::Timestamp(0)));
        let stamp = compile("timestamp(string(row.a)) == row.a", &pair(Type::Timestamp, false)).unwrap();
        prop_assert_eq!(stamp.holds(&row, &scratch), Ok(true));
        let row = Pair(Value::Date(day), Value::Date(0));
        let date = compile("date(string(row.a)) == row.a", &pair(Type::Date, false)).unwrap();
        prop_assert_eq!(date.holds(&row, &scratch), Ok(true));
    }

    #[test]
    fn null_is_a_value_to_equality(a in prop::option::of(0i64..3), b in prop::option::of(0i64..3)) {
        let value = |v: Option<i64>| v.map_or(Value::Null, Value::Int);
        let (scope, scratch, row) = (pair(Type::Int, true), Scratch::new(), Pair(value(a), value(b)));
        for (text, expected) in [
            ("row.a == row.b", a == b),
            ("row.a != row.b", a != b),
            ("row.a == 1", a == Some(1)),
            ("has(row.a)", a.is_some()),
            ("row.a == null", a.is_none()),
            ("has(row.a) && has(row.b) && row.a < row.b", a.zip(b).is_some_and(|(a, b)| a < b)),
            ("row.a == null || row.b == null || row.a < row.b", a.zip(b).is_none_or(|(a, b)| a < b)),
            ("!(row.a == null || row.b == null) && row.a < row.b", a.zip(b).is_some_and(|(a, b)| a < b)),
            ("row.a == 1 ? row.a < 2 : orElse(row.b, 7) > 6", if a == Some(1) { true } else { b.is_none() }),
        ] {
            let compiled = compile(text, &scope).unwrap_or_else(|f| panic!("{text} {f:?}"));
            prop_assert_eq!(compiled.holds(&row, &scratch), Ok(expected), "{}", text);
        }
    }
}

#[test]
fn strings_are_bounded() {
    let scope = pair(Type::String, false);
    let long: &'static str = "a".repeat(MAX_TEXT_BYTES).leak();
    let row = Pair(Value::Text(long), Value::Text("a"));
    let scratch = Scratch::new();
    for text in ["row.a + row.b", "row.a.replace('a', 'bb')"] {
        let compiled = compile(text, &scope).unwrap();
        let error = compiled.evaluate(&row, &scratch).unwrap_err();
        assert_eq!(error.cause, Cause::TooLong, "{text}");
    }
    let fits = compile("row.a.replace('a', 'b')", &scope).unwrap();
    assert!(fits.evaluate(&row, &scratch).is_ok());
}

#[test]
fn a_failure_says_where_and_never_what() {
    let scope = pair(Type::String, false);
    let row = Pair(Value::Text("4111-secret"), Value::Text("a"));
    for (text, cause, at) in [
        ("row.b == 'a' && int(row.a) > 1", Cause::Conversion, 16),
        ("row.a.substring(2, 99) == ''", Cause::OutOfRange, 0),
        ("date(row.a) == date('2026-01-01')", Cause::Conversion, 0),
    ] {
        let compiled = compile(text, &scope).unwrap();
        let error = compiled.holds(&row, &Scratch::new()).unwrap_err();
        assert_eq!((error.cause, error.at), (cause, at), "{text}");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

#[test]
fn keys_know_what_is_one_to_one() {
    for (text, expected) in [
        ("row.ord_no", Some(0)),
        ("'C-' + string(row.ord_no)", Some(0)),
        ("'C-' + row.cust_nm + '-x'", Some(4)),
        ("string(row.ref_id)", Some(15)),
        ("string(row.ord_no) + row.cust_nm", None),
        ("row.cust_nm.trim()", None),
        ("int(row.cust_nm)", None),
        ("string(row.tot_amt)", None),
        ("row.ord_no % 2", None),
    ] {
        let compiled = compile(text, &shop::scope()).unwrap();
        assert_eq!(compiled.one_to_one(), expected, "{text}");
    }
}
