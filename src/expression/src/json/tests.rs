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

const PATHS: &[&str] = &[
    "a", "b", "a.b", "a[0]", "b.a.b", "b[1].a", "[0]", "[1].a", "[2][0]", "a.b.a", "a.b[1]", "b",
    "b.\"c \"", "c",
];

proptest! {
    #[test]
    fn one_pass_finds_what_each_path_finds_alone(
        document in documents(),
        chosen in proptest::collection::vec(0..=PATHS.len(), 0..8),
        spoilt in proptest::option::of((0_usize..60, any::<char>())),
        wrapped in any::<bool>(),
    ) {
        let mut text = match wrapped {
            true => format!("{{\"a\":{document},\"b\" : [{document},{document}],\"a\":{document}}}"),
            false => document,
        };
        if let Some((at, sign)) = spoilt {
            text = text.chars().enumerate().map(|(n, c)| if n == at { sign } else { c }).collect();
        }
        let path = |n: &usize| PATHS.get(*n).map_or_else(JsonPath::default, |p| JsonPath::parse(p).unwrap());
        let chosen: Vec<JsonPath> = chosen.iter().map(path).collect();
        let (paths, places) = JsonPaths::new(&chosen);
        let scratch = Scratch::new();
        let whole = JsonPath::default().open(&text);
        match paths.read(&text, &scratch) {
            Err(why) => prop_assert_eq!(whole, Err(why)),
            Ok(notes) => {
                prop_assert!(whole.is_ok());
                for (path, place) in chosen.iter().zip(places) {
                    prop_assert_eq!(notes.part(place), path.open(&text), "{} in {}", path, text);
                }
            }
        }
    }

    #[test]
    fn elements_are_noted_as_documents_are(items in proptest::collection::vec(documents(), 0..5)) {
        let list = format!("[{}]", items.join(", "));
        let chosen: Vec<JsonPath> = PATHS.iter().map(|p| JsonPath::parse(p).unwrap()).collect();
        let (paths, places) = JsonPaths::new(&chosen);
        let scratch = Scratch::new();
        let notes = room(paths.count(), &scratch).unwrap();
        let mut elements = NotedElements::of(&list, &paths, notes).unwrap();
        for item in &items {
            let (element, notes) = elements.next().unwrap();
            prop_assert_eq!(element, item.trim());
            for (path, place) in chosen.iter().zip(&places) {
                prop_assert_eq!(notes.part(*place), path.open(item));
            }
        }
        prop_assert!(elements.next().is_none());
    }

    #[test]
    fn members_are_those_of_another_reader(document in documents()) {
        let whole: serde_json::Value = serde_json::from_str(&document).unwrap();
        let scratch = Scratch::new();
        let found = members(document.trim(), &scratch);
        let Some(object) = whole.as_object() else {
            prop_assert_eq!(found, Err(JsonFault::OtherType));
            return Ok(());
        };
        let found: Vec<(&str, serde_json::Value)> =
            found.unwrap().iter()  .map(|(n, _, v)| (*n, serde_json::from_str(v).unwrap())).collect();
        let mut wanted: Vec<(&str, serde_json::Value)> =
            object.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
        wanted.sort_by_key(|(name, _)| *name);
        prop_assert_eq!(found, wanted);
    }
}

#[test]
fn depth_is_bounded_below_a_path_too() {
    let path = JsonPath::parse("a.b").unwrap();
    let (paths, _) = JsonPaths::new([&path]);
    let scratch = Scratch::new();
    let nested = |levels: usize| {
        let inner = "[".repeat(levels) + &"]".repeat(levels);
        format!("{{\"a\": {{\"b\": {inner}}}}}")
    };
    assert!(paths.read(&nested(254), &scratch).is_ok());
    for levels in [254, 255] {
        let text = nested(levels);
        let read = paths.read(&text, &scratch).map(|notes| notes.part(0));
        assert_eq!(read.is_ok(), path.open(&text).is_ok(), "{levels}");
    }
    assert_eq!(
        paths.read(&nested(255), &scratch).map(|_| ()),
        Err(JsonFault::TooDeep)
    );
}

#[test]
fn a_float_is_one_or_refused() {
    let scratch = Scratch::new();
    for (part, wanted) in [
        ("0.1", Some(0.1_f32)),
        ("0.10000000149011612", Some(0.1)),
        ("-16777216", Some(-16_777_216.0)),
        ("1e-45", Some(f32::from_bits(1))),
        ("3.4028235e38", Some(f32::MAX)),
        ("16777217", None),
        ("0.12345678901", None),
        ("1e-60", None),
        ("1e39", None),
    ] {
        let found = value(part, Opened::Float, &scratch);
        assert_eq!(
            found,
            wanted.map(Value::Float).ok_or(JsonFault::Range),
            "{part}"
        );
    }
    assert_eq!(
        value("\"1\"", Opened::Float, &scratch),
        Err(JsonFault::OtherType)
    );
}

proptest! {
    #[test]
    fn every_float_is_read_as_it_is_written(bits in any::<u32>()) {
        let float = f32::from_bits(bits);
        prop_assume!(float.is_finite());
        let scratch = Scratch::new();
        for text in [format!("{float}"), format!("{float:e}"), format!("{:?}", f64::from(float))] {
            prop_assert_eq!(value(&text, Opened::Float, &scratch), Ok(Value::Float(float)), "{}", text);
        }
    }
}
