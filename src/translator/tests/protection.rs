//! Protected values: what consumers see, that a replay gives the same, and that who has the key
//! reads them back.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use onramp_connector::plain::layout;
use onramp_connector::{Decimal, Value, ValueType};
use onramp_event::Arena;
use onramp_translator::{FieldCipher, contract, fingerprint};
use proptest::prelude::*;
use support::{Given, Log, column, nullable, product, table, translator};

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";

/// The bytes of the events that a row gives, as the log or a run over the table brings it.
fn events(fields: &str, given: ValueType, value: Given<'_>, in_log: bool) -> (String, Vec<u8>) {
    let table = table(vec![column("l", ValueType::Int(64)), nullable("c", given)]);
    let product = product(HEAD, &format!("id: {{ type: long, from: l }}\n{fields}"));
    let schema = contract(&product).values[0].schema.clone();
    let mut log = Log::new(layout(&table));
    if in_log {
        log.begin("0/1");
    }
    log.insert(&[Some(Value::Int(7)), value]);
    let mut translator = translator(&table, &[product], 1 << 20);
    if !in_log {
        translator.begin_snapshot("run", 0);
    }
    let mut arena = Arena::default();
    let items = 0..log.0.items.len();
    translator
        .apply(&log.0, items, &mut arena, 1 << 20)
        .unwrap();
    let value = arena.slice(arena.records[0].value.unwrap()).to_vec();
    (schema, value)
}

/// What consumers see of a field `x`.
fn seen(field: &str, given: ValueType, value: Given<'_>) -> Avro {
    let (schema, bytes) = events(&format!("x: {field}"), given.clone(), value, true);
    let (_, again) = events(&format!("x: {field}"), given, value, false);
    assert_eq!(bytes, again, "the table and the log give the same event");
    let schema = Schema::parse_str(&schema).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let Avro::Record(fields) = reader.read_value(&mut &bytes[5..]).unwrap() else {
        panic!("no record");
    };
    match fields.into_iter().nth(1).unwrap().1 {
        Avro::Union(_, value) => *value,
        value => value,
    }
}

fn text(value: Avro) -> String {
    match value {
        Avro::String(text) => text,
        other => panic!("{other:?}"),
    }
}

fn cipher(product: &str, field: &str) -> FieldCipher {
    FieldCipher::new("pii", b"secret", product, field).unwrap()
}

/// Every type that a value may have, and its text.
fn values() -> Vec<(&'static str, ValueType, Value<'static>, &'static str)> {
    let decimal = |mantissa| Value::Decimal(Decimal { mantissa, scale: 2 });
    vec![
        (
            "string",
            ValueType::Text,
            Value::Text("ann@shop.test"),
            "ann@shop.test",
        ),
        ("string", ValueType::Text, Value::Text(""), ""),
        (
            "json",
            ValueType::Json,
            Value::Text("{\"a\": 1}"),
            "{\"a\": 1}",
        ),
        ("boolean", ValueType::Bool, Value::Bool(true), "true"),
        ("int", ValueType::Int(32), Value::Int(-5), "-5"),
        (
            "long",
            ValueType::Int(64),
            Value::Int(i64::MIN),
            "-9223372036854775808",
        ),
        ("float", ValueType::Float, Value::Float(0.1), "0.1"),
        ("double", ValueType::Double, Value::Double(1e300), &ONE_E300),
        ("bytes", ValueType::Bytes, Value::Bytes(&[0, 255]), "00ff"),
        (
            "\"decimal(12,2)\"",
            ValueType::Decimal(Some((12, 2))),
            decimal(-5),
            "-0.05",
        ),
        ("date", ValueType::Date, Value::Date(-1), "1969-12-31"),
        ("time", ValueType::Time, Value::Time(1), "00:00:00.000001"),
        (
            "timestamp",
            ValueType::Timestamp,
            Value::Timestamp(0),
            "1970-01-01T00:00:00Z",
        ),
        (
            "local-timestamp",
            ValueType::LocalTimestamp,
            Value::LocalTimestamp(0),
            "1970-01-01T00:00:00",
        ),
        (
            "uuid",
            ValueType::Uuid,
            Value::Uuid([0xab; 16]),
            "abababab-abab-abab-abab-abababababab",
        ),
        (
            "enum, values: { 'A': ACTIVE }",
            ValueType::Text,
            Value::Text("A"),
            "ACTIVE",
        ),
    ]
}

static ONE_E300: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| format!("1{}", "0".repeat(300)));

#[test]
fn a_value_of_every_type_is_encrypted_as_its_text() {
    for (r#type, given, value, plain) in values() {
        let field =
            format!("{{ type: {type}, from: c, optional: true, protect: {{ encrypt: pii }} }}");
        let shown = text(seen(&field, given.clone(), Some(value)));
        assert!(shown.starts_with("pii:"), "{shown}");
        assert!(plain.is_empty() || !shown.contains(plain), "{shown}");
        let read = cipher("commerce.orders.v1", "x").decrypt(&shown);
        assert_eq!(read.as_deref(), Some(plain), "{type}");
        assert_eq!(seen(&field, given, Some(Value::Null)), Avro::Null);
    }
}

/// As `cryptography`'s AESSIV and HKDF have it: the form is what consumers were told.
#[test]
fn the_form_of_an_encrypted_value_never_changes() {
    let field = "{ type: string, from: c, optional: true, classification: personal, protect: { encrypt: pii } }";
    let shown = text(seen(
        field,
        ValueType::Text,
        Some(Value::Text("ann@shop.test")),
    ));
    assert_eq!(shown, "pii:13PdAWklZc2s3Ul-YL__xxwUeyZVIMk6qAHE5to");
    assert_eq!(fingerprint(b"secret"), "3ee947226c1a4a596ef98100b20f6b61");
}

#[test]
fn a_field_within_a_record_is_another_field() {
    let fields = "r:\n  type: record\n  fields:\n    x: { type: string, from: c, optional: true, protect: { encrypt: pii } }";
    let (_, bytes) = events(fields, ValueType::Text, Some(Value::Text("ann")), true);
    let at = bytes.windows(4).position(|w| w == b"pii:").unwrap();
    let shown = std::str::from_utf8(&bytes[at..]).unwrap();
    let read = |field| cipher("commerce.orders.v1", field).decrypt(shown);
    assert_eq!(read("r.x").as_deref(), Some("ann"));
    assert_eq!(read("x"), None);
}

/// Expressions' texts are bounded by less; a value is bounded by its row.
#[test]
fn a_long_value_is_encrypted_whole() {
    let long = "x".repeat(700_000);
    let field = "{ type: string, from: c, optional: true, protect: { encrypt: pii } }";
    let shown = text(seen(field, ValueType::Text, Some(Value::Text(&long))));
    let read = cipher("commerce.orders.v1", "x").decrypt(&shown);
    assert_eq!(read, Some(long));
}

#[test]
fn a_mask_shows_stars_and_the_end() {
    let masked = |r#type: &str, given, value| {
        let field = format!(
            "{{ type: {type}, from: c, optional: true, protect: {{ mask: {{ keep: 4 }} }} }}"
        );
        seen(&field, given, Some(value))
    };
    for (value, shown) in [
        ("4929123456784444", "****4444"),
        ("54444", "****4444"),
        ("4444", "****"),
        ("", "****"),
        ("Čáp & Zoë Čáp", "**** Čáp"),
    ] {
        assert_eq!(
            text(masked("string", ValueType::Text, Value::Text(value))),
            shown
        );
    }
    assert_eq!(masked("string", ValueType::Text, Value::Null), Avro::Null);
    let number = masked("long", ValueType::Int(64), Value::Int(4_929_123_456));
    assert_eq!(text(number), "****3456");
    let date = masked("date", ValueType::Date, Value::Date(0));
    assert_eq!(text(date), "****1-01");
}

#[test]
fn the_schema_says_how_a_field_is_protected() {
    let fields = "id: { type: long, from: l }\n\
        card: { type: string, from: c, classification: personal, protect: { mask: { keep: 4 } } }\n\
        total: { type: 'decimal(12,2)', from: t, optional: true, doc: What., protect: { encrypt: pii } }";
    let made = contract(&product(HEAD, fields));
    for part in [
        r#"{"name":"card","classification":"personal","protection":"mask","protects":"string","type":"string"}"#,
        r#"{"name":"total","doc":"What.","protection":"aes-siv","protects":"decimal(12,2)","type":["null","string"],"default":null}"#,
    ] {
        assert!(
            made.values[0].schema.contains(part),
            "{}",
            made.values[0].schema
        );
    }
    Schema::parse_str(&made.values[0].schema).unwrap();
    // Rotated or kept otherwise, a row gives another event.
    for (from, to) in [
        ("keep: 4", "keep: 5"),
        ("mask: { keep: 4 }", "hmac: pii"),
        ("encrypt: pii", "mask: { keep: 4 }"),
    ] {
        let other = contract(&product(HEAD, &fields.replace(from, to)));
        assert_ne!(other.mapping_hash, made.mapping_hash, "{from} {to}");
    }
}

proptest! {
    #[test]
    fn what_is_encrypted_is_read_back_and_a_replay_is_byte_equal(plain in "\\PC{0,80}") {
        let field = "{ type: string, from: c, optional: true, protect: { encrypt: pii } }";
        let shown = text(seen(field, ValueType::Text, Some(Value::Text(&plain))));
        prop_assert_eq!(cipher("commerce.orders.v1", "x").decrypt(&shown), Some(plain));
    }
}
