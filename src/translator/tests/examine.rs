//! A row field by field: every field's value or fault, before protection, and with what codes and
//! local times would otherwise be made of without a word.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

mod support;

use std::sync::Arc;

use onramp_connector::plain::layout;
use onramp_connector::{BeforeImage, Item, Span, Value, ValueType};
use onramp_event::RouteId;
use onramp_translator::{Encoding, Examiner, FieldValue, Mapped, TableMapping};
use support::{Log, column, nullable, product, table};

const HEAD: &str = "source: { table: public.ordr_hdr, where: '!row.gone' }\nkey: [id, who]";
const FIELDS: &str = "
id: { type: long, from: id }
who: { type: string, from: who, classification: personal, protect: { hmac: pii } }
state: { type: enum, from: st, values: { 'N': NEW }, default: UNKNOWN, otherwise: { value: UNKNOWN } }
at: { type: timestamp, from: at, parse: '%Y%m%d%H%M%S', zone: Europe/London, ambiguous: earlier }
sum: { type: 'decimal(4,2)', from: sum }
r:
  type: record
  fields:
    sum: { type: 'decimal(4,2)', from: sum, optional: true }
";

fn examiner() -> (Examiner, onramp_connector::TableDescription) {
    let mut table = table(vec![
        column("id", ValueType::Int(64)),
        column("gone", ValueType::Bool),
        column("who", ValueType::Text),
        column("st", ValueType::Text),
        column("at", ValueType::Text),
        nullable("sum", ValueType::Decimal(None)),
    ]);
    table.before = BeforeImage::Whole;
    let mapping = TableMapping {
        table: table.clone(),
        products: vec![Mapped {
            rows: None,
            quarantine: None,
            route: RouteId(0),
            product: Arc::new(product(HEAD, FIELDS)),
            encoding: Encoding {
                value_schema_ids: vec![1],
                key_schema_id: None,
                partitions: 1,
                header_bytes: 0,
            },
        }],
    };
    let keys = [("pii".to_owned(), b"secret".to_vec())];
    let layout = Arc::new(layout(&table));
    (Examiner::new(&layout, &mapping, &keys).unwrap(), table)
}

fn row<'v>(gone: bool, state: &'v str, at: &'v str, sum: Value<'v>) -> [Option<Value<'v>>; 6] {
    [
        Some(Value::Int(7)),
        Some(Value::Bool(gone)),
        Some(Value::Text("a\"b")),
        Some(Value::Text(state)),
        Some(Value::Text(at)),
        Some(sum),
    ]
}

fn last(log: &Log) -> Span {
    match log.0.items.last() {
        Some(Item::Change(change)) => change.after.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_is_told_by_itself_and_before_protection() {
    let (mut examiner, table) = examiner();
    let paths: Vec<String> = examiner.paths().iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["id", "who", "state", "at", "sum", "r.sum"]);
    let mut log = Log::new(layout(&table));
    let too_long = Value::Decimal(onramp_connector::Decimal {
        mantissa: 12_345,
        scale: 2,
    });
    log.insert(&row(false, "Q", "20261025013000", too_long));
    let span = last(&log);
    let mut told = Vec::new();
    let of = examiner.fields(&log.0, span, |place, seen| {
        let given = seen
            .given
            .map_or_else(|why| why.code.id.to_owned(), |v| v.text());
        told.push((place, given, seen.is_unlisted, seen.is_ambiguous));
    });
    assert_eq!(of, Ok(true));
    let told: Vec<(usize, &str, bool, bool)> = told
        .iter()
        .map(|(p, g, u, a)| (*p, g.as_str(), *u, *a))
        .collect();
    assert_eq!(
        told,
        [
            (0, "7", false, false),
            (1, "a\"b", false, false),
            (2, "UNKNOWN", true, false),
            (3, "2026-10-25T00:30:00Z", false, true),
            // Both, although a run would stop at the first.
            (4, "ONR-320", false, false),
            (5, "ONR-320", false, false),
        ]
    );
    assert_eq!(examiner.key(&log.0, span).unwrap(), r#"[7,"a\"b"]"#);
    let columns = examiner.columns(&log.0, span);
    assert_eq!(
        columns[4],
        ("at".to_owned(), Some("20261025013000".to_owned()))
    );
    assert_eq!(columns[5].1.as_deref(), Some("123.45"));
}

#[test]
fn a_row_that_is_left_out_tells_nothing_and_null_is_told_as_null() {
    let (mut examiner, table) = examiner();
    let mut log = Log::new(layout(&table));
    log.insert(&row(true, "N", "20260101000000", Value::Null));
    let of = examiner.fields(&log.0, last(&log), |_, _| panic!("it is left out"));
    assert_eq!(of, Ok(false));
    log.insert(&row(false, "N", "20260101000000", Value::Null));
    let (mut nulls, mut faults) = (0, 0);
    examiner
        .fields(&log.0, last(&log), |_, seen| {
            nulls += usize::from(seen.given == Ok(FieldValue::Null));
            faults += usize::from(seen.given.is_err());
            assert!(!seen.is_unlisted && !seen.is_ambiguous);
        })
        .unwrap();
    assert_eq!((nulls, faults), (1, 1), "one is optional, one is required");
    assert_eq!(examiner.columns(&log.0, last(&log))[5].1, None);
}
