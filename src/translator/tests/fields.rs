//! Arrays, constants, lookups and JSON: what a field holds, what is refused, what changes a hash.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use onramp_connector::{TableDescription, Value, ValueType, plain};
use onramp_event::Arena;
use onramp_finding::codes::mapping;
use onramp_translator::{Stopped, check, contract};
use support::{Log, column, nullable, product, product_with, table, translator, with_list};

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";
const COUNTRIES: &str = "code,value\nGB,United Kingdom\nFR,France\n1,One\n";

fn fields(x: &str) -> String {
    format!("id: {{ type: long, from: l }}\nx: {x}")
}

fn described(value_type: ValueType) -> TableDescription {
    table(vec![
        column("l", ValueType::Int(64)),
        nullable("c", value_type),
    ])
}

/// One field `x` over one column `c`: its value as Avro's own reader has it, or the code.
fn given(x: &str, value_type: &ValueType, row: &[u8]) -> Result<Avro, &'static str> {
    let product = product_with(HEAD, &fields(x), &[("c.csv", COUNTRIES)]);
    let described = described(value_type.clone());
    assert!(
        !onramp_finding::any_error(&check(&product, &described)),
        "{x}"
    );
    let mut log = Log::new(plain::layout(&described));
    log.begin("0/1").insert_bytes(row);
    let mut arena = Arena::default();
    let schema = Schema::parse_str(&contract(&product).values[0].schema).unwrap();
    let products = [product];
    match translator(&described, &products, 1 << 20).apply(&log.0, 0..3, &mut arena, 1 << 20) {
        Ok(_) => {
            let mut bytes = &arena.slice(arena.records[0].value.unwrap())[5..];
            let reader = GenericDatumReader::builder(&schema).build().unwrap();
            let value = reader.read_value(&mut bytes).unwrap();
            assert_eq!(bytes, b"", "nothing follows an event's value");
            match value {
                Avro::Record(mut fields) => Ok(fields.remove(1).1),
                other => panic!("{other:?}"),
            }
        }
        Err(Stopped::Row(fault)) => {
            assert_eq!(
                (fault.field.as_str(), fault.column.as_deref()),
                ("x", Some("c"))
            );
            Err(fault.code.id)
        }
        Err(Stopped::Table { findings, .. }) => panic!("{findings:#?}"),
    }
}

fn of(x: &str, value_type: ValueType, value: Value<'_>) -> Result<Avro, &'static str> {
    let mut row = Vec::new();
    plain::push(&mut row, Some(Value::Int(7)));
    plain::push(&mut row, Some(value));
    given(x, &value_type, &row)
}

fn list(x: &str, of: ValueType, elements: &[Option<Value<'_>>]) -> Result<Avro, &'static str> {
    let row = with_list(&[Some(Value::Int(7))], &of, elements);
    given(x, &ValueType::Array(Arc::new(of)), &row)
}

fn json(x: &str, text: &str) -> Result<Avro, &'static str> {
    of(x, ValueType::Json, Value::Text(text))
}

fn text(text: &str) -> Avro {
    Avro::String(text.into())
}

fn some(value: Avro) -> Avro {
    Avro::Union(1, Box::new(value))
}

fn none() -> Avro {
    Avro::Union(0, Box::new(Avro::Null))
}

#[test]
fn an_array_holds_its_elements_in_order() {
    let texts = "{ type: array, from: c, items: { type: string } }";
    let (a, b) = (Some(Value::Text("a")), Some(Value::Text("b")));
    assert_eq!(
        list(texts, ValueType::Text, &[b, a]),
        Ok(Avro::Array(vec![text("b"), text("a")]))
    );
    assert_eq!(list(texts, ValueType::Text, &[]), Ok(Avro::Array(vec![])));
    assert_eq!(
        list(texts, ValueType::Text, &[a, None]),
        Err(mapping::ROW_NULL.id)
    );
    assert_eq!(
        of(
            texts,
            ValueType::Array(Arc::new(ValueType::Text)),
            Value::Null
        ),
        Err(mapping::ROW_NULL.id)
    );
    let nulls = "{ type: array, from: c, optional: true, items: { type: long, optional: true } }";
    let held = Avro::Array(vec![some(Avro::Long(1)), none()]);
    assert_eq!(
        list(nulls, ValueType::Int(64), &[Some(Value::Int(1)), None]),
        Ok(some(held))
    );
    assert_eq!(
        of(
            nulls,
            ValueType::Array(Arc::new(ValueType::Int(64))),
            Value::Null
        ),
        Ok(none())
    );
    let enums = "{ type: array, from: c, items: { type: enum, values: { 'a': A, 'b': B } } }";
    let held = Avro::Array(vec![Avro::Enum(1, "B".into())]);
    assert_eq!(list(enums, ValueType::Text, &[b]), Ok(held));
    let unknown = [Some(Value::Text("c"))];
    assert_eq!(
        list(enums, ValueType::Text, &unknown),
        Err(mapping::ROW_CODE.id)
    );
    let looked_up = "{ type: array, from: c, items: { type: string, lookup: { file: c.csv } } }";
    let held = Avro::Array(vec![text("One")]);
    assert_eq!(
        list(looked_up, ValueType::Text, &[Some(Value::Text("1"))]),
        Ok(held)
    );
}

#[test]
fn an_array_that_becomes_longer_than_an_event_is_refused_before_it_is() {
    let file = format!("code,value\na,{}\n", "x".repeat(1 << 19));
    let x = "{ type: array, from: c, items: { type: string, lookup: { file: c.csv } } }";
    let product = product_with(HEAD, &fields(x), &[("c.csv", &file)]);
    let described = described(ValueType::Array(Arc::new(ValueType::Text)));
    // Written to its end, this would take 50 GB.
    let elements = vec![Some(Value::Text("a")); 100_000];
    let row = with_list(&[Some(Value::Int(7))], &ValueType::Text, &elements);
    let mut log = Log::new(plain::layout(&described));
    log.begin("0/1").insert_bytes(&row);
    let mut arena = Arena::default();
    let done = translator(&described, &[product], 1 << 20).apply(&log.0, 0..3, &mut arena, 1 << 20);
    let Err(Stopped::Row(fault)) = done else {
        panic!("{done:?}")
    };
    assert_eq!(fault.code.id, mapping::ROW_TOO_LARGE.id);
    assert!(
        arena.bytes.capacity() < 8 << 20,
        "{}",
        arena.bytes.capacity()
    );
}

#[test]
fn an_array_in_json_is_opened_by_its_elements_type() {
    let days = "{ type: array, from: c, at: days, items: { type: date, parse: '%Y-%m-%d' } }";
    let held = Avro::Array(vec![Avro::Date(0), Avro::Date(1)]);
    assert_eq!(
        json(days, r#"{"days": ["1970-01-01", "1970-01-02"]}"#),
        Ok(held)
    );
    assert_eq!(
        json(days, r#"{"days": "1970-01-01"}"#),
        Err(mapping::ROW_JSON.id)
    );
    assert_eq!(json(days, r#"{"days": [1]}"#), Err(mapping::ROW_JSON.id));
    assert_eq!(
        json(days, r#"{"days": ["1970-02-30"]}"#),
        Err(mapping::ROW_TIME.id)
    );
    assert_eq!(json(days, "{}"), Err(mapping::ROW_NULL.id));
    let whole = "{ type: array, from: c, items: { type: json, optional: true } }";
    let held = Avro::Array(vec![some(text("{\"a\": [1]}")), none(), some(text("2"))]);
    assert_eq!(json(whole, r#"[{"a": [1]}, null, 2]"#), Ok(held));
    assert_eq!(json(whole, "[]"), Ok(Avro::Array(vec![])));
}

#[test]
fn a_part_of_json_is_exact_or_the_row_fails() {
    let at = |r#type: &str| format!("{{ type: {}, from: c, at: a.b, optional: true }}", r#type);
    let held = |value: &str| format!(r#"{{"a": {{"b": {value}}}}}"#);
    let open = |r#type: &str, value: &str| json(&at(r#type), &held(value));
    assert_eq!(open("string", r#""\u00e9\n""#), Ok(some(text("é\n"))));
    assert_eq!(
        open("long", "9007199254740993"),
        Ok(some(Avro::Long(9_007_199_254_740_993)))
    );
    assert_eq!(open("int", "2147483648"), Err(mapping::ROW_VALUE.id));
    assert_eq!(open("boolean", "true"), Ok(some(Avro::Boolean(true))));
    assert_eq!(open("double", "0.1"), Ok(some(Avro::Double(0.1))));
    assert_eq!(open("json", r#"[1, 1.10]"#), Ok(some(text("[1, 1.10]"))));
    let decimal = |mantissa: &[u8]| Ok(some(Avro::Decimal(apache_avro::Decimal::from(mantissa))));
    assert_eq!(open("'decimal(38,2)'", "0.1"), decimal(&[10]));
    assert_eq!(open("'decimal(38,2)'", "0.105"), Err(mapping::ROW_VALUE.id));
    for (r#type, wrong) in [
        ("string", "1"),
        ("long", "\"1\""),
        ("long", "1.5"),
        ("boolean", "0"),
    ] {
        assert_eq!(
            open(r#type, wrong),
            Err(mapping::ROW_JSON.id),
            "{type} {wrong}"
        );
    }
    for missing in [
        "{}",
        r#"{"a": {}}"#,
        r#"{"a": null}"#,
        r#"{"a": {"b": null}}"#,
    ] {
        assert_eq!(json(&at("string"), missing), Ok(none()), "{missing}");
    }
    assert_eq!(
        json(&at("string"), r#"{"a": 1}"#),
        Err(mapping::ROW_JSON.id)
    );
    assert_eq!(
        of(&at("string"), ValueType::Text, Value::Text("<xml/>")),
        Err(mapping::ROW_JSON.id)
    );
    assert_eq!(of(&at("string"), ValueType::Json, Value::Null), Ok(none()));
    let codes = "{ type: enum, from: c, at: a.b, values: { '1': ONE, 'x': X, 'true': YES } }";
    for (code, symbol) in [("1", "ONE"), ("\"x\"", "X"), ("true", "YES")] {
        let Ok(Avro::Enum(_, found)) = json(codes, &held(code)) else {
            panic!("{code}")
        };
        assert_eq!(found, symbol);
    }
}

#[test]
fn a_constant_is_the_same_for_every_row() {
    let row = |x: &str| of(x, ValueType::Int(32), Value::Null);
    assert_eq!(row("{ type: string, value: GBP }"), Ok(text("GBP")));
    assert_eq!(
        row("{ type: date, value: 1970-01-02, optional: true }"),
        Ok(some(Avro::Date(1)))
    );
    let rate = row("{ type: 'decimal(5,2)', value: '-0.5' }");
    assert_eq!(rate, Ok(Avro::Decimal(apache_avro::Decimal::from([0xce]))));
    let uuid = row("{ type: uuid, value: ABABABAB-abab-abab-abab-abababababab }");
    assert_eq!(
        uuid,
        Ok(Avro::Uuid(apache_avro::Uuid::from_bytes([0xab; 16])))
    );
}

#[test]
fn a_code_becomes_what_the_lookups_file_says() {
    let row = |more: &str, value: Value<'_>| {
        let x = format!("{{ type: string, from: c, lookup: {{ file: c.csv{more} }} }}");
        of(&x, ValueType::Text, value)
    };
    assert_eq!(row("", Value::Text("GB")), Ok(text("United Kingdom")));
    assert_eq!(row("", Value::Text("gb")), Err(mapping::ROW_CODE.id));
    assert_eq!(row("", Value::Null), Err(mapping::ROW_NULL.id));
    let elsewhere = ", otherwise: { value: Elsewhere }";
    assert_eq!(row(elsewhere, Value::Text("DE")), Ok(text("Elsewhere")));
    assert_eq!(row(elsewhere, Value::Null), Ok(text("Elsewhere")));
    let optional =
        "{ type: string, from: c, optional: true, lookup: { file: c.csv, otherwise: null } }";
    for (code, wanted) in [("FR", some(text("France"))), ("DE", none())] {
        assert_eq!(
            of(optional, ValueType::Text, Value::Text(code)),
            Ok(wanted),
            "{code}"
        );
    }
    assert_eq!(of(optional, ValueType::Text, Value::Null), Ok(none()));
    let in_json = "{ type: string, from: c, at: k, lookup: { file: c.csv } }";
    assert_eq!(json(in_json, r#"{"k": 1}"#), Ok(text("One")));
}

#[test]
fn what_does_not_fit_is_refused_before_a_row_is_read() {
    for (x, value_type, code) in [
        (
            "{ type: array, from: c, items: { type: string } }",
            ValueType::Text,
            &mapping::TYPE_MISMATCH,
        ),
        (
            "{ type: array, from: c, items: { type: int } }",
            ValueType::Array(Arc::new(ValueType::Int(64))),
            &mapping::TYPE_MISMATCH,
        ),
        (
            "{ type: array, from: c, items: { type: date } }",
            ValueType::Json,
            &mapping::TYPE_MISMATCH,
        ),
        (
            "{ type: array, from: c, items: { type: bytes } }",
            ValueType::Json,
            &mapping::TYPE_MISMATCH,
        ),
        (
            "{ type: string, from: c }",
            ValueType::Array(Arc::new(ValueType::Text)),
            &mapping::TYPE_MISMATCH,
        ),
        (
            "{ type: string, from: c, at: a }",
            ValueType::Int(32),
            &mapping::TYPE_MISMATCH,
        ),
        (
            "{ type: date, from: c, at: a }",
            ValueType::Json,
            &mapping::TYPE_MISMATCH,
        ),
        // A number is never spelt GB.
        (
            "{ type: string, from: c, lookup: { file: c.csv } }",
            ValueType::Int(32),
            &mapping::CODES,
        ),
        // A label that the file does not list.
        (
            "{ type: string, from: c, lookup: { file: c.csv } }",
            ValueType::Enum(Arc::from(["GB".to_owned(), "DE".to_owned()])),
            &mapping::CODES,
        ),
    ] {
        let product = product_with(HEAD, &fields(x), &[("c.csv", COUNTRIES)]);
        let found = check(&product, &described(value_type.clone()));
        let codes: Vec<&str> = found.iter().map(|f| f.code.id).collect();
        assert!(codes.contains(&code.id), "{x} {value_type:?}: {codes:?}");
    }
}

#[test]
fn an_expression_that_names_an_array_is_told_why_it_cannot() {
    let product = product(HEAD, &fields("{ type: string, expr: row.c }"));
    let found = check(
        &product,
        &described(ValueType::Array(Arc::new(ValueType::Text))),
    );
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].message.contains("no expression has values"),
        "{}",
        found[0].message
    );
}

#[test]
fn the_schema_holds_arrays_and_what_their_elements_are() {
    let array = "{ type: array, from: c, optional: true, items: { type: enum, optional: true, values: { 'a': A } } }";
    let made = contract(&product(HEAD, &fields(array)));
    let expected = r#"{"name":"x","type":["null",{"type":"array","items":["null",{"type":"enum","name":"OrdersX","symbols":["A"]}]}],"default":null}"#;
    assert!(
        made.values[0].schema.contains(expected),
        "{}",
        made.values[0].schema
    );
    Schema::parse_str(&made.values[0].schema).unwrap();
}

#[test]
fn a_mapping_is_another_with_each_of_its_parts() {
    let hash = |x: &str, file: &str| {
        let made = contract(&product_with(HEAD, &fields(x), &[("c.csv", file)]));
        (made.contract_hash, made.mapping_hash)
    };
    let looked_up = "{ type: string, from: c, lookup: { file: c.csv } }";
    let base = hash(looked_up, COUNTRIES);
    // Words for people, and the order of lines, change no event.
    assert_eq!(
        base,
        hash(
            looked_up,
            "value,code,note\nFrance,FR,x\nUnited Kingdom,GB,\nOne,1,\n"
        )
    );
    let other = hash(
        looked_up,
        &COUNTRIES.replace("United Kingdom", "Great Britain"),
    );
    assert_eq!(base.0, other.0);
    assert_ne!(base.1, other.1);
    let mut seen = std::collections::BTreeSet::new();
    for x in [
        looked_up,
        "{ type: string, from: c, lookup: { file: c.csv, otherwise: { value: x } } }",
        "{ type: string, from: c }",
        "{ type: string, from: c, at: a }",
        "{ type: string, from: c, at: a.b }",
        "{ type: string, value: c }",
        "{ type: string, value: d }",
        "{ type: array, from: c, items: { type: string } }",
        "{ type: array, from: c, at: a, items: { type: string } }",
        "{ type: array, from: c, items: { type: string, lookup: { file: c.csv } } }",
    ] {
        assert!(seen.insert(hash(x, COUNTRIES).1), "{x}");
    }
}
