//! Inserts, updates, deletes, moves of keys, filters: which events a change gives.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use onramp_connector::plain::layout;
use onramp_connector::{
    BeforeImage, Item, Operation, TableDescription, TableId, Value, Value::Int, Value::Text,
    ValueType,
};
use onramp_event::Arena;
use onramp_finding::codes::mapping;
use onramp_translator::Stopped;
use support::{Given, Log, column, product, table, translator};

const FIELDS: &str = "
id: { type: long, from: no }
note: { type: string, from: note }
";

fn orders(before: BeforeImage) -> TableDescription {
    let mut table = table(vec![
        column("no", ValueType::Int(64)),
        column("note", ValueType::Text),
        column("del", ValueType::Text),
    ]);
    table.before = before;
    table
}

fn key_only() -> BeforeImage {
    BeforeImage::Key(vec!["no".into()])
}

fn row<'v>(no: i64, note: &'v str, del: &'v str) -> [Given<'v>; 3] {
    [Some(Int(no)), Some(Text(note)), Some(Text(del))]
}

fn key_row<'v>(no: i64) -> [Given<'v>; 3] {
    [Some(Int(no)), Some(Value::Null), Some(Value::Null)]
}

/// `key=note` for a state, `key-` for a tombstone.
fn shown(arena: &Arena) -> Vec<String> {
    arena
        .records
        .iter()
        .map(|r| {
            let key = String::from_utf8(arena.slice(r.key).to_vec()).unwrap();
            match r.value {
                None => format!("{key}-"),
                Some(value) => {
                    let value = arena.slice(value);
                    assert_eq!(value[..5], [0, 0, 0, 0, 7]);
                    // A one-byte id, a one-byte length, the text.
                    format!("{key}={}", String::from_utf8_lossy(&value[7..]))
                }
            }
        })
        .collect()
}

fn run(table: &TableDescription, filter: bool, make: impl FnOnce(&mut Log)) -> Vec<String> {
    let head = if filter {
        "source: { table: public.ordr_hdr, where: 'row.del != \"Y\"' }\nkey: [id]"
    } else {
        "source: { table: public.ordr_hdr }\nkey: [id]"
    };
    let product = product(head, FIELDS);
    let mut log = Log::new(layout(table));
    log.begin("0/1");
    make(&mut log);
    log.commit();
    let mut arena = Arena::default();
    let mut translator = translator(table, &[product], 1 << 20);
    let end = log.0.items.len();
    let progress = translator
        .apply(&log.0, 0..end, &mut arena, 1 << 20)
        .unwrap();
    assert_eq!(progress.next, end);
    assert!(!progress.in_transaction);
    shown(&arena)
}

#[test]
fn inserts_and_deletes() {
    for before in [key_only(), BeforeImage::Whole] {
        let events = run(&orders(before), true, |log| {
            log.insert(&row(1, "a", "N"));
            log.insert(&row(2, "b", "Y"));
            log.change(Operation::Delete, Some(&row(1, "a", "N")), None);
            // A delete does not ask the filter.
            log.change(Operation::Delete, Some(&row(2, "b", "Y")), None);
        });
        assert_eq!(events, ["1=a", "1-", "2-"]);
    }
}

#[test]
fn an_update_that_no_longer_matches_is_a_tombstone() {
    let update = |before, old: Option<[Given<'static>; 3]>, del| {
        run(&orders(before), true, |log| {
            log.change(
                Operation::Update,
                old.as_ref().map(|o| &o[..]),
                Some(&row(1, "new", del)),
            );
        })
    };
    assert_eq!(update(key_only(), None, "N"), ["1=new"]);
    assert_eq!(update(key_only(), None, "Y"), ["1-"]);
    let whole = BeforeImage::Whole;
    assert_eq!(update(whole.clone(), Some(row(1, "o", "N")), "Y"), ["1-"]);
    // Proven: it never matched.
    assert!(update(whole.clone(), Some(row(1, "o", "Y")), "Y").is_empty());
    assert_eq!(update(whole, Some(row(1, "o", "Y")), "N"), ["1=new"]);
}

#[test]
fn a_changed_key_is_a_tombstone_then_the_new_state() {
    let update = |before, old: [Given<'static>; 3], del| {
        run(&orders(before), true, |log| {
            log.change(Operation::Update, Some(&old), Some(&row(2, "new", del)));
        })
    };
    assert_eq!(update(key_only(), key_row(1), "N"), ["1-", "2=new"]);
    assert_eq!(update(key_only(), key_row(1), "Y"), ["1-"]);
    // An old image whose key is the same moves nothing.
    assert_eq!(update(key_only(), key_row(2), "N"), ["2=new"]);
    let whole = BeforeImage::Whole;
    assert_eq!(
        update(whole.clone(), row(1, "o", "N"), "N"),
        ["1-", "2=new"]
    );
    assert_eq!(update(whole.clone(), row(1, "o", "Y"), "N"), ["2=new"]);
    assert_eq!(update(whole.clone(), row(1, "o", "N"), "Y"), ["1-"]);
    assert!(update(whole, row(1, "o", "Y"), "Y").is_empty());
}

#[test]
fn without_a_filter_every_row_is_published() {
    let events = run(&orders(BeforeImage::Whole), false, |log| {
        log.insert(&row(1, "a", "Y"));
        log.change(
            Operation::Update,
            Some(&row(1, "a", "Y")),
            Some(&row(3, "b", "Y")),
        );
    });
    assert_eq!(events, ["1=a", "1-", "3=b"]);
}

#[test]
fn a_value_left_out_comes_from_the_whole_old_row_or_stops() {
    let after = [Some(Int(1)), None, Some(Text("N"))];
    let events = run(&orders(BeforeImage::Whole), true, |log| {
        log.change(Operation::Update, Some(&row(1, "kept", "N")), Some(&after));
    });
    assert_eq!(events, ["1=kept"]);

    let table = orders(key_only());
    let product = product("source: { table: public.ordr_hdr }\nkey: [id]", FIELDS);
    let mut log = Log::new(layout(&table));
    log.begin("0/1").insert(&row(5, "first", "N"));
    log.change(Operation::Update, None, Some(&after)).commit();
    let mut arena = Arena::default();
    let stopped = translator(&table, &[product], 1 << 20)
        .apply(&log.0, 0..5, &mut arena, 1 << 20)
        .unwrap_err();
    let Stopped::Row(fault) = &stopped else {
        panic!("{stopped:?}")
    };
    assert_eq!(fault.code, &mapping::ROW_LEFT_OUT);
    assert_eq!((fault.field.as_str(), fault.item), ("note", 3));
    assert_eq!(fault.column.as_deref(), Some("note"));
    // What came before is there, and nothing of the row.
    assert_eq!(shown(&arena), ["5=first"]);
    assert_eq!(arena.rows, 1);
    let text = stopped.failure("0/9").to_string();
    assert_eq!(text, "ONR-323: value is not in the log: field note");
}

#[test]
fn ordinals_count_within_transaction_and_route_across_arenas() {
    let table = orders(key_only());
    let all = product("source: { table: public.ordr_hdr }\nkey: [id]", FIELDS);
    let some = product(
        "source: { table: public.ordr_hdr, where: 'row.del != \"Y\"' }\nkey: [id]",
        FIELDS,
    );
    let mut log = Log::new(layout(&table));
    log.begin("0/1")
        .insert(&row(1, "a", "N"))
        .insert(&row(2, "b", "Y"));
    log.insert(&row(3, "c", "N")).commit();
    log.begin("0/2").insert(&row(4, "d", "N")).commit();
    let mut translator = translator(&table, &[all, some], 1 << 20);
    let end = log.0.items.len();
    let (mut next, mut seen, mut arenas) = (0, Vec::new(), 0);
    while next < end {
        let mut arena = Arena::default();
        // Any event fills it: handed over inside the transaction.
        let progress = translator.apply(&log.0, next..end, &mut arena, 1).unwrap();
        assert!(progress.next > next);
        next = progress.next;
        arenas += 1;
        for r in &arena.records {
            let transaction = arena.transactions[r.transaction as usize];
            let place = String::from_utf8(arena.slice(transaction.place).to_vec()).unwrap();
            assert_eq!(arena.slice(transaction.id), b"77");
            assert_eq!(transaction.committed_at_us, 1_000);
            seen.push((place, r.route.0, r.ordinal));
        }
    }
    let expected = [
        ("0/1", 0, 0),
        ("0/1", 1, 0),
        ("0/1", 0, 1),
        ("0/1", 0, 2),
        ("0/1", 1, 1),
        ("0/2", 0, 0),
        ("0/2", 1, 0),
    ];
    let expected: Vec<_> = expected.map(|(p, r, o)| (p.to_owned(), r, o)).into();
    assert_eq!(seen, expected);
    assert!(arenas > 3);
}

fn stop(head: &str, table: &TableDescription, row_bytes: usize, log: &Log) -> Option<Stopped> {
    let product = product(head, FIELDS);
    let end = log.0.items.len();
    translator(table, &[product], row_bytes)
        .apply(&log.0, 0..end, &mut Arena::default(), 1 << 20)
        .err()
}

fn code(stopped: Option<Stopped>) -> &'static str {
    match stopped {
        Some(Stopped::Row(fault)) => fault.code.id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn truncate_large_rows_and_deletes_without_an_image() {
    let table = orders(key_only());
    let head = "source: { table: public.ordr_hdr }\nkey: [id]";
    let mut log = Log::new(layout(&table));
    log.begin("0/1").truncate().commit();
    assert_eq!(
        code(stop(head, &table, 1 << 20, &log)),
        mapping::TRUNCATED.id
    );
    let ignore = format!("{head}\non_truncate: ignore");
    assert_eq!(stop(&ignore, &table, 1 << 20, &log), None);

    let mut log = Log::new(layout(&table));
    log.begin("0/1")
        .insert(&row(1, &"x".repeat(200), "N"))
        .commit();
    assert_eq!(
        code(stop(head, &table, 100, &log)),
        mapping::ROW_TOO_LARGE.id
    );
    assert_eq!(stop(head, &table, 300, &log), None);

    let mut log = Log::new(layout(&table));
    log.begin("0/1")
        .change(Operation::Delete, None, None)
        .commit();
    assert_eq!(
        code(stop(head, &table, 300, &log)),
        mapping::NO_BEFORE_IMAGE.id
    );

    let mut log = Log::new(layout(&orders(BeforeImage::None)));
    log.begin("0/1")
        .change(Operation::Update, None, Some(&row(1, "a", "N")));
    assert_eq!(
        code(stop(head, &table, 300, &log)),
        mapping::NO_BEFORE_IMAGE.id
    );
}

#[test]
fn a_changed_mapped_column_stops_and_another_passes() {
    let table = orders(key_only());
    let head = "source: { table: public.ordr_hdr }\nkey: [id]";
    let run = |edit: &dyn Fn(&mut onramp_connector::TableLayout)| {
        let mut changed = layout(&table);
        edit(&mut changed);
        let mut log = Log::new(layout(&table));
        log.0.tables.push(std::sync::Arc::new(changed));
        log.0.items.push(Item::Layout(TableId(1)));
        match stop(head, &table, 300, &log) {
            Some(Stopped::Table { item, findings }) => {
                assert_eq!((item, findings.len()), (1, 1));
                findings[0].message.clone()
            }
            Some(other) => panic!("{other:?}"),
            None => String::new(),
        }
    };
    assert_eq!(run(&|l| l.columns[2].0 = "gone".into()), "");
    assert_eq!(run(&|l| l.columns.swap(0, 1)), "");
    assert_eq!(
        run(&|l| l.columns[1].0 = "memo".into()),
        "column note of public.ordr_hdr was renamed or dropped"
    );
    assert_eq!(
        run(&|l| l.columns[0].1 = ValueType::Int(32)),
        "column no of public.ordr_hdr changed its type, which was int(64)"
    );
    assert_eq!(run(&|l| l.before = BeforeImage::Whole), "");
    assert_eq!(
        run(&|l| l.before = BeforeImage::Key(vec!["del".into()])),
        "old rows of public.ordr_hdr no longer hold no"
    );
}
