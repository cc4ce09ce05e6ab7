//! Rows by name: of one that was there before, and of what the log does to it.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onramp_connector::{BeforeImage, Index, Operation, TableDescription, Value, ValueType, plain};
use onramp_event::{Arena, Mark};
use onramp_finding::codes::mapping;
use onramp_language::Product;
use onramp_translator::{RowNames, check, columns};
use support::{Given, Log, column, of_kind, table, translator_naming};

/// Nothing of the key is mapped: rows are told apart all the same.
fn facts() -> Product {
    let keys = "source: { table: public.ordr_hdr }\nkey: [land]\nhistory: insert\nevents:\n  Came:\n    when: op == \"insert\" && after.land != \"no\"\n    fields:\n      land: { type: string, from: land }\n      tx:   { type: string, expr: tx.id, optional: true }\n";
    of_kind("events", keys, &[])
}

fn described() -> TableDescription {
    table(vec![
        column("no", ValueType::Int(64)),
        column("land", ValueType::Text),
    ])
}

fn row(no: i64, land: &str) -> [Given<'_>; 2] {
    [Some(Value::Int(no)), Some(Value::Text(land))]
}

fn names(secret: &str) -> RowNames {
    RowNames {
        secret: secret.as_bytes().into(),
        asked: Arc::new(AtomicBool::new(true)),
    }
}

/// What the log marks, and the names of the rows of a snapshot.
fn marks(names: &RowNames, log: &Log) -> Vec<Mark> {
    let mut arena = Arena::default();
    let mut translator = translator_naming(&described(), &[facts()], 1 << 20, Some(names));
    let items = 0..log.0.items.len();
    translator
        .apply(&log.0, items, &mut arena, 1 << 20)
        .unwrap();
    assert!(arena.records.iter().all(|record| record.row.is_empty()));
    arena.marks
}

fn read(names: &RowNames, rows: &[[Given<'_>; 2]]) -> Vec<Vec<u8>> {
    let mut log = Log::new(plain::layout(&described()));
    for row in rows {
        log.insert(row);
    }
    let mut arena = Arena::default();
    let mut translator = translator_naming(&described(), &[facts()], 1 << 20, Some(names));
    translator.begin_snapshot("run", 0);
    let items = 0..log.0.items.len();
    translator
        .apply(&log.0, items, &mut arena, 1 << 20)
        .unwrap();
    assert!(arena.marks.is_empty());
    let named = arena.records.iter();
    named
        .map(|record| arena.slice(record.row).to_vec())
        .collect()
}

#[test]
fn a_row_has_one_name_in_the_table_and_in_the_log() {
    let secret = names("one");
    let read_as = read(&secret, &[row(7, "GB"), row(8, "GB"), row(9, "no")]);
    assert_eq!(read_as.len(), 2, "one gives nothing");
    assert_ne!(read_as[0], read_as[1], "of one product's key");
    assert_ne!(read(&names("other"), &[row(7, "GB")])[0], read_as[0]);
    let mut log = Log::new(plain::layout(&described()));
    log.begin("0/1").insert(&row(7, "GB")).insert(&row(8, "no"));
    // The key stays, and the log has no old row then; or it changes.
    log.change(Operation::Update, None, Some(&row(7, "FR")));
    let old = [Some(Value::Int(9)), Some(Value::Null)];
    log.change(Operation::Update, Some(&old), Some(&row(10, "GB")));
    log.change(
        Operation::Delete,
        Some(&[Some(Value::Int(7)), Some(Value::Null)]),
        None,
    );
    log.commit();
    let marks = marks(&secret, &log);
    let told: Vec<(bool, u64)> = marks.iter().map(|m| (m.gone, m.number)).collect();
    assert_eq!(told, [(false, 77), (false, 77), (false, 77), (true, 77)]);
    assert_eq!(marks[0].row[..], read_as[0][..]);
    assert_eq!(marks[1].row[..], read_as[1][..], "whatever it gives");
    assert_eq!(marks[2].row[..], read(&secret, &[row(10, "x")])[0][..]);
    assert_eq!(marks[3].row, marks[0].row);
    secret.asked.store(false, Ordering::Relaxed);
    assert_eq!(self::marks(&secret, &log), []);
}

#[test]
fn rows_are_named_by_the_key_they_are_read_by_and_a_table_without_one_is_refused() {
    let index = |name: &str, columns: &[&str], primary| Index {
        name: name.into(),
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        primary,
        deferrable: false,
        total: true,
    };
    let mut table = TableDescription {
        unique: vec![index("pk", &["no"], true), index("other", &["code"], false)],
        before: BeforeImage::Key(vec!["code".into()]),
        ..support::table(vec![
            column("no", ValueType::Int(64)),
            column("land", ValueType::Text),
            column("code", ValueType::Text),
        ])
    };
    let codes = |table: &TableDescription| -> Vec<&str> {
        check(&facts(), table).iter().map(|f| f.code.id).collect()
    };
    // Whether a row gets another primary key the log does not say.
    assert_eq!(codes(&table), [mapping::ROWS_NAMELESS.id]);
    table.before = BeforeImage::None;
    assert_eq!(codes(&table), [mapping::ROWS_NAMELESS.id]);
    for held in [BeforeImage::Whole, BeforeImage::Key(vec!["no".into()])] {
        table.before = held;
        assert_eq!(columns(&facts(), &table), ["no", "land"]);
        assert_eq!(codes(&table), [""; 0]);
    }
    // What the log holds may change while it is read.
    let mut log = Log::new(plain::layout(&TableDescription {
        before: BeforeImage::Key(vec!["code".into()]),
        ..table.clone()
    }));
    log.begin("0/1").commit();
    let secret = names("one");
    let mut translator = translator_naming(&table, &[facts()], 1 << 20, Some(&secret));
    let items = 0..log.0.items.len();
    let stopped = translator.apply(&log.0, items, &mut Arena::default(), 1 << 20);
    let findings = stopped.unwrap_err().failure("0/1").findings;
    assert_eq!(findings[0].code.id, mapping::ROWS_NAMELESS.id);
    table.unique = vec![Index {
        deferrable: true,
        ..index("pk", &["no"], true)
    }];
    assert_eq!(codes(&table), [mapping::ROWS_NAMELESS.id]);
    table.unique = vec![index("pk", &["no"], true)];
    table.columns[0].value_type = ValueType::Unsupported;
    assert_eq!(codes(&table), [mapping::ROWS_NAMELESS.id]);
}
