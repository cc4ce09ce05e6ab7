//! Facts: every form of a field stands in them, and what fails is told by its column.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use onramp_connector::{BeforeImage, Operation, TableDescription, Value, ValueType, plain};
use onramp_event::Arena;
use onramp_finding::codes::mapping;
use onramp_language::Product;
use onramp_translator::{Stopped, contract};
use support::{Given, Log, column, of_kind, table, translator};

const COUNTRIES: &str = "code,value\nGB,United Kingdom\nFR,France\n";

fn orders() -> TableDescription {
    TableDescription {
        before: BeforeImage::Whole,
        ..table(vec![
            column("no", ValueType::Int(64)),
            column("land", ValueType::Text),
            column("doc", ValueType::Json),
        ])
    }
}

fn facts(when: &str, fields: &str) -> Product {
    let keys = format!(
        "source: {{ table: public.ordr_hdr }}\nkey: [id]\nevents:\n  Moved:\n    when: {when}\n    fields:\n\
         \x20     id: {{ type: long, from: no }}\n{fields}"
    );
    of_kind("events", &keys, &[("c.csv", COUNTRIES)])
}

fn row<'v>(land: &'v str, doc: &'v str) -> [Given<'v>; 3] {
    [
        Some(Value::Int(7)),
        Some(Value::Text(land)),
        Some(Value::Text(doc)),
    ]
}

fn update(
    product: &Product,
    old: [Given<'_>; 3],
    new: [Given<'_>; 3],
) -> Result<Vec<Avro>, Stopped> {
    let described = orders();
    let mut log = Log::new(plain::layout(&described));
    log.begin("0/1");
    log.change(Operation::Update, Some(&old), Some(&new));
    let mut arena = Arena::default();
    let schema = Schema::parse_str(&contract(product).values[0].schema).unwrap();
    let products = [product.clone()];
    translator(&described, &products, 1 << 20).apply(&log.0, 0..3, &mut arena, 1 << 20)?;
    let read = |record: &onramp_event::Record| {
        let mut bytes = &arena.slice(record.value.unwrap())[5..];
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        reader.read_value(&mut bytes).unwrap()
    };
    Ok(arena.records.iter().map(read).collect())
}

#[test]
fn arrays_constants_lookups_and_json_stand_in_facts_too() {
    let product = facts(
        "op == \"update\"",
        "      country: { type: string, from: land, lookup: { file: c.csv } }\n      was: { type: string, expr: before.land, lookup: { file: c.csv } }\n\
         \x20     city: { type: string, from: doc, at: adr.city }\n      tags: { type: array, from: doc, at: tags, items: { type: string } }\n\
         \x20     source: { type: string, value: shop }\n",
    );
    let doc = r#"{"adr": {"city": "Ely"}, "tags": ["a"]}"#;
    let given = update(&product, row("GB", "{}"), row("FR", doc)).unwrap();
    let text = |text: &str| Avro::String(text.into());
    let field = |name: &str, value| (name.to_owned(), value);
    assert_eq!(
        given,
        [Avro::Record(vec![
            field("id", Avro::Long(7)),
            field("country", text("France")),
            field("was", text("United Kingdom")),
            field("city", text("Ely")),
            field("tags", Avro::Array(vec![text("a")])),
            field("source", text("shop")),
        ])]
    );
}

#[test]
fn what_fails_is_told_by_its_column_whichever_row_it_is_of() {
    // `from` of facts that may be a delete reads the old row, in slots of its own.
    for (when, operation) in [
        ("op == \"update\"", "update"),
        ("op == \"update\" || op == \"delete\"", "either"),
    ] {
        let product = facts(when, "      city: { type: string, from: doc, at: city }\n");
        let failed = update(&product, row("GB", "{}"), row("GB", "{}"));
        let Err(Stopped::Row(fault)) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(fault.code.id, mapping::ROW_NULL.id);
        assert_eq!(fault.column.as_deref(), Some("doc"), "{operation}");
    }
    let product = facts(
        "before.land != \"FR\"",
        "      n: { type: long, from: no }\n",
    );
    let mut old = row("GB", "{}");
    old[1] = None;
    let failed = update(&product, old, row("GB", "{}"));
    let Err(Stopped::Row(fault)) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(fault.code.id, mapping::ROW_LEFT_OUT.id);
    assert_eq!(fault.column.as_deref(), Some("land"));
}
