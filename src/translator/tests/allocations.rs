//! A row allocates nothing, whatever form its fields have.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use onramp_connector::{TableDescription, Value, ValueType, plain};
use onramp_event::Arena;
use onramp_language::Product;
use support::{Log, column, of_kind, product_with, table, translator, with_list};

thread_local! {
    /// Of this thread alone: others of the test's harness allocate as they like.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";

const FIELDS: &str = r#"
id: { type: long, from: l }
fixed: { type: 'decimal(5,2)', value: '0.20' }
country: { type: string, from: c, lookup: { file: c.csv } }
escaped: { type: string, from: doc, at: who.name }
price: { type: 'decimal(12,2)', from: doc, at: "lines[0].price" }
sum: { type: long, expr: "jsonInt(row.doc, 'qty').orElse(0) + 1" }
days: { type: array, from: doc, at: days, items: { type: date, parse: '%Y-%m-%d' } }
tags: { type: array, from: tags, items: { type: string, optional: true } }
hidden: { type: array, from: tags, protect: { encrypt: pii }, items: { type: string, optional: true } }
who: { type: record, from: doc, at: who, optional: true, fields: { name: { type: string } } }
lines:
  type: array
  from: doc
  at: lines
  items:
    type: record
    fields:
      price: { type: 'decimal(12,2)' }
      notes: { type: array, items: { type: record, fields: { by: { type: string, protect: { hmac: pii } } } } }
"#;

const DOCUMENT: &str = r#"{"who": {"name": "Ad\u00e9"}, "qty": 3, "days": ["2026-01-31"], "labels": {"b": 1, "a\n": 2},
  "lines": [{"price": 1.5, "notes": [{"by": "a\n"}, {"by": "b"}]}, {"price": 2, "notes": []}]}"#;

const MAPPED: &str = r#"{"type": "record", "name": "Mapped", "fields": [
  {"name": "labels", "type": {"type": "map", "values": "int"}}]}"#;

#[test]
fn more_rows_allocate_no_more() {
    let files = [("c.csv", "code,value\nGB,United Kingdom\n")];
    let product = product_with(HEAD, FIELDS, &files);
    let described = table(vec![
        column("l", ValueType::Int(64)),
        column("c", ValueType::Text),
        column("doc", ValueType::Json),
        column("tags", ValueType::Array(Arc::new(ValueType::Text))),
    ]);
    assert_eq!(onramp_translator::check(&product, &described), []);
    let cells = [Value::Int(7), Value::Text("GB"), Value::Text(DOCUMENT)].map(Some);
    let tags = [Some(Value::Text("gift")), None];
    let row = with_list(&cells, &ValueType::Text, &tags);
    allocates_nothing(product, &described, &row);
}

/// The payload is opened, the headers written, the moment read.
#[test]
fn more_rows_of_an_outbox_allocate_no_more() {
    let keys = r#"
source: { table: public.ordr_hdr, where: row.kind != "x" }
columns: { id: no, type: kind, key: no, payload: doc, timestamp: at, headers: { kind: kind } }
events:
  Placed:
    payload: json
    fields:
      qty:  { type: long }
      who:  { type: record, fields: { name: { type: string } } }
      days: { type: array, items: { type: string } }
      kind: { type: string, expr: row.kind + tx.id }
"#;
    let mapped = "  Mapped: { payload: json, schema: m.avsc }\n";
    let product = of_kind("outbox", &format!("{keys}{mapped}"), &[("m.avsc", MAPPED)]);
    let described = table(vec![
        column("no", ValueType::Int(64)),
        column("kind", ValueType::Text),
        column("doc", ValueType::Json),
        column("at", ValueType::Timestamp),
    ]);
    assert_eq!(onramp_translator::check(&product, &described), []);
    for event in ["Placed", "Mapped"] {
        let mut row = Vec::new();
        for value in [
            Value::Int(7),
            Value::Text(event),
            Value::Text(DOCUMENT),
            Value::Timestamp(1_000),
        ] {
            plain::push(&mut row, Some(value));
        }
        allocates_nothing(product.clone(), &described, &row);
    }
}

fn allocates_nothing(product: Product, described: &TableDescription, row: &[u8]) {
    let mut log = Log::new(plain::layout(described));
    log.begin("0/1");
    for _ in 0..1_000 {
        log.insert_bytes(row);
    }
    let mut translator = translator(described, &[product], 1 << 20);
    let mut arena = Arena::default();
    arena.bytes.reserve(1 << 20);
    arena.records.reserve(2_000);
    // The layout, the transaction and the first row make what is kept.
    translator.apply(&log.0, 0..3, &mut arena, 1 << 20).unwrap();
    let mut counted = |rows: std::ops::Range<usize>| {
        let before = COUNT.with(Cell::get);
        let progress = translator.apply(&log.0, rows.clone(), &mut arena, 1 << 20);
        assert_eq!(progress.unwrap().next, rows.end);
        COUNT.with(Cell::get) - before
    };
    let (few, many) = (counted(3..13), counted(13..1_002));
    // The plain layout's own reader keeps a list a row; a connector's has none.
    assert_eq!(few - 10 * PLAIN, many - 989 * PLAIN);
    assert!(few - 10 * PLAIN < 10, "{few}");
}

/// What reading a row in the plain layout allocates: a list of four cells.
const PLAIN: usize = 1;
