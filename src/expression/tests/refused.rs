//! What is refused: code, place, and words.

mod shop;

use onramp_expression::{compile, compile_filter, parse};

/// The expression, the code, the text that the fault points at, and a part of message or remedy.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("", "ONR-201", "", "empty"),
    ("row.ord_no =", "ONR-201", "=", "=="),
    ("row.ord_stat <> 'Y'", "ONR-201", "<>", "!="),
    ("row.paid and row.paid", "ONR-201", "and", "&&"),
    (
        "row.ord_no ==",
        "ONR-201",
        "=",
        "ends where more is expected",
    ),
    ("row.paid ? 1", "ONR-201", "1", "both branches"),
    ("row.ord_stat == 'Y", "ONR-201", "'Y", "cannot be read"),
    ("'é' + row.ord_stat ≠ 1", "ONR-201", "≠", "not expected"),
    (
        "99999999999999999999 > 1",
        "ONR-201",
        "99999999999999999999",
        "range",
    ),
    (
        "row.ord_nr == 1",
        "ONR-203",
        "row.ord_nr",
        "did you mean `row.ord_no`?",
    ),
    ("'é' + row.nam", "ONR-203", "row.nam", "the columns are"),
    (
        "ord_no == 1",
        "ONR-203",
        "ord_no",
        "did you mean `row.ord_no`?",
    ),
    ("rwo.ord_no == 1", "ONR-203", "rwo", "did you mean `row`?"),
    ("row == 1", "ONR-203", "row", "row.column"),
    (
        "row.cust_nm.toLower() == 'a'",
        "ONR-204",
        "toLower",
        "lowerAscii",
    ),
    ("coalesce(row.note, '')", "ONR-204", "coalesce", "orElse"),
    (
        "row.cust_nm.startWith('a')",
        "ONR-204",
        "startWith",
        "startsWith",
    ),
    (
        "row.cust_nm.exists(c, c == 'x')",
        "ONR-205",
        "exists",
        "no loops",
    ),
    ("row.cust_nm.map(c, c)", "ONR-205", "map", "no loops"),
    ("row.ord_no == 1u", "ONR-205", "1u", "unsigned"),
    ("{'a': 1}", "ONR-205", "{", "maps"),
    ("row.ord_no in []", "ONR-205", "[]", "empty list"),
    (
        "row['ord_no'] == 1",
        "ONR-205",
        "row['ord_no']",
        "row.column",
    ),
    ("'a' in row.cust_nm", "ONR-205", "row.cust_nm", "contains"),
    (
        "row.ord_no == 'x'",
        "ONR-206",
        "row.ord_no == 'x'",
        "string(row.ord_no)",
    ),
    (
        "row.tot_amt > 1.50",
        "ONR-206",
        "row.tot_amt > 1.50",
        "decimal(\"1.50\")",
    ),
    (
        "row.tot_amt > 1",
        "ONR-206",
        "row.tot_amt > 1",
        "decimal(1)",
    ),
    (
        "row.rate > row.ord_no",
        "ONR-206",
        "row.rate > row.ord_no",
        "double(row.ord_no)",
    ),
    ("row.tot_amt / row.tot_amt", "ONR-206", "/", "exact digits"),
    (
        "'A-' + row.ord_no",
        "ONR-206",
        "'A-' + row.ord_no",
        "string(row.ord_no)",
    ),
    (
        "row.ord_stat && row.paid",
        "ONR-206",
        "row.ord_stat",
        "bool is needed",
    ),
    (
        "row.paid ? 1 : 'a'",
        "ONR-206",
        "row.paid ? 1 : 'a'",
        "int and string",
    ),
    ("decimal(row.rate)", "ONR-206", "decimal", "rarely"),
    ("date(row.crt_ts)", "ONR-206", "date", "time zone"),
    (
        "row.ord_day > '2026-01-01'",
        "ONR-206",
        "row.ord_day > '2026-01-01'",
        "date('2026-01-01')",
    ),
    ("row.ref_id < row.ref_id", "ONR-206", "<", "uuid"),
    ("row.qty > 0", "ONR-207", "row.qty", "has(row.qty)"),
    (
        "row.qty > 0 && has(row.qty)",
        "ONR-207",
        "row.qty",
        "may be null",
    ),
    (
        "has(row.qty) || row.qty > 0",
        "ONR-207",
        "row.qty",
        "may be null",
    ),
    (
        "row.gift && row.paid",
        "ONR-207",
        "row.gift",
        "orElse(row.gift, false)",
    ),
    (
        "row.note.size() > 0",
        "ONR-207",
        "row.note",
        "orElse(row.note, \"\")",
    ),
    ("row.note in ['a']", "ONR-207", "row.note", "may be null"),
    (
        "row.ord_stat in ['a', null]",
        "ONR-207",
        "null",
        "== and !=",
    ),
    (
        "(has(row.qty) ? row.qty : null) + 1",
        "ONR-207",
        "has(row.qty) ? row.qty : null",
        "orElse",
    ),
    (
        "row.ord_stat != row.note && row.note.size() > 1",
        "ONR-207",
        "row.note",
        "may be null",
    ),
    (
        "row.cust_nm.replace('a')",
        "ONR-208",
        "replace",
        "string.replace(string, string)",
    ),
    ("trim(row.cust_nm)", "ONR-208", "trim", "string.trim()"),
    ("has(1)", "ONR-208", "1", "takes one column"),
    (
        "row.ord_day > date('2026-02-30')",
        "ONR-209",
        "date('2026-02-30')",
        "no value",
    ),
    ("row.ord_no > 1 / 0", "ONR-209", "1 / 0", "no value"),
    (
        "row.ord_no > 9223372036854775807 + 1",
        "ONR-209",
        "9223372036854775807 + 1",
        "no value",
    ),
    (
        "row.cust_nm.matches('(')",
        "ONR-210",
        "'('",
        "cannot be read",
    ),
    (
        "row.cust_nm.matches('(?=a)')",
        "ONR-210",
        "'(?=a)'",
        "cannot be read",
    ),
    (
        "row.cust_nm.matches(row.ord_stat)",
        "ONR-210",
        "row.ord_stat",
        "not a literal",
    ),
    (
        "row.cust_nm.matches('.{5000}{5000}')",
        "ONR-210",
        "'.{5000}{5000}'",
        "large",
    ),
];

#[test]
fn each_fault_has_its_code_its_place_and_its_remedy() {
    let mut wrong = Vec::new();
    for (text, code, place, words) in REFUSED {
        match compile(text, &shop::scope()) {
            Ok(compiled) => wrong.push(format!("{text}: accepted as {:?}", compiled.result())),
            Err(faults) => {
                let fault = &faults[0];
                let said = format!("{} {:?} {:?}", fault.message, fault.reason, fault.remedy);
                let said = said.replace("\\\"", "\"");
                let at = &text[fault.at.clone()];
                if fault.code.id != *code || at != *place || !said.contains(words) {
                    wrong.push(format!("{text}: {} at `{at}`: {said}", fault.code.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "row.ord_nr == 1 && row.qty > 0 && row.cust_nm.lower() == row.tot_amt";
    let faults = compile(text, &shop::scope()).unwrap_err();
    let codes: Vec<&str> = faults.iter().map(|fault| fault.code.id).collect();
    assert_eq!(codes, ["ONR-203", "ONR-207", "ONR-204"]);
}

#[test]
fn a_filter_is_bool_and_not_null() {
    let scope = shop::scope();
    for text in ["row.ord_no", "row.gift", "null"] {
        let faults = compile_filter(text, &scope).unwrap_err();
        assert_eq!(faults[0].code.id, "ONR-211", "{text}");
    }
    assert!(compile_filter("row.gift == true", &scope).is_ok());
}

#[test]
fn names_are_found_without_a_table() {
    let names = parse("has(row.a) ? row.`b c` : op + f").unwrap();
    let found: Vec<_> = names
        .iter()
        .map(|n| (n.variable.as_str(), n.member.as_deref(), n.at.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("row", Some("a"), 4..9),
            ("row", Some("b c"), 13..22),
            ("op", None, 25..27),
            ("f", None, 30..31),
        ]
    );
    assert_eq!(parse("row.a.lower()").unwrap_err()[0].code.id, "ONR-204");
}

#[test]
fn size_and_depth_are_bounded() {
    let scope = shop::scope();
    for text in [
        "1 + ".repeat(2000) + "1",
        "(".repeat(40) + "1" + &")".repeat(40),
        "1 + ".repeat(600) + "1",
        "[".repeat(5000),
    ] {
        let faults = compile(&text, &scope).unwrap_err();
        assert_eq!(faults[0].code.id, "ONR-202", "{}", &text[..20]);
    }
    let long = vec!["row.ord_no == 1"; 150].join(" || ");
    assert!(compile(&long, &scope).is_ok());
}
