//! Products of several tables: keys that tell them apart, and rows that move between them.

#![allow(clippy::unwrap_used)] // Helpers of tests: there a panic is the report.

mod support;

use std::sync::Arc;

use onramp_connector::plain::layout;
use onramp_connector::{
    BeforeImage, Item, Operation, TableDescription, TableId, Value::Int, Value::Text, ValueType,
};
use onramp_event::{Arena, RouteId};
use onramp_finding::codes::mapping;
use onramp_language::Product;
use onramp_translator::{
    Encoding, Mapped, QuarantineRoute, RowLimits, Stopped, TableMapping, Translator, check_union,
};
use support::{Given, Log, column, product, table};

const FIELDS: &str = "
id: { type: long, from: no }
note: { type: string, from: note }
";
const MOVES: &str = "source: { tables: [public.live, public.old] }\nmoves: true\nkey: [id]";
const FILTERED: &str = "source: { tables: [public.live, public.old], where: 'row.del != \"Y\"' }\nmoves: true\nkey: [id]";

fn named(schema: &str, name: &str, before: BeforeImage) -> TableDescription {
    let mut table = table(vec![
        column("no", ValueType::Int(64)),
        column("note", ValueType::Text),
        column("del", ValueType::Text),
    ]);
    table.name.schema = schema.into();
    table.name.table = name.into();
    table.before = before;
    table
}

fn two(before: &BeforeImage) -> [TableDescription; 2] {
    ["live", "old"].map(|name| named("public", name, before.clone()))
}

fn row<'v>(no: i64, note: &'v str, del: &'v str) -> [Given<'v>; 3] {
    [Some(Int(no)), Some(Text(note)), Some(Text(del))]
}

struct Tables(Log);

const LIVE: u32 = 0;
const OLD: u32 = 1;

impl Tables {
    fn new(tables: &[TableDescription]) -> Tables {
        let mut log = Log::new(layout(&tables[0]));
        for (n, table) in tables.iter().enumerate().skip(1) {
            log.0.tables.push(Arc::new(layout(table)));
            log.0.items.push(Item::Layout(TableId(n as u32)));
        }
        log.begin("0/1");
        Tables(log)
    }

    fn of(&mut self, table: u32) {
        if let Some(Item::Change(change)) = self.0.0.items.last_mut() {
            change.table = TableId(table);
        }
    }

    fn insert(&mut self, table: u32, no: i64, note: &str) -> &mut Self {
        self.0.insert(&row(no, note, "N"));
        self.of(table);
        self
    }

    fn update(&mut self, table: u32, old: [Given<'_>; 3], new: [Given<'_>; 3]) -> &mut Self {
        self.0.change(Operation::Update, Some(&old), Some(&new));
        self.of(table);
        self
    }

    fn delete(&mut self, table: u32, old: [Given<'_>; 3]) -> &mut Self {
        self.0.change(Operation::Delete, Some(&old), None);
        self.of(table);
        self
    }

    fn next(&mut self) -> &mut Self {
        self.0.commit();
        self.0.begin("0/2");
        self
    }
}

fn translator(tables: &[TableDescription], product: &Product, moved_keys: usize) -> Translator {
    let mapped = Mapped {
        rows: None,
        route: RouteId(0),
        product: Arc::new(product.clone()),
        quarantine: product.quarantine_topic().map(|_| QuarantineRoute {
            route: RouteId(1),
            partitions: 1,
        }),
        encoding: Encoding {
            value_schema_ids: vec![7],
            key_schema_id: None,
            partitions: 3,
            header_bytes: 0,
        },
    };
    let mappings = tables.iter().map(|table| TableMapping {
        table: table.clone(),
        products: vec![mapped.clone()],
    });
    let limits = RowLimits {
        row_bytes: 1 << 20,
        moved_keys_bytes: moved_keys,
    };
    Translator::new(mappings.collect(), Vec::new(), limits)
}

/// `key=note` for a state, `key-` for a tombstone, `key!` in quarantine; the code where it stops.
fn run_with(
    head: &str,
    moved_keys: usize,
    make: impl FnOnce(&mut Tables),
) -> (Vec<String>, Option<&'static str>) {
    let tables = two(&BeforeImage::Whole);
    let product = product(head, FIELDS);
    let mut log = Tables::new(&tables);
    make(&mut log);
    log.0.commit();
    let mut arena = Arena::default();
    let mut translator = translator(&tables, &product, moved_keys);
    let batch = &log.0.0;
    let done = translator.apply(batch, 0..batch.items.len(), &mut arena, 1 << 20);
    let stopped = match done {
        Ok(_) => None,
        Err(Stopped::Row(fault)) => Some(fault.code.id),
        Err(Stopped::Table { findings, .. }) => panic!("{findings:#?}"),
    };
    let shown = arena.records.iter().map(|record| {
        let key = String::from_utf8_lossy(arena.slice(record.key)).into_owned();
        match record.value {
            _ if record.route == RouteId(1) => format!("{key}!"),
            None => format!("{key}-"),
            Some(value) => {
                let note = String::from_utf8_lossy(&arena.slice(value)[7..]).into_owned();
                format!("{key}={note}")
            }
        }
    });
    (shown.collect(), stopped)
}

fn run(head: &str, make: impl FnOnce(&mut Tables)) -> Vec<String> {
    let (shown, stopped) = run_with(head, 1 << 20, make);
    assert_eq!(stopped, None);
    shown
}

#[test]
fn a_row_that_moves_keeps_its_key_whatever_comes_first() {
    let events = run(MOVES, |log| {
        log.insert(OLD, 1, "moved").delete(LIVE, row(1, "was", "N"));
        log.delete(LIVE, row(2, "was", "N")).insert(OLD, 2, "moved");
    });
    assert_eq!(events, ["1=moved", "2-", "2=moved"]);
}

#[test]
fn the_next_transactions_delete_is_one() {
    let events = run(MOVES, |log| {
        log.insert(OLD, 1, "moved").delete(LIVE, row(1, "was", "N"));
        log.next().delete(OLD, row(1, "moved", "N"));
        log.next().insert(LIVE, 1, "anew");
    });
    assert_eq!(events, ["1=moved", "1-", "1=anew"]);
}

#[test]
fn what_the_old_home_says_after_the_copy_is_not_told() {
    let events = run(MOVES, |log| {
        log.insert(OLD, 1, "copy");
        log.update(LIVE, row(1, "was", "N"), row(1, "stamped", "N"));
        log.delete(LIVE, row(1, "stamped", "N"));
    });
    assert_eq!(events, ["1=copy"]);
}

#[test]
fn a_row_that_leaves_the_filter_there_does_not_take_its_key_away_here() {
    let events = run(FILTERED, |log| {
        log.insert(OLD, 1, "copy");
        log.update(LIVE, row(1, "was", "N"), row(1, "was", "Y"));
    });
    assert_eq!(events, ["1=copy"]);
    // Later the marked row goes; it was none of the product's.
    let events = run(FILTERED, |log| {
        log.delete(LIVE, row(1, "was", "Y"));
        log.update(LIVE, row(2, "was", "Y"), row(2, "is", "Y"));
        log.update(LIVE, row(3, "was", "Y"), row(4, "is", "Y"));
        log.update(LIVE, row(5, "was", "Y"), row(6, "is", "N"));
    });
    assert_eq!(events, ["6=is"]);
}

#[test]
fn a_key_that_changes_on_the_way_moves() {
    let events = run(MOVES, |log| {
        log.update(LIVE, row(1, "a", "N"), row(2, "a", "N"));
        log.insert(OLD, 1, "other");
        log.update(OLD, row(1, "other", "N"), row(3, "other", "N"));
    });
    assert_eq!(events, ["1-", "2=a", "1=other", "1-", "3=other"]);
}

#[test]
fn a_key_in_two_tables_at_commit_stops_before_it() {
    let (events, stopped) = run_with(MOVES, 1 << 20, |log| {
        log.insert(LIVE, 1, "a").next();
        log.insert(OLD, 1, "copy");
        log.update(LIVE, row(1, "a", "N"), row(1, "b", "N"));
    });
    assert_eq!(stopped, Some(mapping::KEY_IN_TWO_TABLES.id));
    assert_eq!(events[0], "1=a");
}

#[test]
fn a_state_that_the_log_does_not_repeat_is_not_made_up() {
    let (_, stopped) = run_with(MOVES, 1 << 20, |log| {
        log.insert(OLD, 1, "a").insert(LIVE, 1, "b");
        log.delete(LIVE, row(1, "b", "N"));
    });
    assert_eq!(stopped, Some(mapping::MOVE_UNCLEAR.id));
}

#[test]
fn one_tables_large_transaction_is_no_trouble_and_two_tables_is() {
    let many = |log: &mut Tables, table| {
        for no in 100..200 {
            log.insert(table, no, "x");
        }
    };
    let (events, stopped) = run_with(MOVES, 500, |log| {
        many(log, LIVE);
        log.delete(LIVE, row(150, "x", "N"));
    });
    assert_eq!((stopped, events.len()), (None, 101));
    let (_, stopped) = run_with(MOVES, 500, |log| {
        many(log, OLD);
        log.delete(LIVE, row(150, "x", "N"));
    });
    assert_eq!(stopped, Some(mapping::MOVES_FORGOTTEN.id));
}

#[test]
fn what_stops_a_move_is_not_quarantined_and_a_quarantined_row_leaves_no_trace() {
    let head = "source: { tables: [public.live, public.old], where: 'int(row.del) > 0' }\nmoves: true\non_error: quarantine\nkey: [id]";
    let (events, stopped) = run_with(head, 1 << 20, |log| {
        // No number: the row fails, and nothing stands under its key in the new table.
        log.insert(OLD, 1, "bad");
        log.delete(LIVE, row(1, "was", "1"));
    });
    assert_eq!(stopped, None);
    assert_eq!(events.last().map(String::as_str), Some("1-"));
    assert_eq!(events.len(), 2);
    let quarantined = MOVES.to_owned() + "\non_error: quarantine";
    let (_, stopped) = run_with(&quarantined, 1 << 20, |log| {
        log.insert(OLD, 1, "a").insert(LIVE, 1, "b");
        log.delete(LIVE, row(1, "b", "N"));
    });
    assert_eq!(stopped, Some(mapping::MOVE_UNCLEAR.id));
}

fn codes(head: &str, fields: &str, tables: &[TableDescription]) -> Vec<&'static str> {
    let product = product(head, fields);
    let all: Vec<_> = tables.iter().collect();
    let found = check_union(&product, &all);
    found.into_iter().map(|f| f.code.id).collect()
}

#[test]
fn a_key_that_holds_the_table_tells_its_rows_apart() {
    let shops = ["shop_1", "shop_2"].map(|s| named(s, "ordr", BeforeImage::Whole));
    let head = |key: &str| format!("source: {{ tables: [\"shop_*.ordr\"] }}\nkey: {key}");
    let with = |shop: &str| format!("shop: {shop}\n{}", FIELDS.trim());
    let apart = |shop: &str, key: &str| codes(&head(key), &with(shop), &shops);
    let schema = "{ type: string, expr: table.schema }";
    assert_eq!(apart(schema, "[shop, id]"), [""; 0]);
    assert_eq!(apart(schema, "[id]"), [mapping::TABLES_ALIKE.id]);
    let name = "{ type: string, expr: table.name }";
    assert_eq!(apart(name, "[shop, id]"), [mapping::TABLES_ALIKE.id]);
    let number = "{ type: long, expr: \"int(table.schema.replace('shop_', ''))\" }";
    assert_eq!(apart(number, "[id, shop]"), [""; 0]);
    let codes_of = |two: &str| {
        format!("{{ type: enum, expr: table.schema, values: {{ shop_1: LEEDS, shop_2: {two} }} }}")
    };
    assert_eq!(apart(&codes_of("YORK"), "[shop, id]"), [""; 0]);
    assert_eq!(
        apart(&codes_of("LEEDS"), "[shop, id]"),
        [mapping::TABLES_ALIKE.id]
    );
    let of_row = "{ type: string, expr: table.schema + row.note }";
    assert_eq!(apart(of_row, "[shop, id]"), [mapping::TABLES_ALIKE.id]);
}

#[test]
fn where_rows_move_a_filter_needs_old_rows() {
    let key = BeforeImage::Key(vec!["no".into()]);
    assert_eq!(codes(MOVES, FIELDS, &two(&key)), [""; 0]);
    let lacking = [mapping::MOVES_NEED_OLD_ROW.id; 2];
    assert_eq!(codes(FILTERED, FIELDS, &two(&key)), lacking);
    assert_eq!(codes(FILTERED, FIELDS, &two(&BeforeImage::Whole)), [""; 0]);
    let by_key = FILTERED.replace("row.del != \"Y\"", "row.no > 0");
    assert_eq!(codes(&by_key, FIELDS, &two(&key)), [""; 0]);
}

#[test]
fn an_old_row_that_no_longer_tells_what_the_filter_reads_stops() {
    let checked = two(&BeforeImage::Whole);
    let now = two(&BeforeImage::Key(vec!["no".into()]));
    let stops = |head: &str| {
        let mut translator = translator(&checked, &product(head, FIELDS), 1 << 20);
        let batch = Tables::new(&now).0.0;
        let items = 0..batch.items.len();
        match translator.apply(&batch, items, &mut Arena::default(), 1 << 20) {
            Ok(_) => None,
            Err(Stopped::Table { findings, .. }) => Some(findings[0].code.id),
            Err(Stopped::Row(fault)) => panic!("{fault:?}"),
        }
    };
    assert_eq!(stops(FILTERED), Some(mapping::MOVES_NEED_OLD_ROW.id));
    assert_eq!(stops(MOVES), None);
}
