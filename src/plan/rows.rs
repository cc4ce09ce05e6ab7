//! How many rows would be read, and how long that takes, told by a sample of them.

use std::time::Instant;

use onramp_connector::{Batch, ChunkRange, ChunkTable, Ident, TableDescription};
use onramp_finding::Failure;
use onramp_language::{Gateway, Product};
use onramp_publisher::HistoryRecord;

use super::Rows;
use super::look::Source;
use crate::run::history::ranges;
use crate::run::sources;

/// What a run over the product's rows has before it; None where none of its tables is there. `sample`
/// says whether rows are read to tell their rate: one chunk of each table, in a short read-only
/// transaction.
pub(super) async fn expected(
    gateway: &Gateway,
    source: &Source,
    product: &Product,
    run: &HistoryRecord,
    sample: bool,
) -> Result<Option<Rows>, Failure> {
    let left = |name: &Ident| run.left.is_empty() || run.left.contains(&name.to_string());
    let mut whole: Option<Rows> = None;
    for table in sources::of(product, &source.described) {
        if !left(&table.name) {
            continue;
        }
        let one = of_table(gateway, source, product, table, sample).await?;
        whole = Some(match whole {
            None => one,
            Some(mut whole) => {
                whole.tables.extend(one.tables);
                whole.rows = whole.rows.zip(one.rows).map(|(a, b)| a + b);
                whole.bytes += one.bytes;
                whole.seconds = whole.seconds.zip(one.seconds).map(|(a, b)| a + b);
                whole
            }
        });
    }
    if let Some(whole) = &mut whole {
        whole.reconcile = run.reconcile;
        // What was read of the tables that are done is no part of those that are left.
        if run.tables.is_empty() {
            whole.rows = whole.rows.map(|rows| rows.saturating_sub(run.rows));
        }
    }
    Ok(whole)
}

async fn of_table(
    gateway: &Gateway,
    source: &Source,
    product: &Product,
    table: &TableDescription,
    sample: bool,
) -> Result<Rows, Failure> {
    let wanted = ChunkTable {
        columns: onramp_translator::columns(product, table),
        table: table.name.clone(),
        description: table.clone(),
    };
    let mut reader = source.connector.table_reader(&wanted).await?;
    let estimate = reader.estimate().await?;
    let mut expected = Rows {
        tables: vec![wanted.table],
        rows: estimate.rows,
        bytes: estimate.bytes,
        seconds: None,
        reconcile: false,
    };
    if sample {
        let limits = ranges::limits(gateway.snapshot.chunk_rows, gateway.limits.chunk);
        let (mut batch, begun) = (Batch::default(), Instant::now());
        let read = reader
            .read(&ChunkRange::default(), limits, &mut batch)
            .await?;
        let per_row = begun.elapsed().as_secs_f64() / f64::from(read.rows.max(1));
        // A sample that holds the whole table has counted it.
        if read.last.is_none() {
            expected.rows = Some(read.rows.into());
        }
        expected.seconds = expected.rows.map(|rows| rows as f64 * per_row);
    }
    Ok(expected)
}
