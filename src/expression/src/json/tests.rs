use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = r#" {"a": {"b": [1, {"c": "x"}], "b.c": 2, "é": 3},
  "n": null, "t": "\u0041\n\ud83d\ude00\"", "big": 12345678901234567890.10, "a\u0062": true, "e": {}} "#;

fn open<'j>(path: &str, document: &'j str) -> Result<Option<&'j str>, JsonFault> {
    JsonPath::parse(path).unwrap().open(document)
}

fn opened(path: &str, opened: Opened) -> Result<String, JsonFault> {
    let scratch = Scratch::new();
    let part = open(path, DOCUMENT)?.expect(path);
    value(part, opened, &scratch).map(|v| format!("{v:?}"))
}

#[test]
fn a_path_finds_what_stands_there() {
    for (path, wanted) in [
        ("a.b[0]", Some("1")),
        ("a.b[1].c", Some("\"x\"")),
        ("a.\"b.c\"", Some("2")),
        ("a.é", Some("3")),
        ("ab", Some("true")),
        ("a.b[2]", None),
        ("nowhere", None),
        ("n", Some("null")),
        ("n.more[0]", None),
        ("e.x", None),
    ] {
        assert_eq!(open(path, DOCUMENT), Ok(wanted), "{path}");
    }
    assert_eq!(open("a[0]", DOCUMENT), Err(JsonFault::OtherType));
    assert_eq!(open("big.x", DOCUMENT), Err(JsonFault::OtherType));
    assert_eq!(open("a", r#"{"a":1,"a":2}"#), Ok(Some("2")), "the last");
    assert_eq!(open("[1]", "[1,[2]]"), Ok(Some("[2]")));
    assert_eq!(JsonPath::default().open("[1]"), Ok(Some("[1]")));
    let deep = "[".repeat(257) + &"]".repeat(257);
    assert_eq!(open("a", &deep), Err(JsonFault::TooDeep));
    for path in [
        "", ".", "a.", "a..b", "a[", "a[x]", "a[-1]", "a[]", "\"a", "a b. c", "a]", "a.[0]",
    ] {
        assert!(JsonPath::parse(path).is_err(), "{path}");
    }
}

#[test]
fn a_value_is_exact_or_none() {
    use JsonFault::{OtherType, Range, Surrogate};
    let dec =
        |mantissa: i128, scale| Ok(format!("{:?}", Value::Decimal(Decimal { mantissa, scale })));
    assert_eq!(
        opened("t", Opened::Text),
        Ok(format!("{:?}", Value::Text("A\n😀\"")))
    );
    assert_eq!(
        opened("big", Opened::Decimal),
        dec(1_234_567_890_123_456_789_010, 2)
    );
    assert_eq!(opened("big", Opened::Int), Err(Range));
    assert_eq!(opened("a.b[0]", Opened::Code), Ok("Int(1)".into()));
    assert_eq!(opened("ab", Opened::Code), Ok("Bool(true)".into()));
    assert_eq!(opened("n", Opened::Int), Ok("Null".into()));
    assert_eq!(opened("a.b[0]", Opened::Text), Err(OtherType));
    assert_eq!(opened("t", Opened::Int), Err(OtherType));
    assert_eq!(
        opened("a.b", Opened::Raw),
        Ok(format!("{:?}", Value::Text(r#"[1, {"c": "x"}]"#)))
    );
    let scratch = Scratch::new();
    for (text, wanted) in [
        ("9007199254740993", Ok(Value::Int(9_007_199_254_740_993))),
        ("-9223372036854775808", Ok(Value::Int(i64::MIN))),
        ("9223372036854775808", Err(Range)),
        ("1.0", Ok(Value::Int(1))),
        ("1e2", Ok(Value::Int(100))),
        ("1.5", Err(Range)),
        ("0e99999999999999999999", Ok(Value::Int(0))),
        ("1e99999999999999999999", Err(Range)),
        (
            "100000000000000000000000000000000000000000e-40",
            Ok(Value::Int(10)),
        ),
    ] {
        assert_eq!(value(text, Opened::Int, &scratch), wanted, "{text}");
    }
    for text in [r#""\ud800""#, r#""\udc00x""#, r#""\ud800\u0041""#] {
        assert_eq!(
            value(text, Opened::Text, &scratch),
            Err(Surrogate),
            "{text}"
        );
    }
    let elements = Elements::of("[ 1 ,[2, 3], \"a,b\" ]").unwrap();
    assert_eq!(
        elements.iter().collect::<Vec<_>>(),
        ["1", "[2, 3]", "\"a,b\""]
    );
    assert_eq!(Elements::of("[]").unwrap().iter().count(), 0);
}

#[test]
fn what_is_no_json_is_refused_wherever_it_is_broken() {
    for broken in [
        "",
        "{",
        "[",
        "[1",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "tru",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "nul",
        "-",
    ] {
        assert_eq!(open("a", broken), Err(JsonFault::NotJson), "{broken}");
    }
}

fn documents() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,10})?([eE][-+]?[0-9]{1,2})?",
    ];
    let text = any::<String>().prop_map(|s| quoted(&s));
    let escaped =
        "(\\\\[\"\\\\/bfnrt]|\\\\u00[0-7][0-9a-f]|[a-c ]){0,6}".prop_map(|s| format!("\"{s}\""));
    let word = prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(str::to_owned);
    prop_oneof![number, text.clone(), escaped.clone(), word].prop_recursive(
        5,
        40,
        6,
        move |inner| {
            let name = prop_oneof![
                "[ab]".prop_map(|s| format!("\"{s}\"")),
                text.clone(),
                escaped.clone()
            ];
            let member = (name, inner.clone(), "[ \n\t]{0,2}")
                .prop_map(|(n, v, s)| format!("{n}{s}:{v}{s}"));
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(|v| format!("[{}]", v.join(" , "))),
                proptest::collection::vec(member, 0..6)
                    .prop_map(|v| format!("{{{}}}", v.join(","))),
            ]
        },
    )
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Every path of a document, with the value that another reader has there.
fn walk(value: &serde_json::Value, path: &str, check: &mut dyn FnMut(&str, &serde_json::Value)) {
    check(path, value);
    match value {
        serde_json::Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{n}]"), check);
            }
        }
        serde_json::Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| !name.contains('"')) {
                let dot = if path.is_empty() { "" } else { "." };
                walk(member, &format!("{path}{dot}\"{name}\""), check);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn every_part_of_a_document_is_what_another_reader_has_there(document in documents()) {
        let whole: serde_json::Value = serde_json::from_str(&document).unwrap();
        let scratch = Scratch::new();
        let mut steps = 0;
        walk(&whole, "", &mut |path, wanted| {
            steps += 1;
            let part = match path {
                "" => JsonPath::default().open(&document),
                path => open(path, &document),
            };
            let part = part.unwrap().expect(path);
            assert_eq!(&serde_json::from_str::<serde_json::Value>(part).unwrap(), wanted);
            if let Some(text) = wanted.as_str() {
                assert_eq!(value(part, Opened::Text, &scratch), Ok(Value::Text(text)));
            }
            if let Some(number) = wanted.as_i64() {
                assert_eq!(value(part, Opened::Int, &scratch), Ok(Value::Int(number)));
            }
        });
        prop_assert!(steps > 0);
    }

    #[test]
    fn what_is_json_is_what_another_reader_takes_for_it(
        text in "[\\[\\]{},: \"\\\\a0-9.eE+tnu-]{0,12}",
    ) {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(JsonPath::default().open(&text).is_ok(), theirs, "{}", text);
    }

    #[test]
    fn no_text_panics(text in any::<String>(), broken in documents(), at in 0_usize..200) {
        let _ = open("a.b[0]", &text);
        let cut: String = broken.chars().take(at).collect();
        let scratch = Scratch::new();
        if let Ok(Some(part)) = open("a", &cut) {
            for how in [Opened::Bool, Opened::Int, Opened::Decimal, Opened::Double, Opened::Text, Opened::Code] {
                let _ = value(part, how, &scratch);
            }
        }
    }
}
