//! What a protection costs: the time a row takes with one protected text, beside the same row with
//! the text as it is. `make bench` runs it; a debug build measures itself.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for whoever measures"
)]

#[path = "../tests/support/mod.rs"]
mod support;
mod timing;

use onramp_connector::plain::layout;
use onramp_connector::{Value, ValueType};
use support::{Log, column, product, table};
use timing::best;

const ROWS: usize = 20_000;
/// The best of them counts.
const ROUNDS: usize = 15;
const HEAD: &str = "source: { table: public.ordr_hdr }\nkey: [id]";

/// Nanoseconds a row.
fn measured(protect: &str, text: &str) -> f64 {
    let table = table(vec![
        column("l", ValueType::Int(64)),
        column("c", ValueType::Text),
    ]);
    let fields = format!(
        "id: {{ type: long, from: l }}\nx: {{ type: string, from: c, protect: {protect} }}"
    );
    let mut log = Log::new(layout(&table));
    log.begin("0/1");
    for row in 0..ROWS {
        log.insert(&[Some(Value::Int(row as i64)), Some(Value::Text(text))]);
    }
    let product = product(HEAD, &fields);
    let (nanos, events) = best(&table, &[product], &log, (ROWS, ROUNDS));
    assert!(events == 1.0, "a row is an event");
    nanos
}

fn main() {
    println!("nanoseconds that a protected field adds to a row, the best of {ROUNDS} rounds");
    println!(
        "{:>6} {:>8} {:>8} {:>8} {:>8}",
        "bytes", "row", "mask", "hmac", "encrypt"
    );
    for bytes in [8, 20, 64, 256] {
        let text = "0123456789abcdef".repeat(16)[..bytes].to_owned();
        let plain = measured("{ none: measured }", &text);
        let added = |protect| measured(protect, &text) - plain;
        println!(
            "{bytes:>6} {plain:>8.0} {:>8.0} {:>8.0} {:>8.0}",
            added("{ mask: { keep: 4 } }"),
            added("{ hmac: pii }"),
            added("{ encrypt: pii }")
        );
    }
}
