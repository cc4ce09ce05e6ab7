//! Random events' schemas and random payloads: what Avro's own reader finds in an event is what
//! stands in its JSON, and what an entity finds that opens the same document.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use onramp_connector::{Value, ValueType, plain};
use onramp_event::Arena;
use onramp_language::Product;
use onramp_translator::{check, contract};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use support::random::{Dice, Schemas, Type};
use support::{Log, column, of_kind, product, table, translator};

/// A value as nested lists; floats by their bits, bytes in hexadecimal, a union's branch as it is.
fn shown(value: Avro) -> Json {
    match value {
        Avro::Null => Json::Null,
        Avro::Union(at, value) => json!({"branch": at, "is": shown(*value)}),
        Avro::Boolean(v) => json!(v),
        Avro::Int(v) | Avro::Date(v) | Avro::TimeMillis(v) => json!(v),
        Avro::Long(v)
        | Avro::TimeMicros(v)
        | Avro::TimestampMillis(v)
        | Avro::TimestampMicros(v)
        | Avro::LocalTimestampMillis(v)
        | Avro::LocalTimestampMicros(v) => json!(v),
        Avro::Float(v) => json!(v.to_bits()),
        Avro::Double(v) => json!(v.to_bits()),
        Avro::String(v) | Avro::Enum(_, v) => json!(v),
        Avro::Uuid(v) => json!(v.to_string()),
        Avro::Decimal(v) => {
            let bytes = Vec::<u8>::try_from(&v).unwrap();
            json!(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }
        Avro::Array(v) => v.into_iter().map(shown).collect(),
        Avro::Map(v) => Json::Object(v.into_iter().map(|(n, v)| (n, shown(v))).collect()),
        Avro::Record(v) => Json::Object(v.into_iter().map(|(n, v)| (n, shown(v))).collect()),
        other => panic!("{other:?}"),
    }
}

/// The event that a product makes of a row whose document is this.
fn event(product: &Product, document: &str) -> Json {
    let described = table(vec![
        column("l", ValueType::Int(64)),
        column("t", ValueType::Text),
        column("c", ValueType::Json),
    ]);
    assert_eq!(check(product, &described), []);
    let row = [
        Some(Value::Int(7)),
        Some(Value::Text("Placed")),
        Some(Value::Text(document)),
    ];
    let mut log = Log::new(plain::layout(&described));
    log.begin("0/1").insert(&row);
    let mut arena = Arena::default();
    let mut translator = translator(&described, std::slice::from_ref(product), 1 << 20);
    if let Err(why) = translator.apply(&log.0, 0..3, &mut arena, 1 << 20) {
        panic!("{why:?}\n{document}");
    }
    let schema = Schema::parse_str(&contract(product).values[0].schema).unwrap();
    let mut bytes = &arena.slice(arena.records[0].value.unwrap())[5..];
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let value = reader.read_value(&mut bytes).unwrap();
    assert_eq!(bytes, b"", "nothing follows an event's value");
    shown(value)
}

fn outbox(schema: &str) -> Product {
    let keys = "source: { table: public.ordr_hdr }
columns: { id: l, type: t, key: l, payload: c }
events:
  Placed: { payload: json, schema: placed.avsc }\n";
    of_kind("outbox", keys, &[("placed.avsc", schema)])
}

/// Branches left out: a field of a product's file has null first.
fn without_branches(value: &Json) -> Json {
    match value {
        Json::Object(members) if members.contains_key("branch") => without_branches(&value["is"]),
        Json::Object(members) => {
            let members = members.iter();
            Json::Object(
                members
                    .map(|(n, v)| (n.clone(), without_branches(v)))
                    .collect(),
            )
        }
        Json::Array(items) => items.iter().map(without_branches).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn an_event_holds_what_its_payload_says(seed in any::<u64>(), depth in 0usize..4) {
        let mut schemas = Schemas::new(Dice(seed), depth);
        let record = schemas.event();
        let product = outbox(&record.schema().to_string());
        for _ in 0..4 {
            let (document, wanted) = record.value(&mut schemas.dice);
            prop_assert_eq!(event(&product, &document), wanted, "{}\n{}", record.schema(), document);
        }
    }

    #[test]
    fn an_entity_that_opens_the_document_holds_the_same(seed in any::<u64>(), depth in 0usize..4) {
        let mut schemas = Schemas::new(Dice(seed), depth).of_files();
        let record = schemas.event();
        let Type::Record { fields, .. } = &record else { unreachable!() };
        let within: Vec<String> = fields
            .iter()
            .map(|(name, field)| format!("{name}: {}", field.in_file(false)))
            .collect();
        let fields = format!(
            "id: {{ type: long, from: l }}\nx: {{ type: record, from: c, fields: {{ {} }} }}",
            within.join(", ")
        );
        let product = product("source: { table: public.ordr_hdr }\nkey: [id]", &fields);
        for _ in 0..4 {
            let (document, wanted) = record.value(&mut schemas.dice);
            let found = event(&product, &document);
            let (found, wanted) = (without_branches(&found["x"]), without_branches(&wanted));
            prop_assert_eq!(found, wanted, "{}\n{}", fields, document);
        }
    }
}
