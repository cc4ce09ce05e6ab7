//! What filters, expressions, further products and facts cost: the time that a change of eight columns
//! takes. `make bench` runs it; a debug build measures itself.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for whoever measures"
)]

#[path = "../tests/support/mod.rs"]
mod support;
mod timing;

use onramp_connector::plain::layout;
use onramp_connector::{BeforeImage, Operation, TableDescription, Value, ValueType};
use onramp_language::Product;
use support::{Log, column, of_kind, product, table};
use timing::best;

const CHANGES: usize = 20_000;
/// The best of them counts.
const ROUNDS: usize = 25;
const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";
const FIELDS: &str = "id: { type: long, from: no }
customer: { type: long, from: cust }
status: { type: enum, from: stat, values: { \"N\": NEW, \"P\": PAID }, otherwise: fail }
total: { type: long, from: amt }
city: { type: string, from: city }
country: { type: string, from: ctry }
note: { type: string, from: nte }
flag: { type: boolean, from: flg }";

fn orders() -> TableDescription {
    let mut table = table(vec![
        column("no", ValueType::Int(64)),
        column("cust", ValueType::Int(64)),
        column("stat", ValueType::Text),
        column("amt", ValueType::Int(64)),
        column("city", ValueType::Text),
        column("ctry", ValueType::Text),
        column("nte", ValueType::Text),
        column("flg", ValueType::Bool),
    ]);
    table.before = BeforeImage::Whole;
    table
}

fn entity(head: &str, fields: &str) -> Product {
    product(head, fields)
}

/// Facts with these conditions; each has the key alone.
fn facts(conditions: &[&str]) -> Product {
    let mut keys = format!("{HEAD}\nevents:\n");
    for (n, condition) in conditions.iter().enumerate() {
        keys.push_str(&format!(
            "  Event{n}:\n    when: {condition:?}\n    fields: {{ id: {{ type: long, from: no }} }}\n"
        ));
    }
    of_kind("events", &keys, &[])
}

/// An outbox whose payload has the entity's fields, and where they are asked for an array of records.
fn outbox(lines: bool) -> Product {
    let fields = [
        ("id", "long"),
        ("customer", "long"),
        ("status", "string"),
        ("total", "long"),
        ("city", "string"),
        ("country", "string"),
        ("note", "string"),
        ("flag", "boolean"),
    ];
    let fields = fields.map(|(name, word)| format!("{name}: {{ type: {word} }}"));
    let items = "{ type: record, fields: { sku: { type: string }, qty: { type: int }, price: { type: \"decimal(12,2)\" } } }";
    let more = match lines {
        true => format!(", lines: {{ type: array, items: {items} }}"),
        false => String::new(),
    };
    let keys = format!(
        "source: {{ table: public.ordr_hdr }}\ncolumns: {{ id: id, type: type, key: agg, payload: payload }}\n\
         events:\n  OrderPlaced: {{ payload: json, fields: {{ {}{more} }} }}\n",
        fields.join(", ")
    );
    of_kind("outbox", &keys, &[])
}

/// Nanoseconds a row of an outbox, and events a row; with an array of four records, too.
fn measured_outbox(lines: bool) -> (f64, f64) {
    let table = table(vec![
        column("id", ValueType::Text),
        column("type", ValueType::Text),
        column("agg", ValueType::Text),
        column("payload", ValueType::Json),
    ]);
    let mut log = Log::new(layout(&table));
    log.begin("0/1");
    for no in 0..CHANGES {
        let line = r#"{"sku": "A-1002", "qty": 2, "price": 12.50}"#;
        let more = match lines {
            true => format!(r#", "lines": [{}]"#, [line; 4].join(", ")),
            false => String::new(),
        };
        let payload = format!(
            r#"{{"id": {no}, "customer": {}, "status": "N", "total": 200, "city": "Kingston upon Hull", "country": "GB", "note": "call before delivery", "flag": true{more}}}"#,
            no % 977
        );
        let (id, key) = (format!("event-{no}"), no.to_string());
        let texts = [id.as_str(), "OrderPlaced", key.as_str(), payload.as_str()];
        log.insert(&texts.map(|text| Some(Value::Text(text))));
    }
    best(&table, &[outbox(lines)], &log, (CHANGES, ROUNDS))
}

/// Nanoseconds a change, and events a change.
fn measured(operation: Operation, products: &[Product]) -> (f64, f64) {
    let table = orders();
    let mut log = Log::new(layout(&table));
    log.begin("0/1");
    for no in 0..CHANGES {
        let row = |amount: i64| {
            [
                Value::Int(no as i64),
                Value::Int(no as i64 % 977),
                Value::Text("N"),
                Value::Int(amount),
                Value::Text("Kingston upon Hull"),
                Value::Text("GB"),
                Value::Text("call before delivery"),
                Value::Bool(no % 2 == 0),
            ]
            .map(Some)
        };
        let (before, after) = (row(100), row(200));
        match operation {
            Operation::Insert => log.insert(&after),
            _ => log.change(Operation::Update, Some(&before), Some(&after)),
        };
    }
    best(&table, products, &log, (CHANGES, ROUNDS))
}

fn main() {
    let one = entity(HEAD, FIELDS);
    let filtered = |filter: &str| {
        let head = HEAD.replace(" }", &format!(", where: {filter:?} }}"));
        entity(&head, FIELDS)
    };
    let nobody = filtered("row.stat == \"X\"");
    let five = filtered(
        "row.stat != \"X\" && row.ctry in [\"GB\", \"IE\"] && row.amt > 50 && row.cust >= 0 && row.city.startsWith(\"King\")",
    );
    let expression = entity(
        HEAD,
        &format!("{FIELDS}\nref: {{ type: string, expr: \"'ORD-' + string(row.no)\" }}"),
    );
    let constant = entity(
        HEAD,
        &format!("{FIELDS}\nref: {{ type: string, from: ctry }}"),
    );
    let none = facts(&["op == \"update\" && before.stat != \"S\" && after.stat == \"S\""; 5]);
    let told = facts(&["op == \"update\" && after.amt > before.amt"]);
    println!("nanoseconds a change of eight columns, the best of {ROUNDS} rounds of {CHANGES}");
    let insert = Operation::Insert;
    let row = |what: &str, (nanos, events): (f64, f64), less: Option<f64>| {
        let less = less.map_or_else(String::new, |less| format!("{:+.0}", nanos - less));
        println!("{what:<58} {nanos:>6.0} {less:>6} {events:>4.0}");
    };
    println!("{:<58} {:>6} {:>6} {:>4}", "", "ns", "more", "events");
    let base = measured(insert, std::slice::from_ref(&one));
    row("one entity of eight fields", base, None);
    row(
        "two of them",
        measured(insert, &[one.clone(), one.clone()]),
        Some(base.0),
    );
    row(
        "ten of them",
        measured(insert, &vec![one.clone(); 10]),
        Some(base.0),
    );
    row(
        "one, with five predicates that hold",
        measured(insert, &[five]),
        Some(base.0),
    );
    row(
        "one, and nobody wants the row",
        measured(insert, &[nobody]),
        None,
    );
    let ninth = measured(insert, &[constant]);
    row("one, with a ninth field from a column", ninth, Some(base.0));
    row(
        "the ninth by 'ORD-' + string(row.no)",
        measured(insert, &[expression]),
        Some(ninth.0),
    );
    let update = measured(Operation::Update, std::slice::from_ref(&one));
    row("one, of an update with the whole old row", update, None);
    row(
        "five facts, of which none holds",
        measured(Operation::Update, &[none]),
        None,
    );
    row(
        "one fact that holds",
        measured(Operation::Update, &[told]),
        None,
    );
    let outbox = measured_outbox(false);
    let what = "an outbox's row, the entity's fields as JSON";
    row(what, outbox, Some(base.0));
    let lines = measured_outbox(true);
    row(
        "the same with an array of four records",
        lines,
        Some(outbox.0),
    );
}
