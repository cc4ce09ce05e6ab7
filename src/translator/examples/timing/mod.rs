//! How long the translator takes over a log: the best of some rounds, since the rest is what else the
//! machine does.

use std::time::Instant;

use onramp_connector::TableDescription;
use onramp_event::Arena;
use onramp_language::Product;

use super::support::{Log, translator};

/// Nanoseconds a change, and events a change, of a log of so many changes.
pub(crate) fn best(
    table: &TableDescription,
    products: &[Product],
    log: &Log,
    (changes, rounds): (usize, usize),
) -> (f64, f64) {
    let mut translator = translator(table, products, 1 << 20);
    let mut arena = Arena::default();
    let (mut best, mut events) = (f64::MAX, 0);
    for _ in 0..rounds {
        arena.recycle(64 << 20);
        let began = Instant::now();
        let items = 0..log.0.items.len();
        translator
            .apply(&log.0, items, &mut arena, usize::MAX)
            .unwrap();
        best = best.min(began.elapsed().as_nanos() as f64 / changes as f64);
        events = arena.records.len();
    }
    (best, events as f64 / changes as f64)
}
